//! One INVITE, several callees: early dialogs, several 2xx, and 2xx that come again or late.
//!
//! Covers RFC 3261 §12.1.2, §13.2.2.4 (each 2xx is acknowledged; the route set is computed anew from the 2xx), RFC 6026 §7.2,
//! field notes 12 (re-ACK of each 2xx, after the BYE too) and 19. Early media is the application's; PRACK is not covered.

use sip_core::ua::{Cause, Event, Fork};
use sip_testkit::{ANSWER, Heard, Phones, Wire};

fn ringing(phones: &mut Phones, alice: sip_testkit::NodeId, wire: &Wire, invite: &Heard, tag: &str) {
    wire.send(phones, alice, &invite.response(180, tag, &wire.contact(), b""));
}

#[test]
fn of_two_ringing_forks_one_answers() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    for tag in ["one", "two"] {
        ringing(&mut phones, alice, &wire, &invite, tag);
        assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 180, .. }) if of == call));
    }
    assert_eq!(phones.world.role(alice).occupancy().dialogs, 2);
    ringing(&mut phones, alice, &wire, &invite, "one");
    let forks = phones.events(alice).into_iter().filter_map(|event| match event {
        Event::Progress { fork, .. } => Some(fork),
        _ => None,
    });
    let forks: Vec<_> = forks.collect();
    assert_eq!(forks[0], forks[2]);
    assert!(forks[0] != forks[1] && forks[1] != Fork::default());
    wire.accept(&mut phones, alice, &invite, "two", ANSWER);
    let ack = wire.expect(&phones, "ACK");
    assert_eq!((ack.to_tag().as_str(), ack.seq()), ("two", invite.seq()));
    assert_ne!(ack.branch(), invite.branch());
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    assert_eq!(phones.world.role(alice).occupancy().dialogs, 1);
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.to_tag(), "two");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

#[test]
fn the_second_of_two_answers_is_acknowledged_and_ended() {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    ringing(&mut phones, alice, &wire, &invite, "two");
    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").to_tag(), "one");
    wire.accept(&mut phones, alice, &invite, "two", ANSWER);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    for request in &heard {
        assert_eq!(request.to_tag(), "two");
    }
    assert_eq!((heard[0].seq(), heard[1].seq()), (invite.seq(), invite.seq() + 1));
    // Repeated before the BYE is answered: the ACK alone.
    wire.accept(&mut phones, alice, &invite, "two", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").bytes, heard[0].bytes);
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    assert_eq!(phones.events(alice).last(), Some(&Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.to_tag(), "one");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn every_repeated_2xx_gets_its_ack_again() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    let ack = wire.expect(&phones, "ACK");
    for _ in 0..3 {
        phones.wait(1000);
        wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
        assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes);
    }
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes, "while the BYE waits");
    wire.respond(&mut phones, alice, &bye, 200, "");
    assert_eq!(phones.ended(alice).len(), 1);
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    let again = wire.hear(&phones);
    assert_eq!(again[0].kind(), "ACK", "after the end of the call");
    assert_eq!((again[0].to_tag(), again[0].seq(), again[0].uri()), (ack.to_tag(), ack.seq(), ack.uri()));
    if let Some(bye) = again.get(1) {
        wire.respond(&mut phones, alice, bye, 481, "");
    }
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn a_2xx_after_the_487_is_acknowledged_and_ended() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    ringing(&mut phones, alice, &wire, &invite, "one");
    phones.hang_up(alice, call);
    let cancel = wire.expect(&phones, "CANCEL");
    wire.respond(&mut phones, alice, &cancel, 200, "");
    wire.send(&mut phones, alice, &invite.response(487, "one", "", b""));
    wire.expect(&phones, "ACK");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 487)]);
    // Another fork had answered before the CANCEL reached it, and its proxy sent both on.
    wire.accept(&mut phones, alice, &invite, "two", ANSWER);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    assert_eq!((heard[0].to_tag().as_str(), heard[1].to_tag().as_str()), ("two", "two"));
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn more_forks_than_dialogs_still_make_one_call() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    for fork in 0..8 {
        ringing(&mut phones, alice, &wire, &invite, &format!("fork-{fork}"));
        assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 180, .. }) if of == call));
    }
    // A phone has 4 dialogs, and one of them is kept for each call that may still come.
    assert_eq!(phones.world.role(alice).occupancy().dialogs, 3);
    wire.accept(&mut phones, alice, &invite, "fork-7", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").to_tag(), "fork-7");
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    let mut byes = Vec::new();
    for fork in 0..7 {
        wire.accept(&mut phones, alice, &invite, &format!("fork-{fork}"), ANSWER);
        byes.extend(wire.hear(&phones).into_iter().filter(|heard| heard.kind() == "BYE"));
    }
    // For two of them there is a dialog; the others are acknowledged and ended without.
    assert_eq!(byes.len(), 7);
    for bye in byes {
        wire.respond(&mut phones, alice, &bye, 200, "");
    }
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.to_tag(), "fork-7");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn the_route_set_is_that_of_the_2xx_not_of_the_180() {
    let (mut phones, alice, mut wire) = Phones::scripted(6);
    phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    ringing(&mut phones, alice, &wire, &invite, "one");
    let rows = format!("{}Record-Route: <sip:192.0.2.9;lr;hop=2xx>\r\n", wire.contact());
    wire.send(&mut phones, alice, &invite.response(200, "one", &rows, ANSWER));
    assert_eq!(wire.expect(&phones, "ACK").header("Route"), "<sip:192.0.2.9;lr;hop=2xx>");
}

#[test]
fn a_180_without_a_contact_or_a_tag_is_progress_all_the_same() {
    let (mut phones, alice, mut wire) = Phones::scripted(7);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.send(&mut phones, alice, &invite.response(183, "", "", b""));
    assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 183, .. }) if of == call));
    wire.send(&mut phones, alice, &invite.response(180, "one", "", b""));
    assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 180, .. }) if of == call));
    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}
