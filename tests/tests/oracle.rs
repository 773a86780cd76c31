//! Every typed field of the corpus, and of the messages in the folder that `SIP_BENCH_DIR` names, is what an independent parser
//! reads: Request-URI, Via, From, To, Contact, Route, Record-Route, CSeq, Max-Forwards, Expires, Content-Length, Content-Type and
//! Authorization. Case, the order of parameters and the parameters of Content-Type are not compared.
//!
//! Where both differ the RFC decides. What the other parser gets wrong, or does not take at all, is in a table with the section
//! that says so; an entry that no longer differs fails the test, so that none goes stale.

use rsip::headers::auth::AuthQop;
use rsip::prelude::{ToTypedHeader, UntypedHeader};
use sip_core::message::{Credentials, Header, HeaderName, Message, NameAddr, Param, Scheme, Uri, Via};
use sip_testkit::corpus::corpus;
use std::collections::{BTreeMap, BTreeSet};

/// The parts of a value: which one, and what it is, in lower case.
type Parts = Vec<(String, String)>;

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[allow(clippy::needless_pass_by_value, reason = "texts and numbers, made on the spot")]
fn part(parts: &mut Parts, name: &str, value: impl ToString) {
    parts.push((name.to_lowercase(), value.to_string().to_lowercase()));
}

fn our_param(parts: &mut Parts, before: &str, param: &Param<'_>) {
    part(parts, &format!("{before};{}", text(param.name)), text(param.value.unwrap_or_default()));
}

fn our_uri(parts: &mut Parts, uri: &Uri<'_>) {
    let scheme = match uri.scheme() {
        Scheme::Sip => "sip".to_owned(),
        Scheme::Sips => "sips".to_owned(),
        Scheme::Tel => "tel".to_owned(),
        Scheme::Other(name) => text(name),
    };
    part(parts, "scheme", scheme);
    part(parts, "user", text(uri.user().unwrap_or_default()));
    part(parts, "password", text(uri.password().unwrap_or_default()));
    part(parts, "host", text(uri.host().as_bytes()));
    part(parts, "port", uri.port().unwrap_or(0));
    for param in uri.params() {
        our_param(parts, "uri", &param);
    }
}

fn our_address(address: &NameAddr<'_>) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "display name", text(sip_core::message::unquote(address.display_name())));
    match address.uri() {
        Ok(uri) => our_uri(&mut parts, &uri),
        Err(_) => part(&mut parts, "uri", "broken"),
    }
    part(&mut parts, "tag", text(address.tag().unwrap_or_default()));
    for param in address.params() {
        our_param(&mut parts, "", &param);
    }
    parts
}

fn our_via(via: &Via<'_>) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "transport", text(via.transport()));
    part(&mut parts, "host", text(via.host().as_bytes()));
    part(&mut parts, "port", via.port().unwrap_or(0));
    part(&mut parts, "branch", text(via.branch().unwrap_or_default()));
    part(&mut parts, "received", text(via.received().unwrap_or_default()));
    for param in via.params() {
        our_param(&mut parts, "", &param);
    }
    parts
}

fn their_params(parts: &mut Parts, before: &str, params: &[rsip::Param]) {
    for param in params {
        let param = param.to_string();
        let param = param.strip_prefix(';').unwrap_or(&param);
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        part(parts, &format!("{before};{name}"), value);
    }
}

fn their_host(parts: &mut Parts, uri: &rsip::Uri) {
    part(parts, "host", &uri.host_with_port.host);
    part(parts, "port", uri.host_with_port.port.as_ref().map_or(0, |port| *port.value()));
}

fn their_uri(parts: &mut Parts, uri: &rsip::Uri) {
    part(parts, "scheme", uri.scheme.as_ref().map(ToString::to_string).unwrap_or_default());
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
    let tag = params.iter().find_map(|param| match param {
        rsip::Param::Tag(tag) => Some(tag.to_string()),
        _ => None,
    });
    part(&mut parts, "tag", tag.unwrap_or_default());
    their_params(&mut parts, "", params);
    parts
}

fn their_via(value: &str) -> Option<Parts> {
    let via = rsip::headers::Via::new(value).typed().ok()?;
    let mut parts = Parts::new();
    part(&mut parts, "transport", via.transport);
    their_host(&mut parts, &via.uri);
    part(&mut parts, "branch", via.branch().map(ToString::to_string).unwrap_or_default());
    let received = via.params.iter().find_map(|param| match param {
        rsip::Param::Received(received) => Some(received.to_string()),
        _ => None,
    });
    part(&mut parts, "received", received.unwrap_or_default());
    their_params(&mut parts, "", &via.params);
    Some(parts)
}

