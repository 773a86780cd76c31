//! What the application can read of a call.

use super::machine::State;
use crate::message::{HeaderName, Kept, NameAddr};
use crate::time::{Duration, Instant};
use crate::ua::event::Call;
use crate::ua::{Memory, UserAgent};

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CallState {
    /// Our INVITE waits for its final response.
    Calling,
    /// The peer's INVITE waits for our answer.
    Ringing,
    /// A 2xx was sent or received.
    Established,
    /// Hung up: BYE, or what has to come before it, is under way.
    Ending,
}

/// A call as it stands, read from a user agent. Texts are empty as long as they are not known.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo<'a> {
    /// How far it has come.
    pub state: CallState,
    /// Whether the peer made it.
    pub incoming: bool,
    /// Call-ID: with the tags of `local` and `remote` it names the dialog.
    pub call_id: &'a [u8],
    /// Our address, as it stands in From or To of our requests and responses.
    pub local: &'a [u8],
    /// The peer's.
    pub remote: &'a [u8],
    /// Where requests to the peer go: its Contact.
    pub target: &'a [u8],
    /// The route set, as a Route value.
    pub route: &'a [u8],
    /// When the 2xx was sent or received; zero before.
    since: Instant,
}

impl<'a> CallInfo<'a> {
    /// How long the call has been established at `now`; `None` before.
    #[must_use]
    pub fn duration(&self, now: Instant) -> Option<Duration> {
        (self.since != Instant::ZERO).then(|| now.since(self.since))
    }

    /// Our tag in the dialog.
    #[must_use]
    pub fn local_tag(&self) -> Option<&'a [u8]> {
        NameAddr::parse(self.local).ok()?.tag()
    }

    /// The peer's tag in the dialog; none before it has answered, and of a peer of RFC 2543.
    #[must_use]
    pub fn remote_tag(&self) -> Option<&'a [u8]> {
        NameAddr::parse(self.remote).ok()?.tag()
    }
}

impl<M: Memory> UserAgent<M> {
    /// The calls that have not ended, in no order.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        let live = self.call_table().iter().filter(|(_, entry)| !matches!(entry.state, State::Free | State::Over));
        live.map(|(handle, _)| Call(handle))
    }

    /// A call as it stands; `None` when it has ended. While several forks of our call ring, the dialog is one of them.
    #[must_use]
    pub fn call_info(&self, call: Call) -> Option<CallInfo<'_>> {
        let entry = self.call_table().get(call.0)?;
        let state = match entry.state {
            State::Calling | State::Proceeding | State::CancelDue | State::Cancelling => CallState::Calling,
            State::Ringing => CallState::Ringing,
            State::Accepted | State::Established => CallState::Established,
            State::ByeDue | State::Ending => CallState::Ending,
            State::Free | State::Over => return None,
        };
        let octets = self.memory.view().octets;
        let dialog = self.dialogs().get(entry.dialog)?;
        let since = entry.since;
        if !dialog.is_bound() {
            // Of a call that nobody has answered only the INVITE is known.
            let invite = Kept::new(self.transactions().bytes(entry.invite));
            let [call_id, local, remote] =
                [HeaderName::CallId, HeaderName::From, HeaderName::To].map(|name| invite.header(name));
            let target = invite.request_uri();
            return Some(CallInfo { state, incoming: false, call_id, local, remote, target, route: b"", since });
        }
        let texts = dialog.texts(octets);
        Some(CallInfo {
            state,
            incoming: dialog.is_callee(),
            call_id: texts.call_id,
            local: texts.local,
            remote: texts.remote,
            target: texts.target,
            route: texts.routes,
            since,
        })
    }
}
