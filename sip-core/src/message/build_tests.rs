//! What is made of a message, read back.

use super::samples::{ALL, CHALLENGE, INVITE, OK, OLD, REGISTER, crlf};
use super::*;
use crate::random::Token;
use crate::transport::{Address, Transport};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

const SOURCE: Address = Address::v4(Ipv4Addr::new(198, 51, 100, 7), 40_001);

/// Writes into every buffer size from nothing to enough; gives what was written.
fn written(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut w = Writer::new(&mut []);
    write(&mut w);
    let needed = w.len();
    for size in 0..=needed {
        let mut buffer = vec![0; size];
        let mut w = Writer::new(&mut buffer);
        write(&mut w);
        if size == needed {
            assert_eq!(w.finish(), Ok(needed));
            return buffer;
        }
        assert_eq!(w.finish(), Err(WriteError::Full { needed }));
    }
    unreachable!()
}

fn answer(request: &Message<'_>, source: Address) -> Vec<u8> {
    written(|w| {
        w.status_line(180, reason_phrase(180).as_bytes());
        response_head(w, request, source, Some(b"tt"));
        w.finish_without_body();
    })
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

#[test]
fn a_response_takes_from_its_request() {
    let bytes = crlf(INVITE);
    let request = Message::parse(&bytes).unwrap();
    assert_eq!(
        text(&answer(&request, SOURCE)),
        text(&crlf(
            "SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK00112233aabbccdd;rport=40001;received=198.51.100.7
From: \"Al \\\"Ice\\\" L\" <sip:alice@example.com>;tag=a1
To: Bob <sip:bob@example.com>;tag=tt
Call-ID: 77f0@192.0.2.10
CSeq: 4711 INVITE
Content-Length: 0

"
        ))
    );
}

#[test]
fn every_via_and_record_route_goes_back_in_order() {
    let bytes = crlf(&OK.replace("SIP/2.0 200 All right", "INVITE sip:bob@example.com SIP/2.0"));
    let request = Message::parse(&bytes).unwrap();
    let source = Address::v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9), 5061);
    let written = answer(&request, source);
    let response = Message::parse(&written).unwrap();
    assert_eq!(response.to_tag(), Some(&b"b1"[..]));
    assert_eq!(response.record_routes().count(), 3);
    let vias: Vec<_> = response.vias().map(|via| text(via.unwrap().raw())).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/TLS p2.example.com;branch=z9hG4bKp2.1;received=2001:db8::9",
            "SIP/2.0/UDP p1.example.com;branch=z9hG4bKp1",
            "SIP/2.0/UDP [2001:db8::10]:5062;branch=z9hG4bKc;received=2001:db8::10;rport=5062",
        ]
    );
}

#[test]
fn received_is_written_where_it_tells_something() {
    for (via, source, expected) in [
        ("192.0.2.10:5062;branch=z9hG4bK1", Address::v4(Ipv4Addr::new(192, 0, 2, 10), 5062), ""),
        ("192.0.2.10:5062;branch=z9hG4bK1", Address::NONE, ""),
        ("192.0.2.10:5062;branch=z9hG4bK1", SOURCE, ";received=198.51.100.7"),
        ("host.example.com;branch=z9hG4bK1", SOURCE, ";received=198.51.100.7"),
        ("198.51.100.7;branch=z9hG4bK1;rport", SOURCE, ";rport=40001;received=198.51.100.7"),
        ("198.51.100.7;branch=z9hG4bK1;RPORT=", SOURCE, ";RPORT=40001;received=198.51.100.7"),
        ("h.example.com;branch=z9hG4bK1;received=203.0.113.1", SOURCE, ";received=198.51.100.7"),
        ("h.example.com;branch=z9hG4bK1;received;rport", SOURCE, ";received=198.51.100.7;rport=40001"),
        ("h.example.com;branch=z9hG4bK1;x=\"a;rport\"", SOURCE, ";x=\"a;rport\";received=198.51.100.7"),
    ] {
        let bytes = crlf(&OLD.replace("old.example.com", via));
        let request = Message::parse(&bytes).unwrap();
        let written = answer(&request, source);
        let response = Message::parse(&written).unwrap();
        let kept = via.split(";r").next().unwrap().split(";R").next().unwrap().split(";x").next().unwrap();
        assert_eq!(text(response.top_via().raw()), format!("SIP/2.0/UDP {kept}{expected}"));
    }
}

#[test]
fn a_400_takes_what_can_be_read() {
    let good = crlf(INVITE);
    let names = ["From", "To", "Call-ID", "CSeq", "Content-Length", "INVITE"];
    for name in names {
        let bad = text(&good).replace(&format!("\r\n{name}: "), &format!("\r\n{name}: \"")).replace("Bob <", "\"Bob <");
        let failure = Message::parse(bad.as_bytes()).unwrap_err();
        assert!(failure.answerable());
        let written = written(|w| {
            w.status_line(failure.status(), failure.reason().as_bytes());
            malformed_head(w, &failure, SOURCE, Some(b"tt"));
            w.finish_without_body();
        });
        let text = text(&written);
        assert!(text.contains(";rport=40001;received=198.51.100.7\r\nFrom: "), "{text}");
        assert!(text.contains("To: \"Bob <sip:bob@example.com>\r\nCall-ID: ") || name == "To", "{text}");
        assert!(text.contains("4711 INVITE\r\nContent-Length: 0\r\n\r\n"), "{text}");
    }
}

