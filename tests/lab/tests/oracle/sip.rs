//! Headers, and what `rsip` makes of them.

mod faults;

pub(super) use faults::FAULTS;

use super::{Found, Parts, one, part, text, word};
use rsip::headers::auth::AuthQop;
use rsip::prelude::{ToTypedHeader, UntypedHeader};
use sip_core::message::{
    Challenge, Credentials, HeaderName, List, MediaType, Message, NameAddr, Param, Params, Uri, Via, unquote,
};

/// What is compared; of each there is a value in the corpus that both read.
pub(super) const HEADERS: &[&str] = &[
    "Request-URI",
    "Status",
    "Via",
    "From",
    "To",
    "Contact",
    "Record-Route",
    "Route",
    "Reply-To",
    "Alert-Info",
    "Call-Info",
    "Error-Info",
    "CSeq",
    "Max-Forwards",
    "Expires",
    "Min-Expires",
    "Content-Length",
    "Content-Type",
    "Content-Disposition",
    "Accept",
    "Allow",
    "In-Reply-To",
    "Priority",
    "Warning",
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
];

/// What is read of a value: which header, what is read here, and what the other parser reads.
pub(super) type Read = (&'static str, Parts, Option<Parts>);

fn param(parts: &mut Parts, before: &str, name: &str, value: &str) {
    let name = name.to_lowercase();
    // The other parser keeps no case of these.
    let known = matches!(&name[..], "transport" | "method");
    let add = if known { word } else { part };
    add(parts, &format!("{before};{name}"), value);
}

fn our_param(parts: &mut Parts, before: &str, found: &Param<'_>) {
    param(parts, before, &text(found.name), &text(found.value.unwrap_or_default()));
}

fn our_uri(parts: &mut Parts, uri: &Uri<'_>) {
    word(parts, "scheme", uri.scheme().to_string());
    part(parts, "user", text(uri.user().unwrap_or_default()));
    part(parts, "password", text(uri.password().unwrap_or_default()));
    word(parts, "host", text(uri.host().as_bytes()));
    part(parts, "port", uri.port().unwrap_or(0));
    for found in uri.params() {
        our_param(parts, "uri", &found);
    }
}

fn our_address(address: &NameAddr<'_>) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "display name", text(unquote(address.display_name())));
    match address.uri() {
        Ok(uri) => our_uri(&mut parts, &uri),
        Err(_) => part(&mut parts, "uri", "broken"),
    }
    part(&mut parts, "tag", text(address.tag().unwrap_or_default()));
    part(&mut parts, "expires", address.expires().unwrap_or(0));
    part(&mut parts, "q", address.q().unwrap_or(0));
    for found in address.params() {
        our_param(&mut parts, "", &found);
    }
    parts
}

fn our_via(via: &Via<'_>) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "transport", text(via.transport()));
    word(&mut parts, "host", text(via.host().as_bytes()));
    part(&mut parts, "port", via.port().unwrap_or(0));
    part(&mut parts, "branch", text(via.branch().unwrap_or_default()));
    part(&mut parts, "received", text(via.received().unwrap_or_default()));
    part(&mut parts, "rport", format!("{:?}", via.rport()));
    for found in via.params() {
        our_param(&mut parts, "", &found);
    }
    parts
}

/// A token, or a media type, and the parameters behind it.
fn our_words(name: &str, params: Params<'_>) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "name", name);
    for found in params {
        // The other parser takes the quotes off.
        param(&mut parts, "", &text(found.name), &text(unquote(found.value.unwrap_or_default())));
    }
    parts
}

fn our_media_type(kind: &MediaType<'_>) -> Parts {
    our_words(&format!("{}/{}", text(kind.kind()), text(kind.subtype())), kind.params())
}

fn their_params(parts: &mut Parts, before: &str, params: &[rsip::Param]) {
    for found in params {
        let found = found.to_string();
        let found = found.strip_prefix(';').unwrap_or(&found);
        let (name, value) = found.split_once('=').unwrap_or((found, ""));
        param(parts, before, name, value);
    }
}

fn their_host(parts: &mut Parts, uri: &rsip::Uri) {
    word(parts, "host", &uri.host_with_port.host);
    part(parts, "port", uri.host_with_port.port.as_ref().map_or(0, |port| *port.value()));
}

fn their_uri(parts: &mut Parts, uri: &rsip::Uri) {
    word(parts, "scheme", uri.scheme.as_ref().map(ToString::to_string).unwrap_or_default());
    part(parts, "user", uri.auth.as_ref().map(|auth| auth.user.clone()).unwrap_or_default());
    part(parts, "password", uri.auth.as_ref().and_then(|auth| auth.password.clone()).unwrap_or_default());
    their_host(parts, uri);
    their_params(parts, "uri", &uri.params);
}

fn their_address(display_name: Option<&String>, uri: &rsip::Uri, params: &[rsip::Param]) -> Parts {
    let mut parts = Parts::new();
    let name = display_name.map_or("", |name| name.trim());
    part(&mut parts, "display name", name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name));
    their_uri(&mut parts, uri);
    let of = |pick: fn(&rsip::Param) -> Option<String>| params.iter().find_map(pick);
    let tag = of(|param| if let rsip::Param::Tag(tag) = param { Some(tag.to_string()) } else { None });
    part(&mut parts, "tag", tag.unwrap_or_default());
    let expires = of(|param| if let rsip::Param::Expires(one) = param { Some(one.to_string()) } else { None });
    part(&mut parts, "expires", expires.map_or(0, |seconds| seconds.parse::<u32>().unwrap_or(3600)));
    let q = of(|param| if let rsip::Param::Q(q) = param { Some(q.to_string()) } else { None });
    let q = q.and_then(|q| q.parse::<f64>().ok()).filter(|q| (0.0..=1.0).contains(q));
    part(&mut parts, "q", q.map_or(0, |q| (q * 1000.0).round() as u16));
    their_params(&mut parts, "", params);
    parts
}

