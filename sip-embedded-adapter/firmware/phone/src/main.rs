//! A desk phone on an mps2-an386 board, as QEMU emulates it: the board, the network stack, the adapter, and the loop.
//!
//! The phone itself is the library beside this program.
#![no_std]
#![no_main]

mod board;
mod network;

use board::Board;
use board::clock::{CYCLES_PER_MILLISECOND, Clock};
use board::lan9118::Link;
use board::uart::Uart;
use core::fmt::Write;
use core::panic::PanicInfo;
use cortex_m as _;
use defmt_semihosting as _;
use desk_phone::console::{Command, LineReader};
use desk_phone::phone::{Phone, say};
use desk_phone::settings::Settings;
use network::Stack;
use semihosting::experimental::{env, random};
use sip_core::time::{Duration, Instant};
use sip_core::ua::Arrays;
use sip_core::ua::{Event, UserAgent};
use sip_embedded_adapter::{Adapter, Statistics, Streams, Turn};
use static_cell::ConstStaticCell;

/// 16 transactions, 4 dialogs, 2 calls, 1 registration, 8 KiB of messages.
type Agent = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// The longest message, and one octet more: what fills the buffer may have lost its end.
const MESSAGE: usize = 1500;

/// The user agent on its sockets.
type Line<T> = Adapter<&'static mut Agent, Stack, T>;

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
    let Some(Board { clock, mut console, mut watchdog, mac, link }) = Board::take() else { panic!("no board") };
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
    watchdog.start(WATCHDOG);
    let spent = Spent::default();
    let mut desk =
        Desk { clock, console, link, phone, line, settings, spent, plugged: true, link_checked: Instant::ZERO };
    loop {
        watchdog.feed();
        desk.turn(&mut adapter, stack, message);
    }
}

/// What the loop keeps between two turns, and what it works with in each.
struct Desk<'a> {
    clock: Clock,
    console: Uart,
    link: Link,
    phone: &'static mut Phone,
    line: &'static mut LineReader,
    settings: Settings<'a>,
    spent: Spent,
    plugged: bool,
    link_checked: Instant,
}

impl Desk<'_> {
    /// One turn of the loop.
    fn turn<T: Streams<Stack>>(&mut self, adapter: &mut Line<T>, stack: &mut Stack, message: &mut [u8]) {
        let begin = self.clock.cycles();
        let now = self.clock.now();
        // Frames in and out.
        let moved = network::poll(stack);
        let polled = self.clock.cycles();
        // At most one message in, everything that is due out.
        match adapter.poll(stack, now, message) {
            Ok(Turn::Message { event, ref message, .. }) => {
                if matches!(event, Event::Incoming { .. }) {
                    self.spent.invite = self.clock.cycles() - polled;
                }
                defmt::info!("{} by {}", event, message);
                self.phone.event(adapter.role_mut(), now, &self.settings, (event, Some(message)), &mut self.console);
            }
            Ok(Turn::Event(event)) => {
                defmt::info!("{}", event);
                self.phone.event(adapter.role_mut(), now, &self.settings, (event, None), &mut self.console);
            }
            Ok(Turn::Resolve { query, host }) => {
                // The address book of this phone has addresses only.
                say(&mut self.console, format_args!("no address for {host}"));
                adapter.resolved(now, query, &[]);
            }
            // It is counted, and a peer repeats what it gets no answer to.
            Ok(Turn::Again | Turn::TooLarge { .. }) => {}
            Ok(Turn::Idle(_)) if moved => {}
            Ok(Turn::Idle(_)) => {
                self.type_on(adapter, now, polled);
                self.look_at_link(adapter, stack, now);
                self.spent.longest = self.spent.longest.max(self.clock.cycles() - begin);
                self.clock.sleep();
                return;
            }
            // Every error of this stack was classified as one that passes.
            Err(_) => panic!("the socket is dead"),
        }
        let end = self.clock.cycles();
        self.spent.longest = self.spent.longest.max(end - begin);
        self.spent.sip += end - polled;
    }

    /// Takes one octet from the console, and does what a whole line says.
    fn type_on<T: Streams<Stack>>(&mut self, adapter: &mut Line<T>, now: Instant, polled: u64) {
        let Some(line) = self.console.read().and_then(|octet| self.line.push(octet)) else { return };
        match Command::parse(line) {
            Some(Command::Freeze) => freeze(),
            Some(command) => {
                self.phone.command(adapter.role_mut(), now, &self.settings, command, &mut self.console);
                // To ask does not change what is asked for.
                if command == Command::Status {
                    report(&mut self.console, &adapter.statistics(), &self.spent);
                } else {
                    self.spent.sip += self.clock.cycles() - polled;
                }
            }
            None => say(&mut self.console, format_args!("what? (help)")),
        }
    }

    /// Looks at the cable now and then.
    fn look_at_link<T: Streams<Stack>>(&mut self, adapter: &mut Line<T>, stack: &mut Stack, now: Instant) {
        if now < self.link_checked + LINK_CHECK {
            return;
        }
        self.link_checked = now;
        if let Some(up) = self.link.is_up().filter(|up| *up != self.plugged) {
            self.plugged = up;
            if up {
                network::forget_neighbours(stack);
                adapter.disconnect(stack, now);
            }
            self.phone.link(adapter.role_mut(), now, &self.settings, up, &mut self.console);
        }
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
