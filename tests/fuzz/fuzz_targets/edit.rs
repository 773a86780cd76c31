//! A message behind what is made of it: see [`sip_lab::properties::edit`], [`sip_lab::properties::forward`] and
//! [`sip_lab::properties::forward_back`].
#![no_main]

use core::net::{Ipv4Addr, Ipv6Addr};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sip_core::message::Message;
use sip_core::transport::Address;
use sip_lab::properties::{Edit, Edits, edit, forward, forward_back};

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

/// A proxy's edits, a bit for each.
fn edits(source: Address, bits: u16) -> Edits {
    let bit = |place: u16| bits >> place & 1 == 1;
    let some = |place: u16, uris: &[&'static [u8]]| if bit(place) { uris.to_vec() } else { Vec::new() };
    Edits {
        source: bit(0).then_some(source),
        via: bit(1).then_some("0123456789abcdef"),
        uri: bit(2).then_some("sips:a,b;c@example.com;lr"),
        popped: usize::from(bits >> 3 & 3),
        drop_last: bit(5),
        pushed: some(6, &[b"sip:one;lr", b"sip:two,three;lr"]),
        appended: bit(7).then_some("tel:+15550107"),
        record_routes: some(8, &[b"sip:four;lr"]),
        paths: some(9, &[b"sip:[2001:db8::1]:5070;transport=tcp;lr"]),
        length: bit(10),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let (Ok(wanted), Ok(bits)) = (wanted(&mut input), input.arbitrary::<u16>()) else { return };
    let octets = input.take_rest();
    edit(octets, &wanted);
    match Message::parse(octets) {
        Ok(message) if message.is_request() => forward(&message, &edits(wanted.source, bits), false),
        Ok(message) => forward_back(&message, false),
        Err(_) => {}
    }
});
