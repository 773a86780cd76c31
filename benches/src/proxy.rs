//! A stateful proxy in the middle of a call, octets in to octets out.
//!
//! Time passes between the calls, so that each of them pays for the end of its transactions too. What a phone would answer is a
//! message that was made before, with the branches of this call copied into it.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};
use core::ops::Range;
use sip_core::message::{HeaderName, Message, Method, Writer, response_head};
use sip_core::proxy::{Arrays, Ask, Config, Event, Proxy, Target, Why};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};

/// Longer than any transaction over datagrams lasts.
const LIFETIME: Duration = Duration::from_secs(40);

/// The most messages that one input makes the proxy send.
const SENDS: usize = 6;

/// Where bob's phones are.
const PHONES: [&[u8]; 3] = [b"sip:bob@203.0.113.90:5060", b"sip:bob@203.0.113.91:5060", b"sip:bob@203.0.113.92:5060"];

/// The domain whose user bob is.
pub(crate) const DOMAIN: &str = "hq.example.net";

/// Where callers reach him.
pub(crate) const BOB: &[u8] = b"sip:bob@hq.example.net";

pub(crate) fn flow(ip: [u8; 4], port: u16) -> Flow {
    Flow::udp(Address::from(SocketAddr::from((Ipv4Addr::from(ip), port))))
}

/// What stands in the middle of a call.
pub trait Middle: Role {
    /// Says where a request goes that it has asked about, if it asks.
    fn answer(&mut self, now: Instant, event: Self::Event, message: &Message<'_>);

    /// Whether it holds nothing of any call.
    fn is_at_rest(&self) -> bool;
}

/// A proxy that is told where bob's phones are.
pub type Told = Proxy<Arrays<64, 8, 8, 65_535>>;

impl Middle for Told {
    fn answer(&mut self, now: Instant, event: Event, message: &Message<'_>) {
        let Event::Request { request, why } = event else { return };
        let done = if why == Why::Own {
            self.forward(now, request, &PHONES.map(Target::new), Some(message))
        } else {
            self.proceed(now, request, Some(message))
        };
        done.expect("a request to forward");
    }

    fn is_at_rest(&self) -> bool {
        let held = self.occupancy();
        (held.transactions, held.contexts, held.branches) == (0, 0, 0)
    }
}

struct Hub<R> {
    role: R,
    now: Instant,
    /// What the last input made it send.
    sent: [([u8; 2000], usize); SENDS],
    sends: usize,
}

impl<R: Middle> Hub<R> {
    fn new(role: R) -> Self {
        Self { role, now: Instant::from_millis(1000), sent: [([0; 2000], 0); SENDS], sends: 0 }
    }

    fn receive(&mut self, from: Flow, bytes: &[u8]) {
        // Read where it lies: a message is large.
        let parsed = Message::parse(black_box(bytes));
        let message = parsed.as_ref().expect("a message");
        if let Received::Event(event) = self.role.receive(self.now, from, message) {
            self.role.answer(self.now, event, message);
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.sends = 0;
        while let Some(action) = self.role.poll_action(self.now) {
            if let Action::Send { bytes, .. } = action {
                let (room, length) = &mut self.sent[self.sends];
                room[..bytes.len()].copy_from_slice(bytes);
                *length = bytes.len();
                self.sends += 1;
            }
        }
    }

    /// Lets time pass until all transactions are over.
    fn rest(&mut self) {
        self.now += LIFETIME;
        self.role.handle_timeout(self.now);
        self.drain();
    }

    fn sent(&self, index: usize) -> &[u8] {
        let (bytes, length) = &self.sent[index];
        &bytes[..*length]
    }

    fn expect(&self, lines: &[&str]) {
        assert_eq!(
            self.sends,
            lines.len(),
            "{:?}",
            (0..self.sends).map(|index| first_line(self.sent(index))).collect::<Vec<_>>()
        );
        for (index, line) in lines.iter().enumerate() {
            assert!(self.sent(index).starts_with(line.as_bytes()), "{}", first_line(self.sent(index)));
        }
    }
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned()
}

fn place(part: &[u8], whole: &[u8]) -> Range<usize> {
    let from = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize).expect("a piece of the message");
    from..from + part.len()
}

/// A message of a phone, with the places that differ from call to call.
#[derive(Clone)]
struct Script {
    bytes: Vec<u8>,
    /// The branch of the topmost Via.
    branch: Range<usize>,
    /// That of the one below, in a response.
    below: Option<Range<usize>>,
    call_id: Range<usize>,
    /// The values of Record-Route, or of Route, with the tokens in them.
    routes: Vec<Range<usize>>,
}

impl Script {
    fn of(bytes: Vec<u8>) -> Self {
        let message = Message::parse(&bytes).expect("a message");
        let branch = |index: usize| {
            let via = message.vias().nth(index)?.ok()?;
            Some(place(via.branch()?, &bytes))
        };
        let (branch, below) = (branch(0).expect("a branch"), branch(1));
        let call_id = place(message.call_id(), &bytes);
        let routes = message.record_routes().chain(message.routes()).flatten();
        let routes = routes.map(|route| place(route.raw(), &bytes)).collect();
        Self { branch, below, call_id, routes, bytes }
    }

