//! The test kit of `sip-core`: a virtual clock, a simulated network with seeded faults, ladder diagrams, captures.
//!
//! A [`World`] holds nodes (roles with an address each) and a [`User`] who acts on their events. It jumps
//! from one wake-up to the next; nothing sleeps and no socket is opened. One seed gives one history, so a failure is
//! printed with its seed, its ladder and, if `SIP_TESTKIT_PCAP_DIR` is set, a capture.
//!
//! ```
//! use sip_core::random::Seed;
//! use sip_core::role::Role;
//! use sip_core::time::Duration;
//! use sip_core::transport::Address;
//! use sip_testkit::{Config, Events, Faults, World};
//! use std::net::SocketAddr;
//!
//! fn two_nodes<R: Role<Event: std::fmt::Debug>>(new_role: impl Fn(Seed) -> R, invite: impl Fn(&mut R)) {
//!     let config = Config::new(42).with_faults(Faults::WIRELESS).with_ladder(200).with_check();
//!     let mut world = World::new(config, Events::default());
//!     let address = |text: &str| Address::from(text.parse::<SocketAddr>().unwrap());
//!     let seeds = [world.role_seed(), world.role_seed()];
//!     let alice = world.add("alice", address("192.0.2.1:5060"), new_role(seeds[0]));
//!     let bob = world.add("bob", address("192.0.2.2:5060"), new_role(seeds[1]));
//!     world.act(alice, |role, _now| invite(role));
//!     let quiet = world.run_until_quiet(Duration::from_secs(600));
//!     assert!(quiet && world.user().of(bob).count() > 0, "{}", world.explain());
//! }
//! ```

#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "the kit runs on std alone")]

mod config;
mod either;
mod heard;
mod hosts;
mod ladder;
mod layout;
mod network;
mod pcap;
mod phones;
#[cfg(test)]
mod ping;
mod report;
mod rule;
mod schedule;
mod short;
mod streams;
mod user;
mod watched;
mod wire;
mod world;

pub use config::{Config, Stats};
pub use either::Either;
pub use heard::Heard;
pub use ladder::{Arrows, Direction, Entry, Fate, Ladder, LadderLine};
pub use network::{Datagram, Faults, Network};
pub use pcap::{LinkType, MAX_PAYLOAD, PcapWriter};
pub use phones::{ANSWER, OFFER, Phone, Phones};
pub use report::{PCAP_DIR, Report, run_seeds};
pub use rule::Rule;
pub use short::short_form;
pub use user::{Events, User};
pub use watched::Watched;
pub use wire::{Leg, Wire};
pub use world::{HasWorld, NodeId, World};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
