use super::*;
use crate::core::calls::call::Outcome;
use crate::core::calls::dialing::{AskError, CallResult, Conversation, ConversationStatus, Turn};
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
        cause: Cause::Violation(separation(&format!("V-{driver}"), ViolationKind::LeftBehind)),
        callee: Callee::Driver,
        driver: Driver {
            id: DriverId::new(driver).unwrap(),
            name: "A Driver".to_owned(),
            phone: Phone::parse("+12125550123", "US").unwrap(),
        },
        dispatcher: None,
        prompt: "Fuel up.".to_owned(),
        triggers: 1,
        before: (0, None),
        evidence: UnixMillis(START),
    }
}

fn separation(violation_id: &str, kind: ViolationKind) -> Separation {
    Separation {
        violation_id: ViolationId::new(violation_id).unwrap(),
        kind,
        tractor: UnitId::new("T-1").unwrap(),
        trailer: UnitId::new("R-1").unwrap(),
        distance_m: None,
        position: None,
        over: None,
    }
}

fn with_dispatcher(driver: &str) -> Owed {
    let phone = Phone::parse("+12125550199", "US").unwrap();
    Owed { dispatcher: Some(Dispatcher { name: "Desk".to_owned(), phone }), ..owed(driver) }
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
        call_result: Some(CallResult::Answered),
        duration: Duration::from_secs(40),
        termination_reason: "end_call".to_owned(),
        error: None,
        user_messages: 2,
        call_sid: None,
        provider_call_sid: None,
        called: None,
        summary: Some("The driver goes back for it.".to_owned()),
        transcript: vec![Turn { role: "user".to_owned(), message: "Oh no.".to_owned() }],
        started: None,
    }
}

fn unanswered() -> Conversation {
    Conversation { call_result: Some(CallResult::NoAnswer), user_messages: 0, ..ended(ConversationStatus::Done) }
}

/// Dials what is due, and places it.
fn place(queue: &mut Queue, now: Now) -> Call {
    let sids = dialed(&advance(queue, now));
    let [sid] = &sids[..] else { panic!("one call is due, not {sids:?}") };
    queue.answered(sid, placed("conv"), now);
    queue.get(sid).unwrap().clone()
}

fn searched(outputs: &[QueueOutput]) -> Vec<CallSid> {
    let search = |o: &QueueOutput| if let QueueOutput::Find(search) = o { Some(search.call_sid.clone()) } else { None };
    outputs.iter().filter_map(search).collect()
}

