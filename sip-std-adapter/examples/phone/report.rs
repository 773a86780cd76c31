//! How a command ended: the last line, the JSON object, the exit status.
//!
//! # The JSON object
//! With `--json` each command but `parse` prints one object a line on standard output: one for each event as it happens
//! (`events.rs`), and the last one is the result. `answer` prints one more for each call, as it ends. Results have the same
//! members, whatever the command, and a fault of the command line is one of them; a member that does not apply is `null`.
//!
//! | member | what it says |
//! |---|---|
//! | `command` | `demo`, `call`, `answer`, `register` or `options`; `phone` when none was given |
//! | `scope` | `result` for the command as a whole, `call` for one call of `answer`, `event` for what happens |
//! | `outcome` | `ok`; `refused`; `usage`; `no_answer`; `untrusted`; `network`; `interrupted` |
//! | `exit_status` | 0 for `ok`, 1 for `refused`, 2 for `usage`, 3 for `no_answer` and `untrusted`, 4 for `network`, 130 for `interrupted` |
//! | `call_id`, `from`, `to` | the Call-ID of the first request, and the URIs in its From and To |
//! | `ended_by` | who ended the call: `local`, `peer`, `network` or `timer` |
//! | `cause` | why: `local_hangup`, `remote_hangup`, `cancelled`, `rejected`, `declined`, `no_answer`, `timeout`, `unreachable`, `no_ack`, `not_acceptable`, `lost`, `no_room`, `insecure` |
//! | `sip_status` | the SIP status that decided it, 200 for a call that was answered |
//! | `reason` | the reason phrase of that status |
//! | `peer` | the URI called or asked, or who called |
//! | `setup_ms` | milliseconds from the INVITE (or REGISTER, OPTIONS) to its final response |
//! | `call_ms` | milliseconds from the answer to the end of the call |
//! | `calls` | how many calls have ended |
//! | `contact` | the bindings that the registrar shows, or the Contacts of a redirection: a list |
//! | `expires` | for how many seconds our binding was good |
//! | `allow`, `accept`, `supported` | what the answer to OPTIONS lists: a list each |
//! | `server`, `user_agent` | what the answer to OPTIONS says of the program that sent it |
//! | `message` | the last line in words |

use crate::args::Command;
use crate::text::{Identity, printable};
use serde::Serialize;
use sip_core::message::{Message, reason_phrase};
use sip_core::ua::Cause;
use std::process::ExitCode;

/// How it ended, as the exit status tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// As asked.
    Ok,
    /// With a SIP status of 300 or more.
    Refused,
    /// What was asked can't be done.
    Usage,
    /// Nobody answered.
    NoAnswer,
    /// TLS refused the peer, or the peer refused TLS.
    Untrusted,
    /// Nobody is there, or the network fails.
    Network,
    /// The user stopped it (Ctrl-C).
    Interrupted,
}

/// The exit status of what the user stopped: as shells have it, 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

impl Outcome {
    /// The exit status.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::NoAnswer | Self::Untrusted => 3,
            Self::Network => 4,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// Everything that is told at the end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: &'static str,
    pub(crate) scope: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) exit_status: u8,
    pub(crate) ended_by: Option<&'static str>,
    pub(crate) cause: Option<&'static str>,
    pub(crate) sip_status: Option<u16>,
    pub(crate) reason: Option<String>,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) peer: Option<String>,
    pub(crate) setup_ms: Option<u64>,
    pub(crate) call_ms: Option<u64>,
    pub(crate) calls: Option<u64>,
    pub(crate) contact: Option<Vec<String>>,
    pub(crate) expires: Option<u32>,
    pub(crate) allow: Option<Vec<String>>,
    pub(crate) accept: Option<Vec<String>>,
    pub(crate) supported: Option<Vec<String>>,
    pub(crate) server: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) message: String,
}

