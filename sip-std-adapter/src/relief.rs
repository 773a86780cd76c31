//! A second connection to a peer that takes nothing by the first, for what must not wait.
//!
//! ```text
//!   Open, blocked, urgent messages wait for RELIEF ──> a second one is opened to the same address
//!   it opens ──> responses, ACK, BYE and CANCEL for the first go by it, those that wait first
//!   the first takes octets again ──> as before; the second stays like any other
//! ```
//! Only one that we have opened has an address at which somebody listens. A second one gets no third, and one that could not be opened,
//! or was lost, is not tried again before the first has moved. New requests to the address go by the second, too.

use crate::connection::{Connection, State};
use crate::input::Input;
use crate::patience::STALL;
use crate::tcp::Tcp;
use crate::turn::Statistics;
use crate::udp::Sent;
use mio::Registry;
use sip_core::message::Priority;
use sip_core::role::SendId;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Flow;
use std::collections::VecDeque;

/// How long a peer may take nothing before what is urgent goes another way.
pub(crate) const RELIEF: Duration = Duration::from_secs(1);

/// How a connection stands to another one to the same peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Relief {
    /// It has none, and can get one when it is blocked.
    #[default]
    None,
    /// This one carries what is urgent.
    Has(u32),
    /// It had one, and gets no other before it has moved.
    Had,
    /// It is the second one of this.
    Is(u32),
}

impl Connection {
    /// When it gets a second one beside it, as things stand.
    pub(crate) fn relief_due(&self) -> Option<Instant> {
        let can = self.dialled && self.relief == Relief::None;
        let stalled = self.stalled.filter(|_| can && self.is_blocked() && self.waiting.has_urgent())?;
        Some(stalled + RELIEF)
    }

    /// Takes note that the peer takes no more for now, or has taken some.
    pub(crate) fn stall(&mut self, now: Instant) -> Instant {
        self.stalled = Some(now);
        now + STALL
    }

    fn has_room(&self) -> bool {
        self.state == State::Open && !self.is_blocked()
    }
}

impl Tcp {
    /// Opens a second connection beside one that is blocked, if there is a free place.
    pub(crate) fn relieve(&mut self, now: Instant, registry: &Registry, number: u32, counted: &mut Statistics) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.relief = Relief::Had;
        let (wanted, name) = (Flow { connection: 0, ..connection.flow }, connection.name.clone());
        if self.connections.len() >= self.most || !self.may_open(wanted) {
            return;
        }
        self.unknow(number);
        let Ok(second) = self.dial(now, registry, wanted, &name) else { return };
        second.relief = Relief::Is(number);
        let second = second.flow.connection;
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.relief = Relief::Has(second);
            counted.reliefs += 1;
        }
    }

    /// The second one beside a connection that is blocked, if it has room.
    pub(crate) fn relief_of(&mut self, number: u32) -> Option<&mut Connection> {
        let connection = self.connections.get(&number).filter(|connection| connection.is_blocked())?;
        let Relief::Has(second) = connection.relief else { return None };
        self.connections.get_mut(&second).filter(|second| second.has_room())
    }

    /// Sends what is urgent by the second one, where there is one with room.
    pub(crate) fn send_by_relief(
        &mut self,
        now: Instant,
        (id, flow, bytes): (SendId, Flow, &[u8]),
        counted: &mut Statistics,
    ) -> Option<Sent> {
        let second = self.relief_of(flow.connection)?;
        if Priority::of(bytes) != Priority::Urgent || second.push(now, bytes) != Sent::Done {
            return None;
        }
        let second = second.flow.connection;
        if let Some(first) = self.connections.get_mut(&flow.connection) {
            first.waiting.take_resumed(id);
        }
        counted.messages_out += 1;
        self.expect_progress(second, now);
        Some(Sent::Done)
    }

    /// The second one of a pair has opened, or has room again: what waits for the first can go by it.
    pub(crate) fn relief_has_room(&mut self, number: u32, inputs: &mut VecDeque<Input>) {
        let Some(Relief::Is(first)) = self.connections.get(&number).map(|second| second.relief) else { return };
        let waits = self.connections.get(&first).filter(|first| first.waiting.has_urgent());
        inputs.extend(waits.map(|first| Input::Writable(first.flow)));
    }

    /// One of a pair is gone.
    pub(crate) fn unpair(&mut self, gone: &Connection) {
        let (Relief::Has(other) | Relief::Is(other)) = gone.relief else { return };
        if let Some(other) = self.connections.get_mut(&other) {
            other.relief = if let Relief::Has(_) = other.relief { Relief::Had } else { Relief::None };
        }
    }
}
