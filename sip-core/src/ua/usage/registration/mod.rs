//! Registration (RFC 3261 §10.2): binding, refresh, removal, keep-alive.
//!
//! `machine.rs` decides; here its steps are done, and what comes of them is told.

mod entry;
mod info;
mod learn;
mod machine;

pub use entry::RegistrationEntry;
pub(in crate::ua) use entry::Texts;
pub use info::{RegistrationInfo, RegistrationState};

use super::{Failure, Tries, UsageId};
use crate::error::{Argument, Capacity, Error};
use crate::memory::{Block, Handle, KeptBlocks as _, Octets};
use crate::message::{Header, Message, Method, NameAddr, Uri, Writer};
use crate::random::Token;
use crate::role::Received;
use crate::transaction::TransactionId;
use crate::transport::Flow;
use crate::ua::auth::{Again, Answers, MAX_TRIES};
use crate::ua::config::Text;
use crate::ua::content::Content;
use crate::ua::context::{Context, SEND, TELL};
use crate::ua::event::{Event, Registration, RegistrationCause};
use crate::ua::headers::Field;
use crate::ua::outside::{Parties, check_target};
use machine::{Bound, Failed, Indication, Input, Machine, Retry, Send, State, Timer};

/// The longest lifetime that a registrar may ask for with a 423, in seconds: a week.
const LONGEST_LIFETIME: u32 = 604_800;

