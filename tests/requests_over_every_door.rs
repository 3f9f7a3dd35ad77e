//! A `BatchCallRequest` is the same call over MQTT and over the control socket, once for each payload; what cannot be called
//! is refused with the reason and without the number.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, REJECTED, REQUEST, Setup};
use serde_json::{Value, json};

const ROUTE: &str = "/driver_data/call-elevenlabs";

fn request(driver: &str, phone: &str) -> String {
    json!({
        "callType": "violation",
        "timestamp": "2026-03-01T12:00:00Z",
        "drivers": [{
            "driverId": driver,
            "driverName": "Jane Doe",
            "phoneNumber": phone,
            "violations": { "tripId": 7, "violationDetails": [
                { "type": "SPEEDING", "description": "Speeding on I-35" },
                { "type": "FUEL_REMINDER", "description": "Fuel at the next stop" },
            ]},
            "customRules": "Be brief.",
        }],
        "user_id": 4,
    })
    .to_string()
}

#[tokio::test]
async fn the_same_request_is_one_call_whichever_way_it_comes() {
    let mut gateway = Gateway::start(Setup::default()).await;
    let over_mqtt = request("DR/1", "(212) 555-0123");
    gateway.watch.publish(REQUEST, over_mqtt.as_str(), false).await;
    let placed = gateway.watch.message("the request over MQTT to be placed", |said| said.call("placed")).await;
    let call_sid = placed.text("/call_sid").to_owned();
    assert!(call_sid.starts_with("EL_DR-1_"), "{call_sid}");
    gateway.watch.publish(REQUEST, over_mqtt.as_str(), false).await;
    gateway.settle().await;
    let same = gateway.ask("POST", ROUTE, &over_mqtt).await;
    assert_eq!((same.status, &same.body["call_sid"]), (200, &json!(call_sid)));
    assert_eq!(gateway.posts(), 1);
    let body: Value = serde_json::from_str(&gateway.vendor.posts()[0].body).unwrap();
    assert_eq!(body["to_number"], "+12125550123");
    let variables = &body["conversation_initiation_client_data"]["dynamic_variables"];
    assert_eq!((&variables["driver_id"], &variables["transfer_to"]), (&json!("DR/1"), &json!("")));
    let prompt = variables["prompt"].as_str().unwrap();
    assert!(["Speeding on I-35", "Fuel at the next stop", "Be brief."].iter().all(|said| prompt.contains(said)), "{prompt}");

    let at_once = gateway.ask("POST", ROUTE, &request("DR2", "12125550124")).await;
    assert_eq!(at_once.status, 202, "{}", at_once.body);
    assert_eq!((&at_once.body["conversation_id"], &at_once.body["callSid"]), (&Value::Null, &Value::Null));
    let waited = gateway.ask("POST", &format!("{ROUTE}?wait=30s"), &request("DR3", "212.555.0125")).await;
    assert_eq!(waited.status, 200, "{}", waited.body);
    let driver = json!({ "driverId": "DR3", "driverName": "Jane Doe", "phoneNumber": "+12125550125" });
    assert_eq!((&waited.body["driver"], &waited.body["triggers_count"]), (&driver, &json!(2)));
    let conversations = gateway.vendor.conversations();
    let third = conversations.iter().find(|c| c.variable("driver_id") == Some("DR3")).unwrap();
    assert_eq!(waited.body["conversation_id"], third.id.as_str());
    assert_eq!(waited.body["callSid"], third.provider_call_sid.as_str());
    assert!(waited.body["message"].is_string() && waited.body["timestamp"].is_string(), "{}", waited.body);
    // The same payload again, also after a restart.
    gateway.restart().await;
    let again = gateway.ask("POST", ROUTE, &request("DR3", "212.555.0125")).await;
    assert_eq!(again.body["call_sid"], waited.body["call_sid"]);
    gateway.settle().await;
    assert_eq!(gateway.posts(), 3);

    let nobody = gateway.ask("POST", ROUTE, r#"{"callType":"x","timestamp":"y","drivers":[]}"#).await;
    assert_eq!((nobody.status, nobody.body), (400, json!({ "detail": "No driver data provided" })));
    let bad = gateway.ask("POST", ROUTE, &request("DR4", "+1 212 555 0126 ext 9")).await;
    let reason = bad.body["detail"].as_str().unwrap().to_owned();
    assert!(bad.status == 422 && reason.starts_with("drivers[0].phoneNumber ") && !reason.contains("555"), "{reason}");
    let heard = gateway.watch.heard.len();
    gateway.watch.publish(REQUEST, request("DR4", "0123456789"), false).await;
    let refused = gateway.watch.next_message("the refusal", heard, |said| said.topic == REJECTED).await;
    assert!(refused.text("/reason").starts_with("drivers[0].phoneNumber ") && !refused.text("/reason").contains("0123"));
    assert_eq!(gateway.posts(), 3);
}
