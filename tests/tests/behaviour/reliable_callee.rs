//! Reliable provisional responses as the callee sends them: RSeq, repetitions, PRACK, and the 2xx that waits.
//!
//! Covers RFC 3262 §3, §5 and §7, RFC 3261 §21.4.16 (421), RFC 6337 §2.2 (an offer in PRACK), and input that is wrong: a PRACK for
//! nothing, a wrong RAck, one that is malformed. What a caller does is in `reliable_caller.rs`.

use sip_core::error::Error;
use sip_core::ua::{Call, Cause, Content, Event, ReliableProvisional};
use sip_testkit::{ANSWER, Heard, Leg, NodeId, OFFER, Phones, Wire};

const SUPPORTED: &str = "Supported: 100rel\r\n";
const REQUIRED: &str = "Require: 100rel\r\n";

/// A phone that has been called by a scripted peer.
struct Called {
    phones: Phones,
    alice: NodeId,
    wire: Wire,
    leg: Leg,
    call: Call,
    invite: Vec<u8>,
    branch: String,
}

impl Called {
    fn new(rows: &str, body: &[u8]) -> Self {
        let mut phones = Phones::new(1);
        let set = |config: &mut sip_core::ua::Config<'_>| {
            config.reliable_provisional = ReliableProvisional::Supported;
            config.methods = "INFO";
        };
        let alice = phones.add_with("alice", "192.0.2.1:5060", set);
        let mut wire = Wire::new("192.0.2.9:5060");
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        leg.seq = 42;
        let branch = wire.branch();
        let invite = wire.request_as(&leg, "INVITE", &branch, &format!("{}{rows}", wire.contact()), body);
        wire.send(&mut phones, alice, &invite);
        let call = phones.incoming(alice);
        Self { phones, alice, wire, leg, call, invite, branch }
    }

    fn ring(&mut self, status: u16, body: &[u8]) -> Result<(), Error> {
        let content = if body.is_empty() { Content::NONE } else { Content::sdp(body) };
        self.phones.act(self.alice, |phone, now| phone.ring(now, self.call, status, &content))
    }

    /// Rings, and takes what the caller is sent.
    fn rings(&mut self, status: u16, body: &[u8]) -> Heard {
        self.ring(status, body).unwrap();
        let heard = self.wire.expect(&self.phones, &status.to_string());
        self.leg.remote = heard.header("To");
        self.leg.target = heard.contact();
        heard
    }

    fn answer(&mut self) -> Result<(), Error> {
        self.phones.act(self.alice, |phone, now| phone.answer(now, self.call, &Content::sdp(ANSWER)))
    }

    fn prack(&mut self, rack: &str, body: &[u8]) {
        let prack = self.wire.request(&mut self.leg, "PRACK", &format!("RAck: {rack}\r\n"), body);
        self.wire.send(&mut self.phones, self.alice, &prack);
    }

    /// Acknowledges a response as it should be.
    fn acknowledge(&mut self, response: &Heard, body: &[u8]) {
        self.prack(&format!("{} 42 INVITE", response.header("RSeq")), body);
    }

    fn ack(&mut self) {
        let mut leg = self.leg.clone();
        leg.seq = 42;
        let branch = self.wire.branch();
        let ack = self.wire.request_as(&leg, "ACK", &branch, "", b"");
        self.wire.send(&mut self.phones, self.alice, &ack);
    }

    /// The ACK to our refusal of the INVITE.
    fn ack_refusal(&mut self) {
        let mut leg = self.leg.clone();
        leg.seq = 42;
        let ack = self.wire.request_as(&leg, "ACK", &self.branch, "", b"");
        self.wire.send(&mut self.phones, self.alice, &ack);
    }

    fn kinds(&mut self) -> String {
        self.wire.kinds(&self.phones)
    }

    fn last(&self) -> Option<Event> {
        self.phones.last(self.alice)
    }

    /// The call is answered, acknowledged and hung up by the caller, and nothing is left.
    fn end(mut self) {
        self.ack();
        assert_eq!(self.last(), Some(Event::Confirmed { call: self.call }));
        let bye = self.wire.request(&mut self.leg, "BYE", "", b"");
        self.wire.send(&mut self.phones, self.alice, &bye);
        self.wire.expect(&self.phones, "200");
        self.phones.settle();
        assert_eq!(self.kinds(), "");
        assert_eq!(self.phones.ended(self.alice), [(Cause::RemoteHangup, 0)]);
    }
}

