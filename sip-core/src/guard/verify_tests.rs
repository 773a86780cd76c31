//! A client answers challenges; what it answers is judged, as it is and spoiled.

use super::*;
use crate::digest::{Answer, Terms, ha1_md5, ha1_sha256, write_authorization};
use crate::guard::{Arrays, Config, Memory, NewChallenge};
use crate::message::{Challenge, Method, Writer};
use crate::time::Duration;
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

const REALM: &[u8] = b"example.com";
const EPOCH: u64 = 1_700_000_000;

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn source(last: u8) -> Address {
    Address::v4(core::net::Ipv4Addr::new(192, 0, 2, last), 5060)
}

struct Server {
    guard: Guard,
    memory: Arrays<4, 16>,
    known: Secrets<'static>,
}

impl Server {
    fn start(now: Instant, seed: u8) -> Self {
        let mut guard = Guard::ZERO;
        guard.start(now, &Config { epoch: EPOCH, ..Config::new(b"the secret of the tests") }, [seed; 16]);
        let known = Secrets {
            password: None,
            md5: Some(ha1_md5(b"bob", REALM, b"zanzibar")),
            sha256: Some(ha1_sha256(b"bob", REALM, b"zanzibar")),
        };
        Self { guard, memory: Arrays::new(), known }
    }

    fn judge_from(&mut self, now: Instant, text: &[u8], from: Address) -> Verdict {
        let request = Message::parse(text).unwrap();
        let Some(claim) = claim(&request, REALM, false) else { return Verdict::Challenge { stale: false } };
        let secrets = Some(self.known).filter(|_| claim.username == b"bob");
        self.guard.verify(now, &mut self.memory.parts(), &request, Sender::at(from), &claim, secrets.as_ref())
    }

    fn judge(&mut self, now: Instant, text: &[u8]) -> Verdict {
        self.judge_from(now, text, source(1))
    }

    fn challenge_for(&mut self, now: Instant, to: Address) -> NewChallenge {
        self.guard.challenge(now, to, REALM, false, false)
    }

    fn challenge(&mut self, now: Instant) -> NewChallenge {
        self.challenge_for(now, source(1))
    }
}

/// A client that answers a challenge.
#[derive(Clone)]
struct Client {
    user: &'static str,
    password: &'static str,
    algorithm: Algorithm,
    uri: &'static str,
    nc: u32,
    rows: Vec<u8>,
}

impl Client {
    fn new(challenge: &NewChallenge) -> Self {
        let mut rows = std::vec![0; 1000];
        let mut w = Writer::new(&mut rows);
        challenge.write(&mut w, REALM);
        let length = w.finish().unwrap();
        rows.truncate(length);
        Self { user: "bob", password: "zanzibar", algorithm: Algorithm::Sha256, uri: "sip:example.com", nc: 1, rows }
    }

    fn request(&self) -> Vec<u8> {
        let response = [
            &b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
            To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"[..],
            &self.rows,
            b"\r\n",
        ]
        .concat();
        let response = Message::parse(&response).unwrap();
        let offered: Vec<Challenge<'_>> = response.challenges().collect();
        assert_eq!(offered.iter().map(|one| one.algorithm).collect::<Vec<_>>(), [Algorithm::Sha256, Algorithm::Md5]);
        let chosen = offered.iter().find(|one| one.algorithm == self.algorithm).unwrap();
        let mut text = std::vec![0; 2000];
        let mut w = Writer::new(&mut text);
        w.raw(
            b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
            From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n",
        );
        let answer = Answer {
            username: self.user.as_bytes(),
            secret: Secret::Password(self.password.as_bytes()),
            method: Method::Register,
            uri: self.uri.as_bytes(),
            nc: self.nc,
            cnonce: b"0123456789abcdef",
            body: b"",
        };
        assert!(write_authorization(&mut w, &Terms::from(chosen), &answer));
        w.finish_without_body();
        let length = w.finish().unwrap();
        text.truncate(length);
        text
    }
}

