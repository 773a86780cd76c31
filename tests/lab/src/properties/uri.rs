//! URIs: what is read is what was written, and the comparison of RFC 3261 §19.1.4 keeps its rules.

use super::message;
use super::said::{Said, each};
use super::shown;
use sip_core::message::{Host, NameAddr, Scheme, Uri};

/// The URI parameters that count for the comparison also when only one of two URIs has them (RFC 3261 §19.1.4).
const COUNTING: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
/// The library compares more parameters or headers than these by octets.
const COMPARED: usize = 64;

/// A change of a URI whose effect on the comparison RFC 3261 §19.1.4 tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The unreserved character at this place is written as its escape, in upper or lower case. Equivalent.
    Escape(usize, bool),
    /// Letters in other case where case does not count: scheme, host, names and values of parameters. Equivalent.
    Case,
    /// The parameters and headers from the last to the first. Equivalent.
    Order,
    /// A parameter that no one knows. Equivalent.
    Unknown,
    /// A parameter that counts also when only one URI has it. Not equivalent.
    Counting(usize),
    /// Another user, or one where there was none. Not equivalent.
    User,
    /// Another port, also the default one where there was none. Not equivalent.
    Port,
    /// One more header. Not equivalent.
    Header,
}

/// What holds of a text that may be a URI, and of that URI changed.
///
/// # Panics
/// When it does not hold.
pub fn uri(text: &[u8], change: Change) {
    host(text);
    let Ok(uri) = Uri::parse(text) else { return };
    let mut said = Said::default();
    message::uri(&mut said, &uri);
    assert_eq!(uri.raw(), text);
    if !uri.is_sip() {
        return opaque(&uri);
    }
    let plain = printed(&uri);
    assert_eq!(plain, text, "the parts are not the whole");
    for (before, behind) in [(&b"<"[..], &b">;tag=1"[..]), (b"\"A, <B>\"<", b">"), (b"x y <", b"> ;q=1")] {
        let address = [before, text, behind].concat();
        let read = NameAddr::parse(&address).map(|address| address.raw_uri());
        assert!(read == Ok(text) || address.len() > usize::from(u16::MAX), "not an address: {}", shown(&address));
    }
    if has_doubles(&uri) {
        // RFC 3261 §19.1.1 has a parameter occur once; what a second one is compared with is not said.
        return;
    }
    let Some((changed, same)) = changed(&uri, change) else { return };
    let Ok(other) = Uri::parse(&changed) else { panic!("{change:?} made no URI: {}", shown(&changed)) };
    let found = (uri.equivalent(&other), other.equivalent(&uri));
    assert_eq!(found, (same, same), "{change:?}: {} and {}", shown(text), shown(&changed));
}

/// What holds of two texts that may be URIs: the comparison is symmetric, says that equal ones are equal, and says the same when
/// all escapes are gone that need not be.
///
/// # Panics
/// When it does not hold.
pub fn uris(one: &[u8], other: &[u8]) {
    let (Ok(first), Ok(second)) = (Uri::parse(one), Uri::parse(other)) else { return };
    let found = first.equivalent(&second);
    assert_eq!(found, second.equivalent(&first), "not symmetric: {} and {}", shown(one), shown(other));
    assert!(found || one != other, "not equal to itself: {}", shown(one));
    if !first.is_sip() || !second.is_sip() || [&first, &second].iter().any(|uri| has_doubles(uri)) {
        return;
    }
    let (short_one, short_other) = (unescaped(one), unescaped(other));
    let (Ok(short_first), Ok(short_second)) = (Uri::parse(&short_one), Uri::parse(&short_other)) else {
        panic!("no URI without its escapes: {} or {}", shown(&short_one), shown(&short_other))
    };
    assert_eq!(found, short_first.equivalent(&short_second), "escapes change {} and {}", shown(one), shown(other));
    assert!(first.equivalent(&short_first), "not the same without escapes: {}", shown(one));
}

fn host(text: &[u8]) {
    let Ok(host) = Host::parse(text) else { return };
    assert_eq!(host.as_bytes(), text);
    assert!(host.same(host));
    match (host, host.ip()) {
        (Host::Name(_), None) => {}
        (Host::V4(_) | Host::V6(_), Some(ip)) => {
            let plain = if ip.is_ipv4() { format!("{ip}") } else { format!("[{ip}]") };
            let again = Host::parse(plain.as_bytes()).expect("an address as the standard library writes it");
            assert!(again.same(host) && host.same(again));
        }
        _ => panic!("{host:?} has the address {:?}", host.ip()),
    }
}

fn opaque(uri: &Uri<'_>) {
    if let (Scheme::Tel, Some(number)) = (uri.scheme(), uri.user()) {
        let whole = [&uri.raw()[..4], number, uri.raw_params()].concat();
        assert_eq!(whole, uri.raw(), "the parts are not the whole");
    }
}

/// The URI put together from its parts.
fn printed(uri: &Uri<'_>) -> Vec<u8> {
    let colon = uri.raw().iter().position(|octet| *octet == b':').expect("a scheme");
    let mut text = uri.raw()[..=colon].to_vec();
    if let Some(user) = uri.user() {
        text.extend_from_slice(user);
        if let Some(password) = uri.password() {
            text.push(b':');
            text.extend_from_slice(password);
        }
        text.push(b'@');
    }
    text.extend_from_slice(uri.host().as_bytes());
    if uri.port().is_some() {
        // As it is written: leading zeros stay.
        let rest = &uri.raw()[text.len()..];
        let end = rest.iter().position(|octet| matches!(octet, b';' | b'?')).unwrap_or(rest.len());
        let digits = core::str::from_utf8(&rest[1..end]).ok().and_then(|digits| digits.parse().ok());
        assert!(rest.starts_with(b":") && digits == uri.port());
        text.extend_from_slice(&rest[..end]);
    }
    text.extend_from_slice(uri.raw_params());
    if !uri.headers().is_empty() {
        text.push(b'?');
        text.extend_from_slice(uri.headers());
    }
    text
}

