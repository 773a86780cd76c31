//! Digest at the server (RFC 3261 §22, RFC 7616, RFC 8760): for a registrar and a user agent server (401) and for a proxy (407).
//!
//! A [`Guard`] issues nonces that hold all that is to be known of them, under a [secret](Config::secret): nothing is kept for who
//! has only been asked. What is kept, in [`Nonces`], is which nonce counts were used ([`Nonce`]) and who gave wrong digests
//! ([`Bucket`]), both in tables that are full at some time and then forget the oldest, in a way that takes no credentials twice.
//!
//! | credentials | verdict |
//! |---|---|
//! | none for the realm, or without what a digest needs | [`Challenge`](Verdict::Challenge) |
//! | right | [`Good`](Verdict::Good) |
//! | with a nonce that is too old, or that was not issued here to this host | `Challenge`, stale: nothing is computed |
//! | right, and the nonce was used, or is one of before the server's start | `Challenge`, stale: no user is asked for a password |
//! | wrong, or of nobody | [`Wrong`](Verdict::Wrong), [`Unknown`](Verdict::Unknown): the same answer in the same time |
//! | for another Request-URI | [`Misdirected`](Verdict::Misdirected) |
//! | whatever, after too many wrong ones | [`Locked`](Verdict::Locked) |
//!
//! ```
//! use sip_core::guard::{Arrays, Config, Guard, Memory, Secrets, Sender, Verdict, claim};
//! use sip_core::message::{Message, Writer};
//! use sip_core::time::Instant;
//! use sip_core::transport::Address;
//!
//! let mut memory = Arrays::<8, 8>::new();
//! let mut guard = Guard::ZERO;
//! let now = Instant::from_millis(0);
//! guard.start(now, &Config::new(b"a secret of this server"), [7; 16]);
//!
//! # let request = b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
//! # From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";
//! let request = Message::parse(request).unwrap();
//! let verdict = match claim(&request, b"example.com", false) {
//!     // Whatever is known of the user: from a table, or from afar and later.
//!     Some(claim) => {
//!         let secrets = Secrets { password: Some(b"zanzibar"), ..Secrets::default() };
//!         guard.verify(now, &mut memory.parts(), &request, Sender::at(Address::NONE), &claim, Some(&secrets))
//!     }
//!     None => Verdict::Challenge { stale: false },
//! };
//! assert_eq!(verdict, Verdict::Challenge { stale: false });
//! let challenge = guard.challenge(now, Address::NONE, b"example.com", false, false);
//! let mut rows = [0; 400];
//! let mut w = Writer::new(&mut rows);
//! challenge.write(&mut w, b"example.com");
//! let length = w.finish().unwrap();
//! assert!(rows[..length].starts_with(b"WWW-Authenticate: Digest realm=\"example.com\", nonce=\""));
//! ```
//!
//! # User agents
//! A user agent proves its callers with the same guard: what comes is judged before anybody is rung, and a challenge is a refusal
//! with rows. It costs nothing where it is not used.
//!
//! ```
//! use sip_core::guard::{self, Guard, Memory, Secrets, Sender, Verdict, claim};
//! use sip_core::message::Message;
//! use sip_core::role::{Action, Received, Role};
//! use sip_core::time::Instant;
//! use sip_core::transport::{Address, Flow};
//! use sip_core::ua::{Arrays, Config, Content, Event, UserAgent};
//!
//! const REALM: &[u8] = b"door.example.com";
//! let mut door = UserAgent::new(Arrays::<8, 2, 1, 1, 8192>::new());
//! door.start(&Config::new("192.0.2.2:5060", "sip:door@example.com"), [7; 16]).unwrap();
//! let (mut guard, mut tables) = (Guard::ZERO, guard::Arrays::<8, 8>::new());
//! let now = Instant::from_millis(1);
//! guard.start(now, &guard::Config::new(b"a secret of this door"), [8; 16]);
//!
//! # let invite = b"INVITE sip:door@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asd;rport\r\n\
//! # Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=19a\r\nTo: <sip:door@192.0.2.2>\r\nCall-ID: a84b4c76e66710\r\n\
//! # CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
//! # let source = Address::from("192.0.2.1:5060".parse::<std::net::SocketAddr>().unwrap());
//! let message = Message::parse(invite).unwrap();
//! if let Received::Event(Event::Incoming { call }) = door.receive(now, Flow::udp(source), &message) {
//!     let verdict = match claim(&message, REALM, false) {
//!         Some(claim) => {
//!             let secrets = Secrets { password: Some(b"zanzibar"), ..Secrets::default() };
//!             let known = (claim.username == b"alice").then_some(&secrets);
//!             guard.verify(now, &mut tables.parts(), &message, Sender::at(source), &claim, known)
//!         }
//!         None => Verdict::Challenge { stale: false },
//!     };
//!     match verdict {
//!         Verdict::Good(_) => { /* The bell rings. */ }
//!         Verdict::Locked | Verdict::Misdirected => door.reject(now, call, 403, &Content::NONE).unwrap(),
//!         verdict => {
//!             let challenge = guard.challenge(now, source, REALM, false, verdict == Verdict::Challenge { stale: true });
//!             let mut room = [0; 400];
//!             let rows = challenge.rows(REALM, &mut room);
//!             door.reject(now, call, 401, &Content::NONE.with_headers(&rows)).unwrap();
//!         }
//!     }
//! }
//! # let mut sent = Vec::new();
//! # while let Some(action) = door.poll_action(now) {
//! #     if let Action::Send { bytes, .. } = action { sent.push(String::from_utf8(bytes.to_vec()).unwrap()) }
//! # }
//! # let refused = sent.iter().find(|sent| sent.starts_with("SIP/2.0 401 ")).expect("a challenge");
//! # assert_eq!(refused.matches("WWW-Authenticate: Digest realm=\"door.example.com\", nonce=\"").count(), 2);
//! ```
//!
//! # Lock-out
//! Who guesses at passwords is slowed down, and can't turn that against others:
//! - What counts is a digest that is wrong under a nonce that was issued to the very host from which it comes. So nobody is counted
//!   for what others send in his name: they don't see his nonces.
//! - Credentials under any other nonce are not judged at all, whether they are right or not. So they are no way to guess without
//!   being counted, and cost no digest.
//! - A host that is locked out is so for itself; other hosts are judged as ever. Of it, those users are still heard who have proven to be
//!   the user with the nonce that they use.
//! - A user who is locked out is still heard where he is known to be ([`Sender::is_known`]), as one who has registered from there
//!   is, and with a nonce with which he has proven to be the user.
//! - Right digests never count, and neither do repetitions of them.
//!
//! Its limits: who shares the host of a guesser (behind one NAT) and begins anew waits with him; who has never registered where he is
//! now waits while somebody guesses at his password; and who can read what is sent to a host can have it counted.
//! A client whose requests come from changing hosts, but not from changing ports or addresses of one IPv6 network, is asked once more
//! each time.
//!
//! # Time
//! A nonce bears seconds since 1970, which [`Config::epoch`] tells from the role's own moments. So a restart knows which nonces were
//! issued before it, even when the clock has been set back, as a nonce bears a number of the start as well. They are stale, but for those of
//! which a record of a registration says up to which count they were used ([`Guard::restore`]). Without a clock, `epoch` is zero, and the secret has to be a new one at each start.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod lockout;
mod nonce;
mod verify;
mod window;

