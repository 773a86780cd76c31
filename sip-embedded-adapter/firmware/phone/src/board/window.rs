//! Device registers in memory.

use core::ptr::with_exposed_provenance_mut;

/// The registers of one device, 32 bits each, in `LENGTH` octets from its base.
pub(crate) struct Window<const LENGTH: usize> {
    base: usize,
}

impl<const LENGTH: usize> Window<LENGTH> {
    /// The window at `base`.
    ///
    /// # Safety
    /// A device's registers fill the window, reading and writing them breaks no memory, and nobody else uses them.
    pub(super) const unsafe fn new(base: usize) -> Self {
        Self { base }
    }

    /// A second owner of the same registers.
    ///
    /// # Safety
    /// The two owners use different registers, or never at the same time.
    pub(super) const unsafe fn split(&self) -> Self {
        Self { base: self.base }
    }

    fn register(&self, offset: usize) -> *mut u32 {
        assert!(offset < LENGTH && offset.is_multiple_of(4));
        with_exposed_provenance_mut(self.base + offset)
    }

    /// Reads the register at `offset`.
    #[inline]
    pub(super) fn read(&self, offset: usize) -> u32 {
        // SAFETY: it lies in the window, which is a device's by the promise made to `new`.
        unsafe { self.register(offset).read_volatile() }
    }

    /// Writes the register at `offset`.
    #[inline]
    pub(super) fn write(&mut self, offset: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { self.register(offset).write_volatile(value) }
    }
}
