//! A proxy alone: every input it takes and every method it has is reached, by a mailbox in place of a network.
//!
//! Linked with `panic-never` it does not link while any path panics. `../size` weighs it.
#![no_std]
#![no_main]

mod mailbox;

use mailbox::{MAILBOX, ROOM, park, source};
use panic_never as _;
use sip_core::message::{Header, HeaderName, Message};
use sip_core::proxy::{Ask, Config, Event, Proxy, Request, Target};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target as Place, Ticket, Transport};
use static_cell::ConstStaticCell;

/// An intercom's proxy: 16 transactions, 4 requests under way with 8 branches, 8 KiB for messages.
type Hub = Proxy<sip_core::proxy::Arrays<16, 4, 8, 8192>>;

/// All of the state, all zero: it lies in .bss.
static STATE: ConstStaticCell<State> = ConstStaticCell::new(State {
    hub: Hub::new(sip_core::proxy::Arrays::new()),
    request: None,
    ticket: None,
    datagram: [0; ROOM],
});

struct State {
    hub: Hub,
    /// What the last question was about.
    request: Option<Request>,
    ticket: Option<Ticket>,
    datagram: [u8; ROOM],
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(State { hub, request, ticket, datagram }) = STATE.try_take() else { park() };
    let mut now = Instant::from_millis(0);
    loop {
        now = now.max(Instant::from_millis(u64::from(MAILBOX.clock())));
        let (command, number) = MAILBOX.command();
        #[cfg(feature = "control")]
        MAILBOX.tell(u32::from(datagram[number as usize]));
        let octets = MAILBOX.inward.take(datagram);
        let done = match command {
            1 => receive(hub, request, now, number, octets),
            _ => perform(hub, request, *ticket, now, (command, number), octets),
        };
        MAILBOX.tell(u32::from(done.is_some()));
        drain(hub, request, ticket, now);
        MAILBOX.tell(hub.poll_timeout().map_or(u32::MAX, |time| time.as_millis() as u32));
    }
}

/// A datagram; the number is the address that it came from. The request that it may be is forwarded at once to a user's contact.
#[inline(never)]
fn receive(hub: &mut Hub, request: &mut Option<Request>, now: Instant, from: u32, octets: &[u8]) -> Option<()> {
    let flow = Flow::udp(source(from));
    match &Message::parse(octets) {
        Ok(message) => {
            if let Received::Event(event) = hub.receive(now, flow, message) {
                note(request, event);
                if let Event::Request { request, .. } = event {
                    hub.forward(now, request, &[Target::new(b"sip:bob@192.0.2.2")], Some(message)).ok()?;
                }
            }
        }
        Err(failure) => hub.receive_malformed(now, flow, failure),
    }
    Some(())
}

/// What an application can ask for; the octets are its text.
#[inline(never)]
fn perform(
    hub: &mut Hub,
    request: &Option<Request>,
    ticket: Option<Ticket>,
    now: Instant,
    (command, number): (u32, u32),
    octets: &[u8],
) -> Option<()> {
    let targets = [Target::new(octets).with_q(number as u16), Target::new(b"sip:bob@192.0.2.3").with_q(500)];
    let headers = [Header { name: HeaderName::Other(b"X-Reason"), value: octets }];
    let status = number as u16;
    match command {
        2 => {
            let config = Config::new(&["192.0.2.5:5060"]).with_domains(&["example.com"]).with_recurse(number & 1 == 0);
            let config = config.with_stateless(number & 2 == 2);
            hub.start(&config.with_ask(if number & 4 == 0 { Ask::Own } else { Ask::OutOfDialog }), [7; 16]).ok()?;
        }
        3 => hub.forward(now, (*request)?, &targets, None).ok()?,
        4 => hub.proceed(now, (*request)?, None).ok()?,
        5 => hub.stateless(now, (*request)?, targets.first()?, None).ok()?,
        6 => _ = hub.add_targets(now, (*request)?, &targets).ok()?,
        7 => hub.respond(now, (*request)?, status, &headers).ok()?,
        8 => hub.refuse(now, (*request)?, status, &headers).ok()?,
        9 => hub.redirect(now, (*request)?, &targets).ok()?,
        10 => hub.cancel(now, (*request)?).ok()?,
        11 => {
            let branch = hub.branches((*request)?).next()?;
            MAILBOX.tell(hub.branch_uri(branch).len() as u32);
            hub.cancel_branch(now, branch).ok()?;
        }
        12 => hub.resolved(now, ticket?, &[Place { address: source(number), transport: Transport::Udp }]),
        13 => hub.flow_connected(now, ticket?, Flow::udp(source(number))),
        14 => hub.connect_failed(now, ticket?, FlowError::Refused),
        15 => hub.flow_failed(now, Flow::udp(source(number)), FlowError::Unreachable),
        16 => hub.flow_writable(now, Flow::udp(source(number))),
        _ => hub.handle_timeout(now),
    }
    Some(())
}

fn note(asked: &mut Option<Request>, event: Event) {
    match event {
        Event::Request { request, .. } => *asked = Some(request),
        Event::Finished { status, .. } => MAILBOX.tell(u32::from(status)),
        _ => {}
    }
}

/// Does what is to be done, to the last.
#[inline(never)]
fn drain(hub: &mut Hub, request: &mut Option<Request>, asked: &mut Option<Ticket>, now: Instant) {
    loop {
        let blocked = match hub.poll_action(now) {
            Some(Action::Send { id, flow, bytes }) => {
                MAILBOX.tell(u32::from(flow.remote.port()));
                MAILBOX.outward.put(bytes);
                (bytes.len() > ROOM).then_some(id)
            }
            Some(Action::Event(event)) => {
                note(request, event);
                None
            }
            Some(Action::Resolve { ticket, host, .. }) => {
                *asked = Some(ticket);
                MAILBOX.outward.put(host);
                None
            }
            Some(Action::Connect { ticket, .. }) => {
                *asked = Some(ticket);
                None
            }
            // Nothing to close, and nothing that is not known.
            Some(_) => None,
            None => return,
        };
        if let Some(id) = blocked {
            hub.defer(id);
        }
    }
}
