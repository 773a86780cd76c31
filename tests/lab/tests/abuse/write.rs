//! Writing a parsed message again: row by row, and from the parts of its values.

use super::read::ADDRESSES;
use sip_core::message::{Header, HeaderName, Message, NameAddr, Params, ParseError, Via, WriteError, Writer};

/// A way to write a message again.
pub(crate) type By = fn(&mut Writer<'_>, &Message<'_>);

fn start(w: &mut Writer<'_>, message: &Message<'_>) {
    match message.status() {
        Some(status) => w.status_line(status, message.reason()),
        None => w.request_line(message.method(), message.request_uri().unwrap()),
    }
}

/// Writes the message with each row's value as it is.
pub(crate) fn by_rows(w: &mut Writer<'_>, message: &Message<'_>) {
    start(w, message);
    message.headers().for_each(|header| w.header_raw(header.name, header.value));
    w.end();
    w.raw(message.body());
}

fn params(w: &mut Writer<'_>, params: Params<'_>) {
    for param in params {
        w.text(b";");
        w.text(param.name);
        if let Some(value) = param.value {
            w.text(b"=");
            folded(w, value);
        }
    }
}

/// Writes a piece of a value on one line.
fn folded(w: &mut Writer<'_>, value: &[u8]) {
    sip_core::message::unfold(value).for_each(|octet| w.raw(&[octet]));
}

fn address(w: &mut Writer<'_>, name: HeaderName<'_>, address: &NameAddr<'_>) {
    w.value_start(name);
    folded(w, address.display_name());
    w.text(b" <");
    w.text(address.raw_uri());
    w.text(b">");
    params(w, address.params());
    w.end();
}

fn via(w: &mut Writer<'_>, via: &Via<'_>) {
    w.value_start(HeaderName::Via);
    w.text(b"SIP/2.0/");
    w.text(via.transport());
    w.text(b" ");
    w.text(via.host().as_bytes());
    if let Some(port) = via.port() {
        w.text(b":");
        w.number(u64::from(port));
    }
    params(w, via.params());
    w.end();
}

/// The values of the row, one by one, when all of them can be read.
fn list<'a, T>(header: &Header<'a>, parse: impl Fn(&'a [u8]) -> Result<T, ParseError>) -> Option<Vec<T>> {
    super::elements(header.value).into_iter().map(|value| parse(value).ok()).collect()
}

/// Writes the message from the parts of its values: a row for each, one line for each row.
pub(crate) fn by_parts(w: &mut Writer<'_>, message: &Message<'_>) {
    start(w, message);
    for header in message.headers() {
        match header.name {
            HeaderName::Via => {
                if let Some(vias) = list(&header, Via::parse) {
                    vias.iter().for_each(|one| via(w, one));
                    continue;
                }
            }
            HeaderName::From => {
                address(w, header.name, &message.from());
                continue;
            }
            HeaderName::To => {
                address(w, header.name, &message.to());
                continue;
            }
            name if ADDRESSES.contains(&name) && header.value != b"*" => {
                if let Some(all) = list(&header, NameAddr::parse) {
                    all.iter().for_each(|one| address(w, name, one));
                    continue;
                }
            }
            HeaderName::CSeq => {
                w.value_start(header.name);
                w.number(u64::from(message.cseq().number));
                w.text(b" ");
                w.text(message.cseq().method.as_bytes());
                w.end();
                continue;
            }
            HeaderName::ContentLength => {
                w.header_number(header.name, message.body().len() as u64);
                continue;
            }
            HeaderName::MaxForwards => {
                if let Some(Ok(hops)) = message.max_forwards() {
                    w.header_number(header.name, u64::from(hops));
                    continue;
                }
            }
            _ => {}
        }
        w.value_start(header.name);
        folded(w, header.value);
        w.end();
    }
    w.end();
    w.raw(message.body());
}

/// Writes into every buffer size from nothing to enough; gives what was written.
///
/// # Panics
/// When a size that is too small is not refused with the size that is needed, or an octet beyond the buffer's part is touched.
pub(crate) fn every_size(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut counting = Writer::counting();
    write(&mut counting);
    let needed = counting.len();
    let mut room = vec![0xAA; needed + 1];
    for size in 0..needed {
        let mut w = Writer::new(&mut room[..size]);
        write(&mut w);
        assert_eq!(w.finish(), Err(WriteError::Full { needed }));
        assert_eq!(room[size], 0xAA);
        room[..size].fill(0xAA);
    }
    let mut w = Writer::new(&mut room[..needed]);
    write(&mut w);
    assert_eq!(w.finish(), Ok(needed));
    assert_eq!(room.pop(), Some(0xAA));
    room
}
