//! What a machine says to do after an input.

/// What has to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Send {
    /// Nothing.
    #[default]
    Nothing,
    /// The request, for the first time or again.
    Request,
    /// The ACK to a final response other than 2xx.
    Ack,
    /// A 100 (Trying), because the user took more than 200 ms.
    Trying,
    /// The user's last response, for the first time or again.
    Response,
}

/// What the transaction user has to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Indication {
    /// Nothing.
    #[default]
    Nothing,
    /// The response that was received.
    Response,
    /// The ACK that was received belongs to a 2xx, which is the user's.
    Ack,
    /// The peer did not answer: Timer B or F, or Timer H for the ACK.
    TimedOut,
    /// Timer C has fired: the INVITE is to be cancelled.
    TimerC,
    /// The transport could not send.
    TransportError,
}

/// What a machine says to do after an input; all zero is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Step {
    /// What to send.
    pub send: Send,
    /// What to tell the user.
    pub indication: Indication,
    /// Whether the machine is Terminated now.
    pub ended: bool,
}

impl Step {
    /// Nothing to do.
    pub const NOTHING: Self = Self { send: Send::Nothing, indication: Indication::Nothing, ended: false };

    pub(super) const fn send(send: Send) -> Self {
        Self { send, ..Self::NOTHING }
    }

    pub(super) const fn indicate(indication: Indication) -> Self {
        Self { indication, ..Self::NOTHING }
    }

    pub(super) const fn indicating(self, indication: Indication) -> Self {
        Self { indication, ..self }
    }

    pub(super) const fn ended(self) -> Self {
        Self { ended: true, ..self }
    }
}
