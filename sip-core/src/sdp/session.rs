//! A whole description: its session lines, and its media one after the other (RFC 8866 §5).

use super::SdpError;
use super::attribute::{Attribute, Attributes, Direction};
use super::connection::Connection;
use super::line::{Lines, checked_line, cut, field, fields, is_field, is_token, next_line, number, number_field};
use super::media::{Media, Row};
use crate::message::scan::decimal_u32;

/// The most octets that a description may have.
pub const MAX_OCTETS: usize = 65_535;
/// The most lines that a description may have.
pub const MAX_LINES: usize = 4096;
/// The most `m=` lines that a description may have.
pub const MAX_MEDIA: usize = 128;

/// A session description that borrows its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Session<'a> {
    bytes: &'a [u8],
    origin: Origin<'a>,
    /// The lines before the first `m=`.
    head: Lines<'a>,
    /// From the first `m=` on.
    media: &'a [u8],
    media_count: u8,
    /// The first `m=` line, which most often is the only one.
    first: Option<Row<'a>>,
    connection: Option<Connection<'a>>,
    direction: Option<Direction>,
}

/// Who made a session and which version of it this is: `o=` (RFC 8866 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Origin<'a> {
    /// The user's login, `-` when there is none.
    pub username: &'a [u8],
    /// The number of the session.
    pub session_id: u64,
    /// The number that grows by one with each new description of this session (RFC 3264 §8).
    pub version: u64,
    /// The network type, `IN` for the Internet.
    pub network: &'a [u8],
    /// The address type, `IP4` or `IP6` on the Internet.
    pub address_type: &'a [u8],
    /// The address, which only tells sessions apart: no packet is sent to it, and it is not looked into.
    pub address: &'a [u8],
}

impl<'a> Origin<'a> {
    /// Reads the value of an `o=` line.
    ///
    /// # Errors
    /// [`SdpError::Origin`] when it has not six fields, or a number of it needs more than 64 bits (RFC 3264 §5).
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        Self::read(value).ok_or(SdpError::Origin)
    }

    fn read(value: &'a [u8]) -> Option<Self> {
        let (username, rest) = field(value)?;
        let (session_id, rest) = number_field(rest)?;
        let (version, rest) = number_field(rest)?;
        let [network, address_type, address] = fields(rest)?;
        Some(Self { username, session_id, version, network, address_type, address })
    }

    /// Whether both are of one session, their versions apart (RFC 8866 §5.2).
    #[must_use]
    pub fn is_same_session(&self, other: &Origin<'_>) -> bool {
        self.session_id == other.session_id
            && self.username == other.username
            && self.network == other.network
            && self.address_type == other.address_type
            && self.address == other.address
    }
}

/// How much bandwidth a session or media takes: `b=` (RFC 8866 §5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bandwidth<'a> {
    /// What is counted: `AS`, `CT`, `TIAS`, `RS`, `RR`, …
    pub kind: &'a [u8],
    /// How much, in kilobits per second for AS and CT, bits per second for TIAS (RFC 3890 §6.2), RS and RR (RFC 3556 §2).
    /// `u32::MAX` when it is more.
    pub value: u32,
}

impl<'a> Bandwidth<'a> {
    /// The bandwidths in the lines; malformed ones are left out.
    pub(super) fn in_lines(lines: Lines<'a>) -> impl Iterator<Item = Self> + Clone {
        lines.of(b'b').filter_map(|line| {
            let (kind, value) = cut(line, b':');
            Some(Self { kind, value: decimal_u32(value?)? }).filter(|_| is_token(kind))
        })
    }
}

/// When a session is active: `t=` (RFC 8866 §5.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timing {
    /// When it starts, in seconds since 1900; 0 for at any time.
    pub start: u64,
    /// When it stops, in seconds since 1900; 0 for never.
    pub stop: u64,
}

/// What has been read of a description.
#[derive(Default)]
struct Reading<'a> {
    version: bool,
    name: bool,
    origin: Option<Origin<'a>>,
    connection: Option<Connection<'a>>,
    direction: Option<Direction>,
    /// Media so far, and the first of them.
    media: u8,
    first: Option<Row<'a>>,
}

impl<'a> Reading<'a> {
    /// Takes the next line.
    fn line(&mut self, kind: u8, value: &'a [u8]) -> Result<(), SdpError> {
        let first = |seen: &mut bool| if core::mem::replace(seen, true) { Err(SdpError::Doubled) } else { Ok(()) };
        match kind {
            b'm' => {
                if usize::from(self.media) == MAX_MEDIA {
                    return Err(SdpError::TooManyMedia);
                }
                self.media = self.media.wrapping_add(1);
                let row = Row::check(value)?;
                self.first.get_or_insert(row);
            }
            b'c' => {
                let found = Connection::parse(value)?;
                if self.media == 0 && self.connection.replace(found).is_some() {
                    return Err(SdpError::Doubled);
                }
            }
            b'v' | b'o' | b's' | b'u' | b'e' | b'p' | b't' | b'r' | b'z' if self.media != 0 => {
                return Err(SdpError::Order);
            }
            b'v' => {
                first(&mut self.version)?;
                if value != b"0" {
                    return Err(SdpError::Version);
                }
            }
            b'o' => {
                if self.origin.is_some() {
                    return Err(SdpError::Doubled);
                }
                self.origin = Some(Origin::parse(value)?);
            }
            b's' => first(&mut self.name)?,
            b'a' if self.media == 0 => {
                self.direction = self.direction.or_else(|| Direction::parse(Attribute::of(value).name));
            }
            b'i' | b'b' | b'k' | b'a' | b'u' | b'e' | b'p' | b't' | b'r' | b'z' => {}
            _ => return Err(SdpError::Type),
        }
        Ok(())
    }
}

