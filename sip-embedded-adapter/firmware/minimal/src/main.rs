//! The least that a firmware has to have for a user agent that is registered and answers calls: copy it, and fill in what is
//! marked YOURS. `../memory.x` and `../.cargo/config.toml` belong to it, and the profile in `../Cargo.toml`.
//!
//! The desk phone beside it (`../phone`) is the same with a real board, a console, media and a watchdog.
#![no_std]
#![no_main]

mod device;

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use critical_section::Mutex;
use device::Ethernet;
use embedded_time::fraction::Fraction;
use sip_core::time::Instant;
use sip_core::transport::FlowError;
use sip_core::ua::{Arrays, Config, Content, Event, UserAgent};
use sip_embedded_adapter::{Adapter, Fault, Operation, Turn};
use smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use smoltcp::socket::udp::{self, PacketBuffer, PacketMetadata, RecvError, SendError};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};
use smoltcp_nal::{NetworkError, NetworkStack};
use static_cell::ConstStaticCell;

/// YOURS: the address of this device, and who it is.
const ADDRESS: Ipv4Address = Ipv4Address::new(192, 0, 2, 2);
const GATEWAY: Ipv4Address = Ipv4Address::new(192, 0, 2, 1);
const SENT_BY: &str = "192.0.2.2:5060";
const REGISTRAR: &str = "sip:192.0.2.1";
const AOR: &str = "sip:intercom@example.com";
/// YOURS: cycles of the core's clock in a millisecond.
const CYCLES_PER_MILLISECOND: u32 = 25_000;

type Agent = UserAgent<Arrays<8, 2, 1, 1, 4096>>;
type Stack = NetworkStack<'static, Ethernet, Clock>;

/// Everything that is kept, in one static. All of it is zero, so that it lies in .bss and takes no flash: what smoltcp calls
/// `EMPTY` is not zero, and would put the whole static into .data. So those places are zeroed here and written at the start.
struct Memory {
    agent: Agent,
    message: [u8; 1500],
    sockets: MaybeUninit<[SocketStorage<'static>; 1]>,
    packets: [MaybeUninit<[PacketMetadata; 8]>; 2],
    octets: [[u8; 4096]; 2],
    stack: MaybeUninit<Stack>,
}

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory {
    agent: Agent::new(Arrays::new()),
    message: [0; 1500],
    sockets: MaybeUninit::zeroed(),
    packets: [MaybeUninit::zeroed(); 2],
    octets: [[0; 4096]; 2],
    stack: MaybeUninit::zeroed(),
});

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|section| {
        let milliseconds = MILLISECONDS.borrow(section);
        milliseconds.set(milliseconds.get() + 1);
    });
}

/// A clock in milliseconds that never runs backwards: for the user agent, and for the network stack.
#[derive(Clone, Copy)]
struct Clock;

impl Clock {
    fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(CYCLES_PER_MILLISECOND - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Self
    }

    fn milliseconds(self) -> u64 {
        critical_section::with(|section| MILLISECONDS.borrow(section).get())
    }
}

impl embedded_time::Clock for Clock {
    type T = u32;

    const SCALING_FACTOR: Fraction = Fraction::new(1, 1000);

    fn try_now(&self) -> Result<embedded_time::Instant<Self>, embedded_time::clock::Error> {
        Ok(embedded_time::Instant::new(self.milliseconds() as u32))
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let (Some(cortex), Some(Memory { agent, message, sockets, packets, octets, stack })) =
        (Peripherals::take(), MEMORY.try_take())
    else {
        panic!("started twice")
    };
    let clock = Clock::start(cortex.SYST);
    let stack = start(sockets, packets, octets, stack, clock);

    let config = Config::new(SENT_BY, AOR).with_contact_user("intercom");
    // YOURS: the seed is sixteen random octets that differ with every start.
    if agent.start(&config, [0; 16]).is_err() || agent.add_credentials("example.com", "intercom", "secret").is_err() {
        panic!("the configuration can't be used");
    }
    if agent.register(clock.now(), REGISTRAR, AOR, 600).is_err() {
        panic!("no room to register");
    }
    let Ok(adapter) = Adapter::bind(agent, stack, 5060) else { panic!("no socket") };
    let mut adapter = adapter.classified_by(classify);
    loop {
        let now = clock.now();
        // Frames in and out; then one message in at most, and everything that is due out.
        let moved = stack.poll().unwrap_or(false);
        match adapter.poll(stack, now, message) {
            Ok(Turn::Message { event, .. } | Turn::Event(event)) => {
                if let Event::Incoming { call } = event {
                    // YOURS: ring, and answer with where you take audio, after the offer that the message brought.
                    let _ = adapter.role_mut().reject(now, call, 480, &Content::NONE);
                }
            }
            // YOURS: an address book or DNS.
            Ok(Turn::Resolve { query, .. }) => adapter.resolved(now, query, &[]),
            Ok(Turn::Idle(_)) if !moved => cortex_m::asm::wfi(),
            // Anything else passes; an error ends the socket, which this stack's errors never do as they are classified.
            _ => {}
        }
    }
}

impl Clock {
    fn now(self) -> Instant {
        Instant::from_millis(self.milliseconds())
    }
}

/// Makes the network stack in its place. Inlined into `main`, which never returns, it would stay on the stack for ever.
#[inline(never)]
fn start(
    sockets: &'static mut MaybeUninit<[SocketStorage<'static>; 1]>,
    packets: &'static mut [MaybeUninit<[PacketMetadata; 8]>; 2],
    octets: &'static mut [[u8; 4096]; 2],
    place: &'static mut MaybeUninit<Stack>,
    clock: Clock,
) -> &'static mut Stack {
    let mut device = Ethernet::new();
    let mut sockets = SocketSet::new(&mut sockets.write([SocketStorage::EMPTY; 1])[..]);
    let ([packets_in, packets_out], [octets_in, octets_out]) = (packets, octets);
    sockets.add(udp::Socket::new(
        PacketBuffer::new(&mut packets_in.write([PacketMetadata::EMPTY; 8])[..], &mut octets_in[..]),
        PacketBuffer::new(&mut packets_out.write([PacketMetadata::EMPTY; 8])[..], &mut octets_out[..]),
    ));
    let config = iface::Config::new(EthernetAddress(device.mac()).into());
    let interface = Interface::new(config, &mut device, smoltcp::time::Instant::ZERO);
    let stack = place.write(NetworkStack::new(interface, device, sockets, clock));
    let interface = stack.interface_mut();
    interface.update_ip_addrs(|addresses| _ = addresses.push(IpCidr::new(ADDRESS.into(), 24)));
    let _ = interface.routes_mut().add_default_ipv4_route(GATEWAY);
    stack
}

/// What the errors of this stack mean: it has its own words for an empty and for a full socket.
fn classify(_: Operation, error: &NetworkError) -> Fault {
    match error {
        NetworkError::UdpReadFailure(RecvError::Exhausted) | NetworkError::UdpWriteFailure(SendError::BufferFull) => {
            Fault::WouldBlock
        }
        NetworkError::UdpReadFailure(RecvError::Truncated) => Fault::Datagram(FlowError::TooLarge),
        _ => Fault::Datagram(FlowError::Unreachable),
    }
}

/// YOURS: say where, and start anew.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
