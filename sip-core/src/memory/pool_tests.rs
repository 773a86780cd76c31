//! The pool against a list of vectors.

use super::*;
use proptest::prelude::*;

const SIZE: usize = 300;

#[derive(Clone, Debug)]
enum Step {
    Keep { want: usize, len: usize, reserved: bool },
    Release(usize),
    Truncate(usize, usize),
    Reserve(usize),
    Unreserve(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..90_usize, 0..90_usize, any::<bool>())
            .prop_map(|(want, len, reserved)| Step::Keep { want, len, reserved }),
        4 => any::<usize>().prop_map(Step::Release),
        2 => (any::<usize>(), 0..60_usize).prop_map(|(which, len)| Step::Truncate(which, len)),
        1 => (0..120_usize).prop_map(Step::Reserve),
        1 => (0..120_usize).prop_map(Step::Unreserve),
    ]
}

proptest! {
    #[test]
    fn keeps_what_a_list_of_vectors_keeps(steps in prop::collection::vec(step(), 0..200)) {
        let mut pool = Pool::<SIZE>::new();
        let mut model: Vec<(Block, Vec<u8>)> = Vec::new();
        let mut reserved = 0;
        let mut stamp = 0_u8;
        for step in steps {
            match step {
                Step::Keep { want, len, reserved: dip } => {
                    let free = pool.free();
                    let (kept, room) = pool.open(want);
                    for (block, octets) in &model {
                        prop_assert_eq!(kept.get(*block), &octets[..]);
                    }
                    let fits = len <= room.len();
                    // Whatever is free can be opened, less what the block itself needs.
                    prop_assert!(room.len() >= want.min(free.saturating_sub(Pool::<SIZE>::OVERHEAD)));
                    stamp = stamp.wrapping_add(1);
                    room.iter_mut().take(len).for_each(|octet| *octet = stamp);
                    let block = if dip { pool.keep_reserved(len) } else { pool.keep(len) };
                    if let Ok(block) = block {
                        prop_assert!(fits);
                        prop_assert!(dip || len == 0 || pool.free() >= reserved);
                        if len > 0 {
                            model.push((block, vec![stamp; len]));
                        }
                    } else {
                        prop_assert!(!fits || free < len + Pool::<SIZE>::OVERHEAD + reserved);
                    }
                }
                Step::Release(which) if !model.is_empty() => {
                    let (block, _) = model.swap_remove(which % model.len());
                    pool.release(block);
                }
                Step::Truncate(which, len) if !model.is_empty() => {
                    let which = which % model.len();
                    let (block, octets) = &mut model[which];
                    pool.truncate(*block, len);
                    octets.truncate(len);
                }
                Step::Reserve(octets) => {
                    if pool.reserve(octets).is_ok() {
                        reserved += octets;
                        prop_assert!(pool.free() >= reserved);
                    }
                }
                Step::Unreserve(octets) => {
                    let octets = octets.min(reserved);
                    pool.unreserve(octets);
                    reserved -= octets;
                }
                Step::Release(_) | Step::Truncate(..) => {}
            }
            for (block, octets) in &model {
                prop_assert_eq!(Octets::get(&pool, *block), &octets[..]);
            }
            prop_assert!(pool.used() >= model.iter().map(|(_, octets)| octets.len()).sum());
        }
        for (block, _) in model {
            pool.release(block);
        }
        prop_assert_eq!(pool.used(), 0);
        prop_assert_eq!(pool.open(usize::MAX).1.len(), SIZE - HEADER - SLOT);
    }
}

#[test]
fn a_new_pool_is_all_zero() {
    let pool = Pool::<64>::new();
    assert_eq!(pool.octets, [0; 64]);
    let Pool { tail, table, free_slot, blocks, live, reserved, last, .. } = pool;
    assert_eq!((tail, table, free_slot, blocks, live, reserved, last), (0, 0, 0, 0, 0, 0, 0));
}

#[test]
fn blocks_reach_65535_octets() {
    let mut pool = Pool::<150_000>::new();
    for fill in [1, 2] {
        let (_, room) = pool.open(65_535);
        assert_eq!(room.len(), 65_535);
        room.fill(fill);
        let block = pool.keep(65_535).unwrap();
        assert!(Octets::get(&pool, block).iter().all(|octet| *octet == fill));
    }
    assert_eq!(pool.keep(65_536), Err(Capacity::MessageSize { beyond: 1 }));
}

#[test]
fn a_block_can_be_released_between_open_and_keep() {
    let mut pool = Pool::<200>::new();
    pool.open(10).1[..4].copy_from_slice(b"abcd");
    let old = pool.keep(4).unwrap();
    pool.open(10).1[..4].copy_from_slice(b"efgh");
    pool.release(old);
    let new = pool.keep(4).unwrap();
    assert_eq!(Octets::get(&pool, new), b"efgh");
}

#[test]
fn no_size_panics() {
    fn fill<const N: usize>() {
        let mut pool = Pool::<N>::new();
        let room = pool.open(1).1.len();
        let _ = pool.keep(room);
        let block = pool.keep_reserved(1);
        pool.open(9).1.fill(1);
        pool.release(block.unwrap_or_default());
        pool.truncate(Block::from_number(u32::MAX), 0);
        assert_eq!(Octets::get(&pool, Block::from_number(77)), b"");
        assert!(pool.used() <= N);
    }
    fill::<0>();
    fill::<1>();
    fill::<5>();
    fill::<6>();
    fill::<7>();
    fill::<11>();
    fill::<12>();
    fill::<13>();
    fill::<18>();
    fill::<19>();
    fill::<25>();
}
