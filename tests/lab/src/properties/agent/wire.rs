//! What peers write: requests and answers that belong to something that was sent, with rows that they may have.

use super::pick;
use sip_core::message::{HeaderName, Message, Method, Writer, reason_phrase, response_head};
use sip_core::transport::Address;
use sip_testkit::ANSWER;

const METHODS: [&str; 13] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "MESSAGE",
    "REGISTER",
    "UPDATE",
    "NOTIFY",
    "X",
    "PRACK",
    "REFER",
    "SUBSCRIBE",
];
/// Of responses, those of the application too.
pub(super) const STATUSES: [u16; 25] = [
    100, 180, 183, 199, 200, 202, 299, 302, 401, 407, 408, 421, 423, 481, 486, 487, 488, 491, 500, 503, 600, 603, 422,
    183, 504,
];

/// A request of the peer, in a dialog of one of the messages that were sent, or out of the blue.
pub(super) fn request(sent: &[Vec<u8>], method: u8, of: u8, cseq: u8, tag: u8, extras: u8) -> Option<Vec<u8>> {
    let method = pick(&METHODS, method)?;
    let sent_dialogs = sent;
    let sent = if of < 200 { sent.get(usize::from(of) % sent.len().max(1)) } else { None };
    let dialog = sent.and_then(|octets| Message::parse(octets).ok());
    let (from, to, id) = match &dialog {
        // What we asked, the peer asks the other way round; what we answered, it goes on with.
        Some(request) if request.is_request() => (
            format!("{};tag=p{}", text(request.to().raw_uri()), tag % 3),
            text(request.from().raw()),
            text(request.call_id()),
        ),
        Some(answer) => (text(answer.from().raw()), text(answer.to().raw()), text(answer.call_id())),
        None => (format!("<sip:bob@192.0.2.9>;tag=s{tag}"), "<sip:alice@192.0.2.1>".to_owned(), format!("i{tag}")),
    };
    let branch = match &dialog {
        Some(answer) if !answer.is_request() && extras & 1 == 0 && method != "PRACK" => {
            text(answer.top_via().branch()?)
        }
        _ => format!("z9hG4bK{tag:x}{cseq:x}"),
    };
    let mut rows = format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\nFrom: {from}\r\nTo: {to}\r\n\
         Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
    );
    rows += extra_rows(extras);
    if method == "PRACK" {
        // Of the response that was sent, or of another one.
        let number = dialog.as_ref().and_then(|answer| answer.header(HeaderName::RSeq)).map(text);
        let asked = dialog.as_ref().map(|answer| text(answer.header(HeaderName::CSeq).unwrap_or_default()));
        rows += &format!("RAck: {} {}\r\n", number.unwrap_or_else(|| tag.to_string()), asked.unwrap_or_default());
    }
    match method {
        "REFER" => rows += &refer_rows(sent_dialogs, tag),
        "NOTIFY" if extras & 4 == 0 => return Some(notify(rows, tag, extras)),
        "SUBSCRIBE" => rows += &format!("Event: refer\r\nExpires: {}\r\n", tag % 2 * 60),
        "INVITE" if extras >> 4 == 11 => rows += &format!("Replaces: {}\r\n", replaces(sent_dialogs, tag)),
        _ => {}
    }
    Some(with_body(rows, extras))
}

/// What names a dialog of something that was sent, as its peer sees it; of nothing, when nothing was.
fn replaces(sent: &[Vec<u8>], which: u8) -> String {
    let octets = sent.get(usize::from(which) % sent.len().max(1));
    let Some(message) = octets.and_then(|octets| Message::parse(octets).ok()) else {
        return "i1;to-tag=a;from-tag=b".to_owned();
    };
    let tag = |tag: Option<&[u8]>| tag.map_or_else(|| format!("p{}", which % 3), text);
    let (from, to) = (tag(message.from_tag()), tag(message.to_tag()));
    let (ours, theirs) = if message.is_request() { (from, to) } else { (to, from) };
    let early = if which % 5 == 4 { ";early-only" } else { "" };
    format!("{};to-tag={ours};from-tag={theirs}{early}", text(message.call_id()))
}

fn refer_rows(sent: &[Vec<u8>], tag: u8) -> String {
    let target = match tag % 8 {
        0..=2 => "<sip:carol@192.0.2.8>".to_owned(),
        3 => "<tel:+1>".to_owned(),
        4 => "<sip:alice@192.0.2.1>".to_owned(),
        5 => "<sip:carol@192.0.2.8?Replaces=a%0D%0A%3Bto-tag%3D1>".to_owned(),
        6 => {
            let escaped = replaces(sent, tag).replace(';', "%3B").replace('=', "%3D");
            format!("<sip:carol@example.net?Replaces={escaped}&Require=replaces>")
        }
        _ => "sip:carol@192.0.2.8;method=INVITE, x".to_owned(),
    };
    let silent = if tag >= 200 { "Refer-Sub: false\r\n" } else { "" };
    format!("Refer-To: {target}\r\nReferred-By: <sip:bob@192.0.2.9>\r\n{silent}")
}

