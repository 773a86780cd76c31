//! The texts of a dialog and the requests written from them (RFC 3261 §12.1, §12.2.1.1).

use crate::error::{Argument, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::scan::find;
use crate::message::{HeaderName, Message, Method, NameAddr, Uri, Writer, unfold};
use crate::random::Token;
use crate::transport::Transport;

/// Route set entries that a dialog takes; a message that brings more makes no dialog.
pub const MAX_ROUTES: usize = 32;

/// A head of no more octets is not measured for what a dialog keeps of it.
const SHORT_HEAD: usize = 1024;

/// Lengths of a dialog's texts, which stand one behind the other in `block`.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub(crate) block: Block,
    call_id: u16,
    local: u16,
    remote: u16,
    target: u16,
    routes: u16,
    first_route: u16,
}

/// The texts of a dialog, borrowed from where they are kept.
#[derive(Clone, Copy, Debug)]
pub struct IdentityTexts<'k> {
    /// Call-ID.
    pub call_id: &'k [u8],
    /// The value for From, with our tag.
    pub local: &'k [u8],
    /// The value for To, with the peer's tag.
    pub remote: &'k [u8],
    /// The remote target: a URI.
    pub target: &'k [u8],
    /// The route set as a Route value; empty when there is none.
    pub routes: &'k [u8],
    first_route: usize,
}

impl Identity {
    /// No texts.
    pub const ZERO: Self =
        Self { block: Block::NONE, call_id: 0, local: 0, remote: 0, target: 0, routes: 0, first_route: 0 };

    /// How many octets the texts of the dialog that `message` makes take at the most.
    pub(crate) fn room(message: &Message<'_>) -> usize {
        // Of a short head nothing is to be gained by counting: all of it is an upper bound too.
        if message.head_len() <= SHORT_HEAD {
            return message.head_len();
        }
        let [from, to] = [message.from(), message.to()].map(|party| party.raw().len());
        let rows = [HeaderName::Contact, HeaderName::RecordRoute].map(|name| message.header_rows(name));
        let rows = rows.into_iter().flatten().map(|row| row.len().saturating_add(2));
        // A tag, and what a block takes beside its octets.
        [message.call_id().len(), from, to, 64].into_iter().chain(rows).fold(0, usize::saturating_add)
    }

