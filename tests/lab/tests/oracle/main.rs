//! Every typed field of the corpus is what independent parsers read: headers what `rsip` reads, session descriptions what
//! `sdp-types` reads, and so in the samples of the benchmarks and the messages in the folder that `SIP_BENCH_DIR` names.
//!
//! Compared are the Request-URI and all headers that `rsip` types: each part, octet for octet, and the parameters in their order.
//! Case is not compared where it means nothing: names of parameters, schemes, transports, algorithms and hosts. The headers of
//! extensions have no other parser here; [`properties::FAMILIES`](sip_lab::properties::FAMILIES) has them written and read
//! again.
//!
//! Where both differ the RFC decides. What the other parser gets wrong, or does not take at all, is in a table with the section
//! that says so; an entry that no longer differs fails the test, so that none goes stale.

mod dns;
mod sdp;
mod sip;

use sip_core::message::Message;
use sip_core::sdp::Session;
use sip_lab::corpus::corpus;
use std::collections::BTreeMap;

/// The parts of a value: which one, and what it is.
type Parts = Vec<(String, String)>;

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Adds a part.
#[allow(clippy::needless_pass_by_value, reason = "texts and numbers, made on the spot")]
fn part(parts: &mut Parts, name: &str, value: impl ToString) {
    parts.push((name.to_owned(), value.to_string()));
}

/// Adds a part whose case means nothing.
#[allow(clippy::needless_pass_by_value, reason = "texts and numbers, made on the spot")]
fn word(parts: &mut Parts, name: &str, value: impl ToString) {
    part(parts, name, value.to_string().to_lowercase());
}

/// A value of one part.
fn one(value: impl ToString) -> Parts {
    let mut parts = Parts::new();
    part(&mut parts, "value", value);
    parts
}

/// What the other parser gets wrong, the section that says so, and the values of the corpus that show it.
type Fault = (&'static str, &'static str, &'static [&'static str]);

/// What is found by comparing.
#[derive(Default)]
struct Found {
    /// Values that both read, by header, and how many parts of them were the same.
    values: BTreeMap<String, usize>,
    parts: usize,
    /// The values that the other parser does not take, or of which a part differs; and how.
    differ: BTreeMap<String, String>,
}

impl Found {
    #[allow(clippy::needless_pass_by_value, reason = "made for the comparison")]
    fn compare(&mut self, title: &str, what: &str, ours: Parts, theirs: Option<Parts>) {
        match theirs {
            Some(theirs) if ours == theirs => {
                *self.values.entry(what.to_owned()).or_default() += 1;
                self.parts += ours.len();
            }
            theirs => _ = self.differ.insert(format!("{title} {what}"), format!("{ours:?}, the other {theirs:?}")),
        }
    }

    /// How many values both read.
    fn count(&self) -> usize {
        self.values.values().sum()
    }

    /// Compares all that there is in a message.
    fn message(&mut self, title: &str, octets: &[u8]) {
        let Ok(message) = Message::parse(octets) else { return };
        self.headers(title, &message);
        if message.body().starts_with(b"v=")
            && let Ok(session) = Session::parse(message.body())
        {
            self.description(title, &session);
        }
    }

    /// Takes what is known to differ away; nothing else may be left.
    fn settle(mut self, faults: &[Fault]) {
        let mut stale = Vec::new();
        for (fault, section, places) in faults {
            stale.extend(
                places
                    .iter()
                    .filter(|place| self.differ.remove(**place).is_none())
                    .map(|place| (place, fault, section)),
            );
        }
        assert!(stale.is_empty() && self.differ.is_empty(), "no longer differ: {stale:#?}; differ: {:#?}", self.differ);
    }
}

#[test]
fn every_typed_field_is_what_an_independent_parser_reads() {
    let mut found = Found::default();
    for sample in corpus() {
        if let Ok(message) = Message::parse(&sample.octets) {
            found.headers(&sample.title(), &message);
        }
    }
    assert!(found.count() > 3000 && found.parts > 13_000, "{} values, {} parts", found.count(), found.parts);
    let missing: Vec<_> = sip::HEADERS.iter().filter(|name| !found.values.contains_key(**name)).collect();
    found.settle(sip::FAULTS);
    assert!(missing.is_empty(), "nothing was read by both of {missing:?}");
}

