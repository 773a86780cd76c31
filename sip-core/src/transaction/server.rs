//! The server transaction of every request but INVITE and ACK (RFC 3261 §17.2.2, Figure 8, with RFC 4320).
//!
//! ```text
//!                     |request, to the user
//!                     V
//!               +-----------+  request, nothing
//!               |  Trying   |---+
//!               |           |<--+
//!               +-----------+--------------------------------+
//!   200-699 from   |     |no final response until the        |
//!   the user, sent |     V client's Timer E is T2: 100 sent  |64 * T1
//!                  |  +------------+                         |without
//!                  |  | Proceeding |--+ request, 100         |a final
//!                  |  |            |<-+ sent                 |response
//!                  |  +------------+------------------------>|
//!                  V     |200-699 from the user, sent        |
//!                +-----------+                               |
//!                | Completed |--+ request, response sent     |
//!                |           |<-+                            |
//!                +-----------+                               |
//!                     |Timer J                               |
//!                     V                                      |
//!                +------------+                              |
//!                | Terminated |<-----------------------------+
//!                +------------+
//! ```
//!
//! | input | Trying | Proceeding | Completed |
//! |---|---|---|---|
//! | request | - | response | response |
//! | 1xx, 408 from the user | refused | refused | refused |
//! | other 200-699 from the user | sent, Completed, Timer J | sent, Completed, Timer J | refused |
//! | Timer E is T2 | 100, Proceeding | | |
//! | 64 * T1, Timer J | Terminated | Terminated | Terminated |
//! | transport error | told | told | told |
//!
//! Over reliable transports Timer J is zero, so that Completed is Terminated at once. After a transport error
//! the state stays (RFC 6026 §8.8). When 64 * T1 have passed, the client has given up; a response would come too
//! late, a 408 above all, so the transaction ends silently and a 408 is never sent (RFC 4320 §4.2). A 100 tells a client to
//! send no more often than every T2; earlier than that it would do harm, and any other 1xx always does (§4.1).

use super::step::{Indication, Send, Step};
use super::timers::{Running, Timer, Timers};
use crate::time::Instant;

/// A server transaction for a request other than INVITE, without the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Server {
    timers: Running,
    state: State,
    reliable: bool,
}

/// The states of Figure 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The request was passed to the user, which has not responded.
    Trying = 1,
    /// A 100 was sent, because the user takes long.
    Proceeding,
    /// The user gave a final response, which is sent again for each retransmission of the request.
    Completed,
    /// It is over.
    Terminated,
}

impl Server {
    /// The transaction whose request came at `now`: in Trying, with 64 * T1 for the user.
    #[must_use]
    pub fn new(now: Instant, reliable: bool, timers: &Timers) -> Self {
        let running = Running::end_after(now, timers.sixty_four_t1()).send_after(now, timers.until_t2());
        Self { timers: running, state: State::Trying, reliable }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// Takes the request once more.
    pub fn receive_request(&mut self) -> Step {
        match self.state {
            State::Proceeding | State::Completed => Step::send(Send::Response),
            State::Trying | State::Terminated => Step::NOTHING,
        }
    }

    /// Whether [`respond`](Self::respond) would take this status now.
    #[must_use]
    pub const fn accepts(&self, status: u16) -> bool {
        matches!(self.state, State::Trying | State::Proceeding) && status >= 200 && status != 408
    }

    /// Takes a response of the user by its status code; what the state refuses is not sent.
    pub fn respond(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        if self.accepts(status) { self.complete(now, timers) } else { Step::NOTHING }
    }

    /// Handles the timer when it is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> Step {
        if self.timers.end.is_due(now) {
            return self.terminate();
        }
        if self.state == State::Trying && self.timers.send.is_due(now) {
            self.timers.send = Timer::STOPPED;
            self.state = State::Proceeding;
            return Step::send(Send::Trying);
        }
        Step::NOTHING
    }

    /// The transport could not send the response (RFC 6026 §8.8).
    pub fn transport_failed(&mut self) -> Step {
        if self.state == State::Terminated { Step::NOTHING } else { Step::indicate(Indication::TransportError) }
    }

    /// The same machine on a clock that shows one millisecond at `now`.
    #[must_use]
    pub fn relative_to(self, now: Instant) -> Self {
        Self { timers: self.timers.relative_to(now), ..self }
    }

