//! A query for the records of one kind that a name has (RFC 1035 §4.1).

use super::name::{DOMAIN, Name};
use super::record::{IN, Kind, OPT};

/// The octets of the longest query.
pub const QUERY: usize = 12 + DOMAIN + 4 + 11;
/// How much an answer by datagram may hold: what passes every network whole (RFC 9715 §3.2, RFC 8200 §5).
pub const UDP_PAYLOAD: u16 = 1232;

/// Recursion desired.
const RD: u16 = 1 << 8;

/// Writes a query into `buffer` and gives its octets: with `edns` it says that answers of [`UDP_PAYLOAD`] octets are taken, which
/// some old servers answer with FORMERR (RFC 6891 §7). Empty when the buffer is too short; [`QUERY`] octets never are.
pub fn write<'b>(buffer: &'b mut [u8], id: u16, name: Name<'_>, kind: Kind, edns: bool) -> &'b [u8] {
    let mut places = buffer.iter_mut();
    let mut length = 0_usize;
    let mut complete = true;
    let mut put = |octets: &[u8]| {
        for octet in octets {
            match places.next() {
                Some(place) => {
                    *place = *octet;
                    length = length.saturating_add(1);
                }
                None => complete = false,
            }
        }
    };
    for number in [id, RD, 1, 0, 0, u16::from(edns)] {
        put(&number.to_be_bytes());
    }
    for label in name.labels() {
        put(&[label.len() as u8]);
        put(label);
    }
    put(&[0]);
    put(&kind.number().to_be_bytes());
    put(&IN.to_be_bytes());
    if edns {
        // The root, OPT, the size in place of a class, no flags, no options (RFC 6891 §6.1.2).
        put(&[0]);
        for number in [OPT, UDP_PAYLOAD, 0, 0, 0] {
            put(&number.to_be_bytes());
        }
    }
    let length = if complete { length } else { 0 };
    buffer.get(..length).unwrap_or_default()
}
