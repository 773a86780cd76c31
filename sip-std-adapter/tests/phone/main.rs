//! The command-line phone and the other examples, each run as a process of its own.
//!
//! One program, because each links the whole stack: a module for each command.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "processes need std")]

mod answer;
mod bindings;
mod call;
mod demo;
mod examples;
mod flood;
mod keys;
mod message;
mod parse;
mod process;
mod register;
mod serve;
mod tls;
mod upkeep;
mod usage;
mod ws;
