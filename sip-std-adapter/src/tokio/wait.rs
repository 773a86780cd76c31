//! What the driver sleeps on: the adapter's descriptor, the next timer, and commands.

use super::handle::Command;
use crate::adapter::{Adapter, LONGEST_SLEEP};
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use sip_core::role::Role;
use sip_core::time::Instant;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Receiver;
use tokio::time::Sleep;

pub(super) struct Wait {
    /// Readable when the adapter's own poll has noticed something.
    descriptor: AsyncFd<OwnedFd>,
    /// There may be more that it has noticed, of which tokio is not told again.
    more: bool,
    sleep: Pin<Box<Sleep>>,
    /// The moment that the sleep is set to; none when it is over.
    set: Option<Instant>,
}

impl Wait {
    #[allow(
        deprecated,
        reason = "sound, as the descriptor is owned; the successor is unsafe for the sake of those that are not"
    )]
    pub(super) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            descriptor: AsyncFd::with_interest(descriptor, Interest::READABLE)?,
            more: false,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            set: None,
        })
    }

    /// As [`Adapter::wait`]; a command ends it, too, and so does the drop of the last handle, which is `Some(None)`.
    pub(super) async fn until<R: Role>(
        &mut self,
        adapter: &mut Adapter<R>,
        until: Option<Instant>,
        mut commands: Option<&mut Receiver<Command<R>>>,
    ) -> io::Result<Option<Option<Command<R>>>> {
        let Some(rest) = adapter.begin_rest(until) else { return Ok(None) };
        let begun = adapter.network.elapsed();
        match rest.left {
            Some(left) if until != self.set => {
                self.sleep.as_mut().reset(tokio::time::Instant::now() + left.min(LONGEST_SLEEP));
                self.set = until;
            }
            Some(_) => {}
            None => self.set = None,
        }
        if self.more {
            // It is not slept, and the other tasks of the thread are let in all the same.
            tokio::task::yield_now().await;
        }
        let ended = poll_fn(|context| {
            let noticed = self.poll_notice(context)?;
            let command = commands.as_deref_mut().map_or(Poll::Pending, |commands| commands.poll_recv(context));
            match command {
                Poll::Ready(command) => Poll::Ready(Ok::<_, io::Error>((noticed, Some(command)))),
                Poll::Pending if noticed || self.poll_timer(context) => Poll::Ready(Ok((noticed, None))),
                Poll::Pending => Poll::Pending,
            }
        });
        let (noticed, command) = ended.await?;
        if noticed {
            self.more = adapter.network.collect_all()?;
        }
        adapter.end_rest(begun);
        Ok(command)
    }

    /// Whether the system has noticed something. It is then to be collected, all of it: tokio is told again only of what comes later.
    fn poll_notice(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if self.more {
            return Ok(true);
        }
        match self.descriptor.poll_read_ready(context) {
            Poll::Ready(ready) => {
                ready?.clear_ready();
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// Whether the moment has come.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> bool {
        let over = self.set.is_some() && self.sleep.as_mut().poll(context).is_ready();
        if over {
            self.set = None;
        }
        over
    }
}
