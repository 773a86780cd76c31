//! What crashed other stacks: each parser or printer fault that is known from public advisories and trackers has a test with a
//! name.
//!
//! [`ROWS`] is the list: where it happened, what the trigger was, which test has it. The tests that no other place has are in this
//! file. Faults of TLS (CVE-2020-15260, 43d3bd77b), STUN and DNS libraries (CVE-2022-24793), of XML bodies, of credentials given as
//! a hash (CVE-2022-24754), of subscriptions and of memory management have nothing here yet that could repeat them.

use sip_core::message::{
    ForwardRequest, Framing, HeaderName, Kept, MAX_MESSAGE, Message, Method, ParseError, Uri, WriteError, Writer, ack,
    cancel, frame, response_head, unquote,
};
use sip_core::sdp::Session;
use sip_core::transport::Address;
use sip_lab::corpus::corpus;

/// Where it happened, the trigger, the file of the test and its name.
const ROWS: &[(&str, &str, &str, &str)] = &[
    (
        "PJSIP CVE-2022-24763, 12306eaf9",
        "nesting without end",
        "tests/lab/tests/abuse/nesting.rs",
        "nesting_takes_no_stack",
    ),
    (
        "PJSIP CVE-2026-41416",
        "a ptime that overflows",
        "sip-core/src/sdp/tests.rs",
        "payload_types_and_formats_beyond_their_range",
    ),
    (
        "PJSIP GHSA-x5pq-qrp4-fmrj, #2017, GHSA-pjx6-7vrm-3w6f",
        "multipart cut short, empty, without parts",
        "tests/lab/tests/messages/field_notes.rs",
        "multipart_bodies_are_carried_whole",
    ),
    (
        "PJSIP acc03b57c",
        "many Service-Route rows",
        "tests/lab/tests/messages/field_notes.rs",
        "service_routes_around_the_size_of_the_table",
    ),
    (
        "PJSIP d6a0e7f76",
        "a header printed at the buffer's end",
        "tests/lab/tests/abuse/main.rs",
        "printed_into_every_buffer_size",
    ),
    (
        "PJSIP 673b978aa, #2092, #2093",
        "payload types beyond their range",
        "sip-core/src/sdp/tests.rs",
        "payload_types_and_formats_beyond_their_range",
    ),
    ("PJSIP #2092", "a NUL in a=fmtp", "sip-core/src/sdp/tests.rs", "a_nul_in_an_attribute"),
    (
        "PJSIP fd9074547",
        "a static payload type without rtpmap",
        "sip-core/src/sdp/tests.rs",
        "a_static_payload_type_alone",
    ),
    ("PJSIP a1b707c0c", "65 lines of a=crypto", "sip-core/src/sdp/tests.rs", "limits_have_names_and_hold_to_the_last"),
    (
        "PJSIP #4998, #5114",
        "one m= line too many",
        "sip-core/src/sdp/tests.rs",
        "limits_have_names_and_hold_to_the_last",
    ),
    (
        "PJSIP #2016",
        "a Via without branch",
        "sip-core/src/transaction/tests/server_side.rs",
        "peers_of_rfc_2543_are_matched_by_the_whole_request",
    ),
    (
        "PJSIP c83ead125",
        "bodies at the borders of their number of digits",
        "tests/lab/tests/messages/field_notes.rs",
        "bodies_of_every_number_of_digits",
    ),
    ("Kamailio CVE-2018-14767", "two To, an empty tag", "sip-core/src/message/tests.rs", "two_to_and_an_empty_tag"),
    ("Kamailio CVE-2018-16657", "a Via of separators", "sip-core/src/message/tests.rs", "via_of_separators"),
    ("Kamailio CVE-2018-16657", "a Via without its parts", "sip-core/src/message/tests.rs", "via_without_host"),
    (
        "Kamailio #2044, #2503, #4204",
        "an INVITE without line ends",
        "tests/lab/tests/messages/field_notes.rs",
        "an_invite_without_line_ends",
    ),
    ("Kamailio #4920", "a Call-ID of 256 octets", "sip-core/src/message/tests.rs", "call_id_of_256"),
    (
        "Kamailio #4886",
        "a Request-URI without user",
        "tests/lab/tests/messages/field_notes.rs",
        "a_request_uri_without_user_is_written_again",
    ),
    ("Kamailio #4930", "a fold and a NUL", "sip-core/src/message/tests.rs", "a_fold_and_a_nul"),
    (
        "Kamailio d7a7f22b84",
        "a multipart boundary written again",
        "tests/lab/tests/messages/field_notes.rs",
        "multipart_bodies_are_carried_whole",
    ),
    (
        "Kamailio CVE-2020-27507, CVE-2016-2385, CVE-2018-8828",
        "long headers in responses",
        "sip-core/src/message/build_tests.rs",
        "long_headers_go_back_whole",
    ),
    ("OpenSIPS CVE-2023-28098", "credentials of separators", "sip-core/src/message/tests.rs", "odd_credentials"),
    ("OpenSIPS #78", "a negative Content-Length", "sip-core/src/message/tests.rs", "content_length_negative"),
    ("OpenSIPS #78", "a Content-Length of two numbers", "sip-core/src/message/tests.rs", "content_length_two_numbers"),
    ("OpenSIPS #78", "a Content-Length of 33 bits", "sip-core/src/message/tests.rs", "content_length_of_33_bits"),
    (
        "Sofia CVE-2022-31001",
        "a method at the end of the octets",
        "tests/lab/tests/abuse/main.rs",
        "cut_at_every_octet",
    ),
    (
        "Sofia CVE-2022-31002",
        "a percent sign at the end of a URI",
        "tests/lab/tests/messages/field_notes.rs",
        "a_percent_sign_at_the_end",
    ),
    ("Sofia CVE-2022-31003", "line ends of a session description", "sip-core/src/sdp/tests.rs", "cut_at_every_byte"),
    (
        "Sofia CVE-2023-22741, CVE-2023-32307",
        "STUN on the SIP port",
        "sip-core/src/message/tests.rs",
        "what_is_no_sip_is_not_answered",
    ),
    (
        "FreeSWITCH #1518",
        "letters beyond ASCII in the m= protocol",
        "sip-core/src/sdp/tests.rs",
        "a_media_line_of_every_shape",
    ),
    ("drachtio #243, #358, #453, #245", "Contacts of % and None", "sip-core/src/message/tests.rs", "odd_contacts"),
    ("drachtio #453", "a Contact of *", "sip-core/src/message/tests.rs", "a_wildcard_contact"),
    ("belle-sip CVE-2021-33056", "a slash in From", "sip-core/src/message/tests.rs", "addresses_with_other_schemes"),
    ("belle-sip CVE-2021-33056", "a slash in Diversion", "sip-core/src/message/tests.rs", "diversion_with_a_slash"),
    (
        "belle-sip CVE-2021-43610, -43611",
        "a display name that ends in a backslash",
        "sip-core/src/message/tests.rs",
        "from_that_ends_in_a_backslash",
    ),
    (
        "belle-sip #24",
        "a quoted string of no, one or two octets",
        "sip-core/src/message/scan.rs",
        "a_quoted_string_of_no_one_or_two_octets",
    ),
    (
        "belle-sip #24",
        "a parameter of one letter, unquoted",
        "tests/lab/tests/messages/field_notes.rs",
        "unquoting_what_is_short",
    ),
    (
        "belle-sip 74233464",
        "a From without tag",
        "tests/lab/tests/messages/field_notes.rs",
        "a_from_without_tag_is_answered",
    ),
    (
        "belle-sip c8090cb6",
        "a challenge without algorithm",
        "sip-core/src/message/auth.rs",
        "without_algorithm_it_is_md5",
    ),
    (
        "belle-sip 39bd20f7",
        "a 503 to REGISTER",
        "tests/tests/behaviour/register.rs",
        "a_server_without_strength_is_asked_again_when_it_says",
    ),
    (
        "libosip2 CVE-2017-7853, CVE-2022-41550, CVE-2016-10324 to 10326",
        "bodies and messages printed",
        "tests/lab/tests/abuse/main.rs",
        "written_again_it_means_the_same",
    ),
    (
        "reSIProcate CVE-2017-11521, 4b8ffa5af",
        "a huge number of ports",
        "sip-core/src/sdp/tests.rs",
        "a_media_line_of_every_shape",
    ),
    (
        "reSIProcate b7429f08e",
        "a parameter without a name",
        "sip-core/src/message/params.rs",
        "a_parameter_without_a_name_is_an_error_and_ends_the_iteration",
    ),
    (
        "reSIProcate CVE-2018-12584, d04b8e832, PR478",
        "a length before its room",
        "sip-core/src/message/stream.rs",
        "lengths_that_break_the_stream",
    ),
    ("sipgo GHSA-c623-f998-8hhv", "a request without To", "tests/lab/tests/abuse/main.rs", "each_header_deleted"),
    (
        "sipgo GHSA-pg59-5vwg-4jxq",
        "a Content-Length of 2^32 - 1",
        "sip-core/src/message/stream.rs",
        "lengths_that_break_the_stream",
    ),
    (
        "sipgo GHSA-chcx-pf5f-wxc7",
        "line ends in values of the application",
        "sip-core/src/message/writer.rs",
        "line_ends_and_nul_are_refused_at_every_place",
    ),
    ("libre a9a98794", "a URI that is none", "sip-core/src/message/uri.rs", "refused"),
    (
        "sipsorcery GHSA-j5j8-rhcm-7fp9",
        "a Content-Length that is none",
        "sip-core/src/message/stream.rs",
        "lengths_that_break_the_stream",
    ),
    (
        "sipsorcery PR1758",
        "a read of no octets",
        "tests/lab/tests/messages/field_notes.rs",
        "no_octets_are_not_progress",
    ),
    ("JAIN 9777fc06", "a parser that calls itself", "tests/lab/tests/abuse/nesting.rs", "nesting_takes_no_stack"),
    (
        "HP Poly CVE-2026-0826",
        "an over-long a=candidate",
        "tests/lab/tests/messages/field_notes.rs",
        "an_over_long_candidate",
    ),
    ("phoneblock PR492", "a long To in a BYE", "tests/lab/tests/messages/field_notes.rs", "a_long_to_in_a_bye"),
    ("sngrep #267", "a CSeq of 37 bits", "sip-core/src/message/tests.rs", "cseq_of_37_bits"),
    ("sngrep #541", "an empty Warning", "sip-core/src/message/tests.rs", "an_empty_warning"),
    ("sngrep #512", "a Call-ID of 4,096 octets", "sip-core/src/message/tests.rs", "call_id_of_4096"),
    (
        "PJSIP CVE-2021-21375",
        "two 183, the first with what is no description",
        "tests/tests/behaviour/field_calls.rs",
        "early_media_that_cannot_be_read_is_followed_by_some_that_can",
    ),
    (
        "PJSIP #5040, #5164, CVE-2026-28799, libre 5b004884",
        "a send that fails while a call is under way",
        "tests/tests/behaviour/field_calls.rs",
        "a_send_that_fails_at_any_moment_ends_the_call_once",
    ),
    (
        "PJSIP CVE-2021-32686",
        "a connection that opens when nobody waits for it",
        "tests/tests/behaviour/field_calls.rs",
        "a_connection_that_opens_when_its_request_is_gone_is_not_used",
    ),
    (
        "baresip, Replaces",
        "Replaces of a dialog that is not there",
        "tests/tests/behaviour/field_calls.rs",
        "who_demands_that_an_unknown_dialog_is_replaced_is_refused",
    ),
];

