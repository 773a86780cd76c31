//! Challenges: what is answered, how, and when it is given up.
//!
//! Covers RFC 3261 §22, RFC 7616 §3.3-§3.4, RFC 8760 §2.4, field notes 14 (a new nonce in the place of an earlier request's is one more try), 15
//! (SHA-256 first, unknown algorithms), 16 (INVITE, 401, ACK) and B (quotes, odd algorithms), RFC 7616 §3.5
//! (Authentication-Info). userhash is not offered by this stack; the digests themselves are tested with digest/ in the core.

use sip_core::digest::{Algorithm, Inputs, Secret, response};
use sip_core::message::{Credentials, Method};
use sip_core::ua::{Cause, Config, Content, Event, RegistrationCause};
use sip_testkit::{ANSWER, Heard, NodeId, Phones, Wire};

const PASSWORD: &[u8] = b"se\"cret\\";

fn phone(seed: u64, change: impl FnOnce(&mut Config<'_>)) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    let password = str::from_utf8(PASSWORD).unwrap();
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", password)).unwrap();
    (phones, alice, Wire::new("192.0.2.9:5060"))
}

/// Registers and gives the first REGISTER.
fn registering(phones: &mut Phones, alice: NodeId, wire: &mut Wire) -> Heard {
    phones.act(alice, |phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 600)).unwrap();
    wire.expect(phones, "REGISTER")
}

/// Checks every credential of a request as its server would; `realm nc` of each, in order.
fn verified(request: &Heard) -> Vec<(String, String)> {
    let message = request.message();
    let (method, uri) = (message.method(), message.request_uri().unwrap());
    let check = |given: Credentials<'_>| {
        assert_eq!((given.username, given.uri), (&b"alice"[..], uri));
        let inputs = Inputs {
            algorithm: given.algorithm,
            username: given.username,
            realm: given.realm,
            secret: Secret::Password(PASSWORD),
            nonce: given.nonce,
            method: if method == Method::Ack { b"INVITE" } else { method.as_bytes() },
            uri: given.uri,
            cnonce: given.cnonce.unwrap_or_default(),
            nc: given.nc,
            body: (given.qop == Some(b"auth-int")).then_some(message.body()),
        };
        let computed = response(&inputs).expect("an algorithm that is supported");
        assert!(computed.matches(given.response), "{}", request.text());
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (text(given.realm), text(given.nc.unwrap_or_default()))
    };
    message.credentials().map(check).collect()
}

fn pairs(list: &[(&str, u32)]) -> Vec<(String, String)> {
    list.iter().map(|(realm, nc)| ((*realm).to_owned(), format!("{nc:08x}"))).collect()
}

fn challenge(realm: &str, nonce: &str, more: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n")
}

fn algorithm(request: &Heard) -> Algorithm {
    let message = request.message();
    message.credentials().next().expect("credentials").algorithm
}

#[test]
fn a_register_is_answered_with_the_algorithm_of_the_challenge() {
    for (more, expected) in [
        ("", Algorithm::Md5),
        (", algorithm=MD5", Algorithm::Md5),
        (", algorithm=md5-sess", Algorithm::Md5Sess),
        (", algorithm=SHA-256, opaque=\"o, p\"", Algorithm::Sha256),
        (", algorithm=SHA-256-sess", Algorithm::Sha256Sess),
    ] {
        let (mut phones, alice, mut wire) = phone(1, |_| {});
        let first = registering(&mut phones, alice, &mut wire);
        wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", more));
        let second = wire.expect(&phones, "REGISTER");
        assert_eq!(verified(&second), pairs(&[("r", 1)]));
        assert_eq!(algorithm(&second), expected);
        assert_eq!((second.seq(), second.header("Call-ID")), (first.seq() + 1, first.header("Call-ID")));
        assert_eq!(second.header("From"), first.header("From"));
        assert_ne!(second.branch(), first.branch());
        assert_eq!(second.text().contains("opaque=\"o, p\""), more.contains("opaque"));
    }
}

