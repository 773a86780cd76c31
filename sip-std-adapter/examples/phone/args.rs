//! The command line.

use crate::sdp;
pub(crate) use crate::serve::args::{Bindings, Serve, User, Users, UsersAdd, UsersCommand, UsersList, UsersRemove};
use clap::{Args, Parser, Subcommand, ValueEnum};
use sip_core::digest::Algorithm;
use sip_core::message::Uri;
use sip_core::sdp::offer_answer::Codec;
use sip_core::time::Duration;
use sip_core::transport::Transport;
use sip_core::ua::ReliableProvisional;
use sip_std_adapter::ws::WsClient;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// A SIP phone for the command line: it signals calls, and plays and records nothing.
///
/// Every message is shown as it passes, and a last line says how it ended.
#[derive(Parser)]
#[command(name = "phone", version, max_term_width = 100, after_help = STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

const STATUS: &str = "\
Exit status:
  0  it went as asked
  1  refused; the SIP status is printed
  2  the command line can't be used
  3  nobody answered, or who did could not prove by a certificate who it is
  4  the network fails, or nobody is there
  130  stopped by Ctrl-C before it came to an end

In a call that was answered a terminal takes h to hold it, r to resume, m to mute, d DIGITS to dial, t URI to transfer it,
a URI to ask somebody first and x to put both through, q to hang up and ? for help, each with Enter.

Ctrl-C hangs up and waits for the end of the call; a second one quits at once. An answered call that Ctrl-C ends, and an
answering phone that it stops, went as asked.";

/// Options of every command.
#[derive(Args)]
pub(crate) struct Common {
    /// Write what passes to this capture file, for Wireshark and tshark; - is standard output, and all else goes to standard
    /// error then [default: none]
    #[arg(long, global = true, display_order = 100, value_name = "FILE.pcap")]
    pub(crate) trace: Option<PathBuf>,
    /// Print one JSON object a line on standard output, for each event as it happens and last for the result, and the
    /// messages on standard error [default: off]
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,
    /// Ask this name server for every name, and for SRV and NAPTR records of those without a port [default: the system's]
    #[arg(long, global = true, display_order = 102, value_name = "H:P")]
    pub(crate) dns: Option<SocketAddr>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make two phones call each other on this host: ringing, answer, hold, resume, hang-up
    Demo,
    /// Call somebody
    Call(Call),
    /// Wait for calls and answer them
    Answer(Answer),
    /// Register, show the binding, remove it
    Register(Register),
    /// Ask somebody's phone or server what it can do
    Options(Ask),
    /// Send somebody a text (MESSAGE, RFC 3428)
    Message(Text),
    /// Be the server of a domain: phones register here and call each other
    ///
    /// Who says to be a user of the domain has to prove it, to register and to call. Anybody may call its users; only they may
    /// call elsewhere through it.
    ///
    /// SIGTERM and Ctrl-C stop it, SIGHUP has it read its users and its certificate again.
    Serve(Serve),
    /// Write and show the file of users that the server reads
    Users(Users),
    /// Show who is registered
    Bindings(Bindings),
    /// Read files of one datagram each, and say what a phone makes of them
    ///
    /// Prints one JSON object a line for each file, with or without --json:
    /// {"file","ok","kind","method" or "status","error","at","status_to_answer"}. "ok" says whether the octets are
    /// well-formed, "status_to_answer" what a fresh user agent answered, or null. Exits with 1 when a file is not well-formed,
    /// with 2 when one can't be read.
    Parse(Parse),
}

/// With what to authenticate.
#[derive(Args, Clone)]
pub(crate) struct Credentials {
    /// The name to authenticate with [default: the user part of our own URI]
    #[arg(long, value_name = "U", requires = "password")]
    pub(crate) user: Option<String>,
    /// The password to authenticate with; here others can see it, so give it in SIP_PASSWORD [default: none]
    #[arg(long, value_name = "P", env = "SIP_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// The weakest digest by which the password is given; who asks for it by a weaker one is told nothing
    #[arg(long, value_enum, value_name = "D", default_value_t)]
    pub(crate) weakest_digest: Weakest,
}

/// A digest by which a password is proved.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Weakest {
    #[default]
    Md5,
    Sha256,
}

impl From<Weakest> for Algorithm {
    fn from(weakest: Weakest) -> Self {
        match weakest {
            Weakest::Md5 => Self::Md5,
            Weakest::Sha256 => Self::Sha256,
        }
    }
}

