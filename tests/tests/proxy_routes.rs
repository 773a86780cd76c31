//! Where requests go and come back: Route, Record-Route, strict routers, `maddr`, `sips`, loops and breadth (RFC 3261 §16.3-16.6,
//! RFC 5658, RFC 5393).

mod office;

use office::{HUB, Office, address};
use sip_core::proxy::{Event, Target};
use sip_core::transport::Transport;
use sip_core::ua::Cause;
use sip_testkit::{Config, Heard, NodeId, Wire};

/// An office, a peer that sends and one that receives.
struct Scene {
    office: Office,
    hub: NodeId,
    near: Wire,
    far: Wire,
}

impl Scene {
    fn new() -> Self {
        let office = Office::new(1);
        let hub = office.hub;
        Self { office, hub, near: Wire::new("192.0.2.9:5060"), far: Wire::new("192.0.2.10:5060") }
    }

    /// Sends a request with these rows, with pieces of its text replaced; what was heard at either end.
    fn send(&mut self, method: &str, target: &str, rows: &str, edits: &[(&str, &str)]) -> (Vec<Heard>, Vec<Heard>) {
        let mut leg = self.near.leg(target);
        let bytes = self.near.request(&mut leg, method, rows, b"");
        let mut text = String::from_utf8(bytes).unwrap();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        self.near.send(&mut self.office, self.hub, text.as_bytes());
        self.office.pause();
        (self.near.hear(&self.office), self.far.hear(&self.office))
    }

    /// The status that a request is refused with, and nothing else.
    fn refused(&mut self, method: &str, target: &str, rows: &str, edits: &[(&str, &str)]) -> String {
        let (near, far) = self.send(method, target, rows, edits);
        assert!(far.is_empty(), "{}", self.office.world.explain());
        near.iter().map(Heard::kind).collect::<Vec<_>>().join(" ")
    }

    /// The request as it arrived.
    fn passed(&mut self, method: &str, target: &str, rows: &str, edits: &[(&str, &str)]) -> Heard {
        let (near, mut far) = self.send(method, target, rows, edits);
        assert!(near.is_empty() && far.len() == 1, "{}", self.office.world.explain());
        far.remove(0)
    }
}

const FAR: &str = "sip:far@192.0.2.10";

/// What of the Record-Route values of a request is behind their tokens.
fn hosts(request: &Heard) -> Vec<String> {
    let host = |route: &String| route.trim_matches(['<', '>']).rsplit('@').next().unwrap().replacen("sip:", "", 1);
    request.rows("Record-Route").iter().map(host).collect()
}

#[test]
fn what_cannot_be_passed_on_is_refused() {
    let mut scene = Scene::new();
    let forwards = |hops| [("Max-Forwards: 70", hops)];
    for (rows, edits, status) in [
        ("", &forwards("Max-Forwards: 0")[..], "483"),
        ("", &forwards("Max-Forwards: 256"), "400"),
        ("Proxy-Require: foo, bar\r\n", &[], "420"),
        ("Max-Breadth: 0\r\n", &[], "440"),
        ("Route: <sip:192.0.2.5;lr>, <sip:p p>\r\n", &[], "400"),
    ] {
        assert_eq!(scene.refused("OPTIONS", FAR, rows, edits), status, "{rows}");
        // An ACK is never answered.
        assert_eq!(scene.refused("ACK", FAR, rows, edits), "", "{rows}");
    }
    assert_eq!(scene.refused("OPTIONS", "foo:bar", "", &[]), "416");
    let heard = scene.send("OPTIONS", FAR, "Proxy-Require: foo, bar\r\n", &[]).0;
    assert_eq!(heard[0].header("Unsupported"), "foo, bar");
    assert_eq!(scene.passed("OPTIONS", FAR, "", &forwards("Max-Forwards: 1")).header("Max-Forwards"), "0");
    assert_eq!(scene.passed("OPTIONS", FAR, "", &forwards("X: y")).header("Max-Forwards"), "70");
    // A scheme that is not known goes where a Route says.
    let heard = scene.passed("OPTIONS", "foo:bar", "Route: <sip:192.0.2.10;lr>\r\n", &[]);
    assert_eq!(heard.uri(), "foo:bar");
}

