//! A static user agent as firmware has it. `.ci/bss` reads from the built library with `nm` where it lies and how large it is.
#![no_std]

use core::cell::RefCell;
use critical_section::Mutex;
use sip_core::dialog::Dialog;
use sip_core::memory::Links;
use sip_core::transaction::Transaction;
use sip_core::ua::Arrays;
use sip_core::ua::{CallEntry, Leg, RegistrationEntry, UserAgent};

/// A phone: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8,192 octets of kept messages.
pub type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// All zero, so it has to lie in .bss and to take no flash.
pub static AGENT: Mutex<RefCell<Phone>> = Mutex::new(RefCell::new(Phone::new(Arrays::new())));

/// Where one datagram is received.
pub static RECEIVE_BUFFER: Mutex<RefCell<[u8; 1500]>> = Mutex::new(RefCell::new([0; 1500]));

/// The control of the check: one octet that is not zero puts the whole into .data.
pub static CONTROL: Mutex<RefCell<(u8, Phone)>> = Mutex::new(RefCell::new((1, Phone::new(Arrays::new()))));

/// As many octets as a transaction takes with its links; the same for the others.
pub static SIZE_OF_TRANSACTION: [u8; size_of::<(Links, Transaction)>()] = [0; size_of::<(Links, Transaction)>()];
/// As many octets as a dialog takes.
pub static SIZE_OF_DIALOG: [u8; size_of::<(Links, Dialog<Leg>)>()] = [0; size_of::<(Links, Dialog<Leg>)>()];
/// As many octets as a call takes.
pub static SIZE_OF_CALL: [u8; size_of::<(Links, CallEntry)>()] = [0; size_of::<(Links, CallEntry)>()];
/// As many octets as a registration takes.
pub static SIZE_OF_REGISTRATION: [u8; size_of::<(Links, RegistrationEntry)>()] =
    [0; size_of::<(Links, RegistrationEntry)>()];
/// As many octets as the user agent takes.
pub static SIZE_OF_AGENT: [u8; size_of::<Phone>()] = [0; size_of::<Phone>()];
/// As many octets as a user agent takes beside its memory.
pub static SIZE_OF_EMPTY_AGENT: [u8; size_of::<UserAgent<Arrays<0, 0, 0, 0, 0>>>()] =
    [0; size_of::<UserAgent<Arrays<0, 0, 0, 0, 0>>>()];
