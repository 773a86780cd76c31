//! The properties of `sip_lab::properties` over the corpus, over random octets, and over what fuzzing has found.
//!
//! The fuzz targets in `tests/fuzz` hold the same properties against inputs that they search for; a fault that they find
//! gets a test with its name here or beside what was at fault.

use arbitrary::{Arbitrary, Unstructured};
use core::net::{Ipv4Addr, Ipv6Addr};
use fastrand::Rng;
use sip_core::message::Message;
use sip_core::transport::Address;
use sip_lab::corpus::corpus;
use sip_lab::properties::{self, Change, Edit, FAMILIES, HubStep, Round, Step};

const SOURCES: [Address; 3] = [
    Address::NONE,
    Address::v4(Ipv4Addr::new(203, 0, 113, 9), 40_009),
    Address::v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9), 5060),
];

fn changes(place: usize) -> [Change; 9] {
    [
        Change::Escape(place, false),
        Change::Escape(place, true),
        Change::Case,
        Change::Order,
        Change::Unknown,
        Change::Counting(place),
        Change::User,
        Change::Port,
        Change::Header,
    ]
}

#[test]
fn the_corpus_is_read_and_written_again() {
    for sample in corpus() {
        println!("{}", sample.title());
        properties::message(&sample.octets);
        if let Ok(message) = Message::parse(&sample.octets) {
            properties::sdp(message.body());
        }
    }
}

#[test]
fn messages_are_made_of_the_corpus() {
    for (place, sample) in corpus().into_iter().enumerate() {
        println!("{}", sample.title());
        for source in SOURCES {
            let status = 100 + (place as u16 * 7) % 600;
            properties::edit(&sample.octets, &Edit { source, status, number: place as u64, cseq: u32::MAX });
        }
    }
}

#[test]
fn the_corpus_comes_in_on_streams() {
    for sample in corpus().into_iter().filter(|sample| sample.octets.len() < 4096) {
        println!("{}", sample.title());
        let twice = [b"\r\n\r\n", &sample.octets[..], &sample.octets].concat();
        for pieces in [&[1][..], &[2], &[7, 1, 64], &[500]] {
            properties::stream(&twice, pieces, 8192);
        }
        properties::stream(&twice, &[3], 600);
    }
}

#[test]
fn the_headers_of_the_corpus_settle() {
    for sample in corpus() {
        println!("{}", sample.title());
        let Ok(message) = Message::parse(&sample.octets) else { continue };
        for header in message.headers().filter(|header| header.value.len() < 4096) {
            if let Some(family) = FAMILIES.iter().position(|(name, _)| *name == header.name) {
                properties::header(family, header.value);
            }
        }
    }
}

#[test]
fn the_uris_of_the_corpus_are_compared() {
    for sample in corpus().into_iter().filter(|sample| sample.octets.len() < 4096) {
        println!("{}", sample.title());
        let Ok(message) = Message::parse(&sample.octets) else { continue };
        let addresses = message.contacts().chain(message.routes()).flatten().map(|address| address.raw_uri());
        let uris: Vec<&[u8]> =
            addresses.chain([message.from().raw_uri(), message.to().raw_uri()]).chain(message.request_uri()).collect();
        for one in &uris {
            (0..40).flat_map(changes).for_each(|change| properties::uri(one, change));
            uris.iter().for_each(|other| properties::uris(one, other));
        }
    }
}

/// Without quotes a backslash escapes nothing; in the quotes with which a value is written again it would.
#[test]
fn a_backslash_without_quotes_is_no_part_of_credentials() {
    for value in [
        &b"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"0\", nc=1\\"[..],
        b"Digest realm=r\\, nonce=n",
    ] {
        (0..FAMILIES.len()).for_each(|family| properties::header(family, value));
    }
}

