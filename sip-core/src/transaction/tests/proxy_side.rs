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
    let passed = answer(183, "INVITE").replace("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours ,\r\n ", "");
    assert_eq!(bench.sent(), [(PEER, passed.clone())]);
    // A repetition of the request gets it again.
    assert_eq!(bench.request(&request("INVITE", ";branch=z9hG4bKx1", "")), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent(), [(PEER, passed)]);
    for (text, state) in [
        (answer(100, "INVITE"), false),
        (answer(200, "INVITE").replace(" ,\r\n SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx1", ""), false),
    ] {
        assert_eq!(relay(&mut bench, id, &text) == Err(Error::State), state);
        assert!(matches!(relay(&mut bench, id, &text), Err(Error::Invalid(_))));
    }
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
        assert_eq!(bench.octets.used(), 0);
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
