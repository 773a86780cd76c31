//! The users: a file of names and of what stands for their passwords.
//!
//! ```toml
//! [[user]]
//! name = "bob"
//! domain = "example.com"
//! md5 = "…"      # the MD5 of bob:example.com:PASSWORD, 32 hexadecimal digits
//! sha256 = "…"   # the SHA-256 of the same, 64 of them; one of both is enough
//! ```
//! `phone users add` writes such rows. The digits are as good as the password for this domain, and for no other: the file is
//! made for its owner alone.

use crate::args;
use crate::report::{Failure, Outcome, Report};
use crate::screen::Shared;
use crate::serve::files;
use crate::text::count;
use serde::{Deserialize, Serialize};
use sip_core::digest::{ha1_md5, ha1_sha256};
use sip_core::guard::{self, Secrets};
use sip_core::message::Uri;
use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

const COMMAND: &str = "users";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    user: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Spanned<String>,
    domain: Spanned<String>,
    md5: Option<Spanned<String>>,
    sha256: Option<Spanned<String>>,
}

/// What stands for a user's password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hashes {
    md5: Option<[u8; 16]>,
    sha256: Option<[u8; 32]>,
}

/// The users of all domains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Users {
    /// By domain in small letters, then by name.
    domains: HashMap<Vec<u8>, HashMap<Vec<u8>, Hashes>>,
}

/// What is wrong with a file of users, and in which line.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    text: String,
}

impl Users {
    /// Reads the file. A fault names its line.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("can't read the users in {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|fault| fault.of(path))
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let mut users = Self::default();
        for row in rows(text)? {
            let at = |span: Range<usize>, what: String| Fault::at(text, Some(span), what);
            let (name, domain) = (row.name.get_ref(), row.domain.get_ref().to_ascii_lowercase());
            check_name(name).map_err(|what| at(row.name.span(), what))?;
            check_domain(&domain).map_err(|what| at(row.domain.span(), what))?;
            let hashes = Hashes { md5: digits(text, row.md5.as_ref())?, sha256: digits(text, row.sha256.as_ref())? };
            if hashes == Hashes::default() {
                return Err(at(
                    row.name.span(),
                    format!("{name} has neither md5 nor sha256: `phone users add` writes them"),
                ));
            }
            if users
                .domains
                .entry(domain.clone().into_bytes())
                .or_default()
                .insert(name.clone().into_bytes(), hashes)
                .is_some()
            {
                return Err(at(row.name.span(), format!("{name}@{domain} stands here a second time")));
            }
        }
        Ok(users)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.domains.values().map(HashMap::len).sum()
    }

    /// Whether somebody is of this domain.
    pub(crate) fn has_domain(&self, domain: &str) -> bool {
        self.domains.get(domain.to_ascii_lowercase().as_bytes()).is_some_and(|users| !users.is_empty())
    }

    /// Adds one who needs no file.
    pub(crate) fn add(&mut self, name: &str, domain: &str, password: &str) {
        let (user, realm, password) = (name.as_bytes(), domain.as_bytes(), password.as_bytes());
        let hashes =
            Hashes { md5: Some(ha1_md5(user, realm, password)), sha256: Some(ha1_sha256(user, realm, password)) };
        self.domains.entry(domain.to_ascii_lowercase().into_bytes()).or_default().insert(user.to_vec(), hashes);
    }
}

impl guard::Users for Users {
    fn find(&self, realm: &[u8], user: &[u8]) -> Option<Secrets<'_>> {
        let domain = self.domains.get(realm).or_else(|| self.domains.get(&realm.to_ascii_lowercase()))?;
        let Hashes { md5, sha256 } = *domain.get(user)?;
        Some(Secrets { password: None, md5, sha256 })
    }
}

impl Fault {
    /// The fault at a place in the text; without a place it is one of the whole.
    fn at(text: &str, span: Option<Range<usize>>, what: String) -> Self {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        Self { line: 1 + before.matches('\n').count(), text: what }
    }

