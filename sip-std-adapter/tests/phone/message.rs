//! `phone message`: a text to a phone, to nobody, and one that is too long.

use crate::process::{answer, closed_port, run};

#[test]
fn a_text_is_delivered_and_shown() {
    let (mut callee, place) = answer(&["--json"]);
    let sent =
        run(&["message", &place, "Gr\u{fc}\u{df}e, are you there?", "--from", "sip:alice@example.com"]).expect(0);
    assert!(sent.last_line().contains("delivered: 200 OK"), "{}", sent.stdout);
    // The ladder, on the other stream, has the text too: either may come first.
    let line = callee.wait_for(r#""method":"MESSAGE""#);
    assert!(line.contains("Gr\u{fc}\u{df}e, are you there?") && line.contains("sip:alice@example.com"), "{line}");
}

#[test]
fn a_text_that_fits_into_no_datagram_is_not_sent() {
    let (_callee, place) = answer(&[]);
    run(&["message", &place, &"x".repeat(900)]).expect(0);
    let refused = run(&["message", &place, &"x".repeat(901)]).expect(2);
    assert!(refused.stderr.contains("901 octets"), "{}", refused.stderr);
}

#[test]
fn nobody_takes_a_text() {
    let nobody = run(&["message", &closed_port(), "x"]).expect(4);
    assert!(nobody.last_line().contains("nothing listens"), "{}", nobody.stdout);
}
