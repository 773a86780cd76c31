//! Header names as ids, and header rows (RFC 3261 §7.3, §20).

use super::ParseError;
use super::chunk::Chunk;
use super::scan::{self, LOWER, TOKEN, WIDE, alike, peek, run, skip_lws, slice};

macro_rules! headers {
    ($($(#[$doc:meta])* $variant:ident $name:literal $compact:literal;)*) => {
        /// A header's name; comparison ignores case, and a compact form is the long one.
        #[derive(Clone, Copy, Debug)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum HeaderName<'a> {
            // First, as in `Id`, so that an id is the number of its variant.
            /// Any other header, by its name.
            Other(&'a [u8]),
            $($(#[$doc])* $variant,)*
        }

        #[allow(clippy::enum_variant_names, reason = "the names are those of headers")]
        #[repr(u8)]
        #[derive(Clone, Copy)]
        enum Id { #[allow(dead_code, reason = "keeps zero free")] Other, $($variant,)* End }

        /// The names, a colon and a space behind each.
        static TEXTS: &str = concat!($($name, ": "),*);

        static NAMES: [Name; Id::End as usize] = names([(0, 0), $(($name.len() as u8 + 2, $compact)),*]);

        impl<'a> HeaderName<'a> {
            /// How many ids there are, that of unknown names counted.
            pub(crate) const IDS: usize = Id::End as usize;

            /// The number of a known name; zero for others.
            #[inline]
            pub(crate) const fn id(self) -> u8 {
                match self {
                    $(Self::$variant => Id::$variant as u8,)*
                    Self::Other(_) => 0,
                }
            }

            /// The known name with this id; the one as it is written with any other.
            pub(crate) const fn from_id(id: u8, written: &'a [u8]) -> Self {
                match id {
                    $(number if number == Id::$variant as u8 => Self::$variant,)*
                    _ => Self::Other(written),
                }
            }

            /// The name in its long form, spelled as in its RFC.
            #[must_use]
            pub fn as_bytes(self) -> &'a [u8] {
                match self {
                    Self::Other(name) => name,
                    known => known.row().map_or(b"", Name::long),
                }
            }

            /// How rows of a known name begin.
            #[inline]
            pub(crate) fn row(self) -> Option<&'static Name> {
                NAMES.get(usize::from(self.id()))
            }

            /// The letter that is its compact form (RFC 3261 §7.3.3).
            #[must_use]
            pub fn compact(self) -> Option<u8> {
                self.row().and_then(Name::letter)
            }
        }
    };
}

/// How rows of one name begin.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    /// Where the long name begins in [`TEXTS`], and its length with a colon and a space.
    at: u16,
    length: u8,
    /// The compact form; zero where there is none.
    compact: u8,
}

/// The names of these lengths and compact forms, one behind the other.
#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn names<const N: usize>(rows: [(u8, u8); N]) -> [Name; N] {
    let mut names = [Name { at: 0, length: 0, compact: 0 }; N];
    let (mut id, mut at) = (0, 0);
    while id < N {
        let (length, compact) = rows[id];
        names[id] = Name { at, length, compact };
        at = at.wrapping_add(length as u16);
        id = id.wrapping_add(1);
    }
    names
}

impl Name {
    /// The long name, a colon and a space.
    #[inline]
    pub(crate) fn start(&self) -> &'static [u8] {
        let at = usize::from(self.at);
        slice(TEXTS.as_bytes(), at, at.wrapping_add(self.length.into()))
    }

    const fn long(&self) -> &'static [u8] {
        let Some((_, from)) = TEXTS.as_bytes().split_at_checked(self.at as usize) else { return b"" };
        match from.split_at_checked((self.length as usize).wrapping_sub(2)) {
            Some((name, _)) => name,
            None => b"",
        }
    }

    /// The letter that is the compact form.
    pub(crate) const fn letter(&self) -> Option<u8> {
        if self.compact == 0 { None } else { Some(self.compact) }
    }
}

