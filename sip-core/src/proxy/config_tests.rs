//! What a configuration may say, and whose a URI is.

use super::*;
use crate::memory::Pool;

fn refused(config: &Config<'_>) -> Option<ConfigError> {
    Settings::keep(config, &mut Pool::<1024>::new()).err()
}

#[test]
fn what_cannot_be_used_is_named() {
    let config = Config::new(&["192.0.2.5:5060", "[2001:db8::5]"]);
    assert_eq!(refused(&config.with_domains(&["example.com", "example.net"])), None);
    for (config, argument) in [
        (config.with_listeners(&[]), Argument::Listeners),
        (config.with_listeners(&["a"; MAX_LISTENERS + 1]), Argument::Listeners),
        (config.with_listeners(&["0.0.0.0"]), Argument::SentByWildcard),
        (config.with_listeners(&["192.0.2.1:0"]), Argument::SentByPort),
        (config.with_listeners(&["a;b"]), Argument::SentBy),
        (config.with_domains(&["2001:db8::5"]), Argument::Domains),
        (config.with_domains(&["a,b"]), Argument::Domains),
        (config.with_server("a\r\nb"), Argument::UserAgent),
        (config.with_path_mtu(1), Argument::PathMtu),
        (config.with_secret(b"short"), Argument::Secret),
    ] {
        assert_eq!(refused(&config), Some(ConfigError::Invalid(argument)));
    }
}

#[test]
fn sipx_dp_12_timer_c_is_more_than_three_minutes() {
    let config = Config::new(&["192.0.2.5"]);
    for (millis, invalid) in [(180_000, true), (180_001, false), (1, true)] {
        let config = config.with_timer_c(Duration::from_millis(millis));
        assert_eq!(refused(&config), invalid.then_some(ConfigError::Invalid(Argument::TimerC)));
    }
}

#[test]
fn a_uri_of_a_listener_or_a_domain_is_own() {
    let mut octets = Pool::<1024>::new();
    let config = Config::new(&["192.0.2.5:5070", "sip.example.com", "[2001:db8::5]:5060"]);
    let config = config.with_domains(&["example.com", "example.net"]).with_server("x").with_supported("path");
    let settings = Settings::keep(&config, &mut octets).unwrap();
    let texts = octets.get(settings.block());
    for (uri, own) in [
        ("sip:192.0.2.5:5070;lr", Some(Own::Listener)),
        ("sip:192.0.2.5;lr", None),
        ("sip:SIP.example.com", Some(Own::Listener)),
        ("sip:sip.example.com:5070", None),
        ("sip:[2001:DB8:0::5]", Some(Own::Listener)),
        ("sip:bob@example.net", Some(Own::Domain)),
        ("sips:bob@example.com", Some(Own::Domain)),
        ("sip:bob@example.com:5070", Some(Own::Domain)),
        ("sip:bob@example.com:5080", None),
        ("sip:bob@example.org", None),
        ("tel:+358", None),
    ] {
        assert_eq!(settings.own(texts, &Uri::parse(uri.as_bytes()).unwrap()), own, "{uri}");
    }
    let settings = Settings::keep(&config.with_aliases(&["198.51.100.5", "2001:db8::6", "[2001:db8::7]"]), &mut octets);
    assert_eq!(settings.err(), Some(ConfigError::Invalid(Argument::Listeners)));
    let settings = Settings::keep(&config.with_aliases(&["198.51.100.5", "[2001:db8::7]"]), &mut octets).unwrap();
    let texts = octets.get(settings.block());
    for (uri, own) in [
        ("sip:198.51.100.5:5070;lr", Some(Own::Listener)),
        ("sip:198.51.100.5:5080", None),
        ("sip:[2001:DB8:0::7]", Some(Own::Listener)),
        ("sip:198.51.100.6:5070", None),
    ] {
        assert_eq!(settings.own(texts, &Uri::parse(uri.as_bytes()).unwrap()), own, "{uri}");
    }
    // An address that is a domain needs no port, and one that is not needs that of a listener.
    let settings = Settings::keep(&config.with_domains(&["192.0.2.5", "[2001:db8::9]"]), &mut octets).unwrap();
    let texts = octets.get(settings.block());
    for (uri, own) in [
        ("sip:bob@192.0.2.5", Some(Own::Domain)),
        ("sip:192.0.2.5:5070;lr", Some(Own::Listener)),
        ("sip:bob@192.0.2.5:5080", None),
        ("sip:bob@[2001:DB8::9]", Some(Own::Domain)),
        ("sip:bob@192.0.2.6", None),
    ] {
        assert_eq!(settings.own(texts, &Uri::parse(uri.as_bytes()).unwrap()), own, "{uri}");
    }
    assert_eq!((settings.server(texts), settings.supported(texts)), (&b"x"[..], &b"path"[..]));
    assert_eq!(
        (settings.sent_by(texts, 1), settings.sent_by(texts, 9)),
        (&b"sip.example.com"[..], &b"192.0.2.5:5070"[..])
    );
    let v6 = (Address::literal(b"[2001:db8::9]", 5060).unwrap(), Transport::Udp);
    let any = (Address::NONE, Transport::Udp);
    assert_eq!((settings.listener_to(v6, 0), settings.listener_to(v6, 1), settings.listener_to(any, 2)), (1, 1, 2));
}

