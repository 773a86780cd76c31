//! What can go wrong, by whose hand: the configuration, the application, the peer, or a capacity.

use core::fmt;

/// A limit of the [`Memory`](crate::ua::Memory) that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Capacity {
    /// Every transaction entry is taken or reserved for the hang-up of a call.
    Transactions,
    /// Every dialog entry is taken.
    Dialogs,
    /// Every call entry is taken.
    Calls,
    /// Every registration entry is taken.
    Registrations,
    /// The message needs `needed` octets, more than are free.
    Octets {
        /// Octets that the message needs.
        needed: usize,
    },
    /// The message would be larger than 65,535 octets.
    MessageSize {
        /// Octets that the message would have.
        needed: usize,
    },
}

/// Why [`start`](crate::ua::UserAgent::start) refused its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// The named field is empty or not in the form it needs.
    Invalid(&'static str),
    /// The configuration does not fit.
    Capacity(Capacity),
    /// The role has been started already.
    AlreadyStarted,
}

/// Why a request of the application was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// The handle names something that has ended.
    Gone,
    /// This can't be done in the present state (answering a call that was answered, say).
    State,
    /// There is no room.
    Capacity(Capacity),
    /// A URI, address or header value given is not in the form it needs; the text names it.
    Invalid(&'static str),
}

impl From<Capacity> for Error {
    fn from(capacity: Capacity) -> Self {
        Self::Capacity(capacity)
    }
}

impl From<Capacity> for ConfigError {
    fn from(capacity: Capacity) -> Self {
        Self::Capacity(capacity)
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transactions => f.write_str("no transaction is free"),
            Self::Dialogs => f.write_str("no dialog is free"),
            Self::Calls => f.write_str("no call is free"),
            Self::Registrations => f.write_str("no registration is free"),
            Self::Octets { needed } => write!(f, "{needed} octets are needed and not free"),
            Self::MessageSize { needed } => write!(f, "the message would have {needed} octets, more than 65,535"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(field) => write!(f, "configuration: {field}"),
            Self::Capacity(capacity) => write!(f, "configuration: {capacity}"),
            Self::AlreadyStarted => f.write_str("started already"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it has ended"),
            Self::State => f.write_str("not in this state"),
            Self::Capacity(capacity) => capacity.fmt(f),
            Self::Invalid(what) => write!(f, "not in its form: {what}"),
        }
    }
}

impl core::error::Error for Capacity {}
impl core::error::Error for ConfigError {}
impl core::error::Error for Error {}
