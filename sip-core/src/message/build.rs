//! Messages made of other messages: responses, ACK, CANCEL, and a request sent again.

use super::header::{Header, HeaderName};
use super::kept::Kept;
use super::list::Element;
use super::malformed::Malformed;
use super::method::Method;
use super::parse::Message;
use super::scan::slice;
use super::via::{MAGIC_COOKIE, Via};
use super::writer::Writer;
use crate::transport::{Address, Transport};
use core::net::IpAddr;

/// Writes the headers that a response takes from its request (RFC 3261 §8.2.6.2): every Via in order, From, To,
/// Call-ID, CSeq and Record-Route.
///
/// The top Via tells where the request came from (RFC 3261 §18.2.1, RFC 3581 §4). `to_tag` is added to a To
/// that has no tag. Status line and end are the caller's.
pub fn response_head(w: &mut Writer<'_>, request: &Message<'_>, source: Address, to_tag: Option<&[u8]>) {
    let mut top = Some(request.via());
    for row in request.header_rows(HeaderName::Via) {
        via_row(w, row, source, top.take());
    }
    w.header_raw(HeaderName::From, request.from().raw());
    w.value_start(HeaderName::To);
    let (to, to_tag) = (request.to(), to_tag.filter(|_| request.to_tag().is_none()));
    w.raw(if to_tag.is_some() { to.raw_for_tag() } else { to.raw() });
    if let Some(tag) = to_tag {
        w.raw(b";tag=");
        w.text(tag);
    }
    w.end();
    w.header_raw(HeaderName::CallId, request.call_id());
    w.cseq(request.cseq().number, request.method());
    for row in request.header_rows(HeaderName::RecordRoute) {
        w.header_raw(HeaderName::RecordRoute, row);
    }
}

/// Writes what a 400 takes from a request that could not be parsed, as far as it can be read.
///
/// Status line and end are the caller's. `to_tag` is added to a To that can be read and has no tag.
pub fn malformed_head(w: &mut Writer<'_>, failure: &Malformed<'_>, source: Address, to_tag: Option<&[u8]>) {
    let top = failure.top_via();
    let mut top = top.as_ref();
    for row in failure.vias() {
        via_row(w, row, source, top.take());
    }
    if let Some(from) = failure.from() {
        w.header_raw(HeaderName::From, from);
    }
    if let Some(to) = failure.to() {
        w.value_start(HeaderName::To);
        match (to_tag, super::NameAddr::parse(to)) {
            (Some(tag), Ok(address)) if address.tag().is_none() => {
                w.raw(address.raw_for_tag());
                w.raw(b";tag=");
                w.text(tag);
            }
            _ => w.raw(to),
        }
        w.end();
    }
    for name in [HeaderName::CallId, HeaderName::CSeq] {
        if let Some(value) = failure.header(name) {
            w.header_raw(name, value);
        }
    }
}

/// Writes a Via row; the topmost element, with which the first row begins, tells where the request came from.
fn via_row(w: &mut Writer<'_>, row: &[u8], source: Address, top: Option<&Via<'_>>) {
    w.value_start(HeaderName::Via);
    match top {
        Some(via) if via.needs_received(source) => {
            sourced_via(w, via, source);
            w.raw(slice(row, via.raw().len(), row.len()));
        }
        _ => w.raw(row),
    }
    w.end();
}

/// Writes a Via as it came, with `received` and with the port of `rport` when it asks for it. What it said of these
/// itself is overwritten: it is not the sender's to say.
pub(super) fn sourced_via(w: &mut Writer<'_>, via: &Via<'_>, source: Address) {
    let Some(ip) = source.ip() else { return w.raw(via.raw()) };
    let raw = via.raw();
    let mut params = via.params();
    let (mut copied, mut received) = (0, false);
    while let Some(param) = params.next_place() {
        let rport = via.rport() == Some(None) && param.is(raw, b"rport");
        if rport || param.is(raw, b"received") {
            w.raw(slice(raw, copied, param.name_end));
            w.raw(b"=");
            if rport {
                w.number(u64::from(source.port()));
            } else {
                write_ip(w, ip);
                received = true;
            }
            copied = param.end;
        }
    }
    w.raw(slice(raw, copied, raw.len()));
    if !received {
        w.raw(b";received=");
        write_ip(w, ip);
    }
}

