//! Forks: parallel by equal q, serial by falling q, the best of several responses (RFC 3261 §16.6, §16.7).

mod office;

use office::{HUB, Office, address};
use sip_core::proxy::{Event, Target};
use sip_core::ua::{Cause, Event as PhoneEvent};
use sip_testkit::{Config, Heard, NodeId, Rule, Wire};

const ALICE: &str = "192.0.2.1:5060";
const DESK: &str = "192.0.2.2:5060";
const SOFT: &str = "192.0.2.3:5060";

#[test]
fn both_phones_ring_and_the_first_to_answer_wins() {
    let (mut office, alice, [desk, soft]) = Office::fork(1, 500, 500);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(desk);
    office.ring(soft);
    office.pause();
    office.answer(soft);
    office.pause();
    assert_eq!(office.lines(HUB, DESK), ["INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, SOFT), ["INVITE", "ACK"]);
    assert_eq!(office.heard(HUB, ALICE), ["180", "180", "200"]);
    assert_eq!(office.ended(desk).len(), 1);
    office.hang_up(alice, call);
    office.settle();
}

#[test]
fn kamailio_570_two_phones_answer_at_once_and_both_answers_arrive() {
    let (mut office, alice, [desk, soft]) = Office::fork(2, 500, 500);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(desk);
    office.ring(soft);
    office.pause();
    // The CANCEL meets the second 200.
    office.answer(desk);
    office.answer(soft);
    office.wait(1000);
    let answers = office.heard(HUB, ALICE).iter().filter(|line| *line == "200").count();
    assert!(answers >= 2, "{}", office.world.explain());
    // One is kept, the other ended by the caller, and nobody is left in a call alone.
    assert_eq!(office.ended(desk).len() + office.ended(soft).len(), 1, "{}", office.world.explain());
    office.hang_up(alice, call);
    office.settle();
    assert_eq!((office.ended(desk).len(), office.ended(soft).len()), (1, 1));
}

#[test]
fn the_lower_q_is_tried_when_the_higher_has_failed() {
    let (mut office, alice, [desk, soft]) = Office::fork(3, 900, 100);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    assert!(office.events(soft).is_empty());
    office.ring(desk);
    office.pause();
    office.reject(desk, 486);
    office.pause();
    office.answer(soft);
    office.pause();
    assert_eq!(office.heard(HUB, ALICE), ["180", "200"], "{}", office.world.explain());
    office.hang_up(alice, call);
    office.settle();
}

#[test]
fn the_best_of_all_answers_goes_back_when_none_accepts() {
    for (first, second, best) in [(486, 404, 486), (404, 486, 404), (480, 302, 302), (500, 486, 486), (503, 500, 500)] {
        for (one, other) in [(500, 500), (900, 100)] {
            let (mut office, alice, [desk, soft]) = Office::fork(4, one, other);
            office.call(alice, "sip:bob@example.com");
            office.pause();
            office.reject(desk, first);
            office.pause();
            office.reject(soft, second);
            office.pause();
            assert_eq!(office.heard(HUB, ALICE), [best.to_string()], "{}", office.world.explain());
            office.settle();
        }
    }
}

#[test]
fn a_6xx_ends_the_search_at_every_phone() {
    let (mut office, alice, [desk, soft]) = Office::fork(5, 500, 500);
    office.bind("bob", "sip:later@192.0.2.2", 100);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(desk);
    office.ring(soft);
    office.pause();
    office.reject(desk, 603);
    office.pause();
    assert_eq!(office.lines(HUB, SOFT), ["INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, DESK), ["INVITE", "ACK"]);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 603)]);
    office.settle();
}

#[test]
fn a_cancel_reaches_every_phone() {
    let (mut office, alice, [desk, soft]) = Office::fork(6, 500, 500);
    office.bind("bob", "sip:later@192.0.2.2", 100);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(desk);
    office.ring(soft);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    for at in [DESK, SOFT] {
        assert_eq!(office.lines(HUB, at), ["INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    }
    assert_eq!((office.ended(desk).len(), office.ended(soft).len()), (1, 1));
    assert_eq!(office.heard(HUB, ALICE), ["180", "180", "200", "487"]);
    office.settle();
}

#[test]
fn kamailio_315_no_cancel_goes_to_a_branch_that_is_final() {
    let (mut office, alice, [desk, soft]) = Office::fork(7, 500, 500);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.reject(desk, 486);
    office.ring(soft);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.lines(HUB, DESK), ["INVITE", "ACK"], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, SOFT), ["INVITE", "CANCEL", "ACK"]);
    office.settle();
}

#[test]
fn kamailio_909_4768_a_branch_is_cancelled_and_another_one_added() {
    let (mut office, alice, [desk, soft]) = Office::fork(8, 500, 500);
    office.world.user_mut().bindings.pop();
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(desk);
    office.wait(1000);
    let request = office.request();
    let branch = office.proxy(|hub, _| hub.branches(request).next()).expect("a branch");
    office.proxy(|hub, now| hub.add_targets(now, request, &[Target::new(b"sip:bob@192.0.2.3")])).unwrap();
    office.pause();
    office.proxy(|hub, now| hub.cancel_branch(now, branch)).unwrap();
    office.pause();
    assert_eq!(office.lines(HUB, DESK), ["INVITE", "CANCEL", "ACK"], "{}", office.world.explain());
    office.answer(soft);
    office.pause();
    // The same target again is none.
    assert!(office.proxy(|hub, now| hub.add_targets(now, request, &[Target::new(b"sip:bob@192.0.2.3")])).is_err());
    assert_eq!(office.heard(HUB, ALICE), ["180", "200"]);
    let call = office.incoming(soft);
    office.hang_up(soft, call);
    office.settle();
}

/// A scripted phone at the first target of bob, which has been asked to ring.
fn slow_phone(seed: u64) -> (Office, Wire, Heard, Wire, NodeId) {
    let mut office = Office::new(seed);
    let soft = office.add("soft", SOFT);
    let (mut wire, mut slow) = (Wire::new("192.0.2.9:5060"), Wire::new("192.0.2.11:5060"));
    office.bind("bob", "sip:bob@192.0.2.11", 900);
    office.bind("bob", "sip:bob@192.0.2.3", 100);
    let mut leg = wire.leg("sip:bob@example.com");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, sip_testkit::OFFER);
    let hub = office.hub;
    wire.send(&mut office, hub, &invite);
    office.pause();
    let invite = slow.expect(&office, "INVITE");
    slow.respond(&mut office, hub, &invite, 180, "");
    office.pause();
    wire.expect(&office, "180");
    (office, slow, invite, wire, soft)
}

#[test]
fn reciprocate_209_210_timer_c_is_for_each_branch_and_the_search_goes_on_after_it() {
    let (mut office, mut slow, _, mut wire, soft) = slow_phone(9);
    office.wait(184_700);
    slow.expect_nothing(&office);
    office.wait(400);
    slow.expect(&office, "CANCEL");
    // The 487 never comes.
    assert!(office.events(soft).is_empty());
    office.wait(32_000);
    assert!(matches!(office.events(soft)[..], [PhoneEvent::Incoming { .. }]), "{}", office.world.explain());
    office.answer(soft);
    office.pause();
    wire.expect(&office, "200");
}

#[test]
fn timer_c_starts_anew_with_each_response_but_100() {
    let (mut office, mut slow, invite, _, _) = slow_phone(10);
    let hub = office.hub;
    for status in [183, 180, 100] {
        office.wait(100_000);
        slow.expect_nothing(&office);
        slow.respond(&mut office, hub, &invite, status, "");
    }
    // 185 s after the 180.
    office.wait(84_000);
    slow.expect_nothing(&office);
    office.wait(2000);
    assert_eq!(slow.hear(&office)[0].kind(), "CANCEL");
}

#[test]
fn the_challenges_of_all_branches_go_back_together() {
    let mut office = Office::new(11);
    let (mut one, mut two) = (Wire::new("192.0.2.11:5060"), Wire::new("192.0.2.12:5060"));
    let mut wire = Wire::new("192.0.2.9:5060");
    office.bind("bob", "sip:bob@192.0.2.11", 500);
    office.bind("bob", "sip:bob@192.0.2.12", 500);
    let mut leg = wire.leg("sip:bob@example.com");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, b"");
    let hub = office.hub;
    wire.send(&mut office, hub, &invite);
    office.pause();
    let (at_one, at_two) = (one.expect(&office, "INVITE"), two.expect(&office, "INVITE"));
    one.respond(&mut office, hub, &at_one, 401, "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"\r\n");
    office.pause();
    two.respond(&mut office, hub, &at_two, 407, "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n");
    office.pause();
    let [_, heard] = &wire.expect_all(&office, &["100", "401"])[..] else { unreachable!("two responses") };
    assert_eq!(heard.rows("WWW-Authenticate").len(), 1, "{}", heard.text());
    assert_eq!(heard.rows("Proxy-Authenticate").len(), 1, "{}", heard.text());
}

#[test]
fn the_contacts_of_a_3xx_are_tried_where_that_is_wanted_and_none_twice() {
    for recurse in [false, true] {
        let mut office =
            Office::with(Config::new(12).with_ladder(5000).with_check(), |config| config.recurse = recurse);
        let alice = office.add("alice", ALICE);
        let soft = office.add("soft", SOFT);
        let mut moved = Wire::new("192.0.2.11:5060");
        office.bind("bob", "sip:bob@192.0.2.11", 1000);
        office.call(alice, "sip:bob@example.com");
        office.pause();
        let hub = office.hub;
        let invite = moved.expect(&office, "INVITE");
        let contacts = "Contact: <sip:bob@192.0.2.11>, <sip:soft@192.0.2.3>;q=0.3, <mailto:a@b>\r\n";
        moved.respond(&mut office, hub, &invite, 302, contacts);
        office.pause();
        moved.expect(&office, "ACK");
        if recurse {
            office.answer(soft);
            office.pause();
            assert_eq!(office.heard(HUB, ALICE), ["200"], "{}", office.world.explain());
            let call = office.incoming(soft);
            office.hang_up(soft, call);
        } else {
            assert_eq!(office.heard(HUB, ALICE), ["302"]);
        }
        office.settle();
    }
}

#[test]
fn reciprocate_368_sprout_1002_the_503_of_a_branch_is_a_500_and_is_tried_once() {
    let mut office = Office::new(13);
    let alice = office.add("alice", ALICE);
    let (mut one, mut two) = (Wire::new("192.0.2.11:5060"), Wire::new("192.0.2.12:5060"));
    let target = |at: &Wire| sip_core::transport::Target {
        address: at.address(),
        transport: sip_core::transport::Transport::Udp,
    };
    office.world.add_host("pbx.example", target(&one));
    office.world.add_host("pbx.example", target(&two));
    office.bind("bob", "sip:bob@pbx.example", 1000);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let hub = office.hub;
    let invite = one.expect(&office, "INVITE");
    one.respond(&mut office, hub, &invite, 503, "Retry-After: 60\r\n");
    office.pause();
    let again = two.expect(&office, "INVITE");
    assert_ne!(again.branch(), invite.branch());
    two.respond(&mut office, hub, &again, 503, "");
    office.pause();
    one.expect(&office, "ACK");
    two.expect(&office, "ACK");
    assert_eq!(office.ended(alice), [(Cause::Rejected, 500)], "{}", office.world.explain());
    office.settle();
}

#[test]
fn a_lost_final_response_is_repeated_and_the_caller_gets_one() {
    let (mut office, alice, [desk, soft]) = Office::fork(14, 500, 500);
    office.world.network_mut().add_rule(Rule::lose("486").times(3));
    office.world.network_mut().add_rule(Rule::lose("404").to(address(ALICE)).times(2));
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.reject(desk, 486);
    office.reject(soft, 404);
    office.wait(20_000);
    let finals = office.told().into_iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    assert_eq!((office.ended(alice).len(), finals), (1, 1), "{}", office.world.explain());
    office.settle();
}

/// Fault 11 (kamailio 2419): the ACK to a 2xx had the branch of the ACK to a refusal of another branch, and was swallowed where both
/// went. Its branch is of its own, the same for each repetition, and another for each dialog.
#[test]
fn kamailio_2419_the_ack_to_a_2xx_has_a_branch_of_its_own() {
    let mut office = Office::new(20);
    // Both branches go to the same next hop.
    let (mut near, mut far) = (Wire::new("192.0.2.9:5060"), Wire::new("192.0.2.10:5060"));
    office.bind("bob", "sip:desk@192.0.2.10", 500);
    office.bind("bob", "sip:soft@192.0.2.10", 500);
    let hub = office.hub;
    let mut leg = near.leg("sip:bob@example.com");
    let contact = near.contact();
    let invite = near.request(&mut leg, "INVITE", &contact, b"");
    near.send(&mut office, hub, &invite);
    office.pause();
    let [one, other] = &far.expect_all(&office, &["INVITE", "INVITE"])[..] else { unreachable!("two branches") };
    far.respond(&mut office, hub, one, 486, "");
    far.accept(&mut office, hub, other, "a", b"");
    // A fork behind it has another phone, which answers too.
    far.accept(&mut office, hub, other, "b", b"");
    office.pause();
    let refused = far.expect(&office, "ACK");
    assert_eq!(refused.branch(), one.branch());
    let via = near.branch();
    let mut branches = Vec::new();
    for tag in ["a", "a", "b"] {
        let mut leg = leg.clone();
        leg.target = "sip:soft@192.0.2.10".into();
        leg.remote.push_str(&format!(";tag={tag}"));
        let ack = near.request_as(&leg, "ACK", &via, "", b"");
        near.send(&mut office, hub, &ack);
        office.pause();
        branches.push(far.expect(&office, "ACK").branch());
    }
    assert_eq!(branches[0], branches[1]);
    for branch in [&branches[2], &one.branch(), &other.branch()] {
        assert_ne!(&branches[0], branch, "{}", office.world.explain());
    }
}
