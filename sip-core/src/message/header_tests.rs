//! Headers of extensions, and those of RFC 3261 that the core does not need: (rows, what they say).

use super::tests::read_events;
use super::*;
use proptest::prelude::*;

/// The message that has these rows beside what every message has.
fn with(rows: &[u8]) -> Vec<u8> {
    let start =
        b"NOTIFY sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
        Call-ID: 1\r\nCSeq: 1 NOTIFY\r\n";
    [start, rows, b"\r\n\r\n"].concat()
}

macro_rules! said {
    ($($name:ident $rows:expr, $message:ident => $got:expr, $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            let bytes = with($rows);
            let $message = Message::parse(&bytes).unwrap();
            assert_eq!($got, $expected);
        }
    )*};
}

fn all<T>(found: impl Iterator<Item = Result<T, ParseError>>) -> Vec<Result<T, ParseError>> {
    found.collect()
}

fn uris<'a>(found: impl Iterator<Item = Result<NameAddr<'a>, ParseError>>) -> Vec<&'a [u8]> {
    found.map(|one| one.unwrap().raw_uri()).collect()
}

const BAD: ParseError = ParseError::Value;
const NUMBER: ParseError = ParseError::Number;

said! {
    event b"o: dialog.winfo ;x=\"a,b\"; id = 7", m =>
        m.event().unwrap().map(|e| (e.package(), e.id())), Ok((&b"dialog.winfo"[..], Some(&b"7"[..])));
    event_that_is_none b"Event: ;id=7", m => m.event(), Some(Err(BAD));
    event_with_more_behind b"Event: a;id=7 b", m => m.event(), Some(Err(BAD));
    event_in_a_list b"Event: a,b", m => m.event(), Some(Err(BAD));
    event_twice b"Event: a\r\no: a", m => m.event(), Some(Err(BAD));
    event_missing b"X: a", m => (m.event(), m.subscription_state(), m.allow_events().count()), (None, None, 0);
    event_empty b"Event:", m => m.event(), Some(Err(BAD));
    state b"Subscription-State: Terminated;reason=timeout;retry-after=5;expires=99999999999", m =>
        m.subscription_state().unwrap().map(|s| (s.is_terminated(), s.reason(), s.retry_after(), s.expires())),
        Ok((true, Some(&b"timeout"[..]), Some(5), Some(u32::MAX)));
    state_with_a_bad_number b"Subscription-State: active;expires=soon", m =>
        m.subscription_state().unwrap().map(|s| (s.state(), s.expires())), Ok((&b"active"[..], None));
    packages b"u: presence, dialog\r\nAllow-Events: ,refer", m =>
        m.allow_events().collect::<Vec<_>>(), [&b"presence"[..], b"dialog", b"refer"];

    rseq b"RSeq: 4294967295", m => m.rseq(), Some(Ok(u32::MAX));
    rseq_too_large b"RSeq: 4294967296", m => m.rseq(), Some(Err(NUMBER));
    rseq_zero b"RSeq: 0", m => m.rseq(), Some(Err(NUMBER));
    rseq_empty b"RSeq:", m => m.rseq(), Some(Err(NUMBER));
    rack b"RAck: 776656\r\n  1\tINVITE", m =>
        m.rack(), Some(Ok(RAck { rseq: 776_656, cseq: 1, method: Method::Invite }));
    rack_of_two b"RAck: 1 INVITE", m => m.rack(), Some(Err(BAD));
    rack_of_four b"RAck: 1 1 INVITE x", m => m.rack(), Some(Err(BAD));
    rack_too_large b"RAck: 1 4294967296 INVITE", m => m.rack(), Some(Err(NUMBER));

    session_expires b"x: 1800 ;refresher=UAS", m =>
        m.session_expires().unwrap().map(|s| (s.seconds, s.refresher())), Ok((1800, Some(Refresher::Uas)));
    session_expires_alone b"Session-Expires: 99999999999", m =>
        m.session_expires().unwrap().map(|s| (s.seconds, s.refresher())), Ok((u32::MAX, None));
    session_expires_by_nobody b"Session-Expires: 90;refresher=x;y", m =>
        m.session_expires().unwrap().map(|s| (s.refresher(), s.params().count())), Ok((None, 2));
    session_expires_that_is_none b"Session-Expires: soon", m => m.session_expires(), Some(Err(NUMBER));
    session_expires_with_more b"Session-Expires: 90 s", m => m.session_expires(), Some(Err(BAD));
    min_se b"Min-SE: 90;lr", m => m.min_se(), Some(Ok(90));
    min_se_twice b"Min-SE: 90\r\nMin-SE: 91", m => m.min_se(), Some(Err(BAD));

    replaces b"Replaces: 98732@sip.example.com\r\n ;from-tag=r33th4x0r\r\n ;to-tag=ff87ff;early-only", m =>
        m.replaces(), Some(Ok(Replaces {
            call_id: b"98732@sip.example.com", to_tag: b"ff87ff", from_tag: b"r33th4x0r", early_only: true
        }));
    replaces_without_a_tag b"Replaces: 1;to-tag=a", m => m.replaces(), Some(Err(BAD));
    replaces_with_an_empty_tag b"Replaces: 1;to-tag=;from-tag=b", m => m.replaces(), Some(Err(BAD));
    replaces_with_two_tags b"Replaces: 1;to-tag=a;from-tag=b;To-Tag=c", m => m.replaces(), Some(Err(BAD));
    replaces_without_a_call b"Replaces: ;to-tag=a;from-tag=b", m => m.replaces(), Some(Err(BAD));
    replaces_two b"Replaces: 1;to-tag=a;from-tag=b, 2;to-tag=a;from-tag=b", m => m.replaces(), Some(Err(BAD));
    replaces_twice b"Replaces: 1;to-tag=a;from-tag=b\r\nReplaces: 1;to-tag=a;from-tag=b", m => m.replaces(), Some(Err(BAD));

    refer_to b"r: \"B\" <sip:b@h?Replaces=1%3Bto-tag%3Da>;x", m =>
        m.refer_to().unwrap().map(|a| a.raw_uri()), Ok(&b"sip:b@h?Replaces=1%3Bto-tag%3Da"[..]);
    refer_to_twice b"r: <sip:b@h>\r\nRefer-To: <sip:b@h>", m => m.refer_to(), Some(Err(BAD));
    refer_to_two b"r: <sip:b@h>, <sip:c@h>", m => m.refer_to(), Some(Err(ParseError::Address));
    referred_by b"b: sip:r@h;cid=\"2@h\"", m =>
        m.referred_by().unwrap().map(|a| (a.raw_uri(), a.param(b"cid"))), Ok((&b"sip:r@h"[..], Some(&b"\"2@h\""[..])));
    refer_sub b"refer-sub: False;x=y", m => m.refer_sub(), Some(Ok(false));
    refer_sub_that_is_none b"Refer-Sub: no", m => m.refer_sub(), Some(Err(BAD));

    reasons b"Reason: SIP ;cause=200 ;text=\"Call, \\\"done\\\"\", Q.850;cause=16\r\nReason: ;x,x", m =>
        all(m.reasons()).iter().map(|r| r.map(|r| (r.protocol(), r.cause(), r.text()))).collect::<Vec<_>>(),
        [
            Ok((&b"SIP"[..], Some(200), Some(&b"Call, \\\"done\\\""[..]))),
            Ok((b"Q.850", Some(16), None)),
            Err(BAD),
            Ok((b"x", None, None)),
        ];
    reason_of_a_large_cause b"Reason: SIP;cause=65536", m => all(m.reasons())[0].unwrap().cause(), None;
    warnings b"Warning: 307 isi.edu \"Session, 'foo'\", 301 [2001:db8::1]:5060 \"\"", m =>
        all(m.warnings()),
        [
            Ok(Warning { code: 307, agent: b"isi.edu", text: b"Session, 'foo'" }),
            Ok(Warning { code: 301, agent: b"[2001:db8::1]:5060", text: b"" }),
        ];
    warning_empty b"Warning:", m => all(m.warnings()), [];
    warnings_that_are_none b"Warning: 307 a, 1 a \"x\", a b \"x\", 307 \"x\", 307 a \"x\" y, 307 a \"x", m =>
        all(m.warnings()), [Err(BAD); 6];
    retry_after b"Retry-After: 120 (in (a \\) \"meeting)) ;duration=3600", m =>
        m.retry_after_value().unwrap().map(|r| (r.seconds, r.comment, r.duration())),
        Ok((120, &b"in (a \\) \"meeting)"[..], Some(3600)));
    retry_after_alone b"Retry-After: 18000;x", m =>
        m.retry_after_value().unwrap().map(|r| (r.seconds, r.comment, r.params().count())), Ok((18000, &b""[..], 1));
    retry_after_unclosed b"Retry-After: 1 ((a)", m => m.retry_after_value(), Some(Err(BAD));
    retry_after_escaped_to_the_end b"Retry-After: 1 (\\", m => m.retry_after_value(), Some(Err(BAD));
    retry_after_date b"Retry-After: Mon, 1 Jan", m => m.retry_after_value(), Some(Err(NUMBER));

    privacy b"Privacy: id ;critical\r\nPrivacy: , header,,;", m =>
        m.privacy().collect::<Vec<_>>(), [&b"id"[..], b"critical", b"header"];
    identities b"P-Asserted-Identity: \"C\" <sip:c@h>, <tel:+1>\r\nP-Preferred-Identity: sip:d@h", m =>
        (uris(m.asserted_identities()), uris(m.preferred_identities())),
        (vec![&b"sip:c@h"[..], b"tel:+1"], vec![&b"sip:d@h"[..]]);
    paths b"Path: <sip:p1;lr>,<sip:p2;lr>\r\nService-Route: <sip:s1;lr>\r\nPath: <sip:p3;lr>\r\nService-Route: <sip:s2;lr>", m =>
        (uris(m.paths()), uris(m.service_routes())),
        (vec![&b"sip:p1;lr"[..], b"sip:p2;lr", b"sip:p3;lr"], vec![&b"sip:s1;lr"[..], b"sip:s2;lr"]);
    entity_tags b"SIP-ETag: dx200xyz\r\nSIP-If-Match: a b", m =>
        (m.sip_etag(), m.sip_if_match()), (Some(Ok(&b"dx200xyz"[..])), Some(Err(BAD)));
    entity_tag_empty b"SIP-ETag:", m => m.sip_etag(), Some(Err(BAD));
    priority b"Priority: Emergency", m => m.priority(), Some(Ok(&b"Emergency"[..]));
    in_reply_to b"In-Reply-To: 70710@saturn, 17320@h", m =>
        m.in_reply_to().collect::<Vec<_>>(), [&b"70710@saturn"[..], b"17320@h"];

    accept b"Accept: application/sdp;level=1, text/*;q=0.3,bad, */*;q=0", m =>
        m.accept().map(|a| (a.kind(), a.subtype(), a.q())).collect::<Vec<_>>(),
        [(&b"application"[..], &b"sdp"[..], 1000), (b"text", b"*", 300), (b"*", b"*", 0)];
    accept_empty b"Accept:", m => (m.accept().count(), m.header(HeaderName::Accept)), (0, Some(&b""[..]));
    encodings b"Accept-Encoding: gzip;q=1.0, *;q=0.5;x\r\nAccept-Encoding: \"a\"", m =>
        all(m.accept_encoding()).iter().map(|p| p.map(|p| (p.value(), p.q()))).collect::<Vec<_>>(),
        [Ok((&b"gzip"[..], 1000)), Ok((b"*", 500)), Err(BAD)];
    languages b"Accept-Language: da, en-gb;q=0.8, en;q=2", m =>
        all(m.accept_language()).iter().map(|p| p.unwrap().q()).collect::<Vec<_>>(), [1000, 800, 1000];
    infos b"Call-Info: <http://h/a,b.jpg> ;purpose=icon, <http://h/>\r\nAlert-Info: <http://h/x>\r\nError-Info: <sip:n@h>", m =>
        (uris(m.call_infos()), uris(m.alert_infos()), uris(m.error_infos())),
        (vec![&b"http://h/a,b.jpg"[..], b"http://h/"], vec![&b"http://h/x"[..]], vec![&b"sip:n@h"[..]]);
    purpose b"Call-Info: <http://h/a> ;purpose=icon", m =>
        m.call_infos().next().unwrap().unwrap().param(b"purpose"), Some(&b"icon"[..]);

    disposition b"Content-Disposition: Session ;handling=Optional;x", m =>
        m.content_disposition().unwrap().map(|d| (d.kind(), d.is_optional(), d.params().count())), Ok((&b"Session"[..], true, 2));
    disposition_alone b"Content-Disposition: render", m =>
        m.content_disposition().unwrap().map(|d| (d.kind(), d.is_optional())), Ok((&b"render"[..], false));
    disposition_quoted b"Content-Disposition: attachment; filename=\"a;handling=optional\"", m =>
        m.content_disposition().unwrap().map(|d| d.is_optional()), Ok(false);
    disposition_that_is_none b"Content-Disposition: ;handling=optional", m => m.content_disposition(), Some(Err(BAD));
    disposition_twice b"Content-Disposition: a\r\nContent-Disposition: a", m => m.content_disposition(), Some(Err(BAD));
    codings b"e: gzip, x-a\r\nContent-Language: fr, en-gb\r\nContent-Encoding: tar", m =>
        (m.content_encoding().collect::<Vec<_>>(), m.content_language().collect::<Vec<_>>()),
        (vec![&b"gzip"[..], b"x-a", b"tar"], vec![&b"fr"[..], b"en-gb"]);
    mime_version b"MIME-Version: 1.0", m => m.mime_version(), Some(Ok((1, 0)));
    mime_version_without_dot b"MIME-Version: 1", m => m.mime_version(), Some(Err(BAD));
    mime_version_of_three b"MIME-Version: 1.0.0", m => m.mime_version(), Some(Err(BAD));
    mime_version_too_large b"MIME-Version: 1.256", m => m.mime_version(), Some(Err(BAD));
    unsupported b"Unsupported: foo\r\nUnsupported: bar,", m => m.unsupported().collect::<Vec<_>>(), [&b"foo"[..], b"bar"];
    reply_to b"Reply-To: \"Bob, B\" <sip:bob@b>;x", m => m.reply_to().unwrap().map(|a| a.raw_uri()), Ok(&b"sip:bob@b"[..]);
    reply_to_two b"Reply-To: <sip:a>, <sip:b>", m => m.reply_to(), Some(Err(ParseError::Address));
    reply_to_twice b"Reply-To: <sip:a>\r\nReply-To: <sip:a>", m => m.reply_to(), Some(Err(BAD));
    authentication_info b"Authentication-Info: nextnonce=\"47\"", m =>
        m.authentication_info().unwrap().map(|info| info.next_nonce), Ok(Some(&b"47"[..]));
    authentication_info_twice b"Authentication-Info: qop=auth\r\nAuthentication-Info: nc=1", m => m.authentication_info(), Some(Err(BAD));

    flow_timer b"Flow-Timer: 120", m => m.flow_timer(), Some(Ok(120));
    flow_timer_that_is_none b"Flow-Timer: 120;x", m => m.flow_timer(), Some(Err(NUMBER));
    flow_timer_twice b"Flow-Timer: 1\r\nFlow-Timer: 1", m => m.flow_timer(), Some(Err(BAD));
    outbound b"m: <sip:a@b;ob>;reg-id=2147483647;+sip.instance=\"<urn:uuid:1>\"\r\nContact: <sip:c>;reg-id=2147483648;+sip.instance=\"urn:1\", <sip:d;gr>;REG-ID=0", m =>
        all(m.contacts()).iter().map(|c| c.map(|c| (c.uri().unwrap().is_outbound(), c.reg_id(), c.instance()))).collect::<Vec<_>>(),
        [Ok((true, Some(2_147_483_647), Some(&b"urn:uuid:1"[..]))), Ok((false, None, None)), Ok((false, None, None))];
    gruus b"m: <sip:a@b>;pub-gruu=\"sip:a@b;gr=urn:1\";temp-gruu=\"sip:t@b;gr\"", m =>
        all(m.contacts()).iter().map(|c| c.map(|c| (c.pub_gruu(), c.temp_gruu()))).collect::<Vec<_>>(),
        [Ok((Some(&b"sip:a@b;gr=urn:1"[..]), Some(&b"sip:t@b;gr"[..])))];
    gruu_uris b"m: <sip:a@b;gr=urn:1>, <sip:t@b;GR>, <sip:t@b;gruu>", m =>
        all(m.contacts()).iter().map(|c| c.unwrap().uri().unwrap().gr()).collect::<Vec<_>>(), [Some(&b"urn:1"[..]), Some(b""), None];

    timestamp b"Timestamp: 54.1 .25", m =>
        m.timestamp(), Some(Ok(Timestamp { time: b"54.1", delay: Some(b".25") }));
    timestamp_alone b"Timestamp: 54.", m => m.timestamp(), Some(Ok(Timestamp { time: b"54.", delay: None }));
    timestamp_that_is_none b"Timestamp: 5.4.1", m => m.timestamp(), Some(Err(NUMBER));
    timestamp_empty b"Timestamp:", m => m.timestamp(), Some(Err(NUMBER));
    date_twice b"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT", m => m.date(), Some(Err(BAD));
}

