//! The server side of the layer: requests in, responses out (RFC 3261 §17.2).

use super::entry::{Machine, Marks, Transaction, TransactionId, User};
use super::flows::response_port;
use super::layer::{DEFERRED, HELD, MATCH, ORDINARY, OTHER, PARKED, Transactions, URGENT};
use super::step::Indication;
use super::{Server, ServerInvite, key};
use crate::error::{Argument, Capacity, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::scan::{find, has};
use crate::message::{ForwardResponse, HeaderName, Message, Method, Writer, build, reason_phrase};
use crate::random::{Key, Token};
use crate::time::Instant;
use crate::transport::Flow;

/// Whether the key of merged requests may wait for a transaction to be made: that saves time, and costs flash.
const MERGED_LATER: bool = cfg!(target_pointer_width = "64");

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum ServerMatch {
    /// It belongs to no transaction: a new request, or the ACK to a 2xx.
    New(NewRequest),
    /// The transaction dealt with it: a retransmission, or the ACK to a final response other than 2xx.
    Absorbed(TransactionId),
    /// It is the ACK to the user's 2xx, from a peer that gives it the branch of the INVITE.
    Ack2xx(TransactionId, User),
    /// It is a new request that came before by another way. A user agent answers 482 (RFC 3261 §8.2.2.2); to a proxy it is
    /// [as good as any](Self::new_request).
    Merged(NewRequest),
}

/// A request that belongs to no transaction: what the layer knows it by, for the transaction that may be made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NewRequest {
    matched: Key,
    /// Zero when it is not looked up yet, [`Key::LAST`] when it is not going to be.
    merged: Key,
}

impl ServerMatch {
    /// The request, when it belongs to no transaction, be it merged or not: how a proxy looks at it (RFC 3261 §16.3 step 4 knows
    /// loops by their Via, and a request that came by two ways is forwarded twice).
    #[must_use]
    pub const fn new_request(self) -> Option<NewRequest> {
        match self {
            Self::New(new) | Self::Merged(new) => Some(new),
            Self::Absorbed(_) | Self::Ack2xx(..) => None,
        }
    }
}

impl NewRequest {
    /// No request; all zero.
    pub const NONE: Self = Self { matched: Key::ZERO, merged: Key::ZERO };

    /// A To tag for an answer without a transaction: the same for each repetition of the request, and not to be guessed
    /// (RFC 3261 §8.2.7, §19.3).
    #[must_use]
    pub fn stateless_tag(self) -> Token {
        Token::new(self.matched.bits())
    }

    /// What tells the request from another with the same CSeq, never zero: a number of what transactions are matched by.
    #[must_use]
    pub(crate) fn number(self) -> u16 {
        self.matched.bucket_bits() as u16 | 1
    }
}

/// What a server transaction is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewServer<'a> {
    /// What [`receive_request`](Transactions::receive_request) said of the request.
    pub new: NewRequest,
    /// The flow on which it came; where the responses go follows from it and from the topmost Via.
    pub source: Flow,
    /// Goes into the responses when the request has no To tag.
    pub to_tag: &'a [u8],
    /// Whom to tell.
    pub user: User,
    /// Whether it may take an entry and octets that were set aside.
    pub reserved: bool,
}

