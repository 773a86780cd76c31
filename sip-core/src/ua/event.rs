//! What the user agent tells the application: handles and small values.

use crate::memory::Handle;
use crate::transaction::TransactionId;
use crate::transport::Oversize;
use core::fmt;

/// Names a call, from [`UserAgent::call`](super::UserAgent::call) or [`Event::Incoming`] until [`Event::Ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Call(pub(crate) Handle);

impl Call {
    /// The handle as a number that no other call has at the same time, to be kept where a number is all there is room for.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0.bits()
    }

    /// The handle that became this number; another number names no call.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(Handle::from_bits(bits))
    }
}

/// Tells the forks of a call apart: the phones that one INVITE has reached (RFC 3261 §12.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fork(pub(crate) u32);

/// Names a registration, from [`UserAgent::register`](super::UserAgent::register) until it is removed or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Registration(pub(crate) Handle);

/// Names a REFER, ours from [`UserAgent::refer`](super::UserAgent::refer) or the peer's from [`Event::Refer`], until
/// [`Event::ReferEnded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Referral(pub(crate) Handle);

/// Names a request of the peer that the application has to answer with
/// [`UserAgent::respond`](super::UserAgent::respond).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IncomingRequest(pub(crate) TransactionId);

/// Names a request that the application sent, until its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutgoingRequest(pub(crate) u32);

/// Writes each of these handles as a small number: the place of what it names, and which of its owners that has.
macro_rules! displays {
    ($($handle:ident)*) => {
        $(impl fmt::Display for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        })*
    };
}

displays! { Call Registration Referral IncomingRequest OutgoingRequest }