#[test]
fn own_route_values_go_and_the_next_one_says_where() {
    let mut scene = Scene::new();
    let route = "Route: <sip:192.0.2.5;lr>, <sip:example.com;lr>\r\nRoute: <sip:192.0.2.10;lr>\r\n";
    let heard = scene.passed("BYE", "sip:x@nowhere.example", route, &[]);
    assert_eq!(
        (heard.uri(), heard.rows("Route")),
        ("sip:x@nowhere.example".into(), vec!["<sip:192.0.2.10;lr>".into()])
    );
    assert_eq!(heard.rows("Via").len(), 2);
    assert!(heard.rows("Record-Route").is_empty());
}

#[test]
fn strict_routers_on_either_side() {
    let mut scene = Scene::new();
    // Before: this proxy's Record-Route is the Request-URI, and the target is the last Route.
    let heard = scene.passed("BYE", "sip:192.0.2.5;lr", &format!("Route: <{FAR}>\r\n"), &[]);
    assert_eq!((heard.uri(), heard.rows("Route").len()), (FAR.into(), 0));
    // Behind: its URI is the Request-URI, and the target the last Route.
    let route = "Route: <sip:192.0.2.5;lr>, <sip:192.0.2.10>, <sip:p.example;lr>\r\n";
    let heard = scene.passed("BYE", "sip:x@nowhere.example", route, &[]);
    let routes = vec!["<sip:p.example;lr>".to_owned(), "<sip:x@nowhere.example>".to_owned()];
    assert_eq!((heard.uri(), heard.rows("Route")), ("sip:192.0.2.10".into(), routes));
    // Both.
    let heard = scene.passed("BYE", "sip:192.0.2.5;lr", "Route: <sip:192.0.2.10>, <sip:x@nowhere.example>\r\n", &[]);
    let routes = vec!["<sip:x@nowhere.example>".to_owned()];
    assert_eq!((heard.uri(), heard.rows("Route")), ("sip:192.0.2.10".into(), routes));
}

#[test]
fn the_path_of_a_target_goes_before_all_other_routes() {
    let mut scene = Scene::new();
    scene.office.bind("bob", "sip:bob@nowhere.example", 1000);
    scene.office.world.user_mut().bindings[0].route = "<sip:192.0.2.10;lr;ob>, <sip:q.example;lr>".into();
    let heard = scene.passed("MESSAGE", "sip:bob@example.com", "", &[]);
    assert_eq!(heard.uri(), "sip:bob@nowhere.example");
    assert_eq!(heard.rows("Route"), ["<sip:192.0.2.10;lr;ob>", "<sip:q.example;lr>"]);
    // A flow that is given wins over them.
    let mut other = Wire::new("192.0.2.11:5060");
    scene.office.world.user_mut().bindings[0].flow = sip_core::transport::Flow::udp(other.address());
    let mut leg = scene.near.leg("sip:bob@example.com");
    let message = scene.near.request(&mut leg, "MESSAGE", "", b"");
    scene.near.send(&mut scene.office, scene.hub, &message);
    scene.office.pause();
    assert_eq!(other.expect(&scene.office, "MESSAGE").rows("Route").len(), 2);
}

#[test]
fn siphon_139_an_ack_goes_once_where_its_route_says() {
    let mut scene = Scene::new();
    scene.office.bind("bob", "sip:bob@192.0.2.11", 500);
    scene.office.bind("bob", "sip:bob@192.0.2.12", 500);
    let heard = scene.passed(
        "ACK",
        FAR,
        "Route: <sip:192.0.2.5;lr>\r\n",
        &[("To: <sip:far@192.0.2.10>", "To: <sip:bob@example.com>;tag=b")],
    );
    assert!(heard.rows("Route").is_empty());
    assert_eq!(scene.office.told(), []);
}

#[test]
fn siphon_191_a_request_for_the_proxy_itself_behind_its_own_route_is_looked_up() {
    let mut scene = Scene::new();
    let dialog = [("To: <sip:192.0.2.5:5060>", "To: <sip:bob@example.com>;tag=b")];
    let route = "Route: <sip:192.0.2.5;lr>\r\n";
    // Nobody is found; an ACK is not answered, and no request goes round.
    assert_eq!(scene.refused("BYE", "sip:192.0.2.5:5060", route, &dialog), "404");
    assert_eq!(scene.refused("ACK", "sip:192.0.2.5:5060", route, &dialog), "");
    scene.office.bind("gruu", FAR, 1000);
    let dialog = [("To: <sip:gruu@example.com;gr=1>", "To: <sip:bob@example.com>;tag=b")];
    assert_eq!(scene.passed("BYE", "sip:gruu@example.com;gr=1", route, &dialog).uri(), FAR);
    assert_eq!(scene.passed("ACK", "sip:gruu@example.com;gr=1", route, &dialog).uri(), FAR);
    scene.office.wait(100_000);
}

