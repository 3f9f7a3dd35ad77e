//! With a root that nobody can write to, but for the state directory and the one of the control socket, everything works.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/daemon.rs"]
mod daemon;

use std::fs;

use daemon::{Gateway, HEALTH, Setup};
use serde_json::Value;

/// In a name space of its own: every mount read-only, `$1` and `$2` writable, then the daemon. Fails if a file can still be made.
const READ_ONLY: &str = r#"
set -e
state=$1 run=$2 beside=$3; shift 3
mount --make-rprivate /
mount --bind "$state" "$state"; mount --bind "$run" "$run"
findmnt -rno TARGET | while IFS= read -r mount; do
    case $mount in "$state" | "$run" | /proc* | /sys* | /dev*) ;; *) mount -o remount,bind,ro "$(printf %b "$mount")" ;; esac
done
if touch "$beside/written" 2>/dev/null; then echo "the root can be written to" >&2; exit 1; fi
exec "$@"
"#;

#[tokio::test]
async fn a_call_lives_its_whole_life() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    for dir in ["state", "run"] {
        fs::create_dir(gateway.path(dir)).unwrap();
    }
    let socket = gateway.path("run/gladhand.sock");
    let config =
        gateway.read("gladhand.toml").replace(&gateway.path("gladhand.sock").display().to_string(), socket.to_str().unwrap());
    gateway.write("gladhand.toml", &config);
    let [state, run, beside] = ["state", "run", "."].map(|name| gateway.path(name).display().to_string());
    let beside = beside.trim_end_matches("/.").to_owned();
    gateway.spawn_under("unshare", &["--mount", "--map-root-user", "sh", "-c", READ_ONLY, "sh", &state, &run, &beside]);
    gateway.watch.message("it to be subscribed", |said| said.topic == HEALTH && said.is("/mqtt/connected", true)).await;
    gateway.play().await;
    gateway.watch.message("a call to end", |said| said.call("concluded")).await;
    let well = |health: &Value| health["status"] == "up" && health["calls"]["concluded"] == 1;
    gateway.watch.health("all to be well", well).await;
    assert!(gateway.path("state/store/db").exists() && !gateway.path("written").exists());
    assert!(gateway.stop().await.0.success());
}
