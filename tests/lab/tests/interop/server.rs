//! `phone serve` between real peers: whole processes on 127.0.0.1.
//!
//! Covers SIPp on both sides, with digest and without, PJSIP, baresip, linphone and the phone registered and calling each other,
//! over UDP and TCP, Kamailio as the next proxy and as the one before, CANCEL and refusal through the server.
//! SIPp and baresip stumble over a challenge whose first row is SHA-256.

use crate::ended;
use core::time::Duration;
use serde_json::json;
use sip_lab::interop::{DOMAIN, LIMIT, Peer, Phone, PhoneResult, Process, Rig, Server, Sipp, free_port, full};

/// A registered `phone answer` of bob.
fn bob(rig: &Rig, at: &Server, more: &[&str]) -> Phone {
    let (address, aor) = (at.address(), at.uri("bob"));
    let fixed = ["--register", address, "--aor", &aor, "--user", "bob", "--password", "builder"];
    rig.answering(&[&fixed[..], more].concat()).registered()
}

/// Runs `phone call` from alice.
fn alice(rig: &Rig, at: &Server, to: &str, more: &[&str]) -> PhoneResult {
    let (from, to) = (at.uri("alice"), at.uri(to));
    let fixed = ["call", &to, "--from", &from, "--proxy", at.address(), "--password", "wonderland"];
    rig.phone(&[&fixed[..], more].concat()).finish()
}

/// What PJSIP needs to be a user of the server.
fn account(at: &Server, user: &str, password: &str) -> Vec<String> {
    let (uri, route) = (at.uri(user), format!("sip:{};lr", at.address()));
    let fixed =
        ["--user", user, "--password", password, "--id", &uri, "--proxy", &route, "--register", "sip:example.com"];
    fixed.map(str::to_owned).to_vec()
}

/// SIPp as bob, registered, and its port: it answers once it is told how often.
fn sipp_as_bob(rig: &Rig, server: &Server) -> (Sipp, u16) {
    let callee = rig.sipp("uas_call").with_messages();
    let number = callee.port();
    let port = number.to_string();
    // It names the server by its address: its credentials are for that, whatever the Request-URI says.
    let keys = ["-key", "contact_port", &port, "-key", "expires", "60", "-ap", "builder"];
    rig.sipp("uac_register").with_messages().with(&keys).caller(server.address(), "bob", 1).passed();
    (callee, number)
}

fn texts(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

#[test]
fn sipp_calls_a_registered_sipp() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    let server = rig.server(&["--digest", "md5"]);
    let (callee, port) = sipp_as_bob(&rig, &server);
    assert!(server.bindings().contains(&format!("sip:bob@127.0.0.1:{port}")), "{}", server.bindings());
    let (calls, rate) = if full() { (1000, "100") } else { (100, "50") };
    let callee = callee.callee(calls);
    let caller = rig.sipp_of_domain("uac_call", DOMAIN).with(&["-r", rate, "-d", "100"]);
    let counts = caller.with_limit(LIMIT).caller(server.address(), "bob", calls).passed();
    assert_eq!((counts.successful, counts.sent_again, counts.received_again), (u64::from(calls), 0, 0), "{counts:?}");
    callee.passed();
    let told = server.finish();
    assert_eq!(told.iter().filter(|line| line["event"] == "call").count(), calls as usize);
}

#[test]
fn a_caller_that_gives_up_reaches_the_callee() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    let server = rig.server(&[]);
    let phone = bob(&rig, &server, &["--ring", "20", "--count", "3"]);
    let caller = rig.sipp_of_domain("uac_cancel", DOMAIN).with_messages().with(&["-d", "100", "-r", "10"]);
    caller.caller(server.address(), "bob", 3).passed();
    phone.finish().expect_calls(3, &[("cause", json!("cancelled")), ("outcome", json!("no_answer"))]);
}

#[test]
fn the_phone_calls_the_phone_whatever_the_transports() {
    let Some(rig) = Rig::new(&[]) else { return };
    let server = rig.server(&[]);
    for (theirs, ours) in [("udp", "udp"), ("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")] {
        let phone = bob(&rig, &server, &["--count", "1", "--transport", theirs, "--hangup-after", "0.2"]);
        alice(&rig, &server, "bob", &["--transport", ours]).expect(0, &ended("peer"));
        phone.finish().expect(0, &[("calls", json!(1))]);
        assert!(!server.bindings().contains("sip:bob"), "{}", server.bindings());
    }
}

#[test]
fn a_refusal_comes_back_as_it_is() {
    let Some(rig) = Rig::new(&[]) else { return };
    let server = rig.server(&[]);
    let phone = bob(&rig, &server, &["--count", "1", "--status", "486"]);
    alice(&rig, &server, "bob", &[]).expect(1, &[("outcome", json!("refused")), ("sip_status", json!(486))]);
    phone.finish().expect(0, &[("calls", json!(1))]);
    alice(&rig, &server, "nobody", &[]).expect(1, &[("sip_status", json!(404))]);
    alice(&rig, &server, "carol", &[]).expect(1, &[("sip_status", json!(480))]);
}

