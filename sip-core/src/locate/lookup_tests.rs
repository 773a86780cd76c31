//! The table of RFC 3263, against zones.

use super::*;
use crate::dns::samples::Reply;

const ALL: Reach =
    Reach::NONE.with(Transport::Udp).with(Transport::Tcp).with(Transport::Tls).with(Transport::Wss).with_v4();

/// What a name server says of a name and a kind of record; `None` when it does not answer.
type Zone<'z> = &'z dyn Fn(&str, Kind, Reply) -> Option<Reply>;

/// A look-up to its end: what was asked for, what was found, and how it ended.
struct Ran {
    asked: Vec<String>,
    targets: Vec<String>,
    outcome: Outcome,
}

fn run_of(reach: Reach, (host, port): (&str, Option<u16>), transport: Transport, secure: bool, zone: Zone<'_>) -> Ran {
    let mut lookup = Lookup::NONE;
    lookup.start(reach, host.as_bytes(), port, transport, secure);
    let mut asked = Vec::new();
    while let Some((name, kind)) = lookup.question() {
        assert!(lookup.outcome().is_none() && asked.len() < 100);
        let (name, text) = (Domain::of(name), name.to_string());
        asked.push(format!("{kind:?} {text}"));
        match zone(&text, kind, Reply::of(7, &text, kind)) {
            Some(reply) => {
                let answer = Answer::parse(&reply.bytes, 7, name.name(), kind).unwrap();
                lookup.answer(&answer, 99);
            }
            None => lookup.fail(),
        }
    }
    let targets = lookup.targets().iter().map(|target| format!("{} {}", target.transport, target.address)).collect();
    Ran { asked, targets, outcome: lookup.outcome().unwrap() }
}

fn run(host: &str, transport: Transport, zone: Zone<'_>) -> Ran {
    run_of(ALL, (host, None), transport, false, zone)
}

/// Every name has one address, and no other records.
fn only_addresses(name: &str, kind: Kind, reply: Reply) -> Option<Reply> {
    Some(match kind {
        Kind::A => reply.a(name, [192, 0, 2, 1]),
        Kind::Aaaa => reply.aaaa(name, 1),
        Kind::Srv | Kind::Naptr => reply.code(3),
    })
}

fn unasked(name: &str, _: Kind, _: Reply) -> Option<Reply> {
    panic!("asked for {name}")
}

#[test]
fn an_address_needs_no_question() {
    for (host, port, transport, secure, expected) in [
        ("192.0.2.1", None, Transport::None, false, "UDP 192.0.2.1:5060"),
        ("192.0.2.1", Some(5070), Transport::Tcp, false, "TCP 192.0.2.1:5070"),
        ("192.0.2.1", None, Transport::Tls, true, "TLS 192.0.2.1:5061"),
        ("192.0.2.1", None, Transport::None, true, "TLS 192.0.2.1:5061"),
        ("[::1]", None, Transport::Wss, true, "WSS [::1]:443"),
    ] {
        let ran = run_of(ALL.with_v6(), (host, port), transport, secure, &unasked);
        assert_eq!((ran.targets, ran.outcome), (vec![expected.to_owned()], Outcome::Found));
    }
}

#[test]
fn what_is_not_reached_is_not_asked_for() {
    let udp = Reach::NONE.with(Transport::Udp).with_v4();
    for (host, transport, secure) in [
        ("a.example", Transport::Tcp, false),
        ("a.example", Transport::Tls, true),
        ("a.example", Transport::None, true),
        ("a.example", Transport::Udp, true),
        ("a.example", Transport::Ws, false),
        ("[::1]", Transport::Udp, false),
        ("a..example", Transport::Udp, false),
        ("", Transport::Udp, false),
    ] {
        let ran = run_of(udp, (host, None), transport, secure, &unasked);
        assert_eq!((ran.targets.len(), ran.outcome), (0, Outcome::Nobody), "{host} {transport}");
    }
    assert_eq!(run_of(Reach::NONE, ("a.example", None), Transport::None, false, &unasked).outcome, Outcome::Nobody);
}

