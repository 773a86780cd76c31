//! Request methods (RFC 3261 §7.1 and its extensions).

use super::scan::{TOKEN, WIDE, run, slice};
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

        /// The names, one behind the other.
        static NAMES: &str = concat!($($name),*);

        /// By code, where each name begins; the next one's is where it ends.
        static STARTS: [u8; Code::End as usize + 1] = starts([0, $($name.len() as u8),*]);

        impl<'a> Method<'a> {
            /// The method of this name, which is known to be a token.
            #[cfg_attr(target_pointer_width = "64", inline)]
            pub(crate) fn known(name: &'a [u8]) -> Self {
                if WIDE {
                    return match name {
                        $(known if known == $name.as_bytes() => Self::$variant,)*
                        _ => Self::Extension(name),
                    };
                }
                let code = (1..Code::End as u8).find(|code| name_of(*code) == name).unwrap_or(0);
                Self::from_code(code).unwrap_or(Self::Extension(name))
            }

            /// The name.
            #[must_use]
            #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
            pub fn as_bytes(self) -> &'a [u8] {
                match self {
                    Self::Extension(name) => name,
                    known => name_of(known.code()),
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

/// The running sums of the lengths, from 0 on.
#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn starts<const N: usize, const M: usize>(lengths: [u8; N]) -> [u8; M] {
    let mut starts = [0; M];
    let mut code = 0;
    while code < N {
        let next = code.wrapping_add(1);
        starts[next] = lengths[code].wrapping_add(starts[code]);
        code = next;
    }
    starts
}

/// The name of a known code.
#[inline]
fn name_of(code: u8) -> &'static [u8] {
    let start = |code: u8| STARTS.get(usize::from(code)).map_or(0, |start| usize::from(*start));
    slice(NAMES.as_bytes(), start(code), start(code.wrapping_add(1)))
}

methods! {
    /// INVITE (RFC 3261 §13).
    Invite "INVITE";
    /// ACK (RFC 3261 §13).
    Ack "ACK";
    /// BYE (RFC 3261 §15).
    Bye "BYE";
    /// CANCEL (RFC 3261 §9).
    Cancel "CANCEL";
    /// OPTIONS (RFC 3261 §11).
    Options "OPTIONS";
    /// REGISTER (RFC 3261 §10).
    Register "REGISTER";
    /// SUBSCRIBE (RFC 6665).
    Subscribe "SUBSCRIBE";
    /// NOTIFY (RFC 6665).
    Notify "NOTIFY";
    /// INFO (RFC 6086).
    Info "INFO";
    /// MESSAGE (RFC 3428).
    Message "MESSAGE";
    /// UPDATE (RFC 3311).
    Update "UPDATE";
    /// PRACK (RFC 3262).
    Prack "PRACK";
    /// REFER (RFC 3515).
    Refer "REFER";
    /// PUBLISH (RFC 3903).
    Publish "PUBLISH";
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
