//! Session descriptions, and what `sdp-types` makes of them.

use super::{Fault, Found, Parts, one, part, text};
use sdp_types as other;
use sip_core::sdp::{Attribute, Bandwidth, Connection, Crypto, Direction, Media, Session, Typed};

/// What is compared; of each there is a line in the corpus that both read.
pub(super) const LINES: &[&str] = &[
    "o=",
    "s=",
    "i=",
    "u=",
    "e=",
    "p=",
    "c=",
    "b=",
    "t=",
    "a=",
    "m=",
    "rtpmap",
    "fmtp",
    "rtcp",
    "crypto",
    "direction",
    "ptime",
    "maxptime",
    "rtcp-mux",
    "mid",
];

/// What is read of a line: which one, what is read here, and what the other parser reads.
pub(super) type Read = (String, Parts, Option<Parts>);

fn our_connection(parts: &mut Parts, found: &Connection<'_>) {
    // The other parser takes the network and the kind of address for names; its address has what follows the slash.
    part(parts, "network", text(found.network).to_uppercase());
    part(parts, "address type", text(found.address_type).to_uppercase());
    let mut address = text(found.address);
    if let Some(ttl) = found.ttl {
        address += &format!("/{ttl}");
    }
    if found.count != 1 {
        address += &format!("/{}", found.count);
    }
    part(parts, "address", address);
    part(parts, "ip", format!("{:?}", found.ip()));
}

fn their_connection(parts: &mut Parts, network: &other::NetType, kind: &other::AddrType, address: &str) {
    part(parts, "network", network.as_str().to_uppercase());
    part(parts, "address type", kind.as_str().to_uppercase());
    part(parts, "address", address);
    let host = address.split('/').next().unwrap_or_default();
    part(parts, "ip", format!("{:?}", host.parse::<core::net::IpAddr>().ok()));
}

fn our_bandwidth(found: &Bandwidth<'_>) -> Parts {
    one(format!("{} {}", text(found.kind), found.value))
}

fn our_crypto(found: &Crypto<'_>) -> Option<Parts> {
    let mut parts = Parts::new();
    part(&mut parts, "tag", found.tag);
    part(&mut parts, "suite", text(found.suite));
    for key in found.keys() {
        let key = key.ok()?;
        part(&mut parts, "key", text(key.key_salt));
        part(&mut parts, "lifetime", key.lifetime.unwrap_or(0));
        let mki = key.mki.map(|mki| format!("{} {}", text(mki.value), mki.length));
        part(&mut parts, "mki", mki.unwrap_or_default());
    }
    found.params().for_each(|param| part(&mut parts, "param", text(param)));
    Some(parts)
}

fn their_crypto(value: &str) -> Option<Parts> {
    use other::SrtpSessionParam as P;
    let found: other::Crypto = value.parse().ok()?;
    let mut parts = Parts::new();
    part(&mut parts, "tag", found.tag);
    part(&mut parts, "suite", found.crypto_suite.as_str());
    for key in found.key_params {
        part(&mut parts, "key", key.key_and_salt);
        part(&mut parts, "lifetime", key.lifetime.unwrap_or(0));
        let mki = key.mki_and_length.map(|(value, length)| format!("{value} {length}"));
        part(&mut parts, "mki", mki.unwrap_or_default());
    }
    for param in found.session_params {
        let shown = match param {
            P::Kdr(rate) => format!("KDR={rate}"),
            P::UnencryptedSrtp => "UNENCRYPTED_SRTP".to_owned(),
            P::UnencryptedSrtcp => "UNENCRYPTED_SRTCP".to_owned(),
            P::UnauthenticatedSrtp => "UNAUTHENTICATED_SRTP".to_owned(),
            P::FecOrder(other::FecOrder::FecSrtp) => "FEC_ORDER=FEC_SRTP".to_owned(),
            P::FecOrder(other::FecOrder::SrtpFec) => "FEC_ORDER=SRTP_FEC".to_owned(),
            other => format!("{other:?}"),
        };
        part(&mut parts, "param", shown);
    }
    Some(parts)
}

