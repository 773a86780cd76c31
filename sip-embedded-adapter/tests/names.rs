//! Host names by the DNS of a stack.

use core::net::IpAddr;
use embedded_nal::{AddrType, Dns, nb};
use sip_embedded_adapter::HostLookup;

/// A stack that answers each question when it is asked for the second time.
struct Slow {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
    asked: Vec<(String, AddrType)>,
}

impl Dns for Slow {
    type Error = ();

    fn get_host_by_name(&mut self, host: &str, kind: AddrType) -> nb::Result<IpAddr, ()> {
        let question = (host.to_owned(), kind);
        let again = self.asked.contains(&question);
        let answer = if question.1 == AddrType::IPv4 { self.v4 } else { self.v6 };
        self.asked.push(question);
        if again { answer.ok_or(nb::Error::Other(())) } else { Err(nb::Error::WouldBlock) }
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, ()> {
        Err(nb::Error::Other(()))
    }
}

/// How often the stack was polled until all was known, and the addresses.
fn look_up(host: &str, v4: Option<&str>, v6: Option<&str>) -> (usize, Vec<String>) {
    let parsed = |text: Option<&str>| text.map(|text| text.parse().unwrap());
    let mut stack = Slow { v4: parsed(v4), v6: parsed(v6), asked: Vec::new() };
    let mut lookup = HostLookup::new(host);
    let polls = 1 + (0..9).take_while(|_| !lookup.poll(&mut stack)).count();
    assert!(stack.asked.iter().all(|(asked, _)| asked == host));
    assert!(lookup.poll(&mut stack), "what is known stays known");
    (polls, lookup.addresses().iter().map(ToString::to_string).collect())
}

#[test]
fn both_families_are_asked_for_one_after_the_other() {
    let found = look_up("pbx.example.com", Some("192.0.2.1"), Some("2001:db8::1"));
    assert_eq!(found, (3, vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()]));
}

#[test]
fn an_error_is_no_address_of_that_family() {
    assert_eq!(look_up("six.example.com", None, Some("2001:db8::1")), (3, vec!["2001:db8::1".to_owned()]));
    assert_eq!(look_up("none.example.com", None, None), (3, vec![]));
}

#[test]
fn an_address_that_comes_twice_counts_once() {
    assert_eq!(look_up("four.example.com", Some("192.0.2.1"), Some("192.0.2.1")).1, ["192.0.2.1"]);
}

#[test]
fn a_name_that_is_none_is_never_asked_for() {
    assert_eq!(look_up("", Some("192.0.2.1"), None), (1, vec![]));
    let long = "a.".repeat(128);
    assert_eq!(look_up(&long, Some("192.0.2.1"), None), (1, vec![]));
}
