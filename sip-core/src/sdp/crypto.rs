//! Keys of SRTP in the description: `a=crypto` (RFC 4568).

use super::SdpError;
use super::line::{cut, field, number};
use crate::message::scan::{alike, has, trim};

/// A crypto suite and its keys: `a=crypto` (RFC 4568 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Crypto<'a> {
    /// The number by which the answer names the line it takes, at most nine digits.
    pub tag: u32,
    /// The crypto suite, `AES_CM_128_HMAC_SHA1_80` for one.
    pub suite: &'a [u8],
    /// The key parameters as they are written; [`keys`](Self::keys) reads them.
    pub raw_keys: &'a [u8],
    /// The session parameters as they are written, empty when there are none.
    pub session_params: &'a [u8],
}

impl<'a> Crypto<'a> {
    /// Reads the value of the attribute, the keys excepted.
    ///
    /// # Errors
    /// [`SdpError::Number`] for the tag, or [`SdpError::Attribute`].
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        let part = |value| field(value).ok_or(SdpError::Attribute);
        let (tag, rest) = part(value)?;
        let tag = number(tag, 999_999_999)? as u32;
        let (suite, rest) = part(rest)?;
        if !is_suite(suite) {
            return Err(SdpError::Attribute);
        }
        let (raw_keys, rest) = part(rest)?;
        Ok(Self { tag, suite, raw_keys, session_params: trim(rest) })
    }

    /// The keys, in order; most lines have one.
    #[must_use]
    pub const fn keys(&self) -> CryptoKeys<'a> {
        CryptoKeys { rest: Some(self.raw_keys) }
    }

    /// The session parameters, in order: `UNENCRYPTED_SRTP`, `KDR=1`, … (RFC 4568 §6.3).
    pub fn params(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.session_params.split(|octet| *octet == b' ').filter(|param| !param.is_empty())
    }
}

/// Whether this can name a crypto suite (RFC 4568 §9.1 `srtp-crypto-suite-ext`).
pub(super) fn is_suite(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_')
}

/// A key and its salt, `inline` (RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CryptoKey<'a> {
    /// The master key and the master salt behind it, in Base64.
    pub key_salt: &'a [u8],
    /// How many packets the key is good for, as a number or as the power of two that it is; `None` when it is not said.
    pub lifetime: Option<u64>,
    /// The master key identifier, if packets carry one.
    pub mki: Option<Mki<'a>>,
}

/// A master key identifier (RFC 4568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mki<'a> {
    /// The identifier, in decimal digits as they are written.
    pub value: &'a [u8],
    /// How many octets it has in a packet, 1 to 128.
    pub length: u8,
}

impl<'a> CryptoKey<'a> {
    /// Reads one key parameter.
    ///
    /// # Errors
    /// [`SdpError::Key`].
    pub fn parse(param: &'a [u8]) -> Result<Self, SdpError> {
        key(param).ok_or(SdpError::Key)
    }
}

fn key(param: &[u8]) -> Option<CryptoKey<'_>> {
    let (method, info) = cut(param, b':');
    let (key_salt, rest) = cut(info?, b'|');
    let octets = key_salt.strip_suffix(b"==").or_else(|| key_salt.strip_suffix(b"=")).unwrap_or(key_salt);
    let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    if !alike(method, b"inline") || octets.is_empty() || !octets.iter().all(base64) {
        return None;
    }
    let mut found = CryptoKey { key_salt, lifetime: None, mki: None };
    let Some(rest) = rest else { return Some(found) };
    // The lifetime may be left out; the identifier has a colon.
    let (first, second) = cut(rest, b'|');
    let mki = if has(first, b':') {
        if second.is_some() {
            return None;
        }
        Some(first)
    } else {
        found.lifetime = Some(lifetime(first)?);
        second
    };
    if let Some(mki) = mki {
        let (value, length) = cut(mki, b':');
        let length = number(length?, 128).ok().filter(|length| *length != 0)? as u8;
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        found.mki = Some(Mki { value, length });
    }
    Some(found)
}

/// `2^n` or a number, not zero.
fn lifetime(text: &[u8]) -> Option<u64> {
    match text {
        [b'2', b'^', power @ ..] => 1u64.checked_shl(number(power, 63).ok()? as u32),
        digits => number(digits, u64::MAX).ok().filter(|packets| *packets != 0),
    }
}

/// The keys of an `a=crypto`; a malformed one is an `Err`, and the iteration goes on behind its semicolon.
#[derive(Clone, Debug)]
pub struct CryptoKeys<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for CryptoKeys<'a> {
    type Item = Result<CryptoKey<'a>, SdpError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (param, rest) = cut(self.rest.take()?, b';');
        self.rest = rest;
        Some(CryptoKey::parse(param))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn a_line_with_everything() {
        let text = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}== FEC_ORDER=FEC_SRTP KDR=1");
        let crypto = Crypto::parse(text.as_bytes()).unwrap();
        assert_eq!((crypto.tag, crypto.suite), (1, &b"AES_CM_128_HMAC_SHA1_80"[..]));
        let keys: Vec<_> = crypto.keys().map(Result::unwrap).collect();
        let mki = Some(Mki { value: b"1", length: 4 });
        assert_eq!(keys[0], CryptoKey { key_salt: KEY.as_bytes(), lifetime: Some(1 << 20), mki });
        assert_eq!((keys.len(), keys[1].lifetime, keys[1].mki), (2, None, None));
        assert_eq!(crypto.params().collect::<Vec<_>>(), [&b"FEC_ORDER=FEC_SRTP"[..], b"KDR=1"]);
    }

    #[test]
    fn keys() {
        for (rest, lifetime, mki) in [
            ("", None, None),
            ("|2^0", Some(1), None),
            ("|2^63", Some(1 << 63), None),
            ("|1024", Some(1024), None),
            ("|12345:128", None, Some(128)),
            ("|2^31|1:1", Some(1 << 31), Some(1)),
        ] {
            let text = format!("INLINE:{KEY}{rest}");
            let key = CryptoKey::parse(text.as_bytes()).unwrap();
            assert_eq!((key.lifetime, key.mki.map(|mki| mki.length)), (lifetime, mki), "{rest}");
        }
        for text in [
            "",
            "inline",
            "inline:",
            "inline:=",
            "inline:a*b",
            "uri:http",
            "inline:a|",
            "inline:a|2^64",
            "inline:a|0",
            "inline:a|2^",
            "inline:a|1:0",
            "inline:a|1:129",
            "inline:a|:1",
            "inline:a|1:",
            "inline:a|x:1",
            "inline:a|1:1|2^3",
            "inline:a|1|1",
            "inline:a|1|1:1|1",
            "inline:a===",
        ] {
            assert_eq!(CryptoKey::parse(text.as_bytes()), Err(SdpError::Key), "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, error) in [
            ("", SdpError::Attribute),
            ("1", SdpError::Attribute),
            ("1 AES", SdpError::Attribute),
            ("1 A-B inline:a", SdpError::Attribute),
            ("x AES inline:a", SdpError::Number),
            ("1000000000 AES inline:a", SdpError::Number),
        ] {
            assert_eq!(Crypto::parse(text.as_bytes()), Err(error), "{text}");
        }
    }
}