#[test]
fn a_challenge_without_qop_gets_the_answer_of_rfc_2069() {
    let (mut phones, alice, mut wire) = phone(2, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 401, "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\r\n");
    let second = wire.expect(&phones, "REGISTER");
    assert_eq!(verified(&second), [("r".into(), String::new())]);
    assert!(!second.text().contains("cnonce"));
}

#[test]
fn of_several_challenges_the_strongest_supported_one_counts() {
    let (sha, md5) = (challenge("r", "s", ", algorithm=SHA-256"), challenge("r", "m", ", algorithm=MD5"));
    let unknown = challenge("r", "u", ", algorithm=SHA-512-256");
    let basic = "WWW-Authenticate: Basic realm=\"r\"\r\n";
    for (rows, expected) in [
        (format!("{sha}{md5}"), Algorithm::Sha256),
        (format!("{md5}{sha}"), Algorithm::Sha256),
        (format!("{unknown}{md5}"), Algorithm::Md5),
        (format!("{basic}{unknown}{sha}{md5}"), Algorithm::Sha256),
    ] {
        let (mut phones, alice, mut wire) = phone(3, |_| {});
        let first = registering(&mut phones, alice, &mut wire);
        wire.respond(&mut phones, alice, &first, 401, &rows);
        let second = wire.expect(&phones, "REGISTER");
        assert_eq!(verified(&second).len(), 1);
        assert_eq!(algorithm(&second), expected);
    }
}

#[test]
fn a_minimum_algorithm_passes_over_weaker_ones() {
    let (sha, md5) = (challenge("r", "s", ", algorithm=SHA-256"), challenge("r", "m", ""));
    for (rows, answered) in [(format!("{md5}{sha}"), true), (md5.clone(), false)] {
        let (mut phones, alice, mut wire) = phone(4, |config| config.minimum_algorithm = Algorithm::Sha256);
        let first = registering(&mut phones, alice, &mut wire);
        wire.respond(&mut phones, alice, &first, 401, &rows);
        if answered {
            assert_eq!(algorithm(&wire.expect(&phones, "REGISTER")), Algorithm::Sha256);
        } else {
            wire.expect_nothing(&phones);
            let cause = RegistrationCause::WeakDigest;
            let told = phones.last(alice);
            assert!(
                matches!(told, Some(Event::RegistrationFailed { status: 401, cause: c, retry_after: 0, .. }) if c == cause)
            );
        }
    }
}

