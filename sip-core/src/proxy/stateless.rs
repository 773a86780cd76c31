//! Responses to requests that went on without a transaction (RFC 3261 §16.11, §18.2.2).

use super::event::Event;
use super::loops::stateless_token;
use super::work::Work;
use crate::memory::Octets;
use crate::message::scan::alike;
use crate::message::{ForwardResponse, MAGIC_COOKIE, Message, Via};
use crate::role::Received;
use crate::transaction::NewOnce;
use crate::transport::{Address, Flow, Target, Transport};

/// Where the response to a request with this topmost Via goes, which has come through here and so says where from.
fn flow_of(via: &Via<'_>) -> Flow {
    let named = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
    let transport = named.into_iter().find(|transport| alike(transport.name().as_bytes(), via.transport()));
    let (Some(transport), Some(ip)) = (transport, via.received_ip().or_else(|| via.ip())) else { return Flow::NONE };
    let port = via.rport().flatten().or(via.port()).unwrap_or(transport.default_port());
    Flow::to(Target { address: Address::new(ip, port), transport })
}

impl<O: Octets> Work<'_, O> {
    /// A response that no transaction wants: it goes on when its request went on from here without one. Its topmost Via is this
    /// proxy's and was made of the rest of it, so that nobody can have a response of his own passed on (RFC 6026 §7.3).
    pub(super) fn pass_response(&mut self, response: &Message<'_>) -> Received<Event> {
        let forward = ForwardResponse::new(response).content_length();
        let Some(Ok(via)) = forward.remaining_via() else { return Received::Stray };
        let token = stateless_token(self.core.hash, response, &via);
        let own = response.top_via();
        let is_own = own.branch().and_then(|branch| branch.get(MAGIC_COOKIE.len()..)).and_then(|text| text.get(..16));
        if !is_own.is_some_and(|text| alike(text, token.as_bytes())) || !self.core.settings.own_via(self.texts(), &own)
        {
            return Received::Stray;
        }
        let mut flow = flow_of(&via);
        if flow.transport == Transport::Udp {
            flow.listener = self.core.settings.listener_to((flow.remote, flow.transport), self.source.listener);
        }
        let mut forwarded = true;
        let written = self.transactions.octets.write(response.bytes().len(), false, |_, writer| {
            forwarded = forward.write_to(writer).is_ok();
        });
        let Ok(block) = written else { return Received::Nothing };
        let new = NewOnce { block, flow, user: Self::nobody(), reserved: false };
        if flow.is_none() || !forwarded || self.transactions.once(self.now, new).is_err() {
            self.transactions.octets.release(block);
        }
        Received::Nothing
    }
}
