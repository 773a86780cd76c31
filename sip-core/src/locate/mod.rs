//! From a URI to a flow, for every role (RFC 3261 §8.1.2, RFC 3263).
//!
//! A role writes a request and gives it to the transaction layer with the flow of its next hop ([`flow_to`]), or without one
//! when that is a name. Then the request waits, and the role is asked for what is missing, one thing after the other
//! ([`question`]): the targets of a name, then a connection to one of them. The answers go to
//! [`Transactions::resolved`](crate::transaction::Transactions::resolved),
//! [`launch`](crate::transaction::Transactions::launch) and [`unreachable`](crate::transaction::Transactions::unreachable);
//! the layer keeps what else may be tried, and [`fail_over`](crate::transaction::Transactions::fail_over) tries it.
//! Which records a name has, and in which order they count, is for whoever resolves it to know: a [`Resolver`], which asks
//! name servers itself, or a [`Lookup`] alone, which says what is to be asked for.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod choose;
mod lookup;
mod reach;
mod resolver;

pub use lookup::{HOPS, Lookup, Outcome, TARGETS};
pub use reach::Reach;
pub use resolver::{Full, Query, Resolved, Resolver, SERVERS, Slot};

use crate::memory::Octets;
use crate::message::scan::alike;
use crate::message::{HeaderName, Host, Kept, NameAddr, Uri, Via};
use crate::transaction::{TransactionId, TransactionsRef};
use crate::transport::{Address, Flow, Target, Transport};
use core::net::IpAddr;

/// The transport that a URI asks for; `preferred` when it asks for none (RFC 3263 §4.1). One that is not known is
/// [`Transport::Unknown`], and never taken for another.
#[must_use]
pub fn transport_of(uri: &Uri<'_>, preferred: Transport) -> Transport {
    let named = uri.transport().map_or(preferred, named);
    match named {
        // `tcp` and no name mean TLS over TCP (RFC 3261 §26.2.2), and nothing secure goes by datagrams (RFC 5630 §3.1.3).
        Transport::None | Transport::Udp | Transport::Tcp if uri.is_sips() => Transport::Tls,
        Transport::Ws if uri.is_sips() => Transport::Wss,
        named => named,
    }
}

/// The transport of this name in a URI.
pub(crate) fn named(name: &[u8]) -> Transport {
    // Without streams there is no way by any other.
    let known: &[Transport] = if cfg!(feature = "streams") {
        &[Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
    } else {
        &[Transport::Udp]
    };
    known.iter().find(|one| alike(name, one.name().as_bytes())).copied().unwrap_or(Transport::Unknown)
}

/// The host that a request to `uri` goes to (RFC 3263 §4).
#[must_use]
pub fn host_of<'a>(uri: &Uri<'a>) -> Host<'a> {
    uri.maddr().and_then(|maddr| Host::parse(maddr).ok()).unwrap_or_else(|| uri.host())
}

/// The address of the host that a request to `uri` goes to; `None` when that is a name.
pub(crate) fn ip_of(uri: &Uri<'_>) -> Option<IpAddr> {
    ip_at(uri, uri.maddr())
}

/// The same of a URI whose `maddr` is known.
pub(crate) fn ip_at(uri: &Uri<'_>, maddr: Option<&[u8]>) -> Option<IpAddr> {
    match maddr.and_then(|maddr| Host::parse(maddr).ok()) {
        Some(maddr) => maddr.ip(),
        None => uri.ip(),
    }
}

/// The flow to the host of `uri`; none when that is a name.
#[must_use]
pub fn flow_to(uri: &Uri<'_>, preferred: Transport) -> Flow {
    let transport = transport_of(uri, preferred);
    ip_of(uri).map_or(Flow::NONE, |ip| {
        let address = Address::new(ip, uri.port().unwrap_or(transport.default_port()));
        Flow::to(Target { address, transport })
    })
}

/// The URI of the next hop of a request: its first Route value, or its Request-URI, which it is too when a strict router is
/// next (RFC 3261 §8.1.2). One that has no `lr` in its first Route value can only be such a request: that router's URI has
/// taken the place of the Request-URI.
#[must_use]
pub fn next_hop<'a>(request: &Kept<'a>, strict: bool) -> Option<Uri<'a>> {
    if !strict
        && let Ok(route) = NameAddr::parse(request.first(HeaderName::Route))
        && let Ok(uri) = route.uri()
        && uri.is_loose()
    {
        return Some(uri);
    }
    Uri::parse(request.request_uri()).ok()
}

/// What is missing to send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question<'a> {
    /// The targets of a name.
    Resolve {
        /// The name.
        host: &'a [u8],
        /// The port, when the URI names one.
        port: Option<u16>,
        /// The transport that the URI asks for; [`Transport::None`] when it asks for none.
        transport: Transport,
        /// Whether only TLS will do.
        secure: bool,
    },
    /// A connection.
    Connect {
        /// Where to.
        target: Target,
        /// [By which](Flow::listener) of our listeners.
        listener: u8,
        /// The host name that a certificate has to bear, or an address.
        server_name: &'a [u8],
    },
}

