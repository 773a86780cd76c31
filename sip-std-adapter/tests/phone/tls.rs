//! The phone over TLS: a call between two, `sips` and `transport=tls`, and what TLS refuses, in words and with its exit status.
//!
//! Not here: other makers' servers and phones.

use crate::process::{answer, run};
use crate::serve::{alice, bob, office};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

/// Certificates in files of their own.
pub(crate) struct Files {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    pub(crate) fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(directory.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { directory, issuer: Issuer::new(params, key) }
    }

    /// A certificate for one name, and its key.
    pub(crate) fn sign(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.directory.join("own.pem"), signed.pem()).unwrap();
        fs::write(self.directory.join("own.key"), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A phone that answers under TLS with the certificate of `name`.
fn answering(files: &Files, name: &str) -> (crate::process::Phone, String) {
    files.sign(name);
    let (ca, cert, key) = (files.path("ca.pem"), files.path("own.pem"), files.path("own.key"));
    answer(&["--transport", "tls", "--ca", &ca, "--cert", &cert, "--key", &key, "--count", "1"])
}

#[test]
fn a_call_goes_over_tls_because_its_address_or_the_command_line_says_so() {
    let files = Files::new("call");
    let ca = files.path("ca.pem");
    for (scheme, parameter, options) in
        [("sip", ";transport=tls", &[][..]), ("sip", "", &["--transport", "tls"]), ("sips", "", &[])]
    {
        let (callee, place) = answering(&files, "127.0.0.1");
        let uri = format!("{scheme}:bob@{place}{parameter}");
        let arguments = [&["call", &uri, "--duration", "0.3", "--ca", &ca], options].concat();
        let caller = run(&arguments).expect(0);
        assert!(caller.last_line().contains("hung up here"), "{}", caller.last_line());
        let callee = callee.end().expect(0);
        assert!(callee.stdout.contains("hung up by the peer"), "{}", callee.stdout);
    }
}

#[test]
fn what_tls_refuses_is_said_and_ends_the_command_with_3() {
    let files = Files::new("refused");
    let ca = files.path("ca.pem");
    let (_callee, place) = answering(&files, "other.example.com");
    let uri = format!("sips:bob@{place}");
    let caller = run(&["call", &uri, "--ca", &ca, "--json"]).expect(3);
    let result = caller.json();
    assert_eq!(result["outcome"].as_str(), Some("untrusted"), "{result}");
    let why = format!("the certificate is not that of 127.0.0.1: it bears other.example.com ({place})");
    assert!(result["message"].as_str().is_some_and(|text| text.contains(&why)), "{result}");
    for command in [&["options", &uri][..], &["register", "--aor", &uri]] {
        let ended = run(&[command, &["--ca", &ca]].concat()).expect(3);
        assert!(ended.last_line().contains(&why), "{}", ended.last_line());
    }
}

#[test]
fn a_file_that_is_no_certificate_is_a_fault_of_the_command_line() {
    let files = Files::new("files");
    fs::write(files.path("empty.pem"), "").unwrap();
    let empty = files.path("empty.pem");
    let ended = run(&["call", "sips:bob@127.0.0.1", "--ca", &empty]).expect(2);
    assert!(ended.last_line().contains("no certificate in the PEM form"), "{}", ended.last_line());
    run(&["call", "sips:bob@127.0.0.1", "--cert", &empty]).expect(2);
}

/// A server with a listener for TLS: one phone registers by it and is called over that connection by another that came by UDP.
#[test]
fn a_server_takes_phones_under_tls_and_its_certificate_can_be_replaced() {
    let files = Files::new("serve");
    files.sign("127.0.0.1");
    let (ca, cert, key) = (files.path("ca.pem"), files.path("own.pem"), files.path("own.key"));
    let office = office();
    let (mut server, place) =
        office.serve(0, &["--listen", "tls:127.0.0.1:0", "--cert", &cert, "--key", &key, "--ca", &ca]);
    let secure = server.wait_for("listening at tls:").rsplit("tls:").next().unwrap_or_default().to_owned();
    let phone = bob(&secure, &["--transport", "tls", "--ca", &ca, "--count", "1"]);
    assert!(office.bindings().contains("transport=tls"), "{}", office.bindings());
    let ended = alice(&place, &["--duration", "0.3"]).end().expect(0);
    assert!(ended.last_line().contains("hung up here"), "{}", ended.stdout);
    assert!(phone.end().expect(0).stdout.contains("hung up by the peer"));
    // A certificate for somebody else is shown after SIGHUP, and refused.
    files.sign("192.0.2.1");
    server.signal("HUP");
    server.wait_for("2 users");
    let args = ["register", "--registrar", &secure, "--aor", "sip:bob@example.com", "--password", "builder"];
    run(&[&args[..], &["--transport", "tls", "--ca", &ca]].concat()).expect(3);
    server.wait_for("under TLS: the peer refuses: ");
    // Who speaks no TLS is told of, too.
    let mut plain = TcpStream::connect(&secure).unwrap();
    plain.write_all(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n").unwrap();
    let told = server.wait_for("what the peer sends is no TLS");
    assert!(told.contains(&plain.local_addr().unwrap().to_string()), "{told}");
    // What can't be read changes nothing, and is told.
    fs::write(&key, "no key").unwrap();
    server.signal("HUP");
    server.wait_for("the certificate stays as it was");
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn a_server_says_what_it_needs_for_tls() {
    let files = Files::new("needs");
    files.sign("127.0.0.1");
    let (cert, key) = (files.path("own.pem"), files.path("own.key"));
    for (args, text) in [
        (&["serve", "--stateless", "--listen", "tls:127.0.0.1:0"][..], "needs --cert and --key"),
        (&["serve", "--stateless", "--listen", "127.0.0.1:0", "--cert", &cert, "--key", &key], "--listen tls:ADDRESS"),
    ] {
        let told = run(args).expect(2);
        assert!(told.last_line().contains(text), "{}", told.stdout);
    }
}
