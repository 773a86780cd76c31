//! The firmware on an emulated board, as its user has it: a console, a cable, and the wire.

use super::defmt::formats;
use super::{Process, Rig, free_port};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long to wait for a line on the console that is due at once.
const SOON: Duration = Duration::from_secs(10);

/// A running firmware.
#[derive(Debug)]
pub struct Board {
    process: Process,
    directory: PathBuf,
    elf: PathBuf,
    port: u16,
    /// Octets of the console that have been looked at.
    seen: usize,
    /// How often it has said that it starts, as far as that was waited for.
    starts: usize,
}

impl Board {
    pub(super) fn start(directory: &Path, elf: &Path, limit: Duration, settings: &[&str], qemu: &[&str]) -> Self {
        let port = free_port();
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sip-embedded-adapter/firmware/boot");
        let mut command = Command::new(boot);
        command.arg(elf).arg(directory).arg(port.to_string()).args(settings).arg("--").args(qemu);
        let process = Process::start("the firmware", &mut command, limit);
        let mut board =
            Self { process, directory: directory.to_path_buf(), elf: elf.to_path_buf(), port, seen: 0, starts: 0 };
        board.wait_start();
        board
    }

    /// Where peers on this machine reach it: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Types a line on its console.
    pub fn type_line(&mut self, line: &str) {
        self.process.type_line(line);
    }

