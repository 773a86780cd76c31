//! The capture file.

use core::net::SocketAddr;
use sip_core::time::Instant;
use sip_core::transport::Transport;
use sip_testkit::{LinkType, PcapWriter};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes each message at once, so that the file is whole whenever the phone stops.
pub(crate) struct Trace {
    writer: PcapWriter<Box<dyn Write + Send>>,
    /// The Unix time of the first message less its own time, in microseconds.
    epoch: Option<u64>,
}

impl Trace {
    /// Opens the file; `-` is standard output.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let out: Box<dyn Write + Send> =
            if is_stdout(path) { Box::new(AtOnce(io::stdout())) } else { Box::new(File::create(path)?) };
        Ok(Self { writer: PcapWriter::new(out, LinkType::Raw)?, epoch: None })
    }

    pub(crate) fn message(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        transport: Transport,
        bytes: &[u8],
    ) -> io::Result<()> {
        let micros = now.as_millis().saturating_mul(1000);
        let epoch = *self.epoch.get_or_insert_with(|| unix_micros().saturating_sub(micros));
        let time = epoch.saturating_add(micros);
        if transport.is_reliable() {
            self.writer.stream(time, from, to, bytes)
        } else {
            self.writer.datagram(time, from, to, bytes)
        }
    }
}

/// Whether this name stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Standard output, which would keep what is no whole line.
struct AtOnce(io::Stdout);

impl Write for AtOnce {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.0.write(octets)?;
        self.0.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
