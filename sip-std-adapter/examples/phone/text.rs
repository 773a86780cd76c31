//! Text for people: durations, and what strangers sent made safe for a terminal.

use sip_core::message::{HeaderName, Message};

/// What strangers sent, without the control characters that a terminal would obey.
pub(crate) fn printable(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    text.chars().map(|c| if c.is_control() || is_format(c) { '?' } else { c }).collect()
}

/// Characters that change the direction of text, or take no room.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Milliseconds as such below a second, then as seconds with one decimal.
pub(crate) fn seconds(millis: u64) -> String {
    if millis < 1000 { format!("{millis} ms") } else { format!("{}.{} s", millis / 1000, millis % 1000 / 100) }
}

/// The elements of all rows of this name.
pub(crate) fn list(message: &Message<'_>, name: HeaderName<'_>) -> Vec<String> {
    message.values(name).map(printable).collect()
}

/// The Contacts of a message.
pub(crate) fn contacts(message: &Message<'_>) -> Vec<String> {
    message.contacts().filter_map(Result::ok).map(|contact| printable(contact.raw())).collect()
}

/// The URI of who sent a request.
pub(crate) fn caller(message: &Message<'_>) -> String {
    printable(message.from().raw_uri())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(printable(b"a\x1b[2Jb\r\nc\xff"), "a?[2Jb??c\u{fffd}");
        assert_eq!(printable("\u{202e}Grüße".as_bytes()), "?Grüße");
    }

    #[test]
    fn seconds_have_one_decimal() {
        assert_eq!([999, 1999, 61_050].map(seconds), ["999 ms", "1.9 s", "61.0 s"]);
    }
}
