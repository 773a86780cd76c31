//! Messages made of other messages: responses, ACK, CANCEL, and a request sent again.

use super::address::NameAddr;
use super::digits::spelled;
use super::escape::hex_digit;
use super::header::{Header, HeaderName};
use super::kept::Kept;
use super::list::{Element, Named};
use super::malformed::Malformed;
use super::method::Method;
use super::parse::{CSeq, Message};
use super::scan::{WIDE, element, find, has, slice};
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
    via_rows(w, request.header_rows(HeaderName::Via), source, Some(request.via()));
    if !WIDE || !w.has_long_names() || !copy_identity(w, request, to_tag) {
        write_identity(w, request, to_tag);
    }
    for row in request.header_rows(HeaderName::RecordRoute) {
        w.header_raw(HeaderName::RecordRoute, row);
    }
}

/// Writes From, To, Call-ID and CSeq in one piece, where they stand so in the request; whether they do.
fn copy_identity(w: &mut Writer<'_>, request: &Message<'_>, to_tag: Option<&[u8]>) -> bool {
    let Some((from, to, end)) = request.identity_rows() else { return false };
    let (bytes, (_, value)) = (request.bytes(), request.parties());
    match to_tag.filter(|_| value.tag().is_none()) {
        Some(tag) => {
            if value.raw_for_tag().len() != to.end().wrapping_sub(to.value()) {
                return false;
            }
            w.raw(slice(bytes, from, to.end()));
            w.raw(b";tag=");
            w.text(tag);
            w.raw(slice(bytes, to.end(), end));
        }
        None => w.raw(slice(bytes, from, end)),
    }
    w.end();
    true
}

/// Writes From, To, Call-ID and CSeq.
fn write_identity(w: &mut Writer<'_>, request: &Message<'_>, to_tag: Option<&[u8]>) {
    let (from, to) = request.parties();
    w.header_raw(HeaderName::From, from.raw());
    to_row(w, to, to_tag);
    w.header_raw(HeaderName::CallId, request.call_id());
    w.cseq(request.cseq().number, request.method());
}

/// Writes what a 400 takes from a request that could not be parsed, as far as it can be read.
///
/// Status line and end are the caller's. `to_tag` is added to a To that can be read and has no tag.
pub fn malformed_head(w: &mut Writer<'_>, failure: &Malformed<'_>, source: Address, to_tag: Option<&[u8]>) {
    via_rows(w, failure.vias(), source, failure.top_via().as_ref());
    for id in &[HeaderName::From.id(), HeaderName::To.id(), HeaderName::CallId.id(), HeaderName::CSeq.id()] {
        let Some(value) = failure.known_rows(*id).next() else { continue };
        if *id == HeaderName::To.id()
            && let Ok(address) = NameAddr::parse(value)
        {
            to_row(w, &address, to_tag);
        } else {
            w.known_raw(*id, value);
        }
    }
}

/// Writes To, with a tag when it has none.
fn to_row(w: &mut Writer<'_>, to: &NameAddr<'_>, tag: Option<&[u8]>) {
    w.value_start(HeaderName::To);
    match tag {
        Some(tag) if to.tag().is_none() => {
            w.raw(to.raw_for_tag());
            w.raw(b";tag=");
            w.text(tag);
        }
        _ => w.raw(to.raw()),
    }
    w.end();
}

/// Writes the Via rows; the topmost element, with which the first row begins, tells where the request came from.
fn via_rows(w: &mut Writer<'_>, rows: Named<'_, '_, '_>, source: Address, top: Option<&Via<'_>>) {
    let mut top = top.filter(|via| via.needs_received(source));
    for row in rows {
        w.value_start(HeaderName::Via);
        match top.take() {
            Some(via) => {
                sourced_via(w, via, source);
                w.raw(slice(row, via.raw().len(), row.len()));
            }
            None => w.raw(row),
        }
        w.end();
    }
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
            w.octet(b'=');
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
            let octets = ip.octets();
            match octets.split_last_chunk() {
                Some((head, last)) if head == MAPPED => {
                    w.raw(b"::ffff:");
                    write_v4(w, *last);
                }
                _ => write_v6(w, &octets),
            }
        }
    }
}

