//! `phone serve` under strangers who send by the thousand.
//!
//! Covers INVITEs to nobody, REGISTERs with wrong digests and connections that say nothing, all at the same time, beside phones
//! that register and call. Not here: what is answered to each, which `sip-core` tests in virtual time.

use crate::serve::{alice, bob, office};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Requests in a second, of each kind.
const RATE: u64 = 5000;
/// Connections that say nothing.
const IDLE: usize = 2000;

/// Sends requests of both kinds at their rate until it is stopped, from an address that no phone has: who is there is locked out.
fn flood(place: &str, stop: &AtomicBool, sent: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
    let own = socket.local_addr().unwrap();
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(began.elapsed().as_millis()).unwrap() * RATE / 1000;
        for number in sent.load(Ordering::Relaxed)..due {
            let invite = request("INVITE", &format!("sip:nobody{number}@example.com"), own.port(), number, "");
            let proof = format!(
                "Authorization: Digest username=\"bob\", realm=\"example.com\", nonce=\"{number:024}\", uri=\"sip:example.com\", \
                 qop=auth, nc=00000001, cnonce=\"1\", algorithm=MD5, response=\"{number:032x}\"\r\n"
            );
            let register = request("REGISTER", "sip:example.com", own.port(), number, &proof);
            // What finds the socket full is lost, as on any network.
            let _ = socket.send_to(invite.as_bytes(), place);
            let _ = socket.send_to(register.as_bytes(), place);
        }
        sent.store(due, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1));
    }
}

fn request(method: &str, uri: &str, port: u16, number: u64, rows: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:stranger@example.org>;tag={number}\r\nTo: <sip:bob@example.com>\r\nCall-ID: {method}{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:stranger@127.0.0.1:{port}>\r\n{rows}Content-Length: 0\r\n\r\n"
    )
}

/// Kilobytes that a process has in memory.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    row.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn registered_phones_call_each_other_whatever_strangers_send() {
    let office = office();
    let (server, place) = office.serve(0, &["--connections", "300"]);
    let phone = bob(&place, &["--transport", "tcp", "--count", "2"]);
    let before = resident(server.id());
    let idle: Vec<TcpStream> = (0..IDLE).filter_map(|_| TcpStream::connect(&place).ok()).collect();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| flood(&place, &stop, &sent));
        while sent.load(Ordering::Relaxed) < RATE / 2 {
            thread::sleep(Duration::from_millis(5));
        }
        let calls: Vec<_> = (0..2).map(|_| alice(&place, &["--duration", "0.3"]).end()).collect();
        stop.store(true, Ordering::Relaxed);
        for call in calls {
            call.expect(0);
        }
    });
    phone.end().expect(0);
    let grown = resident(server.id()).saturating_sub(before);
    assert!(sent.load(Ordering::Relaxed) >= RATE / 2 && grown < 100_000, "{grown} kB after {sent:?} requests");
    drop(idle);
    server.signal("TERM");
    let told = server.end().expect(0).stdout;
    // Strangers do not fill the screen either.
    assert!(told.contains("more were refused in a second") && told.lines().count() < 400, "{}", told.lines().count());
}