impl<'a> Question<'a> {
    /// What is missing to reach `uri`: a connection when a target is known, else the targets.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn of(uri: &Uri<'a>, known: Flow) -> Self {
        let host = host_of(uri).as_bytes();
        if !known.is_none() {
            return Self::Connect { target: known.target(), listener: known.listener, server_name: host };
        }
        let secure = uri.is_sips();
        let transport = transport_of(uri, Transport::None);
        Self::Resolve { host, port: uri.port(), transport, secure }
    }
}

/// What is missing to send the message of the transaction that
/// [`poll_parked`](crate::transaction::Transactions::poll_parked) gave. `None` when nobody could answer it: its next hop is
/// [`unreachable`](crate::transaction::Transactions::unreachable).
#[must_use]
pub fn question<O: Octets>(transactions: TransactionsRef<'_, O>, id: TransactionId) -> Option<Question<'_>> {
    question_by(transactions, id, b"")
}

/// The same for a message that goes by way of `next_hop`, a URI, where that is one: a REGISTER to the configured registrar.
#[must_use]
pub fn question_by<'a, O: Octets>(
    transactions: TransactionsRef<'a, O>,
    id: TransactionId,
    next_hop: &'a [u8],
) -> Option<Question<'a>> {
    let (bytes, known) = (transactions.bytes(id), transactions.flow(id));
    let message = Kept::new(bytes);
    let server_name = if bytes.starts_with(b"SIP/2.0 ") {
        // To the host of sent-by (RFC 3261 §18.2.2).
        Via::parse(message.first(HeaderName::Via)).map_or(&b""[..], |via| via.host_text())
    } else {
        let given = Uri::parse(next_hop).ok();
        match given.or_else(|| self::next_hop(&message, transactions.is_strict(id))) {
            Some(uri) => {
                let mut question = Question::of(&uri, known);
                if cfg!(feature = "streams")
                    && let Question::Resolve { secure, .. } = &mut question
                {
                    // Also by a next hop whose own URI does not say so (RFC 3261 §26.2.2).
                    *secure |= transactions.demands_tls(id);
                }
                return Some(question);
            }
            None if known.is_none() => return None,
            // Where the peer was last: that has no name.
            None => b"",
        }
    };
    Some(Question::Connect { target: known.target(), listener: known.listener, server_name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(routes: &str, strict: bool) -> String {
        let text = format!("BYE sip:bob@target.example SIP/2.0\r\n{routes}CSeq: 1 BYE\r\n\r\n");
        let uri = next_hop(&Kept::new(text.as_bytes()), strict).unwrap();
        String::from_utf8(host_of(&uri).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_next_hop_is_the_first_route_unless_a_strict_router_is_next() {
        assert_eq!(hop("", false), "target.example");
        assert_eq!(hop("Route: <sip:a.example;lr>, <sip:b.example>\r\n", false), "a.example");
        assert_eq!(hop("Route: <sip:a.example;lr>\r\n", true), "target.example");
        assert_eq!(hop("Route: <sip:a.example>\r\n", false), "target.example");
        assert_eq!(hop("Route: <nonsense\r\n", false), "target.example");
    }

    #[test]
    fn a_uri_says_what_is_missing() {
        let question = |text: &'static str| Question::of(&Uri::parse(text.as_bytes()).unwrap(), Flow::NONE);
        let resolve = |host, port, transport, secure| Question::Resolve { host, port, transport, secure };
        assert_eq!(question("sip:a@b.example"), resolve(b"b.example", None, Transport::None, false));
        assert_eq!(question("sips:b.example:5062"), resolve(b"b.example", Some(5062), Transport::Tls, true));
        assert_eq!(question("sip:b;transport=ws"), resolve(b"b", None, Transport::Ws, false));
        assert_eq!(question("sips:b;transport=ws"), resolve(b"b", None, Transport::Wss, true));
        assert_eq!(question("sip:b;transport=TCP"), resolve(b"b", None, Transport::Tcp, false));
        assert_eq!(question("sip:b;maddr=c.example"), resolve(b"c.example", None, Transport::None, false));
        let uri = Uri::parse(b"sip:b.example;transport=tls").unwrap();
        let known = flow_to(&Uri::parse(b"sip:192.0.2.1;transport=tls").unwrap(), Transport::Udp);
        let target = Target { address: known.remote, transport: Transport::Tls };
        assert_eq!(known.remote.port(), 5061);
        assert_eq!(Question::of(&uri, known), Question::Connect { target, listener: 0, server_name: b"b.example" });
        assert_eq!(flow_to(&uri, Transport::Udp), Flow::NONE);
    }
}
