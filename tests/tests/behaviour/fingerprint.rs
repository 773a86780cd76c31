//! The fingerprint of a user agent: equal histories at other times are one state, other states are others.
//!
//! Covers calls, re-INVITEs, requests of the application and registrations, at each step. That the fingerprint is pure, and says
//! what was drained, is checked at every step of the worlds of [`sip_testkit::Config::with_check`].

use crate::hall::Hall;
use core::hash::Hasher;
use core::net::SocketAddr;
use sip_core::message::Method;
use sip_core::role::Role;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;
use sip_core::ua::Arrays;
use sip_core::ua::{self, Content, UserAgent};
use sip_testkit::{Config, Faults, NodeId, OFFER, Phone, World};
use std::collections::HashMap;
use std::hash::DefaultHasher;

fn of(role: &impl Role, now: Instant) -> u64 {
    let mut hasher = DefaultHasher::new();
    role.fingerprint(now, &mut hasher);
    hasher.finish()
}

fn world(seed: u64, faults: Faults) -> (World<Phone, Hall>, NodeId, NodeId) {
    let mut world = World::new(Config::new(seed).with_faults(faults), Hall::default());
    let mut add = |name: &str, text: &str| {
        let identity = format!("sip:{name}@example.com");
        let mut config = ua::Config::new(text, &identity);
        config.contact_user = name;
        config.methods = "MESSAGE, REGISTER";
        let mut phone = UserAgent::new(Arrays::default());
        phone.start(&config, world.role_seed()).expect("a configuration that can be used");
        world.add(name, Address::from(text.parse::<SocketAddr>().expect("an address")), phone)
    };
    let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
    (world, alice, bob)
}

/// What happens, with the fingerprints of both after each step.
fn history(seed: u64, later: Duration) -> Vec<[u64; 2]> {
    let (mut world, alice, bob) = world(seed, Faults::WIRELESS);
    world.run_for(later);
    let mut states = Vec::new();
    let mut rest = |world: &mut World<Phone, Hall>, span: u64| {
        let end = world.now() + Duration::from_millis(span);
        while world.next_wakeup().is_some_and(|next| next <= end) {
            world.step();
            states.push([alice, bob].map(|node| of(world.role(node), world.now())));
        }
        world.run_for(end.since(world.now()));
        states.push([alice, bob].map(|node| of(world.role(node), world.now())));
    };
    let offer = Content::sdp(OFFER);
    let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).expect("room");
    rest(&mut world, 3000);
    let register = world.act(alice, |phone, now| phone.register(now, "sip:192.0.2.2", "sip:a@192.0.2.2", 90));
    register.expect("room");
    rest(&mut world, 700);
    let _ = world.act(alice, |phone, now| phone.reinvite(now, call, &offer));
    rest(&mut world, 400);
    let _ = world.act(alice, |phone, now| phone.request_in_call(now, call, Method::Message, &Content::NONE));
    rest(&mut world, 20_000);
    let _ = world.act(alice, |phone, now| phone.hang_up(now, call));
    rest(&mut world, 200_000);
    states
}

#[test]
fn equal_histories_a_second_or_a_day_apart_are_the_same_states() {
    for seed in 0..200 {
        let now = history(seed, Duration::ZERO);
        for later in [1_000, 86_400_000, 1] {
            let then = history(seed, Duration::from_millis(later));
            let differs = now.iter().zip(&then).position(|(one, other)| one != other);
            assert_eq!((differs, now.len()), (None, then.len()), "seed {seed}, {later} ms later");
        }
    }
}

