//! The caller's side of an INVITE (RFC 3261 §13.2, §14.1): forks, CANCEL, ACK, and the end by BYE.

use super::agent::{Agent, RESERVED_TRANSACTIONS, SEND};
use super::config::Text;
use super::content::Content;
use super::entry::{CallState, Owner, Tries};
use super::event::{Call, Cause, Event};
use super::request::{Head, check_from, check_target, content_size, direct_flow};
use crate::dialog::{Dialog, Identity, Lookup, State};
use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Header, HeaderName, Message, Method, build};
use crate::random::Token;
use crate::role::Received;
use crate::time::Instant;
use crate::transaction::{NewClient, TransactionId};
use crate::transport::Flow;

impl<O: Octets> Agent<'_, O> {
    /// Opens a call: an INVITE to `target`.
    pub(super) fn invite(
        &mut self,
        now: Instant,
        target: &str,
        from: &str,
        content: &Content<'_>,
    ) -> Result<Call, Error> {
        content.check()?;
        check_from(from)?;
        let uri = check_target(target)?;
        let flow = self.flow_to(&uri, true);
        let call = self.open_call(content_size(&Content { body: None, ..*content }))?;
        match self.send_invite(now, call, target, from, flow, content) {
            Ok(invite) => {
                if let Some(entry) = self.call_mut(call) {
                    entry.invite = invite;
                    entry.state = CallState::Calling;
                    entry.offered = content.body.is_some();
                }
                self.limit_ringing(now, call);
                Ok(Call(call))
            }
            Err(error) => {
                self.close_call(now, call);
                Err(error)
            }
        }
    }

    fn send_invite(
        &mut self,
        now: Instant,
        call: Handle,
        target: &str,
        from: &str,
        flow: Flow,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        let settings = self.s.settings;
        let random = &mut self.s.random;
        let head = Head {
            method: Method::Invite,
            uri: target.as_bytes(),
            to: target.as_bytes(),
            from: from.as_bytes(),
            from_tag: random.token(),
            call_id: random.token(),
            seq: 1,
            branch: random.token(),
            transport: settings.transport,
            proxied: true,
        };
        let block = self.octets.write(content_size(content), false, |kept, writer| {
            settings.write_head(kept, writer, &head);
            settings.write_contact(kept, writer, settings.transport);
            settings.write_abilities(kept, writer);
            settings.write_agent(kept, writer, HeaderName::UserAgent);
            content.write(writer);
        })?;
        let user = Owner::Invite(call).user(Tries::default());
        let new = NewClient { block, flow, method: Method::Invite, branch: head.branch, user, reserved: false };
        self.send_request(now, new)
    }

    /// Takes a call entry, its dialog, and the room that its hang-up will need.
    pub(super) fn open_call(&mut self, octets: usize) -> Result<Handle, Capacity> {
        let mut layer = self.layer();
        if layer.free_for(false) <= RESERVED_TRANSACTIONS {
            return Err(Capacity::Transactions);
        }
        layer.reserve(RESERVED_TRANSACTIONS)?;
        let room = self.octets.reserve(octets);
        let call = room.and_then(|()| {
            let call = self.call_table().insert().ok_or(Capacity::Calls);
            call.inspect_err(|_| self.octets.unreserve(octets))
        });
        let call = call.and_then(|call| {
            let dialog = self.dialog_table().insert();
            let Some(dialog) = dialog else {
                self.call_table().remove(call);
                self.octets.unreserve(octets);
                return Err(Capacity::Dialogs);
            };
            if let Some(entry) = self.dialog_mut(dialog) {
                entry.state = State::Early;
                entry.call = call;
            }
            if let Some(entry) = self.call_mut(call) {
                entry.dialog = dialog;
                entry.reserved = u32::try_from(octets).unwrap_or(u32::MAX);
            }
            Ok(call)
        });
        call.inspect_err(|_| self.layer().unreserve(RESERVED_TRANSACTIONS))
    }

    /// Undoes [`open_call`](Self::open_call).
    pub(super) fn close_call(&mut self, now: Instant, call: Handle) {
        let _ = self.end_now(now, call, Cause::NoRoom, 0);
    }

    pub(super) fn limit_ringing(&mut self, now: Instant, call: Handle) {
        let limit = self.s.settings.ring_limit;
        if let Some(entry) = self.call_mut(call) {
            entry.limit_at = now + limit;
        }
        self.arm_call(call);
    }

    /// A response to the INVITE that opened a call, before its transaction has taken it.
    pub(super) fn invite_response(
        &mut self,
        now: Instant,
        flow: Flow,
        call: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        match response.status().unwrap_or_default() {
            100..=199 => self.progress(now, flow, call, response),
            200..=299 => self.answered(now, flow, call, id, response),
            status => self.rejected(now, call, id, status),
        }
    }

    fn progress(&mut self, now: Instant, flow: Flow, call: Handle, response: &Message<'_>) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let Some(entry) = self.call_mut(call) else { return Received::Nothing };
        if entry.state != CallState::Calling {
            return Received::Nothing;
        }
        entry.provisional = true;
        if entry.hangup {
            self.cancel(now, call);
            return Received::Nothing;
        }
        if status == 100 {
            return Received::Nothing;
        }
        if response.to_tag().is_some() {
            // An early dialog is a convenience: without room for one the call goes on.
            let _ = self.early_dialog(flow, call, response);
        }
        Received::Event(Event::Progress { call: Call(call), status })
    }

    /// Makes a dialog of a provisional response, if its fork has none yet.
    fn early_dialog(&mut self, flow: Flow, call: Handle, response: &Message<'_>) -> Result<(), Error> {
        if self.dialog_of(response).is_some() {
            return Ok(());
        }
        let first = self.call(call).map(|entry| entry.dialog).ok_or(Error::Gone)?;
        let unused = self.dialog(first).is_some_and(|dialog| dialog.identity.block.is_none());
        if unused {
            return self.bind_dialog(flow, first, response, &[]);
        }
        // Each call that may still come needs a dialog of its own.
        let (free_dialogs, free_calls) = (self.dialog_table().free(), self.call_table().free());
        if free_dialogs <= free_calls {
            return Err(Capacity::Dialogs.into());
        }
        let dialog = self.dialog_table().insert().ok_or(Capacity::Dialogs)?;
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.state = State::Early;
            entry.call = call;
        }
        if let Err(error) = self.bind_dialog(flow, dialog, response, &[]) {
            self.dialog_table().remove(dialog);
            return Err(error);
        }
        let next = self.dialog(first).map_or(Handle::NONE, |entry| entry.next);
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.next = next;
        }
        if let Some(entry) = self.dialog_mut(first) {
            entry.next = dialog;
        }
        Ok(())
    }

    /// Gives a dialog the identity that a message makes (RFC 3261 §12.1).
    pub(super) fn bind_dialog(
        &mut self,
        flow: Flow,
        dialog: Handle,
        message: &Message<'_>,
        local_tag: &[u8],
    ) -> Result<(), Error> {
        let identity = Identity::keep(message, local_tag, self.octets)?;
        let preferred = self.s.settings.transport;
        let next_hop = identity.texts(self.octets.get(identity.block)).next_hop();
        let direct = next_hop.map_or(Flow::NONE, |uri| direct_flow(&uri, preferred));
        let hash = self.s.hash;
        let key = if message.is_request() {
            let to_tag = message.to_tag().unwrap_or(local_tag);
            crate::dialog::key(hash, message.call_id(), to_tag, message.from_tag().unwrap_or_default())
        } else {
            crate::dialog::key_of(message, hash)
        };
        self.dialog_table().unlink_key(dialog, 0);
        let octets = &mut *self.octets;
        let mut table = crate::memory::Table::new(&mut self.s.dialog_head, self.dialogs);
        if let Some(entry) = table.get_mut(dialog) {
            octets.release(entry.identity.block);
            entry.identity = identity;
            entry.flow = direct;
            entry.source = flow;
            entry.lookup = Lookup::None;
            entry.set_key(key);
            let seq = message.cseq().number;
            if message.is_request() {
                entry.remote_seq = seq;
                entry.remote_seq_known = true;
                entry.is_callee = true;
            } else {
                entry.local_seq = seq;
            }
        }
        table.link_key(dialog, 0, key);
        Ok(())
    }

    /// A 2xx to the INVITE that opened a call (RFC 3261 §13.2.2.4).
    fn answered(
        &mut self,
        now: Instant,
        flow: Flow,
        call: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let known = self.dialog_of(response);
        let Some(entry) = self.call(call) else { return self.refuse_fork(now, flow, response) };
        if entry.state != CallState::Calling {
            return match known {
                Some(dialog) => {
                    self.acknowledge_again(dialog, response.cseq().number);
                    Received::Nothing
                }
                None => self.refuse_fork(now, flow, response),
            };
        }
        let (first, hangup, sessions, offered) = (entry.dialog, entry.hangup, entry.sessions, entry.offered);
        let dialog = known.unwrap_or(first);
        let bound = match known {
            Some(dialog) => self.refresh_target(flow, dialog, response),
            None => self.bind_dialog(flow, first, response, &[]),
        };
        if bound.is_err() {
            // A 2xx that makes no dialog can't even be ended.
            let (cause, status) = if hangup { (Cause::LocalHangup, 0) } else { (Cause::NoRoom, status) };
            return self.end_now(now, call, cause, status);
        }
        self.choose_dialog(now, call, dialog);
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.state = State::Confirmed;
            entry.sessions = sessions;
            entry.local_seq = entry.local_seq.max(response.cseq().number);
            entry.answer_due = !hangup && !offered && !response.body().is_empty();
        }
        let answer_due = self.dialog(dialog).is_some_and(|entry| entry.answer_due);
        if let Some(entry) = self.call_mut(call) {
            entry.state = CallState::Established;
            entry.limit_at = Instant::ZERO;
        }
        self.arm_call(call);
        if !answer_due {
            let (seq, invite) = (response.cseq().number, self.layer().block(id));
            if self.send_ack(now, dialog, seq, invite, &Content::NONE).is_err() && !hangup {
                return self.lose_call(now, call, Cause::NoRoom, status);
            }
        } else if let Some(entry) = self.dialog_mut(dialog) {
            entry.ack_seq = response.cseq().number;
        }
        if hangup {
            let cause = self.call(call).map_or(Cause::LocalHangup, |entry| entry.cause);
            return self.lose_call(now, call, cause, 0);
        }
        Received::Event(Event::Answered { call: Call(call), answer_due })
    }

    /// Keeps one dialog of a call and drops its early ones: what they still send is refused as a fork.
    fn choose_dialog(&mut self, now: Instant, call: Handle, chosen: Handle) {
        let mut dialog = self.call(call).map_or(Handle::NONE, |entry| entry.dialog);
        while let Some(entry) = self.dialog(dialog) {
            let next = entry.next;
            if dialog == chosen {
                if let Some(entry) = self.dialog_mut(dialog) {
                    entry.next = Handle::NONE;
                }
            } else {
                self.drop_dialog(now, dialog);
            }
            dialog = next;
        }
        if let Some(entry) = self.call_mut(call) {
            entry.dialog = chosen;
        }
    }

    /// Takes the new remote target of a message and the way to it.
    pub(super) fn refresh_target(&mut self, flow: Flow, dialog: Handle, message: &Message<'_>) -> Result<(), Error> {
        let preferred = self.s.settings.transport;
        let octets = &mut *self.octets;
        let mut table = crate::memory::Table::new(&mut self.s.dialog_head, self.dialogs);
        let Some(entry) = table.get_mut(dialog) else { return Err(Error::Gone) };
        entry.source = flow;
        if entry.identity.refresh(message, octets)? {
            let next_hop = entry.identity.texts(octets.get(entry.identity.block)).next_hop();
            entry.flow = next_hop.map_or(Flow::NONE, |uri| direct_flow(&uri, preferred));
        }
        Ok(())
    }

    /// A 2xx that no call wants: it is acknowledged and its dialog ended (RFC 3261 §13.2.2.4).
    pub(super) fn refuse_fork(&mut self, now: Instant, flow: Flow, response: &Message<'_>) -> Received<Event> {
        let seq = response.cseq().number;
        if let Some(dialog) = self.dialog_of(response) {
            self.acknowledge_again(dialog, seq);
            return Received::Nothing;
        }
        let Some(dialog) = self.dialog_table().insert() else { return Received::Nothing };
        let bound = self.bind_dialog(flow, dialog, response, &[]);
        let acknowledged = bound.and_then(|()| self.send_ack(now, dialog, seq, Block::NONE, &Content::NONE));
        let ended = acknowledged.and_then(|()| self.send_bye(now, dialog));
        if ended.is_err() {
            // The peer repeats its 2xx; there may be room then.
            self.drop_dialog(now, dialog);
        }
        Received::Nothing
    }

    fn rejected(&mut self, now: Instant, call: Handle, id: TransactionId, status: u16) -> Received<Event> {
        let Some(entry) = self.call(call) else { return Received::Nothing };
        if entry.invite != id || entry.state != CallState::Calling {
            return Received::Nothing;
        }
        let (cause, status) = match (entry.hangup, status) {
            // The answer to our CANCEL.
            (true, 487) => (entry.cause, 487),
            (true, _) => (entry.cause, status),
            (false, _) => (Cause::Rejected, status),
        };
        self.end_now(now, call, cause, status)
    }

    /// Writes and sends the ACK to a 2xx; it is kept for every repetition of the 2xx.
    ///
    /// `invite` is the block of the INVITE, whose credentials the ACK repeats (RFC 3261 §22.1).
    pub(super) fn send_ack(
        &mut self,
        now: Instant,
        dialog: Handle,
        seq: u32,
        invite: Block,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let settings = self.s.settings;
        let branch = self.s.random.token();
        let entry = self.dialog(dialog).ok_or(Error::Gone)?;
        let (identity, flow) = (entry.identity, entry.flow);
        let transport = if flow.is_none() { settings.transport } else { flow.transport };
        let block = self.octets.write(content_size(content), true, |kept, writer| {
            let sent_by = settings.text(kept.get(settings.block()), Text::SentBy);
            let texts = identity.texts(kept.get(identity.block));
            texts.write_head(writer, Method::Ack, seq, transport, sent_by, branch);
            if let Ok(invite) = Message::parse(kept.get(invite)) {
                for header in invite.headers() {
                    if matches!(header.name, HeaderName::Authorization | HeaderName::ProxyAuthorization) {
                        writer.header(header.name, header.value);
                    }
                }
            }
            content.write(writer);
        })?;
        let patience = self.patience();
        let octets = &mut *self.octets;
        let mut table = crate::memory::Table::new(&mut self.s.dialog_head, self.dialogs);
        if let Some(entry) = table.get_mut(dialog) {
            octets.release(core::mem::replace(&mut entry.ack, block));
            entry.ack_seq = seq;
            entry.answer_due = false;
            entry.give_up_at = now + patience;
        }
        self.arm_dialog(dialog);
        self.offer_ack(dialog);
        Ok(())
    }

    /// Puts a dialog's ACK among what is to be sent, or asks for the way first.
    fn offer_ack(&mut self, dialog: Handle) {
        let Some(entry) = self.dialog_mut(dialog) else { return };
        let list = if entry.flow.is_none() {
            if entry.lookup != Lookup::None {
                return;
            }
            entry.lookup = Lookup::Due;
            super::agent::LOOK_UP
        } else {
            SEND
        };
        let mut table = self.dialog_table();
        if table.ready_list(dialog).is_none() {
            table.push(dialog, list);
        }
    }

    /// A 2xx was repeated: so is its ACK (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge_again(&mut self, dialog: Handle, seq: u32) {
        if self.dialog(dialog).is_some_and(|entry| entry.ack_seq == seq && !entry.ack.is_none()) {
            self.offer_ack(dialog);
        }
    }

    /// The way to a dialog's peer is known: what waits for it goes out.
    pub(super) fn dialog_reached(&mut self, dialog: Handle, flow: Flow) {
        let Some(entry) = self.dialog_mut(dialog) else { return };
        entry.flow = if flow.is_none() { entry.source } else { flow };
        entry.lookup = Lookup::None;
        let transport = entry.flow.transport;
        let ack = entry.ack;
        if !ack.is_none() {
            build::stamp(self.octets.get_mut(ack), transport, None);
            self.offer_ack(dialog);
        }
    }

    /// Sends the ACK that waited for the application's answer.
    pub(super) fn acknowledge(&mut self, now: Instant, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let dialog = self.call(call).ok_or(Error::Gone)?.dialog;
        let entry = self.dialog(dialog).ok_or(Error::State)?;
        if !entry.answer_due {
            return Err(Error::State);
        }
        self.send_ack(now, dialog, entry.ack_seq, Block::NONE, content)
    }

    /// Ends a call in whatever state it is; `headers` go into the CANCEL, BYE or refusal that does it.
    pub(super) fn hang_up(&mut self, now: Instant, call: Handle, headers: &[Header<'_>]) -> Result<(), Error> {
        let state = self.call(call).ok_or(Error::Gone)?.state;
        if matches!(state, CallState::Calling | CallState::Established) {
            let rows = Content::keep_headers(headers, self.octets)?;
            let entry = self.call_mut(call).ok_or(Error::Gone)?;
            let old = core::mem::replace(&mut entry.farewell, rows);
            self.octets.release(old);
        }
        let entry = self.call_mut(call).ok_or(Error::Gone)?;
        match state {
            CallState::Calling => {
                entry.hangup = true;
                entry.cause = Cause::LocalHangup;
                if entry.provisional {
                    self.cancel(now, call);
                }
                Ok(())
            }
            CallState::Ringing => self.reject(now, call, 603, &Content { headers, body: None }),
            CallState::Established => {
                let _ = self.lose_call(now, call, Cause::LocalHangup, 0);
                Ok(())
            }
            CallState::Ending => Ok(()),
            CallState::Over | CallState::Free => Err(Error::Gone),
        }
    }

    /// Sends the CANCEL of a call's INVITE, once, and gives its final response 64·T1 (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, now: Instant, call: Handle) {
        let patience = self.patience();
        let Some(entry) = self.call_mut(call) else { return };
        if core::mem::replace(&mut entry.cancelled, true) {
            return;
        }
        entry.limit_at = now + patience;
        let (invite, rows) = (entry.invite, entry.farewell);
        self.arm_call(call);
        self.send_cancel(now, invite, rows);
    }

    /// Sends the CANCEL of one of our INVITEs.
    pub(super) fn send_cancel(&mut self, now: Instant, invite: TransactionId, rows: Block) {
        let layer = self.layer();
        let (block, flow) = (layer.block(invite), layer.flow(invite));
        let Some(branch) = Message::parse(self.octets.get(block)).ok().and_then(|invite| own_branch(&invite)) else {
            return;
        };
        let size = self.octets.get(block).len();
        let written = self.octets.write(size, true, |kept, writer| {
            if let Ok(invite) = Message::parse(kept.get(block)) {
                build::cancel(writer, &invite, |writer| writer.raw(kept.get(rows)));
            }
        });
        if let Ok(block) = written {
            // Without room for the CANCEL the INVITE ends by its limit.
            let user = Owner::Nobody.user(Tries::default());
            let _ =
                self.send_request(now, NewClient { block, flow, method: Method::Cancel, branch, user, reserved: true });
        }
    }

    /// Ends an established call for `cause`: BYE, now or as soon as the ACK is there (RFC 3261 §15).
    pub(super) fn lose_call(&mut self, now: Instant, call: Handle, cause: Cause, status: u16) -> Received<Event> {
        let Some(entry) = self.call_mut(call) else { return Received::Nothing };
        entry.cause = cause;
        entry.status = status;
        entry.state = CallState::Ending;
        let dialog = entry.dialog;
        let Some(entry) = self.dialog_mut(dialog) else {
            self.end_later(now, call, cause, status);
            return Received::Nothing;
        };
        if entry.resend_interval > 0 && entry.is_callee {
            entry.bye_due = true;
            return Received::Nothing;
        }
        if entry.answer_due {
            let seq = entry.ack_seq;
            let _ = self.send_ack(now, dialog, seq, Block::NONE, &Content::NONE);
        }
        if self.send_bye(now, dialog).is_err() {
            self.end_later(now, call, cause, status);
        }
        Received::Nothing
    }

    /// Sends the BYE of a dialog.
    pub(super) fn send_bye(&mut self, now: Instant, dialog: Handle) -> Result<(), Error> {
        let call = self.dialog(dialog).map_or(Handle::NONE, |entry| entry.call);
        let rows = self.call(call).map_or(Block::NONE, |entry| entry.farewell);
        self.send_in_dialog(now, dialog, Method::Bye, Owner::Bye(dialog), rows, &Content::NONE)?;
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.state = State::Terminating;
            entry.retry_at = Instant::ZERO;
        }
        self.arm_dialog(dialog);
        Ok(())
    }

    /// Writes a request inside a dialog and starts its transaction (RFC 3261 §12.2.1.1).
    pub(super) fn send_in_dialog(
        &mut self,
        now: Instant,
        dialog: Handle,
        method: Method<'_>,
        owner: Owner,
        rows: Block,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        // A BYE is never refused for lack of room.
        let reserved = method == Method::Bye;
        let settings = self.s.settings;
        let branch = self.s.random.token();
        let entry: &Dialog = self.dialog(dialog).ok_or(Error::Gone)?;
        let (identity, flow, sessions) = (entry.identity, entry.flow, entry.sessions);
        let seq = entry.local_seq.saturating_add(1);
        let answers = self.answers(sessions);
        let transport = if flow.is_none() { settings.transport } else { flow.transport };
        let invite = method == Method::Invite;
        let block = self.octets.write(content_size(content), reserved, |kept, writer| {
            let sent_by = settings.text(kept.get(settings.block()), Text::SentBy);
            let texts = identity.texts(kept.get(identity.block));
            texts.write_head(writer, method, seq, transport, sent_by, branch);
            if method != Method::Bye {
                settings.write_contact(kept, writer, transport);
            }
            if invite {
                settings.write_abilities(kept, writer);
            }
            settings.write_agent(kept, writer, HeaderName::UserAgent);
            answers.write(kept, writer, method, texts.request_uri());
            writer.raw(kept.get(rows));
            content.write(writer);
        })?;
        let user = owner.user(Tries::default());
        let id = self.send_request(now, NewClient { block, flow, method, branch, user, reserved })?;
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.local_seq = seq;
        }
        Ok(id)
    }

    /// The response to a BYE: whatever it says, the dialog is over.
    pub(super) fn bye_done(&mut self, now: Instant, dialog: Handle) -> Option<(Handle, Cause, u16)> {
        let entry = self.dialog(dialog)?;
        let call = entry.call;
        match self.call(call) {
            Some(entry) => Some((call, entry.cause, entry.status)),
            None => {
                self.drop_dialog(now, dialog);
                None
            }
        }
    }

    /// The call's limit has come: nobody answered, or nothing came after the CANCEL.
    pub(super) fn call_limit(&mut self, now: Instant, call: Handle) {
        let Some(entry) = self.call_mut(call) else { return };
        entry.limit_at = Instant::ZERO;
        let (cause, status, invite) = (entry.cause, entry.status, entry.invite);
        match entry.state {
            CallState::Calling if entry.cancelled => {
                self.layer().abandon(invite);
                self.end_later(now, call, cause, status);
            }
            CallState::Calling => {
                if !entry.hangup {
                    entry.hangup = true;
                    entry.cause = Cause::NoAnswer;
                }
                // Without a provisional response Timer B has long ended the INVITE.
                self.cancel(now, call);
            }
            CallState::Ringing => {
                let _ = self.refuse(now, call, 480, Cause::NoAnswer, &Content::NONE);
            }
            CallState::Established => self.reinvite_limit(now, call),
            CallState::Ending | CallState::Over | CallState::Free => {}
        }
    }

    /// Forgets early dialogs before an INVITE is sent again with credentials: its forks are new ones.
    pub(super) fn forget_forks(&mut self, now: Instant, call: Handle) {
        let Some(first) = self.call(call).map(|entry| entry.dialog) else { return };
        self.choose_dialog(now, call, first);
        self.dialog_table().unlink_key(first, 0);
        let octets = &mut *self.octets;
        if let Some(index) = first.index()
            && let Some(entry) = self.dialogs.get_mut(index)
        {
            entry.release(octets);
            entry.identity = Identity::ZERO;
        }
    }
}

/// The token in the branch of a request that we wrote.
fn own_branch(request: &Message<'_>) -> Option<Token> {
    Token::read(request.top_via().branch()?.strip_prefix(b"z9hG4bK")?)
}
