//! Answering challenges (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! A **credential** is what the application gave for a realm; a **session** is a realm's last challenge, kept so that later
//! requests of the same call or registration carry an answer at once, with the next nonce count.

use super::context::Context;
use super::usage::{Tries, UsageId};
use crate::digest::{Algorithm, Answer, Inputs, Qop, Secret, Terms, response, write_authorization};
use crate::error::{Argument, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Challenge, Credentials, HeaderName, Headers, Kept, Message, Method, Writer, build};
use crate::random::Token;
use crate::transaction::{NewClient, TransactionId, User};
use crate::transport::{Flow, Transport};

/// Credentials that a user agent takes.
pub const MAX_CREDENTIALS: usize = 4;
/// Realms whose challenges are remembered.
const MAX_SESSIONS: usize = 4;
/// Realms that one request answers; the first two of them are answered at once by what follows it.
const MAX_ANSWERS: usize = MAX_SESSIONS;
/// How often one request is sent again with other credentials, in all.
pub(super) const MAX_TRIES: u8 = 6;

/// What a user agent knows to authenticate with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sessions {
    credentials: [Credential; MAX_CREDENTIALS],
    sessions: [Session; MAX_SESSIONS],
    made: u32,
}

/// Realm, user name and password, one behind the other in a block.
#[derive(Clone, Copy, Debug)]
struct Credential {
    block: Block,
    realm: u16,
    username: u16,
}

impl Credential {
    /// User name and password.
    fn texts<'k>(&self, kept: &'k [u8]) -> (&'k [u8], &'k [u8]) {
        let (_, rest) = kept.split_at_checked(usize::from(self.realm)).unwrap_or_default();
        rest.split_at_checked(usize::from(self.username)).unwrap_or_default()
    }
}

/// The last challenge of a realm: realm, nonce and opaque, one behind the other in a block.
#[derive(Clone, Copy, Debug)]
struct Session {
    /// Names the session in calls and registrations; 0 is free.
    number: u32,
    block: Block,
    realm: u16,
    nonce: u16,
    algorithm: Algorithm,
    /// How many requests have answered this nonce.
    count: u32,
    credential: u8,
    has_opaque: bool,
    qop: Option<Qop>,
    proxy: bool,
}

impl Session {
    const ZERO: Self = Self {
        number: 0,
        block: Block::NONE,
        realm: 0,
        nonce: 0,
        algorithm: Algorithm::Md5,
        count: 0,
        credential: 0,
        has_opaque: false,
        qop: None,
        proxy: false,
    };

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn terms<'k>(&self, kept: &'k [u8]) -> Terms<'k> {
        let (realm, rest) = kept.split_at_checked(usize::from(self.realm)).unwrap_or_default();
        let (nonce, opaque) = rest.split_at_checked(usize::from(self.nonce)).unwrap_or_default();
        Terms {
            realm,
            nonce,
            opaque: self.has_opaque.then_some(opaque),
            algorithm: self.algorithm,
            qop: self.qop,
            proxy: self.proxy,
        }
    }
}

impl Sessions {
    pub(super) const ZERO: Self = Self {
        credentials: [Credential { block: Block::NONE, realm: 0, username: 0 }; MAX_CREDENTIALS],
        sessions: [Session::ZERO; MAX_SESSIONS],
        made: 0,
    };

    /// Where the session of this number is; none for 0, and when its challenge is forgotten.
    fn place(&self, number: u32) -> Option<usize> {
        self.sessions.iter().position(|session| number != 0 && session.number == number)
    }

    /// Where the session of a realm is; with a nonce, if that is the nonce of its last challenge.
    #[inline(never)]
    fn find<'k>(
        &self,
        kept: &dyn Fn(Block) -> &'k [u8],
        (proxy, realm): (bool, &[u8]),
        nonce: Option<&[u8]>,
    ) -> Option<usize> {
        self.sessions.iter().position(|session| {
            let terms = session.terms(kept(session.block));
            session.number != 0
                && (session.proxy, terms.realm) == (proxy, realm)
                && nonce.is_none_or(|nonce| nonce == terms.nonce)
        })
    }

    /// The credential for a realm: the one given for it, or else the one given for any.
    fn credential_for<O: Octets>(&self, realm: &[u8], octets: &O) -> Option<u8> {
        let mut found = None;
        for (place, credential) in (0..).zip(&self.credentials) {
            let given = octets.get(credential.block).get(..usize::from(credential.realm)).unwrap_or_default();
            if credential.block.is_none() || !given.is_empty() && given != realm {
                continue;
            }
            if found.is_none() || !given.is_empty() {
                found = Some(place);
            }
        }
        found
    }

    /// Feeds the challenges that are remembered to `hasher`.
    pub(super) fn fingerprint<O: Octets>(&self, octets: &O, hasher: &mut impl core::hash::Hasher) {
        use core::hash::Hash as _;
        for session in &self.sessions {
            octets.get(session.block).hash(hasher);
            (session.algorithm, session.count, session.credential, session.qop, session.proxy).hash(hasher);
        }
        for credential in &self.credentials {
            octets.get(credential.block).hash(hasher);
        }
    }
}

