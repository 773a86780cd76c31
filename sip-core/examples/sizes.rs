//! Prints what the parts of a user agent take of the memory, in octets, on this machine; entries with their links.
//!
//! `.ci/bss` reads the same from a build for a microcontroller.
#![allow(clippy::std_instead_of_core, reason = "a program")]

use sip_core::dialog::Dialog;
use sip_core::memory::Links;
use sip_core::message::Message;
use sip_core::transaction::Transaction;
use sip_core::ua::Arrays;
#[cfg(feature = "refer")]
use sip_core::ua::ReferralEntry;
use sip_core::ua::{CallEntry, Event, Leg, RegistrationEntry, UserAgent};

fn main() {
    for (what, size) in [
        ("transaction", size_of::<(Links, Transaction)>()),
        ("dialog", size_of::<(Links, Dialog<Leg>)>()),
        ("call", size_of::<(Links, CallEntry)>()),
        ("registration", size_of::<(Links, RegistrationEntry)>()),
        #[cfg(feature = "refer")]
        ("REFER", size_of::<(Links, ReferralEntry)>()),
        ("user agent without memory", size_of::<UserAgent<Arrays<0, 0, 0, 0, 0>>>()),
        ("user agent: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8,192 octets", {
            size_of::<UserAgent<Arrays<16, 4, 2, 1, 8192>>>()
        }),
        ("a parsed message, on the stack", size_of::<Message<'_>>()),
        ("event", size_of::<Event>()),
    ] {
        println!("{size:>6}  {what}");
    }
}
