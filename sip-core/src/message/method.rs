//! Request methods (RFC 3261 §7.1 and its extensions).

use super::scan::{TOKEN, WIDE, run};
use core::hash::{Hash, Hasher};

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// A request method; names are case-sensitive.
        #[derive(Clone, Copy, Debug)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum Method<'a> {
            // First, as in `Code`, so that a code is the number of its variant.
            /// Any other method, by its name.
            Extension(&'a [u8]),
            $($(#[$doc])* $variant,)*
        }

        #[repr(u8)]
        enum Code { #[allow(dead_code, reason = "keeps zero free")] Extension, $($variant,)* End }

        /// The names by code.
        static NAMES: [&[u8]; Code::End as usize] = [b"", $($name,)*];

        impl<'a> Method<'a> {
            /// The method of this name, which is known to be a token.
            #[cfg_attr(target_pointer_width = "64", inline)]
            pub(crate) fn known(name: &'a [u8]) -> Self {
                if WIDE {
                    return match name {
                        $($name => Self::$variant,)*
                        _ => Self::Extension(name),
                    };
                }
                let code = NAMES.iter().position(|known| *known == name).unwrap_or(0);
                Self::from_code(code as u8).unwrap_or(Self::Extension(name))
            }

            /// The name.
            #[must_use]
            #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
            pub fn as_bytes(self) -> &'a [u8] {
                match self {
                    Self::Extension(name) => name,
                    known => NAMES.get(usize::from(known.code())).copied().unwrap_or_default(),
                }
            }

            /// A small number for each known method, for tables that keep no name; zero for an extension.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    Self::Extension(_) => 0,
                    $(Self::$variant => Code::$variant as u8,)*
                }
            }

            /// The method with this [`code`](Self::code); `None` for zero and for numbers that no method has.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                Some(match code {
                    $(code if code == Code::$variant as u8 => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

methods! {
    /// INVITE (RFC 3261 §13).
    Invite b"INVITE";
    /// ACK (RFC 3261 §13).
    Ack b"ACK";
    /// BYE (RFC 3261 §15).
    Bye b"BYE";
    /// CANCEL (RFC 3261 §9).
    Cancel b"CANCEL";
    /// OPTIONS (RFC 3261 §11).
    Options b"OPTIONS";
    /// REGISTER (RFC 3261 §10).
    Register b"REGISTER";
    /// SUBSCRIBE (RFC 6665).
    Subscribe b"SUBSCRIBE";
    /// NOTIFY (RFC 6665).
    Notify b"NOTIFY";
    /// INFO (RFC 6086).
    Info b"INFO";
    /// MESSAGE (RFC 3428).
    Message b"MESSAGE";
    /// UPDATE (RFC 3311).
    Update b"UPDATE";
    /// PRACK (RFC 3262).
    Prack b"PRACK";
    /// REFER (RFC 3515).
    Refer b"REFER";
    /// PUBLISH (RFC 3903).
    Publish b"PUBLISH";
}

/// By code first, so that to compare with a known method is to compare a number.
impl PartialEq for Method<'_> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && (self.code() != 0 || self.as_bytes() == other.as_bytes())
    }
}

impl Eq for Method<'_> {}

impl Hash for Method<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl<'a> Method<'a> {
    /// The method of this name; `None` when it is not a token.
    #[must_use]
    pub fn parse(name: &'a [u8]) -> Option<Self> {
        let method = Self::known(name);
        let token = !matches!(method, Self::Extension(_)) || (!name.is_empty() && run(name, 0, TOKEN) == name.len());
        token.then_some(method)
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
