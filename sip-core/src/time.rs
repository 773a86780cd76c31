//! Time as the core sees it: milliseconds since an epoch of the caller's choice.
//!
//! On targets with pointers of less than 64 bits a moment is kept in 32 bits, which makes entries and code smaller. Such a
//! clock wraps after 49.7 days. Moments are then compared as sequence numbers are: which of two is the later one is
//! known as long as less than 24.8 days lie between them, and no duration is longer than 24 days. Whoever calls
//! [`handle_timeout`](crate::role::Role::handle_timeout) when it is due never sees a difference. The feature `narrow`
//! gives every target this clock, so that tests can run on it.

use core::cmp::Ordering;
use core::fmt;
use core::ops::{Add, AddAssign, Mul, Sub, SubAssign};

/// What a moment and a duration are kept in.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
mod width {
    pub(super) type Millis = u64;

    /// The longest duration.
    pub(super) const LONGEST: Millis = Millis::MAX;

    /// A moment of the caller's clock.
    pub(super) const fn moment(millis: u64) -> Millis {
        millis
    }

    pub(super) const fn add(moment: Millis, duration: Millis) -> Millis {
        moment.saturating_add(duration)
    }

    pub(super) const fn sub(moment: Millis, duration: Millis) -> Millis {
        moment.saturating_sub(duration)
    }

    /// From `earlier` to `later`; `None` when they are the other way round.
    pub(super) const fn between(earlier: Millis, later: Millis) -> Option<Millis> {
        later.checked_sub(earlier)
    }
}

#[cfg(not(all(target_pointer_width = "64", not(feature = "narrow"))))]
mod width {
    pub(super) type Millis = u32;

    /// 24 days: shorter than half of what can be told apart, with room for inputs that come late.
    pub(super) const LONGEST: Millis = 24 * 86_400_000;

    /// A moment of the caller's clock. Zero stands for never in entries, so after the clock wraps, one millisecond is told as
    /// the next.
    pub(super) const fn moment(millis: u64) -> Millis {
        if millis != 0 { not_zero(millis as Millis) } else { 0 }
    }

    const fn not_zero(moment: Millis) -> Millis {
        if moment == 0 { 1 } else { moment }
    }

    pub(super) const fn add(moment: Millis, duration: Millis) -> Millis {
        not_zero(moment.wrapping_add(duration))
    }

    pub(super) const fn sub(moment: Millis, duration: Millis) -> Millis {
        not_zero(moment.wrapping_sub(duration))
    }

    /// From `earlier` to `later`; `None` when they are the other way round.
    pub(super) const fn between(earlier: Millis, later: Millis) -> Option<Millis> {
        let passed = later.wrapping_sub(earlier);
        if passed > Millis::MAX / 2 { None } else { Some(passed) }
    }
}

use width::{LONGEST, Millis};

/// A moment, in milliseconds since the caller's epoch.
///
/// The core never reads a clock. Every input carries the caller's `now`; it must not run backwards.
///
/// Arithmetic never panics: what lies before the epoch or behind the last moment is that moment (where a clock wraps, it
/// wraps); [`checked_add`](Self::checked_add) and its like tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(Millis);

impl Instant {
    /// The caller's epoch.
    pub const ZERO: Self = Self(0);

    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(width::moment(millis))
    }

    /// Milliseconds since the epoch; where moments have 32 bits, the lower 32 bits of that.
    #[must_use]
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "not on every target")]
    pub const fn as_millis(self) -> u64 {
        self.0 as u64
    }

    /// The moment `duration` later; the last there is, when that lies beyond it.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn after(self, duration: Duration) -> Self {
        Self(width::add(self.0, duration.0))
    }

    /// The earliest of those that are not zero, which stands for never.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn earliest(of: &[Self]) -> Option<Self> {
        of.iter().copied().filter(|at| *at != Self::ZERO).min()
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        match self.checked_since(earlier) {
            Some(passed) => passed,
            None => Duration::ZERO,
        }
    }

    /// The time from `earlier` to this moment; `None` when `earlier` is later.
    #[must_use]
    pub const fn checked_since(self, earlier: Self) -> Option<Duration> {
        match width::between(earlier.0, self.0) {
            Some(passed) => Some(Duration(passed)),
            None => None,
        }
    }

    /// The moment `duration` later; `None` when there is none.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let later = self.after(duration);
        (later.since(self) == duration).then_some(later)
    }

    /// The moment `duration` earlier; `None` when there is none.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let earlier = self - duration;
        (self.since(earlier) == duration).then_some(earlier)
    }

    /// The first of the moments `interval`, twice `interval` and so on after this one that is later than `now`.
    ///
    /// What recurs and is served late is due again at its own pace, and what was missed meanwhile is not made up for: a
    /// keep-alive that comes months late costs one step. With no interval it is the millisecond after `now`.
    #[must_use]
    pub const fn next_after(self, interval: Duration, now: Self) -> Self {
        let late = now.since(self).0;
        match late.checked_rem(interval.0) {
            None => now.after(Duration(1)),
            // This moment itself may still be to come.
            Some(_) if width::between(now.0, self.0).is_some() => self.after(interval),
            Some(beyond) => now.after(Duration(interval.0.saturating_sub(beyond))),
        }
    }
}

impl PartialOrd for Instant {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    #[inline]
    #[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }

    #[inline]
    #[cfg(not(all(target_pointer_width = "64", not(feature = "narrow"))))]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.wrapping_sub(other.0).cast_signed().cmp(&0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.after(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(width::sub(self.0, duration.0))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

/// The time between two moments, as [`Instant::since`].
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Seconds since the epoch, as `12.345`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(self.0, f)
    }
}

