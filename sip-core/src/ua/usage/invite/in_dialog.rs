//! Inside a dialog (RFC 3261 §12.2, §13.2.2.4): its making, its target, its requests, and the ACK to a 2xx.

use crate::dialog::{Identity, Lookup};
use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method};
use crate::time::Instant;
use crate::transaction::{NewClient, TransactionId, User};
use crate::transport::Sizing;
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::headers::{DialogHead, Field};
use crate::ua::way::hop_flow;

impl<O: Octets> Context<'_, O> {
    /// Gives a dialog the identity that a message makes (RFC 3261 §12.1).
    pub(in crate::ua) fn bind_dialog(
        &mut self,
        dialog: Handle,
        message: &Message<'_>,
        local_tag: &[u8],
    ) -> Result<(), Error> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.call);
        let needed = message.head_len();
        if !self.can_spend(call, needed) {
            return Err(Capacity::octets(needed).into());
        }
        let (identity, next_hop) = Identity::keep(message, local_tag, self.transactions.octets)?;
        let direct = hop_flow(next_hop, self.core.settings.transport);
        let hash = self.core.hash;
        let key = if message.is_request() {
            let to_tag = message.to_tag().unwrap_or(local_tag);
            crate::dialog::key(hash, message.call_id(), to_tag, message.from_tag().unwrap_or_default())
        } else {
            crate::dialog::key_of(message, hash)
        };
        self.dialogs.unlink_key(dialog, 0);
        let (octets, table) = (&mut *self.transactions.octets, &mut self.dialogs);
        if let Some(entry) = table.get_mut(dialog) {
            octets.release(entry.identity.block);
            entry.identity = identity;
            entry.flow = direct;
            entry.source = self.source;
            entry.lookup = Lookup::None;
            entry.set_key(key);
            let seq = message.cseq().number;
            if message.is_request() {
                entry.remote_seq = seq;
                entry.awaited_seq = seq;
                entry.remote_seq_known = true;
                entry.is_callee = true;
            } else {
                entry.local_seq = seq;
            }
        }
        table.link_key(dialog, 0, key);
        Ok(())
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

    /// Takes the new remote target of a message and the way to it.
    pub(in crate::ua) fn refresh_target(&mut self, dialog: Handle, message: &Message<'_>) -> Result<(), Error> {
        let preferred = self.core.settings.transport;
        let (octets, table) = (&mut *self.transactions.octets, &mut self.dialogs);
        let Some(entry) = table.get_mut(dialog) else { return Err(Error::Gone) };
        entry.source = self.source;
        if entry.identity.refresh(message, octets)? {
            let texts = entry.identity.texts(octets.get(entry.identity.block));
            entry.flow = hop_flow(texts.next_hop(), preferred);
        }
        Ok(())
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
            identity: entry.identity,
            method: Method::Ack,
            seq,
            branch,
            flow: entry.flow,
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
            entry.answer_due = false;
            entry.give_up_at = self.now + patience;
        }
        self.schedule_dialog(dialog);
        self.offer_ack(dialog);
        Ok(())
    }

    /// The ACK to a 2xx waits for the application's answer; until then the INVITE is kept for its credentials.
    pub(in crate::ua) fn expect_answer(&mut self, dialog: Handle, invite: TransactionId, seq: u32) {
        let block = self.transactions.take_message(invite);
        let (octets, table) = (&mut *self.transactions.octets, &mut self.dialogs);
        if let Some(entry) = table.get_mut(dialog) {
            octets.release(core::mem::replace(&mut entry.ack, block));
            entry.ack_seq = seq;
            entry.answer_due = true;
            entry.give_up_at = Instant::ZERO;
        }
        table.unlink_ready(dialog);
        self.schedule_dialog(dialog);
    }

    /// A 2xx was repeated: so is its ACK (RFC 3261 §13.2.2.4).
    pub(in crate::ua) fn acknowledge_again(&mut self, dialog: Handle, seq: u32) {
        if self
            .dialogs
            .get(dialog)
            .is_some_and(|entry| entry.ack_seq == seq && !entry.answer_due && !entry.ack.is_none())
        {
            self.forget_ack_connection(dialog);
            self.offer_ack(dialog);
        }
    }

    /// Sends the ACK that waited for the application's answer.
    pub(in crate::ua) fn acknowledge(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        let entry = self.dialogs.get(dialog).ok_or(Error::State)?;
        if !entry.answer_due {
            return Err(Error::State);
        }
        self.send_ack(dialog, entry.ack_seq, entry.ack, content)
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
        let (identity, flow, sessions) = (entry.identity, entry.flow, entry.sessions);
        let seq = entry.local_seq.saturating_add(1);
        let answers = &self.answers(sessions);
        let all = [Field::Abilities, Field::Contact, Field::UserAgent, Field::Kept(rows)];
        let rows = match method {
            Method::Invite => &all[..],
            Method::Bye => all.get(2..).unwrap_or_default(),
            _ => all.get(1..).unwrap_or_default(),
        };
        let head = DialogHead { identity, method, seq, branch, flow, answers };
        let block = self.write_in_dialog(&head, reserved, rows, content)?;
        let id = self.send_request(NewClient { block, flow, method, branch, user, reserved })?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.local_seq = seq;
        }
        Ok(id)
    }
}
