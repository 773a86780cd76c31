//! The rows that a user agent adds behind the head of a message, and how it ends: each message is a list of them.

use super::auth::Answers;
use super::config::{ReliableProvisional, Settings, Text};
use super::content::Content;
use super::context::Context;
use super::usage::invite::Leg;
use super::usage::invite::reliable::RELIABLE;
use super::usage::invite::update::UPDATE;
use crate::dialog::Dialog;
use crate::error::Error;
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::option_tags::write_unsupported;
use crate::message::{HeaderName, Kept, Message, Method, NameAddr, Writer, is_sips};
use crate::random::Token;
use crate::transaction::TransactionId;
use crate::transport::Transport;

/// Methods that the core answers itself.
const CORE_METHODS: &[u8] =
    if UPDATE { b"INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE" } else { b"INVITE, ACK, CANCEL, BYE, OPTIONS" };

/// What to write behind the head of a message.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    /// Contact with this user agent's URI. It names the configured transport, whatever the message goes by: one request by
    /// TCP for its size must not draw all that follow after it.
    Contact,
    /// The same as a `sips` URI, in a dialog that one has begun (RFC 3261 §8.1.1.8).
    SecureContact,
    /// The Contact of a REGISTER, and one that removes the binding to a former address.
    Binding(Block),
    /// Allow and, when there is something to name, Supported.
    Abilities,
    /// User-Agent, when one is configured.
    UserAgent,
    /// Server, likewise.
    Server,
    /// Accept and Accept-Encoding: the bodies that an INVITE may bring.
    Accept,
    /// Unsupported: what the request requires and the application does not support.
    Unsupported(&'a Message<'a>),
    /// Expires, in seconds.
    Expires(u32),
    /// Retry-After, in seconds.
    RetryAfter(u32),
    /// The credentials of a kept request, as they are.
    CredentialsOf(Block),
    /// Require with the extensions that the configuration requires of the peer, if there are any.
    Extensions,
    /// Require and RSeq of a reliable provisional response (RFC 3262 §3).
    Reliable(u32),
    /// RAck: the RSeq of the response that a PRACK acknowledges, and the CSeq of its INVITE (RFC 3262 §7.2).
    RAck(u32, u32),
    /// The rows of a session timer, as far as there are any.
    #[cfg(feature = "session-timer")]
    SessionTimer(super::usage::invite::SessionRows),
    /// The rows of a REFER, or of a NOTIFY about one.
    #[cfg(feature = "refer")]
    Refer(super::usage::refer::ReferRows<'a>),
    /// Rows that are kept as they are written.
    Kept(Block),
    /// The end of a message that is kept as it is written, the body included; nothing when there is none.
    End(Block),
}

/// The head of a message inside a dialog.
#[derive(Clone, Copy)]
pub(super) struct DialogHead<'a> {
    pub(super) dialog: &'a Dialog<Leg>,
    pub(super) method: Method<'a>,
    pub(super) seq: u32,
    pub(super) branch: Token,
    pub(super) answers: &'a Answers,
}

impl Settings {
    /// Writes rows, then the headers of the application and the body or its absence: the end of a message.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn write_rest(
        &self,
        kept: &impl KeptBlocks,
        writer: &mut Writer<'_>,
        rows: &[Field<'_>],
        content: &Content<'_>,
    ) {
        let texts = kept.get(self.block());
        for row in rows {
            match *row {
                Field::Contact | Field::SecureContact => {
                    writer.value_start(HeaderName::Contact);
                    writer.octet(b'<');
                    let secure = matches!(row, Field::SecureContact);
                    self.write_contact(texts, self.sent_by(texts), secure, writer);
                    writer.octet(b'>');
                    writer.end();
                }
                Field::Binding(own_address) => self.write_binding(kept, own_address, writer),
                Field::Abilities => self.write_abilities(texts, writer),
                Field::UserAgent => write_some(writer, HeaderName::UserAgent, self.text(texts, Text::UserAgent)),
                Field::Server => write_some(writer, HeaderName::Server, self.text(texts, Text::UserAgent)),
                Field::Accept => {
                    writer.header(HeaderName::Accept, self.text(texts, Text::Accept));
                    writer.header(HeaderName::AcceptEncoding, b"identity");
                }
                Field::Unsupported(request) => {
                    write_unsupported(writer, request.require(), self.text(texts, Text::Supported));
                }
                Field::Expires(seconds) => writer.header_number(HeaderName::Expires, u64::from(seconds)),
                Field::RetryAfter(seconds) => writer.header_number(HeaderName::RetryAfter, u64::from(seconds)),
                Field::CredentialsOf(block) => {
                    for header in Kept::new(kept.get(block)).headers() {
                        if matches!(header.name, HeaderName::Authorization | HeaderName::ProxyAuthorization) {
                            writer.header(header.name, header.value);
                        }
                    }
                }
                Field::Extensions => {
                    if RELIABLE && self.reliable == ReliableProvisional::Required {
                        writer.header(HeaderName::Require, b"100rel");
                    }
                }
                Field::Reliable(rseq) if RELIABLE => {
                    writer.header(HeaderName::Require, b"100rel");
                    writer.header_number(HeaderName::RSeq, u64::from(rseq));
                }
                Field::RAck(rseq, seq) if RELIABLE => write_rack(writer, rseq, seq),
                #[cfg(feature = "session-timer")]
                Field::SessionTimer(rows) => rows.write(writer),
                #[cfg(feature = "refer")]
                Field::Refer(rows) => self.write_refer_rows(texts, kept, writer, rows),
                Field::Kept(block) => writer.raw(kept.get(block)),
                Field::Reliable(_) | Field::RAck(..) | Field::End(Block::NONE) => {}
                Field::End(block) => return writer.raw(kept.get(block)),
            }
        }
        content.write(writer);
    }

