//! The states of a call (RFC 3261 §9, §13-§15) and of the INVITE inside it (§14).
//!
//! ```text
//!    INVITE sent                                              INVITE received
//!        |                                                          |
//!        V                                                          V
//!   +---------+ 1xx +------------+ 2xx, ACK    200 sent      +-----------+ refused, CANCEL, BYE
//!   | Calling |---->| Proceeding |-------+        +----------|  Ringing  |---------------+
//!   +---------+     +------------+       |        |          +-----------+               |
//!        | given up    | given up,       |        V                                      |
//!        |             | CANCEL sent     |   +----------+ given up  +--------+           |
//!        V             V                 |   | Accepted |---------->| ByeDue |           |
//!   +-----------+ 1xx +------------+     |   +----------+           +--------+           |
//!   | CancelDue |---->| Cancelling |     V        | ACK                 | ACK, or none    |
//!   +-----------+     +------------+   +-------------+                 | came; BYE sent  |
//!        |               |       |     | Established |                 V                 |
//!        |2xx, ACK and   |       |     +-------------+  given up,   +--------+           |
//!        |BYE sent       |       |            |   |     BYE sent    |        |           |
//!        +---------------+------ | ---------- | --+---------------->| Ending |           |
//!                                |            |                     +--------+           |
//!                300-699, none   |            | BYE received             | BYE answered  |
//!                                V            V                          V               V
//!   +------------------------------------------------------------------------------------+
//!   |                                        Over                                        |
//!   +------------------------------------------------------------------------------------+
//! ```
//!
//! A call is *given up* by its user, by the limit on ringing, and when its peer is lost. From each of the first four states a
//! refusal, silence or the callee's BYE leads to Over, and from each state the peer's BYE. Our 2xx to a re-INVITE leads back to
//! Accepted.
//!
//! | input | Calling | Proceeding | CancelDue | Cancelling | Ringing | Accepted | Established | ByeDue | Ending |
//! |---|---|---|---|---|---|---|---|---|---|
//! | challenged | Calling | Calling | - | - | | | | | |
//! | 1xx | told, Proceeding | told | CANCEL, Cancelling | - | | | | | |
//! | 2xx | told, Established | told, Established | BYE, Ending | BYE, Ending | | | | | |
//! | 300-699, none | Over | Over | Over | Over | | | | | |
//! | given up | CancelDue | CANCEL, Cancelling | - | - | refused, Over | ByeDue | BYE, Ending | - | - |
//! | given up by the caller | | | | | | BYE, Ending | BYE, Ending | - | - |
//! | time is up | CancelDue | CANCEL, Cancelling | - | Over | refused, Over | BYE, Ending | - | BYE, Ending | - |
//! | our 200 | | | | | Accepted | - | Accepted | | |
//! | ACK | | | | | | told, Established | - | BYE, Ending | - |
//! | CANCEL | | | | | Over | | | | |
//! | BYE | Over | Over | Over | Over | Over | Over | Over | Over | Over |
//! | BYE answered | | | | | | | | | Over |
//!
//! In a call that has a 2xx one INVITE at a time is exchanged:
//!
//! | input | Idle | Ours | OursCancelDue | OursCancelled | Theirs | AnswerDue |
//! |---|---|---|---|---|---|---|
//! | we send one | Ours | refused | refused | refused | refused | refused |
//! | the peer sends one | Theirs; in Accepted 491 if it owes an answer | 491 | 491 | 491 | 500 | 491 |
//! | 1xx | - | - | CANCEL, OursCancelled | - | | |
//! | 2xx that wants an answer | - | AnswerDue | AnswerDue | AnswerDue | | |
//! | other final response, none | - | Idle | Idle | Idle | | |
//! | time is up | - | CANCEL, OursCancelled; without a 1xx OursCancelDue | - | Idle | refused, Idle | - |
//! | our final response, CANCEL | | | | | Idle | |
//! | our ACK with the answer | | | | | | Idle |
//!
//! The INVITE that opens a call can leave AnswerDue behind. A request that could only be sent after our 2xx stands for its ACK
//! (RFC 5407 §3.1.4).

