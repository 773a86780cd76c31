//! Requests of the callee while our INVITE waits for its final response (RFC 3261 §12.1.2, RFC 5407 §3.1).
//!
//! The dialog that they belong to may be one that is not known here yet: the response that made it was lost, or is late.

use super::InviteTransaction;
use super::machine::State;
use super::update::UPDATE;
use crate::dialog::{self, key, key_of};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};

impl<O: Octets> Context<'_, O> {
    /// A request for a dialog that is not there: 481, unless it comes from a fork of our INVITE that we have not heard of.
    pub(in crate::ua) fn unknown_dialog(&mut self, request: &Message<'_>) -> Received<Event> {
        let Some(call) = self.calling_call_of(request) else {
            self.reply_bare(request, 481);
            return Received::Nothing;
        };
        match request.method() {
            Method::Invite => {
                self.respond_final(request, 491, b"", false, &[]);
                Received::Nothing
            }
            // What it is about is not known yet.
            Method::Update if UPDATE => {
                self.respond_final(request, 491, b"", false, &[]);
                Received::Nothing
            }
            Method::Bye => self.early_bye(call, Handle::NONE, request),
            Method::Prack if self.knows_reliable() => {
                self.reply_bare(request, 481);
                Received::Nothing
            }
            Method::Options => {
                self.describe(request);
                Received::Nothing
            }
            _ => self.hand_over(request, Some(Call(call))),
        }
    }

    /// The call whose INVITE waits and bears the Call-ID and our tag of a request.
    fn calling_call_of(&self, request: &Message<'_>) -> Option<Handle> {
        let call = self.calls.find(0, key(&self.core.hash, request.call_id(), request.to_tag()?, b""))?;
        self.calls.get(call).filter(|entry| entry.state.awaits_final()).map(|_| call)
    }

    /// The callee ends what its 2xx made, which was lost (RFC 5407 §3.1.2): the call is over, unless other forks ring. `known`
    /// is its dialog, if there is one.
    pub(in crate::ua) fn early_bye(&mut self, call: Handle, known: Handle, request: &Message<'_>) -> Received<Event> {
        let Some(entry) = self.calls.get(call) else { return Received::Nothing };
        let (id, mut other) = (entry.invite, entry.dialog);
        let (state, cause) = (entry.state, entry.cause);
        let cause = if state.is_cancelled() { cause } else { Cause::RemoteHangup };
        let mut rings = false;
        while let Some(entry) = self.dialogs.get(other) {
            rings |= other != known && entry.state() == dialog::State::Early && entry.is_bound();
            other = entry.usage.next;
        }
        if rings && cause == Cause::RemoteHangup {
            // By its dialog the fork's 2xx is known, should it come after all. Without room for one that makes a call to end.
            let fork = if known.is_none() { self.early_dialog(call, request).unwrap_or(known) } else { known };
            if let Some(entry) = self.dialogs.get_mut(fork) {
                entry.terminate();
            }
            self.reply_bare(request, 200);
            return Received::Nothing;
        }
        let bits = key_of(request, &self.core.hash).bucket_bits();
        let left = match state {
            State::Calling | State::CancelDue => InviteTransaction::Abandoned(bits),
            _ => InviteTransaction::LateFork(bits),
        };
        if state == State::Proceeding {
            self.send_cancel(id, Block::NONE);
        }
        self.accept(request, b"", call);
        let received = self.end_now(call, cause, 0);
        self.transactions.set_user(id, left.new_user());
        received
    }
}