#[test]
fn what_is_right_is_good_with_either_algorithm() {
    let mut server = Server::start(at(0), 1);
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let challenge = server.challenge(at(10));
        let client = Client { algorithm, ..Client::new(&challenge) };
        assert!(matches!(server.judge(at(11), &client.request()), Verdict::Good(_)), "{algorithm:?}");
    }
    // What was computed for one URI is not taken for another.
    for uri in ["sip:example.com;a", "sip:example.com;b", "sip:example.com;a"] {
        let client = Client { uri, ..Client::new(&server.challenge(at(12))) };
        assert!(matches!(server.judge(at(12), &client.request()), Verdict::Good(_)), "{uri}");
    }
    // A password instead of its hashes.
    server.known = Secrets { password: Some(b"zanzibar"), ..Secrets::default() };
    let client = Client::new(&server.challenge(at(12)));
    assert!(matches!(server.judge(at(13), &client.request()), Verdict::Good(_)));
}

#[test]
fn later_nonces_and_later_counts_are_later() {
    let mut server = Server::start(at(0), 1);
    let (first, second) = (server.challenge(at(10)), server.challenge(at(10)));
    let mut last = NonceOrder::ZERO;
    for (challenge, nc) in [(first, 1), (first, 2), (second, 1)] {
        let Verdict::Good(order) = server.judge(at(11), &Client { nc, ..Client::new(&challenge) }.request()) else {
            panic!("{nc}");
        };
        assert!(order > last);
        last = order;
    }
}

/// Fault 20 of others: a nonce that is used again, or is too old, with the right digest is no attack, and no reason to ask for a password.
#[test]
fn right_with_a_nonce_that_cannot_be_used_is_stale() {
    let mut server = Server::start(at(0), 1);
    let client = Client::new(&server.challenge(at(10)));
    let request = client.request();
    assert!(matches!(server.judge(at(10), &request), Verdict::Good(_)));
    let stale = Verdict::Challenge { stale: true };
    // Replayed; a client whose count stays at one does the same, as often as it likes.
    for _ in 0..100 {
        assert_eq!(server.judge(at(11), &request), stale);
    }
    assert!(matches!(server.judge(at(310), &Client { nc: 2, ..client.clone() }.request()), Verdict::Good(_)));
    assert_eq!(server.judge(at(312), &Client { nc: 3, ..client.clone() }.request()), stale);
    // A nonce that was never one of ours.
    let other = Server::start(at(0), 1).guard.challenge(at(10), source(1), b"elsewhere", false, false);
    assert_eq!(server.judge(at(313), &Client::new(&other).request()), stale);
    let client = Client::new(&server.guard.challenge(at(314), source(1), REALM, false, true));
    assert!(client.rows.windows(10).any(|row| row == b"stale=true"));
    assert!(matches!(server.judge(at(314), &client.request()), Verdict::Good(_)));
}

#[test]
fn a_restart_asks_nobody_for_a_password_and_takes_nothing_twice() {
    let mut before = Server::start(at(0), 1);
    let client = Client::new(&before.challenge(at(10)));
    let Verdict::Good(order) = before.judge(at(11), &client.request()) else { panic!() };
    let captured = Client { nc: 2, ..client.clone() }.request();
    let Verdict::Good(last) = before.judge(at(12), &captured) else { panic!() };
    assert!(last > order);

    let stale = Verdict::Challenge { stale: true };
    let mut after = Server::start(at(20), 2);
    assert_eq!(after.judge(at(21), &captured), stale);
    assert_eq!(after.judge(at(21), &Client { nc: 3, ..client.clone() }.request()), stale);

    // Where a record tells how far the nonce was used, its next count is good.
    let mut after = Server::start(at(20), 2);
    after.guard.restore(at(20), &mut after.memory.parts(), REALM, b"bob", last);
    assert_eq!(after.judge(at(21), &captured), stale);
    assert!(matches!(after.judge(at(21), &Client { nc: 3, ..client }.request()), Verdict::Good(_)));
}

#[test]
fn a_clock_that_is_set_back_issues_no_nonce_that_is_stale_at_once() {
    let mut server = Server::start(at(1000), 1);
    let order = NonceOrder { issued: EPOCH as u32 + 5000, counter: 9, count: 1 };
    server.guard.restore(at(1000), &mut server.memory.parts(), REALM, b"bob", order);
    let client = Client::new(&server.challenge(at(1001)));
    assert!(
        matches!(server.judge(at(1002), &client.request()), Verdict::Good(order) if order.issued >= EPOCH as u32 + 5000)
    );
}