    fn of(self, path: &Path) -> Failure {
        Failure::Usage(format!("{}:{}: {}", path.display(), self.line, self.text))
    }
}

fn rows(text: &str) -> Result<Vec<Row>, Fault> {
    let file: Result<File, toml::de::Error> = toml::from_str(text);
    match file {
        Ok(file) => Ok(file.user),
        Err(error) => {
            let what: Vec<&str> = error.message().lines().map(str::trim).collect();
            Err(Fault::at(text, error.span(), what.join(" ")))
        }
    }
}

/// The octets that hexadecimal digits stand for.
fn digits<const N: usize>(text: &str, given: Option<&Spanned<String>>) -> Result<Option<[u8; N]>, Fault> {
    let Some(given) = given else { return Ok(None) };
    let mut octets = [0; N];
    let digits = given.get_ref();
    let whole = digits.len() == 2 * N && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !whole {
        return Err(Fault::at(text, Some(given.span()), format!("{} hexadecimal digits are needed", 2 * N)));
    }
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = core::str::from_utf8(pair).unwrap_or_default();
        *octet = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    Ok(Some(octets))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A name that can stand in credentials and before the @ of an address.
fn check_name(name: &str) -> Result<(), String> {
    let whole = Uri::parse(format!("sip:{name}@example.com").as_bytes())
        .is_ok_and(|uri| uri.user() == Some(name.as_bytes()) && uri.password().is_none());
    if whole && !name.is_empty() {
        Ok(())
    } else {
        Err(format!("\"{name}\" is no user's name as it stands before the @"))
    }
}

/// A domain of the command line, in small letters.
pub(crate) fn domain(text: &str) -> Result<String, String> {
    let domain = text.to_ascii_lowercase();
    check_domain(&domain).map(|()| domain)
}

fn check_domain(domain: &str) -> Result<(), String> {
    let whole = Uri::parse(format!("sip:{domain}").as_bytes())
        .is_ok_and(|uri| uri.host().as_bytes().eq_ignore_ascii_case(domain.as_bytes()) && uri.user().is_none());
    if whole { Ok(()) } else { Err(format!("\"{domain}\" is no domain such as example.com")) }
}

/// `phone users add`: writes a row, or new hashes into the row that is there.
pub(crate) fn add(args: &args::UsersAdd) -> Result<Report, Failure> {
    let (name, domain) = (args.user.name.as_str(), args.user.domain.as_str());
    check_name(name).map_err(Failure::Usage)?;
    let text = match fs::read_to_string(&args.users) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| Failure::Usage(format!("can't read {}: {error}", args.users.display())))?,
    };
    // Nothing is added to a file that can't be read.
    Users::parse(&text).map_err(|fault| fault.of(&args.users))?;
    let password = match &args.password {
        Some(password) => password.clone(),
        None => ask(name, domain)?,
    };
    if password.is_empty() {
        return Err(Failure::Usage("an empty password is none".to_owned()));
    }
    let (user, realm, password) = (name.as_bytes(), domain.as_bytes(), password.as_bytes());
    let md5 = hex(&ha1_md5(user, realm, password));
    let sha256 = hex(&ha1_sha256(user, realm, password));
    let (new, what) = with_user(&text, name, domain, &md5, &sha256).map_err(|fault| fault.of(&args.users))?;
    put(&args.users, &new, &args.user, what)
}

/// `phone users remove`: takes a row out; what else stands in the file stays as it is.
pub(crate) fn remove(args: &args::UsersRemove) -> Result<Report, Failure> {
    let text = read(&args.users)?;
    let (name, domain) = (args.user.name.as_str(), args.user.domain.as_str());
    let Some(new) = without_user(&text, name, domain).map_err(|fault| fault.of(&args.users))? else {
        return Err(Failure::Usage(format!("{name}@{domain} is not in {}", args.users.display())));
    };
    put(&args.users, &new, &args.user, "removed from")
}

