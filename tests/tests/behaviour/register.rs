//! Registration: binding, refresh, removal, failures, keep-alive.
//!
//! Covers RFC 3261 §10.2, §10.2.4, §10.2.8, RFC 5626 §3.5.1 (CRLF keep-alive) and §4.5 (the waits after failures), field
//! notes 7, 14 and 24 (no storm of REGISTERs). Challenges are in digest.rs, a change of address in network_changed.rs.

use RegistrationCause::{Refused, Timeout, Unreachable};
use sip_core::error::{Capacity, Error};
use sip_core::time::Duration;
use sip_core::ua::{Config, Event, Registration, RegistrationCause, RegistrationState};
use sip_testkit::{Heard, NodeId, Phones, Wire};

const CONTACT: &str = "Contact: <sip:alice@192.0.2.1:5060>";

fn registering(phones: &mut Phones, alice: NodeId, expires: u32) -> Registration {
    let register =
        |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", expires);
    phones.act(alice, register).unwrap()
}

fn registered(seed: u64, granted: u32) -> (Phones, NodeId, Wire, Registration, Heard) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let registration = registering(&mut phones, alice, 3600);
    let register = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &register, 200, &format!("{CONTACT};expires={granted}\r\n"));
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: granted }));
    (phones, alice, wire, registration, register)
}

#[test]
fn a_register_says_who_and_where_and_is_repeated_before_it_expires() {
    let (mut phones, alice, mut wire, registration, first) = registered(1, 600);
    assert_eq!(first.uri(), "sip:example.com");
    assert_eq!(first.header("To"), "<sip:alice@example.com>");
    assert!(first.header("From").starts_with("<sip:alice@example.com>;tag="));
    assert_eq!(
        (first.header("Contact").as_str(), first.header("Expires").as_str()),
        ("<sip:alice@192.0.2.1:5060>", "3600")
    );
    let start = phones.now();
    for round in 1..4 {
        assert!(phones.world.run_until(Duration::from_secs(600), |world| {
            world.ladder().datagrams().filter(|entry| entry.bytes.starts_with(b"REGISTER")).count() > round
        }));
        let refresh = wire.expect(&phones, "REGISTER");
        assert!((300_000..600_000).contains(&(refresh.at - start - (round as u64 - 1) * 510_000)), "{}", refresh.at);
        assert_eq!((refresh.header("Call-ID"), refresh.seq()), (first.header("Call-ID"), first.seq() + round as u32));
        wire.respond(&mut phones, alice, &refresh, 200, &format!("{CONTACT};expires=600\r\n"));
    }
    assert_eq!(phones.events(alice).len(), 4);
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    let removal = wire.expect(&phones, "REGISTER");
    assert_eq!((removal.header("Expires").as_str(), removal.header("Call-ID")), ("0", first.header("Call-ID")));
    assert_eq!(removal.header("Contact"), first.header("Contact"));
    wire.respond(&mut phones, alice, &removal, 200, "");
    assert_eq!(phones.last(alice), Some(Event::Unregistered { registration }));
    assert_eq!(phones.act(alice, |phone, now| phone.unregister(now, registration)), Err(Error::Gone));
    phones.settle();
    wire.expect_nothing(&phones);
}

#[test]
fn what_is_granted_is_read_from_our_contact_then_from_expires() {
    let ours = "Contact: <sip:other@192.0.2.77>;expires=7, \"A\" <sip:alice@192.0.2.1:5060;ob>;q=0.5;expires=61\r\n";
    for (rows, granted) in [
        (ours.to_owned(), 61),
        (format!("Expires: 500\r\n{ours}"), 61),
        (format!("Expires: 500\r\n{CONTACT}\r\n"), 500),
        (String::new(), 3600),
        ("m: <sip:alice@192.0.2.1:5060>;expires=44\r\n".to_owned(), 44),
    ] {
        let (mut phones, alice, mut wire) = Phones::scripted(2);
        let registration = registering(&mut phones, alice, 3600);
        let register = wire.expect(&phones, "REGISTER");
        wire.respond(&mut phones, alice, &register, 200, &rows);
        assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: granted }), "{rows}");
        phones.wait(u64::from(granted) * 1000 - 1);
        assert!(wire.kinds(&phones).starts_with("REGISTER"), "refreshed in time");
    }
}

