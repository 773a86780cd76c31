//! What an adapter can do with TLS.

use super::{ClientTls, ServerTls, TlsRefusal};
use crate::adapter::Adapter;
use crate::network::Network;
use core::net::SocketAddr;
use sip_core::role::Role;
use std::io;

impl<R: Role> Adapter<R> {
    /// As [`bind`](Adapter::bind), for connections under TLS and nothing else at this address. There is no way out for datagrams and
    /// plain connections unless it [listens](Adapter::listen) elsewhere, too.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind).
    pub fn bind_tls(role: R, address: SocketAddr, server: &ServerTls) -> io::Result<Self> {
        let mut network = Network::new()?;
        network.listen_tls(address, server.clone())?;
        Ok(Self::on(role, network))
    }

    /// Opens connections by TLS for whoever asks for one, as this says. Without it who asks is told that there is none. Given again,
    /// it holds for connections that are opened from then on.
    pub fn set_client_tls(&mut self, client: &ClientTls) {
        self.network.set_client_tls(client.clone());
    }

    /// Listens at one more address, for connections under TLS and nothing else; port 0 takes a free one. Gives the number under which
    /// flows name it, as [`listen`](Adapter::listen) does.
    ///
    /// The role learns of a connection with its first message. Its handshake has 8 s; when a quarter of the connections that there
    /// [may be](Adapter::limit_connections) are in their handshakes, the oldest of those gives way.
    ///
    /// # Errors
    /// As [`listen`](Adapter::listen).
    pub fn listen_tls(&mut self, address: SocketAddr, server: &ServerTls) -> io::Result<u8> {
        self.touch();
        self.network.listen_tls(address, server.clone())
    }

    /// Takes another certificate for a listener: it is shown to who connects from then on, and connections that are there stay.
    ///
    /// Gives whether there is such a listener.
    pub fn replace_tls(&mut self, listener: u8, server: &ServerTls) -> bool {
        self.network.replace_tls(listener, server.clone())
    }

    /// The next connection that TLS refused, the oldest first; 32 are kept.
    pub fn next_tls_refusal(&mut self) -> Option<TlsRefusal> {
        self.network.tcp.as_mut()?.streams.refusals.pop_front()
    }
}
