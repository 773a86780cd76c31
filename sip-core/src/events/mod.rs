//! Bodies of event packages (RFC 6665 §5.4.5): what a NOTIFY tells.

mod sipfrag;

pub use sipfrag::Sipfrag;
