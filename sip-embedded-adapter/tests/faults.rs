//! A user agent registers, calls, hangs up and unregisters over a stack that blocks, fragments and fails; at the other
//! end of the stack is another user agent of `sip-core`.
//!
//! Covers every call of the stack that the run makes, each failing in every way once and for good, and random schedules.
//! Whatever happens: nothing panics, every poll comes to an end, each call has one end, every socket is closed once. After
//! a fault that passes, all succeeds in the end. Not covered: an adapter whose role is not a user agent.
#![allow(clippy::std_instead_of_alloc, reason = "tests run on std")]

mod fake;
mod far;

use core::net::SocketAddr;
use fake::{Fake, Knobs, Plan, What, classify, classify_stream};
use far::Far;
use proptest::prelude::*;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Transport;
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Cause, Config, Content, Event, Registration};
use sip_embedded_adapter::{Adapter, Statistics, Tcp, Turn};
use sip_testkit::{OFFER, Phone};
use std::collections::BTreeSet;

/// Turns without a rest, far more than there is ever to do: beyond, the loop never sleeps.
const TURNS: u32 = 2000;
/// How often the application tries a call that failed, or a registration that was given up.
const TRIES: u32 = 2;
/// Nothing lasts longer than this.
const LIMIT: Duration = Duration::from_secs(1000);

type Streams = Tcp<Fake, 2, 2048>;
type Near = Adapter<Phone, Fake, Streams>;

#[derive(Clone, Copy, Debug)]
struct Scene {
    transport: Transport,
    far_hangs_up: bool,
    knobs: Knobs,
    plan: Option<Plan>,
}

/// The application at the near end, and what it saw.
#[derive(Debug, Default)]
struct App {
    registration: Option<Registration>,
    call: Option<Call>,
    hang_up_at: Option<Instant>,
    registered: u32,
    unregistered: u32,
    failed_registrations: u32,
    calls: u32,
    ends: Vec<Cause>,
    /// The registration is gone, whether removed or given up.
    done: bool,
}

#[derive(Debug)]
struct Outcome {
    app: App,
    calls_of_the_stack: u32,
    struck: BTreeSet<&'static str>,
    /// Calls that the far end saw begin, and end.
    far: (u32, u32),
    counted: Statistics,
}

impl Outcome {
    fn all_went_well(&self) -> bool {
        let last = self.app.ends.last();
        self.app.done && self.app.unregistered > 0 && matches!(last, Some(Cause::LocalHangup | Cause::RemoteHangup))
    }
}

impl App {
    fn uri(scene: &Scene, user: &str) -> String {
        let parameter = if scene.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("sip:{user}192.0.2.2:5060{parameter}")
    }

    fn register(&mut self, phone: &mut Phone, now: Instant, scene: &Scene) {
        let made = phone.register(now, &Self::uri(scene, ""), "sip:alice@example.com", 600);
        self.registration = Some(made.expect("there is room to register"));
    }

    fn call(&mut self, phone: &mut Phone, now: Instant, scene: &Scene) {
        let made = phone.call(now, &Self::uri(scene, "bob@"), "", &Content::sdp(OFFER));
        self.call = Some(made.expect("there is room to call"));
        self.calls += 1;
    }

