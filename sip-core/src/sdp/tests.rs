//! Whole descriptions: read, written again, cut, spoilt, crowded. Covers the rows of what crashed others' parsers; the
//! grammar of each value is tested beside it.

use super::samples::{ALL, IPV6, MULTIPLE, PHONE, crlf};
use super::*;
use crate::message::WriteError;
use core::net::IpAddr;
use proptest::prelude::*;

const HEAD: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";

fn text(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap()
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn fails(text: &str) -> SdpError {
    Session::parse(text.as_bytes()).unwrap_err()
}

/// Asks for everything, so that a panic anywhere shows.
fn read_all(session: &Session<'_>) -> usize {
    let mut count = session.bandwidths().count() + session.timings().count() + session.name().map_or(0, <[u8]>::len);
    count += session.attributes().filter(|one| one.typed().is_ok()).count() + session.lines(b'e').count();
    _ = (session.direction(), session.connection().and_then(|one| one.ip()));
    assert_eq!(session.media().count(), session.media_count());
    for media in session.media() {
        assert!(media.formats().count() >= 1);
        for number in media.payload_types() {
            count += usize::from(media.codec(number).is_some());
            count += media.fmtp(number).map_or(0, |fmtp| fmtp.params().count());
        }
        for crypto in media.cryptos().flatten() {
            count += crypto.keys().flatten().count() + crypto.params().count();
        }
        count += media.attributes().filter(|one| one.typed().is_ok()).count() + media.bandwidths().count();
        _ = (media.connection().map(|one| (one.ip(), one.is_unspecified())), media.direction(), media.mid());
        _ = (media.ptime(), media.max_ptime(), media.rtcp_mux(), media.rtcp());
        _ = (media.kind(), media.port(), media.port_count(), media.proto());
    }
    count
}

/// Writes what was read, each line by its type.
fn write_again(session: &Session<'_>, buffer: &mut [u8]) -> Result<usize, WriteError> {
    let mut w = Writer::new(buffer);
    let attribute = |w: &mut Writer<'_>, one: Attribute<'_>| match one.typed() {
        Ok(Typed::RtpMap(map)) => w.rtpmap(&map),
        Ok(Typed::Fmtp(fmtp)) => w.fmtp(&fmtp),
        Ok(Typed::Ptime(time)) => w.ptime(time),
        Ok(Typed::MaxPtime(time)) => w.max_ptime(time),
        Ok(Typed::Direction(direction)) => w.direction(direction),
        Ok(Typed::RtcpMux) => w.rtcp_mux(),
        Ok(Typed::Rtcp(rtcp)) => w.rtcp(&rtcp),
        Ok(Typed::Crypto(crypto)) if crypto.keys().all(|key| key.is_ok()) => w.crypto(&crypto),
        Ok(Typed::Mid(mid)) => w.attribute(&Attribute { name: b"mid", value: Some(mid) }),
        _ => match one.value {
            Some(value) => w.line(b'a', &[one.name, b":", value].concat()),
            None => w.line(b'a', one.name),
        },
    };
    w.origin(&session.origin());
    for kind in [b's', b'i', b'u', b'e', b'p'] {
        session.lines(kind).for_each(|value| w.line(kind, value));
    }
    if let Some(connection) = session.connection() {
        w.connection(&connection);
    }
    session.bandwidths().for_each(|one| w.bandwidth(one.kind, one.value));
    session.timings().for_each(|timing| w.timing(timing));
    session.attributes().for_each(|one| attribute(&mut w, one));
    for media in session.media() {
        w.media_of(media.kind(), (media.port(), media.port_count()), media.proto(), media.formats());
        media.lines(b'i').for_each(|value| w.line(b'i', value));
        media.connections().for_each(|one| w.connection(&one));
        media.bandwidths().for_each(|one| w.bandwidth(one.kind, one.value));
        media.attributes().for_each(|one| attribute(&mut w, one));
    }
    w.finish()
}

/// What a description means, to be compared.
fn meaning(session: &Session<'_>) -> String {
    let mut said = format!("{:?} {:?} {:?}\n", session.origin(), session.connection(), session.direction());
    let typed = |one: Attribute<'_>| match one.typed() {
        Ok(typed) => format!("{typed:?}"),
        Err(_) => format!("{one:?}"),
    };
    said += &format!("{:?} {:?}", session.bandwidths().collect::<Vec<_>>(), session.timings().collect::<Vec<_>>());
    said += &format!("{:?}\n", session.attributes().map(typed).collect::<Vec<_>>());
    for media in session.media() {
        said += &format!("{:?} {} {}", text(media.kind()), media.port(), media.port_count());
        said += &format!("{:?} {:?}", media.proto(), media.formats().collect::<Vec<_>>());
        said += &format!("{:?} {:?}", media.connection(), media.direction());
        said += &format!("{:?}", media.bandwidths().collect::<Vec<_>>());
        said += &format!("{:?}\n", media.attributes().map(typed).collect::<Vec<_>>());
    }
    said
}

