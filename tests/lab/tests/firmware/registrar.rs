//! Registration, and what gets in its way.

use super::{registered, rig};
use core::time::Duration;
use sip_lab::interop::{Peer, Process, free_port};
use std::net::UdpSocket;

const PATIENT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn it_registers_with_both_digests_renews_and_unregisters() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    for (options, algorithm) in [(&[][..], "algorithm 'MD5'"), (&["-A", "WITH_SHA256"], "algorithm 'SHA-256'")] {
        let kamailio = rig.kamailio(options);
        let mut board = registered(&rig, &kamailio, 4, &[], &[]);
        assert!(kamailio.bindings().contains(&format!("sip:alice@{}", board.address())), "{}", kamailio.bindings());
        board.wait("registered for 4 s");
        board.type_line("register");
        board.wait("registered for 4 s");
        board.type_line("unregister");
        board.wait("unregistered");
        assert!(!kamailio.bindings().contains("sip:alice"), "{}", kamailio.bindings());
        let sent = board.finish(&rig);
        assert!(sent.iter().all(|sent| sent == "REGISTER"), "{sent:?}");
        let log = kamailio.finish(&[]);
        assert!(log.contains(algorithm), "{log}");
    }
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn it_outlives_the_restart_of_its_registrar() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&[]);
    let port = kamailio.port();
    let mut board = registered(&rig, &kamailio, 6, &[], &[]);
    let _ = kamailio.finish(&[]);
    // A refresh falls into the pause: it is sent again until the new registrar, which knows of nothing, answers.
    std::thread::sleep(Duration::from_secs(6));
    let kamailio = rig.kamailio_at(port, &[]);
    assert!(!kamailio.bindings().contains("sip:alice"));
    board.wait_within("registered for 6 s", PATIENT);
    assert!(kamailio.bindings().contains("sip:alice"));
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_registrar_that_stops_answering_is_tried_again_and_calls_go_on() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let kamailio = rig.kamailio(&[]);
    let port = kamailio.port();
    // With T1 of 100 ms a transaction gives up after 6.4 s.
    let mut board = registered(&rig, &kamailio, 4, &["t1=100"], &[]);
    let _ = kamailio.finish(&[]);
    let silence = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let failed = board.wait_within("not registered: 408, next try in ", PATIENT);
    assert!(!failed.ends_with(" 0 s"), "{failed}");
    assert_eq!(board.status()["registered"], "false");
    let sipp = rig.sipp("uac_call").with(&["-d", "200"]).caller(&board.address(), "alice", 1);
    board.wait("call from sip:sipp@");
    board.type_line("answer");
    board.wait("ended, RemoteHangup");
    sipp.passed();
    drop(silence);
    let kamailio = rig.kamailio_at(port, &[]);
    board.wait_within("registered for 4 s", PATIENT);
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_cable_put_back_renews_the_binding_and_the_call() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Pjsip]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 60, &[], &[]);
    let port = free_port();
    let pjsip: Process = rig.pjsip(port, &["--mode", "answer", "--timeout", "25"]);
    board.type_line(&format!("call sip:bob@127.0.0.1:{port}"));
    board.wait("line 1: answered");
    board.plug(false);
    board.wait("link down");
    std::thread::sleep(Duration::from_secs(1));
    board.plug(true);
    board.wait("link up");
    board.wait("registered for 60 s");
    // The call goes on, told to the peer anew.
    board.wait("line 1: 200, talking");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    pjsip.finish().expect(0);
    let _ = board.finish(&rig);
    let log = kamailio.finish(&[]);
    assert_eq!(log.matches("AUTH: alice passes").count(), 2, "{log}");
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_frozen_loop_is_ended_by_the_watchdog() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 60, &[], &[]);
    board.type_line("freeze");
    board.wait_start();
    board.wait("registered for 60 s");
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}
