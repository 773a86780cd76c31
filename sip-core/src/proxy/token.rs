//! What this proxy writes into the user part of its own Record-Route and Path, so that it knows them again (RFC 5626 §5).
//!
//! A token is a tilde and base64url of these octets:
//!
//! | octets | what |
//! |---|---|
//! | 1 | which of the following there are, and whether it is a Path's |
//! | 4 | the start of this proxy, where a side is a connection: its number means another one after a restart |
//! | 5-24 | the side that the request came from |
//! | 5-24 | the side that it went to; 9 for a router |
//! | 10 | the code that shows who has written it |
//!
//! | a side | when | what comes back in the dialog |
//! |---|---|---|
//! | a flow | a phone that asks for it (`ob`), that is not where its Contact says (NAT), or that can't be called by its transport (TLS, WebSocket) | goes over that flow, or nowhere: 430 when it is gone |
//! | a host | a phone that is where its Contact says | goes where its Request-URI says, by its `maddr` where it has one, if that is this host; with another one it is judged like what begins a dialog, but for ACK, and for BYE, which goes without a transaction |
//! | a router | a phone that is reached by a Path (RFC 3327 §5.3) | goes where its Route says, if that begins with the host that the Path begins with; else as the next |
//! | neither | another server, or a peer that is to be looked up | goes where its Route and its Request-URI say, unless it could begin something there |
//!
//! The code covers the Call-ID and the tag of the side that has begun the dialog as well, so a token is good in one dialog; and the side
//! whose tag that is tells which way a request goes. So a Route that this proxy wrote is what gives the right to be passed on,
//! to caller and callee alike, and only to each other: a made-up one has a wrong code (403), and one of another dialog too. Where a
//! side is neither, a peer could have sent what he likes: so what may begin a dialog (INVITE, SUBSCRIBE, REFER) goes there only from the
//! address of the callee to the caller, and what belongs to none (REGISTER, MESSAGE, PUBLISH) not at all; it is judged like what begins
//! one. The rest, in his own dialog, is left to him: who gets it knows of no such dialog (481).
//!
//! Where the application is asked about its own domains alone ([`Ask::Own`](super::Ask::Own)), everything passes, with a Route or
//! without: there is no right to give. A dialog then has a token only when one of its sides is a flow, which nothing else leads to.
//! That opens nothing: what comes with a bare Route of this proxy goes where its Request-URI says, which it would do without that
//! Route, and never over a flow, for only a code leads there. A proxy that asks about what passes writes a token for each dialog, and
//! to it a bare Route is a stranger's, those of dialogs that began before it asked included.

use crate::locate::{host_of, ip_at};
use crate::message::scan::{alike, decimal_u32, find};
use crate::message::{HeaderName, Message, Uri, base64url};
use crate::random::{MacKey, Random, same_code};
use crate::transport::{Address, Flow, Transport};
use core::net::IpAddr;

/// What the user part of a token begins with.
pub(super) const MARK: u8 = b'~';

/// The octets of a code: 80 bits.
const CODE: usize = 10;

/// The most octets of a token: what there is, two sides by IPv6, the start, and the code.
const OCTETS: usize = 1 + 2 * Flow::OCTETS + 4 + CODE;

/// The most characters of a token.
pub(super) const LONGEST: usize = 1 + (OCTETS * 8).div_ceil(6);

/// What the first octet says.
const CALLER: u8 = 1;
const CALLEE: u8 = 2;
const PATH: u8 = 4;
const START: u8 = 8;

/// What tokens are made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    key: MacKey,
    /// A number of this start alone.
    start: u32,
}

impl Tokens {
    /// All zero: what there is before the start.
    pub(super) const ZERO: Self = Self { key: MacKey::ZERO, start: 0 };

    /// Under a configured secret tokens are known again after a restart; without one they are not.
    pub(super) fn new(secret: &[u8], random: &mut Random) -> Self {
        let own = [random.bits().to_le_bytes(), random.bits().to_le_bytes()];
        let key = MacKey::of(if secret.is_empty() { own.as_flattened() } else { secret });
        Self { key, start: random.bits() as u32 }
    }

