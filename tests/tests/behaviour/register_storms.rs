//! What a registrar can drive: every retry has a cap, and the waits grow.
//!
//! Covers RFC 3261 §10.2.4, §10.2.8 (423), §20.33 (Retry-After), RFC 5626 §4.5 (the waits after failures). Lost connections are
//! in register_tcp.rs, challenges in digest.rs.

use RegistrationCause::{Lapsed, NotBound, Refused, Timeout};
use sip_core::time::Duration;
use sip_core::ua::{Config, Event, Registration, RegistrationCause};
use sip_testkit::{Heard, NodeId, Phone, Phones, Wire};

const CONTACT: &str = "Contact: <sip:alice@192.0.2.1:5060>";

fn registering(phones: &mut Phones, alice: NodeId, expires: u32) -> Registration {
    let register = |phone: &mut Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", expires);
    phones.act(alice, register).unwrap()
}

fn first_register(seed: u64) -> (Phones, NodeId, Wire, Registration, Heard) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let registration = registering(&mut phones, alice, 60);
    let register = wire.expect(&phones, "REGISTER");
    (phones, alice, wire, registration, register)
}

#[test]
fn a_423_that_always_asks_for_more_is_given_up() {
    let (mut phones, alice, mut wire, registration, mut register) = first_register(1);
    let mut registers = 0;
    while phones.last(alice).is_none() {
        registers += 1;
        let more = register.header("Expires").parse::<u32>().unwrap() + 1;
        wire.respond(&mut phones, alice, &register, 423, &format!("Min-Expires: {more}\r\n"));
        register = wire.hear(&phones).pop().unwrap_or(register);
    }
    assert_eq!(registers, 7, "the first and six more, as for challenges");
    let failed = Event::RegistrationFailed { registration, cause: Refused, status: 423, retry_after: 0 };
    assert_eq!(phones.last(alice), Some(failed));
    phones.settle();
    wire.expect_nothing(&phones);
}

#[test]
fn a_423_that_asks_for_more_than_a_week_is_a_refusal() {
    for (shortest, taken) in [("604800", true), ("604801", false), ("4294967295", false)] {
        let (mut phones, alice, mut wire, _, register) = first_register(2);
        wire.respond(&mut phones, alice, &register, 423, &format!("Min-Expires: {shortest}\r\n"));
        assert_eq!(wire.kinds(&phones) == "REGISTER", taken, "{shortest}");
        assert_eq!(phones.last(alice).is_none(), taken);
    }
}

#[test]
fn a_binding_that_is_granted_no_time_is_none() {
    // Several Contacts without ours are the bindings of others.
    let theirs = "Contact: <sip:other@192.0.2.77>;expires=7\r\nContact: <sip:alice@192.0.2.1:5070>;expires=8\r\n";
    for rows in [
        format!("{CONTACT};expires=0\r\n"),
        format!("Expires: 0\r\n{CONTACT}\r\n"),
        "Expires: 0\r\n".to_owned(),
        theirs.to_owned(),
        format!("Expires: 500\r\n{theirs}"),
        "Contact: <sip:alice@192.0.2.1:5060;transport=tcp>, <sip:alice@192.0.2.1:5060;transport=udp>\r\n".to_owned(),
    ] {
        let (mut phones, alice, mut wire, registration, mut register) = first_register(3);
        for round in 0..4 {
            wire.respond(&mut phones, alice, &register, 200, &rows);
            let Some(Event::RegistrationFailed { registration: told, cause: NotBound, status: 200, retry_after }) =
                phones.last(alice)
            else {
                panic!("{rows}: {:?}", phones.last(alice));
            };
            let doubled = 30 << round;
            assert!(told == registration && (doubled / 2..=doubled).contains(&retry_after), "{retry_after}");
            phones.wait(u64::from(retry_after) * 1000 - 1);
            wire.expect_nothing(&phones);
            phones.wait(1);
            register = wire.expect(&phones, "REGISTER");
        }
        assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
        wire.respond(&mut phones, alice, &register, 200, "");
        assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 60 }));
    }
}

