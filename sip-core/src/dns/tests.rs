//! Queries, answers, and what is neither.

use super::samples::{Reply, wire};
use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};

const ID: u16 = 0x1234;

fn domain(text: &str) -> Domain {
    Domain::parse(text.as_bytes()).unwrap()
}

fn parse<'a>(bytes: &'a [u8], name: &str, kind: Kind) -> Result<Answer<'a>, Mismatch> {
    Answer::parse(bytes, ID, domain(name).name(), kind)
}

fn read(answer: &Answer<'_>) -> Vec<String> {
    answer.answers().map(|record| format!("{} {} {:?}", record.name, record.ttl, record.data)).collect()
}

#[test]
fn a_query_has_one_question_and_room_for_a_large_answer() {
    let mut buffer = [0xff; QUERY];
    let query = write(&mut buffer, ID, domain("a.example").name(), Kind::Srv, true);
    let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x01a\x07example\0\0\x21\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
    assert_eq!(query, expected);
    let plain = write(&mut buffer, ID, domain("a.example").name(), Kind::A, false);
    assert_eq!(plain, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01");
}

#[test]
fn a_query_is_written_whole_or_not_at_all() {
    let name = domain(&["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join("."));
    let mut whole = [0; QUERY];
    assert_eq!(write(&mut whole, ID, name.name(), Kind::A, true).len(), QUERY);
    for length in 0..QUERY {
        let mut buffer = vec![0; length];
        assert!(write(&mut buffer, ID, name.name(), Kind::A, true).is_empty(), "{length}");
    }
}

#[test]
fn names_are_kept_within_their_limits() {
    let long = "a".repeat(63);
    let longest = [long.as_str(), &long, &long, &"d".repeat(61)].join(".");
    for good in ["a", "a.", "a.b", "_sip._udp.example.com", &long, &longest] {
        assert_eq!(domain(good).name().to_string(), good.trim_end_matches('.'));
    }
    for bad in
        ["", ".", "..", "a..b", ".a", &"a".repeat(64), &[longest.as_str(), "e"].join("."), &format!("{longest}d")]
    {
        assert!(Domain::parse(bad.as_bytes()).is_none(), "{bad}");
    }
    assert!(Domain::service(b"_sip", b"_udp", domain(&longest).name()).is_none());
    let service = Domain::service(b"_sip", b"_udp", domain("Example.com").name()).unwrap();
    assert_eq!(service, domain("_SIP._udp.example.COM"));
    assert_ne!(service, domain("_sip._udp.example"));
    assert_eq!(Domain::parse(b"a\\b\xff").unwrap().name().to_string(), "a\\\\b\\255");
    assert!(Domain::ROOT.name().is_root() && Name::ROOT.is_root());
    assert_eq!(Domain::of(service.name()), service);
}

#[test]
fn each_kind_of_record_is_read() {
    let reply = Reply::of(ID, "example.com", Kind::A)
        .cname("example.com", "b.example")
        .a("b.example", [192, 0, 2, 1])
        .aaaa("b.example", 9)
        .srv("c.example", [1, 2, 3], "d.example")
        .srv("c.example", [1, 2, 3], "")
        .naptr("e.example", [4, 5], "SIP+D2U", "_sip._udp.example")
        .record("f.example", 16, u32::MAX, b"\x01x")
        .section(1)
        .soa("example", 7, 8)
        .section(2)
        .a("d.example", [192, 0, 2, 2]);
    let answer = parse(&reply.bytes, "EXAMPLE.com", Kind::A).unwrap();
    let expected = [
        "example.com 60 Cname(b.example)",
        "b.example 60 A(192.0.2.1)",
        "b.example 60 Aaaa(2001:db8::9)",
        "c.example 60 Srv(Srv { priority: 1, weight: 2, port: 3, target: d.example })",
        "c.example 60 Srv(Srv { priority: 1, weight: 2, port: 3, target: . })",
        "f.example 0 Other(16)",
    ];
    let (mut found, naptr) = (read(&answer), Record::clone(&answer.answers().nth(5).unwrap()));
    found.remove(5);
    assert_eq!(found, expected);
    let Data::Naptr(naptr) = naptr.data else { panic!("{naptr:?}") };
    assert_eq!(
        (naptr.order, naptr.preference, naptr.flags, naptr.service, naptr.regexp),
        (4, 5, &b"s"[..], &b"SIP+D2U"[..], &b""[..])
    );
    assert_eq!(naptr.replacement, domain("_sip._udp.example").name());
    let authority = answer.authority().next().unwrap();
    assert_eq!((authority.ttl, authority.data), (7, Data::Soa(8)));
    assert_eq!(answer.additional().next().unwrap().data, Data::A(Ipv4Addr::new(192, 0, 2, 2)));
    assert_eq!((answer.code(), answer.is_truncated()), (Code::NoError, false));
    assert!(
        matches!(answer.answers().nth(2).unwrap().data, Data::Aaaa(ip) if ip == Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9))
    );
}

#[test]
fn another_question_another_id_and_a_query_are_no_answer() {
    let reply = Reply::of(ID, "example.com", Kind::A).a("example.com", [192, 0, 2, 1]);
    assert!(parse(&reply.bytes, "example.com", Kind::A).is_ok());
    for (name, kind) in [("example.org", Kind::A), ("example.com", Kind::Aaaa), ("a.example.com", Kind::A)] {
        assert_eq!(parse(&reply.bytes, name, kind).unwrap_err(), Mismatch::Foreign);
    }
    for (at, octet) in [(0, 0x13), (2, 1), (2, 0x91), (5, 0), (5, 2), (28, 3)] {
        let mut bytes = reply.bytes.clone();
        assert_ne!(bytes[at], octet);
        bytes[at] = octet;
        assert_eq!(parse(&bytes, "example.com", Kind::A).unwrap_err(), Mismatch::Foreign, "{at}");
    }
    assert_eq!(Answer::id(&reply.bytes), Some(ID));
    assert_eq!(Answer::id(b"\x12"), None);
}

#[test]
fn what_a_server_says_is_told() {
    for (code, expected) in
        [(0, Code::NoError), (1, Code::FormatError), (2, Code::Failure), (3, Code::NoName), (5, Code::Failure)]
    {
        let reply = Reply::of(ID, "example.com", Kind::A).code(code);
        assert_eq!(parse(&reply.bytes, "example.com", Kind::A).unwrap().code(), expected);
    }
    // A server that does not understand the query has nothing to repeat.
    for (code, taken) in [(0, false), (1, true), (3, false), (4, true)] {
        let bytes = [0x12, 0x34, 0x80, code, 0, 0, 0, 9, 0, 0, 0, 0];
        let answer = parse(&bytes, "example.com", Kind::A);
        assert_eq!(answer.is_ok(), taken);
        assert!(answer.is_err() || answer.unwrap().answers().next().is_none());
    }
}

#[test]
fn a_truncated_answer_has_no_records() {
    let reply = Reply::of(ID, "example.com", Kind::A).a("example.com", [192, 0, 2, 1]).truncated();
    for end in 29..=reply.bytes.len() {
        let answer = parse(&reply.bytes[..end], "example.com", Kind::A).unwrap();
        assert!(answer.is_truncated() && answer.answers().next().is_none());
    }
}

#[test]
fn an_answer_that_is_cut_is_no_answer() {
    let reply = Reply::of(ID, "a.example", Kind::Srv)
        .srv("a.example", [0, 0, 5060], "b.example")
        .naptr("a.example", [0, 0], "SIP+D2U", "c.example")
        .section(1)
        .soa("example", 1, 1)
        .section(2)
        .aaaa("b.example", 1);
    for end in 0..reply.bytes.len() {
        let expected = if end < 27 { Mismatch::Foreign } else { Mismatch::Broken };
        assert_eq!(parse(&reply.bytes[..end], "a.example", Kind::Srv).unwrap_err(), expected, "{end}");
    }
    assert!(parse(&reply.bytes, "a.example", Kind::Srv).is_ok());
}

#[test]
fn a_record_is_as_long_as_it_says() {
    for (kind, data) in [
        (1, &b"\x01\x02\x03"[..]),
        (1, b"\x01\x02\x03\x04\x05"),
        (28, b"\x01\x02\x03\x04"),
        (5, b"\x01a"),
        (5, b"\x01a\0\0"),
        (33, b"\0\0\0\0\0\0"),
        (33, b"\0\0\0\0\0\0\0\0"),
        (35, b"\0\0\0\0\x01s\x07SIP+D2U\0"),
        (35, b"\0\0\0\0\x01s\x7fSIP+D2U\0\0"),
        (6, b"\0\0\0\0\0\0"),
    ] {
        let reply = Reply::of(ID, "a.example", Kind::A).record("a.example", kind, 1, data);
        assert_eq!(parse(&reply.bytes, "a.example", Kind::A).unwrap_err(), Mismatch::Broken, "{kind} {data:?}");
    }
}

#[test]
fn pointers_lead_backwards_only() {
    // The question's name begins at 12, its second label at 14; the record's data at 39.
    let with = |data: &[u8]| Reply::of(ID, "a.example", Kind::A).record("", 5, 1, data).bytes;
    let start = 12 + 11 + 4 + 1 + 10;
    for (data, expected) in [
        (&[0xc0, 12][..], Some("a.example")),
        (&[1, b'x', 0xc0, 14], Some("x.example")),
        // To itself, to the label before itself, forwards, to the end, beyond it.
        (&[0xc0, start], None),
        (&[1, b'x', 0xc0, start], None),
        (&[0xc0, start + 2, 0], None),
        (&[0xc0, start + 1], None),
        (&[0xff, 0xff], None),
        // The two kinds of length that are none.
        (&[0x40, 0], None),
        (&[0x80, 0], None),
    ] {
        let bytes = with(data);
        let answer = parse(&bytes, "a.example", Kind::A);
        let name = answer.ok().and_then(|answer| match answer.answers().next()?.data {
            Data::Cname(name) => Some(name.to_string()),
            _ => None,
        });
        assert_eq!(name.as_deref(), expected, "{data:?}");
    }
}

#[test]
fn a_name_that_points_to_the_question_is_that_of_the_question() {
    let with = |owner: &[u8]| {
        let mut reply = Reply::of(ID, "a.example", Kind::A).a("b.example", [192, 0, 2, 1]);
        reply.bytes.extend(owner);
        reply.bytes.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 2]);
        reply.bytes[7] = 2;
        reply.bytes
    };
    // As a pointer, and as a label before a pointer into it.
    for owner in [&[0xc0, 12][..], &[1, b'A', 0xc0, 14]] {
        let bytes = with(owner);
        let answer = parse(&bytes, "a.example", Kind::A).unwrap();
        let own: Vec<bool> = answer.answers().map(|record| record.name == answer.question()).collect();
        assert_eq!(own, [false, true], "{owner:?}");
        assert_eq!(answer.answers().last().unwrap().name.to_string().to_lowercase(), "a.example");
    }
    // Elsewhere in it there is no name.
    for inside in [13, 15] {
        assert_eq!(parse(&with(&[0xc0, inside]), "a.example", Kind::A).unwrap_err(), Mismatch::Broken);
    }
}