fn their_via(value: &str) -> Option<Parts> {
    let via = rsip::headers::Via::new(value).typed().ok()?;
    let mut parts = Parts::new();
    word(&mut parts, "transport", via.transport);
    their_host(&mut parts, &via.uri);
    part(&mut parts, "branch", via.branch().map(ToString::to_string).unwrap_or_default());
    let received = via.params.iter().find_map(|param| match param {
        rsip::Param::Received(received) => Some(received.to_string()),
        _ => None,
    });
    part(&mut parts, "received", received.unwrap_or_default());
    let rport = via.params.iter().find_map(|param| match param {
        rsip::Param::Other(name, value) if name.value().eq_ignore_ascii_case("rport") => {
            Some(value.as_ref().and_then(|value| value.value().parse::<u16>().ok()))
        }
        _ => None,
    });
    part(&mut parts, "rport", format!("{rport:?}"));
    their_params(&mut parts, "", &via.params);
    Some(parts)
}

/// The same of what is shown as `name; parameter=value; …`.
fn their_words(name: &str, params: impl Iterator<Item = (String, String)>) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "name", name.trim());
    for (name, value) in params {
        param(&mut parts, "", &name, &value);
    }
    parts
}

fn their_media_type(kind: rsip::typed::MediaType) -> Parts {
    use rsip::typed::MediaType as Theirs;
    let (name, params) = match kind {
        Theirs::Sdp(params) => ("application/sdp".to_owned(), params),
        Theirs::Other(name, params) => (name, params),
    };
    their_words(&name, params.into_iter().map(|param| (param.0, param.1)))
}

fn our_challenge(ours: &Challenge<'_>) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "scheme", text(ours.scheme));
    for (name, value) in [("realm", Some(ours.realm)), ("nonce", Some(ours.nonce)), ("opaque", ours.opaque)] {
        part(&mut parts, name, text(value.unwrap_or_default()));
    }
    word(&mut parts, "algorithm", text(ours.algorithm.as_bytes()));
    part(&mut parts, "qop", ours.qop.then_some(ours.qop_auth).map_or(String::new(), |auth| auth.to_string()));
    part(&mut parts, "stale", ours.stale);
    parts
}

