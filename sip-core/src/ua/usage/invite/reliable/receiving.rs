//! The states of the reliable provisional responses that a caller receives in one early dialog (RFC 3262 §4).
//!
//! ```text
//!        +-----------+   1xx, PRACK    +---------------+   final response   +-----------+
//!        |   Start   |---------------->| Acknowledging |------------------->|  InOrder  |
//!        +-----------+                 +---------------+                    +-----------+
//!              |                         ^     ^    next 1xx, PRACK               |
//!              | 1xx with an offer       |     +----------------------------------+
//!              | that wants an answer    | our answer, PRACK                      |
//!              |                         |                                        |
//!              |                       +-----------+    next 1xx with one         |
//!              +---------------------->| AnswerDue |<-----------------------------+
//!                                      +-----------+
//! ```
//!
//! | input | Start | Acknowledging | InOrder | AnswerDue |
//! |---|---|---|---|---|
//! | any RSeq | PRACK, Acknowledging | | | |
//! | any RSeq, with an offer | told, AnswerDue | | | |
//! | the next RSeq | | - | PRACK, Acknowledging | - |
//! | the next RSeq, with an offer | | - | told, AnswerDue | - |
//! | the same or a lower RSeq, a gap | | - | - | - |
//! | our answer | refused | refused | refused | PRACK, Acknowledging |
//! | final response to the PRACK, or none | - | InOrder | - | - |
//! | our INVITE anew, its final response | Start | Start | Start | Start |
//!
//! What is "-" is passed over: not acknowledged and not told (§4), so that the callee repeats it. A PRACK is what its own
//! transaction repeats, so a repetition of the 1xx asks for nothing. A callee that keeps the rules sends the next 1xx when it has the PRACK
//! of the last; where its answer to that was lost, it is repeated before the 1xx is. So one PRACK a dialog is open at a time, however fast
//! a peer counts. In AnswerDue nothing new can come from a callee that keeps the rules, which waits for the PRACK.

/// The state of one early dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// No response was reliable.
    #[default]
    Start = 0,
    /// The PRACK of the last one in order has no final response yet.
    Acknowledging,
    /// All that came in order are acknowledged.
    InOrder,
    /// The last one brought an offer, and its PRACK waits for our user's answer.
    AnswerDue,
}

/// What has to be done about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Action {
    /// Nothing: it is a repetition, or out of order.
    Nothing,
    /// PRACK is sent.
    Acknowledge,
    /// The application is told of the offer.
    Ask,
}

impl State {
    /// Takes the RSeq of a response; `last` is that of the last one in order. Gives the next state, and what to do.
    pub(in crate::ua) const fn receive(self, last: u32, rseq: u32, offers: bool) -> (Self, Action) {
        match self {
            Self::Start => Self::start(offers),
            Self::Acknowledging => (Self::Acknowledging, Action::Nothing),
            Self::InOrder => Self::in_order(last, rseq, offers),
            Self::AnswerDue => (Self::AnswerDue, Action::Nothing),
        }
    }

    /// Our PRACK has its final response, or will have none.
    pub(in crate::ua) const fn acknowledged(self) -> Self {
        match self {
            Self::Acknowledging => Self::InOrder,
            Self::Start | Self::InOrder | Self::AnswerDue => self,
        }
    }

    const fn start(offers: bool) -> (Self, Action) {
        if offers { (Self::AnswerDue, Action::Ask) } else { (Self::Acknowledging, Action::Acknowledge) }
    }

    const fn in_order(last: u32, rseq: u32, offers: bool) -> (Self, Action) {
        // The numbers do not wrap around (§3): nothing follows the last of them.
        match last.checked_add(1) {
            Some(next) if next == rseq => Self::start(offers),
            _ => (Self::InOrder, Action::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module's documentation, every pair.
    #[test]
    fn each_rseq_in_each_state() {
        use Action::{Acknowledge, Ask, Nothing};
        use State::*;
        for (state, last, rseq, action) in [
            (Start, 0, 1, Acknowledge),
            (Start, 0, 0x8000_0000, Acknowledge),
            (Start, 0, u32::MAX, Acknowledge),
            (InOrder, 7, 8, Acknowledge),
            (InOrder, u32::MAX - 1, u32::MAX, Acknowledge),
            (InOrder, 7, 7, Nothing),
            (InOrder, 7, 6, Nothing),
            (InOrder, 7, 9, Nothing),
            (InOrder, 7, u32::MAX, Nothing),
            (InOrder, u32::MAX, 0, Nothing),
            (InOrder, u32::MAX, 1, Nothing),
            (InOrder, u32::MAX, u32::MAX, Nothing),
            (Acknowledging, 7, 8, Nothing),
            (Acknowledging, 7, 7, Nothing),
            (Acknowledging, 7, 9, Nothing),
            (AnswerDue, 7, 8, Nothing),
            (AnswerDue, 7, 7, Nothing),
        ] {
            let (asked, told) = if action == Nothing { (state, Nothing) } else { (AnswerDue, Ask) };
            let next = if action == Nothing { state } else { Acknowledging };
            assert_eq!(state.receive(last, rseq, false), (next, action), "{rseq} after {last} in {state:?}");
            assert_eq!(state.receive(last, rseq, true), (asked, told), "{rseq} after {last} in {state:?}");
        }
    }

    #[test]
    fn the_next_one_is_taken_when_the_last_is_acknowledged() {
        use State::*;
        for (state, next) in [(Start, Start), (Acknowledging, InOrder), (InOrder, InOrder), (AnswerDue, AnswerDue)] {
            assert_eq!(state.acknowledged(), next, "{state:?}");
        }
    }
}
