//! Whole messages: what is read agrees with itself, survives being written again, and what is refused can be answered.

use super::said::{Said, each};
use super::{shown, written};
use sip_core::message::{
    Challenge, Credentials, Header, HeaderName, Malformed, Message, NameAddr, ParseError, Uri, UriParams, Via,
    WriteError, Writer, malformed_head, reason_phrase, unfold,
};
use sip_core::transport::Address;

/// A place that no message came from.
const ELSEWHERE: Address = Address::v4(core::net::Ipv4Addr::new(203, 0, 113, 9), 40_009);

/// What holds of a datagram.
///
/// A message that can be parsed: every view ends and agrees with every other one, and the message means the same after it was
/// written again. One that can't: the failure says where and why, and the answer to it breaks no framing and can be parsed
/// wherever what it copies can.
///
/// # Panics
/// When one of these does not hold.
pub fn message(datagram: &[u8]) {
    match Message::parse(datagram) {
        Ok(message) => {
            let said = read(&message);
            agrees(&message);
            for folds in [true, false] {
                let Some(again) = rewritten(&message, folds) else { continue };
                let parsed = Message::parse(&again)
                    .unwrap_or_else(|failure| panic!("{:?} in what was written: {}", failure.error(), shown(&again)));
                assert_eq!(read(&parsed), said, "written again it means something else");
                assert_eq!(rewritten(&parsed, folds).as_ref(), Some(&again), "writing again does not settle");
            }
        }
        Err(failure) => refused(datagram, &failure),
    }
}

/// Reads everything that a message has, by the accessors that the library offers; gives what it says.
///
/// # Panics
/// When an iterator gives more items than the message has octets.
#[must_use]
pub fn read(message: &Message<'_>) -> Said {
    let most = message.bytes().len() + 1;
    let mut said = Said::default();
    if let Some(request) = message.uri() {
        said.text("method", message.method().as_bytes());
        uri(&mut said, &request);
    }
    said.number("status", message.status());
    said.text("reason", message.reason());
    via(&mut said, &message.top_via());
    for (label, one) in [("from", message.from()), ("to", message.to())] {
        said.maybe(label, one.tag());
        address(&mut said, &one);
    }
    said.text("call-id", message.call_id());
    said.number("cseq", Some(message.cseq().number));
    said.text("cseq", message.cseq().method.as_bytes());
    each(message.headers(), most, |header| {
        said.text("header", header.name.as_bytes());
        said.text("is", header.value);
    });
    each(message.vias(), most, |one| said.outcome("via", Some(one), |said, one| via(said, &one)));
    read_addresses(message, &mut said);
    each(message.challenges(), most, |one| challenge(&mut said, &one));
    each(message.credentials(), most, |one| credentials(&mut said, &one));
    said.outcome("max-forwards", message.max_forwards(), |said, hops| said.number("hops", Some(hops)));
    said.number("expires", message.expires());
    said.number("min-expires", message.min_expires());
    said.number("retry-after", message.retry_after());
    said.number("length", message.content_length().map(|length| length as u64));
    if let Some(media) = message.content_type() {
        said.text("type", media.kind());
        said.text("subtype", media.subtype());
        said.params(media.params(), most);
    }
    each(message.allow(), most, |method| said.text("allow", method.as_bytes()));
    let values = [
        ("supported", message.supported()),
        ("require", message.require()),
        ("proxy-require", message.proxy_require()),
        ("unsupported", message.values(HeaderName::Unsupported)),
        ("allow-events", message.allow_events()),
        ("in-reply-to", message.in_reply_to()),
    ];
    for (label, list) in values {
        each(list, most, |value| said.text(label, value));
    }
    read_extensions(message, &mut said);
    said.text("body", message.body());
    said
}

/// The headers whose values are addresses.
fn read_addresses(message: &Message<'_>, said: &mut Said) {
    let most = message.bytes().len() + 1;
    said.number("wildcard", Some(message.contact_is_wildcard()));
    let lists = [
        ("contact", message.contacts()),
        ("route", message.routes()),
        ("record-route", message.record_routes()),
        ("path", message.paths()),
        ("service-route", message.service_routes()),
        ("asserted", message.asserted_identities()),
        ("preferred", message.preferred_identities()),
        ("alert-info", message.alert_infos()),
        ("call-info", message.call_infos()),
        ("error-info", message.error_infos()),
        ("reply-to", message.addresses(HeaderName::ReplyTo)),
    ];
    for (label, list) in lists {
        each(list, most, |one| said.outcome(label, Some(one), |said, one| address(said, &one)));
    }
}

