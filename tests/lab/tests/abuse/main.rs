//! What strangers do to messages, each over the whole corpus (over 400 messages, no two equal).
//!
//! | abuse | test |
//! |---|---|
//! | cut at every octet | `cut_at_every_octet` |
//! | each header deleted | `each_header_deleted` |
//! | each header doubled | `each_header_doubled` |
//! | each header emptied | `each_header_emptied` |
//! | one bit flipped | `one_bit_flipped_in_every_octet`; all eight in turn with `SIP_ABUSE_FULL=1`, which the continuous integration sets |
//! | printed into every buffer size | `printed_into_every_buffer_size` |
//! | a stream split at every octet | `a_stream_split_at_every_octet` |
//! | framer and parser agree on every length | `framer_and_parser_agree_on_every_length`, and under each flipped bit |
//! | write(parse(m)) means m | `written_again_it_means_the_same` |
//! | lazy and eager views agree | `lazy_and_eager_views_agree` |
//! | every step consumes or ends | `read::bounded`, under all of these: no iterator gives more items than there are octets |
//! | no recursion | `nesting_takes_no_stack`: the deepest nesting that 65,535 octets hold, on a small stack |
//!
//! What is fed to a user agent as well is in garbage.rs and adversary.rs; the forwarding edit under abuse is in forward.rs.

mod nesting;
mod read;
mod write;

use proptest::prelude::*;
use read::{bounded, meaning, read_all, read_failure};
use sip_core::message::{
    CSeq, Credentials, Framer, Framing, Header, HeaderName, MAX_MESSAGE, Message, NameAddr, ParseError, Uri, Via,
    Writer, frame, response_head,
};
use sip_core::transport::Address;
use sip_lab::corpus::{Sample, corpus};
use std::sync::LazyLock;

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(corpus);

fn each(mut work: impl FnMut(&Sample, &Message<'_>)) {
    for sample in SAMPLES.iter() {
        let message = Message::parse(&sample.octets);
        let message =
            message.unwrap_or_else(|failure| panic!("{}: {:?} at {}", sample.title(), failure.error(), failure.at()));
        work(sample, &message);
    }
}

/// Parses and reads everything; whether it is a message.
fn read(octets: &[u8]) -> Result<usize, ParseError> {
    match Message::parse(octets) {
        Ok(message) => Ok(read_all(&message)),
        Err(failure) => {
            read_failure(&failure);
            Err(failure.error())
        }
    }
}

/// The comma-separated elements of a value, trimmed, found one octet after the other.
fn elements(value: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut from, mut quoted, mut bracket, mut escaped) = (Vec::new(), 0, false, false, false);
    for (at, octet) in value.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracket = true,
            b'>' if !quoted => bracket = false,
            b',' if !quoted && !bracket => {
                found.push(value[from..at].trim_ascii());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(value[from..].trim_ascii());
    found
}

/// The start line and the rows of a message with their line ends, and what follows them.
fn rows(message: &Message<'_>) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (head, end) = message.bytes().split_at(message.head_len() - 2);
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        match rows.last_mut() {
            Some(last) if rows_continue(line) => last.extend_from_slice(line),
            _ => rows.push(line.to_vec()),
        }
    }
    assert_eq!(rows.len(), message.headers().count() + 1);
    (rows, end.to_vec())
}

fn rows_continue(line: &[u8]) -> bool {
    matches!(line, [b' ' | b'\t', ..])
}