#[test]
fn what_a_digest_needs_is_asked_for() {
    let mut server = Server::start(at(0), 1);
    let request = String::from_utf8(Client::new(&server.challenge(at(10))).request()).unwrap();
    for (from, to) in [
        (", qop=auth", ""),
        (", qop=auth", ", qop=auth-int"),
        (", nc=00000001", ""),
        (", nc=00000001", ", nc=1"),
        (", nc=00000001", ", nc=+0000001"),
        (", cnonce=\"0123456789abcdef\"", ""),
        ("realm=\"example.com\"", "realm=\"example.org\""),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=SHA-1"),
        ("Authorization: Digest", "Authorization: Basic"),
        ("Authorization: Digest", "Proxy-Authorization: Digest"),
    ] {
        let spoiled = request.replace(from, to);
        assert_ne!(spoiled, request);
        assert_eq!(server.judge(at(10), spoiled.as_bytes()), Verdict::Challenge { stale: false }, "{from} {to}");
    }
    assert!(matches!(server.judge(at(10), request.as_bytes()), Verdict::Good(_)), "nothing of it was counted or used");
}

#[test]
fn credentials_for_another_uri_are_refused() {
    let mut server = Server::start(at(0), 1);
    let client = Client::new(&server.challenge(at(10)));
    for uri in ["sip:alice@example.com", "sips:example.com", "sip:example.com:5070", "example.com", ""] {
        let client = Client { uri, ..client.clone() };
        assert_eq!(server.judge(at(10), &client.request()), Verdict::Misdirected, "{uri}");
    }
    // What a server on the way adds to a Request-URI, or leaves out, are parameters.
    let client = Client { uri: "sip:EXAMPLE.com;transport=udp", ..client };
    assert!(matches!(server.judge(at(10), &client.request()), Verdict::Good(_)));
}

#[test]
fn wrong_digests_lock_out_their_source_and_who_has_proven_nothing() {
    let mut server = Server::start(at(0), 1);
    let proven = Client::new(&server.challenge_for(at(10), source(9)));
    assert!(matches!(server.judge_from(at(10), &proven.request(), source(9)), Verdict::Good(_)));
    let challenge = server.challenge(at(10));
    let wrong = Client { password: "guess", ..Client::new(&challenge) };
    let unknown = Client { user: "mallory", ..wrong.clone() };
    for _ in 0..10 {
        assert_eq!(server.judge(at(10), &wrong.request()), Verdict::Wrong);
        assert_eq!(server.judge(at(10), &unknown.request()), Verdict::Unknown);
    }
    // The source is locked out for whatever it tries, and the user for who is not known to be the user.
    let right = Client::new(&challenge);
    assert_eq!(server.judge(at(10), &right.request()), Verdict::Locked);
    let elsewhere = Client::new(&server.challenge_for(at(10), source(2)));
    assert_eq!(server.judge_from(at(10), &elsewhere.request(), source(2)), Verdict::Locked);
    let stranger = Client { user: "mallory", ..elsewhere.clone() };
    assert_eq!(server.judge_from(at(10), &stranger.request(), source(2)), Verdict::Locked);
    let again = Client { nc: 2, ..proven };
    assert!(matches!(server.judge_from(at(10), &again.request(), source(9)), Verdict::Good(_)));
    // Where he is known to be he is heard, and so is another user there.
    let text = elsewhere.request();
    let request = Message::parse(&text).unwrap();
    let claimed = claim(&request, REALM, false).unwrap();
    let sender = Sender { address: source(2), is_known: &|| true };
    let known = Some(server.known);
    let verdict = server.guard.verify(at(10), &mut server.memory.parts(), &request, sender, &claimed, known.as_ref());
    assert!(matches!(verdict, Verdict::Good(_)));
    // Time heals it.
    let later = at(10) + Duration::from_secs(300);
    assert!(matches!(server.judge(later, &right.request()), Verdict::Good(_)));
}

/// Twenty-five REGISTERs in her name, with made-up nonces or with the sender's own, lock nobody out; and they are no way to guess:
/// the answer is the same to a right password.
#[test]
fn what_comes_in_anothers_name_is_neither_counted_nor_judged() {
    let mut server = Server::start(at(0), 1);
    let own = server.challenge_for(at(10), source(66));
    let made_up = Server::start(at(0), 9).guard.challenge(at(10), source(1), b"other", false, false);
    let stale = Verdict::Challenge { stale: true };
    for challenge in [own, made_up] {
        for _ in 0..100 {
            for (user, password) in [("bob", "guess"), ("bob", "zanzibar"), ("nobody", "guess")] {
                let forged = Client { user, password, ..Client::new(&challenge) };
                assert_eq!(server.judge(at(10), &forged.request()), stale, "{user} {password}");
            }
        }
    }
    let right = Client::new(&server.challenge(at(10)));
    assert!(matches!(server.judge(at(10), &right.request()), Verdict::Good(_)));
}

