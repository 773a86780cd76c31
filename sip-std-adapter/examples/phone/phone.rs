//! The phone itself: a user agent on a socket, with a screen.

use crate::args::{Carrier, Credentials, Listen, Reach, Tls, Upkeep, Way};
use crate::events::Log;
use crate::interrupt::Interrupt;
use crate::net;
use crate::report::{Failure, Outcome, Report};
use crate::screen::{Shared, Waiting, told};
use crate::sdp::{Media, Wish};
use crate::secure;
use crate::text::{Identity, caller, printable};
use sip_core::error::{Capacity, ConfigError, Error};
use sip_core::message::{Message, Method, Uri};
use sip_core::sdp::offer_answer::{Agreed, Codec};
use sip_core::time::{Duration, Instant};
use sip_core::ua::{Call, Config, Content, Event, Referral, SessionError, UserAgent};
use sip_std_adapter::memory::HeapMemory;
use sip_std_adapter::{Adapter, Turn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Octets of a receive buffer that holds every datagram.
pub(crate) const BUFFER: usize = 65_536;

/// What the user agent is called in User-Agent and Server.
pub(crate) const NAME: &str = concat!("sip-std-adapter-phone/", env!("CARGO_PKG_VERSION"));

/// A retransmission of the peer comes after T1, 500 ms; this much quiet means that there was none.
const QUIET: Duration = Duration::from_millis(600);
/// The longest time to wait for that.
const LINGER: Duration = Duration::from_secs(3);

/// What a phone is set up with.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// The command's name.
    pub(crate) command: &'static str,
    /// Where to listen, as far as the user said so.
    pub(crate) listen: Option<Listen>,
    /// The port to listen at when the user did not say which.
    pub(crate) port: u16,
    /// The URI of who has to be reached; none for one who waits to be called.
    pub(crate) towards: Option<&'a str>,
    /// The transport for URIs that name none, and of our Contact.
    pub(crate) transport: Carrier,
    /// With what to secure connections.
    pub(crate) tls: Option<&'a Tls>,
    /// The path of WebSockets; none for `/`.
    pub(crate) ws_path: Option<&'a str>,
    /// Our own URI; none for `sip:phone@` and our address.
    pub(crate) identity: Option<&'a str>,
    /// The proxy's URI.
    pub(crate) proxy: Option<&'a str>,
    /// With what to authenticate.
    pub(crate) credentials: Option<&'a Credentials>,
    /// Whether nothing that happens here is printed as an event: of two phones in one process only one's is.
    pub(crate) silent: bool,
    /// The column of a phone whose messages the server between two phones shows.
    pub(crate) column: Option<usize>,
    /// Whether calls by the hundred are expected.
    pub(crate) busy: bool,
    /// The codecs, most wanted first; none for those of every phone.
    pub(crate) codecs: &'a [Codec<'static>],
    /// How ringing is made sure of, and a call that is up.
    pub(crate) upkeep: Upkeep,
}

impl<'a> Setup<'a> {
    /// What the options of a command say of the way to send, and of whom to authenticate as.
    pub(crate) fn by(command: &'static str, way: &'a Way, credentials: &'a Credentials) -> Self {
        Self {
            command,
            transport: way.transport,
            tls: Some(&way.tls),
            ws_path: Some(&way.ws_path),
            credentials: Some(credentials),
            ..Self::default()
        }
    }

    /// The same for a command that reaches whom a URI names, by a proxy or at once.
    pub(crate) fn reaching(command: &'static str, uri: &'a str, reach: &'a Reach) -> Self {
        let proxy = reach.proxy.as_deref();
        Self {
            listen: reach.listen,
            towards: Some(proxy.unwrap_or(uri)),
            proxy,
            ..Self::by(command, &reach.way, &reach.credentials)
        }
    }
}

/// One step of a phone's life.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Step<'b> {
    /// Something happened, and the message that brought it, if one did.
    Event(Event, Option<Message<'b>>),
    /// Something was done, or it was waited; look at the clock.
    Nothing,
}

