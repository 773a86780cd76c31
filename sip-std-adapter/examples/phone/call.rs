//! `phone call`: one call, from the INVITE to its end.

mod transfer;

use crate::args::{self, Refer};
use crate::interrupt::Interrupt;
use crate::keys::{HELP, Key, Keys};
use crate::phone::{BUFFER, Phone, Setup, Step, session_text};
use crate::report::{Failure, Outcome, Report, cause_name, cause_text, ended_by, reason};
use crate::screen::{Shared, Waiting};
use crate::sdp::Wish;
use crate::text::{contacts, printable, seconds, warnings};
use sip_core::message::{Message, Method};
use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::Agreed;
use sip_core::time::{Duration, Instant};
use sip_core::ua::{Body, Call, Cause, Content, Event, OutgoingRequest, Referral};
use std::collections::VecDeque;
use transfer::Next;

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
    /// Whether the user may type: from any input rather than a terminal when that is set.
    pub(crate) keys: Option<bool>,
    /// Whether the peer may have us call somebody.
    pub(crate) refer: Refer,
    /// How many redirections are followed.
    pub(crate) follow: u8,
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

/// Where a redirection leads: SIP URIs, the one with the highest q first (RFC 3261 §8.1.3.4).
fn redirections(response: &Message<'_>) -> Vec<String> {
    let mut found: Vec<(u16, String)> = response
        .contacts()
        .flatten()
        .filter(|contact| contact.uri().is_ok_and(|uri| uri.is_sip() && uri.headers().is_empty()))
        .filter_map(|contact| Some((contact.q().unwrap_or(1000), String::from_utf8(contact.raw_uri().to_vec()).ok()?)))
        .collect();
    found.sort_by_key(|(q, _)| u16::MAX - q);
    found.into_iter().map(|(_, uri)| uri).collect()
}

/// Makes the call of the command line.
pub(crate) fn run(args: &args::Call, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let mut phone = Phone::start(
        &Setup {
            identity: args.from.as_deref(),
            codecs: &args.sound.codecs,
            upkeep: args.upkeep,
            ..Setup::reaching(COMMAND, &args.uri, &args.reach)
        },
        screen,
        interrupt,
    )?;
    let plan = Plan {
        command: COMMAND,
        uri: &args.uri,
        duration: args.duration,
        cancel_after: args.cancel_after,
        hold: None,
        keys: Some(args.keys),
        refer: args.transfer.refer,
        follow: args.follow,
    };
    Ok(make(&mut phone, &plan)?.0)
}

