//! What a user agent may take of the memory, asserted when it is compiled: a field that makes an entry larger shows here.
//! `.ci/bss` and the example `sizes` print what each takes.

use super::{CallEntry, RegistrationEntry, UserAgent};
use crate::dialog::Dialog;
use crate::memory::Arrays;
use crate::transaction::Transaction;

/// A phone: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8,192 octets of kept messages.
type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// Fails to compile when a type is larger than its row says, in octets for pointers of 32 and of 64 bits.
macro_rules! at_most {
    ($($what:ty: $narrow:literal, $wide:literal;)*) => {
        $(const _: () = assert!(
            size_of::<$what>() <= if size_of::<usize>() == 8 { $wide } else { $narrow },
            concat!(stringify!($what), " has grown: if it has to, change its row in ua/size.rs and the table in the README"),
        );)*
    };
}

at_most! {
    Transaction: 176, 176;
    Dialog: 248, 248;
    CallEntry: 120, 120;
    RegistrationEntry: 160, 160;
    UserAgent<Arrays<0, 0, 0, 0, 0>>: 688, 704;
    Phone: 13_088, 13_104;
}
