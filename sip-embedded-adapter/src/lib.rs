//! Drives a role of `sip-core` over the sockets of an embedded-nal stack, without std, heap or operating system.
//!
//! [`Adapter`] carries octets and time between one UDP socket, and with [`Tcp`] a few connections, and a
//! [`Role`](sip_core::role::Role). The application owns the loop, the stack, the clock and the buffer, and passes them with
//! every [`poll`](Adapter::poll), which does a bounded piece of work and never blocks.
//!
//! ```no_run
//! use embedded_nal::UdpFullStack;
//! use sip_core::role::Role;
//! use sip_core::time::Instant;
//! use sip_embedded_adapter::{Adapter, Turn};
//!
//! fn serve<R: Role, S: UdpFullStack>(role: R, stack: &mut S, millis: fn() -> u64) -> Result<(), S::Error> {
//!     let mut adapter = Adapter::bind(role, stack, 5060)?;
//!     let mut buffer = [0; 1500];
//!     loop {
//!         let now = Instant::from_millis(millis());
//!         match adapter.poll(stack, now, &mut buffer)? {
//!             Turn::Message { event, message, flow } => {
//!                 // Look at the event beside its message, and tell adapter.role_mut() what to do about it.
//!             }
//!             Turn::Event(event) => { /* a timer, a lost flow */ }
//!             Turn::Resolve { query, host } => adapter.resolved(now, query, &[]), // no resolver here: addresses only
//!             Turn::TooLarge { flow } => { /* a larger buffer would have held it */ }
//!             Turn::Again => {}
//!             Turn::Idle(until) => { /* poll the network; sleep until then or until its interrupt */ }
//!         }
//!     }
//! }
//! ```
#![doc = include_str!("../README.md")]
#![no_std]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod adapter;
mod connection;
mod fault;
mod listen;
mod log;
mod names;
mod streams;
mod tcp;
mod turn;

pub use adapter::Adapter;
pub use fault::{Fault, Operation, StreamFault, StreamOperation};
pub use listen::{Accepts, Listening};
pub use names::HostLookup;
pub use streams::{NoTcp, Streams};
pub use tcp::Tcp;
pub use turn::{Query, Statistics, Turn};
