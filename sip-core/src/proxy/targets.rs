//! The target set of a request (RFC 3261 §16.5, §16.6): equal q go together, lower q later.
//!
//! The targets of a context lie in a block, those that were tried too, so that none is tried twice.

use super::entry::{Marks, ResponseContext, State};
use super::event::Target;
use super::forward::{Goal, Original};
use super::kept_target::{HEAD, KeptTarget, places, target_at, write_target};
use super::route::Routing;
use super::work::Work;
use crate::error::{Argument, Error};
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::scan::elements;
use crate::message::{Message, NameAddr, Uri};

/// The most targets that a request can have, those that its redirections add included.
pub const MAX_TARGETS: usize = 32;

/// Whether a target can be used at all.
fn is_usable(target: &Target<'_>) -> bool {
    if !elements(target.route).filter(|route| !route.is_empty()).all(NameAddr::is_route) {
        return false;
    }
    let length = |text: &[u8]| u16::try_from(text.len()).is_ok();
    // Header components of a URI are no part of a Request-URI (RFC 3261 §19.1.1).
    let uri =
        Uri::parse(target.uri).is_ok_and(|uri| (uri.is_sip() || !target.route.is_empty()) && uri.headers().is_empty());
    uri && length(target.uri) && length(target.route)
}

/// Whether two targets are the same one: the same URI by the same way.
fn is_same(one: &Target<'_>, other: &Target<'_>) -> bool {
    if one.flow != other.flow || one.route != other.route {
        return false;
    }
    one.uri == other.uri
        || matches!((Uri::parse(one.uri), Uri::parse(other.uri)), (Ok(one), Ok(other)) if one.equivalent(&other))
}

impl<O: Octets> Work<'_, O> {
    /// Adds targets to those of a context: what is there already, tried or not, is left out. How many were added.
    pub(super) fn add_targets(&mut self, context: Handle, targets: &[Target<'_>]) -> Result<usize, Error> {
        let Some(entry) = self.contexts.get(context) else { return Err(Error::Gone) };
        if targets.iter().any(|target| !is_usable(target)) {
            return Err(Error::Invalid(Argument::Targets));
        }
        let old = entry.targets;
        let known = self.transactions.octets.get(old);
        let mut count = places(known).count();
        let is_new = |index: usize, target: &Target<'_>| {
            let before = targets.get(..index).unwrap_or_default();
            !before.iter().any(|other| is_same(other, target))
                && !places(known).any(|(_, other)| is_same(&other.target, target))
        };
        // As many bits as there can be targets.
        let mut added = 0_u32;
        for (index, target) in targets.iter().enumerate() {
            if !is_new(index, target) {
                continue;
            }
            count = count.saturating_add(1);
            if count > MAX_TARGETS || index >= MAX_TARGETS {
                return Err(Error::Invalid(Argument::Targets));
            }
            added |= 1_u32.wrapping_shl(index as u32);
        }
        if added == 0 {
            return Ok(0);
        }
        let chosen = || targets.iter().enumerate().filter(move |(index, _)| added >> (*index as u32) & 1 == 1);
        let want = known.len().saturating_add(targets.len().saturating_mul(HEAD + 64));
        let block = self.transactions.octets.write(want, false, |kept, writer| {
            writer.raw(kept.get(old));
            chosen().for_each(|(_, target)| write_target(writer, target));
        })?;
        self.transactions.octets.release(old);
        if let Some(entry) = self.contexts.get_mut(context) {
            entry.targets = block;
        }
        Ok(added.count_ones() as usize)
    }

    /// The best q among the targets that were not tried.
    fn best_q(&self, targets: Block) -> Option<u16> {
        let untried = places(self.transactions.octets.get(targets)).filter(|(_, target)| !target.tried);
        untried.map(|(_, target)| target.target.q).max()
    }

    /// Whether a target is left to try.
    pub(super) fn has_target(&self, context: Handle) -> bool {
        let Some(entry) = self.contexts.get(context) else { return false };
        !entry.marks.has(Marks::STOPPED) && self.best_q(entry.targets).is_some()
    }

    /// What of a context's breadth no open branch has.
    fn free_breadth(&self, entry: &ResponseContext) -> u16 {
        if entry.breadth == 0 {
            return u16::MAX;
        }
        let (mut free, mut next) = (entry.breadth, entry.branches);
        while let Some(branch) = self.branches.get(next) {
            free = free.saturating_sub(branch.breadth);
            next = branch.next;
        }
        free
    }

    /// Sends the request to the targets that are next; whether there were any.
    pub(super) fn next_targets(&mut self, context: Handle, request: Option<&Message<'_>>) -> bool {
        let Some(entry) = self.contexts.get(context).copied() else { return false };
        if entry.state != State::Searching || entry.marks.has(Marks::STOPPED) {
            return false;
        }
        let Some(q) = self.best_q(entry.targets) else { return false };
        let due = |kept: &KeptTarget<'_>| !kept.tried && kept.target.q == q;
        let mut count = places(self.transactions.octets.get(entry.targets)).filter(|(_, kept)| due(kept)).count();
        // Each gets the same share; those that get none wait for another's (RFC 5393 §5.3.3).
        let mut room = usize::from(self.free_breadth(&entry));
        count = count.min(room);
        if count == 0 {
            return false;
        }
        let routing = request.map(|request| Routing::of(&self.core.settings, self.texts(), request));
        let original = match (request, &routing) {
            (Some(request), Some(Ok(routing))) => Original::Routed(request, routing),
            (Some(request), _) => Original::Message(request),
            (None, _) => Original::Kept(entry.request),
        };
        let mut at = 0_usize;
        while let Some(kept) = target_at(self.transactions.octets.get(entry.targets), at) {
            let (place, due) = (at, due(&kept));
            at = kept.next;
            if !due {
                continue;
            }
            let Some(share) = room.checked_div(count) else { break };
            (room, count) = (room.saturating_sub(share), count.saturating_sub(1));
            if let Some(tried) = self.transactions.octets.get_mut(entry.targets).get_mut(place) {
                *tried = 1;
            }
            if let Err(status) = self.start_branch(context, original, Goal::Kept(entry.targets, place), share as u16) {
                self.not_started(context, status);
            }
        }
        true
    }
}
