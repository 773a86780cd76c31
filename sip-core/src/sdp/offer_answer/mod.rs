//! Offers and answers (RFC 3264, as SIP uses them: RFC 6337), without I/O: capabilities and the peer's description in, this
//! end's description and what is agreed out.
//!
//! ```text
//!                    offer is made       +----------------+
//!            +-------------------------->| HaveLocalOffer |---+ preview of the answer,
//!            |                           |                |<--+ a bad answer
//!            |      good answer: agreed, +----------------+
//!     +------------+   rollback             |
//!     |   Stable   |<-----------------------+
//!     |            |<-----------------------+
//!     +------------+   answer is sent,      |
//!            |         rollback          +-----------------+
//!            +-------------------------->| HaveRemoteOffer |
//!          offer comes, answer is made   +-----------------+
//! ```
//!
//! | input | Stable | HaveLocalOffer | HaveRemoteOffer |
//! |---|---|---|---|
//! | make an offer | HaveLocalOffer | refused: `LocalOfferPending` | refused: `RemoteOfferPending` |
//! | an offer comes | HaveRemoteOffer | refused: `LocalOfferPending`, 491 | refused: `RemoteOfferPending`, 500 |
//! | an offer comes that can't be taken | refused: 400, 488 | as above | as above |
//! | the answer is sent | - | - | Stable, agreed |
//! | an answer comes | refused: `NoOffer` | Stable, agreed | refused: `NoOffer` |
//! | an answer comes that is bad | refused: `NoOffer` | refused, as before | refused: `NoOffer` |
//! | a preview comes | refused: `NoOffer` | told | refused: `NoOffer` |
//! | the answer stays away that was seen before | refused: `NoOffer` | Stable, agreed; `Mismatch` without a preview | refused: `NoOffer` |
//! | rollback | - | Stable, as agreed before | Stable, as agreed before |
//!
//! A [`Negotiation`] is a small Copy value, one for each dialog: forks of a call start as copies of the one that made the offer.
//! It remembers the `m=` lines and the numbers of `o=`, no text and no address. Which message may carry an offer or an answer is
//! the user's business; [`meaning`] knows.
//!
//! | | bound |
//! |---|---|
//! | streams that can be on | [`MAX_STREAMS`]; further `m=` lines of an offer are refused with port 0, in their place |
//! | codecs of a medium | [`MAX_CODECS`], of the formats of an offer those that are known |
//! | what is read | the limits of [`Session::parse`]; each line is looked at a fixed number of times |
//! | room on the stack | about 3 KB while a description is read |
//!
//! ```
//! use sip_core::sdp::offer_answer::{Capabilities, Codec, LocalMedia, Negotiation};
//! use sip_core::sdp::Direction;
//!
//! let codecs = [Codec::PCMA, Codec::PCMU, Codec::TELEPHONE_EVENT];
//! let media = [LocalMedia::audio(4000, &codecs)];
//! let alice = Capabilities::new("192.0.2.1".parse().unwrap(), &media);
//! let held = [LocalMedia { direction: Direction::SendOnly, port: 5000, ..media[0] }];
//! let bob = Capabilities::new("192.0.2.2".parse().unwrap(), &held);
//!
//! let (mut at_alice, mut at_bob) = (Negotiation::new(1), Negotiation::new(2));
//! let (mut offer, mut answer) = ([0; 1024], [0; 1024]);
//! let length = at_alice.offer(&alice, &mut offer).unwrap();
//! let theirs = at_bob.receive_offer(&bob, &offer[..length], &mut answer).unwrap();
//! at_bob.answer_sent();
//! let ours = at_alice.receive_answer(&alice, &answer[..theirs.length]).unwrap();
//!
//! let audio = ours.media(0).unwrap();
//! assert_eq!(audio.remote, Some("192.0.2.2:5000".parse().unwrap()));
//! assert_eq!((audio.codec.send, audio.events.unwrap().send), (8, 101));
//! assert!(ours.is_held() && audio.direction == Direction::RecvOnly);
//! ```

