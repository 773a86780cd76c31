//! A proxy's edit of every message of the corpus, and of messages made up: what comes out means what went in with the edits,
//! and all that nobody asked to change is there octet by octet.
//!
//! Covers RFC 3261 §16.6 and §16.7 as far as they change the message. What a proxy decides is not covered.

use core::net::Ipv4Addr;
use proptest::prelude::*;
use sip_core::message::{ForwardError, ForwardRequest, ForwardResponse, HeaderName, Message, WriteError};
use sip_core::transport::{Address, Transport};
use sip_testkit::corpus::{Sample, corpus};
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(corpus);

/// A set of edits, each there or not.
#[derive(Clone, Debug, Default)]
struct Edits {
    source: Option<Address>,
    via: Option<&'static str>,
    uri: Option<&'static str>,
    popped: usize,
    drop_last: bool,
    pushed: Vec<&'static [u8]>,
    appended: Option<&'static str>,
    record_routes: Vec<&'static [u8]>,
    paths: Vec<&'static [u8]>,
    length: bool,
}

const URIS: [&str; 4] =
    ["sip:p.example.com;lr", "sip:[2001:db8::1]:5070;transport=tcp;lr", "tel:+15550107", "sips:a,b;c@h;lr"];

impl Edits {
    fn of<'a>(&'a self, message: &'a Message<'a>) -> ForwardRequest<'a> {
        let mut forward = ForwardRequest::new(message)
            .pop_route(self.popped)
            .push_route(&self.pushed)
            .record_route(&self.record_routes)
            .path(&self.paths);
        if let Some(source) = self.source {
            forward = forward.received_from(source);
        }
        if let Some(branch) = self.via {
            forward = forward.via(Transport::Tls, b"proxy.example.com:5061", branch.as_bytes());
        }
        if let Some(uri) = self.uri {
            forward = forward.request_uri(uri.as_bytes());
        }
        if let Some(uri) = self.appended {
            forward = forward.append_route(uri.as_bytes());
        }
        if self.drop_last {
            forward = forward.drop_last_route();
        }
        if self.length { forward.content_length() } else { forward }
    }

    /// What is wrong with these edits of this message.
    fn fault(&self, message: &Message<'_>) -> Option<ForwardError> {
        let routes = message.values(HeaderName::Route).count();
        match message.max_forwards() {
            _ if !message.is_request() => Some(ForwardError::Kind),
            Some(Ok(0)) => Some(ForwardError::TooManyHops),
            Some(Err(_)) => Some(ForwardError::MaxForwards),
            _ if self.popped + usize::from(self.drop_last) > routes => Some(ForwardError::Route),
            _ => None,
        }
    }
}

/// The rows of a message as they are written, the start line first: found by a scan of its own.
fn rows(message: &Message<'_>) -> Vec<String> {
    let head = &message.bytes()[..message.head_len() - 2];
    let mut rows: Vec<String> = Vec::new();
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        let line: String = line.iter().copied().map(char::from).collect();
        match rows.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(&line),
            _ => rows.push(line),
        }
    }
    rows
}

