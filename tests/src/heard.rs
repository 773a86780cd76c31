//! A message as a scripted peer heard it, and the response to it.

use sip_core::message::Message;
use sip_core::transport::Address;
use std::fmt::Write as _;

/// A message that a scripted peer was sent.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it was sent, in milliseconds.
    pub at: u64,
    /// Who sent it.
    pub from: Address,
    /// Its octets.
    pub bytes: Vec<u8>,
}

impl Heard {
    /// The message.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).unwrap_or_else(|_| panic!("not a message:\n{}", self.text()))
    }

    /// The octets as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The method of a request, the status of a response, or `CRLF`.
    #[must_use]
    pub fn kind(&self) -> String {
        if self.bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            return "CRLF".into();
        }
        let message = self.message();
        let method = || String::from_utf8_lossy(message.method().as_bytes()).into_owned();
        message.status().map_or_else(method, |status| status.to_string())
    }

    /// The rows of a header, by its long name as written, joined by commas; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.rows(name).join(", ")
    }

    /// The rows of a header.
    #[must_use]
    pub fn rows(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let rows = head.split("\r\n").skip(1).filter_map(|row| row.split_once(':'));
        let rows = rows.filter(|(written, _)| written.trim().eq_ignore_ascii_case(name));
        rows.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> String {
        String::from_utf8_lossy(self.message().request_uri().unwrap_or_default()).into_owned()
    }

    /// The branch of the topmost Via.
    #[must_use]
    pub fn branch(&self) -> String {
        String::from_utf8_lossy(self.message().top_via().branch().unwrap_or_default()).into_owned()
    }

    /// The number of CSeq.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.message().cseq().number
    }

    /// The To tag; empty when there is none.
    #[must_use]
    pub fn to_tag(&self) -> String {
        String::from_utf8_lossy(self.message().to_tag().unwrap_or_default()).into_owned()
    }

    /// The URI of the first Contact.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn contact(&self) -> String {
        let message = self.message();
        let contact = message.contacts().next().expect("a Contact").expect("a Contact that can be read");
        String::from_utf8_lossy(contact.raw_uri()).into_owned()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.message().body().to_vec()
    }

    /// A response to this request: status line, Vias, From, To with `tag` if it had none, Call-ID and CSeq, then `rows`
    /// (each with its line end), then `body`.
    #[must_use]
    pub fn response(&self, status: u16, tag: &str, rows: &str, body: &[u8]) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {status} Scripted\r\n");
        for via in self.rows("Via") {
            let _ = write!(text, "Via: {via}\r\n");
        }
        let mut to = self.header("To");
        if !to.contains(";tag=") && !tag.is_empty() {
            let _ = write!(to, ";tag={tag}");
        }
        for (name, value) in [
            ("From", self.header("From")),
            ("To", to),
            ("Call-ID", self.header("Call-ID")),
            ("CSeq", self.header("CSeq")),
        ] {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        finish(text, rows, body)
    }
}

/// Adds rows, then Content-Type and Content-Length as the body asks for, and the body.
pub(crate) fn finish(mut text: String, rows: &str, body: &[u8]) -> Vec<u8> {
    text.push_str(rows);
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let _ = write!(text, "{kind}Content-Length: {}\r\n\r\n", body.len());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
