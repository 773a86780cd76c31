//! The server transaction of every request but INVITE and ACK (RFC 3261 §17.2.2, Figure 8, with RFC 4320).
//!
//! ```text
//!                     |request, to the user
//!                     V
//!               +-----------+  request, nothing
//!               |  Trying   |---+
//!               |           |<--+
//!               +-----------+--------------------------------+
//!   200-699 from   |     |1xx from the user, sent            |
//!   the user, sent |     V                                   |
//!                  |  +------------+                         |64 * T1
//!                  |  | Proceeding |--+ request, response    |without
//!                  |  |            |<-+ sent                 |a final
//!                  |  |            |--+ 1xx from the user,   |response
//!                  |  |            |<-+ sent                 |
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
//! | 1xx from the user | sent, Proceeding | sent | refused |
//! | 200-699 from the user | sent, Completed, Timer J | sent, Completed, Timer J | refused |
//! | 64 * T1, Timer J | Terminated | Terminated | Terminated |
//! | transport error | told | told | told |
//!
//! Over reliable transports Timer J is zero, so that Completed is Terminated at once. After a transport error
//! the state stays (RFC 6026 §8.8). When 64 * T1 have passed, the client has given up; a response would come too
//! late, a 408 above all (RFC 4320 §4.2), so the transaction ends silently.

use super::step::{Indication, Send, Step};
use super::timers::{Running, Timers};
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
    /// The user gave a provisional response.
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
        Self { timers: Running::end_after(now, timers.sixty_four_t1()), state: State::Trying, reliable }
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

    /// Whether [`respond`](Self::respond) would take a response now.
    #[must_use]
    pub const fn accepts(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }

    /// Takes a response of the user by its status code; what the state refuses is not sent.
    pub fn respond(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match self.state {
            State::Trying => self.respond_in_trying(now, status, timers),
            State::Proceeding => self.respond_in_proceeding(now, status, timers),
            State::Completed | State::Terminated => Step::NOTHING,
        }
    }

    /// Handles the timer when it is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> Step {
        if self.timers.end.is_due(now) { self.terminate() } else { Step::NOTHING }
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

    fn respond_in_trying(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        if status >= 200 {
            return self.complete(now, timers);
        }
        self.state = State::Proceeding;
        Step::send(Send::Response)
    }

    fn respond_in_proceeding(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        if status >= 200 { self.complete(now, timers) } else { Step::send(Send::Response) }
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
            Proceeding => _ = machine.respond(START, 100, &TIMERS),
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
        const PROVISIONAL: Input = Respond(&[100, 180, 199]);
        const FINAL: Input = Respond(&[200, 302, 401, 503, 699]);
        let (none, sent) = (Step::NOTHING, Step::send(Send::Response));
        let (over, lost) = (none.ended(), Step::indicate(Indication::TransportError));
        let table = [
            (Trying, Request, Trying, none),
            (Trying, PROVISIONAL, Proceeding, sent),
            (Trying, FINAL, Completed, sent),
            (Trying, Time(31_999), Trying, none),
            (Trying, Time(32_000), Terminated, over),
            (Trying, TransportError, Trying, lost),
            (Proceeding, Request, Proceeding, sent),
            (Proceeding, PROVISIONAL, Proceeding, sent),
            (Proceeding, FINAL, Completed, sent),
            (Proceeding, Time(31_999), Proceeding, none),
            (Proceeding, Time(32_000), Terminated, over),
            (Proceeding, TransportError, Proceeding, lost),
            (Completed, Request, Completed, sent),
            (Completed, PROVISIONAL, Completed, none),
            (Completed, FINAL, Completed, none),
            (Completed, Time(31_999), Completed, none),
            (Completed, Time(32_000), Terminated, over),
            (Completed, TransportError, Completed, lost),
            (Terminated, Request, Terminated, none),
            (Terminated, PROVISIONAL, Terminated, none),
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
                    assert_eq!(machine(state).accepts(), expected == sent, "row {row}");
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
