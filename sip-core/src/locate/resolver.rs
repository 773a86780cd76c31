//! Look-ups by asking name servers (RFC 1035, RFC 3263): which server, how often, by what, and what is known already.
//!
//! ```text
//!          question              sent                    answer
//!   Idle ───────────> Wanted ───────────> Waiting ─────────────────────> Idle, the look-up goes on
//!    │                  ^                    │ truncated: again over TCP
//!    │                  └────────────────────┤ FORMERR: again without EDNS (RFC 6891 §7)
//!    │ another asks                          │ silence, failure, unreadable: the next server, later and later
//!    └───────────> Following                 └ the last try: no answer
//! ```
//!
//! | state | input | action |
//! |---|---|---|
//! | Wanted | [`poll_action`](Resolver::poll_action) | a query with a new random id |
//! | Waiting | an answer of another id or question | none: it may be forged, and the real one may come (RFC 5452) |
//! | Waiting | no error, or no such name | it is kept in the cache, and given to all that ask for the same |
//! | Following | | the same question is asked once: two at a time are easier to forge an answer to (RFC 5452 §5) |
//!
//! Its storage is the caller's: arrays in firmware, vectors on a host. [`Lookup`]s and cache are slices, and all zero is none.

use super::lookup::{Lookup, Outcome};
use super::reach::Reach;
use crate::dns::{self, Answer, Cache, Code, Domain, Kind, Mismatch};
use crate::random::{Random, Seed};
use crate::time::{Duration, Instant};
use crate::transport::{Address, Target, Ticket, Transport};

/// Name servers that are asked at most.
pub const SERVERS: usize = 3;
/// What an answer may take at first, over datagrams; it doubles with each round of all servers, up to four times that.
const PATIENCE: Duration = Duration::from_secs(1);
/// What one over a connection may take.
const TCP_PATIENCE: Duration = Duration::from_secs(4);
/// Tries of one question: four with one server, two more with each further one.
const TRIES: u8 = 2;

/// A look-up and the question that it waits for. All zero is none.
#[derive(Clone, Debug)]
pub struct Slot {
    lookup: Lookup,
    ticket: Ticket,
    state: State,
    id: u16,
    server: u8,
    tries: u8,
    /// By connection, because the answer is too long for a datagram.
    tcp: bool,
    /// Without EDNS, because the server does not know it.
    plain: bool,
    deadline: Instant,
}

/// Names as in the figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Wanted,
    Waiting,
    Following,
}

impl Slot {
    /// No look-up.
    pub const NONE: Self = Self {
        lookup: Lookup::NONE,
        ticket: Ticket::new(0),
        state: State::Idle,
        id: 0,
        server: 0,
        tries: 0,
        tcp: false,
        plain: false,
        deadline: Instant::ZERO,
    };

    fn question(&self) -> Option<(Domain, Kind)> {
        let (name, kind) = self.lookup.question()?;
        Some((Domain::of(name), kind))
    }

    fn asks(&self, question: &(Domain, Kind)) -> bool {
        self.lookup.question().is_some_and(|(name, kind)| kind == question.1 && name == question.0.name())
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::NONE
    }
}

/// A query that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// The first two octets of the answer.
    pub id: u16,
    /// Where to.
    pub server: Address,
    /// Over a connection, behind two octets with the length (RFC 1035 §4.2.2); else from a new port (RFC 5452 §9.2).
    pub tcp: bool,
    /// The query.
    pub bytes: &'a [u8],
}

/// A look-up that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// Whose it is.
    pub ticket: Ticket,
    /// How it ended.
    pub outcome: Outcome,
    /// The targets, best first: for [`Role::resolved`](crate::role::Role::resolved).
    pub targets: &'a [Target],
}

/// There is no room for one more look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

