//! The messages of RFC 4475 and RFC 5118 at a server: what is answered, and what is passed on octet for octet.
//!
//! Covers a registrar, and a proxy with and without transactions that sends everything to a gateway. As in `torture`, the RFCs' own
//! octets are in the folder that `SIP_TORTURE_DIR` names, and messages of our own are in the corpus.

use core::net::SocketAddr;
use sip_core::guard::{self, Secrets};
use sip_core::message::{HeaderName, Message, Method};
use sip_core::role::{Action, Role};
use sip_core::server::{Config, Directory, Relay, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, Target, Transport};
use sip_core::{proxy, registrar};
use sip_lab::corpus::{Sample, torture};
use std::path::PathBuf;

const SOURCE: &str = "192.0.2.1:5060";
/// Where all goes that is nobody's.
const GATEWAY: &str = "192.0.2.20:5060";

/// Whether everybody is a user, or nobody.
#[derive(Debug)]
struct Everybody(bool);

impl Directory for Everybody {
    fn user(&self, _: &[u8], _: &[u8]) -> Option<Secrets<'_>> {
        self.0.then_some(Secrets { password: Some(b"any"), ..Secrets::default() })
    }
}

/// What became of a message.
#[derive(Debug, Default)]
struct Outcome {
    /// The statuses that were answered; a request is answered where it came from.
    answers: Vec<u16>,
    /// The contacts in the answer to a REGISTER.
    contacts: Vec<String>,
    passed_on: Vec<Vec<u8>>,
}

fn address(text: &str) -> Address {
    Address::from(text.parse::<SocketAddr>().expect("an address"))
}

/// Gives a message to a server of the domain that it names, and lets all time pass that what becomes of it takes.
fn outcome(octets: &[u8], stateless: bool) -> Outcome {
    let parsed = Message::parse(octets);
    let registers = parsed.as_ref().is_ok_and(|message| message.method() == Method::Register);
    let host = parsed.as_ref().ok().and_then(Message::uri).map(|uri| uri.host());
    let name = host.filter(|host| registers && host.ip().is_none());
    let domain = name.map_or("example.com".into(), |host| String::from_utf8_lossy(host.as_bytes()));
    let mut server = Server::new(
        proxy::Arrays::<16, 8, 8, 65_535>::new(),
        registrar::Arrays::<16, 8192>::new(),
        guard::Arrays::<4, 4>::new(),
        Everybody(registers),
    );
    let domains = [&domain[..]];
    let mut config = Config::new(&["192.0.2.5:5060"], &domains, b"the secret of these tests");
    config.challenge_registrations = false;
    config.challenge_requests = false;
    config.relay = Relay::Everybody;
    config.default_route = "<sip:192.0.2.20;lr>";
    config.proxy.stateless = stateless;
    // Whatever its size, it goes by datagram.
    config.proxy.path_mtu = 65_535;
    let mut now = Instant::from_millis(1000);
    server.start(now, &config, [7; 16]).expect("a configuration that can be used");
    match parsed {
        Ok(message) => _ = server.receive(now, Flow::udp(address(SOURCE)), &message),
        Err(failure) => server.receive_malformed(now, Flow::udp(address(SOURCE)), &failure),
    }
    let mut outcome = Outcome::default();
    drain(&mut server, now, &mut outcome);
    for _ in 0..8 {
        now += Duration::from_secs(40);
        server.handle_timeout(now);
        // Nobody answers: repetitions, and CANCEL or 408 in the end.
        drain(&mut server, now, &mut Outcome::default());
    }
    let held = server.proxy().occupancy();
    assert_eq!((held.transactions, held.contexts, held.branches), (0, 0, 0));
    outcome
}

