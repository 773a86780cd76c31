//! One user who wants more of a registrar than anybody needs: the others have room all the same.
//!
//! What a single REGISTER may say is in `registrar_faults`.

mod domain;

use domain::{Client, Domain};

/// Ten thousand addresses, one after the other: as many are kept as one user may have, whoever they are.
#[test]
fn ten_thousand_addresses_of_one_user_take_no_room_of_others() {
    let mut domain = Domain::new(31);
    let mut mallory = Client::new("192.0.2.66:5060", "carol");
    let mut refused = 0;
    for number in 0..10_000 {
        let contact = format!("Contact: <sip:carol@192.0.2.66:{}>\r\n", 10_000 + number);
        let kind = mallory.register(&mut domain, &contact).kind();
        refused += u32::from(kind == "403");
        assert!(kind == "200" || kind == "403", "{number}: {kind}");
    }
    let kept = domain.contacts("carol").len();
    assert!(kept <= 10 && refused == 10_000 - u32::try_from(kept).unwrap(), "{kept} kept, {refused} refused");
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    assert_eq!(bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>\r\n").kind(), "200");
    // They end like all others.
    domain.wait(3_700_000);
    assert_eq!((domain.contacts("carol").len(), domain.contacts("bob").len()), (0, 0));
    assert!(domain.server(|hub, _| hub.bindings().is_empty()));
    domain.settle();
}

/// The same for addresses of record: nobody makes one up.
#[test]
fn ten_thousand_users_are_not_made_up_by_one() {
    let mut domain = Domain::new(32);
    let mut mallory = Client::new("192.0.2.66:5060", "carol");
    for number in 0..10_000 {
        let answer = mallory.register_for(&mut domain, &format!("user{number}"), "Contact: <sip:x@192.0.2.66>\r\n");
        assert_eq!(answer.kind(), "403", "{number}");
    }
    assert!(domain.server(|hub, _| hub.bindings().is_empty()));
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    assert_eq!(bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>\r\n").kind(), "200");
    domain.settle();
}
