//! Adapters of the tests, driven by hand: one poll at a time.

use crate::adapter::Adapter;
use crate::echo::{Echo, Said};
use crate::turn::Turn;

/// One poll, and a short sleep where there is nothing to do.
pub(crate) fn step(adapter: &mut Adapter<Echo>) -> Option<Said> {
    step_into(adapter, &mut vec![0; 65_536])
}

/// The same with a buffer of the test's own.
pub(crate) fn step_into(adapter: &mut Adapter<Echo>, buffer: &mut [u8]) -> Option<Said> {
    match adapter.poll(buffer).unwrap() {
        Turn::Message { event, .. } | Turn::Event(event) => Some(event),
        Turn::Idle(_) => {
            let soon = adapter.now() + sip_core::time::Duration::from_millis(2);
            adapter.wait(Some(soon)).unwrap();
            None
        }
        _ => None,
    }
}

/// Drives both until the first says something; the second may say nothing.
pub(crate) fn next(one: &mut Adapter<Echo>, two: &mut Adapter<Echo>) -> Said {
    for _ in 0..2000 {
        if let Some(said) = step(one) {
            return said;
        }
        if let Some(said) = step(two) {
            panic!("{said:?}");
        }
    }
    panic!("silence: {:?} {:?}", one.statistics(), two.statistics());
}
