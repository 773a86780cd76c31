//! Each edit alone and all of them together: (what is done, what the message then has instead of what). Edits of every message
//! of the corpus are in the test kit.

use super::samples::{ALL, INVITE, OK, crlf};
use super::*;
use crate::transport::{Address, Transport};
use core::net::Ipv4Addr;

const SOURCE: Address = Address::v4(Ipv4Addr::new(198, 51, 100, 7), 40_001);
const TOP: &str = "SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10:5062";
const ROUTES: &str = "Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\n";

/// The text with each piece replaced, one hop less included; each has to be there.
fn replaced(text: &str, edits: &[(&str, &str)]) -> String {
    let mut text = text.to_string();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    text
}

/// What is written, into every buffer size from nothing to enough.
fn written(write: impl Fn(&mut [u8]) -> Result<usize, ForwardError>, size: Result<usize, ForwardError>) -> String {
    let needed = size.unwrap();
    for room in 0..needed {
        assert_eq!(write(&mut vec![0; room]), Err(ForwardError::Write(WriteError::Full { needed })));
    }
    let mut buffer = vec![0xAA; needed + 3];
    assert_eq!(write(&mut buffer), Ok(needed));
    assert_eq!(buffer.split_off(needed), [0xAA; 3]);
    String::from_utf8(buffer).unwrap()
}

/// The message that a text is, without what stands behind its body.
fn wire(text: &str) -> String {
    String::from_utf8(Message::parse(&crlf(text)).unwrap().bytes().to_vec()).unwrap()
}

fn forwarded(text: &str, edit: impl for<'a> Fn(ForwardRequest<'a>) -> ForwardRequest<'a>) -> String {
    let bytes = crlf(text);
    let message = Message::parse(&bytes).unwrap();
    let forward = edit(ForwardRequest::new(&message));
    written(|buffer| forward.write(buffer), forward.size())
}

fn refused(text: &str, edit: impl for<'a> Fn(ForwardRequest<'a>) -> ForwardRequest<'a>) -> ForwardError {
    let bytes = crlf(text);
    let message = Message::parse(&bytes).unwrap();
    let forward = edit(ForwardRequest::new(&message));
    let error = forward.write(&mut vec![0; 65_535]).unwrap_err();
    assert_eq!(forward.size(), Err(error));
    error
}

fn returned(text: &str) -> Result<String, ForwardError> {
    let bytes = crlf(text);
    let message = Message::parse(&bytes).unwrap();
    let forward = ForwardResponse::new(&message);
    match forward.size() {
        Ok(size) => Ok(written(|buffer| forward.write(buffer), Ok(size))),
        Err(error) => {
            assert_eq!(forward.write(&mut vec![0; 65_535]), Err(error));
            Err(error)
        }
    }
}

const HOP: (&str, &str) = ("Max-Forwards: 70", "Max-Forwards: 69");

macro_rules! edits {
    ($($name:ident $edit:expr => [$($from:expr, $to:expr);*];)*) => {$(
        #[test]
        fn $name() {
            let edit: for<'a> fn(ForwardRequest<'a>) -> ForwardRequest<'a> = $edit;
            assert_eq!(forwarded(INVITE, edit), wire(&replaced(INVITE, &[HOP, $(($from, $to)),*])));
        }
    )*};
}

