//! What an application can ask of a registration.

use super::entry::Texts;
use super::machine::{State, Timer};
use crate::memory::Octets;
use crate::time::Instant;
use crate::ua::event::Registration;
use crate::ua::{Memory, UserAgent};

/// A registration as it stands, from [`UserAgent::registration_info`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RegistrationInfo<'a> {
    /// The state.
    pub state: RegistrationState,
    /// Where REGISTERs are sent, as it was given to [`UserAgent::register`].
    pub registrar: &'a str,
    /// The address of record.
    pub aor: &'a str,
    /// Seconds for which the registrar still holds the binding; 0 when it holds none.
    pub expires: u32,
    /// Host and port in the Contact that is bound: as configured, or as the registrar saw it.
    pub address: &'a str,
}

/// The state of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RegistrationState {
    /// A REGISTER waits for its response: the first, or a refresh.
    Registering,
    /// The registrar holds the binding.
    Registered,
    /// The last attempt failed; waiting for the next.
    Waiting,
    /// The binding is being removed.
    Removing,
}

impl<M: Memory> UserAgent<M> {
    /// The registrations that there are, in no particular order.
    pub fn registrations(&self) -> impl Iterator<Item = Registration> + '_ {
        let all = self.registration_table().iter();
        all.filter(|(_, entry)| entry.machine.state() != State::Ended).map(|(handle, _)| Registration(handle))
    }

    /// A registration as it stands at `now`; `None` when it is over.
    #[must_use]
    pub fn registration_info(&self, now: Instant, registration: Registration) -> Option<RegistrationInfo<'_>> {
        let octets = self.memory.view().octets;
        let entry = self.registration_table().get(registration.0)?;
        let state = match entry.machine.state() {
            State::Free | State::Ended => return None,
            State::Registering | State::Correcting | State::Outdated => RegistrationState::Registering,
            State::Registered => RegistrationState::Registered,
            State::Waiting => RegistrationState::Waiting,
            State::Withdrawing | State::Removing => RegistrationState::Removing,
        };
        let texts = Texts::of(octets.get(entry.texts));
        let settings = &self.core.settings;
        let address = settings.registered_address(octets.get(settings.block()), octets.get(entry.own_address));
        let seconds = entry.machine.deadline(Timer::Expiry).since(now).as_secs();
        // The texts were given as such, or written here.
        let text = |octets| core::str::from_utf8(octets).unwrap_or_default();
        Some(RegistrationInfo {
            state,
            registrar: text(texts.registrar),
            aor: text(texts.aor),
            expires: u32::try_from(seconds).unwrap_or(u32::MAX),
            address: text(address),
        })
    }
}
