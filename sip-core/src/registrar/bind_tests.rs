//! The table of the module, the limits, and a model that any sequence of requests is compared with.

use super::*;
use crate::message::Message;
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

fn order(counter: u32) -> NonceOrder {
    NonceOrder { issued: 10, counter, count: 1 }
}

fn register(call_id: &str, cseq: u32, rows: &str) -> String {
    std::format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n\
        {rows}Content-Length: 0\r\n\r\n"
    )
}

fn own(uri: &Uri<'_>) -> bool {
    uri.host().as_bytes() == b"example.com"
}

fn decided(
    (call_id, cseq, nonce): (&str, u32, u32),
    rows: &str,
    current: &[Current<'_>],
    policy: &Policy,
) -> Result<Commit, Refusal> {
    let text = register(call_id, cseq, rows);
    let request = Message::parse(text.as_bytes()).unwrap();
    decide(&Command { request: &request, order: order(nonce), outbound: true }, current, policy, &own)
}

fn desk() -> Current<'static> {
    Current {
        contact: b"sip:bob@192.0.2.1",
        call_id: b"c",
        cseq: 5,
        order: order(7),
        expires: 100,
        ..Current::default()
    }
}

fn fate(sent: (&str, u32, u32), rows: &str) -> Result<Fate, Refusal> {
    decided(sent, rows, &[desk()], &Policy::new()).map(|commit| {
        assert_eq!(commit.added, []);
        commit.fates[0]
    })
}

const HOUR: Fate = Fate::Refresh(Grant { contact: 0, expires: 3600, q: 1000 });

#[test]
fn the_order_of_requests_is_that_of_cseq_and_of_nonces() {
    let (bind, unbind) = ("Contact: <sip:bob@192.0.2.1>\r\n", "Contact: <sip:bob@192.0.2.1>;expires=0\r\n");
    for (sent, bound, unbound) in [
        (("c", 6, 7), Ok(HOUR), Ok(Fate::Remove)),
        (("other", 1, 1), Ok(HOUR), Ok(Fate::Remove)),
        (("c", 5, 7), Ok(Fate::Keep), Err(Refusal::OutOfOrder)),
        (("c", 4, 7), Err(Refusal::OutOfOrder), Err(Refusal::OutOfOrder)),
        // Fault 14 of others (OpenSIPS 641, sipsorcery 1038): a phone that begins anew, with its old Call-ID and a low CSeq.
        (("c", 1, 8), Ok(HOUR), Ok(Fate::Remove)),
        (("c", 5, 8), Ok(HOUR), Ok(Fate::Remove)),
    ] {
        assert_eq!(fate(sent, bind), bound, "{sent:?}");
        assert_eq!(fate(sent, unbind), unbound, "{sent:?}");
        let all = fate(sent, "Contact: *\r\nExpires: 0\r\n");
        assert_eq!(all, if bound == Ok(HOUR) { Ok(Fate::Remove) } else { Err(Refusal::OutOfOrder) }, "{sent:?}");
    }
    assert_eq!(fate(("c", 1, 1), ""), Ok(Fate::Keep), "one without Contact asks what there is");
}

#[test]
fn a_time_is_that_of_the_contact_or_of_expires_within_the_limits() {
    let grant = |rows: &str| match decided(("n", 1, 9), rows, &[], &Policy::new()) {
        Ok(commit) => commit.added.first().map(|grant| (grant.expires, grant.q)),
        Err(refusal) => panic!("{refusal:?} {rows}"),
    };
    for (rows, granted) in [
        ("Contact: <sip:bob@h>\r\n", Some((3600, 1000))),
        ("Contact: <sip:bob@h>\r\nExpires: 90\r\n", Some((90, 1000))),
        ("Contact: <sip:bob@h>;expires=120\r\nExpires: 90\r\n", Some((120, 1000))),
        ("Contact: <sip:bob@h>;expires=4294967296\r\n", Some((86_400, 1000))),
        ("Contact: <sip:bob@h>\r\nExpires: 99999999999999999999\r\n", Some((86_400, 1000))),
        ("Contact: <sip:bob@h>;expires=soon\r\n", Some((3600, 1000))),
        ("Contact: <sip:bob@h>\r\nExpires: soon\r\n", Some((3600, 1000))),
        ("Contact: <sip:bob@h>;q=0.25\r\n", Some((3600, 250))),
        ("Contact: <sip:bob@h>;q=1.5\r\n", Some((3600, 1000))),
        ("Contact: <sip:bob@h>;q=x\r\n", Some((3600, 1000))),
        ("Contact: <sip:bob@h>;expires=0\r\n", None),
        ("Contact: <sip:bob@h>\r\nExpires: 0\r\n", None),
        ("Contact: <sip:bob@h>;expires=60\r\n", Some((60, 1000))),
    ] {
        assert_eq!(grant(rows), granted, "{rows}");
    }
    let brief = "Contact: <sip:bob@h>, <sip:bob@i>;expires=59\r\n";
    assert_eq!(decided(("n", 1, 9), brief, &[], &Policy::new()), Err(Refusal::TooBrief(60)));
}

