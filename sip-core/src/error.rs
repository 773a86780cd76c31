//! What can go wrong: in the configuration, in what the application asks for, or for want of room.
//!
//! An [`Error`] is one word: it is what most of the core's functions return, and so are its texts looked up by number.

use core::fmt;

/// A limit of the [`Memory`](crate::ua::Memory) that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Capacity {
    /// Every transaction entry is taken or reserved for the hang-up of a call.
    Transactions,
    /// Every dialog entry is taken.
    Dialogs,
    /// Every call entry is taken.
    Calls,
    /// Every registration entry is taken.
    Registrations,
    /// Every entry for a REFER is taken.
    Referrals,
    /// Every response context of a proxy is taken.
    Contexts,
    /// Every branch entry of a proxy is taken.
    Branches,
    /// The message needs `needed` octets, more than are free.
    Octets {
        /// Octets that the message needs.
        needed: u16,
    },
    /// The message would be larger than 65,535 octets.
    MessageSize {
        /// Octets beyond that, or 65,535 of them when there are more.
        beyond: u16,
    },
}

impl Capacity {
    /// What refuses a message of `needed` octets: too few are free, or it is larger than 65,535.
    #[must_use]
    #[inline(never)]
    pub const fn octets(needed: usize) -> Self {
        const MOST: usize = u16::MAX as usize;
        match needed.checked_sub(MOST) {
            None | Some(0) => Self::Octets { needed: needed as u16 },
            Some(beyond) => Self::MessageSize { beyond: if beyond > MOST { u16::MAX } else { beyond as u16 } },
        }
    }
}

/// What was given and is not in the form it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum Argument {
    /// [`Config::sent_by`](crate::ua::Config::sent_by), or the address given to [`network_changed`](crate::ua::UserAgent::network_changed).
    SentBy,
    /// The same: a wildcard is the address of nobody.
    SentByWildcard,
    /// The same: port 0 is the port of nobody.
    SentByPort,
    /// [`Config::identity`](crate::ua::Config::identity).
    Identity,
    /// [`Config::proxy`](crate::ua::Config::proxy).
    Proxy,
    /// [`Config::contact_user`](crate::ua::Config::contact_user).
    ContactUser,
    /// [`Config::transport`](crate::ua::Config::transport).
    Transport,
    /// [`Config::path_mtu`](crate::ua::Config::path_mtu).
    PathMtu,
    /// [`Config::user_agent`](crate::ua::Config::user_agent).
    UserAgent,
    /// [`Config::methods`](crate::ua::Config::methods).
    Methods,
    /// [`Config::supported`](crate::ua::Config::supported).
    Supported,
    /// [`Config::accept`](crate::ua::Config::accept).
    Accept,
    /// [`Config::session_expires`](crate::ua::Config::session_expires) or [`min_se`](crate::ua::Config::min_se).
    #[cfg(feature = "session-timer")]
    SessionTimer,
    /// All texts of the configuration together.
    ConfigLength,
    /// Where a call or a request goes.
    Target,
    /// The same: its transport is one that nobody here knows.
    TargetTransport,
    /// Whom a call or a request comes from.
    From,
    /// The method of a request.
    Method,
    /// The method of a request, which the core sends when it is time.
    OwnMethod,
    /// The name of a header.
    HeaderName,
    /// A header that the core writes.
    OwnHeader,
    /// A header that would not stay one line.
    HeaderValue,
    /// The status of a response.
    Status,
    /// The status of a provisional response.
    ProvisionalStatus,
    /// The status of a refusal.
    RefusalStatus,
    /// How long a registration lasts.
    Expires,
    /// The URI of a registrar.
    Registrar,
    /// The URI of a registrar: a secure address of record goes by no other way.
    InsecureRegistrar,
    /// Realm, user or password.
    Credentials,
    /// One more realm with a password.
    MoreCredentials,
    /// The Contact of a peer's message.
    Contact,
    /// The Record-Route of a peer's message.
    RecordRoute,
    /// [`Config::listeners`](crate::proxy::Config::listeners).
    Listeners,
    /// [`Config::domains`](crate::proxy::Config::domains).
    Domains,
    /// [`Config::timer_c`](crate::proxy::Config::timer_c).
    TimerC,
    /// [`with_realm`](crate::server::Config::with_realm).
    Realm,
    /// [`Config::service_route`](crate::server::Config::service_route) or [`default_route`](crate::server::Config::default_route).
    Route,
    /// [`Config::secret`](crate::guard::Config::secret).
    Secret,
    /// Where a proxy is to pass a request on to.
    Targets,
}

