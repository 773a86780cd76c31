//! The phone against SIPp, caller and callee: whole processes over UDP on 127.0.0.1.
//!
//! Covers calls by the hundred without a failure or a retransmission, CANCEL, re-INVITE, refusal, digest and two answers
//! to one INVITE, as SIPp's scenarios judge them, and the phone's exit status and results. Loss and proxies are not
//! covered here. With `SIP_INTEROP_FULL=1` a thousand calls come at a hundred a second.

use crate::ended;
use core::time::Duration;
use serde_json::{Value, json};
use sip_lab::interop::{LIMIT, Peer, Rig, free_port, full};

fn rig() -> Option<Rig> {
    Rig::new(&[Peer::Sipp])
}

#[test]
fn calls_by_the_hundred_are_answered_without_a_retransmission() {
    let Some(rig) = rig() else { return };
    let (calls, rate) = if full() { (1000, "100") } else { (200, "50") };
    let phone = rig.answering(&["--count", &calls.to_string()]);
    let caller = rig.sipp("-sn uac").with(&["-r", rate]).with_limit(LIMIT + Duration::from_secs(15));
    let counts = caller.caller(phone.address(), "bob", calls).passed();
    assert_eq!(counts.successful, u64::from(calls));
    assert_eq!((counts.sent_again, counts.received_again, counts.unexpected), (0, 0, 0), "{counts:?}");
    let result = phone.finish();
    result.expect(0, &[("calls", json!(calls)), ("outcome", json!("ok"))]);
    result.expect_calls(calls as usize, &ended("peer"));
}

#[test]
fn a_storm_beyond_the_rate_of_ordinary_use_loses_no_call() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "300"]);
    // All at once: retransmissions are in order, lost calls are not.
    let caller = rig.sipp("-sn uac").with(&["-r", "3000", "-l", "300", "-d", "500"]);
    let counts = caller.caller(phone.address(), "bob", 300).passed();
    assert_eq!((counts.successful, counts.unexpected), (300, 0), "{counts:?}");
    phone.finish().expect(0, &[("calls", json!(300))]);
}

/// Over UDP a call keeps two transactions for 32 s after its end, so 8,192 of them are full after 4,096 calls.
#[test]
fn beyond_its_capacity_the_phone_refuses_and_keeps_what_it_has() {
    if !full() {
        println!("skipped: part of SIP_INTEROP_FULL=1");
        return;
    }
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&[]);
    let caller = rig.sipp("-sn uac").with(&["-r", "1000", "-l", "400"]).caller(phone.address(), "bob", 4600);
    let (finished, counts) = caller.finish_counted();
    finished.expect(1);
    // Every failure is the 503 to an INVITE; what was taken goes on to its BYE.
    assert_eq!((counts.successful + counts.failed, counts.unexpected), (4600, counts.failed), "{counts:?}");
    assert!((4000..=4096).contains(&counts.successful), "{counts:?}");
    let result = phone.interrupt();
    assert!(result.ladder.contains(" 503 Service Unavailable"));
    result.expect(0, &[("calls", json!(counts.successful))]);
    result.expect_calls(counts.successful as usize, &ended("peer"));
}

#[test]
fn the_phone_calls_and_hangs_up() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("-sn uas").with_messages();
    let uri = callee.uri("service");
    let callee = callee.callee(1);
    let result = rig.phone(&["call", &uri, "--duration", "0.3"]).finish();
    result.expect(0, &ended("local")).expect(0, &[("command", json!("call")), ("peer", json!(uri))]);
    assert!(result.result["call_ms"].as_u64().is_some_and(|lasted| (300..2000).contains(&lasted)), "{result:?}");
    assert!(result.result["setup_ms"].is_u64(), "{result:?}");
    let counts = callee.passed();
    assert_eq!((counts.sent_again, counts.received_again, counts.unexpected), (0, 0, 0), "{counts:?}");
}

#[test]
fn a_caller_gives_up_while_it_rings() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--ring", "20", "--count", "3"]);
    let caller = rig.sipp("uac_cancel").with_messages().with(&["-d", "100", "-r", "10"]);
    let counts = caller.caller(phone.address(), "bob", 3).passed();
    assert_eq!((counts.sent_again, counts.received_again), (0, 0), "{counts:?}");
    let result = phone.finish();
    result.expect(0, &[("calls", json!(3))]);
    result.expect_calls(3, &[("cause", json!("cancelled")), ("outcome", json!("no_answer"))]);
}

#[test]
fn a_caller_holds_and_resumes() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "3"]);
    let caller = rig.sipp("uac_reinvite").with_messages().with(&["-d", "100", "-r", "10"]);
    let counts = caller.caller(phone.address(), "bob", 3).passed();
    assert_eq!((counts.sent_again, counts.received_again), (0, 0), "{counts:?}");
    phone.finish().expect(0, &[("calls", json!(3))]).expect_calls(3, &ended("peer"));
}

#[test]
fn the_answering_phone_hangs_up() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1", "--hangup-after", "0.2"]);
    // This caller is in its pause then, and takes the BYE as a failed call.
    let caller = rig.sipp("uac_call").with(&["-d", "3000", "-aa"]).caller(phone.address(), "bob", 1);
    let result = phone.finish();
    result.expect(0, &[("calls", json!(1))]);
    result.expect_calls(1, &[("cause", json!("local_hangup"))]);
    drop(caller);
}