#[test]
fn a_port_means_addresses_only() {
    let ran = run_of(ALL.with_v6(), ("a.example", Some(5070)), Transport::None, false, &only_addresses);
    assert_eq!(ran.asked, ["Aaaa a.example", "A a.example"]);
    assert_eq!(ran.targets, ["UDP [2001:db8::1]:5070", "UDP 192.0.2.1:5070"]);
    let ran = run_of(ALL, ("a.example", Some(5070)), Transport::Tls, true, &only_addresses);
    assert_eq!((ran.asked.len(), ran.targets), (1, vec!["TLS 192.0.2.1:5070".to_owned()]));
}

#[test]
fn a_domain_with_addresses_only_is_reached_by_the_default() {
    let ran = run("a.example", Transport::None, &only_addresses);
    let expected = [
        "Naptr a.example",
        "Srv _sip._udp.a.example",
        "Srv _sip._tcp.a.example",
        "Srv _sips._tcp.a.example",
        "A a.example",
    ];
    assert_eq!(
        (&ran.asked[..], &ran.targets[..]),
        (&expected.map(str::to_owned)[..], &["UDP 192.0.2.1:5060".to_owned()][..])
    );
    let ran = run("a.example", Transport::Tcp, &only_addresses);
    assert_eq!(ran.asked, ["Srv _sip._tcp.a.example", "A a.example"]);
    assert_eq!(ran.targets, ["TCP 192.0.2.1:5060"]);
    let ran = run_of(ALL, ("a.example", None), Transport::Tls, true, &only_addresses);
    assert_eq!(ran.asked, ["Naptr a.example", "Srv _sips._tcp.a.example", "A a.example"]);
    assert_eq!(ran.targets, ["TLS 192.0.2.1:5061"]);
    let ran = run("a.example", Transport::Wss, &only_addresses);
    assert_eq!((ran.asked.len(), ran.targets), (1, vec!["WSS 192.0.2.1:443".to_owned()]));
}

/// NAPTR with all three services, TCP preferred.
fn services(name: &str, kind: Kind, reply: Reply) -> Option<Reply> {
    Some(match (name, kind) {
        ("a.example", Kind::Naptr) => reply
            .naptr(name, [20, 1], "SIP+D2U", "udp.example")
            .naptr(name, [10, 9], "SIPS+D2T", "tls.example")
            .naptr(name, [10, 1], "sip+d2t", "tcp.example")
            .naptr(name, [0, 0], "E2U+sip", "enum.example"),
        (_, Kind::Srv) => reply.srv(name, [0, 0, 5070], &format!("host.{name}")),
        (_, Kind::A) => reply.a(name, [192, 0, 2, 1]),
        _ => reply,
    })
}

#[test]
fn the_first_service_that_is_reached_decides_on_the_transport() {
    let ran = run("a.example", Transport::None, &services);
    assert_eq!(ran.asked, ["Naptr a.example", "Srv tcp.example", "A host.tcp.example"]);
    assert_eq!(ran.targets, ["TCP 192.0.2.1:5070"]);
    let udp = Reach::NONE.with(Transport::Udp).with_v4();
    assert_eq!(run_of(udp, ("a.example", None), Transport::None, false, &services).targets, ["UDP 192.0.2.1:5070"]);
    let ran = run_of(ALL, ("a.example", None), Transport::Tls, true, &services);
    assert_eq!((ran.asked[1].as_str(), &ran.targets[..]), ("Srv tls.example", &["TLS 192.0.2.1:5070".to_owned()][..]));
}

