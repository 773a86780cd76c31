//! A strict router that is known by its name: the next hop is the host of the Request-URI (RFC 3261 §8.1.2, §12.2.1.1).

use sip_core::transport::{Target, Transport};
use sip_testkit::{ANSWER, Heard, OFFER, Phones, Wire};

const ROUTER: &str = "Record-Route: <sip:router.example.com>\r\nContact: <sip:far@192.0.2.33>\r\n";

/// A router that is found by name, and the far end beyond it.
fn network(seed: u64) -> (Phones, sip_testkit::NodeId, Wire, Wire) {
    let (mut phones, alice, router) = Phones::scripted(seed);
    phones.world.add_host("router.example.com", Target { address: router.address(), transport: Transport::Udp });
    (phones, alice, router, Wire::new("192.0.2.33:5060"))
}

fn goes_by_the_router(request: &Heard) {
    assert_eq!(request.uri(), "sip:router.example.com");
    assert_eq!(request.header("Route"), "<sip:far@192.0.2.33>");
}

#[test]
fn the_callee_asks_for_the_router() {
    let (mut phones, alice, mut router, mut far) = network(1);
    let mut leg = router.leg("sip:alice@192.0.2.1");
    let invite = router.request(&mut leg, "INVITE", ROUTER, OFFER);
    router.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    let answer = router.expect(&phones, "200");
    leg.remote = answer.header("To");
    let branch = router.branch();
    let ack = router.request_as(&leg, "ACK", &branch, "", b"");
    router.send(&mut phones, alice, &ack);
    phones.hang_up(alice, call);
    phones.wait(2);
    goes_by_the_router(&router.expect(&phones, "BYE"));
    far.expect_nothing(&phones);
}

#[test]
fn the_caller_asks_for_the_router() {
    let (mut phones, alice, mut router, mut far) = network(2);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = router.expect(&phones, "INVITE");
    router.send(&mut phones, alice, &invite.response(200, "w", ROUTER, ANSWER));
    phones.wait(2);
    goes_by_the_router(&router.expect(&phones, "ACK"));
    phones.hang_up(alice, call);
    phones.wait(2);
    goes_by_the_router(&router.expect(&phones, "BYE"));
    far.expect_nothing(&phones);
}
