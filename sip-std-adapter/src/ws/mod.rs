//! SIP over WebSocket (RFC 7118, RFC 6455): what browsers speak.
//!
//! A session is a kind of stream, over a plain one or one under TLS. Frames, masks, fragments and the headers of the handshake are
//! `tungstenite`'s, which reads and writes whatever does not block. Ours is what it leaves open: how large a handshake may be, which
//! are refused and with which status, how much is read in one go, and what is answered when the peer breaks the rules.
//!
//! | what comes | is answered with |
//! |---|---|
//! | no HTTP, no upgrade to a WebSocket, no subprotocol `sip` | 400, or 405, or 426 with the version that is spoken |
//! | another path, another origin than was asked for | 404, 403 |
//! | a frame that breaks RFC 6455, one without a mask among them | a Close with 1002, and the end |
//! | a frame or message over the limit of messages | a Close with 1009, and the end, before it is read |
//! | a text that is no UTF-8 | a Close with 1007, and the end |
//! | Ping | Pong; a flood of them that nobody reads takes bounded memory |
//! | `CRLF CRLF` as a message | `CRLF` (RFC 7118 §6) |
//! | Close | Close, and the end |
//!
//! One WebSocket message is one SIP message (RFC 7118 §5.1), so that no framer looks for its end and none needs a Content-Length.

mod adapter;
mod config;
mod connection;
mod frames;
mod handshake;
#[cfg(test)]
mod hostile_tests;
mod session;
#[cfg(test)]
mod tests;

pub use config::{WsClient, WsServer};

pub(crate) use session::WsSession;
