//! What goes to standard output and standard error: at once, or held back and written together.

use std::io::{self, Write};

/// Octets that are held back at most: what is more comes out at once.
const MOST: usize = 8192;

/// The two streams.
#[derive(Default)]
pub(crate) struct Lines {
    is_held: bool,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Lines {
    /// Holds back what comes from now on, until it is [released](Self::release) or is much.
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Writes to standard output.
    pub(crate) fn out(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.written();
    }

    /// Writes to standard error.
    pub(crate) fn err(&mut self, text: &str) {
        self.err.extend_from_slice(text.as_bytes());
        self.written();
    }

    /// Whether nothing is held back.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.err.is_empty()
    }

    fn written(&mut self) {
        if !self.is_held || self.out.len() + self.err.len() >= MOST {
            self.release();
        }
    }

    /// Writes what is held back. A reader that has gone away is no reason to stop.
    pub(crate) fn release(&mut self) {
        if !self.out.is_empty() {
            let mut out = io::stdout().lock();
            let _ = out.write_all(&self.out).and_then(|()| out.flush());
            self.out.clear();
        }
        if !self.err.is_empty() {
            let _ = io::stderr().lock().write_all(&self.err);
            self.err.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut lines = Lines::default();
        lines.err("");
        assert!(lines.is_empty());
        lines.hold();
        lines.out("");
        assert!(lines.is_empty());
        let line = format!("{:1000}\r", "");
        let mut most = 0;
        for _ in 0..20 {
            lines.err(&line);
            most = most.max(lines.err.len());
        }
        assert!(most > 1001 && most < MOST, "{most}");
        lines.release();
        assert!(lines.is_empty());
    }
}
