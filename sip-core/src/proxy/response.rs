//! A response comes in, or none will: what of it goes to the client, and when the search is over (RFC 3261 §16.7-16.9).

use super::choose;
use super::entry::{Marks, Owner, ResponseContext, State};
use super::event::{Event, Target};
use super::machine::{self, Cause, Step};
use super::targets::MAX_TARGETS;
use super::work::{TELL, Work, write_server};
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{HeaderName, Message};
use crate::role::Received;
use crate::transaction::{ClientOutcome, Expired, ExpiredKind, State as TransactionState, TransactionId};

/// Why a target that is not available is answered with 500 (RFC 3261 §16.7 step 6, §20.43).
const NOT_REACHED: &[u8] = b"399 proxy \"The next hop is not available\"";

impl<O: Octets> Work<'_, O> {
    /// A response.
    pub(super) fn receive_response(&mut self, response: &Message<'_>) -> Received<Event> {
        let Some((id, user)) = self.transactions.match_response(response) else { return self.pass_response(response) };
        let status = response.status().unwrap_or_default();
        let owner = Owner::of(user);
        if status == 503
            && let Owner::Branch(branch) = owner
            && self.transactions.accepts(id, status)
        {
            // The next server of that name may serve (RFC 3263 §4.3).
            let failed_over = self.fail_over(branch, id);
            let _ = self.transactions.receive_response(self.now, id, response);
            return if failed_over { Received::Nothing } else { self.final_response(branch, status, response) };
        }
        if self.transactions.receive_response(self.now, id, response) == ClientOutcome::Absorbed {
            return Received::Nothing;
        }
        match owner {
            Owner::Branch(branch) if status >= 200 => self.final_response(branch, status, response),
            Owner::Branch(branch) => {
                self.provisional_response(branch, status, response);
                Received::Nothing
            }
            // Each 2xx is another dialog (§16.7 step 5).
            Owner::Accepted(server) if (200..300).contains(&status) => {
                let _ = self.transactions.relay(self.now, server, response, false);
                Received::Nothing
            }
            Owner::Nobody | Owner::Context(_) | Owner::Accepted(_) => Received::Nothing,
        }
    }

    fn provisional_response(&mut self, branch: Handle, status: u16, response: &Message<'_>) {
        let Some(entry) = self.branches.get_mut(branch) else { return };
        let step = entry.machine.receive_response(status);
        let (context, client, head) = (entry.context, entry.client, usize::from(entry.reserved));
        self.apply(branch, step);
        if step.timer_c && head > 0 {
            // What is left makes its CANCEL and its ACK.
            self.transactions.release_body(client, head);
        }
        if step.relay
            && let Some(context) = self.contexts.get(context)
            && context.state == State::Searching
            && context.marks.has(Marks::INVITE)
        {
            let server = context.server;
            // Without room it is lost, as on the way.
            let _ = self.transactions.relay(self.now, server, response, false);
        }
    }

    fn final_response(&mut self, branch: Handle, status: u16, response: &Message<'_>) -> Received<Event> {
        let Some(entry) = self.branches.get_mut(branch) else { return Received::Nothing };
        let (context, client) = (entry.context, entry.client);
        let _ = entry.machine.receive_response(status);
        self.remove_branch(branch);
        let Some(entry) = self.contexts.get(context).copied() else { return Received::Nothing };
        match status {
            200..300 => self.accepted(context, &entry, client, status, response),
            _ if entry.state == State::Finished => {}
            _ => self.refused(context, &entry, status, response),
        }
        self.advance(context);
        self.take_event(context).map_or(Received::Nothing, Received::Event)
    }

    /// A 2xx, which goes to the client whatever came before.
    fn accepted(
        &mut self,
        context: Handle,
        entry: &ResponseContext,
        client: TransactionId,
        status: u16,
        response: &Message<'_>,
    ) {
        let invite = entry.marks.has(Marks::INVITE);
        if !invite && entry.state == State::Finished {
            return;
        }
        let relayed = self.transactions.relay(self.now, entry.server, response, false);
        if invite {
            self.transactions.set_user(client, Owner::Accepted(entry.server).user());
        }
        if relayed.is_err() && !invite {
            self.transactions.finish(self.now, entry.server, 500);
        }
        // Without room now the repetition of a 2xx to an INVITE goes on: the server transaction still waits for it.
        self.end(context, status);
        if invite {
            self.cancel_branches(context, Cause::Answered);
        }
    }

    /// A final response other than 2xx: it is kept when it is better than those before.
    fn refused(&mut self, context: Handle, entry: &ResponseContext, status: u16, response: &Message<'_>) {
        if status >= 600 {
            if let Some(entry) = self.contexts.get_mut(context) {
                entry.marks.set(Marks::STOPPED);
            }
            self.cancel_branches(context, Cause::Declined);
        }
        if (300..400).contains(&status) && self.recurse(context, response) {
            return;
        }
        let open = self.contexts.get(context).is_some_and(|entry| !entry.branches.is_none());
        if !open && !self.has_target(context) && choose::is_better(entry.best_status, status) && status != 503 {
            // The usual case: it goes on as it came, and is never kept.
            self.relay_final(context, entry.server, status, response);
            return;
        }
        if choose::is_better(entry.best_status, status) {
            let kept = self.keep_response(response);
            self.take_best(context, status, kept);
        } else if choose::is_challenge(entry.best_status) && choose::is_challenge(status) {
            self.merge_challenges(context, entry.best, response);
        }
    }

    /// Adds the challenges of a response to those of the best one (§16.7 step 7). Without room the client answers those that it gets.
    fn merge_challenges(&mut self, context: Handle, best: Block, response: &Message<'_>) {
        let want = self.transactions.octets.get(best).len().saturating_add(256);
        let written = self.transactions.octets.write(want, false, |kept, writer| {
            let best = kept.get(best);
            let line = best.iter().position(|octet| *octet == b'\n').map_or(0, |end| end.saturating_add(1));
            let (line, rest) = best.split_at_checked(line).unwrap_or_default();
            writer.raw(line);
            for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
                for row in response.header_rows(name) {
                    writer.header_raw(name, row);
                }
            }
            writer.raw(rest);
        });
        if let (Ok(block), Some(entry)) = (written, self.contexts.get_mut(context)) {
            let old = core::mem::replace(&mut entry.best, block);
            self.transactions.octets.release(old);
        }
    }

    /// Takes the Contacts of a 3xx among the targets, where that is wanted; whether there were any (§16.7 step 4). Nothing leads from
    /// a `sips` URI to another scheme. What was for another domain is that domain's to redirect, and its client's to follow (§16.5).
    fn recurse(&mut self, context: Handle, response: &Message<'_>) -> bool {
        let Some(entry) = self.contexts.get(context) else { return false };
        let marks = entry.marks;
        if !self.core.settings.recurse || !marks.has(Marks::OWN) || marks.has(Marks::STOPPED) {
            return false;
        }
        let mut added = 0_usize;
        for contact in response.contacts().flatten().take(MAX_TARGETS) {
            let Ok(uri) = contact.uri() else { continue };
            if !uri.is_sip() || marks.has(Marks::SECURE) && !uri.is_sips() {
                continue;
            }
            let q = contact.q().unwrap_or(1000);
            let (lookup, own) = (self.lookup, self.core.settings.own(self.texts(), &uri).is_some());
            let mut add = |target: &Target<'_>| {
                let target = target.with_q(q);
                added = added.saturating_add(self.add_targets(context, &[target]).unwrap_or(0));
            };
            if !lookup.is_some_and(|lookup| lookup(&uri, own, &mut add)) {
                add(&Target::new(uri.raw()));
            }
        }
        added > 0
    }

    /// Passes the final response on that ends a search.
    fn relay_final(&mut self, context: Handle, server: TransactionId, status: u16, response: &Message<'_>) {
        if self.transactions.relay(self.now, server, response, false).is_err() {
            self.answer(context, server, status);
        }
        self.end(context, status);
    }

    /// Keeps a response; none when there is no room, or it isn't worth it: its status is then given without it.
    fn keep_response(&mut self, response: &Message<'_>) -> Block {
        if response.status() == Some(503) {
            return Block::NONE;
        }
        let bytes = response.bytes();
        self.transactions.octets.write(bytes.len(), false, |_, writer| writer.raw(bytes)).unwrap_or_default()
    }

    /// Makes a response the best one.
    fn take_best(&mut self, context: Handle, status: u16, kept: Block) {
        let old = match self.contexts.get_mut(context) {
            Some(entry) => {
                entry.best_status = status;
                core::mem::replace(&mut entry.best, kept)
            }
            None => kept,
        };
        self.transactions.octets.release(old);
    }

    /// A target fails with a status of this proxy's own: none of its responses came (§16.9).
    pub(super) fn fail_target(&mut self, context: Handle, status: u16) {
        let Some(entry) = self.contexts.get(context) else { return };
        if entry.state != State::Finished && choose::is_better(entry.best_status, status) {
            self.take_best(context, status, Block::NONE);
        }
    }

    /// A branch could not be started.
    pub(super) fn not_started(&mut self, context: Handle, status: u16) {
        if status == 503
            && let Some(entry) = self.contexts.get_mut(context)
        {
            entry.marks.set(Marks::FULL);
        }
        self.fail_target(context, status);
    }

    /// Goes on when no branch is open: to the next targets, or to the end of the search.
    pub(super) fn advance(&mut self, context: Handle) {
        loop {
            let Some(entry) = self.contexts.get(context) else { return };
            let (open, state) = (!entry.branches.is_none(), entry.state);
            if open {
                return;
            }
            match state {
                State::Finished => return self.release(context),
                State::Free | State::Asked => return,
                State::Searching if self.next_targets(context, None) => {}
                State::Searching => self.finish(context),
            }
        }
    }

    /// Answers the client with the best response, or with what stands for none.
    fn finish(&mut self, context: Handle) {
        let Some(entry) = self.contexts.get(context).copied() else { return };
        let cancelled = entry.marks.has(Marks::CANCELLED) && matches!(entry.best_status, 0 | 408);
        let status = match entry.best_status {
            _ if cancelled => 487,
            0 => 408,
            status => status,
        };
        let kept = if entry.best.is_none() || cancelled { Err(Error::Gone) } else { self.relay_kept(&entry) };
        if kept.is_err() {
            self.answer(context, entry.server, status);
            if entry.marks.has(Marks::FULL) {
                // Nothing that lasts is spent on who is refused for lack of room.
                self.transactions.end_when_sent(self.now, entry.server);
            }
        }
        self.end(context, status);
    }

    /// Gives a final response of this proxy's own; nothing to a request other than INVITE that nobody has answered (RFC 4320
    /// §4.2), whose transaction ends by itself.
    pub(super) fn answer(&mut self, context: Handle, server: TransactionId, status: u16) {
        let marks = self.contexts.get(context).map_or(Marks::default(), |entry| entry.marks);
        if status == 408 && !marks.has(Marks::INVITE) {
            return;
        }
        let settings = &self.core.settings;
        let is_full = marks.has(Marks::FULL);
        // A 500 that says no more would be taken for a fault of this proxy.
        let warning: &[u8] = if status == 503 && !is_full { NOT_REACHED } else { b"" };
        let status = if is_full { status } else { choose::upstream(status) };
        let answered = self.transactions.respond(self.now, server, status, None, true, |kept, writer| {
            if status == 503 {
                writer.header_number(HeaderName::RetryAfter, u64::from(settings.retry_after));
            }
            if !warning.is_empty() {
                writer.header(HeaderName::Warning, warning);
            }
            write_server(writer, settings.server(kept.get(settings.block())));
            writer.finish_without_body();
        });
        if matches!(answered, Err(Error::Capacity(_))) {
            self.transactions.finish(self.now, server, status);
        }
    }

    /// A final response was given, or none will be.
    pub(super) fn end(&mut self, context: Handle, status: u16) {
        let Some(entry) = self.contexts.get_mut(context) else { return };
        if entry.state == State::Finished {
            return;
        }
        entry.state = State::Finished;
        let own = entry.marks.has(Marks::FULL);
        entry.best_status = if own { status } else { choose::upstream(status) };
        let asked = entry.marks.has(Marks::ASKED);
        self.contexts.set_timer(context, None);
        if asked {
            self.contexts.push(context, TELL);
        }
    }

    /// The one place where a context is given back: when it is finished, has no branch, and its end was told.
    pub(super) fn release(&mut self, context: Handle) {
        let Some(entry) = self.contexts.get(context) else { return };
        let open = !entry.branches.is_none() || entry.state != State::Finished;
        if open || self.contexts.ready_list(context) == Some(TELL) {
            return;
        }
        for block in [entry.request, entry.targets, entry.best] {
            self.transactions.octets.release(block);
        }
        self.contexts.remove(context);
    }

    /// The one place where a branch is given back.
    pub(super) fn remove_branch(&mut self, branch: Handle) {
        let Some(entry) = self.branches.get(branch) else { return };
        let (context, next, reserved) = (entry.context, entry.next, entry.reserved);
        self.branches.remove(branch);
        self.unreserve(reserved);
        let Some(entry) = self.contexts.get_mut(context) else { return };
        if entry.branches == branch {
            entry.branches = next;
            return;
        }
        // As many as one request has open.
        let mut before = entry.branches;
        while let Some(entry) = self.branches.get_mut(before) {
            if entry.next == branch {
                entry.next = next;
                return;
            }
            before = entry.next;
        }
    }

    /// Does what a branch said.
    pub(super) fn apply(&mut self, branch: Handle, step: Step) {
        let Some(entry) = self.branches.get_mut(branch) else { return };
        let client = entry.client;
        if step.timer_c {
            self.transactions.timer_c(self.now, client, self.core.settings.timer_c);
        }
        if step.cancel {
            let (cause, reserved) = (entry.machine.cause(), core::mem::take(&mut entry.reserved));
            self.unreserve(reserved);
            self.send_cancel(client, cause);
        }
    }

    /// What a timer or a lost flow did to a transaction.
    pub(super) fn expired(&mut self, expired: Expired) {
        match Owner::of(expired.user) {
            Owner::Branch(branch) => self.branch_expired(branch, expired),
            Owner::Context(context) if expired.kind == ExpiredKind::Ended => self.client_gone(context),
            Owner::Context(_) | Owner::Nobody | Owner::Accepted(_) => {}
        }
    }

    fn branch_expired(&mut self, branch: Handle, expired: Expired) {
        let Some(entry) = self.branches.get_mut(branch) else { return };
        let context = entry.context;
        let status = match expired.kind {
            ExpiredKind::Ended => return,
            ExpiredKind::TimerC => {
                let step = entry.machine.timer_c();
                return self.apply(branch, step);
            }
            ExpiredKind::TimedOut => 408,
            ExpiredKind::FlowLost if self.transactions.send_again(self.now, expired.id) => return,
            // Its client may have another flow, and asks for it (RFC 5626 §5.3).
            ExpiredKind::FlowFailed | ExpiredKind::FlowLost | ExpiredKind::Insecure
                if self.contexts.get(context).is_some_and(|entry| entry.marks.has(Marks::FLOW)) =>
            {
                430
            }
            ExpiredKind::FlowFailed | ExpiredKind::FlowLost | ExpiredKind::Insecure => 503,
        };
        if self.fail_over(branch, expired.id) {
            return;
        }
        if expired.kind == ExpiredKind::FlowLost {
            self.transactions.abandon(expired.id);
        }
        if let Some(entry) = self.branches.get_mut(branch) {
            let _ = entry.machine.fail();
        }
        self.remove_branch(branch);
        self.fail_target(context, status);
        self.advance(context);
    }

    /// Sends a branch's request to the next target that its name has (RFC 3263 §4.3); whether there was one.
    fn fail_over(&mut self, branch: Handle, client: TransactionId) -> bool {
        let calling = self.branches.get(branch).is_some_and(|entry| entry.machine.state() == machine::State::Calling);
        if !calling || !self.transactions.has_target(client) {
            return false;
        }
        let token = self.core.random.token();
        let Some(new) = self.transactions.fail_over(self.now, client, token) else { return false };
        if let Some(entry) = self.branches.get_mut(branch) {
            entry.client = new;
        }
        true
    }

    /// The server transaction is over and no final response was given: the client has given up.
    fn client_gone(&mut self, context: Handle) {
        let Some(entry) = self.contexts.get(context) else { return };
        if entry.state == State::Finished {
            return;
        }
        self.end(context, 0);
        self.cancel_branches(context, Cause::Asked);
        self.release(context);
    }

    /// Whether the request of a transaction has been sent.
    pub(super) fn is_sent(&self, client: TransactionId) -> bool {
        self.transactions.state(client) != Some(TransactionState::Parked)
    }

    /// Writes the kept best response as the answer.
    fn relay_kept(&mut self, entry: &ResponseContext) -> Result<(), Error> {
        self.transactions.relay_kept(self.now, entry.server, entry.best, entry.best_status)
    }
}

/// Why a CANCEL is sent, for phones that would otherwise show a missed call (RFC 3326 §2).
pub(super) const fn reason(cause: Cause) -> Option<(HeaderName<'static>, &'static [u8])> {
    match cause {
        Cause::Asked => None,
        Cause::Answered => Some((HeaderName::Reason, b"SIP;cause=200;text=\"Call completed elsewhere\"")),
        Cause::Declined => Some((HeaderName::Reason, b"SIP;cause=603;text=\"Declined elsewhere\"")),
        Cause::TimerC => Some((HeaderName::Reason, b"SIP;cause=408;text=\"No answer\"")),
    }
}
