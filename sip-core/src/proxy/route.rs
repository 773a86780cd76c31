//! Where a request leads: Route values, strict routers on either side, the next hop, and the Record-Route that brings the answers
//! back (RFC 3261 §16.4, §16.6 steps 4, 6 and 7, RFC 5658).

use super::config::{Own, Settings};
use super::token::{self, Grant, Side, Token};
use crate::locate::{flow_to, ip_of, transport_of};
use crate::message::scan::{alike, find};
use crate::message::{HeaderName, Host, Message, Method, Uri, Writer};
use crate::transport::{Address, Flow, Target, Transport};
use core::net::IpAddr;

/// What the Request-URI and the Route values of a request say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routing<'m> {
    /// The Request-URI; behind a strict router, the one that it has put at the end of Route.
    pub(super) uri: Uri<'m>,
    /// Whether it is the last Route value.
    pub(super) from_route: bool,
    /// The Route values that are this proxy's, which go.
    pub(super) popped: usize,
    /// The first Route value that stays.
    pub(super) next: Option<Uri<'m>>,
    /// What of the Request-URI is this proxy's own.
    pub(super) own: Option<Own>,
    /// Whether its `maddr` was this proxy's, and has brought it here: it goes on without (§16.4).
    pub(super) own_maddr: bool,
    /// What the last of the Route values that are this proxy's allows.
    pub(super) grant: Grant,
}

/// What of a Request-URI is this proxy's own, and whether its `maddr` is.
fn own_of(settings: &Settings, texts: &[u8], uri: &Uri<'_>) -> (Option<Own>, bool) {
    if uri.raw_params().is_empty() {
        return (settings.own(texts, uri), false);
    }
    let maddr = uri.maddr().and_then(|maddr| Host::parse(maddr).ok()).filter(|_| uri.is_sip());
    match maddr {
        None => (settings.own(texts, uri), false),
        Some(maddr) => {
            let transport = transport_of(uri, Transport::Udp);
            let here = settings.own_host(texts, maddr.as_bytes(), uri.port(), || transport).is_some();
            let own = if here { settings.own_host(texts, uri.host_text(), None, || Transport::Udp) } else { None };
            (own, here)
        }
    }
}

/// How many rows of Route there are, and what they allow, when each of them is as this proxy writes a Record-Route that names no
/// transport: these are known by their octets. `None` when there is another one.
fn own_routes(settings: &Settings, texts: &[u8], request: &Message<'_>) -> Result<Option<(usize, Grant)>, u16> {
    let (mut popped, mut grant) = (0_usize, Grant::None);
    if request.header(HeaderName::Route).is_none() {
        return Ok(Some((popped, grant)));
    }
    for row in request.header_rows(HeaderName::Route) {
        let text = row.strip_prefix(b"<sip:").and_then(|row| row.strip_suffix(b";lr>")).unwrap_or_default();
        let (user, sent_by) = match text {
            [token::MARK, ..] => text.split_at_checked(find(text, 0, b'@')).unwrap_or_default(),
            _ => (&b""[..], text),
        };
        if !settings.is_sent_by(texts, sent_by.strip_prefix(b"@").unwrap_or(sent_by)) {
            return Ok(None);
        }
        popped = popped.saturating_add(1);
        match settings.tokens.read_user(request, user)? {
            Grant::None => {}
            next => grant = next,
        }
    }
    if matches!(grant, Grant::Dialog(Side::Router(_))) {
        // No other Route leads there.
        grant = Grant::Dialog(Side::Anywhere);
    }
    Ok(Some((popped, grant)))
}

/// The longest URI that a `maddr` is taken out of.
pub(super) const LONGEST_STRIPPED: usize = 512;

/// A URI without its `maddr`, its port and its `transport`; `None` when it is too long.
pub(super) fn strip_maddr<'r>(uri: &Uri<'_>, room: &'r mut [u8; LONGEST_STRIPPED]) -> Option<&'r [u8]> {
    let mut writer = Writer::new(room);
    writer.raw(if uri.is_sips() { b"sips:" } else { b"sip:" });
    if let Some(user) = uri.user() {
        writer.raw(user);
        if let Some(password) = uri.password() {
            writer.raw(b":");
            writer.raw(password);
        }
        writer.raw(b"@");
    }
    writer.raw(uri.host_text());
    for param in uri.params() {
        if alike(param.name, b"maddr") || alike(param.name, b"transport") {
            continue;
        }
        writer.raw(b";");
        writer.raw(param.name);
        if let Some(value) = param.value {
            writer.raw(b"=");
            writer.raw(value);
        }
    }
    let length = writer.finish().ok()?;
    room.get(..length)
}

