//! What goes out for a call, byte for byte, and where the API key is and is not.

mod vendor;

use gladhand::elevenlabs::{ApiKey, Client, ListQuery, Route, Settings};
use gladhand::standin;
use vendor::{Raw, client, order, placed, settings};

const BODY: &str = concat!(
    r#"{"agent_id":"agent_5501k9czkv3qepy815bm59nt04qk","agent_phone_number_id":"phnum_8401k9ndc950ewza733y8thmpbrx","#,
    r#""to_number":"+923282828885","conversation_initiation_client_data":{"user_id":"EL_DR001_1763569135457_1","#,
    r#""dynamic_variables":{"call_sid":"EL_DR001_1763569135457_1","dispatcher_name":"Aleena","driver_id":"DR001","#,
    r#""prompt":"I am seeing an alert that your truck and trailer are not together, are you with your trailer right now?","#,
    r#""transfer_to":"+923282828886"}}}"#,
);

#[tokio::test]
async fn the_request_is_the_contract_s() {
    for (route, path) in
        [(Route::Twilio, "/v1/convai/twilio/outbound-call"), (Route::SipTrunk, "/v1/convai/sip-trunk/outbound-call")]
    {
        let raw = Raw::start([]).await;
        let settings = Settings { route, ..settings(&raw.url) };
        Client::new(&settings, ApiKey::new(standin::KEY).unwrap()).unwrap().place(&order()).await;
        let requests = raw.requests();
        let [request] = requests.as_slice() else { panic!("{} requests", requests.len()) };
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, BODY);
        let mut lines = head.lines();
        assert_eq!(lines.next(), Some(format!("POST {path} HTTP/1.1").as_str()));
        let mut headers: Vec<&str> = lines.collect();
        headers.sort_unstable();
        let host = format!("host: {}", raw.url.strip_prefix("http://").unwrap());
        let length = format!("content-length: {}", BODY.len());
        let key = format!("xi-api-key: {}", standin::KEY);
        let agent = concat!("user-agent: gladhand/", env!("CARGO_PKG_VERSION"));
        assert_eq!(headers, ["accept: application/json", &length, "content-type: application/json", &host, agent, &key]);
    }
}

/// A proxy that the environment happens to name would be given the key and the number.
#[tokio::test]
async fn the_request_goes_to_the_vendor_whatever_the_environment_says() {
    const MARK: &str = "GLADHAND_TEST_PROXY";
    if std::env::var_os(MARK).is_some() {
        let raw = Raw::start([]).await;
        assert_eq!(client(&raw.url).place(&order()).await, placed());
        assert_eq!(raw.requests().len(), 1);
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "the_request_goes_to_the_vendor_whatever_the_environment_says"]).env(MARK, "1");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, "http://127.0.0.1:9");
    }
    let child = child.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn all_variables_go_out_trimmed_also_the_empty_ones_and_others_than_ascii() {
    let raw = Raw::start([]).await;
    let mut order = order();
    order.prompt = " Où est la remorque « R-001 » ?\n".to_owned();
    order.transfer_to = None;
    order.dispatcher_name = "Aleena ".to_owned();
    client(&raw.url).place(&order).await;
    let request = raw.requests().remove(0);
    let wanted = concat!(
        r#""dynamic_variables":{"call_sid":"EL_DR001_1763569135457_1","dispatcher_name":"Aleena","driver_id":"DR001","#,
        r#""prompt":"Où est la remorque « R-001 » ?","transfer_to":""}"#
    );
    assert!(request.contains(wanted), "{request}");
}

#[tokio::test]
async fn the_list_is_asked_for_with_every_condition() {
    let raw = Raw::start([]).await;
    let sid = Some(order().call_sid);
    let query = ListQuery {
        call_sid: sid.clone(),
        user_id: sid,
        started_after: Some(1_763_569_135),
        started_before: Some(1_763_569_735),
        cursor: Some("a b&c".to_owned()),
    };
    // The raw vendor answers with what is not a list.
    client(&raw.url).conversations(&query).await.unwrap_err();
    client(&raw.url).conversations(&ListQuery::default()).await.unwrap_err();
    let lines: Vec<String> = raw.requests().iter().map(|r| r.lines().next().unwrap().to_owned()).collect();
    let full = "GET /v1/convai/conversations?dynamic_variable_params=call_sid%3Aeq%3AEL_DR001_1763569135457_1&user_id=EL_DR001_1763569135457_1\
        &call_start_after_unix=1763569135&call_start_before_unix=1763569735&page_size=100&cursor=a+b%26c HTTP/1.1";
    let bare = "GET /v1/convai/conversations?page_size=100 HTTP/1.1";
    assert_eq!(lines, [full, bare]);
}
