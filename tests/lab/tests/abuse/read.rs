//! Reading everything of a message, with a bound on every iterator; and what a message means, whatever its layout.

use sip_core::message::{
    Challenge, Credentials, HeaderName, Malformed, Message, NameAddr, Param, ParseError, Uri, Via, Writer,
    malformed_head, unescape, unescape_uri, unfold, unquote,
};
use sip_core::transport::Address;

/// The items of an iterator that takes at least an octet for each, or one for an empty value.
pub(crate) fn bounded<T>(items: impl Iterator<Item = T>, octets: usize) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        found.push(item);
        assert!(found.len() <= octets + 1, "more items than octets: a step consumed nothing");
    }
    found
}

/// How many items there are, counted so.
fn count<T>(items: impl Iterator<Item = T>, octets: usize) -> usize {
    let mut found = 0;
    for _ in items {
        found += 1;
        assert!(found <= octets + 1, "more items than octets: a step consumed nothing");
    }
    found
}

fn read_params<'a>(params: impl Iterator<Item = Param<'a>>, octets: usize) -> usize {
    count(params.map(|one| count(unescape(unquote(one.value.unwrap_or_default())), octets)), octets)
}

fn read_uri(uri: &Uri<'_>) -> usize {
    let n = uri.raw().len();
    _ = (uri.is_loose(), uri.maddr(), uri.transport(), uri.scheme(), uri.port(), uri.host().ip());
    _ = (uri.is_outbound(), uri.gr());
    count(uri.params(), n)
        + count(uri.header_components(), n)
        + usize::from(uri.equivalent(uri))
        + count(unescape_uri(uri.user().unwrap_or_default()), n)
}

fn read_address(address: &NameAddr<'_>) -> usize {
    let n = address.raw().len();
    _ = (address.q(), address.expires(), address.tag());
    _ = (address.instance(), address.reg_id(), address.pub_gruu(), address.temp_gruu());
    read_params(address.params(), n)
        + count(unescape(unquote(address.display_name())), n)
        + address.uri().map_or(0, |uri| read_uri(&uri))
}

fn read_via(via: &Via<'_>) -> usize {
    _ = (via.received_ip(), via.host().ip(), via.has_cookie(), via.rport(), via.port());
    read_params(via.params(), via.raw().len())
}

/// Asks for everything there is in a message.
pub(crate) fn read_all(message: &Message<'_>) -> usize {
    let n = message.bytes().len();
    let mut seen = 0;
    for (index, header) in bounded(message.headers(), n).into_iter().enumerate() {
        seen += 1 + count(header.unfolded(), n);
        // Each look-up walks all rows: of hundreds, some tell what all do.
        if index < 20 {
            seen += count(message.header_rows(header.name), n);
        }
    }
    for name in [HeaderName::Route, HeaderName::Supported, HeaderName::Via, HeaderName::Other(b"X-Unknown")] {
        seen += count(message.values(name), n) + usize::from(message.find(name).is_some());
    }
    seen += count(message.vias().flatten().map(|via| read_via(&via)), n) + read_via(&message.top_via());
    let mut read = |addresses: sip_core::message::List<'_, '_, NameAddr<'_>>| {
        seen += count(addresses.map(|one| one.map_or(0, |one| read_address(&one))), n);
    };
    read(message.contacts());
    read(message.routes());
    read(message.record_routes());
    read(message.paths());
    read(message.service_routes());
    read(message.asserted_identities());
    read(message.preferred_identities());
    read(message.alert_infos());
    read(message.call_infos());
    read(message.error_infos());
    seen += read_address(&message.from()) + read_address(&message.to()) + message.uri().map_or(0, |uri| read_uri(&uri));
    for address in [message.refer_to(), message.referred_by(), message.reply_to()].into_iter().flatten().flatten() {
        seen += read_address(&address);
    }
    seen += count(message.challenges(), n) + count(message.credentials(), n);
    seen += count(message.allow(), n) + count(message.supported(), n) + count(message.require(), n);
    seen += count(message.proxy_require(), n) + count(message.allow_events(), n) + count(message.privacy(), n);
    seen += count(message.in_reply_to(), n) + count(message.warnings(), n);
    seen += count(message.reasons().flatten().map(|one| read_params(one.params(), n)), n);
    seen += count(message.accept().map(|one| read_params(one.params(), n)), n);
    seen += count(message.accept_encoding().flatten().map(|one| read_params(one.params(), n)), n);
    seen += count(message.accept_language().flatten().map(|one| read_params(one.params(), n)), n);
    seen += message.event().and_then(Result::ok).map_or(0, |one| read_params(one.params(), n));
    seen += message.subscription_state().and_then(Result::ok).map_or(0, |one| read_params(one.params(), n));
    seen += message.session_expires().and_then(Result::ok).map_or(0, |one| read_params(one.params(), n));
    seen += message.retry_after_value().and_then(Result::ok).map_or(0, |one| read_params(one.params(), n));
    seen += message.content_type().map_or(0, |one| read_params(one.params(), n));
    _ = (message.rseq(), message.rack(), message.min_se(), message.replaces(), message.refer_sub(), message.date());
    seen +=
        count(message.unsupported(), n) + count(message.content_encoding(), n) + count(message.content_language(), n);
    seen += message.content_disposition().and_then(Result::ok).map_or(0, |one| read_params(one.params(), n));
    _ = (message.sip_etag(), message.sip_if_match(), message.timestamp(), message.priority());
    _ = (message.mime_version(), message.authentication_info(), message.flow_timer());
    _ = (message.max_forwards(), message.expires(), message.retry_after(), message.min_expires());
    if let Ok(session) = sip_core::sdp::Session::parse(message.body()) {
        seen += count(session.media(), n) + count(session.attributes(), n);
    }
    seen
}