edits! {
    nothing_but_a_hop |f| f => ["INVITE sip:bob@example.com", "INVITE sip:bob@example.com"];
    a_via_on_top |f| f.via(Transport::Tcp, b"p.example.com:5070", b"ab.cd") => [TOP,
        "SIP/2.0\nVia: SIP/2.0/TCP p.example.com:5070;branch=z9hG4bKab.cd;rport\nVia: SIP/2.0/UDP 192.0.2.10:5062"];
    a_via_with_a_cookie |f| f.via(Transport::Udp, b"[2001:db8::1]", b"z9hG4bKx") => [TOP,
        "SIP/2.0\nVia: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKx;rport\nVia: SIP/2.0/UDP 192.0.2.10:5062"];
    where_it_came_from |f| f.received_from(SOURCE) => ["aabbccdd;rport\n", "aabbccdd;rport=40001;received=198.51.100.7\n"];
    another_request_uri |f| f.request_uri(b"sip:bob@192.0.2.20;transport=tcp") => ["INVITE sip:bob@example.com SIP", "INVITE sip:bob@192.0.2.20;transport=tcp SIP"];
    the_first_route_away |f| f.pop_route(1) => [ROUTES, "Route: <sip:p2.example.com;lr>\n"];
    both_routes_away |f| f.pop_route(2) => [ROUTES, ""];
    the_last_route_away |f| f.drop_last_route() => [ROUTES, "Route: <sip:p1.example.com;lr>\n"];
    the_first_and_the_last_route_away |f| f.pop_route(1).drop_last_route() => [ROUTES, ""];
    a_route_on_top |f| f.push_route(&[b"sip:a;lr", b"sip:b;lr"]) => [TOP, "SIP/2.0\nRoute: <sip:a;lr>\nRoute: <sip:b;lr>\nVia: SIP/2.0/UDP 192.0.2.10:5062"];
    a_strict_router_next |f| f.request_uri(b"sip:p1.example.com").append_route(b"sip:bob@example.com").pop_route(1) => ["INVITE sip:bob@example.com SIP", "INVITE sip:p1.example.com SIP";
        ROUTES, "Route: <sip:p2.example.com;lr>\n";
        "Content-Length: 27\n", "Content-Length: 27\nRoute: <sip:bob@example.com>\n"];
    a_strict_router_before |f| f.request_uri(b"sip:p2.example.com;lr").drop_last_route() => ["INVITE sip:bob@example.com SIP", "INVITE sip:p2.example.com;lr SIP";
        ROUTES, "Route: <sip:p1.example.com;lr>\n"];
    record_routes_of_two_sides |f| f.record_route(&[b"sip:192.0.2.1;lr", b"sip:198.51.100.1;transport=tcp;lr"]) => [TOP,
        "SIP/2.0\nRecord-Route: <sip:192.0.2.1;lr>\nRecord-Route: <sip:198.51.100.1;transport=tcp;lr>\nVia: SIP/2.0/UDP 192.0.2.10:5062"];
    a_path |f| f.path(&[b"sip:edge.example.com;lr"]) => [TOP, "SIP/2.0\nPath: <sip:edge.example.com;lr>\nVia: SIP/2.0/UDP 192.0.2.10:5062"];
    a_length_that_is_there |f| f.content_length() => ["Content-Length: 27", "Content-Length: 27"];
    everything |f| f.received_from(SOURCE).via(Transport::Udp, b"p", b"b").request_uri(b"tel:+1").pop_route(1)
        .push_route(&[b"sip:r;lr"]).append_route(b"sip:z").record_route(&[b"sip:p;lr"]).path(&[b"sip:q;lr"]).content_length() => [TOP, "SIP/2.0\nVia: SIP/2.0/UDP p;branch=z9hG4bKb;rport\nRecord-Route: <sip:p;lr>\nPath: <sip:q;lr>\nRoute: <sip:r;lr>\n\
        Via: SIP/2.0/UDP 192.0.2.10:5062";
        "aabbccdd;rport\n", "aabbccdd;rport=40001;received=198.51.100.7\n";
        "INVITE sip:bob@example.com SIP", "INVITE tel:+1 SIP";
        "Route: <sip:p1.example.com;lr>, ", "Route: ";
        "Content-Length: 27\n", "Content-Length: 27\nRoute: <sip:z>\n"];
}

/// A request that has these rows beside the mandatory ones and no Max-Forwards.
fn with(rows: &str) -> String {
    format!(
        "BYE sip:b@example.com SIP/2.0\n{rows}\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\nFrom: <sip:a@example.com>;tag=1\n\
        To: <sip:b@example.com>;tag=2\ni: 1\nCSeq: 1 BYE\n\n"
    )
}

const ADDED: &str = "BYE sip:b@example.com SIP/2.0\nMax-Forwards: 70\n";

