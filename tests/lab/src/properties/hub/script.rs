//! What happens to a hub, and the messages that it is made of.

use arbitrary::Arbitrary;
use core::net::Ipv4Addr;
use sip_core::digest::{Answer, Secret, Terms, write_authorization};
use sip_core::message::{Message, Method, Writer, reason_phrase, response_head};
use sip_core::transport::{Address, Flow, Transport};

/// The domain's own address.
pub(super) const HUB: &str = "192.0.2.5:5060";

const METHODS: [&str; 10] =
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "REGISTER", "UPDATE", "SUBSCRIBE", "X"];
pub(super) const STATUSES: [u16; 20] =
    [100, 180, 183, 199, 200, 202, 302, 401, 404, 407, 408, 420, 481, 486, 487, 491, 500, 503, 600, 603];
const URIS: [&str; 12] = [
    "sip:bob@example.com",
    "sip:alice@example.com",
    "sip:nobody@example.com",
    "sip:dave@example.com",
    "sip:192.0.2.5",
    "sip:example.com",
    "sip:far@192.0.2.10",
    "sip:far@example.net",
    "sip:far@192.0.2.10;transport=tcp",
    "sips:bob@example.com",
    "sip:far@192.0.2.10;maddr=192.0.2.5",
    "tel:+1",
];
const CONTACTS: [&str; 10] = [
    "Contact: <sip:u@192.0.2.2>\r\n",
    "Contact: <sip:u@192.0.2.3>;q=0.5, <sip:v@192.0.2.3:5070>;q=0.9\r\n",
    "Contact: *\r\nExpires: 0\r\n",
    "Contact: <sip:u@192.0.2.2>;expires=0\r\n",
    "Contact: <sip:u@192.0.2.2;transport=tcp>;expires=90\r\n",
    "",
    "Contact: <sip:u@192.0.2.4>\r\nSupported: path\r\nPath: <sip:192.0.2.9;lr>\r\n",
    "Contact: <sip:u@192.0.2.4>;+sip.instance=\"<urn:x:1>\";reg-id=1\r\nSupported: path, outbound\r\n",
    "Contact: <sip:u@192.0.2.5>\r\n",
    "Contact: <sip:u@192.0.2.2>;expires=4294967296;q=7\r\nExpires: 61\r\n",
];
/// Rows that change a request's way.
const ROWS: [&str; 15] = [
    "",
    "Route: <sip:192.0.2.5;lr>\r\n",
    "Route: <sip:192.0.2.5;lr>, <sip:192.0.2.9;lr>\r\n",
    "Route: <sip:192.0.2.9>\r\n",
    "Record-Route: <sip:192.0.2.5;lr>\r\n",
    "Via: SIP/2.0/TCP 192.0.2.77;branch=z9hG4bKbelow\r\nRecord-Route: <sip:192.0.2.77;lr>\r\n",
    "Proxy-Require: x\r\n",
    "Max-Breadth: 1\r\n",
    "Max-Breadth: 0\r\n",
    "Require: 100rel\r\nSupported: outbound, path\r\n",
    "Via: nonsense\r\n",
    "Route: <sip:token@192.0.2.5;lr>, <tel:+1>\r\n",
    "Expires: 30\r\nTimestamp: 54\r\n",
    "Route: <sips:192.0.2.5;lr>\r\n",
    "Contact: <sip:u@192.0.2.8>\r\nRecord-Route: <sip:192.0.2.8;lr>\r\nRecord-Route: %\r\n",
];