/// The credentials for one request, ready to be written any number of times.
pub(super) struct Answers {
    /// The sessions to answer; 0 is none.
    sessions: [u32; MAX_ANSWERS],
    cnonce: Token,
}

impl Answers {
    /// No credentials.
    pub(super) const NONE: Self = Self { sessions: [0; MAX_ANSWERS], cnonce: Token::ZERO };

    /// The sessions that are answered.
    fn of<'s>(&self, store: &'s Sessions) -> impl Iterator<Item = &'s Session> {
        self.sessions.iter().filter_map(|number| store.place(*number).and_then(|place| store.sessions.get(place)))
    }

    /// Whether there is a row for the realm of these credentials.
    fn has(&self, store: &Sessions, kept: &impl KeptBlocks, given: &Credentials<'_>) -> bool {
        let found = store.find(&|block| kept.get(block), (given.proxy, given.realm), None);
        found.and_then(|place| store.sessions.get(place)).is_some_and(|session| self.sessions.contains(&session.number))
    }

    /// Writes the Authorization and Proxy-Authorization rows for a request.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn write(
        &self,
        store: &Sessions,
        kept: &impl KeptBlocks,
        writer: &mut Writer<'_>,
        (method, uri, body): (Method<'_>, &[u8], &[u8]),
    ) {
        if !cfg!(feature = "digest") {
            return;
        }
        for session in self.of(store) {
            let terms = session.terms(kept.get(session.block));
            let Some(credential) = store.credentials.get(usize::from(session.credential)) else { continue };
            let (username, password) = credential.texts(kept.get(credential.block));
            let (secret, nc, cnonce) = (Secret::Password(password), session.count, self.cnonce.as_bytes());
            let answer = Answer { username, secret, method, uri, nc, cnonce, body };
            // The algorithm is one that was found supported when the challenge came.
            let _ = write_authorization(writer, &terms, &answer);
        }
    }
}

