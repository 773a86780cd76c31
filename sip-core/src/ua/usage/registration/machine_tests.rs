//! The table of the registration machine, every pair, and its waits.

use super::*;
use Indication::{Nothing, Registered as Told, Unregistered};
use State::{Correcting, Ended, Outdated, Registered, Registering, Removing, Waiting, Withdrawing};

const NOW: Instant = Instant::from_millis(1_000_000);
const BOUND: Input = Input::Bound(Bound { seconds: 600, keep_alive: Duration::ZERO, new_flow: false });
const FAILED: Input = failed(Retry::BackOff);
const REFUSED: Input = failed(Retry::Never);
const LOST: Input = Input::FlowLost { jitter: 999 };

const fn failed(retry: Retry) -> Input {
    Input::Failed(Failed { cause: RegistrationCause::Refused, status: 503, retry, jitter: 999 })
}

/// The machine in `state`, with a binding or without one, and with a flow that was lost before or not.
fn machine(state: State, bound: bool, lost_before: bool) -> Machine {
    let mut machine = Machine { state, marks: if lost_before { FLOW_LOST } else { 0 }, ..Machine::ZERO };
    if bound {
        machine.set(Timer::Expiry, NOW + Duration::from_secs(500));
        machine.set(Timer::Stable, NOW + Duration::from_secs(100));
    }
    if state == Registered {
        machine.set(Timer::Register, NOW + Duration::from_secs(410));
    }
    machine
}

/// When the next REGISTER is due, in milliseconds.
const NEVER: u64 = u64::MAX;
/// The wait of a first failure with a jitter of 999.
const WAIT: u64 = 30_000;
const REFRESH: u64 = 410_000;

fn told(tell: Indication) -> Step {
    Step { tell, ..Step::NOTHING }
}

