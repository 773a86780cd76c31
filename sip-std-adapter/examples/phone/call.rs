//! `phone call`: one call, from the INVITE to its end.

use crate::args;
use crate::interrupt::Interrupt;
use crate::phone::{BUFFER, Phone, Setup, Step};
use crate::report::{Failure, Outcome, Report, cause_name, cause_text, ended_by, reason};
use crate::screen::{Shared, Waiting};
use crate::sdp::{self, Direction};
use crate::text::{contacts, printable, seconds, warnings};
use sip_core::message::Message;
use sip_core::time::{Duration, Instant};
use sip_core::ua::{Call, Cause, Content, Event};

const COMMAND: &str = "call";

/// What is to happen in the call.
pub(crate) struct Plan<'a> {
    /// The command's name in the report.
    pub(crate) command: &'static str,
    /// Whom to call.
    pub(crate) uri: &'a str,
    /// When to hang up, counted from the answer; zero for never.
    pub(crate) duration: Duration,
    /// When to give up, counted from the INVITE.
    pub(crate) cancel_after: Option<Duration>,
    /// Whether to hold and resume, each after a rest of so long, and then to hang up.
    pub(crate) hold: Option<Duration>,
}

/// What has happened on the way, for the demonstration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    pub(crate) ringing: bool,
    pub(crate) answered: bool,
    pub(crate) held: bool,
    pub(crate) resumed: bool,
}

/// Something to do at its time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    GiveUp,
    Hold,
    Resume,
    HangUp,
}

/// Makes the call of the command line.
pub(crate) fn run(args: &args::Call, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let mut phone = Phone::start(
        &Setup {
            command: COMMAND,
            listen: args.listen,
            towards: Some(args.proxy.as_deref().unwrap_or(&args.uri)),
            identity: args.from.as_deref(),
            proxy: args.proxy.as_deref(),
            transport: args.way.transport,
            tls: Some(&args.way.tls),
            credentials: Some(&args.credentials),
            ..Setup::default()
        },
        screen,
        interrupt,
    )?;
    let plan =
        Plan { command: COMMAND, uri: &args.uri, duration: args.duration, cancel_after: args.cancel_after, hold: None };
    Ok(make(&mut phone, &plan)?.0)
}

/// Makes a call as planned, and tells how it went.
pub(crate) fn make(phone: &mut Phone, plan: &Plan<'_>) -> Result<(Report, Steps), Failure> {
    let offer = phone.media.offer(1, Direction::SendRecv);
    let content = Content::sdp(offer.as_bytes());
    let call = phone.adapter.with(|ua, now| ua.call(now, plan.uri, "", &content))?;
    let started = phone.now();
    let due = plan.cancel_after.map(|after| (started + after, Task::GiveUp));
    let mut caller = Caller {
        phone,
        plan,
        call,
        started,
        waiting: Waiting::new("an answer"),
        answered: None,
        due,
        hung_up: false,
        gave_up: false,
        steps: Steps::default(),
    };
    let mut buffer = vec![0; BUFFER];
    let (report, cause) = caller.talk(&mut buffer)?;
    let steps = caller.steps;
    match cause {
        // The peer repeats its BYE or its refusal when our answer to it gets lost.
        Cause::RemoteHangup | Cause::Rejected => phone.linger(&mut buffer)?,
        _ => phone.flush(&mut buffer)?,
    }
    Ok((report, steps))
}

struct Caller<'p> {
    phone: &'p mut Phone,
    plan: &'p Plan<'p>,
    call: Call,
    started: Instant,
    waiting: Waiting,
    answered: Option<Instant>,
    due: Option<(Instant, Task)>,
    hung_up: bool,
    gave_up: bool,
    steps: Steps,
}