#[test]
fn a_name_has_so_many_pointers_and_no_more() {
    // Each name is one label and a pointer to the one before.
    let mut bytes = Reply::of(ID, "a", Kind::A).bytes;
    let mut last = 12;
    for count in 1..=130 {
        let at = bytes.len();
        bytes.extend([1, b'x', 0xc0 | (last >> 8) as u8, last as u8, 0, 99, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes[7] = count;
        last = at;
        assert_eq!(parse(&bytes, "a", Kind::A).is_ok(), count <= 32, "{count}");
    }
}

#[test]
fn no_records_and_five_hundred() {
    let mut reply = Reply::of(ID, "a.example", Kind::Srv);
    assert_eq!(parse(&reply.bytes, "a.example", Kind::Srv).unwrap().answers().count(), 0);
    for number in 0..500 {
        reply = reply.srv("a.example", [number, 0, 5060], &format!("host-{number}.example"));
    }
    let answer = parse(&reply.bytes, "a.example", Kind::Srv).unwrap();
    assert_eq!(answer.answers().count(), 500);
    // More than are there.
    reply.bytes[6..8].copy_from_slice(&501_u16.to_be_bytes());
    assert_eq!(parse(&reply.bytes, "a.example", Kind::Srv).unwrap_err(), Mismatch::Broken);
}

#[test]
fn no_flip_of_a_bit_is_more_than_a_wrong_answer() {
    let reply = Reply::of(ID, "a.example", Kind::Srv)
        .cname("a.example", "b.example")
        .srv("b.example", [1, 2, 3], "c.example")
        .naptr("b.example", [1, 2], "SIP+D2T", "d.example")
        .section(1)
        .soa("example", 1, 1);
    let mut read = 0;
    for bit in 0..reply.bytes.len() * 8 {
        let mut bytes = reply.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(answer) = parse(&bytes, "a.example", Kind::Srv) {
            let records = answer.answers().chain(answer.authority()).chain(answer.additional());
            read += records.filter(|record| !record.name.to_string().is_empty()).count();
        }
    }
    assert!(read > 1000);
}

#[test]
fn records_of_another_class_are_something_else() {
    let mut bytes = Reply::of(ID, "a.example", Kind::A).record("", 1, 1, b"\x01\x02\x03\x04").bytes;
    let class = 12 + 11 + 4 + 1 + 3;
    assert_eq!(bytes[class], 1);
    bytes[class] = 3;
    let answer = parse(&bytes, "a.example", Kind::A).unwrap();
    assert_eq!(answer.answers().next().unwrap().data, Data::Other(1));
    assert_eq!(wire("a.b"), b"\x01a\x01b\0");
}
