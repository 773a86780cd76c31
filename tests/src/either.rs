//! Two kinds of roles in one world: a proxy between user agents, say.

use core::hash::Hasher;
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target, Ticket};

/// A node of one of two kinds, or an event of one; three kinds are an `Either<A, Either<B, C>>`.
///
/// ```
/// use sip_core::ua::{Arrays, UserAgent};
/// use sip_testkit::{Config, Either, World};
///
/// # fn example<Proxy: sip_core::role::Role<Event: core::fmt::Debug>>(proxy: Proxy, phone: UserAgent<Arrays<16, 4, 2, 1, 8192>>) {
/// # let address = |text: &str| text.parse::<core::net::SocketAddr>().unwrap().into();
/// let mut world = World::new(Config::new(1), ());
/// let proxy = world.add("proxy", address("192.0.2.5:5060"), Either::First(proxy));
/// let alice = world.add("alice", address("192.0.2.1:5060"), Either::Second(phone));
/// world.act(alice, |role, now| role.second().register(now, "sip:192.0.2.5", "sip:alice@example.com", 3600)).unwrap();
/// # let _ = proxy;
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Either<A, B> {
    /// Of the first kind.
    First(A),
    /// Of the second kind.
    Second(B),
}

impl<A, B> Either<A, B> {
    /// That of the first kind.
    ///
    /// # Panics
    /// When it is of the second.
    pub fn first(&mut self) -> &mut A {
        match self {
            Self::First(first) => first,
            Self::Second(_) => panic!("a node of the second kind"),
        }
    }

    /// That of the second kind.
    ///
    /// # Panics
    /// When it is of the first.
    pub fn second(&mut self) -> &mut B {
        match self {
            Self::First(_) => panic!("a node of the first kind"),
            Self::Second(second) => second,
        }
    }
}

/// The same call on whichever it is.
macro_rules! on_both {
    ($self:ident, $role:ident => $call:expr) => {
        match $self {
            Either::First($role) => $call,
            Either::Second($role) => $call,
        }
    };
}

impl<A: Role, B: Role> Role for Either<A, B> {
    type Event = Either<A::Event, B::Event>;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Self::Event> {
        match self {
            Self::First(role) => role.receive(now, flow, message).map(Either::First),
            Self::Second(role) => role.receive(now, flow, message).map(Either::Second),
        }
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Self::Event>> {
        match self {
            Self::First(role) => role.poll_action(now).map(|action| action.map(Either::First)),
            Self::Second(role) => role.poll_action(now).map(|action| action.map(Either::Second)),
        }
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        on_both!(self, role => role.receive_malformed(now, flow, failure));
    }

    fn handle_timeout(&mut self, now: Instant) {
        on_both!(self, role => role.handle_timeout(now));
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        on_both!(self, role => role.flow_connected(now, ticket, flow));
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, error: FlowError) {
        on_both!(self, role => role.connect_failed(now, ticket, error));
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        on_both!(self, role => role.flow_failed(now, flow, error));
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        on_both!(self, role => role.flow_writable(now, flow));
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Target]) {
        on_both!(self, role => role.resolved(now, ticket, targets));
    }

    fn defer(&mut self, id: SendId) {
        on_both!(self, role => role.defer(id));
    }

    fn hold(&mut self, id: SendId) {
        on_both!(self, role => role.hold(id));
    }

    fn resume(&mut self, id: SendId) {
        on_both!(self, role => role.resume(id));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        on_both!(self, role => role.poll_timeout())
    }

    fn keeps(&self, flow: Flow) -> bool {
        on_both!(self, role => role.keeps(flow))
    }

    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        on_both!(self, role => role.fingerprint(now, hasher));
    }
}
