//! What a REGISTER does to the bindings of one address of record (RFC 3261 §10.3 steps 6 and 7): a pure decision over the whole set.
//!
//! | the binding of a Contact | CSeq | becomes |
//! |---|---|---|
//! | none | | added; nothing with `expires=0` |
//! | there, with another Call-ID | | refreshed, or removed with `expires=0` |
//! | there, with this Call-ID | higher | the same |
//! | | equal | left alone: the request is a repetition |
//! | | lower | all is refused, unless the request's nonce is a later one: a phone that has begun anew |
//!
//! Nothing is half done: a Contact that is refused refuses all. A `q` or `expires` that is malformed, as `q=1.5` is, counts as one that is
//! not there, and so `q` as 1.0: what is malformed and not needed is ignored (RFC 3261 §8.2), and a phone with a slip is reached all the
//! same.

use super::policy::Policy;
use crate::digest::NonceOrder;
use crate::message::{Message, NameAddr, Uri};

/// The most contacts of an address of record, whatever [`Policy::most_contacts`] says, and the most of a REGISTER.
pub const MOST_CONTACTS: usize = 32;

/// A REGISTER as the decision sees it.
#[derive(Clone, Copy, Debug)]
pub struct Command<'m, 'a> {
    /// The request.
    pub request: &'m Message<'a>,
    /// What its credentials prove of its order; [`NonceOrder::ZERO`] when they were not asked for.
    pub order: NonceOrder,
    /// Whether `reg-id` and the instance identify a binding (RFC 5626 §6).
    pub outbound: bool,
}

/// A binding as the decision sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Current<'a> {
    /// The URI of its contact.
    pub contact: &'a [u8],
    /// Its instance; empty for none.
    pub instance: &'a [u8],
    /// Its `reg-id`; zero when it does not identify the binding.
    pub reg_id: u32,
    /// The Call-ID of the request that made it or refreshed it.
    pub call_id: &'a [u8],
    /// The CSeq of that request.
    pub cseq: u32,
    /// What the credentials of that request proved.
    pub order: NonceOrder,
    /// Seconds until it expires.
    pub expires: u32,
}

/// What a contact gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which of the request's contacts, from zero.
    pub contact: u8,
    /// Seconds until it expires.
    pub expires: u32,
    /// The preference in thousandths.
    pub q: u16,
}

/// What becomes of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Keep,
    /// It is refreshed.
    Refresh(Grant),
    /// It goes.
    Remove,
}

/// What a request does to a set, to be done at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What becomes of each binding, in their order.
    pub fates: heapless::Vec<Fate, MOST_CONTACTS>,
    /// What is added.
    pub added: heapless::Vec<Grant, MOST_CONTACTS>,
}

impl Commit {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.fates.iter().all(|fate| *fate == Fate::Keep)
    }
}

/// Why a REGISTER was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// A Contact or Path that is malformed, or `*` with another Contact or without `Expires: 0`: 400.
    BadRequest,
    /// A Contact that is the registrar itself, or more than may be bound: 403.
    Forbidden,
    /// There is no such address of record: 404.
    NotFound,
    /// The client can't speak of the Path that is to be stored (RFC 3327 §5.3): 421.
    NoPathSupport,
    /// It expires too soon: 423, with this as Min-Expires.
    TooBrief(u32),
    /// The first hop does not speak outbound (RFC 5626 §6): 439.
    FirstHopLacksOutbound,
    /// A later request of this Call-ID came before: 500, so that the client tries again with a higher CSeq. The RFC names no status;
    /// this is the one that it has for a lower CSeq in a dialog (§12.2.2).
    OutOfOrder,
    /// There is no room: 503.
    Full,
}

impl Refusal {
    /// The status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::NoPathSupport => 421,
            Self::TooBrief(_) => 423,
            Self::FirstHopLacksOutbound => 439,
            Self::OutOfOrder => 500,
            Self::Full => 503,
        }
    }
}

