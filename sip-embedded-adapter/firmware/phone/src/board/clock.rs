//! Time: SysTick interrupts once a millisecond, and its counter tells the time in between.

use core::cell::Cell;
use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use critical_section::Mutex;
use embedded_time::fraction::Fraction;
use sip_core::time::Instant;

/// Cycles of the core's clock in a millisecond.
pub(crate) const CYCLES_PER_MILLISECOND: u32 = 25_000;

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|section| {
        let milliseconds = MILLISECONDS.borrow(section);
        milliseconds.set(milliseconds.get() + 1);
    });
}

/// The running clock.
#[derive(Clone, Copy)]
pub(crate) struct Clock(());

impl Clock {
    pub(super) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(CYCLES_PER_MILLISECOND - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Self(())
    }

    fn milliseconds(self) -> u64 {
        critical_section::with(|section| MILLISECONDS.borrow(section).get())
    }

    /// The time, for the user agent.
    pub(crate) fn now(self) -> Instant {
        Instant::from_millis(self.milliseconds())
    }

    /// Cycles since the start. They never run backwards.
    pub(crate) fn cycles(self) -> u64 {
        // Nothing interrupts here, so a millisecond that ends meanwhile is not counted yet: then SysTick's interrupt is pending.
        critical_section::with(|section| {
            let mut milliseconds = MILLISECONDS.borrow(section).get();
            let mut left = SYST::get_current();
            if SCB::is_pendst_pending() {
                milliseconds += 1;
                left = SYST::get_current();
            }
            milliseconds * u64::from(CYCLES_PER_MILLISECOND) + u64::from(CYCLES_PER_MILLISECOND - 1 - left)
        })
    }

    /// Sleeps until the next interrupt: a millisecond at most.
    pub(crate) fn sleep(self) {
        cortex_m::asm::wfi();
    }
}

/// The same clock for the network stack.
impl embedded_time::Clock for Clock {
    type T = u32;

    const SCALING_FACTOR: Fraction = Fraction::new(1, 1000);

    fn try_now(&self) -> Result<embedded_time::Instant<Self>, embedded_time::clock::Error> {
        // It wraps after 49 days, which the stack's arithmetic allows for.
        Ok(embedded_time::Instant::new(self.milliseconds() as u32))
    }
}
