//! The best response (RFC 3261 §16.7 step 6), as a function of status codes.

/// How good a final response is, the lower the better: 6xx before all others, then the lowest class, and among 4xx those
/// by which the client can mend its request.
const fn rank(status: u16) -> u16 {
    match status {
        600.. => 0,
        401 | 407 => 40,
        415 | 420 | 484 => 41,
        // Whoever did not answer knows least.
        408 => 43,
        400..500 => 42,
        // A 503 says nothing of the request, and does not go on.
        503 => 59,
        500..600 => 58,
        _ => status / 10,
    }
}

/// Whether `candidate` is to take the place of the best response so far; `best` is zero when there is none. Of equals the first
/// stays.
pub(super) const fn is_better(best: u16, candidate: u16) -> bool {
    best == 0 || rank(candidate) < rank(best)
}

/// Whether the challenges of two responses are to be put together (§16.7 step 7).
pub(super) const fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

/// The status that goes to the client: a 503 would have it stay away from this proxy, and is a 500 (§16.7 step 6).
pub(super) const fn upstream(status: u16) -> u16 {
    if status == 503 { 500 } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(of: &[u16]) -> u16 {
        of.iter().fold(0, |best, status| if is_better(best, *status) { *status } else { best })
    }

    #[test]
    fn the_best_of_several() {
        for (of, expected) in [
            (&[404, 603, 302][..], 603),
            (&[404, 302, 500], 302),
            (&[503, 404, 500], 404),
            (&[486, 401], 401),
            (&[486, 407, 401], 407),
            (&[404, 484, 480], 484),
            (&[486, 420], 420),
            (&[408, 486], 486),
            (&[408, 503], 408),
            (&[503, 500], 500),
            (&[480, 404], 480),
            (&[600, 603], 600),
        ] {
            assert_eq!(best(of), expected, "{of:?}");
        }
    }

    #[test]
    fn whatever_the_order_the_class_is_the_same() {
        let all = [302, 401, 407, 404, 408, 415, 420, 484, 486, 500, 503, 603];
        for one in all {
            for two in all {
                let class = |status: u16| rank(status);
                assert_eq!(class(best(&[one, two])), class(best(&[two, one])));
                assert_eq!(class(best(&[one, two])), class(one).min(class(two)));
            }
        }
    }

    #[test]
    fn reciprocate_368_a_503_is_a_500_for_the_client() {
        assert_eq!((upstream(503), upstream(500), upstream(486)), (500, 500, 486));
        assert!(is_challenge(401) && is_challenge(407) && !is_challenge(403));
    }
}
