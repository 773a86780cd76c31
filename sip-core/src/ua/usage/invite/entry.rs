//! The entry of a call.

use super::machine::{Exchange, State};
use super::offered::MAY_OFFER;
use super::reliable::{receiving, sending};
#[cfg(feature = "session-timer")]
use super::session_timer::SessionTimer;
use super::update;
use crate::dialog::Usage;
use crate::memory::{Block, Entry, Handle, Octets};
use crate::random::Key;
#[cfg(feature = "offer-answer")]
use crate::sdp::offer_answer::Negotiation;
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::ua::event::Cause;

/// One call, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct CallEntry {
    pub(in crate::ua) state: State,
    pub(in crate::ua) exchange: Exchange,
    pub(in crate::ua) update: update::machine::State,
    pub(in crate::ua) cause: Cause,
    /// How often our 2xx, or our reliable provisional response, was sent.
    pub(in crate::ua) sent_2xx: u8,
    /// The last INVITE, ours or the peer's, carried a body: its 2xx brings the answer.
    pub(in crate::ua) offered: bool,
    /// [`Timer::Limit`] is that of the INVITE's Expires.
    pub(in crate::ua) expires: bool,
    /// Our re-INVITE went out once more after a 491.
    pub(in crate::ua) retried: bool,
    /// What the application has not been told yet.
    pub(in crate::ua) pending: Pending,
    pub(in crate::ua) status: u16,
    pub(in crate::ua) reinvite_status: u16,
    pub(in crate::ua) update_status: u16,
    /// Our INVITE's or the peer's first INVITE's transaction.
    pub(in crate::ua) invite: TransactionId,
    /// The INVITE that waits for its outcome in the call: the peer's first, or one inside the dialog, ours or the peer's.
    pub(in crate::ua) exchanged: TransactionId,
    /// The peer's PRACK or UPDATE whose offer waits for our user's answer.
    pub(in crate::ua) offer: TransactionId,
    /// Our UPDATE that is out.
    pub(in crate::ua) updating: TransactionId,
    /// The first of the call's dialogs; the chosen one, once there is one.
    pub(in crate::ua) dialog: Handle,
    /// When each [`Timer`] fires; zero for never.
    pub(in crate::ua) timers: [Instant; TIMERS],
    /// When the 2xx was sent or received; zero before.
    pub(in crate::ua) since: Instant,
    /// Header rows for the CANCEL, BYE or refusal with which our user ends the call.
    pub(in crate::ua) end_headers: Block,
    /// Our INVITE or UPDATE, while it waits to be sent again, or our INVITE while its 2xx for our answer, whose ACK repeats its credentials.
    pub(in crate::ua) kept_invite: Block,
    /// The target that the peer's INVITE brings, until our 2xx makes it the dialog's (RFC 6141 §4.3).
    pub(in crate::ua) new_target: Block,
    /// What our 2xx has behind its head, while it waits for a PRACK (RFC 3262 §3).
    pub(in crate::ua) kept_answer: Block,
    /// Our last description with its rows, the end of a refresh; none without a session timer.
    #[cfg(feature = "session-timer")]
    pub(in crate::ua) description: Block,
    #[cfg(feature = "session-timer")]
    pub(in crate::ua) session: SessionTimer,
    /// While an INVITE was open we have described ourselves anew, outside of it: what it says is no refresh any more.
    #[cfg(feature = "session-timer")]
    pub(in crate::ua) redescribed: bool,
    /// The target that the peer's UPDATE brings, until our 2xx to it.
    pub(in crate::ua) offer_target: Block,
    /// The call that is to end with our 2xx (RFC 3891).
    #[cfg(feature = "refer")]
    pub(in crate::ua) replaces: Handle,
    /// CSeq of the INVITE that is being exchanged: the peer's, by which its ACK is known, or ours, for the ACK that is due.
    pub(in crate::ua) invite_seq: u32,
    /// Octets reserved for the hang-up.
    pub(in crate::ua) reserved: u32,
    /// Made of Call-ID and our tag in the INVITE that opened the call, when it is ours: what the requests of each fork bear.
    pub(in crate::ua) key: Key,
}

/// What a call keeps with each of its dialogs: the early ones of the forks that ring, one once it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    /// The call; none when the dialog is an unwanted fork's that is being ended.
    pub(in crate::ua) call: Handle,
    /// The next dialog of the same call.
    pub(in crate::ua) next: Handle,
    /// CSeq of our INVITE that was acknowledged last; zero for none.
    pub(in crate::ua) ack_seq: u32,
    /// The INVITE that is or will be acknowledged, as long as its 2xx may be repeated.
    pub(in crate::ua) ack_of: TransactionId,
    /// The ACK that waits to be sent.
    pub(in crate::ua) ack: TransactionId,
    /// RSeq of the last reliable provisional response that was sent, or taken in order; zero for none.
    pub(in crate::ua) rseq: u32,
    /// The reliable provisional responses to the peer's INVITE.
    pub(in crate::ua) sending: sending::State,
    /// Those to ours.
    pub(in crate::ua) receiving: receiving::State,
    /// Whether the session has had an offer and its answer before the 2xx.
    pub(in crate::ua) agreed: bool,
    /// Whether the dialog has, or had, other usages than the call.
    #[cfg(feature = "refer")]
    pub(in crate::ua) others: Others,
    /// What the ACK has behind its head, for every repetition of the 2xx: credentials, headers and body; none when it has
    /// neither.
    pub(in crate::ua) ack_end: Block,
    /// The peer's offer, until this end's answer.
    #[cfg(feature = "offer-answer")]
    pub(in crate::ua) offer: Block,
    /// Offers and answers.
    #[cfg(feature = "offer-answer")]
    pub(in crate::ua) negotiation: Negotiation,
}