#[test]
fn a_423_is_answered_with_the_longer_lifetime() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let registration = registering(&mut phones, alice, 60);
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 423, "Min-Expires: 1800\r\n");
    let second = wire.expect(&phones, "REGISTER");
    assert_eq!((second.header("Expires").as_str(), second.seq()), ("1800", first.seq() + 1));
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    wire.respond(&mut phones, alice, &second, 200, "Expires: 1800\r\n");
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 1800 }));
    // One that asks for no more than it was given is not humoured.
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    let registration = registering(&mut phones, alice, 60);
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 423, "Min-Expires: 60\r\n");
    wire.expect_nothing(&phones);
    assert_eq!(
        phones.last(alice),
        Some(Event::RegistrationFailed { registration, cause: Refused, status: 423, retry_after: 0 })
    );
    phones.settle();
}

#[test]
fn a_server_without_strength_is_asked_again_when_it_says() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let registration = registering(&mut phones, alice, 3600);
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 503, "Retry-After: 120 (maintenance);duration=5\r\n");
    assert_eq!(
        phones.last(alice),
        Some(Event::RegistrationFailed { registration, cause: Refused, status: 503, retry_after: 120 })
    );
    phones.wait(119_999);
    wire.expect_nothing(&phones);
    phones.wait(1000);
    let second = wire.expect(&phones, "REGISTER");
    assert_eq!((second.seq(), second.header("Call-ID")), (first.seq() + 1, first.header("Call-ID")));
    wire.respond(&mut phones, alice, &second, 200, "Expires: 600\r\n");
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 600 }));
}

#[test]
fn a_silent_registrar_is_asked_again_at_growing_intervals() {
    let (mut phones, alice, mut wire) = Phones::scripted(6);
    let registration = registering(&mut phones, alice, 3600);
    let mut waits = Vec::new();
    for _ in 0..8 {
        phones.world.run_until(Duration::from_secs(40), |world| {
            let seen = world.user().seen.last();
            seen.is_some_and(|(at, _, event)| *at == world.now() && matches!(event, Event::RegistrationFailed { .. }))
        });
        let Some(Event::RegistrationFailed { registration: told, cause: Timeout, status: 408, retry_after }) =
            phones.last(alice)
        else {
            panic!("no failure");
        };
        assert_eq!(told, registration);
        assert_eq!(wire.hear(&phones).len(), 11, "one REGISTER and its ten repetitions");
        phones.wait(u64::from(retry_after) * 1000);
        waits.push(retry_after);
    }
    for (round, wait) in waits.iter().enumerate() {
        let doubled = (30 << round).min(1800);
        assert!((doubled / 2..=doubled).contains(wait), "{waits:?}");
    }
    // It comes back: all is as before, and the waits start anew.
    let register = wire.hear(&phones).pop().unwrap();
    wire.respond(&mut phones, alice, &register, 200, "Expires: 600\r\n");
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 600 }));
}

#[test]
fn a_refusal_is_final() {
    for status in [302, 400, 403, 404, 405, 600, 606] {
        let (mut phones, alice, mut wire) = Phones::scripted(7);
        let registration = registering(&mut phones, alice, 3600);
        let register = wire.expect(&phones, "REGISTER");
        wire.respond(&mut phones, alice, &register, status, "");
        assert_eq!(
            phones.last(alice),
            Some(Event::RegistrationFailed { registration, cause: Refused, status, retry_after: 0 })
        );
        phones.settle();
        assert_eq!(phones.world.role(alice).occupancy().registrations, 0);
        wire.expect_nothing(&phones);
        registering(&mut phones, alice, 60);
    }
}

#[test]
fn a_wrong_password_is_final() {
    let (mut phones, alice, mut wire) = Phones::scripted(8);
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", "wrong")).unwrap();
    let registration = registering(&mut phones, alice, 3600);
    for kind in 0..2 {
        let register = wire.expect(&phones, "REGISTER");
        assert_eq!(register.header("Authorization").is_empty(), kind == 0);
        wire.respond(
            &mut phones,
            alice,
            &register,
            401,
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
        );
    }
    assert_eq!(
        phones.last(alice),
        Some(Event::RegistrationFailed { registration, cause: Refused, status: 401, retry_after: 0 })
    );
    phones.settle();
    wire.expect_nothing(&phones);
}

#[test]
fn removal_waits_for_the_register_under_way_and_ends_even_in_silence() {
    for silent in [false, true] {
        let (mut phones, alice, mut wire) = Phones::scripted(9);
        let registration = registering(&mut phones, alice, 3600);
        let register = wire.expect(&phones, "REGISTER");
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
        wire.expect_nothing(&phones);
        wire.respond(&mut phones, alice, &register, 200, "");
        let removal = wire.expect(&phones, "REGISTER");
        assert_eq!(removal.header("Expires"), "0");
        if silent {
            phones.wait(32_000);
        } else {
            wire.respond(&mut phones, alice, &removal, 404, "");
        }
        assert_eq!(phones.last(alice), Some(Event::Unregistered { registration }));
        phones.settle();
        assert_eq!(phones.world.role(alice).occupancy().registrations, 0);
    }
}

