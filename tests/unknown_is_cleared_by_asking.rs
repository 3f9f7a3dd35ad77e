//! After an unknown outcome the vendor is asked whether the attempt became a call; the answer decides, not a second POST.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod vendor;

use std::time::Duration;

use gladhand::core::calls::dialing::{AskError, NotPlaced, Order, Search, Verdict};
use gladhand::core::id::CallSid;
use gladhand::elevenlabs::{ApiKey, Client, ListQuery, Page, Settings};
use gladhand::standin::{self, Fault, Filters, Life, Reply, StandIn};
use vendor::{Raw, Then, answer, client, order, settings};

async fn stand_in() -> (StandIn, Client) {
    let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = client(&stand_in.base_url());
    (stand_in, client)
}

fn by_sid() -> ListQuery {
    ListQuery { call_sid: Some(order().call_sid), ..ListQuery::default() }
}

fn search(age: Option<u64>) -> Search {
    let Order { call_sid, to, .. } = order();
    Search { call_sid, to, age: age.map(Duration::from_secs) }
}

/// Places so many calls of other drivers.
async fn others(client: &Client, count: usize) {
    for n in 0..count {
        let call_sid = CallSid::new(&format!("EL_other_{n}")).unwrap();
        assert!(matches!(client.place(&Order { call_sid, ..order() }).await, Verdict::Placed { .. }));
    }
}

#[tokio::test]
async fn the_call_is_found_by_whatever_the_vendor_can_be_asked_by() {
    for asked_by in [Filters::All, Filters::WithoutVariables, Filters::None, Filters::Ignored] {
        let (stand_in, client) = stand_in().await;
        stand_in.set_filters(asked_by);
        assert_eq!(client.find(&search(Some(1))).await, Ok(None), "{asked_by:?}");
        others(&client, 3).await;
        assert_eq!(client.find(&search(Some(1))).await, Ok(None), "{asked_by:?}");
        client.place(&order()).await;
        others(&client, 120).await;
        // Also with a gateway whose clock cannot say how long ago that was.
        for age in [Some(1), None] {
            let found = client.find(&search(age)).await.unwrap().unwrap();
            let ours = stand_in.conversations().remove(3);
            assert_eq!((found.conversation_id, found.provider_call_sid), (ours.id, Some(ours.provider_call_sid)), "{asked_by:?}");
        }
    }
}

#[tokio::test]
async fn the_call_is_found_whatever_agent_is_configured_by_now() {
    for asked_by in [Filters::All, Filters::WithoutVariables, Filters::None, Filters::Ignored] {
        let (stand_in, client) = stand_in().await;
        stand_in.set_filters(asked_by);
        client.place(&order()).await;
        let settings = Settings { agent_id: "agent_2".to_owned(), ..settings(&stand_in.base_url()) };
        let now = Client::new(&settings, ApiKey::new(standin::KEY).unwrap()).unwrap();
        let found = now.find(&search(Some(1))).await.unwrap();
        assert_eq!(found.map(|found| found.conversation_id), Some(stand_in.conversations().remove(0).id), "{asked_by:?}");
    }
}

#[tokio::test]
async fn more_than_can_be_looked_through_is_not_the_same_as_none() {
    let (stand_in, client) = stand_in().await;
    others(&client, 310).await;
    assert_eq!(client.find(&search(None)).await, Ok(None), "by its name the vendor can tell");
    stand_in.set_filters(Filters::None);
    assert!(matches!(client.find(&search(None)).await, Err(AskError::Transient(_))));
    stand_in.set_filters(Filters::Ignored);
    assert!(matches!(client.find(&search(Some(1))).await, Err(AskError::Transient(_))));
}

