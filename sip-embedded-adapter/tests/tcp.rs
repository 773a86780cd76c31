//! Connections, one behaviour a test, over a stack that does what the test says. The role is the one of the adapters'
//! tests: it answers requests and notes what it is told.
#![allow(clippy::std_instead_of_alloc, reason = "tests run on std")]

#[allow(dead_code, unreachable_pub, reason = "the same role that the tests of sip-std-adapter drive")]
#[path = "../../sip-std-adapter/src/echo.rs"]
mod echo;
mod fake;

use core::net::SocketAddr;
use echo::{Echo, Said, request};
use fake::{Fake, Knobs, classify, classify_stream};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError, Ticket, Transport};
use sip_embedded_adapter::{Adapter, Tcp, Turn};

/// Two connections with room for 600 octets each way.
type Two = Adapter<Echo, Fake, Tcp<Fake, 2, 600>>;

struct Bench {
    adapter: Two,
    stack: Fake,
    now: Instant,
    /// Flows whose peers sent too much.
    too_large: Vec<Flow>,
}

fn peer(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060 + n))
}

fn ticket(n: u64) -> Ticket {
    Ticket::new(n)
}

impl Bench {
    fn new(knobs: Knobs) -> Self {
        let mut stack = Fake::new(knobs);
        let tcp = if knobs.smoltcp { Tcp::new().classified_by(classify_stream) } else { Tcp::new() };
        let adapter = Adapter::bind(Echo::default(), &mut stack, 5060).expect("a socket");
        let adapter = adapter.classified_by(classify).with_tcp(tcp);
        Self { adapter, stack, now: Instant::from_millis(1000), too_large: Vec::new() }
    }

    /// Polls until there is nothing to do; what was said, and when to come back.
    fn settle(&mut self) -> (Vec<Said>, Option<Instant>) {
        let (mut said, mut buffer) = (Vec::new(), [0; 1500]);
        for _ in 0..1000 {
            match self.adapter.poll(&mut self.stack, self.now, &mut buffer).expect("a live socket") {
                Turn::Message { event, .. } | Turn::Event(event) => said.push(event),
                Turn::Resolve { query, .. } => self.adapter.resolved(self.now, query, &[]),
                Turn::TooLarge { flow } => self.too_large.push(flow),
                Turn::Again => {}
                Turn::Idle(until) => return (said, until),
            }
        }
        panic!("never idle");
    }

    fn said(&mut self) -> Vec<Said> {
        self.settle().0
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
    }

    /// An open connection to a peer.
    fn open(&mut self, to: SocketAddr) -> Flow {
        self.adapter.role_mut().connect(1, to, Transport::Tcp);
        let said = self.said();
        let [Said::Connected(_, flow)] = said[..] else { panic!("{said:?}") };
        assert_eq!((flow.remote, flow.transport), (to.into(), Transport::Tcp));
        flow
    }

    /// Nothing is left open when everything is closed.
    fn finish(mut self) {
        self.adapter.disconnect(&mut self.stack, self.now);
        let _ = self.said();
        let (_, socket, _) = self.adapter.into_parts();
        embedded_nal::UdpClientStack::close(&mut self.stack, socket).expect("closed");
        assert_eq!(self.stack.open_sockets(), 0);
    }
}

#[test]
fn connecting_takes_its_time_and_idle_comes_back_for_it() {
    let mut bench = Bench::new(Knobs { connecting: 3, ..Knobs::EASY });
    bench.adapter.role_mut().connect(7, peer(0), Transport::Tcp);
    let (said, until) = bench.settle();
    assert_eq!((said, until), (vec![], Some(bench.now + Duration::from_millis(10))));
    for _ in 0..2 {
        bench.pass(Duration::from_millis(10));
        assert_eq!(bench.said(), []);
    }
    bench.pass(Duration::from_millis(10));
    let [Said::Connected(seven, flow)] = bench.said()[..] else { panic!() };
    assert_eq!((seven, flow.remote), (ticket(7), peer(0).into()));
    assert_eq!(bench.settle().1, None);
    assert_eq!(bench.adapter.statistics().connected, 1);
    bench.finish();
}