    /// The response to what the proxy has sent.
    fn response(request: &[u8], status: u16, rows: &[u8]) -> Self {
        let message = Message::parse(request).expect("a request");
        let mut room = [0; 2000];
        let mut writer = Writer::new(&mut room);
        writer.status_line(status, b"Scripted");
        response_head(&mut writer, &message, Address::NONE, Some(b"0123456789abcdef"));
        writer.raw(rows);
        writer.finish_without_body();
        let length = writer.finish().expect("room for a response");
        Self::of(room[..length].to_vec())
    }

    /// The caller's request in the dialog that its INVITE has made, which came to the callee as `sent`.
    fn in_dialog(invite: &[u8], sent: &[u8], method: Method<'static>) -> Self {
        let message = Message::parse(invite).expect("an INVITE");
        let sent = Message::parse(sent).expect("an INVITE");
        let mut room = [0; 2000];
        let mut writer = Writer::new(&mut room);
        writer.request_line(method, PHONES[0]);
        writer.header(HeaderName::Via, message.top_via().raw());
        writer.header(HeaderName::MaxForwards, b"70");
        // The nearest is the last (RFC 3261 §12.1.2).
        let routes: Vec<_> = sent.values(HeaderName::RecordRoute).collect();
        for route in routes.iter().rev() {
            writer.header(HeaderName::Route, route);
        }
        writer.header(HeaderName::From, message.from().raw());
        writer.header(HeaderName::To, b"<sip:bob@hq.example.net>;tag=0123456789abcdef");
        writer.header(HeaderName::CallId, message.call_id());
        writer.cseq(message.cseq().number + u32::from(method == Method::Bye), method);
        writer.finish_without_body();
        let length = writer.finish().expect("room for a request");
        Self::of(room[..length].to_vec())
    }

    /// The caller's request of call `count`, told from the others of the call by `salt`.
    fn number(&mut self, count: u32, salt: u32) -> &[u8] {
        for (range, number) in [(self.branch.clone(), count << 2 | salt), (self.call_id.clone(), count)] {
            let place = &mut self.bytes[range];
            for (digit, octet) in place.iter_mut().rev().take(8).enumerate() {
                *octet = b"0123456789abcdef"[(number >> (4 * digit)) as usize & 15];
            }
        }
        &self.bytes
    }

    /// Takes the way that the proxy has written into the INVITE that it sent, the other way round (RFC 3261 §12.1.2).
    fn take_routes(&mut self, invite: &Script, sent: &[u8]) {
        for (to, from) in self.routes.iter().zip(invite.routes.iter().rev()) {
            self.bytes[to.clone()].copy_from_slice(&sent[from.clone()]);
        }
    }

    /// The response to this very request: its branches and its Call-ID are copied.
    fn to(&mut self, request: &Script, sent: &[u8]) -> &[u8] {
        for (to, from) in [
            (Some(&self.branch), Some(&request.branch)),
            (self.below.as_ref(), request.below.as_ref()),
            (Some(&self.call_id), Some(&request.call_id)),
        ] {
            let (Some(to), Some(from)) = (to, from) else { continue };
            self.bytes[to.clone()].copy_from_slice(&sent[from.clone()]);
        }
        &self.bytes
    }
}

/// What one phone sends, and the requests of the proxy that it answers.
struct Phone {
    invite: Script,
    trying: Script,
    ringing: Script,
    ok: Script,
    cancelled: Script,
}

/// What the caller sends once the call is answered.
struct Dialog {
    ack: Script,
    bye: Script,
    /// The BYE as the phone gets it, and its answer.
    bye_out: Script,
    bye_ok: Script,
}

/// A proxy between a caller and one phone, or three that ring together.
pub struct Relay<R = Told> {
    hub: Hub<R>,
    invite: Script,
    phones: Vec<Phone>,
    dialog: Option<Dialog>,
    /// The CANCEL as a phone gets it, and its answer.
    cancels: Vec<(Script, Script)>,
    /// The INVITEs of this call.
    sent: [([u8; 2000], usize); 3],
    count: u32,
}

impl Relay {
    /// A proxy through which calls with this INVITE go, to one phone where its Request-URI leads, or forked to three.
    ///
    /// # Panics
    /// When the INVITE does not parse or does not go through.
    #[must_use]
    pub fn new(invite: &[u8], fork: bool) -> Self {
        Self::with_ask(invite, fork, Ask::Own)
    }

