//! What a payload type stands for: `a=rtpmap`, `a=fmtp` and the static ones (RFC 8866 §6.6, §6.15, RFC 3551 §6).

use super::SdpError;
use super::line::{cut, field, is_token, number_u32, payload_type};
use crate::message::Param;
use crate::message::scan::{alike, trim};

/// An encoding and the payload type that stands for it: `a=rtpmap` (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RtpMap<'a> {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The name of the encoding; case is ignored where names are compared.
    pub encoding: &'a [u8],
    /// The clock rate in hertz, never 0.
    pub clock_rate: u32,
    /// What follows the clock rate: for audio the number of channels; empty when nothing does.
    pub params: &'a [u8],
}

impl<'a> RtpMap<'a> {
    /// Reads the value of the attribute.
    ///
    /// # Errors
    /// [`SdpError::PayloadType`], [`SdpError::Number`] for the clock rate, or [`SdpError::Attribute`].
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        let (number, rest) = field(value).ok_or(SdpError::Attribute)?;
        let payload_type = payload_type(number)?;
        let (encoding, rest) = cut(trim(rest), b'/');
        let (rate, params) = cut(rest.ok_or(SdpError::Attribute)?, b'/');
        let clock_rate = number_u32(rate)?;
        if clock_rate == 0 {
            return Err(SdpError::Number);
        }
        let params = params.unwrap_or_default();
        if !is_token(encoding) || !params.is_empty() && !params.split(|octet| *octet == b'/').all(is_token) {
            return Err(SdpError::Attribute);
        }
        Ok(Self { payload_type, encoding, clock_rate, params })
    }

    /// The number of audio channels, 1 unless it is said.
    #[must_use]
    pub fn channels(&self) -> u32 {
        number_u32(self.params).unwrap_or(1).max(1)
    }

    /// Whether this is the encoding of this name and clock rate, in hertz.
    #[must_use]
    pub fn is(&self, encoding: &[u8], clock_rate: u32) -> bool {
        alike(self.encoding, encoding) && self.clock_rate == clock_rate
    }
}

/// The encoding that a static payload type stands for without an `a=rtpmap` (RFC 3551 §6, tables 4 and 5).
#[must_use]
pub const fn static_codec(payload_type: u8) -> Option<RtpMap<'static>> {
    let (encoding, clock_rate): (&[u8], u32) = match payload_type {
        0 => (b"PCMU", 8000),
        3 => (b"GSM", 8000),
        4 => (b"G723", 8000),
        5 => (b"DVI4", 8000),
        6 => (b"DVI4", 16000),
        7 => (b"LPC", 8000),
        8 => (b"PCMA", 8000),
        9 => (b"G722", 8000),
        10 | 11 => (b"L16", 44100),
        12 => (b"QCELP", 8000),
        13 => (b"CN", 8000),
        14 => (b"MPA", 90000),
        15 => (b"G728", 8000),
        16 => (b"DVI4", 11025),
        17 => (b"DVI4", 22050),
        18 => (b"G729", 8000),
        25 => (b"CelB", 90000),
        26 => (b"JPEG", 90000),
        28 => (b"nv", 90000),
        31 => (b"H261", 90000),
        32 => (b"MPV", 90000),
        33 => (b"MP2T", 90000),
        34 => (b"H263", 90000),
        _ => return None,
    };
    let params: &[u8] = if payload_type == 10 { b"2" } else { b"" };
    Some(RtpMap { payload_type, encoding, clock_rate, params })
}

/// The parameters of a format: `a=fmtp` (RFC 8866 §6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fmtp<'a> {
    /// The format as it stands in the `m=` line.
    pub format: &'a [u8],
    /// The parameters as they are written, without white space at their ends.
    pub params: &'a [u8],
}

