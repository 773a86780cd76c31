//! Calls in both directions.

use super::{board, registered, rig};
use core::time::Duration;
use sip_lab::interop::{Peer, free_port};

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn sipp_calls_holds_resumes_and_hangs_up() {
    let Some(rig) = rig(&[Peer::Sipp]) else { return };
    let mut board = board(&rig);
    let sipp = rig.sipp("uac_call").with(&["-d", "300"]).caller(&board.address(), "phone", 1);
    board.wait("call from sip:sipp@");
    board.type_line("answer");
    board.wait("line 1: connected");
    board.wait("line 1: ended, RemoteHangup");
    sipp.passed();
    let sipp = rig.sipp("uac_reinvite").with(&["-d", "300"]).caller(&board.address(), "phone", 1);
    board.wait("call from sip:sipp@");
    board.type_line("answer");
    board.wait("line 1: held by the peer");
    board.wait("line 1: not held by the peer");
    board.wait("line 1: ended, RemoteHangup");
    sipp.passed();
    assert!(board.finish(&rig).iter().filter(|sent| *sent == "200").count() >= 6);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn sipp_is_called_and_both_sides_hang_up() {
    let Some(rig) = rig(&[Peer::Sipp]) else { return };
    let mut board = board(&rig);
    let sipp = rig.sipp("uas_call");
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri}"));
    board.wait("line 1: 180");
    board.wait("line 1: answered");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    sipp.passed();
    // This one holds the phone, then hangs up.
    let sipp = rig.sipp("uas_reinvite").with(&["-d", "300"]);
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri}"));
    board.wait("line 1: answered");
    board.wait("line 1: held by the peer");
    board.wait("line 1: ended, RemoteHangup");
    sipp.passed();
    let sipp = rig.sipp("uas_cancel");
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri}"));
    board.wait("line 1: 180");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    sipp.passed();
    let sent = board.finish(&rig);
    for method in ["INVITE", "ACK", "BYE", "CANCEL"] {
        assert!(sent.iter().any(|sent| sent == method), "no {method}");
    }
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn pjsip_is_called_held_and_resumed() {
    let Some(rig) = rig(&[Peer::Pjsip]) else { return };
    let mut board = board(&rig);
    let port = free_port();
    let pjsip = rig.pjsip(port, &["--mode", "answer", "--timeout", "20"]);
    board.type_line(&format!("call sip:bob@127.0.0.1:{port}"));
    board.wait("line 1: answered");
    board.type_line("hold");
    board.wait("line 1: 200, holding");
    pjsip.wait_for("remote-hold");
    board.type_line("resume");
    board.wait("line 1: 200, talking");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    pjsip.finish().expect(0);
    let _ = board.finish(&rig);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn pjsip_calls_through_the_registrar() {
    let Some(rig) = rig(&[Peer::Pjsip, Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&["-A", "WITH_SHA256"]);
    let mut board = registered(&rig, &kamailio, 60, &[], &[]);
    let to = kamailio.uri("alice");
    let pjsip = rig.pjsip(free_port(), &["--mode", "call", &to, "--hold", "--hangup-after", "0.3", "--timeout", "20"]);
    board.wait("line 1: call from sip:pjsua@");
    board.type_line("answer");
    board.wait("line 1: held by the peer");
    board.wait("line 1: not held by the peer");
    board.wait_within("line 1: ended, RemoteHangup", Duration::from_secs(15));
    pjsip.finish().expect(0);
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn two_calls_and_no_third() {
    let Some(rig) = rig(&[Peer::Sipp]) else { return };
    let mut board = board(&rig);
    let callees = [rig.sipp("uas_call"), rig.sipp("uas_call")];
    let mut running = vec![];
    for (line, sipp) in callees.into_iter().enumerate() {
        let uri = sipp.uri("bob");
        running.push(sipp.callee(1));
        board.type_line(&format!("call {uri}"));
        board.wait(&format!("line {}: answered", line + 1));
    }
    board.type_line("call sip:bob@127.0.0.1:9");
    board.wait("can't: no line for that");
    board.type_line("hangup 2");
    board.wait("line 2: ended, LocalHangup");
    board.type_line("hangup 1");
    board.wait("line 1: ended, LocalHangup");
    running.into_iter().for_each(|sipp| {
        sipp.passed();
    });
    let _ = board.finish(&rig);
}
