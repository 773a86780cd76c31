//! Host names: who is asked for which.
//!
//! | name | is asked |
//! |---|---|
//! | an address | nobody |
//! | in `/etc/hosts` | that file |
//! | with a dot | the name servers of `/etc/resolv.conf`, by the core's machine (RFC 3263): with a port A and AAAA, else NAPTR and SRV first |
//! | any, after [`Adapter::dns_servers`](crate::Adapter::dns_servers) | those servers |
//! | without a dot, in `.local` or `.localhost`; or no name server is known | the system's resolver |
//!
//! The system's resolver knows search domains and mDNS, and what else the system is configured for. It blocks, so threads call it; they
//! start with the first such name, and a name with a dot never waits for one of them.

use crate::dns::{Dns, Found, LookUp, System};
use core::net::SocketAddr;
use core::str;
use mio::event::Event;
use mio::{Registry, Waker};
use sip_core::locate::{Outcome, Reach};
use sip_core::time::Instant;
use sip_core::transport::{Address, Target, Ticket, Transport};
use std::net::ToSocketAddrs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Names looked up by the system at the same time; one dead name server must not hold up every other name.
const THREADS: usize = 4;
/// Questions to the system under way at most; one more is answered "no address" at once.
const LIMIT: usize = 256;
/// What can be there, the usual one first.
const USUAL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
/// What is there where it is named, and not else.
const WEB: [Transport; 2] = [Transport::Ws, Transport::Wss];
/// Targets in one answer at most.
const TARGETS: usize = 16;

struct Question {
    ticket: Ticket,
    host: String,
    port: u16,
    transport: Transport,
}

struct Answer {
    ticket: Ticket,
    transport: Transport,
    found: Vec<SocketAddr>,
}

/// Looks names up for an adapter. Its threads end after the drop.
pub(crate) struct Resolver {
    waker: Arc<Waker>,
    threads: Option<(Sender<Question>, Receiver<Answer>)>,
    under_way: usize,
    /// The families of the sockets: addresses of another one are of no use.
    v4: bool,
    v6: bool,
    /// What there are sockets for, and listeners at which connections begin.
    listens: Reach,
    /// Whether connections under TLS can be opened, where they can begin.
    tls: bool,
    system: System,
    dns: Option<Dns>,
    /// The servers that the application names, in place of the system's.
    servers: Option<Vec<SocketAddr>>,
}

/// What a question came to at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// This is the answer.
    Answered(Vec<Target>),
    /// The answer will come.
    Waiting,
    /// Too many questions are under way.
    Refused,
}