/// A user agent, its socket, its media port, and the screen.
pub(crate) struct Phone {
    pub(crate) adapter: Adapter<UserAgent<HeapMemory>>,
    pub(crate) screen: Shared,
    pub(crate) interrupt: Interrupt,
    pub(crate) media: Media,
    log: Log,
    /// The URI of who has to be reached.
    towards: Option<String>,
    has_password: bool,
    silent: bool,
    column: Option<usize>,
}

impl Phone {
    /// Binds the socket and starts the user agent.
    pub(crate) fn start(setup: &Setup<'_>, screen: &Shared, interrupt: &Interrupt) -> Result<Self, Failure> {
        let reached = setup.towards.map(net::address_of).transpose()?;
        let asked = setup.listen.unwrap_or_default();
        let ip = match (asked.ip, reached) {
            (Some(ip), _) => ip,
            (None, Some(peer)) => net::local_ip(peer)?,
            (None, None) => Ipv4Addr::LOCALHOST.into(),
        };
        let listen = SocketAddr::new(ip, asked.port.unwrap_or(setup.port));
        let memory = if setup.busy { HeapMemory::new() } else { HeapMemory::with_capacity(256, 64, 32, 2) };
        let mut adapter = secure::bind(setup, UserAgent::new(memory), listen)?;
        if let Some(server) = net::dns() {
            adapter.dns_servers(&[server]);
        }
        let local = own_address(adapter.local_addr(), reached)?;
        let identity = setup.identity.map_or_else(|| format!("sip:phone@{local}"), str::to_owned);
        let sent_by = local.to_string();
        let config = Config::new(&sent_by, &identity)
            .with_contact_user(net::user_of(&identity).unwrap_or("phone"))
            .with_user_agent(NAME)
            .with_proxy(setup.proxy.unwrap_or_default())
            .with_methods("INFO, MESSAGE")
            .with_transfers(true)
            .with_minimum_algorithm(setup.credentials.map(|given| given.weakest_digest).unwrap_or_default().into())
            .with_reliable_provisional(setup.upkeep.reliable.into())
            .with_session_expires(setup.upkeep.session_expires)
            .with_transport(setup.transport.into());
        let seed = sip_std_adapter::seed()?;
        adapter.role_mut().start(&config, seed).map_err(|error| Failure::Usage(config_error(error)))?;
        if let Some(Credentials { user, password: Some(password), .. }) = setup.credentials {
            let user = user.as_deref().or(net::user_of(&identity)).unwrap_or("phone");
            adapter.role_mut().add_credentials("", user, password).map_err(Failure::from)?;
        }
        if !setup.silent && setup.column.is_none() {
            screen.lock().set_own(&sent_by);
            let shown = screen.clone();
            adapter.set_tap(move |way, end, flow, bytes, now| {
                // A datagram socket on the wildcard does not know its address; a connection always does.
                let end = if flow.transport.is_reliable() { end } else { local };
                shown.lock().message(way, end, flow, bytes, now);
            });
        }
        interrupt.add(adapter.waker());
        Ok(Self {
            adapter,
            screen: screen.clone(),
            interrupt: interrupt.clone(),
            media: Media::new(local.ip(), setup.codecs),
            log: Log::new(setup.command),
            towards: setup.towards.map(str::to_owned),
            has_password: setup.credentials.is_some_and(|given| given.password.is_some()),
            silent: setup.silent,
            column: setup.column,
        })
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.adapter.now()
    }

