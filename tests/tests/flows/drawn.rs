//! A ladder as text, to be compared whole.

use sip_core::message::{HeaderName, Message};
use sip_testkit::{Fate, HasWorld};

/// What was sent from line `since` of the ladder on, a message a line: `alice -> bob 200 INVITE (sdp)`, `bob -> alice NOTIFY (sipfrag)`, and `alice -x bob BYE` for what
/// was lost.
pub(crate) fn drawn<W: HasWorld>(scene: &W, since: u64) -> Vec<String> {
    let ladder = scene.world().ladder();
    let name = |of| {
        let found = ladder.endpoints().find(|(address, _)| *address == of);
        found.map_or("wire", |(_, name)| name.split(' ').next().unwrap_or_default()).to_owned()
    };
    let mut lines = Vec::new();
    for sent in ladder.datagrams_since(since) {
        let message = Message::parse(&sent.bytes).expect("a message");
        if message.status() == Some(100) {
            continue;
        }
        let method = String::from_utf8_lossy(message.cseq().method.as_bytes()).into_owned();
        let kind = message.status().map_or(method.clone(), |status| format!("{status} {method}"));
        let arrow = if sent.fate == Fate::Lost { "-x" } else { "->" };
        let is_sipfrag =
            message.header(HeaderName::ContentType).is_some_and(|kind| kind.starts_with(b"message/sipfrag"));
        let body = match message.body() {
            b"" => "",
            _ if is_sipfrag => " (sipfrag)",
            _ => " (sdp)",
        };
        lines.push(format!("{} {arrow} {} {kind}{body}", name(sent.from), name(sent.to)));
    }
    lines
}

/// Fails unless the ladder from line `since` on has exactly these messages, in this order.
#[track_caller]
pub(crate) fn assert_ladder<W: HasWorld>(scene: &W, since: u64, expected: &str) {
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(drawn(scene, since), expected, "\n{}", scene.world().explain());
}

/// The line of the ladder that comes next.
pub(crate) fn now<W: HasWorld>(scene: &W) -> u64 {
    scene.world().ladder().next_number()
}
