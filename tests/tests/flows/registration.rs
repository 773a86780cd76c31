//! Registration (RFC 3665 §2).

use crate::domain::{Client, Domain};
use crate::drawn::{assert_ladder, now};
use sip_core::ua::Event;

const BOTH: &str = "bob -> server REGISTER
    server -> bob 401 REGISTER
    bob -> server REGISTER
    server -> bob 200 REGISTER";

/// RFC 3665 §2.1 and §2.4.
#[test]
fn a_phone_registers_and_leaves() {
    let mut domain = Domain::new(1);
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    assert_ladder(&domain, 0, BOTH);
    let Some(Event::Registered { registration, .. }) = domain.events(bob).last().copied() else {
        panic!("{}", domain.world.explain())
    };
    assert_eq!(domain.contacts("bob").len(), 1);
    let since = now(&domain);
    domain.act(bob, |phone, now| phone.unregister(now, registration)).unwrap();
    domain.pause();
    // It answers the challenge that it knows.
    assert_ladder(&domain, since, "bob -> server REGISTER\nserver -> bob 200 REGISTER");
    assert!(domain.contacts("bob").is_empty());
}

/// RFC 3665 §2.2 and §2.3.
#[test]
fn another_contact_is_added_and_the_list_is_asked_for() {
    let mut domain = Domain::new(2);
    domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    let mut other = Client::new("192.0.2.9:5060", "bob");
    let added = other.register(&mut domain, "Contact: <mailto:bob@example.com>\r\nContact: <sip:bob@192.0.2.9>\r\n");
    let asked = other.register(&mut domain, "");
    assert_eq!((added.kind().as_str(), asked.kind().as_str()), ("200", "200"), "{}", added.text());
    let list = asked.rows("Contact");
    assert_eq!(list.len(), domain.contacts("bob").len(), "{list:?}");
    assert!(list.iter().any(|contact| contact.contains("sip:bob@192.0.2.9")), "{list:?}");
    assert!(list.iter().any(|contact| contact.contains("192.0.2.2")), "{list:?}");
}

/// RFC 3665 §2.5.
#[test]
fn a_wrong_password_is_told_again() {
    let mut domain = Domain::new(3);
    let bob = domain.phone("bob", "192.0.2.2:5060", "guessed");
    assert_ladder(&domain, 0, &BOTH.replace("200 REGISTER", "401 REGISTER"));
    assert!(matches!(domain.events(bob)[..], [Event::RegistrationFailed { status: 401, .. }]));
    assert!(domain.contacts("bob").is_empty());
}
