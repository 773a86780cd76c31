//! Header families: what is read of a value, written in a plain form, is read as the same.

use super::message as whole;
use super::said::{Said, each};
use super::shown;
use sip_core::message::{
    Challenge, Credentials, Date, HeaderName, MediaType, Message, NameAddr, Param, Params, ParseError, Preference,
    Reason, RetryAfter, Via, Warning,
};

/// Reads all of a header in a message: what it says, and the value in a plain form; `None` when it isn't well-formed.
type Family = fn(&Message<'_>, &mut Said) -> Option<Vec<u8>>;

/// The families: the name of a header, and how it is read.
pub const FAMILIES: [(HeaderName<'static>, Family); 47] = [
    (HeaderName::Via, vias),
    (HeaderName::Contact, contacts),
    (HeaderName::Route, |m, said| addresses(m, HeaderName::Route, said)),
    (HeaderName::RecordRoute, |m, said| addresses(m, HeaderName::RecordRoute, said)),
    (HeaderName::Path, |m, said| addresses(m, HeaderName::Path, said)),
    (HeaderName::PAssertedIdentity, |m, said| addresses(m, HeaderName::PAssertedIdentity, said)),
    (HeaderName::CallInfo, |m, said| addresses(m, HeaderName::CallInfo, said)),
    (HeaderName::From, |m, said| address(said, m.from())),
    (HeaderName::To, |m, said| address(said, m.to())),
    (HeaderName::ReferTo, |m, said| address(said, m.refer_to()?.ok()?)),
    (HeaderName::ReferredBy, |m, said| address(said, m.referred_by()?.ok()?)),
    (HeaderName::WwwAuthenticate, challenges),
    (HeaderName::ProxyAuthenticate, challenges),
    (HeaderName::Authorization, credentials),
    (HeaderName::ProxyAuthorization, credentials),
    (HeaderName::CSeq, cseq),
    (HeaderName::RAck, rack),
    (HeaderName::RSeq, |m, said| number(said, m.rseq()?.ok())),
    (HeaderName::Event, event),
    (HeaderName::SubscriptionState, subscription),
    (HeaderName::SessionExpires, session_expires),
    (HeaderName::MinSe, |m, said| number(said, m.min_se()?.ok())),
    (HeaderName::Replaces, replaces),
    (HeaderName::Reason, reasons),
    (HeaderName::Warning, warnings),
    (HeaderName::RetryAfter, retry_after),
    (HeaderName::Privacy, privacy),
    (HeaderName::Date, date),
    (HeaderName::Timestamp, timestamp),
    (HeaderName::ContentType, content_type),
    (HeaderName::Accept, accept),
    (HeaderName::AcceptEncoding, |m, said| preferences(said, m.accept_encoding().flatten())),
    (HeaderName::AcceptLanguage, |m, said| preferences(said, m.accept_language().flatten())),
    (HeaderName::Allow, |m, said| tokens(said, m.allow().map(sip_core::message::Method::as_bytes))),
    (HeaderName::Supported, |m, said| tokens(said, m.supported())),
    (HeaderName::InReplyTo, |m, said| tokens(said, m.in_reply_to())),
    (HeaderName::Priority, |m, said| tokens(said, m.priority()?.ok().into_iter())),
    (HeaderName::MaxForwards, |m, said| number(said, m.max_forwards()?.ok())),
    (HeaderName::Expires, |m, said| number(said, m.expires())),
    (HeaderName::Other(b"Refer-Sub"), refer_sub),
    (HeaderName::ReplyTo, |m, said| address(said, m.reply_to()?.ok()?)),
    (HeaderName::Unsupported, |m, said| tokens(said, m.unsupported())),
    (HeaderName::ContentEncoding, |m, said| tokens(said, m.content_encoding())),
    (HeaderName::ContentDisposition, disposition),
    (HeaderName::MimeVersion, mime_version),
    (HeaderName::AuthenticationInfo, authentication_info),
    (HeaderName::FlowTimer, |m, said| number(said, m.flow_timer()?.ok())),
];

/// What holds of a value of the header of [`FAMILIES`] that `which` chooses: read, written plain, and read again it says the
/// same, and what is plain stays as it is.
///
/// # Panics
/// When it does not hold.
pub fn header(which: usize, value: &[u8]) {
    let (name, family) = FAMILIES[which % FAMILIES.len()];
    let bytes = carrying(name, value);
    let Ok(message) = Message::parse(&bytes) else { return };
    // Whatever the value is, the whole message holds.
    whole::message(&bytes);
    // Line ends in it may have made further rows.
    if message.headers().count() > ROWS {
        return;
    }
    let mut said = Said::default();
    let Some(plain) = family(&message, &mut said) else { return };
    if plain.is_empty() {
        return;
    }
    let bytes = carrying(name, &plain);
    let failed = |error: ParseError| -> ! { panic!("{error:?} in what was written: {name:?}: {}", shown(&plain)) };
    let message = Message::parse(&bytes).unwrap_or_else(|failure| failed(failure.error()));
    let mut again = Said::default();
    let settled = family(&message, &mut again);
    assert_eq!(again, said, "{name:?}: {} was written for {}", shown(&plain), shown(value));
    assert_eq!(settled.as_deref(), Some(&plain[..]), "{name:?}: writing again does not settle");
}

/// How many rows a message with one more header than it needs has.
const ROWS: usize = 6;

/// A message with this header, and those that every message has.
fn carrying(name: HeaderName<'_>, value: &[u8]) -> Vec<u8> {
    const CORE: [(HeaderName<'_>, &[u8]); 5] = [
        (HeaderName::Via, b"SIP/2.0/UDP h.example.com;branch=z9hG4bK1"),
        (HeaderName::From, b"<sip:a@example.com>;tag=1"),
        (HeaderName::To, b"<sip:b@example.com>"),
        (HeaderName::CallId, b"1"),
        (HeaderName::CSeq, b"1 NOTIFY"),
    ];
    // A response, so that its CSeq can name any method.
    let mut bytes = b"SIP/2.0 200 OK\r\n".to_vec();
    let others = CORE.iter().filter(|(other, _)| *other != name).copied();
    for (name, value) in core::iter::once((name, value)).chain(others) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Puts a comma between the elements.
fn list(elements: impl Iterator<Item = Vec<u8>>) -> Option<Vec<u8>> {
    Some(elements.collect::<Vec<_>>().join(&b','))
}

/// Appends parameters as they are written.
fn with_params<'a>(mut value: Vec<u8>, params: impl Iterator<Item = Param<'a>>) -> Vec<u8> {
    each(params, usize::from(u16::MAX), |param| {
        value.push(b';');
        value.extend_from_slice(param.name);
        if let Some(written) = param.value {
            value.push(b'=');
            value.extend_from_slice(written);
        }
    });
    value
}

fn worded(said: &mut Said, token: &[u8], params: Params<'_>) -> Vec<u8> {
    said.text("token", token);
    said.params(params.clone(), usize::from(u16::MAX));
    with_params(token.to_vec(), params)
}

fn number(said: &mut Said, number: Option<impl Into<u64>>) -> Option<Vec<u8>> {
    let number = number?.into();
    said.number("is", Some(number));
    Some(number.to_string().into_bytes())
}

fn tokens<'a>(said: &mut Said, tokens: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    list(tokens.map(|token| {
        said.text("token", token);
        token.to_vec()
    }))
}

