//! Sessions that the user agent negotiates: each place of an offer and an answer, hold and resume, and what does not fit.
//!
//! Covers RFC 3264 §4 to §8, RFC 3261 §13.2.1, §13.2.2.4, §13.3.1.3, §14.1, §14.2, RFC 6337 §2.1 without reliable provisional
//! responses, PRACK and UPDATE, its §3.1.1, §3.4 and §5.3, and field note CVE-2021-21375. What a description says is tested in the core
//! (`sdp/offer_answer/tests`); loss and crossing in `session_races.rs`.

use crate::negotiators::{Act, Room, act, assert_agreed, ended, plan, room, settle};
use sip_core::error::Error;
use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::{Codec, Refusal, State, Warning};
use sip_core::time::Duration;
use sip_core::ua::{Cause, Content, Event, SessionError};
use sip_testkit::{Config, NodeId, Wire};

fn two() -> (Room, NodeId, NodeId) {
    let (room, nodes) = room(Config::new(1).with_ladder(2000).with_check(), &["alice", "bob"]);
    (room, nodes[0], nodes[1])
}

fn call(offers: bool) -> Act {
    Act::Call("sip:bob@192.0.2.2".into(), offers)
}

/// Two phones in a call that Alice made.
fn talking(offers: bool) -> (Room, NodeId, NodeId) {
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(offers));
    act(&mut room, bob, Act::Answer);
    assert_agreed(&mut room, alice, bob);
    (room, alice, bob)
}

fn end(room: &mut Room, node: NodeId) {
    act(room, node, Act::HangUp);
    settle(room);
}

/// Alice ends a call with the wire.
fn hang_up(room: &mut Room, alice: NodeId, wire: &mut Wire) {
    act(room, alice, Act::HangUp);
    let bye = wire.expect(room, "BYE");
    wire.send(room, alice, &bye.response(200, "", "", b""));
    settle(room);
}

fn direction(room: &mut Room, node: NodeId) -> Direction {
    room.user_mut().at(node).agreed.expect("a session").media(0).expect("a stream").direction
}

#[test]
fn the_offer_is_in_the_invite_or_in_the_200() {
    for offers in [true, false] {
        let (mut room, alice, bob) = talking(offers);
        for node in [alice, bob] {
            let party = room.user_mut().at(node);
            assert!(party.errors.is_empty(), "{:?}", party.errors);
            let call = party.call.unwrap();
            let negotiation = *room.role(node).negotiation(call).unwrap();
            assert_eq!((negotiation.state(), negotiation.is_agreed(), negotiation.version()), (State::Stable, true, 1));
        }
        end(&mut room, bob);
        assert_eq!(ended(&mut room, alice), [(Cause::RemoteHangup, 0)]);
    }
}

#[test]
fn hold_and_resume_from_either_side_and_from_both() {
    for offers in [true, false] {
        let (mut room, alice, bob) = talking(offers);
        for (node, wants, at_alice, at_bob) in [
            (alice, Direction::SendOnly, Direction::SendOnly, Direction::RecvOnly),
            (bob, Direction::SendOnly, Direction::Inactive, Direction::Inactive),
            (alice, Direction::SendRecv, Direction::RecvOnly, Direction::SendOnly),
            (bob, Direction::SendRecv, Direction::SendRecv, Direction::SendRecv),
            (bob, Direction::Inactive, Direction::Inactive, Direction::Inactive),
            (bob, Direction::SendRecv, Direction::SendRecv, Direction::SendRecv),
        ] {
            act(&mut room, node, Act::Direct(wants));
            assert_agreed(&mut room, alice, bob);
            assert_eq!((direction(&mut room, alice), direction(&mut room, bob)), (at_alice, at_bob));
        }
        assert!(room.user_mut().at(alice).errors.is_empty());
        end(&mut room, alice);
    }
}

#[test]
fn the_version_rises_with_a_change_and_only_then() {
    let (mut room, alice, bob) = talking(true);
    let version = |room: &mut Room, node| {
        let call = room.user_mut().at(node).call.unwrap();
        room.role(node).negotiation(call).unwrap().version()
    };
    for (wants, expected) in [
        (Direction::SendRecv, (1, 1)),
        (Direction::SendOnly, (2, 2)),
        (Direction::SendOnly, (2, 2)),
        (Direction::SendRecv, (3, 3)),
    ] {
        act(&mut room, alice, Act::Direct(wants));
        assert_eq!((version(&mut room, alice), version(&mut room, bob)), expected, "{wants:?}");
    }
    end(&mut room, alice);
}

#[test]
fn a_re_invite_without_an_offer_draws_one_from_either_side() {
    let (mut room, alice, bob) = talking(true);
    for (node, other) in [(alice, bob), (bob, alice)] {
        room.user_mut().at(other).direction = Direction::SendOnly;
        act(&mut room, node, Act::AskForOffer);
        assert_agreed(&mut room, alice, bob);
        assert_eq!(direction(&mut room, node), if node == alice { Direction::RecvOnly } else { Direction::Inactive });
    }
    end(&mut room, alice);
}