impl<'a> Fmtp<'a> {
    /// Reads the value of the attribute.
    ///
    /// # Errors
    /// [`SdpError::Attribute`] when it doesn't begin with a format that is a token.
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        let (format, rest) = field(value).filter(|(format, _)| is_token(format)).ok_or(SdpError::Attribute)?;
        Ok(Self { format, params: trim(rest) })
    }

    /// The payload type that the format is; `None` when it isn't a number from 0 to 127.
    #[must_use]
    pub fn payload_type(&self) -> Option<u8> {
        payload_type(self.format).ok()
    }

    /// The parameters that semicolons separate, in order; `0-16` of a telephone-event is one name without a value.
    #[must_use]
    pub const fn params(&self) -> FmtpParams<'a> {
        FmtpParams { rest: Some(self.params) }
    }

    /// The value of the first parameter of this name, empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find_map(|param| param.is(name).then(|| param.value.unwrap_or_default()))
    }
}

/// The parameters in an `a=fmtp`, empty ones left out.
#[derive(Clone, Debug)]
pub struct FmtpParams<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for FmtpParams<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        loop {
            let (param, rest) = cut(self.rest.take()?, b';');
            self.rest = rest;
            let (name, value) = cut(trim(param), b'=');
            let name = trim(name);
            if !name.is_empty() || value.is_some() {
                return Some(Param { name, value: value.map(trim) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        for (text, payload_type, encoding, clock_rate, channels) in [
            ("0 PCMU/8000", 0, "PCMU", 8000, 1),
            ("96 opus/48000/2", 96, "opus", 48000, 2),
            ("127  L16/44100/2 ", 127, "L16", 44100, 2),
            ("97 X/4294967295/0", 97, "X", u32::MAX, 1),
            ("97 X/1/99999999999", 97, "X", 1, 1),
        ] {
            let map = RtpMap::parse(text.as_bytes()).unwrap();
            assert_eq!((map.payload_type, map.encoding), (payload_type, encoding.as_bytes()), "{text}");
            assert_eq!((map.clock_rate, map.channels()), (clock_rate, channels), "{text}");
        }
        for (text, error) in [
            ("", SdpError::Attribute),
            ("0", SdpError::Attribute),
            ("0 PCMU", SdpError::Attribute),
            ("0 /8000", SdpError::Attribute),
            ("0 P MU/8000", SdpError::Attribute),
            ("0 PCMU/8000/a b", SdpError::Attribute),
            ("0 PCMU/", SdpError::Number),
            ("0 PCMU/0", SdpError::Number),
            ("0 PCMU/4294967296", SdpError::Number),
            ("x PCMU/8000", SdpError::PayloadType),
            ("-1 PCMU/8000", SdpError::PayloadType),
        ] {
            assert_eq!(RtpMap::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn payload_types_of_any_size() {
        let powers = (0..=32).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for number in powers.chain(0..300).chain([65535]) {
            let value = format!("{number} PCMU/8000");
            let map = RtpMap::parse(value.as_bytes());
            assert_eq!(map.is_ok(), number < 128, "{number}");
            assert_eq!(map.err(), (number >= 128).then_some(SdpError::PayloadType));
            let value = format!("{number} a=b");
            let fmtp = Fmtp::parse(value.as_bytes()).unwrap();
            assert_eq!(fmtp.payload_type().map(u64::from), (number < 128).then_some(number));
        }
    }

    #[test]
    fn static_ones() {
        for number in 0..=255 {
            if let Some(map) = static_codec(number) {
                assert_eq!(map.payload_type, number);
                assert!(number < 35 && map.clock_rate > 0);
            }
        }
        assert_eq!(static_codec(10).map(|map| map.channels()), Some(2));
        assert!(static_codec(9).unwrap().is(b"g722", 8000));
        assert_eq!(static_codec(1), None);
    }

    #[test]
    fn parameters() {
        let fmtp = Fmtp::parse(b"97 mode-set = 0,2 ;octet-align=1; ;=;useinbandfec").unwrap();
        assert_eq!((fmtp.payload_type(), fmtp.params().count()), (Some(97), 4));
        assert_eq!(fmtp.param(b"MODE-SET"), Some(&b"0,2"[..]));
        assert_eq!(fmtp.param(b"useinbandfec"), Some(&b""[..]));
        assert_eq!(fmtp.param(b"x"), None);
        assert_eq!(Fmtp::parse(b"101 0-16").unwrap().params, b"0-16");
        assert_eq!(Fmtp::parse(b"101").unwrap().params().count(), 0);
        assert_eq!(Fmtp::parse(b""), Err(SdpError::Attribute));
    }
}