/// Does something to each header row in turn, and compares what the parser says with what `expected` says about the first and any
/// later row of the name: an error, or that all other rows are as they were.
fn each_row(spoil: impl Fn(&[u8]) -> Vec<u8>, expected: impl Fn(HeaderName<'_>, bool) -> Option<ParseError>) {
    let mut count = 0;
    each(|sample, message| {
        let (all, end) = rows(message);
        let headers: Vec<Header<'_>> = message.headers().collect();
        for (index, header) in headers.iter().enumerate() {
            let first = headers.iter().position(|other| other.name == header.name) == Some(index);
            let alone = headers.iter().filter(|other| other.name == header.name).count() == 1;
            let mut spoilt = all.clone();
            spoilt[index + 1] = spoil(&all[index + 1]);
            let octets = [spoilt.concat(), end.clone()].concat();
            let error = expected(header.name, if spoilt[index + 1].is_empty() { alone } else { first });
            let title = format!("{}: {}", sample.title(), String::from_utf8_lossy(&all[index + 1]));
            assert_eq!(read(&octets).err(), error, "{title}");
            if let Ok(message) = Message::parse(&octets) {
                let left: Vec<Header<'_>> = message.headers().collect();
                let behind = &headers[index + 1..];
                assert_eq!(
                    (&left[..index], &left[left.len() - behind.len()..]),
                    (&headers[..index], behind),
                    "{title}"
                );
                assert_eq!(message.body(), end.get(2..).unwrap(), "{title}");
            }
            count += 1;
        }
    });
    assert!(count > 3000, "{count}");
}

#[test]
fn each_header_deleted() {
    each_row(
        |_| Vec::new(),
        |name, alone| match name {
            HeaderName::Via if alone => Some(ParseError::MissingVia),
            HeaderName::From => Some(ParseError::MissingFrom),
            HeaderName::To => Some(ParseError::MissingTo),
            HeaderName::CallId => Some(ParseError::MissingCallId),
            HeaderName::CSeq => Some(ParseError::MissingCSeq),
            _ => None,
        },
    );
}

#[test]
fn each_header_doubled() {
    each_row(
        |row| row.repeat(2),
        |name, _| match name {
            HeaderName::From => Some(ParseError::DoubledFrom),
            HeaderName::To => Some(ParseError::DoubledTo),
            HeaderName::CallId => Some(ParseError::DoubledCallId),
            HeaderName::CSeq => Some(ParseError::DoubledCSeq),
            _ => None,
        },
    );
}

#[test]
fn each_header_emptied() {
    each_row(
        |row| [row.split_inclusive(|octet| *octet == b':').next().unwrap(), b"\r\n"].concat(),
        |name, first| match name {
            HeaderName::Via if first => Some(ParseError::Via),
            HeaderName::From => Some(ParseError::From),
            HeaderName::To => Some(ParseError::To),
            HeaderName::CallId => Some(ParseError::CallId),
            HeaderName::CSeq => Some(ParseError::CSeq),
            HeaderName::ContentLength => Some(ParseError::ContentLength),
            _ => None,
        },
    );
}

#[test]
fn cut_at_every_octet() {
    each(|sample, whole| {
        let start = sample.octets.len() - whole.bytes().len();
        for cut in 0..sample.octets.len() {
            let left = cut.saturating_sub(start);
            let expected = match whole.content_length() {
                _ if left < whole.head_len() => Some(ParseError::Truncated),
                Some(_) => Some(ParseError::Body),
                None => None,
            };
            // The number of a Content-Length can be cut too, but never its row without the empty line.
            assert_eq!(read(&sample.octets[..cut]).err(), expected, "{} at {cut}", sample.title());
        }
    });
}

/// Whether the framer takes the octets for what the parser takes them for.
fn framed_as_parsed(octets: &[u8]) {
    let mut framer = Framer::new(MAX_MESSAGE);
    let mut rest = octets;
    loop {
        match framer.next(rest) {
            Framing::KeepAlive { len, .. } => rest = &rest[len..],
            Framing::Frame { len } => {
                match Message::parse(&rest[..len]) {
                    Ok(message) => assert_eq!(message.bytes().len(), len),
                    Err(failure) => assert!(
                        !matches!(
                            failure.error(),
                            ParseError::Truncated
                                | ParseError::Body
                                | ParseError::LineEnd
                                | ParseError::HeaderName
                                | ParseError::ContentLength
                                | ParseError::ConflictingContentLength
                                | ParseError::TooLarge
                        ),
                        "framed, and then {:?}",
                        failure.error()
                    ),
                }
                return;
            }
            Framing::Incomplete => {
                let error = Message::parse(rest).err().map(|failure| failure.error());
                // The parser may find another fault in what is there; it can't find a whole message.
                assert!(error.is_some() || rest.is_empty(), "incomplete, and then a message");
                return;
            }
            Framing::Oversized { .. } | Framing::Broken(_) => {
                assert!(Message::parse(rest).is_err(), "broken, and then a message");
                return;
            }
        }
    }
}

#[test]
fn one_bit_flipped_in_every_octet() {
    let full = std::env::var_os("SIP_ABUSE_FULL").is_some();
    let (mut taken, mut refused, mut seed) = (0_u64, 0_u64, 0x9E37_79B9_7F4A_7C15_u64);
    each(|sample, _| {
        let mut octets = sample.octets.clone();
        for at in 0..octets.len() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let one = 1_u8 << (seed >> 61);
            for bit in (0..8).map(|place| 1_u8 << place).filter(|bit| full || *bit == one) {
                octets[at] ^= bit;
                match read(&octets) {
                    Ok(_) => taken += 1,
                    Err(_) => refused += 1,
                }
                framed_as_parsed(&octets);
                octets[at] ^= bit;
            }
        }
    });
    assert!(taken > 10_000 && refused > 10_000, "{taken} taken, {refused} refused");
}

