//! Transactions (RFC 3261 §17, RFC 6026, RFC 4320).
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod client;
pub mod client_invite;
pub mod server;
pub mod server_invite;
mod step;
mod timers;

pub use client::Client;
pub use client_invite::ClientInvite;
pub use server::Server;
pub use server_invite::ServerInvite;
pub use step::{Output, Step, Tell};
pub use timers::{TRYING_AFTER, Timer, Timers};
