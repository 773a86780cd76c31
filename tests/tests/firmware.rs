//! The firmware of `sip-embedded-adapter/firmware` on an emulated board, at real peers.
//!
//! Covers registration with digest, calls in both directions with SIPp and PJSIP, hold, the registrar's restart and
//! silence, a cable that is pulled out, and the abuse that a phone has to outlive. tshark judges what the board sent.
//! `sip-embedded-adapter/firmware/run` builds the firmware, names it in `SIP_FIRMWARE`, and runs this; without it these
//! tests are ignored.
#![cfg(unix)]

#[path = "firmware/abuse.rs"]
mod abuse;
#[path = "firmware/calls.rs"]
mod calls;
#[path = "firmware/measure.rs"]
mod measure;
#[path = "firmware/registrar.rs"]
mod registrar;

use core::time::Duration;
use sip_testkit::interop::{Board, Kamailio, Peer, Rig};
use std::env;
use std::path::PathBuf;

/// How long one test may run.
const LIMIT: Duration = Duration::from_secs(150);

/// The firmware that is tested.
fn firmware() -> PathBuf {
    env::var_os("SIP_FIRMWARE").map(PathBuf::from).expect("SIP_FIRMWARE names the firmware: use firmware/run")
}

fn rig(peers: &[Peer]) -> Option<Rig> {
    Rig::without_phone(&[&[Peer::Qemu, Peer::Tshark], peers].concat())
}

/// A phone without a registrar.
fn board(rig: &Rig) -> Board {
    rig.board(&firmware(), LIMIT, &[], &[])
}

/// A phone of alice that registers for so many seconds.
fn registered(rig: &Rig, kamailio: &Kamailio, expires: u32, more: &[&str], qemu: &[&str]) -> Board {
    let (aor, registrar) = (kamailio.uri("alice"), kamailio.address());
    let settings = [
        format!("identity={aor}"),
        format!("registrar=sip:{registrar}"),
        "user=alice".to_owned(),
        "password=wonderland".to_owned(),
        "realm=sip.test".to_owned(),
        format!("expires={expires}"),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut board = rig.board(&firmware(), LIMIT, &settings, qemu);
    board.wait(&format!("registered for {expires} s"));
    board
}
