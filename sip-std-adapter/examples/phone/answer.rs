//! `phone answer`: any number of calls, several at once.

use crate::args::{self, Refer};
use crate::interrupt::Interrupt;
use crate::phone::{BUFFER, Phone, Setup, Step, session_text};
use crate::report::{Failure, Outcome, Report, cause_name, cause_text, ended_by};
use crate::screen::{Shared, Waiting};
use crate::sdp::Wish;
use crate::text::{Identity, caller, count, seconds};
use sip_core::message::{Header, HeaderName, Message};
use sip_core::time::{Duration, Instant};
use sip_core::ua::{Call, Cause, Content, Event, Referral, Registration, RegistrationCause, SessionError};
use std::collections::{BTreeMap, HashMap};

const COMMAND: &str = "answer";

/// Refused because we are about to stop.
const STOPPING: u16 = 480;
/// How long the registrar has to remove our binding at the end.
const UNREGISTER: Duration = Duration::from_secs(4);

/// How calls are answered.
pub(crate) struct Plan {
    pub(crate) command: &'static str,
    pub(crate) ring: Duration,
    /// Whether every call is refused.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) hangup_after: Option<Duration>,
    pub(crate) count: Option<u64>,
    /// Whether a peer may have us call somebody.
    pub(crate) refer: Refer,
}

/// A final response to refuse with, and where to call instead.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Values of Contact.
    pub(crate) contacts: Vec<String>,
}

/// What has happened, for the demonstration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    pub(crate) confirmed: u64,
    pub(crate) changes: u64,
}

/// Waits for calls as the command line says.
pub(crate) fn run(args: &args::Answer, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let refusal = refusal(args)?;
    let mut phone = Phone::start(
        &Setup {
            listen: args.listen,
            port: if args.register.is_some() { 0 } else { 5060 },
            towards: args.register.as_deref(),
            // Whom a peer has us call is reached as we are: by the server that we are registered at.
            proxy: args.register.as_deref(),
            identity: args.aor.as_deref(),
            busy: true,
            codecs: &args.sound.codecs,
            upkeep: args.upkeep,
            ..Setup::by(COMMAND, &args.way, &args.credentials)
        },
        screen,
        interrupt,
    )?;
    let plan = Plan {
        command: COMMAND,
        ring: args.ring,
        refusal,
        hangup_after: args.hangup_after,
        count: args.count,
        refer: args.transfer.refer,
    };
    let registration = match (&args.register, &args.aor) {
        (Some(registrar), Some(aor)) => {
            Some(phone.adapter.with(|ua, now| ua.register(now, registrar, aor, crate::register::EXPIRES))?)
        }
        _ => None,
    };
    phone.listening();
    Ok(serve(&mut phone, &plan, registration)?.0)
}

/// How every call is refused. A redirection says where to go (RFC 3261 §21.3); another refusal has nowhere to name, but for the
/// choice that a 485 leaves.
fn refusal(args: &args::Answer) -> Result<Option<Refusal>, Failure> {
    let Some(status) = args.status else { return Ok(None) };
    let contacts: Vec<String> = args.contact.iter().map(|uri| format!("<{uri}>")).collect();
    match (status, contacts.is_empty()) {
        (300..=399, true) => Err(Failure::Usage(format!("--status {status} needs --contact: where to call instead"))),
        (400..=484 | 486.., false) => Err(Failure::Usage(format!("--contact says nothing with --status {status}"))),
        _ => Ok(Some(Refusal { status, contacts })),
    }
}

/// Takes calls until there were enough, or until the user stops it.
pub(crate) fn serve(
    phone: &mut Phone,
    plan: &Plan,
    registration: Option<Registration>,
) -> Result<(Report, Steps), Failure> {
    let mut answerer = Answerer {
        place: phone.adapter.local_addr().to_string(),
        phone,
        plan,
        calls: HashMap::new(),
        due: BTreeMap::new(),
        number: 0,
        ended: 0,
        over: Vec::new(),
        registration,
        stopping: None,
        failure: None,
        steps: Steps::default(),
    };
    let mut buffer = vec![0; BUFFER];
    answerer.take_calls(&mut buffer)?;
    answerer.phone.flush(&mut buffer)?;
    answerer.tell_ended();
    let (report, steps) = (answerer.report(), answerer.steps);
    phone.linger(&mut buffer)?;
    Ok((report, steps))
}

