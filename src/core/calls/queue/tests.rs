use super::*;
use crate::core::id::UnitId;
use crate::core::phone::Phone;

const START: i64 = 1_763_569_135_000;

fn at(secs: u64) -> Now {
    let since = Duration::from_secs(secs);
    Now { mono: Mono(since), wall: UnixMillis(START) + since, trusted: true }
}

fn queue() -> Queue {
    let mut queue = Queue::new(Settings::default(), Retry::default(), "yard-7", "n1");
    queue.set_unready(None);
    queue
}

fn owed(driver: &str) -> Owed {
    Owed {
        cause: Cause::Violation {
            violation_id: ViolationId::new(&format!("V-{driver}")).unwrap(),
            kind: ViolationKind::LeftBehind,
            tractor: UnitId::new("T-1").unwrap(),
            trailer: UnitId::new("R-1").unwrap(),
        },
        driver: Driver {
            id: DriverId::new(driver).unwrap(),
            name: "A Driver".to_owned(),
            phone: Phone::parse("+12125550123", "US").unwrap(),
        },
        dispatcher: None,
        prompt: "Are you with your trailer?".to_owned(),
        triggers: 1,
        before: (0, None),
        evidence: UnixMillis(START),
    }
}

fn advance(queue: &mut Queue, now: Now) -> Vec<QueueOutput> {
    queue.advance(now, &|_| None);
    core::iter::from_fn(|| queue.poll_output()).collect()
}

fn dialed(outputs: &[QueueOutput]) -> Vec<CallSid> {
    outputs.iter().filter_map(|o| if let QueueOutput::Dial(order) = o { Some(order.call_sid.clone()) } else { None }).collect()
}

fn unreachable() -> Verdict {
    Verdict::NotPlaced(NotPlaced::Unreachable("no route".to_owned()))
}

fn placed(id: &str) -> Verdict {
    Verdict::Placed { conversation_id: id.to_owned(), provider_call_sid: None }
}

fn ended(status: ConversationStatus) -> Conversation {
    Conversation {
        status,
        call_result: Some(super::super::dialing::CallResult::Answered),
        duration: Duration::from_secs(40),
        termination_reason: "end_call".to_owned(),
        error: None,
        user_messages: 2,
        call_sid: None,
        summary: None,
        started: None,
    }
}

#[test]
fn an_attempt_is_kept_before_it_is_dialled_and_followed_to_its_end() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    let outputs = advance(&mut queue, at(0));
    let kept = outputs.iter().rposition(|o| matches!(o, QueueOutput::Keep(_))).unwrap();
    let dial = outputs.iter().position(|o| matches!(o, QueueOutput::Dial(_))).unwrap();
    assert!(kept < dial);
    let QueueOutput::Keep(Change { value: Some(value), .. }) = &outputs[kept] else { panic!("{outputs:?}") };
    assert_eq!(serde_json::from_slice::<Call>(&value.bytes).unwrap().state, State::Dialing);

    queue.answered(&sid, placed("conv_1"), at(1));
    assert!(dialed(&advance(&mut queue, at(2))).is_empty());
    let outputs = advance(&mut queue, at(6));
    assert!(
        matches!(&outputs[..], [QueueOutput::AskConversation { conversation_id, .. }] if conversation_id == "conv_1"),
        "{outputs:?}"
    );
    queue.followed(&sid, Ok(ended(ConversationStatus::Running)), at(7));
    assert_eq!(queue.get(&sid).unwrap().state, State::Placed);
    queue.followed(&sid, Ok(ended(ConversationStatus::Done)), at(50));
    let call = queue.get(&sid).unwrap();
    assert_eq!((call.state, call.outcome), (State::Concluded, Some(Outcome::Answered)));
    assert_eq!(queue.count(State::Concluded), 1);
}

