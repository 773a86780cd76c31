//! What a call has set aside for its hang-up is there when it hangs up, whatever strangers have sent before.
//!
//! Covers the promise of ARCHITECTURE.md ("Full is specified"), with a socket that blocks and a pool of 4 KB.

use core::net::SocketAddr;
use sip_core::message::Message;
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::{Arrays, Call, Config, Content, Event, UserAgent};

type Small = UserAgent<Arrays<8, 2, 1, 1, 4096>>;

const NOW: Instant = Instant::from_millis(1000);

fn flow(at: &str) -> Flow {
    Flow::udp(Address::from(at.parse::<SocketAddr>().unwrap()))
}

fn request(method: &str, from: &str, call_id: &str, rows: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}{}\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@{from}>;tag=a\r\nTo: <sip:bob@192.0.2.2>{rows}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:peer@{from}>\r\nContent-Length: 0\r\n\r\n",
        call_id.len()
    )
}

fn receive(phone: &mut Small, from: &str, text: &str) -> Received<Event> {
    phone.receive(NOW, flow(from), &Message::parse(text.as_bytes()).unwrap())
}

/// Drains a phone; each send is put back when the socket is blocked.
fn drain(phone: &mut Small, blocked: bool) -> Vec<String> {
    let mut sent = Vec::new();
    loop {
        let id: SendId = match phone.poll_action(NOW) {
            None => return sent,
            Some(Action::Send { id, bytes, .. }) => {
                sent.push(String::from_utf8_lossy(bytes).into_owned());
                id
            }
            Some(_) => continue,
        };
        if blocked {
            phone.defer(id);
        }
    }
}

fn established(phone: &mut Small) -> Call {
    let Received::Event(Event::Incoming { call }) =
        receive(phone, "192.0.2.9:5060", &request("INVITE", "192.0.2.9:5060", "1@call", ""))
    else {
        panic!("no call")
    };
    phone.answer(NOW, call, &Content::NONE).unwrap();
    let answer = drain(phone, false).remove(0);
    let tag = answer.split("To: <sip:bob@192.0.2.2>").nth(1).unwrap().split("\r\n").next().unwrap();
    _ = receive(phone, "192.0.2.9:5060", &request("ACK", "192.0.2.9:5060", "1@call", tag));
    call
}

#[test]
fn a_stateless_reply_leaves_the_octets_of_a_hang_up_alone() {
    for method in ["OPTIONS", "BYE", "CANCEL"] {
        for length in (0..3900).step_by(50) {
            let mut phone = Small::new(Arrays::new());
            phone.start(&Config::new("192.0.2.2:5060", "sip:bob@192.0.2.2"), [1; 16]).unwrap();
            let call = established(&mut phone);
            drain(&mut phone, false);
            // The socket blocks, and strangers ask with long Call-IDs.
            for number in 0..6 {
                let call_id = format!("{number}{}", "c".repeat(length));
                let from = format!("192.0.2.7{number}:5060");
                _ = receive(&mut phone, &from, &request(method, &from, &call_id, ""));
                drain(&mut phone, true);
            }
            phone.hang_up(NOW, call).unwrap();
            let sent = drain(&mut phone, false);
            assert!(sent.iter().any(|text| text.starts_with("BYE ")), "{method} {length}");
        }
    }
}

#[test]
fn an_ack_without_a_dialog_leaves_the_octets_of_a_hang_up_alone() {
    for length in (0..3000).step_by(50) {
        let mut phone = Small::new(Arrays::new());
        phone.start(&Config::new("192.0.2.2:5060", "sip:bob@192.0.2.2"), [1; 16]).unwrap();
        // A call of ours is answered, and over.
        phone.call(NOW, "sip:peer@192.0.2.9", "", &Content::NONE).unwrap();
        let invite = drain(&mut phone, false).remove(0);
        let row = |name: &str| invite.split(name).nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        let answer = |more: &str| {
            format!(
                "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: <sip:peer@192.0.2.9>;tag=z\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:peer@192.0.2.9>\r\n{more}Content-Length: 0\r\n\r\n",
                row("Via: "),
                row("From: "),
                row("Call-ID: "),
            )
        };
        let Received::Event(Event::Answered { call, .. }) = receive(&mut phone, "192.0.2.9:5060", &answer("")) else {
            panic!("not answered")
        };
        let tag = format!(";tag={}", row("From: ").split(";tag=").nth(1).unwrap());
        drain(&mut phone, false);
        let bye = request("BYE", "192.0.2.9:5060", &row("Call-ID: "), &tag).replace(";tag=a", ";tag=z");
        assert!(
            matches!(receive(&mut phone, "192.0.2.9:5060", &bye), Received::Event(Event::Ended { .. })),
            "{call:?}"
        );
        drain(&mut phone, false);
        let call = established(&mut phone);
        // The 2xx comes once more, with a long route.
        let route = format!("Record-Route: <sip:{}@192.0.2.9;lr>\r\n", "r".repeat(length));
        _ = receive(&mut phone, "192.0.2.9:5060", &answer(&route));
        drain(&mut phone, true);
        phone.hang_up(NOW, call).unwrap();
        let sent = drain(&mut phone, false);
        assert!(sent.iter().any(|text| text.starts_with("BYE ")), "{length}");
    }
}
