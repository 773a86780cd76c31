//! `phone demo`: a server and two phones in one process, over real sockets.
//!
//! ```text
//!   alice ──────────── server ──────────── bob
//!     register            register
//!     call, hold, resume, hang up
//! ```

use crate::answer;
use crate::args::{Credentials, Refer, Weakest};
use crate::call;
use crate::interrupt::Interrupt;
use crate::phone::{BUFFER, Phone, Setup, Step};
use crate::report::{Failure, Outcome, Report};
use crate::screen::{Shared, Waiting};
use crate::serve::demo::Demo;
use sip_core::time::Duration;
use sip_core::ua::{Event, Registration};
use std::net::SocketAddr;
use std::thread;

const COMMAND: &str = "demo";

const DOMAIN: &str = "example.com";
const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";
const PASSWORD: &str = "zanzibar";

/// How long bob's phone rings.
const RING: Duration = Duration::from_millis(400);
/// How long each part of the call lasts.
const REST: Duration = Duration::from_millis(300);
/// How long the server has to answer a REGISTER here.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets alice call bob through the server at which both are registered: she holds the call, resumes it and hangs up.
pub(crate) fn run(screen: &Shared, interrupt: &Interrupt) -> Result<Report, Failure> {
    let server_stops = Interrupt::default();
    let mut server = Demo::start(DOMAIN, &[("alice", PASSWORD), ("bob", PASSWORD)], screen, &server_stops)?;
    let place = format!("sip:{}", server.local_addr());
    // Bob is stopped when alice is done, not by the user.
    let bob_stops = Interrupt::default();
    let mut bob = phone(&place, BOB, 2, screen, &bob_stops)?;
    let mut alice = phone(&place, ALICE, 0, screen, interrupt)?;
    let ends = [&alice, &bob].map(|phone| phone.adapter.local_addr());
    screen.lock().set_stage(["alice", &format!("server {}", server.local_addr()), "bob"], ends);
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.run());
        let report = play(&mut alice, &mut bob, &bob_stops, &place);
        server_stops.raise();
        let served = serving.join().unwrap_or_else(|_| Err(Failure::Network("the server failed".to_owned())));
        served.and(report)
    })
}

fn phone(place: &str, identity: &str, column: usize, screen: &Shared, stop: &Interrupt) -> Result<Phone, Failure> {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)).into());
    let credentials = Credentials { user: None, password: Some(PASSWORD.to_owned()), weakest_digest: Weakest::Md5 };
    let setup = Setup {
        command: COMMAND,
        listen,
        identity: Some(identity),
        proxy: Some(place),
        credentials: Some(&credentials),
        silent: identity == BOB,
        column: Some(column),
        ..Setup::default()
    };
    Phone::start(&setup, screen, stop)
}

/// Registers a phone, and waits for that.
fn register(phone: &mut Phone, place: &str, aor: &str) -> Result<Registration, Failure> {
    let registration = phone.adapter.with(|ua, now| ua.register(now, place, aor, crate::register::EXPIRES))?;
    let (until, waiting) = (phone.now() + PATIENCE, Waiting::new("the server"));
    let mut buffer = vec![0; BUFFER];
    while phone.now() < until {
        match phone.step(&mut buffer, Some(until), &waiting)? {
            Step::Event(Event::Registered { expires, .. }, _) => {
                phone.note(&format!("registered for {expires} s"));
                return Ok(registration);
            }
            Step::Event(Event::RegistrationFailed { status, .. }, _) => {
                return Err(Failure::Network(format!("{aor} could not register: {status}")));
            }
            _ => {}
        }
    }
    Err(Failure::Network(format!("{aor} could not register: no answer")))
}

/// The play in the middle of which the call stands.
fn play(alice: &mut Phone, bob: &mut Phone, bob_stops: &Interrupt, place: &str) -> Result<Report, Failure> {
    let bobs = register(bob, place, BOB)?;
    let alices = register(alice, place, ALICE)?;
    let answers = answer::Plan {
        command: COMMAND,
        ring: RING,
        refusal: None,
        hangup_after: None,
        count: Some(1),
        refer: Refer::Deny,
    };
    let calls = call::Plan {
        follow: 0,
        refer: Refer::Deny,
        command: COMMAND,
        uri: BOB,
        duration: Duration::ZERO,
        cancel_after: Some(Duration::from_secs(5)),
        hold: Some(REST),
        keys: None,
    };
    let (called, answered) = thread::scope(|scope| {
        let bob = scope.spawn(|| answer::serve(bob, &answers, Some(bobs)));
        let called = call::make(alice, &calls);
        bob_stops.raise();
        let answered = bob.join().unwrap_or_else(|_| Err(Failure::Network("bob's phone failed".to_owned())));
        (called, answered)
    });
    let unregistered = unregister(alice, alices)?;
    let ((report, hers), (_, his)) = (called?, answered?);
    let steps = [
        (hers.ringing, "180 Ringing"),
        (hers.answered, "an answer"),
        (his.confirmed == 3, "three ACKs"),
        (hers.held, "hold"),
        (hers.resumed, "resume"),
        (his.changes == 2, "two re-INVITEs"),
        (report.cause == Some("local_hangup"), "the hang-up"),
        (unregistered, "the end of the registration"),
    ];
    let missing: Vec<&str> = steps.iter().filter(|(seen, _)| !seen).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        let message =
            format!("{} (registration, ringing, answer, hold, resume and hang-up as planned)", report.message);
        return Ok(Report { message, ..report });
    }
    let message = format!("{}; missing: {}", report.message, missing.join(", "));
    let outcome = if report.outcome == Outcome::Ok { Outcome::Network } else { report.outcome };
    Ok(Report { message, ..report }.with_outcome(outcome))
}

/// Removes a phone's binding; whether the server did.
fn unregister(phone: &mut Phone, registration: Registration) -> Result<bool, Failure> {
    phone.adapter.with(|ua, now| ua.unregister(now, registration))?;
    let (until, waiting) = (phone.now() + PATIENCE, Waiting::new("the server"));
    let mut buffer = vec![0; BUFFER];
    while phone.now() < until {
        if let Step::Event(Event::Unregistered { .. }, message) = phone.step(&mut buffer, Some(until), &waiting)? {
            return Ok(message.is_some_and(|message| message.status() == Some(200)));
        }
    }
    Ok(false)
}
