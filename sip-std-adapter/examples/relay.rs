//! A stateful proxy that passes on whatever comes, by its Route and its Request-URI, and stays in the dialogs that it helps to make.
//! It is open to everybody, so it is for a test network: `.ci/relay` measures with it what a call costs.
//!
//! ```text
//! cargo run --release --example relay -- 127.0.0.1:5060
//! ```

use core::convert::Infallible;
use core::error::Error;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use sip_core::proxy::{Config, Proxy};
use sip_std_adapter::Adapter;
use sip_std_adapter::memory::ProxyMemory;

/// Requests that are under way or linger: 2,000 calls a second have 64,000 of them with INVITE and BYE.
const TRANSACTIONS: usize = 1 << 18;

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).ok_or("usage: relay ADDRESS:PORT")?.parse()?;
    let mut adapter = Adapter::bind(Proxy::new(ProxyMemory::with_capacity(TRANSACTIONS, 32_768, 32_768)), address)?;
    let own = adapter.local_addr().to_string();
    adapter.role_mut().start(&Config::new(&[own.as_str()]), sip_std_adapter::seed()?)?;
    println!("listening at {own}");
    let mut buffer = vec![0; 65_536];
    // Whatever is for the proxy itself it answers; nobody has to be asked.
    match adapter.run(&mut buffer, |_, _| ControlFlow::<Infallible>::Continue(()))? {}
}
