//! The service manager hears from us on a socket with a path and on an abstract one, in builds with and without libsystemd.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use gladhand::host::notify::{State, notify, watchdog};

#[test]
fn readiness_and_status_arrive_in_one_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    hears(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
    let name = format!("gladhand-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    hears(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

#[test]
fn without_a_service_manager_nothing_is_told() {
    assert!(!notify(&[State::Ready]).unwrap());
    assert_eq!(watchdog(), None);
}

/// The environment is the process's own: this part runs in a child.
#[test]
#[ignore = "started by the tests above"]
fn child() {
    assert_eq!(watchdog(), Some(Duration::from_secs(30)));
    assert!(notify(&[State::Ready, State::Status("subscribed\nSTOPPING=1")]).unwrap());
    assert!(notify(&[State::Watchdog]).unwrap());
}

#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
fn hears(socket: &UnixDatagram, name: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--include-ignored"])
        .env("NOTIFY_SOCKET", name)
        .env("WATCHDOG_USEC", "30000000")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 256];
    for expected in ["READY=1\nSTATUS=subscribed STOPPING=1", "WATCHDOG=1"] {
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap().trim_end(), expected);
    }
}
