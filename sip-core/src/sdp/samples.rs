//! Descriptions that the tests share, of our own writing; LF stands for CRLF.

/// A phone's offer with everything that is typed.
pub(super) const PHONE: &str = "v=0
o=alice 2890844526 2890844527 IN IP4 host.example.com
s=A call
i=about it
u=http://example.com/
e=a@example.com
p=+1 617 555-6011
c=IN IP4 192.0.2.10
b=AS:512
b=X:bad
t=0 0
t=x
a=tool:ours
a=recvonly
m=audio 49170/2 RTP/SAVP 0 8 97 101
i=voice
c=IN IP4 192.0.2.11
b=TIAS:64000
a=rtpmap:97 iLBC/8000
a=fmtp:97 mode=30; x = \"y\"
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendonly
a=rtcp-mux
a=rtcp:49175 IN IP6 2001:db8::5
a=mid:voice
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 KDR=1
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj
a=candidate:1 1 UDP 2130706431 192.0.2.11 49170 typ host
m=video 0 RTP/AVP 31
m=image 5006 udptl t38
a=T38FaxVersion:0
";

/// As RFC 5118 §4.7: media addresses of both families, each media with one of its own.
pub(super) const MULTIPLE: &str = "v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
";

/// As RFC 5118 §4.6: an offer from IPv6, its address without brackets.
pub(super) const IPV6: &str = "v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
";

pub(super) const ALL: [&str; 3] = [PHONE, MULTIPLE, IPV6];

/// The sample with its line ends.
pub(super) fn crlf(sample: &str) -> Vec<u8> {
    sample.replace('\n', "\r\n").into_bytes()
}
