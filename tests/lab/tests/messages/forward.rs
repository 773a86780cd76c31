//! A proxy's edit of every message of the corpus, and of messages made up: what comes out means what went in with the edits,
//! and all that nobody asked to change is there octet by octet.
//!
//! Covers RFC 3261 §16.6 and §16.7 as far as they change the message. What a proxy decides is not covered.

use core::net::Ipv4Addr;
use proptest::prelude::*;
use sip_core::message::{ForwardError, ForwardRequest, ForwardResponse, HeaderName, Message};
use sip_core::transport::Address;
use sip_lab::corpus::{Sample, corpus};
use sip_lab::properties::{Edits, forward, forward_back};
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(corpus);

const URIS: [&str; 4] =
    ["sip:p.example.com;lr", "sip:[2001:db8::1]:5070;transport=tcp;lr", "tel:+15550107", "sips:a,b;c@h;lr"];

fn edits() -> impl Strategy<Value = Edits> {
    let uri = || prop::sample::select(URIS.to_vec());
    let uris = || prop::collection::vec(uri().prop_map(str::as_bytes), 0..3);
    let source = (any::<[u8; 4]>(), any::<u16>()).prop_map(|(octets, port)| Address::v4(Ipv4Addr::from(octets), port));
    let branch = prop::sample::select(vec!["0123456789abcdef", "z9hG4bKx", "a.b-c~d"]);
    let routes = (0..4_usize, prop::bool::weighted(0.3), uris(), prop::option::of(uri()));
    let first = (prop::option::of(source), prop::option::of(branch), prop::option::of(uri()), routes);
    (first, uris(), uris(), any::<bool>()).prop_map(|(first, record_routes, paths, length)| {
        let (source, via, uri, (popped, drop_last, pushed, appended)) = first;
        Edits { source, via, uri, popped, drop_last, pushed, appended, record_routes, paths, length }
    })
}

/// A request made of rows that matter to a proxy, in any order and layout.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let rows = prop::sample::select(vec![
        "Route: <sip:1;lr>",
        "route:<sip:2;lr>,\r\n <sip:3;lr>",
        "Route: \"a, <b>\" <sip:4,5>;x=\"y,\\\"z\" , sip:6;lr",
        "ROUTE \t:\r\n ,<sip:7>,,<sip:8>,  ",
        "Route:",
        "Route: broken, \"open",
        "Record-Route: <sip:9;lr>,<sip:10;lr>",
        "Path : <sip:11;lr>\r\n  ",
        "Max-Forwards: 17",
        "MAX-FORWARDS:\r\n\t0003 ",
        "Max-Forwards: 0",
        "Max-Forwards: many",
        "v: SIP/2.0/UDP a;rport , SIP/2.0/TCP b;rport",
        "Via: SIP/2.0/UDP 192.0.2.1;RPORT=;received=203.0.113.5;x=\"a;rport,\"",
        "Via:SIP / 2.0 / UDP\r\n [2001:db8::5] : 5070 ; branch = z9hG4bKq",
        "X-Unknown: \"\r\n ,;\\",
        "s:",
        "Content-Length: 4",
    ]);
    (prop::collection::vec(rows, 0..45), any::<bool>()).prop_map(|(rows, first)| {
        let mandatory = "Via: SIP/2.0/UDP h.example.com;branch=z9hG4bKm\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INFO\r\n";
        let rows: String = rows.iter().map(|row| format!("{row}\r\n")).collect();
        let (one, two) = if first { (mandatory, &rows[..]) } else { (&rows[..], mandatory) };
        format!("INFO sip:c@d SIP/2.0\r\n{one}{two}\r\nbody").into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_message_of_the_corpus_with_any_edits(place in any::<prop::sample::Index>(), edits in edits()) {
        let sample = &SAMPLES[place.index(SAMPLES.len())];
        forward(&Message::parse(&sample.octets).unwrap(), &edits, false);
    }

    #[test]
    fn a_made_up_request_with_any_edits(octets in request(), edits in edits()) {
        forward(&Message::parse(&octets).unwrap(), &edits, octets.len() < 600);
    }
}

/// All that can be done to a request at once, with as many Routes taken as it has.
fn everything(message: &Message<'_>) -> Edits {
    Edits {
        source: Some(Address::v4(Ipv4Addr::new(203, 0, 113, 99), 1024)),
        via: Some("0123456789abcdef"),
        uri: Some(URIS[2]),
        popped: message.values(HeaderName::Route).count().min(1),
        drop_last: message.values(HeaderName::Route).count() > 1,
        pushed: vec![b"sip:next;lr"],
        appended: Some(URIS[3]),
        record_routes: vec![b"sip:one;lr", b"sip:two;lr"],
        paths: vec![b"sip:path;lr"],
        length: true,
    }
}

#[test]
fn every_request_into_every_buffer_size() {
    let mut requests = 0;
    for sample in SAMPLES.iter() {
        let message = Message::parse(&sample.octets).unwrap();
        if message.is_request() {
            requests += 1;
            forward(&message, &Edits::default(), true);
            forward(&message, &everything(&message), true);
        }
    }
    assert!(requests > 200);
}

#[test]
fn a_via_that_was_pushed_onto_a_response_is_popped_again() {
    let mut responses = 0;
    for sample in SAMPLES.iter() {
        let message = Message::parse(&sample.octets).unwrap();
        if !message.is_request() {
            responses += 1;
            forward_back(&message, true);
        }
    }
    assert!(responses > 80);
}

#[test]
fn routes_that_were_pushed_are_popped_again() {
    let uris: [&[u8]; 3] = [b"sip:a;lr", b"sip:b,c;lr", b"tel:+1"];
    let write = |forward: ForwardRequest<'_>| {
        let mut room = vec![0; 65_535];
        forward.write(&mut room).map(|length| room[..length].to_vec())
    };
    let mut requests = 0;
    for sample in SAMPLES.iter() {
        let message = Message::parse(&sample.octets).unwrap();
        let Ok(once) = write(ForwardRequest::new(&message)) else { continue };
        let pushed = write(ForwardRequest::new(&message).push_route(&uris)).unwrap();
        let (once, pushed) = (Message::parse(&once).unwrap(), Message::parse(&pushed).unwrap());
        requests += 1;
        assert_eq!(
            write(ForwardRequest::new(&pushed).pop_route(uris.len())),
            write(ForwardRequest::new(&once)),
            "{}",
            sample.title()
        );
    }
    assert!(requests > 200);
}

#[test]
fn whatever_is_left_of_a_message_can_be_forwarded_or_is_refused_by_name() {
    let mut forwarded = 0;
    let mut room = vec![0; 65_535];
    for sample in SAMPLES.iter() {
        for cut in 0..=sample.octets.len() {
            let Ok(message) = Message::parse(&sample.octets[..cut]) else { continue };
            let result = everything(&message).of(&message).write(&mut room);
            assert_eq!(result.err(), everything(&message).fault(&message), "{} cut at {cut}", sample.title());
            forwarded += usize::from(result.is_ok());
            let result = ForwardResponse::new(&message).write(&mut room);
            assert_eq!(result == Err(ForwardError::Kind), message.is_request());
        }
    }
    assert!(forwarded > 200);
}
