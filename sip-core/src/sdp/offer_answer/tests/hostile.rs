//! What a peer may send: nothing of it panics, takes long, or leaves the machine between two states.

use super::*;
use crate::sdp::{MAX_MEDIA, SdpError};

fn sound() -> [LocalMedia<'static>; 1] {
    const CODECS: &[Codec<'_>] = &[Codec::PCMU, Codec::TELEPHONE_EVENT];
    [LocalMedia::audio(4000, CODECS)]
}

fn answer(media: &str) -> Result<Agreed, Refusal> {
    End::new().answer(&sound(), &theirs(media))
}

#[test]
fn many_lines() {
    assert_eq!(answer(&"m=audio 5000 RTP/AVP 0\n".repeat(1000)), Err(Refusal::Malformed(SdpError::TooManyMedia)));
    // As many as are read: each is answered in its place, and one is on.
    let mut end = End::new();
    let agreed = end.answer(&sound(), &theirs(&"m=audio 5000 RTP/AVP 0\n".repeat(MAX_MEDIA))).unwrap();
    assert_eq!((agreed.line_count(), agreed.streams().count(), end.heads().len()), (MAX_MEDIA, 1, MAX_MEDIA));
    // Their number does not fall in an offer of this end.
    end.offer(&sound()).unwrap();
    assert_eq!(end.heads().len(), MAX_MEDIA);
    // A stream that could be taken stands beyond those that are held.
    let late = format!("{}m=audio 5000 RTP/AVP 0\n", "m=video 0 RTP/AVP 31\n".repeat(MAX_STREAMS));
    assert_eq!(answer(&late), Err(Refusal::NotAcceptable(Warning::Miscellaneous)));
}

#[test]
fn broken_lines() {
    for (media, error) in [
        ("m=audio 70000 RTP/AVP 0\n", SdpError::Port),
        ("m=audio 5000/4000000000 RTP/AVP 0\n", SdpError::PortCount),
        ("m=audio 5000 RTP/AVP\n", SdpError::Media),
        ("m=audio 5000\n", SdpError::Media),
        ("m=audio 5000 RTP/AVP 0\nc=IN IP4\n", SdpError::Connection),
    ] {
        assert_eq!(answer(media), Err(Refusal::Malformed(error)), "{media}");
    }
    let bare = b"v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nt=0 0\nm=audio 5000 RTP/AVP 0\n";
    assert_eq!(End::new().answer(&sound(), bare), Err(Refusal::NotAcceptable(Warning::AddressFormat)));
    assert!(matches!(End::new().answer(&sound(), b""), Err(Refusal::Malformed(_))));
}

/// What a reader of the description takes for a direction is one here, too: nobody hears who thinks to be on hold.
#[test]
fn a_direction_with_a_value_is_a_direction() {
    for (row, direction) in [
        ("a=inactive:", Direction::Inactive),
        ("a=sendonly: ", Direction::RecvOnly),
        ("a=recvonly:x", Direction::SendOnly),
        ("a=inactivex", Direction::SendRecv),
    ] {
        let agreed = answer(&format!("m=audio 5000 RTP/AVP 0\n{row}\n")).unwrap();
        assert_eq!(agreed.media(0).unwrap().direction, direction, "{row}");
    }
}

#[test]
fn payload_types_that_make_no_sense() {
    let everything: Vec<String> = (0..MAX_CODECS * 16).map(|number| number.to_string()).collect();
    for (formats, rows, taken) in [
        ("0 0 0 0", "", vec![0]),
        ("255 x 0", "", vec![0]),
        ("0 96", "a=rtpmap:96 PCMU/8000\n", vec![0]),
        ("96 0", "a=rtpmap:96 PCMU/8000\n", vec![96]),
        ("0", "a=rtpmap:8 PCMA/8000\na=rtpmap:200 x/1\na=rtpmap:\na=rtpmap\na=fmtp:\na=fmtp:0\n", vec![0]),
        ("0 101", "a=rtpmap:101 telephone-event/8000\na=rtpmap:101 PCMA/8000\n", vec![0, 101]),
        (&everything.join(" "), "", vec![0]),
    ] {
        let agreed = answer(&format!("m=audio 5000 RTP/AVP {formats}\n{rows}")).unwrap();
        assert_eq!(numbers(agreed.media(0).unwrap()).0, taken, "{formats} {rows}");
    }
}

#[test]
fn parameters_of_any_length() {
    let long = "x=1;".repeat(2560);
    let map = "a=rtpmap:101 telephone-event/8000\n";
    let agreed = answer(&format!("m=audio 5000 RTP/AVP 0 101\n{map}a=fmtp:101 {long}\n")).unwrap();
    assert_eq!(agreed.media(0).unwrap().event_set, 0);
    // Rows beyond the reach of sixteen bits can't be there: a description is shorter.
    let much = format!("m=audio 5000 RTP/AVP 0 101\na=x:{}\n{map}", "y".repeat(65_000));
    assert!(answer(&much).unwrap().media(0).unwrap().events.is_some());
}

#[test]
fn cut_anywhere_it_is_taken_whole_or_not_at_all() {
    let rows =
        "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=rtcp:6000 IN IP4 192.0.2.8\na=mid:a\na=sendonly\n";
    let whole = theirs(&format!("m=audio 5000 RTP/AVP 0 101\n{rows}m=video 5000 RTP/AVP 31\n"));
    for length in 0..whole.len() {
        let mut end = End::new();
        match end.answer(&sound(), &whole[..length]) {
            Ok(agreed) => assert_eq!(agreed.line_count(), end.heads().len()),
            Err(_) => assert_eq!(end.negotiation, Negotiation::new(1)),
        }
        let mut end = End::new();
        end.offer(&sound()).unwrap();
        let before = end.negotiation;
        if end.receive_answer(&sound(), &whole[..length]).is_err() {
            assert_eq!(end.negotiation, before);
        }
    }
}

#[test]
fn an_answer_may_not_bring_what_was_not_offered() {
    let mut end = End::new();
    end.offer(&sound()).unwrap();
    // A codec of a name that is known under a number that is not, beside one that was offered.
    let more = theirs("m=audio 5000 RTP/AVP 8 99 0\na=rtpmap:99 opus/48000/2\n");
    let agreed = end.receive_answer(&sound(), &more).unwrap();
    assert_eq!(numbers(agreed.media(0).unwrap()), (vec![0], vec![0]));
    // A line that was off in the offer stays off, whatever the answer says.
    let mut end = End::new();
    end.answer(&sound(), &theirs("m=video 5002 RTP/AVP 31\nm=audio 5000 RTP/AVP 0\n")).unwrap();
    end.offer(&sound()).unwrap();
    let agreed = end.receive_answer(&sound(), &theirs("m=video 5002 RTP/AVP 31\nm=audio 5000 RTP/AVP 0\n")).unwrap();
    assert!(agreed.line(0).is_none() && agreed.line(1).is_some());
    // Everything may be refused.
    end.offer(&sound()).unwrap();
    let agreed = end.receive_answer(&sound(), &theirs("m=video 0 RTP/AVP 31\nm=audio 0 RTP/AVP 0\n")).unwrap();
    assert!(agreed.streams().next().is_none() && !agreed.is_held());
}
