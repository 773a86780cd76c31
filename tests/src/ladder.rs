//! Ladder diagrams as text: who sent what to whom, when, and what became of it.
//!
//! ```text
//!       ms  alice                                       bob
//!        0  |--- INVITE sip:bob@192.0.2.2 (sdp) --------->|
//!       10  |<-- 180 Ringing -----------------------------|
//!       10  | * Ringing                                   |
//!      912  |                         x-- 200 OK (sdp) ---|
//!     1412  |<-- 200 OK (sdp) ----------------------------|
//!     1412  |--- ACK ------------------------------------>|
//! ```

use crate::layout::{Layout, SHAFT, TIME};
use crate::pcap::{LinkType, MAX_PAYLOAD, PcapWriter};
use crate::short::short_form;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};

pub use crate::layout::Arrows;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It arrives once.
    Delivered,
    /// It is lost on the way.
    Lost,
    /// It arrives twice.
    Duplicated,
    /// It is held back for so many milliseconds beyond its time on the way.
    Delayed(Duration),
    /// It is dropped because an end is unplugged or refuses it, or because nobody has the address.
    Blocked,
}

/// One datagram, as sent.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was sent.
    pub time: Instant,
    /// Who sent it.
    pub from: Address,
    /// Where it was sent to.
    pub to: Address,
    /// Its octets, or the text of a note.
    pub bytes: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    note: bool,
}

/// The last so many lines of a run.
///
/// `Display` renders it whole, with one column for each endpoint.
#[derive(Debug, Default)]
pub struct Ladder {
    limit: usize,
    dropped: u64,
    names: Vec<(Address, String)>,
    entries: VecDeque<Entry>,
    arrows: Arrows,
}

impl Ladder {
    /// A ladder that keeps the last `limit` lines; with zero it keeps nothing and costs nothing.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Sets the characters that arrows are drawn with.
    pub fn set_arrows(&mut self, arrows: Arrows) {
        self.arrows = arrows;
    }

    /// Gives the endpoint at `address` a name; columns stand in the order of naming. An endpoint without a name
    /// is shown by its address.
    pub fn name(&mut self, address: Address, name: &str) {
        match self.names.iter_mut().find(|(known, _)| *known == address) {
            Some((_, known)) => name.clone_into(known),
            None => self.names.push((address, name.to_owned())),
        }
    }

    /// Whether lines are kept.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Records a datagram as it is sent. The answer is its number, for [`set_fate`](Self::set_fate).
    pub fn record(&mut self, time: Instant, from: Address, to: Address, bytes: &[u8], fate: Fate) -> u64 {
        self.push(time, from, to, bytes, fate, false)
    }

    /// Records something that happened at one endpoint.
    pub fn note(&mut self, time: Instant, at: Address, text: &str) {
        self.push(time, at, at, text.as_bytes(), Fate::Delivered, true);
    }