#[test]
fn websockets_are_services_where_they_are_reached() {
    let web =
        |name: &str, kind, reply: Reply| match kind {
            Kind::Naptr => Some(
                reply
                    .naptr(name, [1, 0], "SIP+D2W", "ws.example")
                    .naptr(name, [2, 0], "SIPS+D2W", "wss.example")
                    .naptr(name, [3, 0], "SIP+D2U", "udp.example"),
            ),
            // The host of secure ones has no port of its own in any record.
            Kind::Srv if name == "wss.example" => Some(reply),
            _ => services(name, kind, reply),
        };
    let of = |reach: Reach, secure| run_of(reach.with_v4(), ("a.example", None), Transport::None, secure, &web).targets;
    let (udp, ws) = (Reach::NONE.with(Transport::Udp), Reach::NONE.with(Transport::Udp).with(Transport::Ws));
    assert_eq!(of(udp, false), ["UDP 192.0.2.1:5070"]);
    assert_eq!(of(ws, false), ["WS 192.0.2.1:5070"]);
    // What has to be secure goes by the one that is, at its own port.
    assert_eq!(of(ws.with(Transport::Tls).with(Transport::Wss), true), ["WSS 192.0.2.1:443"]);
}

#[test]
fn the_next_service_follows_one_without_hosts_but_never_in_the_open_behind_tls() {
    let zone = |without: &'static str| {
        move |name: &str, kind, reply| if name == without { Some(reply) } else { services(name, kind, reply) }
    };
    assert_eq!(run("a.example", Transport::None, &zone("tcp.example")).targets, ["TLS 192.0.2.1:5070"]);
    let tls_first = |name: &str, kind, reply: Reply| match kind {
        Kind::Naptr => {
            Some(reply.naptr(name, [2, 0], "SIP+D2T", "tcp.example").naptr(name, [1, 0], "SIPS+D2T", "tls.example"))
        }
        Kind::Srv if name == "tls.example" => Some(reply),
        _ => services(name, kind, reply),
    };
    let ran = run("a.example", Transport::None, &tls_first);
    assert_eq!(ran.asked, ["Naptr a.example", "Srv tls.example", "A a.example"]);
    assert_eq!(ran.targets, ["TLS 192.0.2.1:5061"]);
}

#[test]
fn hosts_come_in_the_order_of_their_priorities() {
    let zone = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => {
            let host = |priority: u16| format!("h{priority}.example");
            Some(
                [5, 1, 4, 2, 9, 3, 8, 7]
                    .into_iter()
                    .fold(reply, |reply, priority| reply.srv(name, [priority, 1, 5060 + priority], &host(priority))),
            )
        }
        _ => only_addresses(name, kind, reply),
    };
    let ran = run("a.example", Transport::Udp, &zone);
    let ports: Vec<_> = ran.targets.iter().map(|target| target.rsplit(':').next().unwrap().to_owned()).collect();
    assert_eq!(ports, ["5061", "5062", "5063", "5064", "5065", "5067"]);
    assert_eq!(ran.asked.len(), 1 + HOPS);
}

#[test]
fn addresses_beside_the_hosts_save_questions() {
    let zone = |name: &str, kind, reply: Reply| match (name, kind) {
        ("_sip._udp.a.example", _) => Some(
            reply
                .srv(name, [1, 0, 5061], "one.example")
                .srv(name, [2, 0, 5062], "two.example")
                .section(2)
                .a("TWO.example", [192, 0, 2, 22])
                .a("two.example", [192, 0, 2, 23])
                .aaaa("two.example", 2)
                .a("_sip._udp.a.example", [192, 0, 2, 66])
                .a("three.example", [192, 0, 2, 99]),
        ),
        ("one.example" | "a.example", Kind::A | Kind::Aaaa) => only_addresses(name, kind, reply),
        _ => panic!("asked for {name}"),
    };
    let ran = run_of(ALL.with_v6(), ("a.example", None), Transport::Udp, false, &zone);
    assert_eq!(ran.asked, ["Srv _sip._udp.a.example", "Aaaa one.example", "A one.example"]);
    let expected = ["[2001:db8::1]:5061", "192.0.2.1:5061", "[2001:db8::2]:5062", "192.0.2.22:5062", "192.0.2.23:5062"];
    assert_eq!(ran.targets, expected.map(|address| format!("UDP {address}")));
}

