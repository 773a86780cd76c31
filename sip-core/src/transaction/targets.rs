//! Where a request may still go when the flow that was tried does not do (RFC 3263 §4.3).
//!
//! What is left lies in a block beside the request, a flow after the other: targets that the name has besides the first, and
//! last of all a flow to fall back on. A request that was not sent yet goes on to the next one as it is; one that was
//! sent is a new transaction with a new branch.

use super::entry::{Machine, Marks, TransactionId};
use super::layer::{MATCH, Transactions};
use super::requests::Start;
use super::size::Sizing;
use crate::memory::{Block, Entry, KeptBlocks, Octets};
use crate::message::build;
use crate::random::{Key, Token};
use crate::time::Instant;
use crate::transport::{Flow, Target, Transport};

/// Marks a flow that is kept as the fallback; no flow has this bit in its first octet.
const FALLBACK: u8 = 1 << 7;

/// The most targets of a name that are tried.
pub const TARGETS: usize = 4;

impl<O: Octets> Transactions<'_, O> {
    /// Gives a request that waits for its flow the targets that its name has, best first: it is launched on the first
    /// that can be used, and at most [`TARGETS`] are kept for the case that it fails. Without any it goes to its
    /// [fallback](Self::set_fallback), or is over. Behind a target by TLS all others are passed over that are not.
    pub fn resolved(&mut self, now: Instant, id: TransactionId, targets: &[Target]) {
        self.reap();
        let mut flows = [Flow::NONE; TARGETS];
        let mut places = flows.iter_mut();
        // Who is reached by TLS first of all is not reached without it when that fails.
        let secure = targets.first().is_some_and(|target| target.transport.is_secure());
        for target in targets {
            let flow = Flow::to(*target);
            if flow.is_none() || secure && !flow.transport.is_secure() {
                continue;
            }
            let Some(place) = places.next() else { break };
            *place = Flow { listener: self.flow(id).listener, ..flow };
        }
        let left = places.len();
        let usable = flows.get(..TARGETS.saturating_sub(left)).unwrap_or_default();
        let Some((first, others)) = usable.split_first() else { return self.unreachable(now, id) };
        if self.table.get(id.0).is_some_and(|entry| matches!(entry.machine, Machine::Parked { .. })) {
            if !others.is_empty() {
                self.keep_targets(id, others, 0);
            }
            self.launch(now, id, *first);
        }
    }

    /// Where a request goes when its own target can't be found or reached: the source of a dialog, say. One that was sent
    /// does not go there: in a dialog it would be a second one with its CSeq number. Without room for it there is none.
    pub fn set_fallback(&mut self, id: TransactionId, fallback: Flow) {
        let Some(entry) = self.entry_mut(id) else { return };
        let parked = matches!(entry.machine, Machine::Parked { .. });
        if parked && !fallback.is_none() && entry.template.is_none() {
            self.keep_targets(id, &[fallback], FALLBACK);
        }
    }

    /// The next hop of this request is its Request-URI and not its first Route value: a strict router is next (RFC 3261
    /// §12.2.1.1, §16.6 step 6).
    pub fn set_strict(&mut self, id: TransactionId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.marks.set(Marks::STRICT);
        }
    }

    /// This request goes by its flow or not at all: no new connection takes the place of one that is lost,
    /// nor that of a datagram for which it is too large.
    pub fn set_flow_only(&mut self, id: TransactionId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.marks.set(Marks::RESENT);
            // It waits for a connection for its size alone, with compact names.
            if entry.sizing.is_oversize() && matches!(entry.machine, Machine::Parked { .. }) {
                entry.sizing.force();
                entry.flow.transport = Transport::Udp;
            }
        }
    }

    /// Puts flows before those that are kept of a client transaction, with `mark` in the first octet of each.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn keep_targets(&mut self, id: TransactionId, flows: &[Flow], mark: u8) {
        let old = self.entry_mut(id).map_or(Block::NONE, |entry| entry.template);
        let written = self.octets.write(Flow::OCTETS.saturating_mul(TARGETS), false, |kept, writer| {
            for flow in flows {
                let mut octets = flow.to_octets();
                octets[0] |= mark;
                writer.raw(&octets);
            }
            writer.raw(kept.get(old));
        });
        if let (Ok(block), Some(entry)) = (written, self.entry_mut(id)) {
            entry.template = block;
            self.octets.release(old);
        }
    }

    /// Takes the next flow of a client transaction; none when there is none left.
    pub(super) fn next_target(&mut self, id: TransactionId) -> Flow {
        let Some(entry) = self.entry_mut(id).filter(|entry| !entry.template.is_none()) else { return Flow::NONE };
        let block = entry.template;
        let octets = self.octets.get_mut(block);
        let flow = Flow::from_octets(octets);
        let (end, left) = (octets.len(), octets.len().saturating_sub(Flow::OCTETS));
        if left > 0 {
            crate::memory::move_down(octets, Flow::OCTETS, end, 0);
            self.octets.truncate(block, left);
        } else {
            self.drop_targets(id);
        }
        flow
    }

    /// The request of a client transaction is sent: what it could have fallen back on is forgotten.
    #[inline(never)]
    pub(super) fn drop_fallback(&mut self, id: TransactionId) {
        let block = self.entry_mut(id).map_or(Block::NONE, |entry| entry.template);
        let left = self.octets.get(block).len().saturating_sub(Flow::OCTETS);
        if self.octets.get(block).get(left).is_none_or(|kind| kind & FALLBACK == 0) {
            return;
        }
        if left > 0 {
            self.octets.truncate(block, left);
        } else {
            self.drop_targets(id);
        }
    }

    /// Gives back what is left of the targets of a client transaction.
    pub(super) fn drop_targets(&mut self, id: TransactionId) {
        if let Some(entry) = self.entry_mut(id) {
            let block = core::mem::take(&mut entry.template);
            self.octets.release(block);
        }
    }

    /// A request that was not sent yet goes on to its next target, or is over.
    pub(super) fn launch_next(&mut self, now: Instant, id: TransactionId) {
        if let Some(next) = self.next_flow(id) {
            self.launch(now, id, next);
        }
    }

    /// The flow of the next target of a request that was not sent yet; without one it is over.
    pub(super) fn next_flow(&mut self, id: TransactionId) -> Option<Flow> {
        let next = self.next_target(id);
        if next.is_none() {
            self.fail(id);
            return None;
        }
        self.entry_mut(id)?.sizing = Sizing::ZERO;
        Some(next)
    }

    /// Whether a request of a client transaction could go to another target.
    #[must_use]
    pub fn has_target(&self, id: TransactionId) -> bool {
        self.table.get(id.0).is_some_and(|entry| !entry.machine.is_server() && !entry.template.is_none())
    }

    /// Sends the request of a client transaction to its next target in a transaction of its own, with a new branch (RFC 3263
    /// §4.3): on [`TimedOut`](super::ExpiredKind::TimedOut), [`FlowFailed`](super::ExpiredKind::FlowFailed) or
    /// [`FlowLost`](super::ExpiredKind::FlowLost), or on a 503 before its transaction takes it. The new transaction has the user
    /// and the targets of the old one, which ends by itself. `None` when there is no further target, or no room. A request that
    /// got a provisional response has none.
    #[must_use]
    pub fn fail_over(&mut self, now: Instant, id: TransactionId, branch: Token) -> Option<TransactionId> {
        let message = self.block(id);
        let size = self.octets.get(message).len();
        let copy = self.octets.write(size, false, |kept, writer| writer.raw(kept.get(message)));
        let block = copy.ok()?;
        if build::stamp(self.octets.get_mut(block), Transport::None, branch.as_bytes().first_chunk()) {
            self.fail_over_as(now, id, block)
        } else {
            self.octets.release(block);
            None
        }
    }

    /// As [`fail_over`](Self::fail_over), of a request that its user has written anew with a branch of its own: inside a dialog
    /// it has the next CSeq number (RFC 3261 §12.2.1.1). The block is the layer's in any case.
    #[must_use]
    #[inline(never)]
    pub fn fail_over_as(&mut self, now: Instant, id: TransactionId, block: Block) -> Option<TransactionId> {
        let flow = self.next_target(id);
        let made = self.launch_copy(now, id, flow, block);
        if made.is_none() {
            self.octets.release(block);
        }
        made
    }

    fn launch_copy(&mut self, now: Instant, id: TransactionId, flow: Flow, block: Block) -> Option<TransactionId> {
        let entry = self.table.get(id.0).filter(|entry| !flow.is_none() && !entry.marks.has(Marks::ACK))?;
        let (user, once, targets) = (entry.user, entry.key(MATCH) == Key::ZERO, entry.template);
        if let Some(entry) = self.entry_mut(id) {
            entry.template = Block::NONE;
        }
        // What has no transaction has none there.
        let made = self.begin(now, &Start { matched: Key::ZERO, once, block, flow, user, reserved: false });
        match made.ok().and_then(|new| Some((new, self.entry_mut(new)?))) {
            Some((new, entry)) => {
                entry.template = targets;
                Some(new)
            }
            None => {
                self.octets.release(targets);
                None
            }
        }
    }
}