fn drain<R: Role>(server: &mut R, now: Instant, outcome: &mut Outcome) {
    let mut tickets = Vec::new();
    loop {
        match server.poll_action(now) {
            Some(Action::Send { flow, bytes, .. }) if bytes.starts_with(b"SIP/2.0 ") => {
                assert_eq!(flow.remote.ip(), address(SOURCE).ip(), "{}", bytes.escape_ascii());
                let status = core::str::from_utf8(&bytes[8..11]).expect("a status");
                outcome.answers.push(status.parse().expect("a status"));
                if let Ok(answer) = Message::parse(bytes) {
                    let contact = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    outcome.contacts = answer.header_rows(HeaderName::Contact).map(contact).collect();
                }
            }
            Some(Action::Send { bytes, .. }) => outcome.passed_on.push(bytes.to_vec()),
            Some(Action::Resolve { ticket, .. } | Action::Connect { ticket, .. }) => tickets.push(ticket),
            Some(_) => {}
            None => {
                let Some(ticket) = tickets.pop() else { return };
                let target = Target { address: address(GATEWAY), transport: Transport::Udp };
                server.resolved(now, ticket, &[target]);
            }
        }
    }
}

/// The rows of a message's head as they stand there, folded ones whole, and what comes behind the head.
fn rows(octets: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |at| at + 2);
    let (head, body) = octets.split_at(end);
    let (mut rows, mut start) = (Vec::new(), 0);
    for at in 0..head.len().saturating_sub(1) {
        if &head[at..at + 2] == b"\r\n" && !matches!(octets.get(at + 2), Some(b' ' | b'\t')) {
            rows.push(&head[start..at]);
            start = at + 2;
        }
    }
    (rows, body.get(2..).unwrap_or_default())
}

/// What was changed that a proxy does not change (RFC 3261 §16.6): all rows stand where they stood, but for the Request-URI in front
/// of a strict router, the top Via, which says now where the request came from, and Max-Forwards, Route and Record-Route.
fn changed(received: &[u8], sent: &[u8]) -> Option<String> {
    let message = Message::parse(received).expect("a message that was passed on");
    let ((received, body), (sent, sent_body)) = (rows(received), rows(sent));
    let length = message.body().len();
    if body.get(..length) != Some(sent_body) {
        return Some("another body".to_owned());
    }
    let strict = message
        .routes()
        .next()
        .is_some_and(|route| route.is_ok_and(|route| !route.uri().is_ok_and(|uri| uri.is_loose())));
    let is = |row: &[u8], names: &[&str]| {
        let name = row.split(|octet| *octet == b':').next().unwrap_or_default().trim_ascii();
        names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
    };
    let start = usize::from(strict);
    let top = received.iter().position(|row| is(row, &["Via", "v"]));
    let mut left = sent.iter();
    for (index, row) in received.iter().enumerate().skip(start) {
        let edited = Some(index) == top || is(row, &["Max-Forwards", "Route", "Record-Route"]);
        if !edited && !left.any(|other| other == row) {
            return Some(row.escape_ascii().to_string());
        }
    }
    None
}

/// What is wrong with what became of a message, if anything: it is to be answered with one of these statuses, or, with 0 among them,
/// passed on or, a response, forgotten.
fn wrong(octets: &[u8], is_request: bool, allowed: &[u16]) -> Option<String> {
    [false, true].into_iter().find_map(|stateless| {
        let found = outcome(octets, stateless);
        let right = match (&found.answers[..], &found.passed_on[..]) {
            ([], []) => !is_request,
            ([status], []) => is_request && allowed.contains(status),
            ([], [sent]) => {
                if let Some(what) = changed(octets, sent) {
                    return Some(format!("stateless {stateless}: changed {what}"));
                }
                is_request && allowed.contains(&0)
            }
            _ => false,
        };
        let sent = found.passed_on.len();
        (!right).then(|| format!("stateless {stateless}: {:?}, passed on {sent}, not {allowed:?}", found.answers))
    })
}

