//! What waits for one connection: the names of sends that the role holds, by the class of their messages.
//!
//! The octets stay with the role; here is only the order in which they go, and how many there may be. Nothing that waits is
//! dropped while the connection lives: what finds too much before it is refused at once ([`Admission::Congested`]), the less
//! important the earlier. So a peer that reads slowly costs the role a bounded number of transactions, and the responses and BYEs to
//! it still have room when its new calls have none.
//!
//! A name may outlive its send, which the role gives up without a word here: where there is no room, those that have waited for longer
//! than a transaction lives are [taken out](Waiting::take_old), and the role is asked about them.

use sip_core::message::Priority;
use sip_core::role::SendId;
use sip_core::time::{Duration, Instant};
use std::collections::VecDeque;

/// For how long a send may wait before it is most likely over: 64·T1, when every transaction has given up.
pub(crate) const OLD: Duration = Duration::from_secs(32);

/// A send, and since when it waits.
type Held = (SendId, Instant);

/// How many sends may wait before one of this class is refused: rising with the class, so that each has room that those
/// below it can't take.
const fn room(class: Priority) -> usize {
    match class {
        Priority::Urgent => 256,
        Priority::Emergency => 160,
        Priority::InDialog => 128,
        Priority::Invite => 96,
        Priority::Other => 64,
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It goes now.
    Send,
    /// It waits, and its class.
    Held(Priority),
    /// Too much waits already.
    Congested,
}

/// The sends that wait; of a connection on which none does it takes no memory but its own.
#[derive(Default)]
pub(crate) struct Waiting {
    classes: Option<Box<[VecDeque<Held>; Priority::COUNT]>>,
    count: usize,
    /// The one that was taken out last: it has waited already.
    resumed: Option<Held>,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether something waits that should not: responses, ACK, BYE or CANCEL.
    pub(crate) fn has_urgent(&self) -> bool {
        self.classes.as_ref().is_some_and(|classes| !classes[Priority::Urgent as usize].is_empty())
    }

    /// Whether a message goes now, on a connection that is `blocked` or not, or waits behind those of its class.
    pub(crate) fn admit(&mut self, now: Instant, id: SendId, message: &[u8], blocked: bool) -> Admission {
        let resumed = self.take_resumed(id);
        if !blocked && (resumed.is_some() || self.is_empty()) {
            return Admission::Send;
        }
        let class = Priority::of(message);
        let classes = self.classes.get_or_insert_default();
        if !blocked && classes.iter().take(class as usize + 1).all(VecDeque::is_empty) {
            return Admission::Send;
        }
        let queue = &mut classes[class as usize];
        if let Some(resumed) = resumed {
            queue.push_front(resumed);
        } else if self.count < room(class) {
            queue.push_back((id, now));
        } else {
            return Admission::Congested;
        }
        self.count += 1;
        Admission::Held(class)
    }

    /// The one that goes next.
    pub(crate) fn next(&mut self) -> Option<SendId> {
        self.resumed = self.classes.as_mut()?.iter_mut().find_map(VecDeque::pop_front);
        self.count -= usize::from(self.resumed.is_some());
        if self.count == 0 {
            self.classes = None;
        }
        self.resumed.map(|(id, _)| id)
    }

    /// Forgets that a send was resumed: it has gone. Its next repetition has not waited.
    pub(crate) fn take_resumed(&mut self, id: SendId) -> Option<Held> {
        self.resumed.take_if(|(resumed, _)| *resumed == id)
    }

    /// Takes out those that have waited for long: the role says which are not over.
    pub(crate) fn take_old(&mut self, now: Instant) -> Vec<SendId> {
        let mut old = Vec::new();
        for queue in self.classes.iter_mut().flat_map(|classes| classes.iter_mut()) {
            while let Some((id, since)) = queue.front().copied()
                && now >= since + OLD
            {
                queue.pop_front();
                old.push(id);
            }
        }
        self.count -= old.len();
        if self.count == 0 {
            self.classes = None;
        }
        old
    }

    /// The next of those that should not wait.
    pub(crate) fn next_urgent(&mut self) -> Option<SendId> {
        if self.has_urgent() { self.next() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [(Priority, &str); Priority::COUNT] = [
        (Priority::Other, "OPTIONS sip:b@example.com SIP/2.0\r\nTo: <sip:b@example.com>\r\n\r\n"),
        (Priority::Invite, "INVITE sip:b@example.com SIP/2.0\r\nTo: <sip:b@example.com>\r\n\r\n"),
        (Priority::InDialog, "INFO sip:b@example.com SIP/2.0\r\nTo: <sip:b@example.com>;tag=1\r\n\r\n"),
        (Priority::Emergency, "INVITE urn:service:sos SIP/2.0\r\nTo: <urn:service:sos>\r\n\r\n"),
        (Priority::Urgent, "SIP/2.0 200 OK\r\n\r\n"),
    ];

    fn id(number: usize) -> SendId {
        SendId::new(0, u32::try_from(number).unwrap(), 0)
    }

    fn drained(waiting: &mut Waiting) -> Vec<SendId> {
        core::iter::from_fn(|| waiting.next()).collect()
    }

    #[test]
    fn the_classes_go_in_their_order_and_each_in_its_own() {
        let mut waiting = Waiting::default();
        for round in 0..3 {
            for (place, (class, message)) in CLASSES.iter().enumerate() {
                let admission = waiting.admit(Instant::ZERO, id(10 * place + round), message.as_bytes(), true);
                assert_eq!(admission, Admission::Held(*class));
            }
        }
        let expected = [40, 41, 42, 30, 31, 32, 20, 21, 22, 10, 11, 12, 0, 1, 2].map(id);
        assert_eq!(drained(&mut waiting), expected);
        assert!(waiting.is_empty() && waiting.classes.is_none());
    }

    #[test]
    fn where_there_is_room_only_what_is_more_important_overtakes_what_waits() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.admit(Instant::ZERO, id(0), CLASSES[0].1.as_bytes(), false), Admission::Send);
        assert_eq!(
            waiting.admit(Instant::ZERO, id(1), CLASSES[1].1.as_bytes(), true),
            Admission::Held(Priority::Invite)
        );
        assert_eq!(
            waiting.admit(Instant::ZERO, id(2), CLASSES[1].1.as_bytes(), false),
            Admission::Held(Priority::Invite)
        );
        assert_eq!(
            waiting.admit(Instant::ZERO, id(3), CLASSES[0].1.as_bytes(), false),
            Admission::Held(Priority::Other)
        );
        assert_eq!(waiting.admit(Instant::ZERO, id(4), CLASSES[4].1.as_bytes(), false), Admission::Send);
        // The one that is resumed goes, and where it can't it is first again.
        assert_eq!(waiting.next(), Some(id(1)));
        assert_eq!(
            waiting.admit(Instant::ZERO, id(1), CLASSES[1].1.as_bytes(), true),
            Admission::Held(Priority::Invite)
        );
        assert_eq!(waiting.next(), Some(id(1)));
        assert_eq!(waiting.admit(Instant::ZERO, id(1), CLASSES[1].1.as_bytes(), false), Admission::Send);
        assert_eq!(drained(&mut waiting), [id(2), id(3)]);
    }

    #[test]
    fn the_less_important_is_refused_first_and_what_waits_is_never_dropped() {
        let mut waiting = Waiting::default();
        let mut held = Vec::new();
        for (place, (class, message)) in CLASSES.iter().enumerate() {
            for number in 0..1000 {
                match waiting.admit(Instant::ZERO, id(1000 * place + number), message.as_bytes(), true) {
                    Admission::Held(found) => {
                        assert_eq!(found, *class);
                        held.push(id(1000 * place + number));
                    }
                    refused => {
                        assert_eq!(refused, Admission::Congested);
                        break;
                    }
                }
            }
            assert_eq!(waiting.count, room(*class));
        }
        let mut found = drained(&mut waiting);
        found.sort_by_key(|id| format!("{id:?}"));
        held.sort_by_key(|id| format!("{id:?}"));
        assert_eq!(found, held);
        assert_eq!(found.len(), 256);
    }
}
