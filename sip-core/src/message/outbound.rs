//! Outbound and GRUU: Flow-Timer, and the parameters `+sip.instance`, `reg-id`, `ob`, `pub-gruu`, `temp-gruu` and `gr`
//! (RFC 5626, RFC 5627).

use super::ParseError;
use super::address::NameAddr;
use super::header::HeaderName;
use super::parse::Message;
use super::scan::{decimal, decimal_u32, unquote};
use super::uri::Uri;
use crate::transport::{Flow, Transport};

impl<'a> NameAddr<'a> {
    /// The URN of the user agent that a Contact is about: `+sip.instance` without its quotes and brackets (RFC 5626 §4.1);
    /// `None` when it isn't there or has no brackets.
    #[must_use]
    pub fn instance(&self) -> Option<&'a [u8]> {
        match unquote(self.param(b"+sip.instance")?) {
            [b'<', urn @ .., b'>'] => Some(urn),
            _ => None,
        }
    }

    /// Which flow of its user agent a Contact is about: `reg-id`, 1 to 2,147,483,647 (RFC 5626 §4.2.1); `None` when it isn't
    /// there or is no such number.
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        let number = decimal(self.param(b"reg-id")?)?;
        u32::try_from(number).ok().filter(|number| (1..=i32::MAX as u32).contains(number))
    }

    /// The public GRUU that a registrar gave a Contact, without its quotes (RFC 5627 §4.2).
    #[must_use]
    pub fn pub_gruu(&self) -> Option<&'a [u8]> {
        self.param(b"pub-gruu").map(unquote)
    }

    /// The temporary GRUU that a registrar gave a Contact, without its quotes (RFC 5627 §4.2).
    #[must_use]
    pub fn temp_gruu(&self) -> Option<&'a [u8]> {
        self.param(b"temp-gruu").map(unquote)
    }
}

impl<'a> Uri<'a> {
    /// Whether the `ob` parameter is there: in a Contact, requests are to come by the flow that this one came by (RFC 5626
    /// §4.3); in a Path, its element speaks outbound (§5.1).
    #[must_use]
    pub fn is_outbound(&self) -> bool {
        self.param(b"ob").is_some()
    }

    /// The `gr` parameter, which makes a URI a GRUU: with its escapes, empty in a temporary one (RFC 5627 §3.1).
    #[must_use]
    pub fn gr(&self) -> Option<&'a [u8]> {
        self.param(b"gr")
    }
}

impl Message<'_> {
    /// Whether no server stands between who has sent this request and here.
    #[must_use]
    pub(crate) fn is_direct(&self) -> bool {
        let mut rows = self.known_rows(HeaderName::Via.id());
        // Mostly a row is one value.
        let whole = rows.next().is_some_and(|row| row.len() == self.via().raw().len());
        whole && rows.next().is_none() || self.vias().nth(1).is_none()
    }

    /// Whether a URI is that of who has sent this request itself by `source`: it names the host and port of sent-by, or those that
    /// it came from. Over a connection the ports say nothing.
    #[must_use]
    pub(crate) fn is_from(&self, source: &Flow, uri: &Uri<'_>) -> bool {
        let via = self.via();
        let default = Transport::Udp.default_port();
        let port = uri.port().unwrap_or(default);
        let by_stream = source.transport.is_reliable();
        let (host, sent_by) = (uri.host_text(), via.host_text());
        if (by_stream || port == via.port().unwrap_or(default)) && (host == sent_by || uri.host().same(via.host())) {
            return true;
        }
        (by_stream || port == source.remote.port()) && uri.ip().is_some_and(|ip| Some(ip) == source.remote.ip())
    }

    /// Flow-Timer: how many seconds the server keeps a flow without a keep-alive, `u32::MAX` when it is longer (RFC 5626
    /// §5.4, §10); an error when it is no number or occurs twice.
    #[must_use]
    pub fn flow_timer(&self) -> Option<Result<u32, ParseError>> {
        self.single(HeaderName::FlowTimer, |value| decimal_u32(value).ok_or(ParseError::Number))
    }
}