#[test]
fn calls_wait_without_an_uplink_and_leave_in_order_of_age_on_its_return() {
    let mut queue = queue();
    let sids: Vec<_> = (0..3).map(|n| queue.owe(owed(&format!("D{n}")), at(n)).unwrap().call_sid.clone()).collect();
    for sid in dialed(&advance(&mut queue, at(3))) {
        queue.answered(&sid, unreachable(), at(3));
    }
    assert_eq!((queue.count(State::Pending), queue.uplink()), (3, Uplink::Offline));
    assert!(dialed(&advance(&mut queue, at(3))).is_empty());
    let outputs = advance(&mut queue, at(4));
    assert!(outputs.contains(&QueueOutput::ProbeUplink), "a second later it is tried: {outputs:?}");
    queue.probed_uplink(false, at(5));
    assert_eq!(queue.next_deadline(at(5)).map(|(due, _)| due), Some(at(6).mono));
    assert!(advance(&mut queue, at(6)).contains(&QueueOutput::ProbeUplink));
    queue.probed_uplink(true, at(7));
    assert_eq!(dialed(&advance(&mut queue, at(7))), sids);
}

#[test]
fn an_attempt_of_unknown_outcome_is_never_dialled_again_by_itself() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    queue.answered(&sid, Verdict::Unknown("timeout".to_owned()), at(30));
    for secs in [31, 3_600, 86_400, 864_000] {
        assert!(dialed(&advance(&mut queue, at(secs))).is_empty());
    }
    assert_eq!(queue.get(&sid).unwrap().state, State::Unknown);
    let again = queue.retry(&sid, at(40)).unwrap().clone();
    assert_eq!((again.parent_call_sid.as_ref(), again.attempt), (Some(&sid), 2));
    assert_ne!(again.call_sid, sid);
    assert_eq!(queue.cancel(&sid, "a person knows better", at(41)).unwrap().state, State::Cancelled);
    assert!(matches!(queue.cancel(&sid, "x", at(42)), Err(Denied::TooLate { .. })));
}

#[test]
fn a_restart_makes_a_dialled_call_unknown_and_lets_the_others_go_on() {
    let mut before = queue();
    let first = before.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut before, at(0));
    let second = before.owe(owed("D2"), at(1)).unwrap().call_sid.clone();
    let mut after = Queue::new(Settings::default(), Retry::default(), "yard-7", "n2");
    after.set_unready(None);
    for call in before.list() {
        after.restore(call.clone(), at(10));
    }
    assert_eq!(dialed(&advance(&mut after, at(10))), vec![second]);
    assert_eq!(after.get(&first).unwrap().state, State::Unknown);
    assert_eq!(after.count(State::Dialing), 1);
}

#[test]
fn at_most_so_many_are_under_way_at_once() {
    let mut queue = queue();
    for n in 0..25 {
        queue.owe(owed(&format!("D{n}")), at(0)).unwrap();
    }
    let first = dialed(&advance(&mut queue, at(0)));
    assert_eq!(first.len(), 10);
    queue.answered(&first[0], placed("conv_1"), at(1));
    assert!(dialed(&advance(&mut queue, at(1))).is_empty(), "placed and not yet final counts");
    queue.followed(&first[0], Ok(ended(ConversationStatus::Done)), at(2));
    assert_eq!(dialed(&advance(&mut queue, at(2))).len(), 1);
}

#[test]
fn a_refused_account_stops_the_queue_until_a_probe_is_accepted() {
    let mut queue = queue();
    let first = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    queue.owe(owed("D2"), at(1)).unwrap();
    queue.answered(&first, Verdict::NotPlaced(NotPlaced::Unauthorised("invalid_api_key".to_owned())), at(1));
    assert!(dialed(&advance(&mut queue, at(2))).is_empty());
    assert_eq!(queue.count(State::Held), 2);
    assert!(advance(&mut queue, at(61)).contains(&QueueOutput::ProbeAccount));
    queue.probed_account(false, at(62));
    assert!(dialed(&advance(&mut queue, at(63))).is_empty());
    assert!(advance(&mut queue, at(122)).contains(&QueueOutput::ProbeAccount));
    queue.probed_account(true, at(123));
    assert_eq!(dialed(&advance(&mut queue, at(123))).len(), 2);
}

