//! A domain: a server, phones around it, and a store that keeps the record of each address of record.

#![allow(dead_code, reason = "no test program uses all of it")]

use core::net::SocketAddr;
use sip_core::digest::{Algorithm, Answer, Secret, Terms, ha1_md5, ha1_sha256, write_authorization};
use sip_core::guard::{self, Secrets};
use sip_core::message::{Message, Method, Uri, Writer};
use sip_core::proxy::Target;
use sip_core::redirect::{self, Rule};
use sip_core::registrar::Change;
use sip_core::server::{Config, Directory, Event, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;
use sip_core::ua::{self, Call, Cause, Content, UserAgent};
use sip_core::{proxy, registrar};
use sip_testkit::{ANSWER, Either, HasWorld, Heard, NodeId, OFFER, Phone, User, Wire, World};
use std::collections::BTreeMap;

/// A server with room for a few phones.
pub(crate) type Hub =
    Server<proxy::Arrays<64, 12, 16, 65_535>, registrar::Arrays<64, 16_384>, guard::Arrays<16, 16>, Table>;

/// A node of the domain.
pub(crate) type Node = Either<Hub, Phone>;

/// A realm, and a user of it.
type Name = (Vec<u8>, Vec<u8>);
/// The MD5 and the SHA-256 that stand for a password.
type Hashes = ([u8; 16], [u8; 32]);

/// Users by name, as a server keeps them: without passwords.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    users: BTreeMap<Name, Hashes>,
    /// Who is to be asked for elsewhere.
    pub(crate) rules: Vec<Rule<'static>>,
    /// Whether the application is asked for users.
    pub(crate) asks: bool,
}

impl Table {
    pub(crate) fn new(users: &[(&str, &str)]) -> Self {
        let mut table = Self::default();
        for (user, password) in users {
            table.add(REALM, user, password);
        }
        table
    }

    /// Adds a user of a realm.
    pub(crate) fn add(&mut self, realm: &[u8], user: &str, password: &str) {
        let (user, password) = (user.as_bytes(), password.as_bytes());
        let hashes = (ha1_md5(user, realm, password), ha1_sha256(user, realm, password));
        self.users.insert((realm.to_vec(), user.to_vec()), hashes);
    }
}

impl Directory for Table {
    fn user(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        let (md5, sha256) = self.users.get(&(realm.to_vec(), user.to_vec())).filter(|_| !self.asks)?;
        Some(Secrets { password: None, md5: Some(*md5), sha256: Some(*sha256) })
    }

    fn asks(&self, _: &[u8], _: &[u8]) -> bool {
        self.asks
    }

    fn redirect(&self, uri: &Uri<'_>) -> &[Target<'_>] {
        redirect::find(&self.rules, uri)
    }
}

pub(crate) const REALM: &[u8] = b"example.com";
pub(crate) const USERS: &[(&str, &str)] = &[("alice", "wonderland"), ("bob", "zanzibar"), ("carol", "xmas")];
pub(crate) const HUB: &str = "192.0.2.5:5060";
/// The server, which is the first node.
pub(crate) const SERVER: NodeId = NodeId::FIRST;
const EPOCH: u64 = 1_700_000_000;

/// Keeps records, and writes down what phones and server tell.
#[derive(Default)]
pub(crate) struct Staff {
    /// The record of each address of record.
    pub(crate) records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) server: Vec<Event>,
    /// What became of bindings, each with its contact.
    pub(crate) changes: Vec<(Change, String)>,
    pub(crate) phones: Vec<(NodeId, ua::Event)>,
}

impl User<Node> for Staff {
    fn on_event(
        &mut self,
        node: &mut Node,
        now: Instant,
        id: NodeId,
        event: Either<Event, ua::Event>,
        _: Option<&Message<'_>>,
    ) {
        match (event, node) {
            (Either::First(event), Either::First(hub)) => {
                self.server.push(event);
                let Event::Binding(event) = event else { return };
                let binding = hub.binding(event.binding).expect("a binding that was told of");
                self.changes.push((event.change, String::from_utf8(binding.contact.to_vec()).expect("a contact")));
                let mut room = vec![0; 4096];
                let mut w = Writer::new(&mut room);
                hub.bindings().write_record(now, event.binding, &mut w);
                let length = w.finish().expect("room for a record");
                room.truncate(length);
                let aor = binding.aor.to_vec();
                if length == 0 {
                    self.records.remove(&aor)
                } else {
                    self.records.insert(aor, room)
                };
            }
            (Either::Second(event), Either::Second(_)) => self.phones.push((id, event)),
            _ => unreachable!("an event of the other kind"),
        }
    }
}

/// The domain.
pub(crate) struct Domain {
    pub(crate) world: World<Node, Staff>,
    pub(crate) hub: NodeId,
}

impl HasWorld for Domain {
    type Role = Node;
    type User = Staff;

