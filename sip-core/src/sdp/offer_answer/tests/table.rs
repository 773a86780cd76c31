//! The machine: every input in every state.

use super::*;

const GOOD: &str = "m=audio 5000 RTP/AVP 0\n";
const BAD: &str = "m=audio 5000 RTP/AVP 9\n";

/// An end in this state: with nothing agreed yet, or with a session.
fn end(state: State, agreed: bool) -> End {
    let media = [LocalMedia::audio(4000, &[Codec::PCMU])];
    let mut end = End::new();
    if agreed {
        end.answer(&media, &theirs(GOOD)).unwrap();
    }
    match state {
        State::Stable => {}
        State::HaveLocalOffer => _ = end.offer(&media).unwrap(),
        State::HaveRemoteOffer => _ = end.prepare(&media, &theirs(GOOD)).unwrap(),
    }
    assert_eq!((end.state(), end.negotiation.is_agreed()), (state, agreed));
    end
}

type Step = (&'static str, fn(&mut End) -> Result<(), Refusal>);

fn media() -> [LocalMedia<'static>; 1] {
    const CODECS: &[Codec<'_>] = &[Codec::PCMU];
    [LocalMedia::audio(4000, CODECS)]
}

const STEPS: [Step; 11] = [
    ("make an offer", |end| end.offer(&media()).map(drop)),
    ("an offer", |end| end.prepare(&media(), &theirs(GOOD)).map(drop)),
    ("an offer without a shared codec", |end| end.prepare(&media(), &theirs(BAD)).map(drop)),
    ("an offer that is none", |end| end.prepare(&media(), b"offer").map(drop)),
    ("the answer is sent", |end| {
        end.negotiation.answer_sent();
        Ok(())
    }),
    ("an answer", |end| end.receive_answer(&media(), &theirs(GOOD)).map(drop)),
    ("a bad answer", |end| end.receive_answer(&media(), &theirs(BAD)).map(drop)),
    ("an answer that is none", |end| end.receive_answer(&media(), b"v=0").map(drop)),
    ("a preview", |end| end.negotiation.receive_preview(&here(&media()), &theirs(GOOD)).map(drop)),
    ("no answer", |end| end.negotiation.accept_preview()),
    ("rollback", |end| {
        end.negotiation.rollback();
        Ok(())
    }),
];

#[test]
fn every_state_takes_every_input_as_the_table_says() {
    use State::{HaveLocalOffer as Local, HaveRemoteOffer as Remote, Stable};
    let malformed = Refusal::Malformed(crate::sdp::SdpError::Line);
    let no_origin = Refusal::Malformed(crate::sdp::SdpError::Origin);
    let unshared = Refusal::NotAcceptable(Warning::MediaFormat);
    let (ours, other, none) = (Refusal::LocalOfferPending, Refusal::RemoteOfferPending, Refusal::NoOffer);
    // One row a step of `STEPS`: the outcome and the next state from Stable, HaveLocalOffer and HaveRemoteOffer.
    let table: [[(Result<(), Refusal>, State); 3]; 11] = [
        [(Ok(()), Local), (Err(ours), Local), (Err(other), Remote)],
        [(Ok(()), Remote), (Err(ours), Local), (Err(other), Remote)],
        [(Err(unshared), Stable), (Err(ours), Local), (Err(other), Remote)],
        [(Err(malformed), Stable), (Err(ours), Local), (Err(other), Remote)],
        [(Ok(()), Stable), (Ok(()), Local), (Ok(()), Stable)],
        [(Err(none), Stable), (Ok(()), Stable), (Err(none), Remote)],
        [(Err(none), Stable), (Err(Refusal::Mismatch), Local), (Err(none), Remote)],
        [(Err(none), Stable), (Err(no_origin), Local), (Err(none), Remote)],
        [(Err(none), Stable), (Ok(()), Local), (Err(none), Remote)],
        [(Err(none), Stable), (Err(Refusal::Mismatch), Local), (Err(none), Remote)],
        [(Ok(()), Stable), (Ok(()), Stable), (Ok(()), Stable)],
    ];
    for ((name, step), row) in STEPS.into_iter().zip(table) {
        for (state, (outcome, next)) in [Stable, Local, Remote].into_iter().zip(row) {
            for agreed in [false, true] {
                let before = end(state, agreed);
                let mut after = before.clone();
                assert_eq!(step(&mut after), outcome, "{name} in {state:?}");
                assert_eq!(after.state(), next, "{name} in {state:?}");
                // A refusal changes nothing at all, and only an answer agrees.
                assert!(outcome.is_ok() || after.negotiation == before.negotiation, "{name} in {state:?}");
                let agrees = state != Stable && next == Stable && name != "rollback";
                assert_eq!(after.negotiation.is_agreed(), agreed || agrees, "{name} in {state:?}");
                let same = after.negotiation.current == before.negotiation.current;
                assert!(same || agrees, "{name} in {state:?}");
            }
        }
    }
}

#[test]
fn refusals_have_their_status() {
    let malformed = Refusal::Malformed(crate::sdp::SdpError::Line);
    for (refusal, status) in [
        (Refusal::LocalOfferPending, Some(491)),
        (Refusal::RemoteOfferPending, Some(500)),
        (malformed, Some(400)),
        (Refusal::NotAcceptable(Warning::MediaType), Some(488)),
        (Refusal::NoOffer, None),
        (Refusal::Mismatch, None),
        (Refusal::Capabilities, None),
    ] {
        assert_eq!(refusal.status(), status);
        assert_eq!(refusal.warning().is_some(), status == Some(488));
        assert!(!refusal.to_string().is_empty());
    }
}

#[test]
fn a_negotiation_is_small_and_zero_is_none() {
    assert!(size_of::<Negotiation>() <= 208, "{}", size_of::<Negotiation>());
    assert_eq!(Negotiation::default(), Negotiation::new(0));
    assert_eq!(State::default(), State::Stable);
}
