//! The mps2-an386 board: a Cortex-M4 at 25 MHz, as QEMU emulates it. All `unsafe` of the phone is in here.

pub(crate) mod clock;
pub(crate) mod device;
pub(crate) mod lan9118;
pub(crate) mod stack;
pub(crate) mod uart;
pub(crate) mod watchdog;
mod window;

use clock::Clock;
use lan9118::{Link, Mac};
use uart::Uart;
use watchdog::Watchdog;
use window::Window;

/// What is on the board, each once.
pub(crate) struct Board {
    pub(crate) clock: Clock,
    pub(crate) console: Uart,
    pub(crate) watchdog: Watchdog,
    pub(crate) mac: Mac,
    pub(crate) link: Link,
}

impl Board {
    /// Sets the devices up; `None` the second time, or when the Ethernet MAC does not answer.
    pub(crate) fn take() -> Option<Self> {
        let core = cortex_m::Peripherals::take()?;
        // SAFETY: this is the board's serial line, and `Peripherals::take` succeeds only once, so nobody else has it.
        let uart = unsafe { Window::new(0x4000_4000) };
        // SAFETY: as above, its watchdog.
        let watchdog = unsafe { Window::new(0x4000_8000) };
        // SAFETY: as above, its Ethernet MAC.
        let ethernet = unsafe { Window::new(0x4020_0000) };
        let (mac, link) = lan9118::start(ethernet).ok()?;
        Some(Self {
            clock: Clock::start(core.SYST),
            console: Uart::start(uart),
            watchdog: Watchdog::new(watchdog),
            mac,
            link,
        })
    }
}