#[test]
fn pjsip_and_the_phone_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Pjsip]) else { return };
    let server = rig.server(&[]);
    let account = account(&server, "alice", "wonderland");
    let account = texts(&account);
    // PJSIP calls the phone, with hold and resume, and hangs up.
    let phone = bob(&rig, &server, &["--count", "1"]);
    let bob_uri = server.uri("bob");
    let calling = ["--mode", "call", &bob_uri, "--hold", "--hangup-after", "0.3"];
    let caller = rig.pjsip(free_port(), &[&calling[..], &account].concat());
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    caller.finish().expect(0);
    // The phone calls PJSIP, which hangs up.
    let callee = rig.pjsip(free_port(), &[&["--mode", "answer", "--hangup-after", "0.5"], &account[..]].concat());
    callee.wait_for("\"registered\"");
    let (from, to) = (server.uri("bob"), server.uri("alice"));
    let calling = ["call", &to, "--from", &from, "--proxy", server.address(), "--password", "builder"];
    rig.phone(&calling).finish().expect(0, &ended("peer"));
    callee.finish().expect(0);
}

#[test]
fn pjsip_calls_pjsip_over_tcp_and_udp() {
    let Some(rig) = Rig::new(&[Peer::Pjsip]) else { return };
    let server = rig.server(&[]);
    let (alice, bob) = (account(&server, "alice", "wonderland"), account(&server, "bob", "builder"));
    for (theirs, ours) in [("udp", "udp"), ("tcp", "tcp"), ("tcp", "udp"), ("udp", "tcp")] {
        let answering = ["--mode", "answer", "--ring", "0.3", "--transport", theirs];
        let callee = rig.pjsip(free_port(), &[&answering[..], &texts(&over(&bob, theirs))].concat());
        callee.wait_for("\"registered\"");
        let to = server.uri("bob");
        let calling = ["--mode", "call", &to, "--hangup-after", "0.3", "--transport", ours];
        let caller = rig.pjsip(free_port(), &[&calling[..], &texts(&over(&alice, ours))].concat());
        caller.finish().expect(0);
        callee.finish().expect(0);
    }
}

/// An account whose server is reached by a transport.
fn over(account: &[String], transport: &str) -> Vec<String> {
    account.iter().map(|text| text.replace(";lr", &format!(";transport={transport};lr"))).collect()
}

/// baresip as carol, who answers by herself, registered.
fn baresip(rig: &Rig, server: &Server, transport: &str) -> Process {
    let account = format!(
        "<sip:carol@example.com>;auth_user=carol;auth_pass=mirror;outbound=\"sip:{};transport={transport}\";regint=60;answermode=auto",
        server.address()
    );
    let phone = rig.baresip(&account, "", 25);
    server.process().wait_for("sip:carol@");
    phone
}

const SOON: Duration = Duration::from_secs(10);

/// Waits until a phone says something that it has not said before.
#[track_caller]
fn says(phone: &Process, seen: &mut usize, text: &str) {
    assert!(phone.next_line(seen, text, SOON).is_some(), "it does not say {text}");
}

#[test]
fn pjsip_and_baresip_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Pjsip, Peer::Baresip]) else { return };
    let server = rig.server(&["--digest", "md5"]);
    let account = account(&server, "alice", "wonderland");
    let (mut carol, mut seen) = (baresip(&rig, &server, "tcp"), 0);
    let to = server.uri("carol");
    let calling = ["--mode", "call", &to, "--hold", "--hangup-after", "0.3"];
    rig.pjsip(free_port(), &[&calling[..], &texts(&account)].concat()).finish().expect(0);
    says(&carol, &mut seen, "session closed");
    let answering = ["--mode", "answer", "--hangup-after", "0.3"];
    let alice = rig.pjsip(free_port(), &[&answering[..], &texts(&account)].concat());
    alice.wait_for("\"registered\"");
    carol.type_line("/dial sip:alice@example.com");
    says(&carol, &mut seen, "Call established");
    alice.finish().expect(0);
    says(&carol, &mut seen, "session closed");
}

#[test]
fn linphone_and_pjsip_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Pjsip, Peer::Linphone]) else { return };
    let server = rig.server(&[]);
    let account = account(&server, "alice", "wonderland");
    let mut bob = rig.linphone(&server, "bob", true);
    server.process().wait_for("sip:bob@");
    let to = server.uri("bob");
    let calling = ["--mode", "call", &to, "--hangup-after", "0.3"];
    rig.pjsip(free_port(), &[&calling[..], &texts(&account)].concat()).finish().expect(0);
    let answering = ["--mode", "answer", "--hangup-after", "0.3"];
    let alice = rig.pjsip(free_port(), &[&answering[..], &texts(&account)].concat());
    alice.wait_for("\"registered\"");
    bob.type_line("call sip:alice@example.com");
    alice.finish().expect(0);
}

