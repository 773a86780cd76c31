//! A user agent alone: every input it takes and every method it has is reached, by a mailbox in place of a network.
//!
//! Linked with `panic-never` it does not link while any path panics. `../size` weighs it.
#![no_std]
#![no_main]

mod mailbox;

use mailbox::{MAILBOX, ROOM, park, source};
use panic_never as _;
#[cfg(feature = "requests")]
use sip_core::message::Method;
use sip_core::message::{Header, HeaderName, Message};
use sip_core::role::{Action, Received, Role};
#[cfg(feature = "sdp")]
use sip_core::sdp;
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target, Ticket, Transport};
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Config, Content, Event, IncomingRequest, Registration, UserAgent};
use static_cell::ConstStaticCell;

/// REFERs at a time.
const REFERRALS: usize = if cfg!(feature = "refer") { 2 } else { 0 };

/// A phone: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8 KiB for messages.
type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192, REFERRALS>>;

/// All of the state, all zero: it lies in .bss.
static STATE: ConstStaticCell<State> = ConstStaticCell::new(State {
    phone: Phone::new(Arrays::with_referrals()),
    handles: Handles {
        call: Call::from_bits(0),
        registration: None,
        request: None,
        ticket: None,
        #[cfg(feature = "100rel")]
        fork: None,
        #[cfg(feature = "refer")]
        referral: None,
    },
    datagram: [0; ROOM],
});

struct State {
    phone: Phone,
    handles: Handles,
    datagram: [u8; ROOM],
}

/// What the last event of each kind named.
struct Handles {
    /// None, which the user agent refuses, before the first.
    call: Call,
    registration: Option<Registration>,
    request: Option<IncomingRequest>,
    ticket: Option<Ticket>,
    #[cfg(feature = "100rel")]
    fork: Option<sip_core::ua::Fork>,
    #[cfg(feature = "refer")]
    referral: Option<sip_core::ua::Referral>,
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(State { phone, handles, datagram }) = STATE.try_take() else { park() };
    let mut now = Instant::from_millis(0);
    loop {
        now = now.max(Instant::from_millis(u64::from(MAILBOX.clock())));
        let (command, number) = MAILBOX.command();
        #[cfg(feature = "control")]
        MAILBOX.tell(u32::from(datagram[number as usize]));
        let octets = MAILBOX.inward.take(datagram);
        let done = match command {
            1 => receive(phone, handles, now, number, octets),
            _ => perform(phone, handles, now, command, number, octets),
        };
        MAILBOX.tell(u32::from(done.is_some()));
        drain(phone, handles, now);
        MAILBOX.tell(phone.poll_timeout().map_or(u32::MAX, |time| time.as_millis() as u32));
    }
}

/// A datagram; the number is the address that it came from.
#[inline(never)]
fn receive(phone: &mut Phone, handles: &mut Handles, now: Instant, from: u32, octets: &[u8]) -> Option<()> {
    let flow = Flow::udp(source(from));
    match &Message::parse(octets) {
        Ok(message) => {
            if let Received::Event(event) = phone.receive(now, flow, message) {
                note(handles, event);
                MAILBOX.tell(u32::from(audio_port(message.body())));
            }
        }
        Err(failure) => phone.receive_malformed(now, flow, failure),
    }
    Some(())
}

/// Where the peer takes its audio, if the body says so.
#[cfg(feature = "sdp")]
#[inline(never)]
fn audio_port(body: &[u8]) -> u16 {
    let Ok(session) = sdp::Session::parse(body) else { return 0 };
    let audio = session.media().find(|media| media.kind() == b"audio" && media.direction().receives());
    audio.filter(|media| media.codec(8).is_some()).map_or(0, |media| media.port())
}

/// Without the engine a device compares the body with what it knows.
#[cfg(not(feature = "sdp"))]
fn audio_port(body: &[u8]) -> u16 {
    body.len() as u16
}

/// A session description of ours that is always the same.
#[cfg(not(feature = "sdp"))]
fn describe(_: &mut [u8; 256], _: u16, _: bool) -> Content<'_> {
    Content::sdp(b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")
}

/// A session description of ours, with one stream of audio.
#[cfg(feature = "sdp")]
fn describe(room: &mut [u8; 256], port: u16, sends: bool) -> Content<'_> {
    let mut w = sdp::Writer::new(room);
    w.session(1, 1, [192, 0, 2, 2].into());
    w.media(b"audio", port, b"RTP/AVP", [8, 0, 101]);
    w.rtpmap(&sdp::RtpMap { payload_type: 101, encoding: b"telephone-event", clock_rate: 8000, params: b"" });
    w.direction(sdp::Direction::new(sends, true));
    let length = w.finish().unwrap_or(0);
    Content::sdp(room.get(..length).unwrap_or_default())
}

/// How the user agent is set up.
fn config(identity: &str) -> Config<'_> {
    let config = Config::new("192.0.2.2:5060", identity);
    #[cfg(feature = "100rel")]
    let config = config.with_reliable_provisional(sip_core::ua::ReliableProvisional::Supported);
    #[cfg(feature = "refer")]
    let config = config.with_transfers(true);
    config
}

