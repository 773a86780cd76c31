//! The timers of RFC 3261 §17 (Table 4) and RFC 6026 §8.

use crate::time::{Duration, Instant};
use core::ops::Add;

/// The three values that all timers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timers {
    /// T1, the estimate of a round trip; 500 ms unless configured.
    pub t1: Duration,
    /// T2, the longest pause between retransmissions; 4 s unless configured.
    pub t2: Duration,
    /// T4, the longest that a message stays in the network; 5 s unless configured.
    pub t4: Duration,
}

impl Timers {
    /// T1 500 ms, T2 4 s, T4 5 s (RFC 3261 Table 4).
    pub const DEFAULT: Self =
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };

    /// No time at all; all zero. What a layer has that was not started.
    pub const ZERO: Self = Self { t1: Duration::ZERO, t2: Duration::ZERO, t4: Duration::ZERO };

    /// 64 times T1: Timers B, F, H, J, L and M, and the patience with a user that does not answer.
    #[must_use]
    pub const fn sixty_four_t1(&self) -> Duration {
        self.t1.times(64)
    }

    /// How long after the first request a client's Timer E is T2: 3.5 s by default (RFC 3261 §17.1.2.2).
    #[must_use]
    pub fn until_t2(&self) -> Duration {
        let mut pause = self.t1.max(Duration::from_millis(1));
        while pause < self.t2 {
            pause = pause.times(2);
        }
        // The pauses before add up to the last one less the first.
        pause.checked_sub(self.t1).unwrap_or(Duration::ZERO).max(self.t1)
    }

    /// Timer D over an unreliable transport: 32 s, and no less than the peer's Timer H (RFC 3261 §17.1.1.2).
    #[must_use]
    pub fn d(&self) -> Duration {
        self.sixty_four_t1().max(Duration::from_secs(32))
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How long the user may take before a 100 goes out (RFC 3261 §17.2.1).
pub const TRYING_AFTER: Duration = Duration::from_millis(200);

/// One timer: a deadline, or stopped. All zero is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timer(Instant);

impl Timer {
    /// A timer that does not run.
    pub const STOPPED: Self = Self(Instant::ZERO);

    /// A timer that fires `after` the moment `from`, at the least one millisecond later.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn after(from: Instant, after: Duration) -> Self {
        Self(from.add(after.max(Duration::from_millis(1))))
    }

    /// A timer that fires at this moment.
    pub(super) fn at(moment: Instant) -> Self {
        Self(if moment == Instant::ZERO { Instant::from_millis(1) } else { moment })
    }

    /// When it fires; `None` when it does not run.
    #[must_use]
    pub fn deadline(self) -> Option<Instant> {
        (self.0 != Instant::ZERO).then_some(self.0)
    }

    /// Whether it runs and its moment has come.
    #[must_use]
    pub fn is_due(self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The next one, `after` this one's deadline rather than after the moment at which it was handled, so
    /// that a late caller adds no drift.
    #[must_use]
    pub fn again(self, after: Duration) -> Self {
        Self::after(self.0, after)
    }

    /// The earlier of the two deadlines.
    #[must_use]
    pub fn or(self, other: Self) -> Option<Instant> {
        match (self.deadline(), other.deadline()) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        }
    }

    /// The same timer on a clock that shows one millisecond at `now`.
    #[must_use]
    pub fn relative_to(self, now: Instant) -> Self {
        match self.deadline() {
            Some(deadline) => Self::after(Instant::from_millis(1), deadline.since(now)),
            None => Self::STOPPED,
        }
    }
}

/// Two timers that every machine runs at most: one that sends again and one that ends the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Running {
    /// Timer A, E or G; or the one that makes the 100.
    pub(super) send: Timer,
    /// Timer B, D, F, H, I, J, K, L or M.
    pub(super) end: Timer,
    /// The pause before `send`, in milliseconds.
    pause: u32,
}

impl Running {
    pub(super) const STOPPED: Self = Self { send: Timer::STOPPED, end: Timer::STOPPED, pause: 0 };

    /// Only the timer that ends the state.
    pub(super) fn end_after(now: Instant, after: Duration) -> Self {
        Self { end: Timer::after(now, after), ..Self::STOPPED }
    }

    /// Starts to send again, first after `pause`.
    pub(super) fn send_after(mut self, now: Instant, pause: Duration) -> Self {
        self.send = Timer::after(now, pause);
        self.pause = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// After the sending timer fired: the pause doubles, up to `longest`.
    pub(super) fn double(&mut self, longest: Duration) {
        self.pause(Duration::from_millis(u64::from(self.pause)).times(2).min(longest));
    }

    /// After the sending timer fired: it fires next after `pause`.
    pub(super) fn pause(&mut self, pause: Duration) {
        self.pause = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
        self.send = self.send.again(pause);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.end.or(self.send)
    }

    pub(super) fn relative_to(self, now: Instant) -> Self {
        Self { send: self.send.relative_to(now), end: self.end.relative_to(now), pause: self.pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_double_from_their_own_deadline() {
        let start = Instant::from_millis(7);
        let mut running = Running::STOPPED.send_after(start, Duration::from_millis(500));
        let mut deadlines = Vec::new();
        for _ in 0..6 {
            deadlines.push(running.deadline().unwrap().as_millis() - 7);
            running.double(Duration::from_secs(4));
        }
        assert_eq!(deadlines, [500, 1500, 3500, 7500, 11_500, 15_500]);
    }

    #[test]
    fn a_clock_that_is_later_shows_the_same_relative_timer() {
        let timer = Timer::after(Instant::from_millis(10), Duration::from_millis(5));
        let later = Timer::after(Instant::from_millis(1010), Duration::from_millis(5));
        assert_eq!(timer.relative_to(Instant::from_millis(12)), later.relative_to(Instant::from_millis(1012)));
        assert_eq!(Timer::STOPPED.relative_to(Instant::from_millis(12)), Timer::STOPPED);
        assert_eq!(Timer::STOPPED.or(timer), timer.deadline());
    }

    #[test]
    fn timer_e_reaches_t2_after_the_pauses_before() {
        let of = |t1, t2| {
            Timers { t1: Duration::from_millis(t1), t2: Duration::from_millis(t2), t4: Duration::ZERO }.until_t2()
        };
        for (t1, t2, until) in [(500, 4000, 3500), (500, 5000, 7500), (500, 500, 500), (4000, 500, 4000), (0, 500, 512)]
        {
            assert_eq!(of(t1, t2), Duration::from_millis(until));
        }
        assert!(of(1, u64::MAX) > Duration::from_secs(1));
    }

    #[test]
    fn a_timer_never_fires_at_its_start() {
        let now = Instant::from_millis(3);
        assert!(!Timer::after(now, Duration::ZERO).is_due(now));
        assert_eq!(Timers::ZERO.d(), Duration::from_secs(32));
    }
}
