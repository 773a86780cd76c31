//! Server transactions: 100, retransmissions, matching, RFC 2543 peers, merged requests (RFC 3261 §17.2, §8.2.2.2).

use super::*;

pub(super) const BRANCH: &str = ";branch=z9hG4bKx1";

fn invite() -> String {
    request("INVITE", BRANCH, "")
}

fn ack(to_tag: &str) -> String {
    request("ACK", BRANCH, to_tag)
}

#[test]
fn an_invite_gets_its_100_then_each_response_again() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &invite());
    assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
    let (sent, _) = bench.pass(10_000);
    assert_eq!(sent, [(200, "SIP/2.0 100 Trying".to_owned())]);
    for (status, line) in [(180, "SIP/2.0 180 Ringing"), (183, "SIP/2.0 183 Session Progress")] {
        bench.respond(id, status).unwrap();
        assert_eq!(bench.sent_lines(), [line]);
        assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
        assert_eq!(bench.sent_lines(), [line]);
    }
    assert_eq!(bench.request(&ack("")), ServerMatch::Absorbed(id));
    assert!(!bench.work().has_final(id));
}

#[test]
fn a_response_has_the_head_of_its_request() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &request("INVITE", ":5070;rport;branch=z9hG4bKx1", ""));
    let now = bench.now();
    let rest = |w: &mut Writer<'_>| {
        w.header(HeaderName::Contact, b"<sip:alice@192.0.2.1>");
        w.body(b"application/sdp", b"v=0\r\n");
    };
    bench.work().respond(now, id, 200, Some(b"Sure"), false, |_, w| rest(w)).unwrap();
    assert_eq!(
        bench.sent(),
        [(
            PEER,
            "SIP/2.0 200 Sure\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;rport=5060;branch=z9hG4bKx1;received=192.0.2.9\r\n\
             From: <sip:bob@example.com>;tag=f\r\nTo: <sip:alice@example.com>;tag=b\r\nCall-ID: 2@bob\r\nCSeq: 4 INVITE\r\n\
             Record-Route: <sip:p.example.com;lr>\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Type: application/sdp\r\n\
             Content-Length: 5\r\n\r\nv=0\r\n"
                .to_owned()
        )]
    );
}

#[test]
fn a_refused_invite_is_answered_until_its_ack_comes() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &invite());
    bench.respond(id, 486).unwrap();
    let (sent, _) = bench.pass(8000);
    let times: Vec<_> = sent.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500]);
    assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 486 Busy Here"]);
    assert_eq!(bench.request(&ack(";tag=b")), ServerMatch::Absorbed(id));
    assert_eq!(bench.octets.used(), 0);
    assert_eq!(bench.request(&ack(";tag=b")), ServerMatch::Absorbed(id));
    assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
    assert_eq!(bench.pass(5000), (vec![], vec![(5000, ExpiredKind::Ended)]));
    assert!(bench.is_drained());
}

#[test]
fn a_refused_invite_without_an_ack_times_out() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &invite());
    bench.respond(id, 500).unwrap();
    let (sent, ended) = bench.pass(40_000);
    assert_eq!((sent.len(), ended), (11, vec![(32_000, ExpiredKind::TimedOut)]));
    assert!(bench.is_drained());
}

#[test]
fn an_accepted_invite_is_absorbed_and_its_2xx_is_the_users_to_repeat() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &invite());
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), [""; 0]);
    bench.resend(id);
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert_eq!(bench.request(&ack(";tag=b")), ServerMatch::Ack2xx(id, User(8)));
    assert_eq!(bench.request(&request("ACK", ";branch=z9hG4bKother", ";tag=b")), NEW);
    bench.resend(id);
    bench.work().release_message(id);
    assert_eq!((bench.sent_lines(), bench.octets.used()), (vec![], 0));
    bench.resend(id);
    assert_eq!(bench.sent_lines(), [""; 0]);
    assert_eq!(bench.request(&invite()), ServerMatch::Absorbed(id));
    assert_eq!(bench.pass(32_000), (vec![], vec![(32_000, ExpiredKind::Ended)]));
    assert!(bench.is_drained());
}

#[test]
fn another_request_is_answered_again_for_timer_j() {
    let mut bench = Bench::new(2);
    let text = request("OPTIONS", BRANCH, "");
    let id = bench.server(PEER, &text);
    assert_eq!(bench.request(&text), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), [""; 0]);
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    bench.now += 31_000;
    assert_eq!(bench.request(&text), ServerMatch::Absorbed(id));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert_eq!(bench.pass(1000), (vec![], vec![(1000, ExpiredKind::Ended)]));
    assert!(bench.is_drained());
}

