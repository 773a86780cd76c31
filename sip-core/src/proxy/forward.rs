//! A request goes out: to a target in a transaction of its own, or once without one (RFC 3261 §16.6).

use super::config::{Ask, Settings};
use super::entry::{BranchEntry, Marks, Owner};
use super::event::Target;
use super::kept_target::target_at;
use super::loops::{self, BranchText};
use super::machine;
use super::route::{Hop, LONGEST_STRIPPED, RecordRoute, Routing, makes_dialog, strip_maddr};
use super::token::{Side, Token};
use super::work::Work;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::scan::{alike, elements};
use crate::message::{ForwardRequest, Kept, Message, Method, NameAddr, Uri, Writer};
use crate::transaction::{Branch, NewClient, NewOnce, TransactionId, first_via};
use crate::transport::{Flow, Transport};

/// The most Route values that a target can have.
const MAX_ROUTE: usize = 8;

/// The longest method name of a request that was kept.
const LONGEST_METHOD: usize = 64;

/// A request as it was received.
#[derive(Clone, Copy)]
pub(super) enum Original<'m> {
    /// It is at hand.
    Message(&'m Message<'m>),
    /// The same, and what it says of its way was read.
    Routed(&'m Message<'m>, &'m Routing<'m>),
    /// It was kept.
    Kept(Block),
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(super) enum Goal<'t> {
    /// Where it leads by itself.
    Itself,
    /// To a target.
    Target(&'t Target<'t>),
    /// To the target that is kept in a block, from there on.
    Kept(Block, usize),
}

impl<'t> Goal<'t> {
    /// The target; `None` for where the request leads by itself. The status to fail with when there is none.
    fn read<'k>(self, kept: &'k impl KeptBlocks) -> Result<Option<Target<'k>>, u16>
    where
        't: 'k,
    {
        match self {
            Self::Itself => Ok(None),
            Self::Target(target) => Ok(Some(*target)),
            Self::Kept(block, at) => Ok(Some(target_at(kept.get(block), at).ok_or(500_u16)?.target)),
        }
    }
}

/// What changes in a request that goes out.
struct Edit<'e> {
    settings: &'e Settings,
    source: Flow,
    /// The head of the responses to the request, whose topmost Via says where it came from; none of one that has no transaction.
    head: Block,
    branch: &'e [u8],
    record: bool,
    /// Max-Breadth; zero leaves it as it is.
    breadth: u16,
}

/// The URIs of the Route values that `value` lists, and how many there are; the status to fail with.
fn routes_of(value: &[u8]) -> Result<([&[u8]; MAX_ROUTE], usize), u16> {
    let mut uris = [&b""[..]; MAX_ROUTE];
    let mut count = 0_usize;
    if value.is_empty() {
        return Ok((uris, count));
    }
    for route in elements(value).filter(|route| !route.is_empty()) {
        let place = uris.get_mut(count).ok_or(500_u16)?;
        *place = NameAddr::parse(route).map_err(|_| 500_u16)?.raw_uri();
        count = count.saturating_add(1);
    }
    Ok((uris, count))
}

/// A strict router is next: its URI takes the place of the Request-URI, which goes to the end of Route (§16.6 step 6).
fn by_strict_router<'a>(
    forward: ForwardRequest<'a>,
    router: &'a [u8],
    uri: &'a [u8],
    (popped, pushed): (usize, &'a [&'a [u8]]),
) -> ForwardRequest<'a> {
    let forward = forward.request_uri(router).append_route(uri);
    match pushed.split_first() {
        Some((_, rest)) => forward.pop_route(popped).push_route(rest),
        None => forward.pop_route(popped.saturating_add(1)),
    }
}

/// Whether who registers can be reached by a Path.
fn supports_path(request: &Message<'_>) -> bool {
    request.supported().chain(request.require()).any(|tag| alike(tag, b"path"))
}

