//! `phone demo`: two phones that register at a server and call each other through it, with ringing, answer, hold, resume and
//! hang-up, over real sockets.
//!
//! Not here: calls between processes (`call.rs`), other makers' phones.

use crate::process::{output, run};

#[test]
fn the_demonstration_shows_every_step() {
    let ended = run(&["demo"]).expect(0);
    // Every message twice: from one phone to the server, and from there to the other phone.
    let has = |text: &str| ended.stdout.lines().filter(|line| line.contains(text)).count();
    for (text, count) in [
        ("-- 401 Unauthorized", 2),
        ("-- 407 Proxy Auth", 1),
        ("--- INVITE ", 7),
        ("-- 180 Ringing", 2),
        ("-- 200 OK (sdp)", 6),
        ("--- ACK ", 7),
        ("--- BYE ", 2),
        ("-- 200 OK (BYE)", 2),
        ("-- 200 OK (REGISTER)", 4),
    ] {
        assert_eq!(has(text), count, "{text} in\n{}", ended.stdout);
    }
    let heading = ended.stdout.lines().next().unwrap_or_default();
    assert!(
        heading.contains(" alice ") && heading.contains(" server 127.0.0.1:") && heading.ends_with(" bob"),
        "{heading}"
    );
    for text in ["* bob registered", "* alice registered", "* alice calls bob", "* hung up by the peer"] {
        assert_eq!(has(text), 1, "{text} in\n{}", ended.stdout);
    }
    assert!(ended.stdout.contains("* on hold") && ended.stdout.contains("* resumed"), "{}", ended.stdout);
    assert!(ended.last_line().starts_with("call ended after"), "{}", ended.stdout);
}

#[test]
fn with_json_the_ladder_goes_to_standard_error() {
    let ended = run(&["demo", "--json"]).expect(0);
    assert!(ended.stdout.lines().all(|line| line.starts_with('{')), "{}", ended.stdout);
    let result = ended.json();
    assert_eq!((result["command"].as_str(), result["outcome"].as_str()), (Some("demo"), Some("ok")));
    assert!(result["setup_ms"].as_u64().is_some_and(|ms| ms >= 400), "{result}");
    assert!(ended.stderr.contains("180 Ringing"), "{}", ended.stderr);
}

#[test]
fn the_trace_holds_every_message() {
    let path = std::env::temp_dir().join(format!("phone-demo-{}.pcap", std::process::id()));
    run(&["demo", "--trace", path.to_str().unwrap()]).expect(0);
    let capture = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    holds_the_demo(&capture);
}

#[test]
fn the_trace_can_go_to_standard_output() {
    let ended = output(&["demo", "--trace", "-"]);
    assert_eq!(ended.status.code(), Some(0));
    holds_the_demo(&ended.stdout);
    let shown = String::from_utf8_lossy(&ended.stderr);
    assert!(shown.contains("180 Ringing") && shown.contains("call ended after"), "{shown}");
    run(&["demo", "--trace", "-", "--json"]).expect(2);
}

fn holds_the_demo(capture: &[u8]) {
    assert_eq!(capture[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let lines = |text: &[u8]| capture.windows(text.len()).filter(|window| *window == text).count();
    assert_eq!((lines(b"INVITE sip:"), lines(b"SIP/2.0 200 OK"), lines(b"BYE sip:")), (7, 12, 2));
}
