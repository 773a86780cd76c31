//! What is printed when a property fails: the seed, the ladder and where the capture is.

use crate::config::Config;
use crate::ladder::Ladder;
use crate::pcap::LinkType;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The environment variable that names the directory for the captures of failed runs.
pub const PCAP_DIR: &str = "SIP_TESTKIT_PCAP_DIR";

/// How many lines are recorded when [`run_seeds`] repeats a failed run.
const LINES: usize = 2000;

/// The seed and the ladder of a run; dropped by a panic, it prints itself.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    armed: bool,
    pub(crate) ladder: Ladder,
}

impl Report {
    /// The report of the run with this seed.
    #[must_use]
    pub fn new(seed: u64, ladder: Ladder) -> Self {
        Self { seed, armed: true, ladder }
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The ladder of the run.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Leaves a panic to report itself.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// Seed, endpoints and ladder as text. If [`PCAP_DIR`] is set, a capture is written there and named.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!("\nseed {} (0x{:x})\n", self.seed, self.seed);
        for (address, name) in self.ladder.endpoints() {
            let _ = writeln!(text, "  {name} is {address}");
        }
        if !self.ladder.is_on() {
            text.push_str("the ladder is off; run this seed again with Config::with_ladder(lines)\n");
            return text;
        }
        let _ = write!(text, "{}", self.ladder);
        if let Some(directory) = std::env::var_os(PCAP_DIR) {
            let _ = match self.write_pcap(Path::new(&directory)) {
                Ok(path) => writeln!(text, "capture: {}", path.display()),
                Err(error) => writeln!(text, "no capture in {}: {error}", Path::new(&directory).display()),
            };
        }
        text
    }

    /// Writes the kept datagrams to `directory`, in a file named after the test and the seed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_pcap(&self, directory: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(directory)?;
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let test: String = thread::current().name().unwrap_or("run").chars().map(safe).collect();
        let path = directory.join(format!("{test}-{:x}.pcap", self.seed));
        self.ladder.write_pcap(BufWriter::new(File::create(&path)?), LinkType::Raw)?;
        Ok(path)
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.armed && thread::panicking() {
            eprintln!("{}", self.explain());
        }
    }
}

/// Calls `run` once for each seed, on all cores, without a ladder. A run that panics is repeated with one, so that
/// its panic comes with the whole story; of several that fail at once the smallest is.
///
/// `run` builds its world from the [`Config`] that it is given, and must do the same thing for the same seed.
///
/// # Panics
/// When a run does.
pub fn run_seeds(seeds: core::ops::Range<u64>, run: impl Fn(Config) + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let stop = AtomicBool::new(false);
    let failed: Mutex<Option<u64>> = Mutex::new(None);
    thread::scope(|scope| {
        for first in seeds.clone().take(cores) {
            let (stop, failed, run, end) = (&stop, &failed, &run, seeds.end);
            scope.spawn(move || {
                for seed in (first..end).step_by(cores) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(Config::new(seed)))).is_err() {
                        stop.store(true, Ordering::Relaxed);
                        let mut least = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        *least = Some(least.map_or(seed, |other| other.min(seed)));
                    }
                }
            });
        }
    });
    let failed = *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(seed) = failed {
        eprintln!("seed {seed} failed; again, with its ladder:");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(Config::new(seed).with_ladder(LINES)))) {
            resume_unwind(panic);
        }
        panic!("seed {seed} failed at first and passed when repeated: the run depends on more than its seed");
    }
}