/// What the other parser gets wrong, the section that says so, and the values of the corpus that show it.
const FAULTS: &[(&str, &str, &[&str])] = &[
    (
        "An IPv6 address as a host is not taken",
        "RFC 3261 §25.1 IPv6reference",
        &[
            "addresses/contact-ipv6 Contact",
            "routing/route-over-ipv6 Request-URI",
            "routing/route-over-ipv6 Route",
            "uris/ipv6 Request-URI",
            "uris/ipv6-full Request-URI",
            "uris/ipv6-mapped Request-URI",
            "uris/ipv6-port-lookalike Request-URI",
            "uris/ipv6-three-colons-before-ipv4 Request-URI",
            "uris/ipv6-user-port Request-URI",
            "vias/ipv6 Via",
            "vias/ipv6-mapped Via",
            "vias/ipv6-port-received Via",
            "vias/ipv6-received-in-brackets Via",
            "vias/ipv6-unspecified Via",
        ],
    ),
    (
        "A URI of another scheme is no URI, or is read as if it were one of SIP",
        "RFC 3261 §25.1 absoluteURI",
        &[
            "addresses/contacts-in-one-row Contact",
            "addresses/other-schemes From",
            "addresses/other-schemes To",
            "addresses/scheme-and-a-slash From",
            "addresses/scheme-and-a-slash To",
            "addresses/tel-both From",
            "addresses/tel-both Request-URI",
            "addresses/tel-both To",
            "extensions/geolocation Request-URI",
            "layout/shortest From",
            "layout/shortest Request-URI",
            "layout/shortest To",
            "responses/300-choices Contact",
            "uris/im Request-URI",
            "uris/scheme-with-dots Request-URI",
            "uris/tel Request-URI",
            "uris/tel-local-with-extension Request-URI",
            "uris/unknown-scheme Request-URI",
            "uris/urn-service Request-URI",
        ],
    ),
    (
        "A method that is no known one is not taken",
        "RFC 3261 §7.1 extension-method",
        &[
            "layout/shortest CSeq",
            "methods/an-extension CSeq",
            "methods/an-extension-of-256-letters CSeq",
            "methods/an-extension-of-every-token-character CSeq",
            "methods/an-extension-of-one-letter CSeq",
            "methods/an-extension-that-begins-like-a-method CSeq",
            "methods/cseq-of-the-extension-with-zeros CSeq",
        ],
    ),
    (
        "A fold, or white space around a separator, is not taken",
        "RFC 3261 §7.3.1, §25.1 SEMI, EQUAL, SLASH",
        &[
            "addresses/folded-in-every-place From",
            "addresses/tag-in-upper-case-with-spaces From",
            "addresses/tag-in-upper-case-with-spaces To",
            "auth/digest-folded Authorization",
            "layout/a-fold-in-every-header CSeq",
            "layout/a-fold-in-every-header From",
            "layout/a-fold-in-every-header Via",
            "layout/fold-in-a-quoted-string Contact",
            "vias/folded Via",
            "vias/spaces-everywhere Via",
        ],
    ),
    (
        "A transport that is no known one, or in lower case, is not taken",
        "RFC 3261 §25.1 other-transport, §7.3.1",
        &["layout/shortest Via", "vias/transport-in-lower-case Via", "vias/unknown-transport Via"],
    ),
    (
        "A quoted string as the value of a parameter ends or breaks the value",
        "RFC 3261 §25.1 gen-value",
        &[
            "addresses/contact-expires-quoted-and-overlarge Contact",
            "addresses/contact-with-an-instance Contact",
            "addresses/contact-with-capabilities Contact",
            "addresses/contact-with-gruus Contact",
            "addresses/parameters-beside-the-tag From",
            "bodies/multipart-quoted-boundary Content-Type",
            "extensions/outbound-registration Contact",
            "routing/record-route-with-a-name-and-parameters Record-Route",
            "routing/routes-in-rows-and-commas Route",
            "vias/comp-and-sigcomp Via",
            "vias/quoted-parameter-with-separators Via",
        ],
    ),
    (
        "Separators in a quoted display name are taken for separators",
        "RFC 3261 §25.1 quoted-string",
        &["addresses/quoted-name-with-separators From"],
    ),
    (
        "Characters that a user can have end it",
        "RFC 3261 §25.1 user-unreserved",
        &[
            "uris/temporary-gruu Request-URI",
            "uris/user-is-a-uri Request-URI",
            "uris/user-of-every-character Request-URI",
            "uris/user-with-separators Request-URI",
        ],
    ),
    (
        "Characters that a URI parameter can have end it",
        "RFC 3261 §25.1 paramchar",
        &["uris/cause-and-target Request-URI", "uris/gruu Request-URI", "uris/parameter-of-odd-characters Request-URI"],
    ),
    ("The header components of a URI are not taken", "RFC 3261 §25.1 headers", &["uris/headers-in-a-contact Contact"]),
    (
        "A branch ends at what is no token, where any visible character is tolerated here",
        "RFC 3261 §25.1 via-branch",
        &["vias/branch-of-odd-characters Via"],
    ),
    (
        "A percent sign without two digits, and a URI without a host, are taken",
        "RFC 3261 §25.1 escaped, host",
        &["odd/contact-bad-escapes Contact", "odd/contact-bad-hosts Contact"],
    ),
    (
        "Of credentials only those of Digest with all of RFC 2617, an algorithm and a URI of its own list are taken",
        "RFC 3261 §25.1 other-response, RFC 8760",
        &[
            "auth/basic Authorization",
            "auth/bearer Authorization",
            "auth/digest-extended-user-name Authorization",
            "auth/digest-sha-256 Authorization",
            "auth/digest-sha-512-256-with-a-hashed-user Authorization",
            "auth/digest-with-escapes Authorization",
            "auth/empty-values Authorization",
            "auth/unknown-scheme Authorization",
            "odd/credentials-of-separators Authorization",
        ],
    ),
    (
        "A number beyond 32 bits is not taken, which counts as the largest one",
        "RFC 4475 §3.1.2.4",
        &["headers/expires-overlarge Expires"],
    ),
    (
        "A media type with white space around its slash is not taken",
        "RFC 3261 §25.1 m-type SLASH",
        &["bodies/type-of-odd-form Content-Type"],
    ),
];