/// A span of time in milliseconds.
///
/// Arithmetic never panics: what is too long is the longest there is, what is less than nothing is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Duration(Millis);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// The longest span there is; where moments have 32 bits, 24 days.
    pub const MAX: Self = Self(LONGEST);

    /// A span of `millis` milliseconds.
    #[must_use]
    #[allow(clippy::unnecessary_cast, clippy::absurd_extreme_comparisons, reason = "not on every target")]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > LONGEST as u64 { Self::MAX } else { Self(millis as Millis) }
    }

    /// A span of `secs` seconds.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Milliseconds in this span.
    #[must_use]
    #[allow(clippy::unnecessary_cast, reason = "not on every target")]
    pub const fn as_millis(self) -> u64 {
        self.0 as u64
    }

    /// Whole seconds in this span.
    #[must_use]
    #[allow(clippy::unnecessary_cast, reason = "not on every target")]
    pub const fn as_secs(self) -> u64 {
        (self.0 / 1000) as u64
    }

    /// This span `times` over.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn times(self, times: u64) -> Self {
        Self::from_millis(self.as_millis().saturating_mul(times))
    }

    /// The shorter of the two spans.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Ord::min(self, other)
    }

    /// Both spans; `None` when that is longer than the longest.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| *sum <= Self::MAX)
    }

    /// What is left without the other span; `None` when that one is longer.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl Add for Duration {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.checked_add(other).unwrap_or(Self::MAX)
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Duration {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Duration {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Mul<u32> for Duration {
    type Output = Self;

    fn mul(self, times: u32) -> Self {
        self.times(u64::from(times))
    }
}

/// What is less than a millisecond is left out.
impl From<core::time::Duration> for Duration {
    fn from(duration: core::time::Duration) -> Self {
        Self::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(duration: Duration) -> Self {
        Self::from_millis(duration.as_millis())
    }
}

/// Seconds, as `12.345 s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        seconds(self.0, f)?;
        f.write_str(" s")
    }
}

fn seconds(millis: Millis, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn arithmetic_stays_within_what_there_is() {
        assert_eq!(at(5) + millis(7), at(12));
        assert_eq!(at(12) - millis(7), at(5));
        assert_eq!((at(12) - at(5), at(5) - at(12)), (millis(7), Duration::ZERO));
        assert_eq!((at(12).checked_since(at(5)), at(5).checked_since(at(12))), (Some(millis(7)), None));
        assert_eq!((at(5).checked_add(millis(7)), at(12).checked_sub(millis(7))), (Some(at(12)), Some(at(5))));
        let mut moving = at(5);
        moving += millis(9);
        moving -= millis(2);
        assert_eq!(moving, at(12));
        let mut span = millis(5);
        span += millis(9);
        span -= millis(2);
        assert_eq!((span, span * 2, millis(3) - millis(5)), (millis(12), millis(24), Duration::ZERO));
        assert_eq!((Duration::MAX + millis(1), Duration::MAX * 3), (Duration::MAX, Duration::MAX));
        assert_eq!((Duration::MAX.checked_add(millis(1)), millis(1).checked_sub(millis(2))), (None, None));
        assert_eq!(Duration::from_secs(u64::MAX), Duration::MAX);
        assert_eq!(Duration::from(core::time::Duration::from_micros(2999)), millis(2));
        assert_eq!(core::time::Duration::from(millis(1500)), core::time::Duration::from_millis(1500));
    }

    #[test]
    #[cfg(not(feature = "narrow"))]
    fn nothing_lies_before_the_epoch_or_after_the_last_moment() {
        assert_eq!((at(5) - millis(7), at(5).checked_sub(millis(7))), (Instant::ZERO, None));
        assert_eq!((at(u64::MAX) + millis(7), at(u64::MAX).checked_add(millis(7))), (at(u64::MAX), None));
    }

    #[test]
    #[cfg(feature = "narrow")]
    fn a_clock_of_32_bits_wraps_and_keeps_the_order() {
        let wrap = 1_u64 << 32;
        for (earlier, later) in [(5, 12), (wrap - 5, wrap + 12), (wrap + 3 - Duration::MAX.as_millis(), wrap + 3)] {
            let passed = millis(later - earlier);
            assert!(at(earlier) < at(later) && at(later) > at(earlier));
            assert_eq!((at(earlier).max(at(later)), at(earlier).min(at(later))), (at(later), at(earlier)));
            assert_eq!((at(earlier) + passed, at(later) - passed), (at(later), at(earlier)));
            assert_eq!((at(later) - at(earlier), at(earlier) - at(later)), (passed, Duration::ZERO));
        }
        // Zero is never: it is no moment after the start.
        assert_ne!(at(wrap), Instant::ZERO);
        assert_ne!(at(wrap - 7) + millis(7), Instant::ZERO);
        assert!(at(wrap - 1) < at(wrap) && at(wrap) <= at(wrap + 1));
    }

    #[test]
    fn what_recurs_and_is_late_is_due_at_its_own_pace() {
        let start = at(100);
        let cases =
            [(100, 130), (99, 130), (129, 130), (130, 160), (131, 160), (100 + 30 * 1_000_000, 100 + 30 * 1_000_001)];
        for (now, due) in cases {
            assert_eq!(start.next_after(millis(30), at(now)), at(due), "now {now}");
        }
        assert_eq!(start.next_after(Duration::ZERO, at(500)), at(501));
    }

    #[test]
    fn time_is_told_in_seconds() {
        assert_eq!(std::format!("{} {}", at(61_005), millis(250)), "61.005 0.250 s");
    }
}
