//! Knot, a name server of a zone that the test writes.

use super::{LIMIT, Process, free_port};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The zone whose start every test has.
const START: &str = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns admin 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n";

/// A running `knotd`.
#[derive(Debug)]
pub struct Knot {
    /// Ended with this.
    _process: Process,
    address: String,
}

impl Knot {
    /// Starts it with these records of `example.com`, as they stand in a zone file.
    pub(super) fn start(directory: &Path, records: &str) -> Self {
        let port = free_port();
        let quoted = directory.display();
        let configuration = format!(
            "server:\n    rundir: \"{quoted}\"\n    listen: 127.0.0.1@{port}\nlog:\n  - target: stderr\n    any: warning\n\
             database:\n    storage: \"{quoted}\"\ntemplate:\n  - id: default\n    storage: \"{quoted}\"\n\
             zone:\n  - domain: example.com\n    file: \"zone\"\n"
        );
        let file = directory.join("knot.conf");
        let written = fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file, configuration))
            .and_then(|()| fs::write(directory.join("zone"), format!("{START}{records}\n")));
        if let Err(error) = written {
            panic!("no zone in {quoted}: {error}");
        }
        let mut process = Process::start("knotd", Command::new("knotd").arg("-c").arg(file), LIMIT);
        process.wait_bound(port);
        Self { _process: process, address: format!("127.0.0.1:{port}") }
    }

    /// Its address, `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}
