//! The loop between one role and one socket. Its order is that of `sip-std-adapter`.

use crate::turn::{Fault, Operation, Statistics, Turn};
use core::net::{IpAddr, SocketAddr};
use embedded_nal::{UdpClientStack, UdpFullStack, nb};
use sip_core::message::Message;
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Transport};

/// Actions in one poll at most.
const WORK: u32 = 32;
/// Flows that wait for room at most; when it is full, the next action waits for the next poll.
const BLOCKED: usize = 4;
/// How soon to try again when the socket is full: embedded-nal can't tell when it no longer is.
const RETRY: Duration = Duration::from_millis(10);

/// One role over one UDP socket of an embedded-nal stack.
///
/// `R` may be a `&'static mut` to a role, so that the role's memory stays where it is.
pub struct Adapter<R: Role, S: UdpFullStack> {
    role: R,
    socket: S::UdpSocket,
    classify: fn(Operation, &S::Error) -> Fault,
    /// Flows with sends put back; the zero flow is a free place.
    blocked: [Flow; BLOCKED],
    statistics: Statistics,
}

/// Where draining the role's actions stopped.
enum Drained<E> {
    Empty,
    Event(E),
    OutOfWork,
    /// No more flows can be remembered as blocked.
    Full,
}

impl<R: Role, S: UdpFullStack> Adapter<R, S> {
    /// Puts `role` on `socket`, which is bound already.
    ///
    /// Errors of the stack are taken as harmless: on receiving, as "nothing there" (smoltcp-nal says so with an
    /// error), on sending, as a datagram that could not be sent. See [`classified_by`](Adapter::classified_by).
    #[must_use]
    pub const fn new(role: R, socket: S::UdpSocket) -> Self {
        Self {
            role,
            socket,
            classify: harmless::<S::Error>,
            blocked: [Flow::NONE; BLOCKED],
            statistics: Statistics {
                datagrams_in: 0,
                datagrams_out: 0,
                malformed: 0,
                strays: 0,
                keep_alives: 0,
                not_sip: 0,
                truncated: 0,
                sends_failed: 0,
                sends_deferred: 0,
                receive_errors: 0,
            },
        }
    }

    /// Opens a socket of `stack`, binds it to `port` and puts `role` on it.
    ///
    /// # Errors
    /// Those of the stack.
    pub fn bind(role: R, stack: &mut S, port: u16) -> Result<Self, S::Error> {
        let mut socket = UdpClientStack::socket(stack)?;
        UdpFullStack::bind(stack, &mut socket, port)?;
        Ok(Self::new(role, socket))
    }

    /// Lets `classify` say what the errors of this stack mean.
    #[must_use]
    pub fn classified_by(mut self, classify: fn(Operation, &S::Error) -> Fault) -> Self {
        self.classify = classify;
        self
    }

    /// The role.
    #[must_use]
    pub const fn role(&self) -> &R {
        &self.role
    }

    /// The role, to ask something of it. What it has to send then goes out in the next [`poll`](Adapter::poll).
    pub const fn role_mut(&mut self) -> &mut R {
        &mut self.role
    }

    /// What was counted so far.
    #[must_use]
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The role and the socket back.
    #[must_use]
    pub fn into_parts(self) -> (R, S::UdpSocket) {
        (self.role, self.socket)
    }

