//! Blind and attended transfer among phones of ours and PJSIP's, at once and through servers (RFC 5589).

use crate::ended;
use serde_json::json;
use sip_lab::interop::{Peer, Phone, Rig, free_port};

fn uri(phone: &Phone, user: &str) -> String {
    format!("sip:{user}@{}", phone.address())
}

/// The phone transfers whom it has called, blindly or not, with its keys; it is out of it when that has succeeded.
fn put_through(mut phone: Phone, to: &str, attended: bool) {
    phone.process().wait_for("agreed: PCMU, sendrecv");
    if attended {
        phone.type_line(&format!("a {to}"));
        phone.process().wait_for("has answered");
        phone.type_line("x");
    } else {
        phone.type_line(&format!("t {to}"));
    }
    phone.process().wait_for("transferred");
    phone.finish().expect(0, &ended("local"));
}

/// Three phones of ours: the first has the second call the third.
fn among_ours(attended: bool) {
    let Some(rig) = Rig::new(&[]) else { return };
    let carol = rig.answering(&["--count", if attended { "2" } else { "1" }]);
    let bob = rig.answering(&["--count", "2", "--refer", "allow", "--hangup-after", "3"]);
    let (to_bob, to_carol) = (uri(&bob, "bob"), uri(&carol, "carol"));
    put_through(rig.phone(&["call", &to_bob, "--keys"]), &to_carol, attended);
    let result = bob.finish();
    result.expect(0, &[("calls", json!(2))]);
    result.expect_calls(2, &[("outcome", json!("ok"))]);
    carol.finish().expect(0, &[]);
}

#[test]
fn one_of_ours_transfers_another_blindly() {
    among_ours(false);
}

#[test]
fn one_of_ours_transfers_another_with_a_word_before() {
    among_ours(true);
}

#[test]
fn who_is_busy_leaves_the_call_as_it_was() {
    let Some(rig) = Rig::new(&[]) else { return };
    let carol = rig.answering(&["--count", "1", "--status", "486"]);
    let bob = rig.answering(&["--count", "2", "--refer", "allow"]);
    let mut alice = rig.phone(&["call", &uri(&bob, "bob"), "--keys"]);
    alice.process().wait_for("agreed: PCMU, sendrecv");
    alice.type_line(&format!("t {}", uri(&carol, "carol")));
    alice.process().wait_for("not transferred, 486 Busy Here; the call goes on");
    alice.type_line("q");
    alice.finish().expect(0, &ended("local"));
    bob.finish().expect(0, &[("calls", json!(2))]);
    carol.finish().expect(0, &[]);
}

#[test]
fn who_does_not_allow_it_is_not_transferred() {
    let Some(rig) = Rig::new(&[]) else { return };
    let bob = rig.answering(&["--count", "1"]);
    let mut alice = rig.phone(&["call", &uri(&bob, "bob"), "--keys"]);
    alice.process().wait_for("agreed: PCMU, sendrecv");
    alice.type_line("t carol@127.0.0.1:9");
    alice.process().wait_for("not transferred, the peer refuses: 603 Decline; the call goes on");
    alice.type_line("q");
    alice.finish().expect(0, &ended("local"));
    bob.finish().expect(0, &[("calls", json!(1))]);
}

/// PJSIP calls one of ours and transfers it to another.
fn by_pjsip(attended: bool) {
    let Some(rig) = Rig::new(&[Peer::Pjsip]) else { return };
    let carol = rig.answering(&["--count", if attended { "2" } else { "1" }]);
    let bob = rig.answering(&["--count", "2", "--refer", "allow", "--hangup-after", "3"]);
    let (to_bob, to_carol) = (uri(&bob, "bob"), uri(&carol, "carol"));
    let how =
        if attended { ["--attend", &to_carol, "--count", "2"] } else { ["--transfer", &to_carol, "--count", "1"] };
    let arguments = [&["--mode", "call", &to_bob][..], &how].concat();
    let finished = rig.pjsip(free_port(), &arguments).finish();
    finished.expect(0);
    let told = r#""event": "transfer", "call": 0, "code": 200, "final": true"#;
    assert!(finished.out.contains(told), "{}", finished.out);
    let result = bob.finish();
    result.expect(0, &[("calls", json!(2))]);
    result.expect_calls(2, &[("outcome", json!("ok"))]);
    carol.finish().expect(0, &[]);
}

#[test]
fn pjsip_transfers_ours_blindly() {
    by_pjsip(false);
}

#[test]
fn pjsip_transfers_ours_with_a_word_before() {
    by_pjsip(true);
}

