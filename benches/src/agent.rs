//! A user agent at the callee's end, octets in to octets out.
//!
//! Time passes between the repetitions, so that each of them pays for the end of its transactions too.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use sip_core::message::{HeaderName, Message, Method, Writer};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{Config, Content, Event, UserAgent};

/// Longer than any transaction over datagrams lasts.
const LIFETIME: Duration = Duration::from_secs(40);

const ANSWER: &[u8] = b"v=0\r\no=- 7 7 IN IP4 203.0.113.90\r\ns=-\r\nc=IN IP4 203.0.113.90\r\nt=0 0\r\n\
m=audio 42000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendrecv\r\n";

struct Phone {
    agent: UserAgent<Arrays<16, 4, 2, 1, 8192>>,
    now: Instant,
    peer: Flow,
    /// The last message that was sent.
    sent: [u8; 2000],
    length: usize,
    sends: usize,
}

impl Phone {
    fn new() -> Self {
        let mut agent = UserAgent::new(Arrays::new());
        let config = Config::new("203.0.113.90:5060", "sip:frontdoor@hq.example.net");
        agent.start(&config, [7; 16]).expect("a configuration that can be used");
        let peer = Flow::udp(Address::from(SocketAddr::from((Ipv4Addr::new(198, 51, 100, 17), 5062))));
        Self { agent, now: Instant::from_millis(1000), peer, sent: [0; 2000], length: 0, sends: 0 }
    }

    fn receive(&mut self, bytes: &[u8]) -> Received<Event> {
        let message = Message::parse(black_box(bytes)).expect("a message");
        let received = self.agent.receive(self.now, self.peer, &message);
        self.drain();
        received
    }

    fn drain(&mut self) {
        while let Some(action) = self.agent.poll_action(self.now) {
            if let Action::Send { bytes, .. } = action {
                let length = bytes.len();
                self.sent[..length].copy_from_slice(bytes);
                self.length = length;
                self.sends += 1;
            }
        }
    }

    fn sent(&self) -> &[u8] {
        &self.sent[..self.length]
    }

    fn let_time_pass(&mut self) {
        self.now += LIFETIME;
        self.agent.handle_timeout(self.now);
        self.drain();
    }
}

/// Hexadecimal digits in a message that are counted up, so that it is another one each time.
#[derive(Clone, Copy)]
struct Counter {
    from: usize,
}

impl Counter {
    const DIGITS: usize = 8;

    /// The last eight octets of `part`, a piece of `whole`.
    fn at_end_of(part: &[u8], whole: &[u8]) -> Self {
        assert!(part.len() >= Self::DIGITS, "too short for a counter");
        Self { from: offset(part, whole) + part.len() - Self::DIGITS }
    }

    fn set(self, message: &mut [u8], number: u32) {
        for (digit, octet) in message[self.from..self.from + Self::DIGITS].iter_mut().enumerate() {
            *octet = b"0123456789abcdef"[(number >> (28 - 4 * digit)) as usize & 15];
        }
    }
}

fn offset(part: &[u8], whole: &[u8]) -> usize {
    (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize).expect("a piece of the message")
}

fn branch_counter(bytes: &[u8]) -> Counter {
    let message = Message::parse(bytes).expect("a message");
    Counter::at_end_of(message.top_via().branch().expect("a branch"), bytes)
}

/// A user agent that answers OPTIONS.
pub struct Options {
    phone: Phone,
    request: Vec<u8>,
    branch: Counter,
    count: u32,
}

impl Options {
    /// A user agent and the request that it will be asked with.
    ///
    /// # Panics
    /// When the request does not parse.
    #[must_use]
    pub fn new(request: &[u8]) -> Self {
        Self { phone: Phone::new(), request: request.to_vec(), branch: branch_counter(request), count: 0 }
    }

    /// One request, its answer, and the end of its transaction. Returns the length of the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn run(&mut self) -> usize {
        self.count += 1;
        self.branch.set(&mut self.request, self.count);
        let before = self.phone.sends;
        let received = self.phone.receive(&self.request);
        assert_eq!((received, self.phone.sends), (Received::Nothing, before + 1));
        let length = self.phone.length;
        self.phone.let_time_pass();
        length
    }

    /// The last answer.
    #[must_use]
    pub fn answer(&self) -> &[u8] {
        self.phone.sent()
    }
}

/// A user agent that is called, answers, and is hung up on.
pub struct Callee {
    phone: Phone,
    invite: Request,
    ack: Request,
    bye: Request,
    /// Where the To tag lies in the response to the INVITE.
    tag: core::ops::Range<usize>,
    count: u32,
}

struct Request {
    bytes: Vec<u8>,
    branch: Counter,
    call_id: Counter,
    /// Where the To tag lies; nowhere in an INVITE.
    tag: core::ops::Range<usize>,
}

