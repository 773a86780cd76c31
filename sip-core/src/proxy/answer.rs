//! What an answer to "where to?" does, and what becomes of a request that gets none.

use super::entry::{Marks, State};
use super::event::{Event, Request};
use super::forward::{Goal, Original};
use super::machine::Cause;
use super::work::{TELL, Work, write_server};
use crate::error::Error;
use crate::memory::{Handle, Octets};
use crate::message::{Message, Writer};

impl<O: Octets> Work<'_, O> {
    /// The kept request of a question that waits for its answer.
    pub(super) fn asked(&self, request: Request) -> Result<crate::memory::Block, Error> {
        let entry = self.contexts.get(request.0).ok_or(Error::Gone)?;
        match entry.state {
            State::Asked => Ok(entry.request),
            State::Searching => Err(Error::State),
            State::Free | State::Finished => Err(Error::Gone),
        }
    }

    /// Whether a request goes on without a transaction: an ACK, and all of them where that is configured.
    pub(super) fn goes_once(&self, request: Request) -> bool {
        self.core.settings.stateless || self.contexts.get(request.0).is_some_and(|entry| entry.server.is_none())
    }

    /// A question is answered with targets.
    pub(super) fn search(&mut self, request: Request) {
        if let Some(entry) = self.contexts.get_mut(request.0) {
            entry.state = State::Searching;
        }
        self.contexts.set_timer(request.0, None);
    }

    /// Sends a request without a transaction, and forgets it.
    pub(super) fn forward_once(
        &mut self,
        request: Request,
        goal: Goal<'_>,
        message: Option<&Message<'_>>,
    ) -> Result<(), Error> {
        let entry = *self.contexts.get(request.0).ok_or(Error::Gone)?;
        let original = message.map_or(Original::Kept(entry.request), Original::Message);
        if !self.pass_on(original, goal, entry.source, entry.loop_hash) {
            return Err(Error::Capacity(crate::error::Capacity::Transactions));
        }
        self.transactions.abandon(entry.server);
        self.void(request.0);
        Ok(())
    }

    pub(super) fn respond_by(
        &mut self,
        request: Request,
        status: u16,
        rest: &dyn Fn(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let entry = *self.contexts.get(request.0).ok_or(Error::Gone)?;
        if entry.server.is_none() || !matches!(entry.state, State::Asked | State::Searching) {
            return Err(Error::Gone);
        }
        let settings = &self.core.settings;
        let done = self.transactions.respond(self.now, entry.server, status, None, status >= 200, |kept, writer| {
            write_server(writer, settings.server(crate::memory::KeptBlocks::get(kept, settings.block())));
            rest(writer);
        });
        if status < 200 {
            return done;
        }
        match done {
            Ok(()) => {}
            Err(Error::Capacity(_)) => {
                // Nobody is left waiting for an answer that nobody gives: there is room for a bare refusal, or for a repetition to be
                // a new request.
                self.transactions.finish(self.now, entry.server, 503);
                self.transactions.end_when_sent(self.now, entry.server);
            }
            Err(_) => return done,
        }
        self.cancel_branches(request.0, Cause::Asked);
        self.void(request.0);
        done
    }

    /// Works off contexts' timers; the transactions' are worked off as events are polled.
    pub(super) fn handle_timeout(&mut self) {
        self.core.expire_to = self.now;
        while let Some(context) = self.contexts.expired(self.now) {
            self.unanswered(context);
        }
    }

    /// Nobody has said in 64·T1 where a request goes.
    pub(super) fn unanswered(&mut self, context: Handle) {
        let Some(entry) = self.contexts.get(context) else { return };
        let (server, invite) = (entry.server, entry.marks.has(Marks::INVITE));
        if invite {
            self.answer(context, server, 500);
        }
        self.end(context, if invite { 500 } else { 0 });
        self.release(context);
    }

    /// The next event that no message caused.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        while let Some(expired) = self.transactions.handle_timeout(self.core.expire_to) {
            self.expired(expired);
        }
        self.take_event(self.contexts.first(TELL)?)
    }
}
