//! Resource records (RFC 1035 §3.2.1) of the kinds that lead to a SIP server.

use super::name::Name;
use super::reader::Reader;
use core::net::{Ipv4Addr, Ipv6Addr};

/// The class of the Internet.
pub(super) const IN: u16 = 1;
/// The pseudo-record of EDNS (RFC 6891).
pub(super) const OPT: u16 = 41;

/// What a query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// An IPv4 address.
    #[default]
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// The hosts of a service (RFC 2782).
    Srv,
    /// The services of a domain (RFC 3403).
    Naptr,
}

impl Kind {
    /// The number of the type.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Srv => 33,
            Self::Naptr => 35,
        }
    }
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whose it is.
    pub name: Name<'a>,
    /// For how many seconds it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name is another one for this.
    Cname(Name<'a>),
    /// One host of a service.
    Srv(Srv<'a>),
    /// One service of a domain.
    Naptr(Naptr<'a>),
    /// Of a zone's start: for how many seconds it may be kept that something is not there (RFC 2308 §5).
    Soa(u32),
    /// Something else, of this type.
    Other(u16),
}

/// One host of a service (RFC 2782).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv<'a> {
    /// The lowest is tried first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; the root says that there is no such service.
    pub target: Name<'a>,
}

/// One service of a domain (RFC 3403 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naptr<'a> {
    /// The lowest counts.
    pub order: u16,
    /// The lowest is preferred among those of one order.
    pub preference: u16,
    /// What the replacement is: `s` for a name with SRV records.
    pub flags: &'a [u8],
    /// The service: `SIP+D2U`.
    pub service: &'a [u8],
    /// How the replacement is made, where it is not given.
    pub regexp: &'a [u8],
    /// The name to go on with.
    pub replacement: Name<'a>,
}

impl<'a> Record<'a> {
    /// Reads the record behind which the reader then stands. The names in it end where it ends.
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let name = Name::read(reader)?;
        let (kind, class, ttl) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let length = usize::from(reader.u16()?);
        let start = reader.at;
        reader.octets(length)?;
        // The names in the record may point before it: it is read in the message, up to its end.
        let message = reader.message.get(..reader.at)?;
        let data = if class == IN {
            let mut inner = Reader { message, at: start, ..*reader };
            let data = Data::read(&mut inner, kind)?;
            if !matches!(data, Data::Other(_)) && inner.at != reader.at {
                return None;
            }
            data
        } else {
            Data::Other(kind)
        };
        // A negative one is none (RFC 2181 §8).
        let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
        Some(Self { name, ttl, data })
    }
}

impl<'a> Data<'a> {
    /// Whether it is what this kind of question asks for.
    #[must_use]
    pub const fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::A(_), Kind::A)
                | (Self::Aaaa(_), Kind::Aaaa)
                | (Self::Srv(_), Kind::Srv)
                | (Self::Naptr(_), Kind::Naptr)
        )
    }

    fn read(reader: &mut Reader<'a>, kind: u16) -> Option<Self> {
        Some(match kind {
            1 => Self::A(Ipv4Addr::from(reader.array()?)),
            28 => Self::Aaaa(Ipv6Addr::from(reader.array::<16>()?)),
            5 => Self::Cname(Name::read(reader)?),
            33 => {
                let (priority, weight, port) = (reader.u16()?, reader.u16()?, reader.u16()?);
                Self::Srv(Srv { priority, weight, port, target: Name::read(reader)? })
            }
            35 => {
                let (order, preference) = (reader.u16()?, reader.u16()?);
                let (flags, service, regexp) = (reader.string()?, reader.string()?, reader.string()?);
                Self::Naptr(Naptr { order, preference, flags, service, regexp, replacement: Name::read(reader)? })
            }
            6 => {
                Name::read(reader)?;
                Name::read(reader)?;
                // Serial, refresh, retry, expire.
                reader.octets(16)?;
                Self::Soa(reader.u32()?)
            }
            _ => Self::Other(kind),
        })
    }
}