#[tokio::test]
async fn a_call_behind_a_lost_answer_is_found_by_its_attempt() {
    let lost = [Fault::new(Reply::Drop), Fault::status(500, "internal"), Fault::new(Reply::NullIds), Fault::new(Reply::Html)];
    for fault in lost {
        let (stand_in, client) = stand_in().await;
        stand_in.set_faults([fault.clone().dialled()]);
        let verdict = client.place(&order()).await;
        assert!(matches!(verdict, Verdict::Unknown(_)), "{fault:?}: {verdict:?}");
        let Page { rows, next, .. } = client.conversations(&by_sid()).await.unwrap();
        assert_eq!((rows.len(), next), (1, None), "{fault:?}");
        let found = client.conversation(&rows[0].conversation_id).await.unwrap();
        assert_eq!(found.call_sid.as_deref(), Some(order().call_sid.as_str()));
        assert_eq!((stand_in.posts().len(), stand_in.conversations().len()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_never_became_a_call_is_not_found() {
    let (stand_in, client) = stand_in().await;
    stand_in.set_faults([Fault::new(Reply::Drop)]);
    assert!(matches!(client.place(&order()).await, Verdict::Unknown(_)));
    assert_eq!(client.conversations(&by_sid()).await.unwrap().rows, []);
    assert_eq!((stand_in.posts().len(), stand_in.conversations().len()), (1, 0));
}

#[tokio::test]
async fn a_vendor_that_refuses_the_filter_can_be_asked_by_user_id() {
    let (stand_in, client) = stand_in().await;
    stand_in.set_filters(Filters::WithoutVariables);
    assert!(matches!(client.place(&order()).await, Verdict::Placed { .. }));
    assert!(matches!(client.conversations(&by_sid()).await, Err(AskError::Refused(_))));
    let by_user = ListQuery { user_id: Some(order().call_sid), ..ListQuery::default() };
    assert_eq!(client.conversations(&by_user).await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn a_call_may_be_listed_late() {
    let (stand_in, client) = stand_in().await;
    stand_in.set_life(Life { listed_after: Duration::from_secs(3600), ..Life::default() });
    let Verdict::Placed { conversation_id, .. } = client.place(&order()).await else { panic!("not placed") };
    assert_eq!(client.conversations(&by_sid()).await.unwrap().rows, []);
    assert!(client.conversation(&conversation_id).await.is_ok());
}

#[tokio::test]
async fn what_the_stand_in_knows_survives_its_being_unreachable() {
    let (mut stand_in, client) = stand_in().await;
    assert_eq!(client.reach().await, Ok(()));
    let slow = Fault::new(Reply::Usual).after(Duration::from_secs(3600));
    stand_in.set_faults([slow]);
    let placing = tokio::spawn({
        let client = client.clone();
        async move { client.place(&order()).await }
    });
    while stand_in.posts().is_empty() {
        tokio::task::yield_now().await;
    }
    stand_in.down().await;
    assert!(matches!(placing.await.unwrap(), Verdict::Unknown(_)), "cut while the vendor worked on it");
    assert!(client.reach().await.is_err());
    assert!(matches!(client.place(&order()).await, Verdict::NotPlaced(NotPlaced::Unreachable(_))));
    assert!(matches!(client.conversations(&by_sid()).await, Err(AskError::Unreachable(_))));
    assert!(matches!(client.find(&search(Some(1))).await, Err(AskError::Unreachable(_))));
    stand_in.up().await.unwrap();
    assert_eq!(client.reach().await, Ok(()));
    assert_eq!(client.conversations(&by_sid()).await.unwrap().rows.len(), 1);
    assert_eq!(stand_in.posts().len(), 1);
    stand_in.stop().await;
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_conversation_are_named_as_such() {
    let (stand_in, client) = stand_in().await;
    assert!(matches!(client.conversation("conv_none").await, Err(AskError::NotFound(_))));
    assert!(matches!(client.conversation("../agents").await, Err(AskError::Refused(_))));
    let stranger = ApiKey::new("sk_another").unwrap();
    let stranger = Client::new(&settings(&stand_in.base_url()), stranger).unwrap();
    assert!(matches!(stranger.place(&order()).await, Verdict::NotPlaced(NotPlaced::Account(_))));
    assert!(matches!(stranger.conversation("conv_1").await, Err(AskError::Unauthorised(_))));
    assert_eq!(stand_in.conversations(), []);
}

#[tokio::test]
async fn a_strangers_conversation_that_cannot_be_read_does_not_leave_an_attempt_unknown_for_ever() {
    let ok = |body: &str| Then::Write(answer("200 OK", "", body));
    let none = r#"{"conversations":[],"has_more":false}"#;
    let one = r#"{"conversations":[{"conversation_id":"conv_deleted","start_time_unix_secs":1763569135}],"has_more":false}"#;
    let gone = Then::Write(answer("404 Not Found", "", r#"{"detail":{"status":"conversation_not_found"}}"#));
    let vendor = Raw::start([ok(none), ok(none), ok(one), gone]).await;
    let Order { call_sid, to, .. } = order();
    let found = client(&vendor.url).find(&Search { call_sid, to, age: None }).await;
    assert_eq!(found, Ok(None), "both names that it went out under say that there is none");
}
