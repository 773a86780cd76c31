//! What nobody should send, and a proxy without room: forged responses and CANCELs, Vias that were tampered with, tables that are
//! full.

mod office;

use core::net::SocketAddr;
use office::{HUB, Office, address};
use sip_core::message::{HeaderName, Message};
use sip_core::proxy::{Arrays, Config, Event, Proxy, Target};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Cause;
use sip_testkit::{Heard, NodeId, Wire};

/// Alice's INVITE at a scripted phone of bob.
fn ringing(seed: u64) -> (Office, NodeId, Wire, Heard) {
    let mut office = Office::new(seed);
    let alice = office.add("alice", "192.0.2.1:5060");
    let mut far = Wire::new("192.0.2.10:5060");
    office.bind("bob", "sip:bob@192.0.2.10", 1000);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let invite = far.expect(&office, "INVITE");
    (office, alice, far, invite)
}

#[test]
fn a_response_with_other_vias_than_the_request_goes_back_by_those_of_the_request() {
    for below in ["", "Via: SIP/2.0/UDP 198.51.100.66:5060;branch=z9hG4bKvictim\r\n", "Via: nonsense\r\n"] {
        let (mut office, alice, far, invite) = ringing(1);
        let hub = office.hub;
        let good = String::from_utf8(invite.response(486, "t", "", b"")).unwrap();
        let vias = invite.rows("Via");
        let forged = good.replace(&format!("Via: {}\r\n", vias[1]), below);
        assert_ne!(forged, good);
        far.send(&mut office, hub, forged.as_bytes());
        office.pause();
        assert_eq!(office.ended(alice), [(Cause::Rejected, 486)], "{below}\n{}", office.world.explain());
        office.settle();
    }
}

/// A provisional response, the first 2xx and a later one go back by the Vias of the request.
#[test]
fn whatever_its_status_a_response_goes_back_where_the_request_came_from() {
    const VICTIM: &str = "198.51.100.66:5060";
    for below in [String::new(), format!("Via: SIP/2.0/UDP {VICTIM};branch=z9hG4bKvictim\r\n")] {
        let (mut office, _, far, invite) = ringing(6);
        let hub = office.hub;
        let (contact, vias) = (far.contact(), invite.rows("Via"));
        for (status, tag) in [(183, "t"), (200, "t"), (200, "u")] {
            let good = String::from_utf8(invite.response(status, tag, &contact, b"")).unwrap();
            let forged = good.replace(&format!("Via: {}\r\n", vias[1]), &below);
            assert_ne!(forged, good);
            far.send(&mut office, hub, forged.as_bytes());
            office.pause();
        }
        let to_alice = office.world.ladder().datagrams().filter(|sent| sent.to == address("192.0.2.1:5060"));
        let answers: Vec<_> = to_alice.filter(|sent| !sent.bytes.starts_with(b"SIP/2.0 100")).collect();
        assert_eq!(answers.len(), 3, "{}", office.world.explain());
        for sent in answers {
            let message = Message::parse(&sent.bytes).unwrap();
            let found: Vec<_> = message.header_rows(HeaderName::Via).collect();
            assert_eq!(found, [vias[1].as_bytes()], "{}", String::from_utf8_lossy(&sent.bytes));
        }
        assert_eq!(office.lines(HUB, VICTIM), [""; 0]);
    }
}

/// The second 2xx of a fork goes back by the Vias of the request too.
#[test]
fn a_later_2xx_goes_back_by_the_vias_of_the_request() {
    let mut office = Office::new(6);
    let (mut near, mut far) = (Wire::new("192.0.2.9:5060"), Wire::new("192.0.2.10:5060"));
    office.bind("bob", "sip:bob@192.0.2.10", 1000);
    let hub = office.hub;
    let mut leg = near.leg("sip:bob@example.com");
    let rows = format!("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKbelow\r\n{}", near.contact());
    let invite = near.request(&mut leg, "INVITE", &rows, b"");
    near.send(&mut office, hub, &invite);
    office.pause();
    let invite = far.expect(&office, "INVITE");
    let own = invite.rows("Via");
    for (tag, below) in [("a", ""), ("b", "Via: SIP/2.0/UDP 198.51.100.66;branch=z9hG4bKvictim\r\n"), ("c", "")] {
        let good = String::from_utf8(invite.response(200, tag, "", b"")).unwrap();
        let forged = good.replace(&format!("Via: {}\r\nVia: {}\r\n", own[1], own[2]), below);
        assert_ne!(forged, good);
        far.send(&mut office, hub, forged.as_bytes());
        office.pause();
        let heard = near.expect(&office, "200");
        assert_eq!(
            (heard.rows("Via"), heard.to_tag()),
            (own[1..].to_vec(), tag.to_owned()),
            "{}",
            office.world.explain()
        );
    }
}

