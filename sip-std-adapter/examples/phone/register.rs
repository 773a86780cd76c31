//! `phone register`: binds, shows the binding, removes it.

use crate::args;
use crate::interrupt::Interrupt;
use crate::phone::{BUFFER, Phone, Setup, Step};
use crate::report::{Failure, Outcome, Report, cause_text, reason};
use crate::screen::{Shared, Waiting};
use crate::text::contacts;
use sip_core::message::Message;
use sip_core::ua::{Cause, Event, RegistrationCause};

/// For how many seconds `phone answer` registers.
pub(crate) const EXPIRES: u32 = 300;

const COMMAND: &str = "register";

pub(crate) fn run(args: &args::Register, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let mut phone = Phone::start(
        &Setup {
            listen: args.listen,
            towards: Some(args.registrar.as_deref().unwrap_or(&args.aor)),
            identity: Some(&args.aor),
            ..Setup::by(COMMAND, &args.way, &args.credentials)
        },
        screen,
        interrupt,
    )?;
    let mut buffer = vec![0; BUFFER];
    let registrar = args.registrar.as_deref().unwrap_or_default();
    let registration = phone.adapter.with(|ua, now| ua.register(now, registrar, &args.aor, args.expires))?;
    let started = phone.now();
    let mut waiting = Waiting::new(format!("the registrar {}", args.registrar.as_deref().unwrap_or(&args.aor)));
    let mut bound: Option<Report> = None;
    let mut stopped = false;
    loop {
        if phone.interrupt.is_raised() && !core::mem::replace(&mut stopped, true) {
            waiting = Waiting::new("the registrar to remove our binding");
            let _ = phone.adapter.with(|ua, now| ua.unregister(now, registration));
        }
        let Step::Event(event, message) = phone.step(&mut buffer, None, &waiting)? else { continue };
        let message = message.as_ref();
        match event {
            Event::Registered { expires, .. } => {
                let report = registered(&phone, args, expires, message);
                bound = Some(Report { setup_ms: Some(phone.now().since(started).as_millis()), ..report });
                waiting = Waiting::new("the registrar to remove our binding");
                if !stopped {
                    phone.adapter.with(|ua, now| ua.unregister(now, registration))?;
                }
            }
            Event::Unregistered { .. } => {
                let report = removed(&phone, bound, message);
                phone.flush(&mut buffer)?;
                return Ok(Report { identity: phone.first(), peer: Some(args.aor.clone()), ..report });
            }
            Event::RegistrationFailed { cause, status, .. } => {
                let report = refusal(&mut phone, COMMAND, (cause, status), message);
                phone.flush(&mut buffer)?;
                let setup_ms = Some(phone.now().since(started).as_millis());
                return Ok(Report { identity: phone.first(), peer: Some(args.aor.clone()), setup_ms, ..report });
            }
            other => phone.respond(other, message),
        }
    }
}

/// Shows the binding.
fn registered(phone: &Phone, args: &args::Register, expires: u32, message: Option<&Message<'_>>) -> Report {
    let contact = message.map(contacts).unwrap_or_default();
    let mut text = format!("{} is registered for {expires} s", args.aor);
    phone.note(&text);
    for contact in &contact {
        phone.note(&format!("bound to {contact}"));
    }
    text.push_str(&format!(", bound to {}", contact.join(", ")));
    Report {
        peer: Some(args.aor.clone()),
        contact: Some(contact),
        expires: Some(expires),
        ..Report::new(COMMAND, Outcome::Ok, text).with_status(200, message)
    }
}

/// The end: the binding is removed, as far as the registrar says so.
fn removed(phone: &Phone, bound: Option<Report>, message: Option<&Message<'_>>) -> Report {
    let status = message.and_then(Message::status).unwrap_or(0);
    match bound {
        Some(report) if status / 100 == 2 => {
            let message = format!("{}; removed again", report.message);
            Report { message, ..report }
        }
        Some(report) if status > 0 => {
            let text = format!("{}; the removal was refused: {status} {}", report.message, reason(status, message));
            Report { message: text, ..report }.with_outcome(Outcome::Refused).with_status(status, message)
        }
        Some(report) => {
            let text = format!("{}; no answer to the removal", report.message);
            Report { message: text, ..report }.with_outcome(Outcome::NoAnswer)
        }
        None => {
            let (outcome, by) = if phone.interrupt.is_raised() {
                (Outcome::Interrupted, "stopped by the user")
            } else {
                (Outcome::NoAnswer, "never registered")
            };
            Report::new(COMMAND, outcome, by).with_status(status, message)
        }
    }
}

/// The registrar refused, granted no time, was silent, or is not there.
pub(crate) fn refusal(
    phone: &mut Phone,
    command: &'static str,
    (cause, status): (RegistrationCause, u16),
    message: Option<&Message<'_>>,
) -> Report {
    let report = match cause {
        RegistrationCause::NotBound => {
            Report::new(command, Outcome::Refused, "not registered: the registrar accepted and granted no time")
        }
        RegistrationCause::Lapsed => {
            Report::new(command, Outcome::Refused, "the registrar grants so little time that the binding has ended")
        }
        RegistrationCause::Timeout => Report::new(command, Outcome::NoAnswer, "no answer of the registrar"),
        RegistrationCause::Insecure => Report::new(
            command,
            Outcome::Untrusted,
            "no registration: it had to go by TLS, and there is only a way without",
        ),
        RegistrationCause::WeakDigest => {
            Report::new(command, Outcome::Refused, format!("no registration: {}", cause_text(Cause::WeakDigest)))
        }
        RegistrationCause::Unreachable | RegistrationCause::NoFallback => {
            let (outcome, why) = phone.unreachable();
            Report::new(command, outcome, format!("no registration: {why}"))
        }
        _ => {
            let text = format!("registration refused: {status} {}{}", reason(status, message), phone.hint(status));
            Report::new(command, Outcome::Refused, text)
        }
    };
    if message.is_some() { report.with_status(status, message) } else { report }
}