#[test]
fn a_request_that_its_user_forgets_ends_silently() {
    let mut bench = Bench::new(2);
    let trying = bench.server(PEER, &request("OPTIONS", BRANCH, ""));
    let (sent, ended) = bench.pass(32_000);
    assert_eq!(sent, [(3500, "SIP/2.0 100 Trying".to_owned())]);
    assert_eq!(ended, [(32_000, ExpiredKind::Ended)]);
    assert!(bench.is_drained());
    assert_eq!(bench.respond(trying, 200), Err(Error::Gone));
}

#[test]
fn over_tcp_the_entry_goes_when_its_response_is_sent() {
    let mut bench = Bench::new(2);
    let id = bench.server(tcp(1), &request("OPTIONS", BRANCH, ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.work().poll_send(), Some(id));
    assert!(bench.work().lend(id).is_some());
    bench.work().defer(id);
    assert_eq!((bench.work().poll_send(), bench.work().len()), (None, 1));
    bench.work().flow_writable(tcp(1));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    assert!(bench.is_drained());
    // Or when its connection is lost before that.
    let id = bench.server(tcp(1), &request("OPTIONS", BRANCH, ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.work().poll_send(), Some(id));
    bench.work().defer(id);
    assert_eq!(bench.fail(tcp(1)), []);
    assert_eq!(bench.work().poll_parked(), Some(id));
    bench.unreachable(id);
    assert!(bench.is_drained());
    // A refused INVITE goes with its ACK.
    let id = bench.server(tcp(1), &invite());
    bench.respond(id, 404).unwrap();
    assert_eq!(bench.pass(20_000).0.len(), 1);
    assert_eq!(bench.request(&ack(";tag=b")), ServerMatch::Absorbed(id));
    assert!(bench.is_drained());
}

#[test]
fn a_final_response_is_given_once() {
    let mut bench = Bench::new(3);
    let id = bench.server(PEER, &invite());
    bench.respond(id, 180).unwrap();
    let before = bench.octets.used();
    let now = bench.now();
    let injected = |w: &mut Writer<'_>| w.header(HeaderName::Contact, b"<sip:a@b>\r\nX: y");
    let refused = bench.work().respond(now, id, 200, None, false, |_, w| injected(w));
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let refused = bench.work().respond(now, id, 200, None, false, |_, w| w.raw(&[b'x'; 6000]));
    assert!(matches!(refused, Err(Error::Capacity(Capacity::Octets { needed })) if needed > 6000));
    assert!(matches!(bench.respond(id, 99), Err(Error::Invalid(_))));
    assert_eq!((bench.octets.used(), bench.work().has_final(id)), (before, false));
    bench.respond(id, 200).unwrap();
    for status in [180, 200, 486] {
        assert_eq!(bench.respond(id, status), Err(Error::State));
    }
    let client = bench.client(Method::Options, PEER, 1);
    assert_eq!(bench.respond(client, 200), Err(Error::Gone));
}

#[test]
fn requests_match_by_branch_sent_by_and_method() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &request("INVITE", ":5060;branch=z9hG4bKx1", ""));
    for (text, matches) in [
        (request("INVITE", ":5060;branch=z9hG4bKx1", ""), true),
        (request("INVITE", ";branch=Z9HG4BKX1", ""), true),
        (request("INVITE", ";branch=z9hG4bKx1;received=192.0.2.9", ";tag=other"), true),
        (request("ACK", BRANCH, ";tag=b"), true),
        (request("INVITE", ":5070;branch=z9hG4bKx1", ";tag=t"), false),
        (request("INVITE", "9;branch=z9hG4bKx1", ";tag=t"), false),
        (request("CANCEL", BRANCH, ""), false),
        (request("OPTIONS", BRANCH, ";tag=t"), false),
        (request("INVITE", ";branch=z9hG4bKx2", ";tag=t"), false),
    ] {
        let expected = if matches { ServerMatch::Absorbed(id) } else { NEW };
        assert_eq!(bench.request(&text), expected, "{text}");
    }
}

#[test]
fn a_cancel_names_its_invite_and_has_a_transaction_of_its_own() {
    let mut bench = Bench::new(2);
    let id = bench.server(PEER, &invite());
    let text = request("CANCEL", BRANCH, "");
    let cancel = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(bench.work().find_cancelled(&cancel), Some((id, User(8))));
    let own = bench.server(PEER, &text);
    bench.respond(own, 200).unwrap();
    bench.respond(id, 487).unwrap();
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert_eq!(bench.request(&text), ServerMatch::Absorbed(own));
    assert_eq!(bench.sent_lines(), ["SIP/2.0 200 OK"]);
    let other = request("CANCEL", ";branch=z9hG4bKx2", "");
    assert_eq!(bench.work().find_cancelled(&Message::parse(other.as_bytes()).unwrap()), None);
}

