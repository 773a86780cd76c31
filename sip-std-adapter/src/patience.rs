//! For how long a connection may stay as it is.
//!
//! | it | may do so for |
//! |---|---|
//! | is being opened | [`PATIENCE`] |
//! | was opened by a peer who has sent no whole message | [`FIRST`] |
//! | has sent a part of a message | [`PART`], for the whole |
//! | takes none of the octets that wait for it | [`STALL`] |
//! | has sent a message over the limit, or has ended by our last word ([`lingering`](crate::lingering)) | [`LINGER`] |
//! | was opened by a peer and carries nothing, no keep-alive either | [`IDLE`], unless the role [keeps](sip_core::role::Role::keeps) it |
//!
//! So each that a stranger holds is given back in bounded time, however slowly octets come over it. A moment that moves on with each
//! message is looked at when it has come, and then put off: messages cost no timer.

use crate::connection::{Connection, State};
use crate::input::Input;
use crate::tcp::Tcp;
use crate::turn::Statistics;
use mio::Registry;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError};
use std::collections::VecDeque;

/// For how long a connection may take to open: until the system's third SYN had time to be answered; under TLS the handshake is part of
/// it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// For how long a peer may take no octets: 64·T1, when every transaction has given up.
pub(crate) const STALL: Duration = Duration::from_secs(32);
/// How long the first message of a peer that has opened a connection may take.
pub(crate) const FIRST: Duration = Duration::from_secs(32);
/// How long one message may take, from its first octet to its last.
pub(crate) const PART: Duration = Duration::from_secs(32);
/// For how long a connection stays whose peer has sent a message over the limit, so that the answer gets there.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// For how long one that a peer has opened may carry nothing, unless the application says otherwise. Keep-alives over
/// connections come each two minutes (RFC 5626 §4.4.1).
pub(crate) const IDLE: Duration = Duration::from_secs(600);

/// Why the time of a connection is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Its deadline has come, or it sends too slowly.
    Over,
    /// It carries nothing.
    Idle,
    /// It takes nothing, and urgent messages wait: it gets a [second one](crate::relief).
    Stalled,
}

impl Connection {
    /// When its time is up, as things stand.
    fn due(&self, idle: Duration) -> Option<(Instant, Reason)> {
        let over = |at: Instant| (at, Reason::Over);
        let reading = match (self.state, self.part) {
            (State::Connecting | State::Handshaking | State::Lingering, _) => None,
            (State::Open, Some(part)) => Some(over(part + PART)),
            (State::Open, None) if self.dialled => None,
            (State::Open, None) if !self.spoke => Some(over(self.used + FIRST)),
            (State::Open, None) => Some((self.used.max(self.pinged) + idle, Reason::Idle)),
        };
        let stalled = self.relief_due().map(|at| (at, Reason::Stalled));
        self.deadline.map(over).into_iter().chain(reading).chain(stalled).min_by_key(|(at, _)| *at)
    }
}

impl Tcp {
    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let look = self.looks.first().map(|(at, _)| *at);
        let accept = self.listeners.iter().filter_map(|listener| listener.accept);
        accept.chain(look).chain(self.lingering.next_timeout()).min()
    }

    /// Gives up the connections whose time is up.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        registry: &Registry,
        keeps: impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        self.lingering.expire(now);
        while let Some((at, number)) = self.looks.first().copied()
            && at <= now
        {
            let Some(connection) = self.connections.get_mut(&number) else {
                self.looks.pop_first();
                continue;
            };
            match connection.due(self.idle) {
                Some((at, Reason::Over)) if at <= now => {
                    let connecting = connection.is_opening();
                    counted.connections_expired += u64::from(connection.state == State::Open);
                    let error = if connecting { FlowError::Unreachable } else { FlowError::Closed };
                    self.end(number, error, inputs, counted);
                }
                Some((at, Reason::Idle)) if at <= now && !keeps(connection.flow) => {
                    counted.connections_expired += 1;
                    self.end(number, FlowError::Closed, inputs, counted);
                }
                Some((at, Reason::Idle)) if at <= now => {
                    connection.pinged = now;
                    self.look_again(number);
                }
                Some((at, Reason::Stalled)) if at <= now => {
                    self.relieve(now, registry, number, counted);
                    self.look_again(number);
                }
                _ => self.look_again(number),
            }
        }
    }

    /// Gives the peer of a connection on which octets have begun to wait its time to take some, and that of one that has begun
    /// a message its time to end it.
    pub(crate) fn expect_progress(&mut self, number: u32, now: Instant) {
        let connection = self.connections.get_mut(&number);
        if let Some(connection) = connection.filter(|one| one.is_blocked() && one.deadline.is_none()) {
            let deadline = connection.stall(now);
            self.set_deadline(number, Some(deadline));
        } else {
            self.look_in_time(number);
        }
    }

    pub(crate) fn set_deadline(&mut self, number: u32, deadline: Option<Instant>) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.deadline = deadline;
            self.look_in_time(number);
        }
    }

    /// Sees to it that a connection is looked at when its time is up, or before.
    pub(crate) fn look_in_time(&mut self, number: u32) {
        let Some(connection) = self.connections.get(&number) else { return };
        if let Some((at, _)) = connection.due(self.idle)
            && connection.look.is_none_or(|look| at < look)
        {
            self.look_again(number);
        }
    }

    /// Has a connection looked at when its time is up.
    fn look_again(&mut self, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let at = connection.due(self.idle).map(|(at, _)| at);
        if let Some(old) = core::mem::replace(&mut connection.look, at) {
            self.looks.remove(&(old, number));
        }
        self.looks.extend(at.map(|at| (at, number)));
    }
}
