//! Requests of the application, and those of peers that it answers (RFC 3261 §8).
//!
//! This usage has no machine, and no entry. It lasts as long as one transaction, whose figure says all: Figure 6 of RFC 3261 for
//! a request of ours, Figure 8 for one of the peer (`transaction/client.rs`, `server.rs`). A state of its own would repeat theirs.
//! What it adds is a number, by which the application knows the request: that is the transaction's user, with the count of its
//! credentials, and is void with the final response or the failure. A request that makes a dialog, or is refreshed, is a
//! usage of its own.

use crate::error::{Argument, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event, IncomingRequest, OutgoingRequest};
use crate::ua::headers::Field;
use crate::ua::outside::{Parties, check_target};
use crate::ua::usage::invite::update::UPDATE;
use crate::ua::usage::{Failure, UsageId};

/// Which request a transaction of this usage carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum RequestTransaction {
    /// One of the application, by its number.
    Outgoing(u32),
    /// One of the peer that the application answers.
    Incoming,
}

impl<O: Octets> Context<'_, O> {
    /// Sends a request of the application outside of any dialog.
    pub(in crate::ua) fn request(
        &mut self,
        method: Method<'_>,
        target: &str,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        check_method(method)?;
        content.check()?;
        let uri = check_target(target)?;
        let flow = self.flow_to(&uri);
        let number = self.next_request();
        let parties = Parties::Given { target: target.as_bytes(), from: b"" };
        let head = self.new_head(method, parties, None, &Answers::NONE);
        let rows = [Field::contact_for(target.as_bytes()), Field::UserAgent];
        self.send_outside(
            &head,
            flow,
            UsageId::Request(RequestTransaction::Outgoing(number)).new_user(),
            &rows,
            content,
        )?;
        Ok(OutgoingRequest(number))
    }

    /// Sends a request of the application inside a call's dialog.
    pub(in crate::ua) fn request_in_call(
        &mut self,
        call: Handle,
        method: Method<'_>,
        content: &Content<'_>,
    ) -> Result<OutgoingRequest, Error> {
        check_method(method)?;
        content.check()?;
        let dialog = self.confirmed_dialog(call)?;
        let number = self.next_request();
        self.send_in_dialog(
            dialog,
            method,
            UsageId::Request(RequestTransaction::Outgoing(number)).new_user(),
            Block::NONE,
            content,
        )?;
        Ok(OutgoingRequest(number))
    }

    fn next_request(&mut self) -> u32 {
        self.core.requests = self.core.requests.wrapping_add(1);
        self.core.requests
    }

    /// Gives a request to the application.
    pub(in crate::ua) fn hand_over(&mut self, request: &Message<'_>, call: Option<Call>) -> Received<Event> {
        let tag = self.core.random.token();
        let user = UsageId::Request(RequestTransaction::Incoming).new_user();
        match self.open_transaction(request, tag.as_bytes(), user, false) {
            Ok(id) => Received::Event(Event::Request { request: IncomingRequest(id), call }),
            Err(_) => {
                self.refuse_for_room(request);
                Received::Nothing
            }
        }
    }

    /// The application's answer to a request that was given to it.
    pub(in crate::ua) fn respond(
        &mut self,
        request: IncomingRequest,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        content.check()?;
        if !(101..=699).contains(&status) {
            return Err(Error::Invalid(Argument::Status));
        }
        if !self.transactions.is_server(request.0) {
            return Err(Error::Gone);
        }
        self.respond_with(request.0, status, true, &[Field::Server], content)
    }

    /// A response to a request of the application.
    pub(in crate::ua) fn request_response(
        &mut self,
        which: RequestTransaction,
        response: &Message<'_>,
    ) -> Received<Event> {
        match (which, response.status()) {
            (RequestTransaction::Outgoing(number), _) if cfg!(feature = "digest") && self.too_weak => {
                Received::Event(Event::RequestRefused { request: OutgoingRequest(number), cause: Cause::WeakDigest })
            }
            (RequestTransaction::Outgoing(number), Some(status)) if status != 100 => {
                Received::Event(Event::Response { request: OutgoingRequest(number), status })
            }
            _ => Received::Nothing,
        }
    }
}

impl RequestTransaction {
    /// The event that no response will come.
    pub(in crate::ua) fn on_failure(self, failure: Failure) -> Option<Event> {
        match self {
            Self::Outgoing(number) => {
                let request = OutgoingRequest(number);
                Some(match failure {
                    Failure::Insecure if cfg!(feature = "streams") => {
                        Event::RequestRefused { request, cause: Cause::Insecure }
                    }
                    Failure::NoFallback if cfg!(feature = "streams") => {
                        Event::RequestRefused { request, cause: Cause::NoFallback }
                    }
                    _ => Event::Response { request, status: failure.status() },
                })
            }
            Self::Incoming => None,
        }
    }
}

/// Refuses methods whose transactions the core makes itself.
fn check_method(method: Method<'_>) -> Result<(), Error> {
    match method {
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Register => {
            Err(Error::Invalid(Argument::OwnMethod))
        }
        Method::Extension(name) if Method::parse(name).is_none() => Err(Error::Invalid(Argument::Method)),
        Method::Update if UPDATE => Err(Error::Invalid(Argument::OwnMethod)),
        _ => Ok(()),
    }
}