#[test]
fn printed_into_every_buffer_size() {
    each(|sample, message| {
        let again = write::every_size(|w| write::by_rows(w, message));
        assert!(again.len() + 4 * message.headers().count() >= message.head_len(), "{}", sample.title());
        if message.is_request() && message.bytes().len() < 4000 {
            let source = Address::v4([192, 0, 2, 99].into(), 5070);
            let answer = write::every_size(|w| {
                w.status_line(200, b"OK");
                response_head(w, message, source, Some(b"tt"));
                w.finish_without_body();
            });
            let answer = Message::parse(&answer).unwrap();
            assert_eq!((answer.call_id(), answer.cseq()), (message.call_id(), message.cseq()));
            assert_eq!(answer.vias().count(), message.vias().count());
            assert!(answer.to_tag().is_some());
        }
    });
}

#[test]
fn written_again_it_means_the_same() {
    let mut folded = 0;
    each(|sample, message| {
        let said = meaning(message);
        for (way, by) in [("rows", write::by_rows as write::By), ("parts", write::by_parts)] {
            let mut room = vec![0; MAX_MESSAGE];
            let mut w = Writer::new(&mut room);
            by(&mut w, message);
            let length = w.finish().unwrap();
            let again = Message::parse(&room[..length]);
            let again = again.unwrap_or_else(|failure| panic!("{} by {way}: {:?}", sample.title(), failure.error()));
            assert_eq!(meaning(&again), said, "{} by {way}", sample.title());
            folded += usize::from(way == "parts" && message.headers().any(|header| header.value.contains(&b'\n')));
        }
    });
    assert!(folded > 10, "{folded} messages had folds");
}

#[test]
fn a_stream_split_at_every_octet() {
    let framable: Vec<Message<'_>> = SAMPLES
        .iter()
        .map(|sample| Message::parse(&sample.octets).unwrap())
        .filter(|one| one.content_length().is_some())
        .collect();
    for pair in framable.windows(2) {
        let lengths = [pair[0].bytes().len(), pair[1].bytes().len()];
        let stream = [pair[0].bytes(), b"\r\n\r\n", pair[1].bytes()].concat();
        for cut in 0..=stream.len() {
            let (mut framer, mut frames, mut pings, mut taken) = (Framer::new(MAX_MESSAGE), Vec::new(), 0, 0);
            for end in [cut, stream.len()] {
                while taken < end {
                    match framer.next(&stream[taken..end]) {
                        Framing::Incomplete => break,
                        Framing::Frame { len } => {
                            frames.push(len);
                            taken += len;
                        }
                        Framing::KeepAlive { len, ping } => {
                            pings += usize::from(ping);
                            taken += len;
                        }
                        broken => panic!("{broken:?} when cut at {cut}"),
                    }
                }
            }
            assert_eq!((&frames[..], pings, taken), (&lengths[..], 1, stream.len()), "cut at {cut}");
        }
    }
}

#[test]
fn framer_and_parser_agree_on_every_length() {
    let mut lengths = 0;
    each(|sample, message| {
        // Every part of the message.
        if message.content_length().is_some() {
            for cut in 0..message.bytes().len() {
                assert_eq!(
                    frame(&message.bytes()[..cut], MAX_MESSAGE),
                    Framing::Incomplete,
                    "{} at {cut}",
                    sample.title()
                );
            }
        }
        let len = if message.content_length().is_some() { message.bytes().len() } else { message.head_len() };
        assert_eq!(frame(message.bytes(), MAX_MESSAGE), Framing::Frame { len }, "{}", sample.title());
        assert_eq!(frame(message.bytes(), len), Framing::Frame { len });
        let head = message.head_len();
        let too_large = if head < len { Framing::Oversized { head } } else { Framing::Broken(ParseError::TooLarge) };
        assert_eq!(frame(message.bytes(), len - 1), too_large);
        // Every number that Content-Length can have.
        let (all, end) = rows(message);
        let body = message.body().len();
        let named = |row: &Vec<u8>| {
            let name = row.split(|octet| *octet == b':').next().unwrap();
            HeaderName::parse(name.trim_ascii()) == Some(HeaderName::ContentLength)
        };
        if body == 0 || all.iter().skip(1).filter(|row| named(row)).count() != 1 {
            return;
        }
        for number in 0..=body + 1 {
            let mut spoilt = all.clone();
            for row in spoilt.iter_mut().skip(1).filter(|row| named(row)) {
                *row = format!("Content-Length: {number}\r\n").into_bytes();
            }
            let octets = [spoilt.concat(), end.clone()].concat();
            let expected = octets.len() - body + number;
            lengths += 1;
            if number > body {
                assert_eq!(frame(&octets, MAX_MESSAGE), Framing::Incomplete);
                assert_eq!(read(&octets).err(), Some(ParseError::Body));
            } else {
                assert_eq!(frame(&octets, MAX_MESSAGE), Framing::Frame { len: expected });
                assert_eq!(Message::parse(&octets).unwrap().bytes().len(), expected);
            }
        }
    });
    assert!(lengths > 2000, "{lengths}");
}

