//! Calls somebody, holds the call for a second (re-INVITE), resumes it, and hangs up.
//!
//! `cargo run --example hold -- 127.0.0.1:5060`
use core::net::SocketAddr;
use core::ops::ControlFlow;
use sip_core::time::Duration;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};

/// The offer of this version, media flowing in this direction. A change counts the version up (RFC 3264 §8).
fn sdp(version: u32, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
         a={direction}\r\n"
    )
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let peer: SocketAddr = std::env::args().nth(1).ok_or("whom to call: 127.0.0.1:5060")?.parse()?;
    let here = SocketAddr::new(sip_std_adapter::local_ip(peer)?, 0);
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), here)?;
    adapter.start(&Config::new("", "sip:caller@localhost"))?;
    let uri = format!("sip:machine@{peer}");
    let call = adapter.with(|ua, now| ua.call(now, &uri, "", &Content::sdp(sdp(1, "sendrecv").as_bytes())))?;
    let mut buffer = vec![0; 65_536];
    let mut version = 1;
    let result = adapter.run(&mut buffer, |adapter, turn| {
        match (turn.event(), &turn) {
            (Some(Event::Answered { .. } | Event::Reinvited { .. }), _) => {
                if let Some(Event::Reinvited { status, .. }) = turn.event() {
                    println!("the change was answered with {status}");
                }
                let at = adapter.now() + Duration::from_secs(1);
                adapter.set_deadline(call.to_bits(), at);
            }
            (Some(Event::Ended { cause, .. }), _) => return ControlFlow::Break(Ok(cause)),
            (_, Turn::Deadline(_)) => {
                version += 1;
                let next = adapter.with(|ua, now| match version {
                    2 => ua.reinvite(now, call, &Content::sdp(sdp(version, "sendonly").as_bytes())),
                    3 => ua.reinvite(now, call, &Content::sdp(sdp(version, "sendrecv").as_bytes())),
                    _ => ua.hang_up(now, call),
                });
                if let Err(error) = next {
                    return ControlFlow::Break(Err(error));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("ended: {:?}", result?);
    Ok(())
}
