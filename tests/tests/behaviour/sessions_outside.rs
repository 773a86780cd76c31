//! Sessions that are negotiated outside of INVITE, 2xx and ACK: in reliable 1xx, in PRACK and in UPDATE.
//!
//! Covers RFC 3262 §5, RFC 3311 §5, RFC 6337 Table 1 rows 3 to 6, and what becomes of a bad description in each place.

use crate::negotiators::{Act, Room, act, assert_agreed, ended, room_with, settle};
use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::{Codec, State};
use sip_core::ua::{Cause, Event, ReliableProvisional, SessionError};
use sip_testkit::{Config, NodeId, Wire};

fn two() -> (Room, NodeId, NodeId) {
    let config = Config::new(1).with_ladder(2000).with_check();
    let (room, nodes) = room_with(config, &["alice", "bob"], ReliableProvisional::Supported);
    (room, nodes[0], nodes[1])
}

fn call(offers: bool) -> Act {
    Act::Call("sip:bob@192.0.2.2".into(), offers)
}

fn faultless(room: &mut Room, nodes: &[NodeId]) {
    for node in nodes {
        let errors = room.user_mut().at(*node).errors.clone();
        assert!(errors.is_empty(), "{errors:?}\n{}", room.explain());
    }
}

/// How many messages with a description each phone has sent.
fn descriptions(room: &Room) -> [usize; 2] {
    ["192.0.2.1:5060", "192.0.2.2:5060"].map(|from| {
        let sent = room.ladder().datagrams().filter(|sent| sent.from.to_string() == from);
        sent.filter(|sent| sent.bytes.windows(5).any(|part| part == b"\r\nv=0")).count()
    })
}

/// The answer, or our offer, is in the reliable 183, and the 200 has nothing to add.
#[test]
fn a_session_is_agreed_while_it_rings() {
    for offers in [true, false] {
        let (mut room, alice, bob) = two();
        act(&mut room, alice, call(offers));
        act(&mut room, bob, Act::Preview);
        room.run_for(sip_core::time::Duration::from_millis(100));
        if offers {
            // Bob agreed with the PRACK: what he had shown holds.
            let shown = room.user_mut().at(bob).shown.last().copied();
            room.user_mut().at(bob).agreed = shown;
        }
        assert_agreed(&mut room, alice, bob);
        for node in [alice, bob] {
            let of = room.user_mut().at(node).call.unwrap();
            let negotiation = *room.role(node).negotiation(of).unwrap();
            assert_eq!((negotiation.state(), negotiation.is_agreed()), (State::Stable, true), "{}", room.explain());
        }
        act(&mut room, bob, Act::Answer);
        assert_eq!(descriptions(&room), [1, 1], "{}", room.explain());
        faultless(&mut room, &[alice, bob]);
        // What was agreed early can be changed.
        act(&mut room, alice, Act::Direct(Direction::SendOnly));
        assert_agreed(&mut room, alice, bob);
        act(&mut room, alice, Act::HangUp);
        settle(&mut room);
    }
}

/// The 200 is asked for before the PRACK has come: it waits, and is agreed upon once it goes out.
#[test]
fn an_answer_that_waits_for_its_prack_is_the_answer() {
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(true));
    let now = room.now();
    for what in [Act::Preview, Act::Answer] {
        room.user_mut().plan(now, bob, what);
    }
    room.run_for(sip_core::time::Duration::from_millis(300));
    assert_agreed(&mut room, alice, bob);
    let of = room.user_mut().at(bob).call.unwrap();
    assert_eq!(room.role(bob).negotiation(of).unwrap().state(), State::Stable);
    act(&mut room, bob, Act::HangUp);
    settle(&mut room);
    faultless(&mut room, &[alice, bob]);
}

#[test]
fn an_update_changes_the_session_before_the_answer_and_after() {
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(true));
    act(&mut room, bob, Act::Preview);
    let shown = room.user_mut().at(bob).shown.last().copied();
    room.user_mut().at(bob).agreed = shown;
    for answered in [false, true] {
        for (node, wants) in [
            (alice, Direction::SendOnly),
            (bob, Direction::SendOnly),
            (alice, Direction::SendRecv),
            (bob, Direction::SendRecv),
        ] {
            act(&mut room, node, Act::Shift(wants));
            assert_agreed(&mut room, alice, bob);
        }
        if !answered {
            act(&mut room, bob, Act::Answer);
        }
    }
    faultless(&mut room, &[alice, bob]);
    act(&mut room, bob, Act::HangUp);
    settle(&mut room);
    assert_eq!(ended(&mut room, alice), [(Cause::RemoteHangup, 0)]);
}

