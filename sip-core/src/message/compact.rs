//! Compact header names in a message that is written already (RFC 3261 §7.3.3).

use super::copy::move_down;
use super::header::HeaderName;

/// Gives every header that has a compact form its one-letter name, in place, and tells how long the message then is.
///
/// Values, folds and the body stay as they are; octets behind the new end mean nothing. What is no message is left as
/// it is from the first line that can't be read.
pub fn compact(message: &mut [u8]) -> usize {
    let (mut from, mut to) = (0_usize, 0_usize);
    let mut start_line = true;
    while let Some(line) = message.get(from..).filter(|rest| !rest.is_empty()) {
        let end = line.iter().position(|octet| *octet == b'\n').map(|end| end.wrapping_add(1));
        let (Some(length), false) = (end, matches!(line, [b'\r', b'\n', ..] | [b'\n', ..])) else { break };
        let short = if start_line { None } else { short_name(line.get(..length).unwrap_or_default()) };
        start_line = false;
        let mut kept = from;
        if let (Some((letter, long)), Some(place)) = (short, message.get_mut(to)) {
            *place = letter;
            to = to.wrapping_add(1);
            kept = from.wrapping_add(long);
        }
        from = from.wrapping_add(length);
        to = keep(message, kept, from, to);
    }
    let end = message.len();
    keep(message, from, end, to)
}

/// The compact form of the name that begins a row, and how long the name is there.
fn short_name(row: &[u8]) -> Option<(u8, usize)> {
    let colon = row.iter().position(|octet| *octet == b':')?;
    let name = row.get(..colon)?.trim_ascii_end();
    Some((HeaderName::parse(name)?.compact()?, name.len()))
}

/// Moves `from..end` down to `to`; where that then ends.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn keep(octets: &mut [u8], from: usize, end: usize, to: usize) -> usize {
    move_down(octets, from, end, to);
    to.wrapping_add(end.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn compacted(text: &str) -> String {
        let mut octets = text.as_bytes().to_vec();
        let length = compact(&mut octets);
        String::from_utf8(octets[..length].to_vec()).unwrap()
    }

    #[test]
    fn names_with_a_compact_form_are_shortened_and_nothing_else() {
        let long = "INVITE sip:Via:1@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
            VIA : SIP/2.0/UDP b\r\nMax-Forwards: 70\r\nt: <sip:a@b>\r\nSubject: one\r\n To: two\r\nX-From: me\r\n\
            Content-Length: 8\r\n\r\nTo: you\n";
        let short = "INVITE sip:Via:1@example.com SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
            v : SIP/2.0/UDP b\r\nMax-Forwards: 70\r\nt: <sip:a@b>\r\ns: one\r\n To: two\r\nX-From: me\r\n\
            l: 8\r\n\r\nTo: you\n";
        assert_eq!(compacted(long), short);
        assert_eq!(compacted(short), short);
    }

    #[test]
    fn what_is_no_message_stays() {
        for text in ["", "\r\n", "\n\n", "To", "To: a", "INVITE\r\n", "a\r\nTo", "a\r\n\r\nTo: b\r\n"] {
            assert_eq!(compacted(text), text);
        }
    }

    #[test]
    fn every_sample_means_the_same_and_is_no_longer() {
        for sample in crate::message::samples::ALL {
            let sample = crate::message::samples::crlf(sample);
            let message = Message::parse(&sample).unwrap();
            let mut octets = sample.clone();
            let length = compact(&mut octets);
            let short = Message::parse(&octets[..length]).unwrap();
            assert!(short.headers().eq(message.headers()));
            assert_eq!(short.body(), message.body());
            assert!(length <= sample.len());
            assert_eq!(length == sample.len(), !short.headers().any(|row| row.name.compact().is_some()));
        }
    }
}
