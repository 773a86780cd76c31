//! Connections under TLS: two adapters, or one and a plain socket, over 127.0.0.1. Not here: what takes long, whose time is given in
//! `tcp_tests.rs`.

use super::testing::{Authority, San, self_signed};
use super::*;
use crate::Adapter;
use crate::driven::{next, step};
use crate::echo::{Echo, Said, request};
use core::net::SocketAddr;
use core::time::Duration;
use sip_core::transport::{Flow, FlowError, Ticket, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;

const LOCAL: &str = "127.0.0.1:0";
pub(super) const NAME: &str = "sip.example.com";
pub(super) const DNS: San<'static> = San::Dns(NAME);

pub(super) fn adapter() -> Adapter<Echo> {
    Adapter::bind(Echo::default(), LOCAL.parse().unwrap()).unwrap()
}

/// An adapter that listens under TLS too, and where.
pub(super) fn server(tls: &ServerTls) -> (Adapter<Echo>, SocketAddr) {
    let mut adapter = adapter();
    let number = adapter.listen_tls(LOCAL.parse().unwrap(), tls).unwrap();
    let address = adapter.local_addrs().nth(usize::from(number)).unwrap();
    (adapter, address)
}

pub(super) fn client(tls: &ClientTls) -> Adapter<Echo> {
    let mut adapter = adapter();
    adapter.set_client_tls(tls);
    adapter
}

/// Has `one` ask for a connection to `two`; gives what becomes of it.
pub(super) fn connect(
    one: &mut Adapter<Echo>,
    two: &mut Adapter<Echo>,
    to: SocketAddr,
    name: &'static str,
) -> Result<Flow, FlowError> {
    one.role_mut().connect_to(7, to, Transport::Tls, name);
    match next(one, two) {
        Said::Connected(ticket, flow) if ticket == Ticket::new(7) => Ok(flow),
        Said::NoConnection(_, error) => Err(error),
        said => panic!("{said:?}"),
    }
}

/// What becomes of a connection to who shows `own`.
fn meets(own: &Certificate, name: &'static str, authority: &Authority) -> Result<Flow, (FlowError, TlsRefusal)> {
    let (mut two, to) = server(&ServerTls::new(own, &Clients::Anybody).unwrap());
    let mut one = client(&authority.client());
    let outcome = connect(&mut one, &mut two, to, name);
    outcome.map_err(|error| (error, one.next_tls_refusal().unwrap()))
}

#[test]
fn a_request_is_answered_on_its_connection() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    assert_eq!((flow.transport, flow.remote.socket_addr()), (Transport::Tls, Some(to)));
    for number in 1..=3 {
        one.role_mut().send_on(flow, &request(number));
        assert_eq!(next(&mut two, &mut one), Said::Request(number));
        assert_eq!(next(&mut one, &mut two), Said::Response(number));
    }
    let counted = (one.statistics(), two.statistics());
    assert_eq!((counted.0.connections_opened, counted.1.connections_accepted), (1, 1));
    assert_eq!((counted.0.messages_out, counted.0.messages_in, counted.1.messages_in), (3, 3, 3));
    assert_eq!(one.peer_identities(flow), [NAME]);
    // The end is told to the peer, and no alert is a fault.
    one.role_mut().close(flow);
    while two.connections() > 0 {
        assert!(step(&mut one).is_none());
        assert!(matches!(step(&mut two), None | Some(Said::Lost(_, FlowError::Closed))));
    }
}

#[test]
fn a_message_of_many_records_arrives_whole() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    let mut large = String::from_utf8(request(1)).unwrap().replace("Content-Length: 0", "Content-Length: 60000");
    large.push_str(&"x".repeat(60_000));
    one.role_mut().send_on(flow, large.as_bytes());
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
    assert_eq!(next(&mut one, &mut two), Said::Response(1));
}

