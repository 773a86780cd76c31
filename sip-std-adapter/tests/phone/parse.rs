//! `phone parse`: a line for each file, what is wrong with it and where, and what a user agent answers.
//!
//! Not here: the grammar as a whole, which `sip-core` tests.

use crate::process::run;
use serde_json::{Value, json};
use std::path::PathBuf;

fn message(start: &str, method: &str, rows: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKparse\r\nFrom: <sip:a@example.com>;tag=1\r\n\
         To: <sip:b@example.com>\r\nCall-ID: parse\r\nCSeq: 1 {method}\r\n{rows}Content-Length: 0\r\n\r\n"
    )
}

/// Files that are gone after the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, messages: &[String]) -> (Self, Vec<String>) {
        let folder = std::env::temp_dir().join(format!("phone-parse-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let paths = messages.iter().enumerate().map(|(number, message)| {
            let path = folder.join(format!("{number}.sip"));
            std::fs::write(&path, message).unwrap();
            path.to_str().unwrap().to_owned()
        });
        let paths = paths.collect();
        (Self(folder), paths)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_file_has_its_line() {
    let messages = [
        message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "OPTIONS", ""),
        message("SIP/2.0 200 OK", "INVITE", ""),
        message("DANCE sip:b@192.0.2.1 SIP/2.0", "DANCE", ""),
        message("OPTIONS sip:b@192.0.2.1 SIP/7.0", "OPTIONS", ""),
        message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "INVITE", ""),
        message("OPTIONS sip:b@192.0.2.1 SIP/2.0", "OPTIONS", "X-Odd: a\rb\r\n"),
        "rubbish".to_owned(),
        String::new(),
    ];
    let (_files, paths) = Files::new("lines", &messages);
    let args: Vec<&str> = ["parse"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let ended = run(&args).expect(1);
    run(&args[..3]).expect(0);
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        (true, json!("request"), json!("OPTIONS"), json!(200)),
        (true, json!("response"), json!(200), json!(null)),
        (true, json!("request"), json!("DANCE"), json!(501)),
        (true, json!("request"), json!("OPTIONS"), json!(505)),
        (true, json!("request"), json!("OPTIONS"), json!(400)),
        (false, json!("request"), json!("OPTIONS"), json!(400)),
        (false, json!(null), json!(null), json!(null)),
        (false, json!(null), json!(null), json!(null)),
    ];
    assert_eq!(lines.len(), expected.len(), "{}", ended.stdout);
    for ((line, path), (ok, kind, what, answer)) in lines.iter().zip(&paths).zip(expected) {
        assert_eq!((&line["file"], &line["ok"], &line["kind"]), (&json!(path), &json!(ok), &kind), "{line}");
        let named = line.get("method").or_else(|| line.get("status")).cloned().unwrap_or_default();
        assert_eq!((named, &line["status_to_answer"]), (what, &answer), "{line}");
        assert!(line.get("error").is_some() && line.get("at").is_some(), "{line}");
    }
    assert_eq!((&lines[0]["error"], &lines[0]["at"]), (&json!(null), &json!(null)));
    let at = lines[5]["at"].as_u64().unwrap() as usize;
    assert!(messages[5][at..].starts_with("\rb"), "{}", lines[5]);
}

#[test]
fn a_message_cut_anywhere_is_no_reason_to_fail() {
    let whole = message("INVITE sip:b@192.0.2.1 SIP/2.0", "INVITE", "Contact: <sip:a@192.0.2.2>\r\n");
    let cut: Vec<String> = (0..=whole.len()).map(|end| whole[..end].to_owned()).collect();
    let (_files, paths) = Files::new("cut", &cut);
    let args: Vec<&str> = ["parse", "--json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let ended = run(&args).expect(1);
    let ok: Vec<bool> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["ok"].as_bool().unwrap())
        .collect();
    assert_eq!(ok.len(), cut.len());
    let (last, others) = ok.split_last().unwrap();
    assert!(*last && others.iter().all(|ok| !ok), "{}", ended.stdout);
}

#[test]
fn a_file_that_is_not_there_is_a_fault_of_the_command_line() {
    let ended = run(&["parse", "/nonexistent/message.sip"]).expect(2);
    assert_eq!(ended.json()["ok"], json!(false));
}