/// The rows of these names, or all others.
fn of_names(rows: &[String], names: &[HeaderName<'_>], wanted: bool) -> Vec<String> {
    let named = |row: &&String| {
        let name = row.split(':').next().unwrap().trim();
        HeaderName::parse(name.as_bytes()).is_some_and(|name| names.contains(&name)) == wanted
    };
    rows.iter().skip(1).filter(named).cloned().collect()
}

fn values(message: &Message<'_>, name: HeaderName<'static>) -> Vec<Vec<u8>> {
    message.values(name).map(<[u8]>::to_vec).collect()
}

fn bracketed(uris: &[&[u8]]) -> Vec<Vec<u8>> {
    uris.iter().map(|uri| [b"<", *uri, b">"].concat()).collect()
}

/// Checks the message that was written against the one that came.
fn compare(message: &Message<'_>, edits: &Edits, sent: &Message<'_>) {
    let (before, after) = (rows(message), rows(sent));
    // The start line.
    let uri = edits.uri.map(str::as_bytes).or(message.request_uri());
    assert_eq!((sent.method(), sent.request_uri()), (message.method(), uri));
    if edits.uri.is_none() {
        assert_eq!(after[0], before[0]);
    }
    // Whatever is not edited, as it is written and in order.
    let edited =
        [HeaderName::Via, HeaderName::MaxForwards, HeaderName::Route, HeaderName::RecordRoute, HeaderName::Path];
    let mut kept = of_names(&before, &edited, false);
    if edits.length && message.content_length().is_none() {
        kept.push(format!("Content-Length: {}\r\n", message.body().len()));
    }
    assert_eq!(of_names(&after, &edited, false), kept);
    assert_eq!(sent.body(), message.body());
    // Rows that are only added to keep what they had.
    for (name, new) in [(HeaderName::RecordRoute, &edits.record_routes), (HeaderName::Path, &edits.paths)] {
        let (old, all) = (of_names(&before, &[name], true), of_names(&after, &[name], true));
        assert_eq!(all[new.len()..], old);
        assert_eq!(values(sent, name), [bracketed(new), values(message, name)].concat());
    }
    // Via.
    let (old, all) = (of_names(&before, &[HeaderName::Via], true), of_names(&after, &[HeaderName::Via], true));
    let added = usize::from(edits.via.is_some());
    assert_eq!(all[added + 1..], old[1..]);
    if let Some(branch) = edits.via {
        let branch = branch.trim_start_matches("z9hG4bK");
        assert_eq!(all[0], format!("Via: SIP/2.0/TLS proxy.example.com:5061;branch=z9hG4bK{branch};rport\r\n"));
    }
    let (came, goes) = (message.top_via(), sent.vias().nth(added).unwrap().unwrap());
    match edits.source.filter(|source| came.needs_received(*source)) {
        None => assert_eq!(all[added], old[0]),
        Some(source) => {
            assert_eq!(goes.received_ip(), source.ip());
            let rport = if came.rport() == Some(None) { Some(Some(source.port())) } else { came.rport() };
            assert_eq!((goes.rport(), goes.branch()), (rport, came.branch()));
            let others = |via: &sip_core::message::Via<'_>| -> Vec<_> {
                let told = |name: &[u8]| [&b"received"[..], b"rport"].iter().any(|one| name.eq_ignore_ascii_case(one));
                via.params()
                    .filter(|param| !told(param.name))
                    .map(|one| (one.name.to_vec(), one.value.map(<[u8]>::to_vec)))
                    .collect()
            };
            assert_eq!(others(&goes), others(&came));
        }
    }
    // Max-Forwards.
    let hops = message.max_forwards().map_or(70, |hops| hops.unwrap() - 1);
    assert_eq!(sent.max_forwards(), Some(Ok(hops)));
    // Route.
    let mut routes = values(message, HeaderName::Route);
    if edits.drop_last {
        routes.pop();
    }
    let appended: Vec<&[u8]> = edits.appended.iter().map(|uri| uri.as_bytes()).collect();
    let expected = [bracketed(&edits.pushed), routes.split_off(edits.popped), bracketed(&appended)].concat();
    assert_eq!(values(sent, HeaderName::Route), expected);
    if edits.popped == 0 && !edits.drop_last {
        let (old, all) = (of_names(&before, &[HeaderName::Route], true), of_names(&after, &[HeaderName::Route], true));
        assert_eq!(all[edits.pushed.len()..edits.pushed.len() + old.len()], old);
    }
}

/// Forwards a message, into every buffer size if asked, and compares.
fn check(message: &Message<'_>, edits: &Edits, every_size: bool) {
    let forward = edits.of(message);
    if let Some(fault) = edits.fault(message) {
        assert_eq!((forward.size(), forward.write(&mut [0; 65_535])), (Err(fault), Err(fault)));
        return;
    }
    let needed = forward.size().unwrap();
    let smallest = if every_size { 0 } else { needed.saturating_sub(3) };
    let mut room = vec![0; needed];
    for size in smallest..needed {
        assert_eq!(forward.write(&mut room[..size]), Err(ForwardError::Write(WriteError::Full { needed })));
    }
    assert_eq!(forward.write(&mut room), Ok(needed));
    let sent = Message::parse(&room).unwrap_or_else(|failure| panic!("{:?}", failure.error()));
    assert_eq!(sent.bytes().len(), needed);
    compare(message, edits, &sent);
}

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
        check(&Message::parse(&sample.octets).unwrap(), &edits, false);
    }

    #[test]
    fn a_made_up_request_with_any_edits(octets in request(), edits in edits()) {
        check(&Message::parse(&octets).unwrap(), &edits, octets.len() < 600);
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
            check(&message, &Edits::default(), true);
            check(&message, &everything(&message), true);
        }
    }
    assert!(requests > 200);
}

#[test]
fn a_via_that_was_pushed_onto_a_response_is_popped_again() {
    let hop = b"Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bKmine;rport\r\n";
    let mut responses = 0;
    for sample in SAMPLES.iter() {
        let message = Message::parse(&sample.octets).unwrap();
        if message.is_request() {
            continue;
        }
        responses += 1;
        let line = message.bytes().windows(2).position(|octets| octets == b"\r\n").unwrap() + 2;
        let (start, rest) = message.bytes().split_at(line);
        let came = [start, hop, rest].concat();
        let came = Message::parse(&came).unwrap();
        let forward = ForwardResponse::new(&came);
        let needed = forward.size().unwrap();
        for size in 0..needed {
            let full = Err(ForwardError::Write(WriteError::Full { needed }));
            assert_eq!(forward.write(&mut vec![0; size]), full);
        }
        let mut room = vec![0; needed];
        assert_eq!(forward.write(&mut room), Ok(needed));
        assert_eq!(room, message.bytes(), "{}", sample.title());
        assert_eq!(forward.remaining_via(), Some(Ok(message.top_via())));
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