#[test]
fn a_certificate_proves_what_rfc_5922_says() {
    let authority = Authority::new();
    let many: Vec<String> = (0..100).map(|number| format!("h{number}.example.com")).collect();
    let mut hundred: Vec<San<'_>> = many.iter().map(|name| San::Dns(name)).collect();
    hundred.push(DNS);
    for (names, asked, good) in [
        (&[San::Uri("sip:sip.example.com")][..], NAME, true),
        (&[San::Uri("SIP:SIP.Example.COM")], NAME, true),
        (&[DNS], NAME, true),
        (&[San::Dns("SIP.EXAMPLE.COM")], NAME, true),
        (&hundred, NAME, true),
        // The URI decides where there is one, and a user is no domain.
        (&[San::Uri("sip:other.com"), DNS], NAME, false),
        (&[San::Uri("sip:bob@sip.example.com"), DNS], NAME, false),
        (&[San::Uri("https://sip.example.com"), DNS], NAME, true),
        (&[San::Uri("sips:sip.example.com")], NAME, false),
        (&[San::Dns("*.example.com")], NAME, false),
        (&[San::Dns("sip.example.com\0.evil.com")], NAME, false),
        (&[San::Uri("sip:sip.example.com\0.evil.com")], NAME, false),
        (&[San::Dns("example.com")], NAME, false),
        // The common name says so, and is not asked.
        (&[], NAME, false),
        (&[San::Ip("127.0.0.1")], "127.0.0.1", true),
        (&[San::Uri("sip:127.0.0.1")], "127.0.0.1", true),
        (&[San::Ip("127.0.0.2")], "127.0.0.1", false),
        (&[DNS], "127.0.0.1", false),
    ] {
        let found = meets(&authority.sign(names, |_| {}), asked, &authority);
        assert_eq!(found.is_ok(), good, "{asked}: {found:?}");
        if let Err((error, refusal)) = found {
            assert!(matches!(refusal.reason, TlsReason::Name(_)), "{refusal:?}");
            assert_eq!((error, refusal.name.as_str()), (FlowError::Certificate, asked));
        }
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let authority = Authority::new();
    let words = |own: &Certificate| {
        let (error, refusal) = meets(own, NAME, &authority).unwrap_err();
        assert_eq!(error, FlowError::Certificate);
        refusal.to_string()
    };
    let said = words(&authority.sign(&[San::Dns("other.example.com")], |_| {}));
    assert_eq!(said, "the certificate is not that of sip.example.com: it bears other.example.com");
    let said = words(&authority.sign(&[DNS], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)));
    assert!(
        said.starts_with("the certificate of sip.example.com has expired, ") && said.ends_with(" days ago"),
        "{said}"
    );
    let said = words(&authority.sign(&[DNS], |params| params.not_before = rcgen::date_time_ymd(3020, 1, 1)));
    assert!(said.starts_with("the certificate of sip.example.com is not valid before "), "{said}");
    let said = words(&self_signed(&[DNS]));
    assert_eq!(said, "the certificate of sip.example.com is signed by itself and not trusted");
    let said = words(&Authority::called("Somebody").sign(&[DNS], |_| {}));
    assert_eq!(said, "the issuer of the certificate of sip.example.com is not trusted: CN=Somebody");
}

#[test]
fn two_names_at_one_address_are_two_connections() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS, San::Dns("sip.example.net")]));
    let mut one = client(&authority.client());
    let com = connect(&mut one, &mut two, to, NAME).unwrap();
    let net = connect(&mut one, &mut two, to, "sip.example.net").unwrap();
    assert_ne!(com, net);
    // The same name is the same connection, and a name that is not proved has none.
    assert_eq!(connect(&mut one, &mut two, to, "SIP.example.com"), Ok(com));
    assert_eq!(connect(&mut one, &mut two, to, "evil.example.com"), Err(FlowError::Certificate));
    assert_eq!(one.connections(), 2);
}