fn our_attribute(found: &Attribute<'_>) -> Parts {
    one(format!("{} {:?}", text(found.name), found.value.map(text)))
}

/// What an attribute says, where it is one that is typed here.
fn typed(read: &mut Vec<Read>, ours: &Attribute<'_>, theirs: Option<&other::Attribute>) {
    let value = theirs.and_then(|theirs| theirs.value.clone()).unwrap_or_default();
    let mut parts = Parts::new();
    let (what, theirs) = match ours.typed() {
        Ok(Typed::RtpMap(map)) => {
            part(&mut parts, "type", map.payload_type);
            part(&mut parts, "encoding", text(map.encoding));
            part(&mut parts, "rate", map.clock_rate);
            part(&mut parts, "params", text(map.params));
            let theirs = value.parse().ok().map(|map: other::RtpMap| {
                let mut parts = one(map.payload_type);
                parts[0].0 = "type".to_owned();
                part(&mut parts, "encoding", map.encoding_name);
                part(&mut parts, "rate", map.clock_rate);
                part(&mut parts, "params", map.encoding_params.unwrap_or_default());
                parts
            });
            ("rtpmap", theirs)
        }
        Ok(Typed::Fmtp(fmtp)) => {
            part(&mut parts, "format", text(fmtp.format));
            for param in fmtp.params() {
                part(&mut parts, "param", format!("{} {:?}", text(param.name), param.value.map(text)));
            }
            let theirs = value.parse().ok().map(|fmtp: other::Fmtp| {
                let mut parts = Parts::new();
                part(&mut parts, "format", fmtp.fmt);
                for param in fmtp.format_specific_params {
                    part(&mut parts, "param", format!("{} {:?}", param.param.trim(), param.val));
                }
                parts
            });
            ("fmtp", theirs)
        }
        Ok(Typed::Rtcp(rtcp)) => {
            part(&mut parts, "port", rtcp.port);
            if let Some(connection) = &rtcp.connection {
                our_connection(&mut parts, connection);
            }
            let theirs = value.parse().ok().map(|rtcp: other::Rtcp| {
                let mut parts = Parts::new();
                part(&mut parts, "port", rtcp.port);
                if let (Some(network), Some(kind), Some(address)) =
                    (&rtcp.nettype, &rtcp.addrtype, &rtcp.connection_address)
                {
                    their_connection(&mut parts, network, kind, address);
                }
                parts
            });
            ("rtcp", theirs)
        }
        Ok(Typed::Crypto(crypto)) => {
            parts = our_crypto(&crypto).unwrap_or_else(|| one("broken"));
            ("crypto", Some(their_crypto(&value).unwrap_or_else(|| one("broken"))))
        }
        Ok(Typed::Direction(direction)) => {
            part(&mut parts, "is", format!("{direction:?}"));
            let theirs = theirs.and_then(|theirs| theirs.attribute.parse().ok());
            ("direction", theirs.map(|direction: other::Direction| vec![("is".to_owned(), format!("{direction:?}"))]))
        }
        Ok(Typed::Ptime(time)) => {
            parts = one(time);
            ("ptime", value.parse::<u16>().ok().map(one))
        }
        Ok(Typed::MaxPtime(time)) => {
            parts = one(time);
            ("maxptime", value.parse::<u16>().ok().map(one))
        }
        Ok(Typed::RtcpMux) => {
            ("rtcp-mux", theirs.filter(|theirs| theirs.attribute == "rtcp-mux").map(|_| Parts::new()))
        }
        Ok(Typed::Mid(mid)) => {
            parts = one(text(mid));
            ("mid", Some(one(value)))
        }
        Ok(_) => return,
        // What is refused here is refused there.
        Err(_) => {
            parts = one("broken");
            let taken = match ours.name {
                b"rtpmap" => value.parse::<other::RtpMap>().is_ok(),
                b"fmtp" => value.parse::<other::Fmtp>().is_ok(),
                b"rtcp" => value.parse::<other::Rtcp>().is_ok(),
                b"crypto" => value.parse::<other::Crypto>().is_ok(),
                // There is no type for it, so only the number counts.
                _ => value.parse::<u16>().is_ok_and(|number| number != 0),
            };
            ("refused", Some(one(if taken { "taken" } else { "broken" })))
        }
    };
    read.push((what.to_owned(), parts, theirs));
}

