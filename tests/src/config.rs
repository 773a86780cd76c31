//! How a world is made, and what it counts.

use crate::network::Faults;
use sip_core::time::Duration;

/// How a world is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Everything random comes from this number.
    pub seed: u64,
    /// How many of the last lines the ladder keeps; zero turns it off.
    pub ladder: usize,
    /// The faults of every direction that has none of its own.
    pub faults: Faults,
    /// Whether every step checks the roles: fingerprints are pure, and what was drained stays drained.
    pub check: bool,
    /// How many actions may follow one input, and how many inputs one moment, before it is called a livelock.
    pub livelock: u32,
    /// How long a name takes to resolve, and a connection to open or to fail.
    pub answer_after: Duration,
}

impl Config {
    /// No faults, no ladder, no checks.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            ladder: 0,
            faults: Faults::NONE,
            check: false,
            livelock: 10_000,
            answer_after: Duration::from_millis(1),
        }
    }

    /// The same with a ladder of the last `lines` lines.
    #[must_use]
    pub const fn with_ladder(mut self, lines: usize) -> Self {
        self.ladder = lines;
        self
    }

    /// The same with these faults.
    #[must_use]
    pub const fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// The same with checks at every step.
    #[must_use]
    pub const fn with_check(mut self) -> Self {
        self.check = true;
        self
    }
}

/// What was counted since the world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams that roles sent.
    pub sent: u64,
    /// Datagrams given to a role.
    pub delivered: u64,
    /// Datagrams lost on the way.
    pub lost: u64,
    /// Datagrams doubled on the way.
    pub duplicated: u64,
    /// Datagrams held back on the way.
    pub delayed: u64,
    /// Datagrams dropped because an end was unplugged or had refused, or because nobody had the address.
    pub blocked: u64,
    /// Sends put back because the socket would block.
    pub deferred: u64,
    /// Messages that a role said belong to nothing.
    pub strays: u64,
    /// Datagrams that did not parse.
    pub malformed: u64,
    /// Events given to the user.
    pub events: u64,
    /// Messages given to a role out of a stream; counted among the delivered ones too.
    pub streamed: u64,
    /// Connections asked for.
    pub connects: u64,
    /// Names asked for.
    pub resolves: u64,
}
