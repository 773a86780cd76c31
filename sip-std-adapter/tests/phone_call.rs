//! `phone call` and `phone answer` as two processes: who ends a call and how, with exit status, last line and JSON.
//!
//! Not here: other makers' phones, authentication.

mod phone;

use core::time::Duration;
use phone::{answer, closed_port, run, silent_peer, start};

#[test]
fn the_caller_hangs_up() {
    let (callee, place) = answer(&["--count", "1"]);
    let uri = format!("sip:bob@{place}");
    let caller = run(&["call", &uri, "--duration", "0.3", "--json"]).expect(0);
    let result = caller.json();
    assert_eq!((result["outcome"].as_str(), result["ended_by"].as_str()), (Some("ok"), Some("local")), "{result}");
    assert_eq!(
        (result["cause"].as_str(), result["sip_status"].as_u64()),
        (Some("local_hangup"), Some(200)),
        "{result}"
    );
    assert!(result["call_ms"].as_u64().is_some_and(|ms| ms >= 300), "{result}");
    assert_eq!(result["peer"].as_str(), Some(uri.as_str()));
    let callee = callee.end().expect(0);
    assert!(callee.stdout.contains("hung up by the peer"), "{}", callee.stdout);
    assert_eq!(callee.last_line(), "1 call ended");
}

#[test]
fn the_callee_hangs_up() {
    let (callee, place) = answer(&["--count", "1", "--hangup-after", "0.3"]);
    let caller = run(&["call", &place, "--json"]).expect(0);
    let result = caller.json();
    assert_eq!((result["ended_by"].as_str(), result["cause"].as_str()), (Some("peer"), Some("remote_hangup")));
    callee.end().expect(0);
}

#[test]
fn a_refusal_is_told_with_its_status() {
    let (callee, place) = answer(&["--count", "1", "--status", "486"]);
    let caller = run(&["call", &place]).expect(1);
    assert_eq!(caller.last_line(), "call refused: 486 Busy Here");
    let callee = callee.end().expect(0);
    assert!(callee.stdout.contains("486 Busy Here") && callee.stdout.contains("ACK"), "{}", callee.stdout);
}

#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let (callee, place) = answer(&["--count", "1", "--ring", "20"]);
    let caller = run(&["call", &place, "--cancel-after", "0.4", "--json"]).expect(0);
    let result = caller.json();
    assert_eq!(
        (result["cause"].as_str(), result["sip_status"].as_u64()),
        (Some("local_hangup"), Some(487)),
        "{result}"
    );
    for text in ["CANCEL", "200 OK (CANCEL)", "487 Request Terminated"] {
        assert!(caller.stderr.contains(text), "{}", caller.stderr);
    }
    let callee = callee.end().expect(0);
    assert!(callee.stdout.contains("given up by the caller"), "{}", callee.stdout);
}

#[test]
fn a_closed_port_is_noticed_at_once() {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return;
    }
    let place = closed_port();
    for args in [
        ["call", place.as_str()].as_slice(),
        &["options", &place],
        &["register", "--registrar", &place, "--aor", "sip:bob@example.com"],
    ] {
        let ended = run(args).expect(3);
        assert!(ended.last_line().ends_with(&format!("nothing listens at {place}")), "{}", ended.stdout);
        assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_hangs_up() {
    let (mut callee, place) = answer(&[]);
    let mut caller = start(&["call", &place]);
    caller.wait_for("ACK");
    callee.wait_for("ACK");
    caller.interrupt();
    let caller = caller.end().expect(0);
    assert!(caller.stdout.contains("BYE") && caller.stdout.contains("200 OK (BYE)"), "{}", caller.stdout);
    callee.wait_for("hung up by the peer");
    callee.interrupt();
    let callee = callee.end().expect(0);
    assert_eq!(callee.last_line(), "1 call ended, stopped by the user");
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_a_call_that_rings() {
    let (callee, place) = answer(&["--count", "1", "--ring", "20"]);
    let mut caller = start(&["call", &place]);
    caller.wait_for("180 Ringing");
    caller.interrupt();
    let caller = caller.end().expect(3);
    assert!(caller.stdout.contains("487 Request Terminated"), "{}", caller.stdout);
    callee.end().expect(0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_hangs_up_everywhere_at_the_callee() {
    let (mut callee, place) = answer(&[]);
    let callers: Vec<_> = (0..3).map(|_| start(&["call", &place])).collect();
    for _ in &callers {
        callee.wait_for("<-- ACK");
    }
    callee.interrupt();
    for caller in callers {
        assert!(caller.end().expect(0).last_line().contains("hung up by the peer"));
    }
    assert_eq!(callee.end().expect(0).last_line(), "3 calls ended, stopped by the user");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_quits_at_once() {
    let (_peer, place) = silent_peer();
    let mut caller = start(&["call", &place]);
    caller.wait_for("INVITE");
    caller.interrupt();
    std::thread::sleep(Duration::from_millis(200));
    caller.interrupt();
    let ended = caller.end().expect(3);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
}

#[test]
fn what_is_waited_for_is_said() {
    let (_callee, place) = answer(&["--ring", "20"]);
    let caller = run(&["call", &place, "--cancel-after", "2.5"]).expect(0);
    assert!(caller.stdout.contains("waiting for an answer (180 Ringing since"), "{}", caller.stdout);
}

#[test]
fn a_name_without_an_address_is_a_failure_of_the_network() {
    let ended = run(&["call", "sip:bob@host.invalid", "--json"]).expect(3);
    assert_eq!(ended.json()["outcome"].as_str(), Some("network"));
}
