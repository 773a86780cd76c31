//! The INVITE server transaction (RFC 3261 §17.2.1, Figure 7, with Accepted and Timer L of RFC 6026 §8.5).
//!
//! ```text
//!                          |INVITE, to the user
//!   INVITE,                V            200 ms without a response, 100 sent
//!   last response +-----------------+
//!   sent      +---|                 |--+ 1xx from the user, sent
//!             +-->|   Proceeding    |<-+
//!                 |                 |
//!                 +-----------------+
//!   300-699 from   |              |2xx from the user, sent
//!   the user, sent |              V
//!                  |          +----------+  INVITE, nothing
//!                  V          | Accepted |--+ ACK, to the user
//!   INVITE or  +-----------+  |          |<-+ 2xx from the user, sent
//!   Timer G, +-| Completed |  +----------+
//!   response | |           |       |Timer L
//!   sent     +>|           |       |
//!              +-----------+       |
//!        ACK   |    |Timer H,      |
//!              V    |user told     |
//!      +-----------+|              |
//!      | Confirmed ||              |
//!      +-----------+|              |
//!    Timer I|       V              V
//!           |   +---------------------+
//!           +-->|     Terminated      |
//!               +---------------------+
//! ```
//!
//! | input | Proceeding | Accepted | Completed | Confirmed |
//! |---|---|---|---|---|
//! | INVITE | last response | - | response | - |
//! | ACK | - | told | Confirmed, Timer I | - |
//! | 1xx from the user | sent | refused | refused | refused |
//! | 2xx from the user | sent, Accepted, Timer L | sent | refused | refused |
//! | 300-699 from the user | sent, Completed, Timers G, H | refused | refused | refused |
//! | 200 ms | 100 | | | |
//! | Timer G | | | response | |
//! | Timer L, H, I | | Terminated | told, Terminated | Terminated |
//! | transport error | told | told | told | - |
//!
//! Timer G runs over unreliable transports only; over reliable ones Timer I is zero, so that Confirmed is
//! Terminated at once. After a transport error the state stays (RFC 6026 §8.8). The retransmissions of a 2xx are the user's.

use super::step::{Indication, Send, Step};
use super::timers::{Running, TRYING_AFTER, Timers};
use crate::time::Instant;

/// An INVITE server transaction, without the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerInvite {
    timers: Running,
    state: State,
    reliable: bool,
    responded: bool,
}

/// The states of Figure 7 with RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The INVITE was passed to the user, which has not given a final response.
    Proceeding = 1,
    /// The user gave a 2xx; retransmitted INVITEs are absorbed.
    Accepted,
    /// The user gave another final response, which is sent until the ACK comes.
    Completed,
    /// The ACK came; more of them are absorbed.
    Confirmed,
    /// It is over.
    Terminated,
}

