//! The phone over TLS at Kamailio, PJSIP and baresip: registration, calls in both directions on which every leg is under TLS, and a
//! wrong name.
//!
//! Covers both directions of a connection (the phone opens one, and its peer one to the phone's Contact) and the trace, which has the
//! messages decrypted. Not here: mutual TLS.

use crate::ended;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use sip_lab::interop::{Kamailio, Peer, Phone, PhoneResult, Process, Rig, free_port};
use std::fs;
use std::path::PathBuf;

/// An authority, what it has signed, and the files that everybody trusts it by and shows it.
pub(crate) struct Trust {
    pub(crate) rig: Rig,
}

impl Trust {
    /// With a certificate of a server for this name; `None` where a peer is missing.
    pub(crate) fn new(peers: &[Peer], server: &str) -> Option<Self> {
        let rig = Rig::new(peers)?;
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of the interop tests");
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        fs::write(rig.path("ca.pem"), authority.pem()).unwrap();
        for (file, name) in [("server", server), ("phone", "127.0.0.1")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            fs::write(rig.path(&format!("{file}.pem")), certificate.pem()).unwrap();
            fs::write(rig.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
            fs::write(rig.path(&format!("{file}.both")), certificate.pem() + &key.serialize_pem()).unwrap();
        }
        Some(Self { rig })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.rig.path(name).display().to_string()
    }

    /// The options of one who trusts the authority, accepts connections, and shows this certificate: the phone's are PJSIP's, too.
    fn options(&self, own: &str) -> Vec<String> {
        let (cert, key) = (self.file(&format!("{own}.pem")), self.file(&format!("{own}.key")));
        ["--transport", "tls", "--ca", &self.file("ca.pem"), "--cert", &cert, "--key", &key].map(str::to_owned).to_vec()
    }

    /// Starts the phone under TLS.
    fn start(&self, arguments: &[&str]) -> Phone {
        let tls = self.options("phone");
        self.rig.phone(&[arguments, &texts(&tls)].concat())
    }

    fn answering(&self, arguments: &[&str]) -> Phone {
        let tls = self.options("phone");
        self.rig.answering(&[arguments, &texts(&tls)].concat())
    }

    fn pjsip(&self, port: u16, arguments: &[&str]) -> Process {
        let tls = self.options("server");
        self.rig.pjsip(port, &[arguments, &texts(&tls)].concat())
    }

    /// baresip, and where it listens under TLS; it answers by itself.
    fn baresip(&self, command: &str) -> (Process, u16) {
        let files = (self.rig.path("server.both"), self.rig.path("ca.pem"));
        let account = "<sip:carol@127.0.0.1;transport=tls>;regint=0;answermode=auto";
        self.rig.baresip_tls((&files.0, &files.1), account, command, 20)
    }

    fn trace(&self, name: &str) -> (PathBuf, String) {
        let path = self.rig.path(name);
        let text = path.display().to_string();
        (path, text)
    }

    /// What a trace has: methods and statuses in their order, without 100. Each message is well-formed, and each Via in it is of TLS.
    fn decode(&self, file: &str) -> Vec<String> {
        let tshark = |more: &[&str]| self.rig.tshark(&[&["-d", "tcp.port==1024-65535,sip", "-r", file], more].concat());
        let rows = tshark(&["-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "sip.Via.transport"]);
        let faulty = tshark(&["-Y", "!sip || _ws.malformed"]);
        assert_eq!(faulty, "", "not SIP, or malformed:\n{rows}");
        let rows = rows.lines().filter_map(|row| {
            let (message, vias) = row.rsplit_once('\t').unwrap_or_default();
            assert!(!vias.is_empty() && vias.split(',').all(|one| one == "TLS"), "{row}");
            let message = message.replace('\t', "");
            (message != "100").then_some(message)
        });
        rows.collect()
    }
}

/// The messages of a call that the caller, or the callee, ends.
const CALL: [&str; 6] = ["INVITE", "180", "200", "ACK", "BYE", "200"];

/// A Kamailio that listens under TLS.
struct Office {
    trust: Trust,
    kamailio: Kamailio,
    address: String,
}

impl Office {
    /// One whose certificate is for this name; `None` where a peer is missing.
    fn new(name: &str) -> Option<Self> {
        let trust = Trust::new(&[Peer::Kamailio, Peer::Tshark], name)?;
        let port = free_port();
        let file = |what: &str, name: &str| format!("{what}=\"{}\"", trust.file(name));
        let (cert, key, ca) = (file("TLS_CERT", "server.pem"), file("TLS_KEY", "server.key"), file("TLS_CA", "ca.pem"));
        let listen = format!("tls:127.0.0.1:{port}");
        let kamailio = trust.rig.kamailio(&["-A", "WITH_TLS", "-A", &cert, "-A", &key, "-A", &ca, "-l", &listen]);
        Some(Self { trust, kamailio, address: format!("127.0.0.1:{port}") })
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.address)
    }

    fn run(&self, arguments: &[&str]) -> PhoneResult {
        self.trust.start(arguments).finish()
    }

    /// A registered phone of bob's.
    fn bob(&self, more: &[&str]) -> Phone {
        let aor = self.uri("bob");
        let fixed = ["--register", &self.address, "--aor", &aor, "--user", "bob", "--password", "builder"];
        self.trust.answering(&[&fixed[..], more].concat()).registered()
    }
}

fn texts(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[test]
fn a_binding_is_made_and_removed_by_sip_and_by_sips() {
    let Some(office) = Office::new("127.0.0.1") else { return };
    for scheme in ["sip", "sips"] {
        let (registrar, aor) = (format!("{scheme}:{}", office.address), format!("{scheme}:alice@{}", office.address));
        let (_, trace) = office.trust.trace(scheme);
        let fixed = ["register", "--registrar", &registrar, "--aor", &aor, "--user", "alice", "--trace", &trace];
        let result = office.run(&[&fixed[..], &["--password", "wonderland"]].concat());
        result.expect(0, &[("sip_status", json!(200))]);
        let contact = result.result["contact"][0].as_str().unwrap_or_default().to_owned();
        let secure = if scheme == "sips" { "<sips:alice@" } else { ";transport=tls" };
        assert!(contact.contains(secure), "{contact}");
        // Challenged, made, removed.
        let messages = office.trust.decode(&trace);
        assert_eq!(messages, ["REGISTER", "401", "REGISTER", "200", "REGISTER", "200"]);
    }
    let log = office.kamailio.finish(&[]);
    assert!(log.contains("from tls:127.0.0.1") && !log.contains("from udp:"), "{log}");
}

#[test]
fn a_call_is_under_tls_on_every_leg_and_ended_by_either_side() {
    let Some(office) = Office::new("127.0.0.1") else { return };
    for (by, theirs, caller, callee) in [
        ("local", "peer", &["--duration", "0.3"][..], &["--ring", "0.2"][..]),
        ("peer", "local", &[], &["--ring", "0.2", "--hangup-after", "0.3"]),
    ] {
        let (_, trace) = office.trust.trace(by);
        let phone = office.bob(&[callee, &["--count", "1"]].concat());
        let (from, to, listen) = (office.uri("alice"), office.uri("bob"), format!("127.0.0.1:{}", free_port()));
        let fixed = ["call", &to, "--from", &from, "--proxy", &office.address, "--listen", &listen, "--trace", &trace];
        office.run(&[&fixed[..], caller].concat()).expect(0, &ended(by));
        phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended(theirs));
        assert_eq!(office.trust.decode(&trace), CALL);
    }
    let log = office.kamailio.finish(&[]);
    assert!(!log.contains("from udp:") && !log.contains("from tcp:"), "{log}");
}

#[test]
fn a_wrong_name_is_refused_with_its_reason() {
    let Some(office) = Office::new("other.example.com") else { return };
    let aor = office.uri("alice");
    let result = office.run(&["register", "--registrar", &office.address, "--aor", &aor]);
    result.expect(3, &[("outcome", json!("untrusted"))]);
    let why = "the certificate is not that of 127.0.0.1: it bears other.example.com";
    assert!(result.result["message"].as_str().is_some_and(|text| text.contains(why)), "{}", result.result);
    let log = office.kamailio.finish(&["ERROR: tls", "tcp_read_req"]);
    assert!(!log.contains("IN: REGISTER"), "{log}");
}

#[test]
fn the_phone_and_pjsip_call_each_other() {
    let Some(trust) = Trust::new(&[Peer::Pjsip, Peer::Tshark], "127.0.0.1") else { return };
    let (_, trace) = trust.trace("answered");
    let phone = trust.answering(&["--count", "1", "--ring", "0.2", "--trace", &trace]);
    let uri = format!("sip:bob@{};transport=tls", phone.address());
    let caller = trust.pjsip(free_port(), &["--mode", "call", &uri, "--hangup-after", "0.5"]);
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("peer"));
    caller.finish().expect(0);
    assert_eq!(trust.decode(&trace), CALL);

    let (_, trace) = trust.trace("called");
    let port = free_port();
    let callee = trust.pjsip(port, &["--mode", "answer", "--ring", "0.2"]);
    let uri = format!("sip:pjsua@127.0.0.1:{port}");
    trust.start(&["call", &uri, "--duration", "0.5", "--trace", &trace]).finish().expect(0, &ended("local"));
    callee.finish().expect(0);
    assert_eq!(trust.decode(&trace), CALL);
}

#[test]
fn the_phone_and_baresip_call_each_other() {
    let Some(trust) = Trust::new(&[Peer::Baresip, Peer::Tshark], "127.0.0.1") else { return };
    let (_, trace) = trust.trace("answered");
    let phone = trust.answering(&["--count", "1", "--ring", "0.2", "--hangup-after", "0.5", "--trace", &trace]);
    let (caller, _) = trust.baresip(&format!("d sip:bob@{};transport=tls", phone.address()));
    caller.wait_for("Call established");
    phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended("local"));
    caller.wait_for("session closed");
    drop(caller);
    assert_eq!(trust.decode(&trace), CALL);

