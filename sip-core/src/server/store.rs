//! REGISTER where what it changes is stored before it is answered: nobody is told of a binding that a restart would not find.
//!
//! ```text
//!            Event::Store(pending)     the request is proven, and nothing has changed
//! application: write_record ──> before     what to go back to
//!              bind(pending)           the bindings change; no answer leaves
//!              write_record ──> after      to the store
//!              stored(pending, Done)   ──> 200
//!              stored(pending, Failed) ──> 503, and the bindings are those of before
//! ```
//! Several may be bound before all of them are stored at once. No other input comes between the record of before and the answer.

use super::event::{Event, Why};
use super::register::LONGEST_DOMAIN;
use super::route::Asked;
use super::{Directory, Server};
use crate::digest::NonceOrder;
use crate::error::Error;
use crate::guard;
use crate::message::{Message, Writer};
use crate::proxy::{self, Request};
use crate::registrar::{self, Aor, BindingsRef, Refusal};
use crate::time::Instant;

/// A REGISTER that waits to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pending {
    request: Request,
    order: NonceOrder,
}

impl Pending {
    pub(super) const fn new(request: Request, order: NonceOrder) -> Self {
        Self { request, order }
    }

    /// The request: its octets are [`Proxy::request_bytes`](proxy::Proxy::request_bytes).
    #[must_use]
    pub const fn request(self) -> Request {
        self.request
    }
}

/// What became of a change in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'r> {
    /// It would be found after a restart.
    Done,
    /// It would not; this is the record of before it.
    Failed(&'r [u8]),
}

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory, U: Directory> Server<P, R, G, U> {
    /// Writes the address of record of a REGISTER in the form in which it is kept, the key of its record.
    pub fn write_aor(&self, register: &Message<'_>, w: &mut Writer<'_>) {
        if let Some(aor) = self.registered(register, &mut heapless::Vec::new()) {
            aor.write(w);
        }
    }

    /// Writes the record of the address of record of a REGISTER, as its bindings are now; nothing when there are none.
    pub fn write_record(&self, now: Instant, register: &Message<'_>, w: &mut Writer<'_>) {
        let mut domain = heapless::Vec::new();
        let Some(aor) = self.registered(register, &mut domain) else { return };
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        if let Some(first) = view.find(&aor).first() {
            view.write_record(now, *first, w);
        }
    }

    /// Does what a pending REGISTER asks for, and leaves its answer to [`stored`](Self::stored). Gives the event of a refusal, which
    /// is sent and has changed nothing: others may have come in between.
    ///
    /// # Errors
    /// [`Error::Gone`] when nobody waits for its answer any more; nothing has changed.
    pub fn bind(&mut self, now: Instant, pending: Pending, register: &Message<'_>) -> Result<Option<Event>, Error> {
        let asked = self.pending(now, pending, register)?;
        let mut domain = heapless::Vec::new();
        let aor = self.registered(register, &mut domain).ok_or(Error::Gone)?;
        let done =
            self.with_register(&asked, pending.order, |bindings, register| bindings.register(now, &aor, register));
        Ok(done.err().and_then(|refusal| self.refuse_registration(&asked, refusal)))
    }

    /// Answers a REGISTER that was [bound](Self::bind): 200 when that was stored; otherwise 503, and the bindings become what
    /// they were. Gives the event that this causes.
    ///
    /// # Errors
    /// [`Error::Gone`] when nobody waits for its answer any more; the bindings are what they would be with an answer.
    pub fn stored(
        &mut self,
        now: Instant,
        pending: Pending,
        register: &Message<'_>,
        outcome: Stored<'_>,
    ) -> Result<Option<Event>, Error> {
        let mut domain = heapless::Vec::new();
        let aor = self.registered(register, &mut domain).ok_or(Error::Gone)?;
        if let Stored::Failed(before) = outcome {
            self.registrar().restore(now, &aor, before);
        }
        let asked = self.pending(now, pending, register)?;
        Ok(match outcome {
            Stored::Done => self.accept(&asked, &aor),
            Stored::Failed(_) => self
                .refuse_registration(&asked, Refusal::Full)
                .map(|_| Event::Refused { status: 503, why: Why::NotStored }),
        })
    }

    /// The address of record of a REGISTER in the form in which it is kept; the text of its domain is copied to `domain`.
    fn registered<'m>(
        &self,
        register: &Message<'m>,
        domain: &'m mut heapless::Vec<u8, LONGEST_DOMAIN>,
    ) -> Option<Aor<'m>> {
        self.aor_of(&register.to().uri().ok()?, domain)
    }

    fn pending<'m, 'a>(
        &self,
        now: Instant,
        pending: Pending,
        message: &'m Message<'a>,
    ) -> Result<Asked<'m, 'a>, Error> {
        let request = pending.request;
        let flow = self.proxy.source(request).ok_or(Error::Gone)?;
        Ok(Asked { now, flow, message, request, why: proxy::Why::Own, secrets: None })
    }
}
