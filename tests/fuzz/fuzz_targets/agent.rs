//! What happens to a user agent, step by step: see [`sip_testkit::properties::agent`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_testkit::properties::{Step, agent};

fuzz_target!(|steps: Vec<Step>| agent(&steps));
