//! What the user types in a call, from a script: hold, resume, mute, digits, the end; and the codecs of the command line.

use crate::process::{answer, run, start};

#[test]
fn a_call_is_held_muted_resumed_and_dialed_in() {
    let (callee, place) = answer(&["--count", "1"]);
    let mut caller = start(&["call", &place, "--keys"]);
    caller.wait_for("agreed: PCMU, sendrecv");
    for (line, shown) in [
        ("h", "agreed: PCMU, sendonly"),
        ("m", "agreed: PCMU, inactive"),
        ("r", "agreed: PCMU, recvonly"),
        ("m", "agreed: PCMU, sendrecv"),
        ("?", "h hold, r resume"),
        ("d 1x", "d wants 1 to 64"),
    ] {
        caller.type_line(line);
        caller.wait_for(shown);
    }
    // Each waits for the one before: digits for their order, changes for the answer to the last.
    for lines in [["h", "r"], ["d 4#", "d 7"]] {
        for line in lines {
            caller.type_line(line);
        }
        caller.wait_for(if lines == ["h", "r"] { "agreed: PCMU, sendrecv" } else { "digit 7 was taken" });
    }
    caller.type_line("q");
    let ended = caller.end().expect(0);
    assert!(ended.last_line().contains("hung up here"), "{}", ended.stdout);
    let heard = callee.end().expect(0).stdout;
    let signals: Vec<char> = heard.split("Signal=").skip(1).filter_map(|rest| rest.chars().next()).collect();
    assert_eq!(signals, ['4', '#', '7'], "{heard}");
}

#[test]
fn a_key_before_the_answer_does_nothing_and_q_gives_the_call_up() {
    let (callee, place) = answer(&["--count", "1", "--ring", "60"]);
    let mut caller = start(&["call", &place, "--keys"]);
    caller.wait_for("180");
    caller.type_line("h");
    caller.wait_for("there is no call yet");
    caller.type_line("q");
    assert_ne!(caller.end().status, 0);
    assert!(callee.end().stdout.contains("given up by the caller"));
}

#[test]
fn codecs_are_those_of_the_command_line() {
    let (callee, place) = answer(&["--count", "2", "--codecs", "opus,g722"]);
    let mut caller = start(&["call", &place, "--codecs", "pcmu,g722,opus", "--keys"]);
    caller.wait_for("agreed: G722, sendrecv");
    caller.type_line("q");
    caller.end().expect(0);
    let refused = run(&["call", &place, "--codecs", "pcma"]).expect(1);
    assert!(refused.last_line().contains("488") && refused.last_line().contains("Incompatible"), "{}", refused.stdout);
    callee.end().expect(0);
    let wrong = run(&["call", &place, "--codecs", "mp3"]).expect(2);
    assert!(wrong.stderr.contains("telephone-event"), "{}", wrong.stderr);
}
