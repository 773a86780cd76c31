//! Any sequence of calls on a small layer: nothing panics, no entry or octet is lost, and in the end all is drained.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Call {
    Client { method: usize, flow: usize, branch: u64 },
    Response { status: u16, method: usize, branch: u64 },
    Request { method: usize, branch: u64, flow: usize },
    Respond { which: usize, status: u16, size: usize },
    Pass(u64),
    PollSend(u8),
    PollParked(bool),
    Failed(usize),
    Writable(usize),
    Touch { which: usize, how: u8 },
    Reserve(usize),
    Unreserve(usize),
}

const METHODS: [&str; 5] = ["INVITE", "OPTIONS", "BYE", "CANCEL", "ACK"];

fn flow(number: usize) -> Flow {
    [PEER, tcp(1), tcp(2), Flow::NONE][number]
}

fn call() -> impl Strategy<Value = Call> {
    let status = || prop_oneof![100..200_u16, 200..300_u16, 300..700_u16];
    prop_oneof![
        3 => (0..4_usize, 0..4_usize, 0..4_u64).prop_map(|(method, flow, branch)| Call::Client { method, flow, branch }),
        4 => (status(), 0..4_usize, 0..4_u64).prop_map(|(status, method, branch)| Call::Response { status, method, branch }),
        4 => (0..5_usize, 0..4_u64, 0..3_usize).prop_map(|(method, branch, flow)| Call::Request { method, branch, flow }),
        4 => (any::<usize>(), status(), 0..900_usize)
            .prop_map(|(which, status, size)| Call::Respond { which, status, size }),
        3 => prop_oneof![0..1000_u64, 0..40_000_u64].prop_map(Call::Pass),
        4 => (0..4_u8).prop_map(Call::PollSend),
        2 => any::<bool>().prop_map(Call::PollParked),
        1 => (0..3_usize).prop_map(Call::Failed),
        1 => (0..3_usize).prop_map(Call::Writable),
        1 => (any::<usize>(), 0..12_u8).prop_map(|(which, how)| Call::Touch { which, how }),
        1 => (0..3_usize).prop_map(Call::Reserve),
        1 => (0..3_usize).prop_map(Call::Unreserve),
    ]
}

fn make(bench: &mut Bench, ids: &mut Vec<TransactionId>, call: Call) {
    let now = bench.now();
    let pick = |ids: &[TransactionId], which: usize| {
        if ids.is_empty() { TransactionId::NONE } else { ids[which % ids.len()] }
    };
    match call {
        Call::Client { method, flow: number, branch } => {
            if bench.octets.free() > 1000 {
                let method = Method::parse(METHODS[method].as_bytes()).unwrap();
                ids.extend(bench.try_client(method, flow(number), branch));
            }
        }
        Call::Response { status, method, branch } => {
            let text = response(status, METHODS[method], branch);
            let message = Message::parse(text.as_bytes()).unwrap();
            if let Some((id, _)) = bench.work().match_response(&message) {
                let _ = bench.work().receive_response(now, id, &message);
            }
        }
        Call::Request { method, branch, flow: number } => {
            let text =
                request(METHODS[method], &format!(";branch=z9hG4bK{branch}"), if branch == 3 { ";tag=t" } else { "" });
            let message = Message::parse(text.as_bytes()).unwrap();
            if let ServerMatch::New(new) = bench.work().receive_request(now, &message)
                && METHODS[method] != "ACK"
            {
                let (to_tag, user, reserved) = (&b"b"[..], User(8), branch == 2);
                let server = NewServer { new, source: flow(number), to_tag, user, reserved };
                ids.extend(bench.work().server(now, &message, server));
            }
        }
        Call::Respond { which, status, size } => {
            let id = pick(ids, which);
            // Any call frees what the one before it left to be read.
            bench.resend(TransactionId::NONE);
            let before = (bench.octets.used(), bench.work().state(id));
            let body = vec![b'x'; size];
            let refused = bench.work().respond(now, id, status, None, size < 50, |_, w| w.body(b"a/b", &body)).is_err();
            if refused {
                // A pass of compaction may have given free slots back.
                assert!(bench.octets.used() <= before.0 && bench.work().state(id) == before.1);
            }
        }
        Call::Pass(millis) => {
            bench.now += millis;
            let now = bench.now();
            while bench.work().handle_timeout(now).is_some() {}
            assert!(bench.work().next_timeout().is_none_or(|next| next > now));
        }
        Call::PollSend(how) => {
            if let Some(id) = bench.work().poll_send() {
                assert!(bench.work().lend(id).is_some());
                match how {
                    0 | 1 => {}
                    2 => bench.work().defer(id),
                    _ => bench.work().hold(id),
                }
            }
        }
        Call::PollParked(launch) => {
            if let Some(id) = bench.work().poll_parked()
                && launch
            {
                bench.work().launch(now, id, tcp(2));
            }
        }
        Call::Failed(number) => bench.work().flow_failed(now, flow(number)),
        Call::Writable(number) => bench.work().flow_writable(flow(number)),
        Call::Touch { which, how } => {
            let id = pick(ids, which);
            match how {
                0 => bench.work().abandon(id),
                1 => bench.work().release_message(id),
                2 => bench.resend(id),
                5 => bench.unreachable(id),
                6 => {
                    let targets = [1, 2, 3].map(|number| crate::transport::Target {
                        address: PEER.remote,
                        transport: [Transport::Udp, Transport::Tcp, Transport::None][(which + number) % 3],
                    });
                    bench.work().resolved(now, id, &targets);
                }
                7 => bench.work().set_fallback(id, flow(which % 3)),
                8 => ids.extend(bench.work().fail_over(now, id, Token::new(which as u64))),
                9 => bench.work().forget_when_sent(id),
                11 => bench.work().resume(id),
                10 => ids.extend(bench.work().cancel(now, id, User(7), &|_, _| {})),
                3 => bench.work().timer_c(now, id, Duration::from_secs(32)),
                _ => bench.work().set_user(id, User(8)),
            }
        }
        Call::Reserve(count) => _ = bench.work().reserve(count),
        Call::Unreserve(count) => bench.work().unreserve(count),
    }
}

proptest! {
    #[test]
    fn any_sequence_of_calls_ends_drained(size in 0..6_usize, fill in 0..3000_usize, calls in prop::collection::vec(call(), 0..120)) {
        let mut bench = Bench::new(size);
        bench.octets.open(fill);
        let filled = bench.octets.keep(fill).unwrap();
        let mut ids = Vec::new();
        for call in calls {
            make(&mut bench, &mut ids, call);
            prop_assert!(bench.work().len() <= size);
        }
        // What waits for its user or for a flow is ended, the rest ends by itself.
        for id in &ids {
            if !bench.work().has_final(*id) {
                bench.work().abandon(*id);
            }
        }
        for number in 0..3 {
            bench.work().flow_writable(flow(number));
        }
        for id in &ids {
            bench.work().resume(*id);
        }
        while bench.expire().is_some() {}
        bench.pass(100_000);
        bench.octets.release(filled);
        prop_assert!(bench.is_drained());
    }
}
