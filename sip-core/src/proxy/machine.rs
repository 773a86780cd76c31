//! A branch of a response context (RFC 3261 §16.6-16.10): what its target says, and what ends it.
//!
//! ```text
//!                 |request sent, or waiting for its flow
//!                 V
//!            +---------+  to be cancelled   +-----------+
//!            | Calling |------------------->| CancelDue |--+
//!            +---------+                    +-----------+  |
//!                 | |200-699, failure         |  |1xx      |
//!                 | +-------------------+     |  |CANCEL   |200-699,
//!                 |1xx, Timer C         |     |  |         |failure
//!                 V                     |     |  V         |
//!          +------------+  to be cancelled  +-----------+  |
//!   101-   | Proceeding |--------------|--->| Cancelled |  |
//!   199,+--|            |  or Timer C, |    |           |  |
//!   C   +->|            |  CANCEL      |    |           |  |
//!          +------------+              |    +-----------+  |
//!                 |200-699, failure    |          |200-699, |
//!                 V                    V          V64 * T1  V
//!          +---------------------------------------------------+
//!          |                      Completed                    |
//!          +---------------------------------------------------+
//! ```
//!
//! | input | Calling | CancelDue | Proceeding | Cancelled |
//! |---|---|---|---|---|
//! | 100 | Timer C, Proceeding | CANCEL, Cancelled | - | - |
//! | 101-199 | passed on, Timer C, Proceeding | passed on, CANCEL, Cancelled | passed on, Timer C | passed on |
//! | 200-699, timeout, lost flow | Completed | Completed | Completed | Completed |
//! | to be cancelled | CancelDue | - | CANCEL, Cancelled | - |
//! | to be cancelled, not sent yet | Completed | Completed | | |
//! | Timer C | - | - | CANCEL, Cancelled | - |
//!
//! A CANCEL waits for the 1xx of its own branch (§9.1), and is sent once. Timer C runs in Proceeding alone, for before that
//! Timer B does, and after the CANCEL 64 * T1. Timers are the client transaction's.

/// A branch, without its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Branch {
    state: State,
    cause: Cause,
}

/// The states of the figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// The request is sent, or is waiting for its flow, and nothing came back.
    Calling,
    /// The same, and a CANCEL is due.
    CancelDue,
    /// A provisional response came.
    Proceeding,
    /// The CANCEL is sent, and the final response is awaited.
    Cancelled,
    /// A final response came, or none will.
    Completed,
}

/// Why a branch is cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// The client wants it, or the application.
    #[default]
    Asked = 0,
    /// Another branch has brought a 2xx.
    Answered,
    /// Another branch has brought a 6xx.
    Declined,
    /// Timer C has fired.
    TimerC,
}

/// What a branch says to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(super) struct Step {
    /// The response goes to the client at once.
    pub(super) relay: bool,
    /// Timer C starts anew.
    pub(super) timer_c: bool,
    /// The CANCEL is to be sent.
    pub(super) cancel: bool,
    /// The branch is over.
    pub(super) completed: bool,
}

impl Step {
    const NOTHING: Self = Self { relay: false, timer_c: false, cancel: false, completed: false };
}

impl Branch {
    pub(super) const ZERO: Self = Self { state: State::Free, cause: Cause::Asked };

    /// A branch whose request is sent, or waits to be.
    pub(super) const fn new() -> Self {
        Self { state: State::Calling, cause: Cause::Asked }
    }

    pub(super) const fn state(self) -> State {
        self.state
    }

    /// Why it is, or is to be, cancelled.
    pub(super) const fn cause(self) -> Cause {
        self.cause
    }

    /// Takes a response by its status.
    pub(super) fn receive_response(&mut self, status: u16) -> Step {
        if status >= 200 {
            return self.complete();
        }
        let relay = status > 100;
        match self.state {
            State::Calling => self.provisional_in_calling(relay),
            State::CancelDue => self.provisional_in_cancel_due(relay),
            State::Proceeding => Step { relay, timer_c: relay, ..Step::NOTHING },
            State::Cancelled => Step { relay, ..Step::NOTHING },
            State::Free | State::Completed => Step::NOTHING,
        }
    }

    /// Takes the wish to end it; `sent` is whether its request has been sent.
    pub(super) fn cancel(&mut self, cause: Cause, sent: bool) -> Step {
        match self.state {
            State::Calling | State::CancelDue if !sent => self.complete(),
            State::Calling => {
                (self.state, self.cause) = (State::CancelDue, cause);
                Step::NOTHING
            }
            State::Proceeding => {
                (self.state, self.cause) = (State::Cancelled, cause);
                Step { cancel: true, ..Step::NOTHING }
            }
            State::Free | State::CancelDue | State::Cancelled | State::Completed => Step::NOTHING,
        }
    }

    /// Timer C has fired.
    pub(super) fn timer_c(&mut self) -> Step {
        if self.state == State::Proceeding { self.cancel(Cause::TimerC, true) } else { Step::NOTHING }
    }

