//! What a Rust program expects of the nouns of messages: `Display`, `TryFrom` and `as_str`. What nobody calls is in no
//! program.

use super::address::NameAddr;
use super::error::ParseError;
use super::forward::ForwardError;
use super::header::HeaderName;
use super::host::Host;
use super::malformed::Malformed;
use super::method::Method;
use super::parse::{CSeq, Message};
use super::typed::MediaType;
use super::uri::{Scheme, Uri};
use super::via::Via;
use super::writer::WriteError;
use core::fmt::{self, Display, Formatter};

/// Writes octets as text; those that are no UTF-8 as U+FFFD.
fn lossy(octets: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    for chunk in octets.utf8_chunks() {
        f.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            f.write_str("\u{fffd}")?;
        }
    }
    Ok(())
}

macro_rules! written_as_they_came {
    ($($noun:ident $octets:ident;)*) => {$(
        impl Display for $noun<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                lossy(self.$octets(), f)
            }
        }
    )*};
}

written_as_they_came! {
    HeaderName as_bytes;
    Host as_bytes;
    MediaType raw;
    Method as_bytes;
    NameAddr raw;
    Scheme as_bytes;
    Uri raw;
    Via raw;
}

impl Display for CSeq<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// The text, which is of ASCII; empty when somebody made it of octets that are none.
const fn ascii(octets: &[u8]) -> &str {
    match core::str::from_utf8(octets) {
        Ok(text) => text,
        Err(_) => "",
    }
}

impl<'a> HeaderName<'a> {
    /// The name in its long form, spelled as in its RFC.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        ascii(self.as_bytes())
    }
}

impl<'a> Host<'a> {
    /// The host as it is written, an IPv6 address in its brackets.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        ascii(self.as_bytes())
    }
}

impl<'a> Method<'a> {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        ascii(self.as_bytes())
    }
}

impl<'a> Scheme<'a> {
    /// The name; those that are known in lower case.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Sip => b"sip",
            Self::Sips => b"sips",
            Self::Tel => b"tel",
            Self::Other(name) => name,
        }
    }

    /// The name; those that are known in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        ascii(self.as_bytes())
    }
}

impl<'a> Uri<'a> {
    /// The URI as it is written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        ascii(self.raw())
    }
}

macro_rules! parsed {
    ($($noun:ident |$octets:ident| $parsed:expr;)*) => {$(
        impl<'a> TryFrom<&'a [u8]> for $noun<'a> {
            type Error = ParseError;

            fn try_from($octets: &'a [u8]) -> Result<Self, ParseError> {
                $parsed
            }
        }

        impl<'a> TryFrom<&'a str> for $noun<'a> {
            type Error = ParseError;

            fn try_from(text: &'a str) -> Result<Self, ParseError> {
                Self::try_from(text.as_bytes())
            }
        }
    )*};
}

parsed! {
    CSeq |octets| Self::parse(octets);
    HeaderName |octets| Self::parse(octets).ok_or(ParseError::HeaderName);
    Host |octets| Self::parse(octets);
    MediaType |octets| Self::parse(octets).ok_or(ParseError::Value);
    Method |octets| Self::parse(octets).ok_or(ParseError::Method);
    NameAddr |octets| Self::parse(octets);
    Uri |octets| Self::parse(octets);
    Via |octets| Self::parse(octets);
}

impl<'a> TryFrom<&'a [u8]> for Message<'a> {
    type Error = Malformed<'a>;

    fn try_from(datagram: &'a [u8]) -> Result<Self, Malformed<'a>> {
        Self::parse(datagram)
    }
}

impl<'a> TryFrom<&'a str> for Message<'a> {
    type Error = Malformed<'a>;

    fn try_from(datagram: &'a str) -> Result<Self, Malformed<'a>> {
        Self::parse(datagram.as_bytes())
    }
}

impl Display for ParseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Display for Malformed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.error(), self.at())
    }
}

impl Display for WriteError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { needed } => write!(f, "the message has {needed} octets, more than the buffer"),
            Self::Injection => f.write_str("a value can't stand where it was put"),
            Self::TooLarge { needed } => write!(f, "the message would have {needed} octets, more than 65,535"),
        }
    }
}

impl Display for ForwardError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "a response where a request was to be forwarded, or the other way round",
            Self::TooManyHops => "Max-Forwards is zero",
            Self::MaxForwards => "Max-Forwards is no number from 0 to 255",
            Self::Route => "Route has fewer values than are to be taken away",
            Self::LastVia => "the topmost Via is the only one",
            Self::Write(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for ParseError {}
impl core::error::Error for Malformed<'_> {}
impl core::error::Error for WriteError {}

impl core::error::Error for ForwardError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{INVITE, crlf};
    use super::*;

    #[test]
    fn nouns_are_written_as_they_came() {
        let bytes = crlf(INVITE);
        let message = Message::try_from(&bytes[..]).unwrap();
        assert_eq!(message.method().to_string(), "INVITE");
        assert_eq!(message.uri().unwrap().to_string(), "sip:bob@example.com");
        assert_eq!(message.to().to_string(), "Bob <sip:bob@example.com>");
        assert_eq!(message.cseq().to_string(), "4711 INVITE");
        assert_eq!(message.content_type().unwrap().to_string(), "application/sdp");
        assert_eq!(message.top_via().to_string(), "SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK00112233aabbccdd;rport");
        assert_eq!(message.headers().next().unwrap().name.to_string(), "Via");
        let odd = NameAddr::try_from(&b"J\xFCrg <sip:j@b>"[..]).unwrap();
        assert_eq!(odd.to_string(), "J\u{fffd}rg <sip:j@b>");
    }

    #[test]
    fn text_is_parsed_and_given_back() {
        let uri = Uri::try_from("SIPS:bob@Example.com;lr").unwrap();
        assert_eq!((uri.as_str(), uri.scheme().as_str()), ("SIPS:bob@Example.com;lr", "sips"));
        assert_eq!((uri.host().as_str(), uri.host().to_string()), ("Example.com", "Example.com".to_string()));
        assert_eq!(Method::try_from("PAINT").unwrap().as_str(), "PAINT");
        assert_eq!(HeaderName::try_from("t").unwrap().as_str(), "To");
        assert_eq!(HeaderName::Other(b"\xFF").as_str(), "");
        assert_eq!(CSeq::try_from("1 BYE").unwrap().method, Method::Bye);
        assert_eq!(Method::try_from("A B"), Err(ParseError::Method));
        assert_eq!(Via::try_from("SIP/2.0/UDP"), Err(ParseError::Via));
        assert_eq!(MediaType::try_from("text"), Err(ParseError::Value));
        assert!(Host::try_from("[::1").is_err() && NameAddr::try_from("<").is_err());
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let failure = Message::try_from("INVITE sip:a@b SIP/2.0\r\nCSeq: x\r\n\r\n").unwrap_err();
        assert_eq!(failure.to_string(), "Bad CSeq at octet 30");
        let full = ForwardError::from(WriteError::Full { needed: 7 });
        assert_eq!(full.to_string(), "the message has 7 octets, more than the buffer");
        assert!(core::error::Error::source(&full).is_some());
    }
}