fn via(said: &mut Said, via: &Via<'_>) -> Vec<u8> {
    whole::via(said, via);
    let port = via.port().map(|port| format!(":{port}")).unwrap_or_default();
    let start = [b"SIP/2.0/", via.transport(), b" ", via.host().as_bytes(), port.as_bytes()].concat();
    with_params(start, via.params())
}

fn vias(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    list(m.vias().flatten().map(|one| via(said, &one)))
}

fn plain_address(said: &mut Said, address: &NameAddr<'_>) -> Vec<u8> {
    whole::address(said, address);
    let start = [address.display_name(), b"<", address.raw_uri(), b">"].concat();
    with_params(start, address.params())
}

fn address(said: &mut Said, address: NameAddr<'_>) -> Option<Vec<u8>> {
    Some(plain_address(said, &address))
}

fn addresses(m: &Message<'_>, name: HeaderName<'static>, said: &mut Said) -> Option<Vec<u8>> {
    list(m.addresses(name).flatten().map(|one| plain_address(said, &one)))
}

fn contacts(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    if m.contact_is_wildcard() {
        assert_eq!(m.contacts().count(), 0);
        return Some(b"*".to_vec());
    }
    list(m.contacts().flatten().map(|one| plain_address(said, &one)))
}

/// Writes `name="value"` for each value that is there.
fn quoted(start: &[u8], values: &[(&str, Option<&[u8]>)]) -> Vec<u8> {
    let there = values.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let params: Vec<Vec<u8>> = there.map(|(name, value)| [name.as_bytes(), b"=\"", value, b"\""].concat()).collect();
    [start, b" ", &params.join(&b',')].concat()
}

