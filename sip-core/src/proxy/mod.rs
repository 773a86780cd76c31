//! A proxy: requests passed on, responses passed back (RFC 3261 §16).
//!
//! [`Proxy`] is a [`Role`]. What passes through it, by a Route or a foreign Request-URI, goes where it leads without a word. A
//! request for one of its own domains is [`Event::Request`], "where to?": the application answers with a method that takes the
//! [`Request`], at once while it still has the message, or later. So a location service, a redirect server, a registrar and
//! routing rules are one mechanism:
//!
//! | the answer | method |
//! |---|---|
//! | to these targets | [`forward`](Proxy::forward), later [`add_targets`](Proxy::add_targets), [`cancel_branch`](Proxy::cancel_branch) |
//! | where it leads | [`proceed`](Proxy::proceed) |
//! | the client shall ask there | [`redirect`](Proxy::redirect) |
//! | an answer of the application's own: 200 to REGISTER, 180, 404 | [`respond`](Proxy::respond), [`respond_with`](Proxy::respond_with) |
//! | a refusal that leaves nothing behind: 401, 403 | [`refuse`](Proxy::refuse), [`refuse_with`](Proxy::refuse_with) |
//! | there, without a transaction | [`stateless`](Proxy::stateless) |
//!
//! ```
//! use sip_core::message::Message;
//! use sip_core::proxy::{Arrays, Config, Event, Proxy, Target};
//! use sip_core::role::{Action, Received, Role};
//! use sip_core::time::Instant;
//! use sip_core::transport::{Address, Flow};
//!
//! let mut proxy = Proxy::new(Arrays::<32, 8, 8, 16384>::new());
//! proxy.start(&Config::new(&["192.0.2.5:5060"]).with_domains(&["example.com"]), [7; 16]).unwrap();
//!
//! # let invite = b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asd;rport\r\n\
//! # Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=19a\r\nTo: <sip:bob@example.com>\r\nCall-ID: a84b4c76e66710\r\n\
//! # CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
//! # let source = Address::from("192.0.2.1:5060".parse::<std::net::SocketAddr>().unwrap());
//! let now = Instant::from_millis(1);
//! let message = Message::parse(invite).unwrap();
//! if let Received::Event(Event::Request { request, .. }) = proxy.receive(now, Flow::udp(source), &message) {
//!     // Where bob is, the application knows.
//!     proxy.forward(now, request, &[Target::new(b"sip:bob@192.0.2.2")], Some(&message)).unwrap();
//! }
//! let Some(Action::Send { flow, bytes, .. }) = proxy.poll_action(now) else { panic!("nothing to send") };
//! assert!(bytes.starts_with(b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bK"));
//! assert_eq!(flow.remote.to_string(), "192.0.2.2:5060");
//! ```

mod answer;
mod cancel;
mod choose;
mod config;
mod entry;
mod event;
#[cfg(feature = "fingerprint")]
mod fingerprint;
mod forward;
mod kept_target;
mod locate;
mod loops;
mod machine;
mod memory;
mod request;
mod response;
mod route;
mod size;
mod stateless;
mod targets;
mod token;
mod work;

pub use config::{Ask, Config, MAX_LISTENERS, TIMER_C};
pub use entry::{BranchEntry, ResponseContext};
pub use event::{Branch, Event, Request, Target, Why};
pub use memory::{Arrays, Memory, Parts, View};
pub use targets::MAX_TARGETS;
pub use work::Statistics;

use crate::error::{Argument, ConfigError, Error};
use crate::log;
use crate::memory::{Handle, Octets};
use crate::message::{Header, HeaderName, Malformed, Message, Uri, Writer};
use crate::random::{Random, Seed};
use crate::role::{Action, PutBack, Received, Role, SendId};
use crate::time::Instant;
use crate::transaction::{Layer, ReplyId, TransactionId, Transactions, TransactionsRef};
use crate::transport::{Flow, FlowError, Target as Address, Ticket, datagram_limit};
#[cfg(feature = "fingerprint")]
use core::hash::Hasher;
use entry::{Marks, State};
use forward::{Goal, Original};
use machine::Cause;
pub(crate) use work::Lookup;
use work::{Core, TELL, Work};

