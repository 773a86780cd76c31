//! The texts of a dialog and the requests written from them (RFC 3261 §12.1, §12.2.1.1).

use crate::error::{Argument, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::scan::find;
use crate::message::{HeaderName, Message, Method, NameAddr, Uri, Writer, is_sips, unfold};
use crate::random::Token;
use crate::transport::Transport;

/// Route set entries that a dialog takes; a message that brings more makes no dialog.
pub const MAX_ROUTES: usize = 32;

/// A head of no more octets is not measured for what a dialog keeps of it.
const SHORT_HEAD: usize = 1024;

/// Where the texts of a dialog end, which stand one behind the other in `block`.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub(crate) block: Block,
    /// Of Call-ID, local party, remote party, target, the first route, and all routes.
    ends: [u16; 6],
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
    first_route: &'k [u8],
}

impl Identity {
    /// No texts.
    pub const ZERO: Self = Self { block: Block::NONE, ends: [0; 6] };

    /// How many octets the texts of the dialog that `message` makes take at the most.
    pub(crate) fn room(message: &Message<'_>) -> usize {
        // Of a short head nothing is to be gained by counting: all of it is an upper bound too.
        if message.head_len() <= SHORT_HEAD {
            return message.head_len();
        }
        // 64 for a tag, and for what a block takes beside its octets.
        message.headers().fold(64, |sum: usize, row| match row.name {
            HeaderName::CallId | HeaderName::From | HeaderName::To | HeaderName::Contact | HeaderName::RecordRoute => {
                sum.wrapping_add(row.value.len()).wrapping_add(2)
            }
            _ => sum,
        })
    }

