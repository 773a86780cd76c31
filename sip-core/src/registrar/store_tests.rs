//! Bindings come, are found, and go: by their time, with their connection, and as a whole.

use super::*;
use crate::message::WriteError;
use crate::random::Random;
use crate::registrar::{Arrays, LoadError, Memory};
use crate::transport::{Address, Transport};
use core::net::Ipv4Addr;
use std::string::String;
use std::vec::Vec;

const EPOCH: u64 = 1_700_000_000;

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

struct World<const N: usize, const OCTETS: usize> {
    registrar: Registrar,
    memory: Arrays<N, OCTETS>,
    now: Instant,
}

fn udp(last: u8) -> Flow {
    Flow::udp(Address::v4(Ipv4Addr::new(192, 0, 2, last), 5060))
}

fn tcp(connection: u32) -> Flow {
    Flow { connection, transport: Transport::Tcp, ..udp(1) }
}

fn request(user: &str, rows: &str) -> String {
    std::format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\n{rows}Content-Length: 0\r\n\r\n"
    )
}

impl<const N: usize, const OCTETS: usize> World<N, OCTETS> {
    fn new() -> Self {
        let mut registrar = Registrar::ZERO;
        registrar.start(Random::new([3; 16]).hash_key(), EPOCH, Policy::new());
        Self { registrar, memory: Arrays::new(), now: at(10) }
    }

    fn bindings(&mut self) -> Bindings<'_, crate::memory::Pool<OCTETS>> {
        let (table, octets) = self.memory.parts();
        Bindings::new(&mut self.registrar, table, octets)
    }

    fn register(&mut self, user: &str, flow: Flow, call: (&str, u32), rows: &str) -> Result<(), Refusal> {
        let text = request(user, &std::format!("Call-ID: {}\r\nCSeq: {} REGISTER\r\n{rows}", call.0, call.1));
        let request = Message::parse(text.as_bytes()).unwrap();
        let to = request.to().uri().unwrap();
        let aor = Aor::of(&to).unwrap();
        let now = self.now;
        let register = Register { request: &request, flow, order: NonceOrder::ZERO, own: &|_| false };
        self.bindings().register(now, &aor, &register)
    }

    fn contacts(&mut self, user: &str) -> Vec<String> {
        let uri = std::format!("sip:{user}@example.com");
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        let bindings = self.bindings();
        let view = bindings.view();
        let found = view.find(&Aor::of(&uri).unwrap());
        let contact = |id: &BindingId| String::from_utf8(view.info(*id).unwrap().contact.to_vec()).unwrap();
        found.iter().map(contact).collect()
    }

    /// What is told, each with its contact.
    fn told(&mut self) -> Vec<(Change, String)> {
        let mut bindings = self.bindings();
        let mut told = Vec::new();
        while let Some(event) = bindings.poll_event() {
            let info = bindings.view().info(event.binding).unwrap();
            told.push((event.change, String::from_utf8(info.contact.to_vec()).unwrap()));
        }
        told
    }

    fn record(&mut self, user: &str) -> Vec<u8> {
        let uri = std::format!("sip:{user}@example.com");
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        let now = self.now;
        let bindings = self.bindings();
        let view = bindings.view();
        let id = view.find(&Aor::of(&uri).unwrap())[0];
        let mut room = std::vec![0; 4096];
        let mut w = Writer::new(&mut room);
        view.write_record(now, id, &mut w);
        let length = w.finish().unwrap();
        room.truncate(length);
        room
    }

    fn used(&mut self) -> usize {
        self.memory.view().1.used()
    }
}

fn owned(told: &[(Change, &str)]) -> Vec<(Change, String)> {
    told.iter().map(|(change, contact)| (*change, String::from(*contact))).collect()
}

