//! How a call keeps its session alive (RFC 4028): where `session_timer.rs` meets messages and timers.
//!
//! A refresh is a re-INVITE that repeats our last description, its version unchanged (§7.4). So the user agent keeps that description
//! of a call with a timer. Where there was no room for it, [`Event::RefreshDue`] asks the application for a re-INVITE instead.

use super::entry::Timer;
use super::machine::{Exchange, State};
use super::offered::MAY_OFFER;
use super::session_timer::{Asked, Failed, Rows, Schedule, SessionTimer};
use super::update::machine::Open;
use super::{CallEntry, InviteTransaction};
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::scan::alike;
use crate::message::{HeaderName, Kept, Message, Method, Refresher, Writer};
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::ua::auth::Again;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::Cause;
use crate::ua::headers::{DialogHead, Field};
use crate::ua::usage::{Tries, UsageId};

/// The shortest wait before a refresh that could not be sent, or was refused, is tried again.
const PAUSE: Duration = Duration::from_secs(1);

impl Rows {
    /// Writes those that there are.
    pub(in crate::ua) fn write(&self, writer: &mut Writer<'_>) {
        if self.interval > 0 {
            writer.value_start(HeaderName::SessionExpires);
            writer.number(u64::from(self.interval));
            match self.refresher {
                Some(Refresher::Uac) => writer.raw(b";refresher=uac"),
                Some(Refresher::Uas) => writer.raw(b";refresher=uas"),
                None => {}
            }
            writer.end();
        }
        if self.min_se > 0 {
            writer.header_number(HeaderName::MinSe, u64::from(self.min_se));
        }
        if self.required {
            writer.header(HeaderName::Require, b"timer");
        }
    }
}

/// What a request says of session timers. A row that can't be read says nothing.
fn asked_by(request: &Message<'_>) -> Asked {
    let expires = request.session_expires().and_then(Result::ok);
    Asked {
        interval: expires.map(|expires| expires.seconds),
        refresher: expires.and_then(|expires| expires.refresher()),
        min_se: request.min_se().and_then(Result::ok).unwrap_or(0),
        supports: request.supported().any(|tag| alike(tag, b"timer")),
    }
}

