//! Answers that may still be given (RFC 1035 §7.4, RFC 2308), in so many octets and no more.
//!
//! ```text
//!   hash of the question (8) | over at, ms (8) | length (2) | the message      oldest first; the oldest makes room
//! ```
//! What is found is parsed against its question, so two questions with one hash cost a query and nothing else.

use super::answer::{Answer, Code};
use super::name::Name;
use super::record::{Data, Kind};
use crate::memory::move_down;
use crate::random::{HashKey, KeyHasher};
use crate::time::{Duration, Instant};

/// The octets before each message.
const HEAD: usize = 18;
/// An answer is kept for a day at most (RFC 1035 §7.3: a life that is absurdly long), and for five minutes that there is nothing.
const LONGEST: u32 = 86_400;
const LONGEST_NEGATIVE: u32 = 300;

/// Answers over octets of any kind: an array, a vector, a slice; none keep nothing.
#[derive(Debug)]
pub struct Cache<C> {
    octets: C,
    used: usize,
    key: HashKey,
}

/// What stands at a place of the octets.
struct Entry {
    hash: u64,
    until: Instant,
    /// Where the message begins and ends.
    start: usize,
    end: usize,
}

impl<C: AsRef<[u8]> + AsMut<[u8]>> Cache<C> {
    /// An empty cache over these octets.
    pub const fn new(octets: C, key: HashKey) -> Self {
        Self { octets, used: 0, key }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// The answer to this question, if one is kept.
    #[must_use]
    pub fn get(&self, now: Instant, name: Name<'_>, kind: Kind) -> Option<Answer<'_>> {
        let hash = self.hash(name, kind);
        let mut at = 0;
        loop {
            let entry = self.entry(at)?;
            // A clock of 32 bits may have wrapped: what is further away than it can be is over.
            let left = entry.until.checked_since(now).filter(|left| *left <= seconds(LONGEST));
            if entry.hash == hash && left.is_some_and(|left| left > Duration::ZERO) {
                let message = self.octets.as_ref().get(entry.start..entry.end)?;
                return Answer::parse(message, Answer::id(message)?, name, kind).ok();
            }
            at = entry.end;
        }
    }

    /// Keeps the answer to this question for as long as its records allow, in place of an earlier one.
    pub fn put(&mut self, now: Instant, name: Name<'_>, kind: Kind, answer: &Answer<'_>) {
        let (hash, message, life) = (self.hash(name, kind), answer.message(), life(answer, kind));
        let Ok(length) = u16::try_from(message.len()) else { return };
        let need = message.len().saturating_add(HEAD);
        if life == 0 || need > self.octets.as_ref().len() {
            return;
        }
        let mut at = 0;
        while let Some(entry) = self.entry(at) {
            let over = entry.until.checked_since(now).is_none_or(|left| left == Duration::ZERO);
            at = if over || entry.hash == hash { self.remove(at, entry.end) } else { entry.end };
        }
        while self.octets.as_ref().len().saturating_sub(self.used) < need {
            let Some(oldest) = self.entry(0) else { return };
            self.remove(0, oldest.end);
        }
        let until = now.after(seconds(life)).as_millis();
        let head = hash.to_be_bytes().into_iter().chain(until.to_be_bytes()).chain(length.to_be_bytes());
        let end = self.used.saturating_add(need);
        let Some(place) = self.octets.as_mut().get_mut(self.used..end) else { return };
        let Some((place_of_head, rest)) = place.split_at_mut_checked(HEAD) else { return };
        for (place, octet) in place_of_head.iter_mut().zip(head) {
            *place = octet;
        }
        // By itself, so that it is copied at once.
        for (place, octet) in rest.iter_mut().zip(message) {
            *place = *octet;
        }
        self.used = end;
    }

    fn hash(&self, name: Name<'_>, kind: Kind) -> u64 {
        let hasher = self.key.hasher().number(u64::from(kind.number()));
        name.labels().fold(hasher, KeyHasher::part_ignoring_case).finish().bits()
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let octets = self.octets.as_ref().get(at..self.used)?;
        let [hash, until] = *octets.first_chunk::<16>()?.as_chunks::<8>().0.first_chunk()?;
        let length = octets.get(16..)?.first_chunk().copied().map(u16::from_be_bytes)?;
        let start = at.saturating_add(HEAD);
        let until = Instant::from_millis(u64::from_be_bytes(until));
        Some(Entry { hash: u64::from_be_bytes(hash), until, start, end: start.saturating_add(usize::from(length)) })
    }

    /// Removes what stands from `at` to `end`; gives `at`.
    fn remove(&mut self, at: usize, end: usize) -> usize {
        move_down(self.octets.as_mut(), end, self.used, at);
        self.used = self.used.saturating_sub(end.saturating_sub(at));
        at
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// For how many seconds an answer may be kept: as long as all of its records, or as the zone says that nothing is there.
fn life(answer: &Answer<'_>, kind: Kind) -> u32 {
    let mut life = LONGEST;
    let mut found = false;
    for record in answer.answers() {
        found |= record.data.is(kind);
        life = life.min(record.ttl);
    }
    match answer.code() {
        Code::NoError if found => {
            // Addresses that came with it are used with it.
            let addresses = answer.additional().filter(|record| record.data.is(Kind::A) || record.data.is(Kind::Aaaa));
            addresses.fold(life, |life, record| life.min(record.ttl))
        }
        Code::NoError | Code::NoName => {
            let negative = answer.authority().find_map(|record| match record.data {
                Data::Soa(minimum) => Some(record.ttl.min(minimum)),
                _ => None,
            });
            life.min(negative.unwrap_or_default()).min(LONGEST_NEGATIVE)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Domain;
    use super::super::samples::Reply;
    use super::*;
    use crate::random::Random;

    fn cache(octets: usize) -> Cache<Vec<u8>> {
        Cache::new(vec![0; octets], Random::new([7; 16]).hash_key())
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn domain(name: &str) -> Domain {
        Domain::parse(name.as_bytes()).unwrap()
    }

    fn put(cache: &mut Cache<Vec<u8>>, now: Instant, name: &str, reply: &Reply) {
        let domain = domain(name);
        let answer = Answer::parse(&reply.bytes, 1, domain.name(), Kind::A).unwrap();
        cache.put(now, domain.name(), Kind::A, &answer);
    }

    fn has(cache: &Cache<Vec<u8>>, now: Instant, name: &str) -> bool {
        let found = cache.get(now, domain(name).name(), Kind::A);
        found.is_some_and(|answer| answer.code() == Code::NoName || answer.answers().next().is_some())
    }

    fn reply(name: &str, ttl: u32) -> Reply {
        Reply::of(1, name, Kind::A).record(name, 1, ttl, &[192, 0, 2, 1])
    }

    #[test]
    fn an_answer_is_kept_as_long_as_its_shortest_record() {
        let mut cache = cache(1000);
        let both = reply("a.example", 60).record("a.example", 1, 30, &[192, 0, 2, 2]);
        put(&mut cache, at(10), "a.example", &both);
        assert!(has(&cache, at(10), "A.EXAMPLE") && has(&cache, at(39), "a.example"));
        assert!(!has(&cache, at(40), "a.example") && !has(&cache, at(9_999_999), "a.example"));
        assert!(!has(&cache, at(10), "b.example"));
        assert!(cache.get(at(10), domain("a.example").name(), Kind::Aaaa).is_none());
        // Addresses beside it count, too.
        let glue = reply("c.example", 60).section(2).record("d.example", 1, 5, &[192, 0, 2, 2]);
        put(&mut cache, at(10), "c.example", &glue);
        assert!(has(&cache, at(14), "c.example") && !has(&cache, at(15), "c.example"));
        // Not at all, and not for ever.
        put(&mut cache, at(10), "e.example", &reply("e.example", 0));
        put(&mut cache, at(10), "f.example", &reply("f.example", i32::MAX as u32));
        assert!(!has(&cache, at(10), "e.example"));
        assert!(has(&cache, at(86_409), "f.example") && !has(&cache, at(86_410), "f.example"));
        cache.clear();
        assert!(!has(&cache, at(11), "f.example"));
    }

    #[test]
    fn that_nothing_is_there_is_kept_as_the_zone_says() {
        let mut cache = cache(1000);
        let none = |name| Reply::of(1, name, Kind::A).code(3);
        put(&mut cache, at(0), "a.example", &none("a.example").section(1).soa("example", 50, 20));
        put(&mut cache, at(0), "b.example", &none("b.example").section(1).soa("example", 50, 100_000));
        put(&mut cache, at(0), "c.example", &none("c.example"));
        put(&mut cache, at(0), "d.example", &none("d.example").section(1).soa("example", 9999, 9999));
        assert!(has(&cache, at(19), "a.example") && !has(&cache, at(20), "a.example"));
        assert!(has(&cache, at(49), "b.example") && !has(&cache, at(50), "b.example"));
        assert!(!has(&cache, at(0), "c.example"));
        assert!(has(&cache, at(299), "d.example") && !has(&cache, at(300), "d.example"));
        // A server that failed says nothing.
        put(
            &mut cache,
            at(0),
            "e.example",
            &Reply::of(1, "e.example", Kind::A).code(2).section(1).soa("example", 9, 9),
        );
        assert!(cache.get(at(0), domain("e.example").name(), Kind::A).is_none());
    }

    #[test]
    fn the_oldest_makes_room_and_what_is_over_goes_first() {
        let one = reply("0.example", 60).bytes.len() + HEAD;
        let mut cache = cache(4 * one + one / 2);
        let name = |number: usize| format!("{number}.example");
        for number in 0..4 {
            put(&mut cache, at(0), &name(number), &reply(&name(number), if number == 2 { 5 } else { 60 }));
        }
        put(&mut cache, at(0), &name(1), &reply(&name(1), 60));
        let kept = |cache: &Cache<_>, now| (0..7).filter(|number| has(cache, now, &name(*number))).collect::<Vec<_>>();
        assert_eq!(kept(&cache, at(0)), [0, 1, 2, 3]);
        put(&mut cache, at(6), &name(4), &reply(&name(4), 60));
        assert_eq!(kept(&cache, at(6)), [0, 1, 3, 4]);
        put(&mut cache, at(6), &name(5), &reply(&name(5), 60));
        assert_eq!(kept(&cache, at(6)), [1, 3, 4, 5]);
        // What is larger than all there is changes nothing, and no octets keep nothing.
        let large = (0..20).fold(reply("6.example", 60), |reply, last| reply.a("6.example", [192, 0, 2, last]));
        put(&mut cache, at(6), &name(6), &large);
        assert_eq!(kept(&cache, at(6)), [1, 3, 4, 5]);
        let mut none = self::cache(0);
        put(&mut none, at(0), &name(0), &reply(&name(0), 60));
        assert!(kept(&none, at(0)).is_empty());
    }
}
