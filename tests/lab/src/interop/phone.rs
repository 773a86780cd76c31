//! The command-line phone, `sip-std-adapter/examples/phone`.

use super::{LIMIT, Process, target_directory};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A running phone; its ladder is on standard error, its results on standard output.
#[derive(Debug)]
pub struct Phone {
    process: Process,
    address: String,
}

/// How a phone ended.
#[derive(Debug)]
pub struct PhoneResult {
    /// Its exit status.
    pub code: Option<i32>,
    /// The object of the command as a whole.
    pub result: Value,
    /// The object of each call of `phone answer`, in the order of their ends.
    pub calls: Vec<Value>,
    /// The ladder.
    pub ladder: String,
}

impl Phone {
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::start_within(LIMIT, arguments)
    }

    pub(super) fn start_within(limit: Duration, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        let name = format!("phone {}", arguments.join(" "));
        let process = Process::start(&name, command.args(arguments).arg("--json"), limit);
        Self { process, address: String::new() }
    }

    /// Waits until `phone answer` listens.
    #[must_use]
    pub fn listening(mut self) -> Self {
        let line = self.process.wait_for("listening at ");
        self.address = line.rsplit(' ').next().unwrap_or_default().to_owned();
        self
    }

    /// Waits until `phone answer --register` is registered.
    #[must_use]
    pub fn registered(self) -> Self {
        self.process.wait_for("registered for ");
        self
    }

    /// Where `phone answer` listens: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Types a line, for a phone with `--keys`.
    pub fn type_line(&mut self, line: &str) {
        self.process.type_line(line);
    }

    /// Presses Ctrl-C, then waits for the end.
    #[must_use]
    pub fn interrupt(self) -> PhoneResult {
        self.process.signal("INT");
        self.finish()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// It printed no result, or something that is no JSON.
    #[must_use]
    pub fn finish(self) -> PhoneResult {
        let finished = self.process.finish();
        let parse = |line: &str| -> Value {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the phone's result {line:?}"))
        };
        let mut calls: Vec<Value> = finished.out.lines().map(parse).collect();
        let Some(result) = calls.pop() else { panic!("the phone printed no result: {finished:?}") };
        calls.retain(|line| line["scope"] == "call");
        assert_eq!(result["scope"], "result", "{result}");
        assert_eq!(result["exit_status"].as_i64(), finished.code.map(i64::from), "{result}");
        PhoneResult { code: finished.code, result, calls, ladder: finished.err }
    }
}

impl PhoneResult {
    /// Checks the exit status and members of the result.
    ///
    /// # Panics
    /// Something is otherwise; the ladder is printed.
    #[track_caller]
    pub fn expect(&self, code: i32, members: &[(&str, Value)]) -> &Self {
        let wrong = members.iter().find(|(name, value)| self.result[*name] != *value);
        if self.code != Some(code) || wrong.is_some() {
            eprintln!("--- the phone\n{}", super::tail(&self.ladder));
            panic!("expected {code} and {members:?}, the phone says {}", self.result);
        }
        self
    }

    /// Checks members of every call of `phone answer`.
    ///
    /// # Panics
    /// There are more or fewer calls than `count`, or a member is otherwise; the ladder is printed.
    #[track_caller]
    pub fn expect_calls(&self, count: usize, members: &[(&str, Value)]) -> &Self {
        let right = |call: &&Value| members.iter().all(|(name, value)| call[*name] == *value);
        let wrong = self.calls.iter().find(|call| !right(call));
        if self.calls.len() != count || wrong.is_some() {
            eprintln!("--- the phone\n{}", super::tail(&self.ladder));
            panic!("expected {count} calls with {members:?}, got {}, first otherwise: {wrong:?}", self.calls.len());
        }
        self
    }
}

/// The phone's executable, built once for each test program.
pub(super) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

/// Builds the phone with the profile of this test program.
fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = if cfg!(debug_assertions) { "test" } else { "release" };
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "--example", "phone", "-p", "sip-std-adapter", "--profile", profile]);
    command.args(["--message-format", "json", "--quiet", "--target-dir"]).arg(target_directory());
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => panic!("cargo does not start: {error}"),
    };
    assert!(output.status.success(), "the phone does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut phones = messages.filter(|message| message["target"]["name"] == "phone");
    let executable = phones.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.unwrap_or_else(|| panic!("cargo built no phone"))
}
