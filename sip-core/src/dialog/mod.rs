//! Dialogs (RFC 3261 §12): identity, route set, sequence numbers.
//!
//! A dialog's texts stand in one block, as they will be written into its requests: Call-ID, the From and To values with
//! their tags, the remote target and the route set. The entry holds their lengths, so reading them costs no parse.

mod identity;

pub use identity::{Identity, IdentityTexts, MAX_ROUTES};

use crate::error::Error;
use crate::memory::{Block, Entry, Octets};
use crate::message::{Message, Method, Uri};
use crate::random::{HashKey, Key};
use crate::transaction::NewRequest;
use crate::transport::Flow;

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

/// What the usages of a dialog (RFC 5057) keep with it.
pub trait Usage: Copy + 'static {
    /// What a free entry holds; all zero.
    const ZERO: Self;
}

impl Usage for () {
    const ZERO: Self = ();
}

/// One dialog: what RFC 3261 §12 says of it, which only this room changes, and beside it what its usages keep with it, of which
/// this room knows nothing. [`made_by`](Dialog::made_by) makes one; the user agent keeps a table of them.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Dialog<U = ()> {
    state: State,
    /// Whether the peer made the dialog.
    is_callee: bool,
    /// What tells the last request received from others of its CSeq; zero before the first request.
    remote_request: u16,
    /// How many usages have the dialog.
    usages: u8,
    /// CSeq of the last request sent.
    local_seq: u32,
    /// CSeq of the last request received.
    remote_seq: u32,
    /// What they keep with it.
    pub(crate) usage: U,
    /// Digest sessions whose credentials go into the requests of every usage.
    pub(crate) sessions: [u32; 2],
    /// Where the dialog's texts are.
    identity: Identity,
    /// Where requests go: the first route, or the remote target. None while its name is being resolved. A stream has no
    /// connection here: that is asked for with each request.
    way: Flow,
    /// Where the peer's last message came from; the way out when the target's name has no address.
    source: Flow,
    key: Key,
}

/// What a dialog is made of.
pub(crate) struct Maker<'m, 'a> {
    pub(crate) message: &'m Message<'a>,
    /// What the transaction layer said of a request.
    pub(crate) new: &'m NewRequest,
    pub(crate) source: &'m Flow,
    pub(crate) local_tag: &'m [u8],
    pub(crate) hash: &'m HashKey,
}

impl Dialog {
    /// The dialog that `message`, an INVITE or a response to ours, makes, and the URI of its next hop; none when the message
    /// names none that can be used. Its texts are kept in `octets`.
    ///
    /// `new` is what the transaction layer said of a request; `source` is where the message came from, `local_tag` the tag that our responses bear; it is empty for a response.
    ///
    /// # Errors
    /// There is no room, or a request has a Contact or Record-Route that can't be used.
    pub fn made_by<'a, O: Octets>(
        message: &Message<'a>,
        new: NewRequest,
        source: Flow,
        local_tag: &[u8],
        hash: HashKey,
        octets: &mut O,
    ) -> Result<(Self, Option<Uri<'a>>), Error> {
        let mut next_hop = None;
        let identity = Identity::keep(message, local_tag, octets, &mut next_hop)?;
        let mut dialog = Self { state: State::Early, ..Self::ZERO };
        dialog.bind(
            identity,
            Flow::NONE,
            &Maker { message, new: &new, source: &source, local_tag, hash: &hash },
            octets,
        );
        Ok((dialog, next_hop))
    }
}

impl<U: Usage> Dialog<U> {
    /// A dialog of these texts that nobody keeps: what there is to send in it is an ACK and a BYE.
    pub(crate) fn of(identity: Identity, way: Flow) -> Self {
        // Zeros are written; of parts of a constant a copy would be kept.
        let mut dialog = Self::ZERO;
        dialog.identity = identity;
        dialog.way = way;
        dialog
    }

    /// An entry of one usage's that no message has made a dialog yet.
    pub(crate) fn open(&mut self, usage: U) {
        self.state = State::Early;
        self.usage = usage;
        self.join();
    }

    /// One more usage has the dialog.
    pub fn join(&mut self) {
        self.usages = self.usages.saturating_add(1);
    }

    /// How many usages have the dialog.
    #[must_use]
    pub fn usages(&self) -> u8 {
        self.usages
    }

    /// A usage has ended; whether it was the last, so that the dialog is over (RFC 5057 §4.2).
    #[must_use]
    pub fn leave(&mut self) -> bool {
        self.usages = self.usages.saturating_sub(1);
        self.usages == 0
    }

    /// Becomes the dialog that a message makes; what its usage keeps stays. The requests go by `way`.
    pub(crate) fn bind<O: Octets>(&mut self, identity: Identity, way: Flow, by: &Maker<'_, '_>, octets: &mut O) {
        octets.release(self.identity.block);
        self.identity = identity;
        self.way = way;
        self.source = *by.source;
        let (message, seq) = (by.message, by.message.cseq().number);
        // A response says nothing of the peer's numbers, a request nothing of ours.
        self.key = if message.is_request() {
            self.is_callee |= matches!(message.method(), Method::Invite);
            (self.remote_seq, self.remote_request) = (seq, by.new.number());
            let to_tag = message.to_tag().unwrap_or(by.local_tag);
            key(by.hash, message.call_id(), to_tag, message.from_tag().unwrap_or_default())
        } else {
            // Requests of ours may have gone out in an early dialog since.
            self.local_seq = self.local_seq.max(seq);
            key_of(message, by.hash)
        };
    }

    /// Is no message's dialog any more.
    pub(crate) fn unbind<O: Octets>(&mut self, octets: &mut O) {
        self.release(octets);
        self.identity = Identity::ZERO;
        self.local_seq = 0;
        self.state = State::Early;
    }

