//! Faults of public registrars, each a test that names it, and what is sent to a registrar to break it.
//!
//! The pure rules are tested beside them (bind_tests.rs, store_tests.rs, verify_tests.rs); here they hold on the wire, with digest,
//! across restarts.

mod domain;

use domain::{Client, Domain, HUB, SERVER};
use sip_core::registrar::Change;
use sip_core::server::{Event, Why};
use sip_core::ua::{self, Cause};
use sip_testkit::Wire;

const BOB: &str = "Contact: <sip:bob@192.0.2.9>\r\n";

fn registered(seed: u64) -> (Domain, Client) {
    let mut domain = Domain::new(seed);
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200", "{}", domain.world.explain());
    (domain, bob)
}

/// Fault 10 (siphon 139): all bindings went by one Path. Each has its own.
#[test]
fn siphon_139_each_binding_has_its_own_path() {
    let mut domain = Domain::with(1, |config| config.challenge_requests = false);
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    let via = |edge: u32| {
        format!("Contact: <sip:bob@10.0.0.{edge}>\r\nSupported: path\r\nPath: <sip:192.0.2.3{edge};lr>\r\n")
    };
    for edge in [1, 2] {
        let ok = bob.register(&mut domain, &via(edge));
        assert_eq!(ok.header("Path"), format!("<sip:192.0.2.3{edge};lr>"));
    }
    let mut wire = Wire::new("192.0.2.8:5060");
    let mut leg = wire.leg("sip:bob@example.com");
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:x@192.0.2.8>\r\n", b"");
    wire.send(&mut domain, SERVER, &invite);
    domain.pause();
    for edge in [1, 2] {
        let at = Wire::new(&format!("192.0.2.3{edge}:5060")).hear(&domain);
        let invite = at.first().unwrap_or_else(|| panic!("{}", domain.world.explain()));
        assert_eq!(
            (invite.uri(), invite.header("Route")),
            (format!("sip:bob@10.0.0.{edge}"), format!("<sip:192.0.2.3{edge};lr>"))
        );
    }
}

/// Fault 14 (OpenSIPS 641, sipsorcery 1038): a phone that begins anew with its old Call-ID and a low CSeq was locked out.
#[test]
fn opensips_641_a_phone_that_begins_anew_registers() {
    let (mut domain, mut bob) = registered(2);
    bob.seq = 500;
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200");
    // A delayed request of before is refused, whatever its credentials.
    bob.seq = 300;
    (bob.challenge, bob.nc) = (bob.challenge.take(), 0);
    let late = bob.request("bob", BOB);
    bob.wire.send(&mut domain, SERVER, &late);
    domain.pause();
    assert_eq!(bob.wire.hear(&domain).pop().unwrap().kind(), "401", "its nonce count is used");
    // The phone has lost its state, and with it the nonce.
    (bob.seq, bob.challenge) = (0, None);
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200", "{}", domain.world.explain());
}

/// Fault 15 (OpenSIPS 346, kamailio 6 and 280): a refresh with a new Call-ID was kept in memory and not in the store.
#[test]
fn opensips_346_the_store_has_the_call_id_of_the_last_refresh() {
    let (mut domain, mut bob) = registered(3);
    (bob.call_id, bob.seq) = ("another".into(), 7);
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200");
    domain.restart();
    let challenge = bob.challenge.clone();
    // CSeq 7 or 8 is the order now, not that of the first Call-ID.
    bob.seq = 3;
    let lower = bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;expires=0\r\n");
    assert_eq!(lower.kind(), "200", "its nonce is later: {}", domain.world.explain());
    assert!(challenge.is_some() && domain.contacts("bob").is_empty());
}