#[test]
fn a_request_goes_back_by_a_connection_whose_peer_has_proved_its_name_only() {
    let authority = Authority::new();
    let own = authority.sign(&[San::Dns("phone.example.com")], |_| {});
    let shows = ClientTls::new(&authority.roots(), Some(&own)).unwrap();
    for (asks, shown, reused) in [
        (Clients::Must(authority.roots()), true, true),
        (Clients::May(authority.roots()), false, false),
        (Clients::Anybody, true, false),
    ] {
        let (mut two, to) = server(&ServerTls::new(&authority.sign(&[DNS], |_| {}), &asks).unwrap());
        two.set_client_tls(&authority.client());
        let mut one = client(&if shown { shows.clone() } else { authority.client() });
        let there = connect(&mut one, &mut two, to, NAME).unwrap();
        // Said once, so that the server has seen the end of the handshake.
        one.role_mut().send_on(there, &request(1));
        assert_eq!(next(&mut two, &mut one), Said::Request(1));
        let ours = one.network.tcp.as_ref().unwrap().local(there).unwrap();
        assert_eq!(next(&mut one, &mut two), Said::Response(1));
        let back = connect(&mut two, &mut one, ours, "phone.example.com");
        assert_eq!(back.is_ok(), reused, "{back:?}");
        if let Ok(back) = back {
            assert_eq!(two.peer_identities(back), ["phone.example.com"]);
            two.role_mut().send_on(back, &request(2));
            assert_eq!(next(&mut one, &mut two), Said::Request(2));
        }
        assert!(connect(&mut two, &mut one, ours, "other.example.com").is_err());
    }
}

/// A peer that says `;alias` is asked by the connection that it has opened at the address where it listens (RFC 5923 §5), by the names
/// that it has proved and by no others; one that proves nothing is not.
#[test]
fn an_alias_is_an_address_of_who_has_proved_a_name() {
    let authority = Authority::new();
    let own = authority.sign(&[San::Dns("phone.example.com")], |_| {});
    let shows = ClientTls::new(&authority.roots(), Some(&own)).unwrap();
    // Nobody listens there.
    let closed: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let mutual = Clients::May(authority.roots());
    for (asks, shown, alias, reused) in [
        (&mutual, true, ";alias", true),
        (&mutual, true, ";ALIAS", true),
        (&mutual, true, "", false),
        (&mutual, false, ";alias", false),
        (&Clients::Anybody, true, ";alias", false),
    ] {
        let (mut two, to) = server(&ServerTls::new(&authority.sign(&[DNS], |_| {}), asks).unwrap());
        two.set_client_tls(&authority.client());
        let mut one = client(&if shown { shows.clone() } else { authority.client() });
        let there = connect(&mut one, &mut two, to, NAME).unwrap();
        let via = format!("127.0.0.1:9;branch=z9hG4bK1{alias}\r");
        let first = String::from_utf8(request(1)).unwrap().replace("192.0.2.1;branch=z9hG4bK1\r", &via);
        one.role_mut().send_on(there, first.as_bytes());
        assert_eq!(next(&mut two, &mut one), Said::Request(1));
        assert_eq!(next(&mut one, &mut two), Said::Response(1));
        let back = connect(&mut two, &mut one, closed, "phone.example.com");
        assert_eq!(back.is_ok(), reused, "{alias} {back:?}");
        assert!(connect(&mut two, &mut one, closed, "other.example.com").is_err());
        if let Ok(back) = back {
            two.role_mut().send_on(back, &request(2));
            assert_eq!(next(&mut one, &mut two), Said::Request(2));
        }
    }
}

#[test]
fn who_must_show_a_certificate_and_has_none_is_refused() {
    let authority = Authority::new();
    let own = authority.sign(&[DNS], |_| {});
    let (mut two, to) = server(&ServerTls::new(&own, &Clients::Must(authority.roots())).unwrap());
    let mut one = client(&authority.client());
    // Under TLS 1.3 the client is done before the server has looked, so it may learn it only afterwards.
    let opened = connect(&mut one, &mut two, to, NAME);
    while two.statistics().handshakes_failed == 0 {
        let _ = (step(&mut one), step(&mut two));
    }
    assert_eq!(two.next_tls_refusal().unwrap().reason, TlsReason::NoCertificate);
    assert_eq!((two.connections(), opened.is_ok()), (0, true));
}

