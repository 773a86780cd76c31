//! What a server tells its application.

use super::store::Pending;
use crate::proxy::{self, Request};
use crate::registrar::{self, Refusal};

/// What a server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// A binding was made, lasts longer, has expired, or was taken away. [`Server::binding`](super::Server::binding) tells of it
    /// until the next input.
    Binding(registrar::Event),
    /// What is known of the user of a request's credentials? The request is the message that is being received, and it is kept; it is
    /// to be answered with [`Server::credentials`](super::Server::credentials), at once or later. One that gets no answer for 64·T1 is
    /// answered with 500. Only users of whom the [`Directory`](super::Directory::asks) says so are asked for.
    Credentials {
        /// The request.
        request: Request,
    },
    /// A REGISTER is proven and would change something, which is to be stored before it is answered: only where that is
    /// [configured](super::Config::store). The request is the message that is being received, and it is kept; it is to be done with
    /// [`Server::bind`](super::Server::bind), and answered with [`Server::stored`](super::Server::stored), at once or later.
    Store(Pending),
    /// A request was sent to so many targets.
    Forwarded {
        /// The request, until it is [`Finished`](Self::Finished).
        request: Request,
        /// Its targets, of which those with the highest q come first.
        targets: u8,
    },
    /// A request was answered with 302.
    Redirected,
    /// A request was refused.
    Refused {
        /// The status that was sent.
        status: u16,
        /// Why.
        why: Why,
    },
    /// The search for a request that was forwarded is over: a call has begun, or failed.
    Finished {
        /// The request.
        request: Request,
        /// The final status that was sent; zero when nothing was (RFC 4320 §4.2).
        status: u16,
    },
    /// What the proxy tells and nothing above says.
    Proxy(proxy::Event),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Why {
    /// Its sender is to prove to be the user; the client answers by itself.
    Challenged,
    /// The digest was wrong.
    WrongDigest,
    /// There is no such user; the answer is the same as to a wrong digest.
    UnknownUser,
    /// Too many digests of this source or for this user were wrong.
    LockedOut,
    /// The credentials are for another Request-URI.
    Misdirected,
    /// It speaks for somebody else than the user of its credentials.
    Forbidden,
    /// It is for another domain, and [nobody](super::Relay::Nobody) is passed on there.
    NotRelayed,
    /// It requires an extension that is not supported.
    Extension,
    /// There is no such user in the domain.
    NotFound,
    /// The user has registered nowhere, or nowhere that may be asked.
    NotRegistered,
    /// The server itself does not take this method.
    Method,
    /// The registrar refused it.
    Registrar(Refusal),
    /// What it changes could not be stored.
    NotStored,
    /// There is no room.
    Full,
}
