//! The command line of the server and of what belongs to it.

use crate::args::{Place, Tls, place, ws_path};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Serve {
    /// Address and port to listen at, or one of them; may be given several times, and with tls: before it for connections under TLS,
    /// with ws: or wss: for WebSockets [default: 0.0.0.0:5060]
    #[arg(long, value_name = "[tls:|ws:|wss:]H:P", value_parser = place)]
    pub(crate) listen: Vec<Place>,
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Accept WebSockets from pages of this origin, such as https://example.com, and of no other; may be given several times
    /// [default: of any]
    #[arg(long, value_name = "URL")]
    pub(crate) ws_origin: Vec<String>,
    /// Accept WebSockets at this path and no other [default: at any]
    #[arg(long, value_name = "PATH", value_parser = ws_path)]
    pub(crate) ws_path: Option<String>,
    /// A domain whose users register here; may be given several times. Each has its own users and passwords [needed unless
    /// --stateless]
    #[arg(long, value_name = "D", value_parser = super::users::domain, required_unless_present = "stateless")]
    pub(crate) domain: Vec<String>,
    /// The file of users that `phone users add` writes; SIGHUP has it read again [needed unless --stateless]
    #[arg(long, value_name = "FILE", required_unless_present = "stateless")]
    pub(crate) users: Option<PathBuf>,
    /// Keep who is registered in this file, over the end of this program [default: in memory alone]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Say where somebody is (302), and pass nothing on, to other domains neither [default: off]
    #[arg(long, conflicts_with = "stateless")]
    pub(crate) redirect: bool,
    /// Pass on what comes without remembering it, by its Route and its Request-URI [default: off]
    #[arg(long)]
    pub(crate) stateless: bool,
    /// The file of the secret under which nonces are made, so that nobody is asked for a password again after a restart; made
    /// when it is not there [default: with --store beside it, else a new secret at each start]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// With which digests phones may prove who they are; some old ones stumble over a challenge that begins with SHA-256
    #[arg(long, value_enum, value_name = "D", default_value_t)]
    pub(crate) digest: Digest,
    /// How many connections there may be at the same time; those of registered phones make no room for others
    #[arg(long, value_name = "N", default_value = "512")]
    pub(crate) connections: usize,
    /// How many of them one source may open, an IPv4 address or an IPv6 network of 64 bits; raise it for an office behind one NAT
    /// [default: a quarter of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_source: Option<u32>,
}

/// What a challenge offers.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256, and MD5 behind it
    #[default]
    Both,
    Sha256,
    Md5,
}

#[derive(Args)]
pub(crate) struct Users {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// Add a user, or give one who is there a new password; it is asked for unless SIP_PASSWORD has it
    Add(UsersAdd),
    /// Take a user out of the file; a server that runs forgets the user and his phones at its next SIGHUP
    Remove(UsersRemove),
    /// Show who is in the file
    List(UsersList),
}

/// Who is meant.
#[derive(Args)]
pub(crate) struct User {
    /// The user's name, as it stands before the @
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The user's domain
    #[arg(long, value_name = "D", value_parser = super::users::domain)]
    pub(crate) domain: String,
}

#[derive(Args)]
pub(crate) struct UsersRemove {
    #[command(flatten)]
    pub(crate) user: User,
    /// The file to take the user from
    #[arg(long, value_name = "FILE")]
    pub(crate) users: PathBuf,
}

#[derive(Args)]
pub(crate) struct UsersList {
    /// The file to read
    #[arg(long, value_name = "FILE")]
    pub(crate) users: PathBuf,
}

#[derive(Args)]
pub(crate) struct UsersAdd {
    #[command(flatten)]
    pub(crate) user: User,
    /// The file to write to; made when it is not there
    #[arg(long, value_name = "FILE")]
    pub(crate) users: PathBuf,
    /// The password; here others can see it [default: asked for]
    #[arg(long, value_name = "P", env = "SIP_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
}

#[derive(Args)]
pub(crate) struct Bindings {
    /// The file of `phone serve --store`, which may be running
    #[arg(long, value_name = "FILE")]
    pub(crate) store: PathBuf,
}