/// Over what to send.
#[derive(Args, Clone)]
pub(crate) struct Way {
    /// The transport for addresses that name none; one that says ;transport=tcp, and a request too large for a datagram, go
    /// over TCP in any case
    #[arg(long, value_enum, value_name = "T", default_value_t)]
    pub(crate) transport: Carrier,
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// The path that is asked for where the transport is ws or wss
    #[arg(long, value_name = "PATH", value_parser = ws_path, default_value = "/")]
    pub(crate) ws_path: String,
}

/// With what to secure connections under TLS.
#[derive(Args, Clone, Default)]
pub(crate) struct Tls {
    /// Whom to trust: certificates of authorities in the PEM form [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A certificate of one's own in the PEM form: with it connections under TLS are accepted [default: none]
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of that certificate, PEM [default: none]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

/// A transport.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carrier {
    #[default]
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl From<Carrier> for Transport {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Udp => Self::Udp,
            Carrier::Tcp => Self::Tcp,
            Carrier::Tls => Self::Tls,
            Carrier::Ws => Self::Ws,
            Carrier::Wss => Self::Wss,
        }
    }
}

/// How somebody is reached who is named by a URI.
#[derive(Args, Clone)]
pub(crate) struct Reach {
    /// Address and port to send from, or one of them [default: the address that reaches the peer, a free port]
    #[arg(long, value_name = "H:P", value_parser = listen)]
    pub(crate) listen: Option<Listen>,
    /// The proxy to send through [default: none]
    #[arg(long, value_name = "H:P", value_parser = server)]
    pub(crate) proxy: Option<String>,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
}

#[derive(Args)]
pub(crate) struct Call {
    /// Whom to call: sip:bob@192.0.2.1:5060
    #[arg(value_name = "URI", value_parser = sip_uri)]
    pub(crate) uri: String,
    /// Who calls: a SIP URI. A server asks its own users alone for a password: those of its domain [default: sip:phone@ and our
    /// address]
    #[arg(long, value_name = "URI", value_parser = own_uri)]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Hang up so many seconds after the answer; 0 leaves that to the peer and to Ctrl-C
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, default_value = "0")]
    pub(crate) duration: Duration,
    /// Give up when there is no answer after so many seconds [default: never, but for the 180 s that a call may ring]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) cancel_after: Option<Duration>,
    /// Call where a redirection (3xx) leads, so often at most, the best of its contacts first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10), default_value = "0")]
    pub(crate) follow: u8,
    #[command(flatten)]
    pub(crate) sound: Sound,
    #[command(flatten)]
    pub(crate) upkeep: Upkeep,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
    /// Take the keys of a call from standard input though it is no terminal [default: from a terminal only]
    #[arg(long)]
    pub(crate) keys: bool,
}

/// Whether the peer may have this phone call somebody.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct Transfer {
    /// What becomes of a peer that asks this phone to call somebody else (REFER): who is allowed to may have it call anybody
    #[arg(long, value_enum, value_name = "R", default_value_t)]
    pub(crate) refer: Refer,
}

/// What becomes of a REFER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Refer {
    /// It is followed.
    Allow,
    /// It is refused with 603.
    #[default]
    Deny,
}

impl Refer {
    pub(crate) const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// What is offered and answered.
#[derive(Args, Clone)]
pub(crate) struct Sound {
    /// The codecs, most wanted first: pcmu, pcma, g722, g729, opus, telephone-event
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = sdp::codec, default_value = sdp::DEFAULT_CODECS)]
    pub(crate) codecs: Vec<Codec<'static>>,
}

/// How ringing is made sure of, and a call that is up.
#[derive(Args, Clone, Copy, Default)]
pub(crate) struct Upkeep {
    /// Whether provisional responses are acknowledged (RFC 3262): never, where the peer can, or in every call
    #[arg(long = "100rel", value_enum, value_name = "R", default_value_t)]
    pub(crate) reliable: Reliable,
    /// Have the session refreshed within so many seconds, 90 or more, and the call ended when it is not (RFC 4028); 0 leaves that
    /// to the peer
    #[arg(long, value_name = "S", value_parser = session_expires, default_value = "0")]
    pub(crate) session_expires: u32,
}

/// What becomes of provisional responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reliable {
    #[default]
    Off,
    Supported,
    Required,
}

