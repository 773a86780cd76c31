//! Requests in a dialog whose peer gave a Contact that leads nowhere.
//!
//! Covers RFC 3261 §15 (the peer must learn of the end): BYE, re-INVITE and requests of the application go where the peer's last
//! message came from, as the ACK does. Requests outside of dialogs have nowhere else to go (transport.rs).

use sip_core::message::Method;
use sip_core::ua::{Cause, Config, Content, Event};
use sip_testkit::{OFFER, Phones, Wire};

#[test]
fn a_name_without_an_address_leaves_the_source() {
    for method in ["BYE", "INVITE", "INFO"] {
        let mut phones = Phones::new(1);
        let alice = phones.add_with("alice", "192.0.2.1:5060", |config: &mut Config<'_>| config.methods = "INFO");
        let mut wire = Wire::new("192.0.2.9:5060");
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let contact = "Contact: <sip:wire@nowhere.invalid>\r\n";
        let invite = wire.request(&mut leg, "INVITE", contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        let call = phones.incoming(alice);
        phones.answer(alice, call);
        leg.remote = wire.expect(&phones, "200").header("To");
        let ack = wire.request_as(&leg, "ACK", "z9hG4bK-ack", "", b"");
        wire.send(&mut phones, alice, &ack);
        match method {
            "INVITE" => phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap(),
            "INFO" => {
                let info = |phone: &mut sip_testkit::Phone, now| {
                    phone.request_in_call(now, call, Method::Info, &Content::NONE)
                };
                phones.act(alice, info).unwrap();
            }
            _ => phones.hang_up(alice, call),
        }
        phones.pause();
        let request = wire.expect(&phones, method);
        assert_eq!(request.uri(), "sip:wire@nowhere.invalid");
        if method == "BYE" {
            wire.respond(&mut phones, alice, &request, 200, "");
            assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::LocalHangup, status: 0 }));
        }
    }
}

#[test]
fn nothing_goes_to_a_secure_target_in_plain_text() {
    // No BYE; the call is over here all the same.
    let mut phones = Phones::new(1);
    let alice = phones.add("alice", "192.0.2.1:5060");
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sips:wire@nowhere.invalid>\r\n", OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    leg.remote = wire.expect(&phones, "200").header("To");
    let ack = wire.request_as(&leg, "ACK", "z9hG4bK-ack", "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.hang_up(alice, call);
    phones.settle();
    wire.expect_nothing(&phones);
    assert_eq!(phones.ended(alice).len(), 1);
}