#[test]
fn siphon_126_307_opensips_690_two_record_routes_where_the_sides_differ_and_both_are_known_again() {
    let mut scene = Scene::new();
    let invite = scene.passed("INVITE", FAR, &scene.near.contact(), &[]);
    assert_eq!(hosts(&invite), ["192.0.2.5:5060;lr"]);
    let mut stream = Wire::listening(&mut scene.office, "192.0.2.20:5060");
    let mut leg = scene.near.leg("sip:s@192.0.2.20;transport=tcp");
    let contact = scene.near.contact();
    let request = scene.near.request(&mut leg, "INVITE", &contact, b"");
    scene.near.send(&mut scene.office, scene.hub, &request);
    scene.office.pause();
    let invite = stream.expect(&scene.office, "INVITE");
    let routes = invite.rows("Record-Route");
    assert_eq!(hosts(&invite), ["192.0.2.5:5060;transport=tcp;lr", "192.0.2.5:5060;lr"]);
    stream.accept(&mut scene.office, scene.hub, &invite, "s", b"");
    scene.office.pause();
    // What comes back in the dialog has both, in the order of its side, and goes on without.
    let rows = format!("Route: {}\r\nRoute: {}\r\n", routes[1], routes[0]);
    scene.near.hear(&scene.office);
    leg.target = FAR.into();
    let bye = scene.near.request(&mut leg, "BYE", &rows, b"");
    scene.near.send(&mut scene.office, scene.hub, &bye);
    scene.office.pause();
    assert!(scene.far.expect(&scene.office, "BYE").rows("Route").is_empty());
}

#[test]
fn listeners_have_addresses_of_their_own() {
    let mut office = Office::with(Config::new(2).with_ladder(5000).with_check(), |config| {
        config.listeners = &["192.0.2.5:5060", "198.51.100.5:5070"];
    });
    // The world has one listener a node, so the application says which one leads to the other side.
    let mut near = Wire::new("192.0.2.9:5060");
    let mut far = Wire::new("198.51.100.9:5060");
    office.bind("bob", "sip:bob@198.51.100.9", 1000);
    let outside = sip_core::transport::Flow { listener: 1, ..sip_core::transport::Flow::udp(far.address()) };
    office.world.user_mut().bindings[0].flow = outside;
    let mut leg = near.leg("sip:bob@example.com");
    let contact = near.contact();
    let request = near.request(&mut leg, "INVITE", &contact, b"");
    let hub = office.hub;
    near.send(&mut office, hub, &request);
    office.pause();
    let invite = far.expect(&office, "INVITE");
    assert_eq!(hosts(&invite), ["198.51.100.5:5070;lr", "192.0.2.5:5060;lr"]);
    assert!(invite.rows("Via")[0].starts_with("SIP/2.0/UDP 198.51.100.5:5070;branch="));
    // Both are this proxy's, in either direction.
    let mut leg = far.leg_of(&invite, "t");
    let rows = format!("Route: {}\r\n", invite.rows("Record-Route").join(", "));
    let bye = far.request(&mut leg, "BYE", &rows, b"");
    far.send(&mut office, hub, &bye);
    office.pause();
    let kinds: Vec<_> = near.hear(&office).iter().map(|heard| (heard.kind(), heard.rows("Route").len())).collect();
    assert_eq!(kinds, [("BYE".to_owned(), 0), ("100".to_owned(), 0)]);
}