headers! {
    /// Via (RFC 3261 §20.42).
    Via "Via" b'v';
    /// From (RFC 3261 §20.20).
    From "From" b'f';
    /// To (RFC 3261 §20.39).
    To "To" b't';
    /// Call-ID (RFC 3261 §20.8).
    CallId "Call-ID" b'i';
    /// CSeq (RFC 3261 §20.16).
    CSeq "CSeq" 0;
    /// Content-Length (RFC 3261 §20.14).
    ContentLength "Content-Length" b'l';
    /// Accept (RFC 3261 §20.1).
    Accept "Accept" 0;
    /// Accept-Encoding (RFC 3261 §20.2).
    AcceptEncoding "Accept-Encoding" 0;
    /// Accept-Language (RFC 3261 §20.3).
    AcceptLanguage "Accept-Language" 0;
    /// Alert-Info (RFC 3261 §20.4).
    AlertInfo "Alert-Info" 0;
    /// Allow (RFC 3261 §20.5).
    Allow "Allow" 0;
    /// Allow-Events (RFC 6665 §8.2.2).
    AllowEvents "Allow-Events" b'u';
    /// Authentication-Info (RFC 3261 §20.6).
    AuthenticationInfo "Authentication-Info" 0;
    /// Authorization (RFC 3261 §20.7).
    Authorization "Authorization" 0;
    /// Call-Info (RFC 3261 §20.9).
    CallInfo "Call-Info" 0;
    /// Contact (RFC 3261 §20.10).
    Contact "Contact" b'm';
    /// Content-Disposition (RFC 3261 §20.11).
    ContentDisposition "Content-Disposition" 0;
    /// Content-Encoding (RFC 3261 §20.12).
    ContentEncoding "Content-Encoding" b'e';
    /// Content-Language (RFC 3261 §20.13).
    ContentLanguage "Content-Language" 0;
    /// Content-Type (RFC 3261 §20.15).
    ContentType "Content-Type" b'c';
    /// Date (RFC 3261 §20.17).
    Date "Date" 0;
    /// Error-Info (RFC 3261 §20.18).
    ErrorInfo "Error-Info" 0;
    /// Event (RFC 6665 §8.2.1).
    Event "Event" b'o';
    /// Expires (RFC 3261 §20.19).
    Expires "Expires" 0;
    /// Flow-Timer (RFC 5626 §10).
    FlowTimer "Flow-Timer" 0;
    /// In-Reply-To (RFC 3261 §20.21).
    InReplyTo "In-Reply-To" 0;
    /// Max-Forwards (RFC 3261 §20.22).
    MaxForwards "Max-Forwards" 0;
    /// MIME-Version (RFC 3261 §20.24).
    MimeVersion "MIME-Version" 0;
    /// Min-Expires (RFC 3261 §20.23).
    MinExpires "Min-Expires" 0;
    /// Min-SE (RFC 4028 §5).
    MinSe "Min-SE" 0;
    /// Organization (RFC 3261 §20.25).
    Organization "Organization" 0;
    /// P-Asserted-Identity (RFC 3325 §9.1).
    PAssertedIdentity "P-Asserted-Identity" 0;
    /// P-Preferred-Identity (RFC 3325 §9.2).
    PPreferredIdentity "P-Preferred-Identity" 0;
    /// Path (RFC 3327).
    Path "Path" 0;
    /// Priority (RFC 3261 §20.26).
    Priority "Priority" 0;
    /// Privacy (RFC 3323 §4.2).
    Privacy "Privacy" 0;
    /// Proxy-Authenticate (RFC 3261 §20.27).
    ProxyAuthenticate "Proxy-Authenticate" 0;
    /// Proxy-Authorization (RFC 3261 §20.28).
    ProxyAuthorization "Proxy-Authorization" 0;
    /// Proxy-Require (RFC 3261 §20.29).
    ProxyRequire "Proxy-Require" 0;
    /// RAck (RFC 3262 §7.2).
    RAck "RAck" 0;
    /// Reason (RFC 3326).
    Reason "Reason" 0;
    /// Record-Route (RFC 3261 §20.30).
    RecordRoute "Record-Route" 0;
    /// Refer-To (RFC 3515 §2.1).
    ReferTo "Refer-To" b'r';
    /// Referred-By (RFC 3892 §3).
    ReferredBy "Referred-By" b'b';
    /// Replaces (RFC 3891 §6.1).
    Replaces "Replaces" 0;
    /// Reply-To (RFC 3261 §20.31).
    ReplyTo "Reply-To" 0;
    /// Require (RFC 3261 §20.32).
    Require "Require" 0;
    /// Retry-After (RFC 3261 §20.33).
    RetryAfter "Retry-After" 0;
    /// Route (RFC 3261 §20.34).
    Route "Route" 0;
    /// RSeq (RFC 3262 §7.1).
    RSeq "RSeq" 0;
    /// Server (RFC 3261 §20.35).
    Server "Server" 0;
    /// Service-Route (RFC 3608).
    ServiceRoute "Service-Route" 0;
    /// Session-Expires (RFC 4028 §4).
    SessionExpires "Session-Expires" b'x';
    /// SIP-ETag (RFC 3903 §11.3.1).
    SipETag "SIP-ETag" 0;
    /// SIP-If-Match (RFC 3903 §11.3.2).
    SipIfMatch "SIP-If-Match" 0;
    /// Subject (RFC 3261 §20.36).
    Subject "Subject" b's';
    /// Subscription-State (RFC 6665 §8.2.3).
    SubscriptionState "Subscription-State" 0;
    /// Supported (RFC 3261 §20.37).
    Supported "Supported" b'k';
    /// Timestamp (RFC 3261 §20.38).
    Timestamp "Timestamp" 0;
    /// Unsupported (RFC 3261 §20.40).
    Unsupported "Unsupported" 0;
    /// User-Agent (RFC 3261 §20.41).
    UserAgent "User-Agent" 0;
    /// Warning (RFC 3261 §20.43).
    Warning "Warning" 0;
    /// WWW-Authenticate (RFC 3261 §20.44).
    WwwAuthenticate "WWW-Authenticate" 0;
}

