//! An INVITE that takes the place of another call (RFC 3891).

use crate::dialog::{self, key};
use crate::memory::{Handle, Octets};
use crate::message::{Message, Replaces};
use crate::ua::context::Context;
use crate::ua::event::Cause;
use crate::ua::usage::invite::CallInput;

impl<O: Octets> Context<'_, O> {
    /// The call that an INVITE asks to replace, none when it does not ask.
    ///
    /// # Errors
    /// The status to refuse it with (RFC 3891 §3).
    #[cold]
    #[inline(never)]
    pub(in crate::ua) fn replaced_by(&self, invite: &Message<'_>) -> Result<Handle, u16> {
        let Some(replaces) = invite.replaces() else { return Ok(Handle::NONE) };
        let replaces = replaces.map_err(|_| 400_u16)?;
        let dialog = self.dialog_to_replace(&replaces).ok_or(481_u16)?;
        let entry = self.dialogs.get(dialog).ok_or(481_u16)?;
        let call = entry.usage.call;
        let state = self.calls.get(call).ok_or(481_u16)?.state;
        match entry.state() {
            dialog::State::Terminating | dialog::State::Free => Err(603),
            _ if state.is_up() && replaces.early_only => Err(486),
            _ if state.is_up() => Ok(call),
            _ if state.is_cancelled() => Err(603),
            // An early one that the peer has made is not to be taken away: it still rings here.
            _ if state.awaits_final() => Ok(call),
            _ => Err(481),
        }
    }

    fn dialog_to_replace(&self, replaces: &Replaces<'_>) -> Option<Handle> {
        let find =
            |remote: &[u8]| self.dialogs.find(0, key(&self.core.hash, replaces.call_id, replaces.to_tag, remote));
        // A tag of zero stands for none too, of peers of RFC 2543.
        let old = || if replaces.from_tag == b"0" { find(b"") } else { None };
        find(replaces.from_tag).or_else(old)
    }

    /// Our 2xx to an INVITE goes out: the call that it replaces ends.
    #[cold]
    #[inline(never)]
    pub(in crate::ua) fn end_replaced(&mut self, call: Handle, replaced: Handle) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.replaces = Handle::NONE;
        }
        let Some(state) = self.calls.get(replaced).map(|entry| entry.state) else { return };
        if state.awaits_final() && !state.is_cancelled() {
            self.give_up(replaced, Cause::Replaced, CallInput::GiveUp);
        } else {
            self.lose_call(replaced, Cause::Replaced, 0);
        }
    }
}