#[test]
fn retry_after_is_honoured_to_the_second_whatever_the_status() {
    for status in [403, 404, 480, 486, 500, 503, 600, 603] {
        let (mut phones, alice, mut wire, registration, register) = first_register(4);
        wire.respond(&mut phones, alice, &register, status, "Retry-After: 3600\r\n");
        let failed = Event::RegistrationFailed { registration, cause: Refused, status, retry_after: 3600 };
        assert_eq!(phones.last(alice), Some(failed));
        phones.wait(3_599_999);
        wire.expect_nothing(&phones);
        phones.wait(1000);
        let again = wire.expect(&phones, "REGISTER");
        wire.respond(&mut phones, alice, &again, 200, "");
        assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 60 }));
    }
}

#[test]
fn a_registrar_that_says_at_once_each_time_is_asked_less_and_less() {
    for seconds in [0, 1, 2] {
        let (mut phones, alice, mut wire, registration, mut register) = first_register(5);
        let mut waits = Vec::new();
        for _ in 0..13 {
            wire.respond(&mut phones, alice, &register, 503, &format!("Retry-After: {seconds}\r\n"));
            let Some(Event::RegistrationFailed { registration: told, retry_after, .. }) = phones.last(alice) else {
                panic!("no failure");
            };
            assert_eq!(told, registration);
            waits.push(retry_after);
            phones.wait(u64::from(retry_after) * 1000 - 1);
            wire.expect_nothing(&phones);
            phones.wait(1000);
            register = wire.hear(&phones).swap_remove(0);
        }
        let expected: Vec<u32> = (0..13).map(|round| (1 << round).clamp(seconds, 1800)).collect();
        assert_eq!(waits, expected);
    }
}

/// Two phones that were told the same don't come back in the same millisecond.
#[test]
fn retry_after_has_jitter_within_its_second() {
    let mut times = Vec::new();
    for seed in 10..14 {
        let (mut phones, alice, mut wire, _, register) = first_register(seed);
        wire.respond(&mut phones, alice, &register, 503, "Retry-After: 10\r\n");
        phones.wait(11_000);
        times.push(wire.hear(&phones)[0].at);
    }
    times.dedup();
    assert!(times.len() > 1 && times.iter().all(|at| (10_000..11_000).contains(at)), "{times:?}");
}

#[test]
fn what_is_not_bound_is_not_removed() {
    for (status, rows) in [(503, "Retry-After: 100\r\n"), (503, ""), (480, ""), (200, "Expires: 0\r\n")] {
        let (mut phones, alice, mut wire, registration, register) = first_register(6);
        wire.respond(&mut phones, alice, &register, status, rows);
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
        assert_eq!(phones.last(alice), Some(Event::Unregistered { registration }));
        phones.settle();
        wire.expect_nothing(&phones);
        assert_eq!(phones.world.role(alice).occupancy().registrations, 0);
    }
    // What was bound before the failure still is, until its time is over.
    for (after, bound) in [(0, true), (29_000, true), (31_000, false)] {
        let (mut phones, alice, mut wire, registration, register) = first_register(7);
        wire.respond(&mut phones, alice, &register, 200, "");
        phones.wait(30_000);
        let refresh = wire.expect(&phones, "REGISTER");
        wire.respond(&mut phones, alice, &refresh, 503, "Retry-After: 100\r\n");
        phones.wait(after);
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
        assert_eq!(wire.hear(&phones).iter().map(|heard| heard.header("Expires")).eq(["0"]), bound, "{after}");
    }
}

#[test]
fn a_removal_while_registering_ends_in_unregistered() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    for (status, rows) in
        [(403, ""), (503, "Retry-After: 1\r\n"), (423, "Min-Expires: 7200\r\n"), (401, challenge), (0, "")]
    {
        let (mut phones, alice, mut wire) = Phones::scripted(8);
        phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
        let registration = registering(&mut phones, alice, 60);
        let register = wire.expect(&phones, "REGISTER");
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
        if status == 0 {
            phones.wait(32_000);
            wire.hear(&phones);
        } else {
            wire.respond(&mut phones, alice, &register, status, rows);
        }
        assert_eq!(phones.events(alice), [Event::Unregistered { registration }], "{status}");
        phones.settle();
        wire.expect_nothing(&phones);
        assert_eq!(phones.world.role(alice).occupancy().registrations, 0);
    }
}

