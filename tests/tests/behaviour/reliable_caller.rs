//! Reliable provisional responses as the caller receives them: their order in each early dialog, PRACK, forks, late offers.
//!
//! Covers RFC 3262 §4, §5, RFC 6141 §4.2 (the target of a 1xx), RFC 3261 §22 (credentials of a PRACK), §12.2.1.1 (numbers in
//! the early dialog go on after the 2xx), and input that is wrong: RSeq that repeats, falls, leaps or is none. What a callee does is in
//! `reliable_callee.rs`, two of ours under loss in `reliable_calls.rs`.

use sip_core::error::Error;
use sip_core::ua::{Call, Cause, Content, Event, Fork, ReliableProvisional};
use sip_testkit::{ANSWER, Heard, NodeId, OFFER, Phones, Wire};

/// A phone that calls a scripted peer.
struct Calling {
    phones: Phones,
    alice: NodeId,
    wire: Wire,
    call: Call,
    invite: Heard,
}

impl Calling {
    fn new(body: &[u8]) -> Self {
        Self::with(ReliableProvisional::Supported, body)
    }

    fn with(policy: ReliableProvisional, body: &[u8]) -> Self {
        let mut phones = Phones::new(1);
        let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.reliable_provisional = policy);
        phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
        let mut wire = Wire::new("192.0.2.9:5060");
        let content = if body.is_empty() { Content::NONE } else { Content::sdp(body) };
        let call = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &content)).unwrap();
        let invite = wire.expect(&phones, "INVITE");
        Self { phones, alice, wire, call, invite }
    }

    /// Sends a provisional response with these rows beside Contact.
    fn progress(&mut self, tag: &str, rows: &str, body: &[u8]) {
        let rows = format!("{}{rows}", self.wire.contact());
        self.wire.send(&mut self.phones, self.alice, &self.invite.response(183, tag, &rows, body));
    }

    fn reliable(&mut self, tag: &str, rseq: &str, body: &[u8]) {
        self.progress(tag, &format!("Require: 100rel\r\nRSeq: {rseq}\r\n"), body);
    }

    /// Takes the one PRACK that was sent, and accepts it.
    fn expect_prack(&mut self, tag: &str, rseq: u32) -> Heard {
        let prack = self.wire.expect(&self.phones, "PRACK");
        assert_eq!(prack.header("RAck"), format!("{rseq} {} INVITE", self.invite.seq()));
        assert_eq!((prack.to_tag(), prack.uri()), (tag.into(), "sip:wire@192.0.2.9:5060".into()));
        self.wire.respond(&mut self.phones, self.alice, &prack, 200, "");
        prack
    }

    fn progresses(&self) -> usize {
        let is_progress = |event: &&Event| matches!(event, Event::Progress { .. });
        self.phones.events(self.alice).iter().filter(is_progress).count()
    }

    /// The callee accepts; gives the ACK.
    fn accept(&mut self, tag: &str, body: &[u8]) -> Heard {
        self.wire.accept(&mut self.phones, self.alice, &self.invite, tag, body);
        let answered = Some(Event::Answered { call: self.call, answer_due: false });
        assert_eq!(self.phones.last(self.alice), answered);
        self.wire.expect(&self.phones, "ACK")
    }

    /// Our user hangs up; gives the BYE. Nothing is left.
    fn end(mut self) -> Heard {
        self.phones.hang_up(self.alice, self.call);
        let bye = self.wire.expect(&self.phones, "BYE");
        self.wire.respond(&mut self.phones, self.alice, &bye, 200, "");
        self.phones.settle();
        bye
    }
}

#[test]
fn responses_in_order_are_acknowledged_once_and_others_passed_over() {
    for start in [1, 0x7fff_fff0, 0x8000_0000, u32::MAX - 3] {
        let mut calling = Calling::new(OFFER);
        assert_eq!(
            (calling.invite.header("Supported"), calling.invite.header("Require")),
            ("100rel, timer".into(), String::new())
        );
        calling.reliable("one", &start.to_string(), ANSWER);
        let first = calling.expect_prack("one", start);
        assert_eq!((first.seq(), first.body()), (calling.invite.seq() + 1, vec![]));
        // A repetition, lower ones, a gap: nothing is sent and nothing told.
        for other in [start, start.saturating_sub(1).max(1), start + 2, start + 3, 1] {
            calling.reliable("one", &other.to_string(), b"");
            calling.wire.expect_nothing(&calling.phones);
        }
        assert_eq!(calling.progresses(), 1);
        calling.reliable("one", &(start + 1).to_string(), b"");
        assert_eq!(calling.expect_prack("one", start + 1).seq(), first.seq() + 1);
        calling.reliable("one", &(start + 2).to_string(), b"");
        calling.expect_prack("one", start + 2);
        assert_eq!(calling.progresses(), 3);
        // After the final response they are nothing any more.
        let ack = calling.accept("one", b"");
        assert_eq!(ack.seq(), calling.invite.seq());
        calling.reliable("one", &(start + 3).to_string(), b"");
        calling.wire.expect_nothing(&calling.phones);
        // The numbers of the early dialog go on.
        assert_eq!(calling.end().seq(), first.seq() + 3);
    }
}