    fn complete(&mut self, now: Instant, timers: &Timers) -> Step {
        let step = if self.reliable {
            self.terminate()
        } else {
            self.state = State::Completed;
            self.timers = Running::end_after(now, timers.sixty_four_t1());
            Step::NOTHING
        };
        Step { send: Send::Response, ..step }
    }

    fn terminate(&mut self) -> Step {
        self.state = State::Terminated;
        self.timers = Running::STOPPED;
        Step::NOTHING.ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Completed, Proceeding, Terminated, Trying};

    const TIMERS: Timers = Timers::DEFAULT;
    const START: Instant = Instant::from_millis(1000);

    /// The machine in `state`, where all came about at 1000 ms.
    fn machine(state: State) -> Server {
        let mut machine = Server::new(START, false, &TIMERS);
        match state {
            Trying => {}
            Proceeding => _ = machine.handle_timeout(Instant::from_millis(1000 + 3500)),
            Completed => _ = machine.respond(START, 200, &TIMERS),
            Terminated => _ = machine.handle_timeout(Instant::from_millis(33_000)),
        }
        assert_eq!(machine.state(), state);
        machine
    }

    enum Input {
        Request,
        Respond(&'static [u16]),
        /// The time, in milliseconds after the state was entered.
        Time(u64),
        TransportError,
    }

    #[test]
    fn every_state_takes_every_input_as_the_table_says() {
        use Input::{Request, Respond, Time, TransportError};
        const REFUSED: Input = Respond(&[100, 180, 199, 408]);
        const FINAL: Input = Respond(&[200, 302, 401, 503, 699]);
        let (none, sent) = (Step::NOTHING, Step::send(Send::Response));
        let (over, lost) = (none.ended(), Step::indicate(Indication::TransportError));
        let table = [
            (Trying, Request, Trying, none),
            (Trying, REFUSED, Trying, none),
            (Trying, FINAL, Completed, sent),
            (Trying, Time(3499), Trying, none),
            (Trying, Time(3500), Proceeding, Step::send(Send::Trying)),
            (Trying, Time(32_000), Terminated, over),
            (Trying, TransportError, Trying, lost),
            (Proceeding, Request, Proceeding, sent),
            (Proceeding, REFUSED, Proceeding, none),
            (Proceeding, FINAL, Completed, sent),
            (Proceeding, Time(31_999), Proceeding, none),
            (Proceeding, Time(32_000), Terminated, over),
            (Proceeding, TransportError, Proceeding, lost),
            (Completed, Request, Completed, sent),
            (Completed, REFUSED, Completed, none),
            (Completed, FINAL, Completed, none),
            (Completed, Time(31_999), Completed, none),
            (Completed, Time(32_000), Terminated, over),
            (Completed, TransportError, Completed, lost),
            (Terminated, Request, Terminated, none),
            (Terminated, REFUSED, Terminated, none),
            (Terminated, FINAL, Terminated, none),
            (Terminated, Time(1_000_000_000), Terminated, none),
            (Terminated, TransportError, Terminated, none),
        ];
        for (row, (state, input, next, expected)) in table.into_iter().enumerate() {
            let check = |step: &mut dyn FnMut(&mut Server) -> Step| {
                let mut machine = machine(state);
                assert_eq!((step(&mut machine), machine.state()), (expected, next), "row {row}");
            };
            match input {
                Request => check(&mut |it| it.receive_request()),
                Respond(statuses) => statuses.iter().for_each(|status| {
                    check(&mut |it| it.respond(START, *status, &TIMERS));
                    assert_eq!(machine(state).accepts(*status), expected == sent, "row {row}");
                }),
                Time(after) => check(&mut |it| it.handle_timeout(Instant::from_millis(1000 + after))),
                TransportError => check(&mut |it| it.transport_failed()),
            }
        }
    }

    #[test]
    fn a_reliable_transport_does_not_linger() {
        let mut machine = Server::new(START, true, &TIMERS);
        assert_eq!(machine.respond(START, 200, &TIMERS), Step::send(Send::Response).ended());
        assert_eq!((machine.state(), machine.poll_timeout()), (Terminated, None));
    }
}
