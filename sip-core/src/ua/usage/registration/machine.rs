//! The machine of a registration (RFC 3261 §10.2, with the waits of RFC 5626 §4.5).
//!
//! ```text
//!                    |register: REGISTER sent
//!                    V
//!   address     +-------------+  2xx                       +------------+  address learned:
//!   changed  +--| Registering |--------------------------->| Registered |  REGISTER sent
//!            |  |             |<---------------------------|            |-------------------+
//!            |  +-------------+  due, or its flow lost:    +------------+                   V
//!            |    |  |  |  ^     REGISTER sent               |  |    ^ ^     2xx    +------------+
//!            |    |  |  |  |due: REGISTER sent               |  |    | +------------| Correcting |
//!            |    |  |  |  |                   flow lost soon|  |    |              +------------+
//!            |    |  |  |  |  +---------+      after its 2xx |  |    |2xx, and REGISTER due at once
//!            |    |  |  |  +--| Waiting |<-------------------+  |    |   +----------+
//!            |    |  |  +---->|         |                       |    +---| Outdated |
//!            |    |  | failed +---------+                       |        +----------+
//!            |    |  |             | remove                     |             ^
//!            +----|--|-------------|----------------------------|-------------+
//!                 |  |remove       | REGISTER with Expires 0    |remove: REGISTER with Expires 0
//!                 |  V             | sent while bound           |
//!          refused|  +-------------+   2xx: REGISTER with   +----------+
//!                 |  | Withdrawing |----------------------->| Removing |
//!                 |  +-------------+   Expires 0 sent       +----------+
//!                 V        | failed                            | any end
//!            +-------+     |                                   |
//!            | Ended |<----+-----------------------------------+
//!            +-------+
//! ```
//!
//! | input | Registering, Correcting | Outdated | Withdrawing | Registered | Waiting | Removing |
//! |---|---|---|---|---|---|---|
//! | 2xx that binds | told, Registered | told, Registered, due at once | removal, Removing | - | - | told, Ended |
//! | failed for now | told, Waiting | told, Waiting, due at once | removal while bound, or told, Ended | - | - | told, Ended |
//! | refused | told, Ended | told, Ended | as failed | - | - | told, Ended |
//! | flow lost first | REGISTER | REGISTER, Registering | as failed | due at once | - | removal |
//! | flow lost again | told, Waiting | REGISTER, Registering | as failed | told, Waiting | - | told, Ended |
//! | address learned | - | - | - | REGISTER, Correcting | - | - |
//! | address changed | Outdated | - | - | due at once | due at once | - |
//! | remove | Withdrawing | Withdrawing | - | removal, Removing | removal while bound, or told, Ended | - |
//! | due | REGISTER | REGISTER, Registering | removal, Removing | REGISTER, Registering | REGISTER, Registering | removal |
//! | lapsed | - | - | - | told, Waiting | - | - |
//!
//! A deadline in a state that waits for a response is only set when there was no room for its REGISTER. A flow is lost *first*
//! when none was lost since the binding was good for [`STABLE`]; each later one waits like any other failure, so that a
//! registrar that closes behind each answer does not drive a storm.
//!
//! Brief grants are followed at first: [`FOLLOWED`] of them in a row. When they stay brief the waits grow to [`LEAST_WAIT`], and a
//! binding that ends before its refresh has *lapsed*, which is told: a registrar that grants a second each time is not asked
//! every two seconds for ever, and the application knows when nobody can reach it.

use crate::time::{Duration, Instant};
use crate::ua::event::RegistrationCause;

