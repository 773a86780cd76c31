//! Digest algorithms and what each is computed with.

use super::scan::{alike, slice};

/// A quality of protection (RFC 7616 §3.4). It begins at one, so that none is zero and a static user agent stays in .bss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Qop {
    /// The method and the URI are protected.
    Auth = 1,
    /// The body is too.
    AuthInt = 2,
}

impl Qop {
    /// The name.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Auth => b"auth",
            Self::AuthInt => b"auth-int",
        }
    }
}

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// MD5 over a session key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 over a session key.
    Sha256Sess,
    /// SHA-512/256 (RFC 8760); computed with the feature `sha512` only, for the size of its code.
    Sha512_256,
    /// SHA-512/256 over a session key; likewise.
    Sha512_256Sess,
    /// Any other.
    Unknown,
}

/// The names of all algorithms: that of one with a session key begins with that of the one without.
static NAMES: &[u8] = b"MD5-sessSHA-256-sessSHA-512-256-sess";

/// Where in [`NAMES`] each algorithm's name begins, and its length.
static PLACES: [(u8, u8); 7] = [(0, 3), (0, 8), (8, 7), (8, 12), (20, 11), (20, 16), (0, 0)];

impl Algorithm {
    /// The algorithm of this name, in any case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Self {
        for algorithm in
            [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess, Self::Sha512_256, Self::Sha512_256Sess]
        {
            if alike(algorithm.as_bytes(), name) {
                return algorithm;
            }
        }
        Self::Unknown
    }

    /// The name; empty for an unknown one.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn as_bytes(self) -> &'static [u8] {
        let (at, length) =
            PLACES.get(self as usize).map_or((0, 0), |(at, length)| (usize::from(*at), usize::from(*length)));
        slice(NAMES, at, at.wrapping_add(length))
    }

    /// Whether it can be computed here.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        self.strength() > 0
    }

    /// How strong it is, larger being stronger; zero when it can't be computed here.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Md5 if cfg!(feature = "digest") => 1,
            Self::Md5Sess if cfg!(feature = "digest") => 2,
            Self::Sha256 if cfg!(feature = "sha256") => 3,
            Self::Sha256Sess if cfg!(feature = "sha256") => 4,
            Self::Sha512_256 if cfg!(feature = "sha512") => 5,
            Self::Sha512_256Sess if cfg!(feature = "sha512") => 6,
            _ => 0,
        }
    }

    pub(crate) const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    /// The algorithm without its session key.
    pub(crate) const fn base(self) -> Self {
        match self {
            Self::Md5Sess => Self::Md5,
            Self::Sha256Sess => Self::Sha256,
            Self::Sha512_256Sess => Self::Sha512_256,
            base => base,
        }
    }
}
