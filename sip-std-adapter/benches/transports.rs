//! What a user agent pays for a message, a call, a TLS handshake and a held TLS connection.
//!
//! ```text
//! cargo bench -p sip-std-adapter --bench transports             2,000 connections held
//! cargo bench -p sip-std-adapter --bench transports -- 10000    so many; `ulimit -n` has to allow them
//! ```
//! The user agent answers on a thread of this process, which is charged what that thread has run (schedstat). The peers are another
//! process, the same program: sixteen of them, each with one request under way. What a connection takes is the growth of this process'
//! resident set, divided; the gate for it fails the bench.
#![cfg(target_os = "linux")]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "sockets and threads need std")]
#![allow(clippy::print_stdout, reason = "it is what a bench is for")]

#[path = "../tests/stall/tls.rs"]
mod tls;

use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::memory::HeapMemory;
use sip_std_adapter::{Adapter, Commander, Turn};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Octets that a TLS connection may take, and is to take.
const GATE: u64 = 40_000;
const GOAL: u64 = 25_000;
/// Peers that ask at the same time.
const PEERS: usize = 16;
const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}
type Peer = Box<dyn Stream>;

/// A message is a datagram.
struct Datagrams(UdpSocket);

impl Read for Datagrams {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.0.recv(room)
    }
}

impl Write for Datagrams {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [peers, transport, address, what, count] = &args[..]
        && peers == "peers"
    {
        return ask(transport, address.parse().unwrap(), what, count.parse().unwrap());
    }
    let held: usize = args.first().map_or(2000, |count| count.parse().unwrap());
    let site = tls::Site::new();
    // First, while nothing that was given back lies in the heap.
    let each = held_octets(&site, held);
    println!("{held} TLS connections held: {each} octets each (gate {GATE}, goal {GOAL})");
    for (what, count) in [("messages", 40_000), ("calls", 8000)] {
        let [udp, tcp, tls] = ["udp", "tcp", "tls"].map(|transport| cost(&site, transport, what, count));
        println!(
            "{what}: UDP {:.1} us, TCP {:.1} us, TLS {:.1} us each; TLS over TCP {:.2}, TLS over UDP {:.2}",
            udp,
            tcp,
            tls,
            tls / tcp,
            tls / udp
        );
    }
    for rate in [10, 1000, 5000] {
        drop(Answerer::new(&site, 512).peers(&site, "udp", "latency", rate));
    }
    println!("handshakes: {:.0} us each", cost(&site, "tls", "handshakes", 2000));
    assert!(each <= GATE, "over the gate");
}

// The user agent

/// What is asked of its thread.
enum Ask {
    Cpu(Sender<Duration>),
    Connections(Sender<usize>),
    Stop,
}