/// The wait after the first failure, doubled with each further one up to [`LONGEST_WAIT`] (RFC 5626 §4.5), in seconds.
const FIRST_WAIT: u32 = 30;
const LONGEST_WAIT: u32 = 1800;
/// After so long without a failure the next one counts as the first (RFC 5626 §4.5).
const STABLE: Duration = Duration::from_secs(120);
/// So many brief grants in a row are refreshed as they ask for; each further one doubles the wait.
const FOLLOWED: u8 = 5;
/// Up to this, in milliseconds. A grant is brief when it asks for a refresh sooner.
const LEAST_WAIT: u64 = 10_000;
/// The flow was lost and the registration renewed without a wait.
const FLOW_LOST: u8 = 1;
/// The address has changed: calls are refreshed once the binding is renewed, or can't be.
const CALLS_WAIT: u8 = 2;

/// The state of a registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// A REGISTER waits for its response.
    Registering,
    /// A REGISTER that makes a correction of our address known waits for its response, which corrects nothing more.
    Correcting,
    /// A REGISTER waits for its response, and names an address that is no longer ours.
    Outdated,
    /// A REGISTER waits for its response, and the binding that it makes is to be removed.
    Withdrawing,
    /// The registrar holds the binding.
    Registered,
    /// The last attempt failed; waiting for the next.
    Waiting,
    /// A REGISTER that removes the binding waits for its response.
    Removing,
    /// It is over; the application is still to be told.
    Ended,
}

/// The deadlines of a registration; [`Instant::ZERO`] is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Timer {
    /// The next REGISTER.
    Register = 0,
    /// The next keep-alive.
    KeepAlive,
    /// From here on a failure counts as the first. Nothing happens at it.
    Stable,
    /// The end of the binding. Nothing happens at it but in Registered, when the refresh is later.
    Expiry,
}

const TIMERS: usize = 4;

/// A registration without its texts and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(in crate::ua) struct Machine {
    state: State,
    /// What the application has not been told.
    untold: Indication,
    /// Why the last attempt failed.
    cause: RegistrationCause,
    /// Failures one after the other that a wait followed.
    failures: u8,
    /// Brief grants one after the other.
    brief: u8,
    /// [`FLOW_LOST`] and [`CALLS_WAIT`].
    marks: u8,
    /// The status of the last failure.
    status: u16,
    deadlines: [Instant; TIMERS],
}

/// What comes to a registration.
#[derive(Clone, Copy, Debug)]
pub(in crate::ua) enum Input {
    /// A 2xx that binds.
    Bound(Bound),
    /// Any other outcome of a REGISTER.
    Failed(Failed),
    /// The connection was lost on which a REGISTER waits, or by which the binding was made.
    FlowLost {
        /// 0 to 999.
        jitter: u32,
    },
    /// The registrar sees another address than the one in our Contact.
    AddressLearned,
    /// This host has another address.
    AddressChanged,
    /// The application wants the binding removed.
    Remove,
    /// The time for the next REGISTER has come.
    Due,
    /// The binding has ended before its refresh.
    Lapsed,
}

/// What a 2xx grants.
#[derive(Clone, Copy, Debug)]
pub(in crate::ua) struct Bound {
    /// The lifetime of the binding in seconds; at least 1.
    pub(in crate::ua) seconds: u32,
    /// The interval of keep-alives; zero for none.
    pub(in crate::ua) keep_alive: Duration,
    /// It came by another flow than the last 2xx.
    pub(in crate::ua) new_flow: bool,
}

/// How a REGISTER failed.
#[derive(Clone, Copy, Debug)]
pub(in crate::ua) struct Failed {
    pub(in crate::ua) cause: RegistrationCause,
    pub(in crate::ua) status: u16,
    pub(in crate::ua) retry: Retry,
    /// 0 to 999.
    pub(in crate::ua) jitter: u32,
}

/// When a failed REGISTER is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Retry {
    /// It was refused for good.
    Never,
    /// After the wait of RFC 5626 §4.5.
    BackOff,
    /// Not before so many seconds (Retry-After).
    After(u32),
}

/// What the application is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) enum Indication {
    #[default]
    Nothing = 0,
    Registered,
    Failed,
    Unregistered,
}

