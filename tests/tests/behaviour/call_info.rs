//! What an application reads of its calls.

use sip_core::time::Duration;
use sip_core::ua::{Call, CallInfo, CallState, Content};
use sip_testkit::{ANSWER, NodeId, Phones};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn info(phones: &Phones, node: NodeId, call: Call) -> CallInfo<'_> {
    phones.world.role(node).call_info(call).expect("a call that lives")
}

#[test]
fn both_ends_name_one_dialog_and_tell_how_long_it_lasts() {
    let (mut phones, alice, bob) = Phones::pair(1);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    let before = info(&phones, alice, call);
    assert_eq!((before.state, before.incoming, before.duration(phones.world.now())), (CallState::Calling, false, None));
    assert_eq!(text(before.target), "sip:bob@192.0.2.2");
    assert!(before.local_tag().is_some() && before.remote_tag().is_none());
    let call_id = text(before.call_id);
    phones.pause();
    let incoming = phones.incoming(bob);
    assert_eq!(info(&phones, bob, incoming).state, CallState::Ringing);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.wait(5000);
    let (ours, theirs) = (info(&phones, alice, call), info(&phones, bob, incoming));
    for (end, incoming) in [(&ours, false), (&theirs, true)] {
        assert_eq!((end.state, end.incoming, text(end.call_id)), (CallState::Established, incoming, call_id.clone()));
        let duration = end.duration(phones.world.now()).unwrap();
        assert!((Duration::from_millis(4900)..=Duration::from_millis(5000)).contains(&duration));
    }
    assert_eq!((ours.local_tag(), ours.remote_tag()), (theirs.remote_tag(), theirs.local_tag()));
    assert_eq!((text(ours.local), text(ours.remote)), (text(theirs.remote), text(theirs.local)));
    assert!(text(ours.target).starts_with("sip:bob@192.0.2.2") && ours.route.is_empty());
    assert_eq!(phones.world.role(alice).calls().collect::<Vec<_>>(), [call]);
    phones.hang_up(alice, call);
    assert_eq!(info(&phones, alice, call).state, CallState::Ending);
    phones.pause();
    assert!(phones.world.role(alice).call_info(call).is_none());
    assert_eq!(phones.world.role(bob).calls().count(), 0);
    phones.settle();
}
