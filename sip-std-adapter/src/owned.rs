//! What a turn has for the application, to be kept or handed to another thread or task.

use crate::turn::Turn;
use core::fmt;
use sip_core::message::Message;
use sip_core::transport::Flow;

/// A message in memory of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedMessage(Box<[u8]>);

impl OwnedMessage {
    /// The message, parsed anew.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "the octets were a message when they were copied")]
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.0).unwrap_or_else(|_| unreachable!("the octets of a message"))
    }

    /// The octets, as they came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&Message<'_>> for OwnedMessage {
    fn from(message: &Message<'_>) -> Self {
        Self(message.bytes().into())
    }
}

impl fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedMessage").field(&String::from_utf8_lossy(&self.0)).finish()
    }
}

/// A [`Turn`] that has something for the application, with its message in memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum OwnedTurn<E> {
    /// A message arrived and caused this event.
    Message {
        /// What the role makes of the message.
        event: E,
        /// The message.
        message: OwnedMessage,
        /// Where it came from, and where a response to it goes.
        flow: Flow,
    },
    /// An event that no message caused: a timer, a lost flow.
    Event(E),
    /// The deadline that the application set for this token has come.
    Deadline(u64),
    /// A [`Waker`](crate::Waker) or [`Commander`](crate::Commander) called.
    Woken,
}

impl<E: Copy> OwnedTurn<E> {
    /// The event, if there is one.
    #[must_use]
    pub fn event(&self) -> Option<E> {
        match self {
            Self::Message { event, .. } | Self::Event(event) => Some(*event),
            Self::Deadline(_) | Self::Woken => None,
        }
    }

    /// The message that caused the event, if one did; it is parsed anew.
    #[must_use]
    pub fn message(&self) -> Option<Message<'_>> {
        match self {
            Self::Message { message, .. } => Some(message.message()),
            _ => None,
        }
    }
}

impl<E> Turn<'_, E> {
    /// The same to be kept; `None` for [`Again`](Turn::Again) and [`Idle`](Turn::Idle), which have nothing for the application.
    #[must_use]
    pub fn into_owned(self) -> Option<OwnedTurn<E>> {
        match self {
            Self::Message { event, message, flow } => {
                Some(OwnedTurn::Message { event, message: OwnedMessage::from(&message), flow })
            }
            Self::Event(event) => Some(OwnedTurn::Event(event)),
            Self::Deadline(token) => Some(OwnedTurn::Deadline(token)),
            Self::Woken => Some(OwnedTurn::Woken),
            Self::Again | Self::Idle(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::request;
    use sip_core::time::Instant;

    #[test]
    fn a_turn_is_kept_with_its_message_if_it_has_something_for_the_application() {
        let octets = request(3);
        let message = Message::parse(&octets).unwrap();
        let turn = Turn::Message { event: 7, message, flow: Flow::NONE };
        let kept = turn.into_owned().unwrap();
        assert_eq!((kept.event(), kept.message().unwrap().bytes()), (Some(7), &octets[..]));
        assert_eq!(kept, kept.clone());
        assert!(format!("{kept:?}").contains("SIP/2.0"));
        let others = [Turn::Event(8), Turn::Deadline(9), Turn::Woken, Turn::Again, Turn::Idle(Some(Instant::ZERO))];
        let others = others.map(Turn::into_owned);
        assert_eq!(
            others,
            [Some(OwnedTurn::Event(8)), Some(OwnedTurn::Deadline(9)), Some(OwnedTurn::Woken), None, None]
        );
        assert!(others.iter().flatten().all(|kept| kept.message().is_none()));
    }
}
