//! A scripted peer: an address without a role, whose datagrams a test writes and reads itself.
//!
//! It is for what no user agent of ours would do: fork, challenge, route strictly, repeat or forget things. Whatever can be
//! tested between two real user agents should be.

use crate::{NodeId, Phones};
use sip_core::message::Message;
use sip_core::time::Duration;
use sip_core::transport::Address;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A datagram that a scripted peer was sent.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it was sent, in milliseconds.
    pub at: u64,
    /// Who sent it.
    pub from: Address,
    /// Its octets.
    pub bytes: Vec<u8>,
}

impl Heard {
    /// The message.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).unwrap_or_else(|_| panic!("not a message:\n{}", self.text()))
    }

    /// The octets as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The method of a request, the status of a response, or `CRLF`.
    #[must_use]
    pub fn kind(&self) -> String {
        if self.bytes.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            return "CRLF".into();
        }
        let message = self.message();
        let method = || String::from_utf8_lossy(message.method().as_bytes()).into_owned();
        message.status().map_or_else(method, |status| status.to_string())
    }

    /// The rows of a header, by its long name as written, joined by commas; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.rows(name).join(", ")
    }

    /// The rows of a header.
    #[must_use]
    pub fn rows(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let rows = head.split("\r\n").skip(1).filter_map(|row| row.split_once(':'));
        let rows = rows.filter(|(written, _)| written.trim().eq_ignore_ascii_case(name));
        rows.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> String {
        String::from_utf8_lossy(self.message().request_uri().unwrap_or_default()).into_owned()
    }

    /// The branch of the topmost Via.
    #[must_use]
    pub fn branch(&self) -> String {
        String::from_utf8_lossy(self.message().top_via().branch().unwrap_or_default()).into_owned()
    }

    /// The number of CSeq.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.message().cseq().number
    }

    /// The To tag; empty when there is none.
    #[must_use]
    pub fn to_tag(&self) -> String {
        String::from_utf8_lossy(self.message().to_tag().unwrap_or_default()).into_owned()
    }

    /// The URI of the first Contact.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn contact(&self) -> String {
        let message = self.message();
        let contact = message.contacts().next().expect("a Contact").expect("a Contact that can be read");
        String::from_utf8_lossy(contact.raw_uri()).into_owned()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.message().body().to_vec()
    }

    /// A response to this request: status line, Vias, From, To with `tag` if it had none, Call-ID and CSeq, then `rows`
    /// (each with its line end), then `body`.
    #[must_use]
    pub fn response(&self, status: u16, tag: &str, rows: &str, body: &[u8]) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {status} Scripted\r\n");
        for via in self.rows("Via") {
            let _ = write!(text, "Via: {via}\r\n");
        }
        let mut to = self.header("To");
        if !to.contains(";tag=") && !tag.is_empty() {
            let _ = write!(to, ";tag={tag}");
        }
        for (name, value) in [
            ("From", self.header("From")),
            ("To", to),
            ("Call-ID", self.header("Call-ID")),
            ("CSeq", self.header("CSeq")),
        ] {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        finish(text, rows, body)
    }
}

fn finish(mut text: String, rows: &str, body: &[u8]) -> Vec<u8> {
    text.push_str(rows);
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let _ = write!(text, "{kind}Content-Length: {}\r\n\r\n", body.len());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A dialog as a scripted peer sees it.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Request-URI of its requests.
    pub target: String,
    /// From, with its tag.
    pub local: String,
    /// To, with the phone's tag once there is one.
    pub remote: String,
    /// Call-ID.
    pub call_id: String,
    /// CSeq of the last request.
    pub seq: u32,
}

/// A scripted peer.
#[derive(Clone, Debug)]
pub struct Wire {
    address: Address,
    host: String,
    heard: usize,
    made: u32,
}

