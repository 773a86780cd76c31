//! The examples do what they say: the callers call the answering machine, and the registration meets a registrar.
//!
//! Not here: the example `phone`, which has tests of its own.

use crate::process::{Phone, start_example};
use core::time::Duration;
use std::net::UdpSocket;

fn answering_machine() -> (Phone, String) {
    let mut machine = start_example("answering_machine", &["127.0.0.1:0"]);
    let line = machine.wait_for("listening at ");
    let place = line.rsplit(' ').next().unwrap_or_default().to_owned();
    (machine, place)
}

#[test]
fn a_call_is_made_and_ended() {
    let (_machine, place) = answering_machine();
    let ended = start_example("outgoing_call", &[&place]).end().expect(0);
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), ["answered", "ended: LocalHangup"]);
}

#[test]
fn a_call_is_held_and_resumed() {
    let (_machine, place) = answering_machine();
    let ended = start_example("hold", &[&place]).end().expect(0);
    let changed = "the change was answered with 200";
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), [changed, changed, "ended: LocalHangup"]);
}

#[test]
fn the_callee_makes_the_offer() {
    let (_machine, place) = answering_machine();
    let ended = start_example("late_offer", &[&place]).end().expect(0);
    assert!(ended.stdout.contains("m=audio 4000") && ended.last_line() == "ended: LocalHangup", "{}", ended.stdout);
}

#[test]
fn a_binding_is_made_and_removed() {
    let registrar = UdpSocket::bind("127.0.0.1:0").unwrap();
    registrar.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let uri = format!("sip:{}", registrar.local_addr().unwrap());
    let mut phone = start_example("register", &[&uri, "sip:bob@127.0.0.1"]);
    let answer = |expires: &str| {
        let mut buffer = [0; 2000];
        let (length, from) = registrar.recv_from(&mut buffer).expect("a REGISTER");
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(request.contains(&format!("Expires: {expires}\r\n")), "{request}");
        let kept = ["Via", "From", "To", "Call-ID", "CSeq", "Contact"];
        let rows = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(&format!("{name}: "))));
        let rows: String = rows.map(|line| format!("{line}\r\n")).collect();
        registrar.send_to(format!("SIP/2.0 200 OK\r\n{rows}Content-Length: 0\r\n\r\n").as_bytes(), from).unwrap();
    };
    answer("300");
    phone.wait_for("registered for 300 s");
    phone.type_line("stop");
    answer("0");
    assert_eq!(phone.end().expect(0).last_line(), "removed");
}