impl<'m> Routing<'m> {
    /// Reads a request; the status to refuse it with when it can't be routed.
    pub(super) fn of(settings: &Settings, texts: &[u8], request: &Message<'m>) -> Result<Self, u16> {
        let mut uri = request.uri().ok_or(400_u16)?;
        let (mut own, mut own_maddr) = own_of(settings, texts, &uri);
        let (mut popped, mut next, mut from_route, mut grant) = (0, None, false, Grant::None);
        let by_strict_router = own == Some(Own::Listener) && uri.is_loose();
        // That saves time, and costs flash: the long way says the same.
        if cfg!(target_pointer_width = "64")
            && !by_strict_router
            && let Some((popped, grant)) = own_routes(settings, texts, request)?
        {
            return Ok(Self { uri, from_route, popped, next, own, own_maddr, grant });
        }
        let mut routes = request.routes();
        let Some(first) = routes.next() else {
            return Ok(Self { uri, from_route, popped, next, own, own_maddr, grant });
        };
        let mut first = Some(first.map_err(|_| 400_u16)?);
        let mut left = usize::MAX;
        // A strict router has put this proxy's Record-Route there (§16.4).
        if by_strict_router {
            grant = settings.tokens.read(request, &uri)?;
            let count = request.routes().count();
            let last = request.routes().last().and_then(Result::ok).ok_or(400_u16)?;
            uri = last.uri().map_err(|_| 400_u16)?;
            (own, own_maddr) = own_of(settings, texts, &uri);
            from_route = true;
            left = count.saturating_sub(1);
        }
        while left > popped
            && let Some(route) = first
        {
            let route = route.uri().map_err(|_| 400_u16)?;
            if settings.own(texts, &route).is_none() {
                next = Some(route);
                break;
            }
            popped = popped.saturating_add(1);
            // One without a token stands beside one with it, where the sides of this proxy differ.
            match settings.tokens.read(request, &route)? {
                Grant::None => {}
                next => grant = next,
            }
            first = routes.next().transpose().map_err(|_| 400_u16)?;
        }
        if let Grant::Dialog(Side::Router(code)) = grant {
            let leads_there = next.is_some_and(|next| settings.tokens.code_of_host(&next) == code);
            grant = if leads_there { Grant::Through } else { Grant::Dialog(Side::Anywhere) };
        }
        Ok(Self { uri, from_route, popped, next, own, own_maddr, grant })
    }

    /// Whether a request that came by `source` comes inside a dialog in which this proxy has stayed, and goes to the other side of it.
    pub(super) fn is_inside(&self, request: &Message<'_>, source: Flow) -> bool {
        if request.to_tag().is_none() {
            return false;
        }
        match self.grant {
            Grant::None | Grant::Path(_) => false,
            // The router is known by its host alone: what belongs to no dialog would go anywhere behind it.
            Grant::Through => work_of(request) != Work::Outside,
            // Of a router is known by now that it does not go there.
            Grant::Dialog(Side::Anywhere | Side::Router(_)) => work_of(request) == Work::Inside,
            Grant::Back(sender) => match work_of(request) {
                Work::Inside => true,
                Work::Either => sender.ip().is_some_and(|ip| source.remote.ip() == Some(ip)),
                Work::Outside => false,
            },
            Grant::Dialog(Side::Flow(_)) => self.next.is_none(),
            // A phone that has moved, or that has answered from elsewhere, has another Contact than the token knows. Whoever wants to
            // get there has to say who he is, which an ACK can't, and a caller of another domain can't either, whose BYE has to end
            // the call all the same; but nobody pays for these two.
            Grant::Dialog(Side::Host(ip)) => {
                let ends = matches!(request.method(), Method::Ack | Method::Bye);
                self.next.is_none() && (ends || self.ip() == Some(ip))
            }
        }
    }

