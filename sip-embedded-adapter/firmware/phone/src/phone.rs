//! The desk phone: what it does when something is typed, and when something happens.

use crate::console::Command;
use crate::media::{Endpoint, Refusal, is_hold};
use crate::settings::Settings;
use core::fmt::{self, Write};
use sip_core::error::{Argument, ConfigError, Error};
use sip_core::message::Message;
use sip_core::random::Seed;
use sip_core::time::{Duration, Instant};
use sip_core::transaction::Timers;
use sip_core::transport::Transport;
use sip_core::ua::Memory;
use sip_core::ua::{Call, Config, Content, Event, Registration, UserAgent};

/// Calls at the same time.
pub const LINES: usize = 2;

/// Octets of the longest description.
const DESCRIPTION: usize = 512;

/// The port of RTP on the first line; the second has the next even one.
const MEDIA_PORT: u16 = 4000;

/// What is heard when a line is picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing; the line has no call.
    Free = 0,
    /// We call, and the peer may ring.
    Calling,
    /// We are called.
    Ringing,
    /// We have answered or been answered.
    Talking,
}

/// One call, or the place for one.
#[derive(Clone, Copy, Debug)]
struct Line {
    state: State,
    call: Option<Call>,
    /// Whether we hold the peer, and what our re-INVITE under way asks for.
    hold: bool,
    wanted: bool,
    /// Whether the peer holds us.
    held: bool,
    /// The session of our descriptions, and how many there have been.
    session: u64,
    version: u32,
    /// The description that answers a call that rings.
    answer: [u8; DESCRIPTION],
    length: usize,
}

impl Line {
    const FREE: Self = Self {
        state: State::Free,
        call: None,
        hold: false,
        wanted: false,
        held: false,
        session: 0,
        version: 0,
        answer: [0; DESCRIPTION],
        length: 0,
    };

    /// Takes the line for a call that begins.
    fn begin(&mut self, now: Instant, state: State) {
        *self = Self { state, session: now.as_millis(), ..Self::FREE };
    }

    /// Writes the next description of this line: the answer to `offer`, or an offer where there is none.
    fn describe(&mut self, endpoint: Endpoint, hold: bool, offer: Option<&[u8]>) -> Result<Content<'_>, Refusal> {
        self.version = self.version.saturating_add(1);
        self.length = match offer {
            Some(offer) => endpoint.answer(self.session, self.version, hold, offer, &mut self.answer)?,
            None => endpoint.offer(self.session, self.version, hold, &mut self.answer)?,
        };
        Ok(self.description())
    }

    fn description(&self) -> Content<'_> {
        Content::sdp(self.answer.get(..self.length).unwrap_or_default())
    }
}

/// What a command came to.
type Outcome = Result<(), Trouble>;

/// Why a command was not carried out.
enum Trouble {
    /// There is no such line, or none in the state that the command is for.
    NoLine,
    /// There is no registrar, or no registration.
    NoRegistration,
    /// The user agent refused.
    Agent(Error),
    /// The description could not be written.
    Media,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Agent(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(_: Refusal) -> Self {
        Self::Media
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLine => f.write_str("no line for that"),
            Self::NoRegistration => f.write_str("no registrar"),
            Self::Agent(error) => error.fmt(f),
            Self::Media => f.write_str("no session description for that"),
        }
    }
}

/// The phone beside its user agent. It is all zero before its start.
#[derive(Debug)]
pub struct Phone {
    lines: [Line; LINES],
    registration: Option<Registration>,
    registered: bool,
}

impl Phone {
    /// A phone on the hook.
    pub const ZERO: Self = Self { lines: [Line::FREE; LINES], registration: None, registered: false };