    /// Keeps the texts of the dialog that `message`, an INVITE or a response to ours, makes. `next_hop`, none before, becomes the
    /// URI of their [next hop](IdentityTexts::next_hop); it stays none when the message names none that can be used, so that only
    /// its source is left to go to.
    ///
    /// `local_tag` is the tag that our responses bear; it is empty when `message` is a response. A response always makes a
    /// dialog, because a 2xx has to be acknowledged (RFC 3261 §13.2.2.4): without a usable Contact the target is its To URI,
    /// and a Record-Route that can't be read is passed over.
    pub(crate) fn keep<'a, O: Octets>(
        message: &Message<'a>,
        local_tag: &[u8],
        octets: &mut O,
        next_hop: &mut Option<Uri<'a>>,
    ) -> Result<Self, Error> {
        let target = remote_target(message, next_hop).ok_or(Error::Invalid(Argument::Contact))?;
        let mut routes = [&b""[..]; MAX_ROUTES];
        let count = route_set(message, next_hop, &mut routes)?;
        let (from, to) = message.parties();
        let (local, remote) = if message.is_request() { (to, from) } else { (from, to) };
        // Who was called by `sips` has a `sips` Contact (§8.1.1.8); one that is none draws nothing into plain text.
        let plain = is_sips(to.raw_uri()).then(|| behind_sip(target)).flatten();
        if plain.is_some() && count == 0 {
            *next_hop = None;
        }
        let tag = if to.tag().is_none() { local_tag } else { b"" };
        let mut ends = [0; 6];
        let block = octets.write(Self::room(message).wrapping_add(1), true, |_, writer| {
            let mut places = ends.iter_mut();
            let mut end = |writer: &Writer<'_>| {
                if let Some(place) = places.next() {
                    *place = writer.len() as u16;
                }
            };
            writer.raw(message.call_id());
            end(writer);
            write_unfolded(writer, local.raw_for_tag());
            if !tag.is_empty() {
                writer.raw(b";tag=");
                writer.raw(tag);
            }
            end(writer);
            write_unfolded(writer, remote.raw());
            end(writer);
            write_target(writer, target, plain);
            end(writer);
            for (place, route) in routes.iter().take(count.max(1)).enumerate() {
                if place > 0 {
                    writer.raw(b", ");
                }
                write_unfolded(writer, route);
                if place == 0 {
                    end(writer);
                }
            }
            end(writer);
        })?;
        Ok(Self { block, ends })
    }

    /// The remote target that `message` brings, if it brings one and a new one (RFC 3261 §12.2.1.2, §12.2.2).
    pub(crate) fn new_target<'a, O: Octets>(&self, message: &Message<'a>, octets: &O) -> Option<&'a [u8]> {
        contact_uri(message, &mut None).filter(|target| self.texts(octets.get(self.block)).target != *target)
    }

    /// Replaces the remote target by `target`, or by what `block` keeps when that is none.
    pub(crate) fn set_target<O: Octets>(
        &mut self,
        target: Option<&[u8]>,
        block: Block,
        octets: &mut O,
    ) -> Result<(), Error> {
        let old = *self;
        let want = octets.get(old.block).len().wrapping_add(target.map_or(octets.get(block).len(), <[u8]>::len));
        let mut ends = old.ends;
        let new = octets.write(want.wrapping_add(1), false, |kept, writer| {
            let mut pieces = old.pieces(KeptBlocks::get(kept, old.block));
            let mut plain = None;
            if let Some(place) = pieces.get_mut(3) {
                let secure = is_sips(place);
                *place = target.unwrap_or(kept.get(block));
                plain = behind_sip(place).filter(|_| secure);
            }
            for (number, (piece, end)) in pieces.iter().zip(&mut ends).enumerate() {
                write_target(writer, piece, plain.filter(|_| number == 3));
                *end = writer.len() as u16;
            }
        })?;
        octets.release(old.block);
        *self = Self { block: new, ends };
        Ok(())
    }

    /// The octets of [`block`](Self::block), cut where a text ends.
    fn pieces<'k>(&self, kept: &'k [u8]) -> [&'k [u8]; 6] {
        let mut start = 0;
        self.ends.map(|end| {
            let piece = kept.get(usize::from(start)..usize::from(end)).unwrap_or_default();
            start = end;
            piece
        })
    }

    /// The texts out of the octets of [`block`](Self::block).
    pub(crate) fn texts<'k>(&self, kept: &'k [u8]) -> IdentityTexts<'k> {
        let [call_id, local, remote, target, first_route, _] = self.pieces(kept);
        let [.., before, _, _] = self.ends;
        let routes = kept.get(usize::from(before)..).unwrap_or_default();
        IdentityTexts { call_id, local, remote, target, routes, first_route }
    }
}

impl<'k> IdentityTexts<'k> {
    /// The URI that the next request is sent to: the first route, or else the remote target (RFC 3261 §8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> Option<Uri<'k>> {
        if self.routes.is_empty() { Uri::parse(self.target).ok() } else { self.first_route() }
    }

    /// The Request-URI of requests in the dialog: the remote target, or a strict router's URI (RFC 3261 §12.2.1.1).
    #[must_use]
    pub fn request_uri(&self) -> &'k [u8] {
        self.strict_router().unwrap_or(self.target)
    }

    /// Whether requests in the dialog go to a strict router first.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.strict_router().is_some()
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn strict_router(&self) -> Option<&'k [u8]> {
        self.first_route().filter(|uri| !uri.is_loose()).map(|uri| uri.raw())
    }

    fn first_route(&self) -> Option<Uri<'k>> {
        if self.first_route.is_empty() {
            return None;
        }
        NameAddr::parse(self.first_route).ok()?.uri().ok()
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
        let strict = self.strict_router();
        writer.request_line(method, strict.unwrap_or(self.target));
        writer.via(transport, sent_by, branch);
        if strict.is_some() {
            // A strict router finds itself in the Request-URI and the target at the end of the Route rows.
            writer.value_start(HeaderName::Route);
            if let Some((_, rest)) = self.routes.split_at_checked(self.first_route.len().wrapping_add(2)) {
                writer.text(rest);
                writer.text(b", ");
            }
            writer.octet(b'<');
            writer.text(self.target);
            writer.octet(b'>');
            writer.end();
        } else if !self.routes.is_empty() {
            writer.header(HeaderName::Route, self.routes);
        }
        writer.header(HeaderName::MaxForwards, b"70");
        writer.header(HeaderName::From, self.local);
        writer.header(HeaderName::To, self.remote);
        writer.header(HeaderName::CallId, self.call_id);
        writer.cseq(seq, method);
    }
}