    /// No final response will come: the transaction has timed out, or its flow was lost.
    pub(super) fn fail(&mut self) -> Step {
        self.complete()
    }

    fn provisional_in_calling(&mut self, relay: bool) -> Step {
        self.state = State::Proceeding;
        Step { relay, timer_c: true, ..Step::NOTHING }
    }

    fn provisional_in_cancel_due(&mut self, relay: bool) -> Step {
        self.state = State::Cancelled;
        Step { relay, cancel: true, ..Step::NOTHING }
    }

    fn complete(&mut self) -> Step {
        if matches!(self.state, State::Free | State::Completed) {
            return Step::NOTHING;
        }
        self.state = State::Completed;
        Step { completed: true, ..Step::NOTHING }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Calling, CancelDue, Cancelled, Completed, Proceeding};

    fn branch(state: State) -> Branch {
        let mut branch = Branch::new();
        match state {
            State::Free => branch = Branch::ZERO,
            Calling => {}
            CancelDue => _ = branch.cancel(Cause::Asked, true),
            Proceeding => _ = branch.receive_response(180),
            Cancelled => {
                let _ = branch.receive_response(100);
                let _ = branch.cancel(Cause::Answered, true);
            }
            Completed => _ = branch.receive_response(486),
        }
        assert_eq!(branch.state(), state);
        branch
    }

    enum Input {
        Status(&'static [u16]),
        Cancel,
        CancelUnsent,
        TimerC,
        Fail,
    }

    #[test]
    fn every_state_takes_every_input_as_the_table_says() {
        use Input::{Cancel, CancelUnsent, Fail, Status, TimerC};
        const TRYING: Input = Status(&[100]);
        const RINGING: Input = Status(&[101, 180, 199]);
        const FINAL: Input = Status(&[200, 302, 401, 487, 503, 699]);
        let none = Step::NOTHING;
        let (relay, cancel) = (Step { relay: true, ..none }, Step { cancel: true, ..none });
        let over = Step { completed: true, ..none };
        let table = [
            (Calling, TRYING, Proceeding, Step { timer_c: true, ..none }),
            (Calling, RINGING, Proceeding, Step { timer_c: true, ..relay }),
            (Calling, FINAL, Completed, over),
            (Calling, Cancel, CancelDue, none),
            (Calling, CancelUnsent, Completed, over),
            (Calling, TimerC, Calling, none),
            (Calling, Fail, Completed, over),
            (CancelDue, TRYING, Cancelled, cancel),
            (CancelDue, RINGING, Cancelled, Step { relay: true, ..cancel }),
            (CancelDue, FINAL, Completed, over),
            (CancelDue, Cancel, CancelDue, none),
            (CancelDue, CancelUnsent, Completed, over),
            (CancelDue, TimerC, CancelDue, none),
            (CancelDue, Fail, Completed, over),
            (Proceeding, TRYING, Proceeding, none),
            (Proceeding, RINGING, Proceeding, Step { timer_c: true, ..relay }),
            (Proceeding, FINAL, Completed, over),
            (Proceeding, Cancel, Cancelled, cancel),
            (Proceeding, TimerC, Cancelled, cancel),
            (Proceeding, Fail, Completed, over),
            (Cancelled, TRYING, Cancelled, none),
            (Cancelled, RINGING, Cancelled, relay),
            (Cancelled, FINAL, Completed, over),
            (Cancelled, Cancel, Cancelled, none),
            (Cancelled, TimerC, Cancelled, none),
            (Cancelled, Fail, Completed, over),
            (Completed, TRYING, Completed, none),
            (Completed, RINGING, Completed, none),
            (Completed, FINAL, Completed, none),
            (Completed, Cancel, Completed, none),
            (Completed, CancelUnsent, Completed, none),
            (Completed, TimerC, Completed, none),
            (Completed, Fail, Completed, none),
        ];
        for (row, (state, input, next, expected)) in table.into_iter().enumerate() {
            let check = |step: &mut dyn FnMut(&mut Branch) -> Step| {
                let mut branch = branch(state);
                assert_eq!((step(&mut branch), branch.state()), (expected, next), "row {row}");
            };
            match input {
                Status(statuses) => statuses.iter().for_each(|status| check(&mut |it| it.receive_response(*status))),
                Cancel => check(&mut |it| it.cancel(Cause::Declined, true)),
                CancelUnsent => check(&mut |it| it.cancel(Cause::Declined, false)),
                TimerC => check(&mut Branch::timer_c),
                Fail => check(&mut Branch::fail),
            }
        }
    }

    #[test]
    fn a_branch_is_cancelled_for_the_first_reason_given() {
        let mut late = branch(CancelDue);
        let _ = late.cancel(Cause::Answered, true);
        let mut early = branch(Proceeding);
        let _ = early.timer_c();
        assert_eq!((late.cause(), early.cause()), (Cause::Asked, Cause::TimerC));
        assert_eq!(branch(State::Free).fail(), Step::NOTHING);
    }
}
