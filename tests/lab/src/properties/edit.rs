//! Messages made of other messages: each can be parsed, has what was asked for, and has the rest as it was.

use super::{shown, written};
use sip_core::message::{
    HeaderName, Kept, Message, Method, Resend, Via, Writer, ack, cancel, reason_phrase, resend, response_head, stamp,
};
use sip_core::random::Token;
use sip_core::transport::{Address, Transport};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// Where the request came from.
    pub source: Address,
    /// The status of the answer, 100 to 699.
    pub status: u16,
    /// What branches and tags are made of.
    pub number: u64,
    /// The number of CSeq when the request is sent again.
    pub cseq: u32,
}

/// What holds of the messages that are made of a request: its answer, its ACK and CANCEL, and the request sent again.
///
/// # Panics
/// When it does not hold.
pub fn edit(datagram: &[u8], edit: &Edit) {
    stamped(edit);
    let Ok(message) = Message::parse(datagram) else { return };
    if !message.is_request() {
        return;
    }
    let answer = answered(&message, edit);
    if let Some(answer) = answer {
        acknowledged(&message, &parsed(&answer));
    }
    cancelled(&message);
    sent_again(&message, edit);
}

fn parsed(octets: &[u8]) -> Message<'_> {
    let message = Message::parse(octets)
        .unwrap_or_else(|failure| panic!("{:?} in what was written: {}", failure.error(), shown(octets)));
    assert_eq!(message.bytes(), octets, "not all of it is the message");
    message
}

/// The values of all rows of a name.
fn rows<'a>(message: &Message<'a>, name: HeaderName<'static>) -> Vec<&'a [u8]> {
    message.header_rows(name).collect()
}

/// The Vias that can be read, as they are written.
fn vias<'a>(message: &Message<'a>) -> Vec<&'a [u8]> {
    message.vias().flatten().map(|via| via.raw()).collect()
}

fn answered(request: &Message<'_>, edit: &Edit) -> Option<Vec<u8>> {
    let tag = format!("t{:x}", edit.number);
    let octets = written(|w| {
        w.status_line(edit.status, reason_phrase(edit.status).as_bytes());
        response_head(w, request, edit.source, Some(tag.as_bytes()));
        w.finish_without_body();
    });
    let Some(octets) = octets else {
        assert!(request.bytes().len() > 32_000, "no room for an answer");
        return None;
    };
    let answer = parsed(&octets);
    assert_eq!((answer.status(), answer.cseq()), (Some(edit.status), request.cseq()));
    assert_eq!((answer.from().raw(), answer.call_id()), (request.from().raw(), request.call_id()));
    assert_eq!(
        (answer.to().raw_uri(), answer.to().display_name()),
        (request.to().raw_uri(), request.to().display_name())
    );
    assert_eq!(answer.to_tag(), Some(request.to_tag().unwrap_or(tag.as_bytes())));
    assert_eq!(rows(&answer, HeaderName::RecordRoute), rows(request, HeaderName::RecordRoute));
    // RFC 3261 §8.2.6.2: every Via, in order; §18.2.1 and RFC 3581 §4: where the request came from.
    assert_eq!(rows(&answer, HeaderName::Via).len(), rows(request, HeaderName::Via).len());
    assert_eq!(vias(&answer).get(1..), vias(request).get(1..), "Vias below the first one were changed");
    let (above, below): (Via<'_>, Via<'_>) = (answer.top_via(), request.top_via());
    assert_eq!((above.transport(), above.host(), above.port()), (below.transport(), below.host(), below.port()));
    assert_eq!(above.branch(), below.branch());
    if below.needs_received(edit.source) {
        assert_eq!(above.received_ip(), edit.source.ip());
        // Whichever another parser takes, it is not the sender's.
        let told = above.received();
        assert!(above.params().filter(|param| param.is(b"received")).all(|param| param.value == told));
    }
    match below.rport() {
        Some(None) if edit.source.ip().is_some() => assert_eq!(above.rport(), Some(Some(edit.source.port()))),
        other => assert_eq!(above.rport(), other),
    }
    Some(octets)
}

