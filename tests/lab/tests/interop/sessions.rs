//! Sessions that change: hold and resume between the phone and other makers' phones, from either side, and calls without an offer.
//!
//! The phone is driven by its keys. What PJSIP and SIPp do by themselves is in `pjsip.rs` and `sipp.rs`.

use crate::ended;
use core::time::Duration;
use serde_json::json;
use sip_lab::interop::{Peer, Process, Rig, free_port};

const SOON: Duration = Duration::from_secs(10);

/// The phone calls, holds, resumes, mutes itself and hangs up.
fn hold_and_resume(rig: &Rig, uri: &str, codec: &str) {
    let mut phone = rig.phone(&["call", uri, "--codecs", codec, "--keys"]);
    let codec = codec.to_ascii_uppercase();
    phone.process().wait_for(&format!("agreed: {codec}, sendrecv"));
    phone.type_line("h");
    phone.process().wait_for(&format!("agreed: {codec}, sendonly"));
    // Had it not resumed, both ways would be closed now.
    phone.type_line("r");
    phone.type_line("m");
    phone.process().wait_for(&format!("agreed: {codec}, recvonly"));
    phone.type_line("q");
    phone.finish().expect(0, &ended("local"));
}

#[test]
fn the_phone_holds_and_resumes_pjsip() {
    let Some(rig) = Rig::new(&[Peer::Pjsip]) else { return };
    let port = free_port();
    let callee = rig.pjsip(port, &["--mode", "answer"]);
    hold_and_resume(&rig, &format!("sip:pjsua@127.0.0.1:{port}"), "pcma");
    let finished = callee.finish();
    finished.expect(0);
    assert!(finished.out.contains("remote-hold"), "{}", finished.out);
}

#[test]
fn the_phone_holds_and_resumes_baresip() {
    let Some(rig) = Rig::new(&[Peer::Baresip]) else { return };
    let port = free_port();
    let callee = rig.baresip_at(port, "<sip:carol@127.0.0.1>;regint=0;answermode=auto", 25);
    hold_and_resume(&rig, &format!("sip:carol@127.0.0.1:{port}"), "pcmu");
    says(&callee, &mut 0, "session closed");
}

#[test]
fn baresip_holds_and_resumes_the_phone() {
    let Some(rig) = Rig::new(&[Peer::Baresip]) else { return };
    let phone = rig.answering(&["--count", "1", "--codecs", "pcma"]);
    let (mut caller, mut seen) = (rig.baresip("<sip:carol@127.0.0.1>;regint=0", "", 25), 0);
    caller.type_line(&format!("/dial sip:bob@{}", phone.address()));
    says(&caller, &mut seen, "Call established");
    caller.type_line("/hold");
    phone.process().wait_for("agreed: PCMA, recvonly");
    caller.type_line("/resume");
    phone.process().wait_for("agreed: PCMA, sendrecv");
    caller.type_line("/hangup");
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
}

/// Through our server, where linphone registers.
#[test]
fn the_phone_holds_and_resumes_linphone() {
    let Some(rig) = Rig::new(&[Peer::Linphone]) else { return };
    let server = rig.server(&[]);
    let _carol = rig.linphone(&server, "carol", false);
    server.process().wait_for("sip:carol@");
    let (from, to) = (server.uri("alice"), server.uri("carol"));
    let calling = ["--from", &from, "--proxy", server.address(), "--password", "wonderland"];
    let mut phone = rig.phone(&[&["call", &to, "--codecs", "pcmu", "--keys"], &calling[..]].concat());
    phone.process().wait_for("agreed: PCMU, sendrecv");
    phone.type_line("h");
    phone.process().wait_for("agreed: PCMU, sendonly");
    phone.type_line("r");
    phone.type_line("m");
    phone.process().wait_for("agreed: PCMU, recvonly");
    phone.type_line("q");
    phone.finish().expect(0, &ended("local"));
}

#[test]
fn the_offer_is_made_by_the_callee() {
    let Some(rig) = Rig::new(&[Peer::Sipp]) else { return };
    let phone = rig.answering(&["--count", "3"]);
    let caller = rig.sipp("uac_late_offer").with_messages().with(&["-d", "100", "-r", "10"]);
    let counts = caller.caller(phone.address(), "bob", 3).passed();
    assert_eq!((counts.sent_again, counts.received_again, counts.unexpected), (0, 0, 0), "{counts:?}");
    phone.finish().expect(0, &[("calls", json!(3))]).expect_calls(3, &ended("peer"));
}

/// Waits until a peer says something that it has not said before.
#[track_caller]
fn says(peer: &Process, seen: &mut usize, text: &str) {
    assert!(peer.next_line(seen, text, SOON).is_some(), "it does not say {text}");
}
