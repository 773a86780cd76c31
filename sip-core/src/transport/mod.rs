//! Where messages come from and go to (RFC 3261 §18): addresses, transports and flows.

mod flow;
mod payload;

pub use flow::{Address, Flow, FlowError, Target, Ticket, Transport};
pub use payload::Payload;
