//! `phone serve`: the server of a domain, on sockets and with its files.
//!
//! ```text
//!   users.toml ──> Users ──┐                        ┌──> a line for each registration and each call
//!   secret ────────────────┤  Server (role) <──> Adapter <──> UDP, TCP, TLS, WebSocket
//!   store ──> records ─────┘     │ what has changed
//!   store <──────────────────────┘ and with that its 200 leaves
//! ```
//! With a store a REGISTER is answered when it is in the store (`keep.rs`), so that a server that is killed has told nobody of a
//! binding that it will not find again.

pub(crate) mod args;
pub(crate) mod bindings;
mod calls;
mod clock;
pub(crate) mod demo;
mod doors;
mod files;
mod keep;
mod log;
mod store;
mod table;
pub(crate) mod users;

use crate::args::{Kind, Tls};
use crate::interrupt::Interrupt;
use crate::net;
use crate::phone::{BUFFER, NAME};
use crate::report::{Failure, Outcome, Report};
use crate::screen::Shared;
use crate::secure;
use crate::text::{Identity, count, printable};
use calls::Calls;
use doors::Door;
use keep::Keeper;
use log::{Log, Told};
use sip_core::guard::Users as _;
use sip_core::message::{Message, Method, Uri};
use sip_core::proxy::Request;
use sip_core::registrar::{self, Aor};
use sip_core::server::{self, Event, Relay, Why};
use sip_core::time::{Duration, Instant};
use sip_core::transport::Flow;
use sip_std_adapter::memory::{GuardMemory, HeapServer, ProxyMemory, RegistrarMemory};
use sip_std_adapter::{Adapter, Direction, Turn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use store::Store;
use table::Table;
use users::Users;

const COMMAND: &str = "serve";

// As many as a small office has many times over.
const BINDINGS: usize = 8192;
const NONCES: usize = 8192;
const LOCK_OUTS: usize = 4096;
const TRANSACTIONS: usize = 65_536;
const REQUESTS: usize = 16_384;

/// The role.
type Role = HeapServer<Users>;

/// How often the table on a terminal is drawn anew, and how soon after something that was told.
const TICK: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_millis(100);

/// How long a line may be held back, that those of many calls are written together.
const LINES: Duration = Duration::from_millis(20);
/// So many turns go by between two looks at the lines that are held back, while there is no rest.
const BUSY: u32 = 64;

/// Addresses of this host that are known as the server's own, at most: each request is held against them.
const ALIASES: usize = 32;

/// Runs the server of the command line until a signal stops it.
pub(crate) fn run(args: &args::Serve, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let users = args.users.as_deref().map(Users::read).transpose()?.unwrap_or_default();
    let opened = args.store.as_deref().map(Store::open).transpose().map_err(Failure::Usage)?;
    let secret = secret(args)?;
    let mut server = Server::bind(&doors::doors(args)?, users, screen, interrupt)?;
    if server.kinds.iter().any(|kind| kind.is_secure()) {
        server.tls = Some(args.tls.clone());
        // Without authorities to trust, who is to be reached under TLS is reached by the connections that phones open.
        if let Ok(client) = secure::client(&args.tls) {
            server.adapter.set_client_tls(&client);
        }
    }
    server.adapter.limit_connections(args.connections);
    if let Some(most) = args.per_source {
        server.adapter.limit_connections_of_source(usize::try_from(most).unwrap_or(usize::MAX));
    }
    server.users_file.clone_from(&args.users);
    let how =
        How { redirect: args.redirect, stateless: args.stateless, digest: args.digest, store: args.store.is_some() };
    server.start(&args.domain, &secret, &how)?;
    if let (Some((store, rows)), Some(path)) = (opened, &args.store) {
        server.load(store, &rows, path)?;
    }
    let shown = screen.clone();
    server.tap(move |way, end, flow, bytes, now| shown.lock().record(way, end, flow, bytes, now));
    server.tell_where();
    server.tell_empty();
    screen.lock().hold();
    server.run()?;
    let bindings = count(server.adapter.role().bindings().iter().count() as u64, "binding");
    let ended = server.calls.ended();
    let text = format!("stopped with {bindings}, {} ended", count(ended, "call"));
    Ok(Report { calls: Some(ended), ..Report::new(COMMAND, Outcome::Ok, text) })
}

/// How long what is ready to be sent may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The secret of nonces: of a file, or of this run.
fn secret(args: &args::Serve) -> Result<Vec<u8>, Failure> {
    let path = args.secret.clone().or_else(|| args.store.as_deref().map(|store| files::beside(store, ".secret")));
    match path {
        Some(path) => {
            files::secret(&path).map_err(|error| Failure::Usage(format!("the secret in {}: {error}", path.display())))
        }
        None => Ok(files::random()?),
    }
}

/// How a server works.
#[derive(Default)]
struct How {
    redirect: bool,
    stateless: bool,
    digest: args::Digest,
    store: bool,
}

/// The role on its sockets, with its files and its log.
pub(crate) struct Server {
    adapter: Adapter<Role>,
    interrupt: Interrupt,
    screen: Shared,
    log: Log,
    keeper: Option<Keeper>,
    users_file: Option<PathBuf>,
    /// For what the listeners are, by their numbers.
    kinds: Vec<Kind>,
    /// The files of certificates, where there is such a listener.
    tls: Option<Tls>,
    /// The domain whose users there are; empty for none.
    realm: String,
    calls: Calls<Request>,
    /// The BYEs and the failures that have passed and were not looked at yet.
    passed: Receiver<Vec<u8>>,
    /// The bindings that have gone, and are in the store still.
    gone: Vec<Told>,
    /// When the table was drawn last.
    shown: Instant,
    /// Before this moment no more lines are written.
    written: Instant,
}

impl Server {
    fn bind(doors: &[Door], users: Users, screen: &Shared, interrupt: &Interrupt) -> Result<Self, Failure> {
        let told = |at: &SocketAddr, error| Failure::Network(format!("can't listen at {at}: {error}"));
        let [first, others @ ..] = doors else { return Err(Failure::Usage("no address to listen at".to_owned())) };
        let role = Role::new(
            ProxyMemory::with_capacity(TRANSACTIONS, REQUESTS, REQUESTS),
            RegistrarMemory::with_capacity(BINDINGS),
            GuardMemory::with_capacity(NONCES, LOCK_OUTS),
            users,
        );
        let mut adapter = first.bind(role).map_err(|error| told(&first.at, error))?;
        for door in others {
            door.listen(&mut adapter).map_err(|error| told(&door.at, error))?;
        }
        if let Some(server) = net::dns() {
            adapter.dns_servers(&[server]);
        }
        interrupt.add(adapter.waker());
        Ok(Self {
            adapter,
            interrupt: interrupt.clone(),
            screen: screen.clone(),
            log: Log::new(screen),
            keeper: None,
            users_file: None,
            kinds: doors.iter().map(|door| door.kind).collect(),
            tls: None,
            realm: String::new(),
            calls: Calls::new(),
            passed: mpsc::channel().1,
            gone: Vec::new(),
            shown: Instant::ZERO,
            written: Instant::ZERO,
        })
    }

    fn start(&mut self, domains: &[String], secret: &[u8], how: &How) -> Result<(), Failure> {
        let bound = self.adapter.local_addrs().zip(&self.kinds);
        let listeners: Vec<String> =
            bound.map(|(at, kind)| format!("{}{}", reached_at(at), kind.parameter())).collect();
        let listeners: Vec<&str> = listeners.iter().map(String::as_str).collect();
        let aliases = aliases(self.adapter.local_addrs(), &sip_std_adapter::local_ips());
        let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
        let names: Vec<&str> = domains.iter().map(String::as_str).collect();
        self.realm = domains.first().cloned().unwrap_or_default();
        let mut config = server::Config::new(&listeners, &names, secret)
            .with_epoch(clock::unix_seconds())
            .with_realm(&self.realm)
            .with_redirect(how.redirect)
            .with_store(how.store);
        config.proxy = config.proxy.with_server(NAME).with_stateless(how.stateless).with_aliases(&aliases);
        config.guard.sha256 = how.digest != args::Digest::Md5;
        config.guard.md5 = how.digest != args::Digest::Sha256;
        if how.redirect {
            // It passes nothing on, and so nothing to other domains.
            config = config.with_relay(Relay::Nobody);
        }
        if domains.is_empty() {
            // A stateless proxy for whoever sends by it, between networks that somebody else guards.
            config = config.with_challenge_requests(false).with_relay(Relay::Everybody);
        }
        let seed = sip_std_adapter::seed()?;
        let started = self.adapter.with(|server, now| server.start(now, &config, seed));
        started.map_err(|error| Failure::Usage(crate::phone::config_error(error)))
    }

    /// Takes up what was registered before; what has expired meanwhile leaves the store.
    fn load(&mut self, store: Store, rows: &[store::Row], path: &Path) -> Result<(), Failure> {
        for (aor, record) in rows {
            let loaded = self.adapter.with(|server, now| server.load(now, record));
            loaded.map_err(|error| {
                let aor = printable(aor);
                Failure::Usage(format!("{}: the record of {aor} {}", path.display(), bindings::fault(error)))
            })?;
        }
        let mut keeper = Keeper::new(store);
        let purged = self.adapter.with(|server, now| keeper.purge(server, now, rows));
        purged.map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        self.keeper = Some(keeper);
        Ok(())
    }

    /// Shows every message to `show`, and keeps what ends calls or says why they failed.
    fn tap(&mut self, mut show: impl FnMut(Direction, SocketAddr, Flow, &[u8], Instant) + Send + 'static) {
        let (sender, passed) = mpsc::channel();
        self.passed = passed;
        self.adapter.set_tap(move |way, end, flow, bytes, now| {
            let start: &[u8] = if way == Direction::In { b"BYE " } else { b"SIP/2.0 5" };
            if bytes.starts_with(start) {
                let _ = sender.send(bytes.to_vec());
            }
            show(way, end, flow, bytes, now);
        });
    }

    /// Warns when nobody can register: the users of all domains are those of the first.
    fn tell_empty(&mut self) {
        let now = self.adapter.now();
        if !self.realm.is_empty() && !self.adapter.role_mut().users_mut().has_domain(&self.realm) {
            let realm = &self.realm;
            self.log.users(now, &format!("no user is of {realm}: nobody can register; see `phone users add --help`"));
        }
    }

    fn tell_where(&mut self) {
        let now = self.adapter.now();
        self.tell_users();
        for (at, kind) in self.adapter.local_addrs().zip(&self.kinds) {
            self.log.listening(now, &format!("{}{at}", kind.prefix()));
        }
    }

    /// Serves until somebody asks it to stop.
    fn run(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; BUFFER];
        let mut turns = 0_u32;
        loop {
            turns = turns.wrapping_add(1);
            let turn = self.adapter.poll(&mut buffer)?;
            self.tell_refusals();
            match turn {
                Turn::Message { event, message, .. } => self.see(event, Some(&message)),
                Turn::Event(event) => self.see(event, None),
                Turn::Woken if self.interrupt.is_raised() => return self.stop(&mut buffer),
                Turn::Woken if self.interrupt.take_reload() => {
                    self.read_users();
                    self.read_certificate();
                }
                Turn::Idle(until) => {
                    self.tell_passed();
                    self.tell_failed();
                    let due = self.keeper.as_ref().and_then(|keeper| keeper.due(true));
                    if due.is_some_and(|due| due <= self.adapter.now()) {
                        self.commit();
                    } else {
                        let tick = self.show_state();
                        let held = self.show_held();
                        self.adapter.wait([until, tick, due, held].into_iter().flatten().min())?;
                    }
                }
                _ => {}
            }
            self.tell_passed();
            self.keep();
            // Who is never idle is read as well.
            if turns.is_multiple_of(BUSY) {
                self.show_held();
            }
        }
    }

    /// Writes the lines that are held back, at most once in [`LINES`]; when it is due, where it is too early.
    ///
    /// A line after a pause comes out at once. Under load those of many calls are one write: each by its own costs a server a
    /// twentieth of its time.
    fn show_held(&mut self) -> Option<Instant> {
        let mut screen = self.screen.lock();
        if !screen.is_holding() {
            return None;
        }
        let now = self.adapter.now();
        if now < self.written {
            return Some(self.written);
        }
        screen.release();
        self.written = now + LINES;
        None
    }

    /// Tells of the calls that were hung up, and of those that failed.
    fn tell_passed(&mut self) {
        while let Ok(octets) = self.passed.try_recv() {
            let now = self.adapter.now();
            let is_bye = octets.starts_with(b"BYE ");
            if !is_bye && !self.calls.is_failing() {
                continue;
            }
            let Ok(message) = Message::parse(&octets) else { continue };
            if !is_bye {
                if let Some(failure) = self.calls.failed(&message) {
                    self.log.failed(now, &failure);
                }
            } else if let Some(ended) = self.calls.hung_up(&message) {
                self.log.ended(now, &ended);
            }
        }
    }

    /// Tells of the calls that failed without a response that was seen: there is nothing more to send.
    fn tell_failed(&mut self) {
        for failure in self.calls.take_failing() {
            self.log.failed(self.adapter.now(), &failure);
        }
    }

    /// Tells of the connections that were refused by TLS.
    fn tell_refusals(&mut self) {
        while let Some(refusal) = self.adapter.next_tls_refusal() {
            self.log.untrusted(self.adapter.now(), &refusal);
        }
    }

    /// Stores what waits for it, and sends its answers: the last thing that a server does.
    fn stop(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.commit();
        // Whoever goes on sending does not keep it from its end.
        let until = self.adapter.now() + LAST_WORDS;
        while self.adapter.now() < until {
            match self.adapter.poll(buffer)? {
                Turn::Event(event) => self.see(event, None),
                Turn::Idle(_) => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Shows on a terminal how it stands; when to show it again.
    fn show_state(&mut self) -> Option<Instant> {
        let now = self.adapter.now();
        let mut screen = self.screen.lock();
        // What is told takes the table away, and often in a row.
        let due = self.shown + if screen.is_drawn() { TICK } else { GAP };
        if now < due {
            return Some(due);
        }
        let server = self.adapter.role();
        let is_shown = screen.table(|lines, columns| {
            let table = Table {
                now,
                registered: server.bindings().len(),
                under_way: server.proxy().occupancy().contexts,
                up: self.calls.up(),
                ended: self.calls.ended(),
                calls: self.calls.ringing().take(Table::ROWS).map(|talk| (&talk.identity, talk.started)).collect(),
                bindings: server.bindings().iter().take(Table::ROWS).map(|(_, info)| info).collect(),
            };
            table.rows(lines, columns)
        });
        self.shown = now;
        is_shown.then_some(now + TICK)
    }

    fn see(&mut self, event: Event, message: Option<&Message<'_>>) {
        let now = self.adapter.now();
        match event {
            Event::Binding(event) => self.binding(now, event),
            Event::Store(pending) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.add(now, self.adapter.role(), pending);
                }
            }
            Event::Forwarded { request, .. } => {
                // A re-INVITE is no call of its own.
                if let Some(message) =
                    message.filter(|message| message.method() == Method::Invite && message.to_tag().is_none())
                {
                    self.call(now, request, message);
                }
            }
            Event::Finished { request, status } => match self.calls.finished(now, request, status) {
                Some(talk) if status / 100 == 5 => self.calls.fail(talk, status),
                Some(talk) => self.log.finished(now, &talk.identity, talk.started, status, None),
                None => {}
            },
            Event::Redirected => {
                let identity = message.map(Identity::of).unwrap_or_default();
                self.log.redirected(now, &identity);
            }
            // Every phone is asked who it is; that is nothing to tell.
            Event::Refused { why: Why::Challenged, .. } => {}
            Event::Refused { status, why } => {
                let identity = message.map(Identity::of).unwrap_or_default();
                let method = message.map(|message| printable(message.method().as_bytes())).unwrap_or_default();
                self.log.refused(now, &identity, &method, status, why);
            }
            _ => {}
        }
    }

    fn call(&mut self, now: Instant, request: Request, invite: &Message<'_>) {
        self.log.call(now, &Identity::of(invite));
        // Of what was passed on without a transaction nobody will hear how it ended.
        if self.adapter.role().proxy().source(request).is_some() {
            self.calls.began(now, request, invite);
        }
    }

    fn binding(&mut self, now: Instant, event: registrar::Event) {
        let info = self.adapter.role().binding(event.binding);
        let told = info.and_then(|info| self.log.binding(now, event.change, &info));
        match self.keeper.as_mut().filter(|_| event.change.is_end()) {
            Some(keeper) => {
                keeper.gone(now, self.adapter.role(), event.binding);
                // Who reads that it has gone finds it gone.
                self.gone.extend(told);
            }
            None => told.iter().for_each(|told| self.log.tell(now, told)),
        }
    }

    /// Stores what has waited long enough, though there is more to receive.
    fn keep(&mut self) {
        let due = self.keeper.as_ref().and_then(|keeper| keeper.due(false));
        if due.is_some_and(|due| due <= self.adapter.now()) {
            self.commit();
        }
    }

    fn commit(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        let now = self.adapter.now();
        let started = std::time::Instant::now();
        let clock = || now + Duration::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let outcome = keeper.commit(self.adapter.role_mut(), now, &clock);
        if let Some(error) = outcome.fault {
            self.log.users(now, &format!("what has changed could not be stored: {error}"));
        }
        for (event, number) in outcome.events {
            let message = outcome.registers.get(number).and_then(|octets| Message::parse(octets).ok());
            self.see(event, message.as_ref());
        }
        for told in core::mem::take(&mut self.gone) {
            self.log.tell(now, &told);
        }
    }

    fn tell_users(&mut self) {
        let now = self.adapter.now();
        let server = self.adapter.role_mut();
        let users = server.users_mut().count();
        let bindings = server.bindings().iter().count();
        let text = format!("{}, {}", count(users as u64, "user"), count(bindings as u64, "binding"));
        self.log.users(now, &text);
    }

    /// Takes the phones of those away who are no users any more.
    fn forget_removed(&mut self) {
        let server = self.adapter.role_mut();
        let bindings: Vec<_> = server.bindings().iter().map(|(id, info)| (id, info.aor.to_vec())).collect();
        for (id, aor) in bindings {
            let Ok(uri) = Uri::parse(&aor) else { continue };
            let realm = server.realm_of(&uri).to_vec();
            if Aor::of(&uri).is_some_and(|aor| server.users_mut().find(&realm, aor.user()).is_none()) {
                server.remove_binding(id);
            }
        }
    }

    /// Reads the certificate again; what is wrong with it changes nothing.
    fn read_certificate(&mut self) {
        let Some(tls) = &self.tls else { return };
        match secure::server(tls) {
            Ok(Some(server)) => {
                for (number, _) in (0..).zip(&self.kinds).filter(|(_, kind)| kind.is_secure()) {
                    self.adapter.replace_tls(number, &server);
                }
            }
            Ok(None) => {}
            Err(Failure::Usage(error) | Failure::Network(error)) => {
                self.log.users(self.adapter.now(), &format!("the certificate stays as it was: {error}"));
            }
        }
    }

    /// Reads the users again; what is wrong with the file changes nothing.
    fn read_users(&mut self) {
        let now = self.adapter.now();
        let Some(path) = &self.users_file else { return };
        match Users::read(path) {
            Ok(users) => {
                *self.adapter.role_mut().users_mut() = users;
                self.forget_removed();
                self.tell_users();
                self.tell_empty();
            }
            Err(Failure::Usage(error) | Failure::Network(error)) => {
                self.log.users(now, &format!("the users stay as they were: {error}"));
            }
        }
    }
}

/// The address that others send to.
fn reached_at(at: SocketAddr) -> SocketAddr {
    if at.ip().is_unspecified() { SocketAddr::new(net::default_ip(at.is_ipv4()), at.port()) } else { at }
}

/// The addresses of this host by which a wildcard is reached as well: a URI that names one of them is the server's own.
fn aliases(bound: impl Iterator<Item = SocketAddr>, of_host: &[IpAddr]) -> Vec<String> {
    let families: Vec<bool> = bound.filter(|at| at.ip().is_unspecified()).map(|at| at.is_ipv4()).collect();
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let others = of_host.iter().filter(|ip| !ip.is_loopback());
    let reached = loopback.iter().chain(others).filter(|ip| families.contains(&ip.is_ipv4()));
    let written = |ip: &IpAddr| if ip.is_ipv4() { ip.to_string() } else { format!("[{ip}]") };
    reached.take(ALIASES).map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_at_each_address_of_its_family() {
        let of_host = ["192.0.2.1", "198.51.100.1", "127.0.0.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let of = |bound: &[&str]| aliases(bound.iter().map(|at| at.parse().unwrap()), &of_host);
        assert_eq!(of(&["0.0.0.0:5060"]), ["127.0.0.1", "192.0.2.1", "198.51.100.1"]);
        assert_eq!(of(&["192.0.2.1:5060", "[::]:5060"]), ["[::1]", "[2001:db8::1]"]);
        assert!(of(&["192.0.2.1:5060"]).is_empty());
    }
}