    fn code(&self, octets: &[u8], dialog: Option<(&[u8], &[u8])>) -> [u8; CODE] {
        let mut code = self.key.begin().part(octets);
        if let Some((call_id, tag)) = dialog {
            code = code.part(call_id).part_ignoring_case(tag);
        }
        let [code @ .., _, _, _, _, _, _] = code.finish();
        code
    }

    /// What a host is known by in a token: a secret one, so that nobody finds another host with the same.
    pub(super) fn code_of_host(&self, uri: &Uri<'_>) -> [u8; 8] {
        let host = host_of(uri);
        let code = self.key.begin().part(b"host");
        let code = match host.ip() {
            // An IPv6 address is written in many ways.
            Some(IpAddr::V6(ip)) => code.part(&ip.octets()),
            _ => code.part_ignoring_case(host.as_bytes()),
        };
        let [code @ .., _, _, _, _, _, _, _, _] = code.finish();
        code
    }

    /// The token of the dialog that a request begins, between these sides.
    pub(super) fn of_dialog(&self, request: &Message<'_>, caller: Side, callee: Side) -> Token {
        let payload = Payload::new(0, self.start, caller, callee);
        let dialog = (request.call_id(), request.parties().0.tag().unwrap_or_default());
        Token::new(payload.octets(), &self.code(payload.octets(), Some(dialog)))
    }

    /// The token of a Path that leads over a flow.
    pub(super) fn of_path(&self, flow: Flow) -> Token {
        let payload = Payload::new(PATH, self.start, Side::Flow(flow), Side::Anywhere);
        Token::new(payload.octets(), &self.code(payload.octets(), None))
    }

    /// What a URI of this proxy in the Route of a request allows; the status to refuse it with.
    pub(super) fn read(&self, request: &Message<'_>, uri: &Uri<'_>) -> Result<Grant, u16> {
        self.read_user(request, uri.user().unwrap_or_default())
    }

    /// The same of the user part of such a URI.
    pub(super) fn read_user(&self, request: &Message<'_>, user: &[u8]) -> Result<Grant, u16> {
        let [MARK, text @ ..] = user else { return Ok(Grant::None) };
        let mut room = [0; OCTETS];
        let octets = base64url::decode(text, &mut room).ok_or(403_u16)?;
        let (payload, code) = octets.split_last_chunk::<CODE>().ok_or(403_u16)?;
        let said = Said::read(payload).ok_or(403_u16)?;
        let is = |dialog| same_code(code, &self.code(payload, dialog));
        let (call_id, (from, to)) = (request.call_id(), request.parties());
        let (side, dialog, back) = if said.kind & PATH != 0 {
            if !is(None) {
                return Err(403);
            }
            (said.caller, false, false)
        } else if is(Some((call_id, from.tag().unwrap_or_default()))) {
            (said.callee, true, false)
        } else if is(Some((call_id, to.tag().unwrap_or_default()))) {
            (said.caller, true, true)
        } else {
            return Err(403);
        };
        match side {
            // Its number may be that of a stranger's connection now.
            Side::Flow(flow) if flow.connection != 0 && said.start != self.start => Err(430),
            Side::Anywhere if back => Ok(Grant::Back(said.callee)),
            side if dialog => Ok(Grant::Dialog(side)),
            side => Ok(Grant::Path(side)),
        }
    }
}

/// One side of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Nothing is known of it.
    Anywhere,
    /// It is at this host, and can be called there.
    Host(IpAddr),
    /// It is reached by this flow alone.
    Flow(Flow),
    /// It is behind the router whose host has this [code](Tokens::code_of_host).
    Router([u8; 8]),
}

impl Side {
    /// The side of who is called at `uri` and is reached by `flow`.
    pub(super) fn of(flow: Flow, uri: &Uri<'_>) -> Self {
        let [outbound, maddr] = uri.find_params([b"ob", b"maddr"]);
        Self::at(flow, outbound.is_some(), ip_at(uri, maddr))
    }

