//! Writes each message of the corpus, torture included, into a file of its own, to seed a fuzzer or to feed another stack.
//!
//! `cargo run -p sip-lab --example corpus -- FOLDER`

use sip_lab::corpus::{corpus, torture};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: corpus FOLDER");
        return ExitCode::from(2);
    };
    let samples = [corpus(), torture()].concat();
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        samples
            .iter()
            .try_for_each(|one| std::fs::write(folder.join(format!("{}-{}.sip", one.family, one.name)), &one.octets))
    });
    match written {
        Ok(()) => {
            println!("{} messages", samples.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corpus: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
