//! Peers of WebSockets that break the rules, stand still or send no sense: over 127.0.0.1, by the peer that writes octets.

use super::tests::{PING, Peer, TEXT, alone, frame, server};
use super::*;
use crate::Adapter;
use crate::driven::step;
use crate::echo::{Echo, Said, request};
use std::io::{Read, Write};

#[test]
fn who_breaks_the_rules_is_told_so_and_nobody_else_is_touched() {
    let (mut two, to) = server(&WsServer::plain());
    let mut well = Peer::open(&mut two, to);
    let limit = vec![b'x'; 65_536];
    let rest = [frame(0x01, &limit[..40_000]), frame(0x80, &limit[..40_000])].concat();
    for (octets, code) in [
        // Without a mask (RFC 6455 §5.1).
        (vec![0x81, 2, b'h', b'i'], 1002),
        // Larger than a message may be: in one frame, whose octets never come, or in fragments (§10.4).
        (frame(TEXT, &limit)[..14].to_vec(), 1009),
        (vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4], 1009),
        (rest, 1009),
        // Bits of no extension, kinds of frames that there are not, control frames that are long or in fragments (§5.2, §5.5).
        (frame(0xc1, b"hi"), 1002),
        (frame(0x83, b"hi"), 1002),
        (frame(0x8b, b"hi"), 1002),
        (frame(0x09, b"hi"), 1002),
        (frame(PING, &[b'x'; 126]), 1002),
        // The end of nothing, and a beginning in the midst of another (§5.4).
        (frame(0x80, b"hi"), 1002),
        ([frame(0x01, b"hi"), frame(TEXT, b"hi")].concat(), 1002),
        // A text that is none (§8.1).
        (frame(TEXT, b"INVITE \xff"), 1007),
        (frame(0x88, b"\x03"), 1002),
    ] {
        let mut peer = Peer::open(&mut two, to);
        peer.write(&octets);
        let (answer, said) = peer.read_to_end(&mut two);
        let said_code = answer.get(2..4).map(|code| u16::from_be_bytes([code[0], code[1]]));
        assert_eq!((answer.first(), said_code), (Some(&0x88), Some(code)), "{:02x?}", &octets[..octets.len().min(16)]);
        assert!(matches!(said[..], [] | [Said::Lost(..)]), "{said:?}");
    }
    assert_eq!((two.connections(), two.statistics().broken, two.statistics().oversized), (1, 10, 3));
    well.write(&frame(TEXT, &request(1)));
    while two.statistics().messages_in == 0 {
        step(&mut two);
    }
}

/// Sockets that are gone but for their last word.
fn leaving(adapter: &mut Adapter<Echo>) -> &mut crate::lingering::Lingering {
    &mut adapter.network.tcp.as_mut().unwrap().lingering
}

#[test]
fn the_last_word_gets_there_whatever_the_peer_has_still_to_say() {
    let (mut two, to) = server(&WsServer::plain());
    // More than is read in one go: closed with the rest unread, the connection would be reset.
    let unread = vec![b'x'; 60_000];
    for opened in [false, true] {
        let mut peer = if opened { Peer::open(&mut two, to) } else { Peer::to(to) };
        let wrong: &[u8] = if opened { &[0x81, 2, b'h', b'i'] } else { b"POST /sip HTTP/1.1\r\nHost: a\r\n\r\n" };
        peer.write(&[wrong, &unread].concat());
        while two.connections() > 0 || two.statistics().connections_accepted == u64::from(opened) {
            step(&mut two);
        }
        assert_eq!(leaving(&mut two).count(), 1);
        // What comes later is no reason to reset it, either.
        for _ in 0..10 {
            peer.write(&unread[..1000]);
            step(&mut two);
        }
        let mut room = [0; 4096];
        let mut answer = Vec::new();
        loop {
            match peer.stream.read(&mut room) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&room[..read]),
                Err(error) => panic!("{error} after {answer:02x?}"),
            }
        }
        let expected: &[u8] = if opened { &[0x88, 2, 0x03, 0xea] } else { b"HTTP/1.1 405 Method Not Allowed\r\n" };
        assert!(answer.starts_with(expected), "{answer:02x?}");
        drop(peer);
        for _ in 0..2000 {
            step(&mut two);
        }
        assert_eq!(leaving(&mut two).count(), 0);
    }
    // Those that stay are few, and not for long.
    let peers: Vec<Peer> = (0..40).map(|_| Peer::to(to)).collect();
    for mut peer in &mut peers.iter().map(|peer| &peer.stream) {
        peer.write_all(b"POST /sip HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    while two.statistics().handshakes_failed < 41 {
        step(&mut two);
    }
    assert_eq!((leaving(&mut two).count(), two.connections()), (32, 0));
    step(&mut two);
    let later = two.now() + crate::patience::LINGER;
    leaving(&mut two).expire(later);
    assert_eq!((leaving(&mut two).count(), leaving(&mut two).next_timeout()), (0, None));
}

