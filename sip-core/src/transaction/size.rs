//! The size rule (RFC 3261 §18.1.1): a request that is too large for a datagram goes by a stream.

use crate::memory::{Block, Octets};
use crate::message::compact;
use crate::transport::Oversize;

/// How far the size rule has come with one request; the zero value is "small enough, or not asked yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sizing {
    /// Its size as it was written first, in two octets so that all three fit where an entry has three to spare; zero unless
    /// it is too large.
    long: [u8; 2],
    stage: Stage,
}

/// What was decided for a request that is too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Stage {
    /// It goes by stream, which the user is to be told.
    #[default]
    Stream = 0,
    /// The user was told.
    StreamTold,
    /// There is no stream: it goes by datagram, which the user is to be told.
    Datagram,
    /// The user was told that too.
    DatagramTold,
}

impl Sizing {
    pub(super) const ZERO: Self = Self { long: [0; 2], stage: Stage::Stream };

    /// Gives a request compact names when it is larger than `limit`; what to remember of it when that is not enough.
    pub(super) fn fit<O: Octets>(octets: &mut O, block: Block, limit: u16) -> Self {
        let octets_of = octets.get_mut(block);
        let long = octets_of.len();
        if !cfg!(feature = "streams") || long <= usize::from(limit) {
            return Self::ZERO;
        }
        let short = compact(octets_of);
        octets.truncate(block, short);
        if short <= usize::from(limit) {
            return Self::ZERO;
        }
        Self { long: u16::try_from(long).unwrap_or(u16::MAX).to_le_bytes(), stage: Stage::Stream }
    }

    /// Whether the request is too large for a datagram.
    pub(super) const fn is_oversize(self) -> bool {
        cfg!(feature = "streams") && u16::from_le_bytes(self.long) != 0
    }

    /// Whether it goes by datagram although it is too large.
    pub(super) const fn is_forced(self) -> bool {
        self.is_oversize() && matches!(self.stage, Stage::Datagram | Stage::DatagramTold)
    }

    /// No stream is to be had.
    pub(super) const fn force(&mut self) {
        self.stage = Stage::Datagram;
    }

    /// What the user has not been told yet, with the size of the request as it is now.
    pub(super) fn take_news(&mut self, compact: usize, limit: u16) -> Option<Oversize> {
        if !self.is_oversize() {
            return None;
        }
        self.stage = match self.stage {
            Stage::Stream => Stage::StreamTold,
            Stage::Datagram => Stage::DatagramTold,
            Stage::StreamTold | Stage::DatagramTold => return None,
        };
        let long = u16::from_le_bytes(self.long);
        Some(Oversize { long, compact: u16::try_from(compact).unwrap_or(u16::MAX), limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Pool;

    #[test]
    fn a_request_is_compacted_when_it_has_to_be_and_each_news_is_told_once() {
        let request = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        let short = request.len() - "ontent-Length".len();
        for limit in short - 1..=request.len() {
            let mut pool = Pool::<256>::new();
            let block = pool.write(64, false, |_, writer| writer.raw(request)).unwrap();
            let mut sizing = Sizing::fit(&mut pool, block, limit as u16);
            let length = pool.get(block).len();
            assert_eq!(length, if limit < request.len() { short } else { request.len() });
            assert_eq!(sizing.is_oversize(), limit < short);
            let news = Oversize { long: request.len() as u16, compact: short as u16, limit: limit as u16 };
            let expected = sizing.is_oversize().then_some(news);
            for forced in [false, true] {
                assert_eq!(sizing.is_forced(), forced && sizing.is_oversize());
                assert_eq!(sizing.take_news(length, limit as u16), expected);
                assert_eq!(sizing.take_news(length, limit as u16), None);
                sizing.force();
            }
        }
    }
}
