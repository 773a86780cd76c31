//! Where a server listens, and for what.

use super::args;
use crate::args::{Kind, Listen, Place};
use crate::report::Failure;
use crate::secure;
use sip_core::role::Role;
use sip_std_adapter::Adapter;
use sip_std_adapter::tls::ServerTls;
use sip_std_adapter::ws::WsServer;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// An address, and what is said to who connects there.
pub(super) struct Door {
    pub(super) at: SocketAddr,
    pub(super) kind: Kind,
    entry: Entry,
}

enum Entry {
    Plain,
    Tls(ServerTls),
    Ws(Box<WsServer>),
}

impl Door {
    /// For datagrams and connections without more.
    pub(super) fn plain(at: SocketAddr) -> Self {
        Self { at, kind: Kind::Plain, entry: Entry::Plain }
    }

    fn new(place: &Place, tls: Option<&ServerTls>, ws: &args::Serve) -> Result<Self, Failure> {
        let Place { kind, listen: Listen { ip, port } } = *place;
        let at = SocketAddr::new(ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port.unwrap_or(kind.port()));
        let secured =
            || tls.ok_or_else(|| Failure::Usage(format!("--listen {} needs --cert and --key", kind.prefix())));
        let entry = match kind {
            Kind::Plain => Entry::Plain,
            Kind::Tls => Entry::Tls(secured()?.clone()),
            Kind::Ws => Entry::Ws(Box::new(asked(WsServer::plain(), ws))),
            Kind::Wss => Entry::Ws(Box::new(asked(WsServer::secure(secured()?), ws))),
        };
        Ok(Self { at, kind, entry })
    }

    /// Puts a role there.
    pub(super) fn bind<R: Role>(&self, role: R) -> io::Result<Adapter<R>> {
        match &self.entry {
            Entry::Plain => Adapter::bind(role, self.at),
            Entry::Tls(tls) => Adapter::bind_tls(role, self.at, tls),
            Entry::Ws(ws) => Adapter::bind_ws(role, self.at, ws),
        }
    }

    /// Listens there too.
    pub(super) fn listen<R: Role>(&self, adapter: &mut Adapter<R>) -> io::Result<u8> {
        match &self.entry {
            Entry::Plain => adapter.listen(self.at),
            Entry::Tls(tls) => adapter.listen_tls(self.at, tls),
            Entry::Ws(ws) => adapter.listen_ws(self.at, ws),
        }
    }
}

/// All that the user has named, or the usual one.
pub(super) fn doors(args: &args::Serve) -> Result<Vec<Door>, Failure> {
    let tls = secure::server(&args.tls)?;
    if tls.is_some() && !args.listen.iter().any(|place| place.kind.is_secure()) {
        return Err(Failure::Usage("--cert is for --listen tls:ADDRESS or wss:ADDRESS, which is not there".to_owned()));
    }
    let usual = [Place::default()];
    let places = if args.listen.is_empty() { &usual[..] } else { &args.listen };
    places.iter().map(|place| Door::new(place, tls.as_ref(), args)).collect()
}

/// The same with what the user asks of pages.
fn asked(ws: WsServer, args: &args::Serve) -> WsServer {
    let ws = args.ws_path.iter().fold(ws, |ws, path| ws.with_path(path));
    args.ws_origin.iter().fold(ws, |ws, origin| ws.with_origin(origin))
}
