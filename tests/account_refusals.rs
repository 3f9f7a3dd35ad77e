//! What is wrong with key, rights or uplink is said in words, by every command of the account.

mod account;

use account::Gateway;

const COMMANDS: [&[&str]; 6] = [
    &["agent", "plan"],
    &["agent", "apply", "--yes"],
    &["numbers"],
    &["knowledge", "list"],
    &["conversations", "list"],
    &["conversations", "show", "conv_1"],
];

#[tokio::test]
async fn a_bad_key_a_missing_right_and_a_missing_uplink_are_told_apart() {
    let mut gateway = Gateway::with_number().await;
    for command in COMMANDS {
        let did = gateway.run_with_key("sk_wrong_0123456789", command).await;
        assert_eq!((did.code, did.err.starts_with("gladhand: the API key is refused: ")), (1, true), "{command:?}: {did:?}");
    }
    gateway.vendor.down().await;
    for command in COMMANDS {
        let did = gateway.run(command).await;
        assert_eq!(
            (did.code, did.err.starts_with("gladhand: ElevenLabs cannot be reached: ")),
            (1, true),
            "{command:?}: {did:?}"
        );
    }
    gateway.vendor.up().await.unwrap();
    let did = gateway.run(&["conversations", "show", "conv_nowhere"]).await;
    assert_eq!((did.code, did.err.starts_with("gladhand: the account has no such thing: ")), (1, true), "{did:?}");
    let did = gateway.run(&["conversations", "show", "../agents"]).await;
    assert_eq!((did.code, did.err.contains("not an id")), (1, true), "{did:?}");

    gateway.take_rights_away();
    for command in COMMANDS {
        let did = gateway.run(command).await;
        assert_eq!((did.code, did.err.starts_with("gladhand: the API key lacks a right: ")), (1, true), "{command:?}: {did:?}");
    }
}
