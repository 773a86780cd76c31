//! Sans-IO SIP (RFC 3261): bytes and time in, actions out.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod dialog;
pub mod digest;
pub mod error;
pub mod memory;
pub mod message;
pub mod random;
pub mod role;
pub mod time;
pub mod transaction;
pub mod transport;
pub mod ua;
