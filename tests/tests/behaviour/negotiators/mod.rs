//! Phones whose sessions the user agent negotiates: what each can do, what it plans, and what it was told.

use core::net::{IpAddr, SocketAddr};
use sip_core::message::Message;
use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::{Agreed, Capabilities, Codec, LocalMedia};
use sip_core::time::{Duration, Instant};
use sip_core::transport::Address;
use sip_core::ua::{self, Call, Cause, Content, Event, ReliableProvisional, SessionError, UserAgent};
use sip_testkit::{Config, NodeId, Phone, User, World};
use std::collections::HashMap;

/// What a user does at a moment of its own.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Calls, with an offer or without.
    Call(String, bool),
    /// Rings with a preview of the answer.
    Preview,
    /// Answers the first INVITE, and every re-INVITE from then on.
    Answer,
    /// Refuses what waits.
    Reject,
    /// Wants another direction, and offers it.
    Direct(Direction),
    /// The same by UPDATE.
    Shift(Direction),
    /// Prefers other codecs, and offers them.
    Codecs(Vec<Codec<'static>>),
    /// Sends a re-INVITE without an offer.
    AskForOffer,
    HangUp,
}

/// One phone and its user.
pub(crate) struct Party {
    pub(crate) address: IpAddr,
    pub(crate) codecs: Vec<Codec<'static>>,
    pub(crate) direction: Direction,
    /// Whether it answers re-INVITEs at once.
    answers: bool,
    /// Whether provisional responses are acknowledged, so that what they agree upon holds.
    pub(crate) is_reliable: bool,
    /// A change that was not possible when it was wanted, and the codecs that it has.
    change_due: bool,
    wanted: Option<Vec<Codec<'static>>>,
    pub(crate) call: Option<Call>,
    /// What its call is agreed upon.
    pub(crate) agreed: Option<Agreed>,
    /// What `agree` has given for events before the answer.
    pub(crate) shown: Vec<Agreed>,
    pub(crate) errors: Vec<SessionError>,
    pub(crate) events: Vec<Event>,
    /// The descriptions of each peer by the numbers of their `o=`.
    heard: HashMap<(Vec<u8>, u64), Vec<u8>>,
}

/// The users of all phones.
#[derive(Default)]
pub(crate) struct Parties {
    pub(crate) list: Vec<(NodeId, Party)>,
    plan: Vec<(Instant, NodeId, Act)>,
}

pub(crate) type Room = World<Phone, Parties>;

impl Party {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            codecs: vec![Codec::PCMA, Codec::PCMU, Codec::TELEPHONE_EVENT],
            direction: Direction::SendRecv,
            answers: false,
            is_reliable: false,
            change_due: false,
            wanted: None,
            call: None,
            agreed: None,
            shown: Vec::new(),
            errors: Vec::new(),
            events: Vec::new(),
            heard: HashMap::new(),
        }
    }

    /// Hands what this phone can do to `act`.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Capabilities<'_>) -> T) -> T {
        let media = [LocalMedia { direction: self.direction, ..LocalMedia::audio(4000, &self.codecs) }];
        act(&Capabilities::new(self.address, &media))
    }

    /// How many descriptions of its peers it has read.
    pub(crate) fn versions(&self) -> u64 {
        self.heard.len() as u64
    }

    /// One version is one description (RFC 3264 §8): the same numbers in `o=` never come with another text.
    fn watch(&mut self, message: &Message<'_>) {
        let Ok(Some(body)) = message.body_of_type(b"application/sdp") else { return };
        let text = String::from_utf8_lossy(body).into_owned();
        // A scripted peer forks, and says what it likes.
        if text.contains("192.0.2.9") || !text.contains("o=") {
            return;
        }
        let origin: Vec<&str> = text.split("\r\n").nth(1).expect("a line o=").split(' ').collect();
        let key = (origin[1].as_bytes().to_vec(), origin[2].parse().expect("a version"));
        let known = self.heard.entry(key).or_insert_with(|| body.to_vec());
        assert_eq!(String::from_utf8_lossy(known), text, "one version, two descriptions");
    }

    /// Offers what this phone wants now, or as soon as what is under way is over.
    fn change(&mut self, phone: &mut Phone, now: Instant, call: Call) {
        // While an offer is out, its answer is read with the codecs that it was made of.
        let new = self.wanted.clone().unwrap_or_else(|| self.codecs.clone());
        let before = core::mem::replace(&mut self.codecs, new);
        let changed = self.with(|local| phone.change_with(now, call, local, &[]));
        self.change_due = changed.is_err();
        match changed {
            Ok(()) => self.wanted = None,
            Err(error) => {
                self.codecs = before;
                self.errors.push(error);
            }
        }
    }

    fn note(&mut self, result: Result<Option<Agreed>, SessionError>, holds: bool) {
        match result {
            Ok(None) => {}
            Ok(agreed) if holds => self.agreed = agreed,
            Ok(Some(agreed)) => self.shown.push(agreed),
            Err(error) => self.errors.push(error),
        }
    }
}