/// Look-ups in slots of any number, with a cache of any size.
///
/// After each input drain [`poll_action`](Self::poll_action), then [`poll_answer`](Self::poll_answer), and sleep until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Resolver<S, C> {
    slots: S,
    /// Slots in use.
    busy: usize,
    cache: Cache<C>,
    random: Random,
    reach: Reach,
    tcp: bool,
    servers: [Address; SERVERS],
    query: [u8; dns::QUERY],
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]>, C: AsRef<[u8]> + AsMut<[u8]>> Resolver<S, C> {
    /// A resolver that knows no server. Its ids and choices come from the seed.
    pub fn new(slots: S, cache: C, seed: Seed) -> Self {
        let mut random = Random::new(seed);
        let cache = Cache::new(cache, random.hash_key());
        let servers = [Address::NONE; SERVERS];
        Self { slots, busy: 0, cache, random, reach: Reach::NONE, tcp: false, servers, query: [0; dns::QUERY] }
    }

    /// Asks these servers from now on, the first [`SERVERS`] of them, and forgets what others said.
    pub fn set_servers(&mut self, servers: &[Address]) {
        self.servers = [Address::NONE; SERVERS];
        for (place, server) in self.servers.iter_mut().zip(servers) {
            *place = *server;
        }
        self.cache.clear();
    }

    /// Whether any server is known.
    #[must_use]
    pub fn has_servers(&self) -> bool {
        self.servers.first().is_some_and(|server| !server.is_none())
    }

    /// What targets are wanted for, from the next look-up on.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Whether queries can be sent over connections. Without that an answer that was truncated is none at all.
    pub fn set_tcp(&mut self, tcp: bool) {
        self.tcp = tcp;
    }

    /// Begins a look-up: what [`Action::Resolve`](crate::role::Action::Resolve) says.
    ///
    /// # Errors
    /// [`Full`], when no slot is free.
    pub fn start(
        &mut self,
        now: Instant,
        ticket: Ticket,
        (host, port): (&[u8], Option<u16>),
        (transport, secure): (Transport, bool),
    ) -> Result<(), Full> {
        let reach = self.reach;
        let free = self.slots.as_mut().iter_mut().enumerate().find(|(_, slot)| slot.lookup.is_none());
        let (index, slot) = free.ok_or(Full)?;
        (slot.ticket, slot.state) = (ticket, State::Idle);
        slot.lookup.start(reach, host, port, transport, secure);
        self.busy = self.busy.saturating_add(1);
        self.go_on(now, index);
        Ok(())
    }

    /// The next query to send. It takes the place of an earlier one whose id is [no longer waited for](Self::waits_for).
    #[must_use]
    pub fn poll_action(&mut self, now: Instant) -> Option<Query<'_>> {
        if self.busy == 0 {
            return None;
        }
        let index = self.slots.as_ref().iter().position(|slot| slot.state == State::Wanted)?;
        let id = self.fresh_id();
        let servers = self.count();
        let slot = self.slots.as_mut().get_mut(index)?;
        let round = slot.tries.checked_div(servers).unwrap_or_default();
        let patience = match round {
            _ if slot.tcp => TCP_PATIENCE,
            0 => PATIENCE,
            1 => PATIENCE.times(2),
            _ => PATIENCE.times(4),
        };
        (slot.state, slot.id, slot.deadline) = (State::Waiting, id, now.after(patience));
        let server = self.servers.get(usize::from(slot.server)).copied().unwrap_or_default();
        let (tcp, plain) = (slot.tcp, slot.plain);
        let (name, kind) = slot.lookup.question()?;
        Some(Query { id, server, tcp, bytes: dns::write(&mut self.query, id, name, kind, !plain) })
    }

    /// Whether the answer with this id is still waited for.
    #[must_use]
    pub fn waits_for(&self, id: u16) -> bool {
        self.waiting(id).is_some()
    }

    /// Takes a message of a name server. The caller has seen that it came from the server that was asked with its id.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let Some((id, index)) = Answer::id(bytes).and_then(|id| Some((id, self.waiting(id)?))) else { return };
        let Some(slot) = self.slots.as_mut().get_mut(index) else { return };
        let Some(question) = slot.question() else { return };
        let answer = match Answer::parse(bytes, id, question.0.name(), question.1) {
            Ok(answer) => answer,
            Err(Mismatch::Foreign) => return,
            Err(Mismatch::Broken) => return self.try_next(now, index, None),
        };
        match answer.code() {
            Code::FormatError if !slot.plain => (slot.plain, slot.state) = (true, State::Wanted),
            Code::NoError | Code::NoName if answer.is_truncated() => {
                if slot.tcp || !self.tcp {
                    self.try_next(now, index, None);
                } else {
                    (slot.tcp, slot.state) = (true, State::Wanted);
                }
            }
            Code::NoError | Code::NoName => {
                self.cache.put(now, question.0.name(), question.1, &answer);
                self.tell(now, &question, Some(&answer));
            }
            Code::FormatError | Code::Failure => self.try_next(now, index, Some(&answer)),
        }
    }

    /// The query with this id could not be sent, its server is not there, or its connection ended without an answer.
    pub fn server_failed(&mut self, now: Instant, id: u16) {
        if let Some(index) = self.waiting(id) {
            self.try_next(now, index, None);
        }
    }

    /// Takes the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.busy == 0 {
            return;
        }
        for index in 0..self.slots.as_ref().len() {
            let slot = self.slots.as_ref().get(index);
            if slot.is_some_and(|slot| slot.state == State::Waiting && slot.deadline <= now) {
                self.try_next(now, index, None);
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.busy == 0 {
            return None;
        }
        let waiting = self.slots.as_ref().iter().filter(|slot| slot.state == State::Waiting);
        waiting.map(|slot| slot.deadline).min()
    }

    /// The next look-up that is over; its slot is free then.
    #[must_use]
    pub fn poll_answer(&mut self) -> Option<Resolved<'_>> {
        if self.busy == 0 {
            return None;
        }
        let over = |slot: &&mut Slot| slot.lookup.outcome().is_some();
        let slot = self.slots.as_mut().iter_mut().find(over)?;
        let outcome = slot.lookup.outcome()?;
        slot.lookup.clear();
        self.busy = self.busy.saturating_sub(1);
        Some(Resolved { ticket: slot.ticket, outcome, targets: slot.lookup.targets() })
    }

    /// Look-ups under way.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.busy
    }

    /// Whether nothing is under way.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.busy == 0
    }

    fn count(&self) -> u8 {
        self.servers.iter().filter(|server| !server.is_none()).count() as u8
    }

    fn waiting(&self, id: u16) -> Option<usize> {
        self.slots.as_ref().iter().position(|slot| slot.state == State::Waiting && slot.id == id)
    }

    /// An id that no query under way has.
    fn fresh_id(&mut self) -> u16 {
        loop {
            let id = self.random.bits() as u16;
            // There are not as many slots as ids; where there are, some other query waits in vain.
            if !self.waits_for(id) || self.busy > usize::from(u16::MAX) {
                return id;
            }
        }
    }

    /// Takes the answers that are known, and has the next question asked.
    fn go_on(&mut self, now: Instant, index: usize) {
        let (known, random) = (self.has_servers(), &mut self.random);
        loop {
            let Some(slot) = self.slots.as_mut().get_mut(index) else { return };
            slot.state = State::Idle;
            let Some(question) = slot.question() else { return };
            if let Some(answer) = self.cache.get(now, question.0.name(), question.1) {
                slot.lookup.answer(&answer, random.bits());
                continue;
            }
            if !known {
                slot.lookup.fail();
                continue;
            }
            (slot.server, slot.tries, slot.tcp, slot.plain) = (0, 0, false, false);
            let mut asked = self.slots.as_ref().iter().filter(|slot| slot.asks(&question));
            let asked = asked.any(|slot| matches!(slot.state, State::Wanted | State::Waiting));
            if let Some(slot) = self.slots.as_mut().get_mut(index) {
                slot.state = if asked { State::Following } else { State::Wanted };
            }
            return;
        }
    }

    /// Asks the next server, or gives up: with what the last one said, if it said anything.
    fn try_next(&mut self, now: Instant, index: usize, said: Option<&Answer<'_>>) {
        let servers = self.count();
        let Some(slot) = self.slots.as_mut().get_mut(index) else { return };
        slot.tries = slot.tries.saturating_add(1);
        if slot.tries >= TRIES.saturating_add(servers.saturating_mul(2)) || servers == 0 {
            if let Some(question) = slot.question() {
                self.tell(now, &question, said);
            }
            return;
        }
        slot.server = slot.server.checked_add(1).filter(|next| *next < servers).unwrap_or_default();
        (slot.tcp, slot.plain, slot.state) = (false, false, State::Wanted);
    }

    /// Gives the answer to all that asked for it.
    fn tell(&mut self, now: Instant, question: &(Domain, Kind), answer: Option<&Answer<'_>>) {
        for index in 0..self.slots.as_ref().len() {
            let Some(slot) = self.slots.as_mut().get_mut(index) else { return };
            if slot.state == State::Idle || !slot.asks(question) {
                continue;
            }
            match answer {
                Some(answer) => slot.lookup.answer(answer, self.random.bits()),
                None => slot.lookup.fail(),
            }
            self.go_on(now, index);
        }
    }
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
