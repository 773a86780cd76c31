//! The task that drives an adapter.

use super::handle::{Command, Handle, Stop};
use super::wait::Wait;
use crate::adapter::Adapter;
use crate::owned::OwnedTurn;
use crate::turn::Turn;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, ready};
use sip_core::role::Role;
use std::io;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait for the application at most, unless it says otherwise.
const EVENTS: usize = 256;
/// Commands that wait for the driver at most; it takes them as they come.
const COMMANDS: usize = 64;
/// The longest message, and one octet more: what fills the buffer may have lost its end.
const MESSAGE: usize = 65_536;
/// So many turns one after the other, and then the other tasks of the thread are let in.
const TURNS: u32 = 64;

/// Drives an [`Adapter`] as a task of tokio; see the [module](crate::tokio).
#[must_use = "nothing happens unless it runs"]
pub struct Driver<R: Role> {
    adapter: Adapter<R>,
    commands: Receiver<Command<R>>,
    events: Sender<OwnedTurn<R::Event>>,
    end: End<R>,
    look: Option<Box<Look<R>>>,
    buffer: Box<[u8]>,
}

/// Sees what happens before the application does, and says whether that is told at all.
type Look<R> = dyn FnMut(&mut Adapter<R>, &Turn<'_, <R as Role>::Event>) -> bool + Send;

/// Whether, and how, the driver is to end.
struct End<R> {
    /// All handles are gone.
    abandoned: bool,
    /// Those who have asked for the end.
    stops: Vec<Stop<R>>,
}

impl<R: Role> End<R> {
    /// Whether there is nothing left to be done before the end.
    fn has_come(&self, adapter: &mut Adapter<R>) -> bool {
        self.abandoned || self.stops.iter().any(|stop| adapter.with(stop.finish))
    }

    /// Carries a command out; `None` stands for the drop of the last handle.
    fn take(&mut self, adapter: &mut Adapter<R>, command: Option<Command<R>>) {
        match command {
            Some(Command::Run(run)) => run(adapter),
            Some(Command::Stop(stop)) => self.stops.push(stop),
            None => self.abandoned = true,
        }
    }

    const fn is_asked_for(&self) -> bool {
        self.abandoned || !self.stops.is_empty()
    }
}

impl<R: Role> Driver<R> {
    /// A driver of `adapter`, a handle to send it commands, and its events, of which 256 can wait to be read.
    ///
    /// Further addresses, certificates, limits and the tap are best given to the adapter before;
    /// [`Handle::with_adapter`] reaches it later.
    pub fn new(adapter: Adapter<R>) -> (Self, Handle<R>, Receiver<OwnedTurn<R::Event>>) {
        Self::with_capacity(adapter, EVENTS)
    }

    /// As [`new`](Driver::new), with room for so many events, one at least.
    pub fn with_capacity(adapter: Adapter<R>, events: usize) -> (Self, Handle<R>, Receiver<OwnedTurn<R::Event>>) {
        let (handle, commands) = channel(COMMANDS);
        let (sender, events) = channel(events.max(1));
        let end = End { abandoned: false, stops: Vec::new() };
        let driver = Self { adapter, commands, events: sender, end, look: None, buffer: vec![0; MESSAGE].into() };
        (driver, Handle::new(handle), events)
    }

    /// Lets `look` see each turn of the adapter that has something for the application, and act on it at once, at the driver: without a
    /// copy, before anything else happens, as [`Adapter::run`] does. What it gives `true` for becomes an event all the same.
    ///
    /// For what is answered from memory, and for what a role can tell about an event only until its next input.
    pub fn on_turn(mut self, look: impl FnMut(&mut Adapter<R>, &Turn<'_, R::Event>) -> bool + Send + 'static) -> Self {
        self.look = Some(Box::new(look));
        self
    }

    /// Runs until a handle asks for the end or the last handle is dropped, and gives the adapter back.
    ///
    /// # Errors
    /// Those of [`Adapter::poll`]; the runtime can't wait for the adapter's descriptor.
    ///
    /// # Panics
    /// The runtime has no I/O or no time: `enable_all` turns both on.
    pub async fn run(mut self) -> io::Result<Adapter<R>> {
        let mut wait = Wait::new(self.adapter.network.descriptor()?)?;
        let (mut turns, mut looked) = (0, false);
        loop {
            self.take_commands();
            let turn = self.adapter.poll(&mut self.buffer)?;
            if let Turn::Idle(until) = turn {
                // What is done for the end is carried out before the sleep.
                if self.end.is_asked_for() && !core::mem::replace(&mut looked, true) {
                    if self.end.has_come(&mut self.adapter) {
                        break;
                    }
                    continue;
                }
                let commands = (!self.end.abandoned).then_some(&mut self.commands);
                if let Some(command) = wait.until(&mut self.adapter, until, commands).await? {
                    self.end.take(&mut self.adapter, command);
                }
                (turns, looked) = (0, false);
                continue;
            }
            let told = match &mut self.look {
                Some(look) if !matches!(turn, Turn::Again) => look(&mut self.adapter, &turn),
                _ => true,
            };
            // Nobody copies a message that nobody reads.
            let turn = if told && !self.events.is_closed() { turn.into_owned() } else { None };
            if let Some(turn) = turn {
                self.tell(turn).await;
            }
            (turns, looked) = (turns + 1, false);
            if turns == TURNS {
                // Under a flood it is never idle.
                if self.end.has_come(&mut self.adapter) {
                    // What the role still has to send goes before its end.
                    for _ in 0..TURNS {
                        if matches!(self.adapter.poll(&mut self.buffer)?, Turn::Idle(_)) {
                            break;
                        }
                    }
                    break;
                }
                tokio::task::yield_now().await;
                turns = 0;
            }
        }
        Ok(self.adapter)
    }

    /// Carries out the commands that are there.
    fn take_commands(&mut self) {
        for _ in 0..COMMANDS {
            let Ok(command) = self.commands.try_recv() else { break };
            self.end.take(&mut self.adapter, Some(command));
        }
    }

    /// Gives the application an event; waits until there is room for it, with an ear for commands. Once the end is asked for, nobody
    /// is waited for any more.
    async fn tell(&mut self, turn: OwnedTurn<R::Event>) {
        let Self { adapter, commands, events, end, .. } = self;
        let Err(TrySendError::Full(turn)) = events.try_send(turn) else { return };
        let mut room = pin!(events.reserve());
        let room = loop {
            if end.is_asked_for() {
                return;
            }
            let command = poll_fn(|context| {
                if let Poll::Ready(room) = room.as_mut().poll(context) {
                    return Poll::Ready(Err(room));
                }
                Poll::Ready(Ok(ready!(commands.poll_recv(context))))
            });
            match command.await {
                Ok(command) => end.take(adapter, command),
                Err(room) => break room,
            }
        };
        // Without room the application has dropped the receiver.
        if let Ok(room) = room {
            room.send(turn);
        }
    }
}
