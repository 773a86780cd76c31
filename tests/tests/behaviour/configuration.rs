//! What a configuration may say, and what it decides.
//!
//! Covers RFC 3261 §18.1.1 (sent-by is where responses arrive), §8.2.2.1 (a Request-URI that is not ours).

use sip_core::error::{Argument, ConfigError};
use sip_core::ua::{Arrays, Config, UserAgent};
use sip_testkit::{NodeId, OFFER, Phones, Wire};

#[test]
fn an_address_under_which_nobody_is_reached_is_refused_with_the_reason() {
    let start = |sent_by: &str| {
        let mut phone = UserAgent::new(Arrays::<4, 1, 1, 1, 2048>::new());
        phone.start(&Config::new(sent_by, "sip:alice@example.com"), [0; 16])
    };
    for (sent_by, reason) in [
        ("0.0.0.0", "wildcard"),
        ("0.0.0.0:5060", "wildcard"),
        ("[::]:5060", "wildcard"),
        ("192.0.2.1:0", "port 0"),
        ("phone.example.com:0", "port 0"),
        ("", "host"),
        ("a@b", "host"),
        ("192.0.2.1:99999", "host"),
        ("a;x", "host"),
    ] {
        let Err(ConfigError::Invalid(argument)) = start(sent_by) else { panic!("{sent_by:?} is taken") };
        let text = argument.as_str();
        assert!(text.starts_with("sent_by: ") && text.contains(reason), "{sent_by:?}: {text}");
    }
    for sent_by in ["192.0.2.1", "192.0.2.1:5060", "[2001:db8::1]:5060", "phone", "phone.example.com:5080"] {
        assert_eq!(start(sent_by), Ok(()));
    }
}

#[test]
fn a_user_part_may_be_long_and_has_no_octet_that_a_uri_has_elsewhere() {
    let start = |user: &str| {
        let mut phone = UserAgent::new(Arrays::<4, 1, 1, 1, 2048>::new());
        phone.start(&Config::new("192.0.2.1", "sip:alice@example.com").with_contact_user(user), [0; 16])
    };
    for user in ["x".repeat(600), "alice;day=1?".into(), "a%23b".into(), String::new()] {
        assert_eq!(start(&user), Ok(()), "{user}");
    }
    for user in ["a b", "a@b", "a<b", "a\r\nb", "a#b"] {
        assert_eq!(start(user), Err(ConfigError::Invalid(Argument::ContactUser)), "{user}");
    }
}

fn answers(phones: &mut Phones, alice: NodeId, wire: &mut Wire, target: &str) -> String {
    let mut leg = wire.leg(target);
    let rows = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &rows, OFFER);
    wire.send(phones, alice, &invite);
    wire.kinds(phones)
}

#[test]
fn a_request_for_another_user_is_refused_where_that_is_wanted() {
    let targets =
        ["sip:alice@192.0.2.1", "sip:own@192.0.2.1", "sip:line@example.com", "sip:192.0.2.1", "sip:eve@192.0.2.1"];
    for (refuses, expected) in [(false, ["", "", "", "", ""]), (true, ["", "", "", "", "404"])] {
        for (target, expected) in targets.into_iter().zip(expected) {
            let mut phones = Phones::new(1);
            let alice = phones.add_with("alice", "192.0.2.1:5060", |config| {
                (config.contact_user, config.refuse_other_users) = ("own", refuses);
            });
            let mut wire = Wire::new("192.0.2.9:5060");
            let register =
                |phone: &mut sip_testkit::Phone, now| phone.register(now, "sip:192.0.2.9", "sip:line@example.com", 60);
            phones.act(alice, register).unwrap();
            wire.expect(&phones, "REGISTER");
            assert_eq!(answers(&mut phones, alice, &mut wire, target), expected, "{target}");
        }
    }
}

/// The dialog decides inside of one, whatever the Request-URI says.
#[test]
fn a_request_inside_a_dialog_is_not_asked_for_its_user() {
    let mut phones = Phones::new(2);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.refuse_other_users = true);
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    leg.target = "sip:eve@192.0.2.1".into();
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    assert_eq!(wire.kinds(&phones), "200");
}
