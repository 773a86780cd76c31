//! Whole messages: read, cut, spoilt, crowded. Covers what a parser's caller relies on; the grammar of each
//! header is tested beside it, and what strangers do to messages over a corpus in the test kit (abuse).

use super::samples::{ALL, CHALLENGE, INVITE, OK, OLD, REGISTER, crlf, crowded};
use super::*;
use proptest::prelude::*;

fn text(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap()
}

/// Asks for everything, so that a panic anywhere shows.
fn read_all(message: &Message<'_>) -> usize {
    let mut count = 0;
    for header in message.headers() {
        count += header.value.len() + header.unfolded().count() + header.name.as_bytes().len();
        assert!(message.header(header.name).is_some());
        count += message.values(header.name).map(<[u8]>::len).sum::<usize>();
    }
    for via in message.vias().flatten() {
        count += via.params().count() + usize::from(via.has_cookie()) + via.raw().len();
        _ = (via.received_ip(), via.host().ip());
    }
    for address in message.contacts().chain(message.routes()).chain(message.record_routes()).flatten() {
        count += address.params().count();
        _ = (address.q(), address.expires(), address.tag());
        if let Ok(uri) = address.uri() {
            count += uri.params().count() + uri.header_components().count() + usize::from(uri.equivalent(&uri));
            _ = (uri.is_loose(), uri.maddr(), uri.host().ip());
        }
    }
    count += message.challenges().count() + message.credentials().count();
    count += message.allow().count() + message.supported().count() + message.require().count();
    read_events(message);
    _ = (message.max_forwards(), message.expires(), message.retry_after(), message.min_expires());
    _ = (message.content_type(), message.content_length(), message.from().uri(), message.to().uri());
    count
}

/// The headers of extensions, and those of RFC 3261 that the core does not need.
pub(super) fn read_events(message: &Message<'_>) {
    _ = (message.event(), message.subscription_state(), message.allow_events().count(), message.rseq(), message.rack());
    _ = (message.session_expires(), message.min_se(), message.replaces(), message.refer_to(), message.referred_by());
    _ = (message.refer_sub(), message.privacy().count(), message.asserted_identities().count(), message.date());
    _ = (message.preferred_identities().count(), message.paths().count(), message.service_routes().count());
    _ = (message.sip_etag(), message.sip_if_match(), message.timestamp(), message.priority());
    _ = (message.retry_after_value(), message.in_reply_to().count(), message.accept().map(|one| one.q()).max());
    for one in message.reasons().flatten() {
        _ = (one.cause(), one.text(), one.params().count());
    }
    _ = (message.warnings().count(), message.accept_encoding().flatten().map(|one| one.q()).max());
    _ = (message.accept_language().count(), message.alert_infos().count(), message.call_infos().count());
    _ = (message.error_infos().count(), message.unsupported().count(), message.content_encoding().count());
    _ = (message.content_language().count(), message.mime_version(), message.authentication_info(), message.reply_to());
    _ = message.content_disposition().map(|one| one.map(|one| (one.is_optional(), one.params().count())));
    _ = message.flow_timer();
    for contact in message.contacts().flatten() {
        _ = (contact.instance(), contact.reg_id(), contact.pub_gruu(), contact.temp_gruu());
        _ = contact.uri().map(|uri| (uri.is_outbound(), uri.gr()));
    }
}

fn read_failure(failure: &Malformed<'_>) -> usize {
    assert!(failure.status() >= 400 && !failure.reason().is_empty());
    _ = (failure.answerable(), failure.from(), failure.to(), failure.call_id(), failure.cseq(), failure.is_request());
    let mut buffer = [0; 8192];
    let mut w = Writer::new(&mut buffer);
    malformed_head(&mut w, failure, crate::transport::Address::NONE, Some(b"t"));
    failure.vias().map(<[u8]>::len).sum()
}