impl Resolver {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (v4, v6, listens, tls) = (false, false, Reach::NONE, false);
        let system = System::new();
        Self { waker, threads: None, under_way: 0, v4, v6, listens, tls, system, dns: None, servers: None }
    }

    /// From now on there is a listener at `local`, for these transports.
    pub(crate) fn reaches(&mut self, local: SocketAddr, transports: &[Transport]) {
        self.v4 |= local.is_ipv4();
        self.v6 |= local.is_ipv6();
        self.listens = transports.iter().fold(self.listens, |reach, transport| reach.with(*transport));
    }

    /// From now on connections under TLS can be had.
    #[cfg(feature = "rustls")]
    pub(crate) fn reaches_tls(&mut self) {
        self.tls = true;
    }

    /// Asks these servers for every name from now on.
    pub(crate) fn set_servers(&mut self, servers: &[SocketAddr]) {
        self.servers = Some(servers.to_vec());
        if let Some(dns) = &mut self.dns {
            dns.set_servers(servers);
        }
    }

    fn reach(&self) -> Reach {
        let begins = |from: &[Transport]| from.iter().any(|transport| self.listens.carries(*transport));
        let plain = begins(&[Transport::Tcp, Transport::Ws]);
        let usable = |transport: &Transport| match transport {
            // It begins at any listener for connections, and needs who can open it: to accept it is not enough.
            Transport::Tls => self.tls && (plain || begins(&[Transport::Tls, Transport::Wss])),
            Transport::Wss => cfg!(feature = "ws") && self.tls && (plain || begins(&[Transport::Tls, Transport::Wss])),
            Transport::Ws => cfg!(feature = "ws") && plain,
            other => self.listens.carries(*other),
        };
        let reach = USUAL.into_iter().chain(WEB).filter(usable).fold(Reach::NONE, Reach::with);
        let reach = if self.v4 { reach.with_v4() } else { reach };
        if self.v6 { reach.with_v6() } else { reach }
    }

    pub(crate) fn ask(&mut self, now: Instant, wanted: LookUp<'_>, registry: &Registry) -> Asked {
        let LookUp { ticket, host, port, transport, secure } = wanted;
        let usual = match transport {
            Transport::None if secure => Transport::Tls,
            // What a URI that names no transport means (RFC 3263 §4.1), where that is there.
            Transport::None => USUAL.into_iter().find(|one| self.reach().carries(*one)).unwrap_or(Transport::Udp),
            named => named,
        };
        // A request that must not go over UDP or TCP finds nobody where there is no TLS (RFC 3263 §4.1).
        if !self.reach().carries(usual) || secure && !usual.is_secure() {
            return Asked::Answered(Vec::new());
        }
        let number = port.unwrap_or(usual.default_port());
        if let Some(address) = Address::literal(host, number).and_then(Address::socket_addr) {
            return Asked::Answered(self.usable(usual, &[address]));
        }
        let Ok(name) = str::from_utf8(host) else { return Asked::Answered(Vec::new()) };
        // There is no such name, and nobody is asked for it (RFC 6761 §6.4).
        if last_label(name).eq_ignore_ascii_case("invalid") {
            return Asked::Answered(Vec::new());
        }
        if let Some(ips) = self.system.addresses(name.strip_suffix('.').unwrap_or(name)) {
            let found: Vec<_> = ips.iter().map(|ip| SocketAddr::new(*ip, number)).collect();
            return Asked::Answered(self.usable(usual, &found));
        }
        if self.is_for_servers(name) {
            let reach = self.reach();
            let started = self.dns.as_mut().map(|dns| dns.start(now, reach, wanted, registry));
            return if matches!(started, Some(Ok(()))) { Asked::Waiting } else { Asked::Refused };
        }
        self.ask_system(Question { ticket, host: name.to_owned(), port: number, transport: usual })
    }

    /// Whether the name servers are asked for a name themselves. They are looked for first.
    fn is_for_servers(&mut self, name: &str) -> bool {
        let inner = name.strip_suffix('.').unwrap_or(name);
        let last = last_label(name);
        let local = ["local", "localhost"].iter().any(|special| last.eq_ignore_ascii_case(special));
        if self.servers.is_none() && (local || !inner.contains('.')) {
            return false;
        }
        let fresh = if self.servers.is_none() { self.system.new_servers() } else { None };
        match (&mut self.dns, fresh) {
            (Some(dns), Some(fresh)) => dns.set_servers(&fresh),
            (Some(_), None) => {}
            (none, fresh) => {
                let servers = self.servers.clone().or(fresh).unwrap_or_default();
                *none = Dns::new(&servers);
            }
        }
        self.dns.as_ref().is_some_and(|dns| self.servers.is_some() || dns.has_servers())
    }

    fn ask_system(&mut self, question: Question) -> Asked {
        if self.under_way >= LIMIT {
            return Asked::Refused;
        }
        if self.threads.is_none() {
            self.threads = start(&self.waker);
        }
        let Some((questions, _)) = &self.threads else { return Asked::Refused };
        match questions.send(question) {
            Ok(()) => {
                self.under_way += 1;
                Asked::Waiting
            }
            Err(_) => Asked::Refused,
        }
    }

    /// Goes on with what is asked of name servers.
    pub(crate) fn work(&mut self, now: Instant, registry: &Registry) {
        if let Some(dns) = &mut self.dns {
            dns.work(now, registry);
        }
    }

    /// Takes note of what the operating system has noticed about a query.
    pub(crate) fn notice(&mut self, event: &Event) {
        if let Some(dns) = &mut self.dns {
            dns.notice(event);
        }
    }

    /// When [`work`](Self::work) is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.dns.as_ref().and_then(Dns::next_timeout)
    }

    /// The next answer that has come.
    pub(crate) fn next(&mut self) -> Option<Found> {
        if let Some(found) = self.dns.as_mut().and_then(Dns::next) {
            return Some(found);
        }
        if self.under_way == 0 {
            return None;
        }
        let Answer { ticket, transport, found } = self.threads.as_ref()?.1.try_recv().ok()?;
        self.under_way -= 1;
        let targets = self.usable(transport, &found);
        let outcome = if targets.is_empty() { Outcome::Nobody } else { Outcome::Found };
        Some(Found { ticket, outcome, targets })
    }

    /// Those that the sockets can reach, each once, in the order of the system's resolver (RFC 6724).
    fn usable(&self, transport: Transport, found: &[SocketAddr]) -> Vec<Target> {
        let mut targets = Vec::new();
        let reached = |address: &&SocketAddr| if address.is_ipv4() { self.v4 } else { self.v6 };
        for address in found.iter().filter(reached).filter(|address| address.port() != 0) {
            let target = Target { address: Address::from(*address), transport };
            if targets.len() < TARGETS && !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }
}

