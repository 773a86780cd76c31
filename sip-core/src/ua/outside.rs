//! Writing requests outside of dialogs, and what responses and requests of a user agent have in common.

use super::auth::Answers;
use super::config::{Settings, Text};
use super::content::Content;
use super::context::{Context, Core};
use super::headers::Field;
use super::usage::registration::{RegistrationEntry, Texts};
use crate::error::{Argument, Error};
use crate::locate::{flow_to, transport_of};
use crate::memory::{KeptBlocks, Octets};
use crate::message::{HeaderName, Method, NameAddr, Uri, Writer};
use crate::random::Token;
use crate::transaction::{NewClient, NewOnce, TransactionId, User};
use crate::transport::{Flow, Transport};

/// The head of a request outside of a dialog (RFC 3261 §8.1.1).
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: Method<'a>,
    pub(super) parties: Parties<'a>,
    pub(super) from_tag: Token,
    pub(super) call_id: Token,
    pub(super) seq: u32,
    pub(super) branch: Token,
    pub(super) transport: Transport,
    /// Whether to go by the configured outbound proxy.
    pub(super) proxied: bool,
    pub(super) answers: &'a Answers,
}

/// Where a request outside of a dialog goes, and who sends it.
#[derive(Clone, Copy)]
pub(super) enum Parties<'a> {
    /// The URI for Request-URI and To; a URI, or a name-addr, for From, empty for the configured identity.
    Given { target: &'a [u8], from: &'a [u8] },
    /// The URI that a REFER names.
    #[cfg(feature = "refer")]
    Referred(super::usage::refer::Referred),
    /// Of a REGISTER: what its registration keeps.
    Binding(&'a RegistrationEntry),
}

impl Settings {
    /// Writes a request up to CSeq; gives its Request-URI.
    fn write_head<'k>(&self, kept: &'k impl KeptBlocks, writer: &mut Writer<'_>, head: &Head<'k>) -> &'k [u8] {
        let texts = kept.get(self.block());
        let mut sent_by = self.sent_by(texts);
        let mut proxy = if head.proxied { self.text(texts, Text::Proxy) } else { b"" };
        let (uri, to, from) = match head.parties {
            Parties::Given { target, from: b"" } => (target, target, self.text(texts, Text::Identity)),
            Parties::Given { target, from } => (target, target, from),
            #[cfg(feature = "refer")]
            Parties::Referred(referred) => {
                let (target, _) = referred.split(kept.get(referred.block));
                (target, target, self.text(texts, Text::Identity))
            }
            Parties::Binding(entry) => {
                let binding = Texts::of(kept.get(entry.texts));
                sent_by = self.registered_address(texts, kept.get(entry.own_address));
                if is_loose(binding.registrar) {
                    proxy = binding.registrar;
                }
                (binding.domain, binding.aor, binding.aor)
            }
        };
        writer.request_line_escaped(head.method, uri);
        writer.via(head.transport, sent_by, head.branch);
        writer.header(HeaderName::MaxForwards, b"70");
        if !proxy.is_empty() {
            writer.value_start(HeaderName::Route);
            writer.octet(b'<');
            writer.text(proxy);
            if !is_loose(proxy) {
                writer.text(b";lr");
            }
            writer.octet(b'>');
            writer.end();
        }
        writer.value_start(HeaderName::From);
        write_address(writer, from);
        writer.text(b";tag=");
        writer.text(head.from_tag.as_bytes());
        writer.end();
        writer.value_start(HeaderName::To);
        write_address(writer, to);
        writer.end();
        writer.header(HeaderName::CallId, head.call_id.as_bytes());
        writer.cseq(head.seq, head.method);
        uri
    }
}

/// Whether a URI names a loose router (§19.1.1).
fn is_loose(uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.is_loose())
}

