//! A server for a domain: proxy, registrar, redirect server and digest over one layer and one set of flows.
//!
//! [`Server`] is a [`Role`] around a [`Proxy`] that answers its "where to?" by itself:
//!
//! | a request | what becomes of it |
//! |---|---|
//! | REGISTER for one of its domains | proven (401), bound, answered with all bindings |
//! | for a user of its domains | proven (407) when it says to come from one; then to all who are [registered](registrar), by Path and flow, those with the highest q first; 480 when nobody is, 404 when there is no such user |
//! | OPTIONS for the server itself | 200 |
//! | for another domain | passed on for [users who are proven](Relay) |
//! | inside a dialog | goes its way |
//!
//! What a store of its own has to keep is told by [`Event::Binding`], and read by [`Server::bindings`].
//!
//! # Users
//! They are lent as a [`Directory`], which is a trait and no event: it is asked in the midst of a request, for what lies in memory,
//! gets names and gives values, and can't call back. What lies elsewhere is asked of the application: where the directory
//! [says so](Directory::asks), by [`Event::Credentials`], which [`Server::credentials`] answers at once or later.
//!
//! ```
//! use sip_core::guard::{Secrets, User};
//! use sip_core::message::Message;
//! use sip_core::role::{Action, Received, Role};
//! use sip_core::server::{Config, Event, Fixed};
//! use sip_core::time::Instant;
//! use sip_core::transport::{Address, Flow};
//!
//! let users = [User { name: b"bob", secrets: Secrets { password: Some(b"zanzibar"), ..Secrets::default() } }];
//! // 32 transactions, 8 requests under way in 8 branches with 16,384 octets; 8 bindings with 2,048; 8 nonces, 8 lock-outs.
//! let mut server = Fixed::<32, 8, 8, 16_384, 8, 2_048, 8, 8, _>::new_fixed(users);
//! let config = Config::new(&["192.0.2.5:5060"], &["example.com"], b"a secret of this server").with_epoch(1_700_000_000);
//! let mut now = Instant::from_millis(0);
//! server.start(now, &config, [7; 16]).unwrap();
//!
//! # let register = b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asd;rport\r\n\
//! # Max-Forwards: 70\r\nFrom: <sip:bob@example.com>;tag=19a\r\nTo: <sip:bob@example.com>\r\nCall-ID: a84b4c76e66710\r\n\
//! # CSeq: 1 REGISTER\r\nContact: <sip:bob@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
//! # let mut datagrams = vec![(Address::from("192.0.2.1:5060".parse::<std::net::SocketAddr>().unwrap()), register)];
//! # let mut sent = Vec::new();
//! # while let Some((source, bytes)) = datagrams.pop() {
//! // Each message that arrives:
//! let message = Message::parse(bytes).unwrap();
//! match server.receive(now, Flow::udp(source), &message) {
//!     Received::Event(Event::Binding(event)) => {
//!         let binding = server.binding(event.binding).unwrap();
//!         println!("{:?} {:?}", event.change, binding.aor);
//!     }
//!     Received::Event(event) => println!("{event:?}"),
//!     Received::Nothing | Received::Stray => {}
//! }
//! while let Some(action) = server.poll_action(now) {
//!     match action {
//!         Action::Send { flow, bytes, .. } => { /* to the socket */
//!             # sent.push(bytes.to_vec());
//!         }
//!         Action::Event(event) => println!("{event:?}"),
//!         Action::Connect { .. } | Action::Close { .. } | Action::Resolve { .. } => { /* the answer is an input */ }
//!         _ => panic!("an action that this program does not know"),
//!     }
//! }
//! # }
//! # assert!(sent[0].starts_with(b"SIP/2.0 401 Unauthorized\r\n"));
//! ```
//!
//! # Restarts
//! Before it stops, or with each change, an application writes the record of each address of record
//! ([`write_record`](registrar::BindingsRef::write_record)); after the next start it gives them to [`Server::load`]. With the same secret
//! no phone is asked for a password then: of the nonces that were used to register the records tell how far, and others are stale.

mod config;
mod event;
mod register;
mod route;
mod store;

pub use config::{Config, Relay};
pub use event::{Event, Why};
pub use store::{Pending, Stored};

use crate::digest::mac_key;
use crate::error::{ConfigError, Error};
use crate::guard::{self, Guard, Secrets, Users};
use crate::message::{Malformed, Message, Uri};
use crate::proxy::{self, Proxy, Request, Target};
use crate::random::{Random, Seed};
use crate::registrar::{self, BindingId, BindingInfo, Bindings, BindingsRef, LoadError, Registrar};
use crate::role::{Action, Received, Role, SendId};
use crate::time::Instant;
use crate::transport::{Flow, FlowError, Target as Address, Ticket};
use config::Settings;
#[cfg(feature = "fingerprint")]
use core::hash::Hasher;

