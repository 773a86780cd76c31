//! Sessions under loss, duplication and reordering, changed by either end at any moment (RFC 3264 §4, RFC 3261 §14, RFC 6337 §5.3).
//!
//! A seed draws what the network does, who offers first, and what either user changes when. Afterwards both ends that are still in
//! the call see one stream from its two sides; no two descriptions have one version; and what each call took of the pool is
//! given back. Forks are in `sessions.rs`. `SIP_SESSION_SEEDS=from..to` plays other seeds.

use crate::negotiators::{Act, Room, assert_agreed, assert_mirrored, plan, room, settle};
use core::sync::atomic::{AtomicU64, Ordering};
use fastrand::Rng;
use sip_core::sdp::Direction;
use sip_core::sdp::offer_answer::Codec;
use sip_core::time::Duration;
use sip_core::ua::CallState;
use sip_testkit::{Config, Faults, NodeId, run_seeds};

const SEEDS: u64 = 4000;

/// What a user does in the call.
fn change(random: &mut Rng) -> Act {
    let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    match random.u8(..6) {
        0..=2 => Act::Direct(directions[random.usize(..4)]),
        3 | 4 => {
            let mut codecs = vec![Codec::PCMU, Codec::PCMA, Codec::G722, Codec::OPUS, Codec::TELEPHONE_EVENT];
            random.shuffle(&mut codecs);
            // Both ends have µ-law always, so that no change is refused for want of a codec.
            codecs.truncate(random.usize(1..=4));
            if !codecs.contains(&Codec::PCMU) {
                codecs.push(Codec::PCMU);
            }
            Act::Codecs(codecs)
        }
        _ => Act::AskForOffer,
    }
}

fn faults(random: &mut Rng) -> Faults {
    let mut faults = [Faults::NONE, Faults::LINE, Faults::WIRELESS][random.usize(..3)];
    if random.bool() {
        faults = faults.with_delay(1, random.u64(2..=600));
    }
    if random.bool() {
        faults.loss = random.u16(..=250);
        faults.duplicate = random.u16(..=300);
    }
    faults
}

/// Both ends are in the call, and nothing is under way in it.
fn both_talk(room: &mut Room, nodes: &[NodeId]) -> bool {
    nodes.iter().all(|node| {
        let Some(call) = room.user_mut().at(*node).call else { return false };
        let state = room.role(*node).call_info(call).map(|info| info.state);
        state == Some(CallState::Established)
            && room.role(*node).negotiation(call).is_some_and(sip_core::sdp::offer_answer::Negotiation::is_agreed)
    })
}

/// Plays a seed; whether both ends were in the call at the end, and how many changes were made.
fn play(config: Config) -> (bool, u64) {
    let mut random = Rng::with_seed(config.seed ^ 0x5e55);
    let faults = faults(&mut random);
    let (mut room, nodes) = room(config.with_faults(faults), &["alice", "bob"]);
    let before = nodes.iter().map(|node| room.role(*node).occupancy().octets).collect::<Vec<_>>();
    plan(&mut room, 0, nodes[0], Act::Call("sip:bob@192.0.2.2".into(), random.bool()));
    if random.bool() {
        plan(&mut room, random.u64(..1500), nodes[1], Act::Preview);
    }
    let answered = random.u64(500..3000);
    plan(&mut room, answered, nodes[1], Act::Answer);
    for _ in 0..random.u8(1..8) {
        let act = change(&mut random);
        plan(&mut room, answered + random.u64(..12_000), nodes[random.usize(..2)], act);
    }
    room.run_for(Duration::from_secs(150));
    let talk = both_talk(&mut room, &nodes);
    if talk {
        assert_mirrored(&mut room, nodes[0], nodes[1]);
        // On a line without faults each gets what it wants.
        room.network_mut().set_faults(Faults::LINE);
        for node in &nodes {
            plan(&mut room, 0, *node, Act::Direct(Direction::SendRecv));
            room.run_for(Duration::from_secs(20));
        }
        assert!(both_talk(&mut room, &nodes), "{}", room.explain());
        assert_agreed(&mut room, nodes[0], nodes[1]);
    }
    for node in &nodes {
        plan(&mut room, 0, *node, Act::HangUp);
    }
    settle(&mut room);
    let after = nodes.iter().map(|node| room.role(*node).occupancy().octets).collect::<Vec<_>>();
    assert_eq!(after, before, "octets\n{}", room.explain());
    let versions = nodes.iter().map(|node| room.user_mut().at(*node).versions());
    (talk, versions.collect::<Vec<_>>().iter().sum())
}

#[test]
fn both_ends_see_one_session_whatever_the_network_does() {
    let wanted = std::env::var("SIP_SESSION_SEEDS").ok();
    let seeds = match wanted.as_deref().and_then(|text| text.split_once("..")) {
        None => 0..SEEDS,
        Some((first, last)) => first.parse().expect("a seed")..last.parse().expect("a seed"),
    };
    let (talked, versions) = (AtomicU64::new(0), AtomicU64::new(0));
    let all = seeds.end - seeds.start;
    run_seeds(seeds, |config| {
        let (talk, changes) = play(Config { check: config.seed % 64 == 0, ..config });
        talked.fetch_add(u64::from(talk), Ordering::Relaxed);
        versions.fetch_add(changes, Ordering::Relaxed);
    });
    let (talked, versions) = (talked.into_inner(), versions.into_inner());
    println!("{talked} of {all} calls lasted, {versions} descriptions");
    assert!(wanted.is_some() || talked > all * 3 / 4 && versions > all * 4, "{talked} of {all}, {versions}");
}
