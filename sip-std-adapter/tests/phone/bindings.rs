//! The file of `phone serve --store`: whatever moment the server is killed at, what it has answered 200 is there.
//!
//! Covers REGISTERs by the hundred, a kill in their midst, and a file that is none of bindings. Not here: a disk that fails, and rows
//! that have expired (`keep_tests.rs` of the phone).

use crate::process::run;
use crate::serve::{Office, office};
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

/// A REGISTER of a user without a domain name, who is proven by MD5 with the nonce of a challenge.
fn register(number: usize, port: u16, seq: u32, rows: &str) -> String {
    format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}-{seq}\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@example.com>;tag={number}\r\nTo: <sip:bob@example.com>\r\nCall-ID: {number}\r\nCSeq: {seq} REGISTER\r\n\
         Contact: <sip:bob@127.0.0.1:{port};line={number}>\r\n{rows}Content-Length: 0\r\n\r\n"
    )
}

/// The row that answers the challenge of a 401.
fn credentials(challenge: &[u8]) -> String {
    use sip_core::digest::{Algorithm, Answer, Secret, Terms, write_authorization};
    use sip_core::message::{Message, Method, Writer};
    let message = Message::parse(challenge).unwrap();
    let challenge = message.challenges().find(|one| one.algorithm == Algorithm::Md5).unwrap();
    let mut room = [0; 1000];
    let mut w = Writer::new(&mut room);
    let answer = Answer {
        username: b"bob",
        secret: Secret::Password(b"builder"),
        method: Method::Register,
        uri: b"sip:example.com",
        nc: 1,
        cnonce: b"0a4f113b",
        body: b"",
    };
    assert!(write_authorization(&mut w, &Terms::from(&challenge), &answer));
    let length = w.finish().unwrap();
    String::from_utf8(room[..length].to_vec()).unwrap()
}

/// Registers ten contacts by turns without waiting for an answer, until so many were answered; the contacts that were answered 200 with
/// their last CSeq.
fn storm(place: &str, answers: usize) -> BTreeSet<usize> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut buffer = [0; 4000];
    let mut rows = Vec::new();
    for number in 0..10 {
        socket.send_to(register(number, port, 1, "").as_bytes(), place).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        rows.push(credentials(&buffer[..length]));
    }
    for (number, rows) in rows.iter().enumerate() {
        socket.send_to(register(number, port, 2, rows).as_bytes(), place).unwrap();
    }
    let mut bound = BTreeSet::new();
    while bound.len() < answers {
        let length = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        assert!(text.starts_with("SIP/2.0 200 "), "{text}");
        let call = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
        bound.insert(call.parse().unwrap());
    }
    bound
}

#[test]
fn what_was_answered_is_there_whenever_the_server_is_killed() {
    for answers in [1, 4, 9] {
        let office = office();
        let (server, place) = office.serve(0, &["--digest", "md5"]);
        let bound = storm(&place, answers);
        server.signal("KILL");
        server.end_killed();
        let bindings = office.bindings();
        for number in bound {
            assert!(bindings.contains(&format!(";line={number} for")), "{number} of {answers} in {bindings}");
        }
        let (server, _) = office.serve(0, &[]);
        server.signal("TERM");
        server.end().expect(0);
    }
}

#[test]
fn a_file_that_is_no_store_is_told_and_left_alone() {
    let office: Office = office();
    let users = office.path("users.toml");
    let (before, users) = (std::fs::read(&users).unwrap(), users.to_str().unwrap().to_owned());
    let serve = ["serve", "--listen", "127.0.0.1:0", "--domain", "example.com", "--users", &users, "--store", &users];
    for args in [&serve[..], &["bindings", "--store", &users]] {
        let told = run(args).expect(2);
        assert!(told.last_line().contains("users.toml: this is no file of bindings"), "{}", told.stdout);
    }
    assert_eq!(std::fs::read(&users).unwrap(), before);
    assert!(run(&["bindings", "--store", "/nowhere/at/all"]).expect(2).last_line().contains("/nowhere/at/all: "));
}
