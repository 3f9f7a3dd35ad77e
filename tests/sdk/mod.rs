//! Where the vendor's own Python SDK is.

use std::path::PathBuf;

/// `GLADHAND_SDK_PYTHON`, else `venv` in the target directory that this test was built into.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("GLADHAND_SDK_PYTHON") {
        return python.into();
    }
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|directory| directory.join("venv/bin/python")).find(|python| python.exists());
    found.expect("the vendor's SDK is not installed: `make test` sets it up in the target directory, or name a Python that has elevenlabs>=2.78 in GLADHAND_SDK_PYTHON")
}