#[test]
fn a_phone_that_rings_for_long_keeps_the_offer_and_gives_it_back_however_the_call_ends() {
    for (how, cause) in [
        (None, Cause::NoAnswer),
        (Some((0, Act::HangUp)), Cause::Cancelled),
        (Some((1, Act::Reject)), Cause::Declined),
        (Some((1, Act::HangUp)), Cause::Declined),
    ] {
        let (mut room, alice, bob) = two();
        let before = room.role(bob).occupancy().octets;
        act(&mut room, alice, call(true));
        act(&mut room, bob, Act::Preview);
        room.run_for(Duration::from_secs(30));
        if let Some((who, what)) = how {
            act(&mut room, [alice, bob][who], what);
        }
        settle(&mut room);
        assert_eq!(ended(&mut room, bob)[0].0, cause);
        assert_eq!(room.role(bob).occupancy().octets, before);
    }
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(true));
    room.run_for(Duration::from_secs(30));
    act(&mut room, bob, Act::Answer);
    assert_agreed(&mut room, alice, bob);
    end(&mut room, bob);
}

#[test]
fn a_183_shows_the_answer_and_the_200_repeats_it() {
    let (mut room, alice, bob) = two();
    act(&mut room, alice, call(true));
    act(&mut room, bob, Act::Preview);
    let early = room.user_mut().at(alice).shown[0];
    assert_eq!(early.media(0).unwrap().codec.send, 8);
    act(&mut room, bob, Act::Answer);
    assert_agreed(&mut room, alice, bob);
    assert_eq!(room.user_mut().at(alice).agreed, Some(early));
    let call = room.user_mut().at(bob).call.unwrap();
    assert_eq!(room.role(bob).negotiation(call).unwrap().version(), 1);
    end(&mut room, alice);
}

#[test]
fn an_offer_that_cannot_be_taken_is_refused_with_a_warning() {
    let (mut room, alice, bob) = two();
    room.user_mut().at(alice).codecs = vec![Codec::OPUS];
    act(&mut room, alice, call(true));
    settle(&mut room);
    assert_eq!(ended(&mut room, alice), [(Cause::Rejected, 488)]);
    assert_eq!(ended(&mut room, bob), [(Cause::NotAcceptable, 488)]);
    let refused = SessionError::Refused(Refusal::NotAcceptable(Warning::MediaFormat));
    assert_eq!(room.user_mut().at(bob).errors, [refused]);
    assert!(room.explain().contains("488"));
}

#[test]
fn a_refused_change_leaves_the_session_as_it_was() {
    let (mut room, alice, bob) = talking(true);
    let before = room.user_mut().at(bob).agreed;
    act(&mut room, alice, Act::Codecs(vec![Codec::OPUS]));
    let refused = SessionError::Refused(Refusal::NotAcceptable(Warning::MediaFormat));
    assert_eq!(room.user_mut().at(bob).errors, [refused]);
    assert_eq!(room.user_mut().at(bob).agreed, before);
    assert!(matches!(room.user_mut().at(alice).events.last(), Some(Event::Reinvited { status: 488, .. })));
    room.user_mut().at(alice).codecs = vec![Codec::PCMU, Codec::PCMA];
    act(&mut room, bob, Act::Direct(Direction::SendOnly));
    act(&mut room, alice, Act::Direct(Direction::SendRecv));
    room.user_mut().at(alice).agreed.expect("a session");
    assert_eq!(direction(&mut room, alice), Direction::RecvOnly);
    end(&mut room, alice);
}

#[test]
fn both_hold_at_once_and_both_are_held() {
    for seed in 0..40 {
        let config = Config::new(seed).with_ladder(2000).with_faults(sip_testkit::Faults::LINE);
        let (mut room, nodes) = room(config, &["alice", "bob"]);
        let (alice, bob) = (nodes[0], nodes[1]);
        act(&mut room, alice, call(true));
        act(&mut room, bob, Act::Answer);
        plan(&mut room, 0, alice, Act::Direct(Direction::SendOnly));
        plan(&mut room, seed % 12, bob, Act::Direct(Direction::SendOnly));
        room.run_for(Duration::from_secs(10));
        assert_agreed(&mut room, alice, bob);
        assert_eq!(direction(&mut room, alice), Direction::Inactive, "{}", room.explain());
        end(&mut room, alice);
    }
}

