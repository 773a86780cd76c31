//! `phone serve`: our server between real peers.

use super::{LIMIT, Process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The domain of its users.
pub const DOMAIN: &str = "example.com";
/// Its users and their passwords, which are those of Kamailio's configuration.
pub const USERS: [(&str, &str); 3] = [("alice", "wonderland"), ("bob", "builder"), ("carol", "mirror")];

/// A running `phone serve`.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: String,
    store: PathBuf,
}

impl Server {
    pub(super) fn start(directory: &Path, options: &[&str]) -> Self {
        let (users, store) = (directory.join("users.toml"), directory.join("bindings.redb"));
        for (name, password) in USERS {
            let mut command = Command::new(super::phone::program());
            command.args(["users", "add", name, "--domain", DOMAIN, "--password", password, "--users"]).arg(&users);
            Process::start("phone users", &mut command, LIMIT).finish().expect(0);
        }
        let mut command = Command::new(super::phone::program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--domain", DOMAIN, "--json", "--users"]).arg(users);
        command.arg("--store").arg(&store).args(options);
        let process = Process::start("phone serve", &mut command, LIMIT);
        let line = process.wait_for("listening at ");
        let address = line.rsplit(' ').next().unwrap_or_default().to_owned();
        Self { process, address, store }
    }

    /// Its address, `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URI of one of its users.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{DOMAIN}")
    }

    /// What is registered, as `phone bindings` shows it.
    #[must_use]
    pub fn bindings(&self) -> String {
        let mut command = Command::new(super::phone::program());
        let finished = Process::start("phone bindings", command.arg("bindings").arg("--store").arg(&self.store), LIMIT);
        let finished = finished.finish();
        finished.expect(0);
        finished.out
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it; gives what it told, an object for each registration and each call.
    ///
    /// # Panics
    /// It printed something that is no JSON.
    #[must_use]
    pub fn finish(self) -> Vec<Value> {
        self.process.signal("TERM");
        let finished = self.process.finish();
        finished.expect(0);
        let parse = |line: &str| -> Value {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the server's line {line:?}"))
        };
        finished.out.lines().map(parse).collect()
    }
}
