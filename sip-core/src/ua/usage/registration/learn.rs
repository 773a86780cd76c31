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
//! register for ever. Each registration has its own: two registrars in different networks see two addresses. Calls go by the
//! one that was learned last.

use super::entry::RegistrationEntry;
use super::machine::{Input, State};
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::build::write_ip;
use crate::message::scan::alike;
use crate::message::{HeaderName, Message, Writer};
use crate::transport::Transport;
use crate::ua::config::{Settings, Text};
use crate::ua::context::Context;
use core::net::IpAddr;

/// Octets that an address and a port take at most, in brackets.
const LONGEST: usize = 54;

/// Addresses of this host beside the configured one, in one block: the length of the one that the registrar sees, that address,
/// and a former one, which is to be removed.
#[derive(Clone, Copy, Debug)]
pub(in crate::ua) struct OwnAddress<'a> {
    /// Empty where the configured one is right.
    pub(in crate::ua) seen: &'a [u8],
    /// Empty once the registrar has taken its removal.
    pub(in crate::ua) former: &'a [u8],
}

impl<'a> OwnAddress<'a> {
    /// The addresses that a block holds, none of them in [`Block::NONE`].
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(in crate::ua) fn of(block: &'a [u8]) -> Self {
        let (length, rest) = block.split_first().unwrap_or((&0, &[]));
        let (seen, former) = rest.split_at_checked(usize::from(*length)).unwrap_or_default();
        Self { seen, former }
    }
}

impl<O: Octets> Context<'_, O> {
    /// Compares the Via of a 2xx to REGISTER with what it says of the request's source, and takes the latter for our
    /// address when they differ.
    #[inline(never)]
    pub(super) fn learn_address(&mut self, handle: Handle, response: &Message<'_>) {
        let settings = &self.core.settings;
        let by = response.top_via().transport();
        // Where the Contact names another transport, the port of this one tells nothing of it.
        if !settings.learns || !alike(by, settings.transport.name().as_bytes()) {
            return;
        }
        let port_stays = settings.transport.is_reliable() && settings.accepts_connections;
        let Some((ip, port)) = seen_address(response, settings.transport, port_stays) else { return };
        // Without room for the few octets the old address stays, as good as it was.
        if self.keep_own_address(handle, ip, port).is_ok() {
            let _ = self.step_registration(handle, Input::AddressLearned);
        }
    }

    fn keep_own_address(&mut self, handle: Handle, ip: IpAddr, port: u16) -> Result<(), Error> {
        let mut room = [0; LONGEST];
        let mut writer = Writer::new(&mut room);
        if ip.is_ipv6() {
            writer.octet(b'[');
        }
        write_ip(&mut writer, ip);
        if ip.is_ipv6() {
            writer.octet(b']');
        }
        writer.octet(b':');
        writer.number(u64::from(port));
        let length = writer.finish().unwrap_or(0);
        let seen = room.get(..length).unwrap_or_default();
        let settings = &self.core.settings;
        let former = self.registrations.get(handle).map_or(Block::NONE, |entry| entry.own_address);
        let block = self.transactions.octets.write(LONGEST, false, |kept, writer| {
            writer.raw(&[u8::try_from(length).unwrap_or(0)]);
            writer.raw(seen);
            writer.raw(settings.registered_address(kept.get(settings.block()), kept.get(former)));
        })?;
        if let Err(error) = self.core.settings.replace(Text::Learned, seen, self.transactions.octets) {
            self.transactions.octets.release(block);
            return Err(error);
        }
        self.set_own_address(handle, block);
        Ok(())
    }

    /// This host has moved from its `old` address to another: what the registrar has bound is to be removed.
    pub(super) fn keep_former_address(&mut self, handle: Handle, old: Block, sent_by: &[u8]) {
        let Some(&RegistrationEntry { own_address, machine, transaction, .. }) = self.registrations.get(handle) else {
            return;
        };
        let under_way = !transaction.is_none();
        // It names the address of now; any other one that is under way an older one.
        let names_this = under_way && matches!(machine.state(), State::Registering | State::Correcting);
        let written = self.transactions.octets.write(LONGEST, false, |kept, writer| {
            let OwnAddress { seen, former } = OwnAddress::of(kept.get(own_address));
            let bound = match (seen, former) {
                // No REGISTER that removes it has been answered yet.
                (_, [_, ..]) if !names_this => former,
                (b"", _) => kept.get(old),
                _ => seen,
            };
            if bound != sent_by && (under_way || machine.is_bound(self.now)) {
                writer.raw(&[0]);
                writer.raw(bound);
            }
        });
        // Without room the old binding lasts until it expires.
        self.set_own_address(handle, written.unwrap_or(Block::NONE));
    }

    /// The registrar has taken the removal of a former address, or won't: whether there was one.
    pub(super) fn forget_former_address(&mut self, handle: Handle) -> bool {
        let block = self.registrations.get(handle).map_or(Block::NONE, |entry| entry.own_address);
        let OwnAddress { seen, former } = OwnAddress::of(self.transactions.octets.get(block));
        if former.is_empty() {
            return false;
        }
        match seen.len() {
            0 => self.set_own_address(handle, Block::NONE),
            length => self.transactions.octets.truncate(block, length.wrapping_add(1)),
        }
        true
    }

    /// Takes another own address for a registration; none is the configured one.
    pub(super) fn set_own_address(&mut self, handle: Handle, block: Block) {
        if let Some(entry) = self.registrations.get_mut(handle) {
            let old = core::mem::replace(&mut entry.own_address, block);
            self.transactions.octets.release(old);
        }
    }
}

impl Settings {
    /// Host and port for Via and Contact of a REGISTER: as its registrar sees them, or as configured.
    pub(in crate::ua) fn registered_address<'k>(&self, texts: &'k [u8], own_address: &'k [u8]) -> &'k [u8] {
        match OwnAddress::of(own_address).seen {
            b"" => self.text(texts, Text::SentBy),
            seen => seen,
        }
    }

    /// Writes the Contact of a REGISTER, and one that removes the binding to a former address (RFC 3261 §10.2.2).
    #[inline(never)]
    pub(in crate::ua) fn write_binding(&self, kept: &impl KeptBlocks, own_address: Block, writer: &mut Writer<'_>) {
        let (texts, own_address) = (kept.get(self.block()), kept.get(own_address));
        let former = OwnAddress::of(own_address).former;
        let contacts = [(self.registered_address(texts, own_address), &b">"[..]), (former, b">;expires=0")];
        for (address, end) in &contacts {
            if !address.is_empty() {
                writer.value_start(HeaderName::Contact);
                writer.octet(b'<');
                self.write_contact_uri(texts, address, writer);
                writer.text(end);
                writer.end();
            }
        }
    }
}

/// The address that a response says our request came from; `None` when it is the one in the Via that we sent, or that is a name,
/// which is meant to stay.
fn seen_address(response: &Message<'_>, transport: Transport, port_stays: bool) -> Option<(IpAddr, u16)> {
    let via = response.top_via();
    let (own, own_port) = (via.ip()?, via.port().unwrap_or(transport.default_port()));
    let (seen, port) = (via.received_ip().unwrap_or(own), via.rport().flatten().unwrap_or(own_port));
    let usable = port != 0 && seen.is_ipv4() == own.is_ipv4() && !seen.is_unspecified();
    // A connection of ours comes from a port on which nobody listens. Without a NAT between, the configured one is right.
    let moved = seen != own || !port_stays && port != own_port;
    (usable && moved).then_some((seen, port))
}
