//! Commands from other threads to the one that drives an adapter.

use crate::waker::Waker;
use std::io::{self, ErrorKind};
use std::sync::mpsc::Sender;

/// Sends commands to the thread that drives an [`Adapter`](crate::Adapter), and ends its wait.
///
/// Made by [`Adapter::commands`](crate::Adapter::commands).
#[derive(Debug)]
pub struct Commander<C> {
    sender: Sender<C>,
    waker: Waker,
}

impl<C> Clone for Commander<C> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), waker: self.waker.clone() }
    }
}

impl<C> Commander<C> {
    pub(crate) const fn new(sender: Sender<C>, waker: Waker) -> Self {
        Self { sender, waker }
    }

    /// Queues a command; [`Turn::Woken`](crate::Turn::Woken) follows at the adapter.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] when the receiver is gone; otherwise those of [`Waker::wake`].
    pub fn send(&self, command: C) -> io::Result<()> {
        self.sender.send(command).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        self.waker.wake()
    }
}
