//! The user agent: calls, registrations, and requests of the application (RFC 3261 §8, §10-§15).
//!
//! [`UserAgent`] is a [`Role`]. What the application does is a method that takes the time and may fail before anything has
//! changed; what the network does is an input; what comes of both is read from [`Role::poll_action`].

mod auth;
mod config;
mod content;
mod context;
mod dispatch;
#[cfg(test)]
mod dispatch_tests;
mod event;
#[cfg(feature = "fingerprint")]
mod fingerprint;
mod headers;
mod memory;
mod outside;
mod reply;
mod size;
mod usage;

pub use auth::MAX_CREDENTIALS;
pub use config::{Config, ReliableProvisional};
pub use content::{Body, Content};
pub use context::Statistics;
pub use event::{
    Call, Cause, Event, Fork, IncomingRequest, Origin, OutgoingRequest, ReferCause, Referral, Registration,
    RegistrationCause,
};
pub use memory::{Arrays, Memory, Parts, View};
pub use usage::invite::{CallEntry, CallInfo, CallState, Leg};
#[cfg(feature = "offer-answer")]
pub use usage::invite::{MAX_DESCRIPTION, SessionError};
#[cfg(feature = "refer")]
pub use usage::refer::ReferralEntry;
pub use usage::registration::{RegistrationEntry, RegistrationInfo, RegistrationState};

use crate::dialog::Dialog;
use crate::error::{ConfigError, Error};
use crate::locate::{self, Question};
use crate::log;
use crate::memory::{Handle, Octets, TableRef};
use crate::message::{Header, Malformed, Message, Method};
use crate::random::{Random, Seed};
use crate::role::{Action, OWN_TABLE, PutBack, Received, Role, SendId};
use crate::time::Instant;
use crate::transaction::{Layer, ReplyId, TARGETS, TransactionId, TransactionsRef};
use crate::transport::datagram_limit;
use crate::transport::{Flow, FlowError, Target, Ticket, Transport};
use context::{Context, Core, SEND};
#[cfg(feature = "fingerprint")]
use core::hash::Hasher;
use usage::UsageId;
use usage::registration::Texts;

/// The table of the user agent's own that a [`SendId`] can point into.
const REGISTRATION: u8 = OWN_TABLE;

/// The keep-alive of RFC 5626 §3.5.1.
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

/// A SIP user agent over a caller's memory.
///
/// It is created all zero by a `const fn`, so a static one lies in .bss, and works after [`start`](Self::start).
#[derive(Debug)]
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct UserAgent<M> {
    core: Core,
    layer: Layer,
    memory: M,
}

impl<M: Memory> UserAgent<M> {
    /// As many octets as it takes, its memory included when that is [`Arrays`]: nothing is taken
    /// beside it but stack.
    ///
    /// With pointers of 64 bits `Arrays<T, D, C, R, O, F>` make 984 + 176·T + 424·D + 248·C + 160·R + O + 112·F, rounded up to a
    /// multiple of 8; with 32 bits a tenth less, and without the feature `offer-answer` 208·D less.
    ///
    /// ```
    /// use sip_core::ua::Arrays;
    /// use sip_core::ua::UserAgent;
    ///
    /// type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;
    /// const _: () = assert!(Phone::BYTES <= 14_344);
    /// # assert_eq!(Phone::BYTES, size_of::<Phone>());
    /// ```
    pub const BYTES: usize = size_of::<Self>();

    /// A user agent before its start.
    #[must_use]
    pub const fn new(memory: M) -> Self {
        Self { memory, layer: Layer::ZERO, core: Core::ZERO }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn context(&mut self, now: Instant) -> Context<'_, M::Octets> {
        Context::new(now, &mut self.layer, &mut self.core, self.memory.parts())
    }

