//! What the phone sends and records, as tshark decodes it.
//!
//! Covers the traces of one call at both ends, and the call as the kernel saw it where capturing is allowed. tshark must
//! find SIP in every packet, nothing malformed, and no expert information of the rank of a warning.

use core::time::Duration;
use serde_json::json;
use sip_lab::interop::{LIMIT, Peer, Process, Rig, free_port};
use std::fs;
use std::process::Command;
use std::thread;

/// The messages of a plain call. Whether a 100 precedes the 180 is up to the callee.
const CALL: [&str; 6] = ["INVITE", "180", "200", "ACK", "BYE", "200"];

/// Some of the ports that are free here are another protocol's to tshark.
const AS_SIP: [&str; 2] = ["-d", "udp.port==1024-65535,sip"];

/// The methods and statuses in a capture, in order, without 100.
fn decode(rig: &Rig, file: &str) -> Vec<String> {
    let tshark = |more: &[&str]| rig.tshark(&[&["-r", file], &AS_SIP[..], more].concat());
    let rows = tshark(&["-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code"]);
    let faulty = tshark(&["-Y", "!sip || _ws.malformed || _ws.expert.severity >= 0x600000"]);
    assert_eq!(faulty, "", "not SIP, malformed or suspect:\n{rows}");
    rows.lines().map(|row| row.replace('\t', "")).filter(|message| message != "100").collect()
}

#[test]
fn the_traces_of_a_call_are_whole_and_well_formed() {
    let Some(rig) = Rig::new(&[Peer::Tshark]) else { return };
    let (here, there) = (rig.path("caller.pcap"), rig.path("callee.pcap"));
    let (here, there) = (here.to_string_lossy(), there.to_string_lossy());
    let phone = rig.answering(&["--count", "1", "--ring", "0.3", "--trace", &there]);
    let uri = format!("sip:bob@{}", phone.address());
    let result = rig.phone(&["call", &uri, "--duration", "0.2", "--trace", &here]).finish();
    result.expect(0, &[("outcome", json!("ok"))]);
    phone.finish().expect(0, &[("calls", json!(1))]);
    for file in [&here, &there] {
        assert_eq!(decode(&rig, file), CALL, "{file}");
    }
}

#[test]
fn the_kernel_sees_the_same_call() {
    let Some(rig) = Rig::new(&[Peer::Tshark]) else { return };
    let port = free_port();
    let file = rig.path("live.pcap");
    let file = file.to_string_lossy();
    let filter = format!("udp port {port}");
    let mut command = Command::new("tshark");
    command.args(["-i", "lo", "-f", &filter, "-w", &file, "-F", "pcap"]);
    let capture = Process::start("tshark", &mut command, LIMIT);
    if capture.says("Capturing on").is_none() {
        println!("skipped: capturing on lo is not allowed");
        return;
    }
    // It captures from when the head of the file is written.
    while fs::metadata(&*file).map_or(0, |found| found.len()) < 24 {
        thread::sleep(Duration::from_millis(10));
    }
    let listen = format!("127.0.0.1:{port}");
    let phone = rig.phone(&["answer", "--listen", &listen, "--count", "1", "--ring", "0.3"]).listening();
    let uri = format!("sip:bob@{listen}");
    rig.phone(&["call", &uri, "--duration", "0.2"]).finish().expect(0, &[("outcome", json!("ok"))]);
    phone.finish().expect(0, &[("calls", json!(1))]);
    // tshark learns of the last packets after a while.
    thread::sleep(Duration::from_millis(500));
    capture.signal("INT");
    capture.finish().expect(0);
    assert_eq!(decode(&rig, &file), CALL);
}
