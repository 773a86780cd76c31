//! A program with captured output that ends in time or is ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a program that is asked to end may take.
const GRACE: Duration = Duration::from_secs(5);
/// How often a program is looked at.
const TICK: Duration = Duration::from_millis(5);

/// A running program. Dropped, it is ended; dropped by a panic, it prints what it said.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    limit: Instant,
    /// It ends when its input does, and leads a process group.
    group: bool,
    ended: bool,
}

/// What a program said so far.
#[derive(Debug, Default)]
struct Output {
    texts: Mutex<Texts>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Texts {
    out: String,
    err: String,
    open: u8,
}

/// What is left of a program that has ended.
#[derive(Debug)]
pub struct Finished {
    name: String,
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    /// All of its standard output.
    pub out: String,
    /// All of its standard error.
    pub err: String,
}

impl Process {
    /// Starts a program that has to end within `limit`.
    ///
    /// # Panics
    /// The program can't be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, limit: Duration) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{name} does not start: {error}: {command:?}"));
        let output = Arc::new(Output::default());
        output.lock().open = 2;
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(output.read(pipe, |texts| &mut texts.out));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(output.read(pipe, |texts| &mut texts.err));
        }
        Self {
            name: name.to_owned(),
            input: child.stdin.take(),
            child,
            output,
            readers,
            limit: Instant::now() + limit,
            group: false,
            ended: false,
        }
    }

    /// Starts a program with children, which ends when its standard input does. It leads a process group: Ctrl-C in a
    /// terminal does not reach it, the end of the pipe does.
    ///
    /// # Panics
    /// The program can't be started.
    #[must_use]
    pub fn start_group(name: &str, command: &mut Command, limit: Duration) -> Self {
        let mut process = Self::start(name, command.process_group(0), limit);
        process.group = true;
        process
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line that contains `text` is out, on either output, and gives that line.
    ///
    /// # Panics
    /// The program ended without it, or the limit is over.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.says(text).unwrap_or_else(|| panic!("{} never said {text:?}", self.name))
    }

    /// As [`wait_for`](Self::wait_for), but `None` when the program ended without it, or the limit is over.
    pub fn says(&self, text: &str) -> Option<String> {
        let mut texts = self.output.lock();
        loop {
            if let Some(line) = texts.line_with(text) {
                return Some(line.to_owned());
            }
            let left = self.limit.saturating_duration_since(Instant::now());
            if texts.open == 0 || left.is_zero() {
                return None;
            }
            texts = self.output.wait(texts, left);
        }
    }

    /// Waits until a line that contains `text` stands behind the first `seen` octets of standard output, gives it, and
    /// moves `seen` to its end; `None` when the program ended without it, or `limit` is over.
    pub fn next_line(&self, seen: &mut usize, text: &str, limit: Duration) -> Option<String> {
        let until = self.limit.min(Instant::now() + limit);
        let mut texts = self.output.lock();
        loop {
            let (fresh, mut end) = (texts.out.get(*seen..).unwrap_or_default(), *seen);
            for line in fresh.split_inclusive('\n') {
                end += line.len();
                if line.ends_with('\n') && line.contains(text) {
                    *seen = end;
                    return Some(line.trim_end().to_owned());
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if texts.open == 0 || left.is_zero() {
                return None;
            }
            texts = self.output.wait(texts, left);
        }
    }

    /// Writes a line to the standard input.
    ///
    /// # Panics
    /// It is closed.
    pub fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().map(|input| writeln!(input, "{line}").and_then(|()| input.flush()));
        assert!(matches!(input, Some(Ok(()))), "{} takes no input", self.name);
    }

    /// Waits until the program has bound a port of 127.0.0.1.
    ///
    /// # Panics
    /// The program ended before, or the limit is over.
    pub fn wait_bound(&mut self, port: u16) {
        while !super::ports::is_bound(port) {
            let gone = self.child.try_wait().is_ok_and(|status| status.is_some());
            assert!(!gone && Instant::now() < self.limit, "{} never bound port {port}", self.name);
            thread::sleep(TICK);
        }
    }

    /// Sends a signal, by its name: `INT`, `TERM`.
    ///
    /// # Panics
    /// There is no `kill` program.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.is_ok(), "no signal {name} for {}", self.name);
    }

    /// Waits for the end of the program.
    ///
    /// # Panics
    /// The limit is over.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = self.wait(self.limit);
        let Some(status) = status else { panic!("{} did not end in time", self.name) };
        self.ended = true;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let mut texts = self.output.lock();
        Finished {
            name: self.name.clone(),
            code: status.code(),
            out: core::mem::take(&mut texts.out),
            err: core::mem::take(&mut texts.err),
        }
    }

    /// Closes the standard input, and ends the program if that does not end it.
    pub fn close(mut self) {
        self.input = None;
        let _ = self.wait(Instant::now() + GRACE);
    }

    fn wait(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait().ok().flatten() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.input = None;
            if self.group && self.wait(Instant::now() + GRACE).is_none() {
                let group = format!("-{}", self.child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            let texts = self.output.lock();
            show(&self.name, &texts.out, &texts.err);
        }
    }
}

impl Finished {
    /// Checks the exit status.
    ///
    /// # Panics
    /// It is another; what the program said is printed.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        if self.code != Some(code) {
            show(&self.name, &self.out, &self.err);
            panic!("{} exits with {:?} instead of {code}", self.name, self.code);
        }
        self
    }
}

impl Texts {
    /// The first line that contains `text`; one that is still growing counts once it is whole.
    fn line_with(&self, text: &str) -> Option<&str> {
        let lines = [&self.out, &self.err].into_iter().flat_map(|text| text.split_inclusive('\n'));
        lines.filter_map(|line| line.strip_suffix('\n')).find(|line| line.contains(text))
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, texts: MutexGuard<'a, Texts>, left: Duration) -> MutexGuard<'a, Texts> {
        self.grown.wait_timeout(texts, left).unwrap_or_else(PoisonError::into_inner).0
    }

    fn read(self: &Arc<Self>, pipe: impl Read + Send + 'static, text: fn(&mut Texts) -> &mut String) -> JoinHandle<()> {
        let output = Arc::clone(self);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                text(&mut output.lock()).push_str(&String::from_utf8_lossy(&line));
                output.grown.notify_all();
                line.clear();
            }
            output.lock().open -= 1;
            output.grown.notify_all();
        })
    }
}

/// Prints what a program said, each output cut to its end.
fn show(name: &str, out: &str, err: &str) {
    for (which, text) in [("output", out), ("error output", err)] {
        if !text.is_empty() {
            eprintln!("--- {which} of {name}\n{}", super::tail(text));
        }
    }
}
