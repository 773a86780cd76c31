//! Under load, what comes within a millisecond is taken together.
//!
//! A sleep that the next message ends costs as much as the message. So when sleeps are short one after the other, the next one is
//! a pause first, in which several come. An adapter with less to do answers at once: up to 2,000 messages a second that come evenly
//! there is no pause at all. One peer that asks again as soon as it has its answer looks like load, and is none: a first pause in which too
//! few come has the next one wait for twice as many short sleeps, so that it soon meets one message in thousands.

use core::time::Duration;

/// A sleep that ends sooner was not worth it.
const SHORT: Duration = Duration::from_micros(500);
/// So many of them in a row are load.
const ROW: u16 = 16;
/// The row after first pauses that were not worth it, at most.
const LONGEST_ROW: u16 = 4096;
/// What comes in this time is taken together.
const PAUSE: Duration = Duration::from_millis(1);
/// Fewer messages in a pause are no load any longer.
const FEW: u64 = 3;

/// How busy the network is.
#[derive(Debug)]
pub(crate) struct Gather {
    /// Short sleeps in a row.
    short: u16,
    /// How many of them are load.
    row: u16,
    last: Last,
    /// Messages that had come before the last sleep.
    before: u64,
}

/// What there was before the last sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    NoPause,
    FirstPause,
    Pause,
}

impl Default for Gather {
    fn default() -> Self {
        Self { short: 0, row: ROW, last: Last::NoPause, before: 0 }
    }
}

impl Gather {
    /// How long to pause before a sleep that may last so long (`None`: without limit), after so many messages.
    pub(crate) fn pause(&mut self, messages: u64, left: Option<Duration>) -> Duration {
        let came = messages.wrapping_sub(core::mem::replace(&mut self.before, messages));
        let last = core::mem::take(&mut self.last);
        match last {
            Last::NoPause => {}
            _ if came >= FEW => self.row = ROW,
            _ => {
                self.short = 0;
                if last == Last::FirstPause {
                    self.row = self.row.saturating_mul(2).min(LONGEST_ROW);
                }
            }
        }
        if self.short < self.row {
            // A timer has ended the sleep, or a connection that had no message.
            if came == 0 {
                self.short = 0;
            }
            return Duration::ZERO;
        }
        self.last = if last == Last::NoPause { Last::FirstPause } else { Last::Pause };
        left.map_or(PAUSE, |left| left.min(PAUSE))
    }

    /// The sleep, without its pause, lasted so long.
    pub(crate) fn slept(&mut self, time: Duration) {
        if time >= SHORT {
            self.short = 0;
        } else if self.short < self.row {
            self.short += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is paused before sleeps that are ended so soon, each by so many messages.
    fn pauses(gather: &mut Gather, messages: &mut u64, sleeps: &[(u64, u64)]) -> Vec<u128> {
        let sleep = |&(micros, came): &(u64, u64)| {
            let pause = gather.pause(*messages, None);
            gather.slept(Duration::from_micros(micros));
            *messages += came;
            pause.as_micros()
        };
        sleeps.iter().map(sleep).collect()
    }

    #[test]
    fn short_sleeps_in_a_row_become_pauses_until_few_messages_come() {
        let (mut gather, mut messages) = (Gather::default(), 1);
        let row = usize::from(ROW);
        assert_eq!(pauses(&mut gather, &mut messages, &vec![(100, 1); row]), vec![0; row]);
        assert_eq!(pauses(&mut gather, &mut messages, &[(0, 7), (0, 3), (0, 2), (100, 1)]), [1000, 1000, 1000, 0]);
        // There was load, and now there is none: the sleep that was no pause is the first of the next row.
        assert_eq!(pauses(&mut gather, &mut messages, &vec![(100, 1); row - 1]), vec![0; row - 1]);
        assert_eq!(pauses(&mut gather, &mut messages, &[(0, 7)]), [1000]);
    }

    #[test]
    fn a_long_sleep_or_one_that_no_message_ends_is_no_load() {
        let (mut gather, mut messages) = (Gather::default(), 1);
        let rare: Vec<_> = (0..100).map(|count| if count % 10 == 0 { (500, 1) } else { (100, 1) }).collect();
        let other: Vec<_> = (0..100).map(|count| (100, u64::from(count % 10 != 0))).collect();
        assert_eq!(pauses(&mut gather, &mut messages, &rare), vec![0; 100]);
        assert_eq!(pauses(&mut gather, &mut messages, &other), vec![0; 100]);
        let (mut gather, mut messages) = (Gather::default(), 1);
        let row = usize::from(ROW);
        assert_eq!(pauses(&mut gather, &mut messages, &vec![(100, 1); row]), vec![0; row]);
        assert_eq!(pauses(&mut gather, &mut messages, &[(700, 7), (100, 7)]), [1000, 0]);
    }

    #[test]
    fn no_pause_goes_beyond_what_may_be_slept() {
        let mut gather = Gather::default();
        for count in 0..u64::from(ROW) {
            assert_eq!(gather.pause(count + 1, None), Duration::ZERO);
            gather.slept(Duration::ZERO);
        }
        assert_eq!(gather.pause(100, Some(Duration::from_micros(10))), Duration::from_micros(10));
        assert_eq!(gather.pause(200, Some(Duration::ZERO)), Duration::ZERO);
    }

    #[test]
    fn who_asks_again_as_soon_as_he_has_his_answer_is_soon_not_paused_for() {
        let (mut gather, mut messages) = (Gather::default(), 1);
        let paused =
            pauses(&mut gather, &mut messages, &vec![(50, 1); 30_000]).iter().filter(|pause| **pause > 0).count();
        assert!((8..=16).contains(&paused), "{paused}");
        // Load is seen all the same, and seen early the next time.
        let longest = usize::from(LONGEST_ROW);
        let loaded = |gather: &mut Gather, messages: &mut u64, row: usize| {
            pauses(gather, messages, &vec![(50, 5); row]).iter().filter(|pause| **pause > 0).count()
        };
        assert!(loaded(&mut gather, &mut messages, longest + 10) > 0);
        assert_eq!(pauses(&mut gather, &mut messages, &[(900, 1), (900, 1)]), [1000, 0]);
        assert_eq!(loaded(&mut gather, &mut messages, usize::from(ROW) + 2), 2);
    }
}
