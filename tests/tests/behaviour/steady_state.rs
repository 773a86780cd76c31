//! One user agent for years: what a call, a refresh or a registration takes is given back, each time.
//!
//! Covers the memory that only grows and the table that fills up in days (field notes 4 and 9). What a fault in the network
//! leaves behind is the matter of `seeded_calls.rs`.

use crate::hall::Hall;
use core::net::SocketAddr;
use sip_core::error::Error;
use sip_core::time::Duration;
use sip_core::transport::Address;
use sip_core::ua::{self, Content, UserAgent};
use sip_core::ua::{Arrays, Memory};
use sip_testkit::{Config, Faults, NodeId, OFFER, Phone, World};

fn add<M: Memory>(world: &mut World<UserAgent<M>, Hall>, name: &str, address: &str, memory: M) -> NodeId {
    let identity = format!("sip:{name}@example.com");
    let mut config = ua::Config::new(address, &identity);
    config.contact_user = name;
    config.methods = "REGISTER";
    let mut phone = UserAgent::new(memory);
    phone.start(&config, world.role_seed()).expect("a configuration that can be used");
    world.add(name, Address::from(address.parse::<SocketAddr>().expect("an address")), phone)
}

fn pair(seed: u64) -> (World<Phone, Hall>, NodeId, NodeId) {
    let mut world = World::new(Config::new(seed).with_faults(Faults::LINE), Hall::default());
    let alice = add(&mut world, "alice", "192.0.2.1:5060", Arrays::default());
    let bob = add(&mut world, "bob", "192.0.2.2:5060", Arrays::default());
    (world, alice, bob)
}

#[test]
fn a_hundred_thousand_calls_leave_nothing() {
    let (mut world, alice, bob) = pair(1);
    let before = [alice, bob].map(|node| world.role(node).occupancy());
    for number in 0..100_000 {
        let offer = Content::sdp(OFFER);
        let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer));
        let call = call.unwrap_or_else(|error| panic!("call {number}: {error:?}"));
        world.run_for(Duration::from_millis(100));
        let (node, ends) = if number % 2 == 0 { (alice, call) } else { world.user().last.expect("a call") };
        world.act(node, |phone, now| phone.hang_up(now, ends)).expect("an established call");
        world.run_for(Duration::from_secs(40));
        let after = [alice, bob].map(|node| world.role(node).occupancy());
        assert_eq!(after, before, "after call {number}");
    }
    let hall = world.user();
    assert_eq!((hall.incoming, hall.answered, hall.ended, hall.failed), (100_000, 100_000, 200_000, 0));
    assert!(world.next_wakeup().is_none());
}

#[test]
fn a_hundred_thousand_reinvites_in_one_call_leave_nothing() {
    let (mut world, alice, bob) = pair(2);
    let offer = Content::sdp(OFFER);
    let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).expect("room");
    world.run_for(Duration::from_millis(100));
    let (_, incoming) = world.user().last.expect("a call");
    let mut before = None;
    for number in 0..100_000 {
        let (node, call) = if number % 3 == 0 { (bob, incoming) } else { (alice, call) };
        world.act(node, |phone, now| phone.reinvite(now, call, &offer)).expect("an established call");
        world.run_for(Duration::from_secs(40));
        let after = [alice, bob].map(|node| world.role(node).occupancy());
        assert_eq!(*before.get_or_insert(after), after, "after re-INVITE {number}");
    }
    assert_eq!(world.user().reinvited, 100_000);
}

#[test]
fn a_hundred_thousand_refreshes_of_a_registration_leave_nothing() {
    let (mut world, alice, _) = pair(3);
    let before = world.role(alice).occupancy();
    let register = world.act(alice, |phone, now| phone.register(now, "sip:192.0.2.2", "sip:alice@192.0.2.2", 120));
    let register = register.expect("room for a registration");
    world.run_for(Duration::from_secs(40));
    let bound = world.role(alice).occupancy();
    while world.user().registered < 100_000 {
        let seen = world.user().registered;
        assert!(world.run_until(Duration::from_secs(200), |world| world.user().registered > seen), "no refresh");
        // The transaction lingers for Timer K.
        world.run_for(Duration::from_secs(6));
        assert_eq!(world.role(alice).occupancy(), bound, "after refresh {seen}");
    }
    world.act(alice, |phone, now| phone.unregister(now, register)).expect("a registration");
    assert!(world.run_until_quiet(Duration::from_secs(100)), "the registration goes on");
    assert_eq!(world.role(alice).occupancy(), before);
    assert_eq!((world.user().unregistered, world.user().failed), (1, 0));
}

/// One call, one dialog, five transactions, 3 KiB: call after call, and when there is no room the error says so.
#[test]
fn the_least_memory_makes_call_after_call() {
    type Least = Arrays<5, 1, 1, 0, 3072>;
    let mut world: World<UserAgent<Least>, Hall> =
        World::new(Config::new(4).with_faults(Faults::LINE), Hall::default());
    let alice = add(&mut world, "alice", "192.0.2.1:5060", Least::new());
    let bob = add(&mut world, "bob", "192.0.2.2:5060", Least::new());
    let before = [alice, bob].map(|node| world.role(node).occupancy());
    let offer = Content::sdp(OFFER);
    let (mut made, mut refused) = (0, 0);
    while made < 20_000 {
        match world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)) {
            Ok(call) => {
                made += 1;
                world.run_for(Duration::from_millis(100));
                // Refused by bob for lack of room, it has ended already.
                let _ = world.act(alice, |phone, now| phone.hang_up(now, call));
                let ended = world.user().ended;
                world.run_until(Duration::from_secs(100), |world| world.user().ended > ended);
            }
            Err(Error::Capacity(_)) => {
                refused += 1;
                world.run_for(Duration::from_secs(5));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 0 && world.user().answered > 5_000, "{refused} refused, {:?}", world.user());
    assert!(world.run_until_quiet(Duration::from_secs(1000)), "something goes on");
    assert_eq!([alice, bob].map(|node| world.role(node).occupancy()), before);
}
