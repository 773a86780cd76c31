//! Under load, what comes within a millisecond is taken together.
//!
//! A sleep that the next datagram ends costs as much as the datagram. So when sleeps are short one after the other, the next one is
//! a pause first, in which several come. An adapter with less to do answers at once.

use core::time::Duration;

/// A sleep that ends sooner was not worth it.
const SHORT: Duration = Duration::from_micros(500);
/// So many of them in a row are load.
const ROW: u8 = 16;
/// What comes in this time is taken together.
const PAUSE: Duration = Duration::from_millis(1);
/// Fewer datagrams in a pause are no load any longer.
const FEW: u64 = 3;

/// How busy the network is.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    /// Short sleeps in a row.
    short: u8,
    /// Datagrams that had come before the last sleep.
    before: u64,
}

impl Gather {
    /// How long to pause before a sleep that may last so long (`None`: without limit), after so many datagrams.
    pub(crate) fn pause(&mut self, datagrams: u64, left: Option<Duration>) -> Duration {
        let came = datagrams.wrapping_sub(core::mem::replace(&mut self.before, datagrams));
        if self.short < ROW {
            // Whatever else ends sleeps is no load of datagrams.
            if came == 0 {
                self.short = 0;
            }
            return Duration::ZERO;
        }
        // The count goes beyond the row with the first pause.
        if self.short > ROW && came < FEW {
            self.short = 0;
            return Duration::ZERO;
        }
        self.short = ROW + 1;
        left.map_or(PAUSE, |left| left.min(PAUSE))
    }

    /// The sleep, without its pause, lasted so long.
    pub(crate) fn slept(&mut self, time: Duration) {
        if time >= SHORT {
            self.short = 0;
        } else if self.short < ROW {
            self.short += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is paused before sleeps that are ended so soon, each by so many datagrams.
    fn pauses(gather: &mut Gather, datagrams: &mut u64, sleeps: &[(u64, u64)]) -> Vec<u128> {
        let sleep = |&(micros, came): &(u64, u64)| {
            let pause = gather.pause(*datagrams, None);
            gather.slept(Duration::from_micros(micros));
            *datagrams += came;
            pause.as_micros()
        };
        sleeps.iter().map(sleep).collect()
    }

    #[test]
    fn short_sleeps_in_a_row_become_pauses_until_few_datagrams_come() {
        let (mut gather, mut datagrams) = (Gather::default(), 1);
        let row = usize::from(ROW);
        assert_eq!(pauses(&mut gather, &mut datagrams, &vec![(100, 1); row]), vec![0; row]);
        assert_eq!(pauses(&mut gather, &mut datagrams, &[(0, 7), (0, 3), (0, 2), (100, 1)]), [1000, 1000, 1000, 0]);
        // The sleep that was no pause is the first of the next row.
        assert_eq!(pauses(&mut gather, &mut datagrams, &vec![(100, 1); row - 1]), vec![0; row - 1]);
        assert_eq!(pauses(&mut gather, &mut datagrams, &[(0, 7)]), [1000]);
    }

    #[test]
    fn a_long_sleep_or_one_that_no_datagram_ends_is_no_load() {
        let (mut gather, mut datagrams) = (Gather::default(), 1);
        let rare: Vec<_> = (0..100).map(|count| if count % 10 == 0 { (500, 1) } else { (100, 1) }).collect();
        let other: Vec<_> = (0..100).map(|count| (100, u64::from(count % 10 != 0))).collect();
        assert_eq!(pauses(&mut gather, &mut datagrams, &rare), vec![0; 100]);
        assert_eq!(pauses(&mut gather, &mut datagrams, &other), vec![0; 100]);
        let (mut gather, mut datagrams) = (Gather::default(), 1);
        let row = usize::from(ROW);
        assert_eq!(pauses(&mut gather, &mut datagrams, &vec![(100, 1); row]), vec![0; row]);
        assert_eq!(pauses(&mut gather, &mut datagrams, &[(700, 7), (100, 7)]), [1000, 0]);
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
}