/// The headers that calls do not need.
fn read_extensions(message: &Message<'_>, said: &mut Said) {
    let most = message.bytes().len() + 1;
    said.outcome("event", message.event(), |said, event| {
        said.text("package", event.package());
        said.maybe("id", event.id());
        said.params(event.params(), most);
        assert!(event.matches(&event));
    });
    said.outcome("subscription", message.subscription_state(), |said, state| {
        said.text("state", state.state());
        said.maybe("reason", state.reason());
        said.number("expires", state.expires());
        said.number("retry-after", state.retry_after());
        said.number("over", Some(state.is_terminated()));
        said.params(state.params(), most);
    });
    said.outcome("rseq", message.rseq(), |said, rseq| said.number("is", Some(rseq)));
    said.outcome("rack", message.rack(), |said, rack| {
        said.text("method", rack.method.as_bytes());
        said.number("rseq", Some(rack.rseq));
        said.number("cseq", Some(rack.cseq));
    });
    said.outcome("session-expires", message.session_expires(), |said, expires| {
        said.number("seconds", Some(expires.seconds));
        said.maybe("refresher", expires.refresher().map(|_| &b"known"[..]));
        said.params(expires.params(), most);
    });
    said.outcome("min-se", message.min_se(), |said, seconds| said.number("seconds", Some(seconds)));
    said.outcome("replaces", message.replaces(), |said, one| {
        [one.call_id, one.to_tag, one.from_tag].iter().for_each(|text| said.text("part", text));
        said.number("early", Some(one.early_only));
    });
    said.outcome("refer-to", message.refer_to(), |said, one| address(said, &one));
    said.outcome("referred-by", message.referred_by(), |said, one| address(said, &one));
    said.outcome("refer-sub", message.refer_sub(), |said, sub| said.number("is", Some(sub)));
    each(message.privacy(), most, |one| said.text("privacy", one));
    each(message.reasons(), most, |one| {
        said.outcome("reason", Some(one), |said, one| {
            said.text("protocol", one.protocol());
            said.number("cause", one.cause());
            said.maybe("text", one.text());
            said.params(one.params(), most);
        });
    });
    read_remarks(message, said);
}

/// Warnings, waits, what is accepted, times and tokens.
fn read_remarks(message: &Message<'_>, said: &mut Said) {
    let most = message.bytes().len() + 1;
    each(message.warnings(), most, |one| {
        said.outcome("warning", Some(one), |said, one| {
            said.number("code", Some(one.code));
            said.text("agent", one.agent);
            said.text("text", one.text);
        });
    });
    said.outcome("retry", message.retry_after_value(), |said, one| {
        said.number("seconds", Some(one.seconds));
        said.text("comment", one.comment);
        said.number("duration", one.duration());
        said.params(one.params(), most);
    });
    each(message.accept(), most, |one| {
        said.text("accept", one.kind());
        said.text("subtype", one.subtype());
        said.number("q", Some(one.q()));
        said.params(one.params(), most);
    });
    for (label, list) in
        [("encoding", message.accept_encoding().collect::<Vec<_>>()), ("language", message.accept_language().collect())]
    {
        each(list.into_iter(), most, |one| {
            said.outcome(label, Some(one), |said, one| {
                said.text("is", one.value());
                said.number("q", Some(one.q()));
                said.params(one.params(), most);
            });
        });
    }
    said.outcome("date", message.date(), |said, date| {
        said.number("seconds", date.unix_seconds());
        said.text("is", format!("{date:?}").as_bytes());
    });
    said.outcome("timestamp", message.timestamp(), |said, one| {
        said.text("time", one.time);
        said.maybe("delay", one.delay);
    });
    for (label, token) in
        [("priority", message.priority()), ("etag", message.sip_etag()), ("if-match", message.sip_if_match())]
    {
        said.outcome(label, token, |said, token| said.text("is", token));
    }
}

pub(super) fn via(said: &mut Said, via: &Via<'_>) {
    said.text("transport", via.transport());
    said.text("host", via.host().as_bytes());
    said.number("port", via.port());
    said.maybe("branch", via.branch());
    said.number("cookie", Some(via.has_cookie()));
    said.maybe("received", via.received());
    said.text("ip", format!("{:?} {:?}", via.received_ip(), via.host().ip()).as_bytes());
    said.text("rport", format!("{:?}", via.rport()).as_bytes());
    said.params(via.params(), via.raw().len());
    let _ = (via.needs_received(ELSEWHERE), via.response_address(ELSEWHERE));
}

