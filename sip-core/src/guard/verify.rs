//! What credentials prove (RFC 3261 §22.4, RFC 7616 §3.4.6).

use super::nonce::{self, Host, Scope};
use super::{Guard, Nonces, Secrets, lockout};
use crate::digest::{Algorithm, Hex, Inputs, NonceOrder, Secret, auth_ha2, response_with};
use crate::message::{Credentials, Message, Uri};
use crate::random::{HashKey, Key};
use crate::time::Instant;
use crate::transport::Address;

/// What is known of who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Verdict {
    /// It is the user of the credentials. The order tells which of two requests of that user was sent later.
    Good(NonceOrder),
    /// The user has to be asked: there are no credentials that can be judged, or (stale) their nonce can't be used: it is too old, was
    /// issued to another host or by nobody here, or has been used.
    Challenge {
        /// Whether a client has only to answer again, and its user is not to be asked for a password.
        stale: bool,
    },
    /// The digest is wrong, and was counted.
    Wrong,
    /// There is no such user; to be answered as [`Wrong`](Self::Wrong) is. It was counted too.
    Unknown,
    /// Too many digests of this source or of this user were wrong; nothing was computed.
    Locked,
    /// The credentials are for another Request-URI (RFC 7616 §3.4.6: 400).
    Misdirected,
}

/// Who has sent a request, as far as that is known without credentials.
#[derive(Clone, Copy)]
pub struct Sender<'s> {
    /// Where it came from.
    pub address: Address,
    /// Whether the user of the credentials is known to be there, as one who has registered from there is. Such a one is not locked
    /// out by those who guess at the password elsewhere.
    pub is_known: &'s dyn Fn() -> bool,
}

impl Sender<'static> {
    /// A sender of whom nothing but the address is known.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self { address, is_known: &|| false }
    }
}

/// The credentials of a request that are to be judged: those of Digest for this realm, the strongest algorithm that is
/// offered first.
#[must_use]
pub fn claim<'a>(request: &Message<'a>, realm: &[u8], proxy: bool) -> Option<Credentials<'a>> {
    let of_realm = |one: &Credentials<'_>| {
        one.proxy == proxy
            && one.realm == realm
            && one.scheme.eq_ignore_ascii_case(b"Digest")
            && is_offered(one.algorithm)
    };
    request.credentials().filter(of_realm).max_by_key(|one| one.algorithm.strength())
}

/// Whether the algorithm is one of those that a guard offers.
pub(super) const fn is_offered(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Md5 | Algorithm::Sha256)
}

/// The last hash of method and URI: a domain's phones all send REGISTER to the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastHa2 {
    of: Key,
    hash: Hex,
}

impl LastHa2 {
    pub(super) const ZERO: Self = Self { of: Key::ZERO, hash: Hex::ZERO };

    fn of(&mut self, key: HashKey, method: &[u8], uri: &[u8]) -> &Hex {
        // Its 128 bits stand for the octets themselves.
        let of = key.hasher().part(method).part(uri).finish();
        if of != self.of {
            *self = Self { of, hash: auth_ha2(method, uri) };
        }
        &self.hash
    }
}

