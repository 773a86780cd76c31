//! What the property tests found in the user agent, each as a short story that failed before its mend.

use sip_core::error::Error;
use sip_core::message::Method;
use sip_core::transport::Address;
use sip_core::ua::{Call, Cause, Content, Event};
use sip_testkit::{ANSWER, Config, Faults, NodeId, OFFER, Phones};

const BOB: &str = "sip:bob@192.0.2.2";

fn two(seed: u64) -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::with(Config::new(seed).with_ladder(300).with_check().with_faults(Faults::LINE));
    let (alice, bob) = ("alice", "bob");
    let change = |config: &mut sip_core::ua::Config<'_>| config.methods = "INFO";
    let alice = phones.add_with(alice, "192.0.2.1:5060", change);
    let bob = phones.add_with(bob, "192.0.2.2:5060", change);
    (phones, alice, bob)
}

/// Lets nothing through from one node to another, or everything.
fn cut(phones: &mut Phones, from: NodeId, to: NodeId, cut: bool) {
    let (from, to): (Address, Address) = (phones.world.address(from), phones.world.address(to));
    let faults = if cut { Faults::LINE.with_loss(1000) } else { Faults::LINE };
    phones.world.network_mut().set_direction(from, to, faults);
}

fn ends(phones: &Phones, node: NodeId) -> Vec<Event> {
    phones.world.user().of(node).filter(|event| matches!(event, Event::Ended { .. })).collect()
}

/// How often a line of the ladder shows `what`.
fn shown(phones: &Phones, what: &str) -> usize {
    phones.world.explain().lines().filter(|line| line.contains(what)).count()
}

/// The ACK of a re-INVITE was looked for under the CSeq of the INFO that came in between, and never found.
#[test]
fn the_ack_is_known_when_a_request_came_between_the_reinvite_and_its_answer() {
    let (mut phones, alice, bob) = two(1);
    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    phones.act(alice, |phone, now| phone.request_in_call(now, call, Method::Info, &Content::NONE)).unwrap();
    phones.pause();
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }), "{}", phones.world.explain());
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.settle();
}

/// A re-INVITE that the dialog's end overtook stayed in Proceeding for good when its 100 came first.
#[test]
fn a_reinvite_ends_when_its_dialog_does_though_a_100_comes_late() {
    let (mut phones, alice, bob) = two(2);
    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::sdp(OFFER))).unwrap();
    // The re-INVITE arrives after 10 ms and rings; its 100 is sent after 210 ms, when bob's end is over.
    phones.world.run_for(sip_core::time::Duration::from_millis(15));
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    cut(&mut phones, bob, alice, true);
    phones.world.run_for(sip_core::time::Duration::from_millis(15));
    assert_eq!(ends(&phones, bob).len(), 1, "{}", phones.world.explain());
    phones.world.run_for(sip_core::time::Duration::from_millis(400));
    cut(&mut phones, alice, bob, true);
    phones.settle();
}

/// A re-INVITE refused without a transaction was taken when it was repeated: its sender never acknowledged the 200.
#[test]
fn a_refused_reinvite_is_refused_when_it_is_repeated() {
    let (mut phones, alice, bob) = two(8);
    let (call, incoming) = phones.established(alice, bob, BOB);
    // Both at once, and bob's answer to alice's comes late enough for her to send it again.
    phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    cut(&mut phones, bob, alice, true);
    phones.pause();
    phones.pause();
    // Bob's own is settled by alice's 491, so nothing is in the way of alice's repetition.
    phones.world.run_for(sip_core::time::Duration::from_millis(400));
    cut(&mut phones, bob, alice, false);
    phones.pause();
    assert!(
        !phones.world.user().of(bob).any(|event| event == Event::Reinvite { call: incoming }),
        "{}",
        phones.world.explain()
    );
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.settle();
    assert_eq!(ends(&phones, bob), [Event::Ended { call: incoming, cause: Cause::RemoteHangup, status: 0 }]);
}

/// A repeated 2xx that came after the BYE made a new dialog, with an ACK and a second BYE of the same CSeq.
#[test]
fn a_2xx_repeated_after_the_end_is_acknowledged_and_no_more() {
    let (mut phones, alice, bob) = two(4);
    let call = phones.call(alice, BOB);
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.pause();
    let ok = phones.world.ladder().datagrams().filter(|entry| entry.bytes.starts_with(b"SIP/2.0 200")).last();
    let ok = ok.expect("a 200").bytes.clone();
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.pause();
    let (from, to) = (phones.world.address(bob), phones.world.address(alice));
    phones.world.inject(from, to, &ok);
    phones.settle();
    assert_eq!(shown(&phones, "- ACK -"), 2, "{}", phones.world.explain());
    assert_eq!(shown(&phones, "- BYE -"), 1, "{}", phones.world.explain());
}

/// Both hang up at once: each one's own hang-up is why, and a 481 to a re-INVITE on its way sends no second BYE.
#[test]
fn a_hang_up_stays_one_when_the_other_end_hangs_up_too() {
    let (mut phones, alice, bob) = two(5);
    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.act(bob, |phone, now| phone.hang_up(now, incoming)).unwrap();
    phones.settle();
    assert_eq!(ends(&phones, alice), [Event::Ended { call, cause: Cause::LocalHangup, status: 0 }]);
    assert_eq!(ends(&phones, bob), [Event::Ended { call: incoming, cause: Cause::LocalHangup, status: 0 }]);

    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(bob, |phone, now| phone.hang_up(now, incoming)).unwrap();
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.settle();
    assert_eq!(ends(&phones, alice).len() + ends(&phones, bob).len(), 4, "{}", phones.world.explain());
    assert_eq!(shown(&phones, "- BYE -"), 4, "{}", phones.world.explain());
}

/// A re-INVITE could be answered after the hang-up, which made the call an established one again.
#[test]
fn a_reinvite_is_not_answered_after_the_hang_up() {
    let (mut phones, alice, bob) = two(6);
    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    let answer = |phones: &mut Phones, call: Call| {
        phones.act(bob, |phone, now| {
            phone.hang_up(now, call).unwrap();
            phone.answer(now, call, &Content::sdp(ANSWER))
        })
    };
    assert_eq!(answer(&mut phones, incoming), Err(Error::State));
    phones.settle();
}

/// The 200 with an offer was repeated and met the ACK to the 200 before it.
#[test]
fn no_old_ack_goes_out_while_the_application_owes_its_answer() {
    let (mut phones, alice, bob) = two(7);
    let (call, incoming) = phones.established(alice, bob, BOB);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::NONE)).unwrap();
    phones.pause();
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.world.run_for(sip_core::time::Duration::from_millis(5000));
    assert_eq!(shown(&phones, "- ACK -"), 1, "{}", phones.world.explain());
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }));
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.settle();
}
