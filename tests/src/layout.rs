//! The lines of a ladder: where its columns stand and how an arrow, a note and a heading are drawn.

use crate::ladder::Fate;
use sip_core::time::Instant;

/// The characters that arrows are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrows {
    /// `|--- INVITE --->|`, for every terminal.
    #[default]
    Ascii,
    /// `│─── INVITE ───▶│`, for terminals that show UTF-8.
    Unicode,
}

/// Columns of the time at the left, with the space after it.
pub(crate) const TIME: usize = 10;
/// Columns of an arrow that are not its label: dashes, head and the spaces around the label.
pub(crate) const SHAFT: usize = 8;

/// Endpoints side by side, `gap` characters between their bars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) endpoints: usize,
    pub(crate) gap: usize,
    pub(crate) arrows: Arrows,
}

struct Glyphs {
    bar: char,
    dash: char,
    left: char,
    right: char,
    lost: char,
    blocked: char,
}

const ASCII: Glyphs = Glyphs { bar: '|', dash: '-', left: '<', right: '>', lost: 'x', blocked: '#' };
const UNICODE: Glyphs = Glyphs { bar: '│', dash: '─', left: '◀', right: '▶', lost: '×', blocked: '■' };

impl Layout {
    /// The line with the names over their bars.
    pub(crate) fn heading<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let mut line = self.blank();
        let ms = TIME - 4;
        line[ms..ms + 2].copy_from_slice(&['m', 's']);
        for (index, name) in names.take(self.endpoints).enumerate() {
            let name = self.fit(name, self.gap.saturating_sub(1));
            let start = if index + 1 == self.endpoints && index > 0 {
                self.bar(index) + 1 - name.len()
            } else {
                self.bar(index)
            };
            overlay(&mut line, start, &name);
        }
        finish(&line)
    }

    /// The line of a message from one endpoint to another.
    pub(crate) fn arrow(&self, time: Instant, from: usize, to: usize, label: &str, fate: Fate) -> String {
        let glyphs = self.glyphs();
        let mut line = self.bars(time);
        let label = match fate {
            Fate::Duplicated => format!("{label} [twice]"),
            Fate::Delayed(late) => format!("{label} [+{} ms]", late.as_millis()),
            Fate::Delivered | Fate::Lost | Fate::Blocked => label.to_owned(),
        };
        let (low, high) = (self.bar(from.min(to)) + 1, self.bar(from.max(to)));
        if low > high {
            let text = self.fit(&format!("{}{} {label}", glyphs.right, glyphs.left), self.gap.saturating_sub(1));
            // The last endpoint has room on its left only.
            let last = from + 1 == self.endpoints && from > 0;
            overlay(&mut line, if last { low.saturating_sub(2 + text.len()) } else { low }, &text);
            return finish(&line);
        }
        let rightward = from < to;
        let label = self.fit(&label, (high - low).saturating_sub(SHAFT));
        let end = match fate {
            Fate::Lost => Some(glyphs.lost),
            Fate::Blocked => Some(glyphs.blocked),
            Fate::Delivered | Fate::Duplicated | Fate::Delayed(_) => None,
        };
        // A message that is dropped ends two dashes behind its label, on the way to its target.
        let length = label.len() + SHAFT - 1;
        let (first, last) = match (end, rightward) {
            (None, _) => (low, high - 1),
            (Some(_), true) => (low, low + length),
            (Some(_), false) => (high - 1 - length, high - 1),
        };
        line[low..high].fill(' ');
        line[first..=last].fill(glyphs.dash);
        if rightward {
            line[last] = end.unwrap_or(glyphs.right);
        } else {
            line[first] = end.unwrap_or(glyphs.left);
        }
        overlay(&mut line, first + 3, &[' ']);
        overlay(&mut line, first + 4, &label);
        overlay(&mut line, first + 4 + label.len(), &[' ']);
        finish(&line)
    }

    /// The line of something that happened at one endpoint.
    pub(crate) fn note(&self, time: Instant, at: usize, text: &str) -> String {
        let mut line = self.bars(time);
        let text = self.fit(&format!("* {text}"), self.gap.saturating_sub(2));
        let start = if at + 1 == self.endpoints && at > 0 { self.bar(at) - 1 - text.len() } else { self.bar(at) + 2 };
        overlay(&mut line, start, &text);
        finish(&line)
    }

    fn glyphs(&self) -> &'static Glyphs {
        match self.arrows {
            Arrows::Ascii => &ASCII,
            Arrows::Unicode => &UNICODE,
        }
    }

    fn bar(&self, endpoint: usize) -> usize {
        TIME + endpoint * (self.gap + 1)
    }

    /// A single endpoint has room for its notes behind its bar.
    fn blank(&self) -> Vec<char> {
        vec![' '; self.bar(self.endpoints.max(2) - 1) + 1]
    }

    fn bars(&self, time: Instant) -> Vec<char> {
        let mut line = self.blank();
        for endpoint in 0..self.endpoints {
            let at = self.bar(endpoint);
            line[at] = self.glyphs().bar;
        }
        let millis: Vec<char> = format!("{:>8}", time.as_millis()).chars().collect();
        overlay(&mut line, 0, &millis[millis.len() - 8..]);
        line
    }

    /// At most `width` printable characters of `text`; three dots stand for the rest.
    fn fit(&self, text: &str, width: usize) -> Vec<char> {
        let ascii = self.arrows == Arrows::Ascii;
        let plain = |c: char| if c.is_control() || (ascii && !c.is_ascii()) { '?' } else { c };
        let mut fitted: Vec<char> = text.chars().map(plain).collect();
        if fitted.len() > width {
            fitted.truncate(width.saturating_sub(3));
            fitted.extend(['.'; 3].iter().take(width));
        }
        fitted
    }
}

fn overlay(line: &mut [char], start: usize, text: &[char]) {
    line[start..start + text.len()].copy_from_slice(text);
}

fn finish(line: &[char]) -> String {
    let text: String = line.iter().collect();
    text.trim_end().to_owned()
}
