//! Bytes to meaning and back (RFC 3261 §7, §19, §20, §25).
//!
//! [`Message::parse`] checks the octets once: line ends, the start line, and the headers that every layer needs
//! (top Via, From, To, Call-ID, CSeq, Content-Length). Every other header is read when it is asked for, by the
//! same functions. All that is handed out borrows the octets; nothing is copied.
//!
//! It takes what the field sends and the grammar of RFC 3261 §25.1 does not have, where no reading of it can be
//! misunderstood:
//! - a display name without white space before its bracket (RFC 4475 §3.1.1.6), and in one without quotes any character that
//!   does not end it (letters beyond ASCII, say);
//! - `received` in brackets (RFC 5118 §4.5), and three colons before an embedded IPv4 address (RFC 5118 §4.10);
//! - `_` in host names, hyphens and dots anywhere in them, and `#` in user parts;
//! - any visible character in parameter values and Call-IDs (in the values of challenges and credentials all but `\`);
//! - `=` in the value of a parameter, and a value that is empty;
//! - header components of a URI without name or value;
//! - controls other than CR and LF in values and reason phrases;
//! - several challenges in one row;
//! - lines among the headers that are no rows and could not be taken for one that counts: they are passed over
//!   ([`Message::skipped_rows`]);
//! - tags that are empty, which are none, and further tags behind the first;
//! - the missing branches and tags of RFC 2543.
//!
//! It refuses CR or LF alone, doubled mandatory headers and conflicting lengths, on which two parsers could disagree.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod address;
mod algorithm;
mod auth;
pub(crate) mod base64url;
pub mod build;
mod chunk;
mod compact;
mod content;
mod copied;
mod copy;
pub(crate) mod digits;
mod equivalent;
mod error;
mod escape;
mod events;
pub mod forward;
mod header;
pub(crate) mod host;
mod identity;
mod kept;
mod list;
mod malformed;
mod method;
mod moment;
mod multipart;
pub(crate) mod option_tags;
mod outbound;
mod params;
mod parse;
mod phrase;
mod preference;
mod priority;
mod reason;
pub(crate) mod refer;
mod reliable;
mod row;
pub(crate) mod scan;
mod session_timer;
mod start_line;
pub mod stream;
mod text;
mod typed;
mod uri;
mod value;
mod via;
mod walk;
mod writer;

pub use address::NameAddr;
pub use algorithm::{Algorithm, Qop};
pub use auth::{AuthenticationInfo, Challenge, Challenges, CredentialRows, Credentials};
pub use build::{Resend, ack, cancel, malformed_head, resend, response_head, stamp};
pub use compact::compact;
pub use content::Disposition;
pub(crate) use copy::move_down;
pub use error::ParseError;
#[cfg(feature = "refer")]
pub(crate) use escape::escape_header;
pub(crate) use escape::hex_digit;
pub use escape::{escape_user, unescape_uri};
pub use events::{Event, SubscriptionState};
pub use forward::{ForwardError, ForwardRequest, ForwardResponse};
pub use header::{Header, HeaderName};
pub use host::Host;
pub(crate) use host::{v4, v6_inside};
pub use kept::Kept;
pub use list::{Headers, List, Named, Values};
pub use malformed::Malformed;
pub use method::Method;
pub use moment::{Date, Timestamp};
pub use multipart::{Part, Parts, UnsupportedBody};
pub use params::{Param, Params};
pub use parse::{CSeq, MAX_MESSAGE, Message};
pub use phrase::reason_phrase;
pub use preference::Preference;
pub use priority::Priority;
pub use reason::{Reason, RetryAfter, Warning};
pub use refer::Replaces;
pub use reliable::RAck;
pub use scan::{unescape, unfold, unquote};
pub use session_timer::{Refresher, SessionExpires};
pub(crate) use start_line::parse_status_line;
pub use stream::{Framer, Framing, frame};
pub use typed::MediaType;
pub(crate) use uri::is_sips;
pub use uri::{Scheme, Uri, UriParams};
pub use via::{MAGIC_COOKIE, Via};
pub use writer::{WriteError, Writer};

#[cfg(test)]
mod build_tests;
#[cfg(test)]
mod forward_tests;
#[cfg(test)]
mod header_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;
