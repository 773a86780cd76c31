//! Answers, written for tests.

use super::{Domain, Kind};

/// An answer in the making.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    section: usize,
}

impl Reply {
    /// The answer to a query, with nothing in it.
    pub(crate) fn to(query: &[u8]) -> Self {
        let mut bytes = query.to_vec();
        let end = query.len() - if query[11] == 1 { 11 } else { 0 };
        bytes.truncate(end);
        bytes[2] |= 0x80;
        bytes[11] = 0;
        Self { bytes, section: 0 }
    }

    /// The answer to the question for the records of `name`.
    pub(crate) fn of(id: u16, name: &str, kind: Kind) -> Self {
        let mut buffer = [0; super::QUERY];
        let domain = Domain::parse(name.as_bytes()).unwrap();
        Self::to(super::write(&mut buffer, id, domain.name(), kind, true))
    }

    pub(crate) fn code(mut self, code: u8) -> Self {
        self.bytes[3] |= code;
        self
    }

    pub(crate) fn truncated(mut self) -> Self {
        self.bytes[2] |= 2;
        self
    }

    /// The records that follow stand in the authority (1) or are additional (2).
    pub(crate) fn section(mut self, section: usize) -> Self {
        self.section = section;
        self
    }

    pub(crate) fn record(mut self, name: &str, kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.bytes.extend(wire(name));
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(1_u16.to_be_bytes());
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        self.bytes.extend(data);
        let place = 6 + 2 * self.section;
        let count = u16::from_be_bytes([self.bytes[place], self.bytes[place + 1]]) + 1;
        self.bytes[place..place + 2].copy_from_slice(&count.to_be_bytes());
        self
    }

    pub(crate) fn a(self, name: &str, ip: [u8; 4]) -> Self {
        self.record(name, 1, 60, &ip)
    }

    pub(crate) fn aaaa(self, name: &str, last: u8) -> Self {
        let mut ip = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        ip[15] = last;
        self.record(name, 28, 60, &ip)
    }

    pub(crate) fn cname(self, name: &str, to: &str) -> Self {
        self.record(name, 5, 60, &wire(to))
    }

    pub(crate) fn srv(self, name: &str, [priority, weight, port]: [u16; 3], target: &str) -> Self {
        let mut data = Vec::new();
        for number in [priority, weight, port] {
            data.extend(number.to_be_bytes());
        }
        data.extend(wire(target));
        self.record(name, 33, 60, &data)
    }

    pub(crate) fn naptr(self, name: &str, [order, preference]: [u16; 2], service: &str, replacement: &str) -> Self {
        let mut data = [order.to_be_bytes(), preference.to_be_bytes()].concat();
        for text in ["s", service, ""] {
            data.push(u8::try_from(text.len()).unwrap());
            data.extend(text.as_bytes());
        }
        data.extend(wire(replacement));
        self.record(name, 35, 60, &data)
    }

    pub(crate) fn soa(self, name: &str, ttl: u32, minimum: u32) -> Self {
        let mut data = [wire("ns.example"), wire("admin.example"), vec![0; 16]].concat();
        data.extend(minimum.to_be_bytes());
        self.record(name, 6, ttl, &data)
    }
}

/// A name as it is sent; the empty text is the root.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}
