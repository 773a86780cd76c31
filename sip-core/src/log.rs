//! Log lines through defmt with the feature of that name; without it they are nothing, and cost nothing.

/// A line at level `trace`, `debug` or `warn`: `log::line!(debug, "format", argument, …)`.
#[cfg(feature = "defmt")]
macro_rules! line {
    ($level:ident, $($what:tt)*) => { defmt::$level!($($what)*) };
}

#[cfg(not(feature = "defmt"))]
macro_rules! line {
    ($level:ident, $format:literal $(, $argument:expr)* $(,)?) => {{ $(let _ = &$argument;)* }};
}

pub(crate) use line;

/// The start line and what tells the message from others; the whole would fill the buffer of a log.
#[cfg(feature = "defmt")]
impl defmt::Format for crate::message::Message<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.status() {
            Some(status) => defmt::write!(f, "{} to {}, call {=[u8]:a}", status, self.cseq(), self.call_id()),
            None => defmt::write!(f, "{}, call {=[u8]:a}", self.cseq(), self.call_id()),
        }
    }
}

/// What is wrong and where.
#[cfg(feature = "defmt")]
impl defmt::Format for crate::message::Malformed<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} at octet {} of {}", self.error(), self.at(), self.bytes().len());
    }
}