#[test]
fn dates() {
    for (text, seconds) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Sat, 13 Nov 2010 23:29:00 GMT", Some(1_289_690_940)),
        ("Tue, 29 Feb 2000 23:59:60 gmt", Some(951_868_800)),
        ("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
        ("Wed, 31 Dec 1969 23:59:59 GMT", None),
        ("Sat, 01 Jan 0000 00:00:00 GMT", None),
    ] {
        assert_eq!(Date::parse(text.as_bytes()).unwrap().unix_seconds(), seconds, "{text}");
    }
    for text in [
        "",
        "Sat, 13 Nov 2010 23:29:00 EST",
        "Sat 13 Nov 2010 23:29:00 GMT",
        "Sat, 00 Nov 2010 23:29:00 GMT",
        "Sat, 31 Nov 2010 23:29:00 GMT",
        "Sat, 29 Feb 2100 23:29:00 GMT",
        "Sat, 13 Nov 10 23:29:00 GMT",
        "Sat, 13 Nov 2010 24:29:00 GMT",
        "Sat, 13 Nov 2010 23:60:00 GMT",
        "Sat, 13 Nov 2010 23:29 GMT",
        "Sat, 13 Nov 2010 23:29:00:00 GMT",
        "Sat, 13 Nov 2010 23:29:00 GMT x",
        "Sat, 1 Nov 2010 23:29:00 GMT",
        "Sat, 13 Nox 2010 23:29:00 GMT",
    ] {
        assert_eq!(Date::parse(text.as_bytes()), Err(BAD), "{text}");
    }
}