/// What a peer tells of a REFER, or says that it does.
fn notify(mut rows: String, tag: u8, extras: u8) -> Vec<u8> {
    let state = ["active;expires=30", "terminated;reason=noresource", "pending", "active;expires=9999999999"];
    let id = if tag % 4 == 3 { format!(";id={}", tag / 8) } else { String::new() };
    let body = ["SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 486 Busy\r\n", "SIP/2.0 x"];
    let body = body[usize::from(extras) % 4];
    rows += &format!("Event: refer{id}\r\nSubscription-State: {}\r\n", state[usize::from(tag) / 2 % 4]);
    rows += &format!("Content-Type: message/sipfrag\r\nContent-Length: {}\r\n\r\n", body.len());
    [rows.as_bytes(), body.as_bytes()].concat()
}

/// An answer of the peer to one of the messages that were sent.
pub(super) fn response(sent: &[Vec<u8>], to: u8, status: u8, tag: u8, extras: u8) -> Option<Vec<u8>> {
    let sent = sent.get(usize::from(to) % sent.len().max(1))?;
    let request = Message::parse(sent).ok().filter(Message::is_request)?;
    let status = pick(&STATUSES, status)?;
    let mut head = vec![0; 8192];
    let mut w = Writer::new(&mut head);
    w.status_line(status, reason_phrase(status).as_bytes());
    response_head(&mut w, &request, Address::NONE, Some(format!("p{}", tag % 3).as_bytes()));
    let length = w.finish().ok()?;
    let mut rows = String::from_utf8(head.get(..length)?.to_vec()).ok()?;
    rows += extra_rows(extras);
    if let (Method::Register, 200, Some(contact)) = (request.method(), status, request.header(HeaderName::Contact)) {
        rows += &format!("Contact: {};expires={}\r\n", text(contact), u32::from(tag) * 10);
    }
    match status {
        101..=199 if extras & 8 != 0 => rows += &format!("Require: 100rel\r\nRSeq: {}\r\n", tag / 3),
        401 => rows += &format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{tag}\", qop=\"auth\"\r\n"),
        407 => rows += &format!("Proxy-Authenticate: Digest realm=r, nonce={tag}, algorithm=SHA-256\r\n"),
        422 => rows += &format!("Min-SE: {}\r\n", 80 + 10 * u32::from(tag)),
        423 => rows += "Min-Expires: 7200\r\n",
        503 => rows += "Retry-After: 3\r\n",
        _ => {}
    }
    Some(with_body(rows, extras))
}

/// Whether a request goes to what its To names: where a 2xx has no other target, the peer is called what it calls itself, so that its
/// 2xx is acknowledged whatever that is.
pub(super) fn is_named_by_peer(octets: &[u8]) -> bool {
    let target = octets.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
    let to = octets.split(|octet| *octet == b'\n').find(|row| row.starts_with(b"To: ")).unwrap_or_default();
    to.windows(target.len().max(1)).any(|part| part == target)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn extra_rows(extras: u8) -> &'static str {
    match extras >> 4 {
        0..=3 => "Contact: <sip:bob@192.0.2.9>\r\n",
        4 => {
            "Contact: <sip:bob@192.0.2.9>\r\nSupported: 100rel, timer\r\nAllow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE\r\n"
        }
        5 => "Contact: <sip:bob@192.0.2.9>\r\nSupported: timer\r\nSession-Expires: 90;refresher=uas\r\nMin-SE: 90\r\n",
        6 => "Contact: <sip:bob@192.0.2.9>\r\nRequire: timer\r\nSession-Expires: 120;refresher=uac\r\n",
        7 => "Contact: <sip:bob@192.0.2.7>\r\nRequire: 100rel\r\nSession-Expires: 1\r\n",
        8 => "",
        9 => "Contact: <sip:bob@192.0.2.9;transport=tcp>\r\nRecord-Route: <sip:192.0.2.8;lr>\r\n",
        10 => "Contact: <sip:bob@example.net>\r\nRequire: 100rel\r\nRSeq: 1\r\n",
        11 => "Contact: <sip:bob@192.0.2.9>\r\nSupported: replaces, norefersub\r\n",
        12 => "Contact: <sip:bob@192.0.2.9>\r\nRecord-Route: <sip:example.org>, <sip:192.0.2.7;lr>\r\n",
        13 => "Contact: *\r\n",
        14 => "Contact: %\r\nExpires: 0\r\n",
        _ => "Contact: <tel:+1>\r\nRequire: x, y\r\n",
    }
}

fn with_body(mut rows: String, extras: u8) -> Vec<u8> {
    let body = if extras & 2 == 0 { &b""[..] } else { ANSWER };
    if extras & 6 == 2 {
        rows += "Content-Type: application/sdp\r\n";
    }
    rows += &format!("Content-Length: {}\r\n\r\n", body.len());
    [rows.as_bytes(), body].concat()
}
