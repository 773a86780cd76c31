//! What a server does, as data, and how it keeps it.

use crate::error::{Argument, Capacity, ConfigError};
use crate::guard;
use crate::memory::{Block, Octets};
use crate::message::scan::{alike, elements};
use crate::message::{Host, NameAddr, Uri};
use crate::proxy::{self, Ask};
use crate::registrar::{Aor, Policy};
use crate::setters::setters;

/// Who may have requests passed on to other domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Relay {
    /// Users who have proven to be users (407). What comes inside a dialog by a Route of
    /// this server passes: its way was laid with the first request.
    #[default]
    Users = 0,
    /// Nobody: 403.
    Nobody,
    /// Everybody. Such a server is found by those who call at others' expense.
    Everybody,
}

/// The configuration of a [`Server`](super::Server).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config<'a> {
    /// How requests are passed on: the addresses at which the server listens, and its domains.
    pub proxy: proxy::Config<'a>,
    /// How users are proven: the secret, and the clock.
    pub guard: guard::Config<'a>,
    /// What is granted to who registers.
    pub policy: Policy,
    /// The protection domain of challenges for the first domain, which the HA1s of its users are computed with; empty for its name. Each
    /// further domain is its own: users of one are nobody in another.
    pub realm: &'a str,
    /// The value of Service-Route in a 200 to REGISTER (RFC 3608); empty for none.
    pub service_route: &'a str,
    /// The Route value by which users go who are nobody's here, a gateway's: `<sip:gateway.example.com;lr>`; empty for 404.
    pub default_route: &'a str,
    /// Whether who registers has to be proven (401).
    pub challenge_registrations: bool,
    /// Whether who says to be a user of a domain of this server has to be proven with other requests too (407).
    pub challenge_requests: bool,
    /// Who may have requests passed on to other domains.
    pub relay: Relay,
    /// Whether callers are told where the registered are (302), instead of being connected.
    pub redirect: bool,
    /// Whether a REGISTER that changes something waits until the application has stored it: see
    /// [`Event::Store`](super::Event::Store).
    pub store: bool,
}

setters! {
    with_proxy proxy: proxy::Config<'a>;
    with_guard guard: guard::Config<'a>;
    with_policy policy: Policy;
    with_realm realm: &'a str;
    with_service_route service_route: &'a str;
    with_default_route default_route: &'a str;
    with_challenge_registrations challenge_registrations: bool;
    with_challenge_requests challenge_requests: bool;
    with_relay relay: Relay;
    with_redirect redirect: bool;
    with_store store: bool;
}

impl<'a> Config<'a> {
    /// The usual configuration: everybody who says to be a user is proven, and nobody else is passed on.
    #[must_use]
    pub const fn new(listeners: &'a [&'a str], domains: &'a [&'a str], secret: &'a [u8]) -> Self {
        Self {
            proxy: proxy::Config::new(listeners).with_domains(domains),
            guard: guard::Config::new(secret),
            policy: Policy::new(),
            realm: "",
            service_route: "",
            default_route: "",
            challenge_registrations: true,
            challenge_requests: true,
            relay: Relay::Users,
            redirect: false,
            store: false,
        }
    }

    /// The same with the seconds since 1970 at the role's moment zero, for nonces and records.
    #[must_use]
    pub const fn with_epoch(mut self, epoch: u64) -> Self {
        self.guard.epoch = epoch;
        self
    }

    /// What the proxy has to ask about, and whose credentials it keeps to itself.
    pub(super) fn proxy_config(&self) -> proxy::Config<'a> {
        let asks = !matches!(self.relay, Relay::Everybody) || self.challenge_requests;
        self.proxy.with_ask(if asks { Ask::OutOfDialog } else { Ask::Own }).with_realm(self.own_realm())
    }

    /// The realm, that of the first domain unless it is configured.
    fn own_realm(&self) -> &'a str {
        let of_listener = || self.proxy.listeners.first().map_or("", |sent_by| host_of(sent_by));
        if !self.realm.is_empty() {
            self.realm
        } else {
            self.proxy.domains.first().copied().unwrap_or_else(of_listener)
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let is_text = |text: &str| text.bytes().all(|octet| !matches!(octet, b'"' | b'\\' | 0..32 | 127));
        if !is_text(self.own_realm()) || self.own_realm().is_empty() {
            return Err(ConfigError::Invalid(Argument::Realm));
        }
        let is_route = |route: &str| elements(route.as_bytes()).all(NameAddr::is_route);
        if !is_route(self.service_route) || !is_route(self.default_route) {
            return Err(ConfigError::Invalid(Argument::Route));
        }
        if self.guard.secret.len() < 16 {
            return Err(ConfigError::Invalid(Argument::Secret));
        }
        Ok(())
    }
}

