//! Parsing, with nothing looked at and with everything looked at.

use core::hint::black_box;
use sip_core::message::{CSeq, Credentials, MediaType, Message, Method, NameAddr, Param, Uri, Via};

/// Parses a message: start line, header names, offsets, and the five headers that every layer needs.
///
/// # Panics
/// When it does not parse.
#[must_use]
pub fn parse_lazy(bytes: &[u8]) -> usize {
    let message = Message::parse(black_box(bytes)).expect("a message");
    black_box(&message);
    message.body().len()
}

/// Parses a message and decodes into their parts the start line and every Via, From, To, Contact, CSeq, Record-Route,
/// Max-Forwards, Content-Type, Content-Length, Allow and Authorization.
///
/// This is what "typed" means wherever a figure is named so. Of a URI it gives scheme, user, password, host, port, header
/// components, and the name and value of each parameter; of a header value the name and value of each parameter, and those
/// that the grammar knows as what they are (tag, branch, received, rport, expires, q); numbers as numbers, methods and
/// algorithms as ids. Each is given to a black box, so that none can be left out.
///
/// # Panics
/// When one of them does not parse.
#[must_use]
pub fn parse_typed(bytes: &[u8]) -> usize {
    let message = Message::parse(black_box(bytes)).expect("a message");
    let mut seen = Seen(message.body().len());
    if let Some(status) = message.status() {
        seen.number(status);
        seen.octets(message.reason());
    } else {
        seen.method(message.method());
        seen.uri(&message.uri().expect("a request's URI"));
    }
    seen.octets(message.call_id());
    seen.cseq(message.cseq());
    seen.address(&message.from());
    seen.address(&message.to());
    for via in message.vias() {
        seen.via(&via.expect("a Via"));
    }
    for contact in message.contacts() {
        let contact = contact.expect("a Contact");
        seen.address(&contact);
        seen.number(contact.expires().unwrap_or(0));
        seen.number(contact.q().unwrap_or(0));
    }
    for route in message.record_routes() {
        seen.address(&route.expect("a Record-Route"));
    }
    if let Some(hops) = message.max_forwards() {
        seen.number(hops.expect("a number"));
    }
    if let Some(kind) = message.content_type() {
        seen.media_type(&kind);
    }
    if let Some(length) = message.content_length() {
        seen.0 += length;
    }
    for method in message.allow() {
        seen.method(method);
    }
    for credentials in message.credentials() {
        seen.credentials(&credentials);
    }
    black_box(&message);
    seen.0
}

struct Seen(usize);

impl Seen {
    fn number(&mut self, number: impl Into<u64>) {
        self.0 = self.0.wrapping_add(number.into() as usize);
    }

    fn octets(&mut self, octets: &[u8]) {
        black_box(octets);
        self.0 = self.0.wrapping_add(octets.len());
    }

    fn method(&mut self, method: Method<'_>) {
        black_box(method);
        self.0 = self.0.wrapping_add(1);
    }

    fn cseq(&mut self, cseq: CSeq<'_>) {
        self.number(cseq.number);
        self.method(cseq.method);
    }

    fn param(&mut self, param: &Param<'_>) {
        self.octets(param.name);
        self.octets(param.value.unwrap_or_default());
    }

    fn uri(&mut self, uri: &Uri<'_>) {
        black_box((uri.scheme(), uri.host()));
        self.octets(uri.user().unwrap_or_default());
        self.octets(uri.password().unwrap_or_default());
        self.octets(uri.headers());
        self.number(uri.port().unwrap_or(0));
        for param in uri.params() {
            self.param(&param);
        }
    }

    fn address(&mut self, address: &NameAddr<'_>) {
        self.octets(address.display_name());
        self.uri(&address.uri().expect("a URI"));
        self.octets(address.tag().unwrap_or_default());
        for param in address.params() {
            self.param(&param);
        }
    }

    fn via(&mut self, via: &Via<'_>) {
        black_box(via.host());
        self.octets(via.transport());
        self.number(via.port().unwrap_or(0));
        self.octets(via.branch().unwrap_or_default());
        self.octets(via.received().unwrap_or_default());
        self.number(via.rport().flatten().unwrap_or(0));
        for param in via.params() {
            self.param(&param);
        }
    }

    fn media_type(&mut self, kind: &MediaType<'_>) {
        self.octets(kind.kind());
        self.octets(kind.subtype());
        for param in kind.params() {
            self.param(&param);
        }
    }

    fn credentials(&mut self, credentials: &Credentials<'_>) {
        for octets in [
            credentials.scheme,
            credentials.username,
            credentials.realm,
            credentials.nonce,
            credentials.uri,
            credentials.response,
        ] {
            self.octets(octets);
        }
        for octets in [credentials.cnonce, credentials.opaque, credentials.qop, credentials.nc] {
            self.octets(octets.unwrap_or_default());
        }
        black_box(credentials.algorithm);
    }
}