/// Who the users of a server are, and where some of them are to be asked for instead.
pub trait Directory {
    /// What is known of the user of this name, as it stands between the quotes of the credentials; `None` when there is none.
    fn user(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>>;

    /// Whether what is known of this user lies elsewhere: the application is asked by [`Event::Credentials`] instead.
    fn asks(&self, realm: &[u8], user: &[u8]) -> bool {
        let _ = (realm, user);
        false
    }

    /// The contacts that a caller of this URI is told with a 302; none when it is treated as any other. See
    /// [`redirect::find`](crate::redirect::find).
    fn redirect(&self, uri: &Uri<'_>) -> &[Target<'_>] {
        let _ = uri;
        &[]
    }
}

/// A table of users is a directory without rules.
impl<U: Users> Directory for U {
    fn user(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        self.find(realm, user)
    }
}

/// A server for a domain. The four parts of its memory are the proxy's `P`, the registrar's `R` and the guard's `G`, and its users `U`.
///
/// It is created all zero by a `const fn`, so that a static one lies in .bss but for its users, and works after [`start`](Self::start).
#[derive(Debug)]
pub struct Server<P, R, G, U> {
    proxy: Proxy<P>,
    bindings: R,
    nonces: G,
    users: U,
    registrar: Registrar,
    guard: Guard,
    settings: Settings,
}

/// A server over memories of fixed size: transactions, response contexts, branches, octets of messages; bindings, octets of their
/// texts; nonces, lock-outs; and its users.
pub type Fixed<
    const TRANSACTIONS: usize,
    const CONTEXTS: usize,
    const BRANCHES: usize,
    const OCTETS: usize,
    const BINDINGS: usize,
    const TEXTS: usize,
    const NONCES: usize,
    const LOCKS: usize,
    U,
> = Server<
    proxy::Arrays<TRANSACTIONS, CONTEXTS, BRANCHES, OCTETS>,
    registrar::Arrays<BINDINGS, TEXTS>,
    guard::Arrays<NONCES, LOCKS>,
    U,
>;

impl<
    const TRANSACTIONS: usize,
    const CONTEXTS: usize,
    const BRANCHES: usize,
    const OCTETS: usize,
    const BINDINGS: usize,
    const TEXTS: usize,
    const NONCES: usize,
    const LOCKS: usize,
    U,
> Fixed<TRANSACTIONS, CONTEXTS, BRANCHES, OCTETS, BINDINGS, TEXTS, NONCES, LOCKS, U>
{
    /// A server over memories of fixed size, before its start.
    #[must_use]
    pub const fn new_fixed(users: U) -> Self {
        Self::new(proxy::Arrays::new(), registrar::Arrays::new(), guard::Arrays::new(), users)
    }
}

impl<P, R, G, U> Server<P, R, G, U> {
    /// A server before its start.
    #[must_use]
    pub const fn new(proxy: P, bindings: R, nonces: G, users: U) -> Self
    where
        P: proxy::Memory,
    {
        Self {
            proxy: Proxy::new(proxy),
            bindings,
            nonces,
            users,
            registrar: Registrar::ZERO,
            guard: Guard::ZERO,
            settings: Settings::ZERO,
        }
    }

    /// Its users, to be changed.
    pub const fn users_mut(&mut self) -> &mut U {
        &mut self.users
    }
}

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory, U: Directory> Server<P, R, G, U> {
    /// Checks and keeps the configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the field that can't be used; [`ConfigError::Capacity`] says that the memory is too small; a second
    /// start is [`ConfigError::AlreadyStarted`].
    pub fn start(&mut self, now: Instant, config: &Config<'_>, seed: Seed) -> Result<(), ConfigError> {
        // Each part draws from a seed of its own.
        let mut random = Random::new(seed);
        let mut seeds = [[0; 16]; 2];
        for half in seeds.as_flattened_mut().as_chunks_mut::<8>().0 {
            *half = random.bits().to_le_bytes();
        }
        let [proxy, guard] = seeds;
        // What shows that a Route was written here has a key of its own (RFC 5626 §5.2).
        let key = mac_key(config.guard.secret, b"flow");
        let mut proxy_config = config.proxy_config();
        if proxy_config.secret.is_empty() {
            proxy_config.secret = &key;
        }
        self.proxy.start(&proxy_config, proxy)?;
        let (_, octets) = self.bindings.parts();
        self.settings = Settings::keep(config, octets)?;
        self.registrar.start(random.hash_key(), config.guard.epoch, config.policy);
        self.guard.start(now, &config.guard, guard);
        Ok(())
    }

    /// Its proxy: for what is asked of a request that was [forwarded](Event::Forwarded), such as its branches.
    #[must_use]
    pub const fn proxy(&self) -> &Proxy<P> {
        &self.proxy
    }

    /// The same, to [end](Proxy::cancel) or [widen](Proxy::add_targets) a search.
    pub const fn proxy_mut(&mut self) -> &mut Proxy<P> {
        &mut self.proxy
    }

    /// Who is registered.
    #[must_use]
    pub fn bindings(&self) -> BindingsRef<'_, R::Octets> {
        let (table, octets) = self.bindings.view();
        BindingsRef::new(&self.registrar, table, octets)
    }

