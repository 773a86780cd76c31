//! `#` in user parts, as dial strings have it: written as `%23`, and taken as it comes.
//!
//! Covers RFC 3261 §19.1.2 and §25.1 (`user` holds no `#`) and §12.2.1.1 (a remote target goes back as it came).

use sip_core::ua::Event;
use sip_testkit::{ANSWER, Phones, Wire};

#[test]
fn a_number_sign_that_the_application_gives_is_escaped() {
    let mut phones = Phones::new(1);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.identity = "sip:10#1@example.com");
    let mut wire = Wire::new("192.0.2.9:5060");
    phones.call(alice, "sip:*21*#@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!(
        (invite.uri().as_str(), invite.header("To").as_str()),
        ("sip:*21*%23@192.0.2.9", "<sip:*21*%23@192.0.2.9>")
    );
    assert!(invite.header("From").starts_with("<sip:10%231@example.com>;tag="), "{}", invite.header("From"));
    wire.respond(&mut phones, alice, &invite, 486, "");
    assert_eq!(wire.expect(&phones, "ACK").uri(), invite.uri());
    phones.settle();
    let target = "sip:#@192.0.2.9";
    phones.act(alice, |phone, now| phone.register(now, target, "sip:a#b@example.com", 60)).unwrap();
    let register = wire.expect(&phones, "REGISTER");
    assert_eq!(register.header("To"), "<sip:a%23b@example.com>");
    assert!(!register.uri().contains('#'), "{}", register.uri());
}

#[test]
fn a_number_sign_of_a_peer_goes_back_as_it_came() {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.send(&mut phones, alice, &invite.response(200, "wire", "Contact: <sip:*21#@192.0.2.9>\r\n", ANSWER));
    assert_eq!(wire.expect(&phones, "ACK").uri(), "sip:*21#@192.0.2.9");
    assert!(matches!(phones.last(alice), Some(Event::Answered { .. })), "{:?}", phones.last(alice));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.uri(), "sip:*21#@192.0.2.9");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}
