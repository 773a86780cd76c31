//! The firmware of `sip-embedded-adapter/firmware` on an emulated board, at real peers.
//!
//! Covers registration with digest, calls in both directions with SIPp and PJSIP, hold, the same over TCP, the registrar's
//! restart and silence, a cable that is pulled out, and the abuse that a phone has to outlive. tshark judges what the board
//! sent.
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
#[path = "firmware/tcp.rs"]
mod tcp;

use core::time::Duration;
use sip_lab::interop::{Board, Kamailio, Peer, Rig};
use std::env;
use std::path::PathBuf;

/// How long one test may run.
const LIMIT: Duration = Duration::from_secs(150);

/// The firmware that is tested.
fn firmware(variable: &str) -> PathBuf {
    let path = env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} names the firmware: use firmware/run"))
}

fn rig(peers: &[Peer]) -> Option<Rig> {
    Rig::without_phone(&[&[Peer::Qemu, Peer::Tshark], peers].concat())
}

/// A phone without a registrar.
fn board(rig: &Rig) -> Board {
    rig.board(&firmware("SIP_FIRMWARE"), LIMIT, &[], &[])
}

/// What a phone of alice is told, that registers for so many seconds.
fn settings(kamailio: &Kamailio, expires: u32) -> Vec<String> {
    vec![
        format!("identity={}", kamailio.uri("alice")),
        "user=alice".to_owned(),
        "password=wonderland".to_owned(),
        "realm=sip.test".to_owned(),
        format!("expires={expires}"),
    ]
}

/// A phone of alice that registers for so many seconds.
fn registered(rig: &Rig, kamailio: &Kamailio, expires: u32, more: &[&str], qemu: &[&str]) -> Board {
    let mut settings = settings(kamailio, expires);
    settings.push(format!("registrar=sip:{}", kamailio.address()));
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut board = rig.board(&firmware("SIP_FIRMWARE"), LIMIT, &settings, qemu);
    board.wait(&format!("registered for {expires} s"));
    board
}
