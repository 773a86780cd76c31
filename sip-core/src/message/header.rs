//! Header names as ids, and headers (RFC 3261 §7.3, §20).

use super::scan::{self, TOKEN, WIDE, alike, run, slice};

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
                Self::row_of(self.id())
            }

            /// How rows of the name with this id begin.
            #[inline]
            pub(crate) fn row_of(id: u8) -> Option<&'static Name> {
                NAMES.get(usize::from(id))
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
pub(super) fn find(name: &[u8]) -> u8 {
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
pub(super) type NameKey = (u64, u64);

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
pub(super) fn find_key(key: NameKey) -> Option<u8> {
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

#[cfg(test)]
mod tests;
