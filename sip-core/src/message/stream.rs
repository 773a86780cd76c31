//! Cutting a stream of octets into messages (RFC 3261 §18.3, RFC 5626 §4.4.1).

use super::ParseError;
use super::header::{HeaderName, row};
use super::parse::MAX_MESSAGE;
use super::scan::{decimal, line, peek};

/// What the octets at the front of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Framing {
    /// More octets are needed.
    Incomplete,
    /// A message.
    Frame {
        /// How many octets it has.
        len: usize,
    },
    /// Line ends between messages.
    KeepAlive {
        /// How many octets they are: 2 or 4.
        len: usize,
        /// Whether they complete a double CRLF, which is answered with one CRLF; a single one is such an answer.
        ping: bool,
    },
    /// No message can follow; the connection is to be closed.
    Broken(ParseError),
}

/// Frames one stream. It remembers how far it has read, so that octets that arrive one by one are not read
/// again and again.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    cap: usize,
    /// How many octets have been looked at.
    seen: usize,
    /// Where the first line that isn't complete begins; zero in the start line.
    line: usize,
    length: Option<usize>,
    /// Where the body begins; zero before it is known.
    head: usize,
    half_ping: bool,
}

impl Framer {
    /// A framer for messages of at most `cap` octets, and never more than 65,535.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { cap: cap.min(MAX_MESSAGE), seen: 0, line: 0, length: None, head: 0, half_ping: false }
    }

    /// Says what the octets at the front are.
    ///
    /// `octets` are all that have arrived and were not taken, beginning where a message does. Take what a
    /// [`Framing::Frame`] or [`Framing::KeepAlive`] says before the next call.
    ///
    /// A Content-Length beyond the cap is an error as soon as its row is complete, before a body is waited for.
    /// None at all means that there is no body.
    pub fn next(&mut self, octets: &[u8]) -> Framing {
        let framing = self.look(octets);
        if matches!(framing, Framing::Frame { .. } | Framing::KeepAlive { .. }) {
            let half_ping = matches!(framing, Framing::KeepAlive { ping: false, .. });
            *self = Self { half_ping, ..Self::new(self.cap) };
        }
        framing
    }

    fn look(&mut self, octets: &[u8]) -> Framing {
        if self.line == 0 && peek(octets, 0) == b'\r' {
            return self.line_ends(octets);
        }
        if self.head == 0 {
            // Without a line end among the new octets no line has become complete.
            let seen = core::mem::replace(&mut self.seen, octets.len());
            let new = octets.get(seen..).unwrap_or_default();
            if new.contains(&b'\n')
                && let Err(error) = self.rows(octets)
            {
                return Framing::Broken(error);
            }
            if self.head == 0 {
                return if octets.len() >= self.cap {
                    Framing::Broken(ParseError::TooLarge)
                } else {
                    Framing::Incomplete
                };
            }
        }
        match self.head.checked_add(self.length.unwrap_or(0)) {
            Some(len) if len > self.cap => Framing::Broken(ParseError::TooLarge),
            Some(len) if len <= octets.len() => Framing::Frame { len },
            Some(_) => Framing::Incomplete,
            None => Framing::Broken(ParseError::TooLarge),
        }
    }

    fn line_ends(&self, octets: &[u8]) -> Framing {
        match octets {
            [b'\r', b'\n', b'\r', b'\n', ..] if !self.half_ping => Framing::KeepAlive { len: 4, ping: true },
            [b'\r', b'\n', ..] => Framing::KeepAlive { len: 2, ping: self.half_ping },
            [b'\r'] => Framing::Incomplete,
            _ => Framing::Broken(ParseError::LineEnd),
        }
    }

    /// Reads the rows that are complete, by the same functions as the parser.
    fn rows(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        let octets = octets.get(..self.cap).unwrap_or(octets);
        loop {
            if self.line == 0 {
                match line(octets, 0, false) {
                    Ok(found) => self.line = found.next,
                    Err((ParseError::Truncated, _)) => return Ok(()),
                    Err((error, _)) => return Err(error),
                }
                continue;
            }
            if peek(octets, self.line) == b'\r' {
                match line(octets, self.line, false) {
                    Ok(found) => self.head = found.next,
                    Err((ParseError::Truncated, _)) => {}
                    Err((error, _)) => return Err(error),
                }
                return Ok(());
            }
            match row(octets, self.line) {
                // A row that ends where the octets end may go on with a fold.
                Ok((_, next)) if next >= octets.len() => return Ok(()),
                Ok((row, next)) => {
                    if row.id == HeaderName::ContentLength.id() {
                        self.note(decimal(row.value_in(octets)).ok_or(ParseError::ContentLength)?)?;
                    }
                    self.line = next;
                }
                Err((ParseError::Truncated, _)) => return Ok(()),
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn note(&mut self, length: u64) -> Result<(), ParseError> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.cap).ok_or(ParseError::TooLarge)?;
        if self.length.is_some_and(|other| other != length) {
            return Err(ParseError::ConflictingContentLength);
        }
        self.length = Some(length);
        Ok(())
    }
}

/// Says once what the octets at the front of a stream are; a [`Framer`] remembers what it has read.
#[must_use]
pub fn frame(octets: &[u8], cap: usize) -> Framing {
    Framer::new(cap).next(octets)
}