/// One thing that happens.
#[derive(Arbitrary, Clone, Debug)]
pub enum HubStep {
    /// Octets arrive.
    Octets(Vec<u8>),
    /// A client asks.
    Ask {
        /// Which method, and at which of the clients.
        method: u8,
        /// For whom.
        uri: u8,
        /// Which request that has arrived it belongs to, by branch or by dialog; to none when it is large.
        of: u8,
        /// The branch and Call-ID that are made up.
        number: u8,
        /// Its credentials, tag, hops and rows.
        extras: u16,
    },
    /// A client registers.
    Register {
        /// Who, and at which of the clients.
        user: u8,
        /// What is to be bound.
        contact: u8,
        /// Whether the last challenge is answered, and how.
        proof: u8,
    },
    /// A server answers something that was passed on.
    Answer {
        /// Which request.
        to: u8,
        /// Which status.
        status: u8,
        /// The server's tag.
        tag: u8,
        /// What is done to its Vias, and its rows.
        extras: u8,
    },
    /// Something that arrived arrives again, one octet of it changed.
    Again {
        /// Which message.
        which: u8,
        /// The octet.
        place: u16,
        /// What is changed of it; nothing when it is zero.
        change: u8,
    },
    /// A request arrives with a body of so many octets.
    Long(u16),
    /// What becomes of questions from now on, as [`Decide`](Self::Decide) has it; they wait when it is 0.
    Policy(u8),
    /// The application answers a question, or changes its mind.
    Decide(u8),
    /// Time passes, in units of 16 ms.
    Wait(u16),
    /// The next timer fires.
    WakeUp,
    /// The socket takes nothing, or takes something again.
    Block(bool),
    /// A flow has failed.
    Failed(u8),
    /// A name resolves to so many addresses, or a connection opens if there are any.
    Resolved(u8),
    /// What is to be sent is held, and resumed by its name: at once in its order or the other way round, or not for long.
    Hold(u8),
    /// All that is held is resumed.
    Resume,
}

/// A peer's flow.
pub(super) fn peer(which: u8) -> Flow {
    let remote = Address::v4(Ipv4Addr::new(192, 0, 2, [1, 2, 3, 66][usize::from(which) % 4]), 5060);
    match which & 12 {
        12 => Flow { remote, connection: u32::from(which % 4) + 1, transport: Transport::Tcp, listener: 0 },
        _ => Flow::udp(remote),
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn pick<T: Copy>(all: &[T], which: u8) -> Option<T> {
    all.get(usize::from(which) % all.len().max(1)).copied()
}

/// What is chosen of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) method: u8,
    pub(super) uri: u8,
    pub(super) number: u8,
    pub(super) extras: u16,
}

impl Asked {
    /// Its method and Request-URI, where it belongs to nothing.
    pub(super) fn target(self) -> (&'static str, &'static str) {
        (METHODS[usize::from(self.method) % METHODS.len()], URIS[usize::from(self.uri) % URIS.len()])
    }
}

/// A request of a client; `of` is one that it sent before.
pub(super) fn request(asked: Asked, of: Option<&Message<'_>>, proof: &str) -> Vec<u8> {
    let Asked { number, extras, .. } = asked;
    let (method, uri) = asked.target();
    let mut uri = uri.to_owned();
    let (mut from, mut to) = (format!("<{}>;tag=c{number}", URIS[usize::from(number) % 2]), format!("<{uri}>"));
    let (mut id, mut branch) = (format!("i{number}"), format!("z9hG4bK{number:x}{:x}", asked.method));
    let mut via = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
    if let Some(other) = of {
        (from, to, id) = (text(other.from().raw()), text(other.to().raw()), text(other.call_id()));
        // CANCEL and ACK belong to the very transaction, others to the dialog.
        if extras & 1 == 0 {
            branch = text(other.top_via().branch().unwrap_or_default());
            via = text(other.top_via().raw());
            uri = text(other.request_uri().unwrap_or_default());
        }
    }
    if extras & 2 != 0 && !to.contains(";tag=") {
        to += ";tag=s0";
    }
    if branch.is_empty() {
        via = "SIP/2.0/UDP 192.0.2.1".to_owned();
    }
    let hops = ["70", "70", "1", "0", "256", "x"].get(usize::from(extras >> 13)).copied().unwrap_or("70");
    let rows = ROWS.get(usize::from(extras >> 4 & 15)).copied().unwrap_or_default();
    let contact = if extras & 4 == 0 { "Contact: <sip:u@192.0.2.1>\r\n" } else { "" };
    let proof = if extras & 8 == 0 { "" } else { proof };
    let body = if extras & 0x100 == 0 { "" } else { "v=0\r\n" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: {via}\r\n{rows}From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\n\
         CSeq: {} {method}\r\nMax-Forwards: {hops}\r\n{contact}{proof}Content-Length: {}\r\n\r\n{body}",
        extras >> 9 & 7,
        body.len()
    )
    .into_bytes()
}

/// A REGISTER of a client.
pub(super) fn register(user: u8, contact: u8, number: u32, proof: &str) -> Vec<u8> {
    let aor = URIS[usize::from(user) % 4];
    let rows = CONTACTS[usize::from(contact) % CONTACTS.len()];
    format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr{number}\r\nFrom: <{aor}>;tag=r\r\n\
         To: <{aor}>\r\nCall-ID: r{}\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n{rows}{proof}Content-Length: 0\r\n\r\n",
        contact >> 6
    )
    .into_bytes()
}

