//! What the application decides before the start, and how the proxy keeps it.

use super::token::Tokens;
use crate::error::{Argument, Capacity, ConfigError};
use crate::locate::named;
use crate::memory::{Block, Octets};
use crate::message::host::own_sent_by;
use crate::message::scan::alike;
use crate::message::{Host, Message, Uri, Via, Writer};
use crate::setters::setters;
use crate::time::Duration;
use crate::transaction::Timers;
use crate::transport::{Address, SMALLEST_MTU, Transport};

/// The most [listeners](Config::listeners).
pub const MAX_LISTENERS: usize = 8;

/// The fewest octets of a [secret](Config::secret).
const SHORTEST_SECRET: usize = 16;

/// The longest text of a listener, in octets.
const LONGEST_SENT_BY: usize = 200;

/// Timer C unless configured: more than three minutes (RFC 3261 §16.6 step 11).
pub const TIMER_C: Duration = Duration::from_secs(185);

/// What Timer C has to be greater than.
const THREE_MINUTES: Duration = Duration::from_secs(180);

const _: () = assert!(TIMER_C.as_millis() > THREE_MINUTES.as_millis(), "RFC 3261 §16.6 step 11");

/// Which requests the application is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ask {
    /// Those whose Request-URI is this proxy's own. What passes through goes where it leads.
    #[default]
    Own = 0,
    /// Those as well that pass through and are in no dialog in which this proxy has stayed: INVITEs of strangers to strangers, say.
    OutOfDialog,
}

/// The configuration of a [`Proxy`](super::Proxy).
///
/// ```
/// use sip_core::proxy::Config;
///
/// let config = Config::new(&["192.0.2.5:5060"]).with_domains(&["example.com"]).with_recurse(true);
/// assert_eq!(config.listeners.len(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Config<'a> {
    /// Host and port under which this proxy is reached, for Via and Record-Route, of each listener: `192.0.2.5:5060`,
    /// `[2001:db8::5]:5060`. Their order is that of [`Flow::listener`](crate::transport::Flow::listener). A URI with one of them is
    /// this proxy's own. One that takes connections of one kind alone says so, `192.0.2.5:8080;transport=ws`: nothing else leaves from it
    /// while there is another. Without it a listener is for UDP and TCP.
    pub listeners: &'a [&'a str],
    /// Hosts by which this proxy is reached as well, at the ports of its listeners: each address of the machine, where a listener takes what
    /// comes to any of them (`0.0.0.0`). They are known as its own, and never written.
    pub aliases: &'a [&'a str],
    /// The domains that this proxy is responsible for, as they stand in the Request-URI: `example.com`. An address is one as well,
    /// `192.0.2.5` or `[2001:db8::5]`, for phones that have no name to register with: without a port it is then this proxy's own,
    /// at whatever port the listeners are.
    pub domains: &'a [&'a str],
    /// The value of Server in answers of the proxy's own; empty for none.
    pub server: &'a str,
    /// The option tags that Proxy-Require may name, separated by commas.
    pub supported: &'a str,
    /// The realm whose Proxy-Authorization is for this proxy, and goes no further; empty for none. With more [domains](Self::domains)
    /// than one it is that of the first, and each further one is its own.
    pub realm: &'a str,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// Timer C: how long an INVITE may go without a response other than 100, more than three minutes.
    pub timer_c: Duration,
    /// Seconds of Retry-After in a 503.
    pub retry_after: u32,
    /// The transport for URIs that name none.
    pub transport: Transport,
    /// The MTU of the paths to peers, in octets: at least 576, or zero when it isn't known. A request of more than 200
    /// octets less (1,300 when it isn't known) goes by TCP; with 65,535 none does (RFC 3261 §18.1.1).
    pub path_mtu: u16,
    /// Whether the proxy stays in the dialogs that requests make (Record-Route).
    pub record_route: bool,
    /// Whether the Contacts of a 3xx are tried, where the Request-URI was this proxy's own (RFC 3261 §16.7 step 4).
    pub recurse: bool,
    /// Which requests the application is asked about.
    pub ask: Ask,
    /// Whether requests are passed on without a transaction (RFC 3261 §16.11).
    pub stateless: bool,
    /// Whether a REGISTER for another domain gets a Path of this proxy, when its client supports that: its registrar then reaches the
    /// client by the flow that it came by (RFC 3327 §5.2, RFC 5626 §5.1).
    pub path: bool,
    /// Whether everybody who sends requests here is trusted to say who the caller is (RFC 3325). Off by default: P-Asserted-Identity is then
    /// left out of what is passed on.
    pub trust_asserted_identity: bool,
    /// What shows that a Record-Route or Path was written here, at least 16 octets that nobody else knows. Servers with the same one
    /// know each other's, and those of before a restart; empty for a new one at each start.
    pub secret: &'a [u8],
}