/// The lines of a session or of one media that both have.
struct Lines<'a> {
    connections: Vec<Connection<'a>>,
    bandwidths: Vec<Bandwidth<'a>>,
    attributes: Vec<Attribute<'a>>,
}

/// Compares lines one by one; what only one has is compared with nothing.
fn lines(
    read: &mut Vec<Read>,
    ours: &Lines<'_>,
    connections: &[other::Connection],
    bandwidths: &[other::Bandwidth],
    attributes: &[other::Attribute],
) {
    let mut all = |what: &str, ours: Vec<Parts>, theirs: Vec<Parts>| {
        let most = ours.len().max(theirs.len());
        for place in 0..most {
            read.push((what.to_owned(), ours.get(place).cloned().unwrap_or_default(), theirs.get(place).cloned()));
        }
    };
    let of_ours = ours.connections.iter().map(|one| {
        let mut parts = Parts::new();
        our_connection(&mut parts, one);
        parts
    });
    let of_theirs = connections.iter().map(|one| {
        let mut parts = Parts::new();
        their_connection(&mut parts, &one.nettype, &one.addrtype, &one.connection_address);
        parts
    });
    all("c=", of_ours.collect(), of_theirs.collect());
    let of_theirs = bandwidths.iter().map(|found| one(format!("{} {}", found.bwtype, found.bandwidth)));
    all("b=", ours.bandwidths.iter().map(our_bandwidth).collect(), of_theirs.collect());
    let of_theirs = attributes.iter().map(|found| one(format!("{} {:?}", found.attribute, found.value)));
    all("a=", ours.attributes.iter().map(our_attribute).collect(), of_theirs.collect());
    for (place, attribute) in ours.attributes.iter().enumerate() {
        typed(read, attribute, attributes.get(place));
    }
}

fn our_media(media: &Media<'_>) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "kind", text(media.kind()));
    part(&mut parts, "port", media.port());
    part(&mut parts, "ports", media.port_count());
    part(&mut parts, "proto", text(media.proto()));
    media.formats().for_each(|format| part(&mut parts, "format", text(format)));
    media.lines(b'i').for_each(|title| part(&mut parts, "i=", text(title)));
    part(&mut parts, "direction", format!("{:?}", media.direction()));
    parts
}

/// The direction that a list of attributes says, if any.
fn their_direction(attributes: &[other::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|one| Direction::parse(one.attribute.as_bytes()))
}

fn their_media(media: &other::Media, session: Option<Direction>) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "kind", &media.media);
    part(&mut parts, "port", media.port);
    part(&mut parts, "ports", media.num_ports.unwrap_or(1));
    part(&mut parts, "proto", &media.proto);
    media.fmt.split(' ').for_each(|format| part(&mut parts, "format", format));
    media.media_title.iter().for_each(|title| part(&mut parts, "i=", title));
    part(&mut parts, "direction", format!("{:?}", their_direction(&media.attributes).or(session).unwrap_or_default()));
    parts
}

