//! The set of an address of record in octets, for a store: a file, a database, another server.
//!
//! ```text
//! version u8 = 1 · revision u64 · length u16 · address of record · number of bindings u8, and of each:
//! expires u64 (seconds since 1970) · CSeq u32 · nonce u32 u32 u32 · reg-id u32 · q u16 · outbound u8 · flow 24 octets
//! · lengths u16 of contact, Path, Call-ID, instance · these texts
//! ```
//! Numbers have their highest octet first.

use super::Aor;
use super::bind::MOST_CONTACTS;
use super::entry::{AOR, Binding, BindingId, BindingInfo, Change};
use super::store::{Bindings, BindingsRef};
use crate::digest::NonceOrder;
use crate::memory::{Entry, Handle, Octets};
use crate::message::{Uri, Writer};
use crate::random::Key;
use crate::time::{Duration, Instant};
use crate::transport::Flow;

const VERSION: u8 = 1;

/// The longest record, in octets.
pub const MAX_RECORD: usize = 65_535;

/// Why a record was not loaded. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadError {
    /// It was written by a later version.
    Version(u8),
    /// It is no record, or only a piece of one.
    Malformed,
    /// There is no room for its bindings.
    Full,
}

impl<O: Octets> BindingsRef<'_, O> {
    /// A binding of each address of record, each once: to write a record of each.
    pub fn aors(self) -> impl Iterator<Item = BindingId> {
        let first = move |binding: &Binding| self.table.find(AOR, binding.aor);
        let live = self.table.iter().filter(|(_, binding)| !binding.change.is_end());
        live.filter(move |(handle, binding)| first(binding) == Some(*handle)).map(|(handle, _)| BindingId(handle))
    }

    /// Writes the record of the address of record that a binding belongs to, the one that is over included: nothing when no binding
    /// is left, so that the record can be removed. Its key in a store is the [`aor`](BindingInfo::aor) of the binding.
    pub fn write_record(self, now: Instant, id: BindingId, w: &mut Writer<'_>) {
        let Some(info) = self.info(id) else { return };
        let Some(key) = self.table.get(id.0).map(|binding| binding.aor) else { return };
        let set = self.of_key(key);
        let Some(first) = set.first().and_then(|first| self.info(*first)) else { return };
        w.raw(&[VERSION]);
        w.raw(&first.revision.to_be_bytes());
        write_length(w, info.aor);
        w.raw(info.aor);
        w.raw(&[set.len() as u8]);
        // Bindings are loaded one by one, and the last one stands first in its chain.
        for id in set.iter().rev() {
            if let (Some(info), Some(binding)) = (self.info(*id), self.table.get(id.0)) {
                write_binding(
                    w,
                    self.registrar.epoch.saturating_add(seconds(now, info.expires)),
                    &info,
                    binding.outbound,
                );
            }
        }
    }
}

/// Seconds from the caller's epoch to a moment that lies after `now`, which a clock of 32 bits tells only so.
fn seconds(now: Instant, at: Instant) -> u64 {
    now.as_millis().saturating_add(at.since(now).as_millis()).div_ceil(1000)
}

fn write_length(w: &mut Writer<'_>, text: &[u8]) {
    w.raw(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
}

fn write_binding(w: &mut Writer<'_>, expires: u64, info: &BindingInfo<'_>, outbound: bool) {
    let NonceOrder { issued, counter, count } = info.order;
    w.raw(&expires.to_be_bytes());
    for number in [info.cseq, issued, counter, count, info.reg_id] {
        w.raw(&number.to_be_bytes());
    }
    w.raw(&info.q.to_be_bytes());
    w.raw(&[u8::from(outbound)]);
    w.raw(&info.flow.to_octets());
    let texts = [info.contact, info.path, info.call_id, info.instance];
    for text in texts {
        write_length(w, text);
    }
    for text in texts {
        w.raw(text);
    }
}

/// What is left of a record.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(LoadError::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn text(&mut self, length: u16) -> Result<&'a [u8], LoadError> {
        let (text, rest) = self.0.split_at_checked(usize::from(length)).ok_or(LoadError::Malformed)?;
        self.0 = rest;
        Ok(text)
    }

    fn octet(&mut self) -> Result<u8, LoadError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, LoadError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, LoadError> {
        self.array().map(u64::from_be_bytes)
    }
}

/// A record up to its bindings.
struct Heading<'a> {
    revision: u64,
    aor: &'a [u8],
    count: u8,
}

fn heading<'a>(reader: &mut Reader<'a>) -> Result<Heading<'a>, LoadError> {
    match reader.octet()? {
        VERSION => {}
        other => return Err(LoadError::Version(other)),
    }
    let revision = reader.u64()?;
    let length = reader.u16()?;
    let aor = reader.text(length)?;
    let count = reader.octet()?;
    if usize::from(count) > MOST_CONTACTS { Err(LoadError::Malformed) } else { Ok(Heading { revision, aor, count }) }
}

/// The address of record that a record is of.
#[cfg(feature = "sha256")]
pub(crate) fn record_aor(record: &[u8]) -> Option<&[u8]> {
    heading(&mut Reader(record)).ok().map(|heading| heading.aor)
}

/// Whether the connections that a record names may be open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    Gone,
    Open,
}

/// A binding of a record: when it expires, the entry without keys, and its texts.
struct Stored<'a> {
    expires: u64,
    binding: Binding,
    texts: [&'a [u8]; 4],
}

