//! Types that a word can give back.

use std::any::type_name;
use std::path::PathBuf;

use rhai::{Dynamic, FnPtr, ImmutableString, Map};

use crate::error::Result;
use crate::script::errors::{Fallible, raise};
use crate::script::options;

/// A Rust value that becomes a value of the language.
pub trait IntoValue: 'static {
    /// Rust's name of the type of value that it becomes.
    fn type_name() -> &'static str {
        type_name::<Self>()
    }

    fn into_value(self) -> Dynamic;
}

/// The result of a word's function: a value, or a `Result` of one.
pub trait Answer {
    /// Rust's name of the type of value.
    fn type_name() -> &'static str;

    fn answer(self) -> Fallible<Dynamic>;
}

impl<T: IntoValue> Answer for T {
    fn type_name() -> &'static str {
        <T as IntoValue>::type_name()
    }

    fn answer(self) -> Fallible<Dynamic> {
        Ok(self.into_value())
    }
}

impl<T: IntoValue> Answer for Result<T> {
    fn type_name() -> &'static str {
        <T as IntoValue>::type_name()
    }

    fn answer(self) -> Fallible<Dynamic> {
        self.map(T::into_value).map_err(raise)
    }
}

impl<T: IntoValue> Answer for Fallible<T> {
    fn type_name() -> &'static str {
        <T as IntoValue>::type_name()
    }

    fn answer(self) -> Fallible<Dynamic> {
        self.map(T::into_value)
    }
}

/// Makes a kind's Rust type an answer as it is.
macro_rules! value_as_it_is {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::script::call::IntoValue for $type {
            fn into_value(self) -> rhai::Dynamic {
                rhai::Dynamic::from(self)
            }
        }
    )+};
}
pub(crate) use value_as_it_is;

value_as_it_is!(i64, f64, bool, ImmutableString, Map, FnPtr, String);

impl IntoValue for () {
    fn into_value(self) -> Dynamic {
        Dynamic::UNIT
    }
}

impl IntoValue for Dynamic {
    fn into_value(self) -> Dynamic {
        self
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl IntoValue for $type {
            fn type_name() -> &'static str {
                type_name::<i64>()
            }

            fn into_value(self) -> Dynamic {
                (self as i64).into()
            }
        }
    )*};
}
integers!(usize, u64, u32, i32);

impl IntoValue for f32 {
    fn type_name() -> &'static str {
        type_name::<f64>()
    }

    fn into_value(self) -> Dynamic {
        f64::from(self).into()
    }
}

impl IntoValue for &'static str {
    fn type_name() -> &'static str {
        type_name::<ImmutableString>()
    }

    fn into_value(self) -> Dynamic {
        self.into()
    }
}

impl IntoValue for PathBuf {
    fn type_name() -> &'static str {
        type_name::<ImmutableString>()
    }

    fn into_value(self) -> Dynamic {
        self.display().to_string().into()
    }
}

/// `()` where there is none.
impl<T: IntoValue> IntoValue for Option<T> {
    fn type_name() -> &'static str {
        type_name::<Dynamic>()
    }

    fn into_value(self) -> Dynamic {
        self.map_or(Dynamic::UNIT, T::into_value)
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn type_name() -> &'static str {
        type_name::<rhai::Array>()
    }

    fn into_value(self) -> Dynamic {
        self.into_iter().map(T::into_value).collect::<rhai::Array>().into()
    }
}

impl IntoValue for serde_json::Value {
    fn type_name() -> &'static str {
        type_name::<Dynamic>()
    }

    fn into_value(self) -> Dynamic {
        options::from_json(&self)
    }
}
