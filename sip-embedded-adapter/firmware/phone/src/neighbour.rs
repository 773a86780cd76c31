//! Neighbours that are not there.
//!
//! smoltcp keeps a datagram at the head of its socket's queue until the neighbour that it is for has told its hardware
//! address. One that never does, a host that is switched off or an address that a stranger has made up, so holds up
//! whatever is behind it, to whomever (smoltcp-rs/smoltcp#594). Here its silence is noticed in the frames that pass, and in
//! its place smoltcp is told the address of nobody: what is for that neighbour is lost, as it would be anyway, and the rest
//! goes out. smoltcp forgets that address after a minute, or as soon as the neighbour says its own.

/// Octets of an ARP packet in its frame (RFC 826).
const LENGTH: usize = 42;

/// Ethernet type ARP; hardware Ethernet, protocol IPv4, addresses of six and four octets.
const ARP: [u8; 8] = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// Questions, a second apart, that a neighbour may leave without an answer.
const QUESTIONS: u8 = 3;

/// A hardware address that is locally administered and that nobody has.
const NOBODY: [u8; 6] = [0x02, 0, 0, 0, 0, 0];

/// An ARP packet, as much of it as counts here.
struct Packet {
    operation: u8,
    sender: ([u8; 6], [u8; 4]),
    target: [u8; 4],
}

impl Packet {
    /// The packet in a frame, if it is one.
    fn of(frame: &[u8]) -> Option<Self> {
        let frame: &[u8; LENGTH] = frame.first_chunk()?;
        let (_, packet) = frame.split_first_chunk::<12>()?;
        let (kind, packet) = packet.split_first_chunk()?;
        let ([0, operation], packet) = packet.split_first_chunk()? else { return None };
        let (hardware, packet) = packet.split_first_chunk()?;
        let (protocol, packet) = packet.split_first_chunk()?;
        let target = packet.last_chunk()?;
        (*kind == ARP).then_some(Self { operation: *operation, sender: (*hardware, *protocol), target: *target })
    }
}

/// Watches whether the neighbour that was asked last has answered.
#[derive(Debug, Default)]
pub struct Watch {
    /// Who was asked, and how often in a row.
    neighbour: [u8; 4],
    questions: u8,
    /// Who asked.
    own: ([u8; 6], [u8; 4]),
}

impl Watch {
    /// Nobody was asked.
    pub const ZERO: Self = Self { neighbour: [0; 4], questions: 0, own: ([0; 6], [0; 4]) };

    /// Takes note of a frame that goes out.
    pub fn sent(&mut self, frame: &[u8]) {
        if let Some(packet) = Packet::of(frame).filter(|packet| packet.operation == REQUEST) {
            if packet.target != self.neighbour {
                (self.neighbour, self.questions) = (packet.target, 0);
            }
            self.questions = self.questions.saturating_add(1);
            self.own = packet.sender;
        }
    }

    /// Takes note of a frame that came in.
    pub fn received(&mut self, frame: &[u8]) {
        if Packet::of(frame).is_some_and(|packet| packet.sender.1 == self.neighbour) {
            self.questions = 0;
        }
    }

    /// Writes an answer in the place of a neighbour that was asked once more than it may leave unanswered, and gives the
    /// length of that frame.
    pub fn answer(&mut self, frame: &mut [u8]) -> Option<usize> {
        let frame: &mut [u8; LENGTH] = frame.first_chunk_mut()?;
        if self.questions <= QUESTIONS {
            return None;
        }
        self.questions = 0;
        let (hardware, protocol) = self.own;
        let parts: [&[u8]; 8] = [&hardware, &NOBODY, &ARP, &[0, REPLY], &NOBODY, &self.neighbour, &hardware, &protocol];
        let octets = parts.into_iter().flatten();
        frame.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
        Some(LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: ([u8; 6], [u8; 4]) = ([2, 1, 1, 1, 1, 1], [10, 0, 2, 15]);

    fn frame(operation: u8, sender: ([u8; 6], [u8; 4]), target: [u8; 4]) -> Vec<u8> {
        let ends: [&[u8]; 2] = [&[0xff; 6], &sender.0];
        let packet: [&[u8]; 6] = [&ARP, &[0, operation], &sender.0, &sender.1, &[0; 6], &target];
        ends.into_iter().chain(packet).flatten().copied().collect()
    }

    fn ask(watch: &mut Watch, target: u8) -> Option<Vec<u8>> {
        watch.sent(&frame(REQUEST, OWN, [10, 0, 2, target]));
        let mut room = [0; 60];
        watch.answer(&mut room).map(|length| room[..length].to_vec())
    }

    #[test]
    fn a_neighbour_that_is_silent_for_three_questions_is_answered_for_at_the_fourth() {
        let mut watch = Watch::ZERO;
        for _ in 0..2 {
            let answers: Vec<_> = (0..4).map(|_| ask(&mut watch, 99)).collect();
            assert!(answers[..3].iter().all(Option::is_none));
            let mut answer = frame(REPLY, (NOBODY, [10, 0, 2, 99]), OWN.1);
            answer[..6].copy_from_slice(&OWN.0);
            answer[32..38].copy_from_slice(&OWN.0);
            assert_eq!(answers[3].as_ref(), Some(&answer));
        }
    }

    #[test]
    fn one_that_answers_or_asks_itself_is_there() {
        for operation in [REQUEST, REPLY] {
            let mut watch = Watch::ZERO;
            for _ in 0..20 {
                assert_eq!(ask(&mut watch, 2), None);
                watch.received(&frame(operation, ([2; 6], [10, 0, 2, 2]), OWN.1));
            }
            // Another one's word says nothing of it.
            watch.received(&frame(operation, ([2; 6], [10, 0, 2, 3]), OWN.1));
            for answered in [false, false, false, true] {
                watch.received(&frame(operation, ([2; 6], [10, 0, 2, 3]), OWN.1));
                assert_eq!(ask(&mut watch, 2).is_some(), answered);
            }
        }
    }

    #[test]
    fn each_neighbour_has_its_own_three_questions() {
        let mut watch = Watch::ZERO;
        for target in [1, 1, 1, 2, 2, 2, 1, 1, 1] {
            assert_eq!(ask(&mut watch, target), None);
        }
        assert!(ask(&mut watch, 1).is_some());
    }

    #[test]
    fn other_frames_are_nothing_to_it() {
        let mut watch = Watch::ZERO;
        let question = frame(REQUEST, OWN, [10, 0, 2, 99]);
        for _ in 0..9 {
            for length in 0..LENGTH {
                watch.sent(&question[..length]);
            }
            for at in 12..20 {
                let mut other = question.clone();
                other[at] ^= 0x55;
                watch.sent(&other);
            }
            watch.sent(&frame(REPLY, OWN, [10, 0, 2, 99]));
        }
        assert_eq!(watch.answer(&mut [0; 60]), None);
        (0..3).for_each(|_| assert_eq!(ask(&mut watch, 99), None));
        watch.sent(&question);
        assert_eq!(watch.answer(&mut [0; LENGTH - 1]), None);
        assert!(watch.answer(&mut [0; LENGTH]).is_some());
    }
}