fn rseq(response: &Heard) -> u32 {
    response.header("RSeq").parse().unwrap()
}

const fn acknowledged(call: Call) -> Option<Event> {
    Some(Event::ProvisionalAcknowledged { call, answer_due: false })
}

#[test]
fn a_response_is_repeated_until_its_prack_and_the_next_has_the_next_rseq() {
    for rows in [SUPPORTED, REQUIRED, "Require: 100REL\r\nSupported: timer\r\n"] {
        let mut called = Called::new(rows, OFFER);
        let start = called.phones.now();
        let first = called.rings(180, b"");
        assert!((1..1 << 31).contains(&rseq(&first)));
        assert_eq!((first.header("Require"), first.header("Supported")), ("100rel".into(), "100rel, timer".into()));
        assert!(first.header("Allow").contains("PRACK"));
        called.phones.wait(4000);
        let repeated = called.wire.hear(&called.phones);
        assert_eq!(repeated.iter().map(|heard| heard.at - start).collect::<Vec<_>>(), [500, 1500, 3500]);
        assert!(repeated.iter().all(|heard| heard.bytes == first.bytes));
        assert_eq!(called.ring(183, ANSWER), Err(Error::State));
        called.acknowledge(&first, b"");
        assert_eq!(called.wire.expect(&called.phones, "200").header("CSeq"), "43 PRACK");
        assert_eq!(called.last(), acknowledged(called.call));
        called.phones.wait(20_000);
        called.wire.expect_nothing(&called.phones);
        let second = called.rings(183, ANSWER);
        assert_eq!(rseq(&second), rseq(&first) + 1);
        called.acknowledge(&second, b"");
        called.answer().unwrap();
        assert_eq!(called.kinds(), "200 200");
        called.end();
    }
}

#[test]
fn without_a_prack_the_invite_is_refused_with_504() {
    for body in [&b""[..], ANSWER] {
        let mut called = Called::new(SUPPORTED, OFFER);
        called.rings(183, body);
        if !body.is_empty() {
            called.answer().unwrap();
        }
        called.phones.wait(31_999);
        let times: Vec<_> = called.wire.hear(&called.phones).iter().map(|heard| heard.at).collect();
        assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500]);
        called.phones.wait(1);
        assert_eq!(called.wire.expect(&called.phones, "504").seq(), 42);
        assert_eq!(called.phones.ended(called.alice), [(Cause::NoAck, 504)]);
        called.ack_refusal();
        called.phones.settle();
    }
}

#[test]
fn a_2xx_waits_for_the_prack_of_a_description_and_no_other() {
    let mut called = Called::new(SUPPORTED, OFFER);
    let ringing = called.rings(183, ANSWER);
    called.answer().unwrap();
    assert_eq!((called.answer(), called.ring(180, b"")), (Err(Error::State), Err(Error::State)));
    called.wire.expect_nothing(&called.phones);
    called.phones.wait(600);
    assert_eq!(called.kinds(), "183");
    called.acknowledge(&ringing, b"");
    let heard = called.wire.expect_all(&called.phones, &["200", "200"]);
    let answer = heard.iter().find(|heard| heard.header("CSeq") == "42 INVITE").expect("the 2xx");
    assert_eq!((answer.body(), answer.header("RSeq")), (ANSWER.to_vec(), String::new()));
    // It is repeated as any 2xx.
    called.phones.wait(600);
    assert_eq!(called.kinds(), "200");
    called.end();
    // The 2xx overtakes a response without a description, whose PRACK is still answered.
    let mut called = Called::new(SUPPORTED, OFFER);
    let ringing = called.rings(180, b"");
    called.answer().unwrap();
    assert_eq!(called.wire.expect(&called.phones, "200").header("CSeq"), "42 INVITE");
    called.acknowledge(&ringing, b"");
    assert_eq!(called.wire.expect(&called.phones, "200").header("CSeq"), "43 PRACK");
    called.phones.wait(600);
    assert_eq!(called.wire.expect(&called.phones, "200").header("CSeq"), "42 INVITE");
    called.end();
}