impl ServerInvite {
    /// The transaction whose INVITE came at `now`: in Proceeding, with 200 ms for the user before the 100.
    #[must_use]
    pub fn new(now: Instant, reliable: bool) -> Self {
        let timers = Running::STOPPED.send_after(now, TRYING_AFTER);
        Self { timers, state: State::Proceeding, reliable, responded: false }
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

    /// Takes the INVITE once more.
    pub fn receive_invite(&mut self) -> Step {
        match self.state {
            State::Proceeding if self.responded => Step::send(Send::Response),
            State::Completed => Step::send(Send::Response),
            State::Proceeding | State::Accepted | State::Confirmed | State::Terminated => Step::NOTHING,
        }
    }

    /// Takes an ACK.
    pub fn receive_ack(&mut self, now: Instant, timers: &Timers) -> Step {
        match self.state {
            State::Accepted => Step::indicate(Indication::Ack),
            State::Completed => self.confirm(now, timers),
            State::Proceeding | State::Confirmed | State::Terminated => Step::NOTHING,
        }
    }

    /// Whether [`respond`](Self::respond) would take this status now.
    #[must_use]
    pub const fn accepts(&self, status: u16) -> bool {
        match self.state {
            State::Proceeding => true,
            State::Accepted => status >= 200 && status < 300,
            State::Completed | State::Confirmed | State::Terminated => false,
        }
    }

    /// Takes a response of the user by its status code; what the state refuses is not sent.
    pub fn respond(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match self.state {
            State::Proceeding => self.respond_in_proceeding(now, status, timers),
            State::Accepted if self.accepts(status) => Step::send(Send::Response),
            State::Accepted | State::Completed | State::Confirmed | State::Terminated => Step::NOTHING,
        }
    }

    /// Handles one timer that is due at `now`; to be called again while [`poll_timeout`](Self::poll_timeout) is.
    pub fn handle_timeout(&mut self, now: Instant, timers: &Timers) -> Step {
        if self.timers.end.is_due(now) {
            let indication = if self.state == State::Completed { Indication::TimedOut } else { Indication::Nothing };
            return self.terminate().indicating(indication);
        }
        if self.timers.send.is_due(now) {
            if self.state == State::Proceeding {
                self.timers = Running::STOPPED;
                self.responded = true;
                return Step::send(Send::Trying);
            }
            self.timers.double(timers.t2);
            return Step::send(Send::Response);
        }
        Step::NOTHING
    }

    /// The transport could not send the response (RFC 6026 §8.8).
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Proceeding | State::Accepted | State::Completed => Step::indicate(Indication::TransportError),
            State::Confirmed | State::Terminated => Step::NOTHING,
        }
    }

    /// The same machine on a clock that shows one millisecond at `now`.
    #[must_use]
    pub fn relative_to(self, now: Instant) -> Self {
        Self { timers: self.timers.relative_to(now), ..self }
    }

    fn respond_in_proceeding(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        self.responded = true;
        self.timers = Running::STOPPED;
        if status >= 200 {
            self.timers = Running::end_after(now, timers.sixty_four_t1());
            self.state = if status < 300 { State::Accepted } else { State::Completed };
            if self.state == State::Completed && !self.reliable {
                self.timers = self.timers.send_after(now, timers.t1);
            }
        }
        Step::send(Send::Response)
    }

    fn confirm(&mut self, now: Instant, timers: &Timers) -> Step {
        if self.reliable {
            return self.terminate();
        }
        self.state = State::Confirmed;
        self.timers = Running::end_after(now, timers.t4);
        Step::NOTHING
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
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};

    const TIMERS: Timers = Timers::DEFAULT;
    const START: Instant = Instant::from_millis(1000);

    /// The machine in `state`, where all came about at 1000 ms.
    fn machine(state: State, reliable: bool) -> ServerInvite {
        let mut machine = ServerInvite::new(START, reliable);
        let status = match state {
            Proceeding => 180,
            Accepted | Terminated => 200,
            Completed | Confirmed => 486,
        };
        _ = machine.respond(START, status, &TIMERS);
        match state {
            Confirmed => _ = machine.receive_ack(START, &TIMERS),
            Terminated => _ = machine.handle_timeout(Instant::from_millis(33_000), &TIMERS),
            _ => {}
        }
        assert!(machine.state() == state || reliable && state == Confirmed);
        machine
    }

    enum Input {
        Invite,
        Ack,
        Respond(&'static [u16]),
        /// The time, in milliseconds after the state was entered.
        Time(u64),
        TransportError,
    }

    #[test]
    fn every_state_takes_every_input_as_the_table_says() {
        use Input::{Ack, Invite, Respond, Time, TransportError};
        const PROVISIONAL: Input = Respond(&[100, 180, 199]);
        const SUCCESS: Input = Respond(&[200, 202, 299]);
        const FAILURE: Input = Respond(&[300, 401, 486, 503, 699]);
        let (none, sent) = (Step::NOTHING, Step::send(Send::Response));
        let (over, lost) = (none.ended(), Step::indicate(Indication::TransportError));
        let table = [
            (Proceeding, Invite, Proceeding, sent),
            (Proceeding, Ack, Proceeding, none),
            (Proceeding, PROVISIONAL, Proceeding, sent),
            (Proceeding, SUCCESS, Accepted, sent),
            (Proceeding, FAILURE, Completed, sent),
            (Proceeding, Time(1_000_000_000), Proceeding, none),
            (Proceeding, TransportError, Proceeding, lost),
            (Accepted, Invite, Accepted, none),
            (Accepted, Ack, Accepted, Step::indicate(Indication::Ack)),
            (Accepted, PROVISIONAL, Accepted, none),
            (Accepted, SUCCESS, Accepted, sent),
            (Accepted, FAILURE, Accepted, none),
            (Accepted, Time(31_999), Accepted, none),
            (Accepted, Time(32_000), Terminated, over),
            (Accepted, TransportError, Accepted, lost),
            (Completed, Invite, Completed, sent),
            (Completed, Ack, Confirmed, none),
            (Completed, PROVISIONAL, Completed, none),
            (Completed, SUCCESS, Completed, none),
            (Completed, FAILURE, Completed, none),
            (Completed, Time(499), Completed, none),
            (Completed, Time(500), Completed, sent),
            (Completed, Time(32_000), Terminated, over.indicating(Indication::TimedOut)),
            (Completed, TransportError, Completed, lost),
            (Confirmed, Invite, Confirmed, none),
            (Confirmed, Ack, Confirmed, none),
            (Confirmed, PROVISIONAL, Confirmed, none),
            (Confirmed, SUCCESS, Confirmed, none),
            (Confirmed, FAILURE, Confirmed, none),
            (Confirmed, Time(4999), Confirmed, none),
            (Confirmed, Time(5000), Terminated, over),
            (Confirmed, TransportError, Confirmed, none),
            (Terminated, Invite, Terminated, none),
            (Terminated, Ack, Terminated, none),
            (Terminated, PROVISIONAL, Terminated, none),
            (Terminated, SUCCESS, Terminated, none),
            (Terminated, FAILURE, Terminated, none),
            (Terminated, Time(1_000_000_000), Terminated, none),
            (Terminated, TransportError, Terminated, none),
        ];
        for (row, (state, input, next, expected)) in table.into_iter().enumerate() {
            let check = |step: &mut dyn FnMut(&mut ServerInvite) -> Step| {
                let mut machine = machine(state, false);
                assert_eq!((step(&mut machine), machine.state()), (expected, next), "row {row}");
            };
            match input {
                Invite => check(&mut |it| it.receive_invite()),
                Ack => check(&mut |it| it.receive_ack(START, &TIMERS)),
                Respond(statuses) => statuses.iter().for_each(|status| {
                    check(&mut |it| it.respond(START, *status, &TIMERS));
                    assert_eq!(machine(state, false).accepts(*status), expected == sent, "row {row}");
                }),
                Time(after) => check(&mut |it| it.handle_timeout(Instant::from_millis(1000 + after), &TIMERS)),
                TransportError => check(&mut |it| it.transport_failed()),
            }
        }
    }

    #[test]
    fn a_100_goes_out_after_200_ms_unless_the_user_responds() {
        let mut machine = ServerInvite::new(START, true);
        assert_eq!(machine.receive_invite(), Step::NOTHING);
        assert_eq!(machine.poll_timeout(), Some(Instant::from_millis(1200)));
        assert_eq!(machine.handle_timeout(Instant::from_millis(1200), &TIMERS), Step::send(Send::Trying));
        assert_eq!((machine.state(), machine.poll_timeout()), (Proceeding, None));
        assert_eq!(machine.receive_invite(), Step::send(Send::Response));
        let mut quick = ServerInvite::new(START, false);
        _ = quick.respond(START, 180, &TIMERS);
        assert_eq!(quick.poll_timeout(), None);
    }

    #[test]
    fn timer_g_doubles_up_to_t2_until_timer_h() {
        let mut machine = machine(Completed, false);
        let mut fired = Vec::new();
        while let Some(now) = machine.poll_timeout() {
            _ = machine.handle_timeout(now, &TIMERS);
            fired.push(now.as_millis() - 1000);
        }
        assert_eq!(fired, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]);
    }

    #[test]
    fn a_reliable_transport_sends_once_and_does_not_linger() {
        let mut completed = machine(Completed, true);
        assert_eq!(completed.poll_timeout(), Some(Instant::from_millis(33_000)));
        assert_eq!(completed.receive_ack(START, &TIMERS), Step::NOTHING.ended());
        assert_eq!((completed.state(), completed.poll_timeout()), (Terminated, None));
        assert_eq!(machine(Accepted, true).poll_timeout(), Some(Instant::from_millis(33_000)));
    }
}