impl<O: Octets> Context<'_, O> {
    /// Keeps a credential for a realm, empty for any; one for the same realm is replaced.
    pub(super) fn add_credentials(&mut self, realm: &[u8], username: &[u8], password: &[u8]) -> Result<(), Error> {
        let length = |text: &[u8]| u16::try_from(text.len()).map_err(|_| Error::Invalid(Argument::Credentials));
        let (realm_length, username_length, _) = (length(realm)?, length(username)?, length(password)?);
        let octets = &*self.transactions.octets;
        let same = |credential: &Credential| {
            !credential.block.is_none()
                && octets.get(credential.block).get(..usize::from(credential.realm)) == Some(realm)
        };
        let credentials = &self.core.sessions.credentials;
        let place = credentials
            .iter()
            .position(same)
            .or_else(|| credentials.iter().position(|credential| credential.block.is_none()))
            .ok_or(Error::Invalid(Argument::MoreCredentials))?;
        let size = realm.len().wrapping_add(username.len()).wrapping_add(password.len());
        let block = self.transactions.octets.write(size, false, |_, writer| {
            for text in &[realm, username, password] {
                writer.raw(text);
            }
        })?;
        if let Some(credential) = self.core.sessions.credentials.get_mut(place) {
            self.transactions.octets.release(credential.block);
            *credential = Credential { block, realm: realm_length, username: username_length };
        }
        Ok(())
    }

    /// The rows for a request that answers these sessions once more; each answer takes the next nonce count.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn answers(&mut self, sessions: [u32; 2]) -> Answers {
        let [first, second] = sessions;
        self.answers_to([first, second, 0, 0])
    }

    fn answers_to(&mut self, sessions: [u32; MAX_ANSWERS]) -> Answers {
        let store = &mut self.core.sessions;
        for number in sessions {
            if let Some(session) = store.place(number).and_then(|place| store.sessions.get_mut(place)) {
                session.count = session.count.saturating_add(1);
            }
        }
        Answers { sessions, cnonce: self.core.random.token() }
    }

    /// Sends a challenged request again with credentials, if there are any that were not refused already.
    ///
    /// For each realm the challenge of the strongest supported algorithm counts, the topmost of equals; an unknown one is
    /// passed over (RFC 8760 §2.4 has the server list the strongest first: who reorders them on the way gains nothing). A
    /// nonce that is called stale is worth another try. So is one that differs from the one answered when that was of an earlier
    /// request: many servers don't say that it has grown old. A challenge that was answered at once and comes again means a wrong
    /// password, whatever its nonce (RFC 7616 §3.3, RFC 3261 §22.1). On success the new transaction has the same owner and the sessions used are returned.
    #[inline(never)]
    pub(super) fn authenticate(
        &mut self,
        id: TransactionId,
        owner: UsageId,
        tries: Tries,
        response: &Message<'_>,
    ) -> Option<(TransactionId, [u32; 2])> {
        if tries.total >= MAX_TRIES {
            return None;
        }
        let mut sessions = [0; MAX_ANSWERS];
        let mut repeated = false;
        for challenge in response.challenges() {
            let strength = challenge.algorithm.strength();
            if !challenge.is_supported() {
                continue;
            }
            let octets = &*self.transactions.octets;
            let store = &self.core.sessions;
            let Some(credential) = store.credential_for(challenge.realm, octets) else { continue };
            if strength < self.core.settings.minimum_algorithm.strength() {
                self.too_weak = true;
                continue;
            }
            let place = store.find(&|block| octets.get(block), (challenge.proxy, challenge.realm), None);
            let (number, known) = place
                .and_then(|place| store.sessions.get(place))
                .map_or((0, 0), |session| (session.number, session.algorithm.strength()));
            let slot = |number: u32| sessions.iter().position(|taken| *taken == number);
            let chosen = slot(number).filter(|_| number != 0);
            if chosen.is_none() {
                let request = octets.get(self.transactions.block(id));
                if let Some(previous) = credentials(request).find(|given| answers(&challenge, given)) {
                    let is_fresh = tries.total > 0 && is_first_use(&previous);
                    if !challenge.stale && (previous.nonce == challenge.nonce || tries.repeated > 0 || is_fresh) {
                        self.too_weak = false;
                        return None;
                    }
                    repeated = true;
                }
            } else if known >= strength {
                continue;
            }
            let Some(slot) = chosen.or_else(|| slot(0)).and_then(|slot| sessions.get_mut(slot)) else { break };
            *slot = self.keep_session(&challenge, credential, place).ok()?;
        }
        if sessions.first() == Some(&0) {
            return None;
        }
        self.add_given(id, &mut sessions);
        let owner_tries =
            Tries { total: tries.total.wrapping_add(1), repeated: tries.repeated.wrapping_add(u8::from(repeated)) };
        let fresh = self.answers_to(sessions);
        let again = Again { answers: &fresh, renumbered: true, ..Again::NOTHING };
        let new = self.send_again(id, response.cseq().method, (owner, owner_tries), &again)?;
        let [first, second, ..] = sessions;
        Some((new, [first, second]))
    }

    /// Adds the sessions of other realms that a request answered: they go along with their next nonce count.
    fn add_given(&self, id: TransactionId, sessions: &mut [u32; MAX_ANSWERS]) {
        let octets = &*self.transactions.octets;
        let store = &self.core.sessions;
        for given in credentials(octets.get(self.transactions.block(id))) {
            let place = store.find(&|block| octets.get(block), (given.proxy, given.realm), Some(given.nonce));
            let Some(session) = place.and_then(|place| store.sessions.get(place)) else { continue };
            // Its own slot, if it has one already.
            if let Some(slot) = sessions.iter_mut().find(|number| **number == 0 || **number == session.number) {
                *slot = session.number;
            }
        }
    }

    /// Remembers a challenge as its realm's last, in the place of the one before; the number of its session.
    fn keep_session(&mut self, challenge: &Challenge<'_>, credential: u8, known: Option<usize>) -> Result<u32, Error> {
        let store = &self.core.sessions;
        let oldest =
            || store.sessions.iter().enumerate().min_by_key(|(_, session)| session.number).map(|(place, _)| place);
        let place = known.or_else(oldest).unwrap_or(0);
        let (realm, nonce, opaque) = (challenge.realm, challenge.nonce, challenge.opaque.unwrap_or_default());
        let block = self.transactions.octets.write(256, false, |_, writer| {
            [realm, nonce, opaque].iter().for_each(|text| writer.raw(text));
        })?;
        let number = self.core.sessions.made.wrapping_add(1).max(1);
        self.core.sessions.made = number;
        if let Some(session) = self.core.sessions.sessions.get_mut(place) {
            self.transactions.octets.release(session.block);
            *session = Session {
                number,
                block,
                realm: length(realm),
                nonce: length(nonce),
                algorithm: challenge.algorithm,
                count: 0,
                credential,
                has_opaque: challenge.opaque.is_some(),
                qop: challenge.preferred_qop(),
                proxy: challenge.proxy,
            };
        }
        Ok(number)
    }

    /// What a server says of the credentials of a request that it took (RFC 7616 §3.5): whether it knows the password too, and
    /// the nonce for the next request.
    #[inline(never)]
    pub(super) fn take_authentication_info(&mut self, id: TransactionId, response: &Message<'_>) {
        let Some(Ok(info)) = response.authentication_info() else { return };
        let octets = &*self.transactions.octets;
        let store = &self.core.sessions;
        let request = octets.get(self.transactions.block(id));
        // It names no realm: of a request to several it is taken for the first's.
        let used = credentials(request).filter(|given| !given.proxy).find_map(|given| {
            Some((store.find(&|block| octets.get(block), (false, given.realm), Some(given.nonce))?, given))
        });
        let Some((place, given)) = used else { return };
        let Some(session) = store.sessions.get(place).copied() else { return };
        if let Some(told) = info.response_auth
            && !self.is_proven(&session, &given, told, response.body())
        {
            // The nonce of a server that does not know the password is none to go on with.
            self.core.statistics.unproven = self.core.statistics.unproven.saturating_add(1);
            return;
        }
        let Some(next) = info.next_nonce else { return };
        let written = self.transactions.octets.write(256, false, |kept, writer| {
            let terms = session.terms(kept.get(session.block));
            [terms.realm, next, terms.opaque.unwrap_or_default()].iter().for_each(|text| writer.raw(text));
        });
        // Without room the old nonce goes on: at worst it is called stale.
        if let (Ok(block), Some(session)) = (written, self.core.sessions.sessions.get_mut(place)) {
            self.transactions.octets.release(session.block);
            (session.block, session.nonce, session.count) = (block, length(next), 0);
        }
    }

    /// Whether a response comes from someone who knows the password.
    fn is_proven(&self, session: &Session, given: &Credentials<'_>, told: &[u8], body: &[u8]) -> bool {
        let Some(credential) = self.core.sessions.credentials.get(usize::from(session.credential)) else {
            return false;
        };
        let (_, password) = credential.texts(self.transactions.octets.get(credential.block));
        let expected = response(&Inputs {
            algorithm: session.algorithm,
            username: given.username,
            realm: given.realm,
            secret: Secret::Password(password),
            nonce: given.nonce,
            method: b"",
            uri: given.uri,
            cnonce: given.cnonce.unwrap_or_default(),
            nc: given.nc,
            body: (session.qop == Some(Qop::AuthInt)).then_some(body),
        });
        expected.is_some_and(|expected| expected.matches(told))
    }

    /// Sends a request again as a new transaction: a new branch, the next CSeq, and what is to be other than it was.
    pub(super) fn send_again(
        &mut self,
        id: TransactionId,
        method: Method<'_>,
        (owner, tries): (UsageId, Tries),
        again: &Again<'_>,
    ) -> Option<TransactionId> {
        let (block, flow) = (self.transactions.block(id), self.transactions.flow(id));
        self.send_block_again(block, flow, method, owner.user(tries), again)
    }

    /// The same with a request that is kept apart from its transaction.
    #[inline(never)]
    pub(super) fn send_block_again(
        &mut self,
        old: Block,
        flow: Flow,
        method: Method<'_>,
        user: User,
        again: &Again<'_>,
    ) -> Option<TransactionId> {
        // Only a BYE may use what the calls have reserved.
        let reserved = matches!(method, Method::Bye);
        let (block, branch) = self.write_again(old, reserved, again)?;
        self.send_request(NewClient { block, flow, method, branch: branch.into(), user, reserved }).ok()
    }

    /// Writes a kept request again, with a new branch and the next CSeq of its dialog: inside it each request has a number of its
    /// own (RFC 3261 §12.2.1.1), and a peer that knows the number takes the request for a replay.
    #[inline(never)]
    pub(super) fn write_again(&mut self, old: Block, reserved: bool, again: &Again<'_>) -> Option<(Block, Token)> {
        let bytes = self.transactions.octets.get(old);
        let (mut cseq, size) = (Kept::new(bytes).cseq(), bytes.len().wrapping_add(512));
        if let Some(dialog) = self.dialog_of_request(old).and_then(|handle| self.dialogs.get_mut(handle)) {
            dialog.sent(cseq);
            cseq = dialog.next_seq()?;
            dialog.sent(cseq);
        } else if again.renumbered {
            cseq = cseq.saturating_add(1);
        }
        let branch = self.core.random.token();
        let sessions = &self.core.sessions;
        let written = self.transactions.octets.write(size, reserved, |kept, writer| {
            again.write(sessions, kept, writer, &Kept::new(kept.get(old)), cseq);
        });
        let block = written.ok()?;
        // The Via is one that was written here, and so has its branch where it is looked for.
        build::stamp(self.transactions.octets.get_mut(block), Transport::None, branch.as_bytes().first_chunk());
        Some((block, branch))
    }
}

