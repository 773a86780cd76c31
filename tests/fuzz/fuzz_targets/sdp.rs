//! A session description: see [`sip_testkit::properties::sdp`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_testkit::properties::sdp;

fuzz_target!(|octets: &[u8]| sdp(octets));