#[test]
fn every_row_has_its_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    for (place, trigger, file, test) in ROWS {
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let tests = [format!("fn {test}("), format!("    {test} ")];
        assert!(tests.iter().any(|text| source.contains(text)), "{place}, {trigger}: no {test} in {file}");
    }
}

/// A message with these rows, and its mandatory ones.
fn with(start: &str, rows: &str) -> Vec<u8> {
    let method = if start.starts_with("SIP/") { "REGISTER" } else { start.split(' ').next().unwrap() };
    format!(
        "{start}\r\nVia: SIP/2.0/UDP h.example.com;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\n\
        Call-ID: 1\r\nCSeq: 1 {method}\r\nMax-Forwards: 9\r\n{rows}\r\n"
    )
    .into_bytes()
}

/// What a response to it takes from a request, and what is forwarded of it; both are messages again.
fn answered_and_forwarded(octets: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let request = Message::parse(octets).unwrap();
    let answer = written(|w| {
        w.status_line(200, b"OK");
        response_head(w, &request, Address::v4([192, 0, 2, 1].into(), 9), Some(b"tt"));
        w.finish_without_body();
    });
    let mut room = vec![0; MAX_MESSAGE];
    let length = ForwardRequest::new(&request).write(&mut room).unwrap();
    room.truncate(length);
    assert_eq!(Message::parse(&answer).unwrap().to().raw_uri(), request.to().raw_uri());
    assert_eq!(Message::parse(&room).unwrap().body(), request.body());
    (answer, room)
}

