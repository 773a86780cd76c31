//! A request behind what is made of it: see [`sip_testkit::properties::edit`].
#![no_main]

use core::net::{Ipv4Addr, Ipv6Addr};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sip_core::transport::Address;
use sip_testkit::properties::{Edit, edit};

fn wanted(input: &mut Unstructured<'_>) -> Result<Edit> {
    let (family, ip, port) = (input.arbitrary::<u8>()?, input.arbitrary::<u32>()?, input.arbitrary::<u16>()?);
    let source = match family % 4 {
        0 => Address::NONE,
        1 => Address::v6(Ipv6Addr::from_bits(u128::from(ip) << 96 | 1), port),
        _ => Address::v4(Ipv4Addr::from_bits(ip), port),
    };
    let status = 100 + input.arbitrary::<u16>()? % 600;
    Ok(Edit { source, status, number: input.arbitrary()?, cseq: input.arbitrary()? })
}

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    if let Ok(wanted) = wanted(&mut input) {
        edit(input.take_rest(), &wanted);
    }
});
