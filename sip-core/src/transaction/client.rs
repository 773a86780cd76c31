//! The client transaction of every request but INVITE and ACK (RFC 3261 §17.1.2, Figure 6).
//!
//! ```text
//!                   |request from the user, request sent
//!   Timer E,        V
//!   request    +---------+   Timer F or transport error, user told
//!   sent   +---|  Trying |-----------------------------------------+
//!          +-->|         |                                         |
//!              +---------+                                         |
//!   200-699     |   |1xx to the user                               |
//!   to the user |   V                                              |
//!               |  +------------+  Timer F or transport error,     |
//!   Timer E,    |  | Proceeding |  user told                       |
//!   request +---|--|            |--------------------------------->|
//!   sent,   +---|->|            |--+ 1xx to the user               |
//!               |  |            |<-+                               |
//!               |  +------------+                                  |
//!               |     |200-699 to the user                         |
//!               V     V                                            |
//!             +-----------+                                        |
//!             | Completed |                                        |
//!             +-----------+                                        |
//!                   |Timer K                                       |
//!                   V                                              |
//!             +------------+                                       |
//!             | Terminated |<--------------------------------------+
//!             +------------+
//! ```
//!
//! | input | Trying | Proceeding | Completed |
//! |---|---|---|---|
//! | 1xx | told, Proceeding | told | - |
//! | 200-699 | told, Completed, Timer K | told, Completed, Timer K | - |
//! | Timer E | request | request | |
//! | Timer F, K | told, Terminated | told, Terminated | Terminated |
//! | transport error | told, Terminated | told, Terminated | - |
//!
//! Timer E runs over unreliable transports only; over reliable ones Timer K is zero, so that Completed is
//! Terminated at once.

use super::step::{Indication, Send, Step};
use super::timers::{Running, Timers};
use crate::time::Instant;

/// A client transaction for a request other than INVITE, without the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Client {
    timers: Running,
    state: State,
    reliable: bool,
}

/// The states of Figure 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The request was sent and nothing came back.
    Trying = 1,
    /// A provisional response came.
    Proceeding,
    /// A final response came; its retransmissions are absorbed.
    Completed,
    /// It is over.
    Terminated,
}

