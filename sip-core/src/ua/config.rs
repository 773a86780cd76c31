//! What the application decides before the start, and how the user agent keeps it.

use crate::digest::Algorithm;
use crate::error::{Argument, ConfigError, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Uri, Writer};
use crate::time::Duration;
use crate::transaction::Timers;
use crate::transport::{Address, SMALLEST_MTU, Transport};

/// The configuration of a [`UserAgent`](super::UserAgent).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config<'a> {
    /// Host and port under which this user agent is reached, for Via and Contact: `192.0.2.1:5060`, `[2001:db8::1]:5060`.
    /// An address is corrected as a registrar sees it, see [`learn_address`](Self::learn_address).
    pub sent_by: &'a str,
    /// The URI of this user, for From where a request names no other: `sip:alice@example.com`.
    pub identity: &'a str,
    /// The user part of the Contact URI; empty for none.
    pub contact_user: &'a str,
    /// The value of User-Agent and Server; empty for none.
    pub user_agent: &'a str,
    /// The URI of an outbound proxy for requests outside of dialogs; empty for none.
    pub proxy: &'a str,
    /// Methods that the application answers itself, separated by commas: `INFO, MESSAGE`. They stand in Allow beside
    /// those of the core.
    pub methods: &'a str,
    /// Option tags that the application supports (Supported, and accepted in Require), separated by commas.
    pub supported: &'a str,
    /// The type of body that an INVITE may bring.
    pub accept: &'a str,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// How long a call may ring before it is given up, ours with CANCEL, the peer's with 480.
    pub ring_limit: Duration,
    /// How often an empty line goes to the registrar to keep a NAT open; zero for never.
    pub keep_alive: Duration,
    /// The weakest digest algorithm that may be answered.
    pub minimum_algorithm: Algorithm,
    /// Seconds of Retry-After in a 503.
    pub retry_after: u32,
    /// The transport for URIs that name none.
    pub transport: Transport,
    /// The MTU of the paths to peers, in octets: at least 576, or zero when it isn't known. A request of more than 200
    /// octets less (1,300 when it isn't known) goes by TCP; with 65,535 none does (RFC 3261 §18.1.1).
    pub path_mtu: u16,
    /// Whether an address in `sent_by` gives way to the one that a registrar says our REGISTER came from (`received` and
    /// `rport`, RFC 3581): Via and Contact change, the binding is made anew and the old one removed, and calls get
    /// [`Event::RefreshDue`](super::Event::RefreshDue). A name in `sent_by` stays. To be switched off where the address was
    /// chosen with care: a port forwarded by hand, two registrars in different networks.
    pub learn_address: bool,
}

impl<'a> Config<'a> {
    /// The usual configuration: no proxy, 180 s of ringing, no keep-alive, any digest algorithm, UDP, an unknown MTU.
    #[must_use]
    pub const fn new(sent_by: &'a str, identity: &'a str) -> Self {
        Self {
            sent_by,
            identity,
            contact_user: "",
            user_agent: "",
            proxy: "",
            methods: "",
            supported: "",
            accept: "application/sdp",
            timers: Timers::DEFAULT,
            ring_limit: Duration::from_secs(180),
            keep_alive: Duration::ZERO,
            minimum_algorithm: Algorithm::Md5,
            retry_after: 5,
            transport: Transport::Udp,
            path_mtu: 0,
            learn_address: true,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !is_host_port(self.sent_by.as_bytes()) {
            return Err(ConfigError::Invalid(Argument::SentBy));
        }
        if Uri::parse(self.identity.as_bytes()).is_err() {
            return Err(ConfigError::Invalid(Argument::Identity));
        }
        if !self.proxy.is_empty() && Uri::parse(self.proxy.as_bytes()).is_err() {
            return Err(ConfigError::Invalid(Argument::Proxy));
        }
        if !self
            .contact_user
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&octet))
        {
            return Err(ConfigError::Invalid(Argument::ContactUser));
        }
        if self.path_mtu != 0 && self.path_mtu < SMALLEST_MTU {
            return Err(ConfigError::Invalid(Argument::PathMtu));
        }
        one_line(self.user_agent, Argument::UserAgent)?;
        one_line(self.methods, Argument::Methods)?;
        one_line(self.supported, Argument::Supported)?;
        one_line(self.accept, Argument::Accept)
    }
}