    /// The same of a proxy that asks about what passes too: each dialog has a token, which gives the right to pass.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn with_tokens(invite: &[u8]) -> Self {
        Self::with_ask(invite, false, Ask::OutOfDialog)
    }

    fn with_ask(invite: &[u8], fork: bool, ask: Ask) -> Self {
        let mut proxy = Proxy::new(Arrays::new());
        let config = Config::new(&["192.0.2.5:5060"]).with_domains(&[DOMAIN]).with_ask(ask);
        proxy.start(&config, [7; 16]).expect("a configuration that can be used");
        let (target, phones) = if fork { (BOB, 3) } else { (PHONES[0], 1) };
        Self::through(proxy, invite, target, phones)
    }
}

impl<R: Middle> Relay<R> {
    /// What `role` does with calls that this INVITE to `target` begins, which goes to so many phones.
    pub(crate) fn through(role: R, invite: &[u8], target: &[u8], phones: usize) -> Self {
        let message = Message::parse(invite).expect("an INVITE");
        let uri = message.request_uri().expect("a request");
        let range = place(uri, invite);
        let text = [&invite[..range.start], target, &invite[range.end..]].concat();
        let mut relay = Self {
            hub: Hub::new(role),
            invite: Script::of(text),
            phones: Vec::new(),
            dialog: None,
            cancels: Vec::new(),
            sent: [([0; 2000], 0); 3],
            count: 0,
        };
        relay.rehearse(phones);
        relay.hub.rest();
        relay
    }

    /// Goes through the first call and makes the phones' messages of what the proxy sends.
    fn rehearse(&mut self, phones: usize) {
        let caller = flow([198, 51, 100, 17], 5062);
        let invite = self.invite.number(0, 0).to_vec();
        self.hub.receive(caller, &invite);
        for index in 0..phones {
            let sent = self.hub.sent(index).to_vec();
            self.phones.push(Phone {
                trying: Script::response(&sent, 100, b""),
                ringing: Script::response(&sent, 180, b"Contact: <sip:bob@203.0.113.90:5060>\r\n"),
                ok: Script::response(&sent, 200, b"Contact: <sip:bob@203.0.113.90:5060>\r\n"),
                cancelled: Script::response(&sent, 487, b""),
                invite: Script::of(sent),
            });
        }
        let sent: Vec<_> = (0..phones).map(|index| self.hub.sent(index).to_vec()).collect();
        for (phone, sent) in self.phones.iter_mut().zip(&sent) {
            self.hub.receive(caller, phone.trying.to(&phone.invite, sent));
        }
        let first = &mut self.phones[0];
        self.hub.receive(caller, first.ok.to(&first.invite, &sent[0]));
        for index in 1..phones {
            // Behind the 200, in the order in which they became ready.
            let cancel = (0..self.hub.sends).map(|at| self.hub.sent(at)).filter(|sent| sent.starts_with(b"CANCEL"));
            let cancel = cancel.collect::<Vec<_>>()[index - 1].to_vec();
            self.cancels.push((Script::of(cancel.clone()), Script::response(&cancel, 200, b"")));
        }
        let in_dialog = |method| Script::in_dialog(&invite, &sent[0], method);
        let (ack, mut bye) = (in_dialog(Method::Ack), in_dialog(Method::Bye));
        self.hub.receive(caller, bye.number(0, 2));
        let out = self.hub.sent(0).to_vec();
        let bye_ok = Script::response(&out, 200, b"");
        self.dialog = Some(Dialog { ack, bye, bye_out: Script::of(out), bye_ok });
    }

