use super::*;
use Refresher::{Uac, Uas};

const PLAIN: Wanted = Wanted { interval: 0, min_se: SHORTEST };
const WANTED: Wanted = Wanted { interval: 1800, min_se: SHORTEST };

fn asked(interval: Option<u32>, refresher: Option<Refresher>, supports: bool) -> Asked {
    Asked { interval, refresher, min_se: 0, supports }
}

fn in_state(state: State) -> SessionTimer {
    let mut timer = SessionTimer::ZERO;
    match state {
        State::Off => {}
        State::Waiter => _ = timer.answered(PLAIN, Some((600, Some(Uas)))),
        State::Refresher => _ = timer.answered(PLAIN, Some((600, Some(Uac)))),
    }
    assert_eq!(timer.state, state);
    timer
}

/// RFC 4028 §9, Table 2, with and without a wish of our own.
#[test]
fn who_refreshes() {
    for wanted in [PLAIN, WANTED] {
        for (supports, refresher, expected) in [
            (false, None, Uas),
            (false, Some(Uac), Uas),
            (false, Some(Uas), Uas),
            (true, None, Uac),
            (true, Some(Uac), Uac),
            (true, Some(Uas), Uas),
        ] {
            let mut timer = SessionTimer::ZERO;
            timer.asked(wanted, asked(Some(600), refresher, supports));
            let rows = Rows { interval: 600, min_se: 0, refresher: Some(expected), required: supports };
            assert_eq!(timer.response(), rows, "{supports} {refresher:?}");
            let _ = timer.accepted();
            assert_eq!(timer.state, if expected == Uac { State::Waiter } else { State::Refresher });
            assert_eq!(timer.response(), Rows::default(), "said once");
        }
    }
    // A request that asks for nothing: we do, or nobody does.
    for supports in [false, true] {
        let mut timer = SessionTimer::ZERO;
        timer.asked(PLAIN, asked(None, None, supports));
        assert_eq!((timer.response(), timer.accepted()), (Rows::default(), Schedule::default()));
        timer.asked(WANTED, asked(None, None, supports));
        let rows = Rows { interval: 1800, min_se: 0, refresher: Some(Uas), required: supports };
        assert_eq!(timer.response(), rows);
    }
}

/// The table of the module's documentation: each 2xx in each state.
#[test]
fn each_2xx_in_each_state() {
    for state in [State::Off, State::Waiter, State::Refresher] {
        for (told, expected, schedule) in [
            (None, State::Off, [0, 0]),
            (Some((600, Some(Uas))), State::Waiter, [0, 568]),
            (Some((600, Some(Uac))), State::Refresher, [300, 568]),
            (Some((90, None)), State::Refresher, [45, 60]),
            (Some((0, Some(Uac))), State::Refresher, [45, 60]),
            (Some((89, Some(Uas))), State::Waiter, [0, 60]),
            (Some((u32::MAX, Some(Uas))), State::Waiter, [0, 0]),
            (Some((u32::MAX, Some(Uac))), State::Refresher, [500_000, 0]),
        ] {
            let mut timer = in_state(state);
            let [refresh, end] = schedule.map(Duration::from_secs);
            assert_eq!(timer.answered(PLAIN, told), Schedule { refresh, end }, "{told:?} in {state:?}");
            assert_eq!(timer.state, expected, "{told:?} in {state:?}");
        }
        // A peer without the extension: we want a timer, so we refresh.
        let mut timer = in_state(state);
        let _ = timer.answered(WANTED, None);
        assert_eq!((timer.state, timer.interval), (State::Refresher, if state == State::Off { 1800 } else { 600 }));
    }
}

#[test]
fn what_our_requests_say() {
    let rows = |interval, min_se, refresher| Rows { interval, min_se, refresher, required: false };
    assert_eq!(SessionTimer::ZERO.request(PLAIN), Rows::default());
    assert_eq!(SessionTimer::ZERO.request(WANTED), rows(1800, 0, None));
    assert_eq!(SessionTimer::ZERO.request(Wanted { interval: 120, min_se: 300 }), rows(300, 300, None));
    // The role does not change with a refresh, nor the interval (§7.4).
    for wanted in [PLAIN, WANTED] {
        assert_eq!(in_state(State::Waiter).request(wanted), rows(600, 0, Some(Uas)));
        assert_eq!(in_state(State::Refresher).request(wanted), rows(600, 0, Some(Uac)));
    }
}

