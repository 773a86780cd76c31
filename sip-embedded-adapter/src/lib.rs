//! Drives a role of `sip-core` over the sockets of an embedded-nal stack, without std, heap or operating system.
//!
//! [`Adapter`] carries octets and time between one UDP socket and a [`Role`](sip_core::role::Role). The application
//! owns the loop, the stack, the clock and the buffer, and passes them with every [`poll`](Adapter::poll), which does
//! a bounded piece of work and never blocks.
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
//!             Turn::Again => {}
//!             Turn::Idle(until) => { /* poll the network; sleep until then or until its interrupt */ }
//!         }
//!     }
//! }
//! ```
//!
//! # What it carries
//! UDP. A role that asks for a connection is told that it failed; a host that is not an address literal has no
//! addresses; a name to be reached by TCP or TLS only has none either.
//!
//! # What embedded-nal can't tell
//! The socket's own address: what a Via and a Contact say is the role's configuration. When a full socket has room
//! again: sends put back are tried again with the next poll, and [`Turn::Idle`] then names a moment 10 ms away. What
//! an error means: stacks have their own, so the application can [classify](Adapter::classified_by) them.
#![no_std]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod adapter;
mod turn;

pub use adapter::Adapter;
pub use turn::{Fault, Operation, Statistics, Turn};