/// What an application can ask for; the octets are its text.
#[inline(never)]
fn perform(
    phone: &mut Phone,
    handles: &mut Handles,
    now: Instant,
    command: u32,
    number: u32,
    octets: &[u8],
) -> Option<()> {
    // An application has its texts as texts; to check them here would weigh what is not the user agent's.
    // SAFETY: the mailbox's outside puts nothing but ASCII behind a command.
    let text = || Some(unsafe { core::str::from_utf8_unchecked(octets) });
    let mut room = [0; 256];
    let offer = describe(&mut room, number as u16, number & 1 == 0);
    let headers = [Header { name: HeaderName::Other(b"X-Reason"), value: octets }];
    let (call, status) = (handles.call, number as u16);
    match command {
        2 => phone.start(&config(text()?), [7; 16]).ok()?,
        #[cfg(feature = "digest")]
        3 => phone.add_credentials("", "bob", text()?).ok()?,
        4 => handles.call = phone.call(now, text()?, "", &offer).ok()?,
        5 => phone.ring(now, call, status, &Content::NONE).ok()?,
        6 => phone.answer(now, call, &offer).ok()?,
        7 => phone.reject(now, call, status, &Content::NONE).ok()?,
        8 => phone.acknowledge(now, call, &offer).ok()?,
        9 => phone.hang_up(now, call).ok()?,
        10 => phone.hang_up_with(now, call, &headers).ok()?,
        11 => phone.reinvite(now, call, &offer).ok()?,
        #[cfg(feature = "requests")]
        12 => _ = phone.request(now, Method::Message, text()?, &offer.with_headers(&headers)).ok()?,
        #[cfg(feature = "requests")]
        13 => _ = phone.request_in_call(now, call, Method::Info, &offer).ok()?,
        #[cfg(feature = "100rel")]
        23 => phone.acknowledge_provisional(now, call, handles.fork?, &offer).ok()?,
        #[cfg(feature = "update")]
        25 => phone.update(now, call, &offer).ok()?,
        #[cfg(any(feature = "100rel", feature = "update"))]
        24 => phone.answer_offer(now, call, status, &offer).ok()?,
        #[cfg(feature = "refer")]
        26 => handles.referral = Some(phone.refer(now, call, text()?, &Content::NONE).ok()?),
        #[cfg(feature = "refer")]
        27 => {
            handles.referral =
                Some(phone.refer_to_call(now, call, Call::from_bits(number.into()), &Content::NONE).ok()?);
        }
        #[cfg(feature = "refer")]
        28 => handles.call = phone.follow_refer(now, handles.referral?, &offer).ok()?,
        #[cfg(feature = "refer")]
        29 => phone.reject_refer(now, handles.referral?, status, &Content::NONE).ok()?,
        #[cfg(feature = "requests")]
        14 => phone.respond(now, handles.request?, status, &Content::NONE).ok()?,
        #[cfg(feature = "registration")]
        15 => handles.registration = Some(phone.register(now, text()?, "sip:bob@example.com", number).ok()?),
        #[cfg(feature = "registration")]
        16 => phone.unregister(now, handles.registration?).ok()?,
        17 => phone.network_changed(now, text()?).ok()?,
        18 => phone.resolved(now, handles.ticket?, &[Target { address: source(number), transport: Transport::Udp }]),
        19 => phone.flow_connected(now, handles.ticket?, Flow::udp(source(number))),
        20 => phone.connect_failed(now, handles.ticket?, FlowError::Refused),
        21 => phone.flow_failed(now, Flow::udp(source(number)), FlowError::Unreachable),
        22 => phone.flow_writable(now, Flow::udp(source(number))),
        _ => phone.handle_timeout(now),
    }
    Some(())
}

fn note(handles: &mut Handles, event: Event) {
    match event {
        Event::Incoming { call } => handles.call = call,
        #[cfg(feature = "100rel")]
        Event::Progress { call, fork, answer_due: true, .. } => (handles.call, handles.fork) = (call, Some(fork)),
        #[cfg(feature = "refer")]
        Event::Refer { referral, .. } => handles.referral = Some(referral),
        Event::Registered { registration, .. } => handles.registration = Some(registration),
        Event::Request { request, .. } => handles.request = Some(request),
        Event::Ended { status, .. } | Event::Response { status, .. } => MAILBOX.tell(u32::from(status)),
        _ => {}
    }
}

/// Does what is to be done, to the last.
#[inline(never)]
fn drain(phone: &mut Phone, handles: &mut Handles, now: Instant) {
    loop {
        let blocked = match phone.poll_action(now) {
            Some(Action::Send { id, flow, bytes }) => {
                MAILBOX.tell(u32::from(flow.remote.port()));
                MAILBOX.outward.put(bytes);
                (bytes.len() > ROOM).then_some(id)
            }
            Some(Action::Event(event)) => {
                note(handles, event);
                None
            }
            Some(Action::Resolve { ticket, host, .. }) => {
                handles.ticket = Some(ticket);
                MAILBOX.outward.put(host);
                None
            }
            Some(Action::Connect { ticket, .. }) => {
                handles.ticket = Some(ticket);
                None
            }
            None => return,
            Some(_) => None,
        };
        if let Some(id) = blocked {
            phone.defer(id);
        }
    }
}