/// What is written, after one try with a single octet too few.
fn written(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut w = Writer::counting();
    write(&mut w);
    let needed = w.len();
    let mut room = vec![0; needed];
    let mut w = Writer::new(&mut room[..needed - 1]);
    write(&mut w);
    assert_eq!(w.finish(), Err(WriteError::Full { needed }));
    let mut w = Writer::new(&mut room);
    write(&mut w);
    assert_eq!(w.finish(), Ok(needed));
    room
}

#[test]
fn multipart_bodies_are_carried_whole() {
    let samples: Vec<_> =
        corpus().into_iter().filter(|one| one.family == "bodies" && one.name.starts_with("multipart-")).collect();
    assert!(samples.len() >= 6);
    for sample in samples {
        let message = Message::parse(&sample.octets).unwrap();
        assert_eq!(message.content_type().unwrap().kind(), b"multipart");
        assert!(message.content_type().unwrap().param(b"boundary").is_some());
        let (_, sent) = answered_and_forwarded(&sample.octets);
        assert!(sent.ends_with(message.body()), "{}", sample.title());
    }
}

#[test]
fn service_routes_around_the_size_of_the_table() {
    for count in 20..70 {
        let one = "<sip:p.example.com;lr>";
        let in_rows = format!("Service-Route: {one}\r\n").repeat(count);
        let in_one = format!("Service-Route: {one}{}\r\n", format!(",{one}").repeat(count - 1));
        let mixed = format!("Service-Route: {one}, {one}\r\n").repeat(count / 2)
            + &format!("Service-Route: {one}\r\n").repeat(count % 2);
        for rows in [in_rows, in_one, mixed] {
            let octets = with("SIP/2.0 200 OK", &rows);
            let message = Message::parse(&octets).unwrap();
            assert_eq!(message.service_routes().filter(Result::is_ok).count(), count);
            let again =
                written(|w| message.service_routes().flatten().for_each(|one| w.header(HeaderName::Route, one.raw())));
            assert_eq!(again.len(), count * (b"Route: \r\n".len() + one.len()));
        }
    }
}

