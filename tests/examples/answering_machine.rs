//! An answering machine, and the test of its logic: hundreds of bad networks in a second, no socket, no sleep.
//!
//! The first part is what an application has. It knows `sip-core` and nothing of the kit: an adapter drives it over real sockets
//! as the tests drive it here. The second part is the kit's: a caller, the two of them as a [`User`], and the tests.
//!
//! - `cargo test -p sip-testkit --example answering_machine` runs the tests.
//! - `cargo run -p sip-testkit --example answering_machine -- 7` shows what happens with seed 7.

use core::net::SocketAddr;
use sip_core::message::Message;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;
use sip_core::ua::{self, Arrays, Call, Content, Event, Memory, UserAgent};
use sip_testkit::{ANSWER, Config, Faults, NodeId, OFFER, User, World};
#[cfg(test)]
use sip_testkit::{Rule, run_seeds};

// ----- The application: answers after three seconds, records for half a minute at most. -----

/// How long it rings.
const RINGS_FOR: Duration = Duration::from_secs(3);
/// The longest message.
const LONGEST: Duration = Duration::from_secs(30);

/// What the machine does in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ringing,
    Answered,
    Recording { since: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    call: Call,
    state: State,
    deadline: Option<Instant>,
}

/// The call logic under test.
#[derive(Debug, Default)]
struct AnsweringMachine {
    slots: Vec<Slot>,
    /// How long each message is.
    messages: Vec<Duration>,
}

impl AnsweringMachine {
    fn on_event<M: Memory>(&mut self, ua: &mut UserAgent<M>, now: Instant, event: Event) {
        match event {
            Event::Incoming { call } => {
                // Without room for the 180 it is answered all the same, later.
                let _ = ua.ring(now, call, 180, &Content::NONE);
                self.slots.push(Slot { call, state: State::Ringing, deadline: Some(now + RINGS_FOR) });
            }
            // The caller has our answer: only now anybody listens.
            Event::Confirmed { call } => {
                if let Some(slot) =
                    self.slots.iter_mut().find(|slot| slot.call == call && slot.state == State::Answered)
                {
                    slot.state = State::Recording { since: now };
                    slot.deadline = Some(now + LONGEST);
                }
            }
            Event::Reinvite { call } => {
                let _ = ua.answer(now, call, &Content::sdp(ANSWER));
            }
            Event::Ended { call, .. } => {
                let over = self.slots.iter().position(|slot| slot.call == call).map(|place| self.slots.remove(place));
                if let Some(Slot { state: State::Recording { since }, .. }) = over {
                    self.messages.push(now.since(since));
                }
            }
            _ => {}
        }
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called.
    fn deadline(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.deadline).min()
    }

    fn on_deadline<M: Memory>(&mut self, ua: &mut UserAgent<M>, now: Instant) {
        for slot in &mut self.slots {
            if slot.deadline.is_none_or(|at| at > now) {
                continue;
            }
            slot.deadline = None;
            match slot.state {
                State::Ringing if ua.answer(now, slot.call, &Content::sdp(ANSWER)).is_ok() => {
                    slot.state = State::Answered;
                }
                // It could not answer, or has heard enough; the end comes as an event.
                _ => drop(ua.hang_up(now, slot.call)),
            }
        }
    }
}

// ----- Its test: a caller, a network, a clock. -----

type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

const CALLER: NodeId = NodeId::FIRST;
const MACHINE: NodeId = NodeId::nth(1);

/// Both ends of the line.
#[derive(Debug, Default)]
struct Scene {
    machine: AnsweringMachine,
    /// How long the caller speaks; without it, until the machine hangs up.
    speaks_for: Option<Duration>,
    /// When the caller hangs up.
    hangs_up: Option<(Instant, Call)>,
    answered: u32,
    ended: u32,
}

impl User<Phone> for Scene {
    fn on_event(&mut self, ua: &mut Phone, now: Instant, node: NodeId, event: Event, _: Option<&Message<'_>>) {
        if node == MACHINE {
            return self.machine.on_event(ua, now, event);
        }
        match event {
            Event::Answered { call, .. } => {
                self.answered += 1;
                self.hangs_up = self.speaks_for.map(|span| (now + span, call));
            }
            Event::Ended { .. } => {
                self.ended += 1;
                self.hangs_up = None;
            }
            _ => {}
        }
    }

    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        let machine = self.machine.deadline().map(|at| (at, MACHINE));
        machine.into_iter().chain(self.hangs_up.map(|(at, _)| (at, CALLER))).min()
    }

    fn wake(&mut self, ua: &mut Phone, now: Instant, node: NodeId) {
        if node == MACHINE {
            self.machine.on_deadline(ua, now);
        } else if let Some((_, call)) = self.hangs_up.take() {
            let _ = ua.hang_up(now, call);
        }
    }
}

