//! The one stateless reply (RFC 3261 §8.2.7): written, sent once and forgotten.

use super::content::Content;
use super::context::Context;
use super::headers::Field;
use crate::error::Error;
use crate::memory::{Block, Octets};
use crate::message::{Malformed, Message, build, reason_phrase};
use crate::random::Token;
use crate::transaction::response_flow;
use crate::transport::Flow;

/// Octets that the user agent reserves for its stateless reply.
pub(super) const RESERVED_OCTETS: usize = 512;

/// The reply that waits to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) block: Block,
    pub(super) flow: Flow,
    /// It was offered and lies there only as long as its octets are lent.
    pub(super) offered: bool,
    /// The socket would not take it.
    pub(super) blocked: bool,
    pub(super) generation: u16,
}

impl Reply {
    pub(super) const ZERO: Self =
        Self { block: Block::NONE, flow: Flow::NONE, offered: false, blocked: false, generation: 0 };
}

impl<O: Octets> Context<'_, O> {
    /// Answers a request without a transaction.
    pub(super) fn reply(&mut self, request: &Message<'_>, status: u16, rows: &[Field<'_>]) {
        self.drop_reply();
        let tag = request.to_tag().is_none().then(|| self.new.stateless_tag());
        let (source, settings) = (self.source.remote, &self.core.settings);
        let written = self.transactions.octets.write(request.bytes().len(), true, |kept, writer| {
            writer.status_line(status, reason_phrase(status).as_bytes());
            build::response_head(writer, request, source, tag.as_ref().map(Token::as_bytes));
            settings.write_rest(kept, writer, rows, &Content::NONE);
        });
        self.keep_reply(response_flow(self.source, Some(request.via())), written);
    }

    /// Answers a request with nothing but a status.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn reply_bare(&mut self, request: &Message<'_>, status: u16) {
        self.reply(request, status, &[]);
    }

    /// Answers a request that could not be parsed, as far as it can be read.
    pub(super) fn reply_malformed(&mut self, failure: &Malformed<'_>) {
        self.drop_reply();
        let tag = self.core.random.token();
        let source = self.source.remote;
        let written = self.transactions.octets.write(512, true, |_, writer| {
            writer.status_line(failure.status(), failure.reason().as_bytes());
            build::malformed_head(writer, failure, source, Some(tag.as_bytes()));
            writer.finish_without_body();
        });
        self.keep_reply(response_flow(self.source, failure.top_via().as_ref()), written);
    }

    /// Keeps what is sent once.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn keep_reply(&mut self, flow: Flow, written: Result<Block, Error>) {
        match written {
            Ok(block) => {
                let generation = self.core.reply.generation.wrapping_add(1);
                self.core.reply = Reply { block, flow, generation, ..Reply::ZERO };
            }
            Err(_) => self.core.statistics.replies_dropped = self.core.statistics.replies_dropped.saturating_add(1),
        }
    }

    /// Forgets the reply; one that was never sent is counted.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn drop_reply(&mut self) {
        let reply = &mut self.core.reply;
        if reply.block.is_none() {
            return;
        }
        if !reply.offered {
            self.core.statistics.replies_dropped = self.core.statistics.replies_dropped.saturating_add(1);
        }
        self.transactions.octets.release(reply.block);
        reply.block = Block::NONE;
    }
}
