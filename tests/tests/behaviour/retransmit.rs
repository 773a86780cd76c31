//! When what is sent again, to the millisecond, and when it is given up.
//!
//! Covers RFC 3261 §17.1.1.2 (Timers A, B), §17.1.2.2 (Timers E, F), §13.3.1.4 (the 2xx until its ACK, and BYE without one),
//! §15 (the callee's BYE waits for the ACK), RFC 4320 §4.1 and §17.2.1 (the 100 after 200 ms). The machines by themselves are
//! tested with the transaction layer; reliable transports there, too.

use sip_core::message::Method;
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, Heard, OFFER, Phones};

fn times(heard: &[Heard], kind: &str) -> Vec<u64> {
    heard.iter().filter(|heard| heard.kind() == kind).map(|heard| heard.at).collect()
}

#[test]
fn an_invite_goes_out_at_doubling_intervals_until_timer_b() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    phones.call(alice, "sip:wire@192.0.2.9");
    phones.settle();
    let heard = wire.hear(&phones);
    assert_eq!(times(&heard, "INVITE"), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(heard.len(), 7);
    assert!(heard.iter().all(|again| again.bytes == heard[0].bytes));
    assert_eq!(phones.ended(alice), [(Cause::Timeout, 408)]);
    assert_eq!(phones.world.user().seen[0].0.as_millis(), 32_000);
}

#[test]
fn a_provisional_response_stops_the_invite_for_good() {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    phones.wait(600);
    wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 100, "");
    phones.wait(100_000);
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice), []);
    wire.respond(&mut phones, alice, &invite, 486, "");
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status: 486 }));
    phones.settle();
}

#[test]
fn another_request_goes_out_up_to_t2_apart_until_timer_f() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let request = phones
        .act(alice, |phone, now| phone.request(now, Method::Options, "sip:wire@192.0.2.9", &Content::NONE))
        .unwrap();
    phones.settle();
    let expected = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&wire.hear(&phones), "OPTIONS"), expected);
    assert_eq!(phones.events(alice), [Event::Response { request, status: 408 }]);
}

#[test]
fn after_a_100_another_request_goes_on_every_t2() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    phones.act(alice, |phone, now| phone.request(now, Method::Options, "sip:wire@192.0.2.9", &Content::NONE)).unwrap();
    let options = wire.expect(&phones, "OPTIONS");
    phones.wait(100);
    wire.respond(&mut phones, alice, &options, 100, "");
    phones.wait(12_000);
    // Timer E is running for 500 ms still, and is T2 from then on.
    assert_eq!(times(&wire.hear(&phones), "OPTIONS"), [500, 4500, 8500]);
    wire.respond(&mut phones, alice, &options, 200, "");
    phones.settle();
    wire.expect_nothing(&phones);
}

#[test]
fn a_100_comes_after_200_ms_and_repeated_invites_get_the_last_response() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    wire.send(&mut phones, alice, &invite);
    wire.expect_nothing(&phones);
    phones.wait(200);
    let trying = wire.expect(&phones, "100");
    assert_eq!(trying.at, 200);
    wire.send(&mut phones, alice, &invite);
    wire.expect(&phones, "100");
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    wire.expect(&phones, "180");
    wire.send(&mut phones, alice, &invite);
    wire.expect(&phones, "180");
    assert_eq!(phones.events(alice).len(), 1);
    phones.act(alice, |phone, now| phone.reject(now, call, 486, &Content::NONE)).unwrap();
    phones.settle();
}

#[test]
fn a_2xx_goes_out_until_its_ack() {
    let (mut phones, alice, mut wire) = Phones::scripted(6);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    phones.wait(9000);
    let heard = wire.hear(&phones);
    assert_eq!(times(&heard, "200"), [0, 500, 1500, 3500, 7500]);
    // The INVITE again: the 2xx is the user agent core's, and comes at its own times.
    wire.send(&mut phones, alice, &invite);
    wire.expect_nothing(&phones);
    leg.remote = heard[0].header("To");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    wire.send(&mut phones, alice, &ack);
    phones.wait(60_000);
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice).len(), 2);
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    phones.settle();
}

#[test]
fn a_2xx_without_an_ack_ends_with_a_bye_after_64_t1() {
    let (mut phones, alice, mut wire) = Phones::scripted(7);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    phones.wait(32_000);
    let heard = wire.hear(&phones);
    assert_eq!(times(&heard, "200"), [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(times(&heard, "BYE"), [32_000]);
    assert_eq!(phones.ended(alice), []);
    let bye = heard.last().unwrap();
    wire.respond(&mut phones, alice, bye, 200, "");
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::NoAck, status: 0 }));
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn the_callees_bye_waits_for_the_ack() {
    let (mut phones, alice, mut wire) = Phones::scripted(8);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    let answer = wire.expect(&phones, "200");
    phones.wait(100);
    phones.hang_up(alice, call);
    wire.expect_nothing(&phones);
    phones.wait(500);
    wire.expect(&phones, "200");
    leg.remote = answer.header("To");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
}

#[test]
fn the_callees_bye_goes_out_when_no_ack_came_either() {
    let (mut phones, alice, mut wire) = Phones::scripted(9);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    phones.hang_up(alice, call);
    phones.wait(31_999);
    assert!(!wire.kinds(&phones).contains("BYE"));
    phones.wait(1);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 481, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn a_bye_without_a_response_ends_the_call_after_timer_f() {
    let (mut phones, alice, mut wire) = Phones::scripted(10);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    phones.wait(31_999);
    assert_eq!(phones.ended(alice), []);
    phones.wait(1);
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    assert_eq!(times(&wire.hear(&phones), "BYE").len(), 11);
    phones.settle();
}

#[test]
fn a_caller_that_answered_a_reinvite_may_hang_up_at_once_and_ends_once() {
    let (mut phones, alice, mut wire) = Phones::scripted(11);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    let mut leg = wire.leg_of(&invite, "wire");
    let contact = wire.contact();
    let again = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &again);
    phones.answer(alice, call);
    wire.expect(&phones, "200");
    phones.wait(10_000);
    phones.hang_up(alice, call);
    // Neither the ACK nor the answer to the BYE comes.
    phones.wait(31_999);
    assert_eq!(phones.ended(alice), []);
    phones.wait(1);
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    let heard = wire.hear(&phones);
    let byes: Vec<&Heard> = heard.iter().filter(|heard| heard.kind() == "BYE").collect();
    assert!(byes.iter().all(|bye| bye.bytes == byes[0].bytes), "one BYE, repeated");
    phones.settle();
}
