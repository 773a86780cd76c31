//! Messages of our own writing, for tests.

/// Gives a message its CRLFs.
pub(crate) fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A call with a session description.
pub(crate) const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK00112233aabbccdd;rport
Max-Forwards: 70
From: \"Al \\\"Ice\\\" L\" <sip:alice@example.com>;tag=a1
To: Bob <sip:bob@example.com>
Call-ID: 77f0@192.0.2.10
CSeq: 4711 INVITE
Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>
Contact: <sip:alice@192.0.2.10:5062;transport=udp>
Allow: INVITE, ACK, CANCEL,BYE , , OPTIONS
Supported: timer, 100rel
Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"n1\", uri=\"sip:bob@example.com\", response=\"00\"
Content-Type: application/sdp
Content-Length: 27

v=0
o=- 1 1 IN IP4 0
s=-
";

/// A success with three hops, two of them in one row, and a body that has an empty line in it.
pub(crate) const OK: &str = "SIP/2.0 200 All right
v: SIP/2.0/TLS p2.example.com;branch=z9hG4bKp2.1;received=192.0.2.22 , SIP/2.0/UDP p1.example.com;branch=z9hG4bKp1
Via: SIP/2.0/UDP [2001:db8::10]:5062;branch=z9hG4bKc;received=2001:db8::10;rport=5062
Record-Route: <sip:p2.example.com;lr>
Record-Route: <sip:p1.example.com;lr>,
 <sip:p0.example.com;lr>
f: <sip:alice@example.com>;tag=a1
t: Bob <sip:bob@example.com>;tag=b1
i: 77f0@192.0.2.10
CSeq: 4711 INVITE
m: <sip:bob@192.0.2.20>;expires=60;q=0.5
c: text/plain;charset=utf-8
l: 6

a

b
";

/// A registration whose headers are folded and spaced in every place that allows it.
pub(crate) const REGISTER: &str = "REGISTER sips:registrar.example.com SIP/2.0
via :
 SIP / 2.0 / TCP host.example.com : 5060 ; branch
\t= z9hG4bKfold
MAX-FORWARDS:\t0070
fRoM:sip:bob@example.com ; tag = b1
TO:
  <sip:bob@example.com>
Call-ID\t: fold
cseq:
 0009
 REGISTER
Contact: \"Bob, at
 home\" <sip:bob@host.example.com;ob>;expires=\"60\" , <tel:+12125550100>
Expires: 4294967296
X-Unknown: ;;,,\"
Subject:
Content-Length : 0

";

/// A challenge to two parties.
pub(crate) const CHALLENGE: &str = "SIP/2.0 407 Proxy Authentication Required
Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKq
From: <sip:alice@example.com>;tag=a1
To: <sip:bob@example.com>;tag=p
Call-ID: 78
CSeq: 1 MESSAGE
Proxy-Authenticate: Digest realm=\"p\", nonce=\"np\", algorithm=SHA-256, qop=\"auth\", stale=true
Proxy-Authenticate: Digest realm=\"p\", nonce=\"np\"
WWW-Authenticate: Digest realm=\"u\", nonce=\"nu\", algorithm=token
Retry-After: 120 (in a meeting);duration=3600
Content-Length: 0

";

/// What an RFC 2543 phone sends.
pub(crate) const OLD: &str = "BYE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP old.example.com
From: sip:alice@example.com
To: sip:bob@example.com;tag=b1
Call-ID: 2543
CSeq: 2 BYE

trailing";

/// All of them.
pub(crate) const ALL: [&str; 5] = [INVITE, OK, REGISTER, CHALLENGE, OLD];

/// A message with as many unknown rows before the mandatory ones as asked for.
pub(crate) fn crowded(rows: usize) -> Vec<u8> {
    let mut text = String::from("OPTIONS sip:a@example.com SIP/2.0\n");
    for row in 0..rows {
        text.push_str(&format!("X-{row}: {row}\n"));
    }
    text.push_str("Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\nFrom: <sip:a@example.com>;tag=1\n");
    text.push_str("To: <sip:a@example.com>\nCall-ID: 1\nCSeq: 1 OPTIONS\nX-Last: end\nContent-Length: 0\n\n");
    crlf(&text)
}
