//! A role of one's own, and its test: a watchman who asks a server each half minute whether it is there, and tells when it is not.
//!
//! Whatever implements [`Role`] can be driven by an adapter and be a node of a [`World`]. The server here is a scripted peer, a
//! [`Wire`]: what it says, and when it falls silent, is the test's to choose.
//!
//! `cargo test -p sip-testkit --example own_role`

use core::hash::{Hash, Hasher};
use core::net::{Ipv4Addr, SocketAddr};
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket};
#[cfg(test)]
use sip_testkit::Rule;
use sip_testkit::{Config, Events, NodeId, Wire, World};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(30);
/// How long an answer may take; as many questions without one mean that nobody is there.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Up,
    Down,
}

/// Asks with OPTIONS, outside of any transaction: one question is as good as another.
#[derive(Debug)]
struct Watchman {
    own: SocketAddr,
    server: Address,
    /// The number of the last question.
    asked: u32,
    /// A question to be sent, the one that is lent to the driver, and the one that waits for a socket.
    ready: Option<Vec<u8>>,
    lent: Option<Vec<u8>>,
    deferred: Option<Vec<u8>>,
    /// How many questions have gone unanswered; `None` after an answer.
    unanswered: Option<u32>,
    up: Option<bool>,
    tell: Option<Event>,
    next: Instant,
}

impl Watchman {
    fn new(own: SocketAddr, server: Address) -> Self {
        Self {
            own,
            server,
            asked: 0,
            ready: None,
            lent: None,
            deferred: None,
            unanswered: None,
            up: None,
            tell: None,
            next: Instant::ZERO,
        }
    }

    fn ask(&mut self) {
        self.asked += 1;
        let (own, number) = (self.own, self.asked);
        self.ready = Some(
            format!(
                "OPTIONS sip:{} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKwatch{number}\r\nMax-Forwards: 70\r\n\
                 From: <sip:watchman@{own}>;tag=watch\r\nTo: <sip:{}>\r\nCall-ID: watch@{own}\r\nCSeq: {number} OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n",
                self.server, self.server
            )
            .into_bytes(),
        );
    }

    /// The event when the server was not known to be so.
    fn found(&mut self, up: bool) -> Option<Event> {
        (self.up.replace(up) != Some(up)).then_some(if up { Event::Up } else { Event::Down })
    }
}

impl Role for Watchman {
    type Event = Event;

    fn receive(&mut self, now: Instant, _: Flow, message: &Message<'_>) -> Received<Event> {
        // Any final response shows that somebody is there.
        let answers = message.status().is_some_and(|status| status >= 200) && message.cseq().number == self.asked;
        if !answers || self.unanswered.take().is_none() {
            return Received::Stray;
        }
        self.next = now + EVERY;
        self.found(true).map_or(Received::Nothing, Received::Event)
    }

    fn receive_malformed(&mut self, _: Instant, _: Flow, _: &Malformed<'_>) {}

    fn handle_timeout(&mut self, now: Instant) {
        if self.next > now {
            return;
        }
        let unanswered = self.unanswered.map_or(0, |before| before + 1);
        if unanswered >= TRIES {
            self.tell = self.found(false);
            self.unanswered = None;
            self.next += EVERY;
        } else {
            self.unanswered = Some(unanswered);
            self.next += PATIENCE;
            self.ask();
        }
    }

    fn poll_action(&mut self, _: Instant) -> Option<Action<'_, Event>> {
        if let Some(event) = self.tell.take() {
            return Some(Action::Event(event));
        }
        self.lent = self.ready.take();
        let bytes = self.lent.as_deref()?;
        Some(Action::Send { id: SendId::new(0, self.asked, 0), flow: Flow::udp(self.server), bytes })
    }

    fn defer(&mut self, _: SendId) {
        self.deferred = self.lent.take();
    }

    fn hold(&mut self, id: SendId) {
        self.defer(id);
    }

    fn resume(&mut self, _: SendId) {
        self.ready = self.ready.take().or(self.deferred.take());
    }

    fn flow_writable(&mut self, _: Instant, _: Flow) {
        // A newer question takes the place of one that waited.
        self.ready = self.ready.take().or(self.deferred.take());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        (self.asked, self.unanswered, self.up, self.next.since(now)).hash(hasher);
    }

    fn flow_failed(&mut self, _: Instant, _: Flow, _: FlowError) {}
    fn flow_connected(&mut self, _: Instant, _: Ticket, _: Flow) {}
    fn connect_failed(&mut self, _: Instant, _: Ticket, _: FlowError) {}
    fn resolved(&mut self, _: Instant, _: Ticket, _: &[Target]) {}
}

// ----- Its test. -----

type Watched = World<Watchman, Events<Event>>;

/// A watchman, and the server that he watches.
fn scene(seed: u64) -> (Watched, NodeId, Wire) {
    let server = Wire::new("192.0.2.9:5060");
    let own = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5060));
    let mut world = World::new(Config::new(seed).with_ladder(1000).with_check(), Events::default());
    let watchman = world.add("watchman", own.into(), Watchman::new(own, server.address()));
    world.add_peer("server", server.address());
    (world, watchman, server)
}

/// Lets the server answer what it is asked, for so long.
fn serve(world: &mut Watched, watchman: NodeId, server: &mut Wire, span: Duration) {
    let end = world.now() + span;
    while world.now() < end {
        world.run_for(Duration::from_millis(100));
        for question in server.hear(world) {
            server.respond(world, watchman, &question, 200, "");
        }
    }
}

/// What he told since the last question.
#[cfg(test)]
fn told(world: &mut Watched) -> Vec<Event> {
    world.user_mut().seen.drain(..).map(|(_, _, event)| event).collect()
}

fn main() {
    let (mut world, watchman, mut server) = scene(1);
    serve(&mut world, watchman, &mut server, Duration::from_secs(60));
    // It falls silent for a minute.
    world.run_for(Duration::from_secs(60));
    server.hear(&world);
    serve(&mut world, watchman, &mut server, Duration::from_secs(60));
    println!("{}", world.explain());
}

#[test]
fn a_server_that_answers_is_up_and_that_is_told_once() {
    let (mut world, watchman, mut server) = scene(1);
    serve(&mut world, watchman, &mut server, Duration::from_secs(600));
    assert_eq!(told(&mut world), [Event::Up], "{}", world.explain());
    assert_eq!(world.stats().sent, 20);
}

#[test]
fn a_server_that_falls_silent_is_down_and_comes_back() {
    let (mut world, watchman, mut server) = scene(2);
    serve(&mut world, watchman, &mut server, Duration::from_secs(45));
    world.run_for(Duration::from_secs(45));
    assert_eq!(told(&mut world), [Event::Up, Event::Down], "{}", world.explain());
    server.hear(&world);
    serve(&mut world, watchman, &mut server, Duration::from_secs(45));
    assert_eq!(told(&mut world), [Event::Up], "{}", world.explain());
}

#[test]
fn two_lost_questions_are_no_alarm_and_three_are() {
    for (lost, expected) in [(2, vec![Event::Up]), (3, vec![Event::Down, Event::Up])] {
        let (mut world, watchman, mut server) = scene(3);
        world.network_mut().add_rule(Rule::lose("OPTIONS").times(lost));
        serve(&mut world, watchman, &mut server, Duration::from_secs(100));
        assert_eq!(told(&mut world), expected, "{}", world.explain());
    }
}