/// What an IPv4 address in the form of IPv6 begins with (RFC 4291 §2.5.5.2).
const MAPPED: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];

fn write_v4(w: &mut Writer<'_>, octets: [u8; 4]) {
    if !WIDE {
        for (place, octet) in octets.iter().enumerate() {
            if place > 0 {
                w.octet(b'.');
            }
            w.number(u64::from(*octet));
        }
        return;
    }
    // Each number goes where the one before ends, with a dot behind it; what is behind that is overwritten, or left out.
    let mut text = [0; 18];
    let mut at: usize = 0;
    for octet in octets {
        let (digits, length) = spelled(octet);
        if let Some(place) = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = digits;
        }
        at = at.wrapping_add(length);
    }
    w.raw(slice(&text, 0, at.wrapping_sub(1)));
}

/// Two colons stand for the longest run of two zero groups or more, the first one of equals (RFC 5952 §4.2).
fn write_v6(w: &mut Writer<'_>, octets: &[u8; 16]) {
    let groups = || octets.as_chunks().0.iter().map(|group| u16::from_be_bytes(*group)).zip(0_usize..);
    let (mut from, mut length, mut run): (usize, usize, usize) = (0, 1, 0);
    for (group, place) in groups() {
        run = if group == 0 { run.wrapping_add(1) } else { 0 };
        if run > length {
            (from, length) = (place.wrapping_add(1).wrapping_sub(run), run);
        }
    }
    let (gap, to) = (length > 1, from.wrapping_add(length));
    for (group, place) in groups() {
        if gap && place >= from && place < to {
            if place == from {
                w.raw(b"::");
            }
            continue;
        }
        if place > 0 && !(gap && place == to) {
            w.octet(b':');
        }
        for shift in &[12_u8, 8, 4, 0] {
            let digits = group >> *shift;
            if digits != 0 || *shift == 0 {
                w.octet(hex_digit((digits & 15) as u8));
            }
        }
    }
}

/// The row that ACK and CANCEL have behind their Via.
const MAX_FORWARDS: &[u8] = b"Max-Forwards: 70\r\n";

/// Writes what ACK and CANCEL share: the request line, the topmost Via of the INVITE alone, what tells of which request it is,
/// and the rows with these ids. The To is that of the INVITE unless another is given.
fn follow(w: &mut Writer<'_>, method: Method<'_>, invite: &Kept<'_>, to: Option<&[u8]>, ids: &[u8]) {
    w.request_line(method, invite.request_uri());
    if WIDE {
        if !follow_wide(w, method, invite, to, ids) {
            return;
        }
    } else {
        // One by one takes longer, and less flash. From, To and Call-ID have numbers in a row.
        w.header_raw(HeaderName::Via, invite.first(HeaderName::Via));
        w.raw(MAX_FORWARDS);
        for id in HeaderName::From.id()..HeaderName::CSeq.id() {
            let given = to.filter(|_| id == HeaderName::To.id());
            w.known_raw(id, given.unwrap_or(invite.known(id)));
        }
        w.cseq(invite.cseq(), method);
    }
    for id in ids {
        for row in invite.known_rows(*id) {
            w.known_raw(*id, row);
        }
    }
}

/// Writes the rows of [`follow`] up to CSeq, reading those of the INVITE once; whether it has any with these ids.
fn follow_wide(w: &mut Writer<'_>, method: Method<'_>, invite: &Kept<'_>, to: Option<&[u8]>, ids: &[u8]) -> bool {
    const LAST: u8 = HeaderName::CSeq.id();
    // What every message has has the lowest numbers, and comes before the rest.
    let mut values = [&b""[..]; LAST as usize];
    let mut others = false;
    let rows = invite.headers().rows;
    let bytes = rows.bytes;
    for row in rows {
        match values.get_mut(usize::from(row.id()).wrapping_sub(1)) {
            Some(value) if value.is_empty() => *value = row.value_in(bytes),
            Some(_) => {}
            None => others |= ids.contains(&row.id()),
        }
    }
    let [via, from, own_to, call_id, cseq] = values;
    w.header_raw(HeaderName::Via, element(via).0);
    w.raw(MAX_FORWARDS);
    w.header_raw(HeaderName::From, from);
    w.header_raw(HeaderName::To, to.unwrap_or(own_to));
    w.header_raw(HeaderName::CallId, call_id);
    w.cseq(CSeq::parse(cseq).map_or(0, |cseq| cseq.number), method);
    others
}

