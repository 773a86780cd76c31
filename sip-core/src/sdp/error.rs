//! What can be wrong with a session description.

use core::fmt;

/// Why octets are not a session description, or not the part of one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SdpError {
    /// It has more than [`MAX_OCTETS`](super::MAX_OCTETS) octets.
    TooLarge,
    /// It has more than [`MAX_LINES`](super::MAX_LINES) lines.
    TooManyLines,
    /// It has more than [`MAX_MEDIA`](super::MAX_MEDIA) `m=` lines.
    TooManyMedia,
    /// An `m=` line has more than [`MAX_FORMATS`](super::MAX_FORMATS) formats.
    TooManyFormats,
    /// A CR stands alone, or there is a NUL (RFC 8866 §9 `byte-string`).
    Octet,
    /// A line is not a letter, `=` and a value.
    Line,
    /// A type of line that RFC 8866 §5 does not know; such a description is to be ignored.
    Type,
    /// A line stands where it must not: something before `v=`, or a session line behind the first `m=`.
    Order,
    /// The version is missing or not 0 (RFC 8866 §5.1).
    Version,
    /// `o=` is missing or malformed (RFC 8866 §5.2).
    Origin,
    /// A line that occurs once in a session occurs again.
    Doubled,
    /// A `c=` line or an address is malformed (RFC 8866 §5.7).
    Connection,
    /// An `m=` line lacks a part, or one of them is no token (RFC 8866 §5.14).
    Media,
    /// A port is no number from 0 to 65,535.
    Port,
    /// The number of ports is zero, or they reach beyond 65,535 (RFC 8866 §5.14).
    PortCount,
    /// A payload type is no number from 0 to 127 (RFC 3550 §5.1).
    PayloadType,
    /// A number is malformed or out of its range.
    Number,
    /// The value of an attribute breaks its grammar.
    Attribute,
    /// A key of `a=crypto` breaks its grammar, or is not `inline` (RFC 4568 §6.1).
    Key,
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too many octets",
            Self::TooManyLines => "too many lines",
            Self::TooManyMedia => "too many m= lines",
            Self::TooManyFormats => "too many formats in an m= line",
            Self::Octet => "a CR alone, or a NUL",
            Self::Line => "a line that is not a letter, = and a value",
            Self::Type => "a type of line that is not known",
            Self::Order => "a line where it must not stand",
            Self::Version => "bad or missing v=",
            Self::Origin => "bad or missing o=",
            Self::Doubled => "a line twice that occurs once",
            Self::Connection => "bad c= or address",
            Self::Media => "bad m=",
            Self::Port => "bad port",
            Self::PortCount => "bad number of ports",
            Self::PayloadType => "bad payload type",
            Self::Number => "bad number",
            Self::Attribute => "bad attribute",
            Self::Key => "bad key of a=crypto",
        })
    }
}

impl core::error::Error for SdpError {}
