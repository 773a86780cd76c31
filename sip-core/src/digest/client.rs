//! Answering a challenge: the row of credentials (RFC 7616 §3.4).

use super::{Algorithm, Hex, Inputs, Qop, Secret, response};
use crate::message::{Challenge, HeaderName, Method, Writer};

/// What of a challenge its answer is made of; quoted values without quotes, with their backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Terms<'a> {
    /// The protection domain.
    pub realm: &'a [u8],
    /// The nonce.
    pub nonce: &'a [u8],
    /// What the server wants back unchanged.
    pub opaque: Option<&'a [u8]>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The quality of protection of the answer; `None` for that of RFC 2069.
    pub qop: Option<Qop>,
    /// Whether the answer is Proxy-Authorization.
    pub proxy: bool,
}

impl<'a> From<&Challenge<'a>> for Terms<'a> {
    fn from(challenge: &Challenge<'a>) -> Self {
        Self {
            realm: challenge.realm,
            nonce: challenge.nonce,
            opaque: challenge.opaque,
            algorithm: challenge.algorithm,
            qop: challenge.preferred_qop(),
            proxy: challenge.proxy,
        }
    }
}

/// Who answers, and for which request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The user name, unescaped.
    pub username: &'a [u8],
    /// What the user proves to know.
    pub secret: Secret<'a>,
    /// The method of the request.
    pub method: Method<'a>,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// How many requests this nonce has been used for, this one counted.
    pub nc: u32,
    /// The client's nonce; fresh random characters.
    pub cnonce: &'a [u8],
    /// The body of the request, which `auth-int` protects.
    pub body: &'a [u8],
}

/// The eight hexadecimal digits of a nonce count.
#[must_use]
pub fn nonce_count(nc: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    for (digit, written) in digits.iter_mut().zip(Hex::new(&nc.to_be_bytes()).as_bytes()) {
        *digit = *written;
    }
    digits
}

/// Writes the Authorization or Proxy-Authorization row that answers a challenge (RFC 7616 §3.4).
///
/// Gives whether the challenge could be answered; nothing is written when it can't.
pub fn write_authorization(w: &mut Writer<'_>, terms: &Terms<'_>, answer: &Answer<'_>) -> bool {
    let nc = nonce_count(answer.nc);
    let mut username = [0; 128];
    let Some(username) = escape(answer.username, &mut username) else { return false };
    let computed = response(&Inputs {
        algorithm: terms.algorithm,
        username,
        realm: terms.realm,
        secret: answer.secret,
        nonce: terms.nonce,
        method: answer.method.as_bytes(),
        uri: answer.uri,
        cnonce: answer.cnonce,
        nc: terms.qop.map(|_| &nc[..]),
        body: (terms.qop == Some(Qop::AuthInt)).then_some(answer.body),
    });
    let Some(computed) = computed else { return false };
    w.value_start(if terms.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization });
    // Those in quotes come first, so that each closes the quotes of the one before.
    const NAMES: [&[u8]; 10] = [
        b"Digest username=\"",
        b"\", realm=\"",
        b"\", nonce=\"",
        b"\", uri=\"",
        b"\", response=\"",
        b"\", opaque=\"",
        b"\", cnonce=\"",
        b"\", algorithm=",
        b", qop=",
        b", nc=",
    ];
    let cnonce = terms.qop.is_some() || terms.algorithm.is_session();
    let values = [
        Some(username),
        Some(terms.realm),
        Some(terms.nonce),
        Some(answer.uri),
        Some(computed.as_bytes()),
        terms.opaque,
        cnonce.then_some(answer.cnonce),
        Some(terms.algorithm.as_bytes()),
        terms.qop.map(Qop::as_bytes),
        terms.qop.map(|_| &nc[..]),
    ];
    for (name, value) in NAMES.iter().zip(&values) {
        if let Some(value) = value {
            w.raw(name);
            w.text(value);
        }
    }
    w.end();
    true
}

/// Puts a backslash before each quote and backslash of `text` (RFC 3261 §25.1 `quoted-pair`); `None` when the
/// result has more octets than `buffer`.
fn escape<'b>(text: &'b [u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    if !text.iter().any(|octet| matches!(octet, b'"' | b'\\')) {
        return Some(text);
    }
    let mut length: usize = 0;
    for octet in text {
        if matches!(octet, b'"' | b'\\') {
            *buffer.get_mut(length)? = b'\\';
            length = length.wrapping_add(1);
        }
        *buffer.get_mut(length)? = *octet;
        length = length.wrapping_add(1);
    }
    buffer.get(..length)
}
