//! Reads all that the message layer can read: start line, every typed header, every part of each.

use crate::sum::Sum;
use sip_core::message::{
    Challenge, Credentials, Framing, HeaderName, List, Malformed, MediaType, Message, NameAddr, ParseError, Preference,
    Uri, Values, frame, unescape, unescape_uri, unfold, unquote,
};
use sip_core::transport::Address;

/// The first message of a stream, all of it, and whether its URIs are that of `other`; or what a 400 needs.
pub(crate) fn read(octets: &[u8], other: &[u8]) -> Sum {
    let mut sum = Sum::default();
    let octets = match frame(octets, 2048) {
        Framing::Frame { len } => octets.get(..len).unwrap_or(octets),
        Framing::KeepAlive { len, ping } => {
            sum.flag(ping);
            octets.get(len..).unwrap_or_default()
        }
        Framing::Incomplete => octets,
        Framing::Oversized { head } => {
            malformed(&mut sum, &Malformed::oversized(octets.get(..head).unwrap_or(octets)));
            return sum;
        }
        Framing::Broken(error) => {
            sum.error(error);
            octets
        }
    };
    match Message::parse(octets) {
        Ok(message) => {
            typed(&mut sum, &message, other);
            rows(&mut sum, &message);
        }
        Err(failure) => malformed(&mut sum, &failure),
    }
    sum
}

/// All that has a type.
fn typed(sum: &mut Sum, message: &Message<'_>, other: &[u8]) {
    start(sum, message, other);
    core(sum, message);
    addresses(sum, message);
    numbers(sum, message);
    words(sum, message);
    extensions(sum, message);
    security(sum, message);
}

fn start(sum: &mut Sum, message: &Message<'_>, other: &[u8]) {
    sum.flag(message.is_request());
    sum.method(message.method());
    sum.optional(message.status().map(u32::from));
    sum.octets(message.reason());
    sum.piece(message.request_uri());
    sum.octets(message.body());
    let other = Uri::parse(other);
    for uri in [message.uri(), message.from().uri().ok(), message.to().uri().ok()].into_iter().flatten() {
        sum.uri(&uri);
        sum.flag(other.is_ok_and(|other| other.equivalent(&uri)));
        sum.each(unescape_uri(uri.user().unwrap_or_default()));
    }
}

fn core(sum: &mut Sum, message: &Message<'_>) {
    sum.via(message.top_via());
    let source = Address::v4([192, 0, 2, 1].into(), 5060);
    sum.ip(message.top_via().response_address(source).ip());
    sum.address(message.from());
    sum.address(message.to());
    sum.piece(message.from_tag());
    sum.piece(message.to_tag());
    sum.octets(message.call_id());
    sum.number(message.cseq().number);
    sum.method(message.cseq().method);
    sum.list(message.vias(), Sum::via);
    sum.flag(message.contact_is_wildcard());
}

/// Accessors as values, so that each stands in the program as a function of its own.
type Read<'a, T> = fn(&Message<'a>) -> T;
type Lists<'a> = for<'m> fn(&'m Message<'a>) -> List<'m, 'a, NameAddr<'a>>;
type Words<'a> = for<'m> fn(&'m Message<'a>) -> Values<'m, 'a, 'static>;
type Once<T> = Option<Result<T, ParseError>>;

fn addresses<'a>(sum: &mut Sum, message: &Message<'a>) {
    let lists: [Lists<'a>; 10] = [
        Message::contacts,
        Message::routes,
        Message::record_routes,
        Message::paths,
        Message::service_routes,
        Message::asserted_identities,
        Message::preferred_identities,
        Message::alert_infos,
        Message::call_infos,
        Message::error_infos,
    ];
    for list in lists {
        sum.list(list(message), Sum::address);
    }
    let single: [Read<'a, Once<NameAddr<'a>>>; 3] = [Message::refer_to, Message::referred_by, Message::reply_to];
    for address in single {
        sum.header(address(message), Sum::address);
    }
    for contact in message.contacts().flatten() {
        for piece in [contact.instance(), contact.pub_gruu(), contact.temp_gruu()] {
            sum.piece(piece);
        }
        sum.optional(contact.reg_id());
        if let Ok(uri) = contact.uri() {
            sum.flag(uri.is_outbound());
            sum.piece(uri.gr());
        }
    }
}