impl<'a> HeaderName<'a> {
    /// The header of this name, long or compact, in any case; `None` when it is not a token.
    #[must_use]
    pub fn parse(name: &'a [u8]) -> Option<Self> {
        match find(name) {
            0 => (!name.is_empty() && run(name, 0, TOKEN) == name.len()).then_some(Self::Other(name)),
            id => Some(Self::from_id(id, name)),
        }
    }

    /// The id under which rows of this header are found; `Other` may name a known header.
    #[inline]
    pub(crate) fn lookup(self) -> u8 {
        let id = self.id();
        match self {
            Self::Other(name) => find(name),
            _ => id,
        }
    }
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.lookup(), other.lookup()) {
            (0, 0) => alike(self.as_bytes(), other.as_bytes()),
            (one, two) => one == two,
        }
    }
}

impl Eq for HeaderName<'_> {}

const SLOTS: usize = 128;

/// The ids of the long names by their hash, each in the first slot from there on that is free; zero in the others.
static IDS: [u8; SLOTS] = ids();

/// The ids of the compact forms by their letter; zero for a letter that is none.
static LETTERS: [u8; 26] = letters();

/// The slot where a name is looked for first.
const fn hash(name: &[u8]) -> usize {
    let mut hash: u32 = 0;
    let mut rest = name;
    while let [octet, tail @ ..] = rest {
        hash = (hash ^ (*octet | 0x20) as u32).wrapping_mul(0x9E37_79B1);
        rest = tail;
    }
    (hash >> 25) as usize
}

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn ids() -> [u8; SLOTS] {
    let mut ids = [0; SLOTS];
    let mut id: u8 = 1;
    while id < Id::End as u8 {
        let mut slot = hash(NAMES[id as usize].long());
        while ids[slot] != 0 {
            slot = slot.wrapping_add(1) % SLOTS;
        }
        ids[slot] = id;
        id = id.wrapping_add(1);
    }
    ids
}

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn letters() -> [u8; 26] {
    let mut letters = [0; 26];
    let mut id: u8 = 1;
    while id < Id::End as u8 {
        if let Some(letter) = NAMES[id as usize].letter() {
            letters[letter.wrapping_sub(b'a') as usize] = id;
        }
        id = id.wrapping_add(1);
    }
    letters
}

