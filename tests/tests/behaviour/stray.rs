//! What strangers send to a waiting phone, and the answer to each.
//!
//! Covers RFC 3261 §8.1.3.3, §8.2 (its checks, in order), §8.2.2.2 (482), §8.2.7 (one To tag for repetitions), §9.2, §11.2,
//! §12.2.2, §15.1.2, §21.4, §21.5, and the headers that the application adds. Whole malformed messages (RFC 4475, 5118) are in
//! torture.rs, lack of room in capacity.rs.

use sip_core::error::Error;
use sip_core::message::{Header, HeaderName, Method};
use sip_core::ua::{Body, Config, Content, Event};
use sip_testkit::{ANSWER, Heard, NodeId, OFFER, Phones, Wire};

fn phone(seed: u64, methods: &'static str) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let change = |config: &mut Config<'_>| {
        config.methods = methods;
        config.supported = "replaces, path";
        config.user_agent = "phone/1";
    };
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    (phones, alice, Wire::new("192.0.2.9:5060"))
}

/// Sends one request outside of a dialog and gives what came back.
fn ask(phones: &mut Phones, alice: NodeId, wire: &mut Wire, method: &str, rows: &str, body: &[u8]) -> Vec<Heard> {
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let request = wire.request(&mut leg, method, rows, body);
    wire.send(phones, alice, &request);
    wire.hear(phones)
}

fn status(heard: &[Heard]) -> String {
    assert_eq!(heard.len(), 1, "one answer");
    heard[0].kind()
}

#[test]
fn options_tells_what_the_phone_can_in_and_out_of_a_call() {
    let (mut phones, alice, mut wire) = phone(1, "INFO, PAINT");
    let heard = ask(&mut phones, alice, &mut wire, "OPTIONS", "", b"");
    assert_eq!(status(&heard), "200");
    let ok = &heard[0];
    assert_eq!(ok.header("Allow"), "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PAINT");
    assert_eq!(ok.header("Accept"), "application/sdp");
    assert_eq!(ok.header("Supported"), "timer, replaces, path");
    assert_eq!((ok.header("Server").as_str(), ok.header("Content-Length").as_str()), ("phone/1", "0"));
    assert!(!ok.to_tag().is_empty());
    let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let call = phones.incoming(alice);
    let options = wire.request(&mut leg, "OPTIONS", "", b"");
    wire.send(&mut phones, alice, &options);
    assert_eq!(wire.expect(&phones, "200").header("To"), leg.remote);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
}

#[test]
fn configured_methods_go_to_the_application_others_are_refused() {
    for (method, configured) in
        [("MESSAGE", true), ("INFO", true), ("PAINT", true), ("MESSAGE", false), ("INFO", false)]
    {
        let (mut phones, alice, mut wire) = phone(2, if configured { "INFO, MESSAGE,PAINT" } else { "" });
        let heard = ask(&mut phones, alice, &mut wire, method, "", b"");
        if !configured {
            assert_eq!(status(&heard), "405");
            assert_eq!(heard[0].header("Allow"), "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE");
            assert_eq!(phones.events(alice), []);
            continue;
        }
        assert!(heard.is_empty());
        let Some(Event::Request { request, call: None }) = phones.last(alice) else { panic!("not handed over") };
        let header = [Header { name: HeaderName::Other(b"X-Color"), value: b"blue" }];
        let body = Some(Body { content_type: "text/plain", bytes: b"hi" });
        let content = Content { headers: &header, body };
        phones.act(alice, |phone, now| phone.respond(now, request, 202, &content)).unwrap();
        let answer = wire.expect(&phones, "202");
        assert_eq!((answer.header("X-Color").as_str(), answer.header("Content-Type").as_str()), ("blue", "text/plain"));
        assert_eq!((answer.body(), answer.header("Server")), (b"hi".to_vec(), "phone/1".to_owned()));
        let again = phones.act(alice, |phone, now| phone.respond(now, request, 200, &Content::NONE));
        assert_eq!(again, Err(Error::State));
        phones.settle();
        let late = phones.act(alice, |phone, now| phone.respond(now, request, 200, &Content::NONE));
        assert_eq!(late, Err(Error::Gone));
    }
}

