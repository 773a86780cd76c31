//! The phone over TLS at Kamailio: registration, calls on which every leg is under TLS, and a wrong name.
//!
//! Covers both directions of a connection (the phone opens one, and Kamailio one to the phone's Contact) and the trace, which has the
//! messages decrypted. Not here: mutual TLS, PJSIP and baresip under TLS.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use sip_lab::interop::{Kamailio, Peer, Phone, PhoneResult, Rig, free_port};
use std::fs;

/// A Kamailio that listens under TLS, and the files that phones trust it by and show it.
struct Office {
    rig: Rig,
    kamailio: Kamailio,
    address: String,
}

impl Office {
    /// One whose certificate is for this name; `None` where Kamailio is missing.
    fn new(name: &str) -> Option<Self> {
        let rig = Rig::new(&[Peer::Kamailio, Peer::Tshark])?;
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        fs::write(rig.path("ca.pem"), authority.pem()).unwrap();
        for (file, name) in [("server", name), ("phone", "127.0.0.1")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            fs::write(rig.path(&format!("{file}.pem")), certificate.pem()).unwrap();
            fs::write(rig.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
        }
        let port = free_port();
        let file = |what: &str, name: &str| format!("{what}=\"{}\"", rig.path(name).display());
        let (cert, key, ca) = (file("TLS_CERT", "server.pem"), file("TLS_KEY", "server.key"), file("TLS_CA", "ca.pem"));
        let listen = format!("tls:127.0.0.1:{port}");
        let kamailio = rig.kamailio(&["-A", "WITH_TLS", "-A", &cert, "-A", &key, "-A", &ca, "-l", &listen]);
        Some(Self { rig, kamailio, address: format!("127.0.0.1:{port}") })
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.address)
    }

    /// The options of a phone that trusts the authority and accepts connections.
    fn tls(&self) -> Vec<String> {
        let file = |name: &str| self.rig.path(name).display().to_string();
        ["--transport", "tls", "--ca", &file("ca.pem"), "--cert", &file("phone.pem"), "--key", &file("phone.key")]
            .map(str::to_owned)
            .to_vec()
    }

    fn run(&self, arguments: &[&str]) -> PhoneResult {
        let tls = self.tls();
        let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
        self.rig.phone(&[arguments, &tls].concat()).finish()
    }

    /// A registered phone of bob's.
    fn bob(&self, more: &[&str]) -> Phone {
        let (aor, tls) = (self.uri("bob"), self.tls());
        let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
        let fixed = ["--register", &self.address, "--aor", &aor, "--user", "bob", "--password", "builder"];
        self.rig.answering(&[&fixed[..], &tls, more].concat()).registered()
    }
}

fn ended(by: &str) -> [(&'static str, Value); 3] {
    [("outcome", json!("ok")), ("ended_by", json!(by)), ("sip_status", json!(200))]
}

#[test]
fn a_binding_is_made_and_removed_by_sip_and_by_sips() {
    let Some(office) = Office::new("127.0.0.1") else { return };
    for scheme in ["sip", "sips"] {
        let (registrar, aor) = (format!("{scheme}:{}", office.address), format!("{scheme}:alice@{}", office.address));
        let fixed = ["register", "--registrar", &registrar, "--aor", &aor, "--user", "alice"];
        let result = office.run(&[&fixed[..], &["--password", "wonderland"]].concat());
        result.expect(0, &[("sip_status", json!(200))]);
        let contact = result.result["contact"][0].as_str().unwrap_or_default().to_owned();
        let secure = if scheme == "sips" { "<sips:alice@" } else { ";transport=tls" };
        assert!(contact.contains(secure), "{contact}");
    }
    let log = office.kamailio.finish(&[]);
    assert!(log.contains("from tls:127.0.0.1") && !log.contains("from udp:"), "{log}");
}

#[test]
fn a_call_is_under_tls_on_every_leg_and_ended_by_either_side() {
    let Some(office) = Office::new("127.0.0.1") else { return };
    let trace = office.rig.path("caller.pcap");
    let trace = trace.to_string_lossy();
    for (by, theirs, caller, callee) in [
        ("local", "peer", &["--duration", "0.3", "--trace", &trace][..], &["--ring", "0.2"][..]),
        ("peer", "local", &[], &["--hangup-after", "0.3"]),
    ] {
        let phone = office.bob(&[callee, &["--count", "1"]].concat());
        let (from, to, listen) = (office.uri("alice"), office.uri("bob"), format!("127.0.0.1:{}", free_port()));
        let fixed = ["call", &to, "--from", &from, "--proxy", &office.address, "--listen", &listen];
        office.run(&[&fixed[..], caller].concat()).expect(0, &ended(by));
        phone.finish().expect(0, &[("calls", json!(1))]).expect_calls(1, &ended(theirs));
    }
    let decoded = ["-d", "tcp.port==1024-65535,sip", "-r", &trace, "-T", "fields", "-e", "sip.Method"];
    let rows = office.rig.tshark(&decoded);
    let methods: Vec<&str> = rows.split_whitespace().collect();
    assert_eq!(methods, ["INVITE", "ACK", "BYE"]);
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
