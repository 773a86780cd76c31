//! The messages of RFC 4475 and RFC 5118, read from the folder that `SIP_TORTURE_DIR` names; without it this
//! test says so and passes. Each has the verdict of the folder's MANIFEST.tsv.

use super::{Malformed, Message, Method};
use std::path::Path;

#[test]
fn verdicts() {
    let Ok(folder) = std::env::var("SIP_TORTURE_DIR") else {
        println!("SIP_TORTURE_DIR is not set: skipped");
        return;
    };
    let manifest = std::fs::read_to_string(Path::new(&folder).join("MANIFEST.tsv")).unwrap();
    let mut count = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, kind, verdict, expected) = (columns[0], columns[3], columns[4], columns[5]);
        let octets = std::fs::read(Path::new(&folder).join(file)).unwrap();
        let found = Message::parse(&octets);
        println!("{file}: {verdict}: {:?}", found.as_ref().map(|_| ()).map_err(Malformed::error));
        if let Ok(message) = &found {
            assert_eq!(message.is_request(), kind == "request", "{file}");
        }
        match (verdict, found) {
            ("PARSE_OK" | "PARSE_OK_REJECT" | "MAY_REJECT", Ok(_)) | ("DROP", Err(_)) => {}
            ("PARSE_OK_REJECT", Err(failure)) => {
                assert!(!failure.is_syntax() && failure.answerable(), "{file}");
                let status = failure.status().to_string();
                assert!(expected.contains(&status) || columns[6].contains(&status), "{file}");
            }
            ("REJECT_SYNTAX" | "MAY_REJECT", Err(failure)) => {
                assert!(failure.is_syntax() && failure.answerable() && failure.status() == 400, "{file}");
            }
            (_, found) => panic!("{file}: {verdict}: {:?}", found.map(|_| ()).map_err(|failure| failure.error())),
        }
        count += 1;
    }
    assert_eq!(count, 61);
    let wide = std::fs::read(Path::new(&folder).join("rfc4475/wsinv.dat")).unwrap();
    let wide = Message::parse(&wide).unwrap();
    assert_eq!((wide.cseq().number, wide.method(), wide.vias().flatten().count()), (9, Method::Invite, 3));
    let twice = std::fs::read(Path::new(&folder).join("rfc4475/dblreq.dat")).unwrap();
    assert_eq!(Message::parse(&twice).unwrap().method(), Method::Register);
}
