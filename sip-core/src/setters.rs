//! The setters of configurations.

/// Writes a setter for each field of `Config`, which gives the configuration with another value of it.
macro_rules! setters {
    ($($setter:ident $field:ident: $kind:ty;)*) => {
        impl<'a> Config<'a> {
            $(
                #[doc = concat!("The same with another [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub const fn $setter(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

pub(crate) use setters;
