//! A doorbell: one button that calls one target, which may call back; registration with digest, datagrams of IPv4, a session
//! description that is always the same. What such a device does not do is not in it. `../size` weighs it.
#![no_std]
#![no_main]

mod mailbox;

use mailbox::{MAILBOX, ROOM, park, source};
use panic_never as _;
use sip_core::message::Message;
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target, Ticket, Transport};
use sip_core::ua::{Arrays, Call, Config, Content, Event, UserAgent};
use static_cell::ConstStaticCell;

/// One call: 8 transactions, 2 dialogs, 1 registration, 4 KiB for messages.
type Doorbell = UserAgent<Arrays<8, 2, 1, 1, 4096>>;

/// All of the state, all zero: it lies in .bss.
static STATE: ConstStaticCell<State> = ConstStaticCell::new(State {
    doorbell: Doorbell::new(Arrays::new()),
    call: None,
    ticket: None,
    datagram: [0; ROOM],
});

struct State {
    doorbell: Doorbell,
    call: Option<Call>,
    ticket: Option<Ticket>,
    datagram: [u8; ROOM],
}

const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(State { doorbell, call, ticket, datagram }) = STATE.try_take() else { park() };
    let config = Config::new("192.0.2.2:5060", "sip:doorbell@example.com");
    let started = doorbell.start(&config, [7; 16]).is_ok()
        && doorbell.add_credentials("example.com", "doorbell", "secret").is_ok();
    let mut now = Instant::ZERO;
    let aor = "sip:doorbell@example.com";
    let registered = started && doorbell.register(now, "sip:192.0.2.1", aor, 600).is_ok();
    MAILBOX.tell(u32::from(registered));
    loop {
        now = now.max(Instant::from_millis(u64::from(MAILBOX.clock())));
        let (command, number) = MAILBOX.command();
        let source = source(number);
        match (command, *call, *ticket) {
            (1, ..) => receive(doorbell, call, now, Flow::udp(source), MAILBOX.inward.take(datagram)),
            (2, None, _) => *call = doorbell.call(now, "sip:inside@example.com", "", &Content::sdp(OFFER)).ok(),
            (2, Some(call), _) => _ = doorbell.hang_up(now, call),
            (3, Some(call), _) => _ = doorbell.answer(now, call, &Content::sdp(OFFER)),
            (4, _, Some(ticket)) => {
                doorbell.resolved(now, ticket, &[Target { address: source, transport: Transport::Udp }]);
            }
            (5, ..) => doorbell.flow_failed(now, Flow::udp(source), FlowError::Unreachable),
            (6, ..) => doorbell.flow_writable(now, Flow::udp(source)),
            _ => doorbell.handle_timeout(now),
        }
        drain(doorbell, call, ticket, now);
        MAILBOX.tell(doorbell.poll_timeout().map_or(u32::MAX, |time| time.as_millis() as u32));
    }
}

#[inline(never)]
fn receive(doorbell: &mut Doorbell, call: &mut Option<Call>, now: Instant, flow: Flow, octets: &[u8]) {
    match &Message::parse(octets) {
        Ok(message) => {
            if let Received::Event(event) = doorbell.receive(now, flow, message) {
                note(call, event);
            }
        }
        Err(failure) => doorbell.receive_malformed(now, flow, failure),
    }
}

fn note(known: &mut Option<Call>, event: Event) {
    match event {
        Event::Incoming { call } => *known = Some(call),
        Event::Answered { .. } => MAILBOX.tell(200),
        Event::Ended { .. } => *known = None,
        _ => {}
    }
}

/// Does what is to be done, to the last.
#[inline(never)]
fn drain(doorbell: &mut Doorbell, call: &mut Option<Call>, asked: &mut Option<Ticket>, now: Instant) {
    while let Some(action) = doorbell.poll_action(now) {
        match action {
            Action::Send { id, flow, bytes } => {
                MAILBOX.tell(u32::from(flow.remote.port()));
                MAILBOX.outward.put(bytes);
                if bytes.len() > ROOM {
                    doorbell.defer(id);
                }
            }
            Action::Event(event) => note(call, event),
            Action::Resolve { ticket, host, .. } => {
                *asked = Some(ticket);
                MAILBOX.outward.put(host);
            }
            _ => {}
        }
    }
}
