//! Connections that peers open, one behaviour a test, over a stack that does what the test says.
#![allow(clippy::std_instead_of_alloc, reason = "tests run on std")]

#[allow(dead_code, unreachable_pub, reason = "the same role that the tests of sip-std-adapter drive")]
#[path = "../../sip-std-adapter/src/echo.rs"]
mod echo;
mod fake;

use core::net::SocketAddr;
use echo::{Echo, Said, request};
use fake::{Fake, Knobs, Plan, Stream, What, classify_stream};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError, Transport};
use sip_embedded_adapter::{Accepts, Adapter, Listening, Tcp, Turn};

/// Three connections with room for 600 octets each way, two of them for peers.
type Three = Adapter<Echo, Fake, Listening<Fake, 3, 600>>;

struct Bench {
    adapter: Three,
    stack: Fake,
    now: Instant,
}

fn peer(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 40_000 + n))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Bench {
    fn new(knobs: Knobs) -> Self {
        let mut stack = Fake::new(knobs);
        let tcp = if knobs.smoltcp { Tcp::new().classified_by(classify_stream) } else { Tcp::new() };
        let mut streams = Listening::new(tcp).for_peers(2);
        streams.listen(&mut stack, 5060).expect("it listens");
        assert_eq!(stack.listening, Some(5060));
        let adapter = Adapter::bind(Echo::default(), &mut stack, 5060).expect("a socket").with_tcp(streams);
        Self { adapter, stack, now: Instant::from_millis(1000) }
    }

    /// Polls until there is nothing to do; what was said, and when to come back.
    fn settle(&mut self) -> (Vec<Said>, Option<Instant>) {
        let (mut said, mut buffer) = (Vec::new(), [0; 1500]);
        for _ in 0..1000 {
            match self.adapter.poll(&mut self.stack, self.now, &mut buffer).expect("a live socket") {
                Turn::Message { event, .. } | Turn::Event(event) => said.push(event),
                Turn::Idle(until) => {
                    assert!(until.is_none_or(|until| until > self.now), "{until:?}");
                    // What waits for a place is looked at again at once.
                    if until != Some(self.now + Duration::from_millis(10)) {
                        return (said, until);
                    }
                    self.now += Duration::from_millis(10);
                }
                _ => {}
            }
        }
        panic!("never idle");
    }

    fn said(&mut self) -> Vec<Said> {
        self.settle().0
    }

    /// A peer connects, and sends these octets.
    fn caller(&mut self, n: u16, octets: &[u8]) -> Vec<Said> {
        self.stack.callers.push_back(peer(n));
        let mut said = self.said();
        self.stream(n).back.extend(octets);
        said.extend(self.said());
        said
    }

    /// The stream of a peer that was accepted last.
    fn stream(&mut self, n: u16) -> &mut Stream {
        let mut streams = self.stack.streams.values_mut().rev();
        streams.find(|stream| stream.to == Some(peer(n))).expect("it was accepted")
    }

    fn counted(&self) -> Accepts {
        self.adapter.streams().accepts()
    }

    fn guests(&self) -> usize {
        self.adapter.streams().guests()
    }

    /// Goes on second by second for so long; what was said.
    fn pass(&mut self, span: Duration) -> Vec<Said> {
        let end = self.now + span;
        let mut said = Vec::new();
        while self.now < end {
            self.now = (self.now + seconds(1)).min(end);
            said.extend(self.said());
        }
        said
    }

    /// Nothing is left open when everything is closed.
    fn finish(mut self) {
        self.adapter.disconnect(&mut self.stack, self.now);
        let _ = self.said();
        self.adapter.streams_mut().unlisten(&mut self.stack);
        let (_, socket, _) = self.adapter.into_parts();
        embedded_nal::UdpClientStack::close(&mut self.stack, socket).expect("closed");
        assert_eq!(self.stack.open_sockets(), 0);
    }
}

#[test]
fn a_request_over_a_connection_of_the_peer_is_answered_over_it() {
    for smoltcp in [false, true] {
        let mut bench = Bench::new(Knobs { smoltcp, piece: 100, ..Knobs::EASY });
        assert_eq!(bench.caller(1, &request(1)), [Said::Request(1)]);
        let out = String::from_utf8(bench.stream(1).out.clone()).unwrap();
        assert!(out.starts_with("SIP/2.0 200 OK\r\n"), "{out}");
        assert_eq!((bench.guests(), bench.counted().accepted), (1, 1));
        bench.finish();
    }
}

#[test]
fn a_request_to_the_peers_own_port_goes_over_the_connection_that_it_opened() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.caller(1, &request(1));
    bench.adapter.role_mut().connect(7, peer(1), Transport::Tcp);
    let [Said::Connected(_, flow)] = bench.said()[..] else { panic!() };
    assert_eq!((flow.remote, flow.transport), (peer(1).into(), Transport::Tcp));
    assert_eq!(bench.adapter.statistics().connected, 0);
    // Another port of the same host is another peer.
    bench.adapter.role_mut().connect(8, peer(2), Transport::Tcp);
    assert!(matches!(bench.said()[..], [Said::Connected(_, other)] if other != flow));
    assert_eq!(bench.adapter.statistics().connected, 1);
    bench.finish();
}

#[test]
fn a_peer_that_says_nothing_or_half_a_message_is_closed_in_time() {
    for (octets, limit) in [(&b""[..], 8), (&request(1)[..40], 8)] {
        let mut bench = Bench::new(Knobs::EASY);
        let begun = bench.now;
        assert_eq!(bench.caller(1, octets), []);
        let (_, until) = bench.settle();
        assert_eq!(until, Some(begun + seconds(limit)));
        bench.now = begun + seconds(limit) - Duration::from_millis(1);
        assert_eq!(bench.said(), []);
        bench.now += Duration::from_millis(1);
        let said = bench.said();
        assert!(matches!(said[..], [Said::Lost(_, FlowError::Closed)]), "{said:?}");
        assert_eq!((bench.guests(), bench.counted().expired), (0, 1));
        bench.finish();
    }
}