/// Fault 16 (kamailio 497, siphon 373): 200 for what was not stored, and refusals that kept half.
#[test]
fn kamailio_497_a_refusal_stores_nothing() {
    let (mut domain, mut bob) = registered(4);
    let record = domain.world.user().records.clone();
    for (rows, status) in [
        ("Contact: <sip:bob@192.0.2.10>, <sip:bob@192.0.2.11>;expires=5\r\n", "423"),
        ("Contact: <sip:bob@192.0.2.10>, <sip:@@>\r\n", "400"),
        ("Contact: <sip:bob@192.0.2.10>, <sip:bob@192.0.2.5>\r\n", "403"),
        ("Contact: <sip:bob@192.0.2.10>\r\nRequire: path, gruu\r\n", "420"),
        ("Contact: <sip:bob@192.0.2.10>\r\nPath: <sip:192.0.2.30;lr>\r\n", "421"),
    ] {
        let refused = bob.register(&mut domain, rows);
        assert_eq!(refused.kind(), status, "{rows}");
        match status {
            "423" => assert_eq!(refused.header("Min-Expires"), "60"),
            "420" => assert_eq!(refused.header("Unsupported"), "gruu"),
            "421" => assert_eq!(refused.header("Require"), "path"),
            _ => {}
        }
        assert_eq!(domain.contacts("bob"), ["sip:bob@192.0.2.9"], "{rows}");
    }
    assert_eq!((&domain.world.user().records, domain.changes().len()), (&record, 1));
}

/// Fault 17 (kamailio 265, 1445, 2455; OpenSIPS 764, 1365): bindings that were replaced live on in the copy.
#[test]
fn kamailio_265_a_record_replaces_the_whole_address_of_record() {
    let (mut domain, mut bob) = registered(5);
    let old = domain.world.user().records.values().next().cloned().unwrap();
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;expires=0, <sip:bob@192.0.2.10>\r\n");
    let new = domain.world.user().records.values().next().cloned().unwrap();
    let mut copy = Domain::new(6);
    copy.server(|hub, now| {
        assert_eq!(hub.load(now, &old), Ok(1));
        assert_eq!(hub.load(now, &new), Ok(1));
        assert_eq!(hub.load(now, &old), Ok(0), "an older state changes nothing");
    });
    assert_eq!(copy.contacts("bob"), ["sip:bob@192.0.2.10"]);
}

/// Fault 18 (OpenSIPS 1035, 1769; drachtio-srf 57): a binding that outlives its connection; and the end of the old connection
/// takes the fresh binding with it.
#[test]
fn opensips_1035_a_binding_leaves_with_its_own_connection() {
    let mut domain = Domain::new(7);
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    let contact = "Contact: <sip:bob@192.0.2.9;transport=tcp>\r\n";
    let first = bob.wire.connect(&mut domain, SERVER);
    assert_eq!(bob.register(&mut domain, contact).kind(), "200", "{}", domain.world.explain());
    let second = bob.wire.connect(&mut domain, SERVER);
    assert_ne!(first, second);
    assert_eq!(bob.register(&mut domain, contact).kind(), "200");
    domain.world.hang_up(first);
    domain.pause();
    assert_eq!(domain.contacts("bob").len(), 1, "{}", domain.world.explain());
    domain.world.hang_up(second);
    domain.pause();
    assert!(domain.contacts("bob").is_empty());
    assert_eq!(domain.changes().last().map(|(change, _)| *change), Some(Change::Removed));
}

/// Fault 20 (siphon-ai 430, baresip 717, jain-sip 181): a nonce used again was an attack, and a 401 without stale made phones ask for
/// the password; clients stay at nc=1.
#[test]
fn baresip_717_a_nonce_that_is_used_again_is_stale_and_no_attack() {
    let (mut domain, mut bob) = registered(8);
    for _ in 0..50 {
        bob.nc = 0;
        let again = bob.request("bob", BOB);
        bob.wire.send(&mut domain, SERVER, &again);
        domain.pause();
        let stale = bob.wire.expect(&domain, "401");
        assert!(stale.rows("WWW-Authenticate").iter().all(|row| row.ends_with("stale=true")), "{}", stale.text());
        (bob.challenge, bob.nc) = (Some(stale), 0);
        assert_eq!(bob.register(&mut domain, BOB).kind(), "200");
    }
    assert!(!domain.world.user().server.contains(&Event::Refused { status: 403, why: Why::LockedOut }));
}