    fn world(&self) -> &World<Node, Staff> {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World<Node, Staff> {
        &mut self.world
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::from(text.parse::<SocketAddr>().expect("an address"))
}

fn hub(now: Instant, seed: [u8; 16], change: impl FnOnce(&mut Config<'_>)) -> Hub {
    let mut hub = Server::new(proxy::Arrays::new(), registrar::Arrays::new(), guard::Arrays::new(), Table::new(USERS));
    let mut config = Config::new(&[HUB], &["example.com"], b"the secret of these tests").with_epoch(EPOCH);
    change(&mut config);
    hub.start(now, &config, seed).expect("a configuration that can be used");
    hub
}

impl Domain {
    /// A server of `example.com` on a network without faults, with a ladder, the fingerprint checked at every step.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, |_| {})
    }

    pub(crate) fn with(seed: u64, change: impl FnOnce(&mut Config<'_>)) -> Self {
        let config = sip_testkit::Config::new(seed).with_ladder(5000).with_check();
        let mut world = World::new(config, Staff::default());
        let seed = world.role_seed();
        let hub = world.add("server", address(HUB), Either::First(hub(Instant::ZERO, seed, change)));
        world.listen(hub, true);
        Self { world, hub }
    }

    /// The server is killed and started again, with the records that were stored.
    pub(crate) fn restart(&mut self) {
        let seed = self.world.role_seed();
        let records: Vec<_> = self.world.user().records.values().cloned().collect();
        let node = self.hub;
        self.world.sever(node);
        self.world.act(node, |role, now| {
            let mut fresh = hub(now, seed, |_| {});
            for record in &records {
                assert!(fresh.load(now, record).expect("a record") > 0);
            }
            *role = Either::First(fresh);
        });
    }

    /// Adds a phone that knows this password, and registers it.
    pub(crate) fn phone(&mut self, name: &str, at: &str, password: &str) -> NodeId {
        let phone = self.add(name, at, password, |_| {});
        self.register(phone, name);
        phone
    }

    pub(crate) fn add(
        &mut self,
        name: &str,
        at: &str,
        password: &str,
        change: impl FnOnce(&mut ua::Config<'_>),
    ) -> NodeId {
        let seed = self.world.role_seed();
        let identity = format!("sip:{name}@example.com");
        let mut config = ua::Config::new(at, &identity).with_proxy("sip:192.0.2.5;lr");
        config.contact_user = name;
        change(&mut config);
        let mut phone = UserAgent::new(ua::Arrays::with_referrals());
        phone.start(&config, seed).expect("a configuration that can be used");
        phone.add_credentials("example.com", name, password).expect("room for a password");
        self.world.add(&format!("{name} {at}"), address(at), Either::Second(phone))
    }

    pub(crate) fn register(&mut self, phone: NodeId, name: &str) {
        let aor = format!("sip:{name}@example.com");
        self.act(phone, |phone, now| phone.register(now, "sip:192.0.2.5", &aor, 3600)).expect("room to register");
        self.pause();
    }

    pub(crate) fn act<T>(&mut self, node: NodeId, act: impl FnOnce(&mut Phone, Instant) -> T) -> T {
        self.world.act(node, |role, now| act(role.second(), now))
    }

    pub(crate) fn server<T>(&mut self, act: impl FnOnce(&mut Hub, Instant) -> T) -> T {
        let hub = self.hub;
        self.world.act(hub, |role, now| act(role.first(), now))
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.world.run_for(Duration::from_millis(milliseconds));
    }

    pub(crate) fn pause(&mut self) {
        self.wait(100);
    }

    pub(crate) fn call(&mut self, from: NodeId, target: &str) -> Call {
        let call = self.act(from, |phone, now| phone.call(now, target, "", &Content::sdp(OFFER)));
        self.pause();
        call.expect("room for a call")
    }

    pub(crate) fn events(&self, node: NodeId) -> Vec<ua::Event> {
        self.world.user().phones.iter().filter(|(at, _)| *at == node).map(|(_, event)| *event).collect()
    }

    /// The calls that have come in at a phone.
    pub(crate) fn incoming(&self, node: NodeId) -> Vec<Call> {
        let incoming = |event| if let ua::Event::Incoming { call } = event { Some(call) } else { None };
        self.events(node).into_iter().filter_map(incoming).collect()
    }

    /// Answers the call that has come in last.
    pub(crate) fn answer(&mut self, node: NodeId) -> Call {
        let call = *self.incoming(node).last().unwrap_or_else(|| panic!("no call\n{}", self.world.explain()));
        self.act(node, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).expect("a call to answer");
        self.pause();
        call
    }

    /// How a phone's calls ended, in order.
    pub(crate) fn ended(&self, node: NodeId) -> Vec<(Cause, u16)> {
        let ended = |event| match event {
            ua::Event::Ended { cause, status, .. } => Some((cause, status)),
            _ => None,
        };
        self.events(node).into_iter().filter_map(ended).collect()
    }

    pub(crate) fn changes(&self) -> &[(Change, String)] {
        &self.world.user().changes
    }

    /// The contacts of a user, as they are tried.
    pub(crate) fn contacts(&mut self, user: &str) -> Vec<String> {
        let uri = format!("sip:{user}@example.com");
        self.server(|hub, _| {
            let uri = Uri::parse(uri.as_bytes()).expect("a URI");
            let bindings = hub.bindings();
            let set = bindings.find(&registrar::Aor::of(&uri).expect("an address of record"));
            let contact = |id| String::from_utf8(bindings.info(id).expect("a binding").contact.to_vec());
            set.into_iter().map(|id| contact(id).expect("a contact")).collect()
        })
    }

    /// What went from one node to another, as first lines: methods and statuses.
    pub(crate) fn heard(&self, from: &str, to: &str) -> Vec<String> {
        let (from, to) = (address(from), address(to));
        let sent = self.world.ladder().datagrams().filter(|sent| sent.from == from && sent.to == to);
        let lines = sent.map(|sent| Heard { at: 0, from: sent.from, bytes: sent.bytes.clone() }.kind());
        lines.filter(|line| line != "100").collect()
    }

    /// Lets all transactions end, and checks that the server holds none.
    pub(crate) fn settle(&mut self) {
        self.wait(240_000);
        let held = self.server(|hub, _| hub.proxy().occupancy());
        let tables = (held.transactions, held.contexts, held.branches);
        assert_eq!(tables, (0, 0, 0), "transactions, contexts, branches held\n{}", self.world.explain());
    }
}

/// The answer to a challenge: the row of credentials.
pub(crate) fn credentials(
    challenged: &Heard,
    method: &str,
    uri: &str,
    nc: u32,
    (user, password): (&str, &str),
) -> String {
    let message = challenged.message();
    let challenge = message.challenges().find(|one| one.algorithm == Algorithm::Sha256).expect("a challenge");
    let mut room = vec![0; 1000];
    let mut w = Writer::new(&mut room);
    let answer = Answer {
        username: user.as_bytes(),
        secret: Secret::Password(password.as_bytes()),
        method: Method::parse(method.as_bytes()).expect("a method"),
        uri: uri.as_bytes(),
        nc,
        cnonce: b"0a4f113b",
        body: b"",
    };
    assert!(write_authorization(&mut w, &Terms::from(&challenge), &answer));
    let length = w.finish().expect("room for credentials");
    room.truncate(length);
    String::from_utf8(room).expect("text")
}

/// A scripted client that registers.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) call_id: String,
    pub(crate) seq: u32,
    /// The challenge that was answered last, and how often.
    pub(crate) challenge: Option<Heard>,
    pub(crate) nc: u32,
}

impl Client {
    pub(crate) fn new(at: &str, user: &'static str) -> Self {
        let password = USERS.iter().find(|(name, _)| *name == user).map_or("", |(_, password)| password);
        Self {
            wire: Wire::new(at),
            user,
            password,
            call_id: format!("call of {user}").replace(' ', "-"),
            seq: 0,
            challenge: None,
            nc: 0,
        }
    }

    /// A REGISTER for somebody, with the credentials that there are.
    pub(crate) fn request(&mut self, aor: &str, rows: &str) -> Vec<u8> {
        let mut leg = self.wire.leg("sip:example.com");
        leg.local = format!("<sip:{aor}@example.com>;tag=1");
        leg.remote = format!("<sip:{aor}@example.com>");
        leg.call_id.clone_from(&self.call_id);
        leg.seq = self.seq;
        self.seq += 1;
        let mut rows = rows.to_owned();
        if let Some(challenge) = &self.challenge {
            self.nc += 1;
            rows += &credentials(challenge, "REGISTER", "sip:example.com", self.nc, (self.user, self.password));
        }
        self.wire.request(&mut leg, "REGISTER", &rows, b"")
    }

    /// Sends a REGISTER and gives the answer, after a challenge was answered if there was one.
    pub(crate) fn register_for(&mut self, domain: &mut Domain, aor: &str, rows: &str) -> Heard {
        for _ in 0..2 {
            let request = self.request(aor, rows);
            self.wire.send(domain, domain.hub, &request);
            domain.pause();
            let answer = self.wire.hear(domain).pop().expect("an answer");
            if answer.kind() != "401" {
                return answer;
            }
            (self.challenge, self.nc) = (Some(answer), 0);
        }
        self.challenge.clone().expect("a challenge")
    }

    pub(crate) fn register(&mut self, domain: &mut Domain, rows: &str) -> Heard {
        let user = self.user;
        self.register_for(domain, user, rows)
    }
}
