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
