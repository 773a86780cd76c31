//! `phone`: a SIP phone for the command line, and an example of an application of `sip-core` on std.
//!
//! ```text
//! cargo run --release --example phone -- demo
//! cargo run --release --example phone -- answer --listen 127.0.0.1:5060
//! cargo run --release --example phone -- call sip:bob@127.0.0.1:5060 --duration 5
//! ```
//! `phone --help` and `phone call --help` list the options. It signals calls and carries no media. What `--json`
//! prints is described in `report.rs`, what `parse` prints in `parse.rs`.
//!
//! The loop of every command is in `phone.rs`: one step polls the adapter or waits for it, and the command looks at
//! the event, beside the message that brought it.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "a program of std")]

mod answer;
mod args;
mod call;
mod demo;
mod interrupt;
mod net;
mod options;
mod parse;
mod phone;
mod register;
mod report;
mod screen;
mod sdp;
mod text;
mod trace;

use args::{Cli, Command};
use clap::Parser;
use interrupt::Interrupt;
use report::{Failure, Report};
use screen::Shared;
use std::process::ExitCode;
use trace::Trace;

fn main() -> ExitCode {
    let Cli { command, common } = Cli::parse();
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
    let screen = Shared::new(common.json, trace);
    let result = match failure {
        Some(failure) => Err(failure),
        None => run(&command, &screen),
    };
    let report = result.unwrap_or_else(|failure| Report::failed(&command, &failure));
    screen.lock().result(&report);
    report.exit_code()
}

fn run(command: &Command, screen: &Shared) -> Result<Report, Failure> {
    let interrupt = Interrupt::on_ctrl_c();
    match command {
        Command::Demo => demo::run(screen, &interrupt),
        Command::Call(args) => call::run(args, screen, &interrupt),
        Command::Answer(args) => answer::run(args, screen, &interrupt),
        Command::Register(args) => register::run(args, screen, &interrupt),
        Command::Options(args) => options::run(args, screen, &interrupt),
        // Parsed without a phone.
        Command::Parse(_) => Err(Failure::Usage("parse needs no phone".to_owned())),
    }
}
