//! The figure of the resolver, in virtual time.

use super::*;
use crate::dns::samples::Reply;

type Bench = Resolver<Vec<Slot>, Vec<u8>>;

const TICKET: Ticket = Ticket::new(7);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn server(last: u8) -> Address {
    Address::literal(format!("192.0.2.{last}").as_bytes(), 53).unwrap()
}

fn bench(servers: u8) -> Bench {
    let mut bench = Resolver::new(vec![Slot::NONE; 4], vec![0; 4096], [5; 16]);
    bench.set_reach(Reach::NONE.with(Transport::Udp).with_v4());
    bench.set_servers(&(1..=servers).map(server).collect::<Vec<_>>());
    bench.set_tcp(true);
    bench
}

/// Asks for the addresses of a name.
fn start(bench: &mut Bench, now: u64, ticket: u64, host: &str) -> Result<(), Full> {
    bench.start(at(now), Ticket::new(ticket), (host.as_bytes(), Some(5060)), (Transport::Udp, false))
}

/// The query that is to be sent: its id, server, whether by connection, and its octets.
fn query(bench: &mut Bench, now: u64) -> Option<(u16, Address, bool, Vec<u8>)> {
    bench.poll_action(at(now)).map(|query| (query.id, query.server, query.tcp, query.bytes.to_vec()))
}

fn answer(bench: &mut Bench) -> Option<(u64, Outcome, usize)> {
    bench.poll_answer().map(|resolved| (resolved.ticket.number(), resolved.outcome, resolved.targets.len()))
}

fn reply(bytes: &[u8], host: &str) -> Vec<u8> {
    Reply::to(bytes).a(host, [192, 0, 2, 50]).bytes
}

#[test]
fn an_answer_is_taken_kept_and_given_again_until_it_is_over() {
    let mut bench = bench(1);
    start(&mut bench, 0, 7, "a.example").unwrap();
    let (id, to, tcp, bytes) = query(&mut bench, 0).unwrap();
    assert_eq!((to, tcp, bench.poll_timeout(), query(&mut bench, 0)), (server(1), false, Some(at(1000)), None));
    assert!(bench.waits_for(id) && answer(&mut bench).is_none());
    bench.receive(at(10), &reply(&bytes, "a.example"));
    assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
    assert!(answer(&mut bench).is_none() && bench.is_empty() && bench.poll_timeout().is_none() && !bench.waits_for(id));
    start(&mut bench, 59_000, 8, "A.example").unwrap();
    assert_eq!(answer(&mut bench), Some((8, Outcome::Found, 1)));
    start(&mut bench, 61_000, 9, "a.example").unwrap();
    assert!(answer(&mut bench).is_none() && query(&mut bench, 61_000).is_some_and(|query| query.0 != id));
    // Other servers may say otherwise.
    bench.receive(at(61_000), &reply(&bytes, "a.example"));
    assert!(answer(&mut bench).is_none());
}

#[test]
fn what_is_forged_changes_nothing() {
    let mut bench = bench(1);
    start(&mut bench, 0, 7, "a.example").unwrap();
    let (_, _, _, bytes) = query(&mut bench, 0).unwrap();
    let mut forged = reply(&bytes, "a.example");
    for flipped in 0..16 {
        forged[flipped / 8] ^= 1 << (flipped % 8);
        bench.receive(at(1), &forged);
        forged[flipped / 8] ^= 1 << (flipped % 8);
    }
    let mut other = bytes.clone();
    other[13] = b'b';
    bench.receive(at(1), &reply(&other, "b.example"));
    bench.receive(at(1), &bytes);
    bench.receive(at(1), &[]);
    assert!(answer(&mut bench).is_none() && query(&mut bench, 1).is_none());
    bench.receive(at(1), &reply(&bytes, "a.example"));
    assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
}

#[test]
fn a_silent_server_is_followed_by_the_next_and_by_patience() {
    let mut bench = bench(2);
    start(&mut bench, 0, 7, "a.example").unwrap();
    let mut now = 0;
    let mut tries = Vec::new();
    let mut ids = Vec::new();
    while let Some((id, to, _, _)) = query(&mut bench, now) {
        let due = bench.poll_timeout().unwrap().as_millis();
        tries.push((to, due - now));
        ids.push(id);
        bench.handle_timeout(at(due - 1));
        assert!(query(&mut bench, due - 1).is_none());
        bench.handle_timeout(at(due));
        now = due;
    }
    let (one, two) = (server(1), server(2));
    assert_eq!(tries, [(one, 1000), (two, 1000), (one, 2000), (two, 2000), (one, 4000), (two, 4000)]);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), answer(&mut bench)), (6, Some((7, Outcome::Failed, 0))));
    let mut alone = self::bench(1);
    start(&mut alone, 0, 7, "a.example").unwrap();
    let mut count = 0;
    while let Some((id, ..)) = query(&mut alone, 0) {
        count += 1;
        alone.server_failed(at(0), id);
        alone.server_failed(at(0), id);
    }
    assert_eq!((count, answer(&mut alone)), (4, Some((7, Outcome::Failed, 0))));
}