#[test]
fn a_prack_that_names_nothing_gets_481_and_changes_nothing() {
    let mut called = Called::new(SUPPORTED, OFFER);
    // There is nothing to acknowledge yet; its To tag is a guess.
    called.prack("1 42 INVITE", b"");
    called.wire.expect(&called.phones, "481");
    let ringing = called.rings(183, ANSWER);
    let number = rseq(&ringing);
    for (rack, status) in [
        (format!("{} 42 INVITE", number + 1), "481"),
        (format!("{} 42 INVITE", number - 1), "481"),
        (format!("{number} 41 INVITE"), "481"),
        (format!("{number} 43 INVITE"), "481"),
        (format!("{number} 42 UPDATE"), "481"),
        (format!("{number} 42 invite"), "481"),
        (format!("{} 42 INVITE", u32::MAX), "481"),
        ("0 42 INVITE".into(), "400"),
        ("4294967296 42 INVITE".into(), "400"),
        (format!("{number} 42"), "400"),
        (format!("{number}"), "400"),
        (format!("{number} 42 INVITE, {number} 42 INVITE"), "400"),
        ("-1 42 INVITE".into(), "400"),
        (String::new(), "400"),
    ] {
        called.prack(&rack, b"");
        called.wire.expect(&called.phones, status);
    }
    let bare = called.wire.request(&mut called.leg, "PRACK", "", b"");
    called.wire.send(&mut called.phones, called.alice, &bare);
    called.wire.expect(&called.phones, "400");
    // A stranger's, and one outside of any dialog.
    let mut stranger = called.leg.clone();
    stranger.local.push('x');
    let rack = format!("RAck: {number} 42 INVITE\r\n");
    let prack = called.wire.request(&mut stranger, "PRACK", &rack, b"");
    called.wire.send(&mut called.phones, called.alice, &prack);
    let mut outside = called.wire.leg("sip:alice@192.0.2.1");
    let prack = called.wire.request(&mut outside, "PRACK", &rack, b"");
    called.wire.send(&mut called.phones, called.alice, &prack);
    called.wire.expect_all(&called.phones, &["481", "481"]);
    assert_eq!(called.phones.events(called.alice).len(), 1);
    // The right one, and the same once more under a new branch.
    called.acknowledge(&ringing, b"");
    called.wire.expect(&called.phones, "200");
    called.acknowledge(&ringing, b"");
    called.wire.expect(&called.phones, "481");
    assert_eq!(called.phones.events(called.alice).len(), 2);
    called.answer().unwrap();
    called.wire.expect(&called.phones, "200");
    called.end();
}

#[test]
fn a_repeated_invite_and_a_repeated_prack_disturb_nothing() {
    let mut called = Called::new(SUPPORTED, OFFER);
    let ringing = called.rings(183, ANSWER);
    for _ in 0..3 {
        called.wire.send(&mut called.phones, called.alice, &called.invite.clone());
        assert_eq!(called.wire.expect(&called.phones, "183").bytes, ringing.bytes);
    }
    let rack = format!("RAck: {} 42 INVITE\r\n", ringing.header("RSeq"));
    let prack = called.wire.request(&mut called.leg, "PRACK", &rack, b"");
    for _ in 0..3 {
        called.wire.send(&mut called.phones, called.alice, &prack);
        assert_eq!(called.wire.expect(&called.phones, "200").header("CSeq"), "43 PRACK");
    }
    assert_eq!(called.phones.events(called.alice).len(), 2);
    called.answer().unwrap();
    called.kinds();
    called.end();
}