/// The id of a name in any case; zero when it is not known.
fn find(name: &[u8]) -> u8 {
    if !WIDE {
        return search(name);
    }
    if let [letter] = name {
        return LETTERS.get(usize::from((letter | 0x20).wrapping_sub(b'a'))).copied().unwrap_or(0);
    }
    let mut slot = hash(name);
    // Half of the slots are free, so that one ends the search.
    loop {
        let id = IDS.get(slot).copied().unwrap_or(0);
        if id == 0 || NAMES.get(usize::from(id)).is_none_or(|known| alike(known.long(), name)) {
            return id;
        }
        slot = slot.wrapping_add(1) % SLOTS;
    }
}

/// The same without the tables, which take more flash than a microcontroller gains by them.
fn search(name: &[u8]) -> u8 {
    let is = |known: &Name| match name {
        [letter] => known.compact == letter | 0x20,
        _ => alike(known.long(), name),
    };
    // The first row stands for unknown names.
    NAMES.iter().skip(1).position(is).map_or(0, |place| (place as u8).wrapping_add(1))
}

/// The first sixteen octets of a name, letters in lower case, as two words.
type NameKey = (u64, u64);

const KEY_SLOTS: usize = 256;
/// The long names and the letters, and the first entry, which stands for none.
const KEYS: usize = 1 + Id::End as usize + 15;

/// The names by their keys, where sixteen octets are read at once.
struct Keys {
    /// Where in the other two a key leads; zero for nowhere.
    slots: [u8; KEY_SLOTS],
    keys: [NameKey; KEYS],
    ids: [u8; KEYS],
}

static BY_KEY: Keys = keys();

const fn key_of(name: &[u8]) -> NameKey {
    let (mut low, mut high) = (0u64, 0u64);
    let mut place: u32 = 0;
    let mut rest = name;
    while let [octet, tail @ ..] = rest {
        let lower = (*octet | 0x20) as u64;
        if place < 8 {
            low |= lower.wrapping_shl(place.wrapping_mul(8));
        } else if place < 16 {
            high |= lower.wrapping_shl(place.wrapping_sub(8).wrapping_mul(8));
        }
        place = place.wrapping_add(1);
        rest = tail;
    }
    (low, high)
}

#[inline]
const fn slot_of(key: NameKey) -> usize {
    ((key.0 ^ key.1.rotate_left(7)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
}

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn keys() -> Keys {
    let mut keys = Keys { slots: [0; KEY_SLOTS], keys: [(0, 0); KEYS], ids: [0; KEYS] };
    let (mut id, mut next): (u8, u8) = (1, 1);
    while id < Id::End as u8 {
        let name = &NAMES[id as usize];
        keys = enter(keys, key_of(name.long()), id, next);
        next = next.wrapping_add(1);
        if let Some(letter) = name.letter() {
            keys = enter(keys, key_of(&[letter]), id, next);
            next = next.wrapping_add(1);
        }
        id = id.wrapping_add(1);
    }
    keys
}

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn enter(mut keys: Keys, key: NameKey, id: u8, place: u8) -> Keys {
    let mut slot = slot_of(key);
    while keys.slots[slot] != 0 {
        slot = slot.wrapping_add(1) % KEY_SLOTS;
    }
    keys.slots[slot] = place;
    keys.keys[place as usize] = key;
    keys.ids[place as usize] = id;
    keys
}

/// The id of the name that has this key, which is not empty.
#[inline]
fn find_key(key: NameKey) -> Option<u8> {
    let mut slot = slot_of(key);
    // Fewer than a third of the slots are taken, so that a free one ends the search.
    loop {
        let place = usize::from(BY_KEY.slots.get(slot).copied()?);
        let known = BY_KEY.keys.get(place)?;
        if known.0 == key.0 && known.1 == key.1 {
            return BY_KEY.ids.get(place).copied();
        }
        if place == 0 {
            return None;
        }
        slot = slot.wrapping_add(1) % KEY_SLOTS;
    }
}

/// One header row: its name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// The name.
    pub name: HeaderName<'a>,
    /// The value without white space at its ends; folds within are kept, see [`unfolded`](Self::unfolded).
    pub value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The octets of the value with each fold read as one space (RFC 3261 §7.3.1).
    pub fn unfolded(&self) -> impl Iterator<Item = u8> + 'a {
        scan::unfold(self.value)
    }
}