#[test]
fn a_busy_vendor_is_given_the_time_it_asks_for() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    let retry_after = Some(Duration::from_secs(7));
    let busy = Verdict::NotPlaced(NotPlaced::Busy { retry_after, concurrency: false, reason: "rate".to_owned() });
    queue.answered(&sid, busy, at(1));
    assert!(dialed(&advance(&mut queue, at(7))).is_empty());
    assert_eq!(queue.next_deadline(at(7)).map(|(due, _)| due), Some(at(8).mono));
    assert_eq!(dialed(&advance(&mut queue, at(8))), vec![sid]);
}

#[test]
fn a_refused_call_fails_alone() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    queue.owe(owed("D2"), at(0)).unwrap();
    advance(&mut queue, at(0));
    queue.answered(&sid, Verdict::NotPlaced(NotPlaced::Refused("422 to_number".to_owned())), at(1));
    let call = queue.get(&sid).unwrap();
    assert_eq!((call.state, call.reason.as_deref()), (State::Failed, Some("422 to_number")));
    assert_eq!(queue.count(State::Dialing), 1);
}

#[test]
fn a_call_expires_unless_the_violation_is_still_being_seen() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let stale = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    let fresh = queue.owe(owed("D2"), at(0)).unwrap().call_sid.clone();
    let seen = |id: &ViolationId| (id.as_str() == "V-D2").then(|| at(1_000).wall);
    queue.advance(at(1_799), &seen);
    assert_eq!(queue.count(State::Held), 2);
    queue.advance(at(1_800), &seen);
    assert_eq!(queue.get(&stale).unwrap().state, State::Expired);
    assert_eq!(queue.get(&fresh).unwrap().state, State::Held);
    queue.advance(at(2_800), &seen);
    assert_eq!(queue.get(&fresh).unwrap().state, State::Expired);
}

#[test]
fn a_clock_that_is_not_set_holds_calls_and_ages_none() {
    let mut queue = queue();
    let unset = |secs| Now { wall: UnixMillis(0) + Duration::from_secs(secs), trusted: false, ..at(secs) };
    let request = Owed { cause: Cause::Request, evidence: unset(5).wall, ..owed("D1") };
    let sid = queue.owe(request, unset(5)).unwrap().call_sid.clone();
    assert!(dialed(&advance(&mut queue, unset(6))).is_empty());
    assert_eq!(queue.get(&sid).unwrap().state, State::Held);
    assert_eq!(dialed(&advance(&mut queue, at(7))), vec![sid.clone()]);
    assert_eq!(queue.get(&sid).unwrap().created, at(7).wall);
}

#[test]
fn a_driver_just_called_about_it_is_not_called_again() {
    let mut queue = queue();
    let first = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    queue.answered(&first, placed("conv_1"), at(1));
    let second = queue.owe(Owed { evidence: at(600).wall, ..owed("D1") }, at(600)).unwrap().call_sid.clone();
    assert!(dialed(&advance(&mut queue, at(600))).is_empty());
    let call = queue.get(&second).unwrap();
    assert_eq!(call.state, State::Cancelled);
    assert_eq!(call.reason.as_deref(), Some("cooldown: this driver was called about it 10 minutes ago"));
    queue.owe(Owed { evidence: at(1_900).wall, ..owed("D1") }, at(1_900)).unwrap();
    assert_eq!(dialed(&advance(&mut queue, at(1_900))).len(), 1);
}

#[test]
fn rejoining_calls_off_only_what_waits_for_that_violation() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let one = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    let other = queue.owe(owed("D2"), at(0)).unwrap().call_sid.clone();
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(5));
    assert_eq!(queue.get(&one).unwrap().state, State::Cancelled);
    assert!(queue.get(&other).unwrap().state.is_waiting());
}

#[test]
fn nothing_happens_before_it_is_known_whether_anything_can_be_dialled() {
    let mut queue = Queue::new(Settings::default(), Retry::default(), "yard-7", "n1");
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    assert!(dialed(&advance(&mut queue, at(1))).is_empty());
    queue.set_unready(Some("no API key".to_owned()));
    advance(&mut queue, at(2));
    assert_eq!(queue.get(&sid).unwrap().state, State::Held);
    queue.set_unready(None);
    assert_eq!(dialed(&advance(&mut queue, at(3))), vec![sid]);
}

