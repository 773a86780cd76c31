//! Client transactions: schedules, ACK, absorption, parked requests, lost flows (RFC 3261 §17.1, RFC 6026).

use super::*;

#[test]
fn an_invite_without_an_answer_is_sent_seven_times_and_times_out() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    let (sent, ended) = bench.pass(40_000);
    let times: Vec<_> = sent.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(ended, [(32_000, ExpiredKind::TimedOut)]);
    assert!(bench.is_drained());
}

#[test]
fn another_request_is_sent_every_t2_and_times_out() {
    let mut bench = Bench::new(2);
    bench.client(Method::Options, PEER, 1);
    let (sent, ended) = bench.pass(40_000);
    let times: Vec<_> = sent.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(ended, [(32_000, ExpiredKind::TimedOut)]);
    assert!(bench.is_drained());
}

#[test]
fn a_late_caller_sends_once_and_shifts_nothing() {
    let mut bench = Bench::new(2);
    bench.client(Method::Options, PEER, 1);
    assert_eq!(bench.sent().len(), 1);
    bench.now += 7000;
    assert_eq!(bench.expire(), None);
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.work().next_timeout(), Some(at(1000 + 7500)));
}

#[test]
fn a_timed_out_request_can_be_sent_to_the_next_target() {
    let mut bench = Bench::new(1);
    bench.client(Method::Register, PEER, 1);
    bench.sent();
    bench.now += 32_000;
    let expired = bench.expire().unwrap();
    assert_eq!((expired.user, expired.kind), (User(7), ExpiredKind::TimedOut));
    assert!(bench.work().bytes(expired.id).starts_with(b"REGISTER "));
    let block = bench.work().take_message(expired.id);
    assert!(crate::message::stamp(bench.octets.get_mut(block), Transport::Tcp, Some(b"0123456789abcdef")));
    let branch = Token::new(0x0123_4567_89ab_cdef).into();
    let new = NewClient { block, flow: tcp(1), method: Method::Register, branch, user: User(7), reserved: false };
    let now = bench.now();
    bench.work().client(now, new).unwrap();
    assert!(bench.sent()[0].1.contains("Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK0123456789abcdef"));
    assert_eq!(bench.work().len(), 1);
}

#[test]
fn a_refused_invite_is_acknowledged_each_time() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    bench.sent();
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.pass(60_000), (vec![], vec![]));
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    let sent = bench.sent();
    assert_eq!(
        sent[0].1,
        "ACK sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK0000000000000001;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>;tag=b486\r\n\
         Call-ID: 1@alice\r\nCSeq: 1 ACK\r\nRoute: <sip:proxy.example.com;lr>\r\nContent-Length: 0\r\n\r\n"
    );
    for _ in 0..3 {
        assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Absorbed));
        assert_eq!(bench.sent(), sent);
    }
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Absorbed));
    assert_eq!(bench.response(&response(200, "INVITE", 1)), Some(ClientOutcome::Absorbed));
    assert_eq!(bench.pass(32_000), (vec![], vec![(32_000, ExpiredKind::Ended)]));
    assert!(bench.is_drained());
}

#[test]
fn an_accepted_invite_keeps_no_octets_and_delivers_each_2xx() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    // The answer comes while a retransmission waits to be sent.
    bench.sent();
    bench.now += 500;
    assert_eq!(bench.expire(), None);
    assert_eq!(bench.response(&response(200, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.octets.used(), 0);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.response(&response(200, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Absorbed));
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Absorbed));
    assert_eq!(bench.fail(PEER), []);
    assert_eq!(bench.pass(32_000).1, [(32_000, ExpiredKind::Ended)]);
    assert!(bench.is_drained());
}

#[test]
fn a_provisional_response_stops_a_retransmission_that_waits() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    bench.sent();
    bench.now += 500;
    assert_eq!(bench.expire(), None);
    assert_eq!(bench.response(&response(100, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.work().next_timeout(), None);
}

#[test]
fn an_answered_request_absorbs_retransmissions_for_t4() {
    let mut bench = Bench::new(2);
    bench.client(Method::Options, PEER, 1);
    bench.sent();
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.octets.used(), 0);
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), Some(ClientOutcome::Absorbed));
    assert_eq!(bench.pass(5000), (vec![], vec![(5000, ExpiredKind::Ended)]));
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), None);
    assert!(bench.is_drained());
}

