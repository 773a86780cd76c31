//! A request comes in: whether it can be passed on, where it leads, and who decides that (RFC 3261 §16.3-16.5).

use super::config::Ask;
use super::entry::{Marks, Owner, ResponseContext, State};
use super::event::{Event, Request, Why};
use super::forward::{Goal, Original};
use super::loops;
use super::route::{Routing, makes_dialog};
use super::work::Work;
use crate::error::Capacity;
use crate::memory::{Block, Handle, Octets};
use crate::message::option_tags::unsupported;
use crate::message::{HeaderName, Message, Method, Scheme};
use crate::role::Received;
use crate::transaction::{NewServer, ServerMatch, TransactionId};

impl<O: Octets> Work<'_, O> {
    /// A request.
    pub(super) fn receive_request(&mut self, request: &Message<'_>) -> Received<Event> {
        // What comes by two ways is no fault: it may be a spiral, or two branches of a fork before this proxy.
        match self.transactions.match_request(self.now, request) {
            ServerMatch::Absorbed(_) => return Received::Nothing,
            ServerMatch::New(new) | ServerMatch::Merged(new) => self.new = new,
            // It goes the way of any other ACK to a 2xx.
            ServerMatch::Ack2xx(..) => {}
        }
        let is_ack = request.method() == Method::Ack;
        if is_ack && request.to_tag() == Some(self.new.stateless_tag().as_bytes()) {
            // The ACK to a refusal that was given without a transaction, or whose transaction is over.
            return Received::Nothing;
        }
        if request.method() == Method::Cancel {
            return self.receive_cancel(request);
        }
        let loop_hash = loops::hash(request);
        let routing = match self.check(request, loop_hash) {
            Ok(routing) => routing,
            Err(status) => {
                if !is_ack {
                    self.reply(request, status, &[]);
                }
                return Received::Nothing;
            }
        };
        let why = self.question(request, &routing);
        if why.is_none() && (is_ack || self.core.settings.stateless || routing.is_astray(request, self.source)) {
            if !self.pass(request, &routing, loop_hash) && !is_ack {
                self.reply(request, 503, &[]);
            }
            return Received::Nothing;
        }
        match self.open(request, &routing, why, loop_hash) {
            Ok(context) => match why {
                Some(why) => Received::Event(Event::Request { request: Request(context), why }),
                None => {
                    self.forward_itself(context, request, &routing, loop_hash);
                    Received::Nothing
                }
            },
            Err(_) => {
                self.refuse_for_room(request, &routing, why, loop_hash);
                Received::Nothing
            }
        }
    }

    /// Sends a request of a context where it leads.
    fn forward_itself(&mut self, context: Handle, request: &Message<'_>, routing: &Routing<'_>, loop_hash: u64) {
        match self.start_branch(context, Original::Routed(request, routing), Goal::Itself, u16::MAX) {
            Ok(_) => {}
            Err(503) => {
                self.drop_context(context);
                self.refuse_for_room(request, routing, None, loop_hash);
            }
            Err(status) => {
                self.fail_target(context, status);
                self.advance(context);
            }
        }
    }

    /// Whether a request can be passed on (§16.3), and where it leads (§16.4); the status to refuse it with when it can't.
    pub(super) fn check<'m>(&self, request: &Message<'m>, loop_hash: u64) -> Result<Routing<'m>, u16> {
        let routing = Routing::of(&self.core.settings, self.texts(), request)?;
        match routing.uri.scheme() {
            // Where a number is, a Route says, or the application, which knows a gateway.
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
            Scheme::Other(_) if routing.next.is_some() => {}
            Scheme::Other(_) => return Err(416),
        }
        match request.max_forwards() {
            Some(Ok(0)) => return Err(483),
            Some(Err(_)) => return Err(400),
            Some(Ok(_)) | None => {}
        }
        if self.is_loop(request, loop_hash) {
            return Err(482);
        }
        if loops::max_breadth(request) == 0 {
            return Err(440);
        }
        if request.header(HeaderName::ProxyRequire).is_some()
            && unsupported(request.proxy_require(), self.core.settings.supported(self.texts())).next().is_some()
        {
            return Err(420);
        }
        Ok(routing)
    }

    /// Asks the application where a request goes.
    pub(super) fn ask(&mut self, request: &Message<'_>, routing: &Routing<'_>, loop_hash: u64) -> Received<Event> {
        match self.open(request, routing, Some(Why::Own), loop_hash) {
            Ok(context) => Received::Event(Event::Request { request: Request(context), why: Why::Own }),
            Err(_) => {
                self.refuse_for_room(request, routing, Some(Why::Own), loop_hash);
                Received::Nothing
            }
        }
    }

    /// Why the application is to be asked where a request goes; `None` when it goes where it leads.
    fn question(&self, request: &Message<'_>, routing: &Routing<'_>) -> Option<Why> {
        if routing.flow(request).is_some() {
            return None;
        }
        // Where a Route leads elsewhere first, it is not to be looked up here (§16.6 step 6): it passes, if it may. Otherwise a
        // stranger's Route would have a request to one of our users sent wherever he likes.
        let own = routing.next.is_none() && (routing.own.is_some() || !routing.uri.is_sip());
        if own {
            return Some(Why::Own);
        }
        (!self.may_pass(request, routing)).then_some(Why::Passing)
    }

    /// Whether a request goes on without a question. Inside a dialog that means one in which this proxy has stayed: the Route that it
    /// wrote then is there. A To tag and a Route of one's own making are what any stranger can write.
    pub(super) fn may_pass(&self, request: &Message<'_>, routing: &Routing<'_>) -> bool {
        self.core.settings.ask == Ask::Own || routing.is_inside(request, self.source) || routing.flow(request).is_some()
    }

    /// Makes a response context, and keeps the request when it may be needed later.
    fn open(
        &mut self,
        request: &Message<'_>,
        routing: &Routing<'_>,
        why: Option<Why>,
        loop_hash: u64,
    ) -> Result<Handle, Capacity> {
        let is_ack = request.method() == Method::Ack;
        if self.branches.free() == 0 && !is_ack {
            return Err(Capacity::Branches);
        }
        let context = self.contexts.insert().ok_or(Capacity::Contexts)?;
        match self.open_server(request, context, why.is_some(), is_ack) {
            Ok((server, block)) => {
                let deadline = self.now.after(self.core.settings.timers.sixty_four_t1());
                let marks = Marks::default()
                    .with(Marks::INVITE, request.method() == Method::Invite)
                    .with(Marks::SECURE, routing.is_secure())
                    .with(Marks::RECORD, self.core.settings.record_route && makes_dialog(request))
                    .with(Marks::FLOW, why.is_none() && routing.flow(request).is_some())
                    .with(Marks::OWN, why == Some(Why::Own))
                    .with(Marks::ASKED, why.is_some());
                if let Some(entry) = self.contexts.get_mut(context) {
                    *entry = ResponseContext {
                        server,
                        source: self.source,
                        request: block,
                        loop_hash,
                        deadline,
                        marks,
                        breadth: if is_in_dialog(request, routing) { 0 } else { loops::max_breadth(request) },
                        state: if why.is_some() { State::Asked } else { State::Searching },
                        ..ResponseContext::ZERO
                    };
                }
                if why.is_some() {
                    self.contexts.set_timer(context, Some(deadline));
                }
                Ok(context)
            }
            Err(capacity) => {
                self.contexts.remove(context);
                Err(capacity)
            }
        }
    }

    /// The server transaction of a request, and the request as it came, when it is to be kept.
    fn open_server(
        &mut self,
        request: &Message<'_>,
        context: Handle,
        keep: bool,
        is_ack: bool,
    ) -> Result<(TransactionId, Block), Capacity> {
        let mut block = Block::NONE;
        if keep {
            let bytes = request.bytes();
            let written = self.transactions.octets.write(bytes.len(), false, |_, writer| writer.raw(bytes));
            block = written.map_err(|_| Capacity::octets(bytes.len()))?;
        }
        if is_ack {
            return Ok((TransactionId::NONE, block));
        }
        let tag = self.new.stateless_tag();
        let new = NewServer {
            new: self.new,
            source: self.source,
            to_tag: tag.as_bytes(),
            user: Owner::Context(context).user(),
            reserved: false,
        };
        match self.transactions.server(self.now, request, new) {
            Ok(server) => Ok((server, block)),
            Err(capacity) => {
                self.transactions.octets.release(block);
                Err(capacity)
            }
        }
    }

    /// Gives back all that was made for a request, which is answered without.
    fn drop_context(&mut self, context: Handle) {
        let server = self.contexts.get(context).map_or(TransactionId::NONE, |entry| entry.server);
        self.transactions.abandon(server);
        self.end(context, 503);
        self.release(context);
    }

    /// There is no room for a response context: what is in a dialog goes on without one, so that calls can be ended; what would
    /// make one is refused.
    fn refuse_for_room(&mut self, request: &Message<'_>, routing: &Routing<'_>, why: Option<Why>, loop_hash: u64) {
        let passes = request.to_tag().is_some()
            && match why {
                None => {
                    self.pass(request, routing, loop_hash);
                    true
                }
                Some(Why::Own) => self.pass_to_user(request, routing, loop_hash),
                Some(Why::Passing) => false,
            };
        let statistics = &mut self.core.statistics;
        if passes {
            statistics.stateless = statistics.stateless.saturating_add(1);
        } else {
            statistics.refused = statistics.refused.saturating_add(1);
            if request.method() != Method::Ack {
                self.reply(request, 503, &[]);
            }
        }
    }
}

impl<O: Octets> Work<'_, O> {
    /// Passes on what comes in a dialog for a user of this proxy, as far as it is at hand where that user is: to the first of his
    /// targets, without a transaction. Whether there was one.
    ///
    /// There is no room to ask who its sender is. So what could begin a dialog as well needs the Route of this proxy that it has written for
    /// this one.
    fn pass_to_user(&mut self, request: &Message<'_>, routing: &Routing<'_>, loop_hash: u64) -> bool {
        let Some(lookup) = self.lookup.filter(|_| routing.is_of_dialog(request)) else { return false };
        let (source, original) = (self.source, Original::Routed(request, routing));
        let (mut found, mut passed) = (false, false);
        lookup(&routing.uri, true, &mut |target| {
            if !core::mem::replace(&mut found, true) {
                passed = self.pass_on(original, Goal::Target(target), source, loop_hash);
            }
        });
        passed
    }
}

/// Whether a request comes in a dialog by a Route of this proxy, where nothing forks.
fn is_in_dialog(request: &Message<'_>, routing: &Routing<'_>) -> bool {
    request.to_tag().is_some() && (routing.popped > 0 || routing.from_route)
}
