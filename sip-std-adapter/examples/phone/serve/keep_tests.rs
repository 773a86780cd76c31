//! A store that fails, one that is slow, and rows whose time is over, in virtual time and without a socket.

use super::*;
use crate::serve::users::Users;
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, StorageBackend};
use sip_core::role::{Action, Received, Role as _};
use sip_core::server::{Config, Why};
use sip_core::transport::{Address, Flow};
use sip_std_adapter::memory::{GuardMemory, ProxyMemory, RegistrarMemory};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const EPOCH: u64 = 1_700_000_000;

/// A disk that can be broken, and keeps what is on it.
#[derive(Clone, Debug)]
struct Disk {
    octets: Arc<InMemoryBackend>,
    broken: Arc<AtomicBool>,
}

impl Disk {
    fn new() -> Self {
        Self { octets: Arc::new(InMemoryBackend::new()), broken: Arc::default() }
    }

    fn works(&self) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) { Err(io::Error::other("no space left")) } else { Ok(()) }
    }

    fn store(&self) -> (Store, Vec<Row>) {
        let disk = self.clone();
        let open = move || -> Result<Database, String> {
            Builder::new().create_with_backend(disk.clone()).map_err(|error| error.to_string())
        };
        Store::with(open).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.octets.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.octets.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works().and_then(|()| self.octets.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.works().and_then(|()| self.octets.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works().and_then(|()| self.octets.write(offset, data))
    }
}

/// A server that asks nobody for a password, and its store.
struct Office {
    role: Role,
    keeper: Keeper,
    now: Instant,
    seq: u32,
}

fn role(now: Instant) -> Role {
    let mut role = Role::new(
        ProxyMemory::with_capacity(256, 64, 64),
        RegistrarMemory::with_capacity(256),
        GuardMemory::with_capacity(16, 16),
        Users::default(),
    );
    let mut config = Config::new(&["192.0.2.5:5060"], &["example.com"], b"the secret of these tests")
        .with_epoch(EPOCH)
        .with_challenge_registrations(false)
        .with_store(true);
    config.policy.most_contacts = 32;
    config.policy.most_octets = 4096;
    role.start(now, &config, [9; 16]).unwrap();
    role
}

impl Office {
    fn new(disk: &Disk) -> Self {
        Self { role: role(Instant::ZERO), keeper: Keeper::new(disk.store().0), now: Instant::from_millis(10), seq: 0 }
    }

    /// A REGISTER comes in; whether it waits to be stored.
    fn register(&mut self, user: &str, rows: &str) -> bool {
        self.seq += 1;
        let seq = self.seq;
        let text = format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{seq}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\nCall-ID: 1\r\nCSeq: {seq} REGISTER\r\n\
             {rows}Content-Length: 0\r\n\r\n"
        );
        let flow = Flow::udp(Address::from(SocketAddr::from(([192, 0, 2, 9], 5060))));
        let received = self.role.receive(self.now, flow, &Message::parse(text.as_bytes()).unwrap());
        let Received::Event(Event::Store(pending)) = received else { return false };
        self.keeper.add(self.now, &self.role, pending);
        true
    }

    fn commit(&mut self, took: u64) -> Outcome {
        let (now, ended) = (self.now, self.now + Duration::from_millis(took));
        let outcome = self.keeper.commit(&mut self.role, now, &move || ended);
        self.now = ended;
        outcome
    }

    /// The statuses that are sent, and what is told.
    fn sent(&mut self) -> (Vec<u16>, usize) {
        let (mut sent, mut told) = (Vec::new(), 0);
        while let Some(action) = self.role.poll_action(self.now) {
            match action {
                Action::Send { bytes, .. } => sent.push(Message::parse(bytes).unwrap().status().unwrap()),
                Action::Event(Event::Binding(event)) => {
                    told += 1;
                    if event.change.is_end() {
                        self.keeper.gone(self.now, &self.role, event.binding);
                    }
                }
                _ => {}
            }
        }
        (sent, told)
    }
}

/// The addresses of record that are in the store.
fn stored(disk: &Disk) -> Vec<String> {
    let rows = disk.store().1;
    rows.into_iter().map(|(aor, _)| String::from_utf8(aor).unwrap()).collect()
}

fn contact(user: &str) -> String {
    format!("Contact: <sip:{user}@192.0.2.9>\r\n")
}