/// Writes the ACK for a final response that is no 2xx, all of it (RFC 3261 §17.1.1.3).
///
/// The credentials of the INVITE go with it (§22.2), so that no element on the way has to challenge an ACK.
pub fn ack(w: &mut Writer<'_>, invite: &Kept<'_>, response: &Message<'_>) {
    const IDS: [u8; 3] = [HeaderName::Route.id(), HeaderName::Authorization.id(), HeaderName::ProxyAuthorization.id()];
    follow(w, Method::Ack, invite, Some(response.parties().1.raw()), &IDS);
    w.finish_without_body();
}

/// Writes the CANCEL for a request, all of it (RFC 3261 §9.1); `extra` writes further headers (Reason, say).
pub fn cancel(w: &mut Writer<'_>, invite: &Kept<'_>, extra: impl FnOnce(&mut Writer<'_>)) {
    follow(w, Method::Cancel, invite, None, &[HeaderName::Route.id()]);
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
    w.request_line(request.method(), request.request_uri());
    let mut top = true;
    for Header { name, value } in request.headers() {
        if edit.drop.contains(&name) {
            continue;
        }
        match name {
            HeaderName::Via if top => {
                top = false;
                let mut via = Via::EMPTY;
                if let Some(end) = via.fill(value, 0) {
                    branched_via(w, &via, edit.branch);
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
fn branched_via(w: &mut Writer<'_>, via: &Via<'_>, branch: &[u8]) {
    let raw = via.raw();
    w.value_start(HeaderName::Via);
    let (from, to) = via.branch_place().unwrap_or_else(|| {
        w.raw(raw);
        w.raw(b";branch=");
        (0, raw.len())
    });
    w.raw(slice(raw, 0, from));
    if !branch.starts_with(MAGIC_COOKIE) {
        w.raw(MAGIC_COOKIE);
    }
    w.text(branch);
    w.raw(slice(raw, to, raw.len()));
}

/// Overwrites the transport in the top Via of a request of ours, and its branch when one is given: the sixteen
/// characters behind the magic cookie.
///
/// The Via has to be the first row, as [`Writer::via`] writes it, its name long or compact. Gives whether it was; nothing has
/// changed when it was not.
pub fn stamp(bytes: &mut [u8], transport: Transport, branch: Option<&[u8; 16]>) -> bool {
    const ROWS: [&[u8]; 2] = [b"\r\nVia: SIP/2.0/", b"\r\nv: SIP/2.0/"];
    const BRANCH: &[u8] = b";branch=z9hG4bK";
    let row = find(bytes, 0, b'\r');
    let Some(line) = bytes.get_mut(row..) else { return false };
    let Some(start) = ROWS.iter().find(|start| line.starts_with(start)) else { return false };
    let Some((_, line)) = line.split_at_mut_checked(start.len()) else { return false };
    let Some((name, line)) = line.split_at_mut_checked(3) else { return false };
    if !line.starts_with(b" ") || has(name, b'\r') {
        return false;
    }
    if let Some(branch) = branch {
        let end = find(line, 0, b'\r');
        let line = line.get_mut(..end).unwrap_or_default();
        let Some(cookie) = line.windows(BRANCH.len()).position(|part| part == BRANCH) else { return false };
        let from = cookie.wrapping_add(BRANCH.len());
        let place = line.get_mut(from..from.wrapping_add(branch.len()));
        let Some(place) = place.filter(|place| !has(place, b';')) else { return false };
        place.copy_from_slice(branch);
    }
    name.copy_from_slice(transport.stamp());
    true
}