#[test]
fn over_tcp_nothing_is_repeated_and_nothing_lingers() {
    let mut bench = Bench::new(2);
    bench.client(Method::Options, tcp(1), 1);
    bench.client(Method::Invite, tcp(1), 2);
    let (sent, ended) = bench.pass(31_000);
    assert_eq!((sent.len(), ended.len()), (2, 0));
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.response(&response(503, "INVITE", 2)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.work().len(), 1);
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0"]);
    assert!(bench.is_drained());
}

#[test]
fn responses_match_by_branch_in_any_case_and_method() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 0xabc);
    for (text, matches) in [
        (response(100, "INVITE", 0xabc), true),
        (response(100, "INVITE", 0xabc).replace("z9hG4bK0000000000000abc", "Z9HG4BK0000000000000ABC"), true),
        (response(200, "CANCEL", 0xabc), false),
        (response(200, "INVITE", 0xabd), false),
        (response(200, "INVITE", 0xabc).replace(";branch=z9hG4bK", ";x="), false),
        (response(200, "INVITE", 0xabc).replace("z9hG4bK", ""), false),
    ] {
        assert_eq!(bench.response(&text).is_some(), matches, "{text}");
    }
}

#[test]
fn a_parked_request_is_offered_once_and_stamped_when_it_is_launched() {
    let mut bench = Bench::new(2);
    let id = bench.client(Method::Invite, Flow::NONE, 1);
    assert_eq!((bench.work().poll_parked(), bench.work().poll_parked()), (Some(id), None));
    assert_eq!(bench.pass(31_000), (vec![], vec![]));
    let now = bench.now();
    bench.work().launch(now, id, Flow::NONE);
    bench.work().launch(now, id, tcp(3));
    let sent = bench.sent();
    assert_eq!(sent[0].0, tcp(3));
    assert!(sent[0].1.contains("\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch="));
    // Once is enough.
    bench.work().launch(now, id, PEER);
    assert_eq!((bench.sent(), bench.work().flow(id)), (vec![], tcp(3)));
    let other = bench.client(Method::Bye, Flow::NONE, 2);
    bench.work().abandon(other);
    assert_eq!((bench.work().poll_parked(), bench.work().len()), (None, 1));
    bench.work().abandon(id);
    assert!(bench.is_drained());
}

#[test]
fn a_request_whose_flow_is_not_found_times_out() {
    for method in [Method::Invite, Method::Register] {
        let mut bench = Bench::new(2);
        let id = bench.client(method, Flow::NONE, 1);
        assert_eq!(bench.pass(31_999), (vec![], vec![]));
        bench.now += 1;
        let expired = bench.expire().unwrap();
        assert_eq!((expired.id, expired.user, expired.kind), (id, User(7), ExpiredKind::TimedOut));
        assert!(!bench.work().bytes(id).is_empty());
        assert!(bench.is_drained());
    }
}

