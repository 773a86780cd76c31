//! The driver against plain sockets: nothing is missed, nothing turns for nothing, and every end is an end.

use super::*;
use crate::adapter::Adapter;
use crate::echo::{Echo, Said, number, request};
use crate::owned::OwnedTurn;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use sip_core::message::Message;
use sip_core::transport::{Ticket, Transport};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const LOCAL: &str = "127.0.0.1:0";
/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

type Events = Receiver<OwnedTurn<Said>>;

struct Driven {
    address: SocketAddr,
    handle: Handle<Echo>,
    events: Events,
    task: JoinHandle<io::Result<Adapter<Echo>>>,
    /// How often the task was polled.
    polls: Arc<AtomicU32>,
}

/// The same future, with its polls counted.
async fn counted<F: Future>(future: F, polls: Arc<AtomicU32>) -> F::Output {
    let mut future = pin!(future);
    core::future::poll_fn(|context| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(context)
    })
    .await
}

fn adapter() -> Adapter<Echo> {
    Adapter::bind(Echo::default(), LOCAL.parse().unwrap()).unwrap()
}

fn drive(adapter: Adapter<Echo>, capacity: usize) -> Driven {
    let address = adapter.local_addr();
    let (driver, handle, events) = Driver::with_capacity(adapter, capacity);
    let polls = Arc::new(AtomicU32::new(0));
    let task = tokio::spawn(counted(driver.run(), Arc::clone(&polls)));
    Driven { address, handle, events, task, polls }
}

fn driven() -> Driven {
    drive(adapter(), 256)
}

async fn next(events: &mut Events) -> Said {
    let turn = timeout(LONG, events.recv()).await.expect("an event").expect("a driver");
    turn.event().unwrap()
}

/// The number of the next response.
async fn response(peer: &UdpSocket) -> u32 {
    let mut buffer = [0; 2000];
    let length = timeout(LONG, peer.recv(&mut buffer)).await.expect("a response").unwrap();
    number(&Message::parse(&buffer[..length]).unwrap())
}

/// The same over a connection.
async fn response_to(peer: &mut TcpStream) -> u32 {
    let mut buffer = [0; 2000];
    let length = timeout(LONG, peer.read(&mut buffer)).await.expect("a response").unwrap();
    number(&Message::parse(&buffer[..length]).unwrap())
}

async fn peer_of(driven: &Driven) -> UdpSocket {
    let peer = UdpSocket::bind(LOCAL).await.unwrap();
    peer.connect(driven.address).await.unwrap();
    peer
}

#[tokio::test]
async fn an_event_comes_with_its_message_and_a_response_goes_out() {
    let mut driven = driven();
    let peer = peer_of(&driven).await;
    peer.send(&request(7)).await.unwrap();
    let turn = driven.events.recv().await.unwrap();
    assert_eq!((turn.event(), turn.message().unwrap().cseq().number), (Some(Said::Request(7)), 7));
    let OwnedTurn::Message { flow, .. } = turn else { panic!("{turn:?}") };
    assert_eq!(flow.remote.socket_addr(), Some(peer.local_addr().unwrap()));
    assert_eq!(response(&peer).await, 7);
}