mod agreed;
mod answer;
mod capabilities;
mod codecs;
mod lines;
mod place;
mod read;
mod refusal;
mod write;

pub use agreed::{Agreed, Payload, Stream};
pub use capabilities::{Capabilities, Codec, LocalMedia, Profile};
pub use place::{Carrier, Meaning, Progress, meaning};
pub use refusal::{Refusal, Warning};

use super::{Session, Writer};
use crate::message::scan::find;
use lines::Lines;

/// The most streams that can be on in one session.
pub const MAX_STREAMS: usize = 4;
/// The most codecs of one medium, telephone-event and the like included.
pub const MAX_CODECS: usize = 8;
/// The longest packet that a peer is believed to want, in milliseconds.
pub const MAX_PTIME: u16 = 200;

/// The offers and answers of one dialog; all zero is one that has not begun and whose session has the number 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Negotiation {
    /// The number of the session in `o=`, which stays.
    session_id: u64,
    /// A hash of what this end has written last, `o=` left out; the version rises when it changes.
    written: u64,
    /// The version in `o=` that was written last; 0 before the first.
    version: u32,
    state: State,
    /// Whether an offer has had its answer.
    agreed: bool,
    /// `pending` is what the first offer of the session has, this end's, and what each fork answers.
    is_first: bool,
    /// Which lines the preview of the answer has taken, by bits, and the high bit for that there was one.
    preview: u8,
    current: Lines,
    /// What will be current when the offer that is out has its answer.
    pending: Lines,
}

/// Whose offer is out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// None: what was agreed last holds.
    #[default]
    Stable,
    /// This end has offered and waits for an answer.
    HaveLocalOffer,
    /// The peer has offered, and the answer is made but not sent for good.
    HaveRemoteOffer,
}

/// What happens to a negotiation.
#[derive(Clone, Copy)]
enum Input {
    MakeOffer,
    Offer,
    AnswerSent,
    Answer,
    Preview,
    Rollback,
}

/// The answer to an offer, written and not yet sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Answer {
    /// How many octets of the buffer it has.
    pub length: usize,
    /// What holds once it is sent.
    pub agreed: Agreed,
}

const PREVIEWED: u8 = 0x80;

impl Negotiation {
    /// All zero.
    pub(crate) const ZERO: Self = Self {
        session_id: 0,
        written: 0,
        version: 0,
        state: State::Stable,
        agreed: false,
        is_first: false,
        preview: 0,
        current: Lines::ZERO,
        pending: Lines::ZERO,
    };

    /// The negotiation of a new dialog, in Stable. `session_id` is random, so that no two sessions share it (RFC 8866 §5.2).
    #[must_use]
    pub fn new(session_id: u64) -> Self {
        Self { session_id, ..Self::default() }
    }

    /// The negotiation of another dialog that answers the same INVITE: this one as it was when its offer had been made, whatever
    /// came since. All zero when this end has not made the first offer, or has gone on to another.
    #[must_use]
    pub fn fork(&self) -> Self {
        if !self.is_first {
            return Self::ZERO;
        }
        Self { state: State::HaveLocalOffer, agreed: false, preview: 0, current: Lines::ZERO, ..*self }
    }

    /// Whose offer is out.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether an offer has had its answer: a session is there.
    #[must_use]
    pub const fn is_agreed(&self) -> bool {
        self.agreed
    }

    /// The version in `o=` of this end's last description; 0 before the first (RFC 3264 §8).
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Writes an offer and returns its length: the first one, or one that changes the session.
    ///
    /// # Errors
    /// When an offer is out, for [`Refusal::Capabilities`], or for [`Refusal::Write`].
    pub fn offer(&mut self, local: &Capabilities<'_>, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let state = self.after(Input::MakeOffer)?;
        let lines = self.current.to_offer(local)?;
        let length = self.write(local, buffer, &|w| lines.write(local, w))?;
        (self.state, self.pending, self.preview) = (state, lines, 0);
        self.is_first = !self.agreed;
        Ok(length)
    }