impl Argument {
    /// Its name and the form it needs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SentBy => "sent_by: host or host:port, IPv6 in brackets",
            Self::SentByWildcard => "sent_by: an address under which peers reach this user agent, no wildcard",
            Self::SentByPort => "sent_by: a port on which peers reach this user agent, not port 0",
            Self::Identity => "identity: a URI",
            Self::Proxy => "proxy: a URI",
            Self::ContactUser => "contact_user: the user part of a SIP URI",
            Self::Transport => "transport: UDP, as the feature streams is off",
            Self::PathMtu => "path_mtu: 576 to 65,535, or zero",
            Self::UserAgent => "user_agent: one line",
            Self::Methods => "methods: one line",
            Self::Supported => "supported: one line",
            Self::Accept => "accept: one line",
            #[cfg(feature = "session-timer")]
            Self::SessionTimer => "session_expires: zero, or at least min_se, which is at least 90",
            Self::ConfigLength => "the configuration: at most 65,535 octets in all",
            Self::Target => "target: a sip or sips URI with a host and without headers",
            Self::TargetTransport => "target: a transport that is known: udp, tcp, tls, ws or wss",
            Self::From => "from: a URI or name-addr without a tag",
            Self::Method => "method: a token",
            Self::OwnMethod => "method: the core sends this one itself",
            Self::HeaderName => "header name: a token",
            Self::OwnHeader => "a header that the core writes itself",
            Self::HeaderValue => "a header value with a line end, or a name that is no token",
            Self::Status => "status: 101 to 699",
            Self::ProvisionalStatus => "status: 101 to 199",
            Self::RefusalStatus => "status: 300 to 699",
            Self::Expires => "expires: at least a second",
            Self::Registrar => "registrar: a sip or sips URI",
            Self::InsecureRegistrar => "registrar: a sips URI, as the address of record is one",
            Self::Credentials => "credentials: at most 65,535 octets each",
            Self::MoreCredentials => "more credentials than a user agent keeps",
            Self::Contact => "Contact",
            Self::RecordRoute => "Record-Route",
            Self::Listeners => "listeners: one to eight",
            Self::Domains => "domains: host names",
            Self::TimerC => "timer_c: more than three minutes",
            Self::Realm => "realm: one line without quotes",
            Self::Route => "routes: addresses of SIP URIs",
            Self::Secret => "secret: at least 16 octets",
            Self::Targets => "targets: one to 32 sip or sips URIs, with Route values in their form",
        }
    }
}

/// Why [`start`](crate::ua::UserAgent::start) refused its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The named field is empty or not in the form it needs.
    Invalid(Argument),
    /// The configuration does not fit.
    Capacity(Capacity),
    /// The role has been started already.
    AlreadyStarted,
}

/// Why a request of the application was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The handle names something that has ended.
    Gone,
    /// This can't be done in the present state (answering a call that was answered, say).
    State,
    /// There is no room.
    Capacity(Capacity),
    /// A URI, address or header value given is not in the form it needs.
    Invalid(Argument),
}

impl From<Capacity> for Error {
    fn from(capacity: Capacity) -> Self {
        Self::Capacity(capacity)
    }
}

impl From<Capacity> for ConfigError {
    fn from(capacity: Capacity) -> Self {
        Self::Capacity(capacity)
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transactions => f.write_str("no transaction is free"),
            Self::Dialogs => f.write_str("no dialog is free"),
            Self::Calls => f.write_str("no call is free"),
            Self::Registrations => f.write_str("no registration is free"),
            Self::Referrals => f.write_str("no entry for a REFER is free"),
            Self::Contexts => f.write_str("no response context is free"),
            Self::Branches => f.write_str("no branch is free"),
            Self::Octets { needed } => write!(f, "{needed} octets are needed and not free"),
            Self::MessageSize { beyond } => write!(f, "the message would have {beyond} octets more than 65,535"),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(field) => write!(f, "configuration: {field}"),
            Self::Capacity(capacity) => write!(f, "configuration: {capacity}"),
            Self::AlreadyStarted => f.write_str("started already"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it has ended"),
            Self::State => f.write_str("not in this state"),
            Self::Capacity(capacity) => capacity.fmt(f),
            Self::Invalid(what) => write!(f, "not in its form: {what}"),
        }
    }
}

impl core::error::Error for Capacity {}
impl core::error::Error for ConfigError {}
impl core::error::Error for Error {}

/// One word, also where pointers have 32 bits: a `Result` of it is returned in registers.
const _: () = assert!(size_of::<Error>() == 4 && size_of::<ConfigError>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_told_up_to_what_can_be() {
        for (needed, capacity) in [
            (0, Capacity::Octets { needed: 0 }),
            (65_535, Capacity::Octets { needed: 65_535 }),
            (65_536, Capacity::MessageSize { beyond: 1 }),
            (131_070, Capacity::MessageSize { beyond: 65_535 }),
            (usize::MAX, Capacity::MessageSize { beyond: 65_535 }),
        ] {
            assert_eq!(Capacity::octets(needed), capacity);
        }
    }

    #[test]
    fn errors_are_told_in_words() {
        let cases = [
            (Error::Gone, "it has ended"),
            (
                Error::Invalid(Argument::Target),
                "not in its form: target: a sip or sips URI with a host and without headers",
            ),
            (Capacity::octets(70_000).into(), "the message would have 4465 octets more than 65,535"),
        ];
        for (error, words) in cases {
            assert_eq!(ToString::to_string(&error), words);
        }
        let refused = ConfigError::Invalid(Argument::Proxy);
        assert_eq!(ToString::to_string(&refused), "configuration: proxy: a URI");
    }
}