#[test]
fn a_maddr_of_this_proxy_has_done_its_work() {
    let mut scene = Scene::new();
    let heard = scene.passed("OPTIONS", "sip:far@192.0.2.10;maddr=192.0.2.5;x=y", "", &[]);
    assert_eq!(heard.uri(), "sip:far@192.0.2.10;x=y");
    scene.office.bind("bob", FAR, 1000);
    assert_eq!(scene.passed("OPTIONS", "sip:bob@example.com;maddr=192.0.2.5", "", &[]).uri(), FAR);
    // Another one's is followed.
    let heard = scene.passed("OPTIONS", "sip:bob@nowhere.example;maddr=192.0.2.10", "", &[]);
    assert_eq!(heard.uri(), "sip:bob@nowhere.example;maddr=192.0.2.10");
}

#[test]
fn nothing_for_a_sips_uri_goes_in_plain_text() {
    let mut scene = Scene::new();
    let target = |transport| sip_core::transport::Target { address: address("192.0.2.10:5060"), transport };
    scene.office.world.add_host("far.example", target(Transport::Udp));
    for target in ["sips:far@192.0.2.10", "sips:far@far.example"] {
        for rows in ["", "Route: <sip:192.0.2.10;lr>\r\n", "Route: <sip:far.example;lr>\r\n"] {
            assert_eq!(scene.refused("OPTIONS", target, rows, &[]), "500", "{target} {rows}");
        }
    }
    // A strict router, whose URI takes the place of the Request-URI, is none; neither is what a `sips` Route leads to.
    scene.office.world.add_host("strict.example", target(Transport::Tcp));
    for (target, route) in [
        ("sips:far@192.0.2.10", "sip:strict.example"),
        ("sips:far@192.0.2.10", "sip:far.example"),
        ("sips:far@192.0.2.10", "sip:192.0.2.10"),
        ("sip:far@192.0.2.10", "sips:far.example;lr"),
        ("sip:far@192.0.2.10", "sips:strict.example"),
    ] {
        for method in ["OPTIONS", "ACK"] {
            let rows = format!("Route: <sip:192.0.2.5;lr>, <{route}>\r\n");
            let status = if method == "ACK" { "" } else { "500" };
            assert_eq!(scene.refused(method, target, &rows, &[]), status, "{target} {route}");
        }
    }
    // A flow that is given is no way round.
    scene.office.bind("bob", "sips:bob@192.0.2.10", 1000);
    scene.office.world.user_mut().bindings[0].flow = sip_core::transport::Flow::udp(address("192.0.2.10:5060"));
    assert_eq!(scene.refused("OPTIONS", "sips:bob@example.com", "", &[]), "480");
    assert_eq!(scene.refused("OPTIONS", "sip:bob@example.com", "", &[]), "480");
}

#[test]
fn flexisip_139_a_loop_is_known_by_the_branch_and_a_spiral_goes_on() {
    let mut scene = Scene::new();
    // Two proxies that send each other one request, each sure that it is the other's.
    scene.office.add_hub("other", "192.0.2.6:5060", "other.example");
    scene.office.bind("bob", "sip:carol@other.example;maddr=192.0.2.6", 1000);
    scene.office.bind("carol", "sip:bob@example.com;maddr=192.0.2.5", 1000);
    let (near, _) = scene.send("MESSAGE", "sip:bob@example.com", "", &[]);
    let last = near.last().expect("an answer").kind();
    assert_eq!(last, "482", "{}", scene.office.world.explain());
    let hops = scene.office.world.ladder().datagrams().count();
    assert!(hops < 30, "{hops} messages\n{}", scene.office.world.explain());
}

#[test]
fn a_request_that_comes_back_for_another_user_is_a_spiral() {
    let mut scene = Scene::new();
    scene.office.add_hub("other", "192.0.2.6:5060", "other.example");
    scene.office.bind("bob", "sip:carol@other.example;maddr=192.0.2.6", 1000);
    scene.office.bind("carol", "sip:dave@example.com;maddr=192.0.2.5", 1000);
    scene.office.bind("dave", FAR, 1000);
    let heard = scene.passed("MESSAGE", "sip:bob@example.com", "", &[]);
    assert_eq!(heard.rows("Via").len(), 4, "{}", scene.office.world.explain());
}

