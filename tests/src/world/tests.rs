//! What a world does with a role, shown with the small role of this crate.

use crate::ping::{Event, Ping, request};
use crate::*;
use proptest::prelude::*;
use sip_core::message::Message;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, FlowError, Target, Transport};
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};

const A: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 1), 5060);
const B: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 2), 5060);
const LONG: Duration = Duration::from_secs(1_000_000);

/// Asks again some time after each end, until enough was asked.
#[derive(Default)]
struct Asker {
    asked: u32,
    enough: u32,
    next: Option<Instant>,
    ended: u32,
    gave_up: u32,
}

impl Asker {
    fn new(enough: u32) -> Self {
        Self { enough, next: Some(Instant::ZERO), ..Self::default() }
    }
}

impl User<Ping> for Asker {
    fn on_event(&mut self, _: &mut Ping, now: Instant, _: NodeId, event: Event, message: Option<&Message<'_>>) {
        match event {
            Event::Answered(_) => assert_eq!(message.and_then(Message::status), Some(200)),
            Event::GaveUp(_) => self.gave_up += 1,
            _ => return,
        }
        self.ended += 1;
        self.next = (self.asked < self.enough).then_some(now + Duration::from_millis(300));
    }

    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        self.next.map(|at| (at, NodeId::FIRST))
    }

    fn wake(&mut self, role: &mut Ping, now: Instant, _: NodeId) {
        self.next = None;
        self.asked += 1;
        role.ask(now, B, self.asked);
    }
}

fn world<U: User<Ping>>(config: Config, user: U) -> (World<Ping, U>, NodeId, NodeId) {
    let mut world = World::new(config, user);
    let a = world.add("alice", A, Ping::default());
    let b = world.add("bob", B, Ping::default());
    (world, a, b)
}

fn asking(config: Config, count: u32) -> World<Ping, Asker> {
    let (mut world, ..) = world(config, Asker::new(count));
    assert!(world.run_until_quiet(LONG), "{}", world.explain());
    world
}

fn panic_text(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("should fail");
    panic.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn a_question_is_answered_after_the_time_on_the_way() {
    let (mut world, a, b) = world(Config::new(1).with_faults(Faults::LINE), Events::default());
    world.act(a, |role, now| role.ask(now, B, 7));
    assert!(world.run_until_quiet(LONG));
    let millis = Instant::from_millis;
    assert_eq!(world.user().seen, [(millis(10), b, Event::Asked(7)), (millis(20), a, Event::Answered(7))]);
    assert_eq!(world.now(), millis(20));
    world.run_for(Duration::from_millis(80));
    assert_eq!(world.now(), millis(100));
}

#[test]
fn one_seed_gives_one_history() {
    let run = |seed| {
        let config = Config::new(seed).with_faults(Faults::WIRELESS).with_ladder(10_000).with_check();
        let world = asking(config, 500);
        (world.explain(), world.trace(), *world.stats(), world.now())
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first.0, run(2).0);
    assert_ne!(first.1, run(2).1);
    assert!(first.0.contains(" --x") && first.0.contains("[twice]"), "{}", first.0);
    assert!(first.2.deferred > 0 && first.2.delayed > 0 && first.2.strays > 0, "{:?}", first.2);
}

#[test]
fn a_ladder_does_not_change_the_history() {
    let run = |lines| {
        let world = asking(Config::new(3).with_faults(Faults::WIRELESS).with_ladder(lines).with_check(), 50);
        (world.trace(), *world.stats())
    };
    assert_eq!(run(0), run(5));
}

#[test]
fn losses_are_as_many_as_asked_for_and_made_good() {
    let world = asking(Config::new(4).with_faults(Faults::LINE.with_loss(250)), 2000);
    let stats = world.stats();
    let share = stats.lost * 1000 / stats.sent;
    assert!((230..270).contains(&share), "{stats:?}");
    assert_eq!((world.user().ended, world.user().gave_up), (2000, 0));
}

#[test]
fn a_blocked_send_comes_when_the_flow_is_writable() {
    let faults = Faults { block: 1000, block_for: Duration::from_millis(100), ..Faults::NONE };
    let (mut world, a, _) = world(Config::new(5).with_faults(faults), Events::default());
    world.act(a, |role, now| role.ask(now, B, 1));
    assert_eq!((world.stats().deferred, world.stats().sent), (1, 0));
    world.run_for(Duration::from_millis(100));
    world.network_mut().set_faults(Faults::NONE);
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().of(a).next(), Some(Event::Answered(1)));
}

