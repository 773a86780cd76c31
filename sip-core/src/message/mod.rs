//! Bytes to meaning and back (RFC 3261 §7, §19, §20, §25).

/// A parsed message.
pub struct Message<'a> {
    #[allow(dead_code)]
    bytes: &'a [u8],
}

/// A message that could not be parsed.
pub struct Malformed<'a> {
    #[allow(dead_code)]
    bytes: &'a [u8],
}