fn numbers<'a>(sum: &mut Sum, message: &Message<'a>) {
    let seconds: [Read<'a, Option<u32>>; 3] = [Message::expires, Message::min_expires, Message::retry_after];
    for seconds in seconds {
        sum.optional(seconds(message));
    }
    sum.header(message.max_forwards(), |sum, hops| sum.number(u32::from(hops)));
    sum.optional(message.content_length().map(|length| length as u32));
    let numbers: [Read<'a, Once<u32>>; 3] = [Message::rseq, Message::min_se, Message::flow_timer];
    for number in numbers {
        sum.header(number(message), Sum::number);
    }
    sum.header(message.refer_sub(), Sum::flag);
    sum.header(message.mime_version(), |sum, (major, minor)| {
        sum.number(u32::from(major));
        sum.number(u32::from(minor));
    });
    sum.header(message.retry_after_value(), |sum, after| {
        sum.number(after.seconds);
        sum.octets(after.comment);
        sum.optional(after.duration());
        sum.params(after.params());
    });
    sum.header(message.session_expires(), |sum, expires| {
        sum.number(expires.seconds);
        sum.optional(expires.refresher().map(|who| who as u32));
        sum.params(expires.params());
    });
    sum.header(message.rack(), |sum, rack| {
        sum.number(rack.rseq);
        sum.number(rack.cseq);
        sum.method(rack.method);
    });
    sum.header(message.date(), |sum, date| {
        sum.wide(date.unix_seconds().unwrap_or(0));
        sum.number(u32::from(date.hour));
    });
    sum.header(message.timestamp(), |sum, stamp| {
        sum.octets(stamp.time);
        sum.piece(stamp.delay);
    });
}

fn words<'a>(sum: &mut Sum, message: &Message<'a>) {
    let lists: [Words<'a>; 8] = [
        Message::supported,
        Message::unsupported,
        Message::require,
        Message::proxy_require,
        Message::allow_events,
        Message::in_reply_to,
        Message::content_encoding,
        Message::content_language,
    ];
    for list in lists {
        sum.pieces(list(message));
    }
    sum.pieces(message.values(HeaderName::Other(b"X-List")));
    sum.header(message.content_disposition(), |sum, disposition| {
        sum.octets(disposition.kind());
        sum.flag(disposition.is_optional());
        sum.params(disposition.params());
    });
    sum.pieces(message.privacy());
    for method in message.allow() {
        sum.method(method);
    }
    let tokens: [Read<'a, Once<&'a [u8]>>; 3] = [Message::priority, Message::sip_etag, Message::sip_if_match];
    for token in tokens {
        sum.header(token(message), Sum::octets);
    }
    for kind in message.content_type().into_iter().chain(message.accept()) {
        media_type(sum, kind);
    }
    sum.list(message.accept_encoding(), preference);
    sum.list(message.accept_language(), preference);
    sum.list(message.reasons(), |sum, reason| {
        sum.octets(reason.protocol());
        sum.optional(reason.cause().map(u32::from));
        sum.piece(reason.text());
        sum.params(reason.params());
    });
    sum.list(message.warnings(), |sum, warning| {
        sum.number(u32::from(warning.code));
        sum.octets(warning.agent);
        sum.octets(warning.text);
    });
}

fn media_type(sum: &mut Sum, kind: MediaType<'_>) {
    sum.octets(kind.kind());
    sum.octets(kind.subtype());
    sum.params(kind.params());
    sum.number(u32::from(kind.q()));
    sum.flag(kind.is(b"application/sdp"));
}

fn preference(sum: &mut Sum, preference: Preference<'_>) {
    sum.octets(preference.value());
    sum.number(u32::from(preference.q()));
    sum.params(preference.params());
}

fn extensions(sum: &mut Sum, message: &Message<'_>) {
    sum.header(message.event(), |sum, event| {
        sum.octets(event.package());
        sum.piece(event.id());
        sum.params(event.params());
        sum.flag(event.matches(&event));
    });
    sum.header(message.subscription_state(), |sum, state| {
        sum.octets(state.state());
        sum.flag(state.is_terminated());
        sum.piece(state.reason());
        sum.optional(state.expires());
        sum.optional(state.retry_after());
        sum.params(state.params());
    });
    sum.header(message.replaces(), |sum, replaces| {
        sum.octets(replaces.call_id);
        sum.octets(replaces.to_tag);
        sum.octets(replaces.from_tag);
        sum.flag(replaces.early_only);
    });
}

fn security(sum: &mut Sum, message: &Message<'_>) {
    sum.header(message.authentication_info(), |sum, info| {
        for piece in [info.next_nonce, info.qop, info.response_auth, info.cnonce, info.nc] {
            sum.piece(piece);
        }
    });
    for challenge in message.challenges() {
        let Challenge { scheme, realm, nonce, opaque, algorithm, qop, qop_auth, stale, proxy, .. } = challenge;
        sum.pieces([scheme, realm, nonce, algorithm.as_bytes()].into_iter());
        sum.piece(opaque);
        for flag in [qop, qop_auth, stale, proxy, challenge.is_supported()] {
            sum.flag(flag);
        }
    }
    for credentials in message.credentials() {
        let Credentials { scheme, username, realm, nonce, uri, response, algorithm, .. } = credentials;
        sum.pieces([scheme, username, realm, nonce, uri, response, algorithm.as_bytes()].into_iter());
        for piece in [credentials.cnonce, credentials.opaque, credentials.qop, credentials.nc] {
            sum.piece(piece);
        }
        sum.flag(credentials.proxy);
    }
}

/// Every row as it stands, known or not.
fn rows(sum: &mut Sum, message: &Message<'_>) {
    for header in message.headers() {
        sum.octets(header.name.as_bytes());
        sum.each(unfold(header.value));
        sum.each(unescape(unquote(header.value)));
    }
    sum.piece(message.header(HeaderName::Other(b"X-Anything")));
    sum.piece(message.find(HeaderName::Organization).map(|header| header.value));
}

fn malformed(sum: &mut Sum, failure: &Malformed<'_>) {
    sum.error(failure.error());
    sum.number(failure.at() as u32);
    sum.number(u32::from(failure.status()));
    for flag in [failure.is_request(), failure.is_syntax(), failure.answerable()] {
        sum.flag(flag);
    }
    sum.octets(failure.method());
    sum.header(failure.top_via().map(Ok), Sum::via);
    for piece in [failure.from(), failure.to(), failure.call_id(), failure.cseq()] {
        sum.piece(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &str, other: &str) -> Sum {
        let text = format!(
            "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{rows}\r\n"
        );
        let message = Message::parse(text.as_bytes()).unwrap();
        let mut sum = Sum::default();
        typed(&mut sum, &message, other.as_bytes());
        sum
    }

    #[test]
    fn the_value_of_each_header_counts() {
        for (name, one, other) in [
            ("Via", "SIP/2.0/UDP a;received=1.2.3.4", "SIP/2.0/UDP a;received=1.2.3.5"),
            ("Contact", "<sip:a@b>;q=0.1", "<sip:a@b>;q=0.2"),
            ("Contact", "*", "<sip:a>"),
            ("Contact", "<sip:a>;+sip.instance=\"<urn:1>\"", "<sip:a>;+sip.instance=\"<urn:2>\""),
            ("Contact", "<sip:a;ob>;reg-id=1", "<sip:a>;reg-id=1"),
            ("Route", "<sip:a;lr>", "<sip:a>"),
            ("Record-Route", "<sip:a>", "<sips:a>"),
            ("Path", "<sip:a>", "<sip:a:1>"),
            ("Service-Route", "<sip:a>", "<sip:b>"),
            ("P-Asserted-Identity", "<tel:+1>", "<tel:+2>"),
            ("P-Preferred-Identity", "<sip:a:1>", "<sip:a:2>"),
            ("Alert-Info", "<http://a>", "<http://b>"),
            ("Call-Info", "<http://a>;purpose=icon", "<http://a>;purpose=card"),
            ("Error-Info", "<sip:a>", "<sip:b>"),
            ("Refer-To", "<sip:a?Replaces=1>", "<sip:a?Replaces=2>"),
            ("Referred-By", "<sip:a>", "<sip:b>"),
            ("Refer-Sub", "true", "false"),
            ("Reply-To", "<sip:a>", "<sip:b>"),
            ("Contact", "<sip:a>;reg-id=1", "<sip:a>;reg-id=2"),
            ("Contact", "<sip:a;gr=1>", "<sip:a;gr=2>"),
            ("Flow-Timer", "1", "2"),
            ("MIME-Version", "1.0", "1.1"),
            ("Content-Disposition", "a", "b"),
            ("Content-Disposition", "a;handling=optional", "a;handling=required"),
            ("Authentication-Info", "nextnonce=1", "nextnonce=2"),
            ("X-List", "a", "b"),
            ("Expires", "1", "2"),
            ("Min-Expires", "1", "2"),
            ("Retry-After", "1", "2"),
            ("Retry-After", "1 (a)", "1 (b)"),
            ("Max-Forwards", "1", "2"),
            ("RSeq", "1", "2"),
            ("RAck", "1 1 INVITE", "1 2 INVITE"),
            ("Min-SE", "90", "91"),
            ("Session-Expires", "90;refresher=uac", "90;refresher=uas"),
            ("Date", "Sat, 13 Nov 2010 23:29:00 GMT", "Sat, 13 Nov 2010 23:29:01 GMT"),
            ("Timestamp", "1.1", "1.2"),
            ("Supported", "a", "b"),
            ("Require", "a", "b"),
            ("Proxy-Require", "a", "b"),
            ("Unsupported", "a", "b"),
            ("Allow-Events", "a", "b"),
            ("In-Reply-To", "a", "b"),
            ("Content-Encoding", "a", "b"),
            ("Content-Language", "a", "b"),
            ("Privacy", "id", "user"),
            ("Allow", "BYE", "ACK"),
            ("Priority", "a", "b"),
            ("SIP-ETag", "a", "b"),
            ("SIP-If-Match", "a", "b"),
            ("Content-Type", "a/b", "a/c"),
            ("Content-Type", "text/plain", "application/sdp"),
            ("Accept", "a/b;q=0.1", "a/b;q=0.2"),
            ("Accept-Encoding", "a;q=0.1", "a;q=0.2"),
            ("Accept-Language", "a", "b"),
            ("Reason", "SIP;cause=200", "SIP;cause=201"),
            ("Warning", "399 a \"b\"", "399 a \"c\""),
            ("Event", "a;id=1", "a;id=2"),
            ("Subscription-State", "active;expires=1", "active;expires=2"),
            ("Replaces", "a;to-tag=1;from-tag=2", "a;to-tag=1;from-tag=3"),
            ("WWW-Authenticate", "Digest realm=\"a\",nonce=\"b\"", "Digest realm=\"a\",nonce=\"b\",algorithm=SHA-256"),
            ("Proxy-Authorization", "Digest username=\"a\",nc=1", "Digest username=\"a\",nc=2"),
        ] {
            let of = |value: &str| sum(&format!("{name}: {value}\r\n"), "sip:x");
            assert_ne!(of(one), of(other), "{name}");
            assert_ne!(of(one), sum("", "sip:x"), "{name}");
        }
    }

    #[test]
    fn whether_uris_are_equivalent_counts() {
        assert_ne!(sum("", "sip:b@example.com"), sum("", "sip:b@example.org"));
        assert_eq!(sum("", "sip:b@example.com"), sum("", "sip:%62@EXAMPLE.com"));
    }

    #[test]
    fn what_is_malformed_and_what_frames_count() {
        assert_ne!(
            read(b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n", b""),
            read(b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP b\r\n\r\n", b"")
        );
        assert_ne!(read(b"\r\n\r\n", b""), read(b"\r\n", b""));
    }
}
