//! The response of a digest (RFC 7616 §3.4.1): the same for who answers a challenge and who checks the answer.

use super::blocks::Hash;
use super::{Algorithm, Qop};
use crate::message::hex_digit;
#[cfg(feature = "sha512")]
use sha2::Digest;

/// A hash in lower-case hexadecimal digits: 32 of them for MD5, 64 for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; 64],
    length: usize,
}

impl Hex {
    /// No digits; all zero.
    #[cfg(feature = "sha256")]
    pub(crate) const ZERO: Self = Self { digits: [0; 64], length: 0 };

    pub(super) fn new(hash: &[u8]) -> Self {
        let mut digits = [0; 64];
        let mut length: usize = 0;
        for (pair, octet) in digits.as_chunks_mut().0.iter_mut().zip(hash) {
            *pair = [octet >> 4, octet & 15].map(hex_digit);
            length = length.wrapping_add(2);
        }
        Self { digits, length }
    }

    /// The digits.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    /// Whether a peer's digits, in any case, are these; takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn matches(&self, digits: &[u8]) -> bool {
        let differing =
            self.as_bytes().iter().zip(digits).fold(0, |all, (one, other)| all | (one ^ other.to_ascii_lowercase()));
        differing == 0 && digits.len() == self.length
    }
}

/// The hash of the parts that there are with colons between them.
#[inline(never)]
fn hash(base: Algorithm, parts: &[Option<&[u8]>]) -> Hex {
    let mut hasher = match base {
        Algorithm::Md5 => Hash::md5(),
        #[cfg(feature = "sha256")]
        Algorithm::Sha256 => Hash::sha256(),
        #[cfg(feature = "sha512")]
        Algorithm::Sha512_256 => {
            let mut hasher = sha2::Sha512_256::new();
            join(parts, &mut |part| hasher.update(part));
            return Hex::new(&hasher.finalize());
        }
        // Nobody asks for one that is not supported.
        _ => return Hex::new(&[]),
    };
    join(parts, &mut |part| hasher.update(part));
    let (hash, length) = hasher.finish();
    Hex::new(hash.get(..length).unwrap_or_default())
}

pub(super) fn join(parts: &[Option<&[u8]>], update: &mut dyn FnMut(&[u8])) {
    let mut colon: &[u8] = b"";
    for part in parts.iter().flatten() {
        update(colon);
        update(part);
        colon = b":";
    }
}

/// What a user proves to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret<'a> {
    /// The password.
    Password(&'a [u8]),
    /// The MD5 of `username:realm:password`; answers MD5 challenges only.
    Md5([u8; 16]),
    /// The SHA-256 of `username:realm:password`; answers SHA-256 challenges only.
    Sha256([u8; 32]),
    /// The SHA-512/256 of `username:realm:password`; answers SHA-512/256 challenges only.
    Sha512_256([u8; 32]),
}

/// Everything that a response is computed from, as it stands in the credentials.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The user name, as it stands between its quotes.
    pub username: &'a [u8],
    /// The protection domain, as it stands between its quotes.
    pub realm: &'a [u8],
    /// What the user proves to know.
    pub secret: Secret<'a>,
    /// The nonce.
    pub nonce: &'a [u8],
    /// The name of the method.
    pub method: &'a [u8],
    /// The URI of the credentials.
    pub uri: &'a [u8],
    /// The client's nonce.
    pub cnonce: &'a [u8],
    /// The nonce count, eight hexadecimal digits; `None` for the answer of RFC 2069, without qop.
    pub nc: Option<&'a [u8]>,
    /// The body when it is protected too (`auth-int`); `None` for `auth`.
    pub body: Option<&'a [u8]>,
}

/// Computes the response (RFC 7616 §3.4.1); with it a server finds what it has to compare with.
///
/// With an empty method, and the body of the response, it is the `rspauth` of Authentication-Info (§3.5).
///
/// `None` when the algorithm can't be computed here, or the secret is a hash of another algorithm.
#[must_use]
pub fn response(inputs: &Inputs<'_>) -> Option<Hex> {
    response_with(inputs, None)
}

/// As [`response`], with the hash of method and URI when it is known: [`auth_ha2`].
#[inline]
pub(crate) fn response_with(inputs: &Inputs<'_>, ha2: Option<&Hex>) -> Option<Hex> {
    if !inputs.algorithm.is_supported() {
        return None;
    }
    let base = inputs.algorithm.base();
    let mut ha1 = match (inputs.secret, base) {
        (Secret::Password(password), _) => hash(base, &[Some(inputs.username), Some(inputs.realm), Some(password)]),
        (Secret::Md5(ha1), Algorithm::Md5) => Hex::new(&ha1),
        (Secret::Sha256(ha1), Algorithm::Sha256) | (Secret::Sha512_256(ha1), Algorithm::Sha512_256) => Hex::new(&ha1),
        _ => return None,
    };
    if inputs.algorithm.is_session() {
        ha1 = hash(base, &[Some(ha1.as_bytes()), Some(inputs.nonce), Some(inputs.cnonce)]);
    }
    let body = inputs.body.map(|body| hash(base, &[Some(body)]));
    let ha2 = match ha2 {
        Some(known) if body.is_none() => *known,
        _ => hash(base, &[Some(inputs.method), Some(inputs.uri), body.as_ref().map(Hex::as_bytes)]),
    };
    let qop = if body.is_some() { Qop::AuthInt } else { Qop::Auth };
    // RFC 7616 §3.4.1 without qop: the answer of RFC 2069.
    let with_qop = |part| inputs.nc.map(|_| part);
    Some(hash(
        base,
        &[
            Some(ha1.as_bytes()),
            Some(inputs.nonce),
            inputs.nc,
            with_qop(inputs.cnonce),
            with_qop(qop.as_bytes()),
            Some(ha2.as_bytes()),
        ],
    ))
}

/// The SHA-256 of method and URI, which a server need not compute for each request of those that are alike.
#[cfg(feature = "sha256")]
pub(crate) fn auth_ha2(method: &[u8], uri: &[u8]) -> Hex {
    hash(Algorithm::Sha256, &[Some(method), Some(uri)])
}