#[test]
fn plain_sip_at_the_port_of_tls_and_tls_at_that_of_tcp_are_refused() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&request(1)).unwrap();
    while two.statistics().handshakes_failed == 0 {
        assert!(step(&mut two).is_none());
    }
    assert_eq!((two.connections(), two.next_tls_refusal().unwrap().reason), (0, TlsReason::NotTls));

    let mut one = client(&authority.client());
    let plain = two.local_addr();
    one.role_mut().connect_to(7, plain, Transport::Tls, NAME);
    let said = loop {
        let _ = step(&mut two);
        if let Some(said) = step(&mut one) {
            break said;
        }
    };
    assert!(matches!(said, Said::NoConnection(_, FlowError::Closed | FlowError::Handshake)), "{said:?}");
    assert_eq!(two.statistics().broken, 1);
    // Known by its first two octets, and told as what it is.
    let mut stream = TcpStream::connect(plain).unwrap();
    stream.write_all(&[22, 3]).unwrap();
    while two.statistics().broken == 1 {
        let _ = step(&mut two);
    }
    for _ in 0..2 {
        assert_eq!(two.next_tls_refusal().unwrap().reason, TlsReason::NotPlain);
    }
    assert_eq!(two.next_tls_refusal(), None);
}

#[test]
fn keys_of_rsa_with_1024_bits_are_refused_at_either_end() {
    let weak = include_bytes!("rsa-1024/authority.pem");
    // One's own is none to begin with.
    let own = Certificate::from_pem(weak, include_bytes!("rsa-1024/authority.key")).unwrap();
    assert!(ServerTls::new(&own, &Clients::Anybody).is_err());
    assert!(ClientTls::new(&Authority::new().roots(), Some(&own)).is_err());
    // What such a key vouches for proves nothing.
    let own = Certificate::from_pem(include_bytes!("rsa-1024/leaf.pem"), include_bytes!("rsa-1024/leaf.key")).unwrap();
    let (mut two, to) = server(&ServerTls::new(&own, &Clients::Anybody).unwrap());
    let mut one = client(&ClientTls::new(&Roots::from_pem(weak).unwrap(), None).unwrap());
    assert_eq!(connect(&mut one, &mut two, to, NAME), Err(FlowError::Certificate));
    assert!(matches!(one.next_tls_refusal().unwrap().reason, TlsReason::Certificate(_)));
}

#[test]
fn a_peer_that_is_gone_without_a_word_has_closed_its_connection() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    one.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
    assert_eq!(next(&mut one, &mut two), Said::Response(1));
    // A part of a message, and then the end without close-notify.
    one.role_mut().send_on(flow, &request(2)[..40]);
    for _ in 0..5 {
        assert!(step(&mut one).is_none() && step(&mut two).is_none());
    }
    drop(one);
    let said = loop {
        if let Some(said) = step(&mut two) {
            break said;
        }
    };
    assert!(matches!(said, Said::Lost(_, FlowError::Closed)), "{said:?}");
}

#[test]
fn nothing_is_dialled_under_tls_that_is_not_configured() {
    let mut one = adapter();
    one.role_mut().connect_to(7, "127.0.0.1:5061".parse().unwrap(), Transport::Tls, NAME);
    let mut two = adapter();
    assert_eq!(next(&mut one, &mut two), Said::NoConnection(Ticket::new(7), FlowError::Unsupported));
    assert_eq!(one.connections(), 0);
}

#[test]
fn an_adapter_of_tls_alone_has_no_way_out_for_anything_else() {
    let authority = Authority::new();
    let server = authority.server(&[DNS]);
    let mut one = Adapter::bind_tls(Echo::default(), LOCAL.parse().unwrap(), &server).unwrap();
    one.set_client_tls(&authority.client());
    let mut two = adapter();
    one.role_mut().connect(7, two.local_addr(), Transport::Tcp);
    assert_eq!(next(&mut one, &mut two), Said::NoConnection(Ticket::new(7), FlowError::Unreachable));
    // A name has targets for TLS alone, whether it is asked for or not.
    for (asked, found) in [(Transport::Udp, 0), (Transport::Tcp, 0), (Transport::Tls, 1), (Transport::None, 1)] {
        one.role_mut().ask(8, "127.0.0.1", asked, false);
        assert_eq!(next(&mut one, &mut two), Said::Found(Ticket::new(8), found), "{asked:?}");
        assert!(one.role().targets.iter().all(|target| target.transport == Transport::Tls));
    }
    assert_eq!((one.connections(), two.statistics().connections_accepted), (0, 0));
    // Without who can open them there are none; with a plain listener there is all.
    let mut one = Adapter::bind_tls(Echo::default(), LOCAL.parse().unwrap(), &server).unwrap();
    one.role_mut().ask(8, "127.0.0.1", Transport::Tls, false);
    assert_eq!(next(&mut one, &mut two), Said::Found(Ticket::new(8), 0));
    one.listen(LOCAL.parse().unwrap()).unwrap();
    one.role_mut().ask(8, "127.0.0.1", Transport::None, false);
    assert_eq!(next(&mut one, &mut two), Said::Found(Ticket::new(8), 1));
    assert_eq!(one.role().targets[0].transport, Transport::Udp);
}

