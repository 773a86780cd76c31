//! The states of our UPDATE in a call, and what stands in the way of one (RFC 3311 §5).
//!
//! ```text
//!          +--------+   we send one    +--------+
//!          |  Idle  |----------------->|  Sent  |
//!          +--------+                  +--------+
//!            ^    ^   final response, none |  |
//!            |    +------------------------+  | 491 to an offer
//!            |                                V
//!            |    final response,      +-----------+
//!            |    none                 |  Waiting  |
//!            |                         +-----------+
//!            |                                |
//!       +-----------+      sent once more     |
//!       | SentAgain |<------------------------+
//!       +-----------+
//! ```
//!
//! | input | Idle | Sent | Waiting | SentAgain |
//! |---|---|---|---|---|
//! | we send one | sent, Sent | refused | refused | refused |
//! | 491 to an offer | - | Waiting | - | told, Idle |
//! | other final response, none | - | told, Idle | - | told, Idle |
//! | the wait is over | - | - | sent, SentAgain | - |
//! | it can't go out any more | - | told, Idle | told, Idle | told, Idle |
//!
//! One offer at a time is out in a dialog, whatever carries it (RFC 3264 §4). So the peer's UPDATE is answered:
//!
//! | which offer has no answer | an UPDATE with an offer | an UPDATE without |
//! |---|---|---|
//! | none | told | 200 |
//! | ours: in INVITE, in a reliable 1xx or 2xx, in UPDATE | 491 | 200 |
//! | the peer's: in INVITE, in a reliable 1xx or 2xx | 500, Retry-After | 200 |
//! | the peer's in PRACK or UPDATE | 500, Retry-After | 500, Retry-After |
//!
//! Retry-After is 0 to 10 s (§5.2). Ours goes out with an offer while there is none, and without one at any time.

/// The state of our UPDATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// There is none.
    #[default]
    Idle = 0,
    /// It waits for its final response.
    Sent,
    /// It met a 491, and goes out once more after a random wait.
    Waiting,
    /// It has gone out once more.
    SentAgain,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Input {
    /// The application sends one.
    Send,
    /// A 491 to one with an offer.
    Glare,
    /// Another final response, or none.
    Final,
    /// The wait is over.
    Retry,
    /// What waits, or is out, is given up.
    GiveUp,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Action {
    /// Nothing; the application is refused what it wants.
    Nothing,
    /// It goes out.
    Send,
    /// It is kept for a while.
    Keep,
    /// The application is told how it ended.
    Tell,
}

impl State {
    /// Takes an input; gives the next state, and what to do.
    pub(in crate::ua) const fn receive(self, input: Input) -> (Self, Action) {
        match self {
            Self::Idle => Self::idle(input),
            Self::Sent => Self::sent(input),
            Self::Waiting => Self::waiting(input),
            Self::SentAgain => Self::sent_again(input),
        }
    }

    const fn idle(input: Input) -> (Self, Action) {
        match input {
            Input::Send => (Self::Sent, Action::Send),
            _ => (Self::Idle, Action::Nothing),
        }
    }

    const fn sent(input: Input) -> (Self, Action) {
        match input {
            Input::Glare => (Self::Waiting, Action::Keep),
            Input::Final | Input::GiveUp => (Self::Idle, Action::Tell),
            Input::Send | Input::Retry => (Self::Sent, Action::Nothing),
        }
    }

    const fn waiting(input: Input) -> (Self, Action) {
        match input {
            Input::Retry => (Self::SentAgain, Action::Send),
            Input::GiveUp => (Self::Idle, Action::Tell),
            _ => (Self::Waiting, Action::Nothing),
        }
    }

    const fn sent_again(input: Input) -> (Self, Action) {
        match input {
            Input::Glare | Input::Final | Input::GiveUp => (Self::Idle, Action::Tell),
            Input::Send | Input::Retry => (Self::SentAgain, Action::Nothing),
        }
    }
}

/// Whose offer has no answer in a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Open {
    /// Nobody's.
    None,
    /// Ours, or the first one of the session has not been made yet.
    Ours,
    /// The peer's, in an INVITE or in a response to ours.
    Theirs,
    /// The peer's, in a PRACK or UPDATE.
    TheirRequest,
}

impl Open {
    /// The status that refuses an UPDATE or INVITE of the peer; zero when it is taken.
    pub(in crate::ua) const fn refusal(self, offers: bool) -> u16 {
        match self {
            Self::TheirRequest => 500,
            Self::Theirs if offers => 500,
            Self::Ours if offers => 491,
            Self::None | Self::Ours | Self::Theirs => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first table of the module's documentation, every pair.
    #[test]
    fn each_input_in_each_state() {
        use Action::{Keep, Nothing, Send, Tell};
        use State::*;
        let states = [Idle, Sent, Waiting, SentAgain];
        let (idle, sent, waiting, again) = ((Idle, Nothing), (Sent, Nothing), (Waiting, Nothing), (SentAgain, Nothing));
        let told = (Idle, Tell);
        for (input, row) in [
            (Input::Send, [(Sent, Send), sent, waiting, again]),
            (Input::Glare, [idle, (Waiting, Keep), waiting, told]),
            (Input::Final, [idle, told, waiting, told]),
            (Input::Retry, [idle, sent, (SentAgain, Send), again]),
            (Input::GiveUp, [idle, told, told, told]),
        ] {
            for (state, expected) in states.into_iter().zip(row) {
                assert_eq!(state.receive(input), expected, "{input:?} in {state:?}");
            }
        }
    }

    /// The second.
    #[test]
    fn an_update_of_the_peer_meets_each_open_offer() {
        for (open, with, without) in
            [(Open::None, 0, 0), (Open::Ours, 491, 0), (Open::Theirs, 500, 0), (Open::TheirRequest, 500, 500)]
        {
            assert_eq!((open.refusal(true), open.refusal(false)), (with, without), "{open:?}");
        }
    }
}