    /// Whether a request belongs to a dialog, as far as it can't begin one or this proxy's own Route says so.
    pub(super) fn is_of_dialog(&self, request: &Message<'_>) -> bool {
        let granted = matches!(self.grant, Grant::Dialog(_) | Grant::Through | Grant::Back(_));
        match work_of(request) {
            Work::Outside => false,
            Work::Either => granted,
            // Phones take the others, as NOTIFY, from anybody.
            Work::Inside => {
                let ends_or_goes_on = matches!(
                    request.method(),
                    Method::Ack | Method::Bye | Method::Prack | Method::Update | Method::Info
                );
                granted || ends_or_goes_on
            }
        }
    }

    /// Whether a request passes inside a dialog although it does not go to the host that its token knows. It then goes without a
    /// transaction: nothing is repeated to a host of a stranger's choice but what he repeats himself.
    pub(super) fn is_astray(&self, request: &Message<'_>, source: Flow) -> bool {
        matches!(self.grant, Grant::Dialog(Side::Host(ip)) if self.ip() != Some(ip)) && self.is_inside(request, source)
    }

    /// The address of the host that the Request-URI leads to: that of a `maddr`, but for one of this proxy, which goes (§16.4).
    fn ip(&self) -> Option<IpAddr> {
        if self.own_maddr { self.uri.ip() } else { ip_of(&self.uri) }
    }

    /// The flow that the request has to go over, whatever its Request-URI says (RFC 5626 §5.3).
    pub(super) fn flow(&self, request: &Message<'_>) -> Option<Flow> {
        match self.grant {
            Grant::Dialog(Side::Flow(flow)) if request.to_tag().is_some() && self.next.is_none() => Some(flow),
            Grant::Path(Side::Flow(flow)) if self.next.is_none() => Some(flow),
            _ => None,
        }
    }

    /// Whether the request may only go by TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.uri.is_sips()
    }
}

/// Whether a request makes a dialog whose requests a proxy may want to see.
pub(super) fn makes_dialog(request: &Message<'_>) -> bool {
    request.to_tag().is_none() && matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer)
}

/// Where a request does its work, whatever tag it has: who takes one for a new one does as if it had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// In a dialog.
    Inside,
    /// In one, or it begins one.
    Either,
    /// Outside of all.
    Outside,
}

const fn work_of(request: &Message<'_>) -> Work {
    match request.method() {
        Method::Invite | Method::Subscribe | Method::Refer => Work::Either,
        Method::Register | Method::Message | Method::Publish => Work::Outside,
        _ => Work::Inside,
    }
}

/// The way of a request to its next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// The flow; none while its address is to be looked up.
    pub(super) flow: Flow,
    /// The transport that it is going to be, as far as the URI says.
    pub(super) transport: Transport,
    /// The listener that it leaves by.
    pub(super) listener: u8,
    /// Whether the next hop is a strict router, whose URI takes the place of the Request-URI (§16.6 step 6).
    pub(super) strict: bool,
    /// Whether it goes by this flow or not at all.
    pub(super) only: bool,
}

impl Hop {
    /// The way to `route`, or without one to `target`, of a request that came by `source`; by TLS when it has to be `secure`.
    pub(super) fn new(
        settings: &Settings,
        source: Flow,
        route: Option<&Uri<'_>>,
        target: &Uri<'_>,
        secure: bool,
    ) -> Self {
        let strict = route.is_some_and(|route| !route.is_loose());
        let next = route.unwrap_or(target);
        let mut transport = transport_of(next, settings.transport);
        let mut flow = flow_to(next, settings.transport);
        if secure && !transport.is_secure() && transport != Transport::Unknown {
            transport = if transport == Transport::Ws { Transport::Wss } else { Transport::Tls };
            flow = ip_of(next).map_or(Flow::NONE, |ip| {
                let port = next.port().unwrap_or(transport.default_port());
                Flow::to(Target { address: Address::new(ip, port), transport })
            });
        }
        let listener = settings.listener_to((flow.remote, transport), source.listener);
        if flow.transport == Transport::Udp {
            flow.listener = listener;
        }
        Self { flow, transport, listener, strict, only: false }
    }

    /// The way by a flow that is given.
    pub(super) const fn by(flow: Flow) -> Self {
        Self { flow, transport: flow.transport, listener: flow.listener, strict: false, only: false }
    }
}

