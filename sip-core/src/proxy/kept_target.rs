//! A target as it is kept in the block of its context: whether it was tried, its q, its flow, two lengths, and the texts of its URI and
//! its Route values.

use super::event::Target;
use crate::message::Writer;
use crate::transport::Flow;

/// The octets of a target before its texts.
pub(super) const HEAD: usize = 1 + 2 + Flow::OCTETS + 2 + 2;

/// A target as it is kept.
#[derive(Clone, Copy)]
pub(super) struct KeptTarget<'k> {
    pub(super) target: Target<'k>,
    pub(super) tried: bool,
    /// Where the next one begins.
    pub(super) next: usize,
}

/// The target that is kept at `at`.
pub(super) fn target_at(octets: &[u8], at: usize) -> Option<KeptTarget<'_>> {
    let (head, texts) = octets.get(at..)?.split_first_chunk::<HEAD>()?;
    let [tried, q0, q1, flow @ .., u0, u1, r0, r1] = head;
    let (uri, route) = (usize::from(u16::from_le_bytes([*u0, *u1])), usize::from(u16::from_le_bytes([*r0, *r1])));
    let end = uri.saturating_add(route);
    let target = Target {
        uri: texts.get(..uri)?,
        q: u16::from_le_bytes([*q0, *q1]),
        route: texts.get(uri..end)?,
        flow: Flow::from_octets(flow),
    };
    Some(KeptTarget { target, tried: *tried != 0, next: at.saturating_add(HEAD).saturating_add(end) })
}

/// The places of the targets in a block.
pub(super) fn places(octets: &[u8]) -> impl Iterator<Item = (usize, KeptTarget<'_>)> {
    let mut at = 0_usize;
    core::iter::from_fn(move || {
        let target = target_at(octets, at)?;
        let place = core::mem::replace(&mut at, target.next);
        Some((place, target))
    })
}

/// Writes a target that was not tried; its texts have 65,535 octets each at most.
pub(super) fn write_target(writer: &mut Writer<'_>, target: &Target<'_>) {
    writer.raw(&[0]);
    writer.raw(&target.q.min(1000).to_le_bytes());
    writer.raw(&target.flow.to_octets());
    writer.raw(&(target.uri.len() as u16).to_le_bytes());
    writer.raw(&(target.route.len() as u16).to_le_bytes());
    writer.raw(target.uri);
    writer.raw(target.route);
}
