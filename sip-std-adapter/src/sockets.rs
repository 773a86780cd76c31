//! The datagram sockets of one adapter, one for each address that it listens at.

use crate::input::Input;
use crate::udp::{Arrived, Sent, Udp};
use core::net::SocketAddr;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use sip_core::transport::{Flow, FlowError};
use std::collections::VecDeque;
use std::io;

/// The sockets in the order of their listeners' numbers.
#[derive(Default)]
pub(crate) struct Sockets {
    all: Vec<Socket>,
    /// Whose turn it is to be read.
    next: usize,
}

struct Socket {
    /// None where the listener takes connections only.
    udp: Option<Udp>,
    local: SocketAddr,
    token: Token,
    /// There may be something to be read: the system has said so, and it was not read to its end since.
    ready: bool,
    /// Sends were put back until there is room; the flow of one, which [carries](Flow::carries) the others.
    blocked: Option<Flow>,
}

impl Sockets {
    /// Adds the socket of the next listener.
    pub(crate) fn add(&mut self, mut udp: Udp, token: Token, registry: &Registry) -> io::Result<()> {
        registry.register(&mut udp.socket, token, Interest::READABLE)?;
        let local = udp.local;
        self.all.push(Socket { udp: Some(udp), local, token, ready: true, blocked: None });
        Ok(())
    }

    /// Adds a listener without datagrams.
    #[cfg(any(feature = "rustls", feature = "ws"))]
    pub(crate) fn add_without(&mut self, local: SocketAddr) {
        self.all.push(Socket { udp: None, local, token: Token(usize::MAX), ready: false, blocked: None });
    }

    /// Marks what all of them send.
    pub(crate) fn mark(&self, dscp: u8) -> io::Result<()> {
        self.all.iter().filter_map(|socket| socket.udp.as_ref()).try_for_each(|udp| udp.mark(dscp))
    }

    /// The addresses of all listeners.
    pub(crate) fn addresses(&self) -> impl ExactSizeIterator<Item = SocketAddr> {
        self.all.iter().map(|socket| socket.local)
    }

    /// The address of the first listener.
    pub(crate) fn first(&self) -> SocketAddr {
        self.addresses().next().unwrap_or(SocketAddr::from(([0; 4], 0)))
    }

    /// The number of the first listener for datagrams whose family is that of `remote`.
    pub(crate) fn towards(&self, remote: SocketAddr) -> Option<u8> {
        let fits = |socket: &Socket| socket.udp.is_some() && socket.local.is_ipv4() == remote.is_ipv4();
        let found = self.all.iter().position(fits)?;
        u8::try_from(found).ok()
    }

    /// The socket of a listener, for a test that fills it.
    #[cfg(test)]
    pub(crate) fn udp(&mut self, listener: usize) -> &mut Udp {
        self.all[listener].udp.as_mut().unwrap()
    }

    /// Whether sends wait for room in any of them.
    pub(crate) fn is_blocked(&self) -> bool {
        self.all.iter().any(|socket| socket.blocked.is_some())
    }

    /// Sends from the listener that the flow names.
    pub(crate) fn send(&mut self, flow: Flow, bytes: &[u8]) -> Sent {
        match self.all.get_mut(usize::from(flow.listener)).and_then(|socket| socket.udp.as_mut()) {
            Some(udp) => udp.send(flow, bytes),
            None => Sent::Failed(FlowError::Unreachable),
        }
    }

    /// Receives at most one datagram, from the sockets by turns; gives whose it is. Those of which the system has said nothing are left
    /// alone unless `all` are wanted.
    ///
    /// # Errors
    /// A socket is dead.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], all: bool) -> io::Result<(u8, Arrived)> {
        for _ in 0..self.all.len() {
            let index = self.next;
            self.next = if index + 1 < self.all.len() { index + 1 } else { 0 };
            let Some(socket) = self.all.get_mut(index) else { break };
            let Some(udp) = socket.udp.as_mut().filter(|_| all || socket.ready) else { continue };
            match udp.receive(buffer)? {
                Arrived::Nothing => socket.ready = false,
                arrived => return Ok((u8::try_from(index).unwrap_or(u8::MAX), arrived)),
            }
        }
        Ok((0, Arrived::Nothing))
    }

    /// The next report that a peer is not there; `None` when there are no more.
    pub(crate) fn next_report(&mut self) -> Option<(Flow, FlowError)> {
        self.all.iter_mut().zip(0..).find_map(|(socket, listener)| {
            let (to, error) = socket.udp.as_mut()?.next_report()?;
            Some((Flow { listener, ..Flow::udp(to.into()) }, error))
        })
    }

    /// Remembers that `flow` waits for room, and asks to be told.
    pub(crate) fn block(&mut self, flow: Flow, registry: &Registry, inputs: &mut VecDeque<Input>) {
        let Some(socket) = self.all.get_mut(usize::from(flow.listener)) else { return };
        if socket.blocked.is_none() && socket.watch(registry, Interest::READABLE | Interest::WRITABLE).is_err() {
            // No notice will come: the send is simply tried again.
            inputs.push_back(Input::Writable(flow));
        } else {
            socket.blocked = Some(flow);
        }
    }

    /// Takes note of what the operating system has noticed about one of them.
    pub(crate) fn notice(&mut self, event: &Event, registry: &Registry, inputs: &mut VecDeque<Input>) {
        let Some(socket) = self.all.iter_mut().find(|socket| socket.token == event.token()) else { return };
        socket.ready = true;
        if let Some(udp) = &mut socket.udp {
            udp.reports_waiting |= event.is_error();
        }
        if event.is_writable()
            && let Some(flow) = socket.blocked.take()
        {
            // If this fails, a wait ends early now and then.
            let _ = socket.watch(registry, Interest::READABLE);
            inputs.push_back(Input::Writable(flow));
        }
    }
}

impl Socket {
    fn watch(&mut self, registry: &Registry, interest: Interest) -> io::Result<()> {
        match &mut self.udp {
            Some(udp) => registry.reregister(&mut udp.socket, self.token, interest),
            None => Ok(()),
        }
    }
}
