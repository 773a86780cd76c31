//! Any loss up to 30 %: what must hold for a random day, shrunk to the smallest loss and seed that break it.
//!
//! What is drawn and what must hold is written in `play/mod.rs`; `seeded_calls.rs` plays many more of the same days.

use crate::play::Day;
use proptest::prelude::{ProptestConfig, any, proptest};
use sip_testkit::Config;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_any_loss_every_end_ends_once(seed in any::<u32>(), loss in 0..=300_u16) {
        let config = Config::new(seed.into()).with_ladder(2000);
        let outcome = Day::new(config, Some(loss)).play();
        assert!(outcome.established == 0 || outcome.made > 0 && outcome.sent > 0);
    }
}