/// RFC 3261 §17.1.1.3.
fn acknowledged(request: &Message<'_>, answer: &Message<'_>) {
    let Some(octets) = written(|w| ack(w, &Kept::from(request), answer)) else {
        return assert!(request.bytes().len() > 32_000, "no room for an ACK");
    };
    let found = parsed(&octets);
    of_the_same_transaction(&found, request, Method::Ack);
    assert_eq!((found.to().raw(), found.cseq().number), (answer.to().raw(), request.cseq().number));
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        assert_eq!(rows(&found, name), rows(request, name));
    }
}

/// RFC 3261 §9.1.
fn cancelled(request: &Message<'_>) {
    const REASON: &[u8] = b"SIP;cause=200";
    let Some(octets) = written(|w| cancel(w, &Kept::from(request), |w| w.header(HeaderName::Reason, REASON))) else {
        return assert!(request.bytes().len() > 32_000, "no room for a CANCEL");
    };
    let found = parsed(&octets);
    of_the_same_transaction(&found, request, Method::Cancel);
    assert_eq!((found.to().raw(), found.cseq().number), (request.to().raw(), request.cseq().number));
    assert_eq!(rows(&found, HeaderName::Reason), [REASON]);
}

fn of_the_same_transaction(found: &Message<'_>, request: &Message<'_>, method: Method<'_>) {
    assert_eq!((found.method(), found.request_uri()), (method, request.request_uri()));
    assert_eq!((found.from().raw(), found.call_id()), (request.from().raw(), request.call_id()));
    assert_eq!(vias(found), [request.top_via().raw()], "not the top Via alone");
    assert_eq!(rows(found, HeaderName::Route), rows(request, HeaderName::Route));
    assert_eq!((found.max_forwards(), found.body()), (Some(Ok(70)), &b""[..]));
}

/// RFC 3261 §8.1.3.5.
fn sent_again(request: &Message<'_>, edit: &Edit) {
    const ADDED: HeaderName<'_> = HeaderName::Other(b"X-Added");
    let branch = format!("{:x}", edit.number);
    let change = Resend { branch: branch.as_bytes(), cseq: edit.cseq, drop: &[HeaderName::Authorization, ADDED] };
    let Some(octets) = written(|w| resend(w, &Kept::from(request), &change, |w| w.header(ADDED, b"1"))) else {
        return assert!(request.bytes().len() > 32_000, "no room for the request again");
    };
    let found = parsed(&octets);
    assert_eq!((found.method(), found.request_uri()), (request.method(), request.request_uri()));
    assert_eq!((found.body(), found.cseq().number), (request.body(), edit.cseq));
    assert_eq!(found.top_via().branch(), Some([b"z9hG4bK", branch.as_bytes()].concat().as_slice()));
    assert_eq!(vias(&found).get(1..), vias(request).get(1..), "Vias below the first one were changed");
    assert_eq!((rows(&found, HeaderName::Authorization).len(), rows(&found, ADDED)), (0, vec![&b"1"[..]]));
    let changed = [HeaderName::Via, HeaderName::CSeq, HeaderName::Authorization, ADDED];
    let others = |message: &Message<'_>| -> Vec<Vec<u8>> {
        let kept = message.headers().filter(|header| !changed.contains(&header.name));
        kept.map(|header| [header.name.as_bytes(), b":", header.value].concat()).collect()
    };
    assert_eq!(others(&found), others(request));
}

/// A request of ours whose flow changes.
fn stamped(edit: &Edit) {
    let write = |w: &mut Writer<'_>| {
        w.request_line(Method::Options, b"sip:a@example.com");
        w.via(Transport::Udp, b"192.0.2.1", Token::new(edit.number));
        w.header(HeaderName::From, b"<sip:a@example.com>;tag=1");
        w.header(HeaderName::To, b"<sip:a@example.com>");
        w.header(HeaderName::CallId, b"1");
        w.header_fmt(HeaderName::CSeq, format_args!("{} OPTIONS", edit.cseq));
        w.finish_without_body();
    };
    let mut octets = written(write).expect("a short request");
    let length = octets.len();
    let branch: [u8; 16] = Token::new(!edit.number).as_bytes().try_into().expect("sixteen digits");
    for transport in [Transport::Tls, Transport::Tcp, Transport::Udp] {
        assert!(stamp(&mut octets, transport, Some(&branch)));
        let found = parsed(&octets);
        assert_eq!((found.top_via().transport(), octets.len()), (transport.name().as_bytes(), length));
        assert_eq!(found.top_via().branch(), Some([b"z9hG4bK", &branch[..]].concat().as_slice()));
    }
}