#[test]
fn what_is_not_proved_by_a_weaker_algorithm_says_so_whatever_it_was_for() {
    let (weak, other) = (challenge("r", "m", ""), challenge("r", "m", ", algorithm=LATER-512"));
    // What is not known may be stronger.
    for (rows, is_weak) in [(&weak, true), (&other, false)] {
        let (mut phones, alice, mut wire) = phone(4, |config| config.minimum_algorithm = Algorithm::Sha256);
        let call = phones.call(alice, "sip:bob@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, 401, rows);
        let told = phones.last(alice);
        let expected = if is_weak { Cause::WeakDigest } else { Cause::Rejected };
        assert!(
            matches!(told, Some(Event::Ended { call: c, cause, status: 401, .. }) if c == call && cause == expected)
        );
        wire.expect(&phones, "ACK");
        let ask = |phone: &mut sip_testkit::Phone, now| {
            phone.request(now, Method::Options, "sip:bob@192.0.2.9", &Content::NONE)
        };
        let request = phones.act(alice, ask).unwrap();
        let options = wire.expect(&phones, "OPTIONS");
        wire.respond(&mut phones, alice, &options, 401, rows);
        let expected = match is_weak {
            true => Event::RequestRefused { request, cause: Cause::WeakDigest },
            false => Event::Response { request, status: 401 },
        };
        assert_eq!(phones.last(alice), Some(expected));
    }
}

#[test]
fn a_challenge_that_was_just_answered_is_answered_again_only_when_it_says_stale() {
    // (nonce and more of the second challenge, whether it is answered)
    for (nonce, more, again) in
        [("n2", ", stale=true", true), ("n2", "", false), ("n1", ", stale=FALSE", false), ("n1", "", false)]
    {
        let (mut phones, alice, mut wire) = phone(5, |_| {});
        let first = registering(&mut phones, alice, &mut wire);
        wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n1", ""));
        let second = wire.expect(&phones, "REGISTER");
        wire.respond(&mut phones, alice, &second, 401, &challenge("r", nonce, more));
        if !again {
            wire.expect_nothing(&phones);
            assert!(matches!(phones.last(alice), Some(Event::RegistrationFailed { status: 401, retry_after: 0, .. })));
            continue;
        }
        let third = wire.expect(&phones, "REGISTER");
        assert!(third.text().contains("nonce=\"n2\""));
        assert_eq!(verified(&third), pairs(&[("r", 1)]));
        assert_eq!(third.rows("Authorization").len(), 1);
    }
}

/// A nonce of an earlier request may have grown old, and many servers don't say so.
#[test]
fn a_new_nonce_in_the_place_of_an_earlier_one_is_worth_one_more_try() {
    let (mut phones, alice, mut wire, second) = challenged(21);
    wire.respond(&mut phones, alice, &second, 200, "Expires: 600\r\n");
    phones.wait(510_100);
    let refresh = wire.hear(&phones).remove(0);
    assert_eq!(verified(&refresh), pairs(&[("r", 2)]));
    wire.respond(&mut phones, alice, &refresh, 401, &challenge("r", "n2", ""));
    let again = wire.expect(&phones, "REGISTER");
    assert!(again.text().contains("nonce=\"n2\""), "{}", again.text());
    wire.respond(&mut phones, alice, &again, 401, &challenge("r", "n3", ""));
    wire.expect_nothing(&phones);
}

#[test]
fn a_server_that_always_sends_a_new_nonce_is_given_up() {
    for more in ["", ", stale=true"] {
        let (mut phones, alice, mut wire) = phone(6, |_| {});
        let mut request = registering(&mut phones, alice, &mut wire);
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 20, "no end");
            wire.respond(&mut phones, alice, &request, 401, &challenge("r", &format!("n{tries}"), more));
            match wire.hear(&phones).pop() {
                Some(next) => request = next,
                None => break,
            }
        }
        // Without stale another nonce after the credentials means a wrong password.
        assert!(if more.is_empty() { tries == 2 } else { tries <= 7 }, "{tries}");
        assert!(matches!(phones.last(alice), Some(Event::RegistrationFailed { status: 401, retry_after: 0, .. })));
    }
}

