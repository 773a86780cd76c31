//! The states of a REFER and of the subscription that it makes (RFC 3515 §2.4, RFC 6665 §4).
//!
//! At the end that refers:
//!
//! ```text
//!   REFER sent                   2xx                    NOTIFY
//!  ----------->  +------+  ------------->  +----------+ ------->  +--------+ ---+
//!                | Sent |                  | Accepted |           | Active |    | NOTIFY
//!                +------+  ------------------------------------>  +--------+ <--+
//!                    |             NOTIFY       |                     |
//!                    | refused, none            | time is up          | last NOTIFY, time is up
//!                    V                          V                     V
//!                +-----------------------------------------------------------+
//!                |                            Over                           |
//!                +-----------------------------------------------------------+
//! ```
//!
//! At the end that is referred:
//!
//! ```text
//!  REFER received             accepted, NOTIFY sent     answered
//!  ------------>  +-------+ ------------> +---------+ ------------> +-------+
//!                 | Asked |               | Telling |               | Ready |
//!                 +-------+               +---------+ <------------ +-------+
//!                     | refused,            |     ^   news, NOTIFY       | last news, NOTIFY sent
//!                     | time is up          |     |                      V
//!                     |               news  |     | answered,       +---------+
//!                     |                     V     | NOTIFY sent     | Closing |
//!                     |                  +---------+               +---------+
//!                     |                  | NewsDue |                 ^   | answered, or not
//!                     |                  +---------+                 |   |
//!                     |                     | last news              |   |
//!                     |                     V             answered,  |   |
//!                     |                  +---------+  NOTIFY sent    |   |
//!                     |                  | LastDue |-----------------+   |
//!                     |                  +---------+                     |
//!                     V                                                  V
//!                 +------------------------------------------------------------+
//!                 |                            Over                            |
//!                 +------------------------------------------------------------+
//! ```
//!
//! | input | Sent | Accepted | Active | Asked | Telling | NewsDue | Ready | LastDue | Closing |
//! |---|---|---|---|---|---|---|---|---|---|
//! | 2xx | told, Accepted | - | - | | | | | | |
//! | refused, or no response | Over | - | - | | | | | | |
//! | NOTIFY | told, Active | told, Active | told | | | | | | |
//! | last NOTIFY | Over | Over | Over | | | | | | |
//! | our user accepts | | | | NOTIFY, Telling | | | | | |
//! | our user refuses | | | | Over | | | | | |
//! | news | | | | - | NewsDue | - | NOTIFY, Telling | - | - |
//! | last news | | | | - | LastDue | LastDue | last NOTIFY, Closing | - | - |
//! | NOTIFY answered | | | | | Ready | NOTIFY, Telling | | last NOTIFY, Closing | Over |
//! | NOTIFY refused, not answered | | | | | Over | Over | | Over | Over |
//! | time is up | - | Over | Over | refused, Over | LastDue | LastDue | last NOTIFY, Closing | - | - |
//!
//! One NOTIFY is out at a time. What happens meanwhile is told by the next one, which tells the latest: what lies between is
//! passed over, as RFC 3515 §2.4.5 allows.

