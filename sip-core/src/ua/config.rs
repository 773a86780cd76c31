//! What the application decides before the start, and how the user agent keeps it.

use super::usage::invite::reliable::RELIABLE;
use crate::digest::Algorithm;
use crate::error::{Argument, ConfigError, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::Uri;
use crate::message::host::own_sent_by;
use crate::message::option_tags::list_contains_tag;
use crate::message::scan::{USER, is};
use crate::setters::setters;
use crate::time::Duration;
use crate::transaction::Timers;
use crate::transport::{SMALLEST_MTU, Transport};
#[cfg(feature = "session-timer")]
use crate::ua::usage::invite::{SHORTEST_SESSION, WantedSession};

/// The configuration of a [`UserAgent`](super::UserAgent).
///
/// ```
/// use sip_core::transport::Transport;
/// use sip_core::ua::Config;
///
/// let config = Config::new("192.0.2.1:5060", "sip:alice@example.com")
///     .with_contact_user("alice")
///     .with_transport(Transport::Tcp);
/// assert_eq!(config.contact_user, "alice");
/// ```
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Config<'a> {
    /// Host and port under which this user agent is reached, for Via and Contact: `192.0.2.1:5060`, `[2001:db8::1]:5060`.
    /// Neither a wildcard (`0.0.0.0`, `[::]`) nor port 0, under which nobody is reached.
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
    /// Option tags that the application supports (Supported, and accepted in Require), separated by commas. They stand beside those
    /// of the core.
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
    /// [`Event::RefreshDue`](super::Event::RefreshDue). A name in `sent_by` stays, and so does the
    /// port over a connection without a NAT (but see [`accepts_connections`](Self::accepts_connections)). Each registration has its own; calls go by the one that was learned last. To be
    /// switched off where the address was chosen with care: a port forwarded by hand.
    pub learn_address: bool,
    /// Whether peers can open connections to `sent_by`. Where they can't, as where nobody listens, the port of the connection to
    /// a registrar is the only one by which this user agent is reached, and is learned without a NAT too.
    pub accepts_connections: bool,
    /// Whether a request outside of a dialog is refused with 404 when its Request-URI names a user that is neither
    /// `contact_user`, nor that of `identity` or of an address of record (RFC 3261 §8.2.2.1). Off by default: a phone
    /// that sits behind one line takes what comes.
    pub refuse_other_users: bool,
    /// Whether the peers of calls may transfer us: REFER and Replaces are taken, and [`Event::Refer`](super::Event::Refer) and
    /// [`Event::Replacing`](super::Event::Replacing) told. Off by default; ours go out all the same.
    #[cfg(feature = "refer")]
    pub transfers: bool,
    /// Whether provisional responses are acknowledged, ours and the peer's (RFC 3262). Off by default; needs the feature `100rel`.
    pub reliable_provisional: ReliableProvisional,
    /// How long a session is to last without a refresh, in seconds (RFC 4028): what our calls ask for, and what we give to calls of
    /// peers that ask for nothing or for more. Zero, the default, asks for nothing; who asks us for a timer gets one.
    #[cfg(feature = "session-timer")]
    pub session_expires: u32,
    /// The shortest session that is accepted, in seconds: 90, the default, or more. A call that asks for less is refused with 422.
    #[cfg(feature = "session-timer")]
    pub min_se: u32,
}

/// What becomes of provisional responses, which get lost unless they are acknowledged (RFC 3262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReliableProvisional {
    /// They go out once. An INVITE that requires more is refused with 420.
    #[default]
    Off = 0,
    /// They are acknowledged where the other side takes part: our INVITEs say so (`Supported: 100rel`), and what
    /// [`ring`](super::UserAgent::ring) sends to a caller that says so is repeated until it is acknowledged.
    Supported,
    /// They have to be: our INVITEs require it (`Require: 100rel`), and those of callers that do not take part are refused with 421.
    Required,
}

setters! {
    with_sent_by sent_by: &'a str;
    with_identity identity: &'a str;
    with_contact_user contact_user: &'a str;
    with_user_agent user_agent: &'a str;
    with_proxy proxy: &'a str;
    with_methods methods: &'a str;
    with_supported supported: &'a str;
    with_accept accept: &'a str;
    with_timers timers: Timers;
    with_ring_limit ring_limit: Duration;
    with_keep_alive keep_alive: Duration;
    with_minimum_algorithm minimum_algorithm: Algorithm;
    with_retry_after retry_after: u32;
    with_transport transport: Transport;
    with_path_mtu path_mtu: u16;
    with_learn_address learn_address: bool;
    with_accepts_connections accepts_connections: bool;
    with_refuse_other_users refuse_other_users: bool;
    with_reliable_provisional reliable_provisional: ReliableProvisional;
}

#[cfg(feature = "refer")]
setters! {
    with_transfers transfers: bool;
}

