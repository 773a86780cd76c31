//! Users for long and large tests: they answer what comes, at once, and count.

use sip_core::message::{Header, HeaderName, Message, Method};
use sip_core::time::Instant;
use sip_core::ua::Memory;
use sip_core::ua::{Call, Content, Event, UserAgent};
use sip_testkit::{ANSWER, NodeId, User};

/// Answers calls, re-INVITEs and requests, and acts as a registrar that grants what is asked for.
#[derive(Debug, Default)]
pub(crate) struct Hall {
    /// Declines further calls.
    pub(crate) declines: bool,
    /// Calls that came in and those that were answered, while they last.
    pub(crate) calls: Vec<(NodeId, Call)>,
    /// The last call that came.
    pub(crate) last: Option<(NodeId, Call)>,
    pub(crate) incoming: u64,
    pub(crate) answered: u64,
    pub(crate) reinvited: u64,
    pub(crate) registered: u64,
    pub(crate) unregistered: u64,
    pub(crate) ended: u64,
    /// What should not have happened.
    pub(crate) failed: u64,
    /// Keeps no list of calls.
    pub(crate) counts_only: bool,
}

impl<M: Memory> User<UserAgent<M>> for Hall {
    fn on_event(
        &mut self,
        phone: &mut UserAgent<M>,
        now: Instant,
        node: NodeId,
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        match event {
            Event::Incoming { call } => {
                self.incoming += 1;
                if self.declines {
                    let _ = phone.reject(now, call, 603, &Content::NONE);
                    return;
                }
                self.last = Some((node, call));
                self.keep(node, call);
                self.failed += u64::from(phone.answer(now, call, &Content::sdp(ANSWER)).is_err());
            }
            Event::Answered { call, .. } => {
                self.answered += 1;
                self.keep(node, call);
            }
            Event::Reinvite { call } => _ = phone.answer(now, call, &Content::sdp(ANSWER)),
            Event::Reinvited { status: 200, .. } => self.reinvited += 1,
            Event::Request { request, .. } => {
                let mut headers = Vec::new();
                if let Some(register) = message.filter(|message| message.method() == Method::Register) {
                    for name in [HeaderName::Contact, HeaderName::Expires] {
                        headers.extend(register.header(name).map(|value| Header { name, value }));
                    }
                }
                let _ = phone.respond(now, request, 200, &Content::NONE.with_headers(&headers));
            }
            Event::Registered { .. } => self.registered += 1,
            Event::Unregistered { .. } => self.unregistered += 1,
            Event::RegistrationFailed { .. } => self.failed += 1,
            Event::Ended { call, .. } => {
                self.ended += 1;
                if !self.counts_only {
                    self.calls.retain(|kept| *kept != (node, call));
                }
            }
            _ => {}
        }
    }
}

impl Hall {
    fn keep(&mut self, node: NodeId, call: Call) {
        if !self.counts_only {
            self.calls.push((node, call));
        }
    }
}
