//! Repeats one piece of work and prints what one repetition takes, to be run side by side with other stacks, or under
//! callgrind (`.ci/instructions`).
//!
//! `measure parse-lazy|parse-typed|write|forward|answer|options|call|refresh|relay|relay-asked|fork|lookup FILE ITERATIONS` prints `sip MODE FILE ITERATIONS NS_PER_ITERATION`.

use sip_benches::{Callee, Forwarding, Offer, Options, Parts, Refresh, Relay, parse_lazy, parse_typed};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: measure parse-lazy|parse-typed|write|forward|answer|options|call|refresh|relay|relay-asked|fork|lookup FILE ITERATIONS

FILE holds one message as it travels: any for parse-lazy, parse-typed and write,
a request or a response of two hops for forward, one with an offer for answer, an OPTIONS request for options, an INVITE for call, relay (through a stateful proxy
to one phone), relay-asked (through one that asks about what passes, and so writes tokens) and fork (to three, of which one answers), and lookup (to one of BINDINGS who are registered, past room for CONTEXTS
requests: lookup-BINDINGS-CONTEXTS); refresh, which is a REGISTER with SHA-256 at a server among BINDINGS (refresh-BINDINGS), has its own
messages, at most 1,200 of them.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, file, count] = arguments.as_slice() else { return usage("three arguments are needed") };
    let Ok(count) = count.parse::<u64>() else { return usage("ITERATIONS is a number") };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return usage(&format!("{file}: {error}")),
    };
    // What stands behind the mode: sizes.
    let (mode, sizes) = match mode.split_once('-') {
        Some((mode @ ("lookup" | "refresh"), sizes)) => (mode, sizes),
        _ => (mode.as_str(), ""),
    };
    let sizes: Vec<usize> = sizes.split('-').filter_map(|size| size.parse().ok()).collect();
    let elapsed = match mode {
        "parse-lazy" => repeat(count, || parse_lazy(&bytes)),
        "parse-typed" => repeat(count, || parse_typed(&bytes)),
        "write" => {
            let parts = Parts::of(&bytes);
            let mut room = vec![0; 65_535];
            repeat(count, || parts.write(&mut room))
        }
        "forward" => {
            let message = Forwarding::of(&bytes);
            let mut room = vec![0; 65_535];
            repeat(count, || message.write(&mut room))
        }
        "answer" => {
            let mut offer = Offer::of(&bytes);
            repeat(count, || offer.answer())
        }
        "options" => {
            let mut options = Options::new(&bytes);
            repeat(count, || options.run())
        }
        "call" => {
            let mut callee = Callee::new(&bytes);
            repeat(count, || callee.run())
        }
        "refresh" => {
            let mut refresh = Refresh::among(sizes.first().copied().unwrap_or(4).saturating_sub(1));
            repeat(count, || refresh.run())
        }
        "relay" | "fork" => {
            let mut relay = Relay::new(&bytes, mode == "fork");
            repeat(count, || relay.run())
        }
        "relay-asked" => {
            let mut relay = Relay::with_tokens(&bytes);
            repeat(count, || relay.run())
        }
        "lookup" => {
            let [bindings, contexts] = sizes[..] else { return usage("lookup-BINDINGS-CONTEXTS") };
            let mut relay = Relay::among(&bytes, bindings, contexts);
            repeat(count, || relay.run())
        }
        _ => return usage(&format!("no mode {mode}")),
    };
    println!("sip {} {file} {count} {:.1}", arguments[0], elapsed as f64 / count.max(1) as f64);
    ExitCode::SUCCESS
}

/// Nanoseconds that `count` repetitions take.
fn repeat(count: u64, mut work: impl FnMut() -> usize) -> u128 {
    let start = Instant::now();
    for _ in 0..count {
        core::hint::black_box(work());
    }
    start.elapsed().as_nanos()
}

fn usage(why: &str) -> ExitCode {
    eprintln!("measure: {why}\n{USAGE}");
    ExitCode::from(2)
}