impl Report {
    /// A report that says no more than this.
    pub(crate) fn new(command: &'static str, outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            command,
            scope: "result",
            outcome,
            exit_status: outcome.status(),
            ended_by: None,
            cause: None,
            sip_status: None,
            reason: None,
            identity: Identity::default(),
            peer: None,
            setup_ms: None,
            call_ms: None,
            calls: None,
            contact: None,
            expires: None,
            allow: None,
            accept: None,
            supported: None,
            server: None,
            user_agent: None,
            message: message.into(),
        }
    }

    /// The report of a failure before anything could be sent.
    pub(crate) fn failed(command: &Command, failure: &Failure) -> Self {
        match failure {
            Failure::Usage(message) => Self::new(command.name(), Outcome::Usage, message),
            Failure::Network(message) => Self::new(command.name(), Outcome::Network, message),
        }
    }

    /// The same with another outcome.
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self.exit_status = outcome.status();
        self
    }

    /// The same with the SIP status that decided it, and its reason: the peer's, or the usual one.
    pub(crate) fn with_status(mut self, status: u16, response: Option<&Message<'_>>) -> Self {
        if status > 0 {
            self.sip_status = Some(status);
            self.reason = Some(reason(status, response));
        }
        self
    }

    /// The exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_status)
    }

    /// The JSON object, on one line.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The reason phrase of the response, or the usual one of its status.
pub(crate) fn reason(status: u16, response: Option<&Message<'_>>) -> String {
    match response.filter(|response| response.status() == Some(status)).map(Message::reason) {
        Some(reason) if !reason.is_empty() => printable(reason),
        _ => reason_phrase(status).to_owned(),
    }
}

/// Why a command could not be carried out at all.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked can't be done.
    Usage(String),
    /// The system or the network does not go along.
    Network(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Network(error.to_string())
    }
}

/// Who ended a call, in one word.
pub(crate) fn ended_by(cause: Cause) -> &'static str {
    match cause {
        Cause::LocalHangup | Cause::Declined | Cause::NoRoom | Cause::NotAcceptable | Cause::WeakDigest => "local",
        Cause::RemoteHangup | Cause::Cancelled | Cause::Rejected | Cause::Lost | Cause::Replaced => "peer",
        Cause::NoAnswer | Cause::Timeout | Cause::NoAck | Cause::SessionExpired => "timer",
        _ => "network",
    }
}

/// The name of a cause in JSON.
pub(crate) fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::LocalHangup => "local_hangup",
        Cause::RemoteHangup => "remote_hangup",
        Cause::Cancelled => "cancelled",
        Cause::Rejected => "rejected",
        Cause::Declined => "declined",
        Cause::NoAnswer => "no_answer",
        Cause::Timeout => "timeout",
        Cause::Unreachable => "unreachable",
        Cause::NoAck => "no_ack",
        Cause::NotAcceptable => "not_acceptable",
        Cause::Lost => "lost",
        Cause::NoRoom => "no_room",
        Cause::Insecure => "insecure",
        Cause::NoFallback => "no_fallback",
        Cause::WeakDigest => "weak_digest",
        Cause::Replaced => "replaced",
        Cause::SessionExpired => "session_expired",
        _ => "other",
    }
}

/// A cause in words, behind "the call ended: ".
pub(crate) fn cause_text(cause: Cause) -> &'static str {
    match cause {
        Cause::LocalHangup => "hung up here",
        Cause::RemoteHangup => "hung up by the peer",
        Cause::Cancelled => "given up by the caller",
        Cause::Rejected => "refused by the peer",
        Cause::Declined => "refused here",
        Cause::NoAnswer => "nobody answered in time",
        Cause::Timeout => "the peer did not respond",
        Cause::Unreachable => "the peer can't be reached",
        Cause::NoAck => "the peer never acknowledged the answer",
        Cause::NotAcceptable => "no session could be agreed",
        Cause::Lost => "the peer does not know the call any more",
        Cause::NoRoom => "no room here to go on",
        Cause::Insecure => "it had to go by TLS, and there is only a way without",
        Cause::NoFallback => "it can't be reached by TLS, and is not tried without",
        Cause::WeakDigest => "the password was asked for by a weaker digest than --weakest-digest allows",
        other => other.as_str(),
    }
}
