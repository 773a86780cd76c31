//! Requests that go on without a transaction (RFC 3261 §16.11), where that is configured and where there is no room.

mod office;

use office::{HUB, Office, address};
use sip_core::ua::Cause;
use sip_testkit::{Config, NodeId, Wire};

const ALICE: &str = "192.0.2.1:5060";
const BOB: &str = "192.0.2.2:5060";
const WIRE: &str = "192.0.2.9:5060";

fn pair(seed: u64) -> (Office, NodeId, NodeId) {
    let config = Config::new(seed).with_ladder(5000).with_check();
    let mut office = Office::with(config, |config| config.stateless = true);
    let alice = office.add("alice", ALICE);
    let bob = office.add("bob", BOB);
    office.bind("bob", "sip:bob@192.0.2.2", 1000);
    (office, alice, bob)
}

#[test]
fn a_call_goes_through_a_stateless_proxy() {
    let (mut office, alice, bob) = pair(1);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    assert_eq!(office.proxy(|hub, _| hub.occupancy().transactions), 0);
    office.ring(bob);
    office.answer(bob);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.ended(bob), [(Cause::RemoteHangup, 0)], "{}", office.world.explain());
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK", "BYE"]);
    assert_eq!(office.lines(HUB, ALICE), ["180", "200", "200"]);
    office.settle();
}

#[test]
fn a_refusal_and_a_cancel_find_their_way_by_the_branch_of_the_invite() {
    let (mut office, alice, bob) = pair(2);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.reject(bob, 486);
    office.pause();
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(bob);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_eq!(office.ended(alice).len(), 2);
    assert_eq!(office.ended(bob).len(), 2, "{}", office.world.explain());
    assert_eq!(office.lines(HUB, BOB), ["INVITE", "ACK", "INVITE", "CANCEL", "ACK"]);
    office.settle();
}

#[test]
fn a_repetition_is_passed_on_as_the_same_request() {
    let (mut office, _, _) = pair(3);
    let mut wire = Wire::new(WIRE);
    let far = Wire::new("192.0.2.10:5060");
    let mut leg = wire.leg("sip:far@192.0.2.10");
    let request = wire.request(&mut leg, "OPTIONS", "", b"");
    let hub = office.hub;
    for _ in 0..2 {
        wire.send(&mut office, hub, &request);
        office.pause();
    }
    let mut far = far;
    let heard = far.hear(&office);
    assert_eq!((heard.len(), heard[0].branch()), (2, heard[1].branch()));
    let other = wire.request(&mut leg, "OPTIONS", "", b"");
    wire.send(&mut office, hub, &other);
    office.pause();
    assert_ne!(far.hear(&office)[0].branch(), heard[0].branch());
    far.respond(&mut office, hub, &heard[0], 200, "");
    office.pause();
    assert_eq!(wire.kinds(&office), "200");
}

#[test]
fn ersip_2_a_response_to_no_request_of_ours_is_not_passed_on() {
    let (mut office, _, _) = pair(4);
    let mut wire = Wire::new(WIRE);
    let mut far = Wire::new("192.0.2.10:5060");
    let mut leg = wire.leg("sip:far@192.0.2.10");
    let request = wire.request(&mut leg, "OPTIONS", "", b"");
    let hub = office.hub;
    wire.send(&mut office, hub, &request);
    office.pause();
    let heard = far.expect(&office, "OPTIONS");
    let good = String::from_utf8(heard.response(200, "t", "", b"")).unwrap();
    let branch = heard.branch();
    for forged in [
        // Another branch, another host, another victim, another Call-ID, and no Via below ours.
        good.replacen(&branch, "z9hG4bK0123456789abcdef.0123456789abcdef", 1),
        good.replacen(HUB, "192.0.2.6:5060", 1),
        good.replacen(WIRE, ALICE, 1),
        good.replacen("Call-ID: ", "Call-ID: x", 1),
        good.replacen(&format!("Via: SIP/2.0/UDP {WIRE}"), "X: y", 1),
    ] {
        assert_ne!(forged, good);
        office.world.inject(far.address(), address(HUB), forged.as_bytes());
        office.pause();
    }
    assert_eq!(wire.kinds(&office), "");
    assert_eq!(office.lines(HUB, ALICE), [""; 0]);
    office.world.inject(far.address(), address(HUB), good.as_bytes());
    office.pause();
    assert_eq!(wire.kinds(&office), "200");
}

