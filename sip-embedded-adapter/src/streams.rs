//! What an adapter carries beside datagrams: nothing, or connections. Chosen by type, so that firmware without TCP has none
//! of it in its flash.

use crate::turn::Statistics;
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Ticket};

/// The connections of an [`Adapter`](crate::Adapter): [`NoTcp`], [`Tcp`](crate::Tcp), [`Listening`](crate::Listening), or
/// a `&mut` to one. Sealed.
pub trait Streams<S>: Sealed<S> {}

impl<S, T: Sealed<S>> Streams<S> for T {}

/// An adapter with this carries datagrams only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTcp;

/// What every call works with.
#[derive(Debug)]
pub struct Io<'a, S> {
    pub(crate) stack: &'a mut S,
    pub(crate) now: Instant,
    pub(crate) counted: &'a mut Statistics,
}

/// What the loop asks of the connections. Nothing in here blocks, and every call does a bounded piece of work.
pub trait Sealed<S> {
    /// Whether TCP is carried at all.
    const TCP: bool;

    /// Takes a message for a connection.
    fn send(&mut self, io: &mut Io<'_, S>, flow: Flow, octets: &[u8]) -> Sent;

    /// Makes room for a connection to `remote`; the flow that had to end for it, or that has ended without the role's knowledge,
    /// if there is no other room. `keeps` says which connections must not end for it.
    fn make_room(&mut self, io: &mut Io<'_, S>, remote: Address, keeps: &dyn Fn(Flow) -> bool) -> Option<Flow>;

    /// Begins a connection to `remote`, or takes the one there is.
    fn connect(&mut self, io: &mut Io<'_, S>, ticket: Ticket, remote: Address) -> Dialled;

    /// Ends a connection at the wish of the role.
    fn close(&mut self, io: &mut Io<'_, S>, flow: Flow);

    /// Ends every connection; the role learns it from [`next_input`](Sealed::next_input).
    fn close_all(&mut self, io: &mut Io<'_, S>);

    /// Goes on with what is under way: connecting, octets that had no room, connections of peers. `keeps` says which connections must
    /// not end for others, nor because nothing came over them.
    fn service(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool);

    /// The next thing that the role has to be told.
    fn next_input(&mut self) -> Option<Input>;

    /// Receives at most one message into `buffer`.
    fn receive(&mut self, io: &mut Io<'_, S>, buffer: &mut [u8]) -> Arrival;

    /// Whether something is under way that [`service`](Sealed::service) has to go on with.
    fn is_busy(&self) -> bool;

    /// When [`service`](Sealed::service) has something to do, if nothing else happens.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is taken.
    Done,
    /// There is no room now.
    Blocked,
    /// It can't go there.
    Failed(FlowError),
}

/// What became of a wish for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// It is open.
    Open(Flow),
    /// The answer will come from [`Sealed::next_input`].
    Waiting,
    /// It can't be opened.
    Failed(FlowError),
}

/// The result of an I/O operation, on its way to the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A connection is open.
    Connected(Ticket, Flow),
    /// A connection could not be opened.
    NotConnected(Ticket, FlowError),
    /// A connection has ended.
    Failed(Flow, FlowError),
    /// A connection has room again.
    Writable(Flow),
}

/// What a receive found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing is there.
    Nothing,
    /// Something that is no message; there may be more.
    Other,
    /// A message of so many octets, at the front of the buffer.
    Message(Flow, usize),
    /// A datagram larger than the buffer, or a message of a connection whose head is; it is gone.
    TooLarge(Flow),
    /// A message of a connection that is larger than there is room for; so many of its octets, at the front of the buffer.
    Oversized(Flow, usize),
}

impl<S> Sealed<S> for NoTcp {
    const TCP: bool = false;

    fn send(&mut self, _: &mut Io<'_, S>, _: Flow, _: &[u8]) -> Sent {
        Sent::Failed(FlowError::Unsupported)
    }

    fn make_room(&mut self, _: &mut Io<'_, S>, _: Address, _: &dyn Fn(Flow) -> bool) -> Option<Flow> {
        None
    }

    fn connect(&mut self, _: &mut Io<'_, S>, _: Ticket, _: Address) -> Dialled {
        Dialled::Failed(FlowError::Unsupported)
    }

    fn close(&mut self, _: &mut Io<'_, S>, _: Flow) {}

    fn close_all(&mut self, _: &mut Io<'_, S>) {}

    fn service(&mut self, _: &mut Io<'_, S>, _: &dyn Fn(Flow) -> bool) {}

    fn next_input(&mut self) -> Option<Input> {
        None
    }

    fn receive(&mut self, _: &mut Io<'_, S>, _: &mut [u8]) -> Arrival {
        Arrival::Nothing
    }

    fn is_busy(&self) -> bool {
        false
    }
}

/// Connections behind a reference, so that they can stay in a static.
impl<S, T: Sealed<S>> Sealed<S> for &mut T {
    const TCP: bool = T::TCP;

    fn send(&mut self, io: &mut Io<'_, S>, flow: Flow, octets: &[u8]) -> Sent {
        (**self).send(io, flow, octets)
    }

    fn make_room(&mut self, io: &mut Io<'_, S>, remote: Address, keeps: &dyn Fn(Flow) -> bool) -> Option<Flow> {
        (**self).make_room(io, remote, keeps)
    }

    fn connect(&mut self, io: &mut Io<'_, S>, ticket: Ticket, remote: Address) -> Dialled {
        (**self).connect(io, ticket, remote)
    }

    fn close(&mut self, io: &mut Io<'_, S>, flow: Flow) {
        (**self).close(io, flow);
    }

    fn close_all(&mut self, io: &mut Io<'_, S>) {
        (**self).close_all(io);
    }

    fn service(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool) {
        (**self).service(io, keeps);
    }

    fn next_input(&mut self) -> Option<Input> {
        (**self).next_input()
    }

    fn receive(&mut self, io: &mut Io<'_, S>, buffer: &mut [u8]) -> Arrival {
        (**self).receive(io, buffer)
    }

    fn is_busy(&self) -> bool {
        (**self).is_busy()
    }

    fn next_timeout(&self) -> Option<Instant> {
        (**self).next_timeout()
    }
}