/// Dials, and loses the answer.
fn lose(queue: &mut Queue, now: Now) -> CallSid {
    let sids = dialed(&advance(queue, now));
    let [sid] = &sids[..] else { panic!("one call is due, not {sids:?}") };
    queue.answered(sid, Verdict::Unknown("timeout".to_owned()), now);
    sid.clone()
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
fn an_attempt_of_unknown_outcome_is_not_dialled_again_while_the_vendor_cannot_be_asked() {
    let mut queue = queue();
    let sid = queue.owe(owed("D1"), at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(0));
    queue.answered(&sid, Verdict::Unknown("timeout".to_owned()), at(30));
    for secs in [31, 3_600, 86_400, 864_000] {
        queue.found(&sid, Err(AskError::Transient("503".to_owned())), at(secs));
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
    after.restore(before.list().into_iter().cloned().collect(), at(10));
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
    queue.answered(&first, Verdict::NotPlaced(NotPlaced::Account("invalid_api_key".to_owned())), at(1));
    assert!(dialed(&advance(&mut queue, at(2))).is_empty());
    assert_eq!(queue.count(State::Held), 2);
    assert!(advance(&mut queue, at(61)).contains(&QueueOutput::ProbeAccount));
    queue.probed_account(false, at(62));
    assert!(dialed(&advance(&mut queue, at(63))).is_empty());
    assert!(advance(&mut queue, at(122)).contains(&QueueOutput::ProbeAccount));
    queue.probed_account(true, at(123));
    let trial = dialed(&advance(&mut queue, at(123)));
    assert_eq!(trial, [first], "one call shows whether calls are taken again");
    queue.answered(&trial[0], placed("conv_1"), at(124));
    assert_eq!(dialed(&advance(&mut queue, at(124))).len(), 1);
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
    assert_eq!((call.state, call.reason.as_deref()), (State::Failed, Some("nobody reached; 422 to_number")));
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
    queue.followed(&first, Ok(ended(ConversationStatus::Done)), at(60));
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
    let sids: Vec<CallSid> = queue.list().into_iter().map(|call| call.call_sid.clone()).collect();
    for sid in sids {
        queue.cancel(&sid, "x", at(1)).unwrap();
    }
    assert_eq!((queue.count(State::Cancelled), queue.list().len()), (MAX_ENDED, MAX_ENDED));
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
                | QueueOutput::Find(_)
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
        queue.followed(&first, Ok(ended(ConversationStatus::Done)), at(60));
        queue.clock_set(step, set(600));
        queue.owe(Owed { evidence: set(600).wall, ..owed("D1") }, set(600)).unwrap();
        assert_eq!(dialed(&advance(&mut queue, set(600))).len(), 0, "{step}");
        queue.owe(Owed { evidence: set(1_900).wall, ..owed("D1") }, set(1_900)).unwrap();
        assert_eq!(dialed(&advance(&mut queue, set(1_900))).len(), 1, "{step}");
    }
}

#[test]
fn the_vendor_is_asked_about_a_lost_answer_and_only_its_last_empty_list_permits_dialling_again() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let sid = lose(&mut queue, at(0));
    let mut asked = Vec::new();
    for secs in 0..1_000 {
        let outputs = advance(&mut queue, at(secs));
        assert_eq!(dialed(&outputs), [], "at {secs} s only the vendor can know");
        for sid in searched(&outputs) {
            asked.push(secs);
            if secs < 900 {
                queue.found(&sid, Ok(None), at(secs));
            }
        }
    }
    assert_eq!(asked, [2, 10, 60, 300, 900], "calls.verify_after");
    queue.found(&sid, Ok(None), at(1_000));
    let again = queue.get(queue.get(&sid).unwrap().next_call_sid.as_ref().unwrap()).unwrap().clone();
    assert_eq!(queue.get(&sid).unwrap().state, State::Failed);
    assert_eq!((again.attempt, again.parent_call_sid.as_ref()), (1, Some(&sid)), "only placed calls count as attempts");
    assert_eq!(dialed(&advance(&mut queue, at(1_000))), [again.call_sid], "the cooldown is not for it");
    assert!(!queue.failed_since(UnixMillis(0)), "nothing is wrong with a call that goes on");
}

#[test]
fn a_lost_answer_that_was_a_call_is_followed_like_any_other() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let sid = lose(&mut queue, at(0));
    assert_eq!(searched(&advance(&mut queue, at(2))), std::slice::from_ref(&sid));
    let found = Found { conversation_id: "conv_9".to_owned(), provider_call_sid: Some("CA9".to_owned()) };
    queue.found(&sid, Ok(Some(found)), at(3));
    assert_eq!(queue.get(&sid).unwrap().state, State::Placed);
    let ask = QueueOutput::AskConversation { call_sid: sid.clone(), conversation_id: "conv_9".to_owned() };
    assert!(advance(&mut queue, at(3)).contains(&ask));
    queue.followed(&sid, Ok(ended(ConversationStatus::Done)), at(4));
    let call = queue.get(&sid).unwrap();
    assert_eq!((call.outcome, call.provider_call_sid.as_deref()), (Some(Outcome::Answered), Some("CA9")));
    assert_eq!((call.transcript.len(), call.summary.is_some(), call.duration_s), (1, true, Some(40)));
}

#[test]
fn an_empty_list_that_comes_late_counts_for_when_it_was_asked_for() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let sid = lose(&mut queue, at(0));
    assert_eq!(searched(&advance(&mut queue, at(899))).len(), 1, "gladhand slept");
    queue.found(&sid, Ok(None), at(950));
    assert_eq!(queue.get(&sid).unwrap().state, State::Unknown);
    assert_eq!(searched(&advance(&mut queue, at(950))).len(), 1);
    queue.found(&sid, Ok(None), at(951));
    assert_eq!(queue.get(&sid).unwrap().state, State::Failed);
}