setters! {
    with_listeners listeners: &'a [&'a str];
    with_aliases aliases: &'a [&'a str];
    with_domains domains: &'a [&'a str];
    with_server server: &'a str;
    with_supported supported: &'a str;
    with_realm realm: &'a str;
    with_timers timers: Timers;
    with_timer_c timer_c: Duration;
    with_retry_after retry_after: u32;
    with_transport transport: Transport;
    with_path_mtu path_mtu: u16;
    with_record_route record_route: bool;
    with_recurse recurse: bool;
    with_ask ask: Ask;
    with_stateless stateless: bool;
    with_path path: bool;
    with_trust_asserted_identity trust_asserted_identity: bool;
    with_secret secret: &'a [u8];
}

impl<'a> Config<'a> {
    /// The usual configuration: stateful, in every dialog, no domain, no recursion, UDP, an unknown MTU.
    #[must_use]
    pub const fn new(listeners: &'a [&'a str]) -> Self {
        Self {
            listeners,
            aliases: &[],
            domains: &[],
            server: "",
            supported: "",
            realm: "",
            timers: Timers::DEFAULT,
            timer_c: TIMER_C,
            retry_after: 5,
            transport: Transport::Udp,
            path_mtu: 0,
            record_route: true,
            recurse: false,
            ask: Ask::Own,
            stateless: false,
            path: false,
            trust_asserted_identity: false,
            secret: b"",
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |argument| Err(ConfigError::Invalid(argument));
        if self.listeners.is_empty() || self.listeners.len() > MAX_LISTENERS {
            return invalid(Argument::Listeners);
        }
        if self.domains.iter().any(|domain| Host::parse(domain.as_bytes()).is_err()) {
            return invalid(Argument::Domains);
        }
        if self.aliases.iter().any(|alias| Host::parse(alias.as_bytes()).is_err()) {
            return invalid(Argument::Listeners);
        }
        if self.timer_c <= THREE_MINUTES {
            return invalid(Argument::TimerC);
        }
        if !cfg!(feature = "streams") && self.transport != Transport::Udp {
            return invalid(Argument::Transport);
        }
        if self.path_mtu != 0 && self.path_mtu < SMALLEST_MTU {
            return invalid(Argument::PathMtu);
        }
        if !self.secret.is_empty() && self.secret.len() < SHORTEST_SECRET {
            return invalid(Argument::Secret);
        }
        for (text, argument) in
            [(self.server, Argument::UserAgent), (self.supported, Argument::Supported), (self.realm, Argument::Realm)]
        {
            if text.bytes().any(|octet| octet < b' ' || octet == 0x7f) {
                return invalid(argument);
            }
        }
        Ok(())
    }
}

/// Writes texts, each with a comma behind it.
fn write_list(writer: &mut Writer<'_>, texts: &[&str]) {
    for text in texts {
        writer.raw(text.as_bytes());
        writer.raw(b",");
    }
}

/// An end on this side: where its text lies, and what it says.
#[derive(Clone, Copy, Debug)]
struct Listener {
    start: u16,
    host_end: u16,
    end: u16,
    /// Its address; none when its host is a name. The port is the one of the text, or 5060.
    address: Address,
    port: u16,
    /// What it takes, where that is one kind of connection alone.
    only: Transport,
}

impl Listener {
    const ZERO: Self = Self { start: 0, host_end: 0, end: 0, address: Address::NONE, port: 0, only: Transport::None };

    /// Reads what stands in `text` from `start` on.
    fn read(text: &str, start: usize) -> Result<Self, Argument> {
        // A search of the standard library for a string is one that a linker thinks can panic.
        let (text, param) = match text.bytes().position(|octet| octet == b';') {
            Some(at) => (text.get(..at).unwrap_or_default(), text.as_bytes().get(at..)),
            None => (text, None),
        };
        let only = match param.map(|param| param.strip_prefix(b";transport=")) {
            Some(Some(name)) => named(name),
            Some(None) => return Err(Argument::SentBy),
            None => Transport::None,
        };
        if text.len() > LONGEST_SENT_BY || only == Transport::Unknown {
            return Err(Argument::SentBy);
        }
        let (host, port) = own_sent_by(text.as_bytes())?;
        let port = port.unwrap_or(only.default_port());
        let place = |at: usize| u16::try_from(start.saturating_add(at)).map_err(|_| Argument::ConfigLength);
        Ok(Self {
            start: place(0)?,
            host_end: place(host.as_bytes().len())?,
            end: place(text.len())?,
            address: host.ip().map_or(Address::NONE, |ip| Address::new(ip, port)),
            port,
            only,
        })
    }

