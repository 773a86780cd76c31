//! Rows of REFER, of the NOTIFYs about it, and of the INVITE that follows it (RFC 3515, RFC 3891, RFC 3892, RFC 4488).

use crate::dialog::Dialog;
use crate::error::{Argument, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::option_tags::list_contains_tag;
use crate::message::refer::REFER_SUB;
use crate::message::{HeaderName, Message, Method, NameAddr, Replaces, Uri, Writer, escape_header, unescape_uri};
use crate::ua::config::{Settings, Text};
use crate::ua::context::Context;
use crate::ua::headers::tag_of;
use crate::ua::outside::write_address;
use crate::ua::usage::invite::Leg;

/// What a message about a REFER has beside what every message has.
#[derive(Clone, Copy)]
pub(in crate::ua) enum Rows<'a> {
    /// Refer-To, a URI or a name-addr of the application, and Referred-By.
    To(&'a [u8]),
    /// The same, with the peer of this dialog, which is to be replaced there (RFC 5589 §7).
    Replacing(&'a Dialog<Leg>),
    /// Event and Subscription-State of a NOTIFY: the CSeq of the REFER, zero for none, and how many seconds the subscription
    /// lasts.
    Active(u32, u32),
    /// The same in the last one; whether there is nothing left to tell.
    Terminated(u32, bool),
    /// What a 202 says of its REFER: that nothing will be told of it.
    Silent(bool),
    /// Replaces and Referred-By of a call that follows a REFER, as they are kept.
    Kept(Referred),
}

impl Settings {
    /// Writes the rows.
    // Out of the way of the rows that every message has.
    #[cold]
    #[inline(never)]
    pub(in crate::ua) fn write_refer_rows(
        &self,
        texts: &[u8],
        kept: &impl KeptBlocks,
        writer: &mut Writer<'_>,
        rows: Rows<'_>,
    ) {
        match rows {
            Rows::To(target) => {
                writer.value_start(HeaderName::ReferTo);
                write_address(writer, target);
                writer.end();
                self.write_referred_by(texts, writer);
            }
            Rows::Replacing(dialog) => {
                let of = dialog.identity().texts(kept.get(dialog.identity().block));
                writer.value_start(HeaderName::ReferTo);
                writer.octet(b'<');
                writer.text(of.target);
                writer.text(b"?Replaces=");
                write_escaped(writer, of.call_id);
                // As the peer of that dialog sees it (RFC 3891 §3).
                writer.text(b"%3Bto-tag%3D");
                write_escaped(writer, tag_of(of.remote).unwrap_or(b"0"));
                writer.text(b"%3Bfrom-tag%3D");
                write_escaped(writer, tag_of(of.local).unwrap_or(b"0"));
                writer.octet(b'>');
                writer.end();
                self.write_referred_by(texts, writer);
            }
            Rows::Active(id, expires) => {
                write_event(writer, id);
                writer.value_start(HeaderName::SubscriptionState);
                writer.text(b"active;expires=");
                writer.number(u64::from(expires));
                writer.end();
            }
            Rows::Terminated(id, done) => {
                write_event(writer, id);
                let state: &[u8] = if done { b"terminated;reason=noresource" } else { b"terminated;reason=timeout" };
                writer.header(HeaderName::SubscriptionState, state);
            }
            Rows::Silent(true) => writer.header(REFER_SUB, b"false"),
            Rows::Silent(false) => {}
            Rows::Kept(referred) => writer.raw(referred.split(kept.get(referred.block)).1),
        }
    }

    /// Writes Referred-By (RFC 3892 §2.1).
    fn write_referred_by(&self, texts: &[u8], writer: &mut Writer<'_>) {
        writer.value_start(HeaderName::ReferredBy);
        write_address(writer, self.text(texts, Text::Identity));
        writer.end();
    }
}

fn write_event(writer: &mut Writer<'_>, id: u32) {
    writer.value_start(HeaderName::Event);
    writer.text(b"refer");
    if id > 0 {
        writer.text(b";id=");
        writer.number(u64::from(id));
    }
    writer.end();
}

fn write_escaped(writer: &mut Writer<'_>, text: &[u8]) {
    escape_header(text).for_each(|octet| writer.octet(octet));
}

/// The URI of a Refer-To that an INVITE can be sent to, as it stands without its headers; none when another method is asked for, or
/// it is no SIP URI.
fn to_call<'a>(refer_to: &NameAddr<'a>) -> Option<(&'a [u8], Uri<'a>)> {
    let uri = refer_to.uri().ok().filter(Uri::is_sip)?;
    if uri.param(b"method").is_some_and(|method| Method::parse(method) != Some(Method::Invite)) {
        return None;
    }
    let raw = refer_to.raw_uri();
    let end = if uri.headers().is_empty() { raw.len() } else { raw.iter().rposition(|octet| *octet == b'?')? };
    Some((raw.get(..end)?, uri))
}

/// What a call that follows a REFER is made of: the URI, and behind it the rows of its INVITE.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::ua) struct Referred {
    pub(in crate::ua) block: Block,
    /// How much of it is the URI; zero when it can't be called.
    pub(in crate::ua) target: u16,
}

impl Referred {
    /// The URI and the rows, in the octets of the block.
    pub(in crate::ua) fn split<'k>(&self, octets: &'k [u8]) -> (&'k [u8], &'k [u8]) {
        octets.split_at_checked(usize::from(self.target)).unwrap_or_default()
    }
}

impl<O: Octets> Context<'_, O> {
    /// Keeps what a call that follows a REFER is made of. None of the headers of the URI but Replaces and its Require is taken, for
    /// a stranger wrote them (RFC 3261 §19.1.5).
    ///
    /// # Errors
    /// There is no room, or Replaces is malformed or occurs twice.
    pub(in crate::ua) fn keep_referred(
        &mut self,
        request: &Message<'_>,
        refer_to: &NameAddr<'_>,
    ) -> Result<Referred, Error> {
        let Some((text, uri)) = to_call(refer_to) else { return Ok(Referred::default()) };
        let Ok(target) = u16::try_from(text.len()) else { return Ok(Referred::default()) };
        let referred_by = request.referred_by().and_then(Result::ok);
        let room =
            refer_to.raw_uri().len().saturating_add(referred_by.map_or(0, |by| by.raw().len())).saturating_add(96);
        let (mut replaces, mut count) = (0..0, 0_usize);
        let block = self.transactions.octets.write(room, false, |_, writer| {
            writer.raw(text);
            for component in uri.header_components() {
                let value = component.value.unwrap_or_default();
                if component.is(b"Replaces") {
                    writer.value_start(HeaderName::Replaces);
                    let start = writer.len();
                    unescape_uri(value).for_each(|octet| writer.text(&[octet]));
                    (replaces, count) = (start..writer.len(), count.saturating_add(1));
                    writer.end();
                } else if component.is(b"Require") && list_contains_tag(value, b"replaces") {
                    writer.header(HeaderName::Require, b"replaces");
                }
            }
            if let Some(by) = referred_by {
                writer.header(HeaderName::ReferredBy, by.raw());
            }
        })?;
        let value = self.transactions.octets.get(block).get(replaces).unwrap_or_default();
        if count > 1 || count == 1 && Replaces::parse(value).is_err() {
            self.transactions.octets.release(block);
            return Err(Error::Invalid(Argument::HeaderValue));
        }
        Ok(Referred { block, target })
    }
}