/// A caller who calls the machine in a world as `config` says.
fn call(config: Config, scene: Scene) -> (World<Phone, Scene>, Call) {
    let mut world = World::new(config.with_check(), scene);
    for (name, address) in [("caller", "192.0.2.1:5060"), ("machine", "192.0.2.2:5060")] {
        let (seed, identity) = (world.role_seed(), format!("sip:{name}@example.com"));
        let mut phone = UserAgent::new(Arrays::new());
        phone.start(&ua::Config::new(address, &identity), seed).expect("a configuration that can be used");
        world.add(name, Address::from(address.parse::<SocketAddr>().expect("an address")), phone);
    }
    let call = world.act(CALLER, |ua, now| ua.call(now, "sip:machine@192.0.2.2", "", &Content::sdp(OFFER)));
    (world, call.expect("room for a call"))
}

/// What holds of every call, on any network: it ends, at both ends, and leaves nothing behind.
fn run_to_its_end(world: &mut World<Phone, Scene>) {
    let quiet = world.run_until_quiet(Duration::from_secs(600));
    let scene = world.user();
    let over = quiet && scene.machine.slots.is_empty() && scene.ended == 1;
    let short = scene.machine.messages.iter().all(|length| *length <= LONGEST);
    let empty = world.nodes().all(|node| world.role(node).occupancy().calls == 0);
    if !(over && short && empty) {
        world.fail("a call that does not end well");
    }
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let scene = Scene { speaks_for: Some(Duration::from_secs(10)), ..Scene::default() };
    let (mut world, _) = call(Config::new(seed).with_faults(Faults::WIRELESS).with_ladder(1000), scene);
    run_to_its_end(&mut world);
    println!("{}messages: {:?}", world.explain(), world.user().machine.messages);
}

#[test]
fn a_message_is_as_long_as_the_caller_speaks() {
    let scene = Scene { speaks_for: Some(Duration::from_secs(10)), ..Scene::default() };
    let (mut world, _) = call(Config::new(1).with_ladder(100), scene);
    run_to_its_end(&mut world);
    assert_eq!(world.user().machine.messages, [Duration::from_secs(10)], "{}", world.explain());
}

#[test]
fn who_speaks_without_end_is_cut_off() {
    let (mut world, _) = call(Config::new(2).with_ladder(100), Scene::default());
    run_to_its_end(&mut world);
    assert_eq!(world.user().machine.messages, [LONGEST], "{}", world.explain());
}

#[test]
fn who_gives_up_just_when_it_answers_has_said_nothing() {
    // The CANCEL arrives in the millisecond of the answer: the seed chooses what comes first.
    let mut confirmed = 0;
    for seed in 0..50 {
        let (mut world, call) = call(Config::new(seed).with_ladder(100), Scene::default());
        world.user_mut().hangs_up = Some((Instant::ZERO + RINGS_FOR, call));
        run_to_its_end(&mut world);
        let scene = world.user();
        assert!(scene.machine.messages.iter().all(|length| *length == Duration::ZERO), "{}", world.explain());
        assert_eq!(scene.answered, 0, "{}", world.explain());
        confirmed += scene.machine.messages.len();
    }
    assert!((1..50).contains(&confirmed), "{confirmed}");
}

#[test]
fn without_an_ack_nothing_is_recorded() {
    let scene = Scene { speaks_for: Some(Duration::from_secs(10)), ..Scene::default() };
    let (mut world, _) = call(Config::new(3).with_ladder(100), scene);
    world.network_mut().add_rule(Rule::lose("ACK").always());
    run_to_its_end(&mut world);
    assert_eq!((world.user().answered, world.user().machine.messages.len()), (1, 0), "{}", world.explain());
}

#[test]
fn on_a_bad_network_every_call_comes_to_its_end() {
    run_seeds(0..300, |config| {
        let scene = Scene { speaks_for: Some(Duration::from_secs(10)), ..Scene::default() };
        let (mut world, _) = call(config.with_faults(Faults::WIRELESS), scene);
        run_to_its_end(&mut world);
    });
}
