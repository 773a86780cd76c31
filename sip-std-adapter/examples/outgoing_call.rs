//! Calls somebody, and hangs up a second after the answer.
//!
//! `cargo run --example outgoing_call -- 127.0.0.1:5060`
use core::net::SocketAddr;
use core::ops::ControlFlow;
use sip_core::time::Duration;
use sip_core::ua::{Call, Config, Content, Event, UserAgent};
use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let peer: SocketAddr = std::env::args().nth(1).ok_or("whom to call: 127.0.0.1:5060")?.parse()?;
    // Port 0 takes a free one; the Contact then names the one that was taken.
    let here = SocketAddr::new(sip_std_adapter::local_ip(peer)?, 0);
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), here)?;
    adapter.start(&Config::new("", "sip:caller@localhost"))?;
    let uri = format!("sip:machine@{peer}");
    // The empty text: From is the identity of the configuration.
    adapter.with(|ua, now| ua.call(now, &uri, "", &Content::sdp(SDP)))?;
    let mut buffer = vec![0; 65_536];
    let cause = adapter.run(&mut buffer, |adapter, turn| {
        match (turn.event(), &turn) {
            (Some(Event::Progress { status, .. }), _) => println!("{status}"),
            (Some(Event::Answered { call, .. }), _) => {
                println!("answered");
                let at = adapter.now() + Duration::from_secs(1);
                adapter.set_deadline(call.to_bits(), at);
            }
            (Some(Event::Ended { cause, .. }), _) => return ControlFlow::Break(cause),
            // An error says that the callee has hung up meanwhile, which is told as well.
            (_, Turn::Deadline(call)) => drop(adapter.with(|ua, now| ua.hang_up(now, Call::from_bits(*call)))),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("ended: {cause:?}");
    // The 200 to a BYE of the callee has yet to go out.
    while !matches!(adapter.poll(&mut buffer)?, Turn::Idle(_)) {}
    Ok(())
}