/// What is found by comparing.
#[derive(Default)]
struct Found {
    /// Values that both read, and how many parts of them were the same.
    values: usize,
    parts: usize,
    /// The values that the other parser does not take, or of which a part differs; and how.
    differ: BTreeMap<String, String>,
}

impl Found {
    #[allow(clippy::needless_pass_by_value, reason = "made for the comparison")]
    fn compare(&mut self, title: &str, header: &str, ours: Parts, theirs: Option<Parts>) {
        let place = format!("{title} {header}");
        match theirs {
            Some(theirs) if unordered(&ours) == unordered(&theirs) => {
                self.values += 1;
                self.parts += ours.len();
            }
            theirs => _ = self.differ.insert(place, format!("{ours:?}, the other {theirs:?}")),
        }
    }

    fn message(&mut self, title: &str, octets: &[u8]) {
        let Ok(m) = Message::parse(octets) else { return };
        for via in m.vias().flatten() {
            self.compare(title, "Via", our_via(&via), their_via(&text(via.raw())));
        }
        macro_rules! address {
            ($header:literal, $reader:ident, $addresses:expr) => {
                for address in $addresses {
                    let theirs = rsip::headers::$reader::new(text(address.raw())).typed().ok();
                    let theirs = theirs.map(|one| their_address(one.display_name.as_ref(), &one.uri, &one.params));
                    self.compare(title, $header, our_address(&address), theirs);
                }
            };
        }
        address!("From", From, [m.from()]);
        address!("To", To, [m.to()]);
        address!("Contact", Contact, m.contacts().flatten());
        // The other parser reads these two whole and keeps their text; one element is a name-addr as in Contact.
        address!("Record-Route", Contact, m.record_routes().flatten());
        address!("Route", Contact, m.routes().flatten());
        if let Some(uri) = m.uri() {
            let mut parts = Parts::new();
            our_uri(&mut parts, &uri);
            let theirs = rsip::Uri::try_from(text(uri.raw())).ok().map(|uri| {
                let mut parts = Parts::new();
                their_uri(&mut parts, &uri);
                parts
            });
            self.compare(title, "Request-URI", parts, theirs);
        }
        let row = |name: HeaderName<'static>| m.header(name).map(text);
        let theirs = row(HeaderName::CSeq).and_then(|value| rsip::headers::CSeq::new(value).typed().ok());
        let ours = format!("{} {}", m.cseq().number, text(m.cseq().method.as_bytes()));
        self.compare(title, "CSeq", one(ours), theirs.map(|cseq| one(format!("{} {}", cseq.seq, cseq.method))));
        if let (Some(Ok(ours)), Some(value)) = (m.max_forwards(), row(HeaderName::MaxForwards)) {
            self.compare(title, "Max-Forwards", one(ours), rsip::headers::MaxForwards::new(value).num().ok().map(one));
        }
        if let (Some(ours), Some(value)) = (m.expires(), row(HeaderName::Expires)) {
            self.compare(title, "Expires", one(ours), rsip::headers::Expires::new(value).seconds().ok().map(one));
        }
        if let (Some(ours), Some(value)) = (m.content_length(), row(HeaderName::ContentLength)) {
            let theirs = rsip::headers::ContentLength::new(value).length().ok();
            self.compare(title, "Content-Length", one(ours), theirs.map(one));
        }
        if let Some(kind) = m.content_type() {
            let ours = format!("{}/{}", text(kind.kind()), text(kind.subtype()));
            let theirs = rsip::headers::ContentType::new(text(kind.raw())).typed().ok();
            let theirs = theirs.map(|kind| one(kind.0.to_string().split(';').next().unwrap_or_default().trim()));
            self.compare(title, "Content-Type", one(ours), theirs);
        }
        for header in m.headers().filter(|header| header.name == HeaderName::Authorization) {
            self.credentials(title, &header);
        }
    }

