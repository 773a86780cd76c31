//! The host has another address: bindings first, then the calls.
//!
//! Covers field note 27 (the ladder of a change), 24 (no storm of REGISTERs), RFC 3261 §12.2 (target refresh by re-INVITE).
//! That the old address is gone is simulated by nobody listening to it; sockets are the adapters'.

use sip_core::error::Error;
use sip_core::ua::{Call, Content, Event, Registration, RegistrationCause};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Wire};

/// A phone with a binding and an established call; the scripted peer is its registrar and in the call.
fn registered_in_call(seed: u64) -> (Phones, NodeId, Wire, Registration, Call) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let register =
        |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:a@example.com", 3600);
    let registration = phones.act(alice, register).unwrap();
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 200, "");
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "x", ANSWER);
    wire.expect(&phones, "ACK");
    (phones, alice, wire, registration, call)
}

#[test]
fn the_binding_is_renewed_and_then_each_call_is_to_be_refreshed() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let register =
        |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 3600);
    let registration = phones.act(alice, register).unwrap();
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 200, "");
    let mut calls = Vec::new();
    for tag in ["one", "two"] {
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.accept(&mut phones, alice, &invite, tag, ANSWER);
        wire.expect(&phones, "ACK");
        calls.push(call);
    }
    phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
    phones.wait(1);
    let again = wire.expect(&phones, "REGISTER");
    assert_eq!(again.rows("Contact"), ["<sip:alice@198.51.100.7:5080>", "<sip:alice@192.0.2.1:5060>;expires=0"]);
    assert!(again.header("Via").contains("198.51.100.7:5080;"));
    assert_eq!((again.header("Call-ID"), again.seq()), (first.header("Call-ID"), first.seq() + 1));
    let told =
        |phones: &Phones| phones.events(alice).iter().filter(|event| matches!(event, Event::RefreshDue { .. })).count();
    assert_eq!(told(&phones), 0, "the binding comes first");
    let contacts = "Contact: <sip:alice@192.0.2.1:5060>;expires=3000, <sip:alice@198.51.100.7:5080>;expires=555\r\n";
    wire.respond(&mut phones, alice, &again, 200, contacts);
    assert_eq!(told(&phones), 2);
    assert!(phones.events(alice).contains(&Event::Registered { registration, expires: 555 }));
    for call in calls {
        assert!(phones.events(alice).contains(&Event::RefreshDue { call }));
        phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
        let invite = wire.expect(&phones, "INVITE");
        assert_eq!(invite.header("Contact"), "<sip:alice@198.51.100.7:5080>");
        assert!(invite.header("Via").contains("198.51.100.7:5080;"));
        wire.accept(&mut phones, alice, &invite, "", ANSWER);
        let ack = wire.expect(&phones, "ACK");
        assert!(ack.header("Via").contains("198.51.100.7:5080;"));
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
    }
    // No storm: one REGISTER for one change.
    phones.wait(200_000);
    wire.expect_nothing(&phones);
}

#[test]
fn without_a_registration_the_calls_are_to_be_refreshed_at_once() {
    let (mut phones, alice, bob) = Phones::pair(2);
    let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    phones.act(alice, |phone, now| phone.network_changed(now, "192.0.2.1:5060")).unwrap();
    assert_eq!(phones.last(alice), Some(Event::RefreshDue { call }));
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    phones.answer(bob, incoming);
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 200, answer_due: false }));
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn a_change_while_a_register_is_under_way_is_followed_by_another() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let register =
        |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 3600);
    phones.act(alice, register).unwrap();
    let first = wire.expect(&phones, "REGISTER");
    for address in ["198.51.100.7:5080", "198.51.100.8:5080"] {
        phones.act(alice, |phone, now| phone.network_changed(now, address)).unwrap();
    }
    phones.wait(1);
    wire.expect_nothing(&phones);
    wire.respond(&mut phones, alice, &first, 200, "");
    phones.wait(1);
    let second = wire.expect(&phones, "REGISTER");
    let contacts = ["<sip:alice@198.51.100.8:5080>", "<sip:alice@192.0.2.1:5060>;expires=0"];
    assert_eq!(second.rows("Contact"), contacts);
    wire.respond(&mut phones, alice, &second, 200, "");
    phones.wait(60_000);
    wire.expect_nothing(&phones);
}

