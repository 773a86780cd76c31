//! What a proxy asks of the layer: responses passed on, branches with a suffix, Timer C, CANCEL (RFC 3261 §16, RFC 6026).

use super::super::Branch;
use super::*;

/// A response to a request that a proxy forwarded, as it comes back.
fn answer(status: u16, method: &str) -> String {
    format!(
        "SIP/2.0 {status} Odd reason\r\nVIA: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours ,\r\n SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1\r\n\
         From: <sip:bob@example.com>;tag=f\r\nTo: <sip:alice@example.com>;tag=t{status}\r\nCall-ID: 2@bob\r\n\
         CSeq: 4 {method}\r\nX-Unknown: kept\r\n\r\n"
    )
}

fn relay(bench: &mut Bench, id: TransactionId, text: &str) -> Result<(), Error> {
    let (now, message) = (bench.now(), Message::parse(text.as_bytes()).unwrap());
    bench.work().relay(now, id, &message, false)
}

#[test]
fn a_response_goes_on_as_it_came_without_our_via() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &request("INVITE", ";branch=z9hG4bKx1", ""));
    relay(&mut bench, id, &answer(183, "INVITE")).unwrap();
    let passed = answer(183, "INVITE").replace("VIA: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours ,\r\n ", "Via: ");
    assert_eq!(bench.sent(), [(PEER, passed.clone())]);
    // A repetition of the request gets it again.
    assert_eq!(bench.request(&request("INVITE", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent(), [(PEER, passed)]);
    assert!(matches!(relay(&mut bench, id, &answer(100, "INVITE")), Err(Error::Invalid(_))));
    assert!(!bench.work().has_final(id));
    // On a stream it gets the length that it must have.
    let id = bench.server(tcp(1), &request("OPTIONS", ";branch=z9hG4bKx1", ""));
    relay(&mut bench, id, &answer(200, "OPTIONS")).unwrap();
    assert!(bench.sent()[0].1.ends_with("X-Unknown: kept\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(relay(&mut bench, id, &answer(200, "OPTIONS")), Err(Error::Gone));
}

#[test]
fn every_2xx_goes_on_and_is_forgotten_when_it_is_sent() {
    let mut bench = Bench::new(1);
    let id = bench.server(PEER, &request("INVITE", ";branch=z9hG4bKx1", ""));
    for status in [200, 202, 200] {
        relay(&mut bench, id, &answer(status, "INVITE")).unwrap();
        // A socket that is full loses none.
        let polled = bench.work().poll_send().unwrap();
        bench.work().defer(polled);
        assert_eq!(bench.sent(), []);
        bench.work().flow_writable(PEER);
        assert_eq!(bench.sent_lines(), [format!("SIP/2.0 {status} Odd reason")]);
        bench.resend(TransactionId::NONE);
        // The Vias of the request are left, for the next one.
        assert!((1..64).contains(&bench.octets.used()), "{}", bench.octets.used());
    }
    for status in [183, 486] {
        assert_eq!(relay(&mut bench, id, &answer(status, "INVITE")), Err(Error::State));
    }
    bench.pass(32_000);
    assert!(bench.is_drained());
}

#[test]
fn a_user_that_gave_a_2xx_has_no_head_for_another() {
    let mut bench = Bench::new(1);
    let id = bench.server(PEER, &request("INVITE", ";branch=z9hG4bKx1", ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.respond(id, 200), Err(Error::State));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
}

#[test]
fn neither_1xx_nor_408_to_another_request_goes_on() {
    let mut bench = Bench::new(1);
    let id = bench.server(PEER, &request("INFO", ";branch=z9hG4bKx1", ""));
    for status in [100, 180, 408] {
        assert!(matches!(relay(&mut bench, id, &answer(status, "INFO")), Err(Error::Invalid(_))));
    }
    relay(&mut bench, id, &answer(503, "INFO")).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 503 Odd reason"]);
    // Its repetitions are answered, so it is kept.
    assert_eq!(bench.request(&request("INFO", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 503 Odd reason"]);
}

#[test]
fn a_message_can_be_forgotten_once_it_is_sent() {
    for sent in [false, true] {
        let mut bench = Bench::new(1);
        let id = bench.server(PEER, &request("OPTIONS", ";branch=z9hG4bKx1", ""));
        bench.respond(id, 200).unwrap();
        if sent {
            bench.sent();
        }
        bench.work().forget_when_sent(id);
        assert_eq!(bench.sent().len(), usize::from(!sent));
        bench.resend(TransactionId::NONE);
        assert_eq!((bench.octets.used(), bench.work().len()), (0, 1));
        bench.pass(32_000);
        assert!(bench.is_drained());
    }
}

#[test]
fn a_branch_may_have_a_suffix() {
    let suffix = b".0123456789abcdef";
    let branch = Branch::with_suffix(Token::new(1), suffix).unwrap();
    assert_eq!(Branch::with_suffix(Token::new(1), &[b'x'; Branch::LONGEST_SUFFIX + 1]), None);
    let mut bench = Bench::new(3);
    let written = |text: String| text.replace("z9hG4bK0000000000000001", "z9hG4bK0000000000000001.0123456789abcdef");
    let plain = bench.write(Method::Invite, 1);
    let text = written(String::from_utf8(bench.octets.get(plain).to_vec()).unwrap());
    bench.octets.release(plain);
    let block = bench.octets.write(400, false, |_, w| w.raw(text.as_bytes())).unwrap();
    let new = NewClient { block, flow: tcp(1), method: Method::Invite, branch, user: User(7), reserved: false };
    let now = bench.now();
    let id = bench.work().client(now, new).unwrap();
    assert!(bench.sent()[0].1.contains("SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK0000000000000001.0123456789abcdef"));
    assert_eq!(bench.response(&response(180, "INVITE", 1)), None);
    assert_eq!(bench.response(&written(response(180, "INVITE", 1))), Some(ClientOutcome::Deliver));
    bench.work().cancel(now, id, User(7), &|_, _| {}).unwrap();
    assert!(bench.sent()[0].1.contains("branch=z9hG4bK0000000000000001.0123456789abcdef"));
    assert_eq!(bench.response(&written(response(200, "CANCEL", 1))), Some(ClientOutcome::Deliver));
}

#[test]
fn timer_c_leads_to_a_cancel_and_the_487_is_acknowledged() {
    let mut bench = Bench::new(2);
    let id = bench.client(Method::Invite, PEER, 1);
    bench.sent();
    let now = bench.now();
    assert_eq!(bench.work().cancel(now, id, User(7), &|_, _| {}), Err(Error::State));
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Deliver));
    bench.work().timer_c(now, id, Duration::from_secs(181));
    assert_eq!(bench.pass(100_000), (vec![], vec![]));
    assert_eq!(bench.response(&response(183, "INVITE", 1)), Some(ClientOutcome::Deliver));
    let now = bench.now();
    bench.work().timer_c(now, id, Duration::from_secs(181));
    assert_eq!(bench.pass(181_000), (vec![], vec![(181_000, ExpiredKind::TimerC)]));
    let now = bench.now();
    let cancel = bench.work().cancel(now, id, User(7), &|_, w| w.header(HeaderName::Reason, b"SIP;cause=408")).unwrap();
    let sent = bench.sent().remove(0).1;
    assert!(
        sent.starts_with("CANCEL sip:bob@example.com SIP/2.0\r\n") && sent.contains("\r\nReason: SIP;cause=408\r\n")
    );
    assert_eq!(bench.response(&response(481, "CANCEL", 1)), Some(ClientOutcome::Deliver));
    assert!(bench.work().has_final(cancel) && !bench.work().has_final(id));
    assert_eq!(bench.response(&response(487, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.sent_lines(), ["ACK sip:bob@example.com SIP/2.0"]);
    let now = bench.now();
    assert_eq!(bench.work().cancel(now, id, User(7), &|_, _| {}), Err(Error::State));
    bench.pass(32_000);
    assert!(bench.is_drained());
}

#[test]
fn a_cancelled_invite_without_a_final_response_times_out() {
    let mut bench = Bench::new(2);
    let id = bench.client(Method::Invite, PEER, 1);
    bench.sent();
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Deliver));
    let now = bench.now();
    bench.work().cancel(now, id, User(7), &|_, _| {}).unwrap();
    assert_eq!(bench.response(&response(200, "CANCEL", 1)), Some(ClientOutcome::Deliver));
    let (_, ended) = bench.pass(32_000);
    assert!(ended.contains(&(32_000, ExpiredKind::TimedOut)));
    assert!(bench.is_drained());
}

#[test]
fn a_response_goes_on_with_the_vias_of_its_request_whatever_came_of_them() {
    let vias = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1,\r\n SIP/2.0/UDP a.example;branch=z9hG4bKa\r\n\
        Via: SIP/2.0/TCP b.example;branch=z9hG4bKb\r\n";
    let asked = request("INVITE", ";branch=z9hG4bKx1", "")
        .replace("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1\r\n", vias)
        .replace("From:", "Timestamp: 54\r\nFrom:");
    let ours = "VIA: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours";
    for forged in ["", ", SIP/2.0/UDP evil.example;branch=z9hG4bKe", "\r\nv: SIP/2.0/UDP evil.example", "\r\nVia: x"] {
        for method in ["INVITE", "OPTIONS"] {
            let mut bench = Bench::new(1);
            let id = bench.server(PEER, &asked.replace("INVITE", method));
            let came = answer(200, method).replace(" ,\r\n SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1", forged);
            relay(&mut bench, id, &came).unwrap();
            let expected = came.replace(&format!("{ours}{forged}\r\n"), vias);
            assert_eq!(bench.sent(), [(PEER, expected.clone())]);
            // And so does another 2xx to an INVITE.
            if method == "INVITE" {
                relay(&mut bench, id, &came).unwrap();
                assert_eq!(bench.sent(), [(PEER, expected)]);
                assert_eq!(bench.respond(id, 200), Err(Error::State), "of one's own there is no head");
            }
        }
    }
}

#[test]
fn a_head_can_be_written_when_a_response_of_ones_own_needs_it() {
    let text = request("INVITE", ";branch=z9hG4bKx1", "");
    let mut bench = Bench::new(1);
    let (now, message) = (bench.now(), Message::parse(text.as_bytes()).unwrap());
    let new = bench.work().receive_request(now, &message).new_request().unwrap();
    let server = NewServer { new, source: PEER, to_tag: b"", user: User(8), reserved: false };
    let id = bench.work().server_without_head(now, &message, server).unwrap();
    assert_eq!((bench.octets.used(), bench.request(&text)), (0, ServerMatch::Absorbed(id)));
    // No 100 goes out, and no response of its own.
    assert_eq!(bench.pass(300), (vec![], vec![]));
    assert_eq!(bench.respond(id, 486), Err(Error::State));
    relay(&mut bench, id, &answer(180, "INVITE")).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 180 Odd reason"]);
    let none = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours\r\nFrom: <sip:bob@example.com>;tag=f\r\n\
        To: <sip:alice@example.com>;tag=t\r\nCall-ID: 2@bob\r\nCSeq: 4 INVITE\r\n\r\n";
    assert!(matches!(relay(&mut bench, id, none), Err(Error::Invalid(_))));
    for _ in 0..2 {
        assert_eq!(bench.work().write_head(id, &message, PEER, b"ours", false), Ok(()));
    }
    bench.respond(id, 486).unwrap();
    let sent = bench.sent();
    assert!(sent[0].1.starts_with("SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1\r\n"));
    assert!(sent[0].1.contains("\r\nTo: <sip:alice@example.com>;tag=ours\r\n"));
    assert_eq!(bench.work().write_head(id, &message, PEER, b"ours", false), Err(Error::State));
    assert_eq!(bench.work().write_head(TransactionId::NONE, &message, PEER, b"ours", false), Err(Error::Gone));
    bench.pass(64_000);
    assert!(bench.is_drained());
}

#[test]
fn a_merged_request_is_as_good_as_a_new_one_to_a_proxy() {
    let mut bench = Bench::new(2);
    let first = bench.server(PEER, &request("INVITE", ";branch=z9hG4bKx1", ""));
    let (now, text) = (bench.now(), request("INVITE", ";branch=z9hG4bKx2", ""));
    let message = Message::parse(text.as_bytes()).unwrap();
    let found = bench.work().receive_request(now, &message);
    assert!(matches!(found, ServerMatch::Merged(_)));
    let new = found.new_request().unwrap();
    let server = NewServer { new, source: PEER, to_tag: b"b", user: User(8), reserved: false };
    let second = bench.work().server(now, &message, server).unwrap();
    for (id, branch) in [(first, "1"), (second, "2")] {
        let again = request("INVITE", &format!(";branch=z9hG4bKx{branch}"), "");
        let message = Message::parse(again.as_bytes()).unwrap();
        let found = bench.work().receive_request(now, &message);
        assert_eq!((found, found.new_request()), (ServerMatch::Absorbed(id), None));
    }
}

#[test]
fn an_invite_that_rings_can_be_kept_without_its_body() {
    let mut bench = Bench::new(2);
    let id = bench.client(Method::Invite, PEER, 1);
    let whole = bench.sent().remove(0).1;
    let head = whole.split_once("v=0").unwrap().0;
    bench.work().release_body(id, head.len());
    assert_eq!(bench.work().bytes(id), whole.as_bytes());
    assert_eq!(bench.response(&response(180, "INVITE", 1)), Some(ClientOutcome::Deliver));
    let used = bench.octets.used();
    for _ in 0..2 {
        bench.work().release_body(id, head.len());
    }
    assert_eq!(bench.work().bytes(id), head.as_bytes());
    assert!(bench.octets.used() < used);
    let now = bench.now();
    bench.work().cancel(now, id, User(7), &|_, _| {}).unwrap();
    assert_eq!(bench.response(&response(487, "INVITE", 1)), Some(ClientOutcome::Deliver));
    assert_eq!(bench.sent_lines(), ["CANCEL sip:bob@example.com SIP/2.0", "ACK sip:bob@example.com SIP/2.0"]);
    bench.pass(64_000);
    assert!(bench.is_drained());
}

#[cfg(feature = "failover")]
#[test]
fn a_request_that_is_sent_once_goes_to_the_next_target_of_its_name_and_has_no_transaction_there() {
    use crate::locate::{Question, question};
    use crate::transport::Target;
    let mut bench = Bench::new(2);
    let (block, now) = (bench.write(Method::Ack, 1), bench.now());
    let once = NewOnce { block, flow: Flow { listener: 3, ..Flow::NONE }, user: User(9), reserved: false };
    let id = bench.work().once(now, once).unwrap();
    assert_eq!(bench.work().poll_parked(), Some(id));
    let resolve =
        Question::Resolve { host: b"proxy.example.com", port: None, transport: Transport::None, secure: false };
    assert_eq!(question(bench.work().view(), id), Some(resolve));
    let target = |last: u8, transport| Target { address: Address::v4(Ipv4Addr::new(192, 0, 2, last), 5060), transport };
    let targets = [target(1, Transport::Udp), target(2, Transport::Tcp)];
    bench.work().resolved(now, id, &targets);
    assert_eq!(bench.work().poll_send(), Some(id));
    let first = Flow { listener: 3, ..Flow::to(targets[0]) };
    assert_eq!(bench.work().flow(id), first);
    bench.work().flow_failed(now, first);
    assert_eq!(bench.expire(), Some(Expired { id, user: User(9), kind: ExpiredKind::FlowFailed }));
    let next = bench.work().fail_over(now, id, Token::new(2)).unwrap();
    assert_eq!(bench.work().poll_parked(), Some(next));
    let connect = Question::Connect { target: targets[1], listener: 3, server_name: b"proxy.example.com" };
    assert_eq!(question(bench.work().view(), next), Some(connect));
    bench.work().launch(now, next, Flow { connection: 8, listener: 3, ..Flow::to(targets[1]) });
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].0.connection), (1, 8));
    assert!(sent[0].1.starts_with("ACK ") && sent[0].1.contains("SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK00000000"));
    assert!(bench.is_drained());
}

#[test]
fn a_request_that_moves_to_another_transport_stays_with_its_listener() {
    let mut bench = Bench::new(1);
    bench.layer.set_datagram_limit(100);
    let flow = Flow { listener: 2, ..PEER };
    let id = bench.client(Method::Options, flow, 1);
    assert_eq!(bench.work().poll_parked(), Some(id));
    assert!(bench.work().take_oversize(id).is_some());
    assert_eq!(bench.work().poll_parked(), Some(id));
    assert_eq!(bench.work().flow(id), Flow { transport: Transport::Tcp, ..flow });
    // Without a connection it is a datagram again, of the same listener.
    bench.unreachable(id);
    assert_eq!(bench.work().poll_parked(), Some(id));
    assert!(bench.work().take_oversize(id).is_some());
    assert_eq!((bench.work().poll_parked(), bench.work().flow(id)), (Some(id), flow));
    let now = bench.now();
    bench.work().launch(now, id, flow);
    assert_eq!(bench.sent()[0].0, flow);
}