#[test]
fn max_breadth_is_shared_by_branches_and_whole_again_for_the_next() {
    let mut scene = Scene::new();
    let mut at: Vec<_> = (11..14).map(|host| Wire::new(&format!("192.0.2.{host}:5060"))).collect();
    for host in 11..14 {
        scene.office.bind("bob", &format!("sip:bob@192.0.2.{host}"), 500);
    }
    scene.send("MESSAGE", "sip:bob@example.com", "Max-Breadth: 8\r\n", &[]);
    let shares: Vec<_> = at.iter_mut().map(|at| at.expect(&scene.office, "MESSAGE").header("Max-Breadth")).collect();
    assert_eq!(shares, ["2", "3", "3"]);
    scene.send("MESSAGE", "sip:bob@example.com", "", &[]);
    let heard: Vec<_> = at.iter_mut().map(|at| at.hear(&scene.office).pop().unwrap().header("Max-Breadth")).collect();
    assert_eq!(heard, ["20", "20", "20"]);
    // With fewer than targets, one after the other.
    scene.office.wait(60_000);
    at.iter_mut().for_each(|at| _ = at.hear(&scene.office));
    scene.send("MESSAGE", "sip:bob@example.com", "Max-Breadth: 1\r\n", &[]);
    for index in 0..3 {
        let heard: Vec<_> = at.iter_mut().map(|at| at.hear(&scene.office).pop()).collect();
        let open: Vec<_> = heard.iter().flatten().collect();
        assert_eq!((open.len(), open[0].header("Max-Breadth")), (1, "1".into()), "{}", scene.office.world.explain());
        let place = heard.iter().position(Option::is_some).unwrap();
        at[place].respond(&mut scene.office, scene.hub, open[0], 404 + index, "");
        scene.office.pause();
    }
    assert_eq!(scene.near.hear(&scene.office).last().unwrap().kind(), "404");
}

#[test]
fn a_target_that_cannot_be_used_is_an_error_and_changes_nothing() {
    let mut scene = Scene::new();
    scene.office.world.user_mut().answers = office::Answers::Never;
    scene.send("MESSAGE", "sip:bob@example.com", "", &[]);
    let request = scene.office.request();
    for target in [
        Target::new(b"bob"),
        Target::new(b"tel:+358"),
        Target::new(b"sip:bob@h?Subject=x"),
        Target::new(FAR.as_bytes()).with_route(b"<bob>"),
    ] {
        let error = scene.office.proxy(|hub, now| hub.forward(now, request, &[target], None));
        assert!(matches!(error, Err(sip_core::error::Error::Invalid(_))), "{target:?}");
    }
    assert!(scene.office.proxy(|hub, now| hub.forward(now, request, &[], None)).is_err());
    scene.office.proxy(|hub, now| hub.forward(now, request, &[Target::new(FAR.as_bytes())], None)).unwrap();
    scene.office.pause();
    let message = scene.far.expect(&scene.office, "MESSAGE");
    scene.far.respond(&mut scene.office, scene.hub, &message, 200, "");
    assert!(matches!(scene.office.told()[..], [Event::Request { .. }, Event::Finished { status: 200, .. }]));
}

#[test]
fn contacts_are_told_with_their_q() {
    let mut scene = Scene::new();
    scene.office.world.user_mut().answers = office::Answers::Never;
    scene.send("INVITE", "sip:bob@example.com", &scene.near.contact(), &[]);
    let request = scene.office.request();
    let contacts = [Target::new(b"sip:a@b"), Target::new(b"sip:c@d").with_q(50)];
    scene.office.proxy(|hub, now| hub.redirect(now, request, &contacts)).unwrap();
    scene.office.pause();
    let heard = scene.near.hear(&scene.office).pop().unwrap();
    assert_eq!(
        (heard.kind(), heard.rows("Contact")),
        ("302".into(), vec!["<sip:a@b>;q=1.0".into(), "<sip:c@d>;q=0.050".into()])
    );
}

#[test]
fn a_refusal_leaves_nothing_behind_and_its_ack_is_absorbed() {
    let mut office = Office::new(3);
    let alice = office.add("alice", "192.0.2.1:5060");
    office.world.user_mut().answers = office::Answers::Never;
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let request = office.request();
    office.proxy(|hub, now| hub.refuse(now, request, 403, &[])).unwrap();
    assert_eq!(office.proxy(|hub, _| hub.occupancy().transactions), 0);
    office.pause();
    assert_eq!(office.ended(alice), [(Cause::Rejected, 403)]);
    assert_eq!(office.lines("192.0.2.1:5060", HUB), ["INVITE", "ACK"]);
    assert_eq!(office.proxy(|hub, _| hub.occupancy().transactions), 0, "{}", office.world.explain());
    office.settle();
}

