//! What a proxy may take of the memory, asserted when it is compiled: a field that makes an entry larger shows here.

use super::entry::{BranchEntry, ResponseContext};
use super::{Arrays, Proxy};
use crate::memory::Links;

/// Fails to compile when a type is larger than its row says, in octets for pointers of 32 and of 64 bits.
macro_rules! at_most {
    ($($what:ty: $narrow:literal, $wide:literal;)*) => {
        $(const _: () = assert!(
            size_of::<$what>() <= if size_of::<usize>() == 8 { $wide } else { $narrow },
            concat!(stringify!($what), " has grown: if it has to, change its row in proxy/size.rs and the table in the README"),
        );)*
    };
}

at_most! {
    (Links, ResponseContext): 160, 160;
    (Links, BranchEntry): 96, 96;
    Proxy<Arrays<0, 0, 0, 0>>: 1024, 1024;
}