impl Parties {
    pub(crate) fn at(&mut self, node: NodeId) -> &mut Party {
        &mut self.list.iter_mut().find(|(of, _)| *of == node).expect("a party").1
    }

    pub(crate) fn plan(&mut self, at: Instant, node: NodeId, act: Act) {
        self.plan.push((at, node, act));
        self.plan.sort_by_key(|(at, ..)| *at);
    }

    fn answer(party: &mut Party, phone: &mut Phone, now: Instant, call: Call) {
        match party.with(|local| phone.answer_with(now, call, local, &[])) {
            Ok(agreed) => party.agreed = agreed.or(party.agreed),
            Err(error) => party.errors.push(error),
        }
    }
}

impl User<Phone> for Parties {
    fn on_event(&mut self, phone: &mut Phone, now: Instant, node: NodeId, event: Event, message: Option<&Message<'_>>) {
        let party = self.at(node);
        party.events.push(event);
        if let Event::Incoming { call } = event {
            if party.call.is_some() {
                phone.reject(now, call, 486, &Content::NONE).expect("an INVITE to refuse");
                return;
            }
            party.call = Some(call);
        }
        if let Event::Ended { .. } = event {
            party.call = None;
        }
        let (Some(call), Some(message)) = (party.call, message) else { return };
        party.watch(message);
        let result = party.with(|local| phone.agree(now, call, local, message));
        match event {
            Event::Reinvite { .. } => {
                let refused = result.is_err();
                party.note(result, false);
                if party.answers && !refused {
                    Self::answer(party, phone, now, call);
                }
            }
            Event::Update { .. } | Event::ProvisionalAcknowledged { answer_due: true, .. } => {
                let refused = result.is_err();
                party.note(result, false);
                if !refused {
                    let agreed = party.with(|local| phone.answer_offer_with(now, call, local, &[]));
                    party.note(agreed.map(Some), true);
                }
            }
            Event::Progress { answer_due: true, fork, .. } => {
                let refused = result.is_err();
                party.note(result, false);
                if !refused {
                    let agreed = party.with(|local| phone.acknowledge_provisional_with(now, call, fork, local, &[]));
                    party.note(agreed.map(Some), true);
                }
            }
            Event::Progress { .. } if party.is_reliable => party.note(result, true),
            Event::Answered { answer_due: true, .. } | Event::Reinvited { answer_due: true, .. } => {
                let refused = result.is_err();
                party.note(result, false);
                if !refused {
                    let agreed = party.with(|local| phone.acknowledge_with(now, call, local, &[]));
                    party.note(agreed.map(Some), true);
                }
            }
            Event::Incoming { .. } | Event::Progress { .. } => party.note(result, false),
            Event::Answered { .. } if matches!(result, Ok(None)) && !party.is_reliable => {
                party.agreed = party.shown.last().copied();
            }
            _ => party.note(result, true),
        }
        if matches!(event, Event::Confirmed { .. } | Event::Reinvited { .. }) && party.change_due {
            party.change(phone, now, call);
        }
    }

    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        self.plan.first().map(|(at, node, _)| (*at, *node))
    }

    fn wake(&mut self, phone: &mut Phone, now: Instant, node: NodeId) {
        let (_, _, act) = self.plan.remove(0);
        let party = self.at(node);
        let Some(call) = party.call else {
            if let Act::Call(target, offers) = act {
                let made = if offers {
                    party.with(|local| phone.call_with(now, &target, "", local, &[]))
                } else {
                    phone.call(now, &target, "", &Content::NONE).map_err(SessionError::from)
                };
                party.call = Some(made.expect("room for a call"));
                party.answers = true;
            }
            return;
        };
        let done = match act {
            Act::Call(..) => Ok(()),
            Act::Preview => {
                let shown = party.with(|local| phone.ring_with(now, call, 183, local, &[]));
                shown.map(|agreed| party.shown.extend(agreed))
            }
            Act::Answer => {
                party.answers = true;
                Self::answer(party, phone, now, call);
                Ok(())
            }
            Act::Reject => phone.reject(now, call, 488, &Content::NONE).map_err(SessionError::from),
            Act::Direct(direction) => {
                party.direction = direction;
                party.change(phone, now, call);
                Ok(())
            }
            Act::Shift(direction) => {
                party.direction = direction;
                party.with(|local| phone.update_with(now, call, local, &[]))
            }
            Act::Codecs(codecs) => {
                party.wanted = Some(codecs);
                party.change(phone, now, call);
                Ok(())
            }
            Act::AskForOffer => phone.reinvite(now, call, &Content::NONE).map_err(SessionError::from),
            Act::HangUp => phone.hang_up(now, call).map_err(SessionError::from),
        };
        if let Err(error) = done {
            party.errors.push(error);
        }
    }
}

