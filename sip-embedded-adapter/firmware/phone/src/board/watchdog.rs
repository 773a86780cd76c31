//! The CMSDK APB watchdog: it resets the board unless it is fed in time.

use super::Window;

const LOAD: usize = 0x00;
const CONTROL: usize = 0x08;
const INTERRUPT_CLEAR: usize = 0x0c;
const LOCK: usize = 0xc00;

const ENABLE_INTERRUPT: u32 = 1 << 0;
const ENABLE_RESET: u32 = 1 << 1;
const UNLOCK: u32 = 0x1acc_e551;

pub(crate) struct Watchdog {
    registers: Window<0x1000>,
}

impl Watchdog {
    pub(super) const fn new(registers: Window<0x1000>) -> Self {
        Self { registers }
    }

    /// Starts it: the board is reset after `cycles` to twice as many without [`feed`](Self::feed). It can't be stopped.
    pub(crate) fn start(&mut self, cycles: u32) {
        self.registers.write(LOCK, UNLOCK);
        self.registers.write(LOAD, cycles);
        self.registers.write(CONTROL, ENABLE_INTERRUPT | ENABLE_RESET);
    }

    /// Starts its count anew.
    pub(crate) fn feed(&mut self) {
        self.registers.write(INTERRUPT_CLEAR, 1);
    }
}

/// The watchdog's first bell, at half of its time. It is not cleared, so the second one resets.
#[cortex_m_rt::exception]
unsafe fn NonMaskableInt() {
    loop {
        cortex_m::asm::nop();
    }
}