    fn dialogs(&self) -> TableRef<'_, Dialog<Leg>> {
        self.memory.view().dialogs
    }

    fn call_table(&self) -> TableRef<'_, CallEntry> {
        self.memory.view().calls
    }

    fn registration_table(&self) -> TableRef<'_, RegistrationEntry> {
        self.memory.view().registrations
    }

    fn transactions(&self) -> TransactionsRef<'_, M::Octets> {
        let view = self.memory.view();
        TransactionsRef::new(&self.layer, view.transactions, view.octets)
    }

    /// Checks and keeps the configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the field that can't be used; [`ConfigError::Capacity`] says that the memory is too
    /// small; a second start is [`ConfigError::AlreadyStarted`].
    pub fn start(&mut self, config: &Config<'_>, seed: Seed) -> Result<(), ConfigError> {
        if self.core.started {
            return Err(ConfigError::AlreadyStarted);
        }
        let mut context = self.context(Instant::ZERO);
        context.core.settings = config::Settings::keep(config, context.transactions.octets)?;
        context.transactions.reserve_replies(reply::RESERVED_OCTETS)?;
        context.core.random = Random::new(seed);
        context.core.hash = context.core.random.hash_key();
        let key = context.core.random.hash_key();
        context.transactions.layer.start(config.timers, key);
        context.transactions.layer.set_datagram_limit(datagram_limit(config.path_mtu));
        context.core.started = true;
        Ok(())
    }

    #[cfg(feature = "digest")]
    /// Adds what to authenticate with in `realm`, or in any realm when it is empty; the same realm again replaces it.
    ///
    /// Credentials for any realm answer whoever challenges, a called stranger too, who may then try passwords offline against
    /// the digest: name the realm where it is known.
    ///
    /// # Errors
    /// There are [`MAX_CREDENTIALS`] already, or no octets are free.
    pub fn add_credentials(&mut self, realm: &str, username: &str, password: &str) -> Result<(), Error> {
        self.context(Instant::ZERO).add_credentials(realm.as_bytes(), username.as_bytes(), password.as_bytes())
    }

    /// Calls `target`, a SIP URI; `from` is a URI or a name-addr, or empty for the configured identity.
    ///
    /// With a body the INVITE makes the offer; without one the peer makes it in its answer (RFC 3261 §13.2.1).
    ///
    /// # Errors
    /// A URI or header is not in its form, or a capacity is reached. Nothing was sent.
    pub fn call(&mut self, now: Instant, target: &str, from: &str, content: &Content<'_>) -> Result<Call, Error> {
        self.context(now).invite(target, from, content)
    }

    /// Sends a provisional response, 101 to 199, to the peer's INVITE.
    ///
    /// As [`Config::reliable_provisional`] says, it is repeated until the caller acknowledges it, which
    /// [`Event::ProvisionalAcknowledged`] tells; if it never does, the INVITE is refused with 504.
    ///
    /// # Errors
    /// The call has ended, or its INVITE is answered already. [`Error::State`] while a reliable response waits for its
    /// acknowledgement: one at a time does (RFC 3262 §3).
    pub fn ring(&mut self, now: Instant, call: Call, status: u16, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).ring(call.0, status, content)
    }

    /// Answers the peer's INVITE or re-INVITE with 200. While a reliable provisional response with a description waits for its
    /// acknowledgement the 200 waits too (RFC 3262 §3).
    ///
    /// # Errors
    /// The call has ended, no INVITE waits, or the body does not fit.
    pub fn answer(&mut self, now: Instant, call: Call, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).answer(call.0, content)
    }

    /// Refuses the peer's INVITE or re-INVITE with `status`, 300 to 699. A refused re-INVITE leaves the call as it was.
    ///
    /// # Errors
    /// The call has ended, or no INVITE waits.
    pub fn reject(&mut self, now: Instant, call: Call, status: u16, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).reject(call.0, status, content)
    }

    /// Sends the ACK that waits for our answer to the peer's offer ([`Event::Answered`] with `answer_due`).
    ///
    /// # Errors
    /// The call has ended, or no ACK waits.
    pub fn acknowledge(&mut self, now: Instant, call: Call, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).acknowledge(call.0, content)
    }

    #[cfg(feature = "100rel")]
    /// Sends the PRACK that waits for our answer to an offer ([`Event::Progress`] with `answer_due`) of this fork.
    ///
    /// # Errors
    /// The call has ended, or no PRACK waits.
    pub fn acknowledge_provisional(
        &mut self,
        now: Instant,
        call: Call,
        fork: Fork,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        self.context(now).acknowledge_provisional(call.0, fork, content)
    }

    #[cfg(feature = "update")]
    /// Sends an UPDATE (RFC 3311), in an early dialog too; [`Event::Updated`] tells the outcome. With a body it is an offer;
    /// without one it refreshes where requests go.
    ///
    /// A 491 to an offer is not told: it goes out once more, as that of [`reinvite`](Self::reinvite) does.
    ///
    /// # Errors
    /// [`Error::State`] when the peer does not have the dialog yet (several forks ring, or it has not acknowledged that our phone
    /// does), while another UPDATE is out, and of an offer while any offer has no answer.
    pub fn update(&mut self, now: Instant, call: Call, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).update(call.0, content)
    }

    #[cfg(any(feature = "100rel", feature = "update"))]
    /// Answers, with 200 and our description, the offer that the peer made outside of an INVITE, or refuses it with another final
    /// status ([`Event::Update`], [`Event::ProvisionalAcknowledged`] with `answer_due`).
    ///
    /// # Errors
    /// The call has ended, or no offer waits.
    pub fn answer_offer(&mut self, now: Instant, call: Call, status: u16, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).answer_offer(call.0, status, content)
    }

    /// Ends a call as its state asks: CANCEL, a refusal (486; 603 would end the search at every other phone too), or BYE.
    /// [`Event::Ended`] follows.
    ///
    /// # Errors
    /// The call has ended.
    pub fn hang_up(&mut self, now: Instant, call: Call) -> Result<(), Error> {
        self.hang_up_with(now, call, &[])
    }

    /// As [`hang_up`](Self::hang_up), with headers (Reason, say) in the CANCEL, BYE or refusal that ends the call.
    ///
    /// # Errors
    /// The call has ended, or a header is one of the core's own, not in its form, or does not fit.
    pub fn hang_up_with(&mut self, now: Instant, call: Call, headers: &[Header<'_>]) -> Result<(), Error> {
        self.context(now).hang_up(call.0, headers)
    }

    /// Sends a re-INVITE with a new offer; [`Event::Reinvited`] tells the outcome.
    ///
    /// A 491 is not told: after the random wait of RFC 3261 §14.1 the offer goes out again.
    ///
    /// # Errors
    /// The call has ended or is not established, or another INVITE is under way in it.
    pub fn reinvite(&mut self, now: Instant, call: Call, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).reinvite(call.0, content)
    }

    #[cfg(feature = "requests")]
    /// Sends a request of the application outside of any dialog (OPTIONS, MESSAGE, …).
    ///
    /// # Errors
    /// The core sends this method itself, a URI or header is not in its form, or a capacity is reached.
    pub fn request(
        &mut self,
        now: Instant,
        method: Method<'_>,
        target: &str,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        self.context(now).request(method, target, content)
    }

    #[cfg(feature = "requests")]
    /// Sends a request of the application inside a call's dialog (INFO, MESSAGE, …).
    ///
    /// # Errors
    /// As [`request`](Self::request); [`Error::State`] when the call is not established.
    pub fn request_in_call(
        &mut self,
        now: Instant,
        call: Call,
        method: Method<'_>,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        self.context(now).request_in_call(call.0, method, content)
    }

    #[cfg(feature = "requests")]
    /// Answers a request that [`Event::Request`] brought.
    ///
    /// # Errors
    /// It has been answered, or waited too long.
    pub fn respond(
        &mut self,
        now: Instant,
        request: IncomingRequest,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        self.context(now).respond(request, status, content)
    }

    #[cfg(feature = "registration")]
    /// Binds this user agent's Contact to `aor`, a SIP URI, for `expires` seconds, and keeps it bound.
    ///
    /// REGISTERs go to the domain of `aor` (RFC 3261 §10.2) by way of `registrar`: a SIP URI that names the next hop, with
    /// `lr` in a Route; empty for the configured proxy, or else for where the domain itself leads.
    ///
    /// # Errors
    /// A URI is not in its form, or a capacity is reached.
    pub fn register(&mut self, now: Instant, registrar: &str, aor: &str, expires: u32) -> Result<Registration, Error> {
        self.register_with(now, registrar, aor, expires, &[])
    }

    #[cfg(feature = "registration")]
    /// As [`register`](Self::register), with headers of the application in every REGISTER.
    ///
    /// # Errors
    /// As [`register`](Self::register); a header is one of the core's own or not in its form.
    pub fn register_with(
        &mut self,
        now: Instant,
        registrar: &str,
        aor: &str,
        expires: u32,
        headers: &[Header<'_>],
    ) -> Result<Registration, Error> {
        self.context(now).register(registrar, aor, expires, headers)
    }

    #[cfg(feature = "registration")]
    /// Removes a binding; [`Event::Unregistered`] follows, from the registrar's silence too.
    ///
    /// # Errors
    /// The registration is gone, or there is no room for the REGISTER.
    pub fn unregister(&mut self, now: Instant, registration: Registration) -> Result<(), Error> {
        self.context(now).unregister(registration.0)
    }

    /// This host has another address now: Via and Contact change to `sent_by`, every binding is renewed, and then each
    /// established call gets [`Event::RefreshDue`].
    ///
    /// # Errors
    /// `sent_by` is not a host with or without a port, or does not fit.
    pub fn network_changed(&mut self, now: Instant, sent_by: &str) -> Result<(), Error> {
        self.context(now).network_changed(sent_by)
    }

    /// What strangers made this user agent drop or refuse.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics { replies_dropped: self.transactions().dropped_replies(), ..self.core.statistics }
    }

    /// How much of the memory is taken.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let view = self.memory.view();
        Occupancy {
            transactions: self.transactions().len(),
            dialogs: self.dialogs().len(),
            calls: self.call_table().len(),
            registrations: self.registration_table().len(),
            #[cfg(feature = "refer")]
            referrals: view.referrals.len(),
            octets: view.octets.used(),
            reserved: if self.core.started { usize::from(reply::RESERVED_OCTETS) } else { 0 }
                .saturating_add(self.core.reserved_octets as usize),
        }
    }

    /// The next action as a copy: what to do, without the octets to do it with.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next_step(&mut self, now: Instant) -> Option<Step> {
        let mut context = self.context(now);
        if let Some(event) = context.next_event() {
            return Some(Step::Event(event));
        }
        if let Some(id) = context.transactions.poll_reply() {
            return Some(Step::SendReply(id));
        }
        if let Some(id) = context.transactions.poll_send() {
            return Some(Step::SendTransaction(id));
        }
        if cfg!(feature = "registration")
            && let Some(registration) = context.registrations.first(SEND)
        {
            context.registrations.unlink_ready(registration);
            return Some(Step::SendKeepAlive(registration));
        }
        context.next_question()
    }
}