/// Makes a call as planned, and tells how it went.
pub(crate) fn make(phone: &mut Phone, plan: &Plan<'_>) -> Result<(Report, Steps), Failure> {
    let Phone { adapter, media, .. } = phone;
    let call =
        media.with(Direction::SendRecv, |local| adapter.with(|ua, now| ua.call_with(now, plan.uri, "", local, &[])))?;
    let keys = plan.keys.map_or_else(Keys::default, |always| Keys::listen(phone.adapter.waker(), always));
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
        keys,
        wish: Wish::default(),
        change_due: false,
        digits: VecDeque::new(),
        dialing: None,
        next: None,
        referral: None,
        tried: Vec::new(),
        untried: VecDeque::new(),
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
    keys: Keys,
    wish: Wish,
    /// What the user wants has to wait until another change is through.
    change_due: bool,
    digits: VecDeque<char>,
    /// The INFO of the last digit.
    dialing: Option<(OutgoingRequest, char)>,
    /// The second call.
    next: Option<Next>,
    /// Our REFER.
    referral: Option<Referral>,
    /// Where redirections have led already, and where they lead yet, the best first.
    tried: Vec<String>,
    untried: VecDeque<String>,
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
            while let Some(key) = self.keys.take() {
                self.press(key);
            }
            let Step::Event(event, message) = step else { continue };
            if let Event::Ended { call, cause, status } = event
                && call == self.call
                && !self.goes_on()
                && !self.is_redirected(cause, status, message.as_ref())
            {
                return Ok((self.report(cause, status, message.as_ref()), cause));
            }
            self.see(event, message.as_ref());
        }
    }

    /// Calls where a redirection leads, if that is asked for: each place once, and no more places than were said.
    fn is_redirected(&mut self, cause: Cause, status: u16, message: Option<&Message<'_>>) -> bool {
        // A 6xx speaks for everybody (RFC 3261 §21.6).
        let is_refusal = match cause {
            Cause::Rejected => status < 600,
            Cause::Unreachable | Cause::Timeout => true,
            _ => false,
        };
        let is_refusal = is_refusal && self.answered.is_none() && !self.hung_up;
        if !is_refusal || usize::from(self.plan.follow) <= self.tried.len() {
            return false;
        }
        if (300..400).contains(&status) {
            let uris = message.map(redirections).unwrap_or_default();
            for uri in uris.into_iter().rev() {
                if uri != self.plan.uri && !self.tried.contains(&uri) && !self.untried.contains(&uri) {
                    self.untried.push_front(uri);
                }
            }
        }
        let Some(uri) = self.untried.pop_front() else { return false };
        self.phone.note(&format!("redirected, calling {}", printable(uri.as_bytes())));
        let Phone { adapter, media, .. } = &mut *self.phone;
        let direction = self.wish.direction();
        let called = media.with(direction, |local| adapter.with(|ua, now| ua.call_with(now, &uri, "", local, &[])));
        self.tried.push(uri);
        match called {
            Ok(call) => self.call = call,
            Err(error) => self.phone.note(&format!("it can't be called: {}", session_text(error))),
        }
        called.is_ok()
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
            self.hang_up_next();
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
            Task::Hold => self.want(Wish { hold: true, ..self.wish }),
            Task::Resume => self.want(Wish { hold: false, ..self.wish }),
        }
    }

    /// Does what a key asks for.
    fn press(&mut self, key: Result<Key, String>) {
        let key = match key {
            Ok(Key::HangUp) => return self.hang_up(),
            Ok(Key::Help) => return self.phone.note(HELP),
            Ok(key) => key,
            Err(text) => return self.phone.note(&text),
        };
        if self.answered.is_none() || self.hung_up {
            return self.phone.note("there is no call yet, or none any more");
        }
        match key {
            Key::Hold => self.want(Wish { hold: true, ..self.wish }),
            Key::Resume => self.want(Wish { hold: false, ..self.wish }),
            Key::Mute => self.want(Wish { mute: !self.wish.mute, ..self.wish }),
            Key::Dial(digits) => {
                self.digits.extend(digits.chars());
                self.dial();
            }
            Key::Transfer(uri) => self.transfer(&uri),
            Key::Ask(uri) => self.ask(&uri),
            Key::PutThrough => self.put_through(),
            Key::HangUp | Key::Help => {}
        }
    }

    /// Offers what the user wants, now or as soon as another change is through.
    fn want(&mut self, wish: Wish) {
        self.wish = wish;
        let Phone { adapter, media, .. } = &mut *self.phone;
        let sent =
            media.with(wish.direction(), |local| adapter.with(|ua, now| ua.change_with(now, self.call, local, &[])));
        self.change_due = sent.is_err();
        if let Err(error) = sent {
            self.phone.note(&format!("the change waits: {}", session_text(error)));
        }
    }

    /// Sends the next digit, when the one before has arrived: INFO keeps no order by itself.
    fn dial(&mut self) {
        if self.dialing.is_some() {
            return;
        }
        let Some(digit) = self.digits.pop_front() else { return };
        let text = format!("Signal={digit}\r\nDuration=160\r\n");
        let body = Body { content_type: "application/dtmf-relay", bytes: text.as_bytes() };
        let content = Content { headers: &[], body: Some(body) };
        let sent = self.phone.adapter.with(|ua, now| ua.request_in_call(now, self.call, Method::Info, &content));
        match sent {
            Ok(request) => self.dialing = Some((request, digit)),
            Err(error) => {
                self.digits.clear();
                self.phone.note(&format!("no digit was sent: {}", crate::phone::error_text(error)));
            }
        }
    }

    /// A digit has its response.
    fn dialed(&mut self, request: OutgoingRequest, status: u16) {
        let Some((_, digit)) = self.dialing.filter(|(of, _)| *of == request) else { return };
        self.dialing = None;
        if (200..300).contains(&status) {
            self.phone.note(&format!("digit {digit} was taken"));
        } else {
            self.digits.clear();
            self.phone.note(&format!("the peer takes no digits: {status}"));
        }
        self.dial();
    }

    fn see(&mut self, event: Event, message: Option<&Message<'_>>) {
        if self.see_transfer(event, message) {
            return;
        }
        match event {
            Event::Progress { call, status, .. } if call == self.call => {
                let _ = self.agree(message);
                self.steps.ringing |= status == 180;
                if !self.hung_up {
                    let text = format!("{status} {}", reason(status, message));
                    self.waiting.so_far = Some((text, self.phone.now()));
                }
            }
            Event::Answered { call, .. } if call == self.call => {
                let agreed = self.agree(message);
                self.answered();
                self.tell(agreed);
            }
            Event::Reinvited { call, status, .. } if call == self.call => {
                let agreed = self.agree(message);
                self.changed(status, agreed);
            }
            Event::Reinvite { call } | Event::Update { call } if call == self.call => {
                if let Some(message) = message {
                    let agreed = self.phone.answer_change(call, message, self.wish);
                    self.tell(agreed);
                }
            }
            Event::Response { request, status } if status >= 200 => self.dialed(request, status),
            other => self.phone.respond(other, message),
        }
        // What had to wait for the other end's change, or for ours.
        if self.change_due && !self.hung_up && matches!(event, Event::Confirmed { .. } | Event::Reinvited { .. }) {
            self.want(self.wish);
        }
    }

    /// Reads what a message says of the session.
    fn agree(&mut self, message: Option<&Message<'_>>) -> Option<Agreed> {
        self.phone.agree(self.call, message?).ok().flatten()
    }

    fn tell(&self, agreed: Option<Agreed>) {
        if let Some(agreed) = agreed.filter(|_| self.plan.hold.is_none()) {
            self.phone.note(&format!("agreed: {}", self.phone.media.describe(&agreed)));
        }
    }

    fn answered(&mut self) {
        let now = self.phone.now();
        self.answered = Some(now);
        self.steps.answered = true;
        if self.hung_up {
            return;
        }
        if self.keys.are_read() {
            self.phone.note(HELP);
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
    fn changed(&mut self, status: u16, agreed: Option<Agreed>) {
        if self.plan.hold.is_none() {
            if !(200..300).contains(&status) {
                self.phone.note(&format!("the change was answered with {status}; the session is as before"));
            }
            return self.tell(agreed);
        }
        let direction = agreed.and_then(|agreed| agreed.media(0).map(|stream| stream.direction));
        let rest = self.plan.hold.unwrap_or(Duration::ZERO);
        let next = self.phone.now() + rest;
        match (status, direction) {
            (200, Some(Direction::SendOnly)) if !self.steps.held => {
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
                self.phone.note(&format!("the change was answered with {status}, {direction:?}"));
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
            (Cause::WeakDigest, None) => (Outcome::Refused, format!("no call: {}", cause_text(cause))),
            (Cause::Insecure, None) => (Outcome::Untrusted, format!("no call: {}", cause_text(cause))),
            (Cause::Unreachable | Cause::NoFallback, None) => {
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
