//! The systemd unit keeps the daemon's reach small: exposure at most 1.5 by systemd's own measure. Needs `systemd-analyze`.

use std::process::Command;

#[test]
fn the_exposure_of_the_unit_is_at_most_one_and_a_half() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/gladhand.service");
    let analysis = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15", "--no-pager", unit])
        .output()
        .expect("systemd-analyze, of the package systemd");
    assert!(analysis.status.success(), "{}", String::from_utf8_lossy(&analysis.stdout));
}
