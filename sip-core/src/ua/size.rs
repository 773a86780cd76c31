//! What a user agent may take of the memory, asserted when it is compiled: a field that makes an entry larger shows here.
//! `.ci/bss` and the example `sizes` print what each takes.

use super::Arrays;
use super::{CallEntry, Leg, RegistrationEntry, UserAgent};
use crate::dialog::Dialog;
use crate::memory::Links;
use crate::transaction::Transaction;

/// A phone: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8,192 octets of kept messages.
type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// What offers and answers take of a dialog, at most, and with pointers of 64 bits exactly.
const NEGOTIATED: usize = if cfg!(feature = "offer-answer") { 208 } else { 0 };
/// What the feature `session-timer` takes of each call, and of the configuration.
const SESSION: usize = if cfg!(feature = "session-timer") { 40 } else { 0 };
const SESSION_CONFIG: usize = if cfg!(feature = "session-timer") { 8 } else { 0 };

/// What the wait for the answer to an offer outside of an INVITE takes of each call.
const OFFERING: usize = if cfg!(any(feature = "100rel", feature = "update")) { 8 } else { 0 };

/// What the feature `refer` takes: of each call, of the rest, and the entry of a REFER.
const REFERRED: usize = if cfg!(feature = "refer") { 8 } else { 0 };
const REFER_HEAD: usize = if cfg!(feature = "refer") { 80 } else { 0 };

#[cfg(feature = "refer")]
type Referral = super::ReferralEntry;
#[cfg(not(feature = "refer"))]
type Referral = ();

/// Fails to compile when a type is larger than its row says, in octets for pointers of 32 and of 64 bits.
macro_rules! at_most {
    ($($what:ty: $narrow:expr, $wide:expr;)*) => {
        $(const _: () = assert!(
            size_of::<$what>() <= if size_of::<usize>() == 8 { $wide } else { $narrow },
            concat!(stringify!($what), " has grown: if it has to, change its row in ua/size.rs and the table in the README"),
        );)*
    };
}

at_most! {
    (Links, Transaction): 176, 176;
    (Links, Dialog<Leg>): 208 + NEGOTIATED, 216 + NEGOTIATED;
    (Links, CallEntry): 184 + SESSION + REFERRED + OFFERING, 192 + SESSION + REFERRED + OFFERING;
    (Links, RegistrationEntry): 160, 160;
    (Links, Referral): 112, 112;
    UserAgent<Arrays<0, 0, 0, 0, 0>>: 888 + SESSION_CONFIG + REFER_HEAD, 896 + SESSION_CONFIG + REFER_HEAD;
    Phone: 13_224 + 4 * NEGOTIATED + 2 * (SESSION + REFERRED + OFFERING) + SESSION_CONFIG + REFER_HEAD,
        13_312 + 4 * NEGOTIATED + 2 * (SESSION + REFERRED + OFFERING) + SESSION_CONFIG + REFER_HEAD;
}

/// What the feature `deny` takes.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
const DENIED: usize = if cfg!(feature = "deny") { 64 } else { 0 };

/// What the formula at [`UserAgent::BYTES`] gives.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
const fn formula([transactions, dialogs, calls, registrations, octets]: [usize; 5]) -> usize {
    let (agent, dialog, call) =
        (832 + DENIED + SESSION_CONFIG + REFER_HEAD, 216 + NEGOTIATED, 192 + SESSION + REFERRED + OFFERING);
    agent + 176 * transactions + dialog * dialogs + call * calls + 160 * registrations + octets.next_multiple_of(8)
}

/// Fails to compile when a user agent of these capacities is not as large as the formula says. Without IPv6 it is smaller.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow"), feature = "ipv6"))]
macro_rules! exactly {
    ($($transactions:literal $dialogs:literal $calls:literal $registrations:literal $octets:literal;)*) => {
        $(const _: () = assert!(
            UserAgent::<Arrays<$transactions, $dialogs, $calls, $registrations, $octets>>::BYTES
                == formula([$transactions, $dialogs, $calls, $registrations, $octets]),
            "the formula at UserAgent::BYTES, the table in the README and this one have to agree",
        );)*
    };
}

#[cfg(all(target_pointer_width = "64", not(feature = "narrow"), feature = "ipv6"))]
exactly! {
    0 0 0 0 0;
    8 2 1 1 4096; 8 2 1 1 8192; 8 2 1 1 16384;
    16 4 2 1 4096; 16 4 2 1 8192; 16 4 2 1 16384;
    32 8 4 1 4096; 32 8 4 1 8192; 32 8 4 1 16384;
    64 16 8 1 4096; 64 16 8 1 8192; 64 16 8 1 16384;
    8192 4096 2048 64 65535;
}

/// The table in the README, which is for pointers of 64 bits.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
const _: () = {
    // The README says what the features of this crate take that are there unless they are left out.
    let mut calls = 1;
    while calls <= 8 {
        let most = formula([8 * calls, 2 * calls, calls, 1, 4096]);
        let (agent, call) =
            (992 + DENIED + SESSION_CONFIG + REFER_HEAD, 2032 + 2 * NEGOTIATED + SESSION + REFERRED + OFFERING);
        assert!(most == agent + call * calls + 4096, "the table in the README has the old figures");
        calls *= 2;
    }
};