    /// Does what there is to do. When there is nothing, waits: until `until`, the next timer, a datagram, Ctrl-C, or
    /// the next moment to say what is being waited for.
    pub(crate) fn step<'b>(
        &mut self,
        buffer: &'b mut [u8],
        until: Option<Instant>,
        waiting: &Waiting,
    ) -> io::Result<Step<'b>> {
        match self.adapter.poll(buffer)? {
            Turn::Message { event, message, .. } => {
                self.record(event, Some(&message));
                Ok(Step::Event(event, Some(message)))
            }
            Turn::Event(event) => {
                self.record(event, None);
                Ok(Step::Event(event, None))
            }
            Turn::Idle(next) => {
                let now = self.now();
                let quiet = self.silent || self.column.is_some();
                let tick = if quiet { None } else { self.screen.lock().waiting(now, waiting) };
                self.adapter.wait([next, until, tick].into_iter().flatten().min())?;
                Ok(Step::Nothing)
            }
            _ => Ok(Step::Nothing),
        }
    }

    /// Prints the line of an event.
    fn record(&mut self, event: Event, message: Option<&Message<'_>>) {
        if !self.silent {
            let line = self.log.event(self.adapter.now(), event, message, || self.screen.lock().first());
            self.screen.lock().log(|| line.json());
        }
    }

    /// Says where the phone waits.
    pub(crate) fn listening(&self) {
        let at = self.adapter.local_addr().to_string();
        let line = self.log.listening(self.now(), &at);
        let mut screen = self.screen.lock();
        screen.line(&format!("listening at {at}"));
        screen.log(|| line.json());
    }

    /// What names the first request that this phone sent, for a phone that makes one call.
    pub(crate) fn first(&self) -> Identity {
        self.screen.lock().first().unwrap_or_default()
    }

    /// Answers what every phone answers alike: requests of the application, changes of a session, and calls that
    /// come while it has other things to do.
    pub(crate) fn respond(&mut self, event: Event, message: Option<&Message<'_>>) {
        match (event, message) {
            (Event::Request { request, .. }, Some(message)) => {
                let method = String::from_utf8_lossy(message.method().as_bytes()).into_owned();
                self.note(&format!("{} from {}", told(&method, message.body()), caller(message)));
                // It may have waited too long; there is nobody to tell.
                let _ = self.adapter.with(|ua, now| ua.respond(now, request, 200, &Content::NONE));
            }
            (Event::Confirmed { call } | Event::ProvisionalAcknowledged { call, answer_due: false }, Some(message)) => {
                let _ = self.agree(call, message);
            }
            (
                Event::Reinvite { call }
                | Event::Update { call }
                | Event::ProvisionalAcknowledged { call, answer_due: true },
                Some(message),
            ) => {
                let agreed = self.answer_change(call, message, Wish::default());
                // Of two phones in one ladder only one tells what both agree upon.
                if let Some(agreed) = agreed.filter(|_| self.column.is_none()) {
                    self.note(&format!("agreed: {}", self.media.describe(&agreed)));
                }
            }
            (Event::Refer { referral, .. }, message) => _ = self.follow(referral, message, false),
            (Event::Incoming { call } | Event::Replacing { call, .. }, _) => {
                let _ = self.adapter.with(|ua, now| ua.reject(now, call, 486, &Content::NONE));
            }
            (Event::Oversize { sizes, by_datagram, .. }, _) => {
                let way = if by_datagram { "no TCP, sent as a datagram all the same" } else { "TCP is tried" };
                self.note(&format!("a request of {} octets, {} at most: {way}", sizes.compact, sizes.limit));
            }
            _ => {}
        }
    }

    /// Calls whom the peer's REFER names, if that is allowed: the call, and with whom it is.
    pub(crate) fn follow(
        &mut self,
        referral: Referral,
        message: Option<&Message<'_>>,
        allowed: bool,
    ) -> Option<(Call, String)> {
        let named = message.and_then(|message| message.refer_to()?.ok()).map(|to| printable(to.raw_uri()));
        // What is behind the question mark names a dialog, and no person.
        let peer = named.unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let followed = allowed.then(|| {
            let Self { adapter, media, .. } = &mut *self;
            media.with(Wish::default().direction(), |local| {
                adapter.with(|ua, now| ua.follow_refer_with(now, referral, local))
            })
        });
        match followed {
            Some(Ok(call)) => {
                self.note(&format!("the peer has us call {peer}"));
                return Some((call, peer));
            }
            Some(Err(error)) => self.note(&format!("the peer would have us call {peer}: {}", session_text(error))),
            None => self.note(&format!("the peer would have us call {peer}: refused, see --refer")),
        }
        // It may have waited too long; there is nobody to tell.
        let _ = self.adapter.with(|ua, now| ua.reject_refer(now, referral, 603, &Content::NONE));
        None
    }

    /// Answers a change of the session, in a re-INVITE or in another request; what is agreed then.
    pub(crate) fn answer_change(&mut self, call: Call, message: &Message<'_>, wish: Wish) -> Option<Agreed> {
        // What can't be taken is refused already.
        self.agree(call, message).ok()?;
        let answered = if matches!(message.method(), Method::Invite) {
            self.answer(call, wish)
        } else {
            let Self { adapter, media, .. } = self;
            let direction = wish.direction();
            media.with(direction, |local| adapter.with(|ua, now| ua.answer_offer_with(now, call, local, &[]))).map(Some)
        };
        match answered {
            Ok(agreed) => agreed,
            Err(error) => {
                self.note(&format!("a change of the call could not be answered: {}", session_text(error)));
                None
            }
        }
    }

    /// Reads what a message says of the session. What does not fit is told here; the user agent has done the rest.
    pub(crate) fn agree(&mut self, call: Call, message: &Message<'_>) -> Result<Option<Agreed>, SessionError> {
        let Self { adapter, media, .. } = self;
        let agreed = media
            .with(Wish::default().direction(), |local| adapter.with(|ua, now| ua.agree(now, call, local, message)));
        if let Err(SessionError::Refused(refusal)) = agreed {
            self.note(&format!("a session description can't be taken: {refusal}"));
        }
        agreed
    }

    /// Answers a call or a change of it: the offer that it had, or with one of our own.
    pub(crate) fn answer(&mut self, call: Call, wish: Wish) -> Result<Option<Agreed>, SessionError> {
        let Self { adapter, media, .. } = self;
        media.with(wish.direction(), |local| adapter.with(|ua, now| ua.answer_with(now, call, local, &[])))
    }

    /// What to do about a challenge that could not be answered well.
    pub(crate) fn hint(&self, status: u16) -> &'static str {
        match (status, self.has_password) {
            (401 | 407, false) => ": a password is needed, in SIP_PASSWORD or with --password",
            (401 | 407, true) => {
                ": the password is wrong (SIP_PASSWORD, --password), or there is no such user (--user)"
            }
            _ => "",
        }
    }

    /// Shows something within the ladder.
    pub(crate) fn note(&self, text: &str) {
        match self.column {
            Some(column) => self.screen.lock().note_at(column, text),
            None if self.silent => {}
            None => self.screen.lock().note(self.now(), text),
        }
    }

    /// Shows how one call of several ended.
    pub(crate) fn part(&self, report: &Report) {
        if self.column.is_some() {
            // Who it was is shown at the other end.
            let text = report.message.rsplit_once(": ").map_or(report.message.as_str(), |(_, text)| text);
            self.note(text);
        } else if !self.silent {
            self.screen.lock().part(self.now(), report);
        }
    }

    /// Sends what is left, and stays until the peer has had the time for one retransmission and sent none: our last
    /// message, which nobody acknowledges, may have been lost. A peer that loses the next one, too, ends by its timer. Where
    /// nothing is lost, over a connection and within this host, nothing is waited for but the ACK to a refusal.
    pub(crate) fn linger(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.flush(buffer)?;
        let last = self.screen.lock().last_sent();
        if last.is_none_or(|flow| is_sure(flow, self.media.address())) {
            let (until, waiting) = (self.now() + QUIET, Waiting::new("the ACK of the peer"));
            while self.screen.lock().owes_ack() && self.now() < until {
                if let Step::Event(event, message) = self.step(buffer, Some(until), &waiting)? {
                    self.respond(event, message.as_ref());
                }
            }
            return Ok(());
        }
        self.note("staying 0.6 s, should our last message have been lost");
        let waiting = Waiting::new("retransmissions of the peer");
        let start = self.now();
        loop {
            let now = self.now();
            let heard = self.screen.lock().last_message().max(start);
            let quiet = now >= heard + QUIET || now >= start + LINGER;
            if let Step::Event(event, message) = self.step(buffer, Some(heard + QUIET), &waiting)? {
                self.respond(event, message.as_ref());
            } else if quiet {
                return Ok(());
            }
        }
    }

    /// Sends what is left.
    pub(crate) fn flush(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.adapter.poll(buffer)? {
                Turn::Message { event, message, .. } => {
                    self.record(event, Some(&message));
                    self.respond(event, Some(&message));
                }
                Turn::Event(event) => {
                    self.record(event, None);
                    self.respond(event, None);
                }
                Turn::Idle(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Why a peer could not be reached: how the command ends, and in words.
    pub(crate) fn unreachable(&mut self) -> (Outcome, String) {
        if let Some(refusal) = self.adapter.next_tls_refusal() {
            return (Outcome::Untrusted, format!("{refusal} ({})", refusal.peer));
        }
        (Outcome::Network, self.nobody_there())
    }

    fn nobody_there(&self) -> String {
        let uri = self.towards.as_deref().unwrap_or("the peer");
        let counted = self.adapter.statistics();
        match self.screen.lock().last_peer() {
            Some(peer) if counted.unreachable > 0 => format!("nothing listens at {peer}"),
            Some(peer) => format!("{peer} can't be reached"),
            None if counted.connects_failed > 0 => format!("no connection to {uri}: refused, or not answered"),
            None => self.no_way(uri),
        }
    }

    /// Why nothing was even sent: the user agent has found no address to send to.
    fn no_way(&self, uri: &str) -> String {
        if Uri::parse(uri.as_bytes()).is_err() {
            return format!("no way to {uri}");
        }
        if self.adapter.statistics().lookups_refused > 0 {
            return format!("the name in {uri} was not looked up: too many others are being looked up");
        }
        let (own, other) = if self.adapter.local_addr().is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        match net::address_of(uri) {
            Ok(found) if found.is_ipv4() != self.adapter.local_addr().is_ipv4() => {
                format!("{uri} has {other} addresses alone, and this phone listens on {own}: see --listen")
            }
            Ok(_) => format!("{uri} can't be reached"),
            Err(_) => format!("the name in {uri} has no address"),
        }
    }
}

/// Whether what goes by a flow arrives, where we have this address.
fn is_sure(flow: sip_core::transport::Flow, own: IpAddr) -> bool {
    flow.transport.is_reliable() || flow.remote.ip().is_some_and(|ip| ip.is_loopback() || ip == own)
}

/// The address that peers see: the socket's, or on a wildcard socket the one that reaches the peer.
fn own_address(bound: SocketAddr, peer: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let ip: IpAddr = match peer {
        Some(peer) => net::local_ip(peer)?,
        None => net::default_ip(bound.is_ipv4()),
    };
    Ok(SocketAddr::new(ip, bound.port()))
}

pub(crate) fn config_error(error: ConfigError) -> String {
    match error {
        ConfigError::Invalid(what) => format!("the configuration can't be used: {what}"),
        ConfigError::Capacity(capacity) => capacity_text(capacity),
        ConfigError::AlreadyStarted => "started twice".to_owned(),
        other => other.to_string(),
    }
}

fn capacity_text(capacity: Capacity) -> String {
    match capacity {
        Capacity::Transactions => "no room for another transaction".to_owned(),
        Capacity::Dialogs => "no room for another dialog".to_owned(),
        Capacity::Calls => "no room for another call".to_owned(),
        Capacity::Registrations => "no room for another registration".to_owned(),
        Capacity::Octets { needed } => format!("no room for a message of {needed} octets"),
        Capacity::MessageSize { beyond } => format!("a message is {beyond} octets too large"),
        other => other.to_string(),
    }
}

/// Why the user agent refused, in words.
pub(crate) fn error_text(error: Error) -> String {
    match error {
        Error::Gone => "it has ended".to_owned(),
        Error::State => "it can't be done at this moment".to_owned(),
        Error::Capacity(capacity) => capacity_text(capacity),
        Error::Invalid(what) => format!("can't be used: {what}"),
        other => other.to_string(),
    }
}

/// What prevents a session, in words.
pub(crate) fn session_text(error: SessionError) -> String {
    match error {
        SessionError::Failed(error) => error_text(error),
        SessionError::Refused(refusal) => refusal.to_string(),
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Usage(session_text(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(error_text(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::transport::{Address, Flow, Transport};

    #[test]
    fn a_retransmission_is_waited_for_where_a_datagram_may_be_lost() {
        let own: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let udp = |ip: [u8; 4]| Flow::udp(Address::from(SocketAddr::from((ip, 5060))));
        let tcp = Flow { connection: 1, transport: Transport::Tcp, ..udp([192, 0, 2, 7]) };
        assert!(is_sure(udp([127, 0, 0, 1]), own) && is_sure(udp([192, 0, 2, 1]), own) && is_sure(tcp, own));
        assert!(!is_sure(udp([192, 0, 2, 7]), own));
    }
}
