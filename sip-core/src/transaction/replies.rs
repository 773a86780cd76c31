//! Answers without a transaction (RFC 3261 §8.2.7): written, sent once and forgotten.
//!
//! They lie in a few slots of the layer, so that a full table still answers. One that finds no free slot takes that of the
//! longest blocked one; what is lost so is counted, and the peer's repetition of its request brings it again. They have a
//! small reserve of octets of their own and never touch what others have reserved: no stranger can take a hang-up's octets.

use super::NewRequest;
use super::flows::response_flow;
use super::layer::Transactions;
use crate::error::{Capacity, Error};
use crate::memory::{Block, Octets};
use crate::message::{Malformed, Message, Writer, build, reason_phrase};
use crate::random::Token;
use crate::transport::Flow;

/// The most answers without a transaction that wait at once.
pub const REPLIES: usize = 4;

/// Names an answer that waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyId {
    pub(super) slot: u8,
    pub(super) turn: u16,
}

impl ReplyId {
    /// The name of these [bits](Self::to_bits).
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self { slot: bits as u8, turn: (bits >> 8) as u16 }
    }

    /// The name as a number: the slot, and whose turn it is to have it.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.slot as u64 | (self.turn as u64) << 8
    }
}

/// What has become of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// The slot is free.
    #[default]
    Free = 0,
    /// It waits to be sent.
    Ready,
    /// It was given to be sent, and is kept as long as its octets are lent.
    Lent,
    /// The socket would not take it.
    Deferred,
}

/// A slot; all zero is a free one.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(super) struct Reply {
    pub(super) stage: Stage,
    pub(super) turn: u16,
    pub(super) block: Block,
    pub(super) flow: Flow,
}

impl Reply {
    const ZERO: Self = Self { block: Block::NONE, flow: Flow::NONE, turn: 0, stage: Stage::Free };
}

/// The slots and their reserve.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(super) struct Replies {
    /// The slots that are not free.
    used: u8,
    /// The slot that was given to be sent, plus one.
    lent: u8,
    turn: u16,
    /// Octets that were set aside for answers, and how many of them are set aside now.
    wanted: u16,
    held: u16,
    /// Answers that were lost, for lack of room or with their flow.
    pub(super) dropped: u32,
    pub(super) slots: [Reply; REPLIES],
}

impl Replies {
    pub(super) const ZERO: Self =
        Self { slots: [Reply::ZERO; REPLIES], used: 0, lent: 0, turn: 0, wanted: 0, held: 0, dropped: 0 };
}

