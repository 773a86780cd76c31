//! The session timer of a call (RFC 4028).
//!
//! ```text
//!                        2xx: we refresh
//!            +----------------------------------------------+
//!            |                                              V
//!        +-------+ 2xx: the peer refreshes +--------+   +-----------+  half the interval: refresh
//!        |  Off  |------------------------>| Waiter |-->| Refresher |---+
//!        +-------+                         +--------+   +-----------+<--+
//!            ^                                |   ^         |   |
//!            |      2xx: there is no timer    |   +---------+   |
//!            +--------------------------------+-----------------+
//! ```
//!
//! A *2xx* is one to an INVITE or UPDATE, the first or a later one, ours or the peer's: each says anew how long the session
//! lasts and who refreshes it (§7.2, §9).
//!
//! | input | Off | Waiter | Refresher |
//! |---|---|---|---|
//! | 2xx: nobody asks | - | Off | Off |
//! | 2xx: we refresh | Refresher | Refresher | Refresher |
//! | 2xx: the peer refreshes | Waiter | Waiter | Waiter |
//! | half the interval is over (§10) | - | - | refresh |
//! | our refresh can't be sent now | | | again after half of what is left |
//! | our refresh is refused | | | the same, up to [`MAX_REFUSED`] times |
//! | it gets 408, 481 or silence | | | BYE |
//! | the interval is over but for a third of it or 32 s | - | BYE | BYE |
//!
//! Who refreshes, for a request of the peer (§9, Table 2):
//!
//! | the peer supports timers | refresher in the request | refresher in our 2xx |
//! |---|---|---|
//! | no | none, or what makes no sense | uas |
//! | yes | none | uac when the request asks for a timer, or else uas, for then we do |
//! | yes | uac | uac |
//! | yes | uas | uas |
//!
//! A peer without the extension that answers our request is left alone with it: we refresh (§7.2).

use crate::message::Refresher;
use crate::time::Duration;

/// No session is shorter, in seconds (§4).
pub(in crate::ua) const SHORTEST: u32 = 90;

/// No session has to be longer, in seconds: eleven days, which a clock of 32 bits can tell. A peer's Min-SE above it is not followed, and
/// a session that lasts longer is refreshed as if it did not, and not ended.
const LONGEST: u32 = 1_000_000;

/// How often an INVITE is sent again with a larger interval after a 422; each has to ask for more than the one before.
const MAX_ENLARGED: u8 = 3;

/// How many refreshes in a row may be refused before we wait for the end.
const MAX_REFUSED: u8 = 3;

/// Who refreshes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(in crate::ua) enum State {
    /// Nobody: there is no timer.
    #[default]
    Off = 0,
    /// The peer; without a refresh the call ends.
    Waiter,
    /// We.
    Refresher,
}

/// The session timer of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) struct SessionTimer {
    /// How long the session lasts without a refresh, in seconds.
    interval: u32,
    /// The largest Min-SE of a 422 or of the peer's requests (§7.4); zero when there was none.
    min_se: u32,
    /// What our 2xx to the peer's request will say.
    next: Terms,
    state: State,
    /// How often our request was answered with 422 since the last 2xx.
    enlarged: u8,
    /// How many of our refreshes were refused since the last 2xx.
    refused: u8,
    /// The INVITE of ours that is under way is a refresh, of which the application knows nothing.
    pub(in crate::ua) refreshing: bool,
}

/// What is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ua) struct Wanted {
    /// How long a session should last without a refresh, in seconds; zero when nobody asked for a timer.
    pub(in crate::ua) interval: u32,
    /// The shortest interval that is accepted, in seconds.
    pub(in crate::ua) min_se: u32,
}

/// What a request of the peer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ua) struct Asked {
    /// Session-Expires, in seconds.
    pub(in crate::ua) interval: Option<u32>,
    /// Its refresher parameter.
    pub(in crate::ua) refresher: Option<Refresher>,
    /// Min-SE, in seconds; zero without one.
    pub(in crate::ua) min_se: u32,
    /// Whether `timer` is in Supported.
    pub(in crate::ua) supports: bool,
}

/// What our 2xx says: for how long, and who refreshes; nothing when the interval is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) struct Terms {
    interval: u32,
    by_peer: bool,
    /// Whether the peer knows of the extension: then it must heed our answer.
    required: bool,
}

/// The rows of a message. Both numbers are seconds, and zero means that the row is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ua) struct Rows {
    /// Session-Expires.
    pub(in crate::ua) interval: u32,
    /// Min-SE.
    pub(in crate::ua) min_se: u32,
    /// The refresher parameter.
    pub(in crate::ua) refresher: Option<Refresher>,
    /// Whether Require names the extension.
    pub(in crate::ua) required: bool,
}

/// When something is to be done, counted from the 2xx; zero for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ua) struct Schedule {
    /// Our refresh.
    pub(in crate::ua) refresh: Duration,
    /// The end of the call.
    pub(in crate::ua) end: Duration,
}

/// What is to be done about a refresh that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Failed {
    /// It goes out again after half of what is left of the interval.
    Again,
    /// Nothing more: the call ends with the interval.
    Wait,
    /// The peer no longer knows of the call.
    End,
}

impl SessionTimer {
    /// A call without one.
    pub(in crate::ua) const ZERO: Self = Self {
        interval: 0,
        min_se: 0,
        next: Terms { interval: 0, by_peer: false, required: false },
        state: State::Off,
        enlarged: 0,
        refused: 0,
        refreshing: false,
    };

