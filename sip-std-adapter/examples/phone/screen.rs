//! What is shown: the ladder of messages as they pass, what is being waited for, and the result.

use crate::lines::Lines;
use crate::report::Report;
use crate::text::{Identity, one_line};
use crate::trace::Trace;
use core::net::SocketAddr;
use sip_core::message::{Message, Method};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};
use sip_std_adapter::Direction;
use sip_testkit::{Arrows, LadderLine};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time;
use terminal_size::terminal_size_of;

/// How often a status line is drawn anew.
const TICK: Duration = Duration::from_secs(1);
/// Columns where neither COLUMNS nor a terminal says how many there are.
const COLUMNS: usize = 80;

/// The screen, shared between the phone and the tap on its socket.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Screen>>);

impl Shared {
    /// A screen; `aside` when standard output is taken by the trace.
    pub(crate) fn new(json: bool, aside: bool, trace: Option<Trace>) -> Self {
        let aside = json || aside;
        let terminal = if aside { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self(Arc::new(Mutex::new(Screen {
            json,
            aside,
            terminal,
            columns,
            lines: Lines::default(),
            drawn: 0,
            own: String::new(),
            stage: None,
            ladder: None,
            last_sent: None,
            owes_ack: false,
            last_message: Instant::ZERO,
            heard: false,
            first: None,
            trace,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Screen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being waited for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Behind "waiting for".
    pub(crate) what: String,
    /// What has come of it so far, and since when.
    pub(crate) so_far: Option<(String, Instant)>,
}

impl Waiting {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), so_far: None }
    }

    fn text(&self, now: Instant) -> String {
        match &self.so_far {
            Some((text, since)) => {
                format!("waiting for {} ({text} since {} s)", self.what, now.since(*since).as_millis() / 1000)
            }
            None => format!("waiting for {}", self.what),
        }
    }
}

/// Two phones with their server between them, each message shown once as it passes the server.
struct Stage {
    ladder: LadderLine,
    phones: [Address; 2],
    /// Phones and server have clocks of their own; all is shown by this one.
    began: time::Instant,
}

impl Stage {
    /// The column of the server.
    const SERVER: usize = 1;

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn message(&self, way: Direction, flow: Flow, bytes: &[u8]) -> String {
        let phone = if flow.remote == self.phones[0] { 0 } else { 2 };
        match way {
            Direction::In => self.ladder.between(self.now(), phone, Self::SERVER, bytes),
            Direction::Out => self.ladder.between(self.now(), Self::SERVER, phone, bytes),
        }
    }
}

pub(crate) struct Screen {
    json: bool,
    /// Results alone, or the trace, go to standard output: all else goes to standard error.
    aside: bool,
    terminal: bool,
    /// What COLUMNS says.
    columns: Option<usize>,
    lines: Lines,
    /// How many rows of status stand at the terminal's bottom.
    drawn: usize,
    own: String,
    /// Where all is shown that passes a server, in place of what passes one phone.
    stage: Option<Stage>,
    /// The ladder with one peer, between these two ends.
    ladder: Option<(SocketAddr, Address, LadderLine)>,
    last_sent: Option<Flow>,
    /// Our last message was a refusal of an INVITE, and no ACK has come.
    owes_ack: bool,
    last_message: Instant,
    /// A message has come.
    heard: bool,
    /// What names the first request that was sent.
    first: Option<Identity>,
    trace: Option<Trace>,
}

impl Screen {
    /// Says who we are: the name of the left column.
    pub(crate) fn set_own(&mut self, own: &str) {
        own.clone_into(&mut self.own);
    }

    /// Shows what passes a server between two phones, in three columns; gives the heading out at once.
    pub(crate) fn set_stage(&mut self, names: [&str; 3], phones: [SocketAddr; 2]) {
        let ladder = LadderLine::with_endpoints(&names).with_width(self.columns()).with_arrows(self.arrows());
        self.line(&ladder.heading());
        self.stage = Some(Stage { ladder, phones: phones.map(Address::from), began: time::Instant::now() });
    }

    /// Shows what happened at one of the columns of a stage.
    pub(crate) fn note_at(&mut self, column: usize, text: &str) {
        if let Some(stage) = &self.stage {
            let line = stage.ladder.note_at(stage.now(), column, text);
            self.line(&line);
        }
    }

    /// Shows and records a message.
    pub(crate) fn message(&mut self, way: Direction, local: SocketAddr, flow: Flow, bytes: &[u8], now: Instant) {
        self.last_message = now;
        match way {
            Direction::Out => {
                self.last_sent = Some(flow);
                self.owes_ack = is_refused_invite(bytes);
                if self.first.is_none() && self.stage.is_none() {
                    self.first = Message::parse(bytes).ok().filter(Message::is_request).map(|sent| Identity::of(&sent));
                }
            }
            // What names the call on a stage is the INVITE that comes in there.
            Direction::In => {
                self.heard = true;
                self.owes_ack &= !bytes.starts_with(b"ACK ");
                if self.stage.is_some() && self.first.is_none() && bytes.starts_with(b"INVITE ") {
                    self.first = Message::parse(bytes).ok().map(|sent| Identity::of(&sent));
                }
            }
        }
        self.record(way, local, flow, bytes, now);
        if let Some(stage) = &self.stage {
            let line = stage.message(way, flow, bytes);
            return self.line(&line);
        }
        let direction = match way {
            Direction::Out => sip_testkit::Direction::Right,
            Direction::In => sip_testkit::Direction::Left,
        };
        let ladder = match self.ladder.take() {
            Some((end, peer, ladder)) if (end, peer) == (local, flow.remote) => ladder,
            _ => self.open_ladder(local, flow),
        };
        self.line(&ladder.message(now, direction, bytes));
        self.ladder = Some((local, flow.remote, ladder));
    }

    /// Writes a message into the trace.
    pub(crate) fn record(&mut self, way: Direction, local: SocketAddr, flow: Flow, bytes: &[u8], now: Instant) {
        if let (Some(trace), Some(remote)) = (&mut self.trace, flow.remote.socket_addr()) {
            let (from, to) = if way == Direction::Out { (local, remote) } else { (remote, local) };
            if let Err(error) = trace.message(now, from, to, flow.transport, bytes) {
                self.trace = None;
                self.line(&format!("the trace ends here: {error}"));
            }
        }
    }

    /// What a terminal of this locale can show; a pipe gets ASCII, for what reads it.
    fn arrows(&self) -> Arrows {
        if self.terminal && is_unicode(|name| std::env::var(name).ok()) { Arrows::Unicode } else { Arrows::Ascii }
    }

    /// The ladder between us and a peer that it was not shown with before: its heading is shown. A connection has an end of its
    /// own here.
    fn open_ladder(&mut self, local: SocketAddr, flow: Flow) -> LadderLine {
        let own = if flow.transport.is_reliable() { local.to_string() } else { self.own.clone() };
        let ladder =
            LadderLine::new(&own, &flow.remote.to_string()).with_width(self.columns()).with_arrows(self.arrows());
        self.line(&ladder.heading());
        ladder
    }

    /// Shows something that happened here, within the ladder.
    pub(crate) fn note(&mut self, now: Instant, text: &str) {
        if let Some(stage) = &self.stage {
            let line = stage.ladder.note(stage.now(), text);
            return self.line(&line);
        }
        // What stands beside the text between the bars: the time, the bars, the star and white space.
        let room = self.columns().clamp(40, LadderLine::MAX_WIDTH).saturating_sub(16);
        let text = match &self.ladder {
            Some((.., ladder)) if text.chars().count() <= room => ladder.note(now, text),
            _ => format!("{:>8}  * {text}", now.as_millis()),
        };
        self.line(&text);
    }

    /// Shows a line; a status line gives way to it.
    pub(crate) fn line(&mut self, text: &str) {
        self.clear();
        self.write(&format!("{text}\n"));
    }

    /// Says in a terminal's last row what is being waited for, and when to say it again; elsewhere says nothing.
    pub(crate) fn waiting(&mut self, now: Instant, waiting: &Waiting) -> Option<Instant> {
        if !self.terminal {
            return None;
        }
        let width = self.columns().saturating_sub(1);
        let text: String = waiting.text(now).chars().take(width).collect();
        self.write(&format!("\r{text}\x1b[K"));
        self.drawn = 1;
        Some(now + TICK)
    }

    /// Draws rows of status at the bottom of a terminal, which has so many lines and columns; elsewhere draws nothing. Gives
    /// whether there is a terminal.
    pub(crate) fn table(&mut self, rows: impl FnOnce(usize, usize) -> Vec<String>) -> bool {
        if self.terminal {
            let lines = self.size().map_or(1, |(_, lines)| lines);
            let rows = rows(lines, self.columns());
            self.clear();
            self.write(&rows.join("\n"));
            self.drawn = rows.len();
        }
        self.terminal
    }

    /// Whether rows of status stand there.
    pub(crate) fn is_drawn(&self) -> bool {
        self.drawn > 0
    }

    /// How wide a line may be: what COLUMNS says, else the terminal, which may have changed.
    fn columns(&self) -> usize {
        let terminal = || self.size().map(|(columns, _)| columns);
        self.columns.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
    }

    /// Columns and lines of the terminal, if there is one.
    fn size(&self) -> Option<(usize, usize)> {
        // Without one the system is not asked at each line.
        let of = || if self.aside { terminal_size_of(io::stderr()) } else { terminal_size_of(io::stdout()) };
        self.terminal.then(of).flatten().map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Prints a line of JSON, if that was asked for.
    pub(crate) fn log(&mut self, json: impl FnOnce() -> String) {
        if self.json {
            self.lines.out(&format!("{}\n", json()));
        }
    }

    /// Holds lines back until they are [released](Self::release), unless somebody sees them on a terminal as they come.
    pub(crate) fn hold(&mut self) {
        if !self.terminal && !io::stdout().is_terminal() {
            self.lines.hold();
        }
    }

    /// Whether a line is held back.
    pub(crate) fn is_holding(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Writes what is held back.
    pub(crate) fn release(&mut self) {
        self.lines.release();
    }

    /// Shows the result of one call of many.
    pub(crate) fn part(&mut self, now: Instant, report: &Report) {
        self.note(now, &report.message);
        self.log(|| report.json());
    }

    /// Shows the result of the command.
    pub(crate) fn result(&mut self, report: &Report) {
        self.clear();
        if self.aside {
            self.log(|| report.json());
            self.line(&report.message);
        } else {
            self.lines.out(&format!("{}\n", report.message));
        }
        // The process ends behind it.
        self.release();
    }

    /// When a message passed last.
    pub(crate) fn last_message(&self) -> Instant {
        self.last_message
    }

    /// Whether any message has come.
    pub(crate) fn heard(&self) -> bool {
        self.heard
    }

    /// To whom a message went last.
    pub(crate) fn last_peer(&self) -> Option<String> {
        self.last_sent.map(|flow| flow.remote.to_string())
    }

    /// Whether an ACK is still to come for the last message.
    pub(crate) fn owes_ack(&self) -> bool {
        self.owes_ack
    }

    /// By which flow a message went last.
    pub(crate) fn last_sent(&self) -> Option<Flow> {
        self.last_sent
    }

    /// What names the first request that was sent.
    pub(crate) fn first(&self) -> Option<Identity> {
        self.first.clone()
    }

    fn clear(&mut self) {
        match core::mem::take(&mut self.drawn) {
            0 => {}
            1 => self.write("\r\x1b[K"),
            rows => self.write(&format!("\r\x1b[{}A\x1b[J", rows - 1)),
        }
    }

    fn write(&mut self, text: &str) {
        if self.aside {
            self.lines.err(text);
        } else {
            self.lines.out(text);
        }
    }
}

/// Whether a message is a final response to an INVITE that a transaction acknowledges.
fn is_refused_invite(bytes: &[u8]) -> bool {
    let refusal = Message::parse(bytes).ok().filter(|message| message.status().is_some_and(|status| status >= 300));
    refusal.is_some_and(|refusal| refusal.cseq().method == Method::Invite)
}

/// Prints a line on standard output.
pub(crate) fn print(line: &str) {
    Lines::default().out(&format!("{line}\n"));
}

/// Whether the locale of these variables is one of UTF-8: the first that is set says so.
fn is_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

/// A request of the peer in a few words, with the text that it brings.
pub(crate) fn told(method: &str, text: &[u8]) -> String {
    let shown = one_line(text);
    if shown.is_empty() { method.to_owned() } else { format!("{method}: {shown}") }
}

#[cfg(test)]
mod tests {
    use super::is_unicode;

    #[test]
    fn the_first_variable_that_is_set_says_what_can_be_shown() {
        let locale = |set: &'static [(&str, &str)]| {
            is_unicode(|name| set.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(locale(&[("LANG", "de_DE.UTF-8")]) && locale(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!locale(&[]) && !locale(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(locale(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]));
    }
}
