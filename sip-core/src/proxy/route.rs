//! Where a request leads: Route values, strict routers on either side, the next hop, and the Record-Route that brings the answers
//! back (RFC 3261 §16.4, §16.6 steps 4, 6 and 7, RFC 5658).

use super::config::{Own, Settings};
use super::token::{self, Grant, Side, Token};
use crate::locate::{flow_to, host_of, transport_of};
use crate::message::scan::alike;
use crate::message::{Host, Message, Method, Scheme, Uri, Writer};
use crate::transport::{Address, Flow, Target, Transport};

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
            let here = settings.own_host(texts, maddr, uri.port(), transport).is_some();
            let own = if here { settings.own_host(texts, uri.host(), None, Transport::Udp) } else { None };
            (own, here)
        }
    }
}

/// The longest URI that a `maddr` is taken out of.
pub(super) const LONGEST_STRIPPED: usize = 512;

/// A URI without its `maddr`, its port and its `transport`; `None` when it is too long.
pub(super) fn strip_maddr<'r>(uri: &Uri<'_>, room: &'r mut [u8; LONGEST_STRIPPED]) -> Option<&'r [u8]> {
    let mut writer = Writer::new(room);
    writer.raw(if matches!(uri.scheme(), Scheme::Sips) { b"sips:" } else { b"sip:" });
    if let Some(user) = uri.user() {
        writer.raw(user);
        if let Some(password) = uri.password() {
            writer.raw(b":");
            writer.raw(password);
        }
        writer.raw(b"@");
    }
    writer.raw(uri.host().as_bytes());
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
        let mut routes = request.routes();
        let (mut popped, mut next, mut from_route, mut grant) = (0, None, false, Grant::None);
        let Some(first) = routes.next() else {
            return Ok(Self { uri, from_route, popped, next, own, own_maddr, grant });
        };
        let mut first = Some(first.map_err(|_| 400_u16)?);
        let mut left = usize::MAX;
        // A strict router has put this proxy's Record-Route there (§16.4).
        if own == Some(Own::Listener) && uri.is_loose() {
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
        Ok(Self { uri, from_route, popped, next, own, own_maddr, grant })
    }

    /// Whether a request that came by `source` comes inside a dialog in which this proxy has stayed, and goes to the other side of it.
    pub(super) fn is_inside(&self, request: &Message<'_>, source: Flow) -> bool {
        if request.to_tag().is_none() {
            return false;
        }
        match self.grant {
            Grant::None | Grant::Path(_) => false,
            Grant::Dialog(Side::Anywhere) => work_of(request) == Work::Inside,
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
                self.next.is_none() && (ends || self.host().ip() == Some(ip))
            }
        }
    }

    /// Whether a request passes inside a dialog although it does not go to the host that its token knows. It then goes without a
    /// transaction: nothing is repeated to a host of a stranger's choice but what he repeats himself.
    pub(super) fn is_astray(&self, request: &Message<'_>, source: Flow) -> bool {
        matches!(self.grant, Grant::Dialog(Side::Host(ip)) if self.host().ip() != Some(ip))
            && self.is_inside(request, source)
    }

    /// The host that the Request-URI leads to: that of a `maddr`, but for one of this proxy, which goes (§16.4).
    fn host(&self) -> Host<'_> {
        if self.own_maddr { self.uri.host() } else { host_of(&self.uri) }
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
        matches!(self.uri.scheme(), Scheme::Sips)
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
            flow = host_of(next).ip().map_or(Flow::NONE, |ip| {
                let port = next.port().unwrap_or(transport.default_port());
                Flow::to(Target { address: Address::new(ip, port), transport })
            });
        }
        let listener = settings.listener_to(flow.remote, source.listener);
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
    pub(super) fn new(settings: &Settings, texts: &[u8], token: &Token, source: Flow, hop: &Hop, secure: bool) -> Self {
        let mut route = Self { text: [0; 2 * LONGEST_OWN + token::LONGEST], ends: [0; 2] };
        let mut writer = Writer::new(&mut route.text);
        write_own_uri(&mut writer, token.as_bytes(), settings.sent_by(texts, hop.listener), hop.transport, secure);
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
    fn two_record_routes_where_the_sides_differ() {
        let mut octets = Pool::<1024>::new();
        let settings = settings(&mut octets);
        let texts = octets.get(settings.block());
        let source = Flow::udp(Address::literal(b"192.0.2.9", 5060).unwrap());
        let token = Token::of(b"t");
        let written = |source: Flow, hop: Flow, secure| {
            let route = RecordRoute::new(&settings, texts, &token, source, &Hop::by(hop), secure);
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
}