/// The results that parsing one element after the other gives.
fn eager<T>(message: &Message<'_>, name: HeaderName<'static>, parse: impl Fn(&[u8]) -> Option<T>) -> Vec<Option<T>> {
    message.header_rows(name).flat_map(elements).map(parse).collect()
}

#[test]
fn lazy_and_eager_views_agree() {
    each(|sample, message| {
        let title = sample.title();
        let all: Vec<Header<'_>> = message.headers().collect();
        for header in &all {
            let same: Vec<&[u8]> =
                all.iter().filter(|other| other.name == header.name).map(|other| other.value).collect();
            let written = header.name.as_bytes();
            let (upper, lower) = (written.to_ascii_uppercase(), written.to_ascii_lowercase());
            let compact = header.name.compact().map(|letter| vec![letter]);
            for name in [Some(upper), Some(lower), compact].into_iter().flatten() {
                let name = HeaderName::Other(&name);
                assert_eq!(bounded(message.header_rows(name), all.len()), same, "{title}");
                assert_eq!(
                    (message.header(name), message.find(name)),
                    (Some(same[0]), Some(Header { name: header.name, value: same[0] }))
                );
                let listed: Vec<&[u8]> =
                    same.iter().flat_map(|value| elements(value)).filter(|one| !one.is_empty()).collect();
                assert_eq!(message.values(name).collect::<Vec<_>>(), listed, "{title}: {:?}", header.name);
            }
        }
        // What the parser has read at once, and what it reads when asked.
        let value = |name| message.header(name).unwrap();
        assert_eq!(Via::parse(elements(value(HeaderName::Via))[0]), Ok(message.top_via()), "{title}");
        assert_eq!(NameAddr::parse(value(HeaderName::From)), Ok(message.from()), "{title}");
        assert_eq!(NameAddr::parse(value(HeaderName::To)), Ok(message.to()), "{title}");
        assert_eq!(CSeq::parse(value(HeaderName::CSeq)), Ok(message.cseq()), "{title}");
        assert_eq!(
            (value(HeaderName::CallId), message.cseq().method),
            (message.call_id(), message.method()),
            "{title}"
        );
        assert_eq!(message.request_uri().map(|uri| Uri::parse(uri).unwrap()), message.uri(), "{title}");
        let lazy: Vec<_> = message.vias().map(|one| one.ok().map(|one| read::meaning_of_via(&one))).collect();
        let said = eager(message, HeaderName::Via, |one| Via::parse(one).ok().map(|one| read::meaning_of_via(&one)));
        assert_eq!(lazy, said, "{title}");
        for name in read::ADDRESSES {
            if name == HeaderName::Contact && message.contact_is_wildcard() {
                continue;
            }
            let lazy: Vec<_> =
                message.addresses(name).map(|one| one.ok().map(|one| read::meaning_of_address(&one))).collect();
            let said = eager(message, name, |one| NameAddr::parse(one).ok().map(|one| read::meaning_of_address(&one)));
            assert_eq!(lazy, said, "{title}: {name:?}");
        }
        let found: Vec<_> = message.credentials().collect();
        assert_eq!(found, all.iter().filter_map(Credentials::of).collect::<Vec<_>>(), "{title}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_octets(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        _ = read(&octets);
        framed_as_parsed(&octets);
    }

    #[test]
    fn several_faults_at_once(
        place in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, prop::sample::select(b"\r\n\0 \t:;,=\"\\<>@%[]?*/.-09aZ\x7F\xFF".to_vec())), 1..6),
    ) {
        let mut octets = SAMPLES[place.index(SAMPLES.len())].octets.clone();
        for (place, kind, octet) in edits {
            let at = place.index(octets.len());
            match kind {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                2 if octets.len() > 1 => _ = octets.remove(at),
                _ => octets.truncate(at.max(1)),
            }
        }
        _ = read(&octets);
        framed_as_parsed(&octets);
    }
}
