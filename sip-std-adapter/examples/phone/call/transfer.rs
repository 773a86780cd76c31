//! Transfer: the peer is put through to somebody, or we are (RFC 5589).
//!
//! A second call is under way then: to whom our user asks first, to whom the peer names, or of who takes its place. When the first
//! one ends, the second goes on in its stead.

use super::Caller;
use crate::phone::{error_text, session_text};
use crate::report::{cause_text, reason};
use crate::sdp::Wish;
use crate::text::printable;
use sip_core::message::Message;
use sip_core::ua::{Call, Content, Event, ReferCause, Referral};

/// The second call.
pub(super) struct Next {
    call: Call,
    /// Whom it is with.
    peer: String,
    answered: bool,
}

impl Caller<'_> {
    /// Asks the peer to call `uri`.
    pub(super) fn transfer(&mut self, uri: &str) {
        let sent = self.phone.adapter.with(|ua, now| ua.refer(now, self.call, uri, &Content::NONE));
        self.referred(sent, uri);
    }

    /// Asks the peer to take our place in the second call.
    pub(super) fn put_through(&mut self) {
        let Some(next) = self.next.as_ref().filter(|next| next.answered) else {
            return self.phone.note("nobody was asked who has answered: a URI");
        };
        let (with, peer) = (next.call, next.peer.clone());
        let sent = self.phone.adapter.with(|ua, now| ua.refer_to_call(now, self.call, with, &Content::NONE));
        self.referred(sent, &peer);
    }

    fn referred(&mut self, sent: Result<Referral, sip_core::error::Error>, to: &str) {
        match sent {
            Ok(referral) => self.referral = Some(referral),
            Err(error) => {
                self.phone.note(&format!("no transfer to {}: {}", printable(to.as_bytes()), error_text(error)));
            }
        }
    }

    /// Holds the call and calls `uri`.
    pub(super) fn ask(&mut self, uri: &str) {
        if self.next.is_some() {
            return self.phone.note("somebody is asked already");
        }
        self.want(Wish { hold: true, ..self.wish });
        let crate::phone::Phone { adapter, media, .. } = &mut *self.phone;
        let call = media
            .with(Wish::default().direction(), |local| adapter.with(|ua, now| ua.call_with(now, uri, "", local, &[])));
        match call {
            Ok(call) => self.next = Some(Next { call, peer: uri.to_owned(), answered: false }),
            Err(error) => self.phone.note(&format!("no call to {uri}: {}", session_text(error))),
        }
    }

    /// Hangs up the second call.
    pub(super) fn hang_up_next(&mut self) {
        if let Some(next) = &self.next {
            // It fails when the call has ended, which is being told.
            let _ = self.phone.adapter.with(|ua, now| ua.hang_up(now, next.call));
        }
    }

    /// The call has ended: whether the second one takes its place.
    pub(super) fn goes_on(&mut self) -> bool {
        if self.hung_up {
            return false;
        }
        let Some(next) = self.next.take() else { return false };
        self.phone.note(&format!("the call goes on with {}", next.peer));
        self.call = next.call;
        self.wish = Wish::default();
        if next.answered && self.answered.is_none() {
            self.answered();
        }
        true
    }

    /// Takes an event of a transfer or of the second call; whether it was one.
    pub(super) fn see_transfer(&mut self, event: Event, message: Option<&Message<'_>>) -> bool {
        match event {
            Event::Refer { referral, .. } => self.asked(referral, message),
            Event::Replacing { call, .. } => self.replaced(call, message),
            Event::ReferAccepted { referral } if self.referral == Some(referral) => {
                self.phone.note("the peer tries it");
            }
            Event::ReferProgress { referral, status } if self.referral == Some(referral) => {
                self.phone.note(&format!("the peer was answered: {status} {}", reason(status, None)));
            }
            Event::ReferEnded { referral, cause, status } if self.referral == Some(referral) => {
                self.referral = None;
                self.transferred(cause, status);
            }
            Event::Progress { call, .. } if self.is_next(call) => {
                let _ = message.map(|message| self.phone.agree(call, message));
            }
            Event::Answered { call, .. } if self.is_next(call) => {
                let _ = message.map(|message| self.phone.agree(call, message));
                if let Some(next) = &mut self.next {
                    next.answered = true;
                    self.phone.note(&format!("{} has answered", next.peer));
                }
            }
            Event::Ended { call, cause, status } if self.is_next(call) => {
                self.next = None;
                let status = if status > 0 { format!(", {status} {}", reason(status, message)) } else { String::new() };
                self.phone.note(&format!("the second call has ended: {}{status}", cause_text(cause)));
            }
            _ => return false,
        }
        true
    }

    fn is_next(&self, call: Call) -> bool {
        self.next.as_ref().is_some_and(|next| next.call == call)
    }

    /// Our REFER is over.
    fn transferred(&mut self, cause: ReferCause, status: u16) {
        let done = cause == ReferCause::NotTold || cause == ReferCause::Done && (200..300).contains(&status);
        if done {
            self.phone.note("transferred");
            return self.hang_up();
        }
        let why = match cause {
            ReferCause::Refused => format!("the peer refuses: {status} {}", reason(status, None)),
            ReferCause::Done => format!("{status} {}", reason(status, None)),
            ReferCause::Expired => "the peer has told no outcome".to_owned(),
            ReferCause::Lost => "the peer did not respond".to_owned(),
            other => format!("{other:?}"),
        };
        self.phone.note(&format!("not transferred, {why}; the call goes on"));
    }

    /// The peer asks us to call somebody.
    fn asked(&mut self, referral: Referral, message: Option<&Message<'_>>) {
        let allowed = self.plan.refer.is_allowed() && self.next.is_none() && !self.hung_up;
        if let Some((call, peer)) = self.phone.follow(referral, message, allowed) {
            self.next = Some(Next { call, peer, answered: false });
        }
    }

    /// Somebody's call takes the place of ours: it is answered at once, for it does not ring (RFC 3891 §3).
    fn replaced(&mut self, call: Call, message: Option<&Message<'_>>) {
        if self.next.is_some() || self.hung_up {
            let _ = self.phone.adapter.with(|ua, now| ua.reject(now, call, 486, &Content::NONE));
            return;
        }
        let peer = message.map(crate::text::caller).unwrap_or_default();
        if message.is_some_and(|message| self.phone.agree(call, message).is_err()) {
            return;
        }
        match self.phone.answer(call, Wish::default()) {
            Ok(_) => self.next = Some(Next { call, peer, answered: true }),
            Err(error) => self.phone.note(&format!("a call could not be answered: {}", session_text(error))),
        }
    }
}