#[cfg(feature = "session-timer")]
setters! {
    with_session_expires session_expires: u32;
    with_min_se min_se: u32;
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
            accepts_connections: true,
            refuse_other_users: false,
            reliable_provisional: ReliableProvisional::Off,
            #[cfg(feature = "refer")]
            transfers: false,
            #[cfg(feature = "session-timer")]
            session_expires: 0,
            #[cfg(feature = "session-timer")]
            min_se: SHORTEST_SESSION,
        }
    }

    /// Option tags of the core that come before others in Supported, the last one first: alone, and before others.
    const fn own_extensions(&self) -> [[&'static str; 2]; 4] {
        let timer = if cfg!(feature = "session-timer") { ["timer", "timer, "] } else { ["", ""] };
        let reliable = match self.reliable_provisional {
            ReliableProvisional::Off => ["", ""],
            _ => ["100rel", "100rel, "],
        };
        #[cfg(feature = "refer")]
        let transfers = self.transfers;
        #[cfg(not(feature = "refer"))]
        let transfers = false;
        let [replaces, silent] =
            if transfers { [["replaces", "replaces, "], ["norefersub", "norefersub, "]] } else { [["", ""]; 2] };
        [silent, replaces, timer, reliable]
    }

    /// The texts as they are kept.
    const fn texts(&self) -> [&'a str; TEXTS] {
        let (sent_by, identity, contact_user) = (self.sent_by, self.identity, self.contact_user);
        [sent_by, identity, contact_user, self.user_agent, self.proxy, self.methods, self.supported, self.accept, ""]
    }

    fn check(&self, texts: &[&str; TEXTS]) -> Result<(), Argument> {
        for (text, &argument) in texts.iter().zip(&ARGUMENTS) {
            let fine = match argument {
                Argument::SentBy => {
                    check_sent_by(text.as_bytes())?;
                    true
                }
                Argument::ContactUser => text.bytes().all(is_user),
                Argument::Proxy if text.is_empty() => true,
                Argument::Identity | Argument::Proxy => Uri::parse(text.as_bytes()).is_ok(),
                _ => !text.bytes().any(|octet| octet < b' ' || octet == 0x7f),
            };
            if !fine {
                return Err(argument);
            }
        }
        #[cfg(feature = "session-timer")]
        if self.min_se < SHORTEST_SESSION || self.session_expires != 0 && self.session_expires < self.min_se {
            return Err(Argument::SessionTimer);
        }
        if !cfg!(feature = "streams") && self.transport != Transport::Udp {
            return Err(Argument::Transport);
        }
        if !RELIABLE && self.reliable_provisional != ReliableProvisional::Off {
            return Err(Argument::Supported);
        }
        if self.path_mtu != 0 && self.path_mtu < SMALLEST_MTU { Err(Argument::PathMtu) } else { Ok(()) }
    }
}

/// What is wrong when a text can't be used.
static ARGUMENTS: [Argument; TEXTS] = [
    Argument::SentBy,
    Argument::Identity,
    Argument::ContactUser,
    Argument::UserAgent,
    Argument::Proxy,
    Argument::Methods,
    Argument::Supported,
    Argument::Accept,
    Argument::ConfigLength,
];

/// Whether an octet can stand in the user part of a SIP URI, however long that is (RFC 3261 §25.1, `user` and `escaped`).
fn is_user(octet: u8) -> bool {
    octet == b'%' || octet != b'#' && is(octet, USER)
}

/// The longest text of a host and port, in octets: a name has 255 at most.
const LONGEST_SENT_BY: usize = 296;

/// Checks that `text` can stand as a host and port in Via and Contact; what is wrong with it.
#[inline(never)]
fn check_sent_by(text: &[u8]) -> Result<(), Argument> {
    if text.len() > LONGEST_SENT_BY { Err(Argument::SentBy) } else { own_sent_by(text).map(drop) }
}

const TEXTS: usize = 9;

