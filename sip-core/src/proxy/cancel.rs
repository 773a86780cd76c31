//! CANCEL: from the client for a whole search, from this proxy to a branch (RFC 3261 §9.1, §16.10).

use super::entry::{Marks, Owner, State};
use super::event::{Event, Request};
use super::loops;
use super::machine::Cause;
use super::response::reason;
use super::work::Work;
use crate::error::Error;
use crate::memory::{Handle, Octets};
use crate::message::{Message, Writer};
use crate::role::Received;
use crate::transaction::{NewServer, TransactionId, response_flow};

impl<O: Octets> Work<'_, O> {
    /// A CANCEL.
    pub(super) fn receive_cancel(&mut self, cancel: &Message<'_>) -> Received<Event> {
        let found = self.transactions.find_cancelled(cancel);
        // Whoever cancels stands where the INVITE came from: its branch alone could have been heard by others.
        let source = response_flow(self.source, Some(cancel.via()));
        let own = |id: TransactionId| {
            let flow = self.transactions.flow(id);
            (flow.transport, flow.remote.ip()) == (source.transport, source.remote.ip())
        };
        let Some((_, user)) = found.filter(|(id, _)| own(*id)) else {
            return self.unknown_cancel(cancel, found.is_some());
        };
        self.acknowledge_cancel(cancel);
        let Owner::Context(context) = Owner::of(user) else { return Received::Nothing };
        let void = self.cancel_search(context);
        void.or_else(|| self.take_event(context)).map_or(Received::Nothing, Received::Event)
    }

    /// Answers a CANCEL with 200, in a transaction of its own, so that its repetitions get the same.
    fn acknowledge_cancel(&mut self, cancel: &Message<'_>) {
        let tag = self.new.stateless_tag();
        let (new, source) = (self.new, self.source);
        let new = NewServer { new, source, to_tag: tag.as_bytes(), user: Self::nobody(), reserved: false };
        match self.transactions.server(self.now, cancel, new) {
            Ok(id) => self.transactions.finish(self.now, id, 200),
            Err(_) => self.reply(cancel, 200, &[]),
        }
    }

    /// A CANCEL for no INVITE that is known here: it goes on where it leads, as its INVITE may have gone without a transaction
    /// (§16.10). One from elsewhere than its INVITE does not, nor one that leads here, unless all requests go without one.
    fn unknown_cancel(&mut self, cancel: &Message<'_>, known: bool) -> Received<Event> {
        let loop_hash = loops::hash(cancel);
        match self.check(cancel, loop_hash) {
            Ok(routing)
                if !known
                    && routing.own.is_none()
                    && (self.core.settings.stateless || self.may_pass(cancel, &routing)) =>
            {
                _ = self.pass(cancel, &routing, loop_hash);
            }
            Ok(routing) if !known && self.core.settings.stateless => return self.ask(cancel, &routing, loop_hash),
            Ok(_) => self.reply(cancel, 481, &[]),
            Err(status) => self.reply(cancel, status, &[]),
        }
        Received::Nothing
    }

    /// Ends a search that the client, or the application, does not want any longer; gives the event of a question that is void. A
    /// search that ends at once has its event to be told.
    pub(super) fn cancel_search(&mut self, context: Handle) -> Option<Event> {
        let entry = self.contexts.get_mut(context)?;
        let server = entry.server;
        match entry.state {
            State::Asked => {
                self.answer(context, server, 487);
                self.void(context);
                return Some(Event::Cancelled { request: Request(context) });
            }
            State::Searching if !entry.marks.has(Marks::CANCELLED) => {
                entry.marks.set(Marks::CANCELLED);
                entry.marks.set(Marks::STOPPED);
                self.cancel_branches(context, Cause::Asked);
                self.advance(context);
            }
            State::Free | State::Searching | State::Finished => {}
        }
        None
    }

    /// Ends a context whose question is void, and of whose end nothing else is told.
    pub(super) fn void(&mut self, context: Handle) {
        self.end(context, 487);
        self.contexts.unlink_ready(context);
        self.release(context);
    }

    /// Cancels the open branches of an INVITE.
    pub(super) fn cancel_branches(&mut self, context: Handle, cause: Cause) {
        let Some(entry) = self.contexts.get(context) else { return };
        let invite = entry.marks.has(Marks::INVITE);
        let mut next = entry.branches;
        while let Some(entry) = self.branches.get(next) {
            let branch = next;
            next = entry.next;
            if invite {
                self.cancel_branch(branch, cause);
            } else {
                // There is no CANCEL for it, and nobody who waits for its answer.
                self.remove_branch(branch);
            }
        }
    }

    /// Cancels one branch: at once, when a provisional response comes, or by not sending its INVITE at all.
    pub(super) fn cancel_branch(&mut self, branch: Handle, cause: Cause) {
        let Some(entry) = self.branches.get(branch) else { return };
        let (client, context) = (entry.client, entry.context);
        let sent = self.is_sent(client);
        let Some(entry) = self.branches.get_mut(branch) else { return };
        let step = entry.machine.cancel(cause, sent);
        if step.completed {
            self.transactions.abandon(client);
            self.remove_branch(branch);
            self.fail_target(context, 487);
        } else {
            self.apply(branch, step);
        }
    }

    /// Sends the CANCEL of a branch; what it needs was set aside.
    pub(super) fn send_cancel(&mut self, client: TransactionId, cause: Cause) {
        let rows = |writer: &mut Writer<'_>| {
            if let Some((name, value)) = reason(cause) {
                writer.header(name, value);
            }
        };
        // Without room the branch is given up after 64·T1 all the same.
        let _: Result<TransactionId, Error> =
            self.transactions.cancel(self.now, client, Self::nobody(), &|_, writer| rows(writer));
    }
}
