//! Into one number goes all that is read.

use sip_core::message::{Host, Method, NameAddr, Param, ParseError, Scheme, Uri, Via};

/// The sum of all that was read; each value moves what came before it, so that order counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    pub(crate) const fn value(self) -> u32 {
        self.0
    }

    #[inline(never)]
    pub(crate) fn number(&mut self, number: u32) {
        self.0 = (self.0 ^ number).rotate_left(5).wrapping_mul(0x9E37_79B1);
    }

    pub(crate) fn wide(&mut self, number: u64) {
        self.number(number as u32);
        self.number((number >> 32) as u32);
    }

    #[inline(never)]
    pub(crate) fn flag(&mut self, flag: bool) {
        self.number(u32::from(flag));
    }

    /// An optional number; none is another sum than zero.
    #[inline(never)]
    pub(crate) fn optional(&mut self, number: Option<u32>) {
        self.flag(number.is_some());
        self.number(number.unwrap_or(0));
    }

    #[inline(never)]
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u32);
        for octet in octets {
            self.number(u32::from(*octet));
        }
    }

    #[inline(never)]
    pub(crate) fn piece(&mut self, octets: Option<&[u8]>) {
        self.flag(octets.is_some());
        self.octets(octets.unwrap_or_default());
    }

    pub(crate) fn pieces<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) {
        for piece in pieces {
            self.octets(piece);
        }
    }

    pub(crate) fn each(&mut self, octets: impl Iterator<Item = u8>) {
        for octet in octets {
            self.number(u32::from(octet));
        }
    }

    #[inline(never)]
    pub(crate) fn error(&mut self, error: ParseError) {
        self.octets(error.reason().as_bytes());
    }

    /// A header that may be missing or malformed.
    pub(crate) fn header<T>(&mut self, header: Option<Result<T, ParseError>>, fold: impl FnOnce(&mut Self, T)) {
        match header {
            None => self.flag(false),
            Some(Ok(value)) => fold(self, value),
            Some(Err(error)) => self.error(error),
        }
    }

    /// A header that may occur often.
    pub(crate) fn list<T>(
        &mut self,
        list: impl Iterator<Item = Result<T, ParseError>>,
        mut fold: impl FnMut(&mut Self, T),
    ) {
        for item in list {
            self.header(Some(item), &mut fold);
        }
    }

    pub(crate) fn method(&mut self, method: Method<'_>) {
        self.octets(method.as_bytes());
        self.number(u32::from(method.code()));
    }

    #[inline(never)]
    pub(crate) fn param(&mut self, param: Param<'_>) {
        self.octets(param.name);
        self.piece(param.value);
    }

    #[inline(never)]
    pub(crate) fn params<'a>(&mut self, params: impl Iterator<Item = Param<'a>>) {
        for param in params {
            self.param(param);
        }
    }

    #[inline(never)]
    pub(crate) fn ip(&mut self, ip: Option<core::net::IpAddr>) {
        match ip {
            None => self.flag(false),
            Some(core::net::IpAddr::V4(ip)) => self.octets(&ip.octets()),
            Some(core::net::IpAddr::V6(ip)) => self.octets(&ip.octets()),
        }
    }

    #[inline(never)]
    pub(crate) fn host(&mut self, host: Host<'_>) {
        self.octets(host.as_bytes());
        self.ip(host.ip());
    }

    #[inline(never)]
    pub(crate) fn uri(&mut self, uri: &Uri<'_>) {
        self.octets(uri.raw());
        match uri.scheme() {
            Scheme::Sip => self.number(1),
            Scheme::Sips => self.number(2),
            Scheme::Tel => self.number(3),
            other => self.octets(other.as_bytes()),
        }
        self.piece(uri.user());
        self.piece(uri.password());
        self.host(uri.host());
        self.optional(uri.port().map(u32::from));
        self.params(uri.params());
        self.params(uri.header_components());
        for found in [uri.transport(), uri.maddr(), uri.param(b"ob"), uri.param(b"gr")] {
            self.piece(found);
        }
        self.flag(uri.is_loose());
    }

    #[inline(never)]
    pub(crate) fn address(&mut self, address: NameAddr<'_>) {
        self.octets(address.display_name());
        match address.uri() {
            Ok(uri) => self.uri(&uri),
            Err(error) => self.error(error),
        }
        self.params(address.params());
        self.piece(address.tag());
        self.optional(address.expires());
        self.optional(address.q().map(u32::from));
        self.piece(address.param(b"+sip.instance"));
        self.piece(address.param(b"reg-id"));
    }

    #[inline(never)]
    pub(crate) fn via(&mut self, via: Via<'_>) {
        self.octets(via.transport());
        self.host(via.host());
        self.optional(via.port().map(u32::from));
        self.params(via.params());
        self.piece(via.branch());
        self.flag(via.has_cookie());
        self.piece(via.received());
        self.ip(via.received_ip());
        self.flag(via.rport().is_some());
        self.optional(via.rport().flatten().map(u32::from));
    }
}