#[test]
fn an_unanswered_call_is_repeated_and_then_the_dispatcher_is_called_and_then_nobody_was_reached() {
    let mut queue = queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let mut secs = 0;
    for attempt in 1..=3 {
        let call = place(&mut queue, at(secs));
        assert_eq!((call.attempt, call.callee, call.phone().expose()), (attempt, Callee::Driver, "+12125550123"));
        queue.followed(&call.call_sid, Ok(unanswered()), at(secs + 30));
        assert_eq!(queue.get(&call.call_sid).unwrap().outcome, Some(Outcome::NoAnswer));
        if attempt < 3 {
            assert!(dialed(&advance(&mut queue, at(secs + 629))).is_empty());
            let due = queue.next_deadline(at(secs + 629)).unwrap().0;
            assert_eq!(due, at(secs + 630).mono, "retry_after");
        }
        secs += 630;
    }
    let to_dispatcher = place(&mut queue, at(secs));
    assert_eq!((to_dispatcher.callee, to_dispatcher.phone().expose()), (Callee::DispatcherAfter, "+12125550199"));
    assert!(to_dispatcher.prompt.contains("I could not reach your driver A Driver"), "{}", to_dispatcher.prompt);
    assert_eq!(queue.nobody_reached().count(), 0);
    queue.followed(&to_dispatcher.call_sid, Ok(unanswered()), at(secs + 30));
    let last = queue.get(&to_dispatcher.call_sid).unwrap();
    assert!(last.nobody_reached && last.reason.as_deref().unwrap().starts_with("nobody reached"), "{last:?}");
    assert!(dialed(&advance(&mut queue, at(secs + 100_000))).is_empty());
    queue.acknowledge(&UnitId::new("T-1").unwrap(), "acknowledged", at(secs + 100_000));
    assert_eq!(queue.nobody_reached().count(), 0);
}

#[test]
fn nothing_follows_an_unanswered_call_whose_violation_is_over() {
    let mut queue = queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(10));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    assert_eq!(queue.list().len(), 1);
    // And an attempt that is owed already is called off.
    let mut queue = self::queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(40));
    assert_eq!((queue.count(State::Cancelled), queue.count(State::Pending)), (1, 0));
}

#[test]
fn a_separation_whose_call_expired_goes_to_the_dispatcher_and_a_request_does_not() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let separation = queue.owe(with_dispatcher("D1"), at(0)).unwrap().call_sid.clone();
    let alone = queue.owe(owed("D2"), at(0)).unwrap().call_sid.clone();
    let request = queue.owe(Owed { cause: Cause::Request, ..with_dispatcher("D3") }, at(0)).unwrap().call_sid.clone();
    advance(&mut queue, at(1));
    advance(&mut queue, at(1_800));
    assert_eq!(queue.count(State::Expired), 3);
    let next = queue.get(&separation).unwrap().next_call_sid.clone().unwrap();
    assert_eq!(queue.get(&next).unwrap().callee, Callee::DispatcherAfter);
    assert!(queue.get(&alone).unwrap().nobody_reached, "there is no dispatcher: health says so");
    assert!(queue.get(&request).unwrap().next_call_sid.is_none());
    queue.set_unready(None);
    assert_eq!(dialed(&advance(&mut queue, at(100_000))), [next], "it does not expire again");
}

