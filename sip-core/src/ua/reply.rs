//! What is sent without a transaction: answers.

use super::content::Content;
use super::context::Context;
use super::headers::Field;
use crate::memory::Octets;
use crate::message::{Malformed, Message};

/// Octets that the user agent reserves for its stateless replies.
pub(super) const RESERVED_OCTETS: u16 = 512;

impl<O: Octets> Context<'_, O> {
    /// Answers a request without a transaction.
    pub(super) fn reply(&mut self, request: &Message<'_>, status: u16, rows: &[Field<'_>]) {
        let settings = &self.core.settings;
        self.transactions.reply(self.source, request, self.new, status, &|kept, writer| {
            settings.write_rest(kept, writer, rows, &Content::NONE);
        });
    }

    /// Answers a request with nothing but a status.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn reply_bare(&mut self, request: &Message<'_>, status: u16) {
        self.reply(request, status, &[]);
    }

    /// Answers a request that could not be parsed, as far as it can be read.
    pub(super) fn reply_malformed(&mut self, failure: &Malformed<'_>) {
        let tag = self.core.random.token();
        self.transactions.reply_malformed(self.source, failure, tag);
    }
}