#[test]
fn a_later_message_has_32_seconds_to_arrive_whole() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.caller(1, &request(1));
    assert_eq!(bench.pass(seconds(100)), []);
    bench.stream(1).back.extend(&request(2)[..40]);
    assert_eq!(bench.pass(seconds(31)), []);
    // An octet now and then does not help.
    bench.stream(1).back.push_back(request(2)[40]);
    let said = bench.pass(seconds(3));
    assert!(matches!(said[..], [Said::Lost(..)]), "{said:?}");
    assert_eq!(bench.counted().expired, 1);
    bench.finish();
}

#[test]
fn a_connection_over_which_nothing_comes_ends_after_ten_minutes_and_a_keep_alive_is_something() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.caller(1, &request(1));
    assert_eq!(bench.pass(seconds(599)), []);
    bench.stream(1).back.extend(b"\r\n\r\n");
    assert_eq!(bench.said(), []);
    assert_eq!(bench.pass(seconds(599)), []);
    assert!(matches!(bench.pass(seconds(2))[..], [Said::Lost(_, FlowError::Closed)]));
    bench.finish();
}

#[test]
fn who_comes_when_all_places_are_used_is_closed_at_once_and_the_third_place_is_for_this_host() {
    let mut bench = Bench::new(Knobs::EASY);
    for n in 1..=2 {
        assert_eq!(bench.caller(n, &request(u32::from(n))), [Said::Request(u32::from(n))]);
    }
    bench.stack.callers.push_back(peer(3));
    assert_eq!(bench.said(), []);
    assert!(bench.stream(3).closed);
    let counted = bench.counted();
    assert_eq!((bench.guests(), counted.accepted, counted.refused, counted.displaced), (2, 2, 1, 0));
    bench.adapter.role_mut().connect(7, peer(9), Transport::Tcp);
    assert!(matches!(bench.said()[..], [Said::Connected(..)]));
    bench.finish();
}

#[test]
fn who_was_silent_for_32_seconds_makes_room_and_pings_are_silence() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.caller(1, &request(1));
    assert_eq!(bench.pass(seconds(20)), []);
    let _ = bench.caller(2, &request(2));
    bench.stream(1).back.extend(b"\r\n\r\n");
    assert_eq!(bench.pass(seconds(13)), []);
    let said = bench.caller(3, &request(3));
    let [Said::Lost(lost, FlowError::Closed), Said::Request(3)] = said[..] else { panic!("{said:?}") };
    assert_eq!(lost.remote, peer(1).into());
    let counted = bench.counted();
    assert_eq!((bench.guests(), counted.accepted, counted.refused, counted.displaced), (2, 3, 0, 1));
    assert!(bench.stream(1).closed && !bench.stream(2).closed);
    bench.finish();
}

#[test]
fn what_the_listening_socket_fails_with_is_counted_and_it_goes_on() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.said();
    bench.stack.callers.push_back(peer(1));
    // The first call of a poll asks who has come.
    for what in [What::Other, What::WouldBlock] {
        bench.stack.plan = Some(Plan { at: bench.stack.calls + 1, what, for_good: false });
        assert_eq!(bench.said(), []);
    }
    assert!(bench.stack.struck.contains("accept"));
    assert_eq!(bench.said(), []);
    assert_eq!((bench.guests(), bench.counted().errors), (1, 1));
    bench.finish();
}

#[test]
fn a_port_that_can_not_be_bound_is_told_and_nothing_stays_open() {
    for at in 1..=3 {
        let mut stack = Fake::new(Knobs::EASY);
        stack.plan = Some(Plan { at, what: What::Other, for_good: false });
        let mut streams = Listening::<_, 2, 600>::new(Tcp::new());
        assert!(streams.listen(&mut stack, 5060).is_err());
        assert_eq!(stack.open_sockets(), 0);
        assert!(streams.listen(&mut stack, 5061).is_ok() && stack.open_sockets() == 1);
        // Another port takes its place.
        assert!(streams.listen(&mut stack, 5062).is_ok() && stack.open_sockets() == 1);
        streams.unlisten(&mut stack);
        assert_eq!(stack.open_sockets(), 0);
    }
}

#[test]
fn a_message_that_is_too_large_is_answered_and_ends_the_connection() {
    let mut bench = Bench::new(Knobs::EASY);
    let large = String::from_utf8(request(1)).unwrap().replace("Content-Length: 0", "Content-Length: 5000");
    let said = bench.caller(1, large.as_bytes());
    assert!(matches!(said[..], [Said::Lost(..)]), "{said:?}");
    let out = String::from_utf8(bench.stream(1).out.clone()).unwrap();
    assert!(out.starts_with("SIP/2.0 513 "), "{out}");
    assert_eq!(bench.guests(), 0);
    bench.finish();
}

#[test]
fn the_place_of_a_peer_is_no_peers_when_this_host_takes_it() {
    let mut bench = Bench::new(Knobs::EASY);
    let _ = bench.caller(1, &request(1));
    bench.stream(1).ended = true;
    assert!(matches!(bench.said()[..], [Said::Lost(..)]));
    bench.adapter.role_mut().connect(7, peer(9), Transport::Tcp);
    assert!(matches!(bench.said()[..], [Said::Connected(_, Flow { .. })]));
    // Nothing comes over it for longer than a peer would be given.
    assert_eq!(bench.pass(seconds(700)), []);
    assert_eq!((bench.guests(), bench.counted().expired), (0, 0));
    bench.finish();
}
