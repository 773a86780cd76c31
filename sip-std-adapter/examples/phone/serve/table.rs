//! What stands at the bottom of a terminal while a server runs: how many are registered, who calls whom, and who is where.

use crate::text::{Identity, count, printable, seconds};
use sip_core::registrar::BindingInfo;
use sip_core::time::Instant;

/// Rows at most, however high the terminal is.
const ROWS: usize = 16;

/// What a table is drawn of.
pub(super) struct Table<'a> {
    pub(super) now: Instant,
    pub(super) registered: usize,
    pub(super) under_way: usize,
    pub(super) up: usize,
    pub(super) ended: u64,
    /// Calls that ring, and since when.
    pub(super) calls: Vec<(&'a Identity, Instant)>,
    /// Some of the bindings.
    pub(super) bindings: Vec<BindingInfo<'a>>,
}

impl Table<'_> {
    /// How many calls, or bindings, are of use.
    pub(super) const ROWS: usize = ROWS;

    /// The rows, for a terminal with so many lines and columns.
    pub(super) fn rows(mut self, lines: usize, columns: usize) -> Vec<String> {
        let [bindings, requests, up] = [(self.registered, "binding"), (self.under_way, "request"), (self.up, "call")]
            .map(|(number, what)| count(number as u64, what));
        let mut rows = vec![format!("{bindings}, {requests} under way, {up} up, {} ended", self.ended)];
        self.calls.sort_by_key(|(_, since)| *since);
        rows.extend(self.calls.iter().map(|(identity, since)| {
            let name = |uri: &Option<String>| uri.as_deref().unwrap_or("somebody").to_owned();
            let rung = seconds(self.now.since(*since).as_millis());
            format!("  {} calls {} since {rung}", name(&identity.from), name(&identity.to))
        }));
        self.bindings.sort_by_key(|info| info.aor);
        rows.extend(self.bindings.iter().map(|info| {
            let left = info.expires.since(self.now).as_millis().div_ceil(1000);
            format!("  {:<28} {} for {left} s", printable(info.aor), printable(info.contact))
        }));
        // One line is left to what happens.
        rows.truncate(lines.saturating_sub(1).clamp(1, ROWS));
        let width = columns.saturating_sub(1);
        rows.iter().map(|row| row.chars().take(width).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::digest::NonceOrder;
    use sip_core::transport::Flow;

    fn binding<'a>(aor: &'a [u8], contact: &'a [u8]) -> BindingInfo<'a> {
        BindingInfo {
            aor,
            contact,
            path: b"",
            call_id: b"1",
            instance: b"",
            reg_id: 0,
            cseq: 1,
            order: NonceOrder::ZERO,
            q: 1000,
            expires: Instant::from_millis(90_500),
            flow: Flow::NONE,
            revision: 1,
        }
    }

    #[test]
    fn a_table_has_room_for_what_there_is_and_no_more_than_the_terminal() {
        let call = Identity {
            call_id: None,
            from: Some("sip:alice@example.com".to_owned()),
            to: Some("sip:bob@example.com".to_owned()),
        };
        let table = || Table {
            now: Instant::from_millis(10_000),
            registered: 2,
            under_way: 1,
            up: 3,
            ended: 7,
            calls: vec![(&call, Instant::from_millis(8_500))],
            bindings: vec![
                binding(b"sip:dan@example.com", b"sip:dan@192.0.2.2"),
                binding(b"sip:bob@example.com", b"sip:b\x1b@h"),
            ],
        };
        assert_eq!(
            table().rows(24, 80),
            [
                "2 bindings, 1 request under way, 3 calls up, 7 ended",
                "  sip:alice@example.com calls sip:bob@example.com since 1.5 s",
                "  sip:bob@example.com          sip:b?@h for 81 s",
                "  sip:dan@example.com          sip:dan@192.0.2.2 for 81 s",
            ]
        );
        assert_eq!(table().rows(3, 20), ["2 bindings, 1 reque", "  sip:alice@example"]);
        assert_eq!(table().rows(0, 0), [""]);
    }
}
