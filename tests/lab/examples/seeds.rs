//! Writes what the fuzz targets start from: the messages of the corpus, and what each target takes of them.
//!
//! `cargo run -p sip-lab --example seeds -- OUT [FOLDER...]` makes a folder for each target in OUT, from the corpus and from
//! the files of further folders.

use core::hash::{Hash, Hasher};
use sip_core::message::{HeaderName, Message};
use sip_lab::corpus::corpus;
use sip_lab::properties::FAMILIES;
use std::hash::DefaultHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(out) = arguments.next() else {
        eprintln!("usage: seeds OUT [FOLDER...]");
        return ExitCode::from(2);
    };
    match write(&out, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seeds: {}: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path, folders: impl Iterator<Item = PathBuf>) -> io::Result<()> {
    let mut messages: Vec<Vec<u8>> = corpus().into_iter().map(|sample| sample.octets).collect();
    for folder in folders {
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            if path.is_file() {
                messages.push(std::fs::read(path)?);
            }
        }
    }
    // Longer ones are mutated too slowly to be worth it.
    messages.retain(|message| message.len() <= 4096);
    for target in ["message", "uri", "headers", "sdp", "negotiate", "framer", "edit", "agent", "hub"] {
        std::fs::create_dir_all(out.join(target))?;
    }
    for octets in &messages {
        put(out, "message", &[octets])?;
        // What comes first chooses pieces and cap, or what is asked for: see the targets.
        put(out, "framer", &[&[40, 3, 1, 200, 0, 16], octets])?;
        put(out, "edit", &[&[2, 9, 2, 0, 192, 196, 19, 100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0, 75, 7], octets])?;
        parts(out, octets)?;
    }
    Ok(())
}

/// The values of headers, the URIs in them, and the session descriptions.
fn parts(out: &Path, octets: &[u8]) -> io::Result<()> {
    let Ok(message) = Message::parse(octets) else { return Ok(()) };
    for header in message.headers() {
        if let Some(family) = FAMILIES.iter().position(|(name, _)| *name == header.name) {
            put(out, "headers", &[&[u8::try_from(family).unwrap_or_default()], header.value])?;
        }
    }
    let addresses = message.contacts().chain(message.routes()).chain(message.addresses(HeaderName::ReferTo)).flatten();
    let uris: Vec<&[u8]> = addresses
        .map(|address| address.raw_uri())
        .chain([message.from().raw_uri(), message.to().raw_uri()])
        .chain(message.request_uri())
        .collect();
    for pair in uris.windows(2) {
        put(out, "uri", &[&[0, 1, 2, 0], pair[0], b"\n", pair[1]])?;
    }
    if message.body().starts_with(b"v=") {
        put(out, "sdp", &[message.body()])?;
    }
    Ok(())
}

/// Writes a seed into the folder of its target, under a name of its own.
fn put(out: &Path, target: &str, pieces: &[&[u8]]) -> io::Result<()> {
    let octets = pieces.concat();
    let mut hasher = DefaultHasher::new();
    octets.hash(&mut hasher);
    std::fs::write(out.join(target).join(format!("{:016x}", hasher.finish())), octets)
}
