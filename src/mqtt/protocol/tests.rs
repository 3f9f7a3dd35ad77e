use bytes::BufMut;
use proptest::prelude::*;

use super::super::{Settings, Will};
use super::*;
use crate::host::clock;

const CONNACK: &[u8] = &[0x20, 3, 0, 0, 0];

fn greeting(filters: &[&str]) -> Protocol {
    let will = Will { topic: "gone".to_owned(), payload: Bytes::new() };
    let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
    let options = Options::new(&Settings::default(), "t", None, Some(will), filters);
    Protocol::new(&options, 1, clock::instant()).unwrap()
}

/// Let in by a broker that takes `receive_maximum` publishes and packets of `largest` bytes, and with nothing to be written.
fn connected(receive_maximum: u16, largest: u32) -> Protocol {
    let mut protocol = greeting(&[]);
    let mut connack = vec![0x20, 11, 0, 0, 8, 33];
    connack.put_u16(receive_maximum);
    connack.put_u8(39);
    connack.put_u32(largest);
    read(&mut protocol, &connack);
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Connected { session_present: false }))));
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Subscribed))));
    written(&mut protocol);
    protocol
}

fn read(protocol: &mut Protocol, bytes: &[u8]) {
    protocol.read_buffer().unwrap().extend_from_slice(bytes);
    protocol.heard();
}

fn written(protocol: &mut Protocol) -> Vec<u8> {
    let mut all = Vec::new();
    while !protocol.unwritten().is_empty() {
        all.extend_from_slice(protocol.unwritten());
        protocol.wrote(protocol.unwritten().len());
    }
    all
}

fn publish(id: u16, payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        qos: QoS::AtLeastOnce,
        topic: Bytes::from_static(b"fleet/T-001/telemetry"),
        pkid: id,
        payload: Bytes::copy_from_slice(payload),
        ..Publish::default()
    };
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    bytes.to_vec()
}

fn messages(protocol: &mut Protocol) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(event) = protocol.poll().unwrap() {
        if let LinkEvent::Message(message) = event {
            messages.push(message);
        }
    }
    messages
}

#[test]
fn the_connack_is_followed_by_one_subscribe_for_what_may_be_asked() {
    let mut protocol = greeting(&["a", "b#", "c"]);
    assert_eq!(protocol.publish(Ticket(1), "t".to_owned(), Bytes::new(), false), Err(NotSent::Offline));
    written(&mut protocol);
    read(&mut protocol, CONNACK);
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Connected { session_present: false }))));
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::SubscriptionRefused { filter })) if filter == "b#"));
    assert!(matches!(protocol.poll(), Ok(None)));
    assert_eq!(written(&mut protocol), [0x82, 11, 0, 1, 0, 0, 1, b'a', 1, 0, 1, b'c', 1]);
    read(&mut protocol, &[0x90, 5, 0, 1, 0, 1, 0x87]);
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::SubscriptionRefused { filter })) if filter == "c"));
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Subscribed))));
}

#[test]
fn filters_a_broker_would_hang_up_on_are_not_asked_for() {
    let asked = ["fleet/+/telemetry", "#", "$SYS/broker/version"];
    assert!(asked.iter().all(|filter| may_be_asked(filter)));
    assert!(!["", "a#", "a/#/b", "a+/b", "a\0"].iter().any(|filter| may_be_asked(filter)));
}

#[test]
fn acknowledgements_are_written_together_and_only_for_this_connection() {
    let mut protocol = connected(10, 1000);
    let packets: Vec<u8> = (1..=3).flat_map(|id| publish(id, b"{}")).collect();
    read(&mut protocol, &packets);
    let receipts: Vec<Receipt> = messages(&mut protocol).iter().map(Message::receipt).collect();
    assert_eq!(receipts.len(), 3);
    assert!(protocol.unwritten().is_empty(), "nothing is acknowledged that nobody acknowledged");
    for receipt in receipts {
        protocol.ack(Receipt { epoch: 0, ..receipt });
        protocol.ack(Receipt { id: None, ..receipt });
        protocol.ack(receipt);
    }
    assert_eq!(protocol.unwritten(), [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3]);
}

#[test]
fn a_publish_that_cannot_be_read_is_a_message_nobody_reads_and_is_acknowledged_as_others_are() {
    const USER_PROPERTY: &[u8] = &[38, 0, 1, 0xff, 0, 1, b'v'];
    let unread = |head: &[u8]| {
        let mut packet = head.to_vec();
        packet.push(USER_PROPERTY.len() as u8);
        packet.extend_from_slice(USER_PROPERTY);
        packet.insert(1, packet.len() as u8 - 1);
        packet
    };
    let mut protocol = connected(10, 1000);
    read(&mut protocol, &unread(&[0x32, 0, 1, b't', 0, 7]));
    read(&mut protocol, &unread(&[0x30, 0, 1, b't']));
    read(&mut protocol, &publish(8, b"{}"));
    let messages = messages(&mut protocol);
    let topics: Vec<&str> = messages.iter().map(Message::topic).collect();
    assert_eq!(topics, ["", "", "fleet/T-001/telemetry"]);
    messages.iter().for_each(|message| protocol.ack(message.receipt()));
    assert_eq!(protocol.unwritten(), [0x40, 2, 0, 7, 0x40, 2, 0, 8]);
}