#[test]
fn a_request_that_the_application_forgets_is_forgotten() {
    let (mut phones, alice, mut wire) = phone(3, "MESSAGE");
    assert!(ask(&mut phones, alice, &mut wire, "MESSAGE", "", b"").is_empty());
    phones.settle();
    let Some(Event::Request { request, .. }) = phones.last(alice) else { panic!("not handed over") };
    let late = phones.act(alice, |phone, now| phone.respond(now, request, 200, &Content::NONE));
    assert_eq!(late, Err(Error::Gone));
}

#[test]
fn unknown_methods_get_501_and_known_ones_405() {
    let (mut phones, alice, mut wire) = phone(4, "");
    for (method, expected) in
        [("FROBNICATE", "501"), ("invite", "501"), ("REGISTER", "405"), ("SUBSCRIBE", "405"), ("PRACK", "405")]
    {
        let heard = ask(&mut phones, alice, &mut wire, method, "", b"");
        assert_eq!(status(&heard), expected, "{method}");
        assert!(!heard[0].header("Allow").is_empty());
    }
    assert_eq!(phones.events(alice), []);
    phones.settle();
}

#[test]
fn requests_inside_a_dialog_that_is_not_there_get_481() {
    let (mut phones, alice, mut wire) = phone(5, "INFO");
    for method in ["BYE", "INVITE", "INFO", "OPTIONS"] {
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        leg.remote = "<sip:alice@192.0.2.1>;tag=gone".into();
        let contact = wire.contact();
        let request = wire.request(&mut leg, method, &contact, b"");
        wire.send(&mut phones, alice, &request);
        let refused = wire.expect(&phones, "481");
        assert_eq!(refused.to_tag(), "gone");
    }
    assert_eq!(status(&ask(&mut phones, alice, &mut wire, "BYE", "", b"")), "481");
    assert_eq!(status(&ask(&mut phones, alice, &mut wire, "CANCEL", "", b"")), "481");
    assert_eq!(phones.events(alice), []);
    phones.settle();
}

#[test]
fn stray_acks_and_responses_are_dropped() {
    let (mut phones, alice, mut wire) = phone(6, "");
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    leg.remote = "<sip:alice@192.0.2.1>;tag=gone".into();
    let ack = wire.request(&mut leg, "ACK", "", b"");
    wire.send(&mut phones, alice, &ack);
    let via = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK0123456789abcdef\r\n";
    let tail =
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    for status in [100, 180, 200, 404] {
        wire.send(&mut phones, alice, format!("SIP/2.0 {status} X\r\n{via}{tail}").as_bytes());
    }
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice), []);
    assert_eq!(phones.world.role(alice).statistics().strays, 5);
    phones.settle();
}

#[test]
fn a_response_with_two_vias_is_dropped() {
    let (mut phones, alice, mut wire) = phone(7, "");
    phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    for rows in ["Via: SIP/2.0/UDP 192.0.2.44;branch=z9hG4bK-x\r\n", "v: SIP/2.0/UDP 192.0.2.44\r\n"] {
        wire.send(&mut phones, alice, &invite.response(200, "x", &format!("{}{rows}", wire.contact()), ANSWER));
    }
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice), []);
    assert_eq!(phones.world.role(alice).statistics().strays, 2);
}

#[test]
fn a_response_to_a_compact_via_is_taken() {
    let (mut phones, alice, mut wire) = phone(8, "");
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    let text = String::from_utf8(invite.response(180, "x", "", b"")).unwrap();
    let compact = text.replace("Via:", "v:").replace("From:", "f:").replace("To:", "t:").replace("Call-ID:", "i:");
    wire.send(&mut phones, alice, compact.as_bytes());
    assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 180, .. }) if of == call));
}

