//! A datagram: see [`sip_lab::properties::message`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::message;

fuzz_target!(|datagram: &[u8]| message(datagram));