/// Octets that a proxy reserves for its stateless replies.
const RESERVED_OCTETS: u16 = 512;

/// A SIP proxy over a caller's memory.
///
/// It is created all zero by a `const fn`, so a static one lies in .bss, and works after [`start`](Self::start).
#[derive(Debug)]
pub struct Proxy<M> {
    memory: M,
    layer: Layer,
    core: Core,
}

impl<M: Memory> Proxy<M> {
    /// As many octets as it takes, its memory included when that is [`Arrays`]: nothing is taken beside it but stack.
    pub const BYTES: usize = size_of::<Self>();

    /// A proxy before its start.
    #[must_use]
    pub const fn new(memory: M) -> Self {
        Self { memory, layer: Layer::ZERO, core: Core::ZERO }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn work(&mut self, now: Instant) -> Work<'_, M::Octets> {
        Work::new(now, &mut self.layer, &mut self.core, self.memory.parts())
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
        let mut work = self.work(Instant::ZERO);
        work.core.settings = config::Settings::keep(config, work.transactions.octets)?;
        work.transactions.reserve_replies(RESERVED_OCTETS)?;
        work.core.random = Random::new(seed);
        work.core.hash = work.core.random.hash_key();
        work.core.settings.tokens = token::Tokens::new(config.secret, &mut work.core.random);
        let key = work.core.random.hash_key();
        work.transactions.layer.start(config.timers, key);
        work.transactions.layer.set_datagram_limit(datagram_limit(config.path_mtu));
        work.core.started = true;
        Ok(())
    }

    /// Sends a request to its targets: those with the highest q at once and together, the others when they have failed (RFC 3261
    /// §16.6). `message` is the request, when it is still at hand; it saves reading the one that was kept.
    ///
    /// # Errors
    /// [`Error::Gone`] when the request is answered or cancelled; [`Error::State`] when it has its targets already;
    /// [`Error::Invalid`] for a target that can't be used; [`Error::Capacity`]. Nothing has changed.
    pub fn forward(
        &mut self,
        now: Instant,
        request: Request,
        targets: &[Target<'_>],
        message: Option<&Message<'_>>,
    ) -> Result<(), Error> {
        let mut work = self.work(now);
        work.asked(request)?;
        if work.goes_once(request) {
            // It goes one way only.
            let target = targets.first().ok_or(Error::Invalid(Argument::Targets))?;
            return work.forward_once(request, Goal::Target(target), message);
        }
        if work.add_targets(request.0, targets)? == 0 {
            return Err(Error::Invalid(Argument::Targets));
        }
        work.search(request);
        work.next_targets(request.0, message);
        work.advance(request.0);
        Ok(())
    }

    /// Sends a request where it leads by itself: what [passes through](Why::Passing) may.
    ///
    /// # Errors
    /// [`Error::Gone`] when the request is answered or cancelled; [`Error::State`] when it has its targets already.
    pub fn proceed(&mut self, now: Instant, request: Request, message: Option<&Message<'_>>) -> Result<(), Error> {
        let mut work = self.work(now);
        let kept = work.asked(request)?;
        if work.goes_once(request) {
            return work.forward_once(request, Goal::Itself, message);
        }
        work.search(request);
        let original = message.map_or(Original::Kept(kept), Original::Message);
        if let Err(status) = work.start_branch(request.0, original, Goal::Itself, u16::MAX) {
            work.not_started(request.0, status);
        }
        work.advance(request.0);
        Ok(())
    }

    /// Sends a request to a target without a transaction (RFC 3261 §16.11): its answers are passed on by their Vias, and nothing
    /// else is known of it.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn stateless(
        &mut self,
        now: Instant,
        request: Request,
        target: &Target<'_>,
        message: Option<&Message<'_>>,
    ) -> Result<(), Error> {
        let mut work = self.work(now);
        work.asked(request)?;
        work.forward_once(request, Goal::Target(target), message)
    }

