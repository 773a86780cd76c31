//! The bindings of a registrar: one set an address of record, changed as a whole or not at all.

use super::Aor;
use super::bind::{Command, Commit, Current, Fate, Grant, MOST_CONTACTS, Refusal, decide, identity};
use super::entry::{AOR, Binding, BindingId, BindingInfo, CHANGED, Change, Event, FLOW, OVER};
use super::policy::Policy;
use crate::digest::NonceOrder;
use crate::memory::{Block, Handle, Octets, Table, TableRef};
use crate::message::scan::alike;
use crate::message::{HeaderName, Message, NameAddr, Uri, Writer, unfold};
#[cfg(feature = "fingerprint")]
use crate::random::ContentHasher;
use crate::random::{HashKey, Key};
use crate::time::{Duration, Instant};
use crate::transport::Flow;
#[cfg(feature = "fingerprint")]
use core::hash::{Hash, Hasher};

/// What a registrar has besides its bindings. All zero before its start.
#[derive(Clone, Copy, Debug)]
pub struct Registrar {
    pub(super) hash: HashKey,
    /// Seconds since 1970 at moment zero.
    pub(super) epoch: u64,
    /// Rises with each change of any address of record.
    pub(super) revision: u64,
    pub(super) policy: Policy,
}

impl Registrar {
    /// A registrar before its start; all zero.
    pub const ZERO: Self = Self { hash: HashKey::ZERO, epoch: 0, revision: 0, policy: Policy::ZERO };

    /// Sets it up: the key of the hashes over what strangers send, and the seconds since 1970 at moment zero, for records; zero
    /// without a clock. To be called once, first.
    pub fn start(&mut self, key: HashKey, epoch: u64, policy: Policy) {
        (self.hash, self.epoch, self.policy) = (key, epoch, policy);
    }

    /// The key of a connection.
    pub(super) fn key_of(&self, flow: Flow) -> Key {
        self.hash.hasher().part(&flow.to_octets()).finish()
    }

    /// What it grants.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// A REGISTER, as the door of a server gives it to its registrar.
#[derive(Clone, Copy)]
pub struct Register<'m, 'a> {
    /// The request.
    pub request: &'m Message<'a>,
    /// The flow on which it came.
    pub flow: Flow,
    /// What its credentials prove of its order; [`NonceOrder::ZERO`] when they were not asked for.
    pub order: NonceOrder,
    /// Whether a URI is that of the registrar itself, to which no contact may lead.
    pub own: &'m dyn Fn(&Uri<'_>) -> bool,
}

/// The bindings, to be worked with.
#[derive(Debug)]
pub struct Bindings<'a, O> {
    pub(super) registrar: &'a mut Registrar,
    pub(super) table: Table<'a, Binding>,
    pub(super) octets: &'a mut O,
}

/// The bindings, to be read.
#[derive(Debug)]
pub struct BindingsRef<'a, O> {
    pub(super) registrar: &'a Registrar,
    pub(super) table: TableRef<'a, Binding>,
    pub(super) octets: &'a O,
}

impl<O> Clone for BindingsRef<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for BindingsRef<'_, O> {}

/// The bindings of an address of record, in the order in which they are to be tried.
pub type Set = heapless::Vec<BindingId, MOST_CONTACTS>;

impl<'a, O: Octets> BindingsRef<'a, O> {
    /// The three must always be used together.
    #[must_use]
    pub const fn new(registrar: &'a Registrar, table: TableRef<'a, Binding>, octets: &'a O) -> Self {
        Self { registrar, table, octets }
    }

