//! Inside a dialog (RFC 3261 §12.2, §13.2.2.4): its making, its target, its requests, and the ACK to a 2xx.

use crate::dialog::{Identity, Maker};
use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method, Scheme, Uri};
use crate::role::Received;
use crate::transaction::{NewClient, TransactionId, User};
use crate::transport::{Flow, Sizing};
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::Event;
use crate::ua::headers::{DialogHead, Field};
use crate::ua::usage::UsageId;
use crate::ua::usage::invite::InviteTransaction;
use crate::ua::usage::invite::machine::Exchange;
use crate::ua::usage::request::RequestTransaction;
use crate::ua::way::hop_flow;

/// What an ACK or BYE takes beside the texts of its dialog, at most: Via, Max-Forwards, CSeq, User-Agent, the row names.
const WITHOUT_TEXTS: usize = 320;

impl<O: Octets> Context<'_, O> {
    /// Gives a dialog the identity that a message makes (RFC 3261 §12.1).
    pub(in crate::ua) fn bind_dialog(
        &mut self,
        dialog: Handle,
        message: &Message<'_>,
        local_tag: &[u8],
    ) -> Result<(), Error> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.call);
        let needed = Identity::room(message);
        if !self.can_spend(call, needed) {
            return Err(Capacity::octets(needed).into());
        }
        let (identity, next_hop) = Identity::keep(message, local_tag, self.transactions.octets)?;
        let way = self.way_to(next_hop);
        let by = Maker { message, new: self.new, source: self.source, local_tag, hash: self.core.hash };
        self.dialogs.unlink_key(dialog, 0);
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Err(Error::Gone) };
        entry.bind(identity, way, &by, self.transactions.octets);
        let key = entry.key();
        self.dialogs.link_key(dialog, 0, key);
        Ok(())
    }

    /// The way to a next hop; to the source when there is none, and none when it has to be looked up.
    fn way_to(&self, next_hop: Option<Uri<'_>>) -> Flow {
        match next_hop {
            None => self.source,
            found => hop_flow(found, self.core.settings.transport),
        }
    }

    /// Acknowledges a 2xx that has no dialog here, because it is over already or there is no room for one, and with `bye` ends
    /// what it made (RFC 3261 §13.2.2.4, §15). What calls have reserved is left alone.
    pub(in crate::ua) fn acknowledge_alone(&mut self, response: &Message<'_>, bye: bool) -> Received<Event> {
        // Without room the peer repeats its 2xx.
        if !self.can_spend(Handle::NONE, Identity::room(response)) {
            return Received::Nothing;
        }
        let kept = Identity::keep(response, b"", self.transactions.octets);
        let Ok((identity, next_hop)) = kept else { return Received::Nothing };
        let way = match self.way_to(next_hop) {
            way if way.is_none() || way.needs_connection() => unless_plain(self.source, next_hop),
            way => way,
        };
        let each = self.transactions.octets.get(identity.block).len().saturating_add(WITHOUT_TEXTS);
        let room = self.can_spend(Handle::NONE, if bye { each.saturating_mul(2) } else { each });
        if room && !way.is_none() {
            let (seq, flow) = (response.cseq().number, way);
            let answers = &Answers::NONE;
            let branch = self.core.random.token();
            let head = DialogHead { identity, method: Method::Ack, seq, branch, flow, answers };
            if let Ok(ack) = self.write_in_dialog(&head, false, &[], &Content::NONE) {
                self.send_once(flow, ack);
            }
            let branch = self.core.random.token();
            let head = DialogHead { method: Method::Bye, seq: seq.saturating_add(1), branch, ..head };
            if bye && let Ok(block) = self.write_in_dialog(&head, true, &[Field::UserAgent], &Content::NONE) {
                let user = UsageId::None.new_user();
                let _ = self.send_request(NewClient {
                    block,
                    flow,
                    method: Method::Bye,
                    branch: branch.into(),
                    user,
                    reserved: false,
                });
            }
        }
        self.transactions.octets.release(identity.block);
        Received::Nothing
    }

    /// Keeps one dialog of a call and drops its early ones: what they still send is refused as a fork.
    pub(in crate::ua) fn choose_dialog(&mut self, call: Handle, chosen: Handle) {
        let mut dialog = self.calls.get(call).map_or(Handle::NONE, |entry| entry.dialog);
        while let Some(entry) = self.dialogs.get(dialog) {
            let next = entry.next;
            if dialog == chosen {
                if let Some(entry) = self.dialogs.get_mut(dialog) {
                    entry.next = Handle::NONE;
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

    /// Takes the new remote target of a 2xx and the way to it. Without room for it the old one stays.
    pub(in crate::ua) fn refresh_target(&mut self, dialog: Handle, response: &Message<'_>) {
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
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
        let source = self.transactions.view().flow(invite);
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

    fn set_target(&mut self, dialog: Handle, text: Option<&[u8]>, block: Block) {
        let octets = &mut *self.transactions.octets;
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        if entry.set_target(text, block, octets) {
            entry.set_way(hop_flow(entry.texts(octets).next_hop(), self.core.settings.transport));
        }
    }

    /// Writes and sends the ACK to a 2xx; it is kept for every repetition of the 2xx.
    ///
    /// `invite` is the block of the INVITE, whose credentials the ACK repeats (RFC 3261 §22.1).
    pub(in crate::ua) fn send_ack(
        &mut self,
        dialog: Handle,
        seq: u32,
        invite: Block,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let branch = self.core.random.token();
        let entry = self.dialogs.get(dialog).ok_or(Error::Gone)?;
        let head = DialogHead {
            identity: entry.identity(),
            method: Method::Ack,
            seq,
            branch,
            flow: entry.way(),
            answers: &Answers::NONE,
        };
        let block = self.write_in_dialog(&head, true, &[Field::CredentialsOf(invite)], content)?;
        let patience = self.sixty_four_t1();
        let (octets, table) = (&mut *self.transactions.octets, &mut self.dialogs);
        if let Some(entry) = table.get_mut(dialog) {
            octets.release(core::mem::replace(&mut entry.ack, block));
            entry.ack_seq = seq;
            entry.ack_connection = 0;
            entry.ack_sizing = Sizing::ZERO;
            entry.ack_until = self.now + patience;
        }
        self.schedule_dialog(dialog);
        self.offer_ack(dialog);
        Ok(())
    }

    /// The ACK to a 2xx waits for the application's answer; until then the INVITE is kept for its credentials.
    pub(in crate::ua) fn expect_answer(&mut self, call: Handle, invite: TransactionId, seq: u32) {
        let block = self.transactions.take_message(invite);
        let Some(entry) = self.calls.get_mut(call) else { return self.transactions.octets.release(block) };
        self.transactions.octets.release(core::mem::replace(&mut entry.kept_invite, block));
        entry.invite_seq = seq;
        entry.exchange = Exchange::AnswerDue;
    }

    /// Where the last message came from in the dialog that a request of ours belongs to; none when no message can be sent there
    /// as it is.
    pub(in crate::ua) fn dialog_source(&self, id: TransactionId) -> Flow {
        let dialog = match UsageId::of(self.transactions.user(id)).0 {
            UsageId::Invite(InviteTransaction::Reinvite(dialog) | InviteTransaction::Bye(dialog)) => Some(dialog),
            UsageId::Request(RequestTransaction::Outgoing(_)) => self.dialog_of_own(id),
            _ => None,
        };
        let source = dialog.map_or(Flow::NONE, |dialog| self.fallback(dialog));
        if source.needs_connection() { Flow::NONE } else { source }
    }

    /// Where a message goes in a dialog whose target can't be reached: where the peer's last one came from. None for a `sips`
    /// target when that is no TLS: it never goes out in plain text (RFC 3261 §26.2.2).
    pub(in crate::ua) fn fallback(&self, dialog: Handle) -> Flow {
        let Some(entry) = self.dialogs.get(dialog) else { return Flow::NONE };
        unless_plain(entry.source(), entry.texts(self.transactions.octets).next_hop())
    }

    /// A 2xx was repeated: so is its ACK (RFC 3261 §13.2.2.4).
    pub(in crate::ua) fn acknowledge_again(&mut self, dialog: Handle, seq: u32) {
        if self.dialogs.get(dialog).is_some_and(|entry| entry.ack_seq == seq && !entry.ack.is_none()) {
            self.forget_ack_connection(dialog);
            self.offer_ack(dialog);
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
        // A BYE is never refused for lack of room.
        let reserved = method == Method::Bye && self.dialogs.get(dialog).is_some_and(|entry| !entry.call.is_none());
        let branch = self.core.random.token();
        let entry = self.dialogs.get(dialog).ok_or(Error::Gone)?;
        let (identity, flow, sessions) = (entry.identity(), entry.way(), entry.sessions);
        let seq = entry.next_seq().ok_or(Error::State)?;
        let answers = &self.answers(sessions);
        let all = [Field::Abilities, Field::Contact, Field::UserAgent, Field::Kept(rows)];
        let rows = match method {
            Method::Invite => &all[..],
            Method::Bye => all.get(2..).unwrap_or_default(),
            _ => all.get(1..).unwrap_or_default(),
        };
        let head = DialogHead { identity, method, seq, branch, flow, answers };
        let block = self.write_in_dialog(&head, reserved, rows, content)?;
        let id = self.send_request(NewClient { block, flow, method, branch: branch.into(), user, reserved })?;
        if flow.is_none() && identity.texts(self.transactions.octets.get(identity.block)).is_strict() {
            self.transactions.set_strict(id);
        }
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.sent(seq);
        }
        Ok(id)
    }
}

/// A flow that the next hop's URI allows: none that is plain text for `sips` (RFC 3261 §26.2.2).
fn unless_plain(flow: Flow, next_hop: Option<Uri<'_>>) -> Flow {
    let secure = next_hop.is_some_and(|uri| matches!(uri.scheme(), Scheme::Sips));
    if secure && !flow.transport.is_secure() { Flow::NONE } else { flow }
}
