//! Twenty thousand calls at once in one pair of user agents: what a call costs does not grow with their number.
//!
//! The memory is vectors, as std lends them. Time is compared with a factor that leaves room for a busy machine; what
//! would walk through all entries at each step is far beyond it. Instructions are counted in `benches`.

#![allow(clippy::disallowed_methods, reason = "the cost is measured on the clock of the host")]

#[path = "behaviour/hall/mod.rs"]
mod hall;

use core::net::SocketAddr;
use hall::Hall;
use sip_core::time::Duration;
use sip_core::transport::Address;
use sip_core::ua::{self, Content, UserAgent};
use sip_std_adapter::memory::HeapMemory;
use sip_testkit::{Config, Faults, OFFER, World};
use std::time::Instant;

/// Makes `count` calls within ten seconds, holds them for a minute, ends them within ten more; microseconds per call.
fn run(count: usize) -> f64 {
    let config = Config::new(count as u64).with_faults(Faults::LINE);
    let hall = Hall { counts_only: true, ..Hall::default() };
    let mut world = World::new(config, hall);
    let mut add = |name: &str, text: &str| {
        let identity = format!("sip:{name}@example.com");
        let mut phone = UserAgent::new(HeapMemory::with_capacity(100_000, 25_000, 25_000, 0));
        phone.start(&ua::Config::new(text, &identity), world.role_seed()).expect("a configuration that can be used");
        world.add(name, Address::from(text.parse::<SocketAddr>().expect("an address")), phone)
    };
    let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
    let before = [alice, bob].map(|node| world.role(node).occupancy());
    let start = Instant::now();
    let mut calls = Vec::with_capacity(count);
    let share = count / 1000;
    for _ in 0..1000 {
        for _ in 0..share {
            let offer = Content::sdp(OFFER);
            let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer));
            calls.push(call.expect("room for the call"));
        }
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(60));
    for node in [alice, bob] {
        let held = world.role(node).occupancy();
        assert_eq!((held.calls, held.dialogs, held.transactions), (count, count, 0));
        // An established call keeps its dialog's texts and nothing else.
        assert!(held.octets / count < 400, "{} octets a call", held.octets / count);
    }
    for part in calls.chunks(share) {
        for &call in part {
            world.act(alice, |phone, now| phone.hang_up(now, call)).expect("an established call");
        }
        world.run_for(Duration::from_millis(10));
    }
    assert!(world.run_until_quiet(Duration::from_secs(100)), "something goes on");
    let took = start.elapsed().as_secs_f64() * 1e6 / count as f64;
    assert_eq!([alice, bob].map(|node| world.role(node).occupancy()), before);
    let hall = world.user();
    let all = count as u64;
    assert_eq!((hall.incoming, hall.answered, hall.ended, hall.failed), (all, all, 2 * all, 0));
    // INVITE, 200, ACK, BYE, 200: nothing was sent twice.
    assert_eq!(world.stats().sent, 5 * all);
    took
}

#[test]
fn a_call_among_twenty_thousand_costs_what_it_costs_among_two_thousand() {
    let few = run(2_000).min(run(2_000));
    let many = run(20_000);
    println!("{few:.1} µs a call among 2,000, {many:.1} µs among 20,000");
    assert!(many < 5.0 * few, "{few:.1} µs a call among 2,000, {many:.1} µs among 20,000");
}
