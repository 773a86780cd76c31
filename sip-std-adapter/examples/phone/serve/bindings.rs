//! `phone bindings`: who is registered, as the server's file says.

use super::args;
use super::clock;
use super::store;
use crate::report::{Failure, Outcome, Report};
use crate::screen::Shared;
use crate::text::{count, printable};
use serde::Serialize;
use sip_core::random::Random;
use sip_core::registrar::{BindingInfo, Bindings, BindingsRef, LoadError, MOST_CONTACTS, Memory, Policy, Registrar};
use sip_core::time::Instant;
use sip_std_adapter::memory::RegistrarMemory;
use std::path::Path;

const COMMAND: &str = "bindings";

/// A binding as an object.
#[derive(Serialize)]
struct Line {
    command: &'static str,
    scope: &'static str,
    aor: String,
    contact: String,
    /// In so many seconds.
    expires: u64,
    q: f32,
    path: Option<String>,
    instance: Option<String>,
    call_id: String,
}

pub(crate) fn run(args: &args::Bindings, screen: &Shared) -> Result<Report, Failure> {
    let mut found = read(&args.store).map_err(Failure::Usage)?;
    found.sort_by(|one, other| (&one.aor, &one.contact).cmp(&(&other.aor, &other.contact)));
    let mut users = 0;
    let mut last = None;
    for line in &found {
        let mut screen = screen.lock();
        if last != Some(&line.aor) {
            users += 1;
            last = Some(&line.aor);
            screen.line(&line.aor);
        }
        screen.line(&format!("  {} for {} s", line.contact, line.expires));
        screen.log(|| serde_json::to_string(line).unwrap_or_default());
    }
    let text = format!("{} registered, {} in all", count(users, "user"), count(found.len() as u64, "binding"));
    Ok(Report::new(COMMAND, Outcome::Ok, text))
}

/// What a store holds that has not expired.
fn read(path: &Path) -> Result<Vec<Line>, String> {
    let rows = store::read(path)?;
    let mut memory = RegistrarMemory::with_capacity(rows.len().saturating_mul(MOST_CONTACTS));
    let mut registrar = Registrar::ZERO;
    let seed = sip_std_adapter::seed().map_err(|error| error.to_string())?;
    registrar.start(Random::new(seed).hash_key(), clock::unix_seconds(), Policy::new());
    let now = Instant::ZERO;
    for (aor, record) in rows {
        let (table, octets) = memory.parts();
        Bindings::new(&mut registrar, table, octets)
            .load(now, &record)
            .map_err(|error| format!("{}: the record of {} {}", path.display(), printable(&aor), fault(error)))?;
    }
    let (table, octets) = memory.view();
    Ok(BindingsRef::new(&registrar, table, octets).iter().map(|(_, info)| line(now, &info)).collect())
}

/// What is wrong with a record, in words.
pub(super) fn fault(error: LoadError) -> String {
    match error {
        LoadError::Version(version) => format!("is of version {version}, which this program can't read"),
        LoadError::Full => "finds no room".to_owned(),
        _ => "is none".to_owned(),
    }
}

fn line(now: Instant, info: &BindingInfo<'_>) -> Line {
    let text = |octets: &[u8]| (!octets.is_empty()).then(|| printable(octets));
    Line {
        command: COMMAND,
        scope: "binding",
        aor: printable(info.aor),
        contact: printable(info.contact),
        expires: info.expires.since(now).as_millis().div_ceil(1000),
        q: f32::from(info.q) / 1000.0,
        path: text(info.path),
        instance: text(info.instance),
        call_id: printable(info.call_id),
    }
}