/// Writes an address, IPv6 without brackets as `received` has it (RFC 3261 §25.1 `via-received`) and in the form of
/// RFC 5952 §4.
pub fn write_ip(w: &mut Writer<'_>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => write_v4(w, ip.octets()),
        IpAddr::V6(_) if !cfg!(feature = "ipv6") => {}
        IpAddr::V6(ip) => {
            if let ([0, 0, 0, 0, 0, 0xFFFF, _, _], [.., a, b, c, d]) = (ip.segments(), ip.octets()) {
                w.raw(b"::ffff:");
                write_v4(w, [a, b, c, d]);
            } else {
                write_v6(w, &ip.segments());
            }
        }
    }
}

fn write_v4(w: &mut Writer<'_>, octets: [u8; 4]) {
    let mut text = [0; 15];
    let mut free = text.iter_mut();
    let mut put = |character| {
        if let Some(place) = free.next() {
            *place = character;
        }
    };
    for (place, octet) in octets.into_iter().enumerate() {
        if place > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0' | (octet / 100));
        }
        if octet >= 10 {
            put(b'0' | (octet / 10 % 10));
        }
        put(b'0' | (octet % 10));
    }
    let left = free.len();
    w.raw(slice(&text, 0, text.len().wrapping_sub(left)));
}

/// Two colons stand for the longest run of two zero groups or more, the first one of equals (RFC 5952 §4.2).
fn write_v6(w: &mut Writer<'_>, groups: &[u16; 8]) {
    let (mut from, mut length, mut run): (usize, usize, usize) = (0, 1, 0);
    for (place, group) in groups.iter().enumerate() {
        run = if *group == 0 { run.saturating_add(1) } else { 0 };
        if run > length {
            (from, length) = (place.saturating_add(1).saturating_sub(run), run);
        }
    }
    let (gap, to) = (length > 1, from.saturating_add(length));
    for (place, group) in groups.iter().enumerate() {
        if gap && place >= from && place < to {
            if place == from {
                w.raw(b"::");
            }
            continue;
        }
        if place > 0 && !(gap && place == to) {
            w.raw(b":");
        }
        let digits = hex_digits(*group);
        let zeros = digits.iter().take(3).take_while(|digit| **digit == b'0').count();
        w.raw(digits.get(zeros..).unwrap_or_default());
    }
}

/// The four hexadecimal digits of a number, in lower case.
fn hex_digits(number: u16) -> [u8; 4] {
    [12, 8, 4, 0].map(|shift| {
        let nibble = (number >> shift & 15) as u8;
        nibble.wrapping_add(if nibble < 10 { b'0' } else { b'a' - 10 })
    })
}

/// Writes what ACK and CANCEL share: the request line and the topmost Via of the INVITE alone.
fn start(w: &mut Writer<'_>, method: Method<'_>, invite: &Kept<'_>) {
    w.raw(method.as_bytes());
    w.raw(b" ");
    w.raw(invite.request_uri());
    w.raw(b" SIP/2.0\r\n");
    w.header_raw(HeaderName::Via, invite.first(HeaderName::Via));
    w.raw(b"Max-Forwards: 70\r\n");
}

fn copy_rows(w: &mut Writer<'_>, message: &Kept<'_>, name: HeaderName<'static>) {
    for row in message.header_rows(name) {
        w.header_raw(name, row);
    }
}

/// Writes the ACK for a final response that is no 2xx, all of it (RFC 3261 §17.1.1.3).
///
/// The credentials of the INVITE go with it (§22.2), so that no element on the way has to challenge an ACK.
pub fn ack(w: &mut Writer<'_>, invite: &Kept<'_>, response: &Message<'_>) {
    start(w, Method::Ack, invite);
    w.header_raw(HeaderName::From, invite.header(HeaderName::From));
    w.header_raw(HeaderName::To, response.to().raw());
    w.header_raw(HeaderName::CallId, invite.header(HeaderName::CallId));
    w.cseq(invite.cseq(), Method::Ack);
    copy_rows(w, invite, HeaderName::Route);
    copy_rows(w, invite, HeaderName::Authorization);
    copy_rows(w, invite, HeaderName::ProxyAuthorization);
    w.finish_without_body();
}