/// A user agent that answers every request and every call.
struct Answerer {
    addresses: [SocketAddr; 2],
    commander: Commander<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Answerer {
    fn new(site: &tls::Site, connections: usize) -> Self {
        let role = UserAgent::new(HeapMemory::with_capacity(100_000, 20_000, 20_000, 1));
        let mut adapter = Adapter::bind(role, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        adapter.start(&Config::new("", "sip:bob@example.com").with_methods("MESSAGE")).unwrap();
        adapter.limit_connections(connections);
        adapter.limit_connections_of_source(connections);
        let (addresses, (commander, commands)) =
            ([adapter.local_addr(), site.listen(&mut adapter)], adapter.commands());
        let thread = std::thread::spawn(move || {
            let ran = adapter.run(&mut vec![0; 65_536], |adapter, turn| {
                let now = adapter.now();
                match turn {
                    Turn::Message { event: Event::Request { request, .. }, .. } => {
                        let _ = adapter.role_mut().respond(now, request, 200, &Content::NONE);
                    }
                    Turn::Message { event: Event::Incoming { call }, .. } => {
                        let _ = adapter.role_mut().ring(now, call, 180, &Content::NONE);
                        let _ = adapter.role_mut().answer(now, call, &Content::sdp(SDP));
                    }
                    Turn::Woken => {
                        for command in commands.try_iter() {
                            match command {
                                Ask::Cpu(to) => _ = to.send(cpu()),
                                Ask::Connections(to) => _ = to.send(adapter.connections()),
                                Ask::Stop => return ControlFlow::Break(()),
                            }
                        }
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            });
            ran.unwrap();
        });
        Self { addresses, commander, thread: Some(thread) }
    }

    fn asked<T>(&self, ask: impl FnOnce(Sender<T>) -> Ask) -> T {
        let (sender, receiver) = channel();
        let _ = self.commander.send(ask(sender));
        receiver.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    /// Has the peers do something; they say when they have done it, and wait for their end.
    fn peers(&self, site: &tls::Site, transport: &str, what: &str, count: usize) -> Peers {
        let address = self.addresses[usize::from(transport == "tls")];
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["peers", transport, &address.to_string(), what, &count.to_string()]);
        let mut child =
            command.env("SIP_BENCH_ROOT", &site.pem).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            match lines.next() {
                Some(Ok(line)) if line == "done" => return Peers(child),
                Some(Ok(line)) => println!("{line}"),
                _ => panic!("the peers have failed"),
            }
        }
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.commander.send(Ask::Stop);
            assert!(matches!(self.thread.take().map(JoinHandle::join), Some(Ok(()))));
        }
    }
}

/// The peers' process, which ends with this.
struct Peers(Child);

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What this thread has run.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Microseconds that the user agent has run for each.
fn cost(site: &tls::Site, transport: &str, what: &str, count: usize) -> f64 {
    let answerer = Answerer::new(site, 512);
    // What comes once is over.
    drop(answerer.peers(site, transport, what, PEERS));
    let before = answerer.asked(Ask::Cpu);
    drop(answerer.peers(site, transport, what, count));
    (answerer.asked(Ask::Cpu) - before).as_secs_f64() * 1e6 / count as f64
}

/// Octets of memory that this process has.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn held_octets(site: &tls::Site, count: usize) -> u64 {
    let answerer = Answerer::new(site, count + PEERS);
    drop(answerer.peers(site, "tls", "held", PEERS));
    while answerer.asked(Ask::Connections) > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = resident();
    let peers = answerer.peers(site, "tls", "held", count);
    let grown = resident() - before;
    assert_eq!(answerer.asked(Ask::Connections), count);
    drop(peers);
    grown / count as u64
}

// The peers

/// Does what the peers are to do, so often.
fn ask(transport: &str, to: SocketAddr, what: &str, count: usize) {
    let client = tls::Client::new(&std::env::var("SIP_BENCH_ROOT").unwrap());
    let open = |number: usize| -> Peer {
        match transport {
            "udp" => Box::new(datagrams(to)),
            "tcp" => Box::new(dial(to, number)),
            _ => client.open(dial(to, number)),
        }
    };
    let mut peers: Vec<Peer> = Vec::new();
    match what {
        "messages" => {
            peers.extend((0..PEERS).map(open));
            for round in 0..count / PEERS {
                for (number, peer) in peers.iter_mut().enumerate() {
                    peer.write_all(&request("MESSAGE", transport, round * PEERS + number, "")).unwrap();
                }
                peers.iter_mut().for_each(|peer| assert!(read(peer).starts_with("SIP/2.0 200 ")));
            }
        }
        "calls" => {
            peers.extend((0..PEERS).map(open));
            (0..count / PEERS).for_each(|round| calls(&mut peers, transport, round * PEERS));
        }
        "latency" => latency(to, count),
        // Each is gone before the next comes.
        "handshakes" => (0..count).for_each(|number| drop(open(number))),
        _ => {
            for number in 0..count {
                let mut peer = open(number);
                peer.write_all(&request("MESSAGE", transport, number, "")).unwrap();
                assert!(read(&mut peer).starts_with("SIP/2.0 200 "));
                peers.push(peer);
            }
        }
    }
    println!("done");
    let _ = std::io::stdin().read(&mut [0]);
}

/// Asks so often a second, whether answers have come or not, for three seconds.
fn latency(to: SocketAddr, rate: usize) {
    let (count, gap) = (3 * rate, Duration::from_secs(1) / rate as u32);
    let (socket, began) = (datagrams(to).0, Instant::now());
    let (mut sent, mut took, mut room) = (Vec::new(), Vec::new(), [0; 2048]);
    while took.len() < count {
        let next = began + gap * sent.len() as u32;
        let left = next.saturating_duration_since(Instant::now());
        if sent.len() < count && left.is_zero() {
            sent.push(Instant::now());
            socket.send(&request("MESSAGE", "udp", sent.len() - 1, "")).unwrap();
            continue;
        }
        let most = if sent.len() < count { left } else { Duration::from_secs(2) };
        socket.set_read_timeout(Some(most.max(Duration::from_micros(1)))).unwrap();
        match socket.recv(&mut room) {
            Ok(read) => {
                let text = String::from_utf8_lossy(&room[..read]).into_owned();
                let call = text.split("\r\n").find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
                let number: usize = call.split(['-', '@']).nth(1).unwrap().parse().unwrap();
                took.push(sent[number].elapsed());
            }
            // The last ones were lost: nothing is sent again.
            Err(error) if error.kind() == ErrorKind::WouldBlock && sent.len() == count => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
    let count = took.len();
    assert!(count > 0, "no answer");
    took.sort();
    println!(
        "{rate} messages a second: answered in {:?} at the median, {:?} at p99",
        took[count / 2],
        took[count * 99 / 100]
    );
}

/// A call of each peer.
fn calls(peers: &mut [Peer], transport: &str, first: usize) {
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.write_all(&request("INVITE", transport, first + number, "")).unwrap();
    }
    let mut tags = Vec::new();
    for (number, peer) in peers.iter_mut().enumerate() {
        let answer = loop {
            let answer = read(peer);
            if !answer.starts_with("SIP/2.0 1") {
                break answer;
            }
        };
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        let to = answer.split("\r\n").find_map(|line| line.strip_prefix("To: ")).unwrap();
        tags.push(to.split_once(">").unwrap().1.to_owned());
        peer.write_all(&request("ACK", transport, first + number, &tags[number])).unwrap();
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.write_all(&request("BYE", transport, first + number, &tags[number])).unwrap();
    }
    for peer in peers {
        let answer = read(peer);
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }
}

/// A request of a call or of none; what its To has behind the address is `tag`.
fn request(method: &str, transport: &str, number: usize, tag: &str) -> Vec<u8> {
    let (body, kind) = match method {
        "INVITE" => (SDP, "Content-Type: application/sdp\r\n"),
        _ => (&[][..], ""),
    };
    let sequence = if method == "BYE" { 2 } else { 1 };
    let transport = transport.to_ascii_uppercase();
    // Others were there before, with numbers of their own.
    let number = format!("{}-{number}", std::process::id());
    let head = format!(
        "{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{method}{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>{tag}\r\nCall-ID: {number}@alice\r\n\
         CSeq: {sequence} {method}\r\nContact: <sip:alice@127.0.0.1:9>\r\n{kind}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The head of the next message. Nobody sends two at once, but 180 and 200, of which each is read to its end.
fn read(peer: &mut Peer) -> String {
    let (mut octets, mut filled) = (vec![0; 4096], 0);
    loop {
        let read = peer.read(&mut octets[filled..]).unwrap();
        assert_ne!(read, 0, "closed");
        filled += read;
        let text = String::from_utf8_lossy(&octets[..filled]);
        // 180 and 200 may come as one piece: what counts is the last one.
        let last = text.rfind("SIP/2.0 ").filter(|at| *at == 0 || text[..*at].ends_with("\r\n\r\n")).unwrap_or(0);
        let Some((head, body)) = text[last..].split_once("\r\n\r\n") else { continue };
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            return head.to_owned();
        }
    }
}

fn datagrams(to: SocketAddr) -> Datagrams {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    Datagrams(socket)
}

/// A connection from an address of its own in 127/8.
fn dial(to: SocketAddr, number: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let host = u8::try_from(1 + number % 200).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 1, 0, host), 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.into()
}