#[test]
fn several_separations_of_one_driver_are_told_in_one_call() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let kind = ViolationKind::TrailerMovingAlone;
    queue.owe(owed("D1"), at(0)).unwrap();
    let other = Owed { cause: Cause::Violation(separation("V-2", kind)), ..owed("D1") };
    let second = queue.owe(other, at(1)).unwrap().call_sid.clone();
    queue.owe(owed("D2"), at(2)).unwrap();
    advance(&mut queue, at(3));
    queue.set_unready(None);
    let outputs = advance(&mut queue, at(4));
    let orders: Vec<&Order> = outputs.iter().filter_map(|o| if let QueueOutput::Dial(o) = o { Some(o) } else { None }).collect();
    assert_eq!(orders.len(), 2);
    assert!(orders[0].prompt.starts_with("There are 2 points"), "{}", orders[0].prompt);
    let told = queue.get(&second).unwrap();
    assert_eq!((told.state, told.next_call_sid.as_ref()), (State::Cancelled, Some(&orders[0].call_sid)));
    assert!(queue.knows(&ViolationId::new("V-2").unwrap()));
    // The power goes between keeping the one and keeping the other.
    let mut half: Vec<Call> = queue.list().into_iter().cloned().collect();
    let torn = half.iter_mut().find(|call| call.call_sid == second).unwrap();
    torn.state = State::Pending;
    torn.next_call_sid = None;
    let mut after = self::queue();
    after.restore(half, at(10));
    assert_eq!(dialed(&advance(&mut after, at(10))), []);
    // One of them ends, then nobody answers: the next attempt speaks of the other only.
    queue.answered(&orders[0].call_sid.clone(), placed("conv_1"), at(5));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(6));
    let first = orders[0].call_sid.clone();
    queue.followed(&first, Ok(unanswered()), at(30));
    let again = place_only(&mut queue, at(700), &first);
    assert!(again.prompt.starts_with("I am seeing an alert that your trailer is moving"), "{}", again.prompt);
}

fn place_only(queue: &mut Queue, now: Now, parent: &CallSid) -> Call {
    let sids = dialed(&advance(queue, now));
    let calls: Vec<&Call> = sids.iter().filter_map(|sid| queue.get(sid)).collect();
    calls.into_iter().find(|call| call.parent_call_sid.as_ref() == Some(parent)).unwrap().clone()
}

#[test]
fn an_end_and_what_follows_from_it_survive_a_power_cut_between_them() {
    let mut queue = queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    advance(&mut queue, at(1));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    let kept: Vec<CallSid> = core::iter::from_fn(|| queue.poll_output())
        .filter_map(|o| if let QueueOutput::Keep(change) = o { change.value } else { None })
        .map(|value| serde_json::from_slice::<Call>(&value.bytes).unwrap().call_sid)
        .collect();
    assert_ne!(kept.first(), Some(&call.call_sid), "what follows is kept first");
    let next = queue.get(&call.call_sid).unwrap().next_call_sid.clone().unwrap();
    let mut after = self::queue();
    after.restore(vec![queue.get(&next).unwrap().clone(), call.clone()], at(40));
    after.followed(&call.call_sid, Ok(unanswered()), at(50));
    assert_eq!(after.list().len(), 2, "the same end has one successor");
}

#[test]
fn drivers_are_left_alone_in_quiet_hours_and_the_dispatcher_is_not() {
    // 16:18:55 UTC.
    let quiet = toml::from_str("time_zone = 'UTC'\nfrom = '16:00'\nto = '17:00'\nexcept = ['trailer_moving_alone']").unwrap();
    let settings = Settings { quiet_hours: vec![quiet], ..Settings::default() };
    let mut queue = Queue::new(settings, Retry::default(), "yard-7", "n1");
    queue.set_unready(None);
    let held = queue.owe(with_dispatcher("D1"), at(0)).unwrap().call_sid.clone();
    let urgent = Cause::Violation(separation("V-2", ViolationKind::TrailerMovingAlone));
    let urgent = queue.owe(Owed { cause: urgent, ..owed("D2") }, at(0)).unwrap().call_sid.clone();
    assert_eq!(dialed(&advance(&mut queue, at(0))), [urgent]);
    let call = queue.get(&held).unwrap();
    assert_eq!((call.state, call.reason.as_deref()), (State::Held, Some("quiet hours until 17:00 (UTC)")));
    let escalated = dialed(&advance(&mut queue, at(1_800)));
    assert_eq!(queue.get(&escalated[0]).unwrap().callee, Callee::DispatcherAfter);
    let reason = queue.get(&held).unwrap().reason.clone().unwrap();
    assert_eq!(reason, "older than 30m; it was held: quiet hours until 17:00 (UTC)");
    let late = Owed { evidence: at(2_400).wall, ..owed("D3") };
    let late = queue.owe(late, at(2_400)).unwrap().call_sid.clone();
    assert!(dialed(&advance(&mut queue, at(2_400))).is_empty());
    // 17:00:00
    assert_eq!(queue.next_deadline(at(2_464)).map(|(due, _)| due), Some(at(2_465).mono));
    assert_eq!(dialed(&advance(&mut queue, at(2_465))), [late]);
}