#[test]
fn what_is_refused_is_refused_as_a_whole() {
    for (rows, refusal) in [
        ("Contact: *\r\n", Refusal::BadRequest),
        ("Contact: *\r\nExpires: 1\r\n", Refusal::BadRequest),
        ("Contact: *\r\nContact: <sip:bob@h>\r\nExpires: 0\r\n", Refusal::BadRequest),
        ("Contact: *, <sip:bob@h>\r\nExpires: 0\r\n", Refusal::BadRequest),
        ("Contact: <sip:bob@h>, *\r\nExpires: 0\r\n", Refusal::BadRequest),
        ("Contact: <sip:bob@h>, <sip:@@>\r\n", Refusal::BadRequest),
        ("Contact: <sip:bob@h>, <sip:carol@example.com>\r\n", Refusal::Forbidden),
        ("Contact: <sip:bob@h>, <sip:bob@192.0.2.1>;expires=9\r\n", Refusal::TooBrief(60)),
    ] {
        assert_eq!(decided(("n", 1, 9), rows, &[desk()], &Policy::new()), Err(refusal), "{rows}");
    }
    // A later contact that is out of order takes the earlier one with it.
    let rows = "Contact: <sip:bob@h>, <sip:bob@192.0.2.1>\r\n";
    assert_eq!(decided(("c", 4, 7), rows, &[desk()], &Policy::new()), Err(Refusal::OutOfOrder));
}

#[test]
fn three_hundred_contacts_are_too_many() {
    let contacts =
        |count: usize| -> String { (0..count).map(|at| std::format!("Contact: <sip:bob@h{at}>\r\n")).collect() };
    for count in [11, 32, 33, 300] {
        assert_eq!(decided(("n", 1, 9), &contacts(count), &[], &Policy::new()), Err(Refusal::Forbidden), "{count}");
    }
    assert_eq!(decided(("n", 1, 9), &contacts(10), &[], &Policy::new()).map(|commit| commit.added.len()), Ok(10));
    let all = Policy { most_contacts: u8::MAX, ..Policy::new() };
    assert_eq!(decided(("n", 1, 9), &contacts(32), &[], &all).map(|commit| commit.added.len()), Ok(32));
    assert_eq!(decided(("n", 1, 9), &contacts(33), &[], &all), Err(Refusal::Forbidden));
}

#[test]
fn one_more_is_refused_or_takes_the_place_of_the_one_that_expires_first() {
    let current = [desk(), Current { contact: b"sip:bob@192.0.2.2", expires: 50, ..desk() }];
    let two = Policy { most_contacts: 2, ..Policy::new() };
    let more = "Contact: <sip:bob@h>\r\n";
    assert_eq!(decided(("n", 1, 9), more, &current, &two), Err(Refusal::Forbidden));
    let replaced = decided(("n", 1, 9), more, &current, &Policy { replace_oldest: true, ..two }).unwrap();
    assert_eq!((&replaced.fates[..], replaced.added.len()), (&[Fate::Keep, Fate::Remove][..], 1));
    // A refresh is none too many, and neither is one that comes as another goes.
    let refresh = "Contact: <sip:bob@192.0.2.1>\r\n";
    assert!(decided(("n", 1, 9), refresh, &current, &two).is_ok());
    let moved = "Contact: <sip:bob@192.0.2.1>;expires=0, <sip:bob@h>\r\n";
    assert!(decided(("n", 1, 9), moved, &current, &two).is_ok());
}

#[test]
fn contacts_are_compared_as_uris_and_the_last_of_two_counts() {
    let same = "Contact: <sip:%62ob@192.0.2.1;x=1>;expires=70, <SIP:bob@192.0.2.1>;expires=80\r\n";
    let commit = decided(("n", 1, 9), same, &[desk()], &Policy::new()).unwrap();
    assert_eq!(commit.fates, [Fate::Refresh(Grant { contact: 1, expires: 80, q: 1000 })]);
    let twice = "Contact: <sip:bob@h>;expires=70, <sip:%62ob@H>;expires=80\r\n";
    let commit = decided(("n", 1, 9), twice, &[], &Policy::new()).unwrap();
    assert_eq!(commit.added, [Grant { contact: 1, expires: 80, q: 1000 }]);
    let gone = "Contact: <sip:bob@h>;expires=70, <sip:%62ob@H>;expires=0\r\n";
    assert_eq!(decided(("n", 1, 9), gone, &[], &Policy::new()).unwrap(), Commit::default());
}