    /// A binding; `None` when it is over and that was told.
    #[must_use]
    pub fn info(self, id: BindingId) -> Option<BindingInfo<'a>> {
        let binding = self.table.get(id.0)?;
        Some(binding.info(self.octets.get(binding.texts)))
    }

    /// The bindings of an address of record, those with the highest `q` first, of equal ones the one that was made last.
    #[must_use]
    pub fn find(self, aor: &Aor<'_>) -> Set {
        self.of_key(aor.key(self.registrar.hash))
    }

    pub(super) fn of_key(self, key: Key) -> Set {
        let mut set = Set::new();
        let mut next = self.table.find(AOR, key);
        while let Some(handle) = next {
            if set.push(BindingId(handle)).is_err() {
                break;
            }
            next = self.table.find_next(handle, AOR);
        }
        // Insertion: it keeps the order of equal ones and needs neither heap nor recursion.
        let q = |id: BindingId| self.table.get(id.0).map_or(0, |binding| binding.q);
        for end in 1..set.len() {
            for place in (1..=end).rev() {
                let (Some(one), Some(other)) = (set.get(place.wrapping_sub(1)), set.get(place)) else { break };
                if q(*one) >= q(*other) {
                    break;
                }
                set.swap(place.wrapping_sub(1), place);
            }
        }
        set
    }

    /// Bindings, those that are over and were not told included.
    #[must_use]
    pub fn len(self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.table.is_empty()
    }

    /// Every binding, in no order.
    pub fn iter(self) -> impl Iterator<Item = (BindingId, BindingInfo<'a>)> {
        let live = self.table.iter().filter(|(_, binding)| !binding.change.is_end());
        live.map(move |(handle, binding)| (BindingId(handle), binding.info(self.octets.get(binding.texts))))
    }

    /// Whether a binding hangs on this connection.
    #[must_use]
    pub fn hangs_on(self, flow: Flow) -> bool {
        flow.connection != 0 && self.table.find(FLOW, self.registrar.key_of(flow)).is_some()
    }

    /// Feeds the bindings to `hasher`, for [`Role::fingerprint`](crate::role::Role::fingerprint): each for itself, and their sum.
    #[cfg(feature = "fingerprint")]
    pub fn fingerprint(self, now: Instant, hasher: &mut impl Hasher) {
        let one = |binding: &Binding| {
            ContentHasher::one(|hasher| {
                (binding.flow, binding.expires.since(now), binding.cseq, binding.q, binding.change).hash(hasher);
                self.octets.get(binding.texts).hash(hasher);
            })
        };
        self.table.iter().fold(0_u64, |sum, (_, binding)| sum.wrapping_add(one(binding))).hash(hasher);
    }

    /// When the next binding expires.
    #[must_use]
    pub fn poll_timeout(self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Writes the rows that a 200 to a REGISTER has (§10.3 step 8): each binding with the time that it has left, the Path
    /// (RFC 3327 §5.3), and that the flow is kept (RFC 5626 §6).
    pub fn write_accepted(self, now: Instant, w: &mut Writer<'_>, request: &Message<'_>, aor: &Aor<'_>) {
        let mut outbound = false;
        for id in self.find(aor) {
            let (Some(info), Some(binding)) = (self.info(id), self.table.get(id.0)) else { continue };
            outbound |= binding.outbound;
            write_contact(w, now, &info);
        }
        if has_option(request, b"path") {
            for path in request.header_rows(HeaderName::Path) {
                w.value_start(HeaderName::Path);
                write_unfolded(w, path);
                w.end();
            }
        }
        if outbound && has_option(request, b"outbound") {
            w.header(HeaderName::Require, b"outbound");
        }
    }
}

/// Writes a Contact of a 200.
fn write_contact(w: &mut Writer<'_>, now: Instant, info: &BindingInfo<'_>) {
    w.value_start(HeaderName::Contact);
    w.raw(b"<");
    w.text(info.contact);
    w.raw(b">;expires=");
    // What is left of a second counts, so that nobody is told that a binding is over while it lasts.
    w.number(info.expires.since(now).as_millis().div_ceil(1000));
    if info.q < 1000 {
        w.raw(b";q=");
        w.qvalue(info.q);
    }
    if !info.instance.is_empty() {
        w.raw(b";+sip.instance=\"<");
        w.text(info.instance);
        w.raw(b">\"");
    }
    if info.reg_id != 0 {
        w.raw(b";reg-id=");
        w.number(u64::from(info.reg_id));
    }
    w.end();
}

fn write_unfolded(w: &mut Writer<'_>, value: &[u8]) {
    if !value.contains(&b'\r') {
        return w.text(value);
    }
    for octet in unfold(value) {
        w.text(&[octet]);
    }
}