/// A server that was started again with its clock an hour back takes nothing that was used before, when its time comes again.
#[test]
fn a_clock_that_was_set_back_makes_no_nonce_good_again() {
    let mut before = Server::start(at(7200), 1);
    let client = Client::new(&before.challenge(at(7210)));
    assert!(matches!(before.judge(at(7210), &client.request()), Verdict::Good(_)));
    let mut after = Server::start(at(3600), 2);
    for now in [3601, 7209, 7211, 7400] {
        assert_eq!(after.judge(at(now), &client.request()), Verdict::Challenge { stale: true }, "{now}");
    }
}

/// Where users are kept with passwords, one that is not known takes as long: its password is hashed too.
#[test]
fn an_unknown_user_takes_as_long_as_one_who_is_known() {
    let hashed = |secrets: &Secrets<'_>, passwords| {
        let of = |secrets| matches!(secret_for(Algorithm::Sha256, secrets, passwords), (_, Secret::Password(_)));
        (of(Some(secrets)), of(None))
    };
    let mut server = Server::start(at(0), 1);
    assert_eq!(hashed(&server.known, server.guard.has_passwords), (false, false));
    server.known = Secrets { password: Some(b"zanzibar"), ..Secrets::default() };
    let client = Client::new(&server.challenge(at(10)));
    assert!(matches!(server.judge(at(10), &client.request()), Verdict::Good(_)));
    assert_eq!(hashed(&server.known, server.guard.has_passwords), (true, true));
}

#[test]
fn of_two_credentials_the_stronger_are_judged() {
    let mut server = Server::start(at(0), 1);
    let challenge = server.challenge(at(10));
    let sha = String::from_utf8(Client::new(&challenge).request()).unwrap();
    let md5 = Client { algorithm: Algorithm::Md5, password: "old", ..Client::new(&challenge) }.request();
    let md5 = String::from_utf8(md5).unwrap();
    let row = md5.lines().find(|line| line.starts_with("Authorization")).unwrap();
    let both = sha.replace("CSeq:", &std::format!("{row}\r\nCSeq:"));
    assert!(matches!(server.judge(at(10), both.as_bytes()), Verdict::Good(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Credentials of which anything that counts is changed are never good.
    #[test]
    fn nothing_that_was_changed_is_good(place in 0_usize..10_000, octet: u8, now in 10_u64..1000) {
        let mut server = Server::start(at(0), 1);
        let request = Client::new(&server.challenge(at(10))).request();
        let start = request.windows(14).position(|at| at == b"Authorization:").unwrap();
        let length = request[start..].iter().position(|octet| *octet == b'\r').unwrap();
        let mut changed = request.clone();
        changed[start + place % length] = octet;
        if Message::parse(&changed).is_ok() && what_counts(&changed) != what_counts(&request) {
            let verdict = server.judge(at(now), &changed);
            prop_assert!(!matches!(verdict, Verdict::Good(_)), "{verdict:?}");
        }
    }

    /// Whatever stands in the row, judging it ends.
    #[test]
    fn whatever_stands_there_is_judged(value in "Digest ([a-z0-9-]{1,9}=(\"[ -~]{0,20}\"|[a-z0-9]{0,9}),? ?){0,12}") {
        let mut server = Server::start(at(0), 1);
        let request = std::format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
            From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
            Authorization: {value}, realm=\"example.com\"\r\nContent-Length: 0\r\n\r\n"
        );
        if Message::parse(request.as_bytes()).is_ok() {
            prop_assert!(!matches!(server.judge(at(1), request.as_bytes()), Verdict::Good(_)));
        }
    }
}

/// What of the first credentials a digest is made of.
fn what_counts(request: &[u8]) -> Option<Vec<Vec<u8>>> {
    let request = Message::parse(request).unwrap();
    let one = request.credentials().next()?;
    let (qop, response) = (one.qop.map(<[u8]>::to_ascii_lowercase), one.response.to_ascii_lowercase());
    let texts = [one.username, one.realm, one.nonce, one.uri, &response, one.algorithm.as_bytes()];
    let optional = [one.cnonce.map(<[u8]>::to_vec), qop, one.nc.map(<[u8]>::to_vec)];
    Some(texts.iter().map(|text| text.to_vec()).chain(optional.into_iter().map(Option::unwrap_or_default)).collect())
}