pub use crate::digest::NonceOrder;
use crate::digest::{Algorithm, mac_key};
use crate::memory::{Links, Store, Table};
use crate::message::{Header, HeaderName, Writer};
use crate::random::{HashKey, MacKey, Random, Seed};
use crate::time::{Duration, Instant};
use crate::transport::Address;
pub use lockout::{Bucket, Limit};
use nonce::{Host, Scope};
pub use verify::{Sender, Verdict, claim};
pub use window::Nonce;
use window::Window;

/// What a server keeps in place of a user's password, or the password. An algorithm of which nothing is known is one by which the
/// user can't be proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secrets<'a> {
    /// The password itself, for what no hash is known of.
    pub password: Option<&'a [u8]>,
    /// [`ha1_md5`](crate::digest::ha1_md5).
    pub md5: Option<[u8; 16]>,
    /// [`ha1_sha256`](crate::digest::ha1_sha256).
    pub sha256: Option<[u8; 32]>,
}

/// A table of users, as a server is lent it.
///
/// It is asked while a request is judged, and gets nothing but names: it can't call back. It is for what lies in memory; what
/// has to be fetched from elsewhere is asked of the application by an event.
pub trait Users {
    /// What is known of the user of this name, as it stands between the quotes of the credentials; `None` when there is none.
    fn find(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>>;
}

/// Nobody.
impl Users for () {
    fn find(&self, _: &[u8], _: &[u8]) -> Option<Secrets<'_>> {
        None
    }
}

impl<U: Users + ?Sized> Users for &U {
    fn find(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        (**self).find(realm, user)
    }
}