    /// Adds targets to a search that goes on, those that were tried already left out; how many were added. The untried targets with
    /// the highest q are sent at once, beside the branches that are open.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::State`] before that, and when no further target is to be tried.
    pub fn add_targets(&mut self, now: Instant, request: Request, targets: &[Target<'_>]) -> Result<usize, Error> {
        let mut work = self.work(now);
        let entry = work.contexts.get(request.0).ok_or(Error::Gone)?;
        if entry.state == State::Finished {
            return Err(Error::Gone);
        }
        if entry.state != State::Searching || entry.marks.has(Marks::STOPPED) || entry.request.is_none() {
            return Err(Error::State);
        }
        let added = work.add_targets(request.0, targets)?;
        work.next_targets(request.0, None);
        work.advance(request.0);
        Ok(added)
    }

    /// Ends one branch of a search: with CANCEL, as soon as its target has answered provisionally (RFC 3261 §9.1).
    ///
    /// # Errors
    /// [`Error::Gone`] when it has given its final response; [`Error::State`] for a request other than INVITE.
    pub fn cancel_branch(&mut self, now: Instant, branch: Branch) -> Result<(), Error> {
        let mut work = self.work(now);
        let context = work.branches.get(branch.0).ok_or(Error::Gone)?.context;
        let invite = work.contexts.get(context).is_some_and(|entry| entry.marks.has(Marks::INVITE));
        if !invite {
            return Err(Error::State);
        }
        work.cancel_branch(branch.0, Cause::Asked);
        work.advance(context);
        Ok(())
    }

    /// Ends a whole search, as a CANCEL of the client would; of one that was sent somewhere [`Event::Finished`] tells the end.
    ///
    /// # Errors
    /// [`Error::Gone`] when it is over.
    pub fn cancel(&mut self, now: Instant, request: Request) -> Result<(), Error> {
        let mut work = self.work(now);
        if work.contexts.get(request.0).is_none_or(|entry| entry.state == State::Finished) {
            return Err(Error::Gone);
        }
        // That a question is void the application knows.
        let _ = work.cancel_search(request.0);
        Ok(())
    }

    /// Answers a request with a status, headers and no body. A final one ends the search.
    ///
    /// # Errors
    /// As [`respond_with`](Self::respond_with).
    pub fn respond(
        &mut self,
        now: Instant,
        request: Request,
        status: u16,
        headers: &[Header<'_>],
    ) -> Result<(), Error> {
        self.respond_with(now, request, status, &|writer| write_rows(writer, headers))
    }

    /// Answers a request with a status and what `rest` writes behind the head of the response: further headers, and how it ends,
    /// with a body or without. It may be called twice, and has to write the same each time. The To tag is written.
    ///
    /// # Errors
    /// [`Error::Gone`] when the request is answered or cancelled, or is an ACK; [`Error::Invalid`] for a status that is none, or a
    /// value that would not stay one line: nothing has changed. [`Error::Capacity`]: for a final response, the request was answered with
    /// a bare 503.
    pub fn respond_with(
        &mut self,
        now: Instant,
        request: Request,
        status: u16,
        rest: &dyn Fn(&mut Writer<'_>),
    ) -> Result<(), Error> {
        self.work(now).respond_by(request, status, rest)
    }

    /// Refuses a request with a status, headers and no body, and forgets it: a repetition of it is asked about again. So a
    /// challenge costs nothing that lasts.
    ///
    /// # Errors
    /// As [`respond_with`](Self::respond_with).
    pub fn refuse(&mut self, now: Instant, request: Request, status: u16, headers: &[Header<'_>]) -> Result<(), Error> {
        self.refuse_with(now, request, status, &|writer| write_rows(writer, headers))
    }

    /// As [`refuse`](Self::refuse), with what `rest` writes. A 2xx that leaves nothing behind is for other requests than INVITE.
    ///
    /// # Errors
    /// As [`respond_with`](Self::respond_with); [`Error::Invalid`] for a status below 300 to an INVITE, or below 200.
    pub fn refuse_with(
        &mut self,
        now: Instant,
        request: Request,
        status: u16,
        rest: &dyn Fn(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let mut work = self.work(now);
        let entry = work.contexts.get(request.0).ok_or(Error::Gone)?;
        let (server, lowest) = (entry.server, if entry.marks.has(Marks::INVITE) { 300 } else { 200 });
        if status < lowest {
            return Err(Error::Invalid(Argument::RefusalStatus));
        }
        work.respond_by(request, status, rest)?;
        work.transactions.end_when_sent(now, server);
        Ok(())
    }

    /// Answers a request with 302: the client is to try these contacts, each with its q (RFC 3261 §8.3).
    ///
    /// # Errors
    /// As [`respond_with`](Self::respond_with).
    pub fn redirect(&mut self, now: Instant, request: Request, contacts: &[Target<'_>]) -> Result<(), Error> {
        self.respond_with(now, request, 302, &|writer| {
            for contact in contacts {
                writer.value_start(HeaderName::Contact);
                writer.raw(b"<");
                writer.text(contact.uri);
                writer.raw(b">;q=");
                writer.qvalue(contact.q);
                writer.end();
            }
            writer.finish_without_body();
        })
    }

    /// As [`receive`](Role::receive), with where the users are to whom a 3xx redirects.
    pub(crate) fn receive_with(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'_>,
        lookup: Option<&Lookup<'_>>,
    ) -> Received<Event> {
        if !self.core.started {
            return Received::Stray;
        }
        let mut work = self.work(now);
        work.source = flow;
        work.lookup = lookup;
        let received =
            if message.is_request() { work.receive_request(message) } else { work.receive_response(message) };
        if matches!(received, Received::Stray) {
            log::line!(debug, "stray: {}", message);
            self.core.statistics.strays = self.core.statistics.strays.saturating_add(1);
        }
        received
    }

    /// The Request-URI of a request; behind a strict router, which has put a Record-Route of this proxy there, the last Route value
    /// (RFC 3261 §16.4). `None` when it can't be routed.
    #[must_use]
    pub fn routed_uri<'m>(&self, request: &Message<'m>) -> Option<Uri<'m>> {
        if request.header(HeaderName::Route).is_none() {
            return request.uri();
        }
        let settings = &self.core.settings;
        let texts = self.memory.view().octets.get(settings.block());
        route::Routing::of(settings, texts, request).ok().map(|routing| routing.uri)
    }

    /// Why a request was asked about; `None` when it is over.
    #[must_use]
    pub fn why(&self, request: Request) -> Option<Why> {
        let entry = self.memory.view().contexts.get(request.0)?;
        Some(if entry.marks.has(Marks::OWN) { Why::Own } else { Why::Passing })
    }

    /// Whether a URI is this proxy's own: that of a listener or of a domain (RFC 3261 §16.4, §16.5).
    #[must_use]
    pub fn is_own(&self, uri: &Uri<'_>) -> bool {
        let settings = &self.core.settings;
        settings.own(self.memory.view().octets.get(settings.block()), uri).is_some()
    }

    /// Where a request came from; `None` when it is over.
    #[must_use]
    pub fn source(&self, request: Request) -> Option<Flow> {
        self.memory.view().contexts.get(request.0).map(|entry| entry.source)
    }

    /// A request that the application was asked about, as it was received; empty when it is over.
    #[must_use]
    pub fn request_bytes(&self, request: Request) -> &[u8] {
        let view = self.memory.view();
        view.contexts.get(request.0).map_or(&[], |entry| view.octets.get(entry.request))
    }

    /// The branches of a request that are open.
    pub fn branches(&self, request: Request) -> impl Iterator<Item = Branch> {
        let view = self.memory.view();
        let mut next = view.contexts.get(request.0).map_or(Handle::NONE, |entry| entry.branches);
        core::iter::from_fn(move || {
            let entry = view.branches.get(next)?;
            Some(Branch(core::mem::replace(&mut next, entry.next)))
        })
    }

    /// The Request-URI that a branch was sent to; empty when it has given its final response.
    #[must_use]
    pub fn branch_uri(&self, branch: Branch) -> &[u8] {
        let client = self.memory.view().branches.get(branch.0).map(|entry| entry.client);
        client.map_or(&[], |client| crate::message::Kept::new(self.transactions().bytes(client)).request_uri())
    }

    /// What strangers made this proxy drop or refuse.
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
            contexts: view.contexts.len(),
            branches: view.branches.len(),
            octets: view.octets.used(),
        }
    }

    /// The next action as a copy: what to do, without the octets to do it with.
    fn next_step(&mut self, now: Instant) -> Option<Step> {
        let parts = self.memory.parts();
        let told = parts.contexts.first(TELL).is_none();
        let mut transactions = Transactions::new(&mut self.layer, parts.transactions, parts.octets);
        if !told || transactions.is_due(self.core.expire_to) {
            let event = self.work(now).next_event();
            if let Some(event) = event {
                return Some(Step::Event(event));
            }
            let parts = self.memory.parts();
            transactions = Transactions::new(&mut self.layer, parts.transactions, parts.octets);
        }
        if let Some(id) = transactions.poll_reply() {
            return Some(Step::SendReply(id));
        }
        if let Some(id) = transactions.poll_send() {
            return Some(Step::SendTransaction(id));
        }
        let id = transactions.poll_parked()?;
        Some(if self.work(now).knows_flow(id) { Step::Again } else { Step::LookUp(id) })
    }

    /// Joins a step with the octets it is about.
    fn lend(&self, step: Step) -> Option<Action<'_, Event>> {
        match step {
            Step::Event(event) => Some(Action::Event(event)),
            Step::SendReply(id) => {
                let (bytes, flow) = self.transactions().lend_reply(id)?;
                Some(Action::Send { id: SendId::of_reply(id), flow, bytes })
            }
            Step::SendTransaction(id) => {
                let (bytes, flow) = self.transactions().lend(id)?;
                Some(Action::Send { id: SendId::of_transaction(id), flow, bytes })
            }
            Step::LookUp(id) => locate::question(self.transactions(), id),
            Step::Again => None,
        }
    }
}

/// Ends a response with headers and no body.
fn write_rows(writer: &mut Writer<'_>, headers: &[Header<'_>]) {
    for header in headers {
        writer.header(header.name, header.value);
    }
    writer.finish_without_body();
}

