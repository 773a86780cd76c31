//! The fingerprint of a proxy: equal for equal states, whatever the time and the handles.
//!
//! Each live entry is hashed for itself, a context with its branches; the hashes are summed, so that neither the order in which
//! entries were taken nor their generations count.

use super::View;
use super::entry::{BranchEntry, Owner, ResponseContext};
use super::work::Core;
use crate::memory::Octets;
use crate::random::ContentHasher;
use crate::time::Instant;
use crate::transaction::{Layer, TransactionsRef, User};
use core::hash::{Hash, Hasher};

/// Feeds the state of a proxy to `hasher`.
pub(super) fn write<O: Octets>(layer: &Layer, core: &Core, view: &View<'_, O>, now: Instant, hasher: &mut impl Hasher) {
    let View { contexts, branches, .. } = *view;
    let context = |entry: &ResponseContext| {
        ContentHasher::one(|hasher| {
            let left = if entry.deadline == Instant::ZERO { 0 } else { entry.deadline.since(now).as_millis() };
            (entry.state, entry.marks, entry.best_status, entry.breadth, entry.source, left).hash(hasher);
            for block in [entry.request, entry.targets, entry.best] {
                view.octets.get(block).hash(hasher);
            }
            entry.server.is_none().hash(hasher);
        })
    };
    let branch = |entry: &BranchEntry| {
        ContentHasher::one(|hasher| {
            (entry.machine, entry.reserved, contexts.get(entry.context).map_or(0, context)).hash(hasher);
        })
    };
    contexts.iter().fold(0_u64, |sum, (_, entry)| sum.wrapping_add(context(entry))).hash(hasher);
    branches.iter().fold(0_u64, |sum, (_, entry)| sum.wrapping_add(branch(entry))).hash(hasher);
    let owner = |user: User| match Owner::of(user) {
        Owner::Nobody => 0,
        Owner::Context(handle) => contexts.get(handle).map_or(1, context),
        Owner::Branch(handle) => branches.get(handle).map_or(2, branch),
        Owner::Accepted(_) => 3,
    };
    TransactionsRef::new(layer, view.transactions, view.octets).fingerprint(now, hasher, owner);
    view.octets.get(core.settings.block()).hash(hasher);
    (core.started, contexts.first(super::work::TELL).is_none()).hash(hasher);
}
