//! After an unknown outcome the vendor is asked whether the attempt became a call; the answer decides, not a second POST.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod vendor;

use std::time::Duration;

use gladhand::core::calls::dialing::{AskError, NotPlaced, Verdict};
use gladhand::elevenlabs::{Client, ListQuery, Page};
use gladhand::standin::{Fault, Life, Reply, StandIn};
use vendor::{client, order, settings};

async fn stand_in() -> (StandIn, Client) {
    let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = client(&stand_in.base_url());
    (stand_in, client)
}

fn by_sid() -> ListQuery {
    ListQuery { call_sid: Some(order().call_sid), ..ListQuery::default() }
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
    stand_in.set_old_filters(true);
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
    assert!(matches!(client.conversations(&by_sid()).await, Err(AskError::Transient(_))));
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
    let stranger = gladhand::elevenlabs::ApiKey::new("sk_another").unwrap();
    let stranger = Client::new(&settings(&stand_in.base_url()), stranger).unwrap();
    assert!(matches!(stranger.place(&order()).await, Verdict::NotPlaced(NotPlaced::Account(_))));
    assert!(matches!(stranger.conversation("conv_1").await, Err(AskError::Unauthorised(_))));
    assert_eq!(stand_in.conversations(), []);
}
