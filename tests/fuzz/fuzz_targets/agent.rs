//! What happens to a user agent, step by step: see [`sip_lab::properties::agent`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::{Step, agent};

fuzz_target!(|steps: Vec<Step>| agent(&steps));
