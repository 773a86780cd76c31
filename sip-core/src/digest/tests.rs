//! Digests against the values of the RFCs.

use super::blocks::Hash;
use super::response::join;
use super::*;
use crate::message::{HeaderName, Method, Writer};

const RFC_7616: Inputs<'static> = Inputs {
    algorithm: Algorithm::Sha256,
    username: b"Mufasa",
    realm: b"http-auth@example.org",
    secret: Secret::Password(b"Circle of Life"),
    nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    method: b"GET",
    uri: b"/dir/index.html",
    cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    nc: Some(b"00000001"),
    body: None,
};

fn of(inputs: Inputs<'_>) -> String {
    String::from_utf8(response(&inputs).unwrap().as_bytes().to_vec()).unwrap()
}

#[test]
fn values_of_rfc_7616_section_3_9_1() {
    assert_eq!(of(RFC_7616), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    let md5 = Inputs { algorithm: Algorithm::Md5, ..RFC_7616 };
    assert_eq!(of(md5), "8ca523f5e9506fed4657c9700eebdbec");
}

/// The values were computed with another implementation.
#[test]
fn auth_int_protects_the_body_and_sha_512_256_is_computed_on_demand() {
    let int = Inputs { body: Some(b"v=0\r\n"), ..RFC_7616 };
    assert_eq!(of(int), "385d2de062660ced11876f42d9497c69cacf5caaf3d951dd424aee9f7157d563");
    assert_ne!(of(int), of(Inputs { body: Some(b""), ..RFC_7616 }));
    let sha_512_256 = Inputs { algorithm: Algorithm::Sha512_256, ..RFC_7616 };
    if cfg!(feature = "sha512") {
        assert_eq!(of(sha_512_256), "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0");
        assert!(Algorithm::Sha512_256.strength() > Algorithm::Sha256Sess.strength());
    } else {
        assert_eq!((response(&sha_512_256), Algorithm::Sha512_256.is_supported()), (None, false));
    }
}

#[test]
fn values_of_rfc_2617_section_3_5() {
    let inputs = Inputs {
        algorithm: Algorithm::Md5,
        username: b"Mufasa",
        realm: b"testrealm@host.com",
        secret: Secret::Password(b"Circle Of Life"),
        nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method: b"GET",
        uri: b"/dir/index.html",
        cnonce: b"0a4f113b",
        nc: Some(b"00000001"),
        body: None,
    };
    assert_eq!(of(inputs), "6629fae49393a05397450978507c4ef1");
    // RFC 2069 §2.4, with the value that its erratum gives.
    let old = Inputs { secret: Secret::Password(b"CircleOfLife"), nc: None, ..inputs };
    assert_eq!(of(old), "1949323746fe6a43ef61f9606e7febea");
}

#[test]
fn a_hash_stands_for_the_password_of_its_own_algorithm() {
    let mut ha1 = [0; 16];
    let mut hasher = Hash::md5();
    join(&[Some(RFC_7616.username), Some(RFC_7616.realm), Some(b"Circle of Life")], &mut |part| hasher.update(part));
    ha1.copy_from_slice(&hasher.finish().0[..16]);
    let md5 = Inputs { algorithm: Algorithm::Md5, secret: Secret::Md5(ha1), ..RFC_7616 };
    assert_eq!(of(md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(response(&Inputs { algorithm: Algorithm::Sha256, ..md5 }), None);
    assert_eq!(response(&Inputs { algorithm: Algorithm::Sha512_256, ..md5 }), None);
}

#[test]
fn a_session_key_is_another_key() {
    let session = of(Inputs { algorithm: Algorithm::Md5Sess, ..RFC_7616 });
    assert_ne!(session, of(Inputs { algorithm: Algorithm::Md5, ..RFC_7616 }));
    assert_ne!(session, of(Inputs { algorithm: Algorithm::Md5Sess, cnonce: b"other", ..RFC_7616 }));
}

#[test]
fn the_row_reads_back_and_verifies() {
    let terms = Terms {
        realm: b"a \\\"quoted\\\" realm",
        nonce: b"n\\\\",
        opaque: Some(b""),
        algorithm: Algorithm::Sha256,
        qop: Some(Qop::Auth),
        proxy: true,
    };
    let answer = Answer {
        username: b"b\"ob",
        secret: Secret::Password(b"pw"),
        method: Method::Register,
        uri: b"sip:example.com",
        nc: 0xab,
        cnonce: b"c",
        body: b"",
    };
    let mut buffer = [0; 512];
    let mut w = Writer::new(&mut buffer);
    assert!(write_authorization(&mut w, &terms, &answer));
    let length = w.finish().unwrap();
    let row = buffer[..length].strip_prefix(b"Proxy-Authorization: ").unwrap().strip_suffix(b"\r\n").unwrap();
    let header = crate::message::Header { name: HeaderName::ProxyAuthorization, value: row };
    let credentials = crate::message::Credentials::of(&header).unwrap();
    assert_eq!(credentials.username, b"b\\\"ob");
    assert_eq!(credentials.realm, terms.realm);
    assert_eq!(credentials.nc, Some(&b"000000ab"[..]));
    assert_eq!(credentials.opaque, Some(&b""[..]));
    let computed = response(&Inputs {
        algorithm: credentials.algorithm,
        username: credentials.username,
        realm: credentials.realm,
        secret: answer.secret,
        nonce: credentials.nonce,
        method: b"REGISTER",
        uri: credentials.uri,
        cnonce: credentials.cnonce.unwrap(),
        nc: credentials.nc,
        body: None,
    });
    let computed = computed.unwrap();
    assert!(computed.matches(credentials.response));
    assert!(computed.matches(&credentials.response.to_ascii_uppercase()));
    assert!(!computed.matches(&credentials.response[1..]) && !computed.matches(b""));
}
