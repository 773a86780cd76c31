//! What was read, in a form that can be compared.

use super::shown;
use core::fmt;
use sip_core::message::{Param, unfold};

/// What was read of a message, value after value, each with its label. Folds are read as the spaces that they stand for
/// (RFC 3261 §7.3.1), so that a value says the same with and without them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said(Vec<u8>);

impl Said {
    /// Notes a value.
    pub fn text(&mut self, label: &str, value: &[u8]) {
        self.label(label);
        self.0.extend(unfold(value));
        self.0.push(b'\n');
    }

    /// Notes a value that may be missing.
    pub fn maybe(&mut self, label: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.text(label, value),
            None => self.missing(label),
        }
    }

    /// Notes a number that may be missing.
    pub fn number(&mut self, label: &str, value: Option<impl Into<u64>>) {
        match value {
            Some(value) => {
                self.label(label);
                self.0.extend_from_slice(value.into().to_string().as_bytes());
                self.0.push(b'\n');
            }
            None => self.missing(label),
        }
    }

    /// Notes the outcome of a reading: what `each` notes of it, or its error.
    pub fn outcome<T, E: fmt::Debug>(
        &mut self,
        label: &str,
        value: Option<Result<T, E>>,
        each: impl FnOnce(&mut Self, T),
    ) {
        match value {
            Some(Ok(value)) => {
                self.label(label);
                self.0.push(b'\n');
                each(self, value);
            }
            Some(Err(error)) => self.text(label, format!("{error:?}").as_bytes()),
            None => self.missing(label),
        }
    }

    /// Notes parameters, in order.
    pub fn params<'a>(&mut self, params: impl Iterator<Item = Param<'a>>, most: usize) {
        each(params, most, |param| {
            self.text("name", param.name);
            self.maybe("value", param.value);
        });
    }

    fn label(&mut self, label: &str) {
        self.0.extend_from_slice(label.as_bytes());
        self.0.push(b'=');
    }

    fn missing(&mut self, label: &str) {
        self.0.extend_from_slice(label.as_bytes());
        self.0.push(b'\n');
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split(|octet| *octet == b'\n').try_for_each(|line| writeln!(f, "{}", shown(line)))
    }
}

/// Walks to the end, which is reached after at most `most` items: each item takes an octet at least.
///
/// # Panics
/// When there are more.
pub fn each<T>(items: impl Iterator<Item = T>, most: usize, mut act: impl FnMut(T)) {
    let mut count: usize = 0;
    for item in items {
        count += 1;
        assert!(count <= most, "more items than octets: an iterator that makes no progress");
        act(item);
    }
}
