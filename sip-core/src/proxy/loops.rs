//! Loops (RFC 3261 §16.3 step 4, RFC 5393 §4.2): a request that comes back as it went out.
//!
//! A branch of this proxy is the magic cookie, sixteen characters that no other branch has, a dot, and sixteen characters that
//! stand for all of the request by which it is routed. A request that has a Via of this proxy with those of the request itself
//! would go the same way again, and is a loop; with others it is a spiral, and goes on.

use super::work::Work;
use crate::memory::Octets;
use crate::message::forward::MAX_BREADTH;
use crate::message::scan::decimal_u32;
use crate::message::{HeaderName, Message, Via};
use crate::random::{HashKey, QuickHasher, Token};

/// What a branch has between its two halves.
const DOT: u8 = b'.';

/// A branch as it stands behind the magic cookie.
#[derive(Clone, Copy)]
pub(super) struct BranchText([u8; 33]);

impl BranchText {
    pub(super) fn new(token: Token, loop_hash: u64) -> Self {
        let mut text = [DOT; 33];
        let hash = Token::new(loop_hash);
        // Sixteen octets at a time, where each half has its place.
        if let (Some(place), Some(octets)) = (text.first_chunk_mut::<16>(), token.as_bytes().first_chunk()) {
            *place = *octets;
        }
        if let (Some(place), Some(octets)) = (text.last_chunk_mut::<16>(), hash.as_bytes().first_chunk()) {
            *place = *octets;
        }
        Self(text)
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The dot and what stands behind it.
    pub(super) fn suffix(&self) -> &[u8] {
        self.0.get(16..).unwrap_or_default()
    }
}

/// What stands for a request: all by which it is routed, and of that what ACK and CANCEL share with their INVITE (RFC 3261 §9.1,
/// §17.1.1.3): no method, no To tag, which a refusal has given, nothing of Proxy-Require and Proxy-Authorization, which a CANCEL does
/// not bear. It is under no key: who makes a request look like one that was here has nothing but his own refused.
pub(super) fn hash(request: &Message<'_>) -> u64 {
    let mut hasher = QuickHasher::new(u64::from(request.cseq().number))
        .part(request.request_uri().unwrap_or_default())
        .part(request.call_id())
        .part(request.parties().0.tag().unwrap_or_default());
    for row in request.header_rows(HeaderName::Route) {
        hasher = hasher.part(row);
    }
    hasher.finish()
}

/// What makes the branch of a request unique that goes on without a transaction: the same for each repetition of it, and for its
/// CANCEL and the ACK to its refusal, which have its topmost Via and its CSeq number (RFC 3261 §16.11). All of it comes back
/// with the response, which is known by it.
pub(super) fn stateless_token(key: HashKey, message: &Message<'_>, via: &Via<'_>) -> Token {
    let hasher = key
        .hasher()
        .number(u64::from(message.cseq().number))
        .part_ignoring_case(via.branch().unwrap_or_default())
        .part_ignoring_case(via.host_text())
        .number(u64::from(via.port().unwrap_or(0)))
        .part(message.call_id())
        .part_ignoring_case(message.from_tag().unwrap_or_default());
    Token::new(hasher.finish().bits())
}

/// The same for the ACK to a 2xx, which has no response and a rule of its own: all by which it is routed, with both tags of the
/// dialog, and so the same for each repetition.
pub(super) fn ack_token(key: HashKey, ack: &Message<'_>, loop_hash: u64) -> Token {
    let tag = ack.to_tag().unwrap_or_default();
    Token::new(key.hasher().number(loop_hash).part_ignoring_case(tag).finish().bits())
}

/// The breadth of a request that says none, and the most that it may say (RFC 5393 §5.3.1).
const BREADTH: u16 = 60;

/// How many branches a request may have at once here and behind (RFC 5393 §5.3).
pub(super) fn max_breadth(request: &Message<'_>) -> u16 {
    let said = request.first_unnumbered(MAX_BREADTH.as_bytes()).and_then(decimal_u32);
    said.map_or(BREADTH, |said| u16::try_from(said).unwrap_or(BREADTH).min(BREADTH))
}

impl<O: Octets> Work<'_, O> {
    /// Whether a request has been here before, as it is now.
    pub(super) fn is_loop(&self, request: &Message<'_>, loop_hash: u64) -> bool {
        let is_same = |via: &Via<'_>| {
            let suffix = BranchText::new(Token::ZERO, loop_hash);
            self.core.settings.own_via(self.texts(), via)
                && via.branch().is_some_and(|branch| branch.ends_with(suffix.suffix()))
        };
        is_same(request.via()) || !request.is_direct() && request.vias().flatten().skip(1).any(|via| is_same(&via))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_has_two_halves() {
        let text = BranchText::new(Token::new(1), 0xabc);
        assert_eq!(text.as_bytes(), b"0000000000000001.0000000000000abc");
        assert_eq!(text.suffix(), b".0000000000000abc");
    }
}