/// A callee that counts on without an answer to our PRACKs can't have more than one of them at a time.
#[test]
fn one_prack_a_dialog_is_open_at_a_time() {
    for refused in [false, true] {
        let mut calling = Calling::new(OFFER);
        calling.reliable("one", "1", ANSWER);
        let first = calling.wire.expect(&calling.phones, "PRACK");
        for rseq in 2..40 {
            calling.reliable("one", &rseq.to_string(), b"");
            calling.wire.expect_nothing(&calling.phones);
        }
        assert_eq!(calling.progresses(), 1);
        // Another fork is another dialog.
        calling.reliable("two", "7", b"");
        calling.expect_prack("two", 7);
        if refused {
            calling.wire.respond(&mut calling.phones, calling.alice, &first, 481, "");
        } else {
            calling.phones.wait(32_000);
            assert!(calling.kinds_are("PRACK"));
        }
        calling.reliable("one", "2", b"");
        calling.expect_prack("one", 2);
        calling.accept("one", b"");
        calling.end();
    }
}

#[test]
fn nothing_follows_the_last_number() {
    let mut calling = Calling::new(OFFER);
    calling.reliable("one", "4294967295", b"");
    calling.expect_prack("one", u32::MAX);
    for other in ["1", "0", "4294967295", "4294967296"] {
        calling.reliable("one", other, b"");
        calling.wire.expect_nothing(&calling.phones);
    }
    calling.accept("one", ANSWER);
    calling.end();
}

#[test]
fn what_is_no_reliable_response_is_told_and_not_acknowledged() {
    let mut calling = Calling::new(OFFER);
    for (count, rows) in [
        "",
        "RSeq: 7\r\n",
        "Require: 100rel\r\n",
        "Require: 100rel\r\nRSeq: 0\r\n",
        "Require: 100rel\r\nRSeq: 4294967296\r\n",
        "Require: 100rel\r\nRSeq: -1\r\n",
        "Require: 100rel\r\nRSeq: one\r\n",
        "Require: 100rel\r\nRSeq: 1\r\nRSeq: 2\r\n",
        "Require: timer\r\nRSeq: 1\r\n",
        "Supported: 100rel\r\nRSeq: 1\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        calling.progress("one", rows, ANSWER);
        calling.wire.expect_nothing(&calling.phones);
        assert_eq!(calling.progresses(), count + 1, "{rows}");
    }
    // Without a To tag there is no dialog to send a PRACK in.
    calling.reliable("", "1", b"");
    calling.wire.expect_nothing(&calling.phones);
    // The extension that our INVITE did not name is none.
    let mut calling = Calling::with(ReliableProvisional::Off, OFFER);
    assert_eq!(calling.invite.header("Supported"), "timer");
    calling.reliable("one", "1", ANSWER);
    calling.wire.expect_nothing(&calling.phones);
    assert_eq!(calling.progresses(), 1);
    let calling = Calling::with(ReliableProvisional::Required, OFFER);
    assert_eq!(
        (calling.invite.header("Require"), calling.invite.header("Supported")),
        ("100rel".into(), "100rel, timer".into())
    );
}

#[test]
fn each_fork_counts_for_itself() {
    let mut calling = Calling::new(OFFER);
    let mut forks = Vec::new();
    for (tag, rseq) in [("one", 100), ("two", 7), ("three", 100)] {
        calling.reliable(tag, &rseq.to_string(), ANSWER);
        let prack = calling.expect_prack(tag, rseq);
        assert_eq!(prack.seq(), calling.invite.seq() + 1);
        let Some(Event::Progress { fork, .. }) = calling.phones.last(calling.alice) else { panic!("not told") };
        forks.push(fork);
    }
    forks.dedup();
    assert_eq!(forks.len(), 3);
    calling.reliable("two", "8", b"");
    calling.expect_prack("two", 8);
    calling.reliable("one", "8", b"");
    calling.wire.expect_nothing(&calling.phones);
    calling.reliable("three", "101", b"");
    calling.expect_prack("three", 101);
    calling.accept("two", b"");
    for tag in ["one", "two", "three"] {
        calling.reliable(tag, "102", b"");
    }
    calling.wire.expect_nothing(&calling.phones);
    // Of the requests in its dialog there were the INVITE and two PRACKs.
    let last = calling.invite.seq() + 2;
    assert_eq!(calling.end().seq(), last + 1);
}

