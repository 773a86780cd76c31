//! A response context and its branches as the tables hold them (RFC 3261 §16.2), and whom a transaction works for.

use super::machine;
use crate::memory::{Block, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transaction::{TransactionId, User};
use crate::transport::Flow;

/// What has become of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// The application was asked where it goes, and has not answered.
    Asked,
    /// It is with its targets.
    Searching,
    /// A final response has been sent; branches that have none are being ended.
    Finished,
}

/// Facts about a response context, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks(u16);

impl Marks {
    /// The request is an INVITE.
    pub(super) const INVITE: Self = Self(1);
    /// The application was asked, so it is told the end.
    pub(super) const ASKED: Self = Self(2);
    /// The client has cancelled it.
    pub(super) const CANCELLED: Self = Self(4);
    /// No further target is tried: it was cancelled, or a 6xx came.
    pub(super) const STOPPED: Self = Self(8);
    /// The Request-URI is a `sips` URI: it goes by TLS only (RFC 3261 §26.2.2).
    pub(super) const SECURE: Self = Self(16);
    /// It makes a dialog, in which this proxy wants to stay.
    pub(super) const RECORD: Self = Self(32);
    /// There was no room for a branch: a 503 is this proxy's own, and goes to the client as such.
    pub(super) const FULL: Self = Self(64);

    /// It goes over a flow that its Route names: when that is gone, its client is told so (RFC 5626 §5.3).
    pub(super) const FLOW: Self = Self(128);

    /// Its Request-URI is this proxy's own: who else may be asked instead is for this proxy to say (RFC 3261 §16.5).
    pub(super) const OWN: Self = Self(256);

    pub(super) const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    pub(super) const fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    pub(super) const fn with(self, mark: Self, on: bool) -> Self {
        if on { Self(self.0 | mark.0) } else { self }
    }
}

/// A request on its way through a proxy; all zero is a free entry.
#[derive(Clone, Copy, Debug)]
pub struct ResponseContext {
    /// The server transaction; none for an ACK.
    pub(super) server: TransactionId,
    /// The first of its branches that have no final response.
    pub(super) branches: Handle,
    /// When there is no use in waiting for the application any longer.
    pub(super) deadline: Instant,
    /// By what this proxy knows a request that it has seen before (RFC 5393 §4.2).
    pub(super) loop_hash: u64,
    /// Where the request came from.
    pub(super) source: Flow,
    /// The request as it was received; none where nothing needs it.
    pub(super) request: Block,
    /// The targets, tried and untried; none where there is no other.
    pub(super) targets: Block,
    /// The best response so far, as it would be passed on; none where it would be made here.
    pub(super) best: Block,
    /// Its status.
    pub(super) best_status: u16,
    /// How many branches may be open at once here and behind (RFC 5393 §5.3); zero in a dialog, where nothing forks.
    pub(super) breadth: u16,
    pub(super) marks: Marks,
    pub(super) state: State,
}

impl ResponseContext {
    /// A free entry; all zero.
    pub const ZERO: Self = Self {
        server: TransactionId::NONE,
        branches: Handle::NONE,
        deadline: Instant::ZERO,
        loop_hash: 0,
        source: Flow::NONE,
        request: Block::NONE,
        targets: Block::NONE,
        best: Block::NONE,
        best_status: 0,
        breadth: 0,
        marks: Marks(0),
        state: State::Free,
    };
}

impl Entry for ResponseContext {
    const ZERO: Self = Self::ZERO;

    fn key(&self, _: usize) -> Key {
        Key::ZERO
    }
}

/// A target that a request was sent to and that has given no final response; all zero is a free entry.
#[derive(Clone, Copy, Debug)]
pub struct BranchEntry {
    /// The response context.
    pub(super) context: Handle,
    /// The next branch of it.
    pub(super) next: Handle,
    /// The client transaction.
    pub(super) client: TransactionId,
    /// Octets that are set aside for its CANCEL: as many as the head of its request has.
    pub(super) reserved: u16,
    /// Its share of the context's breadth.
    pub(super) breadth: u16,
    pub(super) machine: machine::Branch,
}

impl BranchEntry {
    /// A free entry; all zero.
    pub const ZERO: Self = Self {
        context: Handle::NONE,
        next: Handle::NONE,
        client: TransactionId::NONE,
        reserved: 0,
        breadth: 0,
        machine: machine::Branch::ZERO,
    };
}

impl Entry for BranchEntry {
    const ZERO: Self = Self::ZERO;

    fn key(&self, _: usize) -> Key {
        Key::ZERO
    }
}

/// Whom a transaction works for: what stands in its [`User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody: a CANCEL, its answer, a request that is sent once.
    Nobody,
    /// A server transaction, for the response context.
    Context(Handle),
    /// A client transaction, for the branch.
    Branch(Handle),
    /// A client INVITE transaction whose branch is over with a 2xx, for the server transaction: more of them may follow.
    Accepted(TransactionId),
}

/// Where the kind stands: a handle has 48 bits.
const KIND: u32 = 48;

impl Owner {
    pub(super) const fn user(self) -> User {
        let (kind, handle) = match self {
            Self::Nobody => (0, Handle::NONE),
            Self::Context(handle) => (1, handle),
            Self::Branch(handle) => (2, handle),
            Self::Accepted(server) => (3, server.0),
        };
        User::new(kind << KIND | handle.bits())
    }

    pub(super) const fn of(user: User) -> Self {
        let handle = Handle::from_bits(user.bits() & ((1 << KIND) - 1));
        match user.bits() >> KIND {
            1 => Self::Context(handle),
            2 => Self::Branch(handle),
            3 => Self::Accepted(TransactionId(handle)),
            _ => Self::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_from_what_a_transaction_keeps() {
        let handle = Handle::from_bits(0xffff_fff1);
        for owner in
            [Owner::Nobody, Owner::Context(handle), Owner::Branch(handle), Owner::Accepted(TransactionId(handle))]
        {
            assert_eq!(Owner::of(owner.user()), owner);
        }
    }
}
