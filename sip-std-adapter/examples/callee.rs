//! A callee that rings and takes every call at once, over UDP and TCP, until the caller hangs up. It is open to everybody, so it is for a
//! test network: `.ci/callee` measures with it what a call costs.
//!
//! ```text
//! cargo run --release --example callee -- 127.0.0.1:5060
//! ```

use core::convert::Infallible;
use core::error::Error;
use core::ops::ControlFlow;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_std_adapter::memory::HeapMemory;
use sip_std_adapter::{Adapter, Turn};

/// INVITE and BYE of 1,000 calls a second, which linger for 32 s.
const TRANSACTIONS: usize = 1 << 17;
/// Calls, and their dialogs.
const CALLS: usize = 1 << 16;
const SDP: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: callee ADDRESS:PORT")?.parse()?;
    let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::with_capacity(TRANSACTIONS, CALLS, CALLS, 1)), address)?;
    adapter.start(&Config::new("", "sip:callee@localhost"))?;
    println!("listening at {}", adapter.local_addr());
    match adapter.run(&mut vec![0; 65_536], |adapter, turn| {
        if let Turn::Message { event: Event::Incoming { call }, .. } = turn {
            let now = adapter.now();
            // An error says that the caller has given up meanwhile, which is told as well.
            let _ = adapter.role_mut().ring(now, call, 180, &Content::NONE);
            let _ = adapter.role_mut().answer(now, call, &Content::sdp(SDP));
        }
        ControlFlow::<Infallible>::Continue(())
    })? {}
}