    let (_, trace) = trust.trace("called");
    let (callee, port) = trust.baresip("");
    let uri = format!("sip:carol@127.0.0.1:{port}");
    trust.start(&["call", &uri, "--duration", "0.5", "--trace", &trace]).finish().expect(0, &ended("local"));
    drop(callee);
    let messages = trust.decode(&trace);
    assert_eq!(messages.iter().filter(|one| *one != "180").collect::<Vec<_>>(), ["INVITE", "200", "ACK", "BYE", "200"]);
}

/// Whoever can negotiate anew can have a server work for nothing, and under TLS 1.2 more than that (RFC 5746).
#[test]
fn a_client_that_negotiates_anew_is_told_no() {
    let Some(trust) = Trust::new(&[Peer::Openssl], "127.0.0.1") else { return };
    let phone = trust.answering(&["--count", "1"]);
    let mut client = trust.rig.openssl_client(phone.address(), &trust.rig.path("ca.pem"));
    client.type_line("R");
    client.wait_for("no renegotiation");
    // Nobody else is held up by it.
    let uri = format!("sips:bob@{}", phone.address());
    trust.start(&["call", &uri, "--duration", "0.2"]).finish().expect(0, &ended("local"));
    phone.finish().expect(0, &[("calls", json!(1))]);
}

#[test]
fn pjsip_and_baresip_under_another_name_are_refused() {
    let Some(trust) = Trust::new(&[Peer::Pjsip, Peer::Baresip], "other.example.com") else { return };
    let port = free_port();
    let pjsip = trust.pjsip(port, &["--mode", "answer", "--count", "0", "--timeout", "20"]);
    let (baresip, other) = trust.baresip("");
    let why = "the certificate is not that of 127.0.0.1: it bears other.example.com";
    for port in [port, other] {
        let result = trust.start(&["call", &format!("sips:carol@127.0.0.1:{port}")]).finish();
        result.expect(3, &[("outcome", json!("untrusted"))]);
        assert!(result.result["message"].as_str().is_some_and(|text| text.contains(why)), "{}", result.result);
    }
    drop((pjsip, baresip));
}