    /// Starts the user agent, and registers if there is a registrar.
    ///
    /// # Errors
    /// The settings can't be used.
    pub fn start<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        settings: &Settings<'_>,
        seed: Seed,
    ) -> Result<(), ConfigError> {
        let config = Config::new(settings.sent_by, settings.identity)
            .with_contact_user(settings.user)
            .with_user_agent(concat!("sip-firmware-phone/", env!("CARGO_PKG_VERSION")))
            .with_keep_alive(Duration::from_secs(30))
            .with_timers(Timers { t1: Duration::from_millis(settings.t1.into()), ..Timers::DEFAULT })
            .with_transport(settings.transport)
            // Over UDP the port was forwarded by hand, and the NAT of the emulator gives each flow another. Over TCP a
            // connection is the only way to the phone, so its address has to be learnt.
            .with_learn_address(settings.transport == Transport::Tcp)
            .with_accepts_connections(false);
        agent.start(&config, seed)?;
        if !settings.password.is_empty() {
            agent
                .add_credentials(settings.realm, settings.user, settings.password)
                .map_err(|_| ConfigError::Invalid(Argument::Credentials))?;
        }
        Ok(())
    }

    /// Where a line would hear its peer.
    fn endpoint(settings: &Settings<'_>, line: usize) -> Endpoint {
        Endpoint { address: settings.media_address(), port: MEDIA_PORT + 2 * line as u16 }
    }

    /// The first line in one of these states, or the one that the user names, counted from 1.
    fn pick(&self, named: Option<usize>, states: &[State]) -> Result<usize, Trouble> {
        let fits = |index: &usize| self.lines.get(*index).is_some_and(|line| states.contains(&line.state));
        match named {
            Some(number) => number.checked_sub(1).filter(fits),
            None => (0..LINES).find(fits),
        }
        .ok_or(Trouble::NoLine)
    }

    /// Carries a command out, and says on `console` what came of it.
    pub fn command<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        command: Command<'_>,
        console: &mut impl Write,
    ) {
        let outcome = match command {
            Command::Help => {
                say(
                    console,
                    format_args!("call URI | answer | hold | resume | hangup [LINE] | register | unregister | status"),
                );
                Ok(())
            }
            Command::Status => {
                self.status(agent, console);
                Ok(())
            }
            Command::Register => self.register(agent, now, settings),
            Command::Unregister => self.unregister(agent, now),
            Command::Call(target) => self.call(agent, now, settings, target, console),
            Command::Answer(line) => self.answer(agent, now, line),
            Command::Hold(line) => self.hold(agent, now, settings, line, true),
            Command::Resume(line) => self.hold(agent, now, settings, line, false),
            Command::HangUp(line) => self.hang_up(agent, now, line),
            // The board's own.
            Command::Freeze => Ok(()),
        };
        if let Err(trouble) = outcome {
            say(console, format_args!("can't: {trouble}"));
        }
    }

    fn status<M: Memory>(&self, agent: &UserAgent<M>, console: &mut impl Write) {
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| line.state != State::Free) {
            let (state, hold, held) = (line.state, line.hold, line.held);
            say(console, format_args!("line {}: {state:?} holding={hold} held={held}", index + 1));
        }
        let (used, counted) = (agent.occupancy(), agent.statistics());
        say(
            console,
            format_args!(
                "status: registered={} calls={} dialogs={} transactions={} octets={} malformed={} strays={}",
                self.registered,
                used.calls,
                used.dialogs,
                used.transactions,
                used.octets,
                counted.malformed,
                counted.strays
            ),
        );
    }

    fn register<M: Memory>(&mut self, agent: &mut UserAgent<M>, now: Instant, settings: &Settings<'_>) -> Outcome {
        match self.registration {
            // The way to renew a binding at once: as if the address had changed.
            Some(_) => agent.network_changed(now, settings.sent_by)?,
            None if settings.registrar.is_empty() => return Err(Trouble::NoRegistration),
            None => {
                let (registrar, aor) = (settings.registrar, settings.identity);
                self.registration = Some(agent.register(now, registrar, aor, settings.expires)?);
            }
        }
        Ok(())
    }

    fn unregister<M: Memory>(&mut self, agent: &mut UserAgent<M>, now: Instant) -> Outcome {
        Ok(agent.unregister(now, self.registration.ok_or(Trouble::NoRegistration)?)?)
    }

    fn call<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        target: &str,
        console: &mut impl Write,
    ) -> Outcome {
        let index = self.pick(None, &[State::Free])?;
        let line = self.lines.get_mut(index).ok_or(Trouble::NoLine)?;
        line.begin(now, State::Calling);
        let content = line.describe(Self::endpoint(settings, index), false, None)?;
        match agent.call(now, target, "", &content) {
            Ok(call) => line.call = Some(call),
            Err(error) => {
                *line = Line::FREE;
                return Err(error.into());
            }
        }
        say(console, format_args!("line {}: calling {target}", index + 1));
        Ok(())
    }

    /// The line that the user means, and its call.
    fn line(&mut self, named: Option<usize>, states: &[State]) -> Result<(usize, &mut Line, Call), Trouble> {
        let index = self.pick(named, states)?;
        let line = self.lines.get_mut(index).ok_or(Trouble::NoLine)?;
        let call = line.call.ok_or(Trouble::NoLine)?;
        Ok((index, line, call))
    }

    fn answer<M: Memory>(&mut self, agent: &mut UserAgent<M>, now: Instant, named: Option<usize>) -> Outcome {
        let (_, line, call) = self.line(named, &[State::Ringing])?;
        agent.answer(now, call, &line.description())?;
        line.state = State::Talking;
        Ok(())
    }

    fn hold<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        named: Option<usize>,
        hold: bool,
    ) -> Outcome {
        let (index, line, call) = self.line(named, &[State::Talking])?;
        let content = line.describe(Self::endpoint(settings, index), hold, None)?;
        agent.reinvite(now, call, &content)?;
        line.wanted = hold;
        Ok(())
    }

    fn hang_up<M: Memory>(&mut self, agent: &mut UserAgent<M>, now: Instant, named: Option<usize>) -> Outcome {
        let (_, _, call) = self.line(named, &[State::Ringing, State::Talking, State::Calling])?;
        Ok(agent.hang_up(now, call)?)
    }

    /// The cable was pulled out, or put back: then the binding is renewed and every call refreshed.
    pub fn link<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        up: bool,
        console: &mut impl Write,
    ) {
        say(console, format_args!("link {}", if up { "up" } else { "down" }));
        // Nothing can have gone wrong with a configuration that was good at the start.
        let _ = up.then(|| agent.network_changed(now, settings.sent_by));
    }

    /// Takes what happened, with the message that caused it, if one did.
    pub fn event<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        (event, message): (Event, Option<&Message<'_>>),
        console: &mut impl Write,
    ) {
        match event {
            Event::Registered { registration, expires } => {
                (self.registration, self.registered) = (Some(registration), true);
                say(console, format_args!("registered for {expires} s"));
            }
            Event::Unregistered { .. } => {
                (self.registration, self.registered) = (None, false);
                say(console, format_args!("unregistered"));
            }
            Event::RegistrationFailed { status, retry_after, .. } => {
                self.registered = false;
                if retry_after == 0 {
                    self.registration = None;
                }
                say(console, format_args!("not registered: {status}, next try in {retry_after} s"));
            }
            Event::Incoming { call } => self.incoming(agent, now, settings, (call, message), console),
            Event::Request { request, .. } => {
                // None is asked for in the configuration.
                let _ = agent.respond(now, request, 501, &Content::NONE);
            }
            Event::Oversize { sizes, by_datagram, .. } => {
                let way = if by_datagram { "no TCP, sent as a datagram" } else { "TCP is tried" };
                say(console, format_args!("a request of {} octets, {} at most: {way}", sizes.compact, sizes.limit));
            }
            Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Confirmed { call }
            | Event::Reinvite { call }
            | Event::OfferTimedOut { call }
            | Event::ReinviteCancelled { call }
            | Event::Reinvited { call, .. }
            | Event::RefreshDue { call }
            | Event::Ended { call, .. } => {
                if let Some(index) = self.lines.iter().position(|line| line.call == Some(call)) {
                    self.call_event(agent, now, settings, (index, call), (event, message), console);
                }
            }
            // A request of the application, which has none, and what is yet to come.
            _ => {}
        }
    }

    fn incoming<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        (call, message): (Call, Option<&Message<'_>>),
        console: &mut impl Write,
    ) {
        let free = self.pick(None, &[State::Free]).ok();
        let Some((index, line)) = free.and_then(|index| Some((index, self.lines.get_mut(index)?))) else {
            let _ = agent.reject(now, call, 486, &Content::NONE);
            return;
        };
        line.begin(now, State::Ringing);
        let offer = message.and_then(description_of);
        // The answer is written now, while the offer is there.
        if let Err(refusal) = line.describe(Self::endpoint(settings, index), false, offer) {
            *line = Line::FREE;
            let _ = agent.reject(now, call, status_of(refusal), &Content::NONE);
            return;
        }
        line.call = Some(call);
        // A call that has ended meanwhile tells so by an event.
        let _ = agent.ring(now, call, 180, &Content::NONE);
        let caller = message.map_or(&b""[..], |message| message.from().raw_uri());
        say(console, format_args!("line {}: call from {}", index + 1, Printable(caller)));
    }

    fn call_event<M: Memory>(
        &mut self,
        agent: &mut UserAgent<M>,
        now: Instant,
        settings: &Settings<'_>,
        (index, call): (usize, Call),
        (event, message): (Event, Option<&Message<'_>>),
        console: &mut impl Write,
    ) {
        let number = index + 1;
        let Some(line) = self.lines.get_mut(index) else { return };
        let endpoint = Self::endpoint(settings, index);
        match event {
            Event::Progress { status, .. } => say(console, format_args!("line {number}: {status}")),
            Event::Answered { .. } => {
                line.state = State::Talking;
                say(console, format_args!("line {number}: answered"));
            }
            Event::Confirmed { .. } => say(console, format_args!("line {number}: connected")),
            Event::Reinvite { .. } => {
                let offer = message.and_then(description_of);
                let held = offer.is_some_and(is_hold);
                match line.describe(endpoint, line.hold, offer) {
                    Ok(content) if agent.answer(now, call, &content).is_ok() => {
                        line.held = held;
                        let change = if held { "held by the peer" } else { "not held by the peer" };
                        say(console, format_args!("line {number}: {change}"));
                    }
                    // A call that has ended meanwhile tells so by an event.
                    Ok(_) => {}
                    Err(refusal) => {
                        let _ = agent.reject(now, call, status_of(refusal), &Content::NONE);
                        say(console, format_args!("line {number}: a change was refused"));
                    }
                }
            }
            Event::Reinvited { status, .. } => {
                if status < 300 {
                    line.hold = line.wanted;
                }
                let hold = if line.hold { "holding" } else { "talking" };
                say(console, format_args!("line {number}: {status}, {hold}"));
            }
            Event::RefreshDue { .. } => {
                line.wanted = line.hold;
                if let Ok(content) = line.describe(endpoint, line.hold, None) {
                    // While another INVITE is under way in the call, that one is the refresh.
                    let _ = agent.reinvite(now, call, &content);
                }
            }
            Event::Ended { cause, status, .. } => {
                *line = Line::FREE;
                say(console, format_args!("line {number}: ended, {cause:?} {status}"));
            }
            _ => {}
        }
    }
}

/// One line on the console. There is nobody to tell when it fails.
pub fn say(console: &mut impl Write, what: fmt::Arguments<'_>) {
    let _ = console.write_fmt(what);
    let _ = console.write_str("\r\n");
}

/// The session description that a message carries.
fn description_of<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    let sdp = message.content_type().is_some_and(|kind| kind.is(b"application/sdp"));
    (sdp && !message.body().is_empty()).then(|| message.body())
}

fn status_of(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::NotAcceptable => 488,
        Refusal::NoRoom => 500,
    }
}

/// Text of a stranger, without what could move the cursor.
struct Printable<'a>(&'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0 {
            f.write_char(if matches!(octet, b' '..=b'~') { char::from(*octet) } else { '?' })?;
        }
        Ok(())
    }
}