/// Writes the URI of a Record-Route or Path value. It names the transport where that is no UDP, and has the scheme of the Request-URI
/// (RFC 3261 §16.6 step 4).
fn write_own_uri(writer: &mut Writer<'_>, token: &[u8], sent_by: &[u8], transport: Transport, secure: bool) {
    writer.raw(if secure { b"sips:" } else { b"sip:" });
    if !token.is_empty() {
        writer.raw(token);
        writer.raw(b"@");
    }
    writer.raw(sent_by);
    let transport: &[u8] = match transport {
        Transport::None | Transport::Udp | Transport::Unknown => b"",
        Transport::Tcp => b";transport=tcp",
        Transport::Tls | Transport::Wss if secure => b"",
        Transport::Tls => b";transport=tls",
        Transport::Ws | Transport::Wss => b";transport=ws",
    };
    writer.raw(transport);
    writer.raw(b";lr");
}

/// The longest URI of a Record-Route value without its token.
const LONGEST_OWN: usize = 240;

/// The Record-Route values of a request: one, or two when it leaves by another listener or transport than it came by, the upper
/// one for the side that it leaves to (RFC 5658 §4). They come back one behind the other, so the upper one bears the token for both.
#[derive(Clone, Copy)]
pub(super) struct RecordRoute {
    text: [u8; 2 * LONGEST_OWN + token::LONGEST],
    ends: [u16; 2],
}

impl RecordRoute {
    pub(super) fn new(settings: &Settings, texts: &[u8], token: &[u8], source: Flow, hop: &Hop, secure: bool) -> Self {
        let mut route = Self { text: [0; 2 * LONGEST_OWN + token::LONGEST], ends: [0; 2] };
        let mut writer = Writer::new(&mut route.text);
        write_own_uri(&mut writer, token, settings.sent_by(texts, hop.listener), hop.transport, secure);
        let out = writer.len();
        if hop.listener != source.listener || hop.transport != source.transport {
            // What came by plain text goes back by it.
            let secure = secure && source.transport.is_secure();
            write_own_uri(&mut writer, b"", settings.sent_by(texts, source.listener), source.transport, secure);
        }
        let end = writer.len();
        route.ends = [out as u16, end as u16];
        route
    }

    /// The URIs, the upper one first; how many there are.
    pub(super) fn uris(&self) -> ([&[u8]; 2], usize) {
        let [out, end] = self.ends.map(usize::from);
        let first = self.text.get(..out).unwrap_or_default();
        let second = self.text.get(out..end).unwrap_or_default();
        ([first, second], if second.is_empty() { 1 } else { 2 })
    }

    /// The Path value of a REGISTER that came by `source` (RFC 3327 §5.2): what comes back by it goes over that flow, when the client
    /// itself is there (RFC 5626 §5.1).
    pub(super) fn path(settings: &Settings, texts: &[u8], direct: bool, source: Flow, hop: &Hop, secure: bool) -> Self {
        let mut route = Self { text: [0; 2 * LONGEST_OWN + token::LONGEST], ends: [0; 2] };
        let mut writer = Writer::new(&mut route.text);
        let token = direct.then(|| settings.tokens.of_path(source));
        let token = token.as_ref().map_or(&b""[..], Token::as_bytes);
        write_own_uri(&mut writer, token, settings.sent_by(texts, hop.listener), hop.transport, secure);
        if direct {
            writer.raw(b";ob");
        }
        let end = writer.len() as u16;
        route.ends = [end, end];
        route
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use crate::memory::{Octets, Pool};

    fn settings(octets: &mut Pool<1024>) -> Settings {
        let config = Config::new(&["192.0.2.5:5060", "192.0.2.5:5070"]).with_domains(&["example.com"]);
        Settings::keep(&config, octets).unwrap()
    }

    /// The Request-URI, the Route values taken away, and the next one.
    #[allow(clippy::type_complexity, reason = "it is compared whole")]
    fn routed(uri: &str, routes: &str) -> Result<(String, bool, usize, Option<String>, Option<Own>), u16> {
        let mut octets = Pool::<1024>::new();
        let settings = settings(&mut octets);
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{routes}From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n\
             Call-ID: 1\r\nCSeq: 1 BYE\r\n\r\n"
        );
        let message = Message::parse(text.as_bytes()).unwrap();
        let routing = Routing::of(&settings, octets.get(settings.block()), &message)?;
        let text = |uri: Uri<'_>| String::from_utf8(uri.raw().to_vec()).unwrap();
        Ok((text(routing.uri), routing.from_route, routing.popped, routing.next.map(text), routing.own))
    }