/// The URI of the first Contact, when it is one that requests can be sent to.
fn contact_uri<'a>(message: &Message<'a>, parsed: &mut Option<Uri<'a>>) -> Option<&'a [u8]> {
    without_headers(&message.contacts().next()?.ok()?, parsed)
}

/// What stands behind the scheme of a `sip` URI.
fn behind_sip(uri: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = uri.split_first_chunk::<4>()?;
    scheme.eq_ignore_ascii_case(b"sip:").then_some(rest)
}

/// Writes a remote target, or the `sips` URI that takes its place: of this, what stands behind the scheme.
fn write_target(writer: &mut Writer<'_>, target: &[u8], behind: Option<&[u8]>) {
    if behind.is_some() {
        writer.raw(b"sips:");
    }
    writer.raw(behind.unwrap_or(target));
}

/// The remote target that a message gives a new dialog, and the way to it; a peer of RFC 2543 that sends no Contact is reached
/// at its From or To (RFC 2543 §6.13). A response with a Contact that can't be used has its To and no way.
fn remote_target<'a>(message: &Message<'a>, next_hop: &mut Option<Uri<'a>>) -> Option<&'a [u8]> {
    let contact = contact_uri(message, next_hop);
    if contact.is_some() {
        return contact;
    }
    let no_contact = message.header(HeaderName::Contact).is_none();
    let (from, to) = message.parties();
    if message.is_request() {
        return if no_contact { without_headers(from, next_hop) } else { None };
    }
    let mut no_way = None;
    let target = without_headers(to, if no_contact { next_hop } else { &mut no_way });
    target.or_else(|| Some(to.raw_uri()))
}

/// Fills in the route set that a message makes (§12.1.1, §12.1.2), and the URI of its first route for the next hop. Tells how
/// many there are.
///
/// More than are taken are refused in a request; of those of a response the proxies next to us are kept.
fn route_set<'a>(
    message: &Message<'a>,
    next_hop: &mut Option<Uri<'a>>,
    routes: &mut [&'a [u8]; MAX_ROUTES],
) -> Result<usize, Error> {
    let mut count: usize = 0;
    for route in message.record_routes() {
        if message.is_request() && (route.is_err() || count == MAX_ROUTES) {
            return Err(Error::Invalid(Argument::RecordRoute));
        }
        if !message.is_request() || count == 0 {
            *next_hop = route.as_ref().ok().and_then(|route| route.uri().ok());
        }
        let Ok(route) = route else { continue };
        // Those of a response are in the order from the peer on, so that each comes before all others.
        let mut moved = route.raw();
        for place in routes.iter_mut().skip(if message.is_request() { count } else { 0 }) {
            core::mem::swap(place, &mut moved);
        }
        count = count.wrapping_add(1).min(MAX_ROUTES);
    }
    Ok(count)
}

/// The URI of an address that requests can be sent to, without headers, which a Request-URI has not (RFC 3261 §19.1.1); parsed
/// it has them.
fn without_headers<'a>(address: &NameAddr<'a>, parsed: &mut Option<Uri<'a>>) -> Option<&'a [u8]> {
    let uri = parsed.insert(address.uri().ok()?);
    if !uri.is_sip() {
        *parsed = None;
        return None;
    }
    let end = match uri.headers().len() {
        0 => uri.raw().len(),
        length => uri.raw().len().wrapping_sub(length).wrapping_sub(1),
    };
    uri.raw().get(..end)
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