#[test]
fn bindings_come_are_refreshed_expire_and_leave_nothing() {
    let mut world = World::<4, 2048>::new();
    world
        .register(
            "bob",
            udp(1),
            ("c", 1),
            "Contact: <sip:bob@192.0.2.1>;q=0.5;expires=60\r\nContact: <sip:bob@192.0.2.2>;expires=90\r\n",
        )
        .unwrap();
    assert_eq!(world.contacts("bob"), ["sip:bob@192.0.2.2", "sip:bob@192.0.2.1"]);
    assert_eq!(
        world.told(),
        owned(&[(Change::Registered, "sip:bob@192.0.2.1"), (Change::Registered, "sip:bob@192.0.2.2")])
    );
    world.now = at(60);
    world.register("bob", udp(1), ("c", 2), "Contact: <sip:bob@192.0.2.1>;expires=60\r\n").unwrap();
    assert_eq!(world.told(), owned(&[(Change::Refreshed, "sip:bob@192.0.2.1")]));
    assert_eq!(world.bindings().view().poll_timeout(), Some(at(100)));
    world.bindings().handle_timeout(at(99));
    assert_eq!(world.contacts("bob").len(), 2);
    world.bindings().handle_timeout(at(100));
    assert_eq!(world.contacts("bob"), ["sip:bob@192.0.2.1"]);
    assert_eq!(world.told(), owned(&[(Change::Expired, "sip:bob@192.0.2.2")]));
    world.register("bob", udp(1), ("c", 3), "Contact: *\r\nExpires: 0\r\n").unwrap();
    assert_eq!(world.told(), owned(&[(Change::Removed, "sip:bob@192.0.2.1")]));
    assert!(world.contacts("bob").is_empty());
    assert_eq!(world.bindings().poll_event(), None);
    assert_eq!((world.used(), world.bindings().view().len()), (0, 0));
}

/// Fault 15 of others (OpenSIPS 346, kamailio 6 and 280): a refresh with a new Call-ID, and the order is judged by the old one.
#[test]
fn call_id_and_cseq_are_those_of_the_last_request() {
    let mut world = World::<4, 2048>::new();
    let contact = "Contact: <sip:bob@192.0.2.1>\r\n";
    world.register("bob", udp(1), ("first", 100), contact).unwrap();
    world.register("bob", udp(1), ("second", 1), contact).unwrap();
    assert_eq!(world.register("bob", udp(1), ("second", 1), contact), Ok(()));
    assert_eq!(world.register("bob", udp(1), ("second", 0), contact), Err(Refusal::OutOfOrder));
    assert_eq!(world.register("bob", udp(1), ("second", 2), contact), Ok(()));
    // The record has the same.
    let record = world.record("bob");
    let mut after = World::<4, 2048>::new();
    assert_eq!(after.bindings().load(at(20), &record), Ok(1));
    assert_eq!(after.register("bob", udp(1), ("second", 1), contact), Err(Refusal::OutOfOrder));
    assert_eq!(after.register("bob", udp(1), ("second", 3), contact), Ok(()));
}

/// Fault 16 of others (kamailio 497, siphon 373): a 200 for what was not stored, and refusals that kept half.
#[test]
fn all_is_stored_or_nothing() {
    let mut world = World::<2, 4096>::new();
    world.register("bob", udp(1), ("c", 1), "Contact: <sip:bob@192.0.2.1>\r\n").unwrap();
    let before = (world.record("bob"), world.used());
    let two = "Contact: <sip:bob@192.0.2.1>;expires=100, <sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>\r\n";
    assert_eq!(world.register("bob", udp(1), ("c", 2), two), Err(Refusal::Full));
    assert_eq!((world.record("bob"), world.used()), before);
    // Octets that are too few refuse the same, at whichever contact they end.
    let mut small = World::<4, 400>::new();
    small.register("bob", udp(1), ("c", 1), "Contact: <sip:bob@192.0.2.1>\r\n").unwrap();
    let before = (small.record("bob"), small.used());
    for length in 1..30 {
        let long = std::format!("Contact: <sip:bob@192.0.2.1>;expires=100, <sip:bob@{}>\r\n", "h".repeat(length * 20));
        if small.register("bob", udp(1), ("c", 2), &long).is_err() {
            assert_eq!((small.record("bob"), small.used()), before, "{length}");
            continue;
        }
        small.register("bob", udp(1), ("c", 3), "Contact: *\r\nExpires: 0\r\n").unwrap();
        small = World::new();
        small.register("bob", udp(1), ("c", 1), "Contact: <sip:bob@192.0.2.1>\r\n").unwrap();
    }
    let too_long = std::format!("Contact: <sip:bob@{}>\r\n", "h".repeat(2048));
    assert_eq!(world.register("bob", udp(1), ("c", 2), &too_long), Err(Refusal::Forbidden));
}

