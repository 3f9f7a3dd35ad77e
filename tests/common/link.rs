//! A link to a broker of a test, and waiting for what it tells.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails its test")]

use std::net::Ipv4Addr;
use std::time::Duration;

use gladhand::mqtt::{Link, LinkEvent, Message, Settings, Ticket, Will, connect};
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// Nothing here takes as long on a machine that does anything at all.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the will of [`open`]'s links is published: `up/<client id>`.
pub fn will(client_id: &str) -> Will {
    Will { topic: format!("up/{client_id}"), payload: r#"{"status":"down"}"#.into() }
}

/// A link to 127.0.0.1 with nothing special.
pub fn open(port: u16, client_id: &str, filters: &[&str]) -> Link {
    let settings = Settings { port, ..Settings::default() };
    connect(&settings, client_id, None, will(client_id), filters.iter().map(|&f| f.to_owned()).collect())
}

/// [`open`], and waits until all filters are answered.
pub async fn subscribed(port: u16, client_id: &str, filters: &[&str]) -> Link {
    let mut link = open(port, client_id, filters);
    until_subscribed(&mut link).await;
    link
}

/// The first answer other than `None`; panics, saying what is awaited, when it takes too long.
pub async fn until<T>(link: &mut Link, awaited: &str, mut pick: impl FnMut(LinkEvent) -> Option<T>) -> T {
    let mut seen = Vec::new();
    let found = timeout(PATIENCE, async {
        loop {
            let event = link.recv().await;
            seen.push(format!("{event:?}").chars().take(200).collect::<String>());
            if let Some(found) = pick(event) {
                break found;
            }
        }
    });
    match found.await {
        Ok(found) => found,
        Err(_) => panic!("no {awaited} within {PATIENCE:?}, but {seen:#?}"),
    }
}

/// [`until`], and panics when the connection ends first.
pub async fn without_a_break<T>(link: &mut Link, awaited: &str, mut pick: impl FnMut(LinkEvent) -> Option<T>) -> T {
    until(link, awaited, |event| {
        assert!(!matches!(event, LinkEvent::Disconnected { .. }), "{event:?}");
        pick(event)
    })
    .await
}

/// Whether the broker had our session.
pub async fn until_connected(link: &mut Link) -> bool {
    until(
        link,
        "Connected",
        |event| if let LinkEvent::Connected { session_present } = event { Some(session_present) } else { None },
    )
    .await
}

pub async fn until_subscribed(link: &mut Link) {
    until(link, "Subscribed", |event| matches!(event, LinkEvent::Subscribed).then_some(())).await;
}

pub async fn until_disconnected(link: &mut Link) -> String {
    until(link, "Disconnected", |event| if let LinkEvent::Disconnected { reason } = event { Some(reason) } else { None }).await
}

/// The next message of a connection that holds.
pub async fn unbroken_message(link: &mut Link) -> Message {
    without_a_break(link, "Message", |event| if let LinkEvent::Message(message) = event { Some(message) } else { None }).await
}

pub async fn next_message(link: &mut Link) -> Message {
    until(link, "Message", |event| if let LinkEvent::Message(message) = event { Some(message) } else { None }).await
}

/// Publishes one after the other; each is at the broker when the next is sent.
pub async fn deliver(link: &mut Link, topic: &str, payloads: impl IntoIterator<Item = String>) {
    for (n, payload) in (0..).zip(payloads) {
        link.publish(Ticket(n), topic, payload, false).expect("a connected link publishes");
        until(link, "Delivered", |event| matches!(event, LinkEvent::Delivered(t) if t == Ticket(n)).then_some(())).await;
    }
}

/// A port of 127.0.0.1 that refuses connections as long as the socket is held: bound by us, and not listened to.
pub fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let port = socket.local_addr().expect("its number").port();
    (socket, port)
}

pub fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.payload()).into_owned()
}
