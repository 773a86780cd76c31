//! Where an outside that the compiler knows nothing of puts datagrams and commands, and finds what goes out.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use sip_core::transport::Address;

/// As many octets as a datagram may have here.
pub(crate) const ROOM: usize = 1500;

/// A box of octets and how many of them count.
pub(crate) struct Slot {
    length: AtomicU32,
    octets: [AtomicU8; ROOM],
}

impl Slot {
    const fn new() -> Self {
        Self { length: AtomicU32::new(0), octets: [const { AtomicU8::new(0) }; ROOM] }
    }

    /// Copies what is in the box to the front of `room`.
    pub(crate) fn take<'a>(&self, room: &'a mut [u8; ROOM]) -> &'a [u8] {
        for (place, octet) in room.iter_mut().zip(&self.octets) {
            *place = octet.load(Relaxed);
        }
        let length = self.length.load(Relaxed) as usize;
        room.get(..length).unwrap_or_default()
    }

    /// Puts octets into the box; those beyond its room are left out and told by the length.
    pub(crate) fn put(&self, octets: &[u8]) {
        for (place, octet) in self.octets.iter().zip(octets) {
            place.store(*octet, Relaxed);
        }
        self.length.store(octets.len() as u32, Relaxed);
    }
}

/// The device of this firmware.
pub(crate) struct Mailbox {
    command: AtomicU32,
    number: AtomicU32,
    clock: AtomicU32,
    /// What comes in: a datagram, or the text or body of a command.
    pub(crate) inward: Slot,
    /// What goes out: a datagram, or a host to look up.
    pub(crate) outward: Slot,
    told: AtomicU32,
}

impl Mailbox {
    const fn new() -> Self {
        Self {
            command: AtomicU32::new(0),
            number: AtomicU32::new(0),
            clock: AtomicU32::new(0),
            inward: Slot::new(),
            outward: Slot::new(),
            told: AtomicU32::new(0),
        }
    }

    /// What is to be done, and a number with it: a status, a port, seconds.
    pub(crate) fn command(&self) -> (u32, u32) {
        (self.command.swap(0, Relaxed), self.number.load(Relaxed))
    }

    /// Milliseconds since the start.
    pub(crate) fn clock(&self) -> u32 {
        self.clock.load(Relaxed)
    }

    /// Tells a number.
    pub(crate) fn tell(&self, number: u32) {
        self.told.store(number, Relaxed);
    }
}

/// Marked as used by what is not in this program, so that nothing can be concluded from what is.
#[used]
pub(crate) static MAILBOX: Mailbox = Mailbox::new();

/// What the chip's interrupts lead to, which a crate of the chip names: one, the least that the runtime links with.
#[used]
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub(crate) static __INTERRUPTS: [unsafe extern "C" fn(); 1] = [ignore];

/// An interrupt that nobody enables.
unsafe extern "C" fn ignore() {}

/// Waits for ever: the state was taken before.
pub(crate) fn park() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The address that a number stands for.
#[inline(never)]
pub(crate) fn source(number: u32) -> Address {
    Address::v4(number.to_be_bytes().into(), 5060)
}