    /// Does a bounded piece of work and never blocks: carries out what the role wants done, fires its timers, and
    /// receives at most one datagram into `buffer`.
    ///
    /// `now` is in milliseconds and must not run backwards. A datagram that fills `buffer` is dropped as truncated,
    /// because stacks differ in what they do with one that is too long. After [`Turn::Idle`] sleep until its moment
    /// or until the stack has received something, whichever comes first.
    ///
    /// # Errors
    /// The error of the stack that was classified as [`Fault::Dead`].
    pub fn poll<'b>(
        &mut self,
        stack: &mut S,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Result<Turn<'b, R::Event>, S::Error> {
        for place in 0..BLOCKED {
            let flow = self.blocked.get_mut(place).map(core::mem::take).unwrap_or_default();
            if !flow.is_none() {
                self.role.flow_writable(now, flow);
            }
        }
        let mut work = WORK;
        let mut timers = false;
        loop {
            match self.drain(stack, now, &mut work)? {
                Drained::Event(event) => return Ok(Turn::Event(event)),
                Drained::OutOfWork => return Ok(Turn::Again),
                // A full socket must not keep messages from coming in, nor time from passing.
                Drained::Empty | Drained::Full => {}
            }
            if timers || self.role.poll_timeout().is_none_or(|due| due > now) {
                return self.receive(stack, now, buffer);
            }
            timers = true;
            self.role.handle_timeout(now);
        }
    }

    /// Carries out the role's actions, until there are none, one is an event, or no more can be done now.
    fn drain(&mut self, stack: &mut S, now: Instant, work: &mut u32) -> Result<Drained<R::Event>, S::Error> {
        loop {
            let Some(left) = work.checked_sub(1) else { return Ok(Drained::OutOfWork) };
            let Some(place) = self.blocked.iter_mut().find(|flow| flow.is_none()) else { return Ok(Drained::Full) };
            *work = left;
            let Some(action) = self.role.poll_action(now) else { return Ok(Drained::Empty) };
            match action {
                Action::Event(event) => return Ok(Drained::Event(event)),
                Action::Send { id, flow, bytes } => {
                    let to = flow.remote.socket_addr().filter(|_| matches!(flow.transport, Transport::Udp));
                    let fault = match to.map(|to| UdpFullStack::send_to(stack, &mut self.socket, to, bytes)) {
                        Some(Ok(())) => {
                            bump(&mut self.statistics.datagrams_out);
                            continue;
                        }
                        Some(Err(nb::Error::WouldBlock)) => Fault::WouldBlock,
                        Some(Err(nb::Error::Other(error))) => match (self.classify)(Operation::Send, &error) {
                            Fault::Dead => return Err(error),
                            fault => fault,
                        },
                        None => Fault::Datagram(FlowError::Closed),
                    };
                    if let Fault::Datagram(error) = fault {
                        bump(&mut self.statistics.sends_failed);
                        self.role.flow_failed(now, flow, error);
                    } else {
                        bump(&mut self.statistics.sends_deferred);
                        self.role.defer(id);
                        *place = flow;
                    }
                }
                Action::Resolve { ticket, host, port, transport, secure } => {
                    match literal(host).filter(|_| !secure && !transport.is_reliable()) {
                        Some(ip) => {
                            let address = Address::new(ip, port.unwrap_or(Transport::Udp.default_port()));
                            self.role.resolved(now, ticket, &[Target { address, transport: Transport::Udp }]);
                        }
                        None => self.role.resolved(now, ticket, &[]),
                    }
                }
                Action::Connect { ticket, .. } => self.role.connect_failed(now, ticket, FlowError::Other),
                Action::Close { .. } => {}
            }
        }
    }

    fn receive<'b>(
        &mut self,
        stack: &mut S,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Result<Turn<'b, R::Event>, S::Error> {
        let fault = match UdpClientStack::receive(stack, &mut self.socket, buffer) {
            Ok((length, from)) => return Ok(self.take(now, buffer, length, from)),
            Err(nb::Error::WouldBlock) => Fault::WouldBlock,
            Err(nb::Error::Other(error)) => match (self.classify)(Operation::Receive, &error) {
                Fault::Dead => return Err(error),
                fault => fault,
            },
        };
        if let Fault::Datagram(_) = fault {
            bump(&mut self.statistics.receive_errors);
            return Ok(Turn::Again);
        }
        let mut next = self.role.poll_timeout();
        if next.is_some_and(|due| due <= now) {
            return Ok(Turn::Again);
        }
        if self.blocked.iter().any(|flow| !flow.is_none()) {
            let retry = now + RETRY;
            next = Some(next.map_or(retry, |due| due.min(retry)));
        }
        Ok(Turn::Idle(next))
    }

    fn take<'b>(&mut self, now: Instant, buffer: &'b [u8], length: usize, from: SocketAddr) -> Turn<'b, R::Event> {
        let counted = &mut self.statistics;
        bump(&mut counted.datagrams_in);
        let bytes = buffer.get(..length).unwrap_or(buffer);
        match bytes {
            [0..=3, ..] => bump(&mut counted.not_sip),
            _ if bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n')) => bump(&mut counted.keep_alives),
            _ if length >= buffer.len() => bump(&mut counted.truncated),
            _ => {
                let flow = Flow::udp(from.into());
                match Message::parse(bytes) {
                    Ok(message) => match self.role.receive(now, flow, &message) {
                        Received::Event(event) => return Turn::Message { event, message, flow },
                        Received::Nothing => {}
                        Received::Stray => bump(&mut counted.strays),
                    },
                    Err(failure) => {
                        bump(&mut counted.malformed);
                        self.role.receive_malformed(now, flow, &failure);
                    }
                }
            }
        }
        Turn::Again
    }
}

/// What every error means unless the application knows its stack better.
fn harmless<E>(operation: Operation, _error: &E) -> Fault {
    match operation {
        Operation::Send => Fault::Datagram(FlowError::Other),
        Operation::Receive => Fault::WouldBlock,
    }
}

/// The address that `host` spells, in brackets or not.
fn literal(host: &[u8]) -> Option<IpAddr> {
    let host = core::str::from_utf8(host).ok()?;
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn bump(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
