//! Header rows by name, and the comma-separated elements in them (RFC 3261 §7.3.1).

use super::ParseError;
use super::header::{Header, Row, row};
use super::scan::{element, peek};

/// A value that can stand in a comma-separated list.
pub(crate) trait Element<'a>: Sized {
    /// Reads the element that begins at `at`; gives it and the place of the comma or end that follows it.
    fn read(bytes: &'a [u8], at: usize) -> Result<(Self, usize), ParseError>;
}

/// The rows of a message: those in its table, then those that did not fit in it.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'m, 'a> {
    bytes: &'a [u8],
    table: core::slice::Iter<'m, Row>,
    /// Where the rows beyond the table begin; zero when there are none.
    rest: usize,
}

impl<'m, 'a> Rows<'m, 'a> {
    pub(crate) fn new(bytes: &'a [u8], table: &'m [Row], rest: usize) -> Self {
        Self { bytes, table: table.iter(), rest }
    }

    /// The first row of this id.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn first(mut self, id: u8) -> Option<&'a [u8]> {
        match self.table.as_slice().iter().find(|row| row.id() == id) {
            Some(row) => Some(row.value_in(self.bytes)),
            None if self.rest == 0 => None,
            None => {
                self.table = [].iter();
                let row = self.find(|row| row.id() == id)?;
                Some(row.value_in(self.bytes))
            }
        }
    }

    /// The next row of this id; of this name when the id is zero.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next_named(&mut self, id: u8, name: &[u8]) -> Option<Row> {
        if id == 0 {
            let bytes = self.bytes;
            return self.find(|row| row.id() == 0 && row.name_in(bytes).eq_ignore_ascii_case(name));
        }
        for row in self.table.by_ref() {
            if row.id() == id {
                return Some(*row);
            }
        }
        if self.rest == 0 { None } else { self.find(|row| row.id() == id) }
    }

    #[inline(never)]
    fn next_beyond(&mut self) -> Option<Row> {
        if self.rest == 0 || peek(self.bytes, self.rest) == b'\r' {
            return None;
        }
        let (found, next) = row(self.bytes, self.rest).ok()?;
        self.rest = next;
        Some(found)
    }
}

impl Iterator for Rows<'_, '_> {
    type Item = Row;

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<Row> {
        match self.table.next() {
            Some(row) => Some(*row),
            None => self.next_beyond(),
        }
    }
}

/// The header rows of a message, in order.
#[derive(Clone, Debug)]
pub struct Headers<'m, 'a> {
    pub(crate) rows: Rows<'m, 'a>,
}

impl<'a> Iterator for Headers<'_, 'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.rows.next().map(|row| row.header_in(self.rows.bytes))
    }
}

/// The rows whose ids have their bit set in a mask.
#[derive(Clone, Debug)]
pub(crate) struct Selected<'m, 'a> {
    rows: Rows<'m, 'a>,
    ids: u64,
}

impl<'m, 'a> Selected<'m, 'a> {
    pub(crate) const fn new(rows: Rows<'m, 'a>, ids: u64) -> Self {
        Self { rows, ids }
    }
}

impl<'a> Iterator for Selected<'_, 'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let ids = self.ids;
        let row = self.rows.find(|row| 1u64.wrapping_shl(u32::from(row.id())) & ids != 0)?;
        Some(row.header_in(self.rows.bytes))
    }
}

/// The values of all rows of one name, in order, each row's value whole.
#[derive(Clone, Debug)]
pub struct Named<'m, 'a, 'n> {
    rows: Rows<'m, 'a>,
    id: u8,
    name: &'n [u8],
}

impl<'m, 'a, 'n> Named<'m, 'a, 'n> {
    pub(crate) const fn new(rows: Rows<'m, 'a>, id: u8, name: &'n [u8]) -> Self {
        Self { rows, id, name }
    }
}

impl<'a> Iterator for Named<'_, 'a, '_> {
    type Item = &'a [u8];

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.rows.next_named(self.id, self.name).map(|row| row.value_in(self.rows.bytes))
    }
}

/// The comma-separated elements of all rows of one name; quotes and angle brackets hide commas, empty
/// elements are left out.
#[derive(Clone, Debug)]
pub struct Values<'m, 'a, 'n> {
    rows: Named<'m, 'a, 'n>,
    rest: Option<&'a [u8]>,
}

impl<'m, 'a, 'n> Values<'m, 'a, 'n> {
    pub(crate) const fn new(rows: Named<'m, 'a, 'n>) -> Self {
        Self { rows, rest: None }
    }

    #[inline(never)]
    fn next_row(&mut self) -> Option<&'a [u8]> {
        self.rows.next()
    }
}

impl<'a> Iterator for Values<'_, 'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let list = match self.rest.take() {
                Some(rest) => rest,
                None => self.next_row()?,
            };
            let (first, rest) = element(list);
            self.rest = rest;
            if !first.is_empty() {
                return Some(first);
            }
        }
    }
}

/// The parsed elements of all rows of one name.
///
/// A malformed element is an `Err`; the iteration goes on behind its comma.
#[derive(Clone, Debug)]
pub struct List<'m, 'a, T> {
    rows: Named<'m, 'a, 'static>,
    rest: Option<&'a [u8]>,
    /// What has been parsed before.
    ready: Option<T>,
}

impl<'m, 'a, T> List<'m, 'a, T> {
    pub(crate) const fn new(rows: Named<'m, 'a, 'static>) -> Self {
        Self { rows, rest: None, ready: None }
    }

    /// A list of which an element has been parsed, and `rest` follows it in its row.
    pub(crate) const fn after(ready: Option<T>, rest: Option<&'a [u8]>, rows: Named<'m, 'a, 'static>) -> Self {
        Self { rows, rest, ready }
    }
}

#[allow(private_bounds, reason = "what can stand in a list is for this crate to say")]
impl<'a, T: Element<'a>> Iterator for List<'_, 'a, T> {
    type Item = Result<T, ParseError>;

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.ready.take() {
            return Some(Ok(item));
        }
        let list = match self.rest.take() {
            Some(rest) => rest,
            None => self.rows.next()?,
        };
        match T::read(list, 0) {
            Ok((item, end)) => {
                self.rest = list.get(end.wrapping_add(1)..);
                Some(Ok(item))
            }
            Err(error) => {
                self.rest = element(list).1;
                Some(Err(error))
            }
        }
    }
}
