//! Where messages come from and go to (RFC 3261 §18): addresses, transports and flows, and how large a datagram may be.

mod flow;
mod payload;
mod size;

pub use flow::{Address, Flow, FlowError, Target, Ticket, Transport};
pub use payload::Payload;
pub use size::{DATAGRAM_LIMIT, Oversize, SMALLEST_MTU, datagram_limit};
