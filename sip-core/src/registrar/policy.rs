//! What a registrar grants.

/// What a registrar grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Policy {
    /// Seconds that a binding lasts when the request names none.
    pub default_expires: u32,
    /// The fewest seconds that a binding lasts; less is answered with 423.
    pub min_expires: u32,
    /// The most seconds that a binding lasts; more is that many.
    pub max_expires: u32,
    /// The most contacts of an address of record, at most [`MOST_CONTACTS`](super::MOST_CONTACTS).
    pub most_contacts: u8,
    /// Whether one contact more takes the place of the one that expires first, instead of being refused.
    pub replace_oldest: bool,
    /// The most octets that the texts of a binding have: contact, Path, Call-ID, instance and address of record.
    pub most_octets: u16,
    /// Whether a Path is stored for a client that does not say that it supports it (RFC 3327 §5.3); otherwise 421.
    pub path_without_support: bool,
}

impl Policy {
    /// An hour unless another time is asked for, from a minute to a day; ten contacts, of 2,048 octets each; the eleventh is refused.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            default_expires: 3600,
            min_expires: 60,
            max_expires: 86_400,
            most_contacts: 10,
            replace_oldest: false,
            most_octets: 2048,
            path_without_support: false,
        }
    }
}

impl Policy {
    /// What a registrar has before its start; all zero.
    pub(super) const ZERO: Self = Self {
        default_expires: 0,
        min_expires: 0,
        max_expires: 0,
        most_contacts: 0,
        replace_oldest: false,
        most_octets: 0,
        path_without_support: false,
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