#[test]
fn a_server_that_was_killed_finds_the_phones_and_asks_nobody_for_a_password() {
    let mut domain = Domain::new(9);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    domain.restart();
    // Called before anybody has registered anew.
    let call = domain.call(alice, "sip:bob@example.com");
    domain.answer(bob);
    assert!(
        domain.events(alice).contains(&ua::Event::Answered { call, answer_due: false }),
        "{}",
        domain.world.explain()
    );
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.wait(3_600_000);
    for phone in [alice, bob] {
        assert!(!domain.events(phone).iter().any(|event| matches!(event, ua::Event::RegistrationFailed { .. })));
    }
    assert_eq!((domain.contacts("alice").len(), domain.contacts("bob").len()), (1, 1));
    assert!(!domain.ended(alice).contains(&(Cause::Rejected, 480)));
}

#[test]
fn the_next_count_of_a_nonce_is_good_after_a_restart_and_a_replay_is_not() {
    let (mut domain, mut bob) = registered(10);
    let captured = bob.request("bob", "Contact: <sip:bob@192.0.2.10>\r\n");
    bob.wire.send(&mut domain, SERVER, &captured);
    domain.pause();
    bob.wire.expect(&domain, "200");
    domain.restart();
    let next = bob.request("bob", BOB);
    bob.wire.send(&mut domain, SERVER, &next);
    domain.pause();
    bob.wire.expect(&domain, "200");
    // Somebody who has seen the request sends it again, with another branch.
    let before = domain.changes().len();
    let text = String::from_utf8(captured).unwrap();
    let (head, rest) = text.split_once("branch=").unwrap();
    let replayed = format!("{head}branch=z9hG4bKreplayed{}", &rest[rest.find([';', '\r']).unwrap()..]);
    let mallory = Wire::new("192.0.2.66:5060");
    mallory.send(&mut domain, SERVER, replayed.as_bytes());
    domain.pause();
    assert_eq!(domain.changes().len(), before);
    assert!(domain.world.user().server.ends_with(&[Event::Refused { status: 401, why: Why::Challenged }]));
}

#[test]
fn nobody_registers_anothers_address() {
    let (mut domain, mut bob) = registered(11);
    for aor in ["alice", "Bob", "bob%00", "nobody", "bo"] {
        let answer = bob.register_for(&mut domain, aor, "Contact: <sip:x@192.0.2.9>\r\n");
        assert_eq!(answer.kind(), "403", "{aor}");
    }
    for _ in 0..200 {
        assert_eq!(bob.register_for(&mut domain, "alice", BOB).kind(), "403");
    }
    assert_eq!(bob.register_for(&mut domain, "%62ob", BOB).kind(), "200", "another way to write the same");
    assert_eq!(domain.changes().len(), 2);
    assert!(domain.contacts("alice").is_empty());
}

#[test]
fn what_is_sent_to_break_a_registrar_is_answered() {
    let (mut domain, mut bob) = registered(12);
    let many: String = (0..300).map(|at| format!("Contact: <sip:bob@h{at}>\r\n")).collect();
    for (rows, status) in [
        (many.as_str(), "403"),
        ("Contact: *\r\nContact: <sip:bob@192.0.2.9>\r\nExpires: 0\r\n", "400"),
        ("Contact: *\r\n", "400"),
        ("Contact: *\r\nExpires: 1\r\n", "400"),
        ("Contact: <sip:example.com>\r\n", "403"),
        ("Contact: <sip:bob@192.0.2.5:5060;transport=tcp>\r\n", "403"),
    ] {
        assert_eq!(bob.register(&mut domain, rows).kind(), status, "{rows}");
    }
    let ok = bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;expires=4294967296;q=1.5\r\n");
    assert_eq!((ok.kind().as_str(), ok.header("Contact").as_str()), ("200", "<sip:bob@192.0.2.9>;expires=86400"));
    let ok = bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;q=0.5\r\nExpires: 4294967296\r\n");
    assert_eq!(
        (ok.kind().as_str(), ok.header("Contact").as_str()),
        ("200", "<sip:bob@192.0.2.9>;expires=86400;q=0.500")
    );
    let ok = bob.register(&mut domain, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((ok.kind().as_str(), ok.header("Contact").as_str()), ("200", ""));
    assert!(domain.contacts("bob").is_empty());
}

#[test]
fn a_flood_of_wrong_digests_locks_its_source_out_and_nobody_else() {
    let (mut domain, mut bob) = registered(13);
    let mut mallory = Client::new("192.0.2.66:5060", "carol");
    mallory.password = "guess";
    let mut guess = |domain: &mut Domain, user: &'static str| {
        mallory.user = user;
        let answers: Vec<_> = (0..30).map(|_| mallory.register(domain, BOB).kind()).collect();
        let refused = answers.iter().position(|kind| kind == "403").unwrap_or_else(|| panic!("{answers:?}"));
        assert!(
            answers[..refused].iter().all(|kind| kind == "401") && answers[refused..].iter().all(|kind| kind == "403")
        );
        refused
    };
    assert_eq!(guess(&mut domain, "carol"), 5, "two digests a round");
    assert_eq!((guess(&mut domain, "bob"), guess(&mut domain, "alice")), (5, 0), "now the source is locked out");
    // Bob's phone begins anew, where it has been: nobody locks him out by guessing.
    bob.challenge = None;
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200", "{}", domain.world.explain());
    let mut elsewhere = Client::new("192.0.2.8:5060", "bob");
    assert_eq!(elsewhere.register(&mut domain, BOB).kind(), "403", "where he has not been he waits");
    let mut alice = Client::new("192.0.2.7:5060", "alice");
    assert_eq!(alice.register(&mut domain, "Contact: <sip:alice@192.0.2.7>\r\n").kind(), "200");
    assert_eq!(domain.heard(HUB, "192.0.2.7:5060"), ["401", "200"]);
}