/// An [`Action`] without its borrow.
#[derive(Clone, Copy)]
enum Step {
    Event(Event),
    SendReply(ReplyId),
    SendTransaction(TransactionId),
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
    /// Response contexts.
    pub contexts: usize,
    /// Branches.
    pub branches: usize,
    /// Octets of kept messages, with the configuration.
    pub octets: usize,
}

impl<M: Memory> Role for Proxy<M> {
    type Event = Event;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Event> {
        self.receive_with(now, flow, message, None)
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        log::line!(debug, "malformed: {}", failure);
        self.core.statistics.malformed = self.core.statistics.malformed.saturating_add(1);
        if self.core.started && failure.answerable() {
            let mut work = self.work(now);
            let tag = work.core.random.token();
            work.transactions.reply_malformed(flow, failure, tag);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.work(now).handle_timeout();
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        self.work(now).transactions.launch(now, locate::waiter(ticket), flow);
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, _error: FlowError) {
        self.work(now).transactions.unreachable(now, locate::waiter(ticket));
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        let mut work = self.work(now);
        // One message that is not taken says nothing of the others.
        if error.spares_flow() {
            work.transactions.too_large(flow);
        } else {
            work.transactions.flow_failed(now, flow);
        }
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        self.work(now).transactions.flow_writable(flow);
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Address]) {
        self.work(now).transactions.resolved(now, locate::waiter(ticket), targets);
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Event>> {
        if !self.core.started {
            return None;
        }
        loop {
            match self.next_step(now)? {
                Step::Again => {}
                Step::LookUp(id) if locate::question(self.transactions(), id).is_none() => {
                    self.work(now).transactions.unreachable(now, id);
                }
                step => return self.lend(step),
            }
        }
    }

    fn defer(&mut self, id: SendId) {
        id.put_back(PutBack::Defer, &mut self.work(Instant::ZERO).transactions);
    }

    fn hold(&mut self, id: SendId) {
        id.put_back(PutBack::Hold, &mut self.work(Instant::ZERO).transactions);
    }

    fn resume(&mut self, id: SendId) {
        id.put_back(PutBack::Resume, &mut self.work(Instant::ZERO).transactions);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let contexts = self.memory.view().contexts.next_deadline();
        [self.transactions().next_timeout(), contexts].into_iter().flatten().min()
    }

    fn keeps(&self, flow: Flow) -> bool {
        self.transactions().waits_on(flow)
    }

    #[cfg(feature = "fingerprint")]
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        fingerprint::write(&self.layer, &self.core, &self.memory.view(), now, hasher);
    }
}
