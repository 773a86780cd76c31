//! Header rows by name, and the comma-separated elements in them (RFC 3261 §7.3.1).

use super::ParseError;
use super::header::Header;
use super::row::{Row, pass_over, row};
use super::scan::{peek, skip_lws};
use super::walk::Walk;

/// A value that can stand in a comma-separated list.
pub(crate) trait Element<'a>: Sized {
    /// Nothing yet.
    const EMPTY: Self;

    /// What is wrong with an element that can't be read.
    const ERROR: ParseError;

    /// Takes the place of an empty value, reading the element that begins at `at`; gives the place of the comma or end that
    /// follows it. When it can't be read, what stands here then means nothing.
    fn fill(&mut self, bytes: &'a [u8], at: usize) -> Option<usize>;
}

/// The rows of a message: those in its table, then those that did not fit in it.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'m, 'a> {
    pub(crate) bytes: &'a [u8],
    table: core::slice::Iter<'m, Row>,
    /// Where the rows beyond the table begin; zero when there are none.
    rest: usize,
}

impl<'m, 'a> Rows<'m, 'a> {
    pub(crate) fn new(bytes: &'a [u8], table: &'m [Row], rest: usize) -> Self {
        Self { bytes, table: table.iter(), rest }
    }
}

impl Iterator for Rows<'_, '_> {
    type Item = Row;

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<Row> {
        match self.table.next() {
            Some(row) => Some(*row),
            None => next_beyond(self.bytes, &mut self.rest),
        }
    }
}

/// The row that begins at `rest`, where the next one is to be looked for afterwards.
#[inline(never)]
fn next_beyond(bytes: &[u8], rest: &mut usize) -> Option<Row> {
    while *rest != 0 && peek(bytes, *rest) != b'\r' {
        match row(bytes, *rest) {
            Ok((found, next)) => {
                *rest = next;
                return Some(found);
            }
            Err(fault) => *rest = pass_over(bytes, fault).ok()?,
        }
    }
    None
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

/// The rows of two ids, in order.
#[derive(Clone, Debug)]
pub(crate) struct Selected<'m, 'a> {
    rows: Rows<'m, 'a>,
    ids: [u8; 2],
}

impl<'m, 'a> Selected<'m, 'a> {
    pub(crate) const fn new(rows: Rows<'m, 'a>, ids: [u8; 2]) -> Self {
        Self { rows, ids }
    }
}

impl<'a> Iterator for Selected<'_, 'a> {
    /// The id, where the value begins, and the octets up to its end.
    type Item = (u8, usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ids = self.ids;
        let row = self.rows.find(|row| ids.contains(&row.id()))?;
        Some((row.id(), row.value(), row.up_to_end(self.rows.bytes)))
    }
}

/// The values of all rows of one name, in order, each row's value whole.
#[derive(Clone, Debug)]
pub struct Named<'m, 'a, 'n> {
    bytes: &'a [u8],
    table: &'m [Row],
    /// The number of the next row of this id in the table, counted from one; zero when there is none.
    next: u8,
    id: u8,
    /// Where the rows beyond the table begin; zero when there are none.
    rest: usize,
    /// The name, which tells rows apart whose id is zero.
    name: &'n [u8],
}

impl<'m, 'a, 'n> Named<'m, 'a, 'n> {
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn new(
        bytes: &'a [u8],
        table: &'m [Row],
        rest: usize,
        next: u8,
        (id, name): (u8, &'n [u8]),
    ) -> Self {
        Self { bytes, table, next, id, rest, name }
    }

    /// Whether the row, which has the id if it stands in the table, has the name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn has_name(&self, row: Row) -> bool {
        self.id != 0 || row.name_in(self.bytes).eq_ignore_ascii_case(self.name)
    }

    #[inline(never)]
    fn next_beyond(&mut self) -> Option<Row> {
        loop {
            let row = next_beyond(self.bytes, &mut self.rest)?;
            if row.id() == self.id && self.has_name(row) {
                return Some(row);
            }
        }
    }

    /// The next row.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next_row(&mut self) -> Option<Row> {
        while let Some(row) = self.table.get(usize::from(self.next).wrapping_sub(1)) {
            self.next = row.next();
            if self.has_name(*row) {
                return Some(*row);
            }
        }
        if self.rest == 0 { None } else { self.next_beyond() }
    }

    /// Where the value of the next row begins, and the octets up to its end.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn next_value(&mut self) -> Option<(usize, &'a [u8])> {
        let row = self.next_row()?;
        Some((row.value(), row.up_to_end(self.bytes)))
    }
}

impl<'a> Iterator for Named<'_, 'a, '_> {
    type Item = &'a [u8];

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.next_row().map(|row| row.value_in(self.bytes))
    }
}

/// The comma-separated elements of all rows of one name; quotes and angle brackets hide commas, empty
/// elements are left out.
#[derive(Clone, Debug)]
pub struct Values<'m, 'a, 'n> {
    rows: Named<'m, 'a, 'n>,
    row: Walk<'a>,
    /// Where in the row the next element begins; beyond its end when there is none.
    at: usize,
}

impl<'m, 'a, 'n> Values<'m, 'a, 'n> {
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn new(rows: Named<'m, 'a, 'n>) -> Self {
        Self { rows, row: Walk::new(b"", 0), at: usize::MAX }
    }
}

impl<'a> Iterator for Values<'_, 'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.at > self.row.bytes.len() {
                let (at, row) = self.rows.next_value()?;
                (self.at, self.row) = (at, Walk::new(row, at));
            }
            let (element, end) = self.row.element(self.at);
            self.at = end.wrapping_add(1);
            if !element.is_empty() {
                return Some(element);
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
    row: &'a [u8],
    /// Where in the row the next element begins; beyond its end when there is none.
    at: usize,
    /// What has been parsed before.
    ready: Option<T>,
}

impl<'m, 'a, T> List<'m, 'a, T> {
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn new(rows: Named<'m, 'a, 'static>) -> Self {
        Self { rows, row: b"", at: usize::MAX, ready: None }
    }

    /// The list whose first element has been parsed.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn after(first: T, raw: &[u8], rows: Named<'m, 'a, 'static>) -> Self {
        let mut list = Self::new(rows);
        if let Some((value, row)) = list.rows.next_value() {
            list.row = row;
            list.at = skip_lws(row, value.wrapping_add(raw.len())).wrapping_add(1);
        }
        list.ready = Some(first);
        list
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
        if self.at > self.row.len() {
            (self.at, self.row) = self.rows.next_value()?;
        }
        let mut item = T::EMPTY;
        match item.fill(self.row, self.at) {
            Some(end) => {
                self.at = end.wrapping_add(1);
                Some(Ok(item))
            }
            None => {
                self.at = Walk::new(self.row, self.at).element(self.at).1.wrapping_add(1);
                Some(Err(T::ERROR))
            }
        }
    }
}
