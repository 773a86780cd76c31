//! Who has given too many wrong digests, by source and by user, in a table of fixed size.
//!
//! Each is a token bucket, kept as the moment at which it will be full again (the GCRA of ATM). Right digests never touch it.

use crate::random::Key;
use crate::time::{Duration, Instant};

/// How many wrong digests are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limit {
    /// So many at once; zero for any number.
    pub burst: u16,
    /// And one more each time that this has passed.
    pub interval: Duration,
}

/// A source or a user with wrong digests. All zero is a free one.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    key: u64,
    /// When all of its tokens are back.
    full: Instant,
}

impl Bucket {
    /// A free one; all zero.
    pub const ZERO: Self = Self { key: 0, full: Instant::ZERO };

    /// How long it is until all tokens are back. What a clock of 32 bits takes for further off than can be is over.
    fn debt(&self, now: Instant, limit: Limit) -> Duration {
        let most = limit.interval.times(u64::from(limit.burst).saturating_add(1));
        let debt = self.full.since(now);
        if self.key == 0 || debt > most { Duration::ZERO } else { debt }
    }
}

/// Buckets that one key can stand in.
const WAYS: usize = 4;

/// Whether no token is left.
pub(super) fn is_locked(buckets: &[Bucket], now: Instant, key: Key, limit: Limit) -> bool {
    let Some(set) = buckets.as_chunks::<WAYS>().0.get(place(buckets.len(), key)) else { return false };
    let found = set.iter().find(|bucket| bucket.key == name(key));
    limit.burst > 0
        && found.is_some_and(|bucket| {
            bucket.debt(now, limit) > limit.interval.times(u64::from(limit.burst).saturating_sub(1))
        })
}

/// Takes a token. Where no bucket is free, the one goes that has most of its tokens.
pub(super) fn count(buckets: &mut [Bucket], now: Instant, key: Key, limit: Limit) {
    let place = place(buckets.len(), key);
    let Some(set) = buckets.as_chunks_mut::<WAYS>().0.get_mut(place) else { return };
    let same = |bucket: &&mut Bucket| bucket.key == name(key);
    let bucket = match set.iter_mut().find(same) {
        Some(bucket) => bucket,
        None => {
            let least = set.iter_mut().min_by_key(|bucket| bucket.debt(now, limit));
            let Some(bucket) = least else { return };
            *bucket = Bucket { key: name(key), full: Instant::ZERO };
            bucket
        }
    };
    bucket.full = now.after(bucket.debt(now, limit)).after(limit.interval);
}

/// The name of a key; never that of a free bucket.
const fn name(key: Key) -> u64 {
    key.bits() | 1
}

fn place(buckets: usize, key: Key) -> usize {
    let sets = buckets.wrapping_div(WAYS);
    (u64::from(key.bucket_bits()).wrapping_mul(sets as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const LIMIT: Limit = Limit { burst: 3, interval: Duration::from_secs(10) };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn key(number: u64) -> Key {
        Random::new([1; 16]).hash_key().hasher().number(number).finish()
    }

    #[test]
    fn three_at_once_and_one_in_ten_seconds() {
        let mut buckets = [Bucket::ZERO; 8];
        for wrong in 0..3 {
            assert!(!is_locked(&buckets, at(100), key(1), LIMIT), "{wrong}");
            count(&mut buckets, at(100), key(1), LIMIT);
        }
        assert!(is_locked(&buckets, at(100), key(1), LIMIT) && !is_locked(&buckets, at(100), key(2), LIMIT));
        assert!(is_locked(&buckets, at(109), key(1), LIMIT) && !is_locked(&buckets, at(110), key(1), LIMIT));
        count(&mut buckets, at(110), key(1), LIMIT);
        assert!(is_locked(&buckets, at(110), key(1), LIMIT) && !is_locked(&buckets, at(140), key(1), LIMIT));
    }

    #[test]
    fn no_flood_of_others_frees_who_is_locked_out() {
        let mut buckets = [Bucket::ZERO; 4];
        for _ in 0..3 {
            count(&mut buckets, at(100), key(0), LIMIT);
        }
        for other in 1..10_000 {
            count(&mut buckets, at(100), key(other), LIMIT);
        }
        assert!(is_locked(&buckets, at(100), key(0), LIMIT));
        let none = &mut [][..];
        count(none, at(100), key(0), LIMIT);
        assert!(!is_locked(none, at(100), key(0), LIMIT));
    }
}
