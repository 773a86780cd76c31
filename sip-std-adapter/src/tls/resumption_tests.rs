//! Sessions that are resumed, and what is said before a handshake is over: two adapters, and first flights that are played again.

use super::testing::{Authority, San, replayable};
use super::tests::{DNS, NAME, client, connect, server};
use super::*;
use crate::Adapter;
use crate::connection::Connection;
use crate::driven::{next, step};
use crate::echo::{Echo, Said, request};
use core::net::SocketAddr;
use core::time::Duration;
use sip_core::transport::{Flow, FlowError, Ticket, Transport};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Octets of early data that the servers here take.
const MOST: u32 = 4096;

/// A request that changes something.
fn register(number: u32) -> Vec<u8> {
    String::from_utf8(request(number)).unwrap().replace("OPTIONS", "REGISTER").into_bytes()
}

fn connections(adapter: &Adapter<Echo>) -> impl Iterator<Item = &Connection> {
    adapter.network.tcp.iter().flat_map(|tcp| tcp.connections.values())
}

/// Whether the connection has resumed a session.
fn is_resumed(adapter: &Adapter<Echo>, flow: Flow) -> bool {
    connections(adapter).any(|one| one.flow == flow && one.stream.is_resumed())
}

/// Connects once, so that there is a ticket for the next time, and closes that connection.
fn meet(one: &mut Adapter<Echo>, two: &mut Adapter<Echo>, to: SocketAddr) {
    settle(one, two);
    let flow = connect(one, two, to, NAME).unwrap();
    one.role_mut().send_on(flow, &request(90));
    assert_eq!(next(two, one), Said::Request(90));
    // The ticket came before the answer.
    assert_eq!(next(one, two), Said::Response(90));
    close(one, two, flow);
}

/// Closes a connection, and hears what is said of that.
fn close(one: &mut Adapter<Echo>, two: &mut Adapter<Echo>, flow: Flow) {
    one.role_mut().close(flow);
    settle(one, two);
}

/// Hears what is still to be said of what was.
fn settle(one: &mut Adapter<Echo>, two: &mut Adapter<Echo>) {
    for _ in 0..10 {
        let _ = (step(one), step(two));
    }
}

/// A listener in the place of the server.
fn tap() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What a client that asks for a connection, and sends these at once where it may, says before it has heard anything.
fn first_flight(one: &mut Adapter<Echo>, messages: &[Vec<u8>]) -> Vec<u8> {
    let (listener, to) = tap();
    one.role_mut().connect_to(7, to, Transport::Tls, NAME);
    let mut heard = Vec::new();
    for _ in 0..10 {
        if let Some(Said::Connected(_, flow)) = step(one) {
            messages.iter().for_each(|message| one.role_mut().send_on(flow, message));
        }
    }
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    for _ in 0..10 {
        assert!(step(one).is_none());
        let mut room = [0; 8192];
        match stream.read(&mut room) {
            Ok(read) => heard.extend_from_slice(&room[..read]),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}"),
        }
    }
    heard
}

/// Plays a first flight to a server; what the server's role had of it, and the connection, which stays.
fn play(flight: &[u8], two: &mut Adapter<Echo>, to: SocketAddr) -> (Vec<Said>, TcpStream) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(flight).unwrap();
    let said = (0..20).filter_map(|_| step(two)).collect();
    (said, stream)
}

#[test]
fn who_connects_again_resumes_by_the_name_that_was_proved() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    meet(&mut one, &mut two, to);
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    assert!(is_resumed(&one, flow));
    assert_eq!(one.peer_identities(flow), [NAME]);
    // Another name has proved nothing, whatever is kept of this one.
    assert_eq!(connect(&mut one, &mut two, to, "evil.example.com"), Err(FlowError::Certificate));
    // A new configuration knows no old session, at either end.
    close(&mut one, &mut two, flow);
    two.replace_tls(1, &authority.server(&[DNS]));
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    assert!(!is_resumed(&one, flow));
    let without = authority.server(&[DNS]).with_sessions(0);
    two.replace_tls(1, &without);
    close(&mut one, &mut two, flow);
    meet(&mut one, &mut two, to);
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    assert!(!is_resumed(&one, flow));
}