impl Wire {
    /// A peer at `address` (`192.0.2.9:5060`), where no node may be.
    ///
    /// # Panics
    /// When `address` is not an address.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let parsed: SocketAddr = address.parse().expect("an address");
        Self { address: Address::from(parsed), host: address.into(), heard: 0, made: 0 }
    }

    /// The Contact row of this peer.
    #[must_use]
    pub fn contact(&self) -> String {
        format!("Contact: <sip:wire@{}>\r\n", self.host)
    }

    /// What was sent to this peer since the last question.
    pub fn hear(&mut self, phones: &Phones) -> Vec<Heard> {
        let all = phones.world.ladder().datagrams().filter(|entry| entry.to == self.address);
        let new: Vec<Heard> = all
            .skip(self.heard)
            .map(|entry| Heard { at: entry.time.as_millis(), from: entry.from, bytes: entry.bytes.clone() })
            .collect();
        self.heard += new.len();
        new
    }

    /// What was sent since the last question, by kind: `INVITE 486 ACK`.
    pub fn kinds(&mut self, phones: &Phones) -> String {
        self.hear(phones).iter().map(Heard::kind).collect::<Vec<_>>().join(" ")
    }

    /// The one datagram of `kind` that was sent since the last question; there must be no other datagram.
    ///
    /// # Panics
    /// When there is none, or more.
    pub fn expect(&mut self, phones: &Phones, kind: &str) -> Heard {
        let mut heard = self.expect_all(phones, &[kind]);
        heard.remove(0)
    }

    /// The datagrams of these kinds, in this order, that were sent since the last question; there must be no others.
    ///
    /// # Panics
    /// When there are others.
    pub fn expect_all(&mut self, phones: &Phones, kinds: &[&str]) -> Vec<Heard> {
        let heard = self.hear(phones);
        assert_eq!(heard.iter().map(Heard::kind).collect::<Vec<_>>(), kinds, "sent to {}", self.address);
        heard
    }

    /// Nothing was sent since the last question.
    ///
    /// # Panics
    /// When something was.
    pub fn expect_nothing(&mut self, phones: &Phones) {
        self.expect_all(phones, &[]);
    }

    /// Sends a datagram to a phone, which deals with it at once.
    pub fn send(&self, phones: &mut Phones, to: NodeId, bytes: &[u8]) {
        let to = phones.world.address(to);
        phones.world.inject(self.address, to, bytes);
        phones.world.run_for(Duration::ZERO);
    }

    /// Sends a response without a body.
    pub fn respond(&self, phones: &mut Phones, to: NodeId, request: &Heard, status: u16, rows: &str) {
        self.send(phones, to, &request.response(status, "wire", rows, b""));
    }

    /// Accepts an INVITE under a To tag with this peer's Contact and a body.
    pub fn accept(&self, phones: &mut Phones, to: NodeId, invite: &Heard, tag: &str, body: &[u8]) {
        self.send(phones, to, &invite.response(200, tag, &self.contact(), body));
    }

    /// A branch that no request had yet.
    pub fn branch(&mut self) -> String {
        self.made += 1;
        format!("z9hG4bK-wire-{}-{}", self.host.replace([':', '.'], "-"), self.made)
    }

    /// The dialog of a request that this peer makes to `target`.
    pub fn leg(&mut self, target: &str) -> Leg {
        self.made += 1;
        Leg {
            target: target.into(),
            local: format!("<sip:wire@{}>;tag=from-{}", self.host, self.made),
            remote: format!("<{target}>"),
            call_id: format!("call-{}-{}", self.made, self.host),
            seq: 0,
        }
    }

    /// The dialog that an INVITE to this peer makes, answered with `tag`.
    #[must_use]
    pub fn leg_of(&self, invite: &Heard, tag: &str) -> Leg {
        Leg {
            target: invite.contact(),
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From"),
            call_id: invite.header("Call-ID"),
            seq: 0,
        }
    }

    /// A request in a dialog with the next CSeq: Via, Max-Forwards, From, To, Call-ID, CSeq, then `rows`, then `body`.
    pub fn request(&mut self, leg: &mut Leg, method: &str, rows: &str, body: &[u8]) -> Vec<u8> {
        leg.seq += 1;
        let branch = self.branch();
        self.request_as(leg, method, &branch, rows, body)
    }

    /// The same with the present CSeq and this branch: an ACK, a CANCEL, a retransmission.
    #[must_use]
    pub fn request_as(&self, leg: &Leg, method: &str, branch: &str, rows: &str, body: &[u8]) -> Vec<u8> {
        let Leg { target, local, remote, call_id, seq } = leg;
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {local}\r\n\
             To: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\n",
            self.host
        );
        finish(text, rows, body)
    }

    /// Calls a phone and has it answer: the established dialog, and the phone's INVITE response. What was sent is read.
    ///
    /// # Panics
    /// When the call does not come about.
    pub fn call(&mut self, phones: &mut Phones, to: NodeId, target: &str, rows: &str) -> Leg {
        let mut leg = self.leg(target);
        let rows = format!("{}{rows}", self.contact());
        let invite = self.request(&mut leg, "INVITE", &rows, crate::OFFER);
        self.send(phones, to, &invite);
        let call = phones.incoming(to);
        let content = sip_core::ua::Content::sdp(crate::ANSWER);
        phones.act(to, |phone, now| phone.answer(now, call, &content)).expect("a call to answer");
        let answer = self.expect(phones, "200");
        leg.remote = answer.header("To");
        leg.target = answer.contact();
        let ack_branch = self.branch();
        let ack = self.request_as(&leg, "ACK", &ack_branch, "", b"");
        self.send(phones, to, &ack);
        leg
    }
}
