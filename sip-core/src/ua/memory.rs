//! What lends a user agent its entries and octets.

use super::usage::invite::{CallEntry, Leg};
#[cfg(feature = "refer")]
use super::usage::refer::ReferralEntry;
use super::usage::registration::RegistrationEntry;
use crate::dialog::Dialog;
use crate::memory::{Links, Octets, Pool, Store, Table, TableRef};
use crate::transaction::{self, Storage, Transaction};

/// Lends a user agent its storage: tables of entries, and octets.
///
/// Nothing in a user agent knows how many there are but by the tables' lengths. The tables of a fresh memory are empty.
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
    pub transactions: Table<'a, Transaction>,
    /// Dialogs.
    pub dialogs: Table<'a, Dialog<Leg>>,
    /// Calls.
    pub calls: Table<'a, CallEntry>,
    /// Registrations.
    pub registrations: Table<'a, RegistrationEntry>,
    /// REFERs.
    #[cfg(feature = "refer")]
    pub referrals: Table<'a, ReferralEntry>,
    /// Octets.
    pub octets: &'a mut O,
}

/// The parts of a [`Memory`], to be read.
#[derive(Debug)]
pub struct View<'a, O> {
    /// Transactions.
    pub transactions: TableRef<'a, Transaction>,
    /// Dialogs.
    pub dialogs: TableRef<'a, Dialog<Leg>>,
    /// Calls.
    pub calls: TableRef<'a, CallEntry>,
    /// Registrations.
    pub registrations: TableRef<'a, RegistrationEntry>,
    /// REFERs.
    #[cfg(feature = "refer")]
    pub referrals: TableRef<'a, ReferralEntry>,
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
/// INVITE and a BYE linger up to 32 s after their use. `REFERRALS` is how many REFERs, sent and received, there can be at a time
/// (feature `refer`): a phone that transfers wants one or two, and a dialog for each, for it outlasts its call.
#[derive(Debug)]
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Arrays<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
    const REFERRALS: usize = 0,
> {
    #[cfg(feature = "refer")]
    referrals: Store<[Links; REFERRALS], [ReferralEntry; REFERRALS]>,
    registrations: Store<[Links; REGISTRATIONS], [RegistrationEntry; REGISTRATIONS]>,
    calls: Store<[Links; CALLS], [CallEntry; CALLS]>,
    dialogs: Store<[Links; DIALOGS], [Dialog<Leg>; DIALOGS]>,
    storage: transaction::Arrays<TRANSACTIONS, OCTETS>,
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
> Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS>
{
    /// A memory with nothing in it, and no room for REFERs.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_referrals()
    }
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
    const REFERRALS: usize,
> Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS, REFERRALS>
{
    /// A memory with nothing in it.
    #[must_use]
    pub const fn with_referrals() -> Self {
        Self {
            storage: transaction::Arrays::new(),
            dialogs: Store::new(),
            calls: Store::new(),
            registrations: Store::new(),
            #[cfg(feature = "refer")]
            referrals: Store::new(),
        }
    }
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
    const REFERRALS: usize,
> Default for Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS, REFERRALS>
{
    fn default() -> Self {
        Self::with_referrals()
    }
}

impl<
    const TRANSACTIONS: usize,
    const DIALOGS: usize,
    const CALLS: usize,
    const REGISTRATIONS: usize,
    const OCTETS: usize,
    const REFERRALS: usize,
> Memory for Arrays<TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS, OCTETS, REFERRALS>
{
    type Octets = Pool<OCTETS>;

    fn parts(&mut self) -> Parts<'_, Self::Octets> {
        let (transactions, octets) = self.storage.parts();
        Parts {
            transactions,
            dialogs: self.dialogs.table(),
            calls: self.calls.table(),
            registrations: self.registrations.table(),
            #[cfg(feature = "refer")]
            referrals: self.referrals.table(),
            octets,
        }
    }

    fn view(&self) -> View<'_, Self::Octets> {
        let (transactions, octets) = self.storage.view();
        View {
            transactions,
            dialogs: self.dialogs.view(),
            calls: self.calls.view(),
            registrations: self.registrations.view(),
            #[cfg(feature = "refer")]
            referrals: self.referrals.view(),
            octets,
        }
    }
}
