//! The phone at Kamailio: registration with digest, and calls through it as a record-routing proxy.
//!
//! Covers MD5 and SHA-256 at a registrar and at a proxy, wrong passwords, expired nonces, 423, and calls through a
//! proxy with either end hanging up, CANCEL, refusal and forking. Kamailio judges every message it gets; each test
//! checks that it had nothing to complain about.

use crate::ended;
use core::time::Duration;
use serde_json::json;
use sip_lab::interop::{Kamailio, Peer, Phone, Rig};
use std::thread;

/// MD5, which goes without an algorithm parameter, and SHA-256.
const ALGORITHMS: [&[&str]; 2] = [&[], &["-A", "WITH_SHA256"]];

fn rig() -> Option<Rig> {
    Rig::new(&[Peer::Kamailio])
}

/// Runs `phone register` to its end.
fn register(rig: &Rig, at: &Kamailio, user: &str, password: &str, more: &[&str]) -> sip_lab::interop::PhoneResult {
    let (address, aor) = (at.address(), at.uri(user));
    let fixed = ["register", "--registrar", &address, "--aor", &aor, "--user", user, "--password", password];
    rig.phone(&[&fixed[..], more].concat()).finish()
}

/// A registered `phone answer` of bob, whose password is "builder".
fn bob(rig: &Rig, at: &Kamailio, more: &[&str]) -> Phone {
    let (address, aor) = (at.address(), at.uri("bob"));
    let fixed = ["--register", &address, "--aor", &aor, "--user", "bob", "--password", "builder"];
    rig.answering(&[&fixed[..], more].concat()).registered()
}

/// Starts `phone call` from a user to bob.
fn call(rig: &Rig, at: &Kamailio, from: &str, more: &[&str]) -> Phone {
    let (address, from, to) = (at.address(), at.uri(from), at.uri("bob"));
    rig.phone(&[&["call", &to, "--from", &from, "--proxy", &address], more].concat())
}

#[test]
fn a_binding_is_made_shown_and_removed() {
    let Some(rig) = rig() else { return };
    for options in ALGORITHMS {
        let kamailio = rig.kamailio(options);
        let result = register(&rig, &kamailio, "alice", "wonderland", &["--expires", "60"]);
        result.expect(0, &[("sip_status", json!(200)), ("expires", json!(60))]);
        let contacts = result.result["contact"].as_array().cloned().unwrap_or_default();
        assert!(contacts.len() == 1 && contacts[0].as_str().is_some_and(|c| c.contains("alice")), "{contacts:?}");
        assert!(!kamailio.bindings().contains("sip:alice"), "{}", kamailio.bindings());
        let log = kamailio.finish(&[]);
        // The nonce of the first answer serves the removal too.
        assert_eq!(log.matches("AUTH: alice passes").count(), 2, "{log}");
        let algorithm = if options.is_empty() { "algorithm 'MD5'" } else { "algorithm 'SHA-256'" };
        assert!(log.contains(algorithm), "{log}");
    }
}

#[test]
fn a_challenge_without_qop_is_met() {
    let Some(rig) = rig() else { return };
    for options in ALGORITHMS {
        let kamailio = rig.kamailio(&[&["-A", "WITH_NO_QOP"], options].concat());
        register(&rig, &kamailio, "alice", "wonderland", &[]).expect(0, &[("sip_status", json!(200))]);
        kamailio.finish(&[]);
    }
}

#[test]
fn a_wrong_password_is_refused_with_the_status() {
    let Some(rig) = rig() else { return };
    for options in ALGORITHMS {
        let kamailio = rig.kamailio(options);
        for (user, password) in [("alice", "wrong"), ("nobody", "wonderland")] {
            let result = register(&rig, &kamailio, user, password, &[]);
            result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(401))]);
        }
        let log = kamailio.finish(&[]);
        // It is not tried again and again.
        assert!(log.matches("IN: REGISTER").count() <= 6, "{log}");
    }
}

#[test]
fn an_expired_nonce_is_replaced() {
    let Some(rig) = rig() else { return };
    for stale in [&["-A", "WITH_STALE"][..], &[]] {
        let kamailio = rig.kamailio(&[&["-A", "NONCE_EXPIRE=1"], stale].concat());
        let phone = bob(&rig, &kamailio, &[]);
        assert!(kamailio.bindings().contains("sip:bob"), "{}", kamailio.bindings());
        thread::sleep(Duration::from_millis(2500));
        phone.interrupt().expect(0, &[("calls", json!(0))]);
        assert!(!kamailio.bindings().contains("sip:bob"), "{}", kamailio.bindings());
        let log = kamailio.finish(&[]);
        assert_eq!(log.matches("AUTH: bob passes").count(), 2, "{log}");
        assert_eq!(log.matches("AUTH: bob fails with -3").count() + log.matches("AUTH: bob fails with -4").count(), 1);
    }
}

#[test]
fn a_binding_that_the_registrar_cuts_short_is_refreshed() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&["-A", "MAX_EXPIRES=4", "-A", "WITH_NONCE_COUNT"]);
    let phone = bob(&rig, &kamailio, &[]);
    thread::sleep(Duration::from_millis(5500));
    assert!(kamailio.bindings().contains("sip:bob"), "{}", kamailio.bindings());
    phone.interrupt().expect(0, &[]);
    // Each refresh counts nc up, so none is challenged again.
    let log = kamailio.finish(&[]);
    assert!(log.matches("AUTH: bob passes").count() >= 3, "{log}");
    assert_eq!(log.matches("AUTH: bob fails").count(), 0, "{log}");
}

