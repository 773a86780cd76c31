//! A message in a few words, for ladders.

use sip_core::message::{Message, Method};

/// The short form of a message: `INVITE sip:bob@example.com (sdp)`, `180 Ringing`, `200 OK (BYE)`, `ACK`.
///
/// A request within a dialog goes without its URI, and so do ACK and CANCEL; a response names its method unless that
/// is INVITE. What is not a message is `keep-alive` (nothing but line ends) or `malformed (n octets)`.
#[must_use]
pub fn short_form(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes) else {
        if bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            return "keep-alive".to_owned();
        }
        return format!("malformed ({} octets)", bytes.len());
    };
    let method = String::from_utf8_lossy(message.method().as_bytes());
    let mut text = match (message.status(), message.method()) {
        (Some(status), Method::Invite) => format!("{status} {}", String::from_utf8_lossy(message.reason())),
        (Some(status), _) => format!("{status} {} ({method})", String::from_utf8_lossy(message.reason())),
        (None, Method::Ack | Method::Cancel) => method.into_owned(),
        (None, _) if message.to_tag().is_some() => method.into_owned(),
        (None, _) => {
            format!("{method} {}", String::from_utf8_lossy(message.request_uri().unwrap_or_default()))
        }
    };
    match message.body() {
        [] => {}
        body if body.starts_with(b"v=0") => text.push_str(" (sdp)"),
        body => text.push_str(&format!(" ({} octets)", body.len())),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ping::{request, response};

    #[test]
    fn every_kind_of_message_has_its_form() {
        let with_body = |head: Vec<u8>, body: &str| {
            let head = String::from_utf8(head).unwrap();
            let length = format!("Content-Length: {}", body.len());
            format!("{}{body}", head.replace("Content-Length: 0", &length)).into_bytes()
        };
        let in_dialog = |method| {
            let text = String::from_utf8(request(method, 3)).unwrap();
            text.replace("To: <sip:bob@192.0.2.2>", "To: <sip:bob@192.0.2.2>;tag=b").into_bytes()
        };
        for (bytes, expected) in [
            (in_dialog("INVITE"), "INVITE"),
            (in_dialog("BYE"), "BYE"),
            (request("CANCEL", 1), "CANCEL"),
            (request("INVITE", 1), "INVITE sip:bob@192.0.2.2"),
            (with_body(request("INVITE", 1), "v=0\r\n"), "INVITE sip:bob@192.0.2.2 (sdp)"),
            (with_body(request("MESSAGE", 1), "hello"), "MESSAGE sip:bob@192.0.2.2 (5 octets)"),
            (request("ACK", 1), "ACK"),
            (response(180, "Ringing", "INVITE", 1), "180 Ringing"),
            (with_body(response(200, "OK", "INVITE", 1), "v=0\r\n"), "200 OK (sdp)"),
            (response(200, "OK", "BYE", 2), "200 OK (BYE)"),
            (b"\r\n\r\n".to_vec(), "keep-alive"),
            (b"INVITE sip:bob@192.0.2.2".to_vec(), "malformed (24 octets)"),
        ] {
            assert_eq!(short_form(&bytes), expected);
        }
    }
}
