//! A stream behind the lengths of the pieces in which it comes and the cap: see [`sip_lab::properties::stream`].
#![no_main]

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use sip_lab::properties::stream;

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let Ok((pieces, cap)) = input.arbitrary::<([u8; 4], u16)>() else { return };
    // A framer for messages of no octets has nothing to frame.
    stream(input.take_rest(), &pieces.map(usize::from), usize::from(cap).max(1));
});