#[test]
fn a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere() {
    let zone = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => Some(reply.srv(name, [0, 0, 0], "")),
        Kind::Naptr => Some(reply),
        _ => panic!("asked for {name}"),
    };
    for transport in [Transport::None, Transport::Udp, Transport::Tls] {
        let ran = run("a.example", transport, &zone);
        assert_eq!((ran.targets.len(), ran.outcome), (0, Outcome::Nobody));
    }
    // By TCP it is.
    let tcp = |name: &str, kind, reply: Reply| match (name, kind) {
        ("_sip._udp.a.example", Kind::Srv) => Some(reply.srv(name, [0, 0, 0], "")),
        ("_sip._tcp.a.example", Kind::Srv) => Some(reply.srv(name, [0, 0, 5080], "b.example")),
        _ => only_addresses(name, kind, reply),
    };
    assert_eq!(run("a.example", Transport::None, &tcp).targets, ["TCP 192.0.2.1:5080"]);
}

#[test]
fn aliases_are_followed_inside_an_answer_and_by_further_questions() {
    let zone = |name: &str, kind, reply: Reply| match (name, kind) {
        // Not in their order, and with the address.
        ("inside.example", Kind::A) => {
            Some(reply.cname("b.example", "c.example").a("c.example", [192, 0, 2, 3]).cname(name, "b.example"))
        }
        ("further.example", Kind::A) => Some(reply.cname(name, "host.example")),
        ("_sip._udp.alias.example", Kind::Srv) => Some(reply.cname(name, "_sip._udp.real.example")),
        ("_sip._udp.real.example", Kind::Srv) => Some(reply.srv(name, [0, 0, 5080], "host.example")),
        _ => only_addresses(name, kind, reply),
    };
    let ran = |host| run_of(ALL, (host, Some(5060)), Transport::None, false, &zone);
    assert_eq!(
        (ran("inside.example").asked.len(), ran("inside.example").targets),
        (1, vec!["UDP 192.0.2.3:5060".to_owned()])
    );
    assert_eq!(ran("further.example").asked, ["A further.example", "A host.example"]);
    let alias = run("alias.example", Transport::Udp, &zone);
    assert_eq!((alias.asked.len(), alias.targets), (3, vec!["UDP 192.0.2.1:5080".to_owned()]));
}

