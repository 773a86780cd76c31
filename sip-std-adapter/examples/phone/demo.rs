//! `phone demo`: two phones in one process, over real sockets.

use crate::answer;
use crate::call;
use crate::interrupt::Interrupt;
use crate::phone::{Phone, Setup};
use crate::report::{Failure, Outcome, Report};
use crate::screen::Shared;
use sip_core::time::Duration;
use std::net::SocketAddr;
use std::thread;

const COMMAND: &str = "demo";

/// How long bob's phone rings.
const RING: Duration = Duration::from_millis(400);
/// How long each part of the call lasts.
const REST: Duration = Duration::from_millis(300);

/// Lets alice call bob: she holds the call, resumes it and hangs up.
pub(crate) fn run(screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)).into());
    // Bob is stopped when alice is done, not by the user.
    let bob_stops = Interrupt::default();
    let bob = Setup { listen, identity: Some("sip:bob@127.0.0.1"), silent: true, ..Setup::default() };
    let mut bob = Phone::start(&bob, screen, &bob_stops)?;
    let alice = Setup { command: COMMAND, listen, identity: Some("sip:alice@127.0.0.1"), ..Setup::default() };
    let mut alice = Phone::start(&alice, screen, interrupt)?;
    let (here, there) = (alice.adapter.local_addr(), bob.adapter.local_addr());
    screen.lock().set_names(&format!("alice {here}"), &format!("bob {there}"));

    let answers = answer::Plan { command: COMMAND, ring: RING, refusal: None, hangup_after: None, count: Some(1) };
    let uri = format!("sip:bob@{there}");
    let calls = call::Plan {
        command: COMMAND,
        uri: &uri,
        duration: Duration::ZERO,
        cancel_after: Some(Duration::from_secs(5)),
        hold: Some(REST),
    };
    let (called, answered) = thread::scope(|scope| {
        let bob = scope.spawn(|| answer::serve(&mut bob, &answers, None));
        let called = call::make(&mut alice, &calls);
        bob_stops.raise();
        let answered = bob.join().unwrap_or_else(|_| Err(Failure::Network("bob's phone failed".to_owned())));
        (called, answered)
    });
    let ((report, hers), (_, his)) = (called?, answered?);
    let steps = [
        (hers.ringing, "180 Ringing"),
        (hers.answered, "an answer"),
        (his.confirmed == 3, "three ACKs"),
        (hers.held, "hold"),
        (hers.resumed, "resume"),
        (his.changes == 2, "two re-INVITEs"),
        (report.cause == Some("local_hangup"), "the hang-up"),
    ];
    let missing: Vec<&str> = steps.iter().filter(|(seen, _)| !seen).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        let message = format!("{} (ringing, answer, hold, resume and hang-up as planned)", report.message);
        return Ok(Report { message, ..report });
    }
    let message = format!("{}; missing: {}", report.message, missing.join(", "));
    let outcome = if report.outcome == Outcome::Ok { Outcome::Network } else { report.outcome };
    Ok(Report { message, ..report }.with_outcome(outcome))
}
