//! Privacy and asserted identities, Path and Service-Route (RFC 3323, RFC 3325, RFC 3327, RFC 3608).

use super::address::NameAddr;
use super::header::HeaderName;
use super::list::List;
use super::parse::Message;
use super::scan::trim;

impl<'a> Message<'a> {
    /// The privacy that is asked for: `id`, `header`, `session`, `user`, `none`, `critical`, … (RFC 3323 §4.2).
    ///
    /// Semicolons separate them; commas, which occur in the field, are taken too.
    pub fn privacy(&self) -> impl Iterator<Item = &'a [u8]> {
        let separator = |octet: &u8| matches!(octet, b';' | b',');
        self.header_rows(HeaderName::Privacy)
            .flat_map(move |row| row.split(separator))
            .map(trim)
            .filter(|value| !value.is_empty())
    }

    /// Every P-Asserted-Identity, in order; to be believed only from a trusted peer (RFC 3325 §9.1).
    #[must_use]
    pub fn asserted_identities(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::PAssertedIdentity.id()))
    }

    /// Every P-Preferred-Identity, in order (RFC 3325 §9.2).
    #[must_use]
    pub fn preferred_identities(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::PPreferredIdentity.id()))
    }

    /// Every Path, topmost first (RFC 3327 §4).
    #[must_use]
    pub fn paths(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::Path.id()))
    }

    /// Every Service-Route, topmost first (RFC 3608 §5).
    #[must_use]
    pub fn service_routes(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::ServiceRoute.id()))
    }
}
