//! The command line: help, faults, and the members of the JSON object.

mod phone;

use phone::{closed_port, run};

const COMMANDS: [&str; 6] = ["demo", "call", "answer", "register", "options", "parse"];

#[test]
fn what_can_not_be_done_is_exit_status_2() {
    for args in [
        [].as_slice(),
        &["dance"],
        &["call"],
        &["call", "http://example.com"],
        &["call", "sip:bob@127.0.0.1", "--duration", "-1"],
        &["call", "sip:bob@127.0.0.1", "--user", "bob"],
        &["answer", "--status", "200"],
        &["answer", "--listen", "nowhere"],
        &["answer", "--count", "0"],
        &["answer", "--register", "127.0.0.1"],
        &["register", "--registrar", "127.0.0.1"],
        &["parse"],
        &["demo", "--trace", "/nonexistent/trace.pcap"],
    ] {
        run(args).expect(2);
    }
}

#[test]
fn every_option_has_its_help_and_its_default() {
    assert!(run(&["--help"]).expect(0).stdout.contains("Exit status:"));
    for command in COMMANDS {
        let help = run(&[command, "-h"]).expect(0).stdout;
        for line in help.lines().filter(|line| line.trim_start().starts_with("--")) {
            let text = line.trim_start().split_once("  ").map_or("", |(_, text)| text).trim();
            let required = command == "register" && (line.contains("--registrar") || line.contains("--aor"));
            assert!(!text.is_empty() && (required || text.contains("[default: ")), "{command}: {line}");
        }
    }
}

#[test]
fn the_json_object_has_the_same_members_for_every_command() {
    let place = closed_port();
    let members = |args: &[&str]| {
        let ended = run(args);
        assert!(ended.stdout.lines().count() == 1, "{}", ended.stdout);
        let mut members: Vec<String> = ended.json().as_object().unwrap().keys().cloned().collect();
        members.sort();
        members
    };
    let expected = [
        "accept",
        "allow",
        "call_ms",
        "calls",
        "cause",
        "command",
        "contact",
        "ended_by",
        "exit_status",
        "expires",
        "message",
        "outcome",
        "peer",
        "reason",
        "scope",
        "setup_ms",
        "sip_status",
        "supported",
    ];
    assert_eq!(members(&["call", &place, "--json"]), expected);
    assert_eq!(members(&["options", &place, "--json"]), expected);
    assert_eq!(members(&["register", "--registrar", &place, "--aor", "sip:b@example.com", "--json"]), expected);
    assert_eq!(members(&["answer", "--listen", "192.0.2.99:5060", "--json"]), expected);
}
