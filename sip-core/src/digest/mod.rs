//! Digest authentication (RFC 3261 §22.4, RFC 7616, RFC 8760).

mod blocks;
mod client;
mod md5;
mod order;
mod response;
#[cfg(feature = "sha256")]
mod server;

pub use crate::message::{Algorithm, Qop};
#[cfg(feature = "sha256")]
pub use crate::random::same_code;
pub use client::{Answer, Terms, nonce_count, write_authorization};
pub use order::NonceOrder;
pub use response::{Hex, Inputs, Secret, response};
#[cfg(feature = "sha256")]
pub(crate) use response::{auth_ha2, response_with};
#[cfg(feature = "sha256")]
pub use server::{ha1_md5, ha1_sha256, hmac_sha256, mac_key};

#[cfg(test)]
mod tests;
