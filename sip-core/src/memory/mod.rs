//! What lends entries and octets.