impl Usage for Leg {
    const ZERO: Self = Self {
        call: Handle::NONE,
        next: Handle::NONE,
        ack_seq: 0,
        ack_of: TransactionId::NONE,
        ack: TransactionId::NONE,
        ack_end: Block::NONE,
        rseq: 0,
        sending: sending::State::Unreliable,
        receiving: receiving::State::Start,
        agreed: false,
        #[cfg(feature = "refer")]
        others: Others::None,
        #[cfg(feature = "offer-answer")]
        offer: Block::NONE,
        #[cfg(feature = "offer-answer")]
        negotiation: Negotiation::ZERO,
    };
}

/// What a dialog has seen of other usages than its call (RFC 5057).
#[cfg(feature = "refer")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) enum Others {
    /// None.
    #[default]
    None = 0,
    /// The peer has sent a REFER: the next one bears its number (RFC 3515 §2.4.6).
    Referred,
    /// They have the dialog alone: the call has left it.
    Alone,
}

impl Leg {
    /// A dialog of this call.
    pub(in crate::ua) const fn of(call: Handle) -> Self {
        Self { call, ..Self::ZERO }
    }
}

/// The timers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Timer {
    /// Ends the wait for a final response, for what comes after a CANCEL, or for an ACK.
    Limit,
    /// Repeats what we sent: the provisional response, so that no proxy gives up (RFC 3261 §13.3.1.1), or the 2xx.
    Repeat,
    /// Sends the re-INVITE again that met a 491 (§14.1).
    Retry,
    /// Refuses the offer that our user has not answered.
    #[cfg(any(feature = "100rel", feature = "update"))]
    Offer,
    /// Refreshes the session (RFC 4028 §10).
    #[cfg(feature = "session-timer")]
    Refresh,
    /// Ends the call whose session nobody refreshes.
    #[cfg(feature = "session-timer")]
    SessionEnd,
}

/// How many timers there are.
const TIMERS: usize = 3 + MAY_OFFER as usize + if cfg!(feature = "session-timer") { 2 } else { 0 };

/// Events of a call that no message caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) struct Pending {
    pub(in crate::ua) ended: bool,
    pub(in crate::ua) reinvited: bool,
    pub(in crate::ua) updated: bool,
    pub(in crate::ua) offer_timed_out: bool,
    pub(in crate::ua) refresh_due: bool,
}

impl CallEntry {
    pub(in crate::ua) fn earliest_deadline(&self) -> Option<Instant> {
        // Those of the session, which come last, run with it only.
        #[cfg(feature = "session-timer")]
        if !self.session.is_on()
            && let Some(others) = self.timers.first_chunk::<{ Timer::Refresh as usize }>()
        {
            return Instant::earliest(others);
        }
        Instant::earliest(&self.timers)
    }

    /// Stops all timers.
    pub(in crate::ua) fn stop_timers(&mut self) {
        self.timers = [Instant::ZERO; TIMERS];
    }

    /// Starts a timer, or stops it with [`Instant::ZERO`].
    pub(in crate::ua) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(place) = self.timers.get_mut(timer as usize) {
            *place = at;
        }
    }

    /// When a timer fires; zero for never.
    pub(in crate::ua) fn at(&self, timer: Timer) -> Instant {
        self.timers.get(timer as usize).copied().unwrap_or(Instant::ZERO)
    }

    /// Whether a timer runs and its moment has come.
    pub(in crate::ua) fn is_due(&self, timer: Timer, now: Instant) -> bool {
        let at = self.at(timer);
        at != Instant::ZERO && at <= now
    }

    /// Gives the call's octets back.
    pub(in crate::ua) fn release<O: Octets>(&mut self, octets: &mut O) {
        for block in &mut [
            &mut self.end_headers,
            &mut self.kept_invite,
            &mut self.new_target,
            &mut self.kept_answer,
            &mut self.offer_target,
        ] {
            if !block.is_none() {
                octets.release(core::mem::take(*block));
            }
        }
        #[cfg(feature = "session-timer")]
        octets.release(core::mem::take(&mut self.description));
    }
}

impl Entry for CallEntry {
    const ZERO: Self = Self {
        key: Key::ZERO,
        invite: TransactionId::NONE,
        exchanged: TransactionId::NONE,
        offer: TransactionId::NONE,
        updating: TransactionId::NONE,
        dialog: Handle::NONE,
        timers: [Instant::ZERO; TIMERS],
        since: Instant::ZERO,
        end_headers: Block::NONE,
        kept_invite: Block::NONE,
        new_target: Block::NONE,
        kept_answer: Block::NONE,
        #[cfg(feature = "session-timer")]
        description: Block::NONE,
        #[cfg(feature = "session-timer")]
        session: SessionTimer::ZERO,
        #[cfg(feature = "session-timer")]
        redescribed: false,
        offer_target: Block::NONE,
        #[cfg(feature = "refer")]
        replaces: Handle::NONE,
        invite_seq: 0,
        reserved: 0,
        status: 0,
        reinvite_status: 0,
        update_status: 0,
        pending: Pending { ended: false, reinvited: false, updated: false, offer_timed_out: false, refresh_due: false },
        state: State::Free,
        exchange: Exchange::Idle,
        update: update::machine::State::Idle,
        cause: Cause::LocalHangup,
        sent_2xx: 0,
        offered: false,
        expires: false,
        retried: false,
    };

    fn key(&self, _chain: usize) -> Key {
        self.key
    }
}