/// All that there is to be compared in a description; one thing alone when the other parser does not take it.
pub(super) fn read(session: &Session<'_>) -> Vec<Read> {
    let mut read: Vec<Read> = Vec::new();
    let Ok(theirs) = other::Session::parse(session.bytes()) else {
        return vec![("description".to_owned(), Parts::new(), None)];
    };
    let origin = session.origin();
    let mut parts = Parts::new();
    // The other parser knows no user where a dash stands, and keeps the number of the session as it is written.
    part(&mut parts, "username", text(origin.username));
    part(&mut parts, "session", origin.session_id);
    part(&mut parts, "version", origin.version);
    part(&mut parts, "network", text(origin.network));
    part(&mut parts, "type", text(origin.address_type));
    part(&mut parts, "address", text(origin.address));
    let mut other_parts = Parts::new();
    part(&mut other_parts, "username", theirs.origin.username.as_deref().unwrap_or("-"));
    part(&mut other_parts, "session", &theirs.origin.sess_id);
    part(&mut other_parts, "version", theirs.origin.sess_version);
    part(&mut other_parts, "network", theirs.origin.nettype.as_str());
    part(&mut other_parts, "type", theirs.origin.addrtype.as_str());
    part(&mut other_parts, "address", &theirs.origin.unicast_address);
    read.push(("o=".to_owned(), parts, Some(other_parts)));
    read.push(("s=".to_owned(), one(text(session.name().unwrap_or_default())), Some(one(&theirs.session_name))));
    let texts: [(u8, Vec<&String>); 4] = [
        (b'i', theirs.session_description.iter().collect()),
        (b'u', theirs.uri.iter().collect()),
        (b'e', theirs.emails.iter().collect()),
        (b'p', theirs.phones.iter().collect()),
    ];
    for (kind, theirs) in texts {
        let ours: Vec<String> = session.lines(kind).map(text).collect();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            read.push((format!("{}=", char::from(kind)), one(ours), Some(one(theirs))));
        }
    }
    let times = |pairs: Vec<(u64, u64)>| one(format!("{pairs:?}"));
    read.push((
        "t=".to_owned(),
        times(session.timings().map(|time| (time.start, time.stop)).collect()),
        Some(times(theirs.times.iter().map(|time| (time.start_time, time.stop_time)).collect())),
    ));
    let ours = Lines {
        connections: session.connection().into_iter().collect(),
        bandwidths: session.bandwidths().collect(),
        attributes: session.attributes().collect(),
    };
    lines(&mut read, &ours, theirs.connection.as_slice(), &theirs.bandwidths, &theirs.attributes);
    let direction = their_direction(&theirs.attributes);
    assert_eq!(session.media_count(), theirs.medias.len());
    for (ours, theirs) in session.media().zip(&theirs.medias) {
        read.push(("m=".to_owned(), our_media(&ours), Some(their_media(theirs, direction))));
        let ours = Lines {
            connections: ours.connections().collect(),
            bandwidths: ours.bandwidths().collect(),
            attributes: ours.attributes().collect(),
        };
        lines(&mut read, &ours, &theirs.connections, &theirs.bandwidths, &theirs.attributes);
    }
    read
}

impl Found {
    pub(super) fn description(&mut self, title: &str, session: &Session<'_>) {
        for (what, ours, theirs) in read(session) {
            self.compare(title, &what, ours, theirs);
        }
    }
}

/// What the other parser gets wrong, the section that says so, and the lines of the corpus that show it.
pub(super) const FAULTS: &[Fault] = &[
    ("A key without an octet is taken", "RFC 4568 §9.2 key-salt", &["descriptions/keys-that-are-none crypto"]),
    (
        "A bandwidth of more than 32 bits is taken, which counts as the largest one here",
        "RFC 8866 §5.8",
        &["descriptions/numbers-of-64-bits b="],
    ),
    (
        "Octets that are no UTF-8 are refused, in the name of the session also",
        "RFC 8866 §9 byte-string",
        &["descriptions/octets-that-are-no-utf-8 description"],
    ),
    (
        "Several spaces are refused in a media line, which are tolerated here",
        "RFC 8866 §9 media-field",
        &["descriptions/several-spaces description"],
    ),
    (
        "A format of a parameter list that is no payload type is refused",
        "RFC 8866 §6.15",
        &["descriptions/types-and-formats-beyond-their-range fmtp"],
    ),
];