    /// Its host and port, as the configuration has them.
    fn sent_by<'k>(&self, texts: &'k [u8]) -> &'k [u8] {
        texts.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// Whether what goes by this transport leaves from here as others come in.
    fn carries(&self, transport: Transport) -> bool {
        match self.only {
            Transport::None => !matches!(transport, Transport::Tls | Transport::Ws | Transport::Wss),
            only => only == transport,
        }
    }

    /// Whether this is its host and port.
    fn is(&self, texts: &[u8], host: &[u8], port: u16) -> bool {
        if self.port != port {
            return false;
        }
        let own = texts.get(usize::from(self.start)..usize::from(self.host_end)).unwrap_or_default();
        // An IPv6 address is written in many ways.
        alike(own, host) || host.starts_with(b"[") && Host::checked(host).ip() == self.address.ip()
    }
}

/// What of a URI is this proxy's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// It names a listener.
    Listener,
    /// It names a domain that this proxy is responsible for.
    Domain,
}

/// The configuration as it is kept: the texts in one block, the rest by value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    texts: Block,
    listeners: [Listener; MAX_LISTENERS],
    /// Where the listeners, the domains, each with a comma behind it, the text of Server, the option tags, the realm and the aliases, like
    /// the domains, end.
    ends: [u16; 6],
    pub(super) timers: Timers,
    pub(super) timer_c: Duration,
    pub(super) retry_after: u32,
    pub(super) transport: Transport,
    pub(super) record_route: bool,
    pub(super) recurse: bool,
    pub(super) stateless: bool,
    pub(super) path: bool,
    pub(super) trust_asserted_identity: bool,
    pub(super) ask: Ask,
    pub(super) tokens: Tokens,
}

impl Settings {
    pub(super) const ZERO: Self = Self {
        texts: Block::NONE,
        listeners: [Listener::ZERO; MAX_LISTENERS],
        ends: [0; 6],
        timers: Timers::ZERO,
        timer_c: Duration::ZERO,
        retry_after: 0,
        transport: Transport::None,
        record_route: false,
        recurse: false,
        stateless: false,
        path: false,
        trust_asserted_identity: false,
        ask: Ask::Own,
        tokens: Tokens::ZERO,
    };

    /// Checks the configuration and keeps it.
    pub(super) fn keep<O: Octets>(config: &Config<'_>, octets: &mut O) -> Result<Self, ConfigError> {
        config.check()?;
        let mut settings = Self {
            timers: config.timers,
            timer_c: config.timer_c,
            retry_after: config.retry_after,
            transport: config.transport,
            record_route: config.record_route,
            recurse: config.recurse,
            stateless: config.stateless,
            path: config.path,
            trust_asserted_identity: config.trust_asserted_identity,
            ask: config.ask,
            ..Self::ZERO
        };
        let mut end = 0_usize;
        for (text, listener) in config.listeners.iter().zip(settings.listeners.iter_mut()) {
            *listener = Listener::read(text, end).map_err(ConfigError::Invalid)?;
            end = end.saturating_add(text.len());
        }
        let listed =
            |texts: &[&str]| texts.iter().fold(0_usize, |sum, text| sum.saturating_add(text.len()).saturating_add(1));
        let (domains, aliases) = (listed(config.domains), listed(config.aliases));
        let texts = [0, domains, config.server.len(), config.supported.len(), config.realm.len(), aliases];
        for (length, kept) in texts.into_iter().zip(settings.ends.iter_mut()) {
            end = end.saturating_add(length);
            *kept = u16::try_from(end).map_err(|_| ConfigError::Invalid(Argument::ConfigLength))?;
        }
        let written = octets.write(end, false, |_, writer| {
            config.listeners.iter().for_each(|text| writer.raw(text.as_bytes()));
            write_list(writer, config.domains);
            writer.raw(config.server.as_bytes());
            writer.raw(config.supported.as_bytes());
            writer.raw(config.realm.as_bytes());
            write_list(writer, config.aliases);
        });
        settings.texts = written.map_err(|_| ConfigError::Capacity(Capacity::octets(end)))?;
        Ok(settings)
    }

    pub(super) const fn block(&self) -> Block {
        self.texts
    }