impl Edit<'_> {
    /// Writes a request as it goes out; where it goes. The status to fail with when it can't.
    fn write(
        &self,
        request: &Message<'_>,
        routing: &Routing<'_>,
        target: Option<&Target<'_>>,
        kept: &impl KeptBlocks,
        writer: &mut Writer<'_>,
    ) -> Result<Hop, u16> {
        let texts = kept.get(self.settings.block());
        let (pushed, pushes) = routes_of(target.map_or(b"", |target| target.route))?;
        let pushed = pushed.get(..pushes).unwrap_or_default();
        let mut room;
        let uri = match target {
            Some(target) => Uri::parse(target.uri).map_err(|_| 500_u16)?,
            None if routing.own_maddr => {
                room = [0; LONGEST_STRIPPED];
                Uri::parse(strip_maddr(&routing.uri, &mut room).ok_or(414_u16)?).map_err(|_| 400_u16)?
            }
            None => routing.uri,
        };
        let first = match pushed.first() {
            Some(first) => Some(Uri::parse(first).map_err(|_| 500_u16)?),
            None => routing.next,
        };
        let secure = routing.is_secure() || uri.is_sips();
        let own_flow = if target.is_none() { routing.flow(request) } else { None };
        // The side of a target that is reached by a flow of its own.
        let side = target.filter(|target| !target.flow.is_none()).map(|target| Side::of(target.flow, &uri));
        let hop = self.hop((target, side), own_flow, first.as_ref(), &uri, secure);
        if secure && !hop.transport.is_secure() {
            // Never over plain text (§26.2.2).
            return Err(480);
        }
        let mut forward = ForwardRequest::new(request)
            .received_from(self.source.remote)
            .top_row(first_via(kept.get(self.head)))
            .checked_via(hop.transport, self.settings.sent_by(texts, hop.listener), self.branch)
            .consume_credentials(self.settings.realm(texts, request))
            .content_length();
        if routing.from_route {
            forward = forward.drop_last_route();
        }
        if !self.settings.trust_asserted_identity {
            forward = forward.drop_asserted_identity();
        }
        if self.breadth > 0 {
            forward = forward.max_breadth(self.breadth);
        }
        let replaced = target.is_some() || routing.from_route || routing.own_maddr;
        let forward = match first.filter(|_| hop.strict) {
            Some(router) => by_strict_router(forward, router.raw(), uri.raw(), (routing.popped, pushed)),
            None if replaced => forward.request_uri(uri.raw()).pop_route(routing.popped).push_route(pushed),
            None => forward.pop_route(routing.popped).push_route(pushed),
        };
        let callee = || self.callee((target, side), own_flow, first.as_ref());
        self.write_recorded(request, forward, (&hop, callee, secure), texts, writer)?;
        Ok(hop)
    }

    /// Which way a request goes: to a target, over the flow of its own Route, or where its URIs lead.
    fn hop(
        &self,
        (target, side): (Option<&Target<'_>>, Option<Side>),
        own_flow: Option<Flow>,
        first: Option<&Uri<'_>>,
        uri: &Uri<'_>,
        secure: bool,
    ) -> Hop {
        if let Some(flow) = own_flow {
            return Hop { only: true, ..Hop::by(flow) };
        }
        let (Some(target), Some(side)) = (target, side) else {
            return Hop::new(self.settings, self.source, first, uri, secure);
        };
        // Who is not where his Contact says takes no connection at the address of his datagrams.
        let only = target.flow.transport == Transport::Udp && matches!(side, Side::Flow(_));
        Hop { strict: first.is_some_and(|route| !route.is_loose()), only, ..Hop::by(target.flow) }
    }

    /// The side of the dialog that a request begins on which it arrives.
    fn callee(
        &self,
        (target, side): (Option<&Target<'_>>, Option<Side>),
        own_flow: Option<Flow>,
        first: Option<&Uri<'_>>,
    ) -> Side {
        match (target, own_flow) {
            (_, Some(flow)) => Side::Flow(flow),
            (Some(target), None) if target.route.is_empty() => side.unwrap_or(Side::Anywhere),
            // By a Path its end is not known; where that begins is.
            (Some(_), None) => {
                first.map_or(Side::Anywhere, |first| Side::Router(self.settings.tokens.code_of_host(first)))
            }
            _ => Side::Anywhere,
        }
    }

    /// The token of the dialog that a request begins. It gives the right to be passed on, and leads over a flow: where everything is
    /// passed on, and no side is reached by a flow, it would say nothing, and there is none.
    fn token(&self, request: &Message<'_>, callee: Side) -> Option<Token> {
        let gives_right = self.settings.ask != Ask::Own;
        let is_flow = |side| matches!(side, Side::Flow(_));
        if !gives_right && !is_flow(callee) && Side::is_plain_host(request, self.source) {
            return None;
        }
        let caller = Side::of_caller(request, self.source);
        let is_needed = gives_right || is_flow(caller) || is_flow(callee);
        is_needed.then(|| self.settings.tokens.of_dialog(request, caller, callee))
    }

    /// Writes a request with the Record-Route or the Path of this proxy, where it gets one; the status to fail with.
    fn write_recorded(
        &self,
        request: &Message<'_>,
        forward: ForwardRequest<'_>,
        (hop, callee, secure): (&Hop, impl FnOnce() -> Side, bool),
        texts: &[u8],
        writer: &mut Writer<'_>,
    ) -> Result<(), u16> {
        let written = if self.record && makes_dialog(request) {
            let token = self.token(request, callee());
            let token = token.as_ref().map_or(&b""[..], Token::as_bytes);
            let record = RecordRoute::new(self.settings, texts, token, self.source, hop, secure);
            let (uris, count) = record.uris();
            forward.record_route(uris.get(..count).unwrap_or_default()).write_to(writer)
        } else if self.settings.path && request.method() == Method::Register && supports_path(request) {
            let direct = request.is_direct();
            let path = RecordRoute::path(self.settings, texts, direct, self.source, hop, secure);
            let (uris, count) = path.uris();
            forward.path(uris.get(..count).unwrap_or_default()).write_to(writer)
        } else {
            forward.write_to(writer)
        };
        written.map_err(|error| error.status().unwrap_or(500))
    }
}

impl<O: Octets> Work<'_, O> {
    /// Writes a request as it goes out, and tells where, and how many octets its body has. The status to fail with when it
    /// can't be written.
    fn write_request(
        &mut self,
        original: Original<'_>,
        goal: Goal<'_>,
        (source, head): (Flow, Block),
        branch: &BranchText,
        (record, breadth): (bool, u16),
    ) -> Result<(Block, Hop, usize), u16> {
        let settings = &self.core.settings;
        let edit = Edit { settings, source, head, branch: branch.as_bytes(), record, breadth };
        let length = match original {
            Original::Message(request) | Original::Routed(request, _) => request.bytes().len(),
            Original::Kept(block) => self.transactions.octets.get(block).len(),
        };
        let mut hop = Err(500);
        let mut body = 0;
        let written = self.transactions.octets.write_by(length.saturating_add(256), false, &mut |kept, writer| {
            let texts = kept.get(settings.block());
            hop = goal.read(kept).and_then(|target| {
                let mut write = |request: &Message<'_>, routing: &Routing<'_>| {
                    body = request.body().len();
                    edit.write(request, routing, target.as_ref(), kept, writer)
                };
                match original {
                    Original::Routed(request, routing) => write(request, routing),
                    Original::Message(request) => write(request, &Routing::of(settings, texts, request)?),
                    Original::Kept(block) => {
                        let request = Message::parse(kept.get(block)).map_err(|_| 500_u16)?;
                        write(&request, &Routing::of(settings, texts, &request)?)
                    }
                }
            });
        });
        let failed = match (written, hop) {
            (Ok(block), Ok(hop)) if !block.is_none() => return Ok((block, hop, body)),
            (Ok(block), _) => {
                self.transactions.octets.release(block);
                hop.err().unwrap_or(500)
            }
            (Err(crate::error::Error::Capacity(crate::error::Capacity::Octets { .. })), Ok(_)) => 503,
            (Err(_), Ok(_)) => 513,
            (Err(_), Err(status)) => status,
        };
        Err(failed)
    }

    /// Sends the request of a context to a target, or without one to where it leads, in a branch of its own that may use `breadth`
    /// of what the context has. The status to count for the target when that can't be.
    pub(super) fn start_branch(
        &mut self,
        context: Handle,
        original: Original<'_>,
        goal: Goal<'_>,
        breadth: u16,
    ) -> Result<Handle, u16> {
        let branch = self.branches.insert().ok_or(503_u16)?;
        let breadth = self.contexts.get(context).map_or(0, |entry| entry.breadth.min(breadth));
        match self.send_branch(context, branch, original, goal, breadth) {
            Ok(client) => {
                let first = self.contexts.get(context).map_or(Handle::NONE, |entry| entry.branches);
                if let Some(entry) = self.branches.get_mut(branch) {
                    *entry = BranchEntry {
                        context,
                        next: first,
                        client,
                        breadth,
                        machine: machine::Branch::new(),
                        reserved: entry.reserved,
                    };
                }
                if let Some(entry) = self.contexts.get_mut(context) {
                    entry.branches = branch;
                }
                Ok(branch)
            }
            Err(status) => {
                self.branches.remove(branch);
                Err(status)
            }
        }
    }

    fn send_branch(
        &mut self,
        context: Handle,
        branch: Handle,
        original: Original<'_>,
        goal: Goal<'_>,
        breadth: u16,
    ) -> Result<TransactionId, u16> {
        let entry = *self.contexts.get(context).ok_or(500_u16)?;
        let token = self.core.random.token();
        let text = BranchText::new(token, entry.loop_hash);
        let record = entry.marks.has(Marks::RECORD);
        let head = self.transactions.head_of(entry.server);
        let (block, hop, body) = self.write_request(original, goal, (entry.source, head), &text, (record, breadth))?;
        let mut name = [0; LONGEST_METHOD];
        let method = match original {
            Original::Message(request) | Original::Routed(request, _) => request.method(),
            Original::Kept(_) if entry.marks.has(Marks::INVITE) => Method::Invite,
            Original::Kept(_) => self.copy_method(block, &mut name),
        };
        let layer_branch = Branch::with_suffix(token, text.suffix()).ok_or(500_u16)?;
        let user = Owner::Branch(branch).user();
        let new = NewClient { block, flow: hop.flow, method, branch: layer_branch, user, reserved: false };
        let head = self.transactions.octets.get(block).len().saturating_sub(body);
        let reserve = if entry.marks.has(Marks::INVITE) { u16::try_from(head).unwrap_or(u16::MAX) } else { 0 };
        if !self.reserve(reserve) {
            self.transactions.octets.release(block);
            return Err(503);
        }
        match self.transactions.client(self.now, new) {
            Ok(client) => {
                if let Some(entry) = self.branches.get_mut(branch) {
                    entry.reserved = reserve;
                }
                if hop.strict {
                    self.transactions.set_strict(client);
                }
                if hop.only {
                    self.transactions.set_flow_only(client);
                }
                Ok(client)
            }
            Err(_) => {
                self.unreserve(reserve);
                self.transactions.octets.release(block);
                Err(503)
            }
        }
    }

    /// Sets aside what the CANCEL of a branch needs: a transaction, and the octets of its request at most. Whether there is
    /// as much; nothing is needed for a request other than INVITE.
    fn reserve(&mut self, octets: u16) -> bool {
        if octets == 0 {
            return true;
        }
        if self.transactions.reserve(1).is_err() {
            return false;
        }
        let reserved = self.transactions.octets.reserve(usize::from(octets)).is_ok();
        if !reserved {
            self.transactions.unreserve(1);
        }
        reserved
    }

    /// Gives back what was set aside for a branch.
    pub(super) fn unreserve(&mut self, octets: u16) {
        if octets > 0 {
            self.transactions.unreserve(1);
            self.transactions.octets.unreserve(usize::from(octets));
        }
    }

    /// The method of a written request, out of the octets that are going to change.
    fn copy_method<'n>(&self, block: Block, name: &'n mut [u8; LONGEST_METHOD]) -> Method<'n> {
        let method = Kept::new(self.transactions.octets.get(block)).method();
        let length = method.as_bytes().len();
        name.iter_mut().zip(method.as_bytes()).for_each(|(place, octet)| *place = *octet);
        Method::known(name.get(..length).unwrap_or_default())
    }

    /// Passes a request on once and without a transaction, where it leads: an ACK, or what there is no room for.
    /// Whether it could be.
    pub(super) fn pass(&mut self, request: &Message<'_>, routing: &Routing<'_>, loop_hash: u64) -> bool {
        let (source, branch) = (self.source, self.stateless_branch(request, loop_hash));
        self.pass_with(Original::Routed(request, routing), Goal::Itself, source, &branch)
    }

    /// The branch of a request that goes on without a transaction.
    fn stateless_branch(&self, request: &Message<'_>, loop_hash: u64) -> BranchText {
        let (settings, key) = (&self.core.settings, self.core.hash);
        // Where requests have transactions, an ACK that comes here is one to a 2xx.
        let ack = request.method() == Method::Ack && !settings.stateless;
        let token = if ack {
            loops::ack_token(key, request, loop_hash)
        } else {
            loops::stateless_token(key, request, request.via())
        };
        BranchText::new(token, loop_hash)
    }

    /// As [`pass`](Self::pass), of a request that came by `source`, to a target of one's own choice.
    pub(super) fn pass_on(&mut self, original: Original<'_>, goal: Goal<'_>, source: Flow, loop_hash: u64) -> bool {
        let branch = match original {
            Original::Message(request) | Original::Routed(request, _) => self.stateless_branch(request, loop_hash),
            Original::Kept(block) => match Message::parse(self.transactions.octets.get(block)) {
                Ok(request) => self.stateless_branch(&request, loop_hash),
                Err(_) => return false,
            },
        };
        self.pass_with(original, goal, source, &branch)
    }

    fn pass_with(&mut self, original: Original<'_>, goal: Goal<'_>, source: Flow, branch: &BranchText) -> bool {
        let record = self.core.settings.stateless && self.core.settings.record_route;
        let Ok((block, hop, _)) = self.write_request(original, goal, (source, Block::NONE), branch, (record, 0)) else {
            return false;
        };
        let new = NewOnce { block, flow: hop.flow, user: Self::nobody(), reserved: false };
        match self.transactions.once(self.now, new) {
            Ok(id) => {
                if hop.strict {
                    self.transactions.set_strict(id);
                }
                if hop.only {
                    self.transactions.set_flow_only(id);
                }
                true
            }
            Err(_) => {
                self.transactions.octets.release(block);
                false
            }
        }
    }
}
