//! From an empty account to a gateway that passes `check`, with two commands.

mod account;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use account::{Gateway, NUMBER};
use mosquitto::Mosquitto;

#[tokio::test]
async fn two_commands_make_an_empty_account_serve_a_gateway() {
    let broker = Mosquitto::start();
    let gateway = Gateway::with_empty_account().await;
    gateway.configure(&format!("[mqtt]\nport = {}\n[dispatcher]\nphone = \"+12125550199\"\n", broker.port()));
    let before = gateway.run(&["check"]).await;
    assert_eq!((before.code, before.out.contains("FAIL  agent ")), (1, true), "{before:?}");

    assert_eq!(gateway.run(&["numbers", "add", NUMBER, "--account-sid", "AC0123"]).await.code, 0);
    assert_eq!(gateway.run(&["agent", "apply", "--yes"]).await.code, 0);

    let after = gateway.run(&["check"]).await;
    assert_eq!(after.code, 0, "{after:?}");
    for line in
        ["ok    agent's variables  dispatcher_name, prompt, transfer_to\n", "ok    phone number       +1******0123 over twilio\n"]
    {
        assert!(after.out.contains(line), "{}", after.out);
    }
    assert!(!after.out.contains("FAIL") && !after.out.contains("warn"), "{}", after.out);

    let agent = gateway.agents().await.remove(0).agent_id;
    gateway.account().delete_agent(&agent).await.unwrap();
    let gone = gateway.run(&["check"]).await;
    assert_eq!((gone.code, gone.out.contains(&format!("the account has no {agent}"))), (1, true), "{gone:?}");
}