pub(super) fn challenge(said: &mut Said, one: &Challenge<'_>) {
    [one.scheme, one.realm, one.nonce].iter().for_each(|text| said.text("challenge", text));
    said.maybe("opaque", one.opaque);
    said.text("algorithm", format!("{:?}", one.algorithm).as_bytes());
    [one.qop, one.qop_auth, one.stale, one.proxy, one.is_supported()]
        .iter()
        .for_each(|is| said.number("is", Some(*is)));
}

pub(super) fn credentials(said: &mut Said, one: &Credentials<'_>) {
    let texts = [one.scheme, one.username, one.realm, one.nonce, one.uri, one.response];
    texts.iter().for_each(|text| said.text("credentials", text));
    [one.cnonce, one.opaque, one.qop, one.nc].iter().for_each(|text| said.maybe("more", *text));
    said.text("algorithm", format!("{:?}", one.algorithm).as_bytes());
    said.number("proxy", Some(one.proxy));
}

pub(super) fn address(said: &mut Said, address: &NameAddr<'_>) {
    said.text("display", address.display_name());
    said.text("uri", address.raw_uri());
    said.params(address.params(), address.raw().len());
    said.maybe("tag", address.tag());
    said.number("expires", address.expires());
    said.number("q", address.q());
    said.outcome("parts", Some(address.uri()), |said, parts| uri(said, &parts));
}

pub(super) fn uri(said: &mut Said, uri: &Uri<'_>) {
    said.text("uri", uri.raw());
    said.text("scheme", format!("{:?}", uri.scheme()).as_bytes());
    said.maybe("user", uri.user());
    said.maybe("password", uri.password());
    said.text("host", uri.host().as_bytes());
    said.text("ip", format!("{:?}", uri.host().ip()).as_bytes());
    said.number("port", uri.port());
    let params = |said: &mut Said, list: UriParams<'_>| said.params(list, uri.raw().len());
    params(said, uri.params());
    params(said, uri.header_components());
    said.maybe("transport", uri.transport());
    said.maybe("maddr", uri.maddr());
    said.number("loose", Some(uri.is_loose()));
    assert!(uri.equivalent(uri), "a URI that is not equivalent to itself: {}", shown(uri.raw()));
}

/// What was read when the message was parsed is what the lazy views read.
fn agrees(message: &Message<'_>) {
    let most = message.bytes().len() + 1;
    let (head, body) = message.bytes().split_at(message.head_len());
    assert!(head.ends_with(b"\r\n\r\n") && body == message.body());
    assert_eq!(message.header(HeaderName::CallId), Some(message.call_id()));
    let whole = |name| message.header(name).expect("a header without which nothing is parsed");
    assert_eq!(NameAddr::parse(whole(HeaderName::From)), Ok(message.from()));
    assert_eq!(NameAddr::parse(whole(HeaderName::To)), Ok(message.to()));
    assert_eq!(sip_core::message::CSeq::parse(whole(HeaderName::CSeq)), Ok(message.cseq()));
    assert!(!message.is_request() || message.cseq().method == message.method());
    assert_eq!(message.vias().next(), Some(Ok(message.top_via())));
    assert_eq!(message.is_request(), message.request_uri().is_some());
    assert_eq!(message.is_request(), message.status().is_none());
    assert_eq!(message.uri(), message.request_uri().map(|raw| Uri::parse(raw).expect("it was parsed")));
    if let Some(length) = message.content_length() {
        assert_eq!(length, body.len());
    }
    let mut seen: Vec<HeaderName<'_>> = Vec::new();
    each(message.headers(), most, |Header { name, .. }| {
        // Each name once; what is beyond some names is like what is before.
        if seen.len() < 80 && !seen.contains(&name) {
            seen.push(name);
        }
    });
    for name in seen {
        let rows: Vec<&[u8]> =
            message.headers().filter(|header| header.name == name).map(|header| header.value).collect();
        assert!(message.header_rows(name).eq(rows.iter().copied()), "{name:?}");
        assert_eq!(message.header(name), rows.first().copied());
        assert_eq!(message.find(name).map(|header| header.value), rows.first().copied());
        // The same name as a stranger would write it.
        let upper = name.as_bytes().to_ascii_uppercase();
        assert_eq!(message.header(HeaderName::Other(&upper)), rows.first().copied());
        if let Some(letter) = name.compact() {
            assert_eq!(message.header(HeaderName::Other(&[letter])), rows.first().copied());
        }
    }
    let elements = |name| message.values(name).flat_map(NameAddr::parse);
    for name in [HeaderName::Route, HeaderName::RecordRoute, HeaderName::Path, HeaderName::PAssertedIdentity] {
        assert!(message.addresses(name).flatten().eq(elements(name)), "{name:?}: a list is read in two ways");
    }
    if !message.contact_is_wildcard() {
        assert!(message.contacts().flatten().eq(elements(HeaderName::Contact)), "Contact is read in two ways");
    }
    assert!(
        message.vias().flatten().eq(message.values(HeaderName::Via).flat_map(Via::parse)),
        "Via is read in two ways"
    );
}

