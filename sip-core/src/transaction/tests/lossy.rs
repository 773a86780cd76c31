//! Two layers across a network that loses, doubles and delays: every request has one end, and both tables drain.
//!
//! Covers the client and server machines against each other. It does not cover the retransmission of a 2xx,
//! which is the user's.

use super::*;
use crate::random::Seed;
use std::collections::BTreeMap;

/// For how long the user at the caller lets it ring.
const RINGING: Duration = Duration::from_secs(60);

struct Net {
    random: Random,
    /// Arrivals in order of time: to the caller or not, and the datagram.
    flight: BTreeMap<(u64, usize), (bool, Vec<u8>)>,
    sent: usize,
    /// Datagrams lost, of a hundred.
    loss: u32,
}

impl Net {
    fn carry(&mut self, now: u64, to_caller: bool, bytes: &[u8]) {
        let copies = if self.random.below(10) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            if self.random.below(100) >= self.loss {
                self.sent += 1;
                let delay = 1 + u64::from(self.random.below(800));
                self.flight.insert((now + delay, self.sent), (to_caller, bytes.to_vec()));
            }
        }
    }

    fn collect(&mut self, bench: &mut Bench, to_caller: bool) {
        for (_, text) in bench.sent() {
            self.carry(bench.now, to_caller, text.as_bytes());
        }
    }
}

/// Runs one transaction of each kind; gives how often each ended, by a final response or an expiry.
fn run(seed: u64, loss: u32) -> [u32; 2] {
    let mut bytes: Seed = [1; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut net = Net { random: Random::new(bytes), flight: BTreeMap::new(), sent: 0, loss };
    let (mut caller, mut callee) = (Bench::new(2), Bench::new(2));
    let ids = [caller.client(Method::Invite, PEER, 1), caller.client(Method::Options, PEER, 2)];
    let mut ends = [0; 2];
    // When the user at the callee answers which transaction, and how; in the order in which it made up its mind.
    let mut answers: BTreeMap<(u64, usize), (TransactionId, u16)> = BTreeMap::new();
    let mut made_up = 0..;
    for _ in 0..100_000 {
        net.collect(&mut caller, false);
        net.collect(&mut callee, true);
        let timeouts = [caller.work().next_timeout(), callee.work().next_timeout()];
        let next = timeouts.into_iter().flatten().map(Instant::as_millis);
        let next = next
            .chain([net.flight.keys().next(), answers.keys().next()].into_iter().flatten().map(|(time, _)| *time))
            .min();
        let Some(next) = next else {
            assert!(caller.is_drained() && callee.is_drained());
            return ends;
        };
        (caller.now, callee.now) = (next, next);
        while let Some(expired) = caller.expire() {
            let which = ids.iter().position(|id| *id == expired.id).unwrap();
            ends[which] += u32::from(expired.kind == ExpiredKind::TimedOut);
        }
        while callee.expire().is_some() {}
        while let Some(entry) = answers.first_entry().filter(|entry| entry.key().0 <= next) {
            let (id, status) = entry.remove();
            // A request other than INVITE may have ended by then.
            _ = callee.respond(id, status);
        }
        while let Some(entry) = net.flight.first_entry().filter(|entry| entry.key().0 <= next) {
            let (to_caller, bytes) = entry.remove();
            let message = Message::parse(&bytes).unwrap();
            if to_caller {
                let Some((id, _)) = caller.work().match_response(&message) else { continue };
                let outcome = caller.work().receive_response(at(next), id, &message);
                let which = ids.iter().position(|other| *other == id).unwrap();
                let last = message.status() >= Some(200);
                ends[which] += u32::from(outcome == ClientOutcome::Deliver && last);
                if !last {
                    // An INVITE that is ringing has no timer of its own, and its refusal may be lost for 32 s.
                    caller.work().timer_c(at(next), id, RINGING);
                }
            } else if let ServerMatch::New(new) = callee.work().receive_request(at(next), &message)
                && message.method() != Method::Ack
            {
                // A request that comes again after its transaction ended is a new one, as in the field.
                let Ok(id) = callee.work().server(
                    at(next),
                    &message,
                    NewServer { new, source: PEER, to_tag: b"b", user: User(8), reserved: false },
                ) else {
                    continue;
                };
                let failure = 300 + net.random.below(400) as u16;
                for (wait, status) in [(0, 180), (3000, failure)] {
                    let time = next + wait + u64::from(net.random.below(3000));
                    answers.extend(made_up.next().map(|number| ((time, number), (id, status))));
                }
            }
        }
    }
    panic!("no progress with seed {seed}");
}

#[test]
fn every_request_ends_once_and_both_tables_drain() {
    for seed in 0..400 {
        for loss in [0, 20, 60] {
            let ends = run(seed, loss);
            assert_eq!(ends, [1, 1], "seed {seed}, loss {loss}");
        }
    }
}
