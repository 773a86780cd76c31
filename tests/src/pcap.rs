//! Captures for Wireshark and tshark: classic pcap with UDP and TCP over IPv4 or IPv6.
//!
//! tshark finds SIP on port 5060 by number and on other ports by its look. Where another protocol owns the port,
//! say `tshark -r file.pcap -d udp.port==40000,sip`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

/// The most octets that a UDP datagram carries over IPv4.
pub const MAX_PAYLOAD: usize = 65_507;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const SNAPLEN: u32 = 262_144;
const UDP: u8 = 17;
const TCP: u8 = 6;
/// Octets of a stream in one packet at most.
const MAX_SEGMENT: usize = 65_000;
const HOPS: u8 = 64;

/// What a packet of the capture begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkType {
    /// The IP header itself (LINKTYPE_RAW, 101).
    #[default]
    Raw,
    /// An Ethernet header (LINKTYPE_ETHERNET, 1), with locally administered addresses.
    Ethernet,
}

/// Writes datagrams and pieces of streams to a capture file, under IP, UDP and TCP headers that it makes up.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
    link: LinkType,
    packet: Vec<u8>,
    /// For each direction of each connection the number of its next octet.
    sequences: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, link: LinkType) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
        header.extend_from_slice(&2_u16.to_le_bytes());
        header.extend_from_slice(&4_u16.to_le_bytes());
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&SNAPLEN.to_le_bytes());
        let number: u32 = match link {
            LinkType::Raw => 101,
            LinkType::Ethernet => 1,
        };
        header.extend_from_slice(&number.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, link, packet: Vec::new(), sequences: HashMap::new() })
    }

    /// Writes one datagram as one packet, however large; `time` is in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::InvalidInput`] when `payload` is longer than [`MAX_PAYLOAD`] octets, or
    /// when one address is IPv4 and the other IPv6.
    pub fn datagram(
        &mut self,
        time: u64,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        if payload.len() > MAX_PAYLOAD {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "payload longer than a UDP datagram"));
        }
        let mut header = [0; 8];
        header[0..2].copy_from_slice(&source.port().to_be_bytes());
        header[2..4].copy_from_slice(&destination.port().to_be_bytes());
        header[4..6].copy_from_slice(&(payload.len() as u16 + 8).to_be_bytes());
        self.packet(time, source, destination, UDP, &mut header, payload)
    }

    /// Writes the next octets of one direction of a connection, as the TCP segments that they could have been; `time` is
    /// in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// Those of `out`; [`io::ErrorKind::InvalidInput`] when one address is IPv4 and the other IPv6.
    pub fn stream(&mut self, time: u64, source: SocketAddr, destination: SocketAddr, octets: &[u8]) -> io::Result<()> {
        for payload in octets.chunks(MAX_SEGMENT) {
            let acknowledged = *self.sequences.entry((destination, source)).or_insert(1);
            let next = self.sequences.entry((source, destination)).or_insert(1);
            let sequence = *next;
            *next = next.wrapping_add(payload.len() as u32);
            let mut header = [0; 20];
            header[0..2].copy_from_slice(&source.port().to_be_bytes());
            header[2..4].copy_from_slice(&destination.port().to_be_bytes());
            header[4..8].copy_from_slice(&sequence.to_be_bytes());
            header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
            // Five words of header; PSH and ACK; the largest window.
            header[12..16].copy_from_slice(&[0x50, 0x18, 0xff, 0xff]);
            self.packet(time, source, destination, TCP, &mut header, payload)?;
        }
        Ok(())
    }

    /// Writes one packet; its transport header lacks the checksum only.
    fn packet(
        &mut self,
        time: u64,
        source: SocketAddr,
        destination: SocketAddr,
        protocol: u8,
        header: &mut [u8],
        payload: &[u8],
    ) -> io::Result<()> {
        let length = (header.len() + payload.len()) as u16;
        let mut packet = core::mem::take(&mut self.packet);
        packet.clear();
        if self.link == LinkType::Ethernet {
            packet.extend_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
            packet.extend_from_slice(if source.is_ipv4() { &[0x08, 0x00] } else { &[0x86, 0xdd] });
        }
        let mut sum = Sum::default();
        match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                sum.add(&from.octets());
                sum.add(&to.octets());
                push_ipv4(&mut packet, protocol, length, from.octets(), to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                sum.add(&from.octets());
                sum.add(&to.octets());
                packet.extend_from_slice(&[0x60, 0, 0, 0]);
                packet.extend_from_slice(&length.to_be_bytes());
                packet.extend_from_slice(&[protocol, HOPS]);
                packet.extend_from_slice(&from.octets());
                packet.extend_from_slice(&to.octets());
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "addresses of two families")),
        }
        // The pseudo-header of RFC 768, RFC 9293 §3.1 and RFC 8200 §8.1: addresses (above), protocol, length.
        sum.add(&[0, protocol]);
        sum.add(&length.to_be_bytes());
        sum.add(header);
        sum.add(payload);
        let place = if protocol == UDP { 6 } else { 16 };
        // Zero would say of a datagram that there is no checksum.
        let checksum = if sum.finish() == 0 && protocol == UDP { 0xffff } else { sum.finish() };
        header[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
        packet.extend_from_slice(header);
        packet.extend_from_slice(payload);
        self.packet = packet;
        self.record(time)
    }

    /// Gives `out` back, flushed.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, time: u64) -> io::Result<()> {
        let length = (self.packet.len() as u32).to_le_bytes();
        let mut header = [0; 16];
        header[0..4].copy_from_slice(&((time / 1_000_000) as u32).to_le_bytes());
        header[4..8].copy_from_slice(&((time % 1_000_000) as u32).to_le_bytes());
        header[8..12].copy_from_slice(&length);
        header[12..16].copy_from_slice(&length);
        self.out.write_all(&header)?;
        self.out.write_all(&self.packet)
    }
}

