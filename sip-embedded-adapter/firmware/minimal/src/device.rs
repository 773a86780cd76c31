//! The skeleton of a network device of smoltcp. YOURS: the four places that move octets between `room` and the chip.

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

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

    /// YOURS: the hardware address, each device's own.
    pub(crate) const fn mac(&self) -> [u8; 6] {
        [0x02, 0, 0, 0, 0, 1]
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

impl Device for Ethernet {
    type RxToken<'a> = Received;
    type TxToken<'a> = Free<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Free<'_>)> {
        // An answer may be due to what is received, so that a frame is taken when one can be sent.
        let length = if self.has_room() { self.take()? } else { return None };
        let mut frame = [0; FRAME];
        frame.copy_from_slice(&self.room);
        Some((Received { frame, length }, Free(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Free<'_>> {
        self.has_room().then_some(Free(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        // Frames that one `poll` of the stack takes in: it is bounded work.
        capabilities.max_burst_size = Some(4);
        capabilities
    }
}

/// A frame that has come.
pub(crate) struct Received {
    frame: [u8; FRAME],
    length: usize,
}

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.frame.get(..self.length).unwrap_or_default())
    }
}

/// Leave to send a frame.
pub(crate) struct Free<'a>(&'a mut Ethernet);

impl phy::TxToken for Free<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let result = f(self.0.room.get_mut(..length).unwrap_or_default());
        self.0.send(length);
        result
    }
}
