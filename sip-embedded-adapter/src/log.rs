//! Log lines through defmt with the feature of that name; without it they are nothing, and cost nothing.

/// A line at level `debug` or `warn`: `log::line!(debug, "format", argument, …)`.
#[cfg(feature = "defmt")]
macro_rules! line {
    ($level:ident, $($what:tt)*) => { defmt::$level!($($what)*) };
}

#[cfg(not(feature = "defmt"))]
macro_rules! line {
    ($level:ident, $format:literal $(, $argument:expr)* $(,)?) => {{ $(let _ = &$argument;)* }};
}

pub(crate) use line;
