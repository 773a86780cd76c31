//! Names asked for at name servers that are threads here.

use crate::adapter::Adapter;
use crate::echo::{Echo, Said};
use crate::turn::Turn;
use core::net::SocketAddr;
use core::time::Duration;
use sip_core::dns::{Domain, Name};
use sip_core::transport::{Ticket, Transport};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

const NAPTR: u16 = 35;
const SRV: u16 = 33;
const A: u16 = 1;

/// What a server says.
enum Says {
    /// These records of the name that was asked for.
    Records(Vec<Vec<u8>>),
    Truncated,
    NoName,
    Silence,
}

/// A query as it came: by connection, from this port, with this id, for this.
type Seen = (bool, u16, [u8; 2], String);

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers until the test ends.
    fn start(says: impl Fn(&str, u16, bool) -> Says + Send + Sync + 'static) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let (seen, says) = (Arc::new(Mutex::new(Vec::new())), Arc::new(says));
        let (datagrams, connections) = ((Arc::clone(&seen), Arc::clone(&says)), (Arc::clone(&seen), says));
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                if let Some(bytes) = answer(&buffer[..length], from.port(), false, &datagrams.0, &*datagrams.1) {
                    let _ = udp.send_to(&bytes, from);
                }
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let Ok(mut stream) = stream else { return };
                let (mut length, port) = ([0; 2], stream.peer_addr().unwrap().port());
                stream.read_exact(&mut length).unwrap();
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut query).unwrap();
                let Some(bytes) = answer(&query, port, true, &connections.0, &*connections.1) else { continue };
                // In pieces, as a network may deliver it.
                let framed = [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
                for piece in framed.chunks(framed.len() / 3 + 1) {
                    stream.write_all(piece).unwrap();
                    thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(
    query: &[u8],
    port: u16,
    tcp: bool,
    seen: &Mutex<Vec<Seen>>,
    says: &dyn Fn(&str, u16, bool) -> Says,
) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let (name, kind) = (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]));
    seen.lock().unwrap().push((tcp, port, [query[0], query[1]], format!("{kind} {name}")));
    let mut bytes = query[..at + 5].to_vec();
    bytes[2] |= 0x80;
    bytes[11] = 0;
    match says(&name, kind, tcp) {
        Says::Silence => return None,
        Says::NoName => bytes[3] |= 3,
        Says::Truncated => bytes[2] |= 2,
        Says::Records(records) => {
            bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
            for data in records {
                bytes.extend([0xc0, 12]);
                bytes.extend(kind.to_be_bytes());
                bytes.extend([0, 1, 0, 0, 0, 60]);
                bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                bytes.extend(data);
            }
        }
    }
    Some(bytes)
}

fn wire(name: &str) -> Vec<u8> {
    let domain = Domain::parse(name.as_bytes()).unwrap();
    let labels = |name: Name<'_>| {
        name.labels().flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label].concat()).collect()
    };
    let mut octets: Vec<u8> = labels(domain.name());
    octets.push(0);
    octets
}

fn srv(priority: u16, port: u16, host: &str) -> Vec<u8> {
    [&priority.to_be_bytes()[..], &[0, 0], &port.to_be_bytes(), &wire(host)].concat()
}

fn naptr(service: &str, name: &str) -> Vec<u8> {
    let service = [&[u8::try_from(service.len()).unwrap()], service.as_bytes()].concat();
    [&[0, 1, 0, 1, 1, b's'][..], &service, &[0], &wire(name)].concat()
}

fn adapter(servers: &[SocketAddr]) -> Adapter<Echo> {
    let mut adapter = Adapter::bind(Echo::default(), "127.0.0.1:0".parse().unwrap()).unwrap();
    adapter.dns_servers(servers);
    adapter
}

/// The targets of a name, and how long it took.
fn find(adapter: &mut Adapter<Echo>, host: &'static str, transport: Transport) -> (Vec<String>, Duration) {
    let started = Instant::now();
    adapter.role_mut().ask(7, host, transport, false);
    let mut buffer = [0; 2048];
    while started.elapsed() < Duration::from_secs(20) {
        match adapter.poll(&mut buffer).unwrap() {
            Turn::Event(Said::Found(ticket, _)) if ticket == Ticket::new(7) => {
                let targets = &adapter.role().targets;
                let found = targets.iter().map(|target| format!("{} {}", target.transport, target.address)).collect();
                return (found, started.elapsed());
            }
            Turn::Idle(until) => {
                let soon = adapter.now() + sip_core::time::Duration::from_secs(1);
                adapter.wait(Some(until.unwrap_or(soon).min(soon))).unwrap();
            }
            _ => {}
        }
    }
    panic!("no answer for {host}");
}