#[test]
fn bodies_of_every_number_of_digits() {
    for size in [0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 60_000] {
        let body = vec![b'x'; size];
        let octets = written(|w| {
            w.request_line(Method::Message, b"sip:b@example.com");
            w.raw(b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n");
            w.body(b"text/plain", &body);
        });
        assert_eq!(Message::parse(&octets).unwrap().body(), body);
        assert_eq!(frame(&octets, MAX_MESSAGE), Framing::Frame { len: octets.len() });
    }
    let mut room = vec![0; 200_000];
    let mut w = Writer::new(&mut room);
    w.body(b"text/plain", &vec![b'x'; 100_000]);
    assert!(matches!(w.finish(), Err(WriteError::TooLarge { needed: 100_000.. })));
}

#[test]
fn an_invite_without_line_ends() {
    for octets in
        ["INVITE sip:b@example.com SIP/2.0", "INVITE sip:b@example.com SIP/2.0 Via: SIP/2.0/UDP a From: x To: y"]
    {
        let failure = Message::parse(octets.as_bytes()).unwrap_err();
        assert_eq!((failure.error(), failure.answerable()), (ParseError::Truncated, false));
        assert_eq!(frame(octets.as_bytes(), 1000), Framing::Incomplete);
        assert_eq!(frame(octets.as_bytes(), octets.len()), Framing::Broken(ParseError::TooLarge));
    }
}

#[test]
fn a_request_uri_without_user_is_written_again() {
    for uri in ["sip:h", "sip:example.com:5070", "sips:[2001:db8::1];lr"] {
        let octets = with(&format!("INVITE {uri} SIP/2.0"), "");
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.uri().unwrap().user(), None);
        let (_, sent) = answered_and_forwarded(&octets);
        let busy = with("SIP/2.0 486 Busy Here", "");
        let busy = Message::parse(&busy).unwrap();
        for made in [
            sent,
            written(|w| ack(w, &Kept::from(&message), &busy)),
            written(|w| cancel(w, &Kept::from(&message), |_| {})),
        ] {
            assert_eq!(Message::parse(&made).unwrap().request_uri(), Some(uri.as_bytes()));
        }
    }
}