#[test]
fn what_a_client_has_proved_holds_in_the_session_that_it_resumes() {
    let authority = Authority::new();
    let own = authority.sign(&[San::Dns("phone.example.com")], |_| {});
    let shows = ClientTls::new(&authority.roots(), Some(&own)).unwrap();
    let asks = Clients::Must(authority.roots());
    let (mut two, to) = server(&ServerTls::new(&authority.sign(&[DNS], |_| {}), &asks).unwrap());
    let mut one = client(&shows);
    meet(&mut one, &mut two, to);
    let there = connect(&mut one, &mut two, to, NAME).unwrap();
    assert!(is_resumed(&one, there));
    one.role_mut().send_on(there, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
    let names: Vec<String> = connections(&two).flat_map(|one| one.peers.iter().map(|peer| peer.name.clone())).collect();
    assert_eq!(names, ["phone.example.com"]);
}

#[test]
fn nothing_is_said_early_unless_both_ends_want_it() {
    let authority = Authority::new();
    let plain = (authority.server(&[DNS]), authority.client());
    let early = (plain.0.clone().with_early_data(MOST, &[]), plain.1.clone().with_early_data(&[]));
    for (server_tls, client_tls) in [(&plain.0, &early.1), (&early.0, &plain.1), (&plain.0, &plain.1)] {
        let (mut two, to) = server(server_tls);
        let mut one = client(client_tls);
        meet(&mut one, &mut two, to);
        let flight = first_flight(&mut one, &[request(1)]);
        // No message is sent before the handshake is over, and the role is not told that it could send one.
        assert!(connections(&one).all(|one| !one.early) && flight.len() < 1000, "{}", flight.len());
        assert_eq!(play(&flight, &mut two, to).0, []);
    }
}

#[test]
fn options_leaves_early_and_all_else_waits_for_the_handshake() {
    let authority = Authority::new();
    // The server would do both at once.
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &["REGISTER"]));
    let mut one = client(&authority.client().with_early_data(&[]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1), register(2), request(3)]);
    let (said, _stream) = play(&flight, &mut two, to);
    // What is behind the one that waits may go before it, as on a connection that is blocked.
    assert!(said.contains(&Said::Request(1)) && !said.contains(&Said::Request(2)), "{said:?}");
    assert!(connections(&one).any(|one| one.early));
    // With a server that answers, all of them come, and once.
    meet(&mut one, &mut two, to);
    one.role_mut().connect_to(8, to, Transport::Tls, NAME);
    let mut heard = Vec::new();
    let mut answered = Vec::new();
    for _ in 0..60 {
        match step(&mut one) {
            Some(Said::Connected(ticket, flow)) if ticket == Ticket::new(8) => {
                assert!(connections(&one).any(|one| one.flow == flow && one.early));
                [request(4), register(5), request(6)].iter().for_each(|message| one.role_mut().send_on(flow, message));
            }
            Some(said) => answered.push(said),
            None => {}
        }
        heard.extend(step(&mut two));
    }
    heard.sort_by_key(|said| format!("{said:?}"));
    let heard: Vec<&Said> = heard.iter().filter(|said| matches!(said, Said::Request(_))).collect();
    assert_eq!(heard, [&Said::Request(4), &Said::Request(5), &Said::Request(6)]);
    assert_eq!(answered.iter().filter(|said| matches!(said, Said::Response(_))).count(), 3, "{answered:?}");
    assert!(connections(&one).filter(|one| one.flow.remote.socket_addr() == Some(to)).all(|one| !one.early));
}

