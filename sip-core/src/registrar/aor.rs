//! Addresses of record in the form in which they are compared and kept (RFC 3261 §10.3 step 5).

use crate::message::{Host, Uri, Writer, unescape_uri};
use crate::random::{HashKey, Key};
use core::net::IpAddr;

/// The longest user part with escapes in it, once they are resolved. Without escapes it may have any length.
const LONGEST: usize = 128;

/// An address of record: a user at a host. The scheme does not belong to it, for who is reached by `sips` is reached by `sip`
/// too (RFC 5630), and neither do parameters and a password.
#[derive(Clone, Debug)]
pub struct Aor<'a> {
    /// The user part where it has no escapes.
    plain: &'a [u8],
    resolved: heapless::Vec<u8, LONGEST>,
    host: Host<'a>,
    port: Option<u16>,
}

impl<'a> Aor<'a> {
    /// The address that a SIP URI names; `None` for another one, for one without a user, and for one whose user part has escapes
    /// and more than 128 octets.
    #[must_use]
    pub fn of(uri: &Uri<'a>) -> Option<Self> {
        let user = uri.user().filter(|user| uri.is_sip() && !user.is_empty())?;
        let mut aor = Self { plain: user, resolved: heapless::Vec::new(), host: uri.host(), port: uri.port() };
        if user.contains(&b'%') {
            aor.plain = b"";
            for octet in unescape_uri(user) {
                aor.resolved.push(octet).ok()?;
            }
        }
        Some(aor)
    }

    /// The same user at the domain of this name: a server is reached by more names than one, and keeps one of them.
    #[must_use]
    pub fn within(mut self, domain: Host<'a>) -> Self {
        self.host = domain;
        self.port = None;
        self
    }

    /// The user, without escapes.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        if self.resolved.is_empty() { self.plain } else { &self.resolved }
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The key that all ways to write it have.
    #[must_use]
    pub fn key(&self, hash: HashKey) -> Key {
        let hasher = hash.hasher().part(self.user()).number(u64::from(self.port.unwrap_or(0)));
        match self.host.ip() {
            Some(IpAddr::V4(ip)) => hasher.part(&ip.octets()).finish(),
            Some(IpAddr::V6(ip)) => hasher.part(&ip.octets()).finish(),
            None => hasher.part_ignoring_case(self.host.as_bytes()).finish(),
        }
    }

    /// Writes it: `sip:`, the user with what has to be escaped, the host in lower case.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.raw(b"sip:");
        for octet in self.user() {
            // A percent sign of the user is no escape: escapes are resolved.
            if *octet == b'%' { w.raw(b"%25") } else { w.user(&[*octet]) }
        }
        w.raw(b"@");
        for octet in self.host.as_bytes() {
            w.raw(&[octet.to_ascii_lowercase()]);
        }
        if let Some(port) = self.port {
            w.raw(b":");
            w.number(u64::from(port));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::string::String;

    fn seen(text: &str) -> (Key, String) {
        let uri = Uri::parse(text.as_bytes()).unwrap();
        let aor = Aor::of(&uri).unwrap();
        let mut room = [0; 1000];
        let mut w = Writer::new(&mut room);
        aor.write(&mut w);
        let length = w.finish().unwrap();
        (aor.key(Random::new([1; 16]).hash_key()), String::from_utf8(room[..length].to_vec()).unwrap())
    }

    #[test]
    fn one_address_has_one_key() {
        for (ways, canonical) in [
            (
                &["sip:bob@example.com", "sips:b%6Fb@Example.COM;transport=tcp", "sip:bob:secret@example.com?a=b"][..],
                "sip:bob@example.com",
            ),
            (&["sip:bob@[2001:db8::1]", "sip:bob@[2001:DB8:0::1]"], "sip:bob@[2001:db8::1]"),
            (&["sip:a%20%25b@h:5070", "sip:%61%20%25b@H:5070"], "sip:a%20%25b@h:5070"),
        ] {
            let (key, _) = seen(ways[0]);
            assert_eq!(seen(ways[0]).1, canonical);
            for way in ways {
                assert_eq!(seen(way).0, key, "{way}");
            }
            assert_eq!(seen(canonical), (key, String::from(canonical)), "what is written is the same address");
        }
        let all = ["sip:bob@h", "sip:Bob@h", "sip:bob@h:5060", "sip:bob@i", "sip:bo@bh", "sip:%2562ob@h"]
            .map(|text| seen(text).0);
        for (place, key) in all.iter().enumerate() {
            assert!(!all[..place].contains(key), "{place}");
        }
    }

    #[test]
    fn what_is_no_address_of_record() {
        for text in ["sip:example.com", "tel:+1", "mailto:a@b", "sip:@h"] {
            assert!(Uri::parse(text.as_bytes()).map_or(true, |uri| Aor::of(&uri).is_none()), "{text}");
        }
        let long = std::format!("sip:%41{}@h", "a".repeat(200));
        assert!(Aor::of(&Uri::parse(long.as_bytes()).unwrap()).is_none());
    }
}