    /// The key under which the dialog is found.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the peer made the dialog.
    #[must_use]
    pub fn is_callee(&self) -> bool {
        self.is_callee
    }

    /// Whether a message has made it.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        !self.identity.block.is_none()
    }

    /// Where its texts are.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its texts.
    #[must_use]
    pub fn texts<'o, O: Octets>(&self, octets: &'o O) -> IdentityTexts<'o> {
        self.identity.texts(octets.get(self.identity.block))
    }

    /// Where its requests go; none while that is not known.
    #[must_use]
    pub fn way(&self) -> Flow {
        self.way
    }

    pub(crate) fn set_way(&mut self, way: Flow) {
        self.way = way;
    }

    /// Where the peer's last message came from.
    #[must_use]
    pub fn source(&self) -> Flow {
        self.source
    }

    pub(crate) fn set_source(&mut self, source: Flow) {
        self.source = source;
    }

    /// A 2xx confirms it.
    pub(crate) fn confirm(&mut self) {
        self.state = State::Confirmed;
    }

    /// BYE was sent, or came.
    pub(crate) fn terminate(&mut self) {
        self.state = State::Terminating;
    }

    /// The number of our next request; none when they are used up (RFC 3261 §8.1.1.5).
    #[must_use]
    pub fn next_seq(&self) -> Option<u32> {
        self.local_seq.checked_add(1).filter(|seq| *seq < 1 << 31)
    }

    /// A request of this number was sent.
    pub(crate) fn sent(&mut self, seq: u32) {
        self.local_seq = self.local_seq.max(seq);
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

    /// Replaces the remote target by `text`, or by what `block` keeps when that is none (RFC 3261 §12.2.1.2, §12.2.2). Without
    /// room the old one stays, which `false` says.
    pub(crate) fn set_target<O: Octets>(&mut self, text: Option<&[u8]>, block: Block, octets: &mut O) -> bool {
        self.identity.set_target(text, block, octets).is_ok()
    }

    /// Both sequence numbers.
    pub(crate) fn sequence(&self) -> [u32; 2] {
        [self.local_seq, self.remote_seq]
    }

    /// Gives the dialog's octets back.
    pub(crate) fn release<O: Octets>(&mut self, octets: &mut O) {
        octets.release(core::mem::take(&mut self.identity.block));
    }
}

impl<U: Usage> Entry for Dialog<U> {
    const ZERO: Self = Self {
        key: Key::ZERO,
        state: State::Free,
        identity: Identity::ZERO,
        way: Flow::NONE,
        source: Flow::NONE,
        local_seq: 0,
        remote_seq: 0,
        remote_request: 0,
        is_callee: false,
        usages: 0,
        usage: U::ZERO,
        sessions: [0; 2],
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
pub fn key_of(message: &Message<'_>, hash: &HashKey) -> Key {
    let (from, to) = (message.from_tag().unwrap_or_default(), message.to_tag().unwrap_or_default());
    if message.is_request() { key(hash, message.call_id(), to, from) } else { key(hash, message.call_id(), from, to) }
}

/// The key of a dialog.
#[must_use]
pub fn key(hash: &HashKey, call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> Key {
    hash.hasher().part(call_id).part(local_tag).part(remote_tag).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Pool;

    const INVITE: &[u8] = b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
        Contact: <sip:alice@192.0.2.1:5062>\r\nRecord-Route: <sip:192.0.2.9;lr>\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_message_makes_a_dialog() {
        let mut pool = Pool::<1024>::new();
        let message = Message::parse(INVITE).unwrap();
        let made = Dialog::made_by(&message, NewRequest::NONE, Flow::NONE, b"b", HashKey::ZERO, &mut pool);
        let (mut dialog, next_hop) = made.unwrap();
        assert_eq!(next_hop.unwrap().raw(), b"sip:192.0.2.9;lr");
        let texts = dialog.texts(&pool);
        assert_eq!((texts.call_id, texts.target), (&b"c"[..], &b"sip:alice@192.0.2.1:5062"[..]));
        assert_eq!(
            (texts.local, texts.remote),
            (&b"<sip:bob@192.0.2.2>;tag=b"[..], &b"<sip:alice@192.0.2.1>;tag=a"[..])
        );
        assert_eq!((dialog.state(), dialog.is_callee(), dialog.is_bound()), (State::Early, true, true));
        assert_eq!(dialog.key(), key(&HashKey::ZERO, b"c", b"b", b"a"));
        // CSeq of the peer: the INVITE's own request again, a replay of it, a lower one, the next.
        let own = NewRequest::NONE.number();
        let accepted = [(7, own), (7, own ^ 2), (6, own), (8, own ^ 2), (7, own)];
        assert_eq!(accepted.map(|(seq, request)| dialog.accept_seq(seq, request)), [true, false, false, true, false]);
        // Ours.
        assert_eq!(dialog.next_seq(), Some(1));
        dialog.sent(5);
        dialog.sent(4);
        assert_eq!(dialog.next_seq(), Some(6));
        for last in [(1 << 31) - 1, u32::MAX] {
            dialog.sent(last);
            assert_eq!(dialog.next_seq(), None);
        }
        assert!(dialog.set_target(Some(b"sip:moved"), Block::NONE, &mut pool));
        assert_eq!(dialog.texts(&pool).target, b"sip:moved");
        dialog.release(&mut pool);
        assert_eq!(pool.used(), 0);
    }
    #[test]
    fn a_dialog_is_over_with_its_last_usage() {
        let mut dialog = Dialog::<()>::ZERO;
        dialog.open(());
        dialog.join();
        assert!(!dialog.leave());
        assert!(dialog.leave());
        assert!(dialog.leave(), "a usage that leaves twice");
    }
}
