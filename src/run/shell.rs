//! Everything outside, in one place: what it says becomes inputs, what the core puts out is done to it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::CannotStart;
use super::keeper::Keeper;
use super::service::Service;
use super::telling::tell;
use super::vendor::{Answered, Unready, Vendor};
use crate::api::{self, Asked, Limits, Server};
use crate::config::Loaded;
use crate::core::calls::dialing::{NotPlaced, Verdict};
use crate::core::control::Answer;
use crate::core::gateway::Gateway;
use crate::core::health;
use crate::core::machine::{Effect, Identity, Input, Machine, Output};
use crate::core::outbox::Announcement;
use crate::core::time::{Mono, Now};
use crate::elevenlabs::Client;
use crate::formats::Router;
use crate::host::clock::Clock;
use crate::host::{gauges, quota};
use crate::mqtt::{self, Link, LinkEvent, Message, NotSent, Receipt, Ticket, Will};
use crate::store;

/// For the answers of POSTs that are under way when the daemon is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Questions on the control socket that may wait for the main loop.
const ASKED_AT_ONCE: usize = 64;

/// What takes longer to become durable is no longer waited for here: the main loop goes on, and says so.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// While the store takes no writes, health is said this often.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Records written together at the start.
const KEPT_AT_ONCE: usize = 512;

/// Longest time without a look around.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Publishes without a ticket of the core's: health.
const NO_TICKET: Ticket = Ticket(u64::MAX - 1);

/// Something happened outside.
pub enum Happened {
    /// At the broker.
    Link(LinkEvent),
    /// At the vendor.
    Vendor(Answered),
    /// On the control socket.
    Asked(Asked),
    /// What the store had not taken in time is durable now.
    Kept,
    /// The machine's gauges were read.
    Gateway(Box<Gateway>),
}

/// See the module.
pub struct Shell {
    loaded: Loaded,
    clock: Clock,
    service: Service,
    machine: Machine,
    keeper: Keeper,
    router: Router,
    link: Link,
    session_present: bool,
    vendor: Vendor,
    server: Server,
    tcp: Option<Server>,
    asks: mpsc::Receiver<Asked>,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    asked: u64,
    dialing: usize,
    /// Messages of this turn that are done with when its changes are durable.
    done_with: Vec<Receipt>,
    /// What waits for the store: nothing else is decided before it is done.
    unkept: Option<Unkept>,
    /// The gauges are being read: one reading at a time, however long it takes.
    reading: Option<JoinHandle<Gateway>>,
    read_at: Mono,
    /// When it is said how many lines were left out of the journal.
    sum_up_at: Mono,
}

/// What follows from changes that are not durable yet.
struct Unkept {
    effects: Vec<Effect>,
    done_with: Vec<Receipt>,
    say_at: Mono,
}