    /// The listeners.
    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().take_while(|listener| listener.port != 0)
    }

    /// Host and port of a listener, for Via and Record-Route; of the first one when there is none of this number.
    pub(super) fn sent_by<'k>(&self, texts: &'k [u8], listener: u8) -> &'k [u8] {
        let known = self.listeners.get(usize::from(listener)).filter(|listener| listener.port != 0);
        let Some(listener) = known.or(self.listeners.first()) else { return b"" };
        listener.sent_by(texts)
    }

    /// The listener by which a message to `remote` leaves that came by `preferred`: that one, or the first one, of the remote's
    /// family and for its transport; where there is none for that, of its family.
    pub(super) fn listener_to(&self, (remote, transport): (Address, Transport), preferred: u8) -> u8 {
        let of_family = |listener: &Listener| match (listener.address.ip(), remote.ip()) {
            (Some(own), Some(remote)) => own.is_ipv4() == remote.is_ipv4(),
            _ => true,
        };
        let alike = |listener: &Listener| of_family(listener) && listener.carries(transport);
        let came_by = self.listeners.get(usize::from(preferred));
        if came_by.is_some_and(alike) {
            return preferred;
        }
        let first = match self.listeners().position(alike) {
            None if came_by.is_some_and(of_family) => return preferred,
            None => self.listeners().position(of_family),
            found => found,
        };
        u8::try_from(first.unwrap_or(0)).unwrap_or(0)
    }

    /// One of the texts behind those of the listeners.
    fn text<'k>(&self, texts: &'k [u8], index: usize) -> &'k [u8] {
        let end_of = |index: usize| self.ends.get(index).copied().unwrap_or(0);
        let (start, end) = (end_of(index), end_of(index.saturating_add(1)));
        texts.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    /// The value of Server.
    pub(super) fn server<'k>(&self, texts: &'k [u8]) -> &'k [u8] {
        self.text(texts, 1)
    }

    /// The option tags that Proxy-Require may name.
    pub(super) fn supported<'k>(&self, texts: &'k [u8]) -> &'k [u8] {
        self.text(texts, 2)
    }

    /// The realm whose credentials in a request go no further: that of the domain from which it says to come.
    pub(super) fn realm<'k>(&self, texts: &'k [u8], request: &Message<'_>) -> &'k [u8] {
        let realm = self.text(texts, 3);
        if realm.is_empty() {
            return realm;
        }
        let mut domains = self.text(texts, 0).split(|octet| *octet == b',').filter(|domain| !domain.is_empty()).skip(1);
        let Some(second) = domains.next() else { return realm };
        let from = request.from().uri().ok();
        let is_from = |domain: &&[u8]| from.is_some_and(|uri| alike(domain, uri.host_text()));
        core::iter::once(second).chain(domains).find(is_from).unwrap_or(realm)
    }

    /// Whether a URI is this proxy's own (RFC 3261 §16.4, §16.5).
    pub(super) fn own(&self, texts: &[u8], uri: &Uri<'_>) -> Option<Own> {
        if !uri.is_sip() {
            return None;
        }
        self.own_host(texts, uri.host_text(), uri.port(), || crate::locate::transport_of(uri, Transport::Udp))
    }

    /// The same of a host and a port, and of the transport, which is asked for where the port does not decide.
    pub(super) fn own_host(
        &self,
        texts: &[u8],
        host: &[u8],
        port: Option<u16>,
        transport: impl Fn() -> Transport,
    ) -> Option<Own> {
        let default = || transport().default_port();
        let port = port.unwrap_or_else(default);
        if self.listeners().any(|listener| listener.is(texts, host, port)) || self.is_alias(texts, host, port) {
            return Some(Own::Listener);
        }
        let mut domains = self.text(texts, 0).split(|octet| *octet == b',').filter(|domain| !domain.is_empty());
        let is_served = || self.listeners().any(|listener| listener.port == port) || port == default();
        (domains.any(|domain| alike(domain, host)) && is_served()).then_some(Own::Domain)
    }

    /// Whether a text is the host and port of a listener, octet by octet as the configuration has them.
    pub(super) fn is_sent_by(&self, texts: &[u8], text: &[u8]) -> bool {
        // Without a port it names the usual one (RFC 3261 §19.1.2), which that of a listener under TLS is not.
        let usual = Transport::Udp.default_port();
        let says_port = |one: &&Listener| one.end > one.host_end || one.port == usual;
        self.listeners().filter(says_port).any(|listener| listener.sent_by(texts) == text)
    }

    /// Whether a Via is one of this proxy's.
    pub(super) fn own_via(&self, texts: &[u8], via: &Via<'_>) -> bool {
        let port = via.port().unwrap_or(Transport::Udp.default_port());
        self.listeners().any(|listener| listener.is(texts, via.host_text(), port))
    }

    /// Whether a host is another name or address of this proxy, and the port a listener's.
    fn is_alias(&self, texts: &[u8], host: &[u8], port: u16) -> bool {
        if self.text(texts, 4).is_empty() {
            return false;
        }
        let host = Host::checked(host);
        let mut aliases = self.text(texts, 4).split(|octet| *octet == b',').filter(|alias| !alias.is_empty());
        aliases.any(|alias| Host::parse(alias).is_ok_and(|alias| alias.same(host)))
            && self.listeners().any(|listener| listener.port == port)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
