//! From a URI's host, port and transport to a list of targets (RFC 3263 §4.1, §4.2), one question after the other.
//!
//! ```text
//!   host is an address ──────────────────────────────────────────────────────────────> Done
//!   port given ────────────────────────────────────────────────> Address ────────────> Done
//!   transport given ───────────────────> Srv ──────────────────> Address ────────────> Done
//!   neither, or sips ──> Naptr ────────> Srv (the first service ──> Address (each host,
//!                                             that has hosts)        IPv6 before IPv4)
//! ```
//!
//! | state | input | state, action |
//! |---|---|---|
//! | Naptr | services that are reached | Srv of the first in order and preference (§4.1) |
//! | Naptr | none of them, no such name, refused | Srv of each transport: UDP, TCP, TLS; of `sips` TLS alone (§4.1) |
//! | Naptr, Srv | failed, truncated | Done, Failed: that is not "none" |
//! | Srv | hosts | Address of each, in the order of RFC 2782 |
//! | Srv | none, no such name | Srv of the next service; behind the last one Address of the domain itself (§4.2) |
//! | Srv | the host `.` | as none, but the domain itself is not asked for (RFC 2782) |
//! | Address | addresses | targets; the next family, the next host, Done |
//! | Address | none, failed | the next family, the next host, Done |
//! | any | an alias without its records | the same with the alias, so often and no more |
//!
//! A service that goes by TLS is never followed by one that does not: a target that fails is no reason to try it in the open.

use super::choose::Chosen;
use super::reach::Reach;
use crate::dns::{Answer, Code, Data, Domain, Kind, Name, Naptr};
use crate::message::{v4, v6_inside};
use crate::transport::{Address, Target, Transport};
use core::net::IpAddr;

/// Hosts of a service that are looked up at most.
pub const HOPS: usize = 6;
/// Targets of a look-up at most.
pub const TARGETS: usize = 8;
/// Aliases that are followed from one name at most.
const ALIASES: u8 = 8;
/// Answers that one look-up takes at most.
const ANSWERS: u8 = 32;
/// Services that are tried at most.
const SERVICES: usize = 3;
/// Octets of the names of services or hosts.
const TEXTS: usize = 512;
/// Addresses of one host that are taken from the additional records.
const GLUE: usize = 4;

/// One look-up, and its state. All zero is none.
#[derive(Clone, Debug)]
pub struct Lookup {
    state: State,
    reach: Reach,
    /// Only TLS will do.
    secure: bool,
    /// What the URI asks for, or what comes without any record.
    transport: Transport,
    /// Some question got no answer.
    failed: bool,
    /// The domain says that it has not some service.
    denied: bool,
    aliases: u8,
    answers: u8,
    /// The services to come or, behind them, the hosts.
    hops: [Hop; HOPS],
    /// Which of them is asked for.
    hop: u8,
    found: u8,
    targets: [Target; TARGETS],
    domain: Domain,
    /// What is asked for.
    name: Domain,
    texts: [u8; TEXTS],
}

/// Names as in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Naptr,
    Srv,
    V6,
    V4,
    Done,
}

/// A service, or a host.
#[derive(Clone, Copy, Debug)]
struct Hop {
    transport: Transport,
    port: u16,
    /// Where its name begins in the texts.
    at: u16,
    glue: [Address; GLUE],
}

impl Hop {
    const NONE: Self = Self { transport: Transport::None, port: 0, at: 0, glue: [Address::NONE; GLUE] };
}

/// How a look-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// There are targets.
    Found,
    /// There is nobody: no such name, no address, or none that this host reaches.
    Nobody,
    /// It is not known: a server did not answer, or not in full.
    Failed,
}

/// The SRV name of a transport (RFC 3263 §4.1): the service and the protocol.
const fn service_of(transport: Transport) -> Option<(&'static [u8], &'static [u8])> {
    match transport {
        Transport::Udp => Some((b"_sip", b"_udp")),
        Transport::Tcp => Some((b"_sip", b"_tcp")),
        Transport::Tls => Some((b"_sips", b"_tcp")),
        // What a browser asks for has no service records of its own; a NAPTR record may lead to some (RFC 7118 §6).
        Transport::None | Transport::Unknown | Transport::Ws | Transport::Wss => None,
    }
}