impl Shell {
    /// Opens the store, restores the core, and starts to listen.
    pub async fn start(mut loaded: Loaded) -> Result<Self, CannotStart> {
        let (mut keeper, entries, found) = Keeper::open(loaded.config.gateway.state_dir.clone()).await?;
        let mut clock = Clock::new(Machine::last_start(&entries));
        let now = clock.now();
        let identity = Identity { pid: std::process::id(), version: env!("CARGO_PKG_VERSION"), nonce: nonce() };
        let pid = identity.pid;
        let mut machine = Machine::new(loaded.settings(), identity, now);
        for key in machine.restore(&entries, now) {
            warn!("store: the entry {key} cannot be read and is left alone");
        }
        drop(entries);
        found_in(&mut machine, &found, now);
        let vendor = Vendor::new(client(&loaded));
        machine.handle(Input::Ready(vendor.ready()), now);
        let service = Service::new();
        // The start is counted before anybody can hear of it: the will names it.
        let mut restored = drain(&mut machine);
        // Each of them stands for itself, and of a large fleet they are many.
        while restored.changes.len() > KEPT_AT_ONCE {
            let rest = restored.changes.split_off(KEPT_AT_ONCE);
            keeper.keep(core::mem::replace(&mut restored.changes, rest));
            keeper.kept().await;
        }
        keeper.keep(restored.changes);
        let kept = timeout(STORE_PATIENCE, keeper.kept()).await.is_ok();
        let config = &loaded.config;

        let (sender, asks) = mpsc::channel(ASKED_AT_ONCE);
        let socket = &config.api.socket;
        let tcp = match loaded.tcp().map_err(CannotStart::Credentials)? {
            Some((address, token)) => {
                let server = api::serve_tcp(address, token, sender.clone(), Limits::default()).await;
                Some(server.map_err(|why| CannotStart::Socket(format!("{address}: {why}")))?)
            }
            None => None,
        };
        let server = api::serve(socket, sender, Limits::default()).await;
        let server = server.map_err(|why| CannotStart::Socket(format!("{}: {why}", socket.display())))?;
        let topics = loaded.topics();
        let will = Will { topic: topics.health().to_owned(), payload: health::down(pid, machine.session()).into() };
        let router = loaded.router();
        let filters = router.filters().map(|filter| filter.as_str().to_owned()).chain(topics.filters()).collect();
        let password = loaded.mqtt_password().map_err(CannotStart::Credentials)?;
        let link = mqtt::connect(&config.mqtt, &client_id(&config.gateway.id), password.as_ref(), will, filters);
        info!("gladhand {} on {}: session {}", env!("CARGO_PKG_VERSION"), config.gateway.id, machine.session());
        let mut shell = Self {
            loaded,
            clock,
            service,
            machine,
            keeper,
            router,
            link,
            session_present: false,
            vendor,
            server,
            tcp,
            asks,
            waiting: BTreeMap::new(),
            asked: 0,
            dialing: 0,
            done_with: Vec::new(),
            unkept: None,
            reading: None,
            read_at: now.mono,
            sum_up_at: now.mono + LOOK_EVERY,
        };
        shell.follow(kept, restored.effects, now);
        shell.service.ready();
        Ok(shell)
    }

    /// How long to wait although nothing happens: the core's next deadline or the watchdog's.
    pub fn wake_in(&mut self) -> Duration {
        let now = self.clock.now();
        let core = match &self.unkept {
            Some(unkept) => Some(unkept.say_at),
            None if self.keeper.was_found() => return Duration::ZERO,
            None => self.machine.next_deadline(now).map(|(at, _reason)| at),
        };
        let next = core.into_iter().chain(self.service.due()).min();
        next.map_or(LOOK_EVERY, |at| at.0.saturating_sub(now.mono.0).min(LOOK_EVERY))
    }

    /// Waits for something to happen. Cancel safe.
    pub async fn happens(&mut self) -> Happened {
        if self.unkept.is_some() {
            return tokio::select! {
                () = self.keeper.kept() => Happened::Kept,
                Some(asked) = self.asks.recv() => Happened::Asked(asked),
                never = self.link.stay() => match never {},
            };
        }
        tokio::select! {
            answered = self.vendor.answered() => Happened::Vendor(answered),
            Some(asked) = self.asks.recv() => Happened::Asked(asked),
            event = self.link.recv() => Happened::Link(event),
            read = finished(&mut self.reading) => Happened::Gateway(Box::new(read)),
        }
    }

    /// What has come from the broker together with that.
    pub fn happened(&mut self) -> Option<Happened> {
        if self.unkept.is_some() {
            return None;
        }
        self.link.buffered().map(Happened::Link)
    }

    /// Whether more has come from the broker than a turn takes.
    pub fn has_more(&self) -> bool {
        self.unkept.is_none() && self.link.has_more()
    }

    /// A turn begins: its time, and what was found out about the store.
    pub fn begin(&mut self) -> Now {
        let now = self.clock.now();
        if now.mono >= self.sum_up_at {
            self.sum_up_at = now.mono + LOOK_EVERY;
            quota::sum_up();
        }
        if self.unkept.is_none() {
            if let Some(found) = self.keeper.take_found() {
                found_in(&mut self.machine, &found, now);
            }
            self.read_the_gauges(now);
        }
        now
    }

