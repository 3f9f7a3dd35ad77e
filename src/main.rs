//! gladhand's command line.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    gladhand::cli::main()
}
