//! The order in which the hosts of a service are tried (RFC 2782): by priority, and among those of one priority by chance, in
//! proportion to their weights.
//!
//! Each record is looked at once, and no more than the first few of the order are kept. A record is offered to one place after
//! the other; at each it takes the place of what stands there with the chance of its weight among all that were offered
//! there, and the other one goes on. So a place holds each record with the chance that RFC 2782's drawing gives it, in whatever order they
//! come.

use super::lookup::HOPS;
use crate::dns::Srv;

/// The first hosts of a service, in their order.
pub(super) struct Chosen<'a> {
    places: [Option<Place<'a>>; HOPS],
    draws: u64,
}

#[derive(Clone, Copy)]
struct Place<'a> {
    srv: Srv<'a>,
    /// The weights of all that were offered here.
    sum: u32,
}

impl<'a> Chosen<'a> {
    /// None yet; `random` decides.
    pub(super) const fn new(random: u64) -> Self {
        Self { places: [None; HOPS], draws: random | 1 }
    }

    /// Takes one more record.
    pub(super) fn offer(&mut self, mut srv: Srv<'a>) {
        for index in 0..HOPS {
            let fresh = Some(Place { srv, sum: weight(srv) });
            let Some(place) = self.places.get_mut(index) else { return };
            match place {
                None => {
                    *place = fresh;
                    return;
                }
                Some(other) if other.srv.priority < srv.priority => {}
                Some(other) if other.srv.priority == srv.priority => {
                    other.sum = other.sum.saturating_add(weight(srv));
                    if below(&mut self.draws, other.sum) < weight(srv) {
                        core::mem::swap(&mut other.srv, &mut srv);
                    }
                }
                Some(_) => {
                    let mut moved = fresh;
                    for place in self.places.iter_mut().skip(index) {
                        core::mem::swap(place, &mut moved);
                    }
                    return;
                }
            }
        }
    }

    /// The hosts.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Srv<'a>> {
        self.places.iter().flatten().map(|place| place.srv)
    }
}

/// The share of a record: one without weight has a very small chance beside others (RFC 2782).
fn weight(srv: Srv<'_>) -> u32 {
    u32::from(srv.weight).saturating_mul(8).max(1)
}

/// A number below `bound`, of a generator that needs no more than one word (xorshift).
fn below(draws: &mut u64, bound: u32) -> u32 {
    *draws ^= *draws << 13;
    *draws ^= *draws >> 7;
    *draws ^= *draws << 17;
    ((*draws >> 32).wrapping_mul(u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;
    use crate::random::Random;

    fn srv(priority: u16, weight: u16, port: u16) -> Srv<'static> {
        Srv { priority, weight, port, target: Name::ROOT }
    }

    fn order(random: u64, records: &[Srv<'static>]) -> Vec<u16> {
        let mut chosen = Chosen::new(random);
        for record in records {
            chosen.offer(*record);
        }
        chosen.hosts().map(|srv| srv.port).collect()
    }

    #[test]
    fn lower_priorities_come_first_in_whatever_order_they_stand() {
        let mut random = Random::new([1; 16]);
        let sorted = [srv(0, 1, 0), srv(1, 1, 1), srv(2, 0, 2), srv(3, 9, 3), srv(9, 1, 4), srv(65_535, 1, 5)];
        for _ in 0..200 {
            let mut records = sorted;
            for last in (1..records.len()).rev() {
                records.swap(last, random.below(last as u32 + 1) as usize);
            }
            assert_eq!(order(random.bits(), &records), [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn each_record_is_there_once_and_those_behind_the_last_place_fall_off() {
        let mut random = Random::new([2; 16]);
        let records: Vec<_> = (0..500).map(|port| srv(port % 3, port % 7, port)).collect();
        for _ in 0..50 {
            let mut found = order(random.bits(), &records);
            assert!(found.len() == HOPS && found.iter().all(|port| port % 3 == 0));
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), HOPS);
        }
        // A group that is pushed down by an earlier one keeps its order and loses its end.
        let late =
            [srv(5, 1, 50), srv(5, 1, 51), srv(1, 1, 10), srv(5, 1, 52), srv(1, 1, 11), srv(1, 1, 12), srv(1, 1, 13)];
        let found = order(3, &late);
        assert!(
            found.len() == HOPS
                && found[..4].iter().all(|port| *port < 20)
                && found[4..].iter().all(|port| *port >= 50)
        );
    }

    /// What RFC 2782 says: draw among all by weight, take it out, draw again.
    #[test]
    fn every_order_is_as_likely_as_the_drawing_of_the_rfc_makes_it() {
        const RUNS: u32 = 60_000;
        let mut random = Random::new([3; 16]);
        let records = [srv(1, 10, 0), srv(1, 30, 1), srv(1, 60, 2)];
        for turned in 0..3 {
            let mut counts = [[0_u32; 3]; 3];
            for _ in 0..RUNS {
                let mut records = records;
                records.rotate_left(turned);
                let found = order(random.bits(), &records);
                counts[usize::from(found[0])][usize::from(found[1])] += 1;
            }
            for (first, weight) in [(0, 10.0), (1, 30.0), (2, 60.0)] {
                for (second, other) in
                    [(0, 10.0), (1, 30.0), (2, 60.0)].into_iter().filter(|(second, _)| *second != first)
                {
                    let expected = weight / 100.0 * other / (100.0 - weight);
                    let share = f64::from(counts[first][second]) / f64::from(RUNS);
                    assert!((share - expected).abs() < 0.012, "{first} {second}: {share} for {expected}");
                }
            }
        }
    }

    #[test]
    fn one_without_weight_is_seldom_first_and_never_left_out() {
        let mut random = Random::new([4; 16]);
        let records = [srv(1, 0, 0), srv(1, 100, 1)];
        let first = (0..20_000).filter(|_| order(random.bits(), &records)[0] == 0).count();
        assert!(first < 100, "{first}");
        let even = [srv(1, 0, 0), srv(1, 0, 1)];
        let first = (0..20_000).filter(|_| order(random.bits(), &even)[0] == 0).count();
        assert!((9_500..10_500).contains(&first), "{first}");
    }
}
