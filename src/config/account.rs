//! `account.toml` beside the configuration: the ids that `gladhand agent apply` found or made. It holds nothing of this gateway,
//! so one file serves all of them. What `gladhand.toml` itself says goes before it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::document::Document;
use super::load::read;
use super::validate::{NO_ID, is_id};

/// `account.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// As `elevenlabs.agent_id`.
    pub agent_id: String,
    /// As `elevenlabs.agent_phone_number_id`.
    pub agent_phone_number_id: String,
}

/// Beside `config`, the path of the configuration.
#[must_use]
pub fn path(config: &Path) -> PathBuf {
    config.with_file_name("account.toml")
}

/// Reads and checks it. A missing file has no ids.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(file: &Path) -> Result<Account, Vec<ConfigError>> {
    if matches!(file.try_exists(), Ok(false)) {
        return Ok(Account::default());
    }
    let text = read(file).map_err(|error| vec![error])?;
    let document = Document::parse(file, &text).map_err(|error| vec![error])?;
    let account: Account = document.read().map_err(|error| vec![error])?;
    let ids = [("agent_id", &account.agent_id), ("agent_phone_number_id", &account.agent_phone_number_id)];
    let bad = ids.iter().filter(|(_, id)| !is_id(id));
    let errors: Vec<_> = bad.map(|(key, _)| document.error(*key, NO_ID)).collect();
    if errors.is_empty() { Ok(account) } else { Err(errors) }
}

/// Writes it at once or not at all. It belongs to whom it belonged to, or, when it is new, to whom the configuration does.
///
/// # Errors
/// When it cannot be written.
pub fn save(config: &Path, account: &Account) -> io::Result<()> {
    let file = path(config);
    let model = fs::metadata(&file).or_else(|_| fs::metadata(config))?;
    let ids = toml::to_string(account).map_err(io::Error::other)?;
    let text = format!("# Written by gladhand agent apply. The same on every gateway of this account.\n{ids}");
    let new = file.with_file_name(format!(".account.toml.{}", std::process::id()));
    let written = write(&new, &text, &model).and_then(|()| fs::rename(&new, &file));
    if written.is_err() {
        // It may not have been made.
        let _ = fs::remove_file(&new);
    }
    written?;
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn write(new: &Path, text: &str, model: &fs::Metadata) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.set_permissions(Permissions::clone(&model.permissions()))?;
    chown(new, Some(model.uid()), Some(model.gid()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_saved_is_read_and_belongs_to_whom_the_configuration_does() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("gladhand.toml");
        fs::write(&config, "").unwrap();
        fs::set_permissions(&config, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(load(&path(&config)), Ok(Account::default()));
        let account = Account { agent_id: "agent_1".to_owned(), agent_phone_number_id: "phnum_1".to_owned() };
        save(&config, &account).unwrap();
        assert_eq!(load(&path(&config)), Ok(account.clone()));
        let mode = |file: &Path| fs::metadata(file).unwrap().mode() & 0o777;
        assert_eq!(mode(&path(&config)), 0o640);
        fs::set_permissions(path(&config), Permissions::from_mode(0o600)).unwrap();
        save(&config, &Account { agent_id: String::new(), ..account }).unwrap();
        assert_eq!(mode(&path(&config)), 0o600, "what the file had");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn what_is_no_id_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("account.toml");
        fs::write(&file, "agent_id = \"a\"\nagent_phone_number_id = \"+1 212\"\n").unwrap();
        let errors = load(&file).unwrap_err();
        assert!(errors[0].to_string().contains("account.toml:2: agent_phone_number_id: contains a space"), "{errors:?}");
    }
}