#[test]
fn routes_in_every_layout() {
    for (rows, popped, drop_last, left) in [
        ("Route: <sip:1>\nX: y\nRoute: <sip:2>", 1, false, "X: y\nRoute: <sip:2>"),
        ("Route: <sip:1>\nX: y\nRoute: <sip:2>", 2, false, "X: y"),
        ("Route: <sip:1>\nX: y\nRoute: <sip:2>", 0, true, "Route: <sip:1>\nX: y"),
        ("ROUTE :<sip:1>\n ;x\n ,\n\t<sip:2>  \n \nX: y", 1, false, "ROUTE :<sip:2>  \n \nX: y"),
        ("Route: <sip:1>\n  \nX: y", 1, false, "X: y"),
        ("Route: <sip:1> ,<sip:2>\nRoute: <sip:3>  , <sip:4>\nX: y", 3, false, "Route: <sip:4>\nX: y"),
        ("Route: <sip:1> ,<sip:2>\nRoute: <sip:3>  , <sip:4> \nX: y", 1, true, "Route: <sip:2>\nRoute: <sip:3> \nX: y"),
        ("Route: \"a, \\\"b\" <sip:1,2>;x=\"c,d\", <sip:3>\nX: y", 1, false, "Route: <sip:3>\nX: y"),
        ("Route: , <sip:1>,, ,<sip:2>,\nX: y", 1, false, "Route: <sip:2>,\nX: y"),
        ("Route: , <sip:1>,, ,<sip:2>,\nX: y", 2, false, "X: y"),
        ("Route: , <sip:1>,, ,<sip:2>,\nX: y", 0, true, "Route: , <sip:1>\nX: y"),
        ("Route:\nX: y\nRoute: ,\nRoute: <sip:1>", 1, false, "X: y"),
        ("Route: <sip:1>\nRoute:\nX: y", 1, false, "Route:\nX: y"),
        ("Route: broken, <sip:2>\nX: y", 1, false, "Route: <sip:2>\nX: y"),
        ("Route: sip:1;lr,sip:2\nX: y", 1, false, "Route: sip:2\nX: y"),
    ] {
        let bytes = crlf(&with(rows));
        let message = Message::parse(&bytes).unwrap();
        let mut forward = ForwardRequest::new(&message).pop_route(popped);
        if drop_last {
            forward = forward.drop_last_route();
        }
        let text = written(|buffer| forward.write(buffer), forward.size());
        assert_eq!(text, wire(&with(left).replace("BYE sip:b@example.com SIP/2.0\n", ADDED)), "{rows}");
    }
}

#[test]
fn lines_that_are_no_rows_arrive_as_they_came() {
    for rows in ["X Odd: 1\nRoute: <sip:1>\nX-Odd\nX: y", ": 1\nX Odd:\n\tmore\nRoute: <sip:1>\nX: y"] {
        let bytes = crlf(&with(rows));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.skipped_rows(), 2);
        let forward = ForwardRequest::new(&message).pop_route(1);
        let text = written(|buffer| forward.write(buffer), forward.size());
        let left = rows.replace("Route: <sip:1>\n", "");
        assert_eq!(text, wire(&with(&left).replace("BYE sip:b@example.com SIP/2.0\n", ADDED)));
    }
}

#[test]
fn more_routes_than_there_are() {
    for (rows, count) in [("X: y", 1), ("Route:", 1), ("Route: <sip:1>", 2), ("Route: <sip:1>,\nRoute: <sip:2>", 3)] {
        let bytes = crlf(&with(rows));
        let message = Message::parse(&bytes).unwrap();
        let forward = ForwardRequest::new(&message);
        let error = forward.pop_route(count).size().unwrap_err();
        assert_eq!((error, error.status()), (ForwardError::Route, Some(400)));
        assert_eq!(forward.pop_route(count - 1).drop_last_route().size(), Err(ForwardError::Route));
    }
    assert_eq!(refused(&with("X: y"), |forward| forward.pop_route(0).drop_last_route()), ForwardError::Route);
    assert_eq!(refused(INVITE, |forward| forward.pop_route(2).drop_last_route()), ForwardError::Route);
}

