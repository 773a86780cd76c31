//! Calls through a proxy that passes each request to one target (RFC 3261 §16.3-16.7, §16.10). Forks are in `proxy_forks.rs`,
//! random faults in `proxy_faults.rs`.

mod office;

use office::{Answers, HUB, Office, address};
use sip_core::proxy::{Ask, Event, Why};
use sip_core::time::Duration;
use sip_core::ua::{Cause, Content};
use sip_testkit::{Config, Rule, Wire};

const ALICE: &str = "192.0.2.1:5060";
const BOB: &str = "192.0.2.2:5060";
const WIRE: &str = "192.0.2.9:5060";

#[test]
fn a_call_goes_through_with_all_that_belongs_to_it() {
    let (mut office, alice, bob) = Office::pair(1);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(bob);
    office.pause();
    office.answer(bob);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.ended(bob), [(Cause::RemoteHangup, 0)], "{}", office.world.explain());
    assert_eq!(office.ended(alice).len(), 1);
    // The proxy has stayed in the dialog, and no message went by it.
    assert_eq!(office.lines(ALICE, HUB), ["INVITE", "ACK", "BYE"]);
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK", "BYE"]);
    assert_eq!(office.lines(HUB, ALICE), ["180", "200", "200"]);
    assert!(office.lines(ALICE, BOB).is_empty() && office.lines(BOB, ALICE).is_empty());
    let told = office.told();
    assert!(
        matches!(told[..], [Event::Request { why: Why::Own, .. }, Event::Finished { status: 200, .. }]),
        "{told:?}"
    );
    office.settle();
}

#[test]
fn the_callee_hangs_up_through_the_proxy() {
    let (mut office, alice, bob) = Office::pair(2);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let call = office.answer(bob);
    office.pause();
    office.phone(bob, |phone, now| phone.reinvite(now, call, &Content::sdp(sip_testkit::OFFER))).unwrap();
    office.pause();
    let at_alice = office.events(alice).into_iter().find_map(|event| match event {
        sip_core::ua::Event::Reinvite { call } => Some(call),
        _ => None,
    });
    let at_alice = at_alice.expect("a re-INVITE");
    office.phone(alice, |phone, now| phone.answer(now, at_alice, &Content::sdp(sip_testkit::ANSWER))).unwrap();
    office.pause();
    office.hang_up(bob, call);
    office.pause();
    assert_eq!(office.lines(HUB, ALICE), ["200", "INVITE", "ACK", "BYE"], "{}", office.world.explain());
    office.settle();
}

#[test]
fn a_refusal_goes_back_as_it_came_and_is_acknowledged_hop_by_hop() {
    let (mut office, alice, bob) = Office::pair(3);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.reject(bob, 486);
    office.pause();
    assert_eq!(office.ended(alice), [(Cause::Rejected, 486)], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK"]);
    assert_eq!(office.lines(ALICE, HUB), ["INVITE", "ACK"]);
    office.settle();
}

#[test]
fn a_user_that_is_not_known_is_refused_by_the_application() {
    let (mut office, alice, _) = Office::pair(4);
    office.call(alice, "sip:carol@example.com");
    office.pause();
    assert_eq!(office.ended(alice), [(Cause::Rejected, 404)]);
    office.settle();
}

#[test]
fn a_question_may_be_answered_later() {
    let (mut office, alice, bob) = Office::pair(5);
    office.world.user_mut().answers = Answers::After(Duration::from_millis(700));
    office.call(alice, "sip:bob@example.com");
    office.wait(600);
    // Nobody has answered, so the client is told to wait.
    assert_eq!(office.lines(HUB, ALICE), ["100"]);
    office.wait(300);
    office.answer(bob);
    office.pause();
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK"], "{}", office.world.explain());
    let call = office.incoming(bob);
    office.hang_up(bob, call);
    office.settle();
}

/// A search that the application ends is told to be over, whether it ends at once or not.
#[test]
fn what_the_application_cancels_is_told_to_be_over() {
    for (method, status) in [("MESSAGE", 487), ("INVITE", 487)] {
        let (mut office, _, _) = Office::pair(15);
        let mut wire = Wire::new(WIRE);
        let hub = office.hub;
        let mut leg = wire.leg("sip:bob@example.com");
        let message = wire.request(&mut leg, method, &wire.contact(), b"");
        // Bob's phone says nothing.
        office.world.network_mut().add_rule(Rule::lose(method).to(address(BOB)));
        wire.send(&mut office, hub, &message);
        office.pause();
        let request = office.request();
        office.proxy(|hub, now| hub.cancel(now, request)).unwrap();
        office.settle();
        let ends = office.told().into_iter().filter(|event| *event == Event::Finished { request, status }).count();
        assert_eq!(ends, 1, "{method}: {:?}\n{}", office.told(), office.world.explain());
    }
}

#[test]
fn a_question_without_an_answer_ends_after_64_t1() {
    let (mut office, alice, _) = Office::pair(6);
    office.world.user_mut().answers = Answers::Never;
    office.call(alice, "sip:bob@example.com");
    office.wait(31_900);
    assert_eq!(office.ended(alice), []);
    office.wait(200);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 500)]);
    assert!(matches!(office.told().last(), Some(Event::Finished { status: 500, .. })));
    office.settle();
    // To another request nothing is answered: its client has given up (RFC 4320 §4.2).
    let mut wire = Wire::new(WIRE);
    let mut leg = wire.leg("sip:bob@example.com");
    let request = wire.request(&mut leg, "MESSAGE", "", b"");
    let hub = office.hub;
    wire.send(&mut office, hub, &request);
    office.wait(40_000);
    assert_eq!(wire.kinds(&office), "100");
    office.settle();
}

