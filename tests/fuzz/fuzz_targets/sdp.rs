//! A session description: see [`sip_lab::properties::sdp`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::sdp;

fuzz_target!(|octets: &[u8]| sdp(octets));
