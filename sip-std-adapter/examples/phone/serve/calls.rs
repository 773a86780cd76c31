//! The calls that a server has passed on, from the INVITE to the BYE.
//!
//! The proxy tells of requests. That a call is over is seen by its BYE, which passes here because the server record-routes; a phone
//! that dies without one leaves its call up for ever, so there are [`MOST`] at most.

use crate::report::reason;
use crate::text::{Identity, printable};
use sip_core::message::Message;
use sip_core::time::Instant;
use std::collections::HashMap;
use std::hash::Hash;

/// Calls that are known to be up; one more is not followed to its end.
const MOST: usize = 16_384;

/// A call.
#[derive(Clone)]
pub(super) struct Talk {
    pub(super) identity: Identity,
    /// The tag of the caller, which no other call has.
    tag: Vec<u8>,
    /// When its INVITE came.
    pub(super) started: Instant,
    /// When it was answered.
    pub(super) answered: Option<Instant>,
}

/// A call that a BYE has ended.
pub(super) struct Ended {
    pub(super) talk: Talk,
    /// Whether the one who called has hung up.
    pub(super) by_caller: bool,
}

/// The calls, those that ring by their request.
pub(super) struct Calls<R> {
    ringing: HashMap<R, Talk>,
    /// By Call-ID and the caller's tag.
    up: HashMap<(Vec<u8>, Vec<u8>), Talk>,
    /// Those that failed, whose response has not been seen yet: it says why.
    failing: Vec<Failure>,
    ended: u64,
}

/// A call that could not be connected.
pub(super) struct Failure {
    pub(super) talk: Talk,
    pub(super) status: u16,
    /// What its response says.
    pub(super) cause: Option<String>,
}

impl<R: Copy + Eq + Hash> Calls<R> {
    pub(super) fn new() -> Self {
        Self { ringing: HashMap::new(), up: HashMap::new(), failing: Vec::new(), ended: 0 }
    }

    /// How many are over.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// How many are answered and not over.
    pub(super) fn up(&self) -> usize {
        self.up.len()
    }

    /// Some that ring.
    pub(super) fn ringing(&self) -> impl Iterator<Item = &Talk> {
        self.ringing.values()
    }

    /// An INVITE was passed on.
    pub(super) fn began(&mut self, now: Instant, request: R, invite: &Message<'_>) {
        let tag = invite.from().tag().unwrap_or_default().to_vec();
        self.ringing.insert(request, Talk { identity: Identity::of(invite), tag, started: now, answered: None });
    }

    /// It has its final response.
    pub(super) fn finished(&mut self, now: Instant, request: R, status: u16) -> Option<Talk> {
        let talk = self.ringing.remove(&request)?;
        if !(200..300).contains(&status) {
            self.ended += 1;
        } else if self.up.len() < MOST {
            let call_id = talk.identity.call_id.clone().unwrap_or_default().into_bytes();
            self.up.insert((call_id, talk.tag.clone()), Talk { answered: Some(now), ..talk.clone() });
        }
        Some(talk)
    }

    /// A call has failed, and why is in the response that is about to be sent.
    pub(super) fn fail(&mut self, talk: Talk, status: u16) {
        self.failing.push(Failure { talk, status, cause: None });
    }

    /// A response was sent: the call that it has failed, and its cause in words, which is the first Warning (RFC 3261 §20.43) or a reason
    /// phrase other than the usual one.
    pub(super) fn failed(&mut self, response: &Message<'_>) -> Option<Failure> {
        let (call_id, tag) = (printable(response.call_id()), response.from().tag().unwrap_or_default());
        let is_it = |one: &Failure| one.talk.identity.call_id.as_ref() == Some(&call_id) && one.talk.tag == tag;
        let place = self.failing.iter().position(is_it)?;
        let mut failure = self.failing.remove(place);
        let warning = response.warnings().find_map(Result::ok).map(|warning| printable(warning.text));
        let phrase = || Some(printable(response.reason())).filter(|phrase| *phrase != reason(failure.status, None));
        failure.cause = warning.or_else(phrase).filter(|cause| !cause.is_empty());
        Some(failure)
    }

