//! baresip: a phone that needs neither screen nor sound card.

use super::{LIMIT, Process, free_port};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Two seconds of silence as 16-bit samples at 8,000 Hz: what it says in a call.
fn silence() -> Vec<u8> {
    const OCTETS: u32 = 32_000;
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + OCTETS).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&OCTETS.to_le_bytes());
    file.resize(file.len() + OCTETS as usize, 0);
    file
}

/// A port for its datagrams, and the next one, where it listens under TLS.
pub(super) fn two_ports() -> u16 {
    let mut port = free_port();
    loop {
        let next = free_port();
        if next == port + 1 {
            return port;
        }
        port = next;
    }
}

/// Starts it with its files in a directory of its own, at a port, with these further lines of its configuration.
pub(super) fn start(
    directory: &Path,
    (port, lines): (u16, &str),
    account: &str,
    command: &str,
    seconds: u32,
) -> Process {
    let silence_at = directory.join("silence.wav");
    let modules = ["stdio.so", "g711.so", "aufile.so", "aubridge.so"].map(|name| format!("module {name}\n")).concat();
    let config = format!(
        "sip_listen 127.0.0.1:{port}\n{lines}net_interface 127.0.0.1\ncall_max_calls 4\naudio_source aufile,{}\n\
         audio_player aubridge,nil\naudio_alert aubridge,nil\nmodule_path /usr/lib/baresip/modules\n{modules}\
         module_app account.so\nmodule_app menu.so\n",
        silence_at.display()
    );
    let written = fs::create_dir_all(directory)
        .and_then(|()| fs::write(directory.join("config"), config))
        .and_then(|()| fs::write(directory.join("accounts"), format!("{account}\n")))
        .and_then(|()| fs::write(silence_at, silence()));
    if let Err(error) = written {
        panic!("no files for baresip in {}: {error}", directory.display());
    }
    let mut program = Command::new("baresip");
    program.arg("-f").arg(directory).args(["-t", &seconds.to_string()]);
    if !command.is_empty() {
        program.args(["-e", command]);
    }
    let process = Process::start("baresip", &mut program, LIMIT);
    process.wait_for("baresip is ready");
    process
}