#[test]
fn an_interval_too_brief_is_lengthened() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&["-A", "MIN_EXPIRES=600"]);
    let result = register(&rig, &kamailio, "alice", "wonderland", &["--expires", "60"]);
    result.expect(0, &[("expires", json!(600))]);
    // The config's line about each refusal of its own.
    kamailio.finish(&["registrar refuses"]);
}

#[test]
fn a_call_through_the_proxy_is_ended_by_either_side() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&[]);
    let phone = bob(&rig, &kamailio, &["--count", "1", "--ring", "0.2"]);
    call(&rig, &kamailio, "alice", &["--duration", "0.3"]).finish().expect(0, &ended("local"));
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    let phone = bob(&rig, &kamailio, &["--count", "1", "--hangup-after", "0.3"]);
    call(&rig, &kamailio, "alice", &[]).finish().expect(0, &ended("peer"));
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
    let log = kamailio.finish(&[]);
    // Record-routed: the ACK of the 2xx and the BYE pass the proxy.
    for line in ["IN: ACK", "IN: BYE"] {
        assert_eq!(log.matches(line).count(), 2, "{line}: {log}");
    }
}

#[test]
fn sipp_calls_a_registered_phone_through_the_proxy() {
    let Some(rig) = Rig::new(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let kamailio = rig.kamailio(&[]);
    // Kamailio may pass a 180 on after a 200 that followed it at once, and SIPp takes that for a failed call.
    let phone = bob(&rig, &kamailio, &["--count", "50", "--ring", "0.1"]);
    let caller = rig.sipp("uac_call").with_messages().with(&["-d", "200", "-r", "50"]);
    let counts = caller.caller(&kamailio.address(), "bob", 50).passed();
    assert_eq!((counts.successful, counts.sent_again, counts.unexpected), (50, 0, 0), "{counts:?}");
    phone.finish().expect(0, &[("calls", json!(50))]).expect_calls(50, &ended("peer"));
    kamailio.finish(&[]);
}

#[test]
fn a_proxy_that_challenges_is_given_the_digest() {
    let Some(rig) = rig() else { return };
    for options in ALGORITHMS {
        let kamailio = rig.kamailio(&[&["-A", "WITH_PROXY_AUTH"], options].concat());
        let phone = bob(&rig, &kamailio, &["--count", "1"]);
        let credentials = ["--user", "carol", "--password", "mirror", "--duration", "0.3"];
        call(&rig, &kamailio, "carol", &credentials).finish().expect(0, &ended("local"));
        phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
        let result = call(&rig, &kamailio, "carol", &["--user", "carol", "--password", "wrong"]).finish();
        result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(407))]);
        let result = call(&rig, &kamailio, "carol", &[]).finish();
        result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(407))]);
        let log = kamailio.finish(&[]);
        assert_eq!(log.matches("AUTH: carol passes").count(), 1, "{log}");
    }
}

#[test]
fn a_caller_gives_up_through_the_proxy() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&[]);
    let phone = bob(&rig, &kamailio, &["--count", "1", "--ring", "20"]);
    let result = call(&rig, &kamailio, "alice", &["--cancel-after", "0.5"]).finish();
    result.expect(0, &[("cause", json!("local_hangup"))]);
    phone.finish().expect(0, &[]).expect_calls(1, &[("cause", json!("cancelled"))]);
    assert!(kamailio.finish(&[]).contains("IN: CANCEL"));
}

#[test]
fn a_refusal_comes_through_the_proxy() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&[]);
    let result = call(&rig, &kamailio, "alice", &[]).finish();
    result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(404))]);
    let phone = bob(&rig, &kamailio, &["--count", "1", "--status", "486"]);
    let result = call(&rig, &kamailio, "alice", &[]).finish();
    result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(486))]);
    phone.finish().expect(0, &[]).expect_calls(1, &[("cause", json!("declined"))]);
    kamailio.finish(&[]);
}

#[test]
fn of_two_forked_phones_the_first_to_answer_has_the_call() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&[]);
    let quick = bob(&rig, &kamailio, &["--count", "1", "--ring", "0.3"]);
    let slow = bob(&rig, &kamailio, &["--count", "1", "--ring", "20"]);
    call(&rig, &kamailio, "alice", &["--duration", "0.3"]).finish().expect(0, &ended("local"));
    quick.finish().expect(0, &[]).expect_calls(1, &ended("peer"));
    slow.finish().expect(0, &[]).expect_calls(1, &[("cause", json!("cancelled"))]);
    kamailio.finish(&[]);
}

#[test]
fn options_reaches_the_proxy_and_a_user_behind_it() {
    let Some(rig) = rig() else { return };
    let kamailio = rig.kamailio(&[]);
    let server = format!("sip:{}", kamailio.address());
    rig.phone(&["options", &server]).finish().expect(0, &[("sip_status", json!(200))]);
    let phone = bob(&rig, &kamailio, &[]);
    let result = rig.phone(&["options", &kamailio.uri("bob"), "--proxy", &kamailio.address()]).finish();
    result.expect(0, &[("sip_status", json!(200))]);
    phone.interrupt().expect(0, &[("calls", json!(0))]);
    kamailio.finish(&[]);
}