/// The state of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// Our INVITE was sent and nothing came back.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// Given up before any response: CANCEL goes out with the first one (§9.1).
    CancelDue,
    /// CANCEL was sent; the INVITE still has its final response to come.
    Cancelling,
    /// The peer's INVITE waits for our final response.
    Ringing,
    /// Our 2xx waits for its ACK.
    Accepted,
    /// Both ends have the 2xx.
    Established,
    /// Given up in Accepted: BYE waits for the ACK (§15).
    ByeDue,
    /// Our BYE waits for its response.
    Ending,
    /// All is done but telling the application.
    Over,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Input {
    /// Our INVITE goes out again with credentials.
    Challenged,
    /// A provisional response to our INVITE.
    Provisional,
    /// A 2xx to our INVITE.
    Success,
    /// Another final response to our INVITE, or none.
    Refusal,
    /// Our user hangs up, or the peer is lost.
    GiveUp,
    /// The same at the end that made the call, which need not wait for an ACK (§15).
    Leave,
    /// The limit of ringing, of the wait after CANCEL or for the ACK has come.
    TimeUp,
    /// Our user answers.
    Answer,
    /// The ACK to our 2xx.
    Ack,
    /// The peer's CANCEL.
    Cancel,
    /// The peer's BYE.
    Bye,
    /// Our BYE was answered, or it can't be.
    ByeDone,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Action {
    /// Nothing.
    Nothing,
    /// The application is told.
    Tell,
    /// CANCEL is sent.
    Cancel,
    /// The peer's INVITE is refused.
    Refuse,
    /// BYE is sent.
    Bye,
    /// The call ends.
    End,
}

/// The INVITE that is under way inside a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum Exchange {
    /// There is none.
    #[default]
    Idle = 0,
    /// Ours waits for its final response.
    Ours,
    /// So it does, given up before any response: CANCEL goes out with the first one (§9.1).
    OursCancelDue,
    /// So it does, and CANCEL was sent.
    OursCancelled,
    /// The peer's waits for our final response.
    Theirs,
    /// The 2xx to ours brought an offer: its ACK waits for our user's answer.
    AnswerDue,
}

impl State {
    /// Whether our INVITE still waits for its final response.
    pub(in crate::ua) const fn awaits_final(self) -> bool {
        matches!(self, Self::Calling | Self::Proceeding | Self::CancelDue | Self::Cancelling)
    }

    /// Whether our INVITE was given up.
    pub(in crate::ua) const fn is_cancelled(self) -> bool {
        matches!(self, Self::CancelDue | Self::Cancelling)
    }

    /// Whether the call has a 2xx and is not being ended.
    pub(in crate::ua) const fn is_up(self) -> bool {
        matches!(self, Self::Accepted | Self::Established)
    }

    /// The status that refuses an INVITE of the peer inside the call; zero when it is taken. `offered` says whether the last
    /// INVITE brought an offer, so that no ACK owes an answer.
    pub(in crate::ua) const fn refuses_invite(self, exchange: Exchange, offered: bool) -> u16 {
        match (self, exchange) {
            (Self::Established, Exchange::Idle) => 0,
            // The ACK is late or lost (RFC 5407 §3.1.4).
            (Self::Accepted, Exchange::Idle) if offered => 0,
            // The INVITE before has no answer yet (RFC 3261 §14.2).
            (Self::Ringing, _) | (Self::Established, Exchange::Theirs) => 500,
            (Self::Free | Self::ByeDue | Self::Ending | Self::Over, _) => 481,
            // RFC 5407 §3.1.5.
            _ => 491,
        }
    }

    /// Takes an input; gives what to do. What a state does not know changes nothing.
    pub(in crate::ua) fn receive(&mut self, input: Input) -> Action {
        let (next, action) = match self {
            Self::Free | Self::Over => (*self, Action::Nothing),
            Self::Calling => Self::calling(input),
            Self::Proceeding => Self::proceeding(input),
            Self::CancelDue => Self::cancel_due(input),
            Self::Cancelling => Self::cancelling(input),
            Self::Ringing => Self::ringing(input),
            Self::Accepted => Self::accepted(input),
            Self::Established => Self::established(input),
            Self::ByeDue => Self::bye_due(input),
            Self::Ending => Self::ending(input),
        };
        *self = next;
        action
    }

