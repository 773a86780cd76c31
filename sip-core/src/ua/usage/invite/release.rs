//! What a call holds is given back here, and only here: its reserve, its dialogs, its entry.

use super::machine::State;
use super::{CallEntry, InviteTransaction};
use crate::dialog;
use crate::memory::{Entry, Handle, Octets};
use crate::role::Received;
use crate::ua::context::{Context, RESERVED_TRANSACTIONS, TELL};
use crate::ua::event::{Call, Cause, Event};
use crate::ua::usage::UsageId;

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
        entry.timers = CallEntry::ZERO.timers;
        let mut dialog = core::mem::replace(&mut entry.dialog, Handle::NONE);
        let invite = entry.invite;
        let chosen = self.dialogs.get(dialog).filter(|entry| entry.state() != dialog::State::Early);
        if let Some(late) = chosen.map(|entry| UsageId::Invite(InviteTransaction::LateFork(entry.key().bucket_bits())))
            && self.transactions.is_client(invite)
        {
            // What the peer still sends of its 2xx is acknowledged, and no more.
            self.transactions.set_user(invite, late.new_user());
        }
        while let Some(entry) = self.dialogs.get(dialog) {
            let next = entry.next;
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

    /// Frees a dialog. An INVITE of the peer that waits in it is answered 487, one of ours is left to end by itself.
    pub(in crate::ua) fn drop_dialog(&mut self, handle: Handle) {
        let Some(entry) = self.dialogs.get(handle) else { return };
        let (invite, bits) = (entry.invite, entry.key().bucket_bits());
        let patience = self.sixty_four_t1();
        let layer = &mut self.transactions;
        if layer.is_client(invite) {
            // A 2xx is still acknowledged.
            layer.set_user(invite, InviteTransaction::LateFork(bits).new_user());
            layer.timer_c(self.now, invite, patience);
        } else if layer.is_server(invite) && !layer.has_final(invite) {
            layer.finish(self.now, invite, 487);
        }
        let table = &mut self.dialogs;
        table.unlink_key(handle, 0);
        if let Some(entry) = table.get_mut(handle) {
            entry.release(self.transactions.octets);
        }
        table.remove(handle);
    }
}
