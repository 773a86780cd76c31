//! What a server tells: a line for each registration and each call, in words and, with `--json`, as an object.
//!
//! | member | what it says |
//! |---|---|
//! | `command`, `scope` | `serve`, `event` |
//! | `event` | `listening`; `users`; `registered`, `refreshed`, `expired`, `removed`; `call`, `finished` (with its final response), `ended` (by BYE); `redirected`; `refused`; `untrusted` (a connection, by TLS) |
//! | `ms` | milliseconds since the start |
//! | `aor`, `contact` | the address of record and the URI that is bound to it |
//! | `expires` | for how many seconds |
//! | `call_id`, `from`, `to` | which call |
//! | `call_ms` | milliseconds from the answer to the BYE |
//! | `sip_status` | the status that a call was answered with, or a request refused |
//! | `peer` | address and port of who was refused a connection |
//! | `text` | where the server listens; how many users there are, or what is wrong with their file; which request was refused and why; why a call failed, as its response says |
//!
//! Of what is refused at most ten lines are told in a second, and then how many there were.

use super::calls::{Ended, Failure};
use crate::net;
use crate::report::reason;
use crate::screen::Shared;
use crate::text::{Identity, printable, seconds};
use serde::Serialize;
use sip_core::registrar::{BindingInfo, Change};
use sip_core::server::Why;
use sip_core::time::Instant;
use sip_std_adapter::tls::TlsRefusal;
use std::net::SocketAddr;

#[derive(Debug, Default, Serialize)]
struct Line {
    command: &'static str,
    scope: &'static str,
    event: &'static str,
    ms: u64,
    aor: Option<String>,
    contact: Option<String>,
    expires: Option<u64>,
    #[serde(flatten)]
    identity: Identity,
    sip_status: Option<u16>,
    call_ms: Option<u64>,
    peer: Option<SocketAddr>,
    text: Option<String>,
}

/// What is to be told, in words and as an object.
pub(super) struct Told {
    text: String,
    line: Line,
}

/// Who is told.
pub(super) struct Log {
    screen: Shared,
    /// The server's column on a stage.
    column: Option<usize>,
    /// The second of the last refusal, and how many there were in it.
    refusals: (u64, u64),
}

/// Refusals that are told one by one in a second: what strangers send must not fill the screen.
const REFUSALS: u64 = 10;

impl Log {
    pub(super) fn new(screen: &Shared) -> Self {
        Self { screen: screen.clone(), column: None, refusals: (0, 0) }
    }

    /// Tells in a column of a stage.
    pub(super) fn set_column(&mut self, column: usize) {
        self.column = Some(column);
    }

    fn note(&self, now: Instant, text: &str) {
        match self.column {
            Some(column) => self.screen.lock().note_at(column, text),
            None => self.screen.lock().note(now, text),
        }
    }

    /// Where the server listens.
    pub(super) fn listening(&self, now: Instant, at: &str) {
        self.screen.lock().line(&format!("listening at {at}"));
        self.print(&Line { event: "listening", text: Some(at.to_owned()), ..line(now) });
    }

    /// What has become of the users.
    pub(super) fn users(&self, now: Instant, text: &str) {
        self.note(now, text);
        self.print(&Line { event: "users", text: Some(text.to_owned()), ..line(now) });
    }

    /// What has become of a binding, to be told now or when it is stored.
    pub(super) fn binding(&self, now: Instant, change: Change, binding: &BindingInfo<'_>) -> Option<Told> {
        let (aor, contact) = (printable(binding.aor), printable(binding.contact));
        let shown = self.shown(&aor);
        let left = binding.expires.since(now).as_millis().div_ceil(1000);
        let (event, text) = match change {
            Change::Registered if self.column.is_some() => ("registered", format!("{shown} registered")),
            Change::Registered => ("registered", format!("{shown} registered at {contact} for {left} s")),
            Change::Refreshed => ("refreshed", format!("{shown} stays at {contact} for {left} s")),
            Change::Expired => ("expired", format!("{shown} is no longer at {contact}: its time is over")),
            Change::Removed => ("removed", format!("{shown} left {contact}")),
            Change::None => return None,
        };
        let expires = (!change.is_end()).then_some(left);
        Some(Told { text, line: Line { event, aor: Some(aor), contact: Some(contact), expires, ..line(now) } })
    }

    /// Tells it.
    pub(super) fn tell(&self, now: Instant, told: &Told) {
        self.note(now, &told.text);
        self.print(&told.line);
    }

    /// A call comes in.
    pub(super) fn call(&self, now: Instant, identity: &Identity) {
        let text = format!("{} calls {}", self.name(&identity.from), self.name(&identity.to));
        self.note(now, &text);
        self.print(&Line { event: "call", identity: identity.clone(), ..line(now) });
    }

