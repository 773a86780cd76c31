//! Real peers for the interop tests: SIPp, Kamailio, PJSIP, JsSIP, Knot, tshark, and the phone.
//!
//! Everything runs on 127.0.0.1. A [`Rig`] owns the directory of one test and starts peers; each is a [`Process`] with a
//! limit in time. `tests/peers/README.md` says what the peers are and where they bite.
#![allow(clippy::must_use_candidate, reason = "a check stands alone or in a chain")]

mod baresip;
mod board;
mod defmt;
mod kamailio;
mod knot;
mod linphone;
mod phone;
mod ports;
mod process;
mod server;
mod sipp;

pub use board::Board;
pub use kamailio::Kamailio;
pub use knot::Knot;
pub use phone::{Phone, PhoneResult};
pub use ports::free_port;
pub use process::{Finished, Process};
pub use server::{DOMAIN, Server, USERS};
pub use sipp::{Counts, Sipp};

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// How long a program of an ordinary test may run.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A program that a test may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// SIPp, caller and callee by scenario.
    Sipp,
    /// Kamailio, registrar and proxy.
    Kamailio,
    /// PJSIP's Python binding.
    Pjsip,
    /// baresip, a phone without a screen.
    Baresip,
    /// linphone's console phone.
    Linphone,
    /// tshark, which decodes captures.
    Tshark,
    /// Knot, a name server.
    Knot,
    /// JsSIP over the WebSocket of `ws`, in node.
    JsSip,
    /// OpenSSL's command line, a client of TLS that does as it is told.
    Openssl,
    /// QEMU, which emulates the board of the firmware.
    Qemu,
}

impl Peer {
    fn is_there(self) -> bool {
        match self {
            Self::Sipp => runs(Command::new("sipp").arg("-v")),
            Self::Kamailio => runs(Command::new("kamailio").arg("-v")),
            Self::Pjsip => python().is_file(),
            Self::Baresip => runs(Command::new("baresip").arg("-h")),
            Self::Linphone => runs(Command::new("linphonec").arg("-v")),
            Self::Tshark => runs(Command::new("tshark").arg("--version")),
            Self::Knot => runs(Command::new("knotd").arg("--version")),
            Self::JsSip => runs(Command::new("node").arg("--version")) && node_modules().join("jssip").is_dir(),
            Self::Openssl => runs(Command::new("openssl").arg("version")),
            Self::Qemu => runs(Command::new("qemu-system-arm").arg("--version")),
        }
    }
}

/// Whether a program can be started at all; SIPp exits with 99 after its version.
fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The Python of the environment that holds PJSIP: `PEERS_VENV`, or `peers-venv` in cargo's target directory.
fn python() -> PathBuf {
    let venv = env::var_os("PEERS_VENV").map_or_else(|| target_directory().join("peers-venv"), PathBuf::from);
    venv.join("bin/python")
}

/// The packages of node: `PEERS_NODE`, or `peers-node` in cargo's target directory.
fn node_modules() -> PathBuf {
    let packages = env::var_os("PEERS_NODE").map_or_else(|| target_directory().join("peers-node"), PathBuf::from);
    packages.join("node_modules")
}

/// Cargo's target directory: the one above this program that cargo has tagged, or, where another program created the
/// directory and so there is no tag, the third above `PROFILE/deps/program`.
fn target_directory() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    tagged.or_else(|| program.ancestors().nth(3)).map_or_else(env::temp_dir, Path::to_path_buf)
}

/// The directory of the scenarios and scripts.
fn peers_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

/// Whether the long form of the tests is asked for: `SIP_INTEROP_FULL=1`.
#[must_use]
pub fn full() -> bool {
    env::var_os("SIP_INTEROP_FULL").is_some_and(|value| value == "1")
}

/// The directory of one test, and the peers that it may start.
#[derive(Debug)]
pub struct Rig {
    directory: PathBuf,
    started: AtomicU32,
}