#[test]
fn an_invite() {
    let bytes = crlf(INVITE);
    let m = Message::parse(&bytes).unwrap();
    assert!(m.is_request());
    assert_eq!((m.method(), m.status(), m.reason()), (Method::Invite, None, &b""[..]));
    assert_eq!(m.request_uri(), Some(&b"sip:bob@example.com"[..]));
    assert_eq!(m.uri().unwrap().user(), Some(&b"bob"[..]));
    assert_eq!(m.top_via().branch(), Some(&b"z9hG4bK00112233aabbccdd"[..]));
    assert_eq!((m.from_tag(), m.to_tag()), (Some(&b"a1"[..]), None));
    assert_eq!(m.from().display_name(), b"\"Al \\\"Ice\\\" L\"");
    assert_eq!(m.call_id(), b"77f0@192.0.2.10");
    assert_eq!(m.cseq(), CSeq { number: 4711, method: Method::Invite });
    assert_eq!(m.max_forwards(), Some(Ok(70)));
    assert_eq!(
        m.routes().flatten().map(|route| text(route.raw_uri())).collect::<Vec<_>>(),
        ["sip:p1.example.com;lr", "sip:p2.example.com;lr"]
    );
    assert_eq!(m.allow().count(), 5);
    assert_eq!(m.supported().map(text).collect::<Vec<_>>(), ["timer", "100rel"]);
    assert_eq!(m.credentials().next().unwrap().username, b"alice");
    assert!(m.content_type().unwrap().is(b"Application/SDP"));
    assert_eq!(m.content_length(), Some(27));
    assert_eq!(m.body(), b"v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\n".get(..27).unwrap());
    assert_eq!(m.bytes().len(), m.head_len() + 27);
    assert_eq!(m.headers().count(), 13);
    assert_eq!(m.header(HeaderName::Subject), None);
    assert_eq!(m.header(HeaderName::Other(b"call-id")), Some(m.call_id()));
    assert_eq!(m.header(HeaderName::Other(b"I")), Some(m.call_id()));
}

#[test]
fn a_response() {
    let bytes = crlf(OK);
    let m = Message::parse(&bytes).unwrap();
    assert!(!m.is_request());
    assert_eq!((m.status(), m.reason(), m.method()), (Some(200), &b"All right"[..], Method::Invite));
    assert_eq!((m.uri(), m.request_uri()), (None, None));
    let vias: Vec<_> = m.vias().map(|via| text(via.unwrap().host().as_bytes())).collect();
    assert_eq!(vias, ["p2.example.com", "p1.example.com", "[2001:db8::10]"]);
    assert_eq!(m.top_via().raw(), b"SIP/2.0/TLS p2.example.com;branch=z9hG4bKp2.1;received=192.0.2.22");
    assert_eq!(m.record_routes().count(), 3);
    let contact = m.contacts().next().unwrap().unwrap();
    assert_eq!((contact.expires(), contact.q()), (Some(60), Some(500)));
    assert_eq!(m.content_type().unwrap().param(b"charset"), Some(&b"utf-8"[..]));
    assert_eq!(m.body(), b"a\r\n\r\nb");
}

