//! Drives a role of `sip-core` over the sockets of std.
//!
//! [`Adapter`] binds one UDP socket, listens at its port for TCP, does the same for further addresses that it is told, for TLS too, and carries
//! octets, time and host names between them and a [`Role`](sip_core::role::Role): a user agent, a proxy, a registrar, or one of your own. The application owns the
//! loop: [`poll`](Adapter::poll) does a bounded piece of work and never blocks, [`wait`](Adapter::wait) sleeps until
//! there is more. [`run`](Adapter::run) is that loop ready-made. Deadlines of the application
//! ([`set_deadline`](Adapter::set_deadline)) and commands from other threads ([`commands`](Adapter::commands)) come out of the same
//! loop. There are no callbacks, no globals, and no threads
//! but those that ask the system's resolver, which start with the first name that needs it.
//!
//! ```no_run
//! use sip_core::ua::{Config, Content, Event, UserAgent};
//! use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};
//!
//! const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), "192.0.2.2:5060".parse()?)?;
//!     adapter.start(&Config::new("", "sip:bob@example.com"))?;
//!     let mut buffer = vec![0; 65_536];
//!     loop {
//!         match adapter.poll(&mut buffer)? {
//!             // The event and the message that caused it, side by side.
//!             Turn::Message { event: Event::Incoming { call }, message, .. } => {
//!                 println!("{} calls", String::from_utf8_lossy(message.from().raw_uri()));
//!                 adapter.with(|phone, now| phone.answer(now, call, &Content::sdp(SDP)))?;
//!             }
//!             Turn::Idle(until) => adapter.wait(until)?,
//!             _ => {}
//!         }
//!     }
//! }
//! ```
//! `examples/` has an answering machine of thirty lines, a call with hold and resume, a registration, and a call whose callee makes
//! the offer.
//!
//! # What each event asks for
//! Every event of a [`UserAgent`](sip_core::ua::UserAgent) may be ignored without harm to the stack: what is not answered ends by a
//! timer, here or at the peer. This is what an application does with them; the names are methods of the user agent.
//!
//! | [`Event`](sip_core::ua::Event) | what the message brings | what it asks for |
//! |---|---|---|
//! | `Incoming` | the offer, if it has a body | `ring` if somebody has to be asked first; then `answer` or `reject` |
//! | `Replacing` | as in `Incoming` | the same, at once: nobody rings again (`Config::transfers`) |
//! | `Refer` | whom to call, in `refer_to()` | `follow_refer`, `accept_refer` or `reject_refer`, within 16 s (`Config::transfers`) |
//! | `ReferAccepted`, `ReferProgress` | - | nothing |
//! | `ReferEnded` | - | to hang up when the transfer is done; the handle is void |
//! | `Progress` | early media, if it has a body | nothing |
//! | `Answered`, `answer_due: false` | the answer | nothing: the ACK is on its way |
//! | `Answered`, `answer_due: true` | the offer | `acknowledge`, with the answer, or with nothing and then `hang_up` |
//! | `Confirmed` | the answer, where we made the offer in our 200 | nothing |
//! | `Reinvite` | the new offer, if it has a body | `answer` or `reject`; it stands for `Confirmed`, too, where it overtakes the ACK |
//! | `ReinviteCancelled` | the CANCEL | to forget the offer |
//! | `Reinvited` | as in `Answered` | as in `Answered`; the session is as before unless `status` is a 2xx |
//! | `OfferTimedOut` | - | nothing: the offer of a PRACK or UPDATE was refused with 504 |
//! | `RefreshDue` | - | `reinvite` with the media address of the new network |
//! | `Ended` | what ended it, if a message did | to forget the call: its handle is void |
//! | `Request` | the request | `respond`, before the peer gives up after 32 s |
//! | `Response` | the response, if there was one | nothing; after a final status the handle is void |
//! | `Oversize` | - | nothing: TCP is tried, then a datagram goes out all the same |
//! | `Registered` | the bindings | nothing: it is refreshed in time |
//! | `Unregistered` | - | to forget the registration |
//! | `RegistrationFailed` | the refusal, if there was one | nothing while `retry_after` is not 0; else to forget the registration |
//!
//! What an application knows of a call beside it stands in a map of its own: [`Call`](sip_core::ua::Call) is `Copy`, `Eq` and `Hash`, and
//! [`to_bits`](sip_core::ua::Call::to_bits) makes a token for a deadline of it.
//!
//! # What it carries
//! UDP, TCP, TLS where [`tls`] is compiled in, and WebSockets where [`ws`] is, over IPv4 or IPv6 as the bound address says. Link-local IPv6 peers are not reachable,
//! because an address of the core has no zone.
//!
//! # Names
//! A name without a port is looked up as RFC 3263 says: NAPTR for the transport, SRV for hosts, ports and their order, A and AAAA for
//! addresses; one with a port has addresses only. The adapter asks the name servers of `/etc/resolv.conf` itself, or those of
//! [`dns_servers`](Adapter::dns_servers), through its own poll: each query from a new port with a random id, over TCP when the answer is
//! too long for a datagram; answers are kept as long as they may be. Names in `/etc/hosts` are taken from there. What else the system
//! knows (search domains, mDNS) its own resolver is asked for, by threads: names without a dot or in `.local`, and all where
//! no name server is known.
//!
//! # Connections
//! A connection that is open, or about to be, serves every request to its peer's address and port, whoever opened it
//! (RFC 3261 §18.1.1, §18.3); a new one begins at the address that the adapter is bound to. One peer that takes no octets
//! holds up nobody else: what it has to get waits on its connection, which is closed after 32 s without progress. A
//! connection is closed, too, when what comes over it is no SIP message, because no other could be told from it, and the
//! role learns of every end. [`limit_connections`](Adapter::limit_connections) bounds them: who comes when there are too many
//! takes the place of one that was silent for long, unless the role [keeps](sip_core::role::Role::keeps) it.
//!
//! # Several addresses
//! [`listen`](Adapter::listen) adds an address: another interface, another port, the other family. Each has a number, which stands in
//! the [`Flow`](sip_core::transport::Flow) of what comes in there; what a role sends leaves from the listener that its flow names, so an
//! answer goes out where its request came in. One full socket holds up no other.
//!
//! # A closed port
//! On Linux and Android the adapter reads the socket's error queue: when the peer's host answers that nothing listens
//! there (ICMP), the role learns it at once, where it would otherwise wait 32 seconds for a timer. On other systems
//! that report is not available on a socket with many peers, and the timer decides.
//!
//! # The local address
//! [`local_addr`](Adapter::local_addr) is what a role's Via and Contact should say. An adapter bound to the wildcard
//! (`0.0.0.0`, `[::]`) doesn't know which of the host's addresses a peer sees: [`start`](Adapter::start) takes the one that leads to
//! the world, [`local_ip`] finds the one that leads to a peer, and [`local_ips`] lists them all. On Linux and Android each peer gets its datagrams from the
//! address at which it asked last; on other systems the system chooses, so bind to one address where that matters.
#![allow(clippy::std_instead_of_alloc, reason = "sockets and threads need std anyway")]

