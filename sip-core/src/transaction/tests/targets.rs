//! Further targets of a request: at a name, on a failed flow, time-out or 503 (RFC 3263 §4.3).

use super::super::TARGETS;
use super::*;
use crate::transport::Target;

fn target(host: u8, transport: Transport) -> Target {
    Target { address: Address::v4(Ipv4Addr::new(192, 0, 2, host), 5060), transport }
}

fn udp(host: u8) -> Flow {
    Flow::to(target(host, Transport::Udp))
}

impl Bench {
    /// A parked request whose next hop is the first Route value, this one.
    fn routed(&mut self, route: &[u8]) -> TransactionId {
        let id = self.client(Method::Bye, Flow::NONE, 1);
        let block = self.work().block(id);
        let octets = self.octets.get_mut(block);
        let at = octets.windows(ROUTE.len()).position(|octets| octets == ROUTE).unwrap();
        octets[at..at + ROUTE.len()].copy_from_slice(route);
        assert_eq!(self.work().poll_parked(), Some(id));
        id
    }

    /// A parked request, answered with these targets.
    fn located(&mut self, method: Method<'_>, targets: &[Target]) -> TransactionId {
        let id = self.client(method, Flow::NONE, 1);
        assert_eq!(self.work().poll_parked(), Some(id));
        let now = self.now();
        self.work().resolved(now, id, targets);
        id
    }

    fn fail_over(&mut self, id: TransactionId, branch: u64) -> Option<TransactionId> {
        let now = self.now();
        self.work().fail_over(now, id, Token::new(branch))
    }
}

/// The Route value of the bench's requests.
const ROUTE: &[u8] = b"<sip:proxy.example.com;lr>";

fn hosts(count: u8) -> Vec<Target> {
    (1..=count).map(|host| target(host, Transport::Udp)).collect()
}

#[test]
fn a_request_that_times_out_goes_on_with_a_new_branch_until_no_target_is_left() {
    let mut bench = Bench::new(4);
    let mut id = bench.located(Method::Register, &hosts(9));
    for host in 1..=TARGETS as u8 {
        let sent = bench.sent();
        assert_eq!((sent.len(), sent[0].0), (1, udp(host)));
        assert!(
            sent[0].1.contains(&format!("branch=z9hG4bK{host:016x};rport"))
                && sent[0].1.contains("\r\nCSeq: 1 REGISTER\r\n")
        );
        bench.now += 32_000;
        let expired = bench.expire().unwrap();
        assert_eq!((expired.id, expired.kind), (id, ExpiredKind::TimedOut));
        let next = bench.fail_over(id, u64::from(host) + 1);
        assert_eq!(next.is_some(), host < TARGETS as u8);
        id = next.unwrap_or_default();
    }
    assert!(bench.is_drained());
}

#[cfg(feature = "failover")]
#[test]
fn a_503_leads_to_the_next_target_and_its_transaction_ends_as_ever() {
    let mut bench = Bench::new(4);
    let id = bench.located(Method::Invite, &hosts(2));
    bench.sent();
    assert!(bench.work().has_target(id));
    let next = bench.fail_over(id, 2).unwrap();
    assert_eq!(bench.response(&response(503, "INVITE", 1)), Some(ClientOutcome::Deliver));
    let sent = bench.sent();
    let lines: Vec<_> = sent.iter().map(|(flow, text)| (*flow, text.split(' ').next().unwrap())).collect();
    assert_eq!(lines, [(udp(1), "ACK"), (udp(2), "INVITE")]);
    assert_eq!(bench.work().user(next), User(7));
    assert!(!bench.work().has_target(next));
    assert_eq!(bench.fail_over(next, 3), None);
    // Its responses have the new branch, and the old CSeq.
    let answer = response(200, "INVITE", 2).replace("CSeq: 2", "CSeq: 1");
    assert_eq!(bench.response(&answer), Some(ClientOutcome::Deliver));
    bench.pass(40_000);
    assert!(bench.is_drained());
}