/// Where one header row lies in its message; zero is no row.
///
/// From the lowest bit on: where the name begins, where the value begins (white space skipped), where it ends
/// (white space trimmed), 16 bits each; the name's id, zero for a name that is not known; and the number of the next row
/// of this id in its table, counted from one, zero when there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row(u64);

impl Row {
    /// No row.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) const fn new(name: usize, value: usize, end: usize, id: u8) -> Self {
        Self(name as u64 | (value as u64) << 16 | (end as u64) << 32 | (id as u64) << 48)
    }

    /// Where the name begins.
    #[inline]
    pub(crate) const fn name(self) -> usize {
        (self.0 & 0xFFFF) as usize
    }

    /// Where the value begins.
    #[inline]
    pub(crate) const fn value(self) -> usize {
        (self.0 >> 16 & 0xFFFF) as usize
    }

    /// Where the value ends.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        (self.0 >> 32 & 0xFFFF) as usize
    }

    /// The name's id.
    #[inline]
    pub(crate) const fn id(self) -> u8 {
        (self.0 >> 48) as u8
    }

    /// The number of the next row of the same id.
    #[inline]
    pub(crate) const fn next(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// Sets the number of the next row, which has not been set before.
    #[inline]
    pub(crate) const fn link(&mut self, next: u8) {
        self.0 |= (next as u64) << 56;
    }

    /// Whether there is no row.
    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The value.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn value_in(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.value(), self.end())
    }

    /// The octets up to the end of the value, which is read from its beginning on.
    #[inline]
    pub(crate) fn up_to_end(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, 0, self.end())
    }

    /// The name as it is written.
    pub(crate) fn name_in(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.name(), run(bytes, self.name(), TOKEN))
    }

    /// The name and the value.
    pub(crate) fn header_in(self, bytes: &[u8]) -> Header<'_> {
        let written = if self.id() == 0 { self.name_in(bytes) } else { b"" };
        Header { name: HeaderName::from_id(self.id(), written), value: self.value_in(bytes) }
    }
}

/// Reads the header row that begins at `at`; gives it and where the next line begins.
///
/// `bytes` has at most 65,535 octets, so that every offset fits.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn row(bytes: &[u8], at: usize) -> Result<(Row, usize), (ParseError, usize)> {
    let plain = if Chunk::EXISTS { plain_row(bytes, at) } else { None };
    plain.map_or_else(|| any_row(bytes, at), Ok)
}

/// The row when it is as most are: a known name of less than sixteen letters with its colon right behind it, at
/// most one space, a value without white space at its ends, one line, and another line behind it.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn plain_row(bytes: &[u8], at: usize) -> Option<(Row, usize)> {
    let rest = bytes.get(at..)?;
    let first = rest.first_chunk()?;
    let colon = Chunk::new(first)?.equal(b':').trailing_zeros() as usize;
    let mask = KEY_MASKS.get(colon.wrapping_sub(1))?;
    let (low, high) = scan::words(first);
    let id = find_key(((low | LOWER) & mask.0, (high | LOWER) & mask.1))?;
    // From the name on: with the bit set that makes letters small, CR is the hyphen of a name, and LF is in none.
    let end = scan::control(rest, 0);
    let [cr, lf, next] = *rest.get(end..)?.first_chunk()?;
    // A line that white space begins goes on with this one.
    if u16::from_le_bytes([cr, lf]) != u16::from_le_bytes(*b"\r\n") || next == b' ' || next == b'\t' {
        return None;
    }
    let line = rest.get(..end)?;
    let value = colon.wrapping_add(1);
    let value = value.wrapping_add(usize::from(*line.get(value)? == b' '));
    if *line.get(value)? <= b' ' || *line.last()? <= b' ' {
        return None;
    }
    let end = at.wrapping_add(end);
    Some((Row::new(at, at.wrapping_add(value), end, id), end.wrapping_add(2)))
}

