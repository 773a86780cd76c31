//! What a call holds is given back here, and only here: its reserve, its dialogs, its entry.

use super::InviteTransaction;
#[cfg(feature = "refer")]
use super::Leg;
#[cfg(feature = "refer")]
use super::entry::Others;
use super::machine::State;
use super::offered::MAY_OFFER;
use crate::dialog;
#[cfg(feature = "refer")]
use crate::dialog::Usage;
use crate::memory::{Handle, Octets};
use crate::role::Received;
use crate::transaction::TransactionId;
use crate::ua::context::{Context, RESERVED_TRANSACTIONS, TELL};
use crate::ua::event::{Call, Cause, Event};

impl<O: Octets> Context<'_, O> {
    /// Ends a call by a message: its entry is free, the event is the message's.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(in crate::ua) fn end_now(&mut self, call: Handle, cause: Cause, status: u16) -> Received<Event> {
        self.release_call(call);
        self.calls.remove(call);
        Received::Event(Event::Ended { call: Call(call), cause, status })
    }

    /// Ends a call without a message: its entry stays until the application has been told.
    pub(in crate::ua) fn end_later(&mut self, call: Handle, cause: Cause, status: u16) {
        self.release_call(call);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.state = State::Over;
            entry.cause = cause;
            entry.status = status;
            entry.pending.ended = true;
        }
        self.tell_call(call);
    }

    /// Puts a call among those that have something to tell.
    pub(in crate::ua) fn tell_call(&mut self, call: Handle) {
        let table = &mut self.calls;
        if table.ready_list(call).is_none() {
            table.push(call, TELL);
        }
    }

    /// Frees all that a call holds but its entry.
    fn release_call(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let reserved = core::mem::take(&mut entry.reserved);
        entry.release(self.transactions.octets);
        entry.stop_timers();
        let mut dialog = core::mem::replace(&mut entry.dialog, Handle::NONE);
        let (invite, exchanged) = (entry.invite, core::mem::take(&mut entry.exchanged));
        let offer = core::mem::take(&mut entry.offer);
        if MAY_OFFER && !offer.is_none() {
            self.end_offer(offer);
        }
        if let Some(chosen) = self.dialogs.get(dialog).filter(|entry| entry.state() != dialog::State::Early) {
            let bits = chosen.key().bucket_bits();
            self.leave_invite(invite, bits);
            self.leave_invite(exchanged, bits);
        }
        let layer = &mut self.transactions;
        if layer.is_server(exchanged) && !layer.has_final(exchanged) {
            layer.finish(self.now, exchanged, 487);
        }
        while let Some(entry) = self.dialogs.get(dialog) {
            let next = entry.usage.next;
            self.drop_dialog(dialog);
            dialog = next;
        }
        if reserved > 0 {
            self.transactions.octets.unreserve(reserved as usize);
            self.core.reserved_octets = self.core.reserved_octets.saturating_sub(reserved);
            self.transactions.unreserve(RESERVED_TRANSACTIONS);
        }
        self.schedule_call(call);
    }

    /// Leaves an INVITE of ours to end by itself: a 2xx of the dialog with these bits is still acknowledged, and no more.
    fn leave_invite(&mut self, invite: TransactionId, bits: u32) {
        if self.transactions.is_client(invite) {
            let sixty_four_t1 = self.sixty_four_t1();
            self.transactions.set_user(invite, InviteTransaction::LateFork(bits).new_user());
            self.transactions.timer_c(self.now, invite, sixty_four_t1);
        }
    }

    /// A call leaves one of its dialogs, which is freed with its last usage.
    pub(in crate::ua) fn drop_dialog(&mut self, handle: Handle) {
        let Some(entry) = self.dialogs.get(handle) else { return };
        if entry.usage.call.is_none() {
            #[cfg(feature = "refer")]
            if entry.usage.others == Others::Alone {
                return;
            }
            let (invite, bits) = (entry.usage.ack_of, entry.key().bucket_bits());
            self.leave_invite(invite, bits);
        }
        let Some(entry) = self.dialogs.get_mut(handle) else { return };
        self.transactions.octets.release(core::mem::take(&mut entry.usage.ack_end));
        #[cfg(feature = "offer-answer")]
        self.transactions.octets.release(core::mem::take(&mut entry.usage.offer));
        #[cfg(feature = "refer")]
        if entry.usages() > 1 {
            entry.usage = Leg { others: Others::Alone, ..Leg::ZERO };
        }
        self.leave_dialog(handle);
    }

    /// A usage leaves a dialog, which is freed with its last one.
    pub(in crate::ua) fn leave_dialog(&mut self, handle: Handle) {
        let table = &mut self.dialogs;
        let Some(entry) = table.get_mut(handle) else { return };
        if entry.leave() {
            entry.release(self.transactions.octets);
            table.unlink_key(handle, 0);
            table.remove(handle);
        }
    }
}
