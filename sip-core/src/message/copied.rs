//! A message that is copied in one pass, but for what is left out of it.

use super::header::HeaderName;
use super::parse::Message;
use super::row::Row;
use super::scan::{line, slice};
use super::writer::Writer;

/// How much of a message has been copied.
pub(super) struct Copied<'a> {
    message: &'a Message<'a>,
    at: usize,
    /// Where the empty line stands that ends the headers.
    pub(super) empty_line: usize,
}

impl<'a> Copied<'a> {
    pub(super) fn new(message: &'a Message<'a>) -> Self {
        let empty_line = message.head_len().saturating_sub(2);
        Self { message, at: 0, empty_line }
    }

    /// Copies a message with these rows of Via in the place of its own. It is out of line, so that nobody else pays for it.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    pub(super) fn with_vias(message: &'a Message<'a>, vias: &[u8], content_length: bool, w: &mut Writer<'_>) {
        let mut copy = Self::new(message);
        copy.until(w, copy.first_row());
        w.raw(vias);
        copy.leave_out_vias(w);
        copy.rest(w, content_length);
    }

    /// Where the line behind the start line begins.
    pub(super) fn first_row(&self) -> usize {
        if self.message.skipped_rows() == 0 {
            self.message.rows().next().map_or(self.empty_line, Row::name)
        } else {
            line(self.message.bytes(), 0, false).map_or(self.empty_line, |line| line.next)
        }
    }

    /// Copies what stands before `to` and has not been copied.
    #[inline]
    pub(super) fn until(&mut self, w: &mut Writer<'_>, to: usize) {
        if to > self.at {
            w.raw(slice(self.message.bytes(), self.at, to));
            self.at = to;
        }
    }

    /// Leaves out what stands before `to` and has not been copied.
    #[inline]
    pub(super) const fn skip_to(&mut self, to: usize) {
        self.at = to;
    }

    /// Leaves a row out, with its line end.
    pub(super) fn leave_out(&mut self, w: &mut Writer<'_>, row: Row) {
        self.until(w, row.name());
        let next = line(self.message.bytes(), row.end(), true).map_or(self.empty_line, |line| line.next);
        self.skip_to(next);
    }

    /// Leaves all rows of Via out.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn leave_out_vias(&mut self, w: &mut Writer<'_>) {
        let message = self.message;
        let is_via = |row: Row| row.id() == HeaderName::Via.id();
        if message.skipped_rows() > 0 {
            return message.rows().filter(|row| is_via(*row)).for_each(|row| self.leave_out(w, row));
        }
        // A row ends where the next one begins.
        let (mut leaves, mut more) = (false, true);
        for row in message.rows() {
            if leaves {
                self.skip_to(row.name());
            }
            leaves = is_via(row);
            if leaves {
                self.until(w, row.name());
                more = row.next() != 0 || message.has_rows_beyond();
            } else if !more {
                break;
            }
        }
        if leaves {
            self.skip_to(self.empty_line);
        }
    }

    /// Copies all that is left.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn rest(&mut self, w: &mut Writer<'_>, content_length: bool) {
        if content_length && self.message.content_length().is_none() {
            self.until(w, self.empty_line);
            w.header_number(HeaderName::ContentLength, self.message.body().len() as u64);
        }
        self.until(w, self.message.bytes().len());
    }
}