/// Puts the new text into the file, and tells what became of the user.
fn put(path: &Path, text: &str, user: &args::User, what: &str) -> Result<Report, Failure> {
    files::replace(path, text.as_bytes())
        .map_err(|error| Failure::Usage(format!("can't write {}: {error}", path.display())))?;
    let who = format!("{}@{}", user.name, user.domain);
    let told = format!("{who} {what} {}", path.display());
    Ok(Report { peer: Some(format!("sip:{who}")), ..Report::new(COMMAND, Outcome::Ok, told) })
}

/// `phone users list`: a line for each user.
pub(crate) fn list(args: &args::UsersList, screen: &Shared) -> Result<Report, Failure> {
    let text = read(&args.users)?;
    let rows = rows(&text).map_err(|fault| fault.of(&args.users))?;
    for row in &rows {
        let digests = match (&row.md5, &row.sha256) {
            (Some(_), Some(_)) => "MD5, SHA-256",
            (Some(_), None) => "MD5",
            _ => "SHA-256",
        };
        let (name, domain) = (row.name.get_ref().as_str(), row.domain.get_ref().as_str());
        let mut screen = screen.lock();
        screen.line(&format!("{name}@{domain} ({digests})"));
        let line = Line { command: COMMAND, scope: "user", name, domain, digests };
        screen.log(|| serde_json::to_string(&line).unwrap_or_default());
    }
    let told = format!("{} in {}", count(rows.len() as u64, "user"), args.users.display());
    Ok(Report::new(COMMAND, Outcome::Ok, told))
}

/// A user as an object.
#[derive(Serialize)]
struct Line<'a> {
    command: &'static str,
    scope: &'static str,
    name: &'a str,
    domain: &'a str,
    digests: &'static str,
}

/// The text of a file of users without a fault.
fn read(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("can't read the users in {}: {error}", path.display())))?;
    Users::parse(&text).map_err(|fault| fault.of(path))?;
    Ok(text)
}

/// The file's text without this user; none when there is no such user.
fn without_user(text: &str, name: &str, domain: &str) -> Result<Option<String>, Fault> {
    let same = |row: &Row| row.name.get_ref() == name && row.domain.get_ref().eq_ignore_ascii_case(domain);
    let Some(row) = rows(text)?.into_iter().find(same) else { return Ok(None) };
    // From its heading to the one behind it, or to the comment that stands before that.
    let at = row.name.span().start;
    let is_heading = |line: &str| line.trim_start().starts_with("[[");
    let mut starts = Vec::new();
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        starts.push((place, line));
        place += line.len();
    }
    let from = starts.iter().rposition(|(start, line)| *start <= at && is_heading(line)).unwrap_or(0);
    let next = starts
        .iter()
        .skip(from + 1)
        .position(|(_, line)| is_heading(line))
        .map_or(starts.len(), |next| from + 1 + next);
    let is_loose = |(_, line): &(usize, &str)| line.trim().is_empty() || line.trim_start().starts_with('#');
    let rest = starts.get(from..next).unwrap_or_default();
    let last = rest.iter().rposition(|line| !is_loose(line)).map_or(from, |last| from + last);
    let mut until = last + 1;
    // The empty line behind it went with it.
    if starts.get(until).is_some_and(|(_, line)| line.trim().is_empty()) {
        until += 1;
    }
    let kept = starts.iter().take(from).chain(starts.iter().skip(until));
    let new: String = kept.map(|(_, line)| *line).collect();
    // Something of another shape is not guessed at.
    let gone = Users::parse(&new).is_ok_and(|new| Users::parse(text).is_ok_and(|old| new.count() + 1 == old.count()));
    let is_there = rows(&new).is_ok_and(|rows| rows.iter().any(same));
    if gone && !is_there {
        Ok(Some(new))
    } else {
        Err(Fault::at(
            text,
            Some(row.name.span()),
            "this row can't be taken out by a program: use an editor".to_owned(),
        ))
    }
}