impl<O: Octets> Context<'_, O> {
    /// Starts a registration.
    pub(in crate::ua) fn register(
        &mut self,
        registrar: &str,
        aor: &str,
        expires: u32,
        headers: &[Header<'_>],
    ) -> Result<Registration, Error> {
        let uri = check_target(aor)?;
        let secure = uri.is_sips();
        if !registrar.is_empty() && !check_target(registrar)?.is_sips() && secure {
            return Err(Error::Invalid(Argument::InsecureRegistrar));
        }
        if expires == 0 {
            return Err(Error::Invalid(Argument::Expires));
        }
        let handle = self.registrations.insert().ok_or(Capacity::Registrations)?;
        let texts = self.keep_texts(registrar, aor, &uri);
        let rows = Content::keep_headers(headers, self.transactions.octets);
        let started = texts.and_then(|texts| {
            if let Some(entry) = self.registrations.get_mut(handle) {
                entry.texts = texts;
                entry.rows = *rows.as_ref().unwrap_or(&Block::NONE);
                entry.wanted = expires;
                entry.machine = Machine::new();
            }
            rows?;
            self.send_register(handle, Send::Binding)
        });
        if let Err(error) = started {
            self.free_registration(handle);
            return Err(error);
        }
        Ok(Registration(handle))
    }

    /// Keeps what [`Texts`] reads.
    fn keep_texts(&mut self, registrar: &str, aor: &str, uri: &Uri<'_>) -> Result<Block, Error> {
        let call_id = self.core.random.token();
        let [Ok(first), Ok(second)] = [registrar.len(), aor.len()].map(u16::try_from) else {
            return Err(Error::Invalid(Argument::Registrar));
        };
        let size = registrar.len().wrapping_add(aor.len().wrapping_mul(2));
        self.transactions.octets.write(size, false, |_, writer| {
            writer.raw(call_id.as_bytes());
            writer.raw(&first.to_be_bytes());
            writer.raw(&second.to_be_bytes());
            writer.raw(registrar.as_bytes());
            writer.raw(aor.as_bytes());
            writer.raw(if uri.is_sips() { b"sips:" } else { b"sip:" });
            writer.raw(uri.host_text());
            if let Some(port) = uri.port() {
                writer.octet(b':');
                writer.number(u64::from(port));
            }
        })
    }

    fn free_registration(&mut self, handle: Handle) {
        let Some(entry) = self.registrations.get(handle) else { return };
        for block in &[entry.texts, entry.rows, entry.own_address] {
            self.transactions.octets.release(*block);
        }
        self.registrations.remove(handle);
    }

    /// Sends a REGISTER.
    fn send_register(&mut self, handle: Handle, which: Send) -> Result<(), Error> {
        let entry = *self.registrations.get(handle).ok_or(Error::Gone)?;
        let expires = if which == Send::Removal { 0 } else { entry.wanted };
        let seq = entry.seq.saturating_add(1);
        let rows = [
            Field::Binding(entry.own_address),
            Field::Expires(expires),
            Field::Abilities,
            Field::UserAgent,
            Field::Kept(entry.rows),
        ];
        let texts = Texts::of(self.transactions.octets.get(entry.texts));
        let call_id = Token::read(texts.call_id).unwrap_or(Token::ZERO);
        let proxied = texts.registrar.is_empty();
        let flow = Uri::parse(texts.next_hop()).map_or(Flow::NONE, |uri| {
            // Without a registrar it goes where any request to the domain does.
            if proxied { self.flow_to(&uri) } else { crate::locate::flow_to(&uri, self.core.settings.transport) }
        });
        let kept = Some((call_id, seq));
        let mut head = self.new_head(Method::Register, Parties::Binding(&entry), kept, &Answers::NONE);
        let answers = self.answers(entry.sessions);
        (head.proxied, head.answers) = (proxied, &answers);
        let id = self.send_outside(&head, flow, UsageId::Registration(handle).new_user(), &rows, &Content::NONE)?;
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.seq = seq;
            entry.transaction = id;
        }
        Ok(())
    }

    /// Gives an input to the machine of a registration and does what it says.
    ///
    /// # Errors
    /// There was no room for a REGISTER. The machine is as it was and tries again.
    #[inline(never)]
    fn step_registration(&mut self, handle: Handle, input: Input) -> Result<(), Error> {
        let Some(entry) = self.registrations.get_mut(handle) else { return Err(Error::Gone) };
        let before = entry.machine;
        let step = entry.machine.receive(self.now, input);
        let sent = if step.send == Send::Nothing { Ok(()) } else { self.send_register(handle, step.send) };
        if let Some(entry) = self.registrations.get_mut(handle)
            && sent.is_err()
        {
            entry.machine.no_room(self.now, before);
        } else if step.renewed {
            self.binding_renewed();
        }
        if step.tell != Indication::Nothing && sent.is_ok() {
            let table = &mut self.registrations;
            table.unlink_ready(handle);
            table.push(handle, TELL);
        }
        self.schedule_registration(handle);
        sent
    }

    /// Removes a registration's binding.
    pub(in crate::ua) fn unregister(&mut self, handle: Handle) -> Result<(), Error> {
        let before = self.registrations.get(handle).ok_or(Error::Gone)?.machine;
        if before.state() == State::Ended {
            return Err(Error::Gone);
        }
        let removed = self.step_registration(handle, Input::Remove);
        if removed.is_err()
            && let Some(entry) = self.registrations.get_mut(handle)
        {
            // The application may try again; meanwhile the binding is kept as it was.
            entry.machine = before;
            self.schedule_registration(handle);
        }
        removed
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
        let Some(entry) = self.registrations.get(handle) else { return Received::Nothing };
        let before = entry.machine.state();
        if entry.transaction != id || status < 200 {
            return Received::Nothing;
        }
        if status == 423 && self.retry_with_min_expires(handle, id, tries, response) {
            return Received::Nothing;
        }
        let mut input = if status < 300 && before != State::Removing {
            self.bound(handle, response)
        } else {
            self.refused(status, response.retry_after())
        };
        let forgets = match input {
            Input::Bound(_) => matches!(before, State::Registering | State::Correcting),
            // A registrar may take one Contact in a request and no more: it is asked again without the former one.
            Input::Failed(failed) => failed.retry == Retry::Never,
            _ => false,
        };
        if forgets && self.forget_former_address(handle) && !matches!(input, Input::Bound(_)) {
            input = Input::Due;
        }
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.transaction = TransactionId::NONE;
            if status < 300 {
                entry.bound_by(&self.source);
            }
        }
        // Without room for a removal it is tried again a moment later.
        let _ = self.step_registration(handle, input);
        let event = self.registration_event(handle);
        let learns = cfg!(feature = "learn-address") && before == State::Registering;
        if learns && matches!(input, Input::Bound(_)) {
            self.learn_address(handle, response);
        }
        event.map_or(Received::Nothing, Received::Event)
    }

    /// What a 2xx to a REGISTER means for the machine.
    fn bound(&mut self, handle: Handle, response: &Message<'_>) -> Input {
        let Some(entry) = self.registrations.get(handle) else { return Input::Due };
        let new_flow = entry.flow != self.source;
        match self.granted(entry.own_address, entry.wanted, response) {
            // A binding without a lifetime is none (§10.2.2, §10.3 step 7).
            0 => self.failed(RegistrationCause::NotBound, response.status().unwrap_or_default(), Retry::BackOff),
            seconds => Input::Bound(Bound { seconds, keep_alive: self.core.settings.keep_alive, new_flow }),
        }
    }

    /// What a refusal means for the machine: for good, or to be tried again.
    fn refused(&mut self, status: u16, retry_after: Option<u32>) -> Input {
        let for_good = (300..500).contains(&status) && !matches!(status, 408 | 480 | 429) || status >= 600;
        let retry = match retry_after {
            // Whatever the status, the registrar wants to be asked again (§20.33). A redirection is not followed.
            Some(seconds) if status >= 400 => Retry::After(seconds),
            _ if for_good => Retry::Never,
            _ => Retry::BackOff,
        };
        let weak = cfg!(feature = "digest") && self.too_weak;
        self.failed(if weak { RegistrationCause::WeakDigest } else { RegistrationCause::Refused }, status, retry)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn failed(&mut self, cause: RegistrationCause, status: u16, retry: Retry) -> Input {
        Input::Failed(Failed { cause, status, retry, jitter: self.core.random.below(1000) })
    }

    /// The lifetime in seconds that a 200 grants to our Contact, of which `wanted` were asked for (§10.2.4); 0 when it is not
    /// bound.
    #[inline(never)]
    fn granted(&self, own_address: Block, wanted: u32, response: &Message<'_>) -> u32 {
        let settings = &self.core.settings;
        let octets = &*self.transactions.octets;
        let (texts, own_address) = (octets.get(settings.block()), octets.get(own_address));
        let mut room = [0; 256];
        let mut writer = Writer::new(&mut room);
        settings.write_contact_uri(texts, settings.registered_address(texts, own_address), &mut writer);
        let length = writer.finish().unwrap_or(0);
        let own = Uri::parse(room.get(..length).unwrap_or_default());
        let default = response.expires().unwrap_or(wanted);
        let mut sole = default;
        for (place, contact) in response.contacts().enumerate() {
            let granted = match &contact {
                Ok(contact) => contact.expires().unwrap_or(default),
                Err(_) => default,
            };
            if matches!((contact.as_ref().map(NameAddr::uri), &own), (Ok(Ok(uri)), Ok(own)) if uri.equivalent(own)) {
                return granted;
            }
            // A server on the way that puts itself into the Contact rewrites it in the response too, or not: a sole one is ours
            // under whatever name. Several that are not ours are bindings of others.
            sole = if place == 0 { granted } else { 0 };
        }
        sole
    }

    /// A REGISTER had no response, or its flow failed.
    pub(in crate::ua) fn registration_failure(&mut self, handle: Handle, id: TransactionId, failure: Failure) {
        let Some(entry) = self.registrations.get_mut(handle) else { return };
        if entry.transaction != id {
            return;
        }
        entry.transaction = TransactionId::NONE;
        let cause = match failure {
            Failure::Timeout => RegistrationCause::Timeout,
            Failure::Flow => RegistrationCause::Unreachable,
            Failure::Insecure => RegistrationCause::Insecure,
            Failure::NoFallback => RegistrationCause::NoFallback,
        };
        let input = self.failed(cause, failure.status(), Retry::BackOff);
        let _ = self.step_registration(handle, input);
    }

    /// A registration's timer: refresh, retry or keep-alive.
    pub(in crate::ua) fn registration_due(&mut self, handle: Handle) {
        let (now, interval) = (self.now, self.core.settings.keep_alive);
        let Some(entry) = self.registrations.get_mut(handle) else { return };
        let kept_alive_at = entry.machine.deadline(Timer::KeepAlive);
        if entry.machine.take_due(Timer::KeepAlive, now) {
            // A host that slept for long sends one.
            entry.machine.set(Timer::KeepAlive, kept_alive_at.next_after(interval, now));
            let table = &mut self.registrations;
            if table.ready_list(handle).is_none() {
                table.push(handle, SEND);
            }
        } else if let Some(input) = entry.machine.take_due_input(now) {
            let _ = self.step_registration(handle, input);
        }
        self.schedule_registration(handle);
    }

    /// A 423 names the shortest lifetime: ask for that (§10.2.8), as often as a challenge is answered.
    fn retry_with_min_expires(
        &mut self,
        handle: Handle,
        id: TransactionId,
        tries: Tries,
        response: &Message<'_>,
    ) -> bool {
        let Some(shortest) = response.min_expires() else { return false };
        let Some(entry) = self.registrations.get_mut(handle) else { return false };
        let states = [State::Registering, State::Correcting, State::Outdated];
        if shortest <= entry.wanted
            || shortest > LONGEST_LIFETIME
            || tries.total >= MAX_TRIES
            || !states.contains(&entry.machine.state())
        {
            return false;
        }
        entry.wanted = shortest;
        let sessions = entry.sessions;
        let answers = self.answers(sessions);
        let owner = (UsageId::Registration(handle), Tries { total: tries.total.wrapping_add(1), ..tries });
        let again = Again { expires: Some(shortest), answers: &answers, renumbered: true, ..Again::NOTHING };
        let sent = self.send_again(id, Method::Register, owner, &again);
        sent.is_some_and(|new| {
            self.registration_resent(handle, new, Some(sessions));
            true
        })
    }

    /// Whether a challenge of a REGISTER is worth an answer.
    pub(in crate::ua) fn registration_prepare_retry(&self, handle: Handle) -> bool {
        self.registrations.get(handle).is_some_and(|entry| entry.machine.answers_challenges(self.now))
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
            if let Some(sessions) = sessions {
                entry.seq = entry.seq.saturating_add(1);
                entry.sessions = sessions;
            }
        }
    }

    /// The address of this host has changed: every registration is renewed from the new one, then the calls.
    pub(in crate::ua) fn network_changed(&mut self, sent_by: &str) -> Result<(), Error> {
        let sent_by = sent_by.as_bytes();
        let settings = &self.core.settings;
        let written = self.transactions.octets.write(64, false, |kept, writer| {
            writer.raw(settings.text(kept.get(settings.block()), Text::SentBy));
        });
        let old = written.unwrap_or(Block::NONE);
        let moved = self.core.settings.move_to(sent_by, self.transactions.octets);
        if moved.is_ok() {
            for index in 0..self.registrations.capacity() {
                let Some(handle) = self.registrations.handle_at(index) else { continue };
                self.keep_former_address(handle, old, sent_by);
                let _ = self.step_registration(handle, Input::AddressChanged);
            }
            self.binding_renewed();
        }
        self.transactions.octets.release(old);
        moved
    }

    /// A flow failed: a connection by which a binding was made, or on which a REGISTER waits.
    pub(in crate::ua) fn registrar_lost(&mut self, flow: Flow) {
        if self.registrations.is_empty() {
            return;
        }
        for index in 0..self.registrations.capacity() {
            let Some(handle) = self.registrations.handle_at(index) else { continue };
            let Some(entry) = self.registrations.get_mut(handle) else { continue };
            let waiting = entry.transaction;
            // Datagrams have no connection to lose: that nobody listens is the answer to their transaction.
            if !waiting.is_none() && flow.connection != 0 && self.transactions.flow(waiting) == flow {
                entry.transaction = TransactionId::NONE;
                self.transactions.abandon(waiting);
            } else if entry.machine.state() != State::Registered || entry.flow != flow {
                continue;
            }
            let jitter = self.core.random.below(1000);
            let _ = self.step_registration(handle, Input::FlowLost { jitter });
        }
    }

    /// A binding was renewed after a change of address, or could not be: after the last one the calls follow.
    fn binding_renewed(&mut self) {
        let others = (0..self.registrations.capacity()).filter_map(|index| self.registrations.handle_at(index));
        if !others.filter_map(|handle| self.registrations.get(handle)).any(|entry| entry.machine.calls_wait()) {
            self.refresh_calls();
        }
    }

    /// The event that a registration has to tell.
    pub(in crate::ua) fn registration_event(&mut self, handle: Handle) -> Option<Event> {
        self.registrations.unlink_ready(handle);
        let now = self.now;
        let entry = self.registrations.get_mut(handle)?;
        let (told, cause, status, retry_after) = entry.machine.take_untold(now);
        let expires = entry.machine.deadline(Timer::Expiry).since(now).as_secs();
        if entry.machine.state() == State::Ended {
            self.free_registration(handle);
        }
        let registration = Registration(handle);
        match told {
            Indication::Nothing => None,
            Indication::Registered => {
                let expires = u32::try_from(expires).unwrap_or(u32::MAX);
                Some(Event::Registered { registration, expires })
            }
            Indication::Failed => Some(Event::RegistrationFailed { registration, cause, status, retry_after }),
            Indication::Unregistered => Some(Event::Unregistered { registration }),
        }
    }
}