#[test]
fn siphon_243_a_repeated_cancel_gets_the_same_200_and_is_not_passed_on_again() {
    let (mut office, alice, bob) = Office::pair(7);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(bob);
    office.pause();
    office.world.network_mut().add_rule(Rule::lose("200 CANCEL").to(address(ALICE)).times(2));
    office.hang_up(alice, call);
    office.wait(3000);
    assert_eq!(office.lines(ALICE, HUB), ["INVITE", "CANCEL", "ACK", "CANCEL", "CANCEL"], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(office.ended(bob).len(), 1);
    assert_eq!(office.ended(alice).len(), 1);
    office.settle();
}

#[test]
fn kamailio_4881_siphon_214_the_487_after_a_cancel_is_acknowledged() {
    let (mut office, alice, bob) = Office::pair(8);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(bob);
    office.pause();
    // The 487 comes late, and again.
    office.world.network_mut().add_rule(Rule::lose("487").from(address(BOB)).times(2));
    office.hang_up(alice, call);
    office.wait(10_000);
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, ALICE), ["180", "200", "487"]);
    office.settle();
}

#[test]
fn a_cancel_before_any_response_waits_for_the_first_one() {
    let (mut office, alice, bob) = Office::pair(9);
    office.world.network_mut().add_rule(Rule::lose("INVITE").to(address(BOB)));
    let call = office.call(alice, "sip:bob@example.com");
    office.wait(210);
    // The proxy has said 100; bob has nothing yet.
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.lines(HUB, BOB), ["INVITE"]);
    office.wait(500);
    // Its 100 came, and the CANCEL after it.
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    assert_eq!((office.ended(alice).len(), office.ended(bob).len()), (1, 1));
    office.settle();
}

#[test]
fn a_cancel_while_the_application_thinks_is_answered_at_once() {
    let (mut office, alice, _) = Office::pair(10);
    office.world.user_mut().answers = Answers::After(Duration::from_secs(5));
    let call = office.call(alice, "sip:bob@example.com");
    office.wait(300);
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.lines(HUB, ALICE), ["100", "200", "487"], "{}", office.world.explain());
    assert!(matches!(office.told().last(), Some(Event::Cancelled { .. })));
    // The answer comes too late, and does nothing.
    office.wait(10_000);
    assert_eq!(office.lines(HUB, BOB), [""; 0]);
    office.settle();
}

#[test]
fn siphon_141_who_is_unreachable_is_told_at_once() {
    let (mut office, alice, bob) = Office::pair(11);
    office.world.refuse(bob, true);
    office.call(alice, "sip:bob@example.com");
    office.wait(300);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 500)], "{}", office.world.explain());
    office.settle();
    office.bind("carol", "sip:carol@nowhere.example", 1000);
    office.call(alice, "sip:carol@example.com");
    office.wait(300);
    assert_eq!(office.ended(alice)[1..], [(Cause::Rejected, 500)]);
    office.settle();
}

#[test]
fn who_does_not_answer_is_a_408_after_64_t1() {
    let (mut office, alice, bob) = Office::pair(12);
    office.world.unplug(bob, true);
    office.call(alice, "sip:bob@example.com");
    office.wait(31_900);
    assert_eq!(office.ended(alice), []);
    office.wait(300);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 408)], "{}", office.world.explain());
    office.settle();
}

#[test]
fn what_passes_through_is_asked_about_only_when_that_is_wanted() {
    for (ask, asked) in [(Ask::Own, 0), (Ask::OutOfDialog, 1)] {
        let mut office = Office::with(Config::new(13).with_ladder(5000).with_check(), |config| config.ask = ask);
        let alice = office.add("alice", ALICE);
        let bob = office.add("bob", BOB);
        office.call(alice, "sip:bob@192.0.2.2");
        office.pause();
        let call = office.answer(bob);
        office.pause();
        office.hang_up(bob, call);
        office.settle();
        let count =
            office.told().iter().filter(|event| matches!(event, Event::Request { why: Why::Passing, .. })).count();
        assert_eq!(count, asked, "{}", office.world.explain());
        assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK", "200"]);
    }
}

#[test]
fn a_stray_response_is_not_passed_on() {
    let (mut office, _, _) = Office::pair(14);
    let response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bK0123456789abcdef.0123456789abcdef\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\n\
        CSeq: 1 INVITE\r\n\r\n";
    office.world.inject(address(WIRE), address(HUB), response);
    office.pause();
    assert_eq!((office.lines(HUB, ALICE).len(), office.world.stats().strays), (0, 1));
}
