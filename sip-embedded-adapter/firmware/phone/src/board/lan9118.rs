//! The Ethernet MAC: an SMSC LAN9118, polled, one frame at a time through its FIFOs.
//!
//! Sources: the LAN9118 data sheet (DS00002266), §5 for the registers, §3.12 and §3.13 for the FIFOs.

use super::Window;

/// The longest frame without its check sequence.
pub(crate) const FRAME: usize = 1514;

const RECEIVE_DATA: usize = 0x00;
const TRANSMIT_DATA: usize = 0x20;
const RECEIVE_STATUS: usize = 0x40;
const TRANSMIT_STATUS: usize = 0x48;
const INTERRUPT_ENABLE: usize = 0x5c;
const BYTE_TEST: usize = 0x64;
const RECEIVE_CONFIG: usize = 0x6c;
const TRANSMIT_CONFIG: usize = 0x70;
const HARDWARE_CONFIG: usize = 0x74;
const RECEIVE_CONTROL: usize = 0x78;
const RECEIVE_FIFO: usize = 0x7c;
const TRANSMIT_FIFO: usize = 0x80;
const MAC_COMMAND: usize = 0xa4;
const MAC_DATA: usize = 0xa8;

// Registers of the MAC behind MAC_COMMAND and MAC_DATA.
const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
const MII_ACCESS: u32 = 6;
const MII_DATA: u32 = 7;

const BYTE_ORDER: u32 = 0x8765_4321;
const SOFT_RESET: u32 = 1 << 0;
/// Bit 20 must be one; 5 KiB of the FIFO are for sending, the rest for receiving.
const FIFO_SPLIT: u32 = 1 << 20 | 5 << 16;
const TRANSMIT_ON: u32 = 1 << 1;
const RECEIVER_ENABLE: u32 = 1 << 2;
const TRANSMITTER_ENABLE: u32 = 1 << 3;
const BUSY: u32 = 1 << 31;
const READ: u32 = 1 << 30;
const ERROR_SUMMARY: u32 = 1 << 15;
const FAST_FORWARD: u32 = 1 << 31;
const FIRST_SEGMENT: u32 = 1 << 13;
const LAST_SEGMENT: u32 = 1 << 12;

const PHY: u32 = 1 << 11;
const PHY_BASIC_STATUS: u32 = 1 << 6;
const MII_BUSY: u32 = 1 << 0;
const LINK_UP: u32 = 1 << 2;

/// How often to look for an end of what takes the chip microseconds.
const PATIENCE: u32 = 100_000;

/// Why the chip can't be used.
pub(crate) enum Fault {
    /// Another device is there, or none.
    NotFound,
    /// It did not finish in time.
    Timeout,
}

/// The FIFOs.
pub(crate) struct Mac {
    registers: Window<0x100>,
    address: [u8; 6],
}

/// The cable.
pub(crate) struct Link {
    registers: Window<0x100>,
}

/// Resets the chip and switches it on.
pub(super) fn start(mut registers: Window<0x100>) -> Result<(Mac, Link), Fault> {
    if registers.read(BYTE_TEST) != BYTE_ORDER {
        return Err(Fault::NotFound);
    }
    registers.write(HARDWARE_CONFIG, SOFT_RESET);
    wait(|| registers.read(HARDWARE_CONFIG) & SOFT_RESET == 0)?;
    registers.write(HARDWARE_CONFIG, FIFO_SPLIT);
    registers.write(INTERRUPT_ENABLE, 0);
    registers.write(RECEIVE_CONFIG, 0);
    registers.write(TRANSMIT_CONFIG, TRANSMIT_ON);
    let control = mac_read(&mut registers, MAC_CONTROL)?;
    mac_write(&mut registers, MAC_CONTROL, control | RECEIVER_ENABLE | TRANSMITTER_ENABLE)?;
    let [a, b, c, d] = mac_read(&mut registers, MAC_ADDRESS_LOW)?.to_le_bytes();
    let [e, f, ..] = mac_read(&mut registers, MAC_ADDRESS_HIGH)?.to_le_bytes();
    // SAFETY: from here on `Link` uses MAC_COMMAND and MAC_DATA only, and `Mac` all others.
    let link = Link { registers: unsafe { registers.split() } };
    Ok((Mac { registers, address: [a, b, c, d, e, f] }, link))
}