    /// Writes Allow and Supported.
    #[inline]
    fn write_abilities(&self, texts: &[u8], writer: &mut Writer<'_>) {
        writer.value_start(HeaderName::Allow);
        writer.text(CORE_METHODS);
        let methods = self.text(texts, Text::Methods);
        if RELIABLE && self.reliable != ReliableProvisional::Off {
            writer.text(b", PRACK");
        }
        if !methods.is_empty() {
            writer.text(b", ");
            writer.text(methods);
        }
        #[cfg(feature = "refer")]
        if self.transfers {
            writer.text(b", REFER, NOTIFY");
        }
        writer.end();
        write_some(writer, HeaderName::Supported, self.text(texts, Text::Supported));
    }

    /// Writes the URI of a Contact with this host and port.
    pub(super) fn write_contact_uri(&self, texts: &[u8], address: &[u8], writer: &mut Writer<'_>) {
        self.write_contact(texts, address, false, writer);
    }

    /// The same; a `sips` URI when that is asked for, or our own address of record is one.
    fn write_contact(&self, texts: &[u8], address: &[u8], secure: bool, writer: &mut Writer<'_>) {
        let secure = secure || is_sips(self.text(texts, Text::Identity));
        writer.text(if secure { b"sips:" } else { b"sip:" });
        let user = self.text(texts, Text::ContactUser);
        if !user.is_empty() {
            writer.text(user);
            writer.octet(b'@');
        }
        writer.text(address);
        match self.transport {
            Transport::Tcp => writer.text(b";transport=tcp"),
            // What `sips` says already (RFC 5630 §3.1.4).
            Transport::Tls if secure => {}
            Transport::Tls => writer.text(b";transport=tls"),
            Transport::Ws | Transport::Wss => writer.text(b";transport=ws"),
            Transport::Udp | Transport::None | Transport::Unknown => {}
        }
    }
}

impl Field<'_> {
    /// Our Contact in a request to `uri`.
    pub(super) fn contact_for(uri: &[u8]) -> Self {
        if is_sips(uri) { Self::SecureContact } else { Self::Contact }
    }
}

/// Writes which reliable response to an INVITE is acknowledged (RFC 3262 §7.2).
fn write_rack(writer: &mut Writer<'_>, rseq: u32, seq: u32) {
    writer.value_start(HeaderName::RAck);
    writer.number(u64::from(rseq));
    writer.octet(b' ');
    writer.number(u64::from(seq));
    writer.text(b" INVITE");
    writer.end();
}

/// Writes a row unless its value is empty.
fn write_some(writer: &mut Writer<'_>, name: HeaderName<'_>, value: &[u8]) {
    if !value.is_empty() {
        writer.header(name, value);
    }
}

impl<O: Octets> Context<'_, O> {
    /// Sends a response of a server transaction; with `reserved` it may use what is set aside.
    pub(super) fn respond_with(
        &mut self,
        id: TransactionId,
        status: u16,
        reserved: bool,
        rows: &[Field<'_>],
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let settings = &self.core.settings;
        self.transactions.respond(self.now, id, status, None, reserved, |kept, writer| {
            settings.write_rest(kept, writer, rows, content);
        })
    }
}

/// The tag in a From or To value.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn tag_of(value: &[u8]) -> Option<&[u8]> {
    NameAddr::parse(value).ok()?.tag()
}
