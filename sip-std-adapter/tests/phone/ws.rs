//! The phone over WebSocket: calls between two, through a server or not, in the open and under TLS, and what a server refuses.
//!
//! Not here: another maker's phone (`tests/lab/tests/interop/jssip.rs`), frames and handshakes that are wrong (`src/ws/tests.rs`).

use crate::process::{answer, run};
use crate::serve::{alice, bob, office};
use crate::tls::Files;

#[test]
fn two_phones_call_each_other_without_a_server() {
    for (parameter, options) in [(";transport=ws", &[][..]), ("", &["--transport", "ws"])] {
        let (callee, place) = answer(&["--transport", "ws", "--count", "1"]);
        let uri = format!("sip:bob@{place}{parameter}");
        let caller = run(&[&["call", &uri, "--duration", "0.3"], options].concat()).expect(0);
        assert!(caller.last_line().contains("hung up here"), "{}", caller.last_line());
        assert!(callee.end().expect(0).stdout.contains("hung up by the peer"));
    }
    let files = Files::new("ws-call");
    files.sign("127.0.0.1");
    let (ca, cert, key) = (files.path("ca.pem"), files.path("own.pem"), files.path("own.key"));
    for (scheme, parameter, options) in
        [("sips", ";transport=ws", &[][..]), ("sip", ";transport=wss", &[]), ("sip", "", &["--transport", "wss"])]
    {
        let (callee, place) =
            answer(&["--transport", "wss", "--cert", &cert, "--key", &key, "--ca", &ca, "--count", "1"]);
        let uri = format!("{scheme}:bob@{place}{parameter}");
        let caller = run(&[&["call", &uri, "--duration", "0.3", "--ca", &ca], options].concat()).expect(0);
        assert!(caller.last_line().contains("hung up here"), "{}", caller.last_line());
        assert!(callee.end().expect(0).stdout.contains("hung up by the peer"));
    }
}

/// One phone registers over a WebSocket and is called by it, by another that came by UDP; then by one over a WebSocket.
#[test]
fn a_server_takes_phones_over_websockets_in_the_open_and_under_tls() {
    let files = Files::new("ws-serve");
    files.sign("127.0.0.1");
    let (ca, cert, key) = (files.path("ca.pem"), files.path("own.pem"), files.path("own.key"));
    let office = office();
    let listen = ["--listen", "ws:127.0.0.1:0", "--listen", "wss:127.0.0.1:0", "--cert", &cert, "--key", &key];
    let (mut server, place) = office.serve(0, &listen);
    let mut listener = |kind| {
        let line = server.wait_for(&format!("listening at {kind}:"));
        line.rsplit_once(&format!("{kind}:")).unwrap_or_default().1.to_owned()
    };
    let (open, secure) = (listener("ws"), listener("wss"));
    for (at, transport) in [(open, "ws"), (secure, "wss")] {
        let way = ["--transport", transport, "--ca", &ca];
        let phone = bob(&at, &[&way[..], &["--count", "2"]].concat());
        assert!(office.bindings().contains("transport=ws"), "{}", office.bindings());
        for (from, way) in [(&place, &[][..]), (&at, &way)] {
            let ended = alice(from, &[&["--duration", "0.3"], way].concat()).end().expect(0);
            assert!(ended.last_line().contains("hung up here"), "{}", ended.stdout);
        }
        let stdout = phone.end().expect(0).stdout;
        assert_eq!(stdout.matches("hung up by the peer").count(), 2, "{stdout}");
    }
}

/// What comes inside the dialog goes to the host of its Contact: from a listener for datagrams, wherever it came in.
#[test]
fn who_came_by_a_websocket_or_tls_calls_a_phone_that_is_reached_by_datagrams() {
    let files = Files::new("ws-udp");
    files.sign("127.0.0.1");
    let (ca, cert, key) = (files.path("ca.pem"), files.path("own.pem"), files.path("own.key"));
    let office = office();
    let listen = ["--listen", "ws:127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--cert", &cert, "--key", &key];
    let (mut server, place) = office.serve(0, &listen);
    for transport in ["ws", "tls"] {
        let line = server.wait_for(&format!("listening at {transport}:"));
        let at = line.rsplit_once(&format!("{transport}:")).unwrap_or_default().1;
        for theirs in ["udp", "tcp"] {
            let phone = bob(&place, &["--transport", theirs, "--count", "1"]);
            let ended = alice(at, &["--duration", "0.3", "--transport", transport, "--ca", &ca]).end().expect(0);
            assert!(ended.last_line().contains("hung up here"), "{}", ended.stdout);
            assert!(ended.stdout.contains("200 OK (BYE)"), "{}", ended.stdout);
            let stdout = phone.end().expect(0).stdout;
            assert!(stdout.contains("hung up by the peer"), "{stdout}");
        }
    }
}

#[test]
fn a_server_can_ask_for_a_path() {
    let office = office();
    let (mut server, _) = office.serve(0, &["--listen", "ws:127.0.0.1:0", "--ws-path", "/sip"]);
    let line = server.wait_for("listening at ws:");
    let place = line.rsplit_once("ws:").unwrap_or_default().1;
    let args =
        ["register", "--registrar", place, "--aor", "sip:bob@example.com", "--password", "builder", "--transport"];
    run(&[&args[..], &["ws", "--ws-path", "/sip"]].concat()).expect(0);
    run(&[&args[..], &["ws"]].concat()).expect(4);
    run(&[&args[..], &["ws", "--ws-path", "sip"]].concat()).expect(2);
}

#[test]
fn a_listener_for_secure_websockets_needs_a_certificate() {
    let ended = run(&["serve", "--listen", "wss:127.0.0.1:0", "--stateless"]).expect(2);
    assert!(ended.last_line().contains("--listen wss: needs --cert and --key"), "{}", ended.last_line());
}
