//! Challenges, credentials and Authentication-Info (RFC 3261 §20.6, §20.7, §20.27, §20.28, §20.44; RFC 7616, RFC 8760).

use super::ParseError;
use super::algorithm::{Algorithm, Qop};
use super::header::{Header, HeaderName};
use super::list::Selected;
use super::parse::Message;
use super::scan::{TOKEN, VALUE, alike, has, peek, skip_lws, slice, trim, unquote};
use super::walk::Walk;

/// A challenge of a server or proxy.
///
/// Quoted values stand without their quotes and with their backslashes, as digest computes with them and as
/// they go back; [`unescape`](super::unescape) reads through the backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The scheme as it is written.
    pub scheme: &'a [u8],
    /// The protection domain.
    pub realm: &'a [u8],
    /// The nonce.
    pub nonce: &'a [u8],
    /// What the server wants back unchanged.
    pub opaque: Option<&'a [u8]>,
    /// The algorithm; MD5 when none is named (RFC 3261 §22.4).
    pub algorithm: Algorithm,
    /// Whether qualities of protection are offered at all; without, the answer is that of RFC 2069.
    pub qop: bool,
    /// Whether `auth` is one of them.
    pub qop_auth: bool,
    /// Whether `auth-int` is one of them.
    pub qop_auth_int: bool,
    /// Whether only the nonce was stale, so that the password is not at fault.
    pub stale: bool,
    /// Whether a proxy asks; the answer is Proxy-Authorization then.
    pub proxy: bool,
}

impl Challenge<'_> {
    /// Whether it is Digest with an algorithm and a quality of protection that can be answered here.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        alike(self.scheme, b"Digest") && self.algorithm.is_supported() && (self.preferred_qop().is_some() || !self.qop)
    }

    /// The quality of protection to answer with: `auth` before `auth-int`, whose body a server on the way may change; `None`
    /// for the answer of RFC 2069.
    #[must_use]
    pub fn preferred_qop(&self) -> Option<Qop> {
        if self.qop_auth { Some(Qop::Auth) } else { self.qop_auth_int.then_some(Qop::AuthInt) }
    }
}

/// Credentials of a client; quoted values as in [`Challenge`], empty when they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The scheme as it is written.
    pub scheme: &'a [u8],
    /// Who it is.
    pub username: &'a [u8],
    /// The protection domain.
    pub realm: &'a [u8],
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The URI that was hashed.
    pub uri: &'a [u8],
    /// The digest.
    pub response: &'a [u8],
    /// The algorithm; MD5 when none is named.
    pub algorithm: Algorithm,
    /// The client's nonce.
    pub cnonce: Option<&'a [u8]>,
    /// What the server wanted back.
    pub opaque: Option<&'a [u8]>,
    /// The quality of protection.
    pub qop: Option<&'a [u8]>,
    /// The nonce count, eight hexadecimal digits.
    pub nc: Option<&'a [u8]>,
    /// Whether they are for a proxy.
    pub proxy: bool,
}

/// One `name=value`, its value as it is written; and where it ends.
struct AuthParam<'a> {
    name: &'a [u8],
    value: &'a [u8],
    end: usize,
}

/// What comes next in a row of challenges or credentials.
enum Next<'a> {
    Param(AuthParam<'a>),
    /// A word without `=`: the scheme of the next challenge begins here.
    Scheme(usize),
    End,
}

/// Reads on behind a comma or the scheme. Empty elements are skipped.
fn next_param<'a>(walk: &mut Walk<'a>, at: usize) -> Result<Next<'a>, ParseError> {
    let bytes = walk.bytes;
    let mut start = skip_lws(bytes, at);
    while peek(bytes, start) == b',' {
        start = skip_lws(bytes, start.wrapping_add(1));
    }
    if start >= bytes.len() {
        return Ok(Next::End);
    }
    let end = walk.run(start, TOKEN);
    if end == start {
        return Err(ParseError::Auth);
    }
    let equal = skip_lws(bytes, end);
    if peek(bytes, equal) != b'=' {
        return Ok(Next::Scheme(start));
    }
    let from = skip_lws(bytes, equal.wrapping_add(1));
    let quoted = peek(bytes, from) == b'"';
    let to = if quoted { walk.quoted(from).ok_or(ParseError::Auth)? } else { walk.run(from, VALUE) };
    let value = slice(bytes, from, to);
    let after = skip_lws(bytes, to);
    let ends = after >= bytes.len() || peek(bytes, after) == b',';
    // Without quotes a backslash escapes nothing; in the quotes of an answer to the challenge it would.
    if !ends || !quoted && has(value, b'\\') {
        return Err(ParseError::Auth);
    }
    Ok(Next::Param(AuthParam { name: slice(bytes, start, end), value, end: after }))
}