#[test]
fn an_account_that_is_refused_again_is_left_alone_for_longer_and_tried_with_one_call() {
    let mut queue = queue();
    for n in 0..5 {
        queue.owe(owed(&format!("D{n}")), at(0)).unwrap();
    }
    let refused = || Verdict::NotPlaced(NotPlaced::Account("404 no such agent".to_owned()));
    for sid in dialed(&advance(&mut queue, at(0))) {
        queue.answered(&sid, refused(), at(0));
    }
    let mut attempts = Vec::new();
    for secs in 1..1_700 {
        for output in advance(&mut queue, at(secs)) {
            match output {
                QueueOutput::ProbeAccount => queue.probed_account(true, at(secs)),
                QueueOutput::Dial(order) => {
                    attempts.push(secs);
                    queue.answered(&order.call_sid, refused(), at(secs));
                }
                QueueOutput::Keep(_)
                | QueueOutput::Changed(_)
                | QueueOutput::AskConversation { .. }
                | QueueOutput::Find(_)
                | QueueOutput::ProbeUplink => {}
            }
        }
    }
    assert_eq!(attempts.len(), 4, "{attempts:?}");
    assert!(queue.is_refused());
}

fn sid_of(queue: &mut Queue, owed: Owed, now: Now) -> CallSid {
    queue.owe(owed, now).unwrap().call_sid.clone()
}

#[test]
fn a_retry_that_is_asked_for_twice_is_one() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(ended(ConversationStatus::Done)), at(30));
    queue.retry(&call.call_sid, at(40)).unwrap();
    let _second = queue.retry(&call.call_sid, at(40));
    let again = place(&mut queue, at(41));
    queue.followed(&again.call_sid, Ok(ended(ConversationStatus::Done)), at(80));
    assert!(dialed(&advance(&mut queue, at(81))).is_empty(), "rung once more, not twice");
}

#[test]
fn a_call_whose_next_attempt_is_under_way_is_not_repeated() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let first = place(&mut queue, at(0));
    queue.followed(&first.call_sid, Ok(unanswered()), at(30));
    let _second = place(&mut queue, at(700));
    let _ = queue.retry(&first.call_sid, at(705));
    assert!(dialed(&advance(&mut queue, at(706))).is_empty(), "its next attempt is on the line");
}

#[test]
fn what_was_called_off_and_is_repeated_is_wanted_again() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let sid = sid_of(&mut queue, owed("D1"), at(0));
    queue.acknowledge(&UnitId::new("T-1").unwrap(), "acknowledged by Ann", at(1));
    queue.set_unready(None);
    let again = queue.retry(&sid, at(5)).unwrap().call_sid.clone();
    let outputs = advance(&mut queue, at(6));
    assert_eq!(dialed(&outputs), std::slice::from_ref(&again));
    let said = queue.get(&again).unwrap().prompt.clone();
    queue.answered(&again, unreachable(), at(7));
    let state = queue.get(&again).unwrap().state;
    assert!(said.contains("not together") && state == State::Pending, "{said:?} {state}");
}