#[test]
fn pings_that_nobody_reads_the_answers_of_take_no_memory() {
    const PINGS: usize = 100_000;
    let (mut two, to) = server(&WsServer::plain());
    let mut peer = Peer::open(&mut two, to);
    let pings = frame(PING, &[b'x'; 125]).repeat(100);
    for _ in 0..PINGS / 100 {
        // The adapter reads on, however much it has to say.
        let mut left = &pings[..];
        peer.stream.set_nonblocking(true).unwrap();
        while !left.is_empty() {
            match peer.stream.write(left) {
                Ok(written) => left = &left[written..],
                Err(_) => assert!(step(&mut two).is_none()),
            }
        }
    }
    while two.statistics().keep_alives < PINGS as u64 {
        assert!(step(&mut two).is_none());
    }
    // What the system keeps for both, and as much again.
    let mut answers = 0;
    for _ in 0..200 {
        step(&mut two);
        peer.hear();
        answers += core::mem::take(&mut peer.read).len();
    }
    while peer.stream.read(&mut [0; 65_536]).is_ok_and(|read| {
        answers += read;
        read > 0
    }) {
        step(&mut two);
    }
    assert!(answers > 0 && answers < PINGS * 127 * 3 / 4, "{answers} of {}", PINGS * 127);
    assert_eq!(two.connections(), 1);
}

#[test]
fn handshakes_that_stand_still_hold_up_nobody() {
    let (mut two, to) = server(&WsServer::plain());
    two.limit_connections(16);
    two.limit_connections_of_source(16);
    let mut still: Vec<Peer> = (0..10).map(|_| Peer::to(to)).collect();
    still.iter_mut().for_each(|peer| peer.write(b"GET / HT"));
    while two.statistics().connections_accepted < 10 {
        assert!(step(&mut two).is_none());
    }
    // A quarter of sixteen, and the oldest gave way.
    assert_eq!((two.connections(), two.statistics().handshakes_failed), (4, 6));
    let mut peer = Peer::open(&mut two, to);
    peer.write(&frame(TEXT, &request(1)));
    assert_eq!(alone(&mut two), Said::Request(1));
}

#[test]
fn octets_of_no_sense_end_their_own_connection_only() {
    let (mut two, to) = server(&WsServer::plain());
    let mut seed = 1_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for _ in 0..60 {
        let mut octets: Vec<u8> =
            (0..random() % 6).flat_map(|_| frame([1, 0, 0x80, 0x81, 0x82, 0x89][random() % 6], &request(7))).collect();
        for _ in 0..random() % 4 {
            let place = random() % octets.len().max(1);
            if let Some(octet) = octets.get_mut(place) {
                *octet = (random() & 0xff) as u8;
            }
        }
        let mut peer = Peer::open(&mut two, to);
        peer.write(&octets);
        drop(peer);
        while two.connections() > 0 {
            step(&mut two);
        }
        // What is left to be told.
        for _ in 0..8 {
            step(&mut two);
        }
    }
    let mut peer = Peer::open(&mut two, to);
    peer.write(&frame(TEXT, &request(8)));
    assert_eq!((0..2000).filter_map(|_| step(&mut two)).next(), Some(Said::Request(8)));
}
