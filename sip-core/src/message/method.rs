//! Request methods (RFC 3261 §7.1 and its extensions).

use super::scan::{TOKEN, run};

/// A request method; names are case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Method<'a> {
    /// INVITE (RFC 3261 §13).
    Invite,
    /// ACK (RFC 3261 §13).
    Ack,
    /// BYE (RFC 3261 §15).
    Bye,
    /// CANCEL (RFC 3261 §9).
    Cancel,
    /// OPTIONS (RFC 3261 §11).
    Options,
    /// REGISTER (RFC 3261 §10).
    Register,
    /// SUBSCRIBE (RFC 6665).
    Subscribe,
    /// NOTIFY (RFC 6665).
    Notify,
    /// INFO (RFC 6086).
    Info,
    /// MESSAGE (RFC 3428).
    Message,
    /// UPDATE (RFC 3311).
    Update,
    /// PRACK (RFC 3262).
    Prack,
    /// REFER (RFC 3515).
    Refer,
    /// PUBLISH (RFC 3903).
    Publish,
    /// Any other method, by its name.
    Extension(&'a [u8]),
}

impl<'a> Method<'a> {
    /// The method of this name; `None` when it is not a token.
    #[must_use]
    pub fn parse(name: &'a [u8]) -> Option<Self> {
        let method = Self::known(name);
        let token = !matches!(method, Self::Extension(_)) || (!name.is_empty() && run(name, 0, TOKEN) == name.len());
        token.then_some(method)
    }

    /// The method of this name, which is known to be a token.
    #[inline]
    pub(crate) fn known(name: &'a [u8]) -> Self {
        match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"OPTIONS" => Self::Options,
            b"REGISTER" => Self::Register,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"INFO" => Self::Info,
            b"MESSAGE" => Self::Message,
            b"UPDATE" => Self::Update,
            b"PRACK" => Self::Prack,
            b"REFER" => Self::Refer,
            b"PUBLISH" => Self::Publish,
            _ => Self::Extension(name),
        }
    }

    /// The name.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Invite => b"INVITE",
            Self::Ack => b"ACK",
            Self::Bye => b"BYE",
            Self::Cancel => b"CANCEL",
            Self::Options => b"OPTIONS",
            Self::Register => b"REGISTER",
            Self::Subscribe => b"SUBSCRIBE",
            Self::Notify => b"NOTIFY",
            Self::Info => b"INFO",
            Self::Message => b"MESSAGE",
            Self::Update => b"UPDATE",
            Self::Prack => b"PRACK",
            Self::Refer => b"REFER",
            Self::Publish => b"PUBLISH",
            Self::Extension(name) => name,
        }
    }

    /// A small number for each known method, for tables that keep no name; zero for an extension.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Extension(_) => 0,
            Self::Invite => 1,
            Self::Ack => 2,
            Self::Bye => 3,
            Self::Cancel => 4,
            Self::Options => 5,
            Self::Register => 6,
            Self::Subscribe => 7,
            Self::Notify => 8,
            Self::Info => 9,
            Self::Message => 10,
            Self::Update => 11,
            Self::Prack => 12,
            Self::Refer => 13,
            Self::Publish => 14,
        }
    }

    /// The method with this [`code`](Self::code); `None` for zero and for numbers that no method has.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Method<'static>> {
        Some(match code {
            1 => Method::Invite,
            2 => Method::Ack,
            3 => Method::Bye,
            4 => Method::Cancel,
            5 => Method::Options,
            6 => Method::Register,
            7 => Method::Subscribe,
            8 => Method::Notify,
            9 => Method::Info,
            10 => Method::Message,
            11 => Method::Update,
            12 => Method::Prack,
            13 => Method::Refer,
            14 => Method::Publish,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_names_its_method() {
        for code in 0..=255 {
            if let Some(method) = Method::from_code(code) {
                assert_eq!(method.code(), code);
                assert_eq!(Method::parse(method.as_bytes()), Some(method));
            }
        }
    }

    #[test]
    fn other_names_are_extensions_and_case_matters() {
        assert_eq!(Method::parse(b"invite"), Some(Method::Extension(b"invite")));
        assert_eq!(Method::parse(b"RE%47IST%45R").map(Method::as_bytes), Some(&b"RE%47IST%45R"[..]));
        assert_eq!(Method::parse(b""), None);
        assert_eq!(Method::parse(b"A B"), None);
    }
}