fn their_challenge(theirs: rsip::typed::WwwAuthenticate) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "scheme", theirs.scheme);
    part(&mut parts, "realm", theirs.realm);
    part(&mut parts, "nonce", theirs.nonce);
    part(&mut parts, "opaque", theirs.opaque.unwrap_or_default());
    word(&mut parts, "algorithm", theirs.algorithm.map_or("md5".to_owned(), |algorithm| algorithm.to_string()));
    let auth = theirs.qop.map(|qop| qop == rsip::headers::auth::Qop::Auth);
    part(&mut parts, "qop", auth.map_or(String::new(), |auth| auth.to_string()));
    part(&mut parts, "stale", theirs.stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true")));
    parts
}

fn our_credentials(ours: &Credentials<'_>) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "scheme", text(ours.scheme));
    for (name, value) in [
        ("username", Some(ours.username)),
        ("realm", Some(ours.realm)),
        ("nonce", Some(ours.nonce)),
        ("uri", Some(ours.uri)),
        ("response", Some(ours.response)),
        ("opaque", ours.opaque),
        ("qop", ours.qop),
        ("cnonce", ours.cnonce),
        ("nc", ours.nc),
    ] {
        part(&mut parts, name, text(value.unwrap_or_default()));
    }
    word(&mut parts, "algorithm", text(ours.algorithm.as_bytes()));
    parts
}