#[inline(never)]
fn one_line(text: &str, otherwise: Argument) -> Result<(), ConfigError> {
    let control = text.bytes().any(|octet| octet < b' ' || octet == 0x7f);
    if control { Err(ConfigError::Invalid(otherwise)) } else { Ok(()) }
}

/// Whether `text` can stand as a host and port in Via and Contact.
#[inline(never)]
fn is_host_port(text: &[u8]) -> bool {
    let mut room = [0; 300];
    let mut writer = Writer::new(&mut room);
    writer.raw(b"sip:");
    writer.raw(text);
    let length = writer.finish().unwrap_or(0);
    let uri = Uri::parse(room.get(..length).unwrap_or_default());
    !text.iter().any(|octet| b"/;?@ ".contains(octet)) && uri.is_ok_and(|uri| uri.is_sip() && uri.user().is_none())
}

const TEXTS: usize = 8;

/// The configuration as it is kept: the texts in one block, the rest by value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    texts: Block,
    ends: [u16; TEXTS],
    pub(super) timers: Timers,
    pub(super) ring_limit: Duration,
    pub(super) keep_alive: Duration,
    pub(super) retry_after: u32,
    pub(super) minimum_algorithm: Algorithm,
    pub(super) transport: Transport,
    pub(super) learns: bool,
    /// The address that a registrar corrected last.
    pub(super) former: Address,
}

/// One of the texts of [`Settings`], in the order in which they are kept.
#[derive(Clone, Copy)]
pub(super) enum Text {
    SentBy = 0,
    Identity,
    ContactUser,
    UserAgent,
    Proxy,
    Methods,
    Supported,
    Accept,
}

impl Settings {
    pub(super) const ZERO: Self = Self {
        texts: Block::NONE,
        ends: [0; TEXTS],
        timers: Timers::ZERO,
        ring_limit: Duration::ZERO,
        keep_alive: Duration::ZERO,
        retry_after: 0,
        minimum_algorithm: Algorithm::Md5,
        transport: Transport::None,
        learns: false,
        former: Address::NONE,
    };

    /// Checks the configuration and keeps it.
    pub(super) fn keep<O: Octets>(config: &Config<'_>, octets: &mut O) -> Result<Self, ConfigError> {
        config.check()?;
        let texts = [
            config.sent_by,
            config.identity,
            config.contact_user,
            config.user_agent,
            config.proxy,
            config.methods,
            config.supported,
            config.accept,
        ];
        let mut settings = Self {
            timers: config.timers,
            ring_limit: config.ring_limit,
            keep_alive: config.keep_alive,
            retry_after: config.retry_after,
            minimum_algorithm: config.minimum_algorithm,
            transport: config.transport,
            learns: config.learn_address,
            ..Self::ZERO
        };
        let mut end = 0_usize;
        for (text, kept) in texts.iter().zip(settings.ends.iter_mut()) {
            end = end.saturating_add(text.len());
            *kept = u16::try_from(end).map_err(|_| ConfigError::Invalid(Argument::ConfigLength))?;
        }
        settings.texts = octets
            .write(end, false, |_, writer| texts.iter().for_each(|text| writer.raw(text.as_bytes())))
            .map_err(|_| ConfigError::Capacity(crate::error::Capacity::octets(end)))?;
        Ok(settings)
    }

    /// Takes another `sent_by`.
    #[inline(never)]
    pub(super) fn move_to<O: Octets>(&mut self, sent_by: &[u8], octets: &mut O) -> Result<(), Error> {
        if !is_host_port(sent_by) {
            return Err(Error::Invalid(Argument::SentBy));
        }
        let (old, [first, ..]) = (self.texts, self.ends);
        let room = octets.get(old).len().saturating_add(sent_by.len());
        self.texts = octets.write(room, true, |kept, writer| {
            writer.raw(sent_by);
            writer.raw(kept.get(old).get(usize::from(first)..).unwrap_or_default());
        })?;
        let length = u16::try_from(sent_by.len()).unwrap_or(u16::MAX);
        for end in &mut self.ends {
            *end = end.saturating_sub(first).saturating_add(length);
        }
        octets.release(old);
        Ok(())
    }

    /// One text out of the octets of [`block`](Self::block).
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn text<'k>(&self, kept: &'k [u8], text: Text) -> &'k [u8] {
        let index = text as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(0);
        kept.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    pub(super) fn block(&self) -> Block {
        self.texts
    }
}
