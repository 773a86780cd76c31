//! The serial line of the console: a CMSDK APB UART, polled.

use super::Window;
use core::fmt;

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CONTROL: usize = 0x08;
const BAUD_DIVISOR: usize = 0x10;

const TRANSMIT_FULL: u32 = 1 << 0;
const RECEIVE_FULL: u32 = 1 << 1;
const ENABLE_TRANSMIT: u32 = 1 << 0;
const ENABLE_RECEIVE: u32 = 1 << 1;
/// 25 MHz through 115,200 baud.
const DIVISOR: u32 = 217;

pub(crate) struct Uart {
    registers: Window<0x1000>,
}

impl Uart {
    pub(super) fn start(mut registers: Window<0x1000>) -> Self {
        registers.write(BAUD_DIVISOR, DIVISOR);
        registers.write(CONTROL, ENABLE_TRANSMIT | ENABLE_RECEIVE);
        Self { registers }
    }

    /// The next octet that was typed, if there is one.
    pub(crate) fn read(&mut self) -> Option<u8> {
        (self.registers.read(STATE) & RECEIVE_FULL != 0).then(|| self.registers.read(DATA) as u8)
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            while self.registers.read(STATE) & TRANSMIT_FULL != 0 {}
            self.registers.write(DATA, u32::from(octet));
        }
        Ok(())
    }
}

/// A console for the last words of a program that can't go on.
///
/// # Safety
/// Whoever had the console before does not run any more.
pub(crate) unsafe fn seize() -> Uart {
    // SAFETY: the board has this device, and by the promise nobody else uses it.
    Uart { registers: unsafe { Window::new(0x4000_4000) } }
}
