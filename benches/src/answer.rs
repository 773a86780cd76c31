//! An offer, parsed and answered.

use sip_core::message::Message;
use sip_core::sdp::offer_answer::{Capabilities, Codec, LocalMedia, Negotiation};

const CODECS: [Codec<'_>; 4] = [Codec::PCMA, Codec::PCMU, Codec::G722, Codec::TELEPHONE_EVENT];
const AUDIO: [LocalMedia<'_>; 1] = [LocalMedia { ptime: 20, ..LocalMedia::audio(40_000, &CODECS) }];

/// The offer that a message carries, and room for the answer.
#[derive(Debug)]
pub struct Offer<'a> {
    offer: &'a [u8],
    local: Capabilities<'static>,
    room: [u8; 1024],
}

impl<'a> Offer<'a> {
    /// The body of a message.
    ///
    /// # Panics
    /// When it does not parse.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let offer = Message::parse(bytes).expect("a message").body();
        let address = core::net::Ipv4Addr::new(192, 0, 2, 40).into();
        Self { offer, local: Capabilities::new(address, &AUDIO), room: [0; 1024] }
    }

    /// Reads the offer and writes the answer, in a new dialog; how long the answer is, and which codec it takes.
    ///
    /// # Panics
    /// When the offer can't be taken.
    #[must_use]
    pub fn answer(&mut self) -> usize {
        let mut negotiation = Negotiation::new(3_981_720_455);
        let answer = negotiation.receive_offer(&self.local, self.offer, &mut self.room).expect("a shared codec");
        negotiation.answer_sent();
        answer.length + usize::from(answer.agreed.media(0).map_or(0, |stream| stream.codec.send))
    }
}
