//! `phone register` and `phone answer --register` at a registrar written by hand.
//!
//! Covers where a REGISTER goes and whom it names, and what is told of the binding. Not here: authentication and refresh, which
//! `sip-core` tests in virtual time.

use crate::process::start;
use core::time::Duration;
use std::net::{SocketAddr, UdpSocket};

struct Registrar(UdpSocket);

impl Registrar {
    fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let place = socket.local_addr().unwrap().to_string();
        (Self(socket), place)
    }

    fn request(&self) -> (String, SocketAddr) {
        let mut buffer = [0; 4000];
        let (length, from) = self.0.recv_from(&mut buffer).expect("a REGISTER");
        (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
    }

    fn accept(&self, request: &str, from: SocketAddr) {
        let kept = ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Expires"];
        let rows = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(&format!("{name}: "))));
        let rows: String = rows.map(|line| format!("{line}\r\n")).collect();
        self.0.send_to(format!("SIP/2.0 200 OK\r\n{rows}Content-Length: 0\r\n\r\n").as_bytes(), from).unwrap();
    }
}

#[test]
fn without_a_registrar_it_goes_to_the_domain() {
    let (registrar, place) = Registrar::new();
    let aor = format!("sip:bob@{place}");
    let phone = start(&["register", "--aor", &aor]);
    for _ in 0..2 {
        let (request, from) = registrar.request();
        assert!(request.starts_with(&format!("REGISTER sip:{place} SIP/2.0\r\n")), "{request}");
        registrar.accept(&request, from);
    }
    phone.end().expect(0);
}

#[test]
fn a_registrar_that_grants_no_time_has_bound_nothing() {
    let (registrar, place) = Registrar::new();
    let phone = start(&["register", "--registrar", &place, "--aor", "sip:bob@example.com", "--json"]);
    let (request, from) = registrar.request();
    registrar.accept(&request.replace("Expires: 300", "Expires: 0"), from);
    let ended = phone.end().expect(1);
    let lines: Vec<serde_json::Value> =
        ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!((&lines[0]["event"], &lines[0]["cause"]), (&"registration_failed".into(), &"not_bound".into()));
    assert!(ended.json()["message"].as_str().is_some_and(|text| text.contains("granted no time")), "{}", ended.stdout);
}

#[test]
fn a_register_names_the_domain_and_goes_to_the_registrar() {
    for command in ["register", "answer"] {
        let (registrar, place) = Registrar::new();
        let option = if command == "register" { "--registrar" } else { "--register" };
        let args = [command, option, &place, "--aor", "sip:bob@example.com", "--json"];
        let phone = start(&args);
        let (request, from) = registrar.request();
        // RFC 3261 §10.2: the Request-URI is the domain of the address of record, without its user.
        assert!(request.starts_with("REGISTER sip:example.com SIP/2.0\r\n"), "{request}");
        assert!(request.contains("\r\nTo: <sip:bob@example.com>\r\n"), "{request}");
        registrar.accept(&request, from);
        if command == "answer" {
            // Only `register` removes its binding at once.
            continue;
        }
        let (request, from) = registrar.request();
        assert!(request.starts_with("REGISTER sip:example.com SIP/2.0\r\n") && request.contains("\r\nExpires: 0\r\n"));
        registrar.accept(&request, from);
        let ended = phone.end().expect(0);
        let lines: Vec<serde_json::Value> =
            ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let [registered, unregistered, result] = lines.as_slice() else { panic!("{}", ended.stdout) };
        assert_eq!((&registered["event"], &registered["expires"]), (&"registered".into(), &300.into()));
        assert_eq!(unregistered["event"], "unregistered");
        assert_eq!((&result["expires"], &result["peer"]), (&300.into(), &"sip:bob@example.com".into()));
        assert!(result["call_id"].is_string() && result["call_id"] == registered["call_id"], "{result}");
    }
}