/// The transport of a NAPTR record that leads to an SRV name; none of another (RFC 3263 §4.1, RFC 7118 §6).
fn transport_of(naptr: &Naptr<'_>) -> Transport {
    let is = |service: &[u8]| naptr.service.eq_ignore_ascii_case(service);
    match naptr.flags.eq_ignore_ascii_case(b"s") && naptr.regexp.is_empty() {
        true if is(b"SIP+D2U") => Transport::Udp,
        true if is(b"SIP+D2T") => Transport::Tcp,
        true if is(b"SIPS+D2T") => Transport::Tls,
        true if is(b"SIP+D2W") => Transport::Ws,
        true if is(b"SIPS+D2W") => Transport::Wss,
        _ => Transport::None,
    }
}

impl Lookup {
    /// No look-up.
    pub const NONE: Self = Self {
        state: State::Idle,
        reach: Reach::NONE,
        secure: false,
        transport: Transport::None,
        failed: false,
        denied: false,
        aliases: 0,
        answers: 0,
        hops: [Hop::NONE; HOPS],
        hop: 0,
        found: 0,
        targets: [Target { address: Address::NONE, transport: Transport::None }; TARGETS],
        domain: Domain::ROOT,
        name: Domain::ROOT,
        texts: [0; TEXTS],
    };

    /// Begins with what [`Action::Resolve`](crate::role::Action::Resolve) says, in place of what was there. It may be
    /// [done](Self::outcome) at once.
    pub fn start(&mut self, reach: Reach, host: &[u8], port: Option<u16>, transport: Transport, secure: bool) {
        let transport = if secure && transport == Transport::None { Transport::Tls } else { transport };
        (self.state, self.reach, self.secure, self.transport) = (State::Done, reach, secure, transport);
        (self.failed, self.denied, self.aliases, self.answers, self.found) = (false, false, 0, 0, 0);
        let open = secure && !transport.is_secure();
        if open || transport != Transport::None && !reach.carries(transport) {
            return;
        }
        // What a URI that names no transport means (RFC 3263 §4.1), where that is there.
        if transport == Transport::None {
            let usual = [Transport::Udp, Transport::Tcp, Transport::Tls];
            let Some(usual) = usual.into_iter().find(|transport| reach.carries(*transport)) else { return };
            self.transport = usual;
        }
        let default = port.unwrap_or(self.transport.default_port());
        if let Some(ip) = literal(host) {
            let address = Address::new(ip, default);
            return self.push(Target { address, transport: self.transport });
        }
        let Some(domain) = Domain::parse(host) else { return };
        self.domain = domain;
        if port.is_some() || service_of(self.transport).is_none() {
            self.ask_domain(default);
        } else if transport == Transport::None || secure {
            self.ask(State::Naptr, domain);
        } else {
            self.set_services(&[transport]);
        }
    }

    /// What is to be asked for; `None` when there is nothing more.
    #[must_use]
    pub const fn question(&self) -> Option<(Name<'_>, Kind)> {
        let kind = match self.state {
            State::Idle | State::Done => return None,
            State::Naptr => Kind::Naptr,
            State::Srv => Kind::Srv,
            State::V6 => Kind::Aaaa,
            State::V4 => Kind::A,
        };
        Some((self.name.name(), kind))
    }

