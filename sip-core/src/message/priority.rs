//! What goes first where messages wait for one peer.

use super::address::NameAddr;
use super::header::HeaderName;
use super::kept::Kept;
use super::list::Element;
use super::method::Method;
use super::scan::{alike, elements};

/// The classes of messages, in the order in which they go where a connection takes no more for a while.
///
/// What ends or continues work comes before what begins some: a response or BYE that waits holds state at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Priority {
    /// Responses, ACK, BYE and CANCEL.
    Urgent,
    /// Requests to an emergency service (`urn:service:sos`, RFC 5031), and those of this element's own with a `Resource-Priority` above
    /// routine (RFC 4412). In a request that is passed on it is what a stranger wrote, whom nobody has authorized (§11.1).
    Emergency,
    /// Requests inside a dialog.
    InDialog,
    /// An INVITE that begins a call.
    Invite,
    /// The other requests.
    Other,
}

impl Priority {
    /// How many classes there are.
    pub const COUNT: usize = 5;

    /// The class of a message that was written here or parsed before, from its octets. Of octets that are no message it is
    /// the last one.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        if message.starts_with(b"SIP/2.0 ") {
            return Self::Urgent;
        }
        let request = Kept::new(message);
        match request.method() {
            Method::Ack | Method::Bye | Method::Cancel => Self::Urgent,
            _ if is_emergency(&request) => Self::Emergency,
            _ if is_in_dialog(&request) => Self::InDialog,
            Method::Invite => Self::Invite,
            _ => Self::Other,
        }
    }
}

fn is_emergency(request: &Kept<'_>) -> bool {
    const SOS: &[u8] = b"urn:service:sos";
    let uri = request.request_uri();
    if uri.get(..SOS.len()).is_some_and(|start| alike(start, SOS)) && matches!(uri.get(SOS.len()), None | Some(b'.')) {
        return true;
    }
    let mut values = request.header_rows(HeaderName::Other(b"Resource-Priority")).flat_map(elements);
    values.any(|value| !is_routine(value)) && !is_passed_on(request)
}

/// Whether a request comes from elsewhere: it has a Via below that of this element.
fn is_passed_on(request: &Kept<'_>) -> bool {
    request.header_rows(HeaderName::Via).flat_map(elements).nth(1).is_some()
}

/// Whether a resource value is the lowest of its namespace, as everybody's calls are (RFC 4412 §10).
fn is_routine(value: &[u8]) -> bool {
    const LOWEST: [&[u8]; 3] = [b"dsn.routine", b"drsn.routine", b"q735.4"];
    value.is_empty() || LOWEST.iter().any(|lowest| alike(value, lowest))
}

fn is_in_dialog(request: &Kept<'_>) -> bool {
    let mut to = NameAddr::EMPTY;
    to.fill(request.header(HeaderName::To), 0).is_some() && to.tag().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(first: &str, rows: &str) -> Priority {
        let rest = "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nCall-ID: 1\r\nCSeq: 1 X\r\nContent-Length: 0\r\n\r\n";
        Priority::of(format!("{first}\r\n{rows}{rest}").as_bytes())
    }

    #[test]
    fn each_message_has_its_class() {
        const BOB: &str = "To: <sip:bob@example.com>\r\n";
        const TAGGED: &str = "t: Bob <sip:bob@example.com;tag=no> ; TAG=1\r\n";
        for (first, rows, expected) in [
            ("SIP/2.0 180 Ringing", BOB, Priority::Urgent),
            ("SIP/2.0 200 OK", TAGGED, Priority::Urgent),
            ("ACK sip:bob@example.com SIP/2.0", TAGGED, Priority::Urgent),
            ("BYE sip:bob@example.com SIP/2.0", TAGGED, Priority::Urgent),
            ("CANCEL sip:bob@example.com SIP/2.0", BOB, Priority::Urgent),
            ("INVITE urn:service:sos SIP/2.0", BOB, Priority::Emergency),
            ("MESSAGE URN:service:sos.fire SIP/2.0", BOB, Priority::Emergency),
            ("INVITE urn:service:sosumi SIP/2.0", BOB, Priority::Invite),
            ("INVITE sip:1@x SIP/2.0", "Resource-Priority: dsn.routine, ets.0\r\n", Priority::Emergency),
            ("INVITE sip:1@x SIP/2.0", "resource-priority: DSN.Routine\r\n", Priority::Invite),
            ("INVITE sip:1@x SIP/2.0", "Resource-Priority: ets.0\r\nVia: SIP/2.0/UDP b\r\n", Priority::Invite),
            (
                "INFO sip:1@x SIP/2.0",
                "Resource-Priority: x.y\r\nv: SIP/2.0/UDP b\r\nt: <sip:b@c>;tag=1\r\n",
                Priority::InDialog,
            ),
            ("INVITE sip:bob@example.com SIP/2.0", TAGGED, Priority::InDialog),
            ("INFO sip:bob@example.com SIP/2.0", TAGGED, Priority::InDialog),
            ("INVITE sip:bob@example.com SIP/2.0", BOB, Priority::Invite),
            ("INVITE sip:bob@example.com SIP/2.0", "To: <sip:bob@example.com;tag=1>\r\n", Priority::Invite),
            ("OPTIONS sip:bob@example.com SIP/2.0", BOB, Priority::Other),
            ("REGISTER sip:example.com SIP/2.0", BOB, Priority::Other),
            ("", "", Priority::Other),
        ] {
            assert_eq!(class(first, rows), expected, "{first} {rows}");
        }
        assert_eq!(Priority::of(b""), Priority::Other);
    }
}
