//! Bodies in several parts, as gateways to the telephone network send them.
//!
//! Covers RFC 5621 §4 and §5.1 at a user agent: the session description is taken from among parts that may be ignored, and a
//! part that has to be understood refuses the INVITE. How parts are cut is in the unit tests of sip-core.

use sip_core::ua::Event;
use sip_testkit::{Heard, NodeId, OFFER, Phones, Wire};

/// Sends an INVITE whose body is the offer and one part more, with this Content-Disposition.
fn invite(phones: &mut Phones, alice: NodeId, wire: &mut Wire, kind: &str, disposition: &str) -> Vec<Heard> {
    let offer = String::from_utf8_lossy(OFFER);
    let body = format!(
        "--b7\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--b7\r\nContent-Type: application/isup;version=itu-t92+\r\n\
         Content-Disposition: {disposition}\r\n\r\n\u{1}\u{10}\r\n--b7--\r\n"
    );
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let rows = format!("{}MIME-Version: 1.0\r\n", wire.contact());
    let request = wire.request(&mut leg, "INVITE", &rows, body.as_bytes());
    let request =
        String::from_utf8(request).expect("text").replacen("application/sdp", &format!("{kind};boundary=b7"), 1);
    wire.send(phones, alice, request.as_bytes());
    wire.hear(phones)
}

#[test]
fn an_offer_with_a_part_that_may_be_ignored_rings_and_is_answered() {
    for (kind, disposition) in [
        ("multipart/mixed", "signal;handling=optional"),
        ("multipart/alternative", "signal"),
        ("multipart/mixed", "signal ; HANDLING = Optional"),
    ] {
        let (mut phones, alice, mut wire) = Phones::scripted(1);
        assert!(invite(&mut phones, alice, &mut wire, kind, disposition).is_empty(), "{kind} {disposition}");
        let call = phones.incoming(alice);
        phones.answer(alice, call);
        assert_eq!(wire.expect(&phones, "200").header("Content-Type"), "application/sdp");
    }
}

#[test]
fn a_part_that_has_to_be_understood_refuses_the_invite() {
    for (kind, disposition) in [
        ("multipart/mixed", "signal;handling=required"),
        ("multipart/mixed", "signal"),
        ("multipart/mixed;boundary=b8", "signal;handling=optional"),
    ] {
        let (mut phones, alice, mut wire) = Phones::scripted(2);
        let heard = invite(&mut phones, alice, &mut wire, kind, disposition);
        assert_eq!((heard.len(), heard[0].kind().as_str()), (1, "415"), "{kind} {disposition}");
        assert_eq!(heard[0].header("Accept"), "application/sdp");
        assert_eq!(phones.last(alice), None::<Event>);
    }
}
