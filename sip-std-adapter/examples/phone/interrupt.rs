//! Ctrl-C: the first hangs up, the second quits. A server has its signals.

use crate::report::INTERRUPTED;
use sip_std_adapter::Waker;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether the user wants to stop, and whom to wake then.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: AtomicU32,
    reload: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Interrupt {
    /// Listens to Ctrl-C, and to SIGTERM and SIGHUP where there are such.
    pub(crate) fn on_ctrl_c() -> Self {
        let interrupt = Self::default();
        let inner = interrupt.clone();
        // Without a handler Ctrl-C ends the process as it ends any other.
        let _ = ctrlc::set_handler(move || {
            if inner.raise() > 1 {
                let _ = writeln!(io::stderr(), "quit");
                std::process::exit(i32::from(INTERRUPTED));
            }
        });
        interrupt
    }

    /// Listens to the signals of a server: Ctrl-C and SIGTERM stop it, the second one at once; SIGHUP has it read its users
    /// again.
    #[cfg(unix)]
    pub(crate) fn on_signals() -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let interrupt = Self::default();
        let inner = interrupt.clone();
        let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    inner.0.reload.store(true, Ordering::Release);
                    inner.wake();
                } else if inner.raise() > 1 {
                    std::process::exit(i32::from(INTERRUPTED));
                }
            }
        })?;
        Ok(interrupt)
    }

    /// Listens to Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn on_signals() -> io::Result<Self> {
        Ok(Self::on_ctrl_c())
    }

    /// Whether somebody asked, since this was last asked, to read again what may have changed.
    pub(crate) fn take_reload(&self) -> bool {
        self.0.reload.swap(false, Ordering::AcqRel)
    }

    /// Asks to stop; how often that was asked.
    pub(crate) fn raise(&self) -> u32 {
        let calls = self.0.calls.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        calls
    }

    fn wake(&self) {
        for waker in self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = waker.wake();
        }
    }

    /// Whether somebody asked.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.calls.load(Ordering::Acquire) > 0
    }

    /// Ends waits with this waker when somebody asks.
    pub(crate) fn add(&self, waker: Waker) {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }
}
