//! Domain names (RFC 1035 §3.1, §4.1.4): those that lie in a message, and one that is kept.

use super::answer::HEAD;
use super::reader::{Reader, Walked};
use core::fmt;

/// The octets of the longest name, with the length of each label and the root (RFC 1035 §2.3.4).
pub const DOMAIN: usize = 255;
/// The longest label (RFC 1035 §2.3.4).
const LABEL: usize = 63;
/// So many pointers in one name at most. Servers write one behind another only where a suffix was shortened itself; without a limit
/// an answer made of pointers would cost millions of steps.
const POINTERS: u8 = 32;
/// The two bits that make a length the first octet of a pointer.
const POINTER: u8 = 0b1100_0000;

/// A name where it lies in a message, or in a [`Domain`]. It was walked through once, to its end.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// The root, whose name has no label.
    pub const ROOT: Self = Self { message: &[0], at: 0 };

    /// The one that stands at this place.
    pub(super) const fn at(message: &'a [u8], at: usize) -> Self {
        Self { message, at }
    }

    /// Reads the name behind which the reader then stands.
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let name = Self { message: reader.message, at: reader.at };
        if reader.walked == Walked::All || reader.walked == Walked::Question && name.pointer() == Some(HEAD) {
            reader.at = name.behind()?;
            return Some(name);
        }
        let mut labels = name.labels();
        let mut length = 1_usize;
        for label in labels.by_ref() {
            length = length.checked_add(label.len())?.checked_add(1).filter(|length| *length <= DOMAIN)?;
        }
        reader.at = labels.behind.filter(|_| labels.ended)?;
        Some(name)
    }

    /// Where the pointer leads that it is, if it is one.
    fn pointer(self) -> Option<usize> {
        let [high, low]: [u8; 2] = self.message.get(self.at..)?.first_chunk().copied()?;
        (high & POINTER == POINTER).then(|| usize::from(u16::from_be_bytes([high & !POINTER, low])))
    }

    /// Where the message goes on behind it.
    fn behind(self) -> Option<usize> {
        let mut at = self.at;
        loop {
            let length = *self.message.get(at)?;
            if length & POINTER == POINTER {
                return at.checked_add(2);
            }
            at = at.checked_add(usize::from(length))?.checked_add(1)?;
            if length == 0 {
                return Some(at);
            }
        }
    }

    /// The labels, the most special first, without the root.
    #[must_use]
    pub const fn labels(self) -> Labels<'a> {
        Labels { message: self.message, at: self.at, start: self.at, pointers: 0, behind: None, ended: false }
    }

    /// The name that was [kept](Self::keep) at this place.
    pub(crate) fn kept(octets: &'a [u8], at: usize) -> Option<Self> {
        Self::read(&mut Reader { message: octets, at, walked: Walked::None })
    }

    /// Writes the labels and the root to the beginning of `place`, and gives how many octets they take; `None` when it is too
    /// short.
    pub(crate) fn keep(self, place: &mut [u8]) -> Option<usize> {
        let mut length = 0_usize;
        for label in self.labels().chain([&[][..]]) {
            let end = length.checked_add(label.len())?.checked_add(1)?;
            let place = place.get_mut(length..end)?;
            for (place, octet) in place.iter_mut().zip([label.len() as u8].iter().chain(label)) {
                *place = *octet;
            }
            length = end;
        }
        Some(length)
    }

    /// Whether it has no label.
    #[must_use]
    pub fn is_root(self) -> bool {
        self.labels().next().is_none()
    }
}

/// Names are equal without regard to the case of letters (RFC 4343).
impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Most often it is the question's, and both point there.
        let place = |name: &Self| (name.message.as_ptr(), name.pointer().unwrap_or(name.at));
        if place(self) == place(other) {
            return true;
        }
        let (mut left, mut right) = (self.labels(), other.labels());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(left), Some(right)) if left.eq_ignore_ascii_case(right) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for Name<'_> {}

/// The name as it is written in a zone, without the dot at its end; what is not to be printed as `\DDD` (RFC 1035 §5.1).
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for label in self.labels() {
            if !core::mem::take(&mut first) {
                f.write_str(".")?;
            }
            for octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        if first { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The labels of a name. Each pointer leads to a place before the run of labels that it ends, so this comes to an end.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// Where the present run of labels began.
    start: usize,
    /// Pointers so far.
    pointers: u8,
    /// Where the message goes on behind the name: known after the first pointer, or at the end.
    behind: Option<usize>,
    /// The root was reached; otherwise the name is broken.
    ended: bool,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let mut reader = Reader { message: self.message, at: self.at, walked: Walked::None };
            let length = reader.u8()?;
            if length & POINTER == POINTER {
                let (high, low) = (usize::from(length & !POINTER) << 8, usize::from(reader.u8()?));
                let to = high | low;
                self.behind.get_or_insert(reader.at);
                self.pointers = self.pointers.saturating_add(1);
                if to >= self.start || self.pointers > POINTERS {
                    return None;
                }
                (self.at, self.start) = (to, to);
                continue;
            }
            if length == 0 {
                self.ended = true;
                self.behind.get_or_insert(reader.at);
                return None;
            }
            // Two of the four kinds of length are not in use (RFC 6891 §5).
            let label = reader.octets(usize::from(length)).filter(|label| label.len() <= LABEL)?;
            self.at = reader.at;
            return Some(label);
        }
    }
}

/// A name that is kept: its labels as they are sent, not compressed.
#[derive(Clone, Copy)]
pub struct Domain {
    octets: [u8; DOMAIN],
    /// Without the root at the end.
    length: u8,
}

impl Domain {
    /// The root.
    pub const ROOT: Self = Self { octets: [0; DOMAIN], length: 0 };

    /// The name that this text spells, with or without a dot at its end; `None` when it is empty, a label is, or one is too
    /// long. Every octet but the dot stands for itself.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut domain = Self::ROOT;
        let text = text.strip_suffix(b".").unwrap_or(text);
        for label in text.split(|octet| *octet == b'.') {
            domain.push(label)?;
        }
        Some(domain)
    }

    /// A copy of a name in a message.
    #[must_use]
    pub fn of(name: Name<'_>) -> Self {
        let mut domain = Self::ROOT;
        for label in name.labels() {
            // What lies in a message is no longer than this takes.
            let _ = domain.push(label);
        }
        domain
    }

    /// The name of a service of this domain, `_service._protocol.name` (RFC 2782); `None` when that is too long.
    #[must_use]
    pub fn service(service: &[u8], protocol: &[u8], name: Name<'_>) -> Option<Self> {
        let mut domain = Self::ROOT;
        domain.push(service)?;
        domain.push(protocol)?;
        name.labels().try_for_each(|label| domain.push(label))?;
        Some(domain)
    }

    /// The name, to be compared and written.
    #[must_use]
    pub const fn name(&self) -> Name<'_> {
        Name { message: &self.octets, at: 0 }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn push(&mut self, label: &[u8]) -> Option<()> {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=LABEL as u8).contains(length))?;
        let start = usize::from(self.length);
        // The last octet stays for the root.
        let end = self.length.checked_add(length)?.checked_add(1).filter(|end| usize::from(*end) < DOMAIN)?;
        let place = self.octets.get_mut(start..usize::from(end))?;
        for (place, octet) in place.iter_mut().zip([length].iter().chain(label)) {
            *place = *octet;
        }
        self.length = end;
        Some(())
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self::ROOT
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Domain {}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name(), f)
    }
}