#[test]
fn what_the_phone_does_not_support_is_named() {
    let (mut phones, alice, mut wire) = phone(9, "");
    let rows = format!("{}Require: 100rel, path\r\nRequire: foo\r\n", wire.contact());
    let heard = ask(&mut phones, alice, &mut wire, "INVITE", &rows, OFFER);
    assert_eq!(status(&heard), "420");
    assert_eq!(heard[0].header("Unsupported"), "100rel, foo");
    // Option tags are tokens: any case (§7.3.1).
    let rows = format!("{}Require: PATH\r\n", wire.contact());
    assert!(ask(&mut phones, alice, &mut wire, "INVITE", &rows, OFFER).is_empty());
    assert!(matches!(phones.last(alice), Some(Event::Incoming { .. })));
    // ACK and CANCEL are never refused for it (§8.2.2.3).
    let heard = ask(&mut phones, alice, &mut wire, "CANCEL", "Require: foo\r\n", b"");
    assert_eq!(status(&heard), "481");
}

#[test]
fn bodies_and_schemes_that_can_not_be_read_are_refused() {
    let (mut phones, alice, mut wire) = phone(10, "");
    let contact = wire.contact();
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let invite = String::from_utf8(wire.request(&mut leg, "INVITE", &contact, b"xx")).unwrap();
    let invite = invite.replace("application/sdp", "text/plain");
    wire.send(&mut phones, alice, invite.as_bytes());
    let refused = wire.expect(&phones, "415");
    assert_eq!(
        (refused.header("Accept").as_str(), refused.header("Accept-Encoding").as_str()),
        ("application/sdp", "identity")
    );
    let heard = ask(&mut phones, alice, &mut wire, "INVITE", &format!("{contact}Content-Encoding: gzip\r\n"), OFFER);
    assert_eq!(status(&heard), "415");
    let heard = ask(&mut phones, alice, &mut wire, "INVITE", &format!("{contact}Accept: text/plain\r\n"), OFFER);
    assert_eq!(status(&heard), "406");
    for scheme in ["nosuch:alice", "http://192.0.2.1/"] {
        let mut leg = wire.leg(scheme);
        leg.remote = "<sip:alice@192.0.2.1>".into();
        let options = wire.request(&mut leg, "OPTIONS", "", b"");
        wire.send(&mut phones, alice, &options);
        wire.expect(&phones, "416");
    }
    assert_eq!(phones.events(alice), []);
    // A body that may be ignored is, and any wildcard that takes an answer will do.
    let optional =
        format!("{contact}Content-Disposition: render ; handling=optional\r\nAccept: application/*, text/plain\r\n");
    let invite = wire.request(&mut wire.clone().leg("sip:alice@192.0.2.1"), "INVITE", &optional, b"xx");
    let invite = String::from_utf8(invite).unwrap().replace("application/sdp", "text/plain");
    wire.send(&mut phones, alice, invite.as_bytes());
    assert!(matches!(phones.last(alice), Some(Event::Incoming { .. })));
}

#[test]
fn the_same_request_by_two_ways_gets_482() {
    let (mut phones, alice, mut wire) = phone(11, "MESSAGE");
    for method in ["INVITE", "MESSAGE"] {
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let contact = wire.contact();
        let first = wire.request(&mut leg, method, &contact, b"");
        let branch = wire.branch();
        let second = wire.request_as(&leg, method, &branch, &contact, b"");
        let before = phones.events(alice).len();
        wire.send(&mut phones, alice, &first);
        wire.send(&mut phones, alice, &second);
        wire.expect(&phones, "482");
        assert_eq!(phones.events(alice).len(), before + 1);
    }
}