    /// Whether nothing of any call is held.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.hub.role.is_at_rest()
    }

    /// One call: INVITE, 100 and 180 of each phone, 200 of the first, the CANCEL of the others with its 200, their 487, ACK, BYE and its
    /// 200, and the end of all transactions. Returns the length of the last response.
    ///
    /// # Panics
    /// When it does not go that way.
    pub fn run(&mut self) -> usize {
        self.count += 1;
        let (hub, count) = (&mut self.hub, self.count);
        let (caller, callee) = (flow([198, 51, 100, 17], 5062), flow([203, 0, 113, 90], 5060));
        hub.receive(caller, self.invite.number(count, 0));
        let phones = self.phones.len();
        assert_eq!(hub.sends, phones);
        let sent = &mut self.sent;
        for (place, (bytes, length)) in sent.iter_mut().zip(&hub.sent).take(phones) {
            place.0[..*length].copy_from_slice(&bytes[..*length]);
            place.1 = *length;
        }
        for (phone, (sent, length)) in self.phones.iter_mut().zip(sent.iter()) {
            hub.receive(callee, phone.trying.to(&phone.invite, &sent[..*length]));
            hub.receive(callee, phone.ringing.to(&phone.invite, &sent[..*length]));
            hub.expect(&["SIP/2.0 180"]);
        }
        let (first, length) = &sent[0];
        let phone = &mut self.phones[0];
        hub.receive(callee, phone.ok.to(&phone.invite, &first[..*length]));
        assert_eq!(hub.sends, phones);
        if phones > 1 {
            let cancels = [hub.sent[1], hub.sent[2]];
            for ((out, ok), (cancel, length)) in self.cancels.iter_mut().zip(&cancels) {
                hub.receive(callee, ok.to(out, &cancel[..*length]));
            }
            for (phone, (sent, length)) in self.phones.iter_mut().zip(sent.iter()).skip(1) {
                hub.receive(callee, phone.cancelled.to(&phone.invite, &sent[..*length]));
                hub.expect(&["ACK"]);
            }
        }
        let dialog = self.dialog.as_mut().expect("a call that was rehearsed");
        for script in [&mut dialog.ack, &mut dialog.bye] {
            script.take_routes(&self.phones[0].invite, &first[..*length]);
        }
        hub.receive(caller, dialog.ack.number(count, 1));
        hub.expect(&["ACK"]);
        hub.receive(caller, dialog.bye.number(count, 2));
        hub.expect(&["BYE"]);
        let ok = dialog.bye_ok.to(&dialog.bye_out, hub.sent(0));
        hub.receive(callee, ok);
        hub.expect(&["SIP/2.0 200"]);
        let length = hub.sent(0).len();
        hub.rest();
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use sip_core::memory::Links;
    use sip_core::proxy::{BranchEntry, ResponseContext};
    use sip_core::transaction::Transaction;

    /// Octets of memory that the calls of a proxy take: entries with their links, and what is kept of messages.
    fn held(relay: &Relay, before: usize) -> usize {
        let held = relay.hub.role.occupancy();
        held.transactions * size_of::<(Links, Transaction)>()
            + held.contexts * size_of::<(Links, ResponseContext)>()
            + held.branches * size_of::<(Links, BranchEntry)>()
            + held.octets
            - before
    }

    #[test]
    fn a_call_takes_no_more_memory_than_the_readme_says() {
        let mut relay = Relay::new(samples::INVITE, false);
        let before = relay.hub.role.occupancy().octets;
        let (caller, callee) = (flow([198, 51, 100, 17], 5062), flow([203, 0, 113, 90], 5060));
        let invite = relay.invite.number(7, 0).to_vec();
        relay.hub.receive(caller, &invite);
        let sent = relay.hub.sent(0).to_vec();
        let fresh = held(&relay, before);
        let phone = &mut relay.phones[0];
        relay.hub.receive(callee, phone.ringing.to(&phone.invite, &sent));
        let ringing = held(&relay, before);
        let phone = &mut relay.phones[0];
        relay.hub.receive(callee, phone.ok.to(&phone.invite, &sent));
        let dialog = relay.dialog.as_mut().unwrap();
        for script in [&mut dialog.ack, &mut dialog.bye] {
            script.take_routes(&relay.phones[0].invite, &sent);
        }
        relay.hub.receive(caller, dialog.ack.number(7, 1));
        let answered = held(&relay, before);
        let dialog = relay.dialog.as_mut().unwrap();
        relay.hub.receive(caller, dialog.bye.number(7, 2));
        let bye = relay.hub.sent(0).to_vec();
        relay.hub.receive(callee, dialog.bye_ok.to(&dialog.bye_out, &bye));
        let over = held(&relay, before);
        println!("octets of a call: {fresh} sent, {ringing} ringing, {answered} answered, {over} over");
        assert!(fresh <= 2560 && ringing <= 2560 && answered <= 1228 && over <= 1228);
        relay.hub.rest();
        assert_eq!(held(&relay, before), 0);
    }

    #[test]
    fn calls_go_through_again_and_again() {
        let proxies = [Relay::new(samples::INVITE, false), Relay::new(samples::INVITE, true)];
        for mut relay in proxies.into_iter().chain([Relay::with_tokens(samples::INVITE)]) {
            for _ in 0..100 {
                relay.run();
            }
            assert!(relay.is_at_rest());
        }
    }
}