#[test]
fn a_change_while_one_is_under_way_has_to_wait() {
    let (mut room, alice, bob) = talking(true);
    plan(&mut room, 0, alice, Act::Direct(Direction::SendOnly));
    plan(&mut room, 0, alice, Act::Direct(Direction::SendRecv));
    room.run_for(Duration::from_millis(100));
    assert_eq!(room.user_mut().at(alice).errors, [SessionError::Refused(Refusal::LocalOfferPending)]);
    // Its user tries again when the first is through.
    assert_eq!(direction(&mut room, bob), Direction::SendRecv);
    end(&mut room, bob);
}

/// A phone that has called the scripted peer.
fn scripted() -> (Room, NodeId, Wire) {
    let (mut room, nodes) = room(Config::new(3).with_ladder(2000).with_check(), &["alice"]);
    act(&mut room, nodes[0], Act::Call("sip:wire@192.0.2.9".into(), true));
    (room, nodes[0], Wire::new("192.0.2.9:5060"))
}

const GOOD: &[u8] =
    b"v=0\r\no=- 9 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8\r\n";
const BAD: &[u8] =
    b"v=0\r\no=- 9 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 3\r\n";

#[test]
fn a_bad_183_is_passed_over_and_a_good_one_taken() {
    let (mut room, alice, mut wire) = scripted();
    let invite = wire.expect(&room, "INVITE");
    let rows = wire.contact();
    wire.send(&mut room, alice, &invite.response(183, "wire", &rows, BAD));
    wire.send(&mut room, alice, &invite.response(183, "wire", &rows, GOOD));
    let party = room.user_mut().at(alice);
    assert_eq!(party.errors, [SessionError::Refused(Refusal::Mismatch)]);
    assert_eq!(party.shown.len(), 1);
    // The 200 has no answer: what the 183 has shown holds.
    wire.send(&mut room, alice, &invite.response(200, "wire", &rows, b""));
    wire.expect(&room, "ACK");
    let call = room.user_mut().at(alice).call.unwrap();
    assert!(room.role(alice).negotiation(call).unwrap().is_agreed());
    hang_up(&mut room, alice, &mut wire);
}

#[test]
fn a_200_whose_answer_is_none_is_acknowledged_and_ended() {
    for body in [BAD, b"v=0\r\n", b""] {
        let (mut room, alice, mut wire) = scripted();
        let invite = wire.expect(&room, "INVITE");
        wire.accept(&mut room, alice, &invite, "wire", body);
        let heard = wire.expect_all(&room, &["ACK", "BYE"]);
        assert_eq!(heard[1].header("Reason"), "SIP;cause=488;text=\"Session description not acceptable\"");
        wire.send(&mut room, alice, &heard[1].response(200, "", "", b""));
        settle(&mut room);
        assert_eq!(ended(&mut room, alice), [(Cause::NotAcceptable, 0)]);
    }
}

#[test]
fn each_fork_answers_the_offer_for_itself() {
    let (mut room, alice, mut wire) = scripted();
    let invite = wire.expect(&room, "INVITE");
    let rows = wire.contact();
    let other = String::from_utf8(GOOD.to_vec()).unwrap().replace("RTP/AVP 8", "RTP/AVP 0");
    wire.send(&mut room, alice, &invite.response(183, "one", &rows, GOOD));
    wire.send(&mut room, alice, &invite.response(183, "two", &rows, other.as_bytes()));
    wire.send(&mut room, alice, &invite.response(183, "three", &rows, BAD));
    let codecs: Vec<u8> =
        room.user_mut().at(alice).shown.iter().map(|agreed| agreed.media(0).unwrap().codec.send).collect();
    assert_eq!(codecs, [8, 0]);
    // A fourth, of which nothing was heard before, answers; what the others have shown is not its answer.
    let late = String::from_utf8(other.into_bytes()).unwrap().replace("o=- 9", "o=- 10");
    wire.accept(&mut room, alice, &invite, "four", late.as_bytes());
    assert_eq!(room.user_mut().at(alice).agreed.unwrap().media(0).unwrap().codec.send, 0);
    let ack = wire.expect(&room, "ACK");
    assert_eq!(ack.to_tag(), "four");
    hang_up(&mut room, alice, &mut wire);
}

#[test]
fn a_fork_without_an_answer_has_nothing_of_what_another_has_shown() {
    let (mut room, alice, mut wire) = scripted();
    let invite = wire.expect(&room, "INVITE");
    let rows = wire.contact();
    wire.send(&mut room, alice, &invite.response(183, "one", &rows, GOOD));
    wire.accept(&mut room, alice, &invite, "two", b"");
    let heard = wire.expect_all(&room, &["ACK", "BYE"]);
    wire.send(&mut room, alice, &heard[1].response(200, "", "", b""));
    settle(&mut room);
    assert_eq!(ended(&mut room, alice), [(Cause::NotAcceptable, 0)]);
}

