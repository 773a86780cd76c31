//! Runs the phone, or another example, as a process of its own.
//!
//! Cargo gives a test no path to an example, so the first use asks cargo for them: it builds the examples with the
//! profile of the tests, which has been done already unless only one test was asked for, and tells where they lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes longer, but for a machine that stands still.
const LIMIT: Duration = Duration::from_secs(60);

/// How a phone ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// The last line of standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The last line of standard output.
    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// Fails unless the phone ended with this exit status.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// A phone at work. Dropped before its end, it is killed.
pub(crate) struct Phone {
    child: Child,
    started: Instant,
    lines: Receiver<(Stream, String)>,
    stdout: String,
    stderr: String,
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// Starts a phone.
pub(crate) fn start(args: &[&str]) -> Phone {
    start_example("phone", args)
}

/// Starts an example.
pub(crate) fn start_example(name: &str, args: &[&str]) -> Phone {
    launch(name, args, &[])
}

/// Starts a phone with variables in its environment.
pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Phone {
    launch("phone", args, variables)
}

fn launch(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Phone {
    let mut child = Command::new(binary(name))
        .args(args)
        .env_remove("SIP_PASSWORD")
        .env_remove("COLUMNS")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the phone starts");
    let (sender, lines) = channel();
    forward(Stream::Out, child.stdout.take().expect("a pipe"), sender.clone());
    forward(Stream::Err, child.stderr.take().expect("a pipe"), sender);
    Phone { child, started: Instant::now(), lines, stdout: String::new(), stderr: String::new() }
}

/// Starts a phone and waits for its end.
pub(crate) fn run(args: &[&str]) -> Ended {
    start(args).end()
}

/// Runs a phone whose standard output is no text, to its end.
pub(crate) fn output(args: &[&str]) -> Output {
    Command::new(binary("phone")).args(args).stdin(Stdio::null()).output().expect("the phone starts")
}

/// Starts `phone answer` at a free port; the phone and where it listens.
pub(crate) fn answer(args: &[&str]) -> (Phone, String) {
    let mut phone = start(&[&["answer", "--listen", "127.0.0.1:0"], args].concat());
    let line = phone.wait_for("listening at ");
    let place = line.rsplit(' ').next().unwrap_or_default().to_owned();
    assert!(place.parse::<SocketAddr>().is_ok(), "{line}");
    (phone, place)
}

impl Phone {
    /// The next line, on standard output or standard error, that holds this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((stream, line)) = self.lines.recv_timeout(left) else {
                panic!("no '{text}' in\n{}{}", self.stdout, self.stderr);
            };
            self.keep(stream, &line);
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn keep(&mut self, stream: Stream, line: &str) {
        match stream {
            Stream::Out => self.stdout.push_str(line),
            Stream::Err => self.stderr.push_str(line),
        }
    }

    fn keep_all(&mut self) {
        while let Ok((stream, line)) = self.lines.recv() {
            self.keep(stream, &line);
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        let pipe = self.child.stdin.as_mut().expect("a pipe");
        writeln!(pipe, "{line}").expect("somebody reads");
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let sent = Command::new("kill").args([&signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the end of one that was killed, which has no exit status.
    pub(crate) fn end_killed(mut self) {
        let status = self.child.wait().expect("the phone can be waited for");
        assert_eq!(status.code(), None);
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let until = Instant::now() + LIMIT;
        let status = loop {
            match self.child.try_wait().expect("the phone can be waited for") {
                Some(status) => break status,
                None if Instant::now() > until => {
                    let _ = self.child.kill();
                    self.keep_all();
                    panic!("the phone goes on and on:\n{}{}", self.stdout, self.stderr);
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let took = self.started.elapsed();
        self.keep_all();
        let (stdout, stderr) = (core::mem::take(&mut self.stdout), core::mem::take(&mut self.stderr));
        Ended { status: status.code().expect("an exit status"), stdout, stderr, took }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port where nothing listens, below those that systems hand out by themselves: nobody else gets it meanwhile.
pub(crate) fn closed_port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id().wrapping_mul(199);
    let places = std::iter::repeat_with(|| {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        SocketAddr::from(([127, 0, 0, 1], 30_000 + (start.wrapping_add(step) % 2_000) as u16))
    });
    let free = |place: &SocketAddr| UdpSocket::bind(place).is_ok() && TcpListener::bind(place).is_ok();
    places.take(2_000).find(free).expect("a free port").to_string()
}

/// A peer that takes every datagram and never says a word.
pub(crate) fn silent_peer() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let place = socket.local_addr().expect("an address").to_string();
    (socket, place)
}

fn forward(stream: Stream, pipe: impl Read + Send + 'static, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = String::new();
        while pipe.read_line(&mut line).is_ok_and(|length| length > 0) {
            if sender.send((stream, core::mem::take(&mut line))).is_err() {
                return;
            }
        }
    });
}

fn binary(name: &str) -> &'static Path {
    static PATHS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let paths = PATHS.get_or_init(|| {
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        let output = Command::new(env!("CARGO"))
            .args(["build", "--package", env!("CARGO_PKG_NAME"), "--examples", "--profile", profile])
            .arg("--message-format=json")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        messages.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?))).collect()
    });
    let named = |path: &&PathBuf| path.file_stem().is_some_and(|stem| stem == name);
    paths.iter().find(named).expect("cargo names the executable")
}
