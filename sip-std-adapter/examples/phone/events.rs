//! What happens, one JSON object a line.
//!
//! | member | what it says |
//! |---|---|
//! | `command` | as in the result |
//! | `scope` | `event` |
//! | `event` | `listening`, or the name of the user agent's event: `incoming`, `replacing`, `progress`, `answered`, `confirmed`, `reinvite`, `reinvite_cancelled`, `reinvited`, `refresh_due`, `ended`, `request`, `response`, `oversize`, `registered`, `unregistered`, `registration_failed`, `refer`, `refer_accepted`, `refer_progress`, `refer_ended` |
//! | `ms` | milliseconds since the phone's start |
//! | `call_id`, `from`, `to` | which call, or the request that came in |
//! | `sip_status`, `reason` | of the response, or of what decided |
//! | `cause` | why a call ended, as in the result; why a registration failed: `refused`, `not_bound`, `timeout`, `unreachable`, `lapsed`, `insecure`; why a REFER is over: `refused`, `done`, `not_told`, `expired`, `lost`, `no_room` |
//! | `expires`, `retry_after` | seconds: of the binding, until a registration is tried again |
//! | `method`, `text` | of a request that came in; where the phone listens; whom a REFER names |

use crate::report::{cause_name, reason};
use crate::text::{Identity, one_line, printable};
use serde::Serialize;
use sip_core::message::Message;
use sip_core::time::Instant;
use sip_core::ua::{Call, Event, ReferCause, RegistrationCause};
use std::collections::HashMap;

/// The line of an event. A member that does not apply is `null`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Line {
    command: &'static str,
    scope: &'static str,
    event: &'static str,
    ms: u64,
    #[serde(flatten)]
    identity: Identity,
    sip_status: Option<u16>,
    reason: Option<String>,
    cause: Option<&'static str>,
    expires: Option<u32>,
    retry_after: Option<u32>,
    method: Option<String>,
    text: Option<String>,
}

impl Line {
    fn status(self, status: u16, message: Option<&Message<'_>>) -> Self {
        if status == 0 {
            return self;
        }
        Self { sip_status: Some(status), reason: Some(reason(status, message)), ..self }
    }

    /// The JSON object, on one line.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Which calls there are, so that what happens in one can be told apart.
pub(crate) struct Log {
    command: &'static str,
    calls: HashMap<Call, Identity>,
}

impl Log {
    pub(crate) fn new(command: &'static str) -> Self {
        Self { command, calls: HashMap::new() }
    }

    /// Says which call this is, once it is known.
    pub(crate) fn identify(&mut self, call: Call, identity: &Identity) {
        self.calls.entry(call).or_insert_with(|| identity.clone());
    }

    /// The line that says where the phone waits.
    pub(crate) fn listening(&self, now: Instant, at: &str) -> Line {
        Line { event: "listening", text: Some(at.to_owned()), ..self.line(now) }
    }

    fn line(&self, now: Instant) -> Line {
        Line { command: self.command, scope: "event", ms: now.as_millis(), ..Line::default() }
    }