impl<O: Octets> Transactions<'_, O> {
    /// Sets octets aside for answers without a transaction. To be called once.
    ///
    /// # Errors
    /// [`Capacity::Octets`] when so many are not free.
    pub fn reserve_replies(&mut self, octets: u16) -> Result<(), Capacity> {
        self.octets.reserve(usize::from(octets))?;
        let replies = &mut self.layer.replies;
        (replies.wanted, replies.held) = (octets, octets);
        Ok(())
    }

    /// Answers a request that came on `source` without a transaction: status line, head, and what `rest` writes. Repetitions get
    /// the same To tag. Whether there was room.
    pub fn reply(
        &mut self,
        source: Flow,
        request: &Message<'_>,
        new: NewRequest,
        status: u16,
        rest: &dyn Fn(&O::Kept<'_>, &mut Writer<'_>),
    ) -> bool {
        let tag = request.to_tag().is_none().then(|| new.stateless_tag());
        let flow = response_flow(source, Some(request.via()));
        self.add_reply(flow, request.head_len(), &mut |kept, writer| {
            writer.status_line(status, reason_phrase(status).as_bytes());
            build::response_head(writer, request, source.remote, tag.as_ref().map(Token::as_bytes));
            rest(kept, writer);
        })
    }

    /// Answers a request that could not be parsed, as far as it can be read. Whether there was room.
    pub fn reply_malformed(&mut self, source: Flow, failure: &Malformed<'_>, to_tag: Token) -> bool {
        let flow = response_flow(source, failure.top_via().as_ref());
        self.add_reply(flow, 512, &mut |_, writer| {
            writer.status_line(failure.status(), failure.reason().as_bytes());
            build::malformed_head(writer, failure, source.remote, Some(to_tag.as_bytes()));
            writer.finish_without_body();
        })
    }

    fn add_reply(&mut self, flow: Flow, want: usize, write: &mut dyn FnMut(&O::Kept<'_>, &mut Writer<'_>)) -> bool {
        self.reap();
        let written = self.free_slot().map(|slot| (slot, self.write_reply(want, write)));
        let replies = &mut self.layer.replies;
        if let Some((slot, Ok(block))) = written
            && let Some(place) = replies.slots.get_mut(slot)
        {
            replies.turn = replies.turn.wrapping_add(1);
            replies.used = replies.used.saturating_add(1);
            *place = Reply { block, flow, turn: replies.turn, stage: Stage::Ready };
            return true;
        }
        replies.dropped = replies.dropped.saturating_add(1);
        false
    }

    /// A slot for an answer: a free one, or that of the longest blocked one. What was not even offered keeps its slot.
    fn free_slot(&mut self) -> Option<usize> {
        self.release_lent();
        let replies = &mut self.layer.replies;
        let mut longest: Option<(u16, usize)> = None;
        for (slot, reply) in replies.slots.iter().enumerate() {
            let blocked = (replies.turn.wrapping_sub(reply.turn), slot);
            match reply.stage {
                Stage::Free => return Some(slot),
                Stage::Deferred if longest.is_none_or(|longest| blocked > longest) => longest = Some(blocked),
                Stage::Deferred | Stage::Ready | Stage::Lent => {}
            }
        }
        let (_, slot) = longest?;
        replies.dropped = replies.dropped.saturating_add(1);
        self.release_reply(slot);
        Some(slot)
    }

    /// Writes an answer into octets that nobody has reserved, or else into the answers' own reserve.
    fn write_reply(
        &mut self,
        want: usize,
        write: &mut dyn FnMut(&O::Kept<'_>, &mut Writer<'_>),
    ) -> Result<Block, Error> {
        // What answers before have spent of the reserve is set aside again as soon as it is free.
        self.set_aside(self.layer.replies.wanted);
        let written = self.octets.write_by(want, false, write);
        if !matches!(written, Err(Error::Capacity(Capacity::Octets { .. }))) {
            return written;
        }
        let held = core::mem::take(&mut self.layer.replies.held);
        self.octets.unreserve(usize::from(held));
        let written = self.octets.write_by(want, false, write);
        let spent = written.as_ref().map_or(0, |block| self.octets.get(*block).len().saturating_add(O::OVERHEAD));
        self.set_aside(held.saturating_sub(u16::try_from(spent).unwrap_or(u16::MAX)));
        written
    }

    /// Sets aside what is missing to a reserve of `octets`, if it is free.
    fn set_aside(&mut self, octets: u16) {
        let missing = octets.saturating_sub(self.layer.replies.held);
        if missing > 0 && self.octets.reserve(usize::from(missing)).is_ok() {
            self.layer.replies.held = octets;
        }
    }

    /// The next answer to send, to be read with [`lend_reply`](Self::lend_reply). It counts as sent unless
    /// [`defer_reply`](Self::defer_reply) puts it back.
    #[must_use]
    #[inline]
    pub fn poll_reply(&mut self) -> Option<ReplyId> {
        if self.layer.replies.used == 0 { None } else { self.next_reply() }
    }

    #[inline(never)]
    fn next_reply(&mut self) -> Option<ReplyId> {
        self.release_lent();
        let mut slots = self.layer.replies.slots.iter_mut().enumerate();
        let (slot, reply) = slots.find(|(_, reply)| reply.stage == Stage::Ready)?;
        reply.stage = Stage::Lent;
        let (slot, turn) = (slot as u8, reply.turn);
        self.layer.replies.lent = slot.wrapping_add(1);
        Some(ReplyId { slot, turn })
    }

    /// Puts an answer back until its flow is writable.
    pub fn defer_reply(&mut self, id: ReplyId) {
        if let Some(reply) = self.layer.replies.slots.get_mut(usize::from(id.slot))
            && reply.turn == id.turn
            && reply.stage == Stage::Lent
        {
            reply.stage = Stage::Deferred;
        }
    }

    /// Makes an answer that was put back ready again.
    pub fn resume_reply(&mut self, id: ReplyId) {
        if let Some(reply) = self.layer.replies.slots.get_mut(usize::from(id.slot))
            && reply.turn == id.turn
            && reply.stage == Stage::Deferred
        {
            reply.stage = Stage::Ready;
        }
    }

    /// Frees the slot of what was sent; one that was put back since stays.
    fn release_lent(&mut self) {
        let lent = core::mem::take(&mut self.layer.replies.lent);
        if let Some(slot) = usize::from(lent).checked_sub(1)
            && self.layer.replies.slots.get(slot).is_some_and(|reply| reply.stage == Stage::Lent)
        {
            self.release_reply(slot);
        }
    }

    fn release_reply(&mut self, slot: usize) {
        let replies = &mut self.layer.replies;
        let Some(reply) = replies.slots.get_mut(slot) else { return };
        replies.used = replies.used.saturating_sub(1);
        self.octets.release(core::mem::take(&mut reply.block));
        *reply = Reply::ZERO;
    }

    /// Offers again what was put back for `flow`.
    pub(super) fn replies_writable(&mut self, flow: Flow) {
        for reply in &mut self.layer.replies.slots {
            if reply.stage == Stage::Deferred && flow.carries(reply.flow) {
                reply.stage = Stage::Ready;
            }
        }
    }

    /// Drops what was put back for a flow that has failed, and what was given to be sent on it.
    pub(super) fn replies_failed(&mut self, flow: Flow) {
        for slot in 0..REPLIES {
            let of_flow = |reply: &Reply| matches!(reply.stage, Stage::Deferred | Stage::Lent) && reply.flow == flow;
            if self.layer.replies.slots.get(slot).is_some_and(of_flow) {
                self.layer.replies.dropped = self.layer.replies.dropped.saturating_add(1);
                self.release_reply(slot);
            }
        }
    }
}
