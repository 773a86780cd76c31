//! `phone parse`: what a phone makes of a datagram.

use crate::args;
use crate::screen::print;
use crate::trace::Trace;
use serde::Serialize;
use sip_core::message::Message;
use sip_core::random::Seed;
use sip_core::role::{Action, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, Transport};
use sip_core::ua::Arrays;
use sip_core::ua::{Config, UserAgent};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// The line of a file. A member that does not apply is `null`, but of `method` and `status` only one is there.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Line {
    /// The file as it was named.
    file: String,
    /// Whether the octets are well-formed.
    ok: bool,
    /// `request`, `response`, or null for octets that are neither.
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What is wrong.
    error: Option<String>,
    /// The octet near which it is wrong.
    at: Option<usize>,
    /// The status of the response that the user agent sent.
    status_to_answer: Option<u16>,
}

/// Prints a line for each file, and writes the datagrams and their answers to the capture. 2 when a file can't be read or the
/// capture not written, else 1 when one is not well-formed, else 0.
pub(crate) fn run(args: &args::Parse, mut trace: Option<Trace>) -> ExitCode {
    let (us, them) = (SocketAddr::from((US, 5060)), SocketAddr::from((THEM, 5060)));
    let (mut readable, mut well_formed) = (true, true);
    for (path, second) in args.files.iter().zip(1..) {
        let line = match fs::read(path) {
            Ok(octets) => {
                let mut answers = Vec::new();
                let line = Line { file: name(path), ..read(&octets, &mut answers) };
                let now = Instant::from_millis(1000 * second);
                let passed = core::iter::once((them, us, &octets)).chain(answers.iter().map(|sent| (us, them, sent)));
                for (from, to, bytes) in passed {
                    let written =
                        trace.as_mut().map_or(Ok(()), |trace| trace.message(now, from, to, Transport::Udp, bytes));
                    if let Err(error) = written {
                        eprintln!("{}: not in the capture: {error}", name(path));
                        readable = false;
                    }
                }
                line
            }
            Err(error) => {
                readable = false;
                Line { file: name(path), error: Some(format!("can't be read: {error}")), ..Line::default() }
            }
        };
        well_formed &= line.ok;
        print(&serde_json::to_string(&line).unwrap_or_default());
    }
    ExitCode::from(match (readable, well_formed) {
        (false, _) => 2,
        (true, false) => 1,
        (true, true) => 0,
    })
}

const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const THEM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Feeds a datagram to a fresh user agent, whose answers go to `answers`.
fn read(octets: &[u8], answers: &mut Vec<Vec<u8>>) -> Line {
    let mut ua = Box::new(UserAgent::new(Arrays::<8, 2, 2, 1, 140_000>::new()));
    let config = Config::new("192.0.2.1:5060", "sip:phone@192.0.2.1");
    // Without a start nothing is answered, which would show.
    let _ = ua.start(&config, Seed::default());
    let flow = Flow::udp(Address::v4(THEM, 5060));
    let now = Instant::from_millis(1);
    let line = match Message::parse(octets) {
        Ok(message) => {
            let _ = ua.receive(now, flow, &message);
            described(&message)
        }
        Err(failure) => {
            ua.receive_malformed(now, flow, &failure);
            let request = failure.is_request();
            let response = failure.bytes().starts_with(b"SIP/");
            let kind = if request { Some("request") } else { response.then_some("response") };
            Line {
                ok: !failure.is_syntax(),
                kind,
                method: request.then(|| text(failure.method())),
                status: status_in(failure.bytes()),
                error: Some(failure.reason().to_owned()),
                at: Some(failure.at()),
                ..Line::default()
            }
        }
    };
    collect(&mut *ua, now, answers);
    // An answer to what is malformed gives back malformed rows, so that it can't be parsed itself.
    Line { status_to_answer: answers.iter().rev().find_map(|sent| status_in(sent)), ..line }
}

fn described(message: &Message<'_>) -> Line {
    let request = message.is_request();
    Line {
        ok: true,
        kind: Some(if request { "request" } else { "response" }),
        method: request.then(|| text(message.method().as_bytes())),
        status: message.status(),
        ..Line::default()
    }
}

/// What the user agent sends.
fn collect<R: Role>(ua: &mut R, now: Instant, sent: &mut Vec<Vec<u8>>) {
    while let Some(action) = ua.poll_action(now) {
        if let Action::Send { bytes, .. } = action {
            sent.push(bytes.to_vec());
        }
    }
}

/// The status code in what was meant as a status line.
fn status_in(octets: &[u8]) -> Option<u16> {
    if !octets.starts_with(b"SIP/") {
        return None;
    }
    let code = octets.split(|octet| *octet == b' ').nth(1)?;
    core::str::from_utf8(code).ok()?.parse().ok()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(start: &str, method: &str, rows: &str) -> Vec<u8> {
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKparse\r\nFrom: <sip:a@example.com>;tag=1\r\n\
             To: <sip:b@example.com>\r\nCall-ID: parse\r\nCSeq: 1 {method}\r\n{rows}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn seen(octets: &[u8]) -> (bool, Option<&'static str>, Option<u16>) {
        let line = read(octets, &mut Vec::new());
        (line.ok, line.kind, line.status_to_answer)
    }

    #[test]
    fn the_user_agent_answers_by_itself() {
        let options = message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "OPTIONS", "");
        assert_eq!(seen(&options), (true, Some("request"), Some(200)));
        let bye = message("BYE sip:b@192.0.2.1 SIP/2.0", "BYE", "");
        assert_eq!(seen(&bye).2, Some(481));
        let unknown = message("DANCE sip:b@192.0.2.1 SIP/2.0", "DANCE", "");
        assert_eq!(seen(&unknown).2, Some(501));
        let require = message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "OPTIONS", "Require: magic\r\n");
        assert_eq!(seen(&require).2, Some(420));
    }

    #[test]
    fn a_fault_is_named_and_found() {
        let version = message("OPTIONS sip:b@192.0.2.1 SIP/7.0", "OPTIONS", "");
        assert_eq!(seen(&version), (true, Some("request"), Some(505)));
        let broken = message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "OPTIONS", "X-Odd: a\rb\r\n");
        let line = read(&broken, &mut Vec::new());
        assert_eq!((line.ok, line.method.as_deref(), line.status_to_answer), (false, Some("OPTIONS"), Some(400)));
        let at = line.at.unwrap();
        assert!(broken[at..].starts_with(b"\rb"), "{at}");
        assert!(line.error.is_some());
        let no_number = message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "", "");
        assert_eq!(seen(&no_number), (false, Some("request"), Some(400)));
    }

    #[test]
    fn a_response_and_rubbish_are_not_answered() {
        let response = message("SIP/2.0 200 OK", "INVITE", "");
        assert_eq!(seen(&response), (true, Some("response"), None));
        assert_eq!(read(&response, &mut Vec::new()).status, Some(200));
        assert_eq!(seen(b"\x00\x01rubbish"), (false, None, None));
        assert_eq!(seen(b""), (false, None, None));
    }
}
