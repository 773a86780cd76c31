//! The value of a header, chosen by the first octet: see [`sip_lab::properties::header`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::header;

fuzz_target!(|input: &[u8]| {
    if let [family, value @ ..] = input {
        header(usize::from(*family), value);
    }
});