#[test]
fn versions_and_malformed_messages_are_answered_as_far_as_they_can_be_read() {
    let (mut phones, alice, mut wire) = phone(12, "");
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let options = String::from_utf8(wire.request(&mut leg, "OPTIONS", "", b"")).unwrap();
    for (from, to, expected) in [
        ("SIP/2.0\r\n", "SIP/3.0\r\n", "505"),
        ("CSeq: 1 OPTIONS", "CSeq: 1 MESSAGE", "400"),
        ("CSeq: 1 OPTIONS", "CSeq: x OPTIONS", "400"),
        ("Call-ID", "X-Call-ID", "400"),
        ("From:", "X-From:", "400"),
        ("Content-Length: 0", "Content-Length: 10", "400"),
        ("Content-Length: 0", "Content-Length: -1", "400"),
        ("To: ", "To: <sip:second@b>\r\nTo: ", "400"),
    ] {
        wire.send(&mut phones, alice, options.replacen(from, to, 1).as_bytes());
        let heard = wire.hear(&phones);
        assert_eq!(heard.len(), 1, "{to}");
        assert!(heard[0].text().starts_with(&format!("SIP/2.0 {expected} ")), "{to}\n{}", heard[0].text());
    }
    // An ACK and a response are never answered, and nor is what has no Via to answer to.
    for (from, to) in
        [("OPTIONS sip", "ACK sip"), ("OPTIONS sip:alice@192.0.2.1 SIP/2.0", "SIP/2.0 200 OK"), ("Via", "X-Via")]
    {
        let text = options.replace("CSeq: 1 OPTIONS", "CSeq: x").replacen(from, to, 1);
        wire.send(&mut phones, alice, text.as_bytes());
        wire.expect_nothing(&phones);
    }
    assert_eq!(phones.events(alice), []);
    assert_eq!(phones.world.role(alice).statistics().malformed, 11);
    phones.settle();
}

#[test]
fn repetitions_of_a_request_answered_statelessly_get_one_to_tag() {
    let (mut phones, alice, mut wire) = phone(13, "");
    let mut tags = Vec::new();
    for method in ["OPTIONS", "REGISTER", "BYE", "FROB"] {
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let request = wire.request(&mut leg, method, "", b"");
        for _ in 0..3 {
            wire.send(&mut phones, alice, &request);
            phones.wait(500);
        }
        let heard = wire.hear(&phones);
        assert_eq!(heard.len(), 3);
        assert!(heard.iter().all(|again| again.bytes == heard[0].bytes));
        tags.push(heard[0].to_tag());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "other requests have other tags");
}

#[test]
fn responses_go_where_the_via_says() {
    let (mut phones, alice, mut wire) = phone(14, "");
    let request = |via: &str| {
        format!(
            "OPTIONS sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
             Call-ID: {via}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    // Without rport to the port of sent-by at the source address, with it to the source port (§18.2.2, RFC 3581 §4).
    let mut other = Wire::new("192.0.2.9:5088");
    wire.send(&mut phones, alice, request("elsewhere.example.com:5088;branch=z9hG4bK-1").as_bytes());
    assert!(other.expect(&phones, "200").header("Via").contains("received=192.0.2.9"));
    wire.send(&mut phones, alice, request("elsewhere.example.com:5088;branch=z9hG4bK-2;rport").as_bytes());
    let via = wire.expect(&phones, "200").header("Via");
    assert!(via.contains("rport=5060") && via.contains("received=192.0.2.9"), "{via}");
}

#[test]
fn headers_of_the_application_are_in_requests_and_responses() {
    let (mut phones, alice, mut wire) = phone(15, "");
    let headers = [
        Header { name: HeaderName::Subject, value: b"lunch" },
        Header { name: HeaderName::Other(b"X-Trace"), value: b"1, 2" },
    ];
    let content = Content::sdp(OFFER).with_headers(&headers);
    let call = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &content)).unwrap();
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!((invite.header("Subject").as_str(), invite.header("X-Trace").as_str()), ("lunch", "1, 2"));
    wire.accept(&mut phones, alice, &invite, "x", ANSWER);
    wire.expect(&phones, "ACK");
    phones.act(alice, |phone, now| phone.request_in_call(now, call, Method::Info, &content)).unwrap();
    let info = wire.expect(&phones, "INFO");
    assert_eq!((info.header("X-Trace").as_str(), info.body()), ("1, 2", OFFER.to_vec()));
    let mut leg = wire.leg_of(&invite, "x");
    let contact = wire.contact();
    let again = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &again);
    phones.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER).with_headers(&headers))).unwrap();
    assert_eq!(wire.expect(&phones, "200").header("Subject"), "lunch");
    let reason = [Header { name: HeaderName::Other(b"Reason"), value: b"SIP;cause=200" }];
    phones.act(alice, |phone, now| phone.hang_up_with(now, call, &reason)).unwrap();
    assert_eq!(wire.expect(&phones, "BYE").header("Reason"), "SIP;cause=200");
}