#[test]
fn an_unplugged_node_neither_gets_nor_sends() {
    let (mut world, a, b) = world(Config::new(6).with_ladder(100), Events::default());
    world.unplug(b, true);
    world.act(a, |role, now| role.ask(now, B, 1));
    world.run_for(Duration::from_millis(600));
    assert_eq!((world.stats().blocked, world.user().seen.len()), (2, 0));
    world.act(b, |role, now| role.ask(now, A, 2));
    assert_eq!(world.stats().blocked, 3);
    world.unplug(b, false);
    assert!(world.run_until_quiet(LONG));
    assert!(world.user().of(a).any(|event| event == Event::Answered(1)), "{}", world.explain());
    assert!(world.explain().contains("--#"), "{}", world.explain());
}

#[test]
fn who_is_refused_hears_of_it() {
    let (mut world, a, b) = world(Config::new(7).with_faults(Faults::LINE), Events::default());
    world.refuse(b, true);
    world.act(a, |role, now| role.ask(now, B, 1));
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().seen, [(Instant::from_millis(20), a, Event::FlowFailed(FlowError::Refused))]);
}

#[test]
fn nobody_at_an_address_is_silence() {
    let (mut world, a, _) = world(Config::new(8), Events::default());
    world.act(a, |role, now| role.ask(now, A.with_port(1), 1));
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().of(a).collect::<Vec<_>>(), [Event::GaveUp(1)]);
    assert_eq!(world.stats().blocked, 20);
}

#[test]
fn names_resolve_from_the_table_and_connections_fail() {
    let (mut world, a, _) = world(Config::new(9), Events::default());
    world.add_host("Example.com", Target { address: B, transport: Transport::None });
    world.add_host("example.com", Target { address: A, transport: Transport::Tcp });
    for (host, targets) in [("example.com", 2), ("192.0.2.9", 1), ("nowhere.example", 0)] {
        world.act(a, |role, _| role.resolve = Some(host));
        assert!(world.run_until_quiet(LONG));
        assert_eq!(world.user_mut().seen.pop().map(|(.., event)| event), Some(Event::Resolved(targets)));
    }
    world.act(a, |role, _| role.connect = true);
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().of(a).collect::<Vec<_>>(), [Event::ConnectFailed]);
}

#[test]
fn a_stranger_is_heard_and_rubbish_counted() {
    let (mut world, _, b) = world(Config::new(10), Events::default());
    world.inject(A.with_port(9), B, &request("OPTIONS", 5));
    world.inject(A.with_port(9), B, b"rubbish");
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().of(b).collect::<Vec<_>>(), [Event::Asked(5)]);
    assert_eq!(world.stats().malformed, 1);
}

#[test]
fn a_scripted_peer_talks_to_any_role() {
    let (mut world, _, b) = world(Config::new(15).with_ladder(10), Events::default());
    let mut wire = Wire::new("192.0.2.9:5060");
    for round in 0..20 {
        let mut leg = wire.leg("sip:bob@192.0.2.2");
        let request = wire.request(&mut leg, "OPTIONS", "", b"");
        wire.send(&mut world, b, &request);
        assert_eq!(wire.expect(&world, "200").at, 0);
        wire.expect_nothing(&world);
        assert_eq!(world.user().of(b).count(), round + 1);
    }
}

#[test]
fn a_peer_that_would_overlook_something_says_so() {
    let short = panic_text(|| {
        let (mut world, _, b) = world(Config::new(16).with_ladder(3), Events::default());
        let mut wire = Wire::new("192.0.2.9:5060");
        let mut leg = wire.leg("sip:bob@192.0.2.2");
        for _ in 0..3 {
            let request = wire.request(&mut leg, "OPTIONS", "", b"");
            let _ = wire.hear(&world);
            (0..2).for_each(|_| wire.send(&mut world, b, &request));
        }
        let _ = wire.hear(&world);
    });
    assert!(short.contains("off or too short"), "{short}");
}

#[test]
fn behind_a_translator_a_node_is_seen_at_another_address_only() {
    let (mut world, a, b) = world(Config::new(17).with_ladder(100), Events::default());
    let outside = Address::v4(Ipv4Addr::new(198, 51, 100, 1), 40_000);
    world.translate(a, Some(outside));
    world.act(a, |role, now| role.ask(now, B, 1));
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.ladder().datagrams().map(|entry| entry.from).collect::<Vec<_>>(), [outside, B]);
    assert_eq!(world.user().of(a).collect::<Vec<_>>(), [Event::Answered(1)]);
    // Its own address leads nowhere from outside, and the old one neither once the translator has forgotten.
    for (unknown, blocked) in [(A, 1), (outside, 2)] {
        world.inject(B, unknown, &request("OPTIONS", 2));
        world.run_for(Duration::from_millis(1));
        assert_eq!((world.stats().blocked, world.user().of(a).count()), (blocked, 1));
        world.translate(a, Some(outside.with_port(40_001)));
    }
    assert_eq!(world.outside_address(a).port(), 40_001);
    world.translate(a, None);
    world.act(b, |role, now| role.ask(now, A, 3));
    assert!(world.run_until_quiet(LONG));
    assert!(world.user().of(a).any(|event| event == Event::Asked(3)), "{}", world.explain());
}