/// Writes a URI in angle brackets, or a name-addr as it is; a `#` in the URI as `%23` (RFC 3261 §25.1).
pub(super) fn write_address(writer: &mut Writer<'_>, address: &[u8]) {
    let bracket = address.iter().rposition(|octet| *octet == b'<');
    let (display, uri) = bracket.and_then(|at| address.split_at_checked(at)).unwrap_or((b"<", address));
    writer.text(display);
    writer.number_signs_escaped(uri);
    if bracket.is_none() {
        writer.octet(b'>');
    }
}

/// Checks a target that the application gave: a SIP or SIPS URI with a host and without headers.
pub(super) fn check_target(target: &str) -> Result<Uri<'_>, Error> {
    let uri = Uri::parse(target.as_bytes()).map_err(|_| Error::Invalid(Argument::Target))?;
    if !uri.is_sip() || !uri.headers().is_empty() {
        return Err(Error::Invalid(Argument::Target));
    }
    if transport_of(&uri, Transport::Udp) == Transport::Unknown {
        return Err(Error::Invalid(Argument::TargetTransport));
    }
    Ok(uri)
}

/// Checks what the application gave for From: a URI or a name-addr without a tag.
pub(super) fn check_from(from: &str) -> Result<(), Error> {
    if from.is_empty() {
        return Ok(());
    }
    let parsed = NameAddr::parse(from.as_bytes()).map_err(|_| Error::Invalid(Argument::From))?;
    if parsed.tag().is_some() || parsed.uri().is_err() {
        return Err(Error::Invalid(Argument::From));
    }
    Ok(())
}

impl<O: Octets> Context<'_, O> {
    /// The flow for a request outside of a dialog to `uri`: to the proxy when there is one; none when it is not yet known.
    pub(super) fn flow_to(&self, uri: &Uri<'_>) -> Flow {
        let settings = &self.core.settings;
        let proxy = settings.text(self.transactions.octets.get(settings.block()), Text::Proxy);
        match Uri::parse(proxy) {
            Ok(proxy) => flow_to(&proxy, settings.transport),
            Err(_) => flow_to(uri, settings.transport),
        }
    }

    /// Writes a request outside of any dialog and starts its transaction.
    pub(super) fn send_outside(
        &mut self,
        head: &Head<'_>,
        flow: Flow,
        user: User,
        rows: &[Field<'_>],
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        let Core { settings, sessions, .. } = &*self.core;
        let block = self.transactions.octets.write(content.room(), false, |kept, writer| {
            let uri = settings.write_head(kept, writer, head);
            head.answers.write(sessions, kept, writer, (head.method, uri, content.bytes()));
            settings.write_rest(kept, writer, rows, content);
        })?;
        let (method, branch) = (head.method, head.branch);
        self.send_request(NewClient { block, flow, method, branch: branch.into(), user, reserved: false })
    }

    /// Starts a client transaction with a written request; on failure its octets are given back.
    #[inline(always)]
    pub(super) fn send_request(&mut self, new: NewClient<'_>) -> Result<TransactionId, Error> {
        if !cfg!(target_pointer_width = "64") {
            let NewClient { block, flow, user, reserved, .. } = new;
            return self.send_written(&NewOnce { block, flow, user, reserved });
        }
        let made = self.transactions.client(self.now, new);
        Ok(made.inspect_err(|_| self.transactions.octets.release(new.block))?)
    }

    #[inline(never)]
    fn send_written(&mut self, new: &NewOnce) -> Result<TransactionId, Error> {
        let made = self.transactions.written(self.now, new);
        Ok(made.inspect_err(|_| self.transactions.octets.release(new.block))?)
    }

    /// The head of a request outside of any dialog: the first of a Call-ID of its own, or one of a Call-ID that is kept.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn new_head<'h>(
        &mut self,
        method: Method<'h>,
        parties: Parties<'h>,
        kept: Option<(Token, u32)>,
        answers: &'h Answers,
    ) -> Head<'h> {
        let random = &mut self.core.random;
        let from_tag = random.token();
        let (call_id, seq) = kept.unwrap_or_else(|| (random.token(), 1));
        let (branch, transport) = (random.token(), self.core.settings.transport);
        Head { method, parties, from_tag, call_id, seq, branch, transport, proxied: true, answers }
    }
}
