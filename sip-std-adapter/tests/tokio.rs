//! Calls, registrations and ends on tokio: user agents and a server, each driven by a task, over UDP, TCP and TLS.
//!
//! Not here: what the driver does with its sockets, its channels and its sleep, which is tested beside it.
#![cfg(all(unix, feature = "tokio"))]
#![allow(clippy::std_instead_of_core, reason = "sockets need std")]

use sip_core::guard::{Secrets, User};
use sip_core::server;
use sip_core::ua::{Call, Cause, Config, Content, Event, UserAgent};
use sip_std_adapter::memory::{GuardMemory, HeapMemory, HeapServer, ProxyMemory, RegistrarMemory};
use sip_std_adapter::tokio::{Driver, Handle};
use sip_std_adapter::{Adapter, OwnedTurn, Statistics};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

type Agent = UserAgent<HeapMemory>;
type Events = Receiver<OwnedTurn<Event>>;
type Task = JoinHandle<io::Result<Adapter<Agent>>>;

struct Phone {
    address: SocketAddr,
    handle: Handle<Agent>,
    events: Events,
    task: Task,
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn drive(adapter: Adapter<Agent>, name: &str) -> Phone {
    drive_by(adapter, name, "")
}

fn drive_by(mut adapter: Adapter<Agent>, name: &str, proxy: &str) -> Phone {
    let address = adapter.local_addr();
    adapter.start(&Config::new("", &format!("sip:{name}@example.com")).with_proxy(proxy)).unwrap();
    let (driver, handle, events) = Driver::new(adapter);
    Phone { address, handle, events, task: tokio::spawn(driver.run()) }
}

fn phone(name: &str) -> Phone {
    drive(Adapter::bind(Agent::new(HeapMemory::new()), local()).unwrap(), name)
}

/// The next event that `wanted` takes for something; others are passed over.
async fn next<T>(events: &mut Events, mut wanted: impl FnMut(Event, &OwnedTurn<Event>) -> Option<T>) -> T {
    let look = async {
        loop {
            let turn = events.recv().await.expect("a driver");
            if let Some(found) = turn.event().and_then(|event| wanted(event, &turn)) {
                return found;
            }
        }
    };
    timeout(LONG, look).await.expect("an event")
}

async fn dial(phone: &Handle<Agent>, uri: String) -> Call {
    phone.with(move |ua, now| ua.call(now, &uri, "", &Content::sdp(SDP))).await.unwrap().unwrap()
}

/// A call from one to the other, who hangs up.
async fn call(one: &mut Phone, two: &mut Phone, uri: String) {
    let ours = dial(&one.handle, uri).await;
    let theirs = next(&mut two.events, |event, turn| match event {
        Event::Incoming { call } => {
            assert_eq!(turn.message().unwrap().body(), SDP);
            Some(call)
        }
        _ => None,
    });
    let theirs = theirs.await;
    two.handle.with(move |ua, now| ua.answer(now, theirs, &Content::sdp(SDP))).await.unwrap().unwrap();
    next(&mut one.events, |event, _| (event == Event::Answered { call: ours, answer_due: false }).then_some(())).await;
    next(&mut two.events, |event, _| (event == Event::Confirmed { call: theirs }).then_some(())).await;
    two.handle.with(move |ua, now| ua.hang_up(now, theirs)).await.unwrap().unwrap();
    let ended = |call| {
        move |event, _: &_| match event {
            Event::Ended { call: ended, cause, .. } => Some((ended == call, cause)),
            _ => None,
        }
    };
    assert_eq!(next(&mut one.events, ended(ours)).await, (true, Cause::RemoteHangup));
    assert_eq!(next(&mut two.events, ended(theirs)).await, (true, Cause::LocalHangup));
}

async fn counted(phone: &Phone) -> Statistics {
    phone.handle.with_adapter(|adapter| adapter.statistics()).await.unwrap()
}

/// Both ways over each transport.
async fn calls_over_udp_and_tcp() {
    let (mut one, mut two) = (phone("alice"), phone("bob"));
    for transport in ["udp", "tcp"] {
        let uri = format!("sip:bob@{};transport={transport}", two.address);
        call(&mut one, &mut two, uri).await;
        let uri = format!("sip:alice@{};transport={transport}", one.address);
        call(&mut two, &mut one, uri).await;
    }
    let counted = counted(&one).await;
    assert!(counted.datagrams_in >= 5 && counted.messages_in >= 2, "{counted:?}");
    one.handle.shutdown().await;
    two.handle.shutdown().await;
    one.task.await.unwrap().unwrap();
    two.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn two_agents_call_each_other_on_one_thread() {
    calls_over_udp_and_tcp().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_call_each_other_on_several_threads() {
    calls_over_udp_and_tcp().await;
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn two_agents_call_each_other_over_tls() {
    use sip_std_adapter::tls::{Certificate, ClientTls, Clients, Roots, ServerTls};
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::IpAddress(local().ip())];
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::Issuer::new(params.clone(), rcgen::KeyPair::generate().unwrap());
    let root = params.self_signed(authority.key()).unwrap().pem();
    params.is_ca = rcgen::IsCa::NoCa;
    let own = params.signed_by(&key, &authority).unwrap().pem();
    let own = Certificate::from_pem(own.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let server = ServerTls::new(&own, &Clients::Anybody).unwrap();
    let client = ClientTls::new(&Roots::from_pem(root.as_bytes()).unwrap(), None).unwrap();
    let secure = |name| {
        let mut adapter = Adapter::bind_tls(Agent::new(HeapMemory::new()), local(), &server).unwrap();
        adapter.set_client_tls(&client);
        drive(adapter, name)
    };
    let (mut one, mut two) = (secure("alice"), secure("bob"));
    let uri = format!("sips:bob@{}", two.address);
    call(&mut one, &mut two, uri).await;
    let refusal = one.handle.with_adapter(|adapter| adapter.next_tls_refusal().map(|refusal| refusal.to_string()));
    assert_eq!(refusal.await.unwrap(), None);
    let counted = counted(&one).await;
    assert!(counted.messages_in >= 2 && counted.datagrams_out == 0, "{counted:?}");
}

/// Phones at a server that knows them by their bindings.
#[tokio::test]
async fn phones_register_at_a_server_and_call_each_other_through_it() {
    const PHONES: usize = 8;
    let user = |name: &'static str| User {
        name: name.as_bytes(),
        secrets: Secrets { password: Some(b"zanzibar"), ..Secrets::default() },
    };
    let names = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let (proxy, bindings) = (ProxyMemory::with_capacity(1000, 100, 100), RegistrarMemory::with_capacity(100));
    let role = HeapServer::new(proxy, bindings, GuardMemory::with_capacity(100, 10), names.map(user));
    let mut adapter = Adapter::bind(role, local()).unwrap();
    let place = adapter.local_addr();
    let own = place.to_string();
    let listeners = [own.as_str()];
    let config =
        server::Config::new(&listeners, &["example.com"], b"a secret of this very server").with_epoch(1_700_000_000);
    let now = adapter.now();
    adapter.role_mut().start(now, &config, sip_std_adapter::seed().unwrap()).unwrap();
    let (driver, hub, mut told) = Driver::new(adapter);
    // Of a binding there is something to tell until the next input only.
    let driver = driver.on_turn(|adapter, turn| match turn.event() {
        Some(server::Event::Binding(event)) => adapter.role().binding(event.binding).is_some(),
        _ => false,
    });
    let server = tokio::spawn(driver.run());

    let proxy = format!("sip:{place};lr");
    let bind = || Adapter::bind(Agent::new(HeapMemory::new()), local()).unwrap();
    let mut phones: Vec<Phone> = names.iter().map(|name| drive_by(bind(), name, &proxy)).collect();
    for (phone, name) in phones.iter_mut().zip(names) {
        let register = move |ua: &mut Agent, now| {
            ua.add_credentials("example.com", name, "zanzibar").unwrap();
            ua.register(now, "", &format!("sip:{name}@example.com"), 300)
        };
        phone.handle.with(register).await.unwrap().unwrap();
        next(&mut phone.events, |event, _| matches!(event, Event::Registered { .. }).then_some(())).await;
        assert!(matches!(told.recv().await.unwrap().event(), Some(server::Event::Binding(_))));
    }
    assert_eq!(hub.with(|server, _| server.bindings().len()).await, Ok(PHONES));

    let (callers, callees) = phones.split_at_mut(PHONES / 2);
    for ((one, two), name) in callers.iter_mut().zip(callees).zip(&names[PHONES / 2..]) {
        call(one, two, format!("sip:{name}@example.com")).await;
    }
    for phone in &phones {
        phone.handle.shutdown().await;
    }
    // Each has taken its binding back.
    assert_eq!(hub.with(|server, _| server.bindings().len()).await, Ok(0));
    hub.stop().await;
    server.await.unwrap().unwrap();
}

/// Answers every call until its driver ends; gives how many there were, and how many ended.
async fn answer(phone: Handle<Agent>, mut events: Events) -> (usize, usize) {
    let (mut calls, mut ended) = (0, 0);
    while let Some(turn) = events.recv().await {
        match turn.event() {
            Some(Event::Incoming { call }) => {
                calls += 1;
                phone.with(move |ua, now| ua.answer(now, call, &Content::sdp(SDP))).await.unwrap().unwrap();
            }
            Some(Event::Ended { .. }) => ended += 1,
            _ => {}
        }
    }
    (calls, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_are_made_and_none_is_lost() {
    const CALLS: usize = 1000;
    /// At the same time.
    const MOST: usize = 50;
    let bind = || Adapter::bind(Agent::new(HeapMemory::with_capacity(8000, 200, 200, 1)), local()).unwrap();
    let (mut one, two) = (drive(bind(), "alice"), drive(bind(), "bob"));
    let machine = tokio::spawn(answer(two.handle.clone(), two.events));
    let uri = format!("sip:bob@{}", two.address);
    let (mut begun, mut under_way, mut done) = (0, HashSet::new(), 0);
    while done < CALLS {
        while begun < CALLS && under_way.len() < MOST {
            under_way.insert(dial(&one.handle, uri.clone()).await);
            begun += 1;
        }
        let hang_up = next(&mut one.events, |event, _| match event {
            Event::Answered { call, .. } => Some(Some(call)),
            Event::Ended { call, cause, .. } => {
                assert!(under_way.remove(&call) && cause == Cause::LocalHangup, "{cause:?}");
                done += 1;
                Some(None)
            }
            _ => None,
        });
        if let Some(call) = hang_up.await {
            one.handle.with(move |ua, now| ua.hang_up(now, call)).await.unwrap().unwrap();
        }
    }
    two.handle.shutdown().await;
    assert_eq!(machine.await.unwrap(), (CALLS, CALLS));
    let occupancy = one.handle.with(|ua, _| ua.occupancy()).await.unwrap();
    assert_eq!((occupancy.calls, occupancy.dialogs), (0, 0));
}

#[tokio::test]
async fn a_shutdown_hangs_up_at_the_peer_whatever_state_a_call_is_in() {
    let (one, mut two) = (phone("alice"), phone("bob"));
    let mut three = phone("carol");
    // Established.
    let up = dial(&one.handle, format!("sip:bob@{}", two.address)).await;
    let incoming = |event, _: &_| if let Event::Incoming { call } = event { Some(call) } else { None };
    let call = next(&mut two.events, incoming).await;
    two.handle.with(move |ua, now| ua.answer(now, call, &Content::sdp(SDP))).await.unwrap().unwrap();
    next(&mut two.events, |event, _| (event == Event::Confirmed { call }).then_some(())).await;
    // Ringing there.
    let ringing = dial(&one.handle, format!("sip:bob@{}", two.address)).await;
    let other = next(&mut two.events, incoming).await;
    two.handle.with(move |ua, now| ua.ring(now, other, 180, &Content::NONE)).await.unwrap().unwrap();
    // Ringing here.
    let from_carol = dial(&three.handle, format!("sip:alice@{}", one.address)).await;
    let mut events = one.events;
    let mut seen = HashSet::new();
    while seen.len() < 2 {
        let call = |event, _: &_| match event {
            Event::Incoming { call } | Event::Progress { call, .. } => Some(call),
            _ => None,
        };
        seen.insert(next(&mut events, call).await);
    }
    assert!(seen.contains(&ringing) && !seen.contains(&up));

    timeout(LONG, one.handle.shutdown()).await.expect("an end");
    let mut ended = HashSet::new();
    while let Some(turn) = events.recv().await {
        if let Some(Event::Ended { call, cause, .. }) = turn.event() {
            assert!(matches!(cause, Cause::LocalHangup | Cause::Declined), "{cause:?}");
            ended.insert(call);
        }
    }
    assert_eq!(ended.len(), 3);
    one.task.await.unwrap().unwrap();
    let end = |event, _: &_| {
        if let Event::Ended { call, cause, status } = event { Some((call, cause, status)) } else { None }
    };
    let ends = [next(&mut two.events, end).await, next(&mut two.events, end).await];
    assert!(ends.contains(&(call, Cause::RemoteHangup, 0)) && ends.iter().any(|(call, ..)| *call == other), "{ends:?}");
    let (call, _, status) = next(&mut three.events, end).await;
    assert_eq!((call, status), (from_carol, 486));
}

#[tokio::test]
async fn who_has_no_time_for_a_shutdown_stops() {
    let one = phone("alice");
    // It takes the INVITE and says nothing.
    let silent = tokio::net::UdpSocket::bind(local()).await.unwrap();
    dial(&one.handle, format!("sip:bob@{}", silent.local_addr().unwrap())).await;
    assert!(timeout(Duration::from_millis(300), one.handle.shutdown()).await.is_err());
    assert!(!one.handle.is_stopped());
    timeout(LONG, one.handle.stop()).await.expect("an end");
    one.task.await.unwrap().unwrap();
}