/// One of ours transfers PJSIP to another of ours, or one of ours to PJSIP.
fn with_pjsip(attended: bool, is_target: bool) {
    let Some(rig) = Rig::new(&[Peer::Pjsip]) else { return };
    let port = free_port();
    let pjsip = format!("sip:pjsua@127.0.0.1:{port}");
    let count = if attended || !is_target { "2" } else { "1" };
    let peer = rig.pjsip(port, &["--mode", "answer", "--count", count]);
    let allowed = ["--refer", "allow", "--hangup-after", "3"];
    let ours = if is_target { ["--count", "2"] } else { ["--count", if attended { "2" } else { "1" }] };
    let other = rig.answering(&[&ours[..], &allowed].concat());
    let named = uri(&other, "bob");
    let (first, second) = if is_target { (&named, &pjsip) } else { (&pjsip, &named) };
    put_through(rig.phone(&["call", first, "--keys"]), second, attended);
    other.finish().expect(0, &[]);
    peer.finish().expect(0);
}

#[test]
fn ours_transfers_pjsip_blindly() {
    with_pjsip(false, false);
}

#[test]
fn ours_transfers_pjsip_with_a_word_before() {
    with_pjsip(true, false);
}

#[test]
fn ours_transfers_ours_to_pjsip_blindly() {
    with_pjsip(false, true);
}

#[test]
fn ours_transfers_ours_to_pjsip_with_a_word_before() {
    with_pjsip(true, true);
}

/// A server that phones are registered at.
struct Domain<'a> {
    address: &'a str,
    uri: &'a dyn Fn(&str) -> String,
}

/// Alice, registered nowhere, calls bob and has him call carol, all by a server.
fn through(rig: &Rig, at: &Domain<'_>, attended: bool) {
    let waiting = |user: &str, password: &str, more: &[&str]| {
        let aor = (at.uri)(user);
        let fixed = ["--register", at.address, "--aor", &aor, "--user", user, "--password", password];
        rig.answering(&[&fixed[..], more].concat()).registered()
    };
    let carol = waiting("carol", "mirror", &["--count", if attended { "2" } else { "1" }]);
    let bob = waiting("bob", "builder", &["--count", "2", "--refer", "allow", "--hangup-after", "3"]);
    let (from, to_bob, to_carol) = ((at.uri)("alice"), (at.uri)("bob"), (at.uri)("carol"));
    let calling = ["call", &to_bob, "--from", &from, "--proxy", at.address, "--password", "wonderland", "--keys"];
    put_through(rig.phone(&calling), &to_carol, attended);
    let result = bob.finish();
    result.expect(0, &[("calls", json!(2))]);
    result.expect_calls(2, &[("outcome", json!("ok"))]);
    carol.finish().expect(0, &[]);
}

#[test]
fn a_transfer_goes_through_our_server() {
    let Some(rig) = Rig::new(&[]) else { return };
    let server = rig.server(&[]);
    for attended in [false, true] {
        through(&rig, &Domain { address: server.address(), uri: &|user| server.uri(user) }, attended);
    }
    let told = server.finish();
    // Of the blind one two calls, of the other three.
    assert_eq!(told.iter().filter(|line| line["event"] == "call").count(), 5, "{told:?}");
}

#[test]
fn a_transfer_goes_through_kamailio() {
    let Some(rig) = Rig::new(&[Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&[]);
    for attended in [false, true] {
        through(&rig, &Domain { address: &kamailio.address(), uri: &|user| kamailio.uri(user) }, attended);
    }
    kamailio.finish(&[]);
}

/// Redirections: the best contact first, each place once, and no more than is asked for.
#[test]
fn a_redirection_is_followed_when_that_is_asked_for() {
    let Some(rig) = Rig::new(&[]) else { return };
    let carol = rig.answering(&["--count", "1", "--hangup-after", "0.2"]);
    let there = uri(&carol, "carol");
    let busy = rig.answering(&["--count", "1", "--status", "486"]);
    let bob = rig.answering(&["--count", "3", "--status", "302", "--contact", &uri(&busy, "x"), "--contact", &there]);
    let to_bob = uri(&bob, "bob");
    rig.phone(&["call", &to_bob]).finish().expect(1, &[("sip_status", json!(302))]);
    rig.phone(&["call", &to_bob, "--follow", "1"]).finish().expect(1, &[("sip_status", json!(486))]);
    drop(busy);
    let busy = rig.answering(&["--count", "1", "--status", "486"]);
    let loops =
        rig.answering(&["--count", "1", "--status", "302", "--contact", &to_bob, "--contact", &uri(&busy, "x")]);
    let result = rig.phone(&["call", &uri(&loops, "y"), "--follow", "3"]).finish();
    // The loop has led to bob, whose first contact is gone and whose second answers.
    result.expect(0, &ended("peer"));
    carol.finish().expect(0, &[]);
    bob.finish().expect(0, &[]);
}
