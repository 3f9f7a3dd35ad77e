//! What only reads is repeated, with growing waits or as the vendor asks; what places, makes, changes or deletes something never is.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod vendor;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gladhand::elevenlabs::{
    AgentDraft, AgentsQuery, BatchDraft, Client, Error, OutboundCall, Recipient, RegisterCall, Route, TwilioNumber, Waits,
};
use gladhand::standin::{EndpointFault, StandIn};

/// Waits nothing, and remembers how long it should have.
#[derive(Default)]
struct Patience(Mutex<Vec<Duration>>);

impl Waits for Patience {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.lock().unwrap().push(time);
        Box::pin(async {})
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

struct Asking {
    stand_in: StandIn,
    client: Client,
    patience: Arc<Patience>,
}

impl Asking {
    async fn with(faults: &str) -> Self {
        let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        stand_in.set_endpoint_faults(EndpointFault::read(faults).unwrap());
        let patience = Arc::new(Patience::default());
        let client = vendor::client(&stand_in.base_url()).with_waits(Arc::clone(&patience) as Arc<dyn Waits>);
        Self { stand_in, client, patience }
    }

    async fn agents(&self) -> Result<(), Error> {
        self.client.list_agents(AgentsQuery::default()).next().await.map(drop)
    }

    fn waited(&self) -> Vec<u128> {
        self.patience.0.lock().unwrap().iter().map(Duration::as_millis).collect()
    }
}

/// For the first two questions for agents.
fn twice(what: &str) -> String {
    [1, 2].map(|nth| format!("[[fault]]\nendpoint = \"agents_list\"\nnth = {nth}\n{what}\n")).concat()
}

#[tokio::test]
async fn a_question_is_asked_three_times() {
    for what in ["status = 500", "status = 503", "status = 408", "status = 429", "drop = true"] {
        let asking = Asking::with(&twice(what)).await;
        asking.agents().await.unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!((asking.stand_in.requests().len(), asking.waited()), (3, vec![375, 750]), "{what}");
    }
    let asking = Asking::with(&twice("status = 429\nretry-after = \"3\"")).await;
    asking.agents().await.unwrap();
    assert!(asking.waited().iter().all(|waited| (3_000..4_000).contains(waited)), "{:?}", asking.waited());

    let asking = Asking::with("[[fault]]\nendpoint = \"agents_list\"\nstatus = 503\n").await;
    let why = asking.agents().await.unwrap_err();
    assert_eq!((why.status, why.is_transient(), asking.stand_in.requests().len()), (Some(503), true, 3));
}

#[tokio::test]
async fn a_refusal_is_not_asked_about_again() {
    for status in [400, 401, 403, 404, 422] {
        let asking = Asking::with(&twice(&format!("status = {status}"))).await;
        let why = asking.agents().await.unwrap_err();
        assert_eq!((why.status, why.is_transient(), asking.stand_in.requests().len()), (Some(status), false, 1));
    }
    let asking = Asking::with(&twice("status = 429\nretry-after = \"3600\"")).await;
    let why = asking.agents().await.unwrap_err();
    assert_eq!((why.retry_after, asking.stand_in.requests().len()), (Some(Duration::from_secs(3600)), 1), "too long to wait");
}

#[tokio::test]
async fn what_is_not_only_read_is_sent_once() {
    const ENDPOINTS: [&str; 10] = [
        "outbound_call",
        "register_call",
        "conversation_delete",
        "agent_create",
        "agent_update",
        "agent_delete",
        "knowledge_create",
        "knowledge_delete",
        "phone_number_create",
        "batch_submit",
    ];
    for (what, maybe) in [
        ("status = 429\nretry-after = \"0\"", false),
        ("status = 409", true),
        ("status = 500", true),
        ("status = 503", true),
        ("drop = true", true),
    ] {
        let asking =
            Asking::with(&ENDPOINTS.map(|endpoint| format!("[[fault]]\nendpoint = \"{endpoint}\"\n{what}\n")).concat()).await;
        let errors = everything_but_questions(&asking.client).await;
        for why in &errors {
            assert_eq!((why.is_transient(), why.was_maybe_placed()), (true, maybe), "{what}: {why:?}");
        }
        let orders = asking.stand_in.requests().iter().filter(|request| request.method != "GET").count();
        assert_eq!((orders, asking.waited()), (errors.len(), vec![]), "{what}");
    }
}

async fn everything_but_questions(client: &Client) -> Vec<Error> {
    let (call, draft) = (OutboundCall::default(), AgentDraft::default());
    let number = TwilioNumber { phone_number: "+15551230001", label: "", sid: "", token: "" };
    let registered = RegisterCall {
        agent_id: String::new(),
        from_number: String::new(),
        to_number: String::new(),
        direction: None,
        conversation_initiation_client_data: None,
    };
    let batch = BatchDraft { recipients: vec![Recipient::default()], ..BatchDraft::default() };
    let file = tempfile::NamedTempFile::new().unwrap();
    vec![
        client.outbound_call(Route::Twilio, &call).await.unwrap_err(),
        client.outbound_call(Route::SipTrunk, &call).await.unwrap_err(),
        client.register_call(&registered).await.unwrap_err(),
        client.delete_conversation("conv_1").await.unwrap_err(),
        client.create_agent(&draft).await.unwrap_err(),
        client.update_agent("agent_1", &draft).await.unwrap_err(),
        client.delete_agent("agent_1").await.unwrap_err(),
        client.create_document_from_text("x", Some("n")).await.unwrap_err(),
        client.create_document_from_url("https://example.org", Some("n")).await.unwrap_err(),
        client.create_document_from_file(file.path(), Some("n"), |_, _| {}).await.unwrap_err(),
        client.delete_document("doc_1", false).await.unwrap_err(),
        client.add_twilio_number(&number).await.unwrap_err(),
        client.submit_batch(&batch).await.unwrap_err(),
    ]
}