#[test]
fn a_folded_request() {
    let bytes = crlf(REGISTER);
    let m = Message::parse(&bytes).unwrap();
    assert_eq!(m.cseq(), CSeq { number: 9, method: Method::Register });
    assert_eq!(m.top_via().branch(), Some(&b"z9hG4bKfold"[..]));
    assert_eq!(m.top_via().port(), Some(5060));
    assert_eq!((m.from_tag(), m.to_tag(), m.call_id()), (Some(&b"b1"[..]), None, &b"fold"[..]));
    assert_eq!(m.max_forwards(), Some(Ok(70)));
    assert_eq!(m.expires(), Some(u32::MAX));
    let contacts: Vec<_> = m.contacts().map(Result::unwrap).collect();
    assert_eq!(contacts[0].display_name(), b"\"Bob, at\r\n home\"");
    assert_eq!(contacts[0].expires(), Some(60));
    assert_eq!(contacts[1].uri().unwrap().scheme(), Scheme::Tel);
    assert_eq!(m.header(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(m.header(HeaderName::Other(b"x-unknown")), Some(&b";;,,\""[..]));
    assert!(m.find(HeaderName::CSeq).unwrap().unfolded().eq(b"0009 REGISTER".iter().copied()));
}

#[test]
fn challenges() {
    let bytes = crlf(CHALLENGE);
    let m = Message::parse(&bytes).unwrap();
    let all: Vec<_> = m.challenges().collect();
    assert_eq!(
        all.iter().map(|one| (text(one.nonce), one.proxy)).collect::<Vec<_>>(),
        [("np", true), ("np", true), ("nu", false)]
    );
    assert!(all[0].stale && all[0].is_supported() && all[1].is_supported() && !all[2].is_supported());
    assert_eq!(m.retry_after(), Some(120));
}

#[test]
fn an_old_request_has_its_body_to_the_end() {
    let bytes = crlf(OLD);
    let m = Message::parse(&bytes).unwrap();
    assert_eq!((m.top_via().branch(), m.from_tag(), m.content_length()), (None, None, None));
    assert_eq!(m.body(), b"trailing");
}

#[test]
fn line_ends_before_and_octets_behind_are_not_the_message() {
    for sample in [INVITE, OK, REGISTER, CHALLENGE] {
        let bytes = crlf(sample);
        let alone = Message::parse(&bytes).unwrap().bytes().to_vec();
        let more = [b"\r\n\r\n", &bytes[..], b"INVITE sip:x SIP/2.0\r\n\r\n"].concat();
        assert_eq!(Message::parse(&more).unwrap().bytes(), alone);
    }
    let failure = Message::parse(b"\r\nx\r\n\r\n").unwrap_err();
    assert_eq!((failure.error(), failure.at()), (ParseError::StartLine, 2));
}

fn join(rows: &[String], body: &str) -> Vec<u8> {
    crlf(&format!("{}\n\n{body}", rows.join("\n")))
}

fn name_of(row: &str) -> HeaderName<'_> {
    let name = row.split(':').next().unwrap().trim().as_bytes();
    HeaderName::parse(name).unwrap_or(HeaderName::Other(name))
}

#[test]
fn lines_that_are_no_rows_are_passed_over_and_counted() {
    const LINES: [&str; 6] = ["X Odd: 1", "X-Odd", "X(Odd): 1", ": 1", "X-A;b: 1\n and on", "\u{dc}ber: 1"];
    // Among the rows of the table, and among those beyond.
    for count in [0, 1, 30] {
        let among: String = (0..count).map(|number| format!("X: {number}\n{}\n", LINES.join("\n"))).collect();
        let text = format!(
            "BYE sip:b@example.com SIP/2.0\n{among}Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\n{among}From: <sip:a@b>;tag=1\n\
            To: <sip:b@example.com>;tag=2\nCall-ID: 1\n{among}CSeq: 1 BYE\nX: end\n\n"
        );
        let bytes = crlf(&text);
        let m = Message::parse(&bytes).unwrap();
        assert_eq!(m.skipped_rows(), LINES.len() * count * 3);
        assert_eq!(m.headers().count(), count * 3 + 6);
        assert_eq!(m.header_rows(HeaderName::Other(b"x")).count(), count * 3 + 1);
        assert_eq!((m.call_id(), m.header_rows(HeaderName::Other(b"x")).last()), (&b"1"[..], Some(&b"end"[..])));
        read_all(&m);
        let spoilt = crlf(&text.replace("CSeq: 1 BYE", "CSeq: 1"));
        let failure = Message::parse(&spoilt).unwrap_err();
        assert_eq!(
            (failure.error(), failure.call_id(), failure.cseq()),
            (ParseError::CSeq, Some(&b"1"[..]), Some(&b"1"[..]))
        );
        assert_eq!(failure.header_rows(HeaderName::Other(b"X")).last(), Some(&b"end"[..]));
    }
}

#[test]
fn more_rows_than_the_table_has() {
    for count in 0..100 {
        let bytes = crowded(count);
        let m = Message::parse(&bytes).unwrap();
        assert_eq!(m.headers().count(), count + 7);
        for (index, header) in m.headers().take(count).enumerate() {
            assert_eq!(header.value, index.to_string().as_bytes());
        }
        assert_eq!((m.call_id(), m.header(HeaderName::CallId)), (&b"1"[..], Some(&b"1"[..])));
        assert_eq!(m.header(HeaderName::Other(b"X-LAST")), Some(&b"end"[..]));
        assert_eq!(m.header(HeaderName::Other(b"X-Next")), None);
        assert_eq!(m.vias().count(), 1);
    }
}

/// A request with these lines beside the mandatory ones, or instead of those that they name.
fn with(lines: &str) -> Vec<u8> {
    let default = [
        "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: 1",
        "CSeq: 1 OPTIONS",
    ];
    let mut all = vec!["OPTIONS sip:b@example.com SIP/2.0".to_string()];
    let given: Vec<&str> = lines.split('\n').filter(|line| !line.is_empty()).collect();
    for line in default {
        if !given.iter().any(|other| !other.starts_with(' ') && name_of(other) == name_of(line)) {
            all.push(line.to_string());
        }
    }
    all.extend(given.iter().map(ToString::to_string));
    join(&all, "")
}

macro_rules! faults {
    ($($name:ident $lines:expr => $error:ident;)*) => {$(
        #[test]
        fn $name() {
            let bytes = with($lines);
            let failure = Message::parse(&bytes).unwrap_err();
            assert_eq!(failure.error(), ParseError::$error);
            assert_eq!(failure.is_request(), true);
            read_failure(&failure);
        }
    )*};
}

faults! {
    content_length_negative "Content-Length: -1" => ContentLength;
    content_length_two_numbers "Content-Length: 1 2" => ContentLength;
    content_length_empty "Content-Length:" => ContentLength;
    content_length_of_33_bits "Content-Length: 4294967296" => Body;
    content_length_of_32_bits "Content-Length: 4294967295" => Body;
    content_length_of_100_digits concat!("Content-Length: 11111111111111111111111111111111", "99999999999999999999999999") => Body;
    content_length_too_large "Content-Length: 1" => Body;
    content_length_twice "Content-Length: 0\nl: 1" => ConflictingContentLength;
    cseq_of_37_bits "CSeq: 115211521152 OPTIONS" => CSeq;
    cseq_of_129_bits "CSeq: 36893488147419103232 OPTIONS" => CSeq;
    cseq_without_method "CSeq: 1" => CSeq;
    cseq_without_space "CSeq: 1OPTIONS" => CSeq;
    cseq_without_number "CSeq: OPTIONS" => CSeq;
    cseq_of_another_method "CSeq: 1 INVITE" => CSeqMethod;
    cseq_in_lower_case "CSeq: 1 options" => CSeqMethod;
    call_id_empty "Call-ID:" => CallId;
    call_id_of_two_words "Call-ID: a b" => CallId;
    to_without_closing_quote "To: \"Bob <sip:b@example.com>" => To;
    two_to_and_an_empty_tag "To: <sip:b@example.com>\nTo: <sip:c@example.com>;tag=" => DoubledTo;
    from_that_ends_in_a_backslash "From: \"A\\" => From;
    from_of_two_addresses "From: <sip:a@b>, <sip:c@d>" => From;
    from_empty "From:" => From;
    via_of_separators "Via: SIP/2.0/UDP 192.0.2.15;;,;,," => Via;
    via_empty "Via:" => Via;
    via_without_host "Via: SIP/2.0/UDP" => Via;
    line_that_may_be_a_length "Content Length: 1" => HeaderName;
    line_that_may_be_a_via "Via SIP/2.0/UDP a" => HeaderName;
    line_end_in_a_line_that_is_no_row "X Odd\r: 1" => LineEnd;
}

macro_rules! fine {
    ($($name:ident $lines:expr;)*) => {$(
        #[test]
        fn $name() {
            let bytes = with($lines);
            assert!(read_all(&Message::parse(&bytes).unwrap()) > 0);
        }
    )*};
}

fine! {
    to_with_an_empty_tag "To: <sip:b@example.com>;tag=";
    tags_without_value_and_twice "To: <sip:b@example.com>;tag\nFrom: <sip:b@example.com>;tag=1;tag=2";
    line_without_colon "Subject a";
    content_length_twice_the_same "Content-Length: 0\nl: 00";
    call_id_of_256 &format!("Call-ID: {}", "c".repeat(256));
    call_id_of_4096 &format!("Call-ID: {}", "c".repeat(4096));
    to_of_4096 &format!("To: \"{}\" <sip:b@example.com>;tag={}", "\\\"".repeat(1024), "t".repeat(2048));
    addresses_with_other_schemes "From: <http://x/y>;tag=1\nTo: isbn:2983792873";
    diversion_with_a_slash "Diversion: <x:/>;reason=y";
    a_fold_and_a_nul "Subject: a\n  \0b";
    an_empty_warning "Warning:";
    sixty_service_routes &"Service-Route: <sip:p.example.com;lr>\n".repeat(60);
    sixty_values_in_a_service_route &format!("Service-Route: <sip:p;lr>{}", ", <sip:p;lr>".repeat(60));
    odd_credentials "Authorization: Digest ,,=,\nProxy-Authorization: ,=MD5,\nAuthorization:";
    odd_contacts "Contact: %\nContact: None\nContact: *\nContact: ,,\nContact: <>\nContact: \"";
    odd_numbers "Max-Forwards: 256\nExpires: -1\nRetry-After: x\nMin-Expires: 99999999999";
    odd_lists "Allow: ,,\nSupported: \"\nRequire:\nRoute: <sip:a\nRecord-Route: ;;";
}

#[test]
fn a_wildcard_contact() {
    for (lines, wildcard, count) in [
        ("Contact: *", true, 0),
        ("m:  * ", true, 0),
        ("Contact: *\nContact: <sip:a@b>", false, 2),
        ("Contact: *, <sip:a@b>", false, 2),
        ("X: *", false, 0),
    ] {
        let bytes = with(lines);
        let m = Message::parse(&bytes).unwrap();
        assert_eq!((m.contact_is_wildcard(), m.contacts().count()), (wildcard, count), "{lines}");
    }
}

#[test]
fn a_malformed_element_does_not_hide_the_next() {
    let bytes = with("Route: <sip:a;lr>, \"x, <, <sip:b@c>\nRoute: bad, <sip:d;lr>");
    let m = Message::parse(&bytes).unwrap();
    let found: Vec<_> = m.routes().map(|route| route.map(|route| text(route.raw_uri()))).collect();
    assert_eq!(found, [Ok("sip:a;lr"), Err(ParseError::Address), Err(ParseError::Address), Ok("sip:d;lr")]);
}

#[test]
fn no_octet_stands_for_another_in_a_header_name() {
    for place in 0..12 {
        for octet in 0..=255 {
            let mut bytes = with("Max-Forwards: 7");
            let at = bytes.windows(12).position(|name| name == b"Max-Forwards").unwrap();
            let own = bytes[at + place];
            bytes[at + place] = octet;
            let found = Message::parse(&bytes).ok().and_then(|m| m.max_forwards());
            assert_eq!(found.is_some(), octet.eq_ignore_ascii_case(&own), "{octet:#x} for {own:#x}");
        }
    }
}

#[test]
fn white_space_behind_an_empty_value_is_not_the_parameters() {
    let bytes =
        with("Contact: <sip:a@b>;x =\n , <sip:c@d>;y= ;z=\nVia: SIP/2.0/UDP g, SIP/2.0/UDP h;y= , SIP/2.0/UDP i");
    let m = Message::parse(&bytes).unwrap();
    let contacts: Vec<_> = m.contacts().map(|one| text(one.unwrap().raw())).collect();
    assert_eq!(contacts, ["<sip:a@b>;x =", "<sip:c@d>;y= ;z="]);
    assert_eq!(m.contacts().next().unwrap().unwrap().param(b"x"), Some(&b""[..]));
    assert_eq!(m.vias().nth(1).map(|via| text(via.unwrap().raw())), Some("SIP/2.0/UDP h;y="));
}

#[test]
fn what_is_no_sip_is_not_answered() {
    for octets in [
        &b""[..],
        b"\r\n\r\n",
        b"\0\x01\0\x08!\x12\xA4B",
        b"GET / HTTP/1.1\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"INVITE",
        b"\x16\x03\x01",
    ] {
        let failure = Message::parse(octets).unwrap_err();
        assert!(!failure.answerable() && failure.is_syntax());
        read_failure(&failure);
    }
    let bytes = crlf(&INVITE.replace("INVITE sip:bob@example.com", "ACK sip:bob@ex ample.com"));
    assert!(!Message::parse(&bytes).unwrap_err().answerable());
}

#[test]
fn a_version_that_is_not_ours() {
    let bytes = crlf(&INVITE.replace(" SIP/2.0\nVia: SIP/2.0", " SIP/3.1\nVia: SIP/3.1"));
    let failure = Message::parse(&bytes).unwrap_err();
    assert_eq!((failure.status(), failure.is_syntax(), failure.answerable()), (505, false, true));
    assert_eq!(failure.call_id(), Some(&b"77f0@192.0.2.10"[..]));
}

#[test]
fn more_octets_than_a_message_may_have() {
    let mut bytes = crlf(OLD);
    bytes.resize(MAX_MESSAGE, b'x');
    assert_eq!(Message::parse(&bytes).unwrap().bytes().len(), MAX_MESSAGE);
    bytes.push(b'x');
    let failure = Message::parse(&bytes).unwrap_err();
    assert_eq!((failure.error(), failure.status(), failure.answerable()), (ParseError::TooLarge, 513, true));
    let mut long = crlf("INVITE sip:a SIP/2.0\nX: ");
    long.resize(70_000, b'x');
    read_failure(&Message::parse(&long).unwrap_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        match Message::parse(&octets) {
            Ok(message) => _ = read_all(&message),
            Err(failure) => _ = read_failure(&failure),
        }
        _ = (Uri::parse(&octets), NameAddr::parse(&octets), Via::parse(&octets), MediaType::parse(&octets));
        let header = Header { name: HeaderName::Authorization, value: &octets };
        _ = Credentials::of(&header);
    }

    #[test]
    fn spoilt_messages_do_no_harm(
        sample in 0usize..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, prop::sample::select(b"\r\n\0 \t:;,=\"\\<>@%[]?*/.-09aZ\x7F\xFF".to_vec())), 1..6),
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
        match Message::parse(&octets) {
            Ok(message) => {
                read_all(&message);
                let mut buffer = [0; 4096];
                let mut w = Writer::new(&mut buffer);
                let source = crate::transport::Address::v4(core::net::Ipv4Addr::new(192, 0, 2, 1), 9);
                w.status_line(200, b"OK");
                response_head(&mut w, &message, source, Some(b"tt"));
                w.finish_without_body();
                if let Ok(length) = w.finish() {
                    let answer = Message::parse(&buffer[..length]).unwrap_or_else(|failure| panic!("{:?}", failure.error()));
                    prop_assert_eq!(answer.call_id(), message.call_id());
                    prop_assert_eq!(answer.vias().count(), message.vias().count());
                    prop_assert!(answer.to_tag().is_some());
                }
            }
            Err(failure) => _ = read_failure(&failure),
        }
    }
}