    /// Keeps the texts of the dialog that `message`, an INVITE or a response to ours, makes. Gives the URI of their
    /// [next hop](IdentityTexts::next_hop) too; none when the message names none that can be used, so that only its source is
    /// left to go to.
    ///
    /// `local_tag` is the tag that our responses bear; it is empty when `message` is a response. A response always makes a
    /// dialog, because a 2xx has to be acknowledged (RFC 3261 §13.2.2.4): without a usable Contact the target is its To URI,
    /// and a Record-Route that can't be read is passed over.
    pub(crate) fn keep<'a, O: Octets>(
        message: &Message<'a>,
        local_tag: &[u8],
        octets: &mut O,
    ) -> Result<(Self, Option<Uri<'a>>), Error> {
        let (target, mut next_hop) = remote_target(message).ok_or(Error::Invalid(Argument::Contact))?;
        let mut routes = heapless::Vec::new();
        route_set(message, &mut next_hop, &mut routes)?;
        let (local, remote) =
            if message.is_request() { (message.to(), message.from()) } else { (message.from(), message.to()) };
        let mut sizes = [0_usize; 5];
        let mut first_end = 0;
        let want = Self::room(message);
        let block = octets.write(want, true, |_, writer| {
            writer.raw(message.call_id());
            let mut ends = [writer.len(); 5];
            write_party(writer, local.raw_for_tag(), if message.to_tag().is_none() { local_tag } else { &[] });
            ends[1] = writer.len();
            write_party(writer, remote.raw(), &[]);
            ends[2] = writer.len();
            writer.raw(target);
            ends[3] = writer.len();
            for (index, route) in routes.iter().enumerate() {
                if index > 0 {
                    writer.raw(b", ");
                }
                write_unfolded(writer, route);
                if index == 0 {
                    first_end = writer.len();
                }
            }
            ends[4] = writer.len();
            sizes = ends;
        })?;
        let length = |end: usize, start: usize| u16::try_from(end.saturating_sub(start)).unwrap_or(u16::MAX);
        let [a, b, c, d, e] = sizes;
        let first_route = if routes.is_empty() { 0 } else { length(first_end, d) };
        let identity = Self {
            block,
            call_id: length(a, 0),
            local: length(b, a),
            remote: length(c, b),
            target: length(d, c),
            routes: length(e, d),
            first_route,
        };
        Ok((identity, next_hop))
    }

    /// The remote target that `message` brings, if it brings one and a new one (RFC 3261 §12.2.1.2, §12.2.2).
    pub(crate) fn new_target<'a, O: Octets>(&self, message: &Message<'a>, octets: &O) -> Option<&'a [u8]> {
        let (target, _) = contact_uri(message)?;
        (self.texts(octets.get(self.block)).target != target).then_some(target)
    }

    /// Replaces the remote target by `target`, or by what `block` keeps when that is none.
    pub(crate) fn set_target<O: Octets>(
        &mut self,
        target: Option<&[u8]>,
        block: Block,
        octets: &mut O,
    ) -> Result<(), Error> {
        let (old, identity) = (self.block, *self);
        let length = target.map_or(octets.get(block).len(), <[u8]>::len);
        let want = octets.get(old).len().saturating_add(length);
        let new = octets.write(want, false, |kept, writer| {
            let texts = identity.texts(KeptBlocks::get(kept, old));
            let target = target.unwrap_or(kept.get(block));
            for text in [texts.call_id, texts.local, texts.remote, target, texts.routes] {
                writer.raw(text);
            }
        })?;
        octets.release(old);
        self.block = new;
        self.target = u16::try_from(length).unwrap_or(u16::MAX);
        Ok(())
    }

    /// The texts out of the octets of [`block`](Self::block).
    pub(crate) fn texts<'k>(&self, kept: &'k [u8]) -> IdentityTexts<'k> {
        let mut rest = kept;
        let mut take = |length: u16| {
            let (text, after) = rest.split_at_checked(usize::from(length)).unwrap_or((rest, &[]));
            rest = after;
            text
        };
        IdentityTexts {
            call_id: take(self.call_id),
            local: take(self.local),
            remote: take(self.remote),
            target: take(self.target),
            routes: take(self.routes),
            first_route: usize::from(self.first_route),
        }
    }
}

impl<'k> IdentityTexts<'k> {
    /// The URI that the next request is sent to: the first route, or else the remote target (RFC 3261 §8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> Option<Uri<'k>> {
        match self.first_route() {
            Some(route) => route.uri().ok(),
            None => Uri::parse(self.target).ok(),
        }
    }

    /// The Request-URI of requests in the dialog: the remote target, or a strict router's URI (RFC 3261 §12.2.1.1).
    #[must_use]
    pub fn request_uri(&self) -> &'k [u8] {
        self.strict_router().map_or(self.target, |uri| uri.raw())
    }

    /// Whether requests in the dialog go to a strict router first.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.strict_router().is_some()
    }

    fn strict_router(&self) -> Option<Uri<'k>> {
        self.first_route().and_then(|route| route.uri().ok()).filter(|uri| !uri.is_loose())
    }

    fn first_route(&self) -> Option<NameAddr<'k>> {
        let first = self.routes.get(..self.first_route)?;
        if first.is_empty() { None } else { NameAddr::parse(first).ok() }
    }

    /// Writes the head of a request inside the dialog: request line to CSeq (RFC 3261 §12.2.1.1).
    pub(crate) fn write_head(
        &self,
        writer: &mut Writer<'_>,
        method: Method<'_>,
        seq: u32,
        transport: Transport,
        sent_by: &[u8],
        branch: Token,
    ) {
        writer.request_line(method, self.request_uri());
        writer.via(transport, sent_by, branch);
        if self.strict_router().is_some() {
            // A strict router finds itself in the Request-URI and the target at the end of the Route rows.
            let rest = self.routes.get(self.first_route..).unwrap_or_default();
            let rest = rest.strip_prefix(b", ").unwrap_or(rest);
            writer.value_start(HeaderName::Route);
            if !rest.is_empty() {
                writer.text(rest);
                writer.text(b", ");
            }
            writer.text(b"<");
            writer.text(self.target);
            writer.text(b">");
            writer.end();
        } else if !self.routes.is_empty() {
            writer.header(HeaderName::Route, self.routes);
        }
        writer.header(HeaderName::MaxForwards, b"70");
        writer.header(HeaderName::From, self.local);
        writer.header(HeaderName::To, self.remote);
        writer.header(HeaderName::CallId, self.call_id);
        writer.value_start(HeaderName::CSeq);
        writer.number(u64::from(seq));
        writer.text(b" ");
        writer.text(method.as_bytes());
        writer.end();
    }
}

