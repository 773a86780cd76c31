//! Sans-IO SIP (RFC 3261): bytes and time in, actions out.
//!
//! This crate holds everything that is SIP and nothing that is I/O: it parses and writes messages, runs the four transaction
//! machines, keeps dialogs, and offers a whole [user agent](ua::UserAgent). It never allocates, reads a clock, opens a socket,
//! starts a thread or calls back. It is `no_std`, has no `unsafe`, and nothing that arrives from the network makes it panic.
//!
//! Each layer is public and usable alone:
//!
//! | layer | what for |
//! |---|---|
//! | [`message`] | parse and write messages; frame them on a stream |
//! | [`sdp`] | parse and write session descriptions |
//! | [`events`] | parse and write the bodies of NOTIFY |
//! | [`transaction`] | one machine ([`ClientInvite`](transaction::ClientInvite), …), or the layer over many |
//! | [`dialog`] | dialogs: identity, route set, sequence numbers, and how many usages they have |
//! | [`dns`] | queries of the domain name system and their answers |
//! | [`locate`] | where a URI leads, and what has to be asked for it |
//! | [`ua`] | calls, registrations, digest |
//! | [`proxy`] | requests passed on, stateful and stateless |
//! | [`guard`] | digest at the server: challenges, and what credentials prove |
//! | [`registrar`] | where the users of a domain are: bindings, as a pure decision and as tables |
//! | [`redirect`] | a table of who is to be asked for elsewhere |
//! | [`server`] | all of these as one: a server for a domain |
//! | [`memory`] | where transactions, calls and messages are kept: arrays of any size, or your own |
//!
//! # What to build on
//!
//! An application meets [`ua`], or a server role ([`proxy`], [`registrar`], [`server`]), with [`role`], [`message`], [`sdp`],
//! [`transport`], [`time`] and [`error`]: these are the face, and change with a line in the change log that says what to do.
//!
//! [`transaction`], [`locate`], [`dns`], [`dialog`], [`digest`], [`memory`] and [`random`] are the toolbox that the roles are made of: for
//! whoever writes a role. They are documented and tested like the rest, and follow what the roles need. Of them a user of a role
//! sees the sizes in [`ua::Arrays`], and of `ua` itself [`Parts`](ua::Parts), [`View`](ua::View), the entries and
//! [`Leg`](ua::Leg) are there for memories of one's own alone: their fields are nobody's but the role's.
//!
//! # The run loop
//!
//! A [role](role::Role) takes inputs: a message, the time, the outcome of an I/O action. After each input the caller drains
//! [`poll_action`](role::Role::poll_action) to `None` and then sleeps until [`poll_timeout`](role::Role::poll_timeout) or the
//! next datagram. What a message caused is returned by [`receive`](role::Role::receive) itself, so an
//! [`Event`](ua::Event) is always read beside its own message. Events are handles and small values: any method of the role may be
//! called while the message is still borrowed.
//!
//! ```
//! use sip_core::ua::Arrays;
//! use sip_core::message::Message;
//! use sip_core::role::{Action, Received, Role};
//! use sip_core::time::Instant;
//! use sip_core::transport::{Address, Flow};
//! use sip_core::ua::{Config, Content, Event, UserAgent};
//!
//! // 16 transactions, 4 dialogs, 2 calls, 1 registration, 8 KiB for messages. In firmware this is a static in .bss.
//! let mut phone = UserAgent::new(Arrays::<16, 4, 2, 1, 8192>::new());
//! phone.start(&Config::new("192.0.2.2:5060", "sip:bob@example.com"), [7; 16]).unwrap();
//!
//! let mut now = Instant::from_millis(0);
//! # let invite = b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asd;rport\r\n\
//! # Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=19a\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: a84b4c76e66710\r\n\
//! # CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
//! # let mut datagrams = vec![(Address::from("192.0.2.1:5060".parse::<std::net::SocketAddr>().unwrap()), invite)];
//! # let mut sent = Vec::new();
//! loop {
//!     // 1. Inputs: one datagram, or the time.
//!     # let datagram = datagrams.pop();
//!     if let Some((source, bytes)) = datagram {
//!         match Message::parse(bytes) {
//!             Ok(message) => match phone.receive(now, Flow::udp(source), &message) {
//!                 // 2. The event of this very message, read beside it.
//!                 Received::Event(Event::Incoming { call }) => {
//!                     println!("call from {:?}", message.from().raw());
//!                     phone.answer(now, call, &Content::sdp(b"v=0\r\n")).unwrap();
//!                 }
//!                 Received::Event(_) | Received::Nothing | Received::Stray => {}
//!             },
//!             Err(failure) => phone.receive_malformed(now, Flow::udp(source), &failure),
//!         }
//!     } else {
//!         phone.handle_timeout(now);
//!     }
//!     // 3. Actions, to the last.
//!     while let Some(action) = phone.poll_action(now) {
//!         match action {
//!             Action::Send { id: _, flow, bytes } => {
//!                 // A socket that would block: `phone.defer(id)`, and `flow_writable` when it takes more.
//!                 # sent.push((flow, bytes.to_vec()));
//!             }
//!             Action::Event(event) => println!("{event:?}"),
//!             Action::Connect { .. } | Action::Close { .. } | Action::Resolve { .. } => { /* the answer is an input */ }
//!             _ => panic!("an action that this program does not know"),
//!         }
//!     }
//!     // 4. Sleep until then, or until a datagram comes.
//!     let Some(wake_up) = phone.poll_timeout() else { break };
//!     now = now.max(wake_up);
//! }
//! # assert!(sent[0].1.starts_with(b"SIP/2.0 200 OK\r\n"));
//! # // Nobody acknowledged: the answer is repeated for 32 s, then BYE is, for as long.
//! # assert_eq!(sent.iter().filter(|(_, bytes)| bytes.starts_with(b"SIP/2.0 200")).count(), 11);
//! # assert!(sent.last().unwrap().1.starts_with(b"BYE sip:alice@192.0.2.1 SIP/2.0\r\n"));
//! ```
//!
//! The adapters `sip-std-adapter` and `sip-embedded-adapter` are this loop over sockets, for any role.
//!
//! # Features
//! All are on but `sha512`, `defmt` and `narrow`; each can be left out alone, and the README tells what each takes of a firmware's flash.
//! They are for what hangs on the user agent's doors: what nobody calls a linker leaves out without being asked.
//!
//! | feature | without it |
//! |---|---|
//! | `registration` | no `register` and `unregister` |
//! | `learn-address` | the address that a registrar sees does not take the place of the configured one |
//! | `digest` | a challenge is an answer like any other refusal; no algorithm is supported |
//! | `digest-info` | Authentication-Info is passed over: no `nextnonce`, no `rspauth` |
//! | `sha256` | challenges are answered with MD5 only; no dependency on `sha2`; no modules `guard` and `server` |
//! | `sha512` | challenges with SHA-512/256 are not answered |
//! | `requests` | no `request`, `request_in_call` and `respond`; a method that the core does not know is refused (405, 501) |
//! | `streams` | no TCP and no size rule (RFC 3261 §18.1.1): everything goes by datagram |
//! | `sdp` | no module `sdp` |
//! | `multipart` | a body of several parts is a body of a type that nobody takes |
//! | `ipv6` | an address of IPv6 is not understood |
//! | `phrases` | a status has the reason phrase of its class |
//! | `failover` | a request fails with the first target of its name, and is not sent to the next one (RFC 3263 §4.3) |
//! | `deny` | a target that failed is tried first again by the next request (RFC 3263 §4.3) |
//! | `fingerprint` | roles feed nothing to [`fingerprint`](role::Role::fingerprint), which is for tests |
//! | `defmt` | no `defmt::Format` on the public types, and no log lines |
//! | `narrow` | time and handles have 64 bits where pointers have; it is for tests of what runs where they have 32 |
#![cfg_attr(not(test), no_std)]
// A part that is left out is closed at its doors; what is behind them is dead then, and the compiler drops it.
#![cfg_attr(
    not(all(
        feature = "registration",
        feature = "digest",
        feature = "requests",
        feature = "streams",
        feature = "fingerprint"
    )),
    allow(dead_code, unused_imports)
)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod dialog;
pub mod digest;
pub mod dns;
pub mod error;
pub mod events;
#[cfg(feature = "sha256")]
pub mod guard;
pub mod locate;
mod log;
pub mod memory;
pub mod message;
pub mod proxy;
pub mod random;
pub mod redirect;
pub mod registrar;
pub mod role;
#[cfg(feature = "sdp")]
pub mod sdp;
#[cfg(feature = "sha256")]
pub mod server;
mod setters;
pub mod time;
pub mod transaction;
pub mod transport;
pub mod ua;
