//! Registrations that are answered when they are in the store, several of them with one commit.
//!
//! A commit waits for the disk, and the server stands still meanwhile. So what is to be stored is collected while there is something
//! to receive, for [`HOLD`] at most, and after a commit the server works for as long as that took before the next one: a slow disk
//! makes registrations slow, and calls half as slow at worst.

use super::Role;
use super::store::{Row, Store};
use sip_core::message::{Message, Writer};
use sip_core::registrar::{Aor, BindingId, MAX_RECORD};
use sip_core::server::{Event, Pending, Stored};
use sip_core::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// For how long a registration waits for others.
const HOLD: Duration = Duration::from_millis(20);
/// As many are stored at once, whatever the time.
const MOST: usize = 512;
/// When a commit is tried again that has failed.
const RETRY: Duration = Duration::from_secs(1);

/// A REGISTER that waits, and its octets.
struct Waiting {
    pending: Pending,
    octets: Vec<u8>,
}

/// One that was bound.
struct Bound<'m> {
    pending: Pending,
    message: &'m Message<'m>,
    before: Vec<u8>,
}

/// What came of a commit.
#[derive(Default)]
pub(super) struct Outcome {
    /// What the answers caused, each with the number of the REGISTER.
    pub(super) events: Vec<(Event, usize)>,
    /// The octets of those that were answered.
    pub(super) registers: Vec<Vec<u8>>,
    /// Why nothing was stored, when that is so.
    pub(super) fault: Option<String>,
}

/// The store, and what is on its way there.
pub(super) struct Keeper {
    store: Store,
    waiting: Vec<Waiting>,
    /// Addresses of record whose bindings have gone by themselves.
    dirty: BTreeSet<Vec<u8>>,
    /// Since when something waits.
    since: Option<Instant>,
    /// No commit before.
    next: Instant,
    room: Vec<u8>,
}

impl Keeper {
    pub(super) fn new(store: Store) -> Self {
        let (waiting, dirty) = (Vec::new(), BTreeSet::new());
        Self { store, waiting, dirty, since: None, next: Instant::ZERO, room: vec![0; MAX_RECORD] }
    }

    /// A REGISTER is to be stored.
    pub(super) fn add(&mut self, now: Instant, server: &Role, pending: Pending) {
        let octets = server.proxy().request_bytes(pending.request()).to_vec();
        self.waiting.push(Waiting { pending, octets });
        self.since.get_or_insert(now);
    }

    /// A binding has gone by itself.
    pub(super) fn gone(&mut self, now: Instant, server: &Role, binding: BindingId) {
        if let Some(info) = server.binding(binding) {
            self.dirty.insert(info.aor.to_vec());
            self.since.get_or_insert(now);
        }
    }

    /// When to commit; `idle` when there is nothing to receive. None when there is nothing to store.
    pub(super) fn due(&self, idle: bool) -> Option<Instant> {
        let since = self.since?;
        let hold = if idle || self.waiting.len() >= MOST { Duration::ZERO } else { HOLD };
        Some((since + hold).max(self.next))
    }

    /// Stores all that waits, and has it answered.
    pub(super) fn commit(&mut self, server: &mut Role, now: Instant, clock: &dyn Fn() -> Instant) -> Outcome {
        let waiting = core::mem::take(&mut self.waiting);
        self.since = None;
        let mut outcome = Outcome::default();
        // They were parsed when they came.
        let parsed: Vec<_> =
            waiting.iter().filter_map(|one| Some((one.pending, Message::parse(&one.octets).ok()?))).collect();
        let mut rows = BTreeMap::new();
        for aor in core::mem::take(&mut self.dirty) {
            if let Some(record) = self.record_of(server, now, &aor) {
                rows.insert(aor, record);
            }
        }
        let mut bound = self.bind(server, now, &parsed, &mut rows, &mut outcome.events);
        let rows: Vec<Row> = rows.into_iter().collect();
        let stored = if rows.is_empty() { Ok(()) } else { self.store.commit(&rows) };
        let ended = clock();
        self.next = ended + ended.since(now);
        if let Err(error) = stored {
            // What is in the file is not known: it is written again.
            self.dirty = rows.into_iter().map(|(aor, _)| aor).collect();
            self.since = Some(ended);
            self.next = ended + RETRY;
            outcome.fault = Some(error);
            // Each goes back to what was before it.
            bound.reverse();
        }
        for (number, one) in bound {
            let event = match outcome.fault {
                Some(_) => refuse(server, now, &one),
                None => server.stored(now, one.pending, one.message, Stored::Done).ok().flatten(),
            };
            outcome.events.extend(event.map(|event| (event, number)));
        }
        outcome.registers = waiting.into_iter().map(|one| one.octets).collect();
        outcome
    }