/// Something that the application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// Somebody calls. Answer with `ring`, `answer` or `reject`; the offer is the message's body, if it has one.
    Incoming {
        /// The new call.
        call: Call,
    },
    /// Somebody calls, and the new call is to take the place of another (Replaces, RFC 3891). Answer as [`Event::Incoming`]: with our
    /// 2xx the other one ends, which [`Event::Ended`] tells with [`Cause::Replaced`].
    ///
    /// Who asks knows Call-ID and tags of that call, and has proved nothing else: whether it may is the application's to say.
    Replacing {
        /// The new call.
        call: Call,
        /// The one that it replaces.
        replaced: Call,
    },
    /// Our call makes progress: a 1xx other than 100. Each fork tells its own.
    Progress {
        /// The call.
        call: Call,
        /// The SIP status, 101 to 199.
        status: u16,
        /// Which fork it is; the zero value for a response without a To tag.
        fork: Fork,
        /// The response is a reliable one (RFC 3262) and brings an offer, because our INVITE had none: its PRACK waits for
        /// [`UserAgent::acknowledge_provisional`](super::UserAgent::acknowledge_provisional).
        answer_due: bool,
    },
    /// The caller has acknowledged our reliable provisional response (PRACK, RFC 3262): the next one can be sent.
    ///
    /// The message's body is its answer, when the response made the offer.
    ProvisionalAcknowledged {
        /// The call.
        call: Call,
        /// The PRACK brings another offer, which [`UserAgent::answer_offer`](super::UserAgent::answer_offer) answers.
        answer_due: bool,
    },
    /// Our call was answered. The ACK is on its way unless `answer_due`.
    Answered {
        /// The call.
        call: Call,
        /// The 2xx brings an offer, because our INVITE had none: the ACK waits for
        /// [`UserAgent::acknowledge`](super::UserAgent::acknowledge).
        answer_due: bool,
    },
    /// The peer has acknowledged our answer to its INVITE or re-INVITE; a late answer is the message's body.
    Confirmed {
        /// The call.
        call: Call,
    },
    /// The peer wants to change the session (re-INVITE). Answer with `answer` or `reject`.
    ///
    /// It may overtake the ACK to our last answer (RFC 5407 §3.1.4): then it stands for [`Event::Confirmed`] too.
    Reinvite {
        /// The call.
        call: Call,
    },
    /// The peer has taken its re-INVITE back (CANCEL): there is nothing to answer, and the session is as before.
    ReinviteCancelled {
        /// The call.
        call: Call,
    },
    /// Our re-INVITE has its final response; the session is as before unless `status` is a 2xx. When to try again is the
    /// message's [`retry_after`](crate::message::Message::retry_after).
    Reinvited {
        /// The call.
        call: Call,
        /// The SIP status; 408 when there was none.
        status: u16,
        /// As in [`Event::Answered`].
        answer_due: bool,
    },
    /// The peer wants to change the session (UPDATE, RFC 3311), before or after the answer: its offer is the message's body. Answer
    /// with [`UserAgent::answer_offer`](super::UserAgent::answer_offer). An UPDATE without an offer is answered by the core.
    Update {
        /// The call.
        call: Call,
    },
    /// Our UPDATE has its final response; the session is as before unless `status` is a 2xx.
    Updated {
        /// The call.
        call: Call,
        /// The SIP status; 408 when there was none.
        status: u16,
    },
    /// Nobody answered the peer's offer in a PRACK or UPDATE ([`Update`](Self::Update), `answer_due` in
    /// [`ProvisionalAcknowledged`](Self::ProvisionalAcknowledged)) within 32·T1: it was refused with 504, and the session is as before.
    OfferTimedOut {
        /// The call.
        call: Call,
    },
    /// The network has changed and the way back is registered: send a re-INVITE with the new media address. Or the session has to be
    /// refreshed, and there was no room to keep the description that a refresh repeats: send one with the last description.
    RefreshDue {
        /// The call.
        call: Call,
    },
    /// The session was refreshed by a re-INVITE that repeats our description (RFC 4028 §10). The message's body is the peer's
    /// description, which is the one it had unless its `o=` says otherwise.
    Refreshed {
        /// The call.
        call: Call,
    },
    /// The call is over and its handle void. Every call has exactly one of these. When to call again a server that refused is
    /// the message's [`retry_after`](crate::message::Message::retry_after).
    Ended {
        /// The call.
        call: Call,
        /// By whom and why.
        cause: Cause,
        /// The SIP status that decided it; 0 when none did.
        status: u16,
    },
    /// The peer of a call asks us to send a request: to call whom Refer-To of the message names ([`Message::refer_to`]), for whom
    /// Referred-By says. Answer with [`UserAgent::follow_refer`](super::UserAgent::follow_refer), `accept_refer` or `reject_refer`.
    ///
    /// [`Message::refer_to`]: crate::message::Message::refer_to
    Refer {
        /// To be answered.
        referral: Referral,
        /// The call in whose dialog it came.
        call: Call,
    },
    /// The peer has accepted our REFER: it will try, and tell how it goes.
    ReferAccepted {
        /// The REFER.
        referral: Referral,
    },
    /// The peer tells how the request goes on that we asked for.
    ReferProgress {
        /// The REFER.
        referral: Referral,
        /// The SIP status of the last response that the peer got; 200 when whom we named has answered.
        status: u16,
    },
    /// A REFER, ours or the peer's, is over and its handle void. Every one has exactly one of these.
    ReferEnded {
        /// The REFER.
        referral: Referral,
        /// Why.
        cause: ReferCause,
        /// The SIP status: that of the request which was asked for, as far as it was told (0 when it was not), or the one that the REFER
        /// itself was answered with when `cause` is [`Refused`](ReferCause::Refused) or [`NotTold`](ReferCause::NotTold).
        status: u16,
    },
    /// A request that the core leaves to the application: one of [`Config::methods`](super::Config::methods).
    Request {
        /// To be answered with [`UserAgent::respond`](super::UserAgent::respond).
        request: IncomingRequest,
        /// The call in whose dialog it came.
        call: Option<Call>,
    },
    /// A response to a request that the application sent.
    Response {
        /// The request; void after a final response.
        request: OutgoingRequest,
        /// The SIP status; 408 when there was none in time, 503 when the flow failed (RFC 3261 §8.1.3.1).
        status: u16,
    },
    /// A request that the application sent was given up, for it could only have gone on in a less secure way; void from now on.
    RequestRefused {
        /// The request.
        request: OutgoingRequest,
        /// By which rule: [`Insecure`](Cause::Insecure), [`NoFallback`](Cause::NoFallback) or [`WeakDigest`](Cause::WeakDigest), which
        /// comes with the response.
        cause: Cause,
    },
    /// A request of ours is too large for a datagram, with compact header names too (RFC 3261 §18.1.1).
    ///
    /// A TCP connection is asked for. If none can be had this is told once more, and the request goes out as a datagram
    /// all the same, which may get lost on the way.
    Oversize {
        /// Whose request it is.
        of: Origin,
        /// How large it is, and how large it may be.
        sizes: Oversize,
        /// No connection was to be had: it goes as a datagram.
        by_datagram: bool,
    },
    /// The registrar holds our binding.
    Registered {
        /// The registration.
        registration: Registration,
        /// For how many seconds the binding is good; it is refreshed before.
        expires: u32,
    },
    /// The binding is removed and the handle void.
    Unregistered {
        /// The registration.
        registration: Registration,
    },
    /// The registrar refused, or did not answer, or the connection to it was lost.
    RegistrationFailed {
        /// The registration; void when `retry_after` is 0.
        registration: Registration,
        /// Why nothing is bound now.
        cause: RegistrationCause,
        /// The SIP status; 408 when there was none in time, 503 when the flow failed.
        status: u16,
        /// In how many seconds it is tried again, what Retry-After said if anything; 0 when it is given up.
        retry_after: u32,
    },
}