    #[test]
    fn own_route_values_are_taken_away_and_strict_routers_undone() {
        let is = |uri: &str, routes: &str, expected: (&str, bool, usize, Option<&str>, Option<Own>)| {
            let (uri, from_route, popped, next, own) = routed(uri, routes).unwrap();
            assert_eq!((&*uri, from_route, popped, next.as_deref(), own), expected);
        };
        is("sip:x@y", "", ("sip:x@y", false, 0, None, None));
        is("sip:bob@example.com", "", ("sip:bob@example.com", false, 0, None, Some(Own::Domain)));
        is("sip:x@y", "Route: <sip:192.0.2.5;lr>\r\n", ("sip:x@y", false, 1, None, None));
        is(
            "sip:x@y",
            "Route: <sip:192.0.2.5:5070;lr>, <sip:192.0.2.5;lr>\r\nRoute: <sip:p;lr>\r\n",
            ("sip:x@y", false, 2, Some("sip:p;lr"), None),
        );
        is("sip:x@y", "Route: <sip:p;lr>, <sip:192.0.2.5;lr>\r\n", ("sip:x@y", false, 0, Some("sip:p;lr"), None));
        // A strict router before this proxy.
        is("sip:192.0.2.5;lr", "Route: <sip:x@y>\r\n", ("sip:x@y", true, 0, None, None));
        is(
            "sip:192.0.2.5;lr",
            "Route: <sip:192.0.2.5:5070;lr>, <sip:p;lr>, <sip:x@y>\r\n",
            ("sip:x@y", true, 1, Some("sip:p;lr"), None),
        );
        is(
            "sip:192.0.2.5",
            "Route: <sip:p;lr>\r\n",
            ("sip:192.0.2.5", false, 0, Some("sip:p;lr"), Some(Own::Listener)),
        );
        assert_eq!(routed("sip:x@y", "Route: <sip:192.0.2.5;lr>, nonsense <\r\n"), Err(400));
        assert_eq!(routed("sip:192.0.2.5;lr", "Route: <sip:p;lr>, <<\r\n"), Err(400));
    }

    #[test]
    fn a_token_says_the_same_however_its_route_is_written() {
        let mut octets = Pool::<1024>::new();
        let settings = settings(&mut octets);
        let texts = octets.get(settings.block());
        let text = |method: &str, to: &str, routes: &str| {
            format!(
                "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n{routes}From: <sip:a@b>;tag=1\r\n\
                 To: <sip:c@d>{to}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n"
            )
        };
        let routed = |routes: &str| {
            let bye = text("BYE", ";tag=2", routes);
            let message = Message::parse(bye.as_bytes()).unwrap();
            Routing::of(&settings, texts, &message)
                .map(|routing| (routing.popped, routing.next.is_some(), routing.grant))
        };
        let invite = text("INVITE", "", "");
        let request = Message::parse(invite.as_bytes()).unwrap();
        let flow = Flow { listener: 1, ..Flow::udp(Address::literal(b"192.0.2.7", 5060).unwrap()) };
        for callee in [Side::Anywhere, Side::Flow(flow), Side::Router(*b"01234567")] {
            let token = settings.tokens.of_dialog(&request, Side::Anywhere, callee);
            let token = core::str::from_utf8(token.as_bytes()).unwrap();
            let grant = if callee == Side::Flow(flow) { callee } else { Side::Anywhere };
            for form in ["<sip:T@192.0.2.5:5060;lr>", "<sip:T@192.0.2.5:5060;lr;x>", "<sip:T@192.0.2.5;lr>"] {
                let route = form.replace('T', token);
                let one = format!("Route: {route}\r\n");
                assert_eq!(routed(&one), Ok((1, false, Grant::Dialog(grant))), "{form}");
                let two = format!("{one}Route: <sip:192.0.2.5:5070;lr>\r\n");
                assert_eq!(routed(&two), Ok((2, false, Grant::Dialog(grant))), "{form}");
                let forged = one.replace("sip:~", "sip:~A");
                assert_eq!(routed(&forged), Err(403), "{form}");
                // Behind another element's it is not this proxy's to read.
                let behind = format!("Route: <sip:p;lr>\r\n{one}");
                assert_eq!(routed(&behind), Ok((0, true, Grant::None)), "{form}");
                let before = format!("{one}Route: <sip:p;lr>\r\n");
                assert_eq!(routed(&before).map(|(popped, next, _)| (popped, next)), Ok((1, true)), "{form}");
                let elsewhere = one.replace("192.0.2.5", "192.0.2.6");
                assert_eq!(routed(&elsewhere), Ok((0, true, Grant::None)), "{form}");
            }
        }
        assert_eq!(routed("Route: <sip:~A A@192.0.2.5:5060;lr>\r\n").err().map(|status| status / 100), Some(4));
    }