    /// How it ended; `None` while something is to be asked for.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match (self.state, self.found) {
            (State::Done, 0) if self.failed => Some(Outcome::Failed),
            (State::Done, 0) => Some(Outcome::Nobody),
            (State::Done, _) => Some(Outcome::Found),
            _ => None,
        }
    }

    /// The targets, best first.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        self.targets.get(..usize::from(self.found)).unwrap_or_default()
    }

    /// Takes the answer to its [question](Self::question), which was parsed against it. `random` decides among hosts of one
    /// priority.
    pub fn answer(&mut self, answer: &Answer<'_>, random: u64) {
        self.answers = self.answers.saturating_add(1);
        let refused = !matches!(answer.code(), Code::NoError | Code::NoName);
        if answer.is_truncated() || self.answers > ANSWERS || refused && self.state != State::Naptr {
            return self.leave_open();
        }
        let Some((last, aliases)) = follow(answer, ALIASES.saturating_sub(self.aliases)) else {
            return self.leave_open();
        };
        let found = match self.state {
            State::Naptr => self.take_services(last, answer),
            State::Srv => self.take_hosts(last, answer, random),
            State::V6 | State::V4 => self.take_addresses(last, answer),
            State::Idle | State::Done => return,
        };
        if !found && aliases > 0 && answer.code() == Code::NoError {
            self.name = Domain::of(last);
            self.aliases = self.aliases.saturating_add(aliases);
        } else {
            self.proceed(found);
        }
    }

    /// No server gives an answer. Some networks drop what asks for NAPTR, so its services are asked for by their names then; not
    /// for who wants TLS, lest whoever drops it choose.
    pub fn fail(&mut self) {
        if self.state == State::Naptr && !self.secure {
            self.failed = true;
            self.proceed(false);
        } else {
            self.leave_open();
        }
    }

    /// What the question would give is not known, or not in full.
    fn leave_open(&mut self) {
        self.failed = true;
        match self.state {
            State::Idle | State::Done => {}
            State::Naptr | State::Srv => self.state = State::Done,
            State::V6 | State::V4 => self.ask_next_family(),
        }
    }

    /// An answer in one address, or none, where whoever is asked knows addresses only, as embedded-nal's `Dns` does. There are
    /// no other records then.
    pub fn answer_address(&mut self, ip: Option<IpAddr>) {
        match (self.state, ip) {
            (State::V6 | State::V4, Some(ip)) => {
                self.push_at_hop(ip);
                self.proceed(true);
            }
            _ => self.proceed(false),
        }
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.state = State::Idle;
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Goes on after an answer.
    fn proceed(&mut self, found: bool) {
        match self.state {
            State::Idle | State::Done => {}
            State::Naptr if found => self.ask_service(0),
            State::Naptr if self.secure => self.set_services(&[Transport::Tls]),
            State::Naptr => self.set_services(&[Transport::Udp, Transport::Tcp, Transport::Tls]),
            State::Srv if found => self.ask_family(State::V6, 0),
            State::Srv => self.ask_service(self.hop.saturating_add(1)),
            State::V6 | State::V4 => self.ask_next_family(),
        }
    }

    fn ask(&mut self, state: State, name: Domain) {
        (self.state, self.name, self.aliases) = (state, name, 0);
    }

    // Naptr

    /// Keeps the services that are reached, in their order. Those behind the first that goes by TLS go by TLS, too.
    fn take_services(&mut self, owner: Name<'_>, answer: &Answer<'_>) -> bool {
        let mut best: [Option<(Naptr<'_>, Transport)>; SERVICES] = [None; SERVICES];
        for record in answer.answers().filter(|record| record.name == owner) {
            let Data::Naptr(naptr) = record.data else { continue };
            let transport = transport_of(&naptr);
            if !self.reach.carries(transport) || self.secure && !transport.is_secure() {
                continue;
            }
            let mut moved = Some((naptr, transport));
            for place in &mut best {
                let rank = |of: &(Naptr<'_>, Transport)| (of.0.order, of.0.preference);
                if place.is_none() || moved.as_ref().map(rank) < place.as_ref().map(rank) {
                    core::mem::swap(place, &mut moved);
                }
                if moved.is_none() {
                    break;
                }
            }
        }
        let secure = best.first().copied().flatten().is_some_and(|(_, transport)| transport.is_secure());
        let usable = best.into_iter().flatten().filter(|(_, transport)| !secure || transport.is_secure());
        let mut texts = 0;
        let mut hops = [Hop::NONE; HOPS];
        for ((naptr, transport), hop) in usable.zip(&mut hops) {
            match self.keep(naptr.replacement, &mut texts) {
                Some(at) => *hop = Hop { transport, at, ..Hop::NONE },
                None => break,
            }
        }
        self.hops = hops;
        let Some(first) = self.hops.first().filter(|hop| hop.transport != Transport::None) else { return false };
        self.transport = first.transport;
        true
    }

    /// Asks for the SRV records of each of these transports that are reached.
    fn set_services(&mut self, transports: &[Transport]) {
        let domain = self.domain;
        let mut texts = 0;
        let mut hops = [Hop::NONE; HOPS];
        let mut places = hops.iter_mut();
        for transport in transports.iter().copied() {
            let Some((service, protocol)) = service_of(transport).filter(|_| self.reach.carries(transport)) else {
                continue;
            };
            // A domain for which that is too long has no such records.
            let Some(name) = Domain::service(service, protocol, domain.name()) else { continue };
            if let (Some(at), Some(hop)) = (self.keep(name.name(), &mut texts), places.next()) {
                *hop = Hop { transport, at, ..Hop::NONE };
            }
        }
        self.hops = hops;
        self.ask_service(0);
    }

    // Srv

    fn ask_service(&mut self, index: u8) {
        self.hop = index;
        let service = self.hops.get(usize::from(index)).copied().filter(|hop| hop.transport != Transport::None);
        match service.and_then(|hop| Name::kept(&self.texts, usize::from(hop.at))) {
            Some(name) => {
                let name = Domain::of(name);
                self.ask(State::Srv, name);
            }
            None if self.denied => self.state = State::Done,
            None => self.ask_domain(self.transport.default_port()),
        }
    }

    /// Keeps the first hosts of the service that was asked for.
    fn take_hosts(&mut self, owner: Name<'_>, answer: &Answer<'_>, random: u64) -> bool {
        let mut chosen = Chosen::new(random);
        for record in answer.answers().filter(|record| record.name == owner) {
            match record.data {
                Data::Srv(srv) if srv.target.is_root() => self.denied = true,
                Data::Srv(srv) if srv.port != 0 => chosen.offer(srv),
                _ => {}
            }
        }
        let transport = self.hops.get(usize::from(self.hop)).map_or(Transport::None, |hop| hop.transport);
        let mut texts = 0;
        let (mut hops, mut names) = ([Hop::NONE; HOPS], [Name::ROOT; HOPS]);
        let mut places = hops.iter_mut().zip(&mut names);
        for srv in chosen.hosts() {
            let Some(at) = self.keep(srv.target, &mut texts) else { continue };
            let Some((hop, name)) = places.next() else { break };
            *hop = Hop { transport, port: srv.port, at, ..Hop::NONE };
            *name = srv.target;
        }
        for record in answer.additional() {
            for (hop, _) in hops.iter_mut().zip(&names).filter(|(_, name)| **name == record.name) {
                if let Some(address) = address(record.data, hop.port)
                    && let Some(place) = hop.glue.iter_mut().find(|place| place.is_none())
                {
                    *place = address;
                }
            }
        }
        let found = hops.first().is_some_and(|hop| hop.transport != Transport::None);
        if found {
            self.hops = hops;
        }
        found
    }

    // V6, V4

    /// Asks for the addresses of the domain itself.
    fn ask_domain(&mut self, port: u16) {
        let domain = self.domain;
        self.hops = [Hop::NONE; HOPS];
        if let (Some(at), Some(hop)) = (self.keep(domain.name(), &mut 0), self.hops.first_mut()) {
            *hop = Hop { transport: self.transport, port, at, ..Hop::NONE };
        }
        self.ask_family(State::V6, 0);
    }

    /// Asks for the next addresses that are of use and did not come with their host: those of this family of this host, or later
    /// ones.
    fn ask_family(&mut self, mut family: State, mut index: u8) {
        loop {
            let hop = self.hops.get(usize::from(index)).copied().filter(|hop| hop.transport != Transport::None);
            let Some(hop) = hop.filter(|_| usize::from(self.found) < TARGETS) else { break };
            (self.state, self.hop) = (family, index);
            let mut asked = if family == State::V6 { self.reach.has_v6() } else { self.reach.has_v4() };
            for address in hop.glue {
                let of_family = match address.ip() {
                    Some(IpAddr::V4(_)) => family == State::V4,
                    Some(IpAddr::V6(_)) => family == State::V6,
                    None => false,
                };
                if of_family {
                    self.push(Target { address, transport: hop.transport });
                    asked = false;
                }
            }
            if asked && let Some(name) = Name::kept(&self.texts, usize::from(hop.at)) {
                let name = Domain::of(name);
                return self.ask(family, name);
            }
            (family, index) = next_family(family, index);
        }
        self.state = State::Done;
    }

    fn ask_next_family(&mut self) {
        let (family, index) = next_family(self.state, self.hop);
        self.ask_family(family, index);
    }

    fn take_addresses(&mut self, owner: Name<'_>, answer: &Answer<'_>) -> bool {
        let mut found = false;
        for record in answer.answers().filter(|record| record.name == owner) {
            let usable = matches!((self.state, record.data), (State::V6, Data::Aaaa(_)) | (State::V4, Data::A(_)));
            if let Some(ip) = address(record.data, 0).filter(|_| usable).and_then(Address::ip) {
                self.push_at_hop(ip);
                found = true;
            }
        }
        found
    }

    fn push_at_hop(&mut self, ip: IpAddr) {
        let hop = self.hops.get(usize::from(self.hop)).copied().unwrap_or(Hop::NONE);
        self.push(Target { address: Address::new(ip, hop.port), transport: hop.transport });
    }

    /// Adds a target that is reached and not there yet.
    fn push(&mut self, target: Target) {
        if !self.reach.includes(target.address) || target.address.port() == 0 || self.targets().contains(&target) {
            return;
        }
        if let Some(place) = self.targets.get_mut(usize::from(self.found)) {
            *place = target;
            self.found = self.found.saturating_add(1);
        }
    }

    /// Keeps a name behind the first `used` octets of the texts, and gives where it begins.
    fn keep(&mut self, name: Name<'_>, used: &mut usize) -> Option<u16> {
        let at = *used;
        let length = name.keep(self.texts.get_mut(at..)?)?;
        *used = at.saturating_add(length);
        u16::try_from(at).ok()
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::NONE
    }
}

/// The address that a host spells, an IPv6 one in brackets or not. The standard library's parser can panic as far as a linker knows.
fn literal(host: &[u8]) -> Option<IpAddr> {
    let inside = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(host);
    v4(inside).map(IpAddr::V4).or_else(|| v6_inside(inside).map(IpAddr::V6))
}

/// The name at the end of the aliases that an answer has for what was asked for, and how many there are; `None` when there are more
/// than `most`.
fn follow<'a>(answer: &Answer<'a>, most: u8) -> Option<(Name<'a>, u8)> {
    let (mut last, mut count) = (answer.question(), 0_u8);
    if !answer.has_aliases() {
        return Some((last, count));
    }
    loop {
        let alias = answer.answers().find_map(|record| match record.data {
            Data::Cname(to) if record.name == last => Some(to),
            _ => None,
        });
        let Some(alias) = alias else { return Some((last, count)) };
        if count >= most {
            return None;
        }
        (last, count) = (alias, count.saturating_add(1));
    }
}

/// IPv4 is behind IPv6, and the next host behind that.
const fn next_family(family: State, hop: u8) -> (State, u8) {
    if matches!(family, State::V6) { (State::V4, hop) } else { (State::V6, hop.saturating_add(1)) }
}

fn address(data: Data<'_>, port: u16) -> Option<Address> {
    match data {
        Data::A(ip) => Some(Address::v4(ip, port)),
        Data::Aaaa(ip) if cfg!(feature = "ipv6") => Some(Address::v6(ip, port)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
