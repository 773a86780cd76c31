//! The command line: help, faults, and the members of the JSON object.

use crate::process::{closed_port, run, start};

const COMMANDS: [&str; 9] = ["demo", "call", "answer", "register", "options", "serve", "users", "bindings", "parse"];

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
        &["call", "sip:bob@127.0.0.1", "--from", "alice"],
        &["answer", "--register", "127.0.0.1", "--aor", "bob"],
        &["answer", "--status", "302"],
        &["answer", "--status", "486", "--contact", "sip:bob@example.com"],
        &["answer", "--contact", "sip:bob@example.com"],
        &["answer", "--listen", "65536"],
        &["parse", "--trace", "-", "/dev/null"],
        &["answer", "--count", "0"],
        &["answer", "--register", "127.0.0.1"],
        &["register", "--registrar", "127.0.0.1"],
        &["register", "--registrar", "bob@127.0.0.1", "--aor", "sip:bob@example.com"],
        &["parse"],
        &["serve"],
        &["serve", "--domain", "example.com"],
        &["serve", "--domain", "a b", "--users", "/dev/null"],
        &["serve", "--domain", "example.com", "--users", "/dev/null", "--redirect", "--stateless"],
        &["serve", "--domain", "example.com", "--users", "/nonexistent/users.toml"],
        &["users"],
        &["users", "add", "bob", "--domain", "example.com"],
        &["users", "add", "b b", "--domain", "example.com", "--users", "/nonexistent/users.toml", "--password", "x"],
        // Without a terminal to ask at.
        &["users", "add", "bob", "--domain", "example.com", "--users", "/nonexistent/users.toml"],
        &["bindings"],
        &["bindings", "--store", "/nonexistent/bindings.redb"],
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
            let required = [("register", "--aor"), ("bindings", "--store")];
            let required = required.iter().any(|(name, option)| command == *name && line.contains(option));
            let told = required || text.contains("[default: ") || text.contains("[needed unless ");
            assert!(!text.is_empty() && told, "{command}: {line}");
        }
    }
}

#[test]
fn the_json_object_has_the_same_members_for_every_command() {
    let place = closed_port();
    let members = |args: &[&str]| {
        let ended = run(args);
        let mut members: Vec<String> = ended.json().as_object().unwrap().keys().cloned().collect();
        members.sort();
        members
    };
    let expected = [
        "accept",
        "allow",
        "call_id",
        "call_ms",
        "calls",
        "cause",
        "command",
        "contact",
        "ended_by",
        "exit_status",
        "expires",
        "from",
        "message",
        "outcome",
        "peer",
        "reason",
        "scope",
        "server",
        "setup_ms",
        "sip_status",
        "supported",
        "to",
        "user_agent",
    ];
    assert_eq!(members(&["call", &place, "--json"]), expected);
    assert_eq!(members(&["options", &place, "--json"]), expected);
    assert_eq!(members(&["register", "--registrar", &place, "--aor", "sip:b@example.com", "--json"]), expected);
    assert_eq!(members(&["answer", "--listen", "192.0.2.99:5060", "--json"]), expected);
    assert_eq!(members(&["call", "--json"]), expected);
}

#[test]
fn a_fault_of_the_command_line_is_told_in_json_too() {
    for (args, command, text) in [
        (["call", "--json"].as_slice(), "call", "<URI>"),
        (&["dance", "--json"], "phone", "dance"),
        (&["answer", "--json", "--aor", "bob"], "answer", "sip:bob@DOMAIN"),
        (&["answer", "--json", "--status", "302"], "answer", "--contact"),
    ] {
        let ended = run(args).expect(2);
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
        let result = ended.json();
        let told =
            [&result["command"], &result["outcome"], &result["scope"]].map(|value| value.as_str().unwrap_or_default());
        assert_eq!(told, [command, "usage", "result"], "{result}");
        assert!(result["message"].as_str().is_some_and(|message| message.contains(text)), "{result}");
    }
    assert!(run(&["call", "--help", "--json"]).expect(0).stdout.contains("Usage:"));
}

#[test]
fn an_address_or_a_port_is_enough_to_listen() {
    let port = closed_port().rsplit(':').next().unwrap().to_owned();
    let mut phone = start(&["answer", "--listen", &port]);
    assert!(phone.wait_for("listening at").ends_with(&format!(" 127.0.0.1:{port}")));
    let mut phone =
        start(&["answer", "--listen", "127.0.0.1", "--register", "127.0.0.1:9", "--aor", "bob@example.com"]);
    assert!(phone.wait_for("listening at").contains(" 127.0.0.1:"));
}
