//! A server whose tables are full: what is in a dialog goes on, what would begin one has to wait.
//!
//! What passes through a full proxy without a question is in `proxy_hostile`.

mod domain;

use domain::{Client, Domain, SERVER};
use sip_testkit::Wire;

/// The response contexts are taken, all of them, by calls that nobody answers.
#[test]
fn a_full_server_passes_on_what_is_in_a_dialog_for_its_users() {
    let mut domain = Domain::new(41);
    let mut bob = Client::new("192.0.2.2:5060", "bob");
    bob.register(&mut domain, "Contact: <sip:bob@192.0.2.2>\r\n");
    let mut carol = Wire::new("192.0.2.66:5060");
    let mut legs = Vec::new();
    let mut recorded = String::new();
    loop {
        let mut leg = carol.leg("sip:bob@example.com");
        leg.local = format!("<sip:carol@example.net>;tag={}", legs.len());
        let invite = carol.request(&mut leg, "INVITE", "Contact: <sip:carol@192.0.2.66>\r\n", b"");
        carol.send(&mut domain, SERVER, &invite);
        domain.wait(1);
        if carol.kinds(&domain) == "503" {
            break;
        }
        let heard = bob.wire.hear(&domain);
        recorded = heard.last().expect("a call").header("Record-Route");
        legs.push(leg);
    }
    assert_eq!(legs.len(), domain.server(|hub, _| hub.proxy().occupancy().contexts));
    // By the Route of ours in its own dialog, whatever it is; without one as far as it can begin nothing.
    let route = format!("Route: {recorded}\r\n");
    let mut leg = legs.pop().expect("a call");
    leg.remote.push_str(";tag=far");
    for (method, route, passes) in [
        ("INVITE", &*route, true),
        ("MESSAGE", &route, false),
        ("NOTIFY", &route, true),
        ("NOTIFY", "", false),
        ("ACK", "", true),
        ("UPDATE", "", true),
        ("BYE", "", true),
        ("INVITE", "", false),
        ("MESSAGE", "", false),
        ("SUBSCRIBE", "", false),
    ] {
        let request = carol.request(&mut leg, method, &format!("{route}Contact: <sip:carol@192.0.2.66>\r\n"), b"");
        carol.send(&mut domain, SERVER, &request);
        domain.wait(1);
        let heard = bob.wire.hear(&domain).into_iter().find(|heard| heard.kind() == method);
        assert_eq!(heard.is_some(), passes, "{method} {route}\n{}", domain.world.explain());
        assert_eq!(carol.kinds(&domain), if passes { "" } else { "503" }, "{method} {route}");
        let Some(heard) = heard.filter(|_| method != "ACK") else { continue };
        assert_eq!((heard.uri(), heard.rows("Route").len()), ("sip:bob@192.0.2.2".to_owned(), 0));
        bob.wire.respond(&mut domain, SERVER, &heard, 200, "");
        domain.wait(1);
        assert_eq!(carol.kinds(&domain), "200", "{method} {route}");
    }
    // Nobody's users get nothing.
    leg.target = "sip:nobody@example.com".into();
    let bye = carol.request(&mut leg, "BYE", "", b"");
    carol.send(&mut domain, SERVER, &bye);
    domain.wait(1);
    assert_eq!(carol.kinds(&domain), "503");
}