#[test]
fn events_match_by_package_and_id() {
    let event = |text: &'static [u8]| Event::parse(text).unwrap();
    assert!(event(b"a;id=1;x").matches(&event(b"a;id=1")));
    assert!(!event(b"a;id=1").matches(&event(b"a")) && !event(b"a").matches(&event(b"A")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn spoilt_values_do_no_harm(
        name in prop::sample::select(vec![
            "Event", "Subscription-State", "RSeq", "RAck", "Session-Expires", "Min-SE", "Replaces", "Refer-To", "Referred-By",
            "Refer-Sub", "Reason", "Warning", "Retry-After", "Privacy", "P-Asserted-Identity", "Path", "SIP-ETag", "Priority",
            "In-Reply-To", "Accept", "Accept-Encoding", "Accept-Language", "Call-Info", "Date", "Timestamp",
            "Content-Disposition", "MIME-Version", "Reply-To", "Authentication-Info", "Flow-Timer", "Contact",
        ]),
        value in prop::collection::vec(prop::sample::select(b" \t;,=\"\\<>@()/.:-09aqZ\xFF".to_vec()), 0..24),
    ) {
        let bytes = with(&[name.as_bytes(), b": ", &value].concat());
        if let Ok(message) = Message::parse(&bytes) {
            read_events(&message);
        }
    }
}
