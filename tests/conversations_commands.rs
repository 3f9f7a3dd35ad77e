//! What was talked about is listed, shown, fetched and deleted, without telephone numbers on the screen.

mod account;

use std::time::Duration;

use account::{Gateway, NUMBER};
use gladhand::elevenlabs::{ClientData, OutboundCall, Route, Variable};
use gladhand::standin::Life;

#[tokio::test]
async fn a_call_is_seen_from_the_command_line() {
    let gateway = Gateway::with_number().await;
    assert_eq!(gateway.run(&["agent", "apply", "--yes"]).await.code, 0);
    let agent = gateway.agents().await.remove(0).agent_id;
    gateway.vendor.set_life(Life {
        ringing: Duration::ZERO,
        talking: Duration::ZERO,
        said: vec!["Are you with\u{1b}[2J your trailer?".to_owned(), format!("Call me at {NUMBER}.")],
        recording: 300_000,
        ..Life::default()
    });
    let variables = [("call_sid", "EL_DR001_1"), ("transfer_to", "+12125550199")];
    let call = OutboundCall {
        agent_id: agent,
        agent_phone_number_id: "phnum_standin_0001".to_owned(),
        to_number: NUMBER.to_owned(),
        conversation_initiation_client_data: Some(ClientData {
            dynamic_variables: variables.map(|(name, value)| (name.to_owned(), Variable::Text(value.to_owned()))).into(),
            ..ClientData::default()
        }),
        ..OutboundCall::default()
    };
    let id = &gateway.account().outbound_call(Route::Twilio, &call).await.unwrap().conversation_id;

    let list = gateway.run(&["conversations", "list"]).await;
    assert_eq!((list.code, list.out.lines().count()), (0, 2), "{list:?}");
    assert!(list.out.lines().last().unwrap().starts_with(id), "{}", list.out);
    let listed = gateway.json(&["conversations", "list", "--call-sid", "EL_DR001_1", "--json"]).await;
    assert_eq!(listed["conversations"][0]["conversation_id"], id.as_str());
    let none = gateway.run(&["conversations", "list", "--call-sid", "EL_other"]).await;
    assert_eq!(none.out, "no conversations\n");

    let shown = gateway.run(&["conversations", "show", id]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let told = [
        format!("id         {id}"),
        "call       EL_DR001_1".to_owned(),
        "status     done".to_owned(),
        "length     10s".to_owned(),
        "ended      Call ended by remote party".to_owned(),
        "summary    Are you with [2J your trailer? / Call me at +******.".to_owned(),
        "judged     honest: success".to_owned(),
        "judged     location_confirmed: success".to_owned(),
        "collected  driver_answer: Call me at +******.".to_owned(),
        "collected  trailer_location: Call me at +******.".to_owned(),
        "    0s  agent: Are you with [2J your trailer?".to_owned(),
        "    5s  user: Call me at +******.".to_owned(),
    ];
    let (started, lines): (Vec<_>, Vec<_>) = shown.out.lines().partition(|line| line.starts_with("started    20"));
    assert_eq!((started.len(), lines), (1, told.iter().map(String::as_str).collect()));
    let whole = gateway.json(&["conversations", "show", id, "--json"]).await;
    assert_eq!(whole["conversation_initiation_client_data"]["dynamic_variables"]["transfer_to"], "+******", "{whole:#}");

    let fetched = gateway.json(&["conversations", "audio", id, "call.mp3", "--json"]).await;
    let bytes = std::fs::metadata(gateway.path("call.mp3")).unwrap().len();
    assert_eq!((fetched["bytes"].as_u64(), bytes), (Some(300_000), 300_000));
    assert_eq!(gateway.run(&["conversations", "audio", id, "call.mp3"]).await.code, 1, "nothing is overwritten");
    assert_eq!(gateway.run(&["conversations", "audio", id, "call.mp3", "--force"]).await.code, 0);

    assert_eq!(gateway.run(&["conversations", "delete", id]).await.code, 3, "said, and not done");
    assert_eq!(gateway.run(&["conversations", "delete", id, "--yes"]).await.out, format!("{id}: deleted\n"));
    assert_eq!(gateway.run(&["conversations", "show", id]).await.code, 1);
}