    /// Says what became of a datagram recorded before; forgotten ones are left alone.
    pub fn set_fate(&mut self, number: u64, fate: Fate) {
        let Some(index) = number.checked_sub(self.dropped) else { return };
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.fate = fate;
        }
    }

    /// The datagrams that are kept, first sent first.
    pub fn datagrams(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.note)
    }

    /// Those among them from line `number` on; lines are numbered from zero over the whole run.
    pub fn datagrams_since(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let skipped = number.saturating_sub(self.dropped);
        self.entries.iter().skip(skipped as usize).filter(|entry| !entry.note)
    }

    /// The number of the first line that is kept.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.dropped
    }

    /// The number of the next line.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// The endpoints and their names, in the order of naming.
    pub fn endpoints(&self) -> impl Iterator<Item = (Address, &str)> {
        self.names.iter().map(|(address, name)| (*address, name.as_str()))
    }

    /// Forgets the lines, keeps the names.
    pub fn clear(&mut self) {
        self.dropped += self.entries.len() as u64;
        self.entries.clear();
    }

    /// Writes what is kept as a capture: each datagram once, when it was sent, whatever became of it; the epoch
    /// of the run becomes the Unix epoch. Datagrams between address families or too long for UDP are left out.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pcap<W: Write>(&self, out: W, link: LinkType) -> io::Result<W> {
        let mut writer = PcapWriter::new(out, link)?;
        for entry in self.datagrams() {
            let (Some(from), Some(to)) = (entry.from.socket_addr(), entry.to.socket_addr()) else { continue };
            if from.is_ipv4() == to.is_ipv4() && entry.bytes.len() <= MAX_PAYLOAD {
                writer.datagram(entry.time.as_millis() * 1000, from, to, &entry.bytes)?;
            }
        }
        writer.finish()
    }

    fn push(&mut self, time: Instant, from: Address, to: Address, bytes: &[u8], fate: Fate, note: bool) -> u64 {
        if !self.is_on() {
            return 0;
        }
        let mut kept = Vec::new();
        if self.entries.len() >= self.limit
            && let Some(oldest) = self.entries.pop_front()
        {
            self.dropped += 1;
            kept = oldest.bytes;
            kept.clear();
        }
        kept.extend_from_slice(bytes);
        self.entries.push_back(Entry { time, from, to, bytes: kept, fate, note });
        self.next_number() - 1
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut columns = self.names.clone();
        for address in self.entries.iter().flat_map(|entry| [entry.from, entry.to]) {
            if columns.iter().all(|(known, _)| *known != address) {
                columns.push((address, address.to_string()));
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        let label = |entry: &Entry| {
            if entry.note { String::from_utf8_lossy(&entry.bytes).into_owned() } else { short_form(&entry.bytes) }
        };
        let labels: Vec<String> = self.entries.iter().map(label).collect();
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        // Room for the mark of a fate, such as ` [+2000 ms]`.
        let gap = (longest + SHAFT + 12).clamp(24, if columns.len() > 2 { 56 } else { 76 });
        let layout = Layout { endpoints: columns.len(), gap, arrows: self.arrows };
        writeln!(f, "{}", layout.heading(columns.iter().map(|(_, name)| name.as_str())))?;
        if self.dropped > 0 {
            writeln!(f, "  ({} earlier lines are not kept)", self.dropped)?;
        }
        let column = |address| columns.iter().position(|(known, _)| *known == address).unwrap_or(0);
        for (entry, label) in self.entries.iter().zip(&labels) {
            let line = if entry.note {
                layout.note(entry.time, column(entry.from), label)
            } else {
                layout.arrow(entry.time, column(entry.from), column(entry.to), label, entry.fate)
            };
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Which way a message goes between the two columns of a [`LadderLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the left endpoint to the right one: sent by who prints.
    Right,
    /// From the right endpoint to the left one: received by who prints.
    Left,
}

/// Renders messages between two endpoints, or several, one line at a time, as they pass.
#[derive(Clone, Debug)]
pub struct LadderLine {
    names: Vec<String>,
    layout: Layout,
}

impl LadderLine {
    /// The widest line, in columns.
    pub const MAX_WIDTH: usize = 100;

    /// Two endpoints with these names, in ASCII, 80 columns wide.
    #[must_use]
    pub fn new(left: &str, right: &str) -> Self {
        Self::with_endpoints(&[left, right])
    }

    /// As many endpoints as there are names, from the left, in ASCII, 80 columns wide. One alone stands beside nobody.
    #[must_use]
    pub fn with_endpoints(names: &[&str]) -> Self {
        let layout = Layout { endpoints: names.len(), gap: 0, arrows: Arrows::Ascii };
        Self { names: names.iter().map(|name| (*name).to_owned()).collect(), layout }.with_width(80)
    }

    /// The same with these characters for its arrows.
    #[must_use]
    pub fn with_arrows(mut self, arrows: Arrows) -> Self {
        self.layout.arrows = arrows;
        self
    }

    /// The same, `columns` wide; at least 40, at most [`MAX_WIDTH`](Self::MAX_WIDTH).
    #[must_use]
    pub fn with_width(mut self, columns: usize) -> Self {
        // Each endpoint has a bar, and a gap but for the last.
        let gaps = self.layout.endpoints.max(2) - 1;
        self.layout.gap = (columns.clamp(40, Self::MAX_WIDTH) - TIME - 1) / gaps - 1;
        self
    }

    /// The line with the names, to be printed once.
    #[must_use]
    pub fn heading(&self) -> String {
        self.layout.heading(self.names.iter().map(String::as_str))
    }

    /// The line of a message; `time` is shown in milliseconds.
    #[must_use]
    pub fn message(&self, time: Instant, direction: Direction, bytes: &[u8]) -> String {
        let (from, to) = match direction {
            Direction::Right => (0, 1),
            Direction::Left => (1, 0),
        };
        self.between(time, from, to, bytes)
    }

    /// The line of a message from one endpoint to another, which are counted from the left, from zero.
    #[must_use]
    pub fn between(&self, time: Instant, from: usize, to: usize, bytes: &[u8]) -> String {
        let last = self.layout.endpoints.saturating_sub(1);
        self.layout.arrow(time, from.min(last), to.min(last), &short_form(bytes), Fate::Delivered)
    }

    /// The line of something that happened at the left endpoint.
    #[must_use]
    pub fn note(&self, time: Instant, text: &str) -> String {
        self.note_at(time, 0, text)
    }

    /// The line of something that happened at an endpoint.
    #[must_use]
    pub fn note_at(&self, time: Instant, endpoint: usize, text: &str) -> String {
        self.layout.note(time, endpoint.min(self.layout.endpoints.saturating_sub(1)), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ping::{request, response};
    use std::net::Ipv4Addr;

    const A: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 1), 5060);
    const B: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 2), 5060);
    const C: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 3), 5060);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn example() -> Ladder {
        let mut ladder = Ladder::new(10);
        ladder.name(A, "alice");
        ladder.name(B, "bob");
        ladder.record(at(0), A, B, &request("INVITE", 1), Fate::Delivered);
        ladder.record(at(10), B, A, &response(180, "Ringing", "INVITE", 1), Fate::Duplicated);
        ladder.note(at(10), A, "Ringing");
        ladder.note(at(11), B, "Answered");
        ladder.record(at(912), B, A, &response(200, "OK", "INVITE", 1), Fate::Lost);
        ladder.record(at(920), A, B, &request("ACK", 1), Fate::Delayed(Duration::from_millis(80)));
        ladder.record(at(12_345_678), A, B, b"rubbish", Fate::Blocked);
        ladder
    }

    #[test]
    fn every_fate_has_its_arrow() {
        let expected = [
            "      ms  alice                                      bob",
            "       0  |--- INVITE sip:bob@192.0.2.2 -------------->|",
            "      10  |<-- 180 Ringing [twice] --------------------|",
            "      10  | * Ringing                                  |",
            "      11  |                                 * Answered |",
            "     912  |                              x-- 200 OK ---|",
            "     920  |--- ACK [+80 ms] -------------------------->|",
            "12345678  |--- malformed (7 octets) --#                |",
        ];
        let text = example().to_string();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_endpoint_without_a_name_is_shown_by_its_address() {
        let mut ladder = example();
        ladder.record(at(12_345_700), C, A, &request("OPTIONS", 2), Fate::Delivered);
        let text = ladder.to_string();
        assert!(text.lines().next().unwrap().ends_with(" 192.0.2.3:5060"), "{text}");
        let last = text.lines().last().unwrap();
        assert!(last.ends_with("--|") && last.contains("|<-- OPTIONS sip:bob@192.0.2.2 ---"), "{text}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut ladder = Ladder::new(2);
        let first = ladder.record(at(1), A, B, b"1", Fate::Delivered);
        ladder.record(at(2), A, B, b"2", Fate::Delivered);
        let third = ladder.record(at(3), A, B, b"3", Fate::Delivered);
        ladder.set_fate(first, Fate::Lost);
        ladder.set_fate(third, Fate::Blocked);
        let kept: Vec<_> = ladder.datagrams().map(|entry| (entry.bytes.as_slice(), entry.fate)).collect();
        assert_eq!(kept, [(&b"2"[..], Fate::Delivered), (&b"3"[..], Fate::Blocked)]);
        assert!(ladder.to_string().contains("1 earlier lines"));
        let mut off = Ladder::new(0);
        off.record(at(1), A, B, b"1", Fate::Delivered);
        assert_eq!(off.to_string(), "");
    }

    #[test]
    fn a_streamed_line_never_exceeds_its_width() {
        let long = request(&"LONG".repeat(40), 1);
        for width in 0..130 {
            for arrows in [Arrows::Ascii, Arrows::Unicode] {
                let line = LadderLine::new("alice", &"bob".repeat(40)).with_arrows(arrows).with_width(width);
                let expected = width.clamp(40, 100);
                for direction in [Direction::Right, Direction::Left] {
                    let text = line.message(at(u64::MAX), direction, &long);
                    assert_eq!(text.chars().count(), expected, "{text}");
                    assert_eq!(line.message(at(0), direction, &request("ACK", 1)).chars().count(), expected);
                }
                assert_eq!(line.heading().chars().count(), expected);
                assert_eq!(line.note(at(0), &"note".repeat(40)).chars().count(), expected);
            }
        }
    }

    #[test]
    fn a_streamed_line_reads_like_this() {
        let line = LadderLine::new("me", "sip.example.com").with_width(60);
        let shown = [
            line.heading(),
            line.message(at(5), Direction::Right, &request("INVITE", 1)),
            line.message(at(25), Direction::Left, &response(180, "Ringing", "INVITE", 1)),
            line.note(at(25), "ringing"),
            line.message(at(26), Direction::Left, b"\r\n\r\n"),
            line.message(at(27), Direction::Left, b"\x16\x03"),
            line.message(at(28), Direction::Left, &response(200, "Grüße", "BYE", 1)),
            line.with_arrows(Arrows::Unicode).message(at(28), Direction::Left, &response(200, "Grüße", "BYE", 1)),
        ];
        let expected = [
            "      ms  me                                 sip.example.com",
            "       5  |--- INVITE sip:bob@192.0.2.2 ------------------>|",
            "      25  |<-- 180 Ringing --------------------------------|",
            "      25  | * ringing                                      |",
            "      26  |<-- keep-alive ---------------------------------|",
            "      27  |<-- malformed (2 octets) -----------------------|",
            "      28  |<-- 200 Gr??e (BYE) ----------------------------|",
            "      28  │◀── 200 Grüße (BYE) ────────────────────────────│",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn three_endpoints_stand_side_by_side() {
        let line = LadderLine::with_endpoints(&["alice", "server", "bob"]).with_width(70);
        let shown = [
            line.heading(),
            line.between(at(5), 0, 1, &request("INVITE", 1)),
            line.between(at(6), 1, 2, &request("INVITE", 1)),
            line.between(at(25), 2, 1, &response(180, "Ringing", "INVITE", 1)),
            line.note_at(at(26), 1, "ringing"),
            line.note_at(at(26), 2, "answered"),
            line.between(at(27), 0, 2, &request("ACK", 1)),
        ];
        let expected = [
            "      ms  alice                        server                     bob",
            "       5  |--- INVITE sip:bob@19... -->|                            |",
            "       6  |                            |--- INVITE sip:bob@19... -->|",
            "      25  |                            |<-- 180 Ringing ------------|",
            "      26  |                            | * ringing                  |",
            "      26  |                            |                 * answered |",
            "      27  |--- ACK ------------------------------------------------>|",
        ];
        assert_eq!(shown, expected);
        for width in 0..130 {
            let line = LadderLine::with_endpoints(&["a", "b", "c", "d"]).with_width(width);
            assert!(line.heading().chars().count() <= width.clamp(40, LadderLine::MAX_WIDTH));
            assert_eq!(
                line.between(at(1), 9, 0, &request("INVITE", 1)),
                line.between(at(1), 3, 0, &request("INVITE", 1))
            );
        }
    }

    #[test]
    fn the_capture_holds_what_was_sent() {
        let file = example().write_pcap(Vec::new(), LinkType::Raw).unwrap();
        let payloads: usize = example().datagrams().map(|entry| entry.bytes.len()).sum();
        assert_eq!(file.len(), 24 + payloads + 5 * (16 + 28));
    }
}