#[test]
fn a_request_that_came_another_way_is_merged() {
    let mut bench = Bench::new(4);
    let id = bench.server(PEER, &invite());
    let twin = |method| request(method, ";branch=z9hG4bKtwin", "");
    assert_eq!(bench.request(&twin("INVITE")), MERGED);
    assert_eq!(bench.request(&twin("INVITE").replace("tag=f", "tag=F")), MERGED);
    assert_eq!(bench.request(&twin("INVITE").replace("tag=f", "tag=g")), NEW);
    assert_eq!(bench.request(&twin("INVITE").replace("CSeq: 4", "CSeq: 5")), NEW);
    assert_eq!(bench.request(&twin("INVITE").replace("2@bob", "3@bob")), NEW);
    assert_eq!(bench.request(&request("INVITE", ";branch=z9hG4bKtwin", ";tag=b")), NEW);
    assert_eq!(bench.request(&twin("ACK")), NEW);
    bench.server(PEER, &request("CANCEL", BRANCH, ""));
    assert_eq!(bench.request(&twin("CANCEL")), NEW);
    bench.work().abandon(id);
    assert_eq!(bench.request(&twin("INVITE")), NEW);
}

#[test]
fn peers_of_rfc_2543_are_matched_by_the_whole_request() {
    for via in ["", ";branch=1", ";branch=z9hG4bK"] {
        let mut bench = Bench::new(4);
        let text = request("INVITE", via, "");
        let id = bench.server(PEER, &text);
        assert_eq!(bench.request(&text), ServerMatch::Absorbed(id));
        let cancel = request("CANCEL", via, "");
        let cancel = Message::parse(cancel.as_bytes()).unwrap();
        assert_eq!(bench.work().find_cancelled(&cancel), Some((id, User(8))));
        bench.respond(id, 486).unwrap();
        // The ACK has the To tag of the response.
        for (from, to) in
            [("2@bob", "2@bo"), ("CSeq: 4", "CSeq: 5"), ("tag=f", "tag=g"), ("alice@192", "al@192"), ("2.9", "2.8")]
        {
            let other = request("ACK", via, ";tag=b").replace(from, to);
            assert_eq!(bench.request(&other), NEW, "{other}");
        }
        assert_eq!(bench.request(&request("ACK", via, ";tag=b")), ServerMatch::Absorbed(id));
        assert_eq!(bench.octets.used(), 0);
        let bye = bench.server(PEER, &request("BYE", via, ";tag=b"));
        assert_eq!(bench.request(&request("BYE", via, ";tag=b")), ServerMatch::Absorbed(bye));
        assert_eq!(bench.request(&request("BYE", via, ";tag=c")), NEW);
    }
}

#[test]
fn an_ack_to_a_2xx_from_a_peer_of_rfc_2543_finds_its_invite() {
    let mut bench = Bench::new(4);
    let id = bench.server(PEER, &request("INVITE", "", ""));
    bench.respond(id, 200).unwrap();
    assert_eq!(bench.request(&request("ACK", "", ";tag=b")), ServerMatch::Ack2xx(id, User(8)));
}

#[test]
fn a_slow_answer_to_another_request_gets_one_100_and_no_other_1xx_and_no_408() {
    for flow in [PEER, tcp(1)] {
        let mut bench = Bench::new(1);
        let text = request("OPTIONS", BRANCH, "");
        let id = bench.server(flow, &text);
        for status in [100, 180, 199, 408] {
            assert!(matches!(bench.respond(id, status), Err(Error::Invalid(_))), "{status}");
        }
        assert_eq!(bench.pass(3499), (vec![], vec![]));
        assert_eq!(bench.pass(1), (vec![(1, "SIP/2.0 100 Trying".to_owned())], vec![]));
        assert_eq!(bench.request(&text), ServerMatch::Absorbed(id));
        assert_eq!(bench.sent_lines(), ["SIP/2.0 100 Trying"]);
        bench.respond(id, 404).unwrap();
        assert_eq!(bench.sent_lines(), ["SIP/2.0 404 Not Found"]);
        bench.pass(32_000);
        assert!(bench.is_drained());
    }
}

#[test]
fn a_100_and_no_other_response_has_the_timestamp_of_its_request() {
    let rows = |text: &str| text.matches("Timestamp: 54.1 .25\r\n").count();
    for status in [180, 200, 486] {
        let mut bench = Bench::new(1);
        let id = bench.server(tcp(1), &invite().replace("Call-ID", "Timestamp: 54.1 .25\r\nCall-ID"));
        bench.now += 200;
        assert_eq!(bench.expire(), None);
        let trying = bench.sent().remove(0).1;
        assert_eq!((rows(&trying), trying.lines().next()), (1, Some("SIP/2.0 100 Trying")));
        Message::parse(trying.as_bytes()).unwrap();
        bench.respond(id, status).unwrap();
        let response = bench.sent().remove(0).1;
        assert!(response.contains("\r\nVia: ") && rows(&response) == 0, "{response}");
    }
}