    /// The side of who is reached by `flow`, where the host that his URI leads to has this address, and he asks for his flow or not.
    fn at(flow: Flow, outbound: bool, host: Option<IpAddr>) -> Self {
        let Some(ip) = flow.remote.ip() else { return Self::Anywhere };
        // No phone takes connections by these.
        let takes_none = !matches!(flow.transport, Transport::Udp | Transport::Tcp);
        if takes_none || outbound || host != Some(ip) { Self::Flow(flow) } else { Self::Host(ip) }
    }

    /// The address that it sends from.
    pub(super) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Anywhere | Self::Router(_) => None,
            Self::Host(ip) => Some(ip),
            Self::Flow(flow) => flow.remote.ip(),
        }
    }

    /// Whether who has sent a request by `source` is a host, as most callers' first Contact says at one look: it names the sent-by of the
    /// topmost Via, which is where the request came from, and asks for no flow. [`of_caller`](Self::of_caller) tells the rest.
    pub(super) fn is_plain_host(request: &Message<'_>, source: Flow) -> bool {
        let contact = request.header(HeaderName::Contact).unwrap_or_default();
        let Some(uri) = contact.strip_prefix(b"<sip:") else { return false };
        let (uri, via) = (uri.get(..find(uri, 0, b'>')).unwrap_or_default(), request.via());
        let at = find(uri, 0, b'@');
        let host = if at < uri.len() { uri.get(at.saturating_add(1)..) } else { Some(uri) };
        let Some(rest) = host.and_then(|host| host.strip_prefix(via.host_text())) else { return false };
        let (port, params) = rest.split_at_checked(find(rest, 0, b';')).unwrap_or_default();
        let port = match port {
            [] => Some(None),
            [b':', digits @ ..] => decimal_u32(digits).map(Some),
            _ => None,
        };
        matches!(source.transport, Transport::Udp | Transport::Tcp)
            && port == Some(via.port().map(u32::from))
            && (params.is_empty() || alike(params, b";transport=udp") || alike(params, b";transport=tcp"))
            && request.is_direct()
            && source.remote.ip().is_some_and(|ip| via.ip() == Some(ip))
    }

    /// The side of who has sent a request by `source`.
    pub(super) fn of_caller(request: &Message<'_>, source: Flow) -> Self {
        if !request.is_direct() {
            return Self::Anywhere;
        }
        let contact = request.contacts().next().and_then(Result::ok);
        let Some(uri) = contact.as_ref().and_then(|contact| contact.uri().ok()) else { return Self::Anywhere };
        let [outbound, maddr] = uri.find_params([b"ob", b"maddr"]);
        // A name is to be looked up, unless it is that of a WebSocket, which leads nowhere (RFC 7118 §5).
        let host = ip_at(&uri, maddr);
        let is_name = host.is_none() && !matches!(source.transport, Transport::Ws | Transport::Wss);
        // A `maddr` leads past the host, to which nothing goes then.
        let is_there = || if maddr.is_some() { host == source.remote.ip() } else { request.is_from(&source, &uri) };
        if outbound.is_some() || !is_name && is_there() {
            Self::at(source, outbound.is_some(), host)
        } else {
            Self::Anywhere
        }
    }
}

/// What a Route of this proxy allows a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// Nothing: anybody can write it.
    None,
    /// To go on in the dialog that it was written for, to this side.
    Dialog(Side),
    /// To go on in the dialog, through the router that the other side is behind: its Route leads there.
    Through,
    /// To go on in the dialog, from this side, to a caller of whom nothing is known.
    Back(Side),
    /// To go over the flow of a Path.
    Path(Side),
}

/// The octets of a token but for its code.
struct Payload {
    octets: [u8; OCTETS],
    length: usize,
}

