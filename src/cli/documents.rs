//! `gladhand completions` and `gladhand man`: made from the definition of the command line.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, Outcome};

pub(super) fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gladhand", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// The page of the program; with a directory, that one and one of each command go there.
pub(super) fn man(directory: Option<&PathBuf>) -> Outcome {
    let failed = |why: std::io::Error| Failure::Failed(format!("no manual page: {why}"));
    let mut page = Vec::new();
    match directory {
        Some(directory) => clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?,
        None => clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(failed)?,
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed_and_has_its_page() {
        let script = completions(Shell::Bash).unwrap();
        let directory = tempfile::tempdir().unwrap();
        man(Some(&directory.path().to_owned())).unwrap();
        for command in Cli::command().get_subcommands() {
            assert!(script.contains(&format!("gladhand,{})", command.get_name())), "{command}");
            let page = std::fs::read_to_string(directory.path().join(format!("gladhand-{}.1", command.get_name()))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{page}");
        }
        assert!(man(None).unwrap().contains(".TH gladhand 1"));
    }
}