/// One of a table of users that is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// The name.
    pub name: &'a [u8],
    /// What is known of the user, for any realm when it is a password.
    pub secrets: Secrets<'a>,
}

/// A short table: it is looked through from its beginning.
impl Users for [User<'_>] {
    fn find(&self, _: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        self.iter().find(|one| one.name == user).map(|one| one.secrets)
    }
}

impl<const N: usize> Users for [User<'_>; N] {
    fn find(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        self.as_slice().find(realm, user)
    }
}

/// How a [`Guard`] works.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config<'a> {
    /// What the nonces are made with, at least 16 octets that nobody else knows. With the same one after a restart no user is asked for
    /// a password.
    pub secret: &'a [u8],
    /// Seconds since 1970 at the role's moment zero; zero without a clock.
    pub epoch: u64,
    /// How long a nonce is taken.
    pub life: Duration,
    /// Whether SHA-256 is offered, before MD5 (RFC 8760 §2.4).
    pub sha256: bool,
    /// Whether MD5 is offered.
    pub md5: bool,
    /// How many wrong digests are borne of one address.
    pub source_limit: Limit,
    /// How many wrong digests are borne for one user.
    pub user_limit: Limit,
}

impl<'a> Config<'a> {
    /// Nonces live for 5 minutes; SHA-256 and MD5 are offered; a source has 20 wrong digests and one more in 5 seconds, a user 10
    /// and one more in 30 seconds.
    #[must_use]
    pub const fn new(secret: &'a [u8]) -> Self {
        Self {
            secret,
            epoch: 0,
            life: Duration::from_secs(300),
            sha256: true,
            md5: true,
            source_limit: Limit { burst: 20, interval: Duration::from_secs(5) },
            user_limit: Limit { burst: 10, interval: Duration::from_secs(30) },
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    source: Limit,
    user: Limit,
}

/// What a digest server has besides its tables. All zero before its start.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    key: MacKey,
    hash: HashKey,
    window: Window,
    ha2: verify::LastHa2,
    /// Seconds since 1970 at moment zero.
    epoch: u64,
    /// Seconds for which a nonce is taken.
    life: u32,
    /// No nonce is issued with less: time does not run backwards here, whatever a clock does.
    latest: u32,
    issued: u16,
    limits: Limits,
    /// Whether the user who was known last is kept with a password, and not with its hashes.
    has_passwords: bool,
    sha256: bool,
    md5: bool,
}

impl Guard {
    /// A guard before its start; all zero.
    pub const ZERO: Self = Self {
        key: MacKey::ZERO,
        hash: HashKey::ZERO,
        window: Window::ZERO,
        ha2: verify::LastHa2::ZERO,
        epoch: 0,
        life: 0,
        latest: 0,
        issued: 0,
        limits: Limits {
            source: Limit { burst: 0, interval: Duration::ZERO },
            user: Limit { burst: 0, interval: Duration::ZERO },
        },
        has_passwords: false,
        sha256: false,
        md5: false,
    };

    /// Sets it up. To be called once, first. Nonces that were issued before are stale.
    pub fn start(&mut self, now: Instant, config: &Config<'_>, seed: Seed) {
        let mut random = Random::new(seed);
        self.key = MacKey::of(&mac_key(config.secret, b"nonce"));
        self.hash = random.hash_key();
        self.window.hash = random.hash_key();
        self.epoch = config.epoch;
        self.life = u32::try_from(config.life.as_secs()).unwrap_or(u32::MAX);
        self.limits = Limits { source: config.source_limit, user: config.user_limit };
        self.sha256 = config.sha256 || !config.md5;
        self.md5 = config.md5;
        let seconds = self.seconds(now);
        self.window.floor = (seconds, u32::MAX);
        self.window.start = random.bits() as u16;
        self.latest = seconds.saturating_add(1);
    }

    /// Takes up a nonce of which a record of a registration says that it was used up to this count: its next count is taken
    /// without a challenge.
    pub fn restore(&mut self, now: Instant, nonces: &mut Nonces<'_>, realm: &[u8], user: &[u8], order: NonceOrder) {
        // A clock that was set back must not make what is issued now older than what was issued before.
        self.latest = self.latest.max(order.issued);
        let oldest = self.seconds(now).saturating_sub(self.life);
        let user = self.hash.hasher().part(realm).part(user).finish();
        self.window.restore(&mut nonces.table, order, oldest, user.bucket_bits());
    }

