//! The messages of RFC 4475 and RFC 5118 at a user agent: what the parser says, and what status is answered.
//!
//! The RFCs' own octets are not in this tree: `SIP_TORTURE_DIR` names the folder that holds them with a `MANIFEST.tsv`. Without it
//! that test says so and passes; the continuous integration sets it. Messages of our own writing, one for each section, are in
//! the corpus. What a registrar or proxy would do is not covered.

use core::net::SocketAddr;
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{Config, UserAgent};
use sip_lab::corpus::{Sample, torture};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whether the parser took the message (errors of request validation count as taken), and what the user agent answered.
fn outcome(octets: &[u8]) -> (bool, Option<u16>) {
    let mut phone = UserAgent::new(Arrays::<8, 4, 2, 1, 32_768>::new());
    phone.start(&Config::new("192.0.2.2:5060", "sip:bob@example.com"), [7; 16]).unwrap();
    let (now, flow) =
        (Instant::from_millis(1), Flow::udp(Address::from("192.0.2.1:5060".parse::<SocketAddr>().unwrap())));
    let ok = match Message::parse(octets) {
        Ok(message) => {
            let _ = phone.receive(now, flow, &message);
            true
        }
        Err(failure) => {
            phone.receive_malformed(now, flow, &failure);
            !failure.is_syntax()
        }
    };
    let mut status = None;
    while let Some(action) = phone.poll_action(now) {
        if let Action::Send { bytes, .. } = action {
            // The 400 to a broken CSeq repeats it, so the answer can't always be parsed.
            let line = core::str::from_utf8(bytes).expect("text").strip_prefix("SIP/2.0 ").expect("a status line");
            status = line.get(..3).and_then(|digits| digits.parse().ok());
        }
    }
    (ok, status)
}

/// The statuses that a user agent may answer, where the manifest's words are about another role or are no number.
fn expected(file: &str, verdict: &str, text: &str) -> Vec<Option<u16>> {
    match (file, verdict) {
        // A user agent is no registrar, and the last hop of a request without hops left.
        ("rfc4475/regaut01.dat" | "rfc4475/unksm2.dat", _) => vec![Some(405)],
        ("rfc4475/zeromf.dat", _) => vec![Some(200)],
        ("rfc4475/mismatch02.dat", _) => vec![Some(501), Some(400)],
        ("rfc4475/sdp01.dat", _) => vec![Some(406), Some(400)],
        (_, "DROP") => vec![None],
        (_, "REJECT_SYNTAX" | "PARSE_OK_REJECT") => {
            let digits: String =
                text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            vec![digits.parse().ok()]
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_message_has_the_verdict_of_the_manifest() {
    let Some(folder) = std::env::var_os("SIP_TORTURE_DIR").map(PathBuf::from) else {
        println!("skipped: SIP_TORTURE_DIR is not set");
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("the manifest");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for row in manifest.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let (file, kind, verdict, text) = (fields[0], fields[3], fields[4], fields[5]);
        let octets = std::fs::read(folder.join(file)).expect("a message of the manifest");
        let (ok, status) = outcome(&octets);
        let parsed_right = match verdict {
            "PARSE_OK" | "PARSE_OK_REJECT" => ok,
            "REJECT_SYNTAX" | "DROP" => !ok,
            "MAY_REJECT" => true,
            _ => panic!("verdict {verdict}"),
        };
        let allowed = expected(file, verdict, text);
        // Whatever is malformed and a request is answered 400; a response never is.
        let answered_right = match kind {
            "response" => status.is_none(),
            _ if !allowed.is_empty() => allowed.contains(&status),
            // What has to be taken is not refused as malformed; of the rest the parser decides.
            _ if verdict == "PARSE_OK" => status != Some(400),
            _ => ok || status == Some(400),
        };
        checked += 1;
        if !parsed_right || !answered_right {
            wrong.push(format!("{file}: {verdict}, {text}: parsed {ok}, answered {status:?}"));
        }
    }
    assert_eq!(checked, 61);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with what became of a message of ours, if anything.
fn wrong(sample: &Sample) -> Option<String> {
    let (verdict, answers) = (sample.mark("verdict").expect("a verdict"), sample.mark("answer"));
    let parsed = Message::parse(&sample.octets);
    let is_request = parsed.as_ref().map_or_else(Malformed::is_request, Message::is_request);
    let is_syntax = parsed.as_ref().err().is_some_and(Malformed::is_syntax);
    let (_, status) = outcome(&sample.octets);
    let parsed_right = match verdict {
        "take" => parsed.is_ok(),
        "refuse" => is_syntax && is_request,
        "invalid" => parsed.is_err() && !is_syntax,
        "drop" => parsed.is_err() && !is_request,
        "either" => parsed.is_ok() || is_syntax,
        other => panic!("verdict {other}"),
    };
    let answered = status.map_or("none".to_string(), |status| status.to_string());
    let answered_right = match answers {
        Some(answers) => answers.split(' ').any(|one| one == answered),
        // What is well-formed and no more is settled is at least not refused as malformed.
        None => answered != "400",
    };
    let error = parsed.err().map(|failure| failure.error());
    (!parsed_right || !answered_right).then(|| {
        format!(
            "{} (§{}): {verdict}, {answers:?}: {error:?}, {answered}",
            sample.title(),
            sample.mark("section").unwrap_or_default()
        )
    })
}

#[test]
fn a_message_of_our_own_for_each_section_has_its_verdict() {
    let samples = torture();
    let mut sections: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for sample in &samples {
        *sections.entry((sample.family, sample.mark("section").expect("a section"))).or_default() += 1;
    }
    let counted = [("3.1.1", 13), ("3.1.2", 19), ("3.3", 15)];
    let rfc4475: Vec<String> = counted
        .into_iter()
        .flat_map(|(section, count)| (1..=count).map(move |number| format!("{section}.{number}")))
        .chain(["3.2.1".to_string(), "3.4.1".to_string()])
        .collect();
    let rfc5118: Vec<String> = (1..=10).map(|number| format!("4.{number}")).collect();
    // Two of the sections have two messages each.
    let twice = |name: &str| if matches!(name, "4.5" | "4.10") { 2 } else { 1 };
    let expected: BTreeMap<(&str, &str), usize> = rfc4475
        .iter()
        .map(|name| (("rfc4475", &name[..]), 1))
        .chain(rfc5118.iter().map(|name| (("rfc5118", &name[..]), twice(name))))
        .collect();
    assert_eq!(sections, expected);
    let wrong: Vec<String> = samples.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
