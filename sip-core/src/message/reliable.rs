//! RSeq and RAck: reliable provisional responses (RFC 3262 §7).

use super::ParseError;
use super::header::HeaderName;
use super::method::Method;
use super::parse::Message;
use super::scan::{decimal, skip_lws};
use super::value::word;

/// Which provisional response a PRACK acknowledges: RAck (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The number of the response's CSeq.
    pub cseq: u32,
    /// The method of the response's CSeq.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Number`] for a number beyond 32 bits or an RSeq of zero, else [`ParseError::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let (rseq_digits, rest) = word(value);
        let (cseq_digits, rest) = word(rest);
        let (method, rest) = word(rest);
        let method = Method::parse(method).filter(|_| skip_lws(rest, 0) == rest.len()).ok_or(ParseError::Value)?;
        Ok(Self { rseq: rseq(rseq_digits)?, cseq: number(cseq_digits)?, method })
    }
}

fn number(digits: &[u8]) -> Result<u32, ParseError> {
    decimal(digits).and_then(|number| u32::try_from(number).ok()).ok_or(ParseError::Number)
}

fn rseq(digits: &[u8]) -> Result<u32, ParseError> {
    number(digits).and_then(|number| if number == 0 { Err(ParseError::Number) } else { Ok(number) })
}

impl<'a> Message<'a> {
    /// RSeq, 1 to 4,294,967,295 (RFC 3262 §7.1); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn rseq(&self) -> Option<Result<u32, ParseError>> {
        self.single(HeaderName::RSeq, rseq)
    }

    /// RAck (RFC 3262 §7.2); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn rack(&self) -> Option<Result<RAck<'a>, ParseError>> {
        self.single(HeaderName::RAck, RAck::parse)
    }
}