#[test]
fn a_message_leaves_from_a_listener_for_its_transport() {
    let mut octets = Pool::<1024>::new();
    let of = [
        "192.0.2.5:443;transport=wss",
        "192.0.2.5:80;transport=WS",
        "[2001:db8::5]:5060",
        "192.0.2.5:5060",
        "192.0.2.5:5061;transport=tls",
        "192.0.2.5:5070",
    ];
    let settings = Settings::keep(&Config::new(&of), &mut octets).unwrap();
    let texts = octets.get(settings.block());
    assert_eq!(
        (settings.sent_by(texts, 1), settings.sent_by(texts, 2)),
        (&b"192.0.2.5:80"[..], &b"[2001:db8::5]:5060"[..])
    );
    assert_eq!(settings.own(texts, &Uri::parse(b"sip:192.0.2.5:80;transport=ws;lr").unwrap()), Some(Own::Listener));
    let v4 = Address::literal(b"192.0.2.9", 5060).unwrap();
    for (transport, came_by, leaves) in [
        (Transport::Udp, 1, 3),
        (Transport::Udp, 5, 5),
        (Transport::Tcp, 4, 3),
        (Transport::Tcp, 0, 3),
        (Transport::Tls, 1, 4),
        (Transport::Tls, 5, 4),
        (Transport::Ws, 3, 1),
        (Transport::Wss, 2, 0),
        (Transport::Ws, 1, 1),
    ] {
        assert_eq!(settings.listener_to((v4, transport), came_by), leaves, "{transport} of {came_by}");
    }
    // Where there is none for it, it leaves from where it came in, as if none said for what it is.
    let v6 = Address::literal(b"[2001:db8::9]", 5060).unwrap();
    assert_eq!((settings.listener_to((v6, Transport::Wss), 2), settings.listener_to((v6, Transport::Wss), 1)), (2, 2));
    let settings = Settings::keep(&Config::new(&["192.0.2.5:5060", "192.0.2.5:5061"]), &mut octets).unwrap();
    assert_eq!((settings.listener_to((v4, Transport::Tls), 1), settings.listener_to((v4, Transport::Tcp), 1)), (1, 1));
    for wrong in ["192.0.2.5:5060;transport=sctp", "192.0.2.5:5060;transport=", "192.0.2.5:5060;lr", ";transport=ws"] {
        let kept = Settings::keep(&Config::new(&[wrong]), &mut octets);
        assert_eq!(kept.err(), Some(ConfigError::Invalid(Argument::SentBy)), "{wrong}");
    }
}