impl Payload {
    fn new(kind: u8, start: u32, caller: Side, callee: Side) -> Self {
        let sides = [(CALLER, caller), (CALLEE, callee)];
        let kind = sides.iter().filter(|(_, side)| *side != Side::Anywhere).fold(kind, |kind, (which, _)| kind | which);
        let by_connection = sides.iter().any(|(_, side)| matches!(side, Side::Flow(flow) if flow.connection != 0));
        let mut payload = Self { octets: [0; OCTETS], length: 0 };
        payload.put(&[if by_connection { kind | START } else { kind }]);
        if by_connection {
            payload.put(&start.to_be_bytes());
        }
        payload.side(caller);
        payload.side(callee);
        payload
    }

    fn put(&mut self, octets: &[u8]) {
        let end = self.length.saturating_add(octets.len());
        if let Some(place) = self.octets.get_mut(self.length..end) {
            place.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
            self.length = end;
        }
    }

    fn side(&mut self, side: Side) {
        let flow = match side {
            Side::Anywhere => return,
            Side::Router(code) => {
                self.put(&[ROUTER]);
                return self.put(&code);
            }
            Side::Host(ip) => Flow { remote: Address::new(ip, 0), ..Flow::NONE },
            Side::Flow(flow) => flow,
        };
        let octets = flow.to_octets();
        let [kind, ..] = octets;
        let (head, ip) = lengths(kind);
        self.put(octets.get(..head).unwrap_or_default());
        self.put(octets.get(HEAD..HEAD.saturating_add(ip)).unwrap_or_default());
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// The octets of a flow before its address, as it is kept.
const HEAD: usize = 8;

/// What a router begins with: no flow does.
const ROUTER: u8 = 15;

/// How many octets a token has of a flow of this kind, which is its first octet: before the address, for a host needs no port and a
/// datagram no connection, and of the address.
const fn lengths(kind: u8) -> (usize, usize) {
    let head = match kind & 15 {
        0 => 1,
        1 => 4,
        _ => HEAD,
    };
    (head, if kind >> 4 == 1 { 4 } else { 16 })
}

/// What a token says, before it is known who has written it.
struct Said {
    kind: u8,
    start: u32,
    caller: Side,
    callee: Side,
}

impl Said {
    fn read(octets: &[u8]) -> Option<Self> {
        let (kind, mut rest) = octets.split_first()?;
        let mut said = Self { kind: *kind, start: 0, caller: Side::Anywhere, callee: Side::Anywhere };
        if kind & START != 0 {
            let (start, behind) = rest.split_first_chunk()?;
            (said.start, rest) = (u32::from_be_bytes(*start), behind);
        }
        if kind & CALLER != 0 {
            (said.caller, rest) = Self::side(rest)?;
        }
        if kind & CALLEE != 0 {
            (said.callee, rest) = Self::side(rest)?;
        }
        rest.is_empty().then_some(said)
    }

    fn side(octets: &[u8]) -> Option<(Side, &[u8])> {
        if let Some((&ROUTER, rest)) = octets.split_first() {
            let (code, rest) = rest.split_first_chunk()?;
            return Some((Side::Router(*code), rest));
        }
        let (head, ip) = lengths(*octets.first()?);
        let (head, rest) = octets.split_at_checked(head)?;
        let (ip, rest) = rest.split_at_checked(ip)?;
        let mut flow = [0; Flow::OCTETS];
        for (part, at) in [(head, 0), (ip, HEAD)] {
            flow.iter_mut().skip(at).zip(part).for_each(|(place, octet)| *place = *octet);
        }
        let flow = Flow::from_octets(&flow);
        let ip = flow.remote.ip()?;
        Some((if flow.is_none() { Side::Host(ip) } else { Side::Flow(flow) }, rest))
    }
}

/// A token as it is written.
#[derive(Clone, Copy)]
pub(super) struct Token {
    text: [u8; LONGEST],
    length: usize,
}

impl Token {
    fn new(payload: &[u8], code: &[u8; CODE]) -> Self {
        let mut octets = [0; OCTETS];
        let length = payload.len().saturating_add(CODE);
        octets.iter_mut().zip(payload.iter().chain(code)).for_each(|(place, octet)| *place = *octet);
        Self::of(octets.get(..length).unwrap_or_default())
    }

    pub(super) fn of(octets: &[u8]) -> Self {
        let mut token = Self { text: [MARK; LONGEST], length: 1 };
        let [_, text @ ..] = &mut token.text;
        token.length = base64url::encode(octets, text).saturating_add(1);
        token
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arrays, Ask, Config, Event, Proxy};
    use super::*;
    use crate::role::{Action, Received, Role};
    use crate::time::Instant;
    use proptest::prelude::*;
    use std::string::String;

    fn text(method: &str, from: &str, to: &str, call_id: &str, contact: &str) -> String {
        std::format!(
            "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag={from}\r\n\
             To: <sip:c@d>{to}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n{contact}\r\n"
        )
    }

    fn tokens(secret: &[u8], seed: u8) -> Tokens {
        Tokens::new(secret, &mut Random::new([seed; 16]))
    }

    fn flow(transport: Transport, host: &[u8], connection: u32) -> Flow {
        Flow { remote: Address::literal(host, 40_001).unwrap(), connection, transport, listener: 1 }
    }

    const SECRET: &[u8] = b"a secret of this server";

    /// What a token allows a request of the caller, or of the callee.
    fn read(tokens: &Tokens, user: &[u8], tags: (&str, &str), call_id: &str) -> Result<Grant, u16> {
        let text = text("BYE", tags.0, &std::format!(";tag={}", tags.1), call_id, "");
        let request = Message::parse(text.as_bytes()).unwrap();
        let uri = std::format!("sip:{}@192.0.2.5;lr", core::str::from_utf8(user).unwrap());
        tokens.read(&request, &Uri::parse(uri.as_bytes()).unwrap())
    }

    #[test]
    fn a_token_leads_from_each_side_to_the_other_and_is_good_in_one_dialog() {
        let one = tokens(SECRET, 1);
        let invite = text("INVITE", "near", "", "call", "");
        let request = Message::parse(invite.as_bytes()).unwrap();
        for (caller, callee) in [
            (Side::Anywhere, Side::Anywhere),
            (Side::Host("192.0.2.7".parse().unwrap()), Side::Host("2001:db8::7".parse().unwrap())),
            (Side::Flow(flow(Transport::Udp, b"192.0.2.7", 0)), Side::Anywhere),
            (Side::Anywhere, Side::Flow(flow(Transport::Tls, b"2001:db8::7", 3))),
            (Side::Host("192.0.2.7".parse().unwrap()), Side::Router(*b"01234567")),
            (Side::Flow(flow(Transport::Wss, b"2001:db8::8", 3)), Side::Flow(flow(Transport::Tcp, b"2001:db8::7", 7))),
        ] {
            let token = one.of_dialog(&request, caller, callee);
            let user = token.as_bytes();
            assert!(user.len() <= LONGEST);
            assert_eq!(read(&one, user, ("near", "far"), "call"), Ok(Grant::Dialog(callee)));
            let back = if caller == Side::Anywhere { Grant::Back(callee) } else { Grant::Dialog(caller) };
            assert_eq!(read(&one, user, ("far", "NEAR"), "call"), Ok(back));
            for (tags, call_id) in [(("near", "far"), "other"), (("x", "far"), "call")] {
                assert_eq!(read(&one, user, tags, call_id), Err(403));
            }
            assert_eq!(read(&tokens(b"a secret of that server", 1), user, ("near", "far"), "call"), Err(403));
            // Under the same secret it survives a restart; the number of a connection does not.
            let again = read(&tokens(SECRET, 2), user, ("near", "far"), "call");
            let gone = matches!(callee, Side::Flow(flow) if flow.connection != 0);
            assert_eq!(again, if gone { Err(430) } else { Ok(Grant::Dialog(callee)) });
            assert_eq!(read(&tokens(b"", 1), user, ("near", "far"), "call"), Err(403));
            for place in 1..user.len() {
                let mut forged = user.to_vec();
                forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
                assert_eq!(read(&one, &forged, ("near", "far"), "call"), Err(403), "{place}");
                assert_eq!(read(&one, &user[..place], ("near", "far"), "call"), Err(403));
            }
        }
        assert_eq!(read(&one, b"bob", ("near", "far"), "call"), Ok(Grant::None));
    }

    #[test]
    fn the_token_of_a_path_leads_over_its_flow_whatever_the_dialog() {
        let one = tokens(SECRET, 1);
        let flow = flow(Transport::Udp, b"192.0.2.7", 0);
        let token = one.of_path(flow);
        assert_eq!(read(&one, token.as_bytes(), ("a", "b"), "any"), Ok(Grant::Path(Side::Flow(flow))));
    }

    #[test]
    fn a_phone_that_can_be_called_where_its_contact_says_needs_no_flow() {
        let of = |contact: &str, source: Flow| {
            let text = text("INVITE", "near", "", "call", &std::format!("Contact: <{contact}>\r\n"));
            Side::of_caller(&Message::parse(text.as_bytes()).unwrap(), source)
        };
        let udp = flow(Transport::Udp, b"198.51.100.7", 0);
        let (tcp, tls) = (flow(Transport::Tcp, b"198.51.100.7", 3), flow(Transport::Tls, b"198.51.100.7", 3));
        let host = Side::Host("198.51.100.7".parse().unwrap());
        for (contact, source, side) in [
            ("sip:a@198.51.100.7:40001", udp, host),
            ("sip:a@198.51.100.7:40001;ob", udp, Side::Flow(udp)),
            // Behind a NAT.
            ("sip:a@10.0.0.7:5060", udp, Side::Flow(udp)),
            ("sip:a@10.0.0.7:5060", tcp, Side::Flow(tcp)),
            // Somebody else's.
            ("sip:a@10.0.0.8:5060", udp, Side::Anywhere),
            ("sip:a@far.example", tcp, Side::Anywhere),
            // It is where its `maddr` says.
            ("sip:a@198.51.100.7:40001;maddr=192.0.2.77", udp, Side::Anywhere),
            ("sip:a@far.example;maddr=198.51.100.7", udp, host),
            ("sip:a@198.51.100.7;transport=tcp", tcp, host),
            ("sip:a@198.51.100.7;transport=tls", tls, Side::Flow(tls)),
        ] {
            assert_eq!(of(contact, source), side, "{contact}");
        }
    }

    #[test]
    fn whoever_is_a_ip_at_one_look_is_one_at_the_second() {
        let look = |contact: &str, source: Flow| {
            let text = text("INVITE", "near", "", "call", &std::format!("Contact: {contact}\r\n"));
            let request = Message::parse(text.as_bytes()).unwrap();
            let plain = Side::is_plain_host(&request, source);
            assert!(!plain || matches!(Side::of_caller(&request, source), Side::Host(_)), "{contact}");
            plain
        };
        let flow = |transport, host: &[u8]| Flow { listener: 0, ..flow(transport, host, 0) };
        let (here, elsewhere) = (flow(Transport::Udp, b"10.0.0.7"), flow(Transport::Udp, b"198.51.100.7"));
        for (contact, source, plain) in [
            ("<sip:a@10.0.0.7:5060>", here, true),
            ("<sip:10.0.0.7:5060>;expires=60", here, true),
            ("<sip:a@10.0.0.7:5060;transport=UDP>", here, true),
            ("<sip:a@10.0.0.7:5060>", flow(Transport::Tcp, b"10.0.0.7"), true),
            ("<sip:a@10.0.0.7:5060>", flow(Transport::Tls, b"10.0.0.7"), false),
            ("<sip:a@10.0.0.7:5060>", elsewhere, false),
            ("<sip:a@10.0.0.7:5060;ob>", here, false),
            ("<sip:a@10.0.0.7:5060;maddr=10.0.0.8>", here, false),
            ("<sip:a@10.0.0.7:5061>", here, false),
            ("<sip:a@10.0.0.7>", here, false),
            ("<sip:a@10.0.0.77:5060>", here, false),
            ("\"<sip:a@10.0.0.7:5060>\" <sip:b@far.example>", here, false),
            ("sip:a@10.0.0.7:5060", here, false),
        ] {
            assert_eq!(look(contact, source), plain, "{contact}");
        }
    }

    #[test]
    fn a_callee_is_at_the_host_that_a_maddr_names() {
        let udp = flow(Transport::Udp, b"198.51.100.7", 0);
        let of = |contact: &str| Side::of(udp, &Uri::parse(contact.as_bytes()).unwrap());
        assert_eq!(of("sip:b@198.51.100.7"), Side::Host("198.51.100.7".parse().unwrap()));
        assert_eq!(of("sip:b@198.51.100.7;maddr=192.0.2.77"), Side::Flow(udp));
        assert_eq!(of("sip:b@far.example;maddr=198.51.100.7"), Side::Host("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn a_router_is_known_by_its_host_however_that_is_written() {
        let one = tokens(SECRET, 1);
        let code = |uri: &str| one.code_of_host(&Uri::parse(uri.as_bytes()).unwrap());
        for (uri, other, same) in [
            ("sip:edge.example.com;lr", "sip:token@EDGE.example.com:5070;transport=tcp;lr", true),
            ("sip:192.0.2.9;lr", "sips:192.0.2.9", true),
            ("sip:[2001:db8::9]", "sip:[2001:DB8:0:0::9]:5062", true),
            ("sip:192.0.2.9;lr", "sip:edge.example.com;maddr=192.0.2.9;lr", true),
            ("sip:192.0.2.9;lr", "sip:192.0.2.9;maddr=192.0.2.77;lr", false),
            ("sip:edge.example.com", "sip:edge.example.org", false),
        ] {
            assert_eq!(code(uri) == code(other), same, "{uri} {other}");
        }
        assert_ne!(code("sip:a"), tokens(b"a secret of that server", 1).code_of_host(&Uri::parse(b"sip:a").unwrap()));
    }

    /// The Record-Route of an INVITE of a phone at 10.0.0.7 with this Contact.
    fn recorded(ask: Ask, contact: &str) -> String {
        let mut proxy = Proxy::new(Arrays::<8, 4, 4, 8192>::new());
        proxy.start(&Config::new(&["192.0.2.5:5060"]).with_ask(ask), [7; 16]).unwrap();
        let invite = text("INVITE", "near", "", "call", &std::format!("Contact: <{contact}>\r\n"));
        let invite = invite.replace("sip:x@y", "sip:x@192.0.2.9");
        let (now, message) = (Instant::from_millis(1), Message::parse(invite.as_bytes()).unwrap());
        let source = Flow { listener: 0, ..Flow::udp(Address::literal(b"10.0.0.7", 5060).unwrap()) };
        if let Received::Event(Event::Request { request, .. }) = proxy.receive(now, source, &message) {
            proxy.proceed(now, request, Some(&message)).unwrap();
        }
        let Some(Action::Send { bytes, .. }) = proxy.poll_action(now) else { panic!("nothing is sent") };
        let sent = Message::parse(bytes).unwrap();
        String::from_utf8(sent.header(HeaderName::RecordRoute).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_dialog_has_a_token_where_it_gives_a_right_or_leads_over_a_flow() {
        for (ask, contact, has) in [
            (Ask::Own, "sip:a@10.0.0.7:5060", false),
            (Ask::Own, "sip:a@far.example", false),
            (Ask::Own, "sip:a@10.0.0.7:5060;ob", true),
            (Ask::OutOfDialog, "sip:a@10.0.0.7:5060", true),
            (Ask::OutOfDialog, "sip:a@far.example", true),
        ] {
            let route = recorded(ask, contact);
            assert_eq!(route.starts_with("<sip:~"), has, "{contact}: {route}");
            assert!(route.ends_with("192.0.2.5:5060;lr>"), "{route}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_refused(user in "~[A-Za-z0-9_-]{0,100}") {
            prop_assert_eq!(read(&tokens(SECRET, 1), user.as_bytes(), ("a", "b"), "c"), Err(403));
        }
    }
}