    /// Waits until it starts; again, when it is to be reset.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn wait_start(&mut self) {
        self.wait(START);
        self.starts += 1;
    }

    /// Waits for the next line on its console that contains `text`.
    ///
    /// # Panics
    /// There is none soon.
    #[track_caller]
    pub fn wait(&mut self, text: &str) -> String {
        self.wait_within(text, SOON)
    }

    /// As [`wait`](Self::wait), for something that takes its time.
    ///
    /// # Panics
    /// There is none in time.
    #[track_caller]
    pub fn wait_within(&mut self, text: &str, limit: Duration) -> String {
        let line = self.process.next_line(&mut self.seen, text, limit);
        line.unwrap_or_else(|| panic!("the firmware did not say {text:?}"))
    }

    /// Asks for its `status`: all that it counts, by name, of the phone and of the board.
    #[must_use]
    #[track_caller]
    pub fn status(&mut self) -> HashMap<String, String> {
        self.type_line("status");
        let lines = [self.wait("status: "), self.wait("board: ")];
        let words = lines.iter().flat_map(|line| line.split(' '));
        words.filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// One of the numbers of its `status`.
    ///
    /// # Panics
    /// It has none of this name.
    #[must_use]
    #[track_caller]
    pub fn count(&mut self, name: &str) -> u64 {
        let status = self.status();
        let value = status.get(name).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no number {name} in {status:?}"))
    }

    /// Pulls the cable out, or puts it back.
    ///
    /// # Panics
    /// QEMU refuses.
    pub fn plug(&self, up: bool) {
        let set = format!(r#"{{"execute":"set_link","arguments":{{"name":"net","up":{up}}}}}"#);
        let answers = self.control(&[r#"{"execute":"qmp_capabilities"}"#, &set]);
        assert!(answers.iter().all(|answer| answer.get("return").is_some()), "{answers:?}");
    }

    /// Gives commands to QEMU (its QMP) and gathers the answers.
    fn control(&self, commands: &[&str]) -> Vec<Value> {
        let talk = || -> std::io::Result<Vec<Value>> {
            let mut socket = UnixStream::connect(self.directory.join("qmp"))?;
            socket.set_read_timeout(Some(SOON))?;
            let mut lines = BufReader::new(socket.try_clone()?).lines();
            // The greeting.
            let mut answers = vec![];
            lines.next().transpose()?;
            for command in commands {
                // In one piece: QEMU closes the socket as soon as it has read `quit` to its last brace.
                socket.write_all(format!("{command}\n").as_bytes())?;
                for line in lines.by_ref() {
                    let answer: Value = serde_json::from_str(&line?)?;
                    if answer.get("event").is_none() {
                        answers.push(answer);
                        break;
                    }
                }
            }
            Ok(answers)
        };
        talk().unwrap_or_else(|error| panic!("no word with QEMU: {error}"))
    }

    /// Ends it. It must not have panicked, nor have been reset by its watchdog unless that was waited for, and tshark must find
    /// nothing wrong with what it sent: only SIP and its keep-alives, no message malformed or suspect. Its log has to be one of
    /// defmt. Gives the methods and statuses that it sent, in order.
    ///
    /// # Panics
    /// Something was wrong.
    #[must_use]
    #[track_caller]
    pub fn finish(mut self, rig: &Rig) -> Vec<String> {
        let panicked = self.process.next_line(&mut 0, "panic", Duration::ZERO);
        assert_eq!(panicked, None);
        let _ = self.status();
        let (mut seen, mut starts) = (0, 0);
        while self.process.next_line(&mut seen, START, Duration::ZERO).is_some() {
            starts += 1;
        }
        assert_eq!(starts, self.starts, "the firmware was reset");
        let wire = self.directory.join("wire.pcap");
        // QEMU writes what is left when it ends.
        let _ = self.control(&[r#"{"execute":"qmp_capabilities"}"#, r#"{"execute":"quit"}"#]);
        self.process.finish().expect(0);
        let (elf, log) =
            (fs::read(&self.elf).expect("the program"), fs::read(self.directory.join("log")).expect("its log"));
        let logged = formats(&elf, &log);
        assert!(logged.iter().any(|format| format.contains(r#""tag":"defmt_info""#)), "{logged:?}");
        let faulty = rig.tshark(&[
            "-r",
            &wire.to_string_lossy(),
            "-d",
            AS_SIP,
            "-d",
            STREAMS_AS_SIP,
            "-Y",
            &format!("{OURS} && {FAULTY}"),
        ]);
        assert_eq!(faulty, "", "the firmware sent this");
        let filter = format!("{OURS} && sip");
        let fields = ["-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code"];
        let sent = rig.tshark(
            &[&["-r", &wire.to_string_lossy(), "-d", AS_SIP, "-d", STREAMS_AS_SIP, "-Y", &filter], &fields[..]]
                .concat(),
        );
        let sent: Vec<String> = sent.lines().map(|row| row.replace('\t', "")).collect();
        assert!(!sent.is_empty(), "the firmware sent nothing");
        sent
    }

    /// How many datagrams that others sent are not SIP, malformed or suspect for tshark: the control of
    /// [`finish`](Self::finish), where garbage was sent.
    #[must_use]
    pub fn faulty_from_others(&self, rig: &Rig) -> usize {
        let wire = self.directory.join("wire.pcap");
        let filter = format!("udp.dstport == 5060 && ip.dst == 10.0.2.15 && {FAULTY}");
        rig.tshark(&["-r", &wire.to_string_lossy(), "-Y", &filter]).lines().count()
    }
}

/// What it says when it starts.
const START: &str = "phone at ";
/// What it sends is SIP, also to a port that is known for something else: a stranger's Via may name any.
const AS_SIP: &str = "udp.port==1-5060,sip";
const STREAMS_AS_SIP: &str = "tcp.port==1-65535,sip";
/// What the board sent.
const OURS: &str = "ip.src == 10.0.2.15 && (udp.srcport == 5060 || tcp.len > 0)";
/// What is wrong in the eyes of tshark. An empty line for a keep-alive (RFC 5626 §3.5.1) is not, nor is a user that begins with a
/// plus sign and is no telephone number, which an answer repeats as it came.
const FAULTY: &str = "(!sip && !(data.data == 0d:0a:0d:0a) || _ws.malformed || _ws.expert.severity >= 0x600000) \
    && !e164.country_code.non_decimal";