#[test]
fn two_kinds_of_roles_share_a_world() {
    let mut world: World<Either<Ping, Phone>, Events<_>> = World::new(Config::new(19).with_check(), Events::default());
    let mut phone = Phone::new(sip_core::ua::Arrays::default());
    let config = sip_core::ua::Config::new("192.0.2.2:5060", "sip:bob@example.com");
    phone.start(&config, world.role_seed()).unwrap();
    let a = world.add("alice", A, Either::First(Ping::default()));
    let b = world.add("bob", B, Either::Second(phone));
    world.act(a, |role, now| role.first().ask(now, B, 1));
    assert!(world.run_until_quiet(LONG));
    assert_eq!(world.user().of(a).collect::<Vec<_>>(), [Either::First(Event::Answered(1))]);
    let call = |role: &mut Either<Ping, Phone>, now| {
        role.second().call(now, "sip:alice@192.0.2.1", "", &sip_core::ua::Content::NONE).unwrap()
    };
    let call = world.act(b, call);
    assert!(world.run_until_quiet(LONG));
    // What a small role answers is no answer to a user agent.
    assert!(world.user().of(a).any(|event| event == Either::First(Event::Asked(1))), "{}", world.explain());
    let ended = sip_core::ua::Event::Ended { call, cause: sip_core::ua::Cause::Timeout, status: 408 };
    assert_eq!(world.user().of(b).last(), Some(Either::Second(ended)));
}

#[test]
fn a_rule_has_a_chosen_datagram_lost() {
    let (mut world, a, _) = world(Config::new(18).with_ladder(100), Events::default());
    world.network_mut().add_rule(Rule::lose("200 OPTIONS").times(2));
    world.act(a, |role, now| role.ask(now, B, 1));
    assert!(world.run_until_quiet(LONG));
    assert_eq!((world.stats().lost, world.stats().sent, world.now()), (2, 6, Instant::from_millis(1000)));
    assert!(world.network_mut().rules_are_spent());
}

#[test]
fn endless_actions_are_a_livelock() {
    let text = panic_text(|| {
        let (mut world, a, _) = world(Config::new(11).with_ladder(10), ());
        world.act(a, |role, _| role.babbles = true);
    });
    assert!(
        text.starts_with("livelock: the actions") && text.contains("seed 11 ") && text.contains("GaveUp"),
        "{text}"
    );
}

#[test]
fn a_timer_that_never_moves_is_a_livelock() {
    let text = panic_text(|| {
        let (mut world, a, _) = world(Config::new(12).with_ladder(10), ());
        world.act(a, |role, _| role.stuck = true);
        let _ = world.run_until_quiet(LONG);
    });
    assert!(text.starts_with("livelock: time stands still") && text.contains("alice"), "{text}");
}

#[test]
fn a_run_that_never_ends_is_not_quiet() {
    let (mut world, ..) = world(Config::new(13), Asker::new(u32::MAX));
    assert!(!world.run_until_quiet(Duration::from_secs(10)));
    assert_eq!(world.now(), Instant::from_millis(10_000));
    assert!(world.run_until(LONG, |world| world.user().ended == 100));
}

#[test]
fn a_failing_seed_is_repeated_with_its_ladder() {
    run_seeds(0..200, |config| drop(asking(config.with_faults(Faults::WIRELESS), 5)));
    let text = panic_text(|| {
        run_seeds(0..50, |config| {
            let mut world = asking(config.with_faults(Faults::LINE), 1);
            if config.seed == 20 {
                world.fail("found it");
            }
        });
    });
    assert!(
        text.starts_with("found it") && text.contains("seed 20 ") && text.contains("-- 200 OK (OPTIONS) --"),
        "{text}"
    );
}

#[test]
fn a_report_writes_its_capture() {
    let world = asking(Config::new(14).with_ladder(100), 3);
    let directory = std::env::temp_dir().join(format!("sip-testkit-report-{}", std::process::id()));
    let path = world.report().write_pcap(&directory).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.contains("a-report-writes-its-capture-e.pcap"), "{name}");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::remove_dir_all(&directory).unwrap();
    let sent: usize = world.ladder().datagrams().map(|entry| entry.bytes.len() + 44).sum();
    assert_eq!(length, 24 + sent as u64);
}

proptest! {
    #[test]
    fn every_question_ends_once(seed: u64, loss in 0_u16..=1000, duplicate in 0_u16..=1000, jitter in 0_u64..3000) {
        let faults = Faults { duplicate, ..Faults::WIRELESS.with_loss(loss).with_delay(0, jitter) };
        let (mut world, ..) = world(Config::new(seed).with_faults(faults).with_ladder(500).with_check(), Asker::new(10));
        let quiet = world.run_until_quiet(LONG);
        prop_assert!(quiet && world.user().ended == 10, "{}", world.explain());
    }
}
