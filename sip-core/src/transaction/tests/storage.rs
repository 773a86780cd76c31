//! Capacity, reserves, steady state, and the fingerprint.

use super::*;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

#[test]
fn one_entry_is_enough_for_one_transaction() {
    let mut bench = Bench::new(1);
    let id = bench.client(Method::Options, PEER, 1);
    assert_eq!(bench.try_client(Method::Options, PEER, 2), Err(Capacity::Transactions));
    let text = request("OPTIONS", ";branch=z9hG4bKx1", "");
    assert_eq!(bench.try_server(PEER, &text, true), Err(Capacity::Transactions));
    bench.sent();
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), Some(ClientOutcome::Deliver));
    bench.pass(5000);
    assert_eq!(bench.work().state(id), None);
    bench.client(Method::Options, PEER, 2);
    let mut none = Bench::new(0);
    assert_eq!(none.try_client(Method::Options, PEER, 2), Err(Capacity::Transactions));
    assert!(none.is_drained());
}

#[test]
fn reserved_entries_are_kept_for_who_reserved_them() {
    let mut bench = Bench::new(3);
    bench.work().reserve(2).unwrap();
    assert_eq!(bench.work().reserve(2), Err(Capacity::Transactions));
    bench.client(Method::Options, PEER, 1);
    assert_eq!(bench.try_client(Method::Options, PEER, 2), Err(Capacity::Transactions));
    assert_eq!((bench.work().free_for(false), bench.work().free_for(true)), (0, 2));
    let (block, now) = (bench.write(Method::Bye, 3), bench.now());
    let branch = Token::new(3).into();
    let new = NewClient { block, flow: PEER, method: Method::Bye, branch, user: User(7), reserved: true };
    bench.work().client(now, new).unwrap();
    bench.work().unreserve(1);
    assert_eq!((bench.work().free_for(false), bench.work().free_for(true)), (0, 1));
    bench.work().unreserve(1);
    assert_eq!(bench.work().free_for(false), 1);
}

#[test]
fn an_ack_uses_the_reserve_of_octets() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    bench.sent();
    bench.octets.reserve(400).unwrap();
    let rest = bench.octets.free() - 400 - Pool::<6000>::OVERHEAD;
    bench.octets.open(rest);
    bench.octets.keep(rest).unwrap();
    assert!(bench.octets.keep(1).is_err());
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0"]);
}

