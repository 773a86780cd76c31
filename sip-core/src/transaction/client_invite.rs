//! The INVITE client transaction (RFC 3261 §17.1.1, Figure 5, with Accepted and Timer M of RFC 6026 §8.4).
//!
//! ```text
//!                     |INVITE from the user, INVITE sent
//!   Timer A,          V
//!   INVITE sent  +-----------+  Timer B or transport error, user told
//!            +---|  Calling  |--------------------------------------------+
//!            +-->|           |                                            |
//!                +-----------+  2xx, 2xx to the user                      |
//!                 |   |1xx   |----------------------------+               |
//!   300-699,      |   |to the user                        |               |
//!   ACK sent,     |   V                                   |               |
//!   to the user   |  +------------+  1xx to the user      |               |
//!                 |  | Proceeding |---+                   |               |
//!                 |  |            |<--+  2xx to the user  |               |
//!                 |  +------------+---------------------->|               |
//!                 |     |300-699, ACK sent, to the user   |               |
//!                 V     V                                 V               |
//!   300-699, +-----------+                          +----------+ 2xx      |
//!   ACK  +---| Completed |                          | Accepted |---+ to   |
//!   sent +-->|           |                          |          |<--+ user |
//!            +-----------+                          +----------+          |
//!   transport |  |Timer D                                |Timer M         |
//!   error,    V  V                                       V                V
//!   user told +--------------------------------------------------------------+
//!             |                         Terminated                           |
//!             +--------------------------------------------------------------+
//! ```
//!
//! | input | Calling | Proceeding | Completed | Accepted |
//! |---|---|---|---|---|
//! | 1xx | told, Proceeding | told | - | - |
//! | 2xx | told, Accepted, Timer M | told, Accepted, Timer M | - | told |
//! | 300-699 | ACK, told, Completed, Timer D | ACK, told, Completed, Timer D | ACK | - |
//! | Timer A | INVITE | | | |
//! | Timer B, D, M | told, Terminated | - | Terminated | Terminated |
//! | Timer C | | user to cancel | | |
//! | 64 * T1 after the CANCEL | | told, Terminated | | |
//! | transport error | told, Terminated | told, Terminated | told, Terminated | - |
//!
//! Timer A runs over unreliable transports only; over reliable ones Timer D is zero, so that Completed is
//! Terminated at once. The transport error in Proceeding is not in the figure. Timer C is the user's (§16.6 step 11) and can be
//! started anew by each response; it does not end the transaction, whose 487 is still to be acknowledged.

use super::step::{Indication, Send, Step};
use super::timers::{Running, Timer, Timers};
use crate::time::{Duration, Instant};

/// An INVITE client transaction, without the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClientInvite {
    timers: Running,
    state: State,
    reliable: bool,
}

/// The states of Figure 5 with RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The INVITE was sent and nothing came back.
    Calling = 1,
    /// A provisional response came.
    Proceeding,
    /// A final response other than 2xx came; its retransmissions get the ACK again.
    Completed,
    /// A 2xx came; more of them, from other forks, may follow.
    Accepted,
    /// It is over.
    Terminated,
}