/// Which REGISTER to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ua) enum Send {
    #[default]
    Nothing,
    /// One that binds, or its refresh.
    Binding,
    /// One with Expires 0.
    Removal,
}

/// What to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(in crate::ua) struct Step {
    pub(in crate::ua) send: Send,
    pub(in crate::ua) tell: Indication,
    /// Calls need not wait for this binding any longer.
    pub(in crate::ua) renewed: bool,
}

impl Step {
    const NOTHING: Self = Self { send: Send::Nothing, tell: Indication::Nothing, renewed: false };
    const BINDING: Self = Self { send: Send::Binding, ..Self::NOTHING };
    const REMOVAL: Self = Self { send: Send::Removal, ..Self::NOTHING };
}

impl Machine {
    /// Of a free entry.
    pub(in crate::ua) const ZERO: Self = Self {
        deadlines: [Instant::ZERO; TIMERS],
        state: State::Free,
        untold: Indication::Nothing,
        cause: RegistrationCause::Refused,
        failures: 0,
        status: 0,
        brief: 0,
        marks: 0,
    };

    /// The machine whose first REGISTER is sent.
    pub(in crate::ua) const fn new() -> Self {
        Self { state: State::Registering, ..Self::ZERO }
    }

    /// The state.
    pub(in crate::ua) const fn state(&self) -> State {
        self.state
    }

    /// Whether the registrar holds a binding of ours, as far as we know.
    pub(in crate::ua) fn is_bound(&self, now: Instant) -> bool {
        let end = self.deadline(Timer::Expiry);
        end != Instant::ZERO && end > now
    }

    /// Whether calls are refreshed once this binding is renewed.
    pub(in crate::ua) const fn calls_wait(&self) -> bool {
        self.marks & CALLS_WAIT != 0
    }

    /// Whether a challenge is worth an answer: not when there is nothing left to remove.
    pub(in crate::ua) fn answers_challenges(&self, now: Instant) -> bool {
        self.state != State::Withdrawing || self.is_bound(now)
    }

    /// A deadline.
    pub(in crate::ua) fn deadline(&self, timer: Timer) -> Instant {
        self.deadlines.get(timer as usize).copied().unwrap_or(Instant::ZERO)
    }