/// The module's list of what is taken beyond the grammar.
#[test]
fn what_the_grammar_does_not_have_and_is_taken() {
    let address = |text: &'static str| NameAddr::parse(text.as_bytes()).map(|address| address.uri().is_ok());
    for text in [
        "a<sip:b@c>",
        "a@b (c) [d] J\u{fc}rg <sip:b@c>",
        "<sip:b@c_d>",
        "<sip:b@-c..d->",
        "<sip:#21#@c>",
        "<sip:b@c;x=>",
        "<sip:b@c;x=y=z>",
        "<sip:b@c?x>",
        "<sip:b@c?=y&>",
        "<sip:b@[2001:db8:::192.0.2.1]>",
        "<sip:b@c>;x=",
        "<sip:b@c>;x=@{}[]/?:=",
        "\"\u{1}\0\" <sip:b@c>",
    ] {
        assert_eq!(address(text), Ok(true), "{text}");
    }
    assert!(Via::parse(b"SIP/2.0/UDP a;received=[::1];branch=").is_ok_and(|via| via.received_ip().is_some()));
    let octets = b"SIP/2.0 200 \0\x7F\r\nVia: SIP/2.0/UDP a\r\nFrom: sip:a@b\r\nTo: sip:a@b\r\nCall-ID: <{\xFF}>\r\nCSeq: 1 X\r\nY: \0\r\n\r\n";
    assert!(Message::parse(octets).is_ok());
}
