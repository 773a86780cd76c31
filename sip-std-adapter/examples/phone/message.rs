//! `phone message`: sends a text (RFC 3428).

use crate::args;
use crate::interrupt::Interrupt;
use crate::options::ask;
use crate::phone::{Phone, Setup};
use crate::report::{Failure, Outcome, Report, reason};
use crate::screen::Shared;
use sip_core::message::Method;
use sip_core::ua::{Body, Content};

const COMMAND: &str = "message";

pub(crate) fn run(args: &args::Text, screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let mut phone = Phone::start(
        &Setup { identity: args.from.as_deref(), ..Setup::reaching(COMMAND, &args.uri, &args.reach) },
        screen,
        interrupt,
    )?;
    let body = Body { content_type: "text/plain;charset=utf-8", bytes: args.text.as_bytes() };
    let content = Content { headers: &[], body: Some(body) };
    ask(&mut phone, COMMAND, (Method::Message, &args.uri), &content, |phone, status, message| {
        let (outcome, verb) = match status {
            // A server has it, and will pass it on (§7).
            202 => (Outcome::Ok, "taken, to be delivered"),
            200..=299 => (Outcome::Ok, "delivered"),
            _ => (Outcome::Refused, "refused"),
        };
        let text = format!("{verb}: {status} {}{}", reason(status, Some(message)), phone.hint(status));
        Report::new(COMMAND, outcome, text).with_status(status, Some(message))
    })
}