#[test]
fn every_state_takes_every_input_as_the_table_says() {
    use Input::{AddressChanged, AddressLearned, Due, Lapsed, Remove};
    let (none, binding, removal) = (Step::NOTHING, Step::BINDING, Step::REMOVAL);
    let (failed, unregistered) = (told(Indication::Failed), told(Unregistered));
    // State, bound, a flow lost before, input; the next state, the step, when a REGISTER is due.
    let mut table = vec![
        (Outdated, true, false, BOUND, Registered, told(Told), 0),
        (Outdated, true, false, FAILED, Waiting, failed, 0),
        (Outdated, true, false, REFUSED, Ended, failed, NEVER),
        (Outdated, true, false, LOST, Registering, binding, NEVER),
        (Outdated, true, true, LOST, Registering, binding, NEVER),
        (Outdated, true, false, AddressLearned, Outdated, none, NEVER),
        (Outdated, true, false, AddressChanged, Outdated, none, NEVER),
        (Outdated, true, false, Remove, Withdrawing, none, NEVER),
        (Outdated, true, false, Due, Registering, binding, NEVER),
        (Withdrawing, false, false, BOUND, Removing, removal, NEVER),
        (Withdrawing, true, false, BOUND, Removing, removal, NEVER),
        (Withdrawing, true, false, AddressLearned, Withdrawing, none, NEVER),
        (Withdrawing, true, false, AddressChanged, Withdrawing, none, NEVER),
        (Withdrawing, true, false, Remove, Withdrawing, none, NEVER),
        (Registered, true, false, BOUND, Registered, none, REFRESH),
        (Registered, true, false, FAILED, Registered, none, REFRESH),
        (Registered, true, false, REFUSED, Registered, none, REFRESH),
        (Registered, true, false, LOST, Registered, none, 0),
        (Registered, true, true, LOST, Waiting, failed, WAIT),
        (Registered, true, false, AddressLearned, Correcting, binding, REFRESH),
        (Registered, true, false, AddressChanged, Registered, none, 0),
        (Registered, true, false, Remove, Removing, removal, NEVER),
        (Registered, true, false, Due, Registering, binding, REFRESH),
        (Registered, true, false, Lapsed, Waiting, failed, REFRESH),
        (Waiting, true, false, BOUND, Waiting, none, NEVER),
        (Waiting, true, false, FAILED, Waiting, none, NEVER),
        (Waiting, true, false, REFUSED, Waiting, none, NEVER),
        (Waiting, true, false, LOST, Waiting, none, NEVER),
        (Waiting, true, false, AddressLearned, Waiting, none, NEVER),
        (Waiting, true, false, AddressChanged, Waiting, none, 0),
        (Waiting, true, false, Remove, Removing, removal, NEVER),
        (Waiting, false, false, Remove, Ended, unregistered, NEVER),
        (Waiting, true, false, Due, Registering, binding, NEVER),
        (Removing, true, false, LOST, Removing, removal, NEVER),
        (Removing, true, true, LOST, Ended, unregistered, NEVER),
        (Removing, true, false, AddressLearned, Removing, none, NEVER),
        (Removing, true, false, AddressChanged, Removing, none, NEVER),
        (Removing, true, false, Remove, Removing, none, NEVER),
        (Removing, true, false, Due, Removing, removal, NEVER),
    ];
    for state in [Registering, Correcting] {
        table.extend([
            (state, false, false, BOUND, Registered, told(Told), 510_000),
            (state, false, false, FAILED, Waiting, failed, WAIT),
            (state, false, false, REFUSED, Ended, failed, NEVER),
            (state, false, false, LOST, state, binding, NEVER),
            (state, false, true, LOST, Waiting, failed, WAIT),
            (state, false, false, AddressLearned, state, none, NEVER),
            (state, false, false, AddressChanged, Outdated, none, NEVER),
            (state, false, false, Remove, Withdrawing, none, NEVER),
            (state, false, false, Due, state, binding, NEVER),
        ]);
    }
    for input in [FAILED, REFUSED, LOST, Due] {
        table.push((Withdrawing, true, false, input, Removing, removal, NEVER));
        table.push((Withdrawing, false, false, input, Ended, unregistered, NEVER));
    }
    for input in [BOUND, FAILED, REFUSED] {
        table.push((Removing, true, false, input, Ended, unregistered, NEVER));
    }
    for state in [State::Free, Ended] {
        for input in [BOUND, FAILED, REFUSED, LOST, AddressLearned, AddressChanged, Remove, Due] {
            table.push((state, true, false, input, state, none, NEVER));
        }
    }
    for state in [State::Free, Registering, Correcting, Outdated, Withdrawing, Waiting, Removing, Ended] {
        table.push((state, true, false, Lapsed, state, none, NEVER));
    }
    for (row, (state, bound, lost_before, input, next, expected, due)) in table.into_iter().enumerate() {
        let mut machine = machine(state, bound, lost_before);
        let step = machine.receive(NOW, input);
        assert_eq!((step, machine.state()), (expected, next), "row {row}: {state:?} {input:?}");
        let at = machine.deadline(Timer::Register);
        let left = if at == Instant::ZERO { NEVER } else { at.since(NOW).as_millis() };
        assert_eq!(left, due, "row {row}: {state:?} {input:?}");
    }
}

#[test]
fn calls_wait_for_the_renewal_and_not_longer() {
    for (input, renewed) in [(BOUND, true), (FAILED, true), (REFUSED, true), (LOST, false)] {
        let mut machine = machine(Registered, true, false);
        assert_eq!(machine.receive(NOW, Input::AddressChanged), Step::NOTHING);
        assert!(machine.take_due(Timer::Register, NOW));
        assert_eq!(machine.receive(NOW, Input::Due), Step::BINDING);
        assert!(machine.calls_wait());
        let step = machine.receive(NOW, input);
        assert_eq!((step.renewed, machine.calls_wait()), (renewed, !renewed), "{input:?}");
    }
    let mut machine = machine(Waiting, false, false);
    assert_eq!(machine.receive(NOW, Input::AddressChanged), Step::NOTHING);
    assert!(machine.receive(NOW, Input::Remove).renewed);
}

/// The waits of failures one after the other, in seconds.
fn waits(retry: Retry) -> Vec<u64> {
    let mut machine = Machine::new();
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..13 {
        assert_eq!(machine.receive(now, failed(retry)).tell, Indication::Failed);
        let at = machine.deadline(Timer::Register);
        waits.push(at.since(now).as_millis() / 1000);
        now = at;
        assert!(machine.take_due(Timer::Register, now));
        assert_eq!(machine.receive(now, Input::Due), Step::BINDING);
    }
    waits
}

#[test]
fn waits_grow_up_to_half_an_hour_and_keep_to_retry_after() {
    assert_eq!(waits(Retry::BackOff), [30, 60, 120, 240, 480, 960, 1799, 1799, 1799, 1799, 1799, 1799, 1799]);
    assert_eq!(waits(Retry::After(0)), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800]);
    assert_eq!(waits(Retry::After(100)), [100, 100, 100, 100, 100, 100, 100, 128, 256, 512, 1024, 1800, 1800]);
    assert_eq!(waits(Retry::After(1_000_000)), [1_000_000; 13]);
}

