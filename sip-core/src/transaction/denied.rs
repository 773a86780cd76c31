//! Targets that failed a short while ago, which are tried last (RFC 3263 §4.3), whatever request comes next.
//!
//! A target is noted when a request goes on from it to another one: its flow failed, nobody answered, or it said 503. It
//! stands here as 32 bits of its keyed hash, so that a mistake, which only changes an order, comes once in four thousand million. When
//! there are more than places, the one that has stood longest makes room. Without the feature `deny` there is nothing.

use super::key;
use crate::random::HashKey;
use crate::time::{Duration, Instant};
use crate::transport::{Flow, Target};

/// How long a target stands here: as long as an outage is worth going around, and a load is to come back after it.
const LIFE: Duration = Duration::from_secs(300);
/// Targets at most.
const PLACES: usize = if cfg!(feature = "deny") { 8 } else { 0 };

/// The list. All zero is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denied {
    places: [Place; PLACES],
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Zero is none.
    target: u32,
    /// The lower 32 bits of the moment in milliseconds. A place that is over can look as if it were not for five minutes in 49
    /// days.
    until: u32,
}

impl Place {
    const NONE: Self = Self { target: 0, until: 0 };

    fn left(self, now: Instant) -> u32 {
        let left = self.until.wrapping_sub(now.as_millis() as u32);
        if self.target == 0 || u64::from(left) > LIFE.as_millis() { 0 } else { left }
    }
}

impl Denied {
    pub(super) const ZERO: Self = Self { places: [Place::NONE; PLACES] };

    /// The target of this flow has failed.
    pub(super) fn note(&mut self, now: Instant, hash: &HashKey, flow: Flow) {
        if flow.is_none() {
            return;
        }
        let target = name(hash, flow.target());
        let until = now.after(LIFE).as_millis() as u32;
        let same = self.places.iter().position(|place| place.target == target);
        let oldest = || self.places.iter().enumerate().min_by_key(|(_, place)| place.left(now)).map(|(index, _)| index);
        if let Some(place) = same.or_else(oldest).and_then(|index| self.places.get_mut(index)) {
            *place = Place { target, until };
        }
    }

    /// Whether this target has failed.
    pub(super) fn has(&self, now: Instant, hash: &HashKey, target: Target) -> bool {
        // Mostly there is none, and then nothing is hashed.
        if self.places.iter().all(|place| place.left(now) == 0) {
            return false;
        }
        let target = name(hash, target);
        self.places.iter().any(|place| place.target == target && place.left(now) > 0)
    }
}

fn name(hash: &HashKey, target: Target) -> u32 {
    key::flow(hash, &Flow { remote: target.address, transport: target.transport, ..Flow::NONE }).bucket_bits().max(1)
}

#[cfg(all(test, feature = "deny"))]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::transport::{Address, Transport};
    use core::net::Ipv4Addr;

    fn target(last: u8, transport: Transport) -> Target {
        Target { address: Address::v4(Ipv4Addr::new(192, 0, 2, last), 5060), transport }
    }

    #[test]
    fn a_target_stands_here_for_five_minutes_and_no_other_with_it() {
        let hash = &Random::new([9; 16]).hash_key();
        // Also where a clock of 32 bits wraps.
        for start in [1, u64::from(u32::MAX) - 100_000] {
            let at = |millis: u64| Instant::from_millis(start + millis);
            let mut denied = Denied::ZERO;
            let udp = target(1, Transport::Udp);
            assert!(!denied.has(at(0), hash, udp));
            denied.note(at(0), hash, Flow { connection: 7, listener: 3, ..Flow::to(udp) });
            denied.note(at(0), hash, Flow::NONE);
            for (millis, expected) in [(0, true), (299_999, true), (300_000, false), (900_000, false)] {
                assert_eq!(denied.has(at(millis), hash, udp), expected, "{millis}");
            }
            assert!(
                !denied.has(at(0), hash, target(2, Transport::Udp))
                    && !denied.has(at(0), hash, target(1, Transport::Tcp))
            );
            denied.note(at(200_000), hash, Flow::to(udp));
            assert!(denied.has(at(499_999), hash, udp) && !denied.has(at(500_000), hash, udp));
        }
    }

    #[test]
    fn the_one_that_stands_longest_makes_room() {
        let hash = &Random::new([9; 16]).hash_key();
        let at = Instant::from_millis;
        let mut denied = Denied::ZERO;
        for last in 0..10 {
            denied.note(at(1000 + u64::from(last)), hash, Flow::udp(target(last, Transport::Udp).address));
        }
        let standing: Vec<_> =
            (0..10).filter(|last| denied.has(at(1100), hash, target(*last, Transport::Udp))).collect();
        assert_eq!(standing, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
