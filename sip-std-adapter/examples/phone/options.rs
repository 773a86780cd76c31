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
    let mut phone = Phone::start(
        &Setup {
            command: COMMAND,
            listen: args.listen,
            towards: Some(args.proxy.as_deref().unwrap_or(&args.uri)),
            proxy: args.proxy.as_deref(),
            transport: args.way.transport,
            tls: Some(&args.way.tls),
            ws_path: Some(&args.way.ws_path),
            credentials: Some(&args.credentials),
            ..Setup::default()
        },
        screen,
        interrupt,
    )?;
    let headers = [Header { name: HeaderName::Accept, value: b"application/sdp" }];
    let content = Content::NONE.with_headers(&headers);
    let asked = phone.adapter.with(|ua, now| ua.request(now, Method::Options, &args.uri, &content))?;
    let started = phone.now();
    let waiting = Waiting::new(format!("an answer of {}", args.uri));
    let mut buffer = vec![0; BUFFER];
    loop {
        let Step::Event(event, message) = phone.step(&mut buffer, None, &waiting)? else {
            if phone.interrupt.is_raised() {
                return Ok(Report::new(COMMAND, Outcome::Interrupted, "no answer: stopped by the user"));
            }
            continue;
        };
        match event {
            Event::Response { request, status } if request == asked && status >= 200 => {
                let setup_ms = Some(phone.now().since(started).as_millis());
                let report = answer(&mut phone, &args.uri, status, message.as_ref());
                phone.flush(&mut buffer)?;
                return Ok(Report { identity: phone.first(), peer: Some(args.uri.clone()), setup_ms, ..report });
            }
            Event::RequestRefused { request, cause } if request == asked => {
                let (outcome, why) = match cause {
                    Cause::NoFallback => phone.unreachable(),
                    Cause::WeakDigest => (Outcome::Refused, cause_text(cause).to_owned()),
                    _ => (Outcome::Untrusted, cause_text(cause).to_owned()),
                };
                let report = Report::new(COMMAND, outcome, format!("no answer: {why}"));
                phone.flush(&mut buffer)?;
                return Ok(Report { identity: phone.first(), peer: Some(args.uri.clone()), ..report });
            }
            other => phone.respond(other, message.as_ref()),
        }
    }
}

fn answer(phone: &mut Phone, uri: &str, status: u16, response: Option<&Message<'_>>) -> Report {
    let Some(message) = response else {
        return if status == 408 {
            Report::new(COMMAND, Outcome::NoAnswer, format!("no answer of {uri}"))
        } else {
            let (outcome, why) = phone.unreachable();
            Report::new(COMMAND, outcome, format!("no answer: {why}"))
        };
    };
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
    let text = format!("{verb}: {status} {}{}", reason(status, response), phone.hint(status));
    let [allow, accept, supported] = lists.map(Some);
    let [server, user_agent] = programs;
    Report {
        allow,
        accept,
        supported,
        server,
        user_agent,
        ..Report::new(COMMAND, outcome, text).with_status(status, response)
    }
}
