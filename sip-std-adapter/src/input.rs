//! What the role has yet to be told.

use sip_core::role::SendId;
use sip_core::transport::{Flow, FlowError, Target, Ticket};

/// The result of an I/O operation, on its way to the role.
pub(crate) enum Input {
    /// The connection that was asked for is open.
    Connected(Ticket, Flow),
    /// The connection that was asked for can't be had.
    NotConnected(Ticket, FlowError),
    /// A connection has ended, or the network says that the peer of a datagram is not there.
    Failed(Flow, FlowError),
    /// There is room again.
    Writable(Flow),
    /// What was held for a connection that is gone fails when it is offered.
    Resume(SendId),
    /// A name's addresses.
    Resolved(Ticket, Vec<Target>),
}
