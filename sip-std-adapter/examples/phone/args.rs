//! The command line.

use clap::{Args, Parser, Subcommand};
use sip_core::message::Uri;
use sip_core::time::Duration;
use sip_core::transport::Transport;
use std::net::{SocketAddr, ToSocketAddrs};
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
  3  no answer, or the network fails

Ctrl-C hangs up and waits for the end of the call; a second one quits at once.";

/// Options of every command.
#[derive(Args)]
pub(crate) struct Common {
    /// Write what passes to this capture file, for Wireshark and tshark [default: none]
    #[arg(long, global = true, display_order = 100, value_name = "FILE.pcap")]
    pub(crate) trace: Option<PathBuf>,
    /// Print the result as one JSON object on standard output, and the messages on standard error [default: off]
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,
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
    /// Read files of one datagram each, and say what a phone makes of them
    ///
    /// Prints one JSON object a line for each file, with or without --json:
    /// {"file","ok","kind","method" or "status","error","at","status_to_answer"}. "ok" says whether the octets are
    /// well-formed, "status_to_answer" what a fresh user agent answered, or null.
    Parse(Parse),
}

/// With what to authenticate.
#[derive(Args, Clone)]
pub(crate) struct Credentials {
    /// The name to authenticate with [default: the user part of our own URI]
    #[arg(long, value_name = "U", requires = "password")]
    pub(crate) user: Option<String>,
    /// The password to authenticate with [default: none]
    #[arg(long, value_name = "P", env = "SIP_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
}

/// Over what to send.
#[derive(Args, Clone, Copy)]
pub(crate) struct Way {
    /// The transport for addresses that name none; one that says ;transport=tcp, and a request too large for a datagram, go
    /// over TCP in any case
    #[arg(long, value_enum, value_name = "T", default_value_t)]
    pub(crate) transport: Carrier,
}

/// A transport.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carrier {
    #[default]
    Udp,
    Tcp,
}

impl From<Carrier> for Transport {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Udp => Self::Udp,
            Carrier::Tcp => Self::Tcp,
        }
    }
}

#[derive(Args)]
pub(crate) struct Call {
    /// Whom to call: sip:bob@192.0.2.1:5060
    #[arg(value_name = "URI", value_parser = sip_uri)]
    pub(crate) uri: String,
    /// Who calls: a SIP URI [default: sip:phone@ and our address]
    #[arg(long, value_name = "URI", value_parser = sip_uri)]
    pub(crate) from: Option<String>,
    /// Address and port to call from [default: the address that reaches the peer, a free port]
    #[arg(long, value_name = "H:P", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// The proxy to call through [default: none]
    #[arg(long, value_name = "H:P", value_parser = server)]
    pub(crate) proxy: Option<String>,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    /// Hang up so many seconds after the answer; 0 leaves that to the peer and to Ctrl-C
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, default_value = "0")]
    pub(crate) duration: Duration,
    /// Give up when there is no answer after so many seconds [default: never, but for the 180 s that a call may ring]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) cancel_after: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct Answer {
    /// Address and port to wait at [default: 127.0.0.1:5060; with --register the address that reaches the
    /// registrar, a free port]
    #[arg(long, value_name = "H:P", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Ring for so many seconds before the answer
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, default_value = "0")]
    pub(crate) ring: Duration,
    /// Refuse every call with this SIP status, 300 to 699 [default: answer]
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(300..=699))]
    pub(crate) status: Option<u16>,
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
    #[arg(long, value_name = "URI", value_parser = sip_uri)]
    pub(crate) aor: Option<String>,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
}

#[derive(Args)]
pub(crate) struct Register {
    /// The registrar
    #[arg(long, value_name = "H:P", value_parser = server)]
    pub(crate) registrar: String,
    /// The address to register: sip:bob@example.com
    #[arg(long, value_name = "URI", value_parser = sip_uri)]
    pub(crate) aor: String,
    /// Address and port to register [default: the address that reaches the registrar, a free port]
    #[arg(long, value_name = "H:P", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
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
    /// Address and port to ask from [default: the address that reaches the peer, a free port]
    #[arg(long, value_name = "H:P", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// The proxy to ask through [default: none]
    #[arg(long, value_name = "H:P", value_parser = server)]
    pub(crate) proxy: Option<String>,
    #[command(flatten)]
    pub(crate) way: Way,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
}

#[derive(Args)]
pub(crate) struct Parse {
    /// The files, each the octets of one datagram
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

impl Command {
    /// The command's name, as it stands in the result.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Call(_) => "call",
            Self::Answer(_) => "answer",
            Self::Register(_) => "register",
            Self::Options(_) => "options",
            Self::Parse(_) => "parse",
        }
    }
}

/// A SIP URI with a host; one without a scheme is taken as `sip:`.
fn sip_uri(text: &str) -> Result<String, String> {
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

fn has_scheme(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    matches!(scheme.as_str(), "sip" | "sips" | "tel" | "http" | "https" | "mailto" | "im" | "urn")
}

/// A server: `host`, `host:port`, or a SIP URI. Gives its URI.
fn server(text: &str) -> Result<String, String> {
    let uri = sip_uri(text)?;
    if uri.contains('@') {
        return Err("a host and port, such as 192.0.2.1:5060".to_owned());
    }
    Ok(uri)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("an address and a port are needed: {error}"))?;
    found.next().ok_or_else(|| "this name has no address".to_owned())
}

/// Seconds, with a fraction if wanted.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok(Duration::from_millis((seconds * 1000.0).round() as u64)),
        _ => Err("a number of seconds is needed, such as 2 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_uri_may_go_without_its_scheme() {
        assert_eq!(sip_uri("bob@127.0.0.1:5070").as_deref(), Ok("sip:bob@127.0.0.1:5070"));
        assert_eq!(sip_uri("[::1]:5070").as_deref(), Ok("sip:[::1]:5070"));
        assert_eq!(sip_uri("SIP:bob@example.com").as_deref(), Ok("SIP:bob@example.com"));
        for wrong in ["", "sip:", "tel:+123", "http://example.com", "sip:a b", "sip:h?Subject=x"] {
            assert!(sip_uri(wrong).is_err(), "{wrong}");
        }
        assert!(server("bob@127.0.0.1").is_err());
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["-1", "NaN", "inf", "1e20", "x", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
