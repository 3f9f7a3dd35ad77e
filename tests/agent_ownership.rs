//! An agent that is not gladhand's is not touched unless somebody says so.

mod account;

use account::Gateway;
use serde_json::json;

#[tokio::test]
async fn a_foreign_agent_is_left_alone_without_adopt() {
    let gateway = Gateway::with_number().await;
    let theirs = json!({"name": "gladhand", "tags": ["fleet"], "conversation_config": {"agent": {"first_message": "Hello"}}});
    let id = gateway.in_the_console(None, theirs).await;
    let before = gateway.agents().await;

    let refused = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains(&id) && refused.err.contains("--adopt"), "{}", refused.err);
    let refused = gateway.run(&["agent", "apply", "--yes", "--agent", &id]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("is not gladhand's"), "{}", refused.err);
    assert_eq!(gateway.agents().await, before);
    assert!(!gateway.path("account.toml").exists());

    assert_eq!(gateway.run(&["agent", "apply", "--yes", "--adopt"]).await.code, 0);
    let after = gateway.agents().await;
    assert_eq!((after.len(), &after[0].agent_id), (1, &id));
    assert_eq!(after[0].tags.clone().unwrap(), ["fleet", "gladhand"]);
    let again = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!((again.code, again.out.ends_with("nothing differs\n")), (0, true), "{again:?}");
}

#[tokio::test]
async fn an_agent_that_is_gone_is_not_made_anew_in_silence() {
    let gateway = Gateway::with_number().await;
    gateway.configure("agent_id = \"agent_gone\"\n");
    let did = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!(did.code, 1, "{did:?}");
    assert!(did.err.contains("the account has no agent agent_gone"), "{}", did.err);
    assert!(gateway.agents().await.is_empty());
}
