//! Dialogs (RFC 3261 §12): identity, route set, sequence numbers.
//!
//! A dialog's texts stand in one block, as they will be written into its requests: Call-ID, the From and To values with
//! their tags, the remote target and the route set. The entry holds their lengths, so reading them costs no parse.

mod identity;

pub use identity::{Identity, IdentityTexts, MAX_ROUTES};

use crate::memory::{Block, Entry, Handle, Octets};
use crate::message::Message;
use crate::random::{HashKey, Key};
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::transport::{Flow, Sizing};

/// The state of a dialog (RFC 3261 §12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// Made by a provisional response.
    Early,
    /// Made, or confirmed, by a 2xx.
    Confirmed,
    /// BYE was sent; what is left is its response.
    Terminating,
}

/// One dialog, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
pub struct Dialog {
    key: Key,
    /// The state.
    pub state: State,
    /// The call that owns the dialog; none when it is an unwanted fork that is being ended.
    pub(crate) call: Handle,
    /// The next dialog of the same call.
    pub(crate) next: Handle,
    /// Where the dialog's texts are.
    pub(crate) identity: Identity,
    /// Where requests go: the first route, or the remote target. None while its name is being resolved. A stream has no
    /// connection here: that is asked for with each request.
    pub(crate) flow: Flow,
    /// Where the message came from that made the dialog; the way out when the target's name has no address.
    pub(crate) source: Flow,
    /// CSeq of the last request sent.
    pub(crate) local_seq: u32,
    /// CSeq of the last request received.
    pub(crate) remote_seq: u32,
    /// CSeq of the INVITE that [`ack`](Self::ack) acknowledges.
    pub(crate) ack_seq: u32,
    /// Our ACK to the last 2xx, for every repetition of it.
    pub(crate) ack: Block,
    /// The connection that was opened for the ACK; zero for none.
    pub(crate) ack_connection: u32,
    /// What the size rule says of the ACK.
    pub(crate) ack_sizing: Sizing,
    /// The INVITE that waits for its outcome: ours or the peer's.
    pub(crate) invite: TransactionId,
    /// When our ACK is no longer needed; zero without one.
    pub(crate) ack_until: Instant,
    /// Digest sessions whose credentials go into the dialog's requests.
    pub(crate) sessions: [u32; 2],
    /// Whether the peer's name or connection has to be asked for, or was and is waited for.
    pub(crate) lookup: Lookup,
    /// What tells the last request received from others of its CSeq; zero before the first request.
    pub(crate) remote_request: u16,
    /// Whether the peer made the dialog.
    pub(crate) is_callee: bool,
}

/// Where the question for a dialog's flow stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Lookup {
    /// No question is open.
    #[default]
    None = 0,
    /// To be asked.
    Due,
    /// Asked.
    Asked,
}

impl Dialog {
    /// When its timer fires.
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.ack_until])
    }

    /// The key under which the dialog is found.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The number of our next request; none when they are used up (RFC 3261 §8.1.1.5).
    pub(crate) fn next_seq(&self) -> Option<u32> {
        self.local_seq.checked_add(1).filter(|seq| *seq < 1 << 31)
    }

    /// Takes the number of a request of the peer; false when it is out of order, or the last one's in another request: a replay
    /// (RFC 3261 §12.2.2). `request` tells the requests of one number apart.
    pub(crate) fn accept_seq(&mut self, seq: u32, request: u16) -> bool {
        let repeated = seq == self.remote_seq && self.remote_request != request;
        if self.remote_request != 0 && (seq < self.remote_seq || repeated) {
            return false;
        }
        self.remote_seq = seq;
        self.remote_request = request;
        true
    }

    pub(crate) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// Gives the dialog's octets back.
    pub(crate) fn release<O: Octets>(&mut self, octets: &mut O) {
        for block in [&mut self.identity.block, &mut self.ack] {
            octets.release(core::mem::replace(block, Block::NONE));
        }
    }
}

impl Entry for Dialog {
    const ZERO: Self = Self {
        key: Key::ZERO,
        state: State::Free,
        call: Handle::NONE,
        next: Handle::NONE,
        identity: Identity::ZERO,
        flow: Flow::NONE,
        source: Flow::NONE,
        local_seq: 0,
        remote_seq: 0,
        ack_seq: 0,
        ack: Block::NONE,
        ack_connection: 0,
        ack_sizing: Sizing::ZERO,
        invite: TransactionId::NONE,
        ack_until: Instant::ZERO,
        sessions: [0; 2],
        lookup: Lookup::None,
        remote_request: 0,
        is_callee: false,
    };

    fn key(&self, _chain: usize) -> Key {
        self.key
    }
}

/// The key of the dialog that a message belongs to (RFC 3261 §12.2.2): Call-ID, local tag, remote tag.
///
/// A request comes from the peer, so its From tag is the remote one; in a response it is ours. A missing tag counts as
/// empty, for RFC 2543 peers.
#[must_use]
pub fn key_of(message: &Message<'_>, hash: HashKey) -> Key {
    let (from, to) = (message.from_tag().unwrap_or_default(), message.to_tag().unwrap_or_default());
    if message.is_request() { key(hash, message.call_id(), to, from) } else { key(hash, message.call_id(), from, to) }
}

/// The key of a dialog.
#[must_use]
pub fn key(hash: HashKey, call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> Key {
    hash.hasher().part(call_id).part(local_tag).part(remote_tag).finish()
}

/// What tells a request from another with the same CSeq in its dialog: a number of its branch, never zero.
pub(crate) fn request_number(hash: HashKey, request: &Message<'_>) -> u16 {
    hash.hasher().part(request.via().branch().unwrap_or_default()).finish().bucket_bits() as u16 | 1
}
