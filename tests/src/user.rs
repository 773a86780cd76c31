//! Who uses the roles: reacts to events and acts at times of its own.

use crate::world::NodeId;
use sip_core::message::Message;
use sip_core::role::Role;
use sip_core::time::Instant;

/// The application above every node of a world.
pub trait User<R: Role> {
    /// Takes an event of `node`. `message` is the one that caused it, and `None` when none did. Any call on `role`
    /// is allowed; what it makes ready is sent afterwards.
    fn on_event(&mut self, role: &mut R, now: Instant, node: NodeId, event: R::Event, message: Option<&Message<'_>>);

    /// When the user acts next, and on which node; `None` when it waits for events.
    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        None
    }

    /// Acts, because the moment of [`next_wakeup`](Self::next_wakeup) has come. It has to move that moment on.
    fn wake(&mut self, role: &mut R, now: Instant, node: NodeId) {
        let _ = (role, now, node);
    }
}

/// Nobody: events are dropped.
impl<R: Role> User<R> for () {
    fn on_event(&mut self, _: &mut R, _: Instant, _: NodeId, _: R::Event, _: Option<&Message<'_>>) {}
}

/// A user who does nothing but write events down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events<E> {
    /// When, where and what, first come first.
    pub seen: Vec<(Instant, NodeId, E)>,
}

impl<E: Copy> Events<E> {
    /// The events of one node.
    pub fn of(&self, node: NodeId) -> impl Iterator<Item = E> {
        self.seen.iter().filter(move |(_, at, _)| *at == node).map(|(_, _, event)| *event)
    }
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self { seen: Vec::new() }
    }
}

impl<R: Role> User<R> for Events<R::Event> {
    fn on_event(&mut self, _: &mut R, now: Instant, node: NodeId, event: R::Event, _: Option<&Message<'_>>) {
        self.seen.push((now, node, event));
    }
}