#[test]
fn cut_and_broken_records_end_their_own_connection_only() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    for octets in [
        &[22, 3, 1][..],
        &[22, 3, 1, 0xff, 0xff, 1],
        &[21, 3, 3, 0, 2, 2, 40],
        &[23, 3, 3, 0, 0],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &[0; 600],
    ] {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(octets).unwrap();
        for _ in 0..5 {
            assert!(step(&mut two).is_none());
        }
        drop(stream);
    }
    while two.connections() > 1 {
        assert!(step(&mut two).is_none());
    }
    assert_eq!(two.statistics().handshakes_failed, 6);
    one.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
}

#[test]
fn handshakes_that_stand_still_hold_up_nobody() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    two.limit_connections(16);
    two.limit_connections_of_source(16);
    let mut still: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(to).unwrap()).collect();
    while two.statistics().connections_accepted < 10 {
        assert!(step(&mut two).is_none());
    }
    // A quarter of sixteen, and the oldest gave way.
    assert_eq!((two.connections(), two.statistics().handshakes_failed), (4, 6));
    still[0].set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(still[0].read(&mut [0; 8]), Ok(0) | Err(_)));
    let mut one = client(&authority.client());
    let flow = connect(&mut one, &mut two, to, NAME).unwrap();
    one.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
    assert_eq!(two.next_tls_refusal().unwrap().reason, TlsReason::Unfinished);
}

#[test]
fn a_flood_of_handshakes_from_one_source_pushes_out_nobody_elses() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    two.limit_connections(32);
    let mut one = Adapter::bind(Echo::default(), "127.0.0.2:0".parse().unwrap()).unwrap();
    one.set_client_tls(&authority.client());
    one.role_mut().connect_to(7, to, Transport::Tls, NAME);
    let (mut flood, mut said) = (Vec::new(), None);
    while said.is_none() && flood.len() < 2000 {
        // More than there is room for, before each step of the other's.
        for _ in 0..10 {
            flood.push(TcpStream::connect(to).unwrap());
            assert!(step(&mut two).is_none());
        }
        said = step(&mut one);
    }
    let Some(Said::Connected(_, flow)) = said else { panic!("{said:?} {:?}", two.statistics()) };
    one.role_mut().send_on(flow, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
    // The flood has what there is, and has lost the rest itself.
    let counted = two.statistics();
    assert!(two.connections() <= 9 && counted.handshakes_failed + counted.sources_limited > 10, "{counted:?}");
}

#[test]
fn a_new_certificate_is_shown_to_who_connects_next() {
    let authority = Authority::new();
    let (mut two, to) = server(&authority.server(&[DNS]));
    let mut one = client(&authority.client());
    let old = connect(&mut one, &mut two, to, NAME).unwrap();
    assert!(two.replace_tls(1, &authority.server(&[San::Dns("sip.example.net")])));
    assert!(!two.replace_tls(0, &authority.server(&[DNS])));
    connect(&mut one, &mut two, to, "sip.example.net").unwrap();
    one.role_mut().send_on(old, &request(1));
    assert_eq!(next(&mut two, &mut one), Said::Request(1));
}

#[test]
fn what_is_no_certificate_is_refused_when_it_is_read() {
    assert!(Roots::from_pem(b"").is_err());
    assert!(Roots::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    assert!(Certificate::from_pem(b"nothing", b"nothing").is_err());
}
