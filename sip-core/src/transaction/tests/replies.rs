//! Answers without a transaction: their slots, their reserve, and sockets that would block (RFC 3261 §8.2.7).

use super::super::{REPLIES, ReplyId};
use super::*;

impl Bench {
    /// Answers a new request without a transaction.
    fn reply(&mut self, source: Flow, text: &str) -> bool {
        let (now, message) = (self.now(), Message::parse(text.as_bytes()).unwrap());
        let new = match self.work().receive_request(now, &message) {
            ServerMatch::New(new) | ServerMatch::Merged(new) => new,
            other => panic!("{other:?}"),
        };
        self.work().reply(source, &message, new, 481, &|_, w| w.finish_without_body())
    }

    /// Everything that is ready to be sent without a transaction; put back when `defer` says so.
    fn replies(&mut self, defer: bool) -> Vec<(Flow, String)> {
        let mut sent = Vec::new();
        while let Some(id) = self.work().poll_reply() {
            let work = self.work();
            let (bytes, flow) = work.lend_reply(id).unwrap();
            sent.push((flow, String::from_utf8(bytes.to_vec()).unwrap()));
            if defer {
                self.work().defer_reply(id);
            }
        }
        sent
    }

    fn fill(&mut self, leave: usize) -> Block {
        let rest = self.octets.free() - leave - Pool::<6000>::OVERHEAD;
        self.octets.open(rest);
        self.octets.keep_reserved(rest).unwrap()
    }
}

fn bye(number: usize) -> String {
    request("BYE", &format!(":5070;branch=z9hG4bKr{number}"), ";tag=t")
}

#[test]
fn several_wait_at_once_and_each_is_sent_once() {
    let mut bench = Bench::new(0);
    for number in 0..REPLIES {
        assert!(bench.reply(PEER, &bye(number)));
    }
    let sent = bench.replies(false);
    assert_eq!(sent.len(), REPLIES);
    for (number, (flow, text)) in sent.iter().enumerate() {
        assert_eq!(*flow, Flow::udp(PEER.remote.with_port(5070)));
        assert!(text.starts_with("SIP/2.0 481 ") && text.contains(&format!("branch=z9hG4bKr{number}")));
    }
    assert_eq!((bench.replies(false), bench.octets.used()), (vec![], 0));
    // Repetitions get the same tag.
    let text = request("INVITE", ";branch=z9hG4bKx", "");
    let tag = |sent: Vec<(Flow, String)>| sent[0].1.split(";tag=").nth(2).unwrap()[..16].to_owned();
    assert!(bench.reply(PEER, &text));
    let first = tag(bench.replies(false));
    assert!(bench.reply(PEER, &text));
    assert_eq!(tag(bench.replies(false)), first);
    assert_eq!(bench.work().view().dropped_replies(), 0);
}

#[test]
fn one_too_many_is_dropped_and_counted_and_takes_the_place_of_the_longest_blocked() {
    let mut bench = Bench::new(0);
    for number in 0..REPLIES {
        assert!(bench.reply(PEER, &bye(number)));
    }
    // Not even offered, they keep their slots.
    assert!(!bench.reply(PEER, &bye(9)));
    assert_eq!(bench.work().view().dropped_replies(), 1);
    assert_eq!(bench.replies(true).len(), REPLIES);
    assert_eq!(bench.replies(false), []);
    assert!(bench.reply(PEER, &bye(8)) && bench.reply(PEER, &bye(9)));
    assert_eq!(bench.work().view().dropped_replies(), 3);
    bench.work().flow_writable(PEER);
    let sent = bench.replies(false);
    assert_eq!(sent.len(), REPLIES);
    for gone in ["r0", "r1"] {
        assert!(!sent.iter().any(|(_, text)| text.contains(&format!("z9hG4bK{gone}"))));
    }
    assert_eq!(bench.octets.used(), 0);
}

#[test]
fn what_is_blocked_waits_for_its_flow_and_goes_with_it() {
    let mut bench = Bench::new(0);
    assert!(bench.reply(tcp(1), &bye(1)) && bench.reply(tcp(2), &bye(2)));
    assert_eq!(bench.replies(true).len(), 2);
    bench.work().defer_reply(ReplyId::from_bits(99 << 8));
    bench.work().flow_writable(tcp(2));
    assert_eq!(bench.replies(false).len(), 1);
    assert_eq!(bench.fail(tcp(1)), []);
    bench.work().flow_writable(tcp(1));
    assert_eq!((bench.replies(false), bench.octets.used()), (vec![], 0));
    assert_eq!(bench.work().view().dropped_replies(), 1);
}

#[test]
fn one_whose_write_fails_is_dropped_and_counted_and_the_others_go_on() {
    let mut bench = Bench::new(0);
    assert!(bench.reply(tcp(1), &bye(1)) && bench.reply(tcp(1), &bye(2)));
    assert!(bench.work().poll_reply().is_some());
    assert_eq!(bench.fail(tcp(1)), []);
    assert_eq!(bench.work().view().dropped_replies(), 1);
    assert!(bench.reply(tcp(2), &bye(3)));
    assert_eq!((bench.replies(false).len(), bench.octets.used()), (2, 0));
    // One that was sent is none of them.
    assert!(bench.reply(tcp(3), &bye(4)));
    assert_eq!(bench.replies(false).len(), 1);
    assert_eq!((bench.fail(tcp(3)), bench.work().view().dropped_replies()), (vec![], 1));
}

#[test]
fn no_answer_to_a_stranger_takes_what_others_have_reserved() {
    let large = bye(1).replace("2@bob", &"c".repeat(1500));
    for leave in [0, 400, 1000] {
        let mut bench = Bench::new(0);
        bench.work().reserve_replies(512).unwrap();
        bench.octets.reserve(1000).unwrap();
        let filled = bench.fill(1512 + leave);
        // A large one would have to take them.
        assert!(!bench.reply(PEER, &large));
        for round in 0..3 {
            // A small one finds its own reserve, once; then it waits for the socket, and the next is dropped.
            assert!(bench.reply(PEER, &bye(1)), "{round}");
            assert_eq!(bench.replies(round == 2).len(), 1);
        }
        assert_eq!(bench.reply(PEER, &bye(2)), leave > 0);
        _ = bench.replies(true);
        assert!(bench.octets.free() >= 1000 + Pool::<6000>::OVERHEAD - 12);
        bench.octets.open(900);
        bench.octets.keep_reserved(900).unwrap();
        bench.octets.release(filled);
        // What was spent is set aside again.
        bench.work().flow_writable(PEER);
        _ = bench.replies(false);
        assert!(bench.reply(PEER, &bye(3)));
        bench.replies(false);
        let free = bench.octets.free() - 1512 - 6;
        bench.octets.open(free + 1);
        assert!(bench.octets.keep(free + 1).is_err());
    }
}
