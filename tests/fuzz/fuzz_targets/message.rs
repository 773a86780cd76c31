//! A datagram: see [`sip_testkit::properties::message`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_testkit::properties::message;

fuzz_target!(|datagram: &[u8]| message(datagram));
