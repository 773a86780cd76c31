//! An answering machine: takes every call, and hangs up after ten seconds.
//!
//! `cargo run --example answering_machine -- 127.0.0.1:5060`
use core::ops::ControlFlow;
use sip_core::time::Duration;
use sip_core::ua::{Call, Config, Content, Event, UserAgent};
use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};

const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=recvonly\r\n";

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let at = std::env::args().nth(1).unwrap_or_else(|| "0.0.0.0:5060".to_owned());
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), at.parse()?)?;
    adapter.start(&Config::new("", "sip:machine@localhost"))?;
    println!("listening at {}", adapter.local_addr());
    Ok(adapter.run(&mut vec![0; 65_536], |adapter, turn| {
        let now = adapter.now();
        match turn {
            Turn::Message { event: Event::Incoming { call } | Event::Reinvite { call }, .. } => {
                // An error says that the caller has given up meanwhile, which is told as well.
                let _ = adapter.role_mut().answer(now, call, &Content::sdp(SDP));
                adapter.set_deadline(call.to_bits(), now + Duration::from_secs(10));
            }
            Turn::Deadline(call) => drop(adapter.role_mut().hang_up(now, Call::from_bits(call))),
            _ => {}
        }
        ControlFlow::Continue(())
    })?)
}
