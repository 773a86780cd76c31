//! Writes with all that writes: responses, ACK, CANCEL, a request again, a request from parts, a session description.

use crate::sum::Sum;
use sip_core::message::{
    HeaderName, Kept, Message, Method, Resend, WriteError, Writer, ack, cancel, malformed_head, reason_phrase, resend,
    response_head, stamp,
};
use sip_core::random::Token;
use sip_core::sdp;
use sip_core::transport::{Address, Transport};

/// What the message brings to be written, one after the other into `room`.
pub(crate) fn write(octets: &[u8], room: &mut [u8]) -> Sum {
    let mut sum = Sum::default();
    let source = Address::v6([0x2001, 0xDB8, 0, 0, 0, 0, 0, 1].into(), 5060);
    match Message::parse(octets) {
        Ok(message) => {
            written(&mut sum, room, |w| response(w, &message, source));
            written(&mut sum, room, |w| ack(w, &Kept::from(&message), &message));
            written(&mut sum, room, |w| {
                cancel(w, &Kept::from(&message), |w| w.header(HeaderName::Reason, b"SIP;cause=200"))
            });
            let edit = Resend { branch: b"again", cseq: 2, drop: &[HeaderName::Authorization] };
            written(&mut sum, room, |w| {
                resend(w, &Kept::from(&message), &edit, |w| w.header_number(HeaderName::Expires, 60))
            });
            written(&mut sum, room, |w| request(w, &message));
            sum.flag(stamp(room, Transport::Tcp, Some(b"0123456789abcdef")));
        }
        Err(failure) => written(&mut sum, room, |w| {
            w.status_line(failure.status(), failure.reason().as_bytes());
            malformed_head(w, &failure, source, Some(b"tag"));
            w.finish_without_body();
        }),
    }
    match sdp::Session::parse(octets) {
        Ok(session) => describe(&mut sum, room, &session),
        Err(error) => sum.number(error as u32),
    }
    sum
}

fn written(sum: &mut Sum, room: &mut [u8], write: impl FnOnce(&mut Writer<'_>)) {
    let mut w = Writer::new(room);
    write(&mut w);
    let length = w.finish();
    fold(sum, room, length);
}

#[inline(never)]
fn fold(sum: &mut Sum, room: &[u8], length: Result<usize, WriteError>) {
    match length {
        Ok(length) => sum.octets(room.get(..length).unwrap_or_default()),
        Err(WriteError::Injection) => sum.number(1),
        Err(WriteError::Full { needed } | WriteError::TooLarge { needed }) => sum.number(needed as u32),
    }
}

fn response(w: &mut Writer<'_>, request: &Message<'_>, source: Address) {
    let status = request.status().unwrap_or(200);
    w.status_line(status, reason_phrase(status).as_bytes());
    response_head(w, request, source, Some(b"tag"));
    w.finish_without_body();
}

fn request(w: &mut Writer<'_>, model: &Message<'_>) {
    w.request_line(Method::Invite, model.request_uri().unwrap_or_default());
    w.via(Transport::Udp, b"192.0.2.2:5060", Token::new(u64::from(model.cseq().number)));
    w.header_raw(HeaderName::From, model.from().raw());
    w.value_start(HeaderName::Other(b"X-Subject"));
    w.text(model.header(HeaderName::Subject).unwrap_or_default());
    w.end();
    w.body(b"application/sdp", model.body());
}

fn describe(sum: &mut Sum, room: &mut [u8], session: &sdp::Session<'_>) {
    let mut w = sdp::Writer::new(room);
    w.origin(&session.origin());
    w.name(session.name().unwrap_or_default());
    if let Some(connection) = session.connection() {
        w.connection(&connection);
        connection.ip().into_iter().for_each(|ip| w.session(1, 1, ip));
    }
    session.timings().for_each(|timing| w.timing(timing));
    for media in session.media() {
        w.media_of(media.kind(), (media.port(), media.port_count()), media.proto(), media.formats());
        w.media(media.kind(), media.port(), media.proto(), media.payload_types());
        media.rtpmaps().for_each(|map| w.rtpmap(&map));
        media.fmtps().for_each(|fmtp| w.fmtp(&fmtp));
        media.bandwidths().for_each(|bandwidth| w.bandwidth(bandwidth.kind, bandwidth.value));
        media.rtcp().into_iter().for_each(|rtcp| w.rtcp(&rtcp));
        media.cryptos().flatten().for_each(|crypto| w.crypto(&crypto));
        media.ptime().into_iter().for_each(|time| w.ptime(time));
        media.max_ptime().into_iter().for_each(|time| w.max_ptime(time));
        media.attributes().for_each(|attribute| w.attribute(&attribute));
        w.direction(media.direction().reversed());
        w.rtcp_mux();
    }
    let length = w.finish();
    fold(sum, room, length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts() {
        let of = |text: &str| write(text.replace('\n', "\r\n").as_bytes(), &mut [0; 2048]);
        let request = "INVITE sip:b@c SIP/2.0\nVia: SIP/2.0/UDP a;rport\nFrom: <sip:a>;tag=1\nTo: <sip:b>\nCall-ID: 1\nCSeq: 1 INVITE\n\n";
        for (one, other) in [("tag=1", "tag=2"), ("<sip:b>", "<sip:c>"), ("Call-ID: 1", "Call-ID: 2"), (";rport", "")] {
            assert_ne!(of(request), of(&request.replace(one, other)), "{one}");
        }
        assert_ne!(of("BYE sip:a SIP/2.0\nVia: a\n\n"), of("BYE sip:a SIP/2.0\nVia: b\n\n"));
        let description = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP6 2001:db8::1\nm=audio 1 RTP/AVP 0\n";
        for (one, other) in [("- 1 1", "- 1 2"), ("db8::1", "db8::2"), ("AVP 0", "AVP 8"), ("audio", "video")] {
            assert_ne!(of(description), of(&description.replace(one, other)), "{one}");
        }
    }
}