    /// A binding; `None` when it is over and that was told.
    #[must_use]
    pub fn binding(&self, id: BindingId) -> Option<BindingInfo<'_>> {
        self.bindings().info(id)
    }

    /// Takes a binding away, whatever its client says.
    pub fn remove_binding(&mut self, id: BindingId) {
        self.registrar().remove(id);
    }

    /// The realm whose users speak for a URI: that of its domain, which is the configured one for the first domain.
    #[must_use]
    pub fn realm_of(&self, uri: &Uri<'_>) -> &[u8] {
        self.settings.texts(self.bindings.view().1).realm_of(Some(uri))
    }

    /// Takes up the record of an address of record, as [`write_record`](BindingsRef::write_record) wrote it: see
    /// [`Bindings::load`]. The nonces by which its bindings were made are good for their next count.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub fn load(&mut self, now: Instant, record: &[u8]) -> Result<usize, LoadError> {
        let taken = self.registrar().load(now, record)?;
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let aor = registrar::record_aor(record).and_then(|aor| Uri::parse(aor).ok());
        let realm = self.settings.texts(octets).realm_of(aor.as_ref());
        let Some(aor) = aor.as_ref().and_then(registrar::Aor::of) else { return Ok(taken) };
        for binding in view.find(&aor).into_iter().filter_map(|id| view.info(id)) {
            self.guard.restore(now, &mut self.nonces.parts(), realm, aor.user(), binding.order);
        }
        Ok(taken)
    }

    /// Answers [`Event::Credentials`] with what is known of the user, `None` when there is none. `message` is the request: the one
    /// that was received, or, later, one that was parsed from a copy of its [octets](Proxy::request_bytes). Gives the event that
    /// this causes.
    ///
    /// # Errors
    /// [`Error::Gone`] when the request has been answered or cancelled.
    pub fn credentials(
        &mut self,
        now: Instant,
        request: Request,
        message: &Message<'_>,
        secrets: Option<&Secrets<'_>>,
    ) -> Result<Option<Event>, Error> {
        let flow = self.proxy.source(request).ok_or(Error::Gone)?;
        let why = self.proxy.why(request).ok_or(Error::Gone)?;
        Ok(self.route(&route::Asked { now, flow, message, request, why, secrets: Some(secrets) }))
    }

    fn registrar(&mut self) -> Bindings<'_, R::Octets> {
        let (table, octets) = self.bindings.parts();
        Bindings::new(&mut self.registrar, table, octets)
    }

    /// What the proxy tells, as the server's application is told it.
    fn told(event: proxy::Event) -> Event {
        match event {
            proxy::Event::Finished { request, status } => Event::Finished { request, status },
            other => Event::Proxy(other),
        }
    }
}

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory, U: Directory> Role for Server<P, R, G, U> {
    type Event = Event;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Event> {
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let (texts, users, relay) = (self.settings.texts(octets), &self.users, self.settings.relay);
        let lookup = |uri: &Uri<'_>, own: bool, give: &mut dyn FnMut(&Target<'_>)| {
            route::look_up((view, &texts), users, relay, (uri, own), give)
        };
        match self.proxy.receive_with(now, flow, message, Some(&lookup)) {
            Received::Event(proxy::Event::Request { request, why }) => {
                let asked = route::Asked { now, flow, message, request, why, secrets: None };
                self.route(&asked).map_or(Received::Nothing, Received::Event)
            }
            other => other.map(Self::told),
        }
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        self.proxy.receive_malformed(now, flow, failure);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.proxy.handle_timeout(now);
        self.registrar().handle_timeout(now);
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        self.proxy.flow_connected(now, ticket, flow);
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, error: FlowError) {
        self.proxy.connect_failed(now, ticket, error);
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        self.proxy.flow_failed(now, flow, error);
        if !error.spares_flow() {
            self.registrar().flow_failed(flow);
        }
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        self.proxy.flow_writable(now, flow);
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Address]) {
        self.proxy.resolved(now, ticket, targets);
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Event>> {
        if let Some(event) = self.registrar().poll_event() {
            return Some(Action::Event(Event::Binding(event)));
        }
        self.proxy.poll_action(now).map(|action| action.map(Self::told))
    }

    fn defer(&mut self, id: SendId) {
        self.proxy.defer(id);
    }

    fn hold(&mut self, id: SendId) {
        self.proxy.hold(id);
    }

    fn resume(&mut self, id: SendId) {
        self.proxy.resume(id);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.proxy.poll_timeout(), self.bindings().poll_timeout()].into_iter().flatten().min()
    }

    fn keeps(&self, flow: Flow) -> bool {
        self.bindings().hangs_on(flow) || self.proxy.keeps(flow)
    }

    #[cfg(feature = "fingerprint")]
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        self.proxy.fingerprint(now, hasher);
        self.bindings().fingerprint(now, hasher);
    }
}

/// Names a request of a server: as its proxy does.
pub type RequestId = Request;