#[test]
fn an_instance_has_a_binding_for_each_flow() {
    let one = Current { contact: b"sip:bob@192.0.2.7", instance: b"urn:uuid:1", reg_id: 1, call_id: b"o", ..desk() };
    let current = [one, Current { reg_id: 2, ..one }];
    let moved = "Contact: <sip:bob@192.0.2.99>;+sip.instance=\"<urn:uuid:1>\";reg-id=2\r\n";
    let commit = decided(("n", 1, 9), moved, &current, &Policy::new()).unwrap();
    assert_eq!((&commit.fates[..], commit.added.len()), (&[Fate::Keep, HOUR][..], 0));
    let third = "Contact: <sip:bob@192.0.2.7>;+sip.instance=\"<urn:uuid:1>\";reg-id=3\r\n";
    assert_eq!(decided(("n", 1, 9), third, &current, &Policy::new()).unwrap().added.len(), 1);
}

/// A binding of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    contact: String,
    call_id: String,
    cseq: u32,
    order: NonceOrder,
    expires: u32,
}

/// What a request does to the model: the words of §10.3, without a plan.
fn model(set: &[Bound], call_id: &str, cseq: u32, order: NonceOrder, contacts: &[(u8, u32)]) -> Option<Vec<Bound>> {
    let mut next = set.to_vec();
    for (name, expires) in contacts {
        let contact = std::format!("sip:bob@192.0.2.{name}");
        if (1..60).contains(expires) {
            return None;
        }
        let found = set.iter().find(|one| one.contact == contact);
        if let Some(one) = found {
            let later = one.call_id != call_id || cseq > one.cseq || order > one.order;
            if !later {
                if cseq == one.cseq && *expires > 0 {
                    continue;
                }
                return None;
            }
        }
        next.retain(|one| one.contact != contact);
        if *expires > 0 {
            next.push(Bound { contact, call_id: call_id.into(), cseq, order, expires: (*expires).min(86_400) });
        }
    }
    (next.len() <= 10 || next.len() <= set.len()).then_some(next)
}

proptest! {
    /// Any sequence of requests leaves the set as the model has it.
    #[test]
    fn any_requests_do_as_the_model(requests in proptest::collection::vec(
        (0_u8..3, 0_u32..6, 0_u32..4, proptest::collection::vec((0_u8..14, prop_oneof![Just(0), 50_u32..70, Just(u32::MAX)]), 0..8)), 1..30)) {
        let mut set = Vec::<Bound>::new();
        for (call, cseq, nonce, mut contacts) in requests {
            // Of two that are the same the last one counts, which the model does not know.
            contacts.sort_by_key(|(name, _)| *name);
            contacts.dedup_by_key(|(name, _)| *name);
            let call_id = std::format!("call{call}");
            let rows: String = contacts.iter().map(|(name, expires)| std::format!("Contact: <sip:bob@192.0.2.{name}>;expires={expires}\r\n")).collect();
            let current: Vec<Current<'_>> = set.iter().map(|one| Current {
                contact: one.contact.as_bytes(),
                call_id: one.call_id.as_bytes(),
                cseq: one.cseq,
                order: one.order,
                expires: one.expires,
                ..Current::default()
            }).collect();
            let commit = decided((&call_id, cseq, nonce), &rows, &current, &Policy::new());
            let expected = model(&set, &call_id, cseq, order(nonce), &contacts);
            prop_assert_eq!(commit.is_ok(), expected.is_some(), "{:?} {:?}", commit, rows);
            let (Ok(commit), Some(mut expected)) = (commit, expected) else { continue };
            let made = |grant: &Grant| Bound {
                contact: std::format!("sip:bob@192.0.2.{}", contacts[usize::from(grant.contact)].0),
                call_id: call_id.clone(), cseq, order: order(nonce), expires: grant.expires,
            };
            let kept = set.iter().zip(&commit.fates).filter_map(|(one, fate)| match fate {
                Fate::Keep => Some(one.clone()),
                Fate::Refresh(grant) => Some(made(grant)),
                Fate::Remove => None,
            });
            let mut next: Vec<Bound> = kept.chain(commit.added.iter().map(made)).collect();
            next.sort_by(|one, other| one.contact.cmp(&other.contact));
            expected.sort_by(|one, other| one.contact.cmp(&other.contact));
            prop_assert_eq!(&next, &expected);
            set = next;
        }
    }
}
