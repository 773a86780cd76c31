//! Messages of our own writing, in families: what tests, fuzz targets and benches read.
//!
//! A family is a text file in `tests/lab/corpus`. A line that begins with `# ` gives a message its name; what stands before the first
//! such line says what the family is about. Behind the name stand, a line each:
//! - marks, which begin with `!`: `!bare` has the message taken as it stands; others are for whoever reads them ([`Sample::mark`]);
//! - the start line and the header rows, continuation lines with them;
//! - if there is a body, a line `---` and its lines.
//!
//! Unless the message is bare, the rows that each message has are put in where it names none of its own: Via, Max-Forwards (for
//! requests), From, To, Call-ID and CSeq behind the start line, Content-Length at the end. A Content-Length of `?` gets its number.
//!
//! In all lines `\xHH` is the octet of that number, `\*N{text}` is N times the text, and `\.` at the end of a line joins it
//! to the next one. Any other backslash is itself.

/// One message of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file that it stands in, without its ending.
    pub family: &'static str,
    /// Its name, unique within its family.
    pub name: &'static str,
    /// Its octets as they travel.
    pub octets: Vec<u8>,
    marks: Vec<&'static str>,
}

impl Sample {
    /// The text behind `!key ` among the marks of this message.
    #[must_use]
    pub fn mark(&self, key: &str) -> Option<&'static str> {
        self.marks.iter().find_map(|mark| match mark.split_once(' ') {
            Some((found, text)) => (found == key).then_some(text),
            None => (*mark == key).then_some(""),
        })
    }

    /// Family and name.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}/{}", self.family, self.name)
    }
}

macro_rules! families {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../corpus/", $name, ".txt")))),*] };
}

const FAMILIES: &[(&str, &str)] = families! {
    "methods" "responses" "vias" "uris" "addresses" "routing" "headers" "extensions" "auth" "layout" "bodies" "descriptions" "odd"
};

const TORTURE: &[(&str, &str)] = families! { "rfc4475" "rfc5118" };

/// All messages that a parser has to take.
#[must_use]
pub fn corpus() -> Vec<Sample> {
    FAMILIES.iter().flat_map(|(family, text)| read(family, text)).collect()
}

/// A message for each section of RFC 4475 and RFC 5118, with its marks: `section`, `verdict`, and `answer` where it is settled.
#[must_use]
pub fn torture() -> Vec<Sample> {
    TORTURE.iter().flat_map(|(family, text)| read(family, text)).collect()
}

/// The messages of a family's text.
///
/// # Panics
/// When the text is not of the form that the module describes.
#[must_use]
pub fn read(family: &'static str, text: &'static str) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut rest = text.split_once("\n# ").map(|(_, first)| first);
    while let Some(block) = rest {
        let (one, more) = block.split_once("\n# ").map_or((block, None), |(one, more)| (one, Some(more)));
        // One empty line sets messages apart; the last one has the end of the file there.
        let one = one.strip_suffix('\n').unwrap_or(one);
        samples.push(sample(family, one));
        rest = more;
    }
    samples
}

fn sample(family: &'static str, block: &'static str) -> Sample {
    let mut lines = block.split('\n');
    let name = lines.next().unwrap_or_default();
    let mut marks = Vec::new();
    let mut head: Vec<String> = Vec::new();
    let mut body = None;
    for line in lines.by_ref() {
        match line.strip_prefix('!') {
            Some(mark) if head.is_empty() => marks.push(mark),
            _ if line == "---" => {
                body = Some(String::new());
                break;
            }
            _ => head.push(line.to_string()),
        }
    }
    if let Some(body) = &mut body {
        lines.for_each(|line| {
            body.push_str(line);
            body.push('\n');
        });
    }
    assert!(!head.is_empty(), "{family}/{name} has no start line");
    let body = expand(&body.unwrap_or_default());
    if !marks.contains(&"bare") {
        fill(&mut head);
    }
    for row in &mut head {
        if is_named(row, &["Content-Length", "l"]) && row.ends_with('?') {
            row.pop();
            row.push_str(&body.len().to_string());
        }
    }
    head.push("\n".to_string());
    let octets = [expand(&head.join("\n")), body].concat();
    Sample { family, name, octets, marks }
}