#[test]
fn what_the_disk_does_not_take_is_answered_503_and_the_next_is_taken_when_it_works_again() {
    let disk = Disk::new();
    let mut office = Office::new(&disk);
    assert!(office.register("bob", &contact("bob")));
    assert_eq!(office.sent().0, [0; 0], "nothing leaves before it is stored");
    office.commit(1);
    assert_eq!(office.sent().0, [200]);
    disk.broken.store(true, Ordering::Relaxed);
    for user in ["bob", "alice"] {
        assert!(office.register(user, &contact(user)));
    }
    let outcome = office.commit(1);
    assert!(outcome.fault.is_some());
    let refused = |(event, _): &(Event, usize)| *event == Event::Refused { status: 503, why: Why::NotStored };
    assert!(outcome.events.len() == 2 && outcome.events.iter().all(refused), "{:?}", outcome.events);
    assert_eq!(office.sent(), (vec![503, 503], 0));
    assert_eq!(office.role.bindings().iter().count(), 1);
    // It is tried again after a while, for nobody knows what the file holds now.
    assert_eq!(office.keeper.due(true), Some(office.now + RETRY));
    assert!(office.commit(1).fault.is_some());
    disk.broken.store(false, Ordering::Relaxed);
    assert!(office.register("alice", &contact("alice")));
    assert!(office.commit(1).fault.is_none());
    assert_eq!(office.sent().0, [200]);
    drop(office);
    assert_eq!(stored(&disk), ["sip:alice@example.com", "sip:bob@example.com"]);
}

#[test]
fn many_are_stored_with_one_commit_and_a_slow_disk_gets_half_of_the_time() {
    let disk = Disk::new();
    let mut office = Office::new(&disk);
    let began = office.now;
    for number in 0..20 {
        let user = format!("user{number}");
        assert!(office.register(&user, &contact(&user)));
    }
    assert_eq!((office.keeper.due(true), office.keeper.due(false)), (Some(began), Some(began + HOLD)));
    let outcome = office.commit(80);
    assert_eq!((outcome.events.len(), office.sent()), (20, (vec![200; 20], 0)));
    assert_eq!(office.keeper.due(true), None);
    assert!(office.register("bob", &contact("bob")));
    assert_eq!(office.keeper.due(true), Some(office.now + Duration::from_millis(80)));
    office.commit(0);
    assert_eq!(stored(&disk).len(), 21);
}

/// An empty record takes a row away; one that is too long to be written must not.
#[test]
fn a_record_that_cant_be_written_is_refused_and_the_row_stays() {
    let disk = Disk::new();
    let mut office = Office::new(&disk);
    let mut accepted = 0;
    for number in 0..32 {
        let path = "x".repeat(3000);
        let rows =
            format!("Supported: path\r\nPath: <sip:{path}@192.0.2.3;lr>\r\nContact: <sip:bob@192.0.3.{number}>\r\n");
        assert!(office.register("bob", &rows));
        office.commit(0);
        accepted += office.sent().0.iter().filter(|status| **status == 200).count();
    }
    assert!((1..32).contains(&accepted), "{accepted}");
    assert_eq!(
        (office.role.bindings().iter().count(), stored(&disk)),
        (accepted, vec!["sip:bob@example.com".to_owned()])
    );
}

#[test]
fn what_expires_or_is_taken_away_leaves_the_store() {
    let disk = Disk::new();
    let mut office = Office::new(&disk);
    for user in ["alice", "bob", "carol"] {
        assert!(office.register(user, &contact(user)));
    }
    office.commit(0);
    assert!(office.register("alice", "Contact: *\r\nExpires: 0\r\n"));
    office.commit(0);
    office.sent();
    office.commit(0);
    assert_eq!(stored(&disk), ["sip:bob@example.com", "sip:carol@example.com"]);
    assert!(office.register("carol", "Contact: <sip:carol@192.0.2.9>;expires=7200\r\n"));
    office.commit(0);
    office.now = Instant::from_millis(3_700_000);
    office.role.handle_timeout(office.now);
    office.sent();
    assert_eq!(office.keeper.due(true), Some(office.now));
    office.commit(0);
    assert_eq!(stored(&disk), ["sip:carol@example.com"]);
}

#[test]
fn what_expired_while_no_server_was_there_is_gone_after_the_start() {
    let disk = Disk::new();
    let mut office = Office::new(&disk);
    let two = "Contact: <sip:bob@192.0.2.8>;expires=60, <sip:bob@192.0.2.9>;expires=7200\r\n";
    for (user, rows) in [("alice", "Contact: <sip:alice@192.0.2.9>;expires=60\r\n"), ("bob", two)] {
        assert!(office.register(user, rows));
    }
    office.commit(0);
    drop(office);
    let (store, rows) = disk.store();
    let later = Instant::from_millis(100_000);
    let mut fresh = role(later);
    for (_, record) in &rows {
        fresh.load(later, record).unwrap();
    }
    let mut keeper = Keeper::new(store);
    assert_eq!(keeper.purge(&fresh, later, &rows), Ok(2));
    drop(keeper);
    let (_, left) = disk.store();
    assert_eq!(left.iter().map(|(aor, _)| aor.as_slice()).collect::<Vec<_>>(), [b"sip:bob@example.com"]);
    assert!(left[0].1.len() < rows[1].1.len());
}