    #[test]
    fn two_record_routes_where_the_sides_differ() {
        let mut octets = Pool::<1024>::new();
        let settings = settings(&mut octets);
        let texts = octets.get(settings.block());
        let source = Flow::udp(Address::literal(b"192.0.2.9", 5060).unwrap());
        let token = Token::of(b"t");
        let written = |source: Flow, hop: Flow, secure| {
            let route = RecordRoute::new(&settings, texts, token.as_bytes(), source, &Hop::by(hop), secure);
            let (uris, count) = route.uris();
            uris[..count].iter().map(|uri| String::from_utf8(uri.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        let tcp = Flow { transport: Transport::Tcp, connection: 3, ..source };
        assert_eq!(written(source, source, false), ["sip:~dA@192.0.2.5:5060;lr"]);
        assert_eq!(written(source, tcp, false), ["sip:~dA@192.0.2.5:5060;transport=tcp;lr", "sip:192.0.2.5:5060;lr"]);
        let inside = Flow { listener: 1, ..source };
        assert_eq!(written(source, inside, false), ["sip:~dA@192.0.2.5:5070;lr", "sip:192.0.2.5:5060;lr"]);
        let tls = Flow { transport: Transport::Tls, ..tcp };
        assert_eq!(written(tls, tls, true), ["sips:~dA@192.0.2.5:5060;lr"]);
        assert_eq!(written(source, tls, true), ["sips:~dA@192.0.2.5:5060;lr", "sip:192.0.2.5:5060;lr"]);
        assert_eq!(written(tls, tls, false), ["sip:~dA@192.0.2.5:5060;transport=tls;lr"]);
    }

    #[test]
    fn a_secure_request_has_no_way_in_plain_text() {
        let mut octets = Pool::<1024>::new();
        let settings = settings(&mut octets);
        let uri = |text: &'static str| Uri::parse(text.as_bytes()).unwrap();
        let (route, target) = (uri("sip:192.0.2.7;transport=tcp;lr"), uri("sips:bob@192.0.2.8"));
        let hop = Hop::new(&settings, Flow::NONE, Some(&route), &target, true);
        assert_eq!((hop.flow.transport, hop.flow.remote.port(), hop.strict), (Transport::Tls, 5061, false));
        let named = Hop::new(&settings, Flow::NONE, Some(&uri("sip:p.example;lr")), &target, true);
        assert_eq!((named.flow, named.transport), (Flow::NONE, Transport::Tls));
        assert!(Hop::new(&settings, Flow::NONE, Some(&uri("sip:192.0.2.7")), &target, false).strict);
    }

    #[test]
    fn a_plain_route_names_a_listener_with_its_port() {
        let mut octets = Pool::<1024>::new();
        let of = ["sip.example.com;transport=tls", "192.0.2.5", "192.0.2.6:5070", "[2001:db8::5]"];
        let settings = Settings::keep(&Config::new(&of), &mut octets).unwrap();
        let texts = octets.get(settings.block());
        for (route, known) in [
            ("<sip:192.0.2.5;lr>", true),
            ("<sip:192.0.2.6:5070;lr>", true),
            ("<sip:192.0.2.6;lr>", false),
            ("<sip:[2001:db8::5];lr>", true),
            // Port 5060, where nobody listens.
            ("<sip:sip.example.com;lr>", false),
            ("<sip:sip.example.com:5061;lr>", false),
        ] {
            let text = format!(
                "OPTIONS sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: \
                 <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nRoute: {route}\r\n\r\n"
            );
            let request = Message::parse(text.as_bytes()).unwrap();
            let count = own_routes(&settings, texts, &request).unwrap().map(|(count, _)| count);
            assert_eq!(count, known.then_some(1), "{route}");
            let own = request.routes().next().unwrap().unwrap().uri().unwrap();
            // What is known by its octets is known by its meaning, too.
            assert!(!known || settings.own(texts, &own) == Some(Own::Listener), "{route}");
        }
    }
}