    /// What happened becomes inputs. While the store takes no writes, questions are answered, and nothing is decided.
    pub fn take(&mut self, happened: Happened, now: Now) {
        match happened {
            Happened::Link(event) => self.heard(event, now),
            Happened::Vendor(answered) => self.vendor_answered(answered, now),
            Happened::Gateway(read) => self.machine.handle(Input::Gateway(read), now),
            Happened::Kept => {
                if let Some(Unkept { effects, done_with, .. }) = self.unkept.take() {
                    let effects = self.decide_again(effects, now);
                    self.done_with = done_with;
                    self.follow(true, effects, now);
                }
            }
            // Whoever has been told that we are busy may ask again.
            Happened::Asked(Asked { reply, .. }) if reply.is_closed() => {}
            Happened::Asked(Asked { ask, reply }) if self.unkept.is_some() => {
                let answer = self.machine.look(&ask, now);
                // Whoever asked may have gone.
                drop(reply.send(answer.unwrap_or_else(|| Answer::error(503, "the store cannot be written; ask again later"))));
            }
            Happened::Asked(Asked { ask, reply }) => {
                self.asked += 1;
                self.waiting.insert(self.asked, reply);
                self.machine.handle(Input::Ask { id: self.asked, ask }, now);
            }
        }
    }

    /// The rest of a turn: decisions, what is durable, effects, acknowledgements.
    pub async fn turn(&mut self, now: Now) {
        if let Some(unkept) = &mut self.unkept {
            if unkept.say_at <= now.mono {
                unkept.say_at = now.mono + SAY_EVERY;
                let health = Box::new(self.machine.health(now));
                self.perform(vec![Effect::Health(health)], now);
            }
        } else {
            self.machine.handle(Input::Tick, now);
            let outputs = drain(&mut self.machine);
            self.keeper.keep(outputs.changes);
            let kept = self.keeper.is_idle() || timeout(STORE_PATIENCE, self.keeper.kept()).await.is_ok();
            self.follow(kept, outputs.effects, now);
        }
        self.link.flush();
        self.service.alive(now.mono);
    }

    /// Once in each interval of health, beside the main loop.
    fn read_the_gauges(&mut self, now: Now) {
        if self.reading.is_none() && now.mono >= self.read_at {
            self.read_at = now.mono + self.loaded.config.health.interval;
            let dir = self.loaded.config.gateway.state_dir.clone();
            self.reading = Some(spawn_blocking(move || gauges::read(&dir)));
        }
    }

    /// What follows when changes are durable. While they are not, nothing of it happens: what the changes stand for must not be
    /// announced, dialled or acknowledged.
    fn follow(&mut self, kept: bool, effects: Vec<Effect>, now: Now) {
        let writes = self.keeper.writes();
        if self.machine.writes() != writes {
            self.machine.handle(Input::StoreWrites(writes), now);
        }
        if kept {
            self.perform(effects, now);
            for receipt in self.done_with.drain(..) {
                self.link.ack(receipt);
            }
        } else {
            self.unkept = Some(Unkept { effects, done_with: std::mem::take(&mut self.done_with), say_at: now.mono });
        }
    }

    /// A POST that waited for the disk may be too old by now, or called off: it was not made, and the core decides again.
    fn decide_again(&mut self, effects: Vec<Effect>, now: Now) -> Vec<Effect> {
        let (orders, others): (Vec<_>, Vec<_>) = effects.into_iter().partition(|effect| matches!(effect, Effect::Dial(_)));
        for effect in orders {
            if let Effect::Dial(order) = effect {
                let reason = "the store took no writes".to_owned();
                let late = NotPlaced::Busy { retry_after: Some(Duration::ZERO), concurrency: false, reason };
                let verdict = Verdict::NotPlaced(late);
                self.machine.handle(Input::Dialed { call_sid: order.call_sid, verdict }, now);
            }
        }
        others
    }

    /// Reads configuration and roster again. A bad one changes nothing.
    pub fn reload(&mut self) {
        self.service.reloading();
        match self.loaded.again() {
            Ok((loaded, kept)) => {
                for key in kept {
                    warn!("{key} has changed in the configuration; that takes effect with the next start");
                }
                self.loaded = loaded;
                self.vendor.replace(client(&self.loaded));
                let now = self.clock.now();
                self.machine.handle(Input::Ready(self.vendor.ready()), now);
                self.machine.handle(Input::Configure(Box::new(self.loaded.settings())), now);
                info!("configuration and roster read again");
            }
            Err(wrong) => {
                for why in wrong {
                    error!("configuration not taken over, all stays as it was: {why}");
                }
            }
        }
        self.service.ready();
    }