/// Fault 18 of others (OpenSIPS 1035 and 1769, drachtio-srf 57): bindings that outlive their connection, and one that is deleted
/// by the end of the connection that it had before.
#[test]
fn a_binding_leaves_with_its_own_connection() {
    let mut world = World::<8, 4096>::new();
    let contact = "Contact: <sip:bob@192.0.2.1;transport=tcp>\r\n";
    world.register("bob", tcp(1), ("c", 1), contact).unwrap();
    world.register("carol", tcp(1), ("d", 1), "Contact: <sip:carol@192.0.2.1;transport=tcp>\r\n").unwrap();
    world.register("dave", tcp(2), ("e", 1), "Contact: <sip:dave@192.0.2.1;transport=tcp>\r\n").unwrap();
    // Bob has a new connection, and then the old one ends.
    world.register("bob", tcp(3), ("c", 2), contact).unwrap();
    world.told();
    world.bindings().flow_failed(tcp(1));
    assert_eq!(world.told(), owned(&[(Change::Removed, "sip:carol@192.0.2.1;transport=tcp")]));
    assert_eq!((world.contacts("bob").len(), world.contacts("carol").len(), world.contacts("dave").len()), (1, 0, 1));
    // A datagram that did not arrive takes nothing away.
    world.register("erin", udp(1), ("f", 1), "Contact: <sip:erin@192.0.2.1>\r\n").unwrap();
    world.bindings().flow_failed(udp(1));
    assert_eq!(world.contacts("erin").len(), 1);
}

#[test]
fn who_sent_the_request_is_reached_the_same_way_and_others_as_their_uri_says() {
    let flow = |rows: &str| {
        let mut world = World::<8, 8192>::new();
        let supported = std::format!("Supported: path, outbound\r\n{rows}");
        world.register("bob", udp(7), ("c", 2), &supported).unwrap();
        world.told();
        let uri = Uri::parse(b"sip:bob@example.com").unwrap();
        let bindings = world.bindings();
        let view = bindings.view();
        let id = view.find(&Aor::of(&uri).unwrap())[0];
        let info = view.info(id).unwrap();
        (info.flow, String::from_utf8(info.path.to_vec()).unwrap())
    };
    let none = String::new();
    // Behind a NAT: the Via and the Contact have the address that the phone knows, the flow the one that the server sees.
    assert_eq!(flow("Contact: <sip:bob@192.0.2.1>\r\n"), (udp(7), none.clone()));
    assert_eq!(flow("Contact: <sip:bob@192.0.2.7:5060>\r\n"), (udp(7), none.clone()));
    assert_eq!(flow("Contact: <sip:bob@192.0.2.1:5070>\r\n"), (Flow::NONE, none.clone()));
    assert_eq!(flow("Contact: <sip:bob@pbx.example.org>\r\n"), (Flow::NONE, none.clone()));
    assert_eq!(flow("Contact: <sip:bob@pbx.example.org;ob>\r\n"), (udp(7), none));
    let path = "Contact: <sip:bob@192.0.2.1>\r\nPath: <sip:one.example;lr>,\r\n <sip:two.example;lr>\r\nPath: <sip:three.example;lr;ob>\r\n";
    let (way, stored) = flow(path);
    assert_eq!(
        (way, stored.as_str()),
        (Flow::NONE, "<sip:one.example;lr>, <sip:two.example;lr>, <sip:three.example;lr;ob>")
    );
}

