//! A desk phone on an mps2-an386 board, as QEMU emulates it: the board, the network stack, the adapter, and the loop.
//!
//! The phone itself is the library beside this program.
#![no_std]
#![no_main]

mod board;
mod network;

use board::Board;
use board::clock::CYCLES_PER_MILLISECOND;
use core::fmt::Write;
use core::panic::PanicInfo;
use cortex_m as _;
use defmt_semihosting as _;
use desk_phone::console::{Command, LineReader};
use desk_phone::phone::{Phone, say};
use desk_phone::settings::Settings;
use semihosting::experimental::{env, random};
use sip_core::time::{Duration, Instant};
use sip_core::ua::Arrays;
use sip_core::ua::{Event, UserAgent};
use sip_embedded_adapter::{Adapter, Statistics, Turn};
use static_cell::ConstStaticCell;

/// 16 transactions, 4 dialogs, 2 calls, 1 registration, 8 KiB of messages.
type Agent = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// The longest message, and one octet more: what fills the buffer may have lost its end.
const MESSAGE: usize = 1500;

/// How often the cable is looked at.
const LINK_CHECK: Duration = Duration::from_millis(50);

/// The watchdog resets the board when the loop has not come round for one to two seconds.
const WATCHDOG: u32 = 1000 * CYCLES_PER_MILLISECOND;

/// Everything that the phone remembers. It is all zero, so it lies in .bss and takes no flash, and it is never moved.
struct Memory {
    agent: Agent,
    phone: Phone,
    message: [u8; MESSAGE],
    line: LineReader,
    network: network::Memory,
    #[cfg(feature = "tcp")]
    connections: network::Connections,
}

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory {
    agent: Agent::new(Arrays::new()),
    phone: Phone::ZERO,
    message: [0; MESSAGE],
    line: LineReader::ZERO,
    network: network::Memory::ZERO,
    #[cfg(feature = "tcp")]
    connections: network::Connections::new(),
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(Board { clock, mut console, mut watchdog, mac, mut link }) = Board::take() else { panic!("no board") };
    #[rustfmt::skip]
    let Memory { agent, phone, message, line, network, #[cfg(feature = "tcp")] connections } = MEMORY.take();

    // The settings. A product reads them from its flash.
    let words = env::args::<768>();
    let mut settings = Settings::default();
    for word in words.iter().flatten().skip(1) {
        if let Err(word) = word.map_err(|_| "not UTF-8").and_then(|word| settings.set(word)) {
            say(&mut console, format_args!("not a setting: {word}"));
        }
    }
    // The seed. A product takes it from its random number generator; two starts must never have the same.
    let mut seed = [0; 16];
    let mut ports = [0; 8];
    if random::fill_bytes(&mut seed).and_then(|()| random::fill_bytes(&mut ports)).is_err() {
        panic!("no randomness");
    }

    let stack = network.start(mac, clock, &settings, u64::from_le_bytes(ports));
    if let Err(error) = phone.start(agent, &settings, seed) {
        say(&mut console, format_args!("{error}"));
    }
    let Ok(adapter) = Adapter::bind(agent, stack, 5060) else { panic!("no socket") };
    #[cfg(feature = "tcp")]
    let adapter = {
        connections.classify_by(network::classify_stream);
        adapter.with_tcp(connections)
    };
    let mut adapter = adapter.classified_by(network::classify);
    say(&mut console, format_args!("phone at {}", settings.sent_by));
    if !settings.registrar.is_empty() {
        phone.command(adapter.role_mut(), clock.now(), &settings, Command::Register, &mut console);
    }

    let (mut plugged, mut link_checked) = (true, Instant::ZERO);
    let mut spent = Spent::default();
    watchdog.start(WATCHDOG);
    loop {
        let begin = clock.cycles();
        let now = clock.now();
        watchdog.feed();
        // Frames in and out.
        let moved = network::poll(stack);
        let polled = clock.cycles();
        // At most one message in, everything that is due out.
        match adapter.poll(stack, now, message) {
            Ok(Turn::Message { event, ref message, .. }) => {
                if matches!(event, Event::Incoming { .. }) {
                    spent.invite = clock.cycles() - polled;
                }
                defmt::info!("{} by {}", event, message);
                phone.event(adapter.role_mut(), now, &settings, (event, Some(message)), &mut console);
            }
            Ok(Turn::Event(event)) => {
                defmt::info!("{}", event);
                phone.event(adapter.role_mut(), now, &settings, (event, None), &mut console);
            }
            Ok(Turn::Resolve { query, host }) => {
                // The address book of this phone has addresses only.
                say(&mut console, format_args!("no address for {host}"));
                adapter.resolved(now, query, &[]);
            }
            // It is counted, and a peer repeats what it gets no answer to.
            Ok(Turn::Again | Turn::TooLarge { .. }) => {}
            Ok(Turn::Idle(_)) if moved => {}
            Ok(Turn::Idle(_)) => {
                if let Some(command) = console.read().and_then(|octet| line.push(octet)) {
                    match Command::parse(command) {
                        Some(Command::Freeze) => freeze(),
                        Some(command) => {
                            phone.command(adapter.role_mut(), now, &settings, command, &mut console);
                            // To ask does not change what is asked for.
                            if command != Command::Status {
                                spent.sip += clock.cycles() - polled;
                            }
                        }
                        None => say(&mut console, format_args!("what? (help)")),
                    }
                    if Command::parse(command) == Some(Command::Status) {
                        report(&mut console, &adapter.statistics(), &spent);
                    }
                }
                if now >= link_checked + LINK_CHECK {
                    link_checked = now;
                    if let Some(up) = link.is_up().filter(|up| *up != plugged) {
                        plugged = up;
                        if up {
                            network::forget_neighbours(stack);
                            adapter.disconnect(stack, now);
                        }
                        phone.link(adapter.role_mut(), now, &settings, up, &mut console);
                    }
                }
                spent.longest = spent.longest.max(clock.cycles() - begin);
                clock.sleep();
                continue;
            }
            // Every error of this stack was classified as one that passes.
            Err(_) => panic!("the socket is dead"),
        }
        let end = clock.cycles();
        spent.longest = spent.longest.max(end - begin);
        spent.sip += end - polled;
    }
}

/// Where the cycles went.
#[derive(Default)]
struct Spent {
    /// The longest turn of the loop.
    longest: u64,
    /// All turns that were not idle, from the adapter's poll on, and all commands, with what the phone printed.
    sip: u64,
    /// The last call that came in: from its datagram to the event, with the 100 that was sent.
    invite: u64,
}

/// What the phone can't know of itself.
fn report(console: &mut impl Write, counted: &Statistics, spent: &Spent) {
    let Statistics { datagrams_in, datagrams_out, malformed, truncated, .. } = counted;
    say(
        console,
        format_args!(
            "board: in={datagrams_in} out={datagrams_out} malformed={malformed} truncated={truncated} stack={} longest-turn={} sip={} invite={}",
            board::stack::used(),
            spent.longest,
            spent.sip,
            spent.invite
        ),
    );
}

/// Goes on for ever without feeding the watchdog.
fn freeze() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}

/// Says where, and starts anew.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    // SAFETY: `main` does not run any more, nor does any interrupt.
    let mut console = unsafe { board::uart::seize() };
    say(&mut console, format_args!("panic: {info}"));
    cortex_m::peripheral::SCB::sys_reset()
}