/// Quality of protection, the client's nonce and the count; the other parser keeps the latter as a number.
fn their_qop(qop: Option<AuthQop>) -> [(&'static str, String); 3] {
    let (name, cnonce, nc) = match qop {
        Some(AuthQop::Auth { cnonce, nc }) => ("auth", cnonce, format!("{nc:08}")),
        Some(AuthQop::AuthInt { cnonce, nc }) => ("auth-int", cnonce, format!("{nc:08}")),
        None => ("", String::new(), String::new()),
    };
    [("qop", name.to_owned()), ("cnonce", cnonce), ("nc", nc)]
}

fn their_credentials(theirs: rsip::typed::Authorization) -> Parts {
    let mut parts = Parts::new();
    word(&mut parts, "scheme", theirs.scheme);
    part(&mut parts, "username", theirs.username);
    part(&mut parts, "realm", theirs.realm);
    part(&mut parts, "nonce", theirs.nonce);
    part(&mut parts, "uri", theirs.uri);
    part(&mut parts, "response", theirs.response);
    part(&mut parts, "opaque", theirs.opaque.unwrap_or_default());
    for (name, value) in their_qop(theirs.qop) {
        part(&mut parts, name, value);
    }
    word(&mut parts, "algorithm", theirs.algorithm.map_or("md5".to_owned(), |algorithm| algorithm.to_string()));
    parts
}

/// All that there is to be compared in the headers of a message.
pub(super) fn read(m: &Message<'_>) -> Vec<Read> {
    let mut read: Vec<Read> = Vec::new();
    let mut add = |what, ours, theirs| read.push((what, ours, theirs));
    for via in m.vias().flatten() {
        add("Via", our_via(&via), their_via(&text(via.raw())));
    }
    macro_rules! address {
        ($header:literal, $reader:ident, $addresses:expr) => {
            for address in $addresses {
                let theirs = rsip::headers::$reader::new(text(address.raw())).typed().ok();
                let theirs = theirs.map(|one| their_address(one.display_name.as_ref(), &one.uri, &one.params));
                add($header, our_address(&address), theirs);
            }
        };
    }
    address!("From", From, [m.from()]);
    address!("To", To, [m.to()]);
    address!("Contact", Contact, m.contacts().flatten());
    // The other parser has its own idea of the rest, or keeps their text; one element is a name-addr as in Contact.
    address!("Record-Route", Contact, m.record_routes().flatten());
    address!("Route", Contact, m.routes().flatten());
    address!("Reply-To", Contact, m.reply_to().into_iter().flatten());
    let infos: [(&'static str, List<'_, '_, NameAddr<'_>>); 3] =
        [("Alert-Info", m.alert_infos()), ("Call-Info", m.call_infos()), ("Error-Info", m.error_infos())];
    for (what, infos) in infos {
        for info in infos.flatten() {
            let theirs = rsip::headers::Contact::new(text(info.raw())).typed().ok();
            add(
                what,
                our_address(&info),
                theirs.map(|one| their_address(one.display_name.as_ref(), &one.uri, &one.params)),
            );
        }
    }
    if let Some(uri) = m.uri() {
        let mut parts = Parts::new();
        our_uri(&mut parts, &uri);
        let theirs = rsip::Uri::try_from(text(uri.raw())).ok().map(|uri| {
            let mut parts = Parts::new();
            their_uri(&mut parts, &uri);
            parts
        });
        add("Request-URI", parts, theirs);
    }
    if let Some(status) = m.status() {
        let line = text(m.bytes().split(|octet| *octet == b'\r').next().unwrap_or_default());
        let code = line.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        add("Status", one(status), code.map(|code| one(rsip::StatusCode::from(code).code())));
    }
    values(m, &mut read);
    security(m, &mut read);
    read
}

/// The value of the first row of a name, as text.
fn row(m: &Message<'_>, name: HeaderName<'static>) -> Option<String> {
    m.header(name).map(text)
}

/// Numbers, words and lists.
fn values(m: &Message<'_>, read: &mut Vec<Read>) {
    let mut add = |what, ours, theirs| read.push((what, ours, theirs));
    let theirs = row(m, HeaderName::CSeq).and_then(|value| rsip::headers::CSeq::new(value).typed().ok());
    let ours = format!("{} {}", m.cseq().number, text(m.cseq().method.as_bytes()));
    add("CSeq", one(ours), theirs.map(|cseq| one(format!("{} {}", cseq.seq, cseq.method))));
    if let (Some(Ok(ours)), Some(value)) = (m.max_forwards(), row(m, HeaderName::MaxForwards)) {
        add("Max-Forwards", one(ours), rsip::headers::MaxForwards::new(value).num().ok().map(one));
    }
    if let (Some(ours), Some(value)) = (m.expires(), row(m, HeaderName::Expires)) {
        add("Expires", one(ours), rsip::headers::Expires::new(value).seconds().ok().map(one));
    }
    if let (Some(ours), Some(value)) = (m.min_expires(), row(m, HeaderName::MinExpires)) {
        add("Min-Expires", one(ours), rsip::headers::MinExpires::new(value).seconds().ok().map(one));
    }
    if let (Some(ours), Some(value)) = (m.content_length(), row(m, HeaderName::ContentLength)) {
        add("Content-Length", one(ours), rsip::headers::ContentLength::new(value).length().ok().map(one));
    }
    if let Some(kind) = m.content_type() {
        let theirs = rsip::headers::ContentType::new(text(kind.raw())).typed().ok();
        add("Content-Type", our_media_type(&kind), theirs.map(|kind| their_media_type(kind.0)));
    }
    for kind in m.accept() {
        let theirs = rsip::headers::ContentType::new(text(kind.raw())).typed().ok();
        add("Accept", our_media_type(&kind), theirs.map(|kind| their_media_type(kind.0)));
    }
    if let (Some(Ok(ours)), Some(value)) = (m.content_disposition(), row(m, HeaderName::ContentDisposition)) {
        let theirs = rsip::headers::ContentDisposition::new(value).typed().ok().map(|theirs| {
            let params = theirs.display_params.into_iter().map(|param| (param.0, param.1));
            their_words(&theirs.display_type.to_string(), params)
        });
        add("Content-Disposition", our_words(&text(ours.kind()), ours.params()), theirs);
    }
    // Each row is a list to the other parser.
    let rows = |name: HeaderName<'static>| m.header_rows(name).map(text).collect::<Vec<_>>();
    let allow = rows(HeaderName::Allow);
    if !allow.is_empty() {
        let ours: Vec<String> = m.allow().map(|method| text(method.as_bytes())).collect();
        let theirs = allow.into_iter().map(|row| Some(rsip::headers::Allow::new(row).typed().ok()?.0));
        let theirs = theirs.collect::<Option<Vec<_>>>().map(|rows| rows.concat());
        let theirs = theirs.map(|methods| methods.iter().map(ToString::to_string).collect::<Vec<_>>());
        add("Allow", one(ours.join(",")), theirs.map(|methods| one(methods.join(","))));
    }
    let replied = rows(HeaderName::InReplyTo);
    if !replied.is_empty() {
        let ours: Vec<String> = m.in_reply_to().map(text).collect();
        let theirs = replied.into_iter().map(|row| Some(rsip::headers::InReplyTo::new(row).typed().ok()?.0));
        let theirs = theirs.collect::<Option<Vec<_>>>().map(|rows| rows.concat());
        add("In-Reply-To", one(ours.join(",")), theirs.map(|calls| one(calls.join(","))));
    }
    if let (Some(Ok(ours)), Some(value)) = (m.priority(), row(m, HeaderName::Priority)) {
        let theirs = rsip::headers::Priority::new(value).typed().ok().map(|priority| priority.to_string());
        add("Priority", one(text(ours).to_lowercase()), theirs.map(|priority| one(priority.to_lowercase())));
    }
    for (element, ours) in m.values(HeaderName::Warning).zip(m.warnings()) {
        let Ok(ours) = ours else { continue };
        let shown = |code: u16, agent: &str, said: &str| one(format!("{code} {agent} {said}"));
        let theirs = rsip::headers::Warning::new(text(element)).typed().ok();
        let theirs = theirs
            .map(|theirs| shown(theirs.code, &theirs.uri.host_with_port.to_string(), theirs.text.trim_matches('"')));
        add("Warning", shown(ours.code, &text(ours.agent), &text(ours.text)), theirs);
    }
}

/// Challenges, credentials, and what a server says of them.
fn security(m: &Message<'_>, read: &mut Vec<Read>) {
    for header in m.headers() {
        let value = text(header.value);
        match header.name {
            HeaderName::Authorization | HeaderName::ProxyAuthorization => {
                let Some(ours) = Credentials::of(&header) else { continue };
                let (what, theirs) = if ours.proxy {
                    ("Proxy-Authorization", rsip::headers::ProxyAuthorization::new(value).typed().ok().map(|one| one.0))
                } else {
                    ("Authorization", rsip::headers::Authorization::new(value).typed().ok())
                };
                read.push((what, our_credentials(&ours), theirs.map(their_credentials)));
            }
            _ => {}
        }
    }
    for (what, name, proxy) in [
        ("WWW-Authenticate", HeaderName::WwwAuthenticate, false),
        ("Proxy-Authenticate", HeaderName::ProxyAuthenticate, true),
    ] {
        // The other parser reads one challenge a row.
        let rows: Vec<String> = m.header_rows(name).map(text).collect();
        let ours: Vec<Challenge<'_>> = m.challenges().filter(|one| one.proxy == proxy).collect();
        if ours.is_empty() {
            continue;
        }
        let theirs: Option<Vec<Parts>> = rows
            .into_iter()
            .map(|row| rsip::headers::WwwAuthenticate::new(row).typed().ok().map(their_challenge))
            .collect();
        read.push((what, ours.iter().flat_map(our_challenge).collect(), theirs.map(|all| all.concat())));
    }
    if let (Some(Ok(ours)), Some(value)) = (m.authentication_info(), row(m, HeaderName::AuthenticationInfo)) {
        let mut parts = Parts::new();
        for (name, value) in [
            ("nextnonce", ours.next_nonce),
            ("rspauth", ours.response_auth),
            ("qop", ours.qop),
            ("cnonce", ours.cnonce),
            ("nc", ours.nc),
        ] {
            part(&mut parts, name, text(value.unwrap_or_default()));
        }
        let theirs = rsip::headers::AuthenticationInfo::new(value).typed().ok().map(|theirs| {
            let mut parts = Parts::new();
            part(&mut parts, "nextnonce", theirs.nextnonce);
            part(&mut parts, "rspauth", theirs.rspauth.unwrap_or_default());
            for (name, value) in their_qop(theirs.qop) {
                part(&mut parts, name, value);
            }
            parts
        });
        read.push(("Authentication-Info", parts, theirs));
    }
}

impl Found {
    pub(super) fn headers(&mut self, title: &str, message: &Message<'_>) {
        for (what, ours, theirs) in read(message) {
            self.compare(title, what, ours, theirs);
        }
    }
}
