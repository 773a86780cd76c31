//! How messages are matched to transactions (RFC 3261 §17.1.3, §17.2.3) and merged requests are known (§8.2.2.2).
//!
//! Each rule becomes a 128-bit keyed hash over what it compares. Tokens and host names are compared in any
//! case (§7.3.1), everything else octet by octet.

use super::requests::Branch;
use crate::message::scan::alike;
use crate::message::{MAGIC_COOKIE, Message, Method, Writer};
use crate::random::{HashKey, Key};
use crate::transport::{Flow, Transport};

/// What a key is for, so that keys of two rules are never equal.
#[derive(Clone, Copy)]
enum Rule {
    Response,
    Request,
    Rfc2543,
    Merged,
    Flow,
}

/// The key under a rule of a method, a port and a number, of parts that are compared octet by octet, and of those in any case.
///
/// Inlined, the hash is known to have taken whole words only, which saves a look at each of the following ones.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn key(
    hash: &HashKey,
    (rule, method): (Rule, Method<'_>),
    (port, number): (u16, u32),
    exact: &[&[u8]],
    in_any_case: &[&[u8]],
) -> Key {
    let known = u64::from(method.code());
    let mut hasher = hash.hasher().number(rule as u64 | known << 8 | u64::from(port) << 16 | u64::from(number) << 32);
    if known == 0 {
        hasher = hasher.part(method.as_bytes());
    }
    for part in exact {
        hasher = hasher.part(part);
    }
    for part in in_any_case {
        hasher = hasher.part_ignoring_case(part);
    }
    hasher.finish()
}

/// The key of a client transaction: branch and method (§17.1.3). Client transactions have branches that this stack has made.
pub(super) fn client(hash: &HashKey, branch: &[u8], method: Method<'_>) -> Key {
    #[cfg(target_pointer_width = "64")]
    if method.code() != 0 {
        return hash.of_token(Rule::Response as u64 | u64::from(method.code()) << 8, branch);
    }
    key(hash, (Rule::Response, method), (0, 0), &[], &[branch])
}

/// The same for a branch that this stack made.
pub(super) fn own_client(hash: &HashKey, branch: &Branch<'_>, method: Method<'_>) -> Key {
    let mut text = [0; OWN.wrapping_add(Branch::LONGEST_SUFFIX)];
    let mut writer = Writer::new(&mut text);
    for part in [MAGIC_COOKIE, branch.token.as_bytes(), branch.suffix] {
        writer.raw(part);
    }
    let length = writer.len();
    client(hash, text.get(..length).unwrap_or(&text), method)
}

/// The octets of the magic cookie and a token.
const OWN: usize = MAGIC_COOKIE.len().wrapping_add(16);

/// The key of the client transaction that a response belongs to.
pub(super) fn of_response(hash: &HashKey, response: &Message<'_>) -> Option<Key> {
    let branch = response.via().branch()?;
    Some(client(hash, branch, response.cseq().method))
}

/// The key of the server transaction that a request makes or belongs to; an ACK or (with `cancelled`) a
/// CANCEL belongs to that of its INVITE (§17.2.3, §9.2).
///
/// The CSeq number belongs to the key: some peers send the next request with the branch of the one before. ACK and CANCEL
/// have the number of their INVITE (§9.1, §17.1.1.3).
pub(super) fn of_request(hash: &HashKey, request: &Message<'_>, cancelled: bool) -> Key {
    let method = match request.method() {
        Method::Ack => Method::Invite,
        Method::Cancel if cancelled => Method::Invite,
        method => method,
    };
    let via = request.via();
    let branch = via.branch().unwrap_or_default();
    if via.has_cookie() {
        let default = if alike(via.transport(), b"TLS") { Transport::Tls } else { Transport::Udp };
        let port = via.port().unwrap_or(default.default_port());
        let number = request.cseq().number;
        return key(hash, (Rule::Request, method), (port, number), &[], &[branch, via.host_text()]);
    }
    // RFC 2543 peers. The To tag of an ACK is that of the response, so INVITE and ACK can't have it in their
    // key; the topmost Via and the CSeq number tell requests apart without it.
    let to_tag = if matches!(method, Method::Invite) { None } else { request.to_tag() };
    let exact = [request.request_uri().unwrap_or_default(), request.call_id(), via.raw()];
    let tags = [to_tag.unwrap_or_default(), request.from_tag().unwrap_or_default()];
    key(hash, (Rule::Rfc2543, method), (0, request.cseq().number), &exact, &tags)
}

/// The key by which the same request is known when it comes by another way: From tag, Call-ID and CSeq of a
/// request without a To tag (§8.2.2.2). ACK and CANCEL have none.
pub(super) fn merged(hash: &HashKey, request: &Message<'_>) -> Option<Key> {
    let method = request.method();
    if request.to_tag().is_some() || matches!(method, Method::Ack | Method::Cancel) {
        return None;
    }
    let from_tag = request.from_tag().unwrap_or_default();
    Some(key(hash, (Rule::Merged, method), (0, request.cseq().number), &[request.call_id()], &[from_tag]))
}

/// The key under which the client transactions of a flow are found when it fails.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn flow(hash: &HashKey, flow: &Flow) -> Key {
    let Flow { remote, connection, transport, listener } = flow;
    let end = u64::from(remote.port()) << 16 | (*transport as u64) << 8 | u64::from(*listener);
    let hasher = hash.hasher().number(Rule::Flow as u64 | u64::from(*connection) << 32).number(end);
    // Always as many.
    hasher.part(remote.octets()).finish()
}