#[test]
fn one_call_tells_of_so_many_separations_and_no_more() {
    let mut queue = queue();
    let many = |queue: &mut Queue, from: usize, now: Now| {
        for n in from..from + 10 {
            let cause = Cause::Violation(separation(&format!("V-{n}"), ViolationKind::LeftBehind));
            queue.owe(Owed { cause, ..owed("D1") }, now).unwrap();
        }
    };
    queue.set_unready(Some("x".to_owned()));
    many(&mut queue, 0, at(0));
    advance(&mut queue, at(0));
    queue.set_unready(None);
    let sid = dialed(&advance(&mut queue, at(1)))[0].clone();
    queue.answered(&sid, unreachable(), at(2));
    queue.probed_uplink(true, at(10));
    let sids = dialed(&advance(&mut queue, at(20)));
    let most = sids.iter().map(|s| queue.get(s).unwrap().separations().count()).max().unwrap();
    assert!(most <= crate::core::calls::call::MAX_SEPARATIONS, "{most}");
}

#[test]
fn an_uplink_lost_while_a_call_is_followed_is_no_end_of_it() {
    let mut queue = queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Err(AskError::Unreachable("no route".to_owned())), at(7_300));
    assert_eq!(queue.get(&call.call_sid).unwrap().state, State::Placed, "the vendor was not asked");
    queue.followed(&call.call_sid, Ok(ended(ConversationStatus::Done)), at(7_400));
    assert_eq!(queue.get(&call.call_sid).unwrap().outcome, Some(Outcome::Answered));
    assert_eq!(queue.list().len(), 1, "the dispatcher is not told that the driver was not reached");
}

#[test]
fn a_call_that_nobody_answered_does_not_silence_the_next_separation() {
    let mut queue = queue();
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(60));
    let cause = Cause::Violation(separation("V-2", ViolationKind::LeftBehind));
    let second = sid_of(&mut queue, Owed { cause, evidence: at(300).wall, ..with_dispatcher("D1") }, at(300));
    for secs in (300..20_000).step_by(10) {
        if !dialed(&advance(&mut queue, at(secs))).is_empty() {
            return;
        }
    }
    panic!("nobody ever hears of V-2: {:?}", queue.get(&second).unwrap().reason);
}

#[test]
fn a_call_of_an_unset_clock_is_dated_after_a_restart_too() {
    let mut before = queue();
    let unset = |secs| Now { wall: UnixMillis(0) + Duration::from_secs(secs), trusted: false, ..at(secs) };
    let request = Owed { cause: Cause::Request, evidence: unset(5).wall, ..owed("D1") };
    let sid = sid_of(&mut before, request, unset(5));
    let mut after = Queue::new(Settings::default(), Retry::default(), "yard-7", "n2");
    after.set_unready(Some("no API key".to_owned()));
    after.restore(before.list().into_iter().cloned().collect(), at(10));
    advance(&mut after, at(10));
    advance(&mut after, at(100_000));
    assert_eq!(after.get(&sid).unwrap().state, State::Expired, "{:?}", after.get(&sid).unwrap().dated);
}

#[test]
fn calls_that_reached_nobody_are_bounded_as_well() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    for n in 0..3_000u64 {
        queue.owe(owed(&format!("D{n}")), at(0)).unwrap();
    }
    advance(&mut queue, at(1));
    advance(&mut queue, at(2_000));
    assert!(queue.list().len() <= MAX_ENDED + 1_000, "{}", queue.list().len());
}

#[test]
fn a_dispatcher_is_not_told_of_not_reaching_themselves() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    let base = with_dispatcher("dispatcher-T-1");
    let d = base.dispatcher.clone().unwrap();
    let driver = Driver { name: d.name.clone(), phone: d.phone.clone(), ..base.driver.clone() };
    let sid = sid_of(&mut queue, Owed { callee: Callee::DispatcherInstead, driver, ..base }, at(0));
    advance(&mut queue, at(1));
    advance(&mut queue, at(1_800));
    let next = queue.get(&sid).unwrap().next_call_sid.clone().unwrap();
    let prompt = &queue.get(&next).unwrap().prompt;
    assert!(!prompt.contains("your driver Desk"), "{prompt}");
}