#[test]
fn a_suback_that_does_not_answer_every_filter_ends_the_connection() {
    for suback in [[0x90, 4, 0, 1, 0, 1].as_slice(), &[0x90, 5, 0, 2, 0, 1, 1], &[0x90, 6, 0, 1, 0, 1, 1, 1]] {
        let mut protocol = greeting(&["a", "c"]);
        read(&mut protocol, CONNACK);
        assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Connected { .. }))));
        read(&mut protocol, suback);
        assert!(matches!(protocol.poll(), Err(Lost::Unexpected)), "{suback:?}");
    }
}

#[test]
fn no_more_publishes_are_in_flight_than_the_broker_takes() {
    let mut protocol = connected(2, 1000);
    for n in 0..5 {
        protocol.publish(Ticket(n), "t".to_owned(), "x".into(), false).unwrap();
    }
    assert_eq!((protocol.flying.len(), protocol.pending()), (2, 5));
    let (first, second) = (protocol.flying[0].0, protocol.flying[1].0);
    assert_ne!(first, second);
    let [high, low] = second.to_be_bytes();
    read(&mut protocol, &[0x40, 2, high, low, 0x40, 2, high, low]);
    assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Delivered(Ticket(1))))));
    assert!(matches!(protocol.poll(), Ok(None)), "one answer to each");
    assert_eq!((protocol.flying.len(), protocol.pending()), (2, 4));
}

#[test]
fn packet_ids_in_flight_are_not_given_again() {
    let mut protocol = connected(3, 1000);
    protocol.publish(Ticket(0), "t".to_owned(), "x".into(), false).unwrap();
    let taken = protocol.flying[0].0;
    assert!((0..65_535).all(|_| protocol.free_id() != taken));
    assert_ne!(protocol.last_id, SUBSCRIBE_ID);
}

#[test]
fn the_queue_is_bounded() {
    let mut protocol = connected(u16::MAX, 1000);
    for n in 0..1024 {
        protocol.publish(Ticket(n), "t".to_owned(), "x".into(), false).unwrap();
    }
    assert_eq!(protocol.publish(Ticket(1024), "t".to_owned(), "x".into(), false), Err(NotSent::Full));
    assert_eq!((protocol.flying.len(), protocol.pending()), (64, 1024));
}

#[test]
fn what_the_broker_could_only_answer_with_a_disconnect_is_not_sent() {
    let mut protocol = connected(10, 100);
    let mut try_it = |topic: &str, bytes: usize| protocol.publish(Ticket(1), topic.to_owned(), vec![0; bytes].into(), false);
    assert_eq!(try_it("t", 90), Err(NotSent::TooLarge { bytes: 101, most: 100 }));
    for topic in ["", "a/+", "a/#", "a\0", &"a".repeat(65_536)] {
        assert_eq!(try_it(topic, 1), Err(NotSent::Topic), "{:.10}", topic);
    }
    assert_eq!(protocol.pending(), 0);
}

#[test]
fn while_much_waits_to_be_written_nothing_is_read_and_no_publish_added() {
    let mut protocol = connected(u16::MAX, u32::MAX);
    for n in 0..10 {
        protocol.publish(Ticket(n), "t".to_owned(), vec![0; UNWRITTEN / 2].into(), false).unwrap();
    }
    assert!(protocol.read_buffer().is_none());
    assert!(protocol.unwritten().len() < 2 * UNWRITTEN, "{}", protocol.unwritten().len());
    assert!(written(&mut protocol).len() > 10 * UNWRITTEN / 2);
    assert!(protocol.read_buffer().is_some());
}

#[test]
fn a_ping_goes_out_when_it_is_due_and_silence_until_the_next_is_the_end() {
    let mut protocol = connected(10, 1000);
    let due = protocol.deadline();
    protocol.tick(due - Duration::from_millis(1), true).unwrap();
    assert!(protocol.unwritten().is_empty());
    protocol.tick(due, true).unwrap();
    assert_eq!(written(&mut protocol), [0xc0, 0]);
    read(&mut protocol, &[0xd0, 0]);
    assert!(protocol.poll().unwrap().is_none());
    let due = protocol.deadline();
    protocol.tick(due, true).unwrap();
    assert_eq!(written(&mut protocol), [0xc0, 0]);
    assert!(protocol.tick(protocol.deadline(), false).is_ok(), "nobody listened");
    assert!(matches!(protocol.tick(protocol.deadline(), true), Err(Lost::Silent)));
}

#[test]
fn the_brokers_keep_alive_counts_where_it_is_shorter() {
    for (seconds, counts) in [(0, 10), (3, 3), (600, 10)] {
        let mut protocol = greeting(&[]);
        let mut connack = vec![0x20, 6, 0, 0, 3, 19];
        connack.put_u16(seconds);
        read(&mut protocol, &connack);
        assert!(matches!(protocol.poll(), Ok(Some(LinkEvent::Connected { .. }))));
        assert_eq!(protocol.deadline() - protocol.began, Duration::from_secs(counts), "{seconds}");
    }
}