fn last_label(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit('.').next().unwrap_or_default()
}

/// Starts the threads; `None` when the system has none to give.
fn start(waker: &Arc<Waker>) -> Option<(Sender<Question>, Receiver<Answer>)> {
    let (questions, asked) = mpsc::channel::<Question>();
    let (answers, answered) = mpsc::channel();
    let asked = Arc::new(Mutex::new(asked));
    let mut started = 0;
    for _ in 0..THREADS {
        let (asked, answers, waker) = (Arc::clone(&asked), answers.clone(), Arc::clone(waker));
        let thread = thread::Builder::new().name("sip-resolver".into());
        let work = move || {
            loop {
                let question = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(Question { ticket, host, port, transport }) = question else { return };
                let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
                if answers.send(Answer { ticket, transport, found }).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        };
        started += usize::from(thread.spawn(work).is_ok());
    }
    (started > 0).then_some((questions, answered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::fs;

    /// A resolver of a host whose files say this, with a socket for datagrams.
    fn resolver(name: &str, servers: &str, hosts: &str) -> (Resolver, Poll) {
        let path = |of: &str| std::env::temp_dir().join(format!("sip-resolve-{name}-{of}-{}", std::process::id()));
        let (servers_at, hosts_at) = (path("servers"), path("hosts"));
        fs::write(&servers_at, servers).unwrap();
        fs::write(&hosts_at, hosts).unwrap();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut resolver = Resolver::new(waker);
        resolver.system = System::of(servers_at.to_str().unwrap(), hosts_at.to_str().unwrap());
        // Both are read now.
        let _ = resolver.system.addresses("");
        let known = resolver.is_for_servers("a.test");
        assert_eq!(known, !servers.is_empty());
        let _ = (fs::remove_file(servers_at), fs::remove_file(hosts_at));
        resolver.reaches("127.0.0.1:5060".parse().unwrap(), &[Transport::Udp]);
        (resolver, poll)
    }

    fn ask(resolver: &mut Resolver, poll: &Poll, host: &str, port: Option<u16>) -> Asked {
        let (ticket, host, transport) = (Ticket::new(7), host.as_bytes(), Transport::Udp);
        let wanted = LookUp { ticket, host, port, transport, secure: false };
        resolver.ask(Instant::ZERO, wanted, poll.registry())
    }

    #[test]
    fn a_name_with_a_port_is_asked_of_the_name_servers_and_waits_for_no_thread() {
        let (mut resolver, poll) = resolver("port", "nameserver 127.0.0.254\n", "127.0.0.9 pbx.here.test\n");
        for (host, port) in [("pbx.test", Some(5070)), ("PBX.test.", Some(5060)), ("pbx.test", None)] {
            assert_eq!(ask(&mut resolver, &poll, host, port), Asked::Waiting, "{host}");
        }
        assert!(resolver.threads.is_none() && resolver.under_way == 0);
        // More than the threads take: they have nothing to do with it.
        for number in 0..200 {
            assert_eq!(ask(&mut resolver, &poll, &format!("pbx-{number}.test"), Some(5070)), Asked::Waiting);
        }
        assert!(resolver.threads.is_none());
        let address = "127.0.0.9:5071".parse::<SocketAddr>().unwrap().into();
        let found = vec![Target { address, transport: Transport::Udp }];
        assert_eq!(ask(&mut resolver, &poll, "pbx.here.test", Some(5071)), Asked::Answered(found));
    }

    #[test]
    fn the_system_is_asked_for_names_that_no_name_server_has() {
        let (mut resolver, poll) = resolver("local", "nameserver 127.0.0.254\n", "");
        for (count, host) in ["sip-resolve-test", "sip-resolve-test.local", "a.LOCALHOST."].into_iter().enumerate() {
            assert_eq!(ask(&mut resolver, &poll, host, Some(5070)), Asked::Waiting);
            assert_eq!(resolver.under_way, count + 1, "{host}");
        }
        let (mut alone, poll) = self::resolver("none", "", "");
        assert_eq!(ask(&mut alone, &poll, "pbx.test", Some(5070)), Asked::Waiting);
        assert_eq!(alone.under_way, 1);
    }
}