/// Whether a CANCEL says that somebody else has answered (RFC 3326 §3.1).
fn is_answered_elsewhere(cancel: &Message<'_>) -> bool {
    cancel
        .reasons()
        .flatten()
        .any(|reason| reason.protocol().eq_ignore_ascii_case(b"SIP") && reason.cause() == Some(200))
}

/// A call, from the INVITE to its end.
struct Talk {
    peer: String,
    identity: Identity,
    started: Instant,
    answered: Option<Instant>,
    /// Made for a peer that asked for it.
    is_ours: bool,
}

/// Something to do in a call at its time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Answer,
    HangUp,
}

struct Answerer<'p> {
    phone: &'p mut Phone,
    plan: &'p Plan,
    place: String,
    calls: HashMap<Call, Talk>,
    /// By time, then in the order of asking.
    due: BTreeMap<(Instant, u64), (Call, Task)>,
    number: u64,
    ended: u64,
    /// Calls that have ended and were not shown yet.
    over: Vec<Report>,
    registration: Option<Registration>,
    /// Since when the end is being awaited.
    stopping: Option<Instant>,
    /// The registrar's refusal.
    failure: Option<Report>,
    steps: Steps,
}

impl Answerer<'_> {
    fn take_calls(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        loop {
            if self.phone.interrupt.is_raised() || self.plan.count.is_some_and(|count| self.ended >= count) {
                self.stop();
            }
            let give_up = self.stopping.map(|since| since + UNREGISTER);
            if self.stopping.is_some() && self.calls.is_empty() {
                let late = give_up.is_some_and(|at| at <= self.phone.now());
                if self.registration.is_none() || late {
                    return Ok(());
                }
            }
            let first = self.due.first_key_value().map(|(&(at, _), _)| at);
            // What has ended is told behind the messages that end it, and at once.
            let told = (!self.over.is_empty()).then(|| self.phone.now());
            let until = [first, told, give_up.filter(|_| self.calls.is_empty())].into_iter().flatten().min();
            let waiting = self.waiting();
            let step = self.phone.step(buffer, until, &waiting)?;
            // The step has sent what the last event asked for: the 180, the 200 to a BYE.
            self.do_what_is_due();
            self.tell_ended();
            if let Step::Event(event, message) = step {
                self.see(event, message.as_ref());
            }
        }
    }

    fn waiting(&self) -> Waiting {
        let up = self.calls.len();
        let what = match (self.stopping, up) {
            (Some(_), 0) => "the registrar to remove our binding".to_owned(),
            (Some(_), _) => format!("the end of {up} calls"),
            (None, _) => format!("calls at {} ({up} up, {} ended)", self.place, self.ended),
        };
        Waiting::new(what)
    }

    /// Hangs up everywhere and takes no more calls.
    fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let now = self.phone.now();
        self.stopping = Some(now);
        self.due.clear();
        for call in self.calls.keys() {
            // It fails for a call that has ended, which is being told.
            let _ = self.phone.adapter.role_mut().hang_up(now, *call);
        }
        if let Some(registration) = self.registration
            && self.phone.adapter.role_mut().unregister(now, registration).is_err()
        {
            self.registration = None;
        }
    }

    fn schedule(&mut self, after: Duration, call: Call, task: Task) {
        self.number += 1;
        self.due.insert((self.phone.now() + after, self.number), (call, task));
    }

    fn do_what_is_due(&mut self) {
        let now = self.phone.now();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let (call, task) = entry.remove();
            match task {
                Task::Answer => self.answer(call),
                Task::HangUp => {
                    let _ = self.phone.adapter.role_mut().hang_up(now, call);
                }
            }
        }
    }

    fn see(&mut self, event: Event, message: Option<&Message<'_>>) {
        match event {
            Event::Incoming { call } => self.ring(call, message),
            Event::Replacing { call, replaced } => self.replace(call, replaced, message),
            Event::Refer { referral, call } => self.refer(referral, call, message),
            Event::Progress { call, .. } => _ = message.map(|message| self.phone.agree(call, message)),
            Event::Answered { call, .. } => self.answered(call, message),
            Event::Confirmed { .. } => {
                self.steps.confirmed += 1;
                self.phone.respond(event, message);
            }
            Event::Ended { call, cause, status } => self.ended(call, cause, status, message),
            Event::Reinvite { .. } => {
                self.steps.changes += 1;
                self.phone.respond(event, message);
            }
            Event::Registered { expires, .. } => self.phone.note(&format!("registered for {expires} s")),
            Event::Unregistered { .. } => self.registration = None,
            Event::RegistrationFailed { cause, status, retry_after, .. } => {
                self.unregistered((cause, status), retry_after, message);
            }
            other => self.phone.respond(other, message),
        }
    }

    /// A call comes in: it rings, and is answered at its time.
    fn ring(&mut self, call: Call, message: Option<&Message<'_>>) {
        self.take(call, message, self.plan.ring);
    }

    /// The same, answered after so long; a call that is answered at once does not ring.
    fn take(&mut self, call: Call, message: Option<&Message<'_>>, ring: Duration) {
        let started = self.phone.now();
        let peer = message.map(caller).unwrap_or_default();
        let identity = message.map(Identity::of).unwrap_or_default();
        self.calls.insert(call, Talk { peer, identity, started, answered: None, is_ours: false });
        if self.stopping.is_some() {
            let _ = self.phone.adapter.role_mut().reject(started, call, STOPPING, &Content::NONE);
            return;
        }
        // An offer that can't be taken is refused at once, whatever else the plan is.
        if self.plan.refusal.is_none() && message.is_some_and(|message| self.is_refused(call, message)) {
            return;
        }
        // Without room for a 180 there may be room for the answer.
        let _ = self.phone.adapter.role_mut().ring(started, call, 180, &Content::NONE);
        self.schedule(ring, call, Task::Answer);
    }

    /// A call takes the place of another: it is answered at once, for nobody is to be asked again (RFC 3891 §3).
    fn replace(&mut self, call: Call, replaced: Call, message: Option<&Message<'_>>) {
        let peer = self.calls.get(&replaced).map(|talk| talk.peer.clone()).unwrap_or_default();
        self.phone.note(&format!("a call takes the place of that with {peer}"));
        self.take(call, message, Duration::ZERO);
    }

    /// A peer has us call somebody, if that is allowed.
    fn refer(&mut self, referral: Referral, of: Call, message: Option<&Message<'_>>) {
        let allowed = self.plan.refer.is_allowed() && self.stopping.is_none();
        if let Some((call, peer)) = self.phone.follow(referral, message, allowed) {
            let identity = self.calls.get(&of).map(|talk| talk.identity.clone()).unwrap_or_default();
            self.calls.insert(call, Talk { peer, identity, started: self.phone.now(), answered: None, is_ours: true });
        }
    }

    /// A call that we made for a peer is answered.
    fn answered(&mut self, call: Call, message: Option<&Message<'_>>) {
        let _ = message.map(|message| self.phone.agree(call, message));
        self.begin(call);
    }

    /// A call is up.
    fn begin(&mut self, call: Call) {
        let now = self.phone.now();
        if let Some(talk) = self.calls.get_mut(&call) {
            talk.answered = Some(now);
        }
        if let Some(after) = self.plan.hangup_after {
            self.schedule(after, call, Task::HangUp);
        }
    }

    /// Whether the offer of a call is refused: by the user agent, or here for want of room.
    fn is_refused(&mut self, call: Call, invite: &Message<'_>) -> bool {
        match self.phone.agree(call, invite) {
            Ok(_) => false,
            Err(SessionError::Refused(_)) => true,
            Err(SessionError::Failed(_)) => {
                let now = self.phone.now();
                self.phone.adapter.role_mut().reject(now, call, 503, &Content::NONE).is_ok()
            }
        }
    }

    fn answer(&mut self, call: Call) {
        if !self.calls.contains_key(&call) {
            return;
        }
        let now = self.phone.now();
        let answered = match &self.plan.refusal {
            Some(Refusal { status, contacts }) => {
                let values = contacts.iter().map(String::as_bytes);
                let headers: Vec<_> = values.map(|value| Header { name: HeaderName::Contact, value }).collect();
                let content = Content::NONE.with_headers(&headers);
                self.phone.adapter.role_mut().reject(now, call, *status, &content).map_err(SessionError::from)
            }
            None => self.phone.answer(call, Wish::default()).map(|_| ()),
        };
        match answered {
            Ok(()) if self.plan.refusal.is_none() => self.begin(call),
            Ok(()) => {}
            Err(error) => {
                self.phone.note(&format!("a call could not be answered: {}", session_text(error)));
                let _ = self.phone.adapter.role_mut().reject(now, call, 500, &Content::NONE);
            }
        }
    }

    fn ended(&mut self, call: Call, cause: Cause, status: u16, message: Option<&Message<'_>>) {
        let Some(talk) = self.calls.remove(&call) else { return };
        self.ended += 1;
        let now = self.phone.now();
        let call_ms = talk.answered.map(|at| now.since(at).as_millis());
        // An offer that can't be taken is refused after all.
        let refused = matches!(cause, Cause::Declined | Cause::NotAcceptable);
        let (call_ms, answered) = if refused { (None, None) } else { (call_ms, talk.answered) };
        let asked = match cause {
            Cause::Declined => self.plan.refusal.as_ref().is_some_and(|refusal| refusal.status == status),
            _ => answered.is_some() && matches!(cause, Cause::LocalHangup | Cause::RemoteHangup | Cause::Replaced),
        };
        let outcome = match cause {
            _ if asked => Outcome::Ok,
            Cause::Declined | Cause::NotAcceptable | Cause::Rejected => Outcome::Refused,
            Cause::Cancelled | Cause::NoAnswer => Outcome::NoAnswer,
            _ => Outcome::Network,
        };
        let decided = if answered.is_some() && status == 0 { 200 } else { status };
        let elsewhere = cause == Cause::Cancelled && message.is_some_and(is_answered_elsewhere);
        let why = if elsewhere { "answered elsewhere" } else { cause_text(cause) };
        let way = if talk.is_ours { "to" } else { "from" };
        let mut text = format!("call {way} {}: {why}", talk.peer);
        if let Some(lasted) = call_ms {
            text = format!("{text} after {}", seconds(lasted));
        }
        let report = Report {
            scope: "call",
            ended_by: Some(ended_by(cause)),
            cause: Some(cause_name(cause)),
            identity: talk.identity,
            peer: Some(talk.peer),
            setup_ms: answered.or(Some(now)).map(|at| at.since(talk.started).as_millis()),
            call_ms,
            ..Report::new(self.plan.command, outcome, text).with_status(decided, message)
        };
        self.over.push(report);
    }

    fn tell_ended(&mut self) {
        for report in self.over.drain(..) {
            self.phone.part(&report);
        }
    }

    fn unregistered(&mut self, why: (RegistrationCause, u16), retry_after: u32, message: Option<&Message<'_>>) {
        let report = crate::register::refusal(self.phone, self.plan.command, why, message);
        if retry_after > 0 {
            self.phone.note(&format!("{}; tried again in {retry_after} s", report.message));
            return;
        }
        self.registration = None;
        self.failure = Some(report);
        self.stop();
    }

    fn report(&self) -> Report {
        let calls = Some(self.ended);
        match &self.failure {
            Some(failure) => Report { calls, ..failure.clone() },
            None => {
                let by = if self.phone.interrupt.is_raised() { ", stopped by the user" } else { "" };
                let ended = count(self.ended, "call");
                Report { calls, ..Report::new(self.plan.command, Outcome::Ok, format!("{ended} ended{by}")) }
            }
        }
    }
}