fn wait(mut over: impl FnMut() -> bool) -> Result<(), Fault> {
    (0..PATIENCE).any(|_| over()).then_some(()).ok_or(Fault::Timeout)
}

fn mac_read(registers: &mut Window<0x100>, register: u32) -> Result<u32, Fault> {
    registers.write(MAC_COMMAND, BUSY | READ | register);
    wait(|| registers.read(MAC_COMMAND) & BUSY == 0)?;
    Ok(registers.read(MAC_DATA))
}

fn mac_write(registers: &mut Window<0x100>, register: u32, value: u32) -> Result<(), Fault> {
    registers.write(MAC_DATA, value);
    registers.write(MAC_COMMAND, BUSY | register);
    wait(|| registers.read(MAC_COMMAND) & BUSY == 0)
}

impl Mac {
    /// The address that the chip read from its EEPROM.
    pub(crate) fn address(&self) -> [u8; 6] {
        self.address
    }

    /// Whether the next frame can be sent: there is room for the longest one and its two command words.
    pub(crate) fn has_room(&self) -> bool {
        self.registers.read(TRANSMIT_FIFO) & 0xffff >= FRAME as u32 + 8 + 4
    }

    /// Copies the next frame into `frame` and gives its length. One that is damaged or too long is thrown away.
    pub(crate) fn receive(&mut self, frame: &mut [u8; FRAME]) -> Option<usize> {
        while self.registers.read(RECEIVE_FIFO) >> 16 & 0xff != 0 {
            let status = self.registers.read(RECEIVE_STATUS);
            // With the check sequence, four octets.
            let received = (status >> 16 & 0x3fff) as usize;
            let mut words = received.div_ceil(4);
            let into = frame.get_mut(..received.saturating_sub(4)).filter(|_| status & ERROR_SUMMARY == 0);
            if into.is_none() && words >= 4 {
                self.registers.write(RECEIVE_CONTROL, FAST_FORWARD);
                let _ = wait(|| self.registers.read(RECEIVE_CONTROL) & FAST_FORWARD == 0);
                continue;
            }
            let length = into.as_ref().map(|into| into.len());
            for chunk in into.into_iter().flat_map(|into| into.chunks_mut(4)) {
                let word = self.registers.read(RECEIVE_DATA).to_le_bytes();
                chunk.iter_mut().zip(word).for_each(|(octet, read)| *octet = read);
                words -= 1;
            }
            for _ in 0..words {
                self.registers.read(RECEIVE_DATA);
            }
            if length.is_some() {
                return length;
            }
        }
        None
    }

    /// Sends one frame; there has to be [room](Self::has_room).
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let length = frame.len() as u32 & 0x7ff;
        self.registers.write(TRANSMIT_DATA, FIRST_SEGMENT | LAST_SEGMENT | length);
        self.registers.write(TRANSMIT_DATA, length);
        for chunk in frame.chunks(4) {
            let mut word = [0; 4];
            word.iter_mut().zip(chunk).for_each(|(octet, given)| *octet = *given);
            self.registers.write(TRANSMIT_DATA, u32::from_le_bytes(word));
        }
        // How it went is not looked at, but the FIFO of it must not fill.
        while self.registers.read(TRANSMIT_FIFO) >> 16 & 0xff != 0 {
            self.registers.read(TRANSMIT_STATUS);
        }
    }
}

impl Link {
    /// Whether the cable is plugged in; `None` when the chip does not tell.
    pub(crate) fn is_up(&mut self) -> Option<bool> {
        mac_write(&mut self.registers, MII_ACCESS, PHY | PHY_BASIC_STATUS | MII_BUSY).ok()?;
        for _ in 0..PATIENCE {
            if mac_read(&mut self.registers, MII_ACCESS).ok()? & MII_BUSY == 0 {
                return Some(mac_read(&mut self.registers, MII_DATA).ok()? & LINK_UP != 0);
            }
        }
        None
    }
}