/// The URI of the first Contact, when it is one that requests can be sent to: its text without headers, which a Request-URI has
/// not (RFC 3261 §19.1.1), and its parts.
fn contact_uri<'a>(message: &Message<'a>) -> Option<(&'a [u8], Uri<'a>)> {
    without_headers(&message.contacts().next()?.ok()?)
}

/// The remote target that a message gives a new dialog, and the way to it; a peer of RFC 2543 that sends no Contact is reached
/// at its From or To (RFC 2543 §6.13). A response with a Contact that can't be used has its To and no way.
fn remote_target<'a>(message: &Message<'a>) -> Option<(&'a [u8], Option<Uri<'a>>)> {
    if let Some((target, uri)) = contact_uri(message) {
        return Some((target, Some(uri)));
    }
    let no_contact = message.header(HeaderName::Contact).is_none();
    if message.is_request() {
        let (target, uri) = if no_contact { without_headers(&message.from())? } else { return None };
        return Some((target, Some(uri)));
    }
    match without_headers(&message.to()) {
        Some((target, uri)) => Some((target, no_contact.then_some(uri))),
        None => Some((message.to().raw_uri(), None)),
    }
}

/// Fills in the route set that a message makes (§12.1.1, §12.1.2), and the URI of its first route for the next hop.
///
/// More than are taken are refused in a request; of those of a response the proxies next to us are kept.
fn route_set<'a>(
    message: &Message<'a>,
    next_hop: &mut Option<Uri<'a>>,
    routes: &mut heapless::Vec<&'a [u8], MAX_ROUTES>,
) -> Result<(), Error> {
    for route in message.record_routes() {
        let fits = route.is_ok() && !routes.is_full();
        if message.is_request() && !fits {
            return Err(Error::Invalid(Argument::RecordRoute));
        }
        let Ok(route) = route else {
            *next_hop = None;
            continue;
        };
        if routes.is_empty() || !message.is_request() {
            *next_hop = route.uri().ok();
        }
        let mut last = route.raw();
        if routes.push(last).is_err() {
            for place in routes.iter_mut().rev() {
                core::mem::swap(place, &mut last);
            }
        }
    }
    if !message.is_request() {
        // As `reverse`, which is not free of panics at opt-level z.
        let mut ends = routes.iter_mut();
        while let (Some(first), Some(last)) = (ends.next(), ends.next_back()) {
            core::mem::swap(first, last);
        }
    }
    Ok(())
}

fn without_headers<'a>(address: &NameAddr<'a>) -> Option<(&'a [u8], Uri<'a>)> {
    let uri = address.uri().ok()?;
    let end = match uri.headers().len() {
        0 => uri.raw().len(),
        length => uri.raw().len().saturating_sub(length).saturating_sub(1),
    };
    Some((uri.raw().get(..end)?, uri)).filter(|(_, uri)| uri.is_sip())
}

/// Writes a value that came from the wire; folds inside it become spaces.
fn write_unfolded(writer: &mut Writer<'_>, value: &[u8]) {
    if find(value, 0, b'\r') < value.len() {
        for octet in unfold(value) {
            writer.raw(&[octet]);
        }
    } else {
        writer.raw(value);
    }
}

/// Writes a From or To value with the tag that it lacks.
fn write_party(writer: &mut Writer<'_>, value: &[u8], tag: &[u8]) {
    write_unfolded(writer, value);
    if !tag.is_empty() {
        writer.raw(b";tag=");
        writer.raw(tag);
    }
}