#[test]
fn a_failure_after_two_good_minutes_is_the_first_again() {
    for (after, wait) in [(119, 120_000), (120, 30_000)] {
        let mut machine = Machine::new();
        let _ = machine.receive(NOW, FAILED);
        let _ = machine.receive(NOW, Input::Due);
        let _ = machine.receive(NOW, FAILED);
        let _ = machine.receive(NOW, Input::Due);
        assert_eq!(machine.receive(NOW, BOUND).tell, Told);
        let now = NOW + Duration::from_secs(after);
        let _ = machine.receive(now, Input::Due);
        let _ = machine.receive(now, FAILED);
        assert_eq!(machine.deadline(Timer::Register).since(now).as_millis(), wait);
    }
}

#[test]
fn what_is_untold_is_told_once() {
    let mut machine = Machine::new();
    let _ = machine.receive(NOW, failed(Retry::After(7)));
    assert_eq!(machine.take_untold(NOW), (Indication::Failed, RegistrationCause::Refused, 503, 7));
    assert_eq!(machine.take_untold(NOW).0, Nothing);
    let _ = machine.receive(NOW, Input::Due);
    let _ = machine.receive(NOW, REFUSED);
    assert_eq!(machine.take_untold(NOW), (Indication::Failed, RegistrationCause::Refused, 503, 0));
}

/// A 2xx that binds for `seconds`.
const fn granted(seconds: u32) -> Input {
    Input::Bound(Bound { seconds, keep_alive: Duration::ZERO, new_flow: false })
}

#[test]
fn brief_grants_are_followed_at_first_and_then_less_and_less() {
    for (seconds, expected) in [
        (1, [2, 2, 2, 2, 2, 4, 8, 10, 10]),
        (4, [2, 2, 2, 2, 2, 4, 8, 10, 10]),
        (12, [6, 6, 6, 6, 6, 6, 8, 10, 10]),
        (20, [10; 9]),
        (60, [30; 9]),
    ] {
        let mut machine = Machine::new();
        let waits = expected.map(|_| {
            assert_eq!(machine.receive(NOW, granted(seconds)).tell, Told);
            let wait = machine.deadline(Timer::Register).since(NOW).as_millis() / 1000;
            machine.state = Registering;
            wait
        });
        assert_eq!(waits, expected, "{seconds}");
        // One that is not brief begins anew.
        let _ = machine.receive(NOW, granted(600));
        machine.state = Registering;
        let _ = machine.receive(NOW, granted(4));
        assert_eq!(machine.deadline(Timer::Register).since(NOW).as_millis(), 2000);
    }
}

#[test]
fn a_binding_that_ends_before_its_refresh_is_told_to_have_lapsed() {
    let mut machine = Machine { brief: 9, ..Machine::new() };
    let _ = machine.receive(NOW, granted(4));
    let end = NOW + Duration::from_secs(4);
    assert_eq!(machine.earliest_deadline(), Some(end));
    let Some(input @ Input::Lapsed) = machine.take_due_input(end) else { panic!("nothing is due") };
    assert_eq!(machine.receive(end, input), told(Indication::Failed));
    assert_eq!(machine.take_untold(end), (Indication::Failed, RegistrationCause::Lapsed, 200, 6));
    assert_eq!(machine.earliest_deadline(), Some(NOW + Duration::from_secs(10)));
    // One that is refreshed in time wakes nobody at its end.
    let mut machine = Machine::new();
    let _ = machine.receive(NOW, granted(600));
    assert_eq!(machine.earliest_deadline(), Some(NOW + Duration::from_secs(510)));
}

#[test]
fn a_removal_without_room_is_tried_again() {
    let mut machine = machine(Withdrawing, false, false);
    let before = machine;
    assert_eq!(machine.receive(NOW, BOUND), Step::REMOVAL);
    machine.no_room(NOW, before);
    let later = NOW + Duration::from_secs(1);
    assert_eq!((machine.state(), machine.earliest_deadline()), (Withdrawing, Some(later)));
    assert!(matches!(machine.take_due_input(later), Some(Input::Due)));
    assert_eq!(machine.receive(later, Input::Due), Step::REMOVAL);
}
