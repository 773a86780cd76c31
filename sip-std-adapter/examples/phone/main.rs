//! `phone`: a SIP phone for the command line, and an example of an application of `sip-core` on std.
//!
//! ```text
//! cargo run --release --example phone -- demo
//! cargo run --release --example phone -- answer --listen 127.0.0.1:5060
//! cargo run --release --example phone -- call sip:bob@127.0.0.1:5060 --duration 5
//! cargo run --release --example phone -- users add bob --domain example.com --users users.toml
//! cargo run --release --example phone -- serve --domain example.com --users users.toml --store bindings.redb
//! ```
//! `phone --help` and `phone call --help` list the options. It signals calls and carries no media. What `--json`
//! prints is described in `report.rs` and `events.rs`, what `serve` prints in `serve/log.rs`, what `parse` prints in `parse.rs`. The package in
//! `sip-std-adapter/phone` builds the same sources as a program to install.
//!
//! The loop of every command is in `phone.rs`: one step polls the adapter or waits for it, and the command looks at
//! the event, beside the message that brought it.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "a program of std")]

mod answer;
mod args;
mod call;
mod demo;
mod events;
mod interrupt;
mod keys;
mod lines;
mod message;
mod net;
mod options;
mod parse;
mod phone;
mod register;
mod report;
mod screen;
mod sdp;
mod secure;
mod serve;
mod text;
mod trace;

use args::{Cli, Command};
use clap::Parser;
use interrupt::Interrupt;
use report::{Failure, Outcome, Report};
use screen::Shared;
use std::process::ExitCode;
use trace::Trace;

fn main() -> ExitCode {
    let Cli { command, common } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unusable(&error),
    };
    net::use_dns(common.dns);
    let aside = common.trace.as_deref().is_some_and(trace::is_stdout);
    if aside && (common.json || matches!(command, Command::Parse(_))) {
        let both = Failure::Usage("--trace - and JSON want standard output both".to_owned());
        let report = Report::failed(&command, &both);
        Shared::new(common.json, false, None).lock().result(&report);
        return report.exit_code();
    }
    let trace = common.trace.as_deref().map(|path| {
        Trace::create(path).map_err(|error| Failure::Usage(format!("can't write {}: {error}", path.display())))
    });
    let (trace, failure) = match trace.transpose() {
        Ok(trace) => (trace, None),
        Err(failure) => (None, Some(failure)),
    };
    if let (Command::Parse(args), None) = (&command, &failure) {
        return parse::run(args, trace);
    }
    let screen = Shared::new(common.json, aside, trace);
    let result = match failure {
        Some(failure) => Err(failure),
        None => run(&command, &screen),
    };
    let report = result.unwrap_or_else(|failure| Report::failed(&command, &failure));
    screen.lock().result(&report);
    report.exit_code()
}

/// What clap has to say: help, or what is wrong with the command line, which is a result like any other.
fn unusable(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if !error.use_stderr() || !words.iter().any(|word| word == "--json") {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    // The first paragraph says what is wrong, the others how it is done.
    let text: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let text = text.join(" ");
    let command = args::COMMANDS
        .into_iter()
        .find(|name| words.get(1..).is_some_and(|words| words.iter().any(|word| word == name)));
    let report = Report::new(command.unwrap_or("phone"), Outcome::Usage, text.strip_prefix("error: ").unwrap_or(&text));
    Shared::new(true, false, None).lock().result(&report);
    report.exit_code()
}

fn run(command: &Command, screen: &Shared) -> Result<Report, Failure> {
    let interrupt = match command {
        Command::Serve(_) => Interrupt::on_signals()?,
        _ => Interrupt::on_ctrl_c(),
    };
    match command {
        Command::Demo => demo::run(screen, &interrupt),
        Command::Call(args) => call::run(args, screen, &interrupt),
        Command::Answer(args) => answer::run(args, screen, &interrupt),
        Command::Register(args) => register::run(args, screen, &interrupt),
        Command::Options(args) => options::run(args, screen, &interrupt),
        Command::Message(args) => message::run(args, screen, &interrupt),
        Command::Users(args) => match &args.command {
            args::UsersCommand::Add(args) => serve::users::add(args),
            args::UsersCommand::Remove(args) => serve::users::remove(args),
            args::UsersCommand::List(args) => serve::users::list(args, screen),
        },
        Command::Serve(args) => serve::run(args, screen, &interrupt),
        Command::Bindings(args) => serve::bindings::run(args, screen),
        // Parsed without a phone.
        Command::Parse(_) => Err(Failure::Usage("parse needs no phone".to_owned())),
    }
}