    /// Does what the REGISTERs ask for, in their order; which of them are to be answered, and what is to be stored.
    fn bind<'m>(
        &mut self,
        server: &mut Role,
        now: Instant,
        parsed: &'m [(Pending, Message<'m>)],
        rows: &mut BTreeMap<Vec<u8>, Vec<u8>>,
        events: &mut Vec<(Event, usize)>,
    ) -> Vec<(usize, Bound<'m>)> {
        let mut bound = Vec::with_capacity(parsed.len());
        for (number, (pending, message)) in parsed.iter().enumerate() {
            let one =
                Bound { pending: *pending, message, before: self.record(server, now, message).unwrap_or_default() };
            match server.bind(now, *pending, message) {
                Ok(None) => {}
                Ok(Some(refused)) => {
                    events.push((refused, number));
                    continue;
                }
                // Nobody waits for it any more.
                Err(_) => continue,
            }
            match self.record(server, now, message) {
                Some(record) => {
                    rows.insert(self.aor(server, message), record);
                    bound.push((number, one));
                }
                // A record that can't be written is none that was.
                None => events.extend(refuse(server, now, &one).map(|event| (event, number))),
            }
        }
        bound
    }

    /// The record of the address of record of a REGISTER; none when it can't be written.
    fn record(&mut self, server: &Role, now: Instant, register: &Message<'_>) -> Option<Vec<u8>> {
        self.written(|w| server.write_record(now, register, w))
    }

    fn record_of(&mut self, server: &Role, now: Instant, aor: &[u8]) -> Option<Vec<u8>> {
        let uri = sip_core::message::Uri::parse(aor).ok()?;
        let bindings = server.bindings();
        let first = Aor::of(&uri).and_then(|aor| bindings.find(&aor).first().copied());
        self.written(|w| {
            if let Some(first) = first {
                bindings.write_record(now, first, w);
            }
        })
    }

    fn aor(&mut self, server: &Role, register: &Message<'_>) -> Vec<u8> {
        self.written(|w| server.write_aor(register, w)).unwrap_or_default()
    }

    fn written(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> Option<Vec<u8>> {
        let mut writer = Writer::new(&mut self.room);
        write(&mut writer);
        let length = writer.finish().ok()?;
        self.room.get(..length).map(<[u8]>::to_vec)
    }

    /// Makes the file hold what the server has taken up of it: what has expired meanwhile goes.
    pub(super) fn purge(&mut self, server: &Role, now: Instant, rows: &[Row]) -> Result<usize, String> {
        let mut changed = Vec::new();
        for (aor, before) in rows {
            // A binding less makes a record shorter.
            match self.record_of(server, now, aor) {
                Some(record) if record.len() != before.len() => changed.push((aor.clone(), record)),
                _ => {}
            }
        }
        if !changed.is_empty() {
            self.store.commit(&changed)?;
        }
        Ok(changed.len())
    }
}

/// Refuses one that was not stored.
fn refuse(server: &mut Role, now: Instant, one: &Bound<'_>) -> Option<Event> {
    server.stored(now, one.pending, one.message, Stored::Failed(&one.before)).ok().flatten()
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