/// An [`Action`] without its borrow.
#[derive(Clone, Copy)]
enum Step {
    Event(Event),
    SendReply(ReplyId),
    SendTransaction(TransactionId),
    SendKeepAlive(Handle),
    LookUp(TransactionId),
    /// Something else has become ready.
    Again,
}

/// How many entries and octets are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Occupancy {
    /// Transactions.
    pub transactions: usize,
    /// Dialogs.
    pub dialogs: usize,
    /// Calls.
    pub calls: usize,
    /// Registrations.
    pub registrations: usize,
    /// REFERs.
    #[cfg(feature = "refer")]
    pub referrals: usize,
    /// Octets of kept messages, with the configuration and the credentials.
    pub octets: usize,
    /// Octets that are free and set aside: for the hang-up of each call, and for stateless replies.
    pub reserved: usize,
}

impl<M: Memory> Role for UserAgent<M> {
    type Event = Event;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Event> {
        if !self.core.started {
            return Received::Stray;
        }
        let mut context = self.context(now);
        context.source = flow;
        let received =
            if message.is_request() { context.receive_request(message) } else { context.receive_response(message) };
        #[cfg(feature = "refer")]
        if let Received::Event(event) = &received {
            context.follow(event);
        }
        if matches!(received, Received::Stray) {
            log::line!(debug, "stray: {}", message);
            self.core.statistics.strays = self.core.statistics.strays.saturating_add(1);
        }
        received
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        log::line!(debug, "malformed: {}", failure);
        self.core.statistics.malformed = self.core.statistics.malformed.saturating_add(1);
        if self.core.started && failure.answerable() {
            let mut context = self.context(now);
            context.source = flow;
            context.reply_malformed(failure);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.context(now).handle_timeout();
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        self.context(now).transactions.launch(now, id_of(ticket), flow);
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, _error: FlowError) {
        self.context(now).connect_failed(id_of(ticket));
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        let mut context = self.context(now);
        // One message that is too large says nothing of the others.
        if error.spares_flow() { context.transactions.too_large(flow) } else { context.flow_failed(flow) }
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        self.context(now).flow_writable(flow);
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Target]) {
        let id = id_of(ticket);
        // Who was asked for by TLS has no other targets, whatever the answer says. The layer sees to what has to go by it anyway.
        let is_secure = cfg!(feature = "streams")
            && matches!(self.question(id), Some(Action::Resolve { transport, .. }) if transport.is_secure());
        if is_secure && !self.transactions().demands_tls(id) {
            let mut secure = [Target::default(); TARGETS];
            let usable = targets.iter().filter(|target| target.transport.is_secure());
            let count = secure.iter_mut().zip(usable).map(|(place, target)| *place = *target).count();
            return self.context(now).resolved(id, secure.get(..count).unwrap_or_default());
        }
        self.context(now).resolved(id, targets);
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Event>> {
        if !self.core.started {
            return None;
        }
        loop {
            match self.next_step(now)? {
                Step::Again => {}
                Step::LookUp(id) if self.question(id).is_none() => self.context(now).resolved(id, &[]),
                step => return self.lend(step),
            }
        }
    }

    fn defer(&mut self, id: SendId) {
        id.put_back(PutBack::Defer, &mut self.context(Instant::ZERO).transactions);
    }

    fn hold(&mut self, id: SendId) {
        id.put_back(PutBack::Hold, &mut self.context(Instant::ZERO).transactions);
    }

    fn resume(&mut self, id: SendId) {
        id.put_back(PutBack::Resume, &mut self.context(Instant::ZERO).transactions);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.transactions().next_timeout(),
            self.call_table().next_deadline(),
            self.registration_table().next_deadline(),
            #[cfg(feature = "refer")]
            self.memory.view().referrals.next_deadline(),
        ];
        deadlines.iter().flatten().min().copied()
    }