#[test]
fn a_challenged_invite_has_the_same_offer() {
    let (mut room, nodes) = room(Config::new(4).with_ladder(2000).with_check(), &["alice"]);
    let (alice, mut wire) = (nodes[0], Wire::new("192.0.2.9:5060"));
    room.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
    act(&mut room, alice, Act::Call("sip:wire@192.0.2.9".into(), true));
    let first = wire.expect(&room, "INVITE");
    let rows = wire.contact();
    wire.send(&mut room, alice, &first.response(183, "one", &rows, GOOD));
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    wire.send(&mut room, alice, &first.response(401, "one", challenge, b""));
    let heard = wire.expect_all(&room, &["ACK", "INVITE"]);
    assert_eq!(heard[1].body(), first.body());
    wire.accept(&mut room, alice, &heard[1], "one", GOOD);
    wire.expect(&room, "ACK");
    assert!(room.user_mut().at(alice).agreed.is_some());
    hang_up(&mut room, alice, &mut wire);
}

#[test]
fn after_a_491_the_same_version_goes_out_again() {
    let (mut room, alice, mut wire) = scripted();
    let invite = wire.expect(&room, "INVITE");
    wire.accept(&mut room, alice, &invite, "wire", GOOD);
    wire.expect(&room, "ACK");
    act(&mut room, alice, Act::Direct(Direction::SendOnly));
    let first = wire.expect(&room, "INVITE");
    wire.send(&mut room, alice, &first.response(491, "", "", b""));
    wire.expect(&room, "ACK");
    room.run_until(Duration::from_secs(5), |room| room.stats().sent == 5);
    let again = wire.expect(&room, "INVITE");
    assert_eq!(again.body(), first.body());
    let held = String::from_utf8(GOOD.to_vec()).unwrap() + "a=recvonly\r\n";
    wire.accept(&mut room, alice, &again, "", held.as_bytes());
    wire.expect(&room, "ACK");
    assert_eq!(direction(&mut room, alice), Direction::SendOnly);
    hang_up(&mut room, alice, &mut wire);
}

#[test]
fn the_peers_change_that_comes_before_ours_goes_out_again_voids_ours() {
    let (mut room, alice, mut wire) = scripted();
    let invite = wire.expect(&room, "INVITE");
    wire.accept(&mut room, alice, &invite, "wire", GOOD);
    wire.expect(&room, "ACK");
    act(&mut room, alice, Act::Direct(Direction::SendOnly));
    let first = wire.expect(&room, "INVITE");
    wire.send(&mut room, alice, &first.response(491, "", "", b""));
    wire.expect(&room, "ACK");
    let mut leg = wire.leg_of(&invite, "wire");
    let rows = wire.contact();
    let moved = String::from_utf8(GOOD.to_vec()).unwrap().replace("o=- 9 1", "o=- 9 2").replace("4002", "4004");
    let reinvite = wire.request(&mut leg, "INVITE", &rows, moved.as_bytes());
    wire.send(&mut room, alice, &reinvite);
    let answer = wire.expect(&room, "200");
    // The answer holds already, with a version of its own.
    let text = String::from_utf8(answer.body()).unwrap();
    assert!(text.contains("a=sendonly\r\n") && text.contains(" 3 IN IP4"), "{text}");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut room, alice, &ack);
    room.run_for(Duration::from_secs(10));
    wire.expect_nothing(&room);
    let given_up = room.user_mut().at(alice).events.iter();
    let given_up = given_up.filter(|event| matches!(event, Event::Reinvited { status: 491, .. }));
    assert_eq!(given_up.count(), 1);
    assert_eq!(direction(&mut room, alice), Direction::SendOnly);
    hang_up(&mut room, alice, &mut wire);
}

#[test]
fn what_was_not_given_to_agree_is_not_answered() {
    let (mut phones, alice, bob) = sip_testkit::Phones::pair(5);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    let codecs = [Codec::PCMU];
    let media = [sip_core::sdp::offer_answer::LocalMedia::audio(4000, &codecs)];
    let local = sip_core::sdp::offer_answer::Capabilities::new("192.0.2.2".parse().unwrap(), &media);
    let state = SessionError::Failed(Error::State);
    phones.act(bob, |phone, now| {
        assert_eq!(phone.answer_with(now, incoming, &local, &[]), Err(state));
        assert_eq!(phone.ring_with(now, incoming, 183, &local, &[]), Err(state));
        assert_eq!(phone.change_with(now, incoming, &local, &[]), Err(state));
        assert_eq!(phone.acknowledge_with(now, incoming, &local, &[]), Err(state));
        phone.reject(now, incoming, 486, &Content::NONE).unwrap();
        assert_eq!(phone.answer_with(now, incoming, &local, &[]), Err(SessionError::Failed(Error::State)));
    });
    phones.settle();
    assert_eq!(phones.act(alice, |phone, now| phone.change_with(now, call, &local, &[])), Err(Error::Gone.into()));
}
