//! What the user types while in a call: a line each.
//!
//! ```text
//! h         hold        r   resume      m   mute, or be heard again
//! d DIGITS  DTMF        q   hang up     ?   help
//! t URI     transfer    a URI   ask somebody first, and then x   put through
//! ```

use crate::args::sip_uri;
use sip_std_adapter::Waker;
use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is shown for `?`.
pub(crate) const HELP: &str = "h hold, r resume, m mute, d DIGITS dial, t URI transfer, a URI ask first, x put through, q hang up, each with Enter";

/// Digits of one `d`, at most.
const MAX_DIGITS: usize = 64;
/// Lines that wait to be read, at most; who types faster is not heard.
const MAX_LINES: usize = 64;

/// Something that the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Hold,
    Resume,
    Mute,
    Dial(String),
    Transfer(String),
    Ask(String),
    PutThrough,
    HangUp,
    Help,
}

/// The lines that were typed and not read yet.
#[derive(Clone, Default)]
pub(crate) struct Keys(Option<Arc<Mutex<VecDeque<String>>>>);

impl Keys {
    /// Reads standard input from now on, when it is a terminal or `always`.
    pub(crate) fn listen(waker: Waker, always: bool) -> Self {
        if !always && !io::stdin().is_terminal() {
            return Self::default();
        }
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let queue = Arc::clone(&lines);
        // The thread ends with the input, or with the process.
        let spawned = thread::Builder::new().name("keys".into()).spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.len() < MAX_LINES {
                    queue.push_back(line);
                }
                drop(queue);
                let _ = waker.wake();
            }
        });
        Self(spawned.ok().map(|_| lines))
    }

    /// Whether anybody can type.
    pub(crate) const fn are_read(&self) -> bool {
        self.0.is_some()
    }

    /// The next line, as what it asks for; an error is what to tell the user.
    pub(crate) fn take(&self) -> Option<Result<Key, String>> {
        let line = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some(read(&line))
    }
}

fn read(line: &str) -> Result<Key, String> {
    let (key, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    match (key, rest) {
        ("h", "") => Ok(Key::Hold),
        ("r", "") => Ok(Key::Resume),
        ("m", "") => Ok(Key::Mute),
        ("q", "") => Ok(Key::HangUp),
        ("?" | "", "") => Ok(Key::Help),
        ("d", digits) if is_dial(digits) => Ok(Key::Dial(digits.to_ascii_uppercase())),
        ("x", "") => Ok(Key::PutThrough),
        ("t", uri) => sip_uri(uri).map(Key::Transfer),
        ("a", uri) => sip_uri(uri).map(Key::Ask),
        ("d", _) => Err(format!("d wants 1 to {MAX_DIGITS} of 0-9, *, # and A-D")),
        _ => Err(HELP.to_owned()),
    }
}

fn is_dial(digits: &str) -> bool {
    let known = |digit: char| matches!(digit, '0'..='9' | '*' | '#' | 'a'..='d' | 'A'..='D');
    (1..=MAX_DIGITS).contains(&digits.len()) && digits.chars().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key() {
        for (line, key) in [
            ("h", Key::Hold),
            (" r ", Key::Resume),
            ("m", Key::Mute),
            ("q", Key::HangUp),
            ("?", Key::Help),
            ("", Key::Help),
            ("d 12*#a", Key::Dial("12*#A".into())),
            ("t carol@example.com", Key::Transfer("sip:carol@example.com".into())),
            ("a sip:carol@127.0.0.1:5070", Key::Ask("sip:carol@127.0.0.1:5070".into())),
            ("x", Key::PutThrough),
        ] {
            assert_eq!(read(line), Ok(key), "{line}");
        }
        for wrong in [
            "y",
            "x now",
            "t",
            "t tel:+1",
            "a",
            "h now",
            "d",
            "d 12x",
            &format!("d {}", "1".repeat(65)),
            "hold",
            "\u{fc}",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