#[test]
fn a_400_with_a_to_that_can_be_read_has_a_tag() {
    let bytes = crlf(&INVITE.replace("CSeq: 4711 INVITE", "CSeq: 4711 BYE"));
    let failure = Message::parse(&bytes).unwrap_err();
    let written = written(|w| {
        w.status_line(failure.status(), failure.reason().as_bytes());
        malformed_head(w, &failure, SOURCE, Some(b"tt"));
        w.finish_without_body();
    });
    assert_eq!(Message::parse(&written).unwrap().to_tag(), Some(&b"tt"[..]));
}

#[test]
fn an_empty_tag_gives_way_to_ours() {
    for to in ["<sip:bob@example.com>;tag", "<sip:bob@example.com>;Tag=", "sip:bob@example.com;tag="] {
        let bytes = crlf(&INVITE.replace("Bob <sip:bob@example.com>", to));
        let request = Message::parse(&bytes).unwrap();
        assert_eq!(request.to_tag(), None);
        let answer = answer(&request, SOURCE);
        let end = to.rfind(';').unwrap();
        assert!(text(&answer).contains(&format!("\r\nTo: {};tag=tt\r\n", &to[..end])), "{}", text(&answer));
        // Without a tag of ours it goes back as it came.
        let trying = written(|w| {
            w.status_line(100, b"Trying");
            response_head(w, &request, SOURCE, None);
            w.finish_without_body();
        });
        assert!(text(&trying).contains(&format!("\r\nTo: {to}\r\n")), "{}", text(&trying));
    }
    let bytes = crlf(&INVITE.replace("<sip:bob@example.com>", "<sip:bob@example.com>;tag=;x=y"));
    let answer = answer(&Message::parse(&bytes).unwrap(), SOURCE);
    assert_eq!(Message::parse(&answer).unwrap().to_tag(), Some(&b"tt"[..]));
}

#[test]
fn long_headers_go_back_whole() {
    let long = "x".repeat(20_000);
    let bytes = crlf(
        &INVITE
            .replace("To: Bob", &format!("To: \"{long}\""))
            .replace("Call-ID: ", &format!("Call-ID: {long}"))
            .replace("tag=a1", &format!("tag={long}")),
    );
    let request = Message::parse(&bytes).unwrap();
    let mut buffer = vec![0; 65_535];
    let mut w = Writer::new(&mut buffer);
    w.status_line(200, b"OK");
    response_head(&mut w, &request, SOURCE, Some(b"t"));
    w.finish_without_body();
    let length = w.finish().unwrap();
    let response = Message::parse(&buffer[..length]).unwrap();
    assert_eq!((response.call_id(), response.from_tag()), (request.call_id(), request.from_tag()));
}

#[test]
fn ack_and_cancel_of_an_invite() {
    let bytes = crlf(INVITE);
    let invite = Message::parse(&bytes).unwrap();
    let busy = crlf(&CHALLENGE.replace("MESSAGE", "INVITE"));
    let busy = Message::parse(&busy).unwrap();
    let sent = written(|w| ack(w, &Kept::from(&invite), &busy));
    let acked = Message::parse(&sent).unwrap();
    let sent = written(|w| cancel(w, &Kept::from(&invite), |_| {}));
    let cancelled = Message::parse(&sent).unwrap();
    for (made, method) in [(&acked, Method::Ack), (&cancelled, Method::Cancel)] {
        assert_eq!(made.method(), method);
        assert_eq!(made.request_uri(), invite.request_uri());
        assert_eq!(made.vias().count(), 1);
        assert_eq!(made.top_via().raw(), invite.top_via().raw());
        assert_eq!((made.from().raw(), made.call_id()), (invite.from().raw(), invite.call_id()));
        assert_eq!(made.cseq().number, 4711);
        assert_eq!(made.routes().count(), 2);
        assert_eq!(made.max_forwards(), Some(Ok(70)));
        assert_eq!((made.content_length(), made.header(HeaderName::Contact)), (Some(0), None));
    }
    assert_eq!(acked.to_tag(), Some(&b"p"[..]));
    assert_eq!(cancelled.to().raw(), invite.to().raw());
    assert_eq!((acked.credentials().count(), cancelled.credentials().count()), (1, 0));
}