#[test]
fn the_chain_of_a_request_does_not_end_in_silence() {
    let mut queue = queue();
    queue.owe(Owed { cause: Cause::Request, ..with_dispatcher("D1") }, at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    let next = dialed(&advance(&mut queue, at(700)));
    queue.answered(&next[0], Verdict::NotPlaced(NotPlaced::Refused("422".to_owned())), at(701));
    let call = queue.get(&next[0]).unwrap();
    assert!(call.next_call_sid.is_some() || call.nobody_reached, "{:?}", call.reason);
}

#[test]
fn a_dispatcher_who_cannot_be_called_either_is_said() {
    let mut queue = queue();
    queue.configure(Settings { attempts: 1, ..Settings::default() }, Retry::default());
    queue.owe(Owed { cause: Cause::Request, ..with_dispatcher("D1") }, at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    let next = dialed(&advance(&mut queue, at(31)));
    queue.answered(&next[0], Verdict::NotPlaced(NotPlaced::Refused("422".to_owned())), at(32));
    assert!(queue.get(&next[0]).unwrap().nobody_reached);
}

#[test]
fn the_time_that_the_vendor_asks_for_outlasts_an_uplink_that_flaps() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let sid = dialed(&advance(&mut queue, at(0)))[0].clone();
    let busy = NotPlaced::Busy { retry_after: Some(Duration::from_secs(600)), concurrency: false, reason: "rate".to_owned() };
    queue.answered(&sid, Verdict::NotPlaced(busy), at(1));
    assert!(advance(&mut queue, at(62)).contains(&QueueOutput::ProbeUplink));
    queue.probed_uplink(false, at(65));
    assert!(advance(&mut queue, at(66)).contains(&QueueOutput::ProbeUplink));
    queue.probed_uplink(true, at(66));
    assert!(dialed(&advance(&mut queue, at(67))).is_empty(), "the vendor asked for ten minutes");
}

#[test]
fn a_driver_who_is_being_dialled_is_not_dialled_about_anything_else() {
    let mut queue = queue();
    queue.set_unready(Some("x".to_owned()));
    queue.owe(owed("D1"), at(0)).unwrap();
    let k2 = |v: &str| Owed { cause: Cause::Violation(separation(v, ViolationKind::TrailerMovingAlone)), ..owed("D1") };
    queue.owe(k2("V-2"), at(0)).unwrap();
    advance(&mut queue, at(0));
    queue.set_unready(None);
    assert_eq!(dialed(&advance(&mut queue, at(1))).len(), 1);
    queue.owe(k2("V-3"), at(2)).unwrap();
    assert!(dialed(&advance(&mut queue, at(2))).is_empty(), "its driver is being dialled about that kind");
}

#[test]
fn a_retry_that_would_wait_for_the_morning_goes_to_the_dispatcher() {
    // 16:18:55 UTC
    let quiet = toml::from_str("time_zone = 'UTC'\nfrom = '16:25'\nto = '06:00'").unwrap();
    let settings = Settings { quiet_hours: vec![quiet], ..Settings::default() };
    let mut queue = Queue::new(settings, Retry::default(), "yard-7", "n1");
    queue.set_unready(None);
    queue.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut queue, at(0));
    queue.followed(&call.call_sid, Ok(unanswered()), at(30));
    for secs in (30..3 * 3600).step_by(30) {
        if !dialed(&advance(&mut queue, at(secs))).is_empty() {
            return;
        }
    }
    panic!("three hours, and nobody has heard of it");
}

#[test]
fn a_call_of_several_separations_is_as_fresh_as_the_freshest() {
    let mut queue = queue();
    queue.set_unready(Some("x".to_owned()));
    queue.owe(owed("D1"), at(0)).unwrap();
    let k2 = Owed { cause: Cause::Violation(separation("V-2", ViolationKind::TrailerMovingAlone)), ..owed("D1") };
    queue.owe(k2, at(0)).unwrap();
    advance(&mut queue, at(0));
    queue.set_unready(None);
    let sid = dialed(&advance(&mut queue, at(1)))[0].clone();
    queue.answered(&sid, unreachable(), at(2));
    queue.violation_ended(&ViolationId::new("V-D1").unwrap(), "together again", at(10));
    let seen = |id: &ViolationId| (id.as_str() == "V-2").then(|| at(1_790).wall);
    queue.advance(at(1_800), &seen);
    assert_eq!(queue.get(&sid).unwrap().state, State::Pending, "{:?}", queue.get(&sid).unwrap().reason);
}