impl From<Reliable> for ReliableProvisional {
    fn from(reliable: Reliable) -> Self {
        match reliable {
            Reliable::Off => Self::Off,
            Reliable::Supported => Self::Supported,
            Reliable::Required => Self::Required,
        }
    }
}

#[derive(Args)]
pub(crate) struct Answer {
    /// Address and port to wait at, or one of them [default: 127.0.0.1:5060; with --register the address that reaches the
    /// registrar, a free port]
    #[arg(long, value_name = "H:P", value_parser = listen)]
    pub(crate) listen: Option<Listen>,
    /// Ring for so many seconds before the answer
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, default_value = "0")]
    pub(crate) ring: Duration,
    /// Refuse every call with this SIP status, 300 to 699 [default: answer]
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(300..=699))]
    pub(crate) status: Option<u16>,
    /// Where to call instead; may be given several times. A --status of 300 to 399 needs it [default: none]
    #[arg(long, value_name = "URI", value_parser = sip_uri, requires = "status")]
    pub(crate) contact: Vec<String>,
    /// Hang up so many seconds after the answer [default: leave that to the peer]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) hangup_after: Option<Duration>,
    /// Exit when so many calls have ended [default: go on until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Register at this registrar while waiting [default: none]
    #[arg(long, value_name = "H:P", value_parser = server, requires = "aor")]
    pub(crate) register: Option<String>,
    /// The address to be reached under: sip:bob@example.com [default: none]
    #[arg(long, value_name = "URI", value_parser = own_uri)]
    pub(crate) aor: Option<String>,
    #[command(flatten)]
    pub(crate) sound: Sound,
    #[command(flatten)]
    pub(crate) upkeep: Upkeep,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
}

#[derive(Args)]
pub(crate) struct Register {
    /// The registrar, or a proxy before it [default: where the address's domain leads]
    #[arg(long, value_name = "H:P", value_parser = server)]
    pub(crate) registrar: Option<String>,
    /// The address to register: sip:bob@example.com
    #[arg(long, value_name = "URI", value_parser = own_uri)]
    pub(crate) aor: String,
    /// Address and port to register, or one of them [default: the address that reaches the registrar, a free port]
    #[arg(long, value_name = "H:P", value_parser = listen)]
    pub(crate) listen: Option<Listen>,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    /// For how many seconds to ask
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..), default_value = "300")]
    pub(crate) expires: u32,
}

#[derive(Args)]
pub(crate) struct Ask {
    /// Whom to ask: sip:192.0.2.1:5060
    #[arg(value_name = "URI", value_parser = sip_uri)]
    pub(crate) uri: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Args)]
pub(crate) struct Text {
    /// Whom to send it to: sip:bob@192.0.2.1:5060
    #[arg(value_name = "URI", value_parser = sip_uri)]
    pub(crate) uri: String,
    /// What to send, 900 octets at most: a MESSAGE has to fit into a datagram at every hop
    #[arg(value_name = "TEXT", value_parser = short_text)]
    pub(crate) text: String,
    /// Who sends it: a SIP URI [default: sip:phone@ and our address]
    #[arg(long, value_name = "URI", value_parser = own_uri)]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Args)]
pub(crate) struct Parse {
    /// The files, each the octets of one datagram
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// The names of the commands.
pub(crate) const COMMANDS: [&str; 10] =
    ["demo", "call", "answer", "register", "options", "message", "serve", "users", "bindings", "parse"];

impl Command {
    /// The command's name, as it stands in the result.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Call(_) => "call",
            Self::Answer(_) => "answer",
            Self::Register(_) => "register",
            Self::Options(_) => "options",
            Self::Message(_) => "message",
            Self::Serve(_) => "serve",
            Self::Users(_) => "users",
            Self::Bindings(_) => "bindings",
            Self::Parse(_) => "parse",
        }
    }
}

/// A SIP URI with a host; one without a scheme is taken as `sip:`.
pub(crate) fn sip_uri(text: &str) -> Result<String, String> {
    let uri = if has_scheme(text) { text.to_owned() } else { format!("sip:{text}") };
    let parsed = Uri::parse(uri.as_bytes()).map_err(|_| "not a URI such as sip:bob@192.0.2.1:5060".to_owned())?;
    if !parsed.is_sip() || parsed.host().as_bytes().is_empty() {
        return Err("not a SIP URI with a host, such as sip:bob@192.0.2.1:5060".to_owned());
    }
    if !parsed.headers().is_empty() {
        return Err("a URI without headers is needed".to_owned());
    }
    Ok(uri)
}