    /// Whether there is a timer.
    pub(in crate::ua) fn is_on(&self) -> bool {
        self.state != State::Off
    }

    /// Whether nobody has spoken of a timer.
    pub(in crate::ua) fn is_plain(&self) -> bool {
        self.state == State::Off && self.next.interval == 0 && self.enlarged == 0
    }

    /// The rows of an INVITE or UPDATE of ours (§7.1, §7.4).
    pub(in crate::ua) fn request(&self, wanted: Wanted) -> Rows {
        let interval = if self.is_on() { self.interval } else { wanted.interval };
        if interval == 0 && self.enlarged == 0 {
            return Rows::default();
        }
        let min_se = self.min_se.max(wanted.min_se);
        let refresher = match self.state {
            State::Off => None,
            State::Waiter => Some(Refresher::Uas),
            State::Refresher => Some(Refresher::Uac),
        };
        let row = if min_se > SHORTEST { min_se } else { 0 };
        Rows { interval: interval.max(min_se).max(SHORTEST), min_se: row, refresher, required: false }
    }

    /// A 2xx to a request of ours: what its Session-Expires says, if it has one (§7.2).
    pub(in crate::ua) fn answered(&mut self, wanted: Wanted, told: Option<(u32, Option<Refresher>)>) -> Schedule {
        let asked = self.request(wanted).interval;
        let (interval, by_peer) = match told {
            // Who does not say who refreshes leaves it to us.
            Some((interval, refresher)) => (interval.max(SHORTEST), refresher == Some(Refresher::Uas)),
            // Without the extension there the timer is ours alone: for our own good (§7.2).
            None if wanted.interval > 0 => (asked, false),
            None => (0, false),
        };
        self.begin(interval, by_peer)
    }

    /// Our request was answered with 422; whether it is worth sending again, which is so when Min-SE is larger than what we asked
    /// for (§7.3).
    pub(in crate::ua) fn enlarge(&mut self, wanted: Wanted, min_se: u32) -> bool {
        if self.enlarged >= MAX_ENLARGED || min_se > LONGEST || min_se <= self.request(wanted).interval {
            return false;
        }
        self.enlarged = self.enlarged.saturating_add(1);
        self.min_se = min_se;
        true
    }

    /// The Min-SE with which a request of the peer is to be refused with 422; zero when it is not (§9).
    pub(in crate::ua) fn refuses(wanted: Wanted, asked: Asked) -> u32 {
        let least = wanted.min_se.max(SHORTEST);
        // Who does not know of the extension would not understand: a proxy has put the row there.
        if asked.supports && asked.interval.is_some_and(|interval| interval < least) { least } else { 0 }
    }

    /// A request of the peer, which is not refused: what our 2xx will say to it (§9).
    pub(in crate::ua) fn asked(&mut self, wanted: Wanted, asked: Asked) {
        self.min_se = self.min_se.max(asked.min_se.min(LONGEST));
        let least = wanted.min_se.max(asked.min_se).max(SHORTEST);
        let interval = match (asked.interval, wanted.interval) {
            (None, 0) => 0,
            (None, own) => own.max(least),
            (Some(theirs), 0) => theirs.min(LONGEST).max(least),
            (Some(theirs), own) => theirs.min(own).max(least),
        };
        let by_peer = match asked.refresher {
            _ if !asked.supports => false,
            None => asked.interval.is_some(),
            Some(refresher) => refresher == Refresher::Uac,
        };
        self.next = Terms { interval, by_peer, required: asked.supports };
    }

    /// The rows of our 2xx.
    pub(in crate::ua) fn response(&self) -> Rows {
        let Terms { interval, by_peer, required } = self.next;
        if interval == 0 {
            return Rows::default();
        }
        Rows { interval, min_se: 0, refresher: Some(if by_peer { Refresher::Uac } else { Refresher::Uas }), required }
    }

    /// Our 2xx was sent.
    pub(in crate::ua) fn accepted(&mut self) -> Schedule {
        let Terms { interval, by_peer, .. } = core::mem::take(&mut self.next);
        self.begin(interval, by_peer)
    }

    fn begin(&mut self, interval: u32, by_peer: bool) -> Schedule {
        self.interval = interval;
        (self.enlarged, self.refused) = (0, 0);
        self.state = match (interval, by_peer) {
            (0, _) => State::Off,
            (_, true) => State::Waiter,
            (_, false) => State::Refresher,
        };
        let seconds = |count: u32| Duration::from_secs(u64::from(count));
        // §10: slightly before the end, as recommended.
        let end = interval.saturating_sub((interval / 3).min(32));
        Schedule {
            refresh: if self.state == State::Refresher { seconds(interval.min(LONGEST) / 2) } else { Duration::ZERO },
            end: if interval > LONGEST { Duration::ZERO } else { seconds(end) },
        }
    }

    /// A refresh of ours got this final status, 408 for none (§10).
    pub(in crate::ua) fn failed(&mut self, status: u16) -> Failed {
        if matches!(status, 408 | 481) {
            return Failed::End;
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused < MAX_REFUSED { Failed::Again } else { Failed::Wait }
    }
}

#[cfg(test)]
#[path = "session_timer_tests.rs"]
mod tests;