#[test]
fn hops() {
    for (rows, left) in [
        ("Max-Forwards: 1", "Max-Forwards: 0"),
        ("Max-Forwards: 100", "Max-Forwards: 99"),
        ("MAX-forwards :\n\t0255  \nX: y", "MAX-forwards :\n\t254  \nX: y"),
        ("Max-Forwards: 10\nMax-Forwards: 70", "Max-Forwards: 9\nMax-Forwards: 70"),
    ] {
        assert_eq!(forwarded(&with(rows), |forward| forward), wire(&with(left)));
    }
    assert_eq!(
        forwarded(&with("X: y"), |forward| forward),
        wire(&with("X: y").replacen("SIP/2.0\n", "SIP/2.0\nMax-Forwards: 70\n", 1))
    );
    let zero = refused(&with("Max-Forwards: 000"), |forward| forward);
    assert_eq!((zero, zero.status()), (ForwardError::TooManyHops, Some(483)));
    for value in ["-1", "256", "1 2", "", "x", "99999999999999999999"] {
        let error = refused(&with(&format!("Max-Forwards: {value}")), |forward| forward);
        assert_eq!((error, error.status()), (ForwardError::MaxForwards, Some(400)));
    }
}

#[test]
fn the_topmost_via_tells_where_the_request_came_from() {
    for (via, filled) in [
        ("Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1", "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1"),
        ("Via: SIP/2.0/UDP a;branch=z9hG4bK1", "Via: SIP/2.0/UDP a;branch=z9hG4bK1;received=198.51.100.7"),
        ("v:SIP/2.0/UDP a;rport;x", "v:SIP/2.0/UDP a;rport=40001;x;received=198.51.100.7"),
        (
            "Via: SIP/2.0/UDP a ; RPORT\n = ; x, SIP/2.0/UDP b;rport",
            "Via: SIP/2.0/UDP a ; RPORT=40001 ; x;received=198.51.100.7, SIP/2.0/UDP b;rport",
        ),
        (
            "Via: SIP/2.0/UDP a;received=6.6.6.6;rport,SIP/2.0/UDP b",
            "Via: SIP/2.0/UDP a;received=198.51.100.7;rport=40001,SIP/2.0/UDP b",
        ),
        ("Via: SIP/2.0/UDP 198.51.100.7;received=6.6.6.6", "Via: SIP/2.0/UDP 198.51.100.7;received=198.51.100.7"),
        ("Via: SIP/2.0/UDP a;rport=7", "Via: SIP/2.0/UDP a;rport=7;received=198.51.100.7"),
        ("Via: SIP/2.0/UDP a;x=\";rport\"\n ", "Via: SIP/2.0/UDP a;x=\";rport\";received=198.51.100.7\n "),
        (
            "Via: SIP/2.0/UDP [2001:db8::9]:5\nVia: SIP/2.0/UDP b;rport",
            "Via: SIP/2.0/UDP [2001:db8::9]:5;received=198.51.100.7\nVia: SIP/2.0/UDP b;rport",
        ),
    ] {
        let rest = "\nMax-Forwards: 2\nX: y";
        assert_eq!(
            forwarded(&with(&[via, rest].concat()), |forward| forward.received_from(SOURCE)),
            wire(&with(&[filled, "\nMax-Forwards: 1\nX: y"].concat()))
        );
    }
    assert_eq!(forwarded(INVITE, |forward| forward.received_from(Address::NONE)), wire(&replaced(INVITE, &[HOP])));
}

#[test]
fn a_length_is_added_for_streams() {
    let bare = with("Max-Forwards: 2").replace("CSeq", "Content-Type: a/b\nCSeq") + "hello";
    assert_eq!(
        forwarded(&bare, |forward| forward.content_length().append_route(b"sip:z")),
        wire(&replaced(&bare, &[("s: 2", "s: 1"), ("1 BYE\n", "1 BYE\nRoute: <sip:z>\nContent-Length: 5\n")]))
    );
    let response = OK.replace("l: 6\n", "");
    let bytes = crlf(&response);
    let message = Message::parse(&bytes).unwrap();
    let forward = ForwardResponse::new(&message).content_length();
    let text = written(|buffer| forward.write(buffer), forward.size());
    assert!(text.ends_with("c: text/plain;charset=utf-8\r\nContent-Length: 8\r\n\r\na\r\n\r\nb\r\n"), "{text}");
}

