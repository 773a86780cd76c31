//! A network in virtual time that loses, repeats, delays and reorders datagrams as its seed says.

use crate::ladder::Fate;
use crate::rule::{Deed, Rule};
use crate::schedule::Schedule;
use fastrand::Rng;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;

/// What may happen to a datagram on its way; shares are in thousandths, times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Of 1,000 datagrams, how many are lost.
    pub loss: u16,
    /// Of 1,000 datagrams that are not lost, how many arrive twice, each copy with a delay of its own.
    pub duplicate: u16,
    /// The shortest time on the way.
    pub delay_min: Duration,
    /// The longest time on the way. Every time from the shortest to this one is equally likely, so that a later
    /// datagram overtakes an earlier one when they differ.
    pub delay_max: Duration,
    /// Of 1,000 datagrams that are not lost, how many are held back by up to [`late_by`](Self::late_by)
    /// more, and by one millisecond at least.
    pub late: u16,
    /// The longest time for which a datagram is held back.
    pub late_by: Duration,
    /// Of 1,000 sends, how many find that the socket would block.
    pub block: u16,
    /// The longest time for which the socket then blocks; the shortest is one millisecond.
    pub block_for: Duration,
}

impl Faults {
    /// Every datagram arrives once, in order, in the millisecond in which it was sent.
    pub const NONE: Self = Self {
        loss: 0,
        duplicate: 0,
        delay_min: Duration::ZERO,
        delay_max: Duration::ZERO,
        late: 0,
        late_by: Duration::ZERO,
        block: 0,
        block_for: Duration::ZERO,
    };

    /// A good line: 10 ms, in order.
    pub const LINE: Self =
        Self { delay_min: Duration::from_millis(10), delay_max: Duration::from_millis(10), ..Self::NONE };

    /// A bad wireless network: 10 % lost, 5 % twice, 1 to 80 ms and so reordered, 2 % held back up to 2 s, and
    /// 2 % of the sends blocked up to 200 ms.
    pub const WIRELESS: Self = Self {
        loss: 100,
        duplicate: 50,
        delay_min: Duration::from_millis(1),
        delay_max: Duration::from_millis(80),
        late: 20,
        late_by: Duration::from_secs(2),
        block: 20,
        block_for: Duration::from_millis(200),
    };

    /// The same with `loss` of 1,000 datagrams lost.
    #[must_use]
    pub const fn with_loss(mut self, loss: u16) -> Self {
        self.loss = loss;
        self
    }

    /// The same with a delay of `min` to `max` milliseconds.
    #[must_use]
    pub const fn with_delay(mut self, min: u64, max: u64) -> Self {
        self.delay_min = Duration::from_millis(min);
        self.delay_max = Duration::from_millis(max);
        self
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

/// A datagram that has arrived.
#[derive(Debug)]
pub struct Datagram {
    /// Who sent it.
    pub from: Address,
    /// Where it arrived.
    pub to: Address,
    /// Its octets; give them back with [`Network::recycle`].
    pub payload: Vec<u8>,
    /// What the sender gave as the datagram's number.
    pub number: u64,
}

/// The datagrams that are on their way, and what is drawn for them.
#[derive(Debug)]
pub struct Network {
    random: Rng,
    faults: Faults,
    directions: Vec<(Address, Address, Faults)>,
    rules: Vec<Rule>,
    flying: Schedule<Datagram>,
    spare: Vec<Vec<u8>>,
}

impl Network {
    /// A network whose draws all come from `seed`, with the same `faults` in every direction.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            random: Rng::with_seed(seed),
            faults,
            directions: Vec::new(),
            rules: Vec::new(),
            flying: Schedule::new(),
            spare: Vec::new(),
        }
    }

    /// Sets the faults of every direction that has none of its own.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Sets the faults of the direction from `from` to `to`.
    pub fn set_direction(&mut self, from: Address, to: Address, faults: Faults) {
        self.directions.retain(|&(a, b, _)| (a, b) != (from, to));
        self.directions.push((from, to, faults));
    }

    /// Adds a rule for chosen datagrams. The first rule that a datagram fits decides, and nothing is drawn for it.
    pub fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Forgets all rules.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// Whether every rule has been applied as often as it says.
    #[must_use]
    pub fn rules_are_spent(&self) -> bool {
        self.rules.iter().all(Rule::is_spent)
    }

    /// Sends a datagram and tells what becomes of it. `number` comes out again on arrival.
    pub fn send(&mut self, now: Instant, from: Address, to: Address, payload: &[u8], number: u64) -> Fate {
        let faults = self.faults(from, to);
        if let Some(deed) = self.rules.iter_mut().find_map(|rule| rule.applies(from, to, payload)) {
            return self.obey(deed, now + faults.delay_min, from, to, payload, number);
        }
        if self.draw(faults.loss) {
            return Fate::Lost;
        }
        let mut fate = Fate::Delivered;
        if self.draw(faults.duplicate) {
            fate = Fate::Duplicated;
            let delay = self.draw_delay(faults);
            self.launch(now + delay, from, to, payload, number);
        }
        let mut delay = self.draw_delay(faults);
        if self.draw(faults.late) {
            let late = Duration::from_millis(self.random.u64(1..=faults.late_by.as_millis().max(1)));
            if fate == Fate::Delivered {
                fate = Fate::Delayed(late);
            }
            delay = Duration::from_millis(delay.as_millis() + late.as_millis());
        }
        self.launch(now + delay, from, to, payload, number);
        fate
    }

