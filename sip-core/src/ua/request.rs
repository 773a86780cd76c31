//! Writing requests outside of dialogs, and what responses and requests of a user agent have in common.

use super::agent::Agent;
use super::config::{Settings, Text};
use super::content::Content;
use super::entry::{Owner, Tries};
use super::event::OutgoingRequest;
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{HeaderName, Method, NameAddr, Uri, Writer};
use crate::random::Token;
use crate::transaction::{NewClient, TransactionId};
use crate::transport::Transport;

/// Methods that the core answers itself.
pub(super) const CORE_METHODS: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS";

/// The head of a request outside of a dialog (RFC 3261 §8.1.1).
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: Method<'a>,
    /// Request-URI.
    pub(super) uri: &'a [u8],
    /// The URI for To; the Request-URI but for REGISTER.
    pub(super) to: &'a [u8],
    /// A URI, or a name-addr, for From; empty for the configured identity.
    pub(super) from: &'a [u8],
    pub(super) from_tag: Token,
    pub(super) call_id: Token,
    pub(super) seq: u32,
    pub(super) branch: Token,
    pub(super) transport: Transport,
    /// Whether to go by the configured outbound proxy.
    pub(super) proxied: bool,
}

impl Settings {
    /// Writes the Contact row with this user agent's URI. It names the configured transport, whatever the message goes
    /// by: one request by TCP for its size must not draw all that follow after it.
    pub(super) fn write_contact(&self, kept: &impl KeptBlocks, writer: &mut Writer<'_>) {
        let texts = kept.get(self.block());
        writer.value_start(HeaderName::Contact);
        writer.text(b"<");
        self.write_contact_uri(texts, writer);
        writer.text(b">");
        writer.end();
    }

    pub(super) fn write_contact_uri(&self, texts: &[u8], writer: &mut Writer<'_>) {
        writer.text(b"sip:");
        let user = self.text(texts, Text::ContactUser);
        if !user.is_empty() {
            writer.text(user);
            writer.text(b"@");
        }
        writer.text(self.text(texts, Text::SentBy));
        match self.transport {
            Transport::Tcp => writer.text(b";transport=tcp"),
            Transport::Tls => writer.text(b";transport=tls"),
            Transport::Udp | Transport::None => {}
        }
    }

    /// Writes Allow and, when there is something to name, Supported.
    pub(super) fn write_abilities(&self, kept: &impl KeptBlocks, writer: &mut Writer<'_>) {
        let texts = kept.get(self.block());
        writer.value_start(HeaderName::Allow);
        writer.text(CORE_METHODS);
        let methods = self.text(texts, Text::Methods);
        if !methods.is_empty() {
            writer.text(b", ");
            writer.text(methods);
        }
        writer.end();
        let supported = self.text(texts, Text::Supported);
        if !supported.is_empty() {
            writer.header(HeaderName::Supported, supported);
        }
    }

    /// Writes User-Agent or Server, when one is configured.
    pub(super) fn write_agent(&self, kept: &impl KeptBlocks, writer: &mut Writer<'_>, name: HeaderName<'_>) {
        let agent = self.text(kept.get(self.block()), Text::UserAgent);
        if !agent.is_empty() {
            writer.header(name, agent);
        }
    }

    /// Writes a request up to CSeq.
    pub(super) fn write_head(&self, kept: &impl KeptBlocks, writer: &mut Writer<'_>, head: &Head<'_>) {
        let texts = kept.get(self.block());
        writer.request_line(head.method, head.uri);
        writer.via(head.transport, self.text(texts, Text::SentBy), head.branch);
        writer.header(HeaderName::MaxForwards, b"70");
        let proxy = self.text(texts, Text::Proxy);
        if head.proxied && !proxy.is_empty() {
            writer.value_start(HeaderName::Route);
            writer.text(b"<");
            writer.text(proxy);
            if !Uri::parse(proxy).is_ok_and(|uri| uri.is_loose()) {
                writer.text(b";lr");
            }
            writer.text(b">");
            writer.end();
        }
        writer.value_start(HeaderName::From);
        let from = if head.from.is_empty() { self.text(texts, Text::Identity) } else { head.from };
        write_address(writer, from);
        writer.text(b";tag=");
        writer.text(head.from_tag.as_bytes());
        writer.end();
        writer.value_start(HeaderName::To);
        write_address(writer, head.to);
        writer.end();
        writer.header(HeaderName::CallId, head.call_id.as_bytes());
        writer.value_start(HeaderName::CSeq);
        writer.number(u64::from(head.seq));
        writer.text(b" ");
        writer.text(head.method.as_bytes());
        writer.end();
    }
}