#[test]
fn a_response_with_another_branch_belongs_to_nobody() {
    let (mut office, alice, far, invite) = ringing(2);
    let hub = office.hub;
    let good = String::from_utf8(invite.response(200, "t", "", b"")).unwrap();
    let branch = invite.branch();
    let mut other = branch.clone();
    other.replace_range(10..11, if &branch[10..11] == "0" { "1" } else { "0" });
    far.send(&mut office, hub, good.replacen(&branch, &other, 1).as_bytes());
    far.send(&mut office, hub, good.replacen(&branch, "z9hG4bKx", 1).as_bytes());
    office.pause();
    assert_eq!((office.ended(alice).len(), office.world.stats().strays), (0, 2));
    far.respond(&mut office, hub, &invite, 404, "");
    office.settle();
}

#[test]
fn a_cancel_from_elsewhere_cancels_nothing() {
    let (mut office, alice, mut far, _) = ringing(3);
    let invite = office.world.ladder().datagrams().next().expect("the INVITE").bytes.clone();
    let text = String::from_utf8(invite).unwrap();
    let head = text.split_once("\r\n\r\n").unwrap().0.replace("INVITE", "CANCEL");
    let cancel: String =
        head.lines().filter(|row| !row.starts_with("Content")).map(|row| format!("{row}\r\n")).collect();
    let thief = address("198.51.100.66:5060");
    office.world.inject(thief, address(HUB), format!("{cancel}\r\n").as_bytes());
    office.pause();
    far.expect_nothing(&office);
    assert_eq!(office.lines(HUB, "198.51.100.66:5060"), ["481"], "{}", office.world.explain());
    // From where the INVITE came, it does.
    office.world.inject(address("192.0.2.1:5060"), address(HUB), format!("{cancel}\r\n").as_bytes());
    let hub = office.hub;
    office.pause();
    assert!(office.lines(HUB, "192.0.2.1:5060").contains(&"200".to_owned()));
    let _ = (alice, hub);
}

#[test]
fn a_made_up_record_route_of_ours_leads_nowhere_else() {
    let mut office = Office::new(4);
    let (mut near, mut far) = (Wire::new("192.0.2.9:5060"), Wire::new("192.0.2.10:5060"));
    let hub = office.hub;
    let mut leg = near.leg("sip:far@192.0.2.10");
    let rows = format!(
        "Record-Route: <sip:{HUB};lr>\r\nRoute: <sip:{HUB};lr>, <sip:{HUB};lr>, <sip:{HUB};lr>\r\n{}",
        near.contact()
    );
    let invite = near.request(&mut leg, "INVITE", &rows, b"");
    near.send(&mut office, hub, &invite);
    office.pause();
    let heard = far.expect(&office, "INVITE");
    assert_eq!((heard.rows("Route").len(), heard.rows("Record-Route").len(), heard.rows("Via").len()), (0, 2, 2));
}

#[test]
fn a_tag_that_was_guessed_is_no_tag_of_ours() {
    // An ACK is absorbed only when its tag was made here, for its own branch.
    let mut office = Office::new(5);
    let (mut near, mut far) = (Wire::new("192.0.2.9:5060"), Wire::new("192.0.2.10:5060"));
    let hub = office.hub;
    let mut leg = near.leg("sip:far@192.0.2.10");
    leg.remote.push_str(";tag=0123456789abcdef");
    let ack = near.request(&mut leg, "ACK", "", b"");
    near.send(&mut office, hub, &ack);
    office.pause();
    far.expect(&office, "ACK");
}

// ----- Without a network: a proxy with little room. -----

const NOW: Instant = Instant::from_millis(1000);

fn flow(text: &str) -> Flow {
    Flow::udp(Address::from(text.parse::<SocketAddr>().unwrap()))
}