impl ClientInvite {
    /// The transaction whose INVITE is sent at `now`: in Calling, Timers A and B started.
    #[must_use]
    pub fn new(now: Instant, reliable: bool, timers: &Timers) -> Self {
        let mut running = Running::end_after(now, timers.sixty_four_t1());
        if !reliable {
            running = running.send_after(now, timers.t1);
        }
        Self { timers: running, state: State::Calling, reliable }
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
            State::Calling => self.response_in_calling(now, status, timers),
            State::Proceeding => self.response_in_proceeding(now, status, timers),
            State::Completed => self.response_in_completed(status),
            State::Accepted => self.response_in_accepted(status),
            State::Terminated => Step::NOTHING,
        }
    }

    /// Handles one timer that is due at `now`; to be called again while [`poll_timeout`](Self::poll_timeout) is.
    pub fn handle_timeout(&mut self, now: Instant) -> Step {
        if self.timers.end.is_due(now) {
            let waiting = matches!(self.state, State::Calling | State::Proceeding);
            let indication = if waiting { Indication::TimedOut } else { Indication::Nothing };
            return self.terminate(indication);
        }
        if self.timers.send.is_due(now) {
            if self.state == State::Proceeding {
                self.timers.send = Timer::STOPPED;
                return Step::indicate(Indication::TimerC);
            }
            // Timer A doubles without a limit other than Timer B (§17.1.1.2).
            self.timers.double(Duration::from_millis(u64::MAX));
            return Step::send(Send::Request);
        }
        Step::NOTHING
    }

    /// Starts Timer C, or starts it anew: without a final response at `at` the user is to cancel. Nothing changes in
    /// another state than Proceeding.
    pub fn set_timer_c(&mut self, at: Instant) {
        if self.state == State::Proceeding {
            self.timers.send = Timer::at(at);
        }
    }

    /// Bounds Proceeding once the INVITE is cancelled: without a final response at `end` the user is told that time is up
    /// (RFC 3261 §9.1). Nothing changes in another state, or when it is bounded already.
    pub fn end_at(&mut self, end: Instant) {
        if self.state == State::Proceeding && self.timers.end == Timer::STOPPED {
            self.timers.end = Timer::at(end);
        }
    }

    /// The transport cannot send, or the connection was lost (§17.1.4).
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Calling | State::Proceeding | State::Completed => self.terminate(Indication::TransportError),
            State::Accepted | State::Terminated => Step::NOTHING,
        }
    }

    /// The same machine on a clock that shows one millisecond at `now`.
    #[must_use]
    pub fn relative_to(self, now: Instant) -> Self {
        Self { timers: self.timers.relative_to(now), ..self }
    }

    fn response_in_calling(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match status {
            ..200 => {
                self.state = State::Proceeding;
                self.timers = Running::STOPPED;
                Step::indicate(Indication::Response)
            }
            200..300 => self.accept(now, timers),
            300.. => self.complete(now, timers),
        }
    }

    fn response_in_proceeding(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match status {
            ..200 => Step::indicate(Indication::Response),
            200..300 => self.accept(now, timers),
            300.. => self.complete(now, timers),
        }
    }

    fn response_in_completed(&mut self, status: u16) -> Step {
        if status >= 300 { Step::send(Send::Ack) } else { Step::NOTHING }
    }

    fn response_in_accepted(&mut self, status: u16) -> Step {
        if (200..300).contains(&status) { Step::indicate(Indication::Response) } else { Step::NOTHING }
    }

    fn accept(&mut self, now: Instant, timers: &Timers) -> Step {
        self.state = State::Accepted;
        self.timers = Running::end_after(now, timers.sixty_four_t1());
        Step::indicate(Indication::Response)
    }

    fn complete(&mut self, now: Instant, timers: &Timers) -> Step {
        let step = if self.reliable {
            self.terminate(Indication::Response)
        } else {
            self.state = State::Completed;
            self.timers = Running::end_after(now, timers.d());
            Step::indicate(Indication::Response)
        };
        Step { send: Send::Ack, ..step }
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
    use State::{Accepted, Calling, Completed, Proceeding, Terminated};

    const TIMERS: Timers = Timers::DEFAULT;
    const START: Instant = Instant::from_millis(1000);

    /// The machine in `state`, where all came about at 1000 ms.
    fn machine(state: State, reliable: bool) -> ClientInvite {
        let mut machine = ClientInvite::new(START, reliable, &TIMERS);
        match state {
            Calling => {}
            Proceeding => _ = machine.receive_response(START, 180, &TIMERS),
            Completed => _ = machine.receive_response(START, 486, &TIMERS),
            Accepted => _ = machine.receive_response(START, 200, &TIMERS),
            Terminated => _ = machine.transport_failed(),
        }
        assert!(machine.state() == state || reliable && state == Completed);
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
        const SUCCESS: Input = Status(&[200, 202, 299]);
        const FAILURE: Input = Status(&[300, 401, 486, 503, 699]);
        let (none, told, ack) = (Step::NOTHING, Step::indicate(Indication::Response), Step::send(Send::Ack));
        let over = none.ended();
        let table = [
            (Calling, PROVISIONAL, Proceeding, told),
            (Calling, SUCCESS, Accepted, told),
            (Calling, FAILURE, Completed, ack.indicating(Indication::Response)),
            (Calling, Time(499), Calling, none),
            (Calling, Time(500), Calling, Step::send(Send::Request)),
            (Calling, Time(32_000), Terminated, over.indicating(Indication::TimedOut)),
            (Calling, TransportError, Terminated, over.indicating(Indication::TransportError)),
            (Proceeding, PROVISIONAL, Proceeding, told),
            (Proceeding, SUCCESS, Accepted, told),
            (Proceeding, FAILURE, Completed, ack.indicating(Indication::Response)),
            (Proceeding, Time(1_000_000_000), Proceeding, none),
            (Proceeding, TransportError, Terminated, over.indicating(Indication::TransportError)),
            (Completed, PROVISIONAL, Completed, none),
            (Completed, SUCCESS, Completed, none),
            (Completed, FAILURE, Completed, ack),
            (Completed, Time(31_999), Completed, none),
            (Completed, Time(32_000), Terminated, over),
            (Completed, TransportError, Terminated, over.indicating(Indication::TransportError)),
            (Accepted, PROVISIONAL, Accepted, none),
            (Accepted, SUCCESS, Accepted, told),
            (Accepted, FAILURE, Accepted, none),
            (Accepted, Time(31_999), Accepted, none),
            (Accepted, Time(32_000), Terminated, over),
            (Accepted, TransportError, Accepted, none),
            (Terminated, PROVISIONAL, Terminated, none),
            (Terminated, SUCCESS, Terminated, none),
            (Terminated, FAILURE, Terminated, none),
            (Terminated, Time(1_000_000_000), Terminated, none),
            (Terminated, TransportError, Terminated, none),
        ];
        for (row, (state, input, next, expected)) in table.into_iter().enumerate() {
            let check = |mut machine: ClientInvite, step: &mut dyn FnMut(&mut ClientInvite) -> Step| {
                assert_eq!((step(&mut machine), machine.state()), (expected, next), "row {row}");
            };
            match input {
                Status(statuses) => statuses.iter().for_each(|status| {
                    check(machine(state, false), &mut |it| it.receive_response(START, *status, &TIMERS));
                }),
                Time(after) => {
                    let now = Instant::from_millis(1000 + after);
                    check(machine(state, false), &mut |it| it.handle_timeout(now));
                }
                TransportError => check(machine(state, false), &mut |it| it.transport_failed()),
            }
        }
    }

    #[test]
    fn timer_a_doubles_until_timer_b() {
        let mut machine = machine(Calling, false);
        let mut fired = Vec::new();
        while let Some(now) = machine.poll_timeout() {
            fired.push((now.as_millis() - 1000, machine.handle_timeout(now).send));
        }
        let times = [500, 1500, 3500, 7500, 15_500, 31_500].map(|time| (time, Send::Request));
        assert_eq!(fired[..6], times);
        assert_eq!(fired[6..], [(32_000, Send::Nothing)]);
    }

    #[test]
    fn a_reliable_transport_sends_once_and_does_not_linger() {
        let calling = machine(Calling, true);
        assert_eq!(calling.poll_timeout(), Some(Instant::from_millis(33_000)));
        for state in [Calling, Proceeding] {
            let mut machine = machine(state, true);
            let step = machine.receive_response(START, 486, &TIMERS);
            assert_eq!(step, Step { send: Send::Ack, indication: Indication::Response, ended: true });
            assert_eq!((machine.state(), machine.poll_timeout()), (Terminated, None));
        }
        assert_eq!(machine(Accepted, true).poll_timeout(), Some(Instant::from_millis(33_000)));
    }

    #[test]
    fn timer_c_asks_for_a_cancel_and_is_moved_by_each_response() {
        let at = Instant::from_millis;
        for state in [Calling, Proceeding, Completed, Accepted, Terminated] {
            let mut timed = machine(state, false);
            timed.set_timer_c(at(40_000));
            assert_eq!(timed == machine(state, false), state != Proceeding);
        }
        let mut machine = machine(Proceeding, false);
        machine.set_timer_c(at(40_000));
        machine.set_timer_c(at(50_000));
        assert_eq!(machine.handle_timeout(at(49_999)), Step::NOTHING);
        let now = machine.poll_timeout().unwrap();
        assert_eq!((now, machine.handle_timeout(now)), (at(50_000), Step::indicate(Indication::TimerC)));
        assert_eq!((machine.state(), machine.poll_timeout()), (Proceeding, None));
        let step = machine.receive_response(now, 487, &TIMERS);
        assert_eq!((step.send, machine.state()), (Send::Ack, Completed));
    }

    #[test]
    fn a_cancelled_invite_is_bounded_in_proceeding_alone() {
        let end = Instant::from_millis(40_000);
        for state in [Calling, Proceeding, Completed, Accepted, Terminated] {
            let mut limited = machine(state, false);
            limited.end_at(end);
            assert_eq!(limited == machine(state, false), state != Proceeding);
        }
        let mut machine = machine(Proceeding, false);
        machine.end_at(end);
        machine.end_at(Instant::from_millis(50_000));
        assert_eq!(machine.receive_response(START, 180, &TIMERS), Step::indicate(Indication::Response));
        let now = machine.poll_timeout().unwrap();
        assert_eq!(now, end);
        assert_eq!(machine.handle_timeout(now), Step::indicate(Indication::TimedOut).ended());
    }

    #[test]
    fn equal_histories_a_second_apart_are_the_same_state() {
        for state in [Calling, Proceeding, Completed, Accepted, Terminated] {
            let shifted = |at: u64| {
                let now = Instant::from_millis(at);
                let mut machine = ClientInvite::new(now, false, &TIMERS);
                match state {
                    Calling => {}
                    Terminated => _ = machine.transport_failed(),
                    _ => _ = machine.receive_response(now, [0, 180, 486, 200, 0][state as usize - 1], &TIMERS),
                }
                machine.relative_to(Instant::from_millis(at + 30))
            };
            assert_eq!(shifted(1000), shifted(2000));
        }
    }
}
