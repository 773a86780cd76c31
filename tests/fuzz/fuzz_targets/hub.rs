//! What happens to a proxy and to a server, step by step: see [`sip_lab::properties::hub`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::{HubStep, hub};

fuzz_target!(|input: (bool, Vec<HubStep>)| hub(input.0, &input.1));
