//! `phone options`: asks what somebody can do (RFC 3261 §11).

use crate::args;
use crate::interrupt::Interrupt;
use crate::phone::{BUFFER, Phone, Setup, Step};
use crate::report::{Failure, Outcome, Report, cause_text, reason};
use crate::screen::{Shared, Waiting};
use crate::text::{list, printable};
use sip_core::message::{Header, HeaderName, Message, Method};
use sip_core::ua::{Cause, Content, Event};

const COMMAND: &str = "options";

pub(crate) fn run(args: &args::Ask, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let mut phone = Phone::start(&Setup::reaching(COMMAND, &args.uri, &args.reach), screen, interrupt)?;
    let headers = [Header { name: HeaderName::Accept, value: b"application/sdp" }];
    ask(&mut phone, COMMAND, (Method::Options, &args.uri), &Content::NONE.with_headers(&headers), answer)
}

/// Sends one request outside of a call, and gives what `answer` makes of its response.
pub(crate) fn ask(
    phone: &mut Phone,
    command: &'static str,
    (method, uri): (Method<'_>, &str),
    content: &Content<'_>,
    answer: impl Fn(&mut Phone, u16, &Message<'_>) -> Report,
) -> Result<Report, Failure> {
    let asked = phone.adapter.with(|ua, now| ua.request(now, method, uri, content))?;
    let started = phone.now();
    let waiting = Waiting::new(format!("an answer of {uri}"));
    let mut buffer = vec![0; BUFFER];
    loop {
        let Step::Event(event, message) = phone.step(&mut buffer, None, &waiting)? else {
            if phone.interrupt.is_raised() {
                return Ok(Report::new(command, Outcome::Interrupted, "no answer: stopped by the user"));
            }
            continue;
        };
        let (report, setup_ms) = match event {
            Event::Response { request, status } if request == asked && status >= 200 => {
                let setup_ms = Some(phone.now().since(started).as_millis());
                let report = match &message {
                    Some(message) => answer(phone, status, message),
                    None if status == 408 => Report::new(command, Outcome::NoAnswer, format!("no answer of {uri}")),
                    None => {
                        let (outcome, why) = phone.unreachable();
                        Report::new(command, outcome, format!("no answer: {why}"))
                    }
                };
                (report, setup_ms)
            }
            Event::RequestRefused { request, cause } if request == asked => {
                let (outcome, why) = match cause {
                    Cause::NoFallback => phone.unreachable(),
                    Cause::WeakDigest => (Outcome::Refused, cause_text(cause).to_owned()),
                    _ => (Outcome::Untrusted, cause_text(cause).to_owned()),
                };
                (Report::new(command, outcome, format!("no answer: {why}")), None)
            }
            other => {
                phone.respond(other, message.as_ref());
                continue;
            }
        };
        phone.flush(&mut buffer)?;
        return Ok(Report { identity: phone.first(), peer: Some(uri.to_owned()), setup_ms, ..report });
    }
}

fn answer(phone: &mut Phone, status: u16, message: &Message<'_>) -> Report {
    let lists = [HeaderName::Allow, HeaderName::Accept, HeaderName::Supported].map(|name| list(message, name));
    let programs = [HeaderName::Server, HeaderName::UserAgent].map(|name| message.header(name).map(printable));
    let mut screen = phone.screen.lock();
    for (name, values) in ["Allow", "Accept", "Supported"].iter().zip(&lists) {
        let values = if values.is_empty() { "(nothing)".to_owned() } else { values.join(", ") };
        screen.line(&format!("{name}: {values}"));
    }
    for (name, program) in ["Server", "User-Agent"].iter().zip(&programs) {
        if let Some(program) = program {
            screen.line(&format!("{name}: {program}"));
        }
    }
    let (outcome, verb) = if status < 300 { (Outcome::Ok, "answered") } else { (Outcome::Refused, "refused") };
    let text = format!("{verb}: {status} {}{}", reason(status, Some(message)), phone.hint(status));
    let [allow, accept, supported] = lists.map(Some);
    let [server, user_agent] = programs;
    Report {
        allow,
        accept,
        supported,
        server,
        user_agent,
        ..Report::new(COMMAND, outcome, text).with_status(status, Some(message))
    }
}