#[test]
fn a_chain_of_aliases_ends() {
    // One alias an answer, for ever; two that point to each other; one to itself.
    let for_ever = |name: &str, _: Kind, reply: Reply| {
        Some(reply.cname(name, &format!("x{}", name.trim_start_matches("xxxxxxxxxxxxxxx"))))
    };
    let circle =
        |_: &str, _: Kind, reply: Reply| Some(reply.cname("a.example", "b.example").cname("b.example", "a.example"));
    let itself = |name: &str, _: Kind, reply: Reply| Some(reply.cname(name, name));
    for (zone, most) in [(&for_ever as Zone<'_>, 9), (&circle, 1), (&itself, 1)] {
        let ran = run_of(ALL, ("a.example", Some(5060)), Transport::Udp, false, zone);
        assert_eq!((ran.asked.len(), ran.outcome), (most, Outcome::Failed));
    }
}

#[test]
fn what_was_truncated_or_not_answered_is_not_nothing() {
    for (kind, outcome) in [(Kind::Naptr, Outcome::Failed), (Kind::Srv, Outcome::Failed), (Kind::A, Outcome::Failed)] {
        let truncated = |name: &str, asked, reply: Reply| {
            if asked == kind { Some(reply.truncated()) } else { only_addresses(name, asked, reply) }
        };
        assert_eq!(run("a.example", Transport::None, &truncated).outcome, outcome, "{kind:?}");
        let silent =
            |name: &str, asked, reply: Reply| if asked == kind { None } else { only_addresses(name, asked, reply) };
        // Who is silent about NAPTR may know of SRV and of addresses; for who wants TLS that would be a choice of whoever is silent.
        let silence = if kind == Kind::Naptr { Outcome::Found } else { outcome };
        assert_eq!(run("a.example", Transport::None, &silent).outcome, silence, "{kind:?}");
        let secure = run_of(ALL, ("a.example", None), Transport::None, true, &silent);
        assert_eq!(secure.outcome, outcome, "{kind:?}");
    }
    // A server that refuses NAPTR says nothing about SRV; one that refuses SRV leaves it open where to go.
    let refused = |kind: Kind| {
        move |name: &str, asked, reply: Reply| {
            if asked == kind { Some(reply.code(5)) } else { only_addresses(name, asked, reply) }
        }
    };
    assert_eq!(run("a.example", Transport::None, &refused(Kind::Naptr)).targets, ["UDP 192.0.2.1:5060"]);
    assert_eq!(run("a.example", Transport::None, &refused(Kind::Srv)).outcome, Outcome::Failed);
    // One host of two that can't be looked up: the other is found.
    let half = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => Some(reply.srv(name, [1, 0, 5061], "one.example").srv(name, [2, 0, 5062], "two.example")),
        _ if name == "one.example" => None,
        _ => only_addresses(name, kind, reply),
    };
    assert_eq!(run("a.example", Transport::Udp, &half).targets, ["UDP 192.0.2.1:5062"]);
}

#[test]
fn records_of_other_names_are_not_the_answer() {
    let zone = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => Some(reply.srv("_sip._udp.evil.example", [0, 0, 5060], "evil.example")),
        Kind::A => Some(reply.a("evil.example", [203, 0, 113, 1]).a(name, [192, 0, 2, 1])),
        _ => Some(reply.naptr("evil.example", [0, 0], "SIP+D2T", "evil.example")),
    };
    assert_eq!(run("a.example", Transport::None, &zone).targets, ["UDP 192.0.2.1:5060"]);
}

#[test]
fn many_records_are_no_more_than_there_is_room_for() {
    let zone = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => Some(
            (0..500).fold(reply, |reply, number| reply.srv(name, [number, 0, 5060], &format!("h{number}.example"))),
        ),
        Kind::A => Some((0..200).fold(reply, |reply, last| reply.a(name, [192, 0, 2, last]))),
        _ => Some(reply),
    };
    let ran = run("a.example", Transport::Udp, &zone);
    assert_eq!((ran.asked.len(), ran.targets.len()), (2, TARGETS));
    // Names so long that few can be kept.
    let long = "x".repeat(63);
    let long = [long.as_str(), &long, &long].join(".");
    let zone = |name: &str, kind, reply: Reply| match kind {
        Kind::Srv => {
            Some((0..9).fold(reply, |reply, number| reply.srv(name, [number, 0, 5060], &format!("h{number}.{long}"))))
        }
        _ => only_addresses(name, kind, reply),
    };
    assert_eq!(run("a.example", Transport::Udp, &zone).asked.len(), 3);
}

#[test]
fn whoever_knows_addresses_only_can_answer() {
    let mut lookup = Lookup::NONE;
    lookup.start(ALL, b"a.example", None, Transport::None, false);
    let mut asked = 0;
    while let Some((_, kind)) = lookup.question() {
        asked += 1;
        lookup.answer_address((kind == Kind::A).then_some(IpAddr::from([192, 0, 2, 9])));
    }
    let expected = Target { address: Address::literal(b"192.0.2.9", 5060).unwrap(), transport: Transport::Udp };
    assert_eq!((asked, lookup.targets()), (5, &[expected][..]));
    lookup.start(ALL, b"a.example", Some(5060), Transport::Udp, false);
    lookup.answer_address(None);
    assert_eq!(lookup.outcome(), Some(Outcome::Nobody));
}