/// Decides what a REGISTER does to the bindings of its address of record. `own` tells whether a contact is the registrar itself,
/// to which nothing may lead back.
///
/// # Errors
/// Why it is refused, all of it.
pub fn decide(
    command: &Command<'_, '_>,
    current: &[Current<'_>],
    policy: &Policy,
    own: &dyn Fn(&Uri<'_>) -> bool,
) -> Result<Commit, Refusal> {
    let mut commit = Commit::default();
    for _ in current {
        commit.fates.push(Fate::Keep).map_err(|_| Refusal::Forbidden)?;
    }
    if command.request.contact_is_wildcard() {
        return remove_all(command, current, commit);
    }
    for (number, contact) in command.request.contacts().enumerate() {
        let contact = contact.map_err(|_| Refusal::BadRequest)?;
        let uri = contact.uri().map_err(|_| Refusal::BadRequest)?;
        let number = u8::try_from(number).ok().filter(|number| usize::from(*number) < MOST_CONTACTS);
        let number = number.ok_or(Refusal::Forbidden)?;
        if own(&uri) {
            return Err(Refusal::Forbidden);
        }
        let expires = lifetime(command.request, &contact, policy)?;
        let grant = Grant { contact: number, expires, q: contact.q().unwrap_or(1000) };
        match current.iter().position(|one| is_binding_of(command, one, &contact, &uri)) {
            Some(place) => {
                let (Some(one), Some(fate)) = (current.get(place), commit.fates.get_mut(place)) else { continue };
                *fate = bound(command, one, grant)?;
            }
            None => add(command, &mut commit, grant, &contact, &uri)?,
        }
    }
    within_most(current, policy, commit)
}

/// `*` removes all, and what is there has to be older (§10.3 step 6).
fn remove_all(command: &Command<'_, '_>, current: &[Current<'_>], mut commit: Commit) -> Result<Commit, Refusal> {
    if command.request.expires() != Some(0) {
        return Err(Refusal::BadRequest);
    }
    if !current.iter().all(|one| is_later(command, one)) {
        return Err(Refusal::OutOfOrder);
    }
    for fate in &mut commit.fates {
        *fate = Fate::Remove;
    }
    Ok(commit)
}

/// How long a contact lasts: its own parameter, or Expires, or the default, within the limits (§10.3 step 7); zero removes it.
fn lifetime(request: &Message<'_>, contact: &NameAddr<'_>, policy: &Policy) -> Result<u32, Refusal> {
    let wanted = contact.expires().or_else(|| request.expires()).unwrap_or(policy.default_expires);
    match wanted {
        0 => Ok(0),
        brief if brief < policy.min_expires => Err(Refusal::TooBrief(policy.min_expires)),
        long => Ok(long.min(policy.max_expires)),
    }
}

/// Whether a contact is that of a binding: the same flow of the same instance (RFC 5626 §6), or an equivalent URI (§19.1.4).
fn is_binding_of(command: &Command<'_, '_>, one: &Current<'_>, contact: &NameAddr<'_>, uri: &Uri<'_>) -> bool {
    let (instance, reg_id) = identity(command, contact);
    if reg_id != 0 && one.reg_id != 0 {
        return one.reg_id == reg_id && one.instance == instance;
    }
    one.contact == uri.raw() || Uri::parse(one.contact).is_ok_and(|one| one.equivalent(uri))
}

/// The instance and `reg-id` by which a contact is known; empty and zero when it is known by its URI.
pub(super) fn identity<'a>(command: &Command<'_, '_>, contact: &NameAddr<'a>) -> (&'a [u8], u32) {
    match (contact.instance(), contact.reg_id()) {
        (Some(instance), Some(reg_id)) if command.outbound => (instance, reg_id),
        (instance, _) => (instance.unwrap_or_default(), 0),
    }
}

/// Whether the request was sent after the one that a binding is from.
fn is_later(command: &Command<'_, '_>, one: &Current<'_>) -> bool {
    let cseq = command.request.cseq().number;
    one.call_id != command.request.call_id() || cseq > one.cseq || has_newer_nonce(command, one)
}

/// Whether the credentials prove that the request is the later one: a phone that has begun anew counts its CSeq anew, some
/// with the Call-ID that they had.
fn has_newer_nonce(command: &Command<'_, '_>, one: &Current<'_>) -> bool {
    command.order > one.order
}

/// What becomes of a binding for which there is a contact.
fn bound(command: &Command<'_, '_>, one: &Current<'_>, grant: Grant) -> Result<Fate, Refusal> {
    if is_later(command, one) {
        return Ok(if grant.expires == 0 { Fate::Remove } else { Fate::Refresh(grant) });
    }
    // The same request again: its answer was lost. One that removes is no repetition of one that has bound.
    if command.request.cseq().number == one.cseq && grant.expires > 0 {
        return Ok(Fate::Keep);
    }
    Err(Refusal::OutOfOrder)
}

/// Adds a contact. Of two that are the same in one request the last one counts.
fn add(
    command: &Command<'_, '_>,
    commit: &mut Commit,
    grant: Grant,
    contact: &NameAddr<'_>,
    uri: &Uri<'_>,
) -> Result<(), Refusal> {
    let (instance, reg_id) = identity(command, contact);
    let same = |before: &Grant| {
        let before = command.request.contacts().nth(usize::from(before.contact)).and_then(Result::ok);
        before.is_some_and(|before| {
            let Ok(before_uri) = before.uri() else { return false };
            let one = identity(command, &before);
            if reg_id != 0 && one.1 != 0 { one == (instance, reg_id) } else { before_uri.equivalent(uri) }
        })
    };
    commit.added.retain(|before| !same(before));
    if grant.expires > 0 {
        commit.added.push(grant).map_err(|_| Refusal::Forbidden)?;
    }
    Ok(())
}

/// Refuses more contacts than may be bound, or lets those make room that expire first.
fn within_most(current: &[Current<'_>], policy: &Policy, mut commit: Commit) -> Result<Commit, Refusal> {
    let most = usize::from(policy.most_contacts).min(MOST_CONTACTS);
    loop {
        let left = commit.fates.iter().filter(|fate| **fate != Fate::Remove).count();
        if commit.added.is_empty() || left.saturating_add(commit.added.len()) <= most {
            return Ok(commit);
        }
        if !policy.replace_oldest {
            return Err(Refusal::Forbidden);
        }
        let kept = current.iter().zip(&mut commit.fates).filter(|(_, fate)| **fate == Fate::Keep);
        let Some((_, fate)) = kept.min_by_key(|(one, _)| one.expires) else { return Err(Refusal::Forbidden) };
        *fate = Fate::Remove;
    }
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