#[test]
fn responses_lose_their_topmost_via() {
    let hop = "v: SIP/2.0/TLS p2.example.com;branch=z9hG4bKp2.1;received=192.0.2.22 , ";
    assert_eq!(returned(OK), Ok(wire(&replaced(OK, &[(hop, "v: ")]))));
    for (vias, left, next) in [
        ("Via: SIP/2.0/UDP a\nX: y\nVia: SIP/2.0/UDP b", "X: y\nVia: SIP/2.0/UDP b", "b"),
        ("Via: SIP/2.0/UDP a;x=\",\",\n SIP/2.0/UDP b\nX: y", "Via: SIP/2.0/UDP b\nX: y", "b"),
        ("Via: SIP/2.0/UDP a\n \nVia : SIP/2.0/UDP b , SIP/2.0/UDP c", "Via : SIP/2.0/UDP b , SIP/2.0/UDP c", "b"),
        ("Via: SIP/2.0/UDP a,, ,\nVia: SIP/2.0/UDP b", "Via: SIP/2.0/UDP b", "b"),
        (
            "Via:SIP/2.0/UDP a,,SIP/2.0/UDP b;rport=5;received=192.0.2.1",
            "Via:SIP/2.0/UDP b;rport=5;received=192.0.2.1",
            "b",
        ),
    ] {
        let text = |rows: &str| with(rows).replace("BYE sip:b@example.com SIP/2.0", "SIP/2.0 200 OK");
        let text = |rows: &str| text(rows).replace("Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\n", "");
        assert_eq!(returned(&text(vias)).unwrap(), wire(&text(left)), "{vias}");
        let bytes = crlf(&text(vias));
        let message = Message::parse(&bytes).unwrap();
        let via = ForwardResponse::new(&message).remaining_via().unwrap().unwrap();
        assert_eq!(via.host().as_bytes(), next.as_bytes());
    }
}

#[test]
fn a_response_for_this_element_goes_nowhere() {
    let one = crlf(&OK.replace(" , SIP/2.0/UDP p1.example.com;branch=z9hG4bKp1\nVia: SIP/2.0/UDP [2001:db8::10]:5062;branch=z9hG4bKc;received=2001:db8::10;rport=5062", " ,,"));
    let message = Message::parse(&one).unwrap();
    let forward = ForwardResponse::new(&message);
    assert_eq!((forward.remaining_via(), forward.size()), (None, Err(ForwardError::LastVia)));
    assert_eq!(ForwardError::LastVia.status(), None);
    for broken in ["nonsense", ",SIP/2.0/UDP p1.example.com", ","] {
        let bytes = crlf(&OK.replace(" , SIP/2.0/UDP p1.example.com", &format!("\nVia: {broken}")));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(ForwardResponse::new(&message).remaining_via(), Some(Err(ParseError::Via)), "{broken}");
    }
}

#[test]
fn each_kind_has_its_own_edit() {
    for sample in ALL {
        let bytes = crlf(sample);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(ForwardRequest::new(&message).size() == Err(ForwardError::Kind), !message.is_request());
        assert_eq!(ForwardResponse::new(&message).size() == Err(ForwardError::Kind), message.is_request());
    }
}

#[test]
fn nothing_is_smuggled_in() {
    let injection = ForwardError::Write(WriteError::Injection);
    assert_eq!(injection.status(), Some(500));
    for bad in [&b"sip:a\r\nX: y"[..], b"sip:a\n", b"sip:\0", b"sip:a>", b"sip:a b", b""] {
        let bytes = crlf(INVITE);
        let message = Message::parse(&bytes).unwrap();
        let forward = ForwardRequest::new(&message);
        let list = [&b"sip:fine"[..], bad];
        let mut all = vec![
            forward.request_uri(bad),
            forward.append_route(bad),
            forward.push_route(&list),
            forward.record_route(&list),
            forward.path(&list),
            forward.via(Transport::Udp, b"h", bad),
        ];
        if bad.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            all.push(forward.via(Transport::Udp, bad, b"x"));
        }
        for edit in all {
            assert_eq!((edit.size(), edit.write(&mut [0; 2000])), (Err(injection), Err(injection)), "{edit:?}");
            assert_eq!(edit.write(&mut []), Err(injection));
        }
    }
}

