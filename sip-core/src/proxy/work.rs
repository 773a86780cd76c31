//! The working view of a proxy: its state and the memory it was lent, apart enough to be borrowed one by one.

use super::Parts;
use super::config::Settings;
use super::entry::{BranchEntry, Owner, ResponseContext};
use super::event::{Event, Request, Target};
use crate::memory::{Handle, Octets, Table};
use crate::message::option_tags::write_unsupported;
use crate::message::{Header, HeaderName, Message, Uri, Writer};
use crate::random::{HashKey, Random};
use crate::time::Instant;
use crate::transaction::{Layer, NewRequest, Transactions, User};
use crate::transport::Flow;

/// Gives the targets of a URI, of which is said whether it is this proxy's own, one after the other. Whether it is to be asked about it at
/// all: a URI of which it says no is a target itself.
pub(crate) type Lookup<'l> = dyn Fn(&Uri<'_>, bool, &mut dyn FnMut(&Target<'_>)) -> bool + 'l;

/// Ready list of contexts: there is an event to tell.
pub(super) const TELL: usize = 0;

/// What strangers made the proxy drop or refuse, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statistics {
    /// Messages that could not be parsed.
    pub malformed: u32,
    /// Messages that belong to nothing here.
    pub strays: u32,
    /// Requests answered with 503 for lack of room.
    pub refused: u32,
    /// Requests that were passed on without a transaction for lack of room.
    pub stateless: u32,
    /// Stateless replies that a later input displaced, or for which there was no room.
    pub replies_dropped: u32,
}

/// All else of a proxy that is not lent by its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) random: Random,
    /// The key of stateless branches.
    pub(super) hash: HashKey,
    /// The moment up to which transaction timers are worked off.
    pub(super) expire_to: Instant,
    pub(super) statistics: Statistics,
    pub(super) started: bool,
}

impl Core {
    pub(super) const ZERO: Self = Self {
        settings: Settings::ZERO,
        random: Random::ZERO,
        hash: HashKey::ZERO,
        expire_to: Instant::ZERO,
        statistics: Statistics { malformed: 0, strays: 0, refused: 0, stateless: 0, replies_dropped: 0 },
        started: false,
    };
}

/// What one input works with: its time and source, and the parts of the proxy, each borrowed for itself.
pub(super) struct Work<'a, O> {
    /// The moment of the input.
    pub(super) now: Instant,
    /// The flow of the message that came; none when the input is another.
    pub(super) source: Flow,
    /// What the transaction layer knows the request by that came.
    pub(super) new: NewRequest,
    /// Where the users of this proxy are, when whoever drives it has that at hand.
    pub(super) lookup: Option<&'a Lookup<'a>>,
    pub(super) core: &'a mut Core,
    pub(super) transactions: Transactions<'a, O>,
    pub(super) contexts: Table<'a, ResponseContext>,
    pub(super) branches: Table<'a, BranchEntry>,
}

impl<'a, O: Octets> Work<'a, O> {
    pub(super) fn new(now: Instant, layer: &'a mut Layer, core: &'a mut Core, parts: Parts<'a, O>) -> Self {
        let Parts { transactions, contexts, branches, octets } = parts;
        Self {
            now,
            source: Flow::NONE,
            new: NewRequest::NONE,
            lookup: None,
            core,
            transactions: Transactions::new(layer, transactions, octets),
            contexts,
            branches,
        }
    }

    /// The texts of the configuration.
    pub(super) fn texts(&self) -> &[u8] {
        self.transactions.octets.get(self.core.settings.block())
    }

    /// Answers the request that came without a transaction: with headers, and Server.
    pub(super) fn reply(&mut self, request: &Message<'_>, status: u16, headers: &[Header<'_>]) {
        let settings = &self.core.settings;
        self.transactions.reply(self.source, request, self.new, status, &|kept, writer| {
            for header in headers {
                writer.header(header.name, header.value);
            }
            if status == 503 {
                writer.header_number(HeaderName::RetryAfter, u64::from(settings.retry_after));
            }
            if status == 420 {
                write_unsupported(writer, request.proxy_require(), settings.supported(octets_of(kept, settings)));
            }
            write_server(writer, settings.server(octets_of(kept, settings)));
            writer.finish_without_body();
        });
    }

    /// The event that a context has to tell, if it is this one's turn or any one's; a context that is over is freed with it.
    pub(super) fn take_event(&mut self, context: Handle) -> Option<Event> {
        if self.contexts.ready_list(context) != Some(TELL) {
            return None;
        }
        self.contexts.unlink_ready(context);
        let status = self.contexts.get(context)?.best_status;
        self.release(context);
        Some(Event::Finished { request: Request(context), status })
    }

    /// The user of a transaction that nobody waits for.
    pub(super) const fn nobody() -> User {
        Owner::Nobody.user()
    }
}

fn octets_of<'k>(kept: &'k impl crate::memory::KeptBlocks, settings: &Settings) -> &'k [u8] {
    kept.get(settings.block())
}

/// Writes Server, when there is one.
pub(super) fn write_server(writer: &mut Writer<'_>, server: &[u8]) {
    if !server.is_empty() {
        writer.header(HeaderName::Server, server);
    }
}
