//! `phone answer` as a peer that waits: what strangers send is answered or dropped, and it goes on waiting.
//!
//! Not here: calls (`call.rs`), malformed messages one by one (`parse.rs`).

use crate::process::{answer, run, start};
use core::time::Duration;
use std::net::UdpSocket;

/// Somebody who writes requests by hand.
struct Stranger {
    socket: UdpSocket,
    port: u16,
    peer: String,
}

impl Stranger {
    fn new(peer: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { socket, port, peer: peer.to_owned() }
    }

    fn send(&self, octets: &[u8]) {
        self.socket.send_to(octets, &self.peer).unwrap();
    }

    fn request(&self, method: &str, seq: u32, to_tag: &str, body: (&str, &str)) {
        let (port, peer) = (self.port, &self.peer);
        let (kind, body) = body;
        let kind = if body.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let text = format!(
            "{method} sip:bob@{peer} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{seq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:stranger@example.com>;tag=1\r\nTo: <sip:bob@{peer}>{to_tag}\r\n\
             Call-ID: stranger-{port}\r\nCSeq: {seq} {method}\r\nContact: <sip:stranger@127.0.0.1:{port}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(text.as_bytes());
    }

    fn response(&self) -> String {
        let mut buffer = vec![0; 65_536];
        let length = self.socket.recv(&mut buffer).expect("a response");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn status(&self) -> u16 {
        self.response().split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }
}

fn to_tag(response: &str) -> String {
    let to = response.lines().find(|line| line.starts_with("To:")).expect("a To");
    format!(";tag={}", to.split(";tag=").nth(1).expect("a tag"))
}

const NOTHING: (&str, &str) = ("", "");

#[test]
fn every_stray_request_is_answered_and_the_phone_goes_on_waiting() {
    let (mut phone, place) = answer(&["--count", "1"]);
    let stranger = Stranger::new(&place);
    for garbage in [b"".as_slice(), b"\r\n\r\n", b"\x00\x01\x02\x03", b"hello", &[b'x'; 60_000]] {
        stranger.send(garbage);
    }
    for (seq, (method, status)) in [
        ("OPTIONS", 200),
        ("MESSAGE", 200),
        ("INFO", 200),
        ("BYE", 481),
        ("CANCEL", 481),
        ("SUBSCRIBE", 405),
        ("REGISTER", 405),
        ("DANCE", 501),
    ]
    .into_iter()
    .enumerate()
    {
        let body = if method == "MESSAGE" { ("text/plain", "good\x1bmorning\r\n") } else { NOTHING };
        stranger.request(method, seq as u32 + 1, "", body);
        assert_eq!(stranger.status(), status, "{method}");
    }
    phone.wait_for("MESSAGE: good?morning from sip:stranger@example.com");
    run(&["call", &place, "--duration", "0.1"]).expect(0);
    phone.end().expect(0);
}

#[test]
fn an_invite_without_an_offer_gets_one() {
    let (phone, place) = answer(&["--count", "1"]);
    let stranger = Stranger::new(&place);
    stranger.request("INVITE", 1, "", NOTHING);
    assert_eq!(stranger.status(), 180);
    let answer = stranger.response();
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("m=audio "), "{answer}");
    let tag = to_tag(&answer);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    stranger.request("ACK", 1, &tag, ("application/sdp", sdp));
    stranger.request("BYE", 2, &tag, NOTHING);
    assert_eq!(stranger.status(), 200);
    phone.end().expect(0);
}

#[test]
fn an_offer_in_an_update_is_not_left_without_an_answer() {
    let (phone, place) = answer(&["--count", "1"]);
    let stranger = Stranger::new(&place);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    stranger.request("INVITE", 1, "", ("application/sdp", sdp));
    assert_eq!(stranger.status(), 180);
    let tag = to_tag(&stranger.response());
    stranger.request("ACK", 1, &tag, NOTHING);
    stranger.request("UPDATE", 2, &tag, NOTHING);
    assert_eq!(stranger.status(), 200);
    let held = format!("{}a=sendonly\r\n", sdp.replace("- 1 1", "- 1 2"));
    stranger.request("UPDATE", 3, &tag, ("application/sdp", &held));
    let answer = stranger.response();
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("a=recvonly"), "{answer}");
    // What can't be taken is refused, and the session stays.
    let g729 = sdp.replace("- 1 1", "- 1 3").replace("RTP/AVP 8", "RTP/AVP 18");
    stranger.request("UPDATE", 4, &tag, ("application/sdp", &g729));
    assert_eq!(stranger.status(), 488);
    stranger.request("BYE", 5, &tag, NOTHING);
    assert_eq!(stranger.status(), 200);
    phone.end().expect(0);
}

#[test]
fn a_hold_is_answered_with_the_mirrored_direction() {
    let (phone, place) = answer(&["--count", "1"]);
    let stranger = Stranger::new(&place);
    let sdp = |direction: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n\
             a={direction}\r\n"
        )
    };
    let mut tag = String::new();
    for (seq, (asked, answered)) in
        [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("inactive", "inactive")].into_iter().enumerate()
    {
        stranger.request("INVITE", seq as u32 + 1, &tag, ("application/sdp", &sdp(asked)));
        if tag.is_empty() {
            assert_eq!(stranger.status(), 180);
        }
        let answer = stranger.response();
        assert!(answer.contains(&format!("a={answered}\r\n")), "{asked}: {answer}");
        tag = to_tag(&answer);
        stranger.request("ACK", seq as u32 + 1, &tag, NOTHING);
    }
    stranger.request("BYE", 9, &tag, NOTHING);
    assert_eq!(stranger.status(), 200);
    phone.end().expect(0);
}