fn challenges(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let plain = |one: Challenge<'_>, said: &mut Said| {
        whole::challenge(said, &one);
        let qop = one.qop.then_some(match (one.qop_auth, one.qop_auth_int) {
            (true, true) => &b"auth,auth-int"[..],
            (true, false) => b"auth",
            (false, true) => b"auth-int",
            (false, false) => b"unknown",
        });
        quoted(
            one.scheme,
            &[
                ("realm", Some(one.realm)),
                ("nonce", Some(one.nonce)),
                ("opaque", one.opaque),
                (
                    "algorithm",
                    Some(if one.algorithm.as_bytes().is_empty() { b"unknown" } else { one.algorithm.as_bytes() }),
                ),
                ("qop", qop),
                ("stale", one.stale.then_some(b"true")),
            ],
        )
    };
    let mut found = Vec::new();
    each(m.challenges(), m.bytes().len(), |one| found.push(plain(one, said)));
    list(found.into_iter())
}

fn credentials(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    // One row, one set of credentials.
    let one: Credentials<'_> = m.credentials().next()?;
    assert_eq!(m.credentials().count(), 1);
    whole::credentials(said, &one);
    let algorithm = if one.algorithm.as_bytes().is_empty() { b"unknown" } else { one.algorithm.as_bytes() };
    Some(quoted(
        one.scheme,
        &[
            ("username", Some(one.username)),
            ("realm", Some(one.realm)),
            ("nonce", Some(one.nonce)),
            ("uri", Some(one.uri)),
            ("response", Some(one.response)),
            ("algorithm", Some(algorithm)),
            ("cnonce", one.cnonce),
            ("opaque", one.opaque),
            ("qop", one.qop),
            ("nc", one.nc),
        ],
    ))
}

fn cseq(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    said.number("number", Some(m.cseq().number));
    said.text("method", m.cseq().method.as_bytes());
    Some([m.cseq().number.to_string().as_bytes(), b" ", m.cseq().method.as_bytes()].concat())
}

fn rack(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let rack = m.rack()?.ok()?;
    said.text("is", format!("{rack:?}").as_bytes());
    Some([format!("{} {} ", rack.rseq, rack.cseq).as_bytes(), rack.method.as_bytes()].concat())
}

fn event(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let event = m.event()?.ok()?;
    said.maybe("id", event.id());
    Some(worded(said, event.package(), event.params()))
}

fn subscription(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let state = m.subscription_state()?.ok()?;
    said.maybe("reason", state.reason());
    said.number("expires", state.expires());
    said.number("retry-after", state.retry_after());
    Some(worded(said, state.state(), state.params()))
}

fn session_expires(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let expires = m.session_expires()?.ok()?;
    said.text("refresher", format!("{:?}", expires.refresher()).as_bytes());
    Some(worded(said, expires.seconds.to_string().as_bytes(), expires.params()))
}