#[test]
fn every_line_of_a_description_is_what_an_independent_parser_reads() {
    let mut found = Found::default();
    let mut count = 0;
    for sample in corpus() {
        let Ok(message) = Message::parse(&sample.octets) else { continue };
        if let (true, Ok(session)) = (message.body().starts_with(b"v="), Session::parse(message.body())) {
            found.description(&sample.title(), &session);
            count += 1;
        }
    }
    assert!(count > 30 && found.parts > 1000, "{count} descriptions, {} parts", found.parts);
    let missing: Vec<_> = sdp::LINES.iter().filter(|name| !found.values.contains_key(**name)).collect();
    found.settle(sdp::FAULTS);
    assert!(missing.is_empty(), "nothing was read by both of {missing:?}");
}

/// The control: a value, a parameter's place and a letter's case that are read wrong are found.
#[test]
fn a_field_that_is_read_wrong_is_found() {
    let start = "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
        Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n";
    for (ours, theirs) in [
        ("Contact: <sip:a@h:5060>;x=1;y=2", "Contact: <sip:a@h:5061>;x=1;y=2"),
        ("Contact: <sip:a@h:5060>;x=1;y=2", "Contact: <sip:a@h:5060>;y=2;x=1"),
        ("Contact: <sip:a@h>;x=a", "Contact: <sip:a@h>;x=A"),
        ("Content-Type: a/b;c=d", "Content-Type: a/b;c=e"),
        ("Allow: ACK, BYE", "Allow: BYE, ACK"),
    ] {
        let octets = [ours, theirs].map(|row| format!("{start}{row}\r\n\r\n").into_bytes());
        let messages = octets.each_ref().map(|octets| Message::parse(octets).expect("a message"));
        let read = messages.each_ref().map(sip::read);
        let mut found = Found::default();
        for ((what, ours, _), (_, _, theirs)) in read[0].iter().zip(&read[1]) {
            found.compare("control", what, ours.clone(), theirs.clone());
        }
        assert_eq!(found.differ.len(), 1, "{ours} and {theirs}: {:?}", found.differ);
    }
    let described = |line: &str| {
        format!("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n{line}\r\n").into_bytes()
    };
    for (ours, theirs) in
        [("a=fmtp:0 x;y", "a=fmtp:0 y;x"), ("a=ptime:20", "a=ptime:30"), ("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.2")]
    {
        let octets = [described(ours), described(theirs)];
        let sessions = octets.each_ref().map(|octets| Session::parse(octets).expect("a description"));
        let read = sessions.each_ref().map(sdp::read);
        let mut found = Found::default();
        for ((what, ours, _), (_, _, theirs)) in read[0].iter().zip(&read[1]) {
            found.compare("control", what, ours.clone(), theirs.clone());
        }
        assert!(!found.differ.is_empty(), "{ours} and {theirs}");
    }
}

/// The samples of the benchmarks, and the messages that figures are quoted on when the variable names their folder; the other
/// parsers read all of them.
#[test]
fn the_messages_of_the_benchmarks_are_read_the_same() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/data");
    let mut folders = vec![(samples, &["invite.sip", "ok.sip", "options.sip", "register.sip"][..])];
    match std::env::var_os("SIP_BENCH_DIR") {
        Some(folder) => folders.push((folder.into(), &["A.sip", "B.sip", "C.sip"])),
        None => println!("SIP_BENCH_DIR is not set: without its messages"),
    }
    for (folder, names) in folders {
        let mut found = Found::default();
        for name in names {
            let octets = std::fs::read(folder.join(name)).expect("a message");
            assert!(Message::parse(&octets).is_ok(), "{name}");
            found.message(name, &octets);
        }
        assert!(found.count() > 20, "{}", found.count());
        found.settle(&[]);
    }
}