/// Why a registration failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RegistrationCause {
    /// The registrar, or a server on the way, refused with a final status.
    #[default]
    Refused = 0,
    /// The registrar accepted and granted our Contact no time at all, which is no binding.
    NotBound,
    /// The registrar did not respond at all.
    Timeout,
    /// The registrar's host can't be reached, its name not resolved, or its connection not opened; or the connection was
    /// lost again soon after the binding was made by it.
    Unreachable,
    /// The registrar grants so little time, again and again, that the binding has ended before it is worth another REGISTER.
    Lapsed,
    /// It had to go by TLS (a `sips` URI), and there is only a way without.
    Insecure,
    /// The registrar's first target is one under TLS and can't be reached; it has others without TLS, which are not tried in its place.
    NoFallback,
    /// The password was asked for by a weaker digest than [`Config::minimum_algorithm`](super::Config::minimum_algorithm), and was not given.
    WeakDigest,
}

/// Why a REFER is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReferCause {
    /// It was refused, by the peer or by our user.
    #[default]
    Refused = 0,
    /// The request that was asked for has its final status.
    Done,
    /// It was accepted, and nothing is told of it (RFC 4488).
    NotTold,
    /// The subscription ended before what was asked for had a final status; or our user did not answer in time.
    Expired,
    /// The peer did not respond, or no longer knows of it.
    Lost,
    /// There was no room to go on.
    NoRoom,
    /// The password was asked for by a weaker digest than [`Config::minimum_algorithm`](super::Config::minimum_algorithm), and was not given.
    WeakDigest,
}

/// What a request of ours belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Origin {
    /// A call: its INVITE, ACK, re-INVITE or BYE.
    Call(Call),
    /// A registration.
    Registration(Registration),
    /// A request of the application.
    Request(OutgoingRequest),
    /// A REFER, or a NOTIFY about one.
    Referral(Referral),
}

/// Who ended a call, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// Our user hung up, before or after the answer.
    #[default]
    LocalHangup = 0,
    /// The peer sent BYE.
    RemoteHangup,
    /// The caller gave up before we answered (CANCEL).
    Cancelled,
    /// The callee, or a server on the way, refused with a final status.
    Rejected,
    /// Our user refused the incoming call.
    Declined,
    /// Nobody answered within [`Config::ring_limit`](super::Config::ring_limit).
    NoAnswer,
    /// The peer did not respond at all.
    Timeout,
    /// The peer's host can't be reached, its name not resolved, or its connection not opened.
    Unreachable,
    /// The peer never acknowledged the answer, or a reliable provisional response.
    NoAck,
    /// The descriptions of the session do not fit: the peer's offer was refused with a 488 or 400, or its answer was none to ours.
    NotAcceptable,
    /// The peer no longer knows the dialog (481 or 408 to a request inside it).
    Lost,
    /// Nobody has refreshed the session in time (RFC 4028 §10).
    SessionExpired,
    /// Another call has taken its place (RFC 3891).
    Replaced,
    /// There was no room to go on.
    NoRoom,
    /// It had to go by TLS (a `sips` URI), and there is only a way without: a plain transport, Route, Contact or proxy.
    Insecure,
    /// The peer's first target is one under TLS and can't be reached; it has others without TLS, which are not tried in its place.
    NoFallback,
    /// The password was asked for by a weaker digest than [`Config::minimum_algorithm`](super::Config::minimum_algorithm), and was not given.
    WeakDigest,
}

impl Cause {
    /// What a log says of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalHangup => "hung up here",
            Self::RemoteHangup => "hung up by the peer",
            Self::Cancelled => "cancelled by the caller",
            Self::Rejected => "refused by the peer",
            Self::Declined => "refused here",
            Self::NoAnswer => "nobody answered",
            Self::Timeout => "no response",
            Self::Unreachable => "the peer can't be reached",
            Self::Insecure => "the peer can't be reached by TLS, which was asked for",
            Self::NoFallback => "the peer can't be reached by TLS, and is not tried without it",
            Self::WeakDigest => "the password was asked for by a weaker digest than is allowed",
            Self::NoAck => "the answer was never acknowledged",
            Self::NotAcceptable => "the session could not be agreed",
            Self::Lost => "the peer no longer knows the call",
            Self::SessionExpired => "the session was not refreshed",
            Self::Replaced => "replaced by another call",
            Self::NoRoom => "no room to go on",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