mod accept;
mod adapter;
mod asked;
mod commands;
mod connection;
mod deadlines;
mod dns;
#[cfg(all(test, any(feature = "rustls", feature = "ws")))]
mod driven;
#[cfg(test)]
#[cfg_attr(
    not(any(feature = "rustls", feature = "ws")),
    allow(dead_code, reason = "some of it is for connections that have a name")
)]
mod echo;
mod fault;
mod gather;
mod handshakes;
mod input;
mod interfaces;
mod lingering;
pub mod memory;
mod names;
mod network;
mod options;
mod owned;
mod patience;
mod relief;
mod reports;
mod resolve;
mod server_memory;
mod sockets;
mod stream;
mod tcp;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod turn;
mod udp;
mod user_agent;
mod waiting;
mod waker;
#[cfg(feature = "ws")]
pub mod ws;

pub use adapter::Adapter;
pub use commands::Commander;
pub use interfaces::local_ips;
pub use owned::{OwnedMessage, OwnedTurn};
pub use turn::{Direction, Statistics, Turn};
pub use user_agent::local_ip;
pub use waker::Waker;

use sip_core::random::Seed;
use std::io;

/// Sixteen octets from the operating system's generator, for a role's start.
///
/// # Errors
/// The system has no generator, or refuses it.
pub fn seed() -> io::Result<Seed> {
    let mut seed = Seed::default();
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