#[test]
fn a_connection_that_is_not_answered_fails_in_time() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.stack.deaf = true;
    bench.adapter.role_mut().connect(7, peer(0), Transport::Tcp);
    assert_eq!(bench.said(), []);
    bench.pass(Duration::from_millis(7999));
    assert_eq!(bench.said(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.said(), [Said::NoConnection(ticket(7), FlowError::Unreachable)]);
    assert_eq!((bench.stack.open_sockets(), bench.adapter.statistics().connects_failed), (1, 1));
    bench.finish();
}

#[test]
fn a_stack_that_connects_is_asked_more_and_more_rarely() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.stack.deaf = true;
    bench.adapter.role_mut().connect(7, peer(0), Transport::Tcp);
    let mut said = vec![];
    for _ in 0..8001 {
        said.extend(bench.said());
        bench.pass(Duration::from_millis(1));
    }
    assert_eq!(said, [Said::NoConnection(ticket(7), FlowError::Unreachable)]);
    let asked = bench.stack.last().asked;
    assert!((60..100).contains(&asked), "{asked}");
    bench.finish();
}

#[test]
fn a_refused_connection_fails_at_once_and_the_next_is_tried_anew() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.stack.refusing = true;
    bench.adapter.role_mut().connect(7, peer(0), Transport::Tcp);
    assert_eq!(bench.said(), [Said::NoConnection(ticket(7), FlowError::Refused)]);
    bench.stack.refusing = false;
    bench.open(peer(0));
    bench.finish();
}

#[test]
fn one_connection_serves_all_who_ask_for_its_peer() {
    let mut bench = Bench::new(Knobs { connecting: 20, ..Knobs::EASY });
    for n in 1..=5 {
        bench.adapter.role_mut().connect(n, peer(0), Transport::Tcp);
    }
    // Four can wait for it.
    assert_eq!(bench.said(), [Said::NoConnection(ticket(5), FlowError::Other)]);
    let mut again = || {
        bench.pass(Duration::from_millis(100));
        bench.said()
    };
    let said = (0..40).map(|_| again()).find(|said| !said.is_empty()).expect("connected");
    let flows: Vec<_> =
        said.iter().map(|said| if let Said::Connected(_, flow) = said { *flow } else { panic!() }).collect();
    assert_eq!(flows, [flows[0]; 4]);
    let order: Vec<_> =
        said.iter().map(|said| if let Said::Connected(ticket, _) = said { ticket.number() } else { 0 }).collect();
    assert_eq!(order, [1, 2, 3, 4]);
    assert_eq!(bench.open(peer(0)), flows[0]);
    bench.stack.knobs.connecting = 0;
    assert_ne!(bench.open(peer(1)), flows[0]);
    assert_eq!(bench.stack.streams.len(), 2);
    bench.finish();
}

#[test]
fn a_silent_connection_makes_room_and_a_busy_one_does_not() {
    let mut bench = Bench::new(Knobs::EASY);
    let (first, second) = (bench.open(peer(1)), bench.open(peer(2)));
    bench.pass(Duration::from_secs(31));
    bench.adapter.role_mut().connect(3, peer(3), Transport::Tcp);
    assert_eq!(bench.said(), [Said::NoConnection(ticket(3), FlowError::Other)]);
    bench.adapter.role_mut().send_on(second, b"x");
    bench.said();
    bench.pass(Duration::from_secs(1));
    bench.adapter.role_mut().connect(3, peer(3), Transport::Tcp);
    let said = bench.said();
    assert!(said.contains(&Said::Lost(first, FlowError::Closed)), "{said:?}");
    let [.., Said::Connected(_, third)] = said[..] else { panic!("{said:?}") };
    assert_eq!(said.len(), 2);
    assert!(third != first && third != second);
    bench.finish();
}

