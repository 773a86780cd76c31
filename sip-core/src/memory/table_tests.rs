//! The table against a list of its entries.

use super::*;
use crate::memory::index::steps;
use crate::memory::{CHAINS, LISTS, Store};
use crate::random::{HashKey, Random};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

struct Item {
    keys: [Key; CHAINS],
}

impl Entry for Item {
    const ZERO: Self = Self { keys: [Key::ZERO; CHAINS] };

    fn key(&self, chain: usize) -> Key {
        self.keys[chain]
    }
}

fn items(count: usize) -> Store<Vec<Links>, Vec<Item>> {
    Store::with(vec![Links::ZERO; count], (0..count).map(|_| Item::ZERO).collect())
}

fn key(number: u64) -> Key {
    HashKey::ZERO.hasher().number(number).finish()
}

#[derive(Clone, Debug)]
enum Step {
    Insert,
    Remove(usize),
    Link(usize, usize, u64),
    Unlink(usize, usize),
    Timer(usize, Option<u64>),
    Expire(u64),
    Push(usize, usize, bool),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<usize>;
    prop_oneof![
        4 => Just(Step::Insert),
        2 => at().prop_map(Step::Remove),
        3 => (at(), 0..CHAINS, 0..5_u64).prop_map(|(at, chain, key)| Step::Link(at, chain, key)),
        1 => (at(), 0..CHAINS).prop_map(|(at, chain)| Step::Unlink(at, chain)),
        4 => (at(), prop::option::of(0..50_u64)).prop_map(|(at, deadline)| Step::Timer(at, deadline)),
        2 => (0..50_u64).prop_map(Step::Expire),
        3 => (at(), 0..LISTS, any::<bool>()).prop_map(|(at, list, front)| Step::Push(at, list, front)),
        1 => at().prop_map(Step::Leave),
    ]
}

#[derive(Debug)]
struct Model {
    handle: Handle,
    keys: [Option<u64>; CHAINS],
    deadline: Option<u64>,
}