    /// What answering an offer would agree upon. Nothing is written, and nothing changes.
    ///
    /// # Errors
    /// As [`receive_offer`](Self::receive_offer).
    pub fn preview_offer(&self, local: &Capabilities<'_>, offer: &[u8]) -> Result<Agreed, Refusal> {
        self.after(Input::Offer)?;
        let session = Session::parse(offer).map_err(Refusal::Malformed)?;
        let mut plan = answer::Plan::new(&self.current, &session);
        plan.decide(local)?;
        Ok(plan.agreed)
    }

    /// Reads an offer and writes the answer, which holds when [`answer_sent`](Self::answer_sent) says so.
    ///
    /// To change an answer that is not sent, [`rollback`](Self::rollback) and give the offer once more.
    ///
    /// # Errors
    /// When an offer is out, when it can't be read or taken, or for [`Refusal::Write`]; [`Refusal::status`] is what the
    /// request that carried it is refused with.
    pub fn receive_offer(
        &mut self,
        local: &Capabilities<'_>,
        offer: &[u8],
        buffer: &mut [u8],
    ) -> Result<Answer, Refusal> {
        let state = self.after(Input::Offer)?;
        let session = Session::parse(offer).map_err(Refusal::Malformed)?;
        let mut plan = answer::Plan::new(&self.current, &session);
        plan.decide(local)?;
        let length = self.write(local, buffer, &|w| plan.write(local, w))?;
        (self.state, self.pending, self.is_first) = (state, plan.lines, false);
        Ok(Answer { length, agreed: plan.agreed })
    }

    /// The answer was sent in a message that is sure to arrive: a 2xx, a reliable 1xx, ACK or PRACK. What an unreliable 1xx has
    /// shown of it before, the 2xx repeats (RFC 3261 §13.2.1).
    pub fn answer_sent(&mut self) {
        if self.state == State::HaveRemoteOffer
            && let Ok(state) = self.after(Input::AnswerSent)
        {
            self.agree(state, self.pending);
        }
    }

    /// Reads the answer to this end's offer, with the capabilities of the offer.
    ///
    /// # Errors
    /// [`Refusal::NoOffer`] for an answer that comes once more, or to nothing: it is ignored. [`Refusal::Malformed`] and
    /// [`Refusal::Mismatch`] for a bad one: the offer is still out, and a good one may follow.
    pub fn receive_answer(&mut self, local: &Capabilities<'_>, answer: &[u8]) -> Result<Agreed, Refusal> {
        let state = self.after(Input::Answer)?;
        let (agreed, lines) = self.read_answer(local, answer)?;
        self.agree(state, lines);
        Ok(agreed)
    }

    /// Reads what an unreliable 1xx shows of the answer: for early media, until the answer comes (RFC 6337 §3.1.1).
    ///
    /// # Errors
    /// As [`receive_answer`](Self::receive_answer).
    pub fn receive_preview(&mut self, local: &Capabilities<'_>, answer: &[u8]) -> Result<Agreed, Refusal> {
        self.state = self.after(Input::Preview)?;
        let (agreed, lines) = self.read_answer(local, answer)?;
        self.preview = PREVIEWED;
        for (place, line) in (0..).zip(&lines.list) {
            self.preview |= u8::from(line.medium().is_some()).wrapping_shl(place);
        }
        Ok(agreed)
    }

    /// The 2xx has no answer: what was shown of it before holds, as gateways do that answer in an unreliable 1xx alone.
    ///
    /// # Errors
    /// [`Refusal::NoOffer`], or [`Refusal::Mismatch`] when nothing was shown.
    pub fn accept_preview(&mut self) -> Result<(), Refusal> {
        let state = self.after(Input::Answer)?;
        if self.preview & PREVIEWED == 0 {
            return Err(Refusal::Mismatch);
        }
        let mut lines = self.pending;
        for (place, line) in (0..).zip(&mut lines.list) {
            if self.preview.wrapping_shr(place) & 1 == 0 {
                line.turn_off();
            }
        }
        self.agree(state, lines);
        Ok(())
    }