#[test]
fn a_silent_connection_that_the_role_keeps_makes_no_room() {
    let mut bench = Bench::new(Knobs::EASY);
    let first = bench.open(peer(1));
    bench.pass(Duration::from_secs(1));
    let second = bench.open(peer(2));
    bench.pass(Duration::from_secs(40));
    // The one that was silent for longest carries a binding, say: the other makes room.
    bench.adapter.role_mut().kept = first;
    bench.adapter.role_mut().connect(3, peer(3), Transport::Tcp);
    let said = bench.said();
    let [Said::Lost(lost, FlowError::Closed), Said::Connected(_, third)] = said[..] else { panic!("{said:?}") };
    assert_eq!((lost, third.remote), (second, peer(3).into()));
    // The new one was not silent, so there is no room.
    bench.adapter.role_mut().connect(4, peer(4), Transport::Tcp);
    assert_eq!(bench.said(), [Said::NoConnection(ticket(4), FlowError::Other)]);
    bench.finish();
}

#[test]
fn a_stack_without_sockets_is_no_connection() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.stack.sockets = 0;
    bench.adapter.role_mut().connect(7, peer(0), Transport::Tcp);
    assert_eq!(bench.said(), [Said::NoConnection(ticket(7), FlowError::Other)]);
    bench.finish();
}

#[test]
fn what_has_no_room_goes_out_later_and_holds_up_nobody_else() {
    for smoltcp in [false, true] {
        let mut bench = Bench::new(Knobs { room: 400, smoltcp, ..Knobs::EASY });
        let (stuck, other) = (bench.open(peer(1)), bench.open(peer(2)));
        let (one, two) = (request(1), request(2));
        assert!(one.len() < 400 && one.len() + two.len() > 400);
        for octets in [&one[..], &two, b"\r\n\r\n"] {
            bench.adapter.role_mut().send_on(stuck, octets);
        }
        bench.adapter.role_mut().send_on(other, &one);
        bench.adapter.role_mut().send(peer(3), &one);
        bench.stack.arriving.push_back((request(9), peer(4)));
        let (said, until) = bench.settle();
        assert_eq!((said, until), (vec![Said::Request(9)], Some(bench.now + Duration::from_millis(10))));
        assert_eq!(bench.stack.last().out, one, "the other connection");
        assert_eq!(bench.stack.sent.len(), 2, "a datagram, and the answer to the one that came");
        assert_eq!(bench.adapter.statistics().sends_deferred, 1);
        // The rest of the second message, then the third, follow as the peer reads.
        let mut read = Vec::new();
        for _ in 0..4 {
            read.append(&mut bench.stack.streams.values_mut().next().expect("the first").out);
            bench.said();
        }
        assert_eq!(read, [&one[..], &two, b"\r\n\r\n"].concat());
        assert_eq!(bench.settle().1, None);
        bench.finish();
    }
}

