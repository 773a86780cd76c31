//! The machine and its descriptions. The codecs' table is tested in `matching`, the machine's in `table`; what others have
//! written down in `examples`; sessions that change in `changes`; what peers must not be able to do in `hostile`; two of this
//! engine with each other in `pairs`.

mod changes;
mod examples;
mod hostile;
mod matching;
mod pairs;
mod table;

use super::*;
use crate::sdp::Direction;

const HERE: &str = "192.0.2.1";

/// A description of the peer's: its session lines, then these with LF for CRLF.
fn theirs(media: &str) -> Vec<u8> {
    format!("v=0\no=- 7 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n{media}").replace('\n', "\r\n").into_bytes()
}

/// One end with what it has written last.
#[derive(Clone)]
struct End {
    negotiation: Negotiation,
    last: String,
}

impl End {
    fn new() -> Self {
        Self { negotiation: Negotiation::new(1), last: String::new() }
    }

    fn state(&self) -> State {
        self.negotiation.state()
    }

    fn keep(&mut self, buffer: &[u8]) {
        self.last = String::from_utf8(buffer.to_vec()).unwrap();
        Session::parse(buffer).unwrap();
    }

    fn offer(&mut self, media: &[LocalMedia<'_>]) -> Result<String, Refusal> {
        let mut buffer = [0; 4096];
        let length = self.negotiation.offer(&here(media), &mut buffer)?;
        self.keep(&buffer[..length]);
        Ok(self.media_lines())
    }

    /// Answers an offer and sends the answer.
    fn answer(&mut self, media: &[LocalMedia<'_>], offer: &[u8]) -> Result<Agreed, Refusal> {
        let answer = self.prepare(media, offer)?;
        self.negotiation.answer_sent();
        Ok(answer)
    }

    fn prepare(&mut self, media: &[LocalMedia<'_>], offer: &[u8]) -> Result<Agreed, Refusal> {
        let mut buffer = [0; 32768];
        let answer = self.negotiation.receive_offer(&here(media), offer, &mut buffer)?;
        self.keep(&buffer[..answer.length]);
        Ok(answer.agreed)
    }

    fn receive_answer(&mut self, media: &[LocalMedia<'_>], answer: &[u8]) -> Result<Agreed, Refusal> {
        self.negotiation.receive_answer(&here(media), answer)
    }

    /// What was written last from the first `m=` on, LF for CRLF.
    fn media_lines(&self) -> String {
        let text = self.last.replace("\r\n", "\n");
        text.find("m=").map_or(String::new(), |at| text[at..].to_owned())
    }

    /// The `m=` lines of what was written last.
    fn heads(&self) -> Vec<&str> {
        self.last.lines().filter(|line| line.starts_with("m=")).collect()
    }
}

fn here<'a>(media: &'a [LocalMedia<'a>]) -> Capabilities<'a> {
    Capabilities::new(HERE.parse().unwrap(), media)
}

/// The payload types of a stream: those that are sent, and those that are received.
fn numbers(stream: &Stream) -> (Vec<u8>, Vec<u8>) {
    let payloads = stream.payloads().iter();
    payloads.map(|payload| (payload.send, payload.receive)).unzip()
}
