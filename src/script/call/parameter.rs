//! Types that an argument of a word can be read into.

use std::any::{TypeId, type_name};
use std::path::PathBuf;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

use super::Call;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::script::{options, show};

/// A type that a parameter of a word can have.
pub trait Parameter: Sized + 'static {
    /// The type of Rhai value that selects this overload; `Dynamic` takes values of any kind.
    type Value: 'static;

    /// Whether the argument may be left out. Only trailing parameters may.
    const OPTIONAL: bool = false;

    /// Reads an argument of type [`Parameter::Value`].
    ///
    /// Errors name the word (`call.name`), the expectation and what came.
    fn read(value: Dynamic, call: &Call) -> Result<Self>;

    /// The value of an argument that was left out.
    fn absent(_: &Call) -> Option<Self> {
        None
    }
}

/// A parameter as overload resolution and messages see it.
#[derive(Clone, Copy, Debug)]
pub struct ParameterType {
    pub id: TypeId,
    /// Rust's name of the type of Rhai value.
    pub name: &'static str,
    pub optional: bool,
}

impl ParameterType {
    pub fn of<P: Parameter>() -> Self {
        ParameterType { id: TypeId::of::<P::Value>(), name: type_name::<P::Value>(), optional: P::OPTIONAL }
    }

    /// The receiver of a method.
    pub fn receiver<T: 'static>() -> Self {
        ParameterType { id: TypeId::of::<T>(), name: type_name::<T>(), optional: false }
    }
}

/// Makes a kind's Rust type a parameter as it is.
macro_rules! parameter_as_it_is {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::script::call::Parameter for $type {
            type Value = $type;

            fn read(value: rhai::Dynamic, _: &$crate::script::call::Call) -> $crate::error::Result<Self> {
                // The overload was chosen by this type.
                Ok(value.cast())
            }
        }
    )+};
}
pub(crate) use parameter_as_it_is;

parameter_as_it_is!(i64, f64, bool, ImmutableString, Array, Map, FnPtr);

impl Parameter for Dynamic {
    type Value = Dynamic;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        Ok(value)
    }
}

impl Parameter for String {
    type Value = ImmutableString;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        Ok(value.cast::<ImmutableString>().into_owned())
    }
}

/// A file or folder, as a string.
impl Parameter for PathBuf {
    type Value = ImmutableString;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        path_of(&value.cast::<ImmutableString>(), call)
    }
}

/// The path that a text is. Errors: an empty text.
pub fn path_of(text: &str, call: &Call) -> Result<PathBuf> {
    match text {
        "" => Err(Error::argument(format!("{}: the path is empty", call.name))),
        text => Ok(PathBuf::from(text)),
    }
}

/// A count.
impl Parameter for usize {
    type Value = i64;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let n: i64 = value.cast();
        usize::try_from(n).map_err(|_| Error::argument(format!("{}: n must be an integer from 0; got {n}", call.name)))
    }
}

/// A number; an integer is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl Number {
    /// A value that is a number, if it is one.
    pub fn of(value: &Dynamic) -> Option<f64> {
        value.as_float().or_else(|_| value.as_int().map(|i| i as f64)).ok()
    }
}

impl Parameter for Number {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        Number::of(&value).map(Number).ok_or_else(|| {
            Error::argument(format!("{}: the value must be a number; got {}", call.name, show::a_type(&value)))
        })
    }
}

/// A parameter that may be left out.
impl<P: Parameter> Parameter for Option<P> {
    type Value = P::Value;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        P::read(value, call).map(Some)
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(None)
    }
}

/// A map of options. Left out, all have their defaults.
impl<T: Options + 'static> Parameter for T {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        options::parse(call.name, &value.cast())
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(T::default())
    }
}
