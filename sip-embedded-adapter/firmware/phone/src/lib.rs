//! The desk phone's own logic: what is typed, what is said of media, and what follows from both. It knows neither the
//! board nor the network stack, and its tests run on the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod console;
pub mod media;
pub mod neighbour;
pub mod phone;
pub mod settings;
