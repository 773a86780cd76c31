//! What lends a role its entries and octets.

use super::{Entry, Octets, Pool};
use crate::dialog::Dialog;
use crate::transaction::Transaction;
use crate::ua::{CallEntry, RegistrationEntry};

/// Lends a role its storage: slices of entries, and octets.
///
/// Nothing in a role knows how many there are but by the slices' lengths. The entries of a fresh memory are all
/// [`Entry::ZERO`].
pub trait Memory {
    /// What keeps messages.
    type Octets: Octets;

    /// All of it, to work with.
    fn parts(&mut self) -> Parts<'_, Self::Octets>;

    /// All of it, to read.
    fn view(&self) -> View<'_, Self::Octets>;
}

/// The parts of a [`Memory`], each borrowed for itself.
#[derive(Debug)]
pub struct Parts<'a, O> {
    /// Transactions.
    pub transactions: &'a mut [Transaction],
    /// Dialogs.
    pub dialogs: &'a mut [Dialog],
    /// Calls.
    pub calls: &'a mut [CallEntry],
    /// Registrations.
    pub registrations: &'a mut [RegistrationEntry],
    /// Octets.
    pub octets: &'a mut O,
}

/// The parts of a [`Memory`], to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, O> {
    /// Transactions.
    pub transactions: &'a [Transaction],
    /// Dialogs.
    pub dialogs: &'a [Dialog],
    /// Calls.
    pub calls: &'a [CallEntry],
    /// Registrations.
    pub registrations: &'a [RegistrationEntry],
    /// Octets.
    pub octets: &'a O,
}

impl<M: Memory> Memory for &mut M {
    type Octets = M::Octets;

    fn parts(&mut self) -> Parts<'_, Self::Octets> {
        (**self).parts()
    }

    fn view(&self) -> View<'_, Self::Octets> {
        (**self).view()
    }
}

/// A memory of fixed size, all zero before its use: in a static it lies in .bss.
///
/// A user agent wants a dialog for each call, a few more for forks, and for each call at least five transactions: an
/// INVITE and a BYE linger up to 32 s after their use.
#[derive(Debug)]
pub struct Arrays<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
> {
    transactions: [Transaction; TRANSACTIONS],
    dialogs: [Dialog; DIALOGS],
    calls: [CallEntry; CALLS],
    registrations: [RegistrationEntry; REGISTRATIONS],
    octets: Pool<OCTETS>,
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
> Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS>
{
    /// A memory with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            transactions: [Transaction::ZERO; TRANSACTIONS],
            dialogs: [Dialog::ZERO; DIALOGS],
            calls: [CallEntry::ZERO; CALLS],
            registrations: [RegistrationEntry::ZERO; REGISTRATIONS],
            octets: Pool::new(),
        }
    }
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
> Default for Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
> Memory for Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS>
{
    type Octets = Pool<OCTETS>;

    fn parts(&mut self) -> Parts<'_, Self::Octets> {
        Parts {
            transactions: &mut self.transactions,
            dialogs: &mut self.dialogs,
            calls: &mut self.calls,
            registrations: &mut self.registrations,
            octets: &mut self.octets,
        }
    }

    fn view(&self) -> View<'_, Self::Octets> {
        View {
            transactions: &self.transactions,
            dialogs: &self.dialogs,
            calls: &self.calls,
            registrations: &self.registrations,
            octets: &self.octets,
        }
    }
}
