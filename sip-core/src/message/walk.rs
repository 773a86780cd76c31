//! A value that is walked through from its front to its end.

use super::chunk::Ahead;
use super::scan::{HEX, PLAIN, is, peek, skip_lws, slice, trim_end};

/// Octets, and what is known of the next ones, so that a run of usual octets is one step however long it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) bytes: &'a [u8],
    ahead: Ahead,
}

impl<'a> Walk<'a> {
    /// A walk through `bytes` that begins at `at`.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, ahead: Ahead::new(bytes, at) }
    }

    /// The first place at or after `at` that is unusual or the end.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn next_unusual(&mut self, at: usize) -> usize {
        self.ahead.next(self.bytes, at)
    }

    /// As [`run`](super::scan::run).
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn run(&mut self, from: usize, class: u16) -> usize {
        let mut at = from;
        loop {
            at = self.next_unusual(at);
            match self.bytes.get(at) {
                Some(octet) if is(*octet, class) => at = at.wrapping_add(1),
                _ => return at,
            }
        }
    }

    /// The element of a comma-separated list that begins at `at`, trimmed, and where its comma or the end stands; quotes
    /// and angle brackets hide commas (RFC 3261 §7.3.1).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn element(&mut self, at: usize) -> (&'a [u8], usize) {
        let start = skip_lws(self.bytes, at);
        let mut end = self.run(start, PLAIN);
        if matches!(peek(self.bytes, end), b'"' | b'<' | b'>') {
            end = self.hidden(end);
        }
        (trim_end(slice(self.bytes, start, end)), end)
    }

    /// Where the element ends in which a quote or bracket stands at `at`.
    #[inline(never)]
    fn hidden(&mut self, at: usize) -> usize {
        let mut at = at;
        let mut bracket = false;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => at = self.quoted(at).unwrap_or(self.bytes.len()),
                Some(b',') if !bracket => return at,
                Some(octet) => {
                    bracket = *octet == b'<' || bracket && *octet != b'>';
                    at = at.wrapping_add(1);
                }
                None => return self.bytes.len(),
            }
            at = self.run(at, PLAIN);
        }
    }

    /// As [`run`](Self::run), where `%` and two hexadecimal digits count too; `None` when `%` stands without them.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn run_escaped(&mut self, from: usize, class: u16) -> Option<usize> {
        let at = self.run(from, class);
        if peek(self.bytes, at) == b'%' { self.run_escapes(at, class) } else { Some(at) }
    }

    /// Goes on behind a `%` at `at`.
    #[inline(never)]
    fn run_escapes(&mut self, at: usize, class: u16) -> Option<usize> {
        let mut at = at;
        while peek(self.bytes, at) == b'%' {
            let (high, low) = (peek(self.bytes, at.wrapping_add(1)), peek(self.bytes, at.wrapping_add(2)));
            if !is(high, HEX) || !is(low, HEX) {
                return None;
            }
            at = self.run(at.wrapping_add(3), class);
        }
        Some(at)
    }

    /// Where the quoted string that begins at `at` ends, behind its closing quote; `None` when there is no such quote.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn quoted(&mut self, at: usize) -> Option<usize> {
        let mut at = at.wrapping_add(1);
        loop {
            at = self.next_unusual(at);
            match self.bytes.get(at)? {
                b'"' => return Some(at.wrapping_add(1)),
                b'\\' => at = at.wrapping_add(2),
                _ => at = at.wrapping_add(1),
            }
        }
    }
}