    /// Whether a failure waits for its response.
    pub(super) fn is_failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Those of which no response was sent.
    pub(super) fn take_failing(&mut self) -> Vec<Failure> {
        core::mem::take(&mut self.failing)
    }

    /// A BYE has come.
    pub(super) fn hung_up(&mut self, bye: &Message<'_>) -> Option<Ended> {
        let call_id = printable(bye.call_id()).into_bytes();
        let tags = [bye.from().tag(), bye.to_tag()].map(|tag| tag.unwrap_or_default().to_vec());
        let [from, to] = tags.map(|tag| self.up.remove(&(call_id.clone(), tag)));
        let by_caller = from.is_some();
        let talk = from.or(to)?;
        self.ended += 1;
        Some(Ended { talk, by_caller })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: &str, from: &str, to: &str) -> String {
        format!(
            "{method} sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
             From: <sip:x@h>;tag={from}\r\nTo: <sip:y@h>{to}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// The calls after an INVITE was answered with this status.
    fn answered(status: u16) -> Calls<u32> {
        let mut calls = Calls::new();
        let invite = message("INVITE", "a", "");
        calls.began(Instant::from_millis(10), 7, &Message::parse(invite.as_bytes()).unwrap());
        assert_eq!(calls.ringing().count(), 1);
        assert!(calls.finished(Instant::from_millis(20), 7, status).is_some());
        assert!(calls.finished(Instant::from_millis(20), 7, status).is_none());
        calls
    }

    #[test]
    fn a_call_ends_with_the_bye_of_either_side_and_once() {
        for (from, to, by_caller) in [("a", ";tag=b", true), ("b", ";tag=a", false)] {
            let mut calls = answered(200);
            assert_eq!((calls.up(), calls.ended()), (1, 0));
            let other = message("BYE", "x", ";tag=y");
            assert!(calls.hung_up(&Message::parse(other.as_bytes()).unwrap()).is_none());
            let bye = message("BYE", from, to);
            let bye = Message::parse(bye.as_bytes()).unwrap();
            let ended = calls.hung_up(&bye).unwrap();
            assert_eq!((ended.by_caller, ended.talk.answered), (by_caller, Some(Instant::from_millis(20))));
            assert!(calls.hung_up(&bye).is_none());
            assert_eq!((calls.up(), calls.ended(), calls.ringing().count()), (0, 1, 0));
        }
    }

    #[test]
    fn the_response_to_a_call_that_failed_says_why() {
        let response = |phrase: &str, rows: &str| {
            format!(
                "SIP/2.0 500 {phrase}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:x@h>;tag=a\r\nTo: <sip:y@h>;tag=b\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\n{rows}Content-Length: 0\r\n\r\n"
            )
        };
        let usual = reason(500, None);
        for (phrase, rows, cause) in [
            (&*usual, "Warning: 399 proxy \"The next hop is away\"\r\n", Some("The next hop is away")),
            ("Out of Coffee", "", Some("Out of Coffee")),
            (&*usual, "", None),
        ] {
            let mut calls = Calls::new();
            let invite = message("INVITE", "a", "");
            calls.began(Instant::ZERO, 7, &Message::parse(invite.as_bytes()).unwrap());
            let talk = calls.finished(Instant::ZERO, 7, 500).unwrap();
            calls.fail(talk, 500);
            let text = response(phrase, rows);
            let failure = calls.failed(&Message::parse(text.as_bytes()).unwrap()).unwrap();
            assert_eq!((failure.status, failure.cause.as_deref()), (500, cause));
            assert!(calls.failed(&Message::parse(text.as_bytes()).unwrap()).is_none() && !calls.is_failing());
        }
    }

    #[test]
    fn a_call_that_was_refused_is_over() {
        let calls = answered(486);
        assert_eq!((calls.up(), calls.ended()), (0, 1));
    }
}