#[test]
fn a_percent_sign_at_the_end() {
    for uri in [
        "sip:a@h;p=%",
        "sip:a@h;p=%4",
        "sip:%",
        "sip:a%@h",
        "sip:a%4@h",
        "sip:a:%@h",
        "sip:a@h?x=%",
        "sip:a@h?x=%g0",
        "sip:a@h%",
    ] {
        assert_eq!(Uri::parse(uri.as_bytes()), Err(ParseError::Uri), "{uri}");
        let octets = with(&format!("OPTIONS {uri} SIP/2.0"), "");
        assert_eq!(Message::parse(&octets).unwrap_err().error(), ParseError::RequestUri, "{uri}");
    }
}

#[test]
fn unquoting_what_is_short() {
    for (text, inside) in [("", ""), ("\"", "\""), ("\"\"", ""), ("x", "x"), ("\"x\"", "x"), ("x\"", "x\"")] {
        assert_eq!(unquote(text.as_bytes()), inside.as_bytes());
    }
    let octets = with("SIP/2.0 401 Unauthorized", "WWW-Authenticate: Digest realm=x,nonce=\"\",authz_server=x\r\n");
    let message = Message::parse(&octets).unwrap();
    let challenge = message.challenges().next().unwrap();
    assert_eq!((challenge.realm, challenge.nonce), (&b"x"[..], &b""[..]));
}

#[test]
fn a_from_without_tag_is_answered() {
    let octets = String::from_utf8(with("OPTIONS sip:b@example.com SIP/2.0", "")).unwrap().replace(";tag=1", "");
    let (answer, _) = answered_and_forwarded(octets.as_bytes());
    assert_eq!(Message::parse(&answer).unwrap().from_tag(), None);
}

#[test]
fn no_octets_are_not_progress() {
    assert_eq!(frame(b"", 1000), Framing::Incomplete);
    let mut framer = sip_core::message::Framer::new(1000);
    let octets = with("BYE sip:b@example.com SIP/2.0", "Content-Length: 0\r\n");
    for end in 0..octets.len() {
        assert_eq!(framer.next(&octets[..end]), Framing::Incomplete);
        assert_eq!(framer.next(&octets[..end]), Framing::Incomplete, "the same octets once more");
    }
    assert_eq!(framer.next(&octets), Framing::Frame { len: octets.len() });
}

#[test]
fn an_over_long_candidate() {
    let long = "9".repeat(8000);
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\na=candidate:{long} 1 udp {long} 192.0.2.1 {long} typ host\r\n"
    );
    let session = Session::parse(text.as_bytes()).unwrap();
    let attribute = session.media().next().unwrap().attributes().next().unwrap();
    assert_eq!((attribute.name, attribute.value.map(<[u8]>::len)), (&b"candidate"[..], Some(3 * 8000 + 27)));
}

#[test]
fn a_long_to_in_a_bye() {
    for size in [100, 255, 256, 511, 512, 1023, 1024, 4096, 20_000] {
        let long = "t".repeat(size);
        let octets = String::from_utf8(with("BYE sip:b@example.com SIP/2.0", ""))
            .unwrap()
            .replace("tag=2", &format!("tag={long}"));
        let (answer, _) = answered_and_forwarded(octets.as_bytes());
        assert_eq!(Message::parse(&answer).unwrap().to_tag(), Some(long.as_bytes()));
    }
}