fn request(method: &str, number: u32, uri: &str, to_tag: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{to_tag}\r\nCall-ID: {number}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Gives a message, and what was sent then as first lines.
fn give<M: sip_core::proxy::Memory>(proxy: &mut Proxy<M>, text: &str) -> (Received<Event>, Vec<String>) {
    let message = Message::parse(text.as_bytes()).unwrap();
    let received = proxy.receive(NOW, flow("192.0.2.9:5060"), &message);
    (received, drain(proxy))
}

fn drain<M: sip_core::proxy::Memory>(proxy: &mut Proxy<M>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(action) = proxy.poll_action(NOW) {
        if let Action::Send { bytes, .. } = action {
            lines.push(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned());
        }
    }
    lines
}

fn proxy<const T: usize, const C: usize, const B: usize, const O: usize>() -> Proxy<Arrays<T, C, B, O>> {
    let mut proxy = Proxy::new(Arrays::new());
    proxy.start(&Config::new(&[HUB]).with_domains(&["example.com"]), [5; 16]).unwrap();
    proxy
}

#[test]
fn a_proxy_without_room_still_hangs_calls_up() {
    // Each table in turn is the one that is full.
    let mut contexts = proxy::<64, 1, 8, 32_768>();
    let mut branches = proxy::<64, 8, 1, 32_768>();
    let mut transactions = proxy::<3, 8, 8, 32_768>();
    let mut octets = proxy::<64, 8, 8, 2600>();
    full("contexts", &mut contexts);
    full("branches", &mut branches);
    full("transactions", &mut transactions);
    full("octets", &mut octets);
}

fn full<M: sip_core::proxy::Memory>(which: &str, proxy: &mut Proxy<M>) {
    const FAR: &str = "sip:far@192.0.2.10";
    let mut refused = 0;
    for number in 0..10 {
        let (_, sent) = give(proxy, &request("INVITE", number, FAR, ""));
        assert_eq!(sent.len(), 1, "{which} {number}: {sent:?} {:?} {:?}", proxy.occupancy(), proxy.statistics());
        if sent[0].starts_with("SIP/2.0 503") {
            refused += 1;
        } else {
            assert!(sent[0].starts_with("INVITE") && refused == 0, "{which}: {sent:?}");
        }
    }
    assert!(refused > 0, "{which} is not full");
    if which != "transactions" && which != "octets" {
        // What is in a dialog goes on without a transaction, and its answer comes back.
        let bye = request("BYE", 50, FAR, ";tag=2");
        let (_, sent) = give(proxy, &bye);
        assert_eq!(sent, ["BYE sip:far@192.0.2.10 SIP/2.0"], "{which}");
        assert!(proxy.statistics().stateless > 0);
    }
    assert!(proxy.statistics().refused > 0);
    // What was cancelled is cancelled: that was set aside.
    let cancel = request("CANCEL", 0, FAR, "").replace("z9hG4bKCANCEL0", "z9hG4bKINVITE0");
    let (_, sent) = give(proxy, &cancel);
    assert_eq!(sent, ["SIP/2.0 200 OK"], "{which}");
}

#[test]
fn the_answer_to_what_went_without_a_transaction_comes_back() {
    let mut proxy = proxy::<64, 1, 8, 32_768>();
    let _ = give(&mut proxy, &request("INVITE", 1, "sip:far@192.0.2.10", ""));
    let bye = request("BYE", 2, "sip:far@192.0.2.10", ";tag=2");
    let message = Message::parse(bye.as_bytes()).unwrap();
    let _ = proxy.receive(NOW, flow("192.0.2.9:5060"), &message);
    let Some(Action::Send { bytes, .. }) = proxy.poll_action(NOW) else { panic!("no BYE") };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let head: String =
        text.lines().skip(1).filter(|row| !row.starts_with("Max-")).map(|row| format!("{row}\r\n")).collect();
    assert_eq!(drain(&mut proxy), [""; 0]);
    let (received, sent) = give(&mut proxy, &format!("SIP/2.0 200 OK\r\n{head}"));
    assert_eq!((received, sent), (Received::Nothing, vec!["SIP/2.0 200 OK".to_owned()]));
}

#[test]
fn a_question_that_has_no_room_is_a_503() {
    let mut proxy = proxy::<64, 1, 8, 32_768>();
    let (first, _) = give(&mut proxy, &request("MESSAGE", 1, "sip:bob@example.com", ""));
    let Received::Event(Event::Request { request: asked, .. }) = first else { panic!("a question") };
    let (second, sent) = give(&mut proxy, &request("MESSAGE", 2, "sip:bob@example.com", ""));
    assert_eq!((second, sent[0].as_str()), (Received::Nothing, "SIP/2.0 503 Service Unavailable"));
    proxy.forward(NOW, asked, &[Target::new(b"sip:bob@192.0.2.10")], None).unwrap();
    assert_eq!(drain(&mut proxy), ["MESSAGE sip:bob@192.0.2.10 SIP/2.0"]);
    assert_eq!(proxy.respond(NOW, asked, 200, &[]), Ok(()));
    assert_eq!(proxy.respond(NOW, asked, 200, &[]), Err(sip_core::error::Error::Gone));
}

/// An answer that has no room is a 503, and nothing is held.
#[test]
fn an_answer_that_has_no_room_is_a_503() {
    let mut proxy = proxy::<64, 8, 8, 3000>();
    let (first, _) = give(&mut proxy, &request("MESSAGE", 1, "sip:bob@example.com", ""));
    let Received::Event(Event::Request { request: asked, .. }) = first else { panic!("a question") };
    let long = [b'x'; 4000];
    let body = |w: &mut sip_core::message::Writer<'_>| {
        w.header(HeaderName::Subject, &long);
        w.finish_without_body();
    };
    let done = proxy.refuse_with(NOW, asked, 404, &body);
    assert!(matches!(done, Err(sip_core::error::Error::Capacity(_))), "{done:?}");
    assert_eq!(drain(&mut proxy), ["SIP/2.0 503 Service Unavailable"]);
    let held = proxy.occupancy();
    assert_eq!((held.contexts, held.transactions), (0, 0), "{held:?}");
    assert_eq!(proxy.refuse(NOW, asked, 404, &[]), Err(sip_core::error::Error::Gone));
}