    const fn calling(input: Input) -> (Self, Action) {
        match input {
            Input::Provisional => (Self::Proceeding, Action::Tell),
            Input::Success => (Self::Established, Action::Tell),
            Input::Refusal | Input::Bye => (Self::Over, Action::End),
            Input::GiveUp | Input::TimeUp => (Self::CancelDue, Action::Nothing),
            _ => (Self::Calling, Action::Nothing),
        }
    }

    const fn proceeding(input: Input) -> (Self, Action) {
        match input {
            Input::Challenged => (Self::Calling, Action::Nothing),
            Input::Provisional => (Self::Proceeding, Action::Tell),
            Input::Success => (Self::Established, Action::Tell),
            Input::Refusal | Input::Bye => (Self::Over, Action::End),
            Input::GiveUp | Input::TimeUp => (Self::Cancelling, Action::Cancel),
            _ => (Self::Proceeding, Action::Nothing),
        }
    }

    const fn cancel_due(input: Input) -> (Self, Action) {
        match input {
            Input::Provisional => (Self::Cancelling, Action::Cancel),
            Input::Success => (Self::Ending, Action::Bye),
            Input::Refusal | Input::Bye => (Self::Over, Action::End),
            _ => (Self::CancelDue, Action::Nothing),
        }
    }

    const fn cancelling(input: Input) -> (Self, Action) {
        match input {
            Input::Success => (Self::Ending, Action::Bye),
            Input::Refusal | Input::Bye | Input::TimeUp => (Self::Over, Action::End),
            _ => (Self::Cancelling, Action::Nothing),
        }
    }

    const fn ringing(input: Input) -> (Self, Action) {
        match input {
            Input::Answer => (Self::Accepted, Action::Nothing),
            Input::GiveUp | Input::TimeUp => (Self::Over, Action::Refuse),
            Input::Cancel | Input::Bye => (Self::Over, Action::End),
            _ => (Self::Ringing, Action::Nothing),
        }
    }

    const fn accepted(input: Input) -> (Self, Action) {
        match input {
            Input::Ack => (Self::Established, Action::Tell),
            Input::GiveUp => (Self::ByeDue, Action::Nothing),
            Input::Leave | Input::TimeUp => (Self::Ending, Action::Bye),
            Input::Bye => (Self::Over, Action::End),
            _ => (Self::Accepted, Action::Nothing),
        }
    }

    const fn established(input: Input) -> (Self, Action) {
        match input {
            Input::Answer => (Self::Accepted, Action::Nothing),
            Input::GiveUp | Input::Leave => (Self::Ending, Action::Bye),
            Input::Bye => (Self::Over, Action::End),
            _ => (Self::Established, Action::Nothing),
        }
    }

    const fn bye_due(input: Input) -> (Self, Action) {
        match input {
            Input::Ack | Input::TimeUp => (Self::Ending, Action::Bye),
            Input::Bye => (Self::Over, Action::End),
            _ => (Self::ByeDue, Action::Nothing),
        }
    }

    const fn ending(input: Input) -> (Self, Action) {
        match input {
            Input::Bye | Input::ByeDone => (Self::Over, Action::End),
            _ => (Self::Ending, Action::Nothing),
        }
    }
}

impl Exchange {
    /// A provisional response to our INVITE; whether CANCEL is due.
    pub(in crate::ua) fn provisional(&mut self) -> bool {
        let due = *self == Self::OursCancelDue;
        if due {
            *self = Self::OursCancelled;
        }
        due
    }

