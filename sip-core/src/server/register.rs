//! REGISTER (RFC 3261 §10.3).

use super::event::{Event, Why};
use super::route::{Asked, SUPPORTED, refused};
use super::store::Pending;
use super::{Directory, Server};
use crate::digest::NonceOrder;
use crate::guard;
use crate::message::option_tags::unsupported;
use crate::message::{HeaderName, Host, Uri};
use crate::proxy;
use crate::registrar::{self, Aor, Bindings, BindingsRef, Refusal, Register};

/// The longest name of a domain (RFC 1035 §2.3.4).
pub(super) const LONGEST_DOMAIN: usize = 255;

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory, U: Directory> Server<P, R, G, U> {
    /// A REGISTER for one of the domains: the steps of §10.3 in their order.
    pub(super) fn register(&mut self, asked: &Asked<'_, '_>) -> Option<Event> {
        let message = asked.message;
        // Step 2.
        if unsupported(message.require(), SUPPORTED).next().is_some() {
            return self.refuse_extension(asked);
        }
        // Steps 3 and 4: who it is, and whether that one may speak for the address of record: nobody else but its user may.
        let mut order = NonceOrder::ZERO;
        let to = message.to().uri().ok().filter(|to| self.proxy.is_own(to));
        let mut domain = heapless::Vec::<u8, LONGEST_DOMAIN>::new();
        let aor = to.as_ref().and_then(|to| self.aor_of(to, &mut domain));
        if self.settings.challenge_registrations {
            match self.prove(asked, false) {
                Ok(proven) => {
                    order = proven.order;
                    if aor.as_ref().is_some_and(|aor| aor.user() != proven.user) {
                        return Self::refuse(&mut self.proxy, asked, 403, Why::Forbidden);
                    }
                }
                Err(event) => return event,
            }
        }
        // Step 5.
        let Some(aor) = aor else { return Self::refuse(&mut self.proxy, asked, 404, Why::NotFound) };
        // Steps 6 and 7.
        if self.settings.store {
            match self
                .with_register(asked, order, |bindings, register| bindings.would_change(asked.now, &aor, register))
            {
                Ok(true) => return Some(Event::Store(Pending::new(asked.request, order))),
                Ok(false) => {}
                Err(refusal) => return self.refuse_registration(asked, refusal),
            }
        }
        match self.with_register(asked, order, |bindings, register| bindings.register(asked.now, &aor, register)) {
            Ok(()) => self.accept(asked, &aor),
            Err(refusal) => self.refuse_registration(asked, refusal),
        }
    }

    /// Shows the bindings a REGISTER of this order.
    pub(super) fn with_register<T>(
        &mut self,
        asked: &Asked<'_, '_>,
        order: NonceOrder,
        act: impl FnOnce(&mut Bindings<'_, R::Octets>, &Register<'_, '_>) -> T,
    ) -> T {
        let proxy = &self.proxy;
        let own = |uri: &Uri<'_>| proxy.is_own(uri);
        let register = Register { request: asked.message, flow: asked.flow, order, own: &own };
        let (table, octets) = self.bindings.parts();
        act(&mut Bindings::new(&mut self.registrar, table, octets), &register)
    }

    /// The address of record of a URI, its domain copied, for the bindings are changed while it is read.
    pub(super) fn aor_of<'u>(
        &self,
        uri: &Uri<'u>,
        domain: &'u mut heapless::Vec<u8, LONGEST_DOMAIN>,
    ) -> Option<Aor<'u>> {
        let (_, octets) = self.bindings.view();
        let aor = Aor::of(uri)?;
        let Some(own) = self.settings.texts(octets).domain(uri) else { return Some(aor) };
        domain.extend_from_slice(own.as_bytes()).ok()?;
        Host::parse(domain).ok().map(|domain| aor.within(domain))
    }

    /// Step 8: the bindings, after they are stored.
    pub(super) fn accept(&mut self, asked: &Asked<'_, '_>, aor: &Aor<'_>) -> Option<Event> {
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let service_route = self.settings.texts(octets).service_route;
        let done = self.proxy.respond_with(asked.now, asked.request, 200, &|w| {
            view.write_accepted(asked.now, w, asked.message, aor);
            if !service_route.is_empty() {
                w.header(HeaderName::ServiceRoute, service_route);
            }
            w.finish_without_body();
        });
        // What is bound is bound; the client asks again.
        let event = self.registrar().poll_event().map(Event::Binding);
        if done.is_ok() { event } else { event.or(Some(Event::Refused { status: 503, why: Why::Full })) }
    }

    pub(super) fn refuse_registration(&mut self, asked: &Asked<'_, '_>, refusal: Refusal) -> Option<Event> {
        let status = refusal.status();
        let done = self.proxy.refuse_with(asked.now, asked.request, status, &|w| {
            match refusal {
                Refusal::TooBrief(min) => w.header_number(HeaderName::MinExpires, u64::from(min)),
                Refusal::NoPathSupport => w.header(HeaderName::Require, b"path"),
                Refusal::Full => w.header_number(HeaderName::RetryAfter, 30),
                _ => {}
            }
            w.finish_without_body();
        });
        refused(&done, status, Why::Registrar(refusal))
    }

    /// 420 with what is not known (§8.2.2.3).
    fn refuse_extension(&mut self, asked: &Asked<'_, '_>) -> Option<Event> {
        let done = self.proxy.refuse_with(asked.now, asked.request, 420, &|w| {
            for tag in unsupported(asked.message.require(), SUPPORTED) {
                w.header(HeaderName::Unsupported, tag);
            }
            w.finish_without_body();
        });
        refused(&done, 420, Why::Extension)
    }
}
