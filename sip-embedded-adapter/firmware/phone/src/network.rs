//! The network stack: smoltcp over the board's Ethernet MAC, behind the traits of embedded-nal by smoltcp-nal.

use crate::board::clock::Clock;
use crate::board::device::{Device, Frames};
use crate::board::lan9118::Mac;
use core::mem::MaybeUninit;
use desk_phone::settings::Settings;
use sip_core::transport::FlowError;
use sip_embedded_adapter::{Fault, Operation};
#[cfg(feature = "tcp")]
use sip_embedded_adapter::{StreamFault, StreamOperation};
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::socket::udp::{self, PacketBuffer, PacketMetadata, SendError};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};
use smoltcp_nal::{NetworkError, NetworkStack};

/// The stack.
pub(crate) type Stack = NetworkStack<'static, Device, Clock>;

/// The connections of the adapter: one, to the registrar or the peer that is called.
#[cfg(feature = "tcp")]
pub(crate) type Connections = sip_embedded_adapter::Tcp<Stack, 1, 1500>;

/// Datagrams that wait in one direction.
const DATAGRAMS: usize = 8;
/// Their octets.
const OCTETS: usize = 4096;

/// Sockets: for datagrams, and for the connection.
const SOCKETS: usize = if cfg!(feature = "tcp") { 2 } else { 1 };
/// Octets of one direction of the connection.
#[cfg(feature = "tcp")]
const STREAM: usize = 1500;

/// The memory of one direction of the socket.
struct Queue {
    packets: MaybeUninit<[PacketMetadata; DATAGRAMS]>,
    octets: [u8; OCTETS],
}

impl Queue {
    const ZERO: Self = Self { packets: MaybeUninit::zeroed(), octets: [0; OCTETS] };

    fn buffer(&'static mut self) -> PacketBuffer<'static> {
        let packets = self.packets.write([PacketMetadata::EMPTY; DATAGRAMS]);
        PacketBuffer::new(&mut packets[..], &mut self.octets[..])
    }
}

/// The stack's memory. What is not zero when it is empty is written at the start.
pub(crate) struct Memory {
    frames: Frames,
    incoming: Queue,
    outgoing: Queue,
    sockets: MaybeUninit<[SocketStorage<'static>; SOCKETS]>,
    #[cfg(feature = "tcp")]
    stream: [[u8; STREAM]; 2],
    stack: MaybeUninit<Stack>,
}

impl Memory {
    pub(crate) const ZERO: Self = Self {
        frames: Frames::ZERO,
        incoming: Queue::ZERO,
        outgoing: Queue::ZERO,
        sockets: MaybeUninit::zeroed(),
        #[cfg(feature = "tcp")]
        stream: [[0; STREAM]; 2],
        stack: MaybeUninit::zeroed(),
    };

    /// Makes the stack in its place: one interface with one address, and the sockets.
    ///
    /// It is made by value and moved, kilobytes of it; inlined it would stay on the stack of `main` for ever.
    #[inline(never)]
    pub(crate) fn start(
        &'static mut self,
        mac: Mac,
        clock: Clock,
        settings: &Settings<'_>,
        seed: u64,
    ) -> &'static mut Stack {
        let address = HardwareAddress::Ethernet(EthernetAddress(mac.address()));
        let mut device = Device::new(mac, &mut self.frames);
        let mut config = Config::new(address);
        config.random_seed = seed;
        let mut sockets = SocketSet::new(&mut self.sockets.write([SocketStorage::EMPTY; SOCKETS])[..]);
        sockets.add(udp::Socket::new(self.incoming.buffer(), self.outgoing.buffer()));
        #[cfg(feature = "tcp")]
        {
            use smoltcp::socket::tcp;
            let [received, sent] = &mut self.stream;
            sockets.add(tcp::Socket::new(
                tcp::SocketBuffer::new(&mut received[..]),
                tcp::SocketBuffer::new(&mut sent[..]),
            ));
        }
        let interface = Interface::new(config, &mut device, Instant::ZERO);
        let stack = self.stack.write(NetworkStack::new(interface, device, sockets, clock));
        let interface = stack.interface_mut();
        interface.update_ip_addrs(|addresses| {
            // There is room for one.
            let _ = addresses.push(IpCidr::new(settings.address.into(), settings.prefix));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(settings.gateway);
        stack.seed_random_port(&seed.to_le_bytes());
        stack
    }
}

/// Moves frames in and out; whether there were any.
///
/// Inlined into `main`, which never returns, its packets would lie on the stack for ever.
#[inline(never)]
pub(crate) fn poll(stack: &mut Stack) -> bool {
    stack.poll().unwrap_or(false)
}

/// Forgets who the neighbours are, because the network may be another one.
pub(crate) fn forget_neighbours(stack: &mut Stack) {
    // The list of addresses stays as it is; that it may have changed is what makes smoltcp forget.
    stack.interface_mut().update_ip_addrs(|_| {});
}

/// What the errors of this stack mean: it has its own words for an empty and for a full socket.
pub(crate) fn classify(_: Operation, error: &NetworkError) -> Fault {
    match error {
        NetworkError::UdpReadFailure(udp::RecvError::Exhausted) => Fault::WouldBlock,
        NetworkError::UdpReadFailure(udp::RecvError::Truncated) => Fault::Datagram(FlowError::TooLarge),
        NetworkError::UdpWriteFailure(SendError::BufferFull) => Fault::WouldBlock,
        NetworkError::UdpWriteFailure(SendError::Unaddressable) => Fault::Datagram(FlowError::Unreachable),
        _ => Fault::Datagram(FlowError::Other),
    }
}

/// What the answers about a connection mean: nothing read is nothing there, and the end of a stream is an error.
#[cfg(feature = "tcp")]
pub(crate) fn classify_stream(_: StreamOperation, error: Option<&NetworkError>) -> StreamFault {
    if error.is_none() { StreamFault::WouldBlock } else { StreamFault::Closed(FlowError::Closed) }
}