impl<'a> Session<'a> {
    /// Parses a description: the body of a message whose type is `application/sdp`.
    ///
    /// # Errors
    /// What of it breaks the grammar, or which limit it exceeds.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_OCTETS {
            return Err(SdpError::TooLarge);
        }
        let (mut read, mut count) = (Reading::default(), 0_usize);
        let (mut head, mut media) = (bytes, &b""[..]);
        let mut rest = bytes;
        while !rest.is_empty() {
            count = count.wrapping_add(1);
            if count > MAX_LINES {
                return Err(SdpError::TooManyLines);
            }
            let (line, tail) = checked_line(rest)?;
            if line.is_empty() && tail.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
                break;
            }
            let [kind, b'=', value @ ..] = line else { return Err(SdpError::Line) };
            // Attributes of a media are looked at by who wants to know them.
            if *kind == b'a' && read.media != 0 {
                rest = tail;
                continue;
            }
            if !read.version && *kind != b'v' {
                return Err(SdpError::Version);
            }
            if *kind == b'm' && read.media == 0 {
                let lines = bytes.len().wrapping_sub(rest.len());
                (head, media) = bytes.split_at_checked(lines).unwrap_or_default();
            }
            read.line(*kind, value)?;
            rest = tail;
        }
        if !read.version {
            return Err(SdpError::Version);
        }
        let Reading { connection, direction, media: media_count, first, .. } = read;
        let origin = read.origin.ok_or(SdpError::Origin)?;
        Ok(Self { bytes, origin, head: Lines(head), media, media_count, first, connection, direction })
    }

    /// The octets of the description.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Who made the session, and its version (RFC 8866 §5.2).
    #[must_use]
    pub const fn origin(&self) -> Origin<'a> {
        self.origin
    }

    /// The name of the session, `-` or a space when it has none (RFC 8866 §5.3); `None` when the line is missing.
    #[must_use]
    pub fn name(&self) -> Option<&'a [u8]> {
        self.head.of(b's').next()
    }

    /// The address that holds for media without one of its own (RFC 8866 §5.7).
    #[must_use]
    pub const fn connection(&self) -> Option<Connection<'a>> {
        self.connection
    }

    /// The bandwidths of the whole session (RFC 8866 §5.8); malformed ones are left out.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'a>> + Clone + use<'a> {
        Bandwidth::in_lines(self.head)
    }

    /// When the session is active (RFC 8866 §5.9); malformed lines are left out.
    pub fn timings(&self) -> impl Iterator<Item = Timing> + Clone + use<'a> {
        self.head.of(b't').filter_map(|value| {
            let [start, stop] = fields(value)?;
            let number = |digits| number(digits, u64::MAX).ok();
            Some(Timing { start: number(start)?, stop: number(stop)? })
        })
    }

    /// The direction that holds for media without one of its own: the first one that the session lines have
    /// (RFC 8866 §6.7).
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction.unwrap_or_default()
    }

    /// The attributes of the whole session, in order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.head)
    }

    /// The values of all session lines of one type, `b'e'` say, as they are written.
    pub fn lines(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.head.of(kind)
    }

    /// How many media there are, at most [`MAX_MEDIA`].
    #[must_use]
    pub fn media_count(&self) -> usize {
        usize::from(self.media_count)
    }

    /// The media, in order: the order by which an answer tells them apart (RFC 3264 §6).
    #[must_use]
    pub const fn media(&self) -> Medias<'a> {
        let Self { media: rest, media_count: left, first, connection, direction, .. } = *self;
        Medias { rest, left, first, connection, direction }
    }
}

/// The media of a session, in order.
#[derive(Clone, Debug)]
pub struct Medias<'a> {
    rest: &'a [u8],
    /// How many there are in the rest.
    left: u8,
    /// The next one, if it is the first.
    first: Option<Row<'a>>,
    connection: Option<Connection<'a>>,
    direction: Option<Direction>,
}

impl<'a> Iterator for Medias<'a> {
    type Item = Media<'a>;

    fn next(&mut self) -> Option<Media<'a>> {
        let (first, lines) = next_line(self.rest)?;
        let value = first.strip_prefix(b"m=")?;
        self.left = self.left.saturating_sub(1);
        // The last one has all lines that are left.
        let mut rest = if self.left == 0 { &b""[..] } else { lines };
        while let Some((line, tail)) = next_line(rest) {
            if line.starts_with(b"m=") {
                break;
            }
            rest = tail;
        }
        self.rest = rest;
        let (lines, _) = lines.split_at_checked(lines.len().wrapping_sub(rest.len()))?;
        let row = match self.first.take() {
            Some(row) => row,
            None => Row::read(value).ok()?,
        };
        Some(Media::new(row, Lines(lines), self.connection, self.direction))
    }
}

/// Whether all parts of an origin can be written.
pub(super) fn is_writable(origin: &Origin<'_>) -> bool {
    [origin.username, origin.network, origin.address_type, origin.address].iter().all(|part| is_field(part))
}
