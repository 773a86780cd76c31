//! Reliable provisional responses (RFC 3262): the extension `100rel` of a call.
//!
//! `sending.rs` is the machine of the callee, `receiving.rs` that of the caller, one a dialog; `callee.rs` and `caller.rs` say what
//! they decide to the transaction layer and to the application. Both machines stand with the dialog ([`Leg`](super::Leg)), for each
//! fork counts for itself.

mod callee;
mod caller;
pub(in crate::ua) mod receiving;
pub(in crate::ua) mod sending;

use crate::memory::Octets;
use crate::message::Message;
use crate::message::scan::alike;
use crate::ua::config::ReliableProvisional;
use crate::ua::context::Context;

/// The option tag of the extension.
const TAG: &[u8] = b"100rel";

/// Whether the extension is compiled in, which the configuration has to ask for too.
pub(in crate::ua) const RELIABLE: bool = cfg!(feature = "100rel");

impl<O: Octets> Context<'_, O> {
    /// Whether provisional responses may be sent reliably.
    pub(in crate::ua) fn knows_reliable(&self) -> bool {
        RELIABLE && self.core.settings.reliable != ReliableProvisional::Off
    }
}

/// Whether a message requires the extension.
fn requires(message: &Message<'_>) -> bool {
    message.require().any(|tag| alike(tag, TAG))
}

/// Whether the sender of an INVITE takes reliable provisional responses.
fn supports(invite: &Message<'_>) -> bool {
    requires(invite) || invite.supported().any(|tag| alike(tag, TAG))
}
