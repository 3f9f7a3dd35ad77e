//! A TCP proxy on loopback that does what bad links do: it swallows, resets, and breaks off in the middle of an answer.
//!
//! ```ignore
//! let proxy = Proxy::to(broker.port()).await;
//! // Half open: both ends believe in the connection, and nothing arrives any more. New ones pass.
//! proxy.treat_open(Then::Swallow);
//! ```
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of tests fails its test")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Bytes pass both ways, and so does its end.
    Pass,
    /// Nothing passes any more, not even its end; nobody is told.
    Swallow,
    /// The request passes, and nothing comes back.
    SwallowAnswers,
    /// So many bytes of the answer pass, then both ends are reset.
    ResetAfter(usize),
}

/// Dropped, it resets every connection and refuses new ones.
pub struct Proxy {
    port: u16,
    shared: Arc<Mutex<Links>>,
    _open: watch::Sender<()>,
}

struct Links {
    new: Then,
    open: Vec<watch::Sender<Then>>,
}

impl Proxy {
    /// Passes everything to that port of 127.0.0.1, until told otherwise.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Links { new: Then::Pass, open: Vec::new() }));
        let (open, mut closed) = watch::channel(());
        let links = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let client = tokio::select! {
                    client = listener.accept() => client.unwrap().0,
                    _ = closed.changed() => return links.lock().unwrap().open.clear(),
                };
                let mut links = links.lock().unwrap();
                let (sender, then) = watch::channel(links.new);
                links.open.push(sender);
                tokio::spawn(link(client, port, then));
            }
        });
        Self { port: own, shared, _open: open }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.lock().unwrap().open.len()
    }

    /// What becomes of those that are open now.
    pub fn treat_open(&self, then: Then) {
        for link in &self.shared.lock().unwrap().open {
            link.send_replace(then);
        }
    }

    /// What becomes of those that are yet to come.
    pub fn treat_new(&self, then: Then) {
        self.shared.lock().unwrap().new = then;
    }
}

async fn link(mut client: TcpStream, port: u16, mut then: watch::Receiver<Then>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut asked, mut answered, mut passed) = ([0; 16 * 1024], [0; 16 * 1024], 0);
    let (mut client_ended, mut server_ended) = (false, false);
    loop {
        let now = *then.borrow_and_update();
        let swallows = matches!(now, Then::Swallow | Then::SwallowAnswers);
        if (client_ended || server_ended) && !swallows {
            return;
        }
        if let Then::ResetAfter(bytes) = now
            && passed >= bytes
        {
            client.set_zero_linger().unwrap();
            return server.set_zero_linger().unwrap();
        }
        tokio::select! {
            told = then.changed() => {
                if told.is_err() {
                    client.set_zero_linger().unwrap();
                    return;
                }
            }
            read = client.read(&mut asked), if !client_ended => match read {
                Ok(0) | Err(_) => client_ended = true,
                Ok(n) if now != Then::Swallow => server_ended |= server.write_all(&asked[..n]).await.is_err(),
                Ok(_) => {}
            },
            read = server.read(&mut answered), if !server_ended => match read {
                Ok(0) | Err(_) => server_ended = true,
                Ok(_) if swallows => {}
                Ok(n) => {
                    let n = if let Then::ResetAfter(bytes) = now { n.min(bytes - passed) } else { n };
                    passed += n;
                    client_ended |= client.write_all(&answered[..n]).await.is_err();
                }
            },
        }
    }
}
