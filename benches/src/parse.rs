//! Parsing, with nothing looked at and with everything looked at.

use core::hint::black_box;
use sip_core::message::{MediaType, Message, NameAddr, Uri, Via};

/// Parses a message: start line, header names, offsets, and the five headers that every layer needs.
///
/// # Panics
/// When it does not parse.
#[must_use]
pub fn parse_lazy(bytes: &[u8]) -> usize {
    let parsed = Message::parse(black_box(bytes));
    let message = parsed.as_ref().expect("a message");
    black_box(message);
    message.body().len()
}

/// Parses a message and decodes into their parts the start line and every Via, From, To, Contact, CSeq, Record-Route,
/// Max-Forwards, Content-Type, Content-Length, Allow and Authorization.
///
/// This is what "typed" means wherever a figure is named so. Of a URI it gives scheme, user, password, host, port, header
/// components, and the name and value of each parameter; of a header value the name and value of each parameter, and those
/// that the grammar knows as what they are (tag, branch, received, rport, expires, q); numbers as numbers, methods and
/// algorithms as ids. Each is asked for and given to a black box, so that none can be left out.
///
/// # Panics
/// When one of them does not parse.
#[must_use]
pub fn parse_typed(bytes: &[u8]) -> usize {
    let parsed = Message::parse(black_box(bytes));
    let message = parsed.as_ref().expect("a message");
    if let Some(status) = message.status() {
        black_box(status);
        black_box(message.reason());
    } else {
        black_box(message.method());
        see_uri(&message.uri().expect("a request's URI"));
    }
    black_box(message.call_id());
    black_box(message.cseq());
    see_address(&message.from());
    see_address(&message.to());
    for via in message.vias() {
        see_via(&via.expect("a Via"));
    }
    for contact in message.contacts() {
        let contact = contact.expect("a Contact");
        see_address(&contact);
        black_box(contact.expires());
        black_box(contact.q());
    }
    for route in message.record_routes() {
        see_address(&route.expect("a Record-Route"));
    }
    if let Some(hops) = message.max_forwards() {
        black_box(hops.expect("a number"));
    }
    if let Some(kind) = message.content_type() {
        see_media_type(&kind);
    }
    black_box(message.content_length());
    for method in message.allow() {
        black_box(method);
    }
    for credentials in message.credentials() {
        // Its parts are its fields: to see it is to see them.
        black_box(&credentials);
    }
    black_box(message);
    message.body().len()
}

fn see_uri(uri: &Uri<'_>) {
    black_box(uri.scheme());
    black_box(uri.user());
    black_box(uri.password());
    black_box(uri.host());
    black_box(uri.port());
    black_box(uri.headers());
    for param in uri.params() {
        black_box(&param);
    }
}

fn see_address(address: &NameAddr<'_>) {
    black_box(address.display_name());
    see_uri(&address.uri().expect("a URI"));
    black_box(address.tag());
    for param in address.params() {
        black_box(&param);
    }
}

fn see_via(via: &Via<'_>) {
    black_box(via.transport());
    black_box(via.host());
    black_box(via.port());
    black_box(via.branch());
    black_box(via.received());
    black_box(via.rport());
    for param in via.params() {
        black_box(&param);
    }
}

fn see_media_type(kind: &MediaType<'_>) {
    black_box(kind.kind());
    black_box(kind.subtype());
    for param in kind.params() {
        black_box(&param);
    }
}