fn stored<'a>(reader: &mut Reader<'a>, connections: Connections) -> Result<Stored<'a>, LoadError> {
    let expires = reader.u64()?;
    let cseq = reader.u32()?;
    let order = NonceOrder { issued: reader.u32()?, counter: reader.u32()?, count: reader.u32()? };
    let reg_id = reader.u32()?;
    let q = reader.u16()?.min(1000);
    let outbound = reader.octet()? != 0;
    // A connection is gone with the process that had it. What went by it is reached as its URI says, until it is registered anew.
    let flow = Flow::from_octets(&reader.array::<{ Flow::OCTETS }>()?);
    let usable = flow.connection == 0 || connections == Connections::Open;
    let flow = if usable { flow } else { Flow::NONE };
    let lengths = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let mut texts = [&b""[..]; 4];
    for (text, length) in texts.iter_mut().zip(lengths) {
        *text = reader.text(length)?;
        if text.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n')) {
            return Err(LoadError::Malformed);
        }
    }
    Uri::parse(texts[0]).map_err(|_| LoadError::Malformed)?;
    let binding = Binding { cseq, order, reg_id, q, outbound, flow, ..Binding::ZERO };
    Ok(Stored { expires, binding, texts })
}

impl<O: Octets> Bindings<'_, O> {
    /// Takes up the record of an address of record: its bindings take the place of those that are there, unless these are of a
    /// later revision. Those that have expired are left out. Gives how many were taken; nothing is told of them.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub fn load(&mut self, now: Instant, record: &[u8]) -> Result<usize, LoadError> {
        self.reap();
        let mut reader = Reader(record);
        let Heading { revision, aor, count } = heading(&mut reader)?;
        let uri = Uri::parse(aor).map_err(|_| LoadError::Malformed)?;
        let aor = Aor::of(&uri).ok_or(LoadError::Malformed)?;
        let bindings = reader;
        for _ in 0..count {
            stored(&mut reader, Connections::Gone)?;
        }
        if !reader.0.is_empty() {
            return Err(LoadError::Malformed);
        }
        let key = aor.key(self.registrar.hash);
        let there = self.view().of_key(key);
        if there.first().and_then(|id| self.table.get(id.0)).is_some_and(|binding| binding.revision >= revision) {
            return Ok(0);
        }
        if self.table.free() < usize::from(count) {
            return Err(LoadError::Full);
        }
        self.registrar.revision = self.registrar.revision.max(revision);
        for id in there {
            self.remove(id);
        }
        self.take_up_all(now, (key, &aor, revision), count, bindings, Connections::Gone)
    }

    /// Puts the set of an address of record back to what it was when this record was written, in this run: connections included.
    /// An empty record is a set without bindings. Nothing is told, and what was to be told of the set is not.
    pub(crate) fn restore(&mut self, now: Instant, aor: &Aor<'_>, record: &[u8]) {
        self.reap();
        let key = aor.key(self.registrar.hash);
        // Those that are over and not told yet stand in no chain: all are looked at, for this is no common case.
        let of_set = |(handle, binding): (Handle, &Binding)| (binding.aor == key).then_some((handle, binding.texts));
        loop {
            let found = self.table.view().iter().find_map(of_set);
            let Some((handle, texts)) = found else { break };
            self.octets.release(texts);
            self.table.remove(handle);
        }
        let mut reader = Reader(record);
        if let Ok(Heading { revision, count, .. }) = heading(&mut reader) {
            // What was taken away has left the room that this needs.
            let _ = self.take_up_all(now, (key, aor, revision), count, reader, Connections::Open);
        }
    }

    fn take_up_all(
        &mut self,
        now: Instant,
        (key, aor, revision): (Key, &Aor<'_>, u64),
        count: u8,
        mut reader: Reader<'_>,
        connections: Connections,
    ) -> Result<usize, LoadError> {
        let mut taken: usize = 0;
        for _ in 0..count {
            let one = stored(&mut reader, connections)?;
            let passed = self.registrar.epoch.saturating_add(now.as_millis().wrapping_div(1000));
            let Some(left) = one.expires.checked_sub(passed).filter(|left| *left > 0) else { continue };
            self.take_up(now.after(Duration::from_secs(left)), key, revision, aor, &one)?;
            taken = taken.saturating_add(1);
        }
        Ok(taken)
    }

    fn take_up(
        &mut self,
        expires: Instant,
        key: Key,
        revision: u64,
        aor: &Aor<'_>,
        stored: &Stored<'_>,
    ) -> Result<(), LoadError> {
        let mut ends = [0_u16; 4];
        let texts = self.octets.write(256, false, |_, w| {
            aor.write(w);
            for (end, text) in ends.iter_mut().zip(stored.texts) {
                *end = u16::try_from(w.len()).unwrap_or(u16::MAX);
                w.raw(text);
            }
        });
        let texts = texts.map_err(|_| LoadError::Full)?;
        let Some(handle) = self.table.insert() else {
            self.octets.release(texts);
            return Err(LoadError::Full);
        };
        let flow = stored.binding.flow;
        let on = if flow.connection == 0 { Key::ZERO } else { self.registrar.key_of(flow) };
        self.put(handle, Binding { aor: key, on, expires, revision, texts, ends, ..stored.binding }, Change::None);
        self.table.unlink_ready(handle);
        Ok(())
    }
}
