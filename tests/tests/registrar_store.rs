//! Fault 16 of public registrars (kamailio 497, siphon 373): 200 although nothing was stored, and refusals that kept half.
//!
//! Covers a server whose application stores before it is answered: what waits, what leaves when the store has said yes or no, and
//! several that are stored at once. Not here: the store itself, and its file (`sip-std-adapter/tests/phone/bindings.rs`).

mod domain;

use domain::{Client, Domain, SERVER};
use sip_core::message::{Message, Writer};
use sip_core::registrar::Change;
use sip_core::server::{Event, Pending, Stored, Why};
use sip_core::time::Instant;

fn domain(seed: u64) -> Domain {
    Domain::with(seed, |config| config.store = true)
}

const BOB: &str = "Contact: <sip:bob@192.0.2.9>\r\n";

/// What waits to be stored, in the order in which it came.
fn pending(domain: &Domain) -> Vec<Pending> {
    let store = |event: &Event| if let Event::Store(pending) = event { Some(*pending) } else { None };
    domain.world.user().server.iter().filter_map(store).collect()
}

fn record(hub: &domain::Hub, now: Instant, message: &Message<'_>) -> Vec<u8> {
    let mut room = vec![0; 4096];
    let mut w = Writer::new(&mut room);
    hub.write_record(now, message, &mut w);
    let length = w.finish().unwrap();
    room.truncate(length);
    room
}

/// Binds these, and answers them with what the store says; the records after they were bound, and what came of the answers.
fn store(domain: &mut Domain, all: &[Pending], is_stored: bool) -> Vec<(usize, Option<Event>)> {
    domain.server(|hub, now| {
        let octets: Vec<_> = all.iter().map(|one| hub.proxy().request_bytes(one.request()).to_vec()).collect();
        let messages: Vec<_> = octets.iter().map(|octets| Message::parse(octets).unwrap()).collect();
        let bound = |(one, message): (&Pending, &Message<'_>)| {
            let before = record(hub, now, message);
            assert_eq!(hub.bind(now, *one, message), Ok(None));
            (before, record(hub, now, message).len())
        };
        let records: Vec<_> = all.iter().zip(&messages).map(bound).collect();
        // The last one first: each goes back to what was before it.
        let answered = all.iter().zip(&messages).zip(&records).rev().map(|((one, message), (before, after))| {
            let outcome = if is_stored { Stored::Done } else { Stored::Failed(before) };
            (*after, hub.stored(now, *one, message, outcome).unwrap())
        });
        answered.collect()
    })
}

/// A REGISTER that needs no challenge any more, sent.
fn send(domain: &mut Domain, client: &mut Client, rows: &str) -> Vec<String> {
    let request = client.request(client.user, rows);
    client.wire.send(domain, SERVER, &request);
    domain.pause();
    client.wire.hear(domain).iter().map(sip_testkit::Heard::kind).collect()
}

/// A client that has its challenge, and whose REGISTER waits.
fn waiting(domain: &mut Domain) -> Client {
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    let request = bob.request("bob", BOB);
    bob.wire.send(domain, SERVER, &request);
    domain.pause();
    bob.challenge = bob.wire.hear(domain).pop();
    assert_eq!(send(domain, &mut bob, BOB), [""; 0]);
    bob
}

#[test]
fn kamailio_497_nothing_is_answered_200_before_it_was_stored() {
    let mut domain = domain(1);
    let mut bob = waiting(&mut domain);
    assert_eq!((domain.contacts("bob").len(), domain.changes().len()), (0, 0));
    let all = pending(&domain);
    assert_eq!(all.len(), 1);
    let answered = store(&mut domain, &all, true);
    assert!(answered[0].0 > 0 && matches!(answered[0].1, Some(Event::Binding(_))), "{answered:?}");
    domain.pause();
    let ok = bob.wire.hear(&domain).pop().unwrap();
    assert_eq!((ok.kind().as_str(), domain.contacts("bob").len()), ("200", 1));
    assert!(ok.header("Contact").starts_with("<sip:bob@192.0.2.9>;expires="), "{}", domain.world.explain());
    // What changes nothing is not stored.
    assert_eq!(send(&mut domain, &mut bob, ""), ["200"]);
    assert_eq!(pending(&domain).len(), 1);
    domain.settle();
}

#[test]
fn kamailio_497_what_could_not_be_stored_is_answered_503_and_not_kept() {
    let mut domain = domain(2);
    let mut bob = waiting(&mut domain);
    let all = pending(&domain);
    let answered = store(&mut domain, &all, false);
    let refused = Event::Refused { status: 503, why: Why::NotStored };
    assert_eq!(answered[0].1, Some(refused));
    domain.pause();
    let refused = bob.wire.hear(&domain).pop().unwrap();
    assert_eq!((refused.kind().as_str(), refused.header("Retry-After").as_str()), ("503", "30"));
    assert_eq!((domain.contacts("bob").len(), domain.changes().len()), (0, 0), "{}", domain.world.explain());
    // It can be stored the next time.
    assert_eq!(send(&mut domain, &mut bob, BOB), [""; 0]);
    let again = pending(&domain)[1..].to_vec();
    store(&mut domain, &again, true);
    domain.pause();
    assert_eq!(bob.wire.hear(&domain).pop().unwrap().kind(), "200");
    domain.settle();
}

#[test]
fn siphon_373_a_refusal_of_several_leaves_what_was_before_the_first() {
    let mut domain = domain(3);
    let mut bob = waiting(&mut domain);
    let all = pending(&domain);
    store(&mut domain, &all, true);
    domain.pause();
    bob.wire.hear(&domain);
    // One that adds, one that refreshes and one that takes all away, none of them answered yet.
    for rows in ["Contact: <sip:bob@192.0.2.7>\r\n", BOB, "Contact: *\r\nExpires: 0\r\n"] {
        assert_eq!(send(&mut domain, &mut bob, rows), [""; 0]);
    }
    let all = pending(&domain)[1..].to_vec();
    let answered = store(&mut domain, &all, false);
    assert_eq!((answered.len(), answered[0].0), (3, 0), "the last one leaves no record");
    domain.pause();
    assert_eq!(bob.wire.hear(&domain).iter().map(sip_testkit::Heard::kind).collect::<Vec<_>>(), ["503"; 3]);
    assert_eq!(domain.contacts("bob"), ["sip:bob@192.0.2.9"]);
    // Nobody was told of what did not last, and what lasts is the binding that it was.
    assert_eq!(domain.world.user().server.iter().filter(|event| matches!(event, Event::Binding(_))).count(), 0);
    let expired = |domain: &Domain| domain.changes().iter().any(|(change, _)| *change == Change::Expired);
    domain.wait(3_500_000);
    assert!(!expired(&domain));
    domain.wait(200_000);
    assert!(expired(&domain) && domain.contacts("bob").is_empty());
    domain.settle();
}

/// The server does not remember for ever: who was not answered in 64·T1 has given up, and nothing is bound.
#[test]
fn a_store_that_never_answers_binds_nothing() {
    let mut domain = domain(4);
    waiting(&mut domain);
    domain.wait(40_000);
    let late = pending(&domain)[0];
    let gone = domain.server(|hub, now| {
        let message =
            b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
            From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
            Contact: <sip:bob@192.0.2.9>\r\nContent-Length: 0\r\n\r\n";
        hub.bind(now, late, &Message::parse(message).unwrap())
    });
    assert_eq!(gone, Err(sip_core::error::Error::Gone));
    assert!(domain.contacts("bob").is_empty());
    domain.settle();
}
