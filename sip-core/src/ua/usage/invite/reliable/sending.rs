//! The states of a callee's reliable provisional responses (RFC 3262 §3).
//!
//! ```text
//!                     INVITE of a caller who takes them
//!                                  |
//!                  PRACK, 200      V      PRACK, 200
//!            +-------------->+-----------+<--------------+
//!            |               |   Ready   |               |
//!            |       +-------+-----------+-------+       |
//!            |       | 1xx with a        1xx     |       |
//!            |       | description               |       |
//!            |       V                           V       |
//!        +-----------+                        +-----------+
//!     +--| Described |--+                  +--|   Sent    |--+
//!     |  +-----------+  | again, at        |  +-----------+  | again, at
//!     |        |    ^---+ T1, 3·T1, …      |        |    ^---+ T1, 3·T1, …
//!     |        | answer, kept              |        | 2xx
//!     |        V                           |        V
//!     |  +-----------+ PRACK, 200,         |  +-----------+ PRACK, 200
//!     +--|   Held    |---------> Ready     |  | Overtaken |---------> Ready
//!     |  +-----------+ 2xx                 |  +-----------+
//!     | 64·T1                              | 64·T1
//!     V                                    V
//!   the INVITE is refused with 504
//! ```
//!
//! In Unreliable, where a call begins, provisional responses go out as RFC 3261 has them.
//!
//! | input | Unreliable | Ready | Sent | Described | Held | Overtaken |
//! |---|---|---|---|---|---|---|
//! | INVITE, reliable or not | Ready, Unreliable | Ready, Unreliable | Ready, Unreliable | Ready, Unreliable | Ready, Unreliable | Ready, Unreliable |
//! | 1xx | as it is | RSeq, Sent | refused | refused | refused | refused |
//! | 1xx with a description | as it is | RSeq, Described | refused | refused | refused | refused |
//! | 2xx | sent | sent | sent, Overtaken | kept, Held | refused | refused |
//! | PRACK that names it | 481 | 481 | 200, Ready | 200, Ready | 200, 2xx sent, Ready | 200, Ready |
//!
//! One response at a time waits for its PRACK (§3: a second one MUST NOT be sent before); the application is refused the next.
//! A 2xx must not overtake a description (§3), so it is kept until the PRACK; a refusal may overtake all of them, and ends the
//! repetitions, as CANCEL and BYE do.

/// The state of the provisional responses to one INVITE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// They are not acknowledged: the caller, or the configuration, does not want it.
    #[default]
    Unreliable = 0,
    /// None waits for its PRACK.
    Ready,
    /// One without a description waits.
    Sent,
    /// One with a description waits.
    Described,
    /// So it does, and our 2xx waits with it.
    Held,
    /// Our 2xx has gone out before the PRACK of one without a description, which is still answered.
    Overtaken,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Input {
    /// The application sends a 1xx.
    Ring,
    /// It sends one with a description.
    RingDescribed,
    /// It accepts the INVITE.
    Answer,
    /// A PRACK that names the response that was sent last.
    Prack,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Action {
    /// It goes out as it would without the extension; a PRACK gets 481.
    Pass,
    /// It can't be now.
    Refuse,
    /// The 1xx goes out with an RSeq, again and again.
    Send,
    /// The 2xx is kept.
    Hold,
    /// The PRACK gets 200.
    Acknowledge,
    /// So it does, and the 2xx that was kept goes out.
    Release,
}

impl State {
    /// The state with which an INVITE begins.
    pub(in crate::ua) const fn of_invite(reliable: bool) -> Self {
        if reliable { Self::Ready } else { Self::Unreliable }
    }

    /// Whether a response is repeated until its PRACK comes.
    pub(in crate::ua) const fn repeats(self) -> bool {
        matches!(self, Self::Sent | Self::Described | Self::Held)
    }

    /// Takes an input; gives the next state, and what to do.
    pub(in crate::ua) const fn receive(self, input: Input) -> (Self, Action) {
        match self {
            Self::Unreliable => (self, Action::Pass),
            Self::Ready => Self::ready(input),
            Self::Sent => Self::sent(input),
            Self::Described => Self::described(input),
            Self::Held => Self::held(input),
            Self::Overtaken => Self::overtaken(input),
        }
    }

    const fn ready(input: Input) -> (Self, Action) {
        match input {
            Input::Ring => (Self::Sent, Action::Send),
            Input::RingDescribed => (Self::Described, Action::Send),
            Input::Answer | Input::Prack => (Self::Ready, Action::Pass),
        }
    }

    const fn sent(input: Input) -> (Self, Action) {
        match input {
            Input::Ring | Input::RingDescribed => (Self::Sent, Action::Refuse),
            Input::Answer => (Self::Overtaken, Action::Pass),
            Input::Prack => (Self::Ready, Action::Acknowledge),
        }
    }

    const fn described(input: Input) -> (Self, Action) {
        match input {
            Input::Ring | Input::RingDescribed => (Self::Described, Action::Refuse),
            Input::Answer => (Self::Held, Action::Hold),
            Input::Prack => (Self::Ready, Action::Acknowledge),
        }
    }

    const fn held(input: Input) -> (Self, Action) {
        match input {
            Input::Ring | Input::RingDescribed | Input::Answer => (Self::Held, Action::Refuse),
            Input::Prack => (Self::Ready, Action::Release),
        }
    }

    const fn overtaken(input: Input) -> (Self, Action) {
        match input {
            Input::Ring | Input::RingDescribed | Input::Answer => (Self::Overtaken, Action::Refuse),
            Input::Prack => (Self::Ready, Action::Acknowledge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module's documentation, every pair.
    #[test]
    fn each_input_in_each_state() {
        use Action::{Acknowledge, Hold, Pass, Refuse, Release, Send};
        use State::*;
        let states = [Unreliable, Ready, Sent, Described, Held, Overtaken];
        let refused = |first: (State, Action), second: (State, Action)| {
            [first, second, (Sent, Refuse), (Described, Refuse), (Held, Refuse), (Overtaken, Refuse)]
        };
        let plain = (Unreliable, Pass);
        for (input, row) in [
            (Input::Ring, refused(plain, (Sent, Send))),
            (Input::RingDescribed, refused(plain, (Described, Send))),
            (
                Input::Answer,
                [plain, (Ready, Pass), (Overtaken, Pass), (Held, Hold), (Held, Refuse), (Overtaken, Refuse)],
            ),
            (
                Input::Prack,
                [
                    plain,
                    (Ready, Pass),
                    (Ready, Acknowledge),
                    (Ready, Acknowledge),
                    (Ready, Release),
                    (Ready, Acknowledge),
                ],
            ),
        ] {
            for (state, expected) in states.into_iter().zip(row) {
                assert_eq!(state.receive(input), expected, "{input:?} in {state:?}");
            }
        }
        assert_eq!(states.map(State::repeats), [false, false, true, true, true, false]);
        assert_eq!([true, false].map(State::of_invite), [Ready, Unreliable]);
    }
}
