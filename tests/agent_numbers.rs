//! The number to call from: the only one, the one that is named, or words about what is missing.

mod account;

use account::{Gateway, NUMBER};
use gladhand::standin::EndpointFault;
use serde_json::json;

#[tokio::test]
async fn a_number_is_added_once_and_chosen_where_there_are_several() {
    let gateway = Gateway::with_empty_account().await;
    let none = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.out.contains("gladhand numbers add"), "{}", none.out);

    let add = ["numbers", "add", NUMBER, "--account-sid", "AC0123", "--json"];
    let first = gateway.json(&add).await;
    assert_eq!((&first["added"], &first["number"]), (&json!(true), &json!("+1******0123")));
    let again = gateway.json(&add).await;
    assert_eq!((&again["added"], &again["id"]), (&json!(false), &first["id"]));
    let second = gateway.json(&["numbers", "add", "+12125550124", "--account-sid", "AC0123", "--json"]).await;

    let unsaid = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!(unsaid.code, 1, "{unsaid:?}");
    let id = |added: &serde_json::Value| added["id"].as_str().unwrap().to_owned();
    assert!(unsaid.out.contains(&id(&first)) && unsaid.out.contains(&id(&second)), "{}", unsaid.out);
    assert_eq!(gateway.run(&["agent", "apply", "--yes", "--number", &id(&second)]).await.code, 0);
    assert!(gateway.read("account.toml").contains(&id(&second)));
    let listed = gateway.json(&["numbers", "--json"]).await;
    let used: Vec<_> = listed["numbers"].as_array().unwrap().iter().filter(|number| number["used"] == true).collect();
    assert_eq!((used.len(), &used[0]["id"]), (1, &second["id"]));

    gateway.configure("route = \"sip-trunk\"\n");
    let unfit = gateway.run(&["agent", "apply", "--yes"]).await;
    assert_eq!((unfit.code, unfit.out.contains("cannot call over route = \"sip-trunk\"")), (1, true), "{unfit:?}");
}

#[tokio::test]
async fn twilios_token_is_shown_to_nobody_whatever_the_vendor_says_of_it() {
    let gateway = Gateway::with_empty_account().await;
    let detail = json!({"detail": {"code": "twilio_token_0123456789", "message": "Twilio refuses twilio_token_0123456789"}});
    let number_id = json!({"phone_number_id": {"of": "twilio_token_0123456789"}, "twilio_token_0123456789": 1});
    let cut = format!("no:{}twilio_token_0123456789", "x".repeat(280));
    for (status, body) in
        [(400, detail.to_string()), (502, cut), (200, "twilio_token_0123456789".to_owned()), (200, number_id.to_string())]
    {
        let fault = json!({"fault": [{"endpoint": "phone_number_create", "status": status, "body": body}]}).to_string();
        gateway.vendor.set_endpoint_faults(EndpointFault::read(&fault).unwrap());
        // Which asserts that the token is not in what is said.
        let did = gateway.run(&["numbers", "add", NUMBER, "--account-sid", "AC0123"]).await;
        assert_eq!((did.code, did.err.contains(&format!("HTTP {status}"))), (1, true), "{did:?}");
    }
}