impl Client {
    /// The transaction whose request is sent at `now`: in Trying, Timers E and F started.
    #[must_use]
    pub fn new(now: Instant, reliable: bool, timers: &Timers) -> Self {
        let mut running = Running::end_after(now, timers.sixty_four_t1());
        if !reliable {
            running = running.send_after(now, timers.t1);
        }
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

    /// Takes a response by its status code.
    pub fn receive_response(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match self.state {
            State::Trying => self.response_in_trying(now, status, timers),
            State::Proceeding => self.response_in_proceeding(now, status, timers),
            State::Completed | State::Terminated => Step::NOTHING,
        }
    }

    /// Handles one timer that is due at `now`; to be called again while [`poll_timeout`](Self::poll_timeout) is.
    pub fn handle_timeout(&mut self, now: Instant, timers: &Timers) -> Step {
        if self.timers.end.is_due(now) {
            let indication = if self.state == State::Completed { Indication::Nothing } else { Indication::TimedOut };
            return self.terminate(indication);
        }
        if self.timers.send.is_due(now) {
            match self.state {
                // Timer E: min(2 * E, T2), and T2 in Proceeding (§17.1.2.2).
                State::Trying => self.timers.double(timers.t2),
                _ => self.timers.pause(timers.t2),
            }
            return Step::send(Send::Request);
        }
        Step::NOTHING
    }

    /// The transport cannot send, or the connection was lost (§17.1.4).
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Trying | State::Proceeding => self.terminate(Indication::TransportError),
            State::Completed | State::Terminated => Step::NOTHING,
        }
    }

    /// The same machine on a clock that shows one millisecond at `now`.
    #[must_use]
    pub fn relative_to(self, now: Instant) -> Self {
        Self { timers: self.timers.relative_to(now), ..self }
    }

    fn response_in_trying(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        if status >= 200 {
            return self.complete(now, timers);
        }
        self.state = State::Proceeding;
        Step::indicate(Indication::Response)
    }

    fn response_in_proceeding(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        if status >= 200 { self.complete(now, timers) } else { Step::indicate(Indication::Response) }
    }

    fn complete(&mut self, now: Instant, timers: &Timers) -> Step {
        if self.reliable {
            return self.terminate(Indication::Response);
        }
        self.state = State::Completed;
        self.timers = Running::end_after(now, timers.t4);
        Step::indicate(Indication::Response)
    }

    fn terminate(&mut self, indication: Indication) -> Step {
        self.state = State::Terminated;
        self.timers = Running::STOPPED;
        Step::indicate(indication).ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Completed, Proceeding, Terminated, Trying};

    const TIMERS: Timers = Timers::DEFAULT;
    const START: Instant = Instant::from_millis(1000);

    /// The machine in `state`, where all came about at 1000 ms.
    fn machine(state: State) -> Client {
        let mut machine = Client::new(START, false, &TIMERS);
        match state {
            Trying => {}
            Proceeding => _ = machine.receive_response(START, 100, &TIMERS),
            Completed => _ = machine.receive_response(START, 200, &TIMERS),
            Terminated => _ = machine.transport_failed(),
        }
        assert_eq!(machine.state(), state);
        machine
    }

    enum Input {
        Status(&'static [u16]),
        /// The time, in milliseconds after the state was entered.
        Time(u64),
        TransportError,
    }

    #[test]
    fn every_state_takes_every_input_as_the_table_says() {
        use Input::{Status, Time, TransportError};
        const PROVISIONAL: Input = Status(&[100, 180, 199]);
        const FINAL: Input = Status(&[200, 302, 401, 503, 699]);
        let (none, told, request) = (Step::NOTHING, Step::indicate(Indication::Response), Step::send(Send::Request));
        let over = none.ended();
        let table = [
            (Trying, PROVISIONAL, Proceeding, told),
            (Trying, FINAL, Completed, told),
            (Trying, Time(499), Trying, none),
            (Trying, Time(500), Trying, request),
            (Trying, Time(32_000), Terminated, over.indicating(Indication::TimedOut)),
            (Trying, TransportError, Terminated, over.indicating(Indication::TransportError)),
            (Proceeding, PROVISIONAL, Proceeding, told),
            (Proceeding, FINAL, Completed, told),
            (Proceeding, Time(499), Proceeding, none),
            (Proceeding, Time(500), Proceeding, request),
            (Proceeding, Time(32_000), Terminated, over.indicating(Indication::TimedOut)),
            (Proceeding, TransportError, Terminated, over.indicating(Indication::TransportError)),
            (Completed, PROVISIONAL, Completed, none),
            (Completed, FINAL, Completed, none),
            (Completed, Time(4999), Completed, none),
            (Completed, Time(5000), Terminated, over),
            (Completed, TransportError, Completed, none),
            (Terminated, PROVISIONAL, Terminated, none),
            (Terminated, FINAL, Terminated, none),
            (Terminated, Time(1_000_000_000), Terminated, none),
            (Terminated, TransportError, Terminated, none),
        ];
        for (row, (state, input, next, expected)) in table.into_iter().enumerate() {
            let check = |step: &mut dyn FnMut(&mut Client) -> Step| {
                let mut machine = machine(state);
                assert_eq!((step(&mut machine), machine.state()), (expected, next), "row {row}");
            };
            match input {
                Status(statuses) => {
                    statuses.iter().for_each(|status| check(&mut |it| it.receive_response(START, *status, &TIMERS)));
                }
                Time(after) => check(&mut |it| it.handle_timeout(Instant::from_millis(1000 + after), &TIMERS)),
                TransportError => check(&mut |it| it.transport_failed()),
            }
        }
    }

    fn schedule(mut machine: Client) -> Vec<u64> {
        let mut fired = Vec::new();
        while let Some(now) = machine.poll_timeout() {
            // The caller is late by 3 ms, which adds no drift.
            _ = machine.handle_timeout(now + crate::time::Duration::from_millis(3), &TIMERS);
            fired.push(now.as_millis() - 1000);
        }
        fired
    }

    #[test]
    fn timer_e_doubles_up_to_t2_until_timer_f() {
        let times = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000];
        assert_eq!(schedule(machine(Trying)), times);
    }

    #[test]
    fn in_proceeding_timer_e_fires_every_t2() {
        let times = [500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500, 32_000];
        assert_eq!(schedule(machine(Proceeding)), times);
    }

    #[test]
    fn a_reliable_transport_sends_once_and_does_not_linger() {
        for provisional in [false, true] {
            let mut machine = Client::new(START, true, &TIMERS);
            if provisional {
                _ = machine.receive_response(START, 100, &TIMERS);
            }
            assert_eq!(machine.poll_timeout(), Some(Instant::from_millis(33_000)));
            assert_eq!(machine.receive_response(START, 200, &TIMERS), Step::indicate(Indication::Response).ended());
            assert_eq!((machine.state(), machine.poll_timeout()), (Terminated, None));
        }
    }
}