/// What a registrar and proxy may do with a message of the RFC, where the manifest's words are about a user agent or are no number.
fn expected(file: &str, verdict: &str, text: &str) -> Vec<u16> {
    match (file, verdict) {
        // To is no SIP URI: 400 by RFC 4475, 404 by RFC 3261 §10.3 step 5.
        ("rfc4475/unksm2.dat", _) => vec![400, 404],
        ("rfc4475/regaut01.dat", _) => vec![200],
        // Its Contact is in the registrar's own domain, which would send calls for it in a circle.
        ("rfc4475/regescrt.dat", _) => vec![403],
        ("rfc4475/mismatch02.dat", _) => vec![501, 400],
        // What a user agent refuses, a proxy passes on; and a branch that is the cookie alone may be one of RFC 2543.
        ("rfc4475/invut.dat" | "rfc4475/sdp01.dat" | "rfc4475/baddate.dat" | "rfc4475/badbranch.dat", _) => vec![0],
        (_, "PARSE_OK") => vec![0, 200],
        // No proxy passes the fault on.
        (_, "MAY_REJECT") => vec![400],
        (_, "DROP") => vec![],
        _ => {
            let digits = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit);
            vec![digits.collect::<String>().parse().expect("a status")]
        }
    }
}

#[test]
fn a_server_does_with_every_message_what_the_rfc_says() {
    let Some(folder) = std::env::var_os("SIP_TORTURE_DIR").map(PathBuf::from) else {
        println!("skipped: SIP_TORTURE_DIR is not set");
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("the manifest");
    let (mut faults, mut checked) = (Vec::new(), 0);
    for row in manifest.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let (file, kind, verdict, text) = (fields[0], fields[3], fields[4], fields[5]);
        let octets = std::fs::read(folder.join(file)).expect("a message of the manifest");
        let fault = wrong(&octets, kind == "request", &expected(file, verdict, text));
        faults.extend(fault.map(|fault| format!("{file}: {verdict}, {text}: {fault}")));
        checked += 1;
    }
    assert_eq!(checked, 61);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // What the registrar has bound says what the RFC wants to see.
    for (file, contacts) in [
        ("escnull", &["%00@", "%00%00@"][..]),
        ("cparam01", &["@gw1.example.net>"]),
        ("cparam02", &["@gw1.example.net;unknownparam>"]),
    ] {
        let octets = std::fs::read(folder.join(format!("rfc4475/{file}.dat"))).expect("a message of the manifest");
        let bound = outcome(&octets, false).contacts.concat();
        assert!(contacts.iter().all(|one| bound.contains(one)), "{file}: {bound}");
    }
}

/// What a registrar and proxy may do with a message of our own.
fn allowed(sample: &Sample) -> Vec<u16> {
    let section = sample.mark("section").expect("a section");
    match (sample.family, section, sample.mark("verdict").expect("a verdict")) {
        (_, _, "drop") => vec![],
        ("rfc4475", "3.1.2.16", _) => vec![505],
        ("rfc4475", "3.3.2" | "3.3.3", _) => vec![416],
        ("rfc4475", "3.3.4", _) => vec![400, 404],
        ("rfc4475", "3.3.5", _) => vec![420],
        ("rfc4475", "3.3.14", _) => vec![403],
        ("rfc4475", "3.3.11", _) => vec![483],
        ("rfc4475", "3.2.1", _) => vec![0],
        (_, _, "take") => vec![0, 200],
        _ => vec![400],
    }
}

#[test]
fn a_server_does_with_our_own_messages_what_the_rfc_says() {
    let judge = |sample: &Sample| {
        let is_request =
            Message::parse(&sample.octets).map_or_else(|failure| failure.is_request(), |it| it.is_request());
        let fault = wrong(&sample.octets, is_request, &allowed(sample));
        fault.map(|fault| format!("{} {:?}: {fault}", sample.title(), sample.mark("section")))
    };
    let faults: Vec<String> = torture().iter().filter_map(judge).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
