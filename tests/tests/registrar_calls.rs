//! A server with real phones: they register with digest and call each other through it.
//!
//! Covers RFC 3261 §10.3, §16.5, §22.3, §8.3 (302), RFC 3327 at the server. What proxies do with requests is in proxy_*.rs.

mod domain;

use domain::{Client, Domain, HUB, SERVER, USERS, credentials};
use sip_core::guard::Secrets;
use sip_core::message::Message;
use sip_core::proxy::Target;
use sip_core::redirect::Rule;
use sip_core::registrar::Change;
use sip_core::role::Role;
use sip_core::server::{Event, Relay, Why};
use sip_core::transport::{Flow, Transport};
use sip_core::ua::{self, Cause};
use sip_testkit::{Heard, Wire};

fn pair(seed: u64) -> (Domain, sip_testkit::NodeId, sip_testkit::NodeId) {
    let mut domain = Domain::new(seed);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    (domain, alice, bob)
}

#[test]
fn two_phones_register_and_call_each_other() {
    let (mut domain, alice, bob) = pair(1);
    for (phone, at) in [(alice, "192.0.2.1:5060"), (bob, "192.0.2.2:5060")] {
        assert!(matches!(domain.events(phone)[..], [ua::Event::Registered { expires: 3600, .. }]));
        assert_eq!(domain.heard(HUB, at), ["401", "200"]);
    }
    let call = domain.call(alice, "sip:bob@example.com");
    domain.answer(bob);
    assert!(
        domain.events(alice).contains(&ua::Event::Answered { call, answer_due: false }),
        "{}",
        domain.world.explain()
    );
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.pause();
    assert_eq!(domain.ended(bob), [(Cause::RemoteHangup, 0)]);
    // And the other way round.
    let call = domain.call(bob, "sip:alice@example.com");
    domain.answer(alice);
    domain.act(bob, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.settle();
    assert_eq!(domain.heard(HUB, "192.0.2.1:5060").iter().filter(|line| *line == "407").count(), 1, "nobody else asks");
}

#[test]
fn a_wrong_password_registers_nothing() {
    let mut domain = Domain::new(2);
    let bob = domain.phone("bob", "192.0.2.2:5060", "guessed");
    assert!(matches!(domain.events(bob)[..], [ua::Event::RegistrationFailed { status: 401, .. }]));
    assert!(domain.contacts("bob").is_empty() && domain.changes().is_empty());
    let wrong = Event::Refused { status: 401, why: Why::WrongDigest };
    assert_eq!(
        domain.world.user().server.iter().filter(|event| **event == wrong).count(),
        1,
        "the phone does not send what was refused again (RFC 3261 §22.1)"
    );
}

#[test]
fn two_phones_of_one_user_ring_together_and_the_first_to_answer_wins() {
    let (mut domain, alice, desk) = pair(3);
    let soft = domain.phone("bob", "192.0.2.3:5060", "zanzibar");
    assert_eq!(domain.contacts("bob").len(), 2);
    let call = domain.call(alice, "sip:bob@example.com");
    assert_eq!((domain.incoming(desk).len(), domain.incoming(soft).len()), (1, 1), "{}", domain.world.explain());
    let answered = domain.answer(soft);
    assert!(domain.events(alice).contains(&ua::Event::Answered { call, answer_due: false }));
    assert!(domain.heard(HUB, "192.0.2.2:5060").contains(&"CANCEL".to_owned()));
    assert!(!domain.heard(HUB, "192.0.2.3:5060").contains(&"CANCEL".to_owned()));
    domain.act(soft, |phone, now| phone.hang_up(now, answered)).unwrap();
    domain.settle();
}

#[test]
fn who_is_nowhere_or_nobody_is_told_so() {
    let (mut domain, alice, _) = pair(4);
    for target in ["sip:carol@example.com", "sip:nobody@example.com", "sip:bob@192.0.2.5"] {
        domain.call(alice, target);
    }
    assert_eq!(domain.ended(alice), [(Cause::Rejected, 480), (Cause::Rejected, 404)], "{}", domain.world.explain());
    // By the server's address the same user is meant.
    assert_eq!(domain.world.user().server.iter().filter(|event| matches!(event, Event::Forwarded { .. })).count(), 1);
}

#[test]
fn a_binding_expires_and_is_told() {
    let mut domain = Domain::new(5);
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    let ok = bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;expires=60\r\n");
    assert_eq!((ok.kind().as_str(), ok.header("Contact").as_str()), ("200", "<sip:bob@192.0.2.9>;expires=60"));
    domain.wait(30_000);
    let ok = bob.register(&mut domain, "");
    assert_eq!(ok.header("Contact"), "<sip:bob@192.0.2.9>;expires=30");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;expires=60\r\n");
    domain.wait(60_000);
    assert!(domain.contacts("bob").is_empty());
    let changes: Vec<_> = domain.changes().iter().map(|(change, _)| *change).collect();
    assert_eq!(changes, [Change::Registered, Change::Refreshed, Change::Expired]);
    assert!(domain.world.user().records.is_empty(), "what is over is stored no more");
}

/// Nobody calls at others' expense, or in others' names.
#[test]
fn what_leads_elsewhere_is_for_users_and_in_their_own_name() {
    let (mut domain, alice, _) = pair(6);
    let mut wire = Wire::new("192.0.2.9:5060");
    let ask = |domain: &mut Domain, wire: &mut Wire, from: &str, rows: &dyn Fn(Option<&Heard>) -> String| {
        let mut leg = wire.leg("sip:dave@192.0.2.77");
        leg.local = format!("<sip:{from}@example.com>;tag=1");
        let mut challenged = None;
        let mut heard = Vec::new();
        for _ in 0..2 {
            let request = wire.request(&mut leg, "MESSAGE", &rows(challenged.as_ref()), b"");
            wire.send(domain, domain.hub, &request);
            domain.pause();
            let answer = wire.hear(domain).pop().expect("an answer");
            heard.push(answer.kind());
            challenged = Some(answer);
        }
        heard
    };
    let with = |who: (&'static str, &'static str)| {
        move |challenged: Option<&Heard>| {
            challenged.map_or_else(String::new, |heard| credentials(heard, "MESSAGE", "sip:dave@192.0.2.77", 1, who))
        }
    };
    assert_eq!(ask(&mut domain, &mut wire, "alice", &|_| String::new()), ["407", "407"]);
    assert_eq!(ask(&mut domain, &mut wire, "alice", &with(USERS[1])), ["407", "403"], "bob in the name of alice");
    assert!(domain.heard(HUB, "192.0.2.77:5060").is_empty());
    // In her own name it goes there, and nobody answers.
    let call = domain.call(alice, "sip:dave@192.0.2.77");
    assert_eq!(
        domain.heard(HUB, "192.0.2.77:5060").first().map(String::as_str),
        Some("INVITE"),
        "{}",
        domain.world.explain()
    );
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.settle();
}

#[test]
fn in_redirect_mode_callers_are_told_where() {
    let mut domain = Domain::with(7, |config| (config.redirect, config.challenge_requests) = (true, false));
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>;q=0.5, <sip:bob@192.0.2.10>\r\n");
    let mut wire = Wire::new("192.0.2.8:5060");
    let mut leg = wire.leg("sip:bob@example.com");
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:x@192.0.2.8>\r\n", b"");
    wire.send(&mut domain, SERVER, &invite);
    domain.pause();
    let told = wire.expect(&domain, "302");
    assert_eq!(told.rows("Contact"), ["<sip:bob@192.0.2.10>;q=1.0", "<sip:bob@192.0.2.9>;q=0.500"]);
    assert!(domain.world.user().server.contains(&Event::Redirected));
}

#[test]
fn the_server_itself_answers_options_and_nothing_else() {
    let mut domain = Domain::new(8);
    let mut wire = Wire::new("192.0.2.9:5060");
    for (uri, method, status) in [
        ("sip:example.com", "OPTIONS", "200"),
        ("sip:192.0.2.5", "OPTIONS", "200"),
        ("sip:192.0.2.5", "MESSAGE", "405"),
        ("sip:nobody@example.com", "OPTIONS", "404"),
    ] {
        let mut leg = wire.leg(uri);
        let request = wire.request(&mut leg, method, "", b"");
        wire.send(&mut domain, SERVER, &request);
        domain.pause();
        let answer = wire.expect(&domain, status);
        if uri.contains('@') {
            continue;
        }
        assert_eq!(answer.header("Allow"), "OPTIONS, REGISTER");
    }
}

#[test]
fn a_phone_on_a_connection_is_called_by_it_and_leaves_with_it() {
    let mut domain = Domain::new(9);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let bob = domain.add("bob", "192.0.2.2:5060", "zanzibar", |config| config.transport = Transport::Tcp);
    domain.register(bob, "bob");
    assert_eq!(domain.contacts("bob").len(), 1, "{}", domain.world.explain());
    let call = domain.call(alice, "sip:bob@example.com");
    domain.answer(bob);
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.pause();
    domain.world.unplug(bob, true);
    domain.pause();
    assert!(domain.contacts("bob").is_empty());
    domain.call(alice, "sip:bob@example.com");
    assert_eq!(domain.ended(alice).last(), Some(&(Cause::Rejected, 480)), "at once");
}

/// A connection that a user agent needs makes no room for a stranger's: it is registered by it, its call rings or is up on it.
#[test]
fn a_user_agent_keeps_the_connection_of_its_registration_and_of_its_calls() {
    let mut domain = Domain::new(10);
    let tcp = |config: &mut ua::Config<'_>| config.transport = Transport::Tcp;
    let bob = domain.add("bob", "192.0.2.2:5060", "zanzibar", tcp);
    let alice = domain.add("alice", "192.0.2.1:5060", "wonderland", tcp);
    for phone in [alice, bob] {
        domain.world.listen(phone, true);
    }
    // Whether one is kept of those that there may be with this peer.
    let kept = |domain: &mut Domain, node| {
        let flow =
            |connection| Flow { remote: domain::address(HUB), connection, transport: Transport::Tcp, ..Flow::NONE };
        domain.act(node, |phone, _| (0..20).any(|number| phone.keeps(flow(number))))
    };
    assert!(!kept(&mut domain, bob) && !kept(&mut domain, alice));
    let registered =
        domain.act(bob, |phone, now| phone.register(now, "sip:192.0.2.5", "sip:bob@example.com", 3600)).unwrap();
    domain.wait(60_000);
    assert!(kept(&mut domain, bob), "{}", domain.world.explain());
    let call = domain.call(alice, "sip:bob@example.com");
    domain.wait(60_000);
    assert!(kept(&mut domain, alice), "while it rings");
    domain.answer(bob);
    domain.act(bob, |phone, now| phone.unregister(now, registered)).unwrap();
    domain.wait(60_000);
    assert!(kept(&mut domain, alice), "while it is up\n{}", domain.world.explain());
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.wait(60_000);
    assert!(!kept(&mut domain, bob) && !kept(&mut domain, alice), "{}", domain.world.explain());
    domain.settle();
}

#[test]
fn a_table_says_who_is_to_be_asked_for_elsewhere() {
    const CONTACTS: &[Target<'static>] =
        &[Target::new(b"sip:sales@example.net"), Target::new(b"sip:night@example.net").with_q(100)];
    let mut domain = Domain::with(10, |config| config.challenge_requests = false);
    domain.server(|hub, _| hub.users_mut().rules = vec![Rule { user: b"sales", domain: b"", contacts: CONTACTS }]);
    let mut wire = Wire::new("192.0.2.9:5060");
    for (target, status) in [("sip:sales@example.com", "302"), ("sip:bob@example.com", "480")] {
        let mut leg = wire.leg(target);
        let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:x@192.0.2.9>\r\n", b"");
        wire.send(&mut domain, SERVER, &invite);
        domain.pause();
        let told = wire.expect(&domain, status);
        if status == "302" {
            let contacts = ["<sip:sales@example.net>;q=1.0", "<sip:night@example.net>;q=0.100"];
            assert_eq!(told.rows("Contact"), contacts);
        }
    }
}

/// Somebody who is no user calls a number that is nobody's here.
fn stranger_calls_a_number(domain: &mut Domain) -> Wire {
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.leg("sip:+358401234@example.com");
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:x@192.0.2.9>\r\n", b"");
    wire.send(domain, SERVER, &invite);
    domain.pause();
    wire
}

/// The gateway costs money: strangers are asked who they are, whatever their From says.
#[test]
fn a_stranger_does_not_reach_the_gateway() {
    for challenges in [false, true] {
        let mut domain = Domain::with(11, |config| {
            config.challenge_requests = challenges;
            config.default_route = "<sip:192.0.2.77;lr>";
        });
        stranger_calls_a_number(&mut domain).expect(&domain, "407");
        Wire::new("192.0.2.77:5060").expect_nothing(&domain);
    }
}

#[test]
fn who_is_nobodys_goes_to_the_gateway() {
    let mut domain = Domain::with(11, |config| {
        config.challenge_requests = false;
        config.relay = Relay::Everybody;
        config.default_route = "<sip:192.0.2.77;lr>";
    });
    stranger_calls_a_number(&mut domain);
    let sent = Wire::new("192.0.2.77:5060").hear(&domain);
    let sent = sent.first().unwrap_or_else(|| panic!("{}", domain.world.explain()));
    assert_eq!(
        (sent.uri().as_str(), sent.header("Route").as_str()),
        ("sip:+358401234@example.com", "<sip:192.0.2.77;lr>")
    );
}

/// The password of a user lies elsewhere: the application is asked, and says it at once or later.
#[test]
fn an_application_may_be_asked_for_users() {
    let mut domain = Domain::new(12);
    domain.server(|hub, _| hub.users_mut().asks = true);
    let secrets = Secrets { password: Some(b"zanzibar"), ..Secrets::default() };
    for (at, told) in [("192.0.2.9:5060", Some(&secrets)), ("192.0.2.10:5060", None)] {
        let mut bob = Client::new(at, "bob");
        bob.call_id = at.into();
        let challenged = bob.request("bob", "");
        bob.wire.send(&mut domain, SERVER, &challenged);
        domain.pause();
        bob.challenge = Some(bob.wire.expect(&domain, "401"));
        let request = bob.request("bob", "Contact: <sip:bob@192.0.2.9>\r\n");
        bob.wire.send(&mut domain, SERVER, &request);
        domain.wait(3000);
        let Some(Event::Credentials { request }) = domain.world.user().server.last().copied() else {
            panic!("{}", domain.world.explain())
        };
        let caused = domain.server(|hub, now| {
            let bytes = hub.proxy().request_bytes(request).to_vec();
            let message = Message::parse(&bytes).unwrap();
            let caused = hub.credentials(now, request, &message, told).unwrap();
            assert!(hub.credentials(now, request, &message, told).is_err(), "it is answered");
            caused
        });
        domain.pause();
        let answer = bob.wire.hear(&domain).pop().unwrap().kind();
        match told {
            Some(_) => assert!(answer == "200" && matches!(caused, Some(Event::Binding(_)))),
            None => assert!(answer == "401" && caused == Some(Event::Refused { status: 401, why: Why::UnknownUser })),
        }
    }
    assert_eq!(domain.contacts("bob").len(), 1);
}

/// Registers a user of a domain, with credentials for a challenge.
fn register_at(domain: &mut Domain, wire: &mut Wire, host: &str, challenged: Option<&Heard>, password: &str) -> Heard {
    let mut leg = wire.leg(&format!("sip:{host}"));
    (leg.local, leg.remote) = (format!("<sip:alice@{host}>;tag=1"), format!("<sip:alice@{host}>"));
    let mut rows = wire.contact();
    if let Some(challenged) = challenged {
        rows += &credentials(challenged, "REGISTER", &leg.target, 1, ("alice", password));
    }
    let request = wire.request(&mut leg, "REGISTER", &rows, b"");
    wire.send(domain, SERVER, &request);
    domain.pause();
    wire.hear(domain).pop().expect("an answer")
}

/// Alice of one domain is nobody in the other: each has its realm, and its users.
#[test]
fn the_users_of_two_domains_are_different_people() {
    let mut domain = Domain::with(13, |config| config.proxy.domains = &["example.com", "example.net"]);
    domain.server(|hub, _| hub.users_mut().add(b"example.net", "alice", "looking-glass"));
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut challenges = Vec::new();
    for host in ["example.com", "example.net"] {
        let challenged = register_at(&mut domain, &mut wire, host, None, "");
        assert!(challenged.header("WWW-Authenticate").contains(&format!("realm=\"{host}\"")), "{}", challenged.text());
        challenges.push(challenged);
    }
    let [com, net] = &challenges[..] else { unreachable!() };
    // What proves alice of one domain proves nothing in the other, in either realm.
    for (challenge, password) in [(com, "wonderland"), (net, "wonderland"), (com, "looking-glass")] {
        let answer = register_at(&mut domain, &mut wire, "example.net", Some(challenge), password);
        assert_eq!(answer.kind(), "401", "{password}");
    }
    assert!(domain.contacts("alice").is_empty() && domain.changes().is_empty());
    assert_eq!(register_at(&mut domain, &mut wire, "example.net", Some(net), "looking-glass").kind(), "200");
    assert!(domain.contacts("alice").is_empty(), "it is the other alice");
    assert_eq!(register_at(&mut domain, &mut wire, "example.com", Some(com), "wonderland").kind(), "200");
    assert_eq!(domain.changes().len(), 2);
    // Her calls are asked about in the realm of her domain, and what she answers goes no further.
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    let mut leg = wire.leg("sip:bob@example.com");
    leg.local = "<sip:alice@example.net>;tag=1".into();
    let invite = wire.request(&mut leg, "INVITE", &wire.contact(), b"");
    wire.send(&mut domain, SERVER, &invite);
    domain.pause();
    let challenged = wire.expect(&domain, "407");
    assert!(challenged.header("Proxy-Authenticate").contains("realm=\"example.net\""));
    let rows = credentials(&challenged, "INVITE", "sip:bob@example.com", 1, ("alice", "looking-glass"));
    let invite = wire.request(&mut leg, "INVITE", &(rows + &wire.contact()), b"");
    wire.send(&mut domain, SERVER, &invite);
    domain.pause();
    assert_eq!(domain.incoming(bob).len(), 1, "{}", domain.world.explain());
    let sent = domain.world.ladder().datagrams().filter(|sent| sent.to == domain::address("192.0.2.2:5060"));
    assert!(sent.into_iter().all(|sent| !String::from_utf8_lossy(&sent.bytes).contains("looking-glass\", realm")
        && !String::from_utf8_lossy(&sent.bytes).contains("Proxy-Authorization")));
}

/// A phone redirects to another user of ours: who that is is looked up here, and no request goes out to come back (§16.5).
#[test]
fn a_302_to_another_user_of_ours_rings_there() {
    let mut domain = Domain::with(14, |config| config.proxy.recurse = true);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let carol = domain.phone("carol", "192.0.2.3:5060", "xmas");
    let mut bob = Client::new("192.0.2.9:5060", "bob");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.9>\r\n");
    let call = domain.call(alice, "sip:bob@example.com");
    let invite = bob.wire.hear(&domain).pop().expect("the call");
    // Nobody is at the second one, and the third is a number that would cost.
    let contacts = "Contact: <sip:carol@example.com>, <sip:nobody@example.com>, <sip:+900@192.0.2.5>\r\n";
    bob.wire.respond(&mut domain, SERVER, &invite, 302, contacts);
    domain.pause();
    domain.answer(carol);
    assert!(
        domain.events(alice).contains(&ua::Event::Answered { call, answer_due: false }),
        "{}",
        domain.world.explain()
    );
    assert!(domain.heard(HUB, HUB).is_empty());
    domain.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.settle();
}

/// What was for another domain is that domain's to redirect, and its caller's to follow (§16.5).
#[test]
fn a_302_of_another_domain_goes_to_the_caller() {
    let mut domain = Domain::with(15, |config| config.proxy.recurse = true);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let mut far = Wire::new("192.0.2.77:5060");
    domain.call(alice, "sip:dave@192.0.2.77");
    let invite = far.hear(&domain).pop().expect("the call");
    far.respond(&mut domain, SERVER, &invite, 302, "Contact: <sip:eve@192.0.2.78>\r\n");
    domain.pause();
    assert!(domain.heard(HUB, "192.0.2.78:5060").is_empty(), "{}", domain.world.explain());
    assert!(domain.heard(HUB, "192.0.2.1:5060").contains(&"302".to_owned()));
}

/// Behind a strict router the last Route says whom a request is for, also when its user is asked for elsewhere (§16.4).
#[test]
fn a_strict_router_and_a_user_who_is_asked_for_elsewhere() {
    let mut domain = Domain::new(16);
    domain.server(|hub, _| hub.users_mut().asks = true);
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.leg("sip:192.0.2.5;lr");
    leg.local = "<sip:alice@example.com>;tag=1".into();
    let route = "Route: <sip:dave@192.0.2.77>\r\n";
    let asks = wire.request(&mut leg, "MESSAGE", route, b"");
    wire.send(&mut domain, SERVER, &asks);
    domain.pause();
    let challenged = wire.expect(&domain, "407");
    let rows = credentials(&challenged, "MESSAGE", "sip:192.0.2.5;lr", 1, ("alice", "wonderland"));
    let asks = wire.request(&mut leg, "MESSAGE", &format!("{route}{rows}"), b"");
    wire.send(&mut domain, SERVER, &asks);
    domain.pause();
    let Some(Event::Credentials { request }) = domain.world.user().server.last().copied() else {
        panic!("{}", domain.world.explain())
    };
    let secrets = Secrets { password: Some(b"wonderland"), ..Secrets::default() };
    let caused = domain.server(|hub, now| {
        let bytes = hub.proxy().request_bytes(request).to_vec();
        hub.credentials(now, request, &Message::parse(&bytes).unwrap(), Some(&secrets)).unwrap()
    });
    assert!(matches!(caused, Some(Event::Forwarded { .. })), "{caused:?}");
    domain.pause();
    assert_eq!(domain.heard(HUB, "192.0.2.77:5060").first().map(String::as_str), Some("MESSAGE"));
}