/// Writes a URI in angle brackets, or a name-addr as it is.
fn write_address(writer: &mut Writer<'_>, address: &[u8]) {
    if address.contains(&b'<') {
        writer.text(address);
    } else {
        writer.text(b"<");
        writer.text(address);
        writer.text(b">");
    }
}

/// Checks a target that the application gave: a SIP or SIPS URI with a host and without headers.
pub(super) fn check_target(target: &str) -> Result<Uri<'_>, Error> {
    let uri = Uri::parse(target.as_bytes()).map_err(|_| Error::Invalid("target: a URI"))?;
    if !uri.is_sip() || !uri.headers().is_empty() {
        return Err(Error::Invalid("target: a sip or sips URI with a host and without headers"));
    }
    Ok(uri)
}

/// Checks what the application gave for From: a URI or a name-addr without a tag.
pub(super) fn check_from(from: &str) -> Result<(), Error> {
    if from.is_empty() {
        return Ok(());
    }
    let parsed = NameAddr::parse(from.as_bytes()).map_err(|_| Error::Invalid("from: a URI or name-addr"))?;
    if parsed.tag().is_some() || parsed.uri().is_err() {
        return Err(Error::Invalid("from: a URI or name-addr without a tag"));
    }
    Ok(())
}

impl<O: Octets> Agent<'_, O> {
    /// Starts a client transaction with a written request; on failure its octets are given back.
    pub(super) fn send_request(&mut self, new: NewClient<'_>) -> Result<TransactionId, Error> {
        self.layer.client(self.now, new).map_err(|capacity| {
            self.layer.octets.release(new.block);
            Error::Capacity(capacity)
        })
    }

    /// Sends a request of the application outside of any dialog.
    pub(super) fn request(
        &mut self,
        method: Method<'_>,
        target: &str,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        check_method(method)?;
        content.check()?;
        let uri = check_target(target)?;
        let settings = self.s.settings;
        let flow = self.flow_to(&uri);
        let random = &mut self.s.random;
        let head = Head {
            method,
            uri: target.as_bytes(),
            to: target.as_bytes(),
            from: b"",
            from_tag: random.token(),
            call_id: random.token(),
            seq: 1,
            branch: random.token(),
            transport: settings.transport,
            proxied: true,
        };
        let block = self.layer.octets.write(content_size(content), false, |kept, writer| {
            settings.write_head(kept, writer, &head);
            settings.write_contact(kept, writer);
            settings.write_agent(kept, writer, HeaderName::UserAgent);
            content.write(writer);
        })?;
        let number = self.next_request();
        let user = Owner::Application(number).user(Tries::default());
        self.send_request(NewClient { block, flow, method, branch: head.branch, user, reserved: false })?;
        Ok(OutgoingRequest(number))
    }

    /// Sends a request of the application inside a call's dialog.
    pub(super) fn request_in_call(
        &mut self,
        call: Handle,
        method: Method<'_>,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        check_method(method)?;
        content.check()?;
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        if self.dialogs.get(dialog).is_none_or(|entry| entry.state != crate::dialog::State::Confirmed) {
            return Err(Error::State);
        }
        let number = self.next_request();
        self.send_in_dialog(dialog, method, Owner::Application(number), Block::NONE, content)?;
        Ok(OutgoingRequest(number))
    }

    fn next_request(&mut self) -> u32 {
        self.s.requests = self.s.requests.wrapping_add(1);
        self.s.requests
    }
}

/// Refuses methods whose transactions the core makes itself.
pub(super) fn check_method(method: Method<'_>) -> Result<(), Error> {
    match method {
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Register => {
            Err(Error::Invalid("method: the core sends this one itself"))
        }
        Method::Extension(name) if Method::parse(name).is_none() => Err(Error::Invalid("method: a token")),
        _ => Ok(()),
    }
}

/// About how many octets a request with this content takes.
pub(super) fn content_size(content: &Content<'_>) -> usize {
    content.body.map_or(0, |body| body.bytes.len()).saturating_add(640)
}
