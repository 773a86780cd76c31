//! `--100rel` and `--session-expires`: who takes part, who is refused, and what passes.

use crate::process::{answer, run};

/// How often a line of the ladder shows this message.
fn count(shown: &str, what: &str) -> usize {
    shown.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn ringing_is_acknowledged_where_both_take_part() {
    for (caller, callee, acknowledged) in
        [("supported", "supported", 1), ("required", "supported", 1), ("off", "supported", 0), ("supported", "off", 0)]
    {
        let (answering, place) = answer(&["--count", "1", "--ring", "0.2", "--100rel", callee]);
        let called = run(&["call", &place, "--duration", "0.1", "--100rel", caller]).expect(0);
        let (rings, acknowledgements) = (count(&called.stdout, "180 Ringing"), count(&called.stdout, "--- PRACK"));
        assert!(rings >= 1, "{}", called.stdout);
        assert_eq!(acknowledgements, acknowledged, "{caller}, {callee}: {}", called.stdout);
        answering.end().expect(0);
    }
}

#[test]
fn who_does_not_take_part_is_refused_where_it_is_required() {
    let (_callee, place) = answer(&["--100rel", "required"]);
    let refused = run(&["call", &place]).expect(1);
    assert!(refused.last_line().contains("421"), "{}", refused.stdout);
    let (_callee, place) = answer(&[]);
    let refused = run(&["call", &place, "--100rel", "required"]).expect(1);
    assert!(refused.last_line().contains("420"), "{}", refused.stdout);
}

#[test]
fn a_session_says_how_long_it_lasts() {
    let dir = std::env::temp_dir().join(format!("phone-upkeep-{}.pcap", std::process::id()));
    let trace = dir.to_str().expect("a path");
    let (callee, place) = answer(&["--count", "1"]);
    run(&["call", &place, "--duration", "0.1", "--session-expires", "120", "--trace", trace]).expect(0);
    callee.end().expect(0);
    let passed = String::from_utf8_lossy(&std::fs::read(&dir).expect("a trace")).into_owned();
    std::fs::remove_file(&dir).expect("it was there");
    // In the INVITE and in its 200.
    assert_eq!(passed.matches("Session-Expires: 120").count(), 2, "{passed}");
    run(&["call", &place, "--session-expires", "89"]).expect(2);
}
