//! An office: a proxy, phones around it, and who says where a request goes.

#![allow(dead_code, reason = "no test program uses all of it")]

use core::net::SocketAddr;
use sip_core::message::{Message, Method};
use sip_core::proxy::{self, Arrays, Event, Proxy, Request, Target, Why};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};
use sip_core::ua::{self, Call, Cause, Content, UserAgent};
use sip_testkit::{ANSWER, Config, Either, HasWorld, NodeId, OFFER, Phone, User, World};

/// A proxy with room for a few calls at once.
pub(crate) type Hub = Proxy<Arrays<64, 8, 16, 65_535>>;

/// A node of the office.
pub(crate) type Node = Either<Hub, Phone>;

/// When the staff says where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// At once, with the message.
    AtOnce,
    /// Later, without it.
    After(Duration),
    /// When the test does.
    Never,
}

/// Who is reached where: a user, and targets with their q.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) user: String,
    pub(crate) uri: String,
    pub(crate) q: u16,
    pub(crate) route: String,
    pub(crate) flow: Flow,
}

/// Answers "where to?", and writes down what phones and proxy tell.
pub(crate) struct Staff {
    pub(crate) bindings: Vec<Binding>,
    pub(crate) answers: Answers,
    pub(crate) phones: Vec<(Instant, NodeId, ua::Event)>,
    pub(crate) proxy: Vec<(Instant, NodeId, Event)>,
    /// What waits for its answer: when, at which proxy, which request, for whom.
    waiting: Vec<(Instant, NodeId, Request, String)>,
    /// Phones that answer calls by themselves, and with what.
    pub(crate) automatic: Vec<(NodeId, u16)>,
}

impl Staff {
    fn targets(&self, user: &str) -> Vec<Binding> {
        self.bindings.iter().filter(|binding| binding.user == user).cloned().collect()
    }

    fn answer(&self, hub: &mut Hub, now: Instant, request: Request, user: &str, message: Option<&Message<'_>>) {
        let bindings = self.targets(user);
        let targets: Vec<_> = bindings
            .iter()
            .map(|to| Target::new(to.uri.as_bytes()).with_q(to.q).with_route(to.route.as_bytes()).with_flow(to.flow))
            .collect();
        if targets.is_empty() {
            // An ACK can't be refused.
            let _ = hub.respond(now, request, 404, &[]);
        } else {
            // Cancelled meanwhile, perhaps.
            let _ = hub.forward(now, request, &targets, message);
        }
    }
}

impl User<Node> for Staff {
    fn on_event(
        &mut self,
        node: &mut Node,
        now: Instant,
        id: NodeId,
        event: Either<Event, ua::Event>,
        message: Option<&Message<'_>>,
    ) {
        match (event, node) {
            (Either::First(event), Either::First(hub)) => {
                self.proxy.push((now, id, event));
                let Event::Request { request, why } = event else { return };
                let message = message.expect("the request");
                if why == Why::Passing {
                    hub.proceed(now, request, Some(message)).expect("a request to let pass");
                    return;
                }
                let user = message.uri().and_then(|uri| uri.user()).unwrap_or_default();
                let user = String::from_utf8(user.to_vec()).expect("a user");
                match self.answers {
                    Answers::AtOnce => self.answer(hub, now, request, &user, Some(message)),
                    Answers::After(span) => self.waiting.push((now + span, id, request, user)),
                    Answers::Never => {}
                }
            }
            (Either::Second(event), Either::Second(phone)) => {
                self.phones.push((now, id, event));
                if let ua::Event::Incoming { call } = event
                    && let Some((_, status)) = self.automatic.iter().find(|(phone, _)| *phone == id)
                {
                    let _ = phone.ring(now, call, 180, &Content::NONE);
                    let _ = match status {
                        200 => phone.answer(now, call, &Content::sdp(ANSWER)),
                        status => phone.reject(now, call, *status, &Content::NONE),
                    };
                }
            }
            _ => unreachable!("an event of the other kind"),
        }
    }

    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        self.waiting.iter().map(|(at, node, ..)| (*at, *node)).min()
    }

    fn wake(&mut self, node: &mut Node, now: Instant, id: NodeId) {
        let Some(index) = self.waiting.iter().position(|(at, node, ..)| *at <= now && *node == id) else { return };
        let (_, _, request, user) = self.waiting.remove(index);
        self.answer(node.first(), now, request, &user, None);
    }
}

/// The office.
pub(crate) struct Office {
    pub(crate) world: World<Node, Staff>,
    pub(crate) hub: NodeId,
}