/// The parameters of a challenge, of credentials, and of Authentication-Info.
const CHALLENGE: &[&[u8]] = &[b"realm", b"nonce", b"opaque", b"algorithm", b"stale", b"qop"];
const CREDENTIALS: &[&[u8]] =
    &[b"username", b"realm", b"nonce", b"uri", b"response", b"algorithm", b"cnonce", b"opaque", b"qop", b"nc"];
const INFO: &[&[u8]] = &[b"nextnonce", b"qop", b"rspauth", b"cnonce", b"nc"];

/// Reads parameters from `at` on and moves it behind the last one. Each of these names has its value, the last one where it
/// occurs again and without quotes, put in its place. Gives where the scheme begins that ended them; `None` at the end.
fn read_values<'a>(
    walk: &mut Walk<'a>,
    at: &mut usize,
    names: &[&[u8]],
    values: &mut [Option<&'a [u8]>],
) -> Result<Option<usize>, ParseError> {
    loop {
        match next_param(walk, *at)? {
            Next::Param(param) => {
                let known = names.iter().position(|name| name.len() == param.name.len() && alike(name, param.name));
                if let Some(value) = known.and_then(|known| values.get_mut(known)) {
                    *value = Some(unquote(param.value));
                }
                *at = param.end;
            }
            Next::Scheme(start) => return Ok(Some(start)),
            Next::End => return Ok(None),
        }
    }
}

/// The challenges of a message.
#[derive(Clone, Debug)]
pub struct Challenges<'m, 'a> {
    rows: Selected<'m, 'a>,
    row: &'a [u8],
    /// Where in the row the next challenge begins; at its end or beyond when there is none.
    at: usize,
    proxy: bool,
}

impl<'m, 'a> Challenges<'m, 'a> {
    pub(crate) fn new(rows: Selected<'m, 'a>) -> Self {
        Self { rows, row: b"", at: 0, proxy: false }
    }
}

impl<'a> Iterator for Challenges<'_, 'a> {
    type Item = Challenge<'a>;

    fn next(&mut self) -> Option<Challenge<'a>> {
        loop {
            while self.at >= self.row.len() {
                let id;
                (id, self.at, self.row) = self.rows.next()?;
                self.proxy = id == HeaderName::ProxyAuthenticate.id();
            }
            let (found, next) = challenge(self.row, self.at, self.proxy);
            self.at = next;
            if found.is_some() {
                return found;
            }
        }
    }
}

/// Reads the challenge that begins at `at`; gives it, if it can be read, and where the next one begins, or the end.
///
/// Several in one row are more than RFC 3261 §25.1 has, and HTTP (RFC 7235 §4.1) and some servers write them.
fn challenge(row: &[u8], at: usize, proxy: bool) -> (Option<Challenge<'_>>, usize) {
    let walk = &mut Walk::new(row, at);
    let start = skip_lws(row, at);
    let end = walk.run(start, TOKEN);
    if end == start {
        return (None, row.len());
    }
    let scheme = slice(row, start, end);
    let digest = alike(scheme, b"Digest");
    let mut at = end;
    let mut values = [None; 6];
    let next = match read_values(walk, &mut at, CHALLENGE, &mut values) {
        Ok(Some(next)) if at > end => next,
        Err(_) if digest => return (None, row.len()),
        // Another scheme may go on as it likes, and is not ours to judge.
        _ => row.len(),
    };
    let [realm, nonce, opaque, algorithm, stale, qop] = values;
    let offers = |wanted: Qop| {
        qop.is_some_and(|qop| qop.split(|octet| *octet == b',').any(|one| alike(trim(one), wanted.as_bytes())))
    };
    let found = Challenge {
        scheme,
        realm: realm.unwrap_or_default(),
        nonce: nonce.unwrap_or_default(),
        opaque,
        algorithm: algorithm.map_or(Algorithm::Md5, Algorithm::parse),
        qop: qop.is_some(),
        qop_auth: offers(Qop::Auth),
        qop_auth_int: offers(Qop::AuthInt),
        stale: stale.is_some_and(|stale| alike(stale, b"true")),
        proxy,
    };
    ((!digest || (realm.is_some() && nonce.is_some())).then_some(found), next)
}

