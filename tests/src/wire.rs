//! A scripted peer: an address without a role, whose datagrams a test writes and reads itself.
//!
//! It is for what no user agent of ours would do: fork, challenge, route strictly, repeat or forget things. Whatever can be
//! tested between two real user agents should be.

use crate::heard::{Heard, finish};
use crate::{Fate, HasWorld, NodeId};
use sip_core::time::Duration;
use sip_core::transport::{Address, Flow, Transport};
use std::net::SocketAddr;

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
    transport: Transport,
    /// The number of the first line of the ladder that was not read.
    read: u64,
    made: u32,
}

impl Wire {
    /// A peer over UDP at `address` (`192.0.2.9:5060`), where no node may be.
    ///
    /// # Panics
    /// When `address` is not an address.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let parsed: SocketAddr = address.parse().expect("an address");
        Self { address: Address::from(parsed), host: address.into(), transport: Transport::Udp, read: 0, made: 0 }
    }

    /// A peer over TCP, which takes connections at `address`. What it sends to a node goes by the connection with that node
    /// that was opened last. It hears what is sent to `address` by datagram too.
    ///
    /// # Panics
    /// When `address` is not an address.
    #[must_use]
    pub fn listening<W: HasWorld>(world: &mut W, address: &str) -> Self {
        let wire = Self { transport: Transport::Tcp, ..Self::new(address) };
        world.world_mut().listen_scripted(wire.address, true);
        wire
    }

    /// Where the peer is.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// The Contact row of this peer.
    #[must_use]
    pub fn contact(&self) -> String {
        let parameter = if self.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("Contact: <sip:wire@{}{parameter}>\r\n", self.host)
    }

    /// The open connections of this peer, first opened first.
    #[must_use]
    pub fn connections<W: HasWorld>(&self, world: &W) -> Vec<Flow> {
        world.world().scripted_connections(self.address)
    }

    /// Opens a connection to a node that takes them, for what is sent from now on.
    ///
    /// # Panics
    /// When the node takes none.
    pub fn connect<W: HasWorld>(&mut self, world: &mut W, to: NodeId) -> Flow {
        self.transport = Transport::Tcp;
        world.world_mut().connect_scripted(self.address, to).expect("a node that takes connections")
    }

    /// Closes all connections of this peer: the nodes take what was sent before, then learn of it, at once on a network
    /// without delays.
    pub fn close<W: HasWorld>(&self, world: &mut W) {
        let world = world.world_mut();
        for flow in world.scripted_connections(self.address) {
            world.hang_up(flow);
        }
        world.run_for(Duration::ZERO);
    }

    /// What was sent to this peer since the last question, but what was lost on the way. What the network holds back is heard when
    /// it is sent.
    ///
    /// # Panics
    /// When the ladder of the world is off, or so short that it has forgotten some of it.
    pub fn hear<W: HasWorld>(&mut self, world: &W) -> Vec<Heard> {
        let ladder = world.world().ladder();
        let whole = ladder.is_on() && (ladder.first_number() <= self.read || self.read == 0);
        assert!(whole, "{} hears by the ladder, which is off or too short: Config::with_ladder", self.address);
        let new =
            ladder.datagrams_since(self.read).filter(|entry| entry.to == self.address && entry.fate != Fate::Lost);
        let new = new.map(|entry| Heard { at: entry.time.as_millis(), from: entry.from, bytes: entry.bytes.clone() });
        let new = new.collect();
        self.read = ladder.next_number();
        new
    }

    /// What was sent since the last question, by kind: `INVITE 486 ACK`.
    pub fn kinds<W: HasWorld>(&mut self, world: &W) -> String {
        self.hear(world).iter().map(Heard::kind).collect::<Vec<_>>().join(" ")
    }

    /// The one datagram of `kind` that was sent since the last question; there must be no other datagram.
    ///
    /// # Panics
    /// When there is none, or more.
    pub fn expect<W: HasWorld>(&mut self, world: &W, kind: &str) -> Heard {
        let mut heard = self.expect_all(world, &[kind]);
        heard.remove(0)
    }

    /// The datagrams of these kinds, in this order, that were sent since the last question; there must be no others.
    ///
    /// # Panics
    /// When there are others.
    pub fn expect_all<W: HasWorld>(&mut self, world: &W, kinds: &[&str]) -> Vec<Heard> {
        let heard = self.hear(world);
        assert_eq!(heard.iter().map(Heard::kind).collect::<Vec<_>>(), kinds, "sent to {}", self.address);
        heard
    }

    /// Nothing was sent since the last question.
    ///
    /// # Panics
    /// When something was.
    pub fn expect_nothing<W: HasWorld>(&mut self, world: &W) {
        self.expect_all(world, &[]);
    }

    /// Sends a message to a node, which deals with it at once, on a network without delays.
    ///
    /// # Panics
    /// Over TCP, when there is no connection with the node.
    pub fn send<W: HasWorld>(&self, world: &mut W, to: NodeId, bytes: &[u8]) {
        let world = world.world_mut();
        if self.transport == Transport::Udp {
            let to = world.outside_address(to);
            world.inject(self.address, to, bytes);
        } else {
            let flow = world.scripted_connection(self.address, to).expect("a connection with the node");
            world.write(self.address, flow, bytes);
        }
        world.run_for(Duration::ZERO);
    }

    /// Sends a response without a body.
    pub fn respond<W: HasWorld>(&self, world: &mut W, to: NodeId, request: &Heard, status: u16, rows: &str) {
        self.send(world, to, &request.response(status, "wire", rows, b""));
    }

    /// Accepts an INVITE under a To tag with this peer's Contact and a body.
    pub fn accept<W: HasWorld>(&self, world: &mut W, to: NodeId, invite: &Heard, tag: &str, body: &[u8]) {
        self.send(world, to, &invite.response(200, tag, &self.contact(), body));
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
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {local}\r\n\
             To: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\n",
            self.transport.name(),
            self.host
        );
        finish(text, rows, body)
    }
}
