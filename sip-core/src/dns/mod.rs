//! Messages of the domain name system (RFC 1035): one question written, one answer read, without a heap.
//!
//! A query is [written](write()) with room for answers of [`UDP_PAYLOAD`] octets (EDNS, RFC 6891). [`Answer::parse`] takes a message
//! for the answer to one question only: its id, its question and the structure of all its records are checked first, so the
//! [`Records`] of an answer can be read again and again, and none of them fails. A compressed name points backwards
//! only, so that reading it ends.
//!
//! An answer that was [truncated](Answer::is_truncated) has no records, whatever was left in it: it says nothing about what
//! there is, and its question is to be asked again over TCP (RFC 1123 §6.1.3.2).
//!
//! ```
//! use sip_core::dns::{self, Answer, Data, Domain, Kind};
//!
//! let name = Domain::parse(b"_sip._udp.example.com").unwrap();
//! let mut buffer = [0; dns::QUERY];
//! let query = dns::write(&mut buffer, 0x1234, name.name(), Kind::Srv, true);
//! # let mut bytes = query.to_vec();
//! # bytes[2] |= 0x80;
//! // `bytes` came back from the server.
//! let answer = Answer::parse(&bytes, 0x1234, name.name(), Kind::Srv).unwrap();
//! for record in answer.answers() {
//!     if let Data::Srv(srv) = record.data {
//!         println!("{} {} {}", srv.priority, srv.target, srv.port);
//!     }
//! }
//! ```
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod answer;
mod cache;
mod name;
mod query;
mod reader;
mod record;

pub use answer::{Answer, Code, Mismatch, Records};
pub use cache::Cache;
pub use name::{DOMAIN, Domain, Labels, Name};
pub use query::{QUERY, UDP_PAYLOAD, write};
pub use record::{Data, Kind, Naptr, Record, Srv};

#[cfg(test)]
#[allow(clippy::std_instead_of_alloc, reason = "tests run on std")]
pub(crate) mod samples;
#[cfg(test)]
#[allow(clippy::std_instead_of_alloc, reason = "tests run on std")]
mod tests;
