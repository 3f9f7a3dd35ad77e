//! The daemon listens on its control socket and nowhere else, and nobody but owner and group may speak there.

#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use daemon::{Gateway, Setup};

#[tokio::test]
async fn no_socket_of_the_process_listens_on_the_network() {
    let mut gateway = Gateway::start(Setup::default()).await;
    gateway.play().await;
    gateway.watch.message("the call to be placed", |said| said.call("placed")).await;
    let proc = format!("/proc/{}", gateway.pid());
    let ours: BTreeSet<u64> = fs::read_dir(format!("{proc}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect();
    let table = |name: &str| fs::read_to_string(format!("{proc}/net/{name}")).unwrap_or_default();
    // proc_net(5): local address 1, remote address 2, state 3 (0A: LISTEN), inode 9.
    let sockets = |name: &str| -> Vec<(String, String, u64)> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let text = table(name);
        let rows = text.lines().skip(1).map(words);
        rows.map(|row| (row[1].clone(), row[3].clone(), row[9].parse().unwrap())).filter(|row| ours.contains(&row.2)).collect()
    };
    assert!(sockets("tcp").iter().any(|(_, state, _)| state == "01"), "not even the broker's connection is seen");
    for name in ["tcp", "tcp6"] {
        let listening: Vec<_> = sockets(name).into_iter().filter(|(_, state, _)| state == "0A").collect();
        assert!(listening.is_empty(), "{listening:?}");
    }
    for name in ["udp", "udp6", "raw", "raw6"] {
        assert!(sockets(name).is_empty(), "{name}: {:?}", sockets(name));
    }
    let mode = fs::metadata(gateway.path("gladhand.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}