#[test]
fn the_keep_alive_goes_to_the_registrar_at_its_interval() {
    let mut phones = Phones::new(10);
    let change = |config: &mut Config<'_>| config.keep_alive = Duration::from_secs(30);
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    let mut wire = Wire::new("192.0.2.9:5060");
    let registration = registering(&mut phones, alice, 3600);
    let register = wire.expect(&phones, "REGISTER");
    phones.wait(100);
    wire.respond(&mut phones, alice, &register, 200, "");
    phones.wait(100_000);
    let heard = wire.expect_all(&phones, &["CRLF", "CRLF", "CRLF"]);
    assert_eq!(heard.iter().map(|heard| heard.at).collect::<Vec<_>>(), [30_100, 60_100, 90_100]);
    assert!(heard.iter().all(|heard| heard.bytes == b"\r\n\r\n"));
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    let removal = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &removal, 200, "");
    phones.wait(100_000);
    wire.expect_nothing(&phones);
    // What answers a keep-alive, and a stranger's, is dropped.
    wire.send(&mut phones, alice, b"\r\n");
    wire.send(&mut phones, alice, b"\r\n\r\n");
    wire.expect_nothing(&phones);
}

#[test]
fn there_is_room_for_so_many_registrations_and_odd_ones_are_refused() {
    let (mut phones, alice, mut wire) = Phones::scripted(11);
    let register = |phones: &mut Phones, registrar: &str, aor: &str, expires| {
        phones.act(alice, |phone, now| phone.register(now, registrar, aor, expires))
    };
    for (registrar, aor, expires) in
        [("192.0.2.9", "sip:a@b", 60), ("sip:192.0.2.9", "a@b", 60), ("sip:192.0.2.9", "sip:a@b", 0)]
    {
        assert!(matches!(register(&mut phones, registrar, aor, expires), Err(Error::Invalid(_))));
    }
    registering(&mut phones, alice, 60);
    let full = Err(Error::Capacity(Capacity::Registrations));
    assert_eq!(register(&mut phones, "sip:192.0.2.9", "sip:a@b", 60), full);
    assert_eq!(wire.kinds(&phones), "REGISTER");
}

#[test]
fn a_lost_way_to_the_registrar_is_told_and_tried_again() {
    let mut phones = Phones::new(12);
    let alice = phones.add("alice", "192.0.2.1:5060");
    let bob = phones.add("bob", "192.0.2.9:5060");
    phones.world.refuse(bob, true);
    let registration = registering(&mut phones, alice, 3600);
    phones.pause();
    let Some(Event::RegistrationFailed { registration: told, cause: Unreachable, status: 503, retry_after }) =
        phones.last(alice)
    else {
        panic!("no failure at once");
    };
    assert!(told == registration && (15..=30).contains(&retry_after));
}

#[test]
fn a_registration_can_be_asked_how_it_stands() {
    let (mut phones, alice, mut wire) = Phones::scripted(13);
    let registration = registering(&mut phones, alice, 3600);
    let seen = |phones: &Phones| {
        let now = sip_core::time::Instant::from_millis(phones.now());
        phones.world.role(alice).registration_info(now, registration).map(|view| (view.state, view.expires))
    };
    assert_eq!(seen(&phones), Some((RegistrationState::Registering, 0)));
    let register = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &register, 200, "Expires: 600\r\n");
    phones.wait(100_000);
    assert_eq!(seen(&phones), Some((RegistrationState::Registered, 500)));
    let role = phones.world.role(alice);
    assert_eq!(role.registrations().collect::<Vec<_>>(), [registration]);
    let view = role.registration_info(sip_core::time::Instant::ZERO, registration).unwrap();
    assert_eq!((view.registrar, view.aor, view.address), ("sip:192.0.2.9", "sip:alice@example.com", "192.0.2.1:5060"));
    phones.wait(410_000);
    assert_eq!(seen(&phones), Some((RegistrationState::Registering, 90)));
    let refresh = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &refresh, 503, "");
    assert_eq!(seen(&phones), Some((RegistrationState::Waiting, 90)));
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    assert_eq!(seen(&phones).map(|(state, _)| state), Some(RegistrationState::Removing));
    let removal = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &removal, 200, "");
    assert_eq!(seen(&phones), None);
    assert_eq!(phones.world.role(alice).registrations().count(), 0);
}