#[test]
fn a_peer_that_takes_nothing_loses_its_connection_and_the_role_learns_it_once() {
    let mut bench = Bench::new(Knobs { room: 10, ..Knobs::EASY });
    let flow = bench.open(peer(1));
    bench.adapter.role_mut().send_on(flow, &request(1));
    bench.adapter.role_mut().send_on(flow, &request(2));
    bench.said();
    bench.pass(Duration::from_secs(31));
    // A little room is progress.
    bench.stack.last().out.clear();
    assert_eq!(bench.said(), []);
    bench.pass(Duration::from_millis(31_999));
    assert_eq!(bench.said(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.said(), [Said::Lost(flow, FlowError::Closed)]);
    let counted = bench.adapter.statistics();
    assert_eq!((counted.stalled, counted.closed, bench.stack.open_sockets()), (1, 1, 1));
    // What was put back for it is not offered to nobody.
    bench.adapter.role_mut().send_on(flow, &request(3));
    assert_eq!(bench.said(), [Said::Lost(flow, FlowError::Closed)]);
    bench.finish();
}

#[test]
fn a_message_larger_than_the_room_is_not_sent_and_one_that_fills_it_is() {
    let mut bench = Bench::new(Knobs { room: 0, ..Knobs::EASY });
    let flow = bench.open(peer(1));
    bench.adapter.role_mut().send_on(flow, &[b'x'; 601]);
    assert_eq!(bench.said(), [Said::Lost(flow, FlowError::TooLarge)]);
    bench.adapter.role_mut().send_on(flow, &[b'x'; 600]);
    assert_eq!(bench.said(), []);
    bench.stack.knobs.room = 1000;
    bench.said();
    assert_eq!(bench.stack.last().out.len(), 600);
    bench.finish();
}

#[test]
fn messages_are_cut_out_of_a_stream_in_pieces_of_any_size() {
    for (piece, smoltcp) in [(1, false), (1, true), (7, false), (usize::MAX, true)] {
        let mut bench = Bench::new(Knobs { piece, smoltcp, ..Knobs::EASY });
        let flow = bench.open(peer(1));
        let stream = [&request(1)[..], b"\r\n\r\n", &request(2), b"\r\n", &request(3)].concat();
        bench.stack.last().back.extend(stream);
        assert_eq!(bench.said(), [Said::Request(1), Said::Request(2), Said::Request(3)]);
        // The answers, with the one to the ping between them.
        for _ in 0..1000 {
            bench.said();
        }
        let out = String::from_utf8(bench.stack.last().out.clone()).expect("text");
        assert_eq!((out.matches("200 OK").count(), out.matches("\r\n\r\n\r\n").count()), (3, 1), "{out}");
        let counted = bench.adapter.statistics();
        assert_eq!((counted.messages_in, counted.messages_out, counted.keep_alives >= 2), (3, 3, true));
        assert_eq!(counted.closed, 0, "{flow:?}");
        bench.finish();
    }
}

#[test]
fn connections_and_datagrams_take_turns() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.open(peer(1));
    bench.open(peer(2));
    for n in [1, 2] {
        let stream = bench.stack.streams.values_mut().nth(n - 1).expect("it");
        stream.back.extend((0..3).flat_map(|i| request(10 * n as u32 + i)));
        bench.stack.arriving.extend((0..3).map(|i| (request(100 + i), peer(9))));
    }
    let said = bench.said();
    assert_eq!(said.len(), 12);
    let kind = |said: &Said| if let Said::Request(n) = said { n / 10 } else { panic!() };
    let kinds: Vec<u32> = said.iter().map(kind).collect();
    for window in kinds.windows(4).take(6) {
        assert!(window.contains(&1) && window.contains(&2) && window.contains(&10), "{kinds:?}");
    }
    bench.finish();
}

#[test]
fn a_message_larger_than_the_buffer_ends_its_connection() {
    let mut bench = Bench::new(Knobs::EASY);
    let flow = bench.open(peer(1));
    bench.stack.last().back.extend([b'x'; 700]);
    assert_eq!(bench.said(), [Said::Lost(flow, FlowError::Closed)]);
    // As soon as its head is there.
    let flow_2 = bench.open(peer(1));
    bench.stack.last().back.extend(b"BYE sip:a SIP/2.0\r\nContent-Length: 601\r\n\r\n");
    assert_eq!(bench.said(), [Said::Lost(flow_2, FlowError::Closed)]);
    // The caller's buffer counts too.
    let flow_3 = bench.open(peer(1));
    bench.stack.last().back.extend(request(1));
    let mut small = [0; 100];
    let mut turns = 0;
    let told = loop {
        match bench.adapter.poll(&mut bench.stack, bench.now, &mut small).expect("alive") {
            Turn::TooLarge { flow } => break flow,
            _ => turns += 1,
        }
        assert!(turns < 10);
    };
    assert_eq!((told, &bench.too_large[..]), (flow_3, &[flow, flow_2][..]));
    let counted = bench.adapter.statistics();
    assert_eq!((counted.oversized, counted.closed, counted.malformed), (3, 2, 0));
    assert_eq!(bench.said(), [Said::Lost(flow_3, FlowError::Closed)]);
    assert_eq!((bench.adapter.statistics().closed, bench.adapter.role().malformed), (3, 2));
    bench.finish();
}