/// For each length of a name, from one on, the octets of the key that are the name's.
static KEY_MASKS: [NameKey; 15] = key_masks();

const fn key_masks() -> [NameKey; 15] {
    let mut masks = [(0, 0); 15];
    let mut octets: u32 = 8;
    let mut rest: &mut [NameKey] = &mut masks;
    while let [mask, tail @ ..] = rest {
        let bits = !u128::MAX.wrapping_shl(octets);
        *mask = (bits as u64, (bits >> 64) as u64);
        rest = tail;
        octets = octets.wrapping_add(8);
    }
    masks
}

/// The row in whatever form.
#[inline(never)]
fn any_row(bytes: &[u8], at: usize) -> Result<(Row, usize), (ParseError, usize)> {
    let (id, colon) = name(bytes, at)?;
    let line = scan::line(bytes, at, true)?;
    let value = skip_lws(bytes, colon.wrapping_add(1)).min(line.end);
    let mut end = line.end;
    while end > value && scan::is(peek(bytes, end.wrapping_sub(1)), scan::LWS) {
        end = end.wrapping_sub(1);
    }
    Ok((Row::new(at, value, end, id), line.next))
}

/// Any name, with white space before its colon allowed (RFC 3261 §7.3.1).
fn name(bytes: &[u8], at: usize) -> Result<(u8, usize), (ParseError, usize)> {
    let end = run(bytes, at, TOKEN);
    let mut colon = end;
    while matches!(peek(bytes, colon), b' ' | b'\t') {
        colon = colon.wrapping_add(1);
    }
    if end == at || peek(bytes, colon) != b':' {
        // A line that the octets end in is told apart, for the framing of a stream.
        return Err(match scan::line(bytes, at, true) {
            Err(failure) => failure,
            Ok(_) => (ParseError::HeaderName, at),
        });
    }
    Ok((find(slice(bytes, at, end)), colon))
}

/// Passes over the line for which [`row`] has failed: one bad row that nobody needs spoils no message (RFC 3261 §8.2.2).
/// Gives where the next line begins, or the fault when the line must not be passed over.
///
/// That is one with a CR or LF alone, and one that another parser may take for a row that counts:
/// - its first word is the name of a row that every layer needs, or the letters before its colon spell Content-Length, so
///   that the end of the message is never in doubt;
/// - it goes on in a second line before its colon, and a parser without folds sees two rows;
/// - it begins with white space, which only the line behind the start line can: behind a row that a proxy puts there it
///   would be that row's fold.
#[cold]
#[inline(never)]
pub(crate) fn pass_over(bytes: &[u8], fault: (ParseError, usize)) -> Result<usize, (ParseError, usize)> {
    let (ParseError::HeaderName, at) = fault else { return Err(fault) };
    let line = scan::line(bytes, at, true)?;
    let name = slice(bytes, at, scan::find(bytes, at, b':').min(line.end));
    let mandatory = matches!(find(slice(name, 0, run(name, 0, TOKEN))), 1..=LAST_MANDATORY);
    let white = scan::is(peek(bytes, at), scan::LWS);
    if mandatory || white || name.contains(&b'\r') || spells_length(name) { Err(fault) } else { Ok(line.next) }
}

/// The last of the ids whose rows every layer needs, which are the lowest.
const LAST_MANDATORY: u8 = HeaderName::ContentLength.id();

/// Whether the letters of what stands for a name are those of Content-Length or of its compact form.
fn spells_length(name: &[u8]) -> bool {
    let mut wanted = &b"contentlength"[..];
    let (mut letters, mut last): (usize, u8) = (0, 0);
    for octet in name.iter().filter(|octet| octet.is_ascii_alphabetic()) {
        last = *octet | 0x20;
        match wanted {
            [first, rest @ ..] if *first == last => wanted = rest,
            [] => break,
            // The first letter that differs ends it.
            _ => wanted = &[0],
        }
        letters = letters.wrapping_add(1);
    }
    wanted.is_empty() || letters == 1 && last == b'l'
}

#[cfg(test)]
mod tests;
