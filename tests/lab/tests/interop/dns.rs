//! Names as RFC 3263 has them, asked for at a real name server: whole processes on 127.0.0.1.
//!
//! Covers SRV with a dead first host (REGISTER, INVITE and what follows in its dialog, over UDP and TCP, and that the host is tried last
//! afterwards), NAPTR that chooses TCP, an SRV set too large for a datagram, addresses of both families, an alias. A host that is silent
//! takes Timers B and F: it is in `tests/tests/behaviour/targets.rs`, in virtual time, with the requests of a dialog; here it is part of
//! `SIP_INTEROP_FULL=1`.

use core::fmt::Write;
use core::time::Duration;
use serde_json::json;
use sip_lab::interop::{Knot, Peer, Phone, PhoneResult, Rig, free_port, full};
use std::net::{TcpListener, UdpSocket};
use std::time::Instant;

fn port_of(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

/// Asks what somebody can do, with a trace of the messages.
fn options(rig: &Rig, knot: &Knot, uri: &str, more: &[&str], trace: &str) -> PhoneResult {
    let trace = rig.path(trace);
    let fixed = ["options", uri, "--dns", knot.address(), "--trace", trace.to_str().unwrap()];
    rig.phone(&[&fixed[..], more].concat()).finish()
}

/// How many SIP messages of a trace this filter shows.
fn count(rig: &Rig, trace: &str, filter: &str) -> usize {
    let trace = rig.path(trace);
    // No dissector knows these ports.
    let shown = rig.tshark(&["-r", trace.to_str().unwrap(), "-Y", filter]);
    shown.lines().filter(|line| !line.is_empty()).count()
}

fn answering(rig: &Rig) -> Phone {
    rig.answering(&[])
}

#[test]
fn a_dead_host_costs_no_time_and_is_tried_last_afterwards() {
    let Some(rig) = Rig::new(&[Peer::Knot, Peer::Tshark]) else { return };
    let server = rig.server(&[]);
    let dead = free_port();
    let records = format!(
        "_sip._udp SRV 1 0 {dead} dead\n_sip._udp SRV 2 0 {} alive\ndead A 127.0.0.1\nalive A 127.0.0.1",
        port_of(server.address())
    );
    let knot = rig.knot(&records);
    let trace = rig.path("register.pcap");
    let bob = ["--aor", "sip:bob@example.com", "--user", "bob", "--password", "builder", "--dns", knot.address()];
    let started = Instant::now();
    let registered = rig.phone(&[&["register", "--trace", trace.to_str().unwrap()], &bob[..]].concat()).finish();
    let took = started.elapsed();
    registered.expect(0, &[("outcome", json!("ok"))]);
    assert!(took < Duration::from_secs(2), "{took:?}");
    // The binding was added and removed, each time with a challenge: four requests, of which one went to the dead host.
    let requests = "sip.Method == \"REGISTER\"";
    assert_eq!(count(&rig, "register.pcap", &format!("{requests} && udp.dstport == {dead}")), 1);
    assert!(count(&rig, "register.pcap", requests) >= 4);

    let register = ["--register", "sip:example.com", "--count", "1"];
    let phone = rig.answering(&[&register[..], &bob[..]].concat()).registered();
    let trace = rig.path("call.pcap");
    let started = Instant::now();
    let called = call(&rig, &knot, &["--trace", trace.to_str().unwrap()]).finish();
    let took = started.elapsed();
    called.expect(0, &[("outcome", json!("ok")), ("sip_status", json!(200))]);
    assert!(took < Duration::from_secs(2), "{took:?}");
    phone.finish().expect(0, &[("calls", json!(1))]);
    // The call began at the dead host, and went on at the other one: with the credentials, and in its dialog.
    assert_eq!(count(&rig, "call.pcap", &format!("sip.Method == \"INVITE\" && udp.dstport == {dead}")), 1);
    assert_eq!(count(&rig, "call.pcap", &format!("udp.dstport == {dead}")), 1);
    assert!(count(&rig, "call.pcap", "sip.Method == \"INVITE\"") >= 3);
    assert_eq!(count(&rig, "call.pcap", "sip.Method == \"BYE\""), 1);
}

/// Begins a call from alice to bob, which ends soon after its answer.
fn call(rig: &Rig, knot: &Knot, more: &[&str]) -> Phone {
    let from = ["--from", "sip:alice@example.com", "--password", "wonderland", "--duration", "0.1"];
    let fixed = ["call", "sip:bob@example.com", "--dns", knot.address()];
    rig.patient_phone(Duration::from_secs(50), &[&fixed[..], &from, more].concat())
}

#[test]
fn a_host_that_resets_connections_costs_no_time_either() {
    let Some(rig) = Rig::new(&[Peer::Knot, Peer::Tshark]) else { return };
    let server = rig.server(&[]);
    let records = format!(
        "_sip._tcp SRV 1 0 {} dead\n_sip._tcp SRV 2 0 {} alive\ndead A 127.0.0.1\nalive A 127.0.0.1",
        free_port(),
        port_of(server.address())
    );
    let knot = rig.knot(&records);
    let bob = ["--aor", "sip:bob@example.com", "--user", "bob", "--password", "builder"];
    let phone = rig.answering(&[&["--register", server.address(), "--count", "1"][..], &bob].concat()).registered();
    let [register, calling] = ["register.pcap", "call.pcap"].map(|name| rig.path(name).to_str().unwrap().to_owned());
    let fixed = ["register", "--dns", knot.address(), "--aor", "sip:alice@example.com", "--user", "alice"];
    let more = ["--password", "wonderland", "--transport", "tcp", "--trace", &register];
    let started = Instant::now();
    let registered = rig.phone(&[&fixed[..], &more].concat()).finish();
    let took = started.elapsed();
    registered.expect(0, &[("outcome", json!("ok"))]);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let started = Instant::now();
    let called = call(&rig, &knot, &["--transport", "tcp", "--trace", &calling]).finish();
    let took = started.elapsed();
    called.expect(0, &[("outcome", json!("ok")), ("sip_status", json!(200))]);
    assert!(took < Duration::from_secs(2), "{took:?}");
    phone.finish().expect(0, &[("calls", json!(1))]);
    for (trace, least) in [("register.pcap", 3), ("call.pcap", 5)] {
        assert_eq!(count(&rig, trace, "udp"), 0, "{trace}");
        assert!(count(&rig, trace, &format!("tcp.dstport == {}", port_of(server.address()))) >= least, "{trace}");
    }
}

#[test]
fn a_silent_host_costs_timers_b_and_f_and_is_tried_last_afterwards() {
    if !full() {
        println!("skipped: part of SIP_INTEROP_FULL=1");
        return;
    }
    let Some(rig) = Rig::new(&[Peer::Knot, Peer::Tshark]) else { return };
    let server = rig.server(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().port();
    let records = format!(
        "_sip._udp SRV 1 0 {silent} silent\n_sip._udp SRV 2 0 {} alive\nsilent A 127.0.0.1\nalive A 127.0.0.1",
        port_of(server.address())
    );
    let knot = rig.knot(&records);
    let bob = ["--aor", "sip:bob@example.com", "--user", "bob", "--password", "builder"];
    let fixed = ["answer", "--listen", "127.0.0.1:0", "--register", server.address(), "--count", "1"];
    let phone = rig.patient_phone(Duration::from_secs(60), &[&fixed[..], &bob].concat()).registered();
    let [register, calling] = ["register.pcap", "call.pcap"].map(|name| rig.path(name).to_str().unwrap().to_owned());
    let started = Instant::now();
    let called = call(&rig, &knot, &["--trace", &calling]);
    let fixed = ["register", "--dns", knot.address(), "--aor", "sip:alice@example.com", "--user", "alice"];
    let more = ["--password", "wonderland", "--trace", &register];
    let registered = rig.patient_phone(Duration::from_secs(50), &[&fixed[..], &more].concat()).finish();
    let registered_after = started.elapsed();
    registered.expect(0, &[("outcome", json!("ok"))]);
    called.finish().expect(0, &[("sip_status", json!(200))]);
    for took in [registered_after, started.elapsed()] {
        assert!(took > Duration::from_millis(31_900) && took < Duration::from_secs(36), "{took:?}");
    }
    phone.finish().expect(0, &[("calls", json!(1))]);
    // Each began there, with all that is sent again, and nothing else went there.
    for (trace, method, sent) in [("register.pcap", "REGISTER", 11), ("call.pcap", "INVITE", 7)] {
        let there = format!("udp.dstport == {silent}");
        assert_eq!(count(&rig, trace, &there), sent, "{trace}");
        assert_eq!(count(&rig, trace, &format!("{there} && sip.Method == \"{method}\"")), sent, "{trace}");
    }
}

#[test]
fn naptr_chooses_the_transport() {
    let Some(rig) = Rig::new(&[Peer::Knot, Peer::Tshark]) else { return };
    let phone = answering(&rig);
    let port = port_of(phone.address());
    let records = format!(
        "host A 127.0.0.1\n\
         by-tcp NAPTR 20 1 \"s\" \"SIP+D2U\" \"\" _sip._udp.by-tcp\n\
         by-tcp NAPTR 10 1 \"S\" \"SIP+D2T\" \"\" _sip._tcp.by-tcp\n\
         by-udp NAPTR 10 1 \"s\" \"SIP+D2U\" \"\" _sip._udp.by-udp\n\
         _sip._tcp.by-tcp SRV 0 0 {port} host\n_sip._udp.by-tcp SRV 0 0 {port} host\n_sip._udp.by-udp SRV 0 0 {port} host"
    );
    let knot = rig.knot(&records);
    for (name, filter, other) in [("by-tcp", "tcp", "udp"), ("by-udp", "udp", "tcp")] {
        options(&rig, &knot, &format!("sip:{name}.example.com"), &[], name).expect(0, &[("outcome", json!("ok"))]);
        assert!(count(&rig, name, filter) >= 2, "{name}");
        assert_eq!(count(&rig, name, other), 0, "{name}");
    }
    assert_eq!(phone.interrupt().code, Some(0));
}

#[test]
fn records_that_fill_no_datagram_come_over_tcp_and_aliases_and_addresses_lead_there() {
    let Some(rig) = Rig::new(&[Peer::Knot, Peer::Tshark]) else { return };
    let phone = answering(&rig);
    let port = port_of(phone.address());
    let mut records =
        format!("host A 127.0.0.1\nalias CNAME other\nother CNAME host\n_sip._udp.big SRV 0 0 {port} host\n");
    for number in 1..60 {
        writeln!(records, "_sip._udp.big SRV {number} 0 5060 host-with-a-long-name-{number}").unwrap();
    }
    writeln!(records, "_sip._udp.nowhere SRV 0 0 0 .\nnowhere A 127.0.0.1\nsix AAAA ::1").unwrap();
    let knot = rig.knot(&records);
    let alias = format!("sip:alias.example.com:{port}");
    let addresses = format!("sip:host.example.com:{port}");
    for uri in ["sip:big.example.com;transport=udp", &alias, &addresses] {
        options(&rig, &knot, uri, &[], "trace").expect(0, &[("outcome", json!("ok"))]);
        assert_eq!(count(&rig, "trace", &format!("udp.dstport == {port}")), 1, "{uri}");
    }
    // A service that is not there, and a name that is not.
    for uri in ["sip:nowhere.example.com;transport=udp", "sip:nobody.example.com"] {
        assert_eq!(options(&rig, &knot, uri, &[], "trace").code, Some(4), "{uri}");
        assert_eq!(count(&rig, "trace", "udp"), 0, "{uri}");
    }
    assert_eq!(phone.interrupt().code, Some(0));
    // By IPv6, where the host has it.
    let Ok(free) = TcpListener::bind("[::1]:0").and_then(|listener| listener.local_addr()) else { return };
    let six = rig.phone(&["answer", "--listen", &free.to_string()]).listening();
    let uri = format!("sip:six.example.com:{}", free.port());
    options(&rig, &knot, &uri, &["--listen", "[::1]:0"], "trace").expect(0, &[("outcome", json!("ok"))]);
    assert_eq!(six.interrupt().code, Some(0));
}
