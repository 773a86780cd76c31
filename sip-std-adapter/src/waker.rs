//! Ending a wait from another thread.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::Arc;

/// Ends a wait of its [`Adapter`](crate::Adapter) from another thread or a Ctrl-C handler.
///
/// A wake-up is never lost: given while nobody waits, it ends the next wait at once, and the next
/// [`poll`](crate::Adapter::poll) tells it as [`Turn::Woken`](crate::Turn::Woken). Several become one.
#[derive(Clone, Debug)]
pub struct Waker {
    mio: Arc<mio::Waker>,
    called: Arc<AtomicBool>,
}

impl Waker {
    pub(crate) fn new(mio: Arc<mio::Waker>) -> Self {
        Self { mio, called: Arc::new(AtomicBool::new(false)) }
    }

    /// Ends the present or next [`wait`](crate::Adapter::wait); [`Turn::Woken`](crate::Turn::Woken) follows.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn wake(&self) -> io::Result<()> {
        self.called.store(true, Ordering::Release);
        self.mio.wake()
    }

    /// Whether it was called and nobody was told yet.
    pub(crate) fn is_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }

    /// Whether it was called since the last time this was asked.
    pub(crate) fn take(&self) -> bool {
        self.called.load(Ordering::Relaxed) && self.called.swap(false, Ordering::Acquire)
    }
}