/// Where the proxy is.
pub(crate) const HUB: &str = "192.0.2.5:5060";

pub(crate) fn address(text: &str) -> Address {
    Address::from(text.parse::<SocketAddr>().expect("an address"))
}

impl Office {
    /// A proxy of `example.com` on a network without faults, with a ladder, the fingerprint checked at every step.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(Config::new(seed).with_ladder(5000).with_check(), |_| {})
    }

    pub(crate) fn with(config: Config, change: impl FnOnce(&mut proxy::Config<'_>)) -> Self {
        let staff = Staff {
            bindings: Vec::new(),
            answers: Answers::AtOnce,
            phones: Vec::new(),
            proxy: Vec::new(),
            waiting: Vec::new(),
            automatic: Vec::new(),
        };
        let mut world = World::new(config, staff);
        let seed = world.role_seed();
        let mut hub = Proxy::new(Arrays::new());
        let mut config = proxy::Config::new(&[HUB]).with_domains(&["example.com"]);
        change(&mut config);
        hub.start(&config, seed).expect("a configuration that can be used");
        let hub = world.add("proxy", address(HUB), Either::First(hub));
        Self { world, hub }
    }

    /// Adds another proxy.
    pub(crate) fn add_hub(&mut self, name: &str, at: &str, domain: &str) -> NodeId {
        let seed = self.world.role_seed();
        let mut hub = Proxy::new(Arrays::new());
        hub.start(&proxy::Config::new(&[at]).with_domains(&[domain]), seed).expect("a configuration");
        self.world.add(name, address(at), Either::First(hub))
    }

    /// Adds a phone whose requests go by the proxy.
    pub(crate) fn add(&mut self, name: &str, at: &str) -> NodeId {
        let seed = self.world.role_seed();
        let identity = format!("sip:{name}@example.com");
        let mut config = ua::Config::new(at, &identity).with_proxy("sip:192.0.2.5;lr");
        config.contact_user = name;
        config.transfers = true;
        let mut phone = UserAgent::new(ua::Arrays::with_referrals());
        phone.start(&config, seed).expect("a configuration that can be used");
        self.world.add(name, address(at), Either::Second(phone))
    }

    /// Binds a user to a contact.
    pub(crate) fn bind(&mut self, user: &str, uri: &str, q: u16) {
        let binding = Binding { user: user.to_owned(), uri: uri.to_owned(), q, route: String::new(), flow: Flow::NONE };
        self.world.user_mut().bindings.push(binding);
    }

    /// Alice, and bob, who is bound to his phone.
    pub(crate) fn pair(seed: u64) -> (Self, NodeId, NodeId) {
        let mut office = Self::new(seed);
        let alice = office.add("alice", "192.0.2.1:5060");
        let bob = office.add("bob", "192.0.2.2:5060");
        office.bind("alice", "sip:alice@192.0.2.1", 1000);
        office.bind("bob", "sip:bob@192.0.2.2", 1000);
        (office, alice, bob)
    }

    /// Alice, and bob with two phones of these q.
    pub(crate) fn fork(seed: u64, first: u16, second: u16) -> (Self, NodeId, [NodeId; 2]) {
        let mut office = Self::new(seed);
        let alice = office.add("alice", "192.0.2.1:5060");
        let desk = office.add("desk", "192.0.2.2:5060");
        let soft = office.add("soft", "192.0.2.3:5060");
        office.bind("bob", "sip:bob@192.0.2.2", first);
        office.bind("bob", "sip:bob@192.0.2.3", second);
        (office, alice, [desk, soft])
    }

    pub(crate) fn phone<T>(&mut self, node: NodeId, act: impl FnOnce(&mut Phone, Instant) -> T) -> T {
        self.world.act(node, |role, now| act(role.second(), now))
    }

    pub(crate) fn proxy<T>(&mut self, act: impl FnOnce(&mut Hub, Instant) -> T) -> T {
        let hub = self.hub;
        self.world.act(hub, |role, now| act(role.first(), now))
    }

    pub(crate) fn call(&mut self, from: NodeId, target: &str) -> Call {
        self.phone(from, |phone, now| phone.call(now, target, "", &Content::sdp(OFFER))).expect("room for a call")
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.world.run_for(Duration::from_millis(milliseconds));
    }

    pub(crate) fn pause(&mut self) {
        self.wait(100);
    }

    /// The call that has come in at a phone last.
    pub(crate) fn incoming(&self, node: NodeId) -> Call {
        let mut calls = self.events(node).into_iter().filter_map(|event| match event {
            ua::Event::Incoming { call } => Some(call),
            _ => None,
        });
        calls.next_back().unwrap_or_else(|| panic!("no call came\n{}", self.world.explain()))
    }

    pub(crate) fn events(&self, node: NodeId) -> Vec<ua::Event> {
        self.world.user().phones.iter().filter(|(_, at, _)| *at == node).map(|(_, _, event)| *event).collect()
    }

    /// What the proxy told.
    pub(crate) fn told(&self) -> Vec<Event> {
        self.world.user().proxy.iter().map(|(_, _, event)| *event).collect()
    }

    /// The request that the proxy asked about last.
    pub(crate) fn request(&self) -> Request {
        let mut asked = self.told().into_iter().filter_map(|event| match event {
            Event::Request { request, .. } => Some(request),
            _ => None,
        });
        asked.next_back().unwrap_or_else(|| panic!("nothing was asked\n{}", self.world.explain()))
    }

    pub(crate) fn ring(&mut self, node: NodeId) -> Call {
        let call = self.incoming(node);
        self.phone(node, |phone, now| phone.ring(now, call, 180, &Content::NONE)).expect("a call to ring");
        call
    }

    pub(crate) fn answer(&mut self, node: NodeId) -> Call {
        let call = self.incoming(node);
        self.phone(node, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).expect("a call to answer");
        call
    }

    pub(crate) fn reject(&mut self, node: NodeId, status: u16) {
        let call = self.incoming(node);
        self.phone(node, |phone, now| phone.reject(now, call, status, &Content::NONE)).expect("a call to reject");
    }

    pub(crate) fn hang_up(&mut self, node: NodeId, call: Call) {
        self.phone(node, |phone, now| phone.hang_up(now, call)).expect("a call to end");
    }

    /// How a phone's calls ended, in order.
    pub(crate) fn ended(&self, node: NodeId) -> Vec<(Cause, u16)> {
        let ended = self.events(node).into_iter().filter_map(|event| match event {
            ua::Event::Ended { cause, status, .. } => Some((cause, status)),
            _ => None,
        });
        ended.collect()
    }

    /// Runs until nothing is left to happen and checks that nobody holds anything.
    pub(crate) fn settle(&mut self) {
        assert!(self.world.run_until_quiet(Duration::from_secs(1800)), "not quiet\n{}", self.world.explain());
        for node in self.world.nodes() {
            match self.world.role(node) {
                Either::First(hub) => {
                    let held = hub.occupancy();
                    let tables = (held.transactions, held.contexts, held.branches);
                    assert_eq!(tables, (0, 0, 0), "transactions, contexts, branches held\n{}", self.world.explain());
                    assert!(held.octets < 100, "{} octets held\n{}", held.octets, self.world.explain());
                }
                Either::Second(phone) => {
                    let held = phone.occupancy();
                    let tables = (held.transactions, held.dialogs, held.calls, held.referrals);
                    assert_eq!(
                        tables,
                        (0, 0, 0, 0),
                        "transactions, dialogs, calls, REFERs held\n{}",
                        self.world.explain()
                    );
                }
            }
        }
    }

    /// The same without 100, which is for one hop and depends on the time.
    pub(crate) fn heard(&self, from: &str, to: &str) -> Vec<String> {
        self.lines(from, to).into_iter().filter(|line| line != "100").collect()
    }

    /// What went from one node to another, as first lines: methods and statuses.
    pub(crate) fn lines(&self, from: &str, to: &str) -> Vec<String> {
        let (from, to) = (address(from), address(to));
        let datagrams = self.world.ladder().datagrams().filter(|sent| sent.from == from && sent.to == to);
        datagrams.map(|sent| first_line(&sent.bytes)).collect()
    }
}

fn first_line(bytes: &[u8]) -> String {
    match Message::parse(bytes) {
        Ok(message) => match message.status() {
            Some(status) => status.to_string(),
            None => String::from_utf8_lossy(message.method().as_bytes()).into_owned(),
        },
        Err(_) => "?".to_owned(),
    }
}

/// Whether two methods are the same; for closures that filter.
pub(crate) fn is(message: &Message<'_>, method: Method<'_>) -> bool {
    message.is_request() && message.method() == method
}

impl HasWorld for Office {
    type Role = Node;
    type User = Staff;

    fn world(&self) -> &World<Node, Staff> {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World<Node, Staff> {
        &mut self.world
    }
}