    /// A challenge for who has sent a request from `source`, with a nonce of its own; `stale` when only the nonce was at fault.
    #[must_use]
    pub fn challenge(&mut self, now: Instant, source: Address, realm: &[u8], proxy: bool, stale: bool) -> NewChallenge {
        self.latest = self.seconds(now);
        self.issued = self.issued.wrapping_add(1);
        let counter = u32::from(self.window.start) << 16 | u32::from(self.issued);
        let scope = Scope { realm, proxy, host: Host::of(source) };
        let nonce = nonce::write(&self.key, scope, (self.latest, counter));
        NewChallenge { nonce, proxy, stale, sha256: self.sha256, md5: self.md5 }
    }

    /// Seconds since 1970, never less than before.
    fn seconds(&self, now: Instant) -> u32 {
        let seconds = self.epoch.saturating_add(now.as_millis().wrapping_div(1000));
        self.latest.max(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

/// The rows of a challenge: WWW-Authenticate, or Proxy-Authenticate of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewChallenge {
    nonce: nonce::Text,
    proxy: bool,
    stale: bool,
    sha256: bool,
    md5: bool,
}

impl NewChallenge {
    /// 407 for a proxy, 401 for others.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.proxy { 407 } else { 401 }
    }

    /// The header of its rows.
    const fn name(&self) -> HeaderName<'static> {
        if self.proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate }
    }

    /// The algorithms that are offered, the strongest first (RFC 8760 §2.4).
    fn offered(&self) -> impl Iterator<Item = Algorithm> {
        let all = [(self.sha256, Algorithm::Sha256), (self.md5, Algorithm::Md5)];
        all.into_iter().filter(|(offered, _)| *offered).map(|(_, algorithm)| algorithm)
    }

    /// Writes a row for each algorithm.
    pub fn write(&self, w: &mut Writer<'_>, realm: &[u8]) {
        for algorithm in self.offered() {
            w.value_start(self.name());
            self.write_value(w, realm, algorithm);
            w.end();
        }
    }

    fn write_value(&self, w: &mut Writer<'_>, realm: &[u8], algorithm: Algorithm) {
        w.raw(b"Digest realm=\"");
        w.text(realm);
        w.raw(b"\", nonce=\"");
        w.raw(&self.nonce);
        w.raw(b"\", algorithm=");
        w.raw(algorithm.as_bytes());
        w.raw(b", qop=\"auth\"");
        if self.stale {
            w.raw(b", stale=true");
        }
    }

    /// The rows as headers, their values written into `room`, for who does not write a message himself, as a [user
    /// agent](self#user-agents)'s application: 100 octets and the realm for each of the two. What has no room is left out.
    pub fn rows<'r>(&self, realm: &[u8], room: &'r mut [u8]) -> heapless::Vec<Header<'r>, 2> {
        let mut rows = heapless::Vec::new();
        let mut left = room;
        for algorithm in self.offered() {
            let mut w = Writer::new(left);
            self.write_value(&mut w, realm, algorithm);
            let Ok(length) = w.finish() else { break };
            let Some((value, rest)) = core::mem::take(&mut left).split_at_mut_checked(length) else { break };
            let _ = rows.push(Header { name: self.name(), value });
            left = rest;
        }
        rows
    }
}

/// The tables of a guard.
#[derive(Debug)]
pub struct Nonces<'a> {
    /// Nonces that were used well.
    pub table: Table<'a, Nonce>,
    /// Sources and users with wrong digests; four of them are the least that is of use.
    pub buckets: &'a mut [Bucket],
}

/// Lends a guard its tables.
pub trait Memory {
    /// All of it, to work with.
    fn parts(&mut self) -> Nonces<'_>;
}

impl<M: Memory> Memory for &mut M {
    fn parts(&mut self) -> Nonces<'_> {
        (**self).parts()
    }
}

/// A memory of fixed size, all zero before its use. `NONCES` are as many users as are proven within the life of a nonce, before
/// they are asked more often than need be.
#[derive(Debug)]
pub struct Arrays<const NONCES: usize, const BUCKETS: usize> {
    nonces: Store<[Links; NONCES], [Nonce; NONCES]>,
    buckets: [Bucket; BUCKETS],
}

impl<const NONCES: usize, const BUCKETS: usize> Arrays<NONCES, BUCKETS> {
    /// A memory with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { nonces: Store::new(), buckets: [Bucket::ZERO; BUCKETS] }
    }
}

impl<const NONCES: usize, const BUCKETS: usize> Default for Arrays<NONCES, BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const NONCES: usize, const BUCKETS: usize> Memory for Arrays<NONCES, BUCKETS> {
    fn parts(&mut self) -> Nonces<'_> {
        Nonces { table: self.nonces.table(), buckets: &mut self.buckets }
    }
}