/// The client says REGISTER early, as one that is careless or wants harm; the server does not do it before the handshake is over.
#[test]
fn a_first_flight_that_is_played_again_has_no_second_effect() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &[]));
    let mut one = client(&authority.client().with_early_data(&["REGISTER", "INVITE"]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1), register(2), request(3)]);
    let (said, first) = play(&flight, &mut two, to);
    // What may be done twice is done at once, up to the first that may not.
    assert_eq!(said, [Said::Request(1)]);
    // The ticket has served: nothing of it is taken again, not even that.
    for _ in 0..3 {
        let (said, _stream) = play(&flight, &mut two, to);
        assert_eq!(said, []);
    }
    drop(first);

    // Where several servers shared their tickets, and one were good twice, a request that changes something would still wait.
    let (mut two, to) = server(&replayable(&authority.server(&[DNS]).with_early_data(MOST, &[])));
    let mut one = client(&authority.client().with_early_data(&["REGISTER"]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1), register(2), request(3)]);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let (said, stream) = play(&flight, &mut two, to);
        assert_eq!(said.iter().filter(|said| **said == Said::Request(1)).count(), 1, "{said:?}");
        assert!(!said.iter().any(|said| matches!(said, Said::Request(2 | 3))), "{said:?}");
        streams.push(stream);
    }
    // Nobody has proved anything yet, and nothing else goes over these connections.
    assert!(connections(&two).all(|one| one.early && one.is_opening() && one.peers.is_empty()));
    drop(streams);
    while two.connections() > 0 {
        assert!(matches!(step(&mut two), None | Some(Said::Lost(..))));
    }
}

/// By choice of the server: what changes something is refused, and who plays it again has no more of it than that.
#[test]
fn what_may_not_be_early_is_refused_where_it_does_not_wait() {
    let authority = Authority::new();
    let (mut two, to) = server(&replayable(&authority.server(&[DNS]).with_early_data(MOST, &[]).refusing_early()));
    let mut one = client(&authority.client().with_early_data(&["REGISTER"]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1), register(2), request(3)]);
    let (said, _stream) = play(&flight, &mut two, to);
    assert_eq!(said, [Said::Request(1), Said::Request(3)]);
    // To a client that is there it is said, and its handshake goes on.
    meet(&mut one, &mut two, to);
    one.role_mut().connect_to(8, to, Transport::Tls, NAME);
    let mut early = None;
    for _ in 0..20 {
        if let Some(Said::Connected(_, flow)) = step(&mut one) {
            one.role_mut().send_on(flow, &register(4));
            early = Some(flow);
        }
    }
    let (mut heard, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        heard.extend(step(&mut two));
        answers.extend(step(&mut one));
    }
    assert_eq!((heard, answers), (vec![], vec![Said::Response(4)]));
    one.role_mut().send_on(early.unwrap(), &register(5));
    assert_eq!(next(&mut two, &mut one), Said::Request(5));
}

#[test]
fn several_requests_that_may_be_early_are_all_done_at_once() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &["INFO"]));
    let mut one = client(&authority.client().with_early_data(&[]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1), request(2), request(3)]);
    let (said, _stream) = play(&flight, &mut two, to);
    assert_eq!(said, [Said::Request(1), Said::Request(2), Said::Request(3)]);
}

#[test]
fn what_waits_for_the_end_of_a_handshake_is_not_offered_again_and_again() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &[]));
    let mut one = client(&authority.client().with_early_data(&[]));
    meet(&mut one, &mut two, to);
    let flight = first_flight(&mut one, &[request(1)]);
    let (said, _stream) = play(&flight, &mut two, to);
    assert_eq!(said, [Said::Request(1)]);
    // A request to who has proved nothing yet.
    let flow = connections(&two).find(|one| one.early).unwrap().flow;
    two.role_mut().send_on(flow, &request(2));
    settle(&mut one, &mut two);
    let held = |two: &Adapter<Echo>| connections(two).filter(|one| !one.waiting.is_empty()).count();
    assert_eq!(held(&two), 1);
    // That there is room says nothing: it is not room that it waits for.
    two.network.inputs.push_back(crate::input::Input::Writable(flow));
    let mut buffer = vec![0; 65_536];
    let idle = (0..20).any(|_| matches!(two.poll(&mut buffer).unwrap(), crate::Turn::Idle(_)));
    assert!(idle && held(&two) == 1);
}