#[test]
fn linphone_and_baresip_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Baresip, Peer::Linphone]) else { return };
    let server = rig.server(&["--digest", "md5"]);
    let mut bob = rig.linphone(&server, "bob", false);
    server.process().wait_for("sip:bob@");
    let (mut carol, mut seen) = (baresip(&rig, &server, "udp"), 0);
    bob.type_line("call sip:carol@example.com");
    says(&carol, &mut seen, "Call established");
    carol.type_line("/hangup");
    says(&carol, &mut seen, "terminate call");
    carol.type_line("/dial sip:bob@example.com");
    says(&carol, &mut seen, "Call established");
    bob.type_line("terminate");
    says(&carol, &mut seen, "session closed");
}

#[test]
fn linphone_and_the_phone_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Linphone]) else { return };
    let server = rig.server(&[]);
    let mut carol = rig.linphone(&server, "carol", false);
    server.process().wait_for("sip:carol@");
    alice(&rig, &server, "carol", &["--duration", "0.5"]).expect(0, &ended("local"));
    let phone = bob(&rig, &server, &["--count", "1", "--hangup-after", "0.5"]);
    carol.type_line("call sip:bob@example.com");
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
}

/// Caller and callee are SIPp, and both prove who they are: the one with REGISTER, the other with INVITE.
#[test]
fn sipp_calls_sipp_with_digest_on_both_sides() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    let server = rig.server(&["--digest", "md5"]);
    let callee = sipp_as_bob(&rig, &server).0.callee(50);
    // The uri of the credentials is the Request-URI; left alone SIPp writes the address that it sends to.
    let proof = ["-au", "alice", "-ap", "wonderland", "-auth_uri", "bob@example.com", "-r", "25", "-d", "100"];
    let caller = rig.sipp_of_domain("uac_auth", DOMAIN).with_messages().with(&proof);
    let counts = caller.caller(server.address(), "bob", 50).passed();
    assert_eq!((counts.successful, counts.sent_again, counts.received_again), (50, 0, 0), "{counts:?}");
    callee.passed();
}

#[test]
fn baresip_and_the_phone_call_each_other() {
    let Some(rig) = Rig::new(&[Peer::Baresip]) else { return };
    let server = rig.server(&["--digest", "md5"]);
    let account = format!(
        "<sip:carol@example.com>;auth_user=carol;auth_pass=mirror;outbound=\"sip:{}\";regint=60;answermode=auto",
        server.address()
    );
    let phone = bob(&rig, &server, &["--count", "1", "--hangup-after", "0.5"]);
    let caller = rig.baresip(&account, "d sip:bob@example.com", 12);
    caller.wait_for("Call established");
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
    caller.wait_for("session closed");
    // It has registered meanwhile, and answers by itself.
    assert!(server.bindings().contains("sip:carol@example.com"), "{}", server.bindings());
    alice(&rig, &server, "carol", &["--duration", "0.5"]).expect(0, &ended("local"));
    drop(caller);
}

#[test]
fn kamailio_is_the_proxy_before_ours() {
    let Some(rig) = Rig::new(&[Peer::Kamailio]) else { return };
    let server = rig.server(&[]);
    let phone = bob(&rig, &server, &["--count", "1"]);
    let kamailio = rig.kamailio(&[]);
    // A caller of another domain: its proxy is Kamailio, whose next hop for the callee is our server.
    let (address, from) = (kamailio.address(), kamailio.uri("dan"));
    let to = format!("sip:bob@{}", server.address());
    let result = rig.phone(&["call", &to, "--from", &from, "--proxy", &address, "--duration", "0.3"]).finish();
    result.expect(0, &ended("local"));
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    kamailio.finish(&[]);
}

#[test]
fn kamailio_is_the_next_proxy_after_ours() {
    let Some(rig) = Rig::new(&[Peer::Kamailio]) else { return };
    let (server, kamailio) = (rig.server(&[]), rig.kamailio(&[]));
    let (address, aor) = (kamailio.address(), kamailio.uri("bob"));
    let fixed = ["--register", &address, "--aor", &aor, "--user", "bob", "--password", "builder", "--count", "1"];
    let phone = rig.answering(&fixed).registered();
    // A user of ours calls somebody of another domain, whose proxy is Kamailio.
    let from = server.uri("alice");
    let calling = ["call", &aor, "--from", &from, "--proxy", server.address(), "--password", "wonderland"];
    let result = rig.phone(&[&calling[..], &["--duration", "0.3"]].concat()).finish();
    result.expect(0, &ended("local"));
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    kamailio.finish(&[]);
}
