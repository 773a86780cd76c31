//! The time of embassy, from SysTick. A crate of the chip brings its own driver, with alarms, in place of this one.

use core::cell::RefCell;
use core::task::Waker;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// YOURS: cycles of the core's clock in a millisecond.
const CYCLES_PER_MILLISECOND: u32 = 25_000;

struct Ticks {
    state: Mutex<RefCell<(u64, Queue)>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks { state: Mutex::new(RefCell::new((0, Queue::new()))) });

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.state.borrow_ref(section).0)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| self.state.borrow_ref_mut(section).1.schedule_wake(at, waker));
    }
}

/// Lets the milliseconds run.
pub(crate) fn start(mut timer: SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES_PER_MILLISECOND - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|section| {
        let (now, queue) = &mut *TICKS.state.borrow_ref_mut(section);
        *now += 1;
        // It wakes whose time has come.
        let _ = queue.next_expiration(*now);
    });
}
