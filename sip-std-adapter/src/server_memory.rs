//! What a server has on the heap beside its proxy's memory: bindings and their texts, nonces and lock-outs.

use crate::memory::{Boxes, Entries, ProxyMemory, entries};
use sip_core::guard::{self, Bucket, Nonce, Nonces};
use sip_core::memory::{Table, TableRef};
use sip_core::registrar::{self, Binding};
use sip_core::server::Server;

/// Octets of texts that [`RegistrarMemory`] allows for each binding.
const TEXTS_PER_BINDING: usize = 512;

/// A server over memory on the heap, with its users.
pub type HeapServer<U> = Server<ProxyMemory, RegistrarMemory, GuardMemory, U>;

/// A registrar's memory on the heap: so many bindings, allocated once, and octets for their texts as they come and go.
#[derive(Debug)]
pub struct RegistrarMemory {
    bindings: Entries<Binding>,
    octets: Boxes,
}

impl RegistrarMemory {
    /// Room for 10,000 bindings.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(10_000)
    }

    /// Room for so many bindings, and for 512 octets of texts for each.
    #[must_use]
    pub fn with_capacity(bindings: usize) -> Self {
        let limit = bindings.saturating_mul(TEXTS_PER_BINDING).saturating_add(65_535);
        Self { bindings: entries(bindings), octets: Boxes::new(limit) }
    }
}

impl Default for RegistrarMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl registrar::Memory for RegistrarMemory {
    type Octets = Boxes;

    fn parts(&mut self) -> (Table<'_, Binding>, &mut Boxes) {
        (self.bindings.table(), &mut self.octets)
    }

    fn view(&self) -> (TableRef<'_, Binding>, &Boxes) {
        (self.bindings.view(), &self.octets)
    }
}

/// A guard's memory on the heap: nonces that were used, and sources and users with wrong digests.
#[derive(Debug)]
pub struct GuardMemory {
    nonces: Entries<Nonce>,
    buckets: Vec<Bucket>,
}

impl GuardMemory {
    /// Room for 16,384 nonces and as many lock-outs.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(16_384, 16_384)
    }

    /// Room for so many nonces, each in use for five minutes, and so many lock-outs.
    #[must_use]
    pub fn with_capacity(nonces: usize, buckets: usize) -> Self {
        Self { nonces: entries(nonces), buckets: vec![Bucket::ZERO; buckets] }
    }
}

impl Default for GuardMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl guard::Memory for GuardMemory {
    fn parts(&mut self) -> Nonces<'_> {
        Nonces { table: self.nonces.table(), buckets: &mut self.buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::Memory as _;
    use registrar::Memory as _;
    use sip_core::memory::Octets as _;

    #[test]
    fn the_heap_lends_as_many_entries_as_were_asked_for() {
        let mut bindings = RegistrarMemory::with_capacity(3);
        assert_eq!((bindings.view().0.free(), bindings.parts().1.free()), (3, 3 * 512 + 65_535));
        let mut guard = GuardMemory::with_capacity(5, 7);
        let parts = guard.parts();
        assert_eq!((parts.table.free(), parts.buckets.len()), (5, 7));
    }
}