#[test]
fn an_address_that_is_none_changes_nothing() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    for address in ["", "a b", "sip:a", "<x>", "192.0.2.1:99999", "a\r\nX: y"] {
        let changed = phones.act(alice, |phone, now| phone.network_changed(now, address));
        assert!(matches!(changed, Err(Error::Invalid(_))), "{address:?}");
    }
    phones.call(alice, "sip:wire@192.0.2.9");
    assert_eq!(wire.expect(&phones, "INVITE").header("Contact"), "<sip:alice@192.0.2.1:5060>");
}

#[test]
fn a_registrar_that_is_gone_does_not_hold_the_calls_up() {
    for status in [403, 503, 0] {
        let (mut phones, alice, mut wire, _, call) = registered_in_call(5);
        phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
        phones.wait(1);
        let again = wire.expect(&phones, "REGISTER");
        if status == 0 {
            phones.wait(32_000);
        } else {
            wire.respond(&mut phones, alice, &again, status, "");
        }
        if status == 403 {
            // It may have been the second Contact that it refused.
            let alone = wire.expect(&phones, "REGISTER");
            wire.respond(&mut phones, alice, &alone, status, "");
        }
        assert!(phones.events(alice).contains(&Event::RefreshDue { call }), "{status}");
    }
}

#[test]
fn a_renewal_that_fails_by_the_old_network_is_repeated_at_once_by_the_new_one() {
    for status in [503, 0] {
        let (mut phones, alice, mut wire, registration, call) = registered_in_call(7);
        for address in ["198.51.100.7:5080", "198.51.100.8:5080"] {
            phones.act(alice, |phone, now| phone.network_changed(now, address)).unwrap();
            phones.wait(1);
        }
        let second = wire.expect(&phones, "REGISTER");
        if status == 0 {
            phones.wait(32_000);
        } else {
            wire.respond(&mut phones, alice, &second, status, "Retry-After: 600\r\n");
        }
        let status = if status == 0 { 408 } else { status };
        let cause = if status == 408 { RegistrationCause::Timeout } else { RegistrationCause::Refused };
        let failed = Event::RegistrationFailed { registration, cause, status, retry_after: 1 };
        assert_eq!(phones.last(alice), Some(failed));
        assert!(!phones.events(alice).contains(&Event::RefreshDue { call }), "the binding comes first");
        phones.wait(1);
        let third = wire.hear(&phones).pop().unwrap();
        assert_eq!(third.seq(), second.seq() + 1);
        assert_eq!(third.rows("Contact")[0], "<sip:alice@198.51.100.8:5080>");
        wire.respond(&mut phones, alice, &third, 200, "");
        assert!(phones.events(alice).contains(&Event::RefreshDue { call }));
    }
}

#[test]
fn a_binding_that_is_being_removed_does_not_hold_the_calls_up() {
    for before in [false, true] {
        let (mut phones, alice, _wire, registration, call) = registered_in_call(6);
        let changed = |phone: &mut sip_testkit::Phone, now| phone.network_changed(now, "198.51.100.7:5080");
        if !before {
            phones.act(alice, changed).unwrap();
        }
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
        if before {
            phones.act(alice, changed).unwrap();
        }
        assert!(phones.events(alice).contains(&Event::RefreshDue { call }));
    }
}

#[test]
fn with_two_bindings_the_calls_are_told_once_after_both() {
    use sip_core::role::{Action, Received, Role};
    use sip_core::time::Instant;
    use sip_core::ua::Arrays;
    use sip_core::ua::{Config, UserAgent};
    let now = Instant::from_millis(1000);
    let mut phone = UserAgent::new(Arrays::<16, 4, 2, 2, 8192>::new());
    phone.start(&Config::new("192.0.2.1:5060", "sip:alice@example.com"), [3; 16]).unwrap();
    let flow = sip_core::transport::Flow::udp("192.0.2.9:5060".parse::<core::net::SocketAddr>().unwrap().into());
    let mut told = 0;
    // Answers all that is sent with 200 and gives how many calls were to be refreshed.
    let mut settle = |phone: &mut UserAgent<Arrays<16, 4, 2, 2, 8192>>| {
        phone.handle_timeout(now);
        let mut answers: Vec<Vec<u8>> = Vec::new();
        loop {
            while let Some(action) = phone.poll_action(now) {
                match action {
                    Action::Send { bytes, .. } if !bytes.starts_with(b"ACK") => {
                        let heard = sip_testkit::Heard { at: 0, from: flow.remote, bytes: bytes.to_vec() };
                        answers.push(heard.response(200, "x", "Contact: <sip:x@192.0.2.9>\r\n", ANSWER));
                    }
                    Action::Event(Event::RefreshDue { .. }) => told += 1,
                    _ => {}
                }
            }
            let Some(answer) = (!answers.is_empty()).then(|| answers.remove(0)) else { return told };
            let message = sip_core::message::Message::parse(&answer).unwrap();
            assert!(matches!(phone.receive(now, flow, &message), Received::Event(_)));
        }
    };
    for aor in ["sip:a@example.com", "sip:b@example.com"] {
        phone.register(now, "sip:192.0.2.9", aor, 3600).unwrap();
    }
    phone.call(now, "sip:x@192.0.2.9", "", &Content::sdp(OFFER)).unwrap();
    assert_eq!(settle(&mut phone), 0);
    phone.network_changed(now, "198.51.100.7").unwrap();
    assert_eq!(settle(&mut phone), 1);
}

