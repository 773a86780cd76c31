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
/// Marks the targets of a name whose plain ones stand before those by TLS: they are kept in another order when some have failed
/// before, and a plain one may follow there. No flow has this bit either.
const OPEN: u8 = 1 << 6;

/// The most targets of a name that are tried: without the feature `failover` the best one.
pub const TARGETS: usize = if cfg!(feature = "failover") { 4 } else { 1 };

impl<O: Octets> Transactions<'_, O> {
    /// Gives a request that waits for its flow the targets that its name has, best first: it is launched on the first
    /// that can be used, and at most [`TARGETS`] are kept for the case that it fails. Those that have failed other requests a
    /// short while ago come last. Without any it goes to its [fallback](Self::set_fallback), or is over. Those that stand behind a
    /// target by TLS and are plain are passed over, and so are all plain ones of a request that goes by TLS or not at all.
    pub fn resolved(&mut self, now: Instant, id: TransactionId, targets: &[Target]) {
        self.reap();
        let mut flows = [Flow::NONE; TARGETS];
        let mut places = flows.iter_mut();
        // Who is reached by TLS first of all is not reached without it when that fails.
        let secure = cfg!(feature = "streams")
            && (targets.first().is_some_and(|target| target.transport.is_secure()) || self.view().demands_tls(id));
        let (hash, listener) = (self.layer.hash, self.flow(id).listener);
        for denied in [false, true] {
            if denied && !cfg!(feature = "deny") {
                break;
            }
            let mut behind_tls = secure;
            for target in targets {
                let flow = Flow::to(*target);
                behind_tls |= cfg!(feature = "streams") && flow.transport.is_secure();
                let usable = !flow.is_none() && (!behind_tls || flow.transport.is_secure());
                // Those that have failed a short while ago come last.
                if usable
                    && (!cfg!(feature = "deny") || self.layer.denied.has(now, &hash, *target) == denied)
                    && let Some(place) = places.next()
                {
                    *place = Flow { listener, ..flow };
                }
            }
        }
        // One of those that are passed over is kept behind all others, so that it is known why nothing else is tried.
        let plain = targets.iter().find(|target| cfg!(feature = "streams") && secure && !target.transport.is_secure());
        if let Some(target) = plain
            && let Some(place) = places.next()
        {
            *place = Flow { listener, ..Flow::to(*target) };
        }
        let left = places.len();
        let usable = flows.get(..TARGETS.saturating_sub(left)).unwrap_or_default();
        let Some((first, others)) = usable.split_first() else { return self.unreachable(now, id) };
        if self.table.get(id.0).is_some_and(|entry| matches!(entry.machine, Machine::Parked { .. })) {
            if cfg!(feature = "failover") && !others.is_empty() {
                self.keep_targets(id, others, if secure { 0 } else { OPEN });
            }
            let passed = cfg!(feature = "streams") && secure && !first.transport.is_secure();
            let first = if passed { self.next_flow(id, true) } else { Some(*first) };
            if let Some(first) = first {
                self.launch(now, id, first);
            }
        }
    }

    /// Where a request goes when its own target can't be found or reached: the source of a dialog, say. One that was sent
    /// does not go there: in a dialog it would be a second one with its CSeq number. Without room for it, or without the feature
    /// `failover`, there is none, and a plain one is none for a request whose Route leads on by TLS.
    pub fn set_fallback(&mut self, id: TransactionId, fallback: Flow) {
        if self.must_not_fall_back(id, fallback) {
            return;
        }
        let Some(entry) = self.entry_mut(id) else { return };
        let parked = matches!(entry.machine, Machine::Parked { .. });
        if cfg!(feature = "failover") && parked && !fallback.is_none() && entry.template.is_none() {
            self.keep_targets(id, &[fallback], FALLBACK);
        }
    }

    /// Whether a request must not go by this flow in place of its own.
    pub(crate) fn must_not_fall_back(&self, id: TransactionId, fallback: Flow) -> bool {
        let insecure = cfg!(feature = "streams") && !fallback.is_none() && !fallback.transport.is_secure();
        insecure && self.view().routes_by_tls(id)
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

    /// The flow of a client transaction has failed: the requests to come try its target last.
    fn note_failure(&mut self, now: Instant, id: TransactionId) {
        if cfg!(feature = "deny") {
            let (hash, failed) = (self.layer.hash, self.flow(id));
            self.layer.denied.note(now, &hash, failed);
        }
    }

    /// Takes the next flow of a client transaction that it may go by; none when there is none left. `passed` is set where plain ones are
    /// passed over behind one under TLS.
    fn next_target(&mut self, id: TransactionId, passed: &mut bool) -> Flow {
        if !cfg!(feature = "streams") {
            return self.take_target(id);
        }
        let secure = self.flow(id).transport.is_secure();
        loop {
            let may_follow = may_follow(self.octets.get(self.targets(id)), secure);
            let flow = self.take_target(id);
            if flow.is_none() || may_follow {
                return flow;
            }
            *passed = true;
        }
    }

    /// What is left of the targets of a client transaction.
    fn targets(&self, id: TransactionId) -> Block {
        let entry = self.table.get(id.0).filter(|entry| !entry.machine.is_server());
        entry.map_or(Block::NONE, |entry| entry.template)
    }

    fn take_target(&mut self, id: TransactionId) -> Flow {
        if !cfg!(feature = "failover") {
            return Flow::NONE;
        }
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
        self.note_failure(now, id);
        if let Some(next) = self.next_flow(id, false) {
            self.launch(now, id, next);
        }
    }

    /// The flow of the next target of a request that was not sent yet; without one it is over: because it goes by TLS or not at all
    /// when a plain flow was `passed` over.
    pub(super) fn next_flow(&mut self, id: TransactionId, mut passed: bool) -> Option<Flow> {
        let next = self.next_target(id, &mut passed);
        if next.is_none() {
            self.fail(id);
            let entry = self.entry_mut(id)?;
            if passed && entry.marks.has(Marks::FLOW_FAILED) {
                entry.marks.set(Marks::FLOW_LOST);
            }
            return None;
        }
        self.entry_mut(id)?.sizing = Sizing::ZERO;
        Some(next)
    }

    /// Whether a request of a client transaction could go to another target.
    #[must_use]
    pub fn has_target(&self, id: TransactionId) -> bool {
        if !cfg!(feature = "failover") {
            return false;
        }
        if !cfg!(feature = "streams") {
            return !self.targets(id).is_none();
        }
        let secure = self.flow(id).transport.is_secure();
        let mut left = self.octets.get(self.targets(id));
        while let Some((flow, others)) = left.split_at_checked(Flow::OCTETS) {
            if may_follow(flow, secure) {
                return true;
            }
            left = others;
        }
        false
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
        self.note_failure(now, id);
        let flow = self.next_target(id, &mut false);
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

/// Whether the kept flow that these octets begin with may be tried next, after a `secure` one or a plain one.
fn may_follow(octets: &[u8], secure: bool) -> bool {
    let marked = octets.first().is_some_and(|kind| kind & OPEN != 0);
    !secure || marked || Flow::from_octets(octets).transport.is_secure()
}