/// Asks for everything that a 400 needs, and writes its head.
pub(crate) fn read_failure(failure: &Malformed<'_>) -> usize {
    let n = failure.bytes().len();
    assert!(failure.status() >= 400 && !failure.reason().is_empty());
    _ = (failure.answerable(), failure.from(), failure.to(), failure.call_id(), failure.cseq(), failure.is_request());
    let mut room = [0; 1024];
    let mut w = Writer::new(&mut room);
    malformed_head(&mut w, failure, Address::NONE, Some(b"t"));
    count(failure.vias(), n) + w.len()
}

/// Octets with each fold read as one space, as text.
pub(crate) fn plain(octets: &[u8]) -> String {
    unfold(octets).map(char::from).collect()
}

fn meaning_of_param(param: &Param<'_>) -> String {
    format!("{}={}", plain(param.name).to_lowercase(), param.value.map(plain).unwrap_or_default())
}

fn meaning_of_params<'a>(params: impl Iterator<Item = Param<'a>>) -> Vec<String> {
    params.map(|one| meaning_of_param(&one)).collect()
}

/// What a Via says.
pub(crate) fn meaning_of_via(via: &Via<'_>) -> String {
    format!(
        "{} {:?} {:?} {:?}",
        plain(via.transport()),
        plain(via.host().as_bytes()),
        via.port(),
        meaning_of_params(via.params())
    )
}

/// What an address says.
pub(crate) fn meaning_of_address(address: &NameAddr<'_>) -> String {
    format!(
        "{:?} {} {:?}",
        plain(address.display_name()),
        plain(address.raw_uri()),
        meaning_of_params(address.params())
    )
}

fn each<T>(items: impl Iterator<Item = Result<T, ParseError>>, say: impl Fn(&T) -> String) -> Vec<String> {
    items.map(|one| one.map_or_else(|error| format!("{error:?}"), |one| say(&one))).collect()
}

/// The headers whose values are lists of addresses.
pub(crate) const ADDRESSES: [HeaderName<'static>; 10] = [
    HeaderName::Route,
    HeaderName::RecordRoute,
    HeaderName::Path,
    HeaderName::ServiceRoute,
    HeaderName::PAssertedIdentity,
    HeaderName::PPreferredIdentity,
    HeaderName::AlertInfo,
    HeaderName::CallInfo,
    HeaderName::ErrorInfo,
    HeaderName::Contact,
];

/// What a message says, header by header; how it is laid out does not show.
pub(crate) fn meaning(message: &Message<'_>) -> Vec<String> {
    let mut said = vec![
        format!("{} {:?}", plain(message.method().as_bytes()), message.request_uri().map(plain)),
        format!("{:?} {}", message.status(), plain(message.reason())),
        format!("{} {:?}", message.cseq().number, plain(message.call_id())),
        meaning_of_address(&message.from()),
        meaning_of_address(&message.to()),
        format!("{:?} {:?}", message.max_forwards(), message.content_length()),
        format!("{:?}", message.body()),
    ];
    said.extend(each(message.vias(), meaning_of_via));
    said.push(format!("{:?} {:?}", message.contact_is_wildcard(), each(message.contacts(), meaning_of_address)));
    for name in ADDRESSES.into_iter().filter(|name| *name != HeaderName::Contact) {
        said.push(format!("{name:?} {:?}", each(message.addresses(name), meaning_of_address)));
    }
    let typed = ADDRESSES.into_iter().chain([
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CSeq,
        HeaderName::CallId,
        HeaderName::MaxForwards,
        HeaderName::ContentLength,
    ]);
    let typed: Vec<HeaderName<'_>> = typed.collect();
    for header in message.headers().filter(|header| !typed.contains(&header.name)) {
        said.push(format!("{} {:?}", plain(header.name.as_bytes()).to_lowercase(), plain(header.value)));
    }
    said.extend(message.challenges().map(|one: Challenge<'_>| format!("{one:?}")));
    said.extend(message.credentials().map(|one: Credentials<'_>| format!("{one:?}")));
    said
}
