//! A redirect server's table (RFC 3261 §8.3): who is asked for, and where to ask instead.
//!
//! A server answers with 302 and these contacts, each with its q. Where those are that are registered, a server in
//! [redirect mode](crate::server::Config::redirect) tells without a table.

use crate::message::{Uri, unescape_uri};
use crate::proxy::Target;

/// Whom a rule is for, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The user, without escapes; empty for every user.
    pub user: &'a [u8],
    /// The domain, in any case; empty for every domain.
    pub domain: &'a [u8],
    /// Where to ask instead.
    pub contacts: &'a [Target<'a>],
}

impl Rule<'_> {
    /// Whether a request for this URI is one that the rule is for.
    #[must_use]
    pub fn is_for(&self, uri: &Uri<'_>) -> bool {
        let user = uri.user().unwrap_or_default();
        uri.is_sip()
            && (self.user.is_empty() || unescape_uri(user).eq(self.user.iter().copied()))
            && (self.domain.is_empty() || self.domain.eq_ignore_ascii_case(uri.host_text()))
    }
}

/// The contacts of the first rule that is for this URI; none when no rule is.
#[must_use]
pub fn find<'r>(rules: &[Rule<'r>], uri: &Uri<'_>) -> &'r [Target<'r>] {
    rules.iter().find(|rule| rule.is_for(uri)).map_or(&[], |rule| rule.contacts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_is_the_one() {
        let (one, two, three) =
            ([Target::new(b"sip:1@h")], [Target::new(b"sip:2@h")], [Target::new(b"sip:3@h").with_q(500)]);
        let rules = [
            Rule { user: b"a b", domain: b"example.com", contacts: &one },
            Rule { user: b"", domain: b"example.com", contacts: &two },
            Rule { user: b"bob", domain: b"", contacts: &three },
        ];
        for (uri, contacts) in [
            ("sip:a%20b@EXAMPLE.com;x=1", &one[..]),
            ("sip:bob@example.com", &two),
            ("sips:bob@example.net", &three),
            ("sip:Bob@example.net", &[]),
            ("tel:+1", &[]),
        ] {
            assert_eq!(find(&rules, &Uri::parse(uri.as_bytes()).unwrap()), contacts, "{uri}");
        }
    }
}