#[test]
fn a_fork_without_room_is_passed_over_and_its_repetition_taken() {
    let mut calling = Calling::new(OFFER);
    for tag in ["one", "two", "three"] {
        calling.reliable(tag, "1", b"");
        calling.expect_prack(tag, 1);
    }
    // Each call that may still come needs a dialog of its own.
    calling.reliable("four", "1", b"");
    calling.wire.expect_nothing(&calling.phones);
    assert_eq!(calling.progresses(), 3);
    calling.accept("one", ANSWER);
    calling.end();
}

#[test]
fn an_offer_in_a_response_waits_for_our_users_answer() {
    let mut calling = Calling::new(b"");
    calling.reliable("one", "5", OFFER);
    let Some(Event::Progress { call, fork, answer_due: true, .. }) = calling.phones.last(calling.alice) else {
        panic!("not told of the offer")
    };
    // Nothing is acknowledged meanwhile, and nothing told twice.
    for rseq in ["5", "6"] {
        calling.reliable("one", rseq, OFFER);
        calling.wire.expect_nothing(&calling.phones);
    }
    // Another fork makes an offer of its own.
    calling.reliable("two", "5", OFFER);
    let Some(Event::Progress { fork: other, answer_due: true, .. }) = calling.phones.last(calling.alice) else {
        panic!("not told of the other offer")
    };
    assert_eq!(calling.progresses(), 2);
    let content = Content::sdp(ANSWER);
    let answer = |calling: &mut Calling, fork: Fork| {
        calling.phones.act(calling.alice, |phone, now| phone.acknowledge_provisional(now, call, fork, &content))
    };
    assert_eq!(answer(&mut calling, Fork::default()), Err(Error::State));
    for (tag, fork) in [("two", other), ("one", fork)] {
        assert_eq!(answer(&mut calling, fork), Ok(()));
        assert_eq!(calling.expect_prack(tag, 5).body(), ANSWER);
        assert_eq!(answer(&mut calling, fork), Err(Error::State));
    }
    calling.reliable("one", "6", b"");
    calling.expect_prack("one", 6);
    // What the 2xx repeats is no offer (RFC 6337 §2.3).
    let ack = calling.accept("one", OFFER);
    assert_eq!(ack.body(), b"");
    assert_eq!(answer(&mut calling, fork), Err(Error::State));
    calling.end();
}

#[test]
fn a_challenged_prack_goes_out_with_credentials_and_the_next_number() {
    let mut calling = Calling::new(OFFER);
    calling.reliable("one", "9", ANSWER);
    let first = calling.wire.expect(&calling.phones, "PRACK");
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    calling.wire.respond(&mut calling.phones, calling.alice, &first, 407, challenge);
    let second = calling.wire.expect(&calling.phones, "PRACK");
    assert_eq!((second.seq(), second.header("RAck")), (first.seq() + 1, first.header("RAck")));
    assert!(second.header("Proxy-Authorization").contains("nc=00000001"));
    calling.wire.respond(&mut calling.phones, calling.alice, &second, 200, "");
    calling.reliable("one", "10", b"");
    // The next one has them at once.
    let third = calling.expect_prack("one", 10);
    assert!(third.header("Proxy-Authorization").contains("nc=00000002"));
    assert_eq!(third.seq(), second.seq() + 1);
    calling.accept("one", b"");
    calling.end();
}

#[test]
fn a_prack_that_is_refused_or_lost_ends_no_call() {
    for status in [0, 400, 408, 481, 500, 503, 302] {
        let mut calling = Calling::new(OFFER);
        calling.reliable("one", "9", ANSWER);
        let prack = calling.wire.expect(&calling.phones, "PRACK");
        if status > 0 {
            calling.wire.respond(&mut calling.phones, calling.alice, &prack, status, "Contact: <sip:x@192.0.2.9>\r\n");
            calling.wire.expect_nothing(&calling.phones);
        } else {
            calling.phones.wait(32_000);
            assert!(calling.kinds_are("PRACK"));
        }
        assert_eq!(calling.phones.ended(calling.alice), []);
        calling.accept("one", b"");
        calling.end();
    }
}

