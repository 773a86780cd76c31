//! Writing a message from its parts.

use core::hint::black_box;
use sip_core::message::{HeaderName, Message, Method, NameAddr, Writer};

/// A message in the parts that an application has: names, URIs, parameters, numbers.
#[derive(Debug)]
pub struct Parts<'a> {
    start: Start<'a>,
    rows: Vec<(HeaderName<'a>, Value<'a>)>,
    content_type: &'a [u8],
    body: &'a [u8],
}

#[derive(Debug)]
enum Start<'a> {
    Request { method: Method<'a>, uri: &'a [u8] },
    Status { status: u16, reason: &'a [u8] },
}

#[derive(Debug)]
enum Value<'a> {
    Text(&'a [u8]),
    Number(u64),
    CSeq { number: u32, method: Method<'a> },
    Address { display: &'a [u8], uri: &'a [u8], params: &'a [u8] },
    Via { transport: &'a [u8], sent_by: &'a [u8], params: &'a [u8] },
}

impl<'a> Parts<'a> {
    /// Takes a message to pieces: one with a single value in each Via and Contact row.
    ///
    /// # Panics
    /// When it does not parse.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let message = Message::parse(bytes).expect("a message");
        let start = match message.status() {
            Some(status) => Start::Status { status, reason: message.reason() },
            None => Start::Request { method: message.method(), uri: message.request_uri().expect("a request's URI") },
        };
        let mut vias = message.vias();
        let mut contacts = message.contacts();
        let mut rows = Vec::new();
        for header in message.headers() {
            let value = match header.name {
                HeaderName::ContentType | HeaderName::ContentLength => continue,
                HeaderName::From => address(&message.from()),
                HeaderName::To => address(&message.to()),
                HeaderName::Contact => address(&contacts.next().expect("a Contact").expect("an address")),
                HeaderName::CSeq => Value::CSeq { number: message.cseq().number, method: message.cseq().method },
                HeaderName::Via => {
                    let via = vias.next().expect("one Via a row").expect("a Via");
                    let (head, params) = via.raw().split_at(via.raw().len() - via.raw_params().len());
                    let sent_by = head.rsplit(|octet| *octet == b' ').next().unwrap_or_default();
                    Value::Via { transport: via.transport(), sent_by, params }
                }
                HeaderName::MaxForwards => {
                    Value::Number(u64::from(message.max_forwards().expect("a value").expect("a number")))
                }
                HeaderName::Expires => Value::Number(u64::from(message.expires().expect("a number"))),
                _ => Value::Text(header.value),
            };
            rows.push((header.name, value));
        }
        let content_type = message.content_type().map(|kind| kind.raw()).unwrap_or_default();
        Self { start, rows, content_type, body: message.body() }
    }

    /// Writes the message; every value is searched for line ends on the way. Returns its length.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn write(&self, room: &mut [u8]) -> usize {
        let mut writer = Writer::new(black_box(room));
        match self.start {
            Start::Request { method, uri } => writer.request_line(method, uri),
            Start::Status { status, reason } => writer.status_line(status, reason),
        }
        for &(name, ref value) in &self.rows {
            match *value {
                Value::Text(text) => writer.header(name, text),
                Value::Number(number) => writer.header_number(name, number),
                Value::CSeq { number, method } => writer.cseq(number, method),
                Value::Address { display, uri, params } => {
                    writer.value_start(name);
                    if !display.is_empty() {
                        writer.text(display);
                        writer.raw(b" ");
                    }
                    writer.raw(b"<");
                    writer.text(uri);
                    writer.raw(b">");
                    writer.text(params);
                    writer.end();
                }
                Value::Via { transport, sent_by, params } => {
                    writer.value_start(name);
                    writer.raw(b"SIP/2.0/");
                    writer.text(transport);
                    writer.raw(b" ");
                    writer.text(sent_by);
                    writer.text(params);
                    writer.end();
                }
            }
        }
        writer.body(self.content_type, self.body);
        writer.finish().expect("room for the message")
    }
}

fn address<'a>(address: &NameAddr<'a>) -> Value<'a> {
    Value::Address { display: address.display_name(), uri: address.raw_uri(), params: address.raw_params() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_from_parts_is_the_message() {
        for sample in [crate::samples::INVITE, crate::samples::OK, crate::samples::REGISTER] {
            let mut room = [0; 2000];
            let length = Parts::of(sample).write(&mut room);
            assert_eq!(&room[..length], sample);
        }
    }
}