impl Caller<'_> {
    /// The call up to its end.
    fn talk(&mut self, buffer: &mut [u8]) -> Result<(Report, Cause), Failure> {
        loop {
            if self.phone.interrupt.is_raised() {
                self.hang_up();
            }
            let until = self.due.map(|(at, _)| at);
            let step = self.phone.step(buffer, until, &self.waiting)?;
            self.do_what_is_due();
            let Step::Event(event, message) = step else { continue };
            if let Event::Ended { call, cause, status } = event
                && call == self.call
            {
                return Ok((self.report(cause, status, message.as_ref()), cause));
            }
            self.see(event, message.as_ref());
        }
    }

    fn hang_up(&mut self) {
        if !core::mem::replace(&mut self.hung_up, true) {
            self.due = None;
            // Before the first response a CANCEL must not be sent (RFC 3261 §9.1), and Timer B is at 32 s.
            let heard = self.phone.screen.lock().heard();
            let what = if heard { "the end of the call" } else { "a first response, to cancel the call, 32 s at most" };
            self.waiting = Waiting::new(what);
            // It fails when the call has ended, which is being told.
            let _ = self.phone.adapter.with(|ua, now| ua.hang_up(now, self.call));
        }
    }

    fn do_what_is_due(&mut self) {
        let Some((_, task)) = self.due.filter(|(at, _)| *at <= self.phone.now()) else { return };
        self.due = None;
        match task {
            Task::GiveUp => {
                self.gave_up = true;
                self.hang_up();
            }
            Task::HangUp => self.hang_up(),
            Task::Hold => self.change(Direction::SendOnly),
            Task::Resume => self.change(Direction::SendRecv),
        }
    }

    /// Offers another direction.
    fn change(&mut self, direction: Direction) {
        let version = if direction == Direction::SendOnly { 2 } else { 3 };
        let offer = self.phone.media.offer(version, direction);
        let sent = self.phone.adapter.with(|ua, now| ua.reinvite(now, self.call, &Content::sdp(offer.as_bytes())));
        if sent.is_err() {
            self.hang_up();
        }
    }

    fn see(&mut self, event: Event, message: Option<&Message<'_>>) {
        match event {
            Event::Progress { call, status, .. } if call == self.call => {
                self.steps.ringing |= status == 180;
                if !self.hung_up {
                    let text = format!("{status} {}", reason(status, message));
                    self.waiting.so_far = Some((text, self.phone.now()));
                }
            }
            Event::Answered { call, answer_due } if call == self.call => self.answered(answer_due),
            Event::Reinvited { call, status, .. } if call == self.call => {
                let answer = message.and_then(sdp::body_of).map(sdp::direction_of);
                self.changed(status, answer);
            }
            other => self.phone.respond(other, message),
        }
    }

    fn answered(&mut self, answer_due: bool) {
        let now = self.phone.now();
        self.answered = Some(now);
        self.steps.answered = true;
        if answer_due {
            // We made the offer; a second one with the answer is acknowledged, and not taken.
            let _ = self.phone.adapter.with(|ua, now| ua.acknowledge(now, self.call, &Content::NONE));
        }
        if self.hung_up {
            return;
        }
        self.due = match self.plan.hold {
            Some(rest) => Some((now + rest, Task::Hold)),
            None if self.plan.duration > Duration::ZERO => Some((now + self.plan.duration, Task::HangUp)),
            None => None,
        };
        let what = if self.due.is_some() { "the end of the call" } else { "the peer or Ctrl-C to end the call" };
        self.waiting = Waiting { what: what.to_owned(), so_far: Some(("up".to_owned(), now)) };
    }

    /// Our re-INVITE has its final response.
    fn changed(&mut self, status: u16, answer: Option<Direction>) {
        let rest = self.plan.hold.unwrap_or(Duration::ZERO);
        let next = self.phone.now() + rest;
        match (status, answer) {
            (200, Some(Direction::RecvOnly)) if !self.steps.held => {
                self.steps.held = true;
                self.phone.note("on hold");
                self.due = Some((next, Task::Resume));
            }
            (200, Some(Direction::SendRecv)) if self.steps.held => {
                self.steps.resumed = true;
                self.phone.note("resumed");
                self.due = Some((next, Task::HangUp));
            }
            _ => {
                self.phone.note(&format!("the change was answered with {status}, {answer:?}"));
                self.hang_up();
            }
        }
    }

    fn report(&mut self, cause: Cause, status: u16, message: Option<&Message<'_>>) -> Report {
        let now = self.phone.now();
        let why = format!("{status} {}", reason(status, message));
        let lasted = self.answered.map(|at| now.since(at).as_millis());
        let (outcome, text) = match (cause, self.answered) {
            (_, Some(at)) => {
                let setup = at.since(self.started).as_millis();
                let outcome = match cause {
                    Cause::LocalHangup | Cause::RemoteHangup => Outcome::Ok,
                    _ => Outcome::Network,
                };
                let (after, lasted) = (seconds(setup), seconds(lasted.unwrap_or(0)));
                (outcome, format!("call ended after {lasted}: {}; it was answered after {after}", cause_text(cause)))
            }
            (Cause::Rejected, None) => {
                let instead = message.filter(|_| (300..400).contains(&status)).map(contacts).unwrap_or_default();
                let instead = if instead.is_empty() { String::new() } else { format!(", try {}", instead.join(", ")) };
                let more = message.map(warnings).unwrap_or_default();
                (Outcome::Refused, format!("call refused: {why}{more}{instead}{}", self.phone.hint(status)))
            }
            (Cause::LocalHangup, None) if self.gave_up && self.phone.screen.lock().heard() => {
                (Outcome::Ok, format!("call given up after {}, as asked", seconds(now.since(self.started).as_millis())))
            }
            (cause, None) if self.phone.interrupt.is_raised() && cause != Cause::Unreachable => {
                (Outcome::Interrupted, format!("no answer: {}, stopped by the user", cause_text(cause)))
            }
            (Cause::Insecure, None) => (Outcome::Untrusted, format!("no call: {}", cause_text(cause))),
            (Cause::Unreachable, None) => {
                let (outcome, why) = self.phone.unreachable();
                (outcome, format!("no call: {why}"))
            }
            (_, None) => (Outcome::NoAnswer, format!("no answer: {}", cause_text(cause))),
        };
        let decided = if self.answered.is_some() && status == 0 { 200 } else { status };
        let final_at = self.answered.or_else(|| (decided > 0).then_some(now));
        Report {
            ended_by: Some(ended_by(cause)),
            cause: Some(cause_name(cause)),
            identity: self.phone.first(),
            peer: Some(printable(self.plan.uri.as_bytes())),
            setup_ms: final_at.map(|at| at.since(self.started).as_millis()),
            call_ms: lasted,
            calls: Some(1),
            contact: message.filter(|_| cause == Cause::Rejected && status < 400).map(contacts),
            ..Report::new(self.plan.command, outcome, text).with_status(decided, message)
        }
    }
}
