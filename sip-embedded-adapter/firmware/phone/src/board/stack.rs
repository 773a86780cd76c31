//! How deep the stack has been. The runtime paints it before `main` (its feature `paint-stack`).

use core::ptr::{addr_of, with_exposed_provenance};
use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Octets of the stack that have been used since the start.
pub(crate) fn used() -> usize {
    let (top, mut lowest) = (addr_of!(_stack_start).addr(), addr_of!(_stack_end).addr());
    while lowest < top {
        // SAFETY: the linker script puts RAM between these two symbols, and both are multiples of 4.
        let word = unsafe { with_exposed_provenance::<u32>(lowest).read_volatile() };
        if word != STACK_PAINT_VALUE {
            break;
        }
        lowest += 4;
    }
    top - lowest
}