#[test]
fn requests_outside_a_call_are_answered_beside_one() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "1"]);
    let call = rig.sipp("uac_call").with_messages().with(&["-d", "1500"]).caller(phone.address(), "bob", 1);
    for scenario in ["uac_options", "uac_message"] {
        let counts = rig.sipp(scenario).with_messages().caller(phone.address(), "bob", 3).passed();
        assert_eq!((counts.successful, counts.sent_again), (3, 0), "{scenario}: {counts:?}");
    }
    call.passed();
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
}

#[test]
fn a_busy_callee_is_told_with_its_status() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_busy").with_messages();
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    let result = rig.phone(&["call", &uri]).finish();
    let refused = [("outcome", json!("refused")), ("sip_status", json!(486)), ("reason", json!("Busy Here"))];
    result.expect(1, &refused);
    result.expect(1, &[("ended_by", json!("peer")), ("cause", json!("rejected"))]);
    callee.passed();
}

#[test]
fn the_phone_refuses_as_it_is_told() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--status", "603", "--count", "1"]);
    // The caller's scenario has no branch for 603: the call counts as failed there.
    let caller = rig.sipp("-sn uac").caller(phone.address(), "bob", 1).finish();
    caller.expect(1);
    let result = phone.finish();
    result.expect(0, &[("calls", json!(1))]);
    result.expect_calls(1, &[("cause", json!("declined")), ("sip_status", json!(603))]);
}

#[test]
fn a_challenge_of_either_kind_is_met() {
    let Some(rig) = rig() else { return };
    for scenario in ["uas_auth", "uas_auth_401"] {
        let callee = rig.sipp(scenario).with_messages();
        let uri = callee.uri("bob");
        let callee = callee.callee(1);
        let credentials = ["--user", "alice", "--password", "wonderland"];
        let arguments = [&["call", &uri, "--duration", "0.2"], &credentials[..]].concat();
        rig.phone(&arguments).finish().expect(0, &ended("local"));
        callee.passed();
    }
}

#[test]
fn a_wrong_password_ends_the_call_with_the_status() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_auth_401").with_messages();
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    let result = rig.phone(&["call", &uri, "--user", "alice", "--password", "wrong"]).finish();
    result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(403))]);
    // The scenario ends a wrong digest with its error action.
    callee.finish().expect(255);
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_auth").with_messages();
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    let result = rig.phone(&["call", &uri]).finish();
    result.expect(1, &[("outcome", json!("refused")), ("sip_status", json!(407))]);
    drop(callee);
}

#[test]
fn the_phone_gives_up_while_it_rings() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_cancel").with_messages();
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    let result = rig.phone(&["call", &uri, "--cancel-after", "0.3"]).finish();
    result.expect(0, &[("cause", json!("local_hangup")), ("ended_by", json!("local"))]);
    callee.passed();
}

#[test]
fn the_callee_holds_and_hangs_up() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_reinvite").with_messages().with(&["-d", "200"]);
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    rig.phone(&["call", &uri]).finish().expect(0, &ended("peer"));
    callee.passed();
}

#[test]
fn of_two_answers_both_are_acknowledged_and_the_second_is_ended() {
    let Some(rig) = rig() else { return };
    let callee = rig.sipp("uas_fork").with_messages().with(&["-d", "300"]);
    let uri = callee.uri("bob");
    let callee = callee.callee(1);
    rig.phone(&["call", &uri]).finish().expect(0, &ended("peer"));
    callee.passed();
}

#[test]
fn options_tells_what_the_phone_can() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&[]);
    let uri = format!("sip:bob@{}", phone.address());
    let result = rig.phone(&["options", &uri]).finish();
    result.expect(0, &[("sip_status", json!(200))]);
    let allowed: Vec<&str> =
        result.result["allow"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] {
        assert!(allowed.contains(&method), "{allowed:?}");
    }
    // Ctrl-C is no failure of a phone that only waits.
    phone.interrupt().expect(0, &[("calls", json!(0))]);
}

#[test]
fn a_closed_port_is_noticed_at_once() {
    let Some(rig) = rig() else { return };
    let uri = format!("sip:bob@127.0.0.1:{}", free_port());
    let started = std::time::Instant::now();
    rig.phone(&["call", &uri]).finish().expect(4, &[("outcome", json!("network")), ("cause", json!("unreachable"))]);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_caller_requires_that_ringing_is_acknowledged() {
    let Some(rig) = rig() else { return };
    let phone = rig.answering(&["--count", "5", "--ring", "0.2", "--100rel", "supported"]);
    let caller = rig.sipp("uac_100rel").with_messages().with(&["-d", "100", "-r", "10"]);
    let counts = caller.caller(phone.address(), "bob", 5).passed();
    assert_eq!((counts.sent_again, counts.received_again, counts.unexpected), (0, 0, 0), "{counts:?}");
    phone.finish().expect(0, &[("calls", json!(5))]).expect_calls(5, &ended("peer"));
    // Who does not take part says so.
    let phone = rig.answering(&["--count", "1"]);
    let finished = rig.sipp("uac_100rel").with_messages().caller(phone.address(), "bob", 1).finish();
    assert!(finished.code != Some(0), "{finished:?}");
    phone.interrupt().expect(0, &[("calls", json!(0))]);
}

#[test]
fn a_callee_requires_that_its_183_is_acknowledged() {
    let Some(rig) = rig() else { return };
    for policy in ["supported", "required"] {
        let callee = rig.sipp("uas_100rel").with_messages().with(&["-d", "100"]);
        let uri = callee.uri("sipp");
        let running = callee.callee(1);
        let result = rig.phone(&["call", &uri, "--duration", "0.3", "--100rel", policy]).finish();
        result.expect(0, &ended("local"));
        let counts = running.passed();
        assert_eq!((counts.sent_again, counts.received_again), (0, 0), "{counts:?}");
    }
}