/// What is other when a request is sent again.
pub(super) struct Again<'a> {
    /// Another value of Expires, in seconds.
    pub(super) expires: Option<u32>,
    pub(super) answers: &'a Answers,
    /// Whether it gets the next CSeq outside of a dialog too.
    pub(super) renumbered: bool,
    /// Other rows of its session timer.
    #[cfg(feature = "session-timer")]
    pub(super) session: Option<super::usage::invite::SessionRows>,
}

impl Again<'_> {
    /// Nothing.
    pub(super) const NOTHING: Self = Self {
        expires: None,
        answers: &Answers::NONE,
        renumbered: false,
        #[cfg(feature = "session-timer")]
        session: None,
    };

    /// Writes a request of ours again: all of it octet for octet but for CSeq, Expires and credentials (RFC 3261 §8.1.3.5, §22.2).
    fn write(&self, store: &Sessions, kept: &impl KeptBlocks, writer: &mut Writer<'_>, request: &Kept<'_>, cseq: u32) {
        let (method, uri) = (request.method(), request.request_uri());
        for part in &[method.as_bytes(), b" ", uri, b" SIP/2.0\r\n"] {
            writer.raw(part);
        }
        for header in request.headers() {
            match (header.name, self.expires) {
                (HeaderName::CSeq, _) => writer.cseq(cseq, method),
                (HeaderName::Expires, Some(seconds)) => writer.header_number(HeaderName::Expires, u64::from(seconds)),
                #[cfg(feature = "session-timer")]
                (HeaderName::SessionExpires | HeaderName::MinSe, _) if self.session.is_some() => {}
                (name, _) => {
                    // Every request of ours has it, behind all other rows.
                    if matches!(name, HeaderName::ContentLength) {
                        #[cfg(feature = "session-timer")]
                        if let Some(rows) = self.session {
                            rows.write(writer);
                        }
                        self.answers.write(store, kept, writer, (method, uri, request.body()));
                    }
                    // Answers to realms whose challenge is forgotten stay as they are.
                    if Credentials::of(&header).is_none_or(|given| !self.answers.has(store, kept, &given)) {
                        writer.header_raw(name, header.value);
                    }
                }
            }
        }
        writer.end();
        writer.raw(request.body());
    }
}

/// The length of a text of a challenge; none is as long as a datagram.
fn length(text: &[u8]) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

/// The credentials in a request that is kept.
fn credentials(request: &[u8]) -> Given<'_> {
    Given { headers: Kept::new(request).headers() }
}

struct Given<'a> {
    headers: Headers<'static, 'a>,
}

impl<'a> Iterator for Given<'a> {
    type Item = Credentials<'a>;

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next(&mut self) -> Option<Credentials<'a>> {
        self.headers.find_map(|header| Credentials::of(&header))
    }
}

/// Whether nothing has answered the nonce of these credentials before.
fn is_first_use(given: &Credentials<'_>) -> bool {
    given.nc.is_none_or(|count| count == b"00000001")
}

/// Whether credentials were given for the realm of a challenge.
fn answers(challenge: &Challenge<'_>, given: &Credentials<'_>) -> bool {
    challenge.proxy == given.proxy && challenge.realm == given.realm
}
