//! Text for people: durations, and what strangers sent made safe for a terminal.

use serde::Serialize;
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

/// What a response has to say besides its status, in brackets.
pub(crate) fn warnings(message: &Message<'_>) -> String {
    let texts: Vec<String> = message.warnings().flatten().map(|warning| printable(warning.text)).collect();
    if texts.is_empty() { String::new() } else { format!(" ({})", texts.join("; ")) }
}

/// What names a call, or another exchange with a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    pub(crate) call_id: Option<String>,
    /// The URI in From.
    pub(crate) from: Option<String>,
    /// The URI in To.
    pub(crate) to: Option<String>,
}

impl Identity {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        Self {
            call_id: Some(printable(message.call_id())),
            from: Some(printable(message.from().raw_uri())),
            to: Some(printable(message.to().raw_uri())),
        }
    }
}

/// The text of a request of the peer on one line, without the line end that it may have.
pub(crate) fn one_line(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    let shown = String::from_utf8_lossy(text.get(..LONGEST).unwrap_or(text));
    let lines: Vec<String> = shown.trim_end().lines().map(|line| printable(line.as_bytes())).collect();
    lines.join(" / ")
}

/// The URI of who sent a request.
pub(crate) fn caller(message: &Message<'_>) -> String {
    printable(message.from().raw_uri())
}

/// A number of things, by their name in the singular.
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
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
    fn a_text_is_shown_on_one_line() {
        assert_eq!(one_line(b"good morning\r\n"), "good morning");
        assert_eq!(one_line(b"one\r\ntwo\n\x1b\n\n"), "one / two / ?");
        assert_eq!(one_line(b"\r\n"), "");
        assert_eq!(one_line("ü".repeat(300).as_bytes()).chars().count(), 100);
    }

    #[test]
    fn seconds_have_one_decimal() {
        assert_eq!([999, 1999, 61_050].map(seconds), ["999 ms", "1.9 s", "61.0 s"]);
    }
}