/// Neither `auth` nor `auth-int` is offered: what nobody here can answer stays that when it is written again.
#[test]
fn a_challenge_whose_qop_nobody_knows_is_not_supported() {
    for qop in ["auauth-int", "auth-int", "auth", "auth, auth-int", "", "other"] {
        let value = format!("Digest realm=\"r\", nonce=\"n\", qop=\"{qop}\", algorithm=MD5");
        (0..FAMILIES.len()).for_each(|family| properties::header(family, value.as_bytes()));
    }
}

#[test]
fn spoilt_messages_do_no_harm() {
    let samples = corpus();
    let mut random = Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut octets = samples[random.usize(..samples.len())].octets.clone();
        octets.truncate(4096);
        for _ in 0..random.usize(1..5) {
            let at = random.usize(..octets.len());
            match random.u8(..3) {
                0 => octets[at] = b"\r\n\0 \t:;,=\"\\<>@%[]?*/.-09aZ\x7F\xFF"[random.usize(..28)],
                1 => octets.truncate(at + 1),
                _ => _ = octets.splice(at..at, *b"\r\n"),
            }
        }
        properties::message(&octets);
    }
}

/// Steps of random octets, until they are used up: `Vec`'s own are two or three.
fn steps<S: for<'a> Arbitrary<'a>>(random: &mut Rng) -> Vec<S> {
    let octets: Vec<u8> = (0..random.usize(..400)).map(|_| random.u8(..)).collect();
    let mut input = Unstructured::new(&octets);
    core::iter::from_fn(|| if input.is_empty() { None } else { input.arbitrary().ok() }).collect()
}

#[test]
fn whatever_happens_to_a_user_agent_it_comes_to_rest() {
    let mut random = Rng::with_seed(2);
    for _ in 0..2_000 {
        properties::agent(&steps::<Step>(&mut random));
    }
}

#[test]
fn whoever_offers_is_answered_line_by_line() {
    let mut random = Rng::with_seed(4);
    for _ in 0..4_000 {
        properties::negotiate(&steps::<Round>(&mut random));
    }
}

fn fails(more: bool, steps: &[HubStep]) -> bool {
    std::panic::catch_unwind(|| properties::hub(more, steps)).is_err()
}

/// Leaves every step out without which it fails all the same.
fn fewest(more: bool, mut steps: Vec<HubStep>) -> Vec<HubStep> {
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let removed = steps.remove(at);
        if !fails(more, &steps) {
            steps.insert(at, removed);
        }
    }
    steps
}

#[test]
fn whatever_happens_to_a_hub_it_comes_to_rest() {
    let mut random = Rng::with_seed(3);
    for _ in 0..2_000 {
        let steps = steps::<HubStep>(&mut random);
        let more = random.bool();
        if fails(more, &steps) {
            panic!("{more}, {:?}", fewest(more, steps));
        }
    }
}

/// An ACK whose target is no URI that can be asked for was asked for again and again.
#[test]
fn an_ack_without_a_way_asks_no_question_without_end() {
    let again = |which, place, change| Step::Again { which, place, change };
    properties::agent(&[
        Step::Call(false, 159),
        Step::Answer { to: 159, status: 5, tag: 34, extras: 159 },
        again(33, 10422, 81),
        Step::Ring(69),
        again(41, 36237, 141),
        Step::Reinvite(145),
        Step::Ask { method: 4, of: 79, cseq: 69, tag: 83, extras: 69 },
        again(41, 10537, 85),
        Step::Reinvite(145),
        Step::Ring(48),
        Step::Call(true, 10),
        again(45, 65535, 255),
        again(45, 2573, 114),
    ]);
}

/// The ACK to a 2xx is kept for 64·T1. One that the socket would not take until then was sent without octets.
#[test]
fn an_ack_that_waits_for_the_socket_too_long_is_not_sent_empty() {
    let peer = |status, tag| Step::Answer { to: 0, status, tag, extras: 0 };
    let (ok, again) = (peer(4, 0), peer(4, 0));
    properties::agent(&[Step::Call(true, 0), Step::Resolved(3), Step::Block(true), ok, again, Step::Wait(4000)]);
}
