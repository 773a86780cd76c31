//! The skeleton of a network device of embassy-net. YOURS: the four places that move octets between `room` and the chip, and
//! the waker, which the chip's interrupt wakes when a frame has come or has gone.

use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

/// An Ethernet frame without its checksum, and its room.
const FRAME: usize = 1514;

/// An Ethernet chip.
pub(crate) struct Ethernet {
    room: [u8; FRAME],
}

impl Ethernet {
    pub(crate) const fn new() -> Self {
        Self { room: [0; FRAME] }
    }

    /// YOURS: copies the next frame that has come into `room`; its length, or `None` when there is none.
    fn take(&mut self) -> Option<usize> {
        None
    }

    /// YOURS: whether the chip takes a frame now.
    const fn has_room(&self) -> bool {
        true
    }

    /// YOURS: sends the first `length` octets of `room`.
    fn send(&mut self, length: usize) {
        let _ = self.room.get(..length);
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Received;
    type TxToken<'a> = Free<'a>;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Received, Free<'_>)> {
        if !self.has_room() {
            return None;
        }
        let length = self.take()?;
        Some((Received { frame: self.room, length }, Free(self)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Free<'_>> {
        self.has_room().then_some(Free(self))
    }

    /// YOURS: whether the cable is plugged in.
    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(4);
        capabilities
    }

    /// YOURS: the hardware address, each device's own.
    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([0x02, 0, 0, 0, 0, 1])
    }
}

/// A frame that has come.
pub(crate) struct Received {
    frame: [u8; FRAME],
    length: usize,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(self.frame.get_mut(..self.length).unwrap_or_default())
    }
}

/// Leave to send a frame.
pub(crate) struct Free<'a>(&'a mut Ethernet);

impl TxToken for Free<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let result = f(self.0.room.get_mut(..length).unwrap_or_default());
        self.0.send(length);
        result
    }
}
