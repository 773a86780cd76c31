//! A registrar (RFC 3261 §10.3): where the users of a domain are.
//!
//! [`decide`] says what a REGISTER does to the bindings of one address of record, as a pure function. [`Bindings`] keeps them, in
//! tables that [`Memory`] lends: the set of an address of record changes as a whole or not at all, and has a
//! [revision](BindingInfo::revision) that rises with each change. Bindings expire by the table's timers and go with the connection on which they
//! hang, both without a scan; what became of them is told by [`Bindings::poll_event`]. The set of an address of record is written to and
//! read from a record ([`BindingsRef::write_record`], [`Bindings::load`]), for a store.
//!
//! The whole server is [`Server`](crate::server::Server); this is the part for one of your own:
//!
//! ```
//! use sip_core::digest::NonceOrder;
//! use sip_core::message::Message;
//! use sip_core::random::Random;
//! use sip_core::registrar::{Aor, Arrays, Bindings, Change, Memory, Policy, Register, Registrar};
//! use sip_core::time::Instant;
//! use sip_core::transport::Flow;
//!
//! let mut memory = Arrays::<100, 16_384>::new();
//! let mut registrar = Registrar::ZERO;
//! registrar.start(Random::new([7; 16]).hash_key(), 0, Policy::new());
//! # let request = b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
//! # From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
//! # Contact: <sip:bob@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
//! # let flow = Flow::udp(sip_core::transport::Address::v4(core::net::Ipv4Addr::new(192, 0, 2, 1), 5060));
//! let now = Instant::from_millis(0);
//! let request = Message::parse(request).unwrap();
//! let to = request.to().uri().unwrap();
//! let aor = Aor::of(&to).unwrap();
//! let (table, octets) = memory.parts();
//! let mut bindings = Bindings::new(&mut registrar, table, octets);
//! let register = Register { request: &request, flow, order: NonceOrder::ZERO, own: &|_| false };
//! bindings.register(now, &aor, &register).unwrap();
//! assert_eq!(bindings.poll_event().map(|event| event.change), Some(Change::Registered));
//! let bobs = bindings.view().find(&aor);
//! assert_eq!(bindings.view().info(bobs[0]).unwrap().contact, b"sip:bob@192.0.2.1");
//! ```
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod aor;
mod bind;
mod entry;
mod memory;
mod policy;
mod record;
mod store;

pub use aor::Aor;
pub use bind::{Command, Commit, Current, Fate, Grant, MOST_CONTACTS, Refusal, decide};
pub use entry::{Binding, BindingId, BindingInfo, Change, Event};
pub use memory::{Arrays, Memory};
pub use policy::Policy;
#[cfg(feature = "sha256")]
pub(crate) use record::record_aor;
pub use record::{LoadError, MAX_RECORD};
pub use store::{Bindings, BindingsRef, Register, Registrar, Set};
