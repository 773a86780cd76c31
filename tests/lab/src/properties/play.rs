//! What the worlds of a role share: time that passes, answers to what it asks for, sends that are held, and what may not be parsed.

use super::shown;
use sip_core::message::Malformed;
use sip_core::role::{Role, SendId};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target, Ticket};

/// Moves time to the next timer and lets it fire, if it is due by `until`; else to `until`. Gives whether one fired.
pub(super) fn wake(role: &mut impl Role, now: &mut Instant, until: Instant) -> bool {
    match role.poll_timeout() {
        Some(at) if at <= until => {
            *now = (*now).max(at);
            role.handle_timeout(*now);
            true
        }
        _ => {
            *now = (*now).max(until);
            false
        }
    }
}

/// Lets the next timer fire, whenever it is due.
pub(super) fn wake_up(role: &mut impl Role, now: &mut Instant) {
    if let Some(at) = role.poll_timeout() {
        wake(role, now, at);
    }
}

/// Answers a question for an address or a connection: there is none, it can't be had, it is this one, or these are two.
pub(super) fn tell(
    role: &mut impl Role,
    now: Instant,
    (ticket, count): (Ticket, u8),
    (target, connection): (Target, Flow),
) {
    match count % 4 {
        0 => role.resolved(now, ticket, &[]),
        1 => role.connect_failed(now, ticket, FlowError::Refused),
        2 => role.flow_connected(now, ticket, connection),
        _ => role.resolved(now, ticket, &[target; 2]),
    }
}

/// What an adapter does that keeps an order of its own for what waits for a connection: it holds sends, and resumes each by its name.
#[derive(Debug, Default)]
pub(super) struct Holding {
    how: How,
    /// What was held in this turn, with its octets, in the order in which it came.
    turn: Vec<(SendId, Vec<u8>)>,
    /// What was resumed and has not been offered again.
    resumed: Vec<(SendId, Vec<u8>)>,
    /// What waits until all is resumed.
    waiting: Vec<SendId>,
}

/// What is held, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum How {
    #[default]
    Nothing,
    /// All that there is to send, then each goes in its order.
    InOrder,
    /// The same, the last one first.
    Reversed,
    /// Until all is resumed.
    ForLong,
}

/// A keep-alive, which is given once and is of no table of the transactions.
const PING: &[u8] = b"\r\n\r\n";

impl Holding {
    /// Holds from now on as `how` says.
    pub(super) fn set(&mut self, how: u8) {
        self.how = [How::Nothing, How::InOrder, How::Reversed, How::ForLong][usize::from(how % 4)];
    }

    /// Whether a send is held now.
    ///
    /// # Panics
    /// When it was resumed and is another message.
    pub(super) fn takes(&mut self, id: SendId, octets: &[u8]) -> bool {
        if let Some(place) = self.resumed.iter().position(|(resumed, _)| *resumed == id) {
            let (_, before) = self.resumed.remove(place);
            assert!(before == octets, "another message: {} instead of {}", shown(octets), shown(&before));
            return false;
        }
        match self.how {
            _ if octets == PING => return false,
            How::Nothing => return false,
            How::InOrder | How::Reversed => self.turn.push((id, octets.to_vec())),
            How::ForLong => self.waiting.push(id),
        }
        true
    }

    /// Resumes what was held in this turn, of which none can be over; it is to be drained by `drain`, and all of it is to be offered.
    ///
    /// # Panics
    /// When something is not.
    pub(super) fn end_turn<W>(
        world: &mut W,
        holding: fn(&mut W) -> &mut Self,
        resume: fn(&mut W, SendId),
        drain: fn(&mut W),
    ) {
        let own = holding(world);
        let how = core::mem::take(&mut own.how);
        let mut turn = core::mem::take(&mut own.turn);
        if how == How::Reversed {
            turn.reverse();
        }
        if !turn.is_empty() {
            own.resumed.clone_from(&turn);
            turn.iter().for_each(|(id, _)| resume(world, *id));
            drain(world);
        }
        let own = holding(world);
        own.how = how;
        if let Some((_, octets)) = own.resumed.pop() {
            panic!("a send that was held is lost: {}", shown(&octets));
        }
    }

    /// Resumes all that waits; some of it may be over.
    pub(super) fn resume_all(&mut self, role: &mut impl Role) {
        self.how = How::Nothing;
        core::mem::take(&mut self.waiting).into_iter().for_each(|id| role.resume(id));
    }
}

/// The message with one octet changed.
pub(super) fn changed(octets: &[u8], place: u16, change: u8) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let length = octets.len().max(1);
    if let Some(octet) = octets.get_mut(usize::from(place) % length) {
        *octet ^= change;
    }
    octets
}

/// Only the answer to what could not be parsed may be what can't be parsed, for it repeats it.
///
/// # Panics
/// When it is something else.
pub(super) fn check_repeats(malformed: bool, octets: &[u8], failure: &Malformed<'_>) {
    let repeats = [&b"SIP/2.0 400 "[..], b"SIP/2.0 505 ", b"SIP/2.0 513 "];
    let fair = malformed && repeats.iter().any(|start| octets.starts_with(start));
    assert!(fair, "{:?} in what was sent: {}", failure.error(), shown(octets));
}
