//! The message layer alone, as firmware links it.
//!
//! `.ci/parser-size` links each entry by itself, with nothing but what it reaches, looks in it for what can panic, and
//! weighs it. An entry takes its octets from outside and gives back a number into which all that was read goes, so that
//! nothing can be left out; the tests show that each header and each line counts.
#![cfg_attr(target_os = "none", no_std)]

mod describe;
mod read;
mod sum;
mod write;

/// Where a datagram is received, and where one is written.
pub type Buffer = [u8; 2048];

fn cut(buffer: &Buffer, length: usize) -> &[u8] {
    buffer.get(..length).unwrap_or(buffer)
}

/// Reads a message with all its headers, and compares its URIs with another one.
#[allow(unsafe_code, reason = "the name is what the linker starts from")]
#[unsafe(no_mangle)]
pub extern "C" fn sip_read(datagram: &Buffer, length: usize, uri: &Buffer, uri_length: usize) -> u32 {
    read::read(cut(datagram, length), cut(uri, uri_length)).value()
}

/// Reads a session description.
#[allow(unsafe_code, reason = "the name is what the linker starts from")]
#[unsafe(no_mangle)]
pub extern "C" fn sip_describe(body: &Buffer, length: usize) -> u32 {
    describe::read(cut(body, length)).value()
}

/// Writes what a message brings to be written.
#[allow(unsafe_code, reason = "the name is what the linker starts from")]
#[unsafe(no_mangle)]
pub extern "C" fn sip_write(datagram: &Buffer, length: usize, room: &mut Buffer) -> u32 {
    write::write(cut(datagram, length), room).value()
}

/// The control of the check: the same reader, and one look beyond the end of the buffer.
#[allow(unsafe_code, reason = "the name is what the linker starts from")]
#[unsafe(no_mangle)]
pub extern "C" fn sip_control(datagram: &Buffer, length: usize, uri: &Buffer, uri_length: usize) -> u32 {
    u32::from(datagram[length]).wrapping_add(sip_read(datagram, length, uri, uri_length))
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
