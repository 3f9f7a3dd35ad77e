//! A call that nobody answers is repeated, then the dispatcher is called, and when that reaches nobody either, health says so
//! until a person acknowledges it.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup};
use gladhand::core::calls::dialing::CallResult;
use gladhand::standin::Life;
use serde_json::{Value, json};

#[tokio::test]
async fn the_driver_then_the_dispatcher_then_health() {
    let calls = "attempts = 2\nretry_after = \"1s\"";
    let mut gateway = Gateway::start(Setup { calls, ..Setup::default() }).await;
    gateway.vendor.set_lives([CallResult::NoAnswer, CallResult::Voicemail, CallResult::Busy].map(Life::unanswered));
    gateway.play().await;
    for (attempt, to, outcome) in [(1, "driver", "no_answer"), (2, "driver", "voicemail"), (3, "dispatcher", "busy")] {
        let what = format!("attempt {attempt}");
        let ended = gateway.watch.message(&what, |said| said.call("concluded") && said.is("/attempt", attempt)).await;
        assert_eq!((ended.text("/to"), ended.text("/outcome")), (to, outcome));
    }
    let health = gateway.watch.health("nobody", |h| h["reasons"] == json!(["nobody_reached:T-103"])).await;
    assert_eq!(health["status"], "degraded");

    let posts: Vec<Value> = gateway.vendor.posts().iter().map(|post| serde_json::from_str(&post.body).unwrap()).collect();
    let numbers: Vec<&str> = posts.iter().filter_map(|post| post["to_number"].as_str()).collect();
    assert_eq!(numbers, ["+12125550103", "+12125550103", "+12125550199"]);
    let prompt = posts[2].pointer("/conversation_initiation_client_data/dynamic_variables/prompt").unwrap();
    assert!(prompt.as_str().unwrap().contains("could not reach your driver Carla Diaz"), "{prompt}");

    gateway.restart().await;
    gateway
        .watch
        .health("it to survive a restart", |h| h["session"] == 2 && h["reasons"] == json!(["nobody_reached:T-103"]))
        .await;
    assert_eq!(gateway.cli(&["violations", "acknowledge", "T-103"]).await.0, Some(0));
    gateway.watch.health("it to be acknowledged", |h| h["session"] == 2 && h["status"] == "up").await;
    assert_eq!(gateway.posts(), 3);
}