/// An UPDATE that can't be taken is refused, and both ends stay with what they had.
#[test]
fn a_refused_update_leaves_the_session() {
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(true));
    act(&mut room, bob, Act::Answer);
    let before = room.user_mut().at(bob).agreed;
    let codecs = core::mem::replace(&mut room.user_mut().at(alice).codecs, vec![Codec::OPUS]);
    act(&mut room, alice, Act::Shift(Direction::SendRecv));
    let refused = room.user_mut().at(bob).errors.pop();
    assert!(matches!(refused, Some(SessionError::Refused(_))), "{refused:?}");
    assert!(room.user_mut().at(alice).events.iter().any(|event| matches!(event, Event::Updated { status: 488, .. })));
    room.user_mut().at(alice).codecs = codecs;
    assert_eq!(room.user_mut().at(bob).agreed, before);
    for node in [alice, bob] {
        let of = room.user_mut().at(node).call.unwrap();
        assert_eq!(room.role(node).negotiation(of).unwrap().state(), State::Stable);
    }
    act(&mut room, alice, Act::Shift(Direction::SendOnly));
    assert_agreed(&mut room, alice, bob);
    act(&mut room, alice, Act::HangUp);
    settle(&mut room);
}

/// Both offer at once by UPDATE: each meets a 491 and goes out once more, and both end with one session.
#[test]
fn crossing_updates_end_in_one_session() {
    for seed in 0..20 {
        let config = Config::new(seed).with_ladder(2000).with_check();
        let (mut room, nodes) = room_with(config, &["alice", "bob"], ReliableProvisional::Supported);
        let (alice, bob) = (nodes[0], nodes[1]);
        act(&mut room, alice, call(true));
        act(&mut room, bob, Act::Answer);
        let now = room.now();
        room.user_mut().plan(now, alice, Act::Shift(Direction::SendOnly));
        room.user_mut().plan(now, bob, Act::Shift(Direction::SendOnly));
        room.run_for(sip_core::time::Duration::from_secs(10));
        assert_agreed(&mut room, alice, bob);
        act(&mut room, alice, Act::HangUp);
        settle(&mut room);
    }
}

const BAD: &[u8] = b"v=0\r\nthis is no description\r\n";
const GOOD: &[u8] =
    b"v=0\r\no=- 9 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";
const OTHER: &[u8] =
    b"v=0\r\no=- 9 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4444 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";

/// A phone whose INVITE has come to the wire.
fn calling(offers: bool) -> (Room, NodeId, Wire, sip_testkit::Heard) {
    let config = Config::new(1).with_ladder(2000).with_check();
    let (mut room, nodes) = room_with(config, &["alice"], ReliableProvisional::Supported);
    let mut wire = Wire::new("192.0.2.9:5060");
    act(&mut room, nodes[0], Act::Call("sip:wire@192.0.2.9".into(), offers));
    let invite = wire.expect(&room, "INVITE");
    (room, nodes[0], wire, invite)
}

fn reliable(wire: &Wire, rseq: u32) -> String {
    format!("{}Require: 100rel\r\nRSeq: {rseq}\r\nContent-Type: application/sdp\r\n", wire.contact())
}

/// CVE-2021-21375 with reliable responses: a bad answer is told, a good one follows, and the 2xx says nothing any more.
#[test]
fn a_bad_answer_in_a_183_may_be_followed_by_a_good_one() {
    let (mut room, alice, mut wire, invite) = calling(true);
    for (rseq, body) in [(1, BAD), (2, GOOD)] {
        let ringing = invite.response(183, "w", &reliable(&wire, rseq), body);
        wire.send(&mut room, alice, &ringing);
        let prack = wire.expect(&room, "PRACK");
        wire.send(&mut room, alice, &prack.response(200, "", "", b""));
    }
    assert_eq!(room.user_mut().at(alice).errors.len(), 1);
    let port = |room: &mut Room| {
        let agreed = room.user_mut().at(alice).agreed.expect("a session");
        agreed.media(0).expect("a stream").remote.expect("an address").port()
    };
    assert_eq!(port(&mut room), 4002);
    // What a 2xx describes behind a reliable answer is ignored (RFC 3262 §5, RFC 6337 §2.3).
    let rows = format!("{}Content-Type: application/sdp\r\n", wire.contact());
    wire.send(&mut room, alice, &invite.response(200, "w", &rows, OTHER));
    assert_eq!(port(&mut room), 4002);
    wire.expect(&room, "ACK");
    act(&mut room, alice, Act::HangUp);
    let bye = wire.expect(&room, "BYE");
    wire.send(&mut room, alice, &bye.response(200, "", "", b""));
    settle(&mut room);
}

/// An offer in a reliable 1xx can't be refused: where nothing of it can be taken the call is given up.
#[test]
fn an_offer_in_a_183_that_can_not_be_taken_ends_the_call() {
    for body in
        [BAD, b"v=0\r\no=- 9 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 18\r\n"]
    {
        let (mut room, alice, mut wire, invite) = calling(false);
        wire.send(&mut room, alice, &invite.response(183, "w", &reliable(&wire, 1), body));
        let cancel = wire.expect(&room, "CANCEL");
        wire.send(&mut room, alice, &cancel.response(200, "w", "", b""));
        wire.send(&mut room, alice, &invite.response(487, "w", "", b""));
        assert_eq!(ended(&mut room, alice), [(Cause::NotAcceptable, 487)]);
        wire.expect(&room, "ACK");
        settle(&mut room);
    }
}
