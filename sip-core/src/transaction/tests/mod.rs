//! The layer with real messages and virtual time.

mod client_side;
mod flows;
mod lossy;
mod proxy_side;
mod replies;
mod server_side;
mod storage;
mod storm;
mod targets;

use super::{ClientOutcome, Expired, ExpiredKind, Layer, NewClient, NewOnce, NewRequest, NewServer};
use super::{ServerMatch, Timers};
use super::{Transaction, TransactionId};
use super::{Transactions, User};
use crate::error::{Capacity, Error};
use crate::memory::{Block, Links, Octets, Pool, Store};
use crate::message::{HeaderName, Message, Method, Writer};
use crate::random::{Random, Token};
use crate::time::{Duration, Instant};
use crate::transport::{Address, Flow, Transport};
use core::net::Ipv4Addr;

const PEER: Flow = Flow::udp(Address::v4(Ipv4Addr::new(192, 0, 2, 9), 5060));

const NEW: ServerMatch = ServerMatch::New(NewRequest::NONE);
const MERGED: ServerMatch = ServerMatch::Merged(NewRequest::NONE);

fn tcp(connection: u32) -> Flow {
    Flow { connection, transport: Transport::Tcp, ..PEER }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A layer with its storage and a clock.
struct Bench {
    layer: Layer,
    entries: Store<Vec<Links>, Vec<Transaction>>,
    octets: Pool<6000>,
    now: u64,
}

impl Bench {
    fn new(entries: usize) -> Self {
        let mut layer = Layer::ZERO;
        layer.start(Timers::DEFAULT, Random::new([5; 16]).hash_key());
        let entries = Store::with(vec![Links::ZERO; entries], vec![Transaction::ZERO; entries]);
        Self { layer, entries, octets: Pool::new(), now: 1000 }
    }

    fn work(&mut self) -> Transactions<'_, Pool<6000>> {
        Transactions::new(&mut self.layer, self.entries.table(), &mut self.octets)
    }

    fn now(&self) -> Instant {
        at(self.now)
    }

    /// Writes a request of ours.
    fn write(&mut self, method: Method<'_>, branch: u64) -> Block {
        let write = |w: &mut Writer<'_>| {
            w.request_line(method, b"sip:bob@example.com");
            w.via(Transport::Udp, b"192.0.2.1:5060", Token::new(branch));
            w.header(HeaderName::From, b"<sip:alice@example.com>;tag=a");
            w.header(HeaderName::To, b"<sip:bob@example.com>");
            w.header(HeaderName::CallId, b"1@alice");
            w.value_start(HeaderName::CSeq);
            w.number(branch);
            w.raw(b" ");
            w.raw(method.as_bytes());
            w.end();
            w.header(HeaderName::Route, b"<sip:proxy.example.com;lr>");
            w.body(b"application/sdp", b"v=0\r\n");
        };
        self.octets.write(300, false, |_, w| write(w)).unwrap()
    }

    fn try_client(&mut self, method: Method<'_>, flow: Flow, branch: u64) -> Result<TransactionId, Capacity> {
        let block = self.write(method, branch);
        let (now, branch) = (self.now(), Token::new(branch).into());
        let new = NewClient { block, flow, method, branch, user: User(7), reserved: false };
        let made = self.work().client(now, new);
        if made.is_err() {
            self.octets.release(block);
        }
        made
    }

    fn client(&mut self, method: Method<'_>, flow: Flow, branch: u64) -> TransactionId {
        self.try_client(method, flow, branch).unwrap()
    }

    /// Takes a response and gives what became of it; `None` when it matches nothing.
    fn response(&mut self, text: &str) -> Option<ClientOutcome> {
        let message = Message::parse(text.as_bytes()).unwrap();
        let now = self.now();
        let (id, user) = self.work().match_response(&message)?;
        assert_eq!(user, User(7));
        Some(self.work().receive_response(now, id, &message))
    }

    /// Takes a request and gives what became of it, without the names of new ones.
    fn request(&mut self, text: &str) -> ServerMatch {
        let now = self.now();
        match self.work().receive_request(now, &Message::parse(text.as_bytes()).unwrap()) {
            ServerMatch::New(_) => NEW,
            ServerMatch::Merged(_) => MERGED,
            other => other,
        }
    }

    fn try_server(&mut self, source: Flow, text: &str, reserved: bool) -> Result<TransactionId, Capacity> {
        let (now, message) = (self.now(), Message::parse(text.as_bytes()).unwrap());
        let mut work = self.work();
        let ServerMatch::New(new) = work.receive_request(now, &message) else { panic!("not new: {text}") };
        work.server(now, &message, NewServer { new, source, to_tag: b"b", user: User(8), reserved })
    }

    /// Takes a new request on `flow` and makes a transaction of it.
    fn server(&mut self, flow: Flow, text: &str) -> TransactionId {
        self.try_server(flow, text, false).unwrap()
    }

    fn unreachable(&mut self, id: TransactionId) {
        let now = self.now();
        self.work().unreachable(now, id);
    }

    fn resend(&mut self, id: TransactionId) {
        let now = self.now();
        self.work().resend(now, id);
    }

    fn respond(&mut self, id: TransactionId, status: u16) -> Result<(), Error> {
        let now = self.now();
        self.work().respond(now, id, status, None, false, |_, w| w.finish_without_body())
    }

    /// Everything that is ready to be sent.
    fn sent(&mut self) -> Vec<(Flow, String)> {
        let mut sent = Vec::new();
        while let Some(id) = self.work().poll_send() {
            let work = self.work();
            let (bytes, flow) = work.lend(id).unwrap();
            sent.push((flow, String::from_utf8(bytes.to_vec()).unwrap()));
        }
        sent
    }

    /// The first lines of everything that is ready to be sent.
    fn sent_lines(&mut self) -> Vec<String> {
        self.sent().into_iter().map(|(_, text)| text.lines().next().unwrap().to_owned()).collect()
    }

    /// Lets `millis` pass; gives each send as its time since the start and its first line, and what ended.
    fn pass(&mut self, millis: u64) -> (Vec<(u64, String)>, Vec<(u64, ExpiredKind)>) {
        let (start, end) = (self.now, self.now + millis);
        let (mut sent, mut ended) = (Vec::new(), Vec::new());
        loop {
            sent.extend(self.sent_lines().into_iter().map(|line| (self.now - start, line)));
            let Some(next) = self.work().next_timeout().filter(|next| *next <= at(end)) else { break };
            assert!(next.as_millis() >= self.now);
            self.now = next.as_millis();
            while let Some(expired) = self.expire() {
                ended.push((self.now - start, expired.kind));
            }
        }
        self.now = end;
        (sent, ended)
    }

    /// Fails a flow; gives what became of the transactions on it.
    fn fail(&mut self, flow: Flow) -> Vec<(TransactionId, ExpiredKind)> {
        let now = self.now();
        self.work().flow_failed(now, flow);
        core::iter::from_fn(|| self.expire()).map(|expired| (expired.id, expired.kind)).collect()
    }

    fn expire(&mut self) -> Option<Expired> {
        let now = self.now();
        self.work().handle_timeout(now)
    }

    fn is_drained(&mut self) -> bool {
        assert_eq!(self.work().poll_send(), None);
        self.work().is_empty() && self.octets.used() == 0 && self.work().next_timeout().is_none()
    }
}

/// The response with `status` to a request that [`Bench::write`] wrote.
fn response(status: u16, method: &str, branch: u64) -> String {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch:016x};rport\r\n\
         From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>;tag=b{status}\r\nCall-ID: 1@alice\r\n\
         CSeq: {branch} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of the peer.
fn request(method: &str, branch: &str, to_tag: &str) -> String {
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9{branch}\r\n\
         From: <sip:bob@example.com>;tag=f\r\nTo: <sip:alice@example.com>{to_tag}\r\nCall-ID: 2@bob\r\n\
         CSeq: 4 {method}\r\nRecord-Route: <sip:p.example.com;lr>\r\nContent-Length: 0\r\n\r\n"
    )
}
