//! The control of `.ci/fuzz`: a property that holds of no message of the corpus as it stands, and of some that are nearly one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_core::message::Message;

fuzz_target!(|datagram: &[u8]| {
    if let Ok(message) = Message::parse(datagram) {
        assert_ne!(message.max_forwards(), Some(Ok(7)), "the control is found");
    }
});
