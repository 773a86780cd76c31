//! Session descriptions: bytes to meaning and back (RFC 8866).
//!
//! [`Session::parse`] reads the octets once: line ends, the order of the lines, and those on which everything else
//! hangs (`v=`, `o=`, `c=`, `m=`). Attributes, bandwidths and times are read when they are asked for. All that is
//! handed out borrows the octets; nothing is copied, and what is not known passes through as it is written.
//!
//! It takes what the field sends where no reading of it can be misunderstood: LF without CR, a last line without an
//! end, empty lines at the end, several spaces between fields, a missing `s=` or `t=`, session lines in any order
//! behind `v=`. It refuses CR alone and NUL, a second `v=`, `o=`, `s=` or session-level `c=`, session lines behind the
//! first `m=`, types of lines that RFC 8866 §5 does not know, and more than the limits [`MAX_OCTETS`], [`MAX_LINES`],
//! [`MAX_MEDIA`] and [`MAX_FORMATS`], each with an error of its own.
//!
//! ```
//! use sip_core::sdp::{Direction, Session};
//!
//! let offer = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
//!     m=audio 5004 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n";
//! let session = Session::parse(offer).unwrap();
//! let audio = session.media().next().unwrap();
//! assert_eq!((audio.kind(), audio.port()), (&b"audio"[..], 5004));
//! assert_eq!(audio.direction(), Direction::SendOnly);
//! assert_eq!(audio.codec(0).unwrap().encoding, b"PCMU");
//! assert_eq!(audio.codec(101).unwrap().clock_rate, 8000);
//! assert_eq!(audio.connection().unwrap().ip(), Some("192.0.2.1".parse().unwrap()));
//! ```
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod attribute;
mod codec;
mod connection;
mod crypto;
mod error;
mod line;
mod media;
pub mod offer_answer;
mod session;
mod writer;

pub use attribute::{Attribute, Attributes, Direction, Typed};
pub use codec::{Fmtp, FmtpParams, RtpMap, static_codec};
pub use connection::{AddressKind, Connection, Rtcp};
pub use crypto::{Crypto, CryptoKey, CryptoKeys, Mki};
pub use error::SdpError;
pub use media::{Formats, MAX_FORMATS, Media};
pub use session::{Bandwidth, MAX_LINES, MAX_MEDIA, MAX_OCTETS, Medias, Origin, Session, Timing};
pub use writer::Writer;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
