//! The two roles that are hubs, and what their application does.

use super::Told;
use super::script::HUB;
use sip_core::guard::{self, Secrets};
use sip_core::message::{Message, Writer};
use sip_core::proxy::{self, Ask, Occupancy, Proxy, Request, Target};
use sip_core::registrar;
use sip_core::role::Role;
use sip_core::server::{self, Directory, Server};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};

/// A role that passes requests on, with the application that it asks.
pub(super) trait Hub: Role {
    /// Its application hears of something; `message` caused it, if one did.
    fn heard(&mut self, told: &mut Told, now: Instant, event: Self::Event, message: Option<&Message<'_>>);
    /// Its application answers the last question, or changes something.
    fn decide(&mut self, told: &mut Told, now: Instant, what: u8, message: Option<&Message<'_>>);
    /// What is held.
    fn held(&self) -> Occupancy;
    /// Whether a request may have gone without a transaction.
    fn has_let_pass(&self) -> bool;
}

const PARALLEL: [Target<'static>; 2] =
    [Target::new(b"sip:bob@192.0.2.10"), Target::new(b"sip:bob@192.0.2.11").with_route(b"<sip:192.0.2.4;lr>")];
const SERIAL: [Target<'static>; 3] = [
    Target::new(b"sip:bob@192.0.2.10").with_q(900),
    Target::new(b"sip:bob@example.net").with_q(500),
    Target::new(b"sip:bob@192.0.2.12;transport=tcp").with_q(100),
];
const ODD: [Target<'static>; 3] =
    [Target::new(b"sip:alice@example.com"), Target::new(b"sips:bob@192.0.2.10"), Target::new(b"tel:+1")];

/// One of the many answers to "where to?".
fn answer<M: proxy::Memory>(
    hub: &mut Proxy<M>,
    told: &mut Told,
    now: Instant,
    what: u8,
    request: Request,
    message: Option<&Message<'_>>,
) {
    let flow = [Target::new(b"sip:bob@192.0.2.10").with_flow(super::script::peer(13))];
    let taken = match what % 13 {
        1 | 2 => hub.forward(now, request, &PARALLEL, message),
        3 => hub.forward(now, request, &SERIAL, message),
        4 => hub.forward(now, request, &flow, message),
        5 => hub.forward(now, request, &ODD, message),
        6 => hub.redirect(now, request, &PARALLEL),
        7 => hub.refuse(now, request, 404, &[]),
        8 => hub.respond(now, request, 200, &[]),
        9 => hub.respond(now, request, 180, &[]),
        10 => hub.proceed(now, request, message),
        11 => {
            told.let_pass = true;
            hub.stateless(now, request, &PARALLEL[0], message)
        }
        _ => hub.cancel(now, request),
    };
    // What could not be done leaves the question; what went without a transaction is over.
    if hub.source(request).is_none() {
    } else if taken.is_err() || what % 13 == 9 {
        told.asked.push(request);
    } else if matches!(what % 13, 1..=5 | 10) {
        told.searched.push(request);
    }
}

impl<M: proxy::Memory> Hub for Proxy<M> {
    fn heard(&mut self, told: &mut Told, now: Instant, event: proxy::Event, message: Option<&Message<'_>>) {
        match event {
            proxy::Event::Request { request, .. } => {
                assert!(!told.asked.contains(&request), "asked about twice");
                told.asked.push(request);
                if told.policy != 0 {
                    self.decide(told, now, told.policy, message);
                }
            }
            proxy::Event::Cancelled { request } => told.asked.retain(|one| *one != request),
            proxy::Event::Finished { request, .. } => {
                told.asked.retain(|one| *one != request);
                told.searched.retain(|one| *one != request);
            }
            // Each kind has a row here, so that none of them is missed.
            other => panic!("{other:?} is not known here"),
        }
    }

    fn decide(&mut self, told: &mut Told, now: Instant, what: u8, message: Option<&Message<'_>>) {
        if message.is_none() && what >= 200 {
            // It changes its mind about a search.
            let Some(request) = told.searched.last().copied() else { return };
            let branch = self.branches(request).next();
            match (what % 3, branch) {
                (0, _) => _ = self.add_targets(now, request, &SERIAL),
                (1, Some(branch)) => _ = self.cancel_branch(now, branch),
                _ => _ = self.cancel(now, request),
            }
        } else if let Some(request) = told.asked.pop() {
            answer(self, told, now, what, request, message);
        }
    }

    fn held(&self) -> Occupancy {
        self.occupancy()
    }

    fn has_let_pass(&self) -> bool {
        self.statistics().stateless > 0
    }
}

/// The users: of one of them the application is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users;

fn secrets(user: &[u8]) -> Option<Secrets<'static>> {
    let password: &[u8] = match user {
        b"alice" => b"wonderland",
        b"bob" => b"zanzibar",
        b"dave" => b"x",
        _ => return None,
    };
    Some(Secrets { password: Some(password), ..Secrets::default() })
}

impl Directory for Users {
    fn user(&self, _: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        secrets(user).filter(|_| user != b"dave")
    }

    fn asks(&self, _: &[u8], user: &[u8]) -> bool {
        user == b"dave"
    }
}

impl<P: proxy::Memory, R: registrar::Memory, G: guard::Memory> Hub for Server<P, R, G, Users> {
    fn heard(&mut self, told: &mut Told, now: Instant, event: server::Event, message: Option<&Message<'_>>) {
        match event {
            server::Event::Credentials { request } => {
                told.asked.push(request);
                if told.policy != 0 {
                    self.decide(told, now, told.policy, message);
                }
            }
            server::Event::Binding(event) => {
                let binding = self.binding(event.binding).expect("a binding that is told of");
                let (mut room, aor) = (vec![0; 8192], binding.aor.to_vec());
                let mut w = Writer::new(&mut room);
                self.bindings().write_record(now, event.binding, &mut w);
                let length = w.finish().expect("room for a record");
                room.truncate(length);
                told.records.insert(aor, room);
            }
            server::Event::Finished { request, .. } => told.asked.retain(|one| *one != request),
            server::Event::Proxy(proxy::Event::Cancelled { request }) => told.asked.retain(|one| *one != request),
            server::Event::Forwarded { .. }
            | server::Event::Redirected
            | server::Event::Refused { .. }
            | server::Event::Proxy(_) => {}
            // Each kind has a row here, so that none of them is missed.
            other => panic!("{other:?} is not known here"),
        }
    }

    fn decide(&mut self, told: &mut Told, now: Instant, what: u8, message: Option<&Message<'_>>) {
        if let Some(request) = told.asked.pop() {
            let octets = self.proxy().request_bytes(request).to_vec();
            let (kept, known) = (Message::parse(&octets), secrets(b"dave").filter(|_| !what.is_multiple_of(4)));
            let Some(message) = message.or(kept.as_ref().ok()) else { return };
            if let Ok(Some(event)) = self.credentials(now, request, message, known.as_ref()) {
                self.heard(told, now, event, None);
            }
        } else if what.is_multiple_of(4) {
            let first = self.bindings().iter().next().map(|(id, _)| id);
            first.into_iter().for_each(|id| self.remove_binding(id));
        } else if what % 4 == 1 {
            for record in told.records.values().filter(|record| !record.is_empty()) {
                let _ = self.load(now, record);
            }
        }
    }

    fn held(&self) -> Occupancy {
        let mut held = self.proxy().occupancy();
        // What is bound ends too, in its time.
        held.contexts += self.bindings().len();
        held
    }

    fn has_let_pass(&self) -> bool {
        self.proxy().statistics().stateless > 0
    }
}

/// A proxy of so much memory.
pub(super) fn proxy<M: proxy::Memory>(memory: M, stateless: bool, more: bool) -> Proxy<M> {
    let mut hub = Proxy::new(memory);
    let config = proxy::Config::new(&[HUB, "192.0.2.6:5080"])
        .with_domains(&["example.com"])
        .with_recurse(more)
        .with_ask(if more { Ask::OutOfDialog } else { Ask::Own })
        .with_stateless(stateless);
    hub.start(&config, [7; 16]).expect("a configuration that can be used");
    hub
}

/// A server of little memory.
pub(super) fn server(more: bool) -> impl Hub {
    let mut hub = Server::new(
        proxy::Arrays::<16, 6, 8, 16_384>::new(),
        registrar::Arrays::<6, 2048>::new(),
        guard::Arrays::<4, 4>::new(),
        Users,
    );
    let mut config = server::Config::new(&[HUB], &["example.com", "example.org"], b"a secret of these properties");
    config.redirect = more;
    config.default_route = if more { "<sip:192.0.2.20;lr>" } else { "" };
    config.proxy.recurse = more;
    hub.start(Instant::from_millis(1000), &config, [7; 16]).expect("a configuration that can be used");
    hub
}

/// An address that is nobody's.
pub(super) fn nowhere(flow: Flow) -> bool {
    flow.is_none() || flow.remote == Address::NONE
}
