//! The fixed session description of this phone, and its answer to an offer (RFC 3264). No media flows.

use sip_core::message::Message;
use std::fmt::Write as _;
use std::net::{IpAddr, UdpSocket};

/// Where this phone would like to hear from its peers.
pub(crate) struct Media {
    address: IpAddr,
    port: u16,
    /// Keeps the port ours, so that what a peer sends there is not answered with "port unreachable".
    _socket: Option<UdpSocket>,
}

impl Media {
    /// Takes a free port of `address`, or the discard port when there is none.
    pub(crate) fn new(address: IpAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).ok();
        let port = socket.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(9, |local| local.port());
        Self { address, port, _socket: socket }
    }

    fn head(&self, version: u32) -> String {
        let (ip, family) = (self.address, if self.address.is_ipv4() { "IP4" } else { "IP6" });
        format!("v=0\r\no=phone 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n")
    }

    /// The address of this host that media would come to.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// An offer: G.711, in this direction. `version` counts the descriptions of one call.
    pub(crate) fn offer(&self, version: u32, direction: Direction) -> String {
        let mut text = self.head(version);
        let _ = write!(text, "m=audio {} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n", self.port);
        let _ = write!(text, "a=rtpmap:8 PCMA/8000\r\na={}\r\n", direction.name());
        text
    }

    /// The answer to an offer: its first audio with G.711 is taken, in the mirrored direction, all else is refused. A stream
    /// that the offer has switched off (port 0) stays off (RFC 3264 §6, §8.2). `None` when nothing that is on can be taken.
    pub(crate) fn answer(&self, version: u32, offer: &[u8]) -> Option<String> {
        let offer = String::from_utf8_lossy(offer);
        let session = offer.lines().take_while(|line| !line.starts_with("m=")).filter_map(direction).last();
        let mut text = self.head(version);
        let (mut taken, mut refused) = (false, false);
        for media in sections(&offer) {
            let mut words = media.first()?.strip_prefix("m=")?.split_ascii_whitespace();
            let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
            let formats: Vec<&str> = words.collect();
            let ours: Vec<&str> = formats.iter().copied().filter(|format| matches!(*format, "0" | "8")).collect();
            if taken || kind != "audio" || protocol != "RTP/AVP" || port == "0" || ours.is_empty() {
                refused |= port != "0";
                let _ = write!(text, "m={kind} 0 {protocol} {}\r\n", formats.join(" "));
                continue;
            }
            taken = true;
            let asked = media.iter().copied().rev().find_map(direction).or(session).unwrap_or(Direction::SendRecv);
            let _ = write!(text, "m=audio {} RTP/AVP {}\r\n", self.port, ours.join(" "));
            for format in ours {
                let name = if format == "0" { "PCMU" } else { "PCMA" };
                let _ = write!(text, "a=rtpmap:{format} {name}/8000\r\n");
            }
            let _ = write!(text, "a={}\r\n", asked.mirrored().name());
        }
        (taken || !refused).then_some(text)
    }
}

/// The lines of each media description, its `m=` first.
fn sections(sdp: &str) -> Vec<Vec<&str>> {
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(vec![line]);
        } else if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections
}

/// Which way media would flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same as the other end sees it.
    fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }
}

fn direction(line: &str) -> Option<Direction> {
    Some(match line.trim_end().strip_prefix("a=")? {
        "sendrecv" => Direction::SendRecv,
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

/// The session description that a message carries, among other parts of its body perhaps.
pub(crate) fn body_of<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    message.body_of_type(b"application/sdp").ok().flatten()
}

/// The direction of the first media description.
pub(crate) fn direction_of(sdp: &[u8]) -> Direction {
    let sdp = String::from_utf8_lossy(sdp);
    let session = sdp.lines().take_while(|line| !line.starts_with("m=")).filter_map(direction).last();
    let first = sections(&sdp).first().and_then(|media| media.iter().copied().rev().find_map(direction));
    first.or(session).unwrap_or(Direction::SendRecv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> Media {
        Media { address: "192.0.2.1".parse().unwrap(), port: 4000, _socket: None }
    }

    #[test]
    fn an_answer_mirrors_the_direction() {
        for (asked, answered) in [
            (Direction::SendRecv, Direction::SendRecv),
            (Direction::SendOnly, Direction::RecvOnly),
            (Direction::RecvOnly, Direction::SendOnly),
            (Direction::Inactive, Direction::Inactive),
        ] {
            let offer = media().offer(1, asked);
            assert_eq!(direction_of(offer.as_bytes()), asked);
            let answer = media().answer(1, offer.as_bytes()).unwrap();
            assert_eq!(direction_of(answer.as_bytes()), answered);
            let session = "v=0\r\na=inactive\r\nm=audio 1 RTP/AVP 8\r\n";
            assert_eq!(direction_of(media().answer(1, session.as_bytes()).unwrap().as_bytes()), Direction::Inactive);
        }
    }

    #[test]
    fn every_media_description_is_answered() {
        let offer = "v=0\r\nm=video 1 RTP/AVP 96\r\nm=audio 2 RTP/AVP 9 8 0\r\nm=audio 3 RTP/AVP 0\r\n";
        let answer = media().answer(2, offer.as_bytes()).unwrap();
        let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(lines, ["m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 0", "m=audio 0 RTP/AVP 0"]);
    }

    #[test]
    fn a_stream_that_is_switched_off_stays_off() {
        let answer = media().answer(1, b"v=0\r\nm=audio 0 RTP/AVP 0 8\r\n").unwrap();
        assert!(answer.ends_with("t=0 0\r\nm=audio 0 RTP/AVP 0 8\r\n"), "{answer}");
        // What is offered beside it has to be taken nevertheless.
        assert_eq!(media().answer(1, b"v=0\r\nm=audio 0 RTP/AVP 0\r\nm=video 2 RTP/AVP 96\r\n"), None);
    }

    #[test]
    fn an_offer_without_g711_can_not_be_taken() {
        assert_eq!(media().answer(1, b"v=0\r\nm=audio 2 RTP/AVP 9\r\n"), None);
        assert_eq!(media().answer(1, b"v=0\r\nm=audio\r\n"), None);
        assert!(media().answer(1, b"v=0\r\n").is_some());
    }
}