impl Rig {
    /// The rig of a test that needs these peers. When one is missing, says so and gives `None`; where `CI` is `true`
    /// nothing may be missing.
    ///
    /// # Panics
    /// A peer is missing in CI, or there can be no directory.
    #[must_use]
    pub fn new(peers: &[Peer]) -> Option<Self> {
        // Building takes longer than a peer waits.
        Self::without_phone(peers).inspect(|_| {
            phone::program();
        })
    }

    /// As [`new`](Self::new), for a test that does not need the command-line phone.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn without_phone(peers: &[Peer]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if let Some(missing) = peers.iter().find(|peer| !peer.is_there()) {
            assert!(env::var("CI").as_deref() != Ok("true"), "{missing:?} is missing");
            println!("skipped: {missing:?} is missing, .ci/install-peers installs it");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("interop-{}-{number}", std::process::id());
        let directory = target_directory().join("tmp").join(name);
        if let Err(error) = fs::create_dir_all(&directory) {
            panic!("no directory {}: {error}", directory.display());
        }
        Some(Self { directory, started: AtomicU32::new(0) })
    }

    /// A path in the directory of this test.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A name for the files of one more program.
    fn label(&self, what: &str) -> String {
        format!("{}-{what}", self.started.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts the phone with this command line, to which `--json` is added.
    #[must_use]
    pub fn phone(&self, arguments: &[&str]) -> Phone {
        Phone::start(arguments)
    }

    /// As [`phone`](Self::phone), for one that may take longer than is usual.
    #[must_use]
    pub fn patient_phone(&self, limit: Duration, arguments: &[&str]) -> Phone {
        Phone::start_within(limit, arguments)
    }

    /// Starts `phone answer` at a free port, with these options, and waits until it listens.
    #[must_use]
    pub fn answering(&self, options: &[&str]) -> Phone {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut arguments = vec!["answer", "--listen", listen.as_str()];
        arguments.extend(options);
        Phone::start(&arguments).listening()
    }

    /// Starts Kamailio with these options.
    #[must_use]
    pub fn kamailio(&self, options: &[&str]) -> Kamailio {
        self.kamailio_at(free_port(), options)
    }

    /// Starts Kamailio at a port, as one that is started again.
    #[must_use]
    pub fn kamailio_at(&self, port: u16, options: &[&str]) -> Kamailio {
        Kamailio::start(&self.path(&self.label("kamailio")), port, options)
    }

    /// Starts Knot with these records of `example.com`, as they stand in a zone file.
    #[must_use]
    pub fn knot(&self, records: &str) -> Knot {
        Knot::start(&self.path(&self.label("knot")), records)
    }

    /// Starts `phone serve` at a free port, with these options.
    ///
    /// # Panics
    /// There can be no directory for its files.
    #[must_use]
    pub fn server(&self, options: &[&str]) -> Server {
        let directory = self.path(&self.label("server"));
        if let Err(error) = fs::create_dir_all(&directory) {
            panic!("no directory {}: {error}", directory.display());
        }
        Server::start(&directory, options)
    }

    /// Boots a firmware with these settings and waits until it has started.
    #[must_use]
    pub fn board(&self, elf: &Path, limit: Duration, settings: &[&str], qemu: &[&str]) -> Board {
        Board::start(&self.path(&self.label("board")), elf, limit, settings, qemu)
    }

    /// SIPp with a scenario of `tests/peers`, or with one of its own: `-sn uac`.
    #[must_use]
    pub fn sipp(&self, scenario: &str) -> Sipp {
        Sipp::new(&self.directory, &self.label("sipp"), scenario)
    }

    /// SIPp with a scenario of `tests/peers`, calling users of a domain in place of the address that requests are sent to.
    #[must_use]
    pub fn sipp_of_domain(&self, scenario: &str, domain: &str) -> Sipp {
        Sipp::of_domain(&self.directory, &self.label("sipp"), scenario, domain)
    }

    /// Starts PJSIP with this command line and waits until it is ready. `--port` and `--log` are added.
    #[must_use]
    pub fn pjsip(&self, port: u16, arguments: &[&str]) -> Process {
        let log = self.path(&format!("{}.log", self.label("pjsip")));
        let mut command = Command::new(python());
        command.arg(peers_directory().join("pjsua_peer.py")).args(arguments).arg("--log").arg(log);
        let process = Process::start("PJSIP", command.args(["--port", &port.to_string()]), LIMIT);
        process.wait_for("\"ready\"");
        process
    }

    /// Starts JsSIP with this command line; besides whom node trusts, it trusts the authority in the file `ca`.
    #[must_use]
    pub fn jssip(&self, ca: &Path, arguments: &[&str]) -> Process {
        let mut command = Command::new("node");
        command
            .env("NODE_EXTRA_CA_CERTS", ca)
            .arg(peers_directory().join("jssip_peer.js"))
            .arg(node_modules())
            .args(arguments);
        Process::start("JsSIP", &mut command, LIMIT)
    }

    /// Starts linphone as one of the users of a server, over TCP or UDP; it registers, and takes lines of its menu.
    ///
    /// # Panics
    /// The server has no such user.
    #[must_use]
    pub fn linphone(&self, server: &Server, user: &str, tcp: bool) -> Process {
        let account = USERS.iter().find(|(name, _)| *name == user).copied();
        let account = account.unwrap_or_else(|| panic!("no user {user}"));
        linphone::start(&self.path(&self.label("linphone")), server.address(), DOMAIN, account, tcp)
    }

    /// Starts baresip as a user of a server, and waits until it is ready; it carries out `command`, a line of its menu, takes
    /// further ones (`/dial URI`, `/hangup`), and ends after so many seconds.
    #[must_use]
    pub fn baresip(&self, account: &str, command: &str, seconds: u32) -> Process {
        baresip::start(&self.path(&self.label("baresip")), (free_port(), ""), account, command, seconds)
    }

    /// The same at this port.
    #[must_use]
    pub fn baresip_at(&self, port: u16, account: &str, seconds: u32) -> Process {
        baresip::start(&self.path(&self.label("baresip")), (port, ""), account, "", seconds)
    }

    /// The same under TLS: with a file that has its certificate and its key, and one with whom it trusts. Gives the port, too, where
    /// it listens under TLS.
    #[must_use]
    pub fn baresip_tls(&self, (own, ca): (&Path, &Path), account: &str, command: &str, seconds: u32) -> (Process, u16) {
        let port = baresip::two_ports();
        let lines = format!("sip_certificate {}\nsip_cafile {}\n", own.display(), ca.display());
        let directory = self.path(&self.label("baresip"));
        (baresip::start(&directory, (port, &lines), account, command, seconds), port + 1)
    }

    /// Connects by TLS 1.2 to an address with OpenSSL's client, which trusts what `ca` says, and takes lines: `R` to negotiate anew.
    #[must_use]
    pub fn openssl_client(&self, address: &str, ca: &Path) -> Process {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-tls1_2", "-connect", address, "-CAfile"]).arg(ca);
        let process = Process::start("openssl", &mut command, LIMIT);
        process.wait_for("Verify return code: 0");
        process
    }

    /// Runs tshark with this command line to its end and gives its output.
    ///
    /// # Panics
    /// tshark fails.
    #[must_use]
    pub fn tshark(&self, arguments: &[&str]) -> String {
        let process = Process::start("tshark", Command::new("tshark").args(arguments), LIMIT);
        let finished = process.finish();
        finished.expect(0);
        finished.out
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if thread::panicking() {
            show_directory(&self.directory);
            eprintln!("--- the files of this test are in {}", self.directory.display());
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Prints the ends of the text files of a failed test.
fn show_directory(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        // Neither links nor pipes are followed.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            show_directory(&path);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(&path)
            && !text.is_empty()
        {
            eprintln!("--- {}\n{}", path.display(), tail(&text));
        }
    }
}

/// The last lines of a text.
fn tail(text: &str) -> &str {
    const LINES: usize = 120;
    let start = text.rmatch_indices('\n').nth(LINES).map_or(0, |(at, _)| at + 1);
    text.get(start..).unwrap_or(text)
}