    fn credentials(&mut self, title: &str, header: &Header<'_>) {
        let Some(ours) = Credentials::of(header) else { return };
        let mut parts = Parts::new();
        for (name, value) in [
            ("scheme", Some(ours.scheme)),
            ("username", Some(ours.username)),
            ("realm", Some(ours.realm)),
            ("nonce", Some(ours.nonce)),
            ("uri", Some(ours.uri)),
            ("response", Some(ours.response)),
            ("opaque", ours.opaque),
            ("cnonce", ours.cnonce),
            ("nc", ours.nc),
        ] {
            part(&mut parts, name, text(value.unwrap_or_default()));
        }
        let theirs = rsip::headers::Authorization::new(text(header.value)).typed().ok().map(|theirs| {
            let (cnonce, nc) = match theirs.qop {
                Some(AuthQop::Auth { cnonce, nc } | AuthQop::AuthInt { cnonce, nc }) => (cnonce, format!("{nc:08}")),
                None => (String::new(), String::new()),
            };
            let mut parts = Parts::new();
            part(&mut parts, "scheme", theirs.scheme);
            part(&mut parts, "username", theirs.username);
            part(&mut parts, "realm", theirs.realm);
            part(&mut parts, "nonce", theirs.nonce);
            part(&mut parts, "uri", theirs.uri);
            part(&mut parts, "response", theirs.response);
            part(&mut parts, "opaque", theirs.opaque.unwrap_or_default());
            part(&mut parts, "cnonce", cnonce);
            part(&mut parts, "nc", nc);
            parts
        });
        self.compare(title, "Authorization", parts, theirs);
    }
}

/// A value of one part.
fn one(value: impl ToString) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "value", value);
    parts
}

/// The parts without their order.
fn unordered(parts: &Parts) -> BTreeSet<&(String, String)> {
    parts.iter().collect()
}

#[test]
fn every_typed_field_is_what_an_independent_parser_reads() {
    let mut found = Found::default();
    for sample in corpus() {
        found.message(&sample.title(), &sample.octets);
    }
    assert!(found.values > 3000 && found.parts > 13_000, "{} values, {} parts", found.values, found.parts);
    for (fault, section, places) in FAULTS {
        for place in *places {
            assert!(found.differ.remove(*place).is_some(), "no longer differs: {place} ({fault}; {section})");
        }
    }
    assert!(found.differ.is_empty(), "{:#?}", found.differ);
}

#[test]
fn a_field_that_is_read_wrong_is_found() {
    let mut found = Found::default();
    let theirs = their_via("SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa");
    let ours = Via::parse(b"SIP/2.0/UDP 192.0.2.10:5061;branch=z9hG4bKa").unwrap();
    found.compare("control", "Via", our_via(&ours), theirs);
    assert_eq!((found.values, found.differ.len()), (0, 1));
}

/// The messages that figures are quoted on, when the variable names their folder; the other parser reads all of them.
#[test]
fn the_messages_of_the_benchmarks_are_read_the_same() {
    let Some(folder) = std::env::var_os("SIP_BENCH_DIR") else {
        println!("skipped: SIP_BENCH_DIR is not set");
        return;
    };
    let mut found = Found::default();
    for name in ["A.sip", "B.sip", "C.sip"] {
        let octets = std::fs::read(std::path::Path::new(&folder).join(name)).expect("a message");
        found.message(name, &octets);
    }
    assert!(found.values > 20 && found.differ.is_empty(), "{}: {:#?}", found.values, found.differ);
}
