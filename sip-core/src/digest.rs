//! Digest authentication (RFC 3261 §22.4, RFC 7616, RFC 8760).

mod md5;

use crate::message::scan::alike;
use crate::message::{Challenge, HeaderName, Method, Writer};
use md5::Md5;
use sha2::{Digest, Sha256};

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// MD5 over a session key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 over a session key.
    Sha256Sess,
    /// SHA-512/256 (RFC 8760); known, and not computed here.
    Sha512_256,
    /// SHA-512/256 over a session key; known, and not computed here.
    Sha512_256Sess,
    /// Any other.
    Unknown,
}

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
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Md5 => b"MD5",
            Self::Md5Sess => b"MD5-sess",
            Self::Sha256 => b"SHA-256",
            Self::Sha256Sess => b"SHA-256-sess",
            Self::Sha512_256 => b"SHA-512-256",
            Self::Sha512_256Sess => b"SHA-512-256-sess",
            Self::Unknown => b"",
        }
    }

    /// Whether it can be computed here.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        matches!(self, Self::Md5 | Self::Md5Sess | Self::Sha256 | Self::Sha256Sess)
    }

    /// How strong it is, larger being stronger; zero when it can't be computed here.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Md5 => 1,
            Self::Md5Sess => 2,
            Self::Sha256 => 3,
            Self::Sha256Sess => 4,
            Self::Sha512_256 | Self::Sha512_256Sess | Self::Unknown => 0,
        }
    }

    const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    const fn is_md5(self) -> bool {
        matches!(self, Self::Md5 | Self::Md5Sess)
    }
}

/// A hash in lower-case hexadecimal digits: 32 of them for MD5, 64 for SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; 64],
    length: usize,
}

impl Hex {
    fn new(hash: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 64];
        let mut length: usize = 0;
        for (pair, octet) in digits.as_chunks_mut().0.iter_mut().zip(hash) {
            *pair = [octet >> 4, octet & 15].map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
            length = length.wrapping_add(2);
        }
        Self { digits, length }
    }

    /// The digits.
    #[must_use]
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

/// The hash of the parts with colons between them.
fn hash(md5: bool, parts: &[&[u8]]) -> Hex {
    if md5 {
        let mut hasher = Md5::new();
        join(parts, |part| hasher.update(part));
        Hex::new(&hasher.finish())
    } else {
        let mut hasher = Sha256::new();
        join(parts, |part| hasher.update(part));
        Hex::new(&hasher.finalize())
    }
}

fn join(parts: &[&[u8]], mut update: impl FnMut(&[u8])) {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            update(b":");
        }
        update(part);
    }
}

/// What a user proves to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret<'a> {
    /// The password.
    Password(&'a [u8]),
    /// The MD5 of `username:realm:password`; answers MD5 challenges only.
    Md5([u8; 16]),
    /// The SHA-256 of `username:realm:password`; answers SHA-256 challenges only.
    Sha256([u8; 32]),
}

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
    /// Whether the answer has the quality of protection `auth`; else it is that of RFC 2069.
    pub qop: bool,
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
            qop: challenge.qop_auth,
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
}

