//! The handshake over HTTP (RFC 6455 §4, RFC 7118 §4.1): octets in, what comes of them out.

use super::config::{WsClient, WsServer};
use core::net::SocketAddr;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};

/// Octets of a request or response at most: a browser's has cookies and a page's path in it.
pub(crate) const HEAD: usize = 8 * 1024;
/// The subprotocol that has to be agreed on (RFC 7118 §4.1).
const SIP: &str = "sip";

/// What a server makes of what has come.
pub(crate) enum Heard {
    /// More is needed.
    Part,
    /// This is to be sent, and so many octets were the request: what is behind them are frames.
    Agreed(Vec<u8>, usize),
    /// This is to be sent, and nothing more.
    Refused(Vec<u8>),
}

/// Reads a request as far as it is there.
pub(crate) fn hear(head: &[u8], server: &WsServer) -> Heard {
    let (length, request) = match Request::try_parse(head) {
        Ok(Some(parsed)) => parsed,
        Ok(None) if head.len() < HEAD => return Heard::Part,
        Ok(None) => return Heard::Refused(refusal("431 Request Header Fields Too Large", "")),
        Err(error) => return Heard::Refused(refused_for(&error)),
    };
    let headers = request.headers();
    if !server.is_at(request.uri().path()) {
        return Heard::Refused(refusal("404 Not Found", ""));
    }
    let mut response = match create_response(&request) {
        Ok(response) => response,
        Err(error) => return Heard::Refused(refused_for(&error)),
    };
    if !server.welcomes(headers.get(ORIGIN).map(HeaderValue::as_bytes)) {
        return Heard::Refused(refusal("403 Forbidden", ""));
    }
    if !has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SIP) {
        return Heard::Refused(refusal("400 Bad Request", "Sec-WebSocket-Protocol: sip\r\n"));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    let mut answer = Vec::new();
    match write_response(&mut answer, &response) {
        Ok(()) => Heard::Agreed(answer, length),
        Err(_) => Heard::Refused(refusal("500 Internal Server Error", "")),
    }
}

/// The answer to what is no handshake.
fn refused_for(error: &Error) -> Vec<u8> {
    match error {
        Error::Protocol(ProtocolError::WrongHttpMethod) => refusal("405 Method Not Allowed", "Allow: GET\r\n"),
        // What would do (RFC 9110 §15.5.22, RFC 6455 §4.4).
        Error::Protocol(
            ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => refusal("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
        _ => refusal("400 Bad Request", ""),
    }
}

fn refusal(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n").into_bytes()
}

/// What a client asks for, and what proves that it was understood.
pub(crate) struct Asked {
    pub(crate) request: Vec<u8>,
    accept: String,
}

/// The request of a client to a server of this name, or at this address where there is no name. None where such a request can't be
/// written.
pub(crate) fn ask(client: &WsClient, name: &str, peer: SocketAddr, default_port: u16) -> Option<Asked> {
    let mut host = match name.contains(':') && !name.starts_with('[') {
        true => format!("[{name}]"),
        false if name.is_empty() && peer.is_ipv6() => format!("[{}]", peer.ip()),
        false if name.is_empty() => peer.ip().to_string(),
        false => name.to_owned(),
    };
    if peer.port() != default_port {
        host = format!("{host}:{}", peer.port());
    }
    let mut request = Request::new(());
    *request.uri_mut() = client.path.parse().ok()?;
    let key = generate_key();
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&host).ok()?);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).ok()?);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    let (request, key) = generate_request(request).ok()?;
    Some(Asked { request, accept: derive_accept_key(key.as_bytes()) })
}

/// What a client makes of what has come.
pub(crate) enum Answered {
    /// More is needed.
    Part,
    /// So many octets were the response: what is behind them are frames.
    Agreed(usize),
    /// There will be no WebSocket.
    Refused,
}

impl Asked {
    /// Reads the response as far as it is there (RFC 6455 §4.1).
    pub(crate) fn check(&self, head: &[u8]) -> Answered {
        let (length, response) = match Response::try_parse(head) {
            Ok(Some(parsed)) => parsed,
            Ok(None) if head.len() < HEAD => return Answered::Part,
            Ok(None) | Err(_) => return Answered::Refused,
        };
        let headers = response.headers();
        let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|found| found == value);
        let agreed = response.status() == 101
            && has_token(headers, &UPGRADE, "websocket")
            && has_token(headers, &CONNECTION, "Upgrade")
            && is(&SEC_WEBSOCKET_ACCEPT, &self.accept)
            // What was not offered can't be agreed on.
            && headers.get(SEC_WEBSOCKET_EXTENSIONS).is_none()
            && is(&SEC_WEBSOCKET_PROTOCOL, SIP);
        if agreed { Answered::Agreed(length) } else { Answered::Refused }
    }
}

/// Whether a list has this value, however it is cased and in however many fields it stands.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(token)))
}
