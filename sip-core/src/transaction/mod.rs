//! Transactions (RFC 3261 §17, RFC 6026, RFC 4320).
//!
//! The four machines ([`ClientInvite`], [`Client`], [`ServerInvite`], [`Server`]) are plain values that know no
//! messages. The layer, [`Transactions`], keeps one in each entry of a table beside the message that it sends:
//!
//! 1. A response is matched ([`Transactions::match_response`]) and then taken ([`Transactions::receive_response`]);
//!    a request is matched and taken at once ([`Transactions::receive_request`]), and made a transaction by
//!    [`Transactions::server`] when it is new.
//! 2. What has to be sent stands in ready lists; [`Transactions::poll_send`] names the next and
//!    [`Transactions::lend`] lends its octets from where they are kept. Answers without a transaction come from
//!    [`Transactions::poll_reply`].
//! 3. [`Transactions::handle_timeout`] tells, one a call, what timers and failed flows did.
//!
//! What is pending stands in a ready list of the table, an entry in one of them at most; nothing waits in the layer itself,
//! so no call overwrites what another has left. An entry is freed by the next call after its machine is Terminated and its
//! last message was polled, so what such a call names can still be read. Octets are given back earlier, on entering a state that never sends.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod client;
pub mod client_invite;
mod denied;
mod entry;
mod flows;
mod key;
mod layer;
mod replies;
mod requests;
mod responses;
pub mod server;
pub mod server_invite;
mod size;
mod step;
mod storage;
mod targets;
mod timers;
mod view;

pub use client::Client;
pub use client_invite::ClientInvite;
pub use entry::{State, Transaction, TransactionId, User};
pub(crate) use flows::demands_tls;
pub use flows::response_flow;
pub use layer::{Expired, ExpiredKind, Layer, Transactions};
pub use replies::{REPLIES, ReplyId};
pub use requests::{Branch, ClientOutcome, NewClient, NewOnce};
pub(crate) use responses::first_via;
pub use responses::{NewRequest, NewServer, ServerMatch};
pub use server::Server;
pub use server_invite::ServerInvite;
pub use step::{Indication, Send, Step};
pub use storage::{Arrays, Storage};
pub use targets::TARGETS;
pub use timers::{TRYING_AFTER, Timer, Timers};
pub use view::TransactionsRef;

#[cfg(test)]
#[allow(clippy::std_instead_of_alloc, clippy::type_complexity, reason = "tests run on std, and name types once")]
mod tests;
