//! What `firmware/size` reads from the running phone.

use super::{registered, rig};
use sip_lab::interop::Peer;

/// Instructions in the cycles of the board's 25 MHz clock when QEMU gives an instruction 2^10 ns: 40 ns a cycle.
fn instructions(cycles: u64) -> u64 {
    cycles * 40 / 1024
}

/// Prints what a registration with digest, a call in each direction, and a re-INVITE took: the stack that they used, and
/// the instructions of the longest turn of the loop, of one INVITE, and of each call with what the phone printed.
#[test]
#[ignore = "run by sip-embedded-adapter/firmware/size"]
fn measure_the_phone() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let kamailio = rig.kamailio(&["-A", "WITH_SHA256"]);
    let mut board = registered(&rig, &kamailio, 60, &[], &["-icount", "shift=10"]);
    let registered = board.count("sip");
    let sipp = rig.sipp("uac_reinvite").with(&["-d", "300"]).caller(&board.address(), "alice", 1);
    board.wait("call from sip:sipp@");
    board.type_line("answer");
    board.wait("ended, RemoteHangup");
    sipp.passed();
    let called = board.count("sip");
    let sipp = rig.sipp("uas_call");
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri}"));
    board.wait("line 1: answered");
    board.type_line("hangup");
    board.wait("line 1: ended, LocalHangup");
    sipp.passed();
    let calling = board.count("sip");
    println!("phone stack {}", board.count("stack"));
    println!("phone longest-turn {}", instructions(board.count("longest-turn")));
    println!("phone invite {}", instructions(board.count("invite")));
    println!("phone called {}", instructions(called - registered));
    println!("phone calling {}", instructions(calling - called));
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}
