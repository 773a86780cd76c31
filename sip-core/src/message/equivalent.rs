//! Whether two URIs are the same one (RFC 3261 §19.1.4).

use super::escape::Unescaped;
use super::scan::has;
use super::uri::{Uri, UriParams};

impl Uri<'_> {
    /// Whether two URIs are equivalent (RFC 3261 §19.1.4). Schemes other than SIP and SIPS are compared by octets.
    #[must_use]
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        self.same_address(other)
            && (!self.is_sip()
                || same_optional(self.password(), other.password())
                    && same_lists(&self.params(), &other.params(), true)
                    && same_lists(&self.header_components(), &other.header_components(), false))
    }

    /// Whether two URIs name the same user at the same host and port, whatever their parameters say; compared as by
    /// [`equivalent`](Self::equivalent).
    #[must_use]
    pub fn same_address(&self, other: &Uri<'_>) -> bool {
        if !self.is_sip() || !other.is_sip() {
            return self.raw() == other.raw();
        }
        self.same_scheme(other)
            && same_optional(self.user(), other.user())
            && self.host().same(other.host())
            && self.port() == other.port()
    }
}

/// How many parameters or headers of a URI are compared one by one; URIs with more are compared by octets.
///
/// It bounds the work that a stranger's URI can cause.
const COMPARED: usize = 64;

/// Whether the parameters of two URIs, or their headers, agree (RFC 3261 §19.1.4).
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn same_lists(one: &UriParams<'_>, other: &UriParams<'_>, params: bool) -> bool {
    let few = |list: &UriParams<'_>| list.clone().nth(COMPARED).is_none();
    one.rest() == other.rest() || few(one) && few(other) && contains(one, other, params) && contains(other, one, params)
}

/// Whether each of `wanted` is in `list` with the same value; the order does not count. A parameter may be missing when it does
/// not count for the comparison (RFC 3261 §19.1.4).
fn contains(list: &UriParams<'_>, wanted: &UriParams<'_>, params: bool) -> bool {
    wanted.clone().all(|wanted| {
        let mut missing = params;
        let found = list.clone().any(|found| {
            let named = same(found.name, wanted.name, true);
            missing &= !named;
            named && same(found.value.unwrap_or_default(), wanted.value.unwrap_or_default(), params)
        });
        found || missing && !COUNTING.iter().any(|name| same(wanted.name, name, true))
    })
}

/// Parameters that are in both URIs or in neither.
const COUNTING: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn same_optional(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other, false),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two pieces of URIs are the same: an escape is the character it stands for, once, unless that
/// character is a reserved one (RFC 3261 §19.1.4, RFC 2396 §2.2).
pub(super) fn same(one: &[u8], other: &[u8], ignore_case: bool) -> bool {
    if one == other {
        return true;
    }
    let (mut one, mut other) = (Unescaped::new(one), Unescaped::new(other));
    let folded = |text: &mut Unescaped<'_>| {
        let (octet, escaped) = text.next()?;
        let octet = if ignore_case { octet.to_ascii_lowercase() } else { octet };
        Some((octet, escaped && has(b";/?:@&=+$,%", octet)))
    };
    loop {
        match (folded(&mut one), folded(&mut other)) {
            (None, None) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn equivalence() {
        for (one, other) in [
            ("sip:%61lice@Example.com;transport=TCP", "SIP:alice@exaMPle.com;Transport=tcp"),
            ("sip:carol@example.com", "sip:carol@example.com;newparam=5"),
            ("sip:carol@example.com;newparam=5", "sip:carol@example.com;security=on"),
            ("sip:carol@example.com", "sip:carol@example.com;security=on"),
            (
                "sip:a.example;transport=tcp;method=REGISTER?to=sip:b%40c.d",
                "sip:a.example;method=REGISTER;transport=tcp?to=sip:b%40c.d",
            ),
            ("sip:a@b.c?subject=x%20y&priority=urgent", "sip:a@b.c?priority=urgent&subject=x%20y"),
            ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0::1]"),
            ("sip:a@b.c;x=y;lr", "sip:a@b.c;LR;X=Y"),
            ("sip:*21%23@b.c", "sip:*21#@b.c"),
            ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
        ] {
            assert!(uri(one).equivalent(&uri(other)) && uri(other).equivalent(&uri(one)), "{one} {other}");
        }
        for (one, other) in [
            ("sip:Alice@b.c", "sip:alice@b.c"),
            ("sip:a@b.c", "sip:a@b.c:5060"),
            ("SIP:ALICE@Example.com;Transport=udp", "sip:alice@Example.com;Transport=UDP"),
            ("sip:a@b.c", "sip:a@b.c;transport=udp"),
            ("sip:a@b.c", "sip:a@b.c:6000;transport=tcp"),
            ("sip:a@b.c;transport=udp", "sip:a@b.c;transport=tcp"),
            ("sip:a@b.c;security=on", "sip:a@b.c;security=off"),
            ("sip:a@b.c;ttl=15", "sip:a@b.c"),
            ("sip:a@b.c;method=INVITE", "sip:a@b.c"),
            ("sip:a@b.c;maddr=192.0.2.1", "sip:a@b.c;maddr=192.0.2.2"),
            ("sip:a@b.c?Subject=x", "sip:a@b.c?Subject=y"),
            ("sip:a@b.c?Subject=x", "sip:a@b.c?Subject=x&Priority=y"),
            ("sip:a@b.c", "sip:a@b.c;maddr=192.0.2.1"),
            ("sip:a@b.c;user=phone", "sip:a@b.c"),
            ("sip:a@b.c;x=1", "sip:a@b.c;x=2"),
            ("sip:a@b.c", "sip:a@b.c?Subject=x"),
            ("sip:a@b.c", "sips:a@b.c"),
            ("sip:a@b.c", "sip:a:p@b.c"),
            ("sip:b.c", "sip:b@b.c"),
            ("sip:a%3Bb@b.c", "sip:a;b@b.c"),
            ("sip:a%2541@b.c", "sip:a%41@b.c"),
            ("sip:b.example.com", "sip:192.0.2.4"),
        ] {
            assert!(!uri(one).equivalent(&uri(other)) && !uri(other).equivalent(&uri(one)), "{one} {other}");
        }
    }
}