#[test]
fn a_message_over_the_limit_is_answered_before_its_connection_closes() {
    for room in [1000, 0] {
        let mut bench = Bench::new(Knobs { room, ..Knobs::EASY });
        let flow = bench.open(peer(1));
        let large = String::from_utf8(request(1)).expect("text").replace("Content-Length: 0", "Content-Length: 601");
        bench.stack.last().back.extend(large.bytes());
        bench.stack.last().back.extend([b'x'; 100]);
        // The role knows that the flow is over, and can have another at once.
        assert_eq!(bench.said(), [Said::Lost(flow, FlowError::Closed)]);
        assert_eq!((&bench.too_large[..], bench.adapter.statistics().oversized), (&[flow][..], 1));
        if room == 0 {
            // The stack takes the answer late; the connection waits for that.
            assert_eq!((bench.adapter.statistics().closed, bench.stack.open_sockets()), (0, 2));
            bench.stack.knobs.room = 1000;
            bench.pass(Duration::from_millis(10));
            let out = bench.stack.streams.values_mut().next().expect("it");
            assert_eq!(out.out.len(), 0);
            let _ = bench.said();
        }
        let out = String::from_utf8(bench.stack.streams.values_mut().next().expect("it").out.clone()).expect("text");
        assert!(out.starts_with("SIP/2.0 513 Message Too Large\r\n") && out.ends_with("\r\n\r\n"), "{out}");
        bench.pass(Duration::from_millis(10));
        let _ = bench.said();
        assert_eq!((bench.adapter.statistics().closed, bench.stack.open_sockets()), (1, 1));
        bench.finish();
    }
}

#[test]
fn a_connection_whose_peer_sent_too_much_gives_way_to_another() {
    let mut bench = Bench::new(Knobs { room: 0, ..Knobs::EASY });
    let flows = [bench.open(peer(1)), bench.open(peer(2))];
    let large = String::from_utf8(request(1)).expect("text").replace("Content-Length: 0", "Content-Length: 601");
    bench.stack.last().back.extend(large.bytes());
    assert_eq!(bench.said(), [Said::Lost(flows[1], FlowError::Closed)]);
    assert_eq!(bench.stack.open_sockets(), 3);
    bench.open(peer(2));
    assert_eq!((bench.adapter.statistics().closed, bench.stack.open_sockets()), (1, 3));
    bench.finish();
}

#[test]
fn a_stream_in_which_no_message_can_follow_is_closed() {
    for garbage in [&b"\x16\x03\x01\x00\n"[..], b"BYE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", b"\rX"] {
        let mut bench = Bench::new(Knobs::EASY);
        let flow = bench.open(peer(1));
        bench.stack.last().back.extend(garbage);
        assert_eq!(bench.said(), [Said::Lost(flow, FlowError::Closed)], "{garbage:?}");
        assert_eq!((bench.adapter.statistics().broken, bench.stack.open_sockets()), (1, 1));
        bench.finish();
    }
}

#[test]
fn a_message_that_can_not_be_parsed_is_told_and_the_stream_goes_on() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.open(peer(1));
    bench.stack.last().back.extend(b"OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n");
    bench.stack.last().back.extend(request(1));
    assert_eq!(bench.said(), [Said::Request(1)]);
    assert_eq!((bench.adapter.role().malformed, bench.adapter.statistics().malformed), (1, 1));
    bench.finish();
}

#[test]
fn what_came_before_the_end_of_a_stream_is_taken_first() {
    for smoltcp in [false, true] {
        let mut bench = Bench::new(Knobs { smoltcp, ..Knobs::EASY });
        let flow = bench.open(peer(1));
        bench.stack.last().back.extend(request(1));
        bench.stack.last().ended = true;
        assert_eq!(bench.said(), [Said::Request(1), Said::Lost(flow, FlowError::Closed)], "{smoltcp}");
        assert_eq!(bench.stack.open_sockets(), 1);
        let again = bench.open(peer(1));
        assert_ne!(again, flow);
        bench.finish();
    }
}

