//! The address under which a registrar sees this user agent (RFC 3581), where it is not the configured one: behind a NAT, on a
//! host that can't tell its own, or over a connection whose port nobody chose.
//!
//! ```text
//!   REGISTER, Contact: own        ──>
//!                                 <──  200, Via: own;received=…;rport=…
//!   REGISTER, Contact: seen,      ──>  once; whatever its answer says of the address waits for the next refresh
//!             Contact: own;expires=0
//! ```
//! Were the answer to a correction to correct again, a NAT that gives every request another port would have a user agent
//! register for ever.

use crate::memory::{Handle, Octets};
use crate::message::build::write_ip;
use crate::message::scan::alike;
use crate::message::{HeaderName, Message, Writer};
use crate::transport::{Address, Transport};
use crate::ua::config::{Settings, Text};
use crate::ua::context::Context;
use crate::ua::usage::registration::due_now;
use core::net::IpAddr;

/// Octets that an address and a port take at most, in brackets.
const LONGEST: usize = 54;

impl<O: Octets> Context<'_, O> {
    /// Compares the Via of a 2xx to REGISTER with what it says of the request's source, and takes the latter for our
    /// address when they differ.
    #[inline(never)]
    pub(in crate::ua) fn learn_address(&mut self, handle: Handle, response: &Message<'_>) {
        let settings = &mut self.core.settings;
        let Some(entry) = self.registrations.get_mut(handle) else { return };
        let corrected = core::mem::take(&mut entry.corrected);
        if corrected || !settings.learns || entry.again || entry.removal_due {
            return;
        }
        let by = response.top_via().transport();
        if !alike(by, settings.transport.name().as_bytes()) {
            // The Contact names another transport, whose port this one tells nothing of.
            return;
        }
        let Some((own, seen)) = addresses(response) else { return };
        let mut room = [0; LONGEST];
        let mut writer = Writer::new(&mut room);
        write_address(&mut writer, seen);
        let length = writer.finish().unwrap_or(0);
        // Without room for the few octets the old address stays, as good as it was.
        if settings.move_to(room.get(..length).unwrap_or_default(), self.transactions.octets).is_err() {
            return;
        }
        settings.former = own;
        if let Some(entry) = self.registrations.get_mut(handle) {
            entry.corrected = true;
            entry.moved = true;
            entry.refresh_at = due_now(self.now);
        }
        self.schedule_registration(handle);
    }
}

impl Settings {
    /// Removes the binding to the address that the registrar corrected (RFC 3261 §10.2.2).
    pub(in crate::ua) fn write_former_contact(&self, texts: &[u8], writer: &mut Writer<'_>) {
        let user = self.text(texts, Text::ContactUser);
        writer.value_start(HeaderName::Contact);
        writer.text(b"<sip:");
        if !user.is_empty() {
            writer.text(user);
            writer.text(b"@");
        }
        write_address(writer, self.former);
        self.write_contact_transport(writer);
        writer.text(b">;expires=0");
        writer.end();
    }
}

/// The address in the Via that we sent, and the one that the response says it came from; `None` when they are the same, or
/// the first is a name, which is meant to stay.
fn addresses(response: &Message<'_>) -> Option<(Address, Address)> {
    let via = response.top_via();
    let ip = via.host().ip()?;
    let own = Address::new(ip, via.port().unwrap_or(Transport::Udp.default_port()));
    let seen_ip = via.received_ip().unwrap_or(ip);
    let seen = Address::new(seen_ip, via.rport().flatten().unwrap_or(own.port()));
    let usable = seen.port() != 0 && seen_ip.is_ipv4() == ip.is_ipv4() && !seen_ip.is_unspecified();
    (usable && seen != own).then_some((own, seen))
}

fn write_address(writer: &mut Writer<'_>, address: Address) {
    match address.ip() {
        Some(ip @ IpAddr::V6(_)) => {
            writer.text(b"[");
            write_ip(writer, ip);
            writer.text(b"]");
        }
        Some(ip) => write_ip(writer, ip),
        None => {}
    }
    writer.text(b":");
    writer.number(u64::from(address.port()));
}