    /// The line of an event, with the message that brought it, if one did. A call of ours that was never answered is named by
    /// its INVITE, which was the first request: `first`.
    pub(crate) fn event(
        &mut self,
        now: Instant,
        event: Event,
        message: Option<&Message<'_>>,
        first: impl Fn() -> Option<Identity>,
    ) -> Line {
        let line = self.line(now);
        let (name, call) = name(event);
        let identity = match (call, message) {
            (Some(call), Some(message)) if name != "request" => {
                self.identify(call, &Identity::of(message));
                self.calls.get(&call).cloned()
            }
            (Some(call), None) => self.calls.get(&call).cloned().or_else(first),
            (_, message) => message.map(Identity::of),
        };
        let line = Line { event: name, identity: identity.unwrap_or_default(), ..line };
        match event {
            Event::Progress { status, .. } | Event::Reinvited { status, .. } | Event::Response { status, .. } => {
                line.status(status, message)
            }
            Event::Ended { call, cause, status } => {
                self.calls.remove(&call);
                Line { cause: Some(cause_name(cause)), ..line }.status(status, message)
            }
            Event::Refer { .. } => Line {
                text: message.and_then(|message| message.refer_to()?.ok()).map(|to| printable(to.raw_uri())),
                ..line
            },
            Event::ReferProgress { status, .. } => line.status(status, None),
            Event::ReferEnded { cause, status, .. } => {
                Line { cause: Some(refer_cause(cause)), ..line }.status(status, None)
            }
            Event::Request { .. } => Line {
                method: message.map(|message| printable(message.method().as_bytes())),
                text: message.map(|message| one_line(message.body())),
                ..line
            },
            Event::Registered { expires, .. } => Line { expires: Some(expires), ..line },
            Event::RegistrationFailed { cause, status, retry_after, .. } => {
                let cause = registration_cause(cause);
                Line { cause: Some(cause), retry_after: Some(retry_after), ..line }.status(status, message)
            }
            _ => line,
        }
    }
}

fn refer_cause(cause: ReferCause) -> &'static str {
    match cause {
        ReferCause::Refused => "refused",
        ReferCause::Done => "done",
        ReferCause::NotTold => "not_told",
        ReferCause::Expired => "expired",
        ReferCause::Lost => "lost",
        ReferCause::NoRoom => "no_room",
        ReferCause::WeakDigest => "weak_digest",
        _ => "other",
    }
}

fn registration_cause(cause: RegistrationCause) -> &'static str {
    match cause {
        RegistrationCause::NotBound => "not_bound",
        RegistrationCause::Timeout => "timeout",
        RegistrationCause::Unreachable => "unreachable",
        RegistrationCause::Lapsed => "lapsed",
        RegistrationCause::Insecure => "insecure",
        RegistrationCause::NoFallback => "no_fallback",
        RegistrationCause::WeakDigest => "weak_digest",
        _ => "refused",
    }
}

/// The name of an event, and the call in which it happens.
fn name(event: Event) -> (&'static str, Option<Call>) {
    match event {
        Event::Incoming { call } => ("incoming", Some(call)),
        Event::Replacing { call, .. } => ("replacing", Some(call)),
        Event::Refer { call, .. } => ("refer", Some(call)),
        Event::ReferAccepted { .. } => ("refer_accepted", None),
        Event::ReferProgress { .. } => ("refer_progress", None),
        Event::ReferEnded { .. } => ("refer_ended", None),
        Event::Progress { call, .. } => ("progress", Some(call)),
        Event::Answered { call, .. } => ("answered", Some(call)),
        Event::Confirmed { call } => ("confirmed", Some(call)),
        Event::Reinvite { call } => ("reinvite", Some(call)),
        Event::Update { call } => ("update", Some(call)),
        Event::Updated { call, .. } => ("updated", Some(call)),
        Event::ProvisionalAcknowledged { call, .. } => ("provisional_acknowledged", Some(call)),
        Event::ReinviteCancelled { call } => ("reinvite_cancelled", Some(call)),
        Event::Reinvited { call, .. } => ("reinvited", Some(call)),
        Event::OfferTimedOut { call } => ("offer_timed_out", Some(call)),
        Event::RefreshDue { call } => ("refresh_due", Some(call)),
        Event::Ended { call, .. } => ("ended", Some(call)),
        Event::Request { call, .. } => ("request", call),
        Event::Response { .. } => ("response", None),
        Event::RequestRefused { .. } => ("request_refused", None),
        Event::Oversize { .. } => ("oversize", None),
        Event::Registered { .. } => ("registered", None),
        Event::Unregistered { .. } => ("unregistered", None),
        Event::RegistrationFailed { .. } => ("registration_failed", None),
        _ => ("other", None),
    }
}
