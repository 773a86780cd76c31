//! The one stateless reply (RFC 3261 §8.2.7): written, sent once and forgotten.

use super::agent::Agent;
use super::config::Text;
use super::event::Event;
use super::way::dialog_flow;
use crate::dialog::Identity;
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Malformed, Message, Method, Writer, build, reason_phrase};
use crate::random::Token;
use crate::role::Received;
use crate::transport::{Flow, Transport};

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

impl<O: Octets> Agent<'_, O> {
    /// Answers a request without a transaction. `rest` writes what follows the head, up to the message's end.
    pub(super) fn reply(&mut self, request: &Message<'_>, status: u16, rest: impl Fn(&O::Kept<'_>, &mut Writer<'_>)) {
        // The same for each repetition of the request, and not to be guessed (§8.2.7, §19.3).
        let key = self
            .s
            .hash
            .hasher()
            .part(request.call_id())
            .part(request.from_tag().unwrap_or_default())
            .number(u64::from(request.cseq().number))
            .finish();
        let tag = Token::new(key.bits());
        let source = self.source.remote;
        let size = request.bytes().len();
        self.keep_reply(response_flow(self.source, request), size, |kept, writer| {
            writer.status_line(status, reason_phrase(status).as_bytes());
            build::response_head(writer, request, source, Some(tag.as_bytes()));
            rest(kept, writer);
        });
    }

    /// Answers a request with nothing but a status.
    pub(super) fn reply_bare(&mut self, request: &Message<'_>, status: u16) {
        self.reply(request, status, |_, writer| writer.finish_without_body());
    }

    /// Answers a request that could not be parsed, as far as it can be read.
    pub(super) fn reply_malformed(&mut self, failure: &Malformed<'_>) {
        let tag = Token::new(self.s.random.bits());
        let source = self.source;
        let back = match failure.top_via() {
            Some(via) if source.transport == Transport::Udp => Flow::udp(via.response_address(source.remote)),
            _ => source,
        };
        self.keep_reply(back, 512, |_, writer| {
            writer.status_line(failure.status(), failure.reason().as_bytes());
            build::malformed_head(writer, failure, source.remote, Some(tag.as_bytes()));
            writer.finish_without_body();
        });
    }

    /// Acknowledges the 2xx of a dialog that is over already: its BYE was sent, or came (RFC 3261 §13.2.2.4, §15).
    pub(super) fn acknowledge_alone(&mut self, response: &Message<'_>) -> Received<Event> {
        // Without room the peer repeats its 2xx.
        let Ok(identity) = Identity::keep(response, b"", self.layer.octets) else { return Received::Nothing };
        let settings = self.s.settings;
        let (seq, branch) = (response.cseq().number, self.s.random.token());
        let direct = dialog_flow(&identity.texts(self.layer.octets.get(identity.block)), settings.transport);
        let flow = if direct.is_none() || direct.needs_connection() { self.source } else { direct };
        self.keep_reply(flow, response.bytes().len(), |kept, writer| {
            let sent_by = settings.text(kept.get(settings.block()), Text::SentBy);
            let texts = identity.texts(kept.get(identity.block));
            texts.write_head(writer, Method::Ack, seq, flow.transport, sent_by, branch);
            writer.finish_without_body();
        });
        self.layer.octets.release(identity.block);
        Received::Nothing
    }

    fn keep_reply(&mut self, flow: Flow, size: usize, write: impl Fn(&O::Kept<'_>, &mut Writer<'_>)) {
        self.drop_reply();
        match self.layer.octets.write(size, true, write) {
            Ok(block) => {
                let generation = self.s.reply.generation.wrapping_add(1);
                self.s.reply = Reply { block, flow, generation, ..Reply::ZERO };
            }
            Err(_) => self.s.statistics.replies_dropped = self.s.statistics.replies_dropped.saturating_add(1),
        }
    }

    /// Forgets the reply; one that was never sent is counted.
    pub(super) fn drop_reply(&mut self) {
        let reply = &mut self.s.reply;
        if reply.block.is_none() {
            return;
        }
        if !reply.offered {
            self.s.statistics.replies_dropped = self.s.statistics.replies_dropped.saturating_add(1);
        }
        self.layer.octets.release(reply.block);
        reply.block = Block::NONE;
    }
}

/// The flow back to where a request came from (RFC 3261 §18.2.2, RFC 3581 §4).
pub(super) fn response_flow(flow: Flow, request: &Message<'_>) -> Flow {
    match flow.transport {
        Transport::Udp => Flow { remote: request.top_via().response_address(flow.remote), ..flow },
        _ => flow,
    }
}
