//! The phone built with TCP, over smoltcp's connections: its registration is the connection on which calls reach it.

use super::{LIMIT, firmware, rig, settings};
use core::time::Duration;
use sip_lab::interop::{Board, Kamailio, Peer, Rig, free_port};

const PATIENT: Duration = Duration::from_secs(60);

fn board(rig: &Rig, settings: &[String]) -> Board {
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(["transport=tcp"]).collect();
    rig.board(&firmware("SIP_FIRMWARE_TCP"), LIMIT, &settings, &[])
}

fn registered(rig: &Rig, kamailio: &Kamailio, port: u16, expires: u32) -> Board {
    let mut settings = settings(kamailio, expires);
    settings.push(format!("registrar=sip:127.0.0.1:{port};transport=tcp"));
    let mut board = board(rig, &settings);
    // With the configured address, then with the one that the registrar saw.
    for _ in 0..2 {
        board.wait(&format!("registered for {expires} s"));
    }
    board
}

fn kamailio(rig: &Rig, udp: u16, tcp: u16) -> Kamailio {
    rig.kamailio_at(udp, &["-l", &format!("tcp:127.0.0.1:{tcp}")])
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_call_comes_over_the_connection_that_registered() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let port = free_port();
    let kamailio = kamailio(&rig, free_port(), port);
    let mut board = registered(&rig, &kamailio, port, 600);
    assert!(!kamailio.bindings().contains(&board.address()), "the first binding is gone: {}", kamailio.bindings());
    let sipp = rig.sipp("uac_call").with(&["-d", "300"]).caller(&kamailio.address(), "alice", 1);
    board.wait("line 1: call from sip:sipp@");
    board.type_line("answer");
    board.wait("line 1: ended, RemoteHangup");
    sipp.passed();
    board.type_line("unregister");
    board.wait("unregistered");
    assert!(!kamailio.bindings().contains("sip:alice"), "{}", kamailio.bindings());
    assert_eq!((board.count("in"), board.count("out")), (0, 0), "datagrams");
    let sent = board.finish(&rig);
    assert!(["REGISTER", "180", "200"].iter().all(|kind| sent.iter().any(|sent| sent == kind)), "{sent:?}");
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn sipp_is_called_over_tcp() {
    let Some(rig) = rig(&[Peer::Sipp]) else { return };
    let mut board = board(&rig, &[]);
    let sipp = rig.sipp("uas_call").with(&["-t", "t1"]);
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri};transport=tcp"));
    board.wait("line 1: answered");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    sipp.passed();
    let sent = board.finish(&rig);
    assert!(["INVITE", "ACK", "BYE"].iter().all(|method| sent.iter().any(|sent| sent == method)), "{sent:?}");
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_registrar_that_restarts_is_connected_anew() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let (udp, tcp) = (free_port(), free_port());
    let first = kamailio(&rig, udp, tcp);
    let mut board = registered(&rig, &first, tcp, 600);
    let _ = first.finish(&[]);
    let second = kamailio(&rig, udp, tcp);
    // The end of the connection is told, long before the binding has to be renewed.
    board.wait_within("registered for 600 s", PATIENT);
    assert!(second.bindings().contains("sip:alice"));
    let _ = board.finish(&rig);
    let _ = second.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_cable_put_back_is_a_new_connection() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let port = free_port();
    let kamailio = kamailio(&rig, free_port(), port);
    let mut board = registered(&rig, &kamailio, port, 600);
    board.plug(false);
    board.wait("link down");
    board.plug(true);
    board.wait("link up");
    board.wait("registered for 600 s");
    let _ = board.finish(&rig);
    let log = kamailio.finish(&[]);
    let from = |line: &str| line.split(" from ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let connections: std::collections::BTreeSet<_> =
        log.lines().filter(|line| line.contains("REGISTER")).filter_map(from).collect();
    assert_eq!(connections.len(), 2, "{log}");
}
