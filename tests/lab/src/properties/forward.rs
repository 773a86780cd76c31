//! A proxy's edit: what comes out means what went in with the edits, and all that nobody asked to change is there octet by octet.
//!
//! Covers RFC 3261 §16.6 and §16.7 as far as they change the message. What a proxy decides is not covered.

use sip_core::message::{ForwardError, ForwardRequest, ForwardResponse, HeaderName, Message, WriteError};
use sip_core::transport::{Address, Transport};

/// A proxy's edits of a request, each there or not.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Where the request came from.
    pub source: Option<Address>,
    /// The branch of a Via that is pushed.
    pub via: Option<&'static str>,
    /// Another Request-URI.
    pub uri: Option<&'static str>,
    /// How many values of Route are taken away.
    pub popped: usize,
    /// Whether the last value of Route is.
    pub drop_last: bool,
    /// Values put before those of Route.
    pub pushed: Vec<&'static [u8]>,
    /// A value put behind those of Route.
    pub appended: Option<&'static str>,
    /// Values put before those of Record-Route.
    pub record_routes: Vec<&'static [u8]>,
    /// Values put before those of Path.
    pub paths: Vec<&'static [u8]>,
    /// Whether Content-Length is added where there is none.
    pub length: bool,
}

impl Edits {
    /// The edits of this message.
    #[must_use]
    pub fn of<'a>(&'a self, message: &'a Message<'a>) -> ForwardRequest<'a> {
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
    #[must_use]
    pub fn fault(&self, message: &Message<'_>) -> Option<ForwardError> {
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
    compare_vias(message, edits, sent);
    // Max-Forwards.
    let hops = message.max_forwards().map_or(70, |hops| hops.unwrap() - 1);
    assert_eq!(sent.max_forwards(), Some(Ok(hops)));
    compare_routes(message, edits, sent);
}

fn compare_vias(message: &Message<'_>, edits: &Edits, sent: &Message<'_>) {
    let (before, after) = (rows(message), rows(sent));
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
}

fn compare_routes(message: &Message<'_>, edits: &Edits, sent: &Message<'_>) {
    let (before, after) = (rows(message), rows(sent));
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

/// What holds of a message that is passed on with these edits: it has them, and all that nobody asked to change octet by octet.
/// It is written into every buffer size if asked, else into those that are nearly large enough.
///
/// # Panics
/// When it does not hold.
pub fn forward(message: &Message<'_>, edits: &Edits, every_size: bool) {
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

/// What holds of a response on which a Via was pushed: without that it is the same again, octet by octet. It is written into every
/// buffer size if asked, else into those that are nearly large enough.
///
/// # Panics
/// When it does not hold.
pub fn forward_back(message: &Message<'_>, every_size: bool) {
    let hop = b"Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bKmine;rport\r\n";
    let line = message.bytes().windows(2).position(|octets| octets == b"\r\n").unwrap() + 2;
    let (start, rest) = message.bytes().split_at(line);
    let came = [start, hop, rest].concat();
    let came = Message::parse(&came).unwrap();
    let forward = ForwardResponse::new(&came);
    let needed = forward.size().unwrap();
    let smallest = if every_size { 0 } else { needed.saturating_sub(3) };
    let mut room = vec![0; needed];
    for size in smallest..needed {
        assert_eq!(forward.write(&mut room[..size]), Err(ForwardError::Write(WriteError::Full { needed })));
    }
    assert_eq!(forward.write(&mut room), Ok(needed));
    assert_eq!(room, message.bytes());
    assert_eq!(forward.remaining_via(), Some(Ok(message.top_via())));
}
