//! The phone and PJSIP, each as caller and as callee, directly and through Kamailio.
//!
//! Covers plain calls, hang-up from both sides, hold and resume, CANCEL, refusal, and both registered at one proxy.

use crate::ended;
use serde_json::json;
use sip_lab::interop::{Peer, Rig, free_port};

fn rig() -> Option<Rig> {
    Rig::new(&[Peer::Pjsip])
}

#[test]
fn pjsip_calls_and_hangs_up() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1", "--ring", "0.2"]);
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &["--mode", "call", &uri, "--hangup-after", "0.5"]);
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    caller.finish().expect(0);
}

#[test]
fn pjsip_calls_holds_and_resumes() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1"]);
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &["--mode", "call", &uri, "--hold", "--hangup-after", "0.3"]);
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    let finished = caller.finish();
    finished.expect(0);
    assert!(finished.out.contains("local-hold"), "{}", finished.out);
}

#[test]
fn the_answering_phone_hangs_up_on_pjsip() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1", "--hangup-after", "0.5"]);
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &["--mode", "call", &uri]);
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
    caller.finish().expect(0);
}

#[test]
fn pjsip_gives_up_or_is_refused() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1", "--ring", "20"]);
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &["--mode", "call", &uri, "--cancel-after", "0.4"]);
    let refusing = rig.answering(&["--count", "1", "--status", "486"]);
    let refused_uri = format!("sip:bob@{}", refusing.address());
    let refused = rig.pjsip(free_port(), &["--mode", "call", &refused_uri, "--expect", "486"]);
    phone.finish().expect(0, &[]).expect_calls(1, &[("cause", json!("cancelled"))]);
    refusing.finish().expect(0, &[]).expect_calls(1, &[("cause", json!("declined")), ("sip_status", json!(486))]);
    caller.finish().expect(0);
    refused.finish().expect(0);
}