#[test]
fn a_write_that_makes_no_way_is_the_end() {
    let mut protocol = connected(10, 1000);
    protocol.publish(Ticket(1), "t".to_owned(), "xy".into(), false).unwrap();
    let now = clock::instant();
    protocol.blocked(now);
    protocol.wrote(1);
    protocol.blocked(now + KEEP_ALIVE);
    protocol.blocked(now + 2 * KEEP_ALIVE);
    assert!(protocol.tick(now + 2 * KEEP_ALIVE, true).is_ok());
    assert!(matches!(protocol.tick(now + 3 * KEEP_ALIVE, true), Err(Lost::ReadsNothing)));
}

#[test]
fn a_disconnect_with_and_without_a_reason_is_the_end() {
    for bytes in [&[0xe0, 0][..], &[0xe0, 1, 0], &[0xe0, 2, 0, 0]] {
        let mut protocol = connected(10, 1000);
        read(&mut protocol, bytes);
        let lost = protocol.poll();
        assert!(matches!(lost, Err(Lost::Disconnected(DisconnectReasonCode::NormalDisconnection))), "{bytes:?}: {lost:?}");
    }
}

#[test]
fn an_oversized_packet_is_refused_by_its_header_alone() {
    let mut protocol = connected(10, 1000);
    read(&mut protocol, &[0x32, 0x80, 0x80, 0x80, 0x01]);
    assert!(matches!(protocol.poll(), Err(Lost::Malformed(_))));
}

#[test]
fn one_buffer_serves_for_ever() {
    let mut protocol = connected(10, 1000);
    let packet = publish(1, &[b'x'; 200]);
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..10_000 {
        read(&mut protocol, &packet);
        places.insert(protocol.incoming.as_ptr() as usize / READ);
        assert_eq!(messages(&mut protocol).len(), 1);
    }
    assert!(places.len() <= 3, "{}", places.len());
    assert_eq!(protocol.incoming.capacity() / READ, 1);
}

proptest! {
    #[test]
    fn messages_come_out_however_the_bytes_are_cut(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..20),
        cuts in proptest::collection::vec(1_usize..500, 1..50),
    ) {
        let mut protocol = connected(10, 1000);
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| publish(7, payload)).collect();
        let (mut rest, mut came) = (&stream[..], Vec::new());
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            read(&mut protocol, now);
            came.extend(messages(&mut protocol).iter().map(|message| message.payload().to_vec()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(came, payloads);
    }

    #[test]
    fn no_bytes_do_more_than_end_the_connection(
        packet_type in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..60), greeted in any::<bool>(),
    ) {
        let mut protocol = if greeted { connected(10, 1000) } else { greeting(&["a"]) };
        let mut bytes = vec![packet_type, body.len() as u8];
        bytes.extend(&body);
        read(&mut protocol, &bytes);
        while let Ok(Some(_)) = protocol.poll() {}
    }

    #[test]
    fn publishes_go_out_in_order_within_the_window_and_each_is_answered_once(
        receive_maximum in 1_u16..5, steps in proptest::collection::vec((0_u8..3, 1_usize..200), 1..200),
    ) {
        let mut protocol = connected(receive_maximum, 1000);
        let (mut sent, mut wire, mut unanswered, mut published) = (0, BytesMut::new(), VecDeque::new(), Vec::new());
        let mut answered = Vec::new();
        // At the end the broker reads and answers everything.
        for (step, size) in steps.into_iter().chain([(1, 10_000), (2, 10)].repeat(210)) {
            match step {
                0 => {
                    protocol.publish(Ticket(sent), "t".to_owned(), sent.to_string().into(), false).unwrap();
                    sent += 1;
                }
                1 => {
                    let part = size.min(protocol.unwritten().len());
                    wire.extend_from_slice(&protocol.unwritten()[..part]);
                    protocol.wrote(part);
                    while let Ok(packet) = Packet::read(&mut wire, None) {
                        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
                        prop_assert!(!unanswered.contains(&publish.pkid), "{} is in use", publish.pkid);
                        unanswered.push_back(publish.pkid);
                        published.push(publish.payload);
                    }
                    prop_assert!(unanswered.len() <= usize::from(receive_maximum));
                }
                _ => {
                    for id in unanswered.drain(..size.min(unanswered.len())) {
                        let [high, low] = id.to_be_bytes();
                        read(&mut protocol, &[0x40, 2, high, low]);
                    }
                    while let Some(event) = protocol.poll().unwrap() {
                        let LinkEvent::Delivered(Ticket(ticket)) = event else { panic!("{event:?}") };
                        answered.push(ticket);
                    }
                }
            }
        }
        prop_assert_eq!(answered, (0..sent).collect::<Vec<_>>());
        prop_assert_eq!(published, (0..sent).map(|n| n.to_string()).collect::<Vec<_>>());
        prop_assert_eq!(protocol.pending(), 0);
    }
}
