//! A hundred thousand seeded calls under loss in virtual time (issue 2, "Must show" 4).
//!
//! What is drawn and what must hold is written in `play/mod.rs`. `SIP_SEEDS=from..to` plays other days, `SIP_SEEDS=n` the
//! one of seed n. Not covered here: forks, digest, registrations.

use crate::play::Day;
use core::sync::atomic::{AtomicU64, Ordering};
use sip_testkit::run_seeds;

/// Days of a call or a few each: many more than 100,000 calls.
const DAYS: u64 = 300_000;

#[test]
fn every_end_of_every_call_ends_once_and_leaves_nothing_behind() {
    let wanted = std::env::var("SIP_SEEDS").ok();
    let seeds = match wanted.as_deref().map(|text| text.split_once("..").unwrap_or((text, ""))) {
        None => 0..DAYS,
        Some((first, last)) => {
            let first: u64 = first.parse().expect("SIP_SEEDS=from..to or SIP_SEEDS=seed");
            first..if last.is_empty() { first + 1 } else { last.parse().expect("SIP_SEEDS=from..to") }
        }
    };
    let (made, established, sent) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    run_seeds(seeds, |config| {
        let mut config = config;
        config.check = config.seed % 64 == 0;
        let outcome = Day::new(config, None).play();
        made.fetch_add(outcome.made, Ordering::Relaxed);
        established.fetch_add(outcome.established, Ordering::Relaxed);
        sent.fetch_add(outcome.sent, Ordering::Relaxed);
    });
    let (made, established, sent) = (made.into_inner(), established.into_inner(), sent.into_inner());
    println!("{made} calls made, {established} ends established, {sent} datagrams sent");
    assert!(wanted.is_some() || made >= 100_000 && established >= 50_000, "{made} calls, {established} established");
}

/// Days over connections that break.
const STREAM_DAYS: u64 = 30_000;

#[test]
fn over_connections_that_break_every_call_ends_once() {
    let (made, established) = (AtomicU64::new(0), AtomicU64::new(0));
    run_seeds(0..STREAM_DAYS, |config| {
        let mut config = config;
        config.check = config.seed % 64 == 0;
        let outcome = Day::over_tcp(config).play();
        made.fetch_add(outcome.made, Ordering::Relaxed);
        established.fetch_add(outcome.established, Ordering::Relaxed);
    });
    let (made, established) = (made.into_inner(), established.into_inner());
    println!("{made} calls made, {established} ends established");
    assert!(made >= 10_000 && established >= 5_000, "{made} calls, {established} established");
}