/// Writes a message again from what was read, each row by its long name, with or without its folds; `None` when the writer
/// refuses it or it is too long.
fn rewritten(message: &Message<'_>, folds: bool) -> Option<Vec<u8>> {
    let write = |w: &mut Writer<'_>| {
        match message.request_uri() {
            Some(uri) => w.request_line(message.method(), uri),
            None => w.status_line(message.status().unwrap_or_default(), message.reason()),
        }
        for Header { name, value } in message.headers() {
            if folds {
                w.header_raw(name, value);
            } else {
                w.header_raw(name, &unfold(value).collect::<Vec<_>>());
            }
        }
        w.end();
        w.raw(message.body());
    };
    let found = written(write);
    if found.is_none() {
        let mut w = Writer::new(&mut []);
        write(&mut w);
        let refusal = w.finish();
        let fair = match refusal {
            Err(WriteError::Injection) => message.reason().contains(&0),
            other => matches!(other, Err(WriteError::TooLarge { .. })),
        };
        assert!(fair, "{refusal:?} for what was parsed");
    }
    found
}

/// What a refusal has to be good for (RFC 3261 §21.4.1, §8.2.6).
fn refused(datagram: &[u8], failure: &Malformed<'_>) {
    assert!(failure.at() <= datagram.len(), "a fault beyond the end");
    assert!(matches!(failure.status(), 400 | 505 | 513));
    assert_eq!(failure.status() == 400, !matches!(failure.error(), ParseError::Version | ParseError::TooLarge));
    assert!(!failure.reason().is_empty() && failure.is_syntax() == failure.error().is_syntax());
    assert!(datagram.ends_with(failure.bytes()));
    let most = datagram.len() + 1;
    each(failure.vias(), most, |_| {});
    if !failure.answerable() {
        return;
    }
    assert!(failure.is_request() && failure.method() != b"ACK" && failure.vias().next().is_some());
    let answer = written(|w| {
        w.status_line(failure.status(), failure.reason().as_bytes());
        malformed_head(w, failure, ELSEWHERE, Some(b"tt"));
        w.finish_without_body();
    });
    // What is too long for a message has no answer of that length either.
    let Some(answer) = answer else { return assert!(datagram.len() > 32_000, "no answer to {}", shown(datagram)) };
    let copied = [failure.top_via().is_some()]
        .into_iter()
        .chain([failure.from(), failure.to()].map(|one| one.is_some_and(|one| NameAddr::parse(one).is_ok())))
        .chain([failure
            .call_id()
            .is_some_and(|id| !id.is_empty() && id.iter().all(|octet| *octet > b' ' && *octet != 0x7F))])
        .chain([failure.cseq().is_some_and(|value| sip_core::message::CSeq::parse(value).is_ok())])
        .all(|fine| fine);
    match Message::parse(&answer) {
        Ok(answer) => {
            assert!(copied, "the answer is better than what it copies");
            assert_eq!((answer.status(), answer.reason()), (Some(failure.status()), failure.reason().as_bytes()));
            assert_eq!((Some(answer.call_id()), answer.body()), (failure.call_id(), &b""[..]));
            assert!(answer.to_tag().is_some(), "an answer without a tag");
            assert!(answer.top_via().received_ip() == ELSEWHERE.ip() || answer.top_via().host().ip() == ELSEWHERE.ip());
            assert!(!reason_phrase(failure.status()).is_empty());
        }
        Err(broken) => {
            assert!(!copied, "{:?} in the answer: {}", broken.error(), shown(&answer));
            let framing = [
                ParseError::Truncated,
                ParseError::LineEnd,
                ParseError::HeaderName,
                ParseError::StartLine,
                ParseError::StatusCode,
                ParseError::Body,
                ParseError::ContentLength,
                ParseError::ConflictingContentLength,
            ];
            assert!(!framing.contains(&broken.error()), "{:?} in the answer: {}", broken.error(), shown(&answer));
        }
    }
}