#[tokio::test]
async fn a_driver_with_nothing_to_do_is_not_polled() {
    let driven = driven();
    sleep(Duration::from_millis(50)).await;
    let before = driven.polls.load(Ordering::Relaxed);
    sleep(Duration::from_millis(700)).await;
    assert_eq!(driven.polls.load(Ordering::Relaxed), before);
    assert!(before <= 2, "{before} polls for the start");
    // A timer that is far away is no reason either, and one that is due comes in time.
    let mut events = driven.events;
    let due = driven.handle.with(|echo, now| echo.timer = Some(now + sip_core::time::Duration::from_millis(300)));
    due.await.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(next(&mut events).await, Said::Timer);
    assert!((Duration::from_millis(290)..Duration::from_secs(2)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let polls = driven.polls.load(Ordering::Relaxed) - before;
    assert!(polls <= 4, "{polls} polls for one timer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_is_missed() {
    const ROUNDS: u32 = 40;
    const BURST: u32 = 50;
    let mut driven = driven();
    let peer = peer_of(&driven).await;
    let events = tokio::spawn(async move {
        for number in 0..ROUNDS * BURST {
            assert_eq!(next(&mut driven.events).await, Said::Request(number));
        }
    });
    for round in 0..ROUNDS {
        let numbers = round * BURST..(round + 1) * BURST;
        for number in numbers.clone() {
            peer.send(&request(number)).await.unwrap();
        }
        let mut answered = BTreeSet::new();
        for _ in numbers.clone() {
            answered.insert(response(&peer).await);
        }
        assert!(answered.into_iter().eq(numbers));
    }
    events.await.unwrap();
    let polls = driven.polls.load(Ordering::Relaxed);
    assert!(polls < ROUNDS * BURST * 3, "{polls} polls for {} requests", ROUNDS * BURST);
}

/// Requests one after the other and in bursts, over datagrams and a connection, with no room for their events and a command for each of
/// them: a driver that misses one of the three stands still for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost_between_the_network_commands_and_a_full_channel() {
    let Driven { address, handle, mut events, task: _task, .. } = drive(adapter(), 1);
    let peer = UdpSocket::bind(LOCAL).await.unwrap();
    peer.connect(address).await.unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let heard = tokio::spawn(async move {
        let mut heard = 0_u32;
        while let Some(turn) = timeout(LONG, events.recv()).await.expect("an event") {
            let Some(Said::Request(number)) = turn.event() else { continue };
            if number == u32::MAX {
                break;
            }
            heard += 1;
            timeout(LONG, handle.with(|_, _| ())).await.expect("the command was carried out").unwrap();
        }
        heard
    });
    let (begun, mut sent) = (std::time::Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(2) {
        let burst = sent..sent + 1 + sent % 7;
        for number in burst.clone() {
            peer.send(&request(number)).await.unwrap();
        }
        let mut answered = BTreeSet::new();
        for _ in burst.clone() {
            answered.insert(response(&peer).await);
        }
        assert!(answered.into_iter().eq(burst.clone()));
        connection.write_all(&request(burst.end)).await.unwrap();
        assert_eq!(response_to(&mut connection).await, burst.end);
        sent = burst.end + 1;
    }
    peer.send(&request(u32::MAX)).await.unwrap();
    assert_eq!(timeout(LONG, heard).await.expect("an end").unwrap(), sent);
}

/// A list of what the system has noticed is full again and again, as beside many handshakes.
#[test]
fn what_is_noticed_is_taken_in_pieces_and_nothing_is_left_behind() {
    const PEERS: usize = 300;
    let (mut adapter, mut buffer) = (adapter(), vec![0; 65_536]);
    adapter.limit_connections_of_source(PEERS);
    let mut peers = Vec::new();
    while peers.len() < PEERS {
        peers.push(std::net::TcpStream::connect(adapter.local_addr()).unwrap());
        while adapter.connections() < peers.len() {
            let _ = (adapter.poll(&mut buffer).unwrap(), adapter.network.collect_all().unwrap());
        }
    }
    while adapter.network.collect_all().unwrap() {}
    for peer in &mut peers {
        io::Write::write_all(peer, b"O").unwrap();
    }
    assert!(adapter.network.collect_all().unwrap());
    assert!(!adapter.network.collect_all().unwrap());
}

/// More sockets at once than the adapter looks at in one go.
#[tokio::test]
async fn more_connections_than_one_look_shows_are_all_served() {
    const PEERS: u32 = 300;
    let mut adapter = adapter();
    adapter.limit_connections_of_source(1000);
    let driven = drive(adapter, 1000);
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(TcpStream::connect(driven.address).await.unwrap());
    }
    for round in 0..3 {
        // The driver's thread is this one, so all of it is there when it looks. Of the first ones there is no message to be taken yet.
        let numbers = round * PEERS..(round + 1) * PEERS;
        for (number, peer) in numbers.clone().zip(&mut peers) {
            let octets = request(number);
            let length = if number % PEERS < PEERS / 2 { 20 } else { octets.len() };
            assert_eq!(peer.try_write(&octets[..length]).unwrap(), length);
        }
        for (number, peer) in numbers.clone().zip(&mut peers).skip(PEERS as usize / 2) {
            assert_eq!(response_to(peer).await, number);
        }
        for (number, peer) in numbers.zip(&mut peers).take(PEERS as usize / 2) {
            peer.write_all(&request(number)[20..]).await.unwrap();
            assert_eq!(response_to(peer).await, number);
        }
    }
}

#[tokio::test]
async fn who_does_not_read_holds_the_driver_up_and_still_gives_commands() {
    let mut driven = drive(adapter(), 4);
    let peer = peer_of(&driven).await;
    for number in 0..20 {
        peer.send(&request(number)).await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    // Four wait in the channel and one for room; nobody took the sixth.
    let counted = driven.handle.with_adapter(|adapter| adapter.statistics().datagrams_in);
    assert_eq!(timeout(LONG, counted).await.expect("no deadlock").unwrap(), 5);
    let polls = driven.polls.load(Ordering::Relaxed);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(driven.polls.load(Ordering::Relaxed), polls);
    for number in 0..20 {
        assert_eq!(next(&mut driven.events).await, Said::Request(number));
    }
}

#[tokio::test]
async fn who_drops_the_receiver_gets_no_events_and_the_driver_goes_on() {
    let driven = drive(adapter(), 1);
    let peer = peer_of(&driven).await;
    for number in 0..3 {
        peer.send(&request(number)).await.unwrap();
    }
    sleep(Duration::from_millis(50)).await;
    // Also while it waits for room.
    drop(driven.events);
    for number in 0..3 {
        assert_eq!(response(&peer).await, number);
    }
    peer.send(&request(3)).await.unwrap();
    assert_eq!(response(&peer).await, 3);
    assert!(!driven.handle.is_stopped());
}

#[tokio::test]
async fn the_drop_of_the_last_handle_ends_the_driver_once_all_is_sent() {
    for full in [false, true] {
        let driven = drive(adapter(), 1);
        let peer = peer_of(&driven).await;
        let mut events = driven.events;
        if full {
            peer.send(&request(1)).await.unwrap();
            peer.send(&request(2)).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
        let to = peer.local_addr().unwrap();
        let other = driven.handle.clone();
        other.with(move |echo, _| echo.send(to, &request(9))).await.unwrap();
        drop((driven.handle, other));
        // What has happened by then is told.
        let mut told = Vec::new();
        while let Some(turn) = timeout(LONG, events.recv()).await.expect("an end") {
            told.push(turn.event().unwrap());
        }
        assert_eq!(told, [Said::Request(1), Said::Request(2)][..if full { 2 } else { 0 }]);
        let adapter = timeout(LONG, driven.task).await.expect("an end").unwrap().unwrap();
        assert_eq!(adapter.statistics().datagrams_out, if full { 3 } else { 1 });
        let numbers = if full { &[1, 2, 9][..] } else { &[9] };
        let mut got = Vec::new();
        for _ in numbers {
            got.push(response(&peer).await);
        }
        got.sort_unstable();
        assert_eq!(got, numbers);
    }
}

#[tokio::test]
async fn a_stop_comes_through_in_a_flood_and_when_nobody_reads() {
    let driven = drive(adapter(), 1);
    let peer = peer_of(&driven).await;
    let flood = tokio::spawn(async move {
        loop {
            let _ = peer.send(&request(1)).await;
            tokio::task::yield_now().await;
        }
    });
    sleep(Duration::from_millis(50)).await;
    timeout(LONG, driven.handle.stop()).await.expect("an end");
    assert!(driven.handle.is_stopped());
    assert_eq!(driven.handle.with(|_, _| ()).await, Err(Stopped));
    // Once more is no harm.
    driven.handle.stop().await;
    driven.task.await.unwrap().unwrap();
    flood.abort();
}

#[tokio::test]
async fn a_driver_that_is_dropped_closes_its_sockets_and_ends_who_waits() {
    let mut driven = driven();
    sleep(Duration::from_millis(20)).await;
    driven.task.abort();
    assert!(driven.task.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(driven.events.recv().await, None);
    assert_eq!(driven.handle.with(|_, _| ()).await, Err(Stopped));
    Adapter::bind(Echo::default(), driven.address).unwrap();
}

#[tokio::test]
async fn a_command_whose_caller_has_gone_is_not_carried_out() {
    let (driver, handle, _events) = Driver::new(adapter());
    let gone = handle.with(|_, _| panic!("nobody waits for it"));
    // It is queued, as the driver does not run yet.
    assert!(timeout(Duration::from_millis(10), gone).await.is_err());
    let task = tokio::spawn(driver.run());
    assert_eq!(handle.with(|_, _| 5).await, Ok(5));
    handle.stop().await;
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn names_deadlines_and_wakers_end_the_sleep() {
    let mut driven = driven();
    driven.handle.with(|echo, _| echo.ask(5, "localhost", Transport::Udp, false)).await.unwrap();
    assert!(matches!(next(&mut driven.events).await, Said::Found(ticket, 1..) if ticket == Ticket::new(5)));
    let set = |adapter: &mut Adapter<Echo>| {
        let at = adapter.now() + sip_core::time::Duration::from_millis(20);
        adapter.set_deadline(8, at);
        adapter.waker()
    };
    let waker = driven.handle.with_adapter(set).await.unwrap();
    assert_eq!(driven.events.recv().await, Some(OwnedTurn::Deadline(8)));
    sleep(Duration::from_millis(20)).await;
    std::thread::spawn(move || waker.wake().unwrap());
    let woken = timeout(LONG, driven.events.recv()).await.expect("a wake-up");
    assert_eq!(woken, Some(OwnedTurn::Woken));
}

#[tokio::test]
async fn who_looks_first_acts_at_once_and_says_what_is_told() {
    let adapter = adapter();
    let address = adapter.local_addr();
    let (driver, handle, mut events) = Driver::new(adapter);
    let driver = driver.on_turn(|adapter, turn| {
        let number = turn.message().map(number);
        adapter.role_mut().targets.clear();
        number.is_some_and(|number| number % 2 == 1)
    });
    tokio::spawn(driver.run());
    let peer = UdpSocket::bind(LOCAL).await.unwrap();
    peer.connect(address).await.unwrap();
    for number in 0..4 {
        peer.send(&request(number)).await.unwrap();
        assert_eq!(response(&peer).await, number);
    }
    assert_eq!((next(&mut events).await, next(&mut events).await), (Said::Request(1), Said::Request(3)));
    handle.stop().await;
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn a_peer_that_reads_late_gets_all_of_it() {
    // More than the system takes, and fewer messages than may wait.
    const MESSAGES: usize = 60;
    const BODY: usize = 60_000;
    let mut driven = driven();
    let mut peer = TcpStream::connect(driven.address).await.unwrap();
    peer.write_all(&request(1)).await.unwrap();
    let Some(OwnedTurn::Message { flow, .. }) = driven.events.recv().await else { panic!("a request") };
    let mut large =
        String::from_utf8(request(2)).unwrap().replace("Content-Length: 0", &format!("Content-Length: {BODY}"));
    large.push_str(&"x".repeat(BODY));
    let all = MESSAGES * large.len();
    let send = move |echo: &mut Echo, _| (0..MESSAGES).for_each(|_| echo.send_on(flow, large.as_bytes()));
    driven.handle.with(send).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let polls = driven.polls.load(Ordering::Relaxed);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(driven.polls.load(Ordering::Relaxed), polls, "it waits for room");
    let (mut got, mut buffer) = (0, vec![0; 65_536]);
    while got < all {
        let length = timeout(LONG, peer.read(&mut buffer)).await.expect("all of it").unwrap();
        assert!(length > 0, "closed after {got} octets");
        got += length;
    }
    let counted = driven.handle.with_adapter(|adapter| adapter.statistics()).await.unwrap();
    assert!(counted.sends_deferred > 0 && counted.congested == 0, "{counted:?}");
}

#[test]
fn the_driver_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (driver, handle, events) = Driver::new(adapter());
    is_send(&handle);
    is_send(&events);
    is_send(&driver.run());
}