#[test]
fn a_422_is_followed_when_it_asks_for_more_and_three_times_at_most() {
    let mut timer = SessionTimer::ZERO;
    for useless in [0, 89, 1800, LONGEST + 1, u32::MAX] {
        assert!(!timer.enlarge(WANTED, useless), "{useless}");
    }
    for larger in [1801, 3600, LONGEST] {
        assert!(timer.enlarge(WANTED, larger));
        let rows = Rows { interval: larger, min_se: larger, refresher: None, required: false };
        assert_eq!(timer.request(WANTED), rows);
        assert!(!timer.enlarge(WANTED, larger), "the same again");
    }
    let mut loops = SessionTimer::ZERO;
    assert_eq!((0..100).filter(|more| loops.enlarge(WANTED, 2000 + more)).count(), usize::from(MAX_ENLARGED));
    // A proxy has asked for a timer in our place, and another wants more.
    let mut timer = SessionTimer::ZERO;
    assert!(timer.enlarge(PLAIN, 120));
    assert_eq!(timer.request(PLAIN).interval, 120);
    // A 2xx begins the count anew, and what was learnt stays.
    let _ = timer.answered(PLAIN, Some((150, Some(Uac))));
    assert_eq!((timer.enlarged, timer.request(PLAIN).min_se), (0, 120));
}

#[test]
fn what_of_the_peer_is_too_small() {
    let strict = Wanted { interval: 0, min_se: 300 };
    for (wanted, interval, supports, expected) in [
        (PLAIN, Some(0), true, 90),
        (PLAIN, Some(89), true, 90),
        (PLAIN, Some(90), true, 0),
        (PLAIN, None, true, 0),
        (PLAIN, Some(89), false, 0),
        (PLAIN, Some(u32::MAX), true, 0),
        (strict, Some(299), true, 300),
        (strict, Some(300), true, 0),
        (strict, Some(299), false, 0),
    ] {
        assert_eq!(SessionTimer::refuses(wanted, asked(interval, None, supports)), expected, "{interval:?}");
    }
}

#[test]
fn which_interval_our_2xx_says() {
    for (wanted, interval, min_se, expected) in [
        (PLAIN, Some(1800), 0, 1800),
        (PLAIN, Some(0), 0, 90),
        (PLAIN, Some(u32::MAX), 0, LONGEST),
        (PLAIN, Some(u32::MAX), u32::MAX, u32::MAX),
        (WANTED, Some(7200), 0, 1800),
        (WANTED, Some(7200), 3600, 3600),
        (WANTED, Some(120), 0, 120),
        (WANTED, None, 0, 1800),
        (WANTED, None, 7200, 7200),
        (Wanted { interval: 0, min_se: 300 }, Some(89), 0, 300),
    ] {
        let mut timer = SessionTimer::ZERO;
        timer.asked(wanted, Asked { interval, refresher: None, min_se, supports: true });
        assert_eq!(timer.response().interval, expected, "{wanted:?} {interval:?} {min_se}");
        let kept = timer.request(Wanted { interval: 90, min_se: 90 }).min_se;
        assert_eq!(kept, if min_se > 90 { min_se.min(LONGEST) } else { 0 });
    }
}

#[test]
fn a_refresh_that_fails() {
    for status in [408, 481] {
        assert_eq!(in_state(State::Refresher).failed(status), Failed::End);
    }
    for status in [401, 422, 488, 491, 500, 503, 603] {
        let mut timer = in_state(State::Refresher);
        let told = [(); 5].map(|()| timer.failed(status));
        assert_eq!(told, [Failed::Again, Failed::Again, Failed::Wait, Failed::Wait, Failed::Wait]);
        let _ = timer.answered(PLAIN, Some((600, Some(Uac))));
        assert_eq!(timer.failed(status), Failed::Again, "the count begins anew");
    }
}