    /// Sets a deadline.
    pub(in crate::ua) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(deadline) = self.deadlines.get_mut(timer as usize) {
            *deadline = at;
        }
    }

    /// The same machine on a clock that shows one millisecond at `now`; deadlines that have come are all alike.
    pub(in crate::ua) fn relative_to(mut self, now: Instant) -> Self {
        for at in &mut self.deadlines {
            if *at != Instant::ZERO {
                *at = Instant::from_millis(1) + at.since(now);
            }
        }
        self
    }

    /// The next deadline at which something is to be done.
    pub(in crate::ua) fn earliest_deadline(&self) -> Option<Instant> {
        let lapse = if self.state == State::Registered { self.deadline(Timer::Expiry) } else { Instant::ZERO };
        Instant::earliest(&[self.deadline(Timer::Register), self.deadline(Timer::KeepAlive), lapse])
    }

    /// What the clock brings: the time for a REGISTER, or the end of a binding that is renewed later.
    pub(in crate::ua) fn take_due_input(&mut self, now: Instant) -> Option<Input> {
        if self.take_due(Timer::Register, now) {
            return Some(Input::Due);
        }
        let lapsed = self.state == State::Registered && self.take_due(Timer::Expiry, now);
        lapsed.then_some(Input::Lapsed)
    }

    /// Whether a deadline has come; it is stopped then.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(in crate::ua) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let at = self.deadline(timer);
        let due = at != Instant::ZERO && at <= now;
        if due {
            self.set(timer, Instant::ZERO);
        }
        due
    }

    /// Takes what the application has not been told; why the last attempt failed, and in how many seconds the next follows,
    /// 0 for never.
    pub(in crate::ua) fn take_untold(&mut self, now: Instant) -> (Indication, RegistrationCause, u16, u32) {
        let seconds = self.deadline(Timer::Register).since(now).as_secs();
        let wait = if self.state == State::Ended { 0 } else { u32::try_from(seconds).unwrap_or(u32::MAX).max(1) };
        (core::mem::take(&mut self.untold), self.cause, self.status, wait)
    }

    /// Takes an input; what is to be told stays until [`take_untold`](Self::take_untold).
    pub(in crate::ua) fn receive(&mut self, now: Instant, input: Input) -> Step {
        // What is over is forgotten at once: a clock of 32 bits would take a moment of long ago for one to come.
        let _ = self.take_due(Timer::Expiry, now);
        if self.take_due(Timer::Stable, now) {
            self.failures = 0;
            self.marks &= !FLOW_LOST;
        }
        let step = match self.state {
            State::Free | State::Ended => Step::NOTHING,
            State::Registering | State::Correcting => self.in_registering(now, input),
            State::Outdated => self.in_outdated(now, input),
            State::Withdrawing => self.in_withdrawing(now, input),
            State::Registered => self.in_registered(now, input),
            State::Waiting => self.in_waiting(now, input),
            State::Removing => self.in_removing(input),
        };
        if step.tell != Indication::Nothing {
            self.untold = step.tell;
        }
        step
    }

    /// There was no room for the REGISTER of the last step: all is as it was `before`, and a second later there may be. What
    /// the registrar has bound meanwhile stays known, or its removal would be forgotten.
    pub(in crate::ua) fn no_room(&mut self, now: Instant, before: Self) {
        let expiry = self.deadline(Timer::Expiry);
        *self = before;
        self.set(Timer::Expiry, expiry);
        self.set(Timer::Register, now + Duration::from_secs(1));
    }

    fn in_registering(&mut self, now: Instant, input: Input) -> Step {
        match input {
            Input::Bound(bound) => {
                self.bind(now, bound);
                Step { tell: Indication::Registered, renewed: self.take_mark(CALLS_WAIT), ..Step::NOTHING }
            }
            Input::Failed(failed) => self.fail(now, failed),
            Input::FlowLost { .. } if self.is_first_loss() => Step::BINDING,
            Input::FlowLost { jitter } => self.fail(now, Failed::flow_lost(jitter)),
            Input::AddressChanged => {
                self.state = State::Outdated;
                self.marks |= CALLS_WAIT;
                Step::NOTHING
            }
            Input::Remove => {
                self.state = State::Withdrawing;
                Step::NOTHING
            }
            Input::Due => Step::BINDING,
            Input::AddressLearned | Input::Lapsed => Step::NOTHING,
        }
    }

    fn in_outdated(&mut self, now: Instant, input: Input) -> Step {
        match input {
            Input::Bound(bound) => {
                self.bind(now, bound);
                self.set(Timer::Register, due_now(now));
                Step { tell: Indication::Registered, ..Step::NOTHING }
            }
            Input::Failed(failed) if failed.retry != Retry::Never => {
                // It went by a network that is no more, so its failure says nothing of the one that there is now.
                self.state = State::Waiting;
                (self.cause, self.status) = (failed.cause, failed.status);
                self.set(Timer::KeepAlive, Instant::ZERO);
                self.set(Timer::Register, due_now(now));
                Step { tell: Indication::Failed, ..Step::NOTHING }
            }
            Input::Failed(failed) => self.fail(now, failed),
            Input::FlowLost { .. } | Input::Due => self.renew(),
            Input::Remove => {
                self.state = State::Withdrawing;
                Step::NOTHING
            }
            Input::AddressLearned | Input::AddressChanged | Input::Lapsed => Step::NOTHING,
        }
    }

    fn in_withdrawing(&mut self, now: Instant, input: Input) -> Step {
        match input {
            Input::Bound(bound) => {
                self.bind(now, bound);
                self.remove(now)
            }
            Input::Failed(_) | Input::FlowLost { .. } | Input::Due => self.remove(now),
            Input::AddressLearned | Input::AddressChanged | Input::Remove | Input::Lapsed => Step::NOTHING,
        }
    }

    fn in_registered(&mut self, now: Instant, input: Input) -> Step {
        match input {
            Input::FlowLost { .. } if self.is_first_loss() => {
                self.set(Timer::KeepAlive, Instant::ZERO);
                self.set(Timer::Register, due_now(now));
                Step::NOTHING
            }
            Input::FlowLost { jitter } => {
                let refresh = self.deadline(Timer::Register);
                let step = self.fail(now, Failed::flow_lost(jitter));
                // The binding may be of use without its flow, so the refresh is not put off.
                self.set(Timer::Register, self.deadline(Timer::Register).min(refresh));
                step
            }
            Input::AddressLearned => {
                self.state = State::Correcting;
                self.marks |= CALLS_WAIT;
                Step::BINDING
            }
            Input::AddressChanged => self.move_binding(now),
            Input::Remove => self.remove(now),
            Input::Due => self.renew(),
            Input::Lapsed => self.lapse(),
            Input::Bound(_) | Input::Failed(_) => Step::NOTHING,
        }
    }

    fn in_waiting(&mut self, now: Instant, input: Input) -> Step {
        match input {
            Input::AddressChanged => self.move_binding(now),
            Input::Remove => self.remove(now),
            Input::Due => self.renew(),
            Input::Bound(_) | Input::Failed(_) | Input::FlowLost { .. } | Input::AddressLearned | Input::Lapsed => {
                Step::NOTHING
            }
        }
    }

    fn in_removing(&mut self, input: Input) -> Step {
        match input {
            Input::FlowLost { .. } if self.is_first_loss() => Step::REMOVAL,
            Input::Bound(_) | Input::Failed(_) | Input::FlowLost { .. } => self.end(Indication::Unregistered),
            Input::Due => Step::REMOVAL,
            Input::AddressLearned | Input::AddressChanged | Input::Remove | Input::Lapsed => Step::NOTHING,
        }
    }

    /// A REGISTER goes out again after the last one is done with.
    fn renew(&mut self) -> Step {
        self.state = State::Registering;
        Step::BINDING
    }

    /// The binding is renewed from another address as soon as may be.
    fn move_binding(&mut self, now: Instant) -> Step {
        self.marks |= CALLS_WAIT;
        self.set(Timer::Register, due_now(now));
        // What failed by another network says nothing of this one.
        (self.failures, self.brief) = (0, 0);
        self.marks &= !FLOW_LOST;
        if self.untold == Indication::Failed {
            self.untold = Indication::Nothing;
        }
        Step::NOTHING
    }

    fn bind(&mut self, now: Instant, bound: Bound) {
        if !self.is_bound(now) || bound.new_flow || self.deadline(Timer::Stable) == Instant::ZERO {
            self.set(Timer::Stable, now + STABLE);
        }
        self.state = State::Registered;
        let refresh = Duration::from_millis(self.refresh_after(bound.seconds));
        self.set(Timer::Register, now + refresh);
        self.set(Timer::Expiry, now + Duration::from_secs(u64::from(bound.seconds)));
        let first = if bound.keep_alive == Duration::ZERO { Instant::ZERO } else { now + bound.keep_alive };
        self.set(Timer::KeepAlive, first);
    }

    /// Milliseconds after which a binding good for `granted` seconds is refreshed: early enough for a REGISTER that times out
    /// once, and never sooner than 2 s, whatever the registrar grants.
    fn refresh_after(&mut self, granted: u32) -> u64 {
        let margin = (granted / 2).min(90);
        let wanted = u64::from(granted.saturating_sub(margin).max(2)).wrapping_mul(1000);
        self.brief = if wanted < LEAST_WAIT { self.brief.saturating_add(1) } else { 0 };
        let doubled = u32::from(self.brief.saturating_sub(FOLLOWED).min(3));
        wanted.max(2000_u64.checked_shl(doubled).unwrap_or(LEAST_WAIT).min(LEAST_WAIT))
    }

    /// The binding has ended; the next REGISTER follows when it is due.
    fn lapse(&mut self) -> Step {
        self.state = State::Waiting;
        (self.cause, self.status) = (RegistrationCause::Lapsed, 200);
        self.set(Timer::KeepAlive, Instant::ZERO);
        Step { tell: Indication::Failed, ..Step::NOTHING }
    }

    /// Removes the binding, or ends the registration when there is none (nothing is bound after a 503).
    fn remove(&mut self, now: Instant) -> Step {
        if !self.is_bound(now) {
            return self.end(Indication::Unregistered);
        }
        self.state = State::Removing;
        self.set(Timer::Register, Instant::ZERO);
        self.set(Timer::KeepAlive, Instant::ZERO);
        Step { renewed: self.take_mark(CALLS_WAIT), ..Step::REMOVAL }
    }

    fn end(&mut self, tell: Indication) -> Step {
        self.state = State::Ended;
        self.set(Timer::Register, Instant::ZERO);
        self.set(Timer::KeepAlive, Instant::ZERO);
        Step { tell, renewed: self.take_mark(CALLS_WAIT), ..Step::NOTHING }
    }

    /// Decides when to try again. Calls don't wait for a registrar that is not there.
    fn fail(&mut self, now: Instant, failed: Failed) -> Step {
        (self.cause, self.status) = (failed.cause, failed.status);
        if failed.cause == RegistrationCause::NotBound {
            self.set(Timer::Expiry, Instant::ZERO);
        }
        if failed.retry == Retry::Never {
            return self.end(Indication::Failed);
        }
        self.set(Timer::Stable, Instant::ZERO);
        let wait = self.next_wait(failed.retry, failed.jitter);
        self.state = State::Waiting;
        self.set(Timer::KeepAlive, Instant::ZERO);
        self.set(Timer::Register, now + wait);
        Step { tell: Indication::Failed, renewed: self.take_mark(CALLS_WAIT), ..Step::NOTHING }
    }

    /// The wait before the next try. It grows with each failure, whatever Retry-After says: a registrar that says 0 each
    /// time is not asked without end.
    fn next_wait(&mut self, retry: Retry, jitter: u32) -> Duration {
        let doubled = |first: u32| {
            first.checked_shl(u32::from(self.failures.min(16))).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
        };
        let millis = match retry {
            // Honoured to the second; the fraction keeps those apart that were all told in one moment.
            Retry::After(seconds) => {
                u64::from(seconds.max(doubled(1))).wrapping_mul(1000).wrapping_add(u64::from(jitter))
            }
            // Between half and all of the wait, in whole seconds, so that a thousand phones don't come back in one.
            Retry::BackOff | Retry::Never => {
                let millis = doubled(FIRST_WAIT).saturating_mul((jitter / 2).saturating_add(500));
                u64::from(millis.div_ceil(1000)).wrapping_mul(1000)
            }
        };
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(millis)
    }

    /// Whether a flow is lost for the first time in a while; the next time it is not.
    fn is_first_loss(&mut self) -> bool {
        self.set(Timer::Stable, Instant::ZERO);
        let first = !self.take_mark(FLOW_LOST);
        self.marks |= FLOW_LOST;
        first
    }

    fn take_mark(&mut self, mark: u8) -> bool {
        let marked = self.marks & mark != 0;
        self.marks &= !mark;
        marked
    }
}

impl Failed {
    const fn flow_lost(jitter: u32) -> Self {
        Self { cause: RegistrationCause::Unreachable, status: 503, retry: Retry::BackOff, jitter }
    }
}

/// A deadline that is due; not zero, which stands for never.
fn due_now(now: Instant) -> Instant {
    if now == Instant::ZERO { Instant::from_millis(1) } else { now }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