/// A MESSAGE with a body of so many octets.
pub(super) fn long(length: u16, number: u32) -> Vec<u8> {
    // With its head it is as long as a message may be.
    let length = length.min(65_210);
    let mut octets = format!(
        "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKl{number}\r\n\
         From: <sip:x@example.net>;tag=l\r\nTo: <sip:bob@example.com>\r\nCall-ID: l{number}\r\nCSeq: 1 MESSAGE\r\n\
         Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    octets.resize(octets.len() + usize::from(length), b'x');
    octets
}

/// An answer to something that was passed on.
pub(super) fn response(sent: &[u8], status: u8, tag: u8, extras: u8) -> Option<Vec<u8>> {
    let request = Message::parse(sent).ok().filter(Message::is_request)?;
    let status = pick(&STATUSES, status)?;
    let mut head = vec![0; 70_000];
    let mut w = Writer::new(&mut head);
    w.status_line(status, reason_phrase(status).as_bytes());
    response_head(&mut w, &request, Address::NONE, Some(format!("s{}", tag % 3).as_bytes()));
    let length = w.finish().ok()?;
    let mut rows = text(head.get(..length)?);
    let vias: Vec<_> = request.header_rows(sip_core::message::HeaderName::Via).map(text).collect();
    match (extras & 7, vias.get(1)) {
        (1, Some(below)) => rows = rows.replacen(&format!("Via: {below}\r\n"), "", 1),
        (2, Some(below)) => rows = rows.replacen(below, "SIP/2.0/UDP 198.51.100.66;branch=z9hG4bKvictim", 1),
        (3, _) => rows = rows.replacen("z9hG4bK", "z9hG4bKx", 1),
        (4, Some(below)) => {
            rows = rows.replacen(&format!("Via: {below}\r\n"), &format!("Via: {below}\r\n").repeat(3), 1);
        }
        _ => {}
    }
    match extras >> 4 {
        0..=5 => rows += "Contact: <sip:s@192.0.2.10>\r\n",
        6 => rows += "Contact: <sip:s@192.0.2.11>;q=0.3, <sip:bob@example.com>, <sip:s@192.0.2.12>\r\n",
        7 => {
            rows +=
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\nProxy-Authenticate: Digest realm=r, nonce=2\r\n";
        }
        8 => rows += "Retry-After: 3\r\nContact: <tel:+1>\r\n",
        _ => {}
    }
    Some((rows + "Content-Length: 0\r\n\r\n").into_bytes())
}

/// The row with the answer to a challenge of the hub.
pub(super) fn proof(challenged: &[u8], count: u32, method: &str, uri: &str, kind: u8) -> Option<String> {
    let message = Message::parse(challenged).ok()?;
    let challenge = message.challenges().find(|one| one.algorithm.is_supported())?;
    let (user, password) =
        [("alice", "wonderland"), ("bob", "zanzibar"), ("dave", "x"), ("bob", "guess")][usize::from(kind) % 4];
    let mut room = vec![0; 1000];
    let mut w = Writer::new(&mut room);
    let answer = Answer {
        username: user.as_bytes(),
        secret: Secret::Password(password.as_bytes()),
        method: Method::parse(method.as_bytes())?,
        uri: uri.as_bytes(),
        nc: count,
        cnonce: b"0a4f113b",
        body: b"",
    };
    if !write_authorization(&mut w, &Terms::from(&challenge), &answer) {
        return None;
    }
    let length = w.finish().ok()?;
    room.truncate(length);
    String::from_utf8(room).ok()
}