#[test]
fn cancel_bye_and_refusal_stop_the_repetitions() {
    for (answered, how) in
        [false, true].into_iter().flat_map(|answered| ["CANCEL", "BYE", "refusal"].map(|how| (answered, how)))
    {
        let mut called = Called::new(SUPPORTED, OFFER);
        called.rings(183, ANSWER);
        if answered {
            called.answer().unwrap();
        }
        let expected = match how {
            "CANCEL" => {
                let mut leg = called.leg.clone();
                (leg.seq, leg.target, leg.remote) = (42, "sip:alice@192.0.2.1".into(), "<sip:alice@192.0.2.1>".into());
                let cancel = called.wire.request_as(&leg, "CANCEL", &called.branch, "", b"");
                called.wire.send(&mut called.phones, called.alice, &cancel);
                (Cause::Cancelled, 487)
            }
            "BYE" => {
                let bye = called.wire.request(&mut called.leg, "BYE", "", b"");
                called.wire.send(&mut called.phones, called.alice, &bye);
                (Cause::RemoteHangup, 0)
            }
            _ => {
                let call = called.call;
                called.phones.act(called.alice, |phone, now| phone.reject(now, call, 486, &Content::NONE)).unwrap();
                (Cause::Declined, 486)
            }
        };
        let kinds = called.kinds();
        assert!(!kinds.contains("183") && (kinds.contains("487") || kinds.contains("486")), "{how}: {kinds}");
        assert_eq!(called.phones.ended(called.alice), [expected]);
        called.ack_refusal();
        called.phones.settle();
        assert_eq!(called.kinds(), "", "{how}");
    }
}

#[test]
fn a_late_offer_in_a_response_has_its_answer_in_the_prack() {
    let mut called = Called::new(SUPPORTED, b"");
    let ringing = called.rings(183, OFFER);
    called.acknowledge(&ringing, ANSWER);
    called.wire.expect(&called.phones, "200");
    assert_eq!(called.last(), acknowledged(called.call));
    let content = Content::NONE;
    called.phones.act(called.alice, |phone, now| phone.answer(now, called.call, &content)).unwrap();
    called.wire.expect(&called.phones, "200");
    called.end();
}

#[test]
fn an_offer_in_a_prack_is_answered_in_its_200_and_the_2xx_waits_for_that() {
    for held in [false, true] {
        let mut called = Called::new(SUPPORTED, OFFER);
        let ringing = called.rings(183, ANSWER);
        if held {
            called.answer().unwrap();
        }
        called.acknowledge(&ringing, OFFER);
        assert_eq!(called.last(), Some(Event::ProvisionalAcknowledged { call: called.call, answer_due: true }));
        called.wire.expect_nothing(&called.phones);
        assert_eq!(called.answer(), if held { Err(Error::State) } else { Ok(()) });
        called.wire.expect_nothing(&called.phones);
        let (call, content) = (called.call, Content::sdp(ANSWER));
        called.phones.act(called.alice, |phone, now| phone.answer_offer(now, call, 200, &content)).unwrap();
        let heard = called.wire.expect_all(&called.phones, &["200", "200"]);
        assert_eq!((heard[0].header("CSeq"), heard[0].body()), ("43 PRACK".into(), ANSWER.to_vec()));
        assert_eq!(heard[1].header("CSeq"), "42 INVITE");
        let again = called.phones.act(called.alice, |phone, now| phone.answer_offer(now, call, 200, &content));
        assert_eq!(again, Err(Error::State));
        called.end();
    }
}

#[test]
fn a_call_that_ends_answers_the_offer_that_waits() {
    let mut called = Called::new(SUPPORTED, OFFER);
    let ringing = called.rings(183, ANSWER);
    called.acknowledge(&ringing, OFFER);
    let bye = called.wire.request(&mut called.leg, "BYE", "", b"");
    called.wire.send(&mut called.phones, called.alice, &bye);
    let heard = called.wire.hear(&called.phones);
    let mut seen: Vec<_> = heard.iter().map(|heard| (heard.kind(), heard.header("CSeq"))).collect();
    seen.sort();
    assert_eq!(
        seen,
        [("200".into(), "44 BYE".into()), ("487".into(), "42 INVITE".into()), ("487".into(), "43 PRACK".into())]
    );
    called.ack_refusal();
    called.phones.settle();
}

#[test]
fn a_callee_that_rings_long_says_so_reliably() {
    let mut called = Called::new(SUPPORTED, OFFER);
    let first = called.rings(183, ANSWER);
    called.acknowledge(&first, b"");
    called.kinds();
    called.phones.wait(149_999);
    called.wire.expect_nothing(&called.phones);
    called.phones.wait(1);
    let second = called.wire.expect(&called.phones, "183");
    assert_eq!((rseq(&second), second.body()), (rseq(&first) + 1, vec![]));
    called.acknowledge(&second, b"");
    called.answer().unwrap();
    called.kinds();
    called.end();
}

