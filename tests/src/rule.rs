//! What is done to chosen datagrams, where faults are drawn for the others.

use sip_core::message::Message;
use sip_core::time::Duration;
use sip_core::transport::Address;

/// Which datagrams are lost, held back or repeated, and how many of them.
///
/// ```
/// use sip_core::time::Duration;
/// use sip_testkit::Rule;
///
/// let no_answer_arrives = Rule::lose("200 INVITE").always();
/// let the_second_bye_overtakes = Rule::hold("BYE", Duration::from_secs(1));
/// let all_but_the_first_are_doubled = Rule::repeat("INVITE", Duration::ZERO).skip(1).always();
/// # let _ = (no_answer_arrives, the_second_bye_overtakes, all_but_the_first_are_doubled);
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    kind: String,
    from: Option<Address>,
    to: Option<Address>,
    skip: u32,
    times: u32,
    deed: Deed,
}

/// What a rule does to a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Lose,
    Hold(Duration),
    Repeat(Duration),
}

impl Rule {
    fn new(kind: &str, deed: Deed) -> Self {
        Self { kind: kind.to_owned(), from: None, to: None, skip: 0, times: 1, deed }
    }

    /// The next datagram of this kind is lost. A kind is a method (`BYE`, its requests), a status (`200`), a status with a method
    /// (`200 BYE`), or `*` for any datagram.
    #[must_use]
    pub fn lose(kind: &str) -> Self {
        Self::new(kind, Deed::Lose)
    }

    /// The next datagram of this kind is held back by `span`, so that what is sent meanwhile overtakes it.
    #[must_use]
    pub fn hold(kind: &str, span: Duration) -> Self {
        Self::new(kind, Deed::Hold(span))
    }

    /// The next datagram of this kind arrives, and arrives again after `span`.
    #[must_use]
    pub fn repeat(kind: &str, span: Duration) -> Self {
        Self::new(kind, Deed::Repeat(span))
    }

    /// The same for so many datagrams.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The same for all datagrams of the kind.
    #[must_use]
    pub const fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// The same after so many datagrams of the kind have passed.
    #[must_use]
    pub const fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// The same for datagrams from this address only.
    #[must_use]
    pub const fn from(mut self, from: Address) -> Self {
        self.from = Some(from);
        self
    }

    /// The same for datagrams to this address only.
    #[must_use]
    pub const fn to(mut self, to: Address) -> Self {
        self.to = Some(to);
        self
    }

    /// Whether it has been applied as often as it says; one for all datagrams always is.
    pub(crate) const fn is_spent(&self) -> bool {
        matches!(self.times, 0 | u32::MAX)
    }

    /// What is to be done to a datagram; `None` when the rule is not about it.
    pub(crate) fn applies(&mut self, from: Address, to: Address, octets: &[u8]) -> Option<Deed> {
        let fits = |wanted: Option<Address>, found| wanted.is_none_or(|wanted| wanted == found);
        if self.times == 0 || !fits(self.from, from) || !fits(self.to, to) || !is_of_kind(octets, &self.kind) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if self.times != u32::MAX {
            self.times -= 1;
        }
        Some(self.deed)
    }
}

fn is_of_kind(octets: &[u8], kind: &str) -> bool {
    if kind == "*" {
        return true;
    }
    let Ok(message) = Message::parse(octets) else { return false };
    let method = String::from_utf8_lossy(message.method().as_bytes()).into_owned();
    match message.status() {
        Some(status) => kind == status.to_string() || kind == format!("{status} {method}"),
        None => kind == method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ping::{request, response};
    use crate::{Fate, Faults, Network};
    use sip_core::time::Instant;
    use std::net::Ipv4Addr;

    const A: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 1), 5060);
    const B: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 2), 5060);
    const SECOND: Duration = Duration::from_secs(1);

    fn send(network: &mut Network, octets: &[u8], number: u64) -> Fate {
        network.send(Instant::ZERO, A, B, octets, number)
    }

    fn arrivals(network: &mut Network) -> Vec<u64> {
        core::iter::from_fn(|| network.receive(Instant::from_millis(10_000)).map(|datagram| datagram.number)).collect()
    }

    #[test]
    fn the_second_bye_is_lost_and_no_other() {
        let mut network = Network::new(1, Faults::NONE);
        network.add_rule(Rule::lose("BYE").skip(1));
        assert!(!network.rules_are_spent());
        let bye = request("BYE", 1);
        let fates = [(); 3].map(|()| send(&mut network, &bye, 0));
        assert_eq!(fates, [Fate::Delivered, Fate::Lost, Fate::Delivered]);
        assert!(network.rules_are_spent());
    }

    #[test]
    fn responses_are_chosen_by_status_and_method() {
        for (kind, lost) in [("200", true), ("200 BYE", true), ("200 INVITE", false), ("BYE", false), ("*", true)] {
            let mut network = Network::new(1, Faults::NONE);
            network.add_rule(Rule::lose(kind));
            let fate = send(&mut network, &response(200, "OK", "BYE", 1), 0);
            assert_eq!(fate == Fate::Lost, lost, "{kind}");
        }
    }

    #[test]
    fn what_is_held_is_overtaken_and_what_is_repeated_comes_again() {
        let mut network = Network::new(1, Faults::NONE);
        network.add_rule(Rule::hold("ACK", SECOND));
        network.add_rule(Rule::repeat("INVITE", SECOND));
        assert_eq!(send(&mut network, &request("ACK", 1), 1), Fate::Delayed(SECOND));
        assert_eq!(send(&mut network, &request("INVITE", 2), 2), Fate::Duplicated);
        assert_eq!(send(&mut network, &request("BYE", 3), 3), Fate::Delivered);
        assert_eq!(arrivals(&mut network), [2, 3, 1, 2]);
    }

    #[test]
    fn a_rule_has_a_direction() {
        let mut network = Network::new(1, Faults::NONE);
        network.add_rule(Rule::lose("*").from(B).always());
        network.add_rule(Rule::lose("*").to(A).always());
        assert_eq!(send(&mut network, b"x", 0), Fate::Delivered);
        network.clear_rules();
        network.add_rule(Rule::lose("*").from(A).to(B).always());
        assert_eq!(send(&mut network, b"x", 0), Fate::Lost);
    }
}
