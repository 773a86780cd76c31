//! Which codecs are the same, and what of a stream is read.

use super::*;
use core::net::SocketAddr;

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

/// Whether an offer of `format` with these rows is taken by an end with this codec.
fn takes(codec: Codec<'_>, format: u8, rows: &str) -> bool {
    let codecs = [codec];
    let offer = theirs(&format!("m=audio 5000 RTP/AVP {format}\n{rows}"));
    let taken = End::new().answer(&[LocalMedia::audio(4000, &codecs)], &offer);
    assert!(matches!(taken, Ok(_) | Err(Refusal::NotAcceptable(Warning::MediaFormat))), "{taken:?}");
    taken.is_ok()
}

#[test]
fn encodings_are_compared_by_name_rate_and_channels() {
    let ilbc = Codec::new(97, "iLBC", 8000);
    for (codec, format, rows, same) in [
        (Codec::PCMU, 0, "", true),
        (Codec::PCMU, 0, "a=rtpmap:0 pcmu/8000\n", true),
        (Codec::PCMU, 0, "a=rtpmap:0 PCMA/8000\n", false),
        (Codec::PCMU, 0, "a=rtpmap:0 PCMU/16000\n", false),
        (Codec::PCMU, 0, "a=rtpmap:0 PCMU/8000/2\n", false),
        (Codec::PCMU, 0, "a=rtpmap:0\n", true),
        (Codec::PCMU, 0, "a=rtpmap:8 PCMA/8000\n", true),
        (Codec::PCMU, 96, "a=rtpmap:96 PCMU/8000\n", true),
        (Codec::PCMU, 96, "", false),
        (Codec::PCMU, 8, "", false),
        (Codec::new(100, "GSM", 8000), 3, "", true),
        (Codec::G729, 18, "", true),
        (Codec::G722, 9, "a=rtpmap:9 G722/8000/1\n", true),
        (Codec::OPUS, 96, "a=rtpmap:96 OPUS/48000/2\n", true),
        (Codec::OPUS, 96, "a=rtpmap:96 opus/48000\n", false),
        (ilbc, 98, "a=rtpmap:98 ilbc/8000\na=fmtp:98 mode=20\n", true),
        (ilbc, 98, "a=rtpmap:98 iLBC/8000\na=rtpmap:98 PCMA/8000\n", true),
        (ilbc, 98, "a=rtpmap:98 PCMA/8000\na=rtpmap:98 iLBC/8000\n", false),
        (Codec::TELEPHONE_EVENT, 101, "a=rtpmap:101 telephone-event/8000\n", true),
        (Codec::new(13, "CN", 8000), 13, "", false),
    ] {
        assert_eq!(takes(codec, format, rows), same, "{codec:?} {format} {rows}");
    }
}

#[test]
fn parameters_that_change_the_packets_are_compared() {
    let amr = Codec { fmtp: "octet-align=1; mode-set=0,2", ..Codec::new(96, "AMR", 8000) };
    let efficient = Codec::new(96, "AMR", 8000);
    let siren = Codec { fmtp: "bitrate=32000", ..Codec::new(96, "G7221", 16000) };
    for (codec, name, params, same) in [
        (amr, "AMR/8000", "octet-align=1", true),
        (amr, "amr/8000/1", "mode-set=7;OCTET-ALIGN=1", true),
        (amr, "AMR/8000", "octet-align=0", false),
        (amr, "AMR/8000", "octet-align=1;crc=1", false),
        (amr, "AMR/8000", "octet-align=1;interleaving=30", false),
        (amr, "AMR/8000", "", false),
        (efficient, "AMR/8000", "", true),
        (efficient, "AMR/8000", "octet-align=0;mode-set=7", true),
        (efficient, "AMR/8000", "octet-align=1", false),
        (siren, "G7221/16000", "bitrate=32000", true),
        (siren, "G7221/16000", "bitrate=24000", false),
        (Codec { fmtp: "useinbandfec=1", ..Codec::OPUS }, "opus/48000/2", "stereo=1", true),
    ] {
        let rows = format!("a=rtpmap:97 {name}\na=fmtp:97 {params}\n");
        assert_eq!(takes(codec, 97, &rows), same, "{codec:?} {rows}");
    }
}

#[test]
fn two_variants_of_a_codec_find_their_own() {
    let codecs = [
        Codec { fmtp: "octet-align=1", ..Codec::new(96, "AMR", 8000) },
        Codec { fmtp: "", ..Codec::new(97, "AMR", 8000) },
    ];
    let rows = "m=audio 5000 RTP/AVP 100 101\na=rtpmap:100 AMR/8000\na=rtpmap:101 AMR/8000\na=fmtp:101 octet-align=1\n";
    let agreed = End::new().answer(&[LocalMedia::audio(4000, &codecs)], &theirs(rows)).unwrap();
    let found: Vec<_> = agreed.media(0).unwrap().payloads().iter().map(|one| (one.codec, one.send)).collect();
    assert_eq!(found, [(1, 100), (0, 101)]);
}