impl<O: Octets> Transactions<'_, O> {
    /// Matches a request (RFC 3261 §17.2.3). One that is [`ServerMatch::New`] can have a transaction with
    /// [`server`](Self::server).
    pub fn receive_request(&mut self, now: Instant, request: &Message<'_>) -> ServerMatch {
        let matched = match self.match_request(now, request) {
            ServerMatch::New(new) => new.matched,
            other => return other,
        };
        // Where there is nothing to find, the second key can wait for a transaction to be made.
        let later = MERGED_LATER && self.view().is_empty();
        let merged = if later { None } else { key::merged(&self.layer.hash, request) };
        let new = NewRequest { matched, merged: merged.unwrap_or_default() };
        let merged = merged.and_then(|merged| self.table.find(OTHER, merged));
        if merged.is_some() { ServerMatch::Merged(new) } else { ServerMatch::New(new) }
    }

    /// As [`receive_request`](Self::receive_request), for a role to which a request that comes by two ways is
    /// [as good as any](ServerMatch::new_request): it is never [`ServerMatch::Merged`].
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub fn match_request(&mut self, now: Instant, request: &Message<'_>) -> ServerMatch {
        self.reap();
        let timers = self.layer.timers;
        let is_ack = matches!(request.method(), Method::Ack);
        let matched = key::of_request(&self.layer.hash, request, false);
        if let Some(handle) = self.table.find(MATCH, matched) {
            let id = TransactionId(handle);
            let Some(entry) = self.entry_mut(id) else { return ServerMatch::Absorbed(id) };
            let user = entry.user;
            let step = entry.machine.receive_request(now, is_ack, &timers);
            self.apply(now, id, step);
            return if step.indication == Indication::Ack {
                ServerMatch::Ack2xx(id, user)
            } else {
                ServerMatch::Absorbed(id)
            };
        }
        ServerMatch::New(NewRequest { matched, merged: if MERGED_LATER { Key::LAST } else { Key::ZERO } })
    }

    /// Makes a server transaction for a request other than ACK that [`receive_request`](Self::receive_request) found to be new.
    ///
    /// # Errors
    /// When there is no entry, or no room for the head of the responses. Nothing has changed.
    pub fn server(
        &mut self,
        now: Instant,
        request: &Message<'_>,
        new: NewServer<'_>,
    ) -> Result<TransactionId, Capacity> {
        self.reap();
        let id = self.insert(new.reserved)?;
        match self.head(request, new.source, new.to_tag, new.reserved) {
            Ok(template) => self.open(now, id, request, &new, template),
            Err(capacity) => {
                self.table.remove(id.0);
                return Err(capacity);
            }
        }
        Ok(id)
    }

    /// As [`server`](Self::server), without the head of the responses. For a role that [passes responses on](Self::relay) and
    /// keeps the request itself: the head is written by [`write_head`](Self::write_head) when a response of its own
    /// needs one. Until then the layer sends no 100.
    ///
    /// # Errors
    /// When there is no entry. Nothing has changed.
    pub fn server_without_head(
        &mut self,
        now: Instant,
        request: &Message<'_>,
        new: NewServer<'_>,
    ) -> Result<TransactionId, Capacity> {
        self.reap();
        let id = self.insert(new.reserved)?;
        self.open(now, id, request, &new, Block::NONE);
        Ok(id)
    }

    /// Writes the head of the responses of a transaction that has [none](Self::server_without_head), from its request. What the
    /// request came on, and the To tag, are the same each time.
    ///
    /// # Errors
    /// [`Error::Gone`] without such a server transaction, [`Error::State`] after a final response, [`Error::Capacity`].
    pub fn write_head(
        &mut self,
        id: TransactionId,
        request: &Message<'_>,
        source: Flow,
        to_tag: &[u8],
        reserved: bool,
    ) -> Result<(), Error> {
        self.reap();
        let entry = self.entry_mut(id).filter(|entry| entry.machine.is_server()).ok_or(Error::Gone)?;
        if entry.machine.has_final() {
            return Err(Error::State);
        }
        if entry.template.is_none() {
            let template = self.head(request, source, to_tag, reserved)?;
            if let Some(entry) = self.entry_mut(id) {
                entry.template = template;
            }
        }
        Ok(())
    }

    /// Writes the head of the responses to a request.
    fn head(&mut self, request: &Message<'_>, source: Flow, to_tag: &[u8], reserved: bool) -> Result<Block, Capacity> {
        let want = request.head_len();
        let written = self.octets.write(want, reserved, |_, writer| {
            write_timestamp(writer, request);
            build::response_head(writer, request, source.remote, Some(to_tag));
        });
        written.map_err(|error| match error {
            Error::Capacity(capacity) => capacity,
            _ => Capacity::octets(want),
        })
    }

    /// Makes a new entry, all of whose fields are zero, a server transaction with this head.
    fn open(&mut self, now: Instant, id: TransactionId, request: &Message<'_>, new: &NewServer<'_>, template: Block) {
        let (timers, reliable) = (self.layer.timers, new.source.transport.is_reliable());
        let NewRequest { matched, mut merged } = new.new;
        if MERGED_LATER {
            merged = match merged {
                Key::LAST => Key::ZERO,
                Key::ZERO => key::merged(&self.layer.hash, request).unwrap_or_default(),
                merged => merged,
            };
        }
        let expected = || key::of_request(&self.layer.hash, request, false);
        debug_assert_eq!(matched, expected(), "what was said of another request");
        let Some(entry) = self.entry_mut(id) else { return };
        entry.machine = if matches!(request.method(), Method::Invite) {
            Machine::ServerInvite(ServerInvite::new(now, reliable))
        } else {
            Machine::Server(Server::new(now, reliable, &timers))
        };
        entry.keys = [matched, merged];
        entry.user = new.user;
        entry.flow = new.source;
        entry.flow.remote.set_port(response_port(&new.source, Some(request.via())));
        entry.template = template;
        let deadline = entry.machine.poll_timeout();
        self.table.link_key(id.0, MATCH, matched);
        if merged != Key::ZERO {
            self.table.link_key(id.0, OTHER, merged);
        }
        self.table.set_timer(id.0, deadline);
    }

    /// Writes a response and makes it ready to be sent: the status line (with `reason`, or the phrase of
    /// RFC 3261 §21), the head, and what `rest` writes: more headers, and how it ends, with a body or without.
    ///
    /// # Errors
    /// [`Error::Gone`] without such a server transaction; [`Error::State`] after a final response;
    /// [`Error::Invalid`] for a status that is none or a value with a line end; [`Error::Capacity`].
    /// Nothing has changed.
    pub fn respond(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: u16,
        reason: Option<&[u8]>,
        reserved: bool,
        rest: impl Fn(&O::Kept<'_>, &mut Writer<'_>),
    ) -> Result<(), Error> {
        self.respond_by(now, id, status, reason, reserved, &rest)
    }

    /// As [`respond`](Self::respond), with what writes called rather than copied in, so that this code is there once.
    fn respond_by(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: u16,
        reason: Option<&[u8]>,
        reserved: bool,
        rest: &dyn Fn(&O::Kept<'_>, &mut Writer<'_>),
    ) -> Result<(), Error> {
        self.reap();
        if !(100..700).contains(&status) {
            return Err(Error::Invalid(Argument::Status));
        }
        let entry = self.accepting(id, status)?;
        if entry.template.is_none() || entry.machine.has_final() {
            // The head went with the first final response, or was not written yet.
            return Err(Error::State);
        }
        self.write_response(id, status, reason, reserved, rest)?;
        self.send_response(now, id, status);
        Ok(())
    }

    /// A server transaction whose machine takes a response of this status.
    fn accepting(&mut self, id: TransactionId, status: u16) -> Result<&mut Transaction, Error> {
        let entry = self.entry_mut(id).filter(|entry| entry.machine.is_server()).ok_or(Error::Gone)?;
        if entry.machine.accepts(status) {
            Ok(entry)
        } else if entry.machine.has_final() {
            Err(Error::State)
        } else {
            Err(Error::Invalid(Argument::Status))
        }
    }

    /// The response that is written goes out.
    fn send_response(&mut self, now: Instant, id: TransactionId, status: u16) {
        let timers = self.layer.timers;
        let Some(entry) = self.entry_mut(id) else { return };
        let step = entry.machine.respond(now, status, &timers);
        if status >= 200 {
            let template = core::mem::take(&mut entry.template);
            self.octets.release(template);
        }
        self.apply(now, id, step);
    }

    /// Passes on a response that a client transaction received: as it came, without its topmost Via (RFC 3261 §16.7). Whether
    /// it is accepted says the machine: a second 2xx to an INVITE is, and is sent like the first.
    ///
    /// The Vias below ours are those of the request, whatever came back of them, in each 2xx to an INVITE too; but not
    /// [without head](Self::server_without_head). Then they are those that came.
    ///
    /// A 2xx to an INVITE is given back when it is sent, for its repetitions come from who gave it.
    ///
    /// # Errors
    /// [`Error::Gone`] without such a server transaction; [`Error::State`] when its state takes no such response;
    /// [`Error::Invalid`] for what can't be passed on: a 100, which is for one hop, a 1xx or 408 to a request other than INVITE
    /// (RFC 4320 §4), a response without a Via below ours; [`Error::Capacity`]. Nothing has changed.
    pub fn relay(
        &mut self,
        now: Instant,
        id: TransactionId,
        response: &Message<'_>,
        reserved: bool,
    ) -> Result<(), Error> {
        let status = response.status().unwrap_or_default();
        let (by_stream, template) = self.accepting_relayed(id, status)?;
        let block = self.octets.write(response.bytes().len(), reserved, |kept, writer| {
            write_relayed(response, kept.get(template), by_stream, writer);
        })?;
        self.send_relayed(now, id, status, block)
    }

    /// As [`relay`](Self::relay), of a response that was kept as it came, in a block that stays the caller's. It may use what is
    /// reserved.
    ///
    /// # Errors
    /// As [`relay`](Self::relay).
    pub fn relay_kept(&mut self, now: Instant, id: TransactionId, response: Block, status: u16) -> Result<(), Error> {
        let (by_stream, template) = self.accepting_relayed(id, status)?;
        let want = self.octets.get(response).len();
        let block = self.octets.write(want, true, |kept, writer| {
            if let Ok(response) = Message::parse(kept.get(response)) {
                write_relayed(&response, kept.get(template), by_stream, writer);
            }
        })?;
        self.send_relayed(now, id, status, block)
    }

    /// Whether a response that is passed on goes by a stream, and the head of its request; an error when it can't be passed on.
    fn accepting_relayed(&mut self, id: TransactionId, status: u16) -> Result<(bool, Block), Error> {
        self.reap();
        if status <= 100 {
            return Err(Error::Invalid(Argument::Status));
        }
        let entry = self.accepting(id, status)?;
        Ok((entry.flow.transport.is_reliable(), entry.template))
    }

    /// Sends a response that was written to be passed on; what can't be has left nothing written.
    fn send_relayed(&mut self, now: Instant, id: TransactionId, status: u16, block: Block) -> Result<(), Error> {
        if block.is_none() {
            return Err(Error::Invalid(Argument::Status));
        }
        self.replace_message(id, block);
        let accepted = (200..300).contains(&status)
            && self.entry_mut(id).is_some_and(|entry| matches!(entry.machine, Machine::ServerInvite(_)));
        if !accepted {
            self.send_response(now, id, status);
            return Ok(());
        }
        // Of the head the Vias stay: more of them may follow.
        let head = self.entry_mut(id).map_or(Block::NONE, |entry| core::mem::take(&mut entry.template));
        self.send_response(now, id, status);
        let text = self.octets.get(head);
        let (timestamp, _) = split_timestamp(text);
        let end = timestamp.len().saturating_add(vias_of(text).len());
        match self.entry_mut(id) {
            Some(entry) => {
                entry.template = head;
                entry.marks.set(Marks::FORGET);
                self.octets.truncate(head, end);
            }
            None => self.octets.release(head),
        }
        Ok(())
    }

    /// The head of the responses of a server transaction, as long as it is there.
    pub(crate) fn head_of(&self, id: TransactionId) -> Block {
        let entry = self.table.get(id.0).filter(|entry| entry.machine.is_server());
        entry.map_or(Block::NONE, |entry| entry.template)
    }

    /// Ends a server transaction that has given its final response: what is left of it is to send that, once. The answer to a
    /// repetition of its request is its user's again.
    pub fn end_when_sent(&mut self, now: Instant, id: TransactionId) {
        self.reap();
        let until = now.after(self.layer.timers.sixty_four_t1());
        let ready = self.table.ready_list(id.0);
        let Some(entry) = self.entry_mut(id) else { return };
        if !entry.machine.is_server() || !entry.machine.has_final() || entry.machine.is_terminated() {
            return;
        }
        entry.machine = Machine::Once { until };
        self.table.set_timer(id.0, Some(until));
        if !matches!(ready, Some(URGENT | DEFERRED | HELD | PARKED)) {
            self.rest(id);
        }
    }

    /// Gives the message of a transaction back as soon as it is sent: its repetitions are not this transaction's.
    pub fn forget_when_sent(&mut self, id: TransactionId) {
        self.reap();
        let ready = self.table.ready_list(id.0);
        let Some(entry) = self.entry_mut(id) else { return };
        entry.marks.set(Marks::FORGET);
        if !matches!(ready, Some(URGENT | ORDINARY | DEFERRED | HELD | PARKED)) {
            self.rest(id);
        }
    }

    /// Ends a server transaction with a final response of nothing but a status; when there is no room even for that, without one.
    pub fn finish(&mut self, now: Instant, id: TransactionId, status: u16) {
        let bare = |_: &O::Kept<'_>, writer: &mut Writer<'_>| writer.finish_without_body();
        let mut finished = self.respond_by(now, id, status, None, true, &bare);
        if matches!(finished, Err(Error::Capacity(_))) {
            // The provisional response makes way.
            self.release_message(id);
            finished = self.respond_by(now, id, status, None, true, &bare);
        }
        if matches!(finished, Err(Error::Capacity(_))) {
            self.abandon(id);
        }
    }

    /// Writes the 100 that the layer sends by itself; false when there is no head, or no room, which does no harm.
    pub(super) fn write_trying(&mut self, id: TransactionId) -> bool {
        let has_head = self.table.get(id.0).is_some_and(|entry| !entry.template.is_none());
        has_head && self.write_response(id, 100, None, false, &|_, writer| writer.finish_without_body()).is_ok()
    }

    fn write_response(
        &mut self,
        id: TransactionId,
        status: u16,
        reason: Option<&[u8]>,
        reserved: bool,
        rest: &dyn Fn(&O::Kept<'_>, &mut Writer<'_>),
    ) -> Result<(), Error> {
        let template = self.entry_mut(id).ok_or(Error::Gone)?.template;
        let want = self.octets.get(template).len().saturating_add(64);
        let reason = reason.unwrap_or(reason_phrase(status).as_bytes());
        let block = self.octets.write(want, reserved, |kept, writer| {
            writer.status_line(status, reason);
            let (timestamp, head) = split_timestamp(kept.get(template));
            if status == 100 {
                writer.raw(timestamp);
            }
            writer.raw(head);
            rest(kept, writer);
        })?;
        self.replace_message(id, block);
        Ok(())
    }

    fn replace_message(&mut self, id: TransactionId, block: Block) {
        let Some(entry) = self.entry_mut(id) else { return };
        entry.marks.take(Marks::RESENT);
        let old = core::mem::replace(&mut entry.message, block);
        self.octets.release(old);
    }
}

