//! What can be wrong with a message.

use super::phrase::reason_phrase;

/// Why octets are not a message, or not the part of one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseError {
    /// The message has more than 65,535 octets.
    TooLarge,
    /// The octets end before the empty line that ends the headers.
    Truncated,
    /// A CR or LF stands alone.
    LineEnd,
    /// The start line is neither a request line nor a status line (RFC 3261 §7.1, §7.2).
    StartLine,
    /// The status code is not between 100 and 699.
    StatusCode,
    /// The version is not SIP/2.0; a request gets a 505.
    Version,
    /// The Request-URI is not a URI, or carries headers (RFC 3261 §19.1.1).
    RequestUri,
    /// A header line does not begin with a name and a colon, and could be taken for one that counts.
    HeaderName,
    /// A Via is malformed.
    Via,
    /// From is malformed.
    From,
    /// To is malformed.
    To,
    /// Call-ID is malformed.
    CallId,
    /// CSeq is malformed or its number exceeds 32 bits.
    CSeq,
    /// Content-Length is not a number.
    ContentLength,
    /// Fewer octets follow the headers than Content-Length says.
    Body,
    /// An address (Contact, Route, …) is malformed.
    Address,
    /// A URI is malformed.
    Uri,
    /// A method is no token.
    Method,
    /// A number is malformed or out of its range.
    Number,
    /// A challenge or credentials are malformed.
    Auth,
    /// The value of another header is malformed, or a header occurs again that may occur once.
    Value,
    /// There is no Via.
    MissingVia,
    /// There is no From.
    MissingFrom,
    /// There is no To.
    MissingTo,
    /// There is no Call-ID.
    MissingCallId,
    /// There is no CSeq.
    MissingCSeq,
    /// From occurs twice.
    DoubledFrom,
    /// To occurs twice.
    DoubledTo,
    /// Call-ID occurs twice.
    DoubledCallId,
    /// CSeq occurs twice.
    DoubledCSeq,
    /// Two Content-Length rows differ.
    ConflictingContentLength,
    /// The method of CSeq is not that of the request line (RFC 3261 §8.1.1.5).
    CSeqMethod,
}

impl ParseError {
    /// Whether the octets break the grammar; false when each part is well-formed and the whole is not
    /// acceptable: a mandatory header missing or doubled, a version or CSeq method that does not fit.
    #[must_use]
    pub const fn is_syntax(self) -> bool {
        !matches!(
            self,
            Self::Version
                | Self::MissingVia
                | Self::MissingFrom
                | Self::MissingTo
                | Self::MissingCallId
                | Self::MissingCSeq
                | Self::DoubledFrom
                | Self::DoubledTo
                | Self::DoubledCallId
                | Self::DoubledCSeq
                | Self::ConflictingContentLength
                | Self::CSeqMethod
        )
    }

    /// The status that a request with this fault is answered with: 505 for an unknown version
    /// (RFC 3261 §21.5.6), 513 for a message that is too large (§21.5.7), else 400.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooLarge => 513,
            _ => 400,
        }
    }

    /// The reason phrase for the answer; without the feature `phrases` that of its class, which does not tell what is wrong.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        if cfg!(feature = "phrases") { self.as_str() } else { reason_phrase(self.status()) }
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let (mut lengths, mut reasons, mut before) = (LENGTHS, REASONS, self as u8);
        while let [length, more @ ..] = lengths
            && let Some((reason, behind)) = reasons.split_at_checked(*length as usize)
        {
            if before == 0 {
                return reason;
            }
            (lengths, reasons, before) = (more, behind, before.wrapping_sub(1));
        }
        ""
    }
}

macro_rules! reasons {
    ($($error:ident $reason:literal;)*) => {
        /// One behind the other.
        const REASONS: &str = concat!($($reason),*);

        /// Their lengths.
        const LENGTHS: &[u8] = &[$($reason.len() as u8),*];

        /// The reasons stand in the order of the errors.
        const _: () = {
            let mut place: u8 = 0;
            $(
                assert!(ParseError::$error as u8 == place);
                place += 1;
            )*
            let _ = place;
        };
    };
}

reasons! {
    TooLarge "Message Too Large";
    Truncated "Missing Empty Line";
    LineEnd "Bad Line End";
    StartLine "Bad Start Line";
    StatusCode "Bad Status Code";
    Version "Version Not Supported";
    RequestUri "Bad Request-URI";
    HeaderName "Bad Header Line";
    Via "Bad Via";
    From "Bad From";
    To "Bad To";
    CallId "Bad Call-ID";
    CSeq "Bad CSeq";
    ContentLength "Bad Content-Length";
    Body "Body Shorter Than Content-Length";
    Address "Bad Address";
    Uri "Bad URI";
    Method "Bad Method";
    Number "Bad Number";
    Auth "Bad Credentials";
    Value "Bad Header Value";
    MissingVia "Missing Via";
    MissingFrom "Missing From";
    MissingTo "Missing To";
    MissingCallId "Missing Call-ID";
    MissingCSeq "Missing CSeq";
    DoubledFrom "More Than One From";
    DoubledTo "More Than One To";
    DoubledCallId "More Than One Call-ID";
    DoubledCSeq "More Than One CSeq";
    ConflictingContentLength "Conflicting Content-Length";
    CSeqMethod "CSeq Method Mismatch";
}