#[test]
fn what_was_before_does_not_count_when_it_is_over() {
    // Calls that were made and ended change the draws and the entries that the next one takes, and nothing else.
    let (mut world, alice, bob) = world(1, Faults::LINE);
    let fresh = [alice, bob].map(|node| of(world.role(node), world.now()));
    for number in 0..5 {
        let offer = Content::sdp(OFFER);
        let calls: Vec<_> = (0..=number % 2)
            .map(|_| world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).expect("room"))
            .collect();
        world.run_for(Duration::from_millis(500));
        for call in calls {
            assert_ne!(of(world.role(alice), world.now()), fresh[0]);
            world.act(alice, |phone, now| phone.hang_up(now, call)).expect("a call");
        }
        assert!(world.run_until_quiet(Duration::from_secs(200)), "something goes on");
        let again = [alice, bob].map(|node| of(world.role(node), world.now()));
        assert_eq!(again, fresh, "after round {number}");
    }
}

#[test]
fn the_places_of_entries_do_not_count() {
    // Two phones of one seed. What has no room is undone: three registrations or one call draw three numbers, and leave
    // behind that an entry was used.
    let (mut one, alice, _) = world(2, Faults::LINE);
    let (mut other, same, _) = world(2, Faults::LINE);
    let long = format!("sip:{}@192.0.2.2", "x".repeat(9000));
    for _ in 0..3 {
        assert!(one.act(alice, |phone, now| phone.register(now, &long, "sip:a@b", 60)).is_err());
    }
    assert!(other.act(same, |phone, now| phone.call(now, &long, "", &Content::NONE)).is_err());
    let state = |world: &mut World<Phone, Hall>, node| {
        world.act(node, |phone, now| phone.register(now, "sip:192.0.2.2", "sip:a@b", 60)).expect("room");
        let call = world.act(node, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &Content::NONE));
        world.run_for(Duration::from_millis(5));
        (call.is_ok(), of(world.role(node), world.now()))
    };
    assert_eq!(state(&mut one, alice), state(&mut other, same));
}

#[test]
fn other_states_have_other_fingerprints() {
    let mut known: HashMap<u64, String> = HashMap::new();
    let mut note = |role: &Phone, now: Instant, what: &str| {
        if let Some(other) = known.insert(of(role, now), what.to_owned()) {
            panic!("{what} looks like {other}");
        }
    };
    let (mut world, alice, bob) = world(3, Faults::NONE);
    note(world.role(alice), world.now(), "fresh alice");
    note(world.role(bob), world.now(), "fresh bob");
    let offer = Content::sdp(OFFER);
    let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).expect("room");
    note(world.role(alice), world.now(), "calling");
    note(world.role(alice), world.now() + Duration::from_millis(1), "calling a millisecond later");
    world.run_for(Duration::from_millis(1));
    note(world.role(alice), world.now(), "answered");
    note(world.role(bob), world.now(), "confirmed");
    world.act(alice, |phone, now| phone.reinvite(now, call, &offer)).expect("an established call");
    note(world.role(alice), world.now(), "with a re-INVITE");
    world.run_for(Duration::from_millis(1));
    note(world.role(alice), world.now(), "with another session");
    world.act(alice, |phone, now| phone.request_in_call(now, call, Method::Message, &Content::NONE)).expect("room");
    note(world.role(alice), world.now(), "with a request");
    world.act(alice, |phone, now| phone.register(now, "sip:192.0.2.2", "sip:a@b", 60)).expect("room");
    note(world.role(alice), world.now(), "registering");
    world.run_for(Duration::from_millis(1));
    note(world.role(alice), world.now(), "registered");
    world.act(alice, |phone, now| phone.hang_up(now, call)).expect("an established call");
    note(world.role(alice), world.now(), "ending");
    world.run_for(Duration::from_millis(1));
    note(world.role(alice), world.now(), "after the call");
    world.act(alice, |phone, _| phone.add_credentials("r", "a", "b")).expect("room");
    note(world.role(alice), world.now(), "with credentials");
}

#[test]
fn a_reference_and_its_role_are_one_state() {
    let (mut world, alice, _) = world(4, Faults::LINE);
    world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &Content::NONE)).expect("room");
    let now = world.now();
    world.act(alice, |phone, _| {
        let plain = of(phone, now);
        assert_eq!(of(&phone, now), plain);
    });
}