#[test]
fn services_hosts_and_addresses_are_asked_for_each_from_a_port_of_its_own() {
    let server = Server::start(|name, kind, _| match (name, kind) {
        ("pbx.test", NAPTR) => Says::Records(vec![naptr("SIP+D2T", "_sip._tcp.pbx.test")]),
        ("_sip._tcp.pbx.test", SRV) => Says::Records(vec![srv(2, 5072, "two.test"), srv(1, 5071, "one.test")]),
        ("one.test", A) => Says::Records(vec![vec![127, 0, 0, 1]]),
        ("two.test", A) => Says::Records(vec![vec![127, 0, 0, 2]]),
        _ => Says::NoName,
    });
    let mut adapter = adapter(&[server.address]);
    let expected = ["TCP 127.0.0.1:5071", "TCP 127.0.0.2:5072"];
    assert_eq!(find(&mut adapter, "pbx.test", Transport::None).0, expected);
    let seen = server.seen();
    let distinct = |of: fn(&Seen) -> u32| seen.iter().map(of).collect::<HashSet<_>>().len();
    assert_eq!(
        (seen.len(), distinct(|seen| seen.1.into()), distinct(|seen| u16::from_be_bytes(seen.2).into())),
        (4, 4, 4)
    );
    // What is known is not asked for.
    assert_eq!(find(&mut adapter, "PBX.test", Transport::None).0, expected);
    assert_eq!(server.seen().len(), 4);
    // Other servers may know it otherwise.
    let other =
        Server::start(|_, kind, _| if kind == A { Says::Records(vec![vec![127, 0, 0, 9]]) } else { Says::NoName });
    adapter.dns_servers(&[other.address]);
    assert_eq!(find(&mut adapter, "pbx.test", Transport::None).0, ["UDP 127.0.0.9:5060"]);
    assert_eq!(adapter.statistics().lookups_failed, 0);
}

#[test]
fn what_is_too_long_for_a_datagram_comes_over_a_connection() {
    let server = Server::start(|name, kind, tcp| match (kind, tcp) {
        (SRV, false) => Says::Truncated,
        (SRV, true) => Says::Records((0..60).map(|number| srv(number, 5060 + number, name)).collect()),
        (A, _) => Says::Records(vec![vec![127, 0, 0, 1]]),
        _ => Says::NoName,
    });
    let mut adapter = adapter(&[server.address]);
    let (found, _) = find(&mut adapter, "pbx.test", Transport::Udp);
    assert_eq!((found.len(), found[0].as_str(), found[5].as_str()), (6, "UDP 127.0.0.1:5060", "UDP 127.0.0.1:5065"));
    assert_eq!(server.seen().iter().filter(|seen| seen.0).count(), 1);
}

#[test]
fn a_truncated_answer_that_no_connection_completes_is_not_nobody() {
    let server = Server::start(|_, kind, tcp| match (kind, tcp) {
        (SRV, false) => Says::Truncated,
        (SRV, true) => Says::Silence,
        _ => Says::Records(vec![vec![127, 0, 0, 1]]),
    });
    let mut adapter = adapter(&[server.address]);
    assert!(find(&mut adapter, "pbx.test", Transport::Udp).0.is_empty());
    assert_eq!(adapter.statistics().lookups_failed, 1);
    assert!(server.seen().iter().all(|seen| seen.3.starts_with("33 ")));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_server_that_is_not_there_costs_no_time() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server =
        Server::start(|_, kind, _| if kind == A { Says::Records(vec![vec![127, 0, 0, 1]]) } else { Says::NoName });
    let mut adapter = adapter(&[gone, server.address]);
    let (found, took) = find(&mut adapter, "pbx.test", Transport::None);
    assert_eq!(found, ["UDP 127.0.0.1:5060"]);
    assert!(took < Duration::from_millis(900), "{took:?}");
    // With none at all it is known at once that nothing is known.
    let mut lost = self::adapter(&[gone]);
    let (found, took) = find(&mut lost, "pbx.test", Transport::None);
    assert!(found.is_empty() && took < Duration::from_millis(900), "{took:?}");
    assert_eq!(lost.statistics().lookups_failed, 1);
}

#[test]
fn a_silent_server_is_followed_by_the_next() {
    let silent = Server::start(|_, _, _| Says::Silence);
    let server =
        Server::start(|_, kind, _| if kind == A { Says::Records(vec![vec![127, 0, 0, 1]]) } else { Says::NoName });
    let mut adapter = adapter(&[silent.address, server.address]);
    let (found, took) = find(&mut adapter, "pbx.test", Transport::Tcp);
    assert_eq!(found, ["TCP 127.0.0.1:5060"]);
    assert!(took > Duration::from_millis(1900) && took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn names_in_the_file_of_hosts_are_not_asked_for() {
    let server = Server::start(|_, _, _| Says::NoName);
    let mut adapter = adapter(&[server.address]);
    assert_eq!(find(&mut adapter, "localhost", Transport::None).0, ["UDP 127.0.0.1:5060"]);
    assert!(server.seen().is_empty());
    assert!(find(&mut adapter, "pbx.invalid", Transport::None).0.is_empty());
    assert!(server.seen().is_empty());
}