#[test]
fn headers_of_the_core_and_line_ends_are_refused() {
    let (mut phones, alice, mut wire) = phone(16, "MESSAGE");
    let before = phones.world.role(alice).occupancy();
    let long = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Content-Length",
        "Route",
        "Record-Route",
        "Max-Forwards",
        "Content-Type",
    ];
    let compact = ["v", "f", "t", "i", "l", "c"];
    let known =
        [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::Route];
    let names = long.iter().chain(&compact).map(|name| HeaderName::Other(name.as_bytes())).chain(known);
    let ok = HeaderName::Other(b"X-Ok");
    let bad: Vec<Header<'_>> = names
        .map(|name| Header { name, value: b"1" })
        .chain([
            Header { name: ok, value: b"a\r\nX-Evil: 1" },
            Header { name: ok, value: b"a\nb" },
            Header { name: ok, value: b"a\rb" },
            Header { name: HeaderName::Other(b"X-A: 1\r\nX-B"), value: b"1" },
            Header { name: HeaderName::Other(b""), value: b"1" },
            Header { name: HeaderName::Other(b"a b"), value: b"1" },
        ])
        .collect();
    for header in &bad {
        let content = Content::NONE.with_headers(core::slice::from_ref(header));
        let call = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &content));
        assert!(matches!(call, Err(Error::Invalid(_))), "{header:?}: {call:?}");
        let message = Method::parse(b"MESSAGE").unwrap();
        let request = phones.act(alice, |phone, now| phone.request(now, message, "sip:wire@192.0.2.9", &content));
        assert!(matches!(request, Err(Error::Invalid(_))), "{header:?}: {request:?}");
    }
    let body = Some(Body { content_type: "text/plain\r\nX-Evil: 1", bytes: b"x" });
    let call =
        phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &Content { headers: &[], body }));
    assert!(matches!(call, Err(Error::Invalid(_))));
    for method in ["INVITE", "ACK", "BYE", "CANCEL", "REGISTER"] {
        let method = Method::parse(method.as_bytes()).unwrap();
        let request = phones.act(alice, |phone, now| phone.request(now, method, "sip:wire@192.0.2.9", &Content::NONE));
        assert!(matches!(request, Err(Error::Invalid(_))));
    }
    for target in ["", "wire", "sip:", "sip:a@b?h=1", "tel:+1", "sip:a@b\r\nX: 1", "<sip:a@b>"] {
        let call = phones.act(alice, |phone, now| phone.call(now, target, "", &Content::NONE));
        assert!(matches!(call, Err(Error::Invalid(_))), "{target}");
    }
    for from in ["a b", "<sip:a@b>;tag=1", "sip:a@b\r\nX: 1", "\"a\r\n\" <sip:a@b>"] {
        let call = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", from, &Content::NONE));
        assert!(matches!(call, Err(Error::Invalid(_))), "{from}");
    }
    wire.expect_nothing(&phones);
    assert_eq!(phones.world.role(alice).occupancy(), before);
    phones.settle();
}
