//! The Ethernet MAC as a device of smoltcp.

use super::lan9118::{FRAME, Mac};
use desk_phone::neighbour::Watch;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Frames that are taken in within one millisecond at most, so that a flood can't keep the stack's `poll` from returning.
const FRAMES_PER_MILLISECOND: u32 = 8;

/// Room for the frame that comes in and the one that goes out.
pub(crate) struct Frames {
    received: [u8; FRAME],
    sent: [u8; FRAME],
}

impl Frames {
    pub(crate) const ZERO: Self = Self { received: [0; FRAME], sent: [0; FRAME] };
}

pub(crate) struct Device {
    mac: Mac,
    frames: &'static mut Frames,
    /// The last millisecond in which frames were taken in, and how many.
    taken: (Instant, u32),
    neighbours: Watch,
}

impl Device {
    pub(crate) const fn new(mac: Mac, frames: &'static mut Frames) -> Self {
        Self { mac, frames, taken: (Instant::ZERO, 0), neighbours: Watch::ZERO }
    }
}

impl phy::Device for Device {
    type RxToken<'a> = Receive<'a>;
    type TxToken<'a> = Send<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Receive<'_>, Send<'_>)> {
        if self.taken.0 != now {
            self.taken = (now, 0);
        }
        if self.taken.1 == FRAMES_PER_MILLISECOND || !self.mac.has_room() {
            return None;
        }
        let length = match self.neighbours.answer(&mut self.frames.received) {
            Some(length) => length,
            None => self.mac.receive(&mut self.frames.received)?,
        };
        self.taken.1 += 1;
        let frame = self.frames.received.get(..length)?;
        self.neighbours.received(frame);
        Some((Receive(frame), Send::new(&mut self.mac, &mut self.frames.sent, &mut self.neighbours)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Send<'_>> {
        let room = self.mac.has_room();
        room.then(|| Send::new(&mut self.mac, &mut self.frames.sent, &mut self.neighbours))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that came in.
pub(crate) struct Receive<'a>(&'a [u8]);

impl phy::RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

/// Room for one frame that goes out.
pub(crate) struct Send<'a> {
    mac: &'a mut Mac,
    frame: &'a mut [u8; FRAME],
    neighbours: &'a mut Watch,
}

impl<'a> Send<'a> {
    fn new(mac: &'a mut Mac, frame: &'a mut [u8; FRAME], neighbours: &'a mut Watch) -> Self {
        Self { mac, frame, neighbours }
    }
}

impl phy::TxToken for Send<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        // The stack asks for no more than the MTU that it was told.
        let frame = &mut self.frame[..length];
        let result = write(frame);
        self.neighbours.sent(frame);
        self.mac.send(frame);
        result
    }
}