#[test]
fn a_request_sent_again() {
    let bytes = crlf(INVITE);
    let request = Message::parse(&bytes).unwrap();
    let edit =
        Resend { branch: b"z9hG4bKnew", cseq: 4712, drop: &[HeaderName::Authorization, HeaderName::Other(b"route")] };
    let sent =
        written(|w| resend(w, &Kept::from(&request), &edit, |w| w.header(HeaderName::Authorization, b"Digest x")));
    let again = Message::parse(&sent).unwrap();
    assert_eq!(text(again.top_via().raw()), "SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bKnew;rport");
    assert_eq!(again.cseq(), CSeq { number: 4712, method: Method::Invite });
    assert_eq!(again.header_rows(HeaderName::Authorization).collect::<Vec<_>>(), [b"Digest x"]);
    assert_eq!(again.routes().count(), 0);
    assert_eq!(again.body(), request.body());
    let same = |m: &Message<'_>| {
        let edited = [HeaderName::Via, HeaderName::CSeq, HeaderName::Route, HeaderName::Authorization];
        m.headers().filter(|one| !edited.contains(&one.name)).map(|one| one.value.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(same(&again), same(&request));
}

#[test]
fn every_request_can_be_sent_again() {
    for sample in [INVITE, REGISTER, OLD] {
        let bytes = crlf(sample);
        let request = Message::parse(&bytes).unwrap();
        let edit = Resend { branch: b"0123456789abcdef", cseq: u32::MAX, drop: &[] };
        let sent = written(|w| resend(w, &Kept::from(&request), &edit, |w| w.header(HeaderName::Subject, b"again")));
        let again = Message::parse(&sent).unwrap();
        assert_eq!(again.top_via().branch(), Some(&b"z9hG4bK0123456789abcdef"[..]));
        assert_eq!((again.headers().count(), again.body()), (request.headers().count() + 1, request.body()));
        assert_eq!(again.request_uri(), request.request_uri());
    }
    // Hops behind the first stay where they are.
    let bytes = crlf(&OK.replace("SIP/2.0 200 All right", "INVITE sip:bob@example.com SIP/2.0"));
    let request = Message::parse(&bytes).unwrap();
    let edit = Resend { branch: b"z9hG4bKnew", cseq: 1, drop: &[] };
    let sent = written(|w| resend(w, &Kept::from(&request), &edit, |_| {}));
    let again = Message::parse(&sent).unwrap();
    assert_eq!(
        again.vias().flatten().skip(1).map(|via| via.raw()).collect::<Vec<_>>(),
        request.vias().flatten().skip(1).map(|via| via.raw()).collect::<Vec<_>>()
    );
}

#[test]
fn a_via_of_ours_is_stamped() {
    let make = |w: &mut Writer<'_>| {
        w.request_line(Method::Options, b"sip:b@example.com");
        w.via(Transport::Udp, b"[2001:db8::1]:5060", Token::new(1));
        w.raw(b"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n");
        w.finish_without_body();
    };
    let mut bytes = written(make);
    assert!(stamp(&mut bytes, Transport::Tls, None));
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.top_via().transport(), m.top_via().branch()), (&b"TLS"[..], Some(&b"z9hG4bK0000000000000001"[..])));
    assert_eq!(m.top_via().rport(), Some(None));
    assert!(stamp(&mut bytes, Transport::Tcp, Some(b"fedcba9876543210")));
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.top_via().transport(), m.top_via().branch()), (&b"TCP"[..], Some(&b"z9hG4bKfedcba9876543210"[..])));
    for cut in 0..bytes.len() {
        stamp(&mut bytes[..cut].to_vec(), Transport::Udp, Some(b"fedcba9876543210"));
    }
    for sample in ALL {
        let mut other = crlf(sample);
        let stamped = stamp(&mut other, Transport::Tcp, Some(b"fedcba9876543210"));
        assert_eq!(stamped, sample == INVITE);
        assert_eq!(other == crlf(sample), !stamped);
    }
}

#[test]
fn addresses_are_written_as_their_grammar_has_them() {
    for ip in [IpAddr::V4(Ipv4Addr::new(0, 10, 200, 255)), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        assert_eq!(text(&written(|w| build::write_ip(w, ip))), ip.to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// RFC 5952 §4, as core writes it.
    #[test]
    fn ipv6_addresses_are_written_as_core_writes_them(groups in prop::array::uniform8(prop::sample::select(vec![0u16, 0, 0, 1, 0xAB, 0xFFFF, 0x1230]))) {
        let ip = Ipv6Addr::from(groups);
        prop_assert_eq!(text(&written(|w| build::write_ip(w, IpAddr::V6(ip)))), ip.to_string());
    }
}

#[test]
fn a_transport_of_two_letters_is_stamped_and_stamped_over() {
    let mut room = [0; 200];
    let mut w = Writer::new(&mut room);
    w.request_line(Method::Options, b"sip:a");
    w.via(Transport::Ws, b"b.example:80", Token::new(1));
    let length = w.finish().unwrap();
    for transport in [Transport::Ws, Transport::Udp, Transport::Wss, Transport::Ws, Transport::Tls] {
        assert!(stamp(&mut room[..length], transport, None));
        let row = room[..length].split(|octet| *octet == b'\n').nth(1).unwrap();
        let via = Via::parse(&row[b"Via: ".len()..row.len() - 1]).unwrap();
        assert_eq!(
            (via.transport(), via.host().as_bytes(), via.port()),
            (transport.name().as_bytes(), &b"b.example"[..], Some(80))
        );
    }
}
