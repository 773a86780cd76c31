//! What a command line may say.

use super::*;

#[test]
fn the_definition_is_consistent() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn a_uri_may_go_without_its_scheme() {
    assert_eq!(sip_uri("bob@127.0.0.1:5070").as_deref(), Ok("sip:bob@127.0.0.1:5070"));
    assert_eq!(sip_uri("[::1]:5070").as_deref(), Ok("sip:[::1]:5070"));
    assert_eq!(sip_uri("SIP:bob@example.com").as_deref(), Ok("SIP:bob@example.com"));
    for wrong in ["", "sip:", "tel:+123", "http://example.com", "sip:a b", "sip:h?Subject=x"] {
        assert!(sip_uri(wrong).is_err(), "{wrong}");
    }
    assert!(server("bob@127.0.0.1").is_err());
    assert_eq!(server("::1").as_deref(), Ok("sip:[::1]"));
}

#[test]
fn a_word_alone_is_nobody() {
    for right in ["bob@example.com", "sip:bob@example.com", "sip:example.com", "sips:example.com"] {
        assert!(own_uri(right).is_ok(), "{right}");
    }
    for wrong in ["bob", "example.com", "bob:5060"] {
        assert!(own_uri(wrong).is_err_and(|text| text.contains(&format!("sip:{wrong}@"))), "{wrong}");
    }
}

#[test]
fn an_address_or_a_port_is_enough_to_listen() {
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let v6: IpAddr = "::1".parse().unwrap();
    for (text, ip, port) in [
        ("127.0.0.1:5070", Some(ip), Some(5070)),
        ("127.0.0.1", Some(ip), None),
        ("5070", None, Some(5070)),
        (":5070", None, Some(5070)),
        ("0", None, Some(0)),
        ("[::1]:5070", Some(v6), Some(5070)),
        ("[::1]", Some(v6), None),
        ("::1", Some(v6), None),
    ] {
        assert_eq!(listen(text), Ok(Listen { ip, port }), "{text}");
        for (prefix, kind) in [("", Kind::Plain), ("tls:", Kind::Tls), ("ws:", Kind::Ws), ("wss:", Kind::Wss)] {
            let place = place(&format!("{prefix}{text}"));
            assert_eq!(place, Ok(Place { kind, listen: Listen { ip, port } }), "{text}");
        }
    }
    for wrong in ["", "65536", "127.0.0.1:", "127.0.0.1:65536", "host.invalid"] {
        assert!(listen(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_session_is_refreshed_each_90_seconds_at_the_most() {
    assert_eq!((session_expires("0"), session_expires("90")), (Ok(0), Ok(90)));
    for wrong in ["89", "-1", "90.5", "4294967296", ""] {
        assert!(session_expires(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_text_fits_into_a_datagram() {
    assert!(short_text(&"x".repeat(900)).is_ok());
    assert!(short_text("").is_err() && short_text(&"x".repeat(901)).is_err());
}

#[test]
fn seconds_may_have_a_fraction() {
    assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
    for wrong in ["-1", "NaN", "inf", "1e20", "x", ""] {
        assert!(seconds(wrong).is_err(), "{wrong}");
    }
}