    /// Waits a little for the answers that are still out, says "down" and goes.
    pub async fn stop(mut self) {
        self.service.stopping();
        let now = self.clock.now();
        self.machine.handle(Input::Stopping, now);
        let late = timeout(LAST_ANSWERS, async {
            while self.dialing > 0 && self.unkept.is_none() {
                let answered = self.vendor.answered().await;
                let now = self.begin();
                self.take(Happened::Vendor(answered), now);
                self.turn(now).await;
            }
        });
        if late.await.is_err() || self.dialing > 0 {
            warn!("{} calls are still being dialled; their outcome is unknown to the next start", self.dialing);
        }
        let Self { loaded, machine, link, server, tcp, .. } = self;
        for server in tcp.into_iter().chain([server]) {
            server.stop().await;
        }
        let down = health::down(std::process::id(), machine.session());
        if !link.goodbye(loaded.topics().health(), down).await {
            info!("the broker did not take our goodbye; it publishes the will");
        }
        quota::sum_up();
        info!("stopped");
    }

    /// What the broker's news means to the core. A message is done with once its effects are.
    fn heard(&mut self, event: LinkEvent, now: Now) {
        match event {
            LinkEvent::Message(message) => {
                self.read(&message, now);
                self.done_with.push(message.receipt());
            }
            LinkEvent::Connected { session_present } => self.session_present = session_present,
            LinkEvent::Subscribed => {
                info!("broker: subscribed{}", if self.session_present { "" } else { ", in a new session" });
                self.machine.handle(Input::LinkUp { session_present: self.session_present }, now);
            }
            LinkEvent::SubscriptionRefused { filter, .. } => {
                error!("broker: it refuses the subscription to {filter}");
                self.machine.handle(Input::SubscriptionRefused(filter), now);
            }
            LinkEvent::Disconnected { reason, .. } => {
                warn!("broker: {reason}");
                self.machine.handle(Input::LinkDown(reason), now);
            }
            LinkEvent::Delivered(NO_TICKET) => {}
            LinkEvent::Refused { ticket: NO_TICKET, reason } => warn!("broker: it refuses our health: {reason}"),
            LinkEvent::Delivered(Ticket(ticket)) => self.machine.handle(Input::Delivered(ticket), now),
            LinkEvent::Refused { ticket: Ticket(ticket), reason } => {
                warn!("broker: it refuses a message of ours: {reason}");
                self.machine.handle(Input::Delivered(ticket), now);
            }
        }
    }

    /// Telemetry goes through its decoder, all else to the core as it is.
    fn read(&mut self, message: &Message, now: Now) {
        let (topic, payload) = (message.topic(), message.payload());
        let Some(decoder) = self.router.route(topic) else {
            let retained = message.retained();
            self.machine.handle(Input::Message { topic, payload, retained }, now);
            return;
        };
        let machine = &mut self.machine;
        if let Err(reject) = decoder.decode(topic, payload, &mut |report| machine.handle(Input::Report(&report), now)) {
            machine.handle(Input::Undecodable(reject.reason()), now);
        }
    }