#[test]
fn a_path_needs_a_client_and_an_edge_that_speak_of_it() {
    let mut world = World::<8, 8192>::new();
    let contact = "Contact: <sip:bob@192.0.2.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    for (rows, refusal) in [
        ("Path: <sip:edge.example;lr>\r\n", Refusal::NoPathSupport),
        ("Supported: path\r\nPath: edge.example\r\n", Refusal::BadRequest),
        ("Supported: path\r\nPath: <tel:+1>\r\n", Refusal::BadRequest),
        // 439 only for who has asked for outbound (RFC 5626 §6), fault 19 of others.
        ("Supported: path, outbound\r\nPath: <sip:edge.example;lr>\r\n", Refusal::FirstHopLacksOutbound),
    ] {
        assert_eq!(world.register("bob", udp(1), ("c", 1), &std::format!("{contact}{rows}")), Err(refusal), "{rows}");
    }
    for rows in [
        "Supported: path\r\nPath: <sip:edge.example;lr>\r\n",
        "Supported: path, outbound\r\nPath: <sip:edge.example;lr;ob>\r\n",
    ] {
        assert_eq!(world.register("bob", udp(1), ("c", 1), &std::format!("{contact}{rows}")), Ok(()), "{rows}");
    }
}

#[test]
fn a_200_lists_every_binding_with_what_it_has_left() {
    let mut world = World::<8, 8192>::new();
    world.register("bob", udp(1), ("c", 1), "Contact: <sip:bob@192.0.2.2>;q=0.025;expires=100\r\n").unwrap();
    world.now = at(39) + Duration::from_millis(1);
    let rows = "Supported: path, outbound\r\nContact: <sip:bob@192.0.2.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    world.register("bob", udp(1), ("c", 2), rows).unwrap();
    let text = request("bob", &std::format!("Call-ID: c\r\nCSeq: 2 REGISTER\r\n{rows}"));
    let request = Message::parse(text.as_bytes()).unwrap();
    let to = request.to().uri().unwrap();
    let now = world.now;
    let mut room = [0; 500];
    let mut w = Writer::new(&mut room);
    world.bindings().view().write_accepted(now, &mut w, &request, &Aor::of(&to).unwrap());
    let length = w.finish().unwrap();
    assert_eq!(
        core::str::from_utf8(&room[..length]).unwrap(),
        "Contact: <sip:bob@192.0.2.1>;expires=3600;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n\
        Contact: <sip:bob@192.0.2.2>;expires=71;q=0.025\r\nRequire: outbound\r\n"
    );
}

#[test]
fn a_record_is_read_as_it_was_written_or_not_at_all() {
    let mut world = World::<8, 8192>::new();
    let rows = "Supported: path\r\nPath: <sip:edge.example;lr>\r\n\
        Contact: <sip:bob@192.0.2.1>;+sip.instance=\"<urn:uuid:1>\";q=0.3, <sip:bob@192.0.2.2>;expires=60\r\n";
    world.register("bob", udp(1), ("c", 1), rows).unwrap();
    world.register("carol", tcp(5), ("d", 7), "Contact: <sip:carol@192.0.2.1;transport=tcp>\r\n").unwrap();
    let records: Vec<Vec<u8>> = ["bob", "carol"].iter().map(|user| world.record(user)).collect();
    assert_eq!(world.bindings().view().aors().count(), 2);

    let mut after = World::<8, 8192>::new();
    for record in &records {
        for end in 0..record.len() {
            assert_eq!(after.bindings().load(at(10), &record[..end]), Err(LoadError::Malformed), "{end}");
        }
        let mut longer = record.clone();
        longer.push(0);
        assert_eq!(after.bindings().load(at(10), &longer), Err(LoadError::Malformed));
        longer[0] = 2;
        assert_eq!(after.bindings().load(at(10), &longer), Err(LoadError::Version(2)));
        assert_eq!((after.used(), after.bindings().view().len()), (0, 0));
    }
    let taken = |after: &mut World<8, 8192>, seconds| -> Vec<_> {
        records.iter().map(|record| after.bindings().load(at(seconds), record)).collect()
    };
    assert_eq!(taken(&mut after, 10), [Ok(2), Ok(1)]);
    assert_eq!(after.told(), []);
    assert_eq!((after.contacts("bob"), after.contacts("carol")), (world.contacts("bob"), world.contacts("carol")));
    // A connection of before is none now; the rest is what was written.
    assert_eq!(after.record("bob"), records[0]);
    let bindings = after.bindings();
    assert!(
        bindings
            .view()
            .iter()
            .filter(|(_, info)| info.aor.starts_with(b"sip:carol"))
            .all(|(_, info)| info.flow.is_none())
    );
    // Once more: nothing that is there is older.
    assert_eq!(taken(&mut after, 10), [Ok(0), Ok(0)]);
    assert_eq!(after.told(), []);
    // Later, what has expired is left out.
    let mut later = World::<8, 8192>::new();
    assert_eq!(taken(&mut later, 75), [Ok(1), Ok(1)]);
    let mut small = World::<1, 8192>::new();
    assert_eq!(small.bindings().load(at(10), &records[0]), Err(LoadError::Full));
    assert_eq!((small.used(), small.bindings().view().len()), (0, 0));
}

