//! Which message may carry an offer or an answer (RFC 6337 §2.2, its Table 1; RFC 3261 §13.2.1, RFC 3262 §5, RFC 3311 §5).
//!
//! | offer | answer | first offer of a session | later, call confirmed | later, call early |
//! |---|---|---|---|---|
//! | INVITE | 2xx to INVITE | yes | yes | no |
//! | 2xx to INVITE | ACK | yes | yes | no |
//! | INVITE | reliable 1xx | yes | yes | no |
//! | reliable 1xx | PRACK | yes | yes | no |
//! | PRACK | 2xx to PRACK | no | yes | yes |
//! | UPDATE | 2xx to UPDATE | no | yes | yes |
//!
//! An unreliable 1xx carries neither: its description shows what the answer will be, and the answer follows in a reliable
//! response. What a 2xx repeats of an answer that was given reliably is neither, too (§2.3).

/// A message that may have a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Carrier {
    /// INVITE, initial or inside a dialog.
    Invite,
    /// A provisional response to INVITE that is not acknowledged.
    Provisional,
    /// A provisional response to INVITE that is acknowledged by PRACK (RFC 3262).
    ReliableProvisional,
    /// A 2xx to INVITE.
    Success,
    /// The ACK to it.
    Ack,
    /// PRACK.
    Prack,
    /// A 2xx to PRACK.
    PrackSuccess,
    /// UPDATE (RFC 3311).
    Update,
    /// A 2xx to UPDATE.
    UpdateSuccess,
}

/// How far the exchange has come in which a message stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Progress {
    /// The message that carried the offer that has no answer yet; for one inside an INVITE transaction, of that transaction.
    pub offer: Option<Carrier>,
    /// Whether the session has had an offer and its answer.
    pub agreed: bool,
    /// Whether an offer was made in the INVITE transaction that the message belongs to.
    pub invite_offered: bool,
}

/// What a description is in the message that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Meaning {
    /// An offer.
    Offer,
    /// The answer to the offer that is out.
    Answer,
    /// What the answer will be; the answer follows.
    Preview,
    /// Neither. Received it is ignored, or refused when it would be an offer that comes too early.
    Nothing,
}

/// What a description means in this message.
#[must_use]
pub const fn meaning(carrier: Carrier, progress: &Progress) -> Meaning {
    match progress.offer {
        Some(offer) => answer_to(offer, carrier),
        None if may_offer(carrier, progress) => Meaning::Offer,
        None => Meaning::Nothing,
    }
}

/// What a description means while the offer of a message is open.
const fn answer_to(offer: Carrier, carrier: Carrier) -> Meaning {
    match (offer, carrier) {
        (Carrier::Invite, Carrier::ReliableProvisional | Carrier::Success)
        | (Carrier::ReliableProvisional, Carrier::Prack)
        | (Carrier::Success, Carrier::Ack)
        | (Carrier::Prack, Carrier::PrackSuccess)
        | (Carrier::Update, Carrier::UpdateSuccess) => Meaning::Answer,
        (Carrier::Invite, Carrier::Provisional) => Meaning::Preview,
        _ => Meaning::Nothing,
    }
}

/// Whether a message may carry an offer while none is open.
const fn may_offer(carrier: Carrier, progress: &Progress) -> bool {
    match carrier {
        Carrier::Invite => true,
        // The first reliable response makes the offer that the INVITE lacks (RFC 3261 §13.2.1, RFC 3262 §5).
        Carrier::ReliableProvisional | Carrier::Success => !progress.invite_offered,
        // Only for a further exchange, after that of the INVITE (RFC 3262 §5, RFC 3311 §5.1).
        Carrier::Prack => progress.agreed && progress.invite_offered,
        Carrier::Update => progress.agreed,
        Carrier::Provisional | Carrier::Ack | Carrier::PrackSuccess | Carrier::UpdateSuccess => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Carrier::{
        Ack, Invite, Prack, PrackSuccess, Provisional, ReliableProvisional, Success, Update, UpdateSuccess,
    };
    use super::Meaning::{Answer, Nothing, Offer, Preview};
    use super::*;

    const CARRIERS: [Carrier; 9] =
        [Invite, Provisional, ReliableProvisional, Success, Ack, Prack, PrackSuccess, Update, UpdateSuccess];

    /// What each message of [`CARRIERS`] means.
    type Row = [Meaning; 9];

    #[test]
    fn an_open_offer_has_its_places_for_an_answer() {
        let none = [Nothing; 9];
        let with = |places: &[(usize, Meaning)]| {
            let mut row: Row = none;
            places.iter().for_each(|(place, meaning)| row[*place] = *meaning);
            row
        };
        let table: [(Carrier, Row); 9] = [
            (Invite, with(&[(1, Preview), (2, Answer), (3, Answer)])),
            (Provisional, none),
            (ReliableProvisional, with(&[(5, Answer)])),
            (Success, with(&[(4, Answer)])),
            (Ack, none),
            (Prack, with(&[(6, Answer)])),
            (PrackSuccess, none),
            (Update, with(&[(8, Answer)])),
            (UpdateSuccess, none),
        ];
        for (offer, row) in table {
            // No other message makes a further offer meanwhile, whatever has been agreed.
            for (agreed, invite_offered) in [(false, false), (false, true), (true, false), (true, true)] {
                let progress = Progress { offer: Some(offer), agreed, invite_offered };
                assert_eq!(CARRIERS.map(|carrier| meaning(carrier, &progress)), row, "{progress:?}");
            }
        }
    }

    #[test]
    fn without_an_open_offer_a_message_makes_one_or_none() {
        let table: [((bool, bool), Row); 4] = [
            // A session begins: the INVITE, or the first reliable response to one without an offer.
            ((false, false), [Offer, Nothing, Offer, Offer, Nothing, Nothing, Nothing, Nothing, Nothing]),
            // The offer of the INVITE was refused.
            ((false, true), [Offer, Nothing, Nothing, Nothing, Nothing, Nothing, Nothing, Nothing, Nothing]),
            // A re-INVITE without an offer.
            ((true, false), [Offer, Nothing, Offer, Offer, Nothing, Nothing, Nothing, Offer, Nothing]),
            // The INVITE has had its exchange: early or not, PRACK and UPDATE may change the session.
            ((true, true), [Offer, Nothing, Nothing, Nothing, Nothing, Offer, Nothing, Offer, Nothing]),
        ];
        for ((agreed, invite_offered), row) in table {
            let progress = Progress { offer: None, agreed, invite_offered };
            assert_eq!(CARRIERS.map(|carrier| meaning(carrier, &progress)), row, "{progress:?}");
        }
    }
}