#[test]
fn who_says_early_where_it_listens_is_asked_there_once_it_has_proved_who_it_is() {
    let authority = Authority::new();
    let own = authority.sign(&[San::Dns("phone.example.com")], |_| {});
    let asks = Clients::Must(authority.roots());
    let tls = ServerTls::new(&authority.sign(&[DNS], |_| {}), &asks).unwrap().with_early_data(MOST, &[]);
    let (mut two, to) = server(&tls);
    let mut one = client(&ClientTls::new(&authority.roots(), Some(&own)).unwrap().with_early_data(&[]));
    meet(&mut one, &mut two, to);
    one.role_mut().connect_to(8, to, Transport::Tls, NAME);
    let alias = String::from_utf8(request(1)).unwrap().replace("UDP 192.0.2.1;", "TLS 192.0.2.1:5071;alias;");
    // All of it is there before the server looks.
    for _ in 0..20 {
        if let Some(Said::Connected(_, flow)) = step(&mut one) {
            one.role_mut().send_on(flow, alias.as_bytes());
            one.role_mut().send_on(flow, &request(2));
        }
    }
    let mut early = false;
    for _ in 0..60 {
        let _ = step(&mut one);
        if step(&mut two) == Some(Said::Request(1)) {
            early = connections(&two).any(|one| one.early);
            assert!(connections(&two).all(|one| !one.early || one.peers.is_empty()));
        }
    }
    let known: Vec<_> = connections(&two)
        .flat_map(|one| one.peers.iter().map(|peer| (peer.name.as_str(), peer.address.port())))
        .collect();
    assert!(early && known.contains(&("phone.example.com", 5071)), "{known:?}");
}

#[test]
fn what_came_early_is_done_once_when_the_handshake_is_over() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &[]));
    let mut one = client(&authority.client().with_early_data(&["REGISTER"]));
    meet(&mut one, &mut two, to);
    one.role_mut().connect_to(8, to, Transport::Tls, NAME);
    let mut heard = Vec::new();
    for _ in 0..60 {
        if let Some(Said::Connected(_, flow)) = step(&mut one) {
            [request(1), register(2), request(3)].iter().for_each(|message| one.role_mut().send_on(flow, message));
        }
        heard.extend(step(&mut two));
    }
    assert_eq!(heard, [Said::Request(1), Said::Request(2), Said::Request(3)]);
    assert_eq!((two.statistics().messages_in, two.statistics().handshakes_failed), (4, 0));
}

#[test]
fn what_a_server_does_not_take_early_is_said_again() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &[]));
    let mut one = client(&authority.client().with_early_data(&[]));
    for other in [authority.server(&[DNS]), authority.server(&[DNS]).with_early_data(MOST, &[])] {
        meet(&mut one, &mut two, to);
        // It has forgotten the session.
        two.replace_tls(1, &other);
        one.role_mut().connect_to(8, to, Transport::Tls, NAME);
        let Said::Connected(_, flow) = next(&mut one, &mut two) else { panic!("no connection") };
        assert!(connections(&one).any(|one| one.flow == flow && one.early));
        one.role_mut().send_on(flow, &request(1));
        one.role_mut().send_on(flow, &register(2));
        let mut heard = Vec::new();
        for _ in 0..30 {
            let _ = step(&mut one);
            heard.extend(step(&mut two));
        }
        assert_eq!(heard, [Said::Request(1), Said::Request(2)]);
        assert!(!is_resumed(&one, flow));
        close(&mut one, &mut two, flow);
        two.replace_tls(1, &authority.server(&[DNS]).with_early_data(MOST, &[]));
    }
}

#[test]
fn a_server_that_is_another_one_by_now_is_refused_and_what_waited_is_not_sent() {
    let (authority, other) = (Authority::new(), Authority::called("Somebody"));
    let (mut two, to) = server(&authority.server(&[DNS]).with_early_data(MOST, &[]));
    let mut one = client(&authority.client().with_early_data(&[]));
    meet(&mut one, &mut two, to);
    two.replace_tls(1, &other.server(&[DNS]));
    one.role_mut().connect_to(8, to, Transport::Tls, NAME);
    let Said::Connected(_, flow) = next(&mut one, &mut two) else { panic!("no connection") };
    one.role_mut().send_on(flow, &request(1));
    one.role_mut().send_on(flow, &register(2));
    assert_eq!(next(&mut one, &mut two), Said::Lost(flow, FlowError::Certificate));
    assert_eq!(one.next_tls_refusal().unwrap().reason, TlsReason::Issuer("CN=Somebody".to_owned(), false));
    for _ in 0..10 {
        assert!(!matches!((step(&mut one), step(&mut two)), (_, Some(Said::Request(_)))));
    }
}