#[test]
fn without_room_for_its_100_a_transaction_goes_on() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &request("INVITE", ";branch=z9hG4bKx1", ""));
    let rest = bench.octets.free() - Pool::<6000>::OVERHEAD;
    bench.octets.open(rest);
    let block = bench.octets.keep(rest).unwrap();
    assert_eq!(bench.pass(1000), (vec![], vec![]));
    assert_eq!(bench.request(&request("INVITE", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent(), []);
    bench.octets.release(block);
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
}

#[test]
fn a_hundred_thousand_transactions_leave_nothing_behind() {
    let mut bench = Bench::new(4);
    for round in 0..25_000_u64 {
        let branch = format!(";branch=z9hG4bKx{round}");
        let flow = if round.is_multiple_of(2) { PEER } else { tcp(1) };
        let server = bench.server(flow, &request("INVITE", &branch, ""));
        bench.client(Method::Invite, flow, round);
        bench.client(Method::Options, flow, round + 1_000_000);
        let other = bench.server(flow, &request("INFO", &branch, ""));
        bench.respond(server, if round.is_multiple_of(3) { 200 } else { 486 }).unwrap();
        bench.respond(other, 200).unwrap();
        assert_eq!(bench.sent().len(), 4);
        assert_eq!(bench.response(&response(180, "INVITE", round)), Some(ClientOutcome::Deliver));
        assert_eq!(
            bench.response(&response(200 + 100 * (round as u16 % 4), "INVITE", round)),
            Some(ClientOutcome::Deliver)
        );
        assert_eq!(bench.response(&response(200, "OPTIONS", round + 1_000_000)), Some(ClientOutcome::Deliver));
        _ = bench.request(&request("ACK", &branch, ";tag=b"));
        bench.pass(33_000);
        assert!(bench.is_drained());
    }
}

/// Nanoseconds that the loss of a connection takes, the best of some rounds, among `count` server transactions of others.
#[allow(clippy::disallowed_methods, reason = "the cost is measured on the clock of the host")]
fn cost_of_a_lost_connection(count: u32) -> u128 {
    const LOST: u32 = 64;
    let mut bench = Bench::new(count as usize);
    let now = bench.now();
    for connection in 1..=count {
        let text =
            request("INVITE", &format!(";branch=z9hG4bKx{connection}"), "").replace("2@bob", &connection.to_string());
        let message = Message::parse(text.as_bytes()).unwrap();
        let new = bench.work().receive_request(now, &message).new_request().unwrap();
        let server = NewServer { new, source: tcp(connection), to_tag: b"", user: User(8), reserved: false };
        bench.work().server_without_head(now, &message, server).unwrap();
    }
    let rounds = (0..8).map(|round| {
        let start = std::time::Instant::now();
        for connection in 1..=LOST {
            bench.work().flow_failed(now, tcp(connection + round * LOST));
        }
        start.elapsed().as_nanos() / u128::from(LOST)
    });
    let best = rounds.min().unwrap();
    assert_eq!(bench.work().len(), count as usize);
    best
}

#[test]
fn a_lost_connection_costs_among_a_hundred_thousand_transactions_what_it_costs_among_four() {
    // A place has 16 bits in narrow links.
    let most = if cfg!(feature = "narrow") { 60_000 } else { 100_000 };
    let [few, some, many] = [4, 1_000, most].map(cost_of_a_lost_connection);
    println!("{few} ns among 4, {some} ns among 1,000, {many} ns among {most}");
    // A walk through all of them would take some thousand times as long.
    assert!(many < 50 * few.max(100), "{few} ns among 4, {some} ns among 1,000, {many} ns among {most}");
}

fn fingerprint(bench: &mut Bench) -> u64 {
    let mut hasher = SipHasher13::new();
    let now = bench.now();
    bench.work().view().fingerprint(now, &mut hasher, |user| user.0 / 2);
    hasher.finish()
}

#[test]
fn equal_histories_have_equal_fingerprints() {
    let history = |start: u64, turn: usize, last: u64| {
        let mut bench = Bench::new(8);
        // Other places and other generations, and so other handles.
        for number in 0..turn as u64 {
            bench.client(Method::Options, PEER, number);
        }
        bench.sent();
        bench.pass(40_000);
        bench.now = start;
        let text = request("INVITE", ";branch=z9hG4bKx1", "");
        if turn.is_multiple_of(2) {
            bench.client(Method::Invite, PEER, 100);
            bench.server(PEER, &text);
        } else {
            bench.server(PEER, &text);
            bench.client(Method::Invite, PEER, 100);
        }
        bench.sent();
        bench.now += last;
        while bench.expire().is_some() {}
        fingerprint(&mut bench)
    };
    let one = history(100_000, 0, 300);
    assert_eq!(one, history(101_000, 0, 300));
    assert_eq!(one, history(250_000, 3, 300));
    assert_ne!(one, history(100_000, 0, 301));
    assert_ne!(one, history(100_000, 0, 700));
}

#[test]
fn the_fingerprint_sees_flow_user_and_what_waits() {
    let mut bench = Bench::new(4);
    let id = bench.client(Method::Options, PEER, 1);
    let waiting = fingerprint(&mut bench);
    bench.sent();
    let sent = fingerprint(&mut bench);
    assert_ne!(waiting, sent);
    bench.work().set_user(id, User(6));
    assert_eq!(fingerprint(&mut bench), sent);
    bench.work().set_user(id, User(8));
    assert_ne!(fingerprint(&mut bench), sent);
    let mut other = Bench::new(4);
    other.client(Method::Options, tcp(1), 1);
    assert_ne!(fingerprint(&mut other), waiting);
}

#[test]
fn sizes_are_known() {
    let (transaction, layer) = (size_of::<Transaction>(), size_of::<Layer>());
    std::println!("Transaction {transaction}, Layer {layer}, Message {}", size_of::<Message<'_>>());
    assert!(transaction <= 200, "{transaction}");
}