    /// The offer that is out is void: its request was refused, cancelled or got no response. What was agreed before holds
    /// (RFC 3264 §8, RFC 6337 §3.4). The version in `o=` stays, for the peer may have seen it.
    pub fn rollback(&mut self) {
        if let Ok(state) = self.after(Input::Rollback) {
            (self.state, self.preview) = (state, 0);
        }
    }

    /// The state after an input; an error when it comes at the wrong time.
    const fn after(&self, input: Input) -> Result<State, Refusal> {
        match self.state {
            State::Stable => Self::in_stable(input),
            State::HaveLocalOffer => Self::in_have_local_offer(input),
            State::HaveRemoteOffer => Self::in_have_remote_offer(input),
        }
    }

    const fn in_stable(input: Input) -> Result<State, Refusal> {
        match input {
            Input::MakeOffer => Ok(State::HaveLocalOffer),
            Input::Offer => Ok(State::HaveRemoteOffer),
            Input::Answer | Input::Preview => Err(Refusal::NoOffer),
            Input::AnswerSent | Input::Rollback => Ok(State::Stable),
        }
    }

    const fn in_have_local_offer(input: Input) -> Result<State, Refusal> {
        match input {
            Input::MakeOffer | Input::Offer => Err(Refusal::LocalOfferPending),
            Input::AnswerSent | Input::Preview => Ok(State::HaveLocalOffer),
            Input::Answer | Input::Rollback => Ok(State::Stable),
        }
    }

    const fn in_have_remote_offer(input: Input) -> Result<State, Refusal> {
        match input {
            Input::MakeOffer | Input::Offer => Err(Refusal::RemoteOfferPending),
            Input::Answer | Input::Preview => Err(Refusal::NoOffer),
            Input::AnswerSent | Input::Rollback => Ok(State::Stable),
        }
    }

    fn agree(&mut self, state: State, lines: Lines) {
        (self.state, self.current, self.agreed, self.preview) = (state, lines, true, 0);
    }

    fn read_answer(&self, local: &Capabilities<'_>, answer: &[u8]) -> Result<(Agreed, Lines), Refusal> {
        let session = Session::parse(answer).map_err(Refusal::Malformed)?;
        answer::read(local, &self.pending, &session)
    }

    /// Writes a description, with the next version when it differs from the last one (RFC 3264 §8).
    fn write(
        &mut self,
        local: &Capabilities<'_>,
        buffer: &mut [u8],
        media: &dyn Fn(&mut Writer<'_>),
    ) -> Result<usize, Refusal> {
        let session_id = self.session_id;
        let mut describe = |version: u32| {
            let mut w = Writer::new(buffer);
            w.session(session_id, u64::from(version), local.address);
            for attribute in local.attributes {
                w.attribute(attribute);
            }
            media(&mut w);
            let length = w.finish().map_err(Refusal::Write)?;
            Ok((length, hash(buffer.get(..length).unwrap_or_default())))
        };
        let mut version = self.version.max(1);
        let (mut length, written) = describe(version)?;
        if self.version != 0 && written != self.written {
            version = version.saturating_add(1);
            (length, _) = describe(version)?;
        }
        (self.version, self.written) = (version, written);
        Ok(length)
    }
}

/// A hash of a description of this end, its first two lines left out: `v=`, and `o=` with the version.
fn hash(description: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let origin = b"v=0\r\n".len();
    let rest = description.get(find(description, origin, b'\n')..).unwrap_or_default();
    let mut hash = rest.len() as u64;
    let mut add = |octets: u64| hash = (hash.rotate_left(23) ^ octets).wrapping_mul(FACTOR);
    let (words, _) = rest.as_chunks();
    words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    // What is left, with some of what was before: no description is shorter.
    add(rest.last_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
    hash
}

#[cfg(test)]
mod tests;