#[test]
fn two_proxies_and_a_server_get_their_answers_side_by_side_each_with_its_own_count() {
    let (mut phones, alice, mut wire) = phone(7, |_| {});
    let call = phones.call(alice, "sip:bob@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    let proxy = |realm: &str| challenge(realm, realm, "").replace("WWW-Authenticate", "Proxy-Authenticate");
    wire.respond(&mut phones, alice, &first, 407, &proxy("one"));
    let heard = wire.expect_all(&phones, &["ACK", "INVITE"]);
    assert_eq!((heard[0].branch(), heard[0].header("Proxy-Authorization")), (first.branch(), String::new()));
    let second = &heard[1];
    assert_eq!(verified(second), pairs(&[("one", 1)]));
    assert_eq!((second.seq(), second.header("Call-ID")), (first.seq() + 1, first.header("Call-ID")));
    assert_eq!((second.header("From"), second.header("To")), (first.header("From"), first.header("To")));
    assert_eq!(second.body(), first.body());
    wire.respond(&mut phones, alice, second, 407, &proxy("two"));
    let third = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
    let mut both = verified(&third);
    both.sort();
    assert_eq!(both, pairs(&[("one", 2), ("two", 1)]), "a nonce count is used once (RFC 7616 §3.4)");
    wire.accept(&mut phones, alice, &third, "wire", ANSWER);
    let ack = wire.expect(&phones, "ACK");
    assert_eq!(ack.header("Proxy-Authorization"), third.header("Proxy-Authorization"));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    let mut both = verified(&bye);
    both.sort();
    assert_eq!(both, pairs(&[("one", 3), ("two", 2)]));
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn a_401_and_a_407_in_one_response_are_both_answered() {
    let (mut phones, alice, mut wire) = phone(8, |_| {});
    phones.call(alice, "sip:bob@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    let rows = format!("{}{}", challenge("s", "1", ""), challenge("p", "2", "").replace("WWW", "Proxy"));
    wire.respond(&mut phones, alice, &first, 407, &rows);
    let second = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
    assert_eq!((second.rows("Authorization").len(), second.rows("Proxy-Authorization").len()), (1, 1));
    assert_eq!(verified(&second).len(), 2);
}

#[test]
fn quotes_and_backslashes_go_back_as_they_came() {
    let (mut phones, alice, mut wire) = phone(9, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 401, &challenge("a \\\"b\\\" \\\\c", "n\\\"", ""));
    let second = wire.expect(&phones, "REGISTER");
    assert!(second.text().contains("realm=\"a \\\"b\\\" \\\\c\", nonce=\"n\\\"\""), "{}", second.text());
    assert_eq!(verified(&second).len(), 1);
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let (mut phones, alice, mut wire) = Phones::scripted(10);
    phones.act(alice, |phone, _| phone.add_credentials("elsewhere", "alice", "secret")).unwrap();
    let call = phones.call(alice, "sip:bob@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 401, &challenge("r", "n", ""));
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status: 401 }));
    phones.settle();
}

#[test]
fn a_challenge_that_says_nothing_is_a_refusal() {
    for rows in [
        "",
        "WWW-Authenticate: Digest\r\n",
        "WWW-Authenticate: Digest ,,=,\r\n",
        "WWW-Authenticate: Digest realm=\"r\"\r\n",
    ] {
        let (mut phones, alice, mut wire) = phone(11, |_| {});
        phones.call(alice, "sip:bob@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, 401, rows);
        wire.expect(&phones, "ACK");
        assert_eq!(phones.ended(alice), [(Cause::Rejected, 401)]);
        phones.settle();
    }
}

#[test]
fn a_request_of_the_application_and_a_bye_are_answered_too() {
    let (mut phones, alice, mut wire) = phone(12, |_| {});
    let request =
        phones.act(alice, |phone, now| phone.request(now, Method::Options, "sip:192.0.2.9", &Content::NONE)).unwrap();
    let options = wire.expect(&phones, "OPTIONS");
    wire.respond(&mut phones, alice, &options, 401, &challenge("r", "n", ""));
    assert_eq!(phones.events(alice), []);
    let options = wire.expect(&phones, "OPTIONS");
    assert_eq!(verified(&options), pairs(&[("r", 1)]));
    wire.respond(&mut phones, alice, &options, 200, "");
    assert_eq!(phones.events(alice), [Event::Response { request, status: 200 }]);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 407, &challenge("r", "m", "").replace("WWW", "Proxy"));
    let again = wire.expect(&phones, "BYE");
    assert_eq!((again.seq(), verified(&again)), (bye.seq() + 1, pairs(&[("r", 1)])));
    wire.respond(&mut phones, alice, &again, 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
}

#[test]
fn the_refresh_answers_at_once_with_the_next_count() {
    let (mut phones, alice, mut wire) = phone(13, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", ""));
    let second = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &second, 423, "Min-Expires: 700\r\n");
    let third = wire.expect(&phones, "REGISTER");
    assert_eq!(verified(&third), pairs(&[("r", 2)]));
    wire.respond(&mut phones, alice, &third, 200, "Expires: 700\r\n");
    phones.wait(700_000);
    let refresh = wire.hear(&phones).remove(0);
    assert_eq!(verified(&refresh), pairs(&[("r", 3)]));
}

#[test]
fn three_realms_in_one_response_are_answered_in_one_go() {
    let (mut phones, alice, mut wire) = phone(14, |_| {});
    let call = phones.call(alice, "sip:bob@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    let proxy = |realm: &str| challenge(realm, realm, "").replace("WWW", "Proxy");
    let rows = format!("{}{}{}", proxy("one"), proxy("two"), challenge("three", "3", ""));
    wire.respond(&mut phones, alice, &first, 407, &rows);
    let second = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
    let mut all = verified(&second);
    all.sort();
    assert_eq!(all, pairs(&[("one", 1), ("three", 1), ("two", 1)]));
    wire.accept(&mut phones, alice, &second, "wire", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").text().matches("response=").count(), 3);
    // Of what follows two are answered at once, and the third when it is asked for.
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(verified(&bye).len(), 2);
    let missing = ["one", "two", "three"].into_iter().find(|realm| !bye.text().contains(&format!("realm=\"{realm}\"")));
    let missing = missing.expect("the realm that is not answered");
    let rows = if missing == "three" { challenge(missing, "4", "") } else { proxy(missing) };
    wire.respond(&mut phones, alice, &bye, 407, &rows);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(verified(&bye).len(), 3);
    wire.respond(&mut phones, alice, &bye, 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

#[test]
fn where_only_auth_int_is_offered_the_body_is_protected() {
    for (qop, expected) in [("auth-int", "auth-int"), ("auth-int,auth", "auth")] {
        let (mut phones, alice, mut wire) = phone(15, |_| {});
        phones.call(alice, "sip:bob@192.0.2.9");
        let first = wire.expect(&phones, "INVITE");
        let rows = challenge("r", "n", "").replace("\"auth\"", &format!("\"{qop}\""));
        wire.respond(&mut phones, alice, &first, 401, &rows);
        let second = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
        assert!(!second.body().is_empty());
        assert_eq!(verified(&second), pairs(&[("r", 1)]));
        assert!(second.text().contains(&format!("qop={expected},")), "{}", second.text());
    }
    // What has no body protects none.
    let (mut phones, alice, mut wire) = phone(16, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", "").replace("\"auth\"", "\"auth-int\""));
    let second = wire.expect(&phones, "REGISTER");
    assert_eq!(verified(&second), pairs(&[("r", 1)]));
    wire.respond(&mut phones, alice, &second, 200, "");
    phones.wait(600_000);
    assert_eq!(verified(&wire.hear(&phones).remove(0)), pairs(&[("r", 2)]));
}

/// Registers with credentials and gives the REGISTER that has them.
fn challenged(seed: u64) -> (Phones, NodeId, Wire, Heard) {
    let (mut phones, alice, mut wire) = phone(seed, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", ", opaque=\"o\""));
    let second = wire.expect(&phones, "REGISTER");
    (phones, alice, wire, second)
}

/// The `rspauth` for a request of ours from a server that knows this password.
fn response_auth(request: &Heard, password: &[u8]) -> String {
    let message = request.message();
    let given = message.credentials().next().expect("credentials");
    let inputs = Inputs {
        algorithm: given.algorithm,
        username: given.username,
        realm: given.realm,
        secret: Secret::Password(password),
        nonce: given.nonce,
        method: b"",
        uri: given.uri,
        cnonce: given.cnonce.unwrap_or_default(),
        nc: given.nc,
        body: None,
    };
    String::from_utf8(response(&inputs).expect("a digest").as_bytes().to_vec()).expect("digits")
}

#[test]
fn the_next_nonce_is_used_for_the_next_request_with_a_count_of_its_own() {
    for proves in [false, true] {
        let (mut phones, alice, mut wire, second) = challenged(17);
        let mut info = "Authentication-Info: nextnonce=\"n2\"".to_owned();
        if proves {
            info.push_str(&format!(", qop=auth, rspauth=\"{}\"", response_auth(&second, PASSWORD)));
        }
        wire.respond(&mut phones, alice, &second, 200, &format!("Expires: 600\r\n{info}\r\n"));
        phones.wait(600_000);
        let refresh = wire.hear(&phones).remove(0);
        assert!(
            refresh.text().contains("nonce=\"n2\"") && refresh.text().contains("opaque=\"o\""),
            "{}",
            refresh.text()
        );
        assert_eq!(verified(&refresh), pairs(&[("r", 1)]));
        assert_eq!(phones.world.role(alice).statistics().unproven, 0);
    }
}

#[test]
fn a_server_that_does_not_know_the_password_is_counted_and_its_nonce_not_taken() {
    let (mut phones, alice, mut wire, second) = challenged(18);
    let wrong = response_auth(&second, b"guessed");
    for told in [wrong.as_str(), ""] {
        let info = format!("Authentication-Info: nextnonce=\"n2\", rspauth=\"{told}\"\r\n");
        if told == wrong {
            wire.respond(&mut phones, alice, &second, 200, &format!("Expires: 600\r\n{info}"));
        } else {
            phones.wait(510_000);
            let refresh = wire.hear(&phones).remove(0);
            assert_eq!(verified(&refresh), pairs(&[("r", 2)]));
            assert!(refresh.text().contains("nonce=\"n\""));
            wire.respond(&mut phones, alice, &refresh, 200, &format!("Expires: 600\r\n{info}"));
        }
    }
    assert_eq!(phones.world.role(alice).statistics().unproven, 2);
    // The binding stands: nothing says that it does not.
    assert!(matches!(phones.last(alice), Some(Event::Registered { .. })));
}

#[test]
fn authentication_info_that_fits_nothing_changes_nothing() {
    for info in ["", "nextnonce", "nextnonce=", "x=y", "nextnonce=\"a\", nextnonce"] {
        let (mut phones, alice, wire, second) = challenged(19);
        wire.respond(&mut phones, alice, &second, 200, &format!("Expires: 600\r\nAuthentication-Info: {info}\r\n"));
        assert!(matches!(phones.last(alice), Some(Event::Registered { .. })), "{info}");
    }
    // Without credentials in the request it is about nothing.
    let (mut phones, alice, mut wire) = phone(19, |_| {});
    let first = registering(&mut phones, alice, &mut wire);
    wire.respond(&mut phones, alice, &first, 200, "Authentication-Info: nextnonce=\"n\", rspauth=\"00\"\r\n");
    assert_eq!(phones.world.role(alice).statistics().unproven, 0);
}

/// A fork that answers late: the proxy passes its 2xx on behind the challenge of another one (RFC 3261 §16.7 step 5).
#[test]
fn a_2xx_to_the_challenged_invite_ends_in_a_dialog_of_its_own_and_the_call_goes_on() {
    let (mut phones, alice, mut wire) = phone(20, |_| {});
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", ""));
    let second = wire.expect_all(&phones, &["ACK", "INVITE"]).pop().expect("an INVITE with credentials");
    wire.accept(&mut phones, alice, &first, "late", ANSWER);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    assert!(heard.iter().all(|request| request.to_tag() == "late"));
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    wire.accept(&mut phones, alice, &second, "wire", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").to_tag(), "wire");
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.to_tag(), "wire");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

#[test]
fn a_peer_that_answers_the_challenged_invite_and_the_next_one_with_one_tag_has_one_call() {
    let (mut phones, alice, mut wire) = phone(21, |_| {});
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &first, 401, &challenge("r", "n", ""));
    let second = wire.expect_all(&phones, &["ACK", "INVITE"]).pop().expect("an INVITE with credentials");
    wire.accept(&mut phones, alice, &first, "wire", ANSWER);
    let stray = wire.expect_all(&phones, &["ACK", "BYE"]).pop().expect("the end of the first answer");
    wire.accept(&mut phones, alice, &second, "wire", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").seq(), second.seq());
    wire.respond(&mut phones, alice, &stray, 200, "");
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert!(bye.seq() > stray.seq());
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}