#[test]
fn a_pushed_via_names_one_host() {
    let bytes = crlf(INVITE);
    let message = Message::parse(&bytes).unwrap();
    let size =
        |sent_by: &'static str| ForwardRequest::new(&message).via(Transport::Udp, sent_by.as_bytes(), b"x").size();
    for sent_by in ["p", "p.example.com:5070", "192.0.2.1", "[2001:db8::1]", "[::1]:65535"] {
        assert!(size(sent_by).is_ok(), "{sent_by}");
    }
    for sent_by in
        ["", "h;x=y", "h, SIP/2.0/UDP i", "h i", "h:", "h:65536", "h:1:2", "u@h", "::1", "[::1", "<h>", "\u{e9}"]
    {
        assert_eq!(size(sent_by), Err(ForwardError::Write(WriteError::Injection)), "{sent_by}");
    }
}

#[test]
fn a_message_that_becomes_too_large() {
    let mut bytes = crlf(&INVITE.replace("Content-Length: 27\n", ""));
    bytes.resize(MAX_MESSAGE, b'x');
    let message = Message::parse(&bytes).unwrap();
    let forward = ForwardRequest::new(&message);
    assert_eq!(forward.size(), Ok(MAX_MESSAGE));
    let error = forward.path(&[b"sip:p"]).size().unwrap_err();
    assert_eq!(
        (error, error.status()),
        (ForwardError::Write(WriteError::TooLarge { needed: MAX_MESSAGE + 15 }), Some(513))
    );
}

#[test]
fn a_pushed_via_can_be_stamped() {
    let bytes = crlf(INVITE);
    let message = Message::parse(&bytes).unwrap();
    let mut room = [0; 2000];
    let branch = b"0123456789abcdef.loop";
    let length = ForwardRequest::new(&message).via(Transport::Udp, b"p:5070", branch).write(&mut room).unwrap();
    assert!(stamp(&mut room[..length], Transport::Tls, Some(b"fedcba9876543210")));
    let sent = Message::parse(&room[..length]).unwrap();
    assert_eq!(sent.top_via().raw(), b"SIP/2.0/TLS p:5070;branch=z9hG4bKfedcba9876543210.loop;rport");
    assert_eq!(sent.vias().count(), 2);
}

#[test]
fn credentials_for_this_proxy_go_no_further() {
    let ours =
        "Proxy-Authorization: Digest username=\"bob\", realm=\"here\", nonce=\"1\", uri=\"sip:a\", response=\"2\"\n";
    let theirs = ours.replace("here", "there");
    let end = "Authorization: Digest username=\"bob\", realm=\"here\", nonce=\"1\", uri=\"sip:a\", response=\"2\"\n";
    for (rows, left) in [
        (ours.to_owned(), String::new()),
        (format!("{ours}{theirs}"), theirs.clone()),
        (format!("{theirs}{ours}{end}"), format!("{theirs}{end}")),
    ] {
        let [rows, left] = [rows, left].map(|rows| with(format!("X: 1\n{rows}").trim_end()));
        assert_eq!(
            forwarded(&rows, |forward| forward.consume_credentials(b"here")),
            forwarded(&left, |forward| forward)
        );
        assert_eq!(forwarded(&rows, |forward| forward.consume_credentials(b"")), forwarded(&rows, |forward| forward));
    }
}

#[test]
fn what_a_stranger_asserts_goes_no_further() {
    let asserted = "P-Asserted-Identity: \"Boss\" <sip:boss@example.com>\nX: 1\np-asserted-identity: <tel:+15551234>";
    let [rows, left] = [asserted, "X: 1"].map(with);
    assert_eq!(
        forwarded(&rows, |forward| forward.drop_asserted_identity().max_breadth(7)),
        forwarded(&left, |forward| forward.max_breadth(7))
    );
    assert_ne!(forwarded(&rows, |forward| forward), forwarded(&left, |forward| forward));
}