impl Request {
    fn new(bytes: Vec<u8>) -> Self {
        let message = Message::parse(&bytes).expect("a message");
        let host = message.call_id().iter().position(|octet| *octet == b'@').unwrap_or(message.call_id().len());
        let call_id = Counter::at_end_of(&message.call_id()[..host], &bytes);
        let tag = tag_place(&message, &bytes);
        let branch = branch_counter(&bytes);
        Self { bytes, branch, call_id, tag }
    }

    /// The request `method` in the dialog that `invite` and its answer made.
    fn in_dialog(invite: &Message<'_>, answer: &Message<'_>, method: Method<'static>) -> Self {
        let mut room = [0; 2000];
        let mut writer = Writer::new(&mut room);
        writer.request_line(method, b"sip:frontdoor@203.0.113.90:5060");
        writer.header(HeaderName::Via, invite.top_via().raw());
        writer.header(HeaderName::MaxForwards, b"70");
        writer.header(HeaderName::From, answer.from().raw());
        writer.header(HeaderName::To, answer.to().raw());
        writer.header(HeaderName::CallId, answer.call_id());
        let seq = invite.cseq().number + u32::from(method == Method::Bye);
        writer.header_fmt(HeaderName::CSeq, format_args!("{seq} {}", String::from_utf8_lossy(method.as_bytes())));
        writer.finish_without_body();
        let length = writer.finish().expect("room for a request");
        Self::new(room[..length].to_vec())
    }

    /// The request of call `count`; its branch differs from that of the call's other requests by `salt`.
    fn number(&mut self, count: u32, salt: u32, tag: &[u8]) -> &[u8] {
        self.branch.set(&mut self.bytes, count << 2 | salt);
        self.call_id.set(&mut self.bytes, count);
        self.bytes[self.tag.clone()].copy_from_slice(tag);
        &self.bytes
    }
}

fn tag_place(message: &Message<'_>, bytes: &[u8]) -> core::ops::Range<usize> {
    message.to().tag().map_or(0..0, |tag| {
        let from = offset(tag, bytes);
        from..from + tag.len()
    })
}

impl Callee {
    /// A user agent and the INVITE that it will be called with.
    ///
    /// # Panics
    /// When the INVITE does not parse or is refused.
    #[must_use]
    pub fn new(invite: &[u8]) -> Self {
        let mut phone = Phone::new();
        answer(&mut phone, invite);
        let message = Message::parse(invite).expect("a message");
        let sent = phone.sent().to_vec();
        let response = Message::parse(&sent).expect("a response");
        let ack = Request::in_dialog(&message, &response, Method::Ack);
        let bye = Request::in_dialog(&message, &response, Method::Bye);
        let tag = tag_place(&response, &sent);
        Self { phone: Phone::new(), invite: Request::new(invite.to_vec()), ack, bye, tag, count: 0 }
    }

    /// One call: INVITE, 200, ACK, BYE, 200, and the end of its transactions. Returns the length of the last response.
    ///
    /// # Panics
    /// When it does not go that way.
    pub fn run(&mut self) -> usize {
        self.count += 1;
        answer(&mut self.phone, self.invite.number(self.count, 0, b""));
        let mut tag = [0; 64];
        let tag = &mut tag[..self.tag.len()];
        tag.copy_from_slice(&self.phone.sent[self.tag.clone()]);
        let received = self.phone.receive(self.ack.number(self.count, 1, tag));
        assert!(matches!(received, Received::Event(Event::Confirmed { .. })), "{received:?}");
        let before = self.phone.sends;
        let received = self.phone.receive(self.bye.number(self.count, 2, tag));
        assert!(matches!(received, Received::Event(Event::Ended { .. })), "{received:?}");
        assert_eq!(self.phone.sends, before + 1);
        let length = self.phone.length;
        self.phone.let_time_pass();
        length
    }

    /// The last response.
    #[must_use]
    pub fn response(&self) -> &[u8] {
        self.phone.sent()
    }
}

fn answer(phone: &mut Phone, invite: &[u8]) {
    let received = phone.receive(invite);
    let Received::Event(Event::Incoming { call }) = received else { panic!("no call: {received:?}") };
    phone.agent.answer(phone.now, call, &Content::sdp(ANSWER)).expect("a call to answer");
    phone.drain();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn options_are_answered_again_and_again() {
        let mut options = Options::new(samples::OPTIONS);
        for _ in 0..100 {
            options.run();
            assert!(options.answer().starts_with(b"SIP/2.0 200 OK\r\n"));
        }
        assert_eq!(options.phone.agent.occupancy().transactions, 0);
    }

    #[test]
    fn a_call_is_taken_again_and_again() {
        let mut callee = Callee::new(samples::INVITE);
        for _ in 0..100 {
            callee.run();
            assert!(callee.response().starts_with(b"SIP/2.0 200 OK\r\n"));
        }
        let held = callee.phone.agent.occupancy();
        assert_eq!((held.transactions, held.dialogs, held.calls), (0, 0, 0));
    }
}
