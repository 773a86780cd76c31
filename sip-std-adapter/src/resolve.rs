//! Host names: looked up by threads, because the operating system's resolver blocks.

use core::net::SocketAddr;
use core::str;
use mio::Waker;
use sip_core::transport::{Address, Target, Ticket, Transport};
use std::net::ToSocketAddrs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Names looked up at the same time; one dead name server must not hold up every other name.
const THREADS: usize = 4;
/// Questions under way at most; one more is answered "no address" at once.
const LIMIT: usize = 256;
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

/// Looks names up for an adapter. Its threads start with the first name and end after the drop.
pub(crate) struct Resolver {
    waker: Arc<Waker>,
    threads: Option<(Sender<Question>, Receiver<Answer>)>,
    under_way: usize,
    /// The families of the sockets: addresses of another one are of no use.
    v4: bool,
    v6: bool,
    /// Whether connections can be had.
    tcp: bool,
    tls: bool,
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
        Self { waker, threads: None, under_way: 0, v4: false, v6: false, tcp: false, tls: false }
    }

    /// From now on there is a socket at `local`, and connections if `tcp`.
    pub(crate) fn reaches(&mut self, local: SocketAddr, tcp: bool) {
        self.v4 |= local.is_ipv4();
        self.v6 |= local.is_ipv6();
        self.tcp |= tcp;
    }

    /// From now on connections under TLS can be had.
    #[cfg(feature = "rustls")]
    pub(crate) fn reaches_tls(&mut self) {
        self.tls = true;
    }

    pub(crate) fn ask(
        &mut self,
        ticket: Ticket,
        host: &[u8],
        port: Option<u16>,
        transport: Transport,
        secure: bool,
    ) -> Asked {
        let transport = match transport {
            Transport::None if secure => Transport::Tls,
            Transport::None => Transport::Udp,
            named => named,
        };
        // A request that must not go over UDP or TCP finds nobody where there is no TLS (RFC 3263 §4.1).
        let carried = match transport {
            Transport::Tls => self.tls,
            Transport::Tcp => self.tcp && !secure,
            Transport::Udp => !secure,
            _ => false,
        };
        if !carried {
            return Asked::Answered(Vec::new());
        }
        let port = port.unwrap_or(transport.default_port());
        if let Some(address) = Address::literal(host, port).and_then(Address::socket_addr) {
            return Asked::Answered(self.usable(transport, &[address]));
        }
        let Ok(host) = str::from_utf8(host) else { return Asked::Answered(Vec::new()) };
        if self.under_way >= LIMIT {
            return Asked::Refused;
        }
        if self.threads.is_none() {
            self.threads = start(&self.waker);
        }
        let Some((questions, _)) = &self.threads else { return Asked::Refused };
        match questions.send(Question { ticket, host: host.to_owned(), port, transport }) {
            Ok(()) => {
                self.under_way += 1;
                Asked::Waiting
            }
            Err(_) => Asked::Refused,
        }
    }

    /// The next answer that has come.
    pub(crate) fn next(&mut self) -> Option<(Ticket, Vec<Target>)> {
        if self.under_way == 0 {
            return None;
        }
        let Answer { ticket, transport, found } = self.threads.as_ref()?.1.try_recv().ok()?;
        self.under_way -= 1;
        Some((ticket, self.usable(transport, &found)))
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
