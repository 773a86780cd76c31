//! In which order a user has proven what.

/// When a nonce was issued, and the how many-eth use of it this is: of two that were proven by one user the later one is
/// greater, whatever CSeq came with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NonceOrder {
    /// Seconds since 1970 at which the nonce was issued.
    pub issued: u32,
    /// Which nonce of the server: a number of its start, and which one since that, 16 bits each.
    pub counter: u32,
    /// The nonce count of its use.
    pub count: u32,
}

impl NonceOrder {
    /// Before every other; all zero.
    pub const ZERO: Self = Self { issued: 0, counter: 0, count: 0 };

    /// The nonce alone, as two numbers that are compared.
    #[cfg(feature = "sha256")]
    pub(crate) const fn nonce(self) -> (u32, u32) {
        (self.issued, self.counter)
    }
}