/// Puts in the rows that the message does not name.
fn fill(head: &mut Vec<String>) {
    let response = head[0].get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    let method = if response { "INVITE" } else { head[0].split(' ').next().unwrap_or_default() };
    let rows = [
        (&["Via", "v"][..], "Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK4b43c2ff8.1".to_string()),
        (&["Max-Forwards"], "Max-Forwards: 70".to_string()),
        (&["From", "f"], "From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl".to_string()),
        (&["To", "t"], "To: Bob <sip:bob@example.com>".to_string()),
        (&["Call-ID", "i"], "Call-ID: 3848276298220188511@example.com".to_string()),
        (&["CSeq"], format!("CSeq: 314 {method}")),
    ];
    let named = |names: &[&str]| head.iter().any(|row| row.split("\\x0D\\x0A").any(|row| is_named(row, names)));
    let missing: Vec<String> = rows
        .into_iter()
        .filter(|(names, _)| !(named(names) || response && *names == ["Max-Forwards"]))
        .map(|(_, row)| row)
        .collect();
    if !named(&["Content-Length", "l"]) {
        head.push("Content-Length: ?".to_string());
    }
    head.splice(1..1, missing);
}

/// Whether the row is of one of these names; of rows that are repeated, the first one counts.
fn is_named(row: &str, names: &[&str]) -> bool {
    let row = row.strip_prefix("\\*").and_then(|more| more.split_once('{')).map_or(row, |(_, row)| row);
    let name = row.trim_start_matches('}').split(':').next().unwrap_or_default().trim_end();
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Gives lines their CRLF, and what is written with a backslash its meaning.
fn expand(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(more) = rest.strip_prefix("\\.\n") {
            rest = more;
        } else if let Some((octet, more)) = rest.strip_prefix("\\x").and_then(|more| more.split_at_checked(2)) {
            octets.push(u8::from_str_radix(octet, 16).unwrap_or_else(|_| panic!("\\x{octet} is no octet")));
            rest = more;
        } else if let Some(more) = rest.strip_prefix("\\*") {
            let (count, more) = more.split_once('{').expect("a brace behind the count");
            let (piece, more) = more.split_once('}').expect("a brace behind the text");
            octets.extend(expand(piece).repeat(count.parse().expect("a count")));
            rest = more;
        } else {
            let (one, more) = rest.split_at(first.len_utf8());
            octets.extend_from_slice(if one == "\n" { b"\r\n" } else { one.as_bytes() });
            rest = more;
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const TEXT: &str = "About.

# first
OPTIONS sip:b@h SIP/2.0
t: <sip:t@h>
X: \\\"\\x00\\*3{ab}

# second
!bare
!verdict refuse
SIP/2.0 200 OK
l: ?
---
a

b\\.
";

    #[test]
    fn the_form_is_as_described() {
        let samples = read("x", TEXT);
        assert_eq!(samples.iter().map(Sample::title).collect::<Vec<_>>(), ["x/first", "x/second"]);
        assert_eq!(
            String::from_utf8_lossy(&samples[0].octets),
            "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK4b43c2ff8.1\r\nMax-Forwards: 70\r\n\
            From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl\r\nCall-ID: 3848276298220188511@example.com\r\n\
            CSeq: 314 OPTIONS\r\nt: <sip:t@h>\r\nX: \\\"\0ababab\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(samples[1].octets, b"SIP/2.0 200 OK\r\nl: 6\r\n\r\na\r\n\r\nb");
        assert_eq!(
            (samples[1].mark("verdict"), samples[1].mark("bare"), samples[1].mark("x")),
            (Some("refuse"), Some(""), None)
        );
    }

    #[test]
    fn there_are_more_than_three_hundred_and_no_two_are_equal() {
        let all = corpus();
        assert!(all.len() >= 300, "{}", all.len());
        let octets: HashSet<&[u8]> = all.iter().map(|one| &one.octets[..]).collect();
        let titles: HashSet<String> = all.iter().map(Sample::title).collect();
        assert_eq!((octets.len(), titles.len()), (all.len(), all.len()));
    }
}
