//! What a proxy tells its application, and what the application answers with.

use crate::memory::Handle;
use crate::transport::Flow;

/// Names a request that a proxy was asked to pass on, until its final response has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request(pub(super) Handle);

/// Names a branch of a [`Request`]: one target that it was sent to, until that has given its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Branch(pub(super) Handle);

/// Why the application is asked where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Why {
    /// Its Request-URI is this proxy's own: a user of a [domain](super::Config::domains), or the proxy itself (RFC 3261 §16.5).
    Own,
    /// It passes through: a Route or a foreign Request-URI says where it goes, and [`Config::ask`](super::Config::ask) asks whether
    /// it may. [`proceed`](super::Proxy::proceed) lets it.
    Passing,
}

/// What a proxy tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// Where to? The request is the message that is being received, and it is kept; it is to be answered with one of the methods of
    /// [`Proxy`](super::Proxy) that take a [`Request`], at once or later. One that gets no answer for 64·T1 is answered with 500.
    Request {
        /// The request.
        request: Request,
        /// Why it is asked for.
        why: Why,
    },
    /// The question is void: the request was cancelled, and is answered with 487, or its client has given up.
    Cancelled {
        /// The request.
        request: Request,
    },
    /// The search for a request that was asked about is over.
    Finished {
        /// The request.
        request: Request,
        /// The final status that was sent; of several 2xx the first. Zero when nothing was (RFC 4320 §4.2).
        status: u16,
    },
}

/// Where a request may go: an element of the target set (RFC 3261 §16.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Target<'a> {
    /// What becomes of the Request-URI.
    pub uri: &'a [u8],
    /// The preference in thousandths, 0 to 1000: targets with the highest go first, those with equal ones together.
    pub q: u16,
    /// Route values that lead there, as they stand in a header (`<sip:one;lr>, <sip:two;lr>`): the Path of a binding (RFC 3327
    /// §5.3). Empty for none.
    pub route: &'a [u8],
    /// The flow to be used; [`Flow::NONE`] leaves it to the URI. One that has failed is the failure of the branch (RFC 5626 §5.3).
    pub flow: Flow,
}

impl<'a> Target<'a> {
    /// A target that its URI leads to, of the highest preference.
    #[must_use]
    pub const fn new(uri: &'a [u8]) -> Self {
        Self { uri, q: 1000, route: b"", flow: Flow::NONE }
    }

    /// The same with another [`q`](Self::q).
    #[must_use]
    pub const fn with_q(mut self, q: u16) -> Self {
        self.q = q;
        self
    }

    /// The same by this [`route`](Self::route).
    #[must_use]
    pub const fn with_route(mut self, route: &'a [u8]) -> Self {
        self.route = route;
        self
    }

    /// The same by this [`flow`](Self::flow).
    #[must_use]
    pub const fn with_flow(mut self, flow: Flow) -> Self {
        self.flow = flow;
        self
    }
}
