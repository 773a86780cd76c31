//! Digest authentication (RFC 3261 §22.4, RFC 7616, RFC 8760).

mod algorithm;
mod client;
mod md5;
mod response;

pub use algorithm::{Algorithm, Qop};
pub use client::{Answer, Terms, nonce_count, write_authorization};
pub use response::{Hex, Inputs, Secret, response};

#[cfg(test)]
mod tests;
