//! The example flows of RFC 3665 and RFC 5359, the races of RFC 5407 and the places of RFC 6337, each with its ladder.
//!
//! Each test says which section it plays. Phones, proxy and registrar are the real roles; the scripted peer stands in where a
//! flow needs a message that our phones never send. 100 is for one hop and not drawn.
//!
//! | RFC | played here | elsewhere | not yet |
//! |---|---|---|---|
//! | 3665 §2 | 2.1-2.5 | | |
//! | 3665 §3 | 3.1-3.3, 3.7-3.11 | 3.6 up to the 302 in `registrar_calls.rs`, 3.4 (another server of a name) in `targets.rs` | 3.5 (an ALG) |
//! | 5359 | 2.1, 2.2, 2.4, 2.5, 2.7, 2.8, 2.12, 2.13, 2.16 from its INVITE on | | 2.3 (a server that plays), 2.6, 2.10, 2.11 (Join), 2.15, 2.17, 2.18, 2.9 (a timer of who answers for the proxy), 2.14 |
//! | 5407 | 3.1.1-3.1.3, 3.1.6, 3.2.1-3.2.4, 3.3.2, 3.3.3 | 3.1.4, 3.1.5 in `overtaken_ack.rs`, 3.3.1 in `reinvite.rs` | |
//! | 6337 Table 1 | all rows but PRACK's offer | `reliable_callee.rs` | |

mod basic_calls;
#[path = "../domain/mod.rs"]
mod domain;
mod drawn;
#[path = "../office/mod.rs"]
mod office;
mod places;
mod races;
mod registration;
mod services;
mod transfers;