impl Guard {
    /// Judges credentials that [`claim`] found in a request of `sender`; `secrets` are what is known of their user, `None`
    /// when there is no such user, which takes as long.
    ///
    /// Only a digest that is wrong under a nonce of the sender's own counts against its host and the user: see the [lock-out](super#lock-out).
    pub fn verify(
        &mut self,
        now: Instant,
        nonces: &mut Nonces<'_>,
        request: &Message<'_>,
        sender: Sender<'_>,
        claim: &Credentials<'_>,
        secrets: Option<&Secrets<'_>>,
    ) -> Verdict {
        // Without qop nothing protects from replay, and with auth-int there was no offer: it is answered as if it were not there.
        let count = claim.nc.and_then(nonce_count);
        let (Some(count), Some(cnonce), Some(qop)) = (count, claim.cnonce, claim.qop) else {
            return Verdict::Challenge { stale: false };
        };
        if !qop.eq_ignore_ascii_case(b"auth") || !is_offered(claim.algorithm) {
            return Verdict::Challenge { stale: false };
        }
        if !request.request_uri().is_some_and(|uri| is_for(claim.uri, uri)) {
            return Verdict::Misdirected;
        }
        // What is not judged is not counted, and tells nothing: a stranger could have it counted for others, or guess without end.
        let host = Host::of(sender.address);
        let scope = Scope { realm: claim.realm, proxy: claim.proxy, host };
        let latest = self.seconds(now);
        let oldest = latest.saturating_sub(self.life);
        let number = nonce::read(&self.key, scope, claim.nonce);
        // One from a time to come was issued before the clock was set back.
        let Some((issued, counter)) = number.filter(|(issued, _)| (oldest..=latest).contains(issued)) else {
            return Verdict::Challenge { stale: true };
        };
        let user = self.hash.hasher().part(claim.realm).part(claim.username).finish();
        let from = self.hash.hasher().part(host.as_bytes()).finish();
        let owner = user.bucket_bits();
        let limits = self.limits;
        // Who has proven to be the user lately is not locked out by those who have not.
        if !self.window.is_proven(&nonces.table, (issued, counter), owner)
            && (lockout::is_locked(nonces.buckets, now, from, limits.source)
                || lockout::is_locked(nonces.buckets, now, user, limits.user) && !(sender.is_known)())
        {
            return Verdict::Locked;
        }
        if let Some(secrets) = secrets {
            self.has_passwords = secrets.password.is_some() && secrets.md5.is_none() && secrets.sha256.is_none();
        }
        let (known, secret) = secret_for(claim.algorithm, secrets, self.has_passwords);
        let right = self.is_right(request, claim, cnonce, secret);
        if !(known & right) {
            lockout::count(nonces.buckets, now, from, limits.source);
            lockout::count(nonces.buckets, now, user, limits.user);
            return if known { Verdict::Wrong } else { Verdict::Unknown };
        }
        let order = NonceOrder { issued, counter, count };
        if self.window.take(&mut nonces.table, order, oldest, owner) {
            Verdict::Good(order)
        } else {
            Verdict::Challenge { stale: true }
        }
    }

    /// Whether the response of a claim is the one that this secret gives.
    fn is_right(&mut self, request: &Message<'_>, claim: &Credentials<'_>, cnonce: &[u8], secret: Secret<'_>) -> bool {
        let inputs = Inputs {
            algorithm: claim.algorithm,
            username: claim.username,
            realm: claim.realm,
            secret,
            nonce: claim.nonce,
            method: request.method().as_bytes(),
            uri: claim.uri,
            cnonce,
            nc: claim.nc,
            body: None,
        };
        let ha2 = (claim.algorithm == Algorithm::Sha256).then(|| self.ha2.of(self.hash, inputs.method, inputs.uri));
        response_with(&inputs, ha2).is_some_and(|computed| computed.matches(claim.response))
    }
}

/// What the digest is computed with; for a user who is not known, or whose HA1 for this algorithm is not, one that is
/// nobody's, so that the answer takes as long: with a password to be hashed where users are kept with theirs.
fn secret_for<'s>(algorithm: Algorithm, secrets: Option<&Secrets<'s>>, passwords: bool) -> (bool, Secret<'s>) {
    let found = secrets.and_then(|secrets| match (algorithm, secrets.md5, secrets.sha256) {
        (Algorithm::Md5, Some(ha1), _) => Some(Secret::Md5(ha1)),
        (Algorithm::Sha256, _, Some(ha1)) => Some(Secret::Sha256(ha1)),
        _ => secrets.password.map(Secret::Password),
    });
    match (found, algorithm) {
        (Some(secret), _) => (true, secret),
        (None, _) if passwords => (false, Secret::Password(b"nobody's")),
        (None, Algorithm::Md5) => (false, Secret::Md5([0; 16])),
        (None, _) => (false, Secret::Sha256([0; 32])),
    }
}

/// Eight hexadecimal digits.
fn nonce_count(digits: &[u8]) -> Option<u32> {
    let digits: &[u8; 8] = digits.try_into().ok()?;
    digits.iter().try_fold(0, |count: u32, digit| Some(count << 4 | char::from(*digit).to_digit(16)?))
}

/// Whether credentials made for one URI are meant for a request to the other: the same scheme, user, host and port. What a
/// server on the way may have added are parameters.
fn is_for(claimed: &[u8], uri: &[u8]) -> bool {
    if claimed == uri {
        return true;
    }
    let (Ok(claimed), Ok(uri)) = (Uri::parse(claimed), Uri::parse(uri)) else { return false };
    claimed.same_address(&uri)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
