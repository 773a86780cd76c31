//! SIPp as caller and as callee.

use super::{Finished, LIMIT, Process, free_port, peers_directory};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A command line of SIPp.
#[derive(Debug)]
pub struct Sipp {
    name: String,
    files: PathBuf,
    command: Command,
    port: u16,
    limit: Duration,
}

/// What SIPp counted, from its `-trace_stat` and `-trace_counts` files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that went as the scenario says.
    pub successful: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Messages that SIPp sent again.
    pub sent_again: u64,
    /// Messages that SIPp received again.
    pub received_again: u64,
    /// Messages that the scenario does not expect.
    pub unexpected: u64,
}

impl Sipp {
    pub(super) fn new(directory: &Path, label: &str, scenario: &str) -> Self {
        // Its own scenarios: -sn uac. Files beside it otherwise.
        match scenario.strip_prefix("-sn ") {
            Some(name) => Self::with_scenario(directory.join(label), "-sn", Path::new(name)),
            None => {
                let file = peers_directory().join(format!("{scenario}.xml"));
                Self::with_scenario(directory.join(label), "-sf", &file)
            }
        }
    }

    /// With a scenario of `tests/peers` in which `domain` stands for the address that requests are sent to.
    pub(super) fn of_domain(directory: &Path, label: &str, scenario: &str, domain: &str) -> Self {
        let files = directory.join(label);
        let text = fs::read_to_string(peers_directory().join(format!("{scenario}.xml"))).unwrap_or_default();
        let _ = fs::create_dir_all(&files);
        let file = files.join("scenario.xml");
        let _ = fs::write(&file, text.replace("[remote_ip]:[remote_port]", domain));
        Self::with_scenario(files, "-sf", &file)
    }

    fn with_scenario(files: PathBuf, option: &str, scenario: &Path) -> Self {
        let _ = fs::create_dir_all(&files);
        let port = free_port();
        let mut command = Command::new("sipp");
        command.current_dir(&files).arg(option).arg(scenario);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-timeout_error"]);
        command.args(["-trace_err", "-error_file", "err", "-trace_stat", "-stf", "stat", "-trace_counts"]);
        Self { name: format!("SIPp {}", scenario.display()), files, command, port, limit: LIMIT }
    }

    /// The same with more options.
    #[must_use]
    pub fn with(mut self, options: &[&str]) -> Self {
        self.command.args(options);
        self
    }

    /// The same with another limit in time than [`LIMIT`].
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same with its messages in a file, which a failed test shows.
    #[must_use]
    pub fn with_messages(self) -> Self {
        self.with(&["-trace_msg", "-message_file", "messages"])
    }

    /// The URI of a user at its port.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it as a callee of so many calls, and waits until it listens.
    #[must_use]
    pub fn callee(self, calls: u32) -> Running {
        let port = self.port;
        let mut running = self.start(calls);
        running.process.wait_bound(port);
        running
    }

    /// Starts it as a caller of `user` at an address, for so many calls.
    #[must_use]
    pub fn caller(self, address: &str, user: &str, calls: u32) -> Running {
        self.with(&[address, "-s", user]).start(calls)
    }

    fn start(mut self, calls: u32) -> Running {
        let seconds = format!("{}s", self.limit.as_secs().saturating_sub(5).max(1));
        self.command.args(["-m", &calls.to_string(), "-timeout", &seconds]);
        let process = Process::start(&self.name, &mut self.command, self.limit);
        Running { process, files: self.files }
    }
}

/// A running SIPp.
#[derive(Debug)]
pub struct Running {
    process: Process,
    files: PathBuf,
}

impl Running {
    /// Waits for its end; all calls must have gone as the scenario says.
    ///
    /// # Panics
    /// A call failed.
    #[track_caller]
    pub fn passed(self) -> Counts {
        let (finished, counts) = self.finish_counted();
        finished.expect(0);
        assert!(counts.failed == 0, "{counts:?}");
        counts
    }

    /// Waits for its end, whatever it is, and reads what it counted.
    pub fn finish_counted(self) -> (Finished, Counts) {
        let finished = self.process.finish();
        (finished, Counts::read(&self.files))
    }

    /// Waits for its end, whatever it is.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.process.finish()
    }

    /// The process, for instance to learn its id.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Counts {
    fn read(files: &Path) -> Self {
        let mut counts = Self::default();
        for (name, value) in last_row(&files.join("stat")) {
            match name.as_str() {
                "SuccessfulCall(C)" => counts.successful = value,
                "FailedCall(C)" => counts.failed = value,
                "Retransmissions(C)" => counts.sent_again = value,
                _ => {}
            }
        }
        let written = fs::read_dir(files).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in written.filter(|path| path.to_string_lossy().ends_with("_counts.csv")) {
            let row = last_row(&path);
            for (name, value) in &row {
                // Names are 2_100_Recv, 2_100_Retrans, 2_100_Unexp; a sent message has the Retrans of its own.
                let stem = name.rsplit_once('_').map_or("", |(stem, _)| stem);
                let received = row.iter().any(|(other, _)| *other == format!("{stem}_Recv"));
                if name.ends_with("_Retrans") && received {
                    counts.received_again += value;
                } else if name.ends_with("_Unexp") {
                    counts.unexpected += value;
                }
            }
        }
        counts
    }
}

/// The last row of a file of SIPp, with the names of the first.
fn last_row(path: &Path) -> Vec<(String, u64)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let names = lines.next().unwrap_or_default().split(';');
    let values = lines.next_back().unwrap_or_default().split(';');
    names.zip(values).filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}
