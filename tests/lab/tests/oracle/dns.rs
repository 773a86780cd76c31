//! Messages of the domain name system are what `domain` writes and reads: queries, and answers of any records, compressed; cut at
//! every octet and with every bit flipped in turn.

use super::text;
use core::fmt::Write;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message_builder::{AnswerBuilder, TreeCompressor};
use domain::base::name::Name as Theirs;
use domain::base::{CharStr, Message, MessageBuilder, ToName, Ttl};
use domain::rdata::{A, Aaaa, AllRecordData, Cname, Naptr, Soa, Srv, Txt};
use proptest::prelude::*;
use sip_core::dns::{self, Answer, Data, Domain, Kind, Mismatch, Record};

type Builder = AnswerBuilder<TreeCompressor<Vec<u8>>>;

/// A record to be written.
#[derive(Clone, Debug)]
enum Wanted {
    A(u32),
    Aaaa(u128),
    Cname(String),
    Srv(u16, u16, u16, String),
    Naptr(u16, u16, String, String, String),
    Soa(u32),
    Txt(String),
}

fn name(text: &str) -> Theirs<Vec<u8>> {
    Theirs::from_str(text).unwrap()
}

fn chars(text: &str) -> CharStr<Vec<u8>> {
    CharStr::from_octets(text.as_bytes().to_vec()).unwrap()
}

/// An answer with these records in its three sections, as `domain` writes it.
fn written(id: u16, asked: &str, kind: Kind, records: &[(String, u32, Wanted)]) -> Vec<u8> {
    let mut builder = MessageBuilder::from_target(TreeCompressor::new(Vec::new())).unwrap();
    builder.header_mut().set_id(id);
    builder.header_mut().set_qr(true);
    builder.header_mut().set_rcode(Rcode::NOERROR);
    let mut question = builder.question();
    question.push((name(asked), Rtype::from_int(kind.number()), Class::IN)).unwrap();
    let mut answer: Builder = question.answer();
    for (owner, ttl, wanted) in records {
        let (owner, ttl) = (name(owner), Ttl::from_secs(*ttl));
        match wanted {
            Wanted::A(ip) => answer.push((owner, ttl, A::new(Ipv4Addr::from_bits(*ip)))),
            Wanted::Aaaa(ip) => answer.push((owner, ttl, Aaaa::new(Ipv6Addr::from_bits(*ip)))),
            Wanted::Cname(to) => answer.push((owner, ttl, Cname::new(name(to)))),
            Wanted::Srv(priority, weight, port, target) => {
                answer.push((owner, ttl, Srv::new(*priority, *weight, *port, name(target))))
            }
            Wanted::Naptr(order, preference, flags, service, replacement) => {
                let (flags, service) = (chars(flags), chars(service));
                answer.push((
                    owner,
                    ttl,
                    Naptr::new(*order, *preference, flags, service, chars("!^.*$!x!"), name(replacement)),
                ))
            }
            Wanted::Soa(minimum) => {
                let (retry, minimum) = (Ttl::from_secs(1), Ttl::from_secs(*minimum));
                answer.push((
                    owner,
                    ttl,
                    Soa::new(name("ns.example"), name("admin.example"), 7.into(), retry, retry, retry, minimum),
                ))
            }
            Wanted::Txt(text) => answer.push((owner, ttl, Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).unwrap())),
        }
        .unwrap();
    }
    answer.finish().into_target()
}

fn ours(name: dns::Name<'_>) -> String {
    name.labels().map(text).collect::<Vec<_>>().join(".")
}

fn theirs(name: &impl ToName) -> String {
    let labels: Vec<_> =
        name.iter_labels().filter(|label| !label.is_root()).map(|label| text(label.as_slice())).collect();
    labels.join(".")
}

/// A record of ours as a line.
fn our_line(record: &Record<'_>) -> String {
    let mut line = format!("{} {} ", ours(record.name), record.ttl).to_lowercase();
    let _ = match record.data {
        Data::A(ip) => write!(line, "A {ip}"),
        Data::Aaaa(ip) => write!(line, "AAAA {ip}"),
        Data::Cname(to) => write!(line, "CNAME {}", ours(to)),
        Data::Srv(srv) => write!(line, "SRV {} {} {} {}", srv.priority, srv.weight, srv.port, ours(srv.target)),
        Data::Naptr(it) => {
            let texts = [it.flags, it.service, it.regexp].map(text);
            write!(line, "NAPTR {} {} {texts:?} {}", it.order, it.preference, ours(it.replacement))
        }
        Data::Soa(minimum) => write!(line, "SOA {minimum}"),
        Data::Other(kind) => write!(line, "TYPE {kind}"),
        _ => write!(line, "unknown"),
    };
    line
}