#[test]
fn a_server_that_fails_or_can_not_be_read_is_followed_at_once() {
    for code in [2, 4, 5, 9] {
        let mut bench = bench(2);
        start(&mut bench, 0, 7, "a.example").unwrap();
        let (_, _, _, bytes) = query(&mut bench, 0).unwrap();
        bench.receive(at(5), &Reply::to(&bytes).code(code).bytes);
        let (_, to, _, bytes) = query(&mut bench, 5).unwrap();
        assert_eq!(to, server(2));
        let mut broken = reply(&bytes, "a.example");
        broken.pop();
        bench.receive(at(6), &broken);
        let (_, to, _, bytes) = query(&mut bench, 6).unwrap();
        assert_eq!(to, server(1));
        bench.receive(at(7), &reply(&bytes, "a.example"));
        assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
    }
}

#[test]
fn what_is_truncated_is_asked_for_over_a_connection_or_not_known() {
    let mut bench = bench(1);
    start(&mut bench, 0, 7, "a.example").unwrap();
    let (first, _, _, bytes) = query(&mut bench, 0).unwrap();
    bench.receive(at(5), &Reply::to(&bytes).truncated().bytes);
    let (id, to, tcp, bytes) = query(&mut bench, 5).unwrap();
    assert!(to == server(1) && tcp && id != first && !bench.waits_for(first));
    assert_eq!(bench.poll_timeout(), Some(at(4005)));
    bench.receive(at(6), &reply(&bytes, "a.example"));
    assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
    // No connections: a name of which nothing is known is not one without address.
    bench.set_tcp(false);
    start(&mut bench, 7, 8, "b.example").unwrap();
    let mut queries = 0;
    while let Some((_, _, tcp, bytes)) = query(&mut bench, 7) {
        assert!(!tcp);
        queries += 1;
        bench.receive(at(7), &Reply::to(&bytes).truncated().bytes);
    }
    assert_eq!((queries, answer(&mut bench)), (4, Some((8, Outcome::Failed, 0))));
    // A server that truncates over a connection, too, does so for ever.
    bench.set_tcp(true);
    start(&mut bench, 8, 9, "b.example").unwrap();
    let mut queries = 0;
    while let Some((_, _, _, bytes)) = query(&mut bench, 8) {
        queries += 1;
        bench.receive(at(8), &Reply::to(&bytes).truncated().bytes);
    }
    assert_eq!((queries, answer(&mut bench)), (8, Some((9, Outcome::Failed, 0))));
}

#[test]
fn a_server_that_does_not_know_edns_is_asked_without() {
    let mut bench = bench(1);
    start(&mut bench, 0, 7, "a.example").unwrap();
    let (_, _, _, with) = query(&mut bench, 0).unwrap();
    let head = [with[0], with[1], 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    bench.receive(at(1), &head);
    let (_, to, _, without) = query(&mut bench, 1).unwrap();
    assert_eq!((to, with.len() - without.len(), without[11]), (server(1), 11, 0));
    bench.receive(at(2), &reply(&without, "a.example"));
    assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
    // One that understands nothing is asked eight times.
    start(&mut bench, 3, 8, "b.example").unwrap();
    let mut queries = 0;
    while let Some((_, _, _, bytes)) = query(&mut bench, 3) {
        queries += 1;
        bench.receive(at(3), &Reply::to(&bytes).code(1).bytes);
    }
    assert_eq!((queries, answer(&mut bench)), (8, Some((8, Outcome::Failed, 0))));
}

#[test]
fn one_question_is_asked_once_for_all_and_answered_to_all() {
    let mut bench = bench(1);
    for ticket in 0..3 {
        start(&mut bench, 0, ticket, "a.example").unwrap();
    }
    start(&mut bench, 0, 3, "b.example").unwrap();
    assert_eq!(start(&mut bench, 0, 4, "c.example"), Err(Full));
    let (_, _, _, bytes) = query(&mut bench, 0).unwrap();
    let (_, _, _, other) = query(&mut bench, 0).unwrap();
    assert!(query(&mut bench, 0).is_none() && bench.len() == 4);
    bench.receive(at(1), &reply(&bytes, "a.example"));
    for ticket in 0..3 {
        assert_eq!(answer(&mut bench), Some((ticket, Outcome::Found, 1)));
    }
    assert!(answer(&mut bench).is_none());
    // A failure is told to all, too, and slots are free again.
    start(&mut bench, 1, 5, "b.example").unwrap();
    bench.receive(at(1), &Reply::to(&other).code(3).bytes);
    assert_eq!(
        (answer(&mut bench), answer(&mut bench)),
        (Some((5, Outcome::Nobody, 0)), Some((3, Outcome::Nobody, 0)))
    );
    assert!(bench.is_empty());
}

#[test]
fn without_a_server_nothing_is_known() {
    let mut bench = bench(0);
    assert!(!bench.has_servers());
    start(&mut bench, 0, 7, "a.example").unwrap();
    assert_eq!((query(&mut bench, 0), answer(&mut bench)), (None, Some((7, Outcome::Failed, 0))));
    bench.start(at(0), TICKET, (b"192.0.2.9", None), (Transport::None, false)).unwrap();
    assert_eq!(answer(&mut bench), Some((7, Outcome::Found, 1)));
}