fn push_ipv4(packet: &mut Vec<u8>, protocol: u8, length: u16, from: [u8; 4], to: [u8; 4]) {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(length + 20).to_be_bytes());
    header[6] = 0x40; // Don't fragment, so that the identification may stay zero (RFC 6864 §4.1).
    header[8] = HOPS;
    header[9] = protocol;
    header[12..16].copy_from_slice(&from);
    header[16..20].copy_from_slice(&to);
    let mut sum = Sum::default();
    sum.add(&header);
    header[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    packet.extend_from_slice(&header);
}

/// The checksum of RFC 1071. Every part but the last has an even length.
#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, octets: &[u8]) {
        for pair in octets.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            self.0 += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }

    fn finish(&self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a reader that shares no code with the writer finds in one record.
    struct Record {
        micros: u64,
        source: SocketAddr,
        destination: SocketAddr,
        payload: Vec<u8>,
    }

    fn read(file: &[u8]) -> Vec<Record> {
        assert_eq!(file[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let link = number(20);
        let (mut at, mut records) = (24, Vec::new());
        while at < file.len() {
            let micros = number(at) as u64 * 1_000_000 + number(at + 4) as u64;
            assert_eq!(number(at + 8), number(at + 12));
            assert!(number(at + 8) <= number(16));
            let end = at + 16 + number(at + 8);
            let mut packet = &file[at + 16..end];
            if link == 1 {
                let ethertype = if packet[14] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
                assert_eq!(packet[12..14], ethertype);
                packet = &packet[14..];
            }
            records.push(read_packet(micros, packet));
            at = end;
        }
        records
    }

    fn read_packet(micros: u64, packet: &[u8]) -> Record {
        let word = |octets: &[u8], at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        let (addresses, udp, from, to): (&[u8], &[u8], IpAddr, IpAddr) = if packet[0] == 0x45 {
            assert_eq!(usize::from(word(packet, 2)), packet.len());
            assert_eq!(fold(&packet[..20], 0), 0xffff);
            let octets = |at: usize| <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap();
            (&packet[12..20], &packet[20..], octets(12).into(), octets(16).into())
        } else {
            assert_eq!(packet[0], 0x60);
            assert_eq!(usize::from(word(packet, 4)) + 40, packet.len());
            let octets = |at: usize| <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap();
            (&packet[8..40], &packet[40..], octets(8).into(), octets(24).into())
        };
        assert_eq!(usize::from(word(udp, 4)), udp.len());
        assert_ne!(word(udp, 6), 0);
        assert_eq!(fold(udp, fold(addresses, 17 + udp.len() as u32)), 0xffff);
        Record {
            micros,
            source: SocketAddr::new(from, word(udp, 0)),
            destination: SocketAddr::new(to, word(udp, 2)),
            payload: udp[8..].to_vec(),
        }
    }

    /// Adds 16-bit words with end-around carry at each step; a correct packet gives all ones.
    fn fold(octets: &[u8], start: u32) -> u32 {
        let mut sum = start;
        for (index, octet) in octets.iter().enumerate() {
            sum += u32::from(*octet) << if index % 2 == 0 { 8 } else { 0 };
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    }

    #[test]
    fn every_length_and_family_reads_back() {
        for link in [LinkType::Raw, LinkType::Ethernet] {
            let mut writer = PcapWriter::new(Vec::new(), link).unwrap();
            let mut expected = Vec::new();
            for (number, length) in [0, 1, 2, 3, 499, 1500, 65_506, MAX_PAYLOAD].into_iter().enumerate() {
                let payload: Vec<u8> = (0..length).map(|at| (at * 7 + number) as u8).collect();
                for (source, destination) in
                    [("192.0.2.1:5060", "198.51.100.7:40000"), ("[2001:db8::1]:5060", "[2001:db8::2]:5061")]
                {
                    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
                    let time = 1_000_000 * number as u64 + 999_999;
                    writer.datagram(time, source, destination, &payload).unwrap();
                    expected.push((time, source, destination, payload.clone()));
                }
            }
            let file = writer.finish().unwrap();
            let found: Vec<_> =
                read(&file).into_iter().map(|r| (r.micros, r.source, r.destination, r.payload)).collect();
            assert!(found == expected);
        }
    }

    #[test]
    fn a_checksum_that_comes_out_as_zero_is_written_as_all_ones() {
        let (source, destination) = ("0.0.0.0:0".parse().unwrap(), "0.0.0.0:0".parse().unwrap());
        let mut writer = PcapWriter::new(Vec::new(), LinkType::Raw).unwrap();
        // The pseudo-header and lengths sum to 17 + 10 + 10; this payload fills it up to 0xffff.
        writer.datagram(0, source, destination, &(0xffff_u16 - 37).to_be_bytes()).unwrap();
        let file = writer.finish().unwrap();
        assert_eq!(file[24 + 16 + 26..][..2], [0xff, 0xff]);
        assert_eq!(read(&file).len(), 1);
    }

    #[test]
    fn what_udp_cannot_carry_is_an_error() {
        let (four, six) = ("192.0.2.1:5060".parse().unwrap(), "[2001:db8::1]:5060".parse().unwrap());
        let mut writer = PcapWriter::new(Vec::new(), LinkType::Raw).unwrap();
        assert!(writer.datagram(0, four, six, b"").is_err());
        assert!(writer.datagram(0, four, four, &[0; MAX_PAYLOAD + 1]).is_err());
        assert_eq!(writer.finish().unwrap().len(), 24);
    }

    #[test]
    fn tshark_reads_sip_out_of_a_stream_that_is_cut_anywhere() {
        if Command::new("tshark").arg("--version").output().is_err() {
            println!("skipped: tshark is not installed");
            return;
        }
        let message = |number: u32| {
            format!(
                "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{number}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: {number}\r\n\
                 CSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let mut writer = PcapWriter::new(Vec::new(), LinkType::Raw).unwrap();
        for (one, other) in [("192.0.2.1:40000", "192.0.2.2:5060"), ("[2001:db8::1]:40000", "[2001:db8::2]:5060")] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            writer.stream(1_000_000, one, other, message(1).as_bytes()).unwrap();
            let second = message(2);
            let (head, tail) = second.as_bytes().split_at(100);
            writer.stream(2_000_000, one, other, head).unwrap();
            writer.stream(3_000_000, other, one, message(3).as_bytes()).unwrap();
            writer.stream(4_000_000, one, other, tail).unwrap();
        }
        let path = std::env::temp_dir().join(format!("sip-testkit-{}-stream.pcap", std::process::id()));
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let output = Command::new("tshark")
            .args(["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-Y", "sip"])
            .args(["-e", "sip.CSeq.seq", "-e", "tcp.checksum.status", "-r"])
            .arg(&path)
            .output()
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let expected = "1\t1\n3\t1\n2\t1\n";
        assert_eq!(text, expected.repeat(2));
    }

    #[test]
    fn tshark_reads_sip_on_any_port() {
        if Command::new("tshark").arg("--version").output().is_err() {
            println!("skipped: tshark is not installed");
            return;
        }
        let message = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKcapture\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\n\
            To: <sip:bob@example.com>\r\nCall-ID: capture\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        for link in [LinkType::Raw, LinkType::Ethernet] {
            let mut writer = PcapWriter::new(Vec::new(), link).unwrap();
            for (source, destination) in [
                ("192.0.2.1:5060", "192.0.2.2:5060"),
                ("192.0.2.1:40000", "192.0.2.2:40002"),
                ("[2001:db8::1]:5060", "[2001:db8::2]:41000"),
            ] {
                writer.datagram(1_500_000, source.parse().unwrap(), destination.parse().unwrap(), message).unwrap();
            }
            let name = format!("sip-testkit-{}-{link:?}.pcap", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, writer.finish().unwrap()).unwrap();
            let output = Command::new("tshark")
                .args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"])
                .args(["-e", "sip.Method", "-e", "udp.checksum.status", "-e", "ip.checksum.status"])
                .args(["-e", "frame.time_relative", "-r"])
                .arg(&path)
                .output()
                .unwrap();
            std::fs::remove_file(&path).unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
            assert_eq!(rows.len(), 3, "{text}");
            assert!(rows.iter().all(|row| row[0] == "OPTIONS" && row[1] == "1"), "{text}");
            assert!(rows[0][2] == "1" && rows[1][2] == "1", "{text}");
        }
    }
}