#[test]
fn g729_without_annex_b_is_answered_so() {
    let with_b = [Codec { fmtp: "annexb=yes", ..Codec::G729 }];
    let media = [LocalMedia::audio(4000, &with_b)];
    let mut end = End::new();
    end.answer(&media, &theirs("m=audio 5000 RTP/AVP 18\na=fmtp:18 annexb=no\n")).unwrap();
    assert!(end.last.contains("a=fmtp:18 annexb=no\r\n"), "{}", end.last);
    end.answer(&media, &theirs("m=audio 5000 RTP/AVP 18\n")).unwrap();
    assert!(end.last.contains("a=fmtp:18 annexb=yes\r\n"), "{}", end.last);
}

#[test]
fn events_go_with_the_clock_rate_of_the_codec() {
    let wide = Codec { payload_type: 102, clock_rate: 48000, ..Codec::TELEPHONE_EVENT };
    let codecs = [Codec::OPUS, Codec::PCMA, Codec::TELEPHONE_EVENT, wide];
    let media = [LocalMedia::audio(4000, &codecs)];
    let maps = "a=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/8000\na=rtpmap:98 telephone-event/48000\n\
                a=fmtp:97 0-15,66\na=fmtp:98 0-3, 5 ,9-70000000000,x\n";
    for (formats, events, set) in [
        ("96 8 97 98", Some(98), 0b10_0010_1111),
        ("8 96 97 98", Some(97), u16::MAX),
        ("96 97", Some(97), u16::MAX),
        ("96 8", None, 0),
    ] {
        let offer = theirs(&format!("m=audio 5000 RTP/AVP {formats}\n{maps}"));
        let agreed = End::new().answer(&media, &offer).unwrap();
        let stream = agreed.media(0).unwrap();
        assert_eq!((stream.events.map(|one| one.send), stream.event_set), (events, set), "{formats}");
    }
    let bare = theirs("m=audio 5000 RTP/AVP 8 101\na=rtpmap:101 Telephone-Event/8000\n");
    assert_eq!(End::new().answer(&media, &bare).unwrap().media(0).unwrap().event_set, u16::MAX);
}

