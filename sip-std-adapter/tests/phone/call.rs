//! `phone call` and `phone answer` as two processes: who ends a call and how, with exit status, last line and JSON.
//!
//! Not here: other makers' phones, authentication.

use crate::process::{answer, closed_port, run, silent_peer, start};
use core::time::Duration;

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
        let ended = run(args).expect(4);
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
    let caller = caller.end().expect(130);
    assert!(caller.last_line().ends_with("stopped by the user"), "{}", caller.stdout);
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
    let ended = caller.end().expect(130);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
}

#[test]
fn what_is_waited_for_is_said_on_a_terminal_alone() {
    let (_callee, place) = answer(&["--ring", "20"]);
    let caller = run(&["call", &place, "--cancel-after", "1.5"]).expect(0);
    assert!(!caller.stdout.contains("waiting") && !caller.stderr.contains("waiting"), "{caller:?}");
}

#[test]
fn a_call_over_tcp_is_shown_with_the_ports_of_its_connection() {
    let (callee, place) = answer(&["--count", "1"]);
    let caller = run(&["call", &format!("sip:bob@{place};transport=tcp"), "--duration", "0.1"]).expect(0);
    let callee = callee.end().expect(0);
    let heads = |text: &str| -> Vec<String> {
        let head = text.lines().find(|line| line.trim_start().starts_with("ms ")).expect("a heading");
        head.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    let (ours, theirs) = (heads(&caller.stdout), heads(&callee.stdout));
    assert_eq!((&ours[1], &theirs[0]), (&place, &place));
    assert_eq!(ours[0], theirs[1]);
}

#[test]
fn what_happens_is_told_one_line_an_event() {
    let (callee, place) = answer(&["--count", "1", "--ring", "0.1", "--json"]);
    let caller = run(&["call", &place, "--duration", "0.2", "--json"]).expect(0);
    let callee = callee.end().expect(0);
    let lines = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let names = |lines: &[serde_json::Value]| -> Vec<String> {
        lines.iter().map(|line| line["event"].as_str().or(line["scope"].as_str()).unwrap_or("?").to_owned()).collect()
    };
    let (ours, theirs) = (lines(&caller.stdout), lines(&callee.stdout));
    assert_eq!(names(&ours), ["progress", "answered", "ended", "result"]);
    assert_eq!(names(&theirs), ["listening", "incoming", "confirmed", "ended", "call", "result"]);
    let named: Vec<_> =
        ours.iter().chain(&theirs[1..5]).map(|line| [&line["call_id"], &line["from"], &line["to"]]).collect();
    assert!(named[0].iter().all(|name| name.is_string()), "{named:?}");
    assert!(named.windows(2).all(|pair| pair[0] == pair[1]), "{named:?}");
}

#[test]
fn what_can_not_be_reached_is_said_for_what_it_is() {
    for (uri, why) in [
        ("sips:bob@127.0.0.1:1", "no connection to"),
        ("sip:bob@127.0.0.1:1;transport=tls", "no connection to"),
        ("sip:bob@[::1]", "has IPv6 addresses alone"),
    ] {
        let ended = run(&["call", uri, "--listen", "127.0.0.1"]).expect(4);
        assert!(ended.last_line().contains(why), "{uri}: {}", ended.last_line());
    }
    let ended = run(&["call", "bob", "--listen", "127.0.0.1"]).expect(4);
    assert!(ended.last_line().contains("taken for a host"), "{}", ended.last_line());
}

#[test]
fn a_name_without_an_address_is_a_failure_of_the_network() {
    let ended = run(&["call", "sip:bob@host.invalid", "--json"]).expect(4);
    assert_eq!(ended.json()["outcome"].as_str(), Some("network"));
}