#[test]
fn the_role_closes_without_being_told_and_tls_is_refused() {
    let mut bench = Bench::new(Knobs::EASY);
    let flow = bench.open(peer(1));
    bench.adapter.role_mut().close(flow);
    bench.adapter.role_mut().close(flow);
    bench.adapter.role_mut().connect(2, peer(1), Transport::Tls);
    assert_eq!(bench.said(), [Said::NoConnection(ticket(2), FlowError::Unsupported)]);
    assert_eq!(bench.stack.open_sockets(), 1);
    bench.adapter.role_mut().send_on(Flow { transport: Transport::Tls, ..flow }, b"x");
    assert!(matches!(bench.said()[..], [Said::Lost(_, _)]));
    bench.finish();
}

#[test]
fn when_the_network_goes_every_connection_is_closed_and_told() {
    let mut bench = Bench::new(Knobs { connecting: 1, ..Knobs::EASY });
    bench.adapter.role_mut().connect(1, peer(1), Transport::Tcp);
    bench.said();
    bench.pass(Duration::from_millis(10));
    let [Said::Connected(_, flow)] = bench.said()[..] else { panic!() };
    bench.adapter.role_mut().connect(2, peer(2), Transport::Tcp);
    bench.said();
    bench.adapter.disconnect(&mut bench.stack, bench.now);
    assert_eq!(bench.stack.open_sockets(), 1);
    let said = bench.said();
    assert_eq!(said, [Said::Lost(flow, FlowError::Closed), Said::NoConnection(ticket(2), FlowError::Closed)]);
    bench.finish();
}

#[test]
fn a_place_whose_connection_has_just_ended_serves_the_next_one() {
    let mut bench = Bench::new(Knobs::EASY);
    let ended = [bench.open(peer(1)), bench.open(peer(2))];
    bench.adapter.disconnect(&mut bench.stack, bench.now);
    for n in [1, 3] {
        bench.adapter.role_mut().connect(u64::from(n), peer(n), Transport::Tcp);
    }
    let said = bench.said();
    for flow in ended {
        assert_eq!(said.iter().filter(|said| **said == Said::Lost(flow, FlowError::Closed)).count(), 1, "{said:?}");
    }
    let connected = |said: &&Said| matches!(said, Said::Connected(_, flow) if !ended.contains(flow));
    assert_eq!((said.iter().filter(connected).count(), said.len()), (2, 4), "{said:?}");
    bench.finish();
}

#[test]
fn connections_in_a_static_are_told_where_they_lie_what_answers_mean() {
    let (mut stack, mut tcp) = (Fake::new(Knobs { smoltcp: true, ..Knobs::EASY }), Tcp::<Fake, 1, 600>::new());
    tcp.classify_by(classify_stream);
    let adapter = Adapter::bind(Echo::default(), &mut stack, 5060).expect("a socket");
    let mut adapter = adapter.classified_by(classify).with_tcp(&mut tcp);
    adapter.role_mut().connect(1, peer(1), Transport::Tcp);
    let mut buffer = [0; 600];
    let turns =
        (0..9).map(|n| matches!(adapter.poll(&mut stack, Instant::from_millis(n), &mut buffer), Ok(Turn::Idle(_))));
    assert!(turns.filter(|idle| *idle).count() > 6);
    // By default a read of nothing would have ended it.
    assert_eq!((adapter.statistics().connected, adapter.statistics().closed), (1, 0));
}

#[test]
fn literals_and_names_may_be_reached_by_tcp() {
    let mut bench = Bench::new(Knobs::EASY);
    bench.adapter.role_mut().ask(7, "192.0.2.1", Transport::Tcp, false);
    assert_eq!(bench.said(), [Said::Found(ticket(7), 1)]);
    let target = bench.adapter.role().targets[0];
    assert_eq!((target.address, target.transport), (peer(0).into(), Transport::Tcp));
    bench.adapter.role_mut().ask(7, "sip.example.com", Transport::Tcp, false);
    let mut buffer = [0; 1500];
    let Ok(Turn::Resolve { query, .. }) = bench.adapter.poll(&mut bench.stack, bench.now, &mut buffer) else {
        panic!()
    };
    assert_eq!((query.port, query.transport), (5060, Transport::Tcp));
    bench.adapter.role_mut().ask(8, "192.0.2.1", Transport::Tcp, true);
    assert_eq!(bench.said(), [Said::Found(ticket(8), 0)]);
    bench.finish();
}
