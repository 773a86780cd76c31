//! The phone's sockets, with TLS and WebSockets where the command line or an address asks for them.

use crate::args::{Carrier, Tls};
use crate::phone::Setup;
use crate::report::Failure;
use sip_core::transport::Transport;
use sip_core::ua::UserAgent;
use sip_std_adapter::Adapter;
use sip_std_adapter::memory::HeapMemory;
use sip_std_adapter::tls::{Certificate, ClientTls, Clients, Roots, ServerTls};
use sip_std_adapter::ws::{WsClient, WsServer};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// Puts the user agent on its sockets. With WebSocket as the transport, and with a certificate and TLS, the port is one of that alone, so
/// that our Contact leads to it.
pub(crate) fn bind(
    setup: &Setup<'_>,
    role: UserAgent<HeapMemory>,
    listen: SocketAddr,
) -> Result<Adapter<UserAgent<HeapMemory>>, Failure> {
    let failed = |error| Failure::Network(format!("can't listen at {listen}: {error}"));
    let tls = setup.tls.cloned().unwrap_or_default();
    let bound = match (setup.transport, server(&tls)?) {
        (Carrier::Tls, Some(server)) => Adapter::bind_tls(role, listen, &server),
        (Carrier::Wss, Some(server)) => Adapter::bind_ws(role, listen, &WsServer::secure(&server)),
        (Carrier::Ws, _) => Adapter::bind_ws(role, listen, &WsServer::plain()),
        _ => Adapter::bind(role, listen),
    };
    let mut adapter = bound.map_err(failed)?;
    if let Some(client) = setup.ws_path.and_then(WsClient::at) {
        adapter.set_client_ws(&client);
    }
    let is_secure = Transport::from(setup.transport).is_secure();
    let wanted = is_secure || tls.ca.is_some() || setup.towards.is_some_and(names_tls);
    if wanted {
        adapter.set_client_tls(&client(&tls)?);
    }
    Ok(adapter)
}

/// With what connections are accepted; nothing without a certificate.
pub(crate) fn server(tls: &Tls) -> Result<Option<ServerTls>, Failure> {
    let server = certificate(tls)?.map(|own| ServerTls::new(&own, &Clients::Anybody)).transpose();
    server.map_err(|error| Failure::Usage(error.to_string()))
}

/// With what connections are opened.
pub(crate) fn client(tls: &Tls) -> Result<ClientTls, Failure> {
    let roots = match &tls.ca {
        Some(file) => Roots::from_pem(&read(file)?).map_err(|error| unusable(file, &error))?,
        None => Roots::of_system().map_err(|error| Failure::Usage(error.to_string()))?,
    };
    ClientTls::new(&roots, certificate(tls)?.as_ref()).map_err(|error| Failure::Usage(error.to_string()))
}

fn certificate(tls: &Tls) -> Result<Option<Certificate>, Failure> {
    let (Some(cert), Some(key)) = (&tls.cert, &tls.key) else { return Ok(None) };
    Certificate::from_pem(&read(cert)?, &read(key)?).map(Some).map_err(|error| unusable(cert, &error))
}

fn names_tls(uri: &str) -> bool {
    let lower = uri.to_ascii_lowercase();
    lower.starts_with("sips:") || lower.contains(";transport=tls") || lower.contains(";transport=wss")
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| unusable(file, &error))
}

fn unusable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", file.display()))
}