/// The credentials of a message.
#[derive(Clone, Debug)]
pub struct CredentialRows<'m, 'a> {
    pub(crate) rows: Selected<'m, 'a>,
}

impl<'a> Iterator for CredentialRows<'_, 'a> {
    type Item = Credentials<'a>;

    fn next(&mut self) -> Option<Credentials<'a>> {
        self.rows
            .by_ref()
            .find_map(|(id, at, row)| Credentials::read(row, at, id == HeaderName::ProxyAuthorization.id()))
    }
}

impl<'a> Credentials<'a> {
    /// The credentials in an Authorization or Proxy-Authorization row; `None` for others and malformed ones.
    #[must_use]
    pub fn of(header: &Header<'a>) -> Option<Self> {
        let proxy = match header.name {
            HeaderName::Authorization => false,
            HeaderName::ProxyAuthorization => true,
            _ => return None,
        };
        Self::read(header.value, 0, proxy)
    }

    /// Reads the credentials that begin at `start`.
    fn read(row: &'a [u8], start: usize, proxy: bool) -> Option<Self> {
        let walk = &mut Walk::new(row, start);
        let end = walk.run(start, TOKEN);
        if end == start {
            return None;
        }
        let scheme = slice(row, start, end);
        let mut values = [None; 10];
        let mut at = end;
        let read = read_values(walk, &mut at, CREDENTIALS, &mut values);
        if read != Ok(None) && alike(scheme, b"Digest") {
            return None;
        }
        let [username, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, nc] = values;
        Some(Self {
            scheme,
            username: username.unwrap_or_default(),
            realm: realm.unwrap_or_default(),
            nonce: nonce.unwrap_or_default(),
            uri: uri.unwrap_or_default(),
            response: response.unwrap_or_default(),
            algorithm: algorithm.map_or(Algorithm::Md5, Algorithm::parse),
            cnonce,
            opaque,
            qop,
            nc,
            proxy,
        })
    }
}

/// What a server says of credentials that it took: Authentication-Info (RFC 3261 §20.6, RFC 7616 §3.5); quoted values as in
/// [`Challenge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct AuthenticationInfo<'a> {
    /// The nonce for the next request.
    pub next_nonce: Option<&'a [u8]>,
    /// The quality of protection of the response.
    pub qop: Option<&'a [u8]>,
    /// The digest by which the server shows that it knows the password too.
    pub response_auth: Option<&'a [u8]>,
    /// The client's nonce of the request.
    pub cnonce: Option<&'a [u8]>,
    /// The nonce count of the request, eight hexadecimal digits.
    pub nc: Option<&'a [u8]>,
}

impl<'a> AuthenticationInfo<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Auth`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut at = 0;
        let mut values = [None; 5];
        if read_values(&mut Walk::new(value, 0), &mut at, INFO, &mut values)?.is_some() || at == 0 {
            return Err(ParseError::Auth);
        }
        let [next_nonce, qop, response_auth, cnonce, nc] = values;
        Ok(Self { next_nonce, qop, response_auth, cnonce, nc })
    }
}