/// Fault 11 (kamailio 2419): the branch of an ACK to a 2xx was that of an ACK to a refusal, and the next hop swallowed it. Even a
/// client that sends its ACK under the branch of its INVITE gets another one here. The ACK to a refusal has that of its INVITE.
#[test]
fn kamailio_2419_the_ack_to_a_2xx_has_a_branch_of_its_own() {
    // Without transactions nothing tells an ACK under the branch of its INVITE from that to a refusal.
    for (stateless, reused) in [(false, false), (false, true), (true, false)] {
        let config = Config::new(5).with_ladder(5000).with_check();
        let mut office = Office::with(config, |config| config.stateless = stateless);
        let (mut near, mut far) = (Wire::new(WIRE), Wire::new("192.0.2.10:5060"));
        let hub = office.hub;
        let mut leg = near.leg("sip:far@192.0.2.10");
        let mut branches = Vec::new();
        // A refusal, and a 2xx.
        for status in [486, 200] {
            let invite = near.request(&mut leg, "INVITE", &near.contact(), b"");
            near.send(&mut office, hub, &invite);
            office.pause();
            let heard = far.expect(&office, "INVITE");
            far.respond(&mut office, hub, &heard, status, &far.contact());
            office.pause();
            let answer = near.hear(&office).pop().expect("an answer");
            assert_eq!(answer.kind(), status.to_string());
            let own = String::from_utf8(invite).unwrap();
            let own = own.split("branch=").nth(1).and_then(|rest| rest.split([';', '\r']).next()).unwrap().to_owned();
            leg.remote = answer.header("To");
            let branch = if reused || status == 486 { own } else { near.branch() };
            near.send(&mut office, hub, &near.request_as(&leg, "ACK", &branch, "", b""));
            office.pause();
            let acks: Vec<_> = far.hear(&office).into_iter().filter(|heard| heard.kind() == "ACK").collect();
            assert_eq!(acks.len(), 1, "{}", office.world.explain());
            if status == 486 {
                assert_eq!(acks[0].branch(), heard.branch(), "that of its INVITE");
                branches.push(acks[0].branch());
            } else {
                branches.push(heard.branch());
                assert!(!branches.contains(&acks[0].branch()), "{branches:?} {}", acks[0].text());
            }
            leg.remote = "<sip:far@192.0.2.10>".to_owned();
        }
    }
}

/// The CANCEL of an INVITE that has been challenged bears no credentials (RFC 3261 §22.1), and is known by the same branch.
#[test]
fn the_cancel_of_a_challenged_invite_has_its_branch() {
    let (mut office, _, _) = pair(6);
    let (mut near, mut far) = (Wire::new(WIRE), Wire::new("192.0.2.10:5060"));
    let hub = office.hub;
    let mut leg = near.leg("sip:far@192.0.2.10");
    let rows = format!("Proxy-Authorization: Digest username=\"a\", realm=\"far\"\r\n{}", near.contact());
    let invite = near.request(&mut leg, "INVITE", &rows, b"");
    near.send(&mut office, hub, &invite);
    office.pause();
    let heard = far.expect(&office, "INVITE");
    let branch = String::from_utf8(invite).unwrap();
    let branch = branch.split("branch=").nth(1).and_then(|rest| rest.split([';', '\r']).next()).unwrap().to_owned();
    near.send(&mut office, hub, &near.request_as(&leg, "CANCEL", &branch, "", b""));
    office.pause();
    assert_eq!(far.expect(&office, "CANCEL").branch(), heard.branch(), "{}", office.world.explain());
}
