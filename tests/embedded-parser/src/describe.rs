//! Reads all of a session description.

use crate::sum::Sum;
use sip_core::sdp::{Attributes, Bandwidth, Connection, Crypto, Fmtp, Media, Rtcp, RtpMap, Session, Typed};

/// A session description, all of it.
pub(crate) fn read(octets: &[u8]) -> Sum {
    let mut sum = Sum::default();
    match Session::parse(octets) {
        Ok(session) => {
            session_lines(&mut sum, &session);
            for media in session.media() {
                media_lines(&mut sum, &media);
            }
        }
        Err(error) => sum.number(error as u32),
    }
    sum
}

fn session_lines(sum: &mut Sum, session: &Session<'_>) {
    let origin = session.origin();
    sum.pieces([origin.username, origin.network, origin.address_type, origin.address].into_iter());
    sum.wide(origin.session_id);
    sum.wide(origin.version);
    sum.flag(origin.is_same_session(&origin));
    sum.piece(session.name());
    connection(sum, session.connection());
    session.bandwidths().for_each(|found| bandwidth(sum, found));
    for timing in session.timings() {
        sum.wide(timing.start);
        sum.wide(timing.stop);
    }
    sum.number(session.direction() as u32);
    sum.pieces(session.lines(b'i'));
    sum.number(session.media_count() as u32);
    attributes(sum, session.attributes());
}

fn media_lines(sum: &mut Sum, media: &Media<'_>) {
    sum.octets(media.kind());
    sum.number(u32::from(media.port()));
    sum.number(u32::from(media.port_count()));
    sum.octets(media.proto());
    sum.pieces(media.formats());
    connection(sum, media.connection());
    media.bandwidths().for_each(|found| bandwidth(sum, found));
    sum.number(media.direction() as u32);
    for payload_type in media.payload_types() {
        if let Some(map) = media.codec(payload_type) {
            rtpmap(sum, &map);
        }
        if let Some(found) = media.fmtp(payload_type) {
            fmtp(sum, &found);
        }
    }
    sum.optional(media.ptime().map(u32::from));
    sum.optional(media.max_ptime().map(u32::from));
    sum.flag(media.rtcp_mux());
    if let Some(found) = media.rtcp() {
        rtcp(sum, &found);
    }
    for found in media.cryptos() {
        match found {
            Ok(found) => crypto(sum, &found),
            Err(error) => sum.number(error as u32),
        }
    }
    sum.piece(media.mid());
    attributes(sum, media.attributes());
}

#[inline(never)]
fn connection(sum: &mut Sum, connection: Option<Connection<'_>>) {
    let Some(found) = connection else { return sum.flag(false) };
    sum.pieces([found.network, found.address_type, found.address].into_iter());
    sum.number(found.kind as u32);
    sum.optional(found.ttl.map(u32::from));
    sum.number(u32::from(found.count));
    sum.ip(found.ip());
    sum.flag(found.is_unspecified());
}

#[inline(never)]
fn bandwidth(sum: &mut Sum, found: Bandwidth<'_>) {
    sum.octets(found.kind);
    sum.number(found.value);
}

#[inline(never)]
fn rtpmap(sum: &mut Sum, map: &RtpMap<'_>) {
    sum.number(u32::from(map.payload_type));
    sum.octets(map.encoding);
    sum.number(map.clock_rate);
    sum.octets(map.params);
    sum.number(map.channels());
    sum.flag(map.is(b"telephone-event", 8000));
}

#[inline(never)]
fn fmtp(sum: &mut Sum, found: &Fmtp<'_>) {
    sum.octets(found.format);
    sum.optional(found.payload_type().map(u32::from));
    sum.params(found.params());
}

#[inline(never)]
fn rtcp(sum: &mut Sum, found: &Rtcp<'_>) {
    sum.number(u32::from(found.port));
    connection(sum, found.connection);
}

#[inline(never)]
fn crypto(sum: &mut Sum, found: &Crypto<'_>) {
    sum.number(found.tag);
    sum.octets(found.suite);
    sum.octets(found.session_params);
    sum.pieces(found.params());
    for key in found.keys() {
        match key {
            Ok(key) => {
                sum.octets(key.key_salt);
                sum.wide(key.lifetime.unwrap_or(0));
                sum.piece(key.mki.map(|mki| mki.value));
            }
            Err(error) => sum.number(error as u32),
        }
    }
}

#[inline(never)]
fn attributes(sum: &mut Sum, attributes: Attributes<'_>) {
    for attribute in attributes {
        match attribute.typed() {
            Ok(Typed::RtpMap(map)) => rtpmap(sum, &map),
            Ok(Typed::Fmtp(found)) => fmtp(sum, &found),
            Ok(Typed::Ptime(time) | Typed::MaxPtime(time)) => sum.number(u32::from(time)),
            Ok(Typed::Direction(direction)) => sum.number(direction as u32),
            Ok(Typed::RtcpMux) => sum.number(1),
            Ok(Typed::Rtcp(found)) => rtcp(sum, &found),
            Ok(Typed::Crypto(found)) => crypto(sum, &found),
            Ok(Typed::Mid(mid)) => sum.octets(mid),
            Ok(Typed::Other(found)) => sum.piece(found.value),
            Err(error) => sum.number(error as u32),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_counts() {
        for (one, other) in [
            ("i=a", "i=b"),
            ("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.2"),
            ("c=IN IP6 2001:db8::1", "c=IN IP6 2001:db8::2"),
            ("b=AS:1", "b=AS:2"),
            ("t=1 2", "t=1 3"),
            ("a=sendonly", "a=recvonly"),
            ("m=audio 1 RTP/AVP 0", "m=audio 1 RTP/AVP 8"),
            ("m=audio 1 RTP/AVP 96\na=rtpmap:96 a/1", "m=audio 1 RTP/AVP 96\na=rtpmap:96 a/2"),
            ("m=audio 1 RTP/AVP 96\na=fmtp:96 a=1", "m=audio 1 RTP/AVP 96\na=fmtp:96 a=2"),
            ("m=audio 1 RTP/AVP 0\na=ptime:1", "m=audio 1 RTP/AVP 0\na=ptime:2"),
            ("m=audio 1 RTP/AVP 0\na=maxptime:1", "m=audio 1 RTP/AVP 0\na=maxptime:2"),
            ("m=audio 1 RTP/AVP 0\na=rtcp-mux", "m=audio 1 RTP/AVP 0\na=rtcp-mix"),
            ("m=audio 1 RTP/AVP 0\na=rtcp:1", "m=audio 1 RTP/AVP 0\na=rtcp:2"),
            ("m=audio 1 RTP/AVP 0\na=mid:1", "m=audio 1 RTP/AVP 0\na=mid:2"),
            ("m=audio 1 RTP/AVP 0\na=crypto:1 A inline:QUJD|2^1", "m=audio 1 RTP/AVP 0\na=crypto:1 A inline:QUJD|2^2"),
        ] {
            let of = |line: &str| read(format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n{line}\n").as_bytes());
            assert_ne!(of(one), of(other), "{one}");
            assert_ne!(of(one), of("a=x"), "{one}");
        }
        assert_ne!(read(b"v=0"), read(b"v=1"));
    }
}