/// Asks for the password, without showing it: twice, because nobody sees what he types.
fn ask(name: &str, domain: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Usage(format!("no password: {error}"));
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("no password: give it in SIP_PASSWORD, or type it at a terminal".to_owned()));
    }
    let first = rpassword::prompt_password(format!("password of {name}@{domain}: ")).map_err(failed)?;
    let second = rpassword::prompt_password("the same again: ").map_err(failed)?;
    if first == second { Ok(first) } else { Err(Failure::Usage("that was not the same".to_owned())) }
}

/// The file's text with this user in it; what else stands there stays as it is.
fn with_user(text: &str, name: &str, domain: &str, md5: &str, sha256: &str) -> Result<(String, &'static str), Fault> {
    let same = |row: &Row| row.name.get_ref() == name && row.domain.get_ref().eq_ignore_ascii_case(domain);
    let Some(row) = rows(text)?.into_iter().find(same) else {
        let gap = if text.is_empty() || text.ends_with("\n\n") {
            ""
        } else if text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        let row =
            format!("[[user]]\nname = \"{name}\"\ndomain = \"{domain}\"\nmd5 = \"{md5}\"\nsha256 = \"{sha256}\"\n");
        return Ok((format!("{text}{gap}{row}"), "added to"));
    };
    let line_end = text.get(row.name.span().end..).and_then(|rest| rest.find('\n'));
    let line_end = line_end.map_or(text.len(), |at| row.name.span().end + at);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (key, found, digits) in [("md5", row.md5, md5), ("sha256", row.sha256, sha256)] {
        edits.push(match found {
            Some(found) => (found.span(), format!("\"{digits}\"")),
            None => (line_end..line_end, format!("\n{key} = \"{digits}\"")),
        });
    }
    // From the end on, so that what stands before keeps its place.
    edits.sort_by_key(|(span, _)| core::cmp::Reverse(span.start));
    let mut new = text.to_owned();
    for (span, with) in edits {
        new.replace_range(span, &with);
    }
    Ok((new, "has a new password in"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::Users as _;

    const MD5: &str = "0123456789abcdef0123456789ABCDEF";

    fn row(rest: &str) -> String {
        format!("# ours\n[[user]]\nname = \"bob\"\ndomain = \"Example.com\"\n{rest}\n")
    }

    #[test]
    fn a_user_is_found_by_domain_and_name() {
        let users = Users::parse(&row(&format!("md5 = \"{MD5}\""))).unwrap();
        let found = users.find(b"example.com", b"bob").unwrap();
        assert_eq!((found.password, found.md5.map(|md5| md5[1]), found.sha256), (None, Some(0x23), None));
        assert_eq!(users.find(b"EXAMPLE.com", b"bob"), Some(found));
        assert_eq!((users.find(b"example.org", b"bob"), users.find(b"example.com", b"BOB")), (None, None));
        assert_eq!((users.count(), Users::parse("").unwrap().count()), (1, 0));
    }

    #[test]
    fn a_wrong_line_is_named_with_its_number() {
        let md5 = format!("md5 = \"{MD5}\"");
        for (text, line, what) in [
            (row("md5 = \"12\""), 5, "32 hexadecimal digits"),
            (row("sha256 = \"zz\""), 5, "64 hexadecimal digits"),
            (row("password = \"builder\""), 5, "password"),
            (row(&format!("{md5}\nmd5 = 1")), 6, "duplicate"),
            (row("md5 = 7"), 5, "string"),
            (row("md5 = \"12"), 5, ""),
            (row(""), 3, "neither md5 nor sha256"),
            (row(&md5) + &row(&md5), 8, "a second time"),
            (row(&md5).replace("\"bob\"", "\"b b\""), 3, "name"),
            (row(&md5).replace("\"bob\"", "\"b:c\""), 3, "name"),
            (row(&md5).replace("Example.com", "exa mple"), 4, "domain"),
            (row(&md5) + "[user]\n", 6, ""),
            (row(&md5) + "\nnonsense\n", 7, ""),
            ("[[user]]\nname = \"bob\"\nmd5 = \"\"\n".to_owned(), 1, "domain"),
        ] {
            let fault = Users::parse(&text).expect_err(&text);
            assert_eq!(fault.line, line, "{fault:?} in {text}");
            assert!(fault.text.contains(what) && !fault.text.contains('\n'), "{fault:?} in {text}");
        }
    }

    #[test]
    fn a_user_is_added_or_gets_new_hashes_and_the_rest_stays() {
        let (sha, other) = ("ab".repeat(32), "cd".repeat(16));
        let text = row(&format!("md5 = \"{MD5}\" # his")) + "# end";
        let (new, what) = with_user(&text, "alice", "example.com", MD5, &sha).unwrap();
        assert!(new.starts_with(&format!("{text}\n\n[[user]]\nname = \"alice\"\n")) && what == "added to", "{new}");
        assert_eq!(Users::parse(&new).unwrap().count(), 2);
        let (new, what) = with_user(&new, "bob", "EXAMPLE.COM", &other, &sha).unwrap();
        assert!(
            new.contains(&format!(
                "name = \"bob\"\nsha256 = \"{sha}\"\ndomain = \"Example.com\"\nmd5 = \"{other}\" # his\n# end"
            )),
            "{new}"
        );
        let users = Users::parse(&new).unwrap();
        let found = users.find(b"example.com", b"bob").unwrap();
        assert_eq!((found.md5, found.sha256, users.count()), (Some([0xcd; 16]), Some([0xab; 32]), 2));
        assert_eq!(what, "has a new password in");
        let (first, _) = with_user("", "bob", "example.com", MD5, &sha).unwrap();
        assert!(first.starts_with("[[user]]\n") && Users::parse(&first).is_ok());
    }

    #[test]
    fn a_user_is_removed_and_the_rest_stays() {
        let (bob, end) = (row(&format!("md5 = \"{MD5}\"")), "\n# behind all\n");
        let (both, _) = with_user(&bob, "alice", "example.com", MD5, &"ab".repeat(32)).unwrap();
        let both = both + end;
        let left = without_user(&both, "alice", "Example.COM").unwrap().unwrap();
        assert_eq!(left, format!("{bob}\n# behind all\n"));
        let left = without_user(&both, "bob", "example.com").unwrap().unwrap();
        assert!(left.starts_with("# ours\n[[user]]\nname = \"alice\"\n") && left.ends_with(end), "{left}");
        assert_eq!(without_user(&both, "carol", "example.com"), Ok(None));
        assert_eq!(without_user(&left, "alice", "example.com").unwrap().unwrap().trim(), "# ours\n# behind all");
        // One line for all is nothing that is cut at its lines.
        let inline = format!("user = [{{ name = \"bob\", domain = \"h\", md5 = \"{MD5}\" }}]\n");
        assert_eq!(Users::parse(&inline).unwrap().count(), 1);
        assert!(
            without_user(&format!("{inline}# x\n"), "bob", "h")
                .map_or(true, |new| new.is_some_and(|new| Users::parse(&new).unwrap().count() == 0))
        );
    }

    #[test]
    fn what_is_added_is_what_a_file_would_say() {
        let mut users = Users::default();
        users.add("bob", "example.com", "zanzibar");
        let (md5, sha) =
            (hex(&ha1_md5(b"bob", b"example.com", b"zanzibar")), hex(&ha1_sha256(b"bob", b"example.com", b"zanzibar")));
        let (text, _) = with_user("", "bob", "example.com", &md5, &sha).unwrap();
        assert_eq!(Users::parse(&text), Ok(users));
    }
}
