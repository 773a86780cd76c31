//! What this phone can do with media, from which the user agent makes offers and answers (RFC 3264). No media flows.

use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::{Agreed, Capabilities, Codec, LocalMedia};
use std::net::{IpAddr, UdpSocket};

/// Where this phone would like to hear from its peers, and in which codecs.
pub(crate) struct Media {
    address: IpAddr,
    port: u16,
    codecs: Vec<Codec<'static>>,
    /// Keeps the port ours, so that what a peer sends there is not answered with "port unreachable".
    _socket: Option<UdpSocket>,
}

/// Codecs by the names that the command line has for them.
const CODECS: [(&str, Codec<'static>); 6] = [
    ("pcmu", Codec::PCMU),
    ("pcma", Codec::PCMA),
    ("g722", Codec::G722),
    ("g729", Codec::G729),
    ("opus", Codec::OPUS),
    ("telephone-event", Codec::TELEPHONE_EVENT),
];

/// What a phone offers when nobody says otherwise.
pub(crate) const DEFAULT_CODECS: &str = "pcmu,pcma,telephone-event";

/// A codec of the command line.
pub(crate) fn codec(name: &str) -> Result<Codec<'static>, String> {
    let known = CODECS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    known.map(|(_, codec)| *codec).ok_or_else(|| {
        let names: Vec<&str> = CODECS.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

impl Media {
    /// Takes a free port of `address`, or the discard port when there is none. Without codecs it has those of [`DEFAULT_CODECS`].
    pub(crate) fn new(address: IpAddr, codecs: &[Codec<'static>]) -> Self {
        let socket = UdpSocket::bind((address, 0)).ok();
        let port = socket.as_ref().and_then(|socket| socket.local_addr().ok()).map_or(9, |local| local.port());
        let mut codecs = codecs.to_vec();
        if codecs.is_empty() {
            codecs.extend(DEFAULT_CODECS.split(',').filter_map(|name| codec(name).ok()));
        }
        Self { address, port, codecs, _socket: socket }
    }

    /// The address of this host that media would come to.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Hands what this phone can do to `act`, its stream in this direction.
    pub(crate) fn with<T>(&self, direction: Direction, act: impl FnOnce(&Capabilities<'_>) -> T) -> T {
        let media = [LocalMedia { direction, ..LocalMedia::audio(self.port, &self.codecs) }];
        act(&Capabilities::new(self.address, &media))
    }

    /// What was agreed, in a few words: the codec and the direction.
    pub(crate) fn describe(&self, agreed: &Agreed) -> String {
        let Some(stream) = agreed.media(0) else { return "no stream".to_owned() };
        let name = self.codecs.get(usize::from(stream.codec.codec)).map_or("?", |codec| codec.encoding);
        format!("{name}, {}", stream.direction.name())
    }
}

/// What the user wants of the stream: whether to hold the peer, and whether to be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) hold: bool,
    pub(crate) mute: bool,
}

impl Wish {
    /// The direction that says so. Who holds sends music, if anything, and takes nothing.
    pub(crate) const fn direction(self) -> Direction {
        Direction::new(!self.mute, !self.hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_known_by_its_name() {
        assert_eq!(codec("PCMA"), Ok(Codec::PCMA));
        assert_eq!(codec(" telephone-event "), Ok(Codec::TELEPHONE_EVENT));
        assert!(codec("mp3").is_err_and(|text| text.contains("opus")));
        let media = Media::new("127.0.0.1".parse().unwrap(), &[]);
        assert_eq!(media.codecs, [Codec::PCMU, Codec::PCMA, Codec::TELEPHONE_EVENT]);
    }

    #[test]
    fn hold_and_mute_are_directions() {
        for (hold, mute, direction) in [
            (false, false, Direction::SendRecv),
            (true, false, Direction::SendOnly),
            (false, true, Direction::RecvOnly),
            (true, true, Direction::Inactive),
        ] {
            assert_eq!(Wish { hold, mute }.direction(), direction);
        }
    }
}