/// A room with these phones at 192.0.2.1, .2, …
pub(crate) fn room(config: Config, names: &[&str]) -> (Room, Vec<NodeId>) {
    room_with(config, names, ReliableProvisional::Off)
}

/// The same with this policy for provisional responses.
pub(crate) fn room_with(config: Config, names: &[&str], reliable: ReliableProvisional) -> (Room, Vec<NodeId>) {
    let mut room = World::new(config, Parties::default());
    let mut nodes = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let address: SocketAddr = format!("192.0.2.{}:5060", place + 1).parse().expect("an address");
        let (text, identity) = (address.to_string(), format!("sip:{name}@example.com"));
        let mut config = ua::Config::new(&text, &identity);
        config.contact_user = name;
        config.reliable_provisional = reliable;
        let seed = room.role_seed();
        let mut phone: Phone = UserAgent::new(ua::Arrays::default());
        phone.start(&config, seed).expect("a configuration that can be used");
        let node = room.add(name, Address::from(address), phone);
        let is_reliable = reliable != ReliableProvisional::Off;
        room.user_mut().list.push((node, Party { is_reliable, ..Party::new(address.ip()) }));
        nodes.push(node);
    }
    (room, nodes)
}

/// Plans an act of a phone in so many milliseconds.
pub(crate) fn plan(room: &mut Room, after: u64, node: NodeId, act: Act) {
    let at = room.now() + Duration::from_millis(after);
    room.user_mut().plan(at, node, act);
}

/// Does it now, and lets 100 ms pass.
pub(crate) fn act(room: &mut Room, node: NodeId, what: Act) {
    plan(room, 0, node, what);
    room.run_for(Duration::from_millis(100));
}

/// How the calls of a phone ended.
pub(crate) fn ended(room: &mut Room, node: NodeId) -> Vec<(Cause, u16)> {
    let events = room.user_mut().at(node).events.iter();
    let ended = events.filter_map(|event| match event {
        Event::Ended { cause, status, .. } => Some((*cause, *status)),
        _ => None,
    });
    ended.collect()
}

/// Fails unless two ends agree on one stream, each seeing it from its side.
pub(crate) fn assert_mirrored(room: &mut Room, one: NodeId, other: NodeId) {
    let [(a, a_ip), (b, b_ip)] = [one, other].map(|node| {
        let party = room.user_mut().at(node);
        (party.agreed.expect("a session"), party.address)
    });
    let explain = room.explain();
    let (a, b) = (a.media(0).expect("a stream"), b.media(0).expect("a stream"));
    assert_eq!((a.codec.send, a.codec.receive), (b.codec.receive, b.codec.send), "payload types\n{explain}");
    let mirrored = (b.direction.receives(), b.direction.sends());
    assert_eq!((a.direction.sends(), a.direction.receives()), mirrored, "directions\n{explain}");
    assert_eq!([a.remote, b.remote].map(|remote| remote.map(|remote| remote.ip())), [Some(b_ip), Some(a_ip)]);
}

/// The same, and that the stream is what both users want now.
pub(crate) fn assert_agreed(room: &mut Room, one: NodeId, other: NodeId) {
    assert_mirrored(room, one, other);
    let [(a, a_codecs, a_wants), (b, b_codecs, b_wants)] = [one, other].map(|node| {
        let party = room.user_mut().at(node);
        (party.agreed.expect("a session"), party.codecs.clone(), party.direction)
    });
    let explain = room.explain();
    let (a, b) = (a.media(0).expect("a stream"), b.media(0).expect("a stream"));
    let name = |codecs: &[Codec<'static>], place: u8| codecs[usize::from(place)].encoding;
    assert_eq!(name(&a_codecs, a.codec.codec), name(&b_codecs, b.codec.codec), "codecs\n{explain}");
    let both = (a_wants.sends() && b_wants.receives(), a_wants.receives() && b_wants.sends());
    assert_eq!((a.direction.sends(), a.direction.receives()), both, "what both want\n{explain}");
}

/// Runs until nothing is left to happen, and checks that nothing is held.
pub(crate) fn settle(room: &mut Room) {
    assert!(room.run_until_quiet(Duration::from_secs(3600)), "not quiet\n{}", room.explain());
    for node in room.nodes() {
        let held = room.role(node).occupancy();
        assert_eq!((held.transactions, held.dialogs, held.calls), (0, 0, 0), "held\n{}", room.explain());
    }
}