impl<'a> Message<'a> {
    /// Authentication-Info (RFC 3261 §20.6); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn authentication_info(&self) -> Option<Result<AuthenticationInfo<'a>, ParseError>> {
        self.single(HeaderName::AuthenticationInfo, AuthenticationInfo::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(row: &[u8]) -> Vec<Challenge<'_>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < row.len() {
            let (challenge, next) = challenge(row, at, false);
            assert!(next > at);
            found.extend(challenge);
            at = next;
        }
        found
    }

    #[test]
    fn a_challenge() {
        let found = all(b"Digest realm=\"a\\\"b\", domain=\"sip:x\", qop=\"auth-int, auth\",nonce=\"n,=\"\r\n , opaque=\"\", stale=TRUE, algorithm=SHA-256");
        assert_eq!(
            found,
            [Challenge {
                scheme: b"Digest",
                realm: b"a\\\"b",
                nonce: b"n,=",
                opaque: Some(b""),
                algorithm: Algorithm::Sha256,
                qop: true,
                qop_auth: true,
                qop_auth_int: true,
                stale: true,
                proxy: false,
            }]
        );
        assert!(found[0].is_supported());
    }

    #[test]
    fn without_algorithm_it_is_md5() {
        let found = all(b"digest nonce=n,realm=r");
        assert_eq!((found[0].algorithm, found[0].realm, found[0].qop), (Algorithm::Md5, &b"r"[..], false));
        assert!(found[0].is_supported());
    }

    #[test]
    fn several_in_one_row() {
        let found = all(
            b"Digest realm=\"r\", nonce=\"1\", algorithm=SHA-256, Digest realm=\"r\", nonce=\"2\", Basic realm=\"r\"",
        );
        assert_eq!(found.iter().map(|one| one.nonce).collect::<Vec<_>>(), [&b"1"[..], b"2", b""]);
        assert!(!found[2].is_supported());
    }

    #[test]
    fn odd_rows_end() {
        for row in [
            &b"Digest ,,=,"[..],
            b",=MD5,",
            b"Digest",
            b"Digest ",
            b"=",
            b",",
            b"Digest realm",
            b"Digest realm=",
            b"Digest realm=\"",
            b"Digest realm=\"\\",
            b"Digest realm=\"r\", nonce=n\\",
            b"Digest realm=\"r\" nonce=\"n\"",
            b"Digest realm=\"r\"",
            b"\"",
        ] {
            assert_eq!(all(row), [], "{}", String::from_utf8_lossy(row));
        }
        assert_eq!(all(b"Negotiate abc==").len(), 1);
        assert_eq!(
            all(b"Digest realm=\"r\", nonce=\"n\", algorithm=X, x=y").first().map(|one| one.algorithm),
            Some(Algorithm::Unknown)
        );
        assert_eq!(all(b"Digest realm=, nonce=\"\"").len(), 1);
    }

    #[test]
    fn credentials() {
        let header = |value| Header { name: HeaderName::ProxyAuthorization, value };
        let row = b"Digest username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:a@b\", response=\"0\", authz_server=x, qop=auth, nc=00000001, cnonce=\"c\"";
        let found = Credentials::of(&header(row)).unwrap();
        assert_eq!((found.username, found.uri, found.response), (&b"bob"[..], &b"sip:a@b"[..], &b"0"[..]));
        assert_eq!((found.qop, found.nc, found.cnonce), (Some(&b"auth"[..]), Some(&b"00000001"[..]), Some(&b"c"[..])));
        assert!(found.proxy && found.opaque.is_none());
        for row in [&b"Digest ,,=,"[..], b"", b"Digest username=\"", b"Digest username"] {
            assert_eq!(Credentials::of(&header(row)), None);
        }
        assert!(Credentials::of(&header(b"NoOneKnowsThisScheme opaque-data=here")).is_some());
        assert!(Credentials::of(&header(b"Bearer abc/+==")).is_some());
    }

    #[test]
    fn authentication_info() {
        let found = AuthenticationInfo::parse(
            b" , NextNonce=\"a\\\"b\", qop=auth,rspauth=\"6629\" , cnonce=\"c\",nc=00000001,x=y,",
        );
        let expected = AuthenticationInfo {
            next_nonce: Some(b"a\\\"b"),
            qop: Some(b"auth"),
            response_auth: Some(b"6629"),
            cnonce: Some(b"c"),
            nc: Some(b"00000001"),
        };
        assert_eq!(found, Ok(expected));
        assert_eq!(AuthenticationInfo::parse(b"x=").map(|info| info.next_nonce), Ok(None));
        for value in [&b""[..], b",", b"nextnonce", b"nextnonce=\"", b"Digest nextnonce=\"a\"", b"=", b"qop=auth nc=1"]
        {
            assert_eq!(AuthenticationInfo::parse(value), Err(ParseError::Auth), "{}", String::from_utf8_lossy(value));
        }
    }
}