    /// For how long a send from `from` to `to` finds that the socket would block; `None` when it goes through.
    pub fn blocks(&mut self, from: Address, to: Address) -> Option<Duration> {
        let faults = self.faults(from, to);
        if !self.draw(faults.block) {
            return None;
        }
        Some(Duration::from_millis(self.random.u64(1..=faults.block_for.as_millis().max(1))))
    }

    /// The time that a datagram from `from` to `to` takes, drawn anew for each question.
    pub fn delay(&mut self, from: Address, to: Address) -> Duration {
        let faults = self.faults(from, to);
        self.draw_delay(faults)
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flying.next()
    }

    /// How many datagrams are on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// The next datagram that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        self.flying.take(now)
    }

    /// Takes a datagram's buffer back, for the next one.
    pub fn recycle(&mut self, datagram: Datagram) {
        self.spare.push(datagram.payload);
    }

    /// A number below `bound`, from the seed; zero when `bound` is zero.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        if bound < 2 { 0 } else { self.random.u32(0..bound) }
    }

    fn obey(&mut self, deed: Deed, at: Instant, from: Address, to: Address, payload: &[u8], number: u64) -> Fate {
        match deed {
            Deed::Lose => Fate::Lost,
            Deed::Hold(span) => {
                self.launch(at + span, from, to, payload, number);
                Fate::Delayed(span)
            }
            Deed::Repeat(span) => {
                self.launch(at, from, to, payload, number);
                self.launch(at + span, from, to, payload, number);
                Fate::Duplicated
            }
        }
    }

    fn faults(&self, from: Address, to: Address) -> Faults {
        let own = self.directions.iter().find(|&&(a, b, _)| (a, b) == (from, to));
        own.map_or(self.faults, |&(_, _, faults)| faults)
    }

    fn draw(&mut self, thousandths: u16) -> bool {
        thousandths > 0 && self.random.u16(0..1000) < thousandths
    }

    fn draw_delay(&mut self, faults: Faults) -> Duration {
        let (min, max) = (faults.delay_min.as_millis(), faults.delay_max.as_millis());
        if min >= max { faults.delay_min } else { Duration::from_millis(self.random.u64(min..=max)) }
    }

    fn launch(&mut self, at: Instant, from: Address, to: Address, octets: &[u8], number: u64) {
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.clear();
        payload.extend_from_slice(octets);
        self.flying.put(at, Datagram { from, to, payload, number });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const A: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 1), 5060);
    const B: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 2), 5060);

    fn arrivals(network: &mut Network) -> Vec<u64> {
        let end = Instant::from_millis(1_000_000);
        core::iter::from_fn(|| {
            let datagram = network.receive(end)?;
            let number = datagram.number;
            assert_eq!(datagram.payload, number.to_le_bytes());
            network.recycle(datagram);
            Some(number)
        })
        .collect()
    }

    fn send(network: &mut Network, count: u64) {
        for number in 0..count {
            network.send(Instant::from_millis(number), A, B, &number.to_le_bytes(), number);
        }
    }

    #[test]
    fn without_faults_everything_arrives_in_order() {
        let mut network = Network::new(1, Faults::NONE);
        send(&mut network, 1000);
        assert_eq!(network.in_flight(), 1000);
        assert_eq!(arrivals(&mut network), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn as_many_are_lost_and_doubled_as_was_asked_for() {
        let mut network = Network::new(2, Faults { loss: 300, duplicate: 200, ..Faults::NONE });
        send(&mut network, 100_000);
        let mut seen = vec![0_u32; 100_000];
        for number in arrivals(&mut network) {
            seen[number as usize] += 1;
        }
        let lost = seen.iter().filter(|&&n| n == 0).count();
        let twice = seen.iter().filter(|&&n| n == 2).count();
        assert!((29_000..31_000).contains(&lost), "{lost}");
        assert!((13_300..14_700).contains(&twice), "{twice}");
        assert!(seen.iter().all(|&n| n <= 2));
    }

    #[test]
    fn jitter_reorders_and_a_steady_delay_does_not() {
        let mut network = Network::new(3, Faults::LINE);
        send(&mut network, 1000);
        assert!(arrivals(&mut network).is_sorted());
        network.set_faults(Faults::NONE.with_delay(0, 50));
        send(&mut network, 1000);
        let order = arrivals(&mut network);
        assert_eq!(order.len(), 1000);
        assert!(!order.is_sorted());
    }

    #[test]
    fn a_direction_has_faults_of_its_own() {
        let mut network = Network::new(4, Faults::NONE);
        network.set_direction(A, B, Faults::NONE.with_loss(1000));
        assert_eq!(network.send(Instant::ZERO, A, B, b"", 0), Fate::Lost);
        assert_eq!(network.send(Instant::ZERO, B, A, b"", 0), Fate::Delivered);
        network.set_direction(A, B, Faults::NONE);
        assert_eq!(network.send(Instant::ZERO, A, B, b"", 0), Fate::Delivered);
    }

    #[test]
    fn one_seed_draws_one_history() {
        let run = |seed| {
            let mut network = Network::new(seed, Faults::WIRELESS);
            send(&mut network, 200);
            arrivals(&mut network)
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn a_seed_draws_the_same_on_every_platform() {
        let mut network = Network::new(7, Faults::NONE);
        let drawn: Vec<u32> = (0..6).map(|_| network.below(1000)).collect();
        assert_eq!(drawn, [439, 269, 402, 658, 975, 222]);
    }
}
