//! The session descriptions of the phone: G.711 and telephone events (RFC 3264, RFC 3551, RFC 4733). No media flows.

use core::net::{IpAddr, Ipv4Addr};
use sip_core::message::WriteError;
use sip_core::sdp::{Direction, Fmtp, Media, RtpMap, Session, Writer};

/// The codecs, by payload type, most wanted first: PCMU, PCMA.
const CODECS: [RtpMap<'static>; 2] = [codec(0, b"PCMU"), codec(8, b"PCMA")];
/// The payload type of telephone events in our offers.
const EVENTS: u8 = 101;
/// The events of the keys 0 to 9, *, #, A to D and flash (RFC 4733 §3.2).
const KEYS: &[u8] = b"0-16";
/// Milliseconds of sound in a packet.
const PACKET: u16 = 20;

const fn codec(payload_type: u8, encoding: &[u8]) -> RtpMap<'_> {
    RtpMap { payload_type, encoding, clock_rate: 8000, params: b"" }
}

/// Where the phone would hear its peers.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The address.
    pub address: Ipv4Addr,
    /// The port of RTP.
    pub port: u16,
}

/// Why an offer can't be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no session description, or has no audio that the phone can play: 488.
    NotAcceptable,
    /// The answer to it does not fit into the buffer: 500.
    NoRoom,
}

impl From<WriteError> for Refusal {
    fn from(_: WriteError) -> Self {
        Self::NoRoom
    }
}

impl Endpoint {
    /// A writer that has written all but the media. `version` counts the descriptions of the session.
    fn begin<'b>(&self, session: u64, version: u32, buffer: &'b mut [u8]) -> Writer<'b> {
        let mut writer = Writer::new(buffer);
        writer.session(session, u64::from(version), IpAddr::V4(self.address));
        writer
    }

    /// Writes an offer of all codecs.
    ///
    /// # Errors
    /// It does not fit into `buffer`.
    pub fn offer(&self, session: u64, version: u32, hold: bool, buffer: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = self.begin(session, version, buffer);
        let types = CODECS.iter().map(|codec| codec.payload_type).chain([EVENTS]);
        writer.media(b"audio", self.port, b"RTP/AVP", types);
        for codec in &CODECS {
            writer.rtpmap(codec);
        }
        telephone_events(&mut writer, EVENTS);
        writer.ptime(PACKET);
        writer.direction(Direction::new(true, !hold));
        writer.finish()
    }

    /// Writes the answer to an offer: the first audio with one of our codecs is taken, everything else refused. An offer that
    /// takes every stream away (RFC 3264 §8.2) is answered with as many that have port 0.
    ///
    /// # Errors
    /// Nothing in the offer can be taken, or the answer does not fit into `buffer`.
    pub fn answer(
        &self,
        session: u64,
        version: u32,
        hold: bool,
        offer: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, Refusal> {
        let offer = Session::parse(offer).map_err(|_| Refusal::NotAcceptable)?;
        let mut writer = self.begin(session, version, buffer);
        let (mut taken, mut refused, mut removed) = (false, false, false);
        for media in offer.media() {
            // Every media of the offer has its line in the answer (RFC 3264 §6).
            match playable(&media).filter(|_| !taken) {
                Some(codec) => {
                    taken = true;
                    let events = media.rtpmaps().find(|map| map.is(b"telephone-event", 8000));
                    let events = events.map(|map| map.payload_type);
                    writer.media(b"audio", self.port, b"RTP/AVP", [codec.payload_type].into_iter().chain(events));
                    writer.rtpmap(&codec);
                    if let Some(payload_type) = events {
                        telephone_events(&mut writer, payload_type);
                    }
                    writer.ptime(PACKET);
                    let asked = media.direction().reversed();
                    writer.direction(Direction::new(asked.sends(), asked.receives() && !hold));
                }
                None => {
                    refused |= media.port() != 0;
                    removed |= media.port() == 0;
                    writer.media_of(media.kind(), (0, 1), media.proto(), media.formats());
                }
            }
        }
        if taken || removed && !refused { Ok(writer.finish()?) } else { Err(Refusal::NotAcceptable) }
    }
}

