//! Messages: what other parsers and proxies made of them, as properties, by name, and as the RFCs torture them.

mod field_notes;
mod forward;
mod properties;
mod proxy;
mod torture;
mod torture_server;
