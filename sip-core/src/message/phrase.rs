//! The reason phrases of status codes (RFC 3261 §21 and its extensions).

macro_rules! phrases {
    ($($code:literal $phrase:literal;)*) => {
        /// The codes in ten bits, and above them how long their phrases are: without a pointer for each.
        const CODES: &[u16] = &[$(row($code, $phrase)),*];
        /// The phrases one behind the other.
        const PHRASES: &str = concat!($($phrase),*);
    };
}

const fn row(code: u16, phrase: &str) -> u16 {
    assert!(code <= CODE && phrase.len() < 64);
    code | (phrase.len() as u16) << CODE.count_ones()
}

/// The bits of a code.
const CODE: u16 = 0x3FF;

// The most frequent one is found first.
phrases! {
    200 "OK";
    1 "Progress";
    2 "Success";
    3 "Redirection";
    4 "Request Failure";
    5 "Server Failure";
    100 "Trying";
    180 "Ringing";
    181 "Call Is Being Forwarded";
    182 "Queued";
    183 "Session Progress";
    199 "Early Dialog Terminated";
    202 "Accepted";
    204 "No Notification";
    300 "Multiple Choices";
    301 "Moved Permanently";
    302 "Moved Temporarily";
    305 "Use Proxy";
    380 "Alternative Service";
    400 "Bad Request";
    401 "Unauthorized";
    402 "Payment Required";
    403 "Forbidden";
    404 "Not Found";
    405 "Method Not Allowed";
    406 "Not Acceptable";
    407 "Proxy Authentication Required";
    408 "Request Timeout";
    410 "Gone";
    412 "Conditional Request Failed";
    413 "Request Entity Too Large";
    414 "Request-URI Too Long";
    415 "Unsupported Media Type";
    416 "Unsupported URI Scheme";
    420 "Bad Extension";
    421 "Extension Required";
    422 "Session Interval Too Small";
    423 "Interval Too Brief";
    428 "Use Identity Header";
    429 "Provide Referrer Identity";
    430 "Flow Failed";
    433 "Anonymity Disallowed";
    439 "First Hop Lacks Outbound Support";
    440 "Max-Breadth Exceeded";
    469 "Bad Info Package";
    480 "Temporarily Unavailable";
    481 "Call/Transaction Does Not Exist";
    482 "Loop Detected";
    483 "Too Many Hops";
    484 "Address Incomplete";
    485 "Ambiguous";
    486 "Busy Here";
    487 "Request Terminated";
    488 "Not Acceptable Here";
    489 "Bad Event";
    491 "Request Pending";
    493 "Undecipherable";
    494 "Security Agreement Required";
    500 "Server Internal Error";
    501 "Not Implemented";
    502 "Bad Gateway";
    503 "Service Unavailable";
    504 "Server Time-out";
    505 "Version Not Supported";
    513 "Message Too Large";
    580 "Precondition Failure";
    600 "Busy Everywhere";
    603 "Decline";
    604 "Does Not Exist Anywhere";
    606 "Not Acceptable";
    607 "Unwanted";
}

/// The reason phrase of a status code (RFC 3261 §21 and its extensions); without the feature `phrases` that of its class.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    let (mut codes, mut phrases): (&[_], _) = if cfg!(feature = "phrases") { (CODES, PHRASES) } else { (&[], "") };
    while let [row, more @ ..] = codes
        && let Some((phrase, behind)) = phrases.split_at_checked((*row >> CODE.count_ones()) as usize)
    {
        if *row & CODE == status {
            return phrase;
        }
        (codes, phrases) = (more, behind);
    }
    match status / 100 {
        1 => "Progress",
        2 => "Success",
        3 => "Redirection",
        4 => "Request Failure",
        5 => "Server Failure",
        _ => "Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_phrases_and_others_that_of_their_class() {
        for (status, phrase) in [
            (100, "Trying"),
            (200, "OK"),
            (406, "Not Acceptable"),
            (487, "Request Terminated"),
            (606, "Not Acceptable"),
            (607, "Unwanted"),
            (199, "Early Dialog Terminated"),
            (299, "Success"),
            (499, "Request Failure"),
            (699, "Failure"),
        ] {
            assert_eq!(reason_phrase(status), phrase);
        }
    }
}