#[test]
fn where_media_and_rtcp_go() {
    for (rows, mux, rtp, rtcp) in [
        ("", false, "192.0.2.9:5000", address("192.0.2.9:5001")),
        ("c=IN IP4 192.0.2.8\n", false, "192.0.2.8:5000", address("192.0.2.8:5001")),
        ("a=rtcp:6000\n", false, "192.0.2.9:5000", address("192.0.2.9:6000")),
        ("a=rtcp:6000 IN IP4 192.0.2.7\n", true, "192.0.2.9:5000", address("192.0.2.7:6000")),
        ("a=rtcp:6000 IN IP6 2001:db8::7\n", false, "192.0.2.9:5000", address("192.0.2.9:6000")),
        ("a=rtcp:6000\na=rtcp-mux\n", true, "192.0.2.9:5000", address("192.0.2.9:5000")),
        ("a=rtcp-mux\na=rtcp-mux-only\n", true, "192.0.2.9:5000", address("192.0.2.9:5000")),
        ("a=rtcp:6000\na=rtcp-mux\n", false, "192.0.2.9:5000", address("192.0.2.9:6000")),
        ("a=rtcp:0\n", false, "192.0.2.9:5000", None),
    ] {
        let offer = theirs(&format!("m=audio 5000 RTP/AVP 0\n{rows}"));
        let media = [LocalMedia { rtcp_mux: mux, rtcp_port: 4444, ..LocalMedia::audio(4000, &[Codec::PCMU]) }];
        let mut end = End::new();
        let agreed = end.answer(&media, &offer).unwrap();
        let stream = agreed.media(0).unwrap();
        assert_eq!((stream.remote, stream.remote_rtcp), (address(rtp), rtcp), "{rows}");
        let both = mux && rows.contains("rtcp-mux");
        assert_eq!((stream.rtcp_mux, end.last.contains("a=rtcp-mux\r\n")), (both, both));
        assert_eq!(end.last.contains("a=rtcp:4444\r\n"), !both);
    }
    let last = theirs("m=audio 65535 RTP/AVP 0\n");
    let agreed = End::new().answer(&[LocalMedia::audio(4000, &[Codec::PCMU])], &last).unwrap();
    assert_eq!(agreed.media(0).unwrap().remote_rtcp, None);
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_is_answered_with_ipv6() {
    let media = [LocalMedia::audio(4000, &[Codec::PCMU])];
    let offer = b"v=0\no=- 7 1 IN IP6 ::1\ns=-\nc=IN IP6 2001:db8::9\nt=0 0\nm=audio 5000 RTP/AVP 0\n";
    let mut buffer = [0; 512];
    let local = Capabilities::new("2001:db8::1".parse().unwrap(), &media);
    let answer = Negotiation::new(1).receive_offer(&local, offer, &mut buffer).unwrap();
    assert_eq!(answer.agreed.media(0).unwrap().remote, address("[2001:db8::9]:5000"));
    assert!(core::str::from_utf8(&buffer).unwrap().contains("c=IN IP6 2001:db8::1\r\n"));
    let refused = Negotiation::new(1).receive_offer(&here(&media), offer, &mut buffer);
    assert_eq!(refused, Err(Refusal::NotAcceptable(Warning::AddressFormat)));
}

#[test]
fn packet_times_have_their_bounds() {
    let media = [LocalMedia { ptime: 30, max_ptime: 60, ..LocalMedia::audio(4000, &[Codec::PCMU]) }];
    for (rows, times) in [
        ("", (0, 0)),
        ("a=ptime:20\na=ptime:40\n", (20, 0)),
        ("a=ptime:40\na=maxptime:30\n", (30, 30)),
        ("a=ptime:65535\n", (MAX_PTIME, 0)),
        ("a=maxptime:60000\na=ptime:1000\n", (MAX_PTIME, 60000)),
        ("a=ptime:4294967316\na=maxptime:0\n", (0, 0)),
    ] {
        let mut end = End::new();
        let agreed = end.answer(&media, &theirs(&format!("m=audio 5000 RTP/AVP 0\n{rows}"))).unwrap();
        let stream = agreed.media(0).unwrap();
        assert_eq!((stream.ptime, stream.max_ptime), times, "{rows}");
        assert!(end.last.contains("a=ptime:30\r\na=maxptime:60\r\n"));
    }
}

#[test]
fn profiles_are_never_mixed() {
    let codecs = [Codec::PCMU];
    let only = |profiles: &'static [Profile]| [LocalMedia { profiles, ..LocalMedia::audio(4000, &codecs) }];
    let plain = only(&[Profile::Avp]);
    let secure = only(&[Profile::Savp, Profile::Savpf]);
    let refused = Err(Refusal::NotAcceptable(Warning::TransportProtocol));
    for (media, proto, taken) in [
        (&plain, "RTP/AVP", true),
        (&plain, "rtp/avp", true),
        (&plain, "RTP/AVPF", false),
        (&plain, "RTP/SAVP", false),
        (&plain, "UDP/TLS/RTP/SAVPF", false),
        (&plain, "udptl", false),
        (&secure, "RTP/SAVPF", true),
        (&secure, "RTP/AVP", false),
    ] {
        let mut end = End::new();
        let answer = end.answer(media, &theirs(&format!("m=audio 5000 {proto} 0\n"))).map(|_| ());
        assert_eq!(answer, if taken { Ok(()) } else { refused }, "{proto}");
        assert!(!taken || end.heads() == [format!("m=audio 4000 {proto} 0")]);
    }
    // The peer's answer must not take the protection away; feedback it may.
    for (proto, outcome) in [("RTP/AVP", Err(Refusal::Mismatch)), ("RTP/SAVPF", Ok(())), ("RTP/SAVP", Ok(()))] {
        let mut end = End::new();
        assert!(end.offer(&secure).unwrap().starts_with("m=audio 4000 RTP/SAVP 0\n"));
        let answer = theirs(&format!("m=audio 5000 {proto} 0\n"));
        assert_eq!(end.receive_answer(&secure, &answer).map(drop), outcome, "{proto}");
    }
    // Nor does a further offer, when plain RTP would be offered first.
    let either = only(&[Profile::Avp, Profile::Savp]);
    let mut end = End::new();
    end.answer(&either, &theirs("m=audio 5000 RTP/SAVP 0\n")).unwrap();
    assert!(end.offer(&either).unwrap().starts_with("m=audio 4000 RTP/SAVP 0\n"));
}

#[test]
fn the_reason_of_the_stream_that_came_furthest_is_told() {
    let media = [LocalMedia::audio(4000, &[Codec::PCMU])];
    for (rows, warning) in [
        ("m=video 5000 RTP/AVP 31\n", Warning::MediaType),
        ("m=video 5000 RTP/AVP 31\nm=audio 5000 RTP/SAVP 0\n", Warning::TransportProtocol),
        ("m=audio 5000 RTP/AVP 9\nm=video 5000 RTP/AVP 31\n", Warning::MediaFormat),
        ("m=audio 5000 RTP/AVP 0\nc=IN IP4 host.example.com\n", Warning::AddressFormat),
        ("m=audio 5000 RTP/AVP 0\nc=IN IP6 2001:db8::1\n", Warning::AddressFormat),
        ("m=audio 5000 RTP/AVP 0\nc=TN RFC2543 +1-201-406-4090\n", Warning::NetworkProtocol),
        ("m=audio 5000 RTP/AVP 0\nc=IN IP4 233.252.0.1/127\n", Warning::Multicast),
        ("m=audio 5000 RTP/AVP 0\na=rtcp-mux-only\n", Warning::Attribute),
    ] {
        if cfg!(not(feature = "ipv6")) && rows.contains("IP6") {
            continue;
        }
        let refused = End::new().answer(&media, &theirs(rows));
        assert_eq!(refused, Err(Refusal::NotAcceptable(warning)), "{rows}");
    }
}