proptest! {
    #[test]
    fn does_what_a_list_does(size in 0..12_usize, steps in prop::collection::vec(step(), 0..200)) {
        let mut items = items(size);
        let mut table = items.table();
        let mut model: Vec<Model> = Vec::new();
        let mut lists: [VecDeque<Handle>; LISTS] = Default::default();
        let mut gone: Vec<Handle> = Vec::new();
        for step in steps {
            let count = model.len().max(1);
            match step {
                Step::Insert => match table.insert() {
                    Some(handle) => model.push(Model { handle, keys: [None; CHAINS], deadline: None }),
                    None => prop_assert_eq!(model.len(), size),
                },
                _ if model.is_empty() => {}
                Step::Remove(at) => {
                    let Model { handle, .. } = model.remove(at % count);
                    table.remove(handle);
                    table.remove(handle);
                    gone.push(handle);
                    lists.iter_mut().for_each(|list| list.retain(|other| *other != handle));
                }
                Step::Link(at, chain, number) => {
                    let item = &mut model[at % count];
                    table.get_mut(item.handle).unwrap().keys[chain] = key(number);
                    table.link_key(item.handle, chain, key(number));
                    item.keys[chain] = Some(number);
                }
                Step::Unlink(at, chain) => {
                    let item = &mut model[at % count];
                    table.unlink_key(item.handle, chain);
                    item.keys[chain] = None;
                }
                Step::Timer(at, deadline) => {
                    let item = &mut model[at % count];
                    table.set_timer(item.handle, deadline.map(Instant::from_millis));
                    item.deadline = deadline;
                }
                Step::Expire(now) => {
                    let due = model.iter().filter_map(|item| item.deadline).filter(|at| *at <= now).min();
                    let expired = table.expired(Instant::from_millis(now));
                    let item = model.iter_mut().find(|item| Some(item.handle) == expired);
                    prop_assert_eq!(due, item.as_ref().and_then(|item| item.deadline));
                    if let Some(item) = item {
                        item.deadline = None;
                    }
                }
                Step::Push(at, list, front) => {
                    let handle = model[at % count].handle;
                    lists.iter_mut().for_each(|list| list.retain(|other| *other != handle));
                    if front {
                        table.push_front(handle, list);
                        lists[list].push_front(handle);
                    } else {
                        table.push(handle, list);
                        lists[list].push_back(handle);
                    }
                }
                Step::Leave(at) => {
                    let handle = model[at % count].handle;
                    lists.iter_mut().for_each(|list| list.retain(|other| *other != handle));
                    table.unlink_ready(handle);
                }
            }
            prop_assert_eq!((table.len(), table.free()), (model.len(), size - model.len()));
            prop_assert!(gone.iter().all(|handle| table.get(*handle).is_none()));
            let earliest = model.iter().filter_map(|item| item.deadline).min();
            prop_assert_eq!(table.next_deadline(), earliest.map(Instant::from_millis));
            for item in &model {
                prop_assert_eq!(table.view().deadline(item.handle), item.deadline.map(Instant::from_millis));
            }
            for chain in 0..CHAINS {
                for number in 0..5 {
                    let mut found = Vec::new();
                    let mut next = table.find(chain, key(number));
                    while let Some(handle) = next {
                        found.push(handle.bits());
                        next = table.find_next(handle, chain);
                    }
                    let named = |item: &&Model| item.keys[chain] == Some(number);
                    let mut expected: Vec<_> = model.iter().filter(named).map(|item| item.handle.bits()).collect();
                    found.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
            for (list, expected) in lists.iter().enumerate() {
                let mut next = table.first(list);
                for handle in expected {
                    prop_assert_eq!(next, Some(*handle));
                    prop_assert_eq!(table.ready_list(*handle), Some(list));
                    next = table.next_ready(*handle);
                }
                prop_assert_eq!(next, None);
            }
        }
        for item in model {
            table.remove(item.handle);
        }
        prop_assert!(table.is_empty() && table.next_deadline().is_none());
        prop_assert_eq!(table.view().iter().count(), 0);
    }
}

/// Steps through chains and heap that one operation takes at most and on average, with `count` entries.
fn steps_of(count: usize) -> [(u64, u64); 3] {
    let mut random = Random::new([3; 16]);
    let hash = random.hash_key();
    let mut items = items(count);
    let mut table = items.table();
    let mut handles = Vec::new();
    for number in 0..count as u64 {
        let handle = table.insert().unwrap();
        let key = hash.hasher().number(number).finish();
        table.get_mut(handle).unwrap().keys[0] = key;
        table.link_key(handle, 0, key);
        table.set_timer(handle, Some(Instant::from_millis(u64::from(random.below(100_000)))));
        handles.push((handle, key));
    }
    let mut measured = [(0, 0); 3];
    let rounds = 20_000;
    for _ in 0..rounds {
        let (handle, key) = handles[random.below(count as u32) as usize];
        let deadline = Instant::from_millis(u64::from(random.below(100_000)));
        steps::take();
        assert_eq!(table.find(0, key), Some(handle));
        let find = steps::take();
        table.set_timer(handle, Some(deadline));
        let moved = steps::take();
        table.set_timer(handle, None);
        table.unlink_key(handle, 0);
        let removed = steps::take();
        table.link_key(handle, 0, key);
        table.set_timer(handle, Some(deadline));
        for (kind, took) in [find, moved, removed].into_iter().enumerate() {
            measured[kind] = (measured[kind].0.max(took), measured[kind].1 + took);
        }
    }
    measured.map(|(most, sum)| (most, sum * 100 / rounds))
}

#[test]
fn find_moves_and_removes_take_logarithmic_steps() {
    let [small, large] = [4, Handle::MOST.min(100_000)].map(steps_of);
    std::println!("steps (most, hundredths on average) to find, move a timer, remove: 4: {small:?} 100,000: {large:?}");
    let [find, moved, removed] = large;
    // A chain of nine among 100,000 keys in as many buckets is rarer than one in a hundred thousand.
    assert!(find.0 <= 10 && find.1 <= 200, "{find:?}");
    assert!(moved.0 <= 18 && removed.0 <= 18, "{moved:?} {removed:?}");
}

#[test]
fn what_one_slice_has_more_than_the_other_stays_unused() {
    for (links, entries) in [(3, 2), (2, 3), (2, 0), (0, 2)] {
        let mut store = Store::with(vec![Links::ZERO; links], (0..entries).map(|_| Item::ZERO).collect::<Vec<_>>());
        let both = links.min(entries);
        assert_eq!(store.view().free(), both);
        let mut table = store.table();
        for left in (0..both).rev() {
            let handle = table.insert().unwrap();
            assert!(table.get_mut(handle).is_some());
            assert_eq!((table.free(), table.capacity()), (left, both));
        }
        assert_eq!(table.insert(), None);
    }
}

#[test]
fn a_handle_never_names_a_later_owner_of_its_place() {
    for count in [1, 3, 16] {
        let mut items = items(count);
        let mut table = items.table();
        let first = table.insert().unwrap();
        table.remove(first);
        let mut last = first;
        for use_of_it in 1..200_000_u32 {
            let handle = table.insert().unwrap();
            assert!(handle != first && handle != last, "use {use_of_it} of {count} is named as an earlier one");
            assert!(table.get(first).is_none() && table.get(last).is_none() && table.get(handle).is_some());
            assert!(handle.bits() < 1 << 48);
            assert_eq!(Handle::from_bits(handle.bits()), handle);
            table.remove(handle);
            table.remove(first);
            last = handle;
        }
        assert_eq!((table.len(), table.free()), (0, count));
    }
}

#[test]
fn the_largest_table_has_places_and_generations_to_spare() {
    for place in [0, 1, Handle::MOST - 1] {
        let owners = [0, 1, 40_000].map(|generation| Handle::new(Link::entry(place), generation, Handle::MOST));
        assert!(owners.iter().all(|handle| handle.link(Handle::MOST) == Link::entry(place) && !handle.is_none()));
        assert!(owners[0] != owners[1] && owners[1] != owners[2]);
    }
}

#[test]
fn handles_are_printed_small() {
    let mut items = items(2);
    let mut table = items.table();
    let (one, two) = (table.insert().unwrap(), table.insert().unwrap());
    assert_eq!(std::format!("{one} {two:?}"), "1 Handle(2)");
}

#[test]
fn zero_is_all_zero() {
    let Links { deadline, slot, bucket, place, chain_next, chain_prev, next, prev, tenure, ready } = Links::ZERO;
    assert_eq!((deadline, slot, bucket, place), Default::default());
    assert_eq!((chain_next, chain_prev, next, prev), Default::default());
    assert_eq!((tenure, ready), Default::default());
    let Head { free, fresh, used, timers, first, last } = Head::ZERO;
    assert_eq!((free, fresh, used, timers, first, last), Default::default());
    assert_eq!(Link::default(), Link::NONE);
}

#[test]
fn sizes_are_known() {
    let (links, handle) = if cfg!(feature = "narrow") { (52, 4) } else { (56, 8) };
    assert_eq!((size_of::<Links>(), size_of::<Handle>()), (links, handle));
}
