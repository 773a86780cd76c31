//! TLS for SIP (RFC 3261 §26.2.1, RFC 5922), by rustls.
//!
//! A session is a kind of stream: the connection above it knows nothing of records, alerts or certificates.

mod adapter;
mod config;
mod early;
mod identity;
mod refusal;
#[cfg(test)]
mod resumption_tests;
mod session;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod verify;

pub use config::{Certificate, ClientTls, Clients, Roots, ServerTls};
pub use refusal::{TlsReason, TlsRefusal};

pub(crate) use session::Session;