/// Whoever writes another's address into his datagrams does not see what is sent there: nothing that he sends is counted, so nobody
/// is locked out by it.
#[test]
fn nobody_is_locked_out_by_what_comes_in_his_name() {
    let (mut domain, mut bob) = registered(23);
    let mut mallory = Client::new("192.0.2.66:5060", "bob");
    mallory.password = "guess";
    mallory.register(&mut domain, BOB);
    for _ in 0..25 {
        let forged = mallory.request("bob", BOB);
        domain.world.inject(domain::address("192.0.2.9:5060"), domain::address(HUB), &forged);
        domain.pause();
    }
    bob.wire.hear(&domain);
    // He begins anew.
    bob.challenge = None;
    assert_eq!(bob.register(&mut domain, BOB).kind(), "200", "{}", domain.world.explain());
    assert!(!domain.world.user().server.contains(&Event::Refused { status: 403, why: Why::LockedOut }));
}

/// Thousands of wrong digests and of calls to nobody, at 1,000 a second: phones still call each other and hang up, and the memory
/// stays at its bound.
#[test]
fn a_flood_stops_no_call() {
    let mut domain = Domain::new(14);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    let mut mallory = Client::new("192.0.2.66:5060", "carol");
    mallory.password = "guess";
    let challenged = mallory.request("carol", "");
    mallory.wire.send(&mut domain, SERVER, &challenged);
    domain.pause();
    mallory.challenge = Some(mallory.wire.hear(&domain).pop().unwrap());
    let mut call = None;
    for round in 0..3000 {
        let wrong = mallory.request("carol", BOB);
        mallory.wire.send(&mut domain, SERVER, &wrong);
        let mut leg = mallory.wire.leg("sip:nobody@example.com");
        let invite = mallory.wire.request(&mut leg, "INVITE", "Contact: <sip:x@192.0.2.66>\r\n", b"");
        mallory.wire.send(&mut domain, SERVER, &invite);
        domain.wait(1);
        match round {
            500 => call = Some(domain.call(alice, "sip:bob@example.com")),
            1500 => drop(domain.answer(bob)),
            2500 => domain.act(alice, |phone, now| phone.hang_up(now, call.unwrap())).unwrap(),
            _ => {}
        }
        let held = domain.server(|hub, _| hub.proxy().occupancy());
        assert!(held.transactions <= 64 && held.octets <= 65_535);
    }
    domain.wait(1000);
    assert!(
        domain.events(alice).iter().any(|event| matches!(event, ua::Event::Answered { .. })),
        "{:?}",
        domain.events(alice)
    );
    assert_eq!(domain.ended(bob), [(Cause::RemoteHangup, 0)]);
    domain.settle();
}

