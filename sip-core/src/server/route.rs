//! Where a request goes that the proxy asks about.

use super::config::Texts;
use super::event::{Event, Why};
use super::{Directory, Relay, Server};
use crate::digest::NonceOrder;
use crate::error::Error;
use crate::guard::{self, Secrets, Sender, Verdict, claim};
use crate::memory::Octets;
use crate::message::{HeaderName, Message, Method, Uri};
use crate::proxy::{self, Proxy, Request, Target};
use crate::registrar::{self, Aor, BindingsRef, MOST_CONTACTS};
use crate::time::Instant;
use crate::transport::Flow;

/// What the server itself takes.
pub(super) const ALLOW: &[u8] = b"OPTIONS, REGISTER";

/// The option tags that it knows.
pub(super) const SUPPORTED: &[u8] = b"path, outbound";

/// A request that the proxy asks about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'m, 'a> {
    pub(super) now: Instant,
    pub(super) flow: Flow,
    pub(super) message: &'m Message<'a>,
    pub(super) request: Request,
    pub(super) why: proxy::Why,
    /// What the application knows of the user, when it was asked.
    pub(super) secrets: Option<Option<&'m Secrets<'m>>>,
}

/// Who has been proven.
pub(super) struct Proven<'a> {
    pub(super) user: &'a [u8],
    pub(super) order: NonceOrder,
}

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory, U: Directory> Server<P, R, G, U> {
    /// Says where a request goes.
    pub(super) fn route(&mut self, asked: &Asked<'_, '_>) -> Option<Event> {
        let message = asked.message;
        let uri = self.proxy.routed_uri(message);
        let Some(uri) = uri.filter(|_| asked.why == proxy::Why::Own) else { return self.pass(asked) };
        if message.method() == Method::Register {
            return self.register(asked);
        }
        if message.method() == Method::Ack {
            return self.acknowledge(asked, &uri);
        }
        if uri.is_sip() && uri.user().is_none_or(<[u8]>::is_empty) {
            return self.answer(asked);
        }
        // A To tag proves nothing: what comes inside a dialog goes by its Route, or is proven as what begins one is.
        let mut proven = false;
        if self.settings.challenge_requests && self.is_ours(message) {
            match self.prove(asked, true) {
                Ok(user) if self.speaks_for(message, &user) => proven = true,
                Ok(_) => return Self::refuse(&mut self.proxy, asked, 403, Why::Forbidden),
                Err(event) => return event,
            }
        }
        self.forward(asked, &uri, proven)
    }

    /// A request for another domain, which only passes.
    fn pass(&mut self, asked: &Asked<'_, '_>) -> Option<Event> {
        if asked.message.method() == Method::Ack {
            // It is never answered, and a stranger's leads nowhere.
            let everybody = self.settings.relay == Relay::Everybody;
            if !everybody || self.proxy.proceed(asked.now, asked.request, Some(asked.message)).is_err() {
                let _ = self.proxy.cancel(asked.now, asked.request);
            }
            return None;
        }
        if let Err(event) = self.may_relay(asked) {
            return event;
        }
        let done = self.proxy.proceed(asked.now, asked.request, Some(asked.message));
        Self::told_or_full(&mut self.proxy, asked, done, Event::Forwarded { request: asked.request, targets: 1 })
    }

    /// Whether a request may leave for where no user of ours is; it is answered when it may not.
    fn may_relay(&mut self, asked: &Asked<'_, '_>) -> Result<(), Option<Event>> {
        let allowed = match self.settings.relay {
            Relay::Everybody => true,
            Relay::Nobody => return Err(Self::refuse(&mut self.proxy, asked, 403, Why::NotRelayed)),
            Relay::Users => {
                let proven = self.prove(asked, true)?;
                self.speaks_for(asked.message, &proven)
            }
        };
        if allowed { Ok(()) } else { Err(Self::refuse(&mut self.proxy, asked, 403, Why::Forbidden)) }
    }

    /// The ACK to a 2xx whose way no Route tells: to the first who is registered, or nowhere. It is never answered.
    fn acknowledge(&mut self, asked: &Asked<'_, '_>, uri: &Uri<'_>) -> Option<Event> {
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let aor = self.settings.texts(octets).aor(uri);
        let first = aor.and_then(|aor| view.find(&aor).first().copied()).and_then(|id| view.info(id));
        let sent = first.is_some_and(|info| {
            let target = Target::new(info.contact).with_route(info.path).with_flow(info.flow);
            self.proxy.forward(asked.now, asked.request, &[target], Some(asked.message)).is_ok()
        });
        if !sent {
            let _ = self.proxy.cancel(asked.now, asked.request);
        }
        None
    }

    /// A request for the server itself (RFC 3261 §11.2).
    fn answer(&mut self, asked: &Asked<'_, '_>) -> Option<Event> {
        let status = if asked.message.method() == Method::Options { 200 } else { 405 };
        // Nothing stays behind: a stranger may ask as often as he likes.
        let done = self.proxy.refuse_with(asked.now, asked.request, status, &|w| {
            w.header(HeaderName::Allow, ALLOW);
            w.header(HeaderName::Supported, SUPPORTED);
            w.finish_without_body();
        });
        if status == 200 && done.is_ok() { None } else { refused(&done, status, Why::Method) }
    }

    /// A request for a user of one of the domains.
    fn forward(&mut self, asked: &Asked<'_, '_>, uri: &Uri<'_>, proven: bool) -> Option<Event> {
        let redirected = self.users.redirect(uri);
        if !redirected.is_empty() {
            let done = self.proxy.redirect(asked.now, asked.request, redirected);
            return Self::told_or_full(&mut self.proxy, asked, done, Event::Redirected);
        }
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let texts = self.settings.texts(octets);
        let aor = texts.aor(uri);
        let targets = aor.as_ref().map(|aor| targets(view, aor, uri)).unwrap_or_default();
        if targets.is_empty() {
            let realm = texts.realm_of(Some(uri));
            let is_known = |user: &[u8]| self.users.user(realm, user).is_some() || self.users.asks(realm, user);
            let known = aor.is_some_and(|aor| is_known(aor.user()));
            if known {
                return Self::refuse(&mut self.proxy, asked, 480, Why::NotRegistered);
            }
            if texts.default_route.is_empty() {
                return Self::refuse(&mut self.proxy, asked, 404, Why::NotFound);
            }
            drop(targets);
            return self.leave(asked, uri, proven);
        }
        if self.settings.redirect {
            let done = self.proxy.redirect(asked.now, asked.request, &targets);
            return Self::told_or_full(&mut self.proxy, asked, done, Event::Redirected);
        }
        Self::send(&mut self.proxy, asked, &targets)
    }

    /// A request for nobody here, by the default route: a gateway is for those who may relay.
    fn leave(&mut self, asked: &Asked<'_, '_>, uri: &Uri<'_>, proven: bool) -> Option<Event> {
        if !proven && let Err(event) = self.may_relay(asked) {
            return event;
        }
        let (_, octets) = self.bindings.view();
        let target = Target::new(uri.raw()).with_route(self.settings.texts(octets).default_route);
        Self::send(&mut self.proxy, asked, &[target])
    }

    /// Whether a request says to come from a user of one of the domains.
    fn is_ours(&self, message: &Message<'_>) -> bool {
        message.from().uri().is_ok_and(|from| self.proxy.is_own(&from))
    }

    /// Whether a request says to come from the user who was proven: by the realm of the domain that its From names.
    fn speaks_for(&self, message: &Message<'_>, proven: &Proven<'_>) -> bool {
        let from = message.from();
        let Ok(uri) = from.uri() else { return false };
        self.proxy.is_own(&uri) && Aor::of(&uri).is_some_and(|aor| aor.user() == proven.user)
    }

    /// Finds out who has sent a request, as a proxy (407) or as a registrar (401); the request is answered when that is not known.
    pub(super) fn prove<'a>(&mut self, asked: &Asked<'_, 'a>, proxy: bool) -> Result<Proven<'a>, Option<Event>> {
        let (table, octets) = self.bindings.view();
        let view = BindingsRef::new(&self.registrar, table, octets);
        let texts = self.settings.texts(octets);
        let speaker = if proxy { asked.message.from() } else { asked.message.to() };
        let speaker = speaker.uri().ok();
        let realm = texts.realm_of(speaker.as_ref());
        let claimed = claim(asked.message, realm, proxy);
        let verdict = match &claimed {
            None => Verdict::Challenge { stale: false },
            Some(claimed) => {
                if asked.secrets.is_none() && self.users.asks(realm, claimed.username) {
                    return Err(Some(Event::Credentials { request: asked.request }));
                }
                let secrets = match asked.secrets {
                    Some(told) => told.copied(),
                    None => self.users.user(realm, claimed.username),
                };
                let nonces = &mut self.nonces.parts();
                let is_known = || {
                    // The user of the credentials, and nobody who speaks for another.
                    let aor = speaker.as_ref().and_then(|uri| texts.aor(uri));
                    is_registered_at(view, aor.filter(|aor| aor.user() == claimed.username), asked.flow)
                };
                let sender = Sender { address: asked.flow.remote, is_known: &is_known };
                self.guard.verify(asked.now, nonces, asked.message, sender, claimed, secrets.as_ref())
            }
        };
        let (why, stale) = match (verdict, claimed) {
            (Verdict::Good(order), Some(claimed)) => return Ok(Proven { user: claimed.username, order }),
            (Verdict::Challenge { stale }, _) => (Why::Challenged, stale),
            (Verdict::Wrong, _) => (Why::WrongDigest, false),
            (Verdict::Locked, _) => return Err(Self::refuse(&mut self.proxy, asked, 403, Why::LockedOut)),
            (Verdict::Misdirected, _) => return Err(Self::refuse(&mut self.proxy, asked, 400, Why::Misdirected)),
            (Verdict::Unknown | Verdict::Good(_), _) => (Why::UnknownUser, false),
        };
        let challenge = self.guard.challenge(asked.now, asked.flow.remote, realm, proxy, stale);
        let status = challenge.status();
        let done = self.proxy.refuse_with(asked.now, asked.request, status, &|w| {
            challenge.write(w, realm);
            w.finish_without_body();
        });
        Err(refused(&done, status, why))
    }

    /// Forwards a request to these targets.
    fn send(proxy: &mut Proxy<P>, asked: &Asked<'_, '_>, targets: &[Target<'_>]) -> Option<Event> {
        let done = proxy.forward(asked.now, asked.request, targets, Some(asked.message));
        let event = Event::Forwarded { request: asked.request, targets: targets.len() as u8 };
        Self::told_or_full(proxy, asked, done, event)
    }

    /// What is told of a request that was answered; where there was no room for that, it is refused.
    fn told_or_full(
        proxy: &mut Proxy<P>,
        asked: &Asked<'_, '_>,
        done: Result<(), Error>,
        event: Event,
    ) -> Option<Event> {
        if done.is_ok() { Some(event) } else { Self::refuse(proxy, asked, 503, Why::Full) }
    }

    /// Refuses a request with nothing but a status.
    pub(super) fn refuse(proxy: &mut Proxy<P>, asked: &Asked<'_, '_>, status: u16, why: Why) -> Option<Event> {
        let done = proxy.refuse(asked.now, asked.request, status, &[]);
        refused(&done, status, why)
    }
}

/// What is told of a request that was refused, or, without room for that, with 503.
pub(super) fn refused(done: &Result<(), Error>, status: u16, why: Why) -> Option<Event> {
    Some(match done {
        Err(Error::Capacity(_)) => Event::Refused { status: 503, why: Why::Full },
        _ => Event::Refused { status, why },
    })
}

/// Where one is to be asked for instead to whom a 3xx redirects, for [`Lookup`](crate::proxy::Lookup). A user of ours is looked up here,
/// and nobody is asked for at a gateway, which would be at the expense of who did not call there.
pub(super) fn look_up<O: Octets>(
    (view, texts): (BindingsRef<'_, O>, &Texts<'_>),
    users: &impl Directory,
    relay: Relay,
    (uri, own): (&Uri<'_>, bool),
    give: &mut dyn FnMut(&Target<'_>),
) -> bool {
    if !own {
        return relay == Relay::Nobody;
    }
    let redirected = users.redirect(uri);
    if redirected.is_empty() {
        let aor = texts.aor(uri);
        aor.as_ref().map(|aor| targets(view, aor, uri)).unwrap_or_default().iter().for_each(give);
    } else {
        redirected.iter().for_each(give);
    }
    true
}

/// Whether somebody is registered at the address of a peer.
fn is_registered_at<O: Octets>(view: BindingsRef<'_, O>, aor: Option<Aor<'_>>, peer: Flow) -> bool {
    let here = |info: registrar::BindingInfo<'_>| info.flow.remote.ip() == peer.remote.ip();
    aor.is_some_and(|aor| view.find(&aor).into_iter().filter_map(|id| view.info(id)).any(here))
}

/// The targets of a request for an address of record: each who is registered there, by the Path and the flow. A `sips` URI is for those
/// only who have a `sips` contact (RFC 3261 §26.4.4), and of an instance with more flows than one the flow that is tried first.
fn targets<'b, O: Octets>(
    view: BindingsRef<'b, O>,
    aor: &Aor<'_>,
    uri: &Uri<'_>,
) -> heapless::Vec<Target<'b>, MOST_CONTACTS> {
    let secure = uri.is_sips();
    let mut targets = heapless::Vec::new();
    let mut instances = heapless::Vec::<&[u8], MOST_CONTACTS>::new();
    for info in view.find(aor).into_iter().filter_map(|id| view.info(id)) {
        let contact = Uri::parse(info.contact).ok().filter(Uri::is_sip);
        let usable = contact.is_some_and(|contact| !secure || contact.is_sips());
        if !usable || info.reg_id != 0 && instances.contains(&info.instance) {
            continue;
        }
        if info.reg_id != 0 {
            let _ = instances.push(info.instance);
        }
        let _ = targets.push(Target::new(info.contact).with_q(info.q).with_route(info.path).with_flow(info.flow));
    }
    targets
}