impl<O: Octets> Context<'_, O> {
    /// The rows of an INVITE of ours.
    pub(in crate::ua) fn session_request(&self, call: Handle) -> Field<'static> {
        let timer = self.calls.get(call).map_or(SessionTimer::ZERO, |entry| entry.session);
        Field::SessionTimer(timer.request(self.core.settings.session))
    }

    /// The rows of a response to the peer's INVITE.
    pub(in crate::ua) fn session_response(&self, call: Handle, status: u16) -> Field<'static> {
        let entry = if status >= 200 { self.calls.get(call) } else { None };
        Field::SessionTimer(entry.map_or(Rows::default(), |entry| entry.session.response()))
    }

    /// Refuses an INVITE whose session would be shorter than we accept (§9); whether it did.
    pub(in crate::ua) fn refuse_interval(&mut self, invite: &Message<'_>) -> bool {
        if invite.header(HeaderName::SessionExpires).is_none() {
            return false;
        }
        let min_se = SessionTimer::refuses(self.core.settings.session, asked_by(invite));
        if min_se > 0 {
            self.reply(invite, 422, &[Field::SessionTimer(Rows { min_se, ..Rows::default() })]);
        }
        min_se > 0
    }

    /// Whether an INVITE that opens a call, or our configuration, asks for a timer; a plain call has nothing to do with it.
    pub(in crate::ua) fn concerns_session(&self, invite: &Message<'_>) -> bool {
        self.core.settings.session.interval > 0 || invite.header(HeaderName::SessionExpires).is_some()
    }

    /// An INVITE of the peer, which waits for our answer.
    pub(in crate::ua) fn session_asked(&mut self, call: Handle, invite: &Message<'_>) {
        let wanted = self.core.settings.session;
        let plain = !self.concerns_session(invite);
        let asked = if plain { Asked::default() } else { asked_by(invite) };
        if let Some(entry) = self.calls.get_mut(call)
            && !(plain && entry.session.is_plain())
        {
            entry.session.asked(wanted, asked);
        }
    }

    /// Our 2xx to the peer's INVITE was sent, with this content.
    pub(in crate::ua) fn session_accepted(&mut self, call: Handle, content: &Content<'_>) {
        let Some(entry) = self.calls.get_mut(call).filter(|entry| !entry.session.is_plain()) else { return };
        let schedule = entry.session.accepted();
        // The peer has refreshed what ours, which waits for its second try, was to refresh.
        if entry.session.refreshing && entry.at(Timer::Retry) != Instant::ZERO {
            entry.session.refreshing = false;
            entry.set(Timer::Retry, Instant::ZERO);
            self.transactions.octets.release(core::mem::take(&mut entry.kept_invite));
        }
        self.begin_session(call, schedule);
        self.forget_description(call);
        self.keep_description(call, content);
    }

    /// We have described ourselves outside of an INVITE that is open: with its 2xx the description that is kept is an old one.
    pub(in crate::ua) fn described_outside(&mut self, call: Handle) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.redescribed =
                entry.state.awaits_final() || entry.exchange != Exchange::Idle || entry.state == State::Ringing;
        }
    }

    /// Forgets the description that is kept, if it is an old one: the application is asked to refresh. Whether it was.
    fn forget_description(&mut self, call: Handle) -> bool {
        let Some(entry) = self.calls.get_mut(call) else { return false };
        let stale = core::mem::take(&mut entry.redescribed);
        if stale {
            self.transactions.octets.release(core::mem::take(&mut entry.description));
        }
        stale
    }

    /// A 2xx to an INVITE of ours, before its transaction has taken it.
    pub(in crate::ua) fn session_answered(&mut self, call: Handle, invite: TransactionId, response: &Message<'_>) {
        let told = response.session_expires().and_then(Result::ok).map(|told| (told.seconds, told.refresher()));
        let wanted = self.core.settings.session;
        let Some(entry) = self.calls.get_mut(call) else { return };
        if told.is_none() && wanted.interval == 0 && entry.session.is_plain() {
            return;
        }
        let schedule = entry.session.answered(wanted, told);
        let repeated = entry.session.refreshing;
        self.begin_session(call, schedule);
        let stale = response.cseq().method == Method::Invite && self.forget_description(call);
        if !repeated && !stale {
            self.keep_described(call, self.transactions.block(invite));
        }
    }

    /// Keeps the description in a message of ours that is kept.
    pub(in crate::ua) fn keep_described(&mut self, call: Handle, block: Block) {
        self.keep_end(call, &mut |kept, writer| {
            let message = Kept::new(kept.get(block));
            if !message.body().is_empty() {
                writer.body(message.header(HeaderName::ContentType), message.body());
            }
        });
    }

    /// Keeps the description in a message of ours, for refreshes; a message without one leaves the last.
    pub(in crate::ua) fn keep_description(&mut self, call: Handle, content: &Content<'_>) {
        if let Some(body) = content.body {
            self.keep_end(call, &mut |_, writer| writer.body(body.content_type.as_bytes(), body.bytes));
        }
    }

    fn keep_end(&mut self, call: Handle, write: &mut dyn FnMut(&O::Kept<'_>, &mut Writer<'_>)) {
        if !self.calls.get(call).is_some_and(|entry| entry.session.is_on()) {
            return;
        }
        // Without room the application is asked.
        let written = self.transactions.octets.write_by(512, false, write);
        if let Some(entry) = self.calls.get_mut(call)
            && written != Ok(Block::NONE)
        {
            let old = core::mem::replace(&mut entry.description, written.unwrap_or_default());
            self.transactions.octets.release(old);
        }
    }

    fn begin_session(&mut self, call: Handle, schedule: Schedule) {
        let now = self.now;
        let at = |wait: Duration| if wait == Duration::ZERO { Instant::ZERO } else { now + wait };
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.set(Timer::Refresh, at(schedule.refresh));
        entry.set(Timer::SessionEnd, at(schedule.end));
        if !entry.session.is_on() {
            self.transactions.octets.release(core::mem::take(&mut entry.description));
        }
        self.schedule_call(call);
    }

    /// A timer of the session fires; whether one did.
    pub(in crate::ua) fn session_due(&mut self, call: Handle) -> bool {
        let now = self.now;
        let Some(entry) = self.calls.get_mut(call) else { return false };
        if entry.is_due(Timer::SessionEnd, now) {
            entry.set(Timer::SessionEnd, Instant::ZERO);
            entry.set(Timer::Refresh, Instant::ZERO);
            self.lose_call(call, Cause::SessionExpired, 0);
            return true;
        }
        if entry.is_due(Timer::Refresh, now) {
            entry.set(Timer::Refresh, Instant::ZERO);
            self.refresh_session(call);
            return true;
        }
        false
    }

    /// Half of the interval is over (§10).
    fn refresh_session(&mut self, call: Handle) {
        let Some(entry) = self.calls.get(call) else { return };
        let &CallEntry { dialog, description, .. } = entry;
        let idle = entry.state == State::Established && entry.exchange == Exchange::Idle && entry.kept_invite.is_none();
        // One offer at a time, whatever carries it (RFC 3264 §4).
        if !idle || MAY_OFFER && self.open_offer_of(call, dialog) != Open::None {
            // What goes on may refresh it as well.
            return self.refresh_later(call);
        }
        if description.is_none() {
            if let Some(entry) = self.calls.get_mut(call) {
                entry.pending.refresh_due = true;
            }
            return self.tell_call(call);
        }
        let Ok(invite) = self.send_refresh(call, dialog, description) else { return self.refresh_later(call) };
        self.reinvite_sent(call, invite, true);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.session.refreshing = true;
        }
    }

    /// Sends a re-INVITE that ends in the description that was kept.
    fn send_refresh(&mut self, call: Handle, dialog: Handle, description: Block) -> Result<TransactionId, Error> {
        let from = *self.dialogs.get(dialog).ok_or(Error::Gone)?;
        let seq = from.next_seq().ok_or(Error::State)?;
        let answers = &self.answers(from.sessions);
        let contact = Field::contact_for(from.texts(self.transactions.octets).target);
        let rows = [Field::Abilities, contact, Field::UserAgent, self.session_request(call), Field::End(description)];
        let head = DialogHead { dialog: &from, method: Method::Invite, seq, branch: self.core.random.token(), answers };
        let user = InviteTransaction::Reinvite(dialog).new_user();
        let id = self.send_from(&head, user, false, &rows, &Content::NONE)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.sent(seq);
        }
        Ok(id)
    }

    /// Refreshes after half of what is left of the interval.
    fn refresh_later(&mut self, call: Handle) {
        let now = self.now;
        let Some(entry) = self.calls.get_mut(call) else { return };
        let left = entry.at(Timer::SessionEnd).since(now).as_millis() / 2;
        entry.set(Timer::Refresh, now + Duration::from_millis(left).max(PAUSE));
        self.schedule_call(call);
    }

    /// A re-INVITE of ours has its final status, 408 for none; whether it was a refresh, which the application has not asked for.
    pub(in crate::ua) fn finish_refresh(&mut self, call: Handle, status: u16) -> bool {
        let Some(entry) = self.calls.get_mut(call) else { return false };
        if !core::mem::take(&mut entry.session.refreshing) {
            return false;
        }
        if status >= 300 {
            match entry.session.failed(status) {
                Failed::Again => self.refresh_later(call),
                Failed::Wait => {}
                Failed::End => self.lose_call(call, Cause::Lost, status),
            }
        }
        true
    }

    /// Sends an INVITE that was refused with 422 again, with an interval that is long enough; whether it did (§7.3).
    pub(in crate::ua) fn retry_enlarged(
        &mut self,
        id: TransactionId,
        usage: UsageId,
        tries: Tries,
        response: &Message<'_>,
    ) -> bool {
        let UsageId::Invite(which @ (InviteTransaction::Initial(_) | InviteTransaction::Reinvite(_))) = usage else {
            return false;
        };
        let (call, wanted) = (self.call_of(which), self.core.settings.session);
        let Some(Ok(min_se)) = response.min_se() else { return false };
        let Some(entry) = self.calls.get_mut(call) else { return false };
        let current = if matches!(which, InviteTransaction::Initial(_)) { entry.invite } else { entry.exchanged };
        if current != id || !entry.session.enlarge(wanted, min_se) {
            return false;
        }
        let (session, dialog) = (entry.session.request(wanted), entry.dialog);
        if !self.invite_prepare_retry(which) {
            return false;
        }
        let sessions = self.dialogs.get(dialog).map_or([0; 2], |entry| entry.sessions);
        let again = Again { session: Some(session), answers: &self.answers(sessions), renumbered: true, expires: None };
        let Some(new) = self.send_again(id, Method::Invite, (usage, tries), &again) else { return false };
        self.invite_resent(which, new, None);
        true
    }
}
