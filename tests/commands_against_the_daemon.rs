//! The commands against a running daemon, for people and with `--json`, and their exit codes.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup};
use serde_json::json;

#[tokio::test]
async fn every_command_tells_the_same_as_the_daemon() {
    let mut gateway = Gateway::start(Setup { key: false, ..Setup::default() }).await;
    let (code, out, _) = gateway.cli(&["calls", "list"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "no calls\n"));
    gateway.play().await;
    let held = gateway.watch.message("the call to be held", |said| said.call("held")).await;
    let sid = held.text("/call_sid").to_owned();

    let (code, out, _) = gateway.cli(&["status"]).await;
    let pid = format!("(pid {})", gateway.pid());
    assert_eq!(code, Some(0));
    assert!(["is degraded", &pid, "! no api key", "1 open", "1 held"].iter().all(|said| out.contains(said)), "{out}");
    let health = gateway.json(&["status"]).await;
    assert_eq!((&health["status"], &health["reasons"]), (&json!("degraded"), &json!(["no_api_key"])));
    let said = gateway.watch.health("the same", |h| h["calls"]["held"] == 1).await;
    assert_eq!((&said["calls"]["held"], &said["session"]), (&health["calls"]["held"], &health["session"]));

    let (code, out, _) = gateway.cli(&["calls", "list"]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 2), "{out}");
    assert!(
        [&sid, "held", "left_behind", "Carla Diaz", "+1******0103", "no API key"].iter().all(|said| out.contains(said)),
        "{out}"
    );
    let listed = gateway.json(&["calls", "list"]).await;
    let shown = gateway.json(&["calls", "show", &sid]).await;
    assert_eq!((&listed["calls"][0]["call_sid"], &shown["state"]), (&json!(sid), &json!("held")));
    assert_eq!(shown["dispatcher"], json!({ "name": "Night desk", "phone_masked": "+1******0199" }));
    let (code, out, _) = gateway.cli(&["calls", "show", &sid]).await;
    assert!(code == Some(0) && out.contains("not together") && out.contains(&sid), "{out}");

    let (code, out, _) = gateway.cli(&["violations", "list"]).await;
    assert!(code == Some(0) && ["T-103", "R-103", "opened", "left_behind"].iter().all(|said| out.contains(said)), "{out}");
    let violations = gateway.json(&["violations", "list"]).await;
    assert_eq!(violations["violations"][0]["violation_id"], held.json["violation_id"]);

    let (code, out, _) = gateway.cli(&["calls", "cancel", &sid]).await;
    assert_eq!((code, out), (Some(0), format!("{sid}: cancelled\n")));
    let cancelled = gateway.watch.message("the call to be cancelled", |said| said.call("cancelled")).await;
    assert_eq!((cancelled.text("/call_sid"), cancelled.text("/reason")), (sid.as_str(), "called off by an operator"));
    let (code, out, err) = gateway.cli(&["calls", "cancel", &sid]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", "gladhand: the call is cancelled: it is over\n"));
    let (code, out, _) = gateway.cli(&["calls", "retry", &sid]).await;
    let again = out.split(':').next().unwrap().to_owned();
    assert_eq!(code, Some(0));

    let (code, out, _) = gateway.cli(&["violations", "acknowledge", "T-103", "--by", "Ana"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "T-103: acknowledged\n"));
    let off = |said: &daemon::Heard| said.call("cancelled") && said.is("/call_sid", again.as_str());
    assert_eq!(gateway.watch.message("its call to be called off", off).await.text("/reason"), "acknowledged by Ana");
    let violations = gateway.json(&["violations", "list"]).await;
    assert_eq!(violations["violations"][0]["acknowledged_by"], "Ana");
    assert_eq!(gateway.json(&["calls", "list"]).await, json!({ "calls": [] }));
    assert_eq!(gateway.json(&["calls", "list", "--all"]).await["calls"].as_array().unwrap().len(), 2);

    let (code, out, _) = gateway.cli(&["roster"]).await;
    assert!(code == Some(0) && ["T-101", "R-102", "Carla Diaz", "Yard", "file"].iter().all(|said| out.contains(said)), "{out}");
    let roster = gateway.json(&["roster"]).await;
    assert_eq!((roster["assignments"].as_array().unwrap().len(), roster["zones"].as_array().unwrap().len()), (3, 1));

    for (args, code, said) in [
        (&["calls", "show", "EL_nobody"][..], 1, "gladhand: there is no such call\n"),
        (&["calls", "retry", "EL_nobody"], 1, "gladhand: there is no such call\n"),
        (&["calls", "show"], 2, "required arguments"),
        (&["violations", "acknowledge", "T/103"], 2, "invalid value"),
        (&["nonsense"], 2, "unrecognized subcommand"),
    ] {
        let (ended, out, err) = gateway.cli(args).await;
        assert!(ended == Some(code) && out.is_empty() && err.contains(said), "{args:?}: {ended:?} {err}");
    }
    gateway.stop().await;
    let (code, _, err) = gateway.cli(&["status"]).await;
    assert!(code == Some(1) && err.starts_with("gladhand: the daemon is not running"), "{err}");
}