/// The old address is removed by the REGISTER that names the new one (§10.2.2), and once only.
#[test]
fn the_old_binding_goes_with_the_new_one() {
    let (mut phones, alice, mut wire, registration, _) = registered_in_call(20);
    phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
    phones.wait(1);
    let moved = wire.expect(&phones, "REGISTER");
    let (new, old) = ("<sip:alice@198.51.100.7:5080>", "<sip:alice@192.0.2.1:5060>;expires=0");
    assert_eq!(moved.rows("Contact"), [new, old]);
    // No answer has said that it is gone: it is named again.
    wire.respond(&mut phones, alice, &moved, 503, "Retry-After: 3\r\n");
    phones.wait(4000);
    let again = wire.expect(&phones, "REGISTER");
    assert_eq!(again.rows("Contact"), [new, old]);
    wire.respond(&mut phones, alice, &again, 200, "Expires: 600\r\n");
    phones.wait(510_000);
    let refresh = wire.expect(&phones, "REGISTER");
    assert_eq!(refresh.rows("Contact"), [new]);
    wire.respond(&mut phones, alice, &refresh, 200, "Expires: 600\r\n");
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    assert_eq!(wire.expect(&phones, "REGISTER").rows("Contact"), [new]);
}

#[test]
fn a_removal_right_after_a_change_names_both_addresses() {
    let (mut phones, alice, mut wire, registration, _) = registered_in_call(21);
    phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    let removal = wire.expect(&phones, "REGISTER");
    assert_eq!(removal.header("Expires"), "0");
    let contacts = ["<sip:alice@198.51.100.7:5080>", "<sip:alice@192.0.2.1:5060>;expires=0"];
    assert_eq!(removal.rows("Contact"), contacts);
    wire.respond(&mut phones, alice, &removal, 200, "");
    assert!(phones.events(alice).contains(&Event::Unregistered { registration }));
}

/// Some registrars take one Contact in a request and no more.
#[test]
fn a_registrar_that_refuses_two_contacts_is_asked_with_one() {
    let (mut phones, alice, mut wire, registration, _) = registered_in_call(22);
    phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
    phones.wait(1);
    let moved = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &moved, 400, "");
    let alone = wire.expect(&phones, "REGISTER");
    assert_eq!(alone.rows("Contact"), ["<sip:alice@198.51.100.7:5080>"]);
    wire.respond(&mut phones, alice, &alone, 400, "");
    wire.expect_nothing(&phones);
    let failed =
        Event::RegistrationFailed { registration, cause: RegistrationCause::Refused, status: 400, retry_after: 0 };
    assert!(phones.events(alice).contains(&failed));
}

/// A REGISTER that is under way binds the old address, which the next one removes.
#[test]
fn a_change_while_a_register_is_under_way_removes_what_it_binds() {
    let (mut phones, alice, mut wire) = Phones::scripted(23);
    let register =
        |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 3600);
    phones.act(alice, register).unwrap();
    let first = wire.expect(&phones, "REGISTER");
    phones.act(alice, |phone, now| phone.network_changed(now, "198.51.100.7:5080")).unwrap();
    wire.respond(&mut phones, alice, &first, 200, "");
    phones.wait(1);
    let second = wire.expect(&phones, "REGISTER");
    let contacts = ["<sip:alice@198.51.100.7:5080>", "<sip:alice@192.0.2.1:5060>;expires=0"];
    assert_eq!(second.rows("Contact"), contacts);
    // Back where it was before that is answered: nothing of ours is to be removed but the address in between.
    phones.act(alice, |phone, now| phone.network_changed(now, "192.0.2.1:5060")).unwrap();
    wire.respond(&mut phones, alice, &second, 200, "");
    phones.wait(1);
    let third = wire.expect(&phones, "REGISTER");
    assert_eq!(third.rows("Contact"), ["<sip:alice@192.0.2.1:5060>", "<sip:alice@198.51.100.7:5080>;expires=0"]);
}