#[test]
fn a_keep_alive_that_is_months_late_costs_one() {
    let mut phones = Phones::new(9);
    let change = |config: &mut Config<'_>| config.keep_alive = Duration::from_millis(100);
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    let mut wire = Wire::new("192.0.2.9:5060");
    registering(&mut phones, alice, 20_000_000);
    let register = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &register, 200, "");
    phones.wait(6000);
    // The host slept: its clock stands twenty days later when it wakes.
    let later = sip_core::time::Instant::from_millis(phones.now() + 1_728_000_000);
    let next = phones.act(alice, |phone, _| {
        use sip_core::role::Role as _;
        phone.handle_timeout(later);
        phone.poll_timeout()
    });
    assert_eq!(next, Some(later + Duration::from_millis(100)));
}

#[test]
fn a_binding_is_found_by_uri_comparison() {
    let other = "Contact: <sip:alice@192.0.2.1:5060;transport=tcp>;expires=3600\r\n";
    let named = "Contact: <sip:alice@192.0.2.1:5060;transport=udp>;expires=3600\r\n";
    let escaped = "Contact: <sip:%61lice@192.0.2.1:5060;ob>;expires=61\r\n";
    for (rows, granted) in [
        (format!("{other}{CONTACT};expires=61\r\n"), 61),
        (format!("{named}{CONTACT};expires=61\r\n"), 61),
        (format!("{CONTACT};expires=61\r\n{other}"), 61),
        (format!("{other}{escaped}"), 61),
        // A server on the way has put itself into the only one.
        ("Contact: <sip:alice-x7@203.0.113.1:5080;transport=tcp>;expires=61\r\n".to_owned(), 61),
        ("Expires: 62\r\nContact: <sip:alice-x7@203.0.113.1:5080>\r\n".to_owned(), 62),
    ] {
        let (mut phones, alice, wire, registration, register) = first_register(10);
        wire.respond(&mut phones, alice, &register, 200, &rows);
        assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: granted }), "{rows}");
    }
}

#[test]
fn silence_is_a_time_out_and_removes_nothing() {
    let (mut phones, alice, mut wire, registration, _) = first_register(11);
    phones.wait(32_000);
    assert!(matches!(phones.last(alice), Some(Event::RegistrationFailed { cause: Timeout, status: 408, .. })));
    wire.hear(&phones);
    phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    assert_eq!(phones.last(alice), Some(Event::Unregistered { registration }));
    wire.expect_nothing(&phones);
}

#[test]
fn a_registrar_that_grants_seconds_is_asked_less_and_less_and_the_lapses_are_told() {
    for granted in [1, 4] {
        let (mut phones, alice, mut wire, registration, mut register) = first_register(12);
        let mut moments = Vec::new();
        for _ in 0..12 {
            moments.push(phones.now() / 1000);
            wire.respond(&mut phones, alice, &register, 200, &format!("{CONTACT};expires={granted}\r\n"));
            assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: granted }));
            let mut heard = Vec::new();
            while heard.is_empty() {
                phones.wait(1000);
                heard = wire.hear(&phones);
            }
            register = heard.remove(0);
        }
        let waits: Vec<u64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits, [2, 2, 2, 2, 2, 4, 8, 10, 10, 10, 10], "{granted}");
        let told = phones.events(alice);
        let lapses = told.iter().filter(|event| {
            matches!(event, Event::RegistrationFailed { cause: Lapsed, status: 200, retry_after: 1.., .. })
        });
        // A binding of four seconds ends before the last six refreshes only, one of a second before each.
        assert_eq!(lapses.count(), if granted == 1 { 12 } else { 6 }, "{told:?}");
        // The application can give up meanwhile.
        phones.act(alice, |phone, now| phone.unregister(now, registration)).unwrap();
    }
}
