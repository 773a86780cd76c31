//! A proxy's edit of a message that was parsed already.

use core::net::Ipv4Addr;
use sip_core::message::{ForwardRequest, ForwardResponse, HeaderName, Message};
use sip_core::transport::{Address, Transport};

/// A message and what a proxy on its way does to it.
#[derive(Debug)]
pub struct Forwarding<'a> {
    message: Message<'a>,
    routes: usize,
}

impl<'a> Forwarding<'a> {
    /// A message on its way.
    ///
    /// # Panics
    /// When it does not parse.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        let message = Message::parse(bytes).expect("a message");
        let routes = message.values(HeaderName::Route).take(1).count();
        Self { message, routes }
    }

    /// Writes it as it leaves the proxy: a request with where it came from, without the proxy's own Route if it has any,
    /// for another Request-URI, with Record-Route and Via on top; a response without its topmost Via.
    ///
    /// # Panics
    /// When it can't be forwarded.
    #[must_use]
    pub fn write(&self, room: &mut [u8]) -> usize {
        if !self.message.is_request() {
            return ForwardResponse::new(&self.message).write(room).expect("a response with two Vias, and room");
        }
        ForwardRequest::new(&self.message)
            .received_from(Address::v4(Ipv4Addr::new(198, 51, 100, 17), 40_001))
            .pop_route(self.routes)
            .request_uri(b"sip:frontdoor@192.0.2.40:5060;transport=udp")
            .record_route(&[b"sip:192.0.2.1;lr"])
            .via(Transport::Udp, b"192.0.2.1:5060", b"0123456789abcdef")
            .write(room)
            .expect("a request with hops left, and room")
    }
}