#[test]
fn a_reinvite_has_reliable_responses_of_its_own() {
    let mut called = Called::new(SUPPORTED, OFFER);
    let ringing = called.rings(183, ANSWER);
    called.acknowledge(&ringing, b"");
    called.answer().unwrap();
    called.ack();
    called.kinds();
    for answered in [true, false] {
        let rows = format!("{}{SUPPORTED}", called.wire.contact());
        let reinvite = called.wire.request(&mut called.leg, "INVITE", &rows, OFFER);
        let seq = called.leg.seq;
        called.wire.send(&mut called.phones, called.alice, &reinvite);
        let progress = called.rings(183, ANSWER);
        // The number of the INVITE before is none of this one.
        called.prack(&format!("{} 42 INVITE", progress.header("RSeq")), b"");
        called.wire.expect(&called.phones, "481");
        if answered {
            called.answer().unwrap();
            called.prack(&format!("{} {seq} INVITE", progress.header("RSeq")), b"");
            called.wire.expect_all(&called.phones, &["200", "200"]);
            let mut leg = called.leg.clone();
            leg.seq = seq;
            let branch = called.wire.branch();
            let ack = called.wire.request_as(&leg, "ACK", &branch, "", b"");
            called.wire.send(&mut called.phones, called.alice, &ack);
            assert_eq!(called.last(), Some(Event::Confirmed { call: called.call }));
        } else {
            called.answer().unwrap();
            called.phones.wait(32_000);
            // Nobody acknowledged: the session stays as it was.
            assert!(called.kinds().ends_with("183 504"));
            assert_eq!(called.phones.ended(called.alice), []);
        }
    }
    let bye = called.wire.request(&mut called.leg, "BYE", "", b"");
    called.wire.send(&mut called.phones, called.alice, &bye);
    called.phones.settle();
}

#[test]
fn the_policy_decides_what_a_caller_gets() {
    use ReliableProvisional::{Off, Required, Supported};
    for (policy, rows, expected) in [
        (Off, "", "180 plain"),
        (Off, SUPPORTED, "180 plain"),
        (Off, REQUIRED, "420"),
        (Supported, "", "180 plain"),
        (Supported, SUPPORTED, "180 reliable"),
        (Supported, REQUIRED, "180 reliable"),
        (Required, "", "421"),
        (Required, "Supported: timer\r\n", "421"),
        (Required, SUPPORTED, "180 reliable"),
        (Required, REQUIRED, "180 reliable"),
    ] {
        let mut phones = Phones::new(1);
        let alice = phones.add_with("alice", "192.0.2.1:5060", |config| {
            config.reliable_provisional = policy;
            config.supported = "timer";
        });
        let mut wire = Wire::new("192.0.2.9:5060");
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let invite = wire.request(&mut leg, "INVITE", &format!("{}{rows}", wire.contact()), OFFER);
        wire.send(&mut phones, alice, &invite);
        let supported = if policy == Off { "timer" } else { "100rel, timer" };
        match expected {
            "420" => assert_eq!(wire.expect(&phones, "420").header("Unsupported"), "100rel"),
            "421" => assert_eq!(wire.expect(&phones, "421").header("Require"), "100rel"),
            _ => {
                let call = phones.incoming(alice);
                phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
                let ringing = wire.expect(&phones, "180");
                assert_eq!(ringing.header("Require") == "100rel", expected == "180 reliable", "{policy:?} {rows}");
                phones.answer(alice, call);
                assert_eq!(wire.expect(&phones, "200").header("Supported"), supported);
            }
        }
        let mut other = wire.leg("sip:alice@192.0.2.1");
        let options = wire.request(&mut other, "OPTIONS", "", b"");
        wire.send(&mut phones, alice, &options);
        let described = wire.expect(&phones, "200");
        assert_eq!(
            (described.header("Allow").contains("PRACK"), described.header("Supported")),
            (policy != Off, supported.into())
        );
    }
}
