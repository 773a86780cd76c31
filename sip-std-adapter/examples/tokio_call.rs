//! Two user agents on tokio: bob answers every call, alice calls him over UDP and over TCP and hangs up after a second.
//!
//! `cargo run --example tokio_call --features tokio`
use core::error::Error;
use core::time::Duration;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::tokio::{Driver, Handle};
use sip_std_adapter::{Adapter, OwnedTurn, memory::HeapMemory};
use tokio::sync::mpsc::Receiver;

type Agent = UserAgent<HeapMemory>;
type Events = Receiver<OwnedTurn<Event>>;

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut bob = Adapter::bind(Agent::new(HeapMemory::new()), "127.0.0.1:0".parse()?)?;
    bob.start(&Config::new("", "sip:bob@localhost"))?;
    let place = bob.local_addr();
    let (driver, bob, events) = Driver::new(bob);
    let driver = tokio::spawn(driver.run());
    let machine = tokio::spawn(answer(bob.clone(), events));

    let mut alice = Adapter::bind(Agent::new(HeapMemory::new()), "127.0.0.1:0".parse()?)?;
    alice.start(&Config::new("", "sip:alice@localhost"))?;
    let (task, alice, mut events) = Driver::new(alice);
    tokio::spawn(task.run());
    call(&alice, &mut events, format!("sip:bob@{place}")).await?;
    call(&alice, &mut events, format!("sip:bob@{place};transport=tcp")).await?;

    // Bob's call may still wait for the end of its BYE.
    bob.shutdown().await;
    let adapter = driver.await??;
    println!("bob answered {} calls", machine.await?);
    println!("over UDP he sent {} datagrams", adapter.statistics().datagrams_out);
    Ok(())
}

/// Calls somebody, and hangs up a second after the answer.
async fn call(phone: &Handle<Agent>, events: &mut Events, uri: String) -> Result<(), Box<dyn Error>> {
    println!("alice calls {uri}");
    let call = phone.with(move |ua, now| ua.call(now, &uri, "", &Content::sdp(SDP))).await??;
    while let Some(turn) = events.recv().await {
        match turn.event() {
            Some(Event::Progress { status, .. }) => println!("{status}"),
            Some(Event::Answered { .. }) => {
                let answer = turn.message().map(|message| message.body().len()).unwrap_or_default();
                println!("answered, with {answer} octets of SDP");
                // In a task of its own: this one has events to read.
                let phone = phone.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    phone.with(move |ua, now| ua.hang_up(now, call)).await
                });
            }
            Some(Event::Ended { cause, .. }) => {
                println!("ended: {cause:?}");
                return Ok(());
            }
            _ => {}
        }
    }
    Err("the driver has ended".into())
}

/// Takes every call until the driver ends, and gives how many there were.
async fn answer(phone: Handle<Agent>, mut events: Events) -> u32 {
    let mut calls = 0;
    while let Some(turn) = events.recv().await {
        if let Some(Event::Incoming { call }) = turn.event() {
            calls += 1;
            // An error says that the caller has given up meanwhile, which is told as well.
            let _ = phone.with(move |ua, now| ua.answer(now, call, &Content::sdp(SDP))).await;
        }
    }
    calls
}
