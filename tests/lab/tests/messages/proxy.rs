//! Every message of the corpora through a proxy, in each of its modes: it is answered once or passed on, nothing that is sent is
//! larger than a message may be or can't be parsed, and nothing is held when its time has passed.

use core::net::SocketAddr;
use sip_core::message::Message;
use sip_core::proxy::{Arrays, Ask, Config, Event, Proxy, Target};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow};
use sip_lab::corpus::{Sample, corpus, torture};

type Hub = Proxy<Arrays<32, 8, 16, 262_144>>;

const TARGETS: [Target<'static>; 2] =
    [Target::new(b"sip:bob@192.0.2.2"), Target::new(b"sip:bob@192.0.2.3").with_route(b"<sip:192.0.2.4;lr;ob>")];

fn flow(text: &str) -> Flow {
    Flow::udp(Address::from(text.parse::<SocketAddr>().unwrap()))
}

fn hub(mode: u8) -> Hub {
    let mut hub = Proxy::new(Arrays::new());
    let config =
        Config::new(&["192.0.2.5:5060"]).with_domains(&["example.com", "atlanta.example.com"]).with_recurse(true);
    let config = match mode {
        0 => config,
        1 => config.with_ask(Ask::OutOfDialog),
        _ => config.with_stateless(true),
    };
    hub.start(&config, [7; 16]).unwrap();
    hub
}

/// What is sent: requests and responses, each of which has to be a message.
fn drain(hub: &mut Hub, now: Instant, title: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    let mut tickets = Vec::new();
    for _ in 0..1000 {
        match hub.poll_action(now) {
            Some(Action::Send { bytes, .. }) => {
                assert!(bytes.len() <= 65_535, "{title}: {} octets", bytes.len());
                if bytes.starts_with(b"SIP/2.0 ") {
                    responses.push(bytes.to_vec());
                } else {
                    let parsed = Message::parse(bytes);
                    assert!(parsed.is_ok(), "{title}: {:?}\n{}", parsed.err(), String::from_utf8_lossy(bytes));
                    requests.push(bytes.to_vec());
                }
            }
            Some(Action::Resolve { ticket, .. } | Action::Connect { ticket, .. }) => tickets.push(ticket),
            Some(_) => {}
            None => {
                let Some(ticket) = tickets.pop() else { return (requests, responses) };
                hub.resolved(now, ticket, &[]);
            }
        }
    }
    panic!("{title}: the actions do not end");
}

/// The answer of whoever gets a request.
fn answer(request: &[u8], status: u16) -> Vec<u8> {
    let message = Message::parse(request).expect("a request");
    let mut room = vec![0; 65_535];
    let mut writer = sip_core::message::Writer::new(&mut room);
    writer.status_line(status, b"Scripted");
    sip_core::message::response_head(&mut writer, &message, Address::NONE, Some(b"t"));
    writer.finish_without_body();
    let length = writer.finish().unwrap_or(0);
    room.truncate(length);
    room
}

fn pass(sample: &Sample, mode: u8) {
    let title = sample.title();
    let mut hub = hub(mode);
    let held = hub.occupancy().octets;
    let (mut now, source) = (Instant::from_millis(1000), flow("192.0.2.1:5060"));
    let mut is_request = true;
    match Message::parse(&sample.octets) {
        Ok(message) => {
            is_request = message.is_request();
            if let Received::Event(Event::Request { request, .. }) = hub.receive(now, source, &message) {
                // A message that is nearly as long as one may be does not go on.
                let _ = hub.forward(now, request, &TARGETS, Some(&message));
            }
        }
        Err(failure) => hub.receive_malformed(now, source, &failure),
    }
    let (requests, responses) = drain(&mut hub, now, &title);
    let answered = responses.iter().filter(|response| !response.starts_with(b"SIP/2.0 100")).count();
    assert!(answered <= 1 && (is_request || answered == 0), "{title}: {answered} answers");
    for (index, request) in requests.iter().enumerate() {
        for status in [180, [486, 200][index % 2], 200] {
            let response = answer(request, status);
            if let Ok(response) = Message::parse(&response) {
                let _ = hub.receive(now, flow("192.0.2.2:5060"), &response);
                drain(&mut hub, now, &title);
            }
        }
    }
    for _ in 0..20 {
        now = now.after(Duration::from_secs(40));
        hub.handle_timeout(now);
        drain(&mut hub, now, &title);
    }
    let left = hub.occupancy();
    assert_eq!((left.transactions, left.contexts, left.branches, left.octets), (0, 0, 0, held), "{title}, mode {mode}");
}

#[test]
fn every_message_is_answered_once_or_passed_on_and_forgotten() {
    for sample in corpus().iter().chain(&torture()) {
        (0..3).for_each(|mode| pass(sample, mode));
    }
}