#[test]
fn a_stream_that_is_taken_away_is_answered_with_port_0() {
    let (phone, place) = answer(&["--count", "1"]);
    let stranger = Stranger::new(&place);
    let sdp = |port: u16| {
        let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
        format!("{head}m=audio {port} RTP/AVP 8\r\n")
    };
    stranger.request("INVITE", 1, "", ("application/sdp", &sdp(4000)));
    assert_eq!(stranger.status(), 180);
    let tag = to_tag(&stranger.response());
    stranger.request("ACK", 1, &tag, NOTHING);
    stranger.request("INVITE", 2, &tag, ("application/sdp", &sdp(0)));
    let answer = stranger.response();
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("m=audio 0 RTP/AVP 8\r\n"), "{answer}");
    stranger.request("ACK", 2, &tag, NOTHING);
    stranger.request("BYE", 3, &tag, NOTHING);
    assert_eq!(stranger.status(), 200);
    phone.end().expect(0);
}

#[test]
fn a_call_is_sent_elsewhere() {
    let (callee, place) = answer(&[
        "--count",
        "1",
        "--status",
        "302",
        "--contact",
        "carol@example.com",
        "--contact",
        "sip:dan@example.com;x=y",
    ]);
    let caller = run(&["call", &place]).expect(1);
    assert_eq!(
        caller.last_line(),
        "call refused: 302 Moved Temporarily, try <sip:carol@example.com>, <sip:dan@example.com;x=y>"
    );
    callee.end().expect(0);
}

#[test]
fn the_end_of_a_call_is_told_at_once() {
    let (mut phone, place) = answer(&["--count", "2"]);
    let stranger = Stranger::new(&place);
    stranger.request("INVITE", 1, "", NOTHING);
    assert_eq!(stranger.status(), 180);
    let tag = to_tag(&stranger.response());
    stranger.request("ACK", 1, &tag, NOTHING);
    stranger.request("BYE", 2, &tag, NOTHING);
    // Nothing else happens that could end a wait of the phone.
    let millis = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).expect("a time");
    let bye = millis(&phone.wait_for("200 OK (BYE)"));
    let told = millis(&phone.wait_for("hung up by the peer"));
    assert!(told - bye < 500, "{bye} {told}");
}

#[test]
fn several_calls_at_once_are_counted_one_by_one() {
    let (phone, place) = answer(&["--count", "4", "--json"]);
    let callers: Vec<_> = (0..4).map(|_| start(&["call", &place, "--duration", "0.5"])).collect();
    for caller in callers {
        caller.end().expect(0);
    }
    let ended = phone.end().expect(0);
    let lines: Vec<serde_json::Value> =
        ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let calls = lines.iter().filter(|line| line["scope"] == "call").count();
    let events = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    let named = ["listening", "incoming", "confirmed", "ended"].map(events);
    assert_eq!(named, [1, 4, 4, 4], "{}", ended.stdout);
    let result = lines.last().unwrap();
    assert_eq!((calls, result["scope"].as_str(), result["calls"].as_u64()), (4, Some("result"), Some(4)));
    assert!(lines.iter().filter(|line| line["scope"] == "call").all(|line| line["cause"] == "remote_hangup"));
}

#[test]
fn options_shows_what_the_phone_can_do() {
    let (_phone, place) = answer(&[]);
    let ended = run(&["options", &place]).expect(0);
    for text in
        ["Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE", "Accept: application/sdp", "Supported: "]
    {
        assert!(ended.stdout.lines().any(|line| line.starts_with(text)), "{text} in\n{}", ended.stdout);
    }
    let name = concat!("Server: sip-std-adapter-phone/", env!("CARGO_PKG_VERSION"));
    assert!(ended.stdout.lines().any(|line| line == name), "{}", ended.stdout);
    assert_eq!(ended.last_line(), "answered: 200 OK");
    let result = run(&["options", &place, "--json"]).expect(0).json();
    assert_eq!(result["accept"], serde_json::json!(["application/sdp"]), "{result}");
    assert!(result["server"].as_str().is_some_and(|server| name.ends_with(server)), "{result}");
    assert_eq!(result["to"].as_str(), Some(format!("sip:{place}").as_str()), "{result}");
    assert!(result["allow"].as_array().is_some_and(|allow| allow.iter().any(|method| method == "INVITE")));
}

#[test]
fn a_registrar_that_refuses_is_told_with_its_status() {
    // A phone is no registrar, and says so.
    let (_phone, place) = answer(&[]);
    let aor = format!("sip:bob@{place}");
    let ended = run(&["register", "--registrar", &place, "--aor", &aor]).expect(1);
    assert_eq!(ended.last_line(), "registration refused: 405 Method Not Allowed");
    let ended = run(&["answer", "--register", &place, "--aor", &aor, "--json"]).expect(1);
    assert_eq!((ended.json()["outcome"].as_str(), ended.json()["sip_status"].as_u64()), (Some("refused"), Some(405)));
}