/// Whether a client supports or requires an extension.
fn has_option(request: &Message<'_>, tag: &[u8]) -> bool {
    request.supported().chain(request.require()).any(|one| alike(one, tag))
}

impl<'a, O: Octets> Bindings<'a, O> {
    /// The three must always be used together.
    #[must_use]
    pub const fn new(registrar: &'a mut Registrar, table: Table<'a, Binding>, octets: &'a mut O) -> Self {
        Self { registrar, table, octets }
    }

    /// The same, only to be read.
    #[must_use]
    pub fn view(&self) -> BindingsRef<'_, O> {
        BindingsRef { registrar: self.registrar, table: self.table.view(), octets: self.octets }
    }

    /// Does what a REGISTER asks for, all of it or nothing (RFC 3261 §10.3 steps 6 and 7). What has changed is then told by
    /// [`poll_event`](Self::poll_event).
    ///
    /// # Errors
    /// Why it is refused. Nothing has changed.
    pub fn register(&mut self, now: Instant, aor: &Aor<'_>, register: &Register<'_, '_>) -> Result<(), Refusal> {
        self.reap();
        let command = self.command(register)?;
        let key = aor.key(self.registrar.hash);
        let set = self.view().of_key(key);
        let commit = self.plan(now, &set, &command, register)?;
        if commit.is_nothing() { Ok(()) } else { self.commit(now, (key, aor), register, &command, &set, &commit) }
    }

    /// Whether a REGISTER would change anything.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn would_change(&self, now: Instant, aor: &Aor<'_>, register: &Register<'_, '_>) -> Result<bool, Refusal> {
        let command = self.command(register)?;
        let set = self.view().find(aor);
        self.plan(now, &set, &command, register).map(|commit| !commit.is_nothing())
    }

    fn command<'m, 'r>(&self, register: &Register<'m, 'r>) -> Result<Command<'m, 'r>, Refusal> {
        let request = register.request;
        check_path(request, &self.registrar.policy)?;
        Ok(Command { request, order: register.order, outbound: is_outbound(request)? })
    }

    /// What a REGISTER does to a set.
    fn plan(
        &self,
        now: Instant,
        set: &Set,
        command: &Command<'_, '_>,
        register: &Register<'_, '_>,
    ) -> Result<Commit, Refusal> {
        let mut current = heapless::Vec::<Current<'_>, MOST_CONTACTS>::new();
        for id in set {
            let Some(binding) = self.table.get(id.0) else { continue };
            let info = binding.info(self.octets.get(binding.texts));
            let _ = current.push(Current {
                contact: info.contact,
                instance: info.instance,
                reg_id: if binding.outbound { binding.reg_id } else { 0 },
                call_id: info.call_id,
                cseq: info.cseq,
                order: info.order,
                expires: u32::try_from(info.expires.since(now).as_secs()).unwrap_or(u32::MAX),
            });
        }
        decide(command, &current, &self.registrar.policy, register.own)
    }

    /// Writes all that is new before anything is changed, then changes what can't fail.
    fn commit(
        &mut self,
        now: Instant,
        (key, aor): (Key, &Aor<'_>),
        register: &Register<'_, '_>,
        command: &Command<'_, '_>,
        set: &Set,
        commit: &Commit,
    ) -> Result<(), Refusal> {
        if self.table.free() < commit.added.len() {
            return Err(Refusal::Full);
        }
        let refreshed = commit.fates.iter().filter_map(|fate| match fate {
            Fate::Refresh(grant) => Some(grant),
            _ => None,
        });
        let mut written = heapless::Vec::<Binding, { 2 * MOST_CONTACTS }>::new();
        for grant in refreshed.chain(&commit.added) {
            match self.write(now, (key, aor), register, command, grant) {
                Ok(binding) => drop(written.push(binding)),
                Err(refusal) => {
                    for binding in &written {
                        self.octets.release(binding.texts);
                    }
                    return Err(refusal);
                }
            }
        }
        // By reference: the room for all contacts is not to be moved.
        let mut written = written.iter();
        for (id, fate) in set.iter().zip(&commit.fates) {
            match fate {
                Fate::Keep => {}
                Fate::Remove => self.end(id.0, Change::Removed),
                Fate::Refresh(_) => {
                    if let Some(binding) = written.next() {
                        self.put(id.0, *binding, Change::Refreshed);
                    }
                }
            }
        }
        for binding in written {
            if let Some(handle) = self.table.insert() {
                self.put(handle, *binding, Change::Registered);
            }
        }
        self.revise(key);
        Ok(())
    }

    /// A binding for a contact of the request, its texts written.
    fn write(
        &mut self,
        now: Instant,
        (key, aor): (Key, &Aor<'_>),
        register: &Register<'_, '_>,
        command: &Command<'_, '_>,
        grant: &Grant,
    ) -> Result<Binding, Refusal> {
        let request = register.request;
        let contact =
            request.contacts().nth(usize::from(grant.contact)).and_then(Result::ok).ok_or(Refusal::BadRequest)?;
        let uri = contact.uri().map_err(|_| Refusal::BadRequest)?;
        let (instance, reg_id) = identity(command, &contact);
        let mut ends = [0_usize; 5];
        let block = self.octets.write(256, false, |_, w| {
            aor.write(w);
            ends[0] = w.len();
            w.text(uri.raw());
            ends[1] = w.len();
            for (number, path) in request.header_rows(HeaderName::Path).enumerate() {
                if number > 0 {
                    w.raw(b", ");
                }
                write_unfolded(w, path);
            }
            ends[2] = w.len();
            w.raw(request.call_id());
            ends[3] = w.len();
            w.text(instance);
            ends[4] = w.len();
        });
        let block = block.map_err(|_| Refusal::Full)?;
        let [a, b, c, d, e] = ends;
        if e > usize::from(self.registrar.policy.most_octets) {
            self.octets.release(block);
            return Err(Refusal::Forbidden);
        }
        let flow = flow_of(register, &contact, &uri, reg_id);
        Ok(Binding {
            aor: key,
            on: if flow.connection == 0 { Key::ZERO } else { self.registrar.key_of(flow) },
            flow,
            expires: now.after(Duration::from_secs(u64::from(grant.expires))),
            order: register.order,
            texts: block,
            ends: [a, b, c, d].map(|end| u16::try_from(end).unwrap_or(u16::MAX)),
            cseq: request.cseq().number,
            reg_id,
            q: grant.q,
            outbound: reg_id != 0,
            ..<Binding as crate::memory::Entry>::ZERO
        })
    }

    /// Puts a binding in the place of the one that was there; its texts are given back.
    pub(super) fn put(&mut self, handle: Handle, binding: Binding, change: Change) {
        let Some(place) = self.table.get_mut(handle) else { return self.octets.release(binding.texts) };
        let old = core::mem::replace(place, binding);
        place.change = old.change.then(change);
        self.octets.release(old.texts);
        // A binding that is refreshed stands in its chains, under other keys perhaps.
        if old.aor != binding.aor {
            self.table.link_key(handle, AOR, binding.aor);
        }
        if old.on != binding.on {
            self.table.unlink_key(handle, FLOW);
            if binding.on != Key::ZERO {
                self.table.link_key(handle, FLOW, binding.on);
            }
        }
        self.table.set_timer(handle, Some(binding.expires));
        self.table.push(handle, CHANGED);
    }

    /// A binding is over: nobody finds it any more, and it is read until that was told.
    fn end(&mut self, handle: Handle, change: Change) {
        let Some(binding) = self.table.get_mut(handle) else { return };
        binding.change = change;
        self.table.unlink_key(handle, AOR);
        self.table.unlink_key(handle, FLOW);
        self.table.set_timer(handle, None);
        self.table.push(handle, CHANGED);
    }

    /// The set of an address of record is another one now.
    fn revise(&mut self, key: Key) {
        self.registrar.revision = self.registrar.revision.saturating_add(1);
        let revision = self.registrar.revision;
        let mut next = self.table.find(AOR, key);
        while let Some(handle) = next {
            if let Some(binding) = self.table.get_mut(handle) {
                binding.revision = revision;
            }
            next = self.table.find_next(handle, AOR);
        }
    }

    /// Takes a binding away, whatever its client says.
    pub fn remove(&mut self, id: BindingId) {
        self.reap();
        let Some(binding) = self.table.get(id.0).filter(|binding| !binding.change.is_end()) else { return };
        let key = binding.aor;
        self.end(id.0, Change::Removed);
        self.revise(key);
    }

    /// Takes the time: ends the bindings that have expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.reap();
        while let Some(handle) = self.table.expired(now) {
            let key = self.table.get(handle).map(|binding| binding.aor).unwrap_or_default();
            self.end(handle, Change::Expired);
            self.revise(key);
        }
    }

    /// Ends the bindings that hang on this very connection. One that was registered anew by another connection since stays, and
    /// so do those over datagrams: what did not arrive once may arrive the next time.
    pub fn flow_failed(&mut self, flow: Flow) {
        self.reap();
        if flow.connection == 0 {
            return;
        }
        let on = self.registrar.key_of(flow);
        while let Some(handle) = self.table.find(FLOW, on) {
            let key = self.table.get(handle).map(|binding| binding.aor).unwrap_or_default();
            self.end(handle, Change::Removed);
            self.revise(key);
        }
    }

    /// What has changed, one by one. What is over can be read until the next call.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.reap();
        let handle = self.table.first(CHANGED)?;
        let binding = self.table.get_mut(handle)?;
        let change = binding.change;
        if change.is_end() {
            self.table.push(handle, OVER);
        } else {
            binding.change = Change::None;
            self.table.unlink_ready(handle);
        }
        Some(Event { change, binding: BindingId(handle) })
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn has_event(&self) -> bool {
        !self.table.is_list_empty(CHANGED)
    }

    /// Frees what was told to be over: the one place where a binding is freed.
    pub(super) fn reap(&mut self) {
        while let Some(handle) = self.table.first(OVER) {
            let texts = self.table.get(handle).map_or(Block::NONE, |binding| binding.texts);
            self.octets.release(texts);
            self.table.remove(handle);
        }
    }
}