/// Our own URI. A word alone would be a host, which hardly anybody means.
fn own_uri(text: &str) -> Result<String, String> {
    if !has_scheme(text) && !text.contains('@') {
        return Err(format!("it names no user: write sip:{text}@DOMAIN, or sip:{text} for a host alone"));
    }
    sip_uri(text)
}

fn has_scheme(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    matches!(scheme.as_str(), "sip" | "sips" | "tel" | "http" | "https" | "mailto" | "im" | "urn")
}

/// A server: `host`, `host:port`, or a SIP URI. Gives its URI.
fn server(text: &str) -> Result<String, String> {
    // An address of IPv6 as people write it.
    let uri = text.parse::<Ipv6Addr>().map_or_else(|_| sip_uri(text), |ip| Ok(format!("sip:[{ip}]")))?;
    if uri.contains('@') {
        return Err("a host and port, such as 192.0.2.1:5060".to_owned());
    }
    Ok(uri)
}

/// Where a server listens, as far as the user said so, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) listen: Listen,
}

/// For what a server listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Datagrams, and connections at the same port.
    #[default]
    Plain,
    Tls,
    Ws,
    Wss,
}

impl Kind {
    const NAMED: [Self; 3] = [Self::Tls, Self::Ws, Self::Wss];

    /// What stands before the address.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => "tls:",
            Self::Ws => "ws:",
            Self::Wss => "wss:",
        }
    }

    /// What the proxy is told of the listener behind its address.
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => ";transport=tls",
            Self::Ws => ";transport=ws",
            Self::Wss => ";transport=wss",
        }
    }

    pub(crate) const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The port where the user names none.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Plain => Transport::Udp.default_port(),
            Self::Tls => Transport::Tls.default_port(),
            Self::Ws => Transport::Ws.default_port(),
            Self::Wss => Transport::Wss.default_port(),
        }
    }
}

/// The same as [`listen`] takes, with `tls:`, `ws:` or `wss:` before it or not.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    let named = Kind::NAMED.into_iter().find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)));
    let (kind, at) = named.unwrap_or((Kind::Plain, text));
    listen(at).map(|listen| Place { kind, listen })
}

/// The path of a WebSocket.
pub(crate) fn ws_path(text: &str) -> Result<String, String> {
    WsClient::at(text).map(|_| text.to_owned()).ok_or_else(|| "a path such as /ws".to_owned())
}

/// Where to listen, as far as the user said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { ip: Some(address.ip()), port: Some(address.port()) }
    }
}

/// An address and a port, an address or name alone, or a port alone.
pub(crate) fn listen(text: &str) -> Result<Listen, String> {
    let number = text.strip_prefix(':').unwrap_or(text);
    if number.bytes().all(|octet| octet.is_ascii_digit()) {
        // Old resolvers take a number for an address.
        let port = number.parse().map_err(|_| "a port is a number up to 65535".to_owned())?;
        return Ok(Listen { ip: None, port: Some(port) });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(Listen { ip: Some(ip), port: None });
    }
    let (found, port) =
        if text.contains(':') { (text.to_socket_addrs(), true) } else { ((text, 0).to_socket_addrs(), false) };
    match found.map(|mut found| found.next()) {
        Ok(Some(found)) => Ok(Listen { ip: Some(found.ip()), port: port.then_some(found.port()) }),
        Ok(None) => Err("this name has no address".to_owned()),
        Err(error) => Err(format!("an address, a port or both, such as 192.0.2.1:5060: {error}")),
    }
}

/// The longest text of a MESSAGE, in octets. The request may not be larger than 1,300 where it is not known how the hops behind the
/// next one carry it (RFC 3428 §8); its head takes about 400.
const LONGEST_TEXT: usize = 900;

fn short_text(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a text is needed".to_owned()),
        1..=LONGEST_TEXT => Ok(text.to_owned()),
        length => Err(format!("{length} octets, and {LONGEST_TEXT} at most go in one message")),
    }
}

/// Whole seconds of a session; 0 for none.
fn session_expires(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(seconds) if seconds == 0 || seconds >= 90 => Ok(seconds),
        _ => Err("whole seconds, 90 at least, or 0".to_owned()),
    }
}

/// Seconds, with a fraction if wanted.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok(Duration::from_millis((seconds * 1000.0).round() as u64)),
        _ => Err("a number of seconds is needed, such as 2 or 0.5".to_owned()),
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