#[test]
fn a_target_that_answers_is_the_one() {
    for status in [100, 180, 404] {
        let mut bench = Bench::new(2);
        let id = bench.located(Method::Options, &hosts(3));
        assert_eq!(bench.response(&response(status, "OPTIONS", 1)), Some(ClientOutcome::Deliver));
        assert_eq!((bench.work().has_target(id), bench.fail_over(id, 2)), (false, None));
    }
}

#[cfg(feature = "failover")]
#[test]
fn what_was_not_sent_goes_on_as_it_is() {
    let mut bench = Bench::new(1);
    let id = bench
        .located(Method::Options, &[target(1, Transport::Tcp), target(2, Transport::None), target(3, Transport::Udp)]);
    assert_eq!((bench.work().poll_parked(), bench.work().flow(id)), (Some(id), Flow::to(target(1, Transport::Tcp))));
    bench.unreachable(id);
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].0), (1, udp(3)));
    assert!(sent[0].1.contains("branch=z9hG4bK0000000000000001;"));
    bench.work().abandon(id);
    assert!(bench.is_drained());
}

#[cfg(feature = "failover")]
#[test]
fn a_request_falls_back_where_its_name_has_no_address() {
    for targets in [&[][..], &[target(1, Transport::Tcp)]] {
        let mut bench = Bench::new(1);
        let id = bench.client(Method::Bye, Flow::NONE, 1);
        bench.work().set_fallback(id, tcp(3));
        bench.work().set_fallback(id, PEER);
        assert_eq!(bench.work().poll_parked(), Some(id));
        let now = bench.now();
        bench.work().resolved(now, id, targets);
        if !targets.is_empty() {
            assert_eq!(bench.work().poll_parked(), Some(id));
            bench.unreachable(id);
        }
        let sent = bench.sent();
        assert_eq!((sent.len(), sent[0].0), (1, tcp(3)));
        assert!(sent[0].1.contains("Via: SIP/2.0/TCP "));
    }
    // What was sent does not fall back, but it goes on to other targets.
    for (count, others) in [(1, false), (2, true)] {
        let mut bench = Bench::new(2);
        let id = bench.client(Method::Bye, Flow::NONE, 1);
        bench.work().set_fallback(id, PEER);
        assert_eq!(bench.work().poll_parked(), Some(id));
        let now = bench.now();
        bench.work().resolved(now, id, &hosts(count));
        assert_eq!(bench.sent().len(), 1);
        assert_eq!(bench.work().has_target(id), others);
        let next = bench.fail_over(id, 2);
        assert_eq!(next.is_some(), others);
        assert!(next.is_none_or(|next| !bench.work().has_target(next)));
    }
    // Without one it is over.
    let mut bench = Bench::new(1);
    let id = bench.located(Method::Bye, &[]);
    assert_eq!(bench.expire().map(|expired| (expired.id, expired.kind)), Some((id, ExpiredKind::FlowFailed)));
    assert!(bench.is_drained());
}

#[test]
fn without_room_there_is_no_further_target_and_no_harm() {
    let mut bench = Bench::new(2);
    let id = bench.client(Method::Options, Flow::NONE, 1);
    assert_eq!(bench.work().poll_parked(), Some(id));
    let rest = bench.octets.free() - 20;
    bench.octets.open(rest);
    let filled = bench.octets.keep(rest).unwrap();
    let now = bench.now();
    bench.work().resolved(now, id, &hosts(3));
    assert_eq!(bench.sent().len(), 1);
    assert!(!bench.work().has_target(id));
    bench.octets.release(filled);
    // There is room for the targets, and none for another transaction.
    let mut bench = Bench::new(1);
    let id = bench.located(Method::Options, &hosts(3));
    bench.sent();
    assert_eq!(bench.fail_over(id, 2), None);
    bench.pass(32_000);
    assert!(bench.is_drained());
}