/// Computes the response (RFC 7616 §3.4.1); with it a server finds what it has to compare with.
///
/// `None` when the algorithm can't be computed here, or the secret is a hash of another algorithm.
#[must_use]
pub fn response(inputs: &Inputs<'_>) -> Option<Hex> {
    if !inputs.algorithm.is_supported() {
        return None;
    }
    let md5 = inputs.algorithm.is_md5();
    let mut ha1 = match (inputs.secret, md5) {
        (Secret::Password(password), _) => hash(md5, &[inputs.username, inputs.realm, password]),
        (Secret::Md5(ha1), true) => Hex::new(&ha1),
        (Secret::Sha256(ha1), false) => Hex::new(&ha1),
        (Secret::Md5(_), false) | (Secret::Sha256(_), true) => return None,
    };
    if inputs.algorithm.is_session() {
        ha1 = hash(md5, &[ha1.as_bytes(), inputs.nonce, inputs.cnonce]);
    }
    let ha2 = hash(md5, &[inputs.method, inputs.uri]);
    Some(match inputs.nc {
        Some(nc) => hash(md5, &[ha1.as_bytes(), inputs.nonce, nc, inputs.cnonce, b"auth", ha2.as_bytes()]),
        // RFC 7616 §3.4.1 without qop: the answer of RFC 2069.
        None => hash(md5, &[ha1.as_bytes(), inputs.nonce, ha2.as_bytes()]),
    })
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
        nc: terms.qop.then_some(&nc),
    });
    let Some(computed) = computed else { return false };
    w.value_start(if terms.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization });
    w.raw(b"Digest username=\"");
    w.text(username);
    w.raw(b"\", realm=\"");
    w.text(terms.realm);
    w.raw(b"\", nonce=\"");
    w.text(terms.nonce);
    w.raw(b"\", uri=\"");
    w.text(answer.uri);
    w.raw(b"\", response=\"");
    w.raw(computed.as_bytes());
    w.raw(b"\", algorithm=");
    w.raw(terms.algorithm.as_bytes());
    if let Some(opaque) = terms.opaque {
        w.raw(b", opaque=\"");
        w.text(opaque);
        w.raw(b"\"");
    }
    if terms.qop || terms.algorithm.is_session() {
        w.raw(b", cnonce=\"");
        w.text(answer.cnonce);
        w.raw(b"\"");
    }
    if terms.qop {
        w.raw(b", qop=auth, nc=");
        w.raw(&nc);
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

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_7616: Inputs<'static> = Inputs {
        algorithm: Algorithm::Sha256,
        username: b"Mufasa",
        realm: b"http-auth@example.org",
        secret: Secret::Password(b"Circle of Life"),
        nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        method: b"GET",
        uri: b"/dir/index.html",
        cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc: Some(b"00000001"),
    };

    fn of(inputs: Inputs<'_>) -> String {
        String::from_utf8(response(&inputs).unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn values_of_rfc_7616_section_3_9_1() {
        assert_eq!(of(RFC_7616), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
        let md5 = Inputs { algorithm: Algorithm::Md5, ..RFC_7616 };
        assert_eq!(of(md5), "8ca523f5e9506fed4657c9700eebdbec");
    }

    #[test]
    fn values_of_rfc_2617_section_3_5() {
        let inputs = Inputs {
            algorithm: Algorithm::Md5,
            username: b"Mufasa",
            realm: b"testrealm@host.com",
            secret: Secret::Password(b"Circle Of Life"),
            nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            method: b"GET",
            uri: b"/dir/index.html",
            cnonce: b"0a4f113b",
            nc: Some(b"00000001"),
        };
        assert_eq!(of(inputs), "6629fae49393a05397450978507c4ef1");
        // RFC 2069 §2.4, with the value that its erratum gives.
        let old = Inputs { secret: Secret::Password(b"CircleOfLife"), nc: None, ..inputs };
        assert_eq!(of(old), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn a_hash_stands_for_the_password_of_its_own_algorithm() {
        let mut ha1 = [0; 16];
        let mut hasher = Md5::new();
        join(&[RFC_7616.username, RFC_7616.realm, b"Circle of Life"], |part| hasher.update(part));
        ha1.copy_from_slice(&hasher.finish());
        let md5 = Inputs { algorithm: Algorithm::Md5, secret: Secret::Md5(ha1), ..RFC_7616 };
        assert_eq!(of(md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(response(&Inputs { algorithm: Algorithm::Sha256, ..md5 }), None);
        assert_eq!(response(&Inputs { algorithm: Algorithm::Sha512_256, ..RFC_7616 }), None);
    }

    #[test]
    fn a_session_key_is_another_key() {
        let session = of(Inputs { algorithm: Algorithm::Md5Sess, ..RFC_7616 });
        assert_ne!(session, of(Inputs { algorithm: Algorithm::Md5, ..RFC_7616 }));
        assert_ne!(session, of(Inputs { algorithm: Algorithm::Md5Sess, cnonce: b"other", ..RFC_7616 }));
    }

    #[test]
    fn the_row_reads_back_and_verifies() {
        let terms = Terms {
            realm: b"a \\\"quoted\\\" realm",
            nonce: b"n\\\\",
            opaque: Some(b""),
            algorithm: Algorithm::Sha256,
            qop: true,
            proxy: true,
        };
        let answer = Answer {
            username: b"b\"ob",
            secret: Secret::Password(b"pw"),
            method: Method::Register,
            uri: b"sip:example.com",
            nc: 0xab,
            cnonce: b"c",
        };
        let mut buffer = [0; 512];
        let mut w = Writer::new(&mut buffer);
        assert!(write_authorization(&mut w, &terms, &answer));
        let length = w.finish().unwrap();
        let row = buffer[..length].strip_prefix(b"Proxy-Authorization: ").unwrap().strip_suffix(b"\r\n").unwrap();
        let header = crate::message::Header { name: HeaderName::ProxyAuthorization, value: row };
        let credentials = crate::message::Credentials::of(&header).unwrap();
        assert_eq!(credentials.username, b"b\\\"ob");
        assert_eq!(credentials.realm, terms.realm);
        assert_eq!(credentials.nc, Some(&b"000000ab"[..]));
        assert_eq!(credentials.opaque, Some(&b""[..]));
        let computed = response(&Inputs {
            algorithm: credentials.algorithm,
            username: credentials.username,
            realm: credentials.realm,
            secret: answer.secret,
            nonce: credentials.nonce,
            method: b"REGISTER",
            uri: credentials.uri,
            cnonce: credentials.cnonce.unwrap(),
            nc: credentials.nc,
        });
        let computed = computed.unwrap();
        assert!(computed.matches(credentials.response));
        assert!(computed.matches(&credentials.response.to_ascii_uppercase()));
        assert!(!computed.matches(&credentials.response[1..]) && !computed.matches(b""));
    }
}
