//! Why there is no TLS with a peer, in words.

use core::fmt;
use core::net::SocketAddr;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use sip_core::transport::FlowError;

/// A connection that TLS refused, or that the peer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRefusal {
    /// The peer.
    pub peer: SocketAddr,
    /// The name that its certificate had to bear; empty where the peer opened the connection.
    pub name: String,
    /// What was wrong.
    pub reason: TlsReason,
}

/// What was wrong with a TLS connection that was to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsReason {
    /// The certificate is good, and somebody else's: these are the names that it bears.
    Name(Vec<String>),
    /// The certificate's time is over, since so many seconds.
    Expired(u64),
    /// The certificate's time begins in so many seconds.
    NotYetValid(u64),
    /// Nobody who is trusted vouches for the certificate: who signed it, and whether that is its owner.
    Issuer(String, bool),
    /// The certificate is refused for another reason.
    Certificate(String),
    /// The peer had to show a certificate and has none.
    NoCertificate,
    /// What came is no TLS.
    NotTls,
    /// What came is TLS, at a port where messages go as they are.
    NotPlain,
    /// The peer refused, with this alert.
    Refused(String),
    /// The peer closed the connection before it was open.
    Closed,
    /// The handshake took too long, or gave way to others.
    Unfinished,
    /// Anything else.
    Other(String),
}

impl TlsReason {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                Self::NotTls
            }
            Error::AlertReceived(alert) => Self::Refused(alert_text(*alert)),
            error => Self::Other(error.to_string()),
        }
    }

    /// What a role is told.
    pub(crate) const fn flow_error(&self) -> FlowError {
        match self {
            Self::Name(_)
            | Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::Issuer(..)
            | Self::Certificate(_)
            | Self::NoCertificate => FlowError::Certificate,
            Self::Closed => FlowError::Closed,
            Self::Unfinished => FlowError::Unreachable,
            Self::NotTls | Self::NotPlain | Self::Refused(_) | Self::Other(_) => FlowError::Handshake,
        }
    }
}

fn of_certificate(error: &CertificateError) -> TlsReason {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } => TlsReason::Name(presented.clone()),
        CertificateError::ExpiredContext { time, not_after } => {
            TlsReason::Expired(time.as_secs().saturating_sub(not_after.as_secs()))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            TlsReason::NotYetValid(not_before.as_secs().saturating_sub(time.as_secs()))
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<Untrusted>() {
            Some(untrusted) => TlsReason::Issuer(untrusted.issuer.clone(), untrusted.self_signed),
            None => TlsReason::Certificate(other.to_string()),
        },
        CertificateError::UnknownIssuer => TlsReason::Issuer(String::new(), false),
        error => TlsReason::Certificate(error.to_string()),
    }
}

fn alert_text(alert: AlertDescription) -> String {
    alert.as_str().map_or_else(|| format!("alert {}", u8::from(alert)), str::to_owned)
}

/// In words, without the peer's address.
impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            TlsReason::Name(names) if names.is_empty() => {
                write!(f, "the certificate of {} bears no name that SIP knows (RFC 5922)", self.name)
            }
            TlsReason::Name(names) => {
                write!(f, "the certificate is not that of {}: it bears ", self.name)?;
                for (index, name) in names.iter().take(8).enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, name.escape_debug())?;
                }
                if names.len() > 8 { write!(f, " and {} more", names.len() - 8) } else { Ok(()) }
            }
            TlsReason::Expired(seconds) => {
                write!(f, "the certificate of {} has expired, {} ago", self.name, Span(*seconds))
            }
            TlsReason::NotYetValid(seconds) => {
                write!(f, "the certificate of {} is not valid before {} from now", self.name, Span(*seconds))
            }
            TlsReason::Issuer(_, true) => {
                write!(f, "the certificate of {} is signed by itself and not trusted", self.name)
            }
            TlsReason::Issuer(issuer, false) => {
                write!(f, "the issuer of the certificate of {} is not trusted: {}", self.name, issuer.escape_debug())
            }
            TlsReason::Certificate(text) => write!(f, "the certificate of {} is refused: {text}", self.name),
            TlsReason::NoCertificate => f.write_str("the peer has to show a certificate and shows none"),
            TlsReason::NotTls => f.write_str("what the peer sends is no TLS"),
            TlsReason::NotPlain => f.write_str("the peer speaks TLS at a port where messages go without it"),
            TlsReason::Refused(alert) => write!(f, "the peer refuses: {alert}"),
            TlsReason::Closed => f.write_str("the peer closed the connection in the TLS handshake"),
            TlsReason::Unfinished => f.write_str("the TLS handshake was not finished in time"),
            TlsReason::Other(text) => f.write_str(text),
        }
    }
}

/// A span of time in its largest unit.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0 {
            seconds @ ..120 => (seconds, "seconds"),
            seconds @ ..7200 => (seconds / 60, "minutes"),
            seconds @ ..172_800 => (seconds / 3600, "hours"),
            seconds => (seconds / 86_400, "days"),
        };
        write!(f, "{count} {unit}")
    }
}

/// Nobody vouches for a certificate: who signed it.
#[derive(Debug)]
pub(crate) struct Untrusted {
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signed by {}", self.issuer)
    }
}

impl core::error::Error for Untrusted {}