#[test]
fn a_lost_connection_is_told_for_its_client_transactions_and_no_others() {
    let mut bench = Bench::new(8);
    let calling = bench.client(Method::Invite, tcp(1), 1);
    let proceeding = bench.client(Method::Invite, tcp(1), 2);
    let accepted = bench.client(Method::Invite, tcp(1), 3);
    let trying = bench.client(Method::Bye, tcp(1), 4);
    let other = bench.client(Method::Bye, tcp(2), 5);
    bench.sent();
    assert_eq!(bench.response(&response(180, "INVITE", 2)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.response(&response(200, "INVITE", 3)), Some(ClientOutcome::Deliver));
    let now = bench.now();
    bench.work().flow_failed(now, tcp(1));
    let mut failed = Vec::new();
    while let Some(expired) = bench.expire() {
        assert_eq!((expired.user, expired.kind), (User(7), ExpiredKind::FlowLost));
        assert!(bench.work().is_client(expired.id));
        failed.push(expired.id);
    }
    failed.sort_by_key(|id| id.0.bits());
    assert_eq!(failed, [calling, proceeding, trying]);
    assert_eq!(bench.work().len(), 5);
    assert!(bench.work().has_final(accepted) && !bench.work().has_final(other));
    // The peer opens a connection for its response, or the user waits no longer.
    assert_eq!(bench.response(&response(200, "BYE", 4)), Some(ClientOutcome::Deliver));
    bench.work().abandon(proceeding);
    bench.pass(32_000);
    assert!(bench.is_drained());
}

#[test]
fn a_lost_ack_ends_a_transaction_that_had_its_answer() {
    let mut bench = Bench::new(1);
    bench.client(Method::Invite, PEER, 1);
    bench.sent();
    assert_eq!(bench.response(&response(404, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.fail(PEER).iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [ExpiredKind::Ended]);
    assert_eq!(bench.fail(PEER), []);
    assert!(bench.is_drained());
}

#[test]
fn urgent_sends_come_first_and_deferred_ones_come_back_in_order() {
    let mut bench = Bench::new(8);
    bench.client(Method::Options, tcp(1), 1);
    bench.client(Method::Info, tcp(1), 2);
    bench.client(Method::Message, tcp(2), 3);
    bench.client(Method::Bye, tcp(1), 4);
    bench.client(Method::Cancel, tcp(1), 5);
    let mut order = Vec::new();
    while let Some(id) = bench.work().poll_send() {
        order.push(String::from_utf8_lossy(bench.work().bytes(id)).split_once(' ').unwrap().0.to_owned());
        bench.work().defer(id);
    }
    assert_eq!(order, ["BYE", "CANCEL", "OPTIONS", "INFO", "MESSAGE"]);
    bench.client(Method::Options, tcp(1), 6);
    bench.work().flow_writable(tcp(1));
    let names = |bench: &mut Bench| -> Vec<String> {
        bench.sent_lines().iter().map(|line| line.split_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(&mut bench), ["BYE", "CANCEL", "OPTIONS", "INFO", "OPTIONS"]);
    bench.work().flow_writable(tcp(2));
    assert_eq!(names(&mut bench), ["MESSAGE"]);
}

#[test]
fn an_ack_goes_before_requests() {
    let mut bench = Bench::new(2);
    bench.client(Method::Invite, PEER, 1);
    bench.sent();
    bench.client(Method::Options, PEER, 2);
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0", "OPTIONS sip:bob@example.com SIP/2.0"]);
}

#[test]
fn a_response_makes_a_deferred_request_superfluous() {
    let mut bench = Bench::new(2);
    bench.client(Method::Options, PEER, 1);
    let id = bench.work().poll_send().unwrap();
    bench.work().defer(id);
    // A retransmission does not make it ready again.
    assert_eq!(bench.pass(4000), (vec![], vec![]));
    assert_eq!(bench.response(&response(200, "OPTIONS", 1)), Some(ClientOutcome::Deliver));
    bench.work().flow_writable(PEER);
    assert_eq!(bench.sent(), []);
}

#[test]
fn what_is_held_waits_for_its_own_name() {
    let mut bench = Bench::new(8);
    let ids = [
        bench.client(Method::Options, tcp(1), 1),
        bench.client(Method::Info, tcp(1), 2),
        bench.client(Method::Message, tcp(1), 3),
    ];
    for id in ids {
        assert_eq!(bench.work().poll_send(), Some(id));
        bench.work().hold(id);
    }
    // Room on the flow is no sign, and neither is the name of another.
    bench.work().flow_writable(tcp(1));
    bench.work().resume(TransactionId::NONE);
    assert_eq!(bench.sent(), []);
    bench.work().resume(ids[2]);
    assert_eq!(bench.sent_lines(), ["MESSAGE sip:bob@example.com SIP/2.0"]);
    // What was sent is not sent again, and what is over not at all.
    bench.work().resume(ids[2]);
    bench.work().abandon(ids[0]);
    bench.work().resume(ids[0]);
    assert_eq!(bench.sent(), []);
    bench.work().resume(ids[1]);
    assert_eq!(bench.sent_lines(), ["INFO sip:bob@example.com SIP/2.0"]);
}
