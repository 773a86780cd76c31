//! What only this workspace tests with: the harness for real peers, the corpus of messages, and the properties that hold of
//! every input.
//!
//! The tests of this crate are those that need it: parsers of others over the corpus, abuse of every message, the fuzzers'
//! properties, and calls with SIPp, PJSIP, Kamailio and an emulated board. Tests of behaviour in virtual time need
//! `sip-testkit` alone and stand there.

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "the harness runs on std alone")]

pub mod corpus;
#[cfg(unix)]
pub mod interop;
pub mod properties;
