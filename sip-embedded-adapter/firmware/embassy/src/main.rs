//! A user agent that is registered and answers calls, as a task of embassy's executor on a socket of embassy-net: copy it, and
//! fill in what is marked YOURS. `../minimal` is the same on smoltcp alone, without an executor.
#![no_std]
#![no_main]

mod clock;
mod device;
mod socket;

use core::panic::PanicInfo;
use cortex_m::peripheral::Peripherals;
use device::Ethernet;
use embassy_executor::Spawner;
use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Ipv4Address, Ipv4Cidr, Runner, StackResources, StaticConfigV4};
use embassy_time::Timer;
use sip_core::time::Instant;
use sip_core::ua::{Arrays, Config, Content, Event, UserAgent};
use sip_embedded_adapter::{Adapter, Turn};
use socket::{Sockets, classify};
use static_cell::{ConstStaticCell, StaticCell};

/// YOURS: the address of this device, and who it is.
const ADDRESS: Ipv4Address = Ipv4Address::new(192, 0, 2, 2);
const GATEWAY: Ipv4Address = Ipv4Address::new(192, 0, 2, 1);
const SENT_BY: &str = "192.0.2.2:5060";
const REGISTRAR: &str = "sip:192.0.2.1";
const AOR: &str = "sip:intercom@example.com";

type Agent = UserAgent<Arrays<8, 2, 1, 1, 4096>>;

/// Everything that is kept and all zero at first, so that it lies in .bss and takes no flash.
struct Memory {
    agent: Agent,
    message: [u8; 1500],
    octets: [[u8; 4096]; 2],
}

static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { agent: Agent::new(Arrays::new()), message: [0; 1500], octets: [[0; 4096]; 2] });
/// These are not zero: they are made at the start, or they would lie in .data.
static RESOURCES: StaticCell<StackResources<2>> = StaticCell::new();
static PACKETS: StaticCell<[[PacketMetadata; 8]; 2]> = StaticCell::new();
static SOCKET: StaticCell<UdpSocket<'static>> = StaticCell::new();

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let (Some(cortex), Some(Memory { agent, message, octets })) = (Peripherals::take(), MEMORY.try_take()) else {
        panic!("started twice")
    };
    clock::start(cortex.SYST);
    let mut address =
        StaticConfigV4 { address: Ipv4Cidr::new(ADDRESS, 24), gateway: None, dns_servers: Default::default() };
    address.gateway = Some(GATEWAY);
    // YOURS: the seed is random, and differs with every start.
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(Ethernet::new(), embassy_net::Config::ipv4_static(address), resources, 1);
    if spawner.spawn(network(runner)).is_err() {
        panic!("no room for the network's task");
    }

    let [packets_in, packets_out] = PACKETS.init_with(|| [[PacketMetadata::EMPTY; 8]; 2]);
    let [octets_in, octets_out] = octets;
    let mut socket = UdpSocket::new(stack, packets_in, octets_in, packets_out, octets_out);
    if socket.bind(5060).is_err() {
        panic!("no socket");
    }
    let socket: &'static UdpSocket<'static> = SOCKET.init(socket);

    let config = Config::new(SENT_BY, AOR).with_contact_user("intercom");
    // YOURS: sixteen random octets that differ with every start.
    if agent.start(&config, [0; 16]).is_err() || agent.add_credentials("example.com", "intercom", "secret").is_err() {
        panic!("the configuration can't be used");
    }
    if agent.register(now(), REGISTRAR, AOR, 600).is_err() {
        panic!("no room to register");
    }
    let mut adapter = Adapter::new(agent, socket).classified_by(classify);
    loop {
        match adapter.poll(&mut Sockets, now(), message) {
            Ok(Turn::Message { event, .. } | Turn::Event(event)) => {
                if let Event::Incoming { call } = event {
                    // YOURS: ring, and answer with where you take audio, after the offer that the message brought.
                    let _ = adapter.role_mut().reject(now(), call, 480, &Content::NONE);
                }
            }
            // YOURS: an address book, or embassy-net's DNS in a task of its own.
            Ok(Turn::Resolve { query, .. }) => adapter.resolved(now(), query, &[]),
            Ok(Turn::Idle(until)) => {
                let until = until.map_or(u64::MAX, Instant::as_millis);
                select(socket.wait_recv_ready(), Timer::at(embassy_time::Instant::from_millis(until))).await;
            }
            // The network's task has its turn between two of these.
            Ok(Turn::Again | Turn::TooLarge { .. }) => yield_now().await,
            Err(_) => panic!("the socket is dead"),
        }
    }
}

/// The time as the user agent takes it.
fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}

/// YOURS: say where, and start anew.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}
