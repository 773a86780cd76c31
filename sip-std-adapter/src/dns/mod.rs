//! Names asked for at name servers, through the adapter's own poll: the machine is the core's, the sockets are here.

mod exchange;
mod system;

use core::net::SocketAddr;
use exchange::{Came, Exchange};
use mio::event::Event;
use mio::{Registry, Token};
use sip_core::locate::{Full, Outcome, Reach, Slot};
use sip_core::time::Instant;
use sip_core::transport::{Address, Target, Ticket, Transport};
use std::collections::VecDeque;
pub(crate) use system::System;

/// The token of the first query; nothing else has one as large but the largest there is.
pub(crate) const TOKENS: usize = usize::MAX / 2;
/// As many tokens are given one after the other before they begin anew.
const COUNT: usize = 1 << 24;
/// Look-ups at the same time.
const SLOTS: usize = 256;
/// Octets for answers that are known.
const CACHE: usize = 64 * 1024;

/// A look-up that is over.
pub(crate) struct Found {
    pub(crate) ticket: Ticket,
    pub(crate) outcome: Outcome,
    pub(crate) targets: Vec<Target>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct LookUp<'a> {
    pub(crate) ticket: Ticket,
    pub(crate) host: &'a [u8],
    pub(crate) port: Option<u16>,
    pub(crate) transport: Transport,
    pub(crate) secure: bool,
}

/// The machine, and its queries on their way.
pub(crate) struct Dns {
    machine: sip_core::locate::Resolver<Vec<Slot>, Vec<u8>>,
    exchanges: Vec<Exchange>,
    found: VecDeque<Found>,
    tokens: usize,
}

impl Dns {
    /// Takes its storage; `None` when the system has no random numbers to give.
    pub(crate) fn new(servers: &[SocketAddr]) -> Option<Self> {
        let slots = vec![Slot::NONE; SLOTS];
        let machine = sip_core::locate::Resolver::new(slots, vec![0; CACHE], crate::seed().ok()?);
        let mut dns = Self { machine, exchanges: Vec::new(), found: VecDeque::new(), tokens: 0 };
        dns.machine.set_tcp(true);
        dns.set_servers(servers);
        Some(dns)
    }

    pub(crate) fn set_servers(&mut self, servers: &[SocketAddr]) {
        let servers: Vec<_> = servers.iter().copied().map(Address::from).collect();
        self.machine.set_servers(&servers);
    }

    /// Begins a look-up.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        reach: Reach,
        wanted: LookUp<'_>,
        registry: &Registry,
    ) -> Result<(), Full> {
        self.machine.set_reach(reach);
        let LookUp { ticket, host, port, transport, secure } = wanted;
        self.machine.start(now, ticket, (host, port), (transport, secure))?;
        self.work(now, registry);
        Ok(())
    }

    /// Reads what has come, and sends what is to be sent.
    pub(crate) fn work(&mut self, now: Instant, registry: &Registry) {
        self.machine.handle_timeout(now);
        self.read(now);
        while let Some(query) = self.machine.poll_action(now) {
            let (id, token) = (query.id, Token(TOKENS + self.tokens));
            self.tokens = (self.tokens + 1) % COUNT;
            let server = query.server.socket_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
            match Exchange::open((id, query.bytes), (server, query.tcp), token, registry) {
                Ok(exchange) => self.exchanges.push(exchange),
                Err(_) => self.machine.server_failed(now, id),
            }
        }
        let over = |exchange: &mut Exchange| !self.machine.waits_for(exchange.id);
        for exchange in self.exchanges.extract_if(.., over) {
            exchange.close(registry);
        }
        while let Some(resolved) = self.machine.poll_answer() {
            let (ticket, outcome, targets) = (resolved.ticket, resolved.outcome, resolved.targets.to_vec());
            self.found.push_back(Found { ticket, outcome, targets });
        }
    }

    fn read(&mut self, now: Instant) {
        for exchange in &mut self.exchanges {
            loop {
                match exchange.proceed() {
                    Came::Nothing => break,
                    // A message that answers another query has come to the wrong port: somebody guesses.
                    Came::Answer(bytes) if bytes.starts_with(&exchange.id.to_be_bytes()) => {
                        self.machine.receive(now, &bytes);
                    }
                    Came::Answer(_) => {}
                    Came::Failed => {
                        self.machine.server_failed(now, exchange.id);
                        break;
                    }
                }
            }
        }
    }

    /// Takes note of what the operating system has noticed about a query.
    pub(crate) fn notice(&mut self, event: &Event) {
        if let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.token == event.token()) {
            exchange.notice();
        }
    }

    /// The next look-up that is over.
    pub(crate) fn next(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    pub(crate) fn has_servers(&self) -> bool {
        self.machine.has_servers()
    }
}

#[cfg(test)]
mod tests;
