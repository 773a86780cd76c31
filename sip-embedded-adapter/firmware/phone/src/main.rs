//! A desk phone on an mps2-an386 board, as QEMU emulates it.
#![no_std]
#![no_main]

use cortex_m_semihosting::{debug, hprintln};
use sip_core as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    hprintln!("phone");
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::nop();
    }
}