#[test]
fn an_attempt_that_is_no_longer_wanted_does_not_come_back() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(5));
    assert_eq!(queue.get(&sid).unwrap().state, State::Dialing, "the vendor may be ringing");
    queue.answered(&sid, unreachable(), at(10));
    let call = queue.get(&sid).unwrap();
    assert_eq!((call.state, call.reason.as_deref()), (State::Cancelled, Some("together again")));
    queue.probed_uplink(true, at(20));
    assert!(dialed(&advance(&mut queue, at(4_000))).is_empty());
}

#[test]
fn one_driver_is_not_dialled_twice_at_the_same_moment() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let second = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    let third = queue.owe(owed("D2"), at(0)).unwrap().call_sid.clone();
    let first = dialed(&advance(&mut queue, at(0)));
    assert_eq!(first.len(), 2);
    assert!(first.contains(&third));
    queue.answered(&first[0], placed("conv_1"), at(1));
    advance(&mut queue, at(1));
    assert_eq!(queue.get(&second).unwrap().state, State::Cancelled, "the cooldown holds for it");
}

#[test]
fn any_number_may_end_at_once_and_the_oldest_are_forgotten() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    for n in 0..MAX_ENDED + 500 {
        queue.owe(owed(&format!("D{n}")), at(0)).unwrap();
    }
    advance(&mut queue, at(1_800));
    assert_eq!((queue.count(State::Expired), queue.list().len()), (MAX_ENDED, MAX_ENDED));
    // Also with a clock that was set back meanwhile.
    let sid = queue.owe(owed("late"), at(10)).unwrap().call_sid.clone();
    assert_eq!(queue.cancel(&sid, "x", at(10)).unwrap().state, State::Cancelled);
}

#[test]
fn a_handshake_that_fails_behind_a_reachable_address_is_tried_more_and_more_rarely() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let mut attempts = 0;
    for secs in 0..600 {
        for output in advance(&mut queue, at(secs)) {
            match output {
                QueueOutput::Dial(order) => {
                    attempts += 1;
                    queue.answered(&order.call_sid, unreachable(), at(secs));
                }
                QueueOutput::ProbeUplink => queue.probed_uplink(true, at(secs)),
                QueueOutput::Keep(_)
                | QueueOutput::Changed(_)
                | QueueOutput::AskConversation { .. }
                | QueueOutput::ProbeAccount => {}
            }
        }
    }
    assert!((5..20).contains(&attempts), "{attempts}");
}

#[test]
fn nothing_new_begins_once_told_to_stop() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    queue.stop();
    assert!(dialed(&advance(&mut queue, at(1))).is_empty());
    assert_eq!(queue.count(State::Pending), 1);
}

#[test]
fn attempts_that_fail_together_cost_one_wait() {
    let mut queue = queue();
    for n in 0..10 {
        queue.owe(owed(&format!("D{n}")), at(0)).unwrap();
    }
    for sid in dialed(&advance(&mut queue, at(0))) {
        queue.answered(&sid, unreachable(), at(0));
    }
    queue.probed_uplink(true, at(1));
    assert_eq!(dialed(&advance(&mut queue, at(2))).len(), 10, "the uplink was away for a second");
}

#[test]
fn a_clock_that_is_set_neither_ends_nor_prolongs_the_cooldown() {
    for step in [18_000_000, -18_000_000] {
        let set = |secs| Now { wall: UnixMillis(at(secs).wall.0 + step), ..at(secs) };
        let mut queue = queue();
        let first = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
        advance(&mut queue, at(0));
        queue.answered(&first, placed("conv_1"), at(1));
        queue.clock_set(step, set(600));
        queue.owe(Owed { evidence: set(600).wall, ..owed("D1") }, set(600)).unwrap();
        assert_eq!(dialed(&advance(&mut queue, set(600))).len(), 0, "{step}");
        queue.owe(Owed { evidence: set(1_900).wall, ..owed("D1") }, set(1_900)).unwrap();
        assert_eq!(dialed(&advance(&mut queue, set(1_900))).len(), 1, "{step}");
    }
}