    fn vendor_answered(&mut self, answered: Answered, now: Now) {
        self.machine.handle(Input::Asked(self.vendor.asked()), now);
        match answered {
            Answered::Dialed(call_sid, verdict) => {
                self.dialing = self.dialing.saturating_sub(1);
                self.machine.handle(Input::Dialed { call_sid, verdict }, now);
            }
            Answered::Conversation(call_sid, answer) => self.machine.handle(Input::Conversation { call_sid, answer }, now),
            Answered::Found(call_sid, answer) => self.machine.handle(Input::Found { call_sid, answer }, now),
            Answered::Uplink(reached) => self.machine.handle(Input::Uplink(reached), now),
            Answered::Account(accepted) => self.machine.handle(Input::Account(accepted), now),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>, now: Now) {
        for effect in effects {
            match effect {
                Effect::Publish { ticket, announcement: Announcement { topic, payload } } => {
                    match self.link.publish(Ticket(ticket), topic.as_str(), payload, false) {
                        // Offline or full, it stays in the outbox and goes out with the next connection.
                        Ok(()) | Err(NotSent::Offline | NotSent::Full) => {}
                        Err(why @ (NotSent::Topic | NotSent::TooLarge { .. })) => {
                            warn!("broker: {topic} can never be published: {why}");
                            self.machine.handle(Input::Delivered(ticket), now);
                        }
                    }
                }
                Effect::Health(health) => {
                    self.service.health(&health);
                    let payload = serde_json::to_string(&health).unwrap_or_default();
                    match self.link.publish(NO_TICKET, self.loaded.topics().health(), payload, true) {
                        // Without a broker nobody listens; it is said again as soon as there is one.
                        Ok(()) | Err(NotSent::Offline) => {}
                        Err(why) => warn!("broker: health not published: {why}"),
                    }
                }
                Effect::Dial(order) => {
                    self.dialing += 1;
                    self.vendor.dial(order);
                }
                Effect::AskConversation { call_sid, conversation_id } => self.vendor.ask_conversation(call_sid, conversation_id),
                Effect::Find(search) => self.vendor.find(search),
                Effect::ProbeUplink => self.vendor.probe_uplink(),
                Effect::ProbeAccount => self.vendor.probe_account(),
                Effect::Answer { id, answer } => {
                    if let Some(reply) = self.waiting.remove(&id) {
                        // Whoever asked may have gone.
                        drop(reply.send(answer));
                    }
                }
                Effect::Tell(telling) => tell(&telling),
            }
        }
    }
}

fn found_in(machine: &mut Machine, found: &store::Health, now: Now) {
    match found {
        store::Health::Ok => {}
        store::Health::Repaired { .. } => machine.handle(Input::StoreFound { quarantined: false }, now),
        store::Health::Quarantined { .. } => machine.handle(Input::StoreFound { quarantined: true }, now),
    }
}

/// What the gauges show, once they are read. Cancel safe.
async fn finished(reading: &mut Option<JoinHandle<Gateway>>) -> Gateway {
    let Some(task) = reading else { return std::future::pending().await };
    let read = task.await.unwrap_or_default();
    *reading = None;
    read
}

/// What one turn of the core asks for: what must be durable, and what is done after that, in order.
struct Outputs {
    changes: Vec<crate::core::record::Change>,
    effects: Vec<Effect>,
}

fn drain(machine: &mut Machine) -> Outputs {
    let mut outputs = Outputs { changes: Vec::new(), effects: Vec::new() };
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Keep(change) => outputs.changes.push(change),
            Output::Do(effect) => outputs.effects.push(effect),
        }
    }
    outputs
}

/// The client, or what the configuration lacks for one.
fn client(loaded: &Loaded) -> Result<Client, Unready> {
    let settings = &loaded.config.elevenlabs;
    if settings.agent_id.is_empty() {
        return Err(("no_agent_id", "elevenlabs.agent_id is not set".to_owned()));
    }
    if settings.agent_phone_number_id.is_empty() {
        return Err(("no_agent_phone_number_id", "elevenlabs.agent_phone_number_id is not set".to_owned()));
    }
    let key = loaded.api_key(|warning| warn!("{warning}")).map_err(|why| ("bad_api_key", why))?;
    let key = key.ok_or_else(|| ("no_api_key", "there is no API key".to_owned()))?;
    Client::new(settings, key).map_err(|why| ("no_vendor_client", why.to_string()))
}

/// The session at the broker is named after the gateway.
fn client_id(gateway: &str) -> String {
    format!("gladhand-{gateway}")
}

/// Six characters that differ between any two starts: the standard library seeds its hasher from the system's randomness.
fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
        '2', '3', '4', '5', '6', '7', '8', '9',
    ];
    let random = RandomState::new().hash_one(std::process::id());
    (0..8).filter_map(|n| ALPHABET.get((random >> (n * 5) & 31) as usize)).collect()
}