    /// The registrar reaches it by this connection, a call's last message came by it, or a request on it waits for its response.
    fn keeps(&self, flow: Flow) -> bool {
        flow.connection != 0
            && (self.registration_table().iter().any(|(_, entry)| entry.flow == flow)
                || self.dialogs().iter().any(|(_, dialog)| dialog.source() == flow)
                || self.transactions().waits_on(flow))
    }

    #[cfg(feature = "fingerprint")]
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        fingerprint::write(&self.layer, &self.core, &self.memory.view(), now, hasher);
    }
}

/// The request that a question was asked for.
fn id_of(ticket: Ticket) -> TransactionId {
    TransactionId(Handle::from_bits(ticket.number()))
}

impl<M: Memory> UserAgent<M> {
    /// What a request that waits for its flow is missing, as an action; `None` when nobody could answer.
    fn question(&self, id: TransactionId) -> Option<Action<'_, Event>> {
        let transactions = self.transactions();
        // A REGISTER goes to its registrar instead of where its Request-URI leads.
        let registrar = match UsageId::of(transactions.user(id)).0 {
            UsageId::Registration(handle) => {
                Texts::of(transactions.octets.get(self.registration_table().get(handle)?.texts)).registrar
            }
            _ => b"",
        };
        let mut question = locate::question_by(transactions, id, registrar)?;
        if let Question::Resolve { transport: transport @ Transport::None, .. } = &mut question
            && self.core.settings.transport != Transport::Udp
        {
            // A name that asks for no transport goes by the configured one, as an address does.
            *transport = self.core.settings.transport;
        }
        Some(Action::ask(Ticket::new(id.0.bits()), question))
    }

    /// Joins a step with the octets it is about.
    fn lend(&self, step: Step) -> Option<Action<'_, Event>> {
        let (id, (bytes, flow)) = match step {
            Step::Event(event) => return Some(Action::Event(event)),
            Step::LookUp(id) => return self.question(id),
            Step::SendReply(id) => (SendId::of_reply(id), self.transactions().lend_reply_by(id)?),
            Step::SendTransaction(id) => (SendId::of_transaction(id), self.transactions().lend_by(id)?),
            Step::SendKeepAlive(handle) if cfg!(feature = "registration") => {
                let entry = self.registration_table().get(handle)?;
                (SendId { table: REGISTRATION, entry: handle.bits() }, (KEEP_ALIVE, &entry.flow))
            }
            Step::Again | Step::SendKeepAlive(_) => return None,
        };
        Some(Action::Send { id, flow: *flow, bytes })
    }
}
