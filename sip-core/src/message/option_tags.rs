//! Option tags and methods in lists of our own, and what a request asks for beyond them (RFC 3261 §8.2.2.3, §19.2).

use super::header::HeaderName;
use super::list::Values;
use super::scan::{alike, trim};
use super::writer::Writer;

/// Whether a comma-separated list holds a method; case counts (RFC 3261 §7.1).
pub(crate) fn list_contains_method(list: &[u8], method: &[u8]) -> bool {
    list.split(|octet| *octet == b',').any(|item| trim(item) == method)
}

/// Whether a comma-separated list holds an option tag, in any case (RFC 3261 §7.3.1).
pub(crate) fn list_contains_tag(list: &[u8], tag: &[u8]) -> bool {
    list.split(|octet| *octet == b',').any(|item| alike(trim(item), tag))
}

/// Those of the option tags that a list of them does not hold: of Require (RFC 3261 §8.2.2.3), or of Proxy-Require (§16.3 step 5).
pub(crate) fn unsupported<'m, 'a>(
    required: Values<'m, 'a, 'static>,
    supported: &'m [u8],
) -> impl Iterator<Item = &'a [u8]> + use<'m, 'a> {
    required.filter(move |tag| !list_contains_tag(supported, tag))
}

/// Writes Unsupported with them, for a 420.
pub(crate) fn write_unsupported(w: &mut Writer<'_>, required: Values<'_, '_, 'static>, supported: &[u8]) {
    w.value_start(HeaderName::Unsupported);
    for (index, tag) in unsupported(required, supported).enumerate() {
        if index > 0 {
            w.text(b", ");
        }
        w.text(tag);
    }
    w.end();
}
