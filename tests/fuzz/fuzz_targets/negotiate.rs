//! Offers and answers: see [`sip_lab::properties::negotiate`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_lab::properties::{Round, negotiate};

fuzz_target!(|rounds: Vec<Round>| negotiate(&rounds));
