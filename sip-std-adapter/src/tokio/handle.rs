//! What the application holds of a driver.

use crate::adapter::Adapter;
use core::fmt;
use sip_core::role::Role;
use sip_core::time::Instant;
use sip_core::ua::{CallState, Memory, RegistrationState, UserAgent};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

type Run<R> = dyn FnOnce(&mut Adapter<R>) + Send;

/// What a handle sends its driver.
pub(super) enum Command<R: Role> {
    /// To be called with the adapter.
    Run(Box<Run<R>>),
    /// To come to an end.
    Stop(Stop<R>),
}

/// A wish for the end.
pub(super) struct Stop<R> {
    /// Does what has to be done before, and says whether all of that is done.
    pub(super) finish: fn(&mut R, Instant) -> bool,
    /// Dropped with the driver, which tells who waits for it.
    _ended: oneshot::Sender<()>,
}

/// The driver has ended: what was asked for was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the driver has ended")
    }
}

impl core::error::Error for Stopped {}

/// Sends commands to a [`Driver`](super::Driver) from any task.
///
/// Commands are carried out in the order in which they are sent, each between two turns of the adapter. A future of this that
/// is dropped is one whose command was done, or is not done at all.
pub struct Handle<R: Role> {
    commands: Sender<Command<R>>,
}

impl<R: Role> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<R: Role> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("stopped", &self.is_stopped()).finish()
    }
}

impl<R: Role> Handle<R> {
    pub(super) const fn new(commands: Sender<Command<R>>) -> Self {
        Self { commands }
    }

    /// Calls `f` with the role and the time, at the driver, and gives what `f` returns. What the role has to send then goes out.
    ///
    /// `f` is to be short: the driver does nothing else meanwhile.
    ///
    /// # Errors
    /// The driver has ended.
    pub async fn with<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut R, Instant) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.with_adapter(|adapter| adapter.with(f)).await
    }

    /// As [`with`](Handle::with), with the adapter: its statistics, another certificate, a deadline. Its
    /// [`poll`](Adapter::poll) and [`wait`](Adapter::wait) are the driver's.
    ///
    /// # Errors
    /// The driver has ended.
    pub async fn with_adapter<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Adapter<R>) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let run = move |adapter: &mut Adapter<R>| {
            // Who asked may have lost interest.
            if !sender.is_closed() {
                let _ = sender.send(f(adapter));
            }
        };
        self.commands.send(Command::Run(Box::new(run))).await.map_err(|_| Stopped)?;
        receiver.await.map_err(|_| Stopped)
    }

    /// Ends the driver as soon as what there is to send has been handed to the system, and waits for that. Calls and bindings
    /// stay as they are at their peers.
    pub async fn stop(&self) {
        self.end(|_, _| true).await;
    }

    /// Whether the driver has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.commands.is_closed()
    }

    async fn end(&self, finish: fn(&mut R, Instant) -> bool) {
        let (ended, end) = oneshot::channel();
        if self.commands.send(Command::Stop(Stop { finish, _ended: ended })).await.is_ok() {
            // The error is what is waited for: nobody sends.
            let _ = end.await;
        }
    }
}

impl<M: Memory> Handle<UserAgent<M>> {
    /// Hangs up every call, removes every binding, ends the driver, and waits for all of that.
    ///
    /// Calls that come meanwhile are refused with 486. A peer or registrar that does not answer holds it up for 32 s, when its
    /// transaction ends; who has no time for that gives up with `tokio::time::timeout` and then [stops](Handle::stop). Events for which
    /// there is no room are dropped meanwhile.
    pub async fn shutdown(&self) {
        self.end(finish).await;
    }
}

/// Hangs up what is not about to end, removes the bindings that there are, and says whether neither is left.
fn finish<M: Memory>(ua: &mut UserAgent<M>, now: Instant) -> bool {
    let calls: Vec<_> = ua.calls().collect();
    for &call in &calls {
        if ua.call_info(call).is_some_and(|info| info.state != CallState::Ending) {
            // An error says that there is no room for a BYE: it is tried again as soon as something happens.
            let _ = ua.hang_up(now, call);
        }
    }
    let registrations: Vec<_> = ua.registrations().collect();
    for &registration in &registrations {
        let info = ua.registration_info(now, registration);
        if info.is_some_and(|info| info.state != RegistrationState::Removing) {
            let _ = ua.unregister(now, registration);
        }
    }
    calls.is_empty() && registrations.is_empty()
}
