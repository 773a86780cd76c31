//! What a call costs the callee by each driver: its processor time on Linux, the caller being the same. The callee hangs up.
//!
//! `cargo run --release --features tokio --example driver_cost`, or with a driver (`blocking`, `tokio`, `tokio-look`), a number of calls and how many
//! of them at the same time, for callgrind and the like.
use core::error::Error;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use core::time::Duration;
use sip_core::time::Instant;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::tokio::{Driver, Handle};
use sip_std_adapter::{Adapter, OwnedTurn, Turn, memory::HeapMemory};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tokio::sync::mpsc::Receiver;

type Agent = UserAgent<HeapMemory>;

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const LOCAL: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 0);

fn adapter(name: &str) -> Result<Adapter<Agent>, std::io::Error> {
    let mut adapter = Adapter::bind(Agent::new(HeapMemory::with_capacity(1 << 17, 500, 500, 1)), LOCAL)?;
    adapter.start(&Config::new("", &format!("sip:{name}@localhost")))?;
    Ok(adapter)
}

/// What this thread has used of the processor.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// What the callee does about an event: it answers, and hangs up when that is acknowledged. Gives whether a call has ended.
fn act(ua: &mut Agent, now: Instant, event: Event) -> bool {
    match event {
        Event::Incoming { call } => drop(ua.answer(now, call, &Content::sdp(SDP))),
        Event::Confirmed { call } => drop(ua.hang_up(now, call)),
        Event::Ended { .. } => return true,
        _ => {}
    }
    false
}

fn blocking(calls: u32, place: &Sender<SocketAddr>) -> Result<(), Box<dyn Error>> {
    let mut adapter = adapter("bob")?;
    place.send(adapter.local_addr())?;
    let mut ended = 0;
    Ok(adapter.run(&mut vec![0; 65_536], |adapter, turn| {
        let event = turn.event();
        ended += u32::from(event.is_some_and(|event| adapter.with(|ua, now| act(ua, now, event))));
        if ended == calls { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?)
}

#[tokio::main(flavor = "current_thread")]
async fn by_tokio(calls: u32, place: &Sender<SocketAddr>, look: bool) -> Result<(), Box<dyn Error>> {
    let adapter = adapter("bob")?;
    place.send(adapter.local_addr())?;
    let (mut driver, handle, events) = Driver::new(adapter);
    if look {
        driver = driver.on_turn(|adapter: &mut Adapter<Agent>, turn: &Turn<'_, Event>| {
            turn.event().is_some_and(|event| adapter.with(|ua, now| act(ua, now, event)))
        });
    }
    let task = tokio::spawn(driver.run());
    answer(calls, handle, events, look).await?;
    task.await??;
    Ok(())
}

async fn answer(
    calls: u32,
    phone: Handle<Agent>,
    mut events: Receiver<OwnedTurn<Event>>,
    look: bool,
) -> Result<(), Box<dyn Error>> {
    let mut ended = 0;
    while ended < calls {
        let Some(event) = events.recv().await.ok_or("the driver has ended")?.event() else { continue };
        ended += u32::from(look || phone.with(move |ua, now| act(ua, now, event)).await?);
    }
    Ok(())
}

/// Calls so often, so many at the same time.
fn caller(calls: u32, most: u32, to: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut adapter = adapter("alice")?;
    let uri = format!("sip:bob@{to}");
    let call = move |adapter: &mut Adapter<Agent>| adapter.with(|ua, now| ua.call(now, &uri, "", &Content::sdp(SDP)));
    for _ in 0..most {
        call(&mut adapter)?;
    }
    let (mut begun, mut ended) = (most, 0);
    let mut buffer = vec![0; 65_536];
    adapter.run(&mut buffer, |adapter, turn| {
        if let Some(Event::Ended { .. }) = turn.event() {
            ended += 1;
            if begun < calls && call(adapter).is_ok() {
                begun += 1;
            }
        }
        if ended == calls { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    // The last BYE has yet to be answered.
    while !matches!(adapter.poll(&mut buffer)?, Turn::Idle(_)) {}
    Ok(())
}

/// Microseconds of the callee for each call.
fn measure(driver: &'static str, calls: u32, most: u32) -> Result<f64, Box<dyn Error>> {
    let (place, place_of) = channel();
    let callee = thread::spawn(move || {
        let before = used();
        let ended = match driver {
            "blocking" => blocking(calls, &place),
            "tokio" => by_tokio(calls, &place, false),
            "tokio-look" => by_tokio(calls, &place, true),
            _ => Err("blocking, tokio or tokio-look".into()),
        };
        ended.map_err(|error| error.to_string()).map(|()| used() - before)
    });
    let to = place_of.recv();
    let called = to.map_err(Into::into).and_then(|to| caller(calls, most, to));
    let used = callee.join().map_err(|_| "the callee has failed")??;
    called?;
    Ok(used.as_secs_f64() * 1e6 / f64::from(calls))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [driver, calls, most] = &args[..] {
        let driver = ["blocking", "tokio", "tokio-look"].into_iter().find(|known| known == driver).unwrap_or_default();
        println!("{driver}: {:.1} us a call", measure(driver, calls.parse()?, most.parse()?)?);
        return Ok(());
    }
    for most in [1, 100] {
        println!("{most} at the same time");
        let mut first = None;
        for driver in ["blocking", "tokio", "tokio-look"] {
            let mut rounds = [0.0; 5];
            for round in &mut rounds {
                *round = measure(driver, 4000, most)?;
            }
            rounds.sort_by(f64::total_cmp);
            let median = rounds[2];
            println!("  {driver}: {median:.1} us a call, {:.2} of blocking", median / *first.get_or_insert(median));
        }
    }
    Ok(())
}