/// A To tag is what any stranger can write: it opens no relay, and takes nobody's name.
#[test]
fn a_to_tag_opens_no_relay() {
    let (mut domain, mut bob) = registered(20);
    let mut wire = Wire::new("192.0.2.66:5060");
    let elsewhere = "sip:v@192.0.2.77";
    for (method, target, from, answers) in [
        ("MESSAGE", elsewhere, "mallory@example.net", &["407"][..]),
        ("INVITE", elsewhere, "mallory@example.net", &["407"]),
        ("BYE", elsewhere, "mallory@example.net", &["407"]),
        ("CANCEL", elsewhere, "mallory@example.net", &["481"]),
        ("ACK", elsewhere, "mallory@example.net", &[]),
        ("MESSAGE", "sip:bob@example.com", "alice@example.com", &["407"]),
    ] {
        let mut leg = wire.leg(target);
        leg.local = format!("<sip:{from}>;tag=1");
        leg.remote.push_str(";tag=z");
        let request = wire.request(&mut leg, method, "Contact: <sip:x@192.0.2.66>\r\n", b"");
        wire.send(&mut domain, SERVER, &request);
        domain.wait(5000);
        let heard: Vec<_> = wire.hear(&domain).iter().map(sip_testkit::Heard::kind).collect();
        assert_eq!(heard, answers, "{method} {target}: {}", domain.world.explain());
    }
    assert!(domain.heard(HUB, "192.0.2.77:5060").is_empty());
    bob.wire.expect_nothing(&domain);
}

/// An OPTIONS for the server is answered, and takes no room that a phone may want.
#[test]
fn a_flood_of_options_leaves_nothing_behind() {
    let (mut domain, _) = registered(21);
    let before = domain.server(|hub, _| hub.proxy().occupancy());
    let mut wire = Wire::new("192.0.2.66:5060");
    for _ in 0..100 {
        let mut leg = wire.leg("sip:example.com");
        let request = wire.request(&mut leg, "OPTIONS", "", b"");
        wire.send(&mut domain, SERVER, &request);
        domain.pause();
        assert_eq!(wire.expect(&domain, "200").rows("Allow"), ["OPTIONS, REGISTER"]);
    }
    let after = domain.server(|hub, _| hub.proxy().occupancy());
    assert!(after.transactions <= before.transactions && after.octets <= before.octets, "{before:?} {after:?}");
}

/// The credentials of a caller are for this server alone: a callee who has them can guess the password at leisure.
#[test]
fn what_a_user_has_proven_with_goes_no_further() {
    let (mut domain, mut bob) = registered(22);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let call = domain.call(alice, "sip:bob@example.com");
    let invite = bob.wire.hear(&domain).into_iter().find(|heard| heard.kind() == "INVITE").expect("the call");
    assert!(domain.heard(HUB, "192.0.2.1:5060").contains(&"407".to_owned()), "she was asked");
    assert!(invite.rows("Proxy-Authorization").is_empty(), "{}", domain.world.explain());
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
}

/// Fault 19 (PJSIP 5146, OpenSIPS 1372): 439 stranded clients. It is for who asks for outbound and comes by a first hop that does not
/// speak it, and for nobody else (RFC 5626 §6).
#[test]
fn pjsip_5146_439_is_for_who_asks_for_outbound_alone() {
    let contact = "Contact: <sip:bob@192.0.2.9;ob>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\r\n";
    for (number, (supported, path, status)) in [
        ("path, outbound", "", "200"),
        ("path, outbound", "Path: <sip:192.0.2.30;lr;ob>\r\n", "200"),
        ("path, outbound", "Path: <sip:192.0.2.30;lr>\r\n", "439"),
        ("path", "Path: <sip:192.0.2.30;lr>\r\n", "200"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut domain = Domain::new(24);
        let mut bob = Client::new("192.0.2.9:5060", "bob");
        let answer = bob.register(&mut domain, &format!("Supported: {supported}\r\n{path}{contact}"));
        assert_eq!(answer.kind(), status, "{number}");
        let outbound = status == "200" && supported.contains("outbound");
        assert_eq!(answer.rows("Require"), if outbound { vec!["outbound".to_owned()] } else { vec![] }, "{number}");
        assert_eq!(domain.contacts("bob").len(), usize::from(status == "200"));
    }
}