/// Both ends insist on acknowledged ringing and on a session timer: in each role, with a 183 between ringing and answer.
#[test]
fn provisional_responses_and_timers_are_required_of_both() {
    let Some(rig) = rig() else { return };
    let (theirs, ours) = (
        ["--reliable", "required", "--timers", "required", "--session-expires", "90", "--min-se", "90"],
        ["--100rel", "required", "--session-expires", "90"],
    );
    // PJSIP calls.
    let phone = rig.answering(&[&["--count", "1", "--ring", "0.3"], &ours[..]].concat());
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &[&["--mode", "call", &uri, "--hangup-after", "0.5"], &theirs[..]].concat());
    let result = phone.finish();
    result.expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    assert!(result.ladder.contains("PRACK"), "{}", result.ladder);
    let finished = caller.finish();
    finished.expect(0);
    assert!(finished.out.contains(r#""method": "PRACK", "role": "client", "code": 200"#), "{}", finished.out);
    // The phone calls.
    let port = free_port();
    let callee = rig.pjsip(port, &[&["--mode", "answer"], &theirs[..]].concat());
    let uri = format!("sip:pjsua@127.0.0.1:{port}");
    let result = rig.phone(&[&["call", &uri, "--duration", "0.5"], &ours[..]].concat()).finish();
    result.expect(0, &ended("local"));
    assert!(result.ladder.contains("PRACK"), "{}", result.ladder);
    let finished = callee.finish();
    finished.expect(0);
    assert!(finished.out.contains(r#""method": "PRACK", "role": "server", "code": 200"#), "{}", finished.out);
}

/// A session of 90 s is refreshed by who has to, as both ends agreed: the caller, 45 s after the answer, by UPDATE or re-INVITE.
#[test]
fn a_session_is_refreshed_by_either() {
    if !sip_lab::interop::full() {
        return;
    }
    let Some(rig) = rig() else { return };
    let limit = core::time::Duration::from_secs(90);
    let timers = ["--timers", "required", "--session-expires", "90", "--timeout", "80"];
    let port = free_port();
    let callee = rig.pjsip(port, &[&["--mode", "answer"], &timers[..]].concat());
    let uri = format!("sip:pjsua@127.0.0.1:{port}");
    let calling = ["call", &uri, "--duration", "50", "--session-expires", "90"];
    let result = rig.patient_phone(limit, &calling).finish();
    result.expect(0, &ended("local"));
    let refreshed = result.ladder.lines().filter(|line| line.contains("INVITE ") || line.contains("UPDATE ")).count();
    assert!(refreshed > 1, "{}", result.ladder);
    // It has lasted longer than a peer is waited for.
    callee.close();
}

#[test]
fn the_phone_calls_pjsip_and_hangs_up() {
    let Some(rig) = rig() else { return };
    let port = free_port();
    let callee = rig.pjsip(port, &["--mode", "answer"]);
    let uri = format!("sip:pjsua@127.0.0.1:{port}");
    rig.phone(&["call", &uri, "--duration", "0.5"]).finish().expect(0, &ended("local"));
    callee.finish().expect(0);
}

#[test]
fn pjsip_answers_holds_resumes_and_hangs_up() {
    let Some(rig) = rig() else { return };
    let port = free_port();
    let callee = rig.pjsip(port, &["--mode", "answer", "--hold", "--hangup-after", "0.3"]);
    let uri = format!("sip:pjsua@127.0.0.1:{port}");
    rig.phone(&["call", &uri]).finish().expect(0, &ended("peer"));
    callee.finish().expect(0);
}

#[test]
fn pjsip_picks_a_codec_by_a_reinvite_of_its_own() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1"]);
    let uri = format!("sip:bob@{}", phone.address());
    let caller = rig.pjsip(free_port(), &["--mode", "call", &uri, "--lock-codec", "--hangup-after", "0.8"]);
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    caller.finish().expect(0);
}

#[test]
fn pjsip_refuses_and_is_given_up() {
    let Some(rig) = rig() else { return };
    let ports = [free_port(), free_port()];
    let refusing = rig.pjsip(ports[0], &["--mode", "answer", "--answer", "603"]);
    let ringing = rig.pjsip(ports[1], &["--mode", "answer", "--ring", "20", "--expect", "487"]);
    let result = rig.phone(&["call", &format!("sip:pjsua@127.0.0.1:{}", ports[0])]).finish();
    result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(603))]);
    let uri = format!("sip:pjsua@127.0.0.1:{}", ports[1]);
    let result = rig.phone(&["call", &uri, "--cancel-after", "0.4"]).finish();
    result.expect(0, &[("cause", json!("local_hangup"))]);
    refusing.finish().expect(0);
    ringing.finish().expect(0);
}

#[test]
fn both_register_at_a_proxy_and_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Pjsip, Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&["-A", "WITH_SHA256"]);
    let (address, bob, alice) = (kamailio.address(), kamailio.uri("bob"), kamailio.uri("alice"));
    let (server, route) = (format!("sip:{address}"), format!("sip:{address};lr"));
    let registered = ["--register", &address, "--aor", &bob, "--user", "bob", "--password", "builder"];
    let phone = rig.answering(&[&registered[..], &["--count", "1"]].concat()).registered();
    let account = ["--user", "alice", "--password", "wonderland", "--register", &server];
    // PJSIP calls the phone, with hold and resume, and hangs up.
    let calling = ["--mode", "call", &bob, "--proxy", &route, "--hold", "--hangup-after", "0.3"];
    let caller = rig.pjsip(free_port(), &[&calling[..], &account].concat());
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    caller.finish().expect(0);
    // The phone calls PJSIP, which hangs up.
    let callee = rig.pjsip(free_port(), &[&["--mode", "answer", "--hangup-after", "0.5"], &account[..]].concat());
    callee.wait_for("\"registered\"");
    let result = rig.phone(&["call", &alice, "--from", &bob, "--proxy", &address]).finish();
    result.expect(0, &ended("peer"));
    callee.finish().expect(0);
    kamailio.finish(&[]);
}
