//! Kamailio as registrar, proxy, and judge of what it gets.

use super::{LIMIT, Process, peers_directory};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running Kamailio with `tests/peers/kamailio.cfg`.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    directory: PathBuf,
    port: u16,
}

impl Kamailio {
    pub(super) fn start(directory: &Path, port: u16, options: &[&str]) -> Self {
        let mut command = Command::new(peers_directory().join("run-kamailio"));
        command.arg(port.to_string()).arg(directory).args(options);
        let process = Process::start_group("Kamailio", &mut command, LIMIT);
        process.wait_for("ready");
        Self { process, directory: directory.to_path_buf(), port }
    }

    /// Its address, `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URI of one of its users.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@127.0.0.1:{}", self.port)
    }

    /// What is registered, as `kamcmd ul.dump` shows it.
    ///
    /// # Panics
    /// `kamcmd` fails.
    #[must_use]
    pub fn bindings(&self) -> String {
        let socket = format!("unix:{}", self.directory.join("kamailio_ctl").display());
        let mut command = Command::new("kamcmd");
        let finished = Process::start("kamcmd", command.args(["-s", &socket, "ul.dump"]), LIMIT).finish();
        finished.expect(0);
        finished.out
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Stops it, and checks that it had nothing to complain about but what `allowed` names. Gives its log.
    ///
    /// # Panics
    /// Its log has a verdict or an error that contains none of `allowed`.
    #[track_caller]
    pub fn finish(self, allowed: &[&str]) -> String {
        // Its log is complete before it has ended, which rarely takes it long.
        self.process.close();
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        // Its TCP process now and then waits on no socket at all while it is being stopped.
        let own = "io_wait_loop_epoll";
        let judged = |line: &&str| line.contains("JUDGE:") || line.contains("ERROR") && !line.contains(own);
        let complaints = log.lines().filter(judged);
        let complaints: Vec<&str> = complaints.filter(|line| !allowed.iter().any(|text| line.contains(text))).collect();
        assert!(complaints.is_empty(), "Kamailio complains: {complaints:#?}");
        log
    }
}