    fn on_event(&mut self, phone: &mut Phone, now: Instant, scene: &Scene, event: Event) {
        match event {
            Event::Registered { .. } => {
                self.registered += 1;
                if self.calls == 0 {
                    self.call(phone, now, scene);
                }
            }
            Event::RegistrationFailed { retry_after, .. } => {
                self.failed_registrations += 1;
                assert!(retry_after > 0, "nothing here is final");
                if self.failed_registrations == TRIES {
                    self.registration = None;
                    self.done = true;
                }
            }
            Event::Unregistered { .. } => {
                self.unregistered += 1;
                self.done = true;
            }
            Event::Answered { call, answer_due } => {
                assert!(!answer_due && self.call == Some(call));
                let after = if scene.far_hangs_up { 100_000 } else { 700 };
                self.hang_up_at = Some(now + Duration::from_millis(after));
            }
            Event::Ended { call, cause, .. } => {
                assert_eq!(self.call.take(), Some(call), "one end for each call");
                self.hang_up_at = None;
                self.ends.push(cause);
                let over = matches!(cause, Cause::LocalHangup | Cause::RemoteHangup) || self.calls == TRIES;
                match self.registration {
                    _ if !over => self.call(phone, now, scene),
                    Some(registration) => phone.unregister(now, registration).expect("there is room to unregister"),
                    None => {}
                }
            }
            Event::Progress { .. } | Event::RefreshDue { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn wake(&mut self, phone: &mut Phone, now: Instant) {
        if self.hang_up_at.take_if(|at| *at <= now).is_some()
            && let Some(call) = self.call
        {
            phone.hang_up(now, call).expect("a live call");
        }
    }
}

fn near(scene: &Scene, stack: &mut Fake) -> Near {
    let mut phone = Phone::new(Arrays::default());
    let config = Config::new("192.0.2.1:5060", "sip:alice@example.com")
        .with_transport(scene.transport)
        .with_accepts_connections(false);
    phone.start(&config, [1; 16]).expect("starts");
    let tcp = if scene.knobs.smoltcp { Tcp::new().classified_by(classify_stream) } else { Tcp::new() };
    Adapter::bind(phone, stack, 5060).expect("a socket").classified_by(classify).with_tcp(tcp)
}

/// What an application does about a dead datagram socket: it takes a new one.
fn rebind(adapter: Near, stack: &mut Fake) -> Near {
    let (phone, socket, streams) = adapter.into_parts();
    embedded_nal::UdpClientStack::close(stack, socket).expect("closed");
    Adapter::bind(phone, stack, 5060).expect("a socket").classified_by(classify).with_tcp(streams)
}

fn play(scene: Scene) -> Outcome {
    let addresses = [SocketAddr::from(([192, 0, 2, 1], 5060)), SocketAddr::from(([192, 0, 2, 2], 5060))];
    let mut stack = Fake::new(scene.knobs);
    let mut far = Far::new(addresses[1], addresses[0], scene.far_hangs_up.then_some(Duration::from_millis(700)));
    let mut adapter = near(&scene, &mut stack);
    stack.plan = scene.plan;
    let mut app = App::default();
    let (mut now, mut turns, mut buffer) = (Instant::from_millis(1), 0, vec![0; 4096]);
    let end = now + LIMIT;
    app.register(adapter.role_mut(), now, &scene);
    while !(app.done && app.call.is_none()) {
        turns += 1;
        assert!(turns < TURNS, "never sleeps: {app:?} {:?}", adapter.statistics());
        assert!(now < end, "never ends: {app:?} {:?}", adapter.statistics());
        let until = match adapter.poll(&mut stack, now, &mut buffer) {
            Ok(Turn::Message { event, .. } | Turn::Event(event)) => {
                app.on_event(adapter.role_mut(), now, &scene, event);
                continue;
            }
            Ok(Turn::Again) => continue,
            Ok(Turn::Resolve { .. } | Turn::TooLarge { .. }) => panic!("no names, nothing large"),
            Ok(Turn::Idle(until)) => {
                turns = 0;
                until
            }
            Err(_) => {
                adapter = rebind(adapter, &mut stack);
                // A dead stack may stay dead: the application does not turn in circles either.
                turns = 0;
                Some(now + Duration::from_millis(100))
            }
        };
        if far.drive(&mut stack, now) {
            continue;
        }
        // A stack with something to read wakes the application.
        let readable = stack.is_readable().then_some(now + Duration::from_millis(1));
        let wake = [until, far.wakes(), app.hang_up_at, readable].into_iter().flatten().min();
        now = wake.unwrap_or_else(|| panic!("nothing will ever happen: {app:?}")).max(now);
        app.wake(adapter.role_mut(), now);
    }
    let (calls_of_the_stack, counted) = (stack.calls, adapter.statistics());
    adapter.disconnect(&mut stack, now);
    let (_, socket, _) = adapter.into_parts();
    embedded_nal::UdpClientStack::close(&mut stack, socket).expect("closed");
    assert_eq!(stack.open_sockets(), 0, "{app:?}");
    assert_eq!(app.ends.len() as u32, app.calls);
    assert_eq!(far.malformed, 0);
    Outcome { app, calls_of_the_stack, struck: stack.struck, far: (far.calls, far.ended), counted }
}

fn scenes() -> impl Iterator<Item = Scene> {
    let transports = [Transport::Udp, Transport::Tcp].into_iter();
    transports.flat_map(|transport| {
        [false, true].into_iter().flat_map(move |far_hangs_up| {
            [false, true].into_iter().map(move |smoltcp| {
                let knobs = Knobs { smoltcp, connecting: 2, ..Knobs::EASY };
                Scene { transport, far_hangs_up, knobs, plan: None }
            })
        })
    })
}

#[test]
fn without_faults_all_goes_well_at_the_first_try() {
    for scene in scenes() {
        let outcome = play(scene);
        assert!(outcome.all_went_well(), "{scene:?}: {outcome:?}");
        let (app, counted) = (&outcome.app, outcome.counted);
        assert_eq!(
            app.ends,
            [if scene.far_hangs_up { Cause::RemoteHangup } else { Cause::LocalHangup }],
            "{scene:?} {outcome:?}"
        );
        // Over TCP the registrar sees the port of the connection, and is told so; the far end's BYE comes there.
        let connections = u32::from(scene.transport == Transport::Tcp);
        let registered = 1 + connections;
        assert_eq!((app.calls, app.registered, app.failed_registrations), (1, registered, 0), "{scene:?}: {outcome:?}");
        assert_eq!((counted.connected, counted.closed, counted.sends_failed), (connections, 0, 0), "{scene:?}");
        assert_eq!(outcome.far.0, 1);
    }
}

/// Lets every call of the stack fail in turn, until a run has no such call any more.
fn every_call_fails(for_good: bool, judge: impl Fn(&Scene, &Outcome)) -> BTreeSet<&'static str> {
    let mut struck = BTreeSet::new();
    for scene in scenes() {
        for what in [What::WouldBlock, What::Other, What::Dead, What::Short] {
            let mut at = 1;
            loop {
                let scene = Scene { plan: Some(Plan { at, what, for_good }), ..scene };
                let outcome = play(scene);
                if outcome.calls_of_the_stack < at {
                    assert!(at > 10, "{scene:?}: {outcome:?}");
                    break;
                }
                judge(&scene, &outcome);
                struck.extend(&outcome.struck);
                at += 1;
            }
        }
    }
    struck
}

#[test]
fn after_a_fault_at_any_call_all_goes_well_in_the_end() {
    let struck = every_call_fails(false, |scene, outcome| {
        assert!(outcome.all_went_well(), "{scene:?}: {outcome:?}");
        assert!(outcome.app.ends.len() <= 2, "{scene:?}: {outcome:?}");
    });
    let all = ["close", "connect", "datagram received", "datagram sent", "socket", "stream received", "stream sent"];
    // On the way down a socket is closed by the test itself, after the run.
    assert!(all.iter().filter(|name| **name != "close").all(|name| struck.contains(name)), "{struck:?}");
}

#[test]
fn when_the_stack_fails_for_good_everything_ends_once() {
    every_call_fails(true, |scene, outcome| {
        assert!(outcome.app.done, "{scene:?}: {outcome:?}");
        assert!(outcome.app.calls <= TRIES, "{scene:?}: {outcome:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// However the stack cuts and blocks, nothing is lost and nothing fails.
    #[test]
    fn any_schedule_without_faults_succeeds(
        seed in any::<u64>(),
        (piece, room) in (1_usize..2000, prop_oneof![1_usize..50, 50_usize..3000]),
        (blocks, connecting) in (0_u8..60, 0_u32..20),
        (tcp, smoltcp, far_hangs_up) in any::<(bool, bool, bool)>(),
    ) {
        let knobs = Knobs { piece, blocks, connecting, room, smoltcp, seed };
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let outcome = play(Scene { transport, far_hangs_up, knobs, plan: None });
        prop_assert!(outcome.all_went_well(), "{:?}", outcome);
        prop_assert_eq!(outcome.app.calls, 1);
        let counted = outcome.counted;
        prop_assert_eq!((counted.broken, counted.oversized, counted.stalled, counted.malformed), (0, 0, 0, 0));
    }

    /// The same with a fault somewhere.
    #[test]
    fn any_schedule_survives_a_fault(
        seed in any::<u64>(),
        piece in 1_usize..500,
        (blocks, connecting) in (0_u8..40, 0_u32..10),
        (tcp, smoltcp, far_hangs_up) in any::<(bool, bool, bool)>(),
        (at, what) in (1_u32..600, prop::sample::select(vec![What::WouldBlock, What::Other, What::Dead, What::Short])),
    ) {
        let knobs = Knobs { piece, blocks, connecting, smoltcp, seed, ..Knobs::EASY };
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let plan = Some(Plan { at, what, for_good: false });
        let outcome = play(Scene { transport, far_hangs_up, knobs, plan });
        prop_assert!(outcome.all_went_well(), "{:?}", outcome);
    }
}

/// A cable that is put back: every connection is closed, and the user agent told, in the same breath. One place is enough
/// to register anew.
#[test]
fn after_a_change_of_network_the_only_connection_is_opened_anew() {
    let scene = Scene { transport: Transport::Tcp, far_hangs_up: false, knobs: Knobs::EASY, plan: None };
    for connecting in [0, 1, 5] {
        let knobs = Knobs { smoltcp: true, connecting, ..Knobs::EASY };
        let addresses = [SocketAddr::from(([192, 0, 2, 1], 5060)), SocketAddr::from(([192, 0, 2, 2], 5060))];
        let mut stack = Fake::new(knobs);
        let mut far = Far::new(addresses[1], addresses[0], None);
        let mut phone = Phone::new(Arrays::default());
        let config = Config::new("192.0.2.1:5060", "sip:alice@example.com")
            .with_transport(Transport::Tcp)
            .with_accepts_connections(false);
        phone.start(&config, [1; 16]).expect("starts");
        let adapter = Adapter::bind(phone, &mut stack, 5060).expect("a socket").classified_by(classify);
        let mut adapter = adapter.with_tcp(Tcp::<Fake, 1, 2048>::new().classified_by(classify_stream));
        let (mut app, mut now, mut buffer) = (App::default(), Instant::from_millis(1), vec![0; 4096]);
        app.register(adapter.role_mut(), now, &scene);
        let (mut registered, mut connections) = (0, vec![]);
        for changed in 0..3 {
            for _ in 0..200 {
                match adapter.poll(&mut stack, now, &mut buffer).expect("a live socket") {
                    Turn::Message { event, .. } | Turn::Event(event) => {
                        assert!(!matches!(event, Event::RegistrationFailed { .. }), "{event:?} after change {changed}");
                        registered += u32::from(matches!(event, Event::Registered { .. }));
                    }
                    Turn::Idle(_) if !far.drive(&mut stack, now) => now += Duration::from_millis(10),
                    _ => {}
                }
            }
            connections.push((adapter.statistics().connected, registered > changed));
            adapter.disconnect(&mut stack, now);
            adapter.role_mut().network_changed(now, "192.0.2.1:5060").expect("the same address");
        }
        assert_eq!(connections, [(1, true), (2, true), (3, true)], "{connecting}");
    }
}