impl Calling {
    /// Whether all that was sent is of one kind.
    fn kinds_are(&mut self, kind: &str) -> bool {
        self.wire.hear(&self.phones).iter().all(|heard| heard.kind() == kind)
    }
}

#[test]
fn a_challenged_invite_begins_anew() {
    let mut calling = Calling::new(OFFER);
    calling.reliable("one", "9", ANSWER);
    calling.expect_prack("one", 9);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    calling.wire.send(&mut calling.phones, calling.alice, &calling.invite.response(401, "proxy", challenge, b""));
    let heard = calling.wire.expect_all(&calling.phones, &["ACK", "INVITE"]);
    calling.invite = heard[1].clone();
    // Whatever number it begins with, and under the same tag.
    calling.reliable("one", "3", ANSWER);
    calling.expect_prack("one", 3);
    calling.accept("one", b"");
    calling.end();
}

#[test]
fn no_prack_goes_out_for_a_call_that_was_given_up() {
    let mut calling = Calling::new(OFFER);
    calling.reliable("one", "9", b"");
    calling.expect_prack("one", 9);
    calling.phones.hang_up(calling.alice, calling.call);
    let cancel = calling.wire.expect(&calling.phones, "CANCEL");
    calling.reliable("one", "10", b"");
    calling.reliable("two", "1", b"");
    calling.wire.expect_nothing(&calling.phones);
    calling.wire.respond(&mut calling.phones, calling.alice, &cancel, 200, "");
    calling.wire.send(&mut calling.phones, calling.alice, &calling.invite.response(487, "one", "", b""));
    calling.wire.expect(&calling.phones, "ACK");
    assert_eq!(calling.phones.ended(calling.alice), [(Cause::LocalHangup, 487)]);
    calling.phones.settle();
    // Given up before any response: the reliable one is what allows the CANCEL, and no more.
    let mut calling = Calling::new(OFFER);
    calling.phones.hang_up(calling.alice, calling.call);
    calling.reliable("one", "9", b"");
    calling.wire.expect(&calling.phones, "CANCEL");
}

#[test]
fn a_response_moves_the_target_of_its_dialog() {
    let mut calling = Calling::new(OFFER);
    let rows =
        |user: &str, rseq| format!("Contact: <sip:{user}@192.0.2.9:5060>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\n");
    for (number, user) in [(1, "first"), (2, "second")] {
        let response = calling.invite.response(183, "one", &rows(user, number), b"");
        calling.wire.send(&mut calling.phones, calling.alice, &response);
        let prack = calling.wire.expect(&calling.phones, "PRACK");
        assert_eq!(prack.uri(), format!("sip:{user}@192.0.2.9:5060"));
        calling.wire.respond(&mut calling.phones, calling.alice, &prack, 200, "");
    }
    calling.accept("one", ANSWER);
    calling.end();
}

#[test]
fn a_reinvite_of_ours_has_reliable_responses_of_its_own() {
    let mut calling = Calling::new(OFFER);
    calling.reliable("one", "9", ANSWER);
    calling.expect_prack("one", 9);
    calling.accept("one", b"");
    for late in [false, true] {
        let content = if late { Content::NONE } else { Content::sdp(OFFER) };
        calling.phones.act(calling.alice, |phone, now| phone.reinvite(now, calling.call, &content)).unwrap();
        calling.invite = calling.wire.expect(&calling.phones, "INVITE");
        calling.reliable("one", "900", OFFER);
        if late {
            let Some(Event::Progress { call, fork, answer_due: true, .. }) = calling.phones.last(calling.alice) else {
                panic!("not told of the offer")
            };
            calling.wire.expect_nothing(&calling.phones);
            let content = Content::sdp(ANSWER);
            calling
                .phones
                .act(calling.alice, |phone, now| phone.acknowledge_provisional(now, call, fork, &content))
                .unwrap();
        }
        calling.expect_prack("one", 900);
        calling.wire.accept(&mut calling.phones, calling.alice, &calling.invite, "one", ANSWER);
        calling.wire.expect(&calling.phones, "ACK");
        let told = Some(Event::Reinvited { call: calling.call, status: 200, answer_due: false });
        assert_eq!(calling.phones.last(calling.alice), told);
    }
    calling.end();
}
