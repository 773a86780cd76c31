//! Adapter.

pub mod memory;
