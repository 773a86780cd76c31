//! The work that `measure`, the benches and the instruction counts repeat.
//!
//! Each function does a piece of work once; what it saw goes into a number, so that the compiler can't leave it out.

mod agent;
mod answer;
mod forward;
mod lookup;
mod parse;
mod proxy;
mod register;
mod write;

pub use agent::{Callee, Options};
pub use answer::Offer;
pub use forward::Forwarding;
pub use parse::{parse_lazy, parse_typed};
pub use proxy::{Relay, Told};
pub use register::{Hub, Refresh};
pub use write::Parts;

/// Messages of our own writing, in the shape of those that figures are commonly quoted on.
pub mod samples {
    /// A call with a session description.
    pub const INVITE: &[u8] = include_bytes!("../data/invite.sip");
    /// A success that came over three hops, with a route of two.
    pub const OK: &[u8] = include_bytes!("../data/ok.sip");
    /// A registration with digest credentials.
    pub const REGISTER: &[u8] = include_bytes!("../data/register.sip");
    /// A question for capabilities.
    pub const OPTIONS: &[u8] = include_bytes!("../data/options.sip");
}
