//! Where messages go and what happens when a flow fails (RFC 3261 §17.1.4, §18.1.1, §18.2.2, RFC 3581).

use super::*;

/// What waits for a flow, as the target to connect to.
fn parked(bench: &mut Bench) -> Vec<(TransactionId, Flow)> {
    let mut parked = Vec::new();
    while let Some(id) = bench.work().poll_parked() {
        parked.push((id, bench.work().flow(id)));
    }
    parked
}

/// The connection to the sent-by of the peer's requests, which is still to be opened.
fn sent_by(port: u16) -> Flow {
    Flow { remote: PEER.remote.with_port(port), ..tcp(0) }
}

#[test]
fn responses_go_to_the_port_of_sent_by_and_with_rport_to_the_source() {
    let source = Flow::udp(PEER.remote.with_port(40_000));
    for (via, port) in [
        (":5070;branch=z9hG4bKx1", 5070),
        (";branch=z9hG4bKx2", 5060),
        (":5070;branch=z9hG4bKx3;rport", 40_000),
        (":5070;branch=z9hG4bKx4;maddr=192.0.2.77", 5070),
    ] {
        let mut bench = Bench::new(2);
        let id = bench.server(source, &request("INVITE", via, ""));
        bench.respond(id, 180).unwrap();
        bench.respond(id, 486).unwrap();
        bench.now += 500;
        assert_eq!(bench.expire(), None);
        let flows: Vec<_> = bench.sent().into_iter().map(|(flow, _)| flow).collect();
        assert_eq!(flows, [Flow::udp(PEER.remote.with_port(port)); 1], "{via}");
    }
    // What came by a connection is answered on it.
    let mut bench = Bench::new(1);
    let id = bench.server(tcp(1), &request("OPTIONS", ":5070;branch=z9hG4bKx1", ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.sent()[0].0, tcp(1));
}

#[test]
fn a_response_goes_by_a_new_connection_when_that_of_its_request_was_lost() {
    for unsent in [false, true] {
        for method in ["INVITE", "OPTIONS"] {
            let mut bench = Bench::new(2);
            let id = bench.server(tcp(1), &request(method, ":5070;branch=z9hG4bKx1", ""));
            if unsent {
                bench.respond(id, 200).unwrap();
                let id = bench.work().poll_send().unwrap();
                bench.work().defer(id);
            }
            assert_eq!(bench.fail(tcp(1)), []);
            if !unsent {
                // One that is given later finds that the connection is gone.
                assert_eq!((parked(&mut bench), bench.respond(id, 200)), (vec![], Ok(())));
                assert_eq!(bench.write_fails(), (id, tcp(1)));
            }
            assert_eq!(bench.sent(), []);
            assert_eq!(parked(&mut bench), [(id, sent_by(5070))]);
            let now = bench.now();
            bench.work().launch(now, id, Flow { connection: 2, ..sent_by(5070) });
            let sent = bench.sent();
            assert_eq!((sent.len(), sent[0].0), (1, Flow { connection: 2, ..sent_by(5070) }));
            assert!(sent[0].1.starts_with("SIP/2.0 200 OK\r\n"));
            bench.pass(32_000);
            assert!(bench.is_drained());
        }
    }
}

#[test]
fn a_response_that_can_not_be_sent_waits_no_longer_than_a_request_would() {
    let mut bench = Bench::new(2);
    let id = bench.server(tcp(1), &request("OPTIONS", ";branch=z9hG4bKx1", ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.fail(tcp(1)), []);
    // A repetition of the request asks for no second one.
    assert_eq!(bench.request(&request("OPTIONS", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(parked(&mut bench), [(id, sent_by(5060))]);
    assert_eq!(bench.pass(32_000), (vec![], vec![(32_000, ExpiredKind::Ended)]));
    assert!(bench.is_drained());
    let id = bench.server(tcp(1), &request("INVITE", ";branch=z9hG4bKx2", ""));
    bench.respond(id, 180).unwrap();
    assert_eq!(bench.fail(tcp(1)), []);
    assert_eq!(parked(&mut bench), [(id, sent_by(5060))]);
    bench.unreachable(id);
    assert_eq!(
        bench.work().state(id),
        Some(super::super::State::ServerInvite(crate::transaction::server_invite::State::Proceeding))
    );
    // The next one tries again, and so does its repetition while nothing is known of the try.
    bench.respond(id, 200).unwrap();
    bench.resend(id);
    assert_eq!(parked(&mut bench), [(id, sent_by(5060))]);
    bench.resend(id);
    assert_eq!(parked(&mut bench), []);
    bench.pass(32_000);
    assert!(bench.is_drained());
}

#[test]
fn failures_in_a_row_lose_nothing() {
    let mut bench = Bench::new(8);
    let ids: Vec<_> = (1..=3).map(|number| bench.client(Method::Options, tcp(number), number.into())).collect();
    let names: Vec<_> = (4..=6).map(|branch| bench.client(Method::Register, Flow::NONE, branch)).collect();
    let datagram = bench.client(Method::Options, PEER, 7);
    bench.sent();
    let unsent = bench.client(Method::Options, tcp(3), 8);
    assert_eq!(parked(&mut bench).len(), 3);
    let now = bench.now();
    for connection in 1..=3 {
        bench.work().flow_failed(now, tcp(connection));
    }
    for id in &names {
        bench.unreachable(*id);
    }
    bench.work().flow_failed(now, PEER);
    // Whatever else is called, and a sale of the entries to others, changes none of it.
    assert_eq!((bench.sent(), parked(&mut bench)), (vec![], vec![]));
    assert_eq!(bench.request(&request("ACK", ";branch=z9hG4bKx9", ";tag=b")), NEW);
    let mut told: Vec<_> = core::iter::from_fn(|| bench.expire()).map(|expired| (expired.id, expired.kind)).collect();
    told.sort_by_key(|(id, _)| id.0.bits());
    let lost = ids.iter().map(|id| (*id, ExpiredKind::FlowLost));
    let failed = names.iter().chain([&datagram, &unsent]).map(|id| (*id, ExpiredKind::FlowFailed));
    assert_eq!(told, lost.chain(failed).collect::<Vec<_>>());
    assert_eq!(bench.pass(31_999), (vec![], vec![]));
    assert_eq!(bench.pass(1), (vec![], vec![(1, ExpiredKind::TimedOut); 3]));
    assert!(bench.is_drained());
}

#[test]
fn a_refusal_that_comes_by_another_connection_is_acknowledged_by_a_new_one() {
    let mut bench = Bench::new(1);
    let id = bench.client(Method::Invite, tcp(1), 1);
    bench.sent();
    assert_eq!(bench.fail(tcp(1)), [(id, ExpiredKind::FlowLost)]);
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!((bench.sent(), parked(&mut bench)), (vec![], vec![(id, tcp(0))]));
    let now = bench.now();
    bench.work().launch(now, id, tcp(2));
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0"]);
    assert!(bench.is_drained());
    // The ACK itself may find its connection lost.
    let id = bench.client(Method::Invite, tcp(1), 1);
    bench.sent();
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.fail(tcp(1)), []);
    assert_eq!(parked(&mut bench), [(id, tcp(0))]);
    bench.unreachable(id);
    assert!(bench.is_drained());
}

#[test]
fn an_invite_that_reuses_a_branch_with_the_next_number_is_a_new_request() {
    let mut bench = Bench::new(4);
    let (first, next) = (request("INVITE", ";branch=z9hG4bKx1", ""), request("INVITE", ";branch=z9hG4bKx1", ";tag=b"));
    let next = next.replace("CSeq: 4", "CSeq: 5");
    let one = bench.server(PEER, &first);
    bench.respond(one, 200).unwrap();
    let two = bench.server(PEER, &next);
    bench.respond(two, 488).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK", "SIP/2.0 488 Not Acceptable Here"]);
    let ack =
        |number: u32| request("ACK", ";branch=z9hG4bKx1", ";tag=b").replace("CSeq: 4", &format!("CSeq: {number}"));
    assert_eq!(bench.request(&ack(4)), ServerMatch::Ack2xx(one, User(8)));
    assert_eq!(bench.request(&ack(5)), ServerMatch::Absorbed(two));
    let cancel = request("CANCEL", ";branch=z9hG4bKx1", ";tag=b").replace("CSeq: 4", "CSeq: 5");
    let cancel = Message::parse(cancel.as_bytes()).unwrap();
    assert_eq!(bench.work().find_cancelled(&cancel), Some((two, User(8))));
    // So it is with other methods.
    let info = request("INFO", ";branch=z9hG4bKx1", ";tag=b");
    let old = bench.server(PEER, &info);
    let new = bench.server(PEER, &info.replace("CSeq: 4", "CSeq: 5"));
    assert_ne!(old, new);
}

#[test]
fn what_a_new_request_is_known_by_survives_the_next_one() {
    let mut bench = Bench::new(4);
    let now = bench.now();
    let texts = ["1", "2"].map(|branch| {
        request("OPTIONS", &format!(";branch=z9hG4bKx{branch}"), "").replace("2@bob", &format!("{branch}@bob"))
    });
    let tokens = texts.each_ref().map(|text| {
        let message = Message::parse(text.as_bytes()).unwrap();
        let ServerMatch::New(new) = bench.work().receive_request(now, &message) else { panic!() };
        new
    });
    assert_ne!(tokens[0].stateless_tag().as_bytes(), tokens[1].stateless_tag().as_bytes());
    for (text, new) in texts.iter().zip(tokens) {
        let message = Message::parse(text.as_bytes()).unwrap();
        let server = NewServer { new, source: PEER, to_tag: b"b", user: User(8), reserved: false };
        let id = bench.work().server(now, &message, server).unwrap();
        assert_eq!(bench.request(text), ServerMatch::Absorbed(id));
    }
}

/// Writes an ACK to a 2xx and has it sent once.
fn once(bench: &mut Bench, flow: Flow) -> TransactionId {
    let (block, now) = (bench.write(Method::Ack, 1), bench.now());
    bench.work().once(now, NewOnce { block, flow, user: User(9), reserved: false }).unwrap()
}

#[test]
fn a_request_without_a_transaction_is_sent_once_and_forgotten() {
    let mut bench = Bench::new(1);
    once(&mut bench, PEER);
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0"]);
    assert!(bench.is_drained());
    // It waits for a socket that is full,
    let id = once(&mut bench, PEER);
    assert_eq!(bench.work().poll_send(), Some(id));
    bench.work().defer(id);
    assert_eq!((bench.sent(), bench.work().len()), (vec![], 1));
    bench.work().flow_writable(PEER);
    assert_eq!(bench.sent_lines().len(), 1);
    assert!(bench.is_drained());
    // for a name and then a connection,
    let id = once(&mut bench, Flow::NONE);
    assert_eq!(parked(&mut bench), [(id, Flow::NONE)]);
    let now = bench.now();
    bench.work().launch(now, id, tcp(0));
    assert_eq!(parked(&mut bench), [(id, tcp(0))]);
    bench.work().launch(now, id, tcp(4));
    let sent = bench.sent();
    assert_eq!(sent[0].0, tcp(4));
    assert!(sent[0].1.contains("\r\nVia: SIP/2.0/TCP "));
    assert!(bench.is_drained());
    // and for none of them for ever.
    for (flow, kind) in [(Flow::NONE, ExpiredKind::TimedOut), (PEER, ExpiredKind::Ended)] {
        let id = once(&mut bench, flow);
        if let Some(id) = bench.work().poll_send() {
            bench.work().defer(id);
        }
        bench.now += 31_999;
        assert_eq!(bench.expire(), None);
        bench.now += 1;
        assert_eq!(bench.expire(), Some(Expired { id, user: User(9), kind }));
        assert!(bench.is_drained());
    }
}

#[test]
fn a_request_without_a_transaction_that_can_not_be_sent_is_told() {
    let mut bench = Bench::new(1);
    let id = once(&mut bench, tcp(1));
    assert_eq!((bench.fail(tcp(1)), parked(&mut bench)), (vec![], vec![(id, tcp(0))]));
    let now = bench.now();
    bench.work().launch(now, id, tcp(2));
    assert_eq!(bench.write_fails(), (id, tcp(2)));
    assert_eq!(bench.expire(), Some(Expired { id, user: User(9), kind: ExpiredKind::FlowFailed }));
    assert!(bench.is_drained());
    let id = once(&mut bench, Flow::NONE);
    assert_eq!(parked(&mut bench), [(id, Flow::NONE)]);
    bench.unreachable(id);
    assert_eq!(bench.expire(), Some(Expired { id, user: User(9), kind: ExpiredKind::FlowFailed }));
    assert!(bench.is_drained());
}

#[test]
fn a_request_that_failed_is_told_and_no_resend_brings_it_back() {
    let mut bench = Bench::new(1);
    let id = bench.client(Method::Invite, Flow::NONE, 1);
    assert_eq!(parked(&mut bench), [(id, Flow::NONE)]);
    bench.unreachable(id);
    bench.resend(id);
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.expire().map(|expired| (expired.id, expired.kind)), Some((id, ExpiredKind::FlowFailed)));
    assert!(bench.is_drained());
}

/// The state of a server transaction of an INVITE.
fn state_of(bench: &mut Bench, id: TransactionId) -> crate::transaction::server_invite::State {
    let Some(super::super::State::ServerInvite(state)) = bench.work().state(id) else { panic!("another kind") };
    state
}

impl Bench {
    /// The next message is given to be sent and its write fails; which one, and on which flow. Events are left.
    fn write_fails(&mut self) -> (TransactionId, Flow) {
        let (now, id) = (self.now(), self.work().poll_send().expect("something to send"));
        let flow = self.work().flow(id);
        self.work().flow_failed(now, flow);
        (id, flow)
    }
}

#[test]
fn a_request_whose_write_fails_was_not_sent() {
    for (method, flow) in [
        (Method::Invite, PEER),
        (Method::Invite, tcp(1)),
        (Method::Options, PEER),
        (Method::Options, tcp(1)),
        (Method::Bye, PEER),
    ] {
        let mut bench = Bench::new(2);
        let id = bench.client(method, flow, 1);
        assert_eq!(bench.write_fails(), (id, flow));
        assert_eq!(bench.expire(), Some(Expired { id, user: User(7), kind: ExpiredKind::FlowFailed }));
        assert!(bench.is_drained());
        // So it is with what is more than the flow carries.
        let id = bench.client(method, flow, 2);
        assert_eq!(bench.work().poll_send(), Some(id));
        bench.work().too_large(tcp(9));
        assert_eq!(bench.expire(), None);
        bench.work().abandon(id);
        let id = bench.client(method, flow, 3);
        assert_eq!(bench.work().poll_send(), Some(id));
        bench.work().too_large(flow);
        assert_eq!(bench.expire(), Some(Expired { id, user: User(7), kind: ExpiredKind::FlowFailed }));
        assert!(bench.is_drained());
    }
}

#[test]
fn only_the_write_that_failed_was_not_sent() {
    let mut bench = Bench::new(3);
    let ids = [1, 2, 3].map(|branch| bench.client(Method::Options, tcp(1), branch));
    assert_eq!((bench.work().poll_send(), bench.write_fails()), (Some(ids[0]), (ids[1], tcp(1))));
    let told: Vec<_> = core::iter::from_fn(|| bench.expire()).map(|expired| (expired.id, expired.kind)).collect();
    for (id, kind) in
        [(ids[0], ExpiredKind::FlowLost), (ids[1], ExpiredKind::FlowFailed), (ids[2], ExpiredKind::FlowFailed)]
    {
        assert!(told.contains(&(id, kind)), "{told:?}");
    }
    // Another call first, and it was sent.
    let id = bench.client(Method::Options, tcp(2), 4);
    assert_eq!((bench.work().poll_send(), bench.work().poll_send()), (Some(id), None));
    assert_eq!(bench.fail(tcp(2)), [(id, ExpiredKind::FlowLost)]);
    // The failure of another flow says nothing of it.
    let id = bench.client(Method::Options, tcp(3), 5);
    assert_eq!(bench.work().poll_send(), Some(id));
    assert_eq!((bench.fail(tcp(4)), bench.fail(tcp(3))), (vec![], vec![(id, ExpiredKind::FlowLost)]));
}

#[test]
fn what_has_no_other_target_goes_by_a_new_connection_once_when_its_write_fails() {
    for method in [Method::Bye, Method::Cancel] {
        let mut bench = Bench::new(1);
        let id = bench.client(method, tcp(1), 1);
        assert_eq!(bench.write_fails(), (id, tcp(1)));
        assert_eq!((bench.expire(), parked(&mut bench)), (None, vec![(id, tcp(0))]));
        let now = bench.now();
        bench.work().launch(now, id, tcp(2));
        assert_eq!(bench.write_fails(), (id, tcp(2)));
        assert_eq!(bench.expire(), Some(Expired { id, user: User(7), kind: ExpiredKind::FlowFailed }));
        assert!(bench.is_drained());
    }
    // The ACK to a refusal likewise.
    let mut bench = Bench::new(1);
    let id = bench.client(Method::Invite, tcp(1), 1);
    bench.sent();
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.write_fails(), (id, tcp(1)));
    assert_eq!((bench.expire(), parked(&mut bench)), (None, vec![(id, tcp(0))]));
    let now = bench.now();
    bench.work().launch(now, id, tcp(2));
    assert_eq!(bench.write_fails(), (id, tcp(2)));
    assert!(bench.is_drained());
    // By datagram it is the transport error of Figure 5, and a repetition of the refusal finds nobody.
    let id = bench.client(Method::Invite, PEER, 1);
    bench.sent();
    assert_eq!(bench.response(&response(486, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.write_fails(), (id, PEER));
    assert_eq!(bench.expire().map(|expired| expired.kind), Some(ExpiredKind::Ended));
    assert!(bench.is_drained());
}

#[test]
fn a_response_whose_write_fails_goes_by_a_new_connection_once() {
    for (method, status) in [("OPTIONS", 200), ("INVITE", 180), ("INVITE", 200), ("INVITE", 486)] {
        let mut bench = Bench::new(1);
        let id = bench.server(tcp(1), &request(method, ":5070;branch=z9hG4bKx1", ""));
        bench.respond(id, status).unwrap();
        assert_eq!(bench.write_fails(), (id, tcp(1)));
        assert_eq!((bench.sent(), parked(&mut bench)), (vec![], vec![(id, sent_by(5070))]));
        let (now, second) = (bench.now(), Flow { connection: 2, ..sent_by(5070) });
        bench.work().launch(now, id, second);
        assert_eq!(bench.write_fails(), (id, second));
        // A peer that closes each connection drives no endless row of them;
        assert_eq!((bench.sent(), parked(&mut bench)), (vec![], vec![]));
        if status == 180 {
            // the next response has a try of its own.
            bench.respond(id, 486).unwrap();
            assert_eq!(parked(&mut bench), [(id, sent_by(5070))]);
            bench.work().launch(now, id, Flow { connection: 3, ..second });
            assert_eq!(bench.sent_lines(), ["SIP/2.0 486 Busy Here"]);
        }
        bench.pass(64_000);
        assert!(bench.is_drained(), "{method} {status}");
    }
    // By datagram nothing is lost that a repetition of the request does not bring again.
    let mut bench = Bench::new(1);
    let id = bench.server(PEER, &request("OPTIONS", ";branch=z9hG4bKx1", ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.write_fails(), (id, PEER));
    assert_eq!((bench.sent(), parked(&mut bench)), (vec![], vec![]));
    assert_eq!(bench.request(&request("OPTIONS", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    // A 2xx that is passed on and whose write fails is not forgotten before it is sent.
    let mut bench = Bench::new(1);
    let id = bench.server(tcp(1), &request("INVITE", ";branch=z9hG4bKx1", ""));
    bench.respond(id, 200).unwrap();
    bench.work().forget_when_sent(id);
    assert_eq!(bench.write_fails(), (id, tcp(1)));
    assert_eq!(parked(&mut bench), [(id, sent_by(5060))]);
    let now = bench.now();
    bench.work().launch(now, id, tcp(2));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert_eq!(state_of(&mut bench, id), crate::transaction::server_invite::State::Accepted);
    assert_eq!(bench.octets.used(), 0);
}

#[test]
fn a_response_that_is_held_goes_by_a_new_connection_when_it_is_resumed_after_the_loss_of_its_own() {
    let mut bench = Bench::new(1);
    let id = bench.server(tcp(1), &request("OPTIONS", server_side::BRANCH, ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.work().poll_send(), Some(id));
    bench.work().hold(id);
    assert_eq!(bench.fail(tcp(1)), []);
    assert_eq!((bench.work().poll_parked(), bench.sent()), (None, vec![]));
    bench.work().resume(id);
    assert_eq!(bench.write_fails(), (id, tcp(1)));
    assert_eq!(bench.work().poll_parked(), Some(id));
    let now = bench.now();
    bench.work().launch(now, id, tcp(2));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert!(bench.is_drained());
}