/// Whether a parameter or header occurs twice, or there are more than are compared one by one.
fn has_doubles(uri: &Uri<'_>) -> bool {
    [uri.params(), uri.header_components()].into_iter().any(|list| {
        let mut names: Vec<Vec<u8>> = Vec::new();
        each(list, uri.raw().len(), |param| names.push(unescaped(param.name).to_ascii_lowercase()));
        let count = names.len();
        names.sort();
        names.dedup();
        names.len() != count || count >= COMPARED
    })
}

const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

/// The text without the escapes of unreserved characters; the other escapes in upper case.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let digits = if *first == b'%' { tail.get(..2) } else { None };
        let code = digits.and_then(|digits| core::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) if is_unreserved(octet) => plain.push(octet),
            Some(octet) => plain.extend_from_slice(format!("%{octet:02X}").as_bytes()),
            None => {
                plain.push(*first);
                rest = tail;
                continue;
            }
        }
        rest = &tail[2..];
    }
    plain
}

/// Escapes an octet of `part`; `None` when it may not be, or stands within an escape.
fn escape(part: &mut Vec<u8>, place: usize, upper: bool) -> Option<()> {
    let at = place % part.len();
    if !is_unreserved(part[at]) || part[at.saturating_sub(2)..at].contains(&b'%') {
        return None;
    }
    let code = if upper { format!("%{:02X}", part[at]) } else { format!("%{:02x}", part[at]) };
    part.splice(at..=at, code.into_bytes());
    Some(())
}

/// The parts of `text` in the opposite order.
fn turned(text: &[u8], separator: u8) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = text.split(|octet| *octet == separator).collect();
    parts.reverse();
    parts.join(&separator)
}

/// A URI of these parts; the user brings its password.
fn put_together(
    scheme: Vec<u8>,
    user: Option<Vec<u8>>,
    host: &[u8],
    port: Option<u16>,
    params: &[u8],
    headers: &[u8],
) -> Vec<u8> {
    let mut text = scheme;
    text.push(b':');
    if let Some(user) = user {
        text.extend_from_slice(&user);
        text.push(b'@');
    }
    text.extend_from_slice(host);
    if let Some(port) = port {
        text.extend_from_slice(format!(":{port}").as_bytes());
    }
    text.extend_from_slice(params);
    if !headers.is_empty() {
        text.push(b'?');
        text.extend_from_slice(headers);
    }
    text
}

/// The URI changed, and whether it is still the same one; `None` when the change can't be made.
fn changed(uri: &Uri<'_>, change: Change) -> Option<(Vec<u8>, bool)> {
    let colon = uri.raw().iter().position(|octet| *octet == b':')?;
    let (mut scheme, mut host) = (uri.raw()[..colon].to_vec(), uri.host().as_bytes().to_vec());
    let mut user = uri.user().map(<[u8]>::to_vec);
    let mut port = uri.port();
    let (mut params, mut headers) = (uri.raw_params().to_vec(), uri.headers().to_vec());
    let mut same = true;
    match change {
        Change::Escape(place, upper) => {
            let parts: [&mut Vec<u8>; 2] = [user.get_or_insert_default(), &mut params];
            escape(parts.into_iter().find(|part| !part.is_empty())?, place, upper)?;
            user = user.filter(|user| !user.is_empty());
        }
        Change::Case => {
            let flip = |octet: &mut u8| {
                *octet =
                    if octet.is_ascii_uppercase() { octet.to_ascii_lowercase() } else { octet.to_ascii_uppercase() }
            };
            scheme.iter_mut().for_each(flip);
            host.iter_mut().for_each(flip);
            params.iter_mut().for_each(flip);
        }
        Change::Order => {
            if let [b';', rest @ ..] = &params[..] {
                params = [&b";"[..], &turned(rest, b';')].concat();
            }
            headers = turned(&headers, b'&');
        }
        Change::Unknown => {
            if uri.param(b"x-none").is_some() {
                return None;
            }
            params.extend_from_slice(b";x-none=1");
        }
        Change::Counting(which) => {
            let name = COUNTING[which % COUNTING.len()];
            if uri.param(name).is_some() {
                return None;
            }
            params = [&b";"[..], name, b"=1", &params].concat();
            same = false;
        }
        Change::User => {
            user.get_or_insert_default().push(b'1');
            same = false;
        }
        Change::Port => {
            port = match port {
                None => Some(5060),
                Some(port) => Some(port ^ 1),
            };
            same = false;
        }
        Change::Header => {
            if !headers.is_empty() {
                headers.push(b'&');
            }
            if uri.header_components().any(|header| header.is(b"x-none")) {
                return None;
            }
            headers.extend_from_slice(b"x-none=1");
            same = false;
        }
    }
    let user = user.map(|user| match uri.password() {
        Some(password) => [&user[..], b":", password].concat(),
        None => user,
    });
    let text = put_together(scheme, user, &host, port, &params, &headers);
    (text.len() <= usize::from(u16::MAX)).then_some((text, same))
}
