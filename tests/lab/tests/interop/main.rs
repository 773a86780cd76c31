//! The phone, whole processes on 127.0.0.1, against real peers.
#![cfg(unix)]

mod capture;
mod dns;
mod jssip;
mod kamailio;
mod pjsip;
mod server;
mod sessions;
mod sipp;
mod tcp;
mod tls;
mod transfers;

use serde_json::{Value, json};

/// What a phone reports of an answered call that one of its ends has hung up.
fn ended(by: &str) -> [(&'static str, Value); 3] {
    [("outcome", json!("ok")), ("ended_by", json!(by)), ("sip_status", json!(200))]
}
