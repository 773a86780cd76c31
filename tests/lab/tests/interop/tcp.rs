//! The phone over TCP: at SIPp, at Kamailio and at another phone, whole processes on 127.0.0.1.
//!
//! Covers calls in both directions, many calls on one connection, a registration and a call through its registrar,
//! the size rule (RFC 3261 §18.1.1) with and without a peer that has
//! TCP, and the trace as tshark reads it. TLS is in `tls.rs`.

use serde_json::json;
use sip_lab::interop::{Peer, Rig, free_port};

#[test]
fn sipp_calls_over_one_connection_and_over_many() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    for transport in ["t1", "tn"] {
        let phone = rig.answering(&["--count", "50"]);
        let caller = rig.sipp("uac_call").with(&["-t", transport, "-max_socket", "100", "-r", "50", "-d", "100"]);
        let counts = caller.caller(phone.address(), "bob", 50).passed();
        assert_eq!((counts.successful, counts.sent_again, counts.unexpected), (50, 0, 0), "{counts:?}");
        let result = phone.finish();
        result.expect(0, &[("calls", json!(50)), ("outcome", json!("ok"))]);
        assert!(!result.ladder.contains("/UDP"), "{}", result.ladder);
    }
}

#[test]
fn sipp_is_called_because_its_uri_or_the_command_line_says_tcp() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    for (parameter, option) in [(";transport=tcp", "udp"), ("", "tcp")] {
        let callee = rig.sipp("uas_call").with(&["-t", "t1"]).with_messages();
        let uri = format!("{}{parameter}", callee.uri("service"));
        let callee = callee.callee(1);
        let result = rig.phone(&["call", &uri, "--duration", "0.3", "--transport", option]).finish();
        result.expect(0, &[("outcome", json!("ok")), ("ended_by", json!("local"))]);
        let counts = callee.passed();
        assert_eq!((counts.sent_again, counts.received_again, counts.unexpected), (0, 0, 0), "{counts:?}");
    }
}

/// A user so long that an INVITE from it is too large for a datagram, compact names or not.
fn long_user() -> String {
    format!("sip:{}@127.0.0.1", "x".repeat(600))
}

#[test]
fn a_call_too_large_for_a_datagram_goes_by_tcp_or_else_by_udp_all_the_same() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    for (transport, told) in
        [("t1", &["TCP is tried"][..]), ("u1", &["TCP is tried", "sent as a datagram all the same"])]
    {
        let callee = rig.sipp("uas_call").with(&["-t", transport]).with_messages();
        let uri = callee.uri("service");
        let callee = callee.callee(1);
        let result = rig.phone(&["call", &uri, "--from", &long_user(), "--duration", "0.2"]).finish();
        result.expect(0, &[("outcome", json!("ok"))]);
        assert!(told.iter().all(|text| result.ladder.contains(text)), "{}", result.ladder);
        assert_eq!(result.ladder.matches("octets, 1300 at most").count(), told.len(), "{}", result.ladder);
        callee.passed();
    }
}

#[test]
fn who_does_not_listen_is_told_at_once() {
    let Some(rig) = Rig::new(&[]) else { return };
    let uri = format!("sip:bob@127.0.0.1:{};transport=tcp", free_port());
    let result = rig.phone(&["call", &uri]).finish();
    result.expect(4, &[("outcome", json!("network"))]);
    assert!(result.result["message"].as_str().is_some_and(|text| text.contains("no connection")), "{}", result.result);
}

#[test]
fn a_call_through_a_registrar_reaches_the_phone_by_tcp() {
    let Some(rig) = Rig::new(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let port = free_port();
    let kamailio = rig.kamailio(&["-l", &format!("tcp:127.0.0.1:{port}")]);
    let (registrar, aor) = (format!("127.0.0.1:{port}"), format!("sip:bob@127.0.0.1:{port}"));
    let fixed = ["--register", &registrar, "--aor", &aor, "--user", "bob", "--password", "builder"];
    let phone = rig.answering(&[&fixed[..], &["--transport", "tcp", "--count", "1"]].concat()).registered();
    // No NAT has changed the address, so the one binding names the port at which the phone listens, not the connection's.
    let own = format!(":{}", phone.address().rsplit(':').next().unwrap_or_default());
    let bindings = kamailio.bindings();
    assert_eq!(bindings.matches("Address: sip:bob@").count(), 1, "{bindings}");
    assert!(bindings.contains(";transport=tcp") && bindings.contains(&own), "{bindings}");
    rig.sipp("uac_call").with_messages().with(&["-d", "200"]).caller(&kamailio.address(), "bob", 1).passed();
    let result = phone.finish();
    result.expect(0, &[("calls", json!(1)), ("outcome", json!("ok"))]);
    assert!(!kamailio.bindings().contains("sip:bob@"), "{}", kamailio.bindings());
    let log = kamailio.finish(&[]);
    assert!(log.contains("AUTH: bob passes"), "{log}");
}

#[test]
fn tshark_reads_the_trace_of_a_call() {
    let Some(rig) = Rig::new(&[Peer::Tshark]) else { return };
    let (here, there) = (rig.path("caller.pcap"), rig.path("callee.pcap"));
    let (here, there) = (here.to_string_lossy(), there.to_string_lossy());
    let phone = rig.answering(&["--count", "1", "--ring", "0.2", "--transport", "tcp", "--trace", &there]);
    let uri = format!("sip:bob@{};transport=tcp", phone.address());
    let result = rig.phone(&["call", &uri, "--duration", "0.2", "--transport", "tcp", "--trace", &here]).finish();
    result.expect(0, &[("outcome", json!("ok"))]);
    phone.finish().expect(0, &[("calls", json!(1))]);
    for file in [&here, &there] {
        // Some of the ports that are free here are another protocol's to tshark.
        let decoded = ["-d", "tcp.port==1024-65535,sip", "-r", file, "-T", "fields"];
        let rows = rig.tshark(&[&decoded[..], &["-e", "sip.Method", "-e", "sip.Status-Code"]].concat());
        let messages: Vec<String> = rows.lines().map(|row| row.replace('\t', "")).filter(|row| row != "100").collect();
        assert_eq!(messages, ["INVITE", "180", "200", "ACK", "BYE", "200"], "{file}");
        let faulty = [&decoded[..4], &["-Y", "!sip || _ws.malformed || _ws.expert.severity >= 0x800000"]].concat();
        assert_eq!(rig.tshark(&faulty), "", "{file}");
    }
}
