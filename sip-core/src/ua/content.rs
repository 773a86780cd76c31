//! What the application puts into a request or response beside what the core writes itself.

use crate::error::{Argument, Error};
use crate::memory::{Block, Octets};
use crate::message::scan::has;
use crate::message::{Header, HeaderName, Writer};

/// Headers that the core writes itself.
const OWN: [u8; 10] = [
    HeaderName::Via.id(),
    HeaderName::From.id(),
    HeaderName::To.id(),
    HeaderName::CallId.id(),
    HeaderName::CSeq.id(),
    HeaderName::ContentLength.id(),
    HeaderName::ContentType.id(),
    HeaderName::Route.id(),
    HeaderName::RecordRoute.id(),
    HeaderName::MaxForwards.id(),
];

/// A body and its type. The core does not look inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Body<'a> {
    /// The value of Content-Type.
    pub content_type: &'a str,
    /// The octets.
    pub bytes: &'a [u8],
}

/// Headers and a body that the application adds to a request or response.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Content<'a> {
    /// Written after the core's own headers, in this order.
    pub headers: &'a [Header<'a>],
    /// The body, if there is one.
    pub body: Option<Body<'a>>,
}

impl<'a> Content<'a> {
    /// Nothing to add.
    pub const NONE: Self = Self { headers: &[], body: None };

    /// A body of type `application/sdp`.
    #[must_use]
    pub const fn sdp(bytes: &'a [u8]) -> Self {
        Self { headers: &[], body: Some(Body { content_type: "application/sdp", bytes }) }
    }

    /// The same with these headers.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.body.is_none()
    }

    /// Keeps the headers as they will be written, for a message that is written later.
    pub(super) fn keep_headers<O: Octets>(headers: &[Header<'_>], octets: &mut O) -> Result<Block, Error> {
        let content = Content { headers, body: None };
        content.check()?;
        if headers.is_empty() {
            return Ok(Block::NONE);
        }
        octets.write(256, false, |_, writer| {
            writer.headers(headers);
        })
    }

    /// Refuses headers that the core writes itself.
    pub(super) fn check(&self) -> Result<(), Error> {
        // However they are written: compact, in other case.
        let owned = |name: HeaderName<'_>| has(&OWN, name.lookup());
        if self.headers.iter().any(|header| owned(header.name)) {
            return Err(Error::Invalid(Argument::OwnHeader));
        }
        if self.headers.iter().any(|header| HeaderName::parse(header.name.as_bytes()).is_none()) {
            return Err(Error::Invalid(Argument::HeaderName));
        }
        Ok(())
    }

    /// The octets of the body.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn bytes(&self) -> &[u8] {
        self.body.map_or(b"", |body| body.bytes)
    }

    /// About how many octets a request with this content takes.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn room(&self) -> usize {
        self.bytes().len().wrapping_add(640)
    }

    /// Writes the headers, then the body or its absence: the end of a message.
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.headers(self.headers);
        match self.body {
            Some(body) => writer.body(body.content_type.as_bytes(), body.bytes),
            None => writer.finish_without_body(),
        }
    }
}
