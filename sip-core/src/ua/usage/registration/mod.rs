//! Registration (RFC 3261 §10.2): binding, refresh, removal, keep-alive.

mod entry;
mod learn;

pub use entry::RegistrationEntry;
pub(in crate::ua) use entry::RegistrationState as State;

use super::{Failure, Tries, UsageId};
use crate::error::{Argument, Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Header, Message, Method, Uri, Writer};
use crate::random::Token;
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::transport::Flow;
use crate::ua::auth::Again;
use crate::ua::content::Content;
use crate::ua::context::{Context, SEND, TELL};
use crate::ua::event::{Event, Registration};
use crate::ua::headers::Field;
use crate::ua::outside::{Head, Parties, check_target};
use crate::ua::way::uri_flow;

/// The wait after the first failure, doubled with each further one up to [`LONGEST_WAIT`] (RFC 5626 §4.5), in seconds.
const FIRST_WAIT: u32 = 30;
const LONGEST_WAIT: u32 = 1800;

impl<O: Octets> Context<'_, O> {
    /// Starts a registration.
    pub(in crate::ua) fn register(
        &mut self,
        registrar: &str,
        aor: &str,
        expires: u32,
        headers: &[Header<'_>],
    ) -> Result<Registration, Error> {
        check_target(registrar)?;
        check_target(aor)?;
        if expires == 0 {
            return Err(Error::Invalid(Argument::Expires));
        }
        let length = u16::try_from(registrar.len()).map_err(|_| Error::Invalid(Argument::Registrar))?;
        let size = registrar.len().saturating_add(aor.len());
        let handle = self.registrations.insert().ok_or(Capacity::Registrations)?;
        let texts = self.transactions.octets.write(size, false, |_, writer| {
            writer.raw(registrar.as_bytes());
            writer.raw(aor.as_bytes());
        });
        let rows = Content::keep_headers(headers, self.transactions.octets);
        let call_id = self.core.random.bits();
        let started = texts.and_then(|texts| {
            if let Some(entry) = self.registrations.get_mut(handle) {
                entry.texts = texts;
                entry.rows = *rows.as_ref().unwrap_or(&Block::NONE);
                entry.registrar = length;
                entry.call_id = call_id;
                entry.wanted = expires;
                entry.state = State::Registering;
            }
            rows?;
            self.send_register(handle)
        });
        if let Err(error) = started {
            self.free_registration(handle);
            return Err(error);
        }
        Ok(Registration(handle))
    }

    fn free_registration(&mut self, handle: Handle) {
        let Some(entry) = self.registrations.get(handle) else { return };
        let (texts, rows) = (entry.texts, entry.rows);
        self.transactions.octets.release(texts);
        self.transactions.octets.release(rows);
        self.registrations.remove(handle);
    }

    /// Sends the REGISTER that a registration's state asks for.
    fn send_register(&mut self, handle: Handle) -> Result<(), Error> {
        let entry = self.registrations.get(handle).ok_or(Error::Gone)?;
        let (texts, kept, registrar, sessions) = (entry.texts, entry.rows, entry.registrar, entry.sessions);
        let expires = if entry.state == State::Removing { 0 } else { entry.wanted };
        let (seq, call_id) = (entry.seq.saturating_add(1), Token::new(entry.call_id));
        let former = entry.corrected && !self.core.settings.former.is_none();
        let former = if former { Field::FormerContact } else { Field::Kept(Block::NONE) };
        let rows =
            [Field::Contact, former, Field::Expires(expires), Field::Abilities, Field::UserAgent, Field::Kept(kept)];
        let transport = self.core.settings.transport;
        let uri =
            self.transactions.octets.get(texts).get(..usize::from(registrar)).and_then(|uri| Uri::parse(uri).ok());
        let flow = uri.map_or(Flow::NONE, |uri| uri_flow(&uri, transport));
        let head = Head {
            method: Method::Register,
            parties: Parties::Kept { texts, registrar },
            from_tag: self.core.random.token(),
            call_id,
            seq,
            branch: self.core.random.token(),
            transport,
            proxied: false,
            answers: &self.answers(sessions),
        };
        let id = self.send_outside(&head, flow, UsageId::Registration(handle).new_user(), &rows, &Content::NONE)?;
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.seq = seq;
            entry.transaction = id;
            entry.refresh_at = Instant::ZERO;
            entry.again = false;
        }
        self.schedule_registration(handle);
        Ok(())
    }

    /// Removes a registration's binding.
    pub(in crate::ua) fn unregister(&mut self, handle: Handle) -> Result<(), Error> {
        let entry = self.registrations.get_mut(handle).ok_or(Error::Gone)?;
        match entry.state {
            State::Registering | State::Removing => {
                entry.removal_due = true;
                Ok(())
            }
            State::Registered | State::Waiting => self.start_removal(handle),
            State::Free => Err(Error::Gone),
        }
    }

    fn start_removal(&mut self, handle: Handle) -> Result<(), Error> {
        let before = self.registrations.get(handle).map(|entry| entry.state).unwrap_or_default();
        let mut moved = false;
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.state = State::Removing;
            entry.removal_due = false;
            entry.keep_alive_at = Instant::ZERO;
            moved = core::mem::take(&mut entry.moved);
        }
        if moved {
            self.binding_renewed();
        }
        let sent = self.send_register(handle);
        if sent.is_err()
            && let Some(entry) = self.registrations.get_mut(handle)
        {
            entry.state = before;
        }
        sent
    }

    /// A final response to a REGISTER that no credentials could help.
    pub(in crate::ua) fn registration_response(
        &mut self,
        handle: Handle,
        id: TransactionId,
        tries: Tries,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let Some((transaction, state, wanted)) =
            self.registrations.get(handle).map(|entry| (entry.transaction, entry.state, entry.wanted))
        else {
            return Received::Nothing;
        };
        if transaction != id || status < 200 {
            return Received::Nothing;
        }
        if status == 423 && self.retry_with_min_expires(handle, id, tries, response) {
            return Received::Nothing;
        }
        if status >= 300 {
            return self.refused(handle, status, response.retry_after());
        }
        if state == State::Removing {
            self.free_registration(handle);
            return Received::Event(Event::Unregistered { registration: Registration(handle) });
        }
        let granted = self.granted(response, wanted);
        let Some(entry) = self.registrations.get(handle) else { return Received::Nothing };
        let (keep_alive, removal_due, again) = (self.core.settings.keep_alive, entry.removal_due, entry.again);
        let mut moved = false;
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.state = State::Registered;
            entry.flow = self.source;
            entry.granted = granted;
            entry.failures = 0;
            entry.transaction = TransactionId::NONE;
            entry.refresh_at = self.now + Duration::from_millis(refresh_after(granted));
            entry.keep_alive_at = if keep_alive == Duration::ZERO { Instant::ZERO } else { self.now + keep_alive };
            moved = core::mem::take(&mut entry.moved) && !again;
            if again {
                entry.moved = true;
                entry.refresh_at = due_now(self.now);
            }
        }
        self.schedule_registration(handle);
        if moved {
            self.binding_renewed();
        }
        self.learn_address(handle, response);
        if removal_due {
            // Without room the removal is tried at the next refresh.
            let _ = self.start_removal(handle);
        }
        Received::Event(Event::Registered { registration: Registration(handle), expires: granted })
    }

    /// The lifetime that a 200 grants to our Contact (§10.2.4).
    #[inline(never)]
    fn granted(&self, response: &Message<'_>, wanted: u32) -> u32 {
        let settings = &self.core.settings;
        let mut room = [0; 256];
        let mut writer = Writer::new(&mut room);
        settings.write_contact_uri(self.transactions.octets.get(settings.block()), &mut writer);
        let length = writer.finish().unwrap_or(0);
        let own = Uri::parse(room.get(..length).unwrap_or_default());
        let mut granted = None;
        for contact in response.contacts() {
            if let (Ok(contact), Ok(own)) = (&contact, &own)
                && contact.uri().is_ok_and(|uri| same_user_and_place(&uri, own))
            {
                granted = contact.expires();
                break;
            }
        }
        granted.or_else(|| response.expires()).unwrap_or(wanted).max(1)
    }

    /// The registrar refused: for good, or to be tried again.
    fn refused(&mut self, handle: Handle, status: u16, retry_after: Option<u32>) -> Received<Event> {
        let retry_after = self.register_failed(handle, status, retry_after);
        let registration = Registration(handle);
        if retry_after == 0 {
            let removing = self.registrations.get(handle).is_some_and(|entry| entry.state == State::Removing);
            self.free_registration(handle);
            if removing {
                return Received::Event(Event::Unregistered { registration });
            }
        }
        Received::Event(Event::RegistrationFailed { registration, status, retry_after })
    }

    /// A REGISTER had no response, or its flow failed.
    pub(in crate::ua) fn registration_failure(&mut self, handle: Handle, id: TransactionId, failure: Failure) {
        if self.registrations.get(handle).is_none_or(|entry| entry.transaction != id) {
            return;
        }
        let status = failure.status();
        let retry_after = self.register_failed(handle, status, None);
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.failed = true;
            entry.status = status;
            entry.retry_after = retry_after;
        }
        self.tell_registration(handle);
    }

    fn tell_registration(&mut self, handle: Handle) {
        let table = &mut self.registrations;
        table.unlink_ready(handle);
        table.push(handle, TELL);
    }

    /// Decides when to try again; the seconds, 0 for never.
    fn register_failed(&mut self, handle: Handle, status: u16, retry_after: Option<u32>) -> u32 {
        let jitter = self.core.random.below(500);
        let for_good = (300..500).contains(&status) && !matches!(status, 408 | 480 | 429) || status >= 600;
        let Some(entry) = self.registrations.get_mut(handle) else { return 0 };
        let ends = for_good || entry.removal_due || entry.state == State::Removing;
        // It went by a network that is no more, so its failure says nothing of the one that there is now.
        let again = !ends && core::mem::take(&mut entry.again);
        if !again && core::mem::take(&mut entry.moved) {
            // The calls can't wait for a registrar that is not there.
            self.binding_renewed();
        }
        let Some(entry) = self.registrations.get_mut(handle) else { return 0 };
        entry.transaction = TransactionId::NONE;
        entry.keep_alive_at = Instant::ZERO;
        if ends {
            return 0;
        }
        if again {
            entry.state = State::Waiting;
            entry.refresh_at = due_now(self.now);
            self.schedule_registration(handle);
            return 1;
        }
        let doubled =
            FIRST_WAIT.checked_shl(u32::from(entry.failures.min(16))).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        entry.failures = entry.failures.saturating_add(1);
        entry.state = State::Waiting;
        // Between half and all of the wait, so that a thousand phones don't come back in one second.
        let spread = doubled.saturating_mul(jitter.saturating_add(500));
        let wait = retry_after.map_or(spread, |seconds| seconds.clamp(1, LONGEST_WAIT).saturating_mul(1000));
        entry.refresh_at = self.now + Duration::from_millis(u64::from(wait));
        self.schedule_registration(handle);
        wait.div_ceil(1000)
    }

    /// A registration's timer: refresh, retry or keep-alive.
    pub(in crate::ua) fn registration_due(&mut self, handle: Handle) {
        let interval = self.core.settings.keep_alive;
        let Some(entry) = self.registrations.get_mut(handle) else { return };
        let due = |at: Instant| at != Instant::ZERO && at <= self.now;
        if due(entry.keep_alive_at) {
            entry.keep_alive_at = entry.keep_alive_at.next_after(interval, self.now);
            if !entry.flow.is_none() {
                let table = &mut self.registrations;
                if table.ready_list(handle).is_none() {
                    table.push(handle, SEND);
                }
            }
        } else if due(entry.refresh_at) {
            entry.refresh_at = Instant::ZERO;
            if entry.removal_due {
                let _ = self.start_removal(handle);
            } else {
                let before = core::mem::replace(&mut entry.state, State::Registering);
                if self.send_register(handle).is_err()
                    && let Some(entry) = self.registrations.get_mut(handle)
                {
                    // No room now: a moment later there may be.
                    entry.state = before;
                    entry.refresh_at = self.now + Duration::from_secs(1);
                }
            }
        }
        self.schedule_registration(handle);
    }

    /// A 423 names the shortest lifetime: ask for that (§10.2.8).
    pub(in crate::ua) fn retry_with_min_expires(
        &mut self,
        handle: Handle,
        id: TransactionId,
        tries: Tries,
        response: &Message<'_>,
    ) -> bool {
        let Some(shortest) = response.min_expires() else { return false };
        let Some(entry) = self.registrations.get_mut(handle) else { return false };
        if entry.transaction != id || shortest <= entry.wanted || entry.state == State::Removing {
            return false;
        }
        entry.wanted = shortest;
        let sessions = entry.sessions;
        let answers = self.answers(sessions);
        let owner = (UsageId::Registration(handle), tries);
        let again = Again { expires: Some(shortest), answers: &answers };
        let sent = self.send_again(id, Method::Register, owner, &again);
        sent.is_some_and(|new| {
            self.registration_resent(handle, new, None);
            true
        })
    }

    /// A REGISTER went out again as another transaction.
    pub(in crate::ua) fn registration_resent(
        &mut self,
        handle: Handle,
        new: TransactionId,
        sessions: Option<[u32; 2]>,
    ) {
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.transaction = new;
            entry.seq = entry.seq.saturating_add(1);
            if let Some(sessions) = sessions {
                entry.sessions = sessions;
            }
        }
    }

    /// The address of this host has changed: every registration is renewed from the new one, then the calls.
    pub(in crate::ua) fn network_changed(&mut self, sent_by: &str) -> Result<(), Error> {
        self.core.settings.move_to(sent_by.as_bytes(), self.transactions.octets)?;
        let mut any = false;
        for index in 0..self.registrations.capacity() {
            let Some(handle) = self.registrations.handle_at(index) else { continue };
            let Some(entry) = self.registrations.get_mut(handle) else { continue };
            match entry.state {
                State::Registering => entry.again = true,
                State::Registered | State::Waiting => entry.refresh_at = due_now(self.now),
                State::Removing | State::Free => continue,
            }
            entry.moved = true;
            any = true;
            self.schedule_registration(handle);
        }
        if !any {
            self.refresh_calls();
        }
        Ok(())
    }

    /// The way to a registrar failed: what is bound by it is renewed at once, and the application told if that fails too.
    pub(in crate::ua) fn registrar_lost(&mut self, flow: Flow) {
        if self.registrations.is_empty() {
            return;
        }
        for index in 0..self.registrations.capacity() {
            let Some(handle) = self.registrations.handle_at(index) else { continue };
            let Some(entry) = self.registrations.get_mut(handle) else { continue };
            if entry.state == State::Registered && entry.flow == flow {
                entry.refresh_at = due_now(self.now);
                entry.keep_alive_at = Instant::ZERO;
                self.schedule_registration(handle);
            }
        }
    }

    /// A binding was renewed after a change of address, or could not be: after the last one the calls follow.
    fn binding_renewed(&mut self) {
        let others = (0..self.registrations.capacity()).filter_map(|index| self.registrations.handle_at(index));
        if !others.filter_map(|handle| self.registrations.get(handle)).any(|entry| entry.moved) {
            self.refresh_calls();
        }
    }

    /// The event that a registration has to tell.
    pub(in crate::ua) fn registration_event(&mut self, handle: Handle) -> Option<Event> {
        let entry = self.registrations.get_mut(handle)?;
        if !core::mem::take(&mut entry.failed) {
            return None;
        }
        let (status, retry_after, state) = (entry.status, entry.retry_after, entry.state);
        let registration = Registration(handle);
        if retry_after > 0 {
            return Some(Event::RegistrationFailed { registration, status, retry_after });
        }
        self.free_registration(handle);
        if state == State::Removing {
            return Some(Event::Unregistered { registration });
        }
        Some(Event::RegistrationFailed { registration, status, retry_after })
    }
}

/// A deadline that is due; not zero, which stands for never.
pub(in crate::ua) fn due_now(now: Instant) -> Instant {
    now.max(Instant::from_millis(1))
}

/// Milliseconds after which a binding good for `granted` seconds is refreshed: early enough for a REGISTER that times out once,
/// and never sooner than 2 s, whatever the registrar grants.
fn refresh_after(granted: u32) -> u64 {
    let margin = u64::from(granted / 2).min(90);
    u64::from(granted).saturating_sub(margin).max(2).saturating_mul(1000)
}

/// Whether two URIs name the same user at the same host and port; registrars add parameters of their own to a Contact.
fn same_user_and_place(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    one.user() == other.user() && one.host().same(other.host()) && one.port() == other.port()
}