/// The configuration as it is kept: the texts in one block, the rest by value.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(super) struct Settings {
    pub(super) transport: Transport,
    pub(super) minimum_algorithm: Algorithm,
    pub(super) learns: bool,
    pub(super) accepts_connections: bool,
    pub(super) refuse_other_users: bool,
    pub(super) reliable: ReliableProvisional,
    #[cfg(feature = "refer")]
    pub(super) transfers: bool,
    ends: [u16; TEXTS],
    texts: Block,
    pub(super) retry_after: u32,
    pub(super) timers: Timers,
    pub(super) ring_limit: Duration,
    pub(super) keep_alive: Duration,
    #[cfg(feature = "session-timer")]
    pub(super) session: WantedSession,
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
    /// Host and port as a registrar saw them last; empty while none has corrected the configured one.
    Learned,
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
        accepts_connections: false,
        refuse_other_users: false,
        reliable: ReliableProvisional::Off,
        #[cfg(feature = "refer")]
        transfers: false,
        #[cfg(feature = "session-timer")]
        session: WantedSession { interval: 0, min_se: 0 },
    };

    /// Checks the configuration and keeps it.
    pub(super) fn keep<O: Octets>(config: &Config<'_>, octets: &mut O) -> Result<Self, ConfigError> {
        let texts = config.texts();
        config.check(&texts).map_err(ConfigError::Invalid)?;
        let mut settings = Self {
            timers: config.timers,
            ring_limit: config.ring_limit,
            keep_alive: config.keep_alive,
            retry_after: config.retry_after,
            minimum_algorithm: config.minimum_algorithm,
            transport: config.transport,
            learns: config.learn_address,
            accepts_connections: config.accepts_connections,
            refuse_other_users: config.refuse_other_users,
            reliable: config.reliable_provisional,
            #[cfg(feature = "refer")]
            transfers: config.transfers,
            #[cfg(feature = "session-timer")]
            session: WantedSession { interval: config.session_expires, min_se: config.min_se },
            texts: Block::NONE,
            ends: [0; TEXTS],
        };
        let mut end = 0_usize;
        for (text, kept) in texts.iter().zip(settings.ends.iter_mut()) {
            end = end.wrapping_add(text.len());
            *kept = u16::try_from(end).map_err(|_| ConfigError::Invalid(Argument::ConfigLength))?;
        }
        settings.texts = octets
            .write(end, false, |_, writer| texts.iter().for_each(|text| writer.raw(text.as_bytes())))
            .map_err(|_| ConfigError::Capacity(crate::error::Capacity::octets(end)))?;
        if RELIABLE || cfg!(any(feature = "session-timer", feature = "refer")) {
            for [alone, before] in config.own_extensions() {
                if list_contains_tag(config.supported.as_bytes(), alone.as_bytes()) {
                    continue;
                }
                let (start, end) = settings.range(Text::Supported);
                let own = if start == end { alone } else { before };
                let room = octets.get(settings.texts).len().saturating_add(own.len());
                settings
                    .begin_with(Text::Supported, own.as_bytes(), octets)
                    .map_err(|_| ConfigError::Capacity(crate::error::Capacity::octets(room)))?;
            }
        }
        Ok(settings)
    }

    /// Takes another `sent_by`; what registrars said of the old one is forgotten.
    pub(super) fn move_to<O: Octets>(&mut self, sent_by: &[u8], octets: &mut O) -> Result<(), Error> {
        check_sent_by(sent_by).map_err(Error::Invalid)?;
        self.replace(Text::SentBy, sent_by, octets)?;
        self.replace(Text::Learned, b"", octets)
    }

    /// Takes another text.
    #[inline(never)]
    pub(super) fn replace<O: Octets>(&mut self, text: Text, value: &[u8], octets: &mut O) -> Result<(), Error> {
        let (old, (start, end)) = (self.texts, self.range(text));
        let room = octets.get(old).len().wrapping_add(value.len());
        self.texts = octets.write(room, true, |kept, writer| {
            let texts = kept.get(old);
            writer.raw(texts.get(..start).unwrap_or_default());
            writer.raw(value);
            writer.raw(texts.get(end..).unwrap_or_default());
        })?;
        let length = |octets: usize| u16::try_from(octets).unwrap_or(u16::MAX);
        for kept in self.ends.iter_mut().skip(text as usize) {
            *kept = kept.wrapping_sub(length(end.wrapping_sub(start))).wrapping_add(length(value.len()));
        }
        octets.release(old);
        Ok(())
    }

    /// Writes something before what is in a text.
    fn begin_with<O: Octets>(&mut self, text: Text, start: &[u8], octets: &mut O) -> Result<(), Error> {
        if start.is_empty() {
            return Ok(());
        }
        let (old, (at, _)) = (self.texts, self.range(text));
        let room = octets.get(old).len().saturating_add(start.len());
        self.texts = octets.write(room, true, |kept, writer| {
            let (before, behind) = kept.get(old).split_at_checked(at).unwrap_or_default();
            [before, start, behind].iter().for_each(|text| writer.raw(text));
        })?;
        let more = u16::try_from(start.len()).unwrap_or(u16::MAX);
        for kept in self.ends.iter_mut().skip(text as usize) {
            *kept = kept.saturating_add(more);
        }
        octets.release(old);
        Ok(())
    }

    /// Where a text lies in the octets of [`block`](Self::block).
    fn range(&self, text: Text) -> (usize, usize) {
        let index = text as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        (usize::from(start), usize::from(self.ends.get(index).copied().unwrap_or(0)))
    }

    /// Host and port for Via and Contact.
    pub(super) fn sent_by<'k>(&self, kept: &'k [u8]) -> &'k [u8] {
        match self.text(kept, Text::Learned) {
            b"" => self.text(kept, Text::SentBy),
            learned => learned,
        }
    }

    /// One text out of the octets of [`block`](Self::block).
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn text<'k>(&self, kept: &'k [u8], text: Text) -> &'k [u8] {
        let (start, end) = self.range(text);
        kept.get(start..end).unwrap_or_default()
    }

    pub(super) fn block(&self) -> Block {
        self.texts
    }
}
