//! What is typed: lines, and the commands that they are.

/// Octets of the longest line.
const LINE: usize = 200;

/// Makes lines of single octets.
#[derive(Debug)]
pub struct LineReader {
    octets: [u8; LINE],
    length: usize,
    /// The line is over and has been handed out, or was too long: the next octet begins a new one.
    over: bool,
}

impl LineReader {
    /// A reader that has read nothing.
    pub const ZERO: Self = Self { octets: [0; LINE], length: 0, over: false };

    /// Takes the next octet; gives a line that is complete. What does not fit into 200 octets is dropped.
    pub fn push(&mut self, octet: u8) -> Option<&str> {
        if core::mem::take(&mut self.over) {
            self.length = 0;
        }
        match octet {
            b'\r' | b'\n' => {
                self.over = true;
                let line = self.octets.get(..self.length)?;
                core::str::from_utf8(line).ok().map(str::trim).filter(|line| !line.is_empty())
            }
            0x08 | 0x7f => {
                self.length = self.length.saturating_sub(1);
                None
            }
            _ => {
                if let Some(place) = self.octets.get_mut(self.length) {
                    *place = octet;
                    self.length += 1;
                }
                None
            }
        }
    }
}

/// Something the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// What can be typed.
    Help,
    /// How things stand.
    Status,
    /// Register, or register anew.
    Register,
    /// Remove the binding.
    Unregister,
    /// Call this URI.
    Call(&'a str),
    /// Answer the call on this line, or on the first that rings.
    Answer(Option<usize>),
    /// Put the peer on hold.
    Hold(Option<usize>),
    /// Talk again.
    Resume(Option<usize>),
    /// End the call, or refuse it.
    HangUp(Option<usize>),
    /// Do nothing for ever, so that the watchdog can be seen to bite.
    Freeze,
}

impl<'a> Command<'a> {
    /// The command that a line is. Lines of the phone are numbered from 1.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let number = || match rest {
            "" => Some(None),
            digits => digits.parse().ok().map(Some),
        };
        match word {
            "call" => (!rest.is_empty()).then_some(Self::Call(rest)),
            "answer" => number().map(Self::Answer),
            "hold" => number().map(Self::Hold),
            "resume" => number().map(Self::Resume),
            "hangup" => number().map(Self::HangUp),
            _ if !rest.is_empty() => None,
            "help" => Some(Self::Help),
            "status" => Some(Self::Status),
            "register" => Some(Self::Register),
            "unregister" => Some(Self::Unregister),
            "freeze" => Some(Self::Freeze),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(typed: &str) -> Vec<String> {
        let mut reader = LineReader::ZERO;
        typed.bytes().filter_map(|octet| reader.push(octet).map(str::to_owned)).collect()
    }

    #[test]
    fn octets_become_lines() {
        assert_eq!(lines("status\r\ncall x\ncalm\x08l y\n\n  \nrest"), ["status", "call x", "call y"]);
        let long = "x".repeat(LINE + 50);
        assert_eq!(lines(&format!("{long}\nhelp\n")), [&long[..LINE], "help"]);
    }

    #[test]
    fn lines_become_commands() {
        for (line, command) in [
            ("call sip:bob@example.com", Some(Command::Call("sip:bob@example.com"))),
            ("call", None),
            ("answer", Some(Command::Answer(None))),
            ("hangup 2", Some(Command::HangUp(Some(2)))),
            ("hold two", None),
            ("resume  1 ", Some(Command::Resume(Some(1)))),
            ("status", Some(Command::Status)),
            ("status now", None),
            ("dance", None),
        ] {
            assert_eq!(Command::parse(line), command, "{line}");
        }
    }
}
