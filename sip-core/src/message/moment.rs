//! Date and Timestamp (RFC 3261 §20.17, §20.38).

use super::ParseError;
use super::header::HeaderName;
use super::list::Values;
use super::parse::Message;
use super::scan::{DIGIT, alike, decimal, run_of, skip_lws};
use super::value::word;

/// A date and time of day, in GMT: Date (RFC 3261 §20.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Date {
    /// The year, 0 to 9999.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1 on.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 60.
    pub second: u8,
}

const WEEKDAYS: [&[u8]; 7] = [b"Mon,", b"Tue,", b"Wed,", b"Thu,", b"Fri,", b"Sat,", b"Sun,"];
const MONTHS: [(&[u8], u8, u16); 12] = [
    (b"Jan", 31, 0),
    (b"Feb", 28, 31),
    (b"Mar", 31, 59),
    (b"Apr", 30, 90),
    (b"May", 31, 120),
    (b"Jun", 30, 151),
    (b"Jul", 31, 181),
    (b"Aug", 31, 212),
    (b"Sep", 30, 243),
    (b"Oct", 31, 273),
    (b"Nov", 30, 304),
    (b"Dec", 31, 334),
];

impl Date {
    /// Reads a whole value: `Sat, 13 Nov 2010 23:29:00 GMT`. Whether the weekday is that of the date is not looked at.
    ///
    /// # Errors
    /// [`ParseError::Value`], also for any other time zone and for a day that the month does not have.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        date(value).ok_or(ParseError::Value)
    }

    /// Seconds since the beginning of 1970; `None` before.
    #[must_use]
    pub fn unix_seconds(&self) -> Option<u64> {
        let before = u64::from(self.year).checked_sub(1)?;
        let leaps = (before / 4).wrapping_sub(before / 100).wrapping_add(before / 400);
        let (_, _, months) = MONTHS.get(usize::from(self.month.wrapping_sub(1)))?;
        let leap = u64::from(self.month > 2 && is_leap(self.year));
        let in_year = u64::from(*months).wrapping_add(leap).wrapping_add(u64::from(self.day)).checked_sub(1)?;
        let days = before.wrapping_mul(365).wrapping_add(leaps).wrapping_add(in_year).checked_sub(719_162)?;
        let hours = days.wrapping_mul(24).wrapping_add(u64::from(self.hour));
        let minutes = hours.wrapping_mul(60).wrapping_add(u64::from(self.minute));
        Some(minutes.wrapping_mul(60).wrapping_add(u64::from(self.second)))
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// A number of so many digits.
fn digits(text: &[u8], count: usize) -> Option<u16> {
    decimal(text).filter(|_| text.len() == count).and_then(|number| u16::try_from(number).ok())
}

/// Two digits that spell a number in this range.
#[inline(never)]
fn within(text: &[u8], least: u8, most: u8) -> Option<u8> {
    let number = digits(text, 2)? as u8;
    (least..=most).contains(&number).then_some(number)
}

fn date(value: &[u8]) -> Option<Date> {
    let (weekday, rest) = word(value);
    let (day, rest) = word(rest);
    let (month, rest) = word(rest);
    let (year, rest) = word(rest);
    let (time, rest) = word(rest);
    let (zone, rest) = word(rest);
    let named = WEEKDAYS.iter().any(|name| alike(name, weekday)) && alike(zone, b"GMT");
    if !named || skip_lws(rest, 0) != rest.len() {
        return None;
    }
    let place = MONTHS.iter().position(|(name, _, _)| alike(name, month))?;
    let (_, days, _) = *MONTHS.get(place)?;
    let (year, month) = (digits(year, 4)?, u8::try_from(place.wrapping_add(1)).ok()?);
    let days = if month == 2 && is_leap(year) { 29 } else { days };
    let mut parts = time.split(|octet| *octet == b':');
    let found = Date {
        year,
        month,
        day: within(day, 1, days)?,
        hour: within(parts.next()?, 0, 23)?,
        minute: within(parts.next()?, 0, 59)?,
        second: within(parts.next()?, 0, 60)?,
    };
    parts.next().is_none().then_some(found)
}

/// When a request was sent, and how long its answer took: Timestamp (RFC 3261 §20.38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp<'a> {
    /// The sender's time in seconds, digits and perhaps a fraction, to be given back as it is.
    pub time: &'a [u8],
    /// How long the answer took, in seconds, digits and perhaps a fraction.
    pub delay: Option<&'a [u8]>,
}

impl<'a> Timestamp<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Number`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let (time, rest) = word(value);
        let (delay, rest) = word(rest);
        let fine = !time.is_empty()
            && is_decimal(time)
            && time.first() != Some(&b'.')
            && is_decimal(delay)
            && skip_lws(rest, 0) == rest.len();
        if !fine {
            return Err(ParseError::Number);
        }
        Ok(Self { time, delay: (!delay.is_empty()).then_some(delay) })
    }
}

/// Whether these are digits and perhaps a point with digits; either may be missing, as the grammar of `delay` has it.
fn is_decimal(text: &[u8]) -> bool {
    let whole = run_of(text, 0, DIGIT);
    match text.get(whole..) {
        Some([b'.', fraction @ ..]) => run_of(fraction, 0, DIGIT) == fraction.len(),
        rest => rest.is_none_or(<[u8]>::is_empty),
    }
}

impl<'a> Message<'a> {
    /// Date (RFC 3261 §20.17); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn date(&self) -> Option<Result<Date, ParseError>> {
        self.single(HeaderName::Date, Date::parse)
    }

    /// Timestamp (RFC 3261 §20.38); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn timestamp(&self) -> Option<Result<Timestamp<'a>, ParseError>> {
        self.single(HeaderName::Timestamp, Timestamp::parse)
    }

    /// The Call-IDs of In-Reply-To (RFC 3261 §20.21).
    #[must_use]
    pub fn in_reply_to(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::InReplyTo.id()))
    }

    /// Priority: `emergency`, `urgent`, `normal`, `non-urgent`, … (RFC 3261 §20.26); an error when it is no token or
    /// occurs twice.
    #[must_use]
    pub fn priority(&self) -> Option<Result<&'a [u8], ParseError>> {
        self.token(HeaderName::Priority)
    }

    /// SIP-ETag: the entity tag of what a PUBLISH made (RFC 3903 §11.3.1); an error when it is no token or occurs twice.
    #[must_use]
    pub fn sip_etag(&self) -> Option<Result<&'a [u8], ParseError>> {
        self.token(HeaderName::SipETag)
    }

    /// SIP-If-Match: the entity tag that a PUBLISH refreshes (RFC 3903 §11.3.2); an error when it is no token or occurs
    /// twice.
    #[must_use]
    pub fn sip_if_match(&self) -> Option<Result<&'a [u8], ParseError>> {
        self.token(HeaderName::SipIfMatch)
    }
}