#[test]
fn a_phone() {
    let bytes = crlf(PHONE);
    let session = Session::parse(&bytes).unwrap();
    let origin = session.origin();
    assert_eq!((origin.username, origin.session_id, origin.version), (&b"alice"[..], 2_890_844_526, 2_890_844_527));
    assert_eq!((session.name(), session.direction()), (Some(&b"A call"[..]), Direction::RecvOnly));
    assert_eq!(session.bandwidths().collect::<Vec<_>>(), [Bandwidth { kind: b"AS", value: 512 }]);
    assert_eq!(session.timings().collect::<Vec<_>>(), [Timing::default()]);
    assert_eq!(session.attributes().clone().find_value(b"tool"), Some(&b"ours"[..]));
    let [audio, video, fax] = session.media().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((audio.kind(), audio.port(), audio.port_count()), (&b"audio"[..], 49170, 2));
    assert_eq!((audio.proto(), audio.payload_types().collect()), (&b"RTP/SAVP"[..], vec![0, 8, 97, 101]));
    assert_eq!(audio.connection().unwrap().ip(), ip("192.0.2.11"));
    assert_eq!(audio.direction(), Direction::SendOnly);
    assert!(audio.codec(8).unwrap().is(b"pcma", 8000) && audio.codec(97).unwrap().is(b"ILBC", 8000));
    assert_eq!(audio.codec(96), None);
    assert_eq!(audio.fmtp(97).unwrap().param(b"mode"), Some(&b"30"[..]));
    assert_eq!(audio.fmtp(101).unwrap().params, b"0-16");
    assert_eq!((audio.ptime(), audio.max_ptime(), audio.mid()), (Some(20), Some(150), Some(&b"voice"[..])));
    assert!(audio.rtcp_mux() && !fax.rtcp_mux());
    let rtcp = audio.rtcp().unwrap();
    assert_eq!((rtcp.port, rtcp.connection.unwrap().ip()), (49175, ip("2001:db8::5")));
    assert_eq!(audio.cryptos().map(|one| one.unwrap().tag).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(audio.attributes().last().unwrap().name, b"candidate");
    assert_eq!((video.port(), video.connection().unwrap().ip()), (0, ip("192.0.2.10")));
    assert_eq!((video.direction(), video.attributes().count()), (Direction::RecvOnly, 0));
    assert_eq!((fax.formats().collect::<Vec<_>>(), fax.payload_types().count()), (vec![&b"t38"[..]], 0));
}

#[test]
fn addresses_of_both_families() {
    let bytes = crlf(MULTIPLE);
    let session = Session::parse(&bytes).unwrap();
    assert_eq!((session.connection(), session.name()), (None, Some(&b""[..])));
    let ips: Vec<_> = session.media().map(|media| media.connection().unwrap().ip()).collect();
    assert_eq!(ips, [ip("192.0.2.1"), ip("2001:db8::1")]);
    let bytes = crlf(IPV6);
    let session = Session::parse(&bytes).unwrap();
    assert!(session.media().all(|media| media.connection().unwrap().ip() == ip("2001:db8::20")));
    assert_eq!(session.timings().next(), Some(Timing { start: 3_338_481_189, stop: 3_370_017_201 }));
    assert!(session.origin().is_same_session(&session.origin()));
}

#[test]
fn line_ends_of_every_kind() {
    for sample in ALL {
        let whole = crlf(sample);
        let expected = meaning(&Session::parse(&whole).unwrap());
        let cut = sample.trim_end();
        for other in
            [sample.into(), cut.into(), cut.replace('\n', "\r\n"), format!("{sample}\n"), format!("{sample}\r\n\r\n\n")]
        {
            assert_eq!(meaning(&Session::parse(other.as_bytes()).unwrap()), expected);
        }
    }
}

#[test]
fn what_is_refused() {
    for (text, error) in [
        ("", SdpError::Version),
        ("\r\n", SdpError::Version),
        ("v=0", SdpError::Origin),
        ("v=1", SdpError::Version),
        ("v=0 ", SdpError::Version),
        ("o=- 1 1 IN IP4 a\nv=0", SdpError::Version),
        ("garbage", SdpError::Line),
        ("v", SdpError::Line),
        ("v=0\n\no=- 1 1 IN IP4 a", SdpError::Line),
        ("v=0\no=- 1 1 IN IP4", SdpError::Origin),
        ("v=0\no=- 1 x IN IP4 a", SdpError::Origin),
        ("v=0\no=- 1 18446744073709551616 IN IP4 a", SdpError::Origin),
        ("v=0\nv=0", SdpError::Doubled),
        ("v=0\no=- 1 1 IN IP4 a\no=- 1 1 IN IP4 a", SdpError::Doubled),
        ("v=0\ns=-\ns=-", SdpError::Doubled),
        ("v=0\nc=IN IP4 a\nc=IN IP4 b", SdpError::Doubled),
        ("v=0\nc=IN IP4 192.0.2.1.1", SdpError::Connection),
        ("v=0\nq=1", SdpError::Type),
        ("v=0\nA=1", SdpError::Type),
        ("v=0\n = ", SdpError::Type),
        ("v=0\rs=-", SdpError::Octet),
        ("v=0\ns=\r\r\n", SdpError::Octet),
        ("v=0\ns=\0", SdpError::Octet),
        ("v=0\nm=audio 1 RTP/AVP 0\ns=-", SdpError::Order),
        ("v=0\nm=audio 1 RTP/AVP 0\nt=0 0", SdpError::Order),
        ("v=0\nm=audio 1 RTP/AVP 0\nc=x", SdpError::Connection),
    ] {
        assert_eq!(fails(text), error, "{text:?}");
    }
}

#[test]
fn a_media_line_of_every_shape() {
    for (line, error) in [
        ("audio 0", Some(SdpError::Media)),
        ("", Some(SdpError::Media)),
        ("audio", Some(SdpError::Media)),
        ("audio 1 RTP/AVP", Some(SdpError::Media)),
        ("audio 1 RTP/AVP ", Some(SdpError::Media)),
        ("aud/io 1 RTP/AVP 0", Some(SdpError::Media)),
        ("audio 1 RTP//AVP 0", Some(SdpError::Media)),
        ("audio 1 R\u{e4}P/AVP 0", Some(SdpError::Media)),
        ("audio 1 RTP/AVP 0 \u{e4}", Some(SdpError::Media)),
        ("audio 65536 RTP/AVP 0", Some(SdpError::Port)),
        ("audio -1 RTP/AVP 0", Some(SdpError::Port)),
        ("audio $ RTP/AVP 0", Some(SdpError::Port)),
        ("audio 1/0 RTP/AVP 0", Some(SdpError::PortCount)),
        ("audio 1/ RTP/AVP 0", Some(SdpError::PortCount)),
        ("audio 1/4000000000 RTP/AVP 0", Some(SdpError::PortCount)),
        ("audio 1/65535 RTP/AVP 0", Some(SdpError::PortCount)),
        ("audio 65534/2 RTP/AVP 0", Some(SdpError::PortCount)),
        ("audio 65533/2 RTP/AVP 0", None),
        ("audio 0 RTP/AVP 0", None),
        ("audio 1 RTP/AVP  0  8 ", None),
        ("audio 1 RTP/AVP 4294967296", None),
        ("audio 1 RTP/AVP 128", None),
    ] {
        let text = format!("{HEAD}m={line}\n");
        assert_eq!(Session::parse(text.as_bytes()).err(), error, "{line}");
    }
}

#[test]
fn a_media_with_port_0_is_refused_with_what_it_offered() {
    for (line, refused) in [
        ("m=audio 5004 RTP/AVP 0 101", "m=audio 0 RTP/AVP 0 101"),
        ("m=audio 0 RTP/AVP 8", "m=audio 0 RTP/AVP 8"),
        ("m=video 5004/2 RTP/SAVPF 96", "m=video 0 RTP/SAVPF 96"),
        ("m=image 5006 udptl t38", "m=image 0 udptl t38"),
    ] {
        let offer = crlf(&format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{line}\n"));
        let session = Session::parse(&offer).unwrap();
        let media = session.media().next().unwrap();
        assert_eq!(media.is_rejected(), line.starts_with("m=audio 0 "));
        let mut room = [0; 64];
        let mut writer = Writer::new(&mut room);
        writer.rejected(&media);
        let length = writer.finish().unwrap();
        assert_eq!(text(&room[..length]), format!("v=0\r\n{refused}\r\n"));
    }
}

#[test]
fn a_static_payload_type_alone() {
    let text = format!("{HEAD}m=audio 5004 RTP/AVP 0\n");
    let session = Session::parse(text.as_bytes()).unwrap();
    let audio = session.media().next().unwrap();
    assert_eq!(audio.rtpmaps().count(), 0);
    assert!(audio.codec(0).unwrap().is(b"PCMU", 8000));
    assert_eq!((audio.codec(2), audio.codec(255)), (None, None));
}

#[test]
fn payload_types_and_formats_beyond_their_range() {
    let text = format!(
        "{HEAD}m=audio 5004 RTP/AVP 4294967296 65535 0\na=rtpmap:65535 X/8000\na=rtpmap:4294967296 Y/8000\n\
         a=fmtp:4294967296 a=b\na=fmtp:\na=fmtp\na=ptime:4294967316\n"
    );
    let session = Session::parse(text.as_bytes()).unwrap();
    read_all(&session);
    let audio = session.media().next().unwrap();
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [0]);
    assert_eq!((audio.rtpmaps().count(), audio.fmtps().count(), audio.ptime()), (0, 1, None));
    assert_eq!((0..=255).filter(|number| audio.fmtp(*number).is_some()).count(), 0);
}

#[test]
fn a_nul_in_an_attribute() {
    assert_eq!(fails(&format!("{HEAD}m=audio 5004 RTP/AVP 0\na=fmtp\0:97 x=y\n")), SdpError::Octet);
}

#[test]
fn limits_have_names_and_hold_to_the_last() {
    let crypto: String = (1..=65).map(|tag| format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:YWJj\n")).collect();
    let text = format!("{HEAD}m=audio 1 RTP/SAVP 0\n{crypto}");
    let session = Session::parse(text.as_bytes()).unwrap();
    let tags: Vec<_> = session.media().next().unwrap().cryptos().map(|one| one.unwrap().tag).collect();
    assert_eq!(tags, (1..=65).collect::<Vec<_>>());

    let many = |count: usize| format!("{HEAD}{}", "m=audio 1 RTP/AVP 0\n".repeat(count));
    assert_eq!(Session::parse(many(MAX_MEDIA).as_bytes()).unwrap().media().count(), MAX_MEDIA);
    assert_eq!(fails(&many(MAX_MEDIA + 1)), SdpError::TooManyMedia);
    assert_eq!(fails(&many(3000)), SdpError::TooManyMedia);

    let formats = |count: usize| format!("{HEAD}m=audio 1 RTP/AVP{}\n", " 0".repeat(count));
    assert_eq!(Session::parse(formats(MAX_FORMATS).as_bytes()).unwrap().media().next().unwrap().formats().count(), 128);
    assert_eq!(fails(&formats(MAX_FORMATS + 1)), SdpError::TooManyFormats);

    let lines = |count: usize| format!("{HEAD}{}", "a=x\n".repeat(count));
    assert_eq!(Session::parse(lines(MAX_LINES - 5).as_bytes()).unwrap().attributes().count(), MAX_LINES - 5);
    assert_eq!(fails(&lines(MAX_LINES - 4)), SdpError::TooManyLines);

    let long = |count: usize| format!("{HEAD}a={}", "x".repeat(count - HEAD.len() - 2));
    assert!(Session::parse(long(MAX_OCTETS).as_bytes()).is_ok());
    assert_eq!(fails(&long(MAX_OCTETS + 1)), SdpError::TooLarge);
}

#[test]
fn cut_at_every_byte() {
    for sample in ALL {
        let bytes = crlf(sample);
        for end in 0..bytes.len() {
            if let Ok(session) = Session::parse(&bytes[..end]) {
                read_all(&session);
            }
        }
    }
}

#[test]
fn written_again_it_means_the_same() {
    for sample in ALL {
        let bytes = crlf(sample);
        let session = Session::parse(&bytes).unwrap();
        let mut buffer = [0; 2048];
        let length = write_again(&session, &mut buffer).unwrap();
        let again = Session::parse(&buffer[..length]).unwrap();
        assert_eq!(meaning(&again), meaning(&session));
        for size in 0..length + 2 {
            let mut small = vec![0xAA; size];
            let expected = if size < length { Err(WriteError::Full { needed: length }) } else { Ok(length) };
            assert_eq!(write_again(&session, &mut small), expected);
            if size >= length {
                assert_eq!(small[..length], buffer[..length]);
                assert!(small[length..].iter().all(|octet| *octet == 0xAA));
            }
        }
    }
}

#[test]
fn what_the_writer_refuses() {
    let refused = |write: &dyn Fn(&mut Writer<'_>)| {
        let mut buffer = [0; 512];
        let mut w = Writer::new(&mut buffer);
        write(&mut w);
        w.rtcp_mux();
        w.finish() == Err(WriteError::Injection)
    };
    let map = static_codec(0).unwrap();
    let crypto = Crypto { tag: 1, suite: b"AES", raw_keys: b"inline:YQ==", session_params: b"" };
    let origin = Origin::parse(b"- 1 1 IN IP4 a").unwrap();
    let there = Connection::parse(b"IN IP4 192.0.2.1").unwrap();
    assert!(!refused(&|w| {
        w.rtpmap(&map);
        w.crypto(&crypto);
        w.origin(&origin);
        w.connection(&there);
    }));
    for bad in ["a\r", "a\n", "a\0"] {
        let bad = bad.as_bytes();
        assert!(refused(&|w| w.name(bad)));
        assert!(refused(&|w| w.line(b'i', bad)));
        assert!(refused(&|w| w.attribute(&Attribute { name: b"x", value: Some(bad) })));
        assert!(refused(&|w| w.attribute(&Attribute { name: bad, value: None })));
        assert!(refused(&|w| w.fmtp(&Fmtp { format: b"0", params: bad })));
        assert!(refused(&|w| w.fmtp(&Fmtp { format: bad, params: b"" })));
        assert!(refused(&|w| w.rtpmap(&RtpMap { encoding: bad, ..map })));
        assert!(refused(&|w| w.rtpmap(&RtpMap { params: bad, ..map })));
        assert!(refused(&|w| w.crypto(&Crypto { suite: bad, ..crypto })));
        assert!(refused(&|w| w.crypto(&Crypto { raw_keys: bad, ..crypto })));
        assert!(refused(&|w| w.crypto(&Crypto { session_params: bad, ..crypto })));
        assert!(refused(&|w| w.origin(&Origin { username: bad, ..origin })));
        assert!(refused(&|w| w.connection(&Connection { address: bad, ..there })));
        assert!(refused(&|w| w.bandwidth(bad, 1)));
        assert!(refused(&|w| w.media(bad, 1, b"RTP/AVP", [0])));
        assert!(refused(&|w| w.media(b"audio", 1, bad, [0])));
        assert!(refused(&|w| w.media_of(b"audio", (1, 1), b"RTP/AVP", [bad])));
    }
    assert!(refused(&|w| w.media(b"audio 9", 1, b"RTP/AVP", [0])));
    assert!(refused(&|w| w.media(b"audio", 1, b"RTP/AVP", [])));
    assert!(refused(&|w| w.media(b"audio", 1, b"RTP/AVP", [128])));
    assert!(refused(&|w| w.media_of(b"audio", (1, 0), b"RTP/AVP", [&b"0"[..]])));
    assert!(refused(&|w| w.media_of(b"audio", (65_534, 2), b"RTP/AVP", [&b"0"[..]])));
    assert!(!refused(&|w| w.media_of(b"audio", (65_533, 2), b"RTP/AVP", [&b"0"[..]])));
    assert!(refused(&|w| w.rtpmap(&RtpMap { payload_type: 128, ..map })));
    assert!(refused(&|w| w.rtpmap(&RtpMap { clock_rate: 0, ..map })));
    assert!(refused(&|w| w.crypto(&Crypto { raw_keys: b"x", ..crypto })));
    assert!(refused(&|w| w.origin(&Origin { address: b"a b", ..origin })));
    for change in [
        Connection { count: 2, ..there },
        Connection { count: 0, ..there },
        Connection { kind: AddressKind::V6, ..there },
        Connection { address_type: b"IP6", ..there },
        Connection { address: b"192.0.2.1/3", ..there },
        Connection { network: b"TN", ttl: Some(1), kind: AddressKind::Other, ..there },
    ] {
        assert!(refused(&|w| w.connection(&change)), "{change:?}");
    }
    assert!(refused(&|w| w.line(b'\n', b"")));
    assert!(refused(&|w| w.ptime(0)));
}

#[test]
fn a_description_of_our_own() {
    let mut buffer = [0; 512];
    let mut w = Writer::new(&mut buffer);
    w.session(7, 8, ip("2001:db8::1").unwrap());
    w.media(b"audio", 5004, b"RTP/AVP", [8, 101]);
    w.rtpmap(&RtpMap { payload_type: 101, encoding: b"telephone-event", clock_rate: 8000, params: b"" });
    w.fmtp(&Fmtp { format: b"101", params: b"0-15" });
    w.direction(Direction::Inactive);
    let length = w.finish().unwrap();
    assert_eq!(
        text(&buffer[..length]),
        "v=0\r\no=- 7 8 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=inactive\r\n"
    );
}

/// What is given to the writer piece by piece: as it stands in lines, nearly so, and not at all.
const PIECES: [&[u8]; 22] = [
    b"",
    b"a",
    b"IN",
    b"in",
    b"IP4",
    b"IP6",
    b"192.0.2.1",
    b"233.252.0.1",
    b"::1",
    b"ff15::1",
    b"a b",
    b" ",
    b"0",
    b"-",
    b"x/1",
    b"1.2.3.4.5",
    b"\xC3\xA9",
    b"*",
    b"m=",
    b"\t",
    b"[::1]",
    b"a:b",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// What the writer takes is read as what it was given; the rest it refuses.
    #[test]
    fn what_is_written_is_read(
        (network, address_type, address) in (prop::sample::select(&PIECES[..]), prop::sample::select(&PIECES[..]), prop::sample::select(&PIECES[..])),
        kind in prop::sample::select(vec![AddressKind::V4, AddressKind::V6, AddressKind::Name, AddressKind::Other]),
        ttl in prop::sample::select(vec![None, Some(0), Some(255)]),
        count in prop::sample::select(vec![0, 1, 2, 65_535]),
        ports in (prop::sample::select(vec![0, 1, 65_533, 65_535]), prop::sample::select(vec![0, 1, 2, 65_535])),
        named in any::<bool>(),
    ) {
        // Half of the networks are the Internet, of which most can be said.
        let network = if named { b"IN" } else { network };
        let connection = Connection { network, address_type, kind, address, ttl, count };
        let written = |write: &dyn Fn(&mut Writer<'_>)| {
            let mut buffer = [0; 512];
            let mut w = Writer::new(&mut buffer);
            w.origin(&Origin::parse(b"- 1 1 IN IP4 a").unwrap());
            write(&mut w);
            w.finish().ok().map(|length| buffer[..length].to_vec())
        };
        let octets = written(&|w| w.connection(&connection));
        if let Some(octets) = &octets {
            prop_assert_eq!(Session::parse(octets).unwrap().connection(), Some(connection));
        }
        // What is read is written: the two agree on what a connection is.
        let mut line = [network, b" ", address_type, b" ", address].concat();
        line.extend(ttl.map(|ttl| format!("/{ttl}")).unwrap_or_default().bytes());
        if let Ok(read) = Connection::parse(&line) {
            prop_assert!(written(&|w| w.connection(&read)).is_some() || !line.is_ascii() || line.contains(&b'\t'), "{:?}", read);
        }
        if let Some(octets) = written(&|w| {
            w.media(b"audio", 1, b"RTP/AVP", [0]);
            w.rtcp(&Rtcp { port: 9, connection: Some(connection) });
        }) {
            let session = Session::parse(&octets).unwrap();
            prop_assert_eq!(session.media().next().unwrap().rtcp().unwrap().connection, Some(connection));
        }
        if let Some(octets) = written(&|w| w.media_of(network, ports, address_type, [address])) {
            let session = Session::parse(&octets).unwrap();
            let media = session.media().next().unwrap();
            prop_assert_eq!(((media.kind(), media.port(), media.port_count()), media.proto()), ((network, ports.0, ports.1), address_type));
            prop_assert_eq!(media.formats().collect::<Vec<_>>(), [address]);
        }
        if let Some(octets) = written(&|w| {
            w.media(b"audio", 1, b"RTP/AVP", [0]);
            w.rtpmap(&RtpMap { payload_type: 0, encoding: network, clock_rate: 1, params: address });
            w.fmtp(&Fmtp { format: network, params: address });
            w.crypto(&Crypto { tag: 1, suite: network, raw_keys: b"inline:YQ==", session_params: address });
            w.bandwidth(network, 1);
        }) {
            let session = Session::parse(&octets).unwrap();
            let media = session.media().next().unwrap();
            let map = media.rtpmaps().next().unwrap();
            prop_assert_eq!((map.encoding, map.params), (network, address));
            let fmtp = media.fmtps().next().unwrap();
            // White space at the ends of parameters says nothing.
            prop_assert_eq!((fmtp.format, fmtp.params), (network, address.trim_ascii()));
            let crypto = media.cryptos().next().unwrap().unwrap();
            prop_assert_eq!((crypto.suite, crypto.session_params), (network, address.trim_ascii()));
            prop_assert_eq!(media.bandwidths().next().unwrap().kind, network);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(session) = Session::parse(&octets) {
            read_all(&session);
        }
        let value = Some(&octets[..]);
        for name in [&b"rtpmap"[..], b"fmtp", b"ptime", b"maxptime", b"rtcp", b"crypto", b"mid"] {
            _ = Attribute { name, value }.typed();
        }
        _ = (CryptoKey::parse(&octets), Connection::parse(&octets), Origin::parse(&octets));
        _ = Fmtp::parse(&octets).map(|fmtp| fmtp.params().count());
    }

    #[test]
    fn spoilt_descriptions_do_no_harm(
        sample in 0usize..3,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, prop::sample::select(b"\r\n\0 \t:;,=/|^-.09aZmcv\x7F\xFF".to_vec())), 1..6),
    ) {
        let mut octets = crlf(ALL[sample]);
        for (place, kind, octet) in edits {
            let at = place.index(octets.len());
            match kind {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                2 if octets.len() > 1 => _ = octets.remove(at),
                _ => octets.truncate(at.max(1)),
            }
        }
        if let Ok(session) = Session::parse(&octets) {
            read_all(&session);
            let mut buffer = [0; 4096];
            // Visible octets in every field that is not text, or it is refused: never written wrong.
            if let Ok(length) = write_again(&session, &mut buffer) {
                let again = Session::parse(&buffer[..length]);
                prop_assert!(again.is_ok(), "{:?}", again);
                prop_assert_eq!(again.map(|again| meaning(&again)), Ok(meaning(&session)));
            }
        }
    }
}
