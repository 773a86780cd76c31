//! Two URIs with a line end between them, behind four octets that choose how the first one is changed: see
//! [`sip_lab::properties::uri`].
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sip_lab::properties::{Change, uri, uris};

fn change(input: &mut Unstructured<'_>) -> Result<Change> {
    let (kind, upper, place) = (input.arbitrary::<u8>()?, input.arbitrary::<bool>()?, input.arbitrary::<u16>()?);
    let place = usize::from(place);
    Ok(match kind % 8 {
        0 => Change::Escape(place, upper),
        1 => Change::Case,
        2 => Change::Order,
        3 => Change::Unknown,
        4 => Change::Counting(place),
        5 => Change::User,
        6 => Change::Port,
        _ => Change::Header,
    })
}

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let Ok(change) = change(&mut input) else { return };
    let mut texts = input.take_rest().split(|octet| *octet == b'\n');
    let one = texts.next().unwrap_or_default();
    uri(one, change);
    if let Some(other) = texts.next() {
        uris(one, other);
    }
});