/// Writes the CANCEL for a request, all of it (RFC 3261 §9.1); `extra` writes further headers (Reason, say).
pub fn cancel(w: &mut Writer<'_>, invite: &Kept<'_>, extra: impl FnOnce(&mut Writer<'_>)) {
    start(w, Method::Cancel, invite);
    w.header_raw(HeaderName::From, invite.header(HeaderName::From));
    w.header_raw(HeaderName::To, invite.header(HeaderName::To));
    w.header_raw(HeaderName::CallId, invite.header(HeaderName::CallId));
    w.cseq(invite.cseq(), Method::Cancel);
    copy_rows(w, invite, HeaderName::Route);
    extra(w);
    w.finish_without_body();
}

/// What changes in a request that is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Resend<'a> {
    /// The branch of the new transaction; the magic cookie is put before it when it is missing.
    pub branch: &'a [u8],
    /// The new number of CSeq.
    pub cseq: u32,
    /// The headers to leave out.
    pub drop: &'a [HeaderName<'a>],
}

/// Writes a request again, with a new branch in its top Via and a new CSeq number (RFC 3261 §8.1.3.5, §22.2).
///
/// `extra` is written before Content-Length, or before the end when there is none; all else is copied octet
/// for octet, the body too.
pub fn resend(w: &mut Writer<'_>, request: &Kept<'_>, edit: &Resend<'_>, extra: impl FnOnce(&mut Writer<'_>)) {
    let mut extra = Some(extra);
    w.raw(request.method().as_bytes());
    w.raw(b" ");
    w.raw(request.request_uri());
    w.raw(b" SIP/2.0\r\n");
    let mut top = true;
    for Header { name, value } in request.headers() {
        if edit.drop.contains(&name) {
            continue;
        }
        match name {
            HeaderName::Via if top => {
                top = false;
                if let Ok((via, end)) = Via::read(value, 0) {
                    branched_via(w, via, edit.branch);
                    w.raw(value.get(end..).unwrap_or_default());
                    w.end();
                }
            }
            HeaderName::CSeq => w.cseq(edit.cseq, request.method()),
            HeaderName::ContentLength => {
                if let Some(extra) = extra.take() {
                    extra(w);
                }
                w.header_raw(name, value);
            }
            _ => w.header_raw(name, value),
        }
    }
    if let Some(extra) = extra.take() {
        extra(w);
    }
    w.end();
    w.raw(request.body());
}

/// Writes a Via row, without its end, whose branch is `branch`.
fn branched_via(w: &mut Writer<'_>, via: Via<'_>, branch: &[u8]) {
    let raw = via.raw();
    let params = raw.len().wrapping_sub(via.raw_params().len());
    w.value_start(HeaderName::Via);
    w.raw(slice(raw, 0, params));
    w.raw(b";branch=");
    if !branch.starts_with(MAGIC_COOKIE) {
        w.raw(MAGIC_COOKIE);
    }
    w.text(branch);
    for param in via.params().filter(|param| !param.is(b"branch")) {
        w.raw(b";");
        w.raw(param.name);
        if let Some(value) = param.value {
            w.raw(b"=");
            w.raw(value);
        }
    }
}

/// Overwrites the transport in the top Via of a request of ours, and its branch when one is given: the sixteen
/// characters behind the magic cookie.
///
/// The Via has to be the first row, as [`Writer::via`] writes it, its name long or compact. Gives whether it was; nothing has
/// changed when it was not.
pub fn stamp(bytes: &mut [u8], transport: Transport, branch: Option<&[u8; 16]>) -> bool {
    const ROWS: [&[u8]; 2] = [b"\r\nVia: SIP/2.0/", b"\r\nv: SIP/2.0/"];
    const BRANCH: &[u8] = b";branch=z9hG4bK";
    let Some(row) = bytes.iter().position(|octet| *octet == b'\r') else { return false };
    let Some(line) = bytes.get_mut(row..) else { return false };
    let Some(start) = ROWS.iter().find(|start| line.starts_with(start)) else { return false };
    let Some((_, line)) = line.split_at_mut_checked(start.len()) else { return false };
    let end = line.iter().position(|octet| *octet == b'\r').unwrap_or(line.len());
    let Some((name, line)) = line.get_mut(..end).and_then(|line| line.split_at_mut_checked(3)) else { return false };
    if !line.starts_with(b" ") {
        return false;
    }
    if let Some(branch) = branch {
        let Some(cookie) = line.windows(BRANCH.len()).position(|part| part == BRANCH) else { return false };
        let from = cookie.wrapping_add(BRANCH.len());
        let place = line.get_mut(from..from.wrapping_add(branch.len()));
        let Some(place) = place.filter(|place| !place.contains(&b';')) else { return false };
        place.copy_from_slice(branch);
    }
    name.copy_from_slice(transport.stamp());
    true
}
