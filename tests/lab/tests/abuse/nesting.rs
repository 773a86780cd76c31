//! That nothing in the parser calls itself: the deepest nesting that a message can hold is read on a small stack.

use super::read::{read_all, read_failure};
use core::hint::black_box;
use sip_core::message::{HeaderName, MAX_MESSAGE, Message, NameAddr, Uri, Via};
use std::process::Command;

/// Octets of stack: some hundred frames of the parser's size, where a call for each of 65,535 octets needs megabytes.
const STACK: usize = 128 * 1024;

/// Runs the work on that stack. An overflow ends the process.
fn on_a_small_stack(work: impl FnOnce() -> usize + Send + 'static) -> usize {
    std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread").join().expect("no panic")
}

#[test]
fn nesting_takes_no_stack() {
    const PIECES: [&str; 22] = [
        "(", "<", "\"", "\\", "\"\\\"", ",", ";", "[", "%25", "\r\n ", "a=\"b\";", ";x", "?a=b&", ":", "<sip:",
        "\"a\" <", "((a)", "/", "=", "*", "&", "@",
    ];
    const NAMES: [&str; 14] = [
        "Via",
        "From",
        "Contact",
        "Route",
        "Authorization",
        "WWW-Authenticate",
        "Retry-After",
        "Warning",
        "Accept",
        "Reason",
        "Replaces",
        "Event",
        "Content-Type",
        "X-Other",
    ];
    let read = on_a_small_stack(|| {
        let mut read = 0;
        for piece in PIECES {
            let deep = piece.repeat(60_000 / piece.len());
            _ = (Uri::parse(deep.as_bytes()), NameAddr::parse(deep.as_bytes()), Via::parse(deep.as_bytes()));
            _ = sip_core::sdp::Session::parse(deep.as_bytes());
            for name in NAMES {
                let octets = format!(
                    "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
                    Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n{name}: {deep}\r\n\r\n"
                );
                assert!(octets.len() <= MAX_MESSAGE);
                read += 1;
                match Message::parse(octets.as_bytes()) {
                    Ok(message) => {
                        read += message.header_rows(HeaderName::Other(name.as_bytes())).count();
                    }
                    Err(failure) => _ = read_failure(&failure),
                }
            }
            // All accessors over a nesting that is deep enough to tell, and short enough for those that look twice.
            let deep = piece.repeat(3000 / piece.len());
            let rows: String = NAMES.iter().skip(2).map(|name| format!("{name}: {deep}\r\n")).collect();
            let octets = format!(
                "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
                Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n{rows}\r\n"
            );
            if let Ok(message) = Message::parse(octets.as_bytes()) {
                read += usize::from(read_all(&message) > 0);
            }
        }
        read
    });
    assert!(read > PIECES.len() * NAMES.len());
}

/// The control: code that does call itself for each octet overflows that stack.
#[test]
fn a_call_for_each_octet_overflows_that_stack() {
    let tests = std::env::current_exe().expect("this program");
    let status = Command::new(tests)
        .args(["--exact", "nesting::calls_itself_for_each_octet", "--ignored"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("this program runs");
    assert!(!status.success());
}

#[test]
#[ignore = "overflows its stack: run by the control"]
fn calls_itself_for_each_octet() {
    fn depth(rest: &[u8]) -> usize {
        match rest {
            [] => 0,
            [first, rest @ ..] => black_box(depth(black_box(rest))) + usize::from(*first),
        }
    }
    assert!(on_a_small_stack(|| depth(&vec![1; MAX_MESSAGE])) > 0);
}
