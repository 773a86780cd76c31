//! What is asked of a peer before there is a WebSocket, and what is said of us.

#[cfg(feature = "rustls")]
use crate::tls::ServerTls;
use sip_core::transport::Transport;

/// How WebSockets are accepted.
#[derive(Clone, Debug, Default)]
pub struct WsServer {
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<ServerTls>,
    pub(crate) path: Option<String>,
    pub(crate) origins: Vec<String>,
}

impl WsServer {
    /// Plain ones (`ws`), at any path and from pages of any origin.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Ones under TLS (`wss`), at any path and from pages of any origin.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn secure(tls: &ServerTls) -> Self {
        Self { tls: Some(tls.clone()), ..Self::default() }
    }

    /// Accepts no other path than this one, such as `/sip`.
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Accepts pages of this origin, such as `https://example.com`; called again, of a further one, and from then on of no others. A
    /// client that names no origin is no page (RFC 6455 §10.2): it is accepted in any case.
    #[must_use]
    pub fn with_origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.to_owned());
        self
    }

    pub(crate) fn transport(&self) -> Transport {
        #[cfg(feature = "rustls")]
        if self.tls.is_some() {
            return Transport::Wss;
        }
        Transport::Ws
    }

    /// Whether a page of this origin is welcome: origins are compared as they are written (RFC 6454 §6.2), in any case.
    pub(crate) fn welcomes(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        self.origins.is_empty() || self.origins.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(origin))
    }

    /// Whether there are WebSockets at this path.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        self.path.as_deref().is_none_or(|wanted| wanted == path)
    }
}

/// How WebSockets are opened.
#[derive(Clone, Debug)]
pub struct WsClient {
    pub(crate) path: String,
}

impl WsClient {
    /// At this path of the server: `/`, `/ws`, whatever it says.
    ///
    /// Gives nothing where it is no path.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        let fits = path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
        fits.then(|| Self { path: path.to_owned() })
    }
}

impl Default for WsClient {
    fn default() -> Self {
        Self { path: "/".to_owned() }
    }
}
