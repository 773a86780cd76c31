//! JsSIP, what a browser's page calls with, over WebSocket at `phone serve`, with TLS and without: whole processes on 127.0.0.1.
//!
//! Covers its registration with digest, a wrong password, calls from it and to it that either side hangs up, and hold and resume. Its
//! Contact is a name that is nowhere, so each request to it goes by the connection over which it registered. Not here: media, which node
//! has none of, and a browser.

use crate::ended;
use crate::tls::Trust;
use serde_json::json;
use sip_lab::interop::{Peer, Process, Server};

/// A server that listens for WebSockets, and whom JsSIP trusts.
struct Office {
    trust: Trust,
    server: Server,
    /// Where it listens, as JsSIP has it.
    url: String,
}

impl Office {
    /// One of which JsSIP has to be shown a certificate, or none; nothing where JsSIP is missing.
    fn new(secure: bool) -> Option<Self> {
        let trust = Trust::new(&[Peer::JsSip], "127.0.0.1")?;
        let (scheme, files) = if secure { ("wss", ["server.pem", "server.key"]) } else { ("ws", ["", ""]) };
        let (listen, [cert, key]) = (format!("{scheme}:127.0.0.1:0"), files.map(|name| trust.file(name)));
        let shown: &[&str] = if secure { &["--cert", &cert, "--key", &key] } else { &[] };
        let server = trust.rig.server(&[&["--listen", &listen][..], shown].concat());
        let line = server.process().wait_for(&format!("listening at {scheme}:"));
        let place = line.rsplit_once(&format!("{scheme}:")).map(|(_, place)| place.to_owned()).unwrap_or_default();
        Some(Self { trust, server, url: format!("{scheme}://{place}") })
    }

    /// Without TLS and with it.
    fn both() -> impl Iterator<Item = Self> {
        [false, true].into_iter().filter_map(Self::new)
    }

    /// JsSIP as alice.
    fn alice(&self, options: &[&str]) -> Process {
        let aor = ["--aor", "sip:alice@example.com", "--password", "wonderland"];
        let ca = self.trust.rig.path("ca.pem");
        self.trust.rig.jssip(&ca, &[&["--server", &self.url][..], &aor, options].concat())
    }
}

#[test]
fn it_registers_with_a_password_and_is_refused_without_the_right_one() {
    for office in Office::both() {
        let phone = office.alice(&["--answer"]);
        phone.wait_for("\"registered\"");
        let bindings = office.server.bindings();
        assert!(bindings.contains(".invalid;transport=ws"), "{bindings}");
        phone.signal("TERM");
        let _ = phone.finish();
        office.alice(&["--password", "wrong", "--expect", "401"]).finish().expect(0);
    }
}

#[test]
fn it_calls_a_phone_and_either_side_hangs_up() {
    for (office, transport) in Office::both().zip(["udp", "tcp"]) {
        let registered =
            ["--register", office.server.address(), "--aor", "sip:bob@example.com", "--password", "builder"];
        let answering = |more: &[&str]| {
            let options = [&registered[..], &["--transport", transport, "--count", "1"], more].concat();
            office.trust.rig.answering(&options).registered()
        };
        for options in [&["--hangup-after", "0.3"][..], &["--hold", "--hangup-after", "0.3"]] {
            let phone = answering(&[]);
            let caller = office.alice(&[&["--call", "sip:bob@example.com"], options].concat());
            phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
            let caller = caller.finish();
            caller.expect(0);
            assert_eq!(caller.out.contains("\"resumed\""), options.contains(&"--hold"), "{}", caller.out);
        }
        let phone = answering(&["--hangup-after", "0.5"]);
        let caller = office.alice(&["--call", "sip:bob@example.com"]);
        phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
        caller.finish().expect(0);
    }
}

#[test]
fn a_phone_calls_it_and_either_side_hangs_up() {
    let calling =
        ["call", "sip:alice@example.com", "--from", "sip:bob@example.com", "--password", "builder", "--proxy"];
    for office in Office::both() {
        for (ours, theirs, by) in
            [(&["--duration", "0.3"][..], &[][..], "local"), (&[], &["--hangup-after", "0.3"], "peer")]
        {
            let callee = office.alice(&[&["--answer"], theirs].concat());
            callee.wait_for("\"registered\"");
            let address = office.server.address();
            office.trust.rig.phone(&[&calling[..], &[address], ours].concat()).finish().expect(0, &ended(by));
            callee.finish().expect(0);
        }
    }
}

#[test]
fn who_is_shown_a_certificate_of_nobody_it_knows_does_not_register() {
    let (Some(office), Some(other)) = (Office::new(true), Trust::new(&[Peer::JsSip], "127.0.0.1")) else { return };
    let aor = ["--aor", "sip:alice@example.com", "--password", "wonderland", "--timeout", "3"];
    let phone = office.trust.rig.jssip(&other.rig.path("ca.pem"), &[&["--server", &office.url][..], &aor].concat());
    let ended = phone.finish();
    assert_eq!((ended.code, ended.out.contains("\"registered\"")), (Some(1), false), "{}", ended.out);
    assert!(!office.server.bindings().contains(".invalid"));
}