/// Writes a response as it is passed on, with the Vias of the head of its request if there is one; nothing when it can't be.
fn write_relayed(response: &Message<'_>, template: &[u8], by_stream: bool, writer: &mut Writer<'_>) {
    let forward = ForwardResponse::new(response).vias(vias_of(template));
    let forward = if by_stream { forward.content_length() } else { forward };
    let _ = forward.write_to(writer);
}

/// Keeps the Timestamp of a request before the head of its responses, for the 100 (RFC 3261 §8.2.6.1).
fn write_timestamp(writer: &mut Writer<'_>, request: &Message<'_>) {
    if let Some(value) = request.header_rows(HeaderName::Timestamp).next()
        && !has(value, b'\r')
    {
        writer.header_raw(HeaderName::Timestamp, value);
    }
}

/// Divides what a server transaction keeps of its request: the Timestamp row if there is one, and the head of the responses.
fn split_timestamp(template: &[u8]) -> (&[u8], &[u8]) {
    // The head begins with Via.
    let end = match template {
        [b'T', ..] => template.iter().position(|octet| *octet == b'\n').map_or(0, |end| end.saturating_add(1)),
        _ => 0,
    };
    template.split_at_checked(end).unwrap_or((b"", template))
}

/// The value of the first row of Via of a head; nothing of no head.
pub(crate) fn first_via(template: &[u8]) -> &[u8] {
    let (_, head) = split_timestamp(template);
    let Some(value) = head.strip_prefix(b"Via: ") else { return b"" };
    let mut end = find(value, 0, b'\n');
    while matches!(value.get(end.saturating_add(1)), Some(b' ' | b'\t')) {
        end = find(value, end.saturating_add(1), b'\n');
    }
    value.get(..end).and_then(|value| value.strip_suffix(b"\r")).unwrap_or_default()
}

/// The rows of Via that a head begins with, behind a Timestamp; nothing of no head.
fn vias_of(template: &[u8]) -> &[u8] {
    let (_, head) = split_timestamp(template);
    // From follows them; what continues a row begins with white space.
    let mut end = 0_usize;
    while end < head.len() {
        end = find(head, end, b'\n').saturating_add(1);
        if head.get(end).is_none_or(|first| *first == b'F') {
            return head.get(..end).unwrap_or_default();
        }
    }
    b""
}