fn replaces(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let one = m.replaces()?.ok()?;
    [one.call_id, one.to_tag, one.from_tag].iter().for_each(|text| said.text("part", text));
    said.number("early", Some(one.early_only));
    let early: &[u8] = if one.early_only { b";early-only" } else { b"" };
    Some([one.call_id, b";to-tag=", one.to_tag, b";from-tag=", one.from_tag, early].concat())
}

fn reasons(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    list(m.reasons().flatten().map(|one: Reason<'_>| {
        said.number("cause", one.cause());
        said.maybe("text", one.text());
        worded(said, one.protocol(), one.params())
    }))
}

fn warnings(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    list(m.warnings().flatten().map(|one: Warning<'_>| {
        said.number("code", Some(one.code));
        said.text("agent", one.agent);
        said.text("text", one.text);
        [format!("{:03} ", one.code).as_bytes(), one.agent, b" \"", one.text, b"\""].concat()
    }))
}

fn retry_after(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let one: RetryAfter<'_> = m.retry_after_value()?.ok()?;
    assert_eq!(m.retry_after(), Some(one.seconds));
    said.number("seconds", Some(one.seconds));
    said.text("comment", one.comment);
    said.number("duration", one.duration());
    let start = [one.seconds.to_string().as_bytes(), b" (", one.comment, b")"].concat();
    Some(with_params(start, one.params()))
}

fn privacy(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    each(m.privacy(), m.bytes().len(), |one| {
        said.text("privacy", one);
        found.push(one);
    });
    Some(found.join(&b';'))
}

fn date(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Date { year, month, day, hour, minute, second } = m.date()?.ok()?;
    said.number("unix", m.date()?.ok()?.unix_seconds());
    let month = MONTHS[usize::from(month) - 1];
    Some(format!("Mon, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT").into_bytes())
}

fn timestamp(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let one = m.timestamp()?.ok()?;
    said.text("time", one.time);
    said.maybe("delay", one.delay);
    Some([one.time, b" ", one.delay.unwrap_or_default()].concat().trim_ascii_end().to_vec())
}

fn media(said: &mut Said, one: &MediaType<'_>) -> Vec<u8> {
    said.text("kind", one.kind());
    said.text("subtype", one.subtype());
    said.number("q", Some(one.q()));
    said.params(one.params(), one.raw().len());
    let name = [one.kind(), b"/", one.subtype()].concat();
    assert!(one.is(&name));
    with_params(name, one.params())
}

fn content_type(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    Some(media(said, &m.content_type()?))
}

fn accept(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    list(m.accept().map(|one| media(said, &one)))
}

fn preferences<'a>(said: &mut Said, preferences: impl Iterator<Item = Preference<'a>>) -> Option<Vec<u8>> {
    list(preferences.map(|one| {
        said.number("q", Some(one.q()));
        worded(said, one.value(), one.params())
    }))
}

fn refer_sub(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let sub = m.refer_sub()?.ok()?;
    said.number("is", Some(sub));
    Some(if sub { b"true".to_vec() } else { b"false".to_vec() })
}

fn disposition(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let one = m.content_disposition()?.ok()?;
    said.number("optional", Some(one.is_optional()));
    Some(worded(said, one.kind(), one.params()))
}

fn mime_version(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let (major, minor) = m.mime_version()?.ok()?;
    said.number("major", Some(major));
    said.number("minor", Some(minor));
    Some(format!("{major}.{minor}").into_bytes())
}

fn authentication_info(m: &Message<'_>, said: &mut Said) -> Option<Vec<u8>> {
    let one = m.authentication_info()?.ok()?;
    let values = [
        ("nextnonce", one.next_nonce),
        ("qop", one.qop),
        ("rspauth", one.response_auth),
        ("cnonce", one.cnonce),
        ("nc", one.nc),
    ];
    values.iter().for_each(|(name, value)| said.maybe(name, *value));
    Some(quoted(b"", &values).trim_ascii_start().to_vec())
}
