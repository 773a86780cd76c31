//! What strangers do to messages, over the whole corpus.

use sip_core::message::Message;
use sip_testkit::corpus::corpus;

#[test]
fn every_message_is_taken() {
    let mut refused = Vec::new();
    for sample in corpus() {
        match Message::parse(&sample.octets) {
            Ok(message) => _ = message,
            Err(failure) => refused.push(format!("{}: {:?} at {}", sample.title(), failure.error(), failure.at())),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
