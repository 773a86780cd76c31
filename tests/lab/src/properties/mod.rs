//! What holds of every input, well-formed or not: the properties that the fuzz targets, the abuse tests and the tests of the
//! corpus share.
//!
//! Each function takes octets of any content and panics where a property does not hold. What an input may be refused for is
//! part of the property: an error names a fault that is there, and what the library itself wrote is never refused.

mod agent;
mod edit;
mod forward;
mod headers;
mod hub;
mod message;
mod negotiate;
mod play;
mod said;
mod sdp;
mod stream;
mod uri;

pub use agent::{Step, agent};
pub use edit::{Edit, edit};
pub use forward::{Edits, forward, forward_back};
pub use headers::{FAMILIES, header};
pub use hub::{HubStep, hub};
pub use message::{message, read};
pub use negotiate::{Round, negotiate};
pub use said::{Said, each};
pub use sdp::{description, sdp};
pub use stream::stream;
pub use uri::{Change, uri, uris};

use sip_core::message::{WriteError, Writer};

/// Writes into a buffer of just the size that is needed, and into some that are too small; gives what was written, `None` when
/// the writer refused it.
///
/// # Panics
/// When a buffer that is too small is reported as anything else, when the size that was counted differs from the one that was
/// written, or when the writer touches what it does not count.
pub fn written(write: impl Fn(&mut Writer<'_>)) -> Option<Vec<u8>> {
    let mut w = Writer::new(&mut []);
    write(&mut w);
    let needed = w.len();
    for size in [needed / 2, needed.saturating_sub(1)] {
        let mut small = vec![0xAA; size];
        let mut w = Writer::new(&mut small);
        write(&mut w);
        assert_eq!(w.len(), needed, "the count depends on the room");
        match w.finish() {
            Err(WriteError::Full { needed: told }) => assert_eq!(told, needed),
            Err(WriteError::TooLarge { .. } | WriteError::Injection) => {}
            Ok(length) => assert!(length <= size, "{length} octets written into {size}"),
        }
    }
    let mut buffer = vec![0xAA; needed + 8];
    let mut w = Writer::new(&mut buffer);
    write(&mut w);
    match w.finish() {
        Ok(length) => {
            assert_eq!(length, needed);
            assert!(buffer[length..].iter().all(|octet| *octet == 0xAA), "octets beyond the count were written");
            buffer.truncate(length);
            Some(buffer)
        }
        Err(WriteError::Full { needed }) => panic!("{needed} octets do not fit in {}", buffer.len()),
        Err(WriteError::TooLarge { .. } | WriteError::Injection) => None,
    }
}

/// Octets for the text of a failed assertion.
pub(crate) fn shown(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}
