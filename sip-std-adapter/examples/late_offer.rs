//! Calls somebody without an offer: the callee makes it in its 200, and our answer goes out in the ACK (RFC 3261 §13.2.1).
//!
//! `cargo run --example late_offer -- 127.0.0.1:5060`
use core::net::SocketAddr;
use core::ops::ControlFlow;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::{Adapter, memory::HeapMemory};

const ANSWER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let peer: SocketAddr = std::env::args().nth(1).ok_or("whom to call: 127.0.0.1:5060")?.parse()?;
    let here = SocketAddr::new(sip_std_adapter::local_ip(peer)?, 0);
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), here)?;
    adapter.start(&Config::new("", "sip:caller@localhost"))?;
    let uri = format!("sip:machine@{peer}");
    adapter.with(|ua, now| ua.call(now, &uri, "", &Content::NONE))?;
    let mut buffer = vec![0; 65_536];
    let result = adapter.run(&mut buffer, |adapter, turn| {
        match (turn.event(), turn.message()) {
            (Some(Event::Answered { call, answer_due: true }), Some(message)) => {
                println!("the offer:\n{}", String::from_utf8_lossy(message.body()));
                let acknowledged = adapter.with(|ua, now| {
                    ua.acknowledge(now, call, &Content::sdp(ANSWER))?;
                    ua.hang_up(now, call)
                });
                if let Err(error) = acknowledged {
                    return ControlFlow::Break(Err(error));
                }
            }
            (Some(Event::Ended { cause, .. }), _) => return ControlFlow::Break(Ok(cause)),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("ended: {:?}", result?);
    Ok(())
}