#[test]
fn a_record_of_nobody_is_empty() {
    let mut world = World::<8, 8192>::new();
    world.register("bob", udp(1), ("c", 1), "Contact: <sip:bob@192.0.2.1>\r\n").unwrap();
    world.told();
    world.register("bob", udp(1), ("c", 2), "Contact: *\r\nExpires: 0\r\n").unwrap();
    let now = world.now;
    let mut bindings = world.bindings();
    let event = bindings.poll_event().unwrap();
    assert_eq!(bindings.view().info(event.binding).unwrap().aor, b"sip:bob@example.com");
    let mut w = Writer::counting();
    bindings.view().write_record(now, event.binding, &mut w);
    assert_eq!((w.len(), w.finish()), (0, Ok::<usize, WriteError>(0)));
}

#[test]
fn ten_thousand_addresses_are_no_dearer_than_ten() {
    // What a look-up costs is counted in table_tests.rs; here: all are found, and all go, with one connection.
    let mut registrar = Registrar::ZERO;
    registrar.start(Random::new([3; 16]).hash_key(), EPOCH, Policy::new());
    let mut memory = Box::new(Arrays::<512, 60_000>::new());
    let (table, octets) = memory.parts();
    let mut bindings = Bindings::new(&mut registrar, table, octets);
    for user in 0..500 {
        let text = request(
            &std::format!("u{user}"),
            "Call-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@192.0.2.1;transport=tcp>\r\n",
        );
        let request = Message::parse(text.as_bytes()).unwrap();
        let to = request.to().uri().unwrap();
        let register = Register { request: &request, flow: tcp(1), order: NonceOrder::ZERO, own: &|_| false };
        bindings.register(at(1), &Aor::of(&to).unwrap(), &register).unwrap();
    }
    while bindings.poll_event().is_some() {}
    assert_eq!((bindings.view().len(), bindings.view().aors().count()), (500, 500));
    bindings.flow_failed(tcp(1));
    let mut gone = 0;
    while let Some(event) = bindings.poll_event() {
        assert_eq!(event.change, Change::Removed);
        gone += 1;
    }
    bindings.reap();
    assert_eq!((gone, bindings.view().len(), bindings.octets.used()), (500, 0, 0));
}

#[test]
fn a_set_is_put_back_with_its_connection_and_nothing_is_told() {
    let mut world = World::<4, 2048>::new();
    let there = "Contact: <sip:bob@192.0.2.1:5060;transport=tcp>\r\n";
    world.register("bob", tcp(7), ("a", 1), there).unwrap();
    world.told();
    let (before, used) = (world.record("bob"), world.used());
    world.register("bob", tcp(7), ("a", 2), "Contact: *\r\nExpires: 0\r\n").unwrap();
    world.register("bob", udp(2), ("b", 1), "Contact: <sip:bob@192.0.2.2>\r\n").unwrap();
    let uri = Uri::parse(b"sip:bob@example.com").unwrap();
    let now = world.now;
    world.bindings().restore(now, &Aor::of(&uri).unwrap(), &before);
    assert_eq!(
        (world.contacts("bob"), world.told()),
        (std::vec!["sip:bob@192.0.2.1:5060;transport=tcp".into()], std::vec![])
    );
    assert_eq!((world.record("bob"), world.used()), (before, used));
    assert!(world.bindings().view().hangs_on(tcp(7)) && !world.bindings().view().hangs_on(tcp(8)));
    world.bindings().flow_failed(tcp(7));
    assert_eq!(world.told().len(), 1);
    world.bindings().restore(now, &Aor::of(&uri).unwrap(), b"");
    assert_eq!((world.contacts("bob").len(), world.used()), (0, 0));
}