/// Fault 19 (kamailio 3190): a phone that asks for `ob` got no token. Its registrar reaches it by a Path that leads over its flow.
#[test]
fn kamailio_3190_the_path_of_a_phone_leads_over_its_flow() {
    let mut scene = Scene::new();
    scene.office = Office::with(Config::new(1).with_ladder(5000).with_check(), |config| config.path = true);
    let register = "Supported: path, outbound\r\nContact: <sip:bob@10.0.0.7:5060;ob>;reg-id=1\r\n";
    let registered = scene.passed("REGISTER", "sip:192.0.2.10", register, &[]);
    scene.far.respond(&mut scene.office, scene.hub, &registered, 200, "");
    scene.near.expect(&scene.office, "200");
    let path = registered.header("Path");
    assert!(path.starts_with("<sip:~") && path.ends_with("@192.0.2.5:5060;lr;ob>"), "{path}");
    // The registrar sends by it.
    let mut leg = scene.far.leg("sip:bob@10.0.0.7:5060;ob");
    let (hub, rows) = (scene.hub, format!("{}Route: {path}\r\n", scene.far.contact()));
    let invite = scene.far.request(&mut leg, "INVITE", &rows, b"");
    scene.far.send(&mut scene.office, hub, &invite);
    scene.office.pause();
    let heard = scene.near.expect(&scene.office, "INVITE");
    assert_eq!((heard.uri(), heard.rows("Route").len()), ("sip:bob@10.0.0.7:5060;ob".into(), 0));
    scene.near.accept(&mut scene.office, hub, &heard, "t", b"");
    scene.office.pause();
    scene.far.expect(&scene.office, "200");
    // The dialog leads over it as well.
    leg.remote.push_str(";tag=t");
    let bye = format!("Route: {}\r\n", heard.header("Record-Route"));
    let bye = scene.far.request(&mut leg, "BYE", &bye, b"");
    scene.far.send(&mut scene.office, hub, &bye);
    scene.office.pause();
    let bye = scene.near.expect(&scene.office, "BYE");
    scene.near.respond(&mut scene.office, hub, &bye, 200, "");
    // One that was tampered with leads nowhere.
    scene.far.hear(&scene.office);
    let forged = format!("Route: {}\r\n", path.replacen(&path[8..12], "AAAA", 1));
    let forged = scene.far.request(&mut leg, "MESSAGE", &forged, b"");
    scene.far.send(&mut scene.office, hub, &forged);
    scene.office.pause();
    assert_eq!(scene.far.kinds(&scene.office), "403");
    scene.near.hear(&scene.office);
    // Who can't speak of Path gets none, and neither does who is behind another server a token.
    let plain = scene.passed("REGISTER", "sip:192.0.2.10", "Contact: <sip:bob@10.0.0.7:5060>\r\n", &[]);
    assert!(plain.rows("Path").is_empty());
    scene.far.respond(&mut scene.office, scene.hub, &plain, 200, "");
    scene.near.hear(&scene.office);
    let behind = "Supported: path\r\nVia: SIP/2.0/UDP 192.0.2.30;branch=z9hG4bKedge\r\n";
    let behind = scene.passed("REGISTER", "sip:192.0.2.10", behind, &[]);
    assert_eq!(behind.header("Path"), "<sip:192.0.2.5:5060;lr>");
}

/// RFC 3325 §5: who is not trusted asserts nobody's identity.
#[test]
fn a_stranger_asserts_no_identity() {
    let rows = "P-Asserted-Identity: <sip:boss@example.com>\r\n";
    let heard = Scene::new().passed("MESSAGE", FAR, rows, &[]);
    assert!(heard.rows("P-Asserted-Identity").is_empty(), "{}", heard.text());
    let config = Config::new(1).with_ladder(500).with_check();
    let office = Office::with(config, |config| config.trust_asserted_identity = true);
    let hub = office.hub;
    let mut scene = Scene { office, hub, near: Wire::new("192.0.2.9:5060"), far: Wire::new("192.0.2.10:5060") };
    let heard = scene.passed("MESSAGE", FAR, rows, &[]);
    assert_eq!(heard.rows("P-Asserted-Identity"), ["<sip:boss@example.com>"]);
}
