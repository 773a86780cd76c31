//! `phone serve`, `phone users` and `phone bindings`: phones that register, call each other, and find their server again.
//!
//! Covers two phones of one user, a server that is killed and started again, users read again, and what is told of a wrong
//! file. Not here: other makers' phones (`tests/lab/tests/interop/server.rs`), what a proxy and a registrar do message by
//! message, which `sip-core` tests in virtual time.

use crate::process::{Phone, answer, run, silent_peer, start, start_with};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A directory with a file of users.
pub(crate) struct Office {
    directory: PathBuf,
}

impl Office {
    fn new(users: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("phone-serve-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let office = Self { directory };
        for (name, password) in users {
            office.add(name, password);
        }
        office
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn add(&self, name: &str, password: &str) {
        let users = self.path("users.toml");
        let args = ["users", "add", name, "--domain", "example.com", "--password", password, "--users"];
        run(&[&args[..], &[text(&users)]].concat()).expect(0);
    }

    /// A server at a port, 0 for a free one; the server and where it listens.
    pub(crate) fn serve(&self, port: u16, options: &[&str]) -> (Phone, String) {
        let (listen, users, store) = (format!("127.0.0.1:{port}"), self.path("users.toml"), self.path("bindings.redb"));
        let mut args = vec!["serve", "--listen", &listen, "--domain", "example.com", "--users", text(&users)];
        args.extend(["--store", text(&store)]);
        args.extend(options);
        let mut server = start(&args);
        let line = server.wait_for("listening at ");
        let place = line.rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(place.parse::<SocketAddr>().is_ok(), "{line}");
        (server, place)
    }

    pub(crate) fn bindings(&self) -> String {
        run(&["bindings", "--store", text(&self.path("bindings.redb"))]).expect(0).stdout
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn office() -> Office {
    Office::new(&[("alice", "wonderland"), ("bob", "builder")])
}

/// A phone of bob's that is registered.
pub(crate) fn bob(place: &str, options: &[&str]) -> Phone {
    let args = ["answer", "--register", place, "--aor", "sip:bob@example.com", "--password", "builder"];
    let mut phone = start(&[&args[..], options].concat());
    phone.wait_for("registered for ");
    phone
}

/// Alice calls bob through the server.
pub(crate) fn alice(place: &str, options: &[&str]) -> Phone {
    let args = ["call", "sip:bob@example.com", "--proxy", place, "--from", "sip:alice@example.com"];
    start(&[&args[..], &["--password", "wonderland"], options].concat())
}

#[test]
fn two_phones_of_one_user_ring_and_the_first_to_answer_wins() {
    let office = office();
    let (server, place) = office.serve(0, &[]);
    let mut slow = bob(&place, &["--ring", "20", "--count", "1"]);
    let quick = bob(&place, &["--ring", "0.5", "--count", "1", "--transport", "tcp"]);
    let bindings = office.bindings();
    assert!(bindings.contains("\n1 user registered, 2 bindings in all\n"), "{bindings}");
    let ended = alice(&place, &["--duration", "0.3"]).end().expect(0);
    assert!(ended.stdout.contains("180 Ringing") && ended.stdout.contains("BYE "), "{}", ended.stdout);
    slow.wait_for("answered elsewhere");
    let slow = slow.end().expect(0);
    assert!(slow.stdout.contains("CANCEL ") && slow.stdout.contains("487 Request Terminated"), "{}", slow.stdout);
    let quick = quick.end().expect(0);
    assert!(quick.stdout.contains("hung up by the peer"));
    // Within one host nothing is lost, and nobody stays for a repetition.
    assert!(!quick.stdout.contains("should our last message have been lost"), "{}", quick.stdout);
    server.signal("TERM");
    let told = server.end().expect(0).stdout;
    for text in [
        "sip:bob@example.com registered",
        "sip:alice@example.com calls sip:bob@example.com",
        "sip:alice@example.com to sip:bob@example.com: answered after ",
        "hung up by sip:alice@example.com",
        "1 call ended",
    ] {
        assert!(told.contains(text), "{text} in\n{told}");
    }
}

#[test]
fn a_server_that_was_killed_finds_its_phones_again() {
    let office = office();
    let (server, place) = office.serve(0, &[]);
    let phone = bob(&place, &["--count", "2"]);
    let secret = fs::read(office.path("bindings.redb.secret")).unwrap();
    alice(&place, &["--duration", "0.2"]).end().expect(0);
    server.signal("KILL");
    server.end_killed();
    assert!(office.bindings().contains("sip:bob@example.com"));
    let port = place.parse::<SocketAddr>().unwrap().port();
    let (server, again) = office.serve(port, &[]);
    assert_eq!(again, place);
    assert_eq!(fs::read(office.path("bindings.redb.secret")).unwrap(), secret);
    // Bob's phone has sent nothing since.
    alice(&place, &["--duration", "0.2"]).end().expect(0);
    phone.end().expect(0);
    // It went away when it had taken its two calls.
    assert!(!office.bindings().contains("sip:bob@example.com"));
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn who_is_not_there_is_told_at_once() {
    let office = office();
    let (mut server, place) = office.serve(0, &[]);
    let ended = alice(&place, &[]).end().expect(1);
    assert!(ended.last_line().starts_with("call refused: 480 "), "{}", ended.stdout);
    // A phone whose power failed: its port is closed, and its binding is still there.
    let phone = bob(&place, &[]);
    phone.signal("KILL");
    phone.end_killed();
    assert!(office.bindings().contains("sip:bob@example.com"));
    let ended = alice(&place, &["--json"]).end().expect(1);
    let status = ended.json()["sip_status"].as_u64();
    assert_eq!(status, Some(500), "{}", ended.stdout);
    // A 500 alone would be taken for a fault of the server.
    assert!(ended.json()["message"].as_str().unwrap().contains("(The next hop is not available)"), "{}", ended.stdout);
    assert!(ended.took.as_secs() < 10, "{:?}", ended.took);
    let told = server.wait_for("500 Server Internal Error");
    assert!(told.ends_with(" (The next hop is not available)"), "{told}");
}

/// A name that a user calls is asked for where the command line says.
#[test]
fn the_server_asks_the_name_server_of_the_command_line() {
    let office = office();
    let (names, dns) = silent_peer();
    names.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (_server, place) = office.serve(0, &["--dns", &dns]);
    let args = ["call", "sip:carol@nobody.example", "--proxy", &place, "--from", "sip:alice@example.com"];
    let _caller = start(&[&args[..], &["--password", "wonderland"]].concat());
    let mut query = [0; 600];
    let length = names.recv(&mut query).unwrap();
    assert!(query[..length].windows(15).any(|part| part == b"\x06nobody\x07example"), "{:?}", &query[..length]);
}

/// How many of so many connections from here a server keeps open: who is let in gets an answer to a keep-alive.
fn let_in(place: &str, count: usize) -> usize {
    let mut connections: Vec<_> = (0..count).map(|_| TcpStream::connect(place).unwrap()).collect();
    let mut answered = 0;
    for connection in &mut connections {
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut pong = [0; 2];
        let pinged = connection.write_all(b"\r\n\r\n").and_then(|()| connection.read_exact(&mut pong));
        answered += usize::from(pinged.is_ok() && pong == *b"\r\n");
    }
    answered
}

/// An office behind one NAT is one source.
#[test]
fn one_source_has_a_share_of_the_connections_that_can_be_configured() {
    let office = office();
    let (_usual, place) = office.serve(0, &["--connections", "8"]);
    assert_eq!(let_in(&place, 6), 2);
    let options = ["serve", "--stateless", "--listen", "127.0.0.1:0", "--connections", "8", "--per-source", "5"];
    let mut server = start(&options);
    let place = server.wait_for("listening at ").rsplit(' ').next().unwrap_or_default().to_owned();
    assert_eq!(let_in(&place, 6), 5);
}

/// The binding of a connection ends with it, so its caller need not wait for anything.
#[test]
fn a_connection_that_is_lost_takes_its_binding_with_it() {
    let office = office();
    let (mut server, place) = office.serve(0, &[]);
    let phone = bob(&place, &["--transport", "tcp"]);
    assert!(office.bindings().contains("transport=tcp"), "{}", office.bindings());
    phone.signal("KILL");
    phone.end_killed();
    server.wait_for("sip:bob@example.com left ");
    assert!(!office.bindings().contains("sip:bob"), "{}", office.bindings());
    let ended = alice(&place, &["--json"]).end().expect(1);
    assert_eq!(ended.json()["sip_status"], 480, "{}", ended.stdout);
}

#[test]
fn the_password_of_a_user_is_taken_from_the_environment_and_never_written() {
    let office = office();
    let users = office.path("users.toml");
    let args = ["users", "add", "bob", "--domain", "example.com", "--users", text(&users)];
    start_with(&args, &[("SIP_PASSWORD", "another")]).end().expect(0);
    assert!(!fs::read_to_string(&users).unwrap().contains("another"));
    let (_server, place) = office.serve(0, &[]);
    let register = |password| {
        let args = ["register", "--registrar", &place, "--aor", "sip:bob@example.com", "--password", password];
        run(&args).status
    };
    assert_eq!((register("another"), register("builder")), (0, 1));
}

#[test]
fn a_stateless_server_passes_on_what_its_route_leads_through() {
    let mut server = start(&["serve", "--stateless", "--listen", "127.0.0.1:0"]);
    let place = server.wait_for("listening at ").rsplit(' ').next().unwrap_or_default().to_owned();
    let (phone, there) = answer(&["--count", "1"]);
    let callee = format!("sip:bob@{there}");
    let ended = run(&["call", &callee, "--proxy", &place, "--duration", "0.2"]).expect(0);
    assert!(ended.stdout.contains("180 Ringing"), "{}", ended.stdout);
    phone.end().expect(0);
    server.signal("TERM");
    let told = server.end().expect(0);
    // It keeps nothing of what passes, and so tells nothing of it.
    assert_eq!(told.last_line(), "stopped with 0 bindings, 0 calls ended");
}

/// Two addresses of one server: who is registered by the one is called by the other.
#[test]
fn a_server_listens_at_several_addresses() {
    let office = office();
    let (mut server, first) = office.serve(0, &["--listen", "127.0.0.1:0"]);
    let second = server.wait_for("listening at ").rsplit(' ').next().unwrap_or_default().to_owned();
    assert_ne!(first, second);
    let phone = bob(&second, &["--count", "1"]);
    let ended = alice(&first, &["--duration", "0.2"]).end().expect(0);
    assert!(ended.last_line().starts_with("call ended after"), "{}", ended.stdout);
    phone.end().expect(0);
}

#[test]
fn a_wrong_password_and_a_wrong_name_are_refused_alike() {
    let office = office();
    let (_server, place) = office.serve(0, &[]);
    for (user, password) in [("bob", "wrong"), ("nobody", "builder"), ("alice", "wonderland")] {
        let args = ["register", "--registrar", &place, "--aor", "sip:bob@example.com"];
        let ended = run(&[&args[..], &["--user", user, "--password", password, "--json"]].concat()).expect(1);
        assert_eq!(ended.json()["outcome"], "refused", "{user}");
    }
    assert!(!office.bindings().contains("bob"));
}

/// An address is a domain like another, though the server is at another port than the usual one and the URI names none.
#[test]
fn phones_register_at_a_domain_that_is_an_address() {
    let office = Office::new(&[]);
    let users = office.path("users.toml");
    let domain = ["--domain", "127.0.0.1", "--users", text(&users)];
    run(&[&["users", "add", "bob", "--password", "builder"][..], &domain].concat()).expect(0);
    let mut server = start(&[&["serve", "--listen", "127.0.0.1:0"][..], &domain].concat());
    let line = server.wait_for("listening at ");
    let place = line.rsplit(' ').next().unwrap_or_default();
    for aor in ["sip:bob@127.0.0.1".to_owned(), format!("sip:bob@{place}")] {
        let args = ["register", "--registrar", place, "--aor", &aor, "--password", "builder"];
        run(&args).expect(0);
    }
    let args = ["register", "--registrar", place, "--aor", "sip:bob@127.0.0.2", "--password", "builder"];
    run(&args).expect(1);
}

#[test]
fn users_are_read_again_without_a_restart() {
    let office = office();
    let (mut server, place) = office.serve(0, &[]);
    let carol = |status| {
        let args = ["register", "--registrar", &place, "--aor", "sip:carol@example.com", "--password", "mirror"];
        run(&args).expect(status)
    };
    carol(1);
    office.add("carol", "mirror");
    server.signal("HUP");
    server.wait_for("3 users");
    carol(0);
    // A wrong file changes nothing, and is told.
    fs::write(office.path("users.toml"), "[[user]]\nname = \"carol\"\ndomain = \"example.com\"\nmd5 = \"12\"\n")
        .unwrap();
    server.signal("HUP");
    let told = server.wait_for("users.toml:4:");
    assert!(told.contains("32 hexadecimal digits"), "{told}");
    carol(0);
}

#[test]
fn a_wrong_line_of_the_users_is_named_with_its_number() {
    let office = office();
    let users = office.path("users.toml");
    let mut lines = fs::read_to_string(&users).unwrap();
    assert!(!lines.contains("builder") && !lines.contains("wonderland"), "{lines}");
    let wrong = lines.lines().count() + 1;
    lines.push_str("password = \"builder\"\n");
    fs::write(&users, &lines).unwrap();
    for args in [
        ["serve", "--listen", "127.0.0.1:0", "--domain", "example.com", "--users", text(&users)].as_slice(),
        &["users", "add", "dan", "--domain", "example.com", "--password", "x", "--users", text(&users)],
    ] {
        let told = run(args).expect(2);
        assert!(told.last_line().contains(&format!("users.toml:{wrong}: ")), "{}", told.stdout);
    }
    assert_eq!(fs::read_to_string(&users).unwrap(), lines);
}

#[test]
fn a_redirect_server_says_where_somebody_is() {
    let office = office();
    let (mut server, place) = office.serve(0, &["--redirect"]);
    let _phone = bob(&place, &[]);
    let ended = alice(&place, &["--json"]).end().expect(1);
    let result = ended.json();
    assert_eq!(result["sip_status"], 302, "{result}");
    assert!(result["contact"][0].as_str().is_some_and(|contact| contact.contains("sip:bob@127.0.0.1")), "{result}");
    server.wait_for("sip:alice@example.com to sip:bob@example.com: 302");
    // It passes nothing on, and so nothing to other domains.
    let args = ["call", "sip:carol@127.0.0.1:9", "--proxy", &place, "--from", "sip:alice@example.com"];
    let ended = run(&[&args[..], &["--password", "wonderland", "--json"]].concat()).expect(1);
    assert_eq!(ended.json()["sip_status"], 403, "{}", ended.stdout);
    server.wait_for("403, it is for another domain");
}

#[test]
fn users_are_listed_and_removed_and_a_removed_ones_phones_go() {
    let office = office();
    let users = office.path("users.toml");
    let listed =
        |office: &Office| run(&["users", "list", "--users", text(&office.path("users.toml"))]).expect(0).stdout;
    assert!(listed(&office).starts_with("alice@example.com (MD5, SHA-256)\nbob@example.com "), "{}", listed(&office));
    let (mut server, place) = office.serve(0, &[]);
    let _phone = bob(&place, &[]);
    let remove = ["users", "remove", "bob", "--domain", "example.com", "--users", text(&users)];
    run(&remove).expect(0);
    assert!(listed(&office).contains("1 user in ") && !listed(&office).contains("bob"), "{}", listed(&office));
    let told = run(&remove).expect(2);
    assert!(told.last_line().contains("bob@example.com is not in "), "{}", told.stdout);
    server.signal("HUP");
    server.wait_for("sip:bob@example.com left ");
    let ended = alice(&place, &["--json"]).end().expect(1);
    assert_eq!(ended.json()["sip_status"], 404, "{}", ended.stdout);
    assert!(!office.bindings().contains("bob"));
}

/// Each domain has its own users: who is of the second one is not looked for in the first.
#[test]
fn the_phones_of_a_further_domain_stay_when_the_users_are_read_again() {
    let office = office();
    let users = office.path("users.toml");
    let add = ["users", "add", "carol", "--domain", "example.org", "--password", "mirror", "--users", text(&users)];
    run(&add).expect(0);
    let (mut server, place) = office.serve(0, &["--domain", "example.org"]);
    let carol = ["answer", "--register", &place, "--aor", "sip:carol@example.org", "--password", "mirror"];
    let mut carol = start(&carol);
    carol.wait_for("registered for ");
    office.add("dave", "swordfish");
    server.signal("HUP");
    server.wait_for("4 users");
    assert!(office.bindings().contains("sip:carol@example.org"), "{}", office.bindings());
    let remove = ["users", "remove", "carol", "--domain", "example.org", "--users", text(&users)];
    run(&remove).expect(0);
    server.signal("HUP");
    server.wait_for("sip:carol@example.org left ");
}

#[test]
fn what_is_wrong_with_a_password_or_a_domain_is_said() {
    let office = office();
    let (_server, place) = office.serve(0, &[]);
    let args = ["register", "--registrar", &place, "--aor", "sip:bob@example.com"];
    for (more, text) in [
        (&[][..], "401 Unauthorized: a password is needed, in SIP_PASSWORD or with --password"),
        (&["--password", "wrong"], "401 Unauthorized: the password is wrong (SIP_PASSWORD, --password), or"),
    ] {
        let ended = run(&[&args[..], more].concat()).expect(1);
        assert!(ended.last_line().contains(text), "{}", ended.stdout);
        // Once is enough to be refused.
        assert!(ended.stdout.matches("REGISTER sip:").count() <= 2, "{}", ended.stdout);
    }
    let users = office.path("users.toml");
    let mut server = start(&["serve", "--listen", "127.0.0.1:0", "--domain", "example.org", "--users", text(&users)]);
    server.wait_for("no user is of example.org: nobody can register");
}

#[test]
fn registrations_and_calls_are_told_as_json() {
    let office = office();
    let (server, place) = office.serve(0, &["--json"]);
    let phone = bob(&place, &["--count", "1"]);
    alice(&place, &["--duration", "0.2"]).end().expect(0);
    phone.end().expect(0);
    server.signal("TERM");
    let ended = server.end().expect(0);
    let lines: Vec<serde_json::Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| lines.iter().find(|line| line["event"] == name);
    let registered = named("registered").unwrap();
    assert_eq!((&registered["aor"], &registered["expires"]), (&"sip:bob@example.com".into(), &300.into()));
    let call = named("call").unwrap();
    assert_eq!((&call["from"], &call["to"]), (&"sip:alice@example.com".into(), &"sip:bob@example.com".into()));
    assert_eq!(named("finished").unwrap()["sip_status"], 200, "{}", ended.stdout);
    let over = named("ended").unwrap();
    assert!(over["call_id"] == call["call_id"] && over["call_ms"].as_u64().is_some_and(|ms| ms >= 150), "{over}");
    assert!(named("removed").is_some(), "{}", ended.stdout);
    assert_eq!(lines.last().unwrap()["scope"], "result");
}