/// The codec with which the phone can play this media: the first that the peer wants and the phone has.
fn playable(media: &Media<'_>) -> Option<RtpMap<'static>> {
    let fits = media.kind() == b"audio" && media.port() != 0 && media.proto() == b"RTP/AVP";
    let ours = |payload_type| {
        let theirs = media.codec(payload_type)?;
        let codec = CODECS.iter().find(|codec| theirs.is(codec.encoding, codec.clock_rate))?;
        Some(RtpMap { payload_type, ..*codec })
    };
    fits.then(|| media.payload_types().find_map(ours)).flatten()
}

fn telephone_events(writer: &mut Writer<'_>, payload_type: u8) {
    writer.rtpmap(&codec(payload_type, b"telephone-event"));
    let mut digits = [0; 3];
    let mut rest = payload_type;
    let mut first = digits.len();
    while let Some(place) = first.checked_sub(1).and_then(|before| digits.get_mut(before)) {
        *place = b'0' + rest % 10;
        rest /= 10;
        first -= 1;
        if rest == 0 {
            break;
        }
    }
    writer.fmtp(&Fmtp { format: digits.get(first..).unwrap_or_default(), params: KEYS });
}

/// Whether the peer's description says that it does not want to hear the phone: a direction without receiving, or the
/// address 0.0.0.0 of older phones (RFC 3264 §8.4).
#[must_use]
pub fn is_hold(description: &[u8]) -> bool {
    let Ok(session) = Session::parse(description) else { return false };
    let Some(media) = session.media().find(|media| media.kind() == b"audio" && media.port() != 0) else { return false };
    let nowhere = media.connection().and_then(|connection| connection.ip()).is_some_and(|ip| ip.is_unspecified());
    nowhere || !media.direction().receives()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: Endpoint = Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port: 4000 };
    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

    fn answer(hold: bool, media: &str) -> Result<String, Refusal> {
        let mut buffer = [0; 512];
        let offer = format!("{HEAD}{media}");
        let length = ENDPOINT.answer(7, 1, hold, offer.as_bytes(), &mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).split_once("t=0 0\r\n").unwrap().1.to_owned())
    }

    #[test]
    fn an_offer_has_every_codec() {
        let mut buffer = [0; 512];
        let length = ENDPOINT.offer(7, 2, false, &mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!(
            text,
            "v=0\r\no=- 7 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        let length = ENDPOINT.offer(7, 3, true, &mut buffer).unwrap();
        assert!(buffer[..length].ends_with(b"a=sendonly\r\n"));
        assert!(ENDPOINT.offer(7, 3, true, &mut [0; 100]).is_err());
    }

    #[test]
    fn the_first_common_codec_is_taken_and_its_numbers_are_the_peers() {
        assert_eq!(
            answer(false, "m=audio 5 RTP/AVP 9 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\n").unwrap(),
            "m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
             a=fmtp:96 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        assert_eq!(
            answer(false, "m=audio 5 RTP/AVP 97\r\na=rtpmap:97 pcmu/8000\r\n").unwrap(),
            "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        );
    }

    #[test]
    fn every_media_of_the_offer_is_answered() {
        let media = "m=video 1 RTP/AVP 96 97\r\nm=audio 2 RTP/SAVP 0\r\nm=audio 3 RTP/AVP 0\r\nm=audio 4 RTP/AVP 0\r\n";
        let text = answer(false, media).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        let expected =
            ["m=video 0 RTP/AVP 96 97", "m=audio 0 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn directions_are_mirrored_and_holding_never_receives() {
        for (asked, talking, holding) in [
            ("sendrecv", "sendrecv", "sendonly"),
            ("sendonly", "recvonly", "inactive"),
            ("recvonly", "sendonly", "sendonly"),
            ("inactive", "inactive", "inactive"),
        ] {
            let media = format!("m=audio 5 RTP/AVP 0\r\na={asked}\r\n");
            assert!(answer(false, &media).unwrap().ends_with(&format!("a={talking}\r\n")), "{asked}");
            assert!(answer(true, &media).unwrap().ends_with(&format!("a={holding}\r\n")), "{asked}");
            assert_eq!(is_hold(format!("{HEAD}{media}").as_bytes()), matches!(asked, "sendonly" | "inactive"));
        }
        let nowhere = format!("{HEAD}m=audio 5 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
        assert!(is_hold(nowhere.as_bytes()));
        assert!(!is_hold(b"v=0"));
    }

    #[test]
    fn a_stream_that_is_taken_away_is_answered_with_port_0() {
        assert_eq!(answer(false, "m=audio 0 RTP/AVP 0 8\r\n").unwrap(), "m=audio 0 RTP/AVP 0 8\r\n");
    }

    #[test]
    fn what_can_not_be_played_or_answered_is_refused() {
        for media in ["", "m=audio 5 RTP/AVP 9\r\n", "m=audio 0 RTP/AVP 0\r\nm=video 5 RTP/AVP 0\r\n"] {
            assert_eq!(answer(false, media), Err(Refusal::NotAcceptable), "{media}");
        }
        let many = format!("{}m=audio 5 RTP/AVP 0\r\n", "m=text 5 RTP/AVP 98\r\n".repeat(10));
        assert!(answer(false, &many).is_ok());
        let long = format!("m=text 5 RTP/AVP{}\r\nm=audio 5 RTP/AVP 0\r\n", " 127".repeat(120));
        assert_eq!(answer(false, &long), Err(Refusal::NoRoom));
        let offer = format!("{HEAD}m=audio 5 RTP/AVP 0\r\n");
        assert_eq!(ENDPOINT.answer(7, 1, false, offer.as_bytes(), &mut [0; 100]), Err(Refusal::NoRoom));
    }
}