/// Whether the Path of a request can be stored (RFC 3327 §5.3).
fn check_path(request: &Message<'_>, policy: &Policy) -> Result<(), Refusal> {
    let mut paths = request.paths().peekable();
    if paths.peek().is_some() && !policy.path_without_support && !has_option(request, b"path") {
        return Err(Refusal::NoPathSupport);
    }
    let usable = |path: Result<NameAddr<'_>, _>| path.is_ok_and(|path| path.uri().is_ok_and(|uri| uri.is_sip()));
    if paths.all(usable) { Ok(()) } else { Err(Refusal::BadRequest) }
}

/// Whether `reg-id` identifies bindings of this request: the client supports it, and so does the first hop, which is the
/// registrar itself or has put `ob` into its Path (RFC 5626 §6).
fn is_outbound(request: &Message<'_>) -> Result<bool, Refusal> {
    if !has_option(request, b"outbound")
        || !request.contacts().any(|contact| contact.is_ok_and(|one| one.reg_id().is_some()))
    {
        return Ok(false);
    }
    let direct = is_direct(request);
    let first = request.paths().last().and_then(Result::ok).and_then(|path| path.uri().ok());
    let by_first_hop = first.is_some_and(|uri| uri.is_outbound());
    if direct || by_first_hop { Ok(true) } else { Err(Refusal::FirstHopLacksOutbound) }
}

/// Whether no server stands between the client and here.
fn is_direct(request: &Message<'_>) -> bool {
    request.paths().next().is_none() && request.is_direct()
}

/// The flow by which a contact is reached: that of the request when the contact is who sent it. A contact elsewhere, and one behind
/// other servers, is reached as its URI or the Path says.
fn flow_of(register: &Register<'_, '_>, contact: &NameAddr<'_>, uri: &Uri<'_>, reg_id: u32) -> Flow {
    let (request, flow) = (register.request, register.flow);
    if !is_direct(request) {
        return Flow::NONE;
    }
    // RFC 5626 §4.3, §5.1: the client asks for its flow.
    let asked = reg_id != 0 || contact.uri().is_ok_and(|uri| uri.is_outbound());
    if asked {
        return flow;
    }
    if request.is_from(&flow, uri) { flow } else { Flow::NONE }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