/// The same of `domain`; `None` when a record can't be read.
fn their_lines(bytes: &[u8]) -> Option<Vec<String>> {
    let message = Message::from_octets(bytes).ok()?;
    let mut lines = Vec::new();
    for record in message.answer().ok()? {
        let record = record.ok()?;
        let ttl = record.ttl().as_secs();
        let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
        let mut line = format!("{} {ttl} ", theirs(&record.owner())).to_lowercase();
        let kind = record.rtype().to_int();
        let known = record.class() == Class::IN && matches!(kind, 1 | 5 | 6 | 28 | 33 | 35);
        let data = if known { Some(record.to_any_record::<AllRecordData<_, _>>().ok()?) } else { None };
        let _ = match data.as_ref().map(domain::base::Record::data) {
            Some(AllRecordData::A(a)) => write!(line, "A {}", a.addr()),
            Some(AllRecordData::Aaaa(aaaa)) => write!(line, "AAAA {}", aaaa.addr()),
            Some(AllRecordData::Cname(to)) => write!(line, "CNAME {}", theirs(to.cname())),
            Some(AllRecordData::Srv(srv)) => {
                write!(line, "SRV {} {} {} {}", srv.priority(), srv.weight(), srv.port(), theirs(srv.target()))
            }
            Some(AllRecordData::Naptr(it)) => {
                let texts = [text(it.flags().as_slice()), text(it.services().as_slice()), text(it.regexp().as_slice())];
                write!(line, "NAPTR {} {} {texts:?} {}", it.order(), it.preference(), theirs(it.replacement()))
            }
            Some(AllRecordData::Soa(soa)) => write!(line, "SOA {}", soa.minimum().as_secs()),
            _ => write!(line, "TYPE {kind}"),
        };
        lines.push(line);
    }
    Some(lines)
}

fn our_lines(answer: &Answer<'_>) -> Vec<String> {
    answer.answers().map(|record| our_line(&record)).collect()
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_-]{1,8}", "[a-zA-Z0-9-]{60,63}", Just("example".to_owned()), Just("_sip".to_owned())]
}

fn domain_name() -> impl Strategy<Value = String> {
    prop::collection::vec(label(), 1..4).prop_map(|labels| labels.join("."))
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        any::<u32>().prop_map(Wanted::A),
        any::<u128>().prop_map(Wanted::Aaaa),
        domain_name().prop_map(Wanted::Cname),
        (any::<u16>(), any::<u16>(), any::<u16>(), domain_name()).prop_map(|(a, b, c, d)| Wanted::Srv(a, b, c, d)),
        (any::<u16>(), any::<u16>(), "[sSaA]?", "SIPS?\\+D2[UTW]", domain_name())
            .prop_map(|(a, b, c, d, e)| Wanted::Naptr(a, b, c, d, e)),
        any::<u32>().prop_map(Wanted::Soa),
        "[a-z]{0,20}".prop_map(Wanted::Txt),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::A), Just(Kind::Aaaa), Just(Kind::Srv), Just(Kind::Naptr)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn answers_are_read_as_domain_wrote_them(
        asked in domain_name(),
        kind in kind(),
        id in any::<u16>(),
        records in prop::collection::vec((domain_name(), any::<u32>(), wanted()), 0..12),
    ) {
        let bytes = written(id, &asked, kind, &records);
        let domain = Domain::parse(asked.as_bytes()).unwrap();
        let parse = |bytes: &[u8]| Answer::parse(bytes, id, domain.name(), kind).map(|answer| our_lines(&answer));
        let whole = parse(&bytes).unwrap();
        prop_assert_eq!(whole.len(), records.len());
        prop_assert_eq!(Some(whole), their_lines(&bytes));
        let question = 12 + domain.name().to_string().len() + 2 + 4;
        for end in 0..bytes.len() {
            let expected = if end < question { Mismatch::Foreign } else { Mismatch::Broken };
            prop_assert_eq!(parse(&bytes[..end]).unwrap_err(), expected);
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let (Ok(ours), Some(theirs)) = (parse(&flipped), their_lines(&flipped))
                && flipped[2] & 2 == 0
            {
                prop_assert_eq!(ours, theirs, "bit {}", bit);
            }
        }
        // Another id, and another question.
        prop_assert_eq!(Answer::parse(&bytes, !id, domain.name(), kind).unwrap_err(), Mismatch::Foreign);
        let other = Domain::service(b"x", b"y", Domain::parse(b"other").unwrap().name()).unwrap();
        prop_assert_eq!(Answer::parse(&bytes, id, other.name(), kind).unwrap_err(), Mismatch::Foreign);
    }

    #[test]
    fn queries_are_read_by_domain(asked in domain_name(), kind in kind(), id in any::<u16>(), edns in any::<bool>()) {
        let mut buffer = [0; dns::QUERY];
        let domain = Domain::parse(asked.as_bytes()).unwrap();
        let query = dns::write(&mut buffer, id, domain.name(), kind, edns);
        let message = Message::from_octets(query).unwrap();
        let question = message.sole_question().unwrap();
        prop_assert_eq!(theirs(question.qname()), ours(domain.name()));
        prop_assert_eq!((question.qtype().to_int(), question.qclass()), (kind.number(), Class::IN));
        prop_assert_eq!((message.header().id(), message.header().rd(), message.header().qr()), (id, true, false));
        prop_assert_eq!(message.opt().map(|opt| opt.udp_payload_size()), edns.then_some(dns::UDP_PAYLOAD));
    }
}

#[test]
fn five_hundred_records_are_read_as_domain_reads_them() {
    let record = |number: u16| {
        ("_sip._udp.example.com".to_owned(), 60, Wanted::Srv(number, 1, 5060, format!("host{number}.example.com")))
    };
    let records: Vec<_> = (0..500).map(record).collect();
    let bytes = written(1, "_sip._udp.example.com", Kind::Srv, &records);
    let domain = Domain::parse(b"_sip._udp.example.com").unwrap();
    let answer = Answer::parse(&bytes, 1, domain.name(), Kind::Srv).unwrap();
    assert_eq!(our_lines(&answer).len(), 500);
    assert_eq!(Some(our_lines(&answer)), their_lines(&bytes));
}