    /// A call was told where else to go.
    pub(super) fn redirected(&self, now: Instant, identity: &Identity) {
        let (from, to) = (self.name(&identity.from), self.name(&identity.to));
        self.note(now, &format!("{from} to {to}: 302, told where that is"));
        self.print(&Line { event: "redirected", identity: identity.clone(), sip_status: Some(302), ..line(now) });
    }

    /// A call was hung up.
    pub(super) fn ended(&self, now: Instant, ended: &Ended) {
        let identity = &ended.talk.identity;
        let (from, to) = (self.name(&identity.from), self.name(&identity.to));
        let lasted = now.since(ended.talk.answered.unwrap_or(now)).as_millis();
        let by = if ended.by_caller { from } else { to };
        self.note(now, &format!("{from} to {to}: ended after {}, hung up by {by}", seconds(lasted)));
        self.print(&Line { event: "ended", identity: identity.clone(), call_ms: Some(lasted), ..line(now) });
    }

    /// A call was answered, refused or given up, and why, where that is known.
    pub(super) fn finished(
        &self,
        now: Instant,
        identity: &Identity,
        started: Instant,
        status: u16,
        cause: Option<&str>,
    ) {
        let after = seconds(now.since(started).as_millis());
        let (from, to) = (self.name(&identity.from), self.name(&identity.to));
        let what = match status {
            200..=299 => "answered".to_owned(),
            status => format!("{status} {}", reason(status, None)),
        };
        let why = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        let shown = format!("{from} to {to}: {what} after {after}{why}");
        self.note(now, &shown);
        let (identity, text) = (identity.clone(), cause.map(str::to_owned));
        self.print(&Line { event: "finished", identity, sip_status: Some(status), text, ..line(now) });
    }

    /// A call could not be connected.
    pub(super) fn failed(&self, now: Instant, failure: &Failure) {
        let Failure { talk, status, cause } = failure;
        self.finished(now, &talk.identity, talk.started, *status, cause.as_deref());
    }

    /// A connection was refused by TLS.
    pub(super) fn untrusted(&mut self, now: Instant, refusal: &TlsRefusal) {
        if !self.may_tell(now) {
            return;
        }
        let text = format!("no connection with {} under TLS: {refusal}", refusal.peer);
        self.note(now, &text);
        self.print(&Line {
            event: "untrusted",
            peer: Some(refusal.peer),
            text: Some(refusal.to_string()),
            ..line(now)
        });
    }

    /// A request was refused.
    pub(super) fn refused(&mut self, now: Instant, identity: &Identity, method: &str, status: u16, why: Why) {
        if !self.may_tell(now) {
            return;
        }
        let why = reason_of(why);
        let (from, to) = (self.name(&identity.from), self.name(&identity.to));
        self.note(now, &format!("{method} of {from} for {to}: {status}, {why}"));
        let text = Some(format!("{method}: {why}"));
        self.print(&Line { event: "refused", identity: identity.clone(), sip_status: Some(status), text, ..line(now) });
    }

    /// Whether one more refusal is told in this second; how many were not told in the last one is.
    fn may_tell(&mut self, now: Instant) -> bool {
        let second = now.as_millis() / 1000;
        if self.refusals.0 != second {
            let (_, count) = core::mem::replace(&mut self.refusals, (second, 0));
            if let Some(more) = count.checked_sub(REFUSALS).filter(|more| *more > 0) {
                let text = format!("{more} more were refused in a second");
                self.note(now, &text);
                self.print(&Line { event: "refused", text: Some(text), ..line(now) });
            }
        }
        self.refusals.1 += 1;
        self.refusals.1 <= REFUSALS
    }

    fn name<'u>(&self, uri: &'u Option<String>) -> &'u str {
        self.shown(uri.as_deref().unwrap_or("somebody"))
    }

    /// A URI as it is shown: on a stage, where there is little room, by its user.
    fn shown<'u>(&self, uri: &'u str) -> &'u str {
        if self.column.is_some() { net::user_of(uri).unwrap_or(uri) } else { uri }
    }

    fn print(&self, line: &Line) {
        self.screen.lock().log(|| serde_json::to_string(line).unwrap_or_default());
    }
}

fn line(now: Instant) -> Line {
    Line { command: super::COMMAND, scope: "event", ms: now.as_millis(), ..Line::default() }
}

fn reason_of(why: Why) -> &'static str {
    match why {
        Why::Challenged => "asked for credentials",
        Why::WrongDigest => "the password is wrong",
        Why::UnknownUser => "there is no such user",
        Why::LockedOut => "too many wrong passwords",
        Why::Misdirected => "its credentials are for another Request-URI",
        Why::Forbidden => "it speaks for somebody else than the user of its password",
        Why::NotRelayed => "it is for another domain, and nothing is passed on there",
        Why::Extension => "it requires what is not supported",
        Why::NotFound => "nobody has this address",
        Why::NotRegistered => "nobody is registered there",
        Why::Method => "the server does not take this method",
        Why::Registrar(_) => "the registrar does not grant it",
        Why::NotStored => "it could not be stored",
        Why::Full => "there is no room",
        _ => "refused",
    }
}