    /// Ours has lasted too long; whether CANCEL is due, which is so when a provisional response has come.
    pub(in crate::ua) fn give_up(&mut self, provisional: bool) -> bool {
        if *self == Self::Ours {
            *self = if provisional { Self::OursCancelled } else { Self::OursCancelDue };
            return provisional;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 9] = [
        State::Calling,
        State::Proceeding,
        State::CancelDue,
        State::Cancelling,
        State::Ringing,
        State::Accepted,
        State::Established,
        State::ByeDue,
        State::Ending,
    ];

    /// The table of the module's documentation, every pair; `(state, Nothing)` with the same state is "ignored".
    #[test]
    fn each_input_in_each_state() {
        use Action::{Bye, Cancel, End, Nothing, Refuse, Tell};
        use State::*;
        let ignored = STATES.map(|state| (state, Nothing));
        let over = (Over, End);
        let table = |changes: &[(State, (State, Action))]| {
            let mut row = ignored;
            for (state, to) in changes {
                row[STATES.iter().position(|other| other == state).unwrap()] = *to;
            }
            row
        };
        let first_four = |a, b, c, d| [(Calling, a), (Proceeding, b), (CancelDue, c), (Cancelling, d)];
        let cancel = (Cancelling, Cancel);
        let (told, bye) = ((Established, Tell), (Ending, Bye));
        let wait = (CancelDue, Nothing);
        for (input, row) in [
            (Input::Challenged, table(&[(Proceeding, (Calling, Nothing))])),
            (
                Input::Provisional,
                table(&first_four((Proceeding, Tell), (Proceeding, Tell), cancel, (Cancelling, Nothing))),
            ),
            (Input::Success, table(&first_four(told, told, bye, bye))),
            (Input::Refusal, table(&first_four(over, over, over, over))),
            (
                Input::GiveUp,
                table(&[
                    (Calling, wait),
                    (Proceeding, cancel),
                    (Ringing, (Over, Refuse)),
                    (Accepted, (ByeDue, Nothing)),
                    (Established, bye),
                ]),
            ),
            (Input::Leave, table(&[(Accepted, bye), (Established, bye)])),
            (
                Input::TimeUp,
                table(&[
                    (Calling, wait),
                    (Proceeding, cancel),
                    (Cancelling, over),
                    (Ringing, (Over, Refuse)),
                    (Accepted, bye),
                    (ByeDue, bye),
                ]),
            ),
            (Input::Answer, table(&[(Ringing, (Accepted, Nothing)), (Established, (Accepted, Nothing))])),
            (Input::Ack, table(&[(Accepted, told), (ByeDue, bye)])),
            (Input::Cancel, table(&[(Ringing, over)])),
            (Input::Bye, [over; 9]),
            (Input::ByeDone, table(&[(Ending, over)])),
        ] {
            for (state, expected) in STATES.into_iter().zip(row) {
                let mut next = state;
                let action = next.receive(input);
                assert_eq!((next, action), expected, "{input:?} in {state:?}");
            }
            for mut state in [Free, Over] {
                let before = state;
                assert_eq!((state.receive(input), state), (Nothing, before), "{input:?}");
            }
        }
    }

    #[test]
    fn an_invite_of_the_peer_in_each_state() {
        use Exchange::{AnswerDue, Idle, Ours, OursCancelDue, OursCancelled, Theirs};
        let all = [Idle, Ours, OursCancelDue, OursCancelled, Theirs, AnswerDue];
        for (state, expected) in [
            (State::Calling, [491; 6]),
            (State::Proceeding, [491; 6]),
            (State::CancelDue, [491; 6]),
            (State::Cancelling, [491; 6]),
            (State::Ringing, [500; 6]),
            (State::Established, [0, 491, 491, 491, 500, 491]),
            (State::ByeDue, [481; 6]),
            (State::Ending, [481; 6]),
            (State::Over, [481; 6]),
        ] {
            for offered in [false, true] {
                assert_eq!(all.map(|exchange| state.refuses_invite(exchange, offered)), expected, "{state:?}");
            }
        }
        assert_eq!(State::Accepted.refuses_invite(Idle, true), 0);
        assert_eq!(State::Accepted.refuses_invite(Idle, false), 491);
    }

    #[test]
    fn our_invite_inside_is_cancelled_once_and_not_before_a_provisional_response() {
        for provisional in [false, true] {
            let mut exchange = Exchange::Ours;
            assert!(!exchange.provisional());
            assert_eq!(exchange.give_up(provisional), provisional);
            assert!(!exchange.give_up(true));
            assert_eq!(exchange.provisional(), !provisional);
            assert!(!exchange.provisional());
            assert_eq!(exchange, Exchange::OursCancelled);
        }
        for other in [Exchange::Idle, Exchange::Theirs, Exchange::AnswerDue] {
            let mut exchange = other;
            assert!(!exchange.give_up(true) && !exchange.provisional());
            assert_eq!(exchange, other);
        }
    }
}