/// The state of a REFER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// The entry is free.
    #[default]
    Free = 0,
    /// Ours waits for its final response.
    Sent,
    /// Ours was accepted, and no NOTIFY has come yet.
    Accepted,
    /// The peer tells how it goes on.
    Active,
    /// The peer's waits for our user.
    Asked,
    /// Our NOTIFY waits for its response.
    Telling,
    /// So it does, and there is something newer to tell.
    NewsDue,
    /// All is told so far.
    Ready,
    /// Our NOTIFY waits for its response, and the last one has to follow.
    LastDue,
    /// The last one waits for its response.
    Closing,
    /// All is done but telling the application.
    Over,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Input {
    /// A 2xx to our REFER.
    Success,
    /// Another final response to it, or none.
    Refusal,
    /// A NOTIFY of the peer.
    Notify,
    /// One that ends the subscription.
    LastNotify,
    /// Our user takes the peer's REFER.
    Accept,
    /// Our user does not.
    Refuse,
    /// The request that was asked for goes on.
    News,
    /// It is over.
    LastNews,
    /// A 2xx to our NOTIFY.
    Notified,
    /// Another final response to it, or none.
    NotifyFailed,
    /// The subscription, or the wait for an answer, has lasted too long.
    TimeUp,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Action {
    /// Nothing.
    Nothing,
    /// The application is told.
    Tell,
    /// A NOTIFY is sent.
    Notify,
    /// The NOTIFY that ends the subscription is sent.
    NotifyLast,
    /// The peer's REFER is refused, which ends it.
    Refuse,
    /// It ends.
    End,
}

impl State {
    /// Takes an input; gives what to do. What a state does not know changes nothing.
    pub(in crate::ua) fn receive(&mut self, input: Input) -> Action {
        let (next, action) = match self {
            Self::Free | Self::Over => (*self, Action::Nothing),
            Self::Sent => Self::sent(input),
            Self::Accepted => Self::accepted(input),
            Self::Active => Self::active(input),
            Self::Asked => Self::asked(input),
            Self::Telling => Self::telling(input),
            Self::NewsDue => Self::news_due(input),
            Self::Ready => Self::ready(input),
            Self::LastDue => Self::last_due(input),
            Self::Closing => Self::closing(input),
        };
        *self = next;
        action
    }

    /// Whether the peer's was accepted, and its subscription is not being ended.
    pub(in crate::ua) const fn tells(self) -> bool {
        matches!(self, Self::Telling | Self::NewsDue | Self::Ready)
    }

    /// Whether it is ours and not over.
    pub(in crate::ua) const fn is_outgoing(self) -> bool {
        matches!(self, Self::Sent | Self::Accepted | Self::Active)
    }

    const fn sent(input: Input) -> (Self, Action) {
        match input {
            Input::Success => (Self::Accepted, Action::Tell),
            // It overtakes the 2xx, or stands for one that was lost (RFC 6665 §4.1.2.4).
            Input::Notify => (Self::Active, Action::Tell),
            Input::Refusal | Input::LastNotify => (Self::Over, Action::End),
            _ => (Self::Sent, Action::Nothing),
        }
    }

    const fn accepted(input: Input) -> (Self, Action) {
        match input {
            Input::Notify => (Self::Active, Action::Tell),
            Input::LastNotify | Input::TimeUp => (Self::Over, Action::End),
            _ => (Self::Accepted, Action::Nothing),
        }
    }

    const fn active(input: Input) -> (Self, Action) {
        match input {
            Input::Notify => (Self::Active, Action::Tell),
            Input::LastNotify | Input::TimeUp => (Self::Over, Action::End),
            _ => (Self::Active, Action::Nothing),
        }
    }

    const fn asked(input: Input) -> (Self, Action) {
        match input {
            Input::Accept => (Self::Telling, Action::Notify),
            Input::Refuse => (Self::Over, Action::End),
            Input::TimeUp => (Self::Over, Action::Refuse),
            _ => (Self::Asked, Action::Nothing),
        }
    }

    const fn telling(input: Input) -> (Self, Action) {
        match input {
            Input::News => (Self::NewsDue, Action::Nothing),
            Input::LastNews | Input::TimeUp => (Self::LastDue, Action::Nothing),
            Input::Notified => (Self::Ready, Action::Nothing),
            Input::NotifyFailed => (Self::Over, Action::End),
            _ => (Self::Telling, Action::Nothing),
        }
    }

    const fn news_due(input: Input) -> (Self, Action) {
        match input {
            Input::LastNews | Input::TimeUp => (Self::LastDue, Action::Nothing),
            Input::Notified => (Self::Telling, Action::Notify),
            Input::NotifyFailed => (Self::Over, Action::End),
            _ => (Self::NewsDue, Action::Nothing),
        }
    }

    const fn ready(input: Input) -> (Self, Action) {
        match input {
            Input::News => (Self::Telling, Action::Notify),
            Input::LastNews | Input::TimeUp => (Self::Closing, Action::NotifyLast),
            _ => (Self::Ready, Action::Nothing),
        }
    }

    const fn last_due(input: Input) -> (Self, Action) {
        match input {
            Input::Notified => (Self::Closing, Action::NotifyLast),
            Input::NotifyFailed => (Self::Over, Action::End),
            _ => (Self::LastDue, Action::Nothing),
        }
    }

    const fn closing(input: Input) -> (Self, Action) {
        match input {
            Input::Notified | Input::NotifyFailed => (Self::Over, Action::End),
            _ => (Self::Closing, Action::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module's documentation, every pair.
    #[test]
    fn each_input_in_each_state() {
        use Action::{End, Nothing, Notify, NotifyLast, Refuse, Tell};
        use State::*;
        let states = [Sent, Accepted, Active, Asked, Telling, NewsDue, Ready, LastDue, Closing];
        let over = (Over, End);
        let active = (Active, Tell);
        let last = (Closing, NotifyLast);
        let due = (LastDue, Nothing);
        for (input, changes) in [
            (Input::Success, &[(Sent, (Accepted, Tell))][..]),
            (Input::Refusal, &[(Sent, over)]),
            (Input::Notify, &[(Sent, active), (Accepted, active), (Active, active)]),
            (Input::LastNotify, &[(Sent, over), (Accepted, over), (Active, over)]),
            (Input::Accept, &[(Asked, (Telling, Notify))]),
            (Input::Refuse, &[(Asked, over)]),
            (Input::News, &[(Telling, (NewsDue, Nothing)), (Ready, (Telling, Notify))]),
            (Input::LastNews, &[(Telling, due), (NewsDue, due), (Ready, last)]),
            (
                Input::Notified,
                &[(Telling, (Ready, Nothing)), (NewsDue, (Telling, Notify)), (LastDue, last), (Closing, over)],
            ),
            (Input::NotifyFailed, &[(Telling, over), (NewsDue, over), (LastDue, over), (Closing, over)]),
            (
                Input::TimeUp,
                &[
                    (Accepted, over),
                    (Active, over),
                    (Asked, (Over, Refuse)),
                    (Telling, due),
                    (NewsDue, due),
                    (Ready, last),
                ],
            ),
        ] {
            for state in states {
                let change = changes.iter().find(|(from, _)| *from == state);
                let expected = change.map_or((state, Nothing), |(_, to)| *to);
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
}
