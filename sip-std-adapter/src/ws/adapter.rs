//! What an adapter can do with WebSockets.

use super::{WsClient, WsServer};
use crate::adapter::Adapter;
use crate::network::Network;
use core::net::SocketAddr;
use sip_core::role::Role;
use std::io;

impl<R: Role> Adapter<R> {
    /// As [`bind`](Adapter::bind), for WebSockets and nothing else at this address. There is no way out for datagrams and other
    /// connections unless it [listens](Adapter::listen) elsewhere, too.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind).
    pub fn bind_ws(role: R, address: SocketAddr, server: &WsServer) -> io::Result<Self> {
        let mut network = Network::new()?;
        network.listen_ws(address, server.clone())?;
        Ok(Self::on(role, network))
    }

    /// Listens at one more address, for WebSockets and nothing else; port 0 takes a free one. Gives the number under which flows name
    /// it, as [`listen`](Adapter::listen) does.
    ///
    /// The role learns of a connection with its first message. Its handshake, that of TLS included, has 8 s; when a quarter of the
    /// connections that there [may be](Adapter::limit_connections) are in their handshakes, the oldest of those gives way.
    ///
    /// # Errors
    /// As [`listen`](Adapter::listen).
    pub fn listen_ws(&mut self, address: SocketAddr, server: &WsServer) -> io::Result<u8> {
        self.touch();
        self.network.listen_ws(address, server.clone())
    }

    /// Opens WebSockets as this says, from now on; without it at the path `/`. Secure ones need
    /// [TLS](Adapter::set_client_tls), too.
    pub fn set_client_ws(&mut self, client: &WsClient) {
        self.network.set_client_ws(client.clone());
    }
}
