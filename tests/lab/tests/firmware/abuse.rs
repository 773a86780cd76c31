//! What strangers do to a phone. It stays up and registered, and its own call is its own.

use super::{registered, rig};
use core::ops::Range;
use core::time::Duration;
use fastrand::Rng;
use sip_lab::corpus::corpus;
use sip_lab::interop::{Board, Peer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::thread;

const GARBAGE: usize = 10_000;
const INVITES: usize = 1_000;
const SEED: u64 = 0x5349_5000;

/// A stranger with a socket.
struct Stranger {
    socket: UdpSocket,
    address: String,
    to: String,
    asked: u32,
    /// OPTIONS sent, repetitions included.
    probes: usize,
}

impl Stranger {
    fn new(board: &Board) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(board.address()).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        Self { socket, address, to: board.address(), asked: 0, probes: 0 }
    }

    /// A request of this stranger, whose branch and Call-ID are `name`.
    fn request(&self, method: &str, name: &str, rows: &str) -> String {
        let Self { address, to, .. } = self;
        format!(
            "{method} sip:alice@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n\
             From: <sip:stranger@{address}>;tag=1\r\nTo: <sip:alice@{to}>\r\nCall-ID: {name}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:stranger@{address}>\r\n{rows}Content-Length: 0\r\n\r\n"
        )
    }

    /// The next message, if one comes within `limit`.
    fn next(&self, limit: Duration) -> Option<String> {
        let mut buffer = [0; 65_536];
        self.socket.set_read_timeout(Some(limit)).unwrap();
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Asks OPTIONS until the phone answers, so that it has done all that came before.
    fn wait_alive(&mut self) {
        self.asked += 1;
        let name = format!("alive{}", self.asked);
        for _ in 0..20 {
            self.probes += 1;
            self.socket.send(self.request("OPTIONS", &name, "").as_bytes()).unwrap();
            while let Some(answer) = self.next(Duration::from_millis(500)) {
                if answer.contains(&format!("Call-ID: {name}\r\n")) {
                    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
                    return;
                }
            }
        }
        panic!("the phone does not answer");
    }

    /// Sends an INVITE of each number, with a CANCEL right behind it where they give up, again and again until each has
    /// been answered.
    fn burst(&mut self, numbers: Range<usize>, give_up: bool) -> Burst {
        let mut waiting: BTreeSet<usize> = numbers.collect();
        let mut burst = Burst::default();
        for _ in 0..100 {
            for number in &waiting {
                let name = format!("burst{number}");
                self.socket.send(self.request("INVITE", &name, "").as_bytes()).unwrap();
                if give_up {
                    self.socket.send(self.request("CANCEL", &name, "").as_bytes()).unwrap();
                }
            }
            while let Some(answer) = self.next(Duration::from_millis(200)) {
                let number = header(&answer, "Call-ID: burst").parse().ok();
                let Some(number) = number.filter(|_| header(&answer, "CSeq: ") == "1 INVITE") else { continue };
                let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
                if status.as_str() > "100" && waiting.remove(&number) {
                    burst.retry_after += usize::from(!header(&answer, "Retry-After: ").is_empty());
                    *burst.statuses.entry(status).or_default() += 1;
                }
            }
            if waiting.is_empty() {
                return burst;
            }
        }
        panic!("{} INVITEs have no answer, others {burst:?}", waiting.len());
    }
}

/// How INVITEs were answered.
#[derive(Debug, Default)]
struct Burst {
    statuses: BTreeMap<String, usize>,
    retry_after: usize,
}

impl Burst {
    fn count(&self, status: &str) -> usize {
        self.statuses.get(status).copied().unwrap_or(0)
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
}

/// Something that is no message, or is no longer one.
fn garbage(rng: &mut Rng, messages: &[Vec<u8>]) -> Vec<u8> {
    let message = |rng: &mut Rng| messages[rng.usize(..messages.len())].clone();
    let mut octets = match rng.u8(..5) {
        0 => (0..rng.usize(..1400)).map(|_| rng.u8(..)).collect(),
        1 => {
            let mut octets = message(rng);
            octets.truncate(rng.usize(..=octets.len()));
            octets
        }
        2 => {
            let (mut octets, other) = (message(rng), message(rng));
            let (cut, at) = (rng.usize(..=octets.len()), rng.usize(..=other.len()));
            octets.truncate(cut);
            octets.extend(&other[at..]);
            octets
        }
        3 => {
            let mut lines: Vec<Vec<u8>> =
                message(rng).split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
            rng.shuffle(&mut lines[1..]);
            lines.concat()
        }
        _ => message(rng),
    };
    for _ in 0..rng.usize(..8) {
        if !octets.is_empty() {
            let at = rng.usize(..octets.len());
            octets[at] = if rng.bool() { rng.u8(..) } else { *rng.choice(b"\r\n:;,<>\"@ %").unwrap() };
        }
    }
    octets.truncate(1400);
    octets
}

/// The same with `address` in place of each IPv4 address with or without port, so that no answer leaves this machine.
fn at_home(octets: &[u8], address: &str) -> Vec<u8> {
    let mut home = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let [first, tail @ ..] = rest {
        let run = rest.iter().take_while(|octet| octet.is_ascii_digit() || matches!(octet, b'.' | b':')).count();
        let (run, behind) = rest.split_at(run);
        if run.iter().filter(|octet| **octet == b'.').count() == 3 {
            home.extend(address.as_bytes());
            rest = behind;
        } else if run.is_empty() {
            home.push(*first);
            rest = tail;
        } else {
            home.extend(run);
            rest = behind;
        }
    }
    home
}

/// Hangs up whatever rings or talks.
fn clear(board: &mut Board) {
    for _ in 0..4 {
        board.type_line("hangup 1");
        board.type_line("hangup 2");
        let _ = board.status();
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn ten_thousand_datagrams_of_garbage() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 600, &[], &[]);
    let mut stranger = Stranger::new(&board);
    let messages: Vec<Vec<u8>> = corpus().into_iter().map(|sample| sample.octets).collect();
    let mut rng = Rng::with_seed(SEED);
    // QEMU's network drops datagrams when the machine is busy, so what the phone has counted decides when it is enough.
    let arrived = |board: &mut Board| usize::try_from(board.count("in")).unwrap();
    let before = arrived(&mut board);
    let (mut sent, mut delivered) = (0, 0);
    while delivered < GARBAGE {
        assert!(sent < 3 * GARBAGE, "of {sent} datagrams {delivered} have arrived");
        for _ in 0..(GARBAGE - delivered).div_ceil(16) {
            for _ in 0..16 {
                let octets = at_home(&garbage(&mut rng, &messages), &stranger.address);
                sent += usize::from(stranger.socket.send(&octets).is_ok());
            }
            // The chip has room for a handful: whoever sends faster is heard less.
            stranger.wait_alive();
        }
        // At least: a probe may have been lost as well.
        delivered = (arrived(&mut board) - before).saturating_sub(stranger.probes);
    }
    let status = board.status();
    let count = |name: &str| status[name].parse::<usize>().unwrap();
    println!(
        "seed {SEED:#x}: {sent} datagrams sent, {delivered} delivered, {} malformed, {} strays",
        count("malformed"),
        count("strays")
    );
    assert!(count("malformed") > delivered / 4, "{status:?}");
    assert_eq!(status["registered"], "true");
    assert!(kamailio.bindings().contains("sip:alice"));
    clear(&mut board);
    let sipp = rig.sipp("uac_call").with(&["-d", "200"]).caller(&board.address(), "alice", 1);
    board.wait("call from sip:sipp@");
    board.type_line("answer");
    board.wait("ended, RemoteHangup");
    sipp.passed();
    // tshark can tell: what the stranger sent is found wanting.
    assert!(board.faulty_from_others(&rig) > GARBAGE / 4);
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_thousand_invites_at_once() {
    let Some(rig) = rig(&[Peer::Kamailio, Peer::Sipp]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 600, &[], &[]);
    let sipp = rig.sipp("uas_call");
    let uri = sipp.uri("bob");
    let sipp = sipp.callee(1);
    board.type_line(&format!("call {uri}"));
    board.wait("line 1: answered");

    let mut stranger = Stranger::new(&board);
    // Callers who wait: one rings, the lines are taken.
    let busy = stranger.burst(0..INVITES / 2, false);
    assert!(busy.count("180") == 1 && busy.count("486") == INVITES / 2 - 1, "{busy:?}");
    board.type_line("hangup 2");
    board.wait("line 2: ended");
    // Callers who give up at once: each leaves transactions behind, until there are none left but those that are reserved.
    let full = stranger.burst(INVITES / 2..INVITES, true);
    assert!(full.count("503") > 0 && full.retry_after == full.count("503"), "{full:?}");
    println!("waiting {busy:?}, giving up {full:?}");
    stranger.wait_alive();
    assert_eq!(board.status()["registered"], "true");

    board.type_line("hangup 1");
    board.wait("line 1: ended, LocalHangup");
    sipp.passed();
    assert!(kamailio.bindings().contains("sip:alice"));
    let sent = board.finish(&rig);
    assert!(sent.iter().any(|sent| sent == "BYE"));
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn datagrams_around_and_over_the_size_of_the_buffer() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 600, &[], &[]);
    let mut stranger = Stranger::new(&board);
    for (length, fits) in [
        (1400, true),
        (1472, true),
        // In two fragments.
        (1473, true),
        (1499, true),
        // These fill the buffer, or have lost their end in it.
        (1500, false),
        (1501, false),
        (2000, false),
        // More than the network stack puts together.
        (2100, false),
        (9000, false),
        (60_000, false),
    ] {
        let name = format!("long{length}");
        let bare = stranger.request("OPTIONS", &name, "Subject: \r\n").len();
        let rows = format!("Subject: {}\r\n", "x".repeat(length - bare));
        let request = stranger.request("OPTIONS", &name, &rows);
        assert_eq!(request.len(), length);
        stranger.socket.send(request.as_bytes()).unwrap();
        let answered =
            stranger.next(Duration::from_millis(700)).is_some_and(|answer| answer.starts_with("SIP/2.0 200"));
        assert_eq!(answered, fits, "{length} octets");
        stranger.wait_alive();
    }
    assert!(board.count("truncated") >= 1);
    assert_eq!(board.status()["registered"], "true");
    let _ = board.finish(&rig);
    let _ = kamailio.finish(&[]);
}

#[test]
#[ignore = "run by sip-embedded-adapter/firmware/run"]
fn a_neighbour_that_is_not_there_holds_up_the_others_for_seconds_only() {
    let Some(rig) = rig(&[Peer::Kamailio]) else { return };
    let kamailio = rig.kamailio(&[]);
    let mut board = registered(&rig, &kamailio, 600, &["t1=100"], &[]);
    let mut stranger = Stranger::new(&board);
    stranger.wait_alive();
    // In the board's own network, where nobody has this address: the first INVITE waits for an answer to ARP.
    board.type_line("call sip:ghost@10.0.2.99");
    board.wait("line 1: calling");
    stranger.wait_alive();
    // Once it is known that nobody is there, all that follows goes out at once. (What the emulator forwards seems to come
    // from the ghost from now on, so no stranger is asked any more.)
    board.type_line("register");
    board.wait("registered for 600 s");
    board.wait("line 1: ended, Timeout");
    board.type_line("register");
    board.wait("registered for 600 s");
    let sent = board.finish(&rig);
    assert!(sent.iter().filter(|sent| *sent == "INVITE").count() >= 2, "{sent:?}");
    let _ = kamailio.finish(&[]);
}
