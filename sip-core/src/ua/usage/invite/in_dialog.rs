//! Inside a dialog (RFC 3261 §12.2, §13.2.2.4): its making, its target, its requests, and the ACK to a 2xx.

use crate::dialog::{self, Dialog, Identity, Maker};
use crate::error::{Capacity, Error};
use crate::locate::{flow_to, transport_of};
use crate::memory::{Block, Handle, KeptBlocks, Octets};
#[cfg(feature = "session-timer")]
use crate::message::Kept;
use crate::message::{Message, Method, Uri};
use crate::random::Token;
use crate::role::Received;
use crate::transaction::{NewClient, TransactionId, User, demands_tls};
use crate::transport::{Flow, Transport};
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::{Context, Core};
use crate::ua::event::Event;
use crate::ua::headers::{DialogHead, Field};
use crate::ua::reply::RESERVED_OCTETS;
use crate::ua::usage::invite::InviteTransaction;
use crate::ua::usage::invite::machine::Exchange;
use crate::ua::usage::request::RequestTransaction;
use crate::ua::usage::{Tries, UsageId};

/// What an ACK or BYE takes beside the texts of its dialog and of the settings, at most: Via, Max-Forwards, CSeq, the row names.
const WITHOUT_TEXTS: usize = 320;

impl<O: Octets> Context<'_, O> {
    /// Gives a dialog the identity that a message makes (RFC 3261 §12.1).
    pub(in crate::ua) fn bind_dialog(
        &mut self,
        dialog: Handle,
        message: &Message<'_>,
        local_tag: &[u8],
    ) -> Result<(), Error> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let needed = Identity::room(message);
        if !self.can_spend(call, needed) {
            return Err(Capacity::octets(needed).into());
        }
        let mut next_hop = None;
        let identity = Identity::keep(message, local_tag, self.transactions.octets, &mut next_hop)?;
        let way = self.way_to(next_hop.as_ref());
        let by = Maker { message, new: &self.new, source: &self.source, local_tag, hash: &self.core.hash };
        self.dialogs.unlink_key(dialog, 0);
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Err(Error::Gone) };
        entry.bind(identity, way, &by, self.transactions.octets);
        let key = entry.key();
        self.dialogs.link_key(dialog, 0, key);
        Ok(())
    }

    /// The dialog of an established call.
    pub(in crate::ua) fn confirmed_dialog(&self, call: Handle) -> Result<Handle, Error> {
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        let confirmed = self.dialogs.get(dialog).is_some_and(|entry| entry.state() == dialog::State::Confirmed);
        if confirmed { Ok(dialog) } else { Err(Error::State) }
    }

    /// The way to a next hop; to the source when there is none, and none when it has to be looked up. No connection is part of
    /// it: that is asked for with each request, because it may be closed meanwhile.
    fn way_to(&self, next_hop: Option<&Uri<'_>>) -> Flow {
        match next_hop {
            None => Flow { connection: 0, ..self.source },
            Some(uri) => flow_to(uri, self.core.settings.transport),
        }
    }

    /// Acknowledges a 2xx that has no dialog here, because it is over already or there is no room for one, and with `bye` ends
    /// what it made (RFC 3261 §13.2.2.4, §15). What calls have reserved is left alone.
    pub(in crate::ua) fn acknowledge_alone(&mut self, response: &Message<'_>, bye: bool) -> Received<Event> {
        // Without room the peer repeats its 2xx.
        if !self.can_spend(Handle::NONE, Identity::room(response)) {
            return Received::Nothing;
        }
        let mut next_hop = None;
        let kept = Identity::keep(response, b"", self.transactions.octets, &mut next_hop);
        let Ok(identity) = kept else { return Received::Nothing };
        let way = match self.way_to(next_hop.as_ref()) {
            way if way.is_none() || way.needs_connection() => unless_plain(self.source, next_hop),
            way => way,
        };
        // All that a request has beside these texts, our own or the dialog's, is shorter.
        let texts = [identity.block, self.core.settings.block()].map(|block| self.transactions.octets.get(block).len());
        let each = texts.iter().fold(WITHOUT_TEXTS, |sum, text| sum.saturating_add(*text));
        let room = self.can_spend(Handle::NONE, each.saturating_mul(2).saturating_add(usize::from(RESERVED_OCTETS)));
        // Both are sent or none, for an ACK alone would leave the peer in a call.
        if !way.is_none() && room && self.transactions.free_for(false) > usize::from(bye) {
            let (dialog, user, seq) = (Dialog::of(identity, way), UsageId::None.new_user(), response.cseq().number);
            let branch = self.core.random.token();
            let ack = DialogHead { dialog: &dialog, method: Method::Ack, seq, branch, answers: &Answers::NONE };
            let sent = self.send_from(&ack, user, false, &[], &Content::NONE);
            if bye && sent.is_ok() {
                let branch = self.core.random.token();
                let bye = DialogHead { method: Method::Bye, seq: seq.saturating_add(1), branch, ..ack };
                let _ = self.send_from(&bye, user, false, &[Field::UserAgent], &Content::NONE);
            }
        }
        self.transactions.octets.release(identity.block);
        Received::Nothing
    }

    /// Writes a request inside a dialog and sends it. With `reserved` it may use what is set aside.
    pub(in crate::ua) fn send_from(
        &mut self,
        head: &DialogHead<'_>,
        user: User,
        reserved: bool,
        rows: &[Field<'_>],
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        let Core { settings, sessions, .. } = &*self.core;
        let (flow, identity) = (head.dialog.way(), head.dialog.identity());
        let transport = if flow.is_none() { settings.transport } else { flow.transport };
        let mut strict = false;
        let block = self.transactions.octets.write(content.room(), reserved, |kept, writer| {
            let sent_by = settings.sent_by(kept.get(settings.block()));
            let texts = identity.texts(kept.get(identity.block));
            strict = texts.is_strict();
            texts.write_head(writer, head.method, head.seq, transport, sent_by, head.branch);
            #[cfg(not(feature = "session-timer"))]
            let body = content.bytes();
            // The body that a refresh repeats (`qop=auth-int`).
            #[cfg(feature = "session-timer")]
            let body = match rows.last() {
                Some(Field::End(end)) => Kept::new(kept.get(*end)).body(),
                _ => content.bytes(),
            };
            head.answers.write(sessions, kept, writer, (head.method, texts.request_uri(), body));
            settings.write_rest(kept, writer, rows, content);
        })?;
        let (method, branch) = (head.method, head.branch.into());
        // The way leads to the strict router, whose URI does not say that the target's has to be reached by TLS (§26.2.2).
        let is_open = cfg!(feature = "streams") && strict && !flow.transport.is_secure();
        let flow = if is_open && demands_tls(self.transactions.octets.get(block), true) { Flow::NONE } else { flow };
        let id = self.send_request(NewClient { block, flow, method, branch, user, reserved })?;
        if strict {
            self.transactions.set_strict(id);
        }
        Ok(id)
    }

    /// Keeps one dialog of a call and drops its early ones: what they still send is refused as a fork.
    pub(in crate::ua) fn choose_dialog(&mut self, call: Handle, chosen: Handle) {
        let mut dialog = self.calls.get(call).map_or(Handle::NONE, |entry| entry.dialog);
        while let Some(entry) = self.dialogs.get(dialog) {
            let next = entry.usage.next;
            if dialog == chosen {
                if let Some(entry) = self.dialogs.get_mut(dialog) {
                    entry.usage.next = Handle::NONE;
                }
            } else {
                self.drop_dialog(dialog);
            }
            dialog = next;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.dialog = chosen;
        }
    }

    /// Takes what the 2xx to our re-INVITE brings: the new remote target and the way to it. Without room for it the old one stays.
    pub(in crate::ua) fn refresh_target(&mut self, dialog: Handle, invite: TransactionId, response: &Message<'_>) {
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        entry.usage.ack_of = invite;
        entry.set_source(self.source);
        if let Some(target) = entry.identity().new_target(response, self.transactions.octets) {
            self.set_target(dialog, Some(target), Block::NONE);
        }
    }

    /// Keeps the new remote target of the peer's INVITE until its 2xx (RFC 6141 §4.3).
    pub(in crate::ua) fn keep_target(&mut self, call: Handle, invite: &Message<'_>) {
        let octets = &mut *self.transactions.octets;
        let Some(entry) = self.calls.get_mut(call) else { return };
        let dialog = self.dialogs.get(entry.dialog);
        let new = dialog.and_then(|dialog| dialog.identity().new_target(invite, octets));
        let kept = new.and_then(|target| octets.write(target.len(), false, |_, writer| writer.raw(target)).ok());
        octets.release(core::mem::replace(&mut entry.new_target, kept.unwrap_or_default()));
    }

    /// Takes the remote target that the peer's INVITE brought, which is being accepted.
    pub(in crate::ua) fn take_target(&mut self, call: Handle, invite: TransactionId) {
        let source = self.transactions.flow(invite);
        let Some(entry) = self.calls.get_mut(call) else { return };
        let (dialog, target) = (entry.dialog, core::mem::take(&mut entry.new_target));
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.set_source(source);
        }
        if !target.is_none() {
            self.set_target(dialog, None, target);
            self.transactions.octets.release(target);
        }
    }

    pub(in crate::ua) fn set_target(&mut self, dialog: Handle, text: Option<&[u8]>, block: Block) {
        let octets = &mut *self.transactions.octets;
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        if entry.set_target(text, block, octets) {
            let next_hop = entry.texts(octets).next_hop();
            entry.set_way(next_hop.map_or(Flow::NONE, |uri| flow_to(&uri, self.core.settings.transport)));
        }
    }

    /// Sends the ACK to a 2xx. What makes it up is kept for every repetition of the 2xx.
    ///
    /// `invite` is the block of the INVITE, whose credentials the ACK repeats (RFC 3261 §22.1).
    pub(in crate::ua) fn send_ack(
        &mut self,
        dialog: Handle,
        seq: u32,
        invite: Block,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        self.release_ack(dialog);
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Err(Error::Gone) };
        let (invite_id, before) = (entry.usage.ack_of, core::mem::take(&mut entry.usage.ack));
        let has_end = !content.is_empty() || entry.sessions != [0; 2];
        // One that still waits is that of a 2xx before, which the request behind it has acknowledged.
        self.transactions.abandon(before);
        if has_end {
            let settings = &self.core.settings;
            let end = self.transactions.octets.write(content.room(), true, |kept, writer| {
                settings.write_rest(kept, writer, &[Field::CredentialsOf(invite)], content);
            })?;
            if let Some(entry) = self.dialogs.get_mut(dialog) {
                entry.usage.ack_end = end;
            }
        }
        let sent = self.repeat_ack(dialog, seq, Tries::default());
        if sent.is_err() || self.transactions.state(invite_id).is_none() {
            self.release_ack(dialog);
        }
        sent
    }

    /// Sends the ACK of a dialog: each time the same one, to where its remote target is now. `tries` tells the first one.
    fn repeat_ack(&mut self, dialog: Handle, seq: u32, tries: Tries) -> Result<(), Error> {
        let Some(entry) = self.dialogs.get(dialog) else { return Err(Error::Gone) };
        if self.transactions.state(entry.usage.ack).is_some() {
            // It waits for its way, or for the socket.
            return Ok(());
        }
        let (from, end, reserved) = (*entry, entry.usage.ack_end, !entry.usage.call.is_none());
        let branch = self.core.hash.hasher().number(entry.key().bits()).number(u64::from(seq)).finish();
        let branch = Token::new(branch.bits());
        let head = DialogHead { dialog: &from, method: Method::Ack, seq, branch, answers: &Answers::NONE };
        let user = UsageId::Invite(InviteTransaction::Ack(dialog)).user(tries);
        let id = self.send_from(&head, user, reserved, &[Field::End(end)], &Content::NONE)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.ack = id;
            entry.usage.ack_seq = seq;
        }
        Ok(())
    }

    /// Gives back what an ACK was kept for, the repetitions of its 2xx.
    pub(in crate::ua) fn release_ack(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            self.transactions.octets.release(core::mem::take(&mut entry.usage.ack_end));
        }
    }

    /// The ACK to a 2xx waits for the application's answer; until then the INVITE is kept for its credentials.
    pub(in crate::ua) fn expect_answer(&mut self, call: Handle, invite: TransactionId, seq: u32) {
        let block = self.transactions.take_message(invite);
        let Some(entry) = self.calls.get_mut(call) else { return self.transactions.octets.release(block) };
        self.transactions.octets.release(core::mem::replace(&mut entry.kept_invite, block));
        entry.invite_seq = seq;
        entry.exchange = Exchange::AnswerDue;
    }

    /// Where a request of ours goes when its target can't be reached: where the peer's last message in its dialog came from. None
    /// for a `sips` target when that is no TLS: it never goes out in plain text (RFC 3261 §26.2.2).
    pub(in crate::ua) fn dialog_source(&self, id: TransactionId) -> Flow {
        let dialog = match UsageId::of(self.transactions.user(id)).0 {
            UsageId::Invite(
                InviteTransaction::Reinvite(dialog)
                | InviteTransaction::Bye(dialog)
                | InviteTransaction::Prack(dialog)
                | InviteTransaction::Update(dialog)
                | InviteTransaction::Ack(dialog),
            ) => Some(dialog),
            UsageId::Request(RequestTransaction::Outgoing(_)) => self.dialog_of_own(id),
            _ => None,
        };
        let Some(entry) = dialog.and_then(|dialog| self.dialogs.get(dialog)) else { return Flow::NONE };
        let source = entry.source();
        if source.needs_connection() {
            return Flow::NONE;
        }
        unless_plain(source, entry.texts(self.transactions.octets).next_hop())
    }

    /// A 2xx was repeated: so is its ACK (RFC 3261 §13.2.2.4).
    pub(in crate::ua) fn acknowledge_again(&mut self, dialog: Handle, seq: u32) {
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        if entry.usage.ack_seq == seq {
            entry.set_source(self.source);
            // Without room for it the peer repeats its 2xx.
            let _ = self.repeat_ack(dialog, seq, Tries { total: 1, repeated: 0 });
        }
    }

    /// Sends the ACK that waited for the application's answer.
    pub(in crate::ua) fn acknowledge(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        if entry.exchange != Exchange::AnswerDue || !entry.state.is_up() {
            return Err(Error::State);
        }
        self.send_ack(entry.dialog, entry.invite_seq, entry.kept_invite, content)?;
        #[cfg(feature = "session-timer")]
        self.keep_description(call, content);
        if let Some(entry) = self.calls.get_mut(call) {
            self.transactions.octets.release(core::mem::take(&mut entry.kept_invite));
            entry.exchange = Exchange::Idle;
        }
        Ok(())
    }

    /// Writes a request inside a dialog and starts its transaction (RFC 3261 §12.2.1.1).
    pub(in crate::ua) fn send_in_dialog(
        &mut self,
        dialog: Handle,
        method: Method<'_>,
        user: User,
        rows: Block,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        self.send_in_dialog_with(dialog, method, user, Field::Kept(rows), content)
    }

    /// The same with a row of its own.
    pub(in crate::ua) fn send_in_dialog_with(
        &mut self,
        dialog: Handle,
        method: Method<'_>,
        user: User,
        row: Field<'_>,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        // A BYE is never refused for lack of room.
        let from = *self.dialogs.get(dialog).ok_or(Error::Gone)?;
        let reserved = matches!(method, Method::Bye) && !from.usage.call.is_none();
        let seq = from.next_seq().ok_or(Error::State)?;
        let answers = &self.answers(from.sessions);
        let contact = Field::contact_for(from.texts(self.transactions.octets).target);
        #[cfg(feature = "session-timer")]
        let session = self.session_request(from.usage.call);
        let all = [
            #[cfg(feature = "session-timer")]
            session,
            Field::Abilities,
            contact,
            Field::UserAgent,
            row,
        ];
        let (last, others) = if cfg!(feature = "session-timer") { (3, 2) } else { (2, 1) };
        let rows = match method {
            Method::Invite | Method::Update => &all[..],
            Method::Bye => all.get(last..).unwrap_or_default(),
            _ => all.get(others..).unwrap_or_default(),
        };
        let head = DialogHead { dialog: &from, method, seq, branch: self.core.random.token(), answers };
        let id = self.send_from(&head, user, reserved, rows, content)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.sent(seq);
        }
        Ok(id)
    }
}

/// A flow that the next hop's URI allows: none that is plain text for one under TLS, of `sips` or not (RFC 3261 §26.2.2).
fn unless_plain(flow: Flow, next_hop: Option<Uri<'_>>) -> Flow {
    let secure = next_hop.is_some_and(|uri| transport_of(&uri, Transport::None).is_secure());
    if secure && !flow.transport.is_secure() { Flow::NONE } else { flow }
}