#[test]
fn a_request_that_names_our_call_as_its_parent_is_not_its_next_attempt() {
    let mut before = queue();
    before.owe(with_dispatcher("D1"), at(0)).unwrap();
    let call = place(&mut before, at(0));
    let theirs = Owed { cause: Cause::Request, before: (1, Some(call.call_sid.clone())), ..owed("D1") };
    before.owe(theirs, at(1)).unwrap();
    let mut after = Queue::new(Settings::default(), Retry::default(), "yard-7", "n2");
    after.set_unready(None);
    after.restore(before.list().into_iter().cloned().collect(), at(10));
    after.followed(&call.call_sid, Ok(unanswered()), at(30));
    assert_eq!(after.list().len(), 3, "the separation's next attempt is owed");
}

#[test]
fn asking_behind_a_captive_portal_grows_rarer() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    lose(&mut queue, at(0));
    let mut asked = 0;
    for secs in 0..600 {
        for output in advance(&mut queue, at(secs)) {
            match output {
                QueueOutput::Find(search) => {
                    asked += 1;
                    queue.found(&search.call_sid, Err(AskError::Unreachable("TLS".to_owned())), at(secs));
                }
                QueueOutput::ProbeUplink => queue.probed_uplink(true, at(secs)),
                QueueOutput::Keep(_)
                | QueueOutput::Changed(_)
                | QueueOutput::Dial(_)
                | QueueOutput::AskConversation { .. }
                | QueueOutput::ProbeAccount => {}
            }
        }
    }
    assert!((5..40).contains(&asked), "{asked}");
}

#[test]
fn a_conversation_that_failed_told_nobody() {
    let failed = Conversation {
        user_messages: 0,
        duration: Duration::from_secs(6),
        error: Some("1008 missing_dynamic_variable".to_owned()),
        ..ended(ConversationStatus::Failed)
    };
    assert_ne!(Outcome::of(&failed), Outcome::Answered);
}

#[test]
fn a_driver_on_the_telephone_with_us_is_not_called() {
    let mut queue = queue();
    queue.owe(owed("D1"), at(0)).unwrap();
    let _call = place(&mut queue, at(0));
    let cause = Cause::Violation(separation("V-2", ViolationKind::TrailerMovingAlone));
    queue.owe(Owed { cause, ..owed("D1") }, at(10)).unwrap();
    assert!(dialed(&advance(&mut queue, at(11))).is_empty(), "the driver is on the telephone with us");
}

#[test]
fn a_dispatcher_hears_of_several_drivers_in_one_call() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    for n in 0..10 {
        queue.owe(with_dispatcher(&format!("D{n}")), at(0)).unwrap();
    }
    advance(&mut queue, at(1));
    advance(&mut queue, at(1_800));
    queue.set_unready(None);
    let mut told = 0;
    for secs in [3_600, 3_700] {
        let call = place(&mut queue, at(secs));
        told += call.separations().count();
        queue.followed(&call.call_sid, Ok(ended(ConversationStatus::Done)), at(secs + 50));
    }
    assert_eq!((told, queue.nobody_reached().count()), (10, 0));
    assert!(dialed(&advance(&mut queue, at(4_000))).is_empty());
}

#[test]
fn requests_beyond_the_limit_are_refused_and_a_separation_never_is() {
    let mut queue = queue();
    queue.set_unready(Some("no API key".to_owned()));
    for n in 0..MAX_ACTIVE {
        queue.owe(Owed { cause: Cause::Request, ..owed(&format!("D{n}")) }, at(0)).unwrap();
    }
    assert_eq!(queue.owe(Owed { cause: Cause::Request, ..owed("one") }, at(0)), Err(Denied::Full));
    let separation = queue.owe(owed("two"), at(0)).unwrap().call_sid.clone();
    assert_eq!(queue.get(&separation).unwrap().state, State::Pending);
}
