//! An asynchronous driver for applications on tokio, over the very adapter that others [poll](crate::Adapter::poll); Unix only.
//!
//! ```text
//!   application                         task of the driver
//!   Handle::with(closure) ──bounded──>  closure on the role   ┐
//!                         <──oneshot──  its result            ├ Adapter::poll ── sockets, timers, names
//!   events.recv()         <──bounded──  OwnedTurn             ┘
//! ```
//!
//! [`Driver::run`] is a future, to be spawned or awaited: one task, no thread, no lock. The adapter's own poll has a descriptor that the
//! system makes readable when any socket has something; tokio waits for that, for the role's next timer and for commands. It runs on
//! a runtime of one thread and on one of many, with I/O and time enabled (`enable_all`).
//!
//! ```no_run
//! use sip_core::ua::{Config, Content, Event, UserAgent};
//! use sip_std_adapter::{Adapter, memory::HeapMemory, tokio::Driver};
//!
//! const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
//!
//! # async fn work() -> Result<(), Box<dyn core::error::Error>> {
//! let mut adapter = Adapter::bind(UserAgent::new(HeapMemory::new()), "192.0.2.2:5060".parse()?)?;
//! adapter.start(&Config::new("", "sip:bob@example.com"))?;
//! let (driver, handle, mut events) = Driver::new(adapter);
//! let driver = tokio::spawn(driver.run());
//! while let Some(turn) = events.recv().await {
//!     match turn.event() {
//!         Some(Event::Incoming { call }) => {
//!             // An error says that the caller has given up meanwhile, which is told as well.
//!             let _ = handle.with(move |phone, now| phone.answer(now, call, &Content::sdp(SDP))).await?;
//!         }
//!         Some(Event::Ended { .. }) => break,
//!         _ => {}
//!     }
//! }
//! handle.shutdown().await;
//! let adapter = driver.await??;
//! println!("{:?}", adapter.statistics());
//! # Ok(())
//! # }
//! ```
//!
//! # Events
//! Events arrive in the order in which they happened, each with a copy of its message. None is lost while the application reads: when
//! as many wait as the channel has [room](Driver::with_capacity) for, the driver stands still until one is read. It takes nothing
//! from the network meanwhile, and no timer fires. Commands are carried out all the same, so an application that waits for one of
//! them while its events wait is not stuck; what they have to send goes out afterwards. So read events in a task that is never long
//! at anything else.
//!
//! An application that drops the receiver wants no events, and the driver goes on without them. What a role can tell about an event
//! only until its next input, and what is answered from memory, is for [`Driver::on_turn`].
//!
//! # The end
//! [`Handle::shutdown`] hangs up, takes bindings back and ends the driver. [`Handle::stop`] ends it at once, and so does the drop of
//! the last handle. What has to be sent is sent first. Whoever awaits [`Driver::run`] then has the adapter back. To drop its future
//! closes every socket at once.
//!
//! # What it costs
//! A callee that answers and hangs up takes 1.1 to 1.5 times the processor time of one that [runs](crate::Adapter::run) on a thread
//! of its own, and 0.95 to 1.1 times with [`Driver::on_turn`] alone: `examples/driver_cost.rs` measures it. A wake-up is one more call
//! of the system. An event with a message allocates once, a command twice; the driver itself allocates nothing for a message.
#[cfg(not(unix))]
compile_error!(
    "the feature `tokio` of sip-std-adapter waits for a descriptor, which only Unix has: drive the Adapter on a thread instead"
);

mod driver;
mod handle;
#[cfg(test)]
mod tests;
mod wait;

pub use driver::Driver;
pub use handle::{Handle, Stopped};