/// The host of `host:port`, with a parameter behind it or not.
fn host_of(listener: &str) -> &str {
    let sent_by = listener.split(';').next().unwrap_or_default();
    match sent_by.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => host,
        _ => sent_by,
    }
}

/// The configuration as it is kept: the texts in one block, the rest by value. All zero before the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    texts: Block,
    /// Where the domains, the realm, Service-Route and the default route end.
    ends: [u16; 4],
    pub(super) challenge_registrations: bool,
    pub(super) challenge_requests: bool,
    pub(super) relay: Relay,
    pub(super) redirect: bool,
    pub(super) store: bool,
}

impl Settings {
    pub(super) const ZERO: Self = Self {
        texts: Block::NONE,
        ends: [0; 4],
        challenge_registrations: false,
        challenge_requests: false,
        relay: Relay::Users,
        redirect: false,
        store: false,
    };

    pub(super) fn keep<O: Octets>(config: &Config<'_>, octets: &mut O) -> Result<Self, ConfigError> {
        config.check()?;
        let mut ends = [0_usize; 4];
        let written = octets.write(256, false, |_, w| {
            for domain in config.proxy.domains {
                w.raw(domain.as_bytes());
                w.raw(b",");
            }
            for (end, text) in ends.iter_mut().zip([config.own_realm(), config.service_route, config.default_route, ""])
            {
                *end = w.len();
                w.raw(text.as_bytes());
            }
        });
        let all = ends.last().copied().unwrap_or(0);
        let texts = written.map_err(|_| ConfigError::Capacity(Capacity::octets(all)))?;
        Ok(Self {
            texts,
            ends: ends.map(|end| u16::try_from(end).unwrap_or(u16::MAX)),
            challenge_registrations: config.challenge_registrations,
            challenge_requests: config.challenge_requests,
            relay: config.relay,
            redirect: config.redirect,
            store: config.store,
        })
    }

    /// The texts, to be read.
    pub(super) fn texts<'k, O: Octets>(&self, octets: &'k O) -> Texts<'k> {
        let all = octets.get(self.texts);
        let [a, b, c, d] = self.ends.map(usize::from);
        let text = |from: usize, to: usize| all.get(from..to).unwrap_or_default();
        Texts { domains: text(0, a), realm: text(a, b), service_route: text(b, c), default_route: text(c, d) }
    }
}

/// The texts of a configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'k> {
    domains: &'k [u8],
    pub(super) realm: &'k [u8],
    pub(super) service_route: &'k [u8],
    pub(super) default_route: &'k [u8],
}

impl<'k> Texts<'k> {
    /// The domain in which a user of this URI is kept: the one that it names, or, when it names the server by an address, the
    /// first. `None` when it has none.
    pub(super) fn domain(&self, uri: &Uri<'_>) -> Option<Host<'k>> {
        let mut domains = self.domains.split(|octet| *octet == b',').filter(|domain| !domain.is_empty());
        let first = domains.clone().next();
        let named = domains.find(|domain| alike(domain, uri.host_text()));
        Host::parse(named.or(first)?).ok()
    }

    /// The realm whose users speak for a URI: that of its domain.
    pub(super) fn realm_of(&self, uri: Option<&Uri<'_>>) -> &'k [u8] {
        let mut domains = self.domains.split(|octet| *octet == b',').filter(|domain| !domain.is_empty()).skip(1);
        let named = uri.and_then(|uri| domains.find(|domain| alike(domain, uri.host_text())));
        named.unwrap_or(self.realm)
    }

    /// The address of record that a URI of this server names, in the form in which it is kept.
    pub(super) fn aor<'u>(&self, uri: &Uri<'u>) -> Option<Aor<'u>>
    where
        'k: 'u,
    {
        let aor = Aor::of(uri)?;
        Some(match self.domain(uri) {
            Some(domain) => aor.within(domain),
            None => aor,
        })
    }
}