/// By TLS because of where the request goes next, whatever its URI says and whoever has resolved the name.
#[test]
fn what_a_sips_route_leads_to_is_reached_by_tls_only() {
    for (route, secure) in [(ROUTE, false), (&b"<sips:proxy.exampl.com;lr>"[..], true)] {
        for plain in [Transport::Udp, Transport::Tcp] {
            let mut bench = Bench::new(2);
            let id = bench.routed(route);
            assert_eq!(bench.work().view().demands_tls(id), secure);
            // Neither by a plain target nor back to where the dialog's last message came from.
            bench.work().set_fallback(id, Flow { connection: 1, ..Flow::to(target(3, plain)) });
            let now = bench.now();
            bench.work().resolved(now, id, &[target(1, plain)]);
            let asked = bench.work().poll_parked();
            assert_eq!(asked.is_some() || !bench.sent().is_empty(), !secure);
            let kind = secure.then_some(ExpiredKind::Insecure);
            assert_eq!(bench.expire().map(|expired| expired.kind), kind);
            // One by TLS that stands behind it is taken.
            let mut bench = Bench::new(2);
            let id = bench.routed(route);
            let now = bench.now();
            bench.work().resolved(now, id, &[target(1, plain), target(2, Transport::Tls)]);
            let first = if secure { target(2, Transport::Tls) } else { target(1, plain) };
            assert_eq!(bench.work().flow(id), Flow::to(first));
        }
    }
}

#[cfg(feature = "failover")]
#[test]
fn what_is_kept_to_say_why_nothing_else_is_tried_is_no_target() {
    let mut bench = Bench::new(2);
    let id = bench.located(Method::Options, &[target(1, Transport::Tls), target(2, Transport::Tcp)]);
    assert_eq!(bench.work().flow(id), Flow::to(target(1, Transport::Tls)));
    assert!(!bench.work().has_target(id));
    // Behind another one by TLS.
    let mut bench = Bench::new(2);
    let targets = [target(1, Transport::Tls), target(2, Transport::Tcp), target(3, Transport::Tls)];
    let id = bench.located(Method::Options, &targets);
    assert!(bench.work().has_target(id));
    assert_eq!(bench.work().poll_parked(), Some(id));
    bench.unreachable(id);
    assert_eq!(bench.work().flow(id), Flow::to(target(3, Transport::Tls)));
    assert!(!bench.work().has_target(id));
}

/// A name's list may have plain targets before those by TLS. What failed is tried last, and that is no way to lose it.
#[cfg(feature = "deny")]
#[test]
fn a_plain_target_that_is_tried_last_because_it_failed_is_tried_behind_one_by_tls() {
    let [plain, secure, behind] = [target(1, Transport::Udp), target(2, Transport::Tls), target(3, Transport::Udp)];
    let mut bench = Bench::new(4);
    let first = bench.located(Method::Options, &[plain, secure]);
    assert_eq!(bench.sent().len(), 1);
    let now = bench.now();
    bench.work().flow_failed(now, Flow::to(plain));
    assert_eq!(bench.expire().map(|expired| expired.kind), Some(ExpiredKind::FlowFailed));
    // It goes on by TLS, and notes that the first one has failed.
    let next = bench.fail_over(first, 2).unwrap();
    assert_eq!(bench.work().flow(next), Flow::to(secure));
    bench.work().abandon(next);
    let id = bench.client(Method::Options, Flow::NONE, 3);
    while bench.work().poll_parked() != Some(id) {}
    let now = bench.now();
    bench.work().resolved(now, id, &[plain, secure, behind]);
    assert_eq!(bench.work().flow(id), Flow::to(secure));
    assert!(bench.work().has_target(id));
    assert_eq!(bench.work().poll_parked(), Some(id));
    bench.unreachable(id);
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].0), (1, Flow::to(plain)));
    // What stands behind the one by TLS in the list is never tried.
    assert!(!bench.work().has_target(id));
}
