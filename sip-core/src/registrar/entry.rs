//! A binding as the table holds it, and what is told of it.

use crate::digest::NonceOrder;
use crate::memory::{Block, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transport::Flow;

/// The chain of addresses of record.
pub(super) const AOR: usize = 0;
/// The chain of flows.
pub(super) const FLOW: usize = 1;

/// What has changed and was not told yet.
pub(super) const CHANGED: usize = 0;
/// What is over and was told; the next call frees it.
pub(super) const OVER: usize = 1;

/// Names a binding. The zero value is none; one that is over is known as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BindingId(pub(super) Handle);

/// What became of a binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change {
    /// Nothing; all zero.
    #[default]
    None = 0,
    /// It is new.
    Registered,
    /// It lasts longer.
    Refreshed,
    /// Its time is over.
    Expired,
    /// It was taken away, by its client or because its connection was lost.
    Removed,
}

impl Change {
    /// Whether the binding is over.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Expired | Self::Removed)
    }

    /// What is to be told when this was not told yet and `next` has come.
    pub(super) const fn then(self, next: Self) -> Self {
        match (self, next) {
            // Nobody has heard of it yet.
            (Self::Registered, Self::Refreshed) => self,
            _ => next,
        }
    }
}

/// What a registrar tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// What became of it.
    pub change: Change,
    /// The binding: to be read until the next input, also when it is over.
    pub binding: BindingId,
}

/// One binding. All zero is a free entry.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub(super) aor: Key,
    /// The hash of [`flow`](Self::flow); zero when it hangs on no connection.
    pub(super) on: Key,
    pub(super) flow: Flow,
    pub(super) expires: Instant,
    /// Of the whole set of the address of record, as it was changed last.
    pub(super) revision: u64,
    pub(super) order: NonceOrder,
    /// Address of record, contact, Path, Call-ID and instance.
    pub(super) texts: Block,
    /// Where the first four of them end.
    pub(super) ends: [u16; 4],
    pub(super) cseq: u32,
    pub(super) reg_id: u32,
    pub(super) q: u16,
    pub(super) change: Change,
    /// Whether `reg-id` and instance identify it.
    pub(super) outbound: bool,
}

impl Entry for Binding {
    const ZERO: Self = Self {
        aor: Key::ZERO,
        on: Key::ZERO,
        flow: Flow::NONE,
        expires: Instant::ZERO,
        revision: 0,
        order: NonceOrder::ZERO,
        texts: Block::NONE,
        ends: [0; 4],
        cseq: 0,
        reg_id: 0,
        q: 0,
        change: Change::None,
        outbound: false,
    };

    fn key(&self, chain: usize) -> Key {
        if chain == AOR { self.aor } else { self.on }
    }
}

/// A binding as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingInfo<'a> {
    /// The address of record, in the form in which all ways to write it are kept.
    pub aor: &'a [u8],
    /// The URI of the contact.
    pub contact: &'a [u8],
    /// The Path by which the contact is reached (RFC 3327), as it stands in a Route; empty for none.
    pub path: &'a [u8],
    /// The Call-ID of the last request.
    pub call_id: &'a [u8],
    /// The instance (RFC 5626), without quotes and brackets; empty for none.
    pub instance: &'a [u8],
    /// Its `reg-id`; zero for none.
    pub reg_id: u32,
    /// The CSeq of the last request.
    pub cseq: u32,
    /// What the credentials of the last request proved.
    pub order: NonceOrder,
    /// The preference in thousandths.
    pub q: u16,
    /// When it is over.
    pub expires: Instant,
    /// The flow by which the contact is reached; [`Flow::NONE`] when its URI or the Path says how.
    pub flow: Flow,
    /// Which state of the whole address of record this is; it rises with each change.
    pub revision: u64,
}

impl Binding {
    pub(super) fn info<'a>(&self, texts: &'a [u8]) -> BindingInfo<'a> {
        let [a, b, c, d] = self.ends.map(usize::from);
        let text = |from: usize, to: usize| texts.get(from..to).unwrap_or_default();
        BindingInfo {
            aor: text(0, a),
            contact: text(a, b),
            path: text(b, c),
            call_id: text(c, d),
            instance: text(d, texts.len()),
            reg_id: self.reg_id,
            cseq: self.cseq,
            order: self.order,
            q: self.q,
            expires: self.expires,
            flow: self.flow,
            revision: self.revision,
        }
    }
}
